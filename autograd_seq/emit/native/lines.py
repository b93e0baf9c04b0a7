"""The lines and loops of a native function, as products, reductions and boundary rows write them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.native.dims import list_dims
from autograd_seq.emit.native.memory import MemoryWriter
from autograd_seq.emit.native.units import StepLoop
from autograd_seq.emit.places import AffineIndex, At
from autograd_seq.graph.graph import Graph
from autograd_seq.plan.memory.storage import Storage


class LineWriter(MemoryWriter):
    """Writes lines and loops."""

    def __init__(self, graph: Graph, storage: Storage, axes: Sequence[Axis], title: str, feeds: Mapping[str, Node]) -> None:
        super().__init__(graph, storage, axes, title, feeds)
        self.lines: list[str] = []
        self.depth = 1
        self.before: list[tuple[int, int]] = []  # where to insert lines before the outermost loop
        self.around: list[StepLoop] = []
        self.registers: dict[Any, str] = {}  # values that variables of the innermost open loop hold
        self.packs: dict[Any, str] = {}  # arrays that hold packed columns
        self.lines_before: set[str] = set()
        self.room = ""
        self.tiny = 0  # products that are plain loops
        self.wrong = ""  # an array for an index that names nothing

    def add_line(self, code: str) -> None:
        """Add a line to the native function."""
        self.lines.append("    " * self.depth + code)

    @contextmanager
    def open_loops(self, ranges: Sequence[tuple[str, str]], direction: int = 1) -> Iterator[None]:
        """Write nested loops, each (variable, length); lines written within the context are their body.

        Values that are computed within, in variables, are known there alone.
        """
        for var, length in ranges:
            self.add_line(f"for {var} in range({length}):" if direction > 0 else f"for {var} in range({length} - 1, -1, -1):")
            self.depth += 1
        self.registers = {}
        yield
        self.registers = {}
        self.depth -= len(ranges)

    def list_lifted_loops(self, axes: Container[object]) -> list[tuple[str, str]]:
        """Return the loops over those of some axes, in order, that no open loop over steps runs over."""
        stepping = {u.loop.axis for u in self.around}
        return [(self.var[a], self.size[a]) for a in self.storage.order if a in axes and a not in stepping]

    def list_inner_loops(self, shape: Sequence[int]) -> list[tuple[str, str]]:
        """Return the loops over the dimensions of a value; one of length 1 needs none."""
        return [(str(p.var), str(n)) for p, n in zip(list_dims(shape), shape, strict=True) if n != 1]

    def write_before(self, code: str) -> None:
        """Write a line before the outermost enclosing loop."""
        at, depth = self.before[0]
        self.lines.insert(at, "    " * depth + code)
        self.before[0] = at + 1, depth

    @abstractmethod
    def write_value(self, x: Node, at: At, dims: Sequence[AffineIndex]) -> str:
        """Return the value of a node at an entry, as an expression; write the lines that this needs first."""


__all__ = ["LineWriter"]
