"""The folded graph: the system of recurrence equations that some outputs depend on, checked and named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autograd_seq.core import notebook as pictures
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.node import Node
from autograd_seq.graph import checks as check
from autograd_seq.graph import feeds
from autograd_seq.graph import printing as text
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.fingerprint import make_fingerprint
from autograd_seq.graph.order import find_elementary_cycles, step_order
from autograd_seq.graph.stops import take_off_marks
from autograd_seq.graph.system import System
from autograd_seq.ops.state import STATE

if TYPE_CHECKING:
    import networkx


def flatten(outputs: Iterable[Any]) -> tuple[Node, ...]:
    """Return nodes given one by one or in lists as one tuple."""
    flat = [n for o in outputs for n in (o if isinstance(o, (list, tuple)) else [o])]
    for node in flat:
        if not isinstance(node, Node):
            raise OperationError(
                "O301", f"{node!r:.60} is not a node", expected="nodes, or lists of nodes",
                got=repr(node)[:80],
                fix="ag.Graph(L)",
            )  # fmt: skip
    return tuple(flat)


class Graph(System):
    """The folded graph that ``outputs`` depend on: nodes in a stable order, checked for causality.

    Args:
        outputs: nodes, or lists of nodes.

    Attributes:
        outputs: the nodes asked for, in order.
        nodes: all nodes, each after what it needs at its own step; the same for the same equations in every run.
        axes: the axes, in the order in which feeds and outputs are laid out.
        inputs: the nodes that are fed (inputs and parameters), by name.

    Raises:
        CycleError: a value depends on itself within one step, or no schedule exists.
        StateError: a state is never defined, or its rows do not fit.
        NameClashError: two nodes or two axes share a name.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, w = ag.input("x", over=t), ag.param("w")
        >>> h = ag.state("h", over=t)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> ag.Graph(ag.sum(h, over=t)).cycles()
        [['h', 'h[t - 1]', 'mul_1', 'add_1']]

    Notes:
        Linear in the number of equations and reads, whatever the number of steps.
    """

    def __init__(self, *outputs: Any) -> None:
        self._given = flatten(outputs)
        flat, stops, order = take_off_marks(self._given)
        nodes = tuple(step_order([*flat, *(stop.when for stop in stops.values())]) if stops else order)
        axes = check.check_axis_names(nodes)
        check.check_names(nodes)
        super().__init__(flat, nodes, axes, text.name_nodes(nodes), stops)
        check.check_defined(self.nodes, self.name)
        check.check_causal(self.nodes, self.name)
        check.check_boundary_rows(self.nodes, self.name)
        check.check_read(self.nodes, self.name)

    def __reduce__(self) -> Any:
        return Graph, self._given

    def __str__(self) -> str:
        return text.format_graph(self)

    def __repr__(self) -> str:
        over = ", ".join(map(str, self.axes)) or "no axis"
        return f"<Graph of {len(self)} nodes over {over}: {', '.join(self.label(o) for o in self.outputs)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return pictures.show_folded(self, include, exclude)

    @property
    def fingerprint(self) -> str:
        """A digest of the equations, the same in every process; names of nodes that are neither fed nor states do not count.

        Example:
            >>> import autograd_seq as ag
            >>> w = ag.param("w")
            >>> ag.Graph(ag.tanh(w * 2)).fingerprint == ag.Graph(ag.tanh((w * 2).named("twice"))).fingerprint
            True
        """
        return make_fingerprint([*self.outputs, *(stop.when for stop in self.stops.values())])

    def cycles(self, limit: int = 1000) -> list[list[str]]:
        """Return the elementary cycles as paths of names, along the flow of data, each from a state; shortest first.

        Args:
            limit: the largest number to look for; their number can grow exponentially with the graph.

        Example: see :class:`Graph`.
        """
        position = {n: i for i, n in enumerate(self.nodes)}
        flow = [(position[x], position[n]) for x, n, _ in self.edges() if n.op is not STATE or x is n.inputs[0]]
        found = []
        for cycle in find_elementary_cycles(len(self.nodes), flow, limit):
            states = [i for i, k in enumerate(cycle) if self.nodes[k].op is STATE and self.nodes[k].name]
            first = states[0] if states else 0
            found.append([self.name(self.nodes[k]) for k in cycle[first:] + cycle[:first]])
        return found

    def to_networkx(self) -> networkx.MultiDiGraph:
        """Return the graph for networkx: nodes by name with ``op, shape, axes, node``; edges with ``delay`` and ``axis``.

        Example:
            >>> import autograd_seq as ag
            >>> ag.Graph(ag.param("w") * 2).to_networkx().number_of_edges()
            2
        """
        import networkx

        out = networkx.MultiDiGraph()
        for n in self.nodes:
            out.add_node(self.name(n), op=n.op.name, shape=n.shape, axes=tuple(a.name for a in n.axes), node=n)
        for x, n, delay in self.edges():
            axis = n.attrs["axis"].name if delay else None
            out.add_edge(self.name(x), self.name(n), delay=delay, axis=axis)
        return out

    # -- meaning ----------------------------------------------------------------------------------------------------

    def unroll(self, /, *counts: Any, **sizes: int) -> DAG:
        """Unroll the graph over a number of steps of each axis: a DAG in which every parameter is one node.

        Args:
            counts: must be empty; numbers are given by name.
            sizes: the number of steps of each axis, by the axis's name; 0 is legal.

        Raises:
            AxisError: an axis is missing, unknown, or its length is no non-negative integer.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> x = ag.input("x", over=t)
            >>> total = ag.Graph(ag.sum(x, over=t)).unroll(t=3)
            >>> float(total.evaluate(x=[1.0, 2.0, 4.0])[0])
            7.0

        Notes:
            Time and memory are linear in the number of points.
        """
        if counts:
            said = ", ".join(f"{a.name}={n!r}" for a, n in zip(self.axes, counts, strict=False))
            raise AxisError(
                "A211", f"unroll is given {counts[0]!r:.60} without the name of an axis", got=repr(counts[0])[:80],
                expected=", ".join(f"{a.name}=…" for a in self.axes) or "no axis", fix=f"unroll({said})",
            )  # fmt: skip
        return DAG(self, self._sizes(sizes))

    def sizes(self, given: dict[str, Any]) -> dict[str, int]:
        """Return the lengths of all axes over which the feeds vary, by name.

        Raises:
            FeedError: a feed is missing, unknown or of a wrong shape, or two of them disagree.
        """
        return feeds.read_sizes(self, given)

    def evaluate(self, /, *unnamed: Any, lengths: Any = None, carry: Any = False, **given: Any) -> tuple[Any, ...]:
        """Return the values of the outputs, in order: unrolled over the lengths that the feeds have, then evaluated.

        Args:
            lengths, carry: for padded sequences, and for sequences in pieces, as for :meth:`DAG.evaluate`.
            given: an array for each input and parameter, by name. If no feed varies over an axis, give its length by the axis's
                name.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> ag.Graph(ag.input("x", over=t)[t] * 2).evaluate(x=[1.0, 2.0])
            (array([2., 4.]),)
        """
        if unnamed:
            raise feeds.make_unnamed_error(self, unnamed)
        said = {**({} if lengths is None else {"lengths": lengths}), **({} if carry is False else {"carry": carry})}
        sizes, data = feeds.split_sizes(self, {**given, **{name: value for name, value in said.items() if name in self.inputs}})
        return self.unroll(**sizes).evaluate(**{**said, **data})
