"""The one ordered list of passes: graph → equal graph with less to compute, then the schedule and where its values live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from autograd_seq.axes import Axis
from autograd_seq.errors import OperationError, did_you_mean
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.node import Node
from autograd_seq.ops.window import OVERLAP, WINDOW, doubled
from autograd_seq.plan.blocks import blocked
from autograd_seq.plan.contracted import contracted
from autograd_seq.plan.dimensions import fixed, headed
from autograd_seq.plan.expand import expanded
from autograd_seq.plan.halves import halved
from autograd_seq.plan.join import joined
from autograd_seq.plan.legal import legal
from autograd_seq.plan.pack import packed
from autograd_seq.plan.regroup import regrouped
from autograd_seq.plan.schedule import Item, schedule
from autograd_seq.plan.simplify import canonical, identities, merged, tidied
from autograd_seq.plan.storage import Storage
from autograd_seq.plan.views import LEAVES

GRAPH_PASSES: dict[str, Callable[..., list[Node]]] = {
    "canonical": canonical,
    "identities": identities,
    "expand": expanded,
    "merge": merged,
    "halve": halved,
    "pack": packed,
    "regroup": regrouped,
    "contract": contracted,
    "heads": headed,
    "tidy": tidied,
    "join": joined,
    "block": blocked,
}
"""Passes over the graph, in the order in which they run."""

PASSES: tuple[str, ...] = (*GRAPH_PASSES, "absorb", "apart", "share")
"""All passes, in order: those over the graph; ``absorb``, which sums outer products over time without forming them; ``apart``,
which lays the parts of packed values one behind the other; and ``share``, which uses an array again when nobody needs what it
held."""

Say = Callable[[Node], bool]


@dataclass(frozen=True)
class Plan:
    """A graph that is ready to be written as a program."""

    graph: Graph
    items: tuple[Item, ...]
    storage: Storage


def plan(
    outputs: Sequence[Node],
    axes: Sequence[Axis],
    writes: Say,
    in_place: Say,
    passes: Iterable[str] | None = None,
) -> Plan:
    """Return the plan of what computes ``outputs``.

    Args:
        outputs: nodes of a graph that has been checked.
        axes: the axes of that graph, in order.
        writes, in_place: what the language can do with a node's operation (see :class:`Storage`).
        passes: names out of ``PASSES``; all by default.

    Raises:
        OperationError: there is no such pass.
    """
    chosen, out = simplified(outputs, passes)
    out = legal(out)
    graph = Graph(out)
    items = schedule(graph.nodes)
    inner = absorbed(graph, items) if "absorb" in chosen else {}
    every = [*fixed(graph.axes), *axes]
    storage = Storage(
        items, graph.outputs, every, [n for n in graph.nodes if writes(n)], [n for n in graph.nodes if in_place(n)], inner,
        share="share" in chosen, blocks="apart" in chosen,
    )  # fmt: skip
    return Plan(graph, items, storage)


def simplified(outputs: Sequence[Node], passes: Iterable[str] | None = None) -> tuple[set[str], list[Node]]:
    """Return the passes that are to run, and what is left to be computed when those over the graph have.

    Args:
        outputs, passes: as for :func:`plan`.

    Raises:
        OperationError: there is no such pass.
    """
    chosen = set(PASSES if passes is None else passes)
    for name in chosen:
        if name not in PASSES:
            raise OperationError("O303", f'there is no pass "{name}"', got=repr(name), fix=did_you_mean(name, PASSES))
    out = rebuild(outputs, own)
    for name, run in GRAPH_PASSES.items():
        if name in chosen:
            out = run(out)
    return chosen, out


def own(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Copy what is computed, for passes give names to their nodes, and those of the user are not theirs; spell windows out."""
    if node.op in (WINDOW, OVERLAP):
        return copy_name(node, doubled(node, inputs[0]))
    if node.op in LEAVES or node._value is not None:
        return None
    made = Node(node.op, inputs, node.attrs, node.shape, node.dtype, node.axes, None, node.weak, site=node.site,
                scope=node.scope)  # fmt: skip
    return copy_name(node, made)


def absorbed(graph: Graph, items: Sequence[Item]) -> dict[Node, Node]:
    """Return the contractions that only a sum over axes reads: the two are one matrix product."""
    readers: dict[Node, list[Node]] = {}
    for n in graph.nodes:
        for x in n.inputs:
            readers.setdefault(x, []).append(n)
    found = {}
    for n in graph.nodes:
        if n.op.name == "sum_over" and len(n.inputs) == 1 and n.attrs["axes"]:
            (x,) = n.inputs
            if x.op.name == "contract" and readers[x] == [n] and x not in set(graph.outputs):
                found[x] = n
    return found
