"""A schedule as NumPy source: what is lifted is one call for all steps, what loops is a loop over rows of arrays.

The source has two floors. ``program(sizes…)`` allocates the workspace and makes every view once: rows of steps, steps
before and after, matrices that products read. It returns ``run(feeds…)``, which computes, writing into the workspace.
Nothing is built per step in a loop: it runs over rows, or tuples of rows, that are there already. Arrays of the workspace
begin at cache lines, for NumPy's own begin 16 bytes after one: a product of (16, 64) and (64, 256) then takes 5.3 µs, not
3.7, and a multiplication of 4096 entries 1.5, not 0.9 (``benchmarks/alignment.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.emit.numpy.arrays import RUN, STEP, WORK, Array, write_tuple
from autograd_seq.emit.numpy.assembly import assemble
from autograd_seq.emit.numpy.boundaries import write_rows
from autograd_seq.emit.numpy.outputs import lay_out, return_output
from autograd_seq.emit.numpy.page import TUPLE, Page
from autograd_seq.emit.numpy.statements import write_statement
from autograd_seq.emit.numpy.views import make_view
from autograd_seq.emit.outline import Fill, Repeat, Step
from autograd_seq.emit.program_text import Emitted, Frame, name_number, write_literal
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.time import INDEX, SIZE
from autograd_seq.plan.memory.views import get_root, is_view
from autograd_seq.plan.schedule import find_end


class Writer(Page):
    """Writes one program; arguments as for :class:`Page`."""

    # -- arrays of nodes ------------------------------------------------------------------------------------------------

    def get_array(self, node: Node) -> Array:
        """Return the array of a node, with all dimensions that are kept."""
        if node not in self.arrays:
            self.arrays[node] = self._make_leaf(node) if node not in self.storage.homes and not is_view(node) else (
                make_view(self, node) if is_view(node) else self._make_own(node))  # fmt: skip
        return self.arrays[node]

    def _make_leaf(self, node: Node) -> Array:
        if node._value is not None or node.op is CONSTANT:
            return Array(self._write_constant(node), (), node.shape, WORK)
        if node.op is SIZE:
            return Array(self.size[node.attrs["axis"]], (), (), WORK)
        if node.op is INDEX:
            axis = node.attrs["axis"]
            length = self.size[axis]
            steps = self.make_once(f"arange({length})", f"index_{axis.name}", f"({length},)", "np.int64")
            return Array(steps, (axis,), (), WORK)
        assert node.op in (INPUT, PARAM, TENSOR), node
        name = self.graph.name(node)
        code = self.feeds[name]
        if node.axes != self.declared[name].axes:
            lengths = write_tuple([*(self.size[a] for a in node.axes), *node.shape])
            code = self.compute_once(f"{code}.reshape({lengths})", f"{name}_alone", RUN)
        return self.sort_axes(Array(code, node.axes, node.shape, RUN), node)

    def _write_constant(self, node: Node) -> str:
        value = np.asarray(node._value)
        width = "real" if node.dtype is float or node in self.floating else self.get_width(node)
        if not value.size or (value.size > 1 and (value == value.flat[0]).all()):  # an empty list does not tell its shape
            number = write_literal(value.flat[0]) if value.size else "0"
            shape = write_tuple(value.shape)
            return self.make_once(f"full({shape}, {number}, {width})", node.name or "constant", shape, width)
        if value.size > 64:
            name = self.names.new(node.name or "constant")
            self.constants[name] = np.ascontiguousarray(value)
            self.work.append(f'{name} = array(constants["{name}"], {width})')
            self.buffers.append((write_tuple(value.shape), width))
            return name
        body = write_literal(value)
        wanted = name_number(value) if not value.shape else "constant"
        return self.make_once(f"array({body}, {width})", node.name or wanted, write_tuple(value.shape), width)

    def _make_own(self, node: Node) -> Array:
        home = self.storage.homes[node]
        if home.lane:
            return self.place_lane(home.lane, node.shape, self.get_label(node))
        if node in self.into:
            return Array(self.into[node], home.axes, node.shape, RUN)
        if home.buffer is None:
            stage = STEP if self.storage.path[node] else RUN
            return Array(self.names.new(self.get_label(node)), home.axes, node.shape, stage, whole=False)
        if home.ring > 1:
            return self._show_ring(home, 0)
        return self.show_steps(home, None, 0)

    # -- statements -----------------------------------------------------------------------------------------------------

    def write_steps(self, steps: Sequence[Step]) -> None:
        """Write what is done, in order."""
        for step in steps:
            if isinstance(step, Repeat):
                self._write_numpy_loop(step)
            elif isinstance(step, Fill):
                write_rows(self, step)
            else:
                write_statement(self, step)

    def _write_numpy_loop(self, repeat: Repeat) -> None:
        """Write a loop: the rows outside of its steps first, then the steps."""
        self.write_steps(repeat.fills)
        end = find_end(repeat.loop)
        if end is not None and not self.storage.homes[get_root(end)].ring:  # of a ring, no other step is read
            self.write(f"copyto({self.write_target(end)}, {self.compute_once('array(False, np.bool_)', 'false')})")
        frame = Frame(repeat.loop, count=self.size[repeat.loop.axis])
        self.note(repeat.loop)
        self.frames.append(frame)
        self.write_steps(repeat.body)
        if end is not None:
            self.write(f"if not {self.write_target(end)}.any():")
            self.write("    break")
        self.frames.pop()
        sources = [rows for _, rows in frame.over.values()]
        fixed = frame.fixed | {name for (stage, _), name in self.kept.items() if stage == WORK}
        if sources and fixed.issuperset(sources):  # a tuple that is there is read faster than zip makes one
            joined = f"zip({', '.join(sources)})" if len(sources) > 1 else sources[0]
            frame.steps = self.compute_once(f"list({joined})", "steps")
            self.buffers.append((f"({frame.count}, {TUPLE})", "bytes"))
        for key, (name, rows) in frame.over.items() if not frame.steps else ():
            if rows in frame.fixed:
                frame.over[key] = name, self.compute_once(f"list({rows})", "rows")
        self.write(frame)

    # -- the whole --------------------------------------------------------------------------------------------------------

    def emit(self, declared: Sequence[Sequence[Axis]], into: bool = False) -> Emitted:
        """Write the program, and return it.

        Args:
            declared: for each output, the axes of the array that is returned.
            into: let ``run`` take an array for each output after the feeds, write into those, and return nothing.
        """
        if into:
            self._take_outputs(declared)
        self.write_steps(self.steps)
        codes: list[str] = []
        for o, axes, name in zip(self.graph.outputs, declared, self.outs, strict=True) if into else ():
            if self.get_array(o).code != name:
                self.write(f"copyto({name}, {lay_out(self, o, axes)})")
        for o, axes in zip(self.graph.outputs, declared, strict=True) if not into else ():
            code = return_output(self, o, axes)
            if not code.isidentifier() and self.get_array(o).code != self.get_label(o):
                name = self.names.new(self.get_label(o))
                self.write(f"{name} = {code}")
                code = name
            codes.append(code)
        source = assemble(self, codes)
        return Emitted(source, self.feeds, self.lengths, self.constants, self.bundle.foreign, tuple(map(tuple, declared)),
                       tuple(self.buffers), tuple(self.made))  # fmt: skip

    def _take_outputs(self, declared: Sequence[Sequence[Axis]]) -> None:
        """Name the caller's arrays, and note which outputs can be computed right there."""
        for o, axes in zip(self.graph.outputs, declared, strict=True):
            self.outs.append(self.names.new(f"{self.get_label(o)}_out"))
            home = self.storage.homes.get(o)
            if home and home.buffer is None and tuple(axes) == home.axes and o not in self.into:
                self.into[o] = self.outs[-1]


__all__ = ["Writer"]
