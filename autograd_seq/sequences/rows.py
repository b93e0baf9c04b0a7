"""Rows outside of the steps of a part of a sequence, which are fed: states that have them in place of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.ops.state import STATE, Bound
from autograd_seq.ops.time import spread


def hold_rows(old: Node, new: Node, axis: Axis, rows: Mapping[str, Sequence[Node]], zeros: bool = False) -> Node:
    """Return a state with other rows along an axis: the copy of a state itself, or a state around another value.

    Args:
        old: the value.
        new: its copy, which is changed if it is a state.
        axis: that of the rows.
        rows: by side, ``"init"`` or ``"final"``, the rows in time order.
        zeros: whether they are read by shifts that find zeros where a state has rows of its own, which then stays as it is.
    """
    bounds: list[Bound] = []
    inputs = [new.inputs[0] if new.op is STATE and not zeros else spread(new, old.axes)]
    reach = {key: k for key, k in new.attrs.get("reach", {}).items() if key[0] is not axis}
    for side, some in rows.items():
        bounds.append(Bound(axis, side, len(inputs), len(some)))
        inputs += some
        reach[axis, side] = len(some)  # some outputs may need fewer
    attrs: dict[str, Any] = {"inherits": False, "reach": reach}
    if zeros or new.op is not STATE:
        return Node(STATE, tuple(inputs), {"bounds": tuple(bounds), **attrs}, old.shape, old.dtype, old.axes)
    _add_other_rows(new, lambda b: b.axis is axis, bounds, inputs)
    for b in bounds:
        reach.setdefault((b.axis, b.side), b.rows or 0)  # of what has the rows of another state, that one knows it
    new.inputs, new.attrs = tuple(inputs), {"bounds": tuple(bounds), **attrs}
    return new


def drop_rows(state: Node, gone: Callable[[Bound], bool]) -> None:
    """Remove the rows of some bounds from a state."""
    bounds, inputs = list[Bound](), [state.inputs[0]]
    _add_other_rows(state, gone, bounds, inputs)
    state.inputs, state.attrs = tuple(inputs), {**state.attrs, "bounds": tuple(bounds)}


def _add_other_rows(state: Node, gone: Callable[[Bound], bool], bounds: list[Bound], inputs: list[Node]) -> None:
    """Add to bounds, and to the inputs of a state, the rows that it has, without those of some bounds."""
    for b in state.attrs["bounds"]:
        if not gone(b):
            bounds.append(Bound(b.axis, b.side, len(inputs), b.rows))
            inputs += state.inputs[b.start : b.stop]


__all__ = ["drop_rows", "hold_rows"]
