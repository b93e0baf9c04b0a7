"""argsort, sort and topk: NumPy's values, gradients to where entries came from, in every runner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

RNG = np.random.default_rng(5)
A = RNG.normal(size=(2, 4, 3))
TIES = np.array([[2, 1, 2, 0], [1, 1, 1, 1]])


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("x", [A, TIES, TIES > 1, A[0, 0]], ids=["floats", "integers", "truth values", "vector"])
def test_order_is_that_of_numpy(x: Any, axis: int):
    if axis >= x.ndim:
        return
    np.testing.assert_array_equal(ag.argsort(x, axis).value, np.argsort(x, axis, kind="stable"))
    np.testing.assert_array_equal(ag.sort(x, axis).value, np.sort(x, axis))
    down = np.argsort(-x.astype(float), axis, kind="stable")
    np.testing.assert_array_equal(ag.argsort(x, axis, descending=True).value, down)
    values, places = ag.topk(x, 2, axis) if x.shape[axis] > 1 else ag.topk(x, 1, axis)
    kept = np.take(down, range(values.shape[axis]), axis)
    np.testing.assert_array_equal(places.value, kept)
    np.testing.assert_array_equal(values.value, np.take_along_axis(x, kept, axis))


def test_nan_is_larger_than_all_numbers():
    x = np.array([1.0, np.nan, -np.inf, np.inf])
    assert ag.argsort(x).value.tolist() == [2, 0, 3, 1] and ag.argsort(x, descending=True).value.tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("axis", [-1, 0])
def test_gradients_go_to_where_entries_came_from(axis: int):
    c = RNG.normal(size=A.shape)
    assert ag.check_op(lambda x: ag.sort(x, axis) ** 2 * c, A, tol=1e-10).worst < 1e-10
    assert ag.check_op(lambda x: ag.topk(x, 2, axis)[0] ** 3, A, tol=1e-10).worst < 1e-10


def test_gradients_are_those_of_torch():
    torch = pytest.importorskip("torch")
    x = torch.tensor(A, requires_grad=True)
    values, places = x.topk(2, dim=1)
    (values**2).sum().backward()
    p = ag.param("x", A.shape)
    ours, where = ag.topk(p, 2, axis=1)
    found = ag.Graph(where, ag.grad(ag.sum(ours**2), p)).evaluate(x=A)
    np.testing.assert_array_equal(found[0], places.numpy())
    np.testing.assert_allclose(found[1], x.grad.numpy(), rtol=1e-14)


@pytest.mark.parametrize("backend", ["numpy", "numba", "plain"])
def test_within_a_recurrence(backend: str, in_python: None):
    """A state that keeps the three largest numbers seen, in order: in every runner, in pieces, with its gradient."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, h = ag.input("x", (2,), over=t), ag.state("h", (3,), over=t, init={t: -1.0})
    h[t], places = ag.topk(ag.concat([h[t - 1], x[t]]), 3)
    h, places = ag.vmap([h, places], over=b)
    loss = ag.sum(ag.sum(ag.sum(h) ** 2, over=t), over=b)
    outs = [h, places, ag.grad(loss, ag.Graph(loss)["x"])]
    xs = RNG.normal(size=(2, 6, 2))
    want = ag.Graph(outs).unroll(t=6, b=2).evaluate(x=xs)
    np.testing.assert_allclose(want[0][:, -1], -np.sort(-np.maximum(xs.reshape(2, -1), -1))[:, :3])
    for a, c in zip(ag.compile(outs, backend=backend)(x=xs), want, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-13)
    program = ag.compile(h, backend=backend, carry=t)
    first, carry = program(x=xs[:, :2])
    rest, _ = program(carry=carry, x=xs[:, 2:])
    np.testing.assert_allclose(np.concatenate([first[0], rest[0]], 1), want[0], rtol=1e-13)


def test_a_hard_choice_with_the_gradient_of_a_soft_one():
    """Straight-through composes with topk: one forward, another gradient."""
    z = ag.param("z", (4,))
    _, places = ag.topk(z, 2)
    hard = ag.sum(ag.one_hot(places, 4), axis=0)
    y = ag.straight_through(hard, ag.softmax(z))
    g = ag.grad(ag.dot(y, np.arange(4.0)), z)
    zs = np.array([0.5, -1.0, 2.0, 0.1])
    p = np.exp(zs) / np.exp(zs).sum()
    found = ag.Graph(y, g).evaluate(z=zs)
    assert found[0].tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(found[1], p * (np.arange(4) - p @ np.arange(4)), rtol=1e-13)


@pytest.mark.parametrize("k", [-1, 4, 1.5, True])
def test_numbers_that_cannot_be_chosen_are_refused(k: Any):
    with pytest.raises(ag.ShapeError, match=r"S139(.|\n)*of the 3 entries(.|\n)*from 0 to 3"):
        ag.topk(ag.input("x", (3,)), k)
