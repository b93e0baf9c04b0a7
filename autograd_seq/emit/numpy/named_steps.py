"""Rows that an index names along an axis: what is read there, and what is added there."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array, write_tuple
from autograd_seq.emit.numpy.page import Page
from autograd_seq.plan.memory.views import get_root

_NAMED = Axis("named")
"""Stands for the axis along which rows are named: all of its steps are there, even in a loop over them."""


def write_take(w: Page, node: Node) -> None:
    """Write the rows of an array that an index names."""
    x, index = node.inputs
    rows = _name_axis(w.get_array(x), node.attrs["axis"])
    shared, own, others = _sort_axes(w, rows, index)
    k = len(index.shape)
    if w.is_local(node):
        lengths = [*(w.size[a] for a in w.get_array(node).axes), *node.shape]
        w.write(f"{w.get_array(node).code} = empty({write_tuple(lengths)}, {w.get_width(node)})")
    out = w.show(w.get_array(node), [*shared, *own, *range(k), *others, *range(k, len(node.shape))], w.get_label(node))
    table = w.show(rows, [_NAMED, *shared, *others, *range(len(x.shape))], f"{w.get_label(x)}_steps")
    w.helpers.add("read_steps")
    w.write(f"read_steps({table}, {_write_places(w, index, shared, own)}, {out})")


def write_add(w: Page, node: Node) -> None:
    """Write the addition of a value to the rows that an index names; the last row is that of an index of −1."""
    zeros, g, index = node.inputs
    home = w.storage.homes[get_root(zeros)]
    rows = _name_axis(Array(w.get_workspace_array(home), home.axes, zeros.shape, WORK), node.attrs["axis"])
    shared, own, others = _sort_axes(w, rows, index)
    table = w.show(rows, [_NAMED, *shared, *others, *range(len(zeros.shape))], f"{w.get_label(node)}_rows")
    x, k = w.get_array(g), len(index.shape)
    have = set(x.axes)
    want: list[Axis | int | None] = [a if a in have else None for a in (*shared, *own)]
    want += [*range(k), *(a if a in have else None for a in others), *range(k, len(g.shape))]
    w.write(f"np.add.at({table}, {_write_places(w, index, shared, own)}, {w.show(x, want, w.get_label(g))})")


def _name_axis(x: Array, axis: Axis) -> Array:
    return x.as_view(x.code, axes=tuple(_NAMED if a is axis else a for a in x.axes))


def _sort_axes(w: Page, rows: Array, index: Node) -> tuple[list[Axis], list[Axis], list[Axis]]:
    """Return the lifted axes of both, those of the index alone, and those of the rows alone."""
    lifted = [a for a in w.split_axes(rows.axes)[1] if a is not _NAMED]
    asked = w.split_axes(w.get_array(index).axes)[1]
    return ([a for a in lifted if a in asked], [a for a in asked if a not in lifted], [a for a in lifted if a not in asked])


def _write_places(w: Page, index: Node, shared: Sequence[Axis], own: Sequence[Axis]) -> str:
    """Return the index of all rows: the one that is named, and the point of each shared axis."""
    rank = len(shared) + len(own) + len(index.shape)
    named = w.show(w.get_array(index), [*shared, *own, *range(len(index.shape))], w.get_label(index))
    points = []
    for k, a in enumerate(shared):
        lengths = write_tuple([w.size[a] if i == k else 1 for i in range(rank)])
        points.append(w.make_once(f"arange({w.size[a]}).reshape({lengths})", f"each_{a.name}", lengths, "np.int64"))
    return write_tuple([named, *points])


__all__ = ["write_add", "write_take"]
