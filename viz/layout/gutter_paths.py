"""Horizontal and vertical paths from one stamp to another, through the gutters between them; in points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from viz.layout.routes import Body, Curve, find_foot, make_polyline
from viz.scene.picture import Point

LANE = 8.0
_INTO_GUTTER = 19.0
_FREE = 4.0
_BESIDE = 12.0
_TRIED = 7  # levels beside a node


@dataclass(frozen=True)
class Gutter:
    """Where paths may run: beside a stamp from left to right, and below it.

    Attributes:
        left, right: ends of the stamp whose spine stands at 0.
        floor: y below the stamp, for paths that pass a whole one.
        lane: number of this path among those that share the gutters.
    """

    left: float
    right: float
    floor: float
    lane: int = 0

    @property
    def aside(self) -> float:
        """How far from a stamp this lane runs."""
        return _INTO_GUTTER + LANE * self.lane


def make_gutter_path(
    tail: Body, head: Body, columns: tuple[float, float], stamp: Sequence[Body], gutter: Gutter, neighbours: bool
) -> Curve:
    """Return a path out of the tail's stamp, along the gutters, into the head's.

    Args:
        tail, head: outlines where they stand.
        columns: x of the spines of their stamps.
        stamp: outlines of all nodes of a stamp whose spine stands at 0.
        gutter: where the path may run.
        neighbours: whether no other stamp stands in between.

    Returns:
        A curve of horizontal and vertical lines with round corners; backwards in time it runs from right to left.

    Example:
        >>> box = Body((0, 0), 40, 20, round=False)
        >>> path = make_gutter_path(box, box.move(100), (0, 100), [box], Gutter(-20, 20, -40), True)
        >>> path[0], path[-1]
        ((20.0, 0), (80.0, 0))
    """
    if columns[1] < columns[0]:
        flipped = make_gutter_path(
            _mirror(tail), _mirror(head), (-columns[0], -columns[1]), [_mirror(body) for body in stamp],
            Gutter(-gutter.right, -gutter.left, gutter.floor, gutter.lane), neighbours,
        )  # fmt: skip
        return tuple((-x, y) for x, y in flipped)
    # Close to the head's stamp: a path the other way is then close to the other stamp, and the two do not meet.
    into = columns[1] + gutter.left - gutter.aside
    out = into if neighbours else columns[0] + gutter.right + gutter.aside
    path = _leave_stamp(tail, columns[0], out, stamp, gutter.lane)
    if not neighbours:
        floor = gutter.floor - LANE * gutter.lane
        path += [(out, floor), (into, floor)]
    return make_polyline(drop_straight_corners(path + _enter_stamp(head, columns[1], into, stamp)))


def make_loop_path(tail: Body, head: Body, stamp: Sequence[Body], gutter: Gutter) -> Curve:
    """Return a path out of the right side of a folded picture's only stamp, down its right rim, and back into it.

    Args:
        tail, head: outlines.
        stamp: outlines of all nodes.
        gutter: where the path may run.
    """
    path, (back,) = make_delay_paths(tail, [(head, False)], stamp, gutter.right + gutter.aside, gutter.lane)
    return make_polyline(drop_straight_corners(path + back))


def make_delay_paths(
    tail: Body, heads: Sequence[tuple[Body, bool]], stamp: Sequence[Body], out: float, lane: int
) -> tuple[list[Point], list[list[Point]]]:
    """Return the corners of a path out of the right side of a folded picture's only stamp, and of those back into it.

    Args:
        tail: outline.
        heads: outlines, and whether another such path leaves them at their right side.
        stamp: outlines of all nodes.
        out: x of the upright line at the right of the stamp, where the first path ends and the others begin.
        lane: number of this line among those beside the stamp.
    """
    backs = []
    for head, leaves in heads:
        level = abs(head.at[1] - tail.at[1]) < 3.0  # the two would run along each other
        drop, sides = 4.0 * (lane % 3) + 36.0 * level, [_mirror(body) for body in stamp]
        back = _enter_stamp(_mirror(head), 0.0, -out, sides, drop=drop, below=level or leaves)
        backs.append([(-x, y) for x, y in back])
    return _leave_stamp(tail, 0.0, out, stamp, lane), backs


def make_ghost_path(ghost: Body, head: Body, column: float, stamp: Sequence[Body], gutter: Gutter, first: bool) -> Curve:
    """Return a path from a row outside of the sequence, which stands beside the stamps at either end, into the head's stamp.

    Args:
        ghost, head: outlines where they stand.
        column: x of the spine of the head's stamp.
        stamp, gutter: as for `gutter_path`.
        first: whether no other stamp stands in between.
    """
    if ghost.at[0] > column:
        mirrored = Gutter(-gutter.right, -gutter.left, gutter.floor, gutter.lane)
        flipped = make_ghost_path(_mirror(ghost), _mirror(head), -column, [_mirror(body) for body in stamp], mirrored, first)
        return tuple((-x, y) for x, y in flipped)
    into = column + gutter.left - gutter.aside
    x, y = ghost.at
    start = x + ghost.width / 2
    path = [(start, y), (into, y)]
    if not first:
        floor = gutter.floor - LANE * gutter.lane
        path = [(start, y), (start + 10, y), (start + 10, floor), (into, floor)]
    return make_polyline(drop_straight_corners(path + _enter_stamp(head, column, into, stamp)))


def _leave_stamp(tail: Body, column: float, out: float, stamp: Sequence[Body], lane: int) -> list[Point]:
    """Return a path out of the right side of the tail, or out of its top where another node is in the way."""
    x, y = tail.at
    if _is_free(y, x - column, out - column, stamp, tail.move(-column)):
        return [(x + tail.width / 2, y), (out, y)]
    top = y + tail.height / 2
    levels = [top + 7 + 4 * (lane % 3) + 6 * k for k in range(_TRIED)]
    above = find_level(levels, x + 5 - column, out - column, stamp, tail.move(-column))
    return [(x + 5, y + tail.height / 2 - 0.5), (x + 5, above), (out, above)]


def _enter_stamp(
    head: Body, column: float, into: float, stamp: Sequence[Body], *, drop: float = 0.0, below: bool = False
) -> list[Point]:
    """Return a path into the left side of the head, or into its foot where another node is in the way."""
    x, y = head.at
    if not below and _is_free(y, into - column, x - column, stamp, head.move(-column)):
        return [(into, y), (x - head.width / 2, y)]
    foot = y - head.height / 2
    levels = [foot - 12 - drop - 6 * k for k in range(_TRIED)]
    off = min(_BESIDE, 0.3 * head.width)  # beside the middle, where the arrows from within the step end
    end = find_foot(head, (x - off, foot))
    level = find_level(levels, into - column, end[0] - column, stamp, head.move(-column))
    return [(into, level), (end[0], level), (end[0], end[1] + 0.5)]


def find_level(levels: Sequence[float], start: float, end: float, stamp: Sequence[Body], own: Body) -> float:
    """Return the first of the levels at which a level line meets no node; the first one if there is none.

    Args:
        levels: in the order of preference.
        start, end: of the line.
        stamp, own: all nodes, and the one that the line leads to or from.
    """
    for level in levels:
        if _is_free(level, start, end, stamp, own):
            return level
    return levels[0]


def _is_free(y: float, start: float, end: float, stamp: Sequence[Body], own: Body) -> bool:
    return not any(
        abs(body.at[0] - own.at[0]) + abs(body.at[1] - own.at[1]) > 0.5
        and start < body.at[0] + body.width / 2 + _FREE
        and body.at[0] - body.width / 2 - _FREE < end
        and abs(body.at[1] - y) < body.height / 2 + _FREE
        for body in stamp
    )


def _mirror(body: Body) -> Body:
    return Body((-body.at[0], body.at[1]), body.width, body.height, body.round)


def drop_straight_corners(points: list[Point]) -> list[Point]:
    """Return the path without corners at which it does not turn."""
    kept = points[:1]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        turn = (here[0] - before[0]) * (after[1] - here[1]) - (here[1] - before[1]) * (after[0] - here[0])
        if abs(turn) > 1e-6:
            kept.append(here)
    return [*kept, points[-1]]
