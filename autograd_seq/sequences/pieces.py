"""Sequences in pieces: which nodes read earlier or later steps, and which losses add up over pieces to that of the whole.

A value that does not read later steps is the same in pieces as in the whole sequence. That includes tangents (reverse mode
applied twice), which read the past as states do, with zeros before the first step. A value that reads later steps, as gradients
do, is computed for each piece alone: reads of the past that occur only in second derivatives start at zero in each piece.
"""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.facts import EACH
from autograd_seq.core.node import Node
from autograd_seq.graph.order import find_dependents, get_rows, postorder
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import CAST, div
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.steps import RECEIVE, TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, SHIFT, SIZE, SPREAD

Source = tuple[Node, bool]
"""A value that is read at other steps, and whether those reads find zeros outside of the sequence although it has rows."""


inputs_of = attrgetter("inputs")


class Shifts(NamedTuple):
    """The shifts along an axis that read earlier steps, also those of earlier calls.

    Attributes:
        values: those on which the carried values depend, or outputs that read no later step.
        lasting: those on which values depend that are carried for their rows; gradients take these rows as given.
        later: all nodes that depend on a read of a later step.
    """

    values: list[Node]
    lasting: set[Node]
    later: set[Node]


def find_shifts_back(graph: System, axis: Axis) -> Shifts:
    """Return the shifts of a graph that read earlier steps of an axis, and what depends on them; linear in the nodes."""
    shifts = [n for n in graph.nodes if n.op is SHIFT and n.attrs["axis"] is axis]
    later = find_dependents(graph.nodes, [n for n in shifts if n.attrs["by"] < 0])
    back = [n for n in shifts if n.attrs["by"] > 0]
    lasting = set(postorder([n for n in back if n.attrs["outside"] == "bounds"], inputs_of))
    exact = lasting.union(postorder([o for o in graph.outputs if o not in later], inputs_of))

    def within(found: set[Node]) -> list[Node]:
        """Return the shifts in ``found``, and those equal to one of them, which are one shift in a copy of the graph."""
        reads = {(get_source(n), n.attrs["by"], n.attrs["outside"]) for n in back if n in found}
        return [n for n in back if (get_source(n), n.attrs["by"], n.attrs["outside"]) in reads]

    return Shifts(within(exact), set(within(lasting)), later)


def list_read_back(graph: System, axis: Axis) -> dict[Source, int]:
    """Return the values that later calls read of earlier ones, and how many rows of each: the longest delay.

    They are the sources of all shifts that read rows, and of those shifts with zeros before the first step (in tangents,
    the adjoints of adjoints) on which a value depends that is the same in pieces as in the whole.
    """
    reads: dict[Source, int] = {}
    for n in find_shifts_back(graph, axis).values:
        reads[get_source(n)] = max(n.attrs["by"], reads.get(get_source(n), 0))
    return reads


def get_source(shift: Node) -> Source:
    """Return what a shift reads: all shifts of one source share its rows."""
    x, side = shift.inputs[0], "init" if shift.attrs["by"] > 0 else "final"
    return x, shift.attrs["outside"] == "zero" and get_rows(x, shift.attrs["axis"], side)[0] is not None


def reads_all(n: Node, axis: Axis) -> bool:
    """Tell whether a node reads later steps, or the number of steps."""
    if n.op is SHIFT:
        return n.attrs["axis"] is axis and n.attrs["by"] < 0
    if n.op is TAKE_STEP and n.attrs["earlier"]:
        return False
    if n.op in (AT, SIZE, ALONG, TAKE_STEP, RECEIVE):
        return axis in (n.attrs["axis"], n.attrs.get("other"))
    return n.op.reduces_axes and axis in n.attrs["axes"]


def find_no_sum(loss: Node, axis: Axis) -> Node | None:
    """Return a node because of which losses of pieces do not add up (no sum of terms of single steps), or ``None``.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x = ag.input("x", over=t)
        >>> find_no_sum(0.5 * ag.sum(x * x[t - 1], over=t), t), find_no_sum(ag.last(x, over=t), t)
        (None, at: float)
    """
    order = postorder([loss], inputs_of)
    dependent = find_dependents(order, [n for n in order if axis in n.axes or n.attrs.get("axis") is axis])
    stack = [loss]
    while stack:
        n = stack.pop()
        moving = [x for x in n.inputs if x in dependent]
        scaled = len(moving) == 1 and (n.op.linear == EACH or (n.op is div and moving[0] is n.inputs[0]))
        if n.op is sum_over and axis in n.attrs["axes"]:
            terms = postorder(n.inputs, inputs_of)
            if odd := [m for m in terms if reads_all(m, axis) or _is_derived(m, axis)]:
                return odd[0]
        elif scaled or n.op.adds or n.op in (SPREAD, sum_over) or (n.op is CAST and n.dtype is float):
            stack += moving if scaled else n.inputs[::-1]
        elif not (n.op is SIZE and n.attrs["axis"] is axis) and (n._value is None or np.any(n._value)):
            return n
    return None


def _is_derived(n: Node, axis: Axis) -> bool:
    """Tell whether a node is a read made by differentiation, which in a piece differs from that in the whole sequence."""
    zero = n.op is SHIFT and n.attrs["outside"] == "zero"
    return n.attrs.get("axis") is axis and (zero or bool(n.attrs.get("derived")))
