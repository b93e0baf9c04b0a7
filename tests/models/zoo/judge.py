"""What results are held to: plain loops and complex steps, then the unrolled graph. Which models run where, by day."""

from __future__ import annotations

import zlib
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from zoo import MODELS
from zoo.model import Case
from zoo.plain import slopes
from zoo.recurrent import CELLS

LENGTHS = {"t": [7, 1, 4], "u": [2, 5, 3]}
DEEP = ["_".join(cells) for cells in product(CELLS, repeat=3)]
BATCHES = (None, 1, 3)


def by_day(name: str, what: str, of: int = 2) -> bool:
    """Choose one model in so many, others in each runner, and of the stacks of three one in ten or fewer."""
    return zlib.crc32(f"{name} {what}".encode()) % (max(10, of) if name in DEEP else of) == 0


def position(of: Case, name: str) -> int | None:
    """Return where a feed has the steps; ``None`` if it has none."""
    axes = of.graph.inputs[name].axes
    return axes.index(of.axis) if of.axis in axes else None


@cache
def case(name: str, batch: int | None) -> Case:
    return MODELS[name].made(B=batch)


def direction(of: Case, name: str) -> np.ndarray:
    return np.random.default_rng(len(name) + sum(map(ord, name))).normal(size=of.feeds[name].shape)


@cache
def truth(name: str, batch: int | None, ragged: bool = False) -> tuple[float, dict[str, float]]:
    """Return the loss by plain loops, and its slopes by complex steps."""
    of = case(name, batch)
    cut = {**LENGTHS, **of.entry.lengths} if ragged else None
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
    dag = of.graph.unroll(**{a.name: of.sketch.sizes[a.name] for a in of.graph.axes if a.name in of.sketch.sizes})
    return [*dag.grad(of.wrt, with_outputs=True).evaluate(**of.feeds)]


def near(got: Any, want: Any, tolerance: float, what: Any, floor: float = 1e-3) -> None:
    """Equal relative to the largest entry."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, what
    off = np.max(np.abs(got - want), initial=0.0) / max(floor, np.max(np.abs(want), initial=0.0))
    assert off <= tolerance, f"{what}: {off:.1e} off: {got.ravel()[:5]} for {want.ravel()[:5]}"


def alike(of: Case, got: Any, want: Any, tolerance: float, what: str) -> None:
    """Check a loss and gradients; one that cancels, so that rounding is all there is, relative to the largest."""
    top = max((np.max(np.abs(w), initial=0.0) for w in want[1:]), default=1.0)
    for label, a, w in zip(["loss", *[x.name for x in of.wrt]], got, want, strict=True):
        near(a, w, tolerance, (of.entry.name, what, label), max(top, 1e-3) if label in of.entry.dead else 1e-3)


def true(of: Case, got: Any, want: tuple[float, dict[str, float]], tolerance: float, what: str) -> None:
    """Check a loss and gradients against the slopes that they must have along the directions."""
    near(got[0], want[0], tolerance, (of.entry.name, what, "loss"))
    for x, g in zip(of.wrt, got[1:], strict=True):
        way = direction(of, x.name)
        assert g.shape == way.shape, (of.entry.name, what, x.name)
        scale = max(np.sum(np.abs(g * way)), 1e-3)
        off = abs(np.sum(g * way) - want[1][x.name]) / scale
        assert off <= tolerance, f"{of.entry.name}, {what}, {x.name}: {off:.1e} off"
