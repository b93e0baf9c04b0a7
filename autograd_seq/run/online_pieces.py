"""Several steps of online learning in a call: one program that continues from the carry of a stream, and leaves one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.node import Node
from autograd_seq.grad.over_pieces import Row, differentiate_piece
from autograd_seq.grad.sparsity import Locks
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import find_dependents
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.time import spread
from autograd_seq.run.carried import CarriedProgram
from autograd_seq.run.carry import Carry
from autograd_seq.run.program import Program

Pair = tuple[Node, Node]


class OnlinePieces:
    """A program of several steps that continues from a carry.

    Args:
        program: that of the stream: its outputs are the loss and the gradients of a step.
        wrt: the parameters.
        influence: of each pair (source, parameter) the locks, and the state.
        options: as for :func:`ag.stream`.
        exact: whether the influence after a piece is that after its single steps. Otherwise each step goes on with the one
            before, and what the steps return is added up.

    Attributes:
        backpropagates: whether it goes backwards through all of its steps, and multiplies with the influence once.
        numbers: about how many numbers a step keeps.
    """

    def __init__(self, program: CarriedProgram, wrt: Sequence[Node], influence: Mapping[Pair, tuple[Locks, Node]],
                 options: Mapping[str, Any], exact: bool) -> None:  # fmt: skip
        self.program, cut = program, program.cut
        count = 1 + len(wrt)
        values, rows = cut.later[:count], iter(cut.later[count:])
        left = {slot.name: [next(rows) for _ in range(slot.rows)] for slot in cut.slots}
        totals = [sum_of(v, over=cut.axis) for v in values]
        reached = {*program.graph.nodes}
        named = {program.graph.name(s): pair for pair, (_, s) in influence.items() if s in reached}
        sources = {program.graph.name(x): x for x, _ in influence}
        self.numbers = max(1, sum(math.prod(slot.shape) * slot.rows for slot in cut.slots))
        self.backpropagates = exact and self._is_known(wrt, left, {*named, *sources})
        if self.backpropagates:
            totals = [totals[0], *self._replace_influence(totals[0], wrt, influence, named, sources, left)]
            self.numbers = max(1, sum(x.size**2 for x in sources.values()))
        over = {slot.name: slot.axes for slot in cut.slots}
        ends = [(spread(row, over[name]), over[name]) for name, some in left.items() for row in some]
        graph = Graph([*totals, *(row for row, _ in ends)])
        layouts = [p.axes for p in (totals[0], *wrt)]
        self.made = Program(graph, options.get("dtype"), options.get("passes"), [*layouts, *(axes for _, axes in ends)],
                            options.get("backend", "numpy"))  # fmt: skip
        self._count = count

    def _is_known(self, wrt: Sequence[Node], left: Mapping[str, list[Node]], known: Collection[str]) -> bool:
        """Tell whether all that is carried and depends on parameters goes by the name of a source, or is an influence."""
        moved = find_dependents(Graph(self.program.cut.later).nodes, wrt)
        return all(name in known for name, rows in left.items() for row in rows if row in moved and row.dtype is float)

    def _replace_influence(
        self, loss: Node, wrt: Sequence[Node], influence: Mapping[Pair, tuple[Locks, Node]], named: Mapping[str, Pair],
        sources: Mapping[str, Node], left: dict[str, list[Node]],
    ) -> list[Node]:  # fmt: skip
        """Return the gradients of a piece, and write its equations of what is left of the influence in the place of others."""
        cut = self.program.cut
        fed = Graph(cut.later).inputs
        starts, ends = list[Row](), list[Row]()
        held: dict[tuple[Node, int, Node], Node] = {}
        places: dict[tuple[Node, int, Node], tuple[str, int]] = {}
        for slot in cut.slots:
            nodes = [(slot.rows - 1 - i, fed.get(feed), left[slot.name][i]) for i, feed in enumerate(slot.feeds)]
            if slot.name in named:
                x, p = named[slot.name]
                held |= {(x, back, p): start for back, start, _ in nodes if start is not None}
                places |= {(x, slot.rows - 1 - i, p): (slot.name, i) for i in range(slot.rows)}
            elif slot.name in sources:
                x = sources[slot.name]
                starts += [Row(x, back, start) for back, start, _ in nodes if start is not None]
                ends += [Row(x, back, end) for back, _, end in nodes]
        gradients, after = differentiate_piece(loss, wrt, starts, ends, held, {k: v[0] for k, v in influence.items()})
        for key, (name, i) in places.items():
            left[name][i] = after[key]
        return gradients

    def __call__(self, carry: Carry, given: dict[str, Any], steps: int) -> tuple[tuple[np.ndarray, ...], Carry]:
        """Run so many steps, and return the sums over them, and the carry."""
        fed = self.program.make_feeds(carry, given, graph=self.made.graph)
        values = self.program.continue_from(carry, given, lambda: self.made(**fed), self.made.graph)
        rows, at = {}, self._count
        for slot in self.program.cut.slots:
            rows[slot.name] = np.stack(values[at : at + slot.rows])
            at += slot.rows
        return values[: self._count], self.program.make_carry(carry, rows, steps)


__all__ = ["OnlinePieces"]
