"""Indices that are data, in native code: how they are checked, and what is read and added where they point.

A fed index is checked before a call computes. One that is computed is checked where it is read: an index that names nothing is
kept in an array, −1 is read instead, and the program raises after the function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autograd_seq.core.node import Node
from autograd_seq.core.op import Op
from autograd_seq.emit.native.dims import list_dims, list_operand_dims
from autograd_seq.emit.native.lines import LineWriter
from autograd_seq.emit.native.operations import has_computed_index, write_zero
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.places import AffineIndex, At, Entry
from autograd_seq.ops.gather import IN_RANGE, ONE_HOT, PICK, TAKE, find_lookup
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.plan.memory.views import get_root


def _read_named_entry(w: LineWriter, node: Node, at: At, dims: tuple[AffineIndex, ...]) -> str:
    """Return the entry or the row that an index names, as an expression."""
    x, index = node.inputs
    place = AffineIndex(_read_index(w, node, at, list_operand_dims(node, index, dims)))
    inside = (*dims, place) if node.op is PICK else (place, *dims[node.attrs["index_rank"] :])
    return w.write_value(x, at, inside)


def _compare_with_index(w: LineWriter, node: Node, at: At, dims: tuple[AffineIndex, ...]) -> str:
    """Return an entry of the vector that is 1 where an index points."""
    return str(node.op.native).format(_read_index(w, node, at, dims[:-1]), dims[-1].code)


def _check_step(w: LineWriter, node: Node, at: At, dims: tuple[AffineIndex, ...]) -> str:
    """Return an index, if it names one of n steps, else −1."""
    index, n = (w.write_value(x, at, list_operand_dims(node, x, dims)) for x in node.inputs)
    return _check_computed(w, index, node.attrs.get("least", 0), n)


def _read_named_step(w: LineWriter, node: Node, at: At, dims: tuple[AffineIndex, ...]) -> str:
    """Return the value at the step that an index names, which has been checked; zero for −1."""
    (x, i), k, row = node.inputs, len(node.inputs[1].shape), w.names.new("row")
    w.add_line(f"{row} = {w.write_value(i, at, dims[:k])}")
    code = w.write_value(x, {**at, node.attrs["axis"]: AffineIndex(row)}, dims[k:])
    return f"({code} if {row} >= 0 else {write_zero(node)})"


def _read_index(w: LineWriter, node: Node, at: At, dims: Sequence[AffineIndex]) -> str:
    """Return the index by which a node looks up, checked."""
    found = find_lookup(node)
    assert found is not None, "it looks up"
    (index, n), root = found, get_root(found[0])
    if root.op is INPUT:
        check = f"check_range({w.get_feed(root)}, {n})"
        w.helpers.add("check_range")
        if check not in w.run:
            w.run.insert(0, check)
    code = w.write_value(index, at, dims)
    if not has_computed_index(node):
        return code
    place = w.names.new("place")
    checked = _check_computed(w, code, 0, str(n))
    w.add_line(f"{place} = {checked if node.op is ONE_HOT else f'max({checked}, 0)'}")
    return place


def _check_computed(w: LineWriter, index: str, least: int, n: str) -> str:
    """Return an index that is computed, or −1 if it is none of ``least`` … n − 1; then the program will raise."""
    if not w.wrong:
        w.wrong = w.names.new("wrong")
        w.helpers.add("refuse_index")
        w.work.append(f"{w.wrong} = zeros(4, np.int64)")
        w.buffers.append((write_tuple([4]), "np.int64"))
    return f"check_index({index}, {least}, {n}, {w.add_pointer(w.wrong, 'int')})"


def write_addition_to_rows(w: LineWriter, node: Node) -> None:
    """Write the addition of a value to the row that an index names; an index of −1 names none."""
    zeros, g, index = node.inputs
    dims, k = list_dims(g.shape), len(index.shape)
    ranges = [(str(p.var), str(n)) for p, n in zip(dims, g.shape, strict=True)]
    at = w.get_point(node)
    with w.open_loops([*w.list_lifted_loops(node.axes), *(r for r in ranges[:k] if r[1] != "1")]):
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


INDEXED: Mapping[Op, Callable[[LineWriter, Node, At, tuple[AffineIndex, ...]], str]] = {
    PICK: _read_named_entry, TAKE: _read_named_entry, ONE_HOT: _compare_with_index, IN_RANGE: _check_step,
    TAKE_STEP: _read_named_step,
}  # fmt: skip
"""How an operation that looks up by an index is written: from its node, point and dimensions to an expression."""

__all__ = ["INDEXED", "write_addition_to_rows"]
