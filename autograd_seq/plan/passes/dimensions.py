"""Heads as an axis: the results of several independent products are stored one product after the other.

Attention with several heads, written with the heads as a dimension, has a score for each head at each pair of steps (t, u).
With heads as the last dimension, the scores of one head are scattered in memory, and BLAS cannot multiply them as a matrix. So
the heads become an axis of fixed length, which is a leading dimension of arrays, for these products and for all elementwise
operations on their results. Other readers see a dimension again; both directions are views.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.core.facts import ENTRIES, KEPT, TOGETHER
from autograd_seq.core.node import Node, apply
from autograd_seq.core.op import Op
from autograd_seq.core.rules import first
from autograd_seq.graph.order import step_order
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.shape import RESHAPE, reshape


class Dimension(Axis):
    """A dimension of values as an axis.

    Attributes:
        length: how many entries the dimension has.
    """

    __slots__ = ("length",)

    def __init__(self, name: str, length: int) -> None:
        super().__init__(name)
        self.length = length


def get_fixed_lengths(axes: Iterable[Axis]) -> dict[Axis, int]:
    """Return the lengths of those axes that were dimensions, and of iterations: those that no call gives."""
    fixed = {a: a.length if isinstance(a, Dimension) else a.size for a in axes if isinstance(a, (Dimension, Iteration))}
    return {a: n for a, n in fixed.items() if n is not None}


def _insert_dimension(shape: tuple[int, ...], *, axis: Dimension, at: int) -> tuple[int, ...]:
    return (*shape[:at], axis.length, *shape[at:])


def _drop_dimension(shape: tuple[int, ...], *, axis: Dimension, at: int) -> tuple[int, ...]:
    return (*shape[:at], *shape[at + 1 :])


AS_AXIS = Op("as_axis", _drop_dimension, None, None, first, lambda x, *, axis, at: (axis, *x), False, "as_axis",
             "The value with a dimension of it as an axis.", view=ENTRIES, linear=TOGETHER, range=KEPT)  # fmt: skip
AS_DIMENSION = Op("as_dimension", _insert_dimension, None, None, first,
                  lambda x, *, axis, at: tuple(a for a in x if a is not axis), False, "as_dimension",
                  "The value with an axis of fixed length as a dimension of it.",
                  view=ENTRIES, linear=TOGETHER, range=KEPT)  # fmt: skip


def move_heads(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph in which dimensions shared by the factors of products of steps with steps (heads) are axes."""
    order = step_order(outputs)
    if not any(n.op is CONTRACT and _is_scores(n) for n in order):
        return list(outputs)
    taken = {a.name for n in order for a in n.axes}
    known: dict[tuple[int, int], Dimension] = {}

    def axis(length: int, number: int) -> Dimension:
        if (length, number) not in known:
            name = f"each_of_{length}" + "_" * number
            while name in taken:
                name += "_"
            taken.add(name)
            known[length, number] = Dimension(name, length)
        return known[length, number]

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        made: Node | None = None
        if node.op is CONTRACT and _is_scores(node):
            made = _make_scores(node, inputs, axis)
        elif any(x.op is AS_DIMENSION for x in inputs):
            made = _compute_within(node, inputs)
        return None if made is None else copy_name(node, made)

    return rebuild(outputs, rule)


def _is_scores(node: Node) -> bool:
    """Tell whether a product sums over some dimensions, and all that are left are batch dimensions (heads)."""
    a, b, out = (set(part) for term in node.attrs["spec"].split("->") for part in term.split(","))
    p, q = (set(x.axes) for x in node.inputs)
    return bool(out) and out <= a & b and bool(a & b - out) and bool(p - q) and bool(q - p)


def _make_scores(node: Node, inputs: tuple[Node, ...], axis: object) -> Node | None:
    operands, out = node.attrs["spec"].split("->")
    labels, xs = operands.split(","), list(inputs)
    axes: list[Dimension] = []
    for label in out:
        length = node.shape[out.index(label)]
        if length == 1:
            return None
        axes.append(axis(length, sum(a.length == length for a in axes)))  # type: ignore[operator]
        for k, own in enumerate(labels):
            xs[k] = show_as_axis(xs[k], axes[-1], own.index(label))
            labels[k] = own.replace(label, "")
    made = apply(node.op, *xs, spec=f"{','.join(labels)}->")
    for at, a in enumerate(axes):
        made = apply(AS_DIMENSION, made, axis=a, at=at)
    return made


def show_as_axis(x: Node, axis: Dimension, at: int) -> Node:
    """Return a value with one of its dimensions as an axis."""
    if x.op is AS_DIMENSION:
        own, place = x.attrs["axis"], x.attrs["at"]
        if place == at:
            return x.inputs[0] if own is axis else apply(AS_AXIS, x, axis=axis, at=at)
        inner = show_as_axis(x.inputs[0], axis, at - (place < at))
        return apply(AS_DIMENSION, inner, axis=own, at=place - (at < place))
    return apply(AS_AXIS, x, axis=axis, at=at)


def _compute_within(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Move an elementwise operation on dimensions that stand for axes to the axes; the result shows them as dimensions."""
    if node.op is RESHAPE and (found := _keep_axis(inputs[0], node.shape)) is not None:
        return found
    if not (node.op.pointwise or node.op.reduces_axes):
        return None
    x = next(x for x in inputs if x.op is AS_DIMENSION)
    axis, right = x.attrs["axis"], x.ndim - x.attrs["at"]
    xs = []
    for y in inputs:
        if axis in y.axes:
            return None
        if y.ndim < right:
            xs.append(y)
        elif y.shape[-right] == 1:
            xs.append(reshape(y, (*y.shape[: y.ndim - right], *y.shape[y.ndim - right + 1 :])))
        else:
            xs.append(show_as_axis(y, axis, y.ndim - right))
    made = _compute_within(node, tuple(xs)) if any(y.op is AS_DIMENSION for y in xs) else None
    made = apply(node.op, *xs, **node.attrs) if made is None else made
    return apply(AS_DIMENSION, made, axis=axis, at=max(y.ndim for y in inputs) - right)


def _keep_axis(x: Node, shape: tuple[int, ...]) -> Node | None:
    """Return a value reshaped by dimensions of length 1, with its heads still as an axis."""
    axis, at = x.attrs["axis"], x.attrs["at"]
    if [n for n in x.shape if n != 1] != [n for n in shape if n != 1]:
        return None
    nth = sum(n != 1 for n in x.shape[:at])
    place = [k for k, n in enumerate(shape) if n != 1][nth]
    inner, rest = x.inputs[0], (*shape[:place], *shape[place + 1 :])
    made = _keep_axis(inner, rest) if inner.op is AS_DIMENSION else None
    return apply(AS_DIMENSION, reshape(inner, rest) if made is None else made, axis=axis, at=place)
