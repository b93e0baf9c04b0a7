"""Linear recurrences over many steps: one native loop after the other step, against a blocked scan on two cores.

The work: h_t = a_t · h_{t-1} + x_t for all t, H numbers in float32, a_t in (0.5, 1) from the data as in a minGRU. The ways:

- *loop*: step after step, a loop over the entries within; what our native programs do (``ours`` is such a program).
- *registers*: the same, every entry a variable of its own, so that the state never leaves the registers.
- *scan*: 2·P − 1 blocks of steps on P threads (Blelloch 1990, reduce then scan). First each thread but the first composes
  the maps of a block (its product of a, and where it comes to from 0) while the first thread runs the first block; then,
  every start being known, the other blocks run. That is 2 blocks after one another out of 2·P − 1.
- *chains*: the same on one thread, for a step that is a single number: four blocks in step with each other are four sums
  that do not wait for one another.

Each writes into an array that is there; ``ours`` returns a new one, whose pages the system must clear.

Run: ``python benchmarks/linear_recurrence.py`` (needs numba). What it printed, and what follows from it, is
in ``RESULTS.md``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd_seq as ag

THREADS = 2
TINY = np.float32(1e-30)
Way = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
"""From a, x and where to write h; returns h."""


def problem(T: int, H: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a (T, H) and x (T, H)."""
    rng = np.random.default_rng(0)
    return rng.uniform(0.5, 1, size=(T, H)).astype(np.float32), rng.normal(size=(T, H)).astype(np.float32)


def ours(H: int) -> Way:
    """Return the program of the equation, in native code."""
    t = ag.Axis("t")
    a, x, h = ag.input("a", (H,), over=t), ag.input("x", (H,), over=t), ag.state("h", (H,), over=t)
    h[t] = a[t] * h[t - 1] + x[t]
    program = ag.compile(h, backend="numba")
    return lambda a, x, h: program(a=a, x=x)


def apart() -> Any:
    """Return numba's compiler, told that the arrays of a call do not overlap where any is written."""
    from numba.core.compiler import Compiler

    class Apart(Compiler):
        def __init__(self, typing: Any, target: Any, library: Any, args: Any, result: Any, flags: Any, local: Any) -> None:
            flags.noalias = True
            super().__init__(typing, target, library, args, result, flags, local)

    return Apart


def by_hand(H: int) -> dict[str, Way]:
    """Return the ways, compiled when they are first called."""
    import numba

    flags: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "boundscheck": False, "nogil": True}

    @numba.njit(**flags)
    def least(product: Any) -> Any:  # what is too small to count is 0: products of many a go subnormal, and are slow there
        return product if abs(product) > TINY else product * 0

    @numba.njit(**flags)
    def run(a: Any, x: Any, h: Any, start: Any, first: int, last: int) -> None:
        if a.shape[1] == 1:
            number = start[0]
            for t in range(first, last):
                number = a[t, 0] * number + x[t, 0]
                h[t, 0] = number
            return
        before = start
        for t in range(first, last):
            a_t, x_t, h_t = a[t], x[t], h[t]
            for j in range(len(h_t)):
                h_t[j] = a_t[j] * before[j] + x_t[j]
            before = h_t

    @numba.njit(**flags)
    def compose(a: Any, x: Any, scale: Any, end: Any, first: int, last: int) -> None:
        scale[:], end[:] = 1, 0
        if a.shape[1] == 1:
            product, number = scale[0], end[0]
            for t in range(first, last):
                product = least(product * a[t, 0])
                number = a[t, 0] * number + x[t, 0]
            scale[0], end[0] = product, number
            return
        for t in range(first, last):
            a_t, x_t = a[t], x[t]
            for j in range(len(end)):
                scale[j] = least(scale[j] * a_t[j])
                end[j] = a_t[j] * end[j] + x_t[j]

    @numba.njit(**flags)
    def loop(a: Any, x: Any, h: Any) -> Any:
        run(a, x, h, np.zeros(x.shape[1], x.dtype), 0, len(x))
        return h

    @numba.njit(**flags, parallel=True)
    def scan(a: Any, x: Any, h: Any) -> Any:
        T, H = x.shape
        blocks = 2 * THREADS - 1
        scale, end = np.ones((blocks, H), x.dtype), np.zeros((blocks + 1, H), x.dtype)
        for k in numba.prange(THREADS):
            if k == 0:
                run(a, x, h, np.zeros(H, x.dtype), 0, T // blocks)
            else:
                compose(a, x, scale[k], end[k + 1], k * T // blocks, (k + 1) * T // blocks)
        end[1] = h[T // blocks - 1]
        for k in range(1, THREADS):
            end[k + 1] += scale[k] * end[k]
        for k in numba.prange(THREADS):
            if k < THREADS - 1:
                run(a, x, h, end[k + 1], (k + 1) * T // blocks, (k + 2) * T // blocks)
            else:
                run(a, x, h, end[THREADS], THREADS * T // blocks, T)
        return h

    @numba.njit(**flags)
    def chains(a: Any, x: Any, h: Any) -> Any:
        n = len(x) // 4
        q, r, s, zero = n, 2 * n, 3 * n, x.dtype.type(0)
        p1 = p2 = x.dtype.type(1)
        e0 = e1 = e2 = zero
        for t in range(n):
            e0 = a[t, 0] * e0 + x[t, 0]
            e1, p1 = a[q + t, 0] * e1 + x[q + t, 0], least(p1 * a[q + t, 0])
            e2, p2 = a[r + t, 0] * e2 + x[r + t, 0], least(p2 * a[r + t, 0])
        h0, h1 = zero, e0
        h2 = e1 + p1 * h1
        h3 = e2 + p2 * h2
        for t in range(n):
            h0 = a[t, 0] * h0 + x[t, 0]
            h1 = a[q + t, 0] * h1 + x[q + t, 0]
            h2 = a[r + t, 0] * h2 + x[r + t, 0]
            h3 = a[s + t, 0] * h3 + x[s + t, 0]
            h[t, 0], h[q + t, 0], h[r + t, 0], h[s + t, 0] = h0, h1, h2, h3
        for t in range(4 * n, len(x)):
            h3 = a[t, 0] * h3 + x[t, 0]
            h[t, 0] = h3
        return h

    entries = range(H)
    lines = [
        "def registers(a, x, h):",
        *(f"    s{j} = zero" for j in entries),
        "    for t in range(len(x)):",
        *(f"        s{j} = a[t, {j}] * s{j} + x[t, {j}]" for j in entries),
        *(f"        h[t, {j}] = s{j}" for j in entries),
        "    return h",
    ]
    names: dict[str, Any] = {"zero": np.float32(0)}
    exec("\n".join(lines), names)
    registers = numba.njit(**flags, pipeline_class=apart())(names["registers"])
    return {"loop": loop, "registers": registers, "scan": scan, **({"chains": chains} if H == 1 else {})}


def measure(T: int, H: int, seconds: float = 4.0) -> dict[str, tuple[float, float]]:
    """Return the median and the least milliseconds of each way, taken in turns; all agree first.

    The least is what counts for two threads, for it needs both cores to be free.
    """
    a, x = problem(T, H)
    h = np.zeros_like(x)
    ways = {"ours": ours(H), **by_hand(H)}
    want = ways["loop"](a, x, h).copy()
    for name, way in ways.items():
        error = float(np.max(np.abs(way(a, x, h) - want)))
        assert error <= 1e-5 * float(np.max(np.abs(want))), (name, error)
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while not times["ours"] or time.perf_counter() < end:
        for name, way in ways.items():
            start = time.perf_counter()
            way(a, x, h)
            times[name].append(time.perf_counter() - start)
    return {name: (statistics.median(t) * 1e3, min(t) * 1e3) for name, t in times.items()}


if __name__ == "__main__":
    print("the median and the least ms, and in brackets how many times as fast as the loop the least is")
    for T in (100_000, 1_000_000):
        for H in (1, 16, 64):
            found = measure(T, H)
            best = found["loop"][1]
            cells = (f"{name} {ms:.3f} {least:.3f} ({best / least:.2f})" for name, (ms, least) in found.items())
            print(f"T={T:<8} H={H:<3}", *cells, sep="  ")
