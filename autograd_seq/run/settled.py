"""Equilibria that have not settled: the check of what a program returns, and the error that says which, where and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.errors import EquilibriumError
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import get_sources, postorder
from autograd_seq.ops.equilibrium import make_unsettled_error, name_equilibrium
from autograd_seq.plan.equilibria import lower_equilibria

Write = Callable[[Graph, Sequence[Sequence[Any]]], tuple[Any, Sequence[str]]]
"""Writes a graph, whose outputs have some layouts, as a program: returns its factory, and the names of its feeds."""


class NotSettled(Exception):
    """An equilibrium has not settled; who calls the program says which, and where."""


def check_settled(run: Callable[..., Any], outputs: int, into: bool) -> Callable[..., Any]:
    """Return a function of the feeds that refuses values at which an equilibrium has not settled.

    Args:
        run: returns the outputs and the number of points that have not settled, or writes them into arrays that it is given.
        outputs: how many outputs there are.
        into: whether it writes them.

    Raises:
        NotSettled: there are such points.
    """
    left = np.zeros((), np.int64)

    def run_checked(*arrays: Any) -> Any:
        out = run(*arrays)
        if out[outputs]:
            raise NotSettled
        return out[:outputs]

    def run_into(*arrays: Any) -> Any:
        run(*arrays, left)
        if left:
            raise NotSettled

    return run_into if into else run_checked


def explain_unsettled(graph: Graph, write: Write, arrays: Mapping[str, Any], workspace: Sequence[Any]) -> EquilibriumError:
    """Return the error about a call in which an equilibrium has not settled: the call is made again, and its residuals kept.

    Args:
        graph: the equations.
        write: writes them as a program.
        arrays: the feeds of the call.
        workspace: the lengths of the graph's axes, and the width of floats.
    """
    lowered = lower_equilibria(graph, explain=True)
    assert lowered is not None, "the call has counted its equilibria"
    outputs = [n for some in lowered.iterated for n in (some.going, some.moved) if n is not None]
    layouts = [tuple(a for a in graph.axes if a in n.axes) for n in outputs]
    asked = Graph(outputs)
    asked.axes = (*graph.axes, *(a for a in asked.axes if a not in graph.axes))
    make, feeds = write(asked, layouts)
    found = make(*workspace)(*[arrays[name] for name in feeds])
    places = [(some, axes, tuple(np.argwhere(going)[0]), moved) for some, axes, going, moved
              in zip(lowered.iterated, layouts[::2], found[::2], found[1::2], strict=True) if going.any()]  # fmt: skip
    if not places:  # it has settled this time, being written in another way
        node = lowered.iterated[-1].nodes[0]
        return make_unsettled_error(name_equilibrium(node), node, node.attrs["max_steps"], 0.0, 1.0, {})
    ends = [some.nodes[0] for some, *_ in places]

    def rank(place: tuple[Any, ...]) -> tuple[bool, bool, int]:
        """Put first what has failed by itself, not a gradient: NaN may come from others, as may anything that reads them."""
        some, _, at, moved = place
        read = set(postorder([some.nodes[0]], get_sources))
        return some.nodes[0].name is None, np.isnan(moved[at][0]), sum(end in read for end in ends)

    some, axes, at, moved = min(places, key=rank)
    now, before = moved[at]
    node = some.nodes[0]
    return make_unsettled_error(
        name_equilibrium(node), node, max(n.attrs["max_steps"] for n in some.nodes), float(now),
        float(now / before) if before else np.inf, {a.name: int(i) for a, i in zip(axes, at, strict=True)},
    )  # fmt: skip


__all__ = ["NotSettled", "check_settled", "explain_unsettled"]
