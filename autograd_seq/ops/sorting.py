"""Order: argsort, sort and topk along a dimension. Values have gradients; indices have none.

Values are gathered by their indices, so that their gradient is that of a gather: each entry goes back to where it came from.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_seq.core.errors import ShapeError
from autograd_seq.core.facts import ABSENT, FINITE
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import as_count
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import defop
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.arrange import moveaxis
from autograd_seq.ops.gather import take
from autograd_seq.ops.parts import getitem
from autograd_seq.ops.shape import negative_axis, reshape


def _argsort_forward(x: Any, descending: bool) -> Any:
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")
    return x.shape[-1] - 1 - np.flip(np.argsort(np.flip(x, -1), axis=-1, kind="stable"), -1)


def _argsort_shape(x: tuple[int, ...], *, descending: bool) -> tuple[int, ...]:
    if not x:
        raise ValueError("a dimension to sort along")
    return x


ARGSORT = defop(
    "argsort", shape=_argsort_shape, dtype=lambda x, **_: int, forward=_argsort_forward,
    vjp=lambda g, y, x, descending: (None,), pointwise=False, native=ABSENT, flops=10, linear=(), range=FINITE,
    doc="Indices that sort the last dimension; equal entries keep their order.",
)  # fmt: skip


def argsort(x: Any, axis: int = -1, *, descending: bool = False) -> Node:
    """Return the indices that would sort a dimension; entries that are equal keep their order. Without gradient.

    Args:
        x: any value with at least one dimension.
        axis: the dimension.
        descending: whether the largest comes first. NaN counts as larger than all numbers.

    Returns:
        A node of integers of the shape of ``x``.

    Raises:
        ShapeError: there is no such dimension.

    Example:
        >>> argsort([3.0, 1.0, 2.0]).value
        array([1, 2, 0])

    Notes:
        A stable sort, n log n at each point; its loops are not native.
    """
    x = constant(x)
    dim = negative_axis(axis, x.ndim, x)
    return moveaxis(ARGSORT(moveaxis(x, dim, -1), descending=bool(descending)), -1, dim)


def _take_along(x: Node, places: Node) -> Node:
    """Return the entries of the last dimension at the indices of each row."""
    n, rows = x.shape[-1], math.prod(x.shape[:-1])
    starts = (np.arange(rows) * n).reshape(*x.shape[:-1], 1)
    return take(reshape(x, -1), places + starts if rows > 1 else places)


def sort(x: Any, axis: int = -1, *, descending: bool = False) -> Node:
    """Sort a dimension; the gradient of each entry goes to where it came from.

    Args:
        x, axis, descending: as for :func:`argsort`.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> sort([3.0, 1.0, 2.0], descending=True).value
        array([3., 2., 1.])

    Notes:
        An :func:`argsort`, and a look-up of each entry, by which the gradient goes back.
    """
    x = constant(x)
    dim = negative_axis(axis, x.ndim, x)
    last = moveaxis(x, dim, -1)
    return moveaxis(_take_along(last, ARGSORT(last, descending=bool(descending))), -1, dim)


def topk(x: Any, k: int, axis: int = -1) -> tuple[Node, Node]:
    """Return the k largest entries of a dimension, the largest first, and their indices.

    Args:
        x: any value with at least one dimension.
        k: how many, at most as many as there are.
        axis: the dimension, which has length ``k`` in both results.

    Returns:
        The entries, with gradients; and their indices, without. Of entries that are equal the first comes first.

    Raises:
        ShapeError: there is no such dimension, or it has fewer than ``k`` entries.

    Example:
        >>> values, places = topk([3.0, 1.0, 2.0], 2)
        >>> values.value, places.value
        (array([3., 2.]), array([0, 2]))

    Notes:
        Sorts the whole dimension: n log n.
    """
    x = constant(x)
    dim = negative_axis(axis, x.ndim, x)
    count = as_count(k, 0)
    if count is None or count > x.shape[dim]:
        raise ShapeError(
            "S139", f"topk cannot choose k={k!r:.60} of the {x.shape[dim]} entries of {label_of(x)}", node=x.name,
            where=show_site(user_site()), expected=f"an integer from 0 to {x.shape[dim]}", got=repr(k)[:80],
        )  # fmt: skip
    last = moveaxis(x, dim, -1)
    places = getitem(ARGSORT(last, descending=True), (Ellipsis, slice(0, count)))
    return moveaxis(_take_along(last, places), -1, dim), moveaxis(places, -1, dim)


__all__ = ["argsort", "sort", "topk"]
explain_keywords(globals(), __all__)
