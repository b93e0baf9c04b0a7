"""Sums and maxima over all paths through a chain of hidden states: HMM and CRF, as recurrences in logarithms.

A path takes one of K states at each step. Its score is the sum of a start, of transitions, and of what each step says of its
state. The sum over all Kᵀ paths is one recurrence (the forward algorithm), and so is the largest (Viterbi). The gradient of the
sum with respect to the scores of the steps is the probabilities of the states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, DTypeError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.gather import pick, take
from autograd_seq.ops.picking import last
from autograd_seq.ops.random import categorical
from autograd_seq.ops.reduce import max as max_of
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.softmax import logsumexp
from autograd_seq.ops.state import state
from autograd_seq.ops.statistics import argmax
from autograd_seq.ops.time import index, shift, size


def sum_paths(steps: Node, transition: Node, *, over: Axis, start: Any = 0.0) -> Node:
    """The logarithm of the sum over all paths of exp(score): the forward algorithm.

        α_t = logsumexp_i(α_{t-1,i} + A_{i,:}) + e_t      α_0 = start + e_0      log Z = logsumexp(α_{T-1})

    Args:
        steps: e, (K,) over ``over``: the score of each state at each step.
        transition: A, (K, K): the score of going from state i (row) to state j (column). Over the axis of the steps it may
            vary too: A_t leads to step t.
        over: the axis of the steps, at least one.
        start: (K,), or a number: the score of the first state.

    Returns:
        A number, over the other axes of what it is made of (a batch).

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
        The score, a number, and the path, the state at each step as an integer over ``over``. Of several paths that are equally
        good it is the one with the first state at the last step, then at the step before, and so on.

    Raises:
        AxisError, ShapeError: as for :func:`sum_paths`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> score, path = best_path(ag.input("e", (2,), over=t), ag.constant([[0.0, -9.0], [-9.0, 0.0]]), over=t)
        >>> [v.tolist() for v in ag.Graph(score, path).evaluate(e=[[1.0, 0.0], [0.0, 0.5], [1.0, 0.0]])]
        [2.0, [0, 0, 0]]

    Notes:
        Viterbi 1967. Time T K² for the score, T K for the path, which is followed back from its last state.
    """
    steps, transition = _check(steps, transition, start, over, "best_path")
    best = _make_state(steps, transition, start)
    best[best.axes] = _from_start(max_of(best[over - 1][..., :, None] + transition, axis=-2), start, over) + steps
    return max_of(last(best, over=over)), _follow_back(best, transition, over, lambda scores: argmax(scores, axis=-1))


def draw_path(name: str, steps: Node, transition: Node, *, over: Axis, start: Any = 0.0) -> Node:
    """A path drawn with its probability among all paths, exp(score − log Z): the forward algorithm, then draws backwards.

        s_{T-1} ~ softmax(α_{T-1})      s_t ~ softmax(α_t + A_{:, s_{t+1}})

    Args:
        name: of the path; the draws depend on it, and on ``seed=`` at the call, as those of :func:`autograd_seq.categorical`.
        steps, transition, over, start: as for :func:`sum_paths`.

    Returns:
        The state at each step, an integer over the axes of ``steps`` and those of a batch; it has no gradient.

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
    alpha = _sum_ahead(steps, transition, over, start)
    return _follow_back(alpha, transition, over, lambda logits: categorical(name, logits, over=alpha.axes))


def score_path(steps: Node, transition: Node, path: Node, *, over: Axis, start: Any = 0.0) -> Node:
    """The score of one path.

    Args:
        path: the state at each step, an integer over ``over``.
        steps, transition, over, start: as for :func:`sum_paths`.

    Returns:
        A number. Less :func:`sum_paths` it is the log-probability of the path.

    Raises:
        AxisError, ShapeError: as for :func:`sum_paths`.
        DTypeError: the path is not one integer at each step.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> e, y = ag.input("e", (2,), over=t), ag.input("y", over=t, dtype=int)
        >>> s = score_path(e, ag.constant([[0.0, 1.0], [2.0, 0.0]]), y, over=t)
        >>> float(ag.Graph(s).evaluate(e=[[0.5, 0.0], [0.0, 0.25]], y=[0, 1])[0])
        1.75

    Notes:
        Time T: a look-up in each step and in each transition.
    """
    steps, transition = _check(steps, transition, start, over, "score_path")
    path = check_classes(path, "score_path", "the path")
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


def _sum_ahead(steps: Node, transition: Node, over: Axis, start: Any) -> Node:
    """Return α, (K,): the logarithm of the sum over all paths up to each step that are in a state there."""
    alpha = _make_state(steps, transition, start)
    alpha[alpha.axes] = _from_start(logsumexp(alpha[over - 1][..., :, None] + transition, axis=-2), start, over) + steps
    return alpha


def _make_state(steps: Node, *others: Any) -> Node:
    """Return a state (K,) over all axes over which what it is made of varies."""
    return state(None, steps.shape, over=tuple(dict.fromkeys(a for x in (steps, *others) for a in constant(x).axes)))


def _follow_back(reached: Node, transition: Node, over: Axis, choose: Callable[[Node], Node]) -> Node:
    """Return a path whose states are chosen from the last to the first, by the scores of the ways that lead to the next one."""
    path = state(None, over=reached.axes, dtype=int)
    onward = shift(transition, over, -1) if over in transition.axes else transition
    ending = equal(index(over), size(over) - 1)
    path[path.axes] = choose(reached + where(ending, 0.0, take(onward, path[over + 1], axis=1)))
    return path


def _from_start(moved: Node, start: Any, over: Axis) -> Node:
    """Return what comes before a step's own score: the start at the first one."""
    return where(equal(index(over), 0), constant(start), moved)


def check_classes(classes: Any, name: str, what: str) -> Node:
    """Return ``classes`` as a node; refuse what is not one integer at each step.

    Args:
        classes: the argument of a user.
        name: the function that it was given to.
        what: what it is there.
    """
    classes = constant(classes)
    if classes.dtype is not int or classes.shape:
        raise DTypeError(
            "N157", f"{what} of {name} is not one integer at each step", node=classes.name, where=show_site(user_site()),
            expected='ag.input("y", over=t, dtype=int)', got=repr(classes)[:80],
        )  # fmt: skip
    return classes


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


__all__ = ["best_path", "crf_loss", "draw_path", "score_path", "sum_paths"]
explain_keywords(globals(), __all__)
