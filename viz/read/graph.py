"""A graph as pictures show it: without the nodes that only pass a value on.

Shifts become delays on edges, casts and broadcasts are left out, a state and its equation are one vertex, a rewritten
operation is shown as the user wrote it, and a value that depends on parameters alone counts as a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.graph.order import find_components
from autograd_seq.ops.elementwise import CAST
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.shape import BROADCAST_TO
from autograd_seq.ops.state import EQUILIBRIUM, STATE
from autograd_seq.ops.steps import get_delay
from autograd_seq.ops.time import ALONG, SHIFT, SIZE, SPREAD
from autograd_seq.ops.window import OVERLAP, WINDOW
from viz.read.names import is_named, name_adjoint, shorten_names

# Operations that change the shape or kind of a value, not the value.
_CARRIERS = (BROADCAST_TO, CAST, SPREAD)
_LEAVES = (INPUT, PARAM, TENSOR)
_WINDOWS = {WINDOW: 1, OVERLAP: -1}
# A window of more steps is drawn by its last two and its first.
_STEPS_SHOWN = 6

Shifts = tuple[tuple[str, int], ...]
SETTLES = "∞"
"""Stands for an axis in the shifts of an equilibrium's reads of itself: that of its iterations."""


@dataclass(frozen=True)
class Folder:
    """What a vertex that stands for a collapsed scope holds.

    Attributes:
        scope: its name.
        parameters: how many numbers its parameters are, all together.
        operations: how many vertices it stands for.
    """

    scope: str
    parameters: int
    operations: int


@dataclass(frozen=True, eq=False)
class Read:
    """One read of a vertex: which is read, by how many steps of which axes, and which steps if they are many."""

    vertex: Node
    shifts: Shifts = ()
    whole: str = ""


@dataclass
class Reading:
    """A graph's vertices, sources first, and what each reads.

    Attributes:
        vertices: the nodes to draw, in the order in which they are computed.
        reads: for each vertex, its reads in the order of its operands.
        starts: for each state, (axis, offset, vertex) of the rows outside its sequence that are not constants.
        outputs: the vertices of the graph's outputs; a dict, because `in` of a tuple relies on ==, which nodes overload.
        axes: names, in the graph's order.
        names: for each vertex its name, without scopes that are not needed to tell names apart; "" if it has none.
        folders: what the vertices that stand for a collapsed scope hold.
    """

    vertices: list[Node] = field(default_factory=list)
    reads: dict[Node, tuple[Read, ...]] = field(default_factory=dict)
    starts: dict[Node, tuple[tuple[str, int, Node], ...]] = field(default_factory=dict)
    outputs: dict[Node, None] = field(default_factory=dict)
    axes: tuple[str, ...] = ()
    names: dict[Node, str] = field(default_factory=dict)
    folders: dict[Node, Folder] = field(default_factory=dict)

    @cached_property
    def aliases(self) -> set[Axis]:
        """The axes over which nothing is fed or carried: those along which a sequence reads all of its own steps."""
        own = {axis for vertex in self.vertices if vertex.op in (INPUT, STATE) for axis in vertex.axes}
        read = {v.attrs["other"] for v in self.vertices if v.op is ALONG and v.attrs["axis"] in own}
        return {axis for axis in read if isinstance(axis, Axis)} - own

    @cached_property
    def bases(self) -> dict[str, str]:
        """For each of those axes, by name, the axis of the sequence that it names anew."""
        found = [vertex.attrs for vertex in self.vertices if vertex.op is ALONG and vertex.attrs["other"] in self.aliases]
        return {attrs["other"].name: attrs["axis"].name for attrs in found}

    @cached_property
    def readers(self) -> dict[Node, list[Node]]:
        """For each vertex the vertices that read it."""
        out: dict[Node, list[Node]] = {vertex: [] for vertex in self.vertices}
        for vertex in self.vertices:
            for read in self.reads[vertex]:
                out[read.vertex].append(vertex)
        return out


def is_leaf(vertex: Node) -> bool:
    """Tell whether a vertex is an input, a parameter or a constant, which is not computed."""
    return vertex.op in _LEAVES


def is_state(vertex: Node) -> bool:
    """Tell whether a vertex is a state."""
    return vertex.op is STATE


def get_equation(vertex: Node) -> Node:
    """Return the operation of a vertex: of a state, the one that defines it."""
    if not is_state(vertex):
        return vertex
    node = skip_carriers(vertex.inputs[0])
    return vertex if _stands_alone(node) else node


def _stands_alone(node: Node) -> bool:
    """Tell whether the equation of a state is something that is drawn anyway, or is no operation at all."""
    return is_named(node) or node.op in (SHIFT, STATE, CONSTANT) or node.op in _LEAVES


def skip_carriers(node: Node) -> Node:
    """Return what an unnamed node that only changes the shape or kind of a value passes on."""
    while not is_named(node) and node.op in _CARRIERS:
        node = node.inputs[0]
    return node


def get_operands(vertex: Node) -> tuple[Node, ...]:
    """Return the operands of a vertex's operation: of a rewritten one, those that the user wrote."""
    node = get_equation(vertex)
    if node is vertex and is_state(vertex):
        return vertex.inputs[:1]
    return node.inputs[1:] if node.op is rewritten else node.inputs


def read_graph(outputs: Sequence[Node], axes: Iterable[str] | None = None) -> Reading:
    """Read what the outputs depend on.

    Args:
        outputs: the nodes a graph was made for.
        axes: the names of its axes, in its order; by default as its inputs and then its states declare them.

    Returns:
        The Reading.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s = ag.state("s", over=t)
        >>> s[t] = ag.tanh(s[t - 1])
        >>> reading = read_graph([s], ["t"])
        >>> [reading.names[v] for v in reading.vertices], reading.reads[s][0].shifts
        (['s'], (('t', 1),))

    Notes:
        Linear in the size of the graph.
    """
    shown = _find_shown(outputs)
    reading = Reading(axes=tuple(axes) if axes is not None else _list_axes(outputs))
    seen: set[Node] = set()
    reading.outputs = dict.fromkeys(_resolve(node, shown).vertex for node in outputs)
    stack: list[tuple[Node, bool]] = [(vertex, False) for vertex in reversed(reading.outputs)]
    while stack:
        vertex, done = stack.pop()
        if done:
            reading.vertices.append(vertex)
            continue
        if vertex in seen:
            continue
        seen.add(vertex)
        equation, found = get_equation(vertex), [_resolve(node, shown) for node in get_operands(vertex)]
        if vertex.op is SHIFT:  # one that the user gave a name: a variable that reads another step
            found = [_delay(found[0], vertex.attrs["axis"].name, vertex.attrs["by"])]
        elif by := get_delay(equation):  # a step that a value names
            found[0] = replace(_delay(found[0], equation.attrs["axis"].name, by), whole="before" if by > 0 else "after")
        elif equation.op in _WINDOWS:
            found = [_delay(found[0], equation.attrs["axis"].name, by) for by in _list_delays(equation)]
        loud = [read for read in found if not _is_silent(read.vertex)]
        reads = tuple({(id(read.vertex), read.shifts): read for read in loud}.values())
        reading.reads[vertex] = reads
        reading.starts[vertex] = _list_starts(vertex, shown)
        stack.append((vertex, True))
        ahead = [read.vertex for read in reads] + [node for *_, node in reading.starts[vertex]]
        # What is read from another step comes last, so that the order is that of one step wherever there is one.
        stack += [(node, False) for node in reversed(ahead) if node not in seen]
    _mark_settling(reading)
    reading.names = shorten_names({vertex: vertex.name or vertex.letter for vertex in reading.vertices})
    _name_alike(reading.names)
    for vertex in reading.vertices:
        if vertex.adjoint_of is not None and not vertex.name and (is_state(vertex) or vertex in reading.outputs):
            reading.names[vertex] = name_adjoint(vertex, vertex in reading.outputs)
    return reading


def _name_alike(names: dict[Node, str]) -> None:
    """Write the parameters of a scope all with it, or all without."""
    params = [vertex for vertex in names if vertex.op is PARAM and vertex.name]
    scopes = {vertex: str(vertex.name).rpartition("/")[0] for vertex in params}
    most: dict[str, int] = {}
    for vertex, scope in scopes.items():
        most[scope] = max(most.get(scope, 0), names[vertex].count("/"))
    for vertex, scope in scopes.items():
        names[vertex] = "/".join(str(vertex.name).split("/")[-1 - most[scope] :])


@dataclass
class _Shown:
    """For the equation of a drawn state, that state; and the states that are drawn."""

    owner: dict[Node, Node] = field(default_factory=dict)
    kept: set[Node] = field(default_factory=set)


def _find_shown(outputs: Sequence[Node]) -> _Shown:
    """Return the states that are drawn; an unnamed state on no cycle only holds rows, and is not drawn.

    A read of the equation of a drawn state counts as a read of the state.
    """
    shown = _Shown()
    nodes = list(_list_below(outputs))
    number = {node: i for i, node in enumerate(nodes)}
    reads = [(i, number[x]) for i, node in enumerate(nodes) for x in (node.inputs[:1] if is_state(node) else node.inputs)]
    loops = {i for i, x in reads if i == x}
    cyclic = {i for part in find_components(len(nodes), reads) if len(part) > 1 or part[0] in loops for i in part}
    shown.kept = {node for i, node in enumerate(nodes) if is_state(node) and (is_named(node) or i in cyclic)}
    for node in nodes:
        if node in shown.kept and get_equation(node) is not node:
            shown.owner.setdefault(get_equation(node), node)
    return shown


def _list_below(roots: Sequence[Node]) -> dict[Node, None]:
    """Return everything that the roots read, in the order in which it is found."""
    seen: dict[Node, None] = {}
    ahead = list(roots)
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen[node] = None
            ahead += node.inputs
    return seen


def _resolve(node: Node, shown: _Shown) -> Read:
    """Return the vertex that a node stands for, and the shifts in between."""
    shifts: dict[str, int] = {}
    while True:
        if node in shown.owner:
            node = shown.owner[node]
            break
        if node.op is SHIFT and not is_named(node):
            name = node.attrs["axis"].name
            shifts[name] = shifts.get(name, 0) + node.attrs["by"]
        elif not (node.op in _CARRIERS and not is_named(node)) and not (is_state(node) and node not in shown.kept):
            break
        node = node.inputs[0]
    return Read(node, tuple((axis, by) for axis, by in shifts.items() if by))


def _list_delays(window: Node) -> list[int]:
    """Return how many steps earlier a window reads, or what adds windows up later; of many the last two and the first."""
    size, step = window.attrs["size"], window.attrs["every"] * _WINDOWS[window.op]
    every = [step * k for k in range(size)]
    return every if size <= _STEPS_SHOWN else [*every[:2], every[-1]]


def add_shifts(some: Shifts, more: Shifts) -> Shifts:
    """Return the shifts of one read after another."""
    total = dict(some)
    for axis, by in more:
        total[axis] = total.get(axis, 0) + by
    return tuple((axis, by) for axis, by in total.items() if by)


def _delay(read: Read, axis: str, by: int) -> Read:
    """Return a read of so many steps earlier."""
    return replace(read, shifts=add_shifts(read.shifts, ((axis, by),)))


def _list_axes(outputs: Sequence[Node]) -> tuple[str, ...]:
    order = {INPUT: 0, STATE: 1}
    nodes = list(_list_below(outputs))
    nodes.reverse()
    nodes.sort(key=lambda node: order.get(node.op, 2))
    return tuple(dict.fromkeys(axis.name for node in nodes for axis in node.axes))


def _is_silent(node: Node) -> bool:
    """Tell whether a node is too small to draw: numbers, and the length of an axis."""
    return not is_named(node) and node.op in (CONSTANT, SIZE)


def _list_starts(vertex: Node, shown: _Shown) -> tuple[tuple[str, int, Node], ...]:
    """Return the boundary rows of a state that are no plain numbers; offsets count from the first step, or after the last."""
    if not is_state(vertex):
        return ()
    out = []
    for bound in vertex.attrs["bounds"]:
        rows = vertex.inputs[bound.start : bound.stop]
        for i, row in enumerate(rows):
            found = _resolve(row, shown).vertex
            if not _is_silent(found):
                out.append((bound.axis.name, i - len(rows) if bound.side == "init" else i, found))
    return tuple(out)


def _mark_settling(reading: Reading) -> None:
    """Mark the reads by which an equilibrium reads itself within one step as reads of the iteration before."""
    number = {vertex: i for i, vertex in enumerate(reading.vertices)}
    edges = [(number[v], number[read.vertex]) for v in reading.vertices for read in reading.reads[v] if not read.shifts]
    loops = {i for i, x in edges if i == x}
    for part in find_components(len(number), edges):
        if len(part) == 1 and part[0] not in loops:
            continue
        inside = {reading.vertices[i] for i in part}
        for vertex in inside:
            reading.reads[vertex] = tuple(
                replace(read, shifts=((SETTLES, 1),)) if read.vertex.op is EQUILIBRIUM and read.vertex in inside else read
                for read in reading.reads[vertex]
            )
