"""Which recurrent edges run in gutters, with a trunk for each state and a tap for each reader, and which are straight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from viz.layout.routes import find_border, is_clear, make_arc, make_line
from viz.layout.stamp import Stamp, make_stamp
from viz.scene.items import Scene, label_params
from viz.scene.label import make_text_label, scale_label, stack_labels

Group = tuple[int, tuple[tuple[str, int], ...]]
"""The tail of recurrent edges, and their shifts."""

_NOTE_SCALE = 0.72
_GAP = make_text_label("\u00a0", 0.3)
# A state with so many readers in the next step has a trunk.
_MANY = 3
# The label of an edge is at most so long, ems.
_LONGEST = 7.0
# Arcs of these heights, as parts of their length, are better than a trunk.
_FLAT = (0.16, 0.26)


def list_groups(scene: Scene) -> list[Group]:
    """Return the recurrent edges by their tail and shifts."""
    return list(dict.fromkeys((arrow.tail, arrow.shifts) for arrow in scene.arrows if arrow.shifts and not arrow.whole))


def choose_guttered(scene: Scene, axis: str | None) -> list[Group]:
    """Return the groups that get a trunk: those with many readers, and those that cannot be drawn straight or as a flat arc.

    Args:
        scene: the scene to draw.
        axis: the axis that is unfolded; None for a folded picture.
    """
    stamp = make_stamp(scene, axis)
    out = []
    for tail, shifts in list_groups(scene):
        heads = [a.head for a in scene.arrows if (a.tail, a.shifts) == (tail, shifts) and not a.start and a.head in stamp.at]
        others = [head for head in heads if head != tail]
        if tail not in stamp.at:
            continue
        shift = dict(shifts).get(axis, 0) if axis is not None else 0
        if len(others) >= _MANY or (shift and not all(_is_plain(stamp, tail, head, shift) for head in heads)):
            out.append((tail, shifts))
    return out


def _is_plain(stamp: Stamp, tail: int, head: int, shift: int) -> bool:
    """Tell whether a straight line or a flat arc from an earlier step touches no other node."""
    start, end = stamp.bodies[tail].move(-shift * stamp.pitch), stamp.bodies[head]
    steps = range(-abs(shift) - 1, abs(shift) + 2)
    bodies = [body.move(step * stamp.pitch) for step in steps for body in stamp.bodies.values()]
    bodies = [body for body in bodies if body.at not in (start.at, end.at)]
    curves = [make_line(find_border(start, end.at), find_border(end, start.at))]
    curves += [make_arc(start, end, bulge * side) for bulge in _FLAT for side in (1, -1)]
    return any(is_clear(curve, bodies) for curve in curves)


def note_params(scene: Scene, guttered: Sequence[Group] = (), *, every: bool = False) -> Scene:
    """Return the scene in which the readers of a trunk name the parameters that they use, instead of their edges.

    So do items whose edges would need labels that are too long.

    Args:
        scene: the scene to draw.
        guttered: the recurrent edges that have a trunk.
        every: whether all items name their parameters.
    """
    heads = {a.head for a in scene.arrows if every or a.whole or label_params(a.params).ems > _LONGEST}
    for group in guttered:
        readers = {a.head for a in scene.arrows if (a.tail, a.shifts) == group and a.params and a.head != a.tail}
        heads |= readers if len(readers) > 1 else set()
    if not heads:
        return scene
    items = []
    for item in scene.items:
        names = dict.fromkeys(
            name for arrow in scene.arrows if arrow.head == item.key and not arrow.start for name in arrow.params
        )
        if item.key in heads and names:
            item = replace(item, note=stack_labels([_GAP, scale_label(label_params(list(names)), _NOTE_SCALE)]), boxed=True)
        items.append(item)
    arrows = [replace(arrow, params=()) if arrow.head in heads and not arrow.start else arrow for arrow in scene.arrows]
    return Scene(items, arrows, scene.axes)
