"""Where values are stored: which nodes are views, which are kept for all steps of a loop, and which share a buffer.

A node that only renames, shifts or rearranges another is a *view* of it. Any other node has a home: an array of the workspace,
if its operation can write into one, or a local variable. Values that are read only at their own step of a loop are kept for one
step; values that are also read k steps later, but not outside of the loop, for k steps.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.core.node import Node
from autograd_seq.ops.steps import ADD_ROWS
from autograd_seq.plan.memory.lanes import Lane, Lanes
from autograd_seq.plan.memory.reads import ArrayRead, Reading
from autograd_seq.plan.memory.views import get_root, is_whole
from autograd_seq.plan.schedule import Item, Loop


def order_axes(items: Sequence[Item], axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """Return the axes in the order in which arrays are laid out: an axis that loops before those inside of its loop."""
    found: dict[Axis, None] = {}

    def visit(part: Sequence[Item]) -> None:
        for item in part:
            if isinstance(item, Loop):
                found.setdefault(item.axis)
                visit(item.body)

    visit(items)
    return (*found, *(a for a in axes if a not in found))


@dataclass(eq=False)
class Home:
    """Where the values of a node are.

    Attributes:
        node: the node.
        axes: the axes that are dimensions of the array, in order; those of loops only if all their steps are kept.
        halo: how many rows are kept before and after the steps of an axis.
        ring: how many rows are kept of a loop's steps, if not all are, else 0.
        buffer: the number of the workspace array; ``None`` for a local variable.
        start, stop: the first and the last statement at which the array is in use.
        last: the last statement that reads it.
        lane: the part of another node's array that holds the values: of a concatenation.
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

    @property
    def key(self) -> tuple[object, ...]:
        """The layout that two homes must have in common to share an array."""
        return self.axes, self.node.shape, self.node.dtype


class Storage(Reading):
    """The homes of all values of one schedule.

    Args:
        items: the schedule.
        outputs: the outputs of the graph.
        axes: all axes.
        writes: nodes whose operation can write into an existing array.
        in_place: nodes that may overwrite an operand that no later statement reads.
        absorbed: nodes computed inside of the one node that reads them.
        share: whether arrays are reused for other values.

    Attributes:
        order: the axes in the order in which arrays are laid out.
        lanes: the nodes that are computed within other arrays, and where.
        homes: the home of every node that is computed.
        buffers: for each workspace array, a home with its layout.
    """

    def __init__(self, items: Sequence[Item], outputs: Sequence[Node], axes: Sequence[Axis], writes: Sequence[Node],
                 in_place: Sequence[Node], absorbed: dict[Node, Node], share: bool = True) -> None:  # fmt: skip
        super().__init__(items, outputs, writes, in_place, absorbed)
        self.order = order_axes(items, axes)
        self.lanes = Lanes(self).find_all() if share else {}
        for n, lane in self.lanes.items():
            self.reads[lane.whole] = [*self.reads[lane.whole], *self._list_reads_of_lane(n, lane)]
        self.homes = {n: self._make_home(n) for n in self.path if self.computed(n)}
        self.buffers = [home for home in self.homes.values() if home.buffer == -1]
        for k, home in enumerate(self.buffers):
            home.buffer = k
        if share:
            self.share_buffers({n: (home.start, home.stop) for n, home in self.homes.items()}, self._find_taken)

    def lift(self, axes: Container[Axis], by: Node) -> tuple[Axis, ...]:
        """Return those of some axes, in order, that no loop around the statement of a node runs over."""
        stepped = {loop.axis for loop in self.path[by]}
        return tuple(a for a in self.order if a in axes and a not in stepped)

    def _list_reads_of_lane(self, n: Node, lane: Lane) -> list[ArrayRead]:
        """Return the reads of a node as reads of the array that it is a part of, and its own statement as one more."""
        if lane.axis is None and self.path[n] == self.path[lane.whole]:
            return self.reads[n]
        found = []
        for r in [ArrayRead(n, self.at[n], self.path[n]), *self.reads[n]]:
            moved = dict(r.shifts)
            if lane.axis is not None:
                moved[lane.axis] = moved.get(lane.axis, 0) - lane.by
            found.append(replace(r, shifts=tuple((a, by) for a, by in moved.items() if by)))
        return found

    # -- homes ----------------------------------------------------------------------------------------------------------

    def _make_home(self, n: Node) -> Home:
        path, reads = self.path[n], self.reads[n]
        kept = len(path)  # loops whose steps need not be kept
        for r in reads:
            common = _count_common(path, r.path)
            moved = [
                q for q, loop in enumerate(path[:common]) if loop.axis is r.named or any(a is loop.axis for a, _ in r.shifts)
            ]
            kept = min(kept, common, *moved)
        if n in self.lanes:
            return Home(n, (), self._find_halo(n), buffer=-2, start=self.at[n], lane=self.lanes[n])
        home = Home(n, self._choose_dims(n, path[kept:]))
        home.start = home.last = self.at[n]
        home.stop = self._find_stop(n, kept)
        home.last = max([home.start, *(r.at for r in reads)])
        if kept < len(path):
            home.start = self.span[path[kept]][0]
        home.start = min([home.start, *(self.at[x] for x, lane in self.lanes.items() if lane.whole is n)])
        home.halo = self._find_halo(n)
        home.ring = self._count_ring_rows(n, kept)
        if home.ring:
            home.axes = self._choose_dims(n, ())
            home.halo.pop(path[-1].axis, None)
        writes = n in self.writes and not (n in self.roots and not path) and (n.axes or n.shape)
        if home.halo or home.ring or kept < len(path) or writes or any(lane.whole is n for lane in self.lanes.values()):
            home.buffer = -1
        return home

    def _find_halo(self, n: Node) -> dict[Axis, tuple[int, int]]:
        halo: dict[Axis, tuple[int, int]] = {}
        for r in self.reads[n]:
            for axis, by in r.shifts:
                lo, hi = halo.get(axis, (0, 0))
                halo[axis] = max(lo, by), max(hi, -by)
            if r.by is not None and r.by.op is ADD_ROWS and get_root(r.by) is n:  # a row for what is sent to no step
                halo[r.by.attrs["axis"]] = 0, 1
        return halo

    def _choose_dims(self, n: Node, kept: tuple[Loop, ...]) -> tuple[Axis, ...]:
        stepped = {loop.axis for loop in self.path[n]} - {loop.axis for loop in kept}
        return tuple(a for a in self.order if a in n.axes and a not in stepped)

    def _find_stop(self, n: Node, kept: int) -> int:
        path, stop = self.path[n], self.at[n]
        if kept < len(path) and any(loop.axis in (r.named, *(a for a, _ in r.shifts)) for r in self.reads[n] for loop in path):
            stop = self.span[path[kept]][1]
        for r in self.reads[n]:
            common = _count_common(path, r.path)
            stop = max(stop, self.span[r.path[common]][1] if len(r.path) > common else r.at)
        return stop

    def _count_ring_rows(self, n: Node, kept: int) -> int:
        """Return how many rows are enough if a value is read only by later steps of the innermost loop."""
        path = self.path[n]
        inside = all(r.path == path for r in self.reads[n])
        if kept != len(path) - 1 or not (inside or isinstance(path[-1].axis, Iteration)):
            return 0
        if any(lane.whole is n and lane.axis for lane in self.lanes.values()):
            return 0  # later steps read it from its row in the array
        axis = path[-1].axis
        if isinstance(axis, Iteration):
            return 1  # whoever reads the step before comes before, and after the loop the newest is read
        delays = [next((abs(by) for a, by in r.shifts if a is axis), 0) for r in self.reads[n]]
        if any(r.named or a is not axis for r in self.reads[n] for a, _ in r.shifts or ((axis, 0),)):
            return 0
        longest = max(delays)
        late = [(d, r.at) for d, r in zip(delays, self.reads[n], strict=True) if d]
        read_before = all(d == longest and at < self.at[n] for d, at in late)
        rows = longest if read_before else longest + 1
        return rows if rows == 1 or len(path) == 1 else 0

    # -- workspace ------------------------------------------------------------------------------------------------------

    def share_buffers(self, spans: Mapping[Node, tuple[int, int]],
                      find_taken: Callable[[Node], int | None] = lambda n: None) -> None:  # fmt: skip
        """Let values of one layout whose lifetimes do not overlap share an array; rows outside of steps keep theirs.

        Args:
            spans: the first and the last moment at which the array of a node is in use.
            find_taken: returns the array of an operand that a node may write over.
        """
        free: dict[object, list[int]] = {}
        busy: dict[int, int] = {}  # array → the last moment at which it is in use
        for n, (start, stop) in sorted(spans.items(), key=lambda item: (item[1][0], self.at[item[0]])):
            home = self.homes[n]
            if home.buffer is None or home.lane or home.halo or home.ring:
                continue
            for k in [k for k, last in busy.items() if last < start]:
                free.setdefault(self.buffers[k].key, []).append(k)
                del busy[k]
            taken = find_taken(n)
            if taken is None and free.get(home.key):
                taken = free[home.key].pop()  # the one used last, which is in the cache
            home.buffer = home.buffer if taken is None else taken
            busy[home.buffer] = max(stop, busy.get(home.buffer, 0))

    def _find_taken(self, n: Node) -> int | None:
        """Return the array of an operand that ``n`` reads as its last reader, each entry where it is written, or ``None``."""
        if n not in self.in_place:
            return None
        home = self.homes[n]
        for x in n.inputs:
            r = get_root(x)
            other = self.homes.get(r)
            if other is None or other.buffer is None or other.lane or other.halo or other.ring or other.key != home.key:
                continue
            same = [y for y in n.inputs if get_root(y) is r]
            if other.last == self.at[n] and all(is_whole(y) for y in same) and not self._is_read_later(r, n):
                return other.buffer
        return None

    def _is_read_later(self, r: Node, n: Node) -> bool:
        """Tell whether a later step of a loop around ``n``, whose steps ``r`` does not keep, reads ``r`` after ``n``."""
        if self.path[n] and any(read.elsewhere for read in self.reads[r]):
            return True
        return any(loop.axis not in self.homes[r].axes for loop in self.path[n][_count_common(self.path[r], self.path[n]) :])


def _count_common(a: Sequence[Loop], b: Sequence[Loop]) -> int:
    return next((i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p is not q), min(len(a), len(b)))
