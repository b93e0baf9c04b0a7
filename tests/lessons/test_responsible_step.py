"""Lesson: which past step is responsible? Credit is the derivative of each step's loss by the input or state of each step."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

T, WRITTEN, ERASED = 12, 2, 8
X = np.array([0.3, -1.0, 0.8, 0.5, -0.2, 0.9, -0.6, 0.1, 0.7, -0.4, 0.2, 0.6])
OPEN, KEPT = np.zeros(T), np.ones(T)
OPEN[[WRITTEN, ERASED]] = 1.0
KEPT[ERASED] = 0.0


def _memory() -> tuple[ag.Node, ag.Node, ag.Node]:
    """Return the losses, the input and the state of a memory cell: h_t = f_t h_{t−1} + i_t x_t, L_t = (h_t − 1)² / 2.

    At each step the gate i_t says whether the input is written, f_t whether what was there is kept: an LSTM's cell, whose gates
    we set ourselves to know what must come out.
    """
    t = ag.Axis("t")
    x, i, f = ag.input("x", over=t), ag.input("i", over=t), ag.input("f", over=t)
    h = ag.state("h", over=t)
    h[t] = f[t] * h[t - 1] + i[t] * x[t]
    return ag.square(h - 1.0) / 2, x, h


@pytest.fixture(scope="module")
def blame() -> np.ndarray:
    """The credit of each input: (12, 12), the step of the loss first."""
    losses, x, _ = _memory()
    return ag.analyse.credit(losses, x, over=losses.axes[0], backend="numpy")(x=X, i=OPEN, f=KEPT)


def test_the_step_that_wrote_is_responsible_until_its_trace_is_erased(blame: np.ndarray) -> None:
    """What was written at step 2 is in the state until step 7: for these losses step 2 is responsible, and it alone. From step
    8 on it is step 8, which erased and wrote anew. Inputs that no gate let in have no credit, however close to the loss.
    """
    written, rewritten = blame[:, WRITTEN], blame[:, ERASED]
    assert np.flatnonzero(written).tolist() == [2, 3, 4, 5, 6, 7]
    assert np.flatnonzero(rewritten).tolist() == [8, 9, 10, 11]
    others = [k for k in range(T) if k not in (WRITTEN, ERASED)]
    assert not blame[:, others].any()
    assert np.allclose(written[2:8], X[WRITTEN] - 1)  # (h_t − 1) ∂h_t/∂x_2, and h_t = x_2


def test_blame_is_what_a_nudge_of_that_step_would_do(blame: np.ndarray) -> None:
    """The definition, without any derivative rule: change one input by a little, and see which losses change, by how much."""
    losses, _, _ = _memory()
    program, nudge = ag.compile(losses, backend="numpy"), 1e-6
    for k in range(T):
        more, less = (program(x=X + by * (np.arange(T) == k), i=OPEN, f=KEPT)[0] for by in (nudge, -nudge))
        np.testing.assert_allclose(blame[:, k], (more - less) / (2 * nudge), atol=1e-8)


def test_no_step_is_responsible_for_what_was_before_it() -> None:
    """Time has a direction: where equations look back only, the matrix of credit is a triangle, zero for later steps."""
    losses, _, h = _memory()
    credit = ag.analyse.credit(losses, h, over=losses.axes[0], backend="numpy")(x=X, i=OPEN, f=KEPT)
    assert not np.triu(credit, 1).any() and np.diag(credit).all()


def test_the_gradient_adds_up_what_credit_keeps_apart(blame: np.ndarray) -> None:
    """A gradient of the total loss has one number for each input, the sum of its column: for which loss, it does not say."""
    losses, x, _ = _memory()
    (total,) = ag.grad(ag.sum(losses, over=losses.axes[0]), [x])
    np.testing.assert_allclose(ag.compile(total, backend="numpy")(x=X, i=OPEN, f=KEPT)[0], blame.sum(axis=0), rtol=1e-12)


def test_of_shared_weights_each_use_has_its_own_share() -> None:
    """A weight has no step, but it is used at every step, and each use has credit. Their sum is the gradient."""
    t = ag.Axis("t")
    w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
    h[t] = ag.tanh(w * h[t - 1] + x[t])
    last = ag.analyse.credit(h, w, over=t, backend="numpy")(w=0.9, x=X)[-1]
    s = np.zeros(T + 1)
    for k in range(T):
        s[k] = np.tanh(0.9 * s[k - 1] + X[k])
    slopes = 1 - s[:T] ** 2
    by_hand = [slopes[k] * s[k - 1] * np.prod(0.9 * slopes[k + 1 :]) for k in range(T)]
    np.testing.assert_allclose(last, by_hand, rtol=1e-12)
    (g,) = ag.grad(ag.last(h, over=t), [w])
    assert ag.compile(g, backend="numpy")(w=0.9, x=X)[0] == pytest.approx(last.sum(), rel=1e-12)
