"""Programs whose sequences end by themselves: one decides how many steps there are, another computes over these."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.emit.program_text import Emitted
from autograd_seq.graph import feeds
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.system import System
from autograd_seq.run.program import Program
from autograd_seq.run.reports import CompiledAgain, ProgramReports
from autograd_seq.sequences.deciding import Decided, list_deciding
from autograd_seq.sequences.lengths import Over, evaluate_ragged, get_ragged, read_padded_call

Make = Callable[[Sequence[Any], Sequence[Sequence[Axis]]], Program]
"""Compiles some nodes, given the layouts of their values."""


class UntilProgram(CompiledAgain, ProgramReports):
    """A compiled graph whose sequences end by themselves. Made by :func:`compile` from outputs of :func:`until`.

    Attributes:
        graph: the equations.
        deciding: the program that decides how many steps there are: it leaves its loop when all sequences have ended. If
            several axes end by themselves, that of the last one whose end is decided.
        program: the program that computes the outputs over the steps of the longest sequence; its ``source``, ``schedule``
            and ``cost`` are those of this object.

    Example:
        >>> import autograd_seq as ag
        >>> u = ag.Axis("u")
        >>> w, s = ag.param("w"), ag.state("s", over=u, init=1.0)
        >>> s[u] = w * s[u - 1]
        >>> program = ag.compile(ag.until(s, over=u, when=s > 20, limit=100))
        >>> program(w=3.0)[0].tolist()
        [3.0, 9.0, 27.0]

    Notes:
        The steps that decide are computed twice: first until all sequences have ended, then with all that the outputs need.
    """

    def __init__(self, graph: Graph, layouts: Sequence[Sequence[Axis]], make: Make) -> None:
        self.graph, self._layouts = graph, layouts
        self._deciding = [(d, _PaddedPrograms(d.graph, d.graph.layouts(), make)) for d in list_deciding(graph)]
        self.deciding = self._deciding[-1][1].compile_for(_list_lengths(self._deciding[-1][0].graph))
        self._runs = _PaddedPrograms(graph, layouts, make)
        self.program = self._runs.compile_for(_list_lengths(graph))

    def __repr__(self) -> str:
        return f"<Program of {self.graph!r}, until {self._name_axes()}>"

    def _name_axes(self) -> str:
        names = [d.axis.name for d, _ in self._deciding]
        return f"{' and '.join(names)} end{'s' if len(names) == 1 else ''}"

    @property
    def reported(self) -> Any:
        return self.program

    @property
    def plan(self) -> Any:
        """The plan of the program that computes the outputs."""
        return self.program.plan

    def as_textbook(self, gradients: Sequence[str] = ()) -> Emitted:
        """Return the program as one would write it by hand; see :meth:`Program.as_textbook`."""
        return self.program.as_textbook(gradients)

    def __call__(self, /, *unnamed: Any, lengths: Any = None, **given: Any) -> tuple[Any, ...]:
        """Return the values of the outputs, in order.

        Args:
            lengths: the lengths of other padded axes, as for :class:`Program`.
            given: the feeds, as for :class:`Program`. The length of an axis that ends by itself is the largest number of steps.

        Returns:
            A tuple of arrays; an output over the axis has as many rows as the inputs over it are fed, or, if there are none, as
            the longest sequence has steps.

        Raises:
            FeedError, DTypeError, AxisError: as for :class:`Program`; a sequence does not end, and that is to be an error.
        """
        if unnamed:
            raise feeds.make_unnamed_error(self.graph, unnamed)
        if lengths is not None and "lengths" in self.graph.inputs:
            given["lengths"], lengths = lengths, None
        program, fed, decided = self._find_run(given, lengths)
        return tuple([_lay_rows(v, axes, decided) for v, axes in zip(program(**fed), self._layouts, strict=True)])

    def profile(self, /, **given: Any) -> Any:
        """Return the time of each block of the program that computes the outputs; see :meth:`Program.profile`."""
        program, fed, _ = self._find_run(given, None)
        return program.profile(**fed)

    def save_source(self, path: str | os.PathLike[str], *, textbook: bool | None = None) -> Path:
        """Refuse to write one file: what runs are two programs.

        Raises:
            OperationError: always.
        """
        raise OperationError(
            "U125", f"a program that runs until {self._name_axes()} is several programs, and cannot be saved as one",
            expected="one of them", got=repr(self),
            fix="program.deciding.save_source(…), and program.program.save_source(…)",
        )  # fmt: skip

    def _find_run(self, given: dict[str, Any], lengths: Any) -> tuple[Program, dict[str, Any], list[Decided]]:
        """Return the program that computes the outputs of a call, its feeds, and how many steps there are along each axis."""
        found: list[Decided] = []
        for deciding, runs in self._deciding:
            found.append(deciding.decide(self.graph, runs.run_one, given, lengths))
            given, lengths = found[-1].given, found[-1].lengths
        return *self._runs.find(given, lengths), found

    def _compute(self, given: dict[str, Any]) -> tuple[Any, ...]:
        return self(**given)


class _PaddedPrograms:
    """Programs of one graph, by the axes that have lengths, those that end by themselves among them."""

    def __init__(self, graph: System, layouts: Sequence[Sequence[Axis]], make: Make) -> None:
        self.graph, self._layouts, self._make = graph, layouts, make
        self._made: dict[Over, Program] = {}

    def compile_for(self, over: Over) -> Program:
        """Return the program for lengths of some axes."""
        if over not in self._made:
            outputs = get_ragged(self.graph, over).outputs if over else self.graph.outputs
            self._made[over] = self._make(outputs, self._layouts)
        return self._made[over]

    def find(self, given: dict[str, Any], lengths: Any) -> tuple[Program, dict[str, Any]]:
        """Return the program for a call with lengths, and its feeds."""
        if lengths is None:
            return self.compile_for(()), given
        said, _, fed = read_padded_call(self.graph, lengths, given)
        return self.compile_for(said.over), fed

    def run_one(self, given: dict[str, Any], lengths: Any) -> np.ndarray:
        """Return the only output."""
        program, fed = self.find(given, lengths)
        (out,) = program(**fed)
        found: np.ndarray = out
        return found


def _list_lengths(graph: System) -> Over:
    """Return the axes that end by themselves, each with what its number of steps varies over."""
    return tuple((axis, stop.over(axis)) for axis, stop in graph.stops.items())


def decide_unrolled(graph: System, given: Mapping[str, Any], lengths: Any = None, dtype: Any = None) -> list[Decided]:
    """Return how a call of a graph goes on whose sequences end by themselves, by unrolling the equations that decide it: the
    last of them says what is fed.

    Args:
        graph: the equations.
        given: the feeds, and the lengths of axes, by name.
        lengths: the lengths of other axes, or ``None``.
        dtype: the width of all floats; ``None`` for that of the feeds.
    """

    def run(decides: System, fed: dict[str, Any], known: Any) -> np.ndarray:
        sizes, data = feeds.split_sizes(decides, fed)
        dag = DAG(decides, decides._sizes(sizes))
        (goes_on,) = dag.evaluate(dtype=dtype, **data) if known is None else evaluate_ragged(dag, known, dtype, data)
        found: np.ndarray = goes_on
        return found

    out: list[Decided] = []
    for deciding in list_deciding(graph):
        out.append(deciding.decide(graph, partial(run, deciding.graph), given, lengths))
        given, lengths = out[-1].given, out[-1].lengths
    return out


def evaluate_until(dag: DAG, lengths: Any, dtype: Any, given: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values of a DAG's outputs, some of whose sequences end by themselves; see :meth:`DAG.evaluate`."""
    decided = decide_unrolled(dag.graph, {**dag.lengths, **given}, lengths, dtype)
    values = evaluate_ragged(dag, decided[-1].lengths, dtype, given)
    return tuple([_lay_rows(v, dag.graph.layout(n), decided) for v, n in zip(values, dag.folded, strict=True)])


def _lay_rows(value: np.ndarray, axes: Sequence[Axis], decided: Sequence[Decided]) -> np.ndarray:
    """Return an output with as many rows along axes that end by themselves as it is to have, zeros after those computed."""
    rows = {a: d.rows for d in decided for a in d.axes if a in axes}
    if not rows:
        return value
    value = value[tuple([slice(rows.get(a)) for a in axes])]
    missing = [rows.get(a, n) - n for a, n in zip(axes, value.shape, strict=False)]
    return np.pad(value, [(0, n) for n in missing] + [(0, 0)] * (value.ndim - len(axes))) if any(missing) else value


FUNCTIONS.update(evaluate_until=evaluate_until)
__all__ = ["UntilProgram", "decide_unrolled", "evaluate_until"]
