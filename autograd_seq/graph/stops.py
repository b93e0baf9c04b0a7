"""Axes whose sequences end by themselves: the marks of ``ag.until`` are taken off the equations, and the conditions kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node
from autograd_seq.graph.order import find_dependents, get_sources, postorder, same_step, step_order
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.steps import get_delay, reads_any_step
from autograd_seq.ops.time import ALONG, AT, SIZE
from autograd_seq.ops.until import UNTIL
from autograd_seq.ops.window import OVERLAP


class Stop(NamedTuple):
    """What ends the sequences along an axis.

    Attributes:
        when: a truth value over the axis; the first step at which it is true is the last one of its sequence.
        limit: the largest number of steps; ``None`` if calls give it.
        strict: whether a sequence that does not end within the limit is an error.
    """

    when: Node
    limit: int | None
    strict: bool

    def over(self, axis: Axis) -> tuple[Axis, ...]:
        """Return the axes that the number of steps varies over."""
        return tuple(a for a in self.when.axes if a is not axis)


def take_off_marks(outputs: Sequence[Node]) -> tuple[tuple[Node, ...], dict[Axis, Stop], list[Node]]:
    """Return outputs without the marks of ``ag.until``, by axis what ends its sequences, and what the marked ones depend on.

    Raises:
        AxisError: an axis has two conditions; a condition needs later steps; or an output depends on the axis, and is not
            marked.

    Notes:
        Linear in the number of nodes. Nodes that no mark reaches are kept as they are.
    """
    nodes = step_order(outputs)
    marks = [n for n in nodes if n.op is UNTIL]
    if not marks:
        return tuple(outputs), {}, nodes
    found: dict[Axis, Node] = {}
    for n in marks:
        first = found.setdefault(n.attrs["axis"], n)
        if n.inputs[1] is not first.inputs[1] or n.attrs != first.attrs:
            raise _make_two_conditions_error(first, n)
    for axis, mark in found.items():
        _check_condition(axis, mark.inputs[1])
        _check_all_marked(outputs, nodes, axis, [n for n in marks if n.attrs["axis"] is axis])
    image: dict[Node, Node] = {}
    within = find_dependents(nodes, marks)
    made = rebuild(outputs, lambda node, inputs: inputs[0] if node.op is UNTIL else None, image=image, within=within)
    stops = {axis: Stop(image[n.inputs[1]], n.attrs["limit"], n.attrs["strict"]) for axis, n in found.items()}
    return tuple(made), stops, nodes


def find_tied(nodes: Sequence[Node], axes: Iterable[Axis]) -> set[Axis]:
    """Return some axes and all that are as long as one of them, because nodes read one along the other."""
    tied = set(axes)
    pairs = [(n.attrs["axis"], n.attrs["other"]) for n in nodes if n.op is ALONG]
    while more := {b for p in pairs for a, b in (p, p[::-1]) if a in tied and b not in tied}:
        tied |= more
    return tied


def add_limits(stops: Mapping[Axis, Stop], sizes: dict[Axis, int]) -> None:
    """Add to the lengths of axes the limits of those that end by themselves, where no feed or call gives a length."""
    for axis, stop in stops.items():
        if stop.limit is not None:
            sizes.setdefault(axis, stop.limit)


def _make_two_conditions_error(first: Node, n: Node) -> AxisError:
    axis = n.attrs["axis"]
    same = n.inputs[1] is first.inputs[1]
    limits = ("limits", *(f"limit={m.attrs['limit']}, strict={m.attrs['strict']}" for m in (first, n)))
    kind, a, b = limits if same else ("conditions", *(label_of(m.inputs[1]) for m in (first, n)))
    return AxisError(
        "U111", f"two {kind} end the sequences along {axis}: {a} and {b}", where=n.where, expected="one for all outputs",
        got=f"{a} ({first.where or 'no line'}) and {b} ({n.where or 'no line'})",
        fix=f"y, z = ag.until([y, z], over={axis}, when=…)",
    )  # fmt: skip


def _check_condition(axis: Axis, when: Node) -> None:
    """Refuse a condition that cannot be decided step by step: it would depend on the number of steps that it decides."""
    nodes = step_order([when])
    tied = find_tied(nodes, [axis])

    def list_sources(n: Node) -> tuple[Node, ...]:  # what an earlier step of another axis reads has ended there
        return get_sources(n) if get_delay(n) and n.attrs["axis"] in tied else same_step(n)

    here = set(postorder([when], list_sources))
    for n in nodes:
        mine = n.attrs.get("axis") in tied
        later = mine and (n.op in (OVERLAP, ALONG) or get_delay(n) < 0 or reads_any_step(n))
        every = n in here and ((mine and n.op in (AT, SIZE)) or bool(n.op.reduces_axes and tied & set(n.attrs["axes"])))
        if later or every:
            raise AxisError(
                "U112", f"{label_of(when)} ends the sequences along {axis}, but needs later steps of {axis} itself",
                node=when.name, where=n.where or when.where, expected="a value of this step and of earlier ones",
                got=f"{label_of(n)}, which reads {'all steps' if every or not get_delay(n) else 'a later step'}",
                fix="the running value of a state: total[u] = total[u - 1] + x[u]".replace("[u", f"[{axis}"),
            )  # fmt: skip


def _check_all_marked(outputs: Sequence[Node], nodes: Sequence[Node], axis: Axis, marks: Sequence[Node]) -> None:
    """Refuse outputs that would read steps of the axis that, by the other outputs, do not exist."""
    marked = find_dependents(nodes, marks)
    reads = find_dependents(nodes, [n for n in nodes if axis in n.axes or n.attrs.get("axis") is axis])
    for o in outputs:
        if o in reads and o not in marked and o.op is not INPUT:
            label = label_of(o)
            raise AxisError(
                "U113", f"{label} reads all steps of {axis}, and {label_of(marks[0].inputs[0])} only those until "
                f"{label_of(marks[0].inputs[1])}", node=o.name, where=o.where or marks[0].where,
                expected="all outputs that depend on steps of an axis marked by one condition", got=f"{label}, which is not",
                fix=f"{label}, … = ag.until([{label}, …], over={axis}, when=…)",
            )  # fmt: skip


__all__ = ["Stop", "add_limits", "find_tied", "take_off_marks"]
