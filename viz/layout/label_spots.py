"""Free places for the labels of curves; in points."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from viz.layout.routes import Body, Curve, Stroke, get_box, sample_curve
from viz.scene.items import label_params
from viz.scene.label import EMPTY, Label
from viz.scene.picture import Point

LABEL_FONT = 13.0
LABEL_HEIGHT = 17.0

_CELL = 40.0
# What a label costs that another line parts from its own.
_APART = 12.0


class Specks:
    """Points of curves, found by where they are."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], list[tuple[float, float, object]]] = {}

    def add(self, points: Sequence[Point], owner: object) -> None:
        """Add the points of a curve, under a name of it."""
        for x, y in points:
            self.cells.setdefault((int(x // _CELL), int(y // _CELL)), []).append((x, y, owner))

    def count(self, spot: Point, half: tuple[float, float], owner: object) -> int:
        """Return how many points of other curves are inside a box, given its centre and half its sides."""
        left, right, low, high = spot[0] - half[0], spot[0] + half[0], spot[1] - half[1], spot[1] + half[1]
        return sum(
            left < x < right and low < y < high and other != owner
            for i in range(int(left // _CELL), int(right // _CELL) + 1)
            for j in range(int(low // _CELL), int(high // _CELL) + 1)
            for x, y, other in self.cells.get((i, j), ())
        )


def place_label(
    curve: Curve,
    size: tuple[float, float],
    bodies: Sequence[Body],
    curves: Sequence[Stroke] = (),
    farther: Sequence[float] = (0.0, 9.0),
    specks: Specks | None = None,
    owner: object = None,
) -> Point:
    """Return where a label of that size stands best beside a curve.

    Args:
        curve: the labelled edge.
        size: width and height of the label, points.
        bodies: what to keep off: nodes, and labels placed before.
        curves: the other edges, whose label it must not seem to be.
        specks, owner: points of more of the other edges, and the name under which those of this one are among them.
        farther: how much farther from the curve than side by side it may stand, points.

    Returns:
        The label's centre: right of an upright line and below a level one if that is free.
    """
    points = sample_curve(curve)
    left, low, right, high = get_box(points)
    reach = (left - size[0] - 8, low - size[1] - 8, right + size[0] + 8, high + size[1] + 8)
    strokes = [other.points for other in curves if other.is_near(reach)] + [points]
    around = [(x, y) for other in strokes for x, y in other if reach[0] < x < reach[2] and reach[1] < y < reach[3]]
    bodies = [body for body in bodies if Stroke((), _get_rim(body)).is_near(reach)]
    best, least = points[0], float("inf")
    for rank, part in enumerate((0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82, 0.1, 0.9)):
        if rank >= least:
            break  # nothing plainer is left
        i = min(max(int(part * (len(points) - 1)), 1), len(points) - 2)
        (a, b), (c, d) = points[i - 1], points[i + 1]
        length = hypot(c - a, d - b) or 1.0
        nx, ny = (d - b) / length, (a - c) / length
        if (ny > 0) if abs(ny) > 0.92 else (nx < 0):  # below what is nearly level, to the right of what rises
            nx, ny = -nx, -ny
        offset = abs(nx) * size[0] / 2 + abs(ny) * size[1] / 2 + 3.5
        for far, side in ((far, side) for far in farther for side in (1, -1)):
            cost = rank * 1.0 + (side < 0) * 0.9 + far * 0.4
            if cost >= least:
                continue
            spot = (points[i][0] + side * nx * (offset + far), points[i][1] + side * ny * (offset + far))
            cost += _measure_crowding(spot, size, bodies, around)
            if specks is not None:
                cost += 3.0 * specks.count(spot, (size[0] / 2 + 3, size[1] / 2 + 1), owner)
                between = ((points[i][0] + spot[0]) / 2, (points[i][1] + spot[1]) / 2)
                half = (abs(spot[0] - points[i][0]) / 2 + 1, abs(spot[1] - points[i][1]) / 2 + 1)
                cost += _APART * (far > 0) * (specks.count(between, half, owner) > 0)
            if cost < least:
                best, least = spot, cost
    return best


def place_params(curve: Curve, params: Sequence[str], bodies: Sequence[Body]) -> tuple[Label, Point | None]:
    """Return the label of an edge that passes parameters, and where it stands; neither where there are none."""
    label = label_params(params) if params else EMPTY
    return label, place_label(curve, (label.ems * LABEL_FONT, LABEL_HEIGHT), bodies) if params else None


def _get_rim(body: Body) -> tuple[float, float, float, float]:
    x, y = body.at
    return x - body.width / 2, y - body.height / 2, x + body.width / 2, y + body.height / 2


def _measure_crowding(spot: Point, size: tuple[float, float], bodies: Sequence[Body], points: Sequence[Point]) -> float:
    """Return how much a label at that spot would cover."""
    x, y = spot
    a, b = size[0] / 2, size[1] / 2
    cost = 0.0
    for body in bodies:
        dx = a + body.width / 2 + 1 - abs(x - body.at[0])
        dy = b + body.height / 2 + 1 - abs(y - body.at[1])
        if dx > 0 and dy > 0:
            cost += 4.0 * min(dx, dy) + 4
    left, right, low, high = x - a - 3, x + a + 3, y - b - 1, y + b + 1
    return cost + 3.0 * sum(left < px < right and low < py < high for px, py in points)
