"""A page of NumPy source: where names, lines, loops and arrays of a program are written down."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.equations import Equations
from autograd_seq.emit.forwards import ALLOWED, Bundle
from autograd_seq.emit.names import Names, suggest_name
from autograd_seq.emit.numpy import operations as calls
from autograd_seq.emit.numpy.arrays import STEP, WORK, Array, arrange, write_tuple
from autograd_seq.emit.numpy.runtime import HELPERS
from autograd_seq.emit.outline import outline_plan
from autograd_seq.emit.program_text import NUMPY, Frame
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_readers
from autograd_seq.graph.printing import name_states
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.reduce import sum_over
from autograd_seq.plan.cost import ROW
from autograd_seq.plan.memory.lanes import Lane
from autograd_seq.plan.memory.storage import Home, Storage
from autograd_seq.plan.passes.dimensions import get_fixed_lengths
from autograd_seq.plan.schedule import Loop

RESERVED = {*NUMPY, *HELPERS, *calls.NUMBERS, *ALLOWED.values(), "real", "program", "run", "constants", "lengths", "step",
            "point"}  # fmt: skip


TUPLE = 64
"""Bytes of the tuple of a step."""


class Page(ABC):
    """What is being written, and the words for it: names, lines, loops, arrays and their rows.

    Args:
        graph, storage: of its plan.
        axes: in the order in which their lengths are arguments.
        title: the first line of its docstring.
        feeds: inputs and parameters as they are declared, by name, in the order in which it takes those that it reads.
            The plan may have them without axes that have one point.
    """

    reserved: ClassVar[set[str]] = RESERVED
    """What no name of a node may hide."""

    def __init__(self, graph: Graph, storage: Storage, axes: Sequence[Axis], title: str, feeds: Mapping[str, Node]) -> None:
        self.graph, self.storage, self.title = graph, storage, title
        self.steps = outline_plan(storage)
        lengths = get_fixed_lengths(graph.axes)
        self.axes = (*lengths, *axes)
        self.labels = name_states(graph.nodes, {n: graph.name(n) for n in graph.nodes})
        self.names = Names(self.reserved | calls.list_names(graph.nodes))
        self.bundle = Bundle(self.names.new)
        self.equations = Equations(graph, self.labels)
        self.lengths = {a: self.names.new(a.name.upper() if len(a.name) <= 2 else f"size_{a.name}") for a in axes}
        self.size = {a: str(lengths[a]) if a in lengths else self.lengths[a] for a in self.axes}
        self.declared = feeds
        self.feeds = {name: self.names.new(name) for name in feeds if name in graph.inputs}
        self.constants: dict[str, np.ndarray] = {}
        self.work: list[str] = []
        self.buffers: list[tuple[str, str]] = []  # shape and width of what a workspace holds, lists of rows in bytes
        self.made: list[tuple[str, str]] = []  # and of what a call makes
        self.run: list[Any] = []
        self.frames: list[Frame] = []
        self.arrays: dict[Node, Array] = {}
        self.kept: dict[tuple[int, str], str] = {}
        self.fixed: dict[tuple[Node, str], str] = {}  # matrices that loops read
        self.found: dict[tuple[Node, int], str] = {}  # of the entries that an index names
        self.bases: dict[int, str] = {}  # workspace arrays, by number
        self.helpers: set[str] = set()
        self.noted: set[Node] = set()
        self.claimed: set[Node] = set()  # what has been returned to the caller as it was made
        self.outs: list[str] = []  # arrays of the caller that the outputs are to be written into, if they are
        self.into: dict[Node, str] = {}  # what is computed there at once
        # whole numbers that only floats meet: at the width of those, or NumPy would compute in double precision
        self.floating = {x for x, rs in list_readers(graph.nodes).items() if x.dtype is int and all(
            r.dtype is float and r.op.broadcasts and any(y.dtype is float for y in r.inputs) for r in rs)}  # fmt: skip

    def write(self, line: Any) -> None:
        """Add a line, or a finished loop, to where the program is being written."""
        (self.frames[-1].lines if self.frames else self.run).append(line)

    def get_label(self, node: Node) -> str:
        """Return the name by which a node's array is to be called."""
        return suggest_name(node, self.labels)

    def get_width(self, node: Node) -> str:
        """Return the dtype of a node's array, as source."""
        return {float: "real", int: "np.int64", bool: "np.bool_"}[node.dtype]

    def list_open_axes(self) -> list[Axis]:
        """Return the axes of the loops that are open."""
        return [f.loop.axis for f in self.frames]

    def compute_once(self, code: str, wanted: str, stage: int = WORK) -> str:
        """Return a name for an expression that does not change, computed once in the workspace."""
        key = stage, code
        if key not in self.kept:
            self.kept[key] = self.names.new(wanted)
            if stage == WORK:
                self.work.append(f"{self.kept[key]} = {code}")
            else:
                self.run.append(f"{self.kept[key]} = {code}")
        return self.kept[key]

    def make_once(self, code: str, wanted: str, shape: str, width: str) -> str:
        """Return a name for an array that does not change, which an expression makes in the workspace."""
        if (WORK, code) not in self.kept:
            self.buffers.append((shape, width))
        return self.compute_once(code, wanted)

    def note(self, item: Node | Loop) -> None:
        """Write the equation that a statement begins to compute, or those of the states that a loop steps."""
        for line in self.list_notes(item):
            self.write(line)

    def list_notes(self, item: Node | Loop) -> list[str]:
        """Return the comments of a statement or a loop: equations, that of a statement once."""
        of = self.equations.of
        nodes = self.equations.list_heads(item) if isinstance(item, Loop) else [of[item]] if of[item] not in self.noted else []
        self.noted |= {of[n] for n in nodes}
        return [f"# {self.equations.write_equation(n)}" for n in nodes]

    @abstractmethod
    def get_array(self, node: Node) -> Array:
        """Return the array of a node, with all dimensions that are kept."""

    def hold(self, x: Array, node: Node) -> Array:
        """Return a view of a workspace array under a name of its own; others are written out where they are read."""
        if x.stage == WORK and not x.code.isidentifier():
            return x.as_view(self.compute_once(x.code, self.get_label(node)))
        return x

    def sort_axes(self, x: Array, node: Node) -> Array:
        """Return the array with its axes in the order of all others."""
        want = sorted(x.axes, key=self.storage.order.index)
        code = arrange(x, [*want, *range(len(x.shape))], ())
        return self.hold(x.as_view(code, axes=tuple(want), whole=x.whole and code == x.code), node)

    def place_lane(self, lane: Lane, shape: tuple[int, ...], wanted: str) -> Array:
        """Return a part of an array as an array."""
        x = self.show_steps(self.storage.homes[lane.whole], lane.axis, lane.by) if lane.by else self.get_array(lane.whole)
        keys = [f"{lane.start}:{lane.stop}" if d == lane.dimension else ":" for d in range(-len(shape), 0)]
        while keys[-1] == ":":
            keys.pop()
        return x.as_view(self.compute_once(x.write_index({}, keys), wanted), shape=shape, whole=False)

    def get_workspace_array(self, home: Home) -> str:
        """Return the name of a workspace array, which is allocated here when it is first needed."""
        assert home.buffer is not None
        if home.buffer not in self.bases:
            first = self.storage.buffers[home.buffer]
            lengths: list[object] = [home.ring] if home.ring > 1 else []
            for a in first.axes:
                extra = sum(first.halo.get(a, (0, 0)))
                lengths.append(f"{self.size[a]} + {extra}" if extra else self.size[a])
            label = self.get_label(first.node)
            name = self.names.new(f"{label}_all" if first.halo else label)
            zeros = ", np.zeros" if first.halo or home.ring else ""
            self.allocate(name, write_tuple([*lengths, *first.node.shape]), self.get_width(first.node) + zeros)
            self.bases[home.buffer] = name
        return self.bases[home.buffer]

    def allocate(self, name: str, shape: str, width: str) -> None:
        """Allocate an array in the workspace."""
        self.helpers.add("allocate_aligned")
        self.work.append(f"{name} = allocate_aligned({shape}, {width})")
        self.buffers.append((shape, width))

    def note_views(self, count: str, rank: int) -> None:
        """Note a list of views with so many dimensions."""
        self.buffers.append((f"({count}, {ROW + 16 * rank})", "bytes"))

    def write_keys(self, home: Home, axis: Axis | None = None, offset: int = 0) -> dict[int, str]:
        """Return the indices of the steps among the rows of a home's array, by dimension; those of one axis moved."""
        keys = {}
        for p, a in enumerate(home.axes):
            if a in home.halo:
                lo, hi = home.halo[a]
                start = lo + (offset if a is axis else 0)
                after = lo + hi - start
                keys[p] = f"{start or ''}:{f'-{after}' if after else ''}" if after >= 0 else f"{start}:"
        return keys

    def show_steps(self, home: Home, axis: Axis | None, offset: int) -> Array:
        """Return the steps of a home's array, those of one axis moved by ``offset``."""
        base, keys = self.get_workspace_array(home), self.write_keys(home, axis, offset)
        whole = all(a is home.axes[0] for a in home.halo)
        x = Array(base, home.axes, home.node.shape, WORK, whole)
        label = self.get_label(home.node)
        if not keys:
            return x
        if offset:
            label += f"_{'before' if offset < 0 else 'after'}{abs(offset) if abs(offset) > 1 else ''}"
        return x.as_view(self.compute_once(x.write_index(keys), label))

    def _show_ring(self, home: Home, by: int) -> Array:
        """Return the row of a ring at the current step of its loop, or ``by`` steps before: all who read it are within."""
        base, loop = self.get_workspace_array(home), self.storage.path[home.node][-1]
        n, label = self.size[loop.axis], self.get_label(home.node)
        late = f" - {abs(by)}" if by else ""
        code = f"[{base}[(step{late}) % {home.ring}, ...] for step in range({n})]"
        if (WORK, code) not in self.kept:
            self.note_views(n, len(home.axes) + len(home.node.shape))
        name = self.compute_once(code, f"{label}_{'earlier' if by else 'rows'}{abs(by) or ''}")
        over = self.frames[-1].over
        if name not in over:
            over[name] = self.names.new(f"{label}_{loop.axis.name}"), name
        return Array(over[name][0], home.axes, home.node.shape, STEP)

    def read_ring(self, home: Home, by: int) -> Array:
        """Return what a loop left for itself some steps ago."""
        return self._show_ring(home, by) if home.ring > 1 else self.show_steps(home, None, 0)

    def bind(self, code: str, axes: Sequence[Axis], stage: int, label: str, points: int) -> str:
        """Return the code of an array at the current step of all loops around; ``axes`` are those of its first dimensions.

        Args:
            points: how many dimensions it has besides the axes of loops.
        """
        axes = list(axes)
        for frame in self.frames:
            if not (axes and axes[0] is frame.loop.axis):
                continue
            if code not in frame.over:
                rows = f"{code}[::-1]" if frame.loop.direction < 0 else code
                if stage == WORK or (len(axes) == 1 and not points):  # numbers come out of a vector: nothing writes to those
                    self.helpers.add("iterate_rows")
                    rows = f"iterate_rows({rows})"
                if stage == WORK:
                    frame.fixed.add(rows)
                    self.note_views(frame.count, len(axes) - 1 + points)
                frame.over[code] = self.names.new(f"{label}_{frame.loop.axis.name}"), rows
            code, stage, axes = frame.over[code][0], STEP, axes[1:]
        return code

    def split_axes(self, axes: Sequence[Axis]) -> tuple[list[Axis], list[Axis]]:
        """Return the axes that loops around step over, and those that are lifted."""
        stepping = self.list_open_axes()
        return [a for a in stepping if a in axes], [a for a in axes if a not in stepping]

    def write_operand(self, node: Node, axes: Sequence[Axis], rank: int | None) -> str:
        """Return a node's values for an operation on the lifted ``axes``, whose values broadcast to ``rank`` dimensions."""
        x = self.get_array(node)
        _, lifted = self.split_axes(x.axes)
        first = next((i for i, a in enumerate(axes) if a in lifted), len(axes))
        want: list[Axis | int | None] = [a if a in lifted else None for a in axes[first:]]
        if want and rank is not None:
            want += [None] * (rank - len(x.shape))
        want += range(len(x.shape))
        return self.show(x, want, self.get_label(node))

    def show(self, x: Array, want: Sequence[Axis | int | None], label: str) -> str:
        """Return the code of an array with its lifted dimensions in some order, at the current step of all loops around."""
        loops, _ = self.split_axes(x.axes)
        code = arrange(x, want, loops)
        if x.stage == WORK and code != x.code:
            code = self.compute_once(code, label)
        return self.bind(code, loops, x.stage, label, len(want))

    def is_local(self, node: Node) -> bool:
        """Tell whether the values of a node are a local variable, which the statement that computes them makes."""
        return self.storage.homes[node].buffer is None and node not in self.into

    def owns(self, node: Node) -> bool:
        """Tell whether the local variable of a node is an array that nothing else shows."""
        return bool(node.axes or node.shape) and (node.op in (CONTRACT, sum_over) or calls.can_write(node))

    def write_target(self, node: Node) -> str:
        """Return where the values of a node are to be written."""
        return self.show_step(self.get_array(node), self.get_label(node))

    def show_step(self, x: Array, label: str) -> str:
        """Return the code of an array at the current step of all loops around."""
        return self.show(x, [*self.split_axes(x.axes)[1], *range(len(x.shape))], label)

    def assign(self, node: Node, code: str) -> None:
        """Write an expression to where the values of a node are to be."""
        if self.is_local(node):
            self.write(f"{self.get_array(node).code} = {code}")
        else:
            self.write(f"{self.write_target(node)}[...] = {code}")

    def finish_line(self, line: str) -> str:
        """Return a line with its numbers; what it calls is carried along."""
        self.helpers |= {h for h in HELPERS if line.startswith(f"{h}(")}
        for word, (name, value) in calls.NUMBERS.items():
            if word in line and re.search(rf"\b{word}\b", line):
                line = re.sub(rf"\b{word}\b", self.compute_once(f"array({value}, real)", name), line)
        return line


__all__ = ["RESERVED", "Page"]
