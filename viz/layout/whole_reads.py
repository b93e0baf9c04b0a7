"""Arrows by which every step reads all steps, as attention does: a line along all columns, with a joint in each."""

from __future__ import annotations

from viz.layout.routes import find_border, make_line, make_polyline, move_curve
from viz.layout.stamp import Stamp
from viz.scene.items import Arrow
from viz.scene.picture import Line, Mark, Picture


def draw_whole_read(picture: Picture, stamp: Stamp, shown: dict[int, float], arrow: Arrow, lane: int) -> None:
    """Draw that every step of the head reads all steps of the tail.

    Args:
        picture: to draw in.
        stamp: the places of one step.
        shown: where the spine of each step stands that is shown, by its place.
        arrow: from the tail to the head.
        lane: number of this line among those of its kind.
    """
    tail, head = stamp.bodies[arrow.tail], stamp.bodies[arrow.head]
    y = head.at[1] - head.height / 2 - 13.0 - 6.0 * (lane % 2)
    x = head.at[0] - 9.0
    above = tail.at[1] + tail.height / 2
    between = [b for b in stamp.bodies.values() if above < b.at[1] + b.height / 2 and b.at[1] - b.height / 2 < y]
    upright = abs(tail.at[0] - head.at[0]) < 9.0 and not between
    start = find_border(tail, (x, tail.at[1] + tail.height)) if upright else (tail.at[0] - tail.width / 2, tail.at[1])
    aside = stamp.left - 8.0
    corners = [(x, start[1]), (x, y)] if upright else [start, (aside, tail.at[1]), (aside, y), (x, y)]
    riser, tap = make_polyline(corners), make_line((x, y), (x, head.at[1] - head.height / 2))
    joint, before = None, 0.0
    for place, dx in shown.items():
        key = ("joint", arrow.tail, arrow.head, place)
        picture.marks.append(Mark(key, "joint", shape="point", width=5.0, height=5.0, at=(x + dx, y)))
        picture.lines.append(Line((arrow.tail, place), key, "flow", curve=move_curve(riser, dx), arrow=False))
        picture.lines.append(Line(key, (arrow.head, place), "flow", curve=move_curve(tap, dx)))
        if joint is not None:
            line = make_line((x + before, y), (x + dx, y))
            picture.lines.append(Line(joint, key, "flow", curve=line, arrow=False))
        joint, before = key, dx
