"""Curves from node to node that avoid the other nodes, and free places for their labels; in points.

Every edge tries the same short list of curves (a straight line, then arcs of growing height on both sides) and takes the one
of least cost. A fixed list gives every step the same picture, which a force-directed or spline router would not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin

from viz.scene.picture import Point

Curve = tuple[Point, ...]

_CLEARANCE = 6.0
_SAMPLES = 24
# A flatter arc looks like a badly drawn line.
_LEAST_RISE = 19.0
# What it costs to take the next candidate.
_RANK = 0.6
# What it costs to pass through a body, by the sum of the depths of points in it.
_DEPTH_COST = 25.0
# So many pairs of arcs are tried before a path along the channels between the rows.
_ARCS_FIRST = 2
_HALF_ROW = 15.0
# Heights of arcs as parts of the distance between the ends; the sign is the side.
_BULGES = (0.16, 0.26, 0.36, 0.5, 0.7, 0.95, 1.3)


@dataclass(frozen=True)
class Body:
    """The outline of a node: a circle or an ellipse if round, else a box."""

    at: Point
    width: float
    height: float
    round: bool = True

    def move(self, dx: float) -> Body:
        """Return the same outline dx further right."""
        return Body((self.at[0] + dx, self.at[1]), self.width, self.height, self.round)


def find_border(body: Body, toward: Point) -> Point:
    """Return where the line from the body's centre towards a point leaves the body.

    Example:
        >>> find_border(Body((0, 0), 40, 40), (100, 0))
        (20.0, 0.0)
        >>> find_border(Body((0, 0), 40, 20, round=False), (0, -100))
        (0.0, -10.0)
    """
    dx, dy = toward[0] - body.at[0], toward[1] - body.at[1]
    a, b = body.width / 2, body.height / 2
    if not (dx or dy) or not a or not b:
        return body.at
    part = 1 / hypot(dx / a, dy / b) if body.round else 1 / max(abs(dx) / a, abs(dy) / b)
    return (body.at[0] + dx * part, body.at[1] + dy * part)


def find_foot(body: Body, at: Point, upright: bool = False) -> Point:
    """Return where an upright line through a point touches a body, or a level one if the point is beside an upright line.

    Example:
        >>> find_foot(Body((0, 0), 40, 20, round=False), (5, -100))
        (5, -10.0)
    """
    (x, y), a, b = body.at, body.width / 2, body.height / 2
    off = abs(at[1] - y) / b if upright else abs(at[0] - x) / a
    part = (1.0 - min(off, 1.0) ** 2) ** 0.5 if body.round else 1.0
    if upright:
        return x + (-1 if at[0] < x else 1) * a * part, at[1]
    return at[0], y + (-1 if at[1] < y else 1) * b * part


def move_curve(curve: Sequence[Point], dx: float) -> Curve:
    """Return the same curve dx further right."""
    return tuple((x + dx, y) for x, y in curve)


def sample_curve(curve: Sequence[Point], count: int = _SAMPLES) -> list[Point]:
    """Return points along a chain of cubic Bézier pieces, both ends included.

    Example:
        >>> sample_curve(((0, 0), (1, 0), (2, 0), (3, 0)), 3)
        [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0)]
    """
    pieces = max((len(curve) - 1) // 3, 1)
    steps = max(count // pieces, 3)
    points = [(float(curve[0][0]), float(curve[0][1]))]
    for piece in range(pieces):
        p, q, r, s = curve[3 * piece : 3 * piece + 4]
        for i in range(1, steps + 1):
            u = i / steps
            v = 1 - u
            w = (v * v * v, 3 * v * v * u, 3 * v * u * u, u * u * u)
            points.append(
                (
                    w[0] * p[0] + w[1] * q[0] + w[2] * r[0] + w[3] * s[0],
                    w[0] * p[1] + w[1] * q[1] + w[2] * r[1] + w[3] * s[1],
                )
            )
    return points


def make_line(start: Point, end: Point) -> Curve:
    """Return a line as one Bézier piece."""
    (a, b), (c, d) = start, end
    return (start, ((2 * a + c) / 3, (2 * b + d) / 3), ((a + 2 * c) / 3, (b + 2 * d) / 3), end)


def join_bodies(tail: Body, head: Body) -> Curve:
    """Return the straight line from border to border."""
    return make_line(find_border(tail, head.at), find_border(head, tail.at))


def make_polyline(points: Sequence[Point], radius: float = 6.0) -> Curve:
    """Return straight pieces through the points, corners rounded.

    Example:
        >>> len(make_polyline([(0, 0), (10, 0), (10, 10)])) % 3
        1
    """
    curve: list[Point] = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        arrive, leave = _go_towards(corner, before, radius), _go_towards(corner, after, radius)
        curve += make_line(curve[-1], arrive)[1:]
        curve += [_go_towards(corner, before, radius * 0.45), _go_towards(corner, after, radius * 0.45), leave]
    return tuple(curve) + make_line(curve[-1], points[-1])[1:]


def _go_towards(start: Point, end: Point, distance: float) -> Point:
    length = hypot(end[0] - start[0], end[1] - start[1])
    part = min(distance, length / 2) / length if length else 0.0
    return (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)


def make_smooth_curve(tail: Body, head: Body, bends: Sequence[Point]) -> Curve:
    """Return a curve from body to body through the bends (Catmull–Rom tangents), clipped at both borders."""
    stops = [find_border(tail, bends[0]), *bends, find_border(head, bends[-1])]
    ends = [stops[0], *stops, stops[-1]]
    curve: list[Point] = [stops[0]]
    for before, start, end, after in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        curve += [
            (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6),
            (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6),
            end,
        ]
    return tuple(curve)


def make_channel_path(tail: Body, head: Body, bends: Sequence[Point]) -> Curve:
    """Return a path of upright pieces through the bends, joined by level pieces between the rows, where no node stands."""
    up = 1.0 if head.at[1] > tail.at[1] else -1.0
    stops = [(tail.at, tail.height / 2), *((bend, _HALF_ROW) for bend in bends), (head.at, head.height / 2)]
    points = [(tail.at[0], tail.at[1] + up * tail.height / 2)]
    for ((a, b), half), ((c, d), other) in itertools.pairwise(stops):
        if abs(a - c) > 0.5:
            middle = (b + up * half + d - up * other) / 2
            points += [(a, middle), (c, middle)]
    return make_polyline([*points, (head.at[0], head.at[1] - up * head.height / 2)])


def make_arc(tail: Body, head: Body, bulge: float) -> Curve:
    """Return a curve from body to body whose middle stands bulge × distance to the left of the straight line."""
    (a, b), (c, d) = tail.at, head.at
    normal = (-(d - b) * bulge * 4 / 3, (c - a) * bulge * 4 / 3)
    first = (a + (c - a) * 0.22 + normal[0], b + (d - b) * 0.22 + normal[1])
    second = (a + (c - a) * 0.78 + normal[0], b + (d - b) * 0.78 + normal[1])
    return (find_border(tail, first), first, second, find_border(head, second))


def make_loop(body: Body, angle: float, reach: float) -> Curve:
    """Return a round loop at the side of a node that the angle (0 right, counter-clockwise) points to, running downwards."""
    x, y = body.at
    ahead, aside = (cos(angle), sin(angle)), (-sin(angle), cos(angle))
    turn = 1.0 if ahead[0] >= 0 else -1.0
    start, end = (
        find_border(body, (x + 30 * ahead[0] + 24 * side * aside[0], y + 30 * ahead[1] + 24 * side * aside[1]))
        for side in (turn, -turn)
    )
    out, wide = body.width / 2 + reach * 4 / 3 - 6, reach * 1.2 * turn
    first, second = (
        (x + out * ahead[0] + side * wide * aside[0], y + out * ahead[1] + side * wide * aside[1]) for side in (1, -1)
    )
    return (start, first, second, end)


def list_candidates(tail: Body, head: Body, bends: Sequence[Point] = ()) -> Iterator[Curve]:
    """Return the curves an edge may take, the plainest first.

    Args:
        tail, head: where it starts and ends; the same body for a loop.
        bends: points kept free for this edge by the layout.
    """
    if tail.at == head.at:
        for reach in (28.0, 42.0, 56.0):
            yield from (make_loop(tail, angle, reach) for tilt in (0.0, -0.6, 0.6) for angle in (tilt, pi - tilt))
        return
    yield join_bodies(tail, head)
    if not head.round and not bends:
        foot = (head.at[0], head.at[1] + (head.height / 2 if tail.at[1] > head.at[1] else -head.height / 2))
        yield make_line(find_border(tail, foot), foot)
    if bends:
        yield make_smooth_curve(tail, head, bends)
    distance = hypot(head.at[0] - tail.at[0], head.at[1] - tail.at[1])
    bulges = [bulge for bulge in _BULGES if bulge * distance >= _LEAST_RISE or bulge == _BULGES[-1]]
    rises = abs(head.at[1] - tail.at[1]) > (head.height + tail.height) / 2
    for i, bulge in enumerate(bulges):
        if i == _ARCS_FIRST and rises:
            yield make_channel_path(tail, head, bends)
        yield make_arc(tail, head, bulge)
        yield make_arc(tail, head, -bulge)


@dataclass(frozen=True)
class Stroke:
    """Points along a drawn curve, and the box around them."""

    points: Sequence[Point]
    box: tuple[float, float, float, float]

    def is_near(self, box: tuple[float, float, float, float], rim: float = 4.0) -> bool:
        """Tell whether the stroke comes anywhere near a box."""
        a, b = self.box, box
        return a[0] - rim < b[2] and b[0] - rim < a[2] and a[1] - rim < b[3] and b[1] - rim < a[3]


def make_stroke(curve: Sequence[Point], count: int = _SAMPLES) -> Stroke:
    """Return a curve as a Stroke of about that many points.

    Example:
        >>> make_stroke(make_line((0, 0), (9, 3)), 3).box
        (0.0, 0.0, 9.0, 3.0)
    """
    points = sample_curve(curve, count)
    return Stroke(points, get_box(points))


def get_box(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return the smallest box around points: left, bottom, right, top."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def route(tail: Body, head: Body, others: Sequence[Body], bends: Sequence[Point] = (), taken: Sequence[Stroke] = ()) -> Curve:
    """Return the curve of the candidates that keeps best off the other bodies and off curves drawn before.

    Example:
        >>> a, b, c = (Body((x, 0), 40, 40) for x in (0, 80, 160))
        >>> len({y for x, y in route(a, b, [c])}), route(a, c, [b])[1][1] > 20
        (1, True)

    Notes:
        Candidates × samples × bodies.
    """
    best, least = None, float("inf")
    for rank, curve in enumerate(list_candidates(tail, head, bends)):
        if rank * _RANK >= least:
            break  # nothing plainer is left
        points = sample_curve(curve)
        box = get_box(points)
        drawn = [other.points for other in taken if other.is_near(box)]
        overlap = _measure_overlap(points, box, others, (least - rank * _RANK) / _DEPTH_COST)
        cost = rank * _RANK + _DEPTH_COST * overlap + 0.8 * _count_alongside(points, drawn)
        if tail.at == head.at:  # a loop has the choice of where on the rim it starts and ends
            cost += 3.0 * _count_meeting((points[0], points[-1]), drawn) + 1.5 * _count_alongside(points, drawn)
        if cost < least:
            best, least = curve, cost
    assert best is not None  # there is always a first candidate
    return best


def is_clear(curve: Curve, bodies: Iterable[Body]) -> bool:
    """Tell whether a curve touches none of the bodies."""
    points = sample_curve(curve)
    return _measure_overlap(points, get_box(points), bodies) == 0.0


def _measure_overlap(
    points: Sequence[Point], box: tuple[float, float, float, float], bodies: Iterable[Body], enough: float = float("inf")
) -> float:
    """Return how deep the points go into the bodies or the rim kept free around them; what exceeds `enough` is not counted."""
    left, low, right, high = box
    total = 0.0
    for body in bodies:
        x, y = body.at
        a, b = body.width / 2 + _CLEARANCE, body.height / 2 + _CLEARANCE
        if x + a < left or x - a > right or y + b < low or y - b > high:
            continue
        for px, py in points:
            if x - a < px < x + a and y - b < py < y + b:
                dx, dy = abs(px - x) / a, abs(py - y) / b
                total += max(0.0, 1 - (hypot(dx, dy) if body.round else max(dx, dy)))
        if total > enough:
            break
    return total


def _count_alongside(points: Sequence[Point], drawn: Sequence[Sequence[Point]]) -> float:
    """Return how many of the points run side by side with a drawn curve; a crossing, which is a point or two, costs little."""
    inner = points[2:-2]
    left, low, right, high = get_box(inner or points)
    parts = ([(u, v) for u, v in other[1:-1] if left - 4 < u < right + 4 and low - 4 < v < high + 4] for other in drawn)
    near = (sum(any(abs(x - u) < 4 and abs(y - v) < 4 for u, v in part) for x, y in inner) for part in parts if part)
    return sum(max(0.9 * (count > 0), count - 3) for count in near)


def _count_meeting(ends: Sequence[Point], drawn: Sequence[Sequence[Point]]) -> int:
    """Return how many drawn curves start or end where this one does."""
    spots = [spot for other in drawn for spot in (other[0], other[-1])]
    return sum(abs(x - u) + abs(y - v) < 18 for x, y in ends for u, v in spots)
