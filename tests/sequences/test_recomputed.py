"""Programs that recompute (``memory=``, ``slots=``, ``piece=``): the values of those that store, in the memory predicted."""

from __future__ import annotations

import gc
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compare import difference
from night import one_in
from random_sequences import Sequences

import autograd_seq as ag
from autograd_seq.emit.native import numba

D, H = 3, 4
t, b = ag.Axis("t"), ag.Axis("b")


def recurrent() -> tuple[ag.Node, ag.Node]:
    """Delays of 1 and 2, an initial row that is learned."""
    x = ag.input("x", (D,), over=t)
    h = ag.state("h", (H,), over=t, init={t: ag.param("h0", (H,))})
    h[t] = ag.tanh(ag.param("U", (H, D)) @ x[t] + ag.param("W", (H, H)) @ h[t - 1] + 0.1 * h[t - 2])
    return h, x


def bidirectional() -> ag.Node:
    h, x = recurrent()
    r = ag.state("r", (H,), over=t)
    r[t] = ag.tanh(ag.param("R", (H, D)) @ x[t] + 0.5 * r[t + 1] + 0.2 * r[t + 3])
    return ag.sum(ag.sum(h * r * ag.cos(ag.index(t)), over=t))


def both_ways_twice() -> ag.Node:
    """What looks back reads what looks ahead, which reads what looks back: each has to be computed again for the next."""
    h, x = recurrent()
    for k in range(2):
        ahead, back = ag.state(f"ahead{k}", (H,), over=t), ag.state(f"back{k}", (H,), over=t)
        ahead[t] = ag.tanh(h[t] + 0.5 * ahead[t + 1] - 0.3 * ahead[t + 2])
        back[t] = ag.tanh(ahead[t] * ag.sin(h[t]) + ag.param(f"W{k}", (H, H)) @ back[t - 1])
        h = back
    return ag.sum(ag.logsumexp(h * x[t][0], over=t))


def noisy() -> ag.Node:
    h, x = recurrent()
    return ag.sum(ag.sum(h * ag.normal("z", (H,), over=t) * x[t + 1][0] + x[t - 3][1], over=t))


def total(of: Callable[[ag.Node], ag.Node]) -> Callable[[], ag.Node]:
    return lambda: ag.sum(of(recurrent()[0]))


LOSSES: dict[str, Callable[[], ag.Node]] = {
    "sum": total(lambda h: ag.sum(h * h, over=t)),
    "last": total(lambda h: ag.last(h, over=t)),
    "a function of a mean": total(lambda h: ag.mean(ag.sum(h * h), over=t) ** 2),
    "max": total(lambda h: ag.max(h, over=t)),
    "min, tied": total(lambda h: ag.min(ag.maximum(h, 0.1), over=t)),
    "logsumexp": total(lambda h: ag.logsumexp(h, over=t)),
    "steps": total(lambda h: ag.at(h, t, -7) * ag.at(h, t, 9) + ag.at(h, t, 0)),
    "softmax": total(lambda h: ag.sum(ag.softmax(h, over=t) * ag.sin(h), over=t) ** 2),
    "centred": total(lambda h: ag.sum((h - ag.mean(h, over=t)) ** 3, over=t)),
    "product": total(lambda h: ag.prod(1 + 0.1 * h, over=t)),
    "bidirectional": bidirectional,
    "both ways twice": both_ways_twice,
    "noisy": noisy,
}


def feed(loss: ag.Node, steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.5, (*(steps for _ in n.axes), *n.shape)) for name, n in ag.Graph(loss).inputs.items()
            if name != "seed"}  # fmt: skip


def both(loss: ag.Node, steps: int, backend: str = "numpy", **keywords: Any) -> tuple[Any, Any, Any]:
    """Return the program, what it returns, and what the program that stores returns, with gradients of inputs too."""
    wrt = [n for n in ag.Graph(loss).inputs.values() if n.dtype is float]
    feeds, step = feed(loss, steps), ag.value_and_grad(loss, wrt, backend=backend, **keywords)
    return step, step(**feeds), ag.value_and_grad(loss, wrt, backend=backend)(**feeds)


def assert_near(got: Any, want: Any, tolerance: float = 1e-12) -> None:
    assert abs(got[0] - want[0]) <= tolerance * max(1, abs(want[0]))
    for name, value in want[1].items():
        assert difference(got[1][name], value) <= tolerance, name


@pytest.mark.parametrize("keywords", [{"memory": "sqrt"}, {"piece": 5}, {"piece": 4, "slots": 2}, {"slots": 1}], ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_equals_the_program_that_stores(name: str, keywords: dict[str, Any]) -> None:
    step, got, want = both(LOSSES[name](), 23, **keywords)
    assert step.explain(t=23).pieces > 2
    assert_near(got, want)


@pytest.mark.parametrize("name", ["sum", "max", "bidirectional", "noisy"])
def test_native(name: str, in_python: Any) -> None:
    with np.errstate(all="ignore"):
        assert_near(*both(LOSSES[name](), 23, "numba", piece=5)[1:])


@pytest.mark.skipif(not numba.is_available(), reason="numba is not installed")
def test_compiled(numba_cache: Any) -> None:
    assert_near(*both(LOSSES["sum"](), 23, "numba", piece=4, slots=2)[1:])


def test_the_unrolled_graph_and_complex_steps() -> None:
    """Oracles that share nothing with pieces."""
    loss = LOSSES["max"]()
    wrt = [n for n in ag.Graph(loss).inputs.values() if n.name in ("U", "W", "h0")]
    feeds, step = feed(loss, 17), ag.value_and_grad(loss, wrt, piece=3, slots=1, backend="numpy")
    value, grads = step(**feeds)
    dag = ag.Graph(loss, *ag.grad(loss, wrt)).evaluate(**feeds)
    assert_near((value, grads), (dag[0], dict(zip([n.name for n in wrt], dag[1:], strict=True))))
    smooth = LOSSES["sum"]()
    value, grads = ag.value_and_grad(smooth, memory="sqrt", backend="numpy")(**feeds)
    way = np.random.default_rng(1).normal(size=(H, H))
    moved = ag.Graph(smooth).evaluate(**{**feeds, "W": feeds["W"] + 1e-30j * way})[0]
    assert np.sum(grads["W"] * way) == pytest.approx(np.imag(moved) / 1e-30, rel=1e-12)


def test_equal_pieces_give_equal_bits() -> None:
    """However few states are kept, and in every call; a piece as long as the sequence is the program that stores."""
    loss = LOSSES["sum"]()
    feeds = feed(loss, 30)
    steps = [ag.value_and_grad(loss, backend="numpy", **k) for k in ({"piece": 4}, {"piece": 4, "slots": 1}, {"piece": 30}, {})]
    one, few, long, stored = [step(**feeds) for step in steps]
    again = steps[0](**feeds)
    for name in one[1]:
        assert np.array_equal(one[1][name], few[1][name]) and np.array_equal(one[1][name], again[1][name])
        assert np.array_equal(long[1][name], stored[1][name])


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 6, 7, 8])
def test_few_steps(steps: int) -> None:
    """No step, fewer than a delay, fewer than a piece, a last piece shorter than a delay."""
    for name in ("sum", "noisy", "bidirectional"):
        assert_near(*both(LOSSES[name](), steps, piece=3)[1:])


@pytest.mark.parametrize("steps", [9, 10, 11])
def test_learned_rows_after_a_short_last_piece(steps: int) -> None:
    """What a state is read ahead as begins, after the last steps, with rows that are computed from parameters."""
    h, _ = recurrent()
    scale = ag.param("scale")
    after = [ag.param(f"a{k}", (H,)) * scale for k in range(3)]
    loss = ag.sum(ag.sum(ag.sin(h) * ag.shift(ag.cos(h), t, -3, final=after)), over=t)
    assert_near(*both(loss, steps, piece=4)[1:])


@pytest.mark.parametrize("policy", [{"segment": 4}, {"window": 5}, {"every": 2, "window": 5}], ids=str)
def test_truncated(policy: dict[str, int]) -> None:
    """The axis that is cut is that of the truncation, and not that of the ages of cotangents."""
    loss = LOSSES["sum"]()
    feeds = feed(loss, 23)
    got, want = (ag.bptt(loss, backend="numpy", **policy, **k)(**feeds) for k in ({"piece": 4, "slots": 2}, {}))
    assert_near(got, want)
    assert_near(ag.bptt(loss, segment=30, memory="sqrt", backend="numpy")(**feeds), ag.value_and_grad(loss)(**feeds))


@pytest.mark.parametrize("first", [True, False])
def test_batches_and_lengths(first: bool) -> None:
    over = (t, b) if first else (b, t)
    x = ag.input("x", (D,), over=over)
    h = ag.state("h", (H,), over=over, init={t: ag.param("h0", (H,))})
    h[t] = ag.tanh(ag.param("U", (H, D)) @ x[t] + ag.param("W", (H, H)) @ h[t - 1])
    loss = ag.sum(ag.dot(ag.last(h, over=t), ag.mean(h, over=t)), over=b) + ag.sum(h[t - 2] ** 2, over=(t, b))[0]
    wrt = [*ag.Graph(loss).inputs.values()]
    rng = np.random.default_rng(0)
    feeds = {n.name: rng.normal(0, 0.6, n.shape) for n in wrt if not n.axes}
    feeds["x"] = rng.normal(size=(11, 3, D) if first else (3, 11, D))
    step, stored = ag.value_and_grad(loss, wrt, piece=3, backend="numpy"), ag.value_and_grad(loss, wrt, backend="numpy")
    assert_near(step(**feeds), stored(**feeds))
    lengths = {t: [11, 1, 7]}
    assert_near(step(lengths=lengths, **feeds), stored(lengths=lengths, **feeds))


def test_the_largest_of_sequences_of_their_own_lengths() -> None:
    """Which step has a maximum is decided within its piece, under a mask too; that of another value is not mistaken for it."""
    x, h = ag.input("x", (D,), over=(t, b)), ag.state("h", (D,), over=(t, b))
    h[t] = ag.tanh(ag.param("W", (D, D)) @ h[t - 1] + x[t])
    other = ag.where(ag.equal(h, ag.max(x, over=t)), 2 * h, 0.2 * h)
    loss = ag.sum(ag.sum(ag.max(h, over=t) * ag.min(ag.minimum(h, 0.3), over=t) + ag.sum(other, over=t), over=b))
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(9, 3, D)), "W": rng.normal(size=(D, D)), "lengths": {t: [9, 1, 4]}}
    got, want = (ag.value_and_grad(loss, ["W", "x"], backend="numpy", **k)(**feeds) for k in ({"piece": 2, "slots": 2}, {}))
    assert_near(got, want)


def test_any_outputs_in_any_layout() -> None:
    """Values of all steps, parameters, numbers; batch first; nothing fed over the axis."""
    w, h = ag.param("w"), ag.state("h", over=(t, b))
    h[t] = ag.cos(w * h[t - 1] + ag.index(t) * ag.input("a", over=b))
    outputs = [h, ag.max(h, over=t), w, ag.size(t), ag.sum(h, over=(t, b)), h, ag.index(t)]
    feeds = {"w": 0.7, "a": [0.1, 0.2], "t": 13}
    for order in (None, (b, t)):
        got = ag.compile(outputs, piece=4, order=order, backend="numpy")(**feeds)
        want = ag.compile(outputs, order=order, backend="numpy")(**feeds)
        assert all(difference(a, b) < 1e-12 for a, b in zip(got, want, strict=True))
        got[0][0] = 5.0  # the caller's own
        assert not np.array_equal(got[0], got[5])


def test_narrow_floats() -> None:
    """In float32, with sums over pieces in double precision; a row of numbers does not widen them."""
    loss = LOSSES["sum"]()
    feeds = {k: v.astype(np.float32) for k, v in feed(loss, 40).items()}
    got, want = (ag.value_and_grad(loss, backend="numpy", **k)(**feeds) for k in ({"piece": 7}, {}))
    assert all(g.dtype == np.float32 for g in (np.asarray(got[0]), *got[1].values()))
    assert_near(got, want, 1e-5)


@pytest.mark.parametrize("seed", one_in(20, range(200)))
@pytest.mark.parametrize("causal", [True, False])
def test_random_graphs(seed: int, causal: bool) -> None:
    """Several states, delays both ways, masks, draws, softmax: values, gradients, and at times gradients of gradients."""
    case = Sequences(seed, causal, second=seed % 4 == 0)
    rng = np.random.default_rng(seed)
    feeds = case.fed(ag.Graph(case.nodes), {**case.sizes, "t": int(rng.integers(5, 14))})
    keywords = [{"piece": int(rng.integers(1, 6))}, {"memory": "sqrt"}, {"piece": 2, "slots": 2}][seed // 20 % 3]
    try:
        step = ag.compile(case.nodes, backend="numpy", over=case.t, **keywords)
    except ag.CarryError as error:
        assert error.code == "K130" and "attended" in case.patterns, (str(case), error)
        return
    got, want = step(**feeds), ag.compile(case.nodes, backend="numpy")(**feeds)
    off = [difference(a, b) for a, b in zip(got, want, strict=True)]
    assert max(off) < 1e-12, (off, str(case))


def test_training_and_validation() -> None:
    """``ag.learn.train`` passes the keywords on, to the loss of a validation too."""
    loss = LOSSES["sum"]()
    feeds, names = feed(loss, 23), ("U", "W", "h0")
    params, data = {n: feeds[n] for n in names}, {"x": feeds["x"]}
    got, want = (ag.learn.train(loss, params, data, ag.learn.sgd(0.01), steps=3, valid=data, validate_every=1, progress=False,
                                backend="numpy", **k) for k in ({"piece": 4, "slots": 2}, {}))  # fmt: skip
    assert all(difference(got.params[n], want.params[n]) < 1e-12 for n in names)


# -- memory -------------------------------------------------------------------------------------------------------------------


def measure(call: Callable[[], Any]) -> int:
    """Return the most bytes that a call holds at once."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


NATIVE = pytest.mark.skipif(not numba.is_available(), reason="numba is not installed")


@pytest.mark.parametrize(
    ("keywords", "backend"),
    [({"memory": "sqrt"}, "numpy"), ({"memory": "4MB"}, "numpy"), ({"slots": 6}, "numpy"),
     pytest.param({"memory": "sqrt"}, "numba", marks=NATIVE)],
    ids=str,
)  # fmt: skip
def test_memory_is_as_predicted(keywords: dict[str, Any], backend: str) -> None:
    x, many = ag.input("x", (8,), over=t), 3000
    loss = ag.sum(ag.nn.lstm(x, 64, over=t).h ** 2)
    loss = ag.sum(loss, over=t)
    step, feeds = ag.value_and_grad(loss, backend=backend, **keywords), feed(loss, many)
    plan = step.explain(t=many)
    assert plan.pieces > 4
    step(
        **{**feeds, "x": feeds["x"][:2000]}
    )  # what any first call allocates elsewhere; in other pieces, so in other workspaces
    assert step.explain(t=2000).piece != plan.piece
    peak = measure(lambda: step(**feeds))
    assert plan.bytes == pytest.approx(peak, rel=0.1), (str(plan), peak)
    if keywords.get("memory") == "4MB":
        assert plan.bytes <= 4e6 < ag.value_and_grad(loss, backend=backend).cost(t=many).bytes


@pytest.mark.parametrize("keywords", [{"memory": "sqrt"}, {"slots": 4}], ids=str)
def test_memory_of_the_smallest_networks(keywords: dict[str, Any]) -> None:
    """Where the objects of a call weigh as much as its numbers."""
    loss = ag.sum(ag.sum(ag.nn.rnn(ag.input("x", (3,), over=t), 4, over=t) ** 2), over=t)
    step, feeds = ag.value_and_grad(loss, backend="numpy", **keywords), feed(loss, 1000)
    step(**{**feeds, "x": feeds["x"][:666]})
    peak = measure(lambda: step(**feeds))
    assert step.explain(t=1000).bytes == pytest.approx(peak, rel=0.1)


def test_less_memory_runs_more_pieces() -> None:
    loss, kilos = LOSSES["sum"](), (100_000, 500, 150, 80)
    plans = [ag.value_and_grad(loss, memory=f"{kilo}kB", backend="numpy").explain(t=5_000) for kilo in kilos]
    assert plans[0].pieces == 1 and [p.bytes <= k * 1000 for p, k in zip(plans, kilos, strict=True)] == [True] * 4
    runs = [p.forward / p.pieces for p in plans]
    assert runs == sorted(runs) and runs[-1] > 1, [str(p) for p in plans]
    feeds = feed(loss, 5_000)
    got, want = (ag.value_and_grad(loss, backend="numpy", **k)(**feeds) for k in ({"memory": "80kB"}, {}))
    assert_near(got, want, 1e-11)
    with pytest.raises(ag.MemoryNeededError, match="not enough") as caught:
        ag.value_and_grad(loss, memory="1kB", backend="numpy").explain(t=5_000)
    assert caught.value.code == "M110"


def test_slots_alone_choose_pieces_that_run_forward_at_most_twice() -> None:
    step = ag.value_and_grad(LOSSES["sum"](), slots=4, backend="numpy")
    assert step.explain(t=10_000)[:5] == (10_000, 477, 21, 4, 35)
    assert "21 pieces of 477, 4 states kept" in str(step.explain(t=10_000))


# -- refusals -----------------------------------------------------------------------------------------------------------------


def test_what_reads_all_steps_is_refused() -> None:
    u = ag.Axis("u")
    x, q = ag.input("x", over=t), ag.param("q")
    attention = ag.sum(ag.softmax(x[t] * q * x.along(t, u), over=u) * x.along(t, u), over=u)
    both_ways, decoder = ag.state("g", over=(t, u)), ag.state("s", over=u)
    both_ways[t, u] = q * both_ways[t - 1, u] + both_ways[t + 1, u - 1]
    decoder[u] = ag.tanh(q * decoder[u - 1] + ag.sum(ag.sin(x[t] * decoder[u - 1]), over=t) + ag.index(u))
    for loss, code, words in (
        (ag.sum(attention, over=t), "K130", "reads all steps of t"),
        (ag.sum(both_ways, over=(t, u)), "K131", "both earlier and later steps of t"),
        (ag.sum(decoder, over=u), "K131", "reads all steps of t"),
    ):
        with pytest.raises(ag.AutogradSeqError, match=words) as caught:
            ag.value_and_grad(loss, memory="sqrt", over=t)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"memory": "much"}, "O171"), ({"memory": 5}, "O171"), ({"slots": 0}, "O170"), ({"piece": 2.5}, "O170"),
        ({"memory": "1MB", "slots": 3}, "O172"), ({"memory": "sqrt", "carry": True}, "K133"),
        ({"memory": "sqrt", "over": ag.Axis("v")}, "A230"),
    ],
)  # fmt: skip
def test_refusals(keywords: dict[str, Any], code: str) -> None:
    with pytest.raises(ag.AutogradSeqError) as caught:
        ag.value_and_grad(LOSSES["sum"](), **keywords)
    assert caught.value.code == code


def test_a_program_that_stores_explains_nothing() -> None:
    with pytest.raises(ag.OperationError, match="recomputes nothing"):
        ag.value_and_grad(LOSSES["sum"]()).explain(t=3)


def test_reports_and_copies() -> None:
    loss = LOSSES["sum"]()
    step = ag.compile([loss, ag.grad(loss, ag.Graph(loss)["W"])], piece=5, backend="numpy")
    feeds = feed(loss, 23)
    other = pickle.loads(pickle.dumps(step))
    assert all(np.array_equal(a, c) for a, c in zip(step(**feeds), other(**feeds), strict=True))
    assert "def run(" in step.source and "pieces of t" in repr(step) and len(step.programs) == 2
    for call in (lambda: step.save_source("step.py"), lambda: step.profile(**feeds)):
        with pytest.raises(ag.OperationError, match="several programs"):
            call()
    stored = ag.compile([loss, ag.grad(loss, ag.Graph(loss)["W"])], backend="numpy")
    assert 1.1 < step.cost(t=1000).flops / stored.cost(t=1000).flops < 1.7
