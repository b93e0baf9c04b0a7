"""Native programs at the edges: without a native function, of long chains, with signed zeros."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.native import products

pytest.importorskip("numba")


def test_a_program_may_have_no_native_function():
    """All of it is a copy, or NumPy's: there is nothing to compile."""
    t = ag.Axis("t")
    a = ag.input("a", over=t, dtype=int)
    assert ag.compile(ag.power(a[t], 1), backend="numba")(a=[0, -1, 3])[0].tolist() == [0, -1, 3]
    assert ag.compile(ag.power(2, a[t]), backend="numba")(a=[0, 1, 3])[0].tolist() == [1, 2, 8]


def test_many_tiny_products_are_calls_of_blocks(monkeypatch):
    """The compiler takes long for loops that it unrolls; the first ones are still loops, since these run faster."""
    t = ag.Axis("t")
    h, outs = ag.input("x", (3,), over=t), []
    for k in range(3):
        s = ag.state(f"s{k}", (3,), over=t)
        s[t] = ag.tanh(ag.param(f"W{k}", (3, 3)) @ s[t - 1] + h)
        h = s[t]
        outs.append(h)
    assert "step_product(" not in ag.compile(outs, backend="numba").source
    monkeypatch.setattr(products, "MOST_TINY", 1)
    source = ag.compile(outs, backend="numba").source
    assert source.count("step_product(") == 2 and "total +=" in source


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


def power(n: float) -> tuple[ag.Node, list[float]]:
    """Return a program's output that no other test has, and what it is of 1 and 2."""
    t = ag.Axis("t")
    return ag.input("x", over=t)[t] ** n, [1.0, 2**n]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_while_the_processors_code_is_made(numba_cache, monkeypatch):
    """Python learns of it where LLVM hands over the code, from where no exception comes through; the next call compiles."""
    from numba.core.codegen import JITCodeLibrary

    def interrupted(library, code):
        if code is not None:
            raise KeyboardInterrupt

    output, want = power(3.25)
    ag.compile(power(3.5)[0], backend="numba")(x=[1.0, 2.0])  # what all programs call is there
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(JITCodeLibrary, "_compiled_object", property(lambda library: None, interrupted), raising=False)
        ag.compile(output, backend="numba")(x=[1.0, 2.0])
    assert ag.compile(output, backend="numba")(x=[1.0, 2.0])[0] == pytest.approx(want)


def test_nothing_but_code_is_kept_of_what_was_compiled(numba_cache):
    """What LLVM's instructions were is a megabyte a program."""
    from numba.core.codegen import JITCodeLibrary

    def count() -> int:
        gc.collect()
        return sum(issubclass(type(x), JITCodeLibrary) for x in gc.get_objects())

    ag.compile(power(4.25)[0], backend="numba")(x=[1.0, 2.0])
    before = count()
    output, want = power(4.5)
    program = ag.compile(output, backend="numba")
    assert program(x=[1.0, 2.0])[0] == pytest.approx(want)
    assert count() == before


def test_a_file_of_another_program_is_not_read(numba_cache):
    """Nor is one that lies in its place: the addresses of its functions would be 0."""
    from autograd_seq.emit.native import cache

    cache.keep("one", (b"code", b"names"))
    (numba_cache / "one.native").rename(numba_cache / "two.native")
    assert cache.load("two", lambda parts: parts) is None
    cache.keep("one", (b"code", b"names"))
    assert cache.load("one", lambda parts: parts) == (b"code", b"names")


def test_a_native_expression_that_numba_would_compile_first_is_refused_in_words():
    sinc = ag.defop("sinc_of_limits", shape=ag.same_shape, forward=np.sinc, native="np.sinc({0})",
                    vjp=lambda g, y, x: (None,))  # fmt: skip
    t = ag.Axis("t")
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    s[t] = sinc(2 + s[t - 1] * x[t])
    with pytest.raises(ag.OperationError, match=r"O308.*sinc cannot be compiled in native code"):
        ag.compile(s[t], backend="numba")(x=[1.0, 2.0])
