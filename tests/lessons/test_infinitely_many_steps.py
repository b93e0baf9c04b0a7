"""Lesson: can we back-propagate through infinitely many steps?

Yes, where the steps lead to a fixed point: z = f(z) says what the infinitely long computation ends in, and differentiating this
one equation gives the gradient, dz = (I − ∂f/∂z)⁻¹ ∂f. No step is stored. Back-propagation through k steps comes as close to it
as theory says.
"""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

H = 4
RNG = np.random.default_rng(0)
W = 0.9 * np.linalg.qr(RNG.normal(size=(H, H)))[0]  # every direction shrinks by 0.9 a step
X, READOUT = 0.3 * RNG.normal(size=H), RNG.normal(size=H)


def through_steps(a: float, b: float, steps: int) -> tuple[float, float]:
    """Return z_k of z_k = a z_{k−1} + b, from z₀ = 0, and dz_k/da by back-propagation through all k steps."""
    k, w = ag.Axis("k"), ag.param("a")
    z = ag.state("z", over=k)
    z[k] = w * z[k - 1] + ag.param("b")
    end = ag.last(z, over=k)
    value, slope = ag.Graph(end, ag.grad(end, w)).unroll(k=steps).evaluate(a=a, b=b)
    return float(value), float(slope)


@pytest.mark.parametrize("a", [0.5, 0.9, -0.8])
@pytest.mark.parametrize("steps", [1, 10, 60])
def test_through_k_steps_the_value_misses_by_the_kth_power_and_the_gradient_by_k_times_as_much(a: float, steps: int) -> None:
    """z_k = b (1 − aᵏ) / (1 − a), so that z* − z_k = z* aᵏ; its derivative is off by aᵏ (1/(1 − a)² + k / (a (1 − a))).

    The k: each of the k uses of a still has k − j steps ahead of it and j steps behind it, aᵏ⁻¹ together.
    """
    b = 2.0
    w = ag.param("a")
    z = ag.equilibrium("z")
    z[...] = w * z + ag.param("b")
    value, slope = ag.compile([z, ag.grad(z, w)], backend="numpy")(a=a, b=b)
    assert value == pytest.approx(b / (1 - a), rel=1e-10)
    assert slope == pytest.approx(b / (1 - a) ** 2, rel=1e-10)
    near, near_slope = through_steps(a, b, steps)
    assert float(value) - near == pytest.approx(b * a**steps / (1 - a), rel=1e-6, abs=1e-9)
    wrong = b * a**steps * (1 / (1 - a) ** 2 + steps / (a * (1 - a)))
    assert float(slope) - near_slope == pytest.approx(wrong, rel=1e-6, abs=1e-9)


def layer(end: str) -> tuple[ag.Node, ag.Node, ag.Node]:
    """Return the loss of z ← tanh(W z + x) after its last step, or at its equilibrium; W; and where it starts."""
    w, x, start = ag.param("W", (H, H)), ag.param("x", (H,)), ag.param("start", (H,))
    if end == "equilibrium":
        z = ag.equilibrium("z", (H,), start=start)
        z[...] = ag.tanh(w @ z + x)
        return READOUT @ z, w, start
    k = ag.Axis("k")
    s = ag.state("z", (H,), over=k, init=start)
    s[k] = ag.tanh(w @ s[k - 1] + x)
    return READOUT @ ag.last(s, over=k), w, start


FEEDS = {"W": W, "x": X, "start": np.zeros(H)}


def find_radius() -> float:
    """Return the spectral radius of ∂f/∂z at the fixed point."""
    z = np.zeros(H)
    for _ in range(1000):
        z = np.tanh(W @ z + X)
    return float(np.max(np.abs(np.linalg.eigvals((1 - z**2)[:, None] * W))))


def test_a_deep_layer_converges_at_the_same_rate() -> None:
    """The error of k steps is k ρᵏ up to a bounded factor, ρ the spectral radius of ∂f/∂z at the fixed point."""
    loss, w, _ = layer("equilibrium")
    (exact,) = ag.compile(ag.grad(loss, w), backend="numpy")(**FEEDS)
    steps, w, _ = layer("steps")
    run = ag.compile(ag.grad(steps, w), backend="numpy")
    rho = find_radius()
    errors = {k: float(np.linalg.norm(run(k=k, **FEEDS)[0] - exact)) for k in range(40, 121)}
    scaled = [errors[k] / (k * rho**k) for k in errors]
    assert max(scaled) < 4 * min(scaled)
    assert (errors[120] / errors[60]) ** (1 / 60) == pytest.approx(rho * 2 ** (1 / 60), rel=0.01)
    assert errors[40] > 1e-3 > 1e-5 > errors[120]


def test_at_the_fixed_point_the_last_k_steps_are_k_terms_of_the_series() -> None:
    """Truncated back-propagation there sums (Jᵀ)⁰ … (Jᵀ)ᵏ⁻¹: the Neumann series of (I − Jᵀ)⁻¹. Its rest is of the order ρᵏ."""
    loss, w, _ = layer("equilibrium")
    (exact,) = ag.compile(ag.grad(loss, w), backend="numpy")(**FEEDS)
    steps, w, _ = layer("steps")
    rho, axis = find_radius(), next(a for a in ag.Graph(steps).axes)
    errors = {}
    for k in (10, 20, 40):
        cut = ag.grad(steps, w, over=axis, window=k)
        errors[k] = float(np.linalg.norm(ag.compile(cut, backend="numpy")(k=600, **FEEDS)[0] - exact))
    assert errors[20] / errors[10] == pytest.approx(rho**10, rel=0.35)
    assert errors[40] / errors[20] == pytest.approx(rho**20, rel=0.35)


def test_infinitely_many_steps_forget_where_they_began() -> None:
    """The influence of the start is ρᵏ after k steps, and none at the fixed point, whatever one starts from."""
    loss, _, start = layer("equilibrium")
    value, gone = ag.compile([loss, ag.grad(loss, start)], backend="numpy")(**FEEDS)
    assert np.all(gone == 0)
    elsewhere = {**FEEDS, "start": np.full(H, 3.0)}
    assert ag.compile(loss, backend="numpy")(**elsewhere)[0] == pytest.approx(float(value), rel=1e-9)
    steps, _, start = layer("steps")
    (after_60,) = ag.compile(ag.grad(steps, start), backend="numpy")(k=60, **FEEDS)
    assert 1e-8 < np.linalg.norm(after_60) < 0.9**60 * np.linalg.norm(READOUT)


def test_no_step_is_stored() -> None:
    """Back-propagation keeps every step; the equilibrium as much for one iteration as for a million."""
    loss, w, _ = layer("equilibrium")
    steps, v, _ = layer("steps")
    settled, stored = (ag.compile([y, ag.grad(y, p)], backend="numpy") for y, p in ((loss, w), (steps, v)))
    assert stored.cost(k=10_000).bytes > 100 * settled.cost().bytes
