"""Products of arrays whose dimensions have labels: blocks of Jacobians, of which diagonals may be all that is stored.

A label that two dimensions share says that entries off the diagonal are zero, or do not count; they are not stored.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from autograd_seq.core.node import Node, constant
from autograd_seq.ops.linear import contract
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.shape import reshape, transpose


class Labelled(NamedTuple):
    """A node with a label for each dimension, all different."""

    node: Node
    labels: tuple[Hashable, ...]

    def size(self, label: Hashable) -> int:
        return self.node.shape[self.labels.index(label)]

    def rename(self, old: Hashable, new: Hashable) -> Labelled:
        """Return it under another label; if it has that too, the diagonal of both dimensions."""
        if old == new or old not in self.labels:
            return self
        if new not in self.labels:
            return Labelled(self.node, tuple(new if x == old else x for x in self.labels))
        gone = self.labels.index(old)
        kept = self.node * _make_unit(self, old, new)
        return Labelled(sum_of(kept, gone), tuple(x for x in self.labels if x != old))

    def add_up(self, kept: Sequence[Hashable]) -> Labelled:
        """Return the sum over all labels but those kept."""
        gone = [i for i, x in enumerate(self.labels) if x not in kept]
        return Labelled(sum_of(self.node, gone), tuple(x for x in self.labels if x in kept)) if gone else self

    def order(self, labels: Sequence[Hashable]) -> Node:
        """Return the node with its dimensions in another order, and with length 1 for labels that it lacks."""
        own = [x for x in labels if x in self.labels]
        places = [self.labels.index(x) for x in own]
        moved = self.node if places == sorted(places) else transpose(self.node, places)
        return reshape(moved, [self.size(x) if x in self.labels else 1 for x in labels])


def _make_unit(block: Labelled, one: Hashable, other: Hashable) -> Node:
    """Return the unit matrix in two dimensions of a block, with length 1 in the others."""
    shape = [block.size(x) if x in (one, other) else 1 for x in block.labels]
    return constant(np.eye(block.size(one)).reshape(shape))


def multiply(a: Labelled, b: Labelled, kept: Sequence[Hashable]) -> Labelled:
    """Return the product of two blocks, summed over the labels that are not kept.

    Example:
        >>> W, x = constant([[1.0, 2.0], [3.0, 4.0]]), constant([1.0, 1.0])
        >>> multiply(Labelled(W, ("i", "j")), Labelled(x, ("j",)), ["i"]).node.value
        array([3., 7.])
        >>> multiply(Labelled(W, ("i", "j")), Labelled(x, ("i",)), ["i", "j"]).node.shape
        (2, 2)
    """
    a, b = a.add_up([*kept, *b.labels]), b.add_up([*kept, *a.labels])
    both = [x for x in a.labels if x in b.labels]
    shared, summed = [x for x in both if x in kept], [x for x in both if x not in kept]
    left, right = [x for x in a.labels if x not in both], [x for x in b.labels if x not in both]
    found = (*shared, *left, *right)
    if not summed:
        first = a.labels if len(a.labels) >= len(b.labels) else b.labels  # the larger one stays as it is
        every = (*first, *(x for x in found if x not in first))
        return Labelled(a.order(every) * b.order(every), every)

    def flatten(block: Labelled, *groups: list[Hashable]) -> Node:
        sizes = [math.prod(block.size(x) for x in group) for group in groups if group]
        return reshape(block.order([x for group in groups for x in group]), sizes)

    spec = "".join(s for s, group in (("K", shared), ("I", left), ("J", summed)) if group)
    spec += "," + "".join(s for s, group in (("K", shared), ("J", summed), ("P", right)) if group)
    spec += "->" + "".join(s for s, group in (("K", shared), ("I", left), ("P", right)) if group)
    product = contract(flatten(a, shared, left, summed), flatten(b, shared, summed, right), spec=spec)
    return Labelled(reshape(product, [(a if x in a.labels else b).size(x) for x in found]), found)


def lay_out(block: Labelled, labels: Sequence[Hashable]) -> Node:
    """Return the array with a dimension for each label in order; one that is named twice is a diagonal, and 0 off it.

    Example:
        >>> lay_out(Labelled(constant([1.0, 2.0]), ("i",)), ["i", "i"]).value
        array([[1., 0.],
               [0., 2.]])
    """
    names: list[Hashable] = []
    for x in labels:
        if x in names:
            new = ("copy", len(names))
            old, sizes = (*block.labels, new), (*block.node.shape, block.size(x))
            unit = _make_unit(Labelled(constant(np.zeros(sizes)), old), x, new)
            block = Labelled(reshape(block.node, (*block.node.shape, 1)) * unit, old)
            names.append(new)
        else:
            names.append(x)
    return block.order(names)


__all__ = ["Labelled", "lay_out", "multiply"]
