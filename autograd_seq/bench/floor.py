"""The least time that a training step can take on this machine, whatever runs it.

All that is multiplied must be multiplied, and a large product shows how fast that can be; what is fed must be read and the
gradients written, and a copy shows how fast. Nothing else is counted: no tanh, no call, and no state that leaves a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from statistics import median
from time import perf_counter

import numpy as np

from autograd_seq.bench.work import GATES, Arrays, Workload

SIZE = 768
"""Rows and columns of the matrices whose product is timed."""
_BYTES = 1 << 26  # that are copied


def product_rate(repeats: int = 7) -> float:
    """Return the floating-point operations a second of a float32 matrix product, the median of several."""
    a = np.ones((SIZE, SIZE), np.float32)
    out = np.empty_like(a)
    return 2 * SIZE**3 / _seconds(lambda: a.dot(a, out), repeats)


def bandwidth(repeats: int = 7) -> float:
    """Return the bytes a second that copying a large array reads and writes, the median of several."""
    a = np.ones(_BYTES // 8)
    out = np.empty_like(a)
    return 2 * _BYTES / _seconds(lambda: np.copyto(out, a), repeats)


def _seconds(call: Callable[[], object], repeats: int) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return median(times)


def operations(work: Workload) -> int:
    """Return the floating-point operations of all matrix products of a training step.

    Each matrix multiplies on the way there, and once more for its own gradient; those of states and outputs also on the way
    back. Inputs have no gradient.

    Example:
        >>> operations(Workload("rnn", "odd", 10, 1, 2, 3, 4))  # 20 · (2 · 6 + 3 · 9 + 3 · 12)
        1500
    """
    gates = len(GATES[work.cell]) * work.H
    return 2 * work.T * work.B * (2 * gates * work.D + 3 * gates * work.H + 3 * work.H * work.K)


def traffic(work: Workload, feeds: Arrays) -> int:
    """Return the bytes of what is fed, and of the gradients of all parameters."""
    return sum(a.nbytes for a in feeds.values()) + sum(prod(s) for s in work.shapes.values()) * feeds["x"].itemsize


def least(work: Workload, feeds: Arrays) -> float:
    """Return the seconds below which no training step can be, at the rates that are measured now.

    Products of float32 with as many threads as NumPy's library takes.

    Example:
        >>> from autograd_seq.bench.work import make
        >>> tiny = Workload.of("rnn", "tiny")
        >>> 1e-7 < least(tiny, make(tiny)) < 1e-3
        True
    """
    return max(operations(work) / product_rate(), traffic(work, feeds) / bandwidth())


__all__ = ["SIZE", "bandwidth", "least", "operations", "product_rate", "traffic"]
