"""Operations that rearrange: reshape, transpose, broadcast, slice, place, concatenate, stack, pad, flip, cumulative sums.

Dimensions are counted from the end inside the attributes, and the rank of the operand is kept with them, so that every
``forward`` works below any leading (lifted) dimensions.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.errors import ShapeError
from autograd_seq.misfit import label_of
from autograd_seq.node import Node, constant
from autograd_seq.op import FUNCTIONS, Op, defop, first, promote
from autograd_seq.op import broadcast as broadcast_shapes


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
            fix="time is no dimension: reduce it with over=",
        )  # fmt: skip
    return at - rank if at >= 0 else at


def negative_axes(axis: int | Sequence[int] | None, rank: int, of: Any = None) -> tuple[int, ...]:
    """Return the dimensions as sorted negative numbers; ``None`` is all of them."""
    if axis is None:
        return tuple(range(-rank, 0))
    several = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(sorted({negative_axis(a, rank, of) for a in several}))


# -- reshape, transpose, broadcast ----------------------------------------------------------------------------------


def _reshape_shape(x: tuple[int, ...], *, shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    if math.prod(shape) != math.prod(x) or min(shape, default=0) < 0:
        raise ValueError(f"{math.prod(shape)} entries for {shape}")
    return shape


def _reshaped(x: Any, shape: Any, rank: int) -> Any:  # a plain function, whose source a program can hold
    return np.reshape(x, lead(x, rank) + shape)


_reshape = defop(
    "reshape", shape=_reshape_shape, dtype=first, forward=_reshaped,
    vjp=lambda g, y, x, shape, rank: (reshape(g, x.shape),),
)  # fmt: skip


def reshape(x: Any, shape: int | Sequence[int]) -> Node:
    """Return the entries of ``x`` in another shape; one length may be −1.

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
    return x if new == x.shape else _reshape(x, shape=new, rank=x.ndim)


_transpose = defop(
    "transpose", dtype=first, shape=lambda x, *, axes: tuple(x[a] for a in axes),
    forward=lambda x, axes: np.transpose(x, (*range(x.ndim - len(axes)), *(x.ndim + a for a in axes))),
    vjp=lambda g, y, x, axes: (transpose(g, [axes.index(a) for a in range(-len(axes), 0)]),), symbol="ᵀ",
)  # fmt: skip


def transpose(x: Any, axes: Sequence[int] | None = None) -> Node:
    """Permute the dimensions of the value; by default reverse them.

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
            "S106", f"{tuple(axes or ())} does not name every dimension once", node=x.name, where=x.where,
            expected=f"a permutation of {tuple(range(x.ndim))}", got=str(tuple(axes or ())),
        )  # fmt: skip
    return x if x.ndim < 2 else _transpose(x, axes=order)


def _broadcast_to_shape(x: tuple[int, ...], *, shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    if broadcast_shapes(x, shape) != shape:
        raise ValueError(f"a shape that broadcasts to {shape}")
    return shape


_broadcast_to = defop(
    "broadcast_to", shape=_broadcast_to_shape, dtype=first,
    forward=lambda x, shape, rank: np.broadcast_to(
        np.reshape(x, lead(x, rank) + (1,) * (len(shape) - rank) + x.shape[x.ndim - rank :]), lead(x, rank) + shape),
    vjp=lambda g, y, x, shape, rank: (g,),  # the engine sums what broadcasting spread
)  # fmt: skip


def broadcast_to(x: Any, shape: Sequence[int]) -> Node:
    """Repeat the value along new and length-1 dimensions until it has ``shape``.

    Example:
        >>> broadcast_to([1.0, 2.0], (3, 2)).shape
        (3, 2)
    """
    x, shape = constant(x), tuple(shape)
    return x if x.shape == shape else _broadcast_to(x, shape=shape, rank=x.ndim)


def expand_dims(x: Any, axis: int) -> Node:
    """Insert a dimension of length 1 at ``axis`` of the result.

    Example:
        >>> expand_dims([1.0, 2.0], -1).shape
        (2, 1)
    """
    x = constant(x)
    at = negative_axis(axis, x.ndim + 1, x) + x.ndim + 1
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """Drop dimensions of length 1: all, or those named.

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
            "S107", f"squeeze drops dimensions of length 1, and those of {x.shape} are not all", node=x.name, where=x.where,
            got=str(x.shape),
        )  # fmt: skip
    return reshape(x, tuple(n for a, n in zip(range(-x.ndim, 0), x.shape, strict=True) if a not in drop))


# -- slice and place ------------------------------------------------------------------------------------------------


def _full_key(key: Any, x: Node) -> tuple[Any, ...]:
    """Return the key with one entry a dimension: integers from 0, slices with explicit ends, None for new dimensions."""
    parts = list(key) if isinstance(key, tuple) else [key]
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if sum(p is Ellipsis for p in parts) > 1 or used > x.ndim:
        raise ShapeError(
            "S108", f"too many indices for {label_of(x)}", node=x.name, where=x.where,
            expected=f"at most {x.ndim}", got=str(used),
            fix="steps are read with the axis: s[t - 1], ag.first(s, over=t), ag.last(s, over=t)",
        )  # fmt: skip
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    at = next(i for i, p in enumerate(parts) if p is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (x.ndim - used)
    full: list[Any] = []
    dimension = iter(x.shape)
    for part in parts:
        full.append(None if part is None else _full_part(part, next(dimension), x))
    return tuple(full)


def _full_part(part: Any, n: int, x: Node) -> Any:
    if isinstance(part, slice):
        start, stop, step = part.indices(n)
        if not range(start, stop, step):
            return slice(0, 0, 1)  # x[-9::-1] of three entries is empty: a start of −1 would mean the last one
        return slice(start, None if stop < 0 else stop, step)
    try:
        if isinstance(part, bool):
            raise TypeError
        i = operator.index(part)
    except TypeError:
        raise ShapeError(
            "S109", f"{label_of(x)} is indexed by integers, slices, ... and None", node=x.name, where=x.where,
            got=repr(part), fix="gather with ag.take(…), choose with ag.where(…)",
        ) from None  # fmt: skip
    if not -n <= i < n:
        raise ShapeError(
            "S110", f"index {i} is out of range", node=x.name, where=x.where, expected=f"−{n} … {n - 1}", got=str(i)
        )
    return i % n


def _sliced(shape: tuple[int, ...], key: tuple[Any, ...]) -> tuple[int, ...]:
    lengths, out = iter(shape), []
    for part in key:
        if part is None:
            out.append(1)
        elif isinstance(part, slice):
            out.append(len(range(*part.indices(next(lengths)))))
        else:
            next(lengths)
    return tuple(out)


_slice = defop(
    "slice", shape=lambda x, *, key: _sliced(x, key), dtype=first, symbol="[·]",
    forward=lambda x, key: x[(Ellipsis, *key)],
    vjp=lambda g, y, x, key: (_place(g, key=key, shape=x.shape),),
)  # fmt: skip


def _place_forward(x: Any, key: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    out = np.zeros(lead(x, len(_sliced(shape, key))) + shape, dtype=x.dtype)
    out[(Ellipsis, *key)] = x
    return out


_place: Op = defop(
    "place", shape=lambda x, *, key, shape: shape, dtype=first, forward=_place_forward,
    vjp=lambda g, y, x, key, shape: (_slice(g, key=key),),
)  # fmt: skip


def place(x: Any, key: tuple[slice, ...], shape: tuple[int, ...]) -> Node:
    """Return zeros of a shape with the entries of ``x`` in the part that ``key`` names: the transpose of :func:`getitem`."""
    return _place(x, key=key, shape=shape)


def getitem(x: Any, key: Any) -> Node:
    """Read a part of the value: ``x[0]``, ``x[..., 1:3]``, ``x[None]``; an integer array or node gathers rows.

    Raises:
        ShapeError: an index is out of range, of a wrong type, or there are too many.

    Example:
        >>> getitem([[1.0, 2.0], [3.0, 4.0]], (slice(None), 1)).value
        array([2., 4.])
    """
    x = constant(x)
    if isinstance(key, (Node, np.ndarray, list)):
        return FUNCTIONS["take"](x, key)
    return _slice(x, key=_full_key(key, x))


# -- join, pad, flip, accumulate ------------------------------------------------------------------------------------


def _concat_shape(*shapes: tuple[int, ...], axis: int) -> tuple[int, ...]:
    rest = [tuple(n for i, n in enumerate(s) if i - len(s) != axis) for s in shapes]
    if any(len(s) != len(shapes[0]) or r != rest[0] for s, r in zip(shapes, rest, strict=True)):
        raise ValueError("the same lengths in all dimensions but the joined one")
    joined = list(shapes[0])
    joined[axis] = sum(s[axis] for s in shapes)
    return tuple(joined)


def _concat_forward(*xs: Any, axis: int) -> Any:
    rank = max(x.ndim for x in xs)
    xs = tuple(np.reshape(x, (1,) * (rank - x.ndim) + x.shape) for x in xs)
    leading = np.broadcast_shapes(*[x.shape[:axis] for x in xs])
    return np.concatenate([np.broadcast_to(x, leading + x.shape[axis:]) for x in xs], axis=axis)


def _concat_vjp(g: Any, y: Any, *xs: Any, axis: int) -> tuple[Node, ...]:
    parts, start = [], 0
    for x in xs:
        stop = start + x.shape[axis]
        parts.append(_slice(g, key=(*[slice(0, n, 1) for n in y.shape[:axis]], slice(start, stop, 1),
                                    *[slice(0, n, 1) for n in y.shape[len(y.shape) + axis + 1 :]])))  # fmt: skip
        start = stop
    return tuple(parts)


_concat = defop("concat", shape=_concat_shape, forward=_concat_forward, vjp=_concat_vjp, dtype=promote, symbol="cat")


def concat(xs: Sequence[Any], axis: int = 0) -> Node:
    """Join values along a dimension that they have.

    Raises:
        ShapeError: nothing to join, or the other dimensions differ.

    Example:
        >>> concat([[1.0, 2.0], [3.0]]).value
        array([1., 2., 3.])
    """
    nodes = [constant(x) for x in xs]
    if not nodes:
        raise ShapeError("S111", "there is nothing to join", expected="at least one value", got="none")
    return nodes[0] if len(nodes) == 1 else _concat(*nodes, axis=negative_axis(axis, nodes[0].ndim, nodes[0]))


def stack(xs: Sequence[Any], axis: int = 0) -> Node:
    """Join values of one shape along a new dimension.

    Example:
        >>> stack([1.0, 2.0]).value
        array([1., 2.])
    """
    return concat([expand_dims(x, axis) for x in xs], axis)


def pad(x: Any, width: int | Sequence[int | tuple[int, int]], value: float = 0.0) -> Node:
    """Surround the value by constants, as ``numpy.pad``.

    Args:
        x: any value.
        width: at both ends of every dimension; or two numbers, in front and behind in every dimension; or a pair, or a number,
            for each dimension.
        value: of what is added.

    Raises:
        ShapeError: a width is negative, or their number is not that of the dimensions.

    Example:
        >>> pad([1.0, 2.0], [(1, 2)]).value
        array([0., 1., 2., 0., 0.])
    """
    x = constant(x)
    given: list[Any] = [width] if isinstance(width, int) else list(width)
    if len(given) == 2 and all(isinstance(w, int) for w in given):
        given = [tuple(given)]
    pairs = [(w, w) if isinstance(w, int) else tuple(w) for w in (given * x.ndim if len(given) == 1 else given)]
    if len(pairs) != x.ndim or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise ShapeError(
            "S112", f"{width!r:.60} is not a pair of widths for each dimension", node=x.name, where=x.where,
            expected=f"{x.ndim} pairs of non-negative integers", got=repr(width),
        )  # fmt: skip
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True))
    key = tuple(slice(a, a + n, 1) for n, (a, _) in zip(x.shape, pairs, strict=True))
    placed = _place(x, key=key, shape=shape)
    if value == 0:
        return placed
    border = np.full(shape, value)  # added, so that x stays exact, and −∞ may be the value
    border[key] = 0
    return placed + border


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """Reverse the order of the entries along dimensions: all, or those named.

    Example:
        >>> flip([1.0, 2.0, 3.0]).value
        array([3., 2., 1.])
    """
    x = constant(x)
    turned = negative_axes(axis, x.ndim, x)
    return getitem(x, tuple(slice(None, None, -1 if a in turned else 1) for a in range(-x.ndim, 0)))


def _cumsum_forward(x: Any, axis: int) -> Any:
    return np.cumsum(x, axis=axis)


_cumsum: Op = defop(
    "cumsum", shape=lambda x, *, axis: x, dtype=lambda x, **_: int if x is bool else x, symbol="Σ≤",
    forward=_cumsum_forward,
    vjp=lambda g, y, x, axis: (flip(_cumsum(flip(g, axis), axis=axis), axis),),
)  # fmt: skip


def cumsum(x: Any, axis: int = -1) -> Node:
    """Running sum along a dimension of the value.

    Example:
        >>> cumsum([1.0, 2.0, 3.0]).value
        array([1., 3., 6.])
    """
    x = constant(x)
    return _cumsum(x, axis=negative_axis(axis, x.ndim, x))


FUNCTIONS.update(transpose=transpose, reshape=reshape, squeeze=squeeze, getitem=getitem)
__all__ = [
    "broadcast_to", "concat", "cumsum", "expand_dims", "flip", "getitem", "pad", "reshape", "squeeze", "stack", "transpose",
]  # fmt: skip
