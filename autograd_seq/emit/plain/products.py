"""Recognises contractions that are written as ordinary products: outer, scaled, matrix."""

from __future__ import annotations

OUTER, SCALED, MATRIX, EINSUM = "outer", "scaled", "matrix", "einsum"


def read_product(spec: str) -> tuple[str, bool, bool, bool]:
    """Return the kind of a contraction, whether its operands are swapped, and whether the first and the second are transposed.

    Example:
        >>> read_product("IJ,J->I"), read_product("IK,IJ->JK"), read_product("i,j->ji"), read_product("ij,k->ik")[0]
        (('matrix', False, False, False), ('matrix', True, True, False), ('outer', True, False, False), 'einsum')
    """
    operands, out = spec.split("->")
    a, b = operands.split(",")
    if not (a and b):
        return SCALED if out == a + b else EINSUM, False, False, False
    if len(a) == len(b) == 1 and a != b and len(out) == 2:
        return OUTER, out == b + a, False, False
    if len(a) <= 2 and len(b) <= 2:
        if spec == "I,IJ->J":  # as in gradients, which are written as a transposed matrix times a vector
            return MATRIX, True, True, False
        for turned, (x, y) in ((False, (a, b)), (True, (b, a))):
            for first in (x, x[::-1]) if len(x) == 2 else (x,):
                for second in (y, y[::-1]) if len(y) == 2 else (y,):
                    if first[-1] == second[0] and out == first[:-1] + second[1:]:
                        return MATRIX, turned, first != x, second != y
    return EINSUM, False, False, False


__all__ = ["EINSUM", "MATRIX", "OUTER", "SCALED", "read_product"]
