"""Operations on each element: arithmetic, powers, exponentials, comparisons, choices.

Rules whose derivative is unbounded (1 / x, exp, log, roots, powers) multiply by :func:`zero_safe_mul`, so that a cotangent
of 0 stays 0 where the derivative is infinite. It is bilinear like a product, so second derivatives and forward mode stay exact.
For all other rules ``autograd_seq.grad.live`` keeps NaN of the branch that a ``where`` does not take out of the gradient.
"""

from __future__ import annotations

import math
import operator
from functools import partial
from typing import Any

import numpy as np

from autograd_seq.core.facts import ANY, EACH, FINITE, KEPT, MINUS_ONE, TOGETHER
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, apply, apply_arithmetic, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import arithmetic, promote, same_shape
from autograd_seq.ops.forms import rewritten

FUNCTION = 10
"""The floating-point operations counted for one tanh, exp, log, …: a polynomial of about this degree."""

# -- arithmetic ---------------------------------------------------------------------------------------------------

add = defop(
    "add", forward=operator.add, dtype=promote, symbol="+",
    vjp=lambda g, y, a, b: (g, g),
    ufunc=np.add, native="({0} + {1})", linear=TOGETHER, range=FINITE, infix="+",
    doc="Sum of two values, broadcast as in NumPy.",
)  # fmt: skip
sub = defop(
    "sub", forward=operator.sub, dtype=arithmetic, least=int, symbol="−",
    vjp=lambda g, y, a, b: (g, -g),
    ufunc=np.subtract, native="({0} - {1})", linear=TOGETHER, range=FINITE, infix="-",
    doc="Difference of two values.",
)  # fmt: skip
mul = defop(
    "mul", forward=operator.mul, dtype=promote, symbol="⊙",
    vjp=lambda g, y, a, b: (g * b, g * a),
    ufunc=np.multiply, native="({0} * {1})", linear=EACH, range=FINITE, infix="*",
    doc="Elementwise product.",
)  # fmt: skip
zero_safe_mul: Op = defop(
    "zero_safe_mul", dtype=promote, symbol="⊙",
    forward=lambda g, d: np.multiply(g, d, where=(g != 0), out=np.zeros(np.broadcast(g, d).shape, np.result_type(g, d))),
    vjp=lambda h, y, g, d: (zero_safe_mul(h, d), zero_safe_mul(h, g)),
    numpy=("multiply({0}, {1}, {out})", "copyto({out}, 0, where=equal({0}, 0))"), rereads=True,
    native="({0} * {1} if {0} != 0 else {zero})", flops=2, linear=EACH, range=FINITE, zero_safe=True,
    doc="Product that is 0 wherever the first factor is, even against infinities and NaN.",
)  # fmt: skip
div = defop(
    "div", forward=operator.truediv, symbol="÷",
    vjp=lambda g, y, a, b: (zero_safe_mul(g, 1 / b), zero_safe_mul(-g, y / b)),
    ufunc=np.divide, native="({0} / {1})", linear=(0,), range=ANY, zero_safe=True, infix="/",
    doc="True quotient.",
)  # fmt: skip
neg = defop(
    "neg", shape=same_shape, forward=operator.neg, dtype=arithmetic, least=int, symbol="−",
    vjp=lambda g, y, x: (-g,),
    # NumPy's own ``negative`` is wrong from strided memory to strided memory (2.4, with AVX-512: every fourth float)
    ufunc=np.negative, numpy=lambda node: (f"multiply({{0}}, {MINUS_ONE if node.dtype is float else -1}, {{out}})",),
    native="(-{0})", linear=TOGETHER, range=KEPT, prefix="-",
    doc="The value with its sign changed.",
)  # fmt: skip
abs = defop(
    "abs", shape=same_shape, forward=np.abs, dtype=promote, symbol="|·|",
    vjp=lambda g, y, x: (g * sign(x),),
    native="abs({0})", linear=(), range=KEPT,
    doc="Absolute value; its derivative at 0 is 0.",
)  # fmt: skip
sign: Op = defop(
    "sign", shape=same_shape, forward=np.sign, dtype=arithmetic, least=int,
    vjp=lambda g, y, x: (None,),
    native="(np.sign({0}) + {zero})", linear=(), range=(-1, 1),  # of −0 it is 0, as in NumPy
    doc="−1, 0 or 1; without gradient.",
)  # fmt: skip
minimum = defop(
    "minimum", forward=np.minimum, dtype=promote, symbol="min",
    vjp=lambda g, y, a, b: (g * _share_gradient(a, b), g * _share_gradient(b, a)),
    native="({0} if {0} < {1} or {0} != {0} else {1})",  # as NumPy, either operand being NaN gives NaN
    linear=(), range=KEPT, chooses=True,
    doc="The smaller of two values; where they tie, each gets half of the gradient.",
)  # fmt: skip
maximum = defop(
    "maximum", forward=np.maximum, dtype=promote, symbol="max",
    vjp=lambda g, y, a, b: (g * _share_gradient(b, a), g * _share_gradient(a, b)),
    native="({0} if {0} > {1} or {0} != {0} else {1})", linear=(), range=KEPT, chooses=True,
    doc="The larger of two values; where they tie, each gets half of the gradient.",
)  # fmt: skip


def _share_gradient(a: Any, b: Any) -> Any:
    """1 where a < b, a half where they tie, 0 elsewhere."""
    return where(less(a, b), 1.0, where(equal(a, b), 0.5, 0.0))


# -- powers, exponentials, logarithms -------------------------------------------------------------------------------


def _power_forward(a: Any, b: Any) -> Any:
    """Compute a ** b by arrays: for a scalar exponent of ½ NumPy takes the square root, NaN at −∞ where the power is ∞."""
    return np.power(a, np.atleast_1d(b)).reshape(np.broadcast(a, b).shape)


def _power_expression(node: Node) -> str | None:
    return "({0} ** {1})" if node.dtype is float else None


POWER = defop(
    "power", forward=_power_forward, dtype=arithmetic, least=int, symbol="^",
    ufunc=np.power, native=_power_expression, flops=FUNCTION, linear=(), range=ANY, zero_safe=True, infix="**",
    vjp=lambda g, y, a, b: (
        zero_safe_mul(g, zero_safe_mul(b, power(a, b - 1))),
        zero_safe_mul(g, where(equal(a, 0), 0.0, y * LOG(where(equal(a, 0), 1.0, a)))),
    ),
    doc="a to the power b.",
)  # fmt: skip


def _number_calls(node: Node) -> tuple[str, ...]:
    n = node.attrs["n"]
    own = {2: "square", 0.5: "sqrt"}.get(n)
    return (f"{own}({{0}}, {{out}})" if own else f"power({{0}}, {n!r}, {{out}})",)


def _number_expression(node: Node) -> str | None:
    n = node.attrs["n"]
    if node.dtype is not float:
        return f"whole_power(np.int64({{0}}), {n})" if isinstance(n, int) and n >= 0 else None
    if n in (2, 3):
        return f"({' * '.join(['{0}'] * int(n))})"
    if n in (-1, 0.5):
        return "(real(1) / {0})" if n == -1 else "np.sqrt({0})"
    return f"({{0}} ** real({n!r}))"  # calls the C library's pow: an integer exponent would multiply, which rounds more often


POWER_NUMBER = defop(
    "power_number", word="power", shape=same_shape, least=int, symbol="^",
    forward=lambda x, n: np.sqrt(x) if n == 0.5 else x**n,
    dtype=lambda x, *, n: arithmetic(x) if isinstance(n, int) else float,
    vjp=lambda g, y, x, n: (zero_safe_mul(g, n * power(x, n - 1)) if n != 0 else None,),
    numpy=_number_calls, native=_number_expression, linear=(), range=ANY, zero_safe=True, infix="**",
    doc="x to a fixed power.",
)  # fmt: skip


def power(base: Any, exponent: Any) -> Node:
    """Return ``base ** exponent``; for an exponent that is a Python number no derivative is computed.

    Args:
        base, exponent: (…), values that broadcast against each other.

    Returns:
        A node of the shape to which they broadcast, over the axes of both.

    Example:
        >>> power([1.0, 2.0, 3.0], 2).value
        array([1., 4., 9.])
    """
    if isinstance(exponent, (int, float)) and not isinstance(exponent, bool):
        base = constant(base)
        if exponent < 0 and base.dtype is not float:
            base = cast(base, float)
        n = exponent if isinstance(exponent, int) else float(exponent)  # a np.float64 would widen float32
        return base if n == 1 else POWER_NUMBER(base, n=n)
    base, exponent = constant(base), constant(exponent)
    if base.dtype is not float and exponent.dtype is int and _some_negative(exponent):
        base = cast(base, float)  # as Python does; NumPy refuses a negative power of an integer array
    return POWER(base, exponent)


def _some_negative(x: Node) -> bool:
    return x._value is not None and bool(np.min(x._value, initial=0) < 0)


exp = defop(
    "exp", shape=same_shape, forward=np.exp, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, y),),
    native="fast_exp({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="e to the power x.",
)  # fmt: skip
expm1 = defop(
    "expm1", shape=same_shape, forward=np.expm1, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, y + 1),),
    native="np.expm1({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="exp(x) − 1, exact for small x.",
)  # fmt: skip
LOG: Op = defop(
    "log", shape=same_shape, forward=np.log, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, 1 / x),),
    native="np.log({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="Natural logarithm.",
)  # fmt: skip
log1p = defop(
    "log1p", shape=same_shape, forward=np.log1p, least=float,
    vjp=lambda g, y, x: (zero_safe_mul(g, 1 / (1 + x)),),
    native="np.log1p({0})", flops=FUNCTION, linear=(), range=ANY, zero_safe=True,
    doc="log(1 + x), exact for small x.",
)  # fmt: skip
sqrt = defop(
    "sqrt", shape=same_shape, forward=np.sqrt, least=float, symbol="√",
    vjp=lambda g, y, x: (zero_safe_mul(g, 0.5 / y),),
    native="np.sqrt({0})", linear=(), range=ANY, zero_safe=True,
    doc="Square root.",
)  # fmt: skip
sin = defop(
    "sin", shape=same_shape, forward=np.sin, least=float,
    vjp=lambda g, y, x: (g * cos(x),),
    native="np.sin({0})", flops=FUNCTION, linear=(), range=(-1, 1),
    doc="Sine of x in radians.",
)  # fmt: skip
arctan = defop(
    "arctan", shape=same_shape, forward=np.arctan, least=float,
    vjp=lambda g, y, x: (g / (1 + x * x),),
    native="np.arctan({0})", flops=FUNCTION, linear=(), range=(-math.pi / 2, math.pi / 2),
    doc="Inverse tangent, in radians.",
)  # fmt: skip
cos: Op = defop(
    "cos", shape=same_shape, forward=np.cos, least=float,
    vjp=lambda g, y, x: (-g * sin(x),),
    native="np.cos({0})", flops=FUNCTION, linear=(), range=(-1, 1),
    doc="Cosine of x in radians.",
)  # fmt: skip

# -- comparisons, logic, choice -------------------------------------------------------------------------------------

equal: Op = defop(
    "equal", forward=operator.eq, dtype=bool, symbol="=",
    vjp=lambda g, y, a, b: (None, None),
    ufunc=np.equal, native="({0} == {1})", linear=(), range=(0, 1), infix="==",
    doc="Where two values are equal.",
)  # fmt: skip
not_equal = defop(
    "not_equal", forward=operator.ne, dtype=bool, symbol="≠",
    vjp=lambda g, y, a, b: (None, None),
    ufunc=np.not_equal, native="({0} != {1})", linear=(), range=(0, 1), infix="!=",
    doc="Where two values differ.",
)  # fmt: skip
less = defop(
    "less", forward=operator.lt, dtype=bool, symbol="<",
    vjp=lambda g, y, a, b: (None, None),
    ufunc=np.less, native="({0} < {1})", linear=(), range=(0, 1), infix="<",
    doc="Where a < b.",
)  # fmt: skip
less_equal = defop(
    "less_equal", forward=operator.le, dtype=bool, symbol="≤",
    vjp=lambda g, y, a, b: (None, None),
    ufunc=np.less_equal, native="({0} <= {1})", linear=(), range=(0, 1), infix="<=",
    doc="Where a ≤ b.",
)  # fmt: skip
logical_and = defop(
    "logical_and", forward=np.logical_and, dtype=bool, symbol="∧",
    vjp=lambda g, y, a, b: (None, None),
    native="({0} != 0 and {1} != 0)", linear=(), range=(0, 1), infix="&",
    doc="Logical and.",
)  # fmt: skip
logical_or = defop(
    "logical_or", forward=np.logical_or, dtype=bool, symbol="∨",
    vjp=lambda g, y, a, b: (None, None),
    native="({0} != 0 or {1} != 0)", linear=(), range=(0, 1), infix="|",
    doc="Logical or.",
)  # fmt: skip
logical_not = defop(
    "logical_not", shape=same_shape, forward=np.logical_not, dtype=bool, symbol="¬",
    vjp=lambda g, y, x: (None,),
    native="({0} == 0)", linear=(), range=(0, 1), prefix="~",
    doc="Logical not.",
)  # fmt: skip


def _where_calls(node: Node) -> tuple[str, ...]:
    chosen = "{0}" if node.inputs[0].dtype is bool else "not_equal({0}, 0)"
    return "copyto({out}, {2})", f"copyto({{out}}, {{1}}, where={chosen})"


where: Op = defop(
    "where", forward=np.where, dtype=lambda c, a, b, **_: promote(a, b),
    vjp=lambda g, y, condition, a, b: (None, where(condition, g, 0.0), where(condition, 0.0, g)),
    numpy=_where_calls, rereads=True, native="({1} if {0} else {2})", linear=(1, 2), range=KEPT, zero_safe=True, chooses=True,
    doc="a where the condition holds, b elsewhere; the branch not taken gets a gradient of exactly 0.",
)  # fmt: skip

# -- kinds ----------------------------------------------------------------------------------------------------------

_CASTS = {float: lambda x: x.astype(np.float64) if x.dtype.kind in "iub" else x,
          int: lambda x: np.real(x).astype(np.int64), bool: lambda x: x.astype(np.bool_)}  # fmt: skip
_KIND_EXPRESSIONS = {float: "{0}", int: "np.int64({0})", bool: "({0} != 0)"}  # operands of floats come as such
CAST = defop(
    "cast", shape=same_shape, forward=lambda x, to: _CASTS[to](x), dtype=lambda x, *, to: to,
    vjp=lambda g, y, x, to: (g if to is float else None,),
    numpy=('copyto({out}, {0}, casting="unsafe")',), native=lambda node: _KIND_EXPRESSIONS[node.attrs["to"]], flops=0,
    linear=(), range=KEPT, zero_safe=True,  # linear only if it is to float
    doc="Conversion to another kind: float, int or bool.",
)  # fmt: skip


def cast(x: Any, to: type) -> Node:
    """Return ``x`` as ``float``, ``int`` (towards zero) or ``bool``; only the cast to float has a gradient.

    Args:
        x: (…), any value.
        to: ``float``, ``int`` or ``bool``.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> cast([1.7, -1.7], int).value
        array([ 1, -1])
    """
    x = constant(x)
    return x if x.dtype is to else CAST(x, to=to)


def log(x: Any) -> Node:
    """Natural logarithm; that of a softmax, a sigmoid or a sum of exponentials is computed in its stable form.

    Args:
        x: (…), positive numbers.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> from autograd_seq.ops.activations import sigmoid
        >>> float(log(sigmoid(-1000.0)).value)
        -1000.0
    """
    x = constant(x)
    twin = x.op.stable_log(x) if x.op.stable_log else None
    return LOG(x) if twin is None else rewritten(twin, x, form="log")


AS_WRITTEN: dict[str, Any] = {"log": lambda node, g, x: (zero_safe_mul(g, 1 / x),)}
"""For forms whose twin does not read what is shown: (node, cotangent, *shown) → the cotangents of what is shown."""

FUNCTIONS.update(power=power, **{op.name: partial(apply_arithmetic, op) for op in (add, sub, mul, div)})
_plain = (neg, abs, equal, not_equal, less, less_equal, logical_and, logical_or, logical_not)
FUNCTIONS.update({op.name: partial(apply, op) for op in _plain})
__all__ = [
    "abs", "add", "arctan", "cast", "cos", "div", "equal", "exp", "expm1", "less", "less_equal", "log", "log1p",
    "logical_and", "logical_not", "logical_or", "maximum", "minimum", "mul", "neg", "not_equal", "power", "sign", "sin",
    "sqrt", "sub", "where", "zero_safe_mul",
]  # fmt: skip
explain_keywords(globals(), __all__)
