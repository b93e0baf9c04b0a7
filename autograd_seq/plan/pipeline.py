"""The one ordered list of passes: graph → equal graph with less to compute, then the schedule and where its values live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError, did_you_mean
from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_readers
from autograd_seq.graph.printing import name_cotangents
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.gather import SCATTER_ADD
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.window import OVERLAP, WINDOW, build_from_halves
from autograd_seq.plan.memory.storage import Storage
from autograd_seq.plan.memory.views import LEAVES
from autograd_seq.plan.passes.contracted import contract_sums
from autograd_seq.plan.passes.dimensions import get_fixed_lengths, move_heads
from autograd_seq.plan.passes.eliminate import eliminate_small
from autograd_seq.plan.passes.expand import expand_softmax
from autograd_seq.plan.passes.halves import halve_sigmoids
from autograd_seq.plan.passes.join import join
from autograd_seq.plan.passes.legal import make_legal
from autograd_seq.plan.passes.pack import pack
from autograd_seq.plan.passes.regroup import regroup
from autograd_seq.plan.passes.simplify import apply_identities, merge_equal, remove_wrappers, tidy
from autograd_seq.plan.schedule import Item, schedule

NUMPY, NATIVE = "numpy", "numba"
BOTH = (NUMPY, NATIVE)


class CompilerPass(NamedTuple):
    """A pass of the compiler.

    Attributes:
        name: by which ``passes=`` chooses it.
        run: from outputs to equal outputs; ``None`` for a pass that does not rewrite the graph, but changes statements or
            arrays.
        backends: the backends whose programs it makes faster.
        streams: whether it makes single steps faster whose parameters are fed at each step; passes that copy them do not.
        why: what it is called in the literature, and why it stands at this place in the list.
    """

    name: str
    run: Callable[[Sequence[Node]], list[Node]] | None
    backends: tuple[str, ...]
    streams: bool
    why: str


LIST = (
    CompilerPass("canonical", remove_wrappers, BOTH, True,
                 "copy propagation: first, for no other pass looks through wrappers"),
    CompilerPass("identities", apply_identities, BOTH, True,
                 "algebraic simplification: early, for it leaves the others less to look at"),
    CompilerPass("expand", expand_softmax, (NUMPY,), True,
                 "inlining, of losses that share their parts: before merge, which finds these; native code fuses the whole"),
    CompilerPass("eliminate", eliminate_small, (NATIVE,), True,
                 "inlining, of small matrix factorisations: before merge, which finds eliminations of one matrix"),
    CompilerPass("merge", merge_equal, BOTH, True,
                 "common subexpression elimination: what is one node is packed and regrouped as one"),
    CompilerPass("halve", halve_sigmoids, (NUMPY,), False,
                 "strength reduction, of sigmoid to tanh: before pack, which makes equal calls one"),
    CompilerPass("pack", pack, (NUMPY,), False,
                 "horizontal fusion, where a step has a single row: of many rows, parts are read slower than they are made"),
    CompilerPass("regroup", regroup, BOTH, True,
                 "loop-invariant code motion, by reassociation: after pack, so that what is moved out are whole arrays"),
    CompilerPass("contract", contract_sums, BOTH, False,
                 "strength reduction, of sums to contractions: of factors as regroup leaves them"),
    CompilerPass("heads", move_heads, BOTH, False,
                 "data layout transformation, of dimensions: of those of the products that contract makes"),
    CompilerPass("tidy", tidy, BOTH, True,
                 "algebraic simplification and common subexpressions, of what the others have left"),
    CompilerPass("join", join, (NUMPY,), False,
                 "horizontal fusion, of the products of a sum: last, for it asks what the loop computes"),
    CompilerPass("absorb", None, BOTH, False,
                 "contraction over time as one matrix product: of the schedule, which knows what loops"),
    CompilerPass("share", None, (NUMPY,), True,
                 "buffer reuse, by liveness: of statements in order; native code shares after it has fused"),
)  # fmt: skip
"""All passes, in the order in which they run."""

PASSES: tuple[str, ...] = tuple(dict.fromkeys(p.name for p in LIST))
"""Their names."""

STREAMS: tuple[str, ...] = tuple(p.name for p in LIST if p.streams)
"""The names of the passes for single steps whose parameters are fed at each step."""

Say = Callable[[Node], bool]


@dataclass(frozen=True)
class Plan:
    """A graph that is ready to be written as a program."""

    graph: Graph
    items: tuple[Item, ...]
    storage: Storage


def plan(outputs: Sequence[Node], axes: Sequence[Axis], writes: Say, in_place: Say, backend: str,
         passes: Iterable[str] | None = None) -> Plan:  # fmt: skip
    """Return the plan of a program that computes ``outputs``.

    Args:
        outputs: nodes of a graph that has been checked.
        axes: the axes of that graph, in order.
        writes, in_place: whether the backend can write the result of a node into an existing array, or over an operand.
        backend: the backend that the plan is for.
        passes: names out of ``PASSES``; all by default. Passes that are not for the backend do not run.

    Raises:
        OperationError: there is no such pass.
    """
    out = make_legal(simplify(outputs, backend, passes))
    chosen = {p.name for p in choose_passes(backend, passes)}
    graph = Graph(out)
    items = schedule(graph.nodes)
    inner = find_absorbed(graph) if "absorb" in chosen else {}
    every = [*get_fixed_lengths(graph.axes), *axes]
    storage = Storage(
        items, graph.outputs, every, [n for n in graph.nodes if writes(n)], [n for n in graph.nodes if in_place(n)], inner,
        share="share" in chosen,
    )  # fmt: skip
    return Plan(graph, items, storage)


def choose_passes(backend: str, passes: Iterable[str] | None = None) -> list[CompilerPass]:
    """Return the passes that are to run, in order; arguments as for :func:`plan`."""
    names = set(PASSES if passes is None else passes)
    for name in names:
        if name not in PASSES:
            raise OperationError("O303", f'there is no pass "{name}"', got=repr(name), fix=did_you_mean(name, PASSES))
    return [p for p in LIST if p.name in names and (NUMPY if backend == NUMPY else NATIVE) in p.backends]


def simplify(outputs: Sequence[Node], backend: str, passes: Iterable[str] | None = None) -> list[Node]:
    """Return the outputs after the passes that rewrite the graph; arguments as for :func:`plan`."""
    image: dict[Node, Node] = {}
    out = rebuild(outputs, copy_own, image=image)
    for node, name in name_cotangents([*image]).items():
        if image[node] is not node:
            image[node].name = name
    for p in choose_passes(backend, passes):
        if p.run is not None:
            out = p.run(out)
    return out


def copy_own(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Copy a computed node, since passes change names, and the user's nodes must keep theirs; build windows from shifts."""
    if node.op in (WINDOW, OVERLAP):
        return copy_name(node, build_from_halves(node, inputs[0]))
    if node.op in LEAVES or node._value is not None:
        return None
    made = Node(node.op, inputs, node.attrs, node.shape, node.dtype, node.axes, None, node.weak, site=node.site,
                scope=node.scope)  # fmt: skip
    return copy_name(node, made)


def find_absorbed(graph: Graph) -> dict[Node, Node]:
    """Return what only a sum over axes reads and what is computed with it: products, and rows added where an index names."""
    readers, found = list_readers(graph.nodes), {}
    for n in graph.nodes:
        if n.op is sum_over and len(n.inputs) == 1 and n.attrs["axes"]:
            (x,) = n.inputs
            if x.op in (CONTRACT, SCATTER_ADD) and readers[x] == [n] and x not in set(graph.outputs):
                found[x] = n
    return found
