"""One call of a program that recomputes: the sweeps over the pieces, and what is passed from piece to piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.kinds import get_dtype
from autograd_seq.core.node import Node
from autograd_seq.graph.system import System, order_axes
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.plan.reversal import Action, Course, list_actions
from autograd_seq.run.program import Program
from autograd_seq.sequences.piecewise import Piece
from autograd_seq.sequences.sweeps import Border, Sweep, Sweeps, Total, get_fed

Rows = list[np.ndarray]


class Between(NamedTuple):
    """What is computed once before a sweep, or after the last.

    Attributes:
        wanted: the values.
        reads: by name of a feed, the value that is known before.
        program: computes them.
    """

    wanted: list[Node]
    reads: dict[str, Node]
    program: Program


class Stage(NamedTuple):
    """A sweep and its programs.

    Attributes:
        sweep: what it computes.
        piece: its graph.
        program: of a piece.
        between: what is computed before it; ``None`` if nothing is.
        kept: the borders whose rows later sweeps read.
        alone: returns the program that computes these rows alone; ``None`` if the sweep computes nothing else.
    """

    sweep: Sweep
    piece: Piece
    program: Program
    between: Between | None
    kept: list[Border]
    alone: Callable[[], Program] | None

    def get_program(self, again: bool) -> Program:
        """Return the program of a piece; ``again`` that of the rows that later sweeps read."""
        return self.alone() if again and self.alone is not None else self.program


class CallLengths(NamedTuple):
    """The lengths of a call.

    Attributes:
        axis: the axis that is cut.
        sizes: the length of each axis.
        piece: the steps of a piece; the last may have fewer.
        slots: how many states between pieces are kept at the same time.
        width: of floats.
    """

    axis: Axis
    sizes: Mapping[Axis, int]
    piece: int
    slots: int
    width: np.dtype

    @property
    def steps(self) -> int:
        """The number of all steps."""
        return self.sizes[self.axis]

    @property
    def pieces(self) -> int:
        """The number of pieces."""
        return -(-self.steps // self.piece)

    def get_dtype(self, n: Node) -> np.dtype:
        """Return the dtype of the array of a value."""
        return get_dtype(n.dtype, self.width)

    def get_span(self, i: int) -> tuple[int, int]:
        """Return the steps of a piece, from the first to that after the last."""
        return i * self.piece, min(self.steps, (i + 1) * self.piece)


class Call:
    """One call.

    Args:
        graph: the equations.
        sweeps: the same as sweeps.
        edges: by border, the rows outside of the whole sequence, as values that vary over all its axes.
        feeds: an array for each input and parameter.
        lengths: the lengths of the axes, and of the pieces.
    """

    def __init__(self, graph: System, sweeps: Sweeps, edges: Mapping[Border, Sequence[Node]],
                 feeds: Mapping[str, np.ndarray], lengths: CallLengths) -> None:  # fmt: skip
        self.graph, self.sweeps, self.edges, self.feeds, self.lengths = graph, sweeps, edges, feeds, lengths
        self.values: dict[Node, np.ndarray] = {}
        self.series: dict[Node, np.ndarray] = {}
        self._kept: dict[Border, Rows] = {}
        self._live: dict[Border, Rows] = {}
        self._of_pieces: dict[Node, list[np.ndarray | None]] = {r: [None] * lengths.pieces for r in sweeps.ties.values()}
        self._base: dict[int, dict[str, Any]] = {}

    # -- what is read -------------------------------------------------------------------------------------------------

    def get_value(self, n: Node) -> np.ndarray:
        """Return the value of a node that does not vary over the steps."""
        if n._value is not None:
            return np.asarray(n._value)
        return self.feeds[str(n.name)] if n.op in (INPUT, PARAM) else self.values[n]

    def _make_base(self, program: Program, reads: Mapping[str, Node], steps: str) -> dict[str, Any]:
        """Return the feeds of a program that are the same for all pieces."""
        inputs, base = program.graph.inputs, {}
        for name, n in inputs.items():
            if name in reads:
                base[name] = self.get_value(reads[name])
            elif name == steps:
                base[name] = np.array(self.lengths.steps)
            elif name in self.feeds and self.lengths.axis not in n.axes:
                base[name] = self.feeds[name]
        return base

    def _run(self, program: Program, fed: Mapping[str, Any], steps: int) -> tuple[Any, ...]:
        """Run a program over some steps; the lengths of axes are known, and the feeds have been checked as a whole."""
        sizes, inputs = {**self.lengths.sizes, self.lengths.axis: steps}, program.graph.inputs
        arrays = [np.asarray(fed[name], self.lengths.get_dtype(inputs[name])) for name in program.feeding.order]
        out: tuple[Any, ...] = program._run(arrays, (*(sizes[a] for a in program.graph.axes), self.lengths.width))
        return out

    def compute_between(self, between: Between | None, steps: str) -> None:
        """Compute what is known before a sweep."""
        if between is not None:
            out = self._run(between.program, self._make_base(between.program, between.reads, steps), self.lengths.steps)
            self.values.update(zip(between.wanted, out, strict=True))

    def _feed_piece(self, stage: Stage, program: Program, i: int) -> dict[str, Any]:
        key = id(program)
        if key not in self._base:
            self._base[key] = self._make_base(program, {v: k for k, v in stage.piece.fixed.items()}, stage.piece.steps)
        fed, (a, b), axis = {**self._base[key]}, self.lengths.get_span(i), self.lengths.axis
        inputs = program.graph.inputs
        for name, n in inputs.items():
            if axis in n.axes:
                place = self.graph.layout(self.graph.inputs[name]).index(axis)
                fed[name] = np.asarray(self.feeds[name][(slice(None),) * place + (slice(a, b),)])
        if stage.piece.before in inputs:
            fed[stage.piece.before] = np.array(a)
        for border, names in stage.piece.rows.items():
            if names[0] in inputs:
                fed.update(zip(names, self._get_rows(border, i), strict=True))
        for r, name in stage.piece.held.items():
            if name in inputs:
                fed[name] = np.asarray(self._of_pieces[r][i] == self.values[r])
        return fed

    def _get_rows(self, border: Border, i: int) -> Rows:
        """Return the rows that a piece reads on one side."""
        boundary = i if border.side == "init" else i + 1
        if border.level < 0:
            return self._slice_rows(border, i)
        if boundary in (0, self.lengths.pieces):
            return self._get_edge(border)
        rows = self._live[border]
        after = self.lengths.steps - boundary * self.lengths.piece
        if border.side == "final" and after < border.rows:  # a last piece shorter than the delay: then come rows outside
            rows = rows[:after] + self._get_edge(border)[: border.rows - after]
        return rows

    def _slice_rows(self, border: Border, i: int) -> Rows:
        """Return the rows of an input that a piece reads: those of the feed, and at the edge those outside of it."""
        x = get_fed(border.source)
        place = self.graph.layout(x).index(self.lengths.axis)
        steps = np.moveaxis(self.feeds[self.graph.name(x)], place, 0)
        have = [a for a in self.graph.layout(x) if a is not self.lengths.axis]
        a, b = self.lengths.get_span(i)
        places = range(a - border.rows, a) if border.side == "init" else range(b, b + border.rows)
        edge = self._get_edge(border) if places[0] < 0 or places[-1] >= len(steps) else []
        rows = []
        for s in places:
            if 0 <= s < len(steps):
                rows.append(np.array(order_axes(np.asarray(steps[s]), have, border.axes), self.lengths.get_dtype(x)))
            else:
                rows.append(edge[s if s < 0 else s - len(steps)])
        return rows

    def _get_edge(self, border: Border) -> Rows:
        """Return the rows outside of the whole sequence."""
        shape = (*(self.lengths.sizes[a] for a in border.axes), *border.source.shape)
        kind = self.lengths.get_dtype(border.source)
        if border.outside is None:
            return [np.zeros(shape, kind) for _ in range(border.rows)]
        return [np.array(np.broadcast_to(self.get_value(n), shape), kind) for n in self.edges[border]]

    # -- what is left -------------------------------------------------------------------------------------------------

    def run_piece(self, stage: Stage, i: int, again: bool = False) -> None:
        """Run a piece in a sweep, and keep what it leaves; ``again`` for the rows alone that later sweeps read."""
        program = stage.get_program(again)
        a, b = self.lengths.get_span(i)
        out = iter(self._run(program, self._feed_piece(stage, program, i), b - a))
        ends = i == (self.lengths.pieces - 1 if stage.sweep.forward else 0)  # then no piece reads its rows, but those before it
        for border in stage.kept if again else stage.sweep.borders:
            rows = [next(out) for _ in range(border.rows)]
            self._live[border] = self._live.get(border, rows) if ends else rows
        if again:
            return
        self._add_totals(stage.sweep.totals, i, [np.asarray(next(out)) for _ in stage.sweep.totals])
        for n in stage.sweep.series:
            place = self.graph.layout(n).index(self.lengths.axis)
            if n not in self.series:
                shape = (*(self.lengths.sizes[x] for x in self.graph.layout(n)), *n.shape)
                self.series[n] = np.empty(shape, self.lengths.get_dtype(n))
            self.series[n][(slice(None),) * place + (slice(a, b),)] = next(out)

    def _keep(self, border: Border, place: int) -> None:
        rows = self._live[border]
        if border not in self._kept:
            count = min(self.lengths.slots, self.lengths.pieces - 1)
            self._kept[border] = [np.empty((count, *np.shape(r)), r.dtype) for r in rows]
        for kept, row in zip(self._kept[border], rows, strict=True):
            kept[place] = row

    def _add_totals(self, totals: Sequence[Total], i: int, parts: Sequence[np.ndarray]) -> None:
        """Add what a piece contributes to totals; ties are counted before their maximum moves on."""
        found = dict(zip([t.node for t in totals], parts, strict=True))
        for total in sorted(totals, key=lambda t: t.how != "ties"):
            n, part = total.node, found[total.node]
            have = self.values.get(n)
            if n in self._of_pieces:
                self._of_pieces[n][i] = np.array(part)
            if total.how in ("first", "last"):
                if i == (0 if total.how == "first" else self.lengths.pieces - 1):
                    self.values[n] = part
            elif have is None:
                wide = total.how == "sum" and part.dtype.kind in "fc"  # contiguous: NumPy buffers what it adds up otherwise
                self.values[n] = np.array(part, np.result_type(part.dtype, np.float64), order="C") if wide else part
            elif total.how == "sum":
                self.values[n] = np.add(have, part, out=have if have.ndim else None)
            elif total.how == "ties":
                r = next(r for r in self.sweeps.ties.values() if r.inputs[0] is total.of and r in found)
                top, new = self.values[r], found[r]
                self.values[n] = np.where(new > top, part, np.where(new == top, have + part, have))
            else:
                join = np.logaddexp if total.how == "logsumexp" else np.maximum
                self.values[n] = np.asarray(join(have, part))

    # -- sweeps -------------------------------------------------------------------------------------------------------

    def run(self, stages: Sequence[Stage], order: Sequence[Course], after: Between | None, steps: str) -> None:
        """Run all sweeps."""
        begun = -1
        for action in list_actions(order, self.lengths.pieces, self.lengths.slots):
            if action.what == "run" and action.sweep > begun:
                self._close(stages, begun)
                begun = action.sweep
                self.compute_between(stages[begun].between, steps)
            self._do(stages[action.sweep], action)
        self._close(stages, begun)
        self.compute_between(after, steps)

    def _do(self, stage: Stage, action: Action) -> None:
        if action.what == "keep":
            for border in stage.kept:
                self._keep(border, action.number)
        elif action.what == "return":
            self._live.update({s: [kept[action.number, ...] for kept in self._kept[s]] for s in stage.kept})
        else:
            self.run_piece(stage, action.number, action.what == "again")

    def _close(self, stages: Sequence[Stage], k: int) -> None:
        """Give the totals of a sweep their width, once all pieces have contributed."""
        for total in stages[k].sweep.totals if k >= 0 else ():
            n, value = total.node, self.values[total.node]
            if total.how == "level":
                value = np.where(np.isfinite(value), value, 0)
            self.values[n] = np.asarray(value, self.lengths.get_dtype(n))


__all__ = ["Between", "Call", "CallLengths", "Stage"]
