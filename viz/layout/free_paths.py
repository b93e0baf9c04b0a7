"""The shortest path of level and upright pieces from one node to another that meets no third one; in points.

Where no plain curve is free: A* (Hart, Nilsson & Raphael 1968) on the lines along the borders of the nodes, with a price for
every turn.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from viz.layout.gutter_paths import drop_straight_corners
from viz.layout.routes import Body, Curve, find_border, make_polyline
from viz.scene.picture import Point

_LANES = (9.0, 16.0)  # how far beside a node a path may run
_FREE = 5.0  # what is kept free around nodes
_TURN = 45.0  # what a turn costs, as points of length
_ALONGSIDE = 2.0  # what a point of length costs besides where another line runs
_AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))  # ways: right, up, left, down
_NEVER = float("inf")
_MOST_STEPS = 12_000  # in a huge picture, a way that takes longer to find would lead through all of it
_MANY = 60  # between so many nodes, a path has one lane beside each, and what is nearly the shortest is taken
_HASTE = 2.0  # how much more the rest of the way then counts

Step = tuple[int, int, int]
"""The numbers of the upright and the level line that cross there, and the way on which the path is."""


def find_free_path(
    tail: Body, head: Body, others: Sequence[Body], is_taken: Callable[[Point, bool], bool] = lambda at, level: False
) -> Curve | None:
    """Return the path of least length and fewest turns; None if nodes enclose one of the ends, or it is too far to find.

    Args:
        tail, head: the ends; the path leaves and enters them in the middle of a side.
        others: what it keeps off.
        is_taken: tells of a point whether another line runs there, level (True) or upright (False).

    Example:
        >>> a, b, c = (Body((x, 0.0), 40.0, 40.0) for x in (0.0, 80.0, 160.0))
        >>> path = find_free_path(a, c, [b])
        >>> path[0], path[-1], max(abs(y) for x, y in path)
        ((0.0, -20.0), (160.0, -20.0), 29.0)

    Notes:
        At most a fixed number of steps, each of which takes the logarithm of their number.
    """
    lines = _Lines(tail, head, others, is_taken)
    ends = {(i, j, (way + 2) % 4) for i, j, way in lines.list_ports(head)}
    before: dict[Step, Step | None] = dict.fromkeys(lines.list_ports(tail))
    least = dict.fromkeys(before, 0.0)
    queue = [(lines.measure_rest(step, head), 0.0, step) for step in before]
    heapq.heapify(queue)
    for _ in range(_MOST_STEPS):
        if not queue:
            return None
        _, cost, step = heapq.heappop(queue)
        if cost > least[step]:
            continue
        if step in ends:
            points = lines.follow(before, step)
            return make_polyline(drop_straight_corners([find_border(tail, points[0]), *points, find_border(head, points[-1])]))
        i, j, way = step
        ahead = (i + _AHEAD[way][0], j + _AHEAD[way][1], way)
        turns = [((i, j, (way + turn) % 4), _TURN) for turn in (1, 3)]
        for place, price in [(ahead, lines.measure_price(step)), *turns]:
            if cost + price < least.get(place, _NEVER):
                least[place], before[place] = cost + price, step
                heapq.heappush(queue, (cost + price + lines.measure_rest(place, head), cost + price, place))
    return None


class _Lines:
    """The upright and level lines along the borders of nodes, and what it costs to go along them."""

    def __init__(self, tail: Body, head: Body, others: Sequence[Body], is_taken: Callable[[Point, bool], bool]) -> None:
        bodies = [*others, tail, head]
        lanes, self.haste = (_LANES, 1.0) if len(bodies) < _MANY else (_LANES[:1], _HASTE)
        self.spans = [[(b.at[axis], (b.width, b.height)[axis] / 2) for b in bodies] for axis in (0, 1)]
        self.at = [
            sorted({tail.at[axis], head.at[axis]} | {at + side * (half + far) for at, half in self.spans[axis]
                                                     for far in lanes for side in (-1, 1)})
            for axis in (0, 1)
        ]  # fmt: skip
        self.is_taken = is_taken
        self.prices: dict[tuple[int, int], list[float]] = {}

    def list_ports(self, body: Body) -> Iterator[tuple[int, int, int]]:
        """Yield where a path out of each side of a node begins."""
        for way, ahead in enumerate(_AHEAD):
            reach = (body.width / 2 + _LANES[0], body.height / 2 + _LANES[0])
            i, j = (self.at[axis].index(body.at[axis] + ahead[axis] * reach[axis]) for axis in (0, 1))
            yield i, j, way

    def measure_rest(self, step: Step, head: Body) -> float:
        """Return about how much the way from there to a node costs."""
        dx, dy = abs(self.at[0][step[0]] - head.at[0]), abs(self.at[1][step[1]] - head.at[1])
        return self.haste * (max(dx - head.width / 2 - _LANES[0], 0.0) + max(dy - head.height / 2 - _LANES[0], 0.0))

    def measure_price(self, step: Step) -> float:
        """Return what it costs to go on to the next line; infinite if a node is in the way or there is none."""
        axis = step[2] % 2
        first = step[axis] - (step[2] >= 2)
        if not 0 <= first < len(self.at[axis]) - 1:
            return _NEVER
        line = axis, step[1 - axis]
        if line not in self.prices:
            self.prices[line] = self._measure_line(*line)
        price = self.prices[line][first]
        if price < _NEVER:
            middle, here = (self.at[axis][first] + self.at[axis][first + 1]) / 2, self.at[1 - axis][line[1]]
            price *= 1.0 + _ALONGSIDE * self.is_taken((here, middle) if axis else (middle, here), not axis)
        return price

    def _measure_line(self, axis: int, number: int) -> list[float]:
        """Return the lengths of the pieces of a line; infinite where a node is in the way."""
        here, at = self.at[1 - axis][number], self.at[axis]
        prices = [b - a for a, b in pairwise(at)]
        for (across, high), (along, wide) in zip(self.spans[1 - axis], self.spans[axis], strict=True):
            if abs(across - here) < high + _FREE:
                first = bisect_right(at, along - wide - _FREE) - 1
                last = bisect_left(at, along + wide + _FREE)
                prices[max(first, 0) : last] = [_NEVER] * (last - max(first, 0))
        return prices

    def follow(self, before: dict[Step, Step | None], last: Step) -> list[Point]:
        """Return the points of the way to the last one, without those where it goes straight on."""
        steps: list[Step] = []
        step: Step | None = last
        while step is not None:
            steps.append(step)
            step = before[step]
        turns = [one for one, other in pairwise(steps) if one[:2] == other[:2]]
        places = dict.fromkeys((i, j) for i, j, _ in [steps[-1], *reversed(turns), last])
        return [(self.at[0][i], self.at[1][j]) for i, j in places]
