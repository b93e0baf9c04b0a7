"""Feeds cut into batches of examples, and into segments of long sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from autograd_seq.core.errors import DataError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.learn.data import check_count
from autograd_seq.learn.result import Feeds


class Batches:
    """A function from the number of an epoch to its batches. Made by :func:`batches`."""

    def __init__(
        self, feeds: Feeds, size: int, axis: int | Mapping[str, int | None], seed: int | None, drop_last: bool
    ) -> None:
        self._size, self._seed = check_count(size, "size="), seed
        _check_feeds(feeds)
        places = {name: axis.get(name) if isinstance(axis, Mapping) else axis for name in feeds if name != "lengths"}
        self._feeds = {name: value if name == "lengths" else np.asarray(value) for name, value in feeds.items()}
        self._places = {name: k for name, k in places.items() if k is not None}
        counts = {name: _get_length(self._feeds[name], name, k) for name, k in self._places.items()}
        if len({*counts.values()}) != 1:
            raise DataError(
                "B212", "feeds differ in the number of examples", expected="the same number in each that is cut into batches",
                got=", ".join(f"{name}: {n}" for name, n in counts.items()) or "no feeds",
                fix="axis={name: dimension} gives the dimension of the examples of each; those that are left out are fed whole",
            )  # fmt: skip
        self.count = next(iter(counts.values()))
        if isinstance(lengths := self._feeds.get("lengths"), Mapping):
            for of, n in lengths.items():
                if np.shape(n)[:1] != (self.count,):
                    raise DataError("B215", f"lengths of {of} are not one for each example", got=f"shape {np.shape(n)}",
                                    expected=f"{self.count}, one for each example")  # fmt: skip
        self.starts = range(0, self.count - (self._size - 1 if drop_last else 0), self._size)

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        return len(self.starts)

    def __repr__(self) -> str:
        return f"<{len(self)} batches an epoch, of at most {self._size} of {self.count} examples>"

    def __call__(self, epoch: int) -> Sequence[Feeds]:
        order = (
            np.arange(self.count) if self._seed is None else np.random.default_rng([self._seed, epoch]).permutation(self.count)
        )
        return _Epoch(self, order)

    def take(self, chosen: np.ndarray) -> Feeds:
        """Return the feeds of some examples."""
        made = dict(self._feeds)
        for name, k in self._places.items():
            made[name] = np.take(self._feeds[name], chosen, axis=k)
        if isinstance(lengths := made.get("lengths"), Mapping):
            made["lengths"] = {key: np.take(n, chosen, axis=0) for key, n in lengths.items()}
        return made


def _check_feeds(feeds: Any) -> None:
    if not isinstance(feeds, Mapping):
        raise DataError("B216", f"feeds are a value of {type(feeds).__name__}", expected="a dict of arrays by name",
                        got=repr(feeds)[:80], fix='{"x": …, "l": …}')  # fmt: skip


def _get_length(array: np.ndarray, name: str, axis: int) -> int:
    if axis not in range(-array.ndim, array.ndim):
        raise DataError("B213", f"{name} has no dimension {axis!r:.60} to cut along", node=name,
                        expected=f"a dimension {axis!r:.60}", got=f"an array of shape {array.shape}",
                        fix=f'axis={{"{name}": 0, …}}')  # fmt: skip
    return int(array.shape[axis])


class _Epoch(Sequence[Feeds]):
    """The batches of an epoch, each cut when it is asked for."""

    def __init__(self, batches: Batches, order: np.ndarray) -> None:
        self._batches, self._order = batches, order

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Feeds]:
        return (self[i] for i in range(len(self)))  # by itself a sequence takes an IndexError for its end

    @overload
    def __getitem__(self, i: int) -> Feeds: ...

    @overload
    def __getitem__(self, i: slice) -> Sequence[Feeds]: ...

    def __getitem__(self, i: int | slice) -> Feeds | Sequence[Feeds]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        start = self._batches.starts[i]
        return self._batches.take(self._order[start : start + self._batches._size])


def batches(
    feeds: Feeds, size: int, *, axis: int | Mapping[str, int | None] = 1, seed: int | None = 0, drop_last: bool = False
) -> Batches:
    """Return a function from the number of an epoch to its batches, for :func:`train`: all examples, each once, in a new order.

    Args:
        feeds: all examples, arrays by name; ``lengths`` by axis, of all sequences.
        size: examples of a batch; the last one of an epoch may hold fewer.
        axis: the dimension of the examples: 1 for ``(T, B, …)``, 0 for ``(B, …)``; or a dict from name to dimension, and feeds
            that it leaves out are the same in all batches.
        seed: the order depends on it and on the epoch; ``None`` keeps the order of the feeds.
        drop_last: whether examples that do not fill a batch are left out of their epoch.

    Returns:
        The function, with as many batches an epoch as its ``len``.

    Raises:
        DataError: feeds differ in the number of examples, or lack the dimension; ``size`` is no number of examples.

    Example:
        >>> epoch = batches({"x": np.array([[1, 2, 3, 4, 5]])}, 2)(0)
        >>> len(epoch), sorted(int(x) for batch in epoch for x in batch["x"][0])
        (3, [1, 2, 3, 4, 5])

    Notes:
        A batch is cut when it is asked for; a training that resumes asks for no earlier ones.
    """
    return Batches(feeds, size, axis, seed, drop_last)


def segments(feeds: Feeds, size: int, *, axis: int | Mapping[str, int | None] = 0) -> list[dict[str, Any]]:
    """Return the segments of long sequences one after the other, for a step that carries its states from segment to segment.

    Args:
        feeds: arrays by name; ``lengths`` by axis, where the sequences are padded.
        size: steps of a segment; the last one may be shorter.
        axis: the dimension of the steps: 0 for ``(T, B, …)``; or a dict from name to dimension, and feeds that it leaves out
            are the same in all segments.

    Returns:
        Feeds, one dict a segment; views of the arrays. The first one starts anew: it feeds ``carry=None``. So several lists can
        be joined: ``lambda epoch: [piece for batch in batches(epoch) for piece in segments(batch, 100)]``.

    Raises:
        DataError: feeds differ in the number of steps, or lack the dimension; ``size`` is no number of steps.

    Example:
        >>> [piece["x"].tolist() for piece in segments({"x": [1, 2, 3, 4, 5]}, 2)]
        [[1, 2], [3, 4], [5]]

    Notes:
        Views of the feeds: nothing is copied.
    """
    size = check_count(size, "size=")
    _check_feeds(feeds)
    arrays = {name: np.asarray(value) for name, value in feeds.items() if name != "lengths"}
    places = {name: axis.get(name) if isinstance(axis, Mapping) else axis for name in arrays}
    counts = {name: _get_length(arrays[name], name, k) for name, k in places.items() if k is not None}
    if len({*counts.values()}) != 1:
        raise DataError("B214", "feeds differ in the number of steps", expected="the same number in each that is cut",
                        got=", ".join(f"{name}: {n}" for name, n in counts.items()) or "no feeds",
                        fix="axis={name: dimension} leaves out what does not vary over the steps")  # fmt: skip
    made: list[dict[str, Any]] = []
    for start in range(0, next(iter(counts.values())), size):
        piece: dict[str, Any] = {} if made else {"carry": None}
        for name, array in arrays.items():
            k = places[name]
            piece[name] = array if k is None else array[(slice(None),) * (k % array.ndim) + (slice(start, start + size),)]
        if isinstance(lengths := feeds.get("lengths"), Mapping):
            piece["lengths"] = {key: np.clip(np.asarray(n) - start, 0, size) for key, n in lengths.items()}
        made.append(piece)
    return made


__all__ = ["Batches", "batches", "segments"]
explain_keywords(globals(), ["batches", "segments"])
