"""Views of arrays: steps before and after, parts, other layouts. Written once, in the workspace, wherever that is possible."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array, write_tuple
from autograd_seq.emit.numpy.page import Page
from autograd_seq.graph.printing import format_subscript
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import ADD_ROWS, RECEIVE
from autograd_seq.ops.time import ALONG, AT, SHIFT, SPREAD
from autograd_seq.plan.memory.views import get_root
from autograd_seq.plan.passes.dimensions import AS_AXIS, AS_DIMENSION


def make_view(w: Page, node: Node) -> Array:
    """Return the array of a node that only shows another one's."""
    return _RULES[node.op](w, node)


def _show_same(w: Page, node: Node) -> Array:
    return w.get_array(node.inputs[0])


def _view_shift(w: Page, node: Node) -> Array:
    axis, by = node.attrs["axis"], node.attrs["by"]
    source = get_root(node.inputs[0])
    home = w.storage.homes[source]
    if home.lane:
        return w.place_lane(home.lane._replace(axis=axis, by=home.lane.by - by), node.shape, w.get_label(node))
    if home.ring:
        return w.read_ring(home, by)
    return w.show_steps(home, axis, -by)


def _view_at(w: Page, node: Node) -> Array:
    x, axis, i = w.get_array(node.inputs[0]), node.attrs["axis"], node.attrs["index"]
    if axis not in x.axes:
        return x
    p = x.axes.index(axis)
    axes = tuple(a for a in x.axes if a is not axis)
    code = x.write_index({p: str(i)})
    if node.attrs["outside"] == "zero":
        lengths = [*(w.size[a] for a in axes), *x.shape]
        zero = f"zeros({write_tuple(lengths)}, {w.get_width(node)})"
        code = f"({code} if {w.size[axis]} > {i if i >= 0 else -1 - i} else {zero})"
    return w.hold(x.as_view(code, axes=axes, whole=x.whole and p == 0), node)


def _view_along(w: Page, node: Node) -> Array:
    x = w.get_array(node.inputs[0])
    axes = tuple(node.attrs["other"] if a is node.attrs["axis"] else a for a in x.axes)
    return w.sort_axes(x.as_view(x.code, axes=axes, whole=False), node)


def _view_transpose(w: Page, node: Node) -> Array:
    x, k = w.get_array(node.inputs[0]), len(w.get_array(node.inputs[0]).axes)
    order = [*range(k), *(k + len(x.shape) + a for a in node.attrs["axes"])]
    if k == 0 and order == [1, 0]:
        return w.hold(x.as_view(f"{x.code}.T", shape=node.shape, whole=False), node)
    return w.hold(x.as_view(f"{x.code}.transpose({', '.join(map(str, order))})", shape=node.shape, whole=False), node)


def _view_slice(w: Page, node: Node) -> Array:
    x = w.get_array(node.inputs[0])
    code = x.write_index({}, format_subscript(node.attrs["key"], x.shape))
    return w.hold(x.as_view(code, shape=node.shape, whole=False), node)


def _view_broadcast(w: Page, node: Node) -> Array:
    x, shape = w.get_array(node.inputs[0]), node.attrs["shape"]
    rank = len(shape) - len(x.shape)
    code = x.code if not rank or not x.axes else f"{x.code}[{', '.join([':'] * len(x.axes) + ['None'] * rank)}]"
    full = write_tuple([*(w.size[a] for a in x.axes), *shape])
    return w.hold(x.as_view(f"broadcast_to({code}, {full})", shape=shape, whole=False), node)


def _view_reshape(w: Page, node: Node) -> Array:
    x = w.get_array(node.inputs[0])
    only = ", copy=False" if x.stage == WORK else ""  # there it must be a view
    lengths = write_tuple([*(w.size[a] for a in x.axes), *node.shape])
    return w.hold(x.as_view(f"{x.code}.reshape({lengths}{only})", shape=node.shape), node)


def _view_as_axis(w: Page, node: Node) -> Array:
    x, axis = w.get_array(node.inputs[0]), node.attrs["axis"]
    k, n = len(x.axes), len(x.axes) + len(x.shape)
    return _move_dimension(w, node, x, k + node.attrs["at"], 0, [axis, *x.axes], n)


def _view_as_dimension(w: Page, node: Node) -> Array:
    x, axis = w.get_array(node.inputs[0]), node.attrs["axis"]
    k, n = len(x.axes), len(x.axes) + len(x.shape)
    return _move_dimension(w, node, x, x.axes.index(axis), k - 1 + node.attrs["at"], [a for a in x.axes if a is not axis], n)


def _move_dimension(w: Page, node: Node, x: Array, old: int, new: int, axes: Sequence[Axis], n: int) -> Array:
    """Return an array of ``n`` dimensions with one of them in another place, where it is an axis or no longer is."""
    order = [d for d in range(n) if d != old]
    order.insert(new, old)
    stays = order == sorted(order)
    code = x.code if stays else f"{x.code}.transpose({', '.join(map(str, order))})"
    return w.sort_axes(x.as_view(code, axes=tuple(axes), shape=node.shape, whole=x.whole and stays), node)


_RULES = {
    STATE: _show_same, rewritten: _show_same, stop_gradient: _show_same, SPREAD: _show_same, SHIFT: _view_shift, AT: _view_at,
    ADD_ROWS: _show_same, RECEIVE: _show_same, ALONG: _view_along, TRANSPOSE: _view_transpose, SLICE: _view_slice,
    BROADCAST_TO: _view_broadcast, RESHAPE: _view_reshape, AS_AXIS: _view_as_axis, AS_DIMENSION: _view_as_dimension,
}  # fmt: skip
