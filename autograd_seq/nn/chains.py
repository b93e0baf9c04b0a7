"""Sums and maxima over all paths through a chain of hidden states: HMM, CRF and CTC, as recurrences in logarithms.

A path takes one of K states at each step. Its score is the sum of a start, of transitions, and of what each step says of its
state. The sum over all Kᵀ paths is one recurrence (the forward algorithm), and so is the largest (Viterbi). Their gradients
with respect to the scores of the steps are the probabilities of the states, and the best path.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.reverse import grad
from autograd_seq.ops.elementwise import equal, logical_and, not_equal, where
from autograd_seq.ops.gather import pick, take
from autograd_seq.ops.parts import stack
from autograd_seq.ops.picking import at, last
from autograd_seq.ops.random import categorical
from autograd_seq.ops.reduce import max as max_of
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.softmax import logsumexp
from autograd_seq.ops.state import state
from autograd_seq.ops.statistics import argmax
from autograd_seq.ops.time import index, shift, size

NEVER = float("-inf")


def sum_paths(steps: Node, transition: Node, *, over: Axis, start: Any = 0.0) -> Node:
    """The logarithm of the sum over all paths of exp(score): the forward algorithm.

        α_t = logsumexp_i(α_{t-1,i} + A_{i,:}) + e_t      α_0 = start + e_0      log Z = logsumexp(α_{T-1})

    Args:
        steps: e, (K,) over ``over``: the score of each state at each step.
        transition: A, (K, K): the score of going from state i (row) to state j (column).
        over: the axis of the steps, at least one.
        start: (K,), or a number: the score of the first state.

    Returns:
        A number, over the other axes of ``steps``.

    Raises:
        AxisError: ``steps`` does not vary over the axis.
        ShapeError: the shapes do not fit.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> z = sum_paths(ag.input("e", (2,), over=t), ag.constant([[0.0, 0.0], [0.0, 0.0]]), over=t)
        >>> round(float(ag.Graph(z).evaluate(e=[[0.0, 0.0]] * 3)[0]), 6)  # log of 2³ paths
        2.079442

    Notes:
        Baum, Petrie, Soules & Weiss 1970; Rabiner 1989. Time T K². As likelihood of an HMM: start = log π, transition = log A,
        steps = log p(x_t | state). A gradient with respect to ``steps`` is the posterior of the states.
    """
    steps, transition = _check(steps, transition, start, over, "sum_paths")
    return logsumexp(last(_sum_ahead(steps, transition, over, start), over=over))


def best_path(steps: Node, transition: Node, *, over: Axis, start: Any = 0.0) -> tuple[Node, Node]:
    """The best of all paths and its score: the algorithm of Viterbi.

    Args:
        steps, transition, over, start: as for :func:`sum_paths`.

    Returns:
        The score, a number, and the path, the state at each step as an integer over ``over``: where the gradient of the score
        with respect to ``steps`` is 1. Where several paths are equally good, it is the first of their states at each step.

    Raises:
        AxisError, ShapeError: as for :func:`sum_paths`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> score, path = best_path(ag.input("e", (2,), over=t), ag.constant([[0.0, -9.0], [-9.0, 0.0]]), over=t)
        >>> [v.tolist() for v in ag.Graph(score, path).evaluate(e=[[1.0, 0.0], [0.0, 0.5], [1.0, 0.0]])]
        [2.0, [0, 0, 0]]

    Notes:
        Viterbi 1967. Time T K², and as much for the path.
    """
    steps, transition = _check(steps, transition, start, over, "best_path")
    best = state(None, steps.shape, over=steps.axes)
    best[over] = _from_start(max_of(best[over - 1][..., :, None] + transition, axis=-2), start, over) + steps
    score = max_of(last(best, over=over))
    total = sum_of(score, over=score.axes) if score.axes else score
    return score, argmax(grad(total, steps), axis=-1)


def draw_path(name: str, steps: Node, transition: Node, *, over: Axis, start: Any = 0.0) -> Node:
    """A path drawn with its probability among all paths, exp(score − log Z): the forward algorithm, then draws backwards.

        s_{T-1} ~ softmax(α_{T-1})      s_t ~ softmax(α_t + A_{:, s_{t+1}})

    Args:
        name: of the path; the draws depend on it, and on ``seed=`` at the call, as those of :func:`autograd_seq.categorical`.
        steps, transition, over, start: as for :func:`sum_paths`.

    Returns:
        The state at each step, an integer over the axes of ``steps``; it has no gradient.

    Raises:
        AxisError: ``steps`` does not vary over the axis.
        ShapeError: the shapes do not fit.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> stay = ag.constant([[0.0, -99.0], [-99.0, 0.0]])
        >>> path = draw_path("s", ag.input("e", (2,), over=t), stay, over=t)
        >>> ag.Graph(path).evaluate(e=[[0.0, 0.0], [0.0, 0.0], [-50.0, 0.0]], seed=0)[0].tolist()
        [1, 1, 1]

    Notes:
        Frühwirth-Schnatter 1994; time T K². With steps = log p(x_t | state), start = log π and transition = log A it draws the
        hidden states of an HMM given what is seen; with scores of 0, the states of the HMM itself, from which
        ``ag.categorical`` or ``ag.normal`` draws what is seen.
    """
    steps, transition = _check(steps, transition, start, over, "draw_path")
    alpha, path = _sum_ahead(steps, transition, over, start), state(None, over=steps.axes, dtype=int)
    ending = equal(index(over), size(over) - 1)
    logits = alpha + where(ending, 0.0, take(transition, path[over + 1], axis=1))
    path[over] = categorical(name, logits, over=steps.axes)
    return path


def score_path(steps: Node, transition: Node, path: Node, *, over: Axis, start: Any = 0.0) -> Node:
    """The score of one path.

    Args:
        path: the state at each step, an integer over ``over``.
        steps, transition, over, start: as for :func:`sum_paths`.

    Returns:
        A number. Less :func:`sum_paths` it is the log-probability of the path.

    Raises:
        AxisError, ShapeError: as for :func:`sum_paths`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> e, y = ag.input("e", (2,), over=t), ag.input("y", over=t, dtype=int)
        >>> s = score_path(e, ag.constant([[0.0, 1.0], [2.0, 0.0]]), y, over=t)
        >>> float(ag.Graph(s).evaluate(e=[[0.5, 0.0], [0.0, 0.25]], y=[0, 1])[0])
        1.75
    """
    steps, transition = _check(steps, transition, start, over, "score_path")
    moved = pick(take(transition, shift(path, over, 1)), path)
    begin = pick(constant(start), path) if constant(start).shape else constant(start)
    return sum_of(where(equal(index(over), 0), begin, moved) + pick(steps, path), over=over)


def crf_loss(steps: Node, transition: Node, path: Node, *, over: Axis, start: Any = 0.0) -> Node:
    """The negative log-probability of a path among all paths: the loss of a linear-chain conditional random field.

    Args:
        steps, transition, path, over, start: as for :func:`score_path`.

    Returns:
        A number, at least 0, over the other axes of ``steps``.

    Raises:
        AxisError, ShapeError: as for :func:`sum_paths`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> e, y = ag.input("e", (2,), over=t), ag.input("y", over=t, dtype=int)
        >>> loss = crf_loss(e, ag.param("A", (2, 2)), y, over=t)
        >>> round(float(ag.Graph(loss).evaluate(e=[[0.0, 0.0]] * 3, y=[0, 1, 1], A=[[0.0, 0.0]] * 2)[0]), 6)  # log 8
        2.079442

    Notes:
        Lafferty, McCallum & Pereira 2001.
    """
    return sum_paths(steps, transition, over=over, start=start) - score_path(steps, transition, path, over=over, start=start)


def ctc_loss(
    log_probs: Node, labels: Node, *, over: Axis, labels_over: Axis, blank: int = 0, zero_infinity: bool = False
) -> Node:
    """The negative log-probability of labels without an alignment: the sum over all paths that read as the labels.

    A path says one symbol or the blank at each step; it reads as what is left when repeated symbols are merged and then blanks
    removed.

    Args:
        log_probs: (K,) over ``over``: ``ag.log_softmax`` of scores.
        labels: integers over ``labels_over``, with a blank before, between and after them: ``add_blanks`` of the labels,
            2 L + 1 of them.
        over, labels_over: the axis of the steps, and that of the labels with blanks.
        blank: the class of the blank, of 0 … K − 1.
        zero_infinity: where the labels do not fit into the steps, the loss and its gradient are 0 instead of infinite.

    Returns:
        A number, over the other axes of ``log_probs`` (a batch, with lengths of both axes); infinite where the labels do not
        fit into the steps.

    Raises:
        AxisError: ``log_probs`` or ``labels`` does not vary over its axis.
        OperationError: the blank is no class.
        FeedError: at the call, a label is no class.

    Example:
        >>> import numpy as np
        >>> import autograd_seq as ag
        >>> t, u = ag.Axis("t"), ag.Axis("u")
        >>> loss = ctc_loss(ag.input("p", (2,), over=t), ag.input("l", over=u, dtype=int), over=t, labels_over=u)
        >>> p = ag.Graph(loss).evaluate(p=np.log(np.full((2, 2), 0.5)), l=add_blanks([1]))[0]
        >>> round(float(np.exp(-p)), 3)  # 1 1, 1 blank and blank 1 of four paths
        0.75

    Notes:
        Graves, Fernández, Gomez & Schmidhuber 2006, section 4.1, in logarithms: a grid with a recurrence along both axes.
        Time T (2 L + 1). Equal to PyTorch's ``ctc_loss`` with ``reduction="none"``.
    """
    log_probs, labels = constant(log_probs), constant(labels)
    for name, x, axis in (("log_probs", log_probs, over), ("labels", labels, labels_over)):
        if axis not in x.axes:
            raise AxisError(
                "N140", f"{name} of ctc_loss does not vary over {axis}", node=x.name, where=show_site(user_site()),
                expected=f"a value over {axis}", got=repr(x)[:80],
            )  # fmt: skip
    if isinstance(blank, bool) or not isinstance(blank, (int, np.integer)) or not 0 <= blank < log_probs.shape[-1]:
        raise OperationError(
            "N149", f"the blank of ctc_loss, {blank!r:.60}, is not one of {log_probs.shape[-1]} classes",
            where=show_site(user_site()), expected=f"0 … {log_probs.shape[-1] - 1}", got=repr(blank)[:80],
        )  # fmt: skip
    t, u = over, labels_over
    others = tuple(a for a in (*log_probs.axes, *labels.axes) if a not in (t, u))
    first = where(equal(index(u), 0), 0.0, NEVER)
    alpha = state(None, over=(t, u, *dict.fromkeys(others)), init={t: first, u: NEVER})
    skips = logical_and(not_equal(labels, blank), not_equal(labels, shift(labels, u, 2, init=-1)))
    ways = [alpha[t - 1, u], alpha[t - 1, u - 1], where(skips, alpha[t - 1, u - 2], NEVER)]
    alpha[t, u] = logsumexp(stack(ways)) + pick(log_probs, labels)
    end = last(alpha, over=t)
    total = logsumexp(stack([at(end, u, -1), at(end, u, -2, outside="zero") + where(equal(size(u), 1), NEVER, 0.0)]))
    return where(equal(total, NEVER), 0.0, -total) if zero_infinity else -total


def add_blanks(labels: Any, blank: int = 0) -> Any:
    """Return labels with a blank before, between and after them, as :func:`ctc_loss` reads them.

    Args:
        labels: (L, …) integers, the labels first.
        blank: the class of the blank.

    Returns:
        (2 L + 1, …).

    Example:
        >>> add_blanks([3, 1]).tolist()
        [0, 3, 0, 1, 0]
    """
    labels = np.asarray(labels, np.int64)
    out = np.full((2 * len(labels) + 1, *labels.shape[1:]), blank, np.int64)
    out[1::2] = labels
    return out


def read_labels(path: Any, blank: int = 0) -> list[int]:
    """Return the labels that a path of CTC reads as: repeated symbols are merged, then blanks removed.

    Args:
        path: (T,) integers, the symbol of each step: the most probable one of each (greedy decoding), or drawn.
        blank: the class of the blank.

    Returns:
        The labels, a list.

    Example:
        >>> read_labels([0, 3, 3, 0, 3, 1, 0])
        [3, 3, 1]
    """
    return [int(symbol) for symbol, _ in groupby(np.asarray(path).tolist()) if symbol != blank]


def _sum_ahead(steps: Node, transition: Node, over: Axis, start: Any) -> Node:
    """Return α, (K,): the logarithm of the sum over all paths up to each step that are in a state there."""
    alpha = state(None, steps.shape, over=steps.axes)
    alpha[over] = _from_start(logsumexp(alpha[over - 1][..., :, None] + transition, axis=-2), start, over) + steps
    return alpha


def _from_start(moved: Node, start: Any, over: Axis) -> Node:
    """Return what comes before a step's own score: the start at the first one."""
    return where(equal(index(over), 0), constant(start), moved)


def _check(steps: Any, transition: Any, start: Any, over: Axis, name: str) -> tuple[Node, Node]:
    steps, transition, start = constant(steps), constant(transition), constant(start)
    here = show_site(user_site())
    if over not in steps.axes:
        raise AxisError(
            "N141", f"the scores of {name} do not vary over {over}", node=steps.name, where=here,
            expected=f"(K,) over {over}", got=repr(steps)[:80],
        )  # fmt: skip
    if len(steps.shape) != 1 or transition.shape != steps.shape * 2 or start.shape not in ((), steps.shape):
        shapes = f"scores {steps.shape}, transitions {transition.shape}, start {start.shape}"
        raise ShapeError(
            "N142", f"the shapes that {name} is given do not fit: {shapes}", where=here,
            expected="scores (K,), transitions (K, K), start (K,) or ()", got=shapes,
        )  # fmt: skip
    return steps, transition


__all__ = ["add_blanks", "best_path", "crf_loss", "ctc_loss", "draw_path", "read_labels", "score_path", "sum_paths"]
explain_keywords(globals(), __all__)
