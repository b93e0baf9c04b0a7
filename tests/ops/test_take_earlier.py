"""Recurrences that read an earlier step by value, ``ag.take(s, l, over=t, earlier=True)``: recursion over trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
import viz

t, b = ag.Axis("t"), ag.Axis("b")
RNG = np.random.default_rng(8)
H = 3
CHILD = np.array([[[-1, -1], [-1, -1]], [[-1, -1], [0, -1]], [[0, 1], [-1, -1]], [[2, 0], [1, 2]], [[3, 1], [3, 0]]])
FEEDS = {
    "x": RNG.normal(size=(5, 2, H)), "W": RNG.normal(size=(4 * H, H)), "U": 0.6 * RNG.normal(size=(2, 3 * H, H)),
    "F": 0.6 * RNG.normal(size=(2, 2, H, H)),
}  # fmt: skip


def make_tree_lstm() -> tuple[ag.Node, list[ag.Node]]:
    """A binary Tree-LSTM (Tai, Socher, Manning 2015), its nodes in an order in which children precede their parents."""
    x, child = ag.input("x", (H,), over=(t, b)), ag.input("child", (2,), over=(t, b), dtype=int)
    W, U, F = ag.param("W", (4 * H, H)), ag.param("U", (2, 3 * H, H)), ag.param("F", (2, 2, H, H))
    h, c = ag.state("h", (H,), over=(t, b)), ag.state("c", (H,), over=(t, b))
    hs, cs = (ag.take(s, child, over=t, earlier=True) for s in (h, c))
    a = W @ x
    i, o, g = (a[n] + U[0, n] @ hs[0] + U[1, n] @ hs[1] for n in (slice(k * H, (k + 1) * H) for k in range(3)))
    keep = [ag.sigmoid(a[3 * H :] + F[j, 0] @ hs[0] + F[j, 1] @ hs[1]) * cs[j] for j in range(2)]
    c[t, b] = ag.sigmoid(i) * ag.tanh(g) + keep[0] + keep[1]
    h[t, b] = ag.sigmoid(o) * ag.tanh(c[t, b])
    return ag.sum(ag.sum(ag.sin(2 * h)), over=(t, b)), [x, W, U, F]


def run_trees(x: Any, W: Any, U: Any, F: Any, lengths: Any = (5, 5)) -> Any:
    """The same in plain loops over the nodes of each tree."""
    total = 0.0
    for q, n in enumerate(lengths):
        h: list[Any] = []
        c: list[Any] = []
        for p in range(n):
            hs, cs = ([s[k] if k >= 0 else np.zeros(H) for k in CHILD[p, q]] for s in (h, c))
            a = W @ x[p, q]
            i, o, g = (a[k * H : (k + 1) * H] + sum(U[j, k * H : (k + 1) * H] @ hs[j] for j in range(2)) for k in range(3))
            f = [1 / (1 + np.exp(-(a[3 * H :] + F[j, 0] @ hs[0] + F[j, 1] @ hs[1]))) for j in range(2)]
            c.append(np.tanh(g) / (1 + np.exp(-i)) + f[0] * cs[0] + f[1] * cs[1])
            h.append(np.tanh(c[-1]) / (1 + np.exp(-o)))
            total = total + np.sum(np.sin(2 * h[-1]))
    return total


def differentiate(name: str, lengths: Any = (5, 5)) -> np.ndarray:
    """The gradient by complex steps."""
    out = np.zeros(FEEDS[name].shape)
    for place in np.ndindex(*out.shape):
        moved = {**FEEDS, name: FEEDS[name].astype(complex)}
        moved[name][place] += 1e-20j
        out[place] = run_trees(**moved, lengths=lengths).imag / 1e-20
    return out


@pytest.mark.parametrize("backend", ["numpy", "numba", "plain"])
def test_a_tree_lstm_is_that_of_loops_over_trees(backend: str) -> None:
    loss, wrt = make_tree_lstm()
    program = ag.compile(ag.Graph([loss, *ag.grad(loss, wrt)]), backend=backend)
    got = program(**FEEDS, child=CHILD)
    np.testing.assert_allclose(got[0], run_trees(**FEEDS), rtol=1e-11)
    for value, name in zip(got[1:], FEEDS, strict=True):
        np.testing.assert_allclose(value, differentiate(name), rtol=1e-9, atol=1e-11)
    padded, child = FEEDS["x"].copy(), CHILD.copy()
    padded[3:, 1], child[3:, 1] = np.nan, 99
    got = program(**{**FEEDS, "x": padded}, child=child, lengths={t: [5, 3]})
    np.testing.assert_allclose(got[0], run_trees(**FEEDS, lengths=(5, 3)), rtol=1e-11)
    for value, name in zip(got[1:], FEEDS, strict=True):
        np.testing.assert_allclose(value, differentiate(name, (5, 3)), rtol=1e-9, atol=1e-11)


def test_second_derivatives_agree_with_the_unrolled_graph() -> None:
    loss, wrt = make_tree_lstm()
    first = ag.grad(loss, wrt[3:])[0]
    twice = ag.Graph(ag.grad(ag.sum(first * first), wrt))
    want = twice.unroll(t=5, b=2).evaluate(**FEEDS, child=CHILD)
    for a, c in zip(ag.compile(twice)(**FEEDS, child=CHILD), want, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-9, atol=1e-11)


def test_only_earlier_steps_can_be_read() -> None:
    x, i = ag.input("x", over=t), ag.input("i", over=t, dtype=int)
    s = ag.state("s", over=t)
    s[t] = x + ag.take(s, i, over=t, earlier=True)
    graph = ag.Graph(s)
    for run in (ag.compile(graph), graph.evaluate, ag.compile(graph, backend="plain")):
        assert run(x=[1.0, 2.0, 4.0], i=[-1, 0, 0])[0].tolist() == [1.0, 3.0, 5.0]
        for wrong, expected in ((2, "-1 … 1"), (-2, "-1 … 1")):
            with pytest.raises(
                ag.FeedError, match=rf"i.* is out of range(.|\n)*{expected}, as it is read at step 2 of t, got i"
            ):
                run(x=[1.0, 2.0, 4.0], i=[-1, 0, wrong])


def test_pictures_show_recursion_as_a_delay() -> None:
    loss, wrt = make_tree_lstm()
    for graph in (ag.Graph(loss), ag.Graph([loss, *ag.grad(loss, wrt)])):
        assert "t_read" not in str(graph) and "take" in viz.folded(graph, level="ops").dot
        assert viz.unfolded(graph, t=2).dot
