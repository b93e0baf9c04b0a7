"""The zoo of ordinary models in every runner.

The oracle of each model is the same model in plain loops over one sequence, which shares nothing with the engine: its value,
and its slope along a random direction of everything that is fed, by complex steps (in PyTorch, where it is installed, all of
its gradients). The unrolled graph is held to it; the other runners are held to the unrolled graph, and to the oracle where
they run on other data.

Native programs run as plain Python, some of them as native code as well. A night compiles all of them and runs everything
that is sampled by day (the mark ``night``)::

    AUTOGRAD_SEQ_NIGHT=1 python -m pytest tests/models

``python -m pytest tests/models -k min_gru`` runs one model, ``cd tests/models && python -m zoo min_gru`` times it. A model
says in ``refuses`` which runner refuses it, with which code and why.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from night import late
from zoo import MODELS, Case
from zoo.judge import BATCHES, DEEP, LENGTHS, alike, by_day, case, direction, near, position, true, truth, unrolled
from zoo.plain import slopes

import autograd_seq as ag

COMPILED = (
    "chain_crf",
    "ctc",
    "language_model",
    "leaky_integrate_and_fire",
    "min_gru",
    "self_attention",
    "soft_dtw",
    "grid_rnn",
)
"""The models that are compiled by day, in one width and with or without a batch, in turn."""


def models(what: str, of: int = 2) -> Any:
    """All models, all but one in so many at night."""
    return pytest.mark.parametrize("name", [late(name, unless=by_day(name, what, of)) for name in MODELS])


# -- whole sequences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "batch"), [late(n, b, unless=n not in DEEP or b is None) for n in MODELS for b in BATCHES])
def test_unrolled(name: str, batch: int | None):
    """Where every other runner begins: against plain loops, and alive everywhere."""
    of = case(name, batch)
    true(of, unrolled(name, batch), truth(name, batch), 1e-9, f"batch {batch}")
    top = max(np.max(np.abs(g)) for g in unrolled(name, batch)[1:])
    dead = [x.name for x, g in zip(of.wrt, unrolled(name, batch)[1:], strict=True) if np.max(np.abs(g)) < 1e-5 * top]
    assert dead == [*of.entry.dead] and 1e-3 < top < 1e4, (dead, top)


@models("adjoint")
def test_the_adjoint_graph(name: str):
    of = case(name, None)
    alike(of, ag.Graph(of.gradients()).evaluate(**of.feeds), unrolled(name, None), 1e-11, "adjoint graph")


@pytest.mark.parametrize("name", [*MODELS])
def test_numpy(name: str):
    """Without a batch, and with one program for batches of one and of three; in both widths."""
    for sizes in ((None,), (3, 1, 3)) if name not in DEEP else ((None,),):
        of = case(name, sizes[0])
        program = ag.compile(of.gradients(), backend="numpy")
        for batch in sizes:
            feeds, want = case(name, batch).feeds, unrolled(name, batch)
            alike(of, program(**feeds), want, 1e-10, f"batch {batch}")
        narrow = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in feeds.items()}
        got = program(**narrow)
        assert all(g.dtype == np.float32 for g in got)
        alike(of, got, want, 2e-4, f"batch {batch}, float32")


@pytest.mark.parametrize("name", [*MODELS])
def test_written_by_hand(name: str):
    """As loops over single steps, without a batch; at night with one as well."""
    of = case(name, None)
    alike(of, ag.compile(of.gradients(), backend="plain")(**of.feeds), unrolled(name, None), 1e-10, "plain")


@pytest.mark.parametrize("name", [late(name, unless=by_day(name, "plain", 4)) for name in MODELS if name not in DEEP])
def test_written_by_hand_with_a_batch(name: str):
    of = case(name, 3)
    alike(of, ag.compile(of.gradients(), backend="plain")(**of.feeds), unrolled(name, 3), 1e-10, "plain, a batch")


@models("native")
def test_native_in_python(name: str, in_python):
    for sizes in ((None,), (3, 1)):
        program = ag.compile(case(name, sizes[0]).gradients(), backend="numba")
        for batch in sizes:
            of = case(name, batch)
            with np.errstate(all="ignore"):
                alike(of, program(**of.feeds), unrolled(name, batch), 1e-10, f"native, batch {batch}")


def in_turn(name: str, batch: int | None, width: Any) -> bool:
    """Tell whether this is compiled by day."""
    k = COMPILED.index(name) if name in COMPILED else None
    return k is not None and batch == (None, 3)[k // 2 % 2] and width is (np.float64, np.float32)[k % 2]


@pytest.mark.parametrize(
    ("name", "batch", "width"),
    [late(n, b, w, unless=in_turn(n, b, w)) for n in MODELS for b in (None, 3) for w in (np.float64, np.float32)],
)
def test_native(name: str, batch: int | None, width: Any, numba_cache):
    """Compiled, some in each width."""
    of, want = case(name, batch), unrolled(name, batch)
    feeds = {k: v.astype(width) if v.dtype == np.float64 else v for k, v in of.feeds.items()}
    got = ag.compile(of.gradients(), backend="numba")(**feeds)
    assert all(g.dtype == width for g in got)
    alike(of, got, want, 1e-10 if width is np.float64 else 2e-4, f"compiled, batch {batch}, {width.__name__}")


# -- in pieces, step by step, padded, batched -------------------------------------------------------------------------------


def refused(of: Case, how: str, call: Any) -> bool:
    """Check that a runner refuses a model that says so, with the code that it says; tell whether the model does."""
    if how not in of.entry.refuses:
        return False
    code, why = of.entry.refuses[how]
    with pytest.raises(ag.AutogradSeqError) as caught:
        call()
    assert caught.value.code == code, (of.entry.name, how, why, str(caught.value))
    return True


def pieces(of: Case, cuts: list[int]) -> list[dict[str, Any]]:
    """Return what is fed of each piece of the steps."""
    out = []
    for first, last in pairwise([0, *cuts]):
        out.append({name: np.take(v, range(first, last), place) if (place := position(of, name)) is not None else v
                    for name, v in of.feeds.items()})  # fmt: skip
    return out


def whole(of: Case, losses: list[Any]) -> Any:
    """Return the loss that those of the pieces come to."""
    if of.entry.pieces == "nothing":
        return truth(of.entry.name, of.sketch.B)[0]
    return sum(losses) if of.entry.pieces == "sum" else losses[-1]


def in_pieces(of: Case, backend: str) -> None:
    """The loss is that of all steps; gradients are those of each piece; those of the first are what plain loops say."""
    nodes = of.gradients(of.params)
    if refused(of, "carry", lambda: ag.compile(nodes, carry=of.axis, backend=backend)):
        return
    program, graph = ag.compile(nodes, carry=of.axis, backend=backend), ag.Graph(nodes)
    steps, carry, left, losses = of.sketch.sizes[of.entry.steps], None, of.axis, []
    for k, part in enumerate(pieces(of, [3, 4, steps])):
        got, carry = program(carry=carry, **part)
        want, left = graph.evaluate(carry=left, **part)
        losses.append(got[0])
        for label, a, w in zip(["loss", *[x.name for x in of.params]], got, want, strict=True):
            near(a, w, 1e-10, (of.entry.name, backend, f"piece {k}", label))
        if k == 0:
            for x, g in zip(of.params, got[1:], strict=True):
                way = direction(of, x.name)
                slope = slopes(lambda f, fed: of.plain(fed, None, f), part, {x.name: way})[x.name]
                off = abs(np.sum(g * way) - slope) / max(np.sum(np.abs(g * way)), 1e-3)
                assert off <= 1e-9, (of.entry.name, "first piece", x.name, off)
    near(whole(of, losses), truth(of.entry.name, of.sketch.B)[0], 1e-10, (of.entry.name, backend, "pieces"))


@models("pieces")
def test_pieces(name: str):
    in_pieces(case(name, 3), "numpy")


@models("native pieces", 4)
def test_pieces_native(name: str, in_python):
    with np.errstate(all="ignore"):
        in_pieces(case(name, None), "numba")


@models("recomputed", 3)
def test_recomputed(name: str):
    """In pieces of the steps that are computed again, gradients of everything included."""
    of = case(name, 3)
    try:
        program = ag.compile(of.gradients(), piece=3, over=of.axis, backend="numpy")
    except ag.CarryError as error:
        assert error.code in ("K130", "K134"), error  # attention and reads by value; sequences that end by themselves
        return
    alike(of, program(**of.feeds), unrolled(name, 3), 1e-10, "recomputed")


@pytest.mark.parametrize(("name", "batch"), [late(n, b, unless=by_day(n, f"stream {b}")) for n in MODELS for b in (None, 3)])
def test_stream(name: str, batch: int | None):
    """A step at a time, parameters bound for the batch."""
    of = case(name, batch)
    if refused(of, "stream", lambda: ag.stream(of.loss, over=of.axis)):
        return
    step, carry, losses = ag.stream(of.loss, over=of.axis), None, []
    fixed = {name: v for name, v in of.feeds.items() if position(of, name) is None}
    step, fixed = (step.bind(**fixed), {}) if batch else (step, fixed)
    for i in range(of.sketch.sizes[of.entry.steps]):
        fed = {k: np.take(v, i, place) for k, v in of.feeds.items() if (place := position(of, k)) is not None}
        (value,), carry = step(carry, **fed, **fixed)
        losses.append(np.array(value))
    near(whole(of, losses), truth(name, batch)[0], 1e-10, (name, "stream"))


@pytest.mark.parametrize(("name", "batch"), [late(n, b, unless=by_day(n, f"rtrl {b}", 16)) for n in MODELS for b in (None, 3)])
def test_online(name: str, batch: int | None):
    """The gradients of single steps add up to that of the sequence; what cannot run so is refused with the reason."""
    of = case(name, batch)
    wrt = [x for x in of.wrt if of.axis not in x.axes]
    codes = {of.entry.refuses[how][0] for how in ("carry", "online") if how in of.entry.refuses}
    codes |= {"E154"} if codes == {"K114"} else {"K115"} if of.entry.pieces != "sum" else set()
    if codes:
        with pytest.raises(ag.AutogradSeqError) as caught:
            ag.online(of.loss, wrt, over=of.axis)
        assert caught.value.code in codes, str(caught.value)
        return
    (loss, grads), _ = ag.online(of.loss, wrt, over=of.axis)(**of.feeds)
    want = dict(zip([x.name for x in of.wrt], unrolled(name, batch)[1:], strict=True))
    near(loss, unrolled(name, batch)[0], 1e-10, (name, "online", "loss"))
    top = max((np.max(np.abs(g), initial=0.0) for g in want.values()), default=1.0)
    for x in wrt:
        near(grads[x.name], want[x.name], 1e-10, (name, "online", x.name), max(top, 1e-3) if x.name in of.entry.dead else 1e-3)


@models("vmap")
def test_vmap(name: str):
    """The model of one sequence for a batch is the model of a batch."""
    one, many = case(name, None), case(name, 3)
    b = ag.Axis("b")
    loss = ag.sum(ag.vmap(one.loss, over=b), over=b)
    graph = ag.Graph(loss)
    wrt = [graph.inputs[x.name] for x in one.wrt]
    feeds = {}
    for k, v in many.feeds.items():
        axes = many.graph.inputs[k].axes
        front = np.moveaxis(v, axes.index(many.sketch.b), 0) if many.sketch.b in axes else v
        feeds[k] = front if many.sketch.b in axes or b not in graph.inputs[k].axes else np.broadcast_to(v, (3, *v.shape))
    got = ag.compile([loss, *ag.grad(loss, wrt)], backend="numpy")(**feeds)
    for label, a, w in zip(["loss", *[x.name for x in wrt]], got, unrolled(name, 3), strict=True):
        if label != "loss" and many.sketch.b in (axes := many.graph.inputs[label].axes):
            w = np.moveaxis(w, axes.index(many.sketch.b), 0)
        elif label != "loss" and a.ndim > w.ndim:
            a = a.sum(0)
        near(a, w, 1e-10, (name, "vmap", label))


def padded(of: Case, cut: dict[str, list[int]]) -> dict[str, Any]:
    """Return the feeds with garbage after the end of each sequence."""
    out = {name: np.array(v) for name, v in of.feeds.items()}
    for name, value in out.items():
        axes = of.graph.inputs[name].axes
        for axis in axes:
            if axis.name not in cut:
                continue
            steps = np.moveaxis(value, axes.index(axis), 0)
            for i, n in enumerate(cut[axis.name]):
                part = steps[n:]
                if of.sketch.b in axes:
                    part = np.moveaxis(part, [a for a in axes if a is not axis].index(of.sketch.b) + 1, 0)[i]
                part[...] = np.nan if value.dtype.kind == "f" else -3
    return out


@pytest.mark.parametrize(
    ("name", "backend"),
    [late(n, way, unless=by_day(n, way, of)) for n in MODELS for way, of in (("numpy", 2), ("unrolled", 4), ("numba", 4))],
)
def test_lengths(name: str, backend: str, in_python):
    """Sequences of their own lengths, with NaN in the padding, are what each is alone."""
    of = case(name, 3)
    known = {**LENGTHS, **of.entry.lengths}
    cut = {a.name: known[a.name] for a in of.graph.axes if a.name in known}
    nodes, feeds = of.gradients(), padded(of, cut)
    lengths = {(getattr(of.sketch, a), of.sketch.b): n for a, n in cut.items()}
    run = ag.Graph(nodes).evaluate if backend == "unrolled" else ag.compile(nodes, backend=backend)
    if refused(of, "lengths", lambda: run(lengths=lengths, **feeds)):
        return
    with np.errstate(all="ignore"):
        got = run(lengths=lengths, **feeds)
    true(of, got, truth(name, 3, ragged=True), 1e-9, f"lengths, {backend}")
