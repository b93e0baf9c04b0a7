"""Operations that change the shape: reshape, transpose, broadcast, inserting and dropping dimensions.

Attributes count dimensions from the end, and hold the rank of the operand, so that every ``forward`` works with any leading
(lifted) dimensions.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.core.errors import ShapeError
from autograd_seq.core.facts import ADJACENT, ENTRIES, KEPT, TOGETHER
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import defop
from autograd_seq.core.rules import broadcast as broadcast_shapes
from autograd_seq.core.rules import first


def lead(x: Any, rank: int) -> tuple[int, ...]:
    """Return the leading (lifted) dimensions of an array whose value has ``rank`` dimensions."""
    return x.shape[: x.ndim - rank]


def negative_axis(axis: int, rank: int, of: Any = None) -> int:
    """Return ``axis`` counted from the end, −1 the last.

    Raises:
        ShapeError: there is no such dimension.
    """
    try:
        at = operator.index(axis)
    except TypeError:
        at = rank
    if not -rank <= at < rank:
        raise ShapeError(
            "S105", f"there is no dimension {axis!r:.60}", node=getattr(of, "name", None), where=getattr(of, "where", None),
            expected=f"a dimension of a value with {rank}", got=repr(axis),
            fix="time is an axis, not a dimension: reduce over it with over=",
        )  # fmt: skip
    return at - rank if at >= 0 else at


def negative_axes(axis: int | Sequence[int] | None, rank: int, of: Any = None) -> tuple[int, ...]:
    """Return the dimensions as sorted negative numbers; ``None`` is all of them.

    Raises:
        ShapeError: there is no such dimension, or one is named twice.
    """
    if axis is None:
        return tuple(range(-rank, 0))
    several = axis if isinstance(axis, (tuple, list)) else (axis,)
    found = {negative_axis(a, rank, of) for a in several}
    if len(found) < len(several):
        raise ShapeError(
            "S124", f"axis={axis!r:.60} names a dimension twice", node=getattr(of, "name", None),
            where=getattr(of, "where", None), expected="each dimension once", got=repr(axis),
        )  # fmt: skip
    return tuple(sorted(found))


# -- reshape, transpose, broadcast ----------------------------------------------------------------------------------


def _reshape_shape(x: tuple[int, ...], *, shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    if math.prod(shape) != math.prod(x) or min(shape, default=0) < 0:
        raise ValueError(f"{math.prod(shape)} entries for {shape}")
    return shape


def _reshaped(x: Any, shape: Any, rank: int) -> Any:  # a plain function, whose source a program can hold
    return np.reshape(x, lead(x, rank) + shape)


RESHAPE = defop(
    "reshape", shape=_reshape_shape, dtype=first, forward=_reshaped,
    vjp=lambda g, y, x, shape, rank: (reshape(g, x.shape),),
    view=ADJACENT, native=True, flops=0, linear=TOGETHER, range=KEPT,
)  # fmt: skip


def reshape(x: Any, shape: int | Sequence[int]) -> Node:
    """Return the entries of ``x`` in another shape; one length may be −1.

    Args:
        x: (…), any value.
        shape: of the result.

    Returns:
        A node of that shape, over the axes of ``x``.

    Raises:
        ShapeError: the number of entries differs.

    Example:
        >>> reshape([1.0, 2.0, 3.0, 4.0], (2, -1)).shape
        (2, 2)
    """
    x = constant(x)
    new = tuple(operator.index(n) for n in shape) if isinstance(shape, Sequence) else (operator.index(shape),)
    if new.count(-1) == 1:
        rest = math.prod(n for n in new if n != -1)
        new = tuple(math.prod(x.shape) // max(rest, 1) if n == -1 else n for n in new)
    return x if new == x.shape else RESHAPE(x, shape=new, rank=x.ndim)


TRANSPOSE = defop(
    "transpose", dtype=first, shape=lambda x, *, axes: tuple(x[a] for a in axes),
    forward=lambda x, axes: np.transpose(x, (*range(x.ndim - len(axes)), *(x.ndim + a for a in axes))),
    vjp=lambda g, y, x, axes: (transpose(g, [axes.index(a) for a in range(-len(axes), 0)]),), symbol="ᵀ",
    view=ENTRIES, linear=TOGETHER, range=KEPT,
)  # fmt: skip


def transpose(x: Any, axes: Sequence[int] | None = None) -> Node:
    """Permute the dimensions of the value; by default reverse them.

    Args:
        x: (…), any value.
        axes: the dimensions in their new order.

    Returns:
        A node, over the axes of ``x``.

    Raises:
        ShapeError: ``axes`` is no permutation of the dimensions.

    Example:
        >>> transpose([[1.0, 2.0, 3.0]]).shape
        (3, 1)
    """
    x = constant(x)
    order = tuple(negative_axis(a, x.ndim, x) for a in (range(x.ndim)[::-1] if axes is None else axes))
    if sorted(order) != list(range(-x.ndim, 0)):
        raise ShapeError(
            "S106", f"axes={tuple(axes or ())} is not a permutation of {x.ndim} dimensions", node=x.name, where=x.where,
            expected=f"a permutation of {tuple(range(x.ndim))}", got=str(tuple(axes or ())),
        )  # fmt: skip
    return x if x.ndim < 2 else TRANSPOSE(x, axes=order)


def _broadcast_to_shape(x: tuple[int, ...], *, shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    if broadcast_shapes(x, shape) != shape:
        raise ValueError(f"a shape that broadcasts to {shape}")
    return shape


BROADCAST_TO = defop(
    "broadcast_to", shape=_broadcast_to_shape, dtype=first,
    forward=lambda x, shape, rank: np.broadcast_to(
        np.reshape(x, lead(x, rank) + (1,) * (len(shape) - rank) + x.shape[x.ndim - rank :]), lead(x, rank) + shape),
    vjp=lambda g, y, x, shape, rank: (g,),  # the engine sums over broadcast dimensions
    view=ENTRIES, linear=TOGETHER, range=KEPT,
)  # fmt: skip


def broadcast_to(x: Any, shape: Sequence[int]) -> Node:
    """Repeat the value along new and length-1 dimensions until it has ``shape``.

    Args:
        x: (…), any value.
        shape: of the result.

    Returns:
        A node of that shape, over the axes of ``x``.

    Example:
        >>> broadcast_to([1.0, 2.0], (3, 2)).shape
        (3, 2)
    """
    x, shape = constant(x), tuple(shape)
    return x if x.shape == shape else BROADCAST_TO(x, shape=shape, rank=x.ndim)


def expand_dims(x: Any, axis: int) -> Node:
    """Insert a dimension of length 1 at ``axis`` of the result.

    Args:
        x: (…), any value.
        axis: the place of the new dimension; negative numbers count from the end.

    Returns:
        A node with one dimension more.

    Example:
        >>> expand_dims([1.0, 2.0], -1).shape
        (2, 1)
    """
    x = constant(x)
    at = negative_axis(axis, x.ndim + 1, x) + x.ndim + 1
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """Drop dimensions of length 1: all, or those named.

    Args:
        x: (…), any value.
        axis: a dimension, or several; all of length 1 by default.

    Returns:
        A node without them, over the axes of ``x``.

    Raises:
        ShapeError: a named dimension is longer.

    Example:
        >>> squeeze([[1.0], [2.0]]).shape
        (2,)
    """
    x = constant(x)
    drop = [a for a in negative_axes(axis, x.ndim, x) if axis is not None or x.shape[a] == 1]
    if any(x.shape[a] != 1 for a in drop):
        raise ShapeError(
            "S107", f"squeeze cannot drop dimensions of {x.shape} whose length is not 1", node=x.name, where=x.where,
            got=str(x.shape),
        )  # fmt: skip
    return reshape(x, tuple(n for a, n in zip(range(-x.ndim, 0), x.shape, strict=True) if a not in drop))


FUNCTIONS.update(transpose=transpose, reshape=reshape, squeeze=squeeze)
__all__ = ["broadcast_to", "expand_dims", "lead", "negative_axes", "negative_axis", "reshape", "squeeze", "transpose"]
explain_keywords(globals(), [name for name in __all__ if name != "lead"])  # the source of lead is copied into programs
