"""Rows outside of the steps in native code: what a shift reads before the first step of an axis, or after the last."""

from __future__ import annotations

from autograd_seq.emit.native.dims import list_dims
from autograd_seq.emit.native.lines import LineWriter
from autograd_seq.emit.outline import Fill
from autograd_seq.emit.places import AffineIndex, Entry
from autograd_seq.plan.memory.views import get_root


def write_rows_outside(w: LineWriter, fill: Fill) -> None:
    """Write rows outside of the steps."""
    home, dims = w.storage.homes[get_root(fill.shift)], list_dims(get_root(fill.shift).shape)
    axes = [a for a in home.axes if a is not fill.axis]
    with w.open_loops([*w.list_lifted_loops(axes), *w.list_inner_loops(home.node.shape)]):
        for k, row in fill.rows:
            where = AffineIndex(None, 1, k) if fill.side == "init" else AffineIndex(w.size[fill.axis], 1, k)
            target = w.write_element(Entry(home.node, {**w.get_point(home.node), fill.axis: where}, dims))
            value = "0" if row is None else w.write_value(row, w.get_point(row), dims)
            w.add_line(f"{target} = {value}")


__all__ = ["write_rows_outside"]
