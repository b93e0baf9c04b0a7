"""Rows outside of the steps: what a shift reads before the first step of an axis, or after the last."""

from __future__ import annotations

from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array
from autograd_seq.emit.numpy.page import Page
from autograd_seq.emit.outline import Fill
from autograd_seq.plan.memory.lanes import Lane
from autograd_seq.plan.memory.storage import Home
from autograd_seq.plan.memory.views import get_root


def write_rows(w: Page, fill: Fill) -> None:
    """Write rows outside of the steps."""
    home, axis, first = w.storage.homes[get_root(fill.shift)], fill.axis, fill.side == "init"
    if home.ring:
        _write_ring(w, fill, home)
        return
    lane = home.lane or Lane(home.node, -1, 0, home.node.shape[-1] if home.node.shape else 0)
    whole = w.storage.homes[lane.whole]
    p, origin = whole.axes.index(axis), lane.by + (whole.halo[axis][0] if first else -whole.halo[axis][1])
    part = [] if home.lane is None else [*(":" for _ in whole.node.shape[1:]), f"{lane.start}:{lane.stop}"]
    base = Array(w.get_workspace_array(whole), whole.axes, home.node.shape, WORK)
    label, keys = w.get_label(home.node), w.write_keys(whole)
    for k, row in fill.rows:
        assert row is not None  # zeros are there already
        code = w.compute_once(base.write_index({**keys, p: str(k + origin)}, part), f"{label}_{fill.side}")
        _copy(w, base.as_view(code, axes=tuple(a for a in whole.axes if a is not axis), whole=False), row, label)


def _copy(w: Page, target: Array, row: Node, label: str) -> None:
    _, lifted = w.split_axes(target.axes)
    w.write(f"copyto({w.show_step(target, label)}, {w.write_operand(row, lifted, len(target.shape))})")


def _write_ring(w: Page, fill: Fill, home: Home) -> None:
    """Write the rows of a ring, whose places count the steps of the loop in its direction."""
    base = w.get_workspace_array(home)
    if fill.rows[0][1] is None:
        w.write(f"{base}.fill(0)")
        return
    first = fill.side == "init"
    for k, row in fill.rows if first else fill.rows[::-1]:
        assert row is not None
        place = f"[{(k if first else -1 - k) % home.ring}, ...]" if home.ring > 1 else ""
        target = Array(w.compute_once(f"{base}{place}", f"{base}_start") if place else base, home.axes, home.node.shape, WORK)
        _copy(w, target, row, w.get_label(home.node))
