"""The chain rule of probability as nodes: the log-probability of each symbol given those before, and that of the sequence.

p(y_0, …, y_{T-1}) = Π_t p(y_t | y_0 … y_{t-1})
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.analyse.ranges import refuse_probabilities
from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import DataError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.nn.chains import check_classes
from autograd_seq.nn.frame import as_integers, check_varies, check_vector
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

    Raises:
        AxisError: they do not vary over the axis.
        ShapeError, DTypeError: the scores are no vector; the symbol is not one integer.
        OperationError: the scores are probabilities.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = ag.input("y", over=t, dtype=int)
        >>> ledger = chain_rule(ag.param("z", (2,)) + 0.0 * ag.index(t), y, over=t)
        >>> steps, joint = ag.Graph(*ledger).evaluate(z=[0.0, 0.0], y=[0, 1, 1])
        >>> bool(np.isclose(joint, 3 * np.log(0.5)))
        True
    """
    scores = check_vector(check_varies(scores, over, "chain_rule"), "chain_rule")
    refuse_probabilities(scores, "scores of chain_rule")
    steps = pick(log_softmax(scores), check_classes(symbol, "chain_rule", "the symbol"))
    return Ledger(steps, sum_of(steps, over=over))


def perplexity(log_probs: Any, *, lengths: Any = None) -> float:
    """Return exp of the mean negative log-probability: the number of symbols between which the model is as uncertain.

    Args:
        log_probs: of the symbols, in nats, any shape.
        lengths: (N,) of sequences that are padded, log_probs being (N, T): what comes after the end counts nothing.

    Returns:
        A number, at least 1.

    Raises:
        DataError: there is no symbol; a number is greater than 0, and so no logarithm of a probability; lengths do not fit.

    Example:
        >>> perplexity(np.log([0.25, 0.25]))
        4.0
    """
    return float(np.exp(-_average(log_probs, lengths, "perplexity")))


def bits_per_symbol(log_probs: Any, *, lengths: Any = None) -> float:
    """Return the mean negative log-probability in bits: the length of the best code, a symbol.

    Args:
        log_probs, lengths: as for :func:`perplexity`.

    Returns:
        Bits, a number.

    Raises:
        DataError: as for :func:`perplexity`.

    Example:
        >>> bits_per_symbol(np.log([0.25, 0.5]))
        1.5
    """
    return -_average(log_probs, lengths, "bits_per_symbol") / math.log(2)


def _average(log_probs: Any, lengths: Any, name: str) -> float:
    """Return the mean log-probability of a symbol."""
    try:
        logp = np.asarray(log_probs).astype(float)
    except (TypeError, ValueError):
        logp = np.full(1, np.inf)
    if not logp.size or np.any(logp > 1e-6):  # a little more than 0 is rounding
        raise DataError(
            "S221", f"{name} is given no log-probabilities" + (", but numbers greater than 0" if logp.size else ""),
            expected="logarithms of probabilities, numbers of at most 0", got=repr(log_probs)[:80],
            fix="np.log(probabilities); a loss is the negative of a log-probability",
        )  # fmt: skip
    if lengths is None:
        return float(np.mean(logp))
    ends = as_integers(lengths)
    if logp.ndim != 2 or ends is None or ends.shape != logp.shape[:1] or ends.min() < 0 or not 0 < ends.max() <= logp.shape[1]:
        raise DataError(
            "S222", f"the lengths of {name} do not fit log-probabilities of shape {logp.shape}",
            expected="(N,) integers of 0 … T, log_probs being (N, T)", got=repr(lengths)[:80],
        )  # fmt: skip
    return float(np.mean(logp[np.arange(logp.shape[1]) < ends[:, None]]))


__all__ = ["Ledger", "bits_per_symbol", "chain_rule", "perplexity"]
explain_keywords(globals(), ["bits_per_symbol", "chain_rule", "perplexity"])
