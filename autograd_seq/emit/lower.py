"""From equations to statements: which values are stored in arrays, which statement computes each, and what it reads.

A value is stored if it has a name or several readers, if a shift reads it, or if it is a reduction; every other value is part
of the expression that reads it. The loops are placed by :mod:`autograd_seq.emit.nests`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.core.node import Node
from autograd_seq.emit.board import SEEN_THROUGH, is_short
from autograd_seq.emit.outline import Fill, Reach
from autograd_seq.emit.places import find_steps, get_least
from autograd_seq.emit.statements import (
    ALL,
    BEFORE,
    END,
    START,
    STEP,
    Accumulate,
    Apply,
    Assign,
    Expression,
    Form,
    IfLonger,
    Length,
    Number,
    Place,
    Read,
    StepNumber,
    StoredArray,
    list_expressions,
    walk_parts,
)
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import get_shift_rows, postorder
from autograd_seq.ops.elementwise import add, div, mul, sub
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import ADD_ROWS, TAKE_STEP
from autograd_seq.ops.time import AT, INDEX, SHIFT, SIZE
from autograd_seq.plan.memory.views import LEAVES, is_view
from autograd_seq.plan.passes.legal import COPY

_INFIX = (add, sub, mul, div, CONTRACT, sum_over)
_LARGEST = 9
"""The largest number of operations in one expression: longer ones are hard to read."""

Env = Mapping[Axis, Place]


@dataclass(eq=False)
class PointStatement:
    """A statement, and the axes over which it runs: it is done for each of their points.

    Attributes:
        axes: the axes of the loops around it.
        statement: what is done at a point.
        derived: whether it belongs to the derivatives, which follow the equations that the user wrote.
        reads: the reads within the statement.
    """

    axes: tuple[Axis, ...]
    statement: Assign | Accumulate
    derived: bool = False
    reads: list[Read] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reads = [e for e in walk_parts(*list_expressions(self.statement)) if isinstance(e, Read)]

    @property
    def named(self) -> list[Axis]:
        """The axes along which it adds to rows that an index names."""
        s = self.statement
        several = isinstance(s, Accumulate) and s.index is not None
        places = zip(self.writes.axes, s.target.places, strict=True) if several else ()
        return [a for a, p in places if p.base in (ALL, BEFORE)]

    @property
    def writes(self) -> StoredArray:
        """The array that it writes into."""
        return self.statement.target.array

    @property
    def summed(self) -> tuple[Axis, ...]:
        """The axes that it sums over."""
        return self.statement.over if isinstance(self.statement, Accumulate) else ()


class Lowering:
    """Makes the statements of a graph, one at a time.

    Args:
        graph: the outputs come from :func:`autograd_seq.emit.board.prepare`.
        order: its axes, those of outer loops first.
        named: returns the name and the label of the array of a node.
        declared: inputs and parameters by name.
    """

    def __init__(self, graph: Graph, order: Sequence[Axis], named: Callable[[Node], tuple[str, str]],
                 declared: Mapping[str, Node]) -> None:  # fmt: skip
        self.graph, self.order, self._named = graph, order, named
        self._state = {n.inputs[0]: n for n in graph.nodes if n.op is STATE}
        self.computed = set(postorder(graph.outputs, list_needed))  # others are only shown in equations
        self.kept = self._choose_kept()
        self.arrays: dict[Node, StoredArray] = {}
        self.feeds = {name: self._make_feed(node) for name, node in declared.items()}

    # -- what is computed, and what is stored -------------------------------------------------------------------------------

    def _choose_kept(self) -> set[Node]:
        count: dict[Node, int] = {}
        kept: set[Node] = set()
        nodes = [n for n in self.graph.nodes if n in self.computed]
        for n in nodes:
            if n.op is SHIFT:
                kept.add(find_root(n))
            for x in get_shift_rows(n) if n.op is SHIFT else () if n.op in SEEN_THROUGH else n.inputs:
                count[find_root(x)] = count.get(find_root(x), 0) + 1
            if n.name or n.letter or n.op is STATE:
                kept.add(find_root(n))
            if n.op.reduces_axes and n.attrs["axes"]:
                kept |= {n} if n.op is sum_over else {n, find_root(n.inputs[0])}
            if n.op is TAKE_STEP or n.op is ADD_ROWS:
                kept.add(find_root(n.inputs[0]) if n.op is TAKE_STEP else n)
        kept |= {find_root(o) for o in self.graph.outputs} | {n for n, k in count.items() if k > 1 and not is_short(n)}
        kept |= {n for n in nodes if n.op.own}
        kept = {n for n in kept if not is_leaf(n)}
        self._shorten(nodes, kept)
        return kept

    def _shorten(self, nodes: Sequence[Node], kept: set[Node]) -> None:
        """Store more values, so that no expression is long, and nothing constant over the steps is computed at each step."""
        size: dict[Node, int] = {}
        for n in nodes:
            if n.op in SEEN_THROUGH or is_leaf(n):
                continue
            over = list_axes(n)
            for x in map(find_root, n.inputs):
                if over and not x.axes and not (x.op.broadcasts or is_view(x) or is_leaf(x)):
                    kept.add(x)
            roots = dict.fromkeys(map(find_root, n.inputs))
            inside = sorted([x for x in roots if x not in kept and x in size], key=lambda x: size[x])
            own = 1 if len(n.inputs) < 2 or n.op in _INFIX else 2
            while inside and own + sum(size[x] for x in inside) > _LARGEST:
                kept.add(inside.pop())
            size[n] = own + sum(size[x] for x in inside)

    def _make_feed(self, node: Node) -> StoredArray:
        name, label = self._named(node)
        return StoredArray(name, node.axes, node.shape, node.dtype, label, node.axes, feed=True)

    def get_array(self, node: Node) -> StoredArray:
        """Return the array of a value that is stored."""
        if node not in self.arrays:
            name, label = self._named(node)
            shown = node.inputs[0] if node.op is ADD_ROWS else self._state.get(node, node)
            axes = tuple(a for a in self.graph.layout(shown) if not isinstance(a, Iteration))
            self.arrays[node] = StoredArray(name, axes, node.shape, node.dtype, label, axes)
        return self.arrays[node]

    # -- statements -------------------------------------------------------------------------------------------------------

    def make_statement(self, node: Node, derived: bool) -> PointStatement:
        """Return the statement that computes a stored value."""
        over = list_axes(node)
        env = {a: Place(STEP, a) for a in over}
        array = self.get_array(node)
        if node.op is ADD_ROWS:
            return self._make_addition(node, array, env, derived)
        target = Read(node.shape, node.dtype, array, tuple(Place(STEP, a) for a in array.axes))
        axes = tuple(a for a in self.order if a in over)
        if node.op is sum_over and node.attrs["axes"]:
            parts = tuple([self.read_at(x, env) for x in node.inputs])
            value = parts[0] if len(parts) == 1 else Apply(node.shape, node.dtype, node, parts)
            summed = tuple(a for a in self.order if a in node.attrs["axes"])
            return PointStatement(axes, Accumulate(target, value, summed), derived)
        return PointStatement(axes, Assign(target, self.apply(node, env)), derived)

    def _make_addition(self, node: Node, array: StoredArray, env: Env, derived: bool) -> PointStatement:
        """Return the statement that adds a value to the row that an index names."""
        target = Read(node.shape, node.dtype, array, tuple(_name_step(node, env)[a] for a in array.axes))
        over = tuple(a for a in self.order if a in node.axes)
        summed = tuple(a for a in over if a not in array.axes or a is node.attrs["axis"])
        value, index = (self.read_at(x, env) for x in node.inputs[1:])
        return PointStatement(over, Accumulate(target, value, summed, index), derived)

    def get_reach(self, shift: Node) -> Reach | None:
        """Return how many rows outside of the steps a shift may read, if its value is needed."""
        if shift not in self.computed:
            return None
        array = self.get_array(find_root(shift))
        if isinstance(shift.attrs["axis"], Iteration):  # what the first iteration reads is where later ones are kept
            return Reach(array, 1, cleared=False)
        return Reach(array, array.halo[shift.attrs["axis"]][shift.attrs["by"] < 0])

    def make_fills(self, fill: Fill, derived: bool) -> list[PointStatement]:
        """Return the statements that write rows outside of the steps."""
        array, out = self.get_array(find_root(fill.shift)), []
        for k, row in fill.rows:
            assert row is not None
            places = tuple(Place(START if k < 0 else END, a, k) if a is fill.axis else Place(STEP, a) for a in array.axes)
            target = Read(array.shape, array.dtype, array, places)
            value = self.read_at(row, {a: Place(STEP, a) for a in array.axes if a is not fill.axis})
            axes = tuple(a for a in self.order if a in array.axes and a is not fill.axis)
            out.append(PointStatement(axes, Assign(target, value, outside=True), derived))
        return out

    def reserve_rows(self) -> None:
        """Set the halo of each array: how many rows before and after its steps are read."""
        for n in self.graph.nodes:
            if n.op is SHIFT and n in self.computed and not isinstance(n.attrs["axis"], Iteration):
                array, axis, by = self.get_array(find_root(n.inputs[0])), n.attrs["axis"], n.attrs["by"]
                lo, hi = array.halo.get(axis, (0, 0))
                array.halo[axis] = max(lo, by), max(hi, -by)

    # -- expressions ------------------------------------------------------------------------------------------------------

    def read_at(self, node: Node, env: Env) -> Expression:
        """Return the value of a node at the places that ``env`` assigns to its axes."""
        if node._value is not None:
            return Number(node.shape, node.dtype, node._value, node.name)
        if node in self.kept:
            array = self.get_array(node)
            return Read(node.shape, node.dtype, array, tuple(env[a] for a in array.axes))
        if node.op in (INPUT, PARAM):
            array = self.feeds[self.graph.name(node)]
            return Read(node.shape, node.dtype, array, tuple(env[a] for a in array.axes))
        if node.op is INDEX:
            return StepNumber((), int, env[node.attrs["axis"]])
        if node.op is SIZE:
            return Length((), int, node.attrs["axis"])
        return self._look_through(node, env) if node.op in SEEN_THROUGH or node.op is COPY else self.apply(node, env)

    def _look_through(self, node: Node, env: Env) -> Expression:
        attrs = node.attrs
        value = self.read_at(node.inputs[0], find_steps(node, env, lambda a, k: Place(START if k >= 0 else END, a, k)))
        if node.op is AT and attrs["outside"] == "zero":
            return IfLonger(node.shape, node.dtype, attrs["axis"], get_least(node), value)
        if node.op is rewritten:
            return Form(node.shape, node.dtype, attrs["form"], value, tuple([self.read_at(y, env) for y in node.inputs[1:]]))
        return value

    def apply(self, node: Node, env: Env) -> Expression:
        """Return the operation of a node applied to its operands, at the places that ``env`` assigns to the axes."""
        if node.op is COPY:
            return self.read_at(node.inputs[0], env)
        if node.op.reduces_axes and node.attrs["axes"]:
            env = {**env, **{a: Place(ALL, a) for a in node.attrs["axes"]}}
        point = tuple(env[a] for a in node.attrs["over"]) if node.op is DRAW else ()
        where = [_name_step(node, env) if node.op is TAKE_STEP and k == 0 else env for k in range(len(node.inputs))]
        return Apply(
            node.shape, node.dtype, node, tuple([self.read_at(x, at) for x, at in zip(node.inputs, where, strict=True)]), point
        )


def list_needed(node: Node) -> tuple[Node, ...]:
    """Return the nodes that the value of a node is computed from."""
    if node._value is not None:
        return ()
    if node.op is STATE or node.op is rewritten:
        return node.inputs[:1]
    if node.op is ADD_ROWS:
        return node.inputs[1:]  # arrays are allocated with zeros
    return (*node.inputs, *get_shift_rows(node)) if node.op is SHIFT else node.inputs


def _name_step(node: Node, env: Env) -> Env:
    """Return the places with all steps among which an index chooses."""
    axis = node.attrs["axis"]
    return {**env, axis: Place(BEFORE if node.attrs["earlier"] else ALL, axis)}


def find_root(node: Node) -> Node:
    """Return the node that is computed, below shifts and other nodes that only show it at some step."""
    while node._value is None and (node.op in SEEN_THROUGH):
        node = node.inputs[0]
    return node


def is_leaf(node: Node) -> bool:
    """Tell whether a node is a constant, an input or a parameter, which no statement computes."""
    return node._value is not None or node.op in LEAVES


def list_axes(node: Node) -> tuple[Axis, ...]:
    """Return the axes of the loops in which a node is computed."""
    summed = node.attrs["axes"] if node.op is sum_over else ()
    return (*node.axes, *(a for a in summed if a not in node.axes))


__all__ = ["Lowering", "PointStatement", "find_root", "is_leaf", "list_axes", "list_needed"]
