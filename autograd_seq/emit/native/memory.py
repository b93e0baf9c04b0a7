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
from autograd_seq.emit.native.places import AffineIndex, Entry
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.numpy.page import RESERVED
from autograd_seq.emit.numpy.writer import Writer
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
        self.arguments: dict[str, None] = {}
        self.addresses: dict[str, str] = {}  # the types of arguments that are arrays
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

    def add_argument(self, name: str) -> str:
        """Make a name an argument of the function, and return it; a literal number needs none."""
        if not name.isdigit():
            self.arguments.setdefault(name)
        return name

    def add_pointer(self, name: str, kind: str = "real") -> str:
        """Make the address of an array an argument of the function, and return its name."""
        self.addresses[name] = f"{kind}*"
        return self.add_argument(name)

    def list_loads(self) -> list[str]:
        """Return the first lines of a function, which load scalars once: each load takes time to compile."""
        return [f"    {name} = {place}" for place, name in self.loads.items()]

    def get_point(self, node: Node) -> dict[Axis, AffineIndex]:
        """Return the current point of the axes of a node."""
        return {a: AffineIndex(self.var[a]) for a in node.axes}

    def write_element(self, e: Entry) -> str:
        """Return an entry of an array."""
        n, dims = e.node, [p.code for p in e.dims]
        if n._value is not None or n.op is CONSTANT:
            return self._write_number(n, dims)
        if n.op is SIZE:
            return self.add_argument(self.size[n.attrs["axis"]])
        if n.op is INDEX:
            place = e.at[n.attrs["axis"]]
            for size in self.size.values():
                if place.var == size:
                    self.add_argument(size)
            return f"({place.code})"
        if n in self.packed:
            name, k = self.packed[n]
            code = f"{self.add_pointer(name)}[{k}]"
            if n.op in (INPUT, PARAM):
                return self.loads.setdefault(code, self.feeds[self.graph.name(n)])
            self.get_base(n)
            return code
        base = self.get_feed(n) if n.op in (INPUT, PARAM) else self.get_base(n)
        return f"{base}[{self.write_position(e)}]"

    def write_position(self, e: Entry) -> str:
        """Return the offset of an entry in its array, as source."""
        home = self.storage.homes.get(e.node)
        halo = home.halo if home else {}
        axes = home.axes if home else e.node.axes
        found = [(f"({e.at[self.storage.path[e.node][-1].axis].code}) % {home.ring}", "")] if home and home.ring > 1 else []
        for a in axes:
            lo, hi = halo.get(a, (0, 0))
            found.append((e.at[a].move(lo).code, f"({self.size[a]} + {lo + hi})" if lo + hi else self.size[a]))
            if found[1:]:
                self.add_argument(self.size[a])
            if e.at[a].var in self.size.values():
                self.add_argument(str(e.at[a].var))
        return flatten_index([*found, *zip([p.code for p in e.dims], map(str, e.node.shape), strict=True)])

    def _write_number(self, n: Node, dims: Sequence[str]) -> str:
        value = np.asarray(n._value)
        if value.shape:
            at = flatten_index(list(zip(dims, map(str, value.shape), strict=True)))
            return f"{self.add_pointer(self.get_array(n).code, KINDS[n.dtype])}[{at}]"
        number = value.item()
        if isinstance(number, float) and not np.isfinite(number):
            return f"real({'np.nan' if number != number else 'np.inf' if number > 0 else '-np.inf'})"
        return f"real({float(number)!r})" if n.dtype is float else repr(number)

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
