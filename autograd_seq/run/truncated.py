"""Truncated backpropagation through time: which losses reach which uses of a parameter, and what that costs in truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import GradientError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.reverse import grad
from autograd_seq.grad.truncate import make_truncation
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.targets import list_targets
from autograd_seq.run.compile import ValueAndGrad, compile, value_and_grad


class TruncatedGradient:
    """A loss with truncated gradients: called like what :func:`ag.value_and_grad` returns. Made by :func:`bptt`.

    Attributes:
        truncated: the program that truncates.
        full: the one that does not, which runs where no step is cut off.
        over: the axis of the steps.
        reach: the steps back from the end of its block that a loss reaches.
    """

    def __init__(self, loss: Node, wrt: Any, over: Axis | None, keywords: dict[str, Any], options: dict[str, Any]) -> None:
        graph = Graph(loss)
        cut = make_truncation([*graph.nodes], over, **keywords)
        assert cut is not None
        if {"memory", "slots", "piece"} & options.keys():
            options = {"over": cut.over, **options}
        self._arguments = loss, wrt, options
        chosen = list_targets(graph.outputs, wrt)
        gradients = grad(loss, chosen, over=cut.over, **keywords)
        self.truncated = ValueAndGrad(compile([loss, *gradients], **options), [str(n.name) for n in chosen])
        self.over, self.reach = cut.over, cut.window

    @cached_property
    def full(self) -> ValueAndGrad:
        loss, wrt, options = self._arguments
        return value_and_grad(loss, wrt, **options)

    def __call__(self, /, *unnamed: Any, **given: Any) -> tuple[Any, dict[str, Any]]:
        """Return ``(loss, gradients)`` for the feeds; arguments as for a program."""
        if unnamed:
            raise feeds.make_unnamed_error(self.truncated.program.graph, unnamed)
        steps = None if "lengths" in given else feeds.split_sizes(self._graph, given)[0].get(self.over.name)
        return self.full(**given) if steps is not None and steps <= self.reach else self.truncated(**given)

    @cached_property
    def _graph(self) -> Graph:
        return Graph(self._arguments[0])

    @property
    def draws(self) -> bool:
        """Whether the program draws random numbers; see :attr:`ValueAndGrad.draws`."""
        return self.truncated.draws

    def __repr__(self) -> str:
        return f"<{self.truncated!r}, truncated along {self.over} after {self.reach} steps>"


def bptt(
    loss: Node, wrt: Sequence[Node | str] | Node | None = None, *, over: Axis | None = None, segment: int | None = None,
    window: int | None = None, every: int | None = None, **options: Any,
) -> TruncatedGradient:  # fmt: skip
    """Compile a loss with gradients by truncated backpropagation through time.

    The loss is exact; the gradient leaves pairs out: (the step of a loss, the step where a parameter is used).

    Args:
        loss: a float scalar without axes.
        wrt: parameters or inputs, or their names; all float parameters by default.
        over: the axis of the steps; the one along which the graph shifts by default.
        segment: k: the steps are cut into blocks of k, counted from the end (the first may be shorter); a loss reaches the uses
            in its own block. This is what is mostly meant by truncation: pieces, the state carried on, the gradient not.
        window: k: each loss reaches the uses of its own and the k - 1 steps before.
        every: k₁, with window k₂ ≥ k₁: the losses of each block of k₁ steps reach the uses in the k₂ steps up to the end of
            the block (Williams & Peng 1990). ``every=1`` is ``window`` alone, and ``every=k, window=k`` is ``segment=k``.
        options: as for :func:`ag.compile`.

    Returns:
        A function of the feeds that returns ``(loss, {name: gradient})``. Where no step is cut off it runs the full program.

    Raises:
        GradientError: no truncation, or an impossible one; the recurrence looks ahead along the axis, or reads all steps of it.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t, init=2.0)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> L = ag.sum(h, over=t)
        >>> x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        >>> [float(ag.bptt(L, **cut)(w=0.5, x=x)[1]["w"]) for cut in ({"segment": 3}, {"window": 3}, {"every": 2, "window": 4})]
        [34.875, 37.625, 38.25]

    Notes:
        Time and memory are linear in T. ``segment`` costs as much as the full gradient: it masks what crosses a block; to
        save memory too, run pieces by ``ag.value_and_grad(…, carry=True)``. ``window`` and ``every`` carry ⌈k₂/k₁⌉ cotangents
        a step. Jaeger 2002 compares the policies.
    """
    keywords = {"segment": segment, "window": window, "every": every}
    if all(n is None for n in keywords.values()):
        raise GradientError(
            "E157", "bptt is given no truncation", where=show_site(user_site()),
            expected="segment=k, window=k, or every=k1, window=k2", got="none of them",
            fix="the full gradient: ag.value_and_grad(loss)",
        )  # fmt: skip
    return TruncatedGradient(loss, wrt, over, keywords, options)


class Bias(NamedTuple):
    """What truncation does to the gradient of one parameter.

    Args:
        relative: the length of the difference, divided by that of the full gradient.
        cosine: of the angle between both; 1 if they have one direction.
        cut: the full gradient less the truncated one: the credit that was cut.
    """

    relative: float
    cosine: float
    cut: np.ndarray

    def __repr__(self) -> str:
        return f"Bias(relative={self.relative:.4g}, cosine={self.cosine:.4g}, cut=array {np.shape(self.cut)})"


class TruncationBias:
    """A function of the feeds that compares a truncated gradient with the full one. Made by :func:`truncation_bias`."""

    def __init__(self, truncated: TruncatedGradient) -> None:
        self.gradient = truncated

    def __repr__(self) -> str:
        return f"<bias of {self.gradient!r}>"

    def __call__(self, /, **given: Any) -> dict[str, Bias]:
        """Return the bias of each parameter's gradient, by name."""
        _, full = self.gradient.full(**given)
        _, part = self.gradient(**given)
        found = {}
        for name, whole in full.items():
            size, other = float(np.linalg.norm(whole)), float(np.linalg.norm(part[name]))
            off = np.asarray(whole) - part[name]
            same = float(np.sum(whole * part[name]))
            found[name] = Bias(
                float(np.linalg.norm(off)) / size if size else float(other > 0),
                same / (size * other) if size and other else float(size == other), off,
            )  # fmt: skip
        return found


def truncation_bias(loss: Node, wrt: Any = None, **keywords: Any) -> TruncationBias:
    """Compile a comparison of truncated gradients with full ones.

    Args:
        loss, wrt, keywords: as for :func:`bptt`.

    Returns:
        A function of the feeds that returns a :class:`Bias` for each parameter, by name.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t, init=2.0)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> bias = ag.truncation_bias(ag.sum(h, over=t), segment=3)(w=0.5, x=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        >>> round(bias["w"].relative, 4), float(bias["w"].cut)
        (0.1014, 3.9375)

    Notes:
        Tallec & Ollivier 2017 on why the bias matters. Costs a full and a truncated gradient.
    """
    return TruncationBias(bptt(loss, wrt, **keywords))


__all__ = ["Bias", "TruncatedGradient", "TruncationBias", "bptt", "truncation_bias"]
explain_keywords(globals(), ["bptt", "truncation_bias"])
