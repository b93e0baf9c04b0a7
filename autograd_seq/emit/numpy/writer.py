"""A schedule as NumPy source: what is lifted is one call for all steps, what loops is a loop over rows of arrays.

The source has two floors. ``program(sizes…)`` allocates the workspace and makes every view once: rows of steps, steps
before and after, matrices that products read. It returns ``run(feeds…)``, which computes, writing into the workspace.
Nothing is built per step in a loop: it runs over rows, or tuples of rows, that are there already. Arrays of the workspace
begin at cache lines, for NumPy's own begin 16 bytes behind one: a product of (16, 64) and (64, 256) then takes 5.3 µs, not
3.7, and a multiplication of 4096 entries 1.5, not 0.9 (``benchmarks/alignment.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.emit.numpy.arrays import RUN, STEP, WORK, Array, tuple_code
from autograd_seq.emit.numpy.assembly import assembled
from autograd_seq.emit.numpy.boundaries import write_rows
from autograd_seq.emit.numpy.outputs import lay_out, return_output
from autograd_seq.emit.numpy.page import TUPLE, Page
from autograd_seq.emit.numpy.statements import statement
from autograd_seq.emit.numpy.views import view
from autograd_seq.emit.outline import Fill, Repeat, Step
from autograd_seq.emit.program_text import Emitted, Frame, literal, number_name
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.time import INDEX, SIZE
from autograd_seq.plan.memory.views import get_root, is_view
from autograd_seq.plan.schedule import find_end


class Writer(Page):
    """Writes one program; arguments as for :class:`Page`."""

    # -- arrays of nodes ------------------------------------------------------------------------------------------------

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

    # -- statements -----------------------------------------------------------------------------------------------------

    def write_steps(self, steps: Sequence[Step]) -> None:
        """Write what is done, in order."""
        for step in steps:
            if isinstance(step, Repeat):
                self._loop(step)
            elif isinstance(step, Fill):
                write_rows(self, step)
            else:
                statement(self, step)

    def _loop(self, repeat: Repeat) -> None:
        """Write a loop: the rows outside of its steps first, then the steps."""
        self.write_steps(repeat.fills)
        end = find_end(repeat.loop)
        if end is not None and not self.storage.homes[get_root(end)].ring:  # of a ring, no other step is read
            self.write(f"copyto({self.target(end)}, {self.once('array(False, np.bool_)', 'false')})")
        frame = Frame(repeat.loop, count=self.size[repeat.loop.axis])
        self.note(repeat.loop)
        self.frames.append(frame)
        self.write_steps(repeat.body)
        if end is not None:
            self.write(f"if not {self.target(end)}.any():")
            self.write("    break")
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

    # -- the whole --------------------------------------------------------------------------------------------------------

    def emit(self, declared: Sequence[Sequence[Axis]], into: bool = False) -> Emitted:
        """Write the program, and return it.

        Args:
            declared: for each output, the axes of the array that is returned.
            into: let ``run`` take an array for each output behind the feeds, write into those, and return nothing.
        """
        if into:
            self._take_outputs(declared)
        self.write_steps(self.steps)
        codes: list[str] = []
        for o, axes, name in zip(self.graph.outputs, declared, self.outs, strict=True) if into else ():
            if self.array(o).code != name:
                self.write(f"copyto({name}, {lay_out(self, o, axes)})")
        for o, axes in zip(self.graph.outputs, declared, strict=True) if not into else ():
            code = return_output(self, o, axes)
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


__all__ = ["Writer"]
