"""The functions that users of NumPy and JAX reach for: values as NumPy's, derivatives by numbers, in every runner."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from each import each

import autograd_seq as ag

RNG = np.random.default_rng(5)
X = np.array([0.7, -1.3, 2.1, 0.4])
M = RNG.normal(size=(3, 4))
A = RNG.normal(size=(2, 3, 4))
I4 = np.array([3, -2, 0, 3])
B4 = np.array([True, False, True, True])
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, np.nan, np.nan]])
KINDS = {"f": float, "i": int, "u": int, "b": bool}


def check(f: Callable[..., Any], g: Callable[..., Any], *arrays: Any, rtol: float = 1e-14) -> None:
    """Compare the values, shapes and kinds of two functions."""
    found, truth = f(*arrays), np.asarray(g(*arrays))
    assert found.shape == truth.shape and found.dtype is KINDS[truth.dtype.kind]
    np.testing.assert_allclose(found.value, truth, rtol=rtol, atol=1e-15)


def elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


ENTRIES = [
    *[(f, g, (M, I4)) for f, g in ((ag.tan, np.tan), (ag.sinh, np.sinh), (ag.cosh, np.cosh))],
    *[(f, g, (M / 4,)) for f, g in ((ag.arcsin, np.arcsin), (ag.arccos, np.arccos))],
    *[(f, g, (3 * M, I4, np.array([0.5, 1.5, 2.5, -0.5, -1.5]))) for f, g in
      ((ag.floor, np.floor), (ag.ceil, np.ceil), (ag.round, np.round))],
    *[(partial(ag.round, decimals=d), partial(np.round, decimals=d), (10 * M, np.array([1250, 1350, -17, 15])))
      for d in (1, -1, -2)],
    (ag.square, np.square, (M, I4)), (ag.isnan, np.isnan, (TIES, I4)),
    (ag.silu, lambda x: x / (1 + np.exp(-x)), (M,)),
    (ag.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x), (M, I4)),
    (partial(ag.leaky_relu, negative_slope=0.2), lambda x: np.where(x > 0, x, 0.2 * x), (M,)),
    (ag.elu, elu, (M, np.array([-800.0, 800.0]), I4)), (partial(ag.elu, alpha=0.3), partial(elu, alpha=0.3), (M,)),
]  # fmt: skip
PAIRS = [
    (ag.arctan2, np.arctan2),
    (ag.mod, np.mod),
    (ag.floor_divide, np.floor_divide),
    (ag.greater, np.greater),
    (ag.greater_equal, np.greater_equal),
    (ag.logaddexp, np.logaddexp),
]
DIMENSIONS = [
    (partial(ag.swapaxes, axis1=0, axis2=-1), partial(np.swapaxes, axis1=0, axis2=-1), (M, A)),
    (partial(ag.moveaxis, source=0, destination=-1), partial(np.moveaxis, source=0, destination=-1), (M, A)),
    (partial(ag.moveaxis, source=(2, 0), destination=(0, 1)), partial(np.moveaxis, source=(2, 0), destination=(0, 1)), (A,)),
    *[(partial(ag.repeat, **k), partial(np.repeat, **k), (M,)) for k in
      ({"repeats": 2}, {"repeats": 3, "axis": 1}, {"repeats": (2, 0, 1), "axis": 0}, {"repeats": 0, "axis": -1})],
    *[(partial(ag.roll, **k), partial(np.roll, **k), (M, A)) for k in
      ({"shift": 1}, {"shift": -5}, {"shift": 2, "axis": -1}, {"shift": (1, -1), "axis": (0, 1)},
       {"shift": 1, "axis": (0, 1)})],
    *[(partial(ag.tril, k=k), partial(np.tril, k=k), (M, A, M > 0)) for k in (-1, 0, 2)],
    *[(partial(ag.triu, k=k), partial(np.triu, k=k), (M, A)) for k in (-2, 0, 1)],
    *[(partial(ag.diag, k=k), partial(np.diag, k=k), (M, M.T, X)) for k in (-3, -1, 0, 2, 5)],
    *[(partial(ag.trace, offset=k), partial(np.trace, offset=k), (M, A)) for k in (-1, 0, 1, 9)],
    (partial(ag.trace, axis1=2, axis2=0), partial(np.trace, axis1=2, axis2=0), (A,)),
    *[(partial(ag.cumprod, axis=a), partial(np.cumprod, axis=a), (M, np.zeros((2, 3)), np.arange(6).reshape(2, 3)))
      for a in (0, -1)],
]  # fmt: skip
AXES: list[Any] = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, -1)}, {"keepdims": True}]
REDUCTIONS = [
    *[(partial(f, **k, **d), partial(g, **k, **d), (M, A, X, np.arange(12).reshape(3, 4))) for f, g in
      ((ag.var, np.var), (ag.std, np.std)) for k in AXES for d in ({}, {"ddof": 1}) if k.get("axis") != (0, -1)],
    *[(partial(f, **k), partial(g, **k), (M > 0, A > 0, TIES, np.zeros((2, 0)) > 0)) for f, g in
      ((ag.any, np.any), (ag.all, np.all)) for k in AXES],
    *[(partial(f, **k), partial(g, **k), (M, A, TIES, I4, B4, -X)) for f, g in
      ((ag.argmax, np.argmax), (ag.argmin, np.argmin)) for k in AXES if k.get("axis") != (0, -1)],
    *[(partial(ag.norm, **k), partial(np.linalg.norm, **k), (M, np.zeros((3, 4)), np.arange(6).reshape(2, 3))) for k in
      (*AXES, *[{"ord": o, "axis": 0} for o in (0, 1, 2, 3, 2.5, np.inf, -np.inf)],
       *[{"ord": o, "keepdims": d} for o in ("fro", 1, -1, np.inf, -np.inf) for d in (False, True)],
       {"ord": 1, "axis": (1, 0)})],
    (partial(ag.norm, ord=1, axis=(2, 0), keepdims=True), partial(np.linalg.norm, ord=1, axis=(2, 0), keepdims=True), (A,)),
    (partial(ag.norm, ord=0.5, axis=-1), partial(np.linalg.norm, ord=0.5, axis=-1), (M, A)),
    (partial(ag.norm, ord=-1, axis=-1), partial(np.linalg.norm, ord=-1, axis=-1), (M,)),
]  # fmt: skip
CALLS = [(f, g, x) for f, g, xs in (*ENTRIES, *DIMENSIONS, *REDUCTIONS) for x in xs]


def name_of(value: Any) -> str:
    if isinstance(value, partial):
        return f"{value.func.__name__}-{value.keywords}"
    return getattr(value, "__name__", getattr(value, "name", str(getattr(value, "shape", ""))))


@each(("f", "g", "x"), CALLS)
def test_values_shapes_and_kinds_are_those_of_numpy(f, g, x):
    check(f, g, x)


@each(("f", "g"), PAIRS)
@each(("a", "b"), [(X, M), (M[:, :1], X), (I4, X), (X, 0.7), (I4, 3)])
def test_pairs_are_those_of_numpy(f, g, a, b):
    check(f, g, a, b)


def smooth(f: Any, x: Any) -> bool:
    return x.dtype.kind == "f" and np.isfinite(x).all() and x.size > 0 and bool(x.any()) and f(x).dtype is float


SMOOTH = [(f, x) for f, _, x in CALLS if smooth(f, x) and x.max() < 100 and f(x).size and "round" not in name_of(f)]


@each(("f", "x"), SMOOTH)
def test_derivatives_of_first_and_second_order(f, x):
    assert ag.check_op(f, x, method="central differences", tol=2e-6).worst < 2e-6


def test_derivatives_where_they_are_delicate():
    def grad(f: Any, x: Any) -> Any:
        x = ag.tensor(x)
        f(x).backward()
        return x.grad

    zero = np.zeros(3)
    for f in (ag.norm, ag.std, partial(ag.norm, ord=3), partial(ag.norm, ord=0.5), partial(ag.norm, ord=2, keepdims=False)):
        assert not grad(f, zero).any()
    assert grad(lambda x: ag.arctan2(x[0], x[1]), [1.0, 0.0]).tolist() == [0.0, -1.0]
    assert grad(lambda x: ag.sum(ag.elu(x)), [-1000.0, 0.0, 1000.0]).tolist() == [0.0, 1.0, 1.0]
    assert grad(lambda x: ag.sum(ag.leaky_relu(x)), [-2.0, 0.0, 2.0]).tolist() == [0.01, 0.01, 1.0]
    assert grad(lambda x: ag.logaddexp(x[0], x[1]), [-np.inf, 2.0]).tolist() == [0.0, 1.0]
    assert grad(lambda x: ag.sum(ag.cumprod(x)), [2.0, 0.0, 3.0]).tolist() == [1.0, 8.0, 0.0]
    assert ag.check_op(lambda x: ag.cumprod(x), np.array([2.0, 0.0, 3.0, 0.0, 1.5])).worst < 1e-10
    assert ag.check_op(ag.logaddexp, np.array([1.0, 2.0]), np.array([1.0, -2.0])).worst < 1e-10  # a tie among them
    for f in (ag.argmax, ag.any, ag.isnan):
        assert ag.grad(ag.sum(ag.cast(f(ag.tensor(X)), float)), [ag.tensor(X)])[0].value.tolist() == [0.0] * 4


@each("b", [3, -3, 2.5, -2.5, np.array([3, -3, 7, -2]), np.array([0.7, -0.7, 1.0, -1.0])])
@each("a", [I4 * 5 + 1, X * 5, 7, -7.5])
def test_remainders_have_the_sign_of_what_divides(a, b):
    for node, truth in ((ag.constant(a) % b, a % b), (a % ag.constant(b), a % b), (ag.constant(a) // b, a // b),
                        (a // ag.constant(b), a // b), (np.asarray(a) % ag.constant(b), np.mod(a, b))):  # fmt: skip
        np.testing.assert_array_equal(node.value, truth)
        assert node.dtype is KINDS[np.asarray(truth).dtype.kind]


def test_steps_have_no_slope_and_remainders_that_of_their_operands():
    x, y = ag.tensor([7.5, -7.5]), ag.tensor([2.0, 2.0])
    L = ag.sum(x % y * 3 + ag.floor(x) + ag.ceil(x) + round(x) + x // y)
    dx, dy = ag.grad(L, [x, y])
    assert dx.value.tolist() == [3.0, 3.0] and dy.value.tolist() == [-9.0, 12.0]
    assert round(x, 1).value.tolist() == [7.5, -7.5]


def test_split():
    for parts, axis in ((2, 1), (3, 0), ([1, 3], 1), ([2], -1), ([], 0), ([3, 1, 9], 1)):
        found, truth = ag.split(M, parts, axis), np.split(M, parts, axis)
        assert len(found) == len(truth)
        for a, b in zip(found, truth, strict=True):
            np.testing.assert_array_equal(a.value, b)
    assert ag.check_op(lambda x: ag.concat(ag.split(x, 2, 1)[::-1]) ** 2, M).worst < 1e-10


def test_constants():
    for f, g, given in ((ag.zeros, np.zeros, (3, (2, 3), ())), (ag.ones, np.ones, (3, (2, 0))), (ag.eye, np.eye, (3,))):
        for shape in given:
            for kind in (float, int, bool):
                np.testing.assert_array_equal(f(shape, dtype=kind).value, g(shape, dtype=kind))
                assert f(shape, dtype=kind).dtype is kind
    np.testing.assert_array_equal(ag.eye(2, 3, 1).value, np.eye(2, 3, 1))
    assert (ag.tensor(np.float32([1.0, 2.0])) + ag.ones(2)).value.dtype == np.float32  # they have no width of their own


def test_methods():
    x = ag.tensor(M[:1])
    assert x.size == 4 and ag.tensor(1.0).size == 1
    assert x.squeeze().shape == x.squeeze(0).shape == (4,)
    assert x.astype(int).value.tolist() == M[:1].astype(int).tolist()
    assert [x.astype(kind).dtype for kind in (bool, "int", np.float32)] == [bool, int, float]
    assert ag.tensor([[2.5]]).item() == 2.5 and type(ag.tensor([3]).item()) is float
    assert type(ag.constant([3]).item()) is int and ag.constant(True).item() is True


t, b, STEPS = ag.Axis("t"), ag.Axis("b"), np.arange(6) - 3
OVER: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (lambda x, over: ag.var(x, over=over), lambda x: np.var(x, 0)),
    (lambda x, over: ag.var(x, -1, over=over, ddof=1), lambda x: np.var(x, (0, 2), ddof=1)),
    (lambda x, over: ag.std(x, over=over, ddof=1), lambda x: np.std(x, 0, ddof=1)),
    (lambda x, over: ag.norm(x, over=over), lambda x: np.linalg.norm(x, axis=0)),
    (lambda x, over: ag.norm(x, 1, -1, over=over), lambda x: np.abs(x).sum((0, 2))),
    (lambda x, over: ag.norm(x, np.inf, over=over), lambda x: np.abs(x).max(0)),
    (lambda x, over: ag.argmax(x, over=over), lambda x: np.argmax(x, 0)),
    (lambda x, over: ag.argmin(ag.sum(x, -1), over=over), lambda x: np.argmin(x.sum(-1), 0)),
    (lambda x, over: ag.any(x > 1, over=over), lambda x: np.any(x > 1, 0)),
    (lambda x, over: ag.all(x > -1, -1, over=over), lambda x: np.all(x > -1, (0, 2))),
    (lambda x, over: ag.cumprod(x, over=over), lambda x: np.cumprod(x, 0)),
    (lambda x, over: ag.argmax(x, 0), lambda x: np.argmax(x, 1)),
    (lambda x, over: ag.roll(x, 1, 0), lambda x: np.roll(x, 1, 1)),
    (lambda x, over: ag.trace(x), lambda x: np.trace(x, axis1=1, axis2=2)),
    (lambda x, over: ag.diag(x[0]), lambda x: np.stack([np.diag(v) for v in x[:, 0]])),
    (lambda x, over: ag.logaddexp(x, 0.5), lambda x: np.logaddexp(x, 0.5)),
    (lambda x, over: ag.silu(x), lambda x: x / (1 + np.exp(-x))),
    (lambda x, over: ag.elu(ag.leaky_relu(x)), lambda x: elu(np.where(x > 0, x, 0.01 * x))),
    (lambda x, over: ag.tril(x), np.tril),
    (lambda x, over: (ag.index(over) - 3) % 2 + (ag.index(over) - 4) // -3, lambda x: STEPS % 2 + (STEPS - 1) // -3),
    (lambda x, over: x % 0.7 + ag.round(x, 1) + x // -0.3, lambda x: x % 0.7 + np.round(x, 1) + x // -0.3),
    (lambda x, over: ag.arctan2(x, 0.3) + ag.sinh(x) + ag.floor(x), lambda x: np.arctan2(x, 0.3) + np.sinh(x) + np.floor(x)),
]  # fmt: skip


DATA = np.random.default_rng(3).normal(size=(6, 2, 4))
DATA[4] = DATA[1]  # ties


def over_time() -> tuple[ag.Node, list[ag.Node]]:
    x = ag.input("x", (2, 4), over=t)
    return x, [f(x, t) for f, _ in OVER]


def compare_over_time(found: Any, data: Any = DATA) -> None:
    for (_, g), value in zip(OVER, found, strict=True):
        np.testing.assert_allclose(value, g(data), rtol=1e-12, atol=1e-14)
        assert np.asarray(value).dtype.kind == np.asarray(g(data)).dtype.kind


def test_over_time_unrolled_and_in_numpy_with_derivatives_and_a_batch():
    x, outputs = over_time()
    L = sum((ag.sum(o**2) if not o.axes else ag.sum(ag.sum(o**2), over=t)) for o in outputs if o.dtype is float)
    *truth, slopes = ag.Graph(*outputs, ag.grad(L, x)).unroll(t=6).evaluate(x=DATA)
    *found, compiled = ag.compile([*outputs, ag.grad(L, x)], backend="numpy")(x=DATA)
    compare_over_time(truth)
    compare_over_time(found)
    np.testing.assert_allclose(compiled, slopes, rtol=1e-11, atol=1e-13)
    step = 1e-6 * np.eye(1, DATA.size, 19).reshape(DATA.shape)
    value = ag.Graph(L).unroll(t=6)
    slope = (value.evaluate(x=DATA + step)[0] - value.evaluate(x=DATA - step)[0]) / 2e-6
    np.testing.assert_allclose(slopes.ravel()[19], slope, rtol=1e-6)
    batch = ag.compile([*ag.vmap(outputs, over=b)], backend="numpy")(x=np.stack([DATA, -DATA]))
    compare_over_time([one if one.shape == (6,) else one[1] for one in batch], -DATA)


def test_over_time_in_native_code_and_nothing_leaves_it():
    pytest.importorskip("numba")
    step = ag.compile(over_time()[1], backend="numba")
    assert str(step.schedule).endswith("native (numba): everything")
    compare_over_time(step(x=DATA))


def test_over_time_with_lengths_and_over_what_does_not_vary():
    x, w = ag.input("x", over=(b, t)), ag.param("w", (3,))
    data = np.array([[3.0, 1.0, 9.0], [5.0, 7.0, 6.0]])
    out = [ag.var(x, over=t), ag.std(x, over=t), ag.norm(x, over=t), ag.argmax(x, over=t), ag.any(x > 8, over=t),
           ag.all(x < 8, over=t), ag.argmin(x, over=t)]  # fmt: skip
    found = ag.compile(out, backend="numpy")(x=data, lengths={t: [2, 3]})
    for value, truth in zip(found, [np.var, np.std, np.linalg.norm, np.argmax, lambda v: np.any(v > 8), lambda v: np.all(v < 8),
                                    np.argmin], strict=True):  # fmt: skip
        np.testing.assert_allclose(value, [truth(data[0, :2]), truth(data[1])])
    still = [ag.var(w, over=t), ag.var(w, 0, over=t, ddof=1), ag.argmax(w, over=t), ag.any(w > 1, over=t)]
    v = np.array([1.0, 2.0, 4.0])
    for value, truth in zip(ag.Graph(*still).unroll(t=2).evaluate(w=v),
                            [np.zeros(3), np.var([v, v], ddof=1), np.zeros(3), v > 1], strict=True):  # fmt: skip
        np.testing.assert_allclose(value, truth)


def test_nothing_at_all():
    with np.errstate(all="ignore"):
        assert np.isnan(ag.var(np.zeros(0)).value) and np.isnan(ag.var(np.ones(1), ddof=1).value)
    assert not ag.any(np.zeros(0)).value and ag.all(np.zeros(0)).value and ag.norm(np.zeros(0)).value == 0
    assert ag.cumprod(np.zeros((0, 2)), 0).shape == ag.roll(np.zeros((0, 2)), 1, 0).shape == (0, 2)
    with pytest.raises(ag.ShapeError, match="at least one entry to choose from"):
        ag.argmax(np.zeros((2, 0)), 1)


def test_pad_takes_what_numpy_takes():
    for x, width in ((X, (0, 1)), (X, [(1, 2)]), (M, (1, 2)), (M, ((1, 2),)), (M, [(0, 1), (2, 0)]), (M, 2)):
        np.testing.assert_array_equal(ag.pad(x, width).value, np.pad(x, width))
