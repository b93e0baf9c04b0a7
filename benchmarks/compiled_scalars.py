"""Compiled scalars against micrograd: one training step of micrograd's own demo network, written number by number.

The work: a 2-16-16-1 network of ReLU neurons on 100 points, max-margin loss and L2 penalty; loss and all 337 gradients. Ours
is written for one point and goes over all of them by ``ag.vmap``; micrograd runs its own classes as its demo does.

Run: ``python benchmarks/compiled_scalars.py [numba] [numpy]`` (needs ``pip install micrograd``, and numba for native
loops). On two cores of a Xeon with AVX-512 that others used too (2026-11; NumPy 2.4, numba 0.68):

    numpy: 1.608 ms a step, micrograd 808 ms: 502 times as fast; first call 0.0 s
    numba: 0.237 ms a step, micrograd 2669 ms: 11259 times as fast; first call 14 s of one core, 0.7 s in a later process
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import autograd_seq as ag

SIZES = (2, 16, 16, 1)
PENALTY = 1e-4


def problem(sizes: tuple[int, ...] = SIZES, points: int = 100) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the points (n, 2), their labels ±1 (n,), and a weight matrix (bias last) a layer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(points, 2))
    weights = [rng.uniform(-1, 1, size=(n, m + 1)) for m, n in pairwise(sizes)]
    return x, np.where(x[:, 0] * x[:, 1] > 0, 1.0, -1.0), weights


def ours(backend: str, x: np.ndarray, labels: np.ndarray, weights: list[np.ndarray]) -> Callable[[], tuple[float, Any]]:
    """Return a compiled step that gives the loss and the gradients, in the order of the weights."""
    values = [ag.input("x0"), ag.input("x1")]
    feeds: dict[str, Any] = {"x0": np.array(x[:, 0]), "x1": np.array(x[:, 1]), "label": labels}
    params: list[ag.Node] = []
    for k, layer in enumerate(weights):
        sums = []
        for row in layer:
            own = [ag.param(f"w{len(params) + i}") for i in range(len(row))]
            feeds |= {str(p.name): np.array(w) for p, w in zip(own, row, strict=True)}
            params += own
            sums.append(sum((w * v for w, v in zip(own, values, strict=False)), own[-1]))
        values = [ag.relu(s) for s in sums] if k < len(weights) - 1 else sums
    b = ag.Axis("b")
    loss = ag.mean(ag.vmap(ag.relu(1 - ag.input("label") * values[0]), over=b), over=b)
    named = {p.name: ag.Graph(loss)[str(p.name)] for p in params}
    total = loss + PENALTY * sum(p * p for p in named.values())
    step = ag.value_and_grad(total, list(named.values()), backend=backend)

    def run() -> tuple[float, Any]:
        value, grads = step(**feeds)
        return float(value), list(grads.values())

    return run


def theirs(x: np.ndarray, labels: np.ndarray, weights: list[np.ndarray]) -> Callable[[], tuple[float, Any]]:
    """Return a step of micrograd's demo."""
    from micrograd.engine import Value
    from micrograd.nn import MLP

    sys.setrecursionlimit(100_000)  # it sorts recursively
    model = MLP(x.shape[1], [len(layer) for layer in weights])
    for layer, rows in zip(model.layers, weights, strict=True):
        for neuron, row in zip(layer.neurons, rows.tolist(), strict=True):
            neuron.b.data = row[-1]
            for w, number in zip(neuron.w, row, strict=False):
                w.data = number

    def run() -> tuple[float, Any]:
        scores = [model([Value(v) for v in point]) for point in x.tolist()]
        losses = [(1 + -label * score).relu() for label, score in zip(labels.tolist(), scores, strict=True)]
        total = sum(losses) * (1.0 / len(losses)) + PENALTY * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        neurons = [neuron for layer in model.layers for neuron in layer.neurons]
        return total.data, [p.grad for neuron in neurons for p in [*neuron.w, neuron.b]]

    return run


def measure(backend: str, sizes: tuple[int, ...] = SIZES, repeats: int = 5) -> float:
    """Return how many times as fast a step is as micrograd's, medians of interleaved runs; both must agree first."""
    data = problem(sizes)
    run, peer = ours(backend, *data), theirs(*data)
    start = time.perf_counter()
    loss, grads = run()
    first = time.perf_counter() - start
    want, slopes = peer()
    assert abs(loss - want) < 1e-12 and np.allclose(grads, slopes, rtol=1e-10, atol=1e-12)
    mine, other = [], []
    for _ in range(repeats):
        for times, function, calls in ((mine, run, 100), (other, peer, 1)):
            start = time.perf_counter()
            for _ in range(calls):
                function()
            times.append((time.perf_counter() - start) / calls)
    fast, slow = statistics.median(mine), statistics.median(other)
    print(f"{backend}: {fast * 1e3:.3f} ms a step, micrograd {slow * 1e3:.0f} ms: {slow / fast:.0f} times as fast; "
          f"first call {first:.1f} s")  # fmt: skip
    return slow / fast


if __name__ == "__main__":
    for name in sys.argv[1:] or ["numpy", "numba"]:
        measure(name)
