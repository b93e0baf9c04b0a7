"""Rows that an index names along an axis, in native code: what is added to them."""

from __future__ import annotations

from autograd_seq.core.node import Node
from autograd_seq.emit.native.dims import list_dims
from autograd_seq.emit.native.lines import LineWriter
from autograd_seq.emit.native.places import AffineIndex, Entry
from autograd_seq.plan.memory.views import get_root


def write_addition_to_rows(w: LineWriter, node: Node) -> None:
    """Write the addition of a value to the row that an index names; an index of −1 names none."""
    zeros, g, index = node.inputs
    dims, k = list_dims(g.shape), len(index.shape)
    ranges = [(str(p.var), str(n)) for p, n in zip(dims, g.shape, strict=True)]
    at = {a: AffineIndex(w.var[a]) for a in node.axes}
    w.registers = {}
    with w.open_loops([*w.list_lifted_loops(w.storage.lift(node.axes, node)), *(r for r in ranges[:k] if r[1] != "1")]):
        row = w.names.new("row")
        w.add_line(f"{row} = {w.write_value(index, at, dims[:k])}")
        w.add_line(f"if {row} >= 0:")
        w.depth += 1
        with w.open_loops([r for r in ranges[k:] if r[1] != "1"]):
            code = w.write_value(g, at, dims)
            root = get_root(zeros)
            place = {**{a: at[a] for a in root.axes if a in at}, node.attrs["axis"]: AffineIndex(row)}
            w.add_line(f"{w.write_element(Entry(root, place, dims[k:]))} += {code}")
        w.depth -= 1
    w.registers = {}


__all__ = ["write_addition_to_rows"]
