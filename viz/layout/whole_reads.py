"""Arrows by which every step reads many steps, as attention does: a line along all columns, with joints in each."""

from __future__ import annotations

from itertools import pairwise

from viz.layout.routes import find_foot, make_line, make_polyline, move_curve
from viz.layout.stamp import Stamp
from viz.scene.items import Arrow
from viz.scene.picture import Line, Mark, Picture, Point

_ASIDE = 8.0
# How far from the middle of its reader a line is entered, and left, where the tail stands below the head.
_JOINTS = {"all": (-9.0, -9.0), "past": (-14.0, -5.0), "before": (-5.0, -14.0), "after": (-14.0, -5.0)}


def draw_whole_read(
    picture: Picture, stamp: Stamp, shown: dict[int, float], arrow: Arrow, lane: int, *, closed: bool = True
) -> None:
    """Draw that every step of the head reads all steps of the tail, or those at one side of it: then the line has a direction.

    Args:
        picture: to draw in.
        stamp: the places of one step.
        shown: where the spine of each step stands that is shown, by its place.
        arrow: from the tail to the head.
        lane: number of this line among those of its kind.
        closed: whether nothing comes before the first of the steps, nor after the last.
    """
    tail, head = stamp.bodies[arrow.tail], stamp.bodies[arrow.head]
    role = "recur" if arrow.shifts else "flow"
    y = head.at[1] - head.height / 2 - 13.0 - 6.0 * (lane % 2)
    into, out = (head.at[0] + off for off in _JOINTS[arrow.whole])
    above = tail.at[1] + tail.height / 2
    between = [b for b in stamp.bodies.values() if above < b.at[1] + b.height / 2 and b.at[1] - b.height / 2 < y]
    if abs(tail.at[0] - head.at[0]) < 9.0 and not between and above < y:
        riser = make_line((into, find_foot(tail, (into, y))[1]), (into, y))
    else:
        side = 1 if arrow.whole == "before" else -1
        into = stamp.right + _ASIDE if side > 0 else stamp.left - _ASIDE
        riser = make_polyline([(tail.at[0] + side * tail.width / 2, tail.at[1]), (into, tail.at[1]), (into, y)])
    tap = make_line((out, y), find_foot(head, (out, y)))
    places = list(shown)[:: -1 if arrow.whole == "after" else 1]
    strict = arrow.whole in ("before", "after")
    stops: list[tuple[tuple, Point]] = []
    for place in places:
        enter, leave = (("joint", arrow.tail, arrow.head, place, at) for at in (into, out))
        found = []
        if not (strict and closed and place == places[-1]):  # no step reads the last one
            found.append((enter, (into + shown[place], y)))
            picture.lines.append(Line((arrow.tail, place), enter, role, curve=move_curve(riser, shown[place]), arrow=False))
        if not (strict and closed and place == places[0]):
            found.append((leave, (out + shown[place], y)))
            picture.lines.append(Line(leave, (arrow.head, place), role, curve=move_curve(tap, shown[place])))
        stops += found[:: -1 if strict else 1]
    stops = list(dict(stops).items())
    picture.marks += [Mark(key, "joint", shape="point", width=5.0, height=5.0, at=at) for key, at in stops]
    for (one, start), (other, end) in pairwise(stops):
        ahead = arrow.whole != "all" and one[3] != other[3]
        picture.lines.append(Line(one, other, role, curve=make_line(start, end), arrow=ahead))
