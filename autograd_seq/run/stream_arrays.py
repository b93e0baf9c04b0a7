"""The arrays into which a stream writes its steps, reused as soon as nobody refers to them any more.

Why by counting references (2026-11): rules such as "valid until the call after the next" break silently when two streams
are interleaved, or when a search keeps several carries in flight. CPython knows of every array whether somebody can still
see it, so users need no rule, and a loop that keeps nothing allocates nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.kinds import get_dtype
from autograd_seq.graph.graph import Graph
from autograd_seq.run.carry import Carry
from autograd_seq.run.program import Program
from autograd_seq.run.workspaces import KEPT, ROW
from autograd_seq.sequences.cut import Cut

_FEW = 8  # so many idle frames of a pool are kept, however large they are
_COUNTS = hasattr(sys, "getrefcount")  # where references are not counted, arrays are not reused
_references: Callable[[object], int] = sys.getrefcount if _COUNTS else lambda array: 0


class Step(Protocol):
    """What a pool must know about the step that it serves."""

    cut: Cut
    graph: Graph
    program: Program
    layouts: list[tuple[Axis, ...]]
    equations: str
    carried: list[str]


class Pool:
    """The idle arrays for all steps with the same lengths and dtype."""

    def __init__(self, of: Step, workspace: tuple[Any, ...]) -> None:
        self._program, self._workspace, self.idle = of.program, workspace, list[StepArrays]()
        self._writes = of.program.backend == "numpy"  # into the arrays of a frame; a native program returns its own
        sizes = dict(zip(of.graph.axes, workspace, strict=False))
        width = workspace[-1]
        outputs = zip(of.layouts, of.graph.outputs, strict=False)
        self.outs = [(tuple(sizes[a] for a in axes) + o.shape, get_dtype(o.dtype, width)) for axes, o in outputs]
        self.equations, self.axes = of.equations, {s.name: s.axes for s in of.cut.slots}
        self.rows = [(s, (s.rows, *(sizes[a] for a in s.axes), *s.shape), get_dtype(s.dtype, width)) for s in of.cut.slots]
        self.carried, self.counts = of.carried, of.cut.steps if of.cut.steps in of.carried else None

    def run(self, arguments: Sequence[Any], carry: Carry) -> tuple[list[np.ndarray], Carry]:
        """Run a step into arrays that nobody refers to, and return its outputs and its carry."""
        try:
            frame = self.idle.pop()
            if not frame.is_free():
                frame = StepArrays(self)
        except IndexError:
            frame = StepArrays(self)
        if self._writes:
            self._program._run((*arguments, *frame.targets), self._workspace)
        else:
            for target, value in zip(frame.targets, self._program._run(arguments, self._workspace), strict=True):
                target[...] = value
        steps = carry.steps + 1
        if self.counts is not None:
            frame.count[...] = steps
        return frame.outs, PooledCarry(self, frame, steps)

    def give_back(self, frame: StepArrays) -> None:
        """Take back the arrays of a carry, unless very many are idle already."""
        if _COUNTS and (len(self.idle) < _FEW or (len(self.idle) + 1) * frame.bytes <= KEPT):
            self.idle.append(frame)


class StepArrays:
    """The arrays that one step writes: its outputs and the carried rows.

    Attributes:
        outs: the outputs.
        rows: the carried rows, by name.
        targets: the arrays that the program writes into: the outputs, then each row.
        read: the arrays that the next step reads: the rows, and the number of steps.
        count: the number of steps.
        bytes: the memory of all of them.
    """

    __slots__ = ("_counts", "bytes", "count", "outs", "read", "rows", "targets")

    def __init__(self, space: Pool) -> None:
        self.rows = {slot.name: np.empty(shape, width) for slot, shape, width in space.rows}
        parts = {feed: self.rows[slot.name][j, ...] for slot, *_ in space.rows for j, feed in enumerate(slot.feeds)}
        self.count = np.zeros((), np.int64)
        self.outs = [np.empty(shape, width) for shape, width in space.outs]
        self.targets = (*self.outs, *parts.values())
        self.bytes = sum([a.nbytes + ROW for a in self.targets])
        self.read = tuple([self.count if name == space.counts else parts[name] for name in space.carried])
        self._counts = self._count_references()

    def _count_references(self) -> list[int]:
        return [*map(_references, self.outs), *map(_references, self.rows.values())]

    def is_free(self) -> bool:
        """Tell whether nobody refers to the rows; outputs that somebody still refers to are replaced by new arrays."""
        held = self._count_references()
        if held == self._counts:
            return True
        n = len(self.outs)
        if held[n:] != self._counts[n:]:
            return False
        outs = zip(self.outs, held, self._counts, strict=False)
        self.outs = [a if now <= then else np.empty_like(a) for a, now, then in outs]
        self.targets = (*self.outs, *self.targets[n:])
        return True


class PooledCarry(Carry):
    """A carry whose arrays go back to the pool of a stream when nobody refers to them."""

    def __init__(self, space: Pool, frame: StepArrays, steps: int) -> None:
        self._rows, self.steps, self.equations, self._space, self._frame = frame.rows, steps, space.equations, space, frame
        self.axes = space.axes

    def __del__(self) -> None:
        self._space.give_back(self._frame)

    def __reduce__(self) -> tuple[Any, ...]:
        return Carry, (dict(self._rows), self.steps, self.equations, self.axes)


__all__ = ["Pool", "PooledCarry", "StepArrays"]
