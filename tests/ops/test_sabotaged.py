"""Wrong rules must be caught: a check that passes everything is no check. Each line breaks one rule in one way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.core.op import OPS, Op
from autograd_seq.ops.parts import CUMSUM
from autograd_seq.ops.reduce import SUM

X, Y = np.array([0.7, -1.3, 2.1]), np.array([1.4, 0.6, -0.9])
M, N = np.random.default_rng(5).normal(size=(2, 2, 3))


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Take the operations of a test out of the registry again."""
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def reduced(x: Any, **_: Any) -> tuple[int, ...]:
    return x[:-1]


def contraction(a: Any, b: Any) -> tuple[int, ...]:
    return (a[0], b[1])


# name: (samples, shape, forward, the right rule, the sabotaged rules)
TABLE: dict[str, tuple[tuple[Any, ...], Any, Any, Any, dict[str, Any]]] = {
    "square": ((X,), ag.same_shape, lambda x: x**2, lambda g, y, x: (2 * g * x,), {
        "a factor": lambda g, y, x: (g * x,),
        "a small factor": lambda g, y, x: (2.00001 * g * x,),
        "the sign": lambda g, y, x: (-2 * g * x,),
        "no gradient": lambda g, y, x: (None,),
        "the cotangent forgotten": lambda g, y, x: (2 * x,),
        "a detached input, wrong only at second order": lambda g, y, x: (2 * g * ag.stop_gradient(x),),
        "the result instead of the input": lambda g, y, x: (2 * g * y,),
    }),
    "product": ((X, Y), ag.broadcast, lambda a, b: a * b, lambda g, y, a, b: (g * b, g * a), {
        "swapped operands": lambda g, y, a, b: (g * a, g * b),
        "the second forgotten": lambda g, y, a, b: (g * b, None),
        "the cotangent detached from the operand": lambda g, y, a, b: (g * ag.stop_gradient(b), g * a),
    }),
    "difference": ((X, Y), ag.broadcast, lambda a, b: a - b, lambda g, y, a, b: (g, -g), {
        "one sign": lambda g, y, a, b: (g, g),
    }),
    "spread_sum": ((M, X), ag.broadcast, lambda a, b: a + b, lambda g, y, a, b: (g, g), {
        "broadcasting dropped: one row for the sum of all": lambda g, y, a, b: (g, g[0]),
        "broadcasting as a mean": lambda g, y, a, b: (g, ag.mean(g, 0)),
    }),
    "cubic": ((X,), ag.same_shape, lambda x: x**3 + x, lambda g, y, x: (g * (3 * x * x + 1),), {
        "a missing term": lambda g, y, x: (g * 3 * x * x,),
        "truncated where x is large": lambda g, y, x: (g * ag.minimum(3 * x * x + 1, 5.0),),
        "right at positive entries only": lambda g, y, x: (g * (3 * x * ag.abs(x) + 1),),
    }),
    "softmax_": ((M,), ag.same_shape, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
                 lambda g, y, x: (y * (g - SUM(g * y, axis=(-1,), keepdims=True)),), {
        "the coupling left out": lambda g, y, x: (y * (1 - y) * g,),
        "normalised over all": lambda g, y, x: (y * (g - ag.sum(g * y)),),
    }),
    "product_of_matrices": ((M, N.T), contraction, lambda a, b: a @ b, lambda g, y, a, b: (g @ b.T, a.T @ g), {
        "transposed": lambda g, y, a, b: ((b @ g.T).T @ np.eye(3)[::-1], a.T @ g),
        "transposed cotangent": lambda g, y, a, b: (g.T @ b.T, a.T @ g),
    }),
    "running_sum": ((X,), ag.same_shape, lambda x: np.cumsum(x, axis=-1),
                    lambda g, y, x: (ag.flip(CUMSUM(ag.flip(g, -1), axis=-1), -1),), {
        "forwards instead of backwards": lambda g, y, x: (CUMSUM(g, axis=-1),),
        "truncated to the last two terms": lambda g, y, x: (g + ag.concat([g[1:], [0.0]]),),
        "shifted by one": lambda g, y, x: (ag.concat([ag.flip(CUMSUM(ag.flip(g, -1), axis=-1), -1)[1:], [0.0]]),),
    }),
    "last_sum": ((M,), reduced, lambda x: x.sum(-1), lambda g, y, x: (ag.expand_dims(g, -1) * np.ones(x.shape),), {
        "the mean's": lambda g, y, x: (ag.expand_dims(g, -1) * np.full(x.shape, 1 / 3),),
    }),
}  # fmt: skip
WRONG = [(name, how) for name, (*_, bad) in TABLE.items() for how in bad]


def define(name: str, vjp: Any) -> tuple[Op, tuple[Any, ...]]:
    samples, shape, forward, *_ = TABLE[name]
    return ag.defop(f"{name}_under_test", shape=shape, forward=forward, vjp=vjp), samples


@pytest.mark.parametrize("name", TABLE)
def test_the_right_rule_passes(name: str) -> None:
    op, samples = define(name, TABLE[name][3])
    assert ag.check_op(op, *samples).worst < 1e-10


@pytest.mark.parametrize(("name", "how"), WRONG, ids=[f"{n}: {h}" for n, h in WRONG])
def test_the_wrong_rule_is_caught(name: str, how: str) -> None:
    op, samples = define(name, TABLE[name][4][how])
    with pytest.raises(ag.GradientCheckError) as caught:
        ag.check_op(op, *samples)
    assert caught.value.code == "E108"
    assert "is wrong" in str(caught.value) and caught.value.expected and caught.value.got


def test_the_table_is_large_enough() -> None:
    assert len(WRONG) >= 12


@pytest.mark.parametrize("how", [h for h in TABLE["square"][4] if "second order" in h])
def test_second_order_mistakes_pass_at_first_order(how: str) -> None:
    """Which is why check_op goes on to the second."""
    op, samples = define("square", TABLE["square"][4][how])
    ag.check_op(op, *samples, order=1)


def test_nan_is_an_error_however_it_is_compared() -> None:
    op, samples = define("square", lambda g, y, x: (g * x * np.nan,))
    with pytest.raises(ag.GradientCheckError) as caught:
        ag.check_op(op, *samples)
    assert caught.value.code == "E108"


@pytest.mark.parametrize(("shape", "dtype"), [(lambda x: (2,), float), (lambda x: (1, *x), float), (ag.same_shape, bool)])
def test_a_wrong_shape_or_kind_is_caught(shape: Any, dtype: type) -> None:
    op = ag.defop("liar", shape=shape, dtype=dtype, forward=lambda x: x * 2, vjp=lambda g, y, x: (2 * g,))
    with pytest.raises(ag.GradientCheckError) as caught:
        ag.check_op(op, X)
    assert caught.value.code == "E109" and "does not return what it declares" in str(caught.value)


def test_built_in_rules_are_caught_when_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage in place: the check looks at the operation that programs use, not at a copy."""
    for name, vjp in {
        "tanh": lambda g, y, x: (g * (1 - y),),
        "sqrt": lambda g, y, x: (g / y,),
        "logsumexp": lambda g, y, x, axis, keepdims: (ag.expand_dims(g, -1) * np.ones(x.shape),),
    }.items():
        attrs = {"axis": (-1,), "keepdims": False} if name == "logsumexp" else {}
        with monkeypatch.context() as patch:
            patch.setattr(OPS[name], "vjp", vjp)
            with pytest.raises(ag.GradientCheckError):
                ag.check_op(OPS[name], np.abs(X), **attrs)
        ag.check_op(OPS[name], np.abs(X), **attrs)
