"""Operations on each element: arithmetic, powers, exponentials, activations, comparisons, choices.

Rules whose derivative is unbounded (1 / x, exp, log, roots, powers) pass through :func:`zero_safe_mul`, so that a cotangent
of 0 stays 0 where it is infinite; that is bilinear like a product, so that second derivatives and forward mode stay exact.
What a ``where`` does not take is kept out of all other rules by ``autograd_seq.grad.live``.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from autograd_seq.elsewhere import explain_keywords
from autograd_seq.node import Node, constant
from autograd_seq.op import FUNCTIONS, Op, arithmetic, defop, promote, same_shape

# -- arithmetic ---------------------------------------------------------------------------------------------------

add = defop(
    "add", forward=operator.add, dtype=promote, symbol="+",
    vjp=lambda g, y, a, b: (g, g),
    doc="Sum of two values, broadcast as in NumPy.",
)  # fmt: skip
sub = defop(
    "sub", forward=operator.sub, dtype=arithmetic, least=int, symbol="−",
    vjp=lambda g, y, a, b: (g, -g),
    doc="Difference of two values.",
)  # fmt: skip
mul = defop(
    "mul", forward=operator.mul, dtype=promote, symbol="⊙",
    vjp=lambda g, y, a, b: (g * b, g * a),
    doc="Elementwise product.",
)  # fmt: skip
zero_safe_mul: Op = defop(
    "zero_safe_mul", dtype=promote, symbol="⊙",
    forward=lambda g, d: np.multiply(g, d, where=(g != 0), out=np.zeros(np.broadcast(g, d).shape, np.result_type(g, d))),
    vjp=lambda h, y, g, d: (zero_safe_mul(h, d), zero_safe_mul(h, g)),
    doc="Product that is 0 wherever the first factor is, even against infinities and NaN.",
)  # fmt: skip
div = defop(
    "div", forward=operator.truediv, symbol="÷",
    vjp=lambda g, y, a, b: (zero_safe_mul(g, 1 / b), zero_safe_mul(-g, y / b)),
    doc="True quotient.",
)  # fmt: skip
neg = defop(
    "neg", shape=same_shape, forward=operator.neg, dtype=arithmetic, least=int, symbol="−",
    vjp=lambda g, y, x: (-g,),
    doc="The value with its sign changed.",
)  # fmt: skip
abs = defop(
    "abs", shape=same_shape, forward=np.abs, dtype=promote, symbol="|·|",
    vjp=lambda g, y, x: (g * sign(x),),
    doc="Absolute value; its derivative at 0 is 0.",
)  # fmt: skip
sign: Op = defop(
    "sign", shape=same_shape, forward=np.sign, dtype=arithmetic, least=int,
    vjp=lambda g, y, x: (None,),
    doc="−1, 0 or 1; without gradient.",
)  # fmt: skip
minimum = defop(
    "minimum", forward=np.minimum, dtype=promote, symbol="min",
    vjp=lambda g, y, a, b: (g * _share(a, b), g * _share(b, a)),
    doc="The smaller of two values; where they tie, each gets half of the gradient.",
)  # fmt: skip
maximum = defop(
    "maximum", forward=np.maximum, dtype=promote, symbol="max",
    vjp=lambda g, y, a, b: (g * _share(b, a), g * _share(a, b)),
    doc="The larger of two values; where they tie, each gets half of the gradient.",
)  # fmt: skip


def _share(a: Any, b: Any) -> Any:
    """1 where a < b, a half where they tie, 0 elsewhere."""
    return where(less(a, b), 1.0, where(equal(a, b), 0.5, 0.0))


def clip(x: Any, low: Any = None, high: Any = None) -> Node:
    """Limit ``x`` to ``low`` … ``high`` (``None``: no limit on that side).

    Example:
        >>> clip([-2.0, 0.5, 3.0], 0, 1).value
        array([0. , 0.5, 1. ])
    """
    out = x if low is None else maximum(x, low)
    return constant(out if high is None else minimum(out, high))


# -- powers, exponentials, logarithms -------------------------------------------------------------------------------


def _power_forward(a: Any, b: Any) -> Any:
    """NumPy takes the square root for a single exponent of ½, which is NaN at −∞ where the power is ∞."""
    return np.power(a, np.atleast_1d(b)).reshape(np.broadcast(a, b).shape)


_power = defop(
    "power", forward=_power_forward, dtype=arithmetic, least=int, symbol="^",
    vjp=lambda g, y, a, b: (
        zero_safe_mul(g, zero_safe_mul(b, power(a, b - 1))),
        zero_safe_mul(g, where(equal(a, 0), 0.0, y * _log(where(equal(a, 0), 1.0, a)))),
    ),
    doc="a to the power b.",
)  # fmt: skip
_power_number = defop(
    "power_number", word="power", shape=same_shape, least=int, symbol="^",
    forward=lambda x, n: np.sqrt(x) if n == 0.5 else x**n,
    dtype=lambda x, *, n: arithmetic(x) if isinstance(n, int) else float,
    vjp=lambda g, y, x, n: (zero_safe_mul(g, n * power(x, n - 1)) if n != 0 else None,),
    doc="x to a fixed power.",
)  # fmt: skip


def power(base: Any, exponent: Any) -> Node:
    """Return ``base ** exponent``; a Python number as the exponent has no derivative, and costs none.

    Example:
        >>> power([1.0, 2.0, 3.0], 2).value
        array([1., 4., 9.])
    """
    if isinstance(exponent, (int, float)) and not isinstance(exponent, bool):
        base = constant(base)
        if exponent < 0 and base.dtype is not float:
            base = cast(base, float)
        n = exponent if isinstance(exponent, int) else float(exponent)  # a np.float64 would widen float32
        return base if n == 1 else _power_number(base, n=n)
    base, exponent = constant(base), constant(exponent)
    if base.dtype is not float and exponent.dtype is int and _some_negative(exponent):
        base = cast(base, float)  # as Python does; of integers that are fed NumPy refuses it
    return _power(base, exponent)


def _some_negative(x: Node) -> bool:
    return x._value is not None and bool(np.min(x._value, initial=0) < 0)


exp = defop(
    "exp", shape=same_shape, forward=np.exp, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, y),),
    doc="e to the power x.",
)  # fmt: skip
expm1 = defop(
    "expm1", shape=same_shape, forward=np.expm1, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, y + 1),),
    doc="exp(x) − 1, exact for small x.",
)  # fmt: skip
_log: Op = defop(
    "log", shape=same_shape, forward=np.log, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, 1 / x),),
    doc="Natural logarithm.",
)  # fmt: skip
log1p = defop(
    "log1p", shape=same_shape, forward=np.log1p, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, 1 / (1 + x)),),
    doc="log(1 + x), exact for small x.",
)  # fmt: skip
sqrt = defop(
    "sqrt", shape=same_shape, forward=np.sqrt, least=float, symbol="√",
    vjp=lambda g, y, x: (zero_safe_mul(g, 0.5 / y),),
    doc="Square root.",
)  # fmt: skip
sin = defop(
    "sin", shape=same_shape, forward=np.sin, least=float,
    vjp=lambda g, y, x: (g * cos(x),),
    doc="Sine of x in radians.",
)  # fmt: skip
arctan = defop(
    "arctan", shape=same_shape, forward=np.arctan, least=float,
    vjp=lambda g, y, x: (g / (1 + x * x),),
    doc="Inverse tangent, in radians.",
)  # fmt: skip
cos: Op = defop(
    "cos", shape=same_shape, forward=np.cos, least=float,
    vjp=lambda g, y, x: (-g * sin(x),),
    doc="Cosine of x in radians.",
)  # fmt: skip

# -- activations ----------------------------------------------------------------------------------------------------

tanh = defop(
    "tanh", shape=same_shape, forward=np.tanh, least=float,
    vjp=lambda g, y, x: (g * (1 - y * y),),
    doc="Hyperbolic tangent.",
)  # fmt: skip


def _sigmoid(x: Any) -> Any:
    e = np.exp(np.where(x >= 0, -x, x))  # never overflows
    return np.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: Any) -> Any:
    return np.where(x >= 0, x, 0) + np.log1p(np.exp(np.where(x >= 0, -x, x)))


sigmoid = defop(
    "sigmoid", shape=same_shape, forward=_sigmoid, least=float, symbol="σ",
    vjp=lambda g, y, x: (g * (y * (1 - y)),),
    doc="1 / (1 + exp(−x)), without overflow.",
)  # fmt: skip
softplus = defop(
    "softplus", shape=same_shape, forward=_softplus, least=float,
    vjp=lambda g, y, x: (g * sigmoid(x),),
    doc="log(1 + exp(x)), without overflow.",
)  # fmt: skip
relu = defop(
    "relu", shape=same_shape, forward=lambda x: np.maximum(x, 0), dtype=arithmetic, least=int,
    vjp=lambda g, y, x: (g * (y > 0),),
    doc="max(x, 0), with derivative 0 at 0 (as in PyTorch and JAX).",
)  # fmt: skip


def _erf_forward(x: Any) -> Any:
    out = np.frompyfunc(math.erf, 1, 1)(x)
    return np.asarray(out).astype(x.dtype if x.dtype.kind == "f" else float)


erf = defop(
    "erf", shape=same_shape, forward=_erf_forward, least=float,
    vjp=lambda g, y, x: (g * (2 / math.sqrt(math.pi)) * exp(-x * x),),
    doc="The error function 2/√π ∫₀ˣ exp(−u²) du, to the C library's accuracy.",
)  # fmt: skip


def gelu(x: Any) -> Node:
    """Gaussian error linear unit, x·Φ(x), by the error function (Hendrycks & Gimpel 2016).

    Example:
        >>> round(float(gelu(1.0)), 6)
        0.841345
    """
    x = constant(x)
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


# -- comparisons, logic, choice -------------------------------------------------------------------------------------

equal: Op = defop(
    "equal", forward=operator.eq, dtype=bool, symbol="=",
    vjp=lambda g, y, a, b: (None, None),
    doc="Where two values are equal.",
)  # fmt: skip
not_equal = defop(
    "not_equal", forward=operator.ne, dtype=bool, symbol="≠",
    vjp=lambda g, y, a, b: (None, None),
    doc="Where two values differ.",
)  # fmt: skip
less = defop(
    "less", forward=operator.lt, dtype=bool, symbol="<",
    vjp=lambda g, y, a, b: (None, None),
    doc="Where a < b.",
)  # fmt: skip
less_equal = defop(
    "less_equal", forward=operator.le, dtype=bool, symbol="≤",
    vjp=lambda g, y, a, b: (None, None),
    doc="Where a ≤ b.",
)  # fmt: skip
logical_and = defop(
    "logical_and", forward=np.logical_and, dtype=bool, symbol="∧",
    vjp=lambda g, y, a, b: (None, None),
    doc="Where both are true.",
)  # fmt: skip
logical_or = defop(
    "logical_or", forward=np.logical_or, dtype=bool, symbol="∨",
    vjp=lambda g, y, a, b: (None, None),
    doc="Where at least one is true.",
)  # fmt: skip
logical_not = defop(
    "logical_not", shape=same_shape, forward=np.logical_not, dtype=bool, symbol="¬",
    vjp=lambda g, y, x: (None,),
    doc="Where it is false.",
)  # fmt: skip
where: Op = defop(
    "where", forward=np.where, dtype=lambda c, a, b, **_: promote(a, b),
    vjp=lambda g, y, c, a, b: (None, where(c, g, 0.0), where(c, 0.0, g)),
    doc="a where the condition holds, b elsewhere; the branch not taken gets a gradient of exactly 0.",
)  # fmt: skip

# -- kinds ----------------------------------------------------------------------------------------------------------

_CASTS = {float: lambda x: x.astype(np.float64) if x.dtype.kind in "iub" else x,
          int: lambda x: np.real(x).astype(np.int64), bool: lambda x: x.astype(np.bool_)}  # fmt: skip
_cast = defop(
    "cast", shape=same_shape, forward=lambda x, to: _CASTS[to](x), dtype=lambda x, *, to: to,
    vjp=lambda g, y, x, to: (g if to is float else None,),
    doc="The same numbers as another kind.",
)  # fmt: skip


def cast(x: Any, to: type) -> Node:
    """Return ``x`` as ``float``, ``int`` (towards zero) or ``bool``; only the cast to float has a gradient.

    Example:
        >>> cast([1.7, -1.7], int).value
        array([ 1, -1])
    """
    x = constant(x)
    return x if x.dtype is to else _cast(x, to=to)


def log(x: Any) -> Node:
    """Natural logarithm; of a softmax, a sigmoid or a sum of exponentials it is computed in the stable form.

    Example:
        >>> float(log(sigmoid(-1000.0)).value)
        -1000.0
    """
    x = constant(x)
    stable = STABLE_LOG.get(x.op.name)
    twin = stable(x) if stable else None
    return _log(x) if twin is None else rewritten(twin, x, form="log")


STABLE_LOG: dict[str, Any] = {"sigmoid": lambda y: -softplus(-y.inputs[0])}
"""log of these operations has a stable form: name → a function of the operation's node (``None``: not in this case)."""

rewritten = defop(
    "rewritten", word=lambda form: form, shape=lambda twin, *shown, form: twin,
    forward=lambda twin, *shown, form: twin, dtype=lambda t, *_, **__: t,
    vjp=lambda g, y, twin, *shown, form: (g, *[None] * len(shown)), broadcasts=False,
    doc="What ``form`` of ``shown`` would be, computed as ``twin``: equal in exact arithmetic, stable in floats.",
)  # fmt: skip

AS_WRITTEN: dict[str, Any] = {"log": lambda node, g, x: (zero_safe_mul(g, 1 / x),)}
"""Forms whose twin passes by what they are shown: form → (node, cotangent, *shown) to what the shown would get without it."""

FUNCTIONS.update(power=power)
__all__ = [
    "abs", "add", "arctan", "cast", "clip", "cos", "div", "equal", "erf", "exp", "expm1", "gelu", "less", "less_equal", "log",
    "log1p", "logical_and", "logical_not", "logical_or", "maximum", "minimum", "mul", "neg", "not_equal", "power", "relu",
    "sigmoid", "sign", "sin", "softplus", "sqrt", "sub", "tanh", "where", "zero_safe_mul",
]  # fmt: skip
explain_keywords(globals(), __all__)
