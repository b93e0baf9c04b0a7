"""Functions that rearrange dimensions and entries, composed of other operations: swap, move, split, repeat, roll, cumprod."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.core.errors import ShapeError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.ops.elementwise import cast
from autograd_seq.ops.parts import concat, getitem
from autograd_seq.ops.shape import broadcast_to, negative_axis, reshape, transpose

Numbers = int | Sequence[int]


def swapaxes(x: Any, axis1: int, axis2: int) -> Node:
    """Exchange two dimensions of the value.

    Args:
        x: (…), any value.
        axis1, axis2: the two dimensions.

    Returns:
        A node, over the axes of ``x``.

    Raises:
        ShapeError: there is no such dimension.

    Example:
        >>> swapaxes(np.ones((2, 3, 4)), 0, -1).shape
        (4, 3, 2)
    """
    x = constant(x)
    a, b = (negative_axis(axis, x.ndim, x) for axis in (axis1, axis2))
    return transpose(x, [b if axis == a else a if axis == b else axis for axis in range(-x.ndim, 0)])


def moveaxis(x: Any, source: Numbers, destination: Numbers) -> Node:
    """Move dimensions to other places; the others keep their order.

    Args:
        x: (…), any value.
        source, destination: a dimension and its new place, or several of both.

    Returns:
        A node, over the axes of ``x``.

    Raises:
        ShapeError: there is no such dimension, one is named twice, or ``source`` and ``destination`` differ in length.

    Example:
        >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    x = constant(x)
    moved, places = ([negative_axis(a, x.ndim, x) for a in (_as_sequence(axes))] for axes in (source, destination))
    if len(moved) != len(places) or len({*moved}) < len(moved) or len({*places}) < len(places):
        raise ShapeError(
            "S119", f"dimensions {source} cannot be moved to {destination}", node=x.name, where=x.where,
            expected="as many places as dimensions, none twice", got=f"{source} → {destination}",
        )  # fmt: skip
    rest = iter([a for a in range(-x.ndim, 0) if a not in moved])
    at = dict(zip(places, moved, strict=True))
    return transpose(x, [at[a] if a in at else next(rest) for a in range(-x.ndim, 0)])


def _as_sequence(axes: Numbers) -> Sequence[int]:
    return axes if isinstance(axes, Sequence) else (axes,)


def split(x: Any, parts: Numbers, axis: int = 0) -> list[Node]:
    """Cut a value into parts along a dimension.

    Args:
        x: any value.
        parts: how many parts of equal length, or the indices at which to cut: ``[2, 5]`` gives 0 … 1, 2 … 4 and the rest.
        axis: the dimension.

    Returns:
        A list of nodes.

    Raises:
        ShapeError: it cannot be cut into that many parts of equal length.

    Example:
        >>> [part.value.tolist() for part in split([1.0, 2.0, 3.0, 4.0], 2)]
        [[1.0, 2.0], [3.0, 4.0]]
    """
    x = constant(x)
    dim = negative_axis(axis, x.ndim, x)
    n = x.shape[dim]
    if isinstance(parts, Sequence | np.ndarray):
        cuts = [slice(None, c).indices(n)[1] for c in map(operator.index, parts)]
    else:
        number = operator.index(parts)
        if number < 1 or n % number:
            raise ShapeError(
                "S120", f"{n} entries cannot be cut into {number} parts of equal length", node=x.name, where=x.where,
                expected=f"a divisor of {n}", got=str(number), fix="the indices at which to cut: ag.split(x, [2, 5])",
            )  # fmt: skip
        cuts = [n // number * i for i in range(1, number)]
    behind = (slice(None),) * (-dim - 1)
    return [getitem(x, (Ellipsis, slice(a, max(a, b)), *behind)) for a, b in itertools.pairwise([0, *cuts, n])]


def repeat(x: Any, repeats: Numbers, axis: int | None = None) -> Node:
    """Repeat each entry along a dimension; without ``axis`` the value is flattened first, as in NumPy.

    Args:
        x: any value.
        repeats: how often; one number for all entries, or one for each.
        axis: the dimension.

    Returns:
        A node with more entries, over the axes of ``x``.

    Raises:
        ShapeError: a number is negative, or there are not as many numbers as entries.

    Example:
        >>> repeat([1.0, 2.0], 2).value
        array([1., 1., 2., 2.])
    """
    x = constant(x)
    if axis is None:
        x, axis = reshape(x, -1), -1
    dim = negative_axis(axis, x.ndim, x)
    n, often = x.shape[dim], [operator.index(k) for k in _as_sequence(repeats)]
    if min(often, default=0) < 0 or len(often) not in (1, n):
        raise ShapeError(
            "S121", f"repeats={repeats!r:.60} does not fit {n} entries", node=x.name, where=x.where,
            expected=f"one number ≥ 0, or {n} of them", got=repr(repeats),
        )  # fmt: skip
    if len(often) > 1:
        return FUNCTIONS["take"](x, np.repeat(np.arange(n), often), axis=dim)
    at = dim + x.ndim
    before, behind = x.shape[:at], x.shape[at + 1 :]
    spread = broadcast_to(reshape(x, (*before, n, 1, *behind)), (*before, n, often[0], *behind))
    return reshape(spread, (*before, n * often[0], *behind))


def roll(x: Any, shift: Numbers, axis: Numbers | None = None) -> Node:
    """Move entries along a dimension; those that leave it come back at its other end.

    Args:
        x: any value.
        shift: by how many places, towards the end; one number for each dimension, or one for all.
        axis: the dimension, or several; without it the flattened value is rolled, as in NumPy.

    Returns:
        A node of the shape of ``x``, over its axes.

    Raises:
        ShapeError: there are not as many shifts as dimensions.

    Example:
        >>> roll([1.0, 2.0, 3.0], 1).value
        array([3., 1., 2.])
    """
    x = constant(x)
    if axis is None:
        return reshape(roll(reshape(x, -1), sum(map(operator.index, _as_sequence(shift))), 0), x.shape)
    shifts, axes = _as_sequence(shift), _as_sequence(axis)
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise ShapeError(
            "S122", f"{len(shifts)} shifts for {len(axes)} dimensions", node=x.name, where=x.where,
            expected="as many shifts as dimensions, or one of either", got=f"shift={shift}, axis={axis}",
        )  # fmt: skip
    many = max(len(shifts), len(axes))
    for by, a in zip(
        shifts if len(shifts) == many else [*shifts] * many, axes if len(axes) == many else [*axes] * many, strict=True
    ):
        x = _roll_dimension(x, operator.index(by), negative_axis(a, x.ndim, x))
    return x


def _roll_dimension(x: Node, by: int, dim: int) -> Node:
    n, behind = x.shape[dim], (slice(None),) * (-dim - 1)
    cut = -by % n if n else 0
    if not cut:
        return x
    return concat([getitem(x, (Ellipsis, slice(cut, None), *behind)), getitem(x, (Ellipsis, slice(0, cut), *behind))], dim)


def cumprod_along(x: Any, axis: int = -1) -> Node:
    """Running product along a dimension; see :func:`autograd_seq.ops.history.cumprod`.

    In each of log₂ n rounds it multiplies by the entry that stands 1, 2, 4, … places before. Nothing is divided, so derivatives
    are exact even where factors are 0.
    """
    x = constant(x)
    x = cast(x, int) if x.dtype is bool else x
    dim = negative_axis(axis, x.ndim, x)
    n, by, behind = x.shape[dim], 1, (slice(None),) * (-dim - 1)
    while by < n:
        first = getitem(x, (Ellipsis, slice(0, by), *behind))
        rest = getitem(x, (Ellipsis, slice(by, None), *behind)) * getitem(x, (Ellipsis, slice(0, n - by), *behind))
        x, by = concat([first, rest], dim), 2 * by
    return x


__all__ = ["cumprod_along", "moveaxis", "repeat", "roll", "split", "swapaxes"]
explain_keywords(globals(), __all__)
