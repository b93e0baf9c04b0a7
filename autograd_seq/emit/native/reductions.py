"""Sums, maxima and softmaxes as native loops, over dimensions of a value or over axes.

Sums of float32 are accumulated in double precision, so that rounding errors do not grow with the number of terms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autograd_seq.core.node import Node
from autograd_seq.emit.native.dims import DIMS, list_dims
from autograd_seq.emit.native.lines import LineWriter
from autograd_seq.emit.native.memory import flatten_index
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.places import ZERO, AffineIndex, Entry, find_entry

Loops = list[tuple[str, str]]
"""Loops, the outermost first: the variable and the length of each."""


def write_addition(total: str, code: str, node: Node) -> str:
    """Return the line that adds to a total; additions of floats may be reordered, and so vectorised."""
    return f"{total} = plus({total}, {code})" if node.dtype is float else f"{total} += {code}"


def write_reduction(w: LineWriter, node: Node) -> None:
    """Write a reduction."""
    x, kind = node.inputs[0], node.op.reduces
    assert kind is not None
    gone = {a + len(x.shape) for a in node.attrs.get("axis", ())}
    places = list_dims(x.shape)
    loops = {k: (DIMS[k], str(n)) for k, n in enumerate(x.shape) if n != 1}
    over = [*w.list_lifted_loops(node.attrs.get("axes", ())), *(loop for k, loop in loops.items() if k in gone)]
    keep = [*w.list_lifted_loops(node.axes), *(loop for k, loop in loops.items() if k not in gone)]
    if kind in ("softmax", "log_softmax"):
        dims = places
    elif node.attrs.get("keepdims"):
        dims = tuple(ZERO if k in gone else p for k, p in enumerate(places))
    else:
        dims = tuple(p for k, p in enumerate(places) if k not in gone)
    dense = [*w.list_lifted_loops(x.axes), *loops.values()][-1:]
    if kind == "sum" and dense and dense[0] in keep:
        _write_sums(w, node, over, keep, Entry(node, w.get_point(node), dims), places)
        return
    with w.open_loops(keep):
        part = _Part(w, node, x, over, places, Entry(node, w.get_point(node), dims))
        own = {"sum": part.write_sum, "max": part.write_max, "level": part.write_level}
        own.get(kind, part.write_exponentials)()


def _write_sums(w: LineWriter, node: Node, over: Loops, keep: Loops, out: Entry, places: tuple[AffineIndex, ...]) -> None:
    """Write many sums side by side, where the kept dimension is contiguous: one sum at a time would read with a stride."""
    x, name = node.inputs[0], w.add_pointer(w.names.new("sums"), "double" if node.dtype is float else "int")
    here = flatten_index(keep)
    w.allocate(name, write_tuple([n for _, n in keep]), "np.float64" if node.dtype is float else "np.int64")
    with w.open_loops(keep):
        w.add_line(f"{name}[{here}] = 0")
    with w.open_loops([*over, *keep]):
        w.add_line(f"{name}[{here}] += {w.write_value(x, w.get_point(x), places)}")
    with w.open_loops(keep):
        w.add_line(f"{w.write_element(out)} = {name}[{here}]")


@dataclass
class _Part:
    """A reduction for one entry ``out`` of its result, with loops ``over`` the reduced dimensions."""

    w: LineWriter
    node: Node
    x: Node
    over: Loops
    places: tuple[AffineIndex, ...]
    out: Entry

    def read(self) -> str:
        """Return the entry of the operand."""
        return self.w.write_value(self.x, self.w.get_point(self.x), self.places)

    def find_row(self, e: Entry) -> str | None:
        """Return the row of an array that is reduced, as address, offset and length; ``None`` if it is not contiguous."""
        w, n = self.w, e.node
        if len(self.over) != 1 or not e.dims or e.dims[-1] != AffineIndex(self.over[0][0]) or e.unless:
            return None
        home = w.storage.homes.get(n)
        if home is None or n in w.fusion.inlined or home.ring > 1 or any(p.var == e.dims[-1].var for p in e.dims[:-1]):
            return None
        first = replace(e, dims=(*e.dims[:-1], ZERO))
        return f"{w.get_base(n)}, {w.write_position(first)}, {self.over[0][1]}"

    def write_sum(self) -> None:
        """Write a sum."""
        total = self.w.names.new("total")
        self.w.add_line(f"{total} = {'0.0' if self.node.dtype is float else '0'}")
        with self.w.open_loops(self.over):
            self.w.add_line(write_addition(total, self.read(), self.node))
        self.w.add_line(f"{self.w.write_element(self.out)} = {total}")

    def write_max(self) -> None:
        """Write a maximum; NaN if any is."""
        w, top, value = self.w, self.w.names.new("top"), self.w.names.new("value")
        w.add_line(f"{top} = {({float: 'real(-np.inf)', int: '-9223372036854775808', bool: 'False'})[self.node.dtype]}")
        with w.open_loops(self.over):
            w.add_line(f"{value} = {self.read()}")
            w.add_line(f"{top} = {value} if {value} > {top} or {value} != {value} else {top}")
        w.add_line(f"{w.write_element(self.out)} = {top}")

    def write_level(self) -> None:
        """Write a maximum that is 0 where it is infinite."""
        top = self.w.names.new("top")
        self._write_top(top)
        self.w.add_line(f"{self.w.write_element(self.out)} = {top}")

    def write_exponentials(self) -> None:
        """Write a softmax, log-softmax or logsumexp; the largest entry is subtracted first, so that nothing overflows."""
        w, out, kind = self.w, self.w.write_element(self.out), self.node.op.reduces
        top, total = w.names.new("top"), w.names.new("total")
        self._write_top(top)
        if kind == "logsumexp":
            w.add_line(f"{total} = 0.0")
            with w.open_loops(self.over):
                w.add_line(f"{total} += fast_exp({self.read_float()} - {top})")
            w.add_line(f"{out} = real(np.log({total}) + {top})")
            return
        with w.open_loops(self.over):
            w.add_line(f"{out} = fast_exp({self.read_float()} - {top})")
        if row := self.find_row(self.out):
            w.add_line(f"{total} = row_sum({row})")
        else:
            w.add_line(f"{total} = 0.0")
            with w.open_loops(self.over):
                w.add_line(f"{total} += {out}")
        if kind == "softmax":
            scale = w.names.new("scale")
            w.add_line(f"{scale} = real(1 / {total} if {total} != 0 else 1)")
            with w.open_loops(self.over):
                w.add_line(f"{out} = {out} * {scale}")
        else:
            less = w.names.new("less")
            w.add_line(f"{less} = real(np.log({total}) if {total} != 0 else 0)")
            with w.open_loops(self.over):
                w.add_line(f"{out} = ({self.read_float()} - {top}) - {less}")

    def read_float(self) -> str:
        """Return the entry of the operand as a float."""
        code = self.read()
        return code if self.x.dtype is float else f"real({code})"

    def _write_top(self, top: str) -> None:
        """Write the largest entry, or 0 if it is infinite. NaN is ignored here, and propagates through the sum."""
        w = self.w
        here = find_entry(self.x, w.get_point(self.x), self.places, w.size)
        if self.x.dtype is float and (row := self.find_row(here)):
            w.add_line(f"{top} = row_top({row})")
        else:
            value = w.names.new("value")
            w.add_line(f"{top} = real(-np.inf)")
            with w.open_loops(self.over):
                w.add_line(f"{value} = {self.read_float()}")
                w.add_line(f"{top} = {value} if {value} > {top} else {top}")
        w.add_line(f"{top} = {top} if np.isfinite({top}) else real(0)")


__all__ = ["write_addition", "write_reduction"]
