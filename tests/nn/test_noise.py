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
