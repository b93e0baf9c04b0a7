"""Loops around statements: each statement joins the first loop over its axis in which all that it reads is already computed.

A lecturer writes one loop forward, with everything that is computed at a step, and one backward. This is loop fusion: a
statement outside of all cycles joins an existing loop, unless it reads a step that the loop has not reached.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.emit.lower import PointStatement
from autograd_seq.emit.statements import (
    BEFORE,
    STEP,
    Accumulate,
    Allocate,
    Assign,
    For,
    Place,
    Read,
    Statement,
    StoredArray,
    list_expressions,
    walk_parts,
)


@dataclass(eq=False)
class Cycle:
    """Statements on a cycle, which must run in one loop over an axis, in one direction.

    Attributes:
        axis, direction: of the loop.
        entries: the statements.
        goes_on: as for :class:`For`.
        apart: axes of loops that may be around it, since none of the statements reads another point of them.
    """

    axis: Axis
    direction: int
    entries: list[Nestable]
    goes_on: Read | None = None
    apart: tuple[Axis, ...] = ()

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of the loops in which it runs, outermost first."""
        return (*self.apart, self.axis)

    @property
    def units(self) -> list[PointStatement]:
        """All statements in it."""
        return _list_units(self.entries)

    @property
    def derived(self) -> bool:
        """Whether it belongs to the derivatives, which follow the equations that the user wrote."""
        return self.units[0].derived


Nestable = PointStatement | Cycle


@dataclass(eq=False)
class _Group:
    """Entries within one loop; within no loop if ``axis`` is ``None``."""

    axis: Axis | None
    derived: bool
    direction: int = 0
    entries: list[Nestable] = field(default_factory=list)
    writes: set[StoredArray] = field(default_factory=set)
    named: set[tuple[StoredArray, Axis]] = field(default_factory=set)  # arrays, and along which axis a value names rows


def nest(entries: Sequence[Nestable], apart: Collection[Axis] = (), around: tuple[Axis, ...] = ()) -> list[Statement]:
    """Return the statements of entries within their loops, in an order in which each follows what it reads.

    Args:
        entries: in order.
        apart: axes whose points have nothing to do with each other: derivatives join the loops of what the user wrote.
        around: the axes of the loops that are open.
    """
    groups: list[_Group] = []
    for entry in [*(e for e in entries if not e.derived), *(e for e in entries if e.derived)]:
        _place_in_group(entry, groups, apart, around)
    out: list[Statement] = []
    for g in groups:
        if g.axis is None:
            out += [e.statement for e in g.entries if isinstance(e, PointStatement)]
            continue
        inside: list[Nestable] = []
        for e in g.entries:
            inside += e.entries if isinstance(e, Cycle) and e.axis is g.axis else [e]
        ends = [e.goes_on for e in g.entries if isinstance(e, Cycle) and e.axis is g.axis and e.goes_on is not None]
        out.append(For(g.axis, g.direction or 1, nest(inside, apart, (*around, g.axis)), ends[0] if ends else None))
    return out


def _place_in_group(entry: Nestable, groups: list[_Group], apart: Collection[Axis], around: tuple[Axis, ...]) -> None:
    """Put an entry into the first group that it may join, or into a new one."""
    open_axes = [a for a in entry.axes if a not in around]
    units = [entry] if isinstance(entry, PointStatement) else entry.units
    writes = {u.writes for u in units}
    named = {(u.writes, a) for u in units for a in u.named}
    reads = [r for u in units for r in u.reads if not _is_at_another_step(r, around)]
    first = next((k for k, g in enumerate(groups) if g.derived), len(groups)) if entry.derived else 0
    choices: Sequence[Axis | None] = (open_axes[:1] if open_axes[0] in apart else open_axes) if open_axes else [None]
    for axis in choices:
        start = 0 if axis in apart else first
        direction = entry.direction if isinstance(entry, Cycle) and entry.axis is axis else 0
        for k, g in enumerate(groups):
            for r in reads:
                if r.array in g.writes:
                    by = _measure_delay(r, axis) if g.axis is axis and (r.array, axis) not in g.named else None
                    turn = _get_direction(by)
                    fits = by is not None and (not turn or not g.direction or g.direction == turn)
                    start = max(start, k if fits else k + 1)
        for k in range(start, len(groups)):
            g = groups[k]
            if g.axis is not axis or (g.derived != entry.derived and axis not in apart):
                continue
            delays = [_measure_delay(r, axis) for r in reads if r.array in g.writes]
            ways = {g.direction, direction, *map(_get_direction, delays)} - {0}
            if len(ways) <= 1:
                g.entries.append(entry)
                g.writes |= writes
                g.named |= named
                g.direction = ways.pop() if ways else 0
                return
    own = isinstance(entry, Cycle) and entry.axis is choices[0]
    turn = entry.direction if isinstance(entry, Cycle) and own else 0
    new = _Group(choices[0], entry.derived, turn, [entry], writes, named)
    groups.insert(len(groups) if open_axes else start, new)


def _get_direction(by: int | None) -> int:
    return 0 if not by else 1 if by < 0 else -1


def _is_at_another_step(read: Read, around: Sequence[Axis]) -> bool:
    """Tell whether a read is of another step of an enclosing loop, which is computed already."""
    return any(a in around and p != Place(STEP, a) for a, p in zip(read.array.axes, read.places, strict=True))


def _measure_delay(read: Read, axis: Axis | None) -> int | None:
    """Return how many steps ahead an array is read in a loop that writes it; ``None`` if all its steps must be computed."""
    if axis is None:
        return 0
    for a, place in zip(read.array.axes, read.places, strict=True):
        if a is axis:
            return -1 if place.base == BEFORE else place.by if place.base == STEP and place.axis is axis else None
    return None


# -- the loop over a batch -----------------------------------------------------------------------------------------------------


def nest_apart(entries: Sequence[Nestable], axes: Sequence[Axis]) -> list[Statement]:
    """Return the statements of entries within their loops; those over a batch are around all others.

    Args:
        entries: in order.
        axes: all axes.
    """
    apart = tuple(a for a in axes if _is_apart(a, _list_units(entries)))
    for u in _list_units(entries):
        u.axes = tuple(sorted(u.axes, key=lambda a: a not in apart))
    for e in entries:
        if isinstance(e, Cycle) and e.goes_on is None:
            e.apart = tuple(a for a in apart if all(a in u.axes and a not in u.summed for u in e.units))
    return nest(entries, apart)


def _list_units(entries: Sequence[Nestable]) -> list[PointStatement]:
    return [u for e in entries for u in ([e] if isinstance(e, PointStatement) else e.units)]


def _is_apart(axis: Axis, units: Sequence[PointStatement]) -> bool:
    """Tell whether each point of an axis can be computed alone, but for sums that no point reads."""
    here = Place(STEP, axis)
    for u in units:
        for r in (*u.reads, u.statement.target):
            if any((a is axis or p.axis is axis) and (a is not axis or p != here) for a, p in r.indices):
                return False
    summed: set[StoredArray] = set()
    while len(summed) != len(summed := summed | {u.writes for u in units if axis in u.summed or _reads(u, summed)}):
        pass
    return not any(axis in u.axes and _reads(u, summed) for u in units)


def _reads(u: PointStatement, arrays: Collection[StoredArray]) -> bool:
    return any(r.array in arrays for r in u.reads)


# -- where arrays are allocated ------------------------------------------------------------------------------------------------


def add_allocations(body: list[Statement], returned: Collection[StoredArray]) -> None:
    """Put the allocations of arrays, and of sums that begin with 0, before what first writes or reads them.

    An array of which each step of some loops needs its own part alone is allocated within these loops; if that is one point,
    it becomes a variable.

    Args:
        body: the statements of a whole program.
        returned: the arrays that the program returns.
    """
    statements = [*_walk_statements(body)]
    writers: dict[StoredArray, Assign | Accumulate] = {}
    for s, _ in statements:
        writers.setdefault(s.target.array, s)
    touches: dict[StoredArray, list[Touch]] = {array: [] for array in writers}
    for s, path in statements:
        for e in (s.target, *walk_parts(*list_expressions(s))):
            if isinstance(e, Read) and e.array in touches:
                touches[e.array].append((path, e.places))
    for array, found in touches.items():
        home, own, first = found[0][0][0 if array in returned else _count_inner_loops(array, found)]
        array.axes = tuple(a for a in array.axes if a not in own)
        if array.axes or isinstance(writers[array], Accumulate):
            home.insert(next(k for k, s in enumerate(home) if s is first), Allocate(array))


BodyPath = tuple[tuple[list[Statement], tuple[Axis, ...], Statement], ...]
"""The bodies around a statement, outermost first: each with the axes of the loops around it, and the statement in it."""
Touch = tuple[BodyPath, tuple[Place, ...]]
"""An access to an array: the bodies that contain the statement, and the places."""


def _walk_statements(body: list[Statement], path: BodyPath = (),
                     axes: tuple[Axis, ...] = ()) -> Iterator[tuple[Assign | Accumulate, BodyPath]]:  # fmt: skip
    """Yield each statement other than loops, with the bodies that contain it."""
    for s in body:
        here = (*path, (body, axes, s))
        if isinstance(s, For):
            yield from _walk_statements(s.body, here, (*axes, s.axis))
        elif not isinstance(s, Allocate):
            yield s, here


def _count_inner_loops(array: StoredArray, touches: Sequence[Touch]) -> int:
    """Return within how many loops, from the outermost, an array may be allocated: each step needs its own part alone."""
    own = {a for k, a in enumerate(array.axes) if all(places[k] == Place(STEP, a) for _, places in touches)}
    found = 0
    for depth in range(min(len(path) for path, _ in touches)):
        bodies = [path[depth] for path, _ in touches]
        stepped = {a for a in bodies[0][1] if not isinstance(a, Iteration)}  # of an iteration there is one part alone
        if not own.issuperset(stepped) or any(b is not bodies[0][0] for b, *_ in bodies):
            break
        found = depth
    return found


__all__ = ["Cycle", "Nestable", "add_allocations", "nest_apart"]
