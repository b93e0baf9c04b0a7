"""Programs whose sequences end by themselves: one decides how many steps there are, another computes over these."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
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
from autograd_seq.run.reports import ProgramReports
from autograd_seq.sequences.deciding import Decided, Deciding
from autograd_seq.sequences.lengths import Over, check_needs, evaluate_ragged, get_ragged, read_lengths, select_feeds

Make = Callable[[Sequence[Any], Sequence[Sequence[Axis]]], Program]
"""Compiles some nodes, given the layouts of their values."""


class UntilProgram(ProgramReports):
    """A compiled graph whose sequences end by themselves. Made by :func:`compile` from outputs of :func:`until`.

    Attributes:
        graph: the equations.
        deciding: the program that decides how many steps there are: it leaves its loop when all sequences have ended.
        program: the program that computes the outputs over the steps of the longest sequence; its ``source``, ``schedule``
            and ``cost`` are those of this object.
        padded: the programs by the axes that have lengths, for calls with ``lengths=`` of other axes.

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
        self.graph, self._layouts, self._make = graph, layouts, make
        self._deciding = Deciding(graph)
        decides = self._deciding.graph
        self.deciding = make(decides.outputs, decides.layouts())
        axis = self._deciding.axis
        self.padded: dict[Over, Program] = {}
        self.program = self._compile_for(((axis, self._deciding.stop.over(axis)),))
        self.copied_from: tuple[Any, ...] = ()

    def __reduce__(self) -> Any:
        return self.copied_from

    def __repr__(self) -> str:
        return f"<Program of {self.graph!r}, until {self._deciding.axis} ends>"

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
            "U125", f"a program that runs until {self._deciding.axis} ends is two programs, and cannot be saved as one",
            expected="one of the two", got=repr(self),
            fix="program.deciding.save_source(…), and program.program.save_source(…)",
        )  # fmt: skip

    def _find_run(self, given: dict[str, Any], lengths: Any) -> tuple[Program, dict[str, Any], Decided]:
        """Return the program that computes the outputs of a call, its feeds, and how many steps there are."""
        decided = self._deciding.decide(self.graph, self._run_deciding, given, lengths)
        said = read_lengths(self.graph, decided.lengths, decided.given)
        made = get_ragged(self.graph, said.over)
        check_needs(self.graph, made, said)
        return self._compile_for(said.over), select_feeds(self.graph, made, said, decided.given), decided

    def _compute(self, given: dict[str, Any]) -> tuple[Any, ...]:
        return self(**given)

    def _run_deciding(self, fed: dict[str, Any], lengths: Any) -> np.ndarray:
        (goes_on,) = self.deciding(**fed) if lengths is None else self.deciding(lengths=lengths, **fed)
        found: np.ndarray = goes_on
        return found

    def _compile_for(self, over: Over) -> Program:
        if over not in self.padded:
            self.padded[over] = self._make(get_ragged(self.graph, over).outputs, self._layouts)
        return self.padded[over]


def decide_unrolled(graph: System, given: Mapping[str, Any], lengths: Any = None, dtype: Any = None) -> Decided:
    """Return how a call of a graph goes on whose sequences end by themselves, by unrolling the equations that decide it.

    Args:
        graph: the equations.
        given: the feeds, and the lengths of axes, by name.
        lengths: the lengths of other axes, or ``None``.
        dtype: the width of all floats; ``None`` for that of the feeds.
    """
    deciding = Deciding(graph)

    def run(fed: dict[str, Any], known: Any) -> np.ndarray:
        sizes, data = feeds.split_sizes(deciding.graph, fed)
        (goes_on,) = deciding.graph.unroll(**sizes).evaluate(dtype=dtype, lengths=known, **data)
        found: np.ndarray = goes_on
        return found

    return deciding.decide(graph, run, given, lengths)


def evaluate_until(dag: DAG, lengths: Any, dtype: Any, given: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values of a DAG's outputs, some of whose sequences end by themselves; see :meth:`DAG.evaluate`."""
    sizes = {a.name: n for a, n in dag.sizes.items() if a.name not in dag.graph.inputs}
    decided = decide_unrolled(dag.graph, {**sizes, **given}, lengths, dtype)
    values = evaluate_ragged(dag, decided.lengths, dtype, given)
    return tuple([_lay_rows(v, dag.graph.layout(n), decided) for v, n in zip(values, dag.folded, strict=True)])


def _lay_rows(value: np.ndarray, axes: Sequence[Axis], decided: Decided) -> np.ndarray:
    """Return an output with as many rows along axes that end by themselves as it is to have, zeros after those computed."""
    if not decided.axes & set(axes):
        return value
    value = value[tuple([slice(decided.rows if a in decided.axes else None) for a in axes])]
    missing = [decided.rows - n if a in decided.axes else 0 for a, n in zip(axes, value.shape, strict=False)]
    return np.pad(value, [(0, n) for n in missing] + [(0, 0)] * (value.ndim - len(axes))) if any(missing) else value


FUNCTIONS.update(evaluate_until=evaluate_until)
__all__ = ["UntilProgram", "decide_unrolled", "evaluate_until"]
