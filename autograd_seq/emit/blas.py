"""The libraries for matrix products that NumPy and SciPy bring: which kernels they take, and on how many threads.

Threads share out a product that takes long. Many small ones in a row wait for each other at every one of them, and if
something else runs on a core that one of the threads needs, each waits for a slice of its time: attention of 256 steps took
5 ms on one thread and 254 on two, one of which was busy. So programs run such products on one thread, whatever is set.
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
    """A library for products that is loaded.

    Attributes:
        kernels: for which processor its products are written.
        threads, limit: return how many threads a product may take, and set it.
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
    """Return the files it may be: what is mapped into memory where the system tells, else what lies beside the package."""
    if os.path.exists("/proc/self/maps"):
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            return [Path(p) for p in sorted({line.split(maxsplit=5)[5].strip() for line in file if "openblas" in line})]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    home = Path(spec.origin).parent
    return sorted(path for folder in (home.parent / f"{package}.libs", home / ".dylibs") for path in folder.glob("*openblas*"))


class _Limit:
    """How many calls are running that want products on one thread, and what is to be set again when the last has ended."""

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
    """Return a function that has the products of a package's library take one thread each while it runs.

    Example:
        >>> blas = find_library("numpy")
        >>> limit_to_one_thread(lambda: blas is None or blas.threads() == 1, "numpy")()
        True

    Notes:
        It takes some ten microseconds a call, in which OpenBLAS allots memory to its threads anew; none if there is one thread.
        Their number is one for the whole process: calls that overlap set it again when the last of them has ended.
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
