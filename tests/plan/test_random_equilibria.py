"""Random programs with equilibria in every runner, against the unrolled graph, in which each is iterated as it is defined.

The programs come from ``tests/support/random_equilibria.py``: started with 17 it prints the one of seed 17.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from differences import check_along_a_direction
from night import late
from random_equilibria import Settling
from random_programs import WAYS, check

import autograd_seq as ag
from autograd_seq.ops.state import EQUILIBRIUM

COUNT = 300
TOLERANCE = 1e-11


def seeds(by_day: int) -> list[object]:
    return [late(seed, unless=seed < by_day) for seed in range(COUNT)]


@pytest.mark.parametrize("seed", seeds(8))
def test_a_program_equals_the_unrolled_graph(seed: int) -> None:
    case = Settling(seed)
    want, feeds = case.expected(), case.fed(ag.Graph(case.outputs))
    for passes in (None, WAYS[1 + seed % (len(WAYS) - 1)]):
        got = ag.compile(case.outputs, passes=passes, backend="numpy")(**feeds)
        check(case, got, want, "all passes" if passes is None else f"passes={passes}", TOLERANCE)
    if seed % 3 == 0:
        check(case, ag.compile(case.outputs, backend="plain")(**feeds), want, "as it is written by hand", TOLERANCE)


@pytest.mark.parametrize("seed", seeds(2))
def test_native_programs_in_python(seed: int, in_python: None) -> None:
    case = Settling(seed)
    with np.errstate(all="ignore"):
        got = ag.compile(case.outputs, backend="numba")(**case.fed(ag.Graph(case.outputs)))
    check(case, got, case.expected(), "native", TOLERANCE)


@pytest.mark.parametrize("seed", seeds(2))
def test_float32(seed: int) -> None:
    """What is settled is settled to the width of the feeds."""
    case = Settling(seed)
    feeds = {name: x.astype(np.float32) if np.asarray(x).dtype == np.float64 else x
             for name, x in case.fed(ag.Graph(case.outputs)).items()}  # fmt: skip
    want = case.expected()
    got = ag.compile(case.outputs, backend="numpy")(**feeds)
    check(case, [a.astype(w.dtype) for a, w in zip(got, want, strict=True)], want, "float32", 1e-2)


@pytest.mark.parametrize("seed", seeds(3))
def test_central_differences_judge_the_oracle(seed: int) -> None:
    case = Settling(seed)
    graph = ag.Graph(case.loss)
    decreed = {"stop_gradient", "straight_through", "spike"} & {n.op.name for n in graph.nodes}
    wrt = [x for x in graph.inputs.values() if x.dtype is float]
    if decreed or case.second:
        return
    check_along_a_direction(case, graph, wrt, seed)


def test_what_the_programs_reach() -> None:
    """The generator cannot shrink unseen."""
    patterns, seen = Counter[str](), Counter[object]()
    for seed in range(40):
        case = Settling(seed)
        patterns.update(case.patterns)
        for n in ag.Graph(case.outputs).nodes:
            if n.op is EQUILIBRIUM and n.name is not None:
                seen.update([("axes", len(n.axes)), ("start", len(n.inputs) > 1), ("damping", n.attrs["damping"] > 0)])
            elif n.op is EQUILIBRIUM:
                seen["gradient"] += 1
    assert all(patterns[name] > 3 for name in ("layer", "recurrent_layer", "couple", "line", "orbit")), patterns
    wanted = [*(("axes", k) for k in range(4)), *((w, yes) for w in ("start", "damping") for yes in (False, True)), "gradient"]
    assert all(seen[what] >= 2 for what in wanted), seen
