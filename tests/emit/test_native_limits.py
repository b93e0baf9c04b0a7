"""Native programs at the edges: without a native function, of long chains, with signed zeros."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

pytest.importorskip("numba")


def test_a_program_may_have_no_native_function():
    """All of it is a copy, or NumPy's: there is nothing to compile."""
    t = ag.Axis("t")
    a = ag.input("a", over=t, dtype=int)
    assert ag.compile(ag.power(a[t], 1), backend="numba")(a=[0, -1, 3])[0].tolist() == [0, -1, 3]
    assert ag.compile(ag.power(2, a[t]), backend="numba")(a=[0, 1, 3])[0].tolist() == [1, 2, 8]


@pytest.mark.parametrize("looped", [False, True])
def test_a_chain_of_hundreds_of_operations(looped, in_python):
    """It was computed in one piece, by functions that called one another for each operation."""
    t = ag.Axis("t")
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    y = s[t - 1] if looped else x[t]
    for _ in range(400):
        y = ag.sin(y) + x[t]
    if looped:
        s[t] = y
    feeds = {"x": np.array([0.5, -1.0])}
    assert np.allclose(ag.compile(y, backend="numba")(**feeds)[0], ag.compile(y, backend="numpy")(**feeds)[0], rtol=1e-12)


def test_the_sign_of_minus_zero_is_zero():
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    got = ag.compile(ag.sign(x[t]), backend="numba")(x=[-0.0, 0.0, -2.0, np.nan])[0]
    assert np.array_equal(got, [0, 0, -1, np.nan], equal_nan=True) and not np.signbit(got[0])
