"""Losses, and gradients that differ from the derivative on purpose."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.core.facts import KEPT, TOGETHER, WHOLE
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import defop
from autograd_seq.core.rules import broadcast, first, same_shape
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.activations import sigmoid, softplus
from autograd_seq.ops.composed import clip
from autograd_seq.ops.elementwise import AS_WRITTEN, abs, arctan, less, log, log1p, where, zero_safe_mul
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.gather import pick
from autograd_seq.ops.reduce import mean, sum
from autograd_seq.ops.softmax import LOG_SOFTMAX, log_softmax


def nll(y: Any, label: Any) -> Node:
    """Negative log-likelihood of a class under probabilities: −log y[label].

    Where ``y`` is a softmax it is computed from the softmax's argument, so that it is exact where y underflows.

    Args:
        y: probabilities ``(…, K)``.
        label: class indices ``(…)``, int, 0 … K − 1.

    Returns:
        A node ``(…)`` in nats.

    Raises:
        OperationError: the values are known, and not probabilities; or ``y`` is a log-softmax.

    Example:
        >>> round(float(nll([0.25, 0.75], 1)), 6)
        0.287682
    """
    y, label = constant(y), constant(label)
    if wrong := _find_fault(y):
        raise OperationError(
            "O129", f"nll needs probabilities, got {wrong}", node=y.name, where=y.where or show_site(user_site()),
            expected="numbers 0 … 1 that add up to 1 along the last dimension", got=wrong,
            fix="ag.cross_entropy(logits, label) takes logits, as they are; -ag.pick(logp, label) takes log-probabilities",
        )  # fmt: skip
    return rewritten(-log(pick(y, label)), y, label, form="nll")


def _find_fault(y: Node) -> str | None:
    """Return why a value cannot be a distribution, if that is known when the node is made, else ``None``."""
    if y.op is LOG_SOFTMAX or (y.op is rewritten and y.attrs["form"] in ("log", "log_softmax")):
        return "logarithms of probabilities"
    if y._value is None or not np.size(y._value):
        return None
    low, high = np.min(y._value), np.max(y._value)
    return f"numbers {low:.6g} … {high:.6g}" if low < 0 or high > 1 + 1e-3 else None


def cross_entropy(logits: Any, target: Any) -> Node:
    """Cross-entropy of softmax(logits) against class indices, or against probabilities of the same shape.

    Args:
        logits: ``(…, K)``.
        target: int ``(…)`` class indices, or float ``(…, K)`` probabilities.

    Returns:
        A node ``(…)`` in nats.

    Example:
        >>> round(float(cross_entropy([0.0, 0.0], 1)), 6)
        0.693147

    Notes:
        By the logarithm of the softmax, so nothing overflows; the gradient with respect to the logits is softmax − target.
    """
    logits, target = constant(logits), constant(target)
    logp = log_softmax(logits)
    loss = -pick(logp, target) if target.dtype is int else -sum(zero_safe_mul(target, logp), axis=-1)
    return rewritten(loss, logits, target, form="cross_entropy")


def mse(y: Any, target: Any) -> Node:
    """Mean squared error over the dimensions of the value, at each step.

    Args:
        y, target: (…), of one shape.

    Returns:
        A node, a number at each step.

    Example:
        >>> float(mse([1.0, 2.0], [1.0, 4.0]).value)
        2.0
    """
    y, target = constant(y), constant(target)
    return rewritten(mean((y - target) ** 2), y, target, form="mse")


def bce(p: Any, target: Any) -> Node:
    """Binary cross-entropy, the mean over the dimensions of the value; numerically stable if ``p`` is a sigmoid.

    Args:
        p: (…), probabilities.
        target: (…), 0 or 1, or probabilities.

    Returns:
        A node, a number at each step, in nats.

    Example:
        >>> round(float(bce(0.5, 1.0)), 6)
        0.693147

    Notes:
        Of a sigmoid it computes both logarithms by softplus, so nothing overflows.
    """
    p, target = constant(p), constant(target)
    if p.op is sigmoid:
        x = p.inputs[0]
        loss = softplus(x) - target * x
    else:
        loss = -(zero_safe_mul(target, log(p)) + zero_safe_mul(1 - target, log1p(-p)))
    return rewritten(mean(loss), p, target, form="bce")


def _pull_bce_of_sigmoid(node: Node, g: Any, p: Any, target: Any) -> tuple[Any, ...]:
    """Return the cotangents of ``bce(p, target)`` if it were computed from the probability ``p``, not from the logit."""
    if node.inputs[1].op is not sigmoid:
        return ()
    n = math.prod(broadcast(node.inputs[1].shape, node.inputs[2].shape))
    return (zero_safe_mul(g / n, (1 - target) / (1 - p) - target / p),)


AS_WRITTEN["bce"] = _pull_bce_of_sigmoid

# -- gradients that differ from the derivative -------------------------------------------------------------------------

stop_gradient = defop(
    "stop_gradient", shape=same_shape, dtype=first, forward=lambda x: x, vjp=lambda g, y, x: (None,),
    view=WHOLE, pointwise=True, linear=TOGETHER, range=KEPT,
    doc="The value as it is, with a gradient of 0.", symbol="stop",
)  # fmt: skip


def _hard_forward(hard: Any, soft: Any) -> Any:
    out = np.broadcast_arrays(hard, soft)[0]
    return out if out.dtype.kind in "fc" else out.astype(float)


straight_through = defop(
    "straight_through", forward=_hard_forward, vjp=lambda g, y, hard, soft: (None, g),
    numpy=("copyto({out}, {0})",), native="{0}", flops=0, linear=(), range=KEPT, zero_safe=True,
    doc="The value of ``hard`` with the gradient of ``soft`` (Bengio, Léonard & Courville 2013).", symbol="hard|soft",
)  # fmt: skip

_SURROGATES: dict[str, Callable[[Node, Any], Node]] = {
    "sigmoid": lambda v, slope: sigmoid(slope * v),
    "fast_sigmoid": lambda v, slope: v / (1 + slope * abs(v)),
    "arctan": lambda v, slope: arctan(slope * v),
    "boxcar": lambda v, slope: clip(slope * v, -0.5, 0.5),
}


def spike(v: Any, surrogate: str | Callable[[Node, Any], Node] = "fast_sigmoid", slope: float | Node = 25.0) -> Node:
    r"""1 where ``v > 0``, else 0, with the gradient of a smooth surrogate (Neftci, Mostafa & Zenke 2019).

    Args:
        v: membrane potential minus threshold.
        surrogate: ``"fast_sigmoid"`` (v / (1 + slope·|v|)), ``"sigmoid"``, ``"arctan"``, ``"boxcar"`` (the derivative is
            ``slope`` where \|v\| < 1/(2 slope), else 0), or a function of (v, slope).
        slope: its steepness.

    Returns:
        A node of 0 and 1, of the shape of ``v``.

    Raises:
        OperationError: there is no surrogate of that name; the slope is not a positive number.

    Example:
        >>> spike([-1.0, 0.5]).value
        array([0., 1.])
    """
    v = constant(v)
    soft = surrogate if callable(surrogate) else _SURROGATES.get(surrogate)
    if soft is None:
        raise OperationError(
            "O105", f"there is no surrogate {surrogate!r:.60}", expected=f"a function, or one of {', '.join(_SURROGATES)}",
            got=repr(surrogate),
        )  # fmt: skip
    number = isinstance(slope, (int, float, np.number)) and not isinstance(slope, bool)
    if not isinstance(slope, Node) and not (number and 0 < slope < math.inf):
        raise OperationError(
            "O136", f"the slope of a surrogate is {slope!r:.60}", where=show_site(user_site()), expected="a positive number",
            got=repr(slope)[:80],
        )  # fmt: skip
    return straight_through(where(less(0, v), 1.0, 0.0), soft(v, slope))


__all__ = [
    "bce", "cross_entropy", "mse", "nll", "spike", "stop_gradient", "straight_through",
]  # fmt: skip
explain_keywords(globals(), __all__)
