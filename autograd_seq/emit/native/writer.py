"""A schedule as native source: functions of plain loops over entries, and NumPy statements for all other operations.

The program has the same two levels as that of the NumPy printer: ``program(sizes…)`` allocates the workspace, and
``run(feeds…)`` computes. ``run`` calls one native function, or several with NumPy statements between them. A native function
takes arrays and lengths, allocates nothing, and reads like the equations: loops over steps that contain loops over entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node
from autograd_seq.emit.contraction import is_contraction
from autograd_seq.emit.native.boundaries import write_rows_outside
from autograd_seq.emit.native.cutting import find_parts, make_function
from autograd_seq.emit.native.dims import list_dims, list_operand_dims, undo_place
from autograd_seq.emit.native.ends import clear_steps, leave_loop
from autograd_seq.emit.native.indices import INDEXED, write_addition_to_rows
from autograd_seq.emit.native.lines import LineWriter
from autograd_seq.emit.native.memory import KINDS, MANY
from autograd_seq.emit.native.operations import write_entry
from autograd_seq.emit.native.products import write_contraction
from autograd_seq.emit.native.reductions import write_addition, write_reduction
from autograd_seq.emit.native.storing import choose_stored, is_number, share_arrays
from autograd_seq.emit.native.units import Pass, PassStatement, StepLoop, Unit
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.outline import Fill, Step, list_nodes
from autograd_seq.emit.places import AffineIndex, At, Entry, find_entry
from autograd_seq.graph.graph import Graph
from autograd_seq.ops.parts import PLACE
from autograd_seq.ops.shape import RESHAPE
from autograd_seq.ops.steps import ADD_ROWS
from autograd_seq.plan.memory.storage import Storage
from autograd_seq.plan.memory.views import get_root
from autograd_seq.plan.schedule import Loop, find_end

ALL_NATIVE = "native (numba): everything"
"""The note in a printed schedule for a program without NumPy statements."""


class NativeWriter(LineWriter):
    """Writes one program: what is computed, in which loops."""

    def __init__(self, graph: Graph, storage: Storage, axes: Sequence[Axis], title: str, feeds: Mapping[str, Node]) -> None:
        super().__init__(graph, storage, axes, title, feeds)
        self.numbers: dict[Node, str] = {}  # scalars that are variables of the whole function
        self.natives: list[str] = []
        self.slow: list[Node] = []

    # -- segments ---------------------------------------------------------------------------------------------------------

    def write_steps(self, steps: Sequence[Step]) -> None:
        """Write steps: native ones as functions, the others, and all within a NumPy loop, as NumPy statements."""
        if self.frames:
            super().write_steps(steps)
            return
        segments = self._split(steps)
        unstored = choose_stored(self.fusion, [part for native, part in segments if native], self.graph.outputs)
        share_arrays(self.fusion, segments, unstored)
        for native, part in segments:
            if native:
                self._write_function(part)
            else:
                super().write_steps(part)

    def notes(self) -> tuple[str, ...]:
        """Return the note for a printed schedule: everything is native, or which nodes run in NumPy."""
        if not self.slow:
            return (ALL_NATIVE,)
        loops = ", and the loops around, " if self.name_slow_loops() else " "
        return (f"native (numba): everything but {self._list_names(self.slow)}{loops}in NumPy",)

    def name_slow_loops(self) -> str:
        """Return the names of the nodes that keep loops in NumPy; empty if there are none."""
        return self._list_names([n for n in self.slow if self.storage.path[n]])

    def _list_names(self, slow: Sequence[Node]) -> str:
        return ", ".join(
            dict.fromkeys(f"{make_printable(self.labels[n])} ({n.op.name})" for n in slow if not self.fusion.fits(n))
        )

    def _split(self, steps: Sequence[Step]) -> list[tuple[bool, Any]]:
        """Return runs of steps: (True, their units) for those that are native, (False, steps) for the others."""
        runs: list[tuple[bool, list[Step]]] = []
        for step in steps:
            nodes = list_nodes(step)
            native = all(n in self.fusion.native for n in nodes)
            if not native:
                self.slow += [n for n in nodes if n not in self.fusion.native]
            if runs and (runs[-1][0] == native or not nodes):
                runs[-1][1].append(step)
            else:
                runs.append((native, [step]))
        make, order = self.fusion.make_units, self.fusion.put_numbers_first
        return [(native, make(order(part)) if native else part) for native, part in runs]

    def _write_function(self, units: Sequence[Unit]) -> None:
        """Write a native function, and its call."""
        if not units:
            return
        self.lines, self.depth, self.numbers, self.loads = [], 1, {}, {}
        starts, whole = [], []
        for unit in units:
            starts.append(len(self.lines))
            before = len(self.numbers)
            self.write_unit(unit)
            whole.append(len(self.numbers) == before)  # scalars that other units read must be variables of the function itself
        self._cut(starts, whole)
        name = self.names.new(f"native_{len(self.natives) + 1}")
        self.natives.append(name)
        lines = [*self.list_loads(), *self.lines]
        self.bundle.sources[name], given = make_function("native", name, lines, 1, self.kinds)
        self.run.append(f"{name}({', '.join(given)})")
        if self.wrong in given:
            self.run.append(f"refuse_index({self.wrong})")

    # -- units --------------------------------------------------------------------------------------------------------------

    def write_unit(self, unit: Unit) -> None:
        """Write a unit."""
        if isinstance(unit, StepLoop):
            self._write_loop(unit)
        elif isinstance(unit, Pass):
            self._write_pass(unit)
        elif isinstance(unit, Fill):
            write_rows_outside(self, unit)
        else:
            self.note_equation(unit)
            if is_contraction(self.storage, unit):
                write_contraction(self, unit)
            elif unit.op is ADD_ROWS:
                write_addition_to_rows(self, unit)
            else:
                write_reduction(self, unit)

    def note_equation(self, node: Node) -> None:
        """Write the equation of a node as a comment, once."""
        for line in self.list_notes(node):
            if self.depth == 1 and self.lines:
                self.lines.append("")
            self.add_line(line)

    def _write_loop(self, unit: StepLoop) -> None:
        loop: Loop = unit.loop
        if not self.around:
            self.before = [(len(self.lines), self.depth)]
        end = find_end(loop)
        if end is not None and not self.storage.homes[get_root(end)].ring:
            clear_steps(self, end)
        if self.depth == 1 and self.lines:
            self.lines.append("")
        for line in self.list_notes(loop):
            self.add_line(line)
        self.around.append(unit)
        with self.open_loops([(self.var[loop.axis], self.size[loop.axis])], loop.direction):
            start, starts = len(self.lines), []
            for inner in unit.body:
                starts.append(len(self.lines) - self.before[0][0])  # lines may be put before the outermost loop
                self.write_unit(inner)
            self._cut([self.before[0][0] + at for at in starts], [True] * len(starts))
            if end is not None:
                leave_loop(self, end)
            if all(line.lstrip().startswith("#") for line in self.lines[start:]):
                self.add_line("pass")
        self.around.pop()

    def _cut(self, starts: Sequence[int], whole: Sequence[bool]) -> None:
        """Move parts of the lines just written into functions of their own, if there are many."""
        kinds = self.kinds | {self.var[u.loop.axis]: "int" for u in self.around} | dict.fromkeys(self.loads.values(), "real")
        kinds |= {code: KINDS[n.dtype] for n, code in self.numbers.items() if code.isidentifier()}
        for first, stop in reversed(find_parts(starts, whole, len(self.lines))):
            name = self.names.new(f"part_{len(self.bundle.sources) + 1}")
            self.bundle.sources[name], given = make_function("part", name, self.lines[first:stop], self.depth, kinds)
            self.lines[first:stop] = [f"{'    ' * self.depth}{name}({', '.join(given)})"]

    def _write_pass(self, unit: Pass) -> None:
        for s in unit.statements():
            self.note_equation(s.node)
        totals = self._start_totals([s for s in unit.statements() if s.total])
        with self.open_loops(self.list_lifted_loops(unit.axes)):
            for shape, some in unit.inner:
                with self.open_loops(self.list_inner_loops(shape)):
                    for s in some:
                        if s.total:
                            code = self.write_value(s.node.inputs[0], {a: AffineIndex(self.var[a]) for a in s.axes}, ())
                            plain = totals[s].isidentifier()
                            self.add_line(write_addition(totals[s], code, s.node) if plain else f"{totals[s]} += {code}")
                        else:
                            self._write_statement(s)
        for s, total in totals.items():
            self._assign(s, f"real({total})" if s.node.dtype is float else total)

    def _start_totals(self, some: Sequence[PassStatement]) -> dict[PassStatement, str]:
        """Write the first values of totals, and return where each is accumulated: in a variable, so that loops are vectorised.

        Many totals are accumulated in an array instead, since each variable of a loop takes time to compile.
        """
        floats = [s for s in some if s.node.dtype is float]
        many = self.names.new("totals") if len(floats) >= MANY else ""
        found = {s: f"{many}[{k}]" for k, s in enumerate(floats)} if many else {}
        if many:
            self.work.append(f"{many} = empty({len(floats)}, np.float64)")
            self.buffers.append((write_tuple([len(floats)]), "np.float64"))
            self.add_pointer(many, "double")
            self.run.append(f"{many}.fill(0)")
        for s in some:
            if s not in found:
                found[s] = self.names.new("total")
                self.add_line(f"{found[s]} = {'0.0' if s.node.dtype is float else '0'}")
        return found

    def _write_statement(self, s: PassStatement) -> None:
        node, at, dims = s.node, self.get_point(s.node), list_dims(s.shape)
        if s.part is None:
            self._assign(s, self.write_formula(node, at, dims))
            return
        k, start = s.part
        axis = node.attrs["axis"]
        code = self.write_value(node.inputs[k], at, dims)
        place = list(dims)
        place[axis] = place[axis].move(start)
        self.add_line(f"{self.write_element(Entry(node, at, tuple(place)))} = {code}")

    def _assign(self, s: PassStatement, code: str) -> None:
        """Write the assignment of a statement to a variable, and to its array if it is stored."""
        node, at, dims = s.node, self.get_point(s.node), list_dims(s.shape)
        name = code
        if not (s.store and code.isidentifier()):
            name = self.new_local(node, dims)
            self.add_line(f"{name} = {code}")
        if s.store:
            self.add_line(f"{self.write_element(Entry(node, at, dims))} = {name}")
        if is_number(s) and not self.around:
            self.numbers[node] = name
        else:
            self.registers[self._make_key(node, at, dims)] = name

    def new_local(self, node: Node, dims: Sequence[AffineIndex]) -> str:
        """Return a new name for a scalar variable."""
        last = next((str(p.var) for p in reversed(dims) if p.var and p.var.isidentifier()), "here")
        return self.names.new(f"{self.get_label(node)}_{last}")

    @staticmethod
    def _make_key(node: Node, at: At, dims: Sequence[AffineIndex]) -> Any:
        return node, tuple(sorted((a.name, p.code) for a, p in at.items())), tuple(p.code for p in dims)

    # -- values -------------------------------------------------------------------------------------------------------------

    def write_value(self, x: Node, at: At, dims: Sequence[AffineIndex]) -> str:
        """Return the value of a node at an entry, as an expression; write the lines that this needs first."""
        e = find_entry(x, at, dims, self.size)
        key = self._make_key(e.node, e.at, e.dims)
        if e.node in self.numbers:
            code = self.numbers[e.node]
        elif key in self.registers and not e.moved:
            code = self.registers[key]
        elif e.node in self.fusion.inlined:
            code = self.new_local(e.node, e.dims)
            self.add_line(f"{code} = {self.write_formula(e.node, e.at, e.dims)}")
            self.registers[key] = code
        else:
            code = self.write_element(e)
            code = f"({code} != 0)" if e.node.dtype is bool and e.node._value is None else code
        for condition in e.unless:
            code = f"({code} if not {condition} else {'real(0)' if x.dtype is float else 0})"
        return code

    def write_formula(self, node: Node, at: At, dims: tuple[AffineIndex, ...]) -> str:
        """Return the operation of a node at an entry, as an expression."""
        op, xs = node.op, node.inputs
        if op in INDEXED:
            return INDEXED[op](self, node, at, dims)
        if op is PLACE:
            return self._read_placed(node, at, dims)
        if op is RESHAPE:
            return self.write_value(xs[0], at, list_operand_dims(node, xs[0], dims))
        return write_entry(node, [self.write_value(x, at, list_operand_dims(node, x, dims)) for x in xs])

    def _read_placed(self, node: Node, at: At, dims: tuple[AffineIndex, ...]) -> str:
        inside, conditions = undo_place(dims, node.attrs["key"], node.attrs["shape"])
        code = self.write_value(node.inputs[0], at, inside) if 0 not in node.inputs[0].shape else "0"
        return f"({code} if {' and '.join(conditions)} else {'real(0)' if node.dtype is float else 0})" if conditions else code


__all__ = ["ALL_NATIVE", "NativeWriter"]
