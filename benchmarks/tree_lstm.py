"""What recursion over trees costs: a Tree-LSTM with all its gradients, ``python benchmarks/tree_lstm.py [steps …]``."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import autograd_seq as ag

B, D, H = 8, 16, 32


def make_model() -> ag.Graph:
    """Return a binary Tree-LSTM (Tai, Socher & Manning 2015) and its gradients; nodes are steps, children before parents."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, child = ag.input("x", (D,), over=(t, b)), ag.input("child", (2,), over=(t, b), dtype=int)
    W, U, F = ag.param("W", (4 * H, D)), ag.param("U", (2, 3 * H, H)), ag.param("F", (2, 2, H, H))
    h, c = ag.state("h", (H,), over=(t, b)), ag.state("c", (H,), over=(t, b))
    hs, cs = (ag.take(s, child, over=t, earlier=True) for s in (h, c))
    a = W @ x
    i, o, g = (a[n] + U[0, n] @ hs[0] + U[1, n] @ hs[1] for n in (slice(k * H, (k + 1) * H) for k in range(3)))
    keep = [ag.sigmoid(a[3 * H :] + F[j, 0] @ hs[0] + F[j, 1] @ hs[1]) * cs[j] for j in range(2)]
    c[t, b] = ag.sigmoid(i) * ag.tanh(g) + keep[0] + keep[1]
    h[t, b] = ag.sigmoid(o) * ag.tanh(c[t, b])
    loss = ag.sum(ag.sum(h * h), over=(t, b))
    return ag.Graph([loss, *ag.grad(loss, [x, W, U, F])])


def make_feeds(steps: int) -> dict[str, Any]:
    """Return random trees of so many nodes, and random numbers."""
    rng = np.random.default_rng(0)
    child = np.stack([rng.integers(-1, max(k, 1), (B, 2)) if k else np.full((B, 2), -1) for k in range(steps)])
    shapes = {"x": (steps, B, D), "W": (4 * H, D), "U": (2, 3 * H, H), "F": (2, 2, H, H)}
    return {"child": child, **{name: 0.2 * rng.normal(size=shape) for name, shape in shapes.items()}}


def main() -> None:
    """Print the least CPU time of five calls, and the memory that a call needs, by the number of steps."""
    graph = make_model()
    for backend in ("numpy", "numba"):
        program = ag.compile(graph, backend=backend)
        for steps in [int(n) for n in sys.argv[1:]] or [200, 400]:
            feeds, took = make_feeds(steps), []
            program(**feeds)
            for _ in range(5):
                start = time.process_time()
                program(**feeds)
                took.append(time.process_time() - start)
            need = program.cost(t=steps, b=B).bytes / 1e6
            print(f"{backend}, {steps} steps of {B} trees, {H} numbers: {1e3 * min(took):.1f} ms, {need:.1f} MB")


if __name__ == "__main__":
    main()
