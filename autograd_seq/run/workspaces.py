"""Workspaces of a program: kept for the next call of the same lengths, the ones used last, up to so many bytes.

Making one takes as long as touching its memory for the first time, which for a short call is as long as the call. Keeping one
for every length that ever came is a leak to whoever feeds sequences as they are.
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
from autograd_seq.emit.native.kernel import packed
from autograd_seq.emit.program_text import Emitted

KEPT = 64 * 2**20
"""Bytes of workspaces that a program keeps; that of the lengths it ran on last it keeps in any case."""

ROW = 104
"""Bytes of a view of one step with its place in a list."""

Run = Callable[..., Any]


class Workspaces:
    """Functions of the feeds, each with a workspace of its own, by the lengths of the axes and the width of floats.

    Args:
        make: returns such a function.
    """

    def __init__(self, make: Callable[[Any], Run]) -> None:
        self._make = make
        self._idle: dict[Any, list[Run]] = {}  # those used last come last
        self._bytes: dict[Any, int] = {}
        self._latest: Any = None
        self._lock = Lock()

    def __call__(self, workspace: Any, arrays: Sequence[Any]) -> Any:
        """Run on arrays; a workspace belongs to one call at a time."""
        idle = self._idle.get(workspace)
        if idle is None or (workspace is not self._latest and workspace != self._latest):
            idle = self._used(workspace)
        try:
            run = idle.pop()
        except IndexError:
            run = self._make(workspace)
            self._used(workspace, held(run))
        out = run(*arrays)
        idle.append(run)
        return out

    def __iter__(self) -> Any:
        return iter([run for idle in [*self._idle.values()] for run in idle])

    @property
    def bytes(self) -> int:
        """What is kept."""
        with self._lock:
            return self._total()

    def _total(self) -> int:
        return sum(len(idle) * self._bytes.get(workspace, 0) for workspace, idle in self._idle.items())

    def _used(self, workspace: Any, size: int | None = None) -> list[Run]:
        """Return the idle functions for some lengths, and let go those for others that were used longest ago.

        Args:
            workspace: the lengths and the width.
            size: the bytes of one that has just been made.
        """
        with self._lock:
            idle = self._idle.pop(workspace, None)
            idle = [] if idle is None else idle
            self._idle[workspace], self._latest = idle, workspace
            if size is not None:
                self._bytes[workspace] = size
            room = KEPT - self._bytes.get(workspace, 0)
            for other in [*self._idle][-2::-1]:  # a call that has one of them lets it go when it is done
                room -= len(self._idle[other]) * self._bytes.get(other, 0)
                if room < 0:
                    del self._idle[other]
                    self._bytes.pop(other, None)
            return idle


def arrays(noted: Iterable[tuple[str, str]], emitted: Emitted, sizes: Mapping[Axis, int], itemsize: int) -> int:
    """Return the bytes of arrays that a program makes.

    Args:
        noted: their shapes and widths, as they are written in the source.
        emitted: the program.
        sizes: the length of each axis.
        itemsize: bytes of a float.
    """

    def packed_size(n: int, k: int, real: object) -> int:
        return packed(n, k, numba.count_panel_columns(f"float{8 * itemsize}"))

    known: dict[str, Any] = {name: sizes[axis] for axis, name in emitted.sizes.items()}
    known |= {"__builtins__": {}, "packed_size": packed_size, "real": None}
    widths = {"real": itemsize, "np.int64": 8, "np.float64": 8}
    return sum(prod(eval(shape, known)) * widths.get(width.split(",")[0], 1) for shape, width in noted)


def held(run: Any) -> int:
    """Return the bytes of the workspace that a function holds: arrays, lists of their rows, and those of functions it calls.

    Example:
        >>> held(partial(np.sum, np.zeros(100)))
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


__all__ = ["KEPT", "Workspaces", "arrays", "held"]
