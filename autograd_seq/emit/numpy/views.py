"""Views of arrays: steps before and after, parts, other layouts. Written once, in the workspace, wherever that is possible."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array, tuple_code
from autograd_seq.emit.numpy.page import Page
from autograd_seq.graph.printing import format_subscript
from autograd_seq.ops.elementwise import rewritten
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import ADD_ROWS, RECEIVE
from autograd_seq.ops.time import ALONG, AT, SHIFT, SPREAD
from autograd_seq.plan.passes.dimensions import AS_AXIS, AS_DIMENSION


def view(w: Page, node: Node) -> Array:
    """Return the array of a node that only shows another one's."""
    return _RULES[node.op](w, node)


def _same(w: Page, node: Node) -> Array:
    return w.array(node.inputs[0])


def _shift(w: Page, node: Node) -> Array:
    axis, by = node.attrs["axis"], node.attrs["by"]
    source = w.root_of(node.inputs[0])
    home = w.storage.homes[source]
    if home.lane:
        return w.place(home.lane._replace(axis=axis, by=home.lane.by - by), node.shape, w.called(node))
    if home.ring:
        return w.ring_read(home, axis, by)
    return w.steps_of(home, axis, -by)


def _at(w: Page, node: Node) -> Array:
    x, axis, i = w.array(node.inputs[0]), node.attrs["axis"], node.attrs["index"]
    if axis not in x.axes:
        return x
    p = x.axes.index(axis)
    axes = tuple(a for a in x.axes if a is not axis)
    code = x.index({p: str(i)})
    if node.attrs["outside"] == "zero":
        lengths = [*(w.size[a] for a in axes), *x.shape]
        zero = f"zeros({tuple_code(lengths)}, {w.width(node)})"
        code = f"({code} if {w.size[axis]} > {i if i >= 0 else -1 - i} else {zero})"
    return w.held(x.as_view(code, axes=axes, whole=x.whole and p == 0), node)


def _along(w: Page, node: Node) -> Array:
    x = w.array(node.inputs[0])
    axes = tuple(node.attrs["other"] if a is node.attrs["axis"] else a for a in x.axes)
    return w.sorted(x.as_view(x.code, axes=axes, whole=False), node)


def _transpose(w: Page, node: Node) -> Array:
    x, k = w.array(node.inputs[0]), len(w.array(node.inputs[0]).axes)
    order = [*range(k), *(k + len(x.shape) + a for a in node.attrs["axes"])]
    if k == 0 and order == [1, 0]:
        return w.held(x.as_view(f"{x.code}.T", shape=node.shape, whole=False), node)
    return w.held(x.as_view(f"{x.code}.transpose({', '.join(map(str, order))})", shape=node.shape, whole=False), node)


def _slice(w: Page, node: Node) -> Array:
    x = w.array(node.inputs[0])
    return w.held(x.as_view(x.index({}, format_subscript(node.attrs["key"], x.shape)), shape=node.shape, whole=False), node)


def _broadcast_to(w: Page, node: Node) -> Array:
    x, shape = w.array(node.inputs[0]), node.attrs["shape"]
    rank = len(shape) - len(x.shape)
    code = x.code if not rank or not x.axes else f"{x.code}[{', '.join([':'] * len(x.axes) + ['None'] * rank)}]"
    full = tuple_code([*(w.size[a] for a in x.axes), *shape])
    return w.held(x.as_view(f"broadcast_to({code}, {full})", shape=shape, whole=False), node)


def _reshape(w: Page, node: Node) -> Array:
    x = w.array(node.inputs[0])
    only = ", copy=False" if x.stage == WORK else ""  # there it must be a view
    lengths = tuple_code([*(w.size[a] for a in x.axes), *node.shape])
    return w.held(x.as_view(f"{x.code}.reshape({lengths}{only})", shape=node.shape), node)


def _as_axis(w: Page, node: Node) -> Array:
    x, axis = w.array(node.inputs[0]), node.attrs["axis"]
    k, n = len(x.axes), len(x.axes) + len(x.shape)
    return _moved(w, node, x, k + node.attrs["at"], 0, [axis, *x.axes], n)


def _as_dimension(w: Page, node: Node) -> Array:
    x, axis = w.array(node.inputs[0]), node.attrs["axis"]
    k, n = len(x.axes), len(x.axes) + len(x.shape)
    return _moved(w, node, x, x.axes.index(axis), k - 1 + node.attrs["at"], [a for a in x.axes if a is not axis], n)


def _moved(w: Page, node: Node, x: Array, old: int, new: int, axes: Sequence[Axis], n: int) -> Array:
    """Return an array of ``n`` dimensions with one of them in another place, where it is an axis or no longer is."""
    order = [d for d in range(n) if d != old]
    order.insert(new, old)
    stays = order == sorted(order)
    code = x.code if stays else f"{x.code}.transpose({', '.join(map(str, order))})"
    return w.sorted(x.as_view(code, axes=tuple(axes), shape=node.shape, whole=x.whole and stays), node)


_RULES = {
    STATE: _same, rewritten: _same, stop_gradient: _same, SPREAD: _same, SHIFT: _shift, AT: _at, ALONG: _along,
    ADD_ROWS: _same, RECEIVE: _same,
    TRANSPOSE: _transpose, SLICE: _slice, BROADCAST_TO: _broadcast_to, RESHAPE: _reshape, AS_AXIS: _as_axis,
    AS_DIMENSION: _as_dimension,
}  # fmt: skip
