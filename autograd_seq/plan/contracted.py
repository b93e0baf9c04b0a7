"""Sums of products that are larger than their factors, as contractions: the products are never formed.

The context of attention, Σ_u w[t, u]·v[u], is written as a number times a vector, summed over u: as it stands, an array over
t, u and the dimensions of v. As a contraction it is one matrix product of w and v. The same holds for the gradients of it, and
for whatever else multiplies what varies over different axes, or has different dimensions, before it is summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import NamedTuple

from autograd_seq.axes import Axis
from autograd_seq.graph.order import step_order
from autograd_seq.graph.rebuild import named_as, rebuild
from autograd_seq.node import Node, apply
from autograd_seq.op import OPS
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import reshape

_MUL, _SUM, _CONTRACT = (OPS[n] for n in ("mul", "sum", "contract"))


class Factor(NamedTuple):
    """One factor of a product, and the letters of those of its dimensions that have more than one entry."""

    node: Node
    labels: str
    lengths: tuple[int, ...]


def contracted(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with sums of products as contractions, where the product has more entries than its factors."""
    readers: dict[Node, int] = dict.fromkeys(outputs, 1)
    for n in step_order(outputs):
        for x in n.inputs:
            readers[x] = readers.get(x, 0) + 1

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op not in (sum_over, _SUM) or len(inputs) > 1:
            return None
        (old,), (x,) = node.inputs, inputs
        if old.op is not _MUL or x.op is not _MUL or readers[old] > 1 or not all(y.dtype is float for y in x.inputs):
            return None
        made = _over_axes(x, node.attrs["axes"]) if node.op is sum_over else _over_dimensions(x, node.attrs["axis"])
        return None if made is None else named_as(node, made if made.shape == node.shape else reshape(made, node.shape))

    return rebuild(outputs, rule)


def _over_axes(x: Node, axes: tuple[Axis, ...]) -> Node | None:
    """Return the sum of a product over axes as a contraction, if it pays."""
    a, b = _factors(x)
    if set(a.labels) & set(b.labels) or not all(r in y.node.axes for y in (a, b) for r in axes) or not _pays(x, a, b, axes):
        return None
    return sum_over(_product(a, b, "".join(sorted(a.labels + b.labels))), axes=axes)


def _over_dimensions(x: Node, axis: tuple[int, ...]) -> Node | None:
    """Return the sum of a product over dimensions as a contraction, if it pays."""
    a, b = _factors(x)
    summed = {ascii_letters[x.ndim + d] for d in axis if x.shape[d] != 1}
    if not summed or set(a.labels) & set(b.labels) != summed or not _pays(x, a, b, ()):
        return None
    return _product(a, b, "".join(sorted({*a.labels, *b.labels} - summed)))


def _factors(x: Node) -> tuple[Factor, Factor]:
    """Return the factors of a product; the letters say which dimensions of it theirs are."""
    a, b = x.inputs
    return _factor(x, a), _factor(x, b)


def _factor(x: Node, y: Node) -> Factor:
    own = [(ascii_letters[x.ndim - y.ndim + d], n) for d, n in enumerate(y.shape) if n != 1]
    return Factor(y, "".join(label for label, _ in own), tuple(n for _, n in own))


def _pays(x: Node, a: Factor, b: Factor, axes: tuple[Axis, ...]) -> bool:
    """Tell whether a matrix product is there: each factor lacks what the other has, or one is the same at many points."""
    missing = [set(x.axes) - set(y.node.axes) or {*a.labels, *b.labels} - set(y.labels) for y in (a, b)]
    shared = [r for r in a.node.axes if r in b.node.axes and r not in axes]
    return all(missing) or (any(missing) and not shared)


def _product(a: Factor, b: Factor, out: str) -> Node:
    x, y = (f.node if f.node.shape == f.lengths else reshape(f.node, f.lengths) for f in (a, b))
    return apply(_CONTRACT, x, y, spec=f"{a.labels},{b.labels}->{out}")
