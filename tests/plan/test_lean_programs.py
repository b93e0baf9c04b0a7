"""Lean random programs: what is run equals what the equations say, whose oracle shares no line with the engine.

``python tests/support/lean_runs.py 17`` prints the program of seed 17 and what is wrong with it.
"""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from lean_programs import Lean
from lean_runs import Case, faults
from night import NIGHT
from sabotage import break_pass, exchange_parts

COUNT = int(os.environ.get("AUTOGRAD_SEQ_RANDOM_PROGRAMS", "80"))  # 20000 for a night


@pytest.mark.parametrize("seed", range(COUNT))
def test_the_unrolled_graph_and_programs_mean_what_is_written(seed):
    assert not faults(seed, ["unrolled", "program", "no passes", "values", *(["plain"] if NIGHT or seed % 4 == 0 else [])])


@pytest.mark.parametrize("seed", range(3, COUNT, 10))
def test_native_programs_run_as_python(seed):
    assert not faults(seed, ["native"])


@pytest.mark.parametrize("seed", range(107, COUNT, 100))
def test_compiled_native_programs(seed, numba_cache):
    assert not faults(seed, ["compiled"])


# -- whether they see what they are to see ---------------------------------------------------------------------------------


def test_a_sabotaged_pass_is_seen(monkeypatch):
    """A product reads the rows of two vectors in the wrong order."""
    break_pass(monkeypatch, "join", exchange_parts)
    found = faults(38, ["program"])
    assert found and all("off by" in fault for fault in found), found


# -- whether the programs are fit to test with --------------------------------------------------------------------------


def test_central_differences_judge_the_oracle():
    """Its values are loops of a few lines; its derivatives are differences of those values."""
    for seed in (2, 8, 13):
        case, rng = Case(seed), np.random.default_rng(seed)
        leaves, want = [k for k in case.lean.wrt if k in case.lean.feeds], case.want
        way = {k: rng.normal(size=case.lean.feeds[k].shape) * case.lean.size_of[k] for k in leaves}
        before = dict(case.lean.feeds)

        ends = []
        for h in (1e-4, -1e-4, 2e-4, -2e-4):
            case.lean.feeds |= {k: before[k] + h * way[k] for k in leaves}
            ends.append(case.lean.meaning().gradients(case.lean.loss)[0])
        slopes = [(ends[0] - ends[1]) / 2e-4, (ends[2] - ends[3]) / 4e-4]
        parts = [np.sum(want[1 + case.lean.wrt.index(k)] * way[k]) for k in leaves]
        assert abs(sum(parts) - (4 * slopes[0] - slopes[1]) / 3) <= 1e-8 * max(1.0, *np.abs(parts))


def test_what_the_first_400_programs_reach():
    """Each of these occurs in at least five of them: the generator cannot shrink unseen."""
    seen: Counter[object] = Counter()
    for seed in range(400):
        lean = Lean(seed)
        used = [lean.equations[k] for k in lean.list_used()]
        found: set[object] = {*lean.habits, *(e.op for e in used), ("batch", lean.sizes.get("b")), ("steps", lean.sizes["t"])}
        found |= {(e.op, e.axes) for e in used if e.op in ("state", "input")}
        found |= {("delay", e.attrs["by"]) for e in used if e.op == "shift"}
        found |= {("a shift of", lean.equations[e.args[0]].op) for e in used if e.op == "shift"}
        found |= {(side, lean.equations[rows[0]].op, len(rows)) for e in used for side in ("init", "final")
                  for rows in e.attrs.get(side, {}).values()}  # fmt: skip
        found |= {"large" for k in lean.wrt if lean.size_of[k] >= 1e5} | {"small" for k in lean.wrt if lean.size_of[k] <= 1e-5}
        found |= {("by", lean.equations[k].op) for k in lean.wrt} | {("terms", min(3, len(lean.defined)))}
        seen.update(found)
    wanted: set[object] = {"cell", "parallel", "system", "gates", "attention", "residual", "embedding", "chosen", "decoder"}
    wanted |= {"grid", "large", "small", "take", "cross_entropy", "nll", "softmax_over", "causal", "less", "matmul_left"}
    wanted |= {("batch", n) for n in (None, 1, 2, 3)} | {("steps", n) for n in range(1, 7)}
    wanted |= {(kind, axes) for kind in ("state", "input") for axes in (("t",), ("t", "b"), ("b", "t"), ("u", "t"))}
    wanted |= {("init", "input", 1), ("init", "param", 1), ("final", "input", 1)} | {("delay", k) for k in (-2, -1, 1, 2, 3)}
    wanted |= {("a shift of", kind) for kind in ("state", "input", "label", "matmul")}
    wanted |= {("by", kind) for kind in ("param", "input", "state", "softmax")} | {("terms", n) for n in (0, 1, 2, 3)}
    rare = {f: seen[f] for f in wanted if seen[f] < 5}
    assert not rare, rare
