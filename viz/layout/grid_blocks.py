"""The blocks of a picture of two axes: a stamp for each kind of step, the places of its steps, and what depends on what."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from viz.layout.stamp import Stamp, make_stamp
from viz.layout.unrolled import make_ghost
from viz.scene.columns import Columns
from viz.scene.items import Arrow, Item, Scene

Instance = tuple[int, int | None, int | None]
"""An item, and the places of its step along the first and the second axis; None along an axis that it does not vary over."""
Net = tuple
"""What is drawn as one line with branches: an item, and how it is read."""
Spot = tuple[str, int | None]
"""A column or a row of blocks: its kind, and the place along its axis."""

_FIRST, _TRACK = 15.0, 6.0


@dataclass
class Block:
    """One kind of step: the places of its items, and the level lines between its rows.

    Attributes:
        stamp: the places.
        tracks: for each gap, counted from the one below the lowest row, the nets that run along it, in their order.
    """

    stamp: Stamp
    tracks: dict[int, list[Net]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return 1 + max(self.stamp.row.values())

    @property
    def bottom(self) -> float:
        """The y below the lowest line."""
        return self.stamp.bottom - self._measure_gap(0)

    @property
    def top(self) -> float:
        """The y above the highest line."""
        return self.stamp.top + self._measure_gap(self.rows)

    def _measure_gap(self, gap: int) -> float:
        count = len(self.tracks.get(gap, ()))
        return _FIRST + _TRACK * (count - 1) if count else 0.0

    def measure_lanes(self) -> dict[int, float]:
        """Return for each item the points to keep free below it."""
        return {key: self._measure_gap(row) for key, row in self.stamp.row.items()}

    def get_level(self, gap: int, net: Net) -> float:
        """Return the y of a net's line in a gap."""
        lane = self.tracks[gap].index(net)
        if gap == self.rows:
            return self.stamp.top + _FIRST + _TRACK * lane
        foot = min(body.at[1] - body.height / 2 for key, body in self.stamp.bodies.items() if self.stamp.row[key] == gap)
        return foot - _FIRST - _TRACK * lane


class Blocks:
    """A scene of two axes, cut into blocks.

    Args:
        scene: the scene to draw.
        columns: for each axis, the steps to show.
        first, second: names of the axis that leads to the right, and of the other, which leads upwards if items vary over both.

    Attributes:
        turned: whether the second axis leads upwards.
        leads: whether the steps of the second axis by itself stand left of the others, which read them and are not read.
    """

    def __init__(self, scene: Scene, columns: dict[str, Columns], first: str, second: str) -> None:
        self.scene, self.axes = scene, (first, second)
        self.columns = (columns[first], columns[second])
        self.items = {item.key: item for item in scene.items}
        self.kinds = find_kinds(scene, first, second)
        self.turned = "pair" in self.kinds.values()
        kinds = [(self.kinds[a.tail], self.kinds[a.head]) for a in scene.arrows]
        self.leads = self.turned and not any(
            head == "second" and tail in ("pair", "middle", "first") for tail, head in kinds
        )  # fmt: skip
        self.widest = ",".join(max([c.index for c in columns[a].columns] + ["−1"], key=len) for a in (first, second))
        self.ends: list[tuple[Arrow, Instance, Instance]] = []
        self.inner: list[Arrow] = []
        for arrow in scene.arrows:
            if self._is_within(arrow):
                self.inner.append(arrow)
            elif not arrow.start:
                self.ends += [(arrow, tail, head) for tail, head in self._list_ends(arrow)]
        self.rim = dict.fromkeys(end for _, *ends in self.ends for end in ends if not self.is_shown(end))
        for arrow in scene.arrows:
            if arrow.start and self.kinds[arrow.tail] != "source":
                self.ends += [(arrow, tail, head) for tail, head in self._list_start_ends(arrow)]
        self.blocks: dict[str, Block] = {}

    def _is_within(self, arrow: Arrow) -> bool:
        """Tell whether an arrow leads from an item to another of the same block."""
        kind = self.kinds[arrow.tail]
        return kind == self.kinds[arrow.head] != "source" and not (arrow.shifts or arrow.start or arrow.whole)

    # -- instances ------------------------------------------------------------------------------------------------

    def is_shown(self, end: Instance) -> bool:
        """Tell whether an item's step is drawn: it is neither outside of the sequences nor among those left out."""
        return all(
            place is None or (0 <= place < len(shown.columns) and shown.columns[place].step is not None)
            for place, shown in zip(end[1:], self.columns, strict=True)
        )

    def is_dotted(self, end: Instance) -> bool:
        """Tell whether an item's step is among those left out."""
        return any(place is not None and shown.is_dotted(place) for place, shown in zip(end[1:], self.columns, strict=True))

    def list_shown(self, kind: str) -> Iterator[tuple[int | None, int | None]]:
        """Yield the places of the steps that items of a kind have."""
        wide = kind in ("first", "pair"), kind in ("second", "pair")
        choices = [
            [c.place for c in shown.columns if c.step is not None] if has else [None]
            for has, shown in zip(wide, self.columns, strict=True)
        ]
        yield from itertools.product(*choices)

    def _list_ends(self, arrow: Arrow) -> Iterator[tuple[Instance, Instance]]:
        choices = [self._list_places(axis, arrow) for axis in (0, 1)]
        for (a, b), (c, d) in itertools.product(*choices):
            head = (arrow.head, b, d)
            # The dots after the last step shown stand for what is handed on to them.
            yield (arrow.tail, a, c), head if self.is_shown(head) else (arrow.tail, b, d)

    def _list_places(self, axis: int, arrow: Arrow) -> list[tuple[int | None, int | None]]:
        """Return the (place of the tail, place of the head) of an arrow along one axis."""
        shown, name = self.columns[axis], self.axes[axis]
        reads, varies = name in self.items[arrow.tail].over, name in self.items[arrow.head].over
        steps = [(c.place, c.step) for c in shown.columns if c.step is not None]
        length = shown.length or 0
        if not reads:
            return [(None, place) for place, _ in steps] if varies else [(None, None)]
        if not varies:
            if arrow.pick is None:
                return [(place, None) for place, _ in steps]
            return [(shown.place(arrow.pick % length), None)] if -length <= arrow.pick < length else []
        if arrow.whole:
            return [(a, b) for a, _ in steps for b, _ in steps]
        by = dict(arrow.shifts).get(name, 0)
        hidden = [(place, shown.place(step + by)) for place, step in steps if by and 0 <= step + by < length]
        return [*((shown.place(step - by), place) for place, step in steps),
                *((a, b) for a, b in hidden if shown.columns[b].step is None)]  # fmt: skip

    def _list_start_ends(self, arrow: Arrow) -> Iterator[tuple[Instance, Instance]]:
        """Yield the ends of an arrow into the rows outside of a sequence, which stand at its rim."""
        over = self.items[arrow.tail].over
        for end in list(self.rim):
            if end[0] == arrow.head and not self.is_dotted(end):
                i, j = (p if a in over else None for a, p in zip(self.axes, end[1:], strict=True))
                tail = (arrow.tail, i, j)
                if self.is_shown(tail):
                    yield tail, end

    # -- places ---------------------------------------------------------------------------------------------------

    def locate(self, end: Instance) -> tuple[str, Spot, Spot]:
        """Return the block that an item's step stands in: its kind, its column and its row."""
        key, i, j = end
        kind = self.kinds[key]
        column: Spot = ("first", i) if kind in ("first", "pair") else ("second", None if self.turned else j)
        if kind in ("source", "middle", "result"):
            column = (kind, None)
        row: Spot = ("steps", None)
        if self.turned and kind in ("pair", "second"):
            row = ("second", j)
        if self.turned and kind == "result":
            row = ("second", len(self.columns[1].columns) - 1)
        return kind if self.is_shown(end) else f"rim of {kind}", column, row

    def make_blocks(self, tracks: dict[str, dict[int, list[Net]]] | None = None) -> None:
        """Lay out each kind of step, with room for the lines that run along the gaps between its rows."""
        for kind in ("first", "pair", "second", "middle", "result"):
            items = [item for item in self.scene.items if self.kinds[item.key] == kind]
            if items:
                self.blocks[kind] = self._make_block(kind, items, (tracks or {}).get(kind, {}))
            outside = {end[0] for end in self.rim}
            ghosts = [make_ghost(item) for item in items if item.key in outside]
            if ghosts:
                name = f"rim of {kind}"
                self.blocks[name] = self._make_block(name, ghosts, (tracks or {}).get(name, {}))

    def _make_block(self, kind: str, items: list[Item], tracks: dict[int, list[Net]]) -> Block:
        keys = {item.key for item in items}
        arrows = [] if kind.startswith("rim") else [a for a in self.inner if {a.tail, a.head} <= keys]
        part = Scene(items, arrows, self.scene.axes)
        block = Block(make_stamp(part, None, widest=self.widest, split=False, rise=22.0), tracks)
        lanes = block.measure_lanes()
        block.stamp = make_stamp(part, None, widest=self.widest, split=False, rise=22.0, lanes=lanes)
        return block


def find_kinds(scene: Scene, first: str, second: str) -> dict[int, str]:
    """Return the block of each item.

    Returns:
        By key: "first", "second" or "pair" for what varies over an axis or both; "source" for what depends on no step, "middle"
        for what is computed from whole sequences and read by steps, "result" for what no step reads.

    Example:
        >>> x, s, W, L = (Item(i, "", "op", over) for i, over in enumerate([("t",), ("u",), (), ()]))
        >>> find_kinds(Scene([x, s, W, L], [Arrow(0, 1), Arrow(2, 1), Arrow(1, 3)], ("t", "u")), "t", "u")
        {0: 'first', 1: 'second', 2: 'source', 3: 'result'}
    """
    names: dict[tuple[str, ...], str] = {(first,): "first", (second,): "second"}
    steps = {item.key: names.get(item.over, "pair") for item in scene.items if item.over}
    later, before = _reach(scene, set(steps), ahead=True), _reach(scene, set(steps), ahead=False)
    kinds = {}
    for item in scene.items:
        static = "source" if item.key not in later else "middle" if item.key in before else "result"
        kinds[item.key] = steps.get(item.key, static)
    return kinds


def _reach(scene: Scene, keys: set[int], *, ahead: bool) -> set[int]:
    """Return what is computed from the items, or what they are computed from."""
    near: dict[int, list[int]] = {}
    for arrow in scene.arrows:
        here, there = (arrow.tail, arrow.head) if ahead else (arrow.head, arrow.tail)
        near.setdefault(here, []).append(there)
    found, waiting = set(keys), list(keys)
    while waiting:
        for key in near.get(waiting.pop(), ()):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found
