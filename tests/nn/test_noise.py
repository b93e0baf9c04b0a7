"""Dropout and zoneout: what they keep on average, over what the mask varies, and that every run draws the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")


def test_dropout_keeps_the_mean_and_scales_the_gradient():
    x = ag.input("x", (50,), over=(t, b))
    y = ag.nn.dropout("mask", x, 0.3, over=(t, b))
    feed = np.ones((40, 5, 50))
    got, dx = ag.compile([y, ag.grad(ag.sum(ag.sum(y), over=(t, b)), x)])(x=feed, seed=1)
    assert set(np.round(np.unique(got), 12)) == {0.0, round(1 / 0.7, 12)}
    assert abs(got.mean() - 1) < 0.02 and np.array_equal(got, dx)
    assert np.array_equal(got, ag.Graph(y).evaluate(x=feed, seed=1)[0])
    assert not np.array_equal(got, ag.compile(y)(x=feed, seed=2)[0])


@pytest.mark.parametrize("over", [(), (t,), (b,), (t, b)])
def test_a_mask_varies_over_what_is_said(over: Any):
    x = ag.input("x", (30,), over=(t, b))
    got = ag.compile(ag.nn.dropout("mask", x, 0.5, over=over) + 0 * x)(x=np.ones((4, 3, 30)))[0]
    assert np.array_equal(got[0], got[1]) != (t in over)
    assert np.array_equal(got[:, 0], got[:, 1]) != (b in over)


def test_zoneout_keeps_entries_as_they_were():
    h = ag.state("h", (20,), over=t)
    h[t] = ag.nn.zoneout("zone", h[t - 1] + 1.0, h[t - 1], 0.4, over=t)
    values = ag.compile(h)(t=200)[0]
    moved = np.diff(values, axis=0)
    assert set(np.unique(moved)) == {0.0, 1.0} and abs(moved.mean() - 0.6) < 0.03


def test_without_noise_nothing_is_added():
    x = ag.input("x", over=t)
    assert ag.nn.dropout("a", x, 0, over=t) is x and ag.nn.zoneout("b", x, 0.0, 0, over=t) is x


@pytest.mark.parametrize("p", [1, 1.5, -0.1, "half", True])
def test_probabilities_that_make_no_sense_are_refused(p: Any):
    for call in (lambda: ag.nn.dropout("a", 1.0, p, over=()), lambda: ag.nn.zoneout("a", 1.0, 0.0, p, over=())):
        with pytest.raises(ag.OperationError, match=r"O310(.|\n)*0 ≤ p < 1"):
            call()


def test_one_graph_for_training_and_for_use():
    """``train=False`` in a call: dropout returns its argument, zoneout its expectation; nothing else changes."""
    x, h = ag.input("x", (5,), over=t), ag.state("h", (5,), over=t)
    h[t] = ag.nn.zoneout("zone", 0.5 * h[t - 1] + ag.nn.dropout("mask", x[t], 0.5, over=t), h[t - 1], 0.25, over=t)
    w = ag.param("w", (5,))
    loss = ag.sum(ag.dot(w, h[t]), over=t)
    xs, ws, want, rows = np.random.default_rng(0).normal(size=(6, 5)), np.arange(5.0), np.zeros(5), []
    for row in xs:
        want = 0.25 * want + 0.75 * (0.5 * want + row)
        rows.append(want)
    for backend in ("numpy", "plain"):
        step = ag.value_and_grad(loss, backend=backend)
        value, grads = step(x=xs, w=ws, train=False)
        np.testing.assert_allclose(grads["w"], np.sum(rows, 0), rtol=1e-12)
        assert float(value) == pytest.approx(float(np.sum(rows, 0) @ ws))
        assert float(step(x=xs, w=ws, seed=1)[0]) == float(step(x=xs, w=ws, seed=1, train=True)[0]) != float(value)
    stream, carry, found = ag.stream(h), None, []
    for row in xs:
        (y,), carry = stream(carry, x=row, train=False)
        found.append(np.array(y))
    np.testing.assert_allclose(found, rows, rtol=1e-12)


def test_a_probability_can_be_fed():
    p = ag.input("p", default=0.5)
    y = ag.nn.dropout("mask", ag.input("x", (4000,)), p, over=())
    for rate in (0.0, 0.1, 0.9):
        found = ag.compile(y, backend="numpy")(x=np.ones(4000), p=rate)[0]
        assert np.mean(found == 0) == pytest.approx(rate, abs=0.03) and found.mean() == pytest.approx(1, abs=0.2)
    assert np.mean(ag.Graph(y).evaluate(x=np.ones(4000))[0] == 0) == pytest.approx(0.5, abs=0.03)


def test_defaults_of_inputs():
    a, on = ag.input("a", (2,), default=[1.0, 2.0]), ag.input("on", dtype=bool, default=True)
    y = ag.where(on, a, -a) * ag.input("x", (2,), over=t)
    program = ag.compile(y, backend="numpy")
    for call in (program, ag.Graph(y).evaluate):
        assert call(x=[[1.0, 1.0]])[0].tolist() == [[1, 2]]
        assert call(x=[[1.0, 1.0]], on=False)[0].tolist() == [[-1, -2]]
        assert call(x=[[1.0, 1.0]], a=[5.0, 6.0])[0].tolist() == [[5, 6]]
    outs, _ = ag.compile(y, carry=t, backend="numpy")(x=[[1.0, 1.0]], on=False)
    assert outs[0].tolist() == [[-1, -2]]
    for make, code in (
        (lambda: ag.input("n", dtype=int, default=0.5), "D107"),
        (lambda: ag.input("n", over=t, default=0.5), "S130"),
        (lambda: ag.input("n", (2,), default=0.5), "S130"),
    ):
        with pytest.raises(ag.AutogradSeqError) as caught:
            make()
        assert caught.value.code == code


def test_classes_are_drawn_with_their_probabilities():
    z, i = ag.input("z", (3,)), ag.Axis("i")
    y = ag.categorical("y", z, over=i)
    logits = np.log([0.2, 0.5, 0.3])
    program = ag.compile([y, ag.categorical("other", z, over=i)], backend="numpy")
    one, other = program(z=logits, i=20_000, seed=3)
    np.testing.assert_allclose(np.bincount(one) / 20_000, [0.2, 0.5, 0.3], atol=0.012)
    assert (one != other).any()
    assert (ag.Graph(y).unroll(i=20).evaluate(z=logits, seed=3)[0] == one[:20]).all()
    with pytest.raises(ag.ShapeError, match="logits of y have shape"):
        ag.categorical("y", 1.0, over=i)


def test_a_class_has_the_gradient_of_its_probabilities_where_asked():
    z = ag.param("z", (3,))
    hard = ag.one_hot(ag.categorical("y", z, over=()), 3)
    y = ag.straight_through(hard, ag.softmax(z))
    g = ag.grad(ag.dot(y, np.array([1.0, 2.0, 4.0])), z)
    p = np.exp([0.1, 0.2, 0.3]) / np.exp([0.1, 0.2, 0.3]).sum()
    value, slope = ag.Graph(y, g).evaluate(z=[0.1, 0.2, 0.3], seed=1)
    assert sorted(value) == [0, 0, 1]
    np.testing.assert_allclose(slope, p * (np.array([1.0, 2, 4]) - p @ [1.0, 2, 4]), rtol=1e-12)


def test_stacks_and_transformers_take_a_probability_that_is_fed():
    p, x = ag.input("p", default=0.5), ag.input("x", (4,), over=t)
    for y in (ag.nn.stack(x, 4, 2, over=t, cell=ag.nn.gru, dropout=p), ag.nn.transformer_layer(x, 2, 4, over=t, dropout=p)):
        feeds = {"x": np.random.default_rng(0).normal(size=(3, 4)), **ag.nn.init.params(y, seed=1)}
        program = ag.compile(y, backend="numpy")
        still, zero, half = (program(**feeds, **more)[0] for more in ({"train": False}, {"p": 0.0}, {}))
        assert (still == zero).all() and (half != zero).any()
