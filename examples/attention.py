"""An encoder–decoder with additive attention: two time axes in one graph, and its gradient checked numerically.

    encoder    h_t = tanh(U x_t + R h_{t−1})
    score      e_ut = v·tanh(Wa s_{u−1} + Ua h_t)            one for every pair (u, t)
    context    c_u = Σ_t softmax_t(e_ut) h_t
    decoder    s_u = tanh(W s_{u−1} + C c_u)
    loss       L = Σ_u |s_u − z_u|²

No operation here knows about attention: a score reads one state that varies over u and another that varies over t, so
it varies over both, and the sum over t removes t again.
"""

import numpy as np

import autograd_seq as ag

D, H, T, N = 2, 3, 5, 4
SHAPES = {"U": (H, D), "R": (H, H), "Wa": (H, H), "Ua": (H, H), "v": (H,), "W": (H, H), "C": (H, H)}


def model() -> tuple[ag.Node, ag.Node, list[ag.Node]]:
    """Return the loss, the attention weights and the parameters."""
    t, u = ag.Axis("t"), ag.Axis("u")
    x, z = ag.input("x", (D,), over=t), ag.input("z", (H,), over=u)
    params = [ag.param(name, shape) for name, shape in SHAPES.items()]
    U, R, Wa, Ua, v, W, C = params
    h, s = ag.state("h", (H,), over=t), ag.state("s", (H,), over=u)
    h[t] = ag.tanh(U @ x[t] + R @ h[t - 1])
    e = v @ ag.tanh(Wa @ s[u - 1] + Ua @ h[t])
    alpha = ag.softmax(e, over=t).named("alpha")
    c = ag.sum(alpha * h[t], over=t).named("c")
    s[u] = ag.tanh(W @ s[u - 1] + C @ c)
    return ag.sum(ag.sum((s[u] - z[u]) ** 2, axis=-1), over=u).named("L"), alpha, params


def main() -> dict[str, float]:
    """Print the attention weights and the largest error of every gradient; return the errors."""
    loss, alpha, params = model()
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(0, 0.7, shape) for name, shape in SHAPES.items()}
    feeds |= {"x": rng.normal(size=(T, D)), "z": rng.normal(size=(N, H))}

    dag = ag.Graph(loss).unroll(t=T, u=N)
    weights = ag.Graph(alpha).unroll(t=T, u=N)
    order = [a.name for a in weights.graph.layout(alpha)]
    (table,) = weights.evaluate(**{k: f for k, f in feeds.items() if k != "z"})
    for u, row in enumerate(table if order == ["u", "t"] else table.T):
        print(f"step {u} attends to", "  ".join(f"{w:.3f}" for w in row), f"  sum {row.sum():.3f}")

    errors = {}
    gradients = ag.Graph(*ag.grad(loss, params)).unroll(t=T, u=N).evaluate(**feeds)
    for name, g in zip(SHAPES, gradients, strict=True):
        numeric = np.zeros(SHAPES[name])
        for i in np.ndindex(*SHAPES[name]):
            step = np.zeros(SHAPES[name])
            step[i] = 1e-5
            up, down = (dag.evaluate(**{**feeds, name: feeds[name] + d})[0] for d in (step, -step))
            numeric[i] = (up - down) / 2e-5
        errors[name] = float(np.abs(g - numeric).max() / np.abs(numeric).max())
        print(f"dL/d{name:<3} |gradient| = {np.linalg.norm(g):.4f}   error (central differences) {errors[name]:.1e}")
    return errors


if __name__ == "__main__":
    main()
