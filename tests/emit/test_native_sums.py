"""Native sums of what lies side by side: as exact as sums of each by itself, of floats and of whole numbers, in loops too."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

pytest.importorskip("numba")


def test_sums_over_axes_and_leading_dimensions() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, k = ag.input("x", (3, 4), over=(t, b)), ag.input("k", (5,), over=(t, b), dtype=int)
    h = ag.state("h", (4,), over=(t, b))
    h[t] = ag.tanh(0.5 * h[t - 1] + ag.sum(x * h[t - 1], axis=0))
    outs = [ag.sum(x * x, over=t), ag.sum(x, over=(t, b)), ag.sum(x[0, 0], over=t), ag.sum(k, over=t), h, ag.sum(h, over=b)]
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(6, 2, 3, 4)), "k": rng.integers(-9, 9, (6, 2, 5))}
    for got, want in zip(ag.compile(outs, backend="numba")(**feeds), ag.Graph(*outs).evaluate(**feeds), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_long_sums_of_single_precision() -> None:
    t = ag.Axis("t")
    x = ag.input("x", (3,), over=t)
    feed = np.random.default_rng(0).uniform(size=(100_000, 3)).astype(np.float32)
    got = ag.compile(ag.sum(x * 1.0, over=t), backend="numba")(x=feed)[0]
    np.testing.assert_allclose(got, feed.astype(np.float64).sum(0), rtol=2e-7)


def test_a_product_in_a_loop_reads_a_value_in_another_shape() -> None:
    """It is the product that all others are: no loop divides places by lengths."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, w, h = ag.input("x", (2, 6), over=(t, b)), ag.param("W", (12, 12)), ag.state("h", (2, 6), over=(t, b))
    h[t] = ag.tanh(x + ag.reshape(w @ ag.reshape(h[t - 1], (12,)), (2, 6)))
    c = ag.tanh(h) * 0.5
    loss = ag.sum(ag.sum(ag.sin(w @ ag.reshape(c, (12,)))), over=(t, b))
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(5, 3, 2, 6)), "W": rng.normal(size=(12, 12)) / 4}
    got, want = (ag.value_and_grad(loss, [w, x], backend=backend)(**feeds) for backend in ("numba", "numpy"))
    for name in ("W", "x"):
        np.testing.assert_allclose(got[1][name], want[1][name], rtol=1e-10, atol=1e-12)


def test_no_array_holds_a_product_that_is_summed() -> None:
    """Sums and maxima compute what they reduce, in the loop that adds it up; states and their cotangents are stored."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, h = ag.input("x", (4,), over=(t, b)), ag.state("h", (4, 3), over=(t, b))
    A, B, C = (ag.param(name, (4, 3)) for name in "ABC")
    h[t] = ag.sigmoid(A) * h[t - 1] + B * x[..., None]
    y = ag.tanh(ag.sum(C * h[t], axis=-1)) + ag.max(h * B, axis=-1)
    loss, params = ag.sum(ag.dot(y, y), over=(t, b)), [A, B, C]
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(5, 2, 4)), **{name: rng.normal(size=(4, 3)) for name in "ABC"}}
    step = ag.value_and_grad(loss, params, backend="numba")
    value, got = step(**feeds)
    want = ag.Graph(loss).unroll(t=5, b=2).grad(params, with_outputs=True).evaluate(**feeds)
    np.testing.assert_allclose(value, want[0], rtol=1e-12)
    for name, right in zip("ABC", want[1:], strict=True):
        np.testing.assert_allclose(got[name], right, rtol=1e-10, atol=1e-12)
    plain = ag.value_and_grad(ag.sum(ag.sum(C * h, axis=-1)[0], over=(t, b)), params, backend="numba").program
    whole = [
        line
        for line in plain.source.splitlines()
        if "allocate_aligned((T, B, 4, 3)" in line or "allocate_aligned((T + 1, B, 4, 3)" in line
    ]
    assert len(whole) <= 2, whole


def test_a_product_of_operands_whose_axes_lie_in_other_orders_is_one_product() -> None:
    """One of the two is copied first: loops over all entries would be many times slower than the product."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, z, A = ag.input("x", (9,), over=(t, b)), ag.input("z", (11,), over=(b, t)), ag.input("A", (2, 3, 4))
    total, scores = ag.sum(ag.outer(x, z), over=(t, b)), ag.einsum("ijk,ljk->il", A, ag.input("C", (9, 3, 4)))
    turned = ag.einsum("ijk,jlk->il", A, ag.input("F", (3, 9, 4)))
    program = ag.compile([total, scores, turned], backend="numba")
    assert program.source.count("matrix_product(") == 3 and "z_copied" in program.source and "F_copied" in program.source
    rng = np.random.default_rng(0)
    for T, B in [(5, 3), (1, 4), (4, 0), (0, 2)]:
        feeds = {name: rng.normal(size=n.shape) for name, n in program.graph.inputs.items() if not n.axes}
        feeds |= {"x": rng.normal(size=(T, B, 9)), "z": rng.normal(size=(B, T, 11))}
        got = program(**feeds)
        np.testing.assert_allclose(got[0], np.einsum("tbi,btj->ij", feeds["x"], feeds["z"]), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(got[1], np.einsum("ijk,ljk->il", feeds["A"], feeds["C"]), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(got[2], np.einsum("ijk,jlk->il", feeds["A"], feeds["F"]), rtol=1e-12, atol=1e-12)
