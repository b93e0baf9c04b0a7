"""Rows outside of the steps: what a shift reads before the first step of an axis, or behind the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array
from autograd_seq.emit.numpy.page import Page
from autograd_seq.graph.order import get_rows
from autograd_seq.plan.memory.lanes import Lane
from autograd_seq.plan.memory.storage import Home
from autograd_seq.plan.memory.views import get_root


def fill(w: Page, node: Node) -> None:
    """Write the rows that a shift reads outside of the steps, unless they are zeros that are there already."""
    axis, by = node.attrs["axis"], node.attrs["by"]
    side = "init" if by > 0 else "final"
    home = w.storage.homes[get_root(node)]
    if (home, axis, side) in w.filled:
        return
    w.filled.add((home, axis, side))
    bound, given = (None, ()) if node.attrs["outside"] == "zero" else get_rows(node.inputs[0], axis, side)
    if home.ring:
        _fill_ring(w, home, by, bound, given)
        return
    if bound is None:
        return
    lo, hi = home.halo[axis]
    lane = home.lane or Lane(home.node, -1, 0, home.node.shape[-1] if home.node.shape else 0)
    whole = w.storage.homes[lane.whole]
    p, before, behind = whole.axes.index(axis), whole.halo[axis][0] - lo + lane.by, lane.by - whole.halo[axis][1]
    part = [] if home.lane is None else [*(":" for _ in whole.node.shape[1:]), f"{lane.start}:{lane.stop}"]
    for j in range(lo if by > 0 else hi):
        row = given[0] if bound.rows is None else given[j - lo] if by > 0 else given[j]
        core = {q: f"{whole.halo[a][0]}:{f'-{whole.halo[a][1]}' if whole.halo[a][1] else ''}"
                for q, a in enumerate(whole.axes) if a in whole.halo and a is not axis}  # fmt: skip
        base = Array(w.allocated(whole), whole.axes, home.node.shape, WORK)
        target = base.as_view(
            w.once(base.index({**core, p: str(j + (before if by > 0 else behind))}, part), f"{w.called(home.node)}_{side}"),
            axes=tuple(a for a in whole.axes if a is not axis), whole=False,
        )  # fmt: skip
        _copy(w, target, row, w.called(home.node))


def _copy(w: Page, target: Array, row: Node, label: str) -> None:
    _, lifted = w.level(target.axes)
    w.write(f"copyto({w.at_step(target, label)}, {w.operand(row, lifted, len(target.shape))})")


def _fill_ring(w: Page, home: Home, by: int, bound: Any, given: Sequence[Node]) -> None:
    base, k = w.allocated(home), abs(by)
    loop = w.storage.path[home.node][-1]
    delays = {abs(b) for r in w.storage.reads[home.node] for a, b in r.shifts if a is loop.axis}
    k = max(delays)
    if bound is None:
        w.write(f"{base}.fill(0)")
        return
    for i in range(k):  # what step i reads k steps late
        row = given[0] if bound.rows is None else given[len(given) - k + i] if by > 0 else given[k - 1 - i]
        place = f"[{(i - k) % home.ring}, ...]" if home.ring > 1 else ""
        target = Array(w.once(f"{base}{place}", f"{base}_start") if place else base, home.axes, home.node.shape, WORK)
        _copy(w, target, row, w.called(home.node))
