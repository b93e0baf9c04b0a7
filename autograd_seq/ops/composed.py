"""Elementwise functions composed of other operations: square, greater, isnan, more activations, casts."""

from __future__ import annotations

from typing import Any

from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.rules import broadcast
from autograd_seq.ops.activations import sigmoid
from autograd_seq.ops.elementwise import cast, expm1, less, less_equal, maximum, minimum, not_equal, where
from autograd_seq.ops.leaf import as_kind
from autograd_seq.ops.parts import stack
from autograd_seq.ops.shape import broadcast_to
from autograd_seq.ops.softmax import logsumexp


def clip(x: Any, low: Any = None, high: Any = None) -> Node:
    """Limit ``x`` to ``low`` … ``high`` (``None``: no limit on that side).

    Args:
        x: (…), any value.
        low, high: numbers or nodes; ``None`` is no limit.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> clip([-2.0, 0.5, 3.0], 0, 1).value
        array([0. , 0.5, 1. ])
    """
    out = x if low is None else maximum(x, low)
    return constant(out if high is None else minimum(out, high))


def square(x: Any) -> Node:
    """x².

    Args:
        x: (…), any value.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> square([1, -3]).value
        array([1, 9])
    """
    x = constant(x)
    return x * x


def greater(a: Any, b: Any) -> Node:
    """Where a > b.

    Args:
        a, b: (…), values that broadcast against each other.

    Returns:
        A node of truth values.

    Example:
        >>> greater([1.0, 3.0], 2.0).value
        array([False,  True])
    """
    return less(b, a)


def greater_equal(a: Any, b: Any) -> Node:
    """Where a ≥ b.

    Args:
        a, b: (…), values that broadcast against each other.

    Returns:
        A node of truth values.

    Example:
        >>> greater_equal([1.0, 2.0], 2.0).value
        array([False,  True])
    """
    return less_equal(b, a)


def isnan(x: Any) -> Node:
    """Where x is not a number.

    Args:
        x: (…), any value.

    Returns:
        A node of truth values.

    Example:
        >>> isnan([1.0, float("nan")]).value
        array([False,  True])
    """
    x = constant(x)
    return not_equal(x, x)


def silu(x: Any) -> Node:
    """x·σ(x), also called swish (Elfwing et al. 2018).

    Args:
        x: (…), any value.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> round(float(silu(1.0)), 6)
        0.731059
    """
    x = constant(x)
    return x * sigmoid(x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Node:
    """x where it is positive, ``negative_slope``·x elsewhere, at 0 too (as in PyTorch).

    Args:
        x: (…), any value.
        negative_slope: the slope below 0.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> leaky_relu([-2.0, 3.0], 0.1).value
        array([-0.2,  3. ])
    """
    x = cast(x, float)
    return where(less(0, x), x, negative_slope * x)


def elu(x: Any, alpha: float = 1.0) -> Node:
    """x where it is positive, ``alpha``·(exp(x) − 1) elsewhere, without overflow (Clevert et al. 2016).

    Args:
        x: (…), any value.
        alpha: minus the limit at −∞.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> elu([-1000.0, 2.0]).value
        array([-1.,  2.])
    """
    x = cast(x, float)
    positive = less(0, x)
    return where(positive, x, alpha * expm1(where(positive, 0.0, x)))


def logaddexp(a: Any, b: Any) -> Node:
    """log(exp(a) + exp(b)) without overflow.

    Args:
        a, b: (…), values that broadcast against each other.

    Returns:
        A node of the shape to which they broadcast, over the axes of both.

    Example:
        >>> round(float(logaddexp(1000.0, 1000.0)), 6)
        1000.693147
    """
    a, b = constant(a), constant(b)
    shape = broadcast(a.shape, b.shape)
    return logsumexp(stack([broadcast_to(a, shape), broadcast_to(b, shape)]), axis=0)


def astype(x: Any, dtype: Any) -> Node:
    """Return the value as float, int or bool, given as a type, its name or a NumPy dtype, whose width is ignored."""
    x = constant(x)
    return cast(x, as_kind(dtype, x.name))


FUNCTIONS.update(astype=astype, greater=greater, greater_equal=greater_equal)
__all__ = ["clip", "elu", "greater", "greater_equal", "isnan", "leaky_relu", "logaddexp", "silu", "square"]
explain_keywords(globals(), __all__)
