"""Values of which later calls read the rows of all earlier steps: along another axis behind a causal mask, or by value.

What is computed along the other axis is computed twice in a later call: of the rows that are kept, and of those of the call. A
sum, a maximum or a log-sum-exp over the axis is then that of both. So no pass over the kept rows is made but those that the
equations make, and the array that holds them may have room for more: the numbers of the steps of empty rows are later than all
others, and the mask hides them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError
from autograd_seq.core.names import add_primes
from autograd_seq.core.node import Node, apply
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import less, less_equal, logical_or, where
from autograd_seq.ops.steps import RECEIVE, TAKE_STEP
from autograd_seq.ops.time import ALONG, INDEX, SIZE, SPREAD, along
from autograd_seq.sequences.causal import find_seen, find_window


class Attended(NamedTuple):
    """A value whose rows of earlier steps later calls read.

    Attributes:
        value: the value.
        other: the axis along which they are read.
        label: what a carry calls them.
        window: how many of the last steps are read; ``None``: all.
        named: whether they are read by value.
    """

    value: Node
    other: Axis
    label: str
    window: int | None = None
    named: bool = False


def find_attended(graph: System, axis: Axis) -> list[Attended]:
    """Return each value that is read along another axis than ``axis``, or at earlier steps by value, and that axis.

    Args:
        graph: the equations.
        axis: that along which calls continue.

    Raises:
        CarryError: a mask does not hide later steps, or a read by value may be of one.
    """
    reads = [n for n in graph.nodes if n.op is ALONG and axis in (n.attrs["axis"], n.attrs["other"])]
    named = [n for n in graph.nodes if n.op in (TAKE_STEP, RECEIVE) and n.attrs["axis"] is axis]
    for n in named:
        if n.op is RECEIVE:
            raise CarryError(
                "K123", f"the gradient of ag.take(…, over={axis}) goes to steps that were read, and a call has only its own",
                node=graph.name(n), where=n.where, expected="values without gradients, or whole sequences", got=repr(n)[:80],
                fix="ag.value_and_grad(loss) without carry=",
            )  # fmt: skip
        if not n.attrs["earlier"]:
            raise CarryError(
                "K122", f"{graph.name(n)} reads all steps of {axis}, but a call has only its own", node=graph.name(n),
                where=n.where, expected=f"reads of {axis} - 1, {axis} - 2, …", got=repr(n)[:80],
                fix=f"ag.take(…, over={axis}, earlier=True) reads earlier steps; ag.window(x, {axis}, n) has the last n steps; "
                "or leave carry= out, and run whole sequences",
            )  # fmt: skip
    for n in reads:
        other = n.attrs["other"]
        seen = n if other is axis else find_seen(graph, axis, other)
        if seen is not None:
            raise CarryError(
                "K114", f"{graph.name(n)} reads all steps of {axis}, but a call has only its own and earlier ones",
                node=graph.name(n), where=n.where, expected=f"a mask that hides steps of {other} after that of {axis}",
                got=f"{graph.name(seen)} sees them",
                fix=f"ag.softmax(ag.where(ag.index({other}) <= ag.index({axis}), scores, -np.inf), over={other}), or "
                f"ag.window(x, {axis}, n); or leave carry= out, and run whole sequences",
            )  # fmt: skip
    windows = {other: find_window(graph, axis, other) for other in dict.fromkeys(n.attrs["other"] for n in reads)}
    found = [Attended(n.inputs[0], a, f"{graph.name(n.inputs[0])} along {a}", windows[a]) for n in reads
             for a in [n.attrs["other"]]]  # fmt: skip
    kept = Axis(add_primes(f"{axis.name}_kept", [a.name for a in graph.axes]))
    found += [Attended(n.inputs[0], kept, f"{graph.name(n.inputs[0])} by value", named=True) for n in named]
    return list({(a.value, a.other): a for a in found}.values())


def _list_subsets(axes: Iterable[Axis]) -> Iterator[frozenset[Axis]]:
    some = [*axes]
    for k in range(len(some) + 1):
        yield from map(frozenset, combinations(some, k))


class LaterReads:
    """The rule by which a later call computes what is read of earlier steps: of kept rows, and of those of the call.

    Args:
        axis: that along which calls continue.
        before: the number of earlier steps.
        kept: the input that holds the rows of a value, by the value and the axis along which they are read.
        named: the axis along which rows lie that are read by value.
        first: by axis, the step of the first row that is kept, where that is not the first of all.
    """

    def __init__(self, axis: Axis, before: Node, kept: Mapping[tuple[Node, Axis], Node], first: Mapping[Axis, Node],
                 named: Axis | None) -> None:  # fmt: skip
        self.axis, self.before, self.kept, self.first, self.named = axis, before, kept, first, named
        self.new = {other: Axis(f"{other.name}_new") for _, other in kept}
        self.versions: dict[Node, dict[frozenset[Axis], Node]] = {}  # by the axes along which it is of the call's own rows

    def replace(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """Return what replaces a node; ``None`` if it reads no rows of earlier steps."""
        attrs = node.attrs
        if node.op is ALONG and attrs["axis"] is self.axis:
            other = attrs["other"]
            rows = self.kept[node.inputs[0], other]
            self.versions[rows] = {frozenset([other]): along(inputs[0], self.axis, self.new[other])}
            return rows
        if node.op is INDEX and attrs["axis"] in self.new:
            return self._number_steps(attrs["axis"])
        if node.op is TAKE_STEP and attrs["axis"] is self.axis:
            return self._take_step(node, *inputs)
        read = [a for a in dict.fromkeys(a for x in (node, *inputs) for a in x.axes) if a in self.new]
        return self._make_versions(node, inputs, read) if read else None

    def _number_steps(self, other: Axis) -> Node:
        """Return the numbers of the steps of kept rows; those of empty rows are later than all steps of the call."""
        place, first = INDEX(axis=other), self.first.get(other)
        filled = self.before if first is None else self.before - first
        number = place + where(less(place, filled), 0, SIZE(axis=self.axis))
        made = number if first is None else number + first
        self.versions[made] = {frozenset([other]): INDEX(axis=self.new[other]) + self.before}
        return made

    def _take_step(self, node: Node, x: Node, i: Node) -> Node:
        """Return a read of an earlier step: of a kept row, or of one of the call; where it is the one, the other is 0."""
        assert self.named is not None
        own = apply(TAKE_STEP, x, where(less_equal(self.before, i), i - self.before, -1), **node.attrs)
        kept = self.kept[node.inputs[0], self.named]
        rows = apply(TAKE_STEP, kept, where(less(i, self.before), i, -1), axis=self.named, earlier=False)
        return logical_or(own, rows) if node.dtype is bool else own + rows

    def _make_versions(self, node: Node, inputs: Sequence[Node], read: Sequence[Axis]) -> Node:
        gone = [a for a in read if node.op.reduces_axes and a in node.attrs["axes"]]
        found = {}
        for stays in _list_subsets(a for a in read if a not in gone):
            parts = [self._make_version(node, inputs, stays | own) for own in _list_subsets(gone)]
            found[stays] = parts[0] if len(parts) == 1 else apply(node.op, *parts, **{**node.attrs, "axes": ()})
        made = found.pop(frozenset())
        self.versions[made] = found
        return made

    def _make_version(self, node: Node, inputs: Sequence[Node], own: frozenset[Axis]) -> Node:
        """Return the operation on the rows of the call along some axes, and on kept rows along the others."""
        attrs = node.attrs
        if node.op is SPREAD or node.op.reduces_axes:
            attrs = {**attrs, "axes": tuple(self.new[a] if a in own else a for a in attrs["axes"])}
        mine = [own.intersection(x.axes) for x in inputs]
        return apply(node.op, *[self.versions[x][s] if s else x for x, s in zip(inputs, mine, strict=True)], **attrs)


__all__ = ["Attended", "LaterReads", "find_attended"]
