"""Reads of steps that values name, as sums over all steps of what is x at that step and 0 at the others: slow, and from
operations that know nothing of indices."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag


def take_by_comparing(x: ag.Node, i: Any, axis: ag.Axis, earlier: bool = False) -> ag.Node:
    """What ``ag.take(x, i, over=axis, earlier=earlier)`` is. A recurrence keeps its rows in a state over (t, rows)."""
    step = ag.Axis(f"{axis.name}_read", size=axis.size)
    if not earlier:
        return _choose(x.along(axis, step), i, ag.index(step), step)
    number = ag.index(axis).along(axis, step)
    memory = ag.state(None, x.shape, over=(*x.axes, step), dtype=x.dtype)
    memory[memory.axes] = ag.where(ag.equal(number, ag.index(axis)), x, memory[axis - 1])
    return _choose(memory[axis - 1], i, number, step)


def _choose(x: ag.Node, i: Any, number: ag.Node, step: ag.Axis) -> ag.Node:
    i = ag.reshape(i, (*i.shape, *(1,) * x.ndim))
    return ag.sum(ag.where(ag.equal(i, number), x, 0.0), over=step)
