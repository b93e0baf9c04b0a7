"""Equations as data: the nodes that some outputs depend on, in order, their names, and how their values are laid out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import AxisError, FeedError, did_you_mean
from autograd_seq.core.kinds import as_count
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node
from autograd_seq.graph.stops import Stop, add_limits
from autograd_seq.ops.gather import IN_RANGE
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.state import CLOSED
from autograd_seq.ops.steps import get_delay
from autograd_seq.ops.time import ALONG


class System:
    """Recurrence equations, as :class:`autograd_seq.Graph` holds them once they are checked.

    Args:
        outputs: the nodes asked for, in order.
        nodes: all nodes, each after what it needs at its own step.
        axes: the axes, in the order in which feeds and outputs are laid out.
        names: the name of each node.
        stops: by axis, what ends its sequences; see :func:`autograd_seq.until`.

    Attributes:
        inputs: the nodes that are fed (inputs and parameters), by name.
    """

    def __init__(self, outputs: Sequence[Node], nodes: Sequence[Node], axes: Sequence[Axis], names: Mapping[Node, str],
                 stops: Mapping[Axis, Stop] = MappingProxyType({})) -> None:  # fmt: skip
        self.outputs, self.nodes, self.axes = tuple(outputs), tuple(nodes), tuple(axes)
        self._names, self.stops = names, dict(stops)
        self._by_name = {name: node for node, name in names.items()}
        self.ragged: dict[Any, Any] = {}  # the same equations for padded sequences, by the axes that have lengths
        self.inputs: dict[str, Node] = {names[n]: n for n in nodes if n.op in (INPUT, PARAM)}

    def name(self, node: Node) -> str:
        """Return the name of a node of this graph: the user's, or a stable one such as ``matmul_2`` or ``s[t - 1]``."""
        return self._names[node]

    def label(self, node: Node) -> str:
        """Return the name of a node for printed text, on one line and with control characters escaped."""
        return make_printable(self._names[node])

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

    def layout(self, node: Node) -> tuple[Axis, ...]:
        """Return the axes of a node in the order in which its values are laid out: as declared, else the graph's order.

        A gradient has the layout of its target.
        """
        like = node
        while like.adjoint_of is not None:
            like = like.adjoint_of
        if like.op in (INPUT, *CLOSED) and set(like.axes) == set(node.axes):
            return like.axes
        return tuple(a for a in self.axes if a in node.axes)

    def layouts(self, order: Iterable[Axis] | None = None) -> list[tuple[Axis, ...]]:
        """Return the axes of each output in the order in which its values are laid out.

        Args:
            order: the axes of all outputs, in the order wanted; that of :meth:`layout` by default.

        Raises:
            AxisError: an output varies over an axis that ``order`` leaves out, or ``order`` has an axis twice or one that the
                graph does not have.

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

    def pick_lengths(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of some keywords that are lengths of axes; where an input has the name of an axis, it is the input's."""
        return {a.name: given[a.name] for a in self.axes if a.name in given and a.name not in self.inputs}

    def edges(self) -> list[tuple[Node, Node, int]]:
        """Return (source, reader, delay) for every read; the delay is 0 but for shifts. Rows are read by their state."""
        return [(x, n, get_delay(n) if k == 0 else 0) for n in self.nodes for k, x in enumerate(n.inputs)]

    def _sizes(self, sizes: dict[str, int]) -> dict[Axis, int]:
        """Return the length of every axis from those that are given by name; see :meth:`Graph.unroll`."""
        known = {a.name: a for a in self.axes}
        for name, n in sizes.items():
            if name not in known:
                raise AxisError("A201", f'the graph has no axis "{name}"', got=f"{name}={n}", fix=did_you_mean(name, known))
            if as_count(n, 0) is None:
                raise AxisError("A202", f"{name}={n!r:.60} is not a number of steps", expected="an integer ≥ 0", got=repr(n))
        found = {known[name]: int(n) for name, n in sizes.items()}
        for axis in self.axes:
            if axis.size is not None and found.setdefault(axis, axis.size) != axis.size:
                raise AxisError(
                    "A218", f"{axis} has {axis.size} points, and {found[axis]} are given", expected=f"{axis}={axis.size}",
                    got=f"{axis}={found[axis]}",
                )  # fmt: skip
        add_limits(self.stops, found)
        self._tie_lengths(found)
        while add_fitting(self.nodes, found):
            self._tie_lengths(found)
        if missing := [a.name for a in self.axes if a not in found]:
            raise AxisError(
                "A204", f"the length of {', '.join(missing)} is not given", expected=", ".join(f"{m}=…" for m in missing),
                got=str(sizes or "nothing"),
            )  # fmt: skip
        return found

    def _tie_lengths(self, found: dict[Axis, int]) -> None:
        """Add the lengths of axes that are as long as others."""
        for node in self.nodes:  # reading along another axis makes both lengths equal
            if node.op is ALONG:
                pair = node.attrs["axis"], node.attrs["other"]
                for a, b in (pair, pair[::-1]):
                    if b in found and found.setdefault(a, found[b]) != found[b]:
                        raise AxisError(
                            "A203", f"{a} and {b} differ in length, but {self.name(node)} needs them equal",
                            where=node.where,
                            got=f"{a}={found[a]}, {b}={found[b]}",
                        )  # fmt: skip


def order_axes(array: Any, have: Sequence[Axis], wanted: Sequence[Axis]) -> Any:
    """Return an array whose leading dimensions are some axes with these in another order."""
    lead = [have.index(a) for a in wanted]
    return array.transpose(*lead, *range(len(lead), array.ndim))


def add_fitting(nodes: Sequence[Node], found: dict[Axis, int]) -> bool:
    """Add the lengths of axes by which others are read, as in ``x.along(t, 2 * u + 1)``: the longest that fit all reads."""
    places = [n.attrs["fits"] for n in nodes if n.op is IN_RANGE and n.attrs.get("fits")]
    fitting = [fit for axis, place in places if axis in found and (fit := place.count_fitting(found[axis]))]
    new = {a for a, _ in fitting if a not in found}
    found |= {a: min(n for b, n in fitting if b is a) for a in new}
    return bool(new)


__all__ = ["System", "order_axes"]
