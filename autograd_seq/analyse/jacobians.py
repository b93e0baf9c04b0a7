"""The Jacobian of every step along a trajectory: how what a recurrence hands on depends on what it was handed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.analyse.recurrences import list_carried, refuse_lengths
from autograd_seq.core.axes import Axis
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.grad.forward import make_basis
from autograd_seq.grad.reverse import grad
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.time import spread
from autograd_seq.run.compile import compile


class Jacobians:
    """A function of the feeds that returns the Jacobian of every step. Made by :func:`jacobian`.

    Attributes:
        carried: the values that a step hands on to the next, with their delays.
        program: the program that computes the blocks for all steps at once.
    """

    def __init__(self, outputs: Any, over: Axis, options: dict[str, Any]) -> None:
        graph = spell_out_windows(Graph(*flatten([outputs])))
        self.over, self.carried = over, list_carried(graph, over)
        roots = {c.node: i for i, c in enumerate(self.carried)}
        reads: dict[tuple[Node, int], dict[Node, Node]] = {}  # by source and delay: shift → what stands for it

        def detach(old: Node, new: Node) -> Node:
            if old.attrs["axis"] is not over or old.inputs[0] not in roots:
                return new
            return reads.setdefault((old.inputs[0], old.attrs["by"]), {}).setdefault(new, stop_gradient(new))

        now = rebuild([*roots], shifts=detach)
        blocks: list[Node] = []
        self._places: list[tuple[int, int, int]] = []  # of each block: of which value, by which, with which delay
        for i, y in enumerate(now):
            wrt = [(key, node) for key, nodes in reads.items() for node in nodes.values()]
            entry = Axis(f"entry {i}", size=self.carried[i].size)
            for (key, _), g in zip(
                wrt, grad(y, [n for _, n in wrt], cotangent=make_basis(entry, y.shape), keep=entry), strict=True
            ):
                blocks.append(spread(g, (*self.carried[i].node.axes, entry)))
                self._places.append((i, roots[key[0]], key[1]))
        whole = Graph(*blocks)
        others = [a for a in graph.axes if a in self.carried[0].node.axes and a is not over]
        self._lead, self._graph = 1 + len(others), graph
        self.program = compile(whole, order=(over, *others, *(a for a in whole.axes if a not in (over, *others))), **options)

    def __call__(self, /, *unnamed: Any, **given: Any) -> np.ndarray:
        """Return (T, …, n, n): the steps, other axes, and the matrix. Arguments as for a program."""
        if unnamed:
            raise feeds.make_unnamed_error(self._graph, unnamed)
        refuse_lengths(given, self._graph, self.over)
        sizes, data = feeds.split_sizes(self._graph, given)
        known = self.program.graph
        fed = {name: value for name, value in data.items() if name in known.inputs}
        found = self.program(**fed, **known.pick_lengths(sizes))
        starts = np.cumsum([0, *(c.size * c.delay for c in self.carried)])
        lead = found[0].shape[: self._lead]
        out = np.zeros((*lead, starts[-1], starts[-1]), found[0].dtype)
        for c, start in zip(self.carried, starts[:-1], strict=True):
            kept = np.arange(start, start + c.size * (c.delay - 1))
            out[..., kept + c.size, kept] = 1.0  # a row becomes the one before
        for value, (i, j, by) in zip(found, self._places, strict=True):
            rows, size = slice(starts[i], starts[i] + self.carried[i].size), self.carried[j].size
            first = starts[j] + (by - 1) * size
            out[..., rows, first : first + size] += value.reshape(*lead, self.carried[i].size, size)
        return out

    def __repr__(self) -> str:
        return f"<Jacobians along {self.over}, by {self.program!r}>"


def jacobian(outputs: Node | Sequence[Node], *, over: Axis, **options: Any) -> Jacobians:
    """Compile the Jacobian of each step: how what a recurrence hands on depends on what it was handed.

    Args:
        outputs: a node, or several: the recurrences on which they depend are meant.
        over: the axis of the steps.
        options: as for :func:`ag.compile`.

    Returns:
        A function of the feeds that returns (T, …, n, n), ∂z[t]/∂z[t - 1] along the trajectory, where z[t] holds each value
        that is read at earlier steps, one after the other, of one that is read k steps back the k newest rows, the newest
        first. A batch comes after the steps.

    Raises:
        AxisError: no recurrence along the axis, or one that reads later steps, or mixes the points of another axis.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x = ag.state("x", over=t, init=0.25)
        >>> x[t] = 4 * x[t - 1] * (1 - x[t - 1])
        >>> ag.analyse.jacobian(x, over=t)(t=3).ravel()
        array([ 2., -2., -2.])

    Notes:
        Reads of earlier steps are taken as given, so all steps are computed at once, in one reverse walk an entry of z.
        The product of the matrices is the derivative over several steps. Memory T n².
    """
    return Jacobians(outputs, over, options)


__all__ = ["Jacobians", "jacobian"]
explain_keywords(globals(), ["jacobian"])
