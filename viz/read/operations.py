"""The full view of a graph: every operation with its symbol, parameters as squares, delays on the arrows."""

from __future__ import annotations

import numpy as np

from autograd_seq.core.node import Node
from autograd_seq.ops.time import ALONG, AT
from viz.read.graph import Read, Reading, add_shifts, is_leaf
from viz.read.roles import (
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
from viz.read.symbols import get_symbol
from viz.scene.items import Arrow, Item, Scene, merge_whole
from viz.scene.label import EMPTY, Label, make_text_label

# A value of more numbers is shown by its shape.
_NUMBERS_SHOWN = 3
# A symbol of this width or more is drawn in a box, not in a circle.
_WIDE = 1.2


def make_operations_scene(reading: Reading) -> Scene:
    """Return the scene of all operations of a graph.

    Args:
        reading: the graph.

    Returns:
        A Scene, in which a value computed from parameters alone is a parameter.

    Example:
        >>> import autograd_seq as ag
        >>> from viz.read.graph import read_graph
        >>> a, b = ag.tensor(2.0, name="a"), ag.tensor(-3.0, name="b")
        >>> scene = make_operations_scene(read_graph([(a * b).named("c")], []))
        >>> [(item.name, item.title.html) for item in scene.items]
        [('a', ''), ('b', ''), ('c', '×')]
    """
    params = find_parameters(reading)
    lost = find_losses(reading)
    sums = find_totals(reading, lost)
    parts = {total.part: total for total in sums}
    views = _find_views(reading)
    hidden = {node for total in sums for node in total.hidden} | _find_inner_params(reading, params) | set(views)
    lost = lost | find_summed(sums)
    reaches = find_leading(reading, lost)
    keys = {vertex: i for i, vertex in enumerate(v for v in reading.vertices if v not in hidden)}
    wholes = {total.whole: total for total in sums}
    scene = Scene(axes=reading.axes)
    for vertex, key in keys.items():
        kind = get_role(vertex, reading, lost, params, reaches)
        item = _make_operation_item(vertex, key, kind, reading)
        if vertex in parts and not item.name:
            item = _rename_item(item, reading.names[parts[vertex].whole] or "L")
        if vertex in wholes:
            name = reading.names[vertex] or "L"
            label = make_total_label(wholes[vertex], name, reading.names[wholes[vertex].part] or name)
            item = Item(key, "", kind, (), label, boxed=True, tip=item.tip)
        scene.items.append(place_item(item, vertex, reading))
        if vertex in params:
            continue
        if vertex in wholes:
            scene.arrows.append(Arrow(keys[wholes[vertex].part], key))
            continue
        pick = vertex.attrs["index"] if vertex.op is AT else None
        for read in reading.reads[vertex]:
            tail, shifts = read.vertex, read.shifts
            whole = read.whole if not shifts else ""  # the operation that reads a step that a value names is drawn
            whole = whole or ("all" if _reads_whole(tail, vertex, reading) else "")
            while tail in views:
                tail, shifts = views[tail].vertex, add_shifts(shifts, views[tail].shifts)
            scene.arrows.append(Arrow(keys[tail], key, shifts, (), pick, whole=whole))
        rows = {node for *_, node in reading.starts[vertex]}
        scene.arrows += [Arrow(keys[node], key, start=True) for node in reading.vertices if node in rows and node in keys]
    scene.arrows = merge_whole(scene.arrows)
    return scene


def _find_inner_params(reading: Reading, params: set[Node]) -> set[Node]:
    """Return the parameters that only other parameters read."""
    readers = reading.readers
    starts = {node for rows in reading.starts.values() for *_, node in rows}
    return {
        node for node in params
        if node not in starts and node not in reading.outputs and readers[node]
        and all(reader in params for reader in readers[node])
    }  # fmt: skip


def _find_views(reading: Reading) -> dict[Node, Read]:
    """Return the vertices that only name the steps of a sequence anew, so that all can be read, and their read of it."""
    own = [v for v in reading.vertices if v.op is ALONG and v.attrs["other"] in reading.aliases]
    return {v: reading.reads[v][0] for v in own if not v.name and v not in reading.outputs and reading.reads[v]}


def _list_axes(vertex: Node, reading: Reading) -> set[str]:
    """Return the axes of a vertex; what varies over the second name of an axis alone stands at the steps of the first."""
    names, bases = {axis.name for axis in vertex.axes}, reading.bases
    return {bases[name] if name in bases and bases[name] not in names else name for name in names}


def _reads_whole(tail: Node, head: Node, reading: Reading) -> bool:
    """Tell whether every step of the head reads all steps of the tail."""
    tails, heads = {axis.name for axis in tail.axes}, {axis.name for axis in head.axes}
    return any(name in tails and base not in tails and {name, base} <= heads for name, base in reading.bases.items())


def _make_operation_item(vertex: Node, key: int, kind: str, reading: Reading) -> Item:
    if vertex in reading.folders:
        return make_folder_item(vertex, key, kind, reading)
    name, sign = reading.names[vertex], get_symbol(vertex)
    over = tuple(axis for axis in reading.axes if axis in _list_axes(vertex, reading))
    starts = list_start_labels(reading, vertex)
    note = _label_value(vertex)
    if kind == "param":
        return Item(key, name or _write_formula(vertex, reading), kind, over, note=note, tip=make_tip(vertex, name))
    title: Label = make_text_label(sign) if sign else EMPTY
    if not sign and not name:
        title = make_text_label(vertex.op.get_word(vertex.attrs)) if not note.html else EMPTY
    boxed = bool(note.html) or (not is_leaf(vertex) and (bool(name) or title.ems > _WIDE))
    return Item(key, name, kind, over, title, boxed=boxed, starts=starts, note=note, tip=make_tip(vertex, name))


def _rename_item(item: Item, name: str) -> Item:
    return Item(item.key, name, item.role, item.over, item.title, True, item.starts, item.note, item.tip)


def _write_formula(vertex: Node, reading: Reading) -> str:
    """Return a short name for what is computed from parameters: `tanh(W)`."""
    inner = ", ".join(reading.names[read.vertex] or "…" for read in reading.reads[vertex])
    return f"{get_symbol(vertex)}({inner})"


def _label_value(vertex: Node) -> Label:
    """Return the value that a node carries, if it does: numbers if they are few, else the shape."""
    if vertex.value is None:
        return EMPTY
    value = np.asarray(vertex.value)
    if value.size > _NUMBERS_SHOWN:
        return make_text_label("×".join(str(n) for n in value.shape))
    numbers = [f"{number:.4g}".replace("-", "−") for number in value.ravel().tolist()]
    return make_text_label(numbers[0] if value.ndim == 0 else f"[{', '.join(numbers)}]")
