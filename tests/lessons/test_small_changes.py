"""Lesson: how do we account for small changes in the past? By one number: the rate at which they grow, step by step.

A change of size ε at one step has become about ε exp(λ k) after k steps. λ is the largest Lyapunov exponent. The gradient is
the same quantity read backward, so that λ also says whether gradients vanish or explode.
"""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn, nn

H, T = 32, 600
RNG = np.random.default_rng(0)
X = RNG.normal(0, 0.3, (T, 2))
U, G = RNG.normal(size=(H, 2)), RNG.normal(size=(H, H)) / np.sqrt(H)
Q = np.linalg.qr(G)[0]
t = ag.Axis("t")


def _logistic() -> tuple[ag.Node, ag.Node]:
    """Return x_t = 4 x_{t−1} (1 − x_{t−1}) and its row x₋₁."""
    row = ag.param("x0")
    x = ag.state("x", over=t, init=row)
    x[t] = 4 * x[t - 1] * (1 - x[t - 1])
    return x, row


def _network(squash: object = ag.tanh) -> ag.Node:
    """Return s_t = tanh(W s_{t−1} + U x_t)."""
    s = ag.state("s", (H,), over=t)
    s[t] = squash(ag.param("W", (H, H)) @ s[t - 1] + ag.param("U", (H, 2)) @ ag.input("x", (2,), over=t))  # type: ignore[operator]
    return s


def _rate(output: ag.Node, **feeds: object) -> float:
    """Return the largest exponent, in nats a step."""
    return float(ag.analyse.lyapunov(output, over=t, discard=100, exponents=1, backend="numpy")(**feeds).exponents[0])


def test_a_difference_of_a_trillionth_is_everything_after_forty_steps() -> None:
    """Chaos: two histories that differ by 10⁻¹² agree for a while. With λ = ln 2 they part after ln(10¹²) / ln 2 = 40 steps,
    and no later step can be told from what was measured. A thousand times the precision buys ten steps.
    """
    x, _ = _logistic()
    run = ag.compile(x, backend="numpy")
    first = [int(np.argmax(np.abs(run(x0=0.2, t=80)[0] - run(x0=0.2 + e, t=80)[0]) > 0.1)) for e in (1e-12, 1e-9)]
    assert np.log(1e12) / np.log(2) == pytest.approx(40, abs=0.2)
    assert first[0] == pytest.approx(40, abs=5)
    assert first[0] - first[1] == pytest.approx(10, abs=3)


def test_the_gradient_is_that_growth() -> None:
    """ln |dx_T/dx₀| / T is the exponent, here in the mean over initial values: at r = 4, ln 2 for almost all of them."""
    x, row = _logistic()
    steps, starts = 30, np.random.default_rng(1).uniform(0.01, 0.99, 200)
    slope = ag.compile(ag.grad(ag.last(x, over=t), row), backend="numpy")
    rates = [np.log(abs(slope(x0=start, t=steps)[0])) / steps for start in starts]
    assert np.mean(rates) == pytest.approx(np.log(2), abs=0.03)
    found = ag.analyse.lyapunov(x, over=t, steps=3000, discard=50, backend="numpy")(x0=0.2)
    assert found.exponents[0] == pytest.approx(np.log(2), abs=0.01)


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_the_exponent_says_how_fast_credit_fades_or_explodes(scale: float) -> None:
    """In a network with an input: the length of ∂L_T/∂s_j, on a logarithmic scale, changes by λ for each step back."""
    s = _network()
    back = ag.compile(ag.grad(ag.last(ag.sum(s), over=t), s), backend="numpy")(W=scale * G, U=U, x=X)[0]
    length = np.log(np.linalg.norm(back[-150:], axis=1))[::-1]
    measured = np.polyfit(np.arange(150), length, 1)[0]
    assert measured == pytest.approx(_rate(s, W=scale * G, U=U, x=X), rel=0.1)
    assert np.sign(measured) == (1 if scale > 1 else -1)


def test_vanishing_or_exploding_is_a_property_of_the_cell_and_of_its_start() -> None:
    """The same input, four cells. Small random weights forget a thousandfold within ten steps; large ones are chaotic, and
    gradients explode; a rotation forgets only as far as tanh bends; relu with the identity keeps all, exactly; an LSTM that
    starts with its forget gates open neither forgets nor explodes within hundreds of steps, with gates half open it forgets.
    """
    s = _network()
    small, large = _rate(s, W=0.5 * G, U=U, x=X), _rate(s, W=4 * G, U=U, x=X)
    assert np.log(1e3) / -small < 10
    assert large > 0.25
    bent, straight = _rate(s, W=Q, U=U, x=X), _rate(s, W=Q, U=U / 10, x=X)
    assert small < bent < straight < 0
    assert straight == pytest.approx(0, abs=0.04)
    assert _rate(_network(ag.relu), W=np.eye(H), U=np.abs(U), x=np.abs(X)) == 0.0
    h = nn.lstm(ag.input("x", (2,), over=t), H, over=t)
    start = nn.init.params(h, seed=0)
    half, wide = (_rate(h, **{**start, "bf": np.full(H, b)}, x=X) for b in (0.0, 3.0))
    assert half < -0.25
    assert np.log(1e3) / abs(wide) > 300


def test_clipping_bounds_the_step_and_does_not_bring_back_what_was_drowned() -> None:
    """Where gradients explode, the far steps drown all others: of a parameter's gradient, what the last 100 steps contribute
    is less than a millionth. Clipping scales the sum: its length is bounded, its direction, that of the far steps, stays. And
    that direction tells little of the loss: two losses that have nothing in common have the same one.
    """
    s, v = _network(), ag.input("v", (H,))
    L = v @ ag.last(s, over=t)
    W = ag.Graph(s)["W"]
    feeds = {"W": 4 * G, "U": U, "x": X}
    program = ag.compile(ag.grad(L, [W, s]), backend="numpy")
    one, other = np.eye(H)[:2]
    (g, back), (_, back_of_other) = (program(v=loss, **feeds) for loss in (one, other))
    near = ag.compile(ag.grad(L, W, over=t, window=100), backend="numpy")(v=one, **feeds)[0]
    assert np.linalg.norm(g) > 1e6 * np.linalg.norm(near)
    clipped, before = learn.clip_by_norm({"W": g}, 1.0)
    assert before == pytest.approx(np.linalg.norm(g))
    np.testing.assert_allclose(clipped["W"] * before, g, rtol=1e-10)
    cosine = back[0] @ back_of_other[0] / np.linalg.norm(back[0]) / np.linalg.norm(back_of_other[0])
    assert abs(cosine) > 0.999
