"""Orders and components of graphs: pure functions, iterative, on nodes or plain lists.

No order here comes from a ``set`` or from ``id()``: the same equations give the same order in every run.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from autograd_seq.core.node import Node
from autograd_seq.ops.state import CLOSED, EQUILIBRIUM, STATE, Bound
from autograd_seq.ops.steps import RECEIVE, TAKE_STEP, get_delay
from autograd_seq.ops.time import SHIFT

N = TypeVar("N", bound=Hashable)

READ_OTHER_STEPS = frozenset({SHIFT, *CLOSED, TAKE_STEP, RECEIVE})
"""The operations that may read other steps than their own; all others need all of their inputs at their own step."""


def postorder(roots: Iterable[N], sources: Callable[[N], Iterable[N]], seen: set[N] | None = None) -> list[N]:
    """Return everything reachable from ``roots``, sources before what reads them (iterative depth-first search).

    Example:
        >>> postorder(["c"], {"c": ["a", "b"], "b": ["a"], "a": []}.__getitem__)
        ['a', 'b', 'c']
    """
    seen = set() if seen is None else seen
    order: list[N] = []
    path: list[N] = []
    stack: list[N | None] = []
    stack.extend([*roots][::-1])
    while stack:
        node = stack.pop()
        if node is None:  # all sources of the innermost open node are done
            order.append(path.pop())
        elif node not in seen:
            seen.add(node)
            first = [x for x in sources(node) if x not in seen]
            if first:
                path.append(node)
                stack.append(None)
                stack += first[::-1]
            else:
                order.append(node)
    return order


def list_readers(nodes: Iterable[Node]) -> defaultdict[Node, list[Node]]:
    """Return the nodes that have each node as an input, in order, once for each time that they do."""
    found: defaultdict[Node, list[Node]] = defaultdict(list)
    for n in nodes:
        for x in n.inputs:
            found[x].append(n)
    return found


def find_dependents(
    nodes: Iterable[Node], seeds: Iterable[Node], passes: Callable[[Node], bool] = lambda node: True
) -> set[Node]:
    """Return ``seeds`` and all nodes that depend on them through nodes for which ``passes`` holds."""
    readers, found, stack = list_readers(nodes), set[Node](), [*seeds]
    while stack:
        n = stack.pop()
        if n not in found:
            found.add(n)
            stack += [r for r in readers[n] if passes(r)]
    return found


def get_rows(node: Node, axis: object, side: str) -> tuple[Bound | None, tuple[Node, ...]]:
    """Return the boundary of a node on one side of an axis, and its rows; ``None, ()`` unless a state declares them."""
    if node.op is STATE:
        for bound in node.attrs["bounds"]:
            if bound.axis is axis and bound.side == side:
                return bound, node.inputs[bound.start : bound.stop]
    return None, ()


def get_shift_rows(node: Node) -> tuple[Node, ...]:
    """Return the boundary rows that a shift may read."""
    if node.attrs["outside"] == "zero":
        return ()
    return get_rows(node.inputs[0], node.attrs["axis"], "init" if node.attrs["by"] > 0 else "final")[1]


def names_axis(node: Node, axis: object) -> bool:
    """Tell whether an attribute of a node is an axis, or contains it."""
    return any(v is axis or (isinstance(v, (tuple, list)) and any(a is axis for a in v)) for v in node.attrs.values())


def same_step(node: Node) -> tuple[Node, ...]:
    """Return what a node needs at its own step: reads of other steps are cut, boundary rows belong to the shifts of them.

    An equilibrium needs where its iteration starts, and not its equation, which reads the iterate.
    """
    if node.op not in READ_OTHER_STEPS:
        return node.inputs
    if node.op is SHIFT:
        return get_shift_rows(node)
    if node.op is STATE:
        return node.inputs[:1]
    return node.inputs[1:] if node.op is EQUILIBRIUM or get_delay(node) else node.inputs


def get_sources(node: Node) -> tuple[Node, ...]:
    """Return what a node reads at any step; boundary rows belong to the shifts that read them."""
    return (node.inputs[0], *same_step(node)) if node.op is EQUILIBRIUM or get_delay(node) else same_step(node)


def step_order(roots: Sequence[Node], after: Mapping[Node, Iterable[Node]] | None = None) -> list[Node]:
    """Return all nodes that ``roots`` depend on, through shifts too, so that each follows what it needs at its own step.

    Args:
        roots: nodes.
        after: by node, further nodes that it must follow.
    """

    def needed(node: Node) -> tuple[Node, ...]:
        return (*same_step(node), *after[node]) if after and node in after else same_step(node)

    sources = needed if after else same_step
    seen: set[Node] = set()
    order = postorder(roots, sources, seen)
    done = 0
    while done < len(order):  # what no same-step edge reached; a later node never precedes its reader
        late = [n for n in order[done:] if n.op in READ_OTHER_STEPS and (n.op in CLOSED or get_delay(n))]
        waiting = [x for n in late for x in n.inputs if x not in seen]
        done = len(order)
        order += postorder(waiting, sources, seen)
    return order


def list_by_use(roots: Sequence[Node]) -> list[Node]:
    """Return all nodes that ``roots`` depend on, in the order in which the equations read them first, the roots last.

    In ``s[t] = tanh(U @ x[t] + W @ s[t - 1]); y = V @ s[t]`` parameters are read in the order U, W, V.
    """
    return list(dict.fromkeys([*(x for n in step_order(roots) for x in n.inputs), *roots]))


def find_components(count: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the strongly connected components of a graph on 0 … count − 1, each sorted, in the order of their least node.

    Example:
        >>> find_components(3, [(0, 1), (1, 0), (1, 2)])
        [[0, 1], [2]]
    """
    edges = list(edges)
    back = [(a, b) for a, b in edges if b <= a]
    if not back:
        return [[i] for i in range(count)]
    # Every cycle has a back edge, and lies between the first target of a back edge and the last source of one.
    first, last = min(b for _, b in back), max(a for a, _ in back)
    targets: list[list[int]] = [[] for _ in range(first, last + 1)]
    for a, b in edges:
        if first <= a <= last and first <= b <= last:
            targets[a - first].append(b - first)
    outside = [[i] for i in range(count) if not first <= i <= last]
    return sorted([*outside, *(sorted(i + first for i in part) for part in _strongly_connected(targets))])


def _strongly_connected(targets: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the strongly connected components of a graph, given what each of its nodes points to (Tarjan 1972, iterative)."""
    done = len(targets) + 1
    number, lowest = [0] * len(targets), [0] * len(targets)  # when a node was met, and the first that it leads back to
    found: list[list[int]] = []
    met: list[int] = []  # what is in no component yet
    count = 0
    for root in range(len(targets)):
        path = [] if number[root] else [(root, iter(targets[root]))]
        while path:
            node, left = path[-1]
            if not number[node]:
                count += 1
                number[node] = lowest[node] = count
                met.append(node)
            for x in left:
                if not number[x]:
                    path.append((x, iter(targets[x])))
                    break
                lowest[node] = min(lowest[node], number[x])
            else:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[node])
                if lowest[node] == number[node]:
                    found.append([])
                    while number[node] != done:
                        found[-1].append(met.pop())
                        number[found[-1][-1]] = done
    return found


def list_components(nodes: Sequence[Node], sources: Callable[[Node], Iterable[Node]] = get_sources) -> list[list[Node]]:
    """Return the strongly connected components of nodes, each in their order; what they read besides does not count."""
    position = {n: i for i, n in enumerate(nodes)}
    edges = [(position[x], i) for i, n in enumerate(nodes) for x in sources(n) if x in position]
    return [[nodes[i] for i in part] for part in find_components(len(nodes), edges)]


def sort_components(nodes: Sequence[Node], sources: Callable[[Node], Iterable[Node]]) -> list[list[Node]]:
    """Return the strongly connected components of nodes, each after those that it reads."""
    parts = list_components(nodes, sources)
    part_of = {n: k for k, part in enumerate(parts) for n in part}

    def list_read(k: int) -> list[int]:
        return [part_of[x] for n in parts[k] for x in sources(n) if x in part_of and part_of[x] != k]

    return [parts[k] for k in postorder(range(len(parts)), list_read)]


def find_shortest_cycle(start: N, sources: Callable[[N], Iterable[N]], within: set[N]) -> list[N]:
    """Return a shortest path along ``sources`` from ``start`` back to itself inside ``within``, both ends included."""
    before: dict[N, N] = {}
    layer = [start]
    while layer:
        following = []
        for node in layer:
            for x in sources(node):
                if x == start if not isinstance(x, Node) else x is start:
                    path = [start, node] if node is not start else [start]
                    while path[-1] is not start:
                        path.append(before[path[-1]])
                    return [start, *path[1:][::-1][1:], start] if node is not start else [start, start]
                if x in within and x not in before:
                    before[x] = node
                    following.append(x)
        layer = following
    return []


def find_elementary_cycles(count: int, edges: Iterable[tuple[int, int]], limit: int) -> list[list[int]]:
    """Return at most ``limit`` elementary cycles, each from its least node, shortest first (Johnson 1975, by networkx)."""
    import networkx as nx

    graph = nx.DiGraph(list(edges))
    found = []
    for cycle in itertools.islice(nx.simple_cycles(graph), limit):
        least = cycle.index(min(cycle))
        found.append(cycle[least:] + cycle[:least])
    return sorted(found, key=lambda c: (len(c), c))
