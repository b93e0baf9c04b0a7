"""What a recurrence carries from step to step: the values that it reads of itself, as one vector (companion form)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, FeedError
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.graph.order import find_dependents, postorder
from autograd_seq.graph.system import System
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, SHIFT
from autograd_seq.sequences.pieces import inputs_of


def refuse_lengths(given: Mapping[str, Any], graph: System, over: Axis) -> None:
    """Refuse the lengths of padded sequences, which have no derivatives after their ends.

    Raises:
        FeedError: ``lengths=`` is given, and the equations have no input of that name.
    """
    if "lengths" in given and "lengths" not in graph.inputs:
        raise FeedError(
            "F207", f"steps of {over} after the end of a sequence have no derivatives: lengths= is not taken",
            where=show_site(user_site()), expected="sequences of one length", got="lengths=",
            fix="a call for each sequence, with its own steps alone",
        )  # fmt: skip


class Carried(NamedTuple):
    """A value that a recurrence reads at earlier steps: ``delay`` rows of ``size`` numbers are carried.

    Args:
        node: the value.
        delay: the longest delay with which it is read.
    """

    node: Node
    delay: int

    @property
    def size(self) -> int:
        """How many numbers a row has."""
        return int(np.prod(self.node.shape, dtype=int))


def list_carried(graph: System, over: Axis) -> list[Carried]:
    """Return the float values that lie on a cycle through their own earlier steps, in the order of the graph.

    Raises:
        AxisError: there is none; one is read at later steps, or at steps that values name; what lies on the cycle mixes the
            points of another axis, so that these are no sequences of their own; or some values vary over an axis, others not.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, x = ag.state("s", (3,), over=t), ag.input("x", (3,), over=t)
        >>> s[t] = ag.tanh(s[t - 1] - s[t - 2] + x[t - 1])
        >>> [(c.node.name, c.delay, c.size) for c in list_carried(ag.Graph(s), t)]
        [('s', 2, 3)]
    """
    shifts = [n for n in graph.nodes if n.op is SHIFT and n.attrs["axis"] is over and n.dtype is float]
    delays: dict[Node, int] = {}
    on_cycle: set[Node] = set()
    for n in shifts:
        source = n.inputs[0]
        ahead = find_dependents(graph.nodes, [n])
        if source not in ahead:
            continue
        if n.attrs["by"] < 0:
            raise AxisError(
                "Q123", f"{graph.name(source)} is read at later steps of {over}, and its steps do not follow one another",
                node=graph.name(source), where=n.where, expected=f"reads of {over} - 1, {over} - 2, …", got=graph.name(n),
            )  # fmt: skip
        delays[source] = max(n.attrs["by"], delays.get(source, 0))
        on_cycle |= ahead & set(postorder([source], inputs_of))
    named = [n for n in graph.nodes if n.op is TAKE_STEP and n.attrs["axis"] is over]
    for n in (n for n in named if n.inputs[0] in find_dependents(graph.nodes, [n])):
        raise AxisError(
            "Q131", f"{graph.name(n.inputs[0])} is read at any earlier step of {over}, and its next one depends on all of them",
            node=graph.name(n.inputs[0]), where=n.where, expected=f"reads of {over} - 1, {over} - 2, …", got=graph.name(n),
        )  # fmt: skip
    if not delays:
        raise AxisError(
            "Q124", f"nothing depends on its own earlier steps of {over}", where=show_site(user_site()),
            expected="a recurrence of floats", got=repr(graph),
        )  # fmt: skip
    for n in graph.nodes:
        mixed = n.attrs["axes"] if n.op.reduces_axes else (n.attrs["axis"],) if n.op in (SHIFT, AT, ALONG, TAKE_STEP) else ()
        if n in on_cycle and (others := [a for a in mixed if a is not over]):
            raise AxisError(
                "Q125", f"the recurrence mixes the points of {others[0]}, through {graph.name(n)}", node=graph.name(n),
                where=n.where, expected=f"points of {others[0]} that do not read one another, as sequences of a batch",
                got=repr(n)[:80], fix="write what is coupled as dimensions of one value",
            )  # fmt: skip
    axes = {x: {a.name for a in x.axes} for x in delays}
    if len({frozenset(a) for a in axes.values()}) > 1:
        few, many = sorted(delays, key=lambda x: len(axes[x]))[:: len(delays) - 1]
        raise AxisError(
            "Q128", f"{graph.name(few)} is one for all points over which {graph.name(many)} varies, and is carried with it",
            node=graph.name(few), where=few.where, expected="states over the same axes", got=f"{few!r}, {many!r}"[:80],
        )  # fmt: skip
    return [Carried(x, delays[x]) for x in graph.nodes if x in delays]


__all__ = ["Carried", "list_carried"]
