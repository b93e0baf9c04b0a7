"""Recognises contractions that are written as ordinary products: outer, scaled, matrix."""

from __future__ import annotations

from autograd_seq.emit.contraction import find_product
from autograd_seq.ops.linear import split_spec

OUTER, SCALED, MATRIX, EINSUM = "outer", "scaled", "matrix", "einsum"


def read_product(spec: str) -> tuple[str, bool, bool, bool]:
    """Return the kind of a contraction, whether its operands are swapped, and whether the first and the second are transposed.

    Example:
        >>> read_product("IJ,J->I"), read_product("IK,IJ->JK"), read_product("i,j->ji"), read_product("ij,k->ik")[0]
        (('matrix', False, False, False), ('matrix', True, True, False), ('outer', True, False, False), 'einsum')
    """
    a, b, out = split_spec(spec)
    if not (a and b):
        return SCALED if out == a + b else EINSUM, False, False, False
    if len(a) == len(b) == 1 and a != b and len(out) == 2:
        return OUTER, out == b + a, False, False
    if spec == "I,IJ->J":  # as in gradients, which are written as a transposed matrix times a vector
        return MATRIX, True, True, False
    found = find_product(a, b, out)
    if found is None or found.batch or not found.straight:
        return EINSUM, False, False, False
    if max(map(len, (found.first.rows, found.first.columns, found.second.columns))) > 1:
        return EINSUM, False, False, False
    first, second = (tuple((a, b)[m.operand]) != (*m.rows, *m.columns) for m in (found.first, found.second))
    return MATRIX, found.first.operand == 1, first, second


__all__ = ["EINSUM", "MATRIX", "OUTER", "SCALED", "read_product"]
