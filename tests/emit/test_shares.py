"""A batch in shares: what threads compute of it, put together, is what one computes of all."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from random_programs import Program, check

import autograd_seq as ag
from autograd_seq.emit.native import numba as native
from autograd_seq.run import program as programs
from autograd_seq.run.threads import run_together
from autograd_seq.sequences.shares import find_shares

# of the others most draw, read other sequences, or square a sum of them
SHARED = [29, 47, 55, 56, 68, 79, 95, 140, 146, 188, 194, 195, 203, 205, 208, 214, 270, 289]
RNG = np.random.default_rng(11)


def in_shares(program: ag.Program, feeds: dict[str, Any], cuts: Callable[[int], list[int]]) -> tuple[Any, ...]:
    arrays, workspace = program.feeding.check(feeds)
    n = workspace[program.graph.axes.index(program.sharing.axis)]
    with np.errstate(all="ignore"):
        return program.sharing.make_run(workspace, cuts(n), program.make_quiet_run)(*arrays)


@pytest.mark.parametrize("seed", SHARED)
def test_random_programs_in_two_shares(seed: int) -> None:
    """Those of the first 300 that can be shared."""
    case = Program(seed)
    program = ag.compile(case.outputs, passes=())
    assert program.sharing is not None
    if case.sizes[program.sharing.axis.name] > 1:
        got = in_shares(program, case.fed(program.graph), lambda n: [0, n // 2, n])
        check(case, got, case.expected(), "in shares", 1e-11)


def gru(reduce: Any, order: str = "tb") -> tuple[list[ag.Node], dict[str, np.ndarray], tuple[ag.Axis, ag.Axis]]:
    """A GRU on one-hot letters with a bias that a scale divides; its loss, states, and first and second derivatives."""
    axes = {"t": ag.Axis("t"), "b": ag.Axis("b")}
    t, b = axes["t"], axes["b"]
    over = tuple(axes[a] for a in order)
    x, l = ag.input("x", (3,), over=over), ag.input("l", over=over, dtype=int)
    E, V = ag.param("E", (5, 3)), ag.param("V", (5, 4))
    h = ag.nn.gru(x + ag.take(E, l), 4, over=t)
    loss = reduce(ag.cross_entropy(V @ h, l), over=(t, b)) / 7.0
    first = ag.grad(loss, [E, x, V])
    second = ag.grad(ag.sum(first[0] ** 2), V) if reduce is ag.sum else None
    outputs = [loss, h, *first, ag.last(h, over=t), *([] if second is None else [second])]
    graph = ag.Graph(outputs)
    lead = {name: tuple({"t": 6, "b": 5}[a.name] for a in n.axes) for name, n in graph.inputs.items()}
    feeds = {name: RNG.normal(size=lead[name] + n.shape) for name, n in graph.inputs.items()}
    return outputs, {**feeds, "l": RNG.integers(0, 5, size=feeds["l"].shape)}, (t, b)


@pytest.mark.parametrize("order", ["tb", "bt"])
@pytest.mark.parametrize("reduce", [ag.sum, ag.mean])
@pytest.mark.parametrize("cuts", [[0, 2, 5], [0, 1, 3, 5]])
def test_sums_and_means_over_the_batch(cuts: list[int], reduce: Any, order: str) -> None:
    """A mean divides by each share's own number of sequences, and a gradient of it as well."""
    outputs, feeds, (_, b) = gru(reduce, order)
    if reduce is ag.sum:
        outputs = outputs[:-1]  # the square of a gradient is none of sums
    program = ag.compile(outputs)
    assert program.sharing is not None and program.sharing.axis is b
    assert {p.degree for p in program.sharing.parts} == ({0} if reduce is ag.sum else {0, -1})
    for got, want in zip(in_shares(program, feeds, lambda n: cuts), program(**feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_what_is_not_linear_in_the_batch_is_not_shared() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, w, h = ag.input("x", over=(t, b)), ag.param("w"), ag.state("h", over=(t, b))
    h[t] = ag.tanh(w * h[t - 1] + x[t])
    total, alone = ag.sum(h, over=(t, b)), ag.state("alone", over=t)
    alone[t] = 0.5 * alone[t - 1] + ag.sum(h, over=b)
    reads = ag.state("reads", over=(t, b))
    reads[t] = reads[t - 1] + x[t] + ag.mean(h[t - 1], over=b)
    noisy = ag.state("noisy", over=(t, b))
    noisy[t] = noisy[t - 1] + ag.normal("noise", over=(t, b))
    assert find_shares(ag.Graph(total, w * total - total / w)) is not None
    for output in (
        total**2, ag.exp(total), total + w, total * total, 1.0 / total, ag.where(total > 0, total, 0.0), ag.max(h, over=(t, b)),
        ag.logsumexp(h, over=b), ag.softmax(h, over=b), h - ag.mean(h, over=b), alone, reads, noisy, h * ag.index(b),
        ag.at(h, b, 0), ag.concat([total[None], w[None]]), ag.size(b) * w, ag.sum(h, over=t) + ag.size(b),
        total + ag.mean(h, over=(t, b)), total * h, -ag.spread(total, b) * 1.0,
    ):  # fmt: skip
        assert find_shares(ag.Graph(output, h)) is None, output


def test_calls_on_threads(numba_cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Native programs of enough work take as many threads as numba has; the result is one thread's, whoever else calls."""
    monkeypatch.setattr(native, "count_threads", lambda: 3)
    monkeypatch.setattr(programs, "WORTH_SHARING", 0.0)
    outputs, feeds, (_, b) = gru(ag.mean)
    feeds = {name: np.repeat(a, 5, axis=1) if a.ndim > 1 and a.shape[:2] == (6, 5) else a for name, a in feeds.items()}
    program, plain = ag.compile(outputs, backend="numba"), ag.compile(outputs, backend="numpy")
    assert program.sharing.find_cuts({b: 25}, 3) == [0, 8, 16, 25] and program.sharing.find_cuts({b: 15}, 3) is None
    assert "threads take a share of b each" in str(program.schedule)
    want, wrong = plain(**feeds), []

    def calls() -> None:
        for _ in range(5):
            got = program(**feeds)
            wrong.extend(k for k, (a, w) in enumerate(zip(got, want, strict=True)) if not np.allclose(a, w, 1e-12, 1e-14))

    workers = [threading.Thread(target=calls) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    lengths = RNG.integers(0, 7, size=25)
    summed = ag.compile(gru(ag.sum)[0][:3], backend="numba"), ag.compile(gru(ag.sum)[0][:3], backend="numpy")
    for got, w in zip(*(p(**feeds, lengths={"t": lengths}) for p in summed), strict=True):
        np.testing.assert_allclose(got, w, 1e-11, 1e-13)
    with pytest.raises(ag.FeedError, match="F201"):
        program(**{**feeds, "l": feeds["l"] + 5})
    for got, w in zip(program(**feeds), want, strict=True):
        np.testing.assert_allclose(got, w, 1e-12, 1e-14)


def test_an_error_is_raised_when_all_calls_have_ended() -> None:
    ended: list[int] = []

    def call(k: int, fails: Sequence[int]) -> int:
        time.sleep(0.01 * k)
        ended.append(k)
        if k in fails:
            raise ValueError(str(k))
        return k

    assert run_together([lambda k=k: call(k, ()) for k in range(4)]) == [0, 1, 2, 3]
    for first in (0, 2):
        ended.clear()
        with pytest.raises(ValueError, match=str(first)):
            run_together([lambda k=k, first=first: call(k, [first, 3]) for k in range(4)])
        before = list(ended)
        time.sleep(0.05)
        assert ended == before, "nothing runs on"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    assert run_together([lambda: 1, lambda: 2]) == [1, 2]
    child = os.fork()
    if child == 0:
        os._exit(0 if run_together([lambda: 1, lambda: 2]) == [1, 2] else 1)
    assert os.waitpid(child, 0)[1] == 0
