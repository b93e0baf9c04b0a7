"""One sequence at a time: U x + W h as one product, with what it reads in one row.

Without a batch the time of a step is the overhead of its NumPy calls. So U x_t + W h_{t-1} + b is computed as
[U, b, W]·[x_t, 1, h_{t-1}]: the row is complete when the step begins, since each step writes h into the row of the next one. In
the backward pass, Vᵀ δy_t + Wᵀ δ_{t+1} is treated in the same way. (With a batch it is faster to compute U x_t for all steps
before the loop.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from autograd_seq.core.node import Node, apply, constant
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.elementwise import add, mul, sub
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.parts import CONCAT, concat
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import reshape, transpose
from autograd_seq.ops.state import UNDEFINED
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.passes.joints import Joint, Left, Order, Sum, depends_on, find_joints, list_lefts
from autograd_seq.plan.passes.legal import COPY
from autograd_seq.plan.passes.linear import Term
from autograd_seq.plan.passes.pack import take_part
from autograd_seq.plan.passes.regroup import Places


def join(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with sums of products, in loops over single rows, as one product each."""
    where = Places(outputs)
    order = Order(where)
    joints = find_joints(where, order)
    return _Joiner(where, joints, order).run(list(outputs)) if joints else list(outputs)


class _Joiner:
    """Rebuilds the graph with joint products in place of sums of products."""

    def __init__(self, where: Places, joints: list[Joint], order: Order) -> None:
        self.where, self.joints, self.order = where, joints, order
        self.image: dict[Node, Node] = {}
        self.of: dict[Node, tuple[Joint, Sum | None]] = {s.node: (j, s) for j in joints for s in j.sums}
        self.of |= {j.instead: (j, None) for j in joints if j.instead is not None}
        self.made: dict[Joint, tuple[Node, Node]] = {}  # the product, and the row that it reads
        self.left = [left for j in joints for left in list_lefts(j)]
        self.riding: dict[Node, tuple[Left, int, int]] = {}
        for left in {left.joint: left for left in self.left}.values():  # the last ones of each row
            self._take_along(left)
        self.beside = {x.source: left for left in self.left for x in left.terms if x.source is not None and not left.alone}
        self.outer = self._find_outer(joints)
        self.totals: dict[Any, Node] = {}

    def run(self, outputs: list[Node]) -> list[Node]:
        """Return the graph with the joints in it."""
        out = rebuild(outputs, self._rule, image=self.image, shifts=self._show_part, after=self.order.after)
        for left in self.left:
            if left.shift is not None:
                left.shift.inputs = (self._get_whole(left),)
        return out

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node in self.of:
            joint, found = self.of[node]
            product, _ = self._get_product(joint)
            return product if found is None else copy_name(node, self._write_sum(found, product))
        if node in self.beside and node.op is CONCAT:
            left = self.beside[node]
            before = takewhile(lambda x: x.source is not node, left.terms)
            start = sum(x.source.shape[-1] for x in before if x.source is not None)
            return copy_name(node, take_part(self._get_whole(left), -1, start, start + node.shape[-1]))
        if node in self.outer:
            return self._write_total(node, *self.outer[node])
        return None

    def _show_part(self, old: Node, new: Node) -> Node:
        """Return what readers of a shift see: what rides along is a part of what a joint reads at its step."""
        if old not in self.riding:
            return new
        left, start, stop = self.riding[old]
        return take_part(self._get_shift(left), -1, start, stop)

    def _write_sum(self, found: Sum, product: Node) -> Node:
        start, stop = found.span
        total = product if (start, stop) == (0, product.shape[-1]) else take_part(product, -1, start, stop)
        for sign, x in found.rest:
            total = add(total, self.image[x]) if sign > 0 else sub(total, self.image[x])
        return total

    # -- the product

    def _get_product(self, joint: Joint) -> tuple[Node, Node]:
        if joint not in self.made:
            axes = joint.sums[0].node.axes
            row = concat(self._list_row(joint, axes), -1)
            matrix = concat([self._make_block(joint, x) for x in joint.vectors], 0)
            if row.shape[-1] > matrix.shape[0]:
                row = take_part(row, -1, 0, matrix.shape[0])  # all but the riders
            self.made[joint] = apply(CONTRACT, row, matrix, spec="I,IJ->J"), row
        return self.made[joint]

    def _list_row(self, joint: Joint, axes: tuple[Any, ...]) -> list[Node]:
        parts = []
        for x in joint.vectors:
            if x.source is None:
                parts.append(apply(COPY, constant(np.ones(1)), axes=axes))
            elif x.seen is not None:
                late = self.where.path[x.source] == self.where.path[joint.sums[0].node]
                parts.append(self.image[x.seen] if late else apply(COPY, self.image[x.seen], axes=axes))
        return [*parts, *(self._get_shift(left) for left in self.left if left.joint is joint)]

    def _make_block(self, joint: Joint, vector: Term) -> Node:
        """Return what multiplies one vector, as a matrix whose columns are the rows of the product."""
        n = 1 if vector.source is None else vector.source.shape[-1]
        columns, at = [], 0
        here = [(s.span, x) for s in joint.sums for x in s.linear if x.key == vector.key]
        if joint.instead is not None and vector.product is joint.instead:
            whole = next(x for _, x in here)
            return self._turn(whole)
        for (start, stop), x in sorted(here, key=lambda h: h[0]):
            columns += [constant(np.zeros((n, start - at)))] if start > at else []
            block, at = self._turn(x), stop
            columns.append(block if block.shape[-1] == stop - start else take_part(block, -1, *x.span))
        columns += [constant(np.zeros((n, joint.size - at)))] if joint.size > at else []
        return columns[0] if len(columns) == 1 else concat(columns, -1)

    def _turn(self, x: Term) -> Node:
        if x.matrix is None:
            assert x.source is not None
            return constant(np.eye(x.source.shape[-1]))
        matrix = self.image[x.matrix]
        if x.source is None:
            return reshape(matrix, (1, *matrix.shape))
        return transpose(matrix) if x.rows_first else matrix

    # -- what a step leaves for another one

    def _get_whole(self, left: Left) -> Node:
        if left.whole is None:
            if left.alone:
                assert left.terms[0].source is not None
                return self.image[left.terms[0].source]
            left.whole = concat([self.image[p] for p in (*left.parts, *left.riders)], -1)
        return left.whole

    def _get_shift(self, left: Left) -> Node:
        if left.shift is None:
            n, size = left.joint.sums[0].node, left.size + sum(x.shape[-1] for x in left.riders)
            attrs = {"axis": self.where.path[n][-1].axis, "by": left.terms[0].by, "outside": "zero"}
            left.shift = Node(SHIFT, (UNDEFINED,), attrs, (size,), float, n.axes)
        return left.shift

    def _take_along(self, left: Left) -> None:
        """Add vectors to a row that are multiples of the same vector as its last one, so that one product computes them all."""
        where, last, by = self.where, left.parts[-1], left.terms[0].by
        path = where.path[last]
        factors = [x for x in last.inputs if where.path[x] == path] if last.op is mul else []
        if len(factors) != 1 or left.terms[-1].source is None:
            return
        for m in where.readers[factors[0]]:
            shifts = where.readers[m]
            fits = m.op is mul and m is not last and m.shape == last.shape and where.path[m] == path and m not in where.outputs
            if not fits or sum(where.path[x] == path for x in m.inputs) != 1 or not all(x.shape == m.shape for x in m.inputs):
                continue
            if len(shifts) != 1 or shifts[0].op is not SHIFT or any(m is x.source for other in self.left for x in other.terms):
                continue
            here = {"axis": path[-1].axis, "by": by, "outside": "zero"}
            if shifts[0].attrs != here or any(depends_on(where, a, b) for p in left.parts for a, b in ((p, m), (m, p))):
                continue
            if all(self.order.follows([x], [m]) for x in left.joined):
                start = left.size + sum(x.shape[-1] for x in left.riders)
                left.riders.append(m)
                self.riding[shifts[0]] = left, start, start + m.shape[-1]

    # -- gradients of the matrices

    def _find_outer(self, joints: list[Joint]) -> dict[Node, tuple[Joint, Node, int, int, int]]:
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
                    behind = not where.path[c] and where.at[c] > where.at[j.sums[0].node]
                    if c.op is CONTRACT and behind and where.alone(c) and c.dtype is float:
                        side = 0 if c.inputs[0] is x.seen else 1
                        total, other = where.readers[c][0], c.inputs[1 - side]
                        summed = total.op is sum_over and len(total.inputs) == 1 and total.attrs["axes"]
                        if summed and len(c.shape) == 2 and len(other.shape) == 1 and set(other.axes) == set(x.seen.axes):
                            key = other, total.attrs["axes"], c.attrs["spec"], side
                            groups.setdefault(key, []).append((total, c, side, here, start))
            for group in groups.values():
                if len(group) > 1:
                    found |= {total: (j, c, side, a, b) for total, c, side, a, b in group}
                    self.order.after |= {total: j.needs for total, *_ in group}
        return found

    def _write_total(self, node: Node, joint: Joint, product: Node, side: int, start: int, stop: int) -> Node:
        spec = product.attrs["spec"]
        operands, out = spec.split("->")
        other = self.image[product.inputs[1 - side]]
        key = joint, other, node.attrs["axes"], spec, side
        if key not in self.totals:
            _, row = self._get_product(joint)
            pair = (row, other) if side == 0 else (other, row)
            self.totals[key] = sum_over(apply(CONTRACT, *pair, spec=spec), axes=node.attrs["axes"])
        dimension = out.index(operands.split(",")[side]) - 2
        return copy_name(node, take_part(self.totals[key], dimension, start, stop))
