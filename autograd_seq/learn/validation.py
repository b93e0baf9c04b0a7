"""Validation while a training runs: the parameters that were best, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.learn.data import check_count
from autograd_seq.learn.optim import Arrays
from autograd_seq.learn.steps import Stepper, check_loss


class Validation:
    """The validation losses of a training.

    Args:
        valid: feeds, several, or a function from the parameters to a number; ``None`` for no validation.
        every: steps between two validations; ``None`` for the end of each epoch.
        patience: how many validations in a row may bring no smaller loss; ``None`` for any number.
        step: computes the loss.
        params: what stands for the best parameters before the first validation.

    Attributes:
        best: the parameters of the least loss.
        least: that loss.
        waited: validations since then.
        seen: for each validation the number of updates before it, and the loss.
    """

    def __init__(self, valid: Any, every: int | None, patience: int | None, step: Stepper, params: Arrays) -> None:
        for name, given in (("validate_every", every), ("patience", patience)):
            if given is not None:
                check_count(given, f"{name}=")
                if valid is None:
                    raise OperationError("L120", f"{name}= is given, and no data for validation", expected="valid=…",
                                         got=f"{name}={given}", fix="valid={…}, the feeds of other examples")  # fmt: skip
        self.every, self.patience = every, patience
        self._judge = None if valid is None else _make_judge(valid, step)
        self.best, self.least, self.waited = params, np.inf, 0
        self.seen: list[tuple[int, float]] = []

    def check_if_due(self, params: Arrays, steps: int, ends_epoch: Callable[[], bool]) -> float | None:
        """Return the validation loss of parameters after so many steps, and keep them if it is the least; ``None`` between."""
        if self._judge is None or not (ends_epoch() if self.every is None else steps % self.every == 0):
            return None
        loss = self._judge(params)
        self.seen.append((steps, loss))
        if loss < self.least:
            self.best, self.least, self.waited = params, loss, 0
        else:
            self.waited += 1
        return loss

    def is_over(self) -> bool:
        """Tell whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience

    def choose(self, last: Arrays) -> Arrays:
        """Return the best parameters; without validation the last ones."""
        return self.best if self._judge is not None and self.least < np.inf else last

    def get_losses(self) -> np.ndarray:
        """Return (k, 2) for each validation the number of updates before it, and the loss."""
        return np.array(self.seen, dtype=float).reshape(-1, 2)

    def as_things(self) -> dict[str, Any]:
        """Return what a file keeps of it, beside the best parameters."""
        return {"least": float(self.least), "waited": self.waited, "losses": self.get_losses()}

    def restore(self, params: Arrays, held: Mapping[str, Any]) -> None:
        """Go on from what a file kept."""
        self.best, self.least, self.waited = params, held["least"], held["waited"]
        self.seen = [(int(steps), float(loss)) for steps, loss in held["losses"]]


def _make_judge(valid: Any, step: Stepper) -> Callable[[Arrays], float]:
    if isinstance(valid, Mapping):
        return lambda params: step.judge([valid], params)
    if isinstance(valid, Iterable):
        several = list(valid)
        if not several or not all(isinstance(feeds, Mapping) for feeds in several):
            raise OperationError(
                "L123", "valid= holds no feeds", expected="a dict of feeds, or several", got=repr(several)[:80]
            )
        return lambda params: step.judge(several, params)
    if callable(valid):
        return lambda params: check_loss(valid(params))
    raise OperationError("L124", f"valid= is a value of {type(valid).__name__}", got=repr(valid)[:80],
                         expected="feeds, several, or a function from the parameters to a number")  # fmt: skip


__all__ = ["Validation"]
