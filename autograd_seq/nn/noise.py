"""Dropout and zoneout. Their masks depend only on a seed, a name and a step, so that every run draws the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.ops.elementwise import where
from autograd_seq.ops.random import TRAIN, bernoulli


def _get_rate(p: Any, what: str) -> Any:
    """Return the probability while training, and 0 in evaluation."""
    known = p._value if isinstance(p, Node) else p
    right = isinstance(p, Node) if known is None else np.ndim(known) == 0 and not isinstance(p, bool)
    if not right or (known is not None and not (isinstance(known, (int, float, np.number)) and 0 <= known < 1)):
        raise OperationError(
            "O310", f"{what} is given p={p!r:.60}, which is not a probability below 1",
            expected="a number p, 0 ≤ p < 1, or a node", got=repr(p)[:80],
        )  # fmt: skip
    return where(TRAIN, p, 0.0)


def _is_zero(p: Any) -> bool:
    return not isinstance(p, Node) and p == 0


def dropout(name: str, x: Any, p: Any, *, over: Axis | Iterable[Axis]) -> Node:
    """Set entries to 0 with probability ``p``, and scale the others by 1 / (1 − p) (Srivastava et al. 2014).

    Args:
        name: of the mask; the draw depends on the seed of the call, the name and the point.
        x: ``(…)``, any value.
        p: the probability of a 0, a number or a node that is fed. A program that is called with ``train=False`` returns the
            value as it is: one graph for training and for use.
        over: the axes that the mask varies over: ``over=t`` for a new mask at each step; ``over=()`` for one mask for the whole
            sequence, as is usual on recurrent connections (Gal & Ghahramani 2016); ``over=(t, b)`` also for each sequence.

    Returns:
        A node like ``x``.

    Raises:
        OperationError: ``p`` is not a number with 0 ≤ p < 1.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> thinned = ag.nn.dropout("mask", ag.input("x", over=t), 0.5, over=t)
        >>> ag.Graph(thinned).evaluate(x=[1.0, 1.0, 1.0, 1.0], seed=3)[0].tolist()
        [0.0, 2.0, 2.0, 0.0]
    """
    rate, x = _get_rate(p, "dropout"), constant(x)
    return x if _is_zero(p) else x * bernoulli(name, 1 - rate, x.shape, over=over) * (1 / (1 - rate))


def zoneout(name: str, new: Any, old: Any, p: Any, *, over: Axis | Iterable[Axis]) -> Node:
    """Keep entries of a state as they were with probability ``p`` (Krueger et al. 2017).

    Args:
        name, over: as for :func:`dropout`.
        new: ``(H,)`` what the state would become.
        old: ``(H,)`` what it was: ``h[t - 1]``.
        p: the probability that an entry stays, a number or a node that is fed. A program that is called with ``train=False``
            takes the expectation, p old + (1 − p) new.

    Returns:
        (H,), the next value of the state.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h = ag.state("h", over=t)
        >>> h[t] = ag.nn.zoneout("zone", h[t - 1] + 1, h[t - 1], 0.5, over=t)
        >>> ag.Graph(h).unroll(t=6).evaluate(seed=2)[0].tolist()
        [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]
    """
    rate, new = _get_rate(p, "zoneout"), constant(new)
    if _is_zero(p):
        return new
    drawn = where(bernoulli(name, rate, new.shape, over=over) > 0.5, old, new)
    return where(TRAIN, drawn, p * old + (1 - p) * new)


explain_keywords(globals(), ["dropout", "zoneout"])
