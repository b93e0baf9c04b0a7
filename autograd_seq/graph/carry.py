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
from autograd_seq.graph.order import behind, postorder, rows
from autograd_seq.graph.rebuild import again, rebuild
from autograd_seq.graph.unroll import REDUCTIONS
from autograd_seq.node import Node, apply, constant
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import DRAW, counted
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE, Bound
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE, SPREAD, count, spread

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
        wider: for each output the axes of the batch over which it comes to vary, as sequences are at steps of their own.
    """

    axis: Axis
    slots: tuple[Slot, ...]
    first: list[Node]
    later: list[Node]
    steps: str | None
    wider: tuple[tuple[Axis, ...], ...]


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
    for n in graph.nodes:
        if n.op is ALONG and axis in (n.attrs["axis"], n.attrs["other"]):
            raise CarryError(
                "K114", f"{graph.name(n)} reads all steps of {axis}, and those of other calls are not there",
                node=graph.name(n), where=n.where, expected=f"reads of {axis.name} - 1, {axis.name} - 2, …",
                got=graph.name(n), fix=f"ag.window(x, {axis.name}, n) is carried; or leave carry= out, and run whole sequences",
            )  # fmt: skip
    reads: dict[Node, int] = {}
    for n in graph.nodes:
        if n.op is SHIFT and n.attrs["axis"] is axis and n.attrs["outside"] == "bounds":
            if n.attrs["by"] < 0:
                raise _looks_ahead(graph, n, axis)
            reads[n.inputs[0]] = max(n.attrs["by"], reads.get(n.inputs[0], 0))
    for x in reads:
        _check_causal(graph, x, axis)
    many, apart = batch or (), _apart(graph, [*reads], axis, batch)
    taken = {graph.name(n) for n in graph.nodes}
    slots = []
    for x, k in reads.items():
        name = graph.name(x)
        feeds = tuple(_new(f"{name}[-{j}]", taken) for j in range(k, 0, -1))
        over = tuple(a for a in graph.axes if (a in x.axes or a in many) and a is not axis)
        slots.append(Slot(name, k, over, x.shape, x.dtype, feeds))
    first = [_after(x, axis, j, batch) for x, k in reads.items() for j in range(k - 1, -1, -1)]
    name = _new(f"{axis.name}_before", taken)
    outputs, left, steps = _continued(graph, list(reads), slots, axis, name, batch, apart)
    counted = steps if any(n.name == steps for n in Graph(outputs).nodes) else None
    wider = tuple(tuple(a for a in many if a in new.axes and a not in old.axes)
                  for old, new in zip(graph.outputs, outputs, strict=True))  # fmt: skip
    mine = [spread(o, more) for o, more in zip(graph.outputs, wider, strict=True)]
    return Cut(axis, tuple(slots), [*mine, *first], [*outputs, *left], counted, wider)


def _apart(graph: Graph, sources: Sequence[Node], axis: Axis, batch: tuple[Axis, ...] | None) -> set[Node]:
    """Return the nodes that differ from sequence to sequence when each is at a step of its own.

    Those are the steps counted on, what is drawn for them, what is carried, and whatever depends on any of it.
    """
    if not batch:
        return set()
    held = set(sources)
    seeds = [n for n in graph.nodes if (n.op is DRAW and axis in n.attrs["over"]) or (
        n.op is INDEX and n.attrs["axis"] is axis and not n.attrs.get("here")) or (n in held and n.op is STATE) or (
        n.op is SHIFT and n.inputs[0] in held and n.attrs["axis"] is axis and n.attrs["outside"] == "bounds")]  # fmt: skip
    return behind(graph.nodes, seeds, lambda n: not set(batch) & set(n.attrs.get("axes", ())))


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


_FACTORS = {"mul", "zero_safe_mul", "contract"}
_LINEAR = {"neg", "reshape", "transpose", "slice", "place", "broadcast_to", "spread"}


class _Sums:
    """Sums over the batch, which are taken behind what multiplies them if that differs from sequence to sequence.

    A cotangent of what is the same for all sequences is a sum over them, taken at each step. Where sequences come to steps of
    their own, what it is multiplied by is not the same for all any more: the product belongs inside of the sum.
    """

    def __init__(self, graph: Graph, axis: Axis, batch: tuple[Axis, ...]) -> None:
        self.graph, self.axis, self.batch = graph, axis, batch
        self.terms: dict[Node, Node] = {}  # what a sum is the sum of
        sums = [n for n in graph.nodes if n.op is not SPREAD and set(batch) & set(n.attrs.get("axes", ()))]
        together = [n for n in sums if axis in n.axes]
        self.mixed = behind(graph.nodes, together, lambda n: axis in n.axes)  # what depends on all sequences at one step

    def made(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """Return what stands for a node that reads sums; ``None`` if it is the operation as it is."""
        of = [self.terms.get(x) for x in inputs]
        over = [a for a in node.attrs.get("axes", ()) if a in self.batch]
        if node.op is sum_over and over and len(inputs) == 1 and over == [a for a in self.batch if a in inputs[0].axes]:
            rest = tuple(a for a in node.attrs["axes"] if a not in over)
            return self._sum(apply(sum_over, inputs[0], axes=rest) if rest else inputs[0], over)
        known = [t for t in of if t is not None]
        one = (node.op.name in _FACTORS and len(known) == 1) or node.op.name in _LINEAR
        if known and (one or (node.op.name in ("add", "sub") and len(known) == 2)):
            whole = [x if t is None else t for x, t in zip(inputs, of, strict=True)]
            return self._sum(again(node, tuple(whole)), [a for a in self.batch if any(a in t.axes for t in known)])
        apart = any(set(x.axes) - set(old.axes) for x, old in zip(inputs, node.inputs, strict=True))
        if apart and any(x in self.mixed for x in node.inputs):
            raise self.refused(node)
        return None

    def _sum(self, terms: Node, over: Sequence[Axis]) -> Node:
        made: Node = apply(sum_over, terms, axes=tuple(over))
        if self.axis in made.axes:
            self.terms[made] = terms
        return made

    def refused(self, node: Node) -> CarryError:
        """Return the error of sequences that are added up at each step, and are at different ones."""
        name, over = self.graph.name(node), ", ".join(a.name for a in self.batch)
        return CarryError(
            "K111", f"{name} reads sums over {over} at each step of {self.axis}, and sequences are at steps of their own",
            node=name, where=node.where, expected=f"sums over ({self.axis}, {over}), or over {self.axis} alone", got=name,
            fix=f"let what is carried or drawn vary over {over}, or leave out lengths= or carry=",
        )  # fmt: skip


def _reads_all(n: Node, axis: Axis) -> bool:
    """Tell whether a node at one step reads later ones, or their number."""
    if n.op is SHIFT:
        return n.attrs["axis"] is axis and n.attrs["by"] < 0
    if n.op in (AT, SIZE, ALONG):
        return axis in (n.attrs["axis"], n.attrs.get("other"))
    return n.op.name in REDUCTIONS and axis in n.attrs["axes"]


def _after(x: Node, axis: Axis, back: int, batch: tuple[Axis, ...] | None) -> Node:
    """Return the value at the step that lies ``back`` before the last one; where there is none, a row."""
    read = spread(SHIFT(x, axis=axis, by=back, outside="bounds") if back else x, batch or ())
    last = AT(read, axis=axis, index=-1, outside="zero")
    if batch is None:  # where no sequence has a step, the carry stays as it is
        return last
    bound, given = rows(x, axis, "init")
    row = constant(np.zeros(x.shape, x.dtype)) if bound is None else given[0 if bound.rows is None else -1 - back]
    return where(equal(count(read, (axis,), axis), 0), row, last)


def _continued(graph: Graph, sources: Sequence[Node], slots: Sequence[Slot], axis: Axis,
               steps: str, batch: tuple[Axis, ...] | None, apart: set[Node]) -> tuple[list[Node], list[Node], str]:  # fmt: skip
    """Return the outputs of a later call, the rows that it leaves, and the name of the steps before."""
    before = Node(INPUT, (), {"made": True}, (), int, batch or (), name=steps)
    sums = _Sums(graph, axis, batch or ())
    for n in graph.nodes:
        if n.op is STATE and n in apart and n in sums.mixed and not set(batch or ()) <= set(n.axes):
            raise sums.refused(n)

    def over(node: Node) -> tuple[Axis, ...]:
        return (*node.axes, *(a for a in batch or () if a not in node.axes)) if node in apart else node.axes

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        mine = node.attrs.get("axis") is axis
        made: Node | None = None
        if node.op is INDEX and mine and node.attrs.get("row"):
            return spread(constant(NEVER), axis)
        if node.op is INDEX and mine and not node.attrs.get("here"):
            made = INDEX(axis=axis, here=True) + before
        elif node.op is AT and mine and node.attrs.get("row"):
            return spread(constant(np.zeros(node.shape)), node.axes)
        elif node.op is DRAW and axis in node.attrs["over"]:
            made = counted(node, axis, INDEX(axis=axis, here=True) + before, inputs)
        elif batch:
            made = sums.made(node, inputs)
        if made is not None:
            made.name, made.site, made.scope = node.name, node.site, node.scope
        return made

    image: dict[Node, Node] = {}
    made = rebuild([*graph.outputs, *sources], rule, image=image, axes=over)
    held: dict[Node, Node] = {}
    for x, slot in zip(sources, slots, strict=True):
        fed = [Node(INPUT, (), {"made": True}, slot.shape, slot.dtype, slot.axes, name=name) for name in slot.feeds]
        held[x] = _with_rows(spread(x, batch or ()), image[x], axis, fed)
    for old, new in list(image.items()):
        if old.op is SHIFT and old.inputs[0] in held and old.attrs["axis"] is axis and old.attrs["outside"] == "bounds":
            new.inputs = (held[old.inputs[0]],)
    left = [_after(held[x], axis, j, batch) for x, slot in zip(sources, slots, strict=True)
            for j in range(slot.rows - 1, -1, -1)]  # fmt: skip
    return made[: len(graph.outputs)], left, steps


def _with_rows(old: Node, new: Node, axis: Axis, rows: list[Node]) -> Node:
    """Return the state that shows ``rows`` in front of the axis: the copy of a state itself, else a new one around a value."""
    bounds, inputs = [Bound(axis, "init", 1, len(rows))], [*new.inputs[:1], *rows]
    reach = {(axis, "init"): len(rows)}  # some outputs of a later call may need fewer
    if new.op is not STATE:
        attrs: dict[str, Any] = {"bounds": tuple(bounds), "inherits": False, "reach": reach}
        return Node(STATE, (spread(new, old.axes), *rows), attrs, old.shape, old.dtype, old.axes)
    for b in new.attrs["bounds"]:
        if (b.axis, b.side) != (axis, "init"):
            bounds.append(Bound(b.axis, b.side, len(inputs), b.rows))
            inputs += new.inputs[b.start : b.stop]
    new.inputs = tuple(inputs)
    new.attrs = {"bounds": tuple(bounds), "inherits": False, "reach": {**new.attrs["reach"], **reach}}
    return new
