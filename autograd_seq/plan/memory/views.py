"""Which nodes are views: they compute nothing, but show another node's array, whole or in part, at this or another step."""

from __future__ import annotations

from autograd_seq.core.axes import Axis
from autograd_seq.core.facts import ADJACENT, ENTRIES, POINTS, WHOLE
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.steps import ADD_ROWS
from autograd_seq.ops.time import INDEX, SHIFT, SIZE

LEAVES = (INPUT, PARAM, TENSOR, CONSTANT, SIZE, INDEX)


def is_view(node: Node) -> bool:
    """Tell whether a node only shows another one's array."""
    shows = node.op.view
    return shows is not None and node._value is None and (shows != ADJACENT or _has_adjacent_entries(node.inputs[0]))


def has_statement(node: Node) -> bool:
    """Tell whether a node is computed by a statement of its own: it is no leaf, and no view, or a view that it also changes."""
    return node.op not in LEAVES and node._value is None and (node.op is ADD_ROWS or not is_view(node))


def _has_adjacent_entries(node: Node) -> bool:
    """Tell whether the entries of a value are contiguous in the workspace."""
    while node.op.view is not None:
        if node.op.view in (ENTRIES, POINTS):
            return False
        node = node.inputs[0]
    return node.op not in (INPUT, PARAM)


def list_views(node: Node) -> list[Node]:
    """Return a node, if it is a view, and all views through which it shows an array, the last one that of the array itself."""
    found = []
    while is_view(node):
        found.append(node)
        node = node.inputs[0]
    return found


def get_root(node: Node) -> Node:
    """Return the node whose array a view shows, through all views."""
    while is_view(node):
        node = node.inputs[0]
    return node


def list_shifts(node: Node) -> tuple[tuple[Axis, int], ...]:
    """Return the axes along which a view shows other steps, and by how many."""
    return tuple([(v.attrs["axis"], v.attrs["by"]) for v in list_views(node) if v.op is SHIFT])


def is_whole(node: Node) -> bool:
    """Tell whether a node shows an array whole and at its own step."""
    return all(v.op.view == WHOLE for v in list_views(node))


def shows_elsewhere(node: Node) -> bool:
    """Tell whether a view shows another step than its own, and not by a shift."""
    return any(v.op.view == POINTS for v in list_views(node))


def find_stretch(node: Node) -> tuple[int, int] | None:
    """Return (start, stop) of a slice of the last dimension alone, in steps of 1; ``None`` for other slices."""
    if node.op is not SLICE:
        return None
    shape, keys = node.inputs[0].shape, node.attrs["key"]
    if len(keys) != len(shape) or not all(isinstance(k, slice) and k.step == 1 for k in keys):
        return None
    *others, taken = keys
    return (taken.start, taken.stop) if all((k.start, k.stop) == (0, n) for k, n in zip(others, shape, strict=False)) else None


def find_shown(node: Node) -> tuple[Node, int, int] | None:
    """Return (node, start, stop) for the node whose last dimension a view shows a part of, at any step, through all views."""
    start, stop = 0, node.shape[-1] if node.shape else 0
    for view in list_views(node):
        if view.op is SLICE:
            if (taken := find_stretch(view)) is None:
                return None
            start, stop = start + taken[0], stop + taken[0]
        elif view.op.view != WHOLE and view.op is not SHIFT:
            return None
    return get_root(node), start, stop
