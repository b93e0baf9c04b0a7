"""Statistics that reduce: var, std, norm, argmax, argmin, any, all.

Each works over dimensions of the value (``axis=``) and over axes such as time (``over=``), as :func:`autograd_seq.sum` does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.elementwise import abs as absolute
from autograd_seq.ops.elementwise import cast, equal, less, logical_not, logical_or, not_equal, sqrt, where
from autograd_seq.ops.reduce import Dims, Over, find_reduced, max, mean, min, sum
from autograd_seq.ops.shape import negative_axes, reshape
from autograd_seq.ops.time import count, index, size

# -- variance and norm ---------------------------------------------------------------------------------------------------------


def _take_root(x: Node) -> Node:
    """Square root whose derivative at 0 is 0, as PyTorch defines it for norms."""
    none = equal(x, 0)
    return where(none, 0.0, sqrt(where(none, 1.0, x)))


def var(x: Any, axis: Dims = None, *, over: Over = None, ddof: float = 0, keepdims: bool = False) -> Node:
    """Variance: the mean squared deviation from the mean, in two passes; NaN if there are no entries, as in NumPy.

    Args:
        x: any value.
        axis: dimensions, as in NumPy; all of them if neither ``axis`` nor ``over`` is given.
        over: axes; with lengths, each sequence counts its own points.
        ddof: the sum of squares is divided by the number of entries minus ``ddof``.
        keepdims: keep reduced dimensions as length 1.

    Returns:
        A node without the dimensions and axes that were reduced.

    Example:
        >>> float(var([1.0, 2.0, 6.0])), float(var([1.0, 2.0, 6.0], ddof=1))
        (4.666666666666667, 7.0)
    """
    node, dims, varying, fixed = find_reduced(x, axis, over)
    node = cast(node, float)
    off = node - mean(node, dims, over=varying, keepdims=True)
    total = sum(off * off, dims, over=(*varying, *fixed), keepdims=keepdims)
    number: Any = math.prod(node.shape[a] for a in dims)
    for a in varying:
        number = number * count(node, varying, a)
    for a in fixed:
        number = number * size(a)
    return total / (number - ddof if isinstance(number, Node) else float(np.maximum(number - ddof, 0)))


def std(x: Any, axis: Dims = None, *, over: Over = None, ddof: float = 0, keepdims: bool = False) -> Node:
    """Standard deviation, the square root of :func:`var`; where it is 0, so is its derivative (as in PyTorch).

    Args:
        x, axis, over, ddof, keepdims: as for :func:`var`.

    Returns:
        A node without the dimensions and axes that were reduced.

    Example:
        >>> float(std([1.0, 3.0]))
        1.0
    """
    return _take_root(var(x, axis, over=over, ddof=ddof, keepdims=keepdims))


def norm(x: Any, ord: Any = None, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Norm of vectors or matrices, as ``numpy.linalg.norm``; at 0 its derivative is 0 (as in PyTorch).

    Args:
        x: any value.
        ord: for vectors any number p for (Σ |x|ᵖ)^(1/p), or ±inf; for matrices ``"fro"``, ±1 or ±inf; by default the root of
            the sum of squares.
        axis: one dimension for vectors, two for matrices; all if neither ``axis`` nor ``over`` is given.
        over: axes: the norm of the whole sequence as one vector, together with the dimensions of ``axis``.
        keepdims: keep reduced dimensions as length 1.

    Returns:
        A node without the dimensions and axes that were reduced.

    Raises:
        OperationError: there is no such ``ord``, or it needs singular values.

    Example:
        >>> float(norm([3.0, 4.0])), float(norm([3.0, -4.0], 1)), float(norm([[1.0, -2.0], [3.0, 4.0]], 1))
        (5.0, 7.0, 6.0)
    """
    node, dims, _, _ = find_reduced(x, axis, over)
    node = cast(node, float)
    if ord is None or (ord == "fro" and len(dims) == 2):
        return _take_root(sum(node * node, dims, over=over, keepdims=keepdims))
    if len(dims) == 2 and over is None:
        return _matrix_norm(node, ord, _find_matrix_axes(axis, node), keepdims)
    if isinstance(ord, str) or len(dims) > 1:
        raise _make_norm_error(ord, "vectors")
    return _vector_norm(node, ord, dims, over, keepdims)


def _find_matrix_axes(axis: Dims, x: Node) -> tuple[int, int]:
    """Return the dimensions of a matrix, that of its rows first, as negative numbers."""
    rows, columns = (-2, -1) if axis is None else (negative_axes(a, x.ndim, x)[0] for a in axis)  # type: ignore[union-attr]
    return rows, columns


def _vector_norm(x: Node, order: float, dims: Dims, over: Over, keepdims: bool) -> Node:
    size_of = absolute(x)
    if order == 0:
        return cast(sum(not_equal(x, 0), dims, over=over, keepdims=keepdims), float)
    if order == 1:
        return sum(size_of, dims, over=over, keepdims=keepdims)
    if order == 2:
        return _take_root(sum(x * x, dims, over=over, keepdims=keepdims))
    if math.isinf(order):
        return (max if order > 0 else min)(size_of, dims, over=over, keepdims=keepdims)
    if order < 0:
        return sum(size_of**order, dims, over=over, keepdims=keepdims) ** (1 / order)
    none = equal(size_of, 0)
    total = sum(where(none, 0.0, where(none, 1.0, size_of) ** order), dims, over=over, keepdims=keepdims)
    nothing = equal(total, 0)
    return where(nothing, 0.0, where(nothing, 1.0, total) ** (1 / order))


def _matrix_norm(x: Node, order: Any, dims: tuple[int, int], keepdims: bool) -> Node:
    if order not in (1, -1, math.inf, -math.inf):
        raise _make_norm_error(order, "matrices")
    rows, columns = dims
    summed, chosen = (rows, columns) if order in (1, -1) else (columns, rows)
    sums = sum(absolute(x), summed, keepdims=True)
    out = (max if order > 0 else min)(sums, chosen, keepdims=True)
    return reshape(out, _reduce_shape(x, dims, keepdims))


def _make_norm_error(order: Any, of: str) -> OperationError:
    expected = {"vectors": "a number p, or inf", "matrices": '"fro", 1, -1, inf or -inf (others need singular values)'}[of]
    return OperationError(
        "O131", f"ag.norm has no ord={order!r:.60} for {of}", where=show_site(user_site()), expected=expected, got=repr(order),
        fix="ag.norm(x) is the root of the sum of squares",
    )  # fmt: skip


# -- argmax ---------------------------------------------------------------------------------------


def argmax(x: Any, axis: int | None = None, *, over: Axis | None = None, keepdims: bool = False) -> Node:
    """Index of the largest entry, the first one if several tie; that of the first NaN, if there is one; without gradient.

    Args:
        x: any value.
        axis: a dimension; by default the index into the flattened value, as in NumPy.
        over: an axis instead; the result is a step number.
        keepdims: keep reduced dimensions as length 1.

    Returns:
        A node of integers without the dimension or axis that was searched.

    Raises:
        ShapeError, AxisError: there are no entries, or several axes are given.

    Example:
        >>> int(argmax([1.0, 5.0, 5.0])), argmax([[1.0, 2.0], [4.0, 3.0]], axis=1).value
        (1, array([1, 0]))
    """
    return _find_first_place(constant(x), max, axis, over, keepdims)


def argmin(x: Any, axis: int | None = None, *, over: Axis | None = None, keepdims: bool = False) -> Node:
    """Index of the smallest entry, the first one if several tie.

    Args:
        x, axis, over, keepdims: as for :func:`argmax`.

    Returns:
        A node of integers without the dimension or axis that was searched.

    Example:
        >>> int(argmin([3.0, 1.0, 2.0]))
        1
    """
    return _find_first_place(constant(x), min, axis, over, keepdims)


def _find_first_place(x: Node, best: Any, axis: Any, over: Any, keepdims: bool) -> Node:
    """Return the smallest index among the entries that equal ``best`` of all entries, or are NaN."""
    if over is not None:
        if len(as_axes(over)) != 1 or axis is not None:
            raise AxisError(
                "A113", f"argmax or argmin of {label_of(x)} over several axes at once has no single index", node=x.name,
                where=show_site(user_site()), expected="one axis, over=t, or one dimension, axis=0", got=f"over={over}",
                fix="reduce one axis after the other: ag.max(x, over=t), then argmax over=u",
            )  # fmt: skip
        (step,) = as_axes(over)
        places, behind = index(step), np.iinfo(np.int64).max
        reduced: dict[str, Any] = {"over": step}
        shape, varies = x.shape, step in x.axes
    else:
        shape = _reduce_shape(x, axis, keepdims)
        x = reshape(x, -1) if axis is None else x
        (dim,) = negative_axes(-1 if axis is None else axis, x.ndim, x)
        behind, reduced, varies = x.shape[dim], {"axis": dim, "keepdims": True}, True
        places = constant(np.arange(behind).reshape((behind,) + (1,) * (-dim - 1)))
    if not varies:
        return 0 * cast(not_equal(x, x), int)
    hit = logical_or(equal(x, best(x, **reduced)), not_equal(x, x))
    return reshape(min(where(hit, places, behind), **reduced), shape)


def _reduce_shape(x: Node, axis: Dims, keepdims: bool) -> tuple[int, ...]:
    gone = negative_axes(axis, x.ndim, x)
    return tuple(1 if a in gone else n for a, n in zip(range(-x.ndim, 0), x.shape, strict=True) if keepdims or a not in gone)


# -- any and all ----------------------------------------------------------------------------------------


def any(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Whether any entry is true, or not 0; false if there are no entries.

    Args:
        x: any value.
        axis, over, keepdims: as for :func:`autograd_seq.sum`.

    Returns:
        A node of truth values without the dimensions and axes that were reduced.

    Example:
        >>> any([[False, True], [False, False]], axis=1).value
        array([ True, False])
    """
    return less(0, sum(_cast_to_bool(x), axis, over=over, keepdims=keepdims))


def all(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Whether all entries are true, or not 0; true if there are no entries.

    Args:
        x: any value.
        axis, over, keepdims: as for :func:`autograd_seq.sum`.

    Returns:
        A node of truth values without the dimensions and axes that were reduced.

    Example:
        >>> all([[True, True], [False, True]], axis=1).value
        array([ True, False])
    """
    return equal(sum(logical_not(_cast_to_bool(x)), axis, over=over, keepdims=keepdims), 0)


def _cast_to_bool(x: Any) -> Node:
    x = constant(x)
    return x if x.dtype is bool else not_equal(x, 0)


__all__ = ["all", "any", "argmax", "argmin", "norm", "std", "var"]
explain_keywords(globals(), __all__)
