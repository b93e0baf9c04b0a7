"""The paths between the blocks of a picture of two axes: level and upright lines, in lanes of their own."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from viz.layout.grid_blocks import Blocks, Instance, Net, Spot
from viz.scene.items import Arrow
from viz.scene.picture import Point

LANE = 6.0
RIM = 14.0  # from a block to the first lane beside it
_ORDER = ("first", "middle", "second", "result")


class Lanes:
    """Which nets run beside which columns, below which rows, and along which gaps of blocks.

    Args:
        blocks: the blocks, not placed yet.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        shown = [(item.key, i, j) for item in blocks.scene.items if blocks.kinds[item.key] != "source"
                 for i, j in blocks.list_shown(blocks.kinds[item.key])]  # fmt: skip
        spots = [blocks.locate(end)[1:] for end in [*shown, *blocks.rim]]
        order = ("second", *_ORDER) if blocks.leads else _ORDER
        self.columns: list[Spot] = [("source", None), *_sort((column for column, _ in spots), order)]
        self.rows: list[Spot] = _sort((row for _, row in spots), ("steps", "second"))
        self.number = {spot: n for n, spot in enumerate(self.columns)}
        self.upright: dict[int, list[Net]] = {}
        self.level: dict[Spot, list[Net]] = {}
        self.tracks: dict[str, dict[int, list[Net]]] = {}
        self.feet: dict[tuple[str, int, bool], list[Net]] = {}
        for arrow, tail, head in blocks.ends:
            self._note(arrow, tail, head)

    def get_net(self, arrow: Arrow) -> Net:
        """Return what an arrow shares its line with: everything that reads the same in the same way."""
        blocks = self.blocks
        lost = tuple(axis for axis in blocks.items[arrow.tail].over if axis not in blocks.items[arrow.head].over)
        return (arrow.tail, arrow.shifts, arrow.start, arrow.whole, arrow.pick, lost)

    def find_gutters(self, tail: Instance, head: Instance) -> tuple[int, int]:
        """Return the numbers of the gutters in which a path leaves the tail's column and enters the head's.

        A gutter has the number of the column at its right. A line that every step of a strip reads, or that all of them lead
        to, runs along the whole strip.
        """
        blocks = self.blocks
        (_, here, _), (_, there, _) = blocks.locate(tail), blocks.locate(head)
        a, b = self.number[here], self.number[there]
        if here == there:
            return (1, 1) if here[0] == "source" else (a, a)
        near = min if a < b else max
        far = max if a < b else min
        b = near(self._list_strip(there, tail) or [b])
        a = far(self._list_strip(here, head) or [a])
        return (a + 1, b) if a < b else (a, b + 1)

    def _list_strip(self, spot: Spot, other: Instance) -> list[int]:
        """Return the columns of the strip that a column belongs to, if the other end stands for all of its steps."""
        kind, place = spot
        axis = ("first", "second").index(kind) if kind in ("first", "second") else None
        if axis is None or place is None or other[1 + axis] is not None:
            return []
        return [n for n, spot in enumerate(self.columns) if spot[0] == kind and self._is_step(spot)]

    def _is_step(self, spot: Spot) -> bool:
        kind, place = spot
        if place is None:
            return True
        columns = self.blocks.columns[kind == "second"].columns
        return 0 <= place < len(columns) and columns[place].step is not None

    def _note(self, arrow: Arrow, tail: Instance, head: Instance) -> None:
        net = self.get_net(arrow)
        leave, enter = self.find_gutters(tail, head)
        for gutter in (leave, enter):
            _add(self.upright, gutter, net)
        if leave != enter:
            _add(self.level, self.blocks.locate(head)[2], net)
        kind, _, _ = self.blocks.locate(tail)
        if kind != "source":
            _add(self.tracks.setdefault(kind, {}), self.get_row(tail) + 1, net)
        kind, _, _ = self.blocks.locate(head)
        if kind != "source":
            _add(self.tracks.setdefault(kind, {}), self.get_row(head), net)
            _add(self.feet, (kind, head[0], self.is_from_left(head, enter)), net)

    def is_from_left(self, head: Instance, enter: int) -> bool:
        """Tell whether a path that enters by that gutter comes to its head from the left."""
        return enter <= self.number[self.blocks.locate(head)[1]]

    def get_row(self, end: Instance) -> int:
        """Return the row in its block that an item stands in."""
        return self.blocks.blocks[self.blocks.locate(end)[0]].stamp.row[end[0]]


def _add(lanes: dict, place: object, net: Net) -> None:
    nets = lanes.setdefault(place, [])
    if net not in nets:
        nets.append(net)


def _sort(spots: Iterable[Spot], order: tuple[str, ...]) -> list[Spot]:
    return sorted(set(spots), key=lambda spot: (order.index(spot[0]), spot[1] or 0))


def drop_idle_corners(points: list[Point]) -> list[Point]:
    """Return the corners of a path without those at which it does not turn."""
    out: list[Point] = []
    for point in points:
        if out and abs(out[-1][0] - point[0]) < 0.01 and abs(out[-1][1] - point[1]) < 0.01:
            continue
        if len(out) > 1 and _is_straight(out[-2], out[-1], point):
            out.pop()
        out.append(point)
    return out


def _is_straight(a: Point, b: Point, c: Point) -> bool:
    return any(abs(a[axis] - b[axis]) < 0.01 and abs(b[axis] - c[axis]) < 0.01 for axis in (0, 1))


def find_branches(paths: list[list[Point]]) -> list[Point]:
    """Return the points at which paths of one net part or meet.

    Example:
        >>> find_branches([[(0, 0), (5, 0), (5, 5)], [(0, 0), (9, 0)]])
        [(5, 0)]
    """
    rows: dict[tuple[int, float], list[tuple[float, float]]] = {}
    for path in paths:
        for start, end in pairwise(path):
            axis = 0 if abs(start[1] - end[1]) < 0.01 else 1
            low, high = sorted((start[axis], end[axis]))
            rows.setdefault((axis, round(start[1 - axis], 2)), []).append((low, high))
    out: dict[Point, None] = {}
    for path in paths:
        for point in path[1:-1]:
            ways = 0
            for axis in (0, 1):
                spans = set(rows.get((axis, round(point[1 - axis], 2)), ()))
                ways += any(low < point[axis] - 0.01 and point[axis] < high + 0.01 for low, high in spans)
                ways += any(low < point[axis] + 0.01 and point[axis] < high - 0.01 for low, high in spans)
            if ways > 2:
                out[point] = None
    return list(out)
