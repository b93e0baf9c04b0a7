"""Sequences as arrays: padding, batches of like lengths, parts for training and testing, windows over a long series.

Nothing here reads a clock or a global generator: the same arguments give the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from autograd_seq.core.errors import DataError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import as_count

PATIENCE = 1.0  # seconds without a bar
BLOCK = 4096  # sequences between two updates of the bar


def pad(
    sequences: Sequence[Any], *, value: Any = 0, batch_first: bool = False, progress: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of unequal lengths as one array, and their lengths.

    Args:
        sequences: arrays ``(T_i, …)`` that agree in all dimensions but the first. The result has their common dtype; the dtypes
            of empty sequences are ignored, unless all are empty.
        value: what fills the padding, of a kind that the result can hold: ``np.nan`` needs floats. Programs with ``lengths=``
            never read it.
        batch_first: ``(B, T, …)`` instead of ``(T, B, …)``.
        progress: whether to show a bar, on the standard error stream, if it takes longer than a second.

    Returns:
        ``(array, lengths)``: T is the longest length; the lengths are integers ``(B,)``.

    Raises:
        DataError: there is no sequence, they disagree in a later dimension, or their kind does not hold ``value``.

    Example:
        >>> array, lengths = pad([[1.0, 2.0, 3.0], [4.0]])
        >>> array.tolist(), lengths.tolist()
        ([[1.0, 4.0], [2.0, 0.0], [3.0, 0.0]], [3, 1])

    Notes:
        It takes about half a microsecond per sequence if that is an array, one and a half if it is a list of twenty numbers.
    """
    given, arrays = list(sequences), []
    for block in _iterate_blocks("reading sequences", len(given), progress):
        arrays += [_as_sequence(s) for s in given[block]]
    if not arrays:
        raise DataError("B201", "pad is given no sequences", expected="one sequence or more", got="none")
    shapes = {a.shape[1:] for a in arrays}
    if len(shapes) > 1 or any(a.ndim == 0 for a in arrays):
        raise DataError(
            "B202", "sequences differ in more than their lengths", expected="arrays (T, …) alike after the first dimension",
            got=", ".join(str(a.shape) for a in arrays[:4]), fix="an empty sequence has a shape too: np.zeros((0, D))",
        )  # fmt: skip
    lengths = np.array([len(a) for a in arrays], np.int64)
    dtype = np.result_type(*dict.fromkeys(a.dtype for a in [a for a in arrays if len(a)] or arrays))
    if not _can_hold(dtype, value):
        raise DataError(
            "B207", f"padding with {value!r:.60} does not fit sequences of {dtype}", expected=f"a value of {dtype}",
            got=repr(value)[:80], fix="value=0, or give sequences of a wider kind: floats hold NaN too",
        )  # fmt: skip
    out = np.full((len(arrays), lengths.max(), *shapes.pop()), value, dtype)
    for block in _iterate_blocks("padding", len(arrays), progress):
        for row, a in zip(out[block], arrays[block], strict=True):
            row[: len(a)] = a
    return (out if batch_first else np.ascontiguousarray(out.swapaxes(0, 1))), lengths


def _as_sequence(given: Any) -> np.ndarray:
    try:
        return np.asarray(given)
    except ValueError:
        raise DataError(
            "B211", "the steps of a sequence differ in shape", expected="arrays (T, …) alike after the first dimension",
            got=repr(given)[:80], fix="fill up the shorter steps first",
        ) from None  # fmt: skip


def _can_hold(dtype: np.dtype, value: Any) -> bool:
    """Tell whether a dtype can hold this value, apart from the rounding of floats."""
    if dtype.kind not in "biufc":
        return True
    try:
        given = np.asarray(value)
        if dtype.kind in "biu":
            low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
            return all(low <= v <= high and v == int(v) for v in given.reshape(-1).tolist())
        if given.dtype.kind == "c" and dtype.kind == "f":
            return False
        with np.errstate(over="ignore"):
            kept = given.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        return False
    return not (np.isinf(kept) & (kept != given)).any()


def _iterate_blocks(what: str, count: int, progress: bool) -> Iterator[slice]:
    """Yield the parts of ``count`` sequences one after the other, and show a bar if that takes long."""
    with tqdm(total=count, desc=what, unit="sequence", dynamic_ncols=True, delay=PATIENCE, disable=not progress) as bar:
        for start in range(0, count, BLOCK):
            yield slice(start, start + BLOCK)
            bar.update(min(BLOCK, count - start))


def buckets(lengths: Any, batch: int, *, seed: int | None = None, drop_last: bool = False) -> list[np.ndarray]:
    """Return batches of sequences of like lengths, so that little is padded.

    Args:
        lengths: the lengths of all sequences, ``(N,)``.
        batch: how many sequences a batch holds; the last one may hold fewer.
        seed: shuffles sequences of equal length and the order of the batches; ``None`` keeps both sorted.
        drop_last: make full batches only, and leave out up to ``batch`` − 1 sequences: random ones that depend on the seed,
            or the longest without a seed.

    Returns:
        Arrays of indices, in which each sequence that is not left out occurs once.

    Raises:
        DataError: ``batch`` is no number of sequences.

    Example:
        >>> [b.tolist() for b in buckets([5, 1, 4, 1, 9], batch=2)]
        [[1, 3], [2, 0], [4]]

    Notes:
        A sort: N log N.
    """
    n, size = np.asarray(lengths).reshape(-1), check_count(batch, "batch=")
    order = np.arange(len(n)) if seed is None else np.random.default_rng(seed).permutation(len(n))
    surplus = len(n) % size if drop_last else 0
    if seed is not None:
        order = order[surplus:]
    order = order[np.argsort(n[order], kind="stable")][: len(n) - surplus]
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    if seed is not None:
        parts = [parts[i] for i in np.random.default_rng([seed, 1]).permutation(len(parts))]
    return parts


def split(count: int, fractions: Sequence[float], *, seed: int | None = None) -> list[np.ndarray]:
    """Return disjoint parts of ``count`` examples, for training, validation and test.

    Args:
        count: how many examples there are.
        fractions: of the parts; they add up to 1. Rounding leaves no example out.
        seed: shuffles the examples; ``None`` keeps the order, as for time series.

    Returns:
        For each fraction an array of indices.

    Raises:
        DataError: ``count`` is not a number of examples, or the fractions are not numbers ≥ 0 that add up to 1.

    Example:
        >>> [part.tolist() for part in split(5, [0.6, 0.4])]
        [[0, 1, 2], [3, 4]]
    """
    count = check_count(count, "count=", least=0)
    try:
        shares = np.asarray(fractions, float)
    except (TypeError, ValueError):
        shares = np.empty(0)
    if shares.ndim != 1 or not shares.size or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-9:
        added = shares.ndim == 1 and shares.size and (shares >= 0).all()
        wrong = f"add up to 1, got {shares.sum():.6g}" if added else "be numbers ≥ 0 that add up to 1"
        raise DataError("B203", f"fractions must {wrong}", expected="e.g. [0.8, 0.1, 0.1]", got=repr(fractions)[:80])
    order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
    ends = np.rint(np.cumsum(shares) * count).astype(int)
    return np.split(order, ends[:-1])


def shuffled(seed: int, *arrays: Any, axis: int = 0) -> tuple[np.ndarray, ...]:
    """Return arrays with their examples shuffled, all in the same order.

    Args:
        seed: of the order.
        arrays: alike in length along ``axis``.
        axis: the dimension of the examples: 1 for ``(T, B, …)``.

    Returns:
        The arrays, copied, in their order.

    Raises:
        DataError: an array has no dimension ``axis``, or another length along it.

    Example:
        >>> x, l = shuffled(0, [10, 20, 30], [1, 2, 3])
        >>> (x == 10 * l).all()
        np.True_
    """
    several = [np.asarray(a) for a in arrays]
    if any(axis not in range(-a.ndim, a.ndim) for a in several):
        raise DataError(
            "B208", f"cannot shuffle along dimension {axis!r:.60}, which an array lacks",
            got=", ".join(str(a.shape) for a in several),
            expected=f"dimension {axis!r} in each", fix="axis=0 for (B, …), axis=1 for (T, B, …)",
        )  # fmt: skip
    lengths = {a.shape[axis] for a in several}
    if len(lengths) > 1:
        raise DataError(
            "B204", "arrays to shuffle together differ in length", got=", ".join(str(a.shape) for a in several),
            expected=f"the same along dimension {axis}",
        )  # fmt: skip
    order = np.random.default_rng(seed).permutation(lengths.pop() if lengths else 0)
    return tuple(np.take(a, order, axis=axis) for a in several)


def windows(series: Any, size: int, *, step: int = 1) -> np.ndarray:
    """Return all windows of a long series, without copying it.

    Args:
        series: ``(T, …)``.
        size: steps of a window.
        step: from the start of one window to that of the next.

    Returns:
        ``(size, N, …)``, time first and the windows as a batch: a read-only view of the series, N = (T − size) // step + 1,
        or 0 where the series is shorter.

    Example:
        >>> windows(np.arange(5.0), 3).T.tolist()
        [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]

    Notes:
        Nothing is copied, whatever T and ``size``; a batch of windows that is fed is.
    """
    a, size, step = np.asarray(series), check_count(size, "size="), check_count(step, "step=")
    if a.ndim == 0:
        raise DataError(
            "B205", f"windows is given the number {series!r:.60}, not a series", expected="an array (T, …)",
            got=repr(series)[:80],
        )  # fmt: skip
    if len(a) < size:
        return np.empty((size, 0, *a.shape[1:]), a.dtype)
    view = np.lib.stride_tricks.sliding_window_view(a, size, axis=0)[::step]
    return np.moveaxis(view, -1, 0)


def check_count(value: Any, what: str, *, least: int = 1) -> int:
    """Return a number of examples or steps as an integer.

    Raises:
        DataError: it is none, or less than ``least``.
    """
    n = as_count(value, least)
    if n is None:
        raise DataError("B206", f"{what}{value!r:.60} is not a number of examples or steps", expected=f"an integer ≥ {least}",
                        got=repr(value))  # fmt: skip
    return n


explain_keywords(globals(), ["buckets", "pad", "shuffled", "split", "windows"])
