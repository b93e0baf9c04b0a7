"""What it costs that an array does not begin at a cache line, as NumPy's own do not: products and elementwise operations.

OPENBLAS_NUM_THREADS=1 python benchmarks/alignment.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np


def begun(shape: tuple[int, ...], behind: int) -> np.ndarray:
    """Return an array of ones that begins so many bytes behind a cache line."""
    size = 4 * int(np.prod(shape))
    memory = np.empty(size + 128, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64 + behind
    out = memory[start : start + size].view(np.float32).reshape(shape)
    out[...] = 1
    return out


def microseconds(call: Callable[[], object], repeats: int = 1000) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats * 1e6


def main(rounds: int = 40) -> None:
    """Print the times of each operation at a line and 16 bytes behind one, and the median of their ratios."""
    calls: dict[str, list[Callable[[], object]]] = {}
    for behind in (0, 16):
        a, b, c = (begun((16, 256), behind) for _ in range(3))
        h, w = begun((16, 64), behind), begun((64, 256), behind)
        for name, call in {
            "(16, 64) · (64, 256)": lambda h=h, w=w, c=c: h.dot(w, c),
            "multiply, 4096 entries": lambda a=a, b=b, c=c: np.multiply(a, b, c),
            "multiply, 1024 entries": lambda a=a, b=b, c=c: np.multiply(a[:4], b[:4], c[:4]),
            "tanh, 4096 entries": lambda a=a, c=c: np.tanh(a, c),
        }.items():
            calls.setdefault(name, []).append(call)
    print(f"{'µs':<24}{'at a line':>12}{'16 behind':>12}{'ratio':>8}")
    for name, (at_line, behind_it) in calls.items():
        pairs = [(microseconds(at_line), microseconds(behind_it)) for _ in range(rounds)]
        first, second = (median(p[k] for p in pairs) for k in (0, 1))
        print(f"{name:<24}{first:>12.2f}{second:>12.2f}{median(b / a for a, b in pairs):>8.2f}")


if __name__ == "__main__":
    main()
