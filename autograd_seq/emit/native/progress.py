"""A line on the terminal while native code is compiled, if that takes long; it is erased afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from time import monotonic

from autograd_seq.emit.native.cache import examine_folder

PATIENCE = 2.0
"""Seconds after which the line is written."""

_GAP = 1.0  # compilations at most so many seconds apart belong to one call
_series = [0.0, float("-inf")]  # when the first compilation of a call began, and the last one ended


@contextmanager
def compiling() -> Iterator[None]:
    """Show a line on the terminal if the compilation within takes long; write nothing if stderr is not a terminal."""
    screen = sys.stderr
    if screen is None or not screen.isatty():
        yield
        return
    lock, written, over = Lock(), "", False

    def write() -> None:
        nonlocal written
        folder, why = examine_folder()
        with lock:
            if not over:
                written = f"compiling to native code ({f'kept in {folder}' if folder else f'not kept: {why}'}) …"
                screen.write(f"\r{written}")
                screen.flush()

    now = monotonic()
    if now - _series[1] > _GAP:
        _series[0] = now
    timer = Timer(max(_series[0] + PATIENCE - now, 0), write)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _series[1] = monotonic()
        with lock:
            over = True
            if written:
                screen.write(f"\r{' ' * len(written)}\r")
                screen.flush()


__all__ = ["PATIENCE", "compiling"]
