"""Nonlinearities: tanh, sigmoid, softplus, relu, the error function, and functions composed of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_seq.core.facts import FINITE, KEPT, MINUS_ONE, ONE
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import arithmetic, same_shape
from autograd_seq.ops.elementwise import FUNCTION, exp

tanh = defop(
    "tanh", shape=same_shape, forward=np.tanh, least=float,
    vjp=lambda g, y, x: (g * (1 - y * y),),
    native="fast_tanh({0})", flops=FUNCTION, linear=(), range=(-1, 1),
    doc="Hyperbolic tangent.",
)  # fmt: skip


def _sigmoid(x: Any) -> Any:
    e = np.exp(np.where(x >= 0, -x, x))  # never overflows
    return np.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: Any) -> Any:
    return np.where(x >= 0, x, 0) + np.log1p(np.exp(np.where(x >= 0, -x, x)))


sigmoid: Op = defop(
    "sigmoid", shape=same_shape, forward=_sigmoid, least=float, symbol="σ",
    vjp=lambda g, y, x: (g * (y * (1 - y)),),
    numpy=(f"multiply({{0}}, {MINUS_ONE}, {{out}})", "exp({out}, {out})", f"add({{out}}, {ONE}, {{out}})",
           "reciprocal({out}, {out})"),
    native="fast_sigmoid({0})", flops=FUNCTION + 3, linear=(), range=(0, 1),
    doc="1 / (1 + exp(−x)), without overflow.",
)  # fmt: skip
softplus = defop(
    "softplus", shape=same_shape, forward=_softplus, least=float,
    vjp=lambda g, y, x: (g * sigmoid(x),),
    numpy=("logaddexp({0}, 0, {out})",), native="fast_softplus({0})", flops=2 * FUNCTION, linear=(), range=FINITE,
    doc="log(1 + exp(x)), without overflow.",
)  # fmt: skip
sigmoid.stable_log = lambda y: -softplus(-y.inputs[0])
relu = defop(
    "relu", shape=same_shape, forward=lambda x: np.maximum(x, 0), dtype=arithmetic, least=int,
    vjp=lambda g, y, x: (g * (y > 0),),
    numpy=("maximum({0}, 0, out={out})",), native="({zero} if {0} <= 0 else {0})",  # NaN passes: it is not ≤ 0
    linear=(), range=KEPT,
    doc="max(x, 0), with derivative 0 at 0 (as in PyTorch and JAX).",
)  # fmt: skip


def _erf_forward(x: Any) -> Any:
    out = np.frompyfunc(math.erf, 1, 1)(x)
    return np.asarray(out).astype(x.dtype if x.dtype.kind == "f" else float)


erf = defop(
    "erf", shape=same_shape, forward=_erf_forward, least=float,
    vjp=lambda g, y, x: (g * (2 / math.sqrt(math.pi)) * exp(-x * x),),
    native="fast_erf({0})", flops=FUNCTION, linear=(), range=(-1, 1),
    doc="The error function 2/√π ∫₀ˣ exp(−u²) du, to the C library's accuracy.",
)  # fmt: skip


def gelu(x: Any) -> Node:
    """Gaussian error linear unit, x·Φ(x), by the error function (Hendrycks & Gimpel 2016).

    Args:
        x: (…), any value.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> round(float(gelu(1.0)), 6)
        0.841345
    """
    x = constant(x)
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


__all__ = ["erf", "gelu", "relu", "sigmoid", "softplus", "tanh"]
explain_keywords(globals(), __all__)
