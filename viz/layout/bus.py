"""The bus: an item that all steps share is drawn once, at the left, and a line along the columns leads to every use."""

from __future__ import annotations

from dataclasses import dataclass

from viz.layout.label_spots import LABEL_FONT, place_params
from viz.layout.layers import spread_out
from viz.layout.routes import Body, find_border, join_bodies, make_line, make_polyline
from viz.layout.stamp import Stamp
from viz.layout.unrolled import Unrolling
from viz.scene.items import Scene, find_later, label_params, measure_outline
from viz.scene.picture import Line, Mark

LANE = 13.0
_TAP = 9.0
# Below the paths that come from other steps and enter a node at its foot.
_FIRST = 19.0


@dataclass(frozen=True)
class Wire:
    """One line of a bus: its source, the row that it feeds from below, its lane below that row, and the items it feeds."""

    source: int
    row: int
    lane: int
    heads: tuple[int, ...]


def list_wires(scene: Scene, rows: dict[int, int]) -> list[Wire]:
    """Return one wire for each shared item and row that it feeds, lanes counted downwards from the row.

    Args:
        scene: the scene to draw.
        rows: the row of every item that varies over time. What is computed from these items is not shared.
    """
    made = find_later(scene, set(rows))
    feeds: dict[tuple[int, int], list[int]] = {}
    for arrow in scene.arrows:
        if arrow.head in rows and arrow.tail not in rows and arrow.tail not in made and not arrow.start:
            heads = feeds.setdefault((arrow.tail, rows[arrow.head]), [])
            if arrow.head not in heads:
                heads.append(arrow.head)
    lanes: dict[int, int] = {}
    out = []
    for (source, row), heads in feeds.items():
        lane = lanes.get(row, 0)
        lanes[row] = lane + 1
        out.append(Wire(source, row, lane, tuple(heads)))
    return out


def measure_lanes(found: list[Wire]) -> dict[int, float]:
    """Return the height in points to keep free below each item that a wire feeds, for `viz.layout.stamp.make_stamp`."""
    most: dict[int, float] = {}
    for wire in found:
        for head in wire.heads:
            most[head] = max(most.get(head, 0.0), _FIRST + LANE * wire.lane)
    return most


def print_bus(unrolling: Unrolling, found: list[Wire], edge: float) -> None:
    """Draw the sources of the wires at the left of `edge`, each once, and every wire with a tap for each use.

    Args:
        unrolling: whose columns are printed already.
        found: the wires.
        edge: the x left of everything drawn so far.
    """
    levels = {wire: get_wire_height(unrolling.stamp, wire) for wire in found}
    sources: dict[int, list[Wire]] = {}
    for wire in sorted(found, key=lambda wire: (-levels[wire], wire.lane)):
        sources.setdefault(wire.source, []).append(wire)
    sizes = {key: measure_outline(unrolling.items[key])[1:3] for key in sources}
    wished = [(-levels[own[0]], sizes[key][1] + 5.0) for key, own in sources.items()]
    widest = max((width for width, _ in sizes.values()), default=0.0)
    trunk = edge - 14.0 - 5.0 * len(sources)
    for i, (minus_y, (key, own)) in enumerate(zip(spread_out(wished), sources.items(), strict=True)):
        at = (trunk - 12.0 - widest / 2, -minus_y)
        unrolling.add(unrolling.items[key], at, (key, None), "")
        # The order of the trunks keeps them from crossing: outwards from the middle of the stack.
        lift = i if at[1] < levels[own[0]] else len(sources) - 1 - i
        for wire in own:
            _print_wire(unrolling, wire, levels[wire], trunk + 5.0 * lift)
    print_sources(unrolling, {key: (key, None) for key in sources}, trunk - 12.0 - widest)


def print_sources(unrolling: Unrolling, heads: dict[int, object], edge: float) -> None:
    """Draw the items that are no steps and from which others are computed, to their left, column by column.

    Args:
        unrolling: in which the heads are drawn already.
        heads: the items that are computed, and the keys of their marks, or of the rows outside of the sequence that they start.
        edge: the x left of everything drawn so far.
    """
    scene, bodies = unrolling.scene, unrolling.bodies
    while heads:
        arrows = [a for a in scene.arrows if a.head in heads and a.start == (heads[a.head] != (a.head, None))]
        arrows = [a for a in arrows if a.tail not in unrolling.stamp.at]
        tails = list(dict.fromkeys(a.tail for a in arrows if (a.tail, None) not in bodies))
        sizes = {key: measure_outline(unrolling.items[key])[1:3] for key in tails}
        wished = []
        for key in tails:
            heights = [-bodies[heads[a.head]].at[1] for a in arrows if a.tail == key]
            wished.append((sum(heights) / len(heights), sizes[key][1] + 6.0))
        widest = max((width for width, _ in sizes.values()), default=0.0)
        edge -= 30.0 + max((label_params(a.params).ems * LABEL_FONT for a in arrows), default=0.0)
        for key, minus_y in zip(tails, spread_out(wished), strict=True):
            unrolling.add(unrolling.items[key], (edge - widest / 2, -minus_y), (key, None), "")
        for arrow in arrows:
            curve = join_bodies(bodies[arrow.tail, None], bodies[heads[arrow.head]])
            label, spot = place_params(curve, arrow.params, [*bodies.values()])
            role = "param" if unrolling.items[arrow.tail].role == "param" else "start" if arrow.start else "shared"
            unrolling.picture.lines.append(Line((arrow.tail, None), heads[arrow.head], role, label, curve, spot))
        heads, edge = {key: (key, None) for key in tails}, edge - widest


def get_wire_height(stamp: Stamp, wire: Wire) -> float:
    """Return the y of a wire: below the lowest foot of the row that it feeds."""
    row = [key for key, row in stamp.row.items() if row == wire.row]
    foot = min(stamp.bodies[key].at[1] - stamp.bodies[key].height / 2 for key in row)
    return foot - _FIRST - LANE * wire.lane


def _print_wire(unrolling: Unrolling, wire: Wire, y: float, trunk: float) -> None:
    picture, source = unrolling.picture, (wire.source, None)
    role = "param" if unrolling.items[wire.source].role == "param" else "shared"
    before: object = source
    body = unrolling.bodies[source]
    for column in unrolling.columns.columns:
        if column.step is None:
            continue
        for head in sorted(wire.heads, key=lambda head: unrolling.stamp.at[head][0]):
            key = (head, column.place)
            target = unrolling.bodies[key]
            x = target.at[0] - target.width / 2 - _TAP
            tap = ("tap", wire.source, wire.row, key)
            ink = "point" if role == "param" else "sharedpoint"
            picture.marks.append(Mark(tap, ink, shape="point", width=4, height=4, at=(x, y)))
            if before == source:
                right = body.at[0] + body.width / 2
                curve = make_polyline(_list_corners(right, body.at[1], trunk, x, y))
            else:
                curve = make_line(unrolling.bodies[before].at, (x, y))
            picture.lines.append(Line(before, tap, role, curve=curve, arrow=False))
            picture.lines.append(Line(tap, key, role, curve=make_line((x, y), find_border(target, (x, y)))))
            unrolling.bodies[tap] = Body((x, y), 0.0, 0.0)
            before = tap


def _list_corners(right: float, start: float, trunk: float, x: float, y: float) -> list[tuple[float, float]]:
    """Return the corners of a wire: level from the source to the trunk, up to the wire, level to the first tap."""
    return [(right, start), (x, y)] if abs(start - y) < 0.5 else [(right, start), (trunk, start), (trunk, y), (x, y)]
