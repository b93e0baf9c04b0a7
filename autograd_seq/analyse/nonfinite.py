"""Where a NaN or an infinity comes from: the first node that makes one from operands without any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd_seq.analyse.backwards import list_rounds
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import write_call, write_expression
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node
from autograd_seq.graph import feeds
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.graph.order import step_order
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.state import EQUILIBRIUM, STATE
from autograd_seq.ops.steps import SEND
from autograd_seq.ops.time import ALONG, AT, SHIFT, SPREAD
from autograd_seq.run.until import decide_unrolled
from autograd_seq.sequences.lengths import read_padded_call

_EDGES = (SHIFT, STATE, AT, ALONG, SPREAD, SEND)


@dataclass(frozen=True, repr=False)
class Finding:
    """The node that makes the first NaN or infinity. Returned by :func:`find_nan`; it prints as a sentence.

    Attributes:
        name: the name of the node in the graph.
        expression: the operation on its operands, as it was written.
        step: the step at which this happens, by the name of each axis.
        makes: ``"NaN"``, ``"infinity"``, or both.
        where: the user's line, ``"model.py:12"``; for a node of a gradient, the line that is differentiated.
        operands: for each operand its expression, and its least and largest number.
        in_gradient: whether the node is part of a gradient.
        others: how many other nodes also make a NaN or an infinity from finite operands and reach the outputs.
    """

    name: str
    expression: str
    step: dict[str, int]
    makes: str
    where: str | None
    operands: tuple[tuple[str, float, float], ...]
    in_gradient: bool
    others: int

    def __repr__(self) -> str:
        place = f" at {', '.join(f'{a} = {n}' for a, n in self.step.items())}" if self.step else ""
        gradient = ", in the gradient of that line" if self.in_gradient else ""
        where = f"      ({self.where})" if self.where else ""
        fed = self.expression in (INPUT.name, PARAM.name)
        what = f"{self.name} is fed" if fed else f"{self.name} = {self.expression} makes"
        lines = [f"{what} {self.makes}{place}{where}{gradient}"]
        lines += [f"of {e} = {low:.6g}" + ("" if low == high else f" … {high:.6g}") for e, low, high in self.operands]
        if self.others:
            lines.append(f"and {self.others} other place{'s' if self.others > 1 else ''}")
        return "\n  ".join(map(make_printable, lines))


def find_nan(target: Any, /, *, lengths: Any = None, **given: Any) -> Finding | None:
    """Find the first node that makes a NaN or an infinity from operands without any, and that reaches an output.

    Args:
        target: a program (that of :func:`value_and_grad`, to search gradients as well), a graph, or nodes.
        lengths: the lengths of padded sequences, as for :class:`Program`.
        given: the feeds, as for the program.

    Returns:
        A :class:`Finding`, which prints as a sentence with node, step, line and operands; ``None`` if all outputs are finite.
        Constants and feeds may be infinite (as masks are), and are named only if nothing else makes a NaN or an infinity.

    Raises:
        FeedError: as for :meth:`Graph.evaluate`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x = ag.input("x", over=t)
        >>> found = ag.find_nan(ag.sum(ag.log(x[t]), over=t), x=[1.0, 2.0, 0.0])
        >>> found.name, found.step, found.makes, found.operands
        ('log_1', {'t': 2}, 'infinity', (('x[t]', 0.0, 0.0),))

    Notes:
        It runs the unrolled graph, slowly, and keeps all values. A program computes in another order, and may overflow
        elsewhere.
    """
    whole = getattr(target, "program", target)  # of value_and_grad's
    graph = whole if isinstance(whole, Graph) else getattr(whole, "graph", None)
    graph = Graph(*flatten([target])) if graph is None else graph
    if graph.stops:
        decided = decide_unrolled(graph, given, lengths)[-1]
        lengths, given = decided.lengths, decided.given
    if lengths is not None:
        _, made, given = read_padded_call(graph, lengths, given)
        graph = Graph(*made.outputs)
    sizes, data = feeds.split_sizes(graph, given)
    dag = graph.unroll(**sizes)
    return _Search(graph, dag, dag.every(data, getattr(whole, "dtype", None) if not isinstance(whole, Node) else None)).run()


def find_origins(graph: Graph, dag: DAG) -> dict[Node, tuple[Node, tuple[int, ...]]]:
    """Return for each node of an unrolled graph the folded node that it is an instance of, and its point."""
    origin: dict[Node, tuple[Node, tuple[int, ...]]] = {}
    for folded in graph.nodes:
        for point, made in dag.points(folded):
            if made not in origin or (folded.op not in _EDGES and origin[made][0].op in _EDGES):
                origin[made] = folded, point
    return origin


class _Search:
    """A search through the values of all nodes, from the outputs back along values that are not finite."""

    def __init__(self, graph: Graph, dag: DAG, values: dict[Node, Any]) -> None:
        self.graph, self.dag, self.values = graph, dag, values
        self.bad = {n for n, v in values.items() if n.dtype is float and not np.all(np.isfinite(v))}
        forward = [o for o in graph.outputs if o.adjoint_of is None]
        self.forward = set(step_order(forward))
        self.origin = find_origins(graph, dag)
        self.read: dict[Node, list[Node]] = {}  # by equilibrium, what its equation reads of nodes that do not depend on it
        for part in list_rounds([*values]) if any(n.op is EQUILIBRIUM for n in values) else ():
            if len(part) > 1:
                own = set(part)
                read = [*dict.fromkeys(x for n in part for x in n.inputs if x not in own)]
                self.read |= {n: read for n in part if n.op is EQUILIBRIUM}

    def run(self) -> Finding | None:
        reached, stack = set[Node](), [n for o in self.dag.outputs for n in o.nodes if n in self.bad]
        while stack:
            n = stack.pop()
            if n not in reached:
                reached.add(n)
                stack += [x for x in n.inputs if x in self.bad]
        if not reached:
            return None
        sound = [n for n in reached if n.inputs and not any(x in self.bad for x in self._list_read(n))]
        fed = [n for n in reached if n.op in (INPUT, PARAM)]
        places = [n for n in fed if np.any(np.isnan(self.values[n]))] + sound
        if not places:  # the infinities are given: find what makes NaN of them
            nan = {n for n in reached if np.any(np.isnan(self.values[n]))}
            places = [n for n in nan if n.inputs and not any(x in nan for x in n.inputs)] or fed or [*reached]
        level = self._rank(places)
        first = min(places, key=lambda n: level[n])
        return self._make_finding(first, len(places) - 1)

    def _list_read(self, node: Node) -> Sequence[Node]:
        """Return what a node reads; an equilibrium, what its equation reads of other nodes."""
        return self.read.get(node, node.inputs)

    def _rank(self, places: Sequence[Node]) -> dict[Node, tuple[Any, ...]]:
        """Return sort keys: feeds first, then nodes outside of gradients, then by the longest path that leads to them."""
        depth: dict[Node, int] = {}
        for n in self.values:  # each after what it reads
            depth[n] = max([depth.get(x, 0) for x in n.inputs], default=0) + 1
        order = {n: i for i, n in enumerate(self.values)}
        return {n: (bool(n.inputs), self._is_in_gradient(n), depth[n], order[n]) for n in places}

    def _is_in_gradient(self, node: Node) -> bool:
        return node in self.origin and self.origin[node][0] not in self.forward

    def _make_finding(self, node: Node, others: int) -> Finding:
        folded, point = self.origin.get(node, (node, ()))
        value = np.asarray(self.values[node])
        kinds = [w for w, found in (("NaN", np.isnan(value)), ("infinity", np.isinf(value))) if np.any(found)]
        read = self._list_read(node)
        shown: Sequence[Node] = (
            folded.inputs if len(folded.inputs) == len(node.inputs) else node.inputs
        )  # a sum over time reads many
        if node in self.read:
            shown = [self.origin.get(x, (x, ()))[0] for x in read]
        operands = dict.fromkeys(self._describe_operand(x, written) for x, written in zip(read, shown, strict=True))
        written = write_call(folded.op, folded.inputs, folded.attrs) if folded.inputs else folded.op.name
        step = {a.name: n for a, n in zip(self.graph.layout(folded), point, strict=False)}
        return Finding(self.graph.name(folded), written, step, " and ".join(kinds), folded.where, tuple(operands)[:8],
                       self._is_in_gradient(node), others)  # fmt: skip

    def _describe_operand(self, node: Node, folded: Node) -> tuple[str, float, float]:
        value = np.asarray(self.values[node], float)
        return write_expression(folded), float(np.min(value, initial=np.inf)), float(np.max(value, initial=-np.inf))


__all__ = ["Finding", "find_nan", "find_origins"]
explain_keywords(globals(), ["find_nan"])
