"""What a step of a causal Transformer costs in a stream after n steps: ``python benchmarks/stream_attention.py``."""

from __future__ import annotations

import time

import numpy as np

import autograd_seq as ag


def main() -> None:
    """Print the median CPU time of a step after 100, 1,000 and 4,000 steps: two layers, four heads, d = 64."""
    t = ag.Axis("t")
    y = ag.nn.transformer_encoder(ag.input("x", (64,), over=t), 4, 64, 2, over=t, causal=True)
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=n.shape) * 0.1 for name, n in ag.Graph(y).inputs.items() if name != "x"}
    program, step = ag.compile(y, carry=True), ag.stream(y).bind(**weights)
    for n in (100, 1000, 4000):
        _, carry = program(x=rng.normal(size=(n, 64)), **weights)
        took = []
        for row in rng.normal(size=(30, 64)):
            start = time.thread_time()
            _, carry = step(carry, x=row)
            took.append(time.thread_time() - start)
        print(f"after {n:5,} steps: {1e3 * np.median(took):.2f} ms")


if __name__ == "__main__":
    main()
