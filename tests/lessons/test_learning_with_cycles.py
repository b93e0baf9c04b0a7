"""Lesson: how to learn with cycles. A cycle through a delay is a chain, if one looks long enough; its gradient can be walked
backward or forward, whole or in parts, and all ways that leave nothing out agree.
"""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn

T = 40
RNG = np.random.default_rng(0)
X, W_TRUE = RNG.normal(size=T), 0.8
t = ag.Axis("t")


def _model() -> ag.Node:
    """Return L = Σ_t (s_t − l_t)² / T of s_t = tanh(w s_{t−1} + x_t): one weight, on a cycle."""
    s = ag.state("s", over=t)
    s[t] = ag.tanh(ag.param("w") * s[t - 1] + ag.input("x", over=t))
    return ag.sum((s - ag.input("l", over=t)) ** 2, over=t).named("L") / T


def _simulate(w: float) -> np.ndarray:
    """Return the states in a plain loop."""
    s, out = 0.0, []
    for x in X:
        s = np.tanh(w * s + x)
        out.append(s)
    return np.array(out)


LABELS = _simulate(W_TRUE)
FEEDS = {"x": X, "l": LABELS}


@pytest.mark.parametrize("way", ["unfolded", "adjoint", "forward", "online", "nudged"])
def test_every_way_around_the_cycle_gives_the_same_gradient(way: str) -> None:
    """Unfold the cycle into a chain of T copies, and walk it backward: dL/dw is the sum over all copies of w. Or reverse the
    arrows of the folded graph, which is the same walk as equations. Or carry ds_t/dw forward with the state, once for all
    steps or step by step as they come, and nothing has to be stored. Or change w by little, and look.
    """
    L, w = _model(), 0.3
    if way == "unfolded":
        (got,) = ag.Graph(L).unroll(t=T).grad(["w"]).evaluate(w=w, **FEEDS)
    elif way == "adjoint":
        got = ag.value_and_grad(L, backend="numpy")(w=w, **FEEDS)[1]["w"]
    elif way == "forward":
        (got,) = ag.compile(ag.jvp(L, ag.Graph(L)["w"], 1.0), backend="numpy")(w=w, **FEEDS)
    elif way == "online":
        step, carry, got = ag.online(L, backend="numpy"), None, 0.0
        for x, label in zip(X, LABELS, strict=True):
            (_, grads), carry = step(carry, x=x, l=label, w=w)
            got = got + grads["w"]
    else:
        loss = [float(np.mean((_simulate(w + e) - LABELS) ** 2)) for e in (1e-6, -1e-6)]
        got = (loss[0] - loss[1]) / 2e-6
    want = ag.value_and_grad(L, backend="numpy")(w=w, **FEEDS)[1]["w"]
    assert float(got) == pytest.approx(float(want), rel=1e-12 if way != "nudged" else 1e-7)


def test_the_weight_on_the_cycle_is_found() -> None:
    """Gradient descent on the cycle's weight recovers that of the system which made the labels."""
    step, weights, adam = ag.value_and_grad(_model(), backend="numpy"), {"w": np.array(0.0)}, learn.adam(0.05)
    state = adam.init(weights)
    for _ in range(200):
        _, grads = step(**weights, **FEEDS)
        weights, state = adam.update(weights, grads, state)
    assert float(weights["w"]) == pytest.approx(W_TRUE, abs=1e-3)


def test_leaving_copies_out_makes_it_cheaper_and_wrong_by_a_known_amount() -> None:
    """Pieces of 5 steps: what a loss owes to copies of w in earlier pieces is left out. ``truncation_bias`` says how much: here
    a part of the gradient that grows with the memory of the cycle, from half a hundredth at w = 0.1 to a tenth at w = 0.9.
    """
    bias = ag.truncation_bias(_model(), segment=5, backend="numpy")
    short, long = (bias(w=w, **FEEDS)["w"].relative for w in (0.1, 0.9))
    assert short == pytest.approx(0.005, abs=0.002)
    assert long == pytest.approx(0.10, abs=0.02)


def test_one_copy_of_the_weight_is_responsible_for_losses_that_come_later() -> None:
    """The sum over copies, seen: the loss at step i owes to the copy of w at step j ≤ i its credit, and none to later ones."""
    s = ag.Graph(_model())["s"]
    credit = ag.analyse.credit((s - ag.input("l", over=t)) ** 2 / T, ag.Graph(s)["w"], over=t, backend="numpy")
    shares = credit(w=0.3, **FEEDS)
    assert not shares[np.triu_indices(T, 1)].any()
    assert shares.sum() == pytest.approx(float(ag.value_and_grad(_model(), backend="numpy")(w=0.3, **FEEDS)[1]["w"]), rel=1e-10)
