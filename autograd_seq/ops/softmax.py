"""softmax, log_softmax and logsumexp, over dimensions (``axis=``) and axes (``over=``), without overflow.

The largest entry is subtracted before exponentials are taken, which does not change a softmax. ``log`` of each uses the stable
form.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.facts import ANY, FINITE, KEPT
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.core.op import Op, defop
from autograd_seq.ops.elementwise import FUNCTION, cast, equal, exp, log, where
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.reduce import (
    SUM,
    Dims,
    Over,
    drop_axes,
    find_reduced,
    keep_dims,
    reduce_shape,
    require_one_shape,
    stack_points,
    sum,
    sum_over,
)
from autograd_seq.ops.time import size


def finite_max(x: Any, axis: tuple[int, ...]) -> Any:
    """The maximum, or 0 where it is infinite; it is subtracted before exp, which then cannot overflow."""
    top = np.max(x if x.dtype.kind in "fc" else x.astype(float), axis=axis, keepdims=True, initial=-np.inf)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, 0)


def nonzero(total: Any) -> Any:
    """Replace a sum of 0, of entries that were all −∞, by 1."""
    return total if total.all() else np.where(total == 0, 1, total)


def _logsumexp_forward(x: Any, axis: tuple[int, ...] = (-1,), keepdims: bool = False) -> Any:
    top = finite_max(x, axis)
    with np.errstate(divide="ignore"):  # the log of an empty sum is −∞, as it should be
        out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axis)


def _softmax_forward(x: Any, axis: tuple[int, ...] = (-1,)) -> Any:
    e = np.exp(x - finite_max(x, axis))
    total = np.sum(e, axis=axis, keepdims=True)
    return e / nonzero(total)


def _log_softmax_forward(x: Any, axis: tuple[int, ...] = (-1,)) -> Any:
    low = x - finite_max(x, axis)
    total = np.sum(np.exp(low), axis=axis, keepdims=True)
    return low - np.log(nonzero(total))


LOGSUMEXP = defop(
    "logsumexp", shape=reduce_shape, least=float, forward=_logsumexp_forward, symbol="log Σ exp",
    vjp=lambda g, y, x, axis, keepdims: (keep_dims(g, x, axis) * SOFTMAX(x, axis=axis),),
    reduces="logsumexp", native=True, flops=FUNCTION + 2, scratch=2, linear=(), range=ANY,
)  # fmt: skip
SOFTMAX: Op = defop(
    "softmax", shape=lambda x, **_: x, least=float, forward=_softmax_forward,
    vjp=lambda g, y, x, axis: (y * (g - SUM(g * y, axis=axis, keepdims=True)),),
    reduces="softmax", native=True, flops=FUNCTION + 3, scratch=2, linear=(), range=(0, 1),
)  # fmt: skip
LOG_SOFTMAX = defop(
    "log_softmax", shape=lambda x, **_: x, least=float, forward=_log_softmax_forward,
    vjp=lambda g, y, x, axis: (g - exp(y) * SUM(g, axis=axis, keepdims=True),),
    reduces="log_softmax", native=True, flops=FUNCTION + 3, scratch=2, linear=(), range=FINITE,
)  # fmt: skip
logsumexp_over = defop(
    "logsumexp_over", word="logsumexp", shape=require_one_shape, least=float, axes=drop_axes, broadcasts=True,
    symbol="log Σ exp",
    forward=lambda *xs, axes=(): _logsumexp_forward(stack_points(xs), (-1,), False),
    vjp=lambda g, y, *xs, axes: _logsumexp_over_vjp(g, y, xs, axes),
    reduces="logsumexp", empty=-math.inf, native=True, flops=FUNCTION + 2, scratch=1, linear=(), range=ANY,
    doc="log of the sum of exp over all operands and all points of the axes.",
)  # fmt: skip
level_over: Op = defop(
    "level_over", shape=require_one_shape, axes=drop_axes, broadcasts=True, symbol="level",
    forward=lambda *xs, axes=(): np.squeeze(finite_max(stack_points(xs), (-1,)), axis=-1),
    vjp=lambda g, y, *xs, axes: (None,) * len(xs),
    reduces="level", empty=0.0, native=True, linear=(), range=KEPT, zero_safe=True,
    doc="The largest among all operands and all points of the axes, or 0 if that is infinite. It is subtracted before "
    "exponentials are taken and divided by their sum, which changes nothing: so it has no gradient.",
)  # fmt: skip


def _logsumexp_over_vjp(g: Any, y: Any, xs: tuple[Any, ...], axes: tuple[Axis, ...]) -> tuple[Node, ...]:
    """Multiply by the softmax, normalised again: rounding of a large ``y`` would make weights that do not add up to 1."""
    y = where(equal(y, -math.inf), 0.0, y)
    weights = [exp(x - y) for x in xs]
    g = g / _replace_zero(sum_over(*weights, axes=axes))
    return tuple(g * w for w in weights)


def _replace_zero(total: Any) -> Node:
    """Return a sum of exponentials, with 1 in place of 0 (entries that were all −∞)."""
    return where(equal(total, 0.0), 1.0, total)


def logsumexp(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """log Σ exp(x) without overflow; −∞ if there are no entries or all are −∞.

    Args:
        x: any value.
        axis, over, keepdims: as for :func:`autograd_seq.sum`.

    Returns:
        A node without the dimensions and axes that were reduced.

    Example:
        >>> round(float(logsumexp([1000.0, 1000.0]).value), 6)
        1000.693147

    Notes:
        Two passes: the maximum, then the sum of exp(x − maximum).
    """
    x, dims, varying, fixed = find_reduced(x, axis, over)
    x = LOGSUMEXP(x, axis=dims, keepdims=keepdims) if dims else x
    x = logsumexp_over(x, axes=varying) if varying else x
    for a in fixed:
        x = x + log(size(a))
    return x


def softmax(x: Any, axis: Dims = None, *, over: Over = None) -> Node:
    """exp(x) / Σ exp(x), along the last dimension unless ``axis`` or ``over`` is given.

    Where every entry is −∞ (everything masked) all weights are 0, and so is the gradient.

    Args:
        x: (…), scores.
        axis: the dimension along which the weights add up to 1, or several.
        over: an axis instead, such as time: attention.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> softmax([0.0, 0.0]).value
        array([0.5, 0.5])

    Notes:
        Three passes: the maximum, which keeps exp from overflowing, the sum, the quotient. Over an axis that each of T steps
        attends to, it is T² numbers.
    """
    x, dims, varying, fixed = find_reduced(x, -1 if axis is None and over is None else axis, over)
    if dims and not (varying or fixed):
        return SOFTMAX(x, axis=dims)
    weights, total = _compute_weights(x, dims, varying, fixed)
    return rewritten(weights * (1 / total), x, form="softmax")


def log_softmax(x: Any, axis: Dims = None, *, over: Over = None) -> Node:
    """log(softmax(x)), numerically stable.

    Args:
        x, axis, over: as for :func:`softmax`.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> round(float(log_softmax([0.0, 1000.0])[0]), 3)
        -1000.0
    """
    x, dims, varying, fixed = find_reduced(x, -1 if axis is None and over is None else axis, over)
    if dims and not (varying or fixed):
        return LOG_SOFTMAX(x, axis=dims)
    weights, total = _compute_weights(x, dims, varying, fixed)
    return weights.inputs[0] - log(total)


def _compute_weights(x: Node, dims: tuple[int, ...], varying: tuple[Axis, ...], fixed: tuple[Axis, ...]) -> tuple[Node, Node]:
    """Return exp(x − m), where m is the largest entry over dimensions and axes, and its sum over them."""
    top = LOGSUMEXP(x, axis=dims, keepdims=True) if dims else x
    weights = exp(x - level_over(top, axes=varying))
    return weights, _replace_zero(sum(weights, dims, over=(*varying, *fixed), keepdims=True))


def _find_log_of_softmax(y: Node) -> Node | None:
    """Return the log of a softmax over axes, recognised by the form in which it is computed: exp(low) times 1 / total."""
    if y.attrs["form"] != "softmax":
        return None
    weights, share = y.inputs[0].inputs
    return weights.inputs[0] - log(share.inputs[1])


SOFTMAX.stable_log = lambda y: LOG_SOFTMAX(y.inputs[0], **y.attrs)
rewritten.stable_log = _find_log_of_softmax
exp.stable_log = lambda y: cast(y.inputs[0], float)
SUM.stable_log = lambda y: LOGSUMEXP(y.inputs[0].inputs[0], **y.attrs) if y.inputs[0].op is exp else None
sum_over.stable_log = lambda y: (
    logsumexp_over(y.inputs[0].inputs[0], **y.attrs) if len(y.inputs) == 1 and y.inputs[0].op is exp else None
)
__all__ = ["log_softmax", "logsumexp", "softmax"]
explain_keywords(globals(), __all__)
