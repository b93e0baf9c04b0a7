"""The BLAS libraries that NumPy and SciPy bring: which kernels they use, and on how many threads.

Several threads pay off for one large product. With many small products in a row the threads synchronise after each one, and
if another process keeps one of the cores busy, every product waits for the scheduler: attention over 256 steps took 5 ms on
one thread and 254 ms on two, one of whose cores was busy. So programs run such products on one thread, whatever is set.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

WIDE = ("skylakex", "cooperlake", "sapphirerapids", "zen4", "zen5")
"""Kernels of OpenBLAS whose vectors have 64 bytes."""

_PREFIXES = [(p, s) for p in ("scipy_openblas", "openblas") for s in ("64_", "")]


class Library(NamedTuple):
    """A BLAS library that is loaded.

    Attributes:
        kernels: the processor that its kernels are written for, such as ``"skylakex"``.
        threads, limit: functions that return and set how many threads a product may use.
    """

    kernels: str
    threads: Callable[[], int]
    limit: Callable[[int], None]


@lru_cache
def find_library(package: str) -> Library | None:
    """Return the OpenBLAS that ``"numpy"`` or ``"scipy"`` has loaded; ``None`` if it has another library.

    Example:
        >>> found = find_library("numpy")
        >>> found is None or found.threads() >= 1
        True
    """
    paths = sorted(_list_paths(package), key=lambda path: f"{package}." not in str(path))
    for path in paths[:1]:
        loaded = ctypes.CDLL(str(path))
        for prefix, suffix in _PREFIXES:
            if hasattr(loaded, f"{prefix}_set_num_threads{suffix}"):
                threads = getattr(loaded, f"{prefix}_get_num_threads{suffix}")
                limit, core = (getattr(loaded, f"{prefix}_{what}{suffix}") for what in ("set_num_threads", "get_corename"))
                limit.argtypes, limit.restype, core.restype = [ctypes.c_int], None, ctypes.c_char_p
                return Library((core() or b"").decode(), threads, limit)
    return None


def _list_paths(package: str) -> list[Path]:
    """Return candidate files: those mapped into memory where the system lists them, else those shipped with the package."""
    if os.path.exists("/proc/self/maps"):
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            return [Path(p) for p in sorted({line.split(maxsplit=5)[5].strip() for line in file if "openblas" in line})]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    home = Path(spec.origin).parent
    return sorted(path for folder in (home.parent / f"{package}.libs", home / ".dylibs") for path in folder.glob("*openblas*"))


class _Limit:
    """Counts the running calls that need one thread, and restores the number of threads when the last one ends."""

    def __init__(self) -> None:
        self.lock, self.running, self.before = threading.Lock(), 0, 1

    def enter(self, found: Library) -> None:
        with self.lock:
            if not self.running:
                self.before = found.threads()
                if self.before > 1:
                    found.limit(1)
            self.running += 1

    def leave(self, found: Library) -> None:
        with self.lock:
            self.running -= 1
            if not self.running and self.before > 1:
                found.limit(self.before)


_LIMITS = {"numpy": _Limit(), "scipy": _Limit()}


def limit_to_one_thread(run: Callable[..., Any], package: str) -> Callable[..., Any]:
    """Return ``run``, wrapped so that the matrix products of a package's library use one thread each while it runs.

    Example:
        >>> blas = find_library("numpy")
        >>> limit_to_one_thread(lambda: blas is None or blas.threads() == 1, "numpy")()
        True

    Notes:
        It costs about ten microseconds a call, in which OpenBLAS allocates memory for its threads again; nothing if there is
        one thread. The number of threads is global to the process: of calls that overlap, the last one to end restores it.
    """
    found, limit = find_library(package), _LIMITS[package]
    if found is None:
        return run

    def run_limited(*arrays: Any) -> Any:
        limit.enter(found)
        try:
            return run(*arrays)
        finally:
            limit.leave(found)

    return run_limited


__all__ = ["WIDE", "Library", "find_library", "limit_to_one_thread"]
