"""A recurrent network as three equations: its folded graph, its unfolding, and its gradient in two ways.

    s_t = tanh(U x_t + W s_{t−1})      y_t = softmax(V s_t)      L = Σ_t −log y_t[l_t]

The gradient is computed by reverse mode through the unrolled DAG, and by unrolling the adjoint graph: the same
equations with every arrow reversed. Both agree to rounding. Then a few steps of gradient descent teach the network
to say which symbol it read two steps ago.
"""

import numpy as np

import autograd_seq as ag

D, H, K, T = 3, 12, 3, 20
NAMES = ["U", "W", "V"]


def model() -> tuple[ag.Node, list[ag.Node]]:
    """Return the loss and the parameters."""
    t = ag.Axis("t")
    x, l = ag.input("x", (D,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (H, D)), ag.param("W", (H, H)), ag.param("V", (K, H))
    s = ag.state("s", (H,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    y = ag.softmax(V @ s[t]).named("y")
    return ag.sum(ag.nll(y, l[t]), over=t).named("L"), [U, W, V]


def sequence(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return random symbols, one-hot, and as labels the same symbols two steps later."""
    symbols = rng.integers(0, K, T)
    return {"x": np.eye(D)[symbols], "l": np.concatenate([[0, 0], symbols[:-2]])}


def main(steps: int = 300) -> dict[str, float]:
    """Print the cycle, the agreement of both gradients and the loss before and after; return them."""
    L, params = model()
    graph = ag.Graph(L)
    print("cycle:", " → ".join(graph.cycles()[0]))

    rng = np.random.default_rng(0)
    weights = {"U": rng.normal(0, 0.5, (H, D)), "W": np.linalg.qr(rng.normal(size=(H, H)))[0] * 0.9,
               "V": rng.normal(0, 0.3, (K, H))}  # fmt: skip
    dag = graph.unroll(t=T)
    backward = dag.grad(NAMES)
    adjoint = ag.Graph(*ag.grad(L, params)).unroll(t=T)

    feeds = {**sequence(rng), **weights}
    one, two = backward.evaluate(**feeds), adjoint.evaluate(**feeds)
    apart = max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(one, two, strict=True))
    print(f"{len(graph)} folded nodes, {len(dag)} unrolled; reverse mode and adjoint graph differ by {apart:.1e}")

    test = sequence(rng)
    before = float(dag.evaluate(**test, **weights)[0]) / T
    for _ in range(steps):
        for name, g in zip(NAMES, backward.evaluate(**sequence(rng), **weights), strict=True):
            weights[name] = weights[name] - 0.3 / T * g
    after = float(dag.evaluate(**test, **weights)[0]) / T
    print(f"loss a step on a new sequence: {before:.3f} nats before, {after:.3f} after (guessing: {np.log(K):.3f})")
    return {"apart": apart, "before": before, "after": after}


if __name__ == "__main__":
    main()
