"""Runs the sources of programs; tracebacks show their lines as long as the program exists."""

from __future__ import annotations

import builtins
import linecache
import weakref
from collections import Counter
from threading import RLock
from typing import Any

_LIVING: Counter[str] = Counter()
_LOCK = RLock()  # garbage collection may call _forget while execute holds the lock


def execute(source: str, name: str, names: dict[str, Any], main: str = "program") -> Any:
    """Run a source, and return its main function; tracebacks show the source as long as that function is alive.

    Args:
        source: the program, as text.
        name: the file name in tracebacks; the same for the same text.
        names: the globals of the source, by name.
        main: the name of the main function.
    """
    with _LOCK:
        _LIVING[name] += 1
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(builtins.compile(source, name, "exec"), names)
    program = names[main]

    def call_program(*sizes: Any) -> Any:
        return program(*sizes)

    weakref.finalize(call_program, _forget, name).atexit = False  # numba frees nothing that it has compiled
    return call_program


def _forget(name: str) -> None:
    with _LOCK:
        _LIVING[name] -= 1
        if not _LIVING[name]:
            del _LIVING[name]
            linecache.cache.pop(name, None)


__all__ = ["execute"]
