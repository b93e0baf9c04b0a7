"""A graph as a procedure: its equations prepared, lowered, put into loops, with names for what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.board import prepared
from autograd_seq.emit.labels import Labels
from autograd_seq.emit.lower import Lowering, Unit, root
from autograd_seq.emit.names import Names
from autograd_seq.emit.nests import Cycle, Entry, allocated, nested
from autograd_seq.emit.statements import ALL, Array, Expression, Place, Procedure, Read, within
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import step_order
from autograd_seq.ops.leaf import PARAM
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.memory.storage import order_axes
from autograd_seq.plan.schedule import Item, Loop, list_paths, schedule


def lowered(graph: Graph, names: Names, axes: Callable[[Names], None] = lambda names: None) -> Procedure:
    """Return what computes the outputs of a graph.

    Args:
        graph: as the user wrote it.
        names: gives every name once.
        axes: takes the names that it needs for axes, behind those of feeds.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, s = ag.input("x", over=t), ag.state("s", over=t)
        >>> s[t] = 0.5 * s[t - 1] + x[t]
        >>> print(lowered(ag.Graph(s), Names(set())))
        feed x[t]
        allocate s[1 + t + 0]: float
        for t:
            s[t] = add(mul(0.5, s[t - 1]), x[t])
        return s[all]
    """
    return _Lowered(graph, names, axes).procedure()


class _Lowered:
    def __init__(self, graph: Graph, names: Names, axes: Callable[[Names], None]) -> None:
        self.user = graph
        self.graph = Graph(prepared(graph.outputs))
        self.items = schedule(self.graph.nodes)
        plain = [o for o, u in zip(self.graph.outputs, graph.outputs, strict=True) if u.adjoint_of is None]
        self.before = set(step_order(plain))
        labels = Labels(graph, self.graph, self.before)
        order = order_axes(self.items, graph.axes)
        self.lower = Lowering(self.graph, order, lambda n: labels.named(n, names), _data_first(graph))
        axes(names)
        self.filled: set[tuple[Array, Axis, bool]] = set()

    def procedure(self) -> Procedure:
        self.lower.reserve()
        outputs = [self._whole(o) for o in self.graph.outputs]
        entries = self._entries(self.items)
        body = allocated(nested(entries), [e.array for o in outputs for e in within(o) if isinstance(e, Read)])
        return Procedure(self.lower.feeds, body, outputs, self.user.axes)

    def _whole(self, node: Node) -> Expression:
        return self.lower.at(node, {a: Place(ALL, a) for a in node.axes})

    def _entries(self, items: Sequence[Item]) -> list[Entry]:
        out: list[Entry] = []
        for item in items:
            if isinstance(item, Loop):
                inside = [n for n, _ in list_paths([item]) if n.op is SHIFT and n.attrs["axis"] is item.axis]
                for n in inside:
                    out += self._fills(n)
                body = self._entries(item.body)
                if body:
                    out.append(Cycle(item.axis, item.direction, body))
            elif item.op is SHIFT:
                out += self._fills(item)
            elif item in self.lower.kept and item in self.lower.computed:
                out.append(self.lower.unit(item, item not in self.before))
        return out

    def _fills(self, shift: Node) -> list[Unit]:
        if shift not in self.lower.computed:
            return []
        array = self.lower.array(root(shift))
        key = array, shift.attrs["axis"], shift.attrs["by"] > 0
        if key in self.filled or shift.attrs["outside"] == "zero":
            return []
        self.filled.add(key)
        return self.lower.fills(shift, shift not in self.before)


def _data_first(graph: Graph) -> dict[str, Node]:
    """Return what is fed, data before parameters."""
    return dict(sorted(graph.inputs.items(), key=lambda item: item[1].op is PARAM))


__all__ = ["lowered"]
