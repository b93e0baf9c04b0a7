"""Softmax and its kin over an axis: what all entries have in common changes nothing, as it changes nothing over a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.native import numba

t, u = ag.Axis("t"), ag.Axis("u")
x, c, h = ag.input("x", over=t), ag.param("c"), ag.input("h", over=t)
WEIGHTS = ag.softmax(x + c, over=t).named("weights")
LOSS = ag.sum(WEIGHTS * h, over=t) + ag.sum(ag.log(WEIGHTS) * h, over=t)
NODES = [WEIGHTS, ag.log(WEIGHTS), ag.log_softmax(x + c, over=t), *ag.grad(LOSS, [x, WEIGHTS]),
         ag.grad(ag.logsumexp(x + c, over=t), x), ag.logsumexp(x + c, over=t)]  # fmt: skip
PROGRAMS = {"numpy": ag.compile(NODES, backend="numpy")}
if numba.is_available():
    PROGRAMS["native"] = ag.compile(NODES, backend="numba")
RUNS = {**PROGRAMS, "unrolled": ag.Graph(NODES).evaluate}
X, H = np.array([0.0, 0.0, 1.0, 0.0]), np.array([1.0, -2.0, 0.5, 3.0])


def by_hand(x: np.ndarray) -> list[Any]:
    e = np.exp(x - x.max())
    w = e / e.sum()
    return [w, np.log(w), np.log(w), w * (H - w @ H) + H - w * H.sum(), H + H / w, w, np.log(e.sum()) + x.max()]


@pytest.mark.parametrize("runner", list(RUNS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0.0, 2.0**20, -(2.0**20), 1e6, 2.0**27])
def test_a_common_shift_changes_nothing(runner, dtype, shift):
    given = {"x": X.astype(dtype), "h": H.astype(dtype), "c": dtype(shift)}
    seen = (given["x"] + given["c"]).astype(float)  # what rounding leaves of the entries
    want = by_hand(seen)
    tolerance = 4 * np.finfo(dtype).eps
    for got, w in zip(RUNS[runner](**given), want, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, w, rtol=tolerance, atol=tolerance * 10)
    assert abs(RUNS[runner](**given)[0].sum() - 1) <= tolerance


@pytest.mark.parametrize("runner", list(RUNS))
def test_what_is_masked_has_no_weight_and_where_all_is_there_are_none(runner):
    inf = np.inf
    given = {"x": np.array([-inf, 0.5, -inf, 0.0]), "h": H, "c": 0.0}
    weights, *_, gradient, total = RUNS[runner](**given)
    want = 1 / (1 + np.exp(-0.5))
    np.testing.assert_allclose(weights, [0, want, 0, 1 - want], rtol=1e-15)
    np.testing.assert_allclose(gradient, weights, rtol=1e-14)
    np.testing.assert_allclose(total, np.logaddexp(0.5, 0.0))
    weights, *_, gradient, total = RUNS[runner](x=np.full(4, -inf), h=H, c=0.0)
    assert not weights.any() and not gradient.any() and total == -inf


@pytest.mark.parametrize("runner", ["unrolled", "numpy"])
def test_lengths_leave_out_what_is_behind_the_end_none_and_all_included(runner):
    run = RUNS[runner]
    for n in (0, 1, 3):
        given = {"x": np.where(np.arange(4) < n, X, np.nan), "h": H, "c": 1e8}
        weights, _, _, dx, *_ = run(**given, lengths={t: n})
        e = np.exp(X[:n])
        w, part = e / e.sum(), H[:n]
        np.testing.assert_allclose(weights, [*w, *[0] * (4 - n)], rtol=1e-7)
        np.testing.assert_allclose(dx[:n], w * (part - w @ part) + part - w * part.sum(), rtol=1e-6)
        assert not dx[n:].any()


def test_values_dimensions_and_second_derivatives():
    y = ag.input("y", (3,), over=(t, u))
    both = ag.softmax(y, axis=-1, over=t)
    energy = ag.sum(ag.sum(ag.exp(both)), over=(t, u))
    dy = ag.grad(energy, y)
    nodes = [both, ag.log(both), ag.grad(ag.sum(ag.sum(dy * dy), over=(t, u)), y)]
    data = np.random.default_rng(0).normal(size=(4, 2, 3))

    def slope(at: Any) -> Any:  # of the energy, by complex numbers
        e = np.exp(at - at.real.max(axis=(0, 2), keepdims=True))
        w = e / e.sum(axis=(0, 2), keepdims=True)
        return w * (np.exp(w) - (w * np.exp(w)).sum(axis=(0, 2), keepdims=True))

    second = np.zeros_like(data)
    for at in np.ndindex(data.shape):
        moved = data.astype(complex)
        moved[at] += 1e-30j
        second[at] = (slope(moved) ** 2).sum().imag / 1e-30
    e = np.exp(data)
    want = e / e.sum(axis=(0, 2), keepdims=True)
    for got in (ag.Graph(nodes).evaluate(y=data + 1000), ag.compile(nodes, backend="numpy")(y=data + 1000)):
        for g, w in zip(got, [want, np.log(want), second], strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-9, atol=1e-12)
