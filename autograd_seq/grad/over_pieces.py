"""Influence carried over several steps at once: backpropagation within the piece, products with the influence between pieces.

The influence after a piece is M = J M₀ + I, with J and I the derivatives of where the piece ends by where it starts and by the
parameters. Backpropagation through the piece gives both, one pass for each entry of the state, or one for all where units read
themselves alone; and the gradient is that of the piece by itself plus dL/ds₀ M₀. It is as exact as single steps, and costs a
fraction of them (Schmidhuber 1992, "A fixed size storage O(n³) time complexity learning algorithm").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from autograd_seq.core.node import Node, constant
from autograd_seq.grad.influence import add_up, expand, join, push, sum_to
from autograd_seq.grad.jacobian import derive, list_free
from autograd_seq.grad.reverse import grad
from autograd_seq.grad.sparsity import Locks, find_locks, list_dimensions
from autograd_seq.graph.order import step_order


class Row(NamedTuple):
    """What a piece reads of earlier ones, or leaves to later ones.

    Args:
        source: the value.
        back: how many steps before the piece begins, or ends, less one: 0 is the newest.
        node: its row.
    """

    source: Node
    back: int
    node: Node


def differentiate_piece(
    loss: Node, wrt: Sequence[Node], starts: Sequence[Row], ends: Sequence[Row],
    held: Mapping[tuple[Node, int, Node], Node], locks: Mapping[tuple[Node, Node], Locks],
) -> tuple[list[Node], dict[tuple[Node, int, Node], Node]]:  # fmt: skip
    """Return the gradients of the loss of a piece, and the influence that it leaves.

    Args:
        loss: of the piece, a number.
        wrt: parameters.
        starts: what the piece reads of earlier ones.
        ends: what it leaves.
        held: by source, steps back and parameter, the influence at the start.
        locks: of each influence, by source and parameter.
    """
    found = grad(loss, [*(row.node for row in starts), *wrt])
    gradients = []
    for p, g in zip(wrt, found[len(starts) :], strict=True):
        parts = [g]
        for row, c in zip(starts, found, strict=False):
            if (M := held.get((row.source, row.back, p))) is not None:
                inner = list_dimensions(locks[row.source, p])
                parts.append(sum_to(push(c, {}, {}, constant(0.0), M, inner, row.source, p), p.axes))
        gradients.append(add_up(parts, p.shape))
    left: dict[tuple[Node, int, Node], Node] = {}
    by_leaf = {leaf: find_locks(step_order([row.node for row in ends]), leaf) for leaf in [*(r.node for r in starts), *wrt]}
    for end in ends:
        x, blocks = end.source, _derive_end(end.node, by_leaf)
        for p in wrt:
            if (x, p) in locks:
                target, parts = list_dimensions(locks[x, p]), []
                if p in blocks:
                    parts.append(expand(*blocks[p], target, x, p))
                for row in starts:
                    M = held.get((row.source, row.back, p))
                    if M is not None and row.node in blocks:
                        inner = list_dimensions(locks[row.source, p])
                        parts.append(push(*blocks[row.node], target, x, M, inner, row.source, p))
                shape = (*(x.shape[d] for d in list_free(x, target)), *p.shape)
                over = join([a for a in x.axes if a in end.node.axes], p.axes)
                left[x, end.back, p] = add_up([sum_to(part, over) for part in parts], shape)
    return gradients, left


def _derive_end(end: Node, by_leaf: Mapping[Node, Mapping[Node, Locks]]) -> dict[Node, tuple[Node, dict[int, int]]]:
    """Return the derivative of a row that is left by each leaf on which it depends, and the dimensions that are locked."""
    wanted: dict[tuple[int, ...], list[Node]] = {}
    for leaf, locks in by_leaf.items():
        if end in locks:
            wanted.setdefault(list_free(end, list_dimensions(locks[end])), []).append(leaf)
    return {leaf: (block, list_dimensions(by_leaf[leaf][end])) for free, leaves in wanted.items()
            for leaf, block in zip(leaves, derive(end, leaves, free), strict=True)}  # fmt: skip


__all__ = ["Row", "differentiate_piece"]
