"""Keeps cotangents at 0 in the branch of a ``where`` that is not taken, even if values there are NaN or infinite.

That branch gets a cotangent of exactly 0, but 0 times NaN or infinity is NaN. So the backward walk notes for each node under
which condition its cotangent is *live* (may differ from 0): that of the ``where`` that reads it, or any of several. A node that
is also read otherwise has no condition, and nothing is done for it. For nodes with a condition, the factors in the vjp are
selected by it. The result is the gradient of the same model with selected operands, hence exact to every order.

Operands of a contraction that vary over fewer axes than the condition (parameters; the keys and values of attention) are not
selected: that would make an array over all axes of the condition, and the contraction would not be a matrix product any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.core.rules import broadcast
from autograd_seq.grad.rules import fit_cotangent, pull_back
from autograd_seq.ops.elementwise import cast, less, logical_and, logical_not, logical_or, mul, where
from autograd_seq.ops.leaf import PARAM
from autograd_seq.ops.linear import contract
from autograd_seq.ops.reduce import sum as sum_
from autograd_seq.ops.shape import broadcast_to, reshape, transpose
from autograd_seq.ops.steps import RECEIVE, SEND, TAKE_STEP
from autograd_seq.ops.window import OVERLAP, WINDOW


class Live:
    """The conditions under which cotangents are live, filled in during the backward walk.

    Args:
        always: nodes whose cotangents come from other steps too, and which have no condition for that reason.
    """

    def __init__(self, always: Any = ()) -> None:
        self.always = always
        self.conditions: dict[Node, Node | None] = {}
        self._made: dict[Any, Node] = {}

    def pull(self, node: Node, g: Node) -> Sequence[Any]:
        """Return the cotangents of what a node reads, and note where they are live."""
        live = None if node in self.always else self.conditions.get(node)
        parts = pull_back(node, g) if live is None else select_cotangents(node, g, live)
        for k, (x, part) in enumerate(zip(node.inputs, parts, strict=True)):
            if part is not None:
                self.meet(x, self._find_operand_condition(node, k, live))
        return parts

    def meet(self, x: Node, live: Node | None) -> None:
        """Note that a cotangent of ``x`` is live under a condition, or always."""
        before = self.conditions.setdefault(x, live)
        if before is not live:
            both = None if before is None or live is None else self._make_once(logical_or, before, live)
            self.conditions[x] = both

    def _make_once(self, op: Any, *conditions: Node) -> Node:
        key = op, conditions
        if key not in self._made:
            self._made[key] = op(*conditions)
        return self._made[key]

    def _find_operand_condition(self, node: Node, k: int, live: Node | None) -> Node | None:
        x = node.inputs[k]
        if node.op is where:
            chosen = node.inputs[0]
            other = self._make_once(logical_not, chosen)
            taken = other if k == 2 else chosen if chosen.dtype is bool else self._make_once(logical_not, other)
            live = taken if live is None or live is taken else self._make_once(logical_and, live, taken)
        if live is None or any(a not in x.axes for a in live.axes) or node.op in (TAKE_STEP, SEND, RECEIVE):
            return None  # what is read, or sent, at a step that a value names
        if node.op in (WINDOW, OVERLAP) and node.attrs["axis"] in live.axes:
            return self._move(node, k, live)
        if not live.shape or (_is_by_entry(node) and _fits(live, x)):
            return live
        return self._move(node, k, live) if node.op.moves else _reduce_any(live)

    def _move(self, node: Node, k: int, live: Node) -> Node:
        """Return the condition for the operand of an operation that moves or adds entries: whether any reader of it is live."""
        counted = node.op.vjp(cast(broadcast_to(live, node.shape), float), node, *node.inputs, **node.attrs)[k]
        return less(0.0, fit_cotangent(counted, node.inputs[k]))


def _is_by_entry(node: Node) -> bool:
    return bool(node.op.pointwise) or node.op.reduces_axes


def _fits(live: Node, x: Node) -> bool:
    return len(live.shape) <= x.ndim and broadcast(live.shape, x.shape) == x.shape


def select_cotangents(node: Node, g: Node, live: Node) -> Sequence[Any]:
    """Return the cotangents of what a node reads, 0 where its own is not live.

    Args:
        node: the node whose vjp is computed.
        g: its cotangent, 0 where it is not live.
        live: a condition whose axes the node has too, and whose shape broadcasts to that of the node.
    """
    if node.op is contract:
        rest = [_select_operand(node, k, live) for k in (0, 1)]
        return node.op.vjp(g, node, *rest, **node.attrs)
    parts = pull_back(node, g)
    if node.op.keeps_zeros:
        return parts
    live = _spread_over_rows(node, live)
    others = node.inputs[::-1] if node.op is mul else [None] * len(parts)  # a number or a mask leaves 0 as it is
    return [p if p is None or (x is not None and _is_finite(x)) else where(live, p, 0.0)
            for x, p in zip(others, parts, strict=True)]  # fmt: skip


def _is_finite(x: Node) -> bool:
    return x.dtype is not float or (x.op is CONSTANT and bool(np.all(np.isfinite(x._value))))


def _reduce_any(live: Node, axis: Any = None, keepdims: bool = False) -> Node:
    """Return whether any entry along some dimensions is live; false if there are no entries."""
    return less(0, sum_(cast(live, int), axis, keepdims=keepdims))


def _spread_over_rows(node: Node, live: Node) -> Node:
    """Return the condition for the operands: for an operation on rows, whether any entry of the row is live."""
    if not live.shape or _is_by_entry(node):
        return live
    axis = node.attrs.get("axis")
    if not isinstance(axis, tuple):
        return _reduce_any(live)
    live = broadcast_to(live, node.shape)
    x = node.inputs[0].shape
    if node.shape == x:
        return _reduce_any(live, axis, keepdims=True)
    return reshape(live, tuple(1 if a in axis else n for a, n in zip(range(-len(x), 0), x, strict=True)))


def _select_operand(node: Node, k: int, live: Node) -> Node:
    """Return an operand of a contraction with zeros in the rows that are not multiplied by a live cotangent."""
    x = node.inputs[k]
    if x.op is PARAM or _is_finite(x) or any(a not in x.axes for a in live.axes):
        return x
    if live.shape:
        operands, out = node.attrs["spec"].split("->")
        own = operands.split(",")[k]
        live = reshape(live, (1,) * (len(out) - live.ndim) + live.shape)
        gone = [i for i, label in enumerate(out) if label not in own]
        live = _reduce_any(live, gone) if gone else live
        left = [label for label in out if label in own]
        live = transpose(live, [left.index(label) for label in own if label in left])
        lengths = iter(live.shape)
        live = reshape(live, tuple(next(lengths) if label in left else 1 for label in own))
    return where(live, x, 0.0)


__all__ = ["Live", "select_cotangents"]
