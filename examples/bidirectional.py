"""A bidirectional network: one state reads the past, the other the future, and the output hears both.

    h_t = tanh(A x_t + P h_{t−1})      r_t = tanh(B x_t + Q r_{t+1})      y_t = v·h_t + w·r_t

The two recurrences are two cycles in separate components of the folded graph, so that one can run forward and the
other backward. The derivative of the middle output by every input shows who hears what: through h, the inputs up to
the middle; through r, those from the middle on.
"""

import numpy as np

import autograd_seq as ag

D, H, T = 2, 4, 7


def influence(feeds: dict[str, np.ndarray]) -> np.ndarray:
    """Return |∂y_mid/∂x_t| for every t."""
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    A, P, v = ag.param("A", (H, D)), ag.param("P", (H, H)), ag.param("v", (H,))
    B, Q, w = ag.param("B", (H, D)), ag.param("Q", (H, H)), ag.param("w", (H,))
    h, r = ag.state("h", (H,), over=t), ag.state("r", (H,), over=t)
    h[t] = ag.tanh(A @ x[t] + P @ h[t - 1])
    r[t] = ag.tanh(B @ x[t] + Q @ r[t + 1])
    y = (v @ h[t] + w @ r[t]).named("y")
    (dx,) = ag.grad(ag.at(y, t, T // 2), [x])
    (slope,) = ag.Graph(dx).unroll(t=T).evaluate(**feeds)
    return np.linalg.norm(slope, axis=-1)


def main() -> dict[str, np.ndarray]:
    """Print and return the influence of every input with both states, and with one of them cut off from the output."""
    rng = np.random.default_rng(1)
    feeds = {"x": rng.normal(size=(T, D))}
    for weight, recurrence, readout in (("A", "P", "v"), ("B", "Q", "w")):
        feeds[weight] = rng.normal(0, 0.5, (H, D))
        feeds[recurrence] = np.linalg.qr(rng.normal(size=(H, H)))[0]
        feeds[readout] = rng.normal(size=H)
    nothing = np.zeros(H)
    found = {
        "both": influence(feeds),
        "past": influence({**feeds, "w": nothing}),
        "future": influence({**feeds, "v": nothing}),
    }
    print(f"|∂y_{T // 2}/∂x_t|  " + "  ".join(f"  t={i}" for i in range(T)))
    for name, row in found.items():
        print(f"{name:>10}  " + "  ".join(f"{v:5.3f}" for v in row))
    return found


if __name__ == "__main__":
    main()
