"""What NumPy's calls alone take of an LSTM at *long*, beside PyTorch's fused one: how far a program of NumPy calls can get.

A training step at T = 2000 with one sequence is nothing but calls on 32 to 128 numbers. The loops here make just those calls,
on arrays of the right shapes, without the products before, between and after them:

- *ours*: the 8 calls there and 5 back that our program makes. *apart*: the same, but the views of each array are made together,
  array after array; in the program, and in *ours*, those of one step are.
- *by hand*: 8 and 4; the product back yields δh twice, so that one call multiplies it by two things.
- *fewest*: 6 and 4. σ(a) = (1 + tanh(a/2))/2 is not formed: 2c' = c + f̂c + g + îg, with f̂ = tanh(a_f/2), is a product of the
  row [c, g, f̂c, îg] with halves, and 2h = q + ôq, q = tanh(c), is not formed either: the next product reads both parts.

Run: ``OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/lstm_calls.py`` (PyTorch takes part where it is
installed). What it printed is in ``RESULTS.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy import add, multiply, tanh

from autograd_seq.bench.peers import find_peers
from autograd_seq.bench.work import Workload, make

T, D, H, K = 2000, 16, 32, 16
Loop = Callable[[], None]


def lined(*shape: int) -> np.ndarray:
    """Return small numbers that begin at a cache line."""
    size = 4 * int(np.prod(shape))
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    out = memory[start : start + size].view(np.float32).reshape(shape)
    out[...] = np.random.default_rng(0).normal(size=shape) / 20
    return out


def rows(a: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of an array, one by one."""
    return (a[t, ...] for t in range(len(a)))


def dots(a: np.ndarray) -> Iterator[Any]:
    """What multiplies with the rows of an array."""
    return (a[t, ...].dot for t in range(len(a)))


def there(together: bool = True) -> Loop:
    """The 8 calls of a step there."""
    made: Callable[[Any], Any] = iter if together else list
    z, two, W, half = lined(4 * H), lined(2 * H), lined(D + H, 4 * H), np.float32(0.5)
    x_h, gates, c_, sigma, q = lined(T + 1, D + H), lined(T + 1, 5 * H), lined(3 * H), lined(T, 3 * H), lined(T, H)
    steps = list(zip(
        made(dots(x_h[:-1])), made(rows(gates[:-1, : 4 * H])), made(rows(gates[:-1, : 3 * H])), made(rows(sigma)),
        made(rows(sigma[:, H:])), made(rows(gates[:-1, 3 * H :])), made(rows(gates[1:, 4 * H :])), made(rows(q)),
        made(rows(sigma[:, :H])), made(rows(x_h[1:, D:])), strict=True))  # fmt: skip
    first, second = two[:H], two[H:]

    def run() -> None:
        for dot, all_, ifo, s, fi, gc, c, q_t, o, h in steps:
            dot(W, z)
            tanh(z, all_)
            multiply(ifo, half, c_)
            add(half, c_, s)
            multiply(fi, gc, two)
            add(first, second, c)
            tanh(c, q_t)
            multiply(o, q_t, h)

    return run


def back(together: bool = True) -> Loop:
    """The 5 calls of a step back."""
    made: Callable[[Any], Any] = iter if together else list
    d, W, dh = lined(T + 1, K + 5 * H), lined(K + 4 * H, H), lined(H)
    by_o, by_q, factors = lined(T, H), lined(T, H), lined(T, 4, H)
    now, after = d[:-1], d[1:]
    steps = list(zip(
        made(dots(after[::-1, : K + 4 * H])), made(rows(by_o[::-1])), made(rows(now[::-1, K : K + H])), made(rows(by_q[::-1])),
        made(rows(after[::-1, K + 4 * H :])), made(rows(factors[::-1])),
        made(rows(now[:, K + H :].reshape(T, 4, H, copy=False)[::-1])), strict=True))  # fmt: skip

    def run() -> None:
        for dot, o, d_o, q, carry, by, out in steps:
            dot(W, dh)
            multiply(dh, o, d_o)
            multiply(dh, q, dh)
            add(dh, carry, dh)
            multiply(by, dh, out)

    return run


def back_twin() -> Loop:
    """The 4 calls of a step back whose product yields δh twice."""
    d, W, dh, dc = lined(T + 1, K + 6 * H), lined(K + 4 * H, 2 * H), lined(2 * H), lined(H)
    by_oq, factors = lined(T, 2 * H), lined(T, 4, H)
    now, after = d[:-1], d[1:]
    steps = list(zip(
        dots(after[::-1, : K + 4 * H]), rows(by_oq[::-1]), rows(now[::-1, K : K + 2 * H]), rows(now[::-1, K + H : K + 2 * H]),
        rows(after[::-1, K + 5 * H :]), rows(factors[::-1]), rows(now[:, K + 2 * H :].reshape(T, 4, H, copy=False)[::-1]),
        strict=True))  # fmt: skip

    def run() -> None:
        for dot, oq, both, d_q, carry, by, out in steps:
            dot(W, dh)
            multiply(dh, oq, both)
            add(d_q, carry, dc)
            multiply(by, dc, out)

    return run


def there_fewest() -> Loop:
    """The 6 calls of a step there that forms neither σ nor h."""
    z, W, half = lined(4 * H), lined(D + 2 * H, 4 * H), np.full(4, 0.5, np.float32)
    x_h, gates = lined(T + 1, D + 2 * H), lined(T + 1, 7 * H)  # [x, ôq, q] and [ô, f̂, î, g, c, f̂c, îg]
    parts = gates.reshape(T + 1, 7, H, copy=False)
    steps = list(zip(
        dots(x_h[:-1]), rows(gates[:-1, : 4 * H]), rows(gates[:-1, H : 3 * H]), rows(gates[:-1, 3 * H : 5 * H]),
        rows(gates[:-1, 5 * H :]), rows(parts[:-1, 3:]), rows(gates[1:, 4 * H : 5 * H]), rows(x_h[1:, D + H :]),
        rows(gates[:-1, :H]), rows(x_h[1:, D : D + H]), strict=True))  # fmt: skip
    halves = half.dot

    def run() -> None:
        for dot, all_, fi, gc, products, four, c, q, o, oq in steps:
            dot(W, z)
            tanh(z, all_)
            multiply(fi, gc, products)
            halves(four, c)
            tanh(c, q)
            multiply(o, q, oq)

    return run


def measure(rounds: int = 40) -> dict[str, tuple[float, float]]:
    """Return by name the median ms, and the median of the ratios to PyTorch within rounds (NaN without it)."""
    ways: dict[str, list[Callable[[], Any]]] = {
        "ours": [there(), back()], "apart": [there(False), back(False)], "by hand": [there(), back_twin()],
        "fewest": [there_fewest(), back_twin()],
    }  # fmt: skip
    work = Workload.of("lstm", "long")
    assert work.sizes == (T, 1, D, H, K)
    try:
        torch = find_peers(Path(__file__).parents[1])["torch.nn"].make(work, make(work))
    except ImportError:
        torch = None
    if torch is not None:
        ways["torch.nn"] = [torch.step]
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, calls in ways.items():
            start = time.perf_counter()
            for call in calls:
                call()
            times[name].append((time.perf_counter() - start) * 1e3)
    peer = times.get("torch.nn", [float("nan")] * rounds)
    return {n: (median(ts), median(a / b for a, b in zip(ts, peer, strict=True))) for n, ts in times.items()}


if __name__ == "__main__":
    print(f"{'':<10}{'ms':>8}{'/ torch.nn':>12}")
    for name, (ms, ratio) in measure().items():
        print(f"{name:<10}{ms:>8.2f}{ratio:>12.2f}")
