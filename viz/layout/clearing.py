"""The last look at a picture: lines that touch a node which is not theirs are led around it, and covered labels are moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import hypot

from viz.layout.free_paths import find_free_path
from viz.layout.label_spots import LABEL_FONT, LABEL_HEIGHT, place_label
from viz.layout.routes import Body, Curve, Stroke, get_box, make_stroke, route, sample_curve
from viz.scene.picture import Box, Line, Mark, Picture, Point, measure_mark

_CELL = 50.0
_SAMPLES = 40
_RIM = 1.0  # points of a node's rim that a line may touch
_AROUND = 90.0  # how far from the two ends a way around is looked for
_MOST_WORK = 15_000  # lines to move × nodes; beyond that they stay: ways around would take longer than all else
_LONGEST_ARC = 700.0  # points from end to end
_CLOSE = 4.0  # two lines closer than this run together
_REACH, _LONG_REACH = 2.0, 25.0  # how far from a node, and from dots that stand for one, a line may end
_GROUNDS = ("slice", "joint", "point", "sharedpoint")


def clear_picture(picture: Picture) -> Picture:
    """Return the picture with lines around nodes that are not theirs, and labels off nodes and other labels.

    Notes:
        Linear in marks and lines; ways around are not looked for where many lines touch nodes in a huge picture.
    """
    picture = Picture(picture.marks, [*picture.lines])
    clearing = _Clearing(picture)
    moved = {i for i, line in enumerate(picture.lines) if clearing.touches(line)}
    if len(moved) * len(picture.marks) > _MOST_WORK:
        moved = set()
    for i in sorted(moved):
        picture.lines[i] = clearing.lead_around(picture.lines[i])
    clearing.place_labels(moved)
    return picture


class _Clearing:
    """A picture's nodes and lines, by where they stand."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.bodies = {mark.key: _make_body(mark) for mark in picture.marks}
        self.nodes = _Crowd((m.key, self.bodies[m.key]) for m in picture.marks if _has_outline(m))
        texts = (m for m in picture.marks if m.shape == "plaintext" and m.label.rows)
        self.all = _Crowd([*self.nodes.each, *((m.key, self.bodies[m.key]) for m in texts)])
        self.strokes: dict[Curve, Stroke] = {}
        self.taken: dict[tuple[int, bool], list[tuple[float, float, object]]] = {}

    def touches(self, line: Line) -> bool:
        """Tell whether a line passes through a node that is neither of its ends, or ends beside one of these."""
        ends = line.tail, line.head
        apart = (self._is_apart(*end) for end in zip(ends, (line.curve[0], line.curve[-1]), strict=True))
        return self._meets(line.curve, ends) or any(apart)

    def _is_apart(self, key: object, at: Point) -> bool:
        body = self.bodies[key]
        off = max(abs(at[0] - body.at[0]) - body.width / 2, abs(at[1] - body.at[1]) - body.height / 2)
        return off > (_REACH if key in self.nodes.keys else _LONG_REACH)

    def _meets(self, curve: Curve, ends: tuple[object, object]) -> bool:
        return any(key not in ends for x, y in sample_curve(curve, _SAMPLES) for key in self.nodes.list_at(x, y))

    def lead_around(self, line: Line) -> Line:
        """Return the line on the plainest curve, or else on level and upright pieces, that touches no other node."""
        ends = line.tail, line.head
        tail, head = self.bodies[line.tail], self.bodies[line.head]
        box = get_box([tail.at, head.at])
        distance = hypot(box[2] - box[0], box[3] - box[1])
        reach = _widen(box, _AROUND + max(tail.width, head.width) / 2)
        if len(line.curve) <= 10 and distance < _LONGEST_ARC:  # and no path along gutters
            strokes = self._list_strokes(reach, lambda other: other is not line and other.tail != line.tail)
            curve = route(tail, head, self._list_others(reach, ends), (), strokes)
            if not self._meets(curve, ends) and _measure_length(curve) < 1.4 * distance + 40.0:
                return replace(line, curve=curve)
        if not self.taken:
            self._take_lines()
        for farther in (0.0, 3 * _AROUND):
            others = self._list_others(_widen(reach, farther), ends)
            path = find_free_path(tail, head, others, partial(self._is_taken, tail=line.tail))
            if path is not None and not self._meets(path, ends):
                self._take(moved := replace(line, curve=path))
                return moved
        return line

    def _list_others(self, box: Box, ends: tuple[object, object]) -> list[Body]:
        return [body for key, body in self.all.list_near(box) if key not in ends]

    def _list_strokes(self, box: Box, is_meant: Callable[[Line], bool]) -> list[Stroke]:
        """Return the lines that come near a box, as points."""
        near = []
        for line in self.picture.lines:
            if line.curve not in self.strokes:
                self.strokes[line.curve] = make_stroke(line.curve, 2 * _SAMPLES)
            stroke = self.strokes[line.curve]
            if stroke.is_near(box) and is_meant(line):
                near.append(stroke)
        return near

    def _take_lines(self) -> None:
        for line in self.picture.lines:
            self._take(line)

    def _take(self, line: Line) -> None:
        """Remember where the level and upright pieces of a line run."""
        for (a, b), (c, d) in zip(line.curve[::3], line.curve[3::3], strict=False):
            if abs(b - d) < 1.0:
                self.taken.setdefault((round(b / _CLOSE), True), []).append((min(a, c), max(a, c), line.tail))
            elif abs(a - c) < 1.0:
                self.taken.setdefault((round(a / _CLOSE), False), []).append((min(b, d), max(b, d), line.tail))

    def _is_taken(self, at: Point, level: bool, tail: object) -> bool:
        """Tell whether a line from another node runs there in the same direction."""
        along, across = at if level else at[::-1]
        near = (piece for k in (-1, 0, 1) for piece in self.taken.get((round(across / _CLOSE) + k, level), ()))
        return any(low < along < high and tail != other for low, high, other in near)

    def place_labels(self, moved: set[int]) -> None:
        """Move the labels of moved lines, and those that cover a node or another label."""
        placed = _Crowd([])
        again = []
        for i, line in enumerate(self.picture.lines):
            if line.label_at is None or not line.label.rows:
                continue
            body = Body(line.label_at, line.label.ems * LABEL_FONT, LABEL_HEIGHT - 3.0, round=False)
            if i in moved or self._is_covered(body, self.nodes) or self._is_covered(body, placed):
                again.append(i)
            else:
                placed.add(i, body)
        for i in again:
            line = self.picture.lines[i]
            size = (line.label.ems * LABEL_FONT, LABEL_HEIGHT)
            reach = _widen(get_box(sample_curve(line.curve)), max(size) + 60.0)
            bodies = [body for crowd in (self.all, placed) for _, body in crowd.list_near(reach)]
            for lines in (self._list_strokes(reach, lambda other: other is not line), []):  # noqa: B023
                spot = place_label(line.curve, size, bodies, lines, (0.0, 9.0, 18.0, 27.0))
                body = Body(spot, size[0], LABEL_HEIGHT - 3.0, round=False)
                if not (self._is_covered(body, self.nodes) or self._is_covered(body, placed)):
                    break  # else rather on a line than on a node
            self.picture.lines[i] = replace(line, label_at=spot)
            placed.add(i, body)

    def _is_covered(self, label: Body, crowd: _Crowd) -> bool:
        for _, body in crowd.list_near(_get_rim(label)):
            dx, dy = abs(body.at[0] - label.at[0]), abs(body.at[1] - label.at[1])
            if dx < (body.width + label.width) / 2 - 1 and dy < (body.height + label.height) / 2 - 1:
                x = min(max(body.at[0], label.at[0] - label.width / 2), label.at[0] + label.width / 2)
                y = min(max(body.at[1], label.at[1] - label.height / 2), label.at[1] + label.height / 2)
                if _is_inside(body, x, y):
                    return True
        return False


class _Crowd:
    """Outlines, found by their places."""

    def __init__(self, bodies: Iterable[tuple[object, Body]]) -> None:
        self.each: list[tuple[object, Body]] = []
        self.keys: set[object] = set()
        self.cells: dict[tuple[int, int], list[int]] = {}
        for key, body in bodies:
            self.add(key, body)

    def add(self, key: object, body: Body) -> None:
        for cell in _list_cells(_get_rim(body)):
            self.cells.setdefault(cell, []).append(len(self.each))
        self.each.append((key, body))
        self.keys.add(key)

    def list_at(self, x: float, y: float) -> list[object]:
        """Return the keys of the outlines that hold a point."""
        around = self.cells.get((int(x // _CELL), int(y // _CELL)), ())
        return [self.each[i][0] for i in around if _is_inside(self.each[i][1], x, y)]

    def list_near(self, box: Box) -> list[tuple[object, Body]]:
        """Return the outlines that a box may touch, in the order in which they were added."""
        if (box[2] - box[0]) * (box[3] - box[1]) > _CELL * _CELL * len(self.each):  # most of the picture
            return [(key, body) for key, body in self.each if _overlap(_get_rim(body), box)]
        found = {i for cell in _list_cells(box) for i in self.cells.get(cell, ())}
        return [self.each[i] for i in sorted(found)]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _list_cells(box: Box) -> Iterator[tuple[int, int]]:
    left, low, right, high = (int(value // _CELL) for value in box)
    for i in range(left, right + 1):
        for j in range(low, high + 1):
            yield i, j


def _make_body(mark: Mark) -> Body:
    left, low, right, high = measure_mark(mark)
    return Body(mark.at, right - left, high - low, mark.shape in ("circle", "ellipse"))


def _has_outline(mark: Mark) -> bool:
    return mark.shape not in ("plaintext", "point") and mark.role not in _GROUNDS


def _get_rim(body: Body) -> Box:
    return _widen((*body.at, *body.at), 0.0, body.width / 2, body.height / 2)


def _widen(box: Box, by: float, a: float = 0.0, b: float = 0.0) -> Box:
    return box[0] - a - by, box[1] - b - by, box[2] + a + by, box[3] + b + by


def _is_inside(body: Body, x: float, y: float) -> bool:
    dx, dy = abs(x - body.at[0]) / max(body.width / 2 - _RIM, 0.1), abs(y - body.at[1]) / max(body.height / 2 - _RIM, 0.1)
    return (hypot(dx, dy) if body.round else max(dx, dy)) < 1


def _measure_length(curve: Curve) -> float:
    points = sample_curve(curve)
    return sum(hypot(c - a, d - b) for (a, b), (c, d) in pairwise(points))
