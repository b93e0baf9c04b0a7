"""Items that are computed from whole sequences, such as the loss: drawn once, above the columns."""

from __future__ import annotations

from viz.layout.gutter_paths import find_level
from viz.layout.label_spots import place_params
from viz.layout.layers import lay_out_rows, spread_out
from viz.layout.routes import Body, Curve, is_clear, join_bodies, make_line, make_polyline, route
from viz.layout.unrolled import Unrolling, get_line_role
from viz.scene.items import Arrow, Item, find_later, measure_outline
from viz.scene.picture import Line

_RISE = 52.0
_STAIR = 40.0


def list_results(unrolling: Unrolling) -> list[Item]:
    """Return the static items that depend on some step, in the scene's order."""
    keys = find_later(unrolling.scene, set(unrolling.stamp.at))
    return [item for item in unrolling.scene.items if item.key in keys]


def print_results(unrolling: Unrolling) -> None:
    """Draw the static items that depend on steps, and what else those read, in rows above the columns."""
    made = {item.key for item in list_results(unrolling)}
    arrows = [a for a in unrolling.scene.arrows if a.head in made and not a.start]
    aside = {a.tail for a in arrows} - made - set(unrolling.stamp.at)
    aside = {key for key in aside if (key, None) not in unrolling.bodies}
    items = [item for item in unrolling.scene.items if item.key in made | aside]
    sizes = {item.key: measure_outline(item)[1:3] for item in items}
    inner: list[tuple[object, object]] = [(a.tail, a.head) for a in arrows if a.tail in sizes]
    # The steps are below all items: readers of steps are as low as possible, items that read nothing next to their reader.
    inner += [("steps", a.head) for a in arrows if a.tail in unrolling.stamp.at]
    row = lay_out_rows({"steps": 0.0} | {key: size[0] for key, size in sizes.items()}, inner).row
    wish: dict[int, float] = {}
    y = unrolling.stamp.top + _RISE
    for level in range(max(row.values(), default=-1) + 1):
        together = [item for item in items if row[item.key] == level]
        for item in together:
            wish[item.key] = _choose_place(unrolling, item.key, arrows, wish)
        together.sort(key=lambda item: wish[item.key])
        xs = spread_out([(wish[item.key], sizes[item.key][0] + 24.0) for item in together])
        readers = 0
        for item, x in zip(together, xs, strict=True):
            wish[item.key] = x
            unrolling.add(item, (x, y + _STAIR * readers), (item.key, None), "")
            # Lines from all steps to one item pass below the next, which also stands above all of them.
            readers += any(arrow.head == item.key and arrow.tail in unrolling.stamp.at for arrow in arrows)
        y += 80.0 + _STAIR * max(readers - 1, 0) if together else 0.0
    for arrow in arrows:
        _join_arrow(unrolling, arrow)
    for arrow in unrolling.scene.arrows:
        if arrow.tail in made and arrow.head in unrolling.stamp.at and not arrow.start:
            _hand_back(unrolling, arrow)


def _choose_place(unrolling: Unrolling, key: int, arrows: list[Arrow], placed: dict[int, float]) -> float:
    """Return a place over the middle of what an item reads; one that reads nothing stands left of its first reader."""
    xs: list[float] = []
    reads = [arrow for arrow in arrows if arrow.head == key]
    for arrow in reads:
        if arrow.tail in unrolling.stamp.at:
            xs += [unrolling.bodies[end].at[0] for end in _list_tails(unrolling, arrow)]
        elif arrow.tail in placed:
            xs.append(placed[arrow.tail])
    if xs:
        return (min(xs) + max(xs)) / 2
    reader = next((arrow.head for arrow in arrows if arrow.tail == key), None)
    if reads or reader is None:
        return unrolling.left + (len(unrolling.columns.columns) - 1) * unrolling.stamp.pitch / 2
    return _choose_place(unrolling, reader, [a for a in arrows if a.tail in unrolling.stamp.at or a.tail == key], {}) - 70.0


def _list_tails(unrolling: Unrolling, arrow: Arrow) -> list[tuple[int, int]]:
    """Return the (item, place) pairs that an arrow out of the columns starts from."""
    shown = [column for column in unrolling.columns.columns if column.step is not None]
    if arrow.pick is None:
        return [(arrow.tail, column.place) for column in shown]
    length = unrolling.columns.length
    if length is None:  # the first and the last step are among the dots at either end
        ends = [(arrow.tail, 0 if arrow.pick >= 0 else len(unrolling.columns.columns) - 1)]
    else:
        ends = [(arrow.tail, unrolling.columns.place(arrow.pick % length))] if -length <= arrow.pick < length else []
    return [end for end in ends if end in unrolling.bodies]


def _join_arrow(unrolling: Unrolling, arrow: Arrow) -> None:
    """Draw an arrow at every step it starts from; all of them straight, or all of them beside their columns."""
    head = (arrow.head, None)
    tails: list[tuple[int, int | None]]
    if arrow.tail in unrolling.stamp.at:
        tails = [*_list_tails(unrolling, arrow)]
    else:
        tails = [(arrow.tail, None)] if (arrow.tail, None) in unrolling.bodies else []
    others = [(key, body) for key, body in unrolling.bodies.items() if key not in (head, *tails)]
    bodies = [body for key, body in others if not (isinstance(key, tuple) and key[0] == "tap")]
    end = unrolling.bodies[head]
    lines = [join_bodies(unrolling.bodies[t], end) for t in tails]
    if not all(is_clear(line, bodies) for line in lines):
        lines = [_make_detour(unrolling, tail, end, bodies) for tail in tails]
    for tail, curve in zip(tails, lines, strict=True):
        label, spot = place_params(curve, arrow.params if unrolling.labels else (), bodies)
        role = "param" if unrolling.items[arrow.tail].role == "param" else get_line_role(arrow, unrolling.items[arrow.tail])
        unrolling.picture.lines.append(Line(tail, head, role, label, curve, spot))


def _make_detour(unrolling: Unrolling, tail: tuple[int, int | None], end: Body, bodies: list[Body]) -> Curve:
    """Return a path to the head: direct from the top row; from rows further below, up beside the column first."""
    start, stamp = unrolling.bodies[tail], unrolling.stamp
    if tail[1] is None or start.at[1] + start.height / 2 > stamp.top - 20.0:
        return route(start, end, bodies)
    dx = unrolling.get_x(tail[1])
    x, top = dx + stamp.right + 7.0, start.at[1] + start.height / 2
    own = list(stamp.bodies.values())
    level = find_level([top + 8.0 + 6.0 * k for k in range(6)], start.at[0] - dx, x - dx, own, start.move(-dx))
    low, high = (x, level), (x, stamp.top + 8.0)
    foot = (start.at[0], top)
    last = route(Body(high, 0.0, 0.0), end, bodies)
    if len(last) == 4 and is_clear(make_line(high, last[-1]), bodies):
        return make_polyline([foot, (foot[0], level), low, high, last[-1]])
    return make_polyline([foot, (foot[0], level), low, high]) + last[1:]


def _hand_back(unrolling: Unrolling, arrow: Arrow) -> None:
    """Draw the items that are computed from all steps and read at every step."""
    tail = (arrow.tail, None)
    for column in unrolling.columns.columns:
        head = (arrow.head, column.place)
        if column.step is None:
            continue
        ends = unrolling.bodies[tail], unrolling.bodies[head]
        others = [body for key, body in unrolling.bodies.items() if key not in (tail, head)]
        unrolling.picture.lines.append(Line(tail, head, "shared", curve=route(*ends, others)))
