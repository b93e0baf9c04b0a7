"""Sums of two products as one product of pairs: f c_{t-1} + i g is [f, i]·[c_{t-1}, g], and the sum of its halves.

Where a step has a single row its time is that of its calls; this saves one. The gates f and i are neighbours in the packed
product already; c is computed into the row in which the next step's g will lie behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.node import Node
from autograd_seq.op import OPS
from autograd_seq.ops.parts import concat
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.joints import single
from autograd_seq.plan.pack import part
from autograd_seq.plan.regroup import Places
from autograd_seq.plan.views import stretch

_ADD, _MUL = OPS["add"], OPS["mul"]
_PLACED = {"tanh", "sigmoid", "add", "mul", "sub"}


class Pair(NamedTuple):
    """first·late + second·now, where first and second are neighbours, and now is at one end of its array.

    Attributes:
        factors: the array that the neighbours are parts of.
        start: where they begin in it.
        late: what is read of another step.
        packed: the array that begins, or ends, with what is computed now.
        begins: whether it begins with it: ``late`` then lies in front of it, else behind it.
    """

    factors: Node
    start: int
    late: Node
    packed: Node
    begins: bool


def paired(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with such sums, in loops over single rows, as products of pairs."""
    where = Places(outputs)
    taken: set[Node] = set()
    pairs: dict[Node, Pair] = {}
    for n in where.nodes:
        if n.op is _ADD and single(where, n) and all(_product(where, x, n) for x in n.inputs):
            for first, second in (n.inputs, n.inputs[::-1]):
                pair = _pair(where, first, second)
                if pair is not None and not {pair.late.inputs[0], pair.packed} & taken:
                    taken |= {pair.late.inputs[0], pair.packed}
                    pairs[n] = pair
                    break
    if not pairs:
        return list(outputs)
    image: dict[Node, Node] = {}

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node not in pairs:
            return None
        pair, n = pairs[node], node.shape[-1]
        parts = [image[pair.late], image[pair.packed]]
        row = concat(parts if pair.begins else parts[::-1], -1)
        at = 0 if pair.begins else row.shape[-1] - 2 * n
        product = _MUL(part(image[pair.factors], -1, pair.start, pair.start + 2 * n), part(row, -1, at, at + 2 * n))
        return copy_name(node, _ADD(part(product, -1, 0, n), part(product, -1, n, 2 * n)))

    return rebuild(outputs, rule, image=image)


def _product(where: Places, x: Node, of: Node) -> bool:
    here = x.op is _MUL and where.alone(x) and where.path[x] == where.path[of]
    return here and x.shape == of.shape and all(y.shape == x.shape for y in x.inputs)


def _pair(where: Places, first: Node, second: Node) -> Pair | None:
    for late in first.inputs:
        a = next(x for x in first.inputs if x is not late) if first.inputs[0] is not first.inputs[1] else late
        if not _may_move(where, first, late):
            continue
        for now in second.inputs:
            b = next((x for x in second.inputs if x is not now), now)
            spans = stretch(a), stretch(b), stretch(now)
            if any(s is None for s in spans) or a.inputs[0] is not b.inputs[0] or not _packed(where, first, now.inputs[0]):
                continue
            (a0, a1), (b0, b1), (n0, n1) = spans  # type: ignore[misc]
            begins = a1 == b0 and n0 == 0
            if begins or (b1 == a0 and n1 == now.inputs[0].shape[-1]):
                return Pair(a.inputs[0], min(a0, b0), late, now.inputs[0], begins)
    return None


def _may_move(where: Places, at: Node, late: Node) -> bool:
    """Tell whether what a shift shows can be computed in the row where it is read."""
    if late.op is not SHIFT or late.inputs[0].op is not STATE or any(r.op.name == "concat" for r in where.readers[late]):
        return False
    loop, equation = where.path[at][-1], late.inputs[0].inputs[0]
    shifts = where.readers[late.inputs[0]]
    fits = where.path.get(equation) == where.path[at] and equation.op.name in _PLACED and set(equation.axes) == set(at.axes)
    others = [r for r in where.readers[equation] if r.op is STATE]
    return fits and len(others) == 1 and all(r.attrs["axis"] is loop.axis for r in shifts if r.op is SHIFT)


def _packed(where: Places, at: Node, x: Node) -> bool:
    """Tell whether an array of the same step can be computed beside it."""
    free = x.op.name in _PLACED and where.path[x] == where.path[at] and set(x.axes) == set(at.axes) and x not in where.outputs
    return free and not any(r.op in (STATE, SHIFT) or r.op.name == "concat" for r in where.readers[x])
