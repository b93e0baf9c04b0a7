"""Every operation on each element, over zeros of both signs, infinities, NaN and numbers near the ends: all runners agree."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.core.op import BUILT_IN, OPS
from autograd_seq.core.rules import same_shape
from autograd_seq.emit.native import numba

t = ag.Axis("t")
LINE = np.array([0.0, 1.0, 0.5, 2.0, 3.0, 30.0, 750.0, 1e6, 1e300, 1e-300, 5e-324, np.inf])
LINE = np.array([*LINE, *-LINE, np.nan])
A, B = (m.ravel() for m in np.meshgrid(LINE, LINE))
POWERS = (0, 1, 2, 3, 4, 7, -1, -2, -3, 0.5, -0.5, 1.5, -1.5)
NOT_OF_FLOATS = {
    "stop_gradient",
    "cast",
    "power_number",
    "where",
    "in_range",
}  # named below with what they need, or no function at all
BINARY = sorted(n for n in BUILT_IN if OPS[n].broadcasts and OPS[n].axes is None and n not in NOT_OF_FLOATS)
UNARY = sorted(n for n in BUILT_IN if OPS[n].shape is same_shape and OPS[n].forward and n not in NOT_OF_FLOATS)


def functions(x: ag.Node, y: ag.Node) -> dict[str, ag.Node]:
    made = {n: OPS[n](x) for n in UNARY} | {n: OPS[n](x, y) for n in BINARY} | {f"x ** {n}": x**n for n in POWERS}
    return made | {"cast": ag.cast(x, bool), "where": ag.where(x > y, x, y), "clip": ag.clip(x, -1, 2), "gelu": ag.gelu(x),
                   "log of sigmoid": ag.log(ag.sigmoid(x)), "spike": ag.spike(x)}  # fmt: skip


def test_all_operations_on_each_element_are_here():
    assert {"add", "div", "power", "maximum", "zero_safe_mul", "logical_or"} <= set(BINARY)
    assert {"relu", "sigmoid", "sqrt", "log1p", "erf", "sign", "logical_not"} <= set(UNARY)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_all_runners_agree(dtype):
    nodes = functions(ag.input("x", over=t), ag.input("y", over=t))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fed = {"x": A.astype(dtype), "y": B.astype(dtype)}
        runs: dict[str, Any] = {
            "unrolled": ag.Graph(list(nodes.values())).evaluate(**fed),
            "numpy": ag.compile(list(nodes.values()), backend="numpy")(**fed),
            "eager": [n.value for n in functions(ag.tensor(fed["x"]), ag.tensor(fed["y"])).values()],
        }
        if numba.is_available() and dtype is np.float64:  # each width takes seconds to compile
            runs["native"] = ag.compile(list(nodes.values()), backend="numba")(**fed)
        tolerance, least = 8 * np.finfo(dtype).eps, 2 * np.finfo(dtype).tiny  # a runner may round to 0 what is next to it
        for runner, values in runs.items():
            for name, got, want in zip(nodes, values, runs["unrolled"], strict=True):
                same = (got == want) | ((got != got) & (want != want))
                if want.dtype != bool:
                    same |= np.abs(got - want) <= tolerance * np.abs(want) + least
                where = np.flatnonzero(~same)[:3]
                assert same.all(), f"{runner}, {name}: " + ", ".join(f"({A[i]}, {B[i]}) {got[i]} {want[i]}" for i in where)


@pytest.mark.parametrize(("make", "at", "want"), [
    (ag.relu, np.nan, np.nan), (lambda x: x**-1, 0.0, np.inf), (lambda x: x**-3, -0.0, -np.inf), (ag.sigmoid, -750.0, 0.0),
    (lambda x: x**0.5, -np.inf, np.nan), (lambda x: x**0.5, np.inf, np.inf),
    (lambda x: ag.power(x, 0.5 + 0 * x), np.nan, np.nan),
])  # fmt: skip
def test_values_by_hand(make, at, want):
    x = ag.input("x", over=t)
    with np.errstate(all="ignore"):
        eager = make(ag.tensor(at)).value
    for got in (eager, *ag.Graph(make(x)).evaluate(x=[at])[0], *ag.compile(make(x), backend="numpy")(x=[at])[0]):
        np.testing.assert_equal(float(got), want)
