"""One rule for kinds in every runner: truth values and integers become floats of the program's width before a float function.

Integers count in 64 bits, whatever width they came in; truth values count as 0 and 1 where a number is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

t = ag.Axis("t")
VALUES = {
    "bool": np.array([[True, False, True], [False, False, True]]),
    "int8": np.array([[100, 2, 3], [1, 127, 5]], np.int8),
    "uint8": np.array([[200, 2, 3], [1, 255, 5]], np.uint8),
    "int16": np.array([[300, 2, 3], [1, 5, 7]], np.int16),
    "int64": np.array([[-3, 2, 3], [1, 4, 0]]),
    "float32": np.array([[0.3, 2, 3], [1, 4, 5]], np.float32),
}
KINDS: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def soft(x: Any) -> Any:
    return np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)


# what each function is of floats, in NumPy
FLOATS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "exp": (ag.exp, np.exp), "expm1": (ag.expm1, np.expm1), "log": (ag.log, np.log), "log1p": (ag.log1p, np.log1p),
    "sqrt": (ag.sqrt, np.sqrt), "sin": (ag.sin, np.sin), "cos": (ag.cos, np.cos), "arctan": (ag.arctan, np.arctan),
    "tanh": (ag.tanh, np.tanh), "sigmoid": (ag.sigmoid, sigmoid), "softplus": (ag.softplus, lambda x: np.logaddexp(x, 0)),
    "erf": (lambda x: ag.erf(x * 0), lambda x: x * 0), "gelu": (lambda x: ag.gelu(-abs(x) * 0), lambda x: x * 0),
    "softmax": (ag.softmax, soft), "log_softmax": (ag.log_softmax, lambda x: np.log(soft(x))),
    "logsumexp": (ag.logsumexp, lambda x: np.logaddexp.reduce(x, axis=-1)), "mean": (ag.mean, lambda x: x.mean(-1)),
    "half power": (lambda x: x**0.5, lambda x: x**0.5), "inverse": (lambda x: (x * x + 1) ** -1, lambda x: 1 / (x * x + 1)),
    "two to the": (lambda x: 2.0**x, lambda x: 2.0**x), "quotient": (lambda x: x / (x * x + 1), lambda x: x / (x * x + 1)),
    "plus": (lambda x: x + 1.5, lambda x: x + 1.5), "where": (lambda x: ag.where(x, 1.0, 2.0), lambda x: np.where(x, 1.0, 2.0)),
    "maximum": (lambda x: ag.maximum(x, 0.5), lambda x: np.maximum(x, 0.5)), "mse": (lambda x: ag.mse(x, 0.5),
                                                                                    lambda x: ((x - 0.5) ** 2).mean(-1)),
}  # fmt: skip
# and of integers in 64 bits; functions of truth values alone are those of NumPy
WHOLE: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "neg": (lambda x: -x, lambda x: -x), "sub": (lambda x: x - x * 3, lambda x: x - x * 3),
    "one less": (lambda x: 1 - x, lambda x: 1 - x),
    "relu": (ag.relu, lambda x: np.maximum(x, 0)), "sign": (ag.sign, np.sign), "square": (lambda x: x**2, lambda x: x**2),
    "times": (lambda x: x * 100, lambda x: x * 100), "sum": (ag.sum, lambda x: x.sum(-1)),
    "prod": (ag.prod, lambda x: x.prod(-1)),
    "cumsum": (ag.cumsum, lambda x: np.cumsum(x, -1)),
    "power": (lambda x: ag.power(abs(x) + 0, abs(x) * 0 + 2), lambda x: x * x),
}  # fmt: skip
MANY = pytest.mark.parametrize("kind", VALUES)


def expected(f: Callable[[Any], Any], value: np.ndarray, whole: bool) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(f(value.astype(np.int64 if whole and value.dtype.kind != "f" else np.float64)))


def same(got: Any, want: np.ndarray, width: str, what: str) -> None:
    got = np.asarray(got)
    dtype = np.dtype(width) if want.dtype.kind == "f" else want.dtype
    assert got.dtype == dtype, f"{what}: {got.dtype}, not {dtype}"
    with np.errstate(all="ignore"):
        want = want.astype(dtype)  # what overflows in 32 bits does so in every runner
    near, floor = (1e-5, 1e-6) if width == "float32" else (1e-12, 1e-14)
    np.testing.assert_allclose(got, want, rtol=near, atol=floor, err_msg=what)


TABLE = [(name, f, truth, False) for name, (f, truth) in FLOATS.items()]
TABLE += [(name, f, truth, True) for name, (f, truth) in WHOLE.items()]


@MANY
def test_eager_functions_of_every_kind(kind: str) -> None:
    width = "float32" if kind == "float32" else "float64"
    with np.errstate(all="ignore"):
        for name, f, truth, whole in TABLE:
            for row in VALUES[kind]:
                for leaf in (ag.tensor, ag.constant):
                    same(f(leaf(row)).value, expected(truth, row, whole), width, f"{name} of {kind}")


@MANY
@pytest.mark.parametrize("width", ["float32", "float64"])
def test_graphs_of_every_kind(kind: str, width: str) -> None:
    value = VALUES[kind]
    x = ag.input("x", (3,), over=t, dtype=KINDS[value.dtype.kind])
    outputs = [f(x[t]) for _, f, _, _ in TABLE]
    for run in (ag.Graph(*outputs).unroll(t=2).evaluate(x=value, dtype=width), ag.compile(outputs, dtype=width)(x=value)):
        for got, (name, _, truth, whole) in zip(run, TABLE, strict=True):
            same(got, expected(truth, value, whole), width, f"{name} of {kind}")


def test_native_functions_of_every_kind() -> None:
    pytest.importorskip("numba")
    kept = [row for row in TABLE if row[0] in NATIVE]
    b, k = ag.input("b", (3,), over=t, dtype=bool), ag.input("k", (3,), over=t, dtype=int)
    feeds = {"b": VALUES["bool"], "k": VALUES["int8"]}
    got = ag.compile([f(x[t]) for x in (b, k) for _, f, _, _ in kept], backend="numba")(**feeds)
    for value, (name, _, truth, whole), out in zip([v for v in feeds.values() for _ in kept], kept * 2, got, strict=True):
        same(out, expected(truth, value, whole), "float64", f"{name} of {value.dtype}")


NATIVE = {"exp", "sigmoid", "softplus", "softmax", "erf", "half power", "two to the", "plus", "where", "neg", "sub", "relu",
          "sign", "square", "times", "sum", "quotient"}  # fmt: skip


def test_widths_of_truth_values_in_short() -> None:
    assert float(ag.exp(True).value) == np.e and float(ag.sigmoid(ag.tensor(True)).value) == sigmoid(1.0)
    assert int((ag.constant(np.int8(100)) + np.int8(100)).value) == 200 and int((-ag.tensor(True)).value) == -1
    assert (ag.tensor([1.0], dtype=np.float32) * ag.exp(True)).value.dtype == np.float32


def test_integers_to_negative_powers_are_floats_where_that_is_known_and_refused_elsewhere() -> None:
    for half in (ag.constant(2) ** -1, 2 ** ag.constant(-1), ag.power(2, -1), ag.power(ag.tensor([2, 4]), [-1, -2])[0]):
        assert half.dtype is float and float(half.value) == 0.5
    k, n = ag.input("k", dtype=int), ag.input("n", dtype=int)
    for run in (ag.Graph(k**n).evaluate, ag.compile(k**n)):
        assert run(k=2, n=3)[0] == 8
        with pytest.raises(ValueError, match="negative integer powers"):
            run(k=2, n=-1)
    for run in (ag.Graph(k**-1).evaluate, ag.compile(k**-1)):
        assert run(k=2)[0] == 0.5


HOLES = np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False])


@pytest.mark.parametrize("call", [
    lambda: ag.constant(HOLES), lambda: ag.tensor(HOLES), lambda: ag.tensor([1.0, 2.0, 3.0]) * HOLES,
    lambda: ag.Graph(ag.param("w", (3,)) * 2).evaluate(w=HOLES), lambda: ag.compile(ag.param("w", (3,)) * 2)(w=HOLES),
    lambda: setattr(ag.tensor([1.0, 2.0, 3.0]), "value", HOLES),
])  # fmt: skip
def test_masked_arrays_are_refused_by_name(call: Callable[[], Any]) -> None:
    with pytest.raises(ag.DTypeError, match=r"is a masked array(.|\n)*1 of 3 entries masked(.|\n)*filled\(0\)") as caught:
        call()
    assert caught.value.code == "D105"


def test_an_operation_of_ones_own_gives_the_kind_that_it_declares() -> None:
    whole = ag.defop("whole_of_kinds", shape=ag.same_shape, forward=lambda x: np.floor(x).astype(np.int32),
                     vjp=lambda g, y, x: (None,))  # fmt: skip
    x = ag.input("x", (2,), over=t)
    for width in ("float32", "float64"):
        graph = ag.Graph(whole(x[t]) * 0.5)
        for run in (graph.evaluate(x=[[1.5, 2.5]])[0], ag.compile(graph)(x=[[1.5, 2.5]])[0],
                    [(whole(ag.tensor([1.5, 2.5], dtype=width)) * 0.5).value]):  # fmt: skip
            assert np.asarray(run).tolist() == [[0.5, 1.0]]


def test_an_array_of_objects_is_not_called_too_large():
    t = ag.Axis("t")
    label = ag.input("label", over=t, dtype=int)
    with pytest.raises(ag.DTypeError, match="label is not numeric") as caught:
        ag.compile(label[t] + 1)(label=np.array([1, 2], dtype=object))
    assert caught.value.code == "D101"
    with pytest.raises(ag.DTypeError, match="label is too large"):
        ag.compile(label[t] + 1)(label=np.array([1, 2**70], dtype=object))
