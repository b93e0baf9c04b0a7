"""Outputs: arrays of the caller's own, laid out as asked for; copied where the workspace holds them, else as they were made."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy import operations as calls
from autograd_seq.emit.numpy.arrays import arranged, tuple_code
from autograd_seq.emit.numpy.page import Page
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.reduce import sum_over
from autograd_seq.plan.memory.views import get_root, is_view

Rectangle = list[tuple[int, int]]


def laid(w: Page, node: Node, declared: Sequence[Axis]) -> str:
    """Return the code of an output's values, its axes in the order in which they were asked for."""
    x = w.array(node)
    want: list[Axis | int | None] = [a if a in x.axes else None for a in declared]
    code = arranged(x, [*want, *range(len(x.shape))], ())
    if (declared or node.shape) and (None in want or x.shape != node.shape):
        return f"broadcast_to({code}, {tuple_code([*(w.size[a] for a in declared), *node.shape])})"
    return code


def returned(w: Page, node: Node, declared: Sequence[Axis]) -> str:
    """Return the code of an array for the caller: a copy, unless it was made in this run and nothing else shows it."""
    x, code, r = w.array(node), laid(w, node, declared), get_root(node)
    home = w.storage.homes.get(r)
    if not declared and not node.shape:
        w.made.append(("()", w.width(node)))
        return f"array({x.code}, {w.width(node)})"
    if code == x.code and r is node and home and home.buffer is None and _fresh(node) and node not in w.given:
        w.given.add(node)
        return code
    if code == x.code and not x.axes and (span := _part_of_its_own(w, node)) is not None:
        keys = ", ".join(f"{a}:{b}" if (a, b) != (0, n) else ":" for (a, b), n in zip(span, r.shape, strict=True))
        return f"{w.array(r).code}[{keys}]"
    w.made.append((tuple_code([*(w.size[a] for a in declared), *node.shape]), w.width(node)))
    return f"array({code}, {w.width(node)})"


def _part_of_its_own(w: Page, node: Node) -> Rectangle | None:
    """Return which entries of a local array an output is, if no other output shows them."""
    r = get_root(node)
    home, outputs = w.storage.homes.get(r), w.graph.outputs
    if node is r or home is None or home.buffer is not None or not _fresh(r) or any(o is r for o in outputs):
        return None
    span = _rectangle(node)
    others = [_rectangle(o) for o in outputs if o is not node and get_root(o) is r]
    alone = sum(o is node for o in outputs) == 1 and all(o is not None and span and _disjoint(span, o) for o in others)
    return span if alone else None


def _rectangle(node: Node) -> Rectangle | None:
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


def _disjoint(a: Rectangle, b: Rectangle) -> bool:
    return any(stop <= first or last <= start for (start, stop), (first, last) in zip(a, b, strict=True))


def _fresh(node: Node) -> bool:
    """Tell whether the local variable of a node is an array that nothing else shows."""
    return node.op in (CONTRACT, sum_over) or calls.writes(node)
