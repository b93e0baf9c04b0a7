"""Selections: zeros in the padding of values, and what is known of values that hold them.

A value is *clean* if it is 0 in all of its padding, and *harmless* if 0 times it is 0: it is finite, or not a float. A linear
operation is selected by selecting some of its operands, the smallest if there is a choice; a clean value needs no selection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.kinds import ZERO
from autograd_seq.core.node import Node, apply
from autograd_seq.graph.rebuild import remake
from autograd_seq.ops.elementwise import mul, where, zero_safe_mul
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.steps import RECEIVE, SEND
from autograd_seq.ops.time import SPREAD
from autograd_seq.sequences.masks import Masks

PRODUCTS = (CONTRACT, mul)


class Selections:
    """Sets values to zero in their padding, and remembers which are zero there already.

    Args:
        masks: which points are real.

    Attributes:
        clean: the nodes known to be 0 wherever they are padding.
        finite: the nodes known to be finite whatever their operands are in the padding.
        counts: values without axes that depend on a length.
    """

    def __init__(self, masks: Masks) -> None:
        self.masks = masks
        self.clean: set[Node] = set()
        self.finite: set[Node] = set()
        self.counts: set[Node] = set()
        self._memo: dict[object, Node] = {}

    def _make_once(self, key: object, make: Callable[[], Node]) -> Node:
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    def zero_padding(self, x: Node) -> Node:
        """Return ``x`` with zeros in the padding."""
        ragged = self.masks.list_ragged(x.axes)
        return self.zero(x, ragged) if ragged else x

    def zero(self, x: Node, ragged: Sequence[Axis]) -> Node:
        """Return ``x`` with zeros where it is padding along some axes; of a linear operation the operands are selected."""
        if x in self.clean or not ragged:
            return x
        return self._make_once(("zeroed", x, tuple(ragged)), lambda: self._select_zero(x, ragged))

    def _select_zero(self, x: Node, ragged: Sequence[Axis]) -> Node:
        linear = x.op is CONTRACT or _is_larger(x) or (len(x.inputs) == 1 and (x.op.adds or x.op is SPREAD))
        if linear and all(any(self.covers(y, r, x) for y in x.inputs) for r in ragged):
            chosen = self._choose_operands(x, ragged)
            parts = [self.zero(y, [r for r in ragged if r in y.axes]) if y in chosen else y for y in x.inputs]
            return self.note(apply(x.op, *parts, **x.attrs), parts)
        return self.select(x, ragged, ZERO[x.dtype])

    def covers(self, y: Node, r: Axis, x: Node) -> bool:
        """Tell whether an operand varies over all axes that decide which points of a result are padding along ``r``."""
        return r in y.axes and all(b in y.axes for b in self.masks.over[r] if b in x.axes)

    def _choose_operands(self, x: Node, ragged: Sequence[Axis]) -> set[Node]:
        """Return the operands to select in place of a linear result: all that are not harmless, and at least one."""
        wild = {y for y in x.inputs if not self.is_harmless(y)}
        whole = [y for y in x.inputs if all(self.covers(y, r, x) for r in ragged)]
        if not whole:  # each of two operands is padded along an axis of its own
            return set(x.inputs)
        if any(y in wild for y in whole) or any(y in self.clean for y in whole):
            return wild
        return wild | {min(whole, key=lambda y: math.prod(y.shape))}

    def select(self, x: Node, ragged: Sequence[Axis], fill: float) -> Node:
        made = where(self.masks.mask_valid(x.axes, ragged), x, fill)
        if not fill and set(ragged) >= set(self.masks.list_ragged(x.axes)):
            self.clean.add(made)
        if x in self.finite and math.isfinite(fill):
            self.finite.add(made)
        return made

    def make_named(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """Return a read of a step that an index names, or its adjoint; an index in the padding names none."""
        ragged = self.masks.list_ragged(inputs[1].axes if len(inputs) > 1 else (node.attrs["axis"],))
        if ragged and node.op is not RECEIVE:
            i = inputs[1]
            valid = self.masks.mask_valid(tuple(dict.fromkeys((*i.axes, *node.axes))), ragged)
            inputs = inputs[0], self._make_once(("named", i, valid), lambda: where(valid, i, -1))
        made = remake(node, inputs)
        if node.op is not SEND and set(ragged) >= set(self.masks.list_ragged(made.axes)):
            self.clean.add(made)  # nothing is read in the padding, and nothing is sent there
        return made

    def empty(self, x: Node) -> Node:
        """Return the equation of a state that is 0 in the padding: zeros are written over what was computed there."""
        if x in self.clean:
            return x
        return where(self.masks.mask_outside(x.axes), ZERO[x.dtype], x)

    def note(self, made: Node, inputs: Sequence[Node]) -> Node:
        """Note whether a node is 0 in the padding because its operands are, and return it."""
        if self._vanishes(made, inputs):
            self.clean.add(made)
        return made

    def is_clean(self, x: Node, as_: Node) -> bool:
        """Tell whether an operand holds zeros wherever what reads it is padding."""
        return x in self.clean and all(self.covers(x, r, as_) for r in self.masks.list_ragged(as_.axes))

    def is_harmless(self, x: Node) -> bool:
        """Tell whether 0 times the value is 0."""
        static = not x.axes and x not in self.counts  # 1 / length is infinite for a sequence of no steps
        return static or x.dtype is not float or x in self.finite or x in self.clean

    def _vanishes(self, made: Node, inputs: Sequence[Node]) -> bool:
        if not self.masks.list_ragged(made.axes):
            return False
        clean = [self.is_clean(x, made) or is_zero(x) for x in inputs]
        if adds_up(made):
            return all(clean)
        if made.op in PRODUCTS:
            return any(clean) and all(c or self.is_harmless(x) for c, x in zip(clean, inputs, strict=True))
        if made.op is where:
            return all(clean[1:])
        return made.op is zero_safe_mul and clean[0]


def _is_larger(node: Node) -> bool:
    """Tell whether a node is a product with more entries than each of its factors."""
    size = math.prod(node.shape)
    return node.op is mul and all(len(x.axes) < len(node.axes) or math.prod(x.shape) < size for x in node.inputs)


def adds_up(node: Node) -> bool:
    """Tell whether a node is linear in all of its operands together, at its own point."""
    return node.op.adds or node.op is SPREAD or (node.op is sum_over and not node.attrs["axes"])


def is_zero(x: Node) -> bool:
    """Tell whether a node is known to be 0 in all entries."""
    return x._value is not None and not np.any(x._value)


__all__ = ["PRODUCTS", "Selections", "adds_up", "is_zero"]
