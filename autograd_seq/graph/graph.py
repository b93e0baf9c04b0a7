"""The folded graph: the system of recurrence equations that some outputs depend on, checked and named."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autograd_seq import pictures
from autograd_seq.axes import Axis, as_axes
from autograd_seq.errors import AxisError, FeedError, OperationError, did_you_mean
from autograd_seq.graph import check, feeds, text
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.order import elementary_cycles, step_order
from autograd_seq.names import shown
from autograd_seq.node import Node
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT

if TYPE_CHECKING:
    import networkx


def flatten(outputs: Iterable[Any]) -> tuple[Node, ...]:
    """Return nodes given one by one or in lists as one tuple."""
    flat = [n for o in outputs for n in (o if isinstance(o, (list, tuple)) else [o])]
    for node in flat:
        if not isinstance(node, Node):
            raise OperationError(
                "O301", f"a graph is made of nodes, and {node!r:.60} is none", expected="nodes, or lists of nodes",
                got=repr(node)[:80],
                fix="ag.Graph(L)",
            )  # fmt: skip
    return tuple(flat)


class Graph:
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
    """

    def __init__(self, *outputs: Any) -> None:
        self.outputs = flatten(outputs)
        self.nodes: tuple[Node, ...] = tuple(step_order(self.outputs))
        self.axes: tuple[Axis, ...] = check.check_axis_names(self.nodes)
        check.check_names(self.nodes)
        self._names = text.names(self.nodes)
        check.check_defined(self.nodes, self.name)
        check.check_causal(self.nodes, self.name)
        check.check_rows(self.nodes, self.name)
        check.check_read(self.nodes, self.name)
        self._by_name = {name: node for node, name in self._names.items()}
        self.ragged: dict[Any, Any] = {}  # the same graph with lengths, by the axes that have some
        self.inputs: dict[str, Node] = {self.name(n): n for n in self.nodes if n.op in (INPUT, PARAM)}

    def __reduce__(self) -> Any:
        return Graph, self.outputs

    def name(self, node: Node) -> str:
        """Return the name of a node of this graph: the user's, or a stable one such as ``matmul_2`` or ``s[t - 1]``."""
        return self._names[node]

    def label(self, node: Node) -> str:
        """Return the name of a node as texts show it: on one line, whatever is in it."""
        return shown(self._names[node])

    def __getitem__(self, name: str) -> Node:
        """Return the node of a name.

        Raises:
            FeedError: there is none.
        """
        if name not in self._by_name:
            raise FeedError("F101", f'there is no node "{name}"', got=repr(name), fix=did_you_mean(name, self._by_name))
        return self._by_name[name]

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return text.show(self)

    def __repr__(self) -> str:
        over = ", ".join(map(str, self.axes)) or "no axis"
        return f"<Graph of {len(self)} nodes over {over}: {', '.join(self.label(o) for o in self.outputs)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return pictures.folded(self, include, exclude)

    def layout(self, node: Node) -> tuple[Axis, ...]:
        """Return the axes of a node in the order in which its values are laid out: as declared, else the graph's order.

        A gradient is laid out as what it is the gradient of.
        """
        like = node
        while like.adjoint_of is not None:
            like = like.adjoint_of
        if like.op in (INPUT, STATE) and set(like.axes) == set(node.axes):
            return like.axes
        return tuple(a for a in self.axes if a in node.axes)

    def layouts(self, order: Iterable[Axis] | None = None) -> list[tuple[Axis, ...]]:
        """Return the axes of each output in the order in which its values are laid out.

        Args:
            order: the axes of all outputs, in the order wanted; that of :meth:`layout` by default.

        Raises:
            AxisError: an output varies over an axis that ``order`` leaves out, or ``order`` names one twice or none of the
                graph's.

        Example:
            >>> import autograd_seq as ag
            >>> t, b = ag.Axis("t"), ag.Axis("b")
            >>> g = ag.Graph(ag.input("x", over=(t, b))[t] * 2)
            >>> g.layouts(), g.layouts(order=(b, t))
            ([(t, b)], [(b, t)])
        """
        if order is None:
            return [self.layout(o) for o in self.outputs]
        wanted = as_axes(order, "order")
        if strange := [a for a in wanted if a not in self.axes]:
            raise AxisError(
                "A209", f"order= names {strange[0]}, over which nothing varies", expected=f"axes of the graph: "
                f"{', '.join(a.name for a in self.axes) or 'none'}", got=f"order=({', '.join(a.name for a in wanted)})",
                fix=did_you_mean(strange[0].name, [a.name for a in self.axes]),
            )  # fmt: skip
        for o in self.outputs:
            if missing := [a.name for a in self.layout(o) if a not in wanted]:
                raise AxisError(
                    "A210", f"order= leaves out {', '.join(missing)}, over which {self.name(o)} varies", node=self.name(o),
                    where=o.where, expected="all axes of the outputs", got=f"order=({', '.join(a.name for a in wanted)})",
                    fix=f"order=({', '.join([a.name for a in wanted] + missing)})",
                )  # fmt: skip
        return [tuple(a for a in wanted if a in o.axes) for o in self.outputs]

    def edges(self) -> list[tuple[Node, Node, int]]:
        """Return (source, reader, delay) for every read; the delay is 0 but for shifts. Rows are read by their state."""
        return [(x, n, n.attrs["by"] if n.op is SHIFT else 0) for n in self.nodes for x in n.inputs]

    def cycles(self, limit: int = 1000) -> list[list[str]]:
        """Return the elementary cycles as paths of names, along the flow of data, each from a state; shortest first.

        Args:
            limit: at most so many are looked for (their number can grow exponentially with the graph).

        Example: see :class:`Graph`.
        """
        position = {n: i for i, n in enumerate(self.nodes)}
        flow = [(position[x], position[n]) for x, n, _ in self.edges() if n.op is not STATE or x is n.inputs[0]]
        found = []
        for cycle in elementary_cycles(len(self.nodes), flow, limit):
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
            axis = n.attrs["axis"].name if n.op is SHIFT else None
            out.add_edge(self.name(x), self.name(n), delay=delay, axis=axis)
        return out

    # -- meaning ----------------------------------------------------------------------------------------------------

    def unroll(self, /, *counts: Any, **sizes: int) -> DAG:
        """Unfold the graph over so many steps of each axis: a DAG in which every parameter is one node.

        Args:
            counts: nothing; numbers are given by name.
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
                "A211", "unroll takes numbers of steps by name", got=repr(counts[0])[:80],
                expected=", ".join(f"{a.name}=…" for a in self.axes) or "no axis", fix=f"unroll({said})",
            )  # fmt: skip
        return DAG(self, self._sizes(sizes))

    def _sizes(self, sizes: dict[str, int]) -> dict[Axis, int]:
        known = {a.name: a for a in self.axes}
        for name, n in sizes.items():
            if name not in known:
                raise AxisError("A201", f'the graph has no axis "{name}"', got=f"{name}={n}", fix=did_you_mean(name, known))
            if isinstance(n, bool) or not hasattr(n, "__index__") or operator.index(n) < 0:
                raise AxisError("A202", f"{name}={n!r:.60} is no number of steps", expected="an integer ≥ 0", got=repr(n))
        found = {known[name]: operator.index(n) for name, n in sizes.items()}
        for node in self.nodes:  # reading along another axis makes both lengths equal
            if node.op.name == "along":
                pair = node.attrs["axis"], node.attrs["other"]
                for a, b in (pair, pair[::-1]):
                    if b in found and found.setdefault(a, found[b]) != found[b]:
                        raise AxisError(
                            "A203", f"{a} and {b} differ in length, and {self.name(node)} needs both to have one",
                            where=node.where,
                            got=f"{a}={found[a]}, {b}={found[b]}",
                        )  # fmt: skip
        if missing := [a.name for a in self.axes if a not in found]:
            raise AxisError(
                "A204", f"the length of {', '.join(missing)} is not given", expected=", ".join(f"{m}=…" for m in missing),
                got=str(sizes or "nothing"),
            )  # fmt: skip
        return found

    def sizes(self, given: dict[str, Any]) -> dict[str, int]:
        """Return the length of every axis that the feeds tell, by name.

        Raises:
            FeedError: a feed is missing, unknown or mis-shaped, or two of them disagree.
        """
        return feeds.read_sizes(self, given)

    def evaluate(self, /, *unnamed: Any, lengths: Any = None, carry: Any = False, **given: Any) -> tuple[Any, ...]:
        """Return the values of the outputs, in order: unrolled over the lengths that the feeds have, then evaluated.

        Args:
            lengths, carry: of padded sequences, and of those that come in pieces, as for :meth:`DAG.evaluate`.
            given: an array for each input and parameter, by name. The length of an axis that no feed tells is given by the
                axis's name.

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
