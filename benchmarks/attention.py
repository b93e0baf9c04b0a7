"""Causal self-attention written in index notation: a training step, beside the same with nothing contracted, and PyTorch.

The work: q, k, v of 4 sequences of 256 steps, 32 numbers each, in float32; the sum of the squares of what is read, and its
gradients. *formed* is our program without the pass ``contract``: each product of a weight and a value is formed, then summed.

Run: ``OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/attention.py``. What it printed is in ``RESULTS.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import autograd_seq as ag
from autograd_seq.plan.pipeline import PASSES

B, T, D = 4, 256, 32


def ours(**options: Any) -> ag.ValueAndGrad:
    """Return the step, compiled to NumPy."""
    t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
    q, k, v = (ag.input(name, (D,), over=(b, t)) for name in "qkv")
    score = ag.where(ag.index(u) <= ag.index(t), ag.dot(q, k.along(t, u)) / D**0.5, -np.inf)
    y = ag.sum(ag.softmax(score, over=u) * v.along(t, u), over=u)
    return ag.value_and_grad(ag.sum(ag.dot(y, y), over=(t, b)), [q, k, v], backend="numpy", **options)


def torchs(feeds: dict[str, np.ndarray]) -> Callable[[], Any] | None:
    """Return the same in PyTorch, by its own function for attention; ``None`` if it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    q, k, v = (torch.tensor(feeds[n], requires_grad=True) for n in "qkv")

    def step() -> Any:
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return torch.autograd.grad((y * y).sum(), (q, k, v))

    return step


def measure(seconds: float = 10.0) -> dict[str, tuple[float, float]]:
    """Return by name the median ms and the median of our time divided by it, in turns."""
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(size=(B, T, D)).astype(np.float32) for name in "qkv"}
    step, formed = ours(), ours(passes=[p for p in PASSES if p != "contract"])
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: step(**feeds), "formed": lambda: formed(**feeds)}
    want = step(**feeds)[1]
    for name, grad in formed(**feeds)[1].items():
        assert np.allclose(grad, want[name], rtol=1e-3, atol=1e-4), name
    if (peer := torchs(feeds)) is not None:
        ways["torch"] = peer
        for grad, mine in zip(peer(), want.values(), strict=True):
            assert np.allclose(grad.numpy(), mine, rtol=1e-3, atol=1e-4)
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["ours"]) < 5:
        for name, call in ways.items():
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {n: (median(ts), median(a / b for a, b in zip(times["ours"], ts, strict=True))) for n, ts in times.items()}


if __name__ == "__main__":
    for name, (ms, ratio) in measure().items():
        print(f"{name:<10}{ms:>8.2f} ms, ours / it {ratio:.2f}")
