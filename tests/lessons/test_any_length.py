"""Lesson 6: the equations do not say how long the sequence is: one graph, any number of steps."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

D, H = 2, 4


def _model() -> tuple[ag.Node, ag.Node, list[ag.Node]]:
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    U, W = ag.param("U", (H, D)), ag.param("W", (H, H))
    s = ag.state("s", (H,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    return ag.sum(ag.sum(s * s), over=t).named("L"), s, [U, W]


def _feeds(steps: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    W = np.linalg.qr(rng.normal(size=(H, H)))[0]
    return {"U": rng.normal(size=(H, D)) / 4, "W": W, "x": rng.normal(size=(600, D))[:steps]}


def _by_hand(x: np.ndarray, U: np.ndarray, W: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    s = np.zeros((len(x) + 1, H))
    for t in range(len(x)):
        s[t] = np.tanh(U @ x[t] + W @ s[t - 1])
    dU, dW, back = np.zeros_like(U), np.zeros_like(W), np.zeros(H)
    for t in reversed(range(len(x))):
        da = (1 - s[t] ** 2) * (2 * s[t] + back)
        dU += np.outer(da, x[t])
        dW += np.outer(da, s[t - 1])
        back = W.T @ da
    return float((s * s).sum()), dU, dW


@pytest.mark.parametrize("steps", [10, 600])
def test_the_same_graph_runs_for_10_steps_and_for_600(steps: int) -> None:
    """The loss and its gradient agree with a loop written by hand, at both lengths, with the same three matrices."""
    L, _, params = _model()
    feeds = _feeds(steps)
    loss, *hand = _by_hand(**feeds)
    dag = ag.Graph(L).unroll(t=steps)
    assert float(dag.evaluate(**feeds)[0]) == pytest.approx(loss, rel=1e-12)
    reverse = dag.grad(["U", "W"]).evaluate(**feeds)
    adjoint = ag.Graph(*ag.grad(L, params)).unroll(t=steps).evaluate(**feeds)
    for found, other, expected in zip(reverse, adjoint, hand, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_the_graph_stays_small_and_the_unrolled_one_grows_in_proportion() -> None:
    """The folded graph has the size of the equations, its adjoint too. Unrolled, every step adds the same few nodes."""
    L, _, params = _model()
    g, adjoint = ag.Graph(L), ag.Graph(*ag.grad(L, params))
    assert len(g) < 20 and len(adjoint) < 60
    size = {steps: len(g.unroll(t=steps)) for steps in (9, 10, 600)}
    assert size[600] - size[10] == 590 * (size[10] - size[9])


def test_the_first_steps_do_not_depend_on_how_many_follow() -> None:
    """A recurrence looks into the past only, so the states of a short run are the beginning of those of a long run."""
    _, s, _ = _model()
    g = ag.Graph(s)
    short, long = (g.unroll(t=steps).evaluate(**_feeds(steps))[0] for steps in (10, 600))
    np.testing.assert_array_equal(long[:10], short)


def test_even_no_step_at_all() -> None:
    """An empty sum is 0, and so is its gradient."""
    L, _, _ = _model()
    dag = ag.Graph(L).unroll(t=0)
    feeds = _feeds(0)
    assert float(dag.evaluate(**feeds)[0]) == 0.0
    assert not np.any(dag.grad(["W"]).evaluate(**feeds)[0])
