"""Rounding: floor, ceil, round, and division with a remainder. The derivative of a step function is 0."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import numpy as np

from autograd_seq.core.facts import ANY, FINITE
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, apply_arithmetic, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import arithmetic, same_shape
from autograd_seq.ops.elementwise import cast, zero_safe_mul

FLOOR = defop(
    "floor", shape=same_shape, forward=np.floor, least=float,
    vjp=lambda g, y, x: (None,),
    native="np.floor({0})", linear=(), range=FINITE, zero_safe=True,
)  # fmt: skip
CEIL = defop(
    "ceil", shape=same_shape, forward=np.ceil, least=float,
    vjp=lambda g, y, x: (None,),
    native="np.ceil({0})", linear=(), range=FINITE, zero_safe=True,
)  # fmt: skip
ROUND = defop(
    "round", shape=same_shape, forward=np.rint, least=float,
    vjp=lambda g, y, x: (None,),
    native="np.rint({0})", linear=(), range=FINITE, zero_safe=True,
)  # fmt: skip


def _floor_divide_expression(node: Node) -> str:
    """Divide integers as NumPy does: a divisor of 0 gives 0; −1 is special since the CPU traps on (least integer) / −1."""
    if node.dtype is float:
        return "float_floor_divide({0}, {1})"
    return "(np.int64(0) if {1} == 0 else -{0} if {1} == -1 else {0} // {1})"


def _mod_expression(node: Node) -> str:
    if node.dtype is float:
        return "float_mod({0}, {1})"
    return "(np.int64(0) if {1} == 0 or {1} == -1 else {0} % {1})"


floor_divide: Op = defop(
    "floor_divide", forward=np.floor_divide, dtype=arithmetic, least=int, symbol="⌊÷⌋",
    vjp=lambda g, y, a, b: (None, None),
    native=_floor_divide_expression, flops=6, linear=(), range=ANY, zero_safe=True, infix="//",
    doc="Quotient rounded down, ``a // b``; for integers 0 where b is 0; without gradient.",
)  # fmt: skip
mod = defop(
    "mod", forward=np.mod, dtype=arithmetic, least=int, symbol="%",
    vjp=lambda g, y, a, b: (g, zero_safe_mul(-g, floor_divide(a, b))),
    native=_mod_expression, flops=4, linear=(), range=ANY, zero_safe=True, infix="%",
    doc="Remainder a − (a // b)·b, ``a % b``; it has the sign of b, as in NumPy and Python.",
)  # fmt: skip


def floor(x: Any) -> Node:
    """The largest whole number that is not above x, as a float; integers stay as they are.

    Args:
        x: (…), any value.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> floor([-1.5, 2.0, 2.7]).value
        array([-2.,  2.,  2.])
    """
    x = constant(x)
    return FLOOR(x) if x.dtype is float else x


def ceil(x: Any) -> Node:
    """The smallest whole number that is not below x, as a float; integers stay as they are.

    Args:
        x: (…), any value.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> ceil([-1.5, 2.0, 2.2]).value
        array([-1.,  2.,  3.])
    """
    x = constant(x)
    return CEIL(x) if x.dtype is float else x


def round(x: Any, decimals: int = 0) -> Node:
    """Round to ``decimals`` digits after the point; ties go to the even digit, as in NumPy.

    Args:
        x: any value; integers change only with negative ``decimals``, and stay integers.
        decimals: digits after the point; −2 rounds to hundreds.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> round([0.5, 1.5, 2.75]).value, round(2.75, 1).value
        (array([0., 2., 3.]), array(2.8))
    """
    x, digits = constant(x), operator.index(decimals)
    if x.dtype is not float:
        return x if digits >= 0 else cast(round(cast(x, float), digits), int)
    scale = 10.0 ** abs(digits)
    return ROUND(x) if not digits else ROUND(x * scale) / scale if digits > 0 else ROUND(x / scale) * scale


FUNCTIONS.update(round=round, **{op.name: partial(apply_arithmetic, op) for op in (mod, floor_divide)})
__all__ = ["ceil", "floor", "floor_divide", "mod", "round"]
explain_keywords(globals(), __all__)
