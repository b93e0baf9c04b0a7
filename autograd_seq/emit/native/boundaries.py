"""Rows outside of the steps in native code: what a shift reads before the first step of an axis, or after the last."""

from __future__ import annotations

from autograd_seq.core.node import Node
from autograd_seq.emit.native.dims import dims_of
from autograd_seq.emit.native.lines import Lines
from autograd_seq.emit.native.places import Entry, Place
from autograd_seq.graph.order import get_rows
from autograd_seq.plan.memory.views import get_root


def rows_outside(w: Lines, node: Node) -> None:
    """Write the rows that a shift reads outside of the steps, unless they are zeros that are there already."""
    axis, by = node.attrs["axis"], node.attrs["by"]
    side, home = "init" if by > 0 else "final", w.storage.homes[get_root(node)]
    if (home, axis, side) in w.filled:
        return
    w.filled.add((home, axis, side))
    bound, given = (None, ()) if node.attrs["outside"] == "zero" else get_rows(node.inputs[0], axis, side)
    if bound is None and not home.ring:
        return  # zeros that are there already
    reach = max(abs(b) for r in w.storage.reads[home.node] for a, b in r.shifts if a is axis)
    count = reach if home.ring else home.halo[axis][0 if by > 0 else 1]
    stepping = {u.loop.axis for u in w.around}
    axes = [a for a in home.axes if a is not axis and a not in stepping]
    with w.loops([*w.lifted(axes), *w.inner(home.node.shape)]):
        for j in range(count):
            where = Place(None, 1, j - count) if by > 0 else Place(w.argument(w.size[axis]), 1, j)
            place = {**w.here(home.node), axis: where}
            target = w.element(Entry(home.node, place, dims_of(home.node.shape)))
            code = "0"
            if bound is not None:
                row = given[0] if bound.rows is None else given[j - count] if by > 0 else given[j]
                w.registers = {}
                code = w.value(row, {a: Place(w.var[a]) for a in row.axes}, dims_of(home.node.shape))
            w.line(f"{target} = {code}")


__all__ = ["rows_outside"]
