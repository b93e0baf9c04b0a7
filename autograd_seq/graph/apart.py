"""Sequences of a batch at steps of their own: which values come to differ, and sums over the batch that wait for that."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.axes import Axis
from autograd_seq.errors import CarryError
from autograd_seq.graph.order import find_dependents
from autograd_seq.graph.pieces import FACTORS, LINEAR, Source, find_shifts_back
from autograd_seq.graph.rebuild import remake
from autograd_seq.graph.system import System
from autograd_seq.node import Node, apply
from autograd_seq.ops.elementwise import where
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import AT, INDEX, SPREAD


def find_differing(graph: System, sources: Sequence[Source], axis: Axis, batch: tuple[Axis, ...] | None) -> set[Node]:
    """Return the nodes that differ from sequence to sequence when each is at a step of its own.

    Those are the steps counted on, what is drawn for them, what is carried, and whatever depends on any of it.
    """
    if not batch:
        return set()
    held, carried = {x for x, _ in sources}, set(find_shifts_back(graph, axis).values)

    def differs(n: Node) -> bool:
        if n.op is DRAW:
            return axis in n.attrs["over"]
        if n.op is STATE:
            return n in held
        if n.attrs.get("axis") is not axis:
            return False
        return n in carried or (n.op is INDEX and not n.attrs.get("here")) or (n.op is AT and "row" in n.attrs)

    seeds = [n for n in graph.nodes if differs(n)]
    return find_dependents(graph.nodes, seeds, lambda n: not set(batch) & set(n.attrs.get("axes", ())))


class Sums:
    """Sums over the batch, which are taken behind what multiplies them if that differs from sequence to sequence.

    A cotangent of what is the same for all sequences is a sum over them, taken at each step. Where sequences come to steps of
    their own, what it is multiplied by is not the same for all any more: the product belongs inside of the sum.
    """

    def __init__(self, graph: System, axis: Axis, batch: tuple[Axis, ...]) -> None:
        self.graph, self.axis, self.batch = graph, axis, batch
        self.terms: dict[Node, Node] = {}  # what a sum is the sum of
        sums = [n for n in graph.nodes if n.op is not SPREAD and set(batch) & set(n.attrs.get("axes", ()))]
        together = [n for n in sums if axis in n.axes]
        self.mixed = find_dependents(
            graph.nodes, together, lambda n: axis in n.axes
        )  # what depends on all sequences at one step

    def sum_chosen(self, node: Node, x: Node, chosen: Node) -> Node:
        """Return the sum of a value over the steps that are chosen, each sequence having its own."""
        terms = self.terms.get(x, x)
        if node.inputs[0] in self.mixed and not set(chosen.axes) <= {*terms.axes, self.axis}:
            raise self.make_error(node)
        return sum_over(where(chosen, terms, 0.0), axes=(self.axis, *(a for a in terms.axes if a not in x.axes)))

    def replace(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """Return what stands for a node that reads sums; ``None`` if it is the operation as it is."""
        of = [self.terms.get(x) for x in inputs]
        over = [a for a in node.attrs.get("axes", ()) if a in self.batch]
        if node.op is sum_over and over and len(inputs) == 1 and over == [a for a in self.batch if a in inputs[0].axes]:
            rest = tuple(a for a in node.attrs["axes"] if a not in over)
            return self._sum(apply(sum_over, inputs[0], axes=rest) if rest else inputs[0], over)
        known = [t for t in of if t is not None]
        one = (node.op.name in FACTORS and len(known) == 1) or node.op.name in LINEAR
        if known and (one or (node.op.name in ("add", "sub") and len(known) == 2)):
            whole = [x if t is None else t for x, t in zip(inputs, of, strict=True)]
            return self._sum(remake(node, tuple(whole)), [a for a in self.batch if any(a in t.axes for t in known)])
        apart = any(set(x.axes) - set(old.axes) for x, old in zip(inputs, node.inputs, strict=True))
        if apart and any(x in self.mixed for x in node.inputs):
            raise self.make_error(node)
        return None

    def _sum(self, terms: Node, over: Sequence[Axis]) -> Node:
        made: Node = apply(sum_over, terms, axes=tuple(over))
        if self.axis in made.axes:
            self.terms[made] = terms
        return made

    def make_error(self, node: Node) -> CarryError:
        """Return the error of sequences that are added up at each step, and are at different ones."""
        name, over = self.graph.name(node), ", ".join(a.name for a in self.batch)
        return CarryError(
            "K111", f"{name} reads sums over {over} at each step of {self.axis}, but the sequences are at different steps",
            node=name, where=node.where, expected=f"sums over ({self.axis}, {over}), or over {self.axis} alone", got=name,
            fix=f"let what is carried or drawn vary over {over}, or leave out lengths= or carry=",
        )  # fmt: skip
