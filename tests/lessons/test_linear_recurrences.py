"""Lesson 7: two recurrences that are small enough to be worked out on paper; and what many of them remember together."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

X = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


def test_a_leaky_sum() -> None:
    """h_t = w·h_{t−1} + x_t with w = 0.5, h₋₁ = 2, x = 1 … 6 and L = Σ h_t.

    Backward, a_t = dL/dh_t obeys a_t = 1 + w·a_{t+1}: from the last step on 1, 1.5, 1.75, 1.875, 1.9375, 1.96875.
    Then dL/dh₋₁ = w·a_0 = 0.984375, and dL/dw = Σ a_t h_{t−1} = 38.8125: each step's use of w counts, times the state
    that it was multiplied with. All numbers are sums of powers of two, so that no digit is lost.
    """
    t = ag.Axis("t")
    w, h0 = ag.param("w"), ag.param("h0")
    h = ag.state("h", over=t, init=h0)
    h[t] = w * h[t - 1] + ag.input("x", over=t)[t]
    L = ag.sum(h, over=t)
    feeds = {"x": X, "w": 0.5, "h0": 2.0}

    before, a = np.array([2.0, 2.0, 3.0, 4.5, 6.25, 8.125]), np.array([1.96875, 1.9375, 1.875, 1.75, 1.5, 1.0])
    assert (a * before).sum() == 38.8125 and 0.5 * a[0] == 0.984375

    dag = ag.Graph(L, h).unroll(t=6)
    loss, states = dag.evaluate(**feeds)
    np.testing.assert_array_equal(states[:-1], before[1:])
    assert loss == states.sum()
    reverse = ag.Graph(L).unroll(t=6).grad(["w", "h0"]).evaluate(**feeds)
    adjoint = ag.Graph(*ag.grad(L, [w, h0])).unroll(t=6).evaluate(**feeds)
    assert [float(g) for g in reverse] == [38.8125, 0.984375]
    assert [float(g) for g in adjoint] == [38.8125, 0.984375]


def test_two_initial_rows() -> None:
    """y_t = 0.5·y_{t−2} + 1 reads two steps back, so that two rows stand in front of it: y₋₂ = 1 and y₋₁ = 10.

    Even and odd steps do not know each other. y₋₂ reaches y_0, y_2 and y_4: dL/dy₋₂ = 1/2 + 1/4 + 1/8 = 0.875;
    y₋₁ reaches y_1 and y_3 only: dL/dy₋₁ = 1/2 + 1/4 = 0.75. The recurrence is linear, so its gradient does not depend
    on any value: the adjoint graph has no inputs left, and is evaluated without feeds.
    """
    t = ag.Axis("t")
    rows = [ag.param("y_2"), ag.param("y_1")]
    y = ag.state("y", over=t, init=rows)
    y[t] = 0.5 * y[t - 2] + 1
    L = ag.sum(y, over=t)
    feeds = {"y_2": 1.0, "y_1": 10.0}

    dag = ag.Graph(y).unroll(t=5)
    np.testing.assert_array_equal(dag.evaluate(**feeds)[0], [1.5, 6.0, 1.75, 4.0, 1.875])
    assert dag["y", -2] is dag["y_2"] and dag["y", -1] is dag["y_1"]
    reverse = ag.Graph(L).unroll(t=5).grad(["y_2", "y_1"]).evaluate(**feeds)
    backward = ag.Graph(*ag.grad(L, rows))
    assert not backward.inputs
    adjoint = backward.unroll(t=5).evaluate()
    assert [float(g) for g in reverse] == [0.875, 0.75]
    assert [float(g) for g in adjoint] == [0.875, 0.75]


@pytest.mark.parametrize(
    ("phase", "least", "most"), [(2 * np.pi, 1.0, 10.0), (0.3, 1e12, np.inf), (2 * np.pi / 200, 1e12, np.inf)]
)
def test_which_delays_a_linear_recurrence_can_tell_apart(phase: float, least: float, most: float) -> None:
    """32 numbers λ that turn by up to `phase` in a step hold the past as Σ λᵈ x_{t−d}.

    To copy ten symbols after 190 steps is to read off delay 190 alone, of the 19 from 181 to 199: a linear system, by whose
    condition noise grows. If all turn slowly, neighbouring delays look the same to 12 digits and more, however slowly they
    shrink; at all speeds, less than one digit is lost.
    """
    t, steps, n = ag.Axis("t"), 200, 32
    y = ag.nn.lru(ag.input("x", (1,), over=t), 2 * n, over=t, states=n, radius=(0.99, 0.9995), phase=phase)
    shown = {
        "Cr": np.eye(2 * n, n),
        "Ci": np.eye(2 * n, n, -n),
        "D": np.zeros((2 * n, 1)),
        "Br": np.ones((n, 1)),
        "Bi": np.zeros((n, 1)),
    }
    held = ag.compile(y, backend="plain")(x=np.eye(steps, 1), **ag.nn.init.params(y, seed=0) | shown)[0]
    assert held.shape == (steps, 2 * n)  # after a pulse at step 0: real and imaginary parts of each state at every delay
    assert least < np.linalg.cond(held[-19:]) < most
