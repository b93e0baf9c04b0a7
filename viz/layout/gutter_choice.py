"""Which recurrent edges run in gutters, with a trunk for each state and a tap for each reader, and which are straight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from viz.layout.routes import is_clear, join_bodies, make_arc
from viz.layout.stamp import Stamp, make_stamp
from viz.scene.items import Scene, label_params
from viz.scene.label import make_text_label, scale_label, stack_labels

Group = tuple[int, tuple[tuple[str, int], ...]]
"""The tail of recurrent edges, and their shifts."""

_NOTE_SCALE = 0.72
_GAP = make_text_label("\u00a0", 0.3)
_APART = 40.0  # between trunks in one lane, points
_MOST_RISE = 150.0
# A state with so many readers in the next step has a trunk.
_MANY = 3
# The label of an edge is at most so long, ems.
_LONGEST = 7.0
# Arcs of these heights, as parts of their length, are better than a trunk.
_FLAT = (0.16, 0.26)


def list_groups(scene: Scene) -> list[Group]:
    """Return the recurrent edges by their tail and shifts."""
    return list(dict.fromkeys((arrow.tail, arrow.shifts) for arrow in scene.arrows if arrow.shifts and not arrow.whole))


@dataclass(frozen=True)
class Channels:
    """Where recurrent edges run.

    Attributes:
        groups: those that have a trunk in the gutters between the columns.
        rises: key → points to keep free below that item, so that straight lines from several steps before pass all others.
    """

    groups: list[Group]
    rises: dict[int, float] = field(default_factory=dict)

    def number_lanes(self, scene: Scene, stamp: Stamp) -> dict[Group, int]:
        """Return the lane of each trunk: the first one that no other takes at the same height; short ones stand inside."""
        spans = {}
        for tail, shifts in self.groups:
            heads = [arrow.head for arrow in scene.arrows if (arrow.tail, arrow.shifts) == (tail, shifts)]
            ys = [stamp.at[key][1] for key in (tail, *heads) if key in stamp.at]
            far = any(abs(by) > 1 for _, by in shifts)  # those run below the columns
            spans[tail, shifts] = float("-inf") if far else min(ys) - _APART, max(ys) + _APART
        taken: list[list[tuple[float, float]]] = []
        lanes = {}
        for group, (low, high) in sorted(spans.items(), key=lambda pair: pair[1][1] - pair[1][0]):
            free = (i for i, others in enumerate(taken) if all(high < a or b < low for a, b in others))
            lane = lanes[group] = next(free, len(taken))
            taken += [[]] if lane == len(taken) else []
            taken[lane].append((low, high))
        return lanes


def choose_channels(scene: Scene, axis: str | None) -> Channels:
    """Return where recurrent edges run: a trunk is for those with many readers, or without a straight line or flat arc.

    Args:
        scene: the scene to draw.
        axis: the axis that is unfolded; None for a folded picture.
    """
    stamp = make_stamp(scene, axis)
    out = Channels([])
    for tail, shifts in list_groups(scene):
        heads = [a.head for a in scene.arrows if (a.tail, a.shifts) == (tail, shifts) and not a.start and a.head in stamp.at]
        if tail not in stamp.at:
            continue
        shift = dict(shifts).get(axis, 0) if axis is not None else 0
        needed = {head: _measure_rise(stamp, tail, head, shift) for head in heads} if shift else {}
        if len([head for head in heads if head != tail]) >= _MANY or not all(rise <= _MOST_RISE for rise in needed.values()):
            out.groups.append((tail, shifts))
        else:
            for head, rise in needed.items():
                out.rises[head] = max(rise, out.rises.get(head, 0.0))
    return out


def _measure_rise(stamp: Stamp, tail: int, head: int, shift: int) -> float:
    """Return how much higher a row has to stand for a line from some steps before; 0 where another plain curve is free."""
    rows = [key for key in stamp.row if stamp.row[key] in (stamp.row[tail], stamp.row[head])]
    steps = range(-abs(shift) - 1, abs(shift) + 2)
    rise = 0.0
    while stamp.row[head] == stamp.row[tail] + 1 and rise <= _MOST_RISE:
        lifted = {
            key: replace(b, at=(b.at[0], b.at[1] + rise * (stamp.row[key] == stamp.row[head])))
            for key, b in stamp.bodies.items()
        }
        start, end = lifted[tail].move(-shift * stamp.pitch), lifted[head]
        bodies = [lifted[key].move(step * stamp.pitch) for step in steps for key in rows]
        if is_clear(
            join_bodies(start, end),
            [b for b in bodies if b.at not in (start.at, end.at)],
        ):
            return rise
        rise += 6.0
    return 0.0 if _is_plain(stamp, tail, head, shift) else float("inf")


def _is_plain(stamp: Stamp, tail: int, head: int, shift: int) -> bool:
    """Tell whether a straight line or a flat arc from an earlier step touches no other node."""
    start, end = stamp.bodies[tail].move(-shift * stamp.pitch), stamp.bodies[head]
    steps = range(-abs(shift) - 1, abs(shift) + 2)
    bodies = [body.move(step * stamp.pitch) for step in steps for body in stamp.bodies.values()]
    bodies = [body for body in bodies if body.at not in (start.at, end.at)]
    curves = [join_bodies(start, end)]
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
