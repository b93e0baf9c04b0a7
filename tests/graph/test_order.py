"""Orders and components, against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np

from autograd_seq.graph.order import find_components


def test_components_are_those_of_networkx():
    rng = np.random.default_rng(0)
    for _ in range(300):
        count = int(rng.integers(1, 14))
        edges = [(int(a), int(b)) for a, b in rng.integers(count, size=(rng.integers(2 * count), 2))]
        graph = nx.DiGraph(edges)
        graph.add_nodes_from(range(count))
        assert find_components(count, edges) == sorted(sorted(c) for c in nx.strongly_connected_components(graph))


def test_long_chains_and_long_cycles_take_linear_time_and_no_stack():
    """Each of 100,000 components would search all that is open before it, were that not so."""
    n = 100_000
    chain = [(i, i + 1) for i in range(n - 1)]
    assert find_components(n, [*chain, (n - 1, 0)]) == [[*range(n)]]
    assert find_components(n, [*chain, *((i + 1, i) for i in range(0, n - 1, 2))]) == [[i, i + 1] for i in range(0, n, 2)]
