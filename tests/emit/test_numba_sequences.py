"""Native programs take lengths and carries as NumPy's do: both are changes of the graph. Run as plain Python, as random
programs are in ``test_numba.py``, and some of them compiled."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

FOLDER = Path(__file__).parents[1] / "sequences"


def loaded(name: str) -> Any:
    module = f"sequences_{name}"
    if module not in sys.modules:
        spec = importlib.util.spec_from_file_location(module, FOLDER / f"{name}.py")
        assert spec is not None and spec.loader is not None
        made: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[module] = made
        spec.loader.exec_module(made)
    return sys.modules[module]


def ragged(seed: int) -> None:
    lengths, case = loaded("test_lengths"), loaded("conftest").Sequences(seed, causal=False)
    rng, graph = np.random.default_rng([5, seed]), ag.Graph(case.nodes)
    own, feeds = lengths.lengths_of(case, rng), case.fed(graph)
    want = lengths.oracle(case, feeds, own)
    program = ag.compile(case.nodes, backend="numba")
    dirty = lengths.padded(graph, feeds, case.t, case.b, own, rng)
    with np.errstate(all="ignore"):
        lengths.check(case, program(lengths={case.t: own}, **dirty), want, own, "native")


def carried(seed: int) -> None:
    carry, case = loaded("test_carry"), loaded("conftest").Sequences(seed, causal=True)
    outputs = [v for v in [*case.states, *case.pool] if case.t in v.axes]
    graph = ag.Graph(outputs)
    feeds = case.fed(graph)
    program, n = ag.compile(outputs, carry=case.t, backend="numba"), case.sizes["t"]
    with np.errstate(all="ignore"):
        found, _ = carry.run(program, carry.pieces(graph, feeds, [n // 2, n], case.t))
    for i, want in enumerate(graph.evaluate(**feeds)):
        assert np.allclose(carry.joined(program, found, i, case.t), want, rtol=1e-12, atol=1e-12), (seed, outputs[i])


@pytest.mark.parametrize("seed", range(0, 300, 12))
def test_native_programs_take_lengths(seed: int, in_python):
    ragged(seed)


@pytest.mark.parametrize("seed", range(0, 300, 24))
def test_native_programs_are_carried(seed: int, in_python):
    carried(seed)


@pytest.mark.parametrize("seed", [120])
def test_compiled_programs_take_lengths_and_are_carried(seed: int, numba_cache):
    ragged(seed)
    carried(seed)
