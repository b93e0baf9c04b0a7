"""Calls of vjp rules: results are checked for users' operations, and stable forms are differentiated as the user wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import GradientError
from autograd_seq.core.node import Node, constant
from autograd_seq.core.rules import broadcast as broadcast_shapes
from autograd_seq.ops.activations import sigmoid
from autograd_seq.ops.elementwise import AS_WRITTEN, exp
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.reduce import sum as sum_
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import broadcast_to, reshape
from autograd_seq.ops.softmax import SOFTMAX


def pull_back(node: Node, g: Node) -> Sequence[Any]:
    """Return the cotangents of the operands of a node."""
    parts: Sequence[Any] = node.op.vjp(g, node, *node.inputs, **node.attrs)
    if node.op.own:
        check_cotangents(node, parts)
    return parts


def check_cotangents(node: Node, parts: Any) -> None:
    """Refuse the result of a user's rule unless it is one cotangent for each operand, each of a shape that fits."""
    n = len(node.inputs)
    if not isinstance(parts, (tuple, list)) or len(parts) != n:
        one = f"{n} cotangent{'s' if n > 1 else ''}, one for each operand"
        raise GradientError(
            "E121", f"the vjp of {node.op.name} does not return one cotangent for each operand", node=node.op.name,
            where=node.where, expected=f"a tuple of {one}",
            got=f"{len(parts)} of them" if isinstance(parts, (tuple, list)) else f"no tuple but {repr(parts)[:60]}",
            fix="the comma makes a tuple of one: (g * 3,); None stands for an operand without gradient",
        )  # fmt: skip
    for k, (x, part) in enumerate(zip(node.inputs, parts, strict=True)):
        shape = getattr(part, "shape", ())
        try:
            spread_out = broadcast_shapes(shape, x.shape)
            fits = spread_out == x.shape or broadcast_shapes(shape, node.shape) == node.shape
        except ValueError:
            fits = False
        if not fits:
            raise GradientError(
                "E122", f"the vjp of {node.op.name} returns a cotangent of another shape than operand {k + 1}",
                node=node.op.name, where=node.where, expected=str(x.shape), got=str(shape),
            )  # fmt: skip


def fit_cotangent(g: Any, like: Node, keep: Sequence[Axis] = ()) -> Node:
    """Return a contribution summed over the axes, but those of ``keep``, and dimensions that its target ``like`` lacks."""
    g = constant(g)
    if extra := tuple(a for a in g.axes if a not in like.axes and a not in keep):
        g = sum_over(g, axes=extra)
    if g.shape == like.shape:
        return g
    shape = (1,) * (g.ndim - like.ndim) + like.shape
    spread_dims = [i for i, (n, m) in enumerate(zip(g.shape, shape[-g.ndim :] if g.ndim else (), strict=True)) if m == 1 != n]
    if spread_dims:
        g = sum_(g, spread_dims, keepdims=True)
    if g.ndim > like.ndim:
        g = reshape(g, like.shape)
    return g if g.shape == like.shape else broadcast_to(g, like.shape)


def list_passed_by(g: Any, node: Node, at_each_point: Any, fit: Any, value: Any) -> Iterator[tuple[Node, Any]]:
    """Return the cotangents of nodes that a rewritten node bypasses, as if it were computed as the user wrote it.

    They end at the operation whose operand the stable form reads (a softmax, a sigmoid or an exponential): nodes below it get
    their gradients through the stable form.

    Args:
        g: the cotangent of the node.
        node: a rewritten node.
        at_each_point: prepares a cotangent of a node for its rule.
        fit: fits a cotangent to its target.
        value: returns the argument of a rule for a node: the node, or its array in eager mode.
    """
    shown = node.inputs[1:]
    written = AS_WRITTEN.get(node.attrs["form"])
    pending = [*zip(shown, written(node, g, *map(value, shown)), strict=False)] if written else []
    while pending:
        x, part = pending.pop()
        if part is None or not x.inputs or x.dtype is not float:
            continue
        yield x, (part := fit(part, x))
        if x.op not in (SOFTMAX, sigmoid, exp, rewritten):
            inner = x.op.vjp(at_each_point(part, x), value(x), *map(value, x.inputs), **x.attrs)
            pending += zip(x.inputs, inner, strict=True)


__all__ = ["check_cotangents", "fit_cotangent", "list_passed_by", "pull_back"]
