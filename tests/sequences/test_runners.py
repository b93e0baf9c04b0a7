"""Every runner does with sequences what the unrolled graph does: values, gradients, and gradients of gradients.

The runners are one list, what is done with sequences another: padded, in pieces, in pieces with padding, step by step. Random
programs bring what else there is: draws, reads across axes, initial rows of all kinds, loops inside of steps. Native programs
run as plain Python; some of these programs run compiled in ``tests/emit``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from night import NIGHT, one_in
from padding import check, lengths_of, oracle, padded
from pieces import pieces, ragged_pieces
from random_sequences import Sequences

import autograd_seq as ag
from autograd_seq.graph.rebuild import rebuild

CALLS = {  # what runs whole sequences
    "unrolled": lambda nodes: ag.Graph(nodes).evaluate,
    "numpy": lambda nodes: ag.compile(nodes, passes=()),
    "native": lambda nodes: ag.compile(nodes, backend="numba"),
    "by hand": lambda nodes: ag.compile(nodes, backend="plain"),
}  # fmt: skip
CARRIED = {  # what runs pieces of them, apart from the unrolled graph
    "numpy": lambda nodes, t: ag.compile(nodes, passes=(), carry=t),
    "native": lambda nodes, t: ag.compile(nodes, backend="numba", passes=(), carry=t),
    **({"by hand": lambda nodes, t: ag.compile(nodes, backend="plain", carry=t)} if NIGHT else {}),
}  # fmt: skip
STEPS = {
    "numpy": lambda nodes, t: stepped(ag.stream(nodes, over=t), t),
    "native": lambda nodes, t: stepped(ag.stream(nodes, over=t, backend="numba"), t),
    "by hand": lambda nodes, t: stepped(ag.stream(nodes, over=t, backend="plain"), t),
}  # fmt: skip

PIECES, RAGGED, SINGLE = [*range(1, 250, 40), 257], [123, 204, 243], [*range(5, 300, 50)]
"""Seeds of programs that are carried, carried with lengths, and run step by step."""

pytestmark = pytest.mark.usefixtures("in_python")


def close(got: Any, want: Any, tolerance: float = 1e-10) -> bool:
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    return got.shape == want.shape and got.dtype == want.dtype and bool(np.allclose(got, want, rtol=0, atol=tolerance * scale))


def same_carry(got: Any, want: Any) -> bool:
    if got is None or want is None:
        return got is want
    return [*got] == [*want] and np.array_equal(got.steps, want.steps) and all(close(got[name], want[name]) for name in want)


def agree(case: Sequences, nodes: Sequence[ag.Node], parts: Sequence[dict[str, Any]], runners: Any) -> None:
    """Check that runners say of each piece, and leave, what the unrolled graph says and leaves."""
    graph, runs = ag.Graph(nodes), {name: make(nodes, case.t) for name, make in runners.items()}
    carry, carries = None, dict.fromkeys(runs)
    for part in parts:
        want, carry = graph.evaluate(carry=case.t if carry is None else carry, **part)
        for name, run in runs.items():
            with np.errstate(all="ignore"):
                got, carries[name] = run(carry=carries[name], **part)
            for node, a, w in zip(graph.outputs, got, want, strict=True):
                assert close(a, w), (case.seed, name, node, a, w)
            assert same_carry(carries[name], carry), (case.seed, name)


def stepped(stream: Any, t: ag.Axis) -> Callable[..., Any]:
    """Return a stream as a function of pieces of one step."""
    graph = stream.program.graph
    layouts = [graph.layout(o) for o in graph.outputs]

    def run(carry: Any, **part: Any) -> Any:
        places = {name: n.axes.index(t) for name, n in graph.inputs.items() if t in n.axes}
        fed = {name: np.squeeze(v, places[name]) if name in places else v for name, v in part.items() if name != t.name}
        outs, left = stream(carry, **fed)
        return [np.expand_dims(o, axes.index(t)) if t in axes else o for o, axes in zip(outs, layouts, strict=True)], left

    return run


# -- padded ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20, 300, 60))
def test_second_derivatives_of_padded_sequences(seed: int):
    """Of the first, ``test_lengths.py`` has hundreds."""
    case, rng = Sequences(seed, causal=False, second=True), np.random.default_rng([5, seed])
    graph, lengths = ag.Graph(case.nodes), lengths_of(case, rng)
    feeds = case.fed(graph)
    want, dirty = oracle(case, feeds, lengths), padded(graph, feeds, case.t, case.b, lengths, rng)
    for name, make in CALLS.items():
        with np.errstate(all="ignore"):
            check(case, make(case.nodes)(lengths={case.t: lengths}, **dirty), want, lengths, name)


# -- in pieces --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "seed"), [*((1, s) for s in PIECES), *((2, s) for s in (27, 36, 77, 120, 205))])
def test_gradients_of_pieces(order: int, seed: int):
    """What the graph was differentiated to before it was cut is what it is differentiated to after that."""
    case = Sequences(seed, causal=True, second=order == 2)
    wrt = [p for p in case.wrt if p.op.name == "param"]
    nodes = [case.loss, *ag.grad(case.loss, wrt), case.first, *case.extras]
    graph, steps = ag.Graph(nodes), case.sizes["t"]
    feeds = case.fed(graph)
    parts = pieces(graph, feeds, [(steps + 1) // 2, steps], case.t)
    agree(case, nodes, parts, CARRIED)
    _, carry = graph.evaluate(carry=case.t, **parts[0])
    got, _ = graph.evaluate(carry=carry, **parts[1])
    for p, a, w in zip([case.loss, *wrt], got, after_the_cut(case, wrt, parts), strict=False):
        assert close(a, w), (seed, p)


def after_the_cut(case: Sequences, wrt: Sequence[ag.Node], parts: Sequence[dict[str, Any]]) -> list[Any]:
    """Return the loss of a later piece and its gradients, by reverse mode through the unrolled graph of that piece alone."""
    whole = ag.Graph(case.first)
    first, fed = [{name: v for name, v in part.items() if name in whole.inputs} for part in parts]
    _, carry = whole.evaluate(carry=case.t, **first)
    cut = ag.compile(whole, passes=(), carry=case.t).cut
    given = in_front(whole, cut, carry.steps)
    (loss,) = rebuild([cut.later[0]], lambda node, inputs: given.get(node.name) if node.op.name == "input" else None)
    graph = ag.Graph(loss if case.loss is case.first else case.slope(loss, case.wrt))
    rows = {feed: row for slot in cut.slots for feed, row in zip(slot.feeds, carry[slot.name], strict=True)}
    known = {name: value for name, value in {**fed, **rows, str(cut.steps): carry.steps}.items() if name in graph.inputs}
    alive = [p for p in wrt if p.name in graph.inputs]
    value, *grads = graph.unroll(**graph.sizes(known)).grad(alive, with_outputs=True).evaluate(**known)
    found = dict(zip([p.name for p in alive], grads, strict=True))
    return [value, *(found.get(p.name, np.zeros(p.shape)) for p in wrt)]


def in_front(whole: ag.Graph, cut: Any, steps: int) -> dict[str | None, ag.Node]:
    """Return the rows that stand in front of the sequence, where a first piece was shorter than the delay, by their feed."""
    found: dict[str | None, ag.Node] = {}
    for slot in cut.slots:
        bounds = [x for x in whole[slot.name].attrs.get("bounds", ()) if x.axis is cut.axis]
        for j in range(slot.rows - steps if bounds else 0):
            row = whole[slot.name].inputs[bounds[0].start + (0 if bounds[0].rows is None else j + steps)]
            found[slot.feeds[j]] = ag.spread(row, slot.axes)
    return found


@pytest.mark.parametrize(("order", "seed"), one_in(2, [*((1, s) for s in RAGGED), *((2, s) for s in (6, 24))]))
def test_pieces_with_padding(order: int, seed: int):
    """What each sequence says alone is in ``test_carry.py``."""
    case = Sequences(seed, causal=True, second=order == 2, batch=True)
    nodes = [case.loss, *ag.grad(case.loss, [p for p in case.wrt if p.op.name == "param"]), *case.extras]
    graph, rng = ag.Graph(nodes), np.random.default_rng(seed)
    parts = ragged_pieces(case, graph, case.fed(graph), rng)
    agree(case, nodes, [{**fed, "lengths": {(case.t, case.b): steps}} for _, steps, fed in parts], CARRIED)


@pytest.mark.parametrize(("order", "seed"), [*((1, s) for s in SINGLE), *((2, s) for s in (106, 206))])
def test_steps_of_streams(order: int, seed: int):
    """A step is a piece of one step, its gradients are those of that piece."""
    case = Sequences(seed, causal=True, second=order == 2)
    nodes = [case.loss, *ag.grad(case.loss, [p for p in case.wrt if p.op.name == "param"]), *case.extras]
    graph = ag.Graph(nodes)
    parts = pieces(graph, case.fed(graph), [*range(1, case.sizes["t"] + 1)], case.t)
    agree(case, nodes, parts, STEPS)


def test_what_the_programs_reach():
    """In pieces and steps: draws, rows of all kinds, loops within a step; padded: reads across axes as well; delays to 3."""
    seen: Counter[Any] = Counter()
    for seed in [*PIECES, *RAGGED, *SINGLE]:
        case = Sequences(seed, causal=True)
        found: set[Any] = {*case.patterns, ("within a step", bool(case.u and "nested" in case.patterns))}
        for n in ag.Graph(case.loss, case.extras).nodes:
            found |= {("delay", n.attrs["by"])} if n.op.name == "shift" else set()
            found |= {("rows", row.rows) for row in n.attrs["bounds"]} if n.op.name == "state" else set()
        seen.update(found)
    for seed in range(20, 300, 60):
        seen.update({"attended"} & set(Sequences(seed, causal=False).patterns))
    wanted = {"drawn", "attended", ("within a step", True)}
    wanted |= {("delay", k) for k in (1, 2, 3)} | {("rows", k) for k in (None, 1, 2, 3)}
    assert wanted <= set(seen), wanted - set(seen)
