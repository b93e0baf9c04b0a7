"""One argument, one form: names of nodes, carries and feeds are accepted alike wherever they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
import viz

T = 6
X, WEIGHT = np.random.default_rng(0).normal(size=(T, 2)), np.array([[0.5, -0.2], [0.1, 0.4]])


def make_loss() -> tuple[ag.Axis, ag.Node, ag.Node, ag.Node]:
    t = ag.Axis("t")
    with ag.scope("cell"):
        x, w, s = ag.input("x", (2,), over=t), ag.param("W", (2, 2)), ag.state("s", (2,), over=t)
        s[t] = ag.tanh(w @ s[t - 1] + x[t])
    return t, w, s, ag.sum(ag.sum(s * s), over=t).named("L")


FEEDS: dict[str, Any] = {"cell/x": X, "cell/W": WEIGHT}


def test_nodes_are_named_alike_in_every_derivative() -> None:
    t, w, s, loss = make_loss()
    ones = np.ones((2, 2))
    pairs = [
        (ag.grad(loss, w), ag.grad(loss, "cell/W")),
        (ag.grad(loss, [w, s])[0], ag.grad(loss, ["cell/W", s])[0]),
        (ag.jvp(loss, w, ones), ag.jvp(loss, "cell/W", ones)),
        (ag.hvp(loss, w, ones), ag.hvp(loss, "cell/W", ones)),
        (ag.jacobian(ag.last(s, over=t), w), ag.jacobian(ag.last(s, over=t), "cell/W")),
    ]
    for by_node, by_name in pairs:
        np.testing.assert_array_equal(*ag.Graph(by_node, by_name).evaluate(**FEEDS))
    by_node, by_name = (ag.analyse.credit(ag.sum(s * s), wrt, over=t, backend="numpy")(**FEEDS) for wrt in (s, "cell/s"))
    np.testing.assert_array_equal(by_node, by_name)
    (by_one,) = ag.Graph(loss).unroll(t=T).grad("cell/W").evaluate(**FEEDS)
    np.testing.assert_allclose(by_one, ag.Graph(ag.grad(loss, w)).evaluate(**FEEDS)[0], rtol=1e-13)
    assert viz.adjoint(loss, "cell/W").dot == viz.adjoint(loss, w).dot
    with pytest.raises(ag.FeedError, match="there is no node"):
        ag.grad(loss, "cell/V")


def test_a_check_takes_feeds_as_a_dict_or_as_keywords() -> None:
    _, w, _, loss = make_loss()
    reports = [
        ag.check_grad(loss, [w], FEEDS),
        ag.check_grad(loss, "cell/W", FEEDS),
        ag.check_grad(loss, **FEEDS),
        ag.check_grad(loss, None, {"cell/x": X}, **{"cell/W": WEIGHT}),
    ]
    t, w = ag.Axis("t"), ag.param("w")
    s = ag.state("s", over=t, init=1.0)
    s[t] = w * s[t - 1]
    assert ag.check_grad(ag.sum(s, over=t), w=0.5, t=4).worst < 1e-10
    assert all(report.errors == reports[0].errors and list(report.errors) == ["cell/W"] for report in reports)


def test_a_carry_comes_first_or_by_name_in_every_program() -> None:
    _, _, s, loss = make_loss()
    whole = ag.Graph(s).evaluate(**FEEDS)[0]
    for f in (ag.compile(s, carry=True, backend="numpy"), ag.stream(s)):
        pieces = [X[0], X[1]] if isinstance(f, ag.Stream) else [X[:1], X[1:2]]
        (first,), carry = f(None, **{"cell/x": pieces[0], "cell/W": WEIGHT})
        (second,), _ = f(carry, **{"cell/x": pieces[1], "cell/W": WEIGHT})
        (again,), _ = f(carry=carry, **{"cell/x": pieces[1], "cell/W": WEIGHT})
        np.testing.assert_allclose(np.reshape([first, second], (2, 2)), whole[:2], rtol=1e-13)
        np.testing.assert_array_equal(second, again)
    step = ag.value_and_grad(loss, carry=True, backend="numpy")
    (_, _), carry = step(None, **{"cell/x": X[:3], "cell/W": WEIGHT})
    (first, _), _ = step(carry, **{"cell/x": X[3:], "cell/W": WEIGHT})
    (second, _), _ = step(carry=carry, **{"cell/x": X[3:], "cell/W": WEIGHT})
    assert first == second
    with pytest.raises(ag.FeedError, match="without a name"):
        step(X, **FEEDS)


def test_what_is_returned_prints_short() -> None:
    w, x = ag.param("w", (40,)), ag.input("x", (40,), over=ag.Axis("b"))
    batches = ag.learn.batches({"x": np.ones((5, 40))}, 2, axis=0)
    assert repr(batches) == "<3 batches an epoch, of at most 2 of 5 examples>"
    loss = ag.mean(ag.sum((x - w) ** 2), over=x.axes[0])
    valid = {"x": np.ones((1, 40))}
    result = ag.learn.train(loss, {"w": np.zeros(40)}, batches, ag.learn.sgd(0.5), epochs=1, valid=valid, progress=False)
    want = "<Result of 3 steps: loss 40 → 0, least validation loss 0; parameters of 40 numbers>"
    assert repr(result) == want
    _, _, s, loss = make_loss()
    bias = ag.truncation_bias(loss, segment=2, backend="numpy")(**FEEDS)
    assert "cut=array (2, 2)" in repr(bias["cell/W"])
    assert "history" not in repr(ag.analyse.lyapunov(s, over=s.axes[0], backend="numpy")(**FEEDS))
    assert repr(ag.why_zero(loss, s, 0, **FEEDS)).startswith("∂L/∂cell/s at t = 0 is not 0")
    assert repr(ag.check_grad(loss, **FEEDS)).startswith("cell/W: ")
    assert "\nfor t = 0 … T−1:\n" in repr(ag.compile(s, backend="numpy").schedule)
    assert "object at 0x" not in repr(ag.truncation_bias(loss, segment=2)) + repr(viz.plots.loss_curve([1.0]))
