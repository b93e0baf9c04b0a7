"""Lesson 5: through k steps, the gradient shrinks or grows like the k-th power of the recurrence."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

H = 4
ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(H, H)))[0]
READOUT = np.array([1.0, -2.0, 0.5, 1.0])


def _gradient(W: np.ndarray, v: np.ndarray, steps: int) -> np.ndarray:
    """Return d(v·h_last)/dh₋₁ of h_t = W h_{t−1}."""
    n = len(v)
    t = ag.Axis("t")
    h = ag.state("h", (n,), over=t, init=ag.param("h0", (n,)))
    h[t] = ag.param("W", (n, n)) @ h[t - 1]
    dag = ag.Graph(ag.param("v", (n,)) @ ag.last(h, over=t)).unroll(t=steps)
    (g,) = dag.grad(["h0"]).evaluate(h0=np.ones(n), W=W, v=v)
    return g


def _slope(w: float, steps: int, s0: float) -> float:
    """Return ds_last/ds₋₁ of s_t = tanh(w s_{t−1})."""
    t = ag.Axis("t")
    s = ag.state("s", over=t, init=ag.param("s0"))
    s[t] = ag.tanh(ag.param("w") * s[t - 1])
    (g,) = ag.Graph(ag.last(s, over=t)).unroll(t=steps).grad(["s0"]).evaluate(s0=s0, w=w)
    return float(g)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("steps", [1, 10, 50])
def test_a_scaled_rotation_gives_exactly_the_power(scale: float, steps: int) -> None:
    """h_t = a Q h_{t−1} with an orthogonal Q: a rotation keeps lengths, so the gradient's length is |v| aᵏ.

    At a = 0.5 it has shrunk by 10⁻¹⁵ after 50 steps, at a = 1.5 it has grown to 6·10⁸; only at a = 1 it stays.
    """
    g = _gradient(scale * ROTATION, READOUT, steps)
    assert np.linalg.norm(g) == pytest.approx(np.linalg.norm(READOUT) * scale**steps, rel=1e-12)


def test_the_gradient_is_the_transposed_power() -> None:
    """In full: dL/dh₋₁ = (Wᵀ)ᵏ v. Backward in time the same recurrence runs, with W transposed."""
    W = np.random.default_rng(1).normal(size=(H, H)) / 2
    np.testing.assert_allclose(_gradient(W, READOUT, 12), np.linalg.matrix_power(W.T, 12) @ READOUT, rtol=1e-11)


def test_in_the_long_run_the_spectral_radius_decides() -> None:
    """Both eigenvalues of [[0.9, 5], [0, 0.5]] are below 1, yet the gradient grows at first: the matrix is not normal.

    What decides in the long run is the spectral radius ρ, the largest |eigenvalue|: the gradient of one step more is
    ρ = 0.9 times as long.
    """
    W, v = np.array([[0.9, 5.0], [0.0, 0.5]]), np.array([1.0, 0.0])
    length = [float(np.linalg.norm(_gradient(W, v, k))) for k in (2, 60, 61)]
    assert length[0] > 5
    assert length[1] < 0.1
    assert length[2] / length[1] == pytest.approx(max(abs(np.linalg.eigvals(W))), rel=1e-9)


@pytest.mark.parametrize("w", [0.8, 1.0, 1.5])
def test_near_zero_tanh_is_the_linear_recurrence(w: float) -> None:
    """tanh(s) ≈ s for small s, so the slope of s_t = tanh(w s_{t−1}) through k steps starts out as wᵏ."""
    assert _slope(w, 10, s0=1e-6) == pytest.approx(w**10, rel=1e-6)


def test_where_tanh_saturates_the_gradient_vanishes_in_spite_of_a_large_weight() -> None:
    """With w = 2 the origin repels, and s settles where s* = tanh(2 s*) = 0.9575: there every step multiplies the
    gradient by w (1 − s*²) = 0.1666. The state is remembered for ever, but no gradient tells how to change it.
    """
    fixed = 1.0
    for _ in range(100):
        fixed = float(np.tanh(2 * fixed))
    factor = 2 * (1 - fixed**2)
    assert fixed == pytest.approx(0.9575, abs=1e-4)
    assert factor == pytest.approx(0.1666, abs=1e-3)
    assert _slope(2.0, 20, s0=fixed) == pytest.approx(factor**20, rel=1e-10)


def test_the_slope_is_the_product_of_the_slopes_on_the_way() -> None:
    """Between the two extremes: ds_k/ds₋₁ = Π w (1 − s_i²), a product over the states that were visited."""
    s, product = 0.3, 1.0
    for _ in range(15):
        s = float(np.tanh(1.4 * s))
        product *= 1.4 * (1 - s * s)
    assert _slope(1.4, 15, s0=0.3) == pytest.approx(product, rel=1e-12)
