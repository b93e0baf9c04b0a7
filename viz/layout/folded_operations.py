"""The folded picture of operations, in which small squares are delays, as in a block diagram."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from viz.layout.clearing import clear_picture
from viz.layout.folded_column import FoldedColumn
from viz.layout.gutter_choice import Channels, list_groups
from viz.layout.gutter_paths import drop_straight_corners, make_delay_paths
from viz.layout.routes import make_polyline
from viz.layout.stamp import Stamp, make_stamp
from viz.scene.items import Item, Scene, make_mark, measure_outline
from viz.scene.label import make_delay_label
from viz.scene.picture import Line, Picture, Point

_INTO, _BETWEEN = 17.0, 10.0  # beside the squares of a lane
_BELOW = 34.0  # from where a line turns to the middle of its square


def compose_operations(scene: Scene) -> Picture:
    """Return the folded picture of operations.

    Args:
        scene: the scene to draw, over any number of axes.

    Returns:
        A placed Picture.
    """
    plain = Scene(scene.items, [arrow for arrow in scene.arrows if not arrow.shifts], scene.axes)
    stamp = make_stamp(plain, None, widest="t" if len(scene.axes) < 2 else ",".join(scene.axes), split=False, rise=26.0)
    column = FoldedColumn(plain, stamp, delays=False, indexed=True)
    column.print_columns()
    column.print_arrows()
    _print_delays(column.picture, scene, stamp)
    return clear_picture(column.picture)


def _print_delays(picture: Picture, scene: Scene, stamp: Stamp) -> None:
    """Draw the lines to other steps at the right of all operations: out of a node, through a square, back to its readers."""
    lanes = Channels(list_groups(scene)).number_lanes(scene, stamp)
    tails, named = {tail for tail, _ in lanes}, len(scene.axes) > 1
    squares = {by: Item(0, "", "delay", title=make_delay_label(list(by), named=named), tip="delay") for _, by in lanes}
    widest = max((measure_outline(square)[1] for square in squares.values()), default=0.0)
    paths: dict[tuple, tuple[list[Point], dict[int, list[Point]]]] = {}
    for (tail, by), lane in lanes.items():
        heads = dict.fromkeys(a.head for a in scene.arrows if (a.tail, a.shifts) == (tail, by) and not a.start)
        ends = [(stamp.bodies[head], head in tails) for head in heads]
        out = stamp.right + _INTO + widest / 2 + (widest + _BETWEEN) * lane
        leave, backs = make_delay_paths(stamp.bodies[tail], ends, [*stamp.bodies.values()], out, lane)
        for way in (1, -1):  # readers above the node are led to from another square
            chosen = {h: back for h, back in zip(heads, backs, strict=True) if (back[0][1] <= leave[-1][1]) == (way > 0)}
            paths |= {(tail, by, way): (leave, chosen)} if chosen else {}
    first = 1 + max((item.key for item in scene.items), default=0)
    for n, ((tail, by, way), (leave, back)) in enumerate(paths.items()):
        square = replace(squares[by], key=first + n)
        x, y = leave[-1]
        outer = [found for key, found in paths.items() if found[0][-1][0] > x]  # whose level lines cross this one
        crossed = [corners[0][1] for to, of in outer for corners in (to[::-1], *of.values())]
        room = min(abs(corners[0][1] - y) for corners in back.values())
        _, wide, high, _ = measure_outline(square)
        at, half = (x, _find_place(y, way, room, crossed)), way * high / 2
        picture.marks.append(make_mark(square, "", at, (square.key, 0)))
        _print_path(picture, (tail, 0), (square.key, 0), [*leave, (x, at[1] + half)])
        for head, corners in back.items():
            start = [(x, at[1] - half)]
            if way * (at[1] - half - corners[0][1]) < 4.0:  # back beside the square, where there is no room below it
                aside = x - wide / 2 - _BETWEEN / 2
                start, corners = [(x - wide / 2, at[1]), (aside, at[1]), (aside, corners[0][1])], corners[1:]
            _print_path(picture, (square.key, 0), (head, 0), [*start, *corners])


def _find_place(start: float, way: int, room: float, others: list[float]) -> float:
    """Return the y of a square on an upright line, off the level lines that cross it."""
    tried = [_BELOW + 4.0 * k for k in range(max(int((room - _BELOW - 14.0) / 4.0), 1))]
    return start - way * next((d for d in tried if all(abs(start - way * d - y) > 17.0 for y in others)), _BELOW)


def _print_path(picture: Picture, tail: object, head: object, points: list[Point]) -> None:
    points = [points[0], *(point for before, point in pairwise(points) if point != before)]
    picture.lines.append(Line(tail, head, "recur", curve=make_polyline(drop_straight_corners(points))))
