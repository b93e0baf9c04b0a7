"""The role of each vertex: input, state, output, loss, label or parameter; and its text in the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autograd_seq.core.node import Node
from autograd_seq.ops.elementwise import div
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import EQUILIBRIUM
from autograd_seq.ops.time import SIZE
from viz.read.graph import Reading, get_equation, is_state
from viz.read.names import is_named
from viz.read.scopes import get_scope
from viz.read.symbols import is_loss_form
from viz.scene.items import Item
from viz.scene.label import (
    Label,
    Run,
    join_labels,
    make_index_runs,
    make_name_label,
    make_text_label,
    scale_label,
    stack_labels,
)


@dataclass(frozen=True)
class Total:
    """A scalar that sums up one value a step: `L = Σ_t L_t`.

    Attributes:
        whole: the vertex of the sum.
        part: the vertex that is summed.
        axes: names of the axes summed over.
        mean: whether the sum is divided by their lengths.
        hidden: vertices between the two that the picture leaves out.
    """

    whole: Node
    part: Node
    axes: tuple[str, ...]
    mean: bool
    hidden: tuple[Node, ...] = ()


def find_parameters(reading: Reading) -> set[Node]:
    """Return the vertices that are parameters, or computed from parameters alone."""
    found: set[Node] = set()
    for vertex in reading.vertices:
        reads = [read.vertex for read in reading.reads[vertex]]
        if vertex in reading.folders:
            continue
        if vertex.op is PARAM or (not vertex.axes and not is_state(vertex) and reads and all(node in found for node in reads)):
            found.add(vertex)
    return found - {vertex for vertex in reading.outputs if vertex.op is not PARAM}


def find_losses(reading: Reading) -> set[Node]:
    """Return the static scalars among the outputs, and those computed over whole sequences on the way to them."""
    readers = reading.readers
    found: set[Node] = set()
    for vertex in reversed(reading.vertices):
        if vertex in reading.folders:
            continue
        scalar = vertex.shape == () and not vertex.axes and vertex.dtype is float and vertex.op not in (INPUT, PARAM)
        if scalar and bool(reading.axes) and (vertex in reading.outputs or any(r in found for r in readers[vertex])):
            found.add(vertex)
    return found - find_parameters(reading)


def find_totals(reading: Reading, named_losses: set[Node]) -> list[Total]:
    """Return the losses that are a sum or a mean over all axes of one value a step."""
    out = []
    for vertex in reading.vertices:
        if vertex not in named_losses or not (vertex.name or vertex in reading.outputs):
            continue
        whole, mean = vertex, False
        hidden: tuple[Node, ...] = ()
        while whole.op is div and whole.inputs[1].op is SIZE and len(reading.reads[whole]) == 1:
            below = reading.reads[whole][0].vertex
            if is_named(below) or below.axes:
                break
            whole, mean, hidden = below, True, (*hidden, below)
        if whole.op is not sum_over or len(reading.reads[whole]) != 1 or (mean and whole.name):
            continue
        read = reading.reads[whole][0]
        axes = tuple(axis.name for axis in whole.attrs["axes"])
        if not read.shifts and {axis.name for axis in read.vertex.axes} == set(axes):
            out.append(Total(vertex, read.vertex, axes, mean, hidden))
    return out


def find_summed(totals: list[Total]) -> set[Node]:
    """Return the values a step that are drawn as parts of a loss; a state or an input that is summed stays what it is."""
    return {total.part for total in totals if not is_state(total.part) and total.part.op not in (INPUT, PARAM, TENSOR)}


def get_role(vertex: Node, reading: Reading, lost: set[Node], params: set[Node], reaches: set[Node]) -> str:
    """Return the role of a vertex.

    Args:
        vertex: which.
        reading: the graph.
        lost: the losses, and what they sum up.
        params: the parameters.
        reaches: the vertices that lead to some state or named output.
    """
    if vertex in reading.folders:
        inside = any(read.vertex is vertex for read in reading.reads[vertex])
        return "state" if inside else "output" if vertex in reading.outputs else "inner"
    if vertex in params:
        return "param"
    if vertex in lost:
        return "loss"
    if vertex.op is INPUT:
        return "label" if vertex not in reaches else "input"
    if vertex.op is TENSOR:
        return "input"
    if is_state(vertex) or vertex.op is EQUILIBRIUM:
        return "state"
    if not is_named(vertex) and vertex not in reading.outputs:
        return "op"
    return "output" if vertex in reading.outputs or not _feeds_variables(vertex, reading, lost) else "inner"


def _feeds_variables(vertex: Node, reading: Reading, lost: set[Node]) -> bool:
    """Tell whether a variable other than a loss is computed from a vertex, and no loss is at once: a gate, say."""
    seen, ahead, feeds = {vertex}, [vertex], False
    while ahead:
        for reader in reading.readers[ahead.pop()]:
            if reader in lost:
                return False
            if is_state(reader) or is_named(reader) or reader in reading.outputs:
                feeds = True
            elif reader not in seen:
                seen.add(reader)
                ahead.append(reader)
    return feeds


def find_leading(reading: Reading, lost: set[Node]) -> set[Node]:
    """Return the vertices that lead to something other than a loss; a label does not.

    A target that is only compared (the second operand of a loss) leads nowhere either.
    """
    found: set[Node] = set()
    changed = True
    while changed:
        changed = False
        for vertex in reversed(reading.vertices):
            if vertex in lost or is_loss_form(vertex):
                goes = is_loss_form(vertex)
            else:
                goes = vertex in found or is_state(vertex) or is_named(vertex) or vertex in reading.outputs
            if not goes:
                continue
            reads = reading.reads[vertex]
            if is_loss_form(vertex):
                reads = reads[:1]
            if vertex.op is INPUT:
                continue
            below = {read.vertex for read in reads} | {node for *_, node in reading.starts[vertex]}
            changed = changed or not below <= found
            found |= below
    return found


def list_start_labels(reading: Reading, vertex: Node) -> tuple[tuple[int, Label], ...]:
    """Return what the rows outside a state's sequence are set to, where that has a name: (offset, name)."""
    rows = [(offset, reading.names[node]) for _, offset, node in reading.starts[vertex]]
    return tuple((offset, make_name_label(name)) for offset, name in rows if name)


def make_folder_item(vertex: Node, key: int, role: str, reading: Reading) -> Item:
    """Return the box of a collapsed scope: its name, its shape and how many parameters it holds."""
    folder = reading.folders[vertex]
    over = tuple(axis for axis in reading.axes if axis in {a.name for a in vertex.axes})
    count = f"{folder.parameters:,} parameter{'' if folder.parameters == 1 else 's'}" if folder.parameters else "no parameters"
    shape = f"[{', '.join(map(str, vertex.shape))}], " if vertex.shape else ""
    note = stack_labels([make_text_label("\u00a0", 0.3), scale_label(make_text_label(shape + count), 0.72)])
    tip = f"{folder.scope}: {folder.operations:,} operation{'' if folder.operations == 1 else 's'}, {count}"
    return Item(key, folder.scope, role, over, boxed=True, note=note, tip=tip)


def place_item(item: Item, vertex: Node, reading: Reading) -> Item:
    """Return the item with the full name of its vertex, and the scope that it belongs to or stands for."""
    folder = reading.folders.get(vertex)
    if folder is not None:
        return replace(item, full=folder.scope, scope=folder.scope, folded=True)
    return replace(item, full=vertex.name or "", scope=get_scope(vertex))


def make_total_label(total: Total, name: str, part: str) -> Label:
    """Return the text of a sum: `L = Σ_t L_t`.

    Args:
        total: the sum.
        name, part: the name of the sum, and the name of its terms.
    """
    index = ",".join(total.axes)
    left, right = make_name_label(name), make_name_label(part, index)
    sign = Label(((Run(" = mean" if total.mean else " = ∑"), *make_index_runs(index, -1), Run(" ")),))
    return join_labels([left, sign, right], "")


def make_tip(vertex: Node, name: str) -> str:
    """Return what the pointer shows: `s[t]: float[8] = tanh(…)`, and the user's line."""
    over = f"[{', '.join(axis.name for axis in vertex.axes)}]" if vertex.axes else ""
    shape = list(vertex.shape) if vertex.shape else ""
    node = get_equation(vertex)
    made = node.op.get_word(node.attrs)
    where = f"  ({vertex.where})" if vertex.where else ""
    return f"{name or made}{over}: {vertex.dtype.__name__}{shape}" + (f" = {made}(…)" if name and made != name else "") + where
