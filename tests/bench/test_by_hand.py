"""The gradients written by hand, and those of other libraries, are those of the unrolled graph."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from autograd_seq.bench import by_hand, peers
from autograd_seq.bench.work import GATES, SIZES, WORKLOADS, Arrays, Workload, make, ours
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.graph import Graph

CELLS = tuple(GATES)
ODD = {
    "a batch": (7, 3, 4, 5, 6),
    "one sequence": (7, 1, 4, 5, 6),
    "one step": (1, 3, 4, 5, 6),
    "one step of one sequence": (1, 1, 4, 5, 6),
    "scalars": (3, 1, 1, 1, 2),
    "more inputs than units": (4, 2, 9, 2, 3),
}
"""(T, B, D, H, K)"""


def truth(work: Workload, feeds: Arrays) -> tuple[float, Arrays]:
    """Loss and gradients of the unrolled graph."""
    loss, params = ours(work)
    dag = Graph(loss).unroll(t=work.T, b=work.B)
    value = float(np.asarray(dag.evaluate(**feeds)[0]))
    grads = Graph(*grad(loss, params)).unroll(t=work.T, b=work.B).evaluate(**feeds)
    return value, {str(p.name): np.asarray(g) for p, g in zip(params, grads, strict=True)}


def worst(got: Arrays, expected: Arrays) -> float:
    assert got.keys() == expected.keys()
    assert {n: g.shape for n, g in got.items()} == {n: g.shape for n, g in expected.items()}
    return max(float(np.max(np.abs(got[n] - e)) / np.max(np.abs(e))) for n, e in expected.items() if np.any(e))


@pytest.mark.parametrize("sizes", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("cell", CELLS)
def test_by_hand_is_the_unrolled_graph(cell: str, sizes: tuple[int, ...]) -> None:
    work = Workload(cell, "odd", *sizes)
    feeds = make(work, seed=1, dtype=np.float64)
    loss, expected = truth(work, feeds)
    got_loss, got = by_hand.FACTORIES[cell](*sizes, dtype=np.float64)(**feeds)
    assert got_loss == pytest.approx(loss, rel=1e-12)
    assert worst(got, expected) < 1e-10


@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_the_callers_own_and_a_call_leaves_no_trace(cell: str, B: int) -> None:
    work = Workload(cell, "odd", 6, B, 4, 5, 6)
    step = by_hand.FACTORIES[cell](*work.sizes)
    feeds, other = make(work, seed=1), make(work, seed=2)
    before = {n: a.copy() for n, a in feeds.items()}
    loss, grads = step(**feeds)
    kept = {n: g.copy() for n, g in grads.items()}
    step(**other)
    for n, g in grads.items():
        np.testing.assert_array_equal(g, kept[n])
        g += 1  # what a caller does to them must not reach the next call, nor another gradient
        kept[n] += 1
    for n, g in grads.items():
        np.testing.assert_array_equal(g, kept[n])
    again, same = step(**feeds)
    assert again == loss
    for n, g in same.items():
        np.testing.assert_array_equal(g + 1, kept[n])
    for n, a in feeds.items():
        np.testing.assert_array_equal(a, before[n])


def test_softmax_is_stable() -> None:
    work = Workload("rnn", "odd", 3, 2, 4, 5, 6)
    feeds = make(work)
    feeds["V"] = feeds["V"] * np.float32(1e4)
    loss, grads = by_hand.rnn(*work.sizes)(**feeds)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in grads.values())


OTHERS = {n: p for n, p in peers.find_peers(Path(__file__).parents[2]).items() if p.package and not p.slow}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("cell", CELLS)
def test_other_ways_compute_the_same(cell: str, name: str, request: pytest.FixtureRequest) -> None:
    if name == "numba":
        request.getfixturevalue("compiled_quickly")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what others warn of while they are imported
        pytest.importorskip(OTHERS[name].package)
    work = Workload(cell, "odd", *ODD["a batch"])
    feeds = make(work)
    loss, expected = by_hand.FACTORIES[cell](*work.sizes)(**feeds)
    competitor = OTHERS[name].make(work, feeds)
    assert competitor is not None
    for _ in range(2):  # a second step must not add to the first one's gradients
        got_loss, got = competitor.convert(competitor.step())
        assert got_loss == pytest.approx(loss, rel=1e-5)
        assert worst(got, expected) < 1e-4


def test_there_are_fifteen_workloads_and_their_data_are_reproducible() -> None:
    assert len(WORKLOADS) == len(CELLS) * len(SIZES) == 15
    a, b = (make(Workload.of("gru", "tiny"), seed=3) for _ in range(2))
    assert list(a) == ["x", "l", "Ur", "Wr", "Uz", "Wz", "Un", "Wn", "V"]
    for n, v in a.items():
        np.testing.assert_array_equal(v, b[n])
        assert v.dtype == (np.int64 if n == "l" else np.float32)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_neither_explode_nor_die_out_over_two_thousand_steps(cell: str) -> None:
    work = Workload.of(cell, "long")
    _, grads = by_hand.FACTORIES[cell](*work.sizes)(**make(work))
    sizes = [float(np.max(np.abs(g))) for g in grads.values()]
    assert min(sizes) > 1e-1 and max(sizes) < 1e5
