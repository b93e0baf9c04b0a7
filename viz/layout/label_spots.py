"""Free places for the labels of curves; in points."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from viz.layout.routes import Body, Curve, Stroke, get_box, sample_curve
from viz.scene.picture import Point


def place_label(
    curve: Curve,
    size: tuple[float, float],
    bodies: Sequence[Body],
    curves: Sequence[Stroke],
    labels: Sequence[Body],
    farther: Sequence[float] = (0.0, 9.0),
) -> Point:
    """Return where a label of that size stands best beside a curve.

    Args:
        curve: the labelled edge.
        size: width and height of the label, points.
        bodies: nodes to keep off.
        curves: the other edges, whose label it must not seem to be.
        labels: boxes of the labels placed before.
        farther: how much farther from the curve than side by side it may stand, points.

    Returns:
        The label's centre: right of an upright line and below a level one if that is free.
    """
    points = sample_curve(curve)
    left, low, right, high = get_box(points)
    reach = (left - size[0] - 8, low - size[1] - 8, right + size[0] + 8, high + size[1] + 8)
    around = [other.points for other in curves if other.is_near(reach)] + [points]
    bodies = [body for body in [*bodies, *labels] if Stroke((), _get_rim(body)).is_near(reach)]
    best, least = points[0], float("inf")
    for rank, part in enumerate((0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82, 0.1, 0.9)):
        i = min(max(int(part * (len(points) - 1)), 1), len(points) - 2)
        (a, b), (c, d) = points[i - 1], points[i + 1]
        length = hypot(c - a, d - b) or 1.0
        nx, ny = (d - b) / length, (a - c) / length
        if (ny > 0) if abs(ny) > 0.92 else (nx < 0):  # below what is nearly level, to the right of what rises
            nx, ny = -nx, -ny
        offset = abs(nx) * size[0] / 2 + abs(ny) * size[1] / 2 + 3.5
        for far, side in ((far, side) for far in farther for side in (1, -1)):
            spot = (points[i][0] + side * nx * (offset + far), points[i][1] + side * ny * (offset + far))
            cost = rank * 1.0 + (side < 0) * 0.9 + far * 0.4 + _measure_crowding(spot, size, bodies, around)
            if cost < least:
                best, least = spot, cost
    return best


def _get_rim(body: Body) -> tuple[float, float, float, float]:
    x, y = body.at
    return x - body.width / 2, y - body.height / 2, x + body.width / 2, y + body.height / 2


def _measure_crowding(
    spot: Point, size: tuple[float, float], bodies: Sequence[Body], curves: Sequence[Sequence[Point]]
) -> float:
    """Return how much a label at that spot would cover."""
    x, y = spot
    a, b = size[0] / 2, size[1] / 2
    cost = 0.0
    for body in bodies:
        dx = a + body.width / 2 + 1 - abs(x - body.at[0])
        dy = b + body.height / 2 + 1 - abs(y - body.at[1])
        if dx > 0 and dy > 0:
            cost += 4.0 * min(dx, dy) + 4
    for points in curves:
        cost += 3.0 * sum(abs(x - px) < a + 3 and abs(y - py) < b + 1 for px, py in points)
    return cost
