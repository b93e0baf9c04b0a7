"""The folded picture of operations, in which small squares are delays, as in a block diagram; `dot` lays it out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

from viz.dot import Line, Mark, Picture
from viz.label import Label, make_delay_label
from viz.scene import Arrow, Item, Scene, get_index, make_mark
from viz.stamp import find_spine
from viz.unrolled import get_line_role

# Above this many nodes dot is asked for a quick layout: a perfect one can take it minutes.
_MANY = 250
_CAREFUL = (("nodesep", "0.3"), ("ranksep", "0.34"), ("splines", "true"))
_START = Label("&nbsp;start", 3.0)
_QUICK = (("nslimit", "2"), ("nslimit1", "2"), ("mclimit", "0.2"), ("splines", "line"))


def compose_operations(scene: Scene) -> Picture:
    """Return the folded picture of operations.

    Args:
        scene: the scene to draw, over any number of axes.

    Returns:
        A Picture without places.

    Notes:
        Laying it out is left to `dot`, whose time grows faster than the picture.
    """
    picture = Picture(placed=False, options=_QUICK if len(scene.items) > _MANY else _CAREFUL)
    upwards = [arrow for arrow in scene.arrows if not arrow.shifts and not arrow.start]
    column = find_spine(scene.items, [(arrow.tail, arrow.head) for arrow in upwards])
    upright = set(itertools.pairwise(column))
    for item in scene.items:
        drawn = make_mark(item, get_index(item, scene), None, item.key, widest="t" if len(item.over) < 2 else "i,j")
        picture.marks.append(replace(drawn, group="spine") if item.key in column else drawn)
    above = _find_above({arrow.head for arrow in scene.arrows if arrow.shifts}, upwards)
    squares: dict[tuple[int, tuple], object] = {}
    items = {item.key: item for item in scene.items}
    for arrow in scene.arrows:
        if arrow.shifts:
            _add_square(picture, arrow, scene, above, squares)
        else:
            picture.lines.append(_make_upward_line(arrow, items[arrow.tail], (arrow.tail, arrow.head) in upright))
    return picture


def _find_above(keys: Iterable[int], upwards: Sequence[Arrow]) -> dict[int, set[int]]:
    """Return for each item the items that it leads to within one step, itself included."""
    heads: dict[int, list[int]] = {}
    for arrow in upwards:
        heads.setdefault(arrow.tail, []).append(arrow.head)
    out = {}
    for key in keys:
        seen, ahead = {key}, [key]
        while ahead:
            for head in heads.get(ahead.pop(), ()):
                if head not in seen:
                    seen.add(head)
                    ahead.append(head)
        out[key] = seen
    return out


def _make_upward_line(arrow: Arrow, tail: Item, upright: bool) -> Line:
    if arrow.start:
        return Line(arrow.tail, arrow.head, "start", _START)
    if tail.role == "param":
        return Line(arrow.tail, arrow.head, "param")
    # The heavier an edge, the shorter and straighter dot draws it.
    weight = "100" if upright else "8"
    role = get_line_role(arrow, tail)
    return Line(arrow.tail, arrow.head, role, options=(("weight", weight),) if role == "flow" else ())


def _add_square(
    picture: Picture, arrow: Arrow, scene: Scene, above: dict[int, set[int]], squares: dict[tuple[int, tuple], object]
) -> None:
    """Add a recurrent edge through a small square, reversed where time leads down, so that the layout stays acyclic."""
    back = arrow.tail in above[arrow.head]
    key = (arrow.tail, arrow.shifts)
    if key not in squares:
        squares[key] = ("delay", len(squares))
        label = make_delay_label(list(arrow.shifts), named=len(scene.axes) > 1)
        side = max(26.0, label.ems * 11 * 1.1 + 6)
        shape = "square" if side < 27 else "box"
        picture.marks.append(Mark(squares[key], "delay", label, shape, side, 26.0, font=11.0))
        picture.lines.append(_make_step_line(arrow.tail, squares[key], back))
    picture.lines.append(_make_step_line(squares[key], arrow.head, back))


def _make_step_line(tail: object, head: object, back: bool) -> Line:
    if back:
        return Line(head, tail, "recur", options=(("dir", "back"),))
    return Line(tail, head, "recur")
