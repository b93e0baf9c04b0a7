"""Steps read by value, ``ag.take(x, i, over=t)``: values, gradients of both orders, lengths, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

BACKENDS = ("numpy", "numba", "plain")
t, u, b = (ag.Axis(name) for name in "tub")
RNG = np.random.default_rng(3)
X, W = RNG.normal(size=(5, 3, 2)), RNG.normal(size=(4, 3, 2, 2))
I = RNG.integers(0, 5, (4, 3, 2))


def make_loss() -> tuple[ag.Node, ag.Node, ag.Node]:
    x, i, w = ag.input("x", (2,), over=(t, b)), ag.input("i", (2,), over=(u, b), dtype=int), ag.input("w", (2, 2), over=(u, b))
    return ag.sum(ag.sum(ag.exp(ag.take(ag.tanh(x), i, over=t) * w)), over=(u, b)), x, w


def compute_loss(x: Any, i: Any, w: Any, lengths: Any = (5, 5, 5)) -> Any:
    """The same in plain loops; an index beyond the length of its sequence is an error."""
    total = 0.0
    for c, n in enumerate(lengths):
        for q in range(len(i)):
            for k in range(2):
                assert 0 <= i[q, c, k] < n
                total = total + np.sum(np.exp(np.tanh(x[i[q, c, k], c]) * w[q, c, k]))
    return total


def differentiate(value: np.ndarray, loss: Any) -> np.ndarray:
    """The gradient by complex steps."""
    out = np.zeros(value.shape)
    for place in np.ndindex(*value.shape):
        moved = value.astype(complex)
        moved[place] += 1e-20j
        out[place] = loss(moved).imag / 1e-20
    return out


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_and_gradients_are_those_of_loops(backend: str) -> None:
    loss, x, w = make_loss()
    got = ag.compile(ag.Graph([loss, *ag.grad(loss, [x, w])]), backend=backend)(x=X, i=I, w=W)
    np.testing.assert_allclose(got[0], compute_loss(X, I, W), rtol=1e-12)
    np.testing.assert_allclose(got[1], differentiate(X, lambda v: compute_loss(v, I, W)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(got[2], differentiate(W, lambda v: compute_loss(X, I, v)), rtol=1e-9, atol=1e-12)


def test_second_derivatives_agree_with_the_unrolled_graph_and_with_differences() -> None:
    loss, x, w = make_loss()
    (first,) = ag.grad(loss, [x])
    twice = ag.Graph(ag.grad(ag.sum(ag.sum(first * first), over=(t, b)), [x, w]))
    want = twice.unroll(t=5, u=4, b=3).evaluate(x=X, i=I, w=W)
    for a, c in zip(ag.compile(twice)(x=X, i=I, w=W), want, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-9, atol=1e-12)

    def measure(v: np.ndarray) -> float:
        return float(np.sum(differentiate(v, lambda z: compute_loss(z, I, W)) ** 2))

    for place in [(0, 0, 0), (3, 2, 1)]:
        step = np.zeros_like(X)
        step[place] = 1e-6
        np.testing.assert_allclose(want[0][place], (measure(X + step) - measure(X - step)) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_reaches_nothing_and_each_sequence_has_its_own_range(backend: str) -> None:
    loss, x, w = make_loss()
    program = ag.compile(ag.Graph([loss, *ag.grad(loss, [x, w])]), backend=backend)
    lengths = [5, 2, 3]
    index, padded = I % np.array(lengths)[None, :, None], X.copy()
    for c, n in enumerate(lengths):
        padded[n:, c] = np.nan
    got = program(x=padded, i=index, w=W, lengths={t: lengths})
    np.testing.assert_allclose(got[0], compute_loss(X, index, W, lengths), rtol=1e-12)
    np.testing.assert_allclose(got[1], differentiate(X, lambda v: compute_loss(v, index, W)), rtol=1e-9, atol=1e-12)
    index[1, 1, 0] = 2
    with pytest.raises(ag.FeedError, match=r"i.* is out of range") as caught:
        program(x=padded, i=index, w=W, lengths={t: lengths})
    assert caught.value.code == "F201" and "as t has 2 steps" in str(caught.value)


def test_indices_in_the_padding_are_not_looked_at() -> None:
    x, parent = ag.input("x", over=(t, b)), ag.input("parent", over=(t, b), dtype=int)
    program = ag.compile(ag.sum(ag.take(x, parent + 1, over=t), over=t))
    feeds = {"x": X[:, :2, 0], "parent": np.array([[1, -1], [0, 99], [-1, 99], [2, 99], [3, 99]])}
    (got,) = program(**feeds, lengths={t: [5, 1]})
    rows = feeds["x"][feeds["parent"][:, 0] + 1, 0]
    np.testing.assert_allclose(got, [rows.sum(), feeds["x"][0, 1]], rtol=1e-12)
    assert program(**feeds, lengths={t: [5, 0]})[0][1] == 0


def test_what_is_not_read_may_be_infinite_and_kinds_stay() -> None:
    x, flags, n = ag.input("x", over=t), ag.input("flags", over=t, dtype=bool), ag.input("n", over=t, dtype=int)
    y = ag.take(x, 1, over=t)
    graph = ag.Graph([y, *ag.grad(y, [x]), ag.take(flags, ag.index(t), over=t), ag.take(n, [2, 0], over=t)])
    value, slope, same, whole = ag.compile(graph)(x=[np.nan, 2.0, np.inf], flags=[True, False, True], n=[7, 8, 9])
    assert value == 2.0 and slope.tolist() == [0, 1, 0] and same.tolist() == [True, False, True] and same.dtype == bool
    assert whole.tolist() == [9, 7] and whole.dtype == np.int64


def test_out_of_range_is_an_error_that_names_index_value_and_length() -> None:
    x, i = ag.input("x", over=t), ag.input("i", over=u, dtype=int)
    graph = ag.Graph(ag.take(x, i, over=t))
    for run in (ag.compile(graph), ag.compile(graph, backend="numba"), graph.evaluate):
        for wrong in (3, -1):
            with pytest.raises(ag.FeedError, match=rf"i.* is out of range(.|\n)*0 … 2, as t has 3 steps, got i.*= {wrong}"):
                run(x=[1.0, 2.0, 3.0], i=[0, wrong])


def test_refusals() -> None:
    x = ag.input("x", over=t)
    with pytest.raises(ag.DTypeError, match="not integers"):
        ag.take(x, x, over=t)
    with pytest.raises(ag.AxisError, match="does not vary over u"):
        ag.take(x, 0, over=u)
    y = ag.take(x, ag.index(t), over=t)
    with pytest.raises(ag.AutogradSeqError, match="reads all steps of t"):
        ag.compile(y, carry=t)
    s = ag.state("s", over=t)
    s[t] = ag.take(s, ag.index(t) - 1, over=t) + x
    with pytest.raises(ag.AutogradSeqError):
        ag.Graph(s)
