"""Lesson: what the distant past still does, which is not what its gradient says.

Two questions about one far step: would the present be another if that step had been another (the *effect*)? And how much would
it change if that step changed by very little (the *gradient*)? In a linear recurrence they are one; in a nonlinear one they
part.
"""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

T = 60
REST = np.zeros(T)


def _kick(first: float) -> np.ndarray:
    """An input that is 0 after its first step."""
    x = REST.copy()
    x[0] = first
    return x


def _run(w: float, x: np.ndarray, squash: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return the states of h_t = tanh(w h_{t−1} + x_t), or without the tanh, and the derivatives of the last by each input."""
    t = ag.Axis("t")
    v, h = ag.input("x", over=t), ag.state("h", over=t)
    a = ag.param("w") * h[t - 1] + v[t]
    h[t] = ag.tanh(a) if squash else a
    (g,) = ag.grad(ag.last(h, over=t), [v])
    found = ag.compile(ag.Graph(h, g), backend="numpy")(x=x, w=w)
    return found[0], found[1]


def test_a_leak_forgets_by_the_same_factor_at_every_step() -> None:
    """h_t = 0.9 h_{t−1} + x_t: of an input k steps ago 0.9ᵏ is left. Half of it is gone after 6.6 steps, all but a thousandth
    after 66. How far a leak remembers follows from its weight: k = ln 0.001 / ln 0.9.
    """
    h, g = _run(0.9, _kick(1.0), squash=False)
    np.testing.assert_allclose(h, 0.9 ** np.arange(T), rtol=1e-12)
    np.testing.assert_allclose(g, h[::-1], rtol=1e-12)  # effect and gradient are the same numbers
    assert np.log(0.5) / np.log(0.9) == pytest.approx(6.6, abs=0.05)
    assert np.log(0.001) / np.log(0.9) == pytest.approx(66, abs=0.5)


def test_a_contracting_network_forgets_where_it_came_from() -> None:
    """With w = 0.8 two pasts that differ, followed by the same inputs, end in the same state: no difference is left."""
    recent = np.sin(np.arange(T))
    one, other = (_run(0.8, np.r_[first, recent[1:]])[0] for first in (2.0, -2.0))
    gap = np.abs(one - other)
    assert gap[0] > 1.9 and gap[-1] < 1e-6
    assert np.all(gap[1:] <= 0.8 * gap[:-1] + 1e-15)  # by a factor of at most w, as |tanh′| ≤ 1


def test_a_latch_remembers_for_ever_and_its_gradient_does_not_know() -> None:
    """With w = 2 the state settles at +0.9575 or at −0.9575, by the sign of the first input, and stays: what was 60 steps ago
    decides everything. The gradient is 10⁻⁴⁵: no small change of that input would change anything, and learning by gradients
    cannot find the step that matters most.
    """
    (plus, slope), (minus, _) = _run(2.0, _kick(1.0)), _run(2.0, _kick(-1.0))
    assert plus[-1] - minus[-1] == pytest.approx(2 * 0.9575, abs=1e-4)
    assert 0 < slope[0] < 1e-40


def test_on_the_edge_the_gradient_is_enormous_and_true_only_nearby() -> None:
    """A first input of exactly 0 leaves the state on the ridge between the two. There the derivative is 2⁵⁹, and right: a push
    of 10⁻²⁰ grows 2⁵⁹-fold. A push of 1 does not: the state can go no further than 0.9575.
    """
    _, slope = _run(2.0, REST)
    assert slope[0] == 2.0**59
    tiny, large = _run(2.0, _kick(1e-20))[0][-1], _run(2.0, _kick(1.0))[0][-1]
    assert tiny == pytest.approx(1e-20 * 2.0**59, rel=1e-3)
    assert large < 1


def test_truncation_cuts_the_gradient_and_not_the_past() -> None:
    """Truncated backpropagation changes what is learned from, not what is computed: the states still hold the whole past.

    h_t = 0.95 h_{t−1} + x_t with a window of 10: the kick at step 0 is 5 % of the last state, and has a gradient of 0.
    """
    t = ag.Axis("t")
    x, h = ag.input("x", over=t), ag.state("h", over=t)
    h[t] = 0.95 * h[t - 1] + x[t]
    whole, near = (ag.analyse.credit(h, x, over=t, window=n, backend="numpy")(x=_kick(1.0))[-1] for n in (None, 10))
    last = ag.compile(h, backend="numpy")(x=_kick(1.0))[0][-1]
    assert last == pytest.approx(0.95**59) == whole[0]
    assert np.flatnonzero(near).tolist() == [*range(T - 10, T)]
    np.testing.assert_allclose(near[-10:], whole[-10:], rtol=1e-12)
