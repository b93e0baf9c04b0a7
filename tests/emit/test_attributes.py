"""Attributes of operations in programs: literals where there are some, the objects themselves elsewhere."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.core.op import OPS
from autograd_seq.emit.program_text import write_attribute

t = ag.Axis("t")
Pair = namedtuple("Pair", "low high")
Side = Enum("Side", ["LEFT", "RIGHT"])


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


class Kernel:
    """An object with a repr that is no expression, and one that must not run."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __repr__(self) -> str:
        return "<Kernel>\nopen('RAN', 'w')"


def by_kernel(x: Any, kernel: Any) -> Any:
    return x * kernel.factor


def kernel_op() -> ag.Op:
    return ag.defop("by_kernel", shape=ag.same_shape, forward=by_kernel, vjp=lambda g, y, x, kernel: (g * kernel.factor,))


def test_an_object_is_handed_to_the_program() -> None:
    op, x = kernel_op(), ag.input("x", over=t)
    two, three = Kernel(2.0), Kernel(3.0)
    s = ag.state("s", over=t)
    s[t] = op(s[t - 1], kernel=two) + op(x[t], kernel=three) + op(x[t], kernel=two)
    L = ag.sum(s * s, over=t)
    graph = ag.Graph(L, ag.grad(L, x))
    want = graph.evaluate(x=[1.0, 2.0, -1.0])
    for backend in ("numpy", "numba"):
        if backend == "numba":
            pytest.importorskip("numba")
        program = ag.compile(graph, backend=backend)
        assert "Kernel" not in re.sub("#.*", "", program.source)  # but for comments
        for got, right in zip(program(x=[1.0, 2.0, -1.0]), want, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-14)
    with pytest.raises(ag.OperationError):
        program.save_source("nowhere.py")


def test_a_comment_shows_no_address() -> None:
    class Bare:
        factor = 2.0

    assert "kernel=Bare)" in ag.compile(kernel_op()(ag.param("w"), kernel=Bare())).source


class Unhashable(list[float]):
    factor = 2.0


@pytest.mark.parametrize("value", [
    Kernel(2.0), Pair(1.0, 2.0), Side.LEFT, np.array([1.0, 2.0]), {"a": [1, (2.5, None)]}, [1.0, "it's"], b"bytes",
    float("nan"),
    -float("inf"), -0.0, np.float32(0.1), np.int64(3), np.bool_(True), slice(None, 2.5), ..., float, Unhashable([1.0]), 1 + 2j,
    np.tanh, Kernel, {1, 2}, np.dtype("f4"), "new\nline",
], ids=lambda v: re.sub(r"\W+", " ", repr(v))[:20])  # fmt: skip
def test_attributes_arrive_as_they_were_given(value: Any) -> None:
    seen: list[Any] = []

    def looking(x: Any, what: Any) -> Any:
        seen.append(what)
        return np.asarray(x) * 2

    op = ag.defop("looking", shape=ag.same_shape, forward=looking, vjp=lambda g, y, x, what: (g * 2,))
    assert ag.compile(op(ag.param("w"), what=value))(w=1.5)[0] == 3
    held: dict[str, Any] = {}
    code = write_attribute(value, lambda v: held.setdefault("held", v) is v and "held")
    for got in (seen[-1], eval(code, {"np": np, **held})):
        assert type(got) is type(value)
        assert repr(got) == repr(value)


def test_numbers_that_are_equal_but_of_other_kinds_are_two_attributes() -> None:
    def kinds(x: Any, n: Any) -> Any:
        return x + (10.0 if isinstance(n, float) and np.copysign(1.0, n) < 0 else 1.0 if isinstance(n, float) else 0.0)

    op = ag.defop("kinds", shape=ag.same_shape, forward=kinds, vjp=lambda g, y, x, n: (g,))
    w = ag.param("w")
    outputs = [op(w, n=n) for n in (0, 0.0, -0.0, False)]
    assert [float(v) for v in ag.compile(outputs)(w=0.0)] == [0.0, 1.0, 10.0, 0.0]
