"""A schedule as every printer goes through it: what is computed, in which loops, and which rows outside of the steps it needs.

A shift reads before the first step of an axis, or after the last, what a state says is there. Such rows are written once,
before the loop that reads them, or where the shift stands if none does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.order import get_rows
from autograd_seq.ops.steps import ADD_ROWS
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.memory.storage import Storage
from autograd_seq.plan.memory.views import get_root
from autograd_seq.plan.schedule import Item, Loop, list_paths


@dataclass(frozen=True, eq=False)
class Fill:
    """Rows outside of the steps of an axis, which are to be written.

    Attributes:
        shift: what reads them.
        axis: whose steps they lie outside of.
        rows: the place of each, and what is written there: −1, −2, … before the first step, 0, 1, … after the last; ``None``
            is zeros.
    """

    shift: Node
    axis: Axis
    rows: tuple[tuple[int, Node | None], ...]

    @property
    def side(self) -> str:
        """What a state calls the rows: those before the first step ``"init"``, those after the last ``"final"``."""
        return _get_side(self.shift)


@dataclass(frozen=True, eq=False)
class Repeat:
    """A loop: the rows outside of its steps that are written before it, and what is done at each step."""

    loop: Loop
    fills: tuple[Fill, ...]
    body: tuple[Step, ...]


Step = Node | Repeat | Fill


class Reach(NamedTuple):
    """How far a shift reads outside of the steps.

    Attributes:
        array: what holds the rows.
        rows: how many there are.
        cleared: whether the array has zeros there if nothing is written.
    """

    array: object
    rows: int
    cleared: bool = True


def outline(items: Sequence[Item], is_computed: Callable[[Node], bool],
            find_reach: Callable[[Node], Reach | None]) -> list[Step]:  # fmt: skip
    """Return what is done for a schedule, in order.

    Args:
        items: the schedule.
        is_computed: tells whether a node has a statement of its own.
        find_reach: tells of a shift which rows it reads outside of the steps; ``None`` if it is not needed.
    """
    filled: set[tuple[object, Axis, str]] = set()

    def fill(shift: Node) -> list[Fill]:
        axis, side, reach = shift.attrs["axis"], _get_side(shift), find_reach(shift)
        if reach is None or (reach.array, axis, side) in filled:
            return []
        filled.add((reach.array, axis, side))
        bound, given = (None, ()) if shift.attrs["outside"] == "zero" else get_rows(shift.inputs[0], axis, side)
        if bound is None and reach.cleared:
            return []
        places = range(-reach.rows, 0) if side == "init" else range(reach.rows)
        rows = [(k, None if bound is None else given[0 if bound.rows is None else k]) for k in places]
        return [Fill(shift, axis, tuple(rows))]

    def walk(some: Sequence[Item]) -> list[Step]:
        out: list[Step] = []
        for item in some:
            if isinstance(item, Loop):
                inside = [n for n, _ in list_paths([item]) if n.op is SHIFT and n.attrs["axis"] is item.axis]
                fills = [f for n in inside for f in fill(n)]
                out.append(Repeat(item, tuple(fills), tuple(walk(item.body))))
            elif item.op is SHIFT:
                out += fill(item)
            elif is_computed(item):
                out.append(item)
        return out

    return walk(items)


def outline_plan(storage: Storage) -> list[Step]:
    """Return what is done for the schedule of a plan, in order."""

    def is_computed(node: Node) -> bool:
        return node in storage.homes or node.op is ADD_ROWS

    def find_reach(shift: Node) -> Reach:
        axis, home = shift.attrs["axis"], storage.homes[get_root(shift)]
        if home.ring:  # what is kept of a loop's steps begins anew with each call
            return Reach(home, max(abs(by) for r in storage.reads[home.node] for a, by in r.shifts if a is axis), cleared=False)
        return Reach(home, home.halo[axis][_get_side(shift) == "final"])

    return outline(storage.items, is_computed, find_reach)


def list_nodes(step: Step) -> list[Node]:
    """Return the nodes that are computed in a step, in order."""
    if isinstance(step, Repeat):
        return [n for part in step.body for n in list_nodes(part)]
    return [step] if isinstance(step, Node) else []


def _get_side(shift: Node) -> str:
    return "init" if shift.attrs["by"] > 0 else "final"


__all__ = ["Fill", "Reach", "Repeat", "Step", "list_nodes", "outline", "outline_plan"]
