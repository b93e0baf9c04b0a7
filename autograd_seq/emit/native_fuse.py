"""What is computed in one pass over memory: which nodes are computed where they are read, and which share a loop.

A node that is read once an entry is *inlined*: computed where it is read, its array never made, even if it stands before a
loop and is read within. The other elementwise statements are gathered into *passes*: one loop over the lifted axes, inside
of it loops over the dimensions of a value, each with as many statements as its order allows. What all readers find in the
same inner loop is a number, and is stored nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from autograd_seq.axes import Axis
from autograd_seq.emit.native_ops import is_native, is_pointwise
from autograd_seq.emit.native_places import At, Entry, Place, broadcast, entry, reshaped
from autograd_seq.node import Node
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.reads import Read
from autograd_seq.plan.schedule import Item, Loop
from autograd_seq.plan.storage import Storage
from autograd_seq.plan.views import root

DIMS = "ijkmnpq"
"""The variables that run over the dimensions of a value."""
INDEX = Place("<an index>")
"""Stands for a place that is read from an array."""


@dataclass(eq=False)
class Statement:
    """An elementwise operation at all points of the lifted axes and dimensions; of a concatenation, one part.

    Attributes:
        node: what is computed.
        axes: the lifted axes, in order.
        shape: what its inner loop runs over.
        part: the number of the part of a concatenation, and where the part begins.
        store: whether its values go to an array.
    """

    node: Node
    axes: tuple[Axis, ...]
    shape: tuple[int, ...]
    part: tuple[int, int] | None = None
    store: bool = True


@dataclass(eq=False)
class Pass:
    """Statements in one loop over lifted axes; each inner loop has a shape and its statements."""

    axes: tuple[Axis, ...]
    inner: list[tuple[tuple[int, ...], list[Statement]]] = field(default_factory=list)

    def statements(self) -> list[Statement]:
        """Return all statements, in order."""
        return [s for _, some in self.inner for s in some]


@dataclass(eq=False)
class Steps:
    """A loop of the schedule and what is done in it."""

    loop: Loop
    body: list[Unit]


@dataclass(eq=False)
class Single:
    """A node that is computed by itself: a product, a reduction."""

    node: Node


@dataclass(eq=False)
class Fill:
    """The rows that a shift reads outside of the steps."""

    shift: Node


Unit = Pass | Steps | Single | Fill


class Fusion:
    """The decisions for one program.

    Args:
        storage: where values live, without arrays that are shared.
        size: what the length of each axis is called.
        var: the variable that runs over each axis.
    """

    def __init__(self, storage: Storage, size: Mapping[Axis, str], var: Mapping[Axis, str]) -> None:
        self.storage, self.size, self.var = storage, size, var
        self.native = self._native(storage.items)
        self.inlined: set[Node] = set()
        for n in storage.homes:
            if self._is_inlined(n):
                self.inlined.add(n)

    # -- what is native ---------------------------------------------------------------------------------------------------

    def _native(self, items: Sequence[Item]) -> set[Node]:
        found: set[Node] = set()
        for item in items:
            nodes = [n for n in nodes_of(item) if n in self.storage.homes or n in self.storage.absorbed]
            if all(self.fits(n) for n in nodes):
                found |= set(nodes)
        return found

    def fits(self, n: Node) -> bool:
        """Tell whether a node can be native where it is: in a loop, it must have an array."""
        home = self.storage.homes.get(n)
        return is_native(n) and (home is None or home.buffer is not None or not self.storage.path[n])

    # -- what is computed where it is read ----------------------------------------------------------------------------------

    def _is_inlined(self, n: Node) -> bool:
        home, reads = self.storage.homes[n], self.storage.reads[n]
        if n not in self.native or not is_pointwise(n) or n.op.name in ("concat", "place", "reshape"):
            return False
        if home.ring or home.halo or home.buffer is None or not reads:
            return False
        points = 0
        for r in reads:
            if not self._reads_in_place(n, r):
                return False
            assert r.by is not None
            points += prod(n.shape) if r.by.op.name in ("concat", "sum", "sum_over") else prod(r.by.shape)
        if points > prod(n.shape):
            return False
        late = any(r.path == self.storage.path[n] for r in reads)
        return not (late and any(self._is_carried(x) for x in n.inputs))

    def _reads_in_place(self, n: Node, r: Read) -> bool:
        """Tell whether a statement reads the entries of a node at its own point, where the node can be computed too."""
        by = r.by
        if by is None or by.op is SHIFT or r.shifts or r.elsewhere or by not in self.native:
            return False
        if by.op.name in ("pick", "take", "one_hot", "place", "reshape"):
            return False
        path = self.storage.path[n]
        if r.path[: len(path)] != path or set(by.axes) != set(n.axes):
            return False
        return is_pointwise(by)

    def _is_carried(self, x: Node) -> bool:
        """Tell whether a node shows a row that a loop left for itself, and will write over."""
        home = self.storage.homes.get(root(x))
        return home is not None and bool(home.ring)

    # -- passes ---------------------------------------------------------------------------------------------------------------

    def units(self, items: Sequence[Item], stepping: tuple[Axis, ...] = ()) -> list[Unit]:
        """Return what is done for a part of the schedule, in order, within loops over ``stepping``."""
        out: list[Unit] = []
        for item in items:
            if isinstance(item, Loop):
                fills: list[Unit] = [Fill(n) for n in nodes_of(item) if n.op is SHIFT and n.attrs["axis"] is item.axis]
                out += [*fills, Steps(item, self.units(item.body, (*stepping, item.axis)))]
            elif item.op is SHIFT and item.attrs["axis"] not in stepping:
                out.append(Fill(item))
            elif item in self.storage.homes and item not in self.inlined:
                if not is_pointwise(item):
                    out.append(Single(item))
                else:
                    for s in self.statements(item, stepping):
                        self._place(s, out)
        return out

    def statements(self, node: Node, stepping: tuple[Axis, ...]) -> list[Statement]:
        """Return the statements that compute an elementwise node."""
        axes = tuple(a for a in self.storage.order if a in node.axes and a not in stepping)
        if node.op.name != "concat":
            return [Statement(node, axes, node.shape)]
        found, start = [], 0
        for k, x in enumerate(node.inputs):
            found.append(Statement(node, axes, x.shape, (k, start)))
            start += x.shape[node.attrs["axis"]]
        return found

    def _place(self, s: Statement, out: list[Unit]) -> None:
        """Put a statement into the latest pass that it fits, or into a new one."""
        reads = self.reads(s)
        needed, own = {e.node for e in reads}, self.storage.homes[s.node]
        for unit in reversed(out):
            if isinstance(unit, Pass) and unit.axes == s.axes and self._join(s, reads, unit):
                return
            done, asked = self.touched(unit)
            if done & needed or (own.ring and s.node in asked):
                break
        out.append(Pass(s.axes, [(s.shape, [s])]))

    def _join(self, s: Statement, reads: Sequence[Entry], unit: Pass) -> bool:
        """Put a statement into a pass if everything in it that the statement reads, or writes over, is ready at its point."""
        here = {a: Place(self.var[a]) for a in s.axes}
        first = 0
        for k, (shape, some) in enumerate(unit.inner):
            for other in some:
                for e in [e for e in reads if e.node is other.node]:
                    if not at_point(e, here):
                        return False
                    same = shape == s.shape and other.part is None and e.dims == dims_of(s.shape) and not e.moved
                    first = max(first, k if same else k + 1)
                if self.storage.homes[s.node].ring:
                    for e in [e for e in self.reads(other) if e.node is s.node]:
                        if not at_point(e, here):
                            return False
                        same = shape == s.shape and s.part is None and e.dims == dims_of(s.shape)
                        first = max(first, k if same else k + 1)
        for k in range(len(unit.inner) - 1, first - 1, -1):
            if unit.inner[k][0] == s.shape:
                unit.inner[k][1].append(s)
                return True
        unit.inner.append((s.shape, [s]))
        return True

    def touched(self, unit: Unit) -> tuple[set[Node], set[Node]]:
        """Return the nodes that a unit writes and those that it reads."""
        if isinstance(unit, Pass):
            some = unit.statements()
            return {s.node for s in some}, {e.node for s in some for e in self.reads(s)}
        if isinstance(unit, Steps):
            both = [self.touched(u) for u in unit.body]
            return {n for w, _ in both for n in w}, {n for _, r in both for n in r}
        if isinstance(unit, Fill):
            return {root(unit.shift)}, {root(x) for x in unit.shift.inputs[0].inputs[1:]}
        return {unit.node}, {n for x in self.storage.operands(unit.node) for n in self.behind(x)}

    def behind(self, x: Node) -> set[Node]:
        """Return the nodes whose arrays are read for an operand: its own, or those of what is computed in place."""
        r = root(x)
        if r not in self.inlined:
            return {r}
        return {n for y in r.inputs for n in self.behind(y)}

    # -- what a statement reads ---------------------------------------------------------------------------------------------

    def reads(self, s: Statement) -> list[Entry]:
        """Return the entries that a statement reads at its point, through what is computed in place."""
        at = {a: Place(self.var[a]) for a in s.node.axes}
        inputs = s.node.inputs if s.part is None else (s.node.inputs[s.part[0]],)
        return self._entries(s.node, inputs, at, dims_of(s.shape))

    def _entries(self, node: Node, inputs: Iterable[Node], at: At, dims: tuple[Place, ...]) -> list[Entry]:
        found: list[Entry] = []
        for x in inputs:
            e = entry(x, at, operand_dims(node, x, dims), self.size)
            if e.node in self.inlined:
                found += self._entries(e.node, e.node.inputs, e.at, e.dims)
            else:
                found.append(e)
        return found


def at_point(e: Entry, here: At) -> bool:
    """Tell whether an entry lies at the current point of the lifted axes."""
    return all(e.at.get(a) == place for a, place in here.items())


def dims_of(shape: Sequence[int]) -> tuple[Place, ...]:
    """Return the places of the inner loop over a shape.

    Example:
        >>> [p.code for p in dims_of((4, 1))]
        ['i', '0']
    """
    return tuple(Place(DIMS[k]) if n != 1 else Place(None) for k, n in enumerate(shape))


def operand_dims(node: Node, x: Node, dims: tuple[Place, ...]) -> tuple[Place, ...]:
    """Return where in an operand a node reads for the entry ``dims`` of its own value."""
    name = node.op.name
    if name == "reshape":
        return reshaped(dims, node.shape, x.shape)
    if name == "one_hot":
        return dims[:-1]
    if name == "pick":
        return (*dims, INDEX) if x is node.inputs[0] else dims
    if name == "take":
        k = node.attrs["index_rank"]
        return (INDEX, *dims[k:]) if x is node.inputs[0] else dims[:k]
    if name == "place":
        return _placed(dims, node.attrs["key"], node.attrs["shape"])
    return broadcast(dims, x.shape) if name != "concat" else dims


def _placed(dims: Sequence[Place], key: Sequence[object], shape: Sequence[int]) -> tuple[Place, ...]:
    """Return where in what is placed an entry comes from."""
    found, left = [], iter(zip(dims, shape, strict=True))
    for part in key:
        if part is None:
            found.append(Place(None))
            continue
        place, n = next(left)
        if isinstance(part, slice):
            reach = range(*part.indices(n))
            if abs(reach.step) == 1:
                found.append(place.times(reach.step).moved(-reach.step * reach.start))
            else:
                found.append(Place(f"(({place.code} - {reach.start}) // {reach.step})"))
    return tuple(found)


def nodes_of(item: Item) -> list[Node]:
    """Return the nodes of a part of a schedule, in order."""
    return [n for part in item.body for n in nodes_of(part)] if isinstance(item, Loop) else [item]


__all__ = [
    "DIMS", "INDEX", "Fill", "Fusion", "Pass", "Single", "Statement", "Steps", "Unit", "dims_of",
    "nodes_of", "operand_dims",
]  # fmt: skip
