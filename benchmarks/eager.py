"""Eager scalars against micrograd: one training step of micrograd's own demo network, built scalar by scalar.

The work: a 2-16-16-1 network of ReLU neurons on 100 points, hinge loss and L2 penalty; forward, backward. Both engines are
given the same expressions and take turns; medians are compared, with Python's cyclic collector on and off.

Run: ``python benchmarks/eager.py`` (needs ``pip install micrograd``).
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import autograd_seq as ag

SIZES = (2, 16, 16, 1)


def problem(points: int = 100) -> tuple[list[list[float]], list[float], list[np.ndarray]]:
    """Return the points, their labels ±1, and a weight matrix (bias last) a layer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(points, 2))
    weights = [rng.uniform(-1, 1, size=(n, m + 1)) for m, n in pairwise(SIZES)]
    return x.tolist(), np.where(x[:, 0] * x[:, 1] > 0, 1.0, -1.0).tolist(), weights


def step(value: Callable[[float], Any], relu: Callable[[Any], Any], points: Any, labels: Any, layers: Any) -> Any:
    """Build the loss, differentiate it, and return it; the same code for both engines."""
    scores = []
    for point in points:
        values = [value(p) for p in point]
        for k, layer in enumerate(layers):
            sums = [sum((w * v for w, v in zip(row, values, strict=False)), row[-1]) for row in layer]
            values = [relu(s) for s in sums] if k < len(layers) - 1 else sums
        scores.append(values[0])
    losses = [relu(1 + -label * score) for label, score in zip(labels, scores, strict=True)]
    penalty = sum(p * p for layer in layers for row in layer for p in row)
    total = sum(losses) * (1.0 / len(losses)) + 1e-4 * penalty
    total.backward()
    return total


def engines() -> dict[str, Callable[[], tuple[float, float]]]:
    """Return, by name, a function that takes one step and returns (loss, derivative of the first weight)."""
    from micrograd.engine import Value

    points, labels, weights = problem()

    def ours() -> tuple[float, float]:
        layers = [[[ag.tensor(w) for w in row] for row in layer.tolist()] for layer in weights]
        return float(step(ag.tensor, ag.relu, points, labels, layers)), float(layers[0][0][0].grad)

    def theirs() -> tuple[float, float]:
        layers = [[[Value(w) for w in row] for row in layer.tolist()] for layer in weights]
        return step(Value, Value.relu, points, labels, layers).data, layers[0][0][0].grad

    return {"autograd_seq": ours, "micrograd": theirs}


def measure(repeats: int = 7) -> dict[str, float]:
    """Return the ratio of our median time to micrograd's, with the collector ``"on"`` and ``"off"``."""
    sys.setrecursionlimit(100_000)  # micrograd sorts recursively
    runs = engines()
    (loss, slope), (loss2, slope2) = (run() for run in runs.values())
    assert abs(loss - loss2) < 1e-12 and abs(slope - slope2) < 1e-12
    ratios = {}
    for mode in ("on", "off"):
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(repeats):
            for name, run in runs.items():
                gc.collect()
                (gc.enable if mode == "on" else gc.disable)()
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
        gc.enable()
        medians = {name: statistics.median(t) for name, t in times.items()}
        ratios[mode] = medians["autograd_seq"] / medians["micrograd"]
        print(f"collector {mode}: " + ", ".join(f"{n} {t * 1e3:.0f} ms" for n, t in medians.items())
              + f", ratio {ratios[mode]:.2f}")  # fmt: skip
    return ratios


if __name__ == "__main__":
    measure()
