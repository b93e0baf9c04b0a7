"""What computes a node, in NumPy: a ufunc, a product, a few calls, or the function of the operation itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.contraction import is_contraction
from autograd_seq.emit.numpy import entries
from autograd_seq.emit.numpy import operations as calls
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.numpy.named_steps import write_add, write_take
from autograd_seq.emit.numpy.page import Page
from autograd_seq.emit.numpy.products import write_contraction
from autograd_seq.emit.program_text import get_operator
from autograd_seq.ops.gather import PICK, sum_scattered
from autograd_seq.ops.loss import straight_through
from autograd_seq.ops.parts import CONCAT
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import RESHAPE
from autograd_seq.ops.steps import ADD_ROWS, TAKE_STEP
from autograd_seq.plan.memory.lanes import Lane
from autograd_seq.plan.memory.views import find_shown, get_root, list_shifts
from autograd_seq.plan.passes.expand import ADD_AT
from autograd_seq.plan.passes.legal import COPY

_REDUCERS = {"sum": "sum_over", "max": "max_over", "logsumexp": "log_sum_exp_over", "level": "level_over"}
"""What reduces over axes in a program, by what the operation does."""


def write_statement(w: Page, node: Node) -> None:
    """Write what computes a node."""
    w.note(node)
    lifted = w.storage.lift(node.axes, node)
    if node.op is CONCAT and any(in_place for _, _, in_place in _list_parts(w, node)):
        _write_join(w, node, lifted)
    elif is_contraction(w.storage, node):
        write_contraction(w, node)
    elif node.op.reduces and node.op.axes and node.attrs["axes"]:
        _write_reduction(w, node)
    elif node.op is TAKE_STEP:
        write_take(w, node)
    elif node.op is ADD_ROWS:
        write_add(w, node)
    elif (node.op is PICK and entries.write_pick(w, node)) or (node.op is ADD_AT and entries.write_add_at(w, node)):
        pass
    else:
        rank = max((len(x.shape) for x in node.inputs), default=0) if node.op.broadcasts else None
        if node.op in (COPY, straight_through):
            rank = len(node.shape)
        xs = [w.write_operand(x, lifted, rank) for x in node.inputs]
        if w.is_local(node):
            _write_local(w, node, xs)
        elif node.op is DRAW:
            _write_draw(w, node, xs)
        else:
            out = w.write_target(node)
            lines = calls.write_calls(node, out, xs) or [f"{out}[...] = {_write_call(w, node, xs)}"]
            for line in lines:
                w.write(w.finish_line(line))


def _list_parts(w: Page, node: Node) -> Iterator[tuple[Node, Lane, bool]]:
    """Yield the parts of a concatenation, the place of each, and whether it is computed there."""
    here = w.storage.lanes.get(node, Lane(node, node.attrs["axis"], 0, 0))
    start = here.start
    for x in node.inputs:
        place = here._replace(start=start, stop=start + x.shape[node.attrs["axis"]])
        lane, shift = w.storage.lanes.get(get_root(x)), sum(by for _, by in list_shifts(x))
        there = lane is not None and lane.whole is here.whole and (lane.start, lane.by - shift) == (start, here.by)
        yield x, place, there and (x is get_root(x) or find_shown(x) == (get_root(x), 0, x.shape[-1]))
        start = place.stop


def _write_join(w: Page, node: Node, lifted: Sequence[Axis]) -> None:
    """Write a concatenation some of whose parts are in their places already."""
    for x, lane, in_place in _list_parts(w, node):
        if not in_place:
            place = w.place_lane(lane, x.shape, f"{w.get_label(node)}_part")
            w.write(f"copyto({w.show_step(place, w.get_label(node))}, {w.write_operand(x, lifted, len(x.shape))})")


def _write_local(w: Page, node: Node, xs: list[str]) -> None:
    name, mixed = w.get_array(node).code, node.dtype is float and any(x.dtype is not float for x in node.inputs)
    sign = get_operator(node.op)
    if sign and not (node.axes or node.shape or mixed) and node.dtype is float:  # of numbers, it takes a fifth of the time
        w.write(f"{name} = {f' {sign} '.join(xs) if len(xs) > 1 else f'{sign}{xs[0]}'}")
    elif node.op.ufunc is not None and not node.op.reduces:
        width = ", dtype=real" if mixed else ""
        w.write(f"{name} = {node.op.ufunc.__name__}({', '.join(xs)}{width})")
    elif call := calls.write_reduction(node, xs):
        w.write(f"{name} = {call})")
    elif (lines := calls.write_calls(node, name, xs)) is not None or node.op is DRAW:
        lengths = [*(w.size[a] for a in w.storage.lift(node.axes, node)), *node.shape]
        w.write(f"{name} = empty({write_tuple(lengths)}, {w.get_width(node)})")
        if lines is None:
            _write_draw(w, node, xs)
        for line in lines or ():
            w.write(w.finish_line(line))
    else:
        w.write(f"{name} = {_write_call(w, node, xs)}")


def _write_call(w: Page, node: Node, xs: list[str]) -> str:
    """Return the call of an operation's own forward."""
    function = w.bundle.add(node.op.forward, node.op.name)
    code = f"{function}({', '.join([*xs, *(f'{k}={w.bundle.write_attribute(k, v)}' for k, v in node.attrs.items())])})"
    if node.op is RESHAPE or (node.op.own and node.op.vjp):  # what may return a view of an operand
        return f"array({code}, {w.get_width(node)})"
    plain = node.dtype is float and node.inputs and all(x.dtype is float for x in node.inputs)
    return code if plain or node.dtype is not float else f"np.asarray({code}, real)"


def _write_draw(w: Page, node: Node, xs: list[str]) -> None:
    """Write draws into the array of a node: the points of its axes as they are declared."""
    function = w.bundle.add(node.op.forward, "draw")
    declared: list[Axis] = list(node.attrs["over"])
    attrs = ", ".join(f"{k}={w.bundle.write_attribute(k, v)}" for k, v in node.attrs.items() if k != "over")
    numbers = [w.get_array(step) for step in node.inputs[1:]]  # of steps that are counted on from what is fed
    axes = list(dict.fromkeys([*declared, *(a for x in numbers for a in x.axes)]))
    given, point = [xs[0]], "point" if axes == declared else f"point[:{len(declared)}]"
    for x, step in zip(numbers, node.inputs[1:], strict=True):
        at = ", ".join(f"point[{axes.index(a)}]" for a in x.axes)
        given.append(f"{w.show_step(x, w.get_label(step))}[{at}]" if at else w.show_step(x, w.get_label(step)))
    w.helpers.add("fill_draws")
    one = f"{function}({', '.join(given)}, {attrs}, over=(), point={point})"
    w.write(f"fill_draws(lambda point: {one}, {w.write_operand(node, axes, None)}, {len(axes)})")


def _write_scattered(w: Page, node: Node, x: Node, over: Sequence[Axis]) -> None:
    """Write the sum over axes of rows that are added where an index names."""
    axes = w.storage.lift(x.axes, node)
    xs = [w.write_operand(y, axes, None) for y in x.inputs]
    positions = tuple(i for i, a in enumerate(axes) if a in over)
    code = f"{w.bundle.add(sum_scattered, 'sum_scattered')}({', '.join(xs)}, {positions}"
    w.assign(node, f"{code}, {', '.join(f'{k}={v}' for k, v in x.attrs.items())})")


def _write_reduction(w: Page, node: Node) -> None:
    """Write a sum, maximum or log-sum-exp over axes."""
    assert node.op.reduces is not None
    (x,) = node.inputs
    over = [a for a in w.storage.order if a in node.attrs["axes"]]
    if x in w.storage.absorbed:
        _write_scattered(w, node, x, over)
        return
    all_axes = w.storage.lift(x.axes, node)
    positions = tuple(i for i, a in enumerate(all_axes) if a in over)
    code = w.write_operand(x, all_axes, None)
    if node.op is sum_over and not x.shape and len(positions) == len(all_axes):
        w.assign(node, f"add.reduce({code}{', axis=None' if len(positions) > 1 else ''})")
        return
    function = _REDUCERS[node.op.reduces]
    w.helpers.add(function)
    if w.is_local(node):
        w.write(f"{w.get_array(node).code} = {function}({code}, {positions})")
    else:
        w.write(f"{function}({code}, {positions}, {w.write_target(node)})")
