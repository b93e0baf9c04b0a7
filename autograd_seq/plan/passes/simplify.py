"""Simplifications: wrappers removed, identities of arithmetic applied, equal expressions computed once.

All rules hold in exact arithmetic, and in floats up to rounding; none turns a number into NaN. Dead code needs no rule: a graph
consists of the nodes that its outputs depend on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.node import CONSTANT, STRONG, Node, apply, constant
from autograd_seq.core.op import Op
from autograd_seq.graph.rebuild import copy_name, rebuild, remake
from autograd_seq.ops.elementwise import add, div, mul, neg, sub, zero_safe_mul
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.gather import ONE_HOT
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import PLACE, SLICE
from autograd_seq.ops.reduce import SUM, sum_over
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, broadcast_to, reshape
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import ALONG, SHIFT, SPREAD, size, spread

_UNIQUE = (INPUT, PARAM, TENSOR, STATE, SHIFT)

# -- what stands for what -------------------------------------------------------------------------------------------


def remove_wrappers(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph without wrappers: stable forms in place of ``rewritten`` nodes, and the equation of a state in place
    of the state for readers at the same step. A state that ends a loop says so itself, and stays."""

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op in (rewritten, stop_gradient):
            return copy_name(node, inputs[0])
        return None

    def read(old: Node, state: Node, equation: Node) -> Node:
        return state if "ends" in state.attrs else spread(equation, state.axes)

    return rebuild(outputs, rule, read)


# -- equal expressions once -----------------------------------------------------------------------------------------


def merge_equal(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with equal expressions computed once."""
    out, merged = list(outputs), True
    while merged:  # equal shifts are seen when what they read has become one node
        image: dict[Node, Node] = {}
        out = rebuild(out, _Once(), image=image)
        merged = len({*image.values()}) < len(image)
    return out


class _Once:
    """A rule that replaces equal expressions by the first of them."""

    def __init__(self) -> None:
        self.seen: dict[Any, Node] = {}

    def __call__(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        made = remake(node, inputs)
        key = _get_merge_key(made)
        return made if key is None else copy_name(made, self.seen.setdefault(key, made))


def _get_merge_key(node: Node) -> Any:
    if node.op in _UNIQUE:
        return None
    if node.op is CONSTANT:
        value = np.asarray(node._value)
        return ("constant", value.shape, value.dtype, value.tobytes(), node.weak) if value.size <= 64 else None
    return node.op, tuple(map(id, node.inputs)), freeze(node.attrs)


def freeze(value: Any) -> Any:
    """Return a hashable form of an attribute, equal for equal values of the same type only: 2 and 2.0 differ."""
    if isinstance(value, dict):
        return tuple((k, freeze(v)) for k, v in value.items())
    if isinstance(value, (tuple, list)):
        return tuple(map(freeze, value))
    if isinstance(value, slice):
        return value.start, value.stop, value.step
    if isinstance(value, float):
        return float, repr(value)  # 0.0 and −0.0 differ, NaN and NaN do not
    try:
        hash(value)
    except TypeError:
        return object, id(value)
    return type(value), value


# -- identities -------------------------------------------------------------------------------------------------------


def apply_identities(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with identities of arithmetic applied: x·1, x + 0, signs, repetitions that broadcasting implies."""

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        inputs = _fit_axes(node, inputs)
        if node.op.broadcasts and node.op is not sum_over:
            inputs = _drop_repetitions(node, inputs)
        found = _RULES.get(node.op)
        made = found(node, *inputs) if found else None
        if made is not None and made.shape == node.shape and made.dtype is node.dtype:
            return copy_name(node, made)
        return remake(node, inputs)

    return rebuild(outputs, rule)


def tidy(outputs: Sequence[Node]) -> list[Node]:
    """Clean up after other passes: apply identities, and merge expressions that have become equal."""
    return merge_equal(apply_identities(outputs))


def get_number(node: Node) -> float | int | None:
    """Return the number that all entries of a constant equal; ``None`` if they differ, or if it fixes a float width."""
    value = node._value
    if value is None or (node.weak == STRONG and node.op is TENSOR) or node.dtype is bool or not np.size(value):
        return None
    first = np.asarray(value).flat[0]
    if not (value.ndim == 0 or bool((value == first).all())) or first.dtype.kind == "c":
        return None
    return float(first) if node.dtype is float else int(first)


def _fit_axes(node: Node, inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Drop spreads that broadcasting does anyway; keep them if the operation has axes as attributes."""
    if node.op.axes is None:
        return tuple([x.inputs[0] if x.op is SPREAD else x for x in inputs])
    if node.op in (SPREAD, sum_over, ALONG):
        return inputs
    return tuple([spread(x, old.axes) for x, old in zip(inputs, node.inputs, strict=True)])


def _drop_repetitions(node: Node, inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Drop repetitions along dimensions, and make constants of equal entries numbers, where the shape stays."""
    lean = list(inputs)
    for i, x in enumerate(inputs):
        small: Node = x
        if x.op is BROADCAST_TO:
            small = x.inputs[0]
        elif x.shape and (n := get_number(x)) is not None:
            small = constant(n)
        trial = [*lean[:i], small, *lean[i + 1 :]]
        if small is not x and node.op.shape(*[y.shape for y in trial], **node.attrs) == node.shape:
            lean = trial
    return tuple(lean)


def _simplify_add(node: Node, a: Node, b: Node) -> Node | None:
    if get_number(a) == 0:
        return b
    if get_number(b) == 0:
        return a
    if b.op is neg:
        return sub(a, b.inputs[0])
    return sub(b, a.inputs[0]) if a.op is neg else None


def _simplify_sub(node: Node, a: Node, b: Node) -> Node | None:
    if get_number(b) == 0:
        return a
    if get_number(a) == 0:
        return neg(b)
    return add(a, b.inputs[0]) if b.op is neg else None


def _simplify_mul(node: Node, a: Node, b: Node) -> Node | None:
    for x, y in ((a, b), (b, a)):
        if get_number(x) == 1:
            return y
        if get_number(x) == -1:
            return neg(y)
        if x.op is neg:
            return neg(mul(x.inputs[0], y))
    return None


def _simplify_zero_safe_mul(node: Node, a: Node, b: Node) -> Node | None:
    by = get_number(b)  # a product is 0 where a is, or a is nowhere
    return mul(a, b) if get_number(a) or (by is not None and math.isfinite(by)) else None


def _simplify_neg(node: Node, x: Node) -> Node | None:
    if x.op is neg:
        return x.inputs[0]
    return sub(x.inputs[1], x.inputs[0]) if x.op is sub else None


def _simplify_contract(node: Node, a: Node, b: Node) -> Node | None:
    for i, x in enumerate((a, b)):
        if x.op is neg:
            rest = (x.inputs[0], b) if i == 0 else (a, x.inputs[0])
            return neg(apply(CONTRACT, *rest, **node.attrs))
    operands, out = node.attrs["spec"].split("->")
    for x, y, labels in ((a, b, operands.split(",")[1]), (b, a, operands.split(",")[0])):
        if get_number(x) == 1 and x.shape == () and labels == out:
            return y
    return None


def _simplify_sum_over(node: Node, *inputs: Node) -> Node | None:
    if len(inputs) > 1:
        return None
    (x,), axes = inputs, node.attrs["axes"]
    while x.op is SPREAD:
        x = x.inputs[0]
    if x.op is neg:
        return neg(_sum_axes(x.inputs[0], axes))
    return None if x is inputs[0] and all(a in x.axes for a in axes) else _sum_axes(x, axes)


def _sum_axes(x: Node, axes: tuple[Any, ...]) -> Node:
    if varying := tuple(a for a in axes if a in x.axes):
        x = sum_over(x, axes=varying)
    for a in axes:
        if a not in varying:
            x = mul(size(a), x)
    return x


def _simplify_sum(node: Node, x: Node) -> Node | None:
    """Σ over the entries of a multiple of a one-hot vector is the factor."""
    if x.op is neg:
        return neg(SUM(x.inputs[0], **node.attrs))
    if x.op is ONE_HOT and node.attrs["axis"] == (-1,):
        return broadcast_to(constant(1.0), node.shape)
    if x.op is mul and node.attrs["axis"] == (-1,):
        for hot, factor in (x.inputs, x.inputs[::-1]):
            if hot.op is ONE_HOT and hot.shape == x.shape and factor.shape[-1:] in ((), (1,)):
                return reshape(broadcast_to(factor, (*x.shape[:-1], 1)), node.shape)
    return None


def _takes_all(key: Sequence[Any], shape: tuple[int, ...]) -> bool:
    taken = [k for k in key if k is not None]
    whole = all(isinstance(k, slice) and (k.start, k.stop, k.step) == (0, n, 1) for k, n in zip(taken, shape, strict=False))
    return whole and len(taken) == len(shape)


def _simplify_reshape(node: Node, x: Node) -> Node | None:
    if x.shape == node.shape:
        return x
    return reshape(x.inputs[0], node.shape) if x.op is RESHAPE else None


_RULES: dict[Op, Callable[..., Node | None]] = {
    add: _simplify_add,
    sub: _simplify_sub,
    mul: _simplify_mul,
    neg: _simplify_neg,
    zero_safe_mul: _simplify_zero_safe_mul,
    CONTRACT: _simplify_contract,
    sum_over: _simplify_sum_over,
    ALONG: lambda node, x: None if node.attrs["axis"] in x.axes else x,
    SUM: _simplify_sum,
    RESHAPE: _simplify_reshape,
    # a slice that takes everything, and adds dimensions of length 1, is another shape
    SLICE: lambda node, x: reshape(x, node.shape) if _takes_all(node.attrs["key"], x.shape) else None,
    PLACE: lambda node, x: reshape(x, node.shape) if _takes_all(node.attrs["key"], node.shape) else None,
    BROADCAST_TO: lambda node, x: x if x.shape == node.shape else None,
    div: lambda node, a, b: a if get_number(b) == 1 else None,
}
