"""Views of arrays: steps before and after, parts, other layouts. Written once, in the workspace, wherever that is possible."""

from __future__ import annotations

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array, write_tuple
from autograd_seq.emit.numpy.page import Page
from autograd_seq.emit.places import AffineIndex, get_least, look_through
from autograd_seq.graph.printing import format_subscript
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE
from autograd_seq.ops.time import ALONG, AT, SHIFT
from autograd_seq.plan.memory.views import get_root
from autograd_seq.plan.passes.dimensions import AS_AXIS, AS_DIMENSION


def make_view(w: Page, node: Node) -> Array:
    """Return the array of a node that only shows another one's."""
    if node.op is SHIFT:
        return _show_steps(w, node)
    x = w.get_array(node.inputs[0])
    if node.op in (AT, ALONG, TRANSPOSE, AS_AXIS, AS_DIMENSION):
        return _reorder(w, node, x)
    full = write_tuple([*(w.size[a] for a in x.axes), *node.shape])
    if node.op is RESHAPE:
        only = ", copy=False" if x.stage == WORK else ""  # there it must be a view
        return w.hold(x.as_view(f"{x.code}.reshape({full}{only})", shape=node.shape), node)
    if node.op is SLICE:
        code = x.write_index({}, format_subscript(node.attrs["key"], x.shape))
    elif node.op is BROADCAST_TO:
        rank = len(node.shape) - len(x.shape)
        code = x.code if not rank or not x.axes else f"{x.code}[{', '.join([':'] * len(x.axes) + ['None'] * rank)}]"
        code = f"broadcast_to({code}, {full})"
    else:
        return x  # it shows the same
    return w.hold(x.as_view(code, shape=node.shape, whole=False), node)


def _show_steps(w: Page, node: Node) -> Array:
    """Return the array of a node at other steps."""
    axis, by = node.attrs["axis"], node.attrs["by"]
    home = w.storage.homes[get_root(node.inputs[0])]
    if home.lane:
        return w.place_lane(home.lane._replace(axis=axis, by=home.lane.by - by), node.shape, w.get_label(node))
    if home.ring:
        return w.read_ring(home, by)
    return w.show_steps(home, axis, -by)


def _reorder(w: Page, node: Node, x: Array) -> Array:
    """Return an array with its axes and dimensions where a view has them; without an axis that is read at one step."""
    here = [*sorted(node.axes, key=w.storage.order.index), *range(len(node.shape))]
    var = {d: AffineIndex(str(k)) for k, d in enumerate(here)}
    at, dims = look_through(node, {a: var[a] for a in node.axes}, [var[d] for d in range(len(node.shape))],
                            lambda axis, k: AffineIndex(None, 1, k))  # fmt: skip
    places = [*(at[a] for a in x.axes), *dims]
    code = x.write_index({p: place.code for p, place in enumerate(places) if place.var is None})
    left = [int(place.var) for place in places if place.var is not None]
    if node.op is AT and node.attrs["outside"] == "zero":
        lengths = write_tuple([w.size[d] if isinstance(d := here[k], Axis) else node.shape[d] for k in left])
        code = f"({code} if {w.size[node.attrs['axis']]} > {get_least(node)} else zeros({lengths}, {w.get_width(node)}))"
    order = sorted(range(len(left)), key=left.__getitem__)
    stays = order == sorted(order)
    code = code if stays else f"{code}.T" if order == [1, 0] else f"{code}.transpose({', '.join(map(str, order))})"
    axes = tuple(d for k in sorted(left) if isinstance(d := here[k], Axis))
    whole = x.whole and stays and all(place.var is not None for place in places[1:])
    return w.hold(x.as_view(code, axes=axes, shape=node.shape, whole=whole), node)
