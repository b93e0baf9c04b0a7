"""Reductions over dimensions of the value (``axis=``) and over axes such as time (``over=``).

An ``…_over`` operation reduces over all of its operands and over all points of its axes. In a folded graph it has one
operand and some axes; the unroller turns it into the same operation with one operand a point and no axes left: a sum
over time is one n-ary node. Its rule is the same in both forms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autograd_seq.axes import Axis, as_axes
from autograd_seq.elsewhere import explain_keywords
from autograd_seq.facts import ANY, FINITE, KEPT, TOGETHER
from autograd_seq.node import Node, constant
from autograd_seq.op import FUNCTIONS, Op, arithmetic, defop, promote
from autograd_seq.ops.elementwise import FUNCTION, cast, equal, exp, log, rewritten, where
from autograd_seq.ops.parts import concat
from autograd_seq.ops.shape import negative_axes, reshape
from autograd_seq.ops.state import state
from autograd_seq.ops.time import at, count, size

Over = Axis | Iterable[Axis] | None
Dims = int | Sequence[int] | None

# -- over dimensions ------------------------------------------------------------------------------------------------


def _reduced(x: tuple[int, ...], *, axis: tuple[int, ...], keepdims: bool = False, **_: Any) -> tuple[int, ...]:
    kept = [(n, a in axis) for n, a in zip(x, range(-len(x), 0), strict=True)]
    return tuple(1 if gone else n for n, gone in kept if keepdims or not gone)


def _nonempty(x: tuple[int, ...], *, axis: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    if any(x[a] == 0 for a in axis):
        raise ValueError("at least one entry to choose from")
    return _reduced(x, axis=axis, keepdims=keepdims)


def _kept(g: Any, x: Any, axis: tuple[int, ...]) -> Node:
    """Return ``g``, a reduction of ``x``, with its reduced dimensions back as length 1."""
    return reshape(g, tuple(1 if a in axis else n for n, a in zip(x.shape, range(-len(x.shape), 0), strict=True)))


def _pairwise_sum(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Sum so that rounding errors grow with log n: NumPy does so along contiguous memory only; float32 needs it."""
    if x.dtype == np.float32 and axis != tuple(range(-len(axis), 0)):
        last = np.ascontiguousarray(np.moveaxis(x, axis, range(-len(axis), 0)))
        out = np.sum(last, axis=tuple(range(-len(axis), 0)))
        return np.expand_dims(out, axis) if keepdims else out
    return np.sum(x, axis=axis, keepdims=keepdims)


def _max_forward(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.max(x, axis=axis, keepdims=keepdims)


SUM = defop(
    "sum", shape=_reduced, dtype=arithmetic, forward=_pairwise_sum, symbol="Σ",
    vjp=lambda g, y, x, axis, keepdims: (_kept(g, x, axis),),
    reduces="sum", ufunc=np.add, native=True, linear=TOGETHER, range=FINITE,
)  # fmt: skip
MAX = defop(
    "max", shape=_nonempty, dtype=promote,
    forward=_max_forward,
    vjp=lambda g, y, x, axis, keepdims: (_kept(g, x, axis) * _winners(x, axis),),
    reduces="max", ufunc=np.maximum, native=True, linear=(), range=KEPT, chooses=True,
)  # fmt: skip


def _winners(x: Any, axis: tuple[int, ...]) -> Node:
    """1 / (number of ties) where ``x`` is the largest, 0 elsewhere."""
    ties = where(equal(x, MAX(x, axis=axis, keepdims=True)), 1.0, 0.0)
    return ties / SUM(ties, axis=axis, keepdims=True)


def _finite_max(x: Any, axis: tuple[int, ...]) -> Any:
    top = np.max(x if x.dtype.kind in "fc" else x.astype(float), axis=axis, keepdims=True, initial=-np.inf)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, 0)


def _nonzero(total: Any) -> Any:
    """1 for a sum of nothing but zeros: everything was −∞."""
    return total if total.all() else np.where(total == 0, 1, total)


def _logsumexp_forward(x: Any, axis: tuple[int, ...] = (-1,), keepdims: bool = False) -> Any:
    top = _finite_max(x, axis)
    with np.errstate(divide="ignore"):  # the log of an empty sum is −∞, as it should be
        out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axis)


def _softmax_forward(x: Any, axis: tuple[int, ...] = (-1,)) -> Any:
    e = np.exp(x - _finite_max(x, axis))
    total = np.sum(e, axis=axis, keepdims=True)
    return e / _nonzero(total)


def _log_softmax_forward(x: Any, axis: tuple[int, ...] = (-1,)) -> Any:
    low = x - _finite_max(x, axis)
    total = np.sum(np.exp(low), axis=axis, keepdims=True)
    return low - np.log(_nonzero(total))


LOGSUMEXP = defop(
    "logsumexp", shape=_reduced, least=float, forward=_logsumexp_forward, symbol="log Σ exp",
    vjp=lambda g, y, x, axis, keepdims: (_kept(g, x, axis) * SOFTMAX(x, axis=axis),),
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

# -- over axes ------------------------------------------------------------------------------------------------------


def _without(*of: tuple[Axis, ...], axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    return tuple(a for a in dict.fromkeys(a for some in of for a in some) if a not in axes)


def _same(*shapes: tuple[int, ...], axes: tuple[Axis, ...]) -> tuple[int, ...]:
    if any(s != shapes[0] for s in shapes):
        raise ValueError("operands of one shape")
    return shapes[0]


def _stacked(xs: tuple[Any, ...]) -> Any:
    return np.stack(np.broadcast_arrays(*xs), axis=-1)


def _sum_over_forward(*xs: Any, axes: tuple[Axis, ...] = ()) -> Any:
    if len(xs) <= 2:
        return xs[0] + 0 + xs[1] if len(xs) == 2 and xs[0].dtype == np.bool_ else xs[0] + (xs[1] if len(xs) == 2 else 0)
    return np.sum(_stacked(xs), axis=-1)  # along contiguous memory, hence pairwise


sum_over = defop(
    "sum_over", word="sum", shape=_same, dtype=arithmetic, axes=_without, broadcasts=True, symbol="Σ",
    forward=_sum_over_forward,
    vjp=lambda g, y, *xs, axes: (g,) * len(xs),
    reduces="sum", empty=0.0, native=lambda node: f"({' + '.join(f'{{{i}}}' for i in range(len(node.inputs)))})",
    linear=TOGETHER, range=FINITE,
    doc="Sum over all operands and over all points of the axes.",
)  # fmt: skip
max_over = defop(
    "max_over", word="max", shape=_same, dtype=promote, axes=_without, broadcasts=True, symbol="max",
    forward=lambda *xs, axes=(): np.max(_stacked(xs), axis=-1),
    vjp=lambda g, y, *xs, axes: _max_over_vjp(g, y, xs, axes),
    reduces="max", native=True, linear=(), range=KEPT, chooses=True,
    doc="The largest among all operands and all points of the axes.",
)  # fmt: skip
logsumexp_over = defop(
    "logsumexp_over", word="logsumexp", shape=_same, least=float, axes=_without, broadcasts=True, symbol="log Σ exp",
    forward=lambda *xs, axes=(): _logsumexp_forward(_stacked(xs), (-1,), False),
    vjp=lambda g, y, *xs, axes: _logsumexp_over_vjp(g, y, xs, axes),
    reduces="logsumexp", empty=-math.inf, native=True, flops=FUNCTION + 2, scratch=1, linear=(), range=ANY,
    doc="log of the sum of exp over all operands and all points of the axes.",
)  # fmt: skip
level_over: Op = defop(
    "level_over", shape=_same, axes=_without, broadcasts=True, symbol="level",
    forward=lambda *xs, axes=(): np.squeeze(_finite_max(_stacked(xs), (-1,)), axis=-1),
    vjp=lambda g, y, *xs, axes: (None,) * len(xs),
    reduces="level", empty=0.0, native=True, linear=(), range=KEPT, zero_safe=True,
    doc="The largest among all operands and all points of the axes, 0 if that is infinite. Exponentials may have it taken off "
    "each of them before they are divided by their sum: that changes nothing, so it has no gradient.",
)  # fmt: skip


def _max_over_vjp(g: Any, y: Any, xs: tuple[Any, ...], axes: tuple[Axis, ...]) -> tuple[Node, ...]:
    ties = [where(equal(x, y), 1.0, 0.0) for x in xs]
    count = sum_over(*ties, axes=axes)
    return tuple(g * tie / count for tie in ties)


def _logsumexp_over_vjp(g: Any, y: Any, xs: tuple[Any, ...], axes: tuple[Axis, ...]) -> tuple[Node, ...]:
    """Weights that add up to 1, however much of them the rounding of a large ``y`` takes off."""
    y = where(equal(y, -math.inf), 0.0, y)
    weights = [exp(x - y) for x in xs]
    g = g / _not_zero(sum_over(*weights, axes=axes))
    return tuple(g * w for w in weights)


def _not_zero(total: Any) -> Node:
    """Return a sum of exponentials, and 1 where it is one of nothing."""
    return where(equal(total, 0.0), 1.0, total)


def find_reduced(x: Any, axis: Dims, over: Over) -> tuple[Node, tuple[int, ...], tuple[Axis, ...], tuple[Axis, ...]]:
    """Return x, its reduced dimensions, the reduced axes that it varies over, and those it does not vary over."""
    x, axes = constant(x), as_axes(over)
    dims = () if axis is None and over is not None else negative_axes(axis, x.ndim, x)
    varying = tuple(a for a in axes if a in x.axes)
    return x, dims, varying, tuple(a for a in axes if a not in x.axes)


def sum(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Sum over dimensions of the value, or over axes such as time.

    Args:
        x: any value.
        axis: dimensions, as in NumPy; all of them if neither ``axis`` nor ``over`` is given.
        over: axes. The sum of something that does not vary over ``t`` is ``size(t)`` times it.
        keepdims: keep reduced dimensions as length 1.

    Returns:
        A node that no longer varies over ``over``. Over an empty axis the sum is 0.

    Example:
        >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0).value
        array([4., 6.])
    """
    x, dims, varying, fixed = find_reduced(x, axis, over)
    if dims:
        x = SUM(x, axis=dims, keepdims=keepdims)
    if varying:
        x = sum_over(x, axes=varying)
    for a in fixed:
        x = size(a) * x
    return x


def mean(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Arithmetic mean over dimensions of the value, or over axes; arguments as for :func:`sum`.

    Example:
        >>> float(mean([1.0, 2.0, 6.0]).value)
        3.0
    """
    node, dims, varying, _ = find_reduced(x, axis, over)
    node = cast(node, float)
    out = sum(node, dims, keepdims=keepdims) if dims else node
    out = sum(out, over=varying) if varying else out
    out = out / math.prod(node.shape[a] for a in dims) if dims else out
    for a in varying:
        out = out / count(node, varying, a)
    return out


def max(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """The largest entry; where several tie, they share the gradient. Arguments as for :func:`sum`.

    Raises:
        ShapeError, AxisError: there is nothing to choose from.

    Example:
        >>> float(max([1.0, 5.0, 2.0]).value)
        5.0
    """
    x, dims, varying, _ = find_reduced(x, axis, over)
    x = MAX(x, axis=dims, keepdims=keepdims) if dims else x
    return max_over(x, axes=varying) if varying else x


def min(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """The smallest entry; where several tie, they share the gradient. Arguments as for :func:`sum`.

    Example:
        >>> float(min([4.0, 2.0]).value)
        2.0
    """
    return -max(-constant(x), axis, over=over, keepdims=keepdims)


def prod(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """Product over dimensions or axes, with exact derivatives of every order where factors are 0.

    Over dimensions it multiplies halves, over an axis it is the recurrence p[t] = p[t − 1]·x[t] from 1. Arguments as
    for :func:`sum`.

    Example:
        >>> float(prod([2.0, 3.0, 4.0]).value)
        24.0
    """
    x, dims, varying, fixed = find_reduced(x, axis, over)
    x = cast(x, int) if x.dtype is bool else x
    for dim in dims:
        x = _halved(x, dim)
    if dims and not keepdims:
        x = reshape(x, tuple(n for n, a in zip(x.shape, range(-x.ndim, 0), strict=True) if a not in dims))
    for a in varying:
        p = state(None, x.shape, over=x.axes, dtype=x.dtype, init={a: constant(1)})
        p[a] = p[a - 1] * x
        x = where(equal(count(x, (a,), a), 0), 1, at(p, a, -1, outside="zero"))
    for a in fixed:
        x = x ** size(a)
    return x


def _halved(x: Node, dim: int) -> Node:
    """Multiply one half with the other until one entry is left in the dimension."""
    key = [slice(None)] * x.ndim
    while (n := x.shape[dim]) != 1:
        if n == 0:
            ones = [1 if a == dim else m for m, a in zip(x.shape, range(-x.ndim, 0), strict=True)]
            return constant(np.ones(ones, x.dtype))
        half = n // 2
        low, high, odd = ([*key] for _ in range(3))
        low[dim], high[dim], odd[dim] = slice(0, half), slice(half, 2 * half), slice(2 * half, n)
        out = x[tuple(low)] * x[tuple(high)]
        x = concat([out, x[tuple(odd)]], dim) if n % 2 else out
    return x


def logsumexp(x: Any, axis: Dims = None, *, over: Over = None, keepdims: bool = False) -> Node:
    """log Σ exp(x) without overflow; −∞ for nothing or for −∞ alone. Arguments as for :func:`sum`.

    Example:
        >>> round(float(logsumexp([1000.0, 1000.0]).value), 6)
        1000.693147
    """
    x, dims, varying, fixed = find_reduced(x, axis, over)
    x = LOGSUMEXP(x, axis=dims, keepdims=keepdims) if dims else x
    x = logsumexp_over(x, axes=varying) if varying else x
    for a in fixed:
        x = x + log(size(a))
    return x


def softmax(x: Any, axis: Dims = None, *, over: Over = None) -> Node:
    """exp(x) / Σ exp(x), along the last dimension unless ``axis`` or ``over`` says otherwise.

    Where every entry is −∞ (everything masked) all weights are 0, and so is the gradient.

    Example:
        >>> softmax([0.0, 0.0]).value
        array([0.5, 0.5])
    """
    x, dims, varying, fixed = find_reduced(x, -1 if axis is None and over is None else axis, over)
    if dims and not (varying or fixed):
        return SOFTMAX(x, axis=dims)
    weights, total = _levelled(x, dims, varying, fixed)
    return rewritten(weights * (1 / total), x, form="softmax")


def log_softmax(x: Any, axis: Dims = None, *, over: Over = None) -> Node:
    """log softmax(x), stable; arguments as for :func:`softmax`.

    Example:
        >>> round(float(log_softmax([0.0, 1000.0])[0]), 3)
        -1000.0
    """
    x, dims, varying, fixed = find_reduced(x, -1 if axis is None and over is None else axis, over)
    if dims and not (varying or fixed):
        return LOG_SOFTMAX(x, axis=dims)
    weights, total = _levelled(x, dims, varying, fixed)
    return weights.inputs[0] - log(total)


def _levelled(x: Node, dims: tuple[int, ...], varying: tuple[Axis, ...], fixed: tuple[Axis, ...]) -> tuple[Node, Node]:
    """Return exp of x less the largest entry over dimensions and axes, and the sum of that."""
    top = LOGSUMEXP(x, axis=dims, keepdims=True) if dims else x
    weights = exp(x - level_over(top, axes=varying))
    return weights, _not_zero(sum(weights, dims, over=(*varying, *fixed), keepdims=True))


def _log_of_softmax(y: Node) -> Node | None:
    """log of a softmax over axes, of what that is computed as: exp(low) times 1 / total."""
    if y.attrs["form"] != "softmax":
        return None
    weights, share = y.inputs[0].inputs
    return weights.inputs[0] - log(share.inputs[1])


SOFTMAX.stable_log = lambda y: LOG_SOFTMAX(y.inputs[0], **y.attrs)
rewritten.stable_log = _log_of_softmax
exp.stable_log = lambda y: cast(y.inputs[0], float)
SUM.stable_log = lambda y: LOGSUMEXP(y.inputs[0].inputs[0], **y.attrs) if y.inputs[0].op is exp else None
sum_over.stable_log = lambda y: (
    logsumexp_over(y.inputs[0].inputs[0], **y.attrs) if len(y.inputs) == 1 and y.inputs[0].op is exp else None
)
FUNCTIONS.update(sum=sum, mean=mean, max=max, min=min)
__all__ = ["log_softmax", "logsumexp", "max", "mean", "min", "prod", "softmax", "sum"]
explain_keywords(globals(), __all__)
