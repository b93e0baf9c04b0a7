"""Outputs: arrays of the caller's own, laid out as asked for; copied where the workspace holds them, else as they were made."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import arrange, write_tuple
from autograd_seq.emit.numpy.page import Page, Rectangle
from autograd_seq.ops.parts import SLICE
from autograd_seq.plan.memory.views import get_root, is_view


def lay_out(w: Page, node: Node, declared: Sequence[Axis]) -> str:
    """Return the code of an output's values, its axes in the order in which they were asked for."""
    x = w.get_array(node)
    want: list[Axis | int | None] = [a if a in x.axes else None for a in declared]
    code = arrange(x, [*want, *range(len(x.shape))], ())
    if (declared or node.shape) and (None in want or x.shape != node.shape):
        return f"broadcast_to({code}, {write_tuple([*(w.size[a] for a in declared), *node.shape])})"
    return code


def return_output(w: Page, node: Node, declared: Sequence[Axis]) -> str:
    """Return the code of an array for the caller: a copy, unless the call made it and no other output shows its entries."""
    home = w.storage.homes.get(get_root(node))
    if home and home.buffer is None and w.owns(home.node) and tuple(declared) == home.axes and _claim(w, node, home.node):
        return w.get_array(node).code
    code = lay_out(w, node, declared)
    w.made.append((write_tuple([*(w.size[a] for a in declared), *node.shape]), w.get_width(node)))
    return f"array({code}, {w.get_width(node)})"


def _claim(w: Page, node: Node, root: Node) -> bool:
    """Let an output have the entries of an array that it shows; tell whether it may, for no other has any of them."""
    span, others = _find_rectangle(node), w.claimed.setdefault(root, [])
    if span is None or (root.axes and node is not root) or any(_overlap(span, other) for other in others):
        return False
    others.append(span)
    return True


def _find_rectangle(node: Node) -> Rectangle | None:
    """Return which entries of an array a part of parts of it shows, as a range for each dimension."""
    parts = []
    while is_view(node):
        if node.op is not SLICE or not all(isinstance(k, slice) and k.step == 1 for k in node.attrs["key"]):
            return None
        parts.append(node)
        node = node.inputs[0]
    span = [(0, n) for n in node.shape]
    for p in reversed(parts):
        keys = p.attrs["key"]
        span = [(a + k.start, a + k.stop) for (a, _), k in zip(span, keys, strict=False)] + span[len(keys) :]
    return span


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return all(first < end and begin < stop for (first, stop), (begin, end) in zip(a, b, strict=True))
