"""Equations as a lecturer writes them on the board: derivatives in the form that one would write by hand.

These rewrites do not make a program faster; they make it readable. Constant factors from a derivative are multiplied out, the
exponential of a log-softmax becomes a softmax, and a shift of a product becomes a product of shifts: ``y − onehot(l)``,
``Wᵀ dz[t + 1]``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node, apply, constant
from autograd_seq.graph.order import get_rows, list_readers, step_order
from autograd_seq.graph.rebuild import copy_name, rebuild, remake
from autograd_seq.ops.elementwise import CAST, add, cast, div, exp, mul, neg, sub, zero_safe_mul
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.loss import stop_gradient, straight_through
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.reduce import SUM, sum_over
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE, broadcast_to, reshape
from autograd_seq.ops.softmax import LOG_SOFTMAX, SOFTMAX
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import RECEIVE, TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, SHIFT, SIZE, SPREAD
from autograd_seq.plan.memory.views import LEAVES
from autograd_seq.plan.passes.legal import COPY, make_legal
from autograd_seq.plan.passes.simplify import get_number, tidy
from autograd_seq.plan.pipeline import copy_own

_AS_IT_IS = (STATE, SPREAD, rewritten, stop_gradient)
SEEN_THROUGH = (*_AS_IT_IS, SHIFT, AT, ALONG, RECEIVE)
"""Operations that compute nothing: they only say at which step, or in which form, another node is read."""
_PRODUCTS = (CONTRACT, mul)
_SUMS = (add, sub, sum_over)
_LARGEST_WHOLE = 2**31
_RENAMED = (neg, RESHAPE, TRANSPOSE, SLICE, BROADCAST_TO)


def prepare(outputs: Sequence[Node]) -> list[Node]:
    """Return the outputs of a graph that computes what a program by hand would; each shift reads a node that has an array."""
    out, count = rebuild(outputs, copy_own), -1
    while count != (count := len(step_order(out))):
        out = tidy(rebuild(out, _rewrite))
    _push_shifts_inward(out)
    out = make_legal(tidy(out))
    for n in step_order(out):
        if n.op.reduces_axes and n.op is not sum_over and n.attrs["axes"]:
            n.inputs = tuple([x if _shows_all_steps(x) else _copy(x, x.axes) for x in n.inputs])
        if n.op is TAKE_STEP and not _shows_all_steps(n.inputs[0]):
            n.inputs = (_copy(n.inputs[0], n.inputs[0].axes), n.inputs[1])
    return [o if _is_array(o, like.axes) else _copy_output(o, like) for o, like in zip(out, outputs, strict=True)]


def _shows_all_steps(x: Node) -> bool:
    """Tell whether a node shows all steps of the node that it reads, in order; shifts and reads at one step do not."""
    return _find_shown(x).op not in SEEN_THROUGH


def _find_shown(x: Node) -> Node:
    while x.op in _AS_IT_IS:
        x = x.inputs[0]
    return x


def _is_array(node: Node, axes: Sequence[Axis]) -> bool:
    """Tell whether some array over these axes holds the values of an output, so that it can be returned as it is."""
    if not axes and (node._value is not None or node.op in LEAVES):
        return True
    x = _find_shown(node)
    return x.op not in SEEN_THROUGH and x.op not in LEAVES and x._value is None and set(x.axes) == set(axes)


def _copy_output(x: Node, like: Node) -> Node:
    """Return a copy of an output, named like the output that the user asked for."""
    made = _copy(x, like.axes)
    made.adjoint_of = like.adjoint_of
    return made


def _copy(x: Node, axes: Sequence[Axis]) -> Node:
    return apply(COPY, x, axes=tuple(axes))


def _rewrite(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return a node as one would write it: exp(log_softmax(x)) as softmax(x), a · (b · x) as (a b) · x."""
    x = inputs[0] if inputs else node
    if node.op is straight_through:
        return copy_name(node, broadcast_to(cast(x, float), node.shape))
    if node.op is exp and x.op is LOG_SOFTMAX:
        return copy_name(node, apply(SOFTMAX, *x.inputs, **x.attrs))
    if node.op is zero_safe_mul:  # the gradient of a mean, which is divided by a length
        for g, d in (inputs, inputs[::-1]):
            if d.op is div and get_number(d.inputs[0]) == 1 and _is_length(d.inputs[1]) and _is_mere_product(node, inputs, d):
                return copy_name(node, div(g, d.inputs[1]))
    if node.op is CONTRACT and any(y.op is TRANSPOSE for y in inputs):
        return copy_name(node, _take_transposed(node, inputs))
    if node.op is add and inputs[0] is inputs[1]:
        return copy_name(node, mul(2.0, inputs[0]))
    if node.op is sum_over and len(count := Counter(inputs)) < len(inputs):
        terms = [y if k == 1 else mul(float(k), y) for y, k in count.items()]
        return copy_name(node, apply(sum_over, *terms, **node.attrs))
    if node.op is RESHAPE and x.op is SUM and x.attrs["keepdims"]:
        plain = apply(SUM, *x.inputs, **{**x.attrs, "keepdims": False})
        return copy_name(node, reshape(plain, node.shape))
    if node.op in (mul, zero_safe_mul) and (scaled := _gather_scale(node, inputs)) is not None:
        return copy_name(node, scaled)
    return remake(node, inputs)


def _take_transposed(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return a contraction that reads what its operands are the transposes of."""
    operands, out = node.attrs["spec"].split("->")
    labels, taken = operands.split(","), list(inputs)
    for k, y in enumerate(inputs):
        if y.op is TRANSPOSE:
            place = {axis % len(y.shape): label for axis, label in zip(y.attrs["axes"], labels[k], strict=True)}
            labels[k], taken[k] = "".join(place[d] for d in range(len(place))), y.inputs[0]
    return apply(CONTRACT, *taken, spec=f"{','.join(labels)}->{out}")


def _gather_scale(node: Node, inputs: Sequence[Node]) -> Node | None:
    """Return a product of numbers, of lengths that are divided by, and of one other factor, as ``0.5 / T · x``.

    A derivative brings such factors one by one.
    """
    for x, y in (inputs, inputs[::-1]):
        number, lengths = _find_scale(x)
        if not number or not math.isfinite(number) or not _is_mere_product(node, inputs, x):
            continue
        for b, rest in (y.inputs, y.inputs[::-1]) if y.op is mul else ():
            other, more = _find_scale(b)
            if other and math.isfinite(number * other) and rest.shape == node.shape:
                return mul(_make_scale(number * other, [*lengths, *more]), rest)
        if y.shape == node.shape and (node.op is zero_safe_mul or x.op in (mul, RESHAPE, BROADCAST_TO)):
            return mul(_make_scale(number, lengths), y)
    return None


def _is_mere_product(node: Node, inputs: Sequence[Node], scale: Node) -> bool:
    """Tell whether a product by a scale need not see to it that 0 · ∞ is 0: 1 / T is ∞ where there are no steps.

    A value at a step is not computed there, and a scale is not 0.
    """
    if node.op is not zero_safe_mul or inputs[0] is scale or _find_scale(inputs[0])[0]:
        return True
    return all(_find_size(length).attrs["axis"] in node.axes for length in _find_scale(scale)[1])


def _find_scale(x: Node) -> tuple[float | None, list[Node]]:
    """Return the number and the lengths that a node is the quotient of; None and nothing if it is something else."""
    if (number := get_number(x)) is not None:
        return number, []
    if x.op in (RESHAPE, BROADCAST_TO):
        return _find_scale(x.inputs[0])
    if x.op is div and _is_length(x.inputs[1]):
        number, lengths = _find_scale(x.inputs[0])
        return number, [*lengths, x.inputs[1]]
    if x.op is mul:
        (a, lengths), (b, more) = (_find_scale(y) for y in x.inputs)
        return (None, []) if a is None or b is None else (a * b, [*lengths, *more])
    return None, []


def _make_scale(number: float, lengths: Sequence[Node]) -> Node:
    made = constant(int(number) if float(number).is_integer() and abs(number) < _LARGEST_WHOLE else number)
    for length in lengths:
        made = div(made, length)
    return made


def _is_length(x: Node) -> bool:
    return _find_size(x).op is SIZE


def _find_size(x: Node) -> Node:
    while x.op is CAST:
        x = x.inputs[0]
    return x


# -- shifts of sums of products -----------------------------------------------------------------------------------------


class _CannotShift(Exception):
    """A shift cannot be written as an expression of shifts of its operands."""


def _push_shifts_inward(outputs: Sequence[Node]) -> None:
    """Replace shifts of sums and products, which only the shifts read, by sums and products of shifts.

    Only shifts that read zeros outside of the sequence are replaced: a product of zeros is zero.
    """
    order, returned = step_order(outputs), set(outputs)
    readers = {x: len(rs) + (x in returned) for x, rs in list_readers(order).items()}
    stands: dict[Node, Node] = {}
    for n in order:
        if n.op is SHIFT and n.attrs["outside"] == "zero" and n not in returned and _can_distribute(n.inputs[0], readers):
            try:
                made, is_zero = _shift(n.inputs[0], n.attrs["axis"], n.attrs["by"], readers)
            except _CannotShift:
                continue
            if is_zero and set(made.axes) == set(n.axes):
                stands[n] = made
    for n in [*order, *(m for made in stands.values() for m in step_order([made]))]:
        if any(x in stands for x in n.inputs):
            n.inputs = tuple([stands.get(x, x) for x in n.inputs])


def _can_distribute(x: Node, readers: dict[Node, int]) -> bool:
    """Tell whether a shift of ``x`` may become an expression of shifts of its operands."""
    if x.op not in (*_PRODUCTS, *_SUMS, *_RENAMED) or x.name or x.letter or x.attrs.get("axes"):
        return False
    return readers[x] == 1 or is_short(x)


def is_short(x: Node) -> bool:
    """Tell whether a value is so short that it is repeated in each expression that reads it: ``1 − z``, ``r · h``."""
    if x.op not in (*_SUMS[:2], mul, neg) or x.name or x.letter:
        return False
    return all(y._value is not None or y.name or y.letter or y.op in LEAVES or y.op in SEEN_THROUGH for y in x.inputs)


def _shift(x: Node, axis: Axis, by: int, readers: dict[Node, int]) -> tuple[Node, bool]:
    """Return ``x`` moved by some steps, and whether it is zero outside of the sequence.

    Raises:
        _CannotShift: it would take a copy of an array.
    """
    if axis not in x.axes:
        return x, False
    if _can_distribute(x, readers):
        parts = [_shift(y, axis, by, readers) for y in x.inputs]
        zeros = [is_zero for _, is_zero in parts]
        return apply(x.op, *[p for p, _ in parts], **x.attrs), any(zeros) if x.op in _PRODUCTS else all(zeros)
    if x.op is SHIFT and x.attrs["axis"] is axis and x.attrs["by"] == -by:
        return x.inputs[0], False
    side = "init" if by > 0 else "final"
    if x.op in LEAVES or (x.op in SEEN_THROUGH and x.op is not STATE) or get_rows(x, axis, side)[0] is not None:
        raise _CannotShift
    return SHIFT(x, axis=axis, by=by, outside="zero"), True


__all__ = ["SEEN_THROUGH", "is_short", "prepare"]
