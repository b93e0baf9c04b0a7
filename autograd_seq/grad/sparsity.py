"""Which entries of a value depend on which entries of a leaf, found from the equations alone.

A dimension of a value is *locked* to a dimension of the leaf if an entry of the value depends only on those entries of the leaf
that have the same place there. Entry i of ``a * h`` depends only on entry i of ``h``; entry i of ``U @ x`` on row i of ``U``.
So a derivative need not be stored with both dimensions. Axes (of a batch) lock likewise: each sequence depends on itself alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.order import get_shift_rows
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.gather import PICK, TAKE
from autograd_seq.ops.linear import CONTRACT, split_spec
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import CONCAT, CUMSUM, PLACE, SLICE
from autograd_seq.ops.reduce import MAX, SUM
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE
from autograd_seq.ops.softmax import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import ALONG, AT, SHIFT, SPREAD
from autograd_seq.ops.window import OVERLAP, WINDOW

Locks = frozenset[tuple[int, int] | tuple[Axis, Axis]]
"""Pairs (dimension of the value, dimension of the leaf), counted from the front; and pairs of an axis with itself."""

_BY_ENTRY = (STATE, SHIFT, SPREAD, AT, ALONG, BROADCAST_TO, rewritten)
_ALONG_AXES = (SHIFT, AT, ALONG, WINDOW, OVERLAP)
_ON_ROWS = (SUM, MAX, LOGSUMEXP, SOFTMAX, LOG_SOFTMAX, CONCAT, CUMSUM)


def find_locks(order: Sequence[Node], leaf: Node) -> dict[Node, Locks]:
    """Return how the dimensions of each node are locked to those of a leaf; nodes that do not depend on it are left out.

    Args:
        order: nodes, each after what it needs at its own step.
        leaf: one of them.

    Example:
        >>> import autograd_seq as ag
        >>> U, x, a = ag.param("U", (3, 2)), ag.param("x", (2,)), ag.param("a", (3,))
        >>> y = a * ag.tanh(U @ x)
        >>> order = ag.Graph(y).nodes
        >>> [sorted(find_locks(order, leaf)[y]) for leaf in (U, x, a)]
        [[(0, 0)], [], [(0, 0)]]

    Notes:
        Linear in the nodes; along loops within a step it is repeated until nothing changes.
    """
    found: dict[Node, Locks] = {leaf: frozenset([*((d, d) for d in range(leaf.ndim)), *((a, a) for a in leaf.axes)])}
    changed = True
    while changed:
        changed = False
        for n in order:
            if n is leaf or n.dtype is not float or n.op is stop_gradient:
                continue
            parts = [frozenset(_move(n, k, x, found[x])) for k, x in enumerate(_list_operands(n)) if x in found]
            if parts and found.get(n) != (locks := frozenset.intersection(*parts)):
                found[n], changed = locks, True
    return found


def list_dimensions(locks: Locks) -> dict[int, int]:
    """Return the locked dimensions of a value, and to which of the leaf each is locked."""
    return dict(sorted(p for p in locks if isinstance(p[0], int)))


def compose(outer: Locks, inner: Locks) -> Locks:
    """Return the locks of a value whose dimensions are locked to those of another, which are locked to those of a leaf."""
    to = dict(inner)
    return frozenset((d, to[k]) for d, k in outer if k in to)  # type: ignore[misc]


def _list_operands(n: Node) -> Sequence[Node]:
    """Return the operands with a derivative; rows are read by shifts."""
    if n.op is STATE or n.op is rewritten:
        return n.inputs[:1]
    return (n.inputs[0], *get_shift_rows(n)) if n.op is SHIFT else n.inputs


def _move(n: Node, k: int, x: Node, locks: Locks) -> Iterator[tuple[int, int] | tuple[Axis, Axis]]:
    """Yield the locks of a node, as far as its operand number ``k`` goes, given those of the operand."""
    mixed = {n.attrs.get("axis"), n.attrs.get("other")} if n.op in _ALONG_AXES else ()
    moved = dict(_list_kept(n, k, x))
    for d, to in locks:
        if isinstance(d, Axis):
            if d in n.axes and d not in mixed:
                yield d, d
        elif d in moved:
            yield moved[d], to  # type: ignore[misc]


def _list_kept(n: Node, k: int, x: Node) -> Iterable[tuple[int, int]]:
    """Yield (dimension of an operand, dimension of the node) for each along which entries stay apart."""
    if n.op is CONTRACT:
        *operands, out = split_spec(n.attrs["spec"])
        return [(d, out.index(label)) for d, label in enumerate(operands[k]) if label in out]
    if n.op is TRANSPOSE:
        return [(a + x.ndim, i) for i, a in enumerate(n.attrs["axes"])]
    if n.op is RESHAPE:
        return [(d, i) for d in range(x.ndim) for i in range(n.ndim)
                if x.shape[d] == n.shape[i] != 1 and math.prod(x.shape[:d]) == math.prod(n.shape[:i])]  # fmt: skip
    if n.op in (SLICE, PLACE):
        return _list_unsliced(n, x)
    if n.op in _ON_ROWS:
        return _list_other_rows(n, x)
    if n.op is PICK and k == 0:
        return [(d, d) for d in range(n.ndim) if n.ndim == x.ndim - 1 and x.shape[d] == n.shape[d]]
    if n.op is TAKE and k == 0:
        return [(d, d + n.ndim - x.ndim) for d in range(1, x.ndim)]
    if n.op.pointwise or n.op.reduces_axes or n.op in _BY_ENTRY:
        more = n.ndim - x.ndim
        return [(d, d + more) for d in range(x.ndim) if x.shape[d] == n.shape[d + more]]
    return ()


def _list_unsliced(n: Node, x: Node) -> Iterator[tuple[int, int]]:
    """Yield the dimensions of which a slice takes all, or a placed value fills all."""
    whole = x.shape if n.op is SLICE else n.shape
    of_whole = of_part = 0
    for part in n.attrs["key"]:
        if part is None:
            of_part += 1
            continue
        if isinstance(part, slice):
            if part.indices(whole[of_whole]) == (0, whole[of_whole], 1):
                yield (of_whole, of_part) if n.op is SLICE else (of_part, of_whole)
            of_part += 1
        of_whole += 1


def _list_other_rows(n: Node, x: Node) -> Iterator[tuple[int, int]]:
    """Yield the dimensions along which an operation on rows does not work."""
    axis = n.attrs["axis"]
    along = {a + x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))}
    gone = along if n.ndim < x.ndim else ()
    place = 0
    for d in range(x.ndim):
        if d in gone:
            continue
        if d not in along:
            yield d, place
        place += 1


__all__ = ["Locks", "compose", "find_locks", "list_dimensions"]
