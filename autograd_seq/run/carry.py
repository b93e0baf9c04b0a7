"""A carry: the rows that one call leaves for the next, and whether they fit the equations that go on from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError
from autograd_seq.core.kinds import get_kind
from autograd_seq.core.names import make_printable
from autograd_seq.graph.system import System
from autograd_seq.sequences.cut import Slot


class Buffer:
    """Rows that grow in number, in an array with room for as many again; carries show its first rows, or the last of a window.

    Only the carry with the newest rows writes after them; an earlier one that is continued again gets an array of its own.

    Args:
        rows: the rows so far. If sequences differ in length, those of a shorter one are followed by rows that are not read.
        more: for how many more there is room at least.
        steps: the number of steps so far; of sequences of different lengths an array, one number for each.
        batch: the dimensions of ``rows`` that the numbers of steps vary over.

    Attributes:
        first: the step of the first row, or that of each sequence.
    """

    def __init__(self, rows: np.ndarray, more: int, steps: Any, batch: tuple[int, ...] = ()) -> None:
        self.filled, self.first, self.batch = steps, np.maximum(steps - len(rows), 0), batch
        self.array = np.zeros((max(16, 2 * (len(rows) + more)), *rows.shape[1:]), rows.dtype)
        self.array[: len(rows)] = rows

    def has_room(self, filled: Any, more: int) -> bool:
        """Tell whether rows can be written after the first ``filled``."""
        return np.array_equal(self.filled, filled) and np.max(filled - self.first, initial=0) + more <= len(self.array)

    def write(self, rows: np.ndarray, steps: Any, window: int | None = None) -> np.ndarray:
        """Write the rows of the next ``steps`` steps, and return all rows so far, or the last ones."""
        start = self.filled - self.first
        self.filled = self.filled + steps
        if not self.batch:
            self.array[start : start + steps] = rows[:steps]
        else:
            into, new = (np.moveaxis(a, self.batch, range(1, 1 + len(self.batch))) for a in (self.array, rows))
            step, *which = np.nonzero(np.arange(len(rows)).reshape(-1, *[1] * len(self.batch)) < steps)
            into[(start[tuple(which)] + step, *which)] = new[(step, *which)]
        return take_last(self.array, self.filled - self.first, window, self.batch)


def add_rows(old: Buffer | None, new: np.ndarray, steps: Any, window: int | None,
             batch: tuple[int, ...]) -> tuple[Buffer, np.ndarray]:  # fmt: skip
    """Return a buffer with the rows of the next ``steps`` steps, and all rows so far, or the last ones.

    Args:
        old: the buffer of earlier steps, which is written to; ``None`` for a first call.
        new: the rows; if sequences differ in length, those of a shorter one are followed by others.
        steps, window, batch: as for :class:`Buffer`.
    """
    if old is not None:
        return old, old.write(new, steps, window)
    rows = take_last(new, steps, window, batch)
    made = Buffer(rows, 0, steps, batch)
    return made, made.array[: len(rows)]


def take_last(rows: np.ndarray, filled: Any, window: int | None, batch: tuple[int, ...] = ()) -> np.ndarray:
    """Return the last rows, of each sequence if their numbers differ; after those of a shorter one come others.

    Args:
        rows: an array of rows.
        filled: how many of them there are, an array for sequences of different lengths.
        window: how many are wanted; ``None``: all.
        batch: the dimensions of ``rows`` that ``filled`` varies over.
    """
    most = int(np.max(filled, initial=0))
    wanted = most if window is None else min(window, most)
    start = np.maximum(filled - wanted, 0)
    low, high = int(np.min(start, initial=most)), int(np.max(start, initial=0))
    if low >= high:
        return rows[low : low + wanted]
    lead = np.moveaxis(rows, batch, range(1, 1 + len(batch)))
    step = start + np.arange(wanted).reshape(-1, *[1] * len(batch))
    return np.moveaxis(lead[(step, *np.indices(step.shape)[1:])], range(1, 1 + len(batch)), batch)


class Carry(Mapping[str, np.ndarray]):
    """What one call passes to the next: for each value that later steps read, its last rows, by name.

    The first dimension of ``carry["s"]`` is k rows in time order, the newest last, where k is the longest delay with which
    ``s`` is read; then come the other axes of ``s``, then the dimensions of its value.

    Args:
        rows: the array of rows of each name.
        steps: the number of steps so far; with lengths an array, one number for each sequence.
        equations: identifies the equations of the rows (:attr:`CarriedProgram.equations`); ``None`` if unknown, as for rows
            that were saved.
        axes: what a row of each name varies over; needed by :meth:`take` alone.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, s = ag.input("x", over=t), ag.state("s", over=t)
        >>> s[t] = s[t - 2] + x[t]
        >>> _, carry = ag.compile(s, carry=True)(x=[1.0, 2.0, 3.0])
        >>> carry.steps, carry["s"].tolist()
        (3, [2.0, 4.0])
    """

    def __init__(self, rows: Mapping[str, Any], steps: Any, equations: str | None = None,
                 axes: Mapping[str, tuple[Axis, ...]] | None = None) -> None:  # fmt: skip
        self._rows = {name: np.asarray(array) for name, array in rows.items()}
        self.equations: str | None = equations
        self.axes = axes
        self.buffers: dict[str, Buffer] = {}
        self.steps: Any = int(steps) if np.ndim(steps) == 0 else np.asarray(steps, np.int64)

    def reserve(self, batches: Mapping[str, tuple[int, ...]], steps: int) -> None:
        """Make room for more rows of some values whose rows grow in number.

        Args:
            batches: by name of such a value, the dimensions of its rows over which the numbers of steps vary.
            steps: for how many rows.
        """
        for name, batch in batches.items():
            buffer = self.buffers.get(name)
            rows = self._rows[name]
            before = np.broadcast_to(self.steps, [rows.shape[d] for d in batch]) if batch else self.steps
            if buffer is None or buffer.batch != batch or not buffer.has_room(before, steps):
                self.buffers[name] = Buffer(rows, steps, before, batch)

    def take(self, batch: Axis, parents: Any) -> Carry:
        """Return the carry of some sequences of a batch, in any order and number: of those that a beam search goes on with.

        Args:
            batch: the axis of the sequences.
            parents: the place of each sequence that is wanted, integers.

        Raises:
            CarryError: nothing that is carried varies over the axis; a place is not in the batch.

        Example:
            >>> import autograd_seq as ag
            >>> t, b = ag.Axis("t"), ag.Axis("b")
            >>> x, s = ag.input("x", over=(t, b)), ag.state("s", over=(t, b))
            >>> s[t] = s[t - 1] + x[t]
            >>> _, carry = ag.compile(s, carry=True)(x=[[1.0, 2.0, 3.0]])
            >>> carry.take(b, [2, 0, 0])["s"].tolist()
            [[3.0, 1.0, 1.0]]
        """
        places = np.asarray(parents)
        axes = self.axes or {}
        sizes = {self._rows[name].shape[1 + over.index(batch)] for name, over in axes.items() if batch in over}
        if places.dtype.kind not in "iu" or places.ndim != 1 or len(sizes) != 1:
            raise CarryError(
                "K119", f"sequences along {batch} cannot be taken from {self!r}",
                expected=f"a list of integers, and rows that vary over {batch}",
                got=repr(parents)[:80], fix="carry.take(b, [0, 0, 2]), of a carry that a program returned",
            )  # fmt: skip
        (size,) = sizes
        if places.size and not 0 <= places.min() <= places.max() < size:
            raise CarryError("K120", f"the carry has {size} sequences along {batch}, and {places.tolist()} are asked for",
                             expected=f"0 … {size - 1}", got=repr(parents)[:80])  # fmt: skip
        rows = {name: np.take(array, places, 1 + axes[name].index(batch)) if batch in axes[name] else array
                for name, array in self._rows.items()}  # fmt: skip
        steps = self.steps[places] if np.ndim(self.steps) == 1 else self.steps
        return Carry(rows, steps, self.equations, axes)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        held = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in self.items())
        return f"<Carry after {self.steps} steps: {make_printable(held) or 'nothing'}>"


def check_carry(carry: Any, equations: str, axis: Axis, slots: Sequence[Slot]) -> None:
    """Refuse a carry of other equations, or one whose rows do not fit ``slots``.

    Raises:
        CarryError: the carry comes from another program, or its rows do not fit.
    """
    if not isinstance(carry, Carry):
        raise CarryError(
            "K107", f"carry= is given a value of {type(carry).__name__}, not what an earlier call returned",
            expected="an ag.Carry, or None to start",
            got=repr(carry)[:80], fix="outs, carry = program(carry, …); pass feeds by name: x=…, or a dict as **feeds",
        )  # fmt: skip
    if carry.equations is equations:
        return  # this program returned it
    known = {slot.name: slot for slot in slots}
    if carry.equations not in (None, equations) and set(carry) == set(known):
        named = ", ".join(known) or axis.name
        raise CarryError(
            "K112", "the carry comes from other equations", expected=f"rows of this program's equations of {named}",
            got=f"{carry!r} of a program with other equations",
            fix="start this program with carry=None, or pass the rows alone: ag.Carry(dict(carry), carry.steps)",
        )  # fmt: skip
    if set(carry) != set(known):
        raise CarryError(
            "K108", "the carry comes from another program", expected=f"rows of {', '.join(known) or 'nothing'}",
            got=f"rows of {', '.join(carry) or 'nothing'}", fix="start this program with carry=None",
        )  # fmt: skip
    for name, slot in known.items():
        got, rank = carry[name], 1 + len(slot.axes) + len(slot.shape)
        fits = (
            got.ndim == rank
            and (got.shape[0] == slot.rows or slot.grows is not None)
            and got.shape[1 + len(slot.axes) :] == slot.shape
        )
        if not fits or _get_kind(got) is not slot.dtype:
            raise CarryError(
                "K109", f"the carried rows of {name} are {got.dtype} of shape {got.shape}", node=name,
                expected=_describe_rows(slot),
                got=f"{got.shape} {got.dtype}", fix="pass what the call before returned, unchanged",
            )  # fmt: skip


def find_batch_misfit(
    carry: Carry, given: Mapping[str, Any], graph: System, axis: Axis, slots: Sequence[Slot]
) -> CarryError | None:
    """Return the error if the carried rows and the feeds differ in the length of an axis, else ``None``."""
    fed = [(b, n, name) for name, node in graph.inputs.items() if name in given
            for b, n in zip(node.axes, np.shape(given[name]), strict=False) if b is not axis]  # fmt: skip
    for slot in slots:
        has = dict(zip(slot.axes, carry[slot.name].shape[1:], strict=False))
        for b, n, name in fed:
            if has.get(b, n) != n:
                return CarryError(
                    "K110", f"the carry has {b}={has[b]}, and the feeds have {b}={n}", node=slot.name,
                    expected=f"a carry of {b}={n}, as {name} has", got=f"{b}={has[b]} in {carry!r}",
                    fix="start a new batch with carry=None",
                )  # fmt: skip
    return None


def _get_kind(array: np.ndarray) -> type | None:
    return get_kind(array) if array.dtype.kind in "fciub" else None


def _describe_rows(slot: Slot) -> str:
    dims = [str(slot.rows), *(a.name for a in slot.axes), *map(str, slot.shape)]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''}) {slot.dtype.__name__}"


__all__ = ["Buffer", "Carry", "add_rows", "check_carry", "find_batch_misfit"]
