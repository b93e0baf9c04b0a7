"""Sums of products that are larger than their factors, as contractions: the products are never formed.

The context of attention, Σ_u w[t, u]·v[u], is written as a scalar times a vector, summed over u: computed as written, it needs
an array over t, u and the dimensions of v. As a contraction it is one matrix product of w and v. The same holds for its
gradients, and for every sum of products whose factors differ in their axes or dimensions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from itertools import combinations
from string import ascii_letters
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node, apply
from autograd_seq.core.rules import broadcast
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.elementwise import add, equal, mul, sub, where
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.reduce import SUM, sum_over
from autograd_seq.ops.shape import RESHAPE, reshape
from autograd_seq.plan.passes.simplify import get_number


class Factor(NamedTuple):
    """One factor of a product, and the letters of those of its dimensions that have more than one entry."""

    node: Node
    labels: str
    lengths: tuple[int, ...]


_MOST_FACTORS = 12
"""Factors of a product that are tried in pairs: a derivative through many layers has one for each layer."""


def contract_sums(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with sums of products as contractions, where the product has more entries than its factors."""

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op not in (sum_over, SUM) or len(inputs) > 1:
            return None
        (x,), later = inputs, ()
        if node.op is SUM and x.op is sum_over and len(x.inputs) == 1:  # that has not become a contraction itself
            (x,), later = x.inputs, x.attrs["axes"]
        made = _contract_chosen(x, node.attrs)
        made = sum_over(made, axes=later) if made is not None and later else made
        return None if made is None else copy_name(node, made if made.shape == node.shape else reshape(made, node.shape))

    return rebuild(outputs, rule)


def _contract_chosen(x: Node, attrs: Mapping[str, Any]) -> Node | None:
    """Return the sum of a masked product (``where(mask, product, 0)``) as a contraction, if that pays.

    The factors may be anything at the other points, NaN too. So one of them is set to 0 there, and the other wherever it is not
    finite; if such an entry counts after all, the result is set to NaN.
    """
    masks: list[Node] = []
    while x.op is where and get_number(x.inputs[2]) == 0:
        masks.append(x.inputs[0])
        x = x.inputs[1]
    if x.op is not mul or not masks:
        return _contract_product(x, attrs) if x.op is mul else None
    if "axes" not in attrs:
        made = _contract_product(x, attrs) if all(not c.shape for c in masks) else None
        return None if made is None else reduce(lambda y, c: where(c, y, 0.0), reversed(masks), made)
    for s, k in (x.inputs, x.inputs[::-1]):
        fits = all(set(c.axes) <= set(s.axes) and not c.shape for c in masks)
        if fits and s.dtype is k.dtype is float and (made := _contract_masked(s, k, masks, attrs)) is not None:
            return made
    return None


def _contract_masked(s: Node, k: Node, masks: Sequence[Node], attrs: Mapping[str, Any]) -> Node | None:
    """Return the sum of s·k at the points of all masks, as a contraction, if that pays."""
    finite = equal(sub(k, k), 0.0)
    for c in masks:
        s = s if _is_zero_outside(s, c) else where(c, s, 0.0)
    if (made := _contract_product(mul(s, where(finite, k, 0.0)), attrs)) is None:
        return None
    lacking = tuple(d - k.ndim for d, n in enumerate(k.shape) if n != 1 and s.shape[d - k.ndim :][:1] in ((), (1,)))
    odd = where(finite, 0.0, 1.0)
    odd = SUM(odd, axis=lacking, keepdims=True) if lacking else odd
    counts = reduce(mul, [where(c, 1.0, 0.0) for c in masks])
    product = mul(counts, odd)
    total = _contract_product(product, attrs)
    met = sum_over(product, axes=attrs["axes"]) if total is None else total
    shape = broadcast(s.shape, k.shape)
    made = made if made.shape == shape else reshape(made, shape)
    return add(made, where(equal(reshape(met, odd.shape), 0.0), 0.0, np.nan))


def _is_zero_outside(s: Node, mask: Node) -> bool:
    """Tell whether a value is 0 wherever a mask does not hold."""
    while s.op is RESHAPE or (s.op is mul and np.isfinite(np.nan if (n := get_number(s.inputs[1])) is None else n)):
        s = s.inputs[0]
    return s.op is where and s.inputs[0] is mask and get_number(s.inputs[2]) == 0


def _contract_product(x: Node, attrs: Mapping[str, Any]) -> Node | None:
    """Return the sum of a product, over axes or dimensions, as a contraction, if that pays."""
    factors = _list_factors(x, x)
    if not all(y.dtype is float for y in factors):
        return None
    for i, j in combinations(range(len(factors)), 2) if len(factors) > 2 else ():
        others = [y for k, y in enumerate(factors) if k not in (i, j)]
        if (made := _contract_two_first(x, factors[i], factors[j], others, attrs)) is not None:
            return made
    a, b = (_make_factor(x, y) for y in _group_factors(factors))
    return _contract_axes(x, a, b, attrs["axes"]) if "axes" in attrs else _contract_dimensions(x, a, b, attrs["axis"])


def _list_factors(x: Node, whole: Node) -> list[Node]:
    """Return the factors of a product, expanding products as large as ``whole``; its operands if there are too many."""
    found, stack = list[Node](), [x]
    while stack:
        y = stack.pop()
        if y.op is not mul or set(y.axes) < set(whole.axes) or broadcast(y.shape, whole.shape) != y.shape:
            found.append(y)
        else:
            stack += y.inputs[::-1]
        if len(found) + len(stack) > _MOST_FACTORS:
            return list(x.inputs)
    return found


def _contract_two_first(x: Node, p: Node, q: Node, others: Sequence[Node], attrs: Mapping[str, Any]) -> Node | None:
    """Return the sum of a product, summed first over the axes or dimensions that only two factors have, if that pays."""
    a, b, rest = _make_factor(x, p), _make_factor(x, q), [_make_factor(x, y) for y in others]
    gone: set[str] = set()
    if "axes" in attrs:
        axes = tuple(r for r in attrs["axes"] if not any(r in y.node.axes for y in rest))
        made = _contract_axes(x, a, b, axes) if axes else None
    else:
        axis = tuple(d for d in attrs["axis"] if not any(ascii_letters[x.ndim + d] in y.labels for y in rest))
        gone = {ascii_letters[x.ndim + d] for d in axis}
        made = _contract_dimensions(x, a, b, axis)
    if made is None:
        return None
    kept = {*a.labels, *b.labels} - gone
    part = reshape(made, tuple(n if ascii_letters[d] in kept else 1 for d, n in enumerate(x.shape)))
    product = reduce(mul, [part, *others])
    if "axes" in attrs and not (left := tuple(r for r in attrs["axes"] if r not in axes)):
        return product
    attrs = {**attrs, "axes": left} if "axes" in attrs else attrs
    made = _contract_product(product, attrs)
    return apply(sum_over if "axes" in attrs else SUM, product, **attrs) if made is None else made


def _group_factors(factors: list[Node]) -> list[Node]:
    """Return many factors as two products: the largest with all factors that vary over no more than it, and the others."""
    first = max(range(len(factors)), key=lambda k: (sum(n != 1 for n in factors[k].shape), len(factors[k].axes)))
    large = factors[first]
    inside = [set(y.axes) <= set(large.axes) and broadcast(y.shape, large.shape) == large.shape for y in factors]
    if all(inside):
        inside = [k == first for k in range(len(factors))]
    groups = [[y for y, there in zip(factors, inside, strict=True) if there is which] for which in (inside[0], not inside[0])]
    return [reduce(mul, group) for group in groups]


def _contract_axes(x: Node, a: Factor, b: Factor, axes: tuple[Axis, ...]) -> Node | None:
    """Return the sum of a product over axes as a contraction, if it pays."""
    if not all(r in y.node.axes for y in (a, b) for r in axes) or not _pays(x, a, b, axes):
        return None
    return sum_over(_make_contraction(a, b, "".join(sorted({*a.labels, *b.labels}))), axes=axes)


def _contract_dimensions(x: Node, a: Factor, b: Factor, axis: tuple[int, ...]) -> Node | None:
    """Return the sum of a product over dimensions as a contraction, if it pays."""
    summed = {ascii_letters[x.ndim + d] for d in axis if x.shape[d] != 1}
    if not summed or not summed <= set(a.labels) & set(b.labels) or not _pays(x, a, b, (), summed):
        return None
    return _make_contraction(a, b, "".join(sorted({*a.labels, *b.labels} - summed)))


def _make_factor(x: Node, y: Node) -> Factor:
    own = [(ascii_letters[x.ndim - y.ndim + d], n) for d, n in enumerate(y.shape) if n != 1]
    return Factor(y, "".join(label for label, _ in own), tuple(n for _, n in own))


def _pays(x: Node, a: Factor, b: Factor, axes: tuple[Axis, ...], summed: Collection[str] = ()) -> bool:
    """Tell whether the contraction is a matrix product: each factor lacks an axis of the other, or one is shared by points."""
    missing = [set(x.axes) - set(y.node.axes) or {*a.labels, *b.labels} - set(y.labels) for y in (a, b)]
    shared = [r for r in a.node.axes if r in b.node.axes and r not in axes] or set(a.labels) & set(b.labels) - set(summed)
    return all(missing) or (any(missing) and not shared)


def _make_contraction(a: Factor, b: Factor, out: str) -> Node:
    x, y = (f.node if f.node.shape == f.lengths else reshape(f.node, f.lengths) for f in (a, b))
    return apply(CONTRACT, x, y, spec=f"{a.labels},{b.labels}->{out}")
