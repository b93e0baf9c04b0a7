"""Rows that an index names along an axis: what is read there, and what is added there."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array, tuple_code
from autograd_seq.emit.numpy.page import Page
from autograd_seq.plan.memory.views import get_root

_NAMED = Axis("named")
"""Stands for the axis along which rows are named: all of its steps are there, even in a loop over them."""


def write_take(w: Page, node: Node) -> None:
    """Write the rows of an array that an index names."""
    x, index = node.inputs
    rows = _name_axis(w.array(x), node.attrs["axis"])
    shared, own, others = _sort_axes(w, rows, index)
    k = len(index.shape)
    if w.is_local(node):
        lengths = [*(w.size[a] for a in w.array(node).axes), *node.shape]
        w.write(f"{w.array(node).code} = empty({tuple_code(lengths)}, {w.width(node)})")
    out = w.show(w.array(node), [*shared, *own, *range(k), *others, *range(k, len(node.shape))], w.called(node))
    table = w.show(rows, [_NAMED, *shared, *others, *range(len(x.shape))], f"{w.called(x)}_steps")
    w.helpers.add("read_steps")
    w.write(f"read_steps({table}, {_write_places(w, index, shared, own)}, {out})")


def write_add(w: Page, node: Node) -> None:
    """Write the addition of a value to the rows that an index names; the last row is that of an index of −1."""
    zeros, g, index = node.inputs
    home = w.storage.homes[get_root(zeros)]
    rows = _name_axis(Array(w.allocated(home), home.axes, zeros.shape, WORK), node.attrs["axis"])
    shared, own, others = _sort_axes(w, rows, index)
    table = w.show(rows, [_NAMED, *shared, *others, *range(len(zeros.shape))], f"{w.called(node)}_rows")
    x, k = w.array(g), len(index.shape)
    have = set(x.axes)
    want: list[Axis | int | None] = [a if a in have else None for a in (*shared, *own)]
    want += [*range(k), *(a if a in have else None for a in others), *range(k, len(g.shape))]
    w.write(f"np.add.at({table}, {_write_places(w, index, shared, own)}, {w.show(x, want, w.called(g))})")


def _name_axis(x: Array, axis: Axis) -> Array:
    return x.as_view(x.code, axes=tuple(_NAMED if a is axis else a for a in x.axes))


def _sort_axes(w: Page, rows: Array, index: Node) -> tuple[list[Axis], list[Axis], list[Axis]]:
    """Return the lifted axes of both, those of the index alone, and those of the rows alone."""
    lifted = [a for a in w.level(rows.axes)[1] if a is not _NAMED]
    asked = w.level(w.array(index).axes)[1]
    return ([a for a in lifted if a in asked], [a for a in asked if a not in lifted], [a for a in lifted if a not in asked])


def _write_places(w: Page, index: Node, shared: Sequence[Axis], own: Sequence[Axis]) -> str:
    """Return the index of all rows: the one that is named, and the point of each shared axis."""
    rank = len(shared) + len(own) + len(index.shape)
    named = w.show(w.array(index), [*shared, *own, *range(len(index.shape))], w.called(index))
    points = []
    for k, a in enumerate(shared):
        lengths = tuple_code([w.size[a] if i == k else 1 for i in range(rank)])
        points.append(w.made_once(f"arange({w.size[a]}).reshape({lengths})", f"each_{a.name}", lengths, "np.int64"))
    return tuple_code([named, *points])


__all__ = ["write_add", "write_take"]
