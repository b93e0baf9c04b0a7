"""A window, the last steps of a value as its first dimension, as one operation; and its transpose, overlap-add.

Neither has a ``forward``: the unroller resolves them into edges, as it does with shifts. Programs build them from shifts: from
log₂ size of them (:func:`build_from_halves`), or, where each step must be read separately (pieces, lengths, one step at a
time), from one for each step of the window (:func:`build_from_shifts`).
"""

from __future__ import annotations

from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.facts import FINITE, KEPT, TOGETHER
from autograd_seq.core.node import Node
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import first
from autograd_seq.ops.parts import concat, stack
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import broadcast_to
from autograd_seq.ops.time import SHIFT, spread

_FEW = 4
"""Windows of at most this many steps are built from single shifts, longer ones from halves."""


def _transpose(op: Op, g: Any, y: Any, attrs: dict[str, Any]) -> tuple[Node]:
    return (op(spread(broadcast_to(g, y.shape), attrs["axis"]), **attrs, derived=True),)


WINDOW: Op = defop(
    "window", shape=lambda x, *, axis, size, every, derived=False: (size, *x), dtype=first, forward=None,
    vjp=lambda g, y, x, *, axis, size, every, derived=False: _transpose(
        OVERLAP, g, y, {"axis": axis, "size": size, "every": every}),
    linear=TOGETHER, range=KEPT,
    doc="The steps t − every·(size − 1), …, t − every, t of a value, zero before the first. ``derived=True`` marks a part of a "
    "derivative: see :mod:`autograd_seq.sequences.pieces`.",
)  # fmt: skip
OVERLAP: Op = defop(
    "overlap", shape=lambda w, *, axis, size, every, derived=False: w[1:], dtype=first, forward=None,
    vjp=lambda g, y, w, *, axis, size, every, derived=False: _transpose(
        WINDOW, g, y, {"axis": axis, "size": size, "every": every}),
    linear=TOGETHER, range=FINITE,
    doc="The sum of all entries that belong to a step in its own window and those of later steps: the transpose of ``window``.",
)  # fmt: skip


def list_distances(node: Node) -> list[int]:
    """Return the distance in steps of each entry: a window reads that many steps earlier, an overlap later."""
    size, every = node.attrs["size"], node.attrs["every"]
    return [every * (size - 1 - k) for k in range(size)]


def build_from_shifts(node: Node, x: Node) -> Node:
    """Return a window or an overlap of ``x`` built from one shift for each step."""
    axis, delays = node.attrs["axis"], list_distances(node)
    if node.op is WINDOW:
        outside = "zero" if node.attrs.get("derived") else "bounds"  # equal here: ag.window builds values with rows from shifts
        return stack([_read_step(x, axis, by, outside) for by in delays], axis=0)
    return sum_over(*[_read_step(x[k], axis, -by) for k, by in enumerate(delays)], axes=())


def build_from_halves(node: Node, x: Node) -> Node:
    """Return a window or an overlap of ``x`` built from halves: a window is a shorter one, preceded by a part of the same
    window some steps earlier."""
    axis, size, every = node.attrs["axis"], node.attrs["size"], node.attrs["every"]
    half = size // 2
    if size <= _FEW:
        return build_from_shifts(node, x)
    if node.op is WINDOW:
        late = build_from_halves(Node(WINDOW, (x,), {**node.attrs, "size": size - half}, (), x.dtype, ()), x)
        return concat([_read_step(late[:half] if size % 2 else late, axis, half * every), late], axis=0)
    early, late = _read_step(x[:half], axis, -half * every), x[half:]
    whole = concat([late[:half] + early, late[half:]], axis=0) if size % 2 else late + early
    return build_from_halves(Node(OVERLAP, (whole,), {**node.attrs, "size": size - half}, (), x.dtype, ()), whole)


def _read_step(x: Node, axis: Axis, by: int, outside: str = "zero") -> Node:
    return SHIFT(x, axis=axis, by=by, outside=outside) if by else x


__all__ = ["OVERLAP", "WINDOW", "build_from_halves", "build_from_shifts", "list_distances"]
