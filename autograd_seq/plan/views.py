"""Which nodes are views: they compute nothing, they show another node's array, whole or in part, at this or another step."""

from __future__ import annotations

from autograd_seq.axes import Axis
from autograd_seq.node import CONSTANT, Node
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.time import INDEX, SHIFT, SIZE

LEAVES = (INPUT, PARAM, TENSOR, CONSTANT, SIZE, INDEX)
_AS_IT_IS = {"state", "rewritten", "stop_gradient"}
_VIEWS = {*_AS_IT_IS, "shift", "spread", "along", "at", "transpose", "slice", "broadcast_to", "as_axis", "as_dimension"}
_SAME_ENTRIES = {*_AS_IT_IS, "shift", "spread", "reshape"}  # the value's entries stay adjacent


def is_view(node: Node) -> bool:
    """Tell whether a node only shows another one's array."""
    return node._value is None and (node.op.name in _VIEWS or (node.op.name == "reshape" and _adjacent(node.inputs[0])))


def _adjacent(node: Node) -> bool:
    while node.op.name in _VIEWS or node.op.name == "reshape":
        if node.op.name not in _SAME_ENTRIES:
            return False
        node = node.inputs[0]
    return node.op not in (INPUT, PARAM)


def root(node: Node) -> Node:
    """Return the node whose array a view shows, through all views."""
    while is_view(node):
        node = node.inputs[0]
    return node


def shifts(node: Node) -> tuple[tuple[Axis, int], ...]:
    """Return the axes along which a view shows other steps, and by how many."""
    found = []
    while is_view(node):
        if node.op is SHIFT:
            found.append((node.attrs["axis"], node.attrs["by"]))
        node = node.inputs[0]
    return tuple(found)


def as_it_is(node: Node) -> bool:
    """Tell whether a node shows an array whole and at its own step."""
    while is_view(node):
        if node.op.name not in _AS_IT_IS:
            return False
        node = node.inputs[0]
    return True


def elsewhere(node: Node) -> bool:
    """Tell whether a view shows some other step than its own in another way than by a shift."""
    while is_view(node):
        if node.op.name in ("at", "along"):
            return True
        node = node.inputs[0]
    return False


def stretch(node: Node) -> tuple[int, int] | None:
    """Return which adjacent entries of the last dimension a slice takes, all else being whole; ``None`` if it is otherwise."""
    if node.op.name != "slice":
        return None
    shape, keys = node.inputs[0].shape, node.attrs["key"]
    if len(keys) != len(shape) or not all(isinstance(k, slice) and k.step == 1 for k in keys):
        return None
    *others, taken = keys
    return (taken.start, taken.stop) if all((k.start, k.stop) == (0, n) for k, n in zip(others, shape, strict=False)) else None


def adjacent(node: Node) -> tuple[Node, int, int] | None:
    """Return the node of which a view shows adjacent entries of the last dimension, at its own step, and which."""
    while is_view(node) and node.op.name in _AS_IT_IS:
        node = node.inputs[0]
    if node.op.name != "slice" or is_view(node.inputs[0]) or (taken := stretch(node)) is None:
        return None
    return node.inputs[0], *taken


def shown(node: Node) -> tuple[Node, int, int] | None:
    """Return the node of which a view shows adjacent entries of the last dimension, at any step, through all views."""
    start, stop = 0, node.shape[-1] if node.shape else 0
    while is_view(node):
        if node.op.name == "slice":
            if (taken := stretch(node)) is None:
                return None
            start, stop = start + taken[0], stop + taken[0]
        elif node.op.name not in _AS_IT_IS and node.op is not SHIFT:
            return None
        node = node.inputs[0]
    return node, start, stop
