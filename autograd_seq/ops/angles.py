"""Trigonometric and hyperbolic functions: tan, sinh, cosh, and the inverses arcsin, arccos, arctan2."""

from __future__ import annotations

import math

import numpy as np

from autograd_seq.core.facts import ANY
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import same_shape
from autograd_seq.ops.elementwise import FUNCTION, sqrt, zero_safe_mul

tan = defop(
    "tan", shape=same_shape, forward=np.tan, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, 1 + y * y),),
    native="np.tan({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="Tangent of x in radians.",
)  # fmt: skip
sinh: Op = defop(
    "sinh", shape=same_shape, forward=np.sinh, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, cosh(x)),),
    native="np.sinh({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="Hyperbolic sine, (exp(x) − exp(−x)) / 2, exact for small x.",
)  # fmt: skip
cosh: Op = defop(
    "cosh", shape=same_shape, forward=np.cosh, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, sinh(x)),),
    native="np.cosh({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="Hyperbolic cosine, (exp(x) + exp(−x)) / 2.",
)  # fmt: skip
arcsin = defop(
    "arcsin", shape=same_shape, forward=np.arcsin, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, 1 / sqrt((1 - x) * (1 + x))),),
    native="np.arcsin({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="Inverse sine, in radians, −π/2 … π/2; NaN outside of −1 … 1.",
)  # fmt: skip
arccos = defop(
    "arccos", shape=same_shape, forward=np.arccos, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(-g, 1 / sqrt((1 - x) * (1 + x))),),
    native="np.arccos({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="Inverse cosine, in radians, 0 … π; NaN outside of −1 … 1.",
)  # fmt: skip
arctan2 = defop(
    "arctan2", forward=np.arctan2, least=float,
    vjp=lambda g, y, a, b: (zero_safe_mul(g, b / (a * a + b * b)), zero_safe_mul(-g, a / (a * a + b * b))),
    native="np.arctan2({0}, {1})", flops=FUNCTION, linear=(), range=(-math.pi, math.pi), zero_safe=True,
    doc="Angle of the point (x, y) = (b, a), in radians, −π … π; not differentiable at (0, 0).",
)  # fmt: skip

__all__ = ["arccos", "arcsin", "arctan2", "cosh", "sinh", "tan"]
