"""Constant arrays, and functions of the diagonals and triangles of matrices."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.core.errors import ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.ops.arrange import moveaxis
from autograd_seq.ops.elementwise import where
from autograd_seq.ops.leaf import as_kind, as_shape
from autograd_seq.ops.parts import getitem, place
from autograd_seq.ops.reduce import sum
from autograd_seq.ops.shape import reshape


def zeros(shape: int | Sequence[int], dtype: Any = float) -> Node:
    """Return zeros as a constant; its float width is that of its operands.

    Args:
        shape: of the value; a length, or a tuple of them.
        dtype: float, int or bool.

    Returns:
        A constant of the shape.

    Example:
        >>> zeros(2)
        constant: float[2] = [0. 0.]
    """
    return constant(np.zeros(as_shape(shape, "zeros"), as_kind(dtype, "zeros")))


def ones(shape: int | Sequence[int], dtype: Any = float) -> Node:
    """Return ones as a constant.

    Args:
        shape, dtype: as for :func:`zeros`.

    Returns:
        A constant of the shape.

    Example:
        >>> ones((1, 2), int)
        constant: int[1, 2] = [[1 1]]
    """
    return constant(np.ones(as_shape(shape, "ones"), as_kind(dtype, "ones")))


def eye(n: int, m: int | None = None, k: int = 0, dtype: Any = float) -> Node:
    """Return a constant matrix of ones on a diagonal and zeros elsewhere.

    Args:
        n: rows.
        m: columns; as many as rows by default.
        k: the diagonal: 1 is the one above the main diagonal, −1 the one below.
        dtype: float, int or bool.

    Returns:
        A constant (n, m).

    Example:
        >>> eye(2).value
        array([[1., 0.],
               [0., 1.]])
    """
    rows, columns = as_shape((n, n if m is None else m), "eye")
    return constant(np.eye(rows, columns, operator.index(k), as_kind(dtype, "eye")))


def tril(x: Any, k: int = 0) -> Node:
    """Set the entries above the k-th diagonal of the last two dimensions to zero.

    Args:
        x: (…, n, m).
        k: the diagonal: 1 is the one above the main diagonal, −1 the one below.

    Returns:
        A node of the shape of ``x``, over its axes.

    Raises:
        ShapeError: it has fewer than two dimensions.

    Example:
        >>> tril([[1.0, 2.0], [3.0, 4.0]]).value
        array([[1., 0.],
               [3., 4.]])
    """
    return _keep_triangle(constant(x), k, lower=True)


def triu(x: Any, k: int = 0) -> Node:
    """Set the entries below the k-th diagonal of the last two dimensions to zero.

    Args:
        x: (…, n, m).
        k: the diagonal: 1 is the one above the main diagonal, −1 the one below.

    Returns:
        A node of the shape of ``x``, over its axes.

    Raises:
        ShapeError: it has fewer than two dimensions.

    Example:
        >>> triu([[1.0, 2.0], [3.0, 4.0]]).value
        array([[1., 2.],
               [0., 4.]])
    """
    return _keep_triangle(constant(x), operator.index(k) - 1, lower=False)


def _keep_triangle(x: Node, k: int, lower: bool) -> Node:
    if x.ndim < 2:
        raise _make_matrix_error(x, "tril" if lower else "triu", "a matrix, or a stack of them")
    rows, columns = x.shape[-2:]
    inside = np.tri(rows, columns, operator.index(k), dtype=bool)
    return where(inside if lower else ~inside, x, np.zeros((), x.dtype)[()])


def diag(x: Any, k: int = 0) -> Node:
    """Return the k-th diagonal of a matrix; or, for a vector, the matrix with the vector on that diagonal.

    Args:
        x: (n,) or (n, m).
        k: the diagonal: 1 is the one above the main diagonal, −1 the one below.

    Returns:
        A node: a vector for a matrix, a matrix for a vector.

    Raises:
        ShapeError: the value is neither a vector nor a matrix.

    Example:
        >>> diag([1.0, 2.0]).value
        array([[1., 0.],
               [0., 2.]])
        >>> diag([[1.0, 2.0], [3.0, 4.0]], 1).value
        array([2.])
    """
    x, k = constant(x), operator.index(k)
    if x.ndim == 2:
        return _take_diagonal(x, k)
    if x.ndim != 1:
        raise _make_matrix_error(x, "diag", "a vector or a matrix")
    n = x.shape[0] + abs(k)
    first = k if k >= 0 else -k * n
    return reshape(place(x, (slice(first, first + x.shape[0] * (n + 1), n + 1),), (n * n,)), (n, n))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Sum along a diagonal of two dimensions.

    Args:
        x: (…, n, m), say.
        offset: the diagonal: 1 is the one above the main diagonal, −1 the one below.
        axis1, axis2: the two dimensions.

    Returns:
        A node without the two dimensions.

    Raises:
        ShapeError: there are no two such dimensions.

    Example:
        >>> float(trace([[1.0, 2.0], [3.0, 4.0]]))
        5.0
    """
    x = constant(x)
    if x.ndim < 2:
        raise _make_matrix_error(x, "trace", "a matrix, or a stack of them")
    return sum(_take_diagonal(moveaxis(x, (axis1, axis2), (-2, -1)), operator.index(offset)), -1)


def _take_diagonal(x: Node, k: int) -> Node:
    """Return the k-th diagonal of the last two dimensions as the last one."""
    n, m = x.shape[-2:]
    first, length = (k if k >= 0 else -k * m), max(0, min(n + min(k, 0), m - max(k, 0)))
    flat = reshape(x, (*x.shape[:-2], n * m))
    return getitem(flat, (Ellipsis, slice(first, first + length * (m + 1), m + 1) if length else slice(0, 0)))


def _make_matrix_error(x: Node, function: str, expected: str) -> ShapeError:
    return ShapeError(
        "S118", f"ag.{function} is given a value of shape {x.shape}", node=x.name, where=x.where, expected=expected,
        got=str(x.shape), fix="ag.reshape(x, (n, m)) makes a matrix of it",
    )  # fmt: skip


__all__ = ["diag", "eye", "ones", "trace", "tril", "triu", "zeros"]
explain_keywords(globals(), __all__)
