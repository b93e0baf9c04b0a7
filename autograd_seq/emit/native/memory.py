"""How native code addresses values: entries of arrays, lengths, constants, and arrays that hold many scalars.

Whatever a native function reads and writes becomes an argument. Feeds are made contiguous, since strides are not passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.emit.native.dims import DIMS
from autograd_seq.emit.native.fusion import Fusion
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.numpy.page import RESERVED
from autograd_seq.emit.numpy.writer import Writer
from autograd_seq.emit.places import AffineIndex, Entry
from autograd_seq.emit.program_text import write_literal
from autograd_seq.graph.graph import Graph
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.time import INDEX, SIZE
from autograd_seq.plan.memory.storage import Home, Storage

PROVIDED = [
    "native", "part", "inline", "fast_exp", "fast_tanh", "fast_sigmoid", "fast_softplus", "fast_erf", "whole_power",
    "check_index", "row_sum", "row_top", "plus", "pack", "matrix_product", "step_product", "packed_size",
]  # fmt: skip
"""The names that native functions may use, besides NumPy."""


KINDS = {float: "real", int: "int", bool: "bool"}
"""The names of scalar types in the signatures of native functions."""

MANY = 8
"""From so many on, scalars that are fed, returned or summed are packed into one array: each argument costs time."""


class MemoryWriter(Writer):
    """Writes operands and targets; a :class:`autograd_seq.emit.native.writer.NativeWriter` writes what is computed."""

    reserved = RESERVED | {*PROVIDED, *DIMS}

    def __init__(self, graph: Graph, storage: Storage, axes: Sequence[Axis], title: str, feeds: Mapping[str, Node]) -> None:
        super().__init__(graph, storage, axes, title, feeds)
        self.var = {a: self.names.new(a.name) for a in self.axes}
        self.fusion = Fusion(storage, self.steps, self.size, self.var)
        self.kinds = dict.fromkeys(self.lengths.values(), "int")  # the types of what may be an argument
        self.fresh: set[Node] = set()
        self.straight: set[str] = set()  # feeds that are contiguous
        self.loads: dict[str, str] = {}  # scalars that a function loads first, and their names
        self.packed: dict[Node, tuple[str, int]] = {}  # of packed scalars, their array and their index in it
        self._pack([n for n in graph.inputs.values() if _is_number(n)], "numbers")
        self._pack([o for o in dict.fromkeys(graph.outputs) if _is_number(o) and self._is_fresh(o)], "results")

    def _is_fresh(self, n: Node) -> bool:
        """Tell whether native code writes a node into an array that each call allocates for the caller."""
        home = self.storage.homes.get(n)
        return home is not None and home.buffer is None and n in self.fusion.native

    def _pack(self, nodes: Sequence[Node], wanted: str) -> None:
        """Pack scalars into one array, if there are many."""
        if len(nodes) < MANY:
            return
        name = self.names.new(wanted)
        self.packed |= {n: (name, k) for k, n in enumerate(nodes)}
        if nodes[0].op in (INPUT, PARAM):
            fed = ", ".join(self.feeds[self.graph.name(n)] for n in nodes)
            self.run.append(f"{name} = fromiter(({fed}), real, {len(nodes)})")
        else:
            self.run.append(f"{name} = empty({len(nodes)}, real)")
        self.made.append((write_tuple([len(nodes)]), "real"))

    def add_pointer(self, name: str, kind: str = "real") -> str:
        """Return the name of an array, whose address is an argument of the functions that contain the name."""
        self.kinds[name] = f"{kind}*"
        return name

    def list_loads(self) -> list[str]:
        """Return the first lines of a function, which load scalars once: each load takes time to compile."""
        return [f"    {name} = {place}" for place, name in self.loads.items()]

    def get_point(self, node: Node) -> dict[Axis, AffineIndex]:
        """Return the current point of the axes of a node."""
        return {a: AffineIndex(self.var[a]) for a in node.axes}

    def write_element(self, e: Entry) -> str:
        """Return an entry of an array."""
        n = e.node
        if (n._value is not None or n.op is CONSTANT) and not n.shape:
            return self._write_number(n)
        if n.op is SIZE:
            return self.size[n.attrs["axis"]]
        if n.op is INDEX:
            return f"({e.at[n.attrs['axis']].code})"
        if n in self.packed:
            name, k = self.packed[n]
            code = f"{self.add_pointer(name)}[{k}]"
            if n.op in (INPUT, PARAM):
                return self.loads.setdefault(code, self.feeds[self.graph.name(n)])
            self.get_base(n)
            return code
        return f"{self.get_address(n)}[{self.write_position(e)}]"

    def write_position(self, e: Entry) -> str:
        """Return the offset of an entry in its array, as source."""
        return flatten_index([(place.code, length) for place, length in self.list_places(e, e.node.shape)])

    def list_places(self, e: Entry, shape: Sequence[int]) -> list[tuple[AffineIndex, str]]:
        """Return the index and the length of each dimension of an array that holds values of a shape at an entry."""
        home, found = self.storage.homes.get(e.node), list[tuple[AffineIndex, str]]()
        if home and home.ring > 1:
            found.append((AffineIndex(f"({e.at[self.storage.path[e.node][-1].axis].code}) % {home.ring}"), ""))
        for a in home.axes if home else e.node.axes:
            lo, hi = home.halo.get(a, (0, 0)) if home else (0, 0)
            found.append((e.at[a].move(lo), f"({self.size[a]} + {lo + hi})" if lo + hi else self.size[a]))
        return [*found, *zip(e.dims, map(str, shape), strict=True)]

    def get_address(self, n: Node) -> str:
        """Return the array of a constant, a feed, or a computed node."""
        if n._value is not None or n.op is CONSTANT:
            return self.add_pointer(self.get_array(n).code, KINDS[n.dtype])
        return self.get_feed(n) if n.op in (INPUT, PARAM) else self.get_base(n)

    @staticmethod
    def _write_number(n: Node) -> str:
        value = np.asarray(n._value)
        return f"real({write_literal(value.astype(float))})" if n.dtype is float else repr(value.item())

    def get_feed(self, n: Node) -> str:
        """Return the array of a feed."""
        name = self.feeds[self.graph.name(n)]
        if name not in self.straight:
            self.straight.add(name)
            if n.axes or n.shape:
                self.run.insert(0, f"{name} = ascontiguousarray({name})")
        return name if n in self.packed else self.add_pointer(name, KINDS[n.dtype])

    def get_base(self, n: Node) -> str:
        """Return the array of a computed node, including the rows outside of its steps."""
        home: Home = self.storage.homes[n]
        if home.buffer is not None:
            return self.add_pointer(self.get_workspace_array(home), KINDS[n.dtype])
        name = self.get_array(n).code
        if n not in self.fresh:
            self.fresh.add(n)
            lengths = [*(self.size[a] for a in home.axes), *n.shape]
            if n in self.packed:
                self.run.append(f"{name} = {self.packed[n][0]}[{self.packed[n][1]}, ...]")
            elif n in self.fusion.native:
                self.run.append(f"{name} = empty({write_tuple(lengths)}, {self.get_width(n)})")
                self.made.append((write_tuple(lengths), self.get_width(n)))
            else:  # what a NumPy statement left may be a view, or a number
                self.run.append(f"{name} = {'ascontiguousarray' if lengths else 'array'}({name}, {self.get_width(n)})")
        return name if n in self.packed else self.add_pointer(name, KINDS[n.dtype])

    def owns(self, node: Node) -> bool:
        """Tell whether the array of a node is made in each call: native code writes those that the workspace does not hold."""
        return node in self.fusion.native or super().owns(node)


def flatten_index(places: Sequence[tuple[str, str]]) -> str:
    """Return the flat index of an entry of a contiguous array, from (index, length) of each dimension, as source.

    Example:
        >>> flatten_index([("t + 1", "T"), ("b", "B"), ("i", "16")]), flatten_index([("i", "16")]), flatten_index([])
        ('((t + 1) * B + b) * 16 + i', 'i', '0')
    """
    at = ""
    for code, length in places:
        if length != "1" and at in ("", "0"):
            at = code
        elif length != "1":
            at = f"{at if at.isidentifier() else f'({at})'} * {length}" + (f" + {code}" if code != "0" else "")
    return at or "0"


def _is_number(n: Node) -> bool:
    return n.dtype is float and not n.axes and not n.shape


__all__ = ["KINDS", "MANY", "PROVIDED", "MemoryWriter"]
