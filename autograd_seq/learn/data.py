"""Sequences as arrays: padding, batches of like lengths, parts for training and testing, windows over a long series.

Nothing here reads a clock or a global generator: the same arguments give the same result.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from autograd_seq.errors import DataError

_PATIENCE = 1.0  # seconds without a bar
_BLOCK = 4096  # sequences from one look at the bar to the next, which then costs nothing


def pad(
    sequences: Sequence[Any], *, value: Any = 0, batch_first: bool = False, progress: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of unequal lengths as one array, and their lengths.

    Args:
        sequences: arrays ``(T_i, …)`` that agree in all dimensions but the first.
        value: what fills the padding. Programs with ``lengths=`` never see it.
        batch_first: ``(B, T, …)`` instead of ``(T, B, …)``.
        progress: whether to show a bar, on the standard error stream, where it takes longer than a second.

    Returns:
        ``(array, lengths)``: T is the longest length; the lengths are integers ``(B,)``.

    Raises:
        DataError: there is no sequence, or they disagree in a later dimension.

    Example:
        >>> array, lengths = pad([[1.0, 2.0, 3.0], [4.0]])
        >>> array.tolist(), lengths.tolist()
        ([[1.0, 4.0], [2.0, 0.0], [3.0, 0.0]], [3, 1])

    Notes:
        About half a microsecond a sequence of numbers in an array, one and a half in a list of twenty.
    """
    given, arrays = list(sequences), []
    for block in _blocks("reading sequences", len(given), progress):
        arrays += [np.asarray(s) for s in given[block]]
    if not arrays:
        raise DataError("B201", "there is nothing to pad", expected="one sequence or more", got="none")
    shapes = {a.shape[1:] for a in arrays}
    if len(shapes) > 1 or any(a.ndim == 0 for a in arrays):
        raise DataError(
            "B202", "sequences differ in more than their lengths", expected="arrays (T, …) alike behind the first dimension",
            got=", ".join(str(a.shape) for a in arrays[:4]), fix="an empty sequence has a shape too: np.zeros((0, D))",
        )  # fmt: skip
    lengths = np.array([len(a) for a in arrays], np.int64)
    out = np.full((len(arrays), lengths.max(), *shapes.pop()), value, np.result_type(*arrays))
    for block in _blocks("padding", len(arrays), progress):
        for row, a in zip(out[block], arrays[block], strict=True):
            row[: len(a)] = a
    return (out if batch_first else np.ascontiguousarray(out.swapaxes(0, 1))), lengths


def _blocks(what: str, count: int, progress: bool) -> Iterator[slice]:
    """Return the parts of ``count`` sequences one after the other, a bar meanwhile if it takes long."""
    with tqdm(total=count, desc=what, unit="sequence", dynamic_ncols=True, delay=_PATIENCE, disable=not progress) as bar:
        for start in range(0, count, _BLOCK):
            yield slice(start, start + _BLOCK)
            bar.update(min(_BLOCK, count - start))


def buckets(lengths: Any, batch: int, *, seed: int | None = None, drop_last: bool = False) -> list[np.ndarray]:
    """Return batches of sequences of like lengths, so that little is padded.

    Args:
        lengths: of all sequences, ``(N,)``.
        batch: how many sequences a batch holds; the last one may hold fewer.
        seed: shuffles sequences of one length and the order of the batches; ``None`` keeps both sorted.
        drop_last: leave out a batch that is not full.

    Returns:
        Arrays of indices, which together name each sequence once.

    Example:
        >>> [b.tolist() for b in buckets([5, 1, 4, 1, 9], batch=2)]
        [[1, 3], [2, 0], [4]]
    """
    n, size = np.asarray(lengths).reshape(-1), _positive(batch, "batch=")
    order = np.arange(len(n)) if seed is None else np.random.default_rng(seed).permutation(len(n))
    order = order[np.argsort(n[order], kind="stable")]
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    if drop_last and parts and len(parts[-1]) < size:
        parts.pop()
    if seed is not None:
        parts = [parts[i] for i in np.random.default_rng([seed, 1]).permutation(len(parts))]
    return parts


def split(count: int, fractions: Sequence[float], *, seed: int | None = None) -> list[np.ndarray]:
    """Return disjoint parts of ``count`` examples, for training, validation and test.

    Args:
        count: how many examples there are.
        fractions: of the parts; they add up to 1. Rounding leaves no example out.
        seed: shuffles; ``None`` keeps the order, as a series in time wants it.

    Returns:
        For each fraction an array of indices.

    Raises:
        DataError: the fractions are negative or do not add up to 1.

    Example:
        >>> [part.tolist() for part in split(5, [0.6, 0.4])]
        [[0, 1, 2], [3, 4]]
    """
    shares = np.asarray(fractions, float)
    if shares.ndim != 1 or not shares.size or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise DataError("B203", "fractions add up to 1", expected="e.g. [0.8, 0.1, 0.1]", got=repr(fractions)[:80])
    order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
    ends = np.rint(np.cumsum(shares) * count).astype(int)
    return np.split(order, ends[:-1])


def shuffled(seed: int, *arrays: Any, axis: int = 0) -> tuple[np.ndarray, ...]:
    """Return arrays with their examples in one other order, the same for all.

    Args:
        seed: of the order.
        arrays: alike in length along ``axis``.
        axis: the dimension of the examples: 1 for ``(T, B, …)``.

    Example:
        >>> x, l = shuffled(0, [10, 20, 30], [1, 2, 3])
        >>> (x == 10 * l).all()
        np.True_
    """
    several = [np.asarray(a) for a in arrays]
    lengths = {a.shape[axis] for a in several}
    if len(lengths) > 1:
        raise DataError(
            "B204", "arrays that are shuffled together have one length", got=", ".join(str(a.shape) for a in several),
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
    """
    a, size, step = np.asarray(series), _positive(size, "size="), _positive(step, "step=")
    if a.ndim == 0:
        raise DataError("B205", "a series has steps", expected="an array (T, …)", got=repr(series)[:80])
    if len(a) < size:
        return np.empty((size, 0, *a.shape[1:]), a.dtype)
    view = np.lib.stride_tricks.sliding_window_view(a, size, axis=0)[::step]
    return np.moveaxis(view, -1, 0)


def _positive(value: Any, what: str) -> int:
    try:
        n = operator.index(value)
    except TypeError:
        n = 0
    if n < 1:
        raise DataError("B206", f"{what} is a number of examples or steps", expected="an integer ≥ 1", got=repr(value))
    return n
