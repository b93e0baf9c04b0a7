"""The units of native functions: passes over memory, loops over steps, nodes, rows outside of the steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.outline import Fill
from autograd_seq.emit.places import Entry
from autograd_seq.plan.schedule import Loop


@dataclass(eq=False)
class PassStatement:
    """An elementwise operation at all points of the lifted axes; one part of a concatenation; or the sum of a scalar (a total).

    Attributes:
        node: the node that is computed.
        axes: the lifted axes, in order.
        shape: the dimensions that its inner loops run over.
        part: the number of the part of a concatenation, and where the part begins.
        store: whether its values are stored in an array.
        total: whether it is a total.
    """

    node: Node
    axes: tuple[Axis, ...]
    shape: tuple[int, ...]
    part: tuple[int, int] | None = None
    store: bool = True
    total: bool = False

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The operands; for a part of a concatenation, that part."""
        return self.node.inputs if self.part is None else (self.node.inputs[self.part[0]],)


@dataclass(eq=False)
class Pass:
    """Statements that share a loop over lifted axes; ``inner`` are the loops within, each a shape and its statements."""

    axes: tuple[Axis, ...]
    inner: list[tuple[tuple[int, ...], list[PassStatement]]] = field(default_factory=list)
    writers: dict[Node, list[tuple[int, PassStatement]]] = field(default_factory=dict)  # with the number of the inner loop
    asked: set[Node] = field(default_factory=set)  # the nodes that are read

    def statements(self) -> list[PassStatement]:
        """Return all statements, in order."""
        return [s for _, some in self.inner for s in some]

    def add(self, s: PassStatement, reads: Iterable[Entry], first: int) -> None:
        """Put a statement into the last inner loop of its shape, but none before number ``first``, or into a new one."""
        for k in range(len(self.inner) - 1, first - 1, -1):
            if self.inner[k][0] == s.shape:
                break
        else:
            k = len(self.inner)
            self.inner.append((s.shape, []))
        self.inner[k][1].append(s)
        self.writers.setdefault(s.node, []).append((k, s))
        self.asked |= {e.node for e in reads}


@dataclass(eq=False)
class StepLoop:
    """A loop of the schedule, and the units in it."""

    loop: Loop
    body: list[Unit]


Unit = Pass | StepLoop | Node | Fill
"""A node is computed by itself: a product, a reduction."""


__all__ = ["Pass", "PassStatement", "StepLoop", "Unit"]
