"""Sources of programs are run here, and tracebacks show their lines for as long as the program is there."""

from __future__ import annotations

import builtins
import linecache
import weakref
from collections import Counter
from threading import RLock
from typing import Any

_LIVING: Counter[str] = Counter()
_LOCK = RLock()  # a program may be collected while another one is counted


def execute(source: str, name: str, names: dict[str, Any], main: str = "program") -> Any:
    """Run a source, and return its main function, which is to be kept for as long as something runs that it has made.

    Args:
        source: the program, as text.
        name: what tracebacks call it, the same for the same text.
        names: what it finds beside what it defines.
        main: what the function is called.
    """
    with _LOCK:
        _LIVING[name] += 1
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(builtins.compile(source, name, "exec"), names)
    program = names[main]

    def call_program(*sizes: Any) -> Any:
        return program(*sizes)

    weakref.finalize(call_program, _forget, name).atexit = False  # numba lets go of nothing that it has compiled
    return call_program


def _forget(name: str) -> None:
    with _LOCK:
        _LIVING[name] -= 1
        if not _LIVING[name]:
            del _LIVING[name]
            linecache.cache.pop(name, None)


__all__ = ["execute"]
