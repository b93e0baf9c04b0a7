"""Reads at places computed from axes, ``x.along(t, 2 * u + 1)``: pooling, strided convolution, upsampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

t, u, k, w, b = (ag.Axis(name) for name in "tukwb")
RNG = np.random.default_rng(5)


def test_places_are_written_as_they_are_read() -> None:
    assert [repr(p) for p in (2 * u + 1, u // 2, (u + 1) // 2, 2 * u + k, t - u, 2 * (t - 1), u // 2 + 1, u - 3 * k)] == [
        "2 * u + 1", "u // 2", "(u + 1) // 2", "2 * u + k", "t - u", "2 * t - 2", "(u + 2) // 2", "u - 3 * k",
    ]  # fmt: skip
    for wrong in (
        lambda: 2 * (u // 2),
        lambda: u // 2 + t // 2,
        lambda: u // 0,
        lambda: u // -1,
        lambda: 2 * u / 2,
        lambda: -t,
    ):
        with pytest.raises(ag.AxisError, match="is an axis, not a number"):
            wrong()
    with pytest.raises(ag.AxisError, match="which is not an integer"):
        2 * u + 0.5
    with pytest.raises(ag.AxisError, match=r"x.along\(t, 2 \* u \+ 1\)"):
        ag.input("x", over=u)[2 * u]


def make_convolution() -> tuple[ag.Node, list[ag.Node]]:
    """Convolution over t with stride 2 and three taps, on axes u and k, then pooling by two, then upsampling."""
    x, kernel = ag.input("x", (2,), over=(t, b)), ag.param("K", (3, 4, 2))
    y = sum((kernel[i] @ x.along(t, 2 * u + i) for i in range(1, 3)), kernel[0] @ x.along(t, 2 * u))
    pooled = ag.maximum(y.along(u, 2 * w), y.along(u, 2 * w + 1))
    up = pooled.along(w, u // 2)
    return ag.sum(ag.sum(ag.tanh(up) * ag.cos(y)), over=(u, b)), [x, kernel]


def convolve(x: Any, kernel: Any, points: int) -> Any:
    y = [sum(x[2 * i + j] @ kernel[j].T for j in range(3)) for i in range(points)]
    pooled = [np.where(y[2 * i].real > y[2 * i + 1].real, y[2 * i], y[2 * i + 1]) for i in range(points // 2)]
    return sum(np.sum(np.tanh(pooled[i // 2]) * np.cos(y[i])) for i in range(points))


@pytest.mark.parametrize("backend", ["numpy", "numba", "plain"])
def test_convolution_pooling_and_upsampling(backend: str) -> None:
    loss, wrt = make_convolution()
    x, kernel = RNG.normal(size=(9, 3, 2)), RNG.normal(size=(3, 4, 2))
    graph = ag.Graph([loss, *ag.grad(loss, wrt)])
    got = ag.compile(graph, backend=backend)(x=x, K=kernel)  # u and w are as long as fits: 4 and 2
    np.testing.assert_allclose(got[0], convolve(x, kernel, 4), rtol=1e-12)
    for value, at in zip(got[1:], (0, 1), strict=True):
        want = np.zeros(value.shape)
        for place in np.ndindex(*value.shape):
            moved = [x.astype(complex), kernel.astype(complex)]
            moved[at][place] += 1e-20j
            want[place] = convolve(*moved, 4).imag / 1e-20
        np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-12)
    if backend == "numpy":
        for a, c in zip(got, graph.unroll(t=9, b=3).evaluate(x=x, K=kernel), strict=True):
            np.testing.assert_allclose(a, c, rtol=1e-12, atol=1e-12)


def test_a_kernel_along_an_axis_of_its_own() -> None:
    x, kernel = ag.input("x", over=t), ag.input("kernel", over=k)
    y = ag.sum(x.along(t, 2 * u + k) * kernel, over=k)
    data, taps = RNG.normal(size=8), RNG.normal(size=3)
    (got,) = ag.compile(y)(x=data, kernel=taps, u=3)
    np.testing.assert_allclose(got, [data[2 * i : 2 * i + 3] @ taps for i in range(3)], rtol=1e-12)
    with pytest.raises(ag.FeedError, match=r"2 \* u \+ k.* is out of range(.|\n)*0 … 7, as t has 8 steps"):
        ag.compile(y)(x=data, kernel=taps, u=4)
    with pytest.raises(ag.AxisError, match="the length of u is not given"):
        ag.compile(y)(x=data, kernel=taps)


def test_lengths_of_both_axes() -> None:
    x = ag.input("x", over=(t, b))
    pooled = ag.maximum(x.along(t, 2 * u), x.along(t, 2 * u + 1))
    program = ag.compile(ag.sum(pooled * ag.input("weight", over=(u, b)), over=u))
    data = np.array([[1.0, 2.0], [3.0, 1.0], [4.0, np.nan], [9.0, np.nan]])
    weight = np.ones((2, 2))
    assert program(x=data, weight=weight, lengths={t: [4, 2], u: [2, 1]})[0].tolist() == [12.0, 2.0]
    for lengths in ({t: [4, 2], u: [2, 2]}, {t: [4, 2]}):
        with pytest.raises(ag.FeedError, match=r"is out of range(.|\n)*as t has 2 steps"):
            program(x=data, weight=weight, lengths=lengths)


def test_mirrored_and_shifted_places() -> None:
    x = ag.input("x", over=t)
    ahead = ag.Graph(x.along(t, u + 1))
    assert ag.compile(ahead)(x=[1.0, 2.0, 3.0])[0].tolist() == [2.0, 3.0]
    assert ag.compile(x.along(t, u // 2))(x=[1.0, 2.0])[0].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert ag.compile(x.along(t, 3 - u))(x=[1.0, 2.0, 3.0, 4.0], u=4)[0].tolist() == [4.0, 3.0, 2.0, 1.0]
