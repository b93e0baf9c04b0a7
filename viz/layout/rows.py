"""The row of each node of one acyclic step, so that its edges lead upwards and are short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Key = Any
Edge = tuple[Key, Key]

# Rows of least total length are found for pictures up to this size; it takes more than linear time.
_MOST_SHORTENED = 150


def assign_rows(keys: Sequence[Key], edges: Sequence[Edge], least: Mapping[Edge, int] | None = None) -> dict[Key, int]:
    """Return a row for each node, every edge leading upwards; a source stands right below its first reader.

    Args:
        keys: the nodes.
        edges: (tail, head).
        least: how many rows an edge passes at least; 1 for those that are not named.

    Raises:
        ValueError: the edges close a cycle.

    Example:
        >>> assign_rows("xlyL", [("x", "y"), ("y", "L"), ("l", "L")])
        {'x': 0, 'l': 1, 'y': 1, 'L': 2}
    """
    least = least or {}
    heads: dict[Key, list[Key]] = {key: [] for key in keys}
    waiting = dict.fromkeys(keys, 0)
    for tail, head in edges:
        heads[tail].append(head)
        waiting[head] += 1
    incoming = dict(waiting)
    row = dict.fromkeys(keys, 0)
    order = [key for key in keys if not waiting[key]]
    for key in order:  # grows while it is read
        for head in heads[key]:
            row[head] = max(row[head], row[key] + least.get((key, head), 1))
            waiting[head] -= 1
            if not waiting[head]:
                order.append(head)
    if len(order) < len(keys):
        raise ValueError("the edges of one step close a cycle")
    if len(keys) <= _MOST_SHORTENED:
        return _shorten_edges(keys, edges, least)
    for key in reversed(order):
        # Moving a node towards its readers shortens the picture if it has more of them than it reads; what it reads may follow.
        if heads[key] and len(heads[key]) >= incoming[key]:
            row[key] = min(row[head] - least.get((key, head), 1) for head in heads[key])
    return row


def _shorten_edges(keys: Sequence[Key], edges: Sequence[Edge], least: Mapping[Edge, int]) -> dict[Key, int]:
    """Return the rows of least total length of edges (Gansner et al. 1993, section 2): the dual of a flow of least cost.

    An edge that carries flow is as short as it may be in an optimum; the rows are longest paths under these constraints.
    """
    import networkx as nx

    number = {key: i for i, key in enumerate(keys)}
    spans = [(number[tail], number[head], least.get((tail, head), 1)) for tail, head in dict.fromkeys(edges)]
    if not spans:
        return dict.fromkeys(keys, 0)
    flows = nx.DiGraph()
    flows.add_nodes_from(range(len(keys)), demand=0)
    for tail, head, span in spans:
        flows.add_edge(tail, head, weight=-span)
        flows.nodes[tail]["demand"] -= 1
        flows.nodes[head]["demand"] += 1
    _, flow = nx.network_simplex(flows)
    bounds = spans + [(head, tail, -span) for tail, head, span in spans if flow[tail][head]]
    row = [0] * len(keys)
    changed = True
    while changed:
        changed = False
        for lower, upper, span in bounds:
            if row[upper] < row[lower] + span:
                row[upper], changed = row[lower] + span, True
    return {key: row[number[key]] for key in keys}
