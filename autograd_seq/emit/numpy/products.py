"""Contractions as matrix products: which matrix each operand is, and where the product is written."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.contraction import Label, Matrix, Product, letters, product
from autograd_seq.emit.numpy.arrays import STEP, WORK, Array, arranged, tuple_code
from autograd_seq.emit.numpy.page import Page
from autograd_seq.ops.linear import CONTRACT


def contract(w: Page, node: Node, contraction: Node, lifted: Sequence[Axis]) -> None:
    """Write a contraction, over the axes of a sum as well if ``node`` is that sum."""
    operands, out_labels = contraction.attrs["spec"].split("->")
    labels = operands.split(",")
    parts = [w.array(x) for x in contraction.inputs]
    dims: list[list[Label]] = [[*w.level(x.axes)[1], *own] for x, own in zip(parts, labels, strict=True)]
    out: list[Label] = [*lifted, *out_labels]
    mixed = any(x.dtype is not node.dtype for x in contraction.inputs)
    found = None if mixed else product(dims[0], dims[1], out)
    if found is None:
        _einsum(w, node, contraction, parts, dims, out)
    elif found.batch or not found.straight:
        _batched(w, node, contraction, parts, labels, found)
    else:
        first, second = found.first, found.second
        if _would_be_copied(w, node, parts[first.operand], labels[first.operand], first, second):
            a = _matrix(w, contraction, parts[second.operand], labels[second.operand], _across(second), method="dot")
            b = _matrix(w, contraction, parts[first.operand], labels[first.operand], _across(first))
            w.write(f"{w.array(node).code} = {a}({b}).T")
            return
        a = _matrix(w, contraction, parts[first.operand], labels[first.operand], first, method="dot")
        b = _matrix(w, contraction, parts[second.operand], labels[second.operand], second)
        _dot(w, node, a, b, first.rows, second.columns, out_labels)


def _would_be_copied(w: Page, node: Node, x: Array, labels: str, first: Matrix, second: Matrix) -> bool:
    """Tell whether a product would read a part of a packed array transposed: NumPy copies that before, in the slowest order."""
    local = w.is_local(node) and not w.frames and len(first.rows) == len(second.columns) == 1
    return local and x.even and not x.whole and [*x.axes, *labels] == [*first.columns, *first.rows]


def _across(m: Matrix) -> Matrix:
    return Matrix(m.operand, m.columns, m.rows)


def _lengths(w: Page, node: Node, labels: str, group: Sequence[Label]) -> list[object]:
    return [w.size[x] if isinstance(x, Axis) else node.shape[labels.index(x)] for x in group]


def _matrix(w: Page, contraction: Node, x: Array, labels: str, want: Matrix, method: str = "") -> str:
    """Return an operand as the matrix that a product reads, made once if it can be; or a method of it, looked up once."""
    matrix, bound = _as_matrix(w, contraction, x, labels, want, method)
    return matrix if bound or not method else f"{matrix}.{method}"


def _as_matrix(w: Page, contraction: Node, x: Array, labels: str, want: Matrix, method: str) -> tuple[str, bool]:
    node = contraction.inputs[want.operand]
    loops, _ = w.level(x.axes)
    rows_, columns = list(want.rows), list(want.columns)
    have = [a for a in x.axes if a not in loops] + list(labels)
    shapes = [_lengths(w, node, labels, g) for g in (rows_, columns)]
    turned = bool(rows_ and columns) and have == columns + rows_
    order = columns + rows_ if turned else rows_ + columns
    code = arranged(x, [d if isinstance(d, Axis) else labels.index(d) for d in order], loops)
    merge = any(len(g) > 1 for g in (rows_, columns))
    as_it_is = code == x.code
    groups = shapes[::-1] if turned else shapes
    label = w.called(node)
    if merge:
        flat = [*(w.size[a] for a in loops), *(_times(g) for g in groups if g)]
        steps_only = all(isinstance(d, Axis) for g in (rows_, columns) if len(g) > 1 for d in g)
        if x.stage == WORK and as_it_is and (x.whole or (x.even and steps_only)):
            code = w.once(f"{code}.reshape({tuple_code(flat)}, copy=False)", f"{label}_flat")
        elif loops and x.stage != STEP:  # a copy, so it is made at the step itself
            code = w.once(code, label) if x.stage == WORK and not as_it_is else code
            code = w.bind(code, loops, x.stage, label, len(order))
            return _turned(f"{code}.reshape({tuple_code([_times(g) for g in groups if g])})", turned), False
        else:
            code = f"{code}.reshape({tuple_code(flat)})"
    elif x.stage == WORK and not as_it_is:
        code = w.once(code, label)
    written = w.storage.path.get(w.root_of(node), ())  # at the steps of a loop that is open, it is another one each time
    if w.frames and not loops and x.stage != STEP and not any(f.loop in written for f in w.frames):
        return _fixed(w, node, code, turned, x.stage), False
    if method and not turned and x.stage == WORK and len(w.frames) == len(loops) == 1:
        return w.bind(code, loops, x.stage, f"{label}_{method}", len(order), method), True
    return _turned(w.bind(code, loops, x.stage, label, len(order)), turned), False


def _turned(code: str, turned: bool) -> str:
    return f"{code}.T" if turned else code


def _fixed(w: Page, node: Node, code: str, turned: bool, stage: int) -> str:
    """Return a matrix that stays the same while a loop runs; transposed, it is copied once, before the loop."""
    if not turned and code.isidentifier():
        return code
    label = w.called(node)
    if turned and not node.axes and len(node.shape) == 2:
        return _kept(w, node, f"{label}_T", f"{code}.T", node.shape[::-1])
    wanted = f"{label}_T" if turned else label
    full = f"ascontiguousarray({_turned(code, turned)})" if turned else code
    if stage == WORK and not turned:
        return w.once(full, wanted)
    if (node, full) not in w.fixed:  # by node: others may have had the same array
        w.fixed[node, full] = w.names.new(wanted)
        w.run.append(f"{w.fixed[node, full]} = {full}")
    return w.fixed[node, full]


def _kept(w: Page, node: Node, wanted: str, code: str, shape: Sequence[int]) -> str:
    """Return the name of a copy of a matrix in the workspace, made before the loop that reads it."""
    if (node, code) not in w.fixed:
        w.fixed[node, code] = name = w.names.new(wanted)
        w.allocate(name, tuple_code(shape), w.width(node))
        w.run.append(f"copyto({name}, {code})")
    return w.fixed[node, code]


def _dot(w: Page, node: Node, a: str, b: str, rows_: Sequence[Label], columns: Sequence[Label], labels: str) -> None:
    x = w.array(node)
    loops, lifted = w.level(x.axes)
    merge = len(rows_) > 1 or len(columns) > 1
    count = _lengths(w, node, labels, [*rows_, *columns])
    groups = [count[: len(rows_)], count[len(rows_) :]]
    full = tuple_code([*(w.size[d] for d in lifted), *node.shape])
    if w.is_local(node):
        code = f"{a}({b})"
        w.write(f"{x.code} = {f'{code}.reshape({full})' if merge else code}")
        return
    contiguous = x.whole and loops == list(x.axes[: len(loops)])
    if not contiguous or (merge and not x.whole):
        w.assign(node, f"{a}({b}).reshape({full})" if merge else f"{a}({b})")
        return
    code = x.code
    if merge:
        view_ = tuple_code([*(w.size[q] for q in loops), *(_times(g) for g in groups if g)])
        code = f"{code}.reshape({view_}, copy=False)"
        code = w.once(code, f"{w.called(node)}_flat") if x.stage == WORK else code
    out = w.bind(code, loops, x.stage, w.called(node), len(count))
    w.write(f"{a}({b}, {out})")


def _batched(w: Page, node: Node, contraction: Node, parts: Sequence[Array], labels: Sequence[str], found: Product) -> None:
    """Write products of matrices, one for each point that the operands share."""
    out, own = contraction.attrs["spec"].split("->")[1], [found.first, found.second]
    groups = [(m.rows, m.columns) for m in own]
    codes = [_stacked(w, parts[m.operand], labels[m.operand], contraction.inputs[m.operand], found.batch, g)
             for m, g in zip(own, groups, strict=True)]  # fmt: skip
    rows_, columns = found.first.rows, found.second.columns
    if any(len(g) > 1 for m in groups for g in m):
        _merged(w, node, contraction, found, codes)
    elif not w.is_local(node):
        w.write(f"matmul({codes[0]}, {codes[1]}, {_stacked(w, w.array(node), out, node, found.batch, (rows_, columns))})")
    else:
        w.assign(node, _in_order(w, node, f"matmul({codes[0]}, {codes[1]})", (*found.batch, *rows_, *columns), rows_, columns))


def _stacked(w: Page, x: Array, labels: str, source: Node, batch: Sequence[Label], groups: Sequence[Sequence[Label]]) -> str:
    """Return an array with the dimensions of a stack of matrices in order; one without rows or columns has one of them."""
    loops, _ = w.level(x.axes)
    dims = [*batch, *(d for g in groups for d in (g or (None,)))]
    want = [d if isinstance(d, Axis) or d is None else labels.index(d) for d in dims]
    code = arranged(x, want, loops)
    if x.stage == WORK and code != x.code:
        code = w.once(code, w.called(source))
    return w.bind(code, loops, x.stage, w.called(source), len(want))


def _in_order(w: Page, node: Node, code: str, have: Sequence[Label], rows_: object, columns: object) -> str:
    """Return the code of a result with its dimensions as those of a node lie, from a product of stacks."""
    gone = ["0" if not g else ":" for g in (rows_, columns)]
    if "0" in gone:
        code += f"[..., {', '.join(gone)}]"
    lifted = w.level([a for a in w.storage.order if a in node.axes])[1]
    labels = (node if node.op is CONTRACT else node.inputs[0]).attrs["spec"].split("->")[1]
    order = [list(have).index(d) for d in [*lifted, *labels]]
    return code if order == sorted(order) else f"{code}.transpose({', '.join(map(str, order))})"


def _merged(w: Page, node: Node, contraction: Node, found: Product, codes: Sequence[str]) -> None:
    """Write products of matrices whose rows or columns are several dimensions each."""
    size: dict[Label, object] = dict(w.size.items())
    for x, own in zip(contraction.inputs, contraction.attrs["spec"].split("->")[0].split(","), strict=True):
        size |= dict(zip(own, x.shape, strict=True))
    rows_, columns, batch = found.first.rows, found.second.columns, [size[d] for d in found.batch]
    flat = []
    for code, m in zip(codes, (found.first, found.second), strict=True):
        lengths = [*batch, *(_times([size[d] for d in g]) or "1" for g in (m.rows, m.columns))]
        flat.append(code if len(m.rows) < 2 and len(m.columns) < 2 else f"{code}.reshape({tuple_code(lengths)})")
    have = (*found.batch, *rows_, *columns)
    code = f"matmul({flat[0]}, {flat[1]}).reshape({tuple_code([size[d] for d in have])})"
    w.assign(node, _in_order(w, node, code, have, True, True))


def _einsum(w: Page, node: Node, contraction: Node, parts: Sequence[Array], dims: Sequence[Sequence[Label]],
            out: Sequence[Label]) -> None:  # fmt: skip
    codes = []
    for x, source in zip(parts, contraction.inputs, strict=True):
        codes.append(w.at_step(x, w.called(source)))
    code = f'einsum("{letters(*dims, out)}", {codes[0]}, {codes[1]})'
    mixed = node.dtype is float and any(x.dtype is not float for x in contraction.inputs)
    if not w.is_local(node) and not mixed:
        w.write(f"{code[:-1]}, out={w.target(node)})")
        return
    if mixed:
        code = f"{code}.astype(real)"
    w.assign(node, code)


def _times(group: Sequence[object]) -> str:
    return " * ".join(map(str, group))
