"""The chain rule of probability as nodes: the log-probability of each symbol given those before, and that of the sequence.

p(y_0, …, y_{T-1}) = Π_t p(y_t | y_0 … y_{t-1})
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.ops.gather import pick
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.softmax import log_softmax


class Ledger(NamedTuple):
    """The chain rule, written out: nodes.

    Args:
        steps: log p(y_t | y_<t) at each step, in nats.
        joint: their sum, log p(y).
    """

    steps: Node
    joint: Node


def chain_rule(scores: Node, symbol: Node, *, over: Axis) -> Ledger:
    """Return the log-probability of each symbol given those before, and of the whole sequence.

    Args:
        scores: (K,) logits of the symbol at each step; they must not depend on that symbol or later ones:
            :func:`autograd_seq.analyse.audit` finds out.
        symbol: int, the symbol at each step.
        over: the axis of the steps.

    Returns:
        The ledger. ``-joint`` is the negative log-likelihood.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = ag.input("y", over=t, dtype=int)
        >>> ledger = chain_rule(ag.param("z", (2,)) + 0.0 * ag.index(t), y, over=t)
        >>> steps, joint = ag.Graph(*ledger).evaluate(z=[0.0, 0.0], y=[0, 1, 1])
        >>> bool(np.isclose(joint, 3 * np.log(0.5)))
        True
    """
    steps = pick(log_softmax(scores), symbol)
    return Ledger(steps, sum_of(steps, over=over))


def perplexity(log_probs: Any) -> float:
    """Return exp of the mean negative log-probability: the number of symbols between which the model is as uncertain.

    Args:
        log_probs: of the symbols, in nats, any shape.

    Returns:
        A number, at least 1.

    Example:
        >>> perplexity(np.log([0.25, 0.25]))
        4.0
    """
    return float(np.exp(-np.mean(log_probs)))


def bits_per_symbol(log_probs: Any) -> float:
    """Return the mean negative log-probability in bits: the length of the best code, a symbol.

    Args:
        log_probs: of the symbols, in nats, any shape.

    Returns:
        Bits, a number.

    Example:
        >>> bits_per_symbol(np.log([0.25, 0.5]))
        1.5
    """
    return float(-np.mean(log_probs) / math.log(2))


__all__ = ["Ledger", "bits_per_symbol", "chain_rule", "perplexity"]
explain_keywords(globals(), ["bits_per_symbol", "chain_rule", "perplexity"])
