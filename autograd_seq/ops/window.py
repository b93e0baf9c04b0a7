"""The last steps of a value as its first dimension, as one operation; and its transpose, which adds up what overlaps.

Neither has a ``forward``: the unroller resolves them into edges, as it does with shifts. Programs spell them out: in a number
of shifts that grows with the logarithm of the window (:func:`doubled`), or, where each step has to be seen on its own (pieces,
lengths, one step at a time), in as many as it has steps (:func:`as_shifts`).
"""

from __future__ import annotations

from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.facts import FINITE, KEPT, TOGETHER
from autograd_seq.core.node import Node
from autograd_seq.core.op import Op, defop, first
from autograd_seq.ops.parts import concat, stack
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import broadcast_to
from autograd_seq.ops.time import SHIFT, spread

_FEW = 4
"""Windows of so many steps are put together from their steps, longer ones from halves."""


def _transposed(op: Op, g: Any, y: Any, attrs: dict[str, Any]) -> tuple[Node]:
    return (op(spread(broadcast_to(g, y.shape), attrs["axis"]), **attrs, derived=True),)


WINDOW: Op = defop(
    "window", shape=lambda x, *, axis, size, every, derived=False: (size, *x), dtype=first, forward=None,
    vjp=lambda g, y, x, *, axis, size, every, derived=False: _transposed(
        OVERLAP, g, y, {"axis": axis, "size": size, "every": every}),
    linear=TOGETHER, range=KEPT,
    doc="The steps t − every·(size − 1), …, t − every, t of a value, zero before the first. ``derived=True`` says that it is "
    "part of a derivative: see :mod:`autograd_seq.sequences.pieces`.",
)  # fmt: skip
OVERLAP: Op = defop(
    "overlap", shape=lambda w, *, axis, size, every, derived=False: w[1:], dtype=first, forward=None,
    vjp=lambda g, y, w, *, axis, size, every, derived=False: _transposed(
        WINDOW, g, y, {"axis": axis, "size": size, "every": every}),
    linear=TOGETHER, range=FINITE,
    doc="The sum of the entries that a step has in the windows of later steps: the transpose of ``window``.",
)  # fmt: skip


def steps(node: Node) -> list[int]:
    """Return how many steps before its own a window, or behind it an overlap, reads for each entry."""
    size, every = node.attrs["size"], node.attrs["every"]
    return [every * (size - 1 - k) for k in range(size)]


def as_shifts(node: Node, x: Node) -> Node:
    """Return what a window, or an overlap, of ``x`` is, each step read on its own."""
    axis, delays = node.attrs["axis"], steps(node)
    if node.op is WINDOW:
        outside = "zero" if node.attrs.get("derived") else "bounds"  # the same: ``window`` has none of what has rows
        return stack([_at(x, axis, by, outside) for by in delays], axis=0)
    return sum_over(*[_at(x[k], axis, -by) for k, by in enumerate(delays)], axes=())


def doubled(node: Node, x: Node) -> Node:
    """Return the same in halves: a window is a shorter one, and the part of it that is still to come, some steps earlier."""
    axis, size, every = node.attrs["axis"], node.attrs["size"], node.attrs["every"]
    half = size // 2
    if size <= _FEW:
        return as_shifts(node, x)
    if node.op is WINDOW:
        late = doubled(Node(WINDOW, (x,), {**node.attrs, "size": size - half}, (), x.dtype, ()), x)
        return concat([_at(late[:half] if size % 2 else late, axis, half * every), late], axis=0)
    early, late = _at(x[:half], axis, -half * every), x[half:]
    whole = concat([late[:half] + early, late[half:]], axis=0) if size % 2 else late + early
    return doubled(Node(OVERLAP, (whole,), {**node.attrs, "size": size - half}, (), x.dtype, ()), whole)


def _at(x: Node, axis: Axis, by: int, outside: str = "zero") -> Node:
    return SHIFT(x, axis=axis, by=by, outside=outside) if by else x


__all__ = ["OVERLAP", "WINDOW", "as_shifts", "doubled", "steps"]
