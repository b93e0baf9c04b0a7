"""The lecture's view of a graph: named variables, with arrows between them that name the parameters on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from autograd_seq.core.node import Node
from autograd_seq.core.op import Op
from autograd_seq.ops.elementwise import add, sub
from autograd_seq.ops.time import AT
from viz.read.graph import Reading, Shifts, add_shifts, is_leaf, is_state
from viz.read.names import is_named
from viz.read.reaches import find_reaches
from viz.read.roles import (
    Total,
    find_leading,
    find_losses,
    find_parameters,
    find_summed,
    find_totals,
    get_role,
    list_start_labels,
    make_folder_item,
    make_tip,
    make_total_label,
    place_item,
)
from viz.read.scopes import get_scope
from viz.read.symbols import get_symbol
from viz.scene.items import Arrow, Item, Scene, merge_whole
from viz.scene.label import EMPTY, Label, make_text_label

# A parameter that is only added lies on no path between variables: it is written at the first arrow into the variable.
_ADDING = (add, sub)


@dataclass(frozen=True)
class _Way:
    """A way down from a vertex to a variable: its delays, the step picked if only one is, and which steps if they are many."""

    tail: int
    shifts: Shifts = ()
    pick: int | None = None
    whole: str = ""


@dataclass
class _Ways:
    """The ways down from a vertex, each with the parameters passed, and the parameters added on the way."""

    passed: dict[_Way, tuple[str, ...]] = field(default_factory=dict)
    added: tuple[str, ...] = ()


def make_variables_scene(reading: Reading) -> Scene:
    """Return the scene of a graph's named variables.

    Args:
        reading: the graph.

    Returns:
        A Scene of inputs, states, named nodes and outputs.

    Example:
        >>> import autograd_seq as ag
        >>> from viz.read.graph import read_graph
        >>> t = ag.Axis("t")
        >>> x, U, s = ag.input("x", over=t), ag.param("U"), ag.state("s", over=t)
        >>> s[t] = ag.tanh(U * x[t] + s[t - 1])
        >>> scene = make_variables_scene(read_graph([s], ["t"]))
        >>> [item.name for item in scene.items], [(a.shifts, a.params) for a in scene.arrows]
        (['x', 's'], [((), ('U',)), ((('t', 1),), ())])

    Notes:
        Linear in the graph's size times the number of variables that one operation reads.
    """
    params = find_parameters(reading)
    lost = find_losses(reading)
    sums = find_totals(reading, lost)
    parts = {total.part: total for total in sums}
    hidden = {node for total in sums for node in total.hidden}
    seen = _find_variables(reading, params, set(parts)) - hidden
    lost = lost | find_summed(sums)
    leading = find_leading(reading, lost)
    keys = {vertex: i for i, vertex in enumerate(v for v in reading.vertices if v in seen)}
    scene = Scene(axes=reading.axes)
    for vertex, key in keys.items():
        kind = get_role(vertex, reading, lost, params, leading)
        item = _make_variable_item(vertex, key, kind, reading, sums, parts)
        scene.items.append(place_item(item, vertex, reading))
    finder = _Finder(reading, params, keys)
    for vertex, key in keys.items():
        below = tuple(read.vertex for read in reading.reads[vertex])
        ways = finder.join(vertex, finder.collect(below))
        scene.arrows += _make_arrows(key, ways)
        scene.arrows += _make_start_arrows(vertex, key, finder)
    scene.arrows = merge_whole(scene.arrows)
    return scene


def _find_variables(reading: Reading, params: set[Node], parts: set[Node]) -> set[Node]:
    """Return the variables; and reductions over an axis that something over that same axis reads: every step reads all."""
    found = {
        vertex
        for vertex in reading.vertices
        if vertex not in params and not reading.aliases.intersection(vertex.axes) and _is_variable(vertex, reading, parts)
    }
    ahead: dict[Node, set[object]] = {vertex: set() for vertex in reading.vertices}
    readers = reading.readers
    for vertex in reading.vertices:
        if not (vertex.op.reduces_axes or vertex.op is AT) or vertex in found or vertex in params:
            continue
        if reading.aliases.intersection(vertex.axes) or reading.aliases.intersection(vertex.attrs.get("axes", ())):
            continue
        gone = set(vertex.attrs.get("axes", ())) | ({vertex.attrs["axis"]} if "axis" in vertex.attrs else set())
        below, later = {vertex}, [vertex]
        while later:
            node = later.pop()
            ahead[vertex] |= set(node.axes)
            if node is vertex or node not in found:
                later += [reader for reader in readers[node] if reader not in below]
                below |= set(readers[node])
        if gone & ahead[vertex]:
            found.add(vertex)
    return found


def _is_variable(vertex: Node, reading: Reading, parts: set[Node]) -> bool:
    shown = vertex in reading.folders or vertex in reading.outputs or vertex in parts
    return shown or is_named(vertex) or is_leaf(vertex) or is_state(vertex)


def _make_variable_item(
    vertex: Node, key: int, kind: str, reading: Reading, sums: list[Total], parts: dict[Node, Total]
) -> Item:
    name = reading.names[vertex]
    if vertex in reading.folders:
        return make_folder_item(vertex, key, kind, reading)
    over = tuple(axis for axis in reading.axes if axis in {a.name for a in vertex.axes})
    starts = list_start_labels(reading, vertex)
    total = next((total for total in sums if total.whole is vertex), None)
    if total is not None:
        label = make_total_label(total, name or "L", reading.names[total.part] or name or "L")
        return Item(key, "", kind, over, label, boxed=True, tip=make_tip(vertex, name))
    if not name and vertex in parts:
        name = reading.names[parts[vertex].whole] or "L"
    if not name:  # an output is what its scope computes
        name = "L" if kind == "loss" else get_scope(vertex).rpartition("/")[2] if kind == "output" else ""
    title: Label = EMPTY if name else make_text_label(get_symbol(vertex) or vertex.op.get_word(vertex.attrs))
    return Item(key, name, kind, over, title, boxed=not name and title.ems > 1.2, starts=starts, tip=make_tip(vertex, name))


def _make_start_arrows(vertex: Node, key: int, finder: _Finder) -> list[Arrow]:
    """Return arrows from the variables that the rows outside of a state's sequence are computed from."""
    rows = tuple(dict.fromkeys(node for *_, node in finder.reading.starts[vertex]))
    ways = finder.collect(rows)
    found = {way: (*names, *ways[node].added) for node in rows for way, names in ways[node].passed.items()}
    return [Arrow(way.tail, key, way.shifts, names, way.pick, start=True) for way, names in found.items()]


@dataclass
class _Finder:
    """Finds the ways down from a vertex to the variables below it.

    Attributes:
        reading: the graph.
        params: the vertices that are parameters.
        keys: those that are variables, with their keys.
    """

    reading: Reading
    params: set[Node]
    keys: dict[Node, int]

    def __post_init__(self) -> None:
        self.reaches = find_reaches(self.reading)

    def collect(self, roots: Iterable[Node]) -> dict[Node, _Ways]:
        """Return the ways down from the roots, and from everything between them and the variables below."""
        found: dict[Node, _Ways] = {}
        stack: list[tuple[Node, bool]] = [(root, False) for root in roots]
        while stack:
            node, done = stack.pop()
            if done:
                found[node] = self.join(node, found)
            elif node not in found:
                if node in self.keys:
                    found[node] = _Ways({_Way(self.keys[node]): ()})
                elif node in self.params:
                    found[node] = _Ways({}, self._list_leaf_names(node))
                else:
                    stack.append((node, True))
                    stack += [(read.vertex, False) for read in self.reading.reads[node]]
        return found

    def _list_leaf_names(self, node: Node) -> tuple[str, ...]:
        """Return the names of the parameters that a parameter is computed from; its own if it has one."""
        if self.reading.names[node]:
            return (self.reading.names[node],)
        names: dict[str, None] = {}
        for read in self.reading.reads[node]:
            names |= dict.fromkeys(self._list_leaf_names(read.vertex))
        return tuple(names)

    def join(self, node: Node, below: dict[Node, _Ways]) -> _Ways:
        """Return the ways down from a vertex, from those of what it reads."""
        reads = [(read, below[read.vertex]) for read in self.reading.reads[node]]
        own = tuple(name for read, ways in reads if read.vertex in self.params for name in ways.added)
        adds = _get_operation(node) in _ADDING or not any(ways.passed for _, ways in reads)
        joined = _Ways(added=tuple(dict.fromkeys(name for _, ways in reads for name in ways.added)))
        if not adds:
            joined.added = tuple(name for name in joined.added if name not in own)
        pick = node.attrs["index"] if node.op is AT else None
        for read, ways in reads:
            for way, names in ways.passed.items():
                moved = replace(
                    way,
                    shifts=add_shifts(way.shifts, read.shifts),
                    pick=way.pick if pick is None else pick,
                    whole=way.whole or read.whole or self.reaches.get(node, ""),
                )
                names = names if adds else (*names, *own)
                joined.passed[moved] = tuple(dict.fromkeys((*joined.passed.get(moved, ()), *names)))
        return joined


def _get_operation(node: Node) -> Op:
    return node.inputs[0].op if is_state(node) else node.op


def _make_arrows(head: int, ways: _Ways) -> list[Arrow]:
    """Return one arrow for each way; added parameters are written at the first that comes from the same step."""
    entries = sorted(ways.passed.items(), key=lambda entry: bool(entry[0].shifts))
    out = []
    for i, (way, names) in enumerate(entries):
        names = (*names, *(name for name in ways.added if name not in names)) if i == 0 else names
        out.append(Arrow(way.tail, head, way.shifts, names, way.pick, whole=way.whole))
    return out
