"""One sequence at a time: U x + W h as one product, with what it reads in one row.

Without a batch the time of a step is the overhead of its NumPy calls. So U x_t + W h_{t-1} + b is computed as
[U, b, W]·[x_t, 1, h_{t-1}]: the row is complete when the step begins, since each step writes h into the row of the next one. In
the backward pass, Vᵀ δy_t + Wᵀ δ_{t+1} is treated in the same way. (With a batch it is faster to compute U x_t for all steps
before the loop.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograd_seq.core.node import Node, apply, constant
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.elementwise import add, sub
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.parts import CONCAT, concat
from autograd_seq.ops.shape import reshape, transpose
from autograd_seq.ops.state import UNDEFINED
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.passes.joints import Joint, Left, Order, find_joints, list_lefts
from autograd_seq.plan.passes.legal import COPY
from autograd_seq.plan.passes.linear import Term
from autograd_seq.plan.passes.pack import take_own_part, take_part
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
        self.where, self.order = where, order
        self.image: dict[Node, Node] = {}
        self.of = {j.node: j for j in joints}
        self.left = [left for j in joints for left in list_lefts(j)]
        self.beside = {x: left for left in self.left for x in left.sources if not left.alone}

    def run(self, outputs: list[Node]) -> list[Node]:
        """Return the graph with the joints in it."""
        out = rebuild(outputs, self._rule, image=self.image, after=self.order.after)
        for left in self.left:
            if left.shift is not None:
                left.shift.inputs = (self._get_whole(left),)
        return out

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node in self.of:
            return copy_name(node, self._make_sum(self.of[node]))
        if node in self.beside and node.op is CONCAT:
            left = self.beside[node]
            return copy_name(node, take_own_part(self._get_whole(left), -1, node, left.sources))
        return None

    # -- the product

    def _make_sum(self, joint: Joint) -> Node:
        row, matrix = concat(self._list_row(joint), -1), concat([self._make_block(joint, x) for x in joint.terms], 0)
        total = apply(CONTRACT, row, matrix, spec="I,IJ->J")
        for sign, x in joint.rest:
            total = add(total, self.image[x]) if sign > 0 else sub(total, self.image[x])
        return total

    def _list_row(self, joint: Joint) -> list[Node]:
        parts, axes = [], joint.node.axes
        for x in joint.terms:
            if x.source is None:
                parts.append(apply(COPY, constant(np.ones(1)), axes=axes))
            elif x.seen is not None:
                late = self.where.path[x.source] == self.where.path[joint.node]
                parts.append(self.image[x.seen] if late else apply(COPY, self.image[x.seen], axes=axes))
        return [*parts, *(self._get_shift(left) for left in self.left if left.joint is joint)]

    def _make_block(self, joint: Joint, x: Term) -> Node:
        """Return what multiplies one vector, as a matrix whose columns are the rows of the product."""
        if x.matrix is None:
            assert x.source is not None
            return constant(np.eye(x.source.shape[-1]))
        matrix = self.image[x.matrix]
        if x.source is None:
            return reshape(matrix, (1, *matrix.shape))
        block = transpose(matrix) if x.rows_first else matrix
        return block if block.shape[-1] == joint.node.shape[-1] else take_part(block, -1, *x.span)

    # -- what a step leaves for another one

    def _get_whole(self, left: Left) -> Node:
        if left.whole is None:
            if left.alone:
                return self.image[left.sources[0]]
            left.whole = concat([self.image[p] for p in left.parts], -1)
        return left.whole

    def _get_shift(self, left: Left) -> Node:
        if left.shift is None:
            n = left.joint.node
            attrs = {"axis": self.where.path[n][-1].axis, "by": left.by, "outside": "zero"}
            left.shift = Node(SHIFT, (UNDEFINED,), attrs, (sum(x.shape[-1] for x in left.sources),), float, n.axes)
        return left.shift
