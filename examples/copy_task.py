"""Copy a pattern over 1,000 steps: four bits are shown, a thousand others follow, and then the four are asked for.

A gate decides which bits are written into four registers, h_t = f h_{t−1} + i_t v_t r_t with i_t = σ(a m_t + b), where m_t
marks the pattern. It has to open at the mark and to close otherwise. Only the losses of the last four steps tell so, a thousand
steps later. In segments of 100 steps no loss reaches the pattern: the gate learns to close, never to open. The full gradient,
or the same one carried forward step by step (ag.online), learns it. The credit matrix shows why.
"""

from typing import Any

import numpy as np

import autograd_seq as ag
from autograd_seq import learn

K, GAP, BATCH = 4, 1000, 16
START = {"a": 0.0, "b": -2.0, "f": 7.0, "c": 0.1}


def model() -> dict[str, Any]:
    """Return the losses of the steps, their sum, the bits that are written, and the answers."""
    t, batch = ag.Axis("t"), ag.Axis("batch")
    v, m = ag.input("v", over=(t, batch)), ag.input("m", over=t)  # a bit, −1 or 1; whether it belongs to the pattern
    asked, r = ag.input("asked", over=t), ag.input("r", (K,), over=t)  # whether an answer is due; which register
    h = ag.state("h", (K,), over=(t, batch))
    gate = ag.sigmoid(ag.param("a") * m[t] + ag.param("b"))
    h[t] = ag.sigmoid(ag.param("f")) * h[t - 1] + (gate * (1 - asked) * v) * r
    y = (ag.param("c") * (r @ h[t])).named("y")
    losses = asked * ag.softplus(-2 * v * y) / K  # at the end v is the bit that was shown
    return {"losses": losses, "L": ag.sum(ag.mean(losses, over=batch), over=t), "v": v, "y": y, "t": t}


def draw(rng: np.random.Generator, gap: int, batch: int = BATCH) -> dict[str, np.ndarray]:
    """Return sequences: the pattern, other bits, the pattern again as what is asked for."""
    steps = np.arange(gap + 2 * K)
    v = rng.choice([-1.0, 1.0], (len(steps), batch))
    v[-K:] = v[:K]
    return {"v": v, "m": 1.0 * (steps < K), "asked": 1.0 * (steps >= gap + K), "r": np.eye(K)[steps % K]}


def fit(gradient: Any, gap: int, updates: int) -> dict[str, np.ndarray]:
    """Return the weights after so many updates by a function that returns (loss, gradients)."""
    rng, adam, weights = np.random.default_rng(0), learn.adam(0.1), {k: np.array(x) for k, x in START.items()}
    state = adam.init(weights)
    for _ in range(updates):
        _, grads = gradient(**weights, **draw(rng, gap))
        weights, state = adam.update(weights, learn.clip_by_norm(grads, 1.0)[0], state)
    return weights


def main(gap: int = GAP, updates: int = 200, ways: tuple[str, ...] = ("full", "online", "segment=100")) -> dict[str, float]:
    """Print for each way how many of the bits are remembered, and what credit the pattern has; return these numbers."""
    parts, found = model(), {}
    L, over = parts["L"], parts["t"]
    online, segments = ag.online(L, over=over), ag.bptt(L, over=over, segment=100)
    made = {"full": ag.value_and_grad(L), "online": lambda **given: online(None, **given)[0], "segment=100": segments}
    weights: dict[str, dict[str, np.ndarray]] = {}
    test, answer = draw(np.random.default_rng(1), gap, 200), ag.compile(parts["y"])
    for way in ways:
        weights[way] = fit(made[way], gap, updates)
        (y,) = answer(**test, **weights[way])
        found[way] = right = float(np.mean((y[-K:] > 0) == (test["v"][-K:] > 0)))
        gates = [1 / (1 + np.exp(-weights[way]["a"] * m - weights[way]["b"])) for m in (1, 0)]
        print(f"{way:>12}: {right:4.0%} of the bits; the gate at the mark {gates[0]:.3f}, elsewhere {gates[1]:.4f}")
    one = draw(np.random.default_rng(2), gap, 1)
    print("credit of the bits for the last four losses, with the weights that the full gradient found:")
    for name, cut in (("full", {}), ("segment=100", {"segment": 100})):
        credit = ag.analyse.credit(parts["losses"], parts["v"], over=over, **cut)(**one, **weights["full"])[-K:, :, 0]
        size = np.abs(credit)
        found[f"reached, {name}"] = reached = int(np.count_nonzero(size.any(0)))
        found[f"credit of the pattern, {name}"] = float(size[:, :K].sum() / size[:, :-K].sum())
        print(
            f"{name:>12}: the last losses reach {reached} steps; the pattern has {found[f'credit of the pattern, {name}']:.2%}"
        )
    return found


if __name__ == "__main__":
    main()
