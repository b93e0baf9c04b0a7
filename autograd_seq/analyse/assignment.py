"""Which past step is responsible for which loss: the derivative of every step's loss by every step's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_seq.analyse.uses import copy_for_each_step
from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.reverse import grad
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.system import order_axes
from autograd_seq.graph.targets import is_one_target, list_targets
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.time import INDEX, spread
from autograd_seq.run.compile import compile


class Credit:
    """A function of the feeds that returns credit. Made by :func:`credit`.

    Attributes:
        program: the program that computes it, in one reverse walk for all losses.
        over: the axis of the steps.
        losses: the axis of the steps of the losses, as long as ``over``.
    """

    def __init__(self, loss: Node, wrt: Sequence[Node], over: Axis, one: bool, cut: dict[str, Any], options: Any) -> None:
        self.over, self.losses, self._one = over, Axis(f"{over.name} of the loss"), one
        self._graph = Graph(loss, *wrt)
        total, made = make_credit(loss, wrt, over, self.losses, **cut)
        graph = Graph(*made, total)  # the losses too, so that feeds are taken that only they need
        order = (self.losses, over, *(a for a in graph.axes if a not in (self.losses, over)))
        self._layouts = [(self.losses, over, *(a for a in self._graph.layout(x) if a is not over)) for x in wrt]
        self.program = compile(graph, order=order, **options)

    def __call__(self, /, *unnamed: Any, **given: Any) -> Any:
        """Return an array (T, T, …) for each node: the step of the loss, that of the state or of the use, its other axes,
        its shape. Arguments as for a program."""
        if unnamed:
            raise feeds.make_unnamed_error(self.program.graph, unnamed)
        data = {name: value for name, value in given.items() if name not in ("lengths", "dtype")}
        sizes = feeds.split_sizes(self._graph, data)[0]
        sizes[self.losses.name] = sizes[self.over.name]
        known = self.program.graph
        fed = {name: value for name, value in given.items() if name in known.inputs or name not in self._graph.inputs}
        found = self.program(**{**fed, **known.pick_lengths(sizes)})
        laid = [order_axes(v, [self.losses, self.over, *(a for a in known.axes if a in wanted[2:])], wanted)
                for v, wanted in zip(found[:-1], self._layouts, strict=True)]  # fmt: skip
        return laid[0] if self._one else laid

    def __repr__(self) -> str:
        return f"<credit along {self.over}, by {self.program!r}>"


def make_credit(loss: Node, wrt: Sequence[Node], over: Axis, each: Axis, **cut: Any) -> tuple[Node, list[Node]]:
    """Return the losses of the steps, over an axis ``each``, and their derivatives by nodes, over that axis and ``over``."""
    nodes = [loss, *wrt]
    for i, x in enumerate(wrt, 1):
        if over not in x.axes:
            made, copies = copy_for_each_step(nodes, x, over)
            nodes = [*made[:i], copies, *made[i + 1 :]]
    loss = nodes[0]
    at_step = where(equal(INDEX(axis=over), INDEX(axis=each)), sum_of(loss) if loss.ndim else loss, 0.0)
    total = sum_over(at_step, axes=tuple(a for a in at_step.axes if a is not each))
    found = grad(total, nodes[1:], cotangent=spread(constant(1.0), each), keep=each, **({**cut, "over": over} if cut else {}))
    return total, [spread(g, (each, over)) for g in found]


def credit(losses: Node, wrt: Node | str | Sequence[Node | str], *, over: Axis, segment: int | None = None,
           window: int | None = None, every: int | None = None, **options: Any) -> Credit:  # fmt: skip
    """Compile the derivatives of each step's loss by each step's state: which past step is responsible for which loss.

    Args:
        losses: a float node over ``over``: the losses of the steps, before they are added up. What else it varies over (a
            batch) is added up, and its entries too.
        wrt: a node, or several, or their names. Of one that varies over ``over`` (a state, an input) the credit of its value at
            each step; of one that all steps share (a parameter, an initial row) that of its use at each step.
        over: the axis of the steps.
        segment, window, every: truncation, as for :func:`ag.bptt`: the credit that is cut is 0.
        options: as for :func:`ag.compile`.

    Returns:
        A function of the feeds (``lengths=`` too) that returns an array for each node: (T, T, …, *shape), the step of the loss
        first, then that of the state or use, then other axes of the node. The sum over the first dimension is the gradient of
        the sum of all losses; of what is shared, the sum over the first two.

    Raises:
        AxisError: the losses do not vary over the axis.
        GradientError: as for :func:`ag.grad`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> ag.analyse.credit(h, h, over=t)(w=0.5, x=[1.0, 2.0, 3.0])
        array([[1.  , 0.  , 0.  ],
               [0.5 , 1.  , 0.  ],
               [0.25, 0.5 , 1.  ]])
        >>> ag.analyse.credit(h, w, over=t)(w=0.5, x=[1.0, 2.0, 3.0]).tolist()
        [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 2.5]]

    Notes:
        One reverse walk, in which every cotangent has an axis of the losses: T times the time and memory of a gradient. An
        initial row is used by the steps that read it; what is computed from a parameter once, by the steps that read the
        result. In an equation that looks back only, no step has credit for an earlier loss: exactly 0.
    """
    if not isinstance(losses, Node) or over not in losses.axes:
        got = label_of(losses) if isinstance(losses, Node) else repr(losses)[:60]
        raise AxisError(
            "Q120", f"{got} does not vary over {over}, and has no losses of its steps",
            node=getattr(losses, "name", None), where=show_site(user_site()), expected=f"a loss at each step of {over}",
            got=repr(losses)[:80], fix="give the losses before they are added up, ag.nll(y, l[t]); of one loss, "
            "ag.grad(loss, states) is the credit of each step",
        )  # fmt: skip
    cut = {name: n for name, n in (("segment", segment), ("window", window), ("every", every)) if n is not None}
    return Credit(losses, list_targets([losses], wrt), over, is_one_target(wrt), cut, options)


__all__ = ["Credit", "credit", "make_credit"]
explain_keywords(globals(), ["credit"])
