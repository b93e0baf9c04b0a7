"""Reductions over dimensions of the value (``axis=``) and over axes such as time (``over=``).

An ``…_over`` operation reduces over all of its operands and over all points of its axes. In a folded graph it has one
operand and some axes; the unroller turns it into the same operation with one operand for each point and no axes: a sum
over time is one n-ary node. Its vjp is the same in both forms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.facts import FINITE, KEPT, TOGETHER
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import defop
from autograd_seq.core.rules import arithmetic, promote
from autograd_seq.ops.elementwise import cast, equal, where
from autograd_seq.ops.parts import concat
from autograd_seq.ops.picking import at
from autograd_seq.ops.shape import negative_axes, reshape
from autograd_seq.ops.state import state
from autograd_seq.ops.time import count, size

Over = Axis | Iterable[Axis] | None
Dims = int | Sequence[int] | None

# -- over dimensions ------------------------------------------------------------------------------------------------


def reduce_shape(x: tuple[int, ...], *, axis: tuple[int, ...], keepdims: bool = False, **_: Any) -> tuple[int, ...]:
    """Return the shape after a reduction: without the reduced dimensions, or with 1 in their place."""
    kept = [(n, a in axis) for n, a in zip(x, range(-len(x), 0), strict=True)]
    return tuple(1 if gone else n for n, gone in kept if keepdims or not gone)


def _reduce_nonempty_shape(x: tuple[int, ...], *, axis: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    if any(x[a] == 0 for a in axis):
        raise ValueError("at least one entry to choose from")
    return reduce_shape(x, axis=axis, keepdims=keepdims)


def keep_dims(g: Any, x: Any, axis: tuple[int, ...]) -> Node:
    """Return ``g``, a reduction of ``x``, with its reduced dimensions back as length 1."""
    return reshape(g, tuple(1 if a in axis else n for n, a in zip(x.shape, range(-len(x.shape), 0), strict=True)))


def _pairwise_sum(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Sum with rounding errors that grow with log n, as float32 needs: NumPy does so only along contiguous memory."""
    if x.dtype == np.float32 and axis != tuple(range(-len(axis), 0)):
        last = np.ascontiguousarray(np.moveaxis(x, axis, range(-len(axis), 0)))
        out = np.sum(last, axis=tuple(range(-len(axis), 0)))
        return np.expand_dims(out, axis) if keepdims else out
    return np.sum(x, axis=axis, keepdims=keepdims)


def _max_forward(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.max(x, axis=axis, keepdims=keepdims)


SUM = defop(
    "sum", shape=reduce_shape, dtype=arithmetic, forward=_pairwise_sum, symbol="Σ",
    vjp=lambda g, y, x, axis, keepdims: (keep_dims(g, x, axis),),
    reduces="sum", ufunc=np.add, native=True, linear=TOGETHER, range=FINITE,
)  # fmt: skip
MAX = defop(
    "max", shape=_reduce_nonempty_shape, dtype=promote,
    forward=_max_forward,
    vjp=lambda g, y, x, axis, keepdims: (keep_dims(g, x, axis) * _share_among_largest(x, axis),),
    reduces="max", ufunc=np.maximum, native=True, linear=(), range=KEPT, chooses=True,
)  # fmt: skip


def _share_among_largest(x: Any, axis: tuple[int, ...]) -> Node:
    """Return 1 / (number of ties) where ``x`` is the largest, 0 elsewhere."""
    ties = where(equal(x, MAX(x, axis=axis, keepdims=True)), 1.0, 0.0)
    return ties / SUM(ties, axis=axis, keepdims=True)


# -- over axes ------------------------------------------------------------------------------------------------------


def drop_axes(*of: tuple[Axis, ...], axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Return the axes of the operands without those that are reduced."""
    return tuple(a for a in dict.fromkeys(a for some in of for a in some) if a not in axes)


def require_one_shape(*shapes: tuple[int, ...], axes: tuple[Axis, ...]) -> tuple[int, ...]:
    """Return the shape that all operands have.

    Raises:
        ValueError: their shapes differ.
    """
    if any(s != shapes[0] for s in shapes):
        raise ValueError("operands of one shape")
    return shapes[0]


def stack_points(xs: tuple[Any, ...]) -> Any:
    """Broadcast arrays to one shape, and stack them along a new last dimension."""
    return np.stack(np.broadcast_arrays(*xs), axis=-1)


def _sum_over_forward(*xs: Any, axes: tuple[Axis, ...] = ()) -> Any:
    if len(xs) <= 2:
        return xs[0] + 0 + xs[1] if len(xs) == 2 and xs[0].dtype == np.bool_ else xs[0] + (xs[1] if len(xs) == 2 else 0)
    return np.sum(stack_points(xs), axis=-1)  # along contiguous memory, hence pairwise


sum_over = defop(
    "sum_over", word="sum", shape=require_one_shape, dtype=arithmetic, axes=drop_axes, broadcasts=True, symbol="Σ",
    forward=_sum_over_forward,
    vjp=lambda g, y, *xs, axes: (g,) * len(xs),
    reduces="sum", empty=0.0, native=lambda node: f"({' + '.join(f'{{{i}}}' for i in range(len(node.inputs)))})",
    linear=TOGETHER, range=FINITE,
    doc="Sum over all operands and over all points of the axes.",
)  # fmt: skip
max_over = defop(
    "max_over", word="max", shape=require_one_shape, dtype=promote, axes=drop_axes, broadcasts=True, symbol="max",
    forward=lambda *xs, axes=(): np.max(stack_points(xs), axis=-1),
    vjp=lambda g, y, *xs, axes: _max_over_vjp(g, y, xs, axes),
    reduces="max", native=True, linear=(), range=KEPT, chooses=True,
    doc="The largest among all operands and all points of the axes.",
)  # fmt: skip


def _max_over_vjp(g: Any, y: Any, xs: tuple[Any, ...], axes: tuple[Axis, ...]) -> tuple[Node, ...]:
    ties = [where(equal(x, y), 1.0, 0.0) for x in xs]
    count = sum_over(*ties, axes=axes)
    return tuple(g * tie / count for tie in ties)


def find_reduced(x: Any, axis: Dims, over: Over) -> tuple[Node, tuple[int, ...], tuple[Axis, ...], tuple[Axis, ...]]:
    """Return x as a node, the dimensions to reduce, the axes to reduce that it varies over, and those it does not vary over."""
    x, axes = constant(x), as_axes(over)
    dims = () if axis is None and over is not None else negative_axes(axis, x.ndim, x)
    varying = tuple(a for a in axes if a in x.axes)
    return x, dims, varying, tuple(a for a in axes if a not in x.axes)


def sum(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Sum over dimensions of the value, or over axes such as time.

    Args:
        x: any value.
        axis: dimensions, as in NumPy; all of them if neither ``axis`` nor ``over`` is given.
        over: axes. The sum of something that does not vary over ``t`` is ``size(t)`` times it.
        keepdims: keep reduced dimensions as length 1.

    Returns:
        A node that no longer varies over ``over``. Over an empty axis the sum is 0.

    Example:
        >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0).value
        array([4., 6.])
    """
    x, dims, varying, fixed = find_reduced(x, axis, over)
    if dims:
        x = SUM(x, axis=dims, keepdims=keepdims)
    if varying:
        x = sum_over(x, axes=varying)
    for a in fixed:
        x = size(a) * x
    return x


def mean(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Arithmetic mean over dimensions of the value, or over axes.

    Args:
        x: any value.
        axis, over, keepdims: as for :func:`autograd_seq.sum`.

    Returns:
        A node without the dimensions and axes that were reduced.

    Example:
        >>> float(mean([1.0, 2.0, 6.0]).value)
        3.0
    """
    node, dims, varying, _ = find_reduced(x, axis, over)
    node = cast(node, float)
    out = sum(node, dims, keepdims=keepdims) if dims else node
    out = sum(out, over=varying) if varying else out
    out = out / math.prod(node.shape[a] for a in dims) if dims else out
    for a in varying:
        out = out / count(node, varying, a)
    return out


def max(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """The largest entry; where several tie, they share the gradient.

    Args:
        x: any value.
        axis, over, keepdims: as for :func:`autograd_seq.sum`.

    Returns:
        A node without the dimensions and axes that were reduced.

    Raises:
        ShapeError, AxisError: there are no entries.

    Example:
        >>> float(max([1.0, 5.0, 2.0]).value)
        5.0
    """
    x, dims, varying, _ = find_reduced(x, axis, over)
    x = MAX(x, axis=dims, keepdims=keepdims) if dims else x
    return max_over(x, axes=varying) if varying else x


def min(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """The smallest entry; where several tie, they share the gradient.

    Args:
        x: any value.
        axis, over, keepdims: as for :func:`autograd_seq.sum`.

    Returns:
        A node without the dimensions and axes that were reduced.

    Example:
        >>> float(min([4.0, 2.0]).value)
        2.0
    """
    return -max(-constant(x), axis, over=over, keepdims=keepdims)


def prod(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Product over dimensions or axes, with exact derivatives of every order where factors are 0.

    Over dimensions it multiplies halves, over an axis it is the recurrence p[t] = p[t − 1]·x[t] from 1.

    Args:
        x: any value.
        axis, over, keepdims: as for :func:`autograd_seq.sum`.

    Returns:
        A node without the dimensions and axes that were reduced.

    Example:
        >>> float(prod([2.0, 3.0, 4.0]).value)
        24.0
    """
    x, dims, varying, fixed = find_reduced(x, axis, over)
    x = cast(x, int) if x.dtype is bool else x
    for dim in dims:
        x = _multiply_halves(x, dim)
    if dims and not keepdims:
        x = reshape(x, tuple(n for n, a in zip(x.shape, range(-x.ndim, 0), strict=True) if a not in dims))
    for a in varying:
        p = state(None, x.shape, over=x.axes, dtype=x.dtype, init={a: constant(1)})
        p[a] = p[a - 1] * x
        x = where(equal(count(x, (a,), a), 0), 1, at(p, a, -1, outside="zero"))
    for a in fixed:
        x = x ** size(a)
    return x


def _multiply_halves(x: Node, dim: int) -> Node:
    """Multiply one half of a dimension by the other until one entry is left."""
    key = [slice(None)] * x.ndim
    while (n := x.shape[dim]) != 1:
        if n == 0:
            ones = [1 if a == dim else m for m, a in zip(x.shape, range(-x.ndim, 0), strict=True)]
            return constant(np.ones(ones, x.dtype))
        half = n // 2
        low, high, odd = ([*key] for _ in range(3))
        low[dim], high[dim], odd[dim] = slice(0, half), slice(half, 2 * half), slice(2 * half, n)
        out = x[tuple(low)] * x[tuple(high)]
        x = concat([out, x[tuple(odd)]], dim) if n % 2 else out
    return x


FUNCTIONS.update(sum=sum, mean=mean, max=max, min=min)
__all__ = ["max", "mean", "min", "prod", "sum"]
explain_keywords(globals(), __all__)
