"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ADVICE = b"\nending after this step; Ctrl-C again ends at once\n"


@contextmanager
def hold_interrupts(advise: bool) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C was pressed; the second time it raises KeyboardInterrupt as ever.

    Args:
        advise: whether to say so on the standard error stream.

    Notes:
        Outside of the main thread, and where the program has a handler of its own, everything stays as it is.
    """
    pressed: list[int] = []

    def note(number: int, frame: Any) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        if advise:
            os.write(2, _ADVICE)  # streams must not be written to from here: they may be in use

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


__all__ = ["hold_interrupts"]
