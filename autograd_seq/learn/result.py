"""What a training returns, what it shows while it runs, and the error that ends one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.analyse.nonfinite import Finding
from autograd_seq.core.errors import AutogradSeqError, EquilibriumError
from autograd_seq.learn.optim import Arrays, State
from autograd_seq.run.carry import Carry

Feeds = Mapping[str, Any]


class Result(NamedTuple):
    """The result of :func:`train`.

    Args:
        params: the parameters after the last update; with ``valid=`` those of the least validation loss.
        state: the optimizer's state, to continue with: ``train(…, result.last, …, state=result.state)``.
        losses: (n,) the loss of each step, before its update; after ``resume=True`` those of the steps before, too.
        norms: (n,) the global norm of the gradients, before clipping.
        interrupted: whether Ctrl-C ended it.
        last: the parameters after the last update.
        valid: (k, 2) for each validation the number of updates before it, and the loss; all, also after ``resume=True``.
        carry: the rows that the next piece of the sequences reads, where the step carries them.
        resumed: how many of the steps were made before ``resume=True``.
    """

    params: Arrays
    state: State
    losses: np.ndarray
    norms: np.ndarray
    interrupted: bool
    last: Arrays
    valid: np.ndarray
    carry: Carry | None = None
    resumed: int = 0

    def __repr__(self) -> str:
        count = len(self.losses)
        numbers = sum(np.size(value) for value in self.params.values())
        went = f": loss {self.losses[0]:.4g} → {self.losses[-1]:.4g}" if count else ""
        best = f", least validation loss {self.valid[:, 1].min():.4g}" if len(self.valid) else ""
        end = ", interrupted" if self.interrupted else ""
        return f"<Result of {count} steps{went}{best}; parameters of {numbers} numbers{end}>"


class Moment(NamedTuple):
    """What callbacks see after each step.

    Args:
        step: its number, from 0.
        epoch: the number of the pass through the data, from 0.
        loss: of the step, before its update.
        norm: the global norm of the gradients, before clipping.
        valid: the validation loss after the update; ``None`` where it was not computed.
        seconds: since the training began.
        params: after the update.
    """

    step: int
    epoch: int
    loss: float
    norm: float
    valid: float | None
    seconds: float
    params: Arrays


class DivergenceError(AutogradSeqError, ArithmeticError):
    """The loss, or a gradient, is not finite, or cannot be computed: an equilibrium does not settle.

    Attributes:
        params: the last parameters whose loss was finite; the initial ones if none was.
        step: the number of the step, from 0.
        loss: its loss.
        losses: (step,) the losses before it.
        finding: the node and the time step that made the first number that is not finite; ``None`` where it was not found.
    """

    def __init__(
        self, what: str, params: Arrays, step: int, loss: float, losses: np.ndarray, fix: Sequence[str],
        finding: Finding | EquilibriumError | None = None,
    ) -> None:  # fmt: skip
        if isinstance(finding, EquilibriumError):
            super().__init__("L145", f"{what} cannot be computed: {finding.what}", expected=finding.expected, got=finding.got,
                             fix=[*(finding.fix or "").splitlines(), *fix], where=finding.where, node=finding.node)  # fmt: skip
            finding = None
        else:
            lines = [] if finding is None else str(finding).split("\n  ")
            first = lines[0].partition("      (")[0] if lines else None  # the line stands beside the sentence already
            super().__init__("L115", f"{what} is not finite", expected="a finite number", got=f"a loss of {loss:.6g}",
                             fix=[*lines[1:], *fix], detail=first, where=finding.where if finding else None)  # fmt: skip
        self.params, self.step, self.loss, self.losses, self.finding = params, step, loss, losses, finding


__all__ = ["DivergenceError", "Feeds", "Moment", "Result"]
