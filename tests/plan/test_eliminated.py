"""Small matrices in native loops: the same numbers as LAPACK's, NaN where NumPy raises, and the loop stays native."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sabotage import Wrong, break_pass

import autograd_seq as ag
from autograd_seq import linalg
from autograd_seq.ops.elementwise import sub
from autograd_seq.ops.reduce import SUM
from autograd_seq.plan.pipeline import PASSES

t, b = ag.Axis("t"), ag.Axis("b")


def make_outputs(n: int) -> list[ag.Node]:
    """Each operation within a recurrence, so that it is in the loop."""
    a, x = ag.input("a", (n, n), over=(t, b)), ag.input("x", (n,), over=(t, b))
    s = ag.state("s", (n, n), over=(t, b))
    s[t] = linalg.inv(a[t] + 0.1 * ag.tanh(s[t - 1]))
    y = ag.state("y", (n,), over=(t, b))
    y[t] = linalg.solve(a[t] + ag.outer(0.1 * ag.tanh(y[t - 1]), x[t]), x[t])
    L = ag.state("L", (n, n), over=(t, b))
    L[t] = linalg.cholesky(a[t] @ a[t].T + ag.tanh(L[t - 1] @ L[t - 1].T) + np.eye(n))
    d, e = ag.state("d", over=(t, b)), ag.state("e", over=(t, b))
    sign, size = linalg.slogdet(a[t] * (1 + 0.1 * ag.tanh(d[t - 1] + e[t - 1])))
    d[t], e[t] = size, sign
    return [s, y, L, d, e]


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_numbers_are_those_of_lapack(n: int, in_python: None):
    rng = np.random.default_rng(n)
    feeds = {"a": rng.normal(size=(3, 2, n, n)), "x": rng.normal(size=(3, 2, n))}
    feeds["a"][0, 0, 0, 0] = 0.0 if n > 1 else -0.3  # rows have to be exchanged
    outs = make_outputs(n)
    native = ag.compile(outs, backend="numba")
    assert "linalg" not in native.source and "_forward" not in native.source
    for got, want in zip(native(**feeds), ag.Graph(outs).unroll(t=3, b=2).evaluate(**feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10)


def test_what_numpy_refuses_is_refused(in_python: None):
    a = ag.input("a", (2, 2), over=t)
    s, c = (ag.state(name, (2, 2), over=t) for name in "sc")
    d, e = (ag.state(name, over=t) for name in "de")
    s[t] = linalg.inv(a[t] + ag.where(ag.equal(s[t - 1], 1e300), 1.0, 0.0))  # always 0, and unknown before the step
    c[t] = linalg.cholesky(a[t] + ag.where(ag.equal(c[t - 1], 1e300), 1.0, 0.0))
    d[t] = linalg.slogdet(a[t] + ag.where(ag.equal(d[t - 1], 1e300), 1.0, 0.0))[1]
    e[t] = linalg.slogdet(a[t] + ag.where(ag.equal(e[t - 1], 1e300), 1.0, 0.0))[0]
    singular, definite, negative = np.array([[[1.0, 2.0], [2.0, 4.0]], [[4.0, 2.0], [2.0, 3.0]], [[0.0, 1.0], [1.0, 0.0]]])
    with np.errstate(all="ignore"):
        for output, wrong in ((s, singular), (c, negative)):
            with pytest.raises(ag.OperationError, match="O149"):
                ag.compile(output, backend="numba")(a=[definite, wrong])
        (factor,) = ag.compile(c, backend="numba")(a=[definite])
        size, sign = ag.compile([d, e], backend="numba")(a=[singular, definite, negative])
    np.testing.assert_allclose(factor[0], np.linalg.cholesky(definite))
    assert size.tolist()[::2] == [-np.inf, 0.0] and sign.tolist() == [0.0, 1.0, -1.0]


def test_larger_matrices_run_in_numpy_and_the_choice_can_be_switched_off(in_python: None):
    for n, passes in ((7, None), (2, [p for p in PASSES if p != "eliminate"])):
        outs = make_outputs(n)[:1]
        program: Any = ag.compile(outs, backend="numba", passes=passes)
        feeds = {"a": np.eye(n) + np.zeros((3, 1, n, n))}
        np.testing.assert_allclose(program(**feeds)[0], ag.Graph(outs).evaluate(**feeds)[0], rtol=1e-12)
        assert "inv" in program.source


def exchange_no_rows(node: ag.Node, inputs: tuple[ag.Node, ...]) -> ag.Node | None:
    exchanged = node.op is ag.where and inputs[2].op is ag.where and inputs[1].op is SUM
    return inputs[2].inputs[2] if exchanged else None


def clear_no_rows(node: ag.Node, inputs: tuple[ag.Node, ...]) -> ag.Node | None:
    return ag.where(*inputs[:2], inputs[2].inputs[0]) if node.op is ag.where and inputs[2].op is sub else None


@pytest.mark.parametrize("wrong", [exchange_no_rows, clear_no_rows])
def test_a_sabotaged_elimination_is_caught(wrong: Wrong, in_python: None, monkeypatch: pytest.MonkeyPatch):
    break_pass(monkeypatch, "eliminate", wrong)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_numbers_are_those_of_lapack(2, in_python)
