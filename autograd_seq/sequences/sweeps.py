"""Equations over a long axis as sweeps: passes over the pieces of the axis, forward and backward, one after the other.

Within a piece everything can be computed from three things: the feeds of its steps; the *rows* that its shifts read outside of
it, which the neighbouring piece leaves; and the *totals* (reductions over all steps, picked steps) that it reads. Rows of the
steps before come from a sweep that goes forward, rows of the steps after from one that goes backward, and a total is known
after the sweep that computes what it reduces. So each value has a *level*, the first sweep in which it can be computed: even
sweeps go forward, odd ones backward. A loss with its gradients has a forward sweep, the states, and a backward one, their
adjoints, in which the states of a piece are computed again. That is checkpointing (Griewank 1992), read off the equations:
a bidirectional network, a softmax over time, or a second derivative need more sweeps, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError
from autograd_seq.core.node import Node
from autograd_seq.graph.order import find_dependents, get_rows, get_sources, list_components, names_axis, postorder
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import max_over, sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import AT, INDEX, SHIFT, SIZE, SPREAD
from autograd_seq.sequences.pieces import get_source

REDUCTIONS = ("sum", "max", "logsumexp", "level")
"""The kinds of reductions whose totals of pieces come to that of all steps."""


@dataclass(frozen=True, eq=False)
class Border:
    """The rows of a value that a piece reads outside of its steps, on one side, in time order.

    Attributes:
        source: the value.
        zeros: whether zeros stand outside of the sequence although the value has rows.
        side: ``"init"`` for rows before the piece, ``"final"`` for those after it.
        rows: their number, the longest delay.
        axes: what one row varies over.
        level: the sweep that leaves them, the first whose direction they are read in; −1 if the value is fed, and its rows are
            there from the start.
        outside: the rows outside of the whole sequence; ``None`` for zeros.
    """

    source: Node
    zeros: bool
    side: str
    rows: int
    axes: tuple[Axis, ...]
    level: int
    outside: tuple[Node, ...] | None


class Total(NamedTuple):
    """A reduction over all steps, or a picked step.

    Attributes:
        node: of the graph.
        how: how those of pieces come to it: one of ``REDUCTIONS``, ``"first"`` or ``"last"`` for that of the first or last
            piece, or ``"ties"``: the number of steps that have the maximum.
        of: the value that is reduced.
        level: the first sweep that can compute it.
        early: whether the steps of a later sweep read it.
    """

    node: Node
    how: str
    of: Node
    level: int
    early: bool


class Sweep(NamedTuple):
    """One pass over all pieces.

    Attributes:
        level: its number, from which its direction follows.
        borders: the rows that it leaves, for its own next piece and for later sweeps.
        totals: what it reduces.
        series: the outputs over the axis that it computes.
    """

    level: int
    borders: list[Border]
    totals: list[Total]
    series: list[Node]

    @property
    def forward(self) -> bool:
        """Whether it goes from the first piece to the last, as one that leaves no rows does as well."""
        return self.level % 2 == 0 or not self.borders

    @property
    def roots(self) -> list[Node]:
        """The values of a piece that it computes."""
        return [*(s.source for s in self.borders), *(t.of for t in self.totals), *self.series]


class Sweeps:
    """Equations as sweeps along an axis.

    Args:
        graph: the equations.
        axis: the axis.

    Attributes:
        borders: all rows that are read outside of a piece, by the shift that reads them.
        totals: by node.
        ties: by the comparison of a value with its maximum over the steps, that maximum.
        sweeps: in order.

    Raises:
        CarryError: something reads all steps otherwise than by a reduction, a recurrence looks both ways, or runs through a
            reduction.
    """

    def __init__(self, graph: System, axis: Axis) -> None:
        self.graph, self.axis = graph, axis
        self._check_reads()
        self.ties, counts = self._find_ties()
        level = self._find_levels(counts)
        self.borders = self._list_borders(level)
        self.totals = {n: self._make_total(n, level, counts) for n in graph.nodes if self._reduces(n)}
        self.longest = max([s.rows for s in self.borders.values()], default=1)
        self.sweeps = self._assign(level)

    # -- what can be computed when ------------------------------------------------------------------------------------

    def _reduces(self, n: Node) -> bool:
        """Tell whether a node makes one value of those of all steps."""
        return (n.op.reduces_axes and self.axis in n.attrs["axes"]) or (n.op is AT and n.attrs["axis"] is self.axis)

    def _moves(self, n: Node) -> bool:
        return n.op is SHIFT and n.attrs["axis"] is self.axis

    def _check_reads(self) -> None:
        """Refuse what reads steps otherwise than by shifts, reductions and picked steps."""
        for n in self.graph.nodes:
            reduces = self._reduces(n) and (n.op is AT or n.op.reduces in REDUCTIONS)
            over = n.inputs and all(self.axis in x.axes for x in n.inputs)
            known = n.op in (SHIFT, INDEX, SIZE, SPREAD, DRAW, STATE) or (reduces and over)
            if not known and names_axis(n, self.axis):
                raise CarryError(
                    "K130", f"{self.graph.name(n)} reads all steps of {self.axis}, and cannot be computed in pieces",
                    node=self.graph.name(n), where=n.where or (n.inputs[0].where if n.inputs else None),
                    expected=f"shifts along {self.axis}, sums, means, maxima, picked steps",
                    got=f"{n.op.name} along {self.axis}",
                    fix=["leave memory= out", "over= another axis, along which nothing reads all steps"],
                )  # fmt: skip

    def _find_levels(self, counts: dict[Node, Node]) -> dict[Node, int]:
        """Return the level of each node: of a total, the sweep from which on it is known."""
        parts = list_components(self.graph.nodes)
        part_of = {n: i for i, part in enumerate(parts) for n in part}
        level: dict[Node, int] = {}

        def before(i: int) -> list[int]:
            reads = dict.fromkeys(part_of[x] for n in parts[i] for x in self._needs(n, counts))
            return [j for j in reads if j != i]

        for i in postorder(range(len(parts)), before):
            part = parts[i]
            least = max([level[x] for n in part for x in self._needs(n, counts) if part_of[x] != i], default=0)
            moves = [n for n in part if self._moves(n) and not _is_fed(n.inputs[0])]
            self._check_cycle(part, moves)
            if moves and least % 2 != (moves[0].attrs["by"] < 0):
                least += 1
            level.update({n: least + (n in counts or self._reduces(n)) for n in part})
        return level

    def _needs(self, n: Node, counts: dict[Node, Node]) -> Sequence[Node]:
        """Return what a node reads; the number of ties is found with the maximum, and not after it."""
        return counts[n].inputs if n in counts else get_sources(n)

    def _check_cycle(self, part: Sequence[Node], moves: Sequence[Node]) -> None:
        """Refuse a recurrence that looks both ways, or that runs through a reduction over the steps."""
        both = {n.attrs["by"] > 0 for n in moves}
        still = [n for n in part if self.axis not in n.axes]
        if len(both) > 1 or (still and len(still) < len(part)):
            named = next((n for n in (still or part) if n.name), (still or part)[0])
            why = f"reads all steps of {self.axis}" if still else f"reads both earlier and later steps of {self.axis}"
            raise CarryError(
                "K131", f"a recurrence through {self.graph.name(named)} {why}, and cannot be computed in pieces",
                node=self.graph.name(named), where=named.where, expected=f"a recurrence that goes one way along {self.axis}",
                got=self.graph.name(named), fix=["leave memory= out", "over= another axis, along which it goes one way"],
            )  # fmt: skip

    # -- rows and totals ----------------------------------------------------------------------------------------------

    def _list_borders(self, level: dict[Node, int]) -> dict[Node, Border]:
        """Return for each shift along the axis the rows that it reads outside of a piece."""
        found: dict[tuple[Node, bool, str], list[Node]] = {}
        for n in self.graph.nodes:
            if self._moves(n):
                side = "init" if n.attrs["by"] > 0 else "final"
                found.setdefault((*get_source(n), side), []).append(n)
        borders = {}
        for (x, zeros, side), shifts in found.items():
            rows = max(abs(n.attrs["by"]) for n in shifts)
            axes = tuple(a for a in self.graph.axes if a in x.axes and a is not self.axis)
            bound, given = (None, ()) if zeros else get_rows(x, self.axis, side)
            outside: tuple[Node, ...] | None = None
            if bound is not None:
                outside = given * rows if bound.rows is None else given[-rows:] if side == "init" else given[:rows]
            made = Border(x, zeros, side, rows, axes, -1 if _is_fed(x) else level[shifts[0]], outside)
            borders.update(dict.fromkeys(shifts, made))
        return borders

    def _find_ties(self) -> tuple[dict[Node, Node], dict[Node, Node]]:
        """Return the comparisons of a value with its maximum over the steps, and the numbers of ties, each with the maximum.

        A piece is computed again by another program than before, whose values may differ in the last bit. So whether a step
        has the maximum is decided within its piece, and the ties are counted where the maximum is taken.
        """
        ties = {n: r for n in self.graph.nodes if n.op is equal for x, r in (n.inputs, n.inputs[::-1])
                if r.op is max_over and self._reduces(r) and len(r.inputs) == 1 and _is_masked(r.inputs[0], x)}  # fmt: skip
        counts = {}
        for n in [n for n in self.graph.nodes if n.op is sum_over and len(n.inputs) == 1]:
            x = n.inputs[0]
            ones = (
                x.inputs[1] if x.op is where and x.inputs[1].op is where else x
            )  # within a mask, of sequences of their own lengths
            r = ties.get(ones.inputs[0]) if ones.op is where else None
            if r is None or n.attrs["axes"] != r.attrs["axes"] or [_get_number(v) for v in ones.inputs[1:]] != [1.0, 0.0]:
                continue
            top, alone = r.inputs[0], any(r.inputs[0] is y for y in ones.inputs[0].inputs)
            if (ones is x) if alone else (ones is not x and x.inputs[0] is top.inputs[0] and _get_number(x.inputs[2]) == 0.0):
                counts[n] = r
        return ties, counts

    def _make_total(self, n: Node, level: dict[Node, int], counts: dict[Node, Node]) -> Total:
        how = "ties" if n in counts else str(n.op.reduces) if n.op is not AT else "sum"
        if n.op is AT and n.attrs["index"] in (0, -1):
            how = "first" if n.attrs["index"] == 0 else "last"
        early = any(self.axis in m.axes for m in find_dependents(self.graph.nodes, [n]))
        return Total(n, how, counts[n].inputs[0] if n in counts else n.inputs[0], level[n] - 1, early)

    # -- which sweep computes what ------------------------------------------------------------------------------------

    def walk(self, roots: Iterable[Node]) -> list[Node]:
        """Return the nodes over the axis that must be computed within a piece for some others, through shifts."""
        return postorder([n for n in roots if self.axis in n.axes], lambda n: [x for x in n.inputs if self.axis in x.axes])

    def _assign(self, level: dict[Node, int]) -> list[Sweep]:
        """Return the sweeps; what may be computed late is, where what it needs is computed again anyway."""
        sweeps: dict[int, Sweep] = {}

        def get_sweep(i: int) -> Sweep:
            return sweeps.setdefault(i, Sweep(i, [], [], []))

        for border in dict.fromkeys(self.borders.values()):
            if border.level >= 0:
                get_sweep(border.level).borders.append(border)
        for total in self.totals.values():
            if total.early:
                get_sweep(total.level).totals.append(total)
        loops = {i: self.list_loops(s.roots) for i, s in sweeps.items()}

        def find_late(x: Node, least: int) -> int:
            mine = self.list_loops([x])
            return max([i for i, known in loops.items() if i >= least and mine <= known], default=least)

        for total in self.totals.values():
            if not total.early:
                get_sweep(find_late(total.of, total.level)).totals.append(total)
        for x in dict.fromkeys(o for o in self.graph.outputs if self.axis in o.axes):
            get_sweep(find_late(x, level[x])).series.append(x)
        return [sweeps[i] for i in sorted(sweeps)]

    def list_kept(self) -> list[Border]:
        """Return the borders whose rows a later sweep reads."""
        read = [self.list_loops(s.roots) for s in self.sweeps]
        return [s for k, sweep in enumerate(self.sweeps) for s in sweep.borders if any(s in later for later in read[k + 1 :])]

    def list_loops(self, roots: Iterable[Node]) -> set[Border]:
        """Return the borders whose rows a piece reads to compute some values, those of the feeds left out."""
        return {self.borders[n] for n in self.walk(roots) if n in self.borders and self.borders[n].level >= 0}


def _is_fed(x: Node) -> bool:
    """Tell whether a value is an input, or one that has been given rows outside of its steps."""
    while x.op is STATE and x.inputs[0].axes == x.axes and x.inputs[0].op in (INPUT, STATE) and x.inputs[0] is not x:
        x = x.inputs[0]
    return x.op is INPUT


def get_fed(x: Node) -> Node:
    """Return the input that a value is."""
    while x.op is STATE:
        x = x.inputs[0]
    return x


def _is_masked(masked: Node, x: Node) -> bool:
    """Tell whether a value is another one, or that one under a mask."""
    return masked is x or (masked.op is where and masked.inputs[1] is x)


def _get_number(x: Node) -> float | None:
    return float(x._value) if x._value is not None and np.ndim(x._value) == 0 else None


__all__ = ["Border", "Sweep", "Sweeps", "Total", "get_fed"]
