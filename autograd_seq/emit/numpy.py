"""A schedule as NumPy source: what is lifted is one call for all steps, what loops is a loop over rows of arrays.

The source has two floors. ``program(sizes…)`` allocates the workspace and makes every view once: rows of steps, steps
before and after, matrices that products read. It returns ``run(feeds…)``, which computes, writing into the workspace.
Nothing is built per step in a loop: it runs over rows, or tuples of rows, that are there already. Arrays of the workspace
begin at cache lines, for NumPy's own begin 16 bytes behind one: a product of (16, 64) and (64, 256) then takes 5.3 µs, not
3.7, and a multiplication of 4096 entries 1.5, not 0.9 (``tests/benchmarks/alignment.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.emit import calls
from autograd_seq.emit.arrays import RUN, STEP, WORK, Array, tuple_code
from autograd_seq.emit.boundaries import fill
from autograd_seq.emit.bundle import ALLOWED, Bundle
from autograd_seq.emit.carried import HELPERS
from autograd_seq.emit.equations import Equations
from autograd_seq.emit.names import Names, called, state_names
from autograd_seq.emit.outputs import laid, returned
from autograd_seq.emit.statements import statement
from autograd_seq.emit.text import NUMPY, Emitted, Frame, assembled, literal, number_name
from autograd_seq.emit.views import arranged, view
from autograd_seq.graph.graph import Graph
from autograd_seq.node import CONSTANT, Node
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.time import INDEX, SHIFT, SIZE
from autograd_seq.plan.cost import ROW
from autograd_seq.plan.dimensions import fixed
from autograd_seq.plan.lanes import Lane
from autograd_seq.plan.schedule import Item, Loop
from autograd_seq.plan.storage import Home, Storage
from autograd_seq.plan.views import is_view, root

RESERVED = {*NUMPY, *HELPERS, *calls.NUMBERS, *ALLOWED.values(), "real", "program", "run", "constants", "lengths", "step",
            "point"}  # fmt: skip


METHOD = 72
"""Bytes of a method that is looked up before a loop."""
TUPLE = 64
"""Bytes of the tuple of a step."""


class Writer:
    """Writes one program.

    Args:
        graph, storage: of its plan.
        axes: in the order in which their lengths are told.
        title: the first line of its docstring.
        feeds: inputs and parameters as they are declared, by name, in the order in which it takes those that it reads.
            The plan may have them without axes that have one point.
    """

    reserved: ClassVar[set[str]] = RESERVED
    """What no name of a node may hide."""

    def __init__(self, graph: Graph, storage: Storage, axes: Sequence[Axis], title: str, feeds: Mapping[str, Node]) -> None:
        self.graph, self.storage, self.title = graph, storage, title
        lengths = fixed(graph.axes)
        self.axes = (*lengths, *axes)
        self.labels = state_names(graph.nodes, {n: graph.name(n) for n in graph.nodes})
        self.names = Names(self.reserved | calls.names(graph.nodes))
        self.bundle = Bundle(self.names.new)
        self.equations = Equations(graph, self.labels, storage.absorbed)
        self.told = {a: self.names.new(a.name.upper() if len(a.name) <= 2 else f"size_{a.name}") for a in axes}
        self.size = {a: str(lengths[a]) if a in lengths else self.told[a] for a in self.axes}
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
        self.filled: set[tuple[Home, Axis, str]] = set()
        self.helpers: set[str] = set()
        self.noted: set[Node] = set()
        self.given: set[Node] = set()
        self.outs: list[str] = []  # arrays of the caller that the outputs are to be written into, if they are
        self.into: dict[Node, str] = {}  # what is computed there at once
        readers: dict[Node, list[Node]] = {}
        for n in graph.nodes:
            for x in n.inputs:
                readers.setdefault(x, []).append(n)
        # whole numbers that only floats meet: at the width of those, or NumPy would compute in double precision
        self.floating = {x for x, rs in readers.items() if x.dtype is int and all(
            r.dtype is float and r.op.broadcasts and any(y.dtype is float for y in r.inputs) for r in rs)}  # fmt: skip

    # -- names and lines ------------------------------------------------------------------------------------------------

    def write(self, line: Any) -> None:
        """Add a line, or a finished loop, to where the program is being written."""
        (self.frames[-1].lines if self.frames else self.run).append(line)

    def called(self, node: Node) -> str:
        """Return what a node is to be called."""
        return called(node, self.labels)

    def width(self, node: Node) -> str:
        """Return the dtype of a node's array, as source."""
        return {float: "real", int: "np.int64", bool: "np.bool_"}[node.dtype]

    def stepping(self) -> list[Axis]:
        """Return the axes of the loops that are open."""
        return [f.loop.axis for f in self.frames]

    def once(self, code: str, wanted: str, stage: int = WORK) -> str:
        """Return a name for an expression that does not change, computed once in the workspace."""
        key = stage, code
        if key not in self.kept:
            self.kept[key] = self.names.new(wanted)
            if stage == WORK:
                self.work.append(f"{self.kept[key]} = {code}")
            else:
                self.run.append(f"{self.kept[key]} = {code}")
        return self.kept[key]

    def made_once(self, code: str, wanted: str, shape: str, width: str) -> str:
        """Return a name for an array that does not change, which an expression makes in the workspace."""
        if (WORK, code) not in self.kept:
            self.buffers.append((shape, width))
        return self.once(code, wanted)

    def held(self, x: Array, node: Node) -> Array:
        """Return a view of a workspace array under a name of its own; others are written out where they are read."""
        if x.stage == WORK and not x.code.isidentifier():
            return x.as_view(self.once(x.code, self.called(node)))
        return x

    def sorted(self, x: Array, node: Node) -> Array:
        """Return the array with its axes in the order of all others."""
        want = sorted(x.axes, key=self.storage.order.index)
        code = arranged(x, [*want, *range(len(x.shape))], ())
        return self.held(x.as_view(code, axes=tuple(want), whole=x.whole and code == x.code), node)

    # -- arrays of nodes ------------------------------------------------------------------------------------------------

    def root_of(self, node: Node) -> Node:
        """Return the node whose array this one shows."""
        return root(node)

    def array(self, node: Node) -> Array:
        """Return the array of a node, with all dimensions that are kept."""
        if node not in self.arrays:
            self.arrays[node] = self._leaf(node) if node not in self.storage.homes and not is_view(node) else (
                view(self, node) if is_view(node) else self._own(node))  # fmt: skip
        return self.arrays[node]

    def _leaf(self, node: Node) -> Array:
        if node._value is not None or node.op is CONSTANT:
            return Array(self._constant(node), (), node.shape, WORK)
        if node.op is SIZE:
            return Array(self.size[node.attrs["axis"]], (), (), WORK)
        if node.op is INDEX:
            axis = node.attrs["axis"]
            length = self.size[axis]
            steps = self.made_once(f"arange({length})", f"index_{axis.name}", f"({length},)", "np.int64")
            return Array(steps, (axis,), (), WORK)
        assert node.op in (INPUT, PARAM, TENSOR), node
        name = self.graph.name(node)
        code = self.feeds[name]
        if node.axes != self.declared[name].axes:
            lengths = tuple_code([*(self.size[a] for a in node.axes), *node.shape])
            code = self.once(f"{code}.reshape({lengths})", f"{name}_alone", RUN)
        return self.sorted(Array(code, node.axes, node.shape, RUN), node)

    def _constant(self, node: Node) -> str:
        value = np.asarray(node._value)
        width = "real" if node.dtype is float or node in self.floating else self.width(node)
        if not value.size or (value.size > 1 and (value == value.flat[0]).all()):  # an empty list does not tell its shape
            number = literal(value.flat[0]) if value.size else "0"
            shape = tuple_code(value.shape)
            return self.made_once(f"full({shape}, {number}, {width})", node.name or "constant", shape, width)
        if value.size > 64:
            name = self.names.new(node.name or "constant")
            self.constants[name] = np.ascontiguousarray(value)
            self.work.append(f'{name} = array(constants["{name}"], {width})')
            self.buffers.append((tuple_code(value.shape), width))
            return name
        body = literal(value)
        wanted = number_name(value) if not value.shape else "constant"
        return self.made_once(f"array({body}, {width})", node.name or wanted, tuple_code(value.shape), width)

    def _own(self, node: Node) -> Array:
        home = self.storage.homes[node]
        if home.lane:
            return self.place(home.lane, node.shape, self.called(node))
        if node in self.into:
            return Array(self.into[node], home.axes, node.shape, RUN)
        if home.buffer is None:
            stage = STEP if self.storage.path[node] else RUN
            return Array(self.names.new(self.called(node)), home.axes, node.shape, stage, whole=False)
        if home.ring > 1:
            return self._ring(home, 0)
        return self.steps_of(home, None, 0)

    def place(self, lane: Lane, shape: tuple[int, ...], wanted: str) -> Array:
        """Return a part of an array as an array."""
        x = self.steps_of(self.storage.homes[lane.whole], lane.axis, lane.by) if lane.by else self.array(lane.whole)
        keys = [f"{lane.start}:{lane.stop}" if d == lane.dimension else ":" for d in range(-len(shape), 0)]
        while keys[-1] == ":":
            keys.pop()
        even = (x.whole or x.even) and len(shape) == 1
        return x.as_view(self.once(x.index({}, keys), wanted), shape=shape, whole=False, even=even)

    def allocated(self, home: Home) -> str:
        """Return the name of a workspace array, which is allocated here when it is first needed."""
        assert home.buffer is not None
        if home.buffer not in self.bases:
            first = self.storage.buffers[home.buffer]
            lengths: list[object] = [home.ring] if home.ring > 1 else []
            for a in first.axes:
                extra = sum(first.halo.get(a, (0, 0)))
                lengths.append(f"{self.size[a]} + {extra}" if extra else self.size[a])
            label = self.called(first.node)
            name = self.names.new(f"{label}_all" if first.halo else label)
            zeros = ", np.zeros" if first.halo or home.ring else ""
            self.allocate(name, tuple_code([*lengths, *first.node.shape]), self.width(first.node) + zeros)
            self.bases[home.buffer] = name
        return self.bases[home.buffer]

    def allocate(self, name: str, shape: str, width: str) -> None:
        """Allocate an array in the workspace."""
        self.helpers.add("aligned")
        self.work.append(f"{name} = aligned({shape}, {width})")
        self.buffers.append((shape, width))

    def views(self, count: str, rank: int, more: int = 0) -> None:
        """Note a list of views with so many dimensions, and so many bytes more each."""
        self.buffers.append((f"({count}, {ROW + 16 * rank + more})", "bytes"))

    def steps_of(self, home: Home, axis: Axis | None, offset: int) -> Array:
        """Return the steps of a home's array, those of one axis moved by ``offset``."""
        base = self.allocated(home)
        keys = {}
        for p, a in enumerate(home.axes):
            if a in home.halo:
                lo, hi = home.halo[a]
                start = lo + (offset if a is axis else 0)
                behind = lo + hi - start
                keys[p] = f"{start or ''}:{f'-{behind}' if behind else ''}" if behind >= 0 else f"{start}:"
        whole = all(a is home.axes[0] for a in home.halo)
        x = Array(base, home.axes, home.node.shape, WORK, whole)
        label = self.called(home.node)
        if not keys:
            return x
        if offset:
            label += f"_{'before' if offset < 0 else 'after'}{abs(offset) if abs(offset) > 1 else ''}"
        return x.as_view(self.once(x.index(keys), label))

    def _ring(self, home: Home, by: int) -> Array:
        """Return the row of a ring at the current step of its loop, or ``by`` steps before: all who read it are within."""
        base, loop = self.allocated(home), self.storage.path[home.node][-1]
        n, label = self.size[loop.axis], self.called(home.node)
        late = f" - {abs(by)}" if by else ""
        code = f"[{base}[(step{late}) % {home.ring}, ...] for step in range({n})]"
        if (WORK, code) not in self.kept:
            self.views(n, len(home.axes) + len(home.node.shape))
        name = self.once(code, f"{label}_{'earlier' if by else 'rows'}{abs(by) or ''}")
        over = self.frames[-1].over
        if name not in over:
            over[name] = self.names.new(f"{label}_{loop.axis.name}"), name
        return Array(over[name][0], home.axes, home.node.shape, STEP)

    def ring_read(self, home: Home, axis: Axis, by: int) -> Array:
        """Return what a loop left for itself some steps ago."""
        return self._ring(home, by) if home.ring > 1 else self.steps_of(home, None, 0)

    # -- operands -------------------------------------------------------------------------------------------------------

    def bind(self, code: str, axes: Sequence[Axis], stage: int, label: str, points: int, method: str = "") -> str:
        """Return the code of an array at the current step of all loops around; ``axes`` are those of its first dimensions.

        Args:
            points: how many dimensions it has besides the axes of loops.
            method: one of its methods instead, which is looked up before the loop.
        """
        axes = list(axes)
        for frame in self.frames:
            if not (axes and axes[0] is frame.loop.axis):
                continue
            key = f"{code}.{method}" if method else code
            if key not in frame.over:
                rows = self._rows(code, frame.loop, stage, method, scalars=len(axes) == 1 and not points)
                if stage == WORK:
                    frame.fixed.add(rows)
                    self.views(frame.count, len(axes) - 1 + points, METHOD if method else 0)
                frame.over[key] = self.names.new(f"{label}_{frame.loop.axis.name}"), rows
            code, stage, axes = frame.over[key][0], STEP, axes[1:]
        return code

    def _rows(self, code: str, loop: Loop, stage: int, method: str, scalars: bool) -> str:
        """Return what a loop runs over to see the rows of an array, or a method of each, in its direction."""
        code += "[::-1]" if loop.direction < 0 else ""
        if stage == WORK or scalars:  # numbers would come out of a one-dimensional array, which nothing can be written to
            each = f"{method}s" if method else "rows"
            self.helpers.add(each)
            return f"{each}({code})"
        return code

    def level(self, axes: Sequence[Axis]) -> tuple[list[Axis], list[Axis]]:
        """Return the axes that loops around step over, and those that are lifted."""
        stepping = self.stepping()
        return [a for a in stepping if a in axes], [a for a in axes if a not in stepping]

    def operand(self, node: Node, axes: Sequence[Axis], rank: int | None) -> str:
        """Return a node's values for an operation on the lifted ``axes``, whose values broadcast to ``rank`` dimensions."""
        x = self.array(node)
        loops, lifted = self.level(x.axes)
        first = next((i for i, a in enumerate(axes) if a in lifted), len(axes))
        want: list[Axis | int | None] = [a if a in lifted else None for a in axes[first:]]
        if want and rank is not None:
            want += [None] * (rank - len(x.shape))
        want += range(len(x.shape))
        code = arranged(x, want, loops)
        if x.stage == WORK and code != x.code:
            code = self.once(code, self.called(node))
        return self.bind(code, loops, x.stage, self.called(node), len(want))

    # -- statements -----------------------------------------------------------------------------------------------------

    def items(self, items: Sequence[Item]) -> None:
        """Write a schedule."""
        for item in items:
            if isinstance(item, Loop):
                self.loop(item)
            elif item.op is SHIFT and not (self.frames and item.attrs["axis"] in self.stepping()):
                fill(self, item)
            elif item in self.storage.homes:
                self.statement(item)

    def loop(self, loop: Loop) -> None:
        """Write a loop: the rows outside of its steps first, then the steps."""
        for node, path in self.storage.path.items():
            if node.op is SHIFT and node.attrs["axis"] is loop.axis and loop in path:
                fill(self, node)
        frame = Frame(loop, count=self.size[loop.axis])
        self.equations.note(self, loop)
        self.frames.append(frame)
        self.items(loop.body)
        self.frames.pop()
        sources = [rows for _, rows in frame.over.values()]
        fixed = frame.fixed | {name for (stage, _), name in self.kept.items() if stage == WORK}
        if sources and fixed.issuperset(sources):  # a tuple that is there is read faster than zip makes one
            joined = f"zip({', '.join(sources)})" if len(sources) > 1 else sources[0]
            frame.steps = self.once(f"list({joined})", "steps")
            self.buffers.append((f"({frame.count}, {TUPLE})", "bytes"))
        for key, (name, rows) in frame.over.items() if not frame.steps else ():
            if rows in frame.fixed:
                frame.over[key] = name, self.once(f"list({rows})", "rows")
        self.write(frame)

    def statement(self, node: Node) -> None:
        """Write what computes a node."""
        statement(self, node)

    def is_local(self, node: Node) -> bool:
        """Tell whether the values of a node are a local variable, which the statement that computes them makes."""
        return self.storage.homes[node].buffer is None and node not in self.into

    def target(self, node: Node) -> str:
        """Return where the values of a node are to be written."""
        return self.at_step(self.array(node), self.called(node))

    def at_step(self, x: Array, label: str) -> str:
        """Return the code of an array at the current step of all loops around."""
        loops, lifted = self.level(x.axes)
        code = arranged(x, [*lifted, *range(len(x.shape))], loops)
        if x.stage == WORK and code != x.code:
            code = self.once(code, label)
        return self.bind(code, loops, x.stage, label, len(lifted) + len(x.shape))

    def assign(self, node: Node, code: str) -> None:
        """Write an expression to where the values of a node are to be."""
        if self.is_local(node):
            self.write(f"{self.array(node).code} = {code}")
        else:
            self.write(f"{self.target(node)}[...] = {code}")

    def finished(self, line: str) -> str:
        """Return a line with its numbers; what it calls is carried along."""
        self.helpers |= {h for h in HELPERS if line.startswith(f"{h}(")}
        for word, (name, value) in calls.NUMBERS.items():
            if word in line and re.search(rf"\b{word}\b", line):
                line = re.sub(rf"\b{word}\b", self.once(f"array({value}, real)", name), line)
        return line

    # -- the whole --------------------------------------------------------------------------------------------------------

    def emit(self, declared: Sequence[Sequence[Axis]], into: bool = False) -> Emitted:
        """Write the program, and return it.

        Args:
            declared: for each output, the axes of the array that is returned.
            into: let ``run`` take an array for each output behind the feeds, write into those, and return nothing.
        """
        if into:
            self._take_outputs(declared)
        self.items(self.storage.items)
        codes: list[str] = []
        for o, axes, name in zip(self.graph.outputs, declared, self.outs, strict=True) if into else ():
            if self.array(o).code != name:
                self.write(f"copyto({name}, {laid(self, o, axes)})")
        for o, axes in zip(self.graph.outputs, declared, strict=True) if not into else ():
            code = self._returned(o, axes)
            if not code.isidentifier() and self.array(o).code != self.called(o):
                name = self.names.new(self.called(o))
                self.write(f"{name} = {code}")
                code = name
            codes.append(code)
        source = assembled(self, codes)
        return Emitted(source, self.feeds, self.told, self.constants, self.bundle.foreign, tuple(map(tuple, declared)),
                       tuple(self.buffers), tuple(self.made))  # fmt: skip

    def _take_outputs(self, declared: Sequence[Sequence[Axis]]) -> None:
        """Name the caller's arrays, and note which outputs can be computed right there."""
        for o, axes in zip(self.graph.outputs, declared, strict=True):
            self.outs.append(self.names.new(f"{self.called(o)}_out"))
            home = self.storage.homes.get(o)
            if home and home.buffer is None and tuple(axes) == home.axes and o not in self.into:
                self.into[o] = self.outs[-1]

    def _returned(self, node: Node, declared: Sequence[Axis]) -> str:
        return returned(self, node, declared)


__all__ = ["NUMPY", "RESERVED", "Emitted", "Writer"]
