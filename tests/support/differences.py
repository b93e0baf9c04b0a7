"""Central differences: what judges the unrolled graph, which judges all other runners."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_seq as ag


def check_along_a_direction(case: Any, graph: ag.Graph, wrt: list[ag.Node], seed: int) -> None:
    """Compare the gradient of a random program along a random direction with two differences, extrapolated."""
    dag = graph.unroll(**{a.name: case.sizes[a.name] for a in graph.axes if a.name in case.sizes})
    feeds, rng = case.fed(graph), np.random.default_rng(seed)
    way = {x.name: rng.normal(size=feeds[x.name].shape) for x in wrt}
    parts = [np.sum(g * way[x.name]) for g, x in zip(dag.grad(wrt).evaluate(**feeds), wrt, strict=True)]

    def along(h: float) -> float:
        return float(dag.evaluate(**{name: v + h * way[name] if name in way else v for name, v in feeds.items()})[0])

    slopes = [(along(h) - along(-h)) / (2 * h) for h in (1e-5, 2e-5)]
    assert abs(sum(parts) - (4 * slopes[0] - slopes[1]) / 3) <= 1e-8 * max(1.0, *np.abs(parts))
