"""Where values live: which nodes are views of others, which are kept for all steps of a loop, and which share a buffer.

A node that only renames, shifts or rearranges another is a *view* of it. Any other node has a home: an array of the
workspace, if its operation can write into one, or a local variable. What nobody reads outside of a loop, or at another of
its steps, is kept for one step only; what is read k steps later and nowhere else, for k steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from autograd_seq.axes import Axis
from autograd_seq.graph.order import shift_rows
from autograd_seq.node import Node
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.apart import apart, blocks_of
from autograd_seq.plan.schedule import Item, Loop, paths
from autograd_seq.plan.views import LEAVES, adjacent, as_it_is, elsewhere, is_view, root, shifts, shown


def axis_order(items: Sequence[Item], axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """Return the axes in the order in which arrays are laid out: an axis that loops before those inside of its loop."""
    found: dict[Axis, None] = {}

    def visit(part: Sequence[Item]) -> None:
        for item in part:
            if isinstance(item, Loop):
                found.setdefault(item.axis)
                visit(item.body)

    visit(items)
    return (*found, *(a for a in axes if a not in found))


@dataclass(frozen=True)
class Read:
    """One statement that reads a node's array: where it stands, and along which axes it reads other steps."""

    by: Node | None
    at: int
    path: tuple[Loop, ...]
    shifts: tuple[tuple[Axis, int], ...] = ()
    elsewhere: bool = False  # it reads some other step than the current one in another way than by a shift


class Lane(NamedTuple):
    """Adjacent entries of another node's array.

    Attributes:
        whole: whose array it is.
        dimension: along which the entries are adjacent, counted from the end.
        start, stop: which they are.
        axis, by: the steps of an axis by which they lie further on: what a step computes where a later step reads it.
    """

    whole: Node
    dimension: int
    start: int
    stop: int
    axis: Axis | None = None
    by: int = 0


@dataclass(eq=False)
class Home:
    """Where the values of a node are.

    Attributes:
        node: whose values they are.
        axes: the axes that are dimensions of the array, in order; those of loops only if all their steps are kept.
        halo: how many rows are kept in front of and behind the steps of an axis.
        ring: the rows kept of a loop's steps if not all are, else 0.
        buffer: the number of the workspace array; ``None`` for a local variable.
        start, stop: the first and the last statement at which the array is in use.
        last: the last statement that reads it.
        lane: the values are a part of another node's array: of one that joins them, or of one that nobody needs there any more.
        layout: the axes of the array, that of blocks among them.
    """

    node: Node
    axes: tuple[Axis, ...]
    halo: dict[Axis, tuple[int, int]] = field(default_factory=dict)
    ring: int = 0
    buffer: int | None = None
    start: int = 0
    stop: int = 0
    last: int = 0
    lane: Lane | None = None
    layout: tuple[Axis, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value at one point of the layout: one block, if there are some."""
        blocks = blocks_of(self.layout)
        return (*self.node.shape[:-1], blocks.width) if blocks else self.node.shape

    @property
    def key(self) -> tuple[object, ...]:
        """What two homes must have in common to share an array."""
        return self.layout, self.node.shape, self.node.dtype


class Storage:
    """The decisions for one schedule.

    Args:
        items: the schedule.
        outputs: what is asked for.
        axes: all axes.
        writes: tells of a node whether its operation can write into an array that is there already.
        in_place: tells whether it may write over an operand that nobody needs any more.
        absorbed: nodes computed inside of the one node that reads them.
        share: whether arrays are used again.
        blocks: whether values that are read by parts lie in blocks.
        returned: whether outputs are returned as they are made; else all are copied from the workspace.

    Attributes:
        order: the order of axes inside.
        stepped: the axes that some loop runs over.
        path: the loops around every node, outermost first; its keys are the statements in order.
        homes: for every node that is computed, where it lives.
        buffers: for each workspace array, the home that tells its layout.
    """

    def __init__(self, items: Sequence[Item], outputs: Sequence[Node], axes: Sequence[Axis], writes: Sequence[Node],
                 in_place: Sequence[Node], absorbed: dict[Node, Node], share: bool = True,
                 blocks: bool = False, returned: bool = True) -> None:  # fmt: skip
        self.items, self.outputs, self.order = items, tuple(outputs), axis_order(items, axes)
        self.path: dict[Node, tuple[Loop, ...]] = dict(paths(items))
        self.at = {n: i for i, n in enumerate(self.path)}
        self.span: dict[Loop, tuple[int, int]] = {}
        for n, path in self.path.items():
            for loop in path:
                self.span[loop] = self.span.get(loop, (self.at[n],))[0], self.at[n]
        self.absorbed = absorbed
        self.writes, self.in_place = set(writes), set(in_place)
        self.reads = self._reads()
        self.stepped = {loop.axis for loop in self.span}
        self.roots = {root(o) for o in outputs}
        self.lanes = self._lanes(self.roots) if share else {}
        for n, lane in self.lanes.items():
            self.reads[lane.whole] = [*self.reads[lane.whole], *self._reads_of_lane(n, lane)]
        self.blocks = apart(self) if blocks else {}
        self._returned = self.roots if returned else set()
        self.homes = {n: self._home(n) for n in self.path if self._computed(n)}
        self.buffers: list[Home] = []
        self._allocate(share)

    def _computed(self, n: Node) -> bool:
        return n.op not in LEAVES and n._value is None and not is_view(n) and n not in self.absorbed

    def _reads(self) -> dict[Node, list[Read]]:
        found: dict[Node, list[Read]] = {n: [] for n in self.path}
        for n, path in self.path.items():
            if n.op is SHIFT:  # its rows are written before the steps of its axis run
                outer = tuple(loop for loop in path if loop.axis is not n.attrs["axis"])
                for row in shift_rows(n):
                    found[root(row)].append(Read(n, self.at[n], outer, shifts(row)))
            elif self._computed(n):
                for x in self.operands(n):
                    found[root(x)].append(Read(n, self.at[n], path, shifts(x), elsewhere(x)))
        for o in self.outputs:
            found[root(o)].append(Read(None, len(self.path), (), shifts(o)))
        return found

    def _reads_of_lane(self, n: Node, lane: Lane) -> list[Read]:
        """Return the reads of a node as reads of the array that it is a part of; that it is written there is one more."""
        if lane.axis is None and self.path[n] == self.path[lane.whole]:
            return self.reads[n]
        found = []
        for r in [Read(n, self.at[n], self.path[n]), *self.reads[n]]:
            moved = dict(r.shifts)
            if lane.axis is not None:
                moved[lane.axis] = moved.get(lane.axis, 0) - lane.by
            found.append(replace(r, shifts=tuple((a, by) for a, by in moved.items() if by)))
        return found

    def operands(self, n: Node) -> list[Node]:
        """Return what the statement of ``n`` reads: its inputs, and those of what is computed inside of it."""
        return [y for x in n.inputs for y in (x.inputs if x in self.absorbed else (x,))]

    def _lanes(self, roots: set[Node]) -> dict[Node, Lane]:
        """Return the nodes that are computed where others want or leave them, and their places there."""
        found: dict[Node, Lane] = {}
        for n in self.path:
            if n.op.name == "concat" and self._worth_placing(n):
                found.update(self._wanted(n, found, roots))
        for n in self.path:
            if n.op.name == "concat" and self.path[n] and n not in found and n.attrs["axis"] == -1:
                found.update(self._left_for(n, found))
        for n in [m for m in found if m.op.name == "blocks"]:
            found.update(self._behind(n, found, roots))
        for n in self.path:
            if n in self.in_place and n.axes and n not in found and (lane := self._left(n, found, roots)) is not None:
                found[n] = lane
        return found

    def _worth_placing(self, n: Node) -> bool:
        """Tell whether parts are to be computed in their places: among columns only for the sake of a loop."""
        if not n.axes:
            return n.attrs["axis"] != -1
        return n.attrs["axis"] == -1 and (bool(self.path[n]) or any(r.by is not None and r.path for r in self.reads[n]))

    def _wanted(self, whole: Node, found: dict[Node, Lane], roots: set[Node]) -> dict[Node, Lane]:
        """Return the parts of a concatenation that can be computed in their places at once.

        Those of a step, and matrices that are stacked: a place among columns is slow to write to for all steps at once.
        """
        places, start, path, axis = {}, 0, self.path[whole], whole.attrs["axis"]
        for x in whole.inputs:
            stop = start + x.shape[axis]
            alone = x not in roots and x not in found and x not in places and not any(r.shifts for r in self.reads[root(x)])
            fits = self._computed(x) and x in self.in_place and self.path[x] == path and x.dtype is whole.dtype
            shape = list(whole.shape)
            shape[axis] = stop - start
            if alone and fits and set(x.axes) == set(whole.axes) and x.shape == tuple(shape):
                places[x] = Lane(whole, axis, start, stop)
            start = stop
        return places

    def _left_for(self, whole: Node, found: dict[Node, Lane]) -> dict[Node, Lane]:
        """Return what a row of a loop joins that was computed at another step, or before the loop, in its place there."""
        places: dict[Node, Lane] = {}
        path, stop = self.path[whole], 0
        axis = path[-1].axis
        for x in whole.inputs:
            start, stop = stop, stop + x.shape[-1]
            r = root(x)
            fits = self._computed(r) and r not in found and r not in places and set(r.axes) == set(whole.axes)
            if not fits or r.shape != x.shape or r.dtype is not whole.dtype or len(x.shape) != 1:
                continue
            if x is r and x.op.name == "copy" and self.path[x] == path[: len(self.path[x])] != path:
                if all(read.by is whole and not read.shifts for read in self.reads[x]):
                    places[x] = Lane(whole, -1, start, stop)
            elif len(shifts(x)) == 1 and shifts(x)[0][0] is axis and shown(x) == (r, 0, x.shape[-1]) and self.path[r] == path:
                along = all(a is axis for read in self.reads[r] for a, _ in read.shifts)
                if along and (r in self.in_place or r.op.name == "concat"):
                    places[r] = lane = Lane(whole, -1, start, stop, *shifts(x)[0])
                    inside = [(m, q) for m, q in found.items() if q.whole is r]
                    places |= {m: lane._replace(start=start + q.start, stop=start + q.stop) for m, q in inside}
        return places

    def _behind(self, n: Node, found: dict[Node, Lane], roots: set[Node]) -> dict[Node, Lane]:
        """Return what a product of blocks reads, and the parts of that, in the place where the product is to be."""
        x, lane = n.inputs[0], found[n]
        whole, start = lane.whole, lane.start
        if x.op.name != "concat" or not self._computed(x) or x in roots or self.path[x] or set(x.axes) != set(whole.axes):
            return {}
        if any(r.by is not n or r.shifts for r in self.reads[x]) or any(q.whole is n for q in found.values()):
            return {}
        inside = [(m, q) for m, q in found.items() if q.whole is x]
        begins = self.span[self.path[n][0]][0] if self.path[n] else self.at[n]
        if any(r.by is not x and (r.at >= begins or r.shifts) for m, _ in inside for r in self.reads[m]):
            return {}  # somebody reads a factor after the product has taken its place
        return {x: lane, **{m: lane._replace(start=start + q.start, stop=start + q.stop) for m, q in inside}}

    def _left(self, n: Node, found: dict[Node, Lane], roots: set[Node]) -> Lane | None:
        """Return the part of another array that ``n`` may write over: it reads it at its own step, as the last to do so."""
        for x in n.inputs:
            lane = found.get(x)
            if lane is None and (part := adjacent(x)) is not None:
                lane = Lane(part[0], -1, *part[1:])
            if lane is None or lane.dimension != -1 or lane.axis or lane.whole in found or not self._computed(lane.whole):
                continue
            whole, start, stop = lane.whole, lane.start, lane.stop
            inside = {m for m, q in found.items() if q.whole is whole and q.start < stop and start < q.stop}
            fits = n not in roots and whole not in roots and n.dtype is whole.dtype and set(n.axes) == set(whole.axes)
            fits = fits and n.shape == (*whole.shape[:-1], stop - start) and self.path[n] == self.path[whole]
            again = any(y is not x and (root(y) is whole or root(y) in inside) for y in n.inputs)
            if fits and not again and whole.op.name != "concat" and not inside & roots and all(
                self._done(r, m, n, start, stop) for m in (whole, *inside) for r in self.reads[m]
            ) and not any(r.shifts for r in self.reads[n]):  # fmt: skip
                return lane
        return None

    def _done(self, read: Read, of: Node, n: Node, start: int, stop: int) -> bool:
        """Tell whether a read of ``of`` is over when ``n`` is computed, or has nothing to do with the part it writes over."""
        if read.by is n:
            return True
        if read.by is None or read.shifts or read.elsewhere:
            return False
        if read.at < self.at[n] and read.path == self.path[n]:
            return True
        parts = [adjacent(y) for y in self.operands(read.by) if root(y) is of]
        return of is not n and bool(parts) and all(p is not None and (p[2] <= start or stop <= p[1]) for p in parts)

    # -- homes ----------------------------------------------------------------------------------------------------------

    def _home(self, n: Node) -> Home:
        path, reads = self.path[n], self.reads[n]
        kept = len(path)  # loops whose steps need not be kept
        for r in reads:
            common = _common(path, r.path)
            moved = [q for q, loop in enumerate(path[:common]) if any(a is loop.axis for a, _ in r.shifts)]
            kept = min(kept, common, *moved)
        if n in self.lanes:
            return Home(n, (), self._halo(n), buffer=-2, start=self.at[n], lane=self.lanes[n])
        home = Home(n, self._dims(n, path[kept:]))
        home.start = home.last = self.at[n]
        home.stop = self._stop(n, kept)
        home.last = max([home.start, *(r.at for r in reads)])
        if kept < len(path):
            home.start = self.span[path[kept]][0]
        home.start = min([home.start, *(self.at[x] for x, lane in self.lanes.items() if lane.whole is n)])
        home.halo = self._halo(n)
        home.ring = self._ring(n, kept)
        if home.ring:
            home.axes = self._dims(n, ())
            del home.halo[path[-1].axis]
        writes = n in self.writes and not (n in self._returned and not path) and (n.axes or n.shape)
        if home.halo or home.ring or kept < len(path) or writes or any(lane.whole is n for lane in self.lanes.values()):
            home.buffer = -1
        home.layout = home.axes
        if n in self.blocks:
            k = sum(a in self.stepped for a in home.axes)
            home.layout = (*home.axes[:k], self.blocks[n], *home.axes[k:])
        return home

    def _halo(self, n: Node) -> dict[Axis, tuple[int, int]]:
        halo: dict[Axis, tuple[int, int]] = {}
        for r in self.reads[n]:
            for axis, by in r.shifts:
                lo, hi = halo.get(axis, (0, 0))
                halo[axis] = max(lo, by), max(hi, -by)
        return halo

    def _dims(self, n: Node, kept: tuple[Loop, ...]) -> tuple[Axis, ...]:
        stepped = {loop.axis for loop in self.path[n]} - {loop.axis for loop in kept}
        return tuple(a for a in self.order if a in n.axes and a not in stepped)

    def _stop(self, n: Node, kept: int) -> int:
        path, stop = self.path[n], self.at[n]
        if kept < len(path) and any(loop.axis is a for r in self.reads[n] for a, _ in r.shifts for loop in path):
            stop = self.span[path[kept]][1]
        for r in self.reads[n]:
            common = _common(path, r.path)
            stop = max(stop, self.span[r.path[common]][1] if len(r.path) > common else r.at)
        return stop

    def _ring(self, n: Node, kept: int) -> int:
        """Return how many rows are enough where all that is kept for is a later step of the innermost loop."""
        path = self.path[n]
        if kept != len(path) - 1 or any(r.path != path for r in self.reads[n]):
            return 0
        if any(lane.whole is n and lane.axis for lane in self.lanes.values()):
            return 0  # what is read later is written into its row, not carried on
        axis = path[-1].axis
        delays = [next((abs(by) for a, by in r.shifts if a is axis), 0) for r in self.reads[n]]
        if any(a is not axis for r in self.reads[n] for a, _ in r.shifts):
            return 0
        longest = max(delays)
        late = [(d, r.at) for d, r in zip(delays, self.reads[n], strict=True) if d]
        read_before = all(d == longest and at < self.at[n] for d, at in late)
        rows = longest if read_before else longest + 1
        return rows if rows == 1 or len(path) == 1 else 0

    # -- workspace ------------------------------------------------------------------------------------------------------

    def _allocate(self, share: bool) -> None:
        """Give every home its array: one that an operand leaves free, one that is free, or a new one."""
        free: list[int] = []
        busy: dict[int, int] = {}  # array → the last statement that needs it
        for n, home in sorted(self.homes.items(), key=lambda item: item[1].start):
            if home.buffer is None or home.lane:
                continue
            alone = bool(home.halo or home.ring) or not share
            for k in [k for k, stop in busy.items() if stop < home.start]:
                free.append(k)
                del busy[k]
            taken = None if alone else self._taken(n, home)
            if taken is None and not alone:
                taken = next((k for k in sorted(free) if self.buffers[k].key == home.key), None)
                if taken is not None:
                    free.remove(taken)
            if taken is None:
                taken = len(self.buffers)
                self.buffers.append(home)
            home.buffer = taken
            if not alone:
                busy[taken] = max(home.stop, busy.get(taken, 0))

    def _taken(self, n: Node, home: Home) -> int | None:
        """Return the array of an operand whose last reader this is, and whose every entry is read where it is written."""
        if n not in self.in_place:
            return None
        for x in n.inputs:
            r = root(x)
            other = self.homes.get(r)
            if other is None or other.buffer in (None, -1, -2) or other.halo or other.ring or other.key != home.key:
                continue
            same = [y for y in n.inputs if root(y) is r]
            if other.last == self.at[n] and all(as_it_is(y) for y in same) and not self._read_later(r, n):
                return other.buffer
        return None

    def _read_later(self, r: Node, n: Node) -> bool:
        """Tell whether a loop that ``n`` is in, and ``r`` is not kept in steps of, comes back to ``r`` after ``n``."""
        if self.path[n] and any(read.elsewhere for read in self.reads[r]):
            return True
        return any(loop.axis not in self.homes[r].axes for loop in self.path[n][_common(self.path[r], self.path[n]) :])


def _common(a: Sequence[Loop], b: Sequence[Loop]) -> int:
    return next((i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p is not q), min(len(a), len(b)))
