"""Loops around statements: each statement joins the first loop over its axis in which all that it reads is already computed.

A lecturer writes one loop forward, with everything that is computed at a step, and one backward. This is loop fusion: a
statement outside of all cycles joins an existing loop, unless it reads a step that the loop has not reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from autograd_seq.core.axes import Axis
from autograd_seq.emit.lower import PointStatement
from autograd_seq.emit.statements import STEP, Accumulate, Allocate, For, Place, Read, Statement, StoredArray, walk_parts


@dataclass(eq=False)
class Cycle:
    """Statements on a cycle, which must run in one loop over an axis, in one direction; ``goes_on`` as for :class:`For`."""

    axis: Axis
    direction: int
    entries: list[Nestable]
    goes_on: Read | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axis of the loop."""
        return (self.axis,)

    @property
    def units(self) -> list[PointStatement]:
        """All statements in it."""
        return [u for e in self.entries for u in ([e] if isinstance(e, PointStatement) else e.units)]

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


def nest(entries: Sequence[Nestable], around: tuple[Axis, ...] = ()) -> list[Statement]:
    """Return the statements of entries within their loops, in an order in which each follows what it reads.

    Args:
        entries: in order.
        around: the axes of the loops that are open.
    """
    groups: list[_Group] = []
    for entry in [*(e for e in entries if not e.derived), *(e for e in entries if e.derived)]:
        _place_in_group(entry, groups, around)
    out: list[Statement] = []
    for g in groups:
        if g.axis is None:
            out += [e.statement for e in g.entries if isinstance(e, PointStatement)]
            continue
        inside: list[Nestable] = []
        for e in g.entries:
            inside += e.entries if isinstance(e, Cycle) and e.axis is g.axis else [e]
        ends = [e.goes_on for e in g.entries if isinstance(e, Cycle) and e.axis is g.axis and e.goes_on is not None]
        out.append(For(g.axis, g.direction or 1, nest(inside, (*around, g.axis)), ends[0] if ends else None))
    return out


def _place_in_group(entry: Nestable, groups: list[_Group], around: tuple[Axis, ...]) -> None:
    """Put an entry into the first group that it may join, or into a new one."""
    open_axes = [a for a in entry.axes if a not in around]
    units = [entry] if isinstance(entry, PointStatement) else entry.units
    writes = {u.writes for u in units}
    reads = [r for u in units for r in u.reads if not _is_at_another_step(r, around)]
    first = next((k for k, g in enumerate(groups) if g.derived), len(groups)) if entry.derived else 0
    choices: Sequence[Axis | None] = open_axes or [None]
    for axis in choices:
        start, direction = first, entry.direction if isinstance(entry, Cycle) else 0
        for k, g in enumerate(groups):
            for r in reads:
                if r.array in g.writes:
                    by = _measure_delay(r, axis) if g.axis is axis else None
                    turn = 0 if not by else 1 if by < 0 else -1
                    fits = by is not None and (not turn or not g.direction or g.direction == turn)
                    start = max(start, k if fits else k + 1)
        for k in range(start, len(groups)):
            g = groups[k]
            if g.axis is not axis or g.derived != entry.derived:
                continue
            ways = {g.direction, direction, *(_get_direction(r, axis) for r in reads if r.array in g.writes)} - {0}
            if len(ways) <= 1:
                g.entries.append(entry)
                g.writes |= writes
                g.direction = ways.pop() if ways else 0
                return
    new = _Group(choices[0], entry.derived, entry.direction if isinstance(entry, Cycle) else 0, [entry], writes)
    groups.insert(len(groups) if open_axes else start, new)


def _get_direction(read: Read, axis: Axis | None) -> int:
    by = _measure_delay(read, axis)
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
            return place.by if place.base == STEP and place.axis is axis else None
    return None


# -- where arrays are allocated ------------------------------------------------------------------------------------------------


def add_allocations(body: list[Statement], returned: Sequence[StoredArray]) -> list[Statement]:
    """Return statements with arrays allocated before they are written; an array that one step alone needs becomes a variable.

    Args:
        body: the statements of a whole program.
        returned: the arrays that the program returns.
    """
    whole = set(returned)
    homes, touches = _find_homes(body), _list_touches(body)
    for array, home in homes.items():
        if array not in whole and not array.feed and _is_local(array, home, touches[array]):
            array.axes = ()
        else:
            homes[array] = body if array.axes else home
    return _insert_allocations(body, homes)


BodyPath = tuple[tuple[list[Statement], tuple[Axis, ...]], ...]
"""The bodies that contain a statement, outermost first, each with the axes of the loops around it."""


def _walk_statements(body: list[Statement], path: BodyPath = (),
                     axes: tuple[Axis, ...] = ()) -> Iterator[tuple[Statement, BodyPath]]:  # fmt: skip
    """Yield each statement other than loops, with the bodies that contain it."""
    here = (*path, (body, axes))
    for s in body:
        if isinstance(s, For):
            yield from _walk_statements(s.body, here, (*axes, s.axis))
        else:
            yield s, here


def _find_homes(body: list[Statement]) -> dict[StoredArray, list[Statement]]:
    """Return for each array the body in which it is allocated: the one that writes it; of a sum, the one around its loops."""
    homes: dict[StoredArray, list[Statement]] = {}
    for s, path in _walk_statements(body):
        assert not isinstance(s, (For, Allocate))
        array, summed = s.target.array, s.over if isinstance(s, Accumulate) else ()
        k = next((i for i, (_, axes) in enumerate(path) if any(a in summed for a in axes)), len(path)) - 1
        homes.setdefault(array, path[k][0])
    return homes


Touch = tuple[BodyPath, tuple[Place, ...], bool]
"""An access to an array: the bodies that contain the statement, the places, and whether it is a write."""


def _list_touches(body: list[Statement]) -> dict[StoredArray, list[Touch]]:
    """Return the accesses to each array."""
    found: dict[StoredArray, list[Touch]] = {}
    for s, path in _walk_statements(body):
        assert not isinstance(s, (For, Allocate))
        found.setdefault(s.target.array, []).append((path, s.target.places, True))
        for e in walk_parts(s.value):
            if isinstance(e, Read):
                found.setdefault(e.array, []).append((path, e.places, False))
    return found


def _is_local(array: StoredArray, home: list[Statement], touches: Sequence[Touch]) -> bool:
    """Tell whether an array is only read at the step at which it is written, within one body."""
    own = tuple(Place(STEP, a) for a in array.axes)
    for path, places, is_write in touches:
        around = next((axes for b, axes in path if b is home), None)
        if around is None or places != own or (is_write and set(around) != set(array.axes)):
            return False
    return True


def _insert_allocations(body: list[Statement], homes: dict[StoredArray, list[Statement]],
                        made: set[StoredArray] | None = None) -> list[Statement]:  # fmt: skip
    """Return a body in which arrays, and sums that begin with 0, are allocated before the first statement that writes them."""
    made = set() if made is None else made
    out: list[Statement] = []
    for s in body:
        first = [t for t, _ in _walk_statements([s])]
        for t in first:
            assert not isinstance(t, (For, Allocate))
            array = t.target.array
            if array not in made and homes[array] is body and (array.axes or isinstance(t, Accumulate)):
                made.add(array)
                out.append(Allocate(array))
        out.append(replace(s, body=_insert_allocations(s.body, homes, made)) if isinstance(s, For) else s)
    return out


__all__ = ["Cycle", "Nestable", "add_allocations", "nest"]
