"""A graph cut along an axis, so that one call continues where the one before ended.

The values that a later call reads from earlier ones are *carried*: the last k rows of each value that some shift reads k steps
later (initial rows included). The graph of the first call has these rows as further outputs; the graph of later calls has them
as inputs, and goes on counting the steps. Both are ordinary graphs, so every backend can run them.

No gradient flows through the cut: the adjoint of a read across it would read a later call, which has not been made. The
gradient of an initial row belongs to the call whose step reads it.

:mod:`autograd_seq.sequences.pieces` decides what is carried, tangents included, and what belongs to one piece alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError
from autograd_seq.core.names import add_primes
from autograd_seq.core.node import Node, constant
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import find_dependents, get_rows, postorder
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.graph.system import System
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import DRAW, number_draws
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, count, spread
from autograd_seq.sequences.apart import Sums, find_differing
from autograd_seq.sequences.attended import Attended, LaterReads, find_attended
from autograd_seq.sequences.pieces import Source, find_shifts_back, get_source, inputs_of, list_read_back, reads_all
from autograd_seq.sequences.rows import hold_rows


class Slot(NamedTuple):
    """The rows of one value that later steps read, in time order, the newest last.

    Attributes:
        name: of the value.
        rows: their number, the longest delay.
        axes: what one row varies over.
        shape, dtype: of one point's value.
        feeds: the names of the rows as inputs of a later call.
        grows: the axis along which all rows are read: there are as many as steps so far (of the longest sequence), and one feed
            holds them all. ``None`` if the number of rows is fixed.
        window: of rows that grow, how many of the last ones are read; ``None``: all. Then the second feed is the step of the
            first row that is kept.
    """

    name: str
    rows: int
    axes: tuple[Axis, ...]
    shape: tuple[int, ...]
    dtype: type
    feeds: tuple[str, ...]
    grows: Axis | None = None
    window: int | None = None


class Cut(NamedTuple):
    """A graph that is cut along an axis.

    Attributes:
        axis: the axis along which it is cut.
        slots: the values that are carried.
        first: the outputs of the first call, then the rows of each slot.
        later: the same for later calls, which read rows.
        steps: the name of the input of later calls that holds the number of earlier steps; ``None`` if there is no such input.
        wider: for each output, the axes of the batch over which it varies only because sequences are at different steps.
    """

    axis: Axis
    slots: tuple[Slot, ...]
    first: list[Node]
    later: list[Node]
    steps: str | None
    wider: tuple[tuple[Axis, ...], ...]


def cut_along(graph: System, asked: Axis | bool, batch: tuple[Axis, ...] | None = None) -> Cut:
    """Return the graph of a first call and that of a later one.

    Args:
        graph: the equations; every shift along the axis looks back.
        asked: the axis, or ``True`` for the one that :func:`find_carried_axis` finds.
        batch: the axes that the lengths along ``asked`` vary over, if it has lengths: a sequence without a step in a call
            keeps its rows, and each sequence counts its own steps.

    Raises:
        CarryError: the axis is not given, or something reads steps that are not there yet.
    """
    for ending, stop in graph.stops.items():  # where it has not been made one that says whether it has ended
        raise CarryError(
            "U131", f"{ending} ends by itself, and the number of its steps is not that of the steps fed", where=stop.when.where,
            expected="a graph without ag.until", got=f"ag.until(…, over={ending})",
            fix=f"ag.stream(outputs, over={ending}) and ag.compile(outputs, carry={ending}) return whether each one has ended",
        )  # fmt: skip
    graph = spell_out_windows(graph)
    axis = find_carried_axis(graph, asked)
    for n in graph.nodes:
        if n.op is SHIFT and n.attrs["axis"] is axis and n.attrs["outside"] == "bounds" and n.attrs["by"] < 0:
            raise _make_look_ahead_error(graph, n, axis)
    reads, attended = list_read_back(graph, axis), find_attended(graph, axis)
    for x in [*[x for x, _ in reads], *[a.value for a in attended]]:
        _check_carriable(graph, x, axis)
    many, apart = batch or (), find_differing(graph, [*reads], axis, batch)
    taken = {graph.name(n) for n in graph.nodes}
    slots = []
    for (x, zeros), k in reads.items():
        name = _take_name(graph.name(x), taken) if zeros else graph.name(x)
        feeds = tuple(_take_name(f"{name}[-{j}]", taken) for j in range(k, 0, -1))
        over = tuple(a for a in graph.axes if (a in x.axes or a in many) and a is not axis)
        slots.append(Slot(name, k, over, x.shape, x.dtype, feeds))
    first = [_read_from_end(x, axis, j, batch, zeros) for (x, zeros), k in reads.items() for j in range(k - 1, -1, -1)]
    name = _take_name(f"{axis.name}_before", taken)
    starts = {a.other: _take_name(f"{a.other.name}_first", taken) for a in attended if a.window is not None}
    for x, other, label, window, _ in attended:
        over = tuple(a for a in graph.axes if (a in x.axes or a in many) and a is not axis)
        feeds = (_take_name(f"{label}_before", taken), *([starts[other]] if window is not None else []))
        slots.append(Slot(label, 0, over, x.shape, x.dtype, feeds, other, window))
    rows = dict(zip(reads, slots, strict=False))
    later = _LaterCall(graph, axis, batch, apart, rows, [*zip(attended, slots[len(rows) :], strict=True)], name)
    outputs, left = later.write()
    first += [spread(a.value, many) for a in attended]
    counted = name if any(n.name == name for n in Graph(outputs).nodes) else None
    wider = tuple(tuple(a for a in many if a in new.axes and a not in old.axes)
                  for old, new in zip(graph.outputs, outputs, strict=True))  # fmt: skip
    mine = [spread(o, more) for o, more in zip(graph.outputs, wider, strict=True)]
    return Cut(axis, tuple(slots), [*mine, *first], [*outputs, *left], counted, wider)


def find_carried_axis(graph: System, asked: Axis | bool) -> Axis:
    """Return the axis along which calls continue: the axis of the shifts, the outermost if there are several.

    Every value that is shifted along any axis varies over the outermost one. Where a state over ``t`` reads the result of a
    loop over ``u``, that is ``t``, and the inner loop starts anew at each of its steps.

    Raises:
        CarryError: no axis is the one, or the axis asked for is none of the graph's.
    """
    if isinstance(asked, Axis):
        if asked not in graph.axes:
            raise CarryError(
                "K101", f"the graph does not vary over {asked}", expected=f"one of {_join_names(graph.axes) or 'no axis'}",
                got=f"carry={asked}", fix="carry=True finds the axis along which the graph shifts",
            )  # fmt: skip
        return asked
    if asked is not True:
        raise CarryError(
            "K102", f"carry={asked!r:.60} is neither True nor an axis", expected="True or an ag.Axis", got=repr(asked)[:80],
            fix="carry=True",
        )  # fmt: skip
    shifts = [n for n in graph.nodes if n.op is SHIFT]
    read = [n for n in graph.nodes if n.op is ALONG or n.op is TAKE_STEP]
    found = list(dict.fromkeys(n.attrs["axis"] for n in shifts or read)) or list(graph.axes)
    outermost = [a for a in found if all(a in n.axes for n in shifts)] if len(found) > 1 else found
    if len(outermost) != 1:
        named = outermost or found
        raise CarryError(
            "K103", "cannot tell along which axis calls continue", expected="one axis along which the graph shifts",
            got=_join_names(named) or "a graph without axes", fix=f"carry={named[0]}" if named else "leave carry= out",
        )  # fmt: skip
    return outermost[0]


def _join_names(axes: Sequence[Axis]) -> str:
    return ", ".join(a.name for a in axes)


def _take_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, and take it."""
    name = add_primes(name, taken)
    taken.add(name)
    return name


def _make_look_ahead_error(graph: System, node: Node, axis: Axis) -> CarryError:
    x = node.inputs[0]
    return CarryError(
        "K104", f"{graph.name(x)} is read at a later step, which may belong to a call that is still to come",
        node=graph.name(x), where=node.where, expected=f"reads of {axis.name} - 1, {axis.name} - 2, …",
        got=graph.name(node), fix="run whole sequences: ag.compile or ag.value_and_grad, without carry=",
    )  # fmt: skip


def _check_carriable(graph: System, x: Node, axis: Axis) -> None:
    """Refuse to carry a value that depends on all steps of its call: in pieces it would differ from the whole sequence."""
    for n in postorder([x], inputs_of):
        if reads_all(n, axis) and n.op is not ALONG:  # which is masked, or has been refused
            raise CarryError(
                "K105", f"{graph.name(x)} depends on all steps of {axis}, through {graph.name(n)}", node=graph.name(x),
                where=n.where or x.where, expected="what is carried depends on its own and earlier steps",
                got=graph.name(n), fix=f"reduce over {axis} only what no shift along {axis} leads to, or leave carry= out",
            )  # fmt: skip


def _read_from_end(x: Node, axis: Axis, back: int, batch: tuple[Axis, ...] | None, zeros: bool = False) -> Node:
    """Return the value at the step that lies ``back`` before the last one; where there is none, a row, or zero."""
    read = spread(SHIFT(x, axis=axis, by=back, outside="zero" if zeros else "bounds") if back else x, batch or ())
    last = AT(read, axis=axis, index=-1, outside="zero")
    if batch is None:  # where no sequence has a step, the carry stays as it is
        return last
    bound, given = (None, ()) if zeros else get_rows(x, axis, "init")
    row = constant(np.zeros(x.shape, x.dtype)) if bound is None else given[0 if bound.rows is None else -1 - back]
    return where(equal(count(read, (axis,), axis), 0), row, last)


class _LaterCall:
    """The equations of a later call: its shifts read the rows that an earlier call has left, and its steps count on.

    Args:
        graph, axis, batch: as for :func:`cut_along`.
        apart: the nodes that differ between sequences at different steps.
        slots: by source, the rows that shifts read.
        attended: the values of which the rows of all earlier steps are read, each with its rows.
        steps: the name of the number of earlier steps.
    """

    def __init__(self, graph: System, axis: Axis, batch: tuple[Axis, ...] | None, apart: set[Node],
                 slots: Mapping[Source, Slot], attended: Sequence[tuple[Attended, Slot]], steps: str) -> None:  # fmt: skip
        self.graph, self.axis, self.batch, self.many, self.apart = graph, axis, batch, batch or (), apart
        self.slots, self.attended = slots, [a.value for a, _ in attended]
        self.before = Node(INPUT, (), {"made": True}, (), int, self.many, name=steps)
        self.fed = {source: [Node(INPUT, (), {"made": True}, slot.shape, slot.dtype, slot.axes, name=name)
                             for name in slot.feeds] for source, slot in slots.items()}  # fmt: skip
        self.reads = _make_later_reads(axis, self.before, attended, self.many)
        self.sums = Sums(graph, axis, self.many)
        for n in graph.nodes:  # a state over fewer axes than the batch which sums up sequences that are at different steps
            if n.op is STATE and n in apart and n in self.sums.mixed and not set(self.many) <= set(n.axes):
                raise self.sums.make_error(n)

    def write(self) -> tuple[list[Node], list[Node]]:
        """Return the outputs, and the rows that the call leaves."""
        values, lasting, later = find_shifts_back(self.graph, self.axis)
        tangents = find_dependents(self.graph.nodes, [n for n in values if n not in lasting])
        of_piece = [o in later and o in tangents for o in self.graph.outputs]  # their tangents begin at zero in each piece
        made, held, rows = self._copy([o for o, own in zip(self.graph.outputs, of_piece, strict=True) if not own], values)
        alone: list[Node] = []
        if any(of_piece):
            own = [o for o, own in zip(self.graph.outputs, of_piece, strict=True) if own]
            alone, *_ = self._copy(own, [n for n in values if n in lasting])
            _remove_names(alone, [*self.graph.nodes, *made, *held.values()])
        parts = iter(made), iter(alone)
        left = [_read_from_end(held[source], self.axis, j, self.batch)
                for source, slot in self.slots.items() for j in range(slot.rows - 1, -1, -1)]  # fmt: skip
        return [next(parts[own]) for own in of_piece], [*left, *rows]

    def _copy(self, roots: Sequence[Node], shifts: Collection[Node]) -> tuple[list[Node], dict[Source, Node], list[Node]]:
        """Return the copies of nodes in a later call, whose shifts read carried rows.

        Returns:
            The copies; by source the state of its rows; and the values of which all rows are read.
        """
        carried = list(dict.fromkeys(map(get_source, shifts)))
        image: dict[Node, Node] = {}
        made = rebuild([*roots, *(x for x, _ in carried), *self.attended], self._rule, image=image, axes=self._find_axes)
        held = {(x, zeros): hold_rows(spread(x, self.many), image[x], self.axis, {"init": self.fed[x, zeros]}, zeros)
                for x, zeros in carried}  # fmt: skip
        for n in shifts:
            if n in image:
                image[n].inputs, image[n].attrs = (held[get_source(n)],), {**image[n].attrs, "outside": "bounds"}
        return made[: len(roots)], held, [spread(image[x], self.many) for x in self.attended]

    def _find_axes(self, node: Node) -> tuple[Axis, ...]:
        more = self.many if node in self.apart else ()
        return (*node.axes, *(a for a in more if a not in node.axes))

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        made = self._change(node, inputs)
        if made is not None and made.op is not INPUT:
            made.name, made.site, made.scope = node.name, node.site, node.scope
        return made

    def _change(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        mine = node.attrs.get("axis") is self.axis
        if node.op is INDEX and mine and not node.attrs.get("here"):
            return self._number_steps()
        if node.op is AT and mine and node.attrs.get("row"):
            if self.batch is None and node.attrs["index"] == 0:  # there was a step before
                return spread(constant(np.zeros(node.shape)), node.axes)
            return self.sums.sum_chosen(node, inputs[0], equal(self._number_steps(), node.attrs["index"]))
        if node.op is DRAW and self.axis in node.attrs["over"]:
            return number_draws(node, self.axis, self._number_steps(), inputs)
        made = self.reads.replace(node, inputs)
        return self.sums.replace(node, inputs) if made is None and self.many else made

    def _number_steps(self) -> Node:
        return INDEX(axis=self.axis, here=True) + self.before


def _make_later_reads(axis: Axis, before: Node, attended: Sequence[tuple[Attended, Slot]],
                      batch: tuple[Axis, ...]) -> LaterReads:  # fmt: skip
    """Return the rule for values of which all earlier rows are read, and the inputs of a later call that it reads."""
    kept: dict[tuple[Node, Axis], Node] = {}
    first: dict[Axis, Node] = {}
    for (x, other, *_), slot in attended:
        over = (*(other if a is axis else a for a in x.axes), *(a for a in batch if a not in x.axes))
        kept[x, other] = Node(INPUT, (), {"made": True}, x.shape, x.dtype, over, name=slot.feeds[0])
        for name in slot.feeds[1:]:
            first.setdefault(other, Node(INPUT, (), {"made": True}, (), int, batch, name=name))
    return LaterReads(axis, before, kept, first, next((a.other for a, _ in attended if a.named), None))


def _remove_names(nodes: Sequence[Node], named: Sequence[Node]) -> None:
    """Remove the names of copies whose names other copies have."""
    kept = set(postorder(named, inputs_of))
    for n in postorder(nodes, inputs_of):
        if n not in kept and n.op is not INPUT:
            n.name = None
