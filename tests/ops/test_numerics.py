"""Where numbers are awkward: broadcasting, widths, infinities, ties, zeros, and gradients by decree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from each import each

import autograd_seq as ag
from autograd_seq.core.op import OPS

INF = np.inf
RNG = np.random.default_rng(3)


def gradient(f: Any, x: Any, cotangent: Any = None) -> np.ndarray:
    """Return the gradient of Σ f(x) (or f pulled back by a cotangent): on arrays, checked against the adjoint graph."""
    eager, folded = ag.tensor(x), ag.param("x", np.shape(x))
    with np.errstate(all="ignore"):
        y = f(eager)
        g = np.ones(y.shape) if cotangent is None else np.broadcast_to(cotangent, y.shape)
        y.backward(g)
    graph = ag.Graph(ag.grad(f(folded), folded, cotangent=ag.constant(g)), folded).evaluate(x=x)[0]
    out = np.zeros(np.shape(x)) if eager.grad is None else eager.grad
    np.testing.assert_allclose(graph, out, rtol=1e-12, atol=1e-300)
    return np.asarray(out)


# -- broadcasting ---------------------------------------------------------------------------------------------------

SHAPES = [((), (3,)), ((3,), ()), ((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 1), (3,)), ((1,), (1, 1)), ((2, 3), (4, 1, 3)),
          ((1, 1, 1), (2, 3)), ((0, 3), (1, 3)), ((), ())]  # fmt: skip


@each(("a", "b"), SHAPES)
@each("name", ["add", "sub", "mul", "div", "power", "maximum", "where"])
def test_gradients_are_summed_where_broadcasting_spread(name: str, a: Any, b: Any) -> None:
    x, y = RNG.uniform(0.5, 1.0, size=a), RNG.uniform(1.1, 2.0, size=b)

    def f(p: Any, q: Any) -> Any:
        return ag.where(np.arange(3) > 0, p, q) if name == "where" else OPS[name](p, q)

    out = f(x, y)
    assert out.shape == np.broadcast_shapes(a, b, (3,) if name == "where" else ())
    assert ag.check_op(f, x, y, tol=1e-6).worst < 1e-6


def test_broadcasting_by_hand() -> None:
    a, b = ag.tensor([[1.0], [2.0]]), ag.tensor([1.0, 10.0, 100.0])
    (a * b).sum().backward()
    assert a.grad.tolist() == [[111.0], [111.0]]
    assert b.grad.tolist() == [3.0, 3.0, 3.0]


def test_a_node_used_twice_in_one_operation() -> None:
    x = ag.tensor([1.0, -2.0])
    (x * x + x - x / x).sum().backward()
    assert x.grad.tolist() == [3.0, -3.0]


# -- numbers and arrays from either side ----------------------------------------------------------------------------

OPERATORS: dict[str, Any] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "**": lambda a, b: a**b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip
OTHERS = [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), np.array([1.0, 2.0, 3.0]),
          np.array([[1, 2, 3], [4, 5, 6]])]  # fmt: skip


@each("other", OTHERS)
@each("name", OPERATORS)
def test_operators_take_numbers_and_arrays_on_either_side(name: str, other: Any) -> None:
    f, x = OPERATORS[name], np.array([0.5, 2.0, 3.0])
    for got, truth in [(f(ag.tensor(x), other), f(x, other)), (f(other, ag.tensor(x)), f(other, x))]:
        assert isinstance(got, ag.Node)
        np.testing.assert_allclose(got.value, truth, rtol=1e-15)
        assert got.shape == np.shape(truth)


def test_lists_unary_operators_and_logic() -> None:
    x = ag.tensor([1.0, -2.0])
    assert (x + [1, 1]).value.tolist() == [2, -1] and ([1, 1] + x).value.tolist() == [2, -1]
    assert (-x).value.tolist() == [-1, 2] and abs(x).value.tolist() == [1, 2] and +x is x
    a, b = x > 0, x < 0
    assert (~a).value.tolist() == [False, True]
    assert (a | b).value.tolist() == (True | a).value.tolist() == [True, True]
    assert (a & b).value.tolist() == (False & a).value.tolist() == [False, False]


def test_matmul_with_arrays_on_either_side() -> None:
    a, b = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2))
    for got in (ag.tensor(a) @ b, a @ ag.tensor(b)):
        np.testing.assert_allclose(got.value, a @ b, rtol=1e-14)


# -- widths and kinds -----------------------------------------------------------------------------------------------

FLOAT32 = {
    "python float": lambda x: 2.5 * x + 1, "python int": lambda x: x * 2 - 1,
    "array": lambda x: x * np.ones(3) / [1, 2, 3],
    "power": lambda x: x**2.0, "numpy power": lambda x: x ** np.float64(2.5), "square root": lambda x: x**0.5,
    "where": lambda x: ag.where(x > 1, x, 0.0), "integers": lambda x: x * ag.constant([1, 2, 3]), "erf": ag.erf,
    "integer array": lambda x: x / np.arange(1, 4), "softmax": ag.softmax, "sigmoid": ag.sigmoid, "relu": ag.relu,
    "pad": lambda x: ag.pad(x, 1, 0.1), "mean": ag.mean, "max": lambda x: x.max(),
    "one hot": lambda x: x * ag.one_hot(1, 3),
    "spike": lambda x: ag.spike(x), "mse": lambda x: ag.mse(x, 1.0), "nll": lambda x: ag.nll(ag.softmax(x), 1),
    "prod": ag.prod, "logsumexp": ag.logsumexp, "chosen": lambda x: x * ag.where(x > 1, 1.0, 0.0),
    "outer": lambda x: ag.outer(x, [1.0, 2.0]), "gelu": ag.gelu,
    "bce": lambda x: ag.bce(ag.sigmoid(x), 1.0), "softplus": ag.softplus, "cast": lambda x: x * ag.cast(x > 1, float),
}  # fmt: skip


@each("name", FLOAT32)
def test_float32_stays_float32(name: str) -> None:
    f, x = FLOAT32[name], np.array([0.5, 1.5, 2.0], np.float32)
    eager, folded = ag.tensor(x), ag.param("x", (3,))
    y = f(eager)
    assert y.value.dtype == np.float32
    ag.sum(y).backward()
    assert eager.grad.dtype == np.float32
    loss = ag.sum(f(folded))
    for v in ag.Graph(f(folded), loss, ag.grad(loss, folded)).evaluate(x=x):
        assert v.dtype == np.float32


def test_float64_partners_of_float32_tensors() -> None:
    """Two tensors meet as NumPy's arrays do; a constant array adopts the tensor's width."""
    x = ag.tensor(np.ones(2, np.float32))
    assert (x * ag.tensor(np.ones(2))).value.dtype == np.float64
    assert (x * np.ones(2)).value.dtype == np.float32
    assert (2.0 * ag.constant(np.ones(2, np.float32))).value.dtype == np.float32


def test_integer_nodes_mix() -> None:
    n, x = ag.constant(np.array([1, 2, 3])), ag.tensor([0.5, 1.5, 2.5])
    assert (n + 1).dtype is int and (n * n).dtype is int and (n / 2).dtype is float and (n + 0.5).dtype is float
    assert (n**2).dtype is int and (n**-1).dtype is float and (n**2.0).dtype is float
    np.testing.assert_allclose((n**-1).value, [1, 1 / 2, 1 / 3])
    (x * n).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]
    i = ag.input("i", (3,), dtype=int)
    w = ag.param("w", (3,))
    y, g = ag.Graph(ag.sum(w * i), ag.grad(ag.sum(w * i), w)).evaluate(w=[1.0, 1.0, 1.0], i=[1, 2, 4])
    assert y == 7 and g.tolist() == [1, 2, 4]
    for small in (np.uint8, np.int8, bool):
        for f in (ag.maximum, ag.minimum):
            values = np.array([0, 1, 1], small)
            assert gradient(lambda p, f=f, v=values: f(p, v), np.array([0.5, 0.5, 2.0])).tolist() == (
                [1, 0, 1] if f is ag.maximum else [0, 1, 0]
            )


def test_functions_of_integers_are_floats() -> None:
    n = ag.constant(np.array([1, 2]))
    for f in (ag.exp, ag.log, ag.erf, ag.sigmoid, ag.tanh, ag.sqrt, ag.softmax, ag.gelu, ag.mean):
        assert f(n).dtype is float and f(n).value.dtype == np.float64
    assert ag.log(ag.exp(n)).dtype is float  # also where the two cancel
    assert ag.log(ag.exp(n)).value.dtype == np.float64


def test_casts() -> None:
    assert ag.cast([1.7, -1.7], int).value.tolist() == [1, -1]
    assert ag.cast([0.0, 2.0], bool).value.tolist() == [False, True]
    assert gradient(lambda x: ag.cast(x, int) * 2.0, np.array([1.5])).tolist() == [0.0]
    assert ag.check_op(lambda x: ag.cast(x, int) * x, [1.5, 2.5]).worst < 1e-10  # complex steps pass through a cast


# -- a cotangent of zero ------------------------------------------------------------------------------------------

UNBOUNDED: dict[str, tuple[Any, float]] = {
    "log(0)": (ag.log, 0.0), "sqrt(0)": (ag.sqrt, 0.0), "exp overflows": (ag.exp, 1000.0),
    "1/0": (lambda x: 1 / x, 0.0),
    "0/0": (lambda x: x / x, 0.0), "x/0": (lambda x: x / (x - x), 1.0), "log1p(-1)": (ag.log1p, -1.0),
    "expm1 overflows": (ag.expm1, 1000.0), "0 ** 0.5": (lambda x: x**0.5, 0.0), "0 ** -1": (lambda x: x**-1, 0.0),
    "power of nodes": (lambda x: ag.power(x, ag.constant(0.5)), 0.0), "negative base": (lambda x: x**0.5, -1.0),
    "0 ** node": (lambda x: ag.power(0.0, x), -1.0), "log(-1)": (ag.log, -1.0), "sigmoid(-inf)": (ag.sigmoid, -INF),
    "softplus(inf)": (ag.softplus, INF), "tanh(inf)": (ag.tanh, INF), "arctan(1e200)": (ag.arctan, 1e200),
}  # fmt: skip


@pytest.mark.parametrize("name", UNBOUNDED)
def test_a_zero_cotangent_never_makes_nan(name: str) -> None:
    """where(c, f(x), 0) at a point where f is not differentiable: the branch that is not taken leaves no trace."""
    f, at = UNBOUNDED[name]
    bad = np.array([at, 2.0])
    assert gradient(f, bad, cotangent=[0.0, 0.0]).tolist() == [0.0, 0.0]
    assert gradient(lambda x: ag.where(np.array([False, False]), f(x), 3 * x), bad).tolist() == [3.0, 3.0]
    x = ag.param("x", (2,))
    loss = ag.sum(ag.where(np.array([False, False]), f(x), x * x))
    second = ag.grad(ag.sum(ag.grad(loss, x) * [1.0, 1.0]), x)
    assert ag.Graph(second).evaluate(x=bad)[0].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("f", [ag.softmax, ag.logsumexp, ag.log_softmax], ids=lambda f: f.__name__)
def test_everything_masked(f: Any) -> None:
    masked = np.full(3, -INF)
    assert not np.isnan(gradient(f, masked)).any()
    assert gradient(f, masked, cotangent=0.0).tolist() == [0, 0, 0]
    with np.errstate(divide="ignore"):
        value = f(masked).value
    if f is ag.softmax:
        assert value.tolist() == [0, 0, 0]
        assert gradient(f, masked).tolist() == [0, 0, 0]
    else:
        assert np.all(value == -INF)
    partly = np.array([0.0, -INF, 0.0])
    assert not np.isnan(gradient(f, partly)).any()


def test_everything_masked_over_an_axis() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    nodes = [ag.softmax(x, over=t), ag.logsumexp(x, over=t), ag.log_softmax(x, over=t)]
    grads = [ag.grad(ag.sum(n, over=t), x) for n in nodes]
    out = ag.Graph(*nodes, *grads).evaluate(x=np.full(3, -INF))
    assert out[0].tolist() == [0, 0, 0] and out[1] == -INF and not any(np.isnan(v).any() for v in out)


def test_zero_safe_product() -> None:
    out = ag.zero_safe_mul([0.0, 0.0, 0.0, 2.0], [INF, np.nan, -INF, 3.0])
    assert out.value.tolist() == [0.0, 0.0, 0.0, 6.0]


# -- ties -----------------------------------------------------------------------------------------------------------


def test_ties_share_the_gradient() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0, 3.0])
    assert gradient(ag.max, x).tolist() == pytest.approx([0, 1 / 3, 1 / 3, 0, 1 / 3])
    assert gradient(ag.min, -x).tolist() == pytest.approx([0, 1 / 3, 1 / 3, 0, 1 / 3])
    rows = np.array([[1.0, 1.0], [0.0, 2.0]])
    assert gradient(lambda v: ag.max(v, 1), rows).tolist() == [[0.5, 0.5], [0, 1]]
    assert gradient(ag.max, np.zeros((2, 2))).tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert gradient(lambda v: ag.maximum(v, 3.0), x).tolist() == [0, 0.5, 0.5, 0, 0.5]
    assert gradient(lambda v: ag.minimum(v, 3.0), x).tolist() == [1, 0.5, 0.5, 1, 0.5]
    assert gradient(lambda v: ag.maximum(v, v), x).tolist() == [1, 1, 1, 1, 1]
    assert gradient(ag.max, np.array([-INF, -INF])).tolist() == [0.5, 0.5]


def test_ties_over_axes_share_the_gradient() -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    x = ag.input("x", over=(t, u))
    values = np.array([[5.0, 1.0], [5.0, 5.0], [0.0, 5.0]])
    for f, sign in ((ag.max, 1), (ag.min, -1)):
        both, one = ag.grad(f(x, over=(t, u)), x), ag.grad(ag.sum(f(x, over=t), over=u), x)
        g, h = ag.Graph(both, one).evaluate(x=sign * values)
        assert g.tolist() == [[0.25, 0], [0.25, 0.25], [0, 0.25]]
        assert h.tolist() == [[0.5, 0], [0.5, 0.5], [0, 0.5]]


def test_kinks() -> None:
    assert gradient(ag.relu, np.array([-1.0, 0.0, 2.0])).tolist() == [0, 0, 1]
    assert gradient(ag.abs, np.array([-1.0, 0.0, 2.0])).tolist() == [-1, 0, 1]
    assert gradient(lambda x: ag.clip(x, 0, 1), np.array([-1.0, 0.5, 2.0])).tolist() == [0, 1, 0]
    assert ag.clip([-1.0, 2.0]).value.tolist() == [-1, 2] and ag.clip([-1.0, 2.0], high=0).value.tolist() == [-1, 0]


# -- stable forms ---------------------------------------------------------------------------------------------------

LOGITS = np.array([1000.0, -1000.0, 0.0])


def test_log_of_a_softmax() -> None:
    y = ag.log(ag.softmax(LOGITS))
    assert y.value.tolist() == [0.0, -2000.0, -1000.0]
    assert gradient(lambda x: ag.log(ag.softmax(x))[1], LOGITS).tolist() == [-1.0, 1.0, 0.0]
    ag.check_op(lambda x: ag.log(ag.softmax(x)), [0.3, -0.2, 1.0])


def test_log_of_a_sigmoid() -> None:
    assert ag.log(ag.sigmoid(LOGITS)).value.tolist() == pytest.approx([0.0, -1000.0, -math.log(2)])
    assert gradient(lambda x: ag.log(ag.sigmoid(x)), LOGITS).tolist() == [0.0, 1.0, 0.5]
    ag.check_op(lambda x: ag.log(ag.sigmoid(x)), [0.3, -0.2, 1.0])


def test_log_of_a_sum_of_exponentials() -> None:
    with np.errstate(over="ignore"):
        y = ag.log(ag.sum(ag.exp(LOGITS)))
        assert float(y) == 1000.0
        assert gradient(lambda x: ag.log(ag.sum(ag.exp(x))), LOGITS).tolist() == [1.0, 0.0, 0.0]
        assert ag.log(ag.exp(LOGITS)).value.tolist() == LOGITS.tolist()
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    y = ag.log(ag.sum(ag.exp(x), over=t))
    value, g = ag.Graph(y, ag.grad(y, x)).evaluate(x=LOGITS)
    assert value == 1000.0 and g.tolist() == [1.0, 0.0, 0.0]


def test_log_of_a_sum_of_many_operands_is_not_mistaken_for_one() -> None:
    """A gradient of three contributions is one n-ary sum; its logarithm is that of all of them."""
    from autograd_seq.ops.reduce import sum_over

    x = ag.param("x")
    y = ag.log(sum_over(ag.exp(x), x, x * x, axes=()))
    assert float(ag.Graph(y).evaluate(x=2.0)[0]) == pytest.approx(math.log(math.exp(2) + 2 + 4))


@pytest.mark.parametrize("part", [
    lambda y: y[1], lambda y: ag.pick(y, 1), lambda y: ag.take(y, 1), lambda y: ag.reshape(y, (3, 1))[1, 0],
    lambda y: ag.transpose(ag.reshape(y, (1, 3)))[1, 0],
])  # fmt: skip
def test_log_of_a_part_of_a_softmax(part: Any) -> None:
    assert float(ag.log(part(ag.softmax(LOGITS)))) == -2000.0
    assert gradient(lambda x: ag.log(part(ag.softmax(x))), LOGITS).tolist() == [-1.0, 1.0, 0.0]


def test_nll_and_cross_entropy_of_extreme_logits() -> None:
    for loss in (lambda x: ag.nll(ag.softmax(x), 1), lambda x: ag.cross_entropy(x, 1),
                 lambda x: ag.cross_entropy(x, [0.0, 1.0, 0.0])):  # fmt: skip
        assert float(loss(LOGITS)) == 2000.0
        assert gradient(loss, LOGITS).tolist() == [1.0, -1.0, 0.0]
        assert ag.check_op(loss, [0.1, 0.5, -0.2]).worst < 1e-10
    assert float(ag.nll([0.25, 0.75], 0)) == pytest.approx(math.log(4))
    batch, labels = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 1])
    truth = -np.log(np.exp(batch) / np.exp(batch).sum(1, keepdims=True))[np.arange(4), labels]
    for y in (ag.nll(ag.softmax(batch), labels), ag.cross_entropy(batch, labels)):
        np.testing.assert_allclose(y.value, truth, rtol=1e-13)
    masked = np.array([0.0, -INF, 0.0])
    target = np.array([0.5, 0.0, 0.5])
    assert float(ag.cross_entropy(masked, target)) == pytest.approx(math.log(2))  # 0 · log 0 = 0
    assert gradient(lambda x: ag.cross_entropy(x, target), masked).tolist() == [0.0, 0.0, 0.0]


def test_binary_cross_entropy() -> None:
    for x, target, truth in [(1000.0, 0.0, 1000.0), (1000.0, 1.0, 0.0), (-1000.0, 1.0, 1000.0), (-1000.0, 0.0, 0.0)]:
        assert float(ag.bce(ag.sigmoid(x), target)) == truth
        g = gradient(lambda v, target=target: ag.bce(ag.sigmoid(v), target), x)
        assert g == (1.0 if x > 0 else 0.0) - target
    with np.errstate(divide="ignore"):
        for p in (0.0, 1.0):  # a certain and right probability
            assert float(ag.bce(p, p)) == 0.0
            assert not np.isnan(gradient(lambda v, p=p: ag.bce(v, p), p))
    p, target = np.array([0.2, 0.7]), np.array([0.0, 1.0])
    assert float(ag.bce(p, target)) == pytest.approx(-np.mean(np.log([0.8, 0.7])))
    assert ag.check_op(lambda v: ag.bce(v, target), p).worst < 1e-10
    assert ag.check_op(lambda v: ag.bce(ag.sigmoid(v), target), p).worst < 1e-10
    assert float(ag.mse([1.0, 2.0], [1.0, 4.0])) == 2.0
    assert ag.check_op(ag.mse, p, target).worst < 1e-10


def test_no_overflow_warnings() -> None:
    """Warnings are errors here, so that it is enough to compute."""
    extreme = np.array([-1e4, -30.0, 0.0, 30.0, 1e4])
    for f in (ag.sigmoid, ag.softplus, ag.tanh, ag.softmax, ag.log_softmax, ag.logsumexp, ag.gelu, ag.erf):
        assert np.isfinite(f(extreme).value).all()
    assert ag.softplus(extreme).value[[0, -1]].tolist() == [0.0, 1e4]
    assert ag.logsumexp(extreme).value == 1e4


# -- products with zeros --------------------------------------------------------------------------------------------


ZEROS = [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [1.0, 0.0, -2.0, 3.0, 0.5], [4.0]]


@pytest.mark.parametrize("x", ZEROS, ids=str)
def test_products_of_zeros_have_exact_derivatives(x: list[float]) -> None:
    truth = [math.prod(x[:i] + x[i + 1 :]) for i in range(len(x))]
    assert gradient(ag.prod, np.array(x)).tolist() == pytest.approx(truth)
    t = ag.Axis("t")
    v = ag.input("v", over=t)
    loss = ag.prod(v, over=t)
    g = ag.grad(loss, v)
    second = ag.grad(ag.sum(g * ag.index(t), over=t), v)
    first, twice = ag.Graph(g, second).evaluate(v=x)
    assert first.tolist() == pytest.approx(truth)
    n = range(len(x))
    hessian = [[0.0 if i == j else math.prod(x[k] for k in n if k not in (i, j)) for j in n] for i in n]
    weighted = (np.array(hessian) @ np.arange(len(x))).tolist()
    assert twice.tolist() == pytest.approx(weighted)
    p = ag.param("p", (len(x),))
    second = ag.grad(ag.sum(ag.grad(ag.prod(p), p) * np.arange(len(x))), p)
    assert ag.Graph(second, p).evaluate(p=x)[0].tolist() == pytest.approx(weighted)


def test_powers_at_zero() -> None:
    x = np.array([0.0, 2.0])
    assert gradient(lambda v: v**2, x).tolist() == [0, 4] and gradient(lambda v: v**1, x).tolist() == [1, 1]
    assert gradient(lambda v: v**0, x).tolist() == [0, 0]
    assert gradient(lambda v: ag.power(v, ag.constant(2.0)), x).tolist() == [0, 4]
    assert gradient(lambda v: ag.power(v, ag.constant(0.0)), x).tolist() == [0, 0]  # not 0 · ∞
    assert gradient(lambda v: ag.power(x, v), np.array([2.0, 3.0])).tolist() == pytest.approx([0, 8 * math.log(2)])
    ag.check_op(lambda v: v**2 + v**3, x)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, (0, 1)], ids=str)
def test_long_float32_sums_are_pairwise(axis: Any, keepdims: bool) -> None:
    """One after the other, a million tenths go wrong in the third digit; in pairs in the seventh."""
    tenths = np.full((1000, 1000), 0.1, np.float32)
    truth = np.sum(tenths.astype(float), axis=axis, keepdims=keepdims)
    got = ag.sum(ag.tensor(tenths), axis, keepdims=keepdims).value
    assert got.dtype == np.float32 and got.shape == truth.shape
    np.testing.assert_allclose(got, truth, rtol=1e-6)
    tall = np.full((100_000, 1), 0.1, np.float32)
    for k in (False, True):
        np.testing.assert_allclose(ag.sum(ag.tensor(tall), 0, keepdims=k).value, np.sum(tall.astype(float)), rtol=1e-6)
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    total = ag.Graph(ag.sum(x, over=t)).evaluate(x=np.full(20_000, 0.1, np.float32))[0]
    assert total.dtype == np.float32 and abs(float(total) - 20_000 * float(np.float32(0.1))) < 2e-3


# -- gradients by decree --------------------------------------------------------------------------------------------


def test_stop_gradient() -> None:
    x = np.array([2.0, -3.0])
    assert ag.stop_gradient(x).value.tolist() == x.tolist()
    assert gradient(lambda v: v * ag.stop_gradient(v), x).tolist() == x.tolist()
    assert gradient(ag.stop_gradient, x).tolist() == [0, 0]


def test_straight_through() -> None:
    x = np.array([0.3, -1.7])
    rounded = np.sign(x)
    assert ag.straight_through(rounded, ag.tanh(x)).value.tolist() == rounded.tolist()
    assert gradient(lambda v: ag.straight_through(ag.sign(v), 3 * v), x).tolist() == [3, 3]
    assert gradient(lambda v: ag.straight_through(v, 0.0), x).tolist() == [0, 0]
    hard = ag.straight_through(ag.tensor(x) > 0, x)  # a comparison is a number here
    assert hard.dtype is float and hard.value.dtype == np.float64 and hard.value.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("surrogate", "slope", "derivative"), [
    ("fast_sigmoid", 25.0, lambda v, k: 1 / (1 + k * np.abs(v)) ** 2),
    ("sigmoid", 4.0, lambda v, k: k * np.exp(-k * v) / (1 + np.exp(-k * v)) ** 2),
    ("arctan", 2.0, lambda v, k: k / (1 + (k * v) ** 2)),
    (lambda v, k: k * v, 3.0, lambda v, k: k + 0 * v),
])  # fmt: skip
def test_spike(surrogate: Any, slope: float, derivative: Any) -> None:
    v = np.array([-1.0, -0.1, 0.0, 0.2, 3.0])
    assert ag.spike(v, surrogate, slope).value.tolist() == [0, 0, 0, 1, 1]
    np.testing.assert_allclose(gradient(lambda x: ag.spike(x, surrogate, slope), v), derivative(v, slope), rtol=1e-11)


def test_gelu() -> None:
    x = np.linspace(-3, 3, 7)
    truth = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]
    np.testing.assert_allclose(ag.gelu(x).value, truth, rtol=1e-13, atol=1e-16)
    ag.check_op(ag.gelu, x + 0.01)
