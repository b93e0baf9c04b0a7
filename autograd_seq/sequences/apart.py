"""Batches whose sequences are at different steps: which values differ between them, and sums of these over the batch."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError
from autograd_seq.core.facts import EACH
from autograd_seq.core.node import Node, apply
from autograd_seq.graph.order import find_dependents
from autograd_seq.graph.rebuild import remake
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import where
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, INDEX, SPREAD
from autograd_seq.sequences.pieces import Source, find_shifts_back


def find_differing(graph: System, sources: Sequence[Source], axis: Axis, batch: tuple[Axis, ...] | None) -> set[Node]:
    """Return the nodes that differ between the sequences of a batch that are at different steps.

    They are the step numbers, the random draws of a step, the carried values, what is read of all earlier steps, and whatever
    depends on any of these.
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
        if n in carried or n.op in (ALONG, TAKE_STEP):
            return True
        return (n.op is INDEX and not n.attrs.get("here")) or (n.op is AT and "row" in n.attrs)

    seeds = [n for n in graph.nodes if differs(n)]
    return find_dependents(graph.nodes, seeds, lambda n: not set(batch) & set(n.attrs.get("axes", ())))


class Sums:
    """Sums over the batch, moved outside of products whose other factor differs between sequences.

    The cotangent of a value that all sequences share is a sum over them, taken at each step. Where sequences are at different
    steps, a factor of that sum may differ between them: then the product is taken before the sum.
    """

    def __init__(self, graph: System, axis: Axis, batch: tuple[Axis, ...]) -> None:
        self.graph, self.axis, self.batch = graph, axis, batch
        self.terms: dict[Node, Node] = {}  # the terms of each sum that was made
        sums = [n for n in graph.nodes if n.op is not SPREAD and set(batch) & set(n.attrs.get("axes", ()))]
        together = [n for n in sums if axis in n.axes]
        self.mixed = find_dependents(
            graph.nodes, together, lambda n: axis in n.axes
        )  # what depends on all sequences at one step

    def sum_chosen(self, node: Node, x: Node, chosen: Node) -> Node:
        """Return the sum of ``x`` over the steps where ``chosen`` holds, which may be other ones in each sequence."""
        terms = self.terms.get(x, x)
        if node.inputs[0] in self.mixed and not set(chosen.axes) <= {*terms.axes, self.axis}:
            raise self.make_error(node)
        return sum_over(where(chosen, terms, 0.0), axes=(self.axis, *(a for a in terms.axes if a not in x.axes)))

    def replace(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """Return what replaces a node that reads sums; ``None`` if the same operation on the new inputs does."""
        of = [self.terms.get(x) for x in inputs]
        over = [a for a in node.attrs.get("axes", ()) if a in self.batch]
        if node.op is sum_over and over and len(inputs) == 1 and over == [a for a in self.batch if a in inputs[0].axes]:
            rest = tuple(a for a in node.attrs["axes"] if a not in over)
            return self._sum(apply(sum_over, inputs[0], axes=rest) if rest else inputs[0], over)
        known = [t for t in of if t is not None]
        scaled = node.op.linear == EACH and len(known) == 1
        if known and (scaled or ((node.op.adds or node.op is SPREAD) and len(known) == len(inputs))):
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
        """Return the error about a sum over sequences at each step, when they are at different steps."""
        name, over = self.graph.name(node), ", ".join(a.name for a in self.batch)
        return CarryError(
            "K111", f"{name} reads sums over {over} at each step of {self.axis}, but the sequences are at different steps",
            node=name, where=node.where, expected=f"sums over ({self.axis}, {over}), or over {self.axis} alone", got=name,
            fix=f"let what is carried or drawn vary over {over}, or leave out lengths= or carry=",
        )  # fmt: skip
