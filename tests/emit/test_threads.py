"""On how many threads products run: those that are many and small on one, whatever the environment says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit import blas
from autograd_seq.emit.blas import find_library, limit_to_one_thread
from autograd_seq.emit.native import numba as native


@pytest.fixture
def two() -> Iterator[Callable[[], int]]:
    """NumPy's library on two threads; returns what tells how many it takes."""
    found = find_library("numpy")
    if found is None:
        pytest.skip("NumPy has another library than OpenBLAS")
    before = found.threads()
    found.limit(2)
    if found.threads() != 2:
        pytest.skip("this OpenBLAS has one thread only")
    yield found.threads
    found.limit(before)


def attention(heads: bool) -> ag.Node:
    t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
    q, k, v = (ag.input(name, (4, 32) if heads else (32,), over=(b, t)) for name in "qkv")
    score = ag.sum(q * k.along(t, u), axis=-1)
    weights = ag.softmax(score, over=u)
    return ag.sum((weights[..., None] if heads else weights) * v.along(t, u), over=u)


def seen_within(y: ag.Node, threads: Callable[[], int], **feeds: Any) -> int:
    """Return how many threads products may take while a program of NumPy calls runs."""
    found: list[int] = []

    def look(x: np.ndarray) -> np.ndarray:
        found.append(threads())
        return x

    probe = ag.defop("probe_of_threads", shape=ag.same_shape, forward=look, vjp=lambda g, y, x: (g,))
    ag.compile(probe(y), backend="numpy")(**feeds)
    return found[-1]


@pytest.mark.parametrize("heads", [False, True])
def test_many_small_products_run_on_one_thread(heads: bool, two: Callable[[], int]) -> None:
    for steps, threads in ((16, 2), (256, 1)):  # the library itself takes one for products of 16 steps
        feeds = {name: np.ones((4, steps, *((4, 32) if heads else (32,))), np.float32) for name in "qkv"}
        assert seen_within(attention(heads), two, **feeds) == threads
        assert two() == 2


def test_loops_of_small_products_run_on_one_thread_and_large_ones_on_all(two: Callable[[], int]) -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    for hidden, threads in ((16, 2), (256, 1), (1024, 2)):
        h, x, w = ag.state("h", (hidden,), over=(t, b)), ag.input("x", (hidden,), over=(t, b)), ag.param("W", (hidden, hidden))
        h[t] = ag.tanh(w @ h[t - 1] + x)
        feeds = {"x": np.zeros((10, 32, hidden), np.float32), "W": np.zeros((hidden, hidden), np.float32)}
        assert seen_within(ag.last(h, over=t), two, **feeds) == threads


def test_calls_that_overlap_set_the_number_again_when_the_last_ends(two: Callable[[], int]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    inside: list[int] = []

    def wait() -> None:
        begun.set()
        go_on.wait()
        inside.append(two())

    slow = threading.Thread(target=limit_to_one_thread(wait, "numpy"))
    slow.start()
    begun.wait()
    limit_to_one_thread(lambda: inside.append(two()), "numpy")()
    assert two() == 1
    go_on.set()
    slow.join()
    assert inside == [1, 1] and two() == 2


def test_an_error_sets_the_number_again(two: Callable[[], int]) -> None:
    with pytest.raises(ZeroDivisionError):
        limit_to_one_thread(lambda: 1 // 0, "numpy")()
    assert two() == 2


def test_without_openblas_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "find_library", lambda package: None)
    run = lambda: 3  # noqa: E731
    assert limit_to_one_thread(run, "numpy") is run


AVX2 = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+movbe,+cx16,+fxsr,+xsave"
SSE = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+fxsr"
PRODUCTS = """
import numpy as np
import autograd_seq as ag
from autograd_seq.emit.native import numba
from autograd_seq.emit.native.kernel import THRESHOLDS
t, b = ag.Axis("t"), ag.Axis("b")
assert numba.count_lanes(np.float32) == {lanes}, numba.count_lanes(np.float32)
for outside, inside in ((1 << 62, 1 << 62), (0, 0)):
    numba._TOOLS.clear()
    THRESHOLDS[{lanes} * 4] = outside, inside
    for batch, hidden in ((3, 9),):
        h, x = ag.state("h", (hidden,), over=(t, b)), ag.input("x", (7,), over=(t, b))
        w, v = ag.param("W", (hidden, hidden)), ag.param("V", (hidden, 7))
        h[t] = ag.tanh(w @ h[t - 1] + v @ x)
        loss = ag.sum(ag.dot(h, h), over=(t, b))
        rng = np.random.default_rng(0)
        feeds = {{"x": rng.normal(size=(4, batch, 7)), "W": rng.normal(size=w.shape) / 3, "V": rng.normal(size=v.shape)}}
        got, want = (ag.value_and_grad(loss, [w, v, x], backend=how)(**feeds) for how in ("numba", "numpy"))
        for name in got[1]:
            assert np.allclose(got[1][name], want[1][name], rtol=1e-9, atol=1e-9), (name, batch, hidden, outside)
"""


@pytest.mark.parametrize("lanes, name, features", [(8, "haswell", AVX2), (4, "nehalem", SSE)])
def test_products_of_every_width_of_vectors(lanes: int, name: str, features: str, tmp_path: Any) -> None:
    """As processors with shorter vectors compute them, by the library's kernels for those and by ours."""
    pytest.importorskip("numba")
    if native.count_lanes(np.float32) <= lanes:
        pytest.skip("what this processor has is what all other tests run")
    env = {**os.environ, "NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "OPENBLAS_CORETYPE": name.capitalize(),
           "XDG_CACHE_HOME": str(tmp_path)}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", PRODUCTS.format(lanes=lanes)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
