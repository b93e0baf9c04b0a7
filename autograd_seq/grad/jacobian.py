"""The derivatives of a step, without the zeros: reverse mode from one matrix product to the next, and products of the results.

Between two products most equations compute each entry by itself, so that their derivative is a diagonal, which one reverse pass
gives. The derivative of ``tanh(W @ h)`` is then a vector times W, and not as many reverse passes as there are entries.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
from operator import add

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node, constant
from autograd_seq.grad.forward import collect, make_basis
from autograd_seq.grad.labelled import Labelled, lay_out, multiply
from autograd_seq.grad.one_step import OneStep
from autograd_seq.grad.reverse import grad
from autograd_seq.grad.sparsity import Locks, find_locks, list_dimensions
from autograd_seq.graph.order import find_dependents, list_components, step_order
from autograd_seq.ops.linear import CONTRACT, split_spec
from autograd_seq.ops.shape import broadcast_to, reshape

_COUNT = itertools.count()
ONE = Labelled(constant(1.0), ())


class StepJacobian:
    """The derivatives of the values that a step hands on.

    Args:
        step: the equations of a step.
        leaves: its parameters, and the inputs in the place of earlier steps.
    """

    def __init__(self, step: OneStep, leaves: Sequence[Node]) -> None:
        self.step = step
        self._locks = {leaf: step.find_locks(leaf) for leaf in leaves}
        self._products = self._find_products(leaves)
        ends = list(dict.fromkeys([*step.values.values(), *(u for z in self._products for u in z.inputs)]))
        self._image, self._stand_ins = step.cut_further(ends, self._products)
        self._leaves = [*leaves, *self._stand_ins.values()]
        self._own, self._pieces = self._derive_pieces(ends)
        self._found: dict[tuple[Node, Node, frozenset[tuple[int, int]]], Node] = {}

    def _find_products(self, leaves: Sequence[Node]) -> list[Node]:
        """Return the products through which values depend on leaves, those that are on no loop within the step."""
        order = step_order([*self.step.values.values()])
        alone = {part[0] for part in list_components(order) if len(part) == 1}
        moved = find_dependents(order, leaves)
        found = [n for n in order if n.op is CONTRACT and n in moved and n in alone and n.dtype is float]
        ends = {*self.step.values.values(), *(u for z in found for u in z.inputs)}
        return [z for z in found if all((a, a) in locks for x, locks in find_locks(order, z).items() if x in ends
                                        for a in z.axes if a is not self.step.axis)]  # fmt: skip

    def _derive_pieces(self, ends: Sequence[Node]) -> tuple[dict[tuple[Node, Node], Locks], dict[tuple[Node, Node], Node]]:
        """Return how each end of a piece depends on leaves and on the results of products: the locks, and the derivatives."""
        order = step_order([self._image[v] for v in ends])
        by_leaf = {leaf: find_locks(order, leaf) for leaf in self._leaves}
        own = {(v, leaf): locks[self._image[v]] for leaf, locks in by_leaf.items() for v in ends if self._image[v] in locks}
        wanted: dict[tuple[Node, tuple[int, ...]], list[Node]] = {}
        for (v, leaf), locks in own.items():
            if self._image[v] is not leaf:
                wanted.setdefault((v, list_free(v, list_dimensions(locks))), []).append(leaf)
        pairs, nodes = [], []
        for (v, free), some in wanted.items():
            pairs += [(v, leaf) for leaf in some]
            nodes += derive(self._image[v], some, free)
        return own, dict(zip(pairs, self.step.restore(nodes), strict=True))

    def get(self, value: Node, leaf: Node, locked: Mapping[int, int]) -> Node:
        """Return the derivative of a value: the dimensions that are not locked, then those of the leaf; over the axes of both.

        Args:
            value: one that the step hands on, or an operand of a product, in the cut equations.
            leaf: what it depends on.
            locked: dimensions of the value that are locked to some of the leaf; further pairs ask for the diagonal alone.
        """
        key = value, leaf, frozenset(locked.items())
        if key not in self._found:
            free, of_leaf = list_free(value, locked), [("leaf", k) for k in range(leaf.ndim)]
            shape = (*(value.shape[d] for d in free), *leaf.shape)
            parts = []
            for block, labels in self._list_terms(value, leaf, locked):
                order = [*(labels[d] for d in free), *of_leaf]
                for x, size in zip(order, shape, strict=True):
                    if x not in block.labels and order.count(x) > 1:  # ones, on a diagonal
                        block = multiply(block, Labelled(constant(np.ones(size)), (x,)), [*block.labels, x])
                parts.append(broadcast_to(lay_out(block, order), shape))
            self._found[key] = reduce(add, parts)
        return self._found[key]

    def _list_terms(self, v: Node, leaf: Node, locked: Mapping[int, int]) -> list[tuple[Labelled, list[Hashable]]]:
        """Return the derivative as a sum: what is read directly, then by way of each product; and labels of the dimensions."""
        terms: list[tuple[Labelled, list[Hashable]]] = []
        if (v, leaf) in self._own:
            block, of_v = self._label(v, leaf, [("leaf", k) for k in range(leaf.ndim)])
            terms.append(_multiply_all([block], of_v, locked))
        for z, made in self._stand_ins.items():
            for k, u in enumerate(z.inputs) if (v, made) in self._own else ():
                if u in self._locks[leaf]:
                    inner, of_u = self._label_operand(u, leaf)
                    weight, of_z = _label_product(z, k, of_u, self.step)
                    outer, of_v = self._label(v, made, of_z)
                    terms.append(_multiply_all([outer, weight, inner], of_v, locked))
        return terms

    def _label_operand(self, u: Node, leaf: Node) -> tuple[Labelled, list[Hashable]]:
        """Return the whole derivative of an operand, and the labels of its dimensions."""
        locked = list_dimensions(self._locks[leaf][u])
        of_u: list[Hashable] = [("leaf", locked[d]) if d in locked else ("u", d) for d in range(u.ndim)]
        if self._image[u] is leaf:
            return ONE, of_u
        free = [of_u[d] for d in list_free(u, locked)]
        return Labelled(self.get(u, leaf, locked), (*free, *(("leaf", k) for k in range(leaf.ndim)))), of_u

    def _label(self, v: Node, leaf: Node, labels: Sequence[Hashable]) -> tuple[Labelled, list[Hashable]]:
        """Return the derivative of an end of a piece by what it reads, which has labels; and the labels of ``v``."""
        to = list_dimensions(self._own[v, leaf])
        of_v = [labels[to[d]] if d in to else ("v", d) for d in range(v.ndim)]
        if self._image[v] is leaf:
            return ONE, of_v
        return Labelled(self._pieces[v, leaf], (*(x for d, x in enumerate(of_v) if d not in to), *labels)), of_v


def _multiply_all(blocks: list[Labelled], of_v: list[Hashable], locked: Mapping[int, int]) -> tuple[Labelled, list[Hashable]]:
    """Return the product of blocks, of which only the diagonal is wanted where dimensions of the value are locked.

    Args:
        blocks: the factors, from the value to the leaf.
        of_v: the labels of the dimensions of the value.
        locked: to which dimension of the leaf each of them is locked.
    """
    for d, k in locked.items():
        old, new = of_v[d], ("leaf", k)
        blocks, of_v = [b.rename(old, new) for b in blocks], [new if x == old else x for x in of_v]
    total, *rest = [b for b in blocks if b is not ONE] or [ONE]
    for i, block in enumerate(rest, 1):
        later = [x for b in rest[i:] for x in b.labels]
        leaf = [x for b in (total, block) for x in b.labels if isinstance(x, tuple) and x[0] == "leaf"]
        total = multiply(total, block, [*of_v, *later, *leaf])
    return total, of_v


def _label_product(z: Node, k: int, of_u: Sequence[Hashable], step: OneStep) -> tuple[Labelled, list[Hashable]]:
    """Return the derivative of a product by its operand number ``k``, which is the other operand, and the labels of ``z``."""
    *operands, out = split_spec(z.attrs["spec"])
    of = dict(zip(operands[k], of_u, strict=True))
    of_z = [of.get(letter, ("z", letter)) for letter in out]
    other = tuple(of.get(letter, ("z", letter)) for letter in operands[1 - k])
    return Labelled(step.restore([z.inputs[1 - k]])[0], other), of_z


def derive(y: Node, leaves: Sequence[Node], free: Sequence[int]) -> list[Node]:
    """Return the derivatives of a value by each leaf: the free dimensions of ``y``, then those of the leaf, over both's axes.

    Args:
        y: a value of a single step.
        leaves: inputs of the step.
        free: the dimensions of ``y`` that are not locked to one of a leaf. Of the others the result is the diagonal.

    Notes:
        One reverse pass for each entry of the free dimensions; a single one if there are none.
    """
    sizes = [y.shape[d] for d in free]
    n = math.prod(sizes)
    if n == 1:
        found = grad(y, leaves, cotangent=constant(np.ones(y.shape)), keep=y.axes)
        return [reshape(g, (*sizes, *x.shape)) for g, x in zip(found, leaves, strict=True)]
    entry = Axis(f"entry {next(_COUNT)}", size=n)
    seed = broadcast_to(make_basis(entry, [m if d in free else 1 for d, m in enumerate(y.shape)]), y.shape)
    found = grad(y, leaves, cotangent=seed, keep=(entry, *y.axes))
    return [reshape(collect(g, entry), (*sizes, *x.shape)) for g, x in zip(found, leaves, strict=True)]


def list_free(x: Node, locked: Mapping[int, int]) -> tuple[int, ...]:
    """Return the dimensions of a value that are not locked."""
    return tuple(d for d in range(x.ndim) if d not in locked)


__all__ = ["StepJacobian", "derive", "list_free"]
