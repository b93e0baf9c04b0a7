"""From a graph to a procedure: its equations are rewritten as by hand, lowered to statements, and put into loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograd_seq.core.node import Node
from autograd_seq.emit.board import prepare
from autograd_seq.emit.labels import Labels
from autograd_seq.emit.lower import Lowering
from autograd_seq.emit.names import Names
from autograd_seq.emit.nests import Cycle, Nestable, add_allocations, nest_apart
from autograd_seq.emit.outline import Fill, Repeat, Step, outline
from autograd_seq.emit.statements import ALL, STEP, Place, Procedure, Read, walk_parts
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_by_use, step_order
from autograd_seq.ops.leaf import PARAM
from autograd_seq.plan.memory.storage import order_axes
from autograd_seq.plan.schedule import Loop, find_end, schedule


def lower_graph(graph: Graph, names: Names, axes: Callable[[Names], None] = lambda names: None) -> Procedure:
    """Return the procedure that computes the outputs of a graph.

    Args:
        graph: as the user wrote it.
        names: makes unique names.
        axes: called once the feeds have names, to make the names of axes.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, s = ag.input("x", over=t), ag.state("s", over=t)
        >>> s[t] = 0.5 * s[t - 1] + x[t]
        >>> print(lower_graph(ag.Graph(s), Names(set())))
        feed x[t]
        allocate s[1 + t + 0]: float
        for t:
            s[t] = add(mul(0.5, s[t - 1]), x[t])
        return s[all]
    """
    return _ProcedureBuilder(graph, names, axes).build()


class _ProcedureBuilder:
    def __init__(self, graph: Graph, names: Names, axes: Callable[[Names], None]) -> None:
        self.user = graph
        self.graph = Graph(prepare(graph.outputs))
        self.items = schedule(self.graph.nodes)
        plain = [o for o, u in zip(self.graph.outputs, graph.outputs, strict=True) if u.adjoint_of is None]
        self.before = set(step_order(plain))
        labels = Labels(graph, self.graph, self.before)
        order = order_axes(self.items, graph.axes)
        self.lower = Lowering(self.graph, order, lambda n: labels.choose_name(n, names), _order_feeds(graph))
        axes(names)

    def build(self) -> Procedure:
        self.lower.reserve_rows()
        outputs = [self.lower.read_at(o, {a: Place(ALL, a) for a in o.axes}) for o in self.graph.outputs]
        steps = outline(self.items, (self.lower.kept & self.lower.computed).__contains__, self.lower.get_reach)
        entries = self._list_entries(steps)
        body = nest_apart(entries, self.user.axes)
        add_allocations(body, {e.array for o in outputs for e in walk_parts(o) if isinstance(e, Read)})
        return Procedure(self.lower.feeds, body, outputs, self.user.axes)

    def _read_end(self, loop: Loop) -> Read | None:
        """Return the truth value that lets a loop go on, at the current step for all points of other axes."""
        end = find_end(loop)
        if end is None:
            return None
        read = self.lower.read_at(end, {a: Place(STEP if a is loop.axis else ALL, a) for a in end.axes})
        assert isinstance(read, Read), "it is returned"
        return read

    def _list_entries(self, steps: Sequence[Step]) -> list[Nestable]:
        out: list[Nestable] = []
        for step in steps:
            if isinstance(step, Repeat):
                out += self._list_entries(step.fills)
                if body := self._list_entries(step.body):
                    out.append(Cycle(step.loop.axis, step.loop.direction, body, self._read_end(step.loop)))
            elif isinstance(step, Fill):
                out += self.lower.make_fills(step, step.shift not in self.before)
            else:
                out.append(self.lower.make_statement(step, step not in self.before))
        return out


def _order_feeds(graph: Graph) -> dict[str, Node]:
    """Return inputs and parameters by name, inputs first, each group in the order in which the equations read it."""
    place = {n: k for k, n in enumerate(list_by_use(graph.outputs))}
    return dict(sorted(graph.inputs.items(), key=lambda item: (item[1].op is PARAM, place[item[1]])))


__all__ = ["lower_graph"]
