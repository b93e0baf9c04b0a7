"""A delay line: a chain of unit delays with a tap for each delay that is read, and the row that each one starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from viz.layout.board import Board
from viz.layout.compose import MOST_MARKS, check_size
from viz.layout.layers import spread_out
from viz.layout.routes import Body, find_border, join_bodies, make_line, make_polyline
from viz.scene.columns import format_integer
from viz.scene.items import Arrow, Item, Scene, label_params, measure_outline
from viz.scene.label import EMPTY, Label, join_labels, make_delay_label, make_name_label, make_text_label
from viz.scene.picture import Line, Mark, Picture, Point

_BOX = 26.0
_ROW = 66.0  # from the chain to the first line that gathers taps, and from one such line to the next
_LONGEST = 3  # a longer run of delays between two taps is one box
_FONT = 13.0
_MOST_BESIDES = 6  # of what a reader reads besides


@dataclass(frozen=True)
class Chain:
    """What is drawn as one line.

    Attributes:
        item: what is delayed.
        axis: along which axis.
        way: 1 for reads of earlier steps, −1 for reads of later ones.
        rows: for each step outside of the sequence, −1 before the first, 0 after the last, what it is set to; under None, all
            others, which are 0 if that is missing.
    """

    item: Item
    axis: str
    way: int
    rows: Mapping[int | None, Label]


def find_chains(scene: Scene) -> list[tuple[Item, str, int]]:
    """Return (item, axis, way) of everything that is read at another step of one axis, in the scene's order.

    Example:
        >>> s = Item(0, "s", "state", ("t",))
        >>> [(item.name, axis, way) for item, axis, way in find_chains(Scene([s], [Arrow(0, 0, (("t", 2),))], ("t",)))]
        [('s', 't', 1)]
    """
    found = {}
    for item in scene.items:
        for arrow in scene.arrows:
            if arrow.tail == item.key and len(arrow.shifts) == 1 and arrow.shifts[0][0] in scene.axes:
                axis, by = arrow.shifts[0]
                found[item.key, axis, 1 if by > 0 else -1] = item
    return [(item, axis, way) for (_, axis, way), item in found.items()]


class DelayChain(Board):
    """A chain on the way to a picture.

    Args:
        scene: the scene of the variables.
        chain: what to draw of it.
    """

    def __init__(self, scene: Scene, chain: Chain) -> None:
        super().__init__(scene, f"{chain.axis}−10")
        self.chain = chain
        self.items = {item.key: item for item in scene.items}
        self._into: dict[int, list[Arrow]] = {}
        for arrow in scene.arrows:
            if not arrow.start:
                self._into.setdefault(arrow.head, []).append(arrow)
        own = [a for a in scene.arrows if a.tail == chain.item.key and self._get_delay(a) is not None]
        self.readers = list(dict.fromkeys(a.head for a in own if self._get_delay(a)))
        self.readers.sort(key=lambda key: key != chain.item.key)
        self.taps = [a for a in own if a.head in self.readers and not (a.head == a.tail and not self._get_delay(a))]
        self.stops = sorted({self._get_delay(a) or 0 for a in self.taps} | {0})
        self.x: dict[int, float] = {}

    def _get_delay(self, arrow: Arrow) -> int | None:
        """Return how many units of the chain an arrow reads through; None if it reads otherwise."""
        if arrow.start or arrow.whole or arrow.pick is not None:
            return None
        if not arrow.shifts:
            return 0 if self.chain.axis in self.items[arrow.head].over else None
        axis, by = arrow.shifts[0]
        way = len(arrow.shifts) == 1 and axis == self.chain.axis and by * self.chain.way > 0
        return abs(by) if way else None

    def _write_index(self, item: Item, shifts: Mapping[str, int] | None = None, places: Mapping[str, str] | None = None) -> str:
        """Return the index of an item, so many steps earlier along some axes, or at a given place."""
        index = {}
        for axis in self.scene.axes:
            by = (shifts or {}).get(axis, 0)
            index[axis] = axis + (f"{'−' if by > 0 else '+'}{abs(by)}" if by else "")
        return ",".join({**index, **(places or {})}[axis] for axis in self.scene.axes if axis in item.over)

    def print_chain(self) -> None:
        """Print what is delayed, and a box for each unit, or for each run of units between taps that are far apart."""
        item, end = self.chain.item, self.chain.item.key
        self.add(item, end, (0.0, 0.0), self._write_index(item))
        before: object = end
        x, passed = self.bodies[end].width / 2 + 20.0, 0
        if any(self._get_delay(a) == 0 for a in self.taps):
            x = max(x, self._measure_tap(0))
            before, x = self._print_stop(0, before, x), x + 20.0
        for stop in self.stops[1:]:
            run = stop - passed
            for size in [1] * run if run <= _LONGEST else [run]:
                passed += size
                before, x = self._print_box(passed, size, before, x)

    def _print_box(self, passed: int, size: int, before: object, x: float) -> tuple[object, float]:
        """Print a box after which so many units are passed; return where the chain goes on."""
        way = self.chain.way
        label = make_delay_label([(self.chain.axis, way * size)], named=len(self.scene.axes) > 1)
        start = self._write_start(passed, size)
        width = max(_BOX, label.ems * 11.0 + 8.0)
        centre = x + max(width / 2, start.ems * 5.5 + 4.0)
        box = ("box", passed)
        self.picture.marks.append(Mark(box, "delay", label, "square", width, _BOX, (centre, 0.0), font=11.0, tip="delay"))
        self.bodies[box] = Body((centre, 0.0), width, _BOX, round=False)
        self._lead(before, box)
        self.add_text(("start", passed), start, (centre, -_BOX / 2 - 10.0), 11.0)
        name = make_name_label(self.chain.item.name, self._write_index(self.chain.item, {self.chain.axis: way * passed}))
        half = max(name.ems * 6.5, 8.0) + 4.0
        x = max(centre + width / 2 + half, centre + start.ems * 5.5 + 4.0, self._measure_tap(passed))
        self.add_text(("name", passed), name, (x, 14.0), 12.0)
        joint = self._print_stop(passed, box, x) if passed in self.stops else box
        return joint, x + half

    def _measure_tap(self, delay: int) -> float:
        """Return the least x of a tap: its labels stand left of it, and right of the readers and of the tap before."""
        labels = [label_params(a.params).ems * _FONT for a in self.taps if a.params and self._get_delay(a) == delay]
        widths = [measure_outline(self.items[key], self.widest)[1] for key in self.readers]
        before = max(self.x.values(), default=0.0) + 7.0 * len(self.readers)
        return max(max(widths, default=0.0) / 2 + 20.0, before) + max(labels) + 10.0 if labels else 0.0

    def _print_stop(self, delay: int, before: object, x: float) -> object:
        """Print the joint from which the taps of a delay branch off."""
        joint = ("stop", delay)
        self.picture.marks.append(Mark(joint, "joint", shape="point", width=4.5, height=4.5, at=(x, 0.0)))
        self.bodies[joint] = Body((x, 0.0), 0.0, 0.0)
        self._lead(before, joint, arrow=False)
        self.x[delay] = x
        return joint

    def _lead(self, tail: object, head: object, *, arrow: bool = True) -> None:
        start, end = self.bodies[tail], self.bodies[head]
        curve = make_line((start.at[0] + start.width / 2, start.at[1]), (end.at[0] - end.width / 2, end.at[1]))
        self.picture.lines.append(Line(tail, head, "recur", curve=curve, arrow=arrow))

    def _write_start(self, passed: int, size: int) -> Label:
        """Return what the units of a box hold before the first step (after the last one, if they read later steps)."""
        way, name = self.chain.way, self.chain.item.name
        first, last = passed - size + 1, passed
        offsets = [-k if way > 0 else k - 1 for k in (first, last)]
        rows = self.chain.rows
        values = [rows.get(offset, rows.get(None, make_text_label("0"))) for offset in offsets]
        index = [format_integer(o) if way > 0 else "T" + (f"+{o}" if o else "") for o in offsets]
        axis, item = self.chain.axis, self.chain.item
        left = [make_name_label(name, self._write_index(item, None, {axis: text})) for text in dict.fromkeys(index)]
        known = values[:1] if len({value.text for value in values}) == 1 else values
        return join_labels([join_labels(left, " … "), join_labels(known, " … ")], " = ")

    def print_readers(self) -> None:
        """Print what reads the taps: below the chain, each with a line that gathers its taps."""
        lanes, y = {}, -self._measure_others(self.chain.item.key)
        for key in self.readers:
            if key == self.chain.item.key:
                lanes[key] = -_ROW
                y = min(y, -_ROW - 6.0)
            else:
                half = max(self._measure_others(key), 27.0)
                lanes[key] = min(y - half, -_ROW)
                y = lanes[key] - half
                item = self.items[key]
                self.add(item, key, (0.0, lanes[key]), self._write_index(item))
        for key in self.readers:
            taps = sorted((self._get_delay(a) or 0, n, a) for n, a in enumerate(self.taps) if a.head == key)
            self._gather(key, lanes[key], taps)
        for key in dict.fromkeys([self.chain.item.key, *self.readers]):
            self._print_others(key, lanes.get(key, 0.0))

    def _gather(self, key: int, y: float, taps: Sequence[tuple[int, int, Arrow]]) -> None:
        """Draw the taps of a reader and the line along which they come to it."""
        body, own = self.bodies[key], key == self.chain.item.key
        before: object = None
        for delay, _, arrow in reversed(taps):
            order = [k for k in self.readers if any(a.head == k and self._get_delay(a) == delay for a in self.taps)]
            x = self.x[delay] + 7.0 * order.index(key)
            joint = ("gather", key, delay)
            self.picture.marks.append(Mark(joint, "joint", shape="point", width=4.5, height=4.5, at=(x, y)))
            self.bodies[joint] = Body((x, y), 0.0, 0.0)
            corners = [(self.x[delay], 0.0), (x, -7.0 * order.index(key)), (x, y)] if x != self.x[delay] else [(x, 0.0), (x, y)]
            label = label_params(arrow.params) if arrow.params else EMPTY
            spot = (x - label.ems * _FONT / 2 - 5.0, y + 17.0) if arrow.params else None
            role = "recur" if delay else "flow"
            self.picture.lines.append(Line(("stop", delay), joint, role, label, make_polyline(corners, 3.0), spot, arrow=False))
            if before is not None:
                self.picture.lines.append(
                    Line(before, joint, "recur", curve=make_line(self.bodies[before].at, (x, y)), arrow=False)
                )
            before = joint
        start = self.bodies[before].at
        corners = [start, (0.0, y), (0.0, -body.height / 2)] if own else [start, (body.width / 2, y)]
        self.picture.lines.append(Line(before, key, "recur", curve=make_polyline(corners, 6.0)))

    def _list_others(self, key: int) -> list[Arrow]:
        others = [a for a in self._into.get(key, ()) if a not in self.taps and (a.tail != key or a.shifts)]
        return others if len(others) <= _MOST_BESIDES else others[: _MOST_BESIDES - 1]

    def _measure_others(self, key: int) -> float:
        """Return half the height of what stands left of an item."""
        heights = [measure_outline(self.items[a.tail], self.widest)[2] + 8.0 for a in self._list_others(key)]
        return max(sum(heights), self.bodies[key].height if key in self.bodies else 42.0) / 2 + 6.0

    def _print_others(self, key: int, y: float) -> None:
        """Print at the left what a reader reads besides, at whatever step."""
        others = self._list_others(key)
        level = 0.0 if key == self.chain.item.key else y
        heights = [(level, measure_outline(self.items[a.tail], self.widest)[2] + 8.0) for a in others]
        labels = [label_params(arrow.params) if arrow.params else EMPTY for arrow in others]
        widths = [measure_outline(self.items[arrow.tail], self.widest)[1] for arrow in others]
        reach = self.bodies[key].width / 2 + 40.0 + max(widths, default=0.0) / 2
        room = max((label.ems * _FONT for label in labels), default=0.0)
        reach += room
        turn = (
            -reach + max(widths, default=0.0) / 2 + room + 10.0
        )  # labels stand above level lines, which then lead to the head
        for n, (place, arrow, label) in enumerate(zip(spread_out(heights), others, labels, strict=True)):
            item, end = self.items[arrow.tail], ("other", key, n)
            index = self._write_index(item, dict(arrow.shifts))
            self.add(item, end, (-reach, place), index, ghost=bool(arrow.shifts))
            tail, head = self.bodies[end], self.bodies[key]
            line = join_bodies(tail, head)
            if room:
                start, corner = (tail.at[0] + tail.width / 2, place), (turn, place)
                line = make_polyline([start, corner, find_border(head, corner)], 4.0)
            spot = (turn - 6.0 - label.ems * _FONT / 2, place + 10.0)
            role = "recur" if arrow.shifts else "flow"
            self.picture.lines.append(Line(end, key, role, label, line, spot if label.rows else None))
        count = sum(a not in self.taps and (a.tail != key or bool(a.shifts)) for a in self._into.get(key, ())) - len(others)
        if count:
            wide, high = self.bodies[key].width, self.bodies[key].height
            self.add_text(("more", key), make_text_label(f"and {count} more"), (-wide / 2 - 8.0, level - high / 2 - 8.0), 11.0)


def compose_chains(scene: Scene, chains: Sequence[Chain]) -> Picture:
    """Return the picture of delay lines, one below the other.

    Args:
        scene: the scene of the variables.
        chains: what to draw.

    Raises:
        TooLargeError: more nodes than can be drawn.
    """
    count = sum(1 + sum(arrow.tail == chain.item.key for arrow in scene.arrows) for chain in chains)
    check_size(count * (_MOST_BESIDES + 3), MOST_MARKS, "nodes", 'one line alone: viz.delay_line(g, "s")')
    whole, y = Picture(), 0.0
    for n, chain in enumerate(chains):
        board = DelayChain(scene, chain)
        board.print_chain()
        board.print_readers()
        bodies = board.bodies.values()
        top = max(body.at[1] + body.height / 2 for body in bodies)
        y -= top if n else 0.0
        whole.marks += [replace(m, key=(n, m.key), at=_lift(m.at, y)) for m in board.picture.marks]
        whole.lines += [
            replace(line, tail=(n, line.tail), head=(n, line.head), curve=tuple(_lift(at, y) for at in line.curve),
                    label_at=None if line.label_at is None else _lift(line.label_at, y))
            for line in board.picture.lines
        ]  # fmt: skip
        y += min(body.at[1] - body.height / 2 for body in bodies) - 48.0
    return whole


def _lift(at: Point, dy: float) -> Point:
    return at[0], at[1] + dy
