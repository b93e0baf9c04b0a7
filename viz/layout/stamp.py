"""The stamp: the places of one step, laid out once, and then printed in one column for each step."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from viz.layout.label_spots import LABEL_FONT
from viz.layout.layers import Places, lay_out_rows
from viz.layout.routes import Body
from viz.scene.items import Arrow, Item, Scene, label_params, measure_outline
from viz.scene.picture import Point

_WEIGHTS = {"state": 8, "loss": 3, "output": 3, "inner": 3, "input": 2, "op": 1}


@dataclass(frozen=True)
class Stamp:
    """One step of a scene.

    Attributes:
        at: centre of every item that varies over the axis; the spine stands at x = 0, the lowest row at y = 0.
        bodies: their outlines.
        bends: for long edges within the step, points kept free for them.
        left, right, bottom, top: extent of it all.
        pitch: points from one step to the next.
        row: which row an item stands in, counted upwards.
        widest: the longest index that names carry.
    """

    at: dict[int, Point]
    bodies: dict[int, Body]
    bends: dict[tuple[int, int], tuple[Point, ...]]
    left: float
    right: float
    bottom: float
    top: float
    pitch: float
    row: dict[int, int]
    widest: str


def make_stamp(
    scene: Scene, axis: str | None, *, widest: str = "t−1", split: bool = True, rise: float = 30.0,
    gutter: float = 46.0, lanes: dict[int, float] | None = None, room: Mapping[int, tuple[float, float]] | None = None,
) -> Stamp:  # fmt: skip
    """Lay out the items of one step.

    Args:
        scene: the scene to draw; items that do not vary over the axis are left out.
        axis: the axis of time; None for a folded picture of all items, static ones included.
        widest: the longest index that will stand at a name.
        split: give every item that reads its own past a row of its own, so that the line to the next step is straight.
        rise: free points between rows whose edges carry no label.
        gutter: free points between columns.
        lanes: key → points to keep free below the row of that item, for lines that run along it.
        room: key → width and height to keep free for that item, where its outline needs less.

    Returns:
        The Stamp.
    """
    items = [item for item in scene.items if axis is None or axis in item.over]
    sizes = {item.key: measure_outline(item, widest)[1:3] for item in items} | {**(room or {})}
    inner = [a for a in scene.arrows if a.tail in sizes and a.head in sizes and not a.shifts]
    inner = [a for a in inner if axis is None or not a.start]
    edges = [(a.tail, a.head) for a in inner]
    edges += _list_fed_later(scene.arrows, sizes, edges)
    side = _find_sides(scene.arrows, axis)
    order = sorted(items, key=lambda item: (item.role == "label", side.get(item.key, 0)))
    widths = {item.key: sizes[item.key][0] for item in order}
    path = find_spine(items, edges)
    heavy = list(itertools.pairwise(path)) if split else _list_beside_labels(items, edges)
    places = lay_out_rows(widths, edges, heavy, gap=18.0 if split else 16.0, least={} if axis else _make_room(items, edges))
    levels = _find_levels(items, scene.arrows, places) if split else {k: float(r) for k, r in places.row.items()}
    stairs = sorted(set(levels.values()))
    row = {key: stairs.index(level) for key, level in levels.items()}
    heights = _find_row_heights(row, sizes, inner, rise, lanes or {})
    at = {key: (places.x[key], heights[row[key]]) for key in widths}
    bends = _find_bend_points(places, row, heights)
    bodies = {item.key: _make_body(item, at[item.key], widest) for item in items}
    left, right = _measure_step(at, sizes, inner, bends)
    between = [label_params(a.params).ems * LABEL_FONT for a in scene.arrows if a.shifts and a.params]
    pitch = right - left + max(gutter, min(max(between, default=0.0), 90.0) + 24.0 if between else gutter)
    top = max((y + sizes[key][1] / 2 for key, (_, y) in at.items()), default=0.0)
    bottom = min((y - sizes[key][1] / 2 for key, (_, y) in at.items()), default=0.0)
    return Stamp(at, bodies, bends, left, right, bottom, top, max(pitch, 60.0), row, widest)


def _list_fed_later(
    arrows: Sequence[Arrow], sizes: Mapping[int, object], edges: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the edges from what reads nothing to what reads it at a later step: an input stands below all of its readers."""
    heads = {head for _, head in edges}
    fed = ((a.tail, a.head) for a in arrows if a.shifts and a.tail != a.head and {a.tail, a.head} <= sizes.keys())
    return [edge for edge in dict.fromkeys(fed) if edge[0] not in heads and edge not in edges]


def _list_beside_labels(items: Sequence[Item], edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the edges into what reads labels otherwise: a label stands aside, and must not push its reader."""
    labels = {item.key for item in items if item.role == "label"}
    beside = {head for tail, head in edges if tail in labels}
    return [(tail, head) for tail, head in edges if head in beside and tail not in labels]


def _find_sides(arrows: Sequence[Arrow], axis: str | None) -> dict[int, int]:
    """Return −1 for items that read an earlier step, which belong at the left, and 1 for those that read a later one."""
    if axis is None:
        return {}
    shifts = {arrow.head: dict(arrow.shifts).get(axis, 0) for arrow in arrows if arrow.shifts}
    return {key: -1 if shift > 0 else 1 for key, shift in shifts.items() if shift}


def _make_room(items: Sequence[Item], edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return the edges that shall pass a row, between parameters in it: those of a node with many readers."""
    ends = Counter(end for edge in edges for end in edge)
    params = {item.key for item in items if item.role == "param"}
    many = {item.key for item in items if item.role in ("input", "delay") and ends[item.key] > 2}
    return {edge: 2 for edge in edges if params and (edge[0] in many or edge[1] in many)}


def _make_body(item: Item, at: Point, widest: str) -> Body:
    shape, width, height, _ = measure_outline(item, widest)
    return Body(at, width, height, shape in ("circle", "ellipse"))


def find_spine(items: Sequence[Item], edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the upward path that a reader's eye should follow: the one of the largest weight, in which states count most.

    Example:
        >>> x, s, l, y = (Item(i, n, r) for i, (n, r) in enumerate(
        ...     [("x", "input"), ("s", "state"), ("l", "label"), ("y", "output")]))
        >>> find_spine([x, s, l, y], [(0, 1), (1, 3), (2, 3)])
        [0, 1, 3]
    """
    weight = {item.key: _WEIGHTS.get(item.role, 0) for item in items}
    readers: dict[int, list[int]] = {item.key: [] for item in items}
    waiting = {item.key: 0 for item in items}
    for tail, head in edges:
        readers[tail].append(head)
        waiting[head] += 1
    ready = [item.key for item in items if not waiting[item.key]]
    best = dict(weight)
    before: dict[int, int] = {}
    for key in ready:  # grows while it is read
        for head in readers[key]:
            if best[key] + weight[head] > best[head]:
                best[head], before[head] = best[key] + weight[head], key
            waiting[head] -= 1
            if not waiting[head]:
                ready.append(head)
    if not best:
        return []
    path = [max(best, key=best.__getitem__)]
    while path[-1] in before:
        path.append(before[path[-1]])
    return path[::-1]


def _find_levels(items: Sequence[Item], arrows: Sequence[Arrow], places: Places) -> dict[int, float]:
    """Return rows as fractions: where several items share a row and some read their own past, each of those gets its own."""
    recurrent = {arrow.tail for arrow in arrows if arrow.shifts and arrow.tail == arrow.head}
    shared: dict[int, list[Item]] = {}
    for item in items:
        shared.setdefault(places.row[item.key], []).append(item)
    levels: dict[int, float] = {}
    for row, together in shared.items():
        alone = [item.key for item in together if item.key in recurrent]
        levels |= {item.key: float(row) for item in together if item.key not in recurrent}
        first = 0 if len(alone) == len(together) else 1
        levels |= {key: row + (first + i) / (len(alone) + 1) for i, key in enumerate(alone)}
    return levels


def _find_row_heights(
    row: dict[int, int], sizes: dict[int, tuple[float, float]], inner: Sequence[Arrow], rise: float,
    lanes: dict[int, float],
) -> list[float]:  # fmt: skip
    """Return the y of each row: far enough above the one below for labels, and for lines that run in between."""
    count = max(row.values(), default=-1) + 1
    half = [max(sizes[key][1] for key in row if row[key] == level) / 2 for level in range(count)]
    labelled = {row[arrow.head] for arrow in inner if arrow.params}
    heights = [0.0] * count
    for level in range(1, count):
        free = max(rise, 46.0 if level in labelled else 0.0)
        free += max(lanes.get(key, 0.0) for key in row if row[key] == level)
        heights[level] = round(heights[level - 1] + half[level - 1] + free + half[level], 1)
    return heights


def _find_bend_points(places: Places, row: dict[int, int], heights: Sequence[float]) -> dict:
    """Return the bends of long edges, at the heights that their rows got."""
    level_of: dict[int, list[int]] = {}
    for key, level in places.row.items():
        level_of.setdefault(level, []).append(row[key])
    return {
        edge: tuple((x, heights[level]) for place, x in bends for level in sorted(set(level_of.get(place, ()))))
        for edge, bends in places.bends.items()
    }


def _measure_step(
    at: dict[int, Point], sizes: dict[int, tuple[float, float]], inner: Sequence[Arrow],
    bends: dict[tuple[int, int], tuple[Point, ...]],
) -> tuple[float, float]:  # fmt: skip
    """Return the left and right end of the step, the labels right of its upright edges included."""
    lefts = [x - sizes[key][0] / 2 for key, (x, _) in at.items()]
    rights = [x + sizes[key][0] / 2 for key, (x, _) in at.items()]
    for points in bends.values():
        lefts += [x - 5 for x, _ in points]
        rights += [x + 5 for x, _ in points]
    for arrow in inner:
        if arrow.params:
            middle = (at[arrow.tail][0] + at[arrow.head][0]) / 2
            rights.append(middle + 4 + min(label_params(arrow.params).ems * LABEL_FONT, 90.0))
    return min(lefts, default=-21.0), max(rights, default=21.0)
