"""The zoo of ordinary models in every runner.

The oracle of each model is the same model in plain loops over one sequence, which shares nothing with the engine: its value,
and its slope along a random direction of everything that is fed, by complex steps (in PyTorch, where it is installed, all of
its gradients). The unrolled graph is held to it; the other runners are held to the unrolled graph, and to the oracle where
they run on other data.

Native programs run as plain Python, ``COMPILED`` ones as native code as well. A night compiles all of them and runs everything
that is sampled here by day::

    AUTOGRAD_SEQ_NIGHT=1 python -m pytest tests/models

``pytest tests/models -k min_gru`` runs one model; a model says in ``refuses`` which runner refuses it, with which code and why.
"""

from __future__ import annotations

import os
import zlib
from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from zoo import MODELS, Case
from zoo.plain import slopes
from zoo.recurrent import CELLS

import autograd_seq as ag

NIGHT = os.environ.get("AUTOGRAD_SEQ_NIGHT", "") not in ("", "0")
LENGTHS = {"t": [7, 1, 4], "u": [2, 5, 3]}
BATCHES = (None, 1, 3)
every = pytest.mark.parametrize("name", [*MODELS])


def in_turn(name: str, what: str, of: int = 3) -> bool:
    """Choose one model in so many; at night all of them."""
    return NIGHT or zlib.crc32(f"{name} {what}".encode()) % of == 0


DEEP = ["_".join(cells) for cells in product(CELLS, repeat=3)]
BY_DAY = [name for name in MODELS if NIGHT or name not in DEEP]
native = pytest.mark.parametrize("name", [name for name in MODELS if name not in DEEP or in_turn(name, "native")])
some = pytest.mark.parametrize("name", BY_DAY)
few = pytest.mark.parametrize("name", [name for name in BY_DAY if in_turn(name, "few")])
RAGGED = [(name, way) for name in BY_DAY for way in ("numpy", "unrolled", "numba") if way == "numpy" or in_turn(name, way)]


@cache
def case(name: str, batch: int | None) -> Case:
    return MODELS[name].made(B=batch)


def direction(of: Case, name: str) -> np.ndarray:
    return np.random.default_rng(len(name) + sum(map(ord, name))).normal(size=of.feeds[name].shape)


@cache
def truth(name: str, batch: int | None, ragged: bool = False) -> tuple[float, dict[str, float]]:
    """Return the loss by plain loops, and its slopes by complex steps."""
    of = case(name, batch)
    cut = LENGTHS if ragged else None
    value = float(np.real(of.plain(of.feeds, cut)))
    total: dict[str, float] = {}
    for x in of.wrt:
        ways = {x.name: direction(of, x.name)}
        total |= slopes(lambda f, fed: of.plain(fed, cut, f), of.feeds, ways)
    return value, total


@cache
def unrolled(name: str, batch: int | None) -> list[np.ndarray]:
    """Return the loss and its gradients by reverse mode through the unrolled graph."""
    of = case(name, batch)
    dag = of.graph.unroll(**{a.name: of.sketch.sizes[a.name] for a in of.graph.axes})
    return [*dag.grad(of.wrt, with_outputs=True).evaluate(**of.feeds)]


def near(got: Any, want: Any, tolerance: float, what: Any, floor: float = 1e-3) -> None:
    """Equal relative to the largest entry."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, what
    off = np.max(np.abs(got - want), initial=0.0) / max(floor, np.max(np.abs(want), initial=0.0))
    assert off <= tolerance, f"{what}: {off:.1e} off: {got.ravel()[:5]} for {want.ravel()[:5]}"


def alike(of: Case, got: Any, want: Any, tolerance: float, what: str) -> None:
    for label, a, w in zip(["loss", *[x.name for x in of.wrt]], got, want, strict=True):
        near(a, w, tolerance, (of.entry.name, what, label))


def true(of: Case, got: Any, want: tuple[float, dict[str, float]], tolerance: float, what: str) -> None:
    """Check a loss and gradients against the slopes that they must have along the directions."""
    near(got[0], want[0], tolerance, (of.entry.name, what, "loss"))
    for x, g in zip(of.wrt, got[1:], strict=True):
        way = direction(of, x.name)
        assert g.shape == way.shape, (of.entry.name, what, x.name)
        scale = max(np.sum(np.abs(g * way)), 1e-3)
        off = abs(np.sum(g * way) - want[1][x.name]) / scale
        assert off <= tolerance, f"{of.entry.name}, {what}, {x.name}: {off:.1e} off"


# -- whole sequences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "batch"), [(n, b) for n in MODELS for b in BATCHES if n in BY_DAY or b is None])
def test_unrolled(name: str, batch: int | None):
    """Where every other runner begins: against plain loops, and alive everywhere."""
    of = case(name, batch)
    true(of, unrolled(name, batch), truth(name, batch), 1e-9, f"batch {batch}")
    top = max(np.max(np.abs(g)) for g in unrolled(name, batch)[1:])
    dead = [x.name for x, g in zip(of.wrt, unrolled(name, batch)[1:], strict=True) if np.max(np.abs(g)) < 1e-5 * top]
    assert not dead and 1e-3 < top < 1e4, (dead, top)


@some
def test_the_adjoint_graph(name: str):
    of = case(name, None)
    alike(of, ag.Graph(of.gradients()).evaluate(**of.feeds), unrolled(name, None), 1e-11, "adjoint graph")


@every
def test_numpy(name: str):
    """Without a batch, and with one program for batches of one and of three; in both widths."""
    for sizes in ((None,), (3, 1, 3)):
        of = case(name, sizes[0])
        program = ag.compile(of.gradients(), backend="numpy")
        for batch in sizes:
            feeds, want = case(name, batch).feeds, unrolled(name, batch)
            alike(of, program(**feeds), want, 1e-10, f"batch {batch}")
        narrow = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in feeds.items()}
        got = program(**narrow)
        assert all(g.dtype == np.float32 for g in got)
        alike(of, got, want, 2e-4, f"batch {batch}, float32")


@native
def test_native_in_python(name: str, in_python):
    of = case(name, None)
    program = ag.compile(of.gradients(), backend="numba")
    with np.errstate(all="ignore"):
        alike(of, program(**of.feeds), unrolled(name, None), 1e-10, "native, no batch")
        of = case(name, 3)
        program = ag.compile(of.gradients(), backend="numba")
        alike(of, program(**of.feeds), unrolled(name, 3), 1e-10, "native, batch 3")
        alike(of, program(**case(name, 1).feeds), unrolled(name, 1), 1e-10, "native, batch 1")


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


def position(of: Case, name: str) -> int | None:
    axes = of.graph.inputs[name].axes
    return axes.index(of.sketch.t) if of.sketch.t in axes else None


def whole(of: Case, losses: list[Any]) -> Any:
    """Return the loss that those of the pieces come to."""
    return sum(losses) if of.entry.pieces == "sum" else losses[-1]


def in_pieces(of: Case, backend: str) -> None:
    """The loss is that of all steps; gradients are those of each piece; those of the first are what plain loops say."""
    nodes = of.gradients(of.params)
    if refused(of, "carry", lambda: ag.compile(nodes, carry=of.sketch.t, backend=backend)):
        return
    program, graph = ag.compile(nodes, carry=of.sketch.t, backend=backend), ag.Graph(nodes)
    steps, carry, left, losses = of.sketch.T, None, of.sketch.t, []
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


@some
def test_pieces(name: str):
    in_pieces(case(name, 3), "numpy")


@few
def test_pieces_native(name: str, in_python):
    with np.errstate(all="ignore"):
        in_pieces(case(name, None), "numba")


@some
@pytest.mark.parametrize("batch", [None, 3])
def test_stream(name: str, batch: int | None):
    """A step at a time, parameters bound for the batch."""
    of = case(name, batch)
    if refused(of, "stream", lambda: ag.stream(of.loss, over=of.sketch.t)):
        return
    step, carry, losses = ag.stream(of.loss, over=of.sketch.t), None, []
    fixed = {name: v for name, v in of.feeds.items() if position(of, name) is None}
    step, fixed = (step.bind(**fixed), {}) if batch else (step, fixed)
    for i in range(of.sketch.T):
        fed = {k: np.take(v, i, place) for k, v in of.feeds.items() if (place := position(of, k)) is not None}
        value, carry = step(carry, **fed, **fixed)
        losses.append(np.array(value))
    near(whole(of, losses), truth(name, batch)[0], 1e-10, (name, "stream"))


@some
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


@pytest.mark.parametrize(("name", "backend"), RAGGED)
def test_lengths(name: str, backend: str, in_python):
    """Sequences of their own lengths, with NaN in the padding, are what each is alone."""
    of = case(name, 3)
    cut = {a.name: LENGTHS[a.name] for a in of.graph.axes if a.name in LENGTHS}
    nodes, feeds = of.gradients(), padded(of, cut)
    lengths = {(getattr(of.sketch, a), of.sketch.b): n for a, n in cut.items()}
    run = ag.Graph(nodes).evaluate if backend == "unrolled" else ag.compile(nodes, backend=backend)
    if refused(of, "lengths", lambda: run(lengths=lengths, **feeds)):
        return
    with np.errstate(all="ignore"):
        got = run(lengths=lengths, **feeds)
    true(of, got, truth(name, 3, ragged=True), 1e-9, f"lengths, {backend}")
