"""Long rows are computed where they are read: what one loop alone needs, step by step within it.

What lies on no cycle is best computed for all steps at once, as long as rows are short: a call costs more than its
arithmetic. Long rows are bound by memory: an array over all steps is written and read again, past the caches, and it stays.
Within the loop the same numbers are written to one row that is still in the cache when they are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from autograd_seq.axes import Axis
from autograd_seq.graph.graph import Graph
from autograd_seq.node import Node
from autograd_seq.plan.schedule import Item, Loop, paths
from autograd_seq.plan.views import LEAVES, is_view

LONG = 8192
"""Entries from which a row is long."""

BATCH = 32
"""How many points a step is taken to have along all axes but that of its loop, for their lengths are not known."""

_VIEWS = {"slice", "broadcast_to", "reshape", "transpose", "spread"}


def sunk(graph: Graph, items: Sequence[Item]) -> tuple[Item, ...]:
    """Return the schedule with what only one loop reads, in long rows, at its own steps, moved into that loop."""
    readers: dict[Node, list[Node]] = {n: [] for n in graph.nodes}
    for n in graph.nodes:
        for x in n.inputs:
            readers[x].append(n)
    kept = set(graph.outputs)

    def visit(part: Sequence[Item]) -> tuple[Item, ...]:
        part = [Loop(i.axis, i.direction, visit(i.body)) if isinstance(i, Loop) else i for i in part]
        for loop in [i for i in part if isinstance(i, Loop)]:
            inside = {n for n, _ in paths(loop.body)}
            at = next(k for k, i in enumerate(part) if i is loop)
            moved: list[Node] = []
            for item in part[at - 1 :: -1] if at else []:
                if isinstance(item, Loop):
                    continue
                if item not in kept and readers[item] and all(r in inside for r in readers[item]) and _fits(item, loop.axis):
                    moved.append(item)
                    inside.add(item)
            moved = _worth(moved, readers)
            if moved:
                gone, whole = set(moved), Loop(loop.axis, loop.direction, (*moved[::-1], *loop.body))
                part = [whole if i is loop else i for i in part if isinstance(i, Loop) or i not in gone]
        return tuple(part)

    return visit(items)


def _fits(n: Node, axis: Axis) -> bool:
    """Tell whether a node can be computed at one step of an axis as well as at all of them."""
    if n.op in LEAVES or n._value is not None or axis not in n.axes:
        return False
    return n.op.broadcasts or n.op.name in _VIEWS or n.op.name == "concat"


def _worth(moved: list[Node], readers: dict[Node, list[Node]]) -> list[Node]:
    """Return the nodes that have long rows, with the views of them; what is moved is read by nothing that stays."""
    out: list[Node] = []
    stay: set[Node] = set()
    for n in moved:  # readers come first
        long = is_view(n) or prod(n.shape) * (BATCH if len(n.axes) > 1 else 1) >= LONG
        if long and not any(r in stay for r in readers[n]):
            out.append(n)
        else:
            stay.add(n)
    return out
