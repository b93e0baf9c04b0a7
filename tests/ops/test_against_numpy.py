"""Functions that rearrange, contract and reduce do what NumPy's do, eagerly and over axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from each import each

import autograd_seq as ag
from autograd_seq.ops.linear import contract

RNG = np.random.default_rng(11)
A = RNG.normal(size=(2, 3, 4))
X = np.array([0.7, -1.3, 2.1])


def same(node: Any, truth: Any, rtol: float = 1e-13) -> None:
    truth = np.asarray(truth)
    assert node.shape == truth.shape
    np.testing.assert_allclose(np.asarray(node), truth, rtol=rtol, atol=1e-14)


def gradient_is_right(f: Any, *arrays: Any) -> None:
    assert ag.check_op(f, *arrays, tol=1e-10).worst < 1e-10


# -- rearranging ----------------------------------------------------------------------------------------------------

KEYS = [
    0, -1, slice(None), slice(1, None), slice(None, None, -1), slice(None, -1), slice(5, 9), slice(-9, 2),
    slice(2, 0), slice(-9, None, -1),
    slice(-10, -20, -1), slice(9, None, -1), slice(0, None, -1), slice(1, 0, -2), (0, 1), (0, 1, 2),
    (slice(None), 1), (Ellipsis, 1), (0, Ellipsis, slice(1, 3)), None, (None, 0, None), (Ellipsis, None), (Ellipsis,),
    (slice(None), slice(None, None, 2), slice(3, 0, -2)), (np.int64(1), slice(np.int64(1), None)), (),
]  # fmt: skip


@each("key", KEYS)
def test_slicing(key: Any) -> None:
    same(ag.tensor(A)[key], A[key])
    if A[key].size:
        gradient_is_right(lambda x: x[key] * x[key], A)


@pytest.mark.parametrize("key", [[0, 1, 1], np.array([[1, 0], [0, 0]]), [1]], ids=str)
def test_integer_arrays_gather_rows(key: Any) -> None:
    same(ag.tensor(A)[key], A[key])
    same(ag.tensor(A)[ag.constant(key)], A[np.asarray(key)])
    gradient_is_right(lambda x: x[key] ** 2, A)


def test_iteration_and_length() -> None:
    x = ag.tensor(A)
    assert len(x) == 2 and x.ndim == 3 and x.T.shape == (4, 3, 2)
    for row, truth in zip(x, A, strict=True):
        same(row, truth)


@pytest.mark.parametrize("shape", [(24,), (6, 4), (-1,), (4, -1), (2, 1, 12), (1, 24, 1), 24, [3, 8]], ids=str)
def test_reshape(shape: Any) -> None:
    same(ag.reshape(A, shape), A.reshape(shape))
    gradient_is_right(lambda x: ag.reshape(x, shape) ** 2, A)


def test_reshape_as_a_method_and_of_scalars() -> None:
    x = ag.tensor(A)
    same(x.reshape(6, 4), A.reshape(6, 4))
    same(x.reshape((6, 4)), A.reshape(6, 4))
    same(x.reshape(-1), A.reshape(-1))
    same(ag.reshape(3.0, (1, 1)), [[3.0]])
    same(ag.reshape([3.0], ()), 3.0)
    same(ag.reshape(np.zeros((0, 3)), (3, 0)), np.zeros((3, 0)))
    same(ag.reshape(np.zeros((0, 3)), (-1, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize("axes", [None, (0, 1, 2), (2, 0, 1), (1, 0, 2), (-1, 0, -2)], ids=str)
def test_transpose(axes: Any) -> None:
    same(ag.transpose(A, axes), np.transpose(A, axes))
    gradient_is_right(lambda x: ag.transpose(x, axes) ** 2, A)


def test_expand_squeeze_broadcast() -> None:
    for axis in (0, 1, 2, 3, -1, -2, -4):
        same(ag.expand_dims(A, axis), np.expand_dims(A, axis))
    thin = A[:1, :, :1]
    same(ag.squeeze(thin), thin.squeeze())
    same(ag.squeeze(thin, 0), thin.squeeze(0))
    same(ag.squeeze(thin, (0, -1)), thin.squeeze((0, -1)))
    for shape in [(3, 4), (2, 3, 4), (5, 3, 4)]:
        same(ag.broadcast_to(A[0], shape) if shape != (2, 3, 4) else ag.broadcast_to(A, shape),
             np.broadcast_to(A[0] if shape != (2, 3, 4) else A, shape))  # fmt: skip
    gradient_is_right(lambda x: ag.broadcast_to(x, (2, 3, 5)) ** 2, A[:, :, :1])


@each("value", [0.0, 1.5, -np.inf, np.nan])
@each("width", [1, ((1, 2), (0, 1), (3, 0)), (1, 0, 2), 0])
def test_pad(width: Any, value: float) -> None:
    pairs = width if isinstance(width, int) else [(w, w) if isinstance(w, int) else w for w in width]
    out, truth = ag.pad(A, width, value), np.pad(A, pairs, constant_values=value)
    np.testing.assert_array_equal(out.value, truth)  # what was there stays bit for bit
    if np.isfinite(value):
        gradient_is_right(lambda x: ag.pad(x, width, value) ** 2, A[:, :2, :2])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2)], ids=str)
def test_flip(axis: Any) -> None:
    same(ag.flip(A, axis), np.flip(A, axis))
    gradient_is_right(lambda x: ag.flip(x, axis) ** 2, A)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_cumsum_concat_stack(axis: int) -> None:
    same(ag.cumsum(A, axis), np.cumsum(A, axis))
    same(ag.concat([A, 2 * A, -A], axis), np.concatenate([A, 2 * A, -A], axis))
    same(ag.stack([A, 2 * A], axis), np.stack([A, 2 * A], axis))
    gradient_is_right(lambda x, y: ag.cumsum(x * y, axis), A, 2 * A)
    gradient_is_right(lambda x, y: ag.concat([x * y, y, x], axis) ** 2, A, 2 * A)
    gradient_is_right(lambda x, y: ag.stack([x * y, y], axis) ** 2, A, 2 * A)


def test_joining_one_value_and_scalars() -> None:
    same(ag.concat([X]), X)
    same(ag.stack([X]), X[None])
    same(ag.stack([1.0, ag.tensor(2.0)]), [1.0, 2.0])


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("index", [1, [0, 1, 1], [[0], [1]]], ids=str)
def test_take(axis: int, index: Any) -> None:
    same(ag.take(A, index, axis), np.take(A, index, axis))
    gradient_is_right(lambda x: ag.take(x, index, axis) ** 2, A)


def test_one_hot_and_pick() -> None:
    same(ag.one_hot([[0, 2], [1, 1]], 3), np.eye(3)[[[0, 2], [1, 1]]])
    labels = np.array([[0, 3, 1], [2, 2, 0]])
    same(ag.pick(A, labels), np.take_along_axis(A, labels[..., None], -1)[..., 0])


# -- contractions ---------------------------------------------------------------------------------------------------

SPECS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ba,ac", (2, 3), (3, 4)), ("ij,ij->", (2, 3), (2, 3)),
    ("ij,ij", (2, 3), (2, 3)), ("i,j->ji", (2,), (3,)), ("ij->ji", (2, 3), None), ("ij->", (2, 3), None),
    ("ij->j", (2, 3), None), ("ji", (2, 3), None), ("...ij,...jk->...ik", (5, 2, 3), (5, 3, 4)),
    ("...ij,jk->...ik", (5, 2, 3), (3, 4)), ("ij,...jk->...ik", (2, 3), (5, 3, 4)), ("...i,...i", (2, 3), (2, 3)),
    ("...i->i...", (2, 3, 4), None), ("...,...->...", (2, 3), (3,)), ("i...,i...->...", (2, 3), (2, 3)),
    ("a...b->b...a", (2, 3, 4), None), ("...", (2, 3), None), ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    (" ij , jk -> ik ", (2, 3), (3, 4)), (",->", (), ()), (",i->i", (), (3,)), ("IJ,Jk->kI", (2, 3), (3, 4)),
    ("abc,cd->", (2, 3, 4), (4, 2)), ("abc,bd->ad", (2, 3, 4), (3, 2)),
]  # fmt: skip


@each(("spec", "a", "b"), SPECS)
def test_einsum(spec: str, a: tuple[int, ...], b: tuple[int, ...] | None) -> None:
    operands = [RNG.normal(size=s) for s in (a, b) if s is not None]
    same(ag.einsum(spec, *operands), np.einsum(spec, *operands))
    gradient_is_right(lambda *xs: ag.einsum(spec, *xs), *operands)


RANKS = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)),
    ((6, 5, 2, 3), (3,)), ((3,), (6, 5, 3, 4)), ((0, 3), (3, 4)), ((2, 0), (0, 4)),
]  # fmt: skip


@each(("a", "b"), RANKS)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = RNG.normal(size=a), RNG.normal(size=b)
    same(ag.matmul(x, y), np.matmul(x, y))
    same(ag.tensor(x) @ y, x @ y)
    same(x @ ag.tensor(y), x @ y)
    gradient_is_right(ag.matmul, x, y)


def test_dot_and_outer() -> None:
    same(ag.dot(X, X), X @ X)
    same(ag.dot(2.0, X), 2 * X)
    same(ag.dot(A[0], A[0].T), A[0] @ A[0].T)
    same(ag.outer(X, A[0, 0]), np.outer(X, A[0, 0]))
    assert ag.outer(X, X).op is contract


# -- reductions -----------------------------------------------------------------------------------------------------


def lse(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


REDUCE = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod, "logsumexp": lse}


@each("keepdims", [False, True])
@each("axis", [None, 0, 1, -1, (0, 2), (0, 1, 2), (), [1, 2]])
@each("name", REDUCE)
def test_reductions_over_dimensions(name: str, axis: Any, keepdims: bool) -> None:
    f, given = getattr(ag, name), tuple(axis) if isinstance(axis, list) else axis
    truth = A if axis == () else REDUCE[name](A, axis=given, keepdims=keepdims)
    same(f(A, axis, keepdims=keepdims), truth)
    if name in ("sum", "mean", "max", "min"):
        same(getattr(ag.tensor(A), name)(axis, keepdims=keepdims), truth)


@pytest.mark.parametrize("name", REDUCE)
def test_derivatives_of_reductions(name: str) -> None:
    for axis in (None, 1, (0, 2)):
        ag.check_op(lambda x, axis=axis: getattr(ag, name)(x, axis), A, tol=1e-6)


@pytest.mark.parametrize("name", REDUCE)
def test_reductions_over_axes(name: str) -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    x = ag.input("x", (4,), over=(t, u))
    f, np_f = getattr(ag, name), REDUCE[name]
    out = ag.Graph(f(x, over=t), f(x, over=u), f(x, over=(t, u)), f(x, 0, over=t), f(x, 0, over=(u, t))).evaluate(x=A)
    for got, axis in zip(out, (0, 1, (0, 1), (0, 2), None), strict=True):
        np.testing.assert_allclose(got, np_f(A, axis=axis), rtol=1e-13)


def test_softmax_over_dimensions_and_axes() -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    x = ag.input("x", (4,), over=(t, u))
    for axis in (None, 0, 1, (1, 2)):
        at = -1 if axis is None else axis
        same(ag.softmax(A, axis), np.exp(A - lse(A, at, True)))
        same(ag.log_softmax(A, axis), A - lse(A, at, True))
    nodes = [f(x, over=over) for f in (ag.softmax, ag.log_softmax) for over in (t, (t, u))]
    nodes += [ag.softmax(x, 0, over=t)]
    logs = [A - lse(A, 0, True), A - lse(A, (0, 1), True)]
    truths = [*np.exp(logs), *logs, np.exp(A - lse(A, (0, 2), True))]
    for got, truth in zip(ag.Graph(*nodes).evaluate(x=A), truths, strict=True):
        np.testing.assert_allclose(got, truth, rtol=1e-13)


def test_reductions_of_what_does_not_vary() -> None:
    """Σₜ x of a static x is T·x, its mean and maximum x, its product x to the T, its softmax 1/T."""
    t, w = ag.Axis("t"), ag.param("w", (3,))
    x = ag.input("x", over=t)
    names = ("sum", "mean", "max", "min", "prod", "logsumexp", "softmax", "log_softmax")
    nodes = [getattr(ag, n)(w, over=t) for n in names]
    out = ag.Graph(*nodes, ag.sum(x, over=t)).evaluate(w=X, x=np.zeros(4))
    four = np.full(3, 4.0)
    truths = [4 * X, X, X, X, X**4, X + np.log(4), 1 / four, -np.log(four)]
    for got, truth in zip(out, truths, strict=False):
        np.testing.assert_allclose(got, truth, rtol=1e-13)


def test_reductions_over_no_steps() -> None:
    t = ag.Axis("t")
    x = ag.input("x", (2,), over=t)
    nodes = [ag.sum(x, over=t), ag.prod(x, over=t), ag.logsumexp(x, over=t), ag.sum(x, 0, over=t)]
    out = ag.Graph(*nodes).evaluate(x=np.zeros((0, 2)))
    for got, truth in zip(out, ([0, 0], [1, 1], [-np.inf] * 2, 0), strict=True):
        assert got.tolist() == truth
    for f in (ag.max, ag.min, lambda x, over: ag.last(x, over=over), lambda x, over: ag.first(x, over=over)):
        with pytest.raises(ag.AxisError):
            ag.Graph(f(x, over=t)).evaluate(x=np.zeros((0, 2)))


def test_reductions_over_empty_dimensions() -> None:
    empty = np.zeros((0, 3))
    same(ag.sum(empty, 0), np.zeros(3))
    same(ag.prod(empty, 0), np.ones(3))
    assert ag.prod(np.zeros(0, int)).dtype is int and ag.prod(np.zeros(0, int)).value.dtype.kind == "i"
    with np.errstate(divide="ignore"):
        same(ag.logsumexp(empty, 0), np.full(3, -np.inf))
    same(ag.softmax(empty, 0), empty)


def test_integers_reduce_as_in_numpy() -> None:
    counts = np.array([1, 2, 4])
    assert ag.sum(counts).dtype is int and int(ag.sum(counts)) == 7
    assert ag.sum(counts > 1).dtype is int and int(ag.sum(counts > 1)) == 2
    assert ag.mean(counts).dtype is float
    assert ag.mean(ag.constant(3)).dtype is float  # also where there is nothing to divide by
    assert ag.prod(counts).dtype is int and int(ag.prod(counts)) == 8
    same(ag.softmax([1, 2, 3]), np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum())
    same(ag.logsumexp([1, 2]), lse([1, 2]))


# -- places on axes -------------------------------------------------------------------------------------------------


def test_along_index_size() -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    q, k = ag.input("q", (3,), over=t), ag.input("k", (3,), over=t)
    scores = ag.dot(q, k.along(t, u))
    assert scores.axes == (t, u)
    causal = ag.where(ag.index(u) <= ag.index(t), scores, -np.inf)
    Q, K = RNG.normal(size=(2, 5, 3))
    graph = ag.Graph(scores, ag.softmax(causal, over=u), ag.index(t) * ag.size(u), ag.size(t))
    got, weights, steps, n = graph.evaluate(q=Q, k=K)
    np.testing.assert_allclose(got, Q @ K.T, rtol=1e-13)
    masked = np.where(np.tri(5, dtype=bool), Q @ K.T, -np.inf)
    np.testing.assert_allclose(weights, np.exp(masked) / np.exp(masked).sum(1, keepdims=True), rtol=1e-13)
    assert steps.tolist() == [0, 5, 10, 15, 20] and n == 5
    ag.check_grad(ag.sum(ag.softmax(causal, over=u) * ag.index(u), over=(t, u)), [q, k], {"q": Q, "k": K})


def test_at_first_last() -> None:
    t = ag.Axis("t")
    x, w = ag.input("x", (2,), over=t), ag.param("w")
    values = RNG.normal(size=(4, 2))
    nodes = [ag.at(x, t, i) for i in (0, 2, -1, -4, np.int64(1))] + [ag.first(x, over=t), ag.last(x, over=t)]
    out = ag.Graph(*nodes).evaluate(x=values)
    for got, i in zip(out, (0, 2, -1, -4, 1, 0, -1), strict=True):
        np.testing.assert_array_equal(got, values[i])
    assert ag.at(w, t, 3) is w  # static: the same at every step
    outside = ag.Graph(ag.at(x, t, 9, outside="zero"), ag.at(x, t, -5, outside="zero")).evaluate(x=values)
    assert all(not v.any() for v in outside)
    for i in (4, -5):
        with pytest.raises(ag.AxisError, match="has no step"):
            ag.Graph(ag.at(x, t, i)).evaluate(x=values)
    g = ag.grad(ag.sum(ag.last(x, over=t) ** 2 + 3 * ag.at(x, t, 1)), x)
    truth = np.zeros((4, 2))
    truth[3], truth[1] = 2 * values[3], 3
    np.testing.assert_allclose(ag.Graph(g).evaluate(x=values)[0], truth, rtol=1e-14)


def test_shifts_against_numpy() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    v = np.arange(1.0, 6.0)
    nodes = [x[t - 2], x[t + 1], ag.shift(x, t, 1, init=9.0), ag.shift(x, t, -2, final=[7.0, 8.0]), x[t - 1][t - 1]]
    truths = [[0, 0, 1, 2, 3], [2, 3, 4, 5, 0], [9, 1, 2, 3, 4], [3, 4, 5, 7, 8], [0, 0, 1, 2, 3]]
    for got, truth in zip(ag.Graph(*nodes).evaluate(x=v), truths, strict=True):
        assert got.tolist() == truth


def test_shifts_along_two_axes_against_numpy() -> None:
    """Rows on one axis are seen through a shift along the other, in either order."""
    i, j = ag.Axis("i"), ag.Axis("j")
    x, row = ag.input("x", over=(i, j)), ag.input("row", over=j)
    v, r = RNG.normal(size=(3, 4)), RNG.normal(size=4)
    b = ag.shift(x, i, 1, init={i: row})
    down = np.concatenate([r[None], v[:-1]])
    right = np.concatenate([np.zeros((3, 1)), v[:, :-1]], axis=1)
    both = np.concatenate([np.zeros((3, 1)), down[:, :-1]], axis=1)
    s = ag.state("s", over=(i, j), init={i: row})
    s[i, j] = x
    nodes = [x, b, x[j - 1], b[j - 1], s[i - 1, j - 1], s[j - 1][i - 1], x[i, j - 1]]
    truths = [v, down, right, both, both, both, right]
    for got, truth in zip(ag.Graph(*nodes).evaluate(x=v, row=r), truths, strict=True):
        np.testing.assert_array_equal(got, truth)


def test_operators_of_numpy_take_nodes_on_their_right() -> None:
    """What NumPy calls for ``array + node`` and ``np.float64(2) * node``; everything else says which function is meant."""
    x, row, two = ag.tensor(X), np.array([1.0, 2.0, 4.0]), np.float64(2)
    for got, truth in [(row + x, row + X), (row - x, row - X), (row * x, row * X), (row / x, row / X), (two * x, 2 * X),
                       (two - x, 2 - X), (row ** abs(x), row ** np.abs(X)), (two**x, 2**X),
                       (A @ ag.tensor(np.ones(4)), A @ np.ones(4)),
                       (row == x, row == X), (row != x, row != X), (row < x, row < X), (row <= x, row <= X), (row > x, row > X),
                       (row >= x, row >= X), (np.array([True, False, True]) & (x > 0), np.array([True, False, True]) & (X > 0)),
                       (np.array([True, False, True]) | (x > 0), np.array([True, False, True]) | (X > 0))]:  # fmt: skip
        assert isinstance(got, ag.Node)
        same(got, truth)
    assert np.shape(x) == (3,) and np.ndim(x) == 1 and np.allclose(x, X) and np.array_equal(x, X)
