"""Programs that recompute instead of storing: memory that grows with √T, or as given, instead of T (checkpointing)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.node import Node
from autograd_seq.emit.program_text import Emitted
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.memory import format_short
from autograd_seq.graph.system import order_axes
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.time import SHIFT, spread
from autograd_seq.plan.cost import Cost, count_flops
from autograd_seq.plan.reversal import Course, list_actions
from autograd_seq.plan.schedule import Loop, schedule
from autograd_seq.run.feeding import FeedReader
from autograd_seq.run.limits import Limits
from autograd_seq.run.padded import LengthsCall
from autograd_seq.run.program import Program
from autograd_seq.run.reports import CompiledAgain, ProgramReports
from autograd_seq.run.sweeping import Between, Call, CallLengths, Stage
from autograd_seq.run.weighing import count_call_bytes
from autograd_seq.sequences.lengths import Over
from autograd_seq.sequences.padding import Ragged
from autograd_seq.sequences.piecewise import Piece, PieceWriter
from autograd_seq.sequences.sweeps import Border, Sweep, Sweeps


class Recomputation(NamedTuple):
    """How a call recomputes. It prints.

    Attributes:
        steps: of the axis that is cut.
        piece: steps of a piece; 1 piece is the program that stores.
        pieces: their number.
        slots: how many states between pieces are kept at the same time, beside the start.
        forward: how many pieces run forward, without those that are run again to be differentiated.
        bytes: the most that a call holds at once, without the feeds.
    """

    steps: int
    piece: int
    pieces: int
    slots: int
    forward: int
    bytes: int

    def __str__(self) -> str:
        if self.pieces <= 1:
            return f"{self.steps} steps in one piece, stored: {format_short(self.bytes)}B"
        return (f"{self.steps} steps in {self.pieces} pieces of {self.piece}, {self.slots} states kept between them, "
                f"{self.forward} pieces run forward: {format_short(self.bytes)}B")  # fmt: skip


class RecomputedProgram(LengthsCall, CompiledAgain, ProgramReports):
    """A compiled graph that runs in pieces of an axis and recomputes. Made by :func:`compile` with ``memory=``.

    Attributes:
        graph: the equations.
        axis: the axis that is cut into pieces.
        limits: how much memory it may use.
        whole: the program that stores, which runs where one piece is enough.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
        >>> h[t] = ag.tanh(w * h[t - 1] + x[t])
        >>> step = ag.value_and_grad(ag.sum(h, over=t), memory="sqrt", backend="numpy")
        >>> loss, grads = step(w=0.5, x=np.ones(100))
        >>> plan = step.explain(t=10_000)
        >>> plan.piece, plan.pieces, plan.slots
        (100, 100, 99)
    """

    def __init__(self, graph: Graph, axis: Axis, limits: Limits, dtype: Any, passes: Iterable[str] | None,
                 layouts: Sequence[Sequence[Axis]], backend: str) -> None:  # fmt: skip
        self.graph, self.axis, self.limits, self.backend = graph, axis, limits, backend
        self.dtype = None if dtype is None else feeds.as_float_width(dtype)
        self._passes, self._layouts = passes, layouts
        self._reader = FeedReader(graph, self.dtype)
        self.padded: dict[Over, RecomputedProgram] = {}
        self._equations = spell_out_windows(graph)
        self.sweeps = Sweeps(self._equations, axis)
        self._writer = PieceWriter(self.sweeps)
        self._plans: dict[tuple[Any, ...], Recomputation] = {}
        self._made: dict[np.dtype, tuple[list[Stage], Between | None]] = {}
        self._edges = {
            s: tuple(spread(n, s.axes) for n in s.outside or ()) for s in dict.fromkeys(self.sweeps.borders.values())
        }

    @cached_property
    def whole(self) -> Program:
        return Program(self.graph, self.dtype, self._passes, self._layouts, self.backend)

    # -- programs -----------------------------------------------------------------------------------------------------

    def _compile(self, outputs: list[Node], layouts: Sequence[Sequence[Axis]], width: np.dtype, plain: bool = False) -> Program:
        graph = Graph(outputs)
        backend = "numpy" if plain and not any(isinstance(item, Loop) for item in schedule(graph.nodes)) else self.backend
        made = Program(graph, width, self._passes, layouts, backend)
        made.workspaces.kept = 0  # the last piece may be shorter: its workspace takes the place of that of the others
        return made

    def _make_stages(self, width: np.dtype) -> tuple[list[Stage], Between | None]:
        """Return the programs of all sweeps for a width of floats, and what is computed after them, compiled once."""
        if width in self._made:
            return self._made[width]
        known: dict[Node, str] = {}
        stages = []
        for sweep in self.sweeps.sweeps:
            piece = self._writer.write(sweep)
            edges = [n for border in piece.rows for n in self._edges[border]]
            between = self._make_between([*piece.fixed, *edges], known, width)
            program = self._compile_sweep(sweep, piece, width)
            rows = sweep._replace(borders=[border for border in sweep.borders if border in self._stored], totals=[], series=[])
            alone = cache(partial(self._compile_sweep, rows, None, width)) if rows != sweep else None
            stages.append(Stage(sweep, piece, program, between, rows.borders, alone))
            known |= {total.node: str(self._writer.feed(total.node).name) for total in sweep.totals}
        after = self._make_between([o for o in self._equations.outputs if self.axis not in o.axes], known, width)
        self._made[width] = stages, after
        return self._made[width]

    def _compile_sweep(self, sweep: Sweep, piece: Piece | None, width: np.dtype) -> Program:
        """Return the program of a piece in a sweep."""
        layout = self._equations.layout
        laid = [border.axes for border in sweep.borders for _ in range(border.rows)]
        laid += [*(layout(total.node) for total in sweep.totals), *map(layout, sweep.series)]
        return self._compile((piece or self._writer.write(sweep)).outputs, laid, width)

    def _make_between(self, asked: Iterable[Node], known: dict[Node, str], width: np.dtype) -> Between | None:
        """Return the program of those values that are not known yet, which are from now on."""
        wanted = [n for n in dict.fromkeys(asked) if n not in known and n._value is None and n.op not in (INPUT, PARAM)]
        if not wanted:
            return None
        outputs = self._writer.write_between(wanted, {*known})
        program = self._compile(outputs, [self._equations.layout(n) for n in wanted], width, plain=True)
        reads = {name: n for n, name in known.items() if name in program.graph.inputs}
        known |= {n: str(self._writer.feed(n).name) for n in wanted}
        return Between(wanted, reads, program)

    # -- calls --------------------------------------------------------------------------------------------------------

    def _make_padded(self, made: Ragged) -> RecomputedProgram:
        return RecomputedProgram(made.whole, self.axis, self.limits, self.dtype, self._passes, self._layouts, self.backend)

    def _compute(self, given: dict[str, Any]) -> tuple[Any, ...]:
        arrays, sizes, width = self._reader.read(given)
        key = (*sizes.values(), width)
        plan = self._plans.get(key) or self._choose(sizes, width)
        self._plans = {key: plan}  # of the last call: most have the lengths of the one before
        if plan.pieces <= 1:
            return self.whole._compute(given)
        stages, after = self._make_stages(width)
        lengths = CallLengths(self.axis, sizes, plan.piece, plan.slots, width)
        call = Call(self._equations, self.sweeps, self._edges, arrays, lengths)
        call.run(stages, self._courses, after, str(self._writer.steps.name))
        return tuple([self._lay_out(call, n, axes, lengths, k)
                      for k, (n, axes) in enumerate(zip(self._equations.outputs, self._layouts, strict=True))])  # fmt: skip

    def _lay_out(self, call: Call, n: Node, axes: Sequence[Axis], lengths: CallLengths, k: int) -> np.ndarray:
        """Return the array of an output, the caller's own."""
        value, have = call.series[n] if self.axis in n.axes else call.get_value(n), self._equations.layout(n)
        shape = (*(lengths.sizes[a] for a in have), *n.shape)
        value = value if value.shape == shape else np.broadcast_to(value, shape)
        value = order_axes(value, have, axes)
        made = (n in call.series or n in self.sweeps.totals) and n not in {*self._equations.outputs[:k]}
        return value if made and value.flags.c_contiguous else np.array(value, lengths.get_dtype(n))

    # -- what it will need --------------------------------------------------------------------------------------------

    @cached_property
    def _stored(self) -> list[Border]:
        """The borders whose rows a later sweep reads."""
        return self.sweeps.list_kept()

    @cached_property
    def _courses(self) -> list[Course]:
        """The sweeps, as far as the order of their runs goes."""
        sweeps, kept = self.sweeps.sweeps, {*self._stored}
        of = {border: k for k, sweep in enumerate(sweeps) for border in sweep.borders}

        def list_read(k: int, roots: list[Node]) -> tuple[int, ...]:
            return tuple(sorted({of[border] for border in self.sweeps.list_loops(roots)} - {k}))

        return [
            Course(
                sweep.forward, list_read(k, sweep.roots), list_read(k, [s.source for s in sweep.borders if s in kept]),
                any(s in kept for s in sweep.borders), bool(sweep.totals or sweep.series),
            )
            for k, sweep in enumerate(sweeps)
        ]  # fmt: skip

    def _count_runs(self, pieces: int, slots: int) -> list[int]:
        """Return how often a piece runs in each sweep, for its rows alone included."""
        counts = [0 for _ in self._courses]
        for action in list_actions(self._courses, pieces, slots):
            counts[action.sweep] += action.what in ("run", "again")
        return counts

    def explain(self, /, **lengths: int) -> Recomputation:
        """Predict how a call recomputes, and what memory it takes, without making it.

        Args:
            lengths: the length of each axis, by name.

        Raises:
            MemoryNeededError: the memory that was given is not enough.
            AxisError: an axis is missing or unknown.
        """
        return self._choose(self.graph._sizes(lengths), self.dtype or np.dtype(np.float64))

    def cost(self, /, **lengths: int) -> Cost:
        """Predict the floating-point operations and bytes of a call, recomputation included; see :meth:`Program.cost`."""
        sizes, plan = self.graph._sizes(lengths), self.explain(**lengths)
        if plan.pieces <= 1:
            return self.whole.cost(**lengths)
        stages, _ = self._make_stages(self.dtype or np.dtype(np.float64))
        of = {**sizes, self.axis: plan.piece}
        each = [count_flops(s.program.plan, {a: of[a] for a in s.program.graph.axes}) for s in stages]
        runs = self._count_runs(plan.pieces, plan.slots)
        return Cost(sum(a * b for a, b in zip(each, runs, strict=True)), plan.bytes)

    def _choose(self, sizes: Mapping[Axis, int], width: np.dtype) -> Recomputation:
        steps = sizes[self.axis]
        if not all(sizes.values()) or steps <= self.sweeps.longest:
            return Recomputation(steps, steps, 1, 0, 0, self._weigh(sizes, steps, 0, width))
        piece, slots = self.limits.choose(steps, self.sweeps.longest, bool(self._stored),
                                          lambda piece, slots: self._weigh(sizes, piece, slots, width))  # fmt: skip
        pieces = -(-steps // piece)
        slots = min(slots, pieces - 1)
        runs = sum(self._count_runs(pieces, slots)[:-1]) if pieces > 1 else 0
        return Recomputation(steps, piece, pieces, slots, runs, self._weigh(sizes, piece, slots, width))

    def _weigh(self, sizes: Mapping[Axis, int], piece: int, slots: int, width: np.dtype) -> int:
        """Return the most bytes that a call holds in pieces of some length, with some slots; without the feeds."""
        if piece >= sizes[self.axis]:
            return self.whole._choose_for([sizes[a] for a in self.graph.axes])._count_bytes(sizes, width.itemsize)
        stages, after = self._make_stages(width)
        return count_call_bytes(self.sweeps, stages, after, CallLengths(self.axis, sizes, piece, slots, width))

    # -- reports ------------------------------------------------------------------------------------------------------

    @property
    def reported(self) -> Any:
        """The program of a piece in the last sweep, which recomputes; those of the others are in ``programs``."""
        return self.programs[-1]

    @property
    def programs(self) -> list[Program]:
        """The program of a piece in each sweep, in order."""
        return [stage.program for stage in self._make_stages(self.dtype or np.dtype(np.float64))[0]]

    def save_source(self, path: str | os.PathLike[str], *, textbook: bool | None = None) -> Path:
        """Refuse to write one file: what runs are several programs, and what passes rows between them.

        Raises:
            OperationError: always.
        """
        raise self._make_several_error("saved as one file")

    def profile(self, /, **given: Any) -> Any:
        """Refuse to time the blocks of several programs.

        Raises:
            OperationError: always.
        """
        raise self._make_several_error("timed block by block")

    def _make_several_error(self, what: str) -> OperationError:
        return OperationError(
            "O174", f"a program that recomputes is several programs, and cannot be {what}", expected="a program that stores",
            got=repr(self), fix="compile it without memory=, or take the program that stores: step.program.whole",
        )  # fmt: skip

    def as_textbook(self, gradients: Sequence[str] = ()) -> Emitted:
        """Return the program that stores as one would write it by hand; see :meth:`Program.as_textbook`."""
        return self.whole.as_textbook(gradients)

    def __repr__(self) -> str:
        return f"<Program of {self.graph!r}, in pieces of {self.axis}>"


def find_cut_axis(graph: Graph, over: Axis | None) -> Axis:
    """Return the axis that is cut into pieces: the one given, or the only one along which the graph shifts.

    Raises:
        AxisError: the graph does not vary over it, or there are several.
    """
    shifted = list(dict.fromkeys(n.attrs["axis"] for n in graph.nodes if n.op is SHIFT))
    found = [over] if over is not None else shifted or list(graph.axes)
    if len(found) == 1 and found[0] in graph.axes:
        return found[0]
    raise AxisError(
        "A230", f"the graph does not vary over {over}" if over is not None else "memory= cannot tell which axis to cut",
        expected=f"over= one of {', '.join(a.name for a in graph.axes) or 'no axis'}",
        got=f"over={over}" if over is not None else ", ".join(a.name for a in found) or "a graph without axes",
        fix=f"over={found[0]}" if over is None and found else None,
    )  # fmt: skip


__all__ = ["Recomputation", "RecomputedProgram", "find_cut_axis"]
