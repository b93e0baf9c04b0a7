"""Operations on parts of a value: slice and place, concatenate and stack, pad, flip, cumulative sums.

As in :mod:`autograd_seq.ops.shape`, attributes count dimensions from the end.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.core.errors import ShapeError
from autograd_seq.core.facts import ABSENT, ENTRIES, FINITE, KEPT, TOGETHER
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import first, promote
from autograd_seq.ops.shape import expand_dims, lead, negative_axes, negative_axis

# -- slice and place ------------------------------------------------------------------------------------------------


def _complete_key(key: Any, x: Node) -> tuple[Any, ...]:
    """Return the key with one entry a dimension: integers from 0, slices with explicit ends, None for new dimensions."""
    parts = list(key) if isinstance(key, tuple) else [key]
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if sum(p is Ellipsis for p in parts) > 1 or used > x.ndim:
        raise ShapeError(
            "S108", f"too many indices for {label_of(x)}", node=x.name, where=x.where,
            expected=f"at most {x.ndim}", got=str(used),
            fix="to read a step, write the axis: s[t - 1], ag.first(s, over=t), ag.last(s, over=t)",
        )  # fmt: skip
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    at = next(i for i, p in enumerate(parts) if p is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (x.ndim - used)
    full: list[Any] = []
    dimension = iter(x.shape)
    for part in parts:
        full.append(None if part is None else _complete_part(part, next(dimension), x))
    return tuple(full)


def _complete_part(part: Any, n: int, x: Node) -> Any:
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
            "S109", f"{label_of(x)} cannot be indexed by {part!r:.60}", node=x.name, where=x.where,
            expected="integers, slices, ... or None", got=repr(part), fix="gather with ag.take(…), choose with ag.where(…)",
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


SLICE = defop(
    "slice", shape=lambda x, *, key: _sliced(x, key), dtype=first, symbol="[·]",
    forward=lambda x, key: x[(Ellipsis, *key)],
    vjp=lambda g, y, x, key: (PLACE(g, key=key, shape=x.shape),),
    view=ENTRIES, linear=TOGETHER, range=KEPT,
)  # fmt: skip


def _place_forward(x: Any, key: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    out = np.zeros(lead(x, len(_sliced(shape, key))) + shape, dtype=x.dtype)
    out[(Ellipsis, *key)] = x
    return out


PLACE: Op = defop(
    "place", shape=lambda x, *, key, shape: shape, dtype=first, forward=_place_forward,
    vjp=lambda g, y, x, key, shape: (SLICE(g, key=key),),
    native=True, linear=TOGETHER, range=KEPT,
)  # fmt: skip


def place(x: Any, key: tuple[slice, ...], shape: tuple[int, ...]) -> Node:
    """Return zeros of ``shape`` with ``x`` in the part ``key``: the transpose of :func:`getitem`."""
    return PLACE(x, key=key, shape=shape)


def getitem(x: Any, key: Any) -> Node:
    """Return a part of the value: ``x[0]``, ``x[..., 1:3]``, ``x[None]``; an integer array or node gathers rows.

    Raises:
        ShapeError: an index is out of range, of a wrong type, or there are too many.

    Example:
        >>> getitem([[1.0, 2.0], [3.0, 4.0]], (slice(None), 1)).value
        array([2., 4.])
    """
    x = constant(x)
    if isinstance(key, (Node, np.ndarray, list)):
        return FUNCTIONS["take"](x, key)
    return SLICE(x, key=_complete_key(key, x))


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
        parts.append(SLICE(g, key=(*[slice(0, n, 1) for n in y.shape[:axis]], slice(start, stop, 1),
                                    *[slice(0, n, 1) for n in y.shape[len(y.shape) + axis + 1 :]])))  # fmt: skip
        start = stop
    return tuple(parts)


def _concat_calls(node: Node) -> tuple[str]:
    parts = ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
    return (f"concatenate(({parts}), {node.attrs['axis']}, {{out}})",)


CONCAT = defop(
    "concat", shape=_concat_shape, forward=_concat_forward, vjp=_concat_vjp, dtype=promote, symbol="cat",
    numpy=_concat_calls, native=True, flops=0, linear=TOGETHER, range=KEPT,
)  # fmt: skip


def concat(xs: Sequence[Any], axis: int = 0) -> Node:
    """Join values along an existing dimension.

    Args:
        xs: values that agree in all dimensions but one.
        axis: that dimension.

    Returns:
        A node, over the axes of all.

    Raises:
        ShapeError: nothing to join, or the other dimensions differ.

    Example:
        >>> concat([[1.0, 2.0], [3.0]]).value
        array([1., 2., 3.])
    """
    nodes = [constant(x) for x in xs]
    if not nodes:
        raise ShapeError("S111", "no values are given to join", expected="at least one value", got="none")
    return nodes[0] if len(nodes) == 1 else CONCAT(*nodes, axis=negative_axis(axis, nodes[0].ndim, nodes[0]))


def stack(xs: Sequence[Any], axis: int = 0) -> Node:
    """Join values of one shape along a new dimension.

    Args:
        xs: values of one shape.
        axis: the place of the new dimension.

    Returns:
        A node with one dimension more, over the axes of all.

    Example:
        >>> stack([1.0, 2.0]).value
        array([1., 2.])
    """
    return concat([expand_dims(x, axis) for x in xs], axis)


def pad(x: Any, width: int | Sequence[int | tuple[int, int]], value: float = 0.0) -> Node:
    """Pad the value with a constant, as ``numpy.pad``.

    Args:
        x: any value.
        width: one number, for both ends of every dimension; or two numbers, before and after every dimension; or a pair, or a
            number, for each dimension.
        value: the constant.

    Returns:
        A node of the larger shape, over the axes of ``x``.

    Raises:
        ShapeError: a width is negative, or there are not as many widths as dimensions.

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
    placed = PLACE(x, key=key, shape=shape)
    if value == 0:
        return placed
    border = np.full(shape, value)  # added, so that x stays exact, and −∞ may be the value
    border[key] = 0
    return placed + border


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """Reverse the order of the entries along dimensions: all, or those named.

    Args:
        x: (…), any value.
        axis: a dimension, or several; all by default.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> flip([1.0, 2.0, 3.0]).value
        array([3., 2., 1.])
    """
    x = constant(x)
    turned = negative_axes(axis, x.ndim, x)
    return getitem(x, tuple(slice(None, None, -1 if a in turned else 1) for a in range(-x.ndim, 0)))


def _cumsum_forward(x: Any, axis: int) -> Any:
    return np.cumsum(x, axis=axis)


CUMSUM: Op = defop(
    "cumsum", shape=lambda x, *, axis: x, dtype=lambda x, **_: int if x is bool else x, symbol="Σ≤",
    forward=_cumsum_forward,
    vjp=lambda g, y, x, axis: (flip(CUMSUM(flip(g, axis), axis=axis), axis),),
    native=ABSENT, linear=TOGETHER, range=FINITE,
)  # fmt: skip


def cumsum_along(x: Any, axis: int = -1) -> Node:
    """Running sum along a dimension of the value.

    Example:
        >>> cumsum_along([1.0, 2.0, 3.0]).value
        array([1., 3., 6.])
    """
    x = constant(x)
    return CUMSUM(x, axis=negative_axis(axis, x.ndim, x))


FUNCTIONS.update(getitem=getitem)
__all__ = ["concat", "cumsum_along", "flip", "getitem", "pad", "place", "stack"]
explain_keywords(globals(), __all__)
