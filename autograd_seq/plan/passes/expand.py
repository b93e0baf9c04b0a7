"""Softmax and its logarithm expanded into exp, sums and quotients, so that both share the exponentials.

The loss of a classifier needs log softmax(x)[label], its gradient softmax(x) − onehot(label). Expanded, both use one exp for
all steps; the one-hot vector is never formed, instead one entry of each row is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from autograd_seq.core.facts import ABSENT, SMALLEST
from autograd_seq.core.node import Node, apply, constant
from autograd_seq.core.op import Op
from autograd_seq.core.rules import first, same_shape
from autograd_seq.graph.order import step_order
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.elementwise import LOG, add, div, exp, mul, neg, sub
from autograd_seq.ops.gather import ONE_HOT, PICK, _checked
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.reduce import SUM
from autograd_seq.ops.shape import broadcast_to, reshape
from autograd_seq.ops.softmax import LOG_SOFTMAX, SOFTMAX, finite_max, nonzero

_LONGEST_DOT = 1024  # a product with ones sums in a few lanes: in float32 as good as by halves up to about this length


def _level_forward(x: Any, axis: tuple[int, ...]) -> Any:
    """Return what to subtract before exp against overflow: one number if the maxima are close, else each maximum."""
    if x.size:
        flat = x.real.reshape(-1)
        high = flat[flat.argmax()]  # of few numbers argmax finds the largest four times as fast as maximum.reduce
        if high - flat[flat.argmin()] < 60:
            return np.array(high, ndmin=x.ndim)
    return finite_max(x, axis)


def _add_at_forward(x: Any, index: Any, factor: Any, check: bool) -> Any:
    out = np.array(np.broadcast_to(x, np.broadcast_shapes(x.shape, (*index.shape, 1), (*factor.shape, 1))))
    if check:
        _checked(index, x.shape[-1])
    hot = index[..., None] == np.arange(x.shape[-1])
    return out + hot * factor[..., None]


def _make_private_op(name: str, forward: Any, shape: Any, **facts: Any) -> Op:
    """Return an operation that occurs only in plans, after differentiation, and so has no gradient."""
    return Op(name, shape, forward, None, first, None, False, name, "", native=ABSENT, linear=(), **facts)


def _add_at_calls(node: Node) -> tuple[str, ...]:
    return "copyto({out}, {0})", f"add_at({{out}}, {{1}}, {{2}}{', check=True' if node.attrs['check'] else ''})"


LEVEL = _make_private_op("level", _level_forward, lambda x, *, axis: tuple(
    1 if a in axis else n for a, n in zip(range(-len(x), 0), x, strict=True)))  # fmt: skip
# a sum of exp less its level is 0 only where all entries are minus infinity; then any other number will do
NONZERO = _make_private_op("nonzero", nonzero, same_shape, numpy=(f"maximum({{0}}, {SMALLEST}, out={{out}})",))
ADD_AT = _make_private_op("add_at", _add_at_forward, lambda x, i, f, **_: x, numpy=_add_at_calls)


def expand_softmax(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with softmaxes expanded, and additions of one-hot vectors as updates of single entries."""
    parts: dict[Any, tuple[Node, Node, Node]] = {}
    order = step_order(outputs)
    if not any(n.op in (SOFTMAX, LOG_SOFTMAX, ONE_HOT) for n in order):
        return list(outputs)
    looked_up = {(n.inputs[1], n.inputs[0].shape[-1]) for n in order if n.op is PICK}

    def split(node: Node, x: Node) -> tuple[Node, Node, Node]:
        """Return x less its level, exp of that, and the sums of these."""
        axis = node.attrs["axis"]
        if (x, axis) not in parts:
            low = sub(x, apply(LEVEL, x, axis=axis))
            e = exp(low)
            parts[x, axis] = low, e, apply(NONZERO, _sum_dimensions(e, axis))
        return parts[x, axis]

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        op, of = node.op, node.inputs[0] if node.inputs else node
        if op is LOG_SOFTMAX:
            low, _, total = split(node, inputs[0])
            return copy_name(node, sub(low, LOG(total)))
        if op is SOFTMAX:
            _, e, total = split(node, inputs[0])
            return copy_name(node, div(e, total))
        if op is exp and of.op is LOG_SOFTMAX:
            _, e, total = split(of, image[of.inputs[0]])
            return copy_name(node, div(e, total))
        if op is PICK and of.op is LOG_SOFTMAX and of.attrs["axis"] == (-1,):
            low, _, total = split(of, image[of.inputs[0]])
            return copy_name(node, sub(apply(node.op, low, inputs[1]), reshape(LOG(total), node.shape)))
        if op in (add, sub) and node.dtype is float:
            return _add_one_hot(node, inputs)
        return None

    def _add_one_hot(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        for at, sign in ((1, 1.0 if node.op is add else -1.0), *(((0, 1.0),) if node.op is add else ())):
            part, x = inputs[at], inputs[1 - at]
            if part.op is neg:
                part, sign = part.inputs[0], -sign
            found = _find_multiple_of_one_hot(part)
            if found is None or x.dtype is not float or x.shape != node.shape or part.shape != node.shape:
                continue
            index, factor = found
            f = constant(sign) if factor is None else factor if sign > 0 else neg(factor)
            check = not any(image.get(i) is index and n == x.shape[-1] for i, n in looked_up)
            made = apply(ADD_AT, x, index, f, check=check)
            if set(made.axes) == set(node.axes):
                return copy_name(node, made)
        return None

    image: dict[Node, Node] = {}
    return rebuild(outputs, rule, image=image)


def _sum_dimensions(e: Node, axis: tuple[int, ...]) -> Node:
    """Return the sums over dimensions, which stay as dimensions of length 1."""
    kept = tuple(1 if a in axis else n for a, n in zip(range(-len(e.shape), 0), e.shape, strict=True))
    if axis == (-1,) and 0 < e.shape[-1] <= _LONGEST_DOT:
        labels = "abcdefghijklmnopqrstuvwxyz"[: len(e.shape)]
        ones = constant(np.ones(e.shape[-1]))
        return reshape(apply(CONTRACT, e, ones, spec=f"{labels},{labels[-1]}->{labels[:-1]}"), kept)
    return SUM(e, axis=axis, keepdims=True)


def _find_multiple_of_one_hot(x: Node) -> tuple[Node, Node | None] | None:
    """Return (index, factor) if ``x`` is a one-hot vector times a number for each vector."""
    if x.op is ONE_HOT:
        return x.inputs[0], None
    if x.op is mul:
        for hot, factor in (x.inputs, x.inputs[::-1]):
            if hot.op is ONE_HOT and hot.shape == x.shape:
                if prod(factor.shape) == 1:
                    number = reshape(factor, ()) if factor.shape else factor
                    return hot.inputs[0], number if number._value is not None else broadcast_to(number, x.shape[:-1])
                if factor.shape == (*x.shape[:-1], 1):
                    return hot.inputs[0], reshape(factor, x.shape[:-1])
    return None
