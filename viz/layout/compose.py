"""Whole pictures composed from a scene: unfolded, folded, or both side by side. Pure: from data to data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from viz.errors import TooLargeError
from viz.layout.bands import drop_scopes, list_bands, make_room, print_bands
from viz.layout.bus import Wire, get_wire_height, list_wires, measure_lanes, print_bus, print_sources
from viz.layout.clearing import clear_picture
from viz.layout.folded_column import FoldedColumn
from viz.layout.grids import compose_grids
from viz.layout.gutter_choice import Channels, Group, choose_channels, list_groups, note_params
from viz.layout.gutter_paths import LANE
from viz.layout.sequence_results import print_results
from viz.layout.stamp import Stamp, make_stamp
from viz.layout.unrolled import Unrolling
from viz.scene.columns import Columns, show_middle_steps
from viz.scene.items import Arrow, Item, Scene
from viz.scene.label import make_text_label, stack_labels
from viz.scene.picture import Mark, Picture, Point, measure_picture

MOST_MARKS = 4000
MOST_ITEMS = 1200

_ARROW = stack_labels([make_text_label("unroll", 0.86), make_text_label("⇒", 1.86)])


def check_size(count: int, most: int, kind: str, fix: str) -> None:
    """Refuse a picture of more than can be drawn or read.

    Raises:
        TooLargeError: count exceeds most.
    """
    if count > most:
        raise TooLargeError(
            "P204",
            f"the picture has {count:,} {kind}, more than can be drawn",
            expected=f"at most {most:,}",
            got=f"{count:,}",
            fix=fix,
        )


def drop_params(scene: Scene) -> Scene:
    """Return the scene without its parameters, and with edges that do not name them."""
    items = [item for item in scene.items if item.role != "param"]
    keys = {item.key for item in items}
    arrows = [replace(arrow, params=()) for arrow in scene.arrows if {arrow.tail, arrow.head} <= keys]
    return Scene(items, arrows, scene.axes)


def add_bus(scene: Scene) -> Scene:
    """Return the scene with each parameter as an item of its own, and an arrow to every variable that reads it."""
    names = dict.fromkeys(name for arrow in scene.arrows for name in arrow.params)
    first = 1 + max((item.key for item in scene.items), default=0)
    keys = {name: first + i for i, name in enumerate(names)}
    bare = drop_params(scene)
    uses = dict.fromkeys((keys[name], arrow.head, arrow.start) for arrow in scene.arrows for name in arrow.params)
    items = [Item(key, name, "param") for name, key in keys.items()]
    return Scene(
        [*items, *bare.items], [*bare.arrows, *(Arrow(key, head, start=start) for key, head, start in uses)], scene.axes
    )


def compose_unfolded(scene: Scene, axis: str, columns: Columns, *, boxes: bool) -> Picture:
    """Return the unfolded picture of a scene of one axis.

    Args:
        scene: the scene to draw.
        axis: name of the axis of time.
        columns: which steps are shown.
        boxes: True for operations in slices with horizontal and vertical paths between them, False for variables.

    Returns:
        A placed Picture.

    Raises:
        TooLargeError: more nodes than can be drawn.
    """
    check_size(len(scene.items) * max(len(columns.columns), 1), MOST_MARKS, "nodes",
               'level="variables", or a smaller t= or steps=(…)')  # fmt: skip
    if boxes and any(arrow.whole for arrow in scene.arrows):
        return clear_picture(compose_grids(scene, {axis: columns}, axis))
    bands: dict[str, list[int]] = {}
    channels = Channels(list_groups(scene)) if boxes else choose_channels(scene, axis)
    if not boxes:
        scene, bands = choose_names(scene, axis, channels)
    options: dict[str, Any] = {"split": False, "rise": 22.0, "gutter": 44.0} if boxes else {}
    step = lay_out_step(scene, axis, channels, columns, bands, **options)
    found, stamp = step.wires, step.stamp
    unrolling = Unrolling(scene, axis, stamp, columns, labels=not boxes, slices=boxes, lanes=step.lanes)
    unrolling.edge_layout.wires = [get_wire_height(stamp, wire) for wire in found]
    if boxes:
        unrolling.print_slices()
    unrolling.print_columns()
    unrolling.print_ghosts()
    unrolling.print_arrows()
    print_bands(unrolling, bands)
    if not boxes:
        unrolling.print_headings()
    left = min((body.at[0] - body.width / 2 for body in unrolling.bodies.values()), default=0.0)
    if columns.columns and found:
        print_bus(unrolling, found, left - (16.0 if boxes else 4.0))
    print_sources(unrolling, unrolling.list_starts(), measure_extent(unrolling.picture)[0])
    print_results(unrolling)
    return clear_picture(unrolling.picture)


@dataclass(frozen=True)
class Step:
    """One step that is laid out: its stamp, the wires of a bus, and the lanes of its trunks."""

    stamp: Stamp
    wires: list[Wire]
    lanes: dict[Group, int]


def lay_out_step(
    scene: Scene, axis: str, channels: Channels, columns: Columns, bands: dict[str, list[int]] | None = None, *,
    gutter: float = 46.0, **options: Any,
) -> Step:  # fmt: skip
    """Lay out one step, with room for what runs between its rows and beside it.

    Args:
        scene, axis: what is drawn.
        channels: where its recurrent edges run.
        columns: which steps are shown.
        bands: the items of each scope that is a band.
        gutter: free points between columns without trunks.
        options: for `make_stamp`.
    """
    widest = max([column.index for column in columns.columns] + ["−1"], key=len)
    stamp = make_stamp(scene, axis, widest=widest, gutter=gutter, **options)
    wires = list_wires(scene, stamp.row)
    room: dict[int, float] = {}
    for found in (channels.rises, make_room(bands or {}, stamp), measure_lanes(wires)):
        room |= {key: room.get(key, 0.0) + free for key, free in found.items()}
    if any(room.values()):
        stamp = make_stamp(scene, axis, widest=widest, gutter=gutter, lanes=room, **options)
    lanes = channels.number_lanes(scene, stamp)
    wide = gutter + LANE * (1 + max(lanes.values(), default=-1))
    return Step(replace(stamp, pitch=max(stamp.pitch, stamp.right - stamp.left + wide)), wires, lanes)


def choose_names(scene: Scene, axis: str | None, channels: Channels) -> tuple[Scene, dict[str, list[int]]]:
    """Return the scene with the parameters of trunks at their readers, and without scopes where each is a band of its own.

    Returns:
        The scene, and the items in each band.
    """
    short = note_params(drop_scopes(scene), channels.groups)
    bands = list_bands(scene.items, make_stamp(short, axis))
    return (short, bands) if bands else (note_params(scene, channels.groups), {})


def compose_folded(scene: Scene) -> Picture:
    """Return the folded picture of variables: one column, with a loop for each delay.

    Args:
        scene: the scene to draw, over any number of axes.

    Returns:
        A placed Picture.

    Raises:
        TooLargeError: more nodes than can be drawn.
    """
    check_size(len(scene.items), MOST_ITEMS, "nodes", "draw a part of the graph: ag.Graph(node) of a node inside")
    widest = ",".join(scene.axes) if len(scene.axes) > 1 else "t"
    channels = choose_channels(scene, None)
    scene, bands = choose_names(scene, None, channels)
    stamp = make_stamp(scene, None, widest=widest)
    stamp = make_stamp(scene, None, widest=widest, lanes=make_room(bands, stamp))
    loops = FoldedColumn(scene, stamp, indexed=True, lanes=channels.number_lanes(scene, stamp))
    loops.print_columns()
    loops.print_arrows()
    print_bands(loops, bands)
    return clear_picture(loops.picture)


def compose_both(scene: Scene, axis: str, t: int) -> Picture:
    """Return the folded picture ⇒ the unfolded one, with rows at the same heights.

    Args:
        scene: the scene to draw.
        axis: name of the axis of time.
        t: number of steps shown, out of the middle of a sequence.

    Returns:
        A placed Picture.

    Raises:
        TooLargeError: more nodes than can be drawn.
    """
    channels = choose_channels(scene, axis)
    scene = note_params(scene, channels.groups)
    columns = show_middle_steps(t, axis)
    check_size(len(scene.items) * len(columns.columns), MOST_MARKS, "nodes", "a smaller t=")
    step = lay_out_step(scene, axis, channels, columns)
    found, stamp = step.wires, step.stamp
    left = FoldedColumn(scene, stamp, delays=False, lanes=step.lanes)
    right = Unrolling(scene, axis, stamp, columns, lanes=step.lanes)
    for side in (left, right):
        side.edge_layout.wires = [get_wire_height(stamp, wire) for wire in found]
        side.print_columns(dotted_rows=False)
        side.print_arrows()
        if found:
            print_bus(side, found, measure_extent(side.picture)[0] - 4.0)
        print_results(side)
    heights = [stamp.at[a.tail][1] for a in scene.arrows if a.shifts and a.tail in stamp.at]
    height = sum(heights) / len(heights) if heights else (stamp.top + stamp.bottom) / 2
    return clear_picture(join_pictures(left.picture, right.picture, height))


def join_pictures(left: Picture, right: Picture, height: float | None = None) -> Picture:
    """Return one picture ⇒ the other.

    Args:
        left, right: the pictures; the right one is moved, and gets keys of its own.
        height: the y of the sign between them, with rows as high as they are; by default both stand around one middle.
    """
    _, low, edge, high = measure_picture(left)
    begin, bottom, _, top = measure_picture(right)
    lift = 0.0 if height is not None else (low + high - bottom - top) / 2
    at = (edge + 60.0, height if height is not None else (low + high) / 2)
    sign = Mark("unroll", "static", _ARROW, "plaintext", 64, 50, at)
    moved = shift_picture(right, edge + 120.0 - begin, "unrolled", lift)
    return Picture([*left.marks, sign, *moved.marks], [*left.lines, *moved.lines])


def measure_extent(picture: Picture) -> tuple[float, float]:
    """Return the left and right end of a picture, points."""
    left, _, right, _ = measure_picture(picture)
    return left, right


def shift_picture(picture: Picture, dx: float, tag: str, dy: float = 0.0) -> Picture:
    """Return the picture moved by dx and dy, with keys of its own, so that it can be added to another."""

    def move(at: Point) -> Point:
        return at[0] + dx, at[1] + dy

    marks = [replace(m, key=(tag, m.key), at=move(m.at)) for m in picture.marks]
    lines = [
        replace(line, tail=(tag, line.tail), head=(tag, line.head),
                label_at=None if line.label_at is None else move(line.label_at), curve=tuple(map(move, line.curve)))
        for line in picture.lines
    ]  # fmt: skip
    return Picture(marks, lines)
