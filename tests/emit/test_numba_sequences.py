"""Native programs take lengths and carries as NumPy's do: both are changes of the graph. Run as plain Python, as random
programs are in ``test_numba.py``, and some of them compiled."""

from __future__ import annotations

import numpy as np
import pytest
from night import one_in
from padding import check, lengths_of, oracle, padded
from pieces import joined, pieces, run
from random_sequences import Sequences

import autograd_seq as ag


def ragged(seed: int) -> None:
    case, rng = Sequences(seed, causal=False), np.random.default_rng([5, seed])
    graph = ag.Graph(case.nodes)
    own, feeds = lengths_of(case, rng), case.fed(graph)
    want = oracle(case, feeds, own)
    program = ag.compile(case.nodes, backend="numba")
    dirty = padded(graph, feeds, case.t, case.b, own, rng)
    with np.errstate(all="ignore"):
        check(case, program(lengths={case.t: own}, **dirty), want, own, "native")


def carried(seed: int) -> None:
    case = Sequences(seed, causal=True)
    outputs = [v for v in [*case.states, *case.pool] if case.t in v.axes]
    graph = ag.Graph(outputs)
    feeds = case.fed(graph)
    program, n = ag.compile(outputs, carry=case.t, backend="numba"), case.sizes["t"]
    with np.errstate(all="ignore"):
        found, _ = run(program, pieces(graph, feeds, [n // 2, n], case.t))
    for i, want in enumerate(graph.evaluate(**feeds)):
        assert np.allclose(joined(program, found, i, case.t), want, rtol=1e-12, atol=1e-12), (seed, outputs[i])


@pytest.mark.parametrize("seed", one_in(2, range(0, 300, 12)))
def test_native_programs_take_lengths(seed: int, in_python):
    ragged(seed)


@pytest.mark.parametrize("seed", range(0, 300, 24))
def test_native_programs_are_carried(seed: int, in_python):
    carried(seed)


@pytest.mark.parametrize("seed", [120])
def test_compiled_programs_take_lengths_and_are_carried(seed: int, numba_cache):
    ragged(seed)
    carried(seed)
