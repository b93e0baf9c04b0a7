"""Whether OpenBLAS runs small products on one thread by itself, and from what size on a second one pays (needs threadpoolctl).

Run: ``python benchmarks/small_products.py``. What it printed is in ``RESULTS.md``.
"""

from __future__ import annotations

import time
from statistics import median

import numpy as np

SHAPES = [
    (1, 48, 128), (1, 256, 256), (1, 1024, 1024), (16, 64, 64), (16, 64, 256), (32, 128, 128), (32, 128, 256), (16, 256, 256),
    (32, 256, 256), (32, 256, 1024), (64, 1024, 1024),
]  # fmt: skip


def microseconds(m: int, k: int, n: int, rounds: int = 15) -> tuple[float, float]:
    """Return how long a product (m, k) · (k, n) takes on one thread, and on two."""
    from threadpoolctl import threadpool_limits

    a, b, out = np.ones((m, k), np.float32), np.ones((k, n), np.float32), np.empty((m, n), np.float32)
    repeats = max(5, int(1e8 / (m * k * n)))
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for threads, found in times.items():
            with threadpool_limits(threads):
                a.dot(b, out)
                start = time.perf_counter()
                for _ in range(repeats):
                    a.dot(b, out)
                found.append((time.perf_counter() - start) / repeats * 1e6)
    return median(times[1]), median(times[2])


if __name__ == "__main__":
    print(f"{'':<22}{'MFLOP':>8}{'one, µs':>10}{'two, µs':>10}{'two / one':>11}")
    for m, k, n in SHAPES:
        one, two = microseconds(m, k, n)
        print(f"{f'({m}, {k}) · ({k}, {n})':<22}{2e-6 * m * k * n:>8.2f}{one:>10.2f}{two:>10.2f}{two / one:>11.2f}")
