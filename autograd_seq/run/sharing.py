"""A program on several threads: each computes a share of the batch, and their outputs are joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.graph.graph import Graph
from autograd_seq.run.threads import run_together
from autograd_seq.sequences.shares import OutputPart, Shares

ROWS = 8
"""The size of a share is a multiple of this many sequences: as many rows as a matrix product takes at once."""

Run = Callable[..., Any]


class Sharing:
    """Splits the calls of a program into shares of an axis, one for each thread.

    Args:
        found: the axis, and how each output is joined from those of the shares.
        graph: the equations.
        order: the names of the feeds, in the order in which the program takes them.
        layouts: the axes of each output, in the order in which its array is laid out.

    Attributes:
        axis: the axis that is split.
        note: the line about it in a schedule.
    """

    def __init__(self, found: Shares, graph: Graph, order: Sequence[str], layouts: Sequence[Sequence[Axis]]) -> None:
        self.axis, self.parts = found
        self._position = graph.axes.index(self.axis)
        self._fed = [_find_place(graph.layout(graph.inputs[name]), self.axis) for name in order]
        self._laid = [_find_place(axes, self.axis) for axes in layouts]
        self.note = f"threads take a share of {self.axis} each (NUMBA_NUM_THREADS), {ROWS} or more of a large batch"

    def find_cuts(self, sizes: Mapping[Axis, int], threads: int) -> list[int] | None:
        """Return where to cut a batch into shares, one for each thread; ``None`` if there would be only one share."""
        n = sizes[self.axis]
        count = min(threads, n // ROWS)
        return [*(round(n * k / count / ROWS) * ROWS for k in range(count)), n] if count > 1 else None

    def make_run(self, workspace: Sequence[Any], cuts: Sequence[int], make: Callable[[tuple[Any, ...]], Run]) -> Run:
        """Return a function of the feeds that computes all shares at the same time.

        Args:
            workspace: the lengths of the axes, and the width of floats.
            cuts: where the shares begin and end.
            make: returns the function of the feeds for the workspace of a share.
        """
        spans, (*sizes, width) = list(pairwise(cuts)), workspace
        before, behind = sizes[: self._position], sizes[self._position + 1 :]
        runs = [make((*before, b - a, *behind, width)) for a, b in spans]
        scales = [[np.dtype(width).type((cuts[-1] / (b - a)) ** p.degree) for a, b in spans] for p in self.parts]

        def run(*arrays: Any) -> tuple[Any, ...]:
            calls = []
            for one, (a, b) in zip(runs, spans, strict=True):
                mine = [x if at is None else x[(slice(None),) * at + (slice(a, b),)]
                        for x, at in zip(arrays, self._fed, strict=True)]  # fmt: skip
                calls.append(partial(one, *mine))
            found = zip(*run_together(calls), strict=True)
            return tuple([_join(*each) for each in zip(self.parts, self._laid, scales, found, strict=True)])

        return run


def _find_place(axes: Sequence[Axis], axis: Axis) -> int | None:
    return list(axes).index(axis) if axis in axes else None


def _join(part: OutputPart, at: int | None, scales: Sequence[Any], values: Sequence[np.ndarray]) -> np.ndarray:
    """Return an output for the whole batch, joined or added up from those of the shares."""
    if part.kind == "same":
        return values[0]
    if part.degree:
        values = [value * scale for value, scale in zip(values, scales, strict=True)]
    if part.kind == "each":
        return np.concatenate(values, axis=at)
    total = np.asarray(values[0])
    for value in values[1:]:
        total = np.asarray(total + value)
    return total


__all__ = ["ROWS", "Sharing"]
