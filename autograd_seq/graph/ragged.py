"""Lengths: a graph over padded sequences, made of one over whole ones, by a change of the graph alone.

What a padded point holds is nobody's business, and there are few ways from it to a real one; each is closed. A reduction
over steps, or over the sequences of a batch, selects (``where``, not a product: 0 · NaN is NaN); a contraction that is
summed selects both of its operands; a read of a later step ends at the sequence's own end, where the rows behind it begin;
a step counted from the end is counted from that one. The same holds in the equations of a gradient, which are equations
like others. What is fed is selected first of all, and what is returned last, so that nothing in the padding is ever seen.

A read of an earlier step needs no care, for it never leads from the padding into a sequence. That is why a forward
recurrence runs without a mask in its loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.errors import AxisError
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import rows
from autograd_seq.graph.rebuild import again, rebuild
from autograd_seq.graph.unroll import REDUCTIONS
from autograd_seq.node import Node, apply, constant
from autograd_seq.op import OPS
from autograd_seq.ops.elementwise import cast, equal, less, logical_and, maximum, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import SEED
from autograd_seq.ops.reduce import max_over, sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import AT, INDEX, SHIFT, SIZE, spread

_CONTRACT, _MUL, _ZERO_SAFE, _WHERE = (OPS[n] for n in ("contract", "mul", "zero_safe_mul", "where"))
_LINEAR = {"neg", "reshape", "transpose", "slice", "place", "sum", "broadcast_to", "spread", "stop_gradient"}
"""Operations on one operand that make zeros of zeros; they may as well be done behind a selection."""
_ADDING = {"add", "sub", "concat"}


class Need(NamedTuple):
    """A length that some node cannot do without: ``axis`` has at least ``steps``, for ``node``."""

    axis: Axis
    steps: int
    node: Node


class Ragged:
    """The graph of given nodes with lengths on some axes.

    Args:
        graph: the equations over whole sequences.
        over: for each axis that has lengths, what its length varies over (the batch).

    Attributes:
        outputs: what stands for the outputs: 0 in the padding.
        lengths: the axes that have lengths, with the inputs that tell them; those that ``along`` makes equal included.
        needs: lengths below which there is nothing to choose from.
        image: what became of each node.

    Raises:
        AxisError: something would come to vary over the batch because a length does, or the batch is shifted along.

    Notes:
        Linear in the number of nodes. A selection costs a pass over what it selects from, outside of loops where that is
        possible; a read of a later step on a cycle is selected at each step.
    """

    def __init__(self, graph: Graph, over: dict[Axis, tuple[Axis, ...]]) -> None:
        self.graph, self.over = graph, dict(over)
        taken = {graph.name(n) for n in graph.nodes}
        self.lengths: dict[Axis, Node] = {}
        for axis, batch in over.items():
            name = f"length of {axis.name}"
            while name in taken:
                name += "'"
            self.lengths[axis] = Node(INPUT, (), {"made": True}, (), int, batch, name=name)
        self._let_along_share()
        self._check_batch()
        self.needs: list[Need] = []
        self.image: dict[Node, Node] = {}
        self._clean: set[Node] = set()
        self._memo: dict[object, Node] = {}
        made = rebuild(graph.outputs, self._rule, image=self.image, shifts=self._shifted)
        self._check_axes(made)
        self.outputs: list[Node] = [self._real(spread(new, old.axes)) for old, new in zip(graph.outputs, made, strict=True)]

    def _let_along_share(self) -> None:
        pairs = [(n.attrs["axis"], n.attrs["other"]) for n in self.graph.nodes if n.op.name == "along"]
        for a, b in [*pairs, *(p[::-1] for p in pairs)] * len(pairs):
            if a in self.lengths and b not in self.lengths:
                self.lengths[b], self.over[b] = self.lengths[a], self.over[a]

    def _check_batch(self) -> None:
        batch = {b: a for a, over in self.over.items() for b in over}
        for n in self.graph.nodes:
            if n.op is SHIFT and n.attrs["axis"] in batch:
                raise AxisError(
                    "A301", f"{self.graph.name(n)} reads another sequence of the batch", node=self.graph.name(n),
                    where=n.where, expected=f"no shift along {n.attrs['axis']}, over which the length of "
                    f"{batch[n.attrs['axis']]} varies", got=self.graph.name(n),
                    fix=f"one length for all: lengths={{{batch[n.attrs['axis']]}: 5}}",
                )  # fmt: skip

    def _check_axes(self, made: Sequence[Node]) -> None:
        pairs = [(old, x) for old in self.image if old.op in (STATE, SHIFT) for x in self._read(old)]
        for old, x in [*pairs, *zip(self.graph.outputs, made, strict=True)]:
            if extra := [a.name for a in x.axes if a not in old.axes]:
                name = self.graph.name(old)
                raise AxisError(
                    "A302", f"{name} comes to vary over {', '.join(extra)}, because a length does", node=name, where=old.where,
                    expected=f"a value that varies over {', '.join(a.name for a in old.axes) or 'no axis'}", got=repr(x),
                    fix=f"let what the number of steps is multiplied or compared with vary over {extra[0]}, or reduce over it",
                )  # fmt: skip

    @cached_property
    def whole(self) -> Graph:
        """The graph with lengths: an ordinary one."""
        return type(self.graph)(self.outputs)

    def _read(self, old: Node) -> list[Node]:
        return [self.image[x] for x in old.inputs if x in self.image]

    # -- how long -----------------------------------------------------------------------------------------------------

    def _once(self, key: object, make: Callable[[], Node]) -> Node:
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    def _steps(self, r: Axis, axes: Sequence[Axis]) -> Node:
        """Return the length of ``r`` for what varies over ``axes``: of sequences that it does not tell apart, the longest."""
        missing = tuple(a for a in self.over[r] if a not in axes)
        if not missing:
            return self.lengths[r]

        def longest() -> Node:  # counted, for a maximum over no sequences would be an error
            here = sum_over(cast(less(INDEX(axis=r, here=True), self.lengths[r]), int), axes=missing) > 0
            return sum_over(cast(here, int), axes=(r,))

        return self._once((r, missing), longest)

    def _inside(self, r: Axis, axes: Sequence[Axis], ahead: int = 0) -> Node:
        """Return where the step ``ahead`` of the current one is real."""
        steps = self._steps(r, axes)
        return self._once((r, steps, ahead), lambda: less(INDEX(axis=r, here=True), steps - ahead if ahead else steps))

    def _valid(self, axes: Sequence[Axis], ragged: Sequence[Axis]) -> Node:
        """Return where the points of something that varies over ``axes`` are real, as far as some of them are concerned."""
        masks = [self._inside(r, axes) for r in ragged]
        out = masks[0]
        for mask in masks[1:]:
            a = out
            out = self._once((a, mask), lambda a=a, mask=mask: logical_and(a, mask))  # type: ignore[misc]
        return out

    def _ragged(self, axes: Sequence[Axis]) -> list[Axis]:
        return [a for a in axes if a in self.lengths]

    def _counted(self, axes: Sequence[Axis], among: Sequence[Axis]) -> list[Axis]:
        """Return the axes with lengths that decide which points a reduction of some axes meets."""
        return [r for r in self._ragged(axes) if r in among or any(b in among for b in self.over[r])]

    # -- selections ---------------------------------------------------------------------------------------------------

    def _real(self, x: Node) -> Node:
        """Return ``x`` with zeros in the padding."""
        ragged = self._ragged(x.axes)
        return self._zeroed(x, ragged) if ragged else x

    def _zeroed(self, x: Node, ragged: Sequence[Axis]) -> Node:
        """Return ``x`` with zeros where it is not real, as far as some axes are concerned; what is linear, behind that."""
        if x in self._clean or not ragged:
            return x
        return self._once(("zeroed", x, tuple(ragged)), lambda: self._zero(x, ragged))

    def _zero(self, x: Node, ragged: Sequence[Axis]) -> Node:
        linear = x.op is _CONTRACT or (x.op.name in _LINEAR and len(x.inputs) == 1)
        if linear and all(any(r in y.axes for y in x.inputs) for r in ragged):
            parts = [self._zeroed(y, [r for r in ragged if r in y.axes]) for y in x.inputs]
            return self._noted(apply(x.op, *parts, **x.attrs), parts)
        return self._selected(x, ragged, {float: 0.0, int: 0, bool: False}[x.dtype])

    def _selected(self, x: Node, ragged: Sequence[Axis], fill: float | int | bool) -> Node:
        made = where(self._valid(x.axes, ragged), x, fill)
        if not fill and set(ragged) >= set(self._ragged(x.axes)):
            self._clean.add(made)
        return made

    def _noted(self, made: Node, inputs: Sequence[Node]) -> Node:
        """Note whether a node holds zeros in the padding because its operands do."""
        def clean(x: Node) -> bool:
            return x in self._clean and set(self._ragged(made.axes)) <= set(self._ragged(x.axes))

        name, static = made.op.name, [x for x in inputs if not x.axes]
        if name in _LINEAR or name in _ADDING or (name == "sum_over" and not made.attrs["axes"]):
            known = all(clean(x) for x in inputs)
        elif made.op in (_CONTRACT, _MUL):
            known = any(clean(x) for x in inputs) and all(clean(x) or x in static for x in inputs)
        else:
            known = made.op is _ZERO_SAFE and clean(inputs[0])
        if known and self._ragged(made.axes):
            self._clean.add(made)
        return made

    # -- what becomes of each operation ---------------------------------------------------------------------------------

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op is INPUT:
            return self._real(node) if node is not SEED and self._ragged(node.axes) else None
        if node.op is SIZE:
            made = self._size(node)
        elif node.op is AT and node.attrs["axis"] in self.lengths:
            made = self._at(node, *inputs)
        elif node.op.name in REDUCTIONS and node.attrs["axes"]:
            made = self._reduced(node, *inputs)
        else:
            return self._noted(again(node, inputs), inputs)
        if made is not None and made is not node and made.name is None and made.op is not INPUT:
            made.name, made.site, made.scope = node.name, node.site, node.scope
        return made

    def _size(self, node: Node) -> Node | None:
        axis, among, of = node.attrs["axis"], node.attrs.get("among"), node.attrs.get("of", ())
        if among is None:
            return self.lengths.get(axis)
        ragged = self._counted(of, among)
        touched = [a for a in among if a in ragged or any(a in self.over[r] for r in ragged)]
        if axis not in touched:
            return None
        if axis is not touched[0]:  # the first stands for all
            return constant(1)
        if touched == ragged and len(ragged) == 1:
            return self._steps(axis, of)
        total = sum_over(cast(self._valid(of, ragged), int), axes=tuple(touched))
        return total if all(r in among for r in ragged) else maximum(total, 1)  # no sequence may be as long as a step is late

    def _at(self, node: Node, x: Node) -> Node | None:
        axis, i, must = node.attrs["axis"], node.attrs["index"], node.attrs["outside"] == "error"
        if must:
            self.needs.append(Need(axis, i + 1 if i >= 0 else -i, node))
        steps, fill = self._steps(axis, x.axes), constant({float: 0.0, int: 0, bool: False}[x.dtype])
        if i >= 0:
            picked = again(node, (x,))
            return picked if must else where(less(i, steps), picked, fill)
        picked = sum_over(where(equal(INDEX(axis=axis, here=True), steps + i), x, fill), axes=(axis,))
        return cast(picked, bool) if x.dtype is bool else picked

    def _reduced(self, node: Node, x: Node) -> Node | None:
        among = node.attrs["axes"]
        x = spread(x, [a for a in among if a in self.lengths])
        ragged = self._counted(x.axes, among)
        if not ragged:
            return None
        if node.op is sum_over:
            return apply(node.op, self._zeroed(x, ragged), **node.attrs)
        if node.op is max_over:
            self.needs += [Need(r, 1, node) for r in ragged if r in among]
        lowest = {float: -math.inf, int: int(np.iinfo(np.int64).min), bool: False}[x.dtype]
        return apply(node.op, self._selected(x, ragged, lowest), **node.attrs)

    def _shifted(self, old: Node, new: Node) -> Node:
        """Return what readers of a shift see: behind a sequence's own end, the rows that lie there."""
        axis, ahead = new.attrs["axis"], -new.attrs["by"]
        if axis not in self.lengths or ahead < 0:
            return new
        fill: Node = constant({float: 0.0, int: 0, bool: False}[new.dtype])
        bound, given = (None, ()) if new.attrs["outside"] == "zero" else rows(old.inputs[0], axis, "final")
        if bound is not None and bound.rows is None:
            fill = self.image[given[0]]
        elif bound is not None:
            behind = INDEX(axis=axis, here=True) + ahead - self._steps(axis, new.axes)
            fill = self.image[given[ahead - 1]]
            for j in range(ahead - 2, -1, -1):
                fill = where(equal(behind, j), self.image[given[j]], fill)
        return where(self._inside(axis, new.axes, ahead), new, fill)
