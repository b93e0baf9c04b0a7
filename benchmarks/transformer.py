"""A Transformer encoder (Vaswani et al. 2017): a training step, beside PyTorch's own layers on the same weights.

The work: 2 and 6 layers, each normalised after it, 4 heads, 64 numbers a step, 256 within; 8 sequences of 128 steps in float32;
the mean square of what comes out, and the gradient of every parameter. CPU time of one thread, in turns, medians:
``OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/transformer.py``. What it printed is in ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import autograd_seq as ag

B, T, D, HEADS, INNER = 8, 128, 64, 4, 256
EPS = 1e-5


def ours(layers: int, backend: str | None) -> tuple[ag.ValueAndGrad, dict[str, tuple[int, ...]]]:
    """Return the step, and the shape of each parameter."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x = ag.input("x", (D,), over=(b, t))
    y = ag.nn.transformer_encoder(x, HEADS, INNER, layers, over=t, eps=EPS)
    loss = ag.mean(ag.sum(y * x * 0.01 + y * y * 0.1 * x), over=(b, t))
    params = {name: n for name, n in ag.Graph(loss).inputs.items() if n is not x}
    return ag.value_and_grad(loss, backend=backend), {name: p.shape for name, p in params.items()}


def torchs(layers: int, weights: dict[str, np.ndarray], x: np.ndarray) -> Callable[[], Any] | None:
    """Return the same in PyTorch, by its own layers; ``None`` if it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    one = torch.nn.TransformerEncoderLayer(D, HEADS, INNER, dropout=0.0, layer_norm_eps=EPS, batch_first=True)
    model, given = torch.nn.TransformerEncoder(one, layers, enable_nested_tensor=False), {}
    for i in range(layers):
        theirs, mine = f"layers.{i}", f"encoder/{i}"
        for kind, letter in (("weight", "W"), ("bias", "b")):
            stacked = [weights[f"{mine}/self/{letter}{part}"] for part in "qkv"]
            given[f"{theirs}.self_attn.in_proj_{kind}"] = np.concatenate(stacked)
            given[f"{theirs}.self_attn.out_proj.{kind}"] = weights[f"{mine}/self/{letter}o"]
            for part, name in (("linear1", "inner"), ("linear2", "outer")):
                given[f"{theirs}.{part}.{kind}"] = weights[f"{mine}/{name}/{letter}"]
            for part in ("norm1", "norm2"):
                given[f"{theirs}.{part}.{kind}"] = weights[f"{mine}/{part}/{'gain' if kind == 'weight' else 'bias'}"]
    model.load_state_dict({name: torch.tensor(w) for name, w in given.items()})
    fed = torch.tensor(x)
    names, params = zip(*model.named_parameters(), strict=True)

    def step() -> tuple[Any, dict[str, np.ndarray]]:
        y = model(fed)
        loss = (y * fed * 0.01 + y * y * 0.1 * fed).sum(-1).mean()
        found = torch.autograd.grad(loss, params)
        return loss, {n: g.numpy() for n, g in zip(names, found, strict=True)}

    return step


def measure(layers: int, backend: str | None, seconds: float) -> dict[str, tuple[float, float]]:
    """Return by name the median ms and the median of our time divided by it, in turns."""
    rng = np.random.default_rng(0)
    step, shapes = ours(layers, backend)
    weights = {n: (rng.normal(size=s) * (s[-1] ** -0.5 if len(s) > 1 else 0.1)).astype(np.float32) for n, s in shapes.items()}
    x = rng.normal(size=(B, T, D)).astype(np.float32)
    loss, grads = step(x=x, **weights)
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: step(x=x, **weights)}
    if (peer := torchs(layers, weights, x)) is not None:
        ways["torch"] = peer
        want, found = peer()
        assert np.allclose(loss, want.detach(), rtol=1e-4), (loss, want)
        for i in range(layers):
            for kind, mine in (("out_proj.weight", "self/Wo"), ("out_proj.bias", "self/bo")):
                a, b = grads[f"encoder/{i}/{mine}"], found[f"layers.{i}.self_attn.{kind}"]
                assert np.allclose(a, b, rtol=1e-2, atol=1e-3 * np.abs(b).max()), (i, kind)
            q = np.concatenate([grads[f"encoder/{i}/self/W{part}"] for part in "qkv"])
            b = found[f"layers.{i}.self_attn.in_proj_weight"]
            assert np.allclose(q, b, rtol=1e-2, atol=1e-3 * np.abs(b).max()), i
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["ours"]) < 5:
        for name, call in ways.items():
            start = time.thread_time()
            call()
            times[name].append((time.thread_time() - start) * 1e3)
    return {n: (median(ts), median(a / b for a, b in zip(times["ours"], ts, strict=True))) for n, ts in times.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backend", default=None)
    parser.add_argument("--seconds", type=float, default=15.0)
    said = parser.parse_args()
    for layers in (2, 6):
        for name, (ms, ratio) in measure(layers, said.backend, said.seconds).items():
            print(f"{layers} layers {name:<10}{ms:>8.2f} ms, ours / it {ratio:.2f}", flush=True)
