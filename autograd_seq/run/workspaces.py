"""Workspaces of a program, kept for the next call with the same lengths: those used last, up to a number of bytes.

Making a workspace takes as long as touching its memory for the first time, which for a short call is as long as the call
itself. Keeping one for every length ever seen would leak memory for users whose sequences all differ in length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import prod
from threading import Lock
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.emit.native import numba
from autograd_seq.emit.native.kernel import count_packed
from autograd_seq.emit.program_text import Emitted

KEPT = 64 * 2**20
"""Bytes of workspaces that a program keeps; the workspace of the latest lengths is kept in any case."""

ROW = 104
"""Bytes of a NumPy view of one step, with its pointer in a list."""

Run = Callable[..., Any]


class Workspaces:
    """Functions of the feeds, each with a workspace of its own, by the lengths of the axes and the width of floats.

    Args:
        make: returns such a function, given the lengths and the width.

    Attributes:
        kept: bytes of workspaces of other lengths that are kept beside the latest.
    """

    def __init__(self, make: Callable[[Any], Run]) -> None:
        self.make, self.kept = make, KEPT
        self._idle: dict[Any, list[Run]] = {}  # those used last come last
        self._bytes: dict[Any, int] = {}
        self._latest: Any = None
        self._lock = Lock()

    def __call__(self, workspace: Any, arrays: Sequence[Any]) -> Any:
        """Run on arrays, in a workspace that no other call uses at the same time."""
        idle = self._idle.get(workspace)
        if idle is None or (workspace is not self._latest and workspace != self._latest):
            idle = self._mark_used(workspace)
        try:
            run = idle.pop()
        except IndexError:
            run = self.make(workspace)
            self._mark_used(workspace, count_held_bytes(run))
        out = run(*arrays)
        idle.append(run)
        return out

    def __iter__(self) -> Any:
        return iter([run for idle in [*self._idle.values()] for run in idle])

    @property
    def bytes(self) -> int:
        """The bytes of all workspaces that are kept."""
        with self._lock:
            return self._count_total()

    def _count_total(self) -> int:
        return sum(len(idle) * self._bytes.get(workspace, 0) for workspace, idle in self._idle.items())

    def _mark_used(self, workspace: Any, size: int | None = None) -> list[Run]:
        """Return the idle functions for some lengths, and drop the least recently used others.

        Args:
            workspace: the lengths and the width.
            size: the bytes of a workspace that has just been made.
        """
        with self._lock:
            idle = self._idle.pop(workspace, None)
            idle = [] if idle is None else idle
            self._idle[workspace], self._latest = idle, workspace
            if size is not None:
                self._bytes[workspace] = size
            room = self.kept - self._bytes.get(workspace, 0)
            for other in [*self._idle][-2::-1]:  # a call that is using one of them drops it at its end
                room -= len(self._idle[other]) * self._bytes.get(other, 0)
                if room < 0:
                    del self._idle[other]
                    self._bytes.pop(other, None)
            return idle


def count_array_bytes(noted: Iterable[tuple[str, str]], emitted: Emitted, sizes: Mapping[Axis, int], itemsize: int) -> int:
    """Return the bytes of arrays that a program makes.

    Args:
        noted: their shapes and widths, as written in the source.
        emitted: the program.
        sizes: the length of each axis.
        itemsize: bytes of a float.
    """

    def packed_size(n: int, k: int, real: object) -> int:
        return count_packed(n, k, numba.count_panel_columns(f"float{8 * itemsize}"))

    known: dict[str, Any] = {name: sizes[axis] for axis, name in emitted.sizes.items()}
    known |= {"__builtins__": {}, "packed_size": packed_size, "real": None}
    widths = {"real": itemsize, "np.int64": 8, "np.float64": 8}
    return sum(prod(eval(shape, known)) * widths.get(width.split(",")[0], 1) for shape, width in noted)


def count_held_bytes(run: Any) -> int:
    """Return the bytes that a function holds: arrays, lists of their rows, and what the functions that it calls hold.

    Example:
        >>> count_held_bytes(partial(np.sum, np.zeros(100)))
        800
    """
    memory: dict[int, int] = {}
    rows, seen, stack = 0, set[int](), [run]
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            owner = value.base if isinstance(value.base, np.ndarray) else value
            memory[id(owner)] = owner.nbytes
        elif isinstance(value, (list, tuple)) and value:
            views = not callable(value[0]) or hasattr(value[0], "__self__")
            rows += len(value) * (len(value[0]) if isinstance(value[0], tuple) else 1) * ROW if views else 0
            stack += value[:1] if views and isinstance(value, list) else value
        elif isinstance(value, partial):
            stack += [value.func, *value.args]
        elif isinstance(getattr(value, "__self__", None), np.ndarray):
            stack.append(value.__self__)
        else:
            stack += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
            stack += [value.__wrapped__] if hasattr(value, "__wrapped__") else []
    return sum(memory.values()) + rows


__all__ = ["KEPT", "Workspaces", "count_array_bytes", "count_held_bytes"]
