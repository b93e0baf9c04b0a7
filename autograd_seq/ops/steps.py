"""Reads of steps that are named by values, and their adjoints: a cotangent is sent to the step that was read.

:data:`TAKE_STEP` reads x at step i. Its adjoint is in two parts, so that a loop can run it: :data:`SEND` adds to the row of an
array that the index names, and :data:`RECEIVE` is a row of that array, with all that was sent to it. Where only earlier steps
are read, a recurrence may read itself so: a read of earlier steps is a delayed edge, as a shift is, and what later steps sent
is complete when the backward loop comes to a step. Each read, and each addition, costs as much as one row.

An index of −1 names no step: zeros are read, and what is sent to it is lost.
"""

from __future__ import annotations

from autograd_seq.core.axes import Axis, union
from autograd_seq.core.facts import FINITE, KEPT, POINTS, TOGETHER
from autograd_seq.core.node import Node
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import first
from autograd_seq.ops.time import SHIFT, spread


def _receive(g: Node, x: Node, i: Node, axis: Axis, earlier: bool) -> Node:
    """Return the cotangent of x, read at step i: what each step of it is sent."""
    summed = tuple(a for a in i.axes if a is axis or a not in x.axes)
    attrs = {"axis": axis, "axes": summed, "earlier": earlier}
    return RECEIVE(SEND(g, i, **attrs), index_rank=i.ndim, **attrs)


def _drop(axes: tuple[Axis, ...], gone: tuple[Axis, ...]) -> tuple[Axis, ...]:
    return tuple(a for a in axes if a not in gone)


TAKE_STEP: Op = defop(
    "take_step", word="take", symbol="take", shape=lambda x, i, **_: i + x, dtype=first, forward=None,
    axes=lambda x, i, *, axis, earlier: union(_drop(x, (axis,)), i),
    vjp=lambda g, y, x, i, axis, earlier: (_receive(g, x, i, axis, earlier), None),
    native=True, flops=0, linear=(0,), range=KEPT, zero_safe=True,
    doc="x at step i of an axis, zeros where i is −1. ``earlier`` says that only steps before the current one are read.",
)  # fmt: skip
SEND: Op = defop(
    "send", shape=lambda g, i, **_: g, dtype=first, forward=None, axes=lambda g, i, **_: union(g, i),
    vjp=lambda h, y, g, i, axis, axes, earlier: (h, None), native=True, linear=(0,), range=KEPT, zero_safe=True,
    doc="Cotangents on their way to the steps that an index names; see RECEIVE.",
)  # fmt: skip
RECEIVE: Op = defop(
    "receive", shape=lambda p, *, index_rank, **_: p[index_rank:], dtype=first, forward=None,
    axes=lambda p, *, axis, axes, **_: (axis, *_drop(p, (axis, *axes))),
    vjp=lambda h, y, p, axis, axes, earlier, index_rank: (
        TAKE_STEP(spread(h, axis), p.inputs[1], axis=axis, earlier=earlier),),
    view=POINTS, linear=TOGETHER, range=FINITE, zero_safe=True,
    doc="The sum of all that was sent to a step, over the points of ``axes``; with ``earlier`` it was sent by later steps.",
)  # fmt: skip


ADD_ROWS = Op(
    "add_rows", lambda z, g, i, **_: z, None, lambda h, y, z, g, i, axis, earlier: (h, h, None), first,
    lambda z, g, i, **_: union(g, i), False, "send",
    "What SEND is in a program: each step adds g to an array z of zeros, in the row that i names. It shows this array.",
    word="send", view=POINTS, native=True, linear=(0, 1), range=FINITE,
)  # fmt: skip


def get_delay(node: Node) -> int:
    """Return how many steps back a node reads its first operand along ``attrs["axis"]``, 0 if it needs it at its own step.

    Of steps that values name it is 1 if all of them are earlier, −1 if all are later.
    """
    if node.op is SHIFT:
        by: int = node.attrs["by"]
        return by
    if node.op is TAKE_STEP or node.op is RECEIVE:
        return 0 if not node.attrs["earlier"] else 1 if node.op is TAKE_STEP else -1
    return 0


def reads_any_step(node: Node) -> bool:
    """Tell whether a node may read all steps along ``attrs["axis"]``, whatever its own step is."""
    return (node.op is TAKE_STEP or node.op is RECEIVE) and not node.attrs["earlier"]


__all__ = ["ADD_ROWS", "RECEIVE", "SEND", "TAKE_STEP", "get_delay", "reads_any_step"]
