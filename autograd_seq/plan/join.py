"""One sequence at a time: U x + W h as one product, with what it reads in one row.

Without a batch a step costs what its NumPy calls cost, not what they compute. So U x_t + W h_{t-1} + b is written as
[U, b, W]·[x_t, 1, h_{t-1}]: the row is there when the step comes, for h is computed into the next one. On the way back,
Vᵀ δy_t + Wᵀ δ_{t+1} is the same. (With a batch the products before the loop are faster, and the sum costs less than they save.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise, takewhile
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.graph.order import same_step
from autograd_seq.graph.rebuild import named_as
from autograd_seq.node import Node, apply, constant
from autograd_seq.op import OPS
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import concat, reshape, transpose
from autograd_seq.ops.state import STATE, UNDEFINED
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.legal import COPY
from autograd_seq.plan.linear import Term, late, split
from autograd_seq.plan.pack import first_of, part
from autograd_seq.plan.regroup import Places, inner, is_sum
from autograd_seq.plan.views import stretch

_CONTRACT, _SLICE, _ADD, _SUB = (OPS[n] for n in ("contract", "slice", "add", "sub"))
_MUL = OPS["mul"]
_PLACED = {"add", "sub", "mul", "div", "neg", "tanh", "sigmoid", "relu", "exp", "concat"}
WORTH = 4096
"""How many multiplications may be moved into a step to save it a call (about 20 are a nanosecond, and a call is 200)."""


class Sum(NamedTuple):
    """A sum, which rows of the joint product it is, its terms, and those that stay outside of the product."""

    node: Node
    span: tuple[int, int]
    linear: list[Term]
    rest: list[tuple[int, Node]]


@dataclass(eq=False)
class Joint:
    """Sums that become rows of one product.

    Attributes:
        sums: they.
        size: how many rows the product has.
        instead: the product it replaces, where others read some of its rows.
        vectors: one term for each vector that it reads, those first that are there before the loop.
    """

    sums: list[Sum]
    size: int
    instead: Node | None
    vectors: list[Term]


def joined(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with sums of products, in loops over single rows, as one product each."""
    where = Places(outputs)
    joints = _found(where)
    return _Joiner(where, joints).run(list(outputs)) if joints else list(outputs)


# -- what can be joined -----------------------------------------------------------------------------------------------------


def _found(where: Places) -> list[Joint]:
    """Return the joints of a graph.

    A sum has an *anchor*: a product with something that its own loop computes. Where others read rows of that product too, as
    of a GRU's r (Wn h), all sums with the same anchor are one joint, and those rows stay what they are.
    """
    taken: set[Node] = set()  # vectors that have a row to lie in
    shared: dict[Node, list[Sum]] = {}
    found: list[Joint] = []
    for n in where.nodes:
        if not single(where, n) or inner(where, n):
            continue
        linear, rest = split(where, n)
        anchor = next((x for x in linear if x.matrix is not None and late(where, n, x)), None)
        others = [x for x in linear if x is not anchor and late(where, n, x) and _read_elsewhere(where, x)]
        linear = [x for x in linear if not any(x is y for y in others)]
        rest += [(1, x.node) for x in others]
        if anchor is None or len(linear) < 2 or any(where.path[x] != where.path[n] for _, x in rest):
            continue
        if anchor.seen is not None and anchor.product is not None and not where.alone(anchor.product):
            shared.setdefault(anchor.product, []).append(Sum(n, anchor.span, linear, rest))
        else:
            _accept(where, [Sum(n, (0, n.shape[-1]), linear, rest)], n.shape[-1], None, found, taken)
    for product, sums in shared.items():
        inside = {x for s in sums for x in s.node.inputs if where.alone(x)}
        read = [stretch(r) for r in where.readers[product] if r not in inside]
        spans = sorted(s.span for s in sums)
        apart = all(a[1] <= b[0] for a, b in pairwise(spans))
        if apart and product not in where.outputs and all(
            r is not None and all(r[1] <= a or b <= r[0] for a, b in spans) for r in read
        ):  # fmt: skip
            _accept(where, sums, product.shape[-1], product, found, taken)
    return found


def single(where: Places, n: Node) -> bool:
    """Tell whether a node is a sum of vectors of a loop, one of them a step."""
    path = where.path[n]
    if not path or not is_sum(n) or len(n.shape) != 1:
        return False
    return not set(n.axes) - {loop.axis for loop in path}


def _read_elsewhere(where: Places, x: Term) -> bool:
    """Tell whether others read a product of the same step too."""
    return x.seen is not None and x.product is not None and not (where.alone(x.product) and where.alone(x.node))


def _accept(where: Places, sums: list[Sum], size: int, instead: Node | None, found: list[Joint], taken: set[Node]) -> None:
    """Add the joint of some sums if all that it reads can lie in one row, and it multiplies little more."""
    vectors: dict[Any, Term] = {}
    for s in sums:
        for x in s.linear:
            vectors.setdefault(x.key, x)
    n = sums[0].node
    carried = [x for x in vectors.values() if late(where, n, x)]
    early = [x for x in vectors.values() if not late(where, n, x)]
    moved = [*early, *(x for x in carried if x.matrix is None)]
    more = sum((1 if x.source is None else x.source.shape[-1]) * size for x in moved)
    sources = {x.source for x in carried if x.source is not None}
    if more > WORTH or len(sources) < len(carried) or sources & taken or not all(_placeable(where, n, x) for x in carried):
        return
    if any(_needs(where, a, b) for a in sources for b in sources if a is not b):
        return
    taken |= sources
    carried.sort(key=lambda x: (x.seen is None, x.by if x.seen is None else 0))  # what one step leaves lies together
    found.append(Joint(sums, size, instead, [*early, *carried]))


def _placeable(where: Places, n: Node, x: Term) -> bool:
    """Tell whether a vector can be computed in the row where the product will read it."""
    source, axis = x.source, where.path[n][-1].axis
    assert source is not None
    if source.op.name not in _PLACED or set(source.axes) != set(n.axes) or source.dtype is not float or len(source.shape) != 1:
        return False
    readers = [q for r in where.readers[source] for q in (where.readers[r] if r.op is STATE else [r])]
    states = [r for r in where.readers[source] if r.op is STATE]
    shifts = [r for r in readers if r.op is SHIFT]
    if x.by == 0 or x.seen is None:
        return not shifts or (x.by != 0 and len(where.readers[source]) == 1)
    return len(states) <= 1 and all(r.attrs["axis"] is axis for r in shifts)


def _needs(where: Places, a: Node, b: Node) -> bool:
    """Tell whether a node needs another one of its loop at the same step."""
    stack, seen = [a], {a}
    while stack:
        for x in same_step(stack.pop()):
            if x is b:
                return True
            if x not in seen and where.path.get(x) == where.path[a]:
                seen.add(x)
                stack.append(x)
    return False


# -- writing it -------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Left:
    """Vectors that one step leaves side by side for another one, on the way back.

    Attributes:
        joint: whose product reads them.
        terms: they, as they are in its sums.
        riders: vectors that its product does not read, but some other equation of the same step.
        whole: all of them as one vector, when it is made.
        shift: that, at the step at which it is read.
    """

    joint: Joint
    terms: list[Term]
    riders: list[Node] = field(default_factory=list)
    whole: Node | None = None
    shift: Node | None = None

    @property
    def parts(self) -> list[Node]:
        """The vectors, what is joined already in its parts."""
        sources = [x.source for x in self.terms if x.source is not None]
        return [p for x in sources for p in (x.inputs if x.op.name == "concat" else (x,))]

    @property
    def size(self) -> int:
        """The length of what the product reads."""
        return sum(x.source.shape[-1] for x in self.terms if x.source is not None)

    @property
    def alone(self) -> bool:
        """Tell whether it is one vector, as it is."""
        return len(self.terms) == 1 and not self.riders


class _Joiner:
    """Writes the graph anew, with the joints in it."""

    def __init__(self, where: Places, joints: list[Joint]) -> None:
        self.where, self.joints = where, joints
        self.image: dict[Node, Node] = {}
        self.of: dict[Node, tuple[Joint, Sum | None]] = {s.node: (j, s) for j in joints for s in j.sums}
        self.of |= {j.instead: (j, None) for j in joints if j.instead is not None}
        self.made: dict[Joint, tuple[Node, Node]] = {}  # the product, and the row that it reads
        self.left = [Left(j, [*xs]) for j in joints for by, xs in groupby(
            [x for x in j.vectors if x.seen is None and x.source is not None], key=lambda x: x.by)]  # fmt: skip
        self.riding: dict[Node, tuple[Left, int, int]] = {}
        for left in {left.joint: left for left in self.left}.values():  # the last ones of each row
            self._take_along(left)
        self.beside = {x.source: left for left in self.left for x in left.terms if x.source is not None and not left.alone}
        self.outer = self._outer(joints)
        self.totals: dict[Any, Node] = {}

    def run(self, outputs: list[Node]) -> list[Node]:
        """Return the graph with the joints in it."""
        early: list[Node] = []
        for j in self.joints:
            path = self.where.path[j.sums[0].node]
            early += [x.seen for x in j.vectors if x.seen is not None and self.where.path[x.seen] != path]
            early += [x.matrix for s in j.sums for x in s.linear if x.matrix is not None]
            early += [s.node for s in j.sums]
        for left in self.left:
            early += [*left.parts, *left.riders] if not left.alone else []
        out = first_of(self.where, outputs, early, self._rule, self.image, self._seen)
        for left in self.left:
            if left.shift is not None:
                left.shift.inputs = (self._whole(left),)
        return out

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node in self.of:
            joint, found = self.of[node]
            product, _ = self._made(joint)
            return product if found is None else named_as(node, self._sum(found, product))
        if node in self.beside and node.op.name == "concat":
            left = self.beside[node]
            before = takewhile(lambda x: x.source is not node, left.terms)
            start = sum(x.source.shape[-1] for x in before if x.source is not None)
            return named_as(node, part(self._whole(left), -1, start, start + node.shape[-1]))
        if node in self.outer:
            return self._total(node, *self.outer[node])
        return None

    def _seen(self, old: Node, new: Node) -> Node:
        """Return what readers of a shift see: what rides along is a part of what a joint reads at its step."""
        if old not in self.riding:
            return new
        left, start, stop = self.riding[old]
        return part(self._shift(left), -1, start, stop)

    def _sum(self, found: Sum, product: Node) -> Node:
        start, stop = found.span
        total = product if (start, stop) == (0, product.shape[-1]) else part(product, -1, start, stop)
        for sign, x in found.rest:
            total = _ADD(total, self.image[x]) if sign > 0 else _SUB(total, self.image[x])
        return total

    # -- the product

    def _made(self, joint: Joint) -> tuple[Node, Node]:
        if joint not in self.made:
            axes = joint.sums[0].node.axes
            row = concat(self._row(joint, axes), -1)
            matrix = concat([self._block(joint, x) for x in joint.vectors], 0)
            if row.shape[-1] > matrix.shape[0]:
                row = part(row, -1, 0, matrix.shape[0])  # all but the riders
            self.made[joint] = apply(_CONTRACT, row, matrix, spec="I,IJ->J"), row
        return self.made[joint]

    def _row(self, joint: Joint, axes: tuple[Any, ...]) -> list[Node]:
        parts = []
        for x in joint.vectors:
            if x.source is None:
                parts.append(apply(COPY, constant(np.ones(1)), axes=axes))
            elif x.seen is not None:
                late = self.where.path[x.source] == self.where.path[joint.sums[0].node]
                parts.append(self.image[x.seen] if late else apply(COPY, self.image[x.seen], axes=axes))
        return [*parts, *(self._shift(left) for left in self.left if left.joint is joint)]

    def _block(self, joint: Joint, vector: Term) -> Node:
        """Return what multiplies one vector, as a matrix whose columns are the rows of the product."""
        n = 1 if vector.source is None else vector.source.shape[-1]
        columns, at = [], 0
        here = [(s.span, x) for s in joint.sums for x in s.linear if x.key == vector.key]
        if joint.instead is not None and vector.product is joint.instead:
            whole = next(x for _, x in here)
            return self._turned(whole)
        for (start, stop), x in sorted(here, key=lambda h: h[0]):
            columns += [constant(np.zeros((n, start - at)))] if start > at else []
            block, at = self._turned(x), stop
            columns.append(block if block.shape[-1] == stop - start else part(block, -1, *x.span))
        columns += [constant(np.zeros((n, joint.size - at)))] if joint.size > at else []
        return columns[0] if len(columns) == 1 else concat(columns, -1)

    def _turned(self, x: Term) -> Node:
        if x.matrix is None:
            assert x.source is not None
            return constant(np.eye(x.source.shape[-1]))
        matrix = self.image[x.matrix]
        if x.source is None:
            return reshape(matrix, (1, *matrix.shape))
        return transpose(matrix) if x.rows_first else matrix

    # -- what a step leaves for another one

    def _whole(self, left: Left) -> Node:
        if left.whole is None:
            if left.alone:
                assert left.terms[0].source is not None
                return self.image[left.terms[0].source]
            left.whole = concat([self.image[p] for p in (*left.parts, *left.riders)], -1)
        return left.whole

    def _shift(self, left: Left) -> Node:
        if left.shift is None:
            n, size = left.joint.sums[0].node, left.size + sum(x.shape[-1] for x in left.riders)
            attrs = {"axis": self.where.path[n][-1].axis, "by": left.terms[0].by, "outside": "zero"}
            left.shift = Node(SHIFT, (UNDEFINED,), attrs, (size,), float, n.axes)
        return left.shift

    def _take_along(self, left: Left) -> None:
        """Let vectors ride along that are multiples of the same as the last one there: one product then yields them all."""
        where, last, by = self.where, left.parts[-1], left.terms[0].by
        path = where.path[last]
        factors = [x for x in last.inputs if where.path[x] == path] if last.op is _MUL else []
        if len(factors) != 1 or left.terms[-1].source is None:
            return
        for m in where.readers[factors[0]]:
            shifts = where.readers[m]
            fits = m.op is _MUL and m is not last and m.shape == last.shape and where.path[m] == path and m not in where.outputs
            if not fits or sum(where.path[x] == path for x in m.inputs) != 1 or not all(x.shape == m.shape for x in m.inputs):
                continue
            if len(shifts) != 1 or shifts[0].op is not SHIFT or any(m is x.source for other in self.left for x in other.terms):
                continue
            here = {"axis": path[-1].axis, "by": by, "outside": "zero"}
            if shifts[0].attrs == here and not any(_needs(where, a, b) for p in left.parts for a, b in ((p, m), (m, p))):
                start = left.size + sum(x.shape[-1] for x in left.riders)
                left.riders.append(m)
                self.riding[shifts[0]] = left, start, start + m.shape[-1]

    # -- gradients of the matrices

    def _outer(self, joints: list[Joint]) -> dict[Node, tuple[Joint, Node, int, int, int]]:
        """Return sums over time of products with the vectors of one row: they are parts of one such sum."""
        found: dict[Node, tuple[Joint, Node, int, int, int]] = {}
        where = self.where
        for j in joints:
            groups: dict[Any, list[tuple[Node, Node, int, int, int]]] = {}
            start = 0
            for x in j.vectors:
                n = 1 if x.source is None else x.source.shape[-1]
                start, here = start + n, start
                if x.seen is None:
                    continue
                for c in where.readers[x.seen]:
                    if c.op is _CONTRACT and not where.path[c] and where.alone(c) and c.dtype is float:
                        side = 0 if c.inputs[0] is x.seen else 1
                        total, other = where.readers[c][0], c.inputs[1 - side]
                        summed = total.op is sum_over and len(total.inputs) == 1 and total.attrs["axes"]
                        if summed and len(c.shape) == 2 and len(other.shape) == 1 and set(other.axes) == set(x.seen.axes):
                            key = other, total.attrs["axes"], c.attrs["spec"], side
                            groups.setdefault(key, []).append((total, c, side, here, start))
            for group in groups.values():
                if len(group) > 1:
                    found |= {total: (j, c, side, a, b) for total, c, side, a, b in group}
        return found

    def _total(self, node: Node, joint: Joint, product: Node, side: int, start: int, stop: int) -> Node:
        spec = product.attrs["spec"]
        operands, out = spec.split("->")
        other = self.image[product.inputs[1 - side]]
        key = joint, other, node.attrs["axes"], spec, side
        if key not in self.totals:
            _, row = self._made(joint)
            pair = (row, other) if side == 0 else (other, row)
            self.totals[key] = sum_over(apply(_CONTRACT, *pair, spec=spec), axes=node.attrs["axes"])
        dimension = out.index(operands.split(",")[side]) - 2
        return named_as(node, part(self.totals[key], dimension, start, stop))
