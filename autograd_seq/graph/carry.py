"""What one call leaves for the next: a graph cut along an axis, its shifts reading across the cut.

The graph of a first call gets more outputs: the last k rows of [rows in front, steps] of each value that some shift reads k
steps late. The graph of a later call is the same equations with these rows as inputs, the steps counted on. Both are
ordinary graphs: whatever runs one runs the other.

No gradient flows through the cut. The adjoint of a read across it would look ahead into a later call, where there is
nothing; and the rows in front of the sequence are read, and have a gradient, in a first call only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.errors import CarryError
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import postorder, rows
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.graph.unroll import REDUCTIONS
from autograd_seq.node import Node, constant
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import DRAW, counted
from autograd_seq.ops.state import STATE, Bound
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE, count, spread

NEVER = -(2**62)
"""No step has this number."""


class Slot(NamedTuple):
    """The rows of one value that later steps read, in time order, the newest last.

    Attributes:
        name: of the value.
        rows: their number, the longest delay.
        axes: what one row varies over.
        shape, dtype: of one point's value.
        feeds: what the rows are called as inputs of a later call.
    """

    name: str
    rows: int
    axes: tuple[Axis, ...]
    shape: tuple[int, ...]
    dtype: type
    feeds: tuple[str, ...]


class Cut(NamedTuple):
    """A graph that is cut along an axis.

    Attributes:
        axis: along which.
        slots: what is carried over.
        first: the outputs of a first call, then the rows of each slot.
        later: the same for a call that reads rows.
        steps: what the number of steps before is called as an input of a later call; ``None`` if it has no such input.
    """

    axis: Axis
    slots: tuple[Slot, ...]
    first: list[Node]
    later: list[Node]
    steps: str | None


def cut_along(graph: Graph, asked: Axis | bool, batch: tuple[Axis, ...] | None = None) -> Cut:
    """Return the graph of a first call and that of a later one.

    Args:
        graph: the equations; every shift along the axis looks back.
        asked: the axis, or ``True`` for the one that :func:`carried_axis` finds.
        batch: what the lengths on the axis vary over, if it is to have some: then sequences without a step keep their rows,
            and each counts its own steps.

    Raises:
        CarryError: the axis is not told, or something reads steps that are not there yet.
    """
    axis = carried_axis(graph, asked)
    reads: dict[Node, int] = {}
    for n in graph.nodes:
        if n.op is SHIFT and n.attrs["axis"] is axis and n.attrs["outside"] == "bounds":
            if n.attrs["by"] < 0:
                raise _looks_ahead(graph, n, axis)
            reads[n.inputs[0]] = max(n.attrs["by"], reads.get(n.inputs[0], 0))
    for x in reads:
        _check_causal(graph, x, axis)
    taken = {graph.name(n) for n in graph.nodes}
    slots = []
    for x, k in reads.items():
        name = graph.name(x)
        feeds = tuple(_new(f"{name}[-{j}]", taken) for j in range(k, 0, -1))
        slots.append(Slot(name, k, tuple(a for a in graph.axes if a in x.axes and a is not axis), x.shape, x.dtype, feeds))
    first = [_after(x, axis, j, batch is not None) for x, k in reads.items() for j in range(k - 1, -1, -1)]
    name = _new(f"{axis.name}_before", taken)
    outputs, left, steps = _continued(graph, list(reads), slots, axis, name, batch)
    counted = steps if any(n.name == steps for n in Graph(outputs).nodes) else None
    return Cut(axis, tuple(slots), [*graph.outputs, *first], [*outputs, *left], counted)


def carried_axis(graph: Graph, asked: Axis | bool) -> Axis:
    """Return the axis that calls follow one another on: the one along which the graph shifts; of several, the outermost.

    The outermost is the one over which everything varies that is shifted along any: where a state over ``t`` reads what
    a loop over ``u`` comes to, that is ``t``, and the inner loop starts anew at each of its steps.

    Raises:
        CarryError: no axis is the one, or the axis asked for is none of the graph's.
    """
    if isinstance(asked, Axis):
        if asked not in graph.axes:
            raise CarryError(
                "K101", f"the graph does not vary over {asked}", expected=f"one of {_names(graph.axes) or 'no axis'}",
                got=f"carry={asked}", fix="carry=True finds the axis along which the graph shifts",
            )  # fmt: skip
        return asked
    if asked is not True:
        raise CarryError(
            "K102", "carry= says whether, or along which axis", expected="True or an ag.Axis", got=repr(asked)[:80],
            fix="carry=True",
        )  # fmt: skip
    shifts = [n for n in graph.nodes if n.op is SHIFT]
    found = list(dict.fromkeys(n.attrs["axis"] for n in shifts)) or list(graph.axes)
    outermost = [a for a in found if all(a in n.axes for n in shifts)] if len(found) > 1 else found
    if len(outermost) != 1:
        named = outermost or found
        raise CarryError(
            "K103", "which axis goes on from call to call is not told", expected="one axis along which the graph shifts",
            got=_names(named) or "a graph without axes", fix=f"carry={named[0]}" if named else "leave carry= out",
        )  # fmt: skip
    return outermost[0]


def _names(axes: Sequence[Axis]) -> str:
    return ", ".join(a.name for a in axes)


def _new(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _looks_ahead(graph: Graph, node: Node, axis: Axis) -> CarryError:
    x = node.inputs[0]
    return CarryError(
        "K104", f"{graph.name(x)} is read ahead of its step, and the steps of the next call are not there yet",
        node=graph.name(x), where=node.where, expected=f"reads of {axis.name} - 1, {axis.name} - 2, …",
        got=graph.name(node), fix="compile it without carry=, and run whole sequences",
    )  # fmt: skip


def _check_causal(graph: Graph, x: Node, axis: Axis) -> None:
    """Refuse to carry what depends on all steps of a call: in one call of all steps it would be another value."""
    for n in postorder([x], lambda n: n.inputs):
        if _reads_all(n, axis):
            raise CarryError(
                "K105", f"{graph.name(x)} depends on all steps of {axis}, through {graph.name(n)}", node=graph.name(x),
                where=n.where or x.where, expected="what is carried depends on its own and earlier steps",
                got=graph.name(n), fix=f"reduce over {axis} only what no shift along {axis} leads to, or leave carry= out",
            )  # fmt: skip


def _check_counted(graph: Graph, image: dict[Node, Node], outputs: Sequence[Node]) -> None:
    """Refuse what counts steps and is one for all sequences, which with lengths have come to different numbers of them."""
    wide = [(old, x) for old, new in image.items() if old.op in (STATE, SHIFT) for x in new.inputs]
    drawn = [(old, new) for old, new in image.items() if old.op is DRAW and len(new.inputs) > len(old.inputs)]
    for old, new in [*drawn, *wide, *zip(graph.outputs, outputs, strict=True)]:
        if old.op is DRAW or not set(new.axes) <= set(old.axes):
            raise CarryError(
                "K111", f"{graph.name(old)} counts steps, and is the same for all sequences", node=graph.name(old),
                where=old.where, expected="one value a sequence, for with lengths each comes to a number of its own",
                got=repr(old), fix="carry= without lengths=, or lengths= without carry=",
            )  # fmt: skip


def _reads_all(n: Node, axis: Axis) -> bool:
    """Tell whether a node at one step reads later ones, or their number."""
    if n.op is SHIFT:
        return n.attrs["axis"] is axis and n.attrs["by"] < 0
    if n.op in (AT, SIZE, ALONG):
        return axis in (n.attrs["axis"], n.attrs.get("other"))
    return n.op.name in REDUCTIONS and axis in n.attrs["axes"]


def _after(x: Node, axis: Axis, back: int, ragged: bool) -> Node:
    """Return the value at the step that lies ``back`` before the last one; where there is none, a row."""
    read = SHIFT(x, axis=axis, by=back, outside="bounds") if back else x
    last = AT(read, axis=axis, index=-1, outside="zero")
    if not ragged:  # where no sequence has a step, the carry stays as it is
        return last
    bound, given = rows(x, axis, "init")
    row = constant(np.zeros(x.shape, x.dtype)) if bound is None else given[0 if bound.rows is None else -1 - back]
    return where(equal(count(x, (axis,), axis), 0), row, last)


def _continued(graph: Graph, sources: Sequence[Node], slots: Sequence[Slot], axis: Axis,
               steps: str, batch: tuple[Axis, ...] | None) -> tuple[list[Node], list[Node], str]:  # fmt: skip
    """Return the outputs of a later call, the rows that it leaves, and the name of the steps before."""
    before = Node(INPUT, (), {"made": True}, (), int, batch or (), name=steps)

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        over = node.attrs.get("axis") is axis
        made: Node | None = None
        if node.op is INDEX and over and node.attrs.get("row"):
            return spread(constant(NEVER), axis)
        if node.op is INDEX and over and not node.attrs.get("here"):
            made = INDEX(axis=axis, here=True) + before
        elif node.op is AT and over and node.attrs.get("row"):
            return spread(constant(np.zeros(node.shape)), node.axes)
        elif node.op is DRAW and axis in node.attrs["over"]:
            made = counted(node, axis, INDEX(axis=axis, here=True) + before, inputs)
        if made is not None:
            made.name, made.site, made.scope = node.name, node.site, node.scope
        return made

    image: dict[Node, Node] = {}
    made = rebuild([*graph.outputs, *sources], rule, image=image)
    if batch:
        _check_counted(graph, image, made[: len(graph.outputs)])
    held: dict[Node, Node] = {}
    for x, slot in zip(sources, slots, strict=True):
        fed = [Node(INPUT, (), {"made": True}, slot.shape, slot.dtype, slot.axes, name=name) for name in slot.feeds]
        held[x] = _with_rows(x, image[x], axis, fed)
    for old, new in list(image.items()):
        if old.op is SHIFT and old.inputs[0] in held and old.attrs["axis"] is axis and old.attrs["outside"] == "bounds":
            new.inputs = (held[old.inputs[0]],)
    left = [_after(held[x], axis, j, batch is not None) for x, slot in zip(sources, slots, strict=True)
            for j in range(slot.rows - 1, -1, -1)]  # fmt: skip
    return made[: len(graph.outputs)], left, steps


def _with_rows(old: Node, new: Node, axis: Axis, rows: list[Node]) -> Node:
    """Return the state that shows ``rows`` in front of the axis: the copy of a state itself, else a new one around a value."""
    bounds, inputs = [Bound(axis, "init", 1, len(rows))], [*new.inputs[:1], *rows]
    if new.op is not STATE:
        attrs: dict[str, Any] = {"bounds": tuple(bounds), "inherits": False, "reach": {}}
        return Node(STATE, (spread(new, old.axes), *rows), attrs, old.shape, old.dtype, old.axes)
    for b in new.attrs["bounds"]:
        if (b.axis, b.side) != (axis, "init"):
            bounds.append(Bound(b.axis, b.side, len(inputs), b.rows))
            inputs += new.inputs[b.start : b.stop]
    new.inputs = tuple(inputs)
    new.attrs = {"bounds": tuple(bounds), "inherits": False, "reach": {}}
    return new
