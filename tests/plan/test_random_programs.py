"""Random recurrent programs: what is compiled equals the unrolled graph, with all passes, with none, and with each alone.

By day each program runs with all passes, with none, and with two of the passes alone, which take turns: thirty programs for
each pass. A night runs each pass alone on each program.

The oracle is reverse mode through the unrolled graph, itself judged by central differences. The programs come from
``tests/support/random_programs.py``: started with 17 it prints the one of seed 17; ``pytest tests/plan -k "[17]"`` runs it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx
import numpy as np
import pytest
from differences import check_along_a_direction
from night import NIGHT, one_in
from random_programs import WAYS, Program, check

import autograd_seq as ag
from autograd_seq.core.op import BUILT_IN
from autograd_seq.graph.checks import cut_shifts, find_loop_axis
from autograd_seq.graph.order import find_components

COUNT = int(os.environ.get("AUTOGRAD_SEQ_RANDOM_PROGRAMS", "300"))  # 20000 for a night
WIDTHS = {float: np.float64, int: np.int64, bool: np.bool_}


def ways(seed: int) -> list[tuple[str, ...] | None]:
    """Return the choices of passes for a program: all passes, none, and some alone."""
    alone = WAYS[2:]
    return WAYS if NIGHT else [*WAYS[:2], *(alone[(2 * seed + i) % len(alone)] for i in (0, 1))]


def test_passes_alone_take_turns():
    assert Counter(way for seed in range(300) for way in ways(seed)).keys() == {*WAYS}


@pytest.mark.parametrize("seed", range(COUNT))
def test_a_program_equals_the_unrolled_graph(seed):
    case = Program(seed)
    want, feeds = case.expected(), case.fed(ag.Graph(case.outputs))
    seen = set()
    for passes in ways(seed):
        program = ag.compile(case.outputs, passes=passes)
        if program.source in seen:  # many a pass finds nothing to do when it is alone
            continue
        seen.add(program.source)
        got = program(**feeds)
        check(case, got, want, "all passes" if passes is None else f"passes={passes}")
        assert all("gaussian" in name for name in program.emitted.foreign), f"seed {seed}: it cannot be saved alone"
        for label, array, node in zip(case.labels, got, case.outputs, strict=True):
            assert array.dtype == WIDTHS[node.dtype], (seed, label)
    if seed % (1 if NIGHT else 12) == 0:
        check(case, ag.compile(case.outputs, backend="plain")(**feeds), want, "as it is written by hand")


def as_long_as(graph: ag.Graph, axes: Iterable[ag.Axis]) -> set[str]:
    """Return the names of axes, and of those that ``along`` makes as long."""
    longer = nx.Graph([(n.attrs["axis"], n.attrs["other"]) for n in graph.nodes if n.op.name == "along"])
    longer.add_nodes_from(axes)
    return {a.name for axis in axes for a in nx.node_connected_component(longer, axis)}


def check_one_point(case: Program, graph: ag.Graph, program: Any) -> None:
    """With one point on every axis that no loop runs over, a program without those axes runs."""
    mine = [a for a in program.beside if a.name in case.sizes]  # others are as long as fits
    sizes = {**case.sizes, **dict.fromkeys(as_long_as(graph, mine), 1)}
    try:
        want = case.expected(sizes)
    except (ag.AxisError, ag.FeedError) as error:  # a step is picked that is not there, or none that an index names
        with pytest.raises(type(error)):
            program(**case.fed(graph, sizes))
        return
    check(case, program(**case.fed(graph, sizes)), want, f"one point, {sizes}")


@pytest.mark.parametrize("seed", one_in(2, range(0, COUNT, 5)))
def test_a_program_runs_again_with_other_feeds_and_lengths(seed):
    """A call leaves nothing behind: not in the feeds, not in what an earlier call returned, not for a later call.

    The last one has one point on every axis that no loop runs over.
    """
    case = Program(seed)
    graph, sizes = ag.Graph(case.outputs), case.other_sizes()
    feeds, others = case.fed(graph), case.fed(graph, sizes, salt=1)
    program = ag.compile(case.outputs)
    before = {name: np.array(value) for name, value in feeds.items()}
    first = program(**feeds)
    kept = [np.array(a) for a in first]
    check(case, program(**others), case.expected(sizes, salt=1), f"second call, {sizes}")
    again = program(**feeds)
    for label, a, b, c in zip(case.labels, first, kept, again, strict=True):
        assert np.array_equal(a, b, equal_nan=b.dtype.kind == "f"), f"seed {seed}: a later call changed {label}"
        assert np.array_equal(c, b, equal_nan=b.dtype.kind == "f"), f"seed {seed}: {label} differs when run again"
    assert all(np.array_equal(before[name], value) for name, value in feeds.items()), f"seed {seed}: a feed was changed"
    taken = [*feeds.values(), *first]
    for label, a in zip(case.labels, again, strict=True):
        assert not any(np.shares_memory(a, x) for x in taken), f"seed {seed}: {label} is not the caller's own"
        taken.append(a)
    check_one_point(case, graph, program)


@pytest.mark.parametrize("seed", one_in(2, range(2, COUNT, 10)))
def test_a_program_keeps_the_width_of_its_feeds(seed):
    case = Program(seed)
    want = case.expected()
    feeds = {name: x.astype(np.float32) if np.asarray(x).dtype == np.float64 else x
             for name, x in case.fed(ag.Graph(case.outputs)).items()}  # fmt: skip
    got = ag.compile(case.outputs)(**feeds)
    strong = any(n.op.name == "tensor" and n.dtype is float for n in ag.Graph(case.outputs).nodes)  # those keep float64
    for label, array, node in zip(case.labels, got, case.outputs, strict=True):
        assert strong or array.dtype == (np.float32 if node.dtype is float else WIDTHS[node.dtype]), (seed, label)
    check(case, [a.astype(w.dtype) for a, w in zip(got, want, strict=True)], want, "float32", 1e-2)


# -- whether the programs are fit to test with --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(0, COUNT, 10))
def test_central_differences_judge_the_oracle(seed):
    """Along a random direction in the space of everything that is fed, by two widths, extrapolated."""
    case = Program(seed)
    graph = ag.Graph(case.loss)
    decreed = {"stop_gradient", "straight_through"} & {n.op.name for n in graph.nodes}
    wrt = [x for x in graph.inputs.values() if x.dtype is float]
    if decreed or case.second or not wrt:
        return
    check_along_a_direction(case, graph, wrt, seed)


def test_the_same_seed_writes_the_same_program():
    for seed in range(0, 60, 7):
        assert str(Program(seed)) == str(Program(seed))
        assert Program(seed).labels == Program(seed).labels


def test_gradients_live_and_values_stay_small():
    """No gradient vanishes, and few are 0 (behind a mask, of a class that does not occur): what is cut or forgotten is seen."""
    largest = []
    for seed in range(0, 300, 6):
        case = Program(seed)
        if min(case.sizes.values()) > 1:
            largest += [np.max(np.abs(v), initial=0.0) for label, v in zip(case.labels, case.expected(), strict=True)
                        if label.startswith("gradient")]  # fmt: skip
    assert len(largest) > 300 and max(largest) < 1e6
    assert sum(g == 0 for g in largest) < 0.07 * len(largest) and sum(0 < g < 1e-6 for g in largest) == 0


# -- what the programs reach --------------------------------------------------------------------------------------------


def loops(part: list[ag.Node], depth: int = 1) -> Iterator[tuple[int, ag.Axis, int]]:
    """Yield (depth, axis, direction) for the loops that a component needs, loops inside it included."""
    axis, direction = find_loop_axis(part)
    yield depth, axis, direction
    for inner in cut_shifts(part, axis):
        yield from loops(inner, depth + 1)


def cyclic(graph: ag.Graph) -> list[list[ag.Node]]:
    position = {n: i for i, n in enumerate(graph.nodes)}
    edges = [(position[x], position[n]) for x, n, _ in graph.edges() if n.op.name != "state" or x is n.inputs[0]]
    found = find_components(len(graph.nodes), edges)
    return [[graph.nodes[i] for i in c] for c in found if len(c) > 1]


def behind(node: ag.Node) -> list[ag.Node]:
    return list(ag.Graph(node).nodes)


def row_kind(row: ag.Node) -> str:
    while row.op.name in ("broadcast_to", "cast"):
        row = row.inputs[0]
    if row.op.name in ("param", "constant"):
        return row.op.name
    if row.op.name == "input":
        return "input over other axes" if row.axes else "input"
    nodes = behind(row)
    if any(n.op.name == "state" for n in nodes):
        return "the end of another recurrence" if any(n.op.name == "at" for n in nodes) else "a function of another recurrence"
    return "a function over other axes" if row.axes else "a static function"


def features(case: Any) -> set[Any]:
    """Return what a program contains, read off its graph."""
    graph, primal = ag.Graph(case.outputs), ag.Graph(case.loss, case.extras)
    found: set[Any] = {("op", n.op.name) for n in graph.nodes} | {("delay", k) for *_, k in graph.edges()}
    found |= {("axes", len(case.sizes)), ("second order", case.second), ("gradients", bool(case.wrt))}
    found |= {("length", name, min(n, 3)) for name, n in case.sizes.items()}
    found.add(("loss among the outputs", any(n is case.loss for n in case.outputs)))
    found |= {("output", n.dtype.__name__) for n in case.outputs} | {("output over", len(n.axes)) for n in case.outputs}
    found |= {("output of rank", n.ndim) for n in case.outputs}
    found |= {("output", n.op.name) for n in case.outputs if n.op.name in ("param", "input", "state", "shift")}
    orders = {n.axes for n in graph.inputs.values() if len(n.axes) > 1}
    found.add(("inputs in several orders", any(a != b and set(a) == set(b) for a in orders for b in orders)))
    found |= {("input over", len(n.axes), "of", len(case.sizes)) for n in graph.inputs.values() if n.op.name == "input"}
    found |= {("value of shape", n.shape) for n in primal.nodes if n.op.name == "state"}
    found |= {("draw over", len(n.axes)) for n in primal.nodes if n.op.name == "draw"}
    found |= {("gradient of", n.op.name) for n in case.wrt}
    for node in primal.nodes:
        if node.op.name == "state":
            found |= {("state of", node.dtype.__name__)}
            for b in node.attrs["bounds"]:
                found.add(("rows", b.side, "one for all" if b.rows is None else f"a list of {b.rows}"))
                found |= {("row", row_kind(r)) for r in node.inputs[b.start : b.stop]}
                if b.rows and len(set(node.inputs[b.start : b.stop])) < b.rows:
                    found.add(("rows", "one node twice in a list"))
        if node.op.name == "shift":
            n = case.sizes.get(node.attrs["axis"].name, 9)
            found |= {("T < k", n < abs(node.attrs["by"])), ("a shift of", node.inputs[0].op.name)}
            found |= {("a shift along", node.attrs["axis"].name)}
    parts = [list(loops(part)) for part in cyclic(primal)]
    found |= {("loop", d, axis.name, way) for part in parts for d, axis, way in part}
    found |= {("states in a component", sum(n.op.name == "state" and n.name is not None for n in c)) for c in cyclic(primal)}
    found.add(("components", len(parts)))
    ways = [part[0] for part in parts]
    found |= {("two components", "opposite" if a[2] != b[2] else "the same way")
              for i, a in enumerate(ways) for b in ways[:i] if a[1] is b[1]}  # fmt: skip
    for c in cyclic(primal):
        within = set(c)
        found |= {("inside a loop", n.op.name) for n in c}
        found |= {("a loop over a lifted axis", len(n.axes) - 1) for n in c}
        delays = {n.attrs["by"] for n in c if n.op.name == "shift" and n.inputs[0] in within}
        found |= {("delays in a component", len(delays))}
    return found


REACHED = {
    ("delay", k) for k in range(-3, 4)
} | {("axes", n) for n in (1, 2, 3)} | {("length", "t", n) for n in range(4)} | {("length", "u", n) for n in range(4)} | {
    ("length", "b", n) for n in range(4)
} | {("second order", True), ("gradients", False), ("loss among the outputs", False), ("inputs in several orders", True)} | {
    ("output", kind) for kind in ("float", "int", "bool", "param", "input", "state", "shift")
} | {("output over", n) for n in range(4)} | {("output of rank", n) for n in range(3)} | {
    ("input over", n, "of", m) for m in (1, 2, 3) for n in range(m + 1)
} | {("draw over", n) for n in range(3)} | {("gradient of", kind) for kind in ("param", "input", "state")} | {
    ("state of", kind) for kind in ("float", "int", "bool")
} | {("rows", side, f"a list of {n}") for side in ("init", "final") for n in (1, 2, 3)} | {
    ("rows", side, "one for all") for side in ("init", "final")
} | {("rows", "one node twice in a list"), ("T < k", True)} | {
    ("row", kind) for kind in ("param", "constant", "input", "input over other axes", "the end of another recurrence",
                               "a function of another recurrence", "a function over other axes", "a static function")
} | {("a shift of", kind) for kind in ("state", "input", "shift", "sin")} | {
    ("loop", depth, axis, way) for depth in (1, 2) for axis in "tu" for way in (-1, 1)
} | {("states in a component", n) for n in (1, 2, 3, 4)} | {("components", n) for n in range(5)} | {
    ("two components", "opposite"), ("two components", "the same way"), ("delays in a component", 3)
} | {("a loop over a lifted axis", n) for n in range(3)} | {
    ("inside a loop", name) for name in ("sum_over", "max_over", "logsumexp_over", "at", "along", "where", "concat",
                                         "softmax", "max", "slice", "cast", "logical_or", "div")
} | {("value of shape", (n,)) for n in range(1, 5)}  # fmt: skip


ELSEWHERE = {"until", "equilibrium", "spacing"}  # held by tests of their own, which run them in every runner


def test_what_the_first_300_programs_reach():
    """Each of these occurs in at least two programs: the generator cannot shrink unseen."""
    seen: Counter[Any] = Counter()
    for seed in range(300):
        seen.update(features(Program(seed)))
    ops = {("op", name) for name in BUILT_IN - ELSEWHERE} | {("op", "gaussian_of_random_programs")}
    rare = {f: seen[f] for f in ops | REACHED if seen[f] < 2}
    assert not rare, rare
    assert seen["second order", True] >= 10 and seen["axes", 3] >= 20
    assert sum(n for f, n in seen.items() if f[0] == "loop" and f[1] == 2) >= 30  # a loop in a loop
