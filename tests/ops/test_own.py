"""A user's own operation keeps what it promises, or is refused by name: none gives a wrong number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.core.op import OPS

t, b = ag.Axis("t"), ag.Axis("b")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def same(g: Any, y: Any, x: Any) -> tuple[Any, ...]:
    return (g,)


def own(forward: Callable[..., Any], *, shape: Any = ag.same_shape, vjp: Any = same, **rules: Any) -> ag.Op:
    return ag.defop("own", shape=shape, forward=forward, vjp=vjp, **rules)


def x(dims: Any = (3,)) -> ag.Node:
    return ag.input("x", dims, over=(t, b))


def doubled(x: Any) -> Any:
    x *= 2
    return x


def scalar(*_: Any) -> tuple[int, ...]:
    return ()


def moved(x: Any) -> Any:
    return x - np.mean(x)


REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("O124", lambda: own(lambda x: x[..., :2])(x()), r"returns another shape than declared(.|\n)*expected \(3,\), got \(2,\)"),
    ("O124", lambda: own(lambda x: x[:2])(np.ones(3)), r"returns another shape"),
    ("O125", lambda: own(np.sum, shape=scalar)(x()), r"each point by itself(.|\n)*\(2, 2\) for two points(.|\n)*got \(\)"),
    ("O125", lambda: own(moved)(x()), r"each point by itself(.|\n)*expected the value of each point alone"),
    ("O125", lambda: own(np.dot, shape=scalar, vjp=lambda g, y, a, c: (g, g))(x(), ag.input("y", (3,), over=t)),
     r"each point by itself(.|\n)*ValueError: shapes"),
    ("O125", lambda: own(lambda x: x.T, shape=lambda x: x[::-1])(x((2, 3))), r"each point by itself(.|\n)*x.sum\(axis=-1\)"),
    ("O126", lambda: own(np.sqrt, dtype=int)(x()), r"returns another kind than declared(.|\n)*expected int, got float"),
    ("O127", lambda: own(doubled)(x()), r"changes its operands(.|\n)*x = x \* 2"),
    ("O127", lambda: own(doubled)(ag.tensor([1.0, 2.0])), r"changes its operands"),
    ("O122", lambda: own(np.tanh)(x(), 1.0), r"own is given 2 values(.|\n)*expected own\(x\)"),
    ("O121", lambda: own(lambda x, slope: x * slope)(x(), slope=2.0), r"own has no attribute slope="),
    ("O122", lambda: own(lambda x, slope: x * slope, vjp=lambda g, y, x, slope: (g * slope,))(x()), r"(.|\n)*got no slope"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "call", "words"), REFUSED, ids=[f"{c}-{i}" for i, (c, _, _) in enumerate(REFUSED)])
def test_a_forward_that_breaks_its_promise_is_refused_when_the_node_is_made(code: str, call: Any, words: str) -> None:
    with pytest.raises(ag.OperationError, match=words) as caught:
        call()
    assert caught.value.code == code and caught.value.node == "own"
    assert "test_own.py" in str(caught.value.where)


def test_check_op_tries_several_points() -> None:
    for forward, shape in ((np.sum, scalar), (moved, ag.same_shape)):
        with pytest.raises(ag.GradientCheckError, match="does not return what it declares"):
            ag.check_op(own(forward, shape=shape, vjp=lambda g, y, x: (g * np.ones(3) - ag.mean(g * np.ones(3)),)), np.ones(3))


def test_a_large_operand_is_not_drawn() -> None:
    seen: list[int] = []

    def noted(table: Any, i: Any) -> Any:
        seen.append(1)
        return table[i]

    op = own(noted, shape=lambda table, i: (*i, *table[1:]), vjp=lambda g, y, table, i: (None, None))
    op(ag.param("E", (10**6, 512)), ag.input("i", over=t, dtype=int))
    assert not seen


GRADIENTS: list[tuple[str, Any, str]] = [
    ("E121", lambda g, y, x: g * 3, r"a tuple of 1 cotangent(.|\n)*no tuple but(.|\n)*the comma"),
    ("E121", lambda g, y, x: (g, g), r"got 2 of them"),
    ("E121", lambda g, y, x: (), r"got 0 of them"),
    ("E122", lambda g, y, x: (np.ones(4),), r"another shape than operand 1(.|\n)*\(3,\), got \(4,\)"),
]


@pytest.mark.parametrize(("code", "vjp", "words"), GRADIENTS, ids=[f"{c}-{i}" for i, (c, _, _) in enumerate(GRADIENTS)])
def test_a_rule_gives_one_cotangent_for_each_operand(code: str, vjp: Any, words: str) -> None:
    op = own(np.tanh, vjp=vjp)
    s = ag.state("s", (3,), over=t)
    s[t] = op(s[t - 1] + ag.param("w", (3,)))
    calls = (
        lambda: ag.grad(ag.sum(op(x()), over=(t, b)).sum(), x()),
        lambda: op(ag.tensor(np.ones(3))).sum().backward(),
        lambda: ag.value_and_grad(ag.sum(s, over=t).sum()),
        lambda: ag.Graph(ag.sum(s, over=t).sum()).unroll(t=2).grad(),
    )
    for call in calls:  # reading a new input, no gradient leads there
        if call is calls[0]:
            continue
        with pytest.raises(ag.GradientError, match=words) as caught:
            call()
        assert caught.value.code == code and caught.value.node == "own"


def test_numbers_and_spread_cotangents_are_fine() -> None:
    rules = (lambda g, y, x: (2.0,), lambda g, y, x: [g], lambda g, y, x: (ag.sum(g) * np.ones(3),), lambda g, y, x: (None,))
    for vjp in rules:
        a = ag.tensor(np.ones(3))
        own(np.tanh, vjp=vjp)(a).sum().backward()
        assert a.grad is None or a.grad.shape == (3,)


GOOD: list[tuple[Callable[..., Any], Any]] = [
    (lambda x: x.sum(axis=-1), scalar), (lambda x: x / np.sum(x, axis=-1, keepdims=True), ag.same_shape),
    (lambda x: np.random.default_rng().normal(size=x.shape), ag.same_shape), (lambda x: x, ag.same_shape),
    (lambda x: np.linalg.cholesky(x), ag.same_shape), (lambda x: np.sort(x, axis=-1), ag.same_shape),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(GOOD)))
def test_those_that_keep_it_are_not_refused(k: int) -> None:
    """Lifted, drawn, the operand itself, made for other numbers than random ones."""
    forward, shape = GOOD[k]
    assert own(forward, shape=shape)(x((3, 3) if k == 4 else (3,))).axes == (t, b)


def test_a_forward_is_tried_once_for_a_kind_of_call() -> None:
    calls: list[int] = []

    def counted(x: Any) -> Any:
        calls.append(1)
        return np.tanh(x)

    op = own(counted)
    op(ag.tensor(np.ones(3)))
    first = len(calls)
    for _ in range(5):
        op(ag.tensor(np.ones(3)))
    assert len(calls) == first + 5


def test_an_index_error_is_that_of_the_operation_and_not_of_a_label() -> None:
    def strict(x: Any) -> Any:
        if np.max(x) > 1:
            raise IndexError("beyond the table")
        return x + 0

    label = ag.input("label", over=t, dtype=int)
    y = own(strict)(ag.take(ag.param("E", (4, 3)), label[t]))
    feeds = {"label": [1, 3], "E": 2 * np.ones((4, 3))}
    for run in (ag.Graph(y).evaluate, ag.compile(y)):
        with pytest.raises(ag.OperationError, match=r"the forward of own failed(.|\n)*beyond the table") as caught:
            run(**feeds)
        assert isinstance(caught.value.__cause__, IndexError)
        with pytest.raises(ag.FeedError, match=r"label is out of range(.|\n)*0 … 3, for E, got label\[1\] = 4"):
            run(**{**feeds, "label": [1, 4]})


def test_attributes_cost_one_look_up_and_are_refused_after_many_good_calls() -> None:
    for _ in range(3):
        ag.tanh(1.0)
    with pytest.raises(ag.OperationError, match="no attribute"):
        ag.tanh(1.0, over=t)
    assert (1,) in OPS["tanh"].calls


@pytest.mark.parametrize(
    ("native", "fault"),
    [
        ("np.nothing({0})", "np.nothing, which does not exist"), ("cosh({0})", "the unknown name cosh"),
        ("np.cosh({0}", "is not a Python expression"), ("{0} + {1}", "reads {1}, but the operation has 1 operand"),
        ("{x} + 1", "an unknown placeholder {x}"), ("{0", "has a wrong placeholder"), ("{} + 1", "an unknown placeholder {}"),
        ("(lambda: {0})()", "which native code cannot write"), ("+{0}", "which native code cannot write"),
    ],
)  # fmt: skip
def test_a_native_expression_that_cannot_be_compiled_is_refused_where_it_is_defined(native: str, fault: str) -> None:
    before = OPS.get("own")
    with pytest.raises(ag.OperationError, match=rf"O134.*native= of own .*{re.escape(fault)}"):
        own(np.cosh, native=native)
    assert OPS.get("own") is before


@pytest.mark.parametrize("native", ["np.cosh({0})", "({0} if {0} > {zero} else -{0})", "real(0.5) * max({0}, math.pi) / 2"])
def test_a_native_expression_of_the_accepted_form_is_taken(native: str) -> None:
    assert own(np.cosh, native=native).native == native
