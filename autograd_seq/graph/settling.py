"""How the nodes of a DAG are evaluated: in order, and round again where they close an equilibrium, until it has settled.

This is what an equilibrium means: nothing in here is shared with compiled programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.node import Node
from autograd_seq.graph.order import postorder, same_step, sort_components
from autograd_seq.ops.equilibrium import ROUNDING
from autograd_seq.ops.state import EQUILIBRIUM

Values = list[Any]
"""By slot, the value of a node."""


class UnsettledError(Exception):
    """Equilibria have not settled: one of them, the number of iterations, the residual, and by what factor it has shrunk."""


class Call(NamedTuple):
    """The evaluation of one node: its forward on the values of some slots."""

    slot: int
    forward: Any
    slots: Sequence[int]
    attrs: dict[str, Any]
    kind: type | None

    def run(self, values: Values, kinds: dict[type, Any], strict: bool = True) -> None:
        """Evaluate the node."""
        out = self.forward(*[values[k] for k in self.slots], **self.attrs)
        values[self.slot] = out if self.kind is None else np.asarray(out).astype(kinds[self.kind], copy=False)


class Round(NamedTuple):
    """Equilibria that depend on each other: their equations are evaluated again and again until all have settled.

    Attributes:
        nodes: the equilibria.
        slots: their slots, and those of their equations.
        starts: the slots of where they start; ``None`` for zeros.
        calls: their equations.
    """

    nodes: Sequence[Node]
    slots: Sequence[tuple[int, int]]
    starts: Sequence[int | None]
    calls: Sequence[Call]

    def run(self, values: Values, kinds: dict[type, Any], strict: bool = True) -> None:
        """Iterate until all have settled.

        Raises:
            UnsettledError: they have not after the largest number of iterations, and that is to be an error.
        """
        width = kinds[float]
        for n, (z, _), start in zip(self.nodes, self.slots, self.starts, strict=True):
            values[z] = np.zeros(n.shape, width) if start is None else np.asarray(values[start], width)
        steps = max(n.attrs["max_steps"] for n in self.nodes)
        moved = [np.inf, np.inf]
        for _ in range(steps):
            for call in self.calls:
                call.run(values, kinds)
            gaps, settled = self._measure(values)
            moved = [moved[1], float(max(gaps))]
            if settled:
                return
            for n, (z, f) in zip(self.nodes, self.slots, strict=True):
                d = n.attrs["damping"]
                values[z] = values[f] if d == 0 else d * values[z] + (1 - d) * values[f]
        if not strict:
            return
        worst = self.nodes[int(np.nanargmax(gaps)) if not np.all(np.isnan(gaps)) else 0]
        raise UnsettledError(worst, steps, moved[1], moved[1] / moved[0] if moved[0] else np.inf)

    def _measure(self, values: Values) -> tuple[list[float], bool]:
        """Return how far each equation moves its equilibrium, and whether all are within their tolerances.

        Of complex numbers the imaginary part, a derivative by a complex step, must have settled in proportion to its own size.
        """
        moved = [(values[f] - values[z], values[f]) for z, f in self.slots]
        gaps = [np.max(np.abs(gap), initial=0) for gap, _ in moved]
        if not any(np.iscomplexobj(x) for _, x in moved):
            return gaps, self._fits(moved, 1.0)
        parts = [[(part(gap), part(x)) for gap, x in moved] for part in (np.real, np.imag)]
        return gaps, self._fits(parts[0], 1.0) and self._fits(parts[1], 0.0)

    def _fits(self, moved: Sequence[tuple[Any, Any]], least: float) -> bool:
        """Tell whether all are within their tolerances; points of one equation are measured together, by their sum."""
        gaps = np.array([np.max(np.abs(gap), initial=0) for gap, _ in moved])
        sizes = np.array([np.max(np.abs(x), initial=0) for _, x in moved])
        same: dict[int, list[int]] = {}
        for k, n in enumerate(self.nodes):  # instances of one folded node share their attributes
            same.setdefault(id(n.attrs), []).append(k)
        settled = True
        for ks in same.values():
            attrs = self.nodes[ks[0]].attrs
            size = np.maximum(np.sum(sizes[ks] if attrs["floor"] else sizes), sizes.dtype.type(attrs["floor"] * least))
            settled = settled and bool(np.sum(gaps[ks]) <= np.maximum(attrs["tol"] * size, ROUNDING * np.spacing(size)))
        return settled


def _pass_on(x: Any) -> Any:
    return x


def list_calls(order: Sequence[Node], slot: dict[Node, int], leaves: Sequence[Node]) -> list[Call | Round]:
    """Return the calls that evaluate nodes, each after those of its inputs; equilibria that are cyclic in rounds.

    Args:
        order: all nodes.
        slot: the slot of each.
        leaves: those that have values already.
    """
    skipped = set(leaves)
    if not any(n.op is EQUILIBRIUM for n in order):
        return [_make_call(n, slot) for n in order if n not in skipped]
    parts = sort_components(order, lambda n: () if n in skipped else n.inputs)
    return [
        _make_round(part, slot) if len(part) > 1 or any(x is part[0] for x in part[0].inputs) else _make_call(part[0], slot)
        for part in parts if part[0] not in skipped
    ]  # fmt: skip


def _make_round(part: Sequence[Node], slot: dict[Node, int]) -> Round:
    within = set(part)
    nodes = [n for n in part if n.op is EQUILIBRIUM]
    inner = postorder(part, lambda n: [x for x in same_step(n) if x in within])
    return Round(
        nodes, [(slot[n], slot[n.inputs[0]]) for n in nodes], [slot[n.inputs[1]] if n.inputs[1:] else None for n in nodes],
        [_make_call(n, slot) for n in inner if n.op is not EQUILIBRIUM],
    )  # fmt: skip


def _make_call(n: Node, slot: dict[Node, int]) -> Call:
    if n.op is EQUILIBRIUM:  # whose equation does not read it
        return Call(slot[n], _pass_on, [slot[n.inputs[0]]], {}, None)
    kind = n.dtype if n.op.own or (n.dtype is float and any(x.dtype is not float for x in n.inputs)) else None
    return Call(slot[n], n.op.forward, [slot[x] for x in n.inputs], n.attrs, kind)


__all__ = ["Call", "Round", "UnsettledError", "list_calls"]
