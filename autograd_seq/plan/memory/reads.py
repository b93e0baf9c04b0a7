"""Who reads what, and when: the statements of a schedule in order, and for each array the statements that read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.order import get_shift_rows
from autograd_seq.ops.steps import ADD_ROWS, TAKE_STEP
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.memory.views import LEAVES, get_root, is_view, list_shifts, shows_elsewhere
from autograd_seq.plan.schedule import Item, Loop, list_paths


@dataclass(frozen=True)
class ArrayRead:
    """One statement that reads a node's array: its number, and the axes along which it reads other steps."""

    by: Node | None
    at: int
    path: tuple[Loop, ...]
    shifts: tuple[tuple[Axis, int], ...] = ()
    elsewhere: bool = False  # it reads another step than the current one, and not by a shift
    named: Axis | None = None  # the axis along which it reads the step that a value names


class Reading:
    """The statements of a schedule, and what each of them reads.

    Args:
        items: the schedule.
        outputs: the outputs of the graph.
        writes: nodes whose operation can write into an existing array.
        in_place: nodes that may overwrite an operand that no later statement reads.
        absorbed: nodes computed inside of the one node that reads them.

    Attributes:
        path: the loops around every node, outermost first; its keys are the statements in order.
        at: the number of each statement.
        span: the first and the last statement of each loop.
        stepped: the axes that some loop runs over.
        roots: the nodes whose arrays the outputs show.
        reads: the reads of each node's array.
    """

    def __init__(self, items: Sequence[Item], outputs: Sequence[Node], writes: Sequence[Node], in_place: Sequence[Node],
                 absorbed: dict[Node, Node]) -> None:  # fmt: skip
        self.items, self.outputs, self.absorbed = items, tuple(outputs), absorbed
        self.writes, self.in_place = set(writes), set(in_place)
        self.path: dict[Node, tuple[Loop, ...]] = dict(list_paths(items))
        self.at = {n: i for i, n in enumerate(self.path)}
        self.span: dict[Loop, tuple[int, int]] = {}
        for n, path in self.path.items():
            for loop in path:
                self.span[loop] = self.span.get(loop, (self.at[n],))[0], self.at[n]
        self.stepped = {loop.axis for loop in self.span}
        self.roots = {get_root(o) for o in outputs}
        self.reads = self._find_reads()

    def computed(self, n: Node) -> bool:
        """Tell whether a node has a statement of its own: it is no leaf, no view, and not computed inside of another."""
        return n.op not in LEAVES and n._value is None and not is_view(n) and n not in self.absorbed

    def _find_reads(self) -> dict[Node, list[ArrayRead]]:
        found: dict[Node, list[ArrayRead]] = {n: [] for n in self.path}
        for n, path in self.path.items():
            if n.op is SHIFT:  # its rows are written before the steps of its axis run
                outer = tuple(loop for loop in path if loop.axis is not n.attrs["axis"])
                for row in get_shift_rows(n):
                    found[get_root(row)].append(ArrayRead(n, self.at[n], outer, list_shifts(row)))
            elif self.computed(n) or n.op is ADD_ROWS:
                for x in self.operands(n):
                    named = n.attrs["axis"] if n.op is TAKE_STEP and x is n.inputs[0] else None
                    elsewhere = shows_elsewhere(x) or named is not None or (n.op is ADD_ROWS and x is n.inputs[0])
                    found[get_root(x)].append(ArrayRead(n, self.at[n], path, list_shifts(x), elsewhere, named))
        for o in self.outputs:
            found[get_root(o)].append(ArrayRead(None, len(self.path), (), list_shifts(o)))
        return found

    def get_inner(self, n: Node) -> Node:
        """Return what the statement of ``n`` computes: a node that is absorbed in it, or ``n`` itself."""
        return n.inputs[0] if n.inputs and n.inputs[0] in self.absorbed else n

    def operands(self, n: Node) -> list[Node]:
        """Return what the statement of ``n`` reads: its inputs, and the inputs of nodes absorbed in it."""
        return [y for x in n.inputs for y in (x.inputs if x in self.absorbed else (x,))]
