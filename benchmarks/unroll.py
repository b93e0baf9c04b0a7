"""Unrolling and evaluating an LSTM over 1,000 steps: time, and memory as the number of steps doubles.

Run: ``python benchmarks/unroll.py``
"""

from __future__ import annotations

import statistics
import time
import tracemalloc

import numpy as np

import autograd_seq as ag


def lstm(inputs: int = 8, hidden: int = 16) -> ag.Graph:
    """Return an LSTM with separate gates and a loss at every step: about 30 operations a step."""
    t = ag.Axis("t")
    x = ag.input("x", (inputs,), over=t)
    h, c = ag.state("h", (hidden,), over=t), ag.state("c", (hidden,), over=t)

    def gate(name: str) -> ag.Node:
        weights, recurrent = ag.param(f"W_{name}", (hidden, inputs)), ag.param(f"R_{name}", (hidden, hidden))
        return weights @ x[t] + recurrent @ h[t - 1] + ag.param(f"b_{name}", (hidden,))

    f, i, o = (ag.sigmoid(gate(name)) for name in "fio")
    c[t] = f * c[t - 1] + i * ag.tanh(gate("z"))
    h[t] = o * ag.tanh(c)
    return ag.Graph(ag.sum(ag.sum(h * h), over=t).named("L"))


def feeds(graph: ag.Graph, steps: int) -> dict[str, np.ndarray]:
    """Return random values for everything the graph is fed."""
    rng = np.random.default_rng(0)
    return {n: rng.normal(size=(steps,) * len(x.axes) + x.shape) * 0.3 for n, x in graph.inputs.items()}


def seconds(graph: ag.Graph, steps: int, repeats: int = 7) -> float:
    """Return the median time to unroll over so many steps and evaluate."""
    given, times = feeds(graph, steps), []
    for _ in range(repeats):
        start = time.perf_counter()
        graph.unroll(t=steps).evaluate(**given)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def megabytes(graph: ag.Graph, steps: int) -> float:
    """Return the peak of what Python and NumPy allocate while unrolling and evaluating."""
    given = feeds(graph, steps)
    tracemalloc.start()
    graph.unroll(t=steps).evaluate(**given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    model = lstm()
    operations = sum(bool(n.inputs) for n in model.nodes)
    print(f"{operations} operations; 1000 steps: {seconds(model, 1000):.2f} s, 2000 steps: {seconds(model, 2000):.2f} s")
    for n in (500, 1000, 2000):
        print(f"{n} steps: {megabytes(model, n):.1f} MB")
