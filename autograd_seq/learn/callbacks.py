"""What a training calls after each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from autograd_seq.core.errors import OperationError
from autograd_seq.learn.logs import Log
from autograd_seq.learn.optim import Arrays
from autograd_seq.learn.result import Moment
from autograd_seq.learn.rounds import Rounds


class Callbacks:
    """The callbacks of a training."""

    def __init__(self, on_step: Callable[[int, float, Arrays], Any] | None, callbacks: Any) -> None:
        self.on_step, self.callbacks, self.began = on_step, list_callbacks(on_step, callbacks), time.perf_counter()

    def start(self, step: int, stack: ExitStack) -> None:
        """Open the logs; they are closed at the end of the stack."""
        for log in self.callbacks:
            if isinstance(log, Log):
                log.start(step)
                stack.callback(log.close)

    def show(self, rounds: Rounds, loss: float, norm: float, valid: float | None, params: Arrays) -> bool:
        """Call them; return whether one of them ends the training."""
        number = rounds.done - 1
        ended = self.on_step is not None and self.on_step(number, loss, params) is True
        if self.callbacks:
            seconds = round(time.perf_counter() - self.began, 6)
            moment = Moment(number, rounds.epoch, loss, norm, valid, seconds, params)
            for call in self.callbacks:
                ended = call(moment) is True or ended
        return ended


def list_callbacks(on_step: Any, callbacks: Any) -> list[Any]:
    """Return callbacks as a list.

    Raises:
        OperationError: one of them, or ``on_step``, cannot be called.
    """
    found = [callbacks] if callable(callbacks) else list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    given = [*(("callbacks=", call) for call in found), *([] if on_step is None else [("on_step=", on_step)])]
    for word, call in given:
        if not callable(call):
            raise OperationError("L151", f"{word} holds {call!r:.60}, which cannot be called", expected="functions",
                                 got=type(call).__name__, fix="callbacks=[lambda moment: print(moment.loss)]")  # fmt: skip
    return found


__all__ = ["Callbacks", "list_callbacks"]
