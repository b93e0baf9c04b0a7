"""Indices for the dimensions of values in native code, and the entry of each operand that belongs to them."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.node import Node
from autograd_seq.emit.places import AffineIndex, undo_broadcast, undo_reshape
from autograd_seq.ops.gather import ONE_HOT, PICK, TAKE
from autograd_seq.ops.parts import CONCAT, PLACE
from autograd_seq.ops.shape import RESHAPE
from autograd_seq.ops.steps import TAKE_STEP

DIMS = "ijkmnpq"
"""The variables that run over the dimensions of a value."""
INDEX = AffineIndex("<an index>")
"""Stands for an index that is read from an array."""


def list_dims(shape: Sequence[int]) -> tuple[AffineIndex, ...]:
    """Return the indices of the inner loops over a shape.

    Example:
        >>> [p.code for p in list_dims((4, 1))]
        ['i', '0']
    """
    return tuple(AffineIndex(DIMS[k]) if n != 1 else AffineIndex(None) for k, n in enumerate(shape))


def list_operand_dims(node: Node, x: Node, dims: tuple[AffineIndex, ...]) -> tuple[AffineIndex, ...]:
    """Return the indices in an operand that a node reads for the entry ``dims`` of its own value."""
    op = node.op
    if op is RESHAPE:
        return undo_reshape(dims, node.shape, x.shape)
    if op is ONE_HOT:
        return dims[:-1]
    if op is PICK:
        return (*dims, INDEX) if x is node.inputs[0] else dims
    if op is TAKE:
        k = node.attrs["index_rank"]
        return (INDEX, *dims[k:]) if x is node.inputs[0] else dims[:k]
    if op is TAKE_STEP:
        k = len(node.inputs[1].shape)
        return dims[k:] if x is node.inputs[0] else dims[:k]
    if op is PLACE:
        return undo_place(dims, node.attrs["key"], node.attrs["shape"])[0]
    return undo_broadcast(dims, x.shape) if op is not CONCAT else dims


def undo_place(dims: Sequence[AffineIndex], key: Sequence[object],
               shape: Sequence[int]) -> tuple[tuple[AffineIndex, ...], list[str]]:  # fmt: skip
    """Return the indices in the operand of a PLACE from which an entry comes, and when it comes from there, as source.

    Args:
        dims: the indices of the entry.
        key: where the operand is placed.
        shape: of the value.

    Example:
        >>> dims, conditions = undo_place([AffineIndex("i")], [slice(1, 3, 1)], [5])
        >>> [p.code for p in dims], conditions
        (['i - 1'], ['1 <= i <= 2'])
    """
    found, conditions, left = list[AffineIndex](), list[str](), iter(zip(dims, shape, strict=True))
    for part in key:
        if part is None:
            found.append(AffineIndex(None))
            continue
        place, n = next(left)
        if not isinstance(part, slice):
            conditions.append(f"{place.code} == {part}")
            continue
        reach = range(*part.indices(n))
        if abs(reach.step) == 1:
            found.append(place.scale_by(reach.step).move(-reach.step * reach.start))
        else:
            found.append(AffineIndex(f"(({place.code} - {reach.start}) // {reach.step})"))
        if len(reach) < n:
            conditions.append(f"{min(reach, default=0)} <= {place.code} <= {max(reach, default=-1)}")
            conditions += [f"({place.code} - {reach.start}) % {abs(reach.step)} == 0"] if abs(reach.step) > 1 else []
    return tuple(found), conditions


__all__ = ["DIMS", "INDEX", "list_dims", "list_operand_dims", "undo_place"]
