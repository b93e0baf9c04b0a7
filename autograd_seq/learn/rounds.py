"""The batches of a training, epoch after epoch, from any position on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

from autograd_seq.core.errors import OperationError
from autograd_seq.core.kinds import as_count
from autograd_seq.learn.feeding import Batches as CutBatches
from autograd_seq.learn.result import Feeds

Batches = Feeds | Iterable[Feeds] | Callable[[int], Iterable[Feeds]]


class Rounds:
    """The batches of all epochs.

    Args:
        batches: feeds, the same at every step; an iterable of feeds, one a step; or a function from the number of an epoch to
            such an iterable.
        steps: the largest number of steps, or ``None``.
        epochs: the number of epochs; ``None`` for one, and of a function or of the same feeds for as many as there are steps.

    Attributes:
        total: how many steps there will be; ``None`` where that is not known.
        same: the feeds, where they are the same at every step.
        drawn: whether batches come from a function of one's own or an iterator, which may draw others each time.
        epoch, batch, done: the position: the number of the epoch, how many of its batches have come, and how many in all.

    Raises:
        OperationError: neither ends it, a number is none, or an iterator is to be gone through again.
    """

    def __init__(self, batches: Any, steps: Any, epochs: Any) -> None:
        self.steps, self.epochs = _check_number("L110", "steps", steps), _check_number("L122", "epochs", epochs)
        self._make: Callable[[int], Iterable[Feeds]]
        known: int | None = None
        self.same = batches if isinstance(batches, Mapping) else None
        if self.same is not None:
            self._make, known = lambda epoch: [batches], 1
        elif isinstance(batches, Iterable):
            self._make, known = lambda epoch: batches, len(batches) if isinstance(batches, Sized) else None
            if self.epochs is None:
                self.epochs = 1
            if self.epochs > 1 and iter(batches) is batches:
                raise OperationError(
                    "L118", "an iterator can be gone through once, and several epochs are asked for", got=f"epochs={epochs}",
                    expected="a list of feeds, or a function of the number of the epoch",
                    fix="batches=lambda epoch: …, which makes those of an epoch",
                )  # fmt: skip
        elif callable(batches):
            self._make, known = batches, len(batches) if isinstance(batches, Sized) else None
        else:
            raise OperationError(
                "L112", f"batches= is a value of {type(batches).__name__}, neither feeds nor an iterable of feeds",
                expected="a dict of feeds, an iterable of such, or a function from the epoch to one", got=repr(batches)[:80],
            )  # fmt: skip
        if self.steps is None and self.epochs is None:
            raise OperationError(
                "L111", "steps= is missing, and the training would never end", expected="steps=… or epochs=…",
                got="steps=None, epochs=None", fix="give the number of steps, or a list of batches",
            )  # fmt: skip
        limits = [self.steps] if self.steps is not None else []
        if known is not None and self.epochs is not None:
            limits.append(known * self.epochs)
        self.total = min(limits, default=None)
        self.epoch = self.batch = self.done = 0
        self.drawn = self.same is None and not isinstance(batches, (Sequence, CutBatches))
        self._known = known
        self._left: Iterator[Feeds] | None = None
        self._ahead: list[Feeds] = []

    def go_on(self, epoch: int, batch: int, done: int) -> Feeds | None:
        """Go to a position; return the batch before it, or ``None`` if its epoch does not hold that many.

        Args:
            epoch, batch, done: the position, after at least one batch of that epoch.
        """
        self.epoch, self.batch, self.done = epoch, batch, done
        self._left = _skip(self._make(epoch), batch - 1)
        return next(self._left, None)

    def __iter__(self) -> Iterator[Feeds]:
        while (self.epochs is None or self.epoch < self.epochs) and not self._is_full():
            left = self._left = iter(self._make(self.epoch)) if self._left is None else self._left
            while not self._is_full():
                batch = self._ahead.pop() if self._ahead else next(left, _END)
                if batch is _END:
                    break
                self.batch, self.done = self.batch + 1, self.done + 1
                yield batch
            else:
                return
            if self.batch == 0 and self.epochs is None:
                raise OperationError("L119", f"epoch {self.epoch} has no batch, and the training would never end",
                                     expected="one dict of feeds or more", got="none")  # fmt: skip
            self.epoch, self.batch, self._left = self.epoch + 1, 0, None

    def _is_full(self) -> bool:
        return self.steps is not None and self.done >= self.steps

    def ends_epoch(self) -> bool:
        """Tell whether the last batch ends its epoch, or the training; where that is not known the next one is made."""
        if self.done == self.total or self._is_full():
            return True
        if self._known is not None:
            return self.batch >= self._known
        if not self._ahead:
            self._ahead.append(_END if self._left is None else next(self._left, _END))
        return self._ahead[0] is _END


_END: Any = object()


def _skip(batches: Iterable[Feeds], count: int) -> Iterator[Feeds]:
    """Go through batches but the first few, without making these where they can be had by number."""
    if count and isinstance(batches, Sequence):
        return (batches[i] for i in range(count, len(batches)))
    return islice(iter(batches), count, None)


def _check_number(code: str, what: str, given: Any) -> int | None:
    count = as_count(given, 0)
    if count is None and given is not None:
        raise OperationError(
            code, f"{what}={given!r:.60} is not a number of {what}", expected="an integer ≥ 0, or None", got=repr(given)
        )
    return count


__all__ = ["Batches", "Rounds"]
