"""Small matrices inside of loops written out as Gauss–Jordan elimination, so that native code computes the whole loop.

A call of LAPACK on a matrix of a few rows takes longer than its arithmetic, and a loop with one such call would run in NumPy as
a whole. Rows are exchanged for the largest pivot (Golub & Van Loan 2013, 3.4). Inverse, solution and determinant of one matrix
share the elimination. Where NumPy raises an error, because a matrix is singular or not positive definite, the result is NaN:
:func:`is_eliminated` tells of which graphs such a result may be an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograd_seq.core.node import Node, constant
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.algebra import CHOLESKY, DET_SIGN, INV, LOG_ABS_DET, SOLVE
from autograd_seq.ops.elementwise import abs, equal, log, logical_or, not_equal, sign, sqrt, where
from autograd_seq.ops.linear import outer
from autograd_seq.ops.parts import getitem
from autograd_seq.ops.reduce import sum
from autograd_seq.ops.shape import reshape
from autograd_seq.ops.statistics import argmax
from autograd_seq.plan.passes.regroup import Places

LARGEST = 6
"""Rows of the largest matrix that is written out; of larger ones the program would be long, and LAPACK is fast."""


def eliminate_small(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with the small matrices of loops solved, inverted and factored by operations on their rows."""
    where_at = Places(outputs)

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op not in (SOLVE, INV, CHOLESKY, LOG_ABS_DET, DET_SIGN) or not where_at.path[node]:
            return None
        n = node.inputs[0].shape[0]
        if not 0 < n <= LARGEST:
            return None
        if node.op is CHOLESKY:
            return copy_name(node, _factor(inputs[0]))
        if node.op is INV:
            return copy_name(node, _eliminate(inputs[0], constant(np.eye(n)))[0])
        if node.op is SOLVE:
            columns = inputs[1] if node.attrs["columns"] else reshape(inputs[1], (n, 1))
            return copy_name(node, reshape(_eliminate(inputs[0], columns)[0], node.shape))
        return copy_name(node, _find_determinant(inputs[0], node.op is LOG_ABS_DET))

    return rebuild(outputs, rule)


def is_eliminated(node: Node) -> bool:
    """Tell whether a node is a small factorisation, which LAPACK refuses of some matrices, and elimination makes NaN of."""
    return node.op in (SOLVE, INV, CHOLESKY) and 0 < node.inputs[0].shape[0] <= LARGEST


def _find_determinant(a: Node, logarithm: bool) -> Node:
    """Return the logarithm of the absolute value of a determinant, or its sign; of a singular matrix −∞ or 0."""
    _, pivots, signs = _eliminate(a, None)
    result, singular = constant(0.0 if logarithm else 1.0), constant(False)
    for pivot, exchanged in zip(pivots, signs, strict=True):
        result = result + log(abs(pivot)) if logarithm else result * sign(pivot) * exchanged
        singular = logical_or(singular, equal(pivot, 0.0))
    return where(singular, -np.inf if logarithm else 0.0, result)


def _eliminate(a: Node, b: Node | None) -> tuple[Node, list[Node], list[Node]]:
    """Return a⁻¹ b, the pivots, and for each −1 if rows were exchanged, else 1."""
    n, pivots, signs = a.shape[0], [], []
    rows = np.arange(n)
    for j in range(n):
        place = argmax(where(constant(rows >= j), abs(a[:, j]), -1.0))
        here, chosen = constant((rows == j)[:, None]), reshape(equal(rows, place), (n, 1))
        pivot = sum(where(chosen, a, 0.0), axis=0)[j]
        pivots.append(pivot)
        signs.append(where(equal(place, j), 1.0, -1.0))
        divisor = where(equal(pivot, 0.0), np.nan, pivot)
        factor = where(constant(rows == j), 0.0, _exchange(a, here, chosen, j)[:, j])
        b = None if b is None else _clear(_exchange(b, here, chosen, j), here, factor, divisor, j)
        a = _clear(_exchange(a, here, chosen, j), here, factor, divisor, j)
    return (a if b is None else b), pivots, signs


def _exchange(x: Node, here: Node, chosen: Node, j: int) -> Node:
    """Return the matrix with row j and the chosen row exchanged."""
    return where(here, sum(where(chosen, x, 0.0), axis=0), where(chosen, getitem(x, j), x))


def _clear(x: Node, here: Node, factor: Node, pivot: Node, j: int) -> Node:
    """Return the matrix with row j divided by the pivot, and its multiples subtracted from the other rows."""
    row = getitem(x, j) / pivot
    return where(here, row, x - outer(factor, row))


def _factor(a: Node) -> Node:
    """Return the Cholesky factor, column by column; NaN throughout if there is none."""
    n, rows = a.shape[0], np.arange(a.shape[0])
    factor = constant(np.zeros((n, n)))
    for j in range(n):
        column = where(constant(rows >= j), a[:, j] / sqrt(a[j, j]), 0.0)
        factor = where(constant(rows == j), reshape(column, (n, 1)), factor)
        a = a - outer(column, column)
    total = sum(factor)
    return where(not_equal(total, total), np.nan, factor)


__all__ = ["eliminate_small", "is_eliminated"]
