"""Contractions as matrix products: which matrix each operand is, and where the product is written."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.contraction import Contraction, Label, Matrix, Product, letters, read_contraction
from autograd_seq.emit.numpy.arrays import STEP, WORK, Array, arrange, write_tuple
from autograd_seq.emit.numpy.page import Page
from autograd_seq.plan.memory.views import get_root


def write_contraction(w: Page, node: Node) -> None:
    """Write a contraction, over the axes of a sum as well if ``node`` is a sum of one."""
    c = read_contraction(w.storage, node)
    if c.product is None:
        _write_einsum(w, node, c)
    elif c.product.batch or not c.product.straight:
        _write_stacks(w, node, c, c.product)
    else:
        first, second = c.product.first, c.product.second
        _write_dot(w, node, c, f"{_make_matrix(w, c, first)}.dot", _make_matrix(w, c, second), first.rows, second.columns)


def _list_lengths(w: Page, c: Contraction, group: Sequence[Label]) -> list[object]:
    return [w.size[x] if isinstance(x, Axis) else c.lengths[x] for x in group]


def _make_matrix(w: Page, c: Contraction, want: Matrix) -> str:
    """Return an operand as the matrix that a product reads, made once if it can be."""
    node, labels = c.node.inputs[want.operand], c.labels[want.operand]
    x, label = w.get_array(node), w.get_label(node)
    loops, lifted = w.split_axes(x.axes)
    turned = bool(want.rows and want.columns) and [*lifted, *labels] == [*want.columns, *want.rows]
    groups = (want.columns, want.rows) if turned else (want.rows, want.columns)
    order = [d if isinstance(d, Axis) else labels.index(d) for g in groups for d in g]
    code = arrange(x, order, loops)
    as_it_is = code == x.code
    if any(len(g) > 1 for g in groups):
        lengths = [_write_product(_list_lengths(w, c, g)) for g in groups if g]
        flat = write_tuple([*(w.size[a] for a in loops), *lengths])
        if x.stage == WORK and as_it_is and x.whole:
            code = w.compute_once(f"{code}.reshape({flat}, copy=False)", f"{label}_flat")
        elif loops and x.stage != STEP:  # a copy, so it is made at the step itself
            return _turn(f"{w.show(x, order, label)}.reshape({write_tuple(lengths)})", turned)
        else:
            code = f"{code}.reshape({flat})"
    elif x.stage == WORK and not as_it_is:
        code = w.compute_once(code, label)
    written = w.storage.path.get(get_root(node), ())  # at the steps of a loop that is open, it is another one each time
    if w.frames and not loops and x.stage != STEP and not any(f.loop in written for f in w.frames):
        return _fix(w, node, code, turned, x.stage)
    return _turn(w.bind(code, loops, x.stage, label, len(order)), turned)


def _turn(code: str, turned: bool) -> str:
    return f"{code}.T" if turned else code


def _fix(w: Page, node: Node, code: str, turned: bool, stage: int) -> str:
    """Return a matrix that stays the same while a loop runs; transposed, it is copied once, before the loop."""
    if not turned and (stage == WORK or code.isidentifier()):
        return code if code.isidentifier() else w.compute_once(code, w.get_label(node))
    wanted = f"{w.get_label(node)}_T" if turned else w.get_label(node)
    full = f"ascontiguousarray({code}.T)" if turned else code
    if (node, full) not in w.fixed:  # by node: others may have had the same array
        w.fixed[node, full] = name = w.names.new(wanted)
        if turned and not node.axes and len(node.shape) == 2:
            w.allocate(name, write_tuple(node.shape[::-1]), w.get_width(node))
            w.run.append(f"copyto({name}, {code}.T)")
        else:
            w.run.append(f"{name} = {full}")
    return w.fixed[node, full]


def _write_dot(w: Page, node: Node, c: Contraction, a: str, b: str, rows: Sequence[Label], columns: Sequence[Label]) -> None:
    x = w.get_array(node)
    loops, lifted = w.split_axes(x.axes)
    merge = len(rows) > 1 or len(columns) > 1
    full = write_tuple([*(w.size[d] for d in lifted), *node.shape])
    contiguous = x.whole and loops == list(x.axes[: len(loops)])
    if w.is_local(node) or not contiguous:
        w.assign(node, f"{a}({b}).reshape({full})" if merge else f"{a}({b})")
        return
    code = x.code
    if merge:
        lengths = [_write_product(_list_lengths(w, c, g)) for g in (rows, columns) if g]
        code = f"{code}.reshape({write_tuple([*(w.size[q] for q in loops), *lengths])}, copy=False)"
        code = w.compute_once(code, f"{w.get_label(node)}_flat") if x.stage == WORK else code
    w.write(f"{a}({b}, {w.bind(code, loops, x.stage, w.get_label(node), len(rows) + len(columns))})")


def _write_stacks(w: Page, node: Node, c: Contraction, found: Product) -> None:
    """Write products of matrices, one for each point that the operands share."""
    rows, columns, operands = found.first.rows, found.second.columns, (found.first, found.second)
    codes = [_show_stack(w, w.get_array(x), c.labels[m.operand], x, found.batch, (m.rows, m.columns))
             for m in operands for x in (c.node.inputs[m.operand],)]  # fmt: skip
    have = (*found.batch, *rows, *columns)
    if any(len(g) > 1 for m in operands for g in (m.rows, m.columns)):
        batch = _list_lengths(w, c, found.batch)
        for k, m in enumerate(operands):
            if len(m.rows) > 1 or len(m.columns) > 1:
                lengths = [*batch, *(_write_product(_list_lengths(w, c, g)) or "1" for g in (m.rows, m.columns))]
                codes[k] = f"{codes[k]}.reshape({write_tuple(lengths)})"
        code = f"matmul({codes[0]}, {codes[1]}).reshape({write_tuple(_list_lengths(w, c, have))})"
        w.assign(node, _put_in_order(c, code, have))
    elif not w.is_local(node):
        target = _show_stack(w, w.get_array(node), c.labels[2], node, found.batch, (rows, columns))
        w.write(f"matmul({codes[0]}, {codes[1]}, {target})")
    else:
        gone = f"[..., {', '.join(':' if g else '0' for g in (rows, columns))}]" if not (rows and columns) else ""
        w.assign(node, _put_in_order(c, f"matmul({codes[0]}, {codes[1]}){gone}", have))


def _show_stack(w: Page, x: Array, labels: str, source: Node, batch: Sequence[Label], groups: Sequence[Sequence[Label]]) -> str:
    """Return an array with the dimensions of a stack of matrices in order; one without rows or columns has one of them."""
    dims = [*batch, *(d for g in groups for d in (g or (None,)))]
    return w.show(x, [d if isinstance(d, Axis) or d is None else labels.index(d) for d in dims], w.get_label(source))


def _put_in_order(c: Contraction, code: str, have: Sequence[Label]) -> str:
    """Return the code of a result with its dimensions as those of the node lie, from a product of stacks."""
    order = [list(have).index(d) for d in c.dims[2]]
    return code if order == sorted(order) else f"{code}.transpose({', '.join(map(str, order))})"


def _write_einsum(w: Page, node: Node, c: Contraction) -> None:
    a, b = (w.show_step(w.get_array(x), w.get_label(x)) for x in c.node.inputs)
    code = f'einsum("{letters(*c.dims)}", {a}, {b}'
    if node.dtype is float and any(x.dtype is not float for x in c.node.inputs):
        w.assign(node, f"{code}).astype(real)")
    elif w.is_local(node):
        w.assign(node, f"{code})")
    else:
        w.write(f"{code}, out={w.write_target(node)})")


def _write_product(group: Sequence[object]) -> str:
    return " * ".join(map(str, group))
