"""Functions that programs carry along."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.numpy.runtime import HELPERS


def helper(name: str) -> Any:
    namespace: dict[str, Any] = {"np": np}
    exec(HELPERS[name], namespace)
    return namespace[name]


@pytest.mark.parametrize("width", ["float32", "float64", "complex128", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (7, 0, 2), (101, 16, 64)])
def test_an_aligned_array_begins_at_a_cache_line(shape: tuple[int, ...], width: str) -> None:
    for make in (np.empty, np.zeros):
        a = helper("allocate_aligned")(shape, np.dtype(width), make)
        assert a.shape == shape and a.dtype == width and a.flags.c_contiguous and a.flags.writeable
        assert not a.size or a.__array_interface__["data"][0] % 64 == 0
        a[...] = 1
        assert (a == 1).all() and (make is np.empty or not helper("allocate_aligned")(shape, width, make).any())


def test_all_arrays_that_a_program_keeps_are_made_so() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, h = ag.input("x", (5,), over=(t, b)), ag.state("h", (3,), over=(t, b))
    h[t] = ag.tanh(ag.param("U", (3, 5)) @ x[t] + ag.param("W", (3, 3)) @ h[t - 1])
    loss = ag.sum(h.sum(), over=(t, b))
    program = ag.compile([h, *ag.grad(loss, list(ag.Graph(loss).inputs.values()))], backend="numpy")
    for one in (program, program.single):
        workspace = one.source[one.source.index("def program(") : one.source.index("def run(")]
        assert "allocate_aligned(" in workspace and not re.search(r"\b(empty|zeros)\(", workspace)


# -- functions of operations --------------------------------------------------------------------------------------------------


def _even(n: int) -> bool:
    return n == 0 or _odd(n - 1)


def _odd(n: int) -> bool:
    return n != 0 and _even(n - 1)


def _by_another(x: Any) -> Any:
    return x * 2.0 if _even(6) else x * 3.0


def _by_itself(x: Any, times: int = 3) -> Any:
    return x if times == 0 else _by_itself(x + 1.0, times - 1)


scale = np.ones((2, 2))


def _with_a_name_that_is_a_value_outside(x: Any) -> Any:
    scale = 2.0
    return x * scale


def _with_a_value_from_outside(x: Any) -> Any:
    return x * scale[0, 0]


def _with_one_inside(x: Any) -> Any:
    def inner(y: Any) -> Any:
        return y * 2.0

    return inner(x) + inner(1.0)


def _made(k: float) -> Any:
    def times(x: Any, k: float = k) -> Any:
        return x * k

    return times


@pytest.mark.parametrize("forward", [
    _by_another, _by_itself, _with_one_inside, _made(4.0), _with_a_name_that_is_a_value_outside, _with_a_value_from_outside,
], ids=lambda f: f.__name__)  # fmt: skip
def test_functions_that_call_themselves_or_one_another_or_hold_others(forward: Any) -> None:
    op = ag.defop(f"helpers_{forward.__name__}", shape=ag.same_shape, forward=forward, vjp=lambda g, y, x: (g,))
    t = ag.Axis("t")
    x, s = ag.input("x", (2,), over=t), ag.state("s", (2,), over=t)
    s[t] = ag.tanh(0.5 * s[t - 1] + op(x[t]))
    feed = np.arange(6.0).reshape(3, 2) / 10
    assert np.allclose(ag.compile(s)(x=feed)[0], ag.Graph(s).evaluate(x=feed)[0], rtol=1e-14)


# -- look-ups -----------------------------------------------------------------------------------------------------------------


def test_each_index_has_places_of_its_own() -> None:
    """Two kinds of labels at each step, and the gradients, which need both again."""
    t, rng = ag.Axis("t"), np.random.default_rng(0)
    x, l, m = ag.input("x", (3,), over=t), ag.input("l", over=t, dtype=int), ag.input("m", over=t, dtype=int)
    V, U = ag.param("V", (3, 3)), ag.param("U", (5, 3))
    loss = ag.sum(ag.nll(ag.softmax(V @ x), l) + ag.nll(ag.softmax(U @ x), m) + ag.nll(ag.softmax(V.T @ x), m), over=t)
    outputs = [loss, *ag.grad(loss, [V, U])]
    feeds = {"x": rng.normal(size=(4, 3)), "V": rng.normal(size=(3, 3)), "U": rng.normal(size=(5, 3)),
             "l": [0, 1, 2, 0], "m": [2, 2, 1, 1]}  # fmt: skip
    for got, want in zip(ag.compile(outputs)(**feeds), ag.Graph(outputs).evaluate(**feeds), strict=True):
        assert np.allclose(got, want, rtol=1e-13, atol=1e-14)


def test_a_number_of_steps_may_be_looked_up() -> None:
    t, E = ag.Axis("t"), ag.param("E", (6, 2))
    x, table = ag.input("x", over=t), np.arange(12.0).reshape(6, 2)
    program = ag.compile([ag.take(E, ag.size(t)), ag.pick(E[:, 0], ag.size(t)), ag.sum(x, over=t)])
    row, picked, _ = program(E=table, x=np.ones(5))
    assert row.tolist() == [10.0, 11.0] and picked == 10.0
