"""The schedule: what is computed for all points at once, and what loops, found from the graph alone.

Strongly connected components are taken in topological order (Allen & Kennedy 1987): a node on no cycle is *lifted*, computed
for all points of its axes in one call. The nodes of a cycle become a *loop* over an axis on which all their shifts have one
sign, in that direction; the shifts along that axis are cut, and the body is scheduled in turn, the other axes lifted.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.core.node import Node
from autograd_seq.graph.checks import find_loop_axis
from autograd_seq.graph.order import find_components, same_step
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import get_delay
from autograd_seq.ops.time import AT
from autograd_seq.plan.memory.views import is_view


@dataclass(frozen=True, eq=False)
class Loop:
    """Steps of ``body`` along an axis, forward (+1) or backward (−1) in it; ``body`` is a schedule of its own."""

    axis: Axis
    direction: int
    body: tuple[Node | Loop, ...]


Item = Node | Loop
"""A schedule is a sequence of nodes, each lifted over the axes that no loop around it runs over, and of loops."""


def schedule(nodes: Sequence[Node], cut: tuple[Axis, ...] = ()) -> tuple[Item, ...]:
    """Return the schedule of ``nodes``.

    Args:
        nodes: each after what it needs at its own step, as a :class:`Graph` holds them.
        cut: axes of the loops around, whose shifts are cut.

    Notes:
        Linear in the number of nodes, whatever the lengths of the axes are.
    """
    position = {n: i for i, n in enumerate(nodes)}
    edges = [(position[x], i) for i, n in enumerate(nodes) for x in list_needs(n, cut) if x in position]
    loops = {a for a, b in edges if a == b}
    parts = find_components(len(nodes), edges)
    if ends := _find_ends(nodes, parts):
        edges += ends
        parts = find_components(len(nodes), edges)
    out: list[Item] = []
    for part in _sort_components(parts, edges):
        if len(part) == 1 and part[0] not in loops:
            out.append(nodes[part[0]])
            continue
        inside = [nodes[i] for i in part]
        found = find_loop_axis(inside)
        assert found is not None, "a graph is checked when it is made"
        out.append(Loop(*found, schedule(inside, (*cut, found[0]))))
    return tuple(out)


def _find_ends(nodes: Sequence[Node], parts: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return edges that keep what reads the end of an iteration in the loop around the iteration, which overwrites it."""
    if all(n.op is not AT or not isinstance(n.attrs["axis"], Iteration) for n in nodes):
        return []
    reads = [(x, i) for i, n in enumerate(nodes) for x in _list_read_ends(n)]
    found = []
    for part in parts if reads else ():
        inside = [nodes[i] for i in part]
        loop = find_loop_axis(inside) if len(part) > 1 else None
        if loop is not None and not isinstance(loop[0], Iteration):
            within = set(inside)
            found += [(i, part[0]) for x, i in reads if x in within]
    return found


def _list_read_ends(node: Node) -> list[Node]:
    """Return the values of an iteration whose last step is read by a node that is no view."""
    found = []
    for x in () if is_view(node) else node.inputs:
        seen: set[Node] = set()  # a state that only passes its own past on is a view of itself
        while is_view(x) and x not in seen:
            seen.add(x)
            if x.op is AT and isinstance(x.attrs["axis"], Iteration):
                found.append(x.inputs[0])
            x = x.inputs[0]
    return found


def list_needs(node: Node, cut: tuple[Axis, ...] = ()) -> tuple[Node, ...]:
    """Return the nodes that must be computed before a node: its inputs and rows, but not what it reads at cut steps."""
    if get_delay(node) and node.attrs["axis"] not in cut:
        return node.inputs[0], *same_step(node)
    return same_step(node)


def _sort_components(parts: list[list[int]], edges: list[tuple[int, int]]) -> list[list[int]]:
    """Return components so that each follows what it reads, otherwise in the order of the nodes."""
    of = {i: k for k, part in enumerate(parts) for i in part}
    across = {(of[a], of[b]) for a, b in edges if of[a] != of[b]}
    readers: dict[int, list[int]] = {}
    waiting = [0] * len(parts)
    for a, b in sorted(across):
        readers.setdefault(a, []).append(b)
        waiting[b] += 1
    ready = [k for k, n in enumerate(waiting) if n == 0]
    out = []
    while ready:
        k = heapq.heappop(ready)
        out.append(parts[k])
        for r in readers.get(k, ()):
            waiting[r] -= 1
            if waiting[r] == 0:
                heapq.heappush(ready, r)
    return out


def find_end(loop: Loop) -> Node | None:
    """Return the truth value that ends a loop after a step at which it is false everywhere; ``None`` if all steps are taken.

    It is false at the steps that are left out, and nothing after the loop reads another value of these.
    """
    inside = [n for n in loop.body if isinstance(n, Node)]
    return next((n for n in inside if n.op is STATE and n.attrs.get("ends") is loop.axis), None)


def list_paths(items: Sequence[Item], outside: tuple[Loop, ...] = ()) -> Iterator[tuple[Node, tuple[Loop, ...]]]:
    """Yield every node of a schedule with the loops around it, outermost first."""
    for item in items:
        if isinstance(item, Loop):
            yield from list_paths(item.body, (*outside, item))
        else:
            yield item, outside
