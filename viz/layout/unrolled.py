"""The unfolded picture of a scene of one axis: the stamp printed for each step, and the edges between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from viz.layout.edge_layout import EdgeLayout, Span
from viz.layout.gutter_choice import Group
from viz.layout.gutter_paths import LANE, Gutter, make_ghost_path
from viz.layout.label_spots import LABEL_FONT
from viz.layout.routes import Body, Curve, make_line, move_curve, route
from viz.layout.stamp import Stamp
from viz.layout.whole_reads import draw_whole_read
from viz.scene.columns import Column, Columns, format_integer
from viz.scene.items import Arrow, Item, Scene, label_params, make_mark, measure_outline
from viz.scene.label import EMPTY, Label, join_labels, make_name_label, make_text_label
from viz.scene.picture import Line, Mark, Picture, Point

End = tuple[int, int]  # an item and the place of its column

DOTS = make_text_label("⋯")
_GHOST_GAP = 46.0
_INTO = 19.0  # from a stamp to the first lane beside it


class Unrolling:
    """A scene, its stamp and its columns on the way to a Picture.

    Args:
        scene: the scene to draw.
        axis: name of the axis of time.
        stamp: the places of one step.
        columns: which steps are shown.
        labels: whether edges are labelled with the parameters they pass.
        left: x of the first column's spine.
        slices: whether each step is a slice with a ground of its own.
        lanes: the (tail, shifts) whose edges run level and upright between the columns, not straight, and the lane of each.
    """

    def __init__(
        self, scene: Scene, axis: str, stamp: Stamp, columns: Columns, *, labels: bool = True, left: float = 0.0,
        slices: bool = False, lanes: Mapping[Group, int] | None = None,
    ) -> None:  # fmt: skip
        self.scene, self.axis, self.stamp, self.columns = scene, axis, stamp, columns
        self.labels, self.left, self.slices = labels, left, slices
        self.items = {item.key: item for item in scene.items}
        self.widest = stamp.widest
        self.picture = Picture()
        self.bodies: dict[object, Body] = {}
        self.edge_layout = EdgeLayout(stamp, gutter=self._make_gutter)
        self.edge_layout.ghosts = {key: self._measure_ghost(key) for key in stamp.at}
        self._lanes = dict(lanes or {})
        self._beside = LANE * (1 + max(self._lanes.values(), default=-1))

    # -- marks ----------------------------------------------------------------------------------------------------

    def get_x(self, place: int) -> float:
        """Return where the spine of a column stands; ghosts stand closer than a whole step."""
        last = len(self.columns.columns) - 1
        if place < 0:
            return self.left + place * self._ghost_pitch
        if place > last >= 0:
            return self.left + last * self.stamp.pitch + (place - last) * self._ghost_pitch
        return self.left + place * self.stamp.pitch

    @cached_property
    def _ghost_pitch(self) -> float:
        recurrent = [a for a in self.scene.arrows if a.shifts and not a.start]
        label = max((label_params(a.params).ems * LABEL_FONT for a in recurrent), default=0.0) if self.labels else 0.0
        tails = {a.tail for a in recurrent if a.tail in self.stamp.at}
        half = max((self._measure_ghost(key)[0] / 2 for key in tails), default=21.0)
        lanes = _INTO + self._beside + 8.0 if self._lanes else 12.0
        reach = max(
            half + 24.0 + max((self._measure_width(key) / 2 for key in tails), default=21.0), half + lanes - self.stamp.left,
            *(self._measure_way_out(a.tail, self._get_shift(a)) for a in recurrent if a.tail in self.stamp.at),
        )  # fmt: skip
        near = max(46.0 + max(_GHOST_GAP, min(label, 90.0) + 24.0, -self.stamp.left + 12.0), reach)
        slanted = any(abs(self._get_shift(a)) > 1 and (a.tail, a.shifts) not in self._lanes for a in recurrent)
        return max(self.stamp.pitch if slanted else min(self.stamp.pitch, near), reach)  # slanted lines stay parallel

    def _measure_way_out(self, key: int, shift: int) -> float:
        """Return how far a ghost stands off its place in a step so that it is beside all that stands in its row."""
        (x, y), (width, height, _), side = self.stamp.at[key], self._measure_ghost(key), -1 if shift > 0 else 1
        row = (b for b in self.stamp.bodies.values() if abs(b.at[1] - y) < (b.height + height) / 2)
        return max(side * (b.at[0] - x) + (b.width + width) / 2 + 12.0 for b in row)

    def _measure_ghost(self, key: int) -> tuple[float, float, bool]:
        """Return width, height and roundness of what stands for an item outside of its sequence."""
        shape, width, height, _ = measure_outline(make_ghost(self.items[key]), self.widest)
        return width, height, shape in ("circle", "ellipse")

    def _measure_width(self, key: int) -> float:
        return self.stamp.bodies[key].width

    def add(self, item: Item, at: Point, key: object, index: str, role: str = "", step: int | None = None) -> None:
        """Draw an item at a point; edges refer to it by its key."""
        self.picture.marks.append(make_mark(item, index, at, key, role, self.widest, step))
        shape, width, height, _ = measure_outline(item, self.widest)
        self.bodies[key] = Body(at, width, height, shape in ("circle", "ellipse"))

    def print_columns(self, dotted_rows: bool = True) -> None:
        """Print the stamp into every column; where steps are left out, dots stand in every row.

        Args:
            dotted_rows: False to dot only the rows that lead from step to step.
        """
        carried = {key for arrow in self._list_recurrent() for key in (arrow.tail, arrow.head)}
        if dotted_rows and not self.slices:
            carried |= {key for key, item in self.items.items() if item.role != "label"}
        for column in self.columns.columns:
            for key, (dx, y) in self.stamp.at.items():
                at = (self.get_x(column.place) + dx, y)
                if column.step is not None:
                    self.add(self.items[key], at, (key, column.place), column.index, step=column.step)
                elif key in carried:
                    self.picture.marks.append(Mark((key, column.place), "text", DOTS, "plaintext", 22, 16, at, font=20))
                    self.bodies[key, column.place] = Body(at, 26.0, 18.0)

    def print_slices(self) -> None:
        """Print a faint ground under every step, with `t = 0` at its foot."""
        stamp = self.stamp
        width, height = stamp.right - stamp.left + 20.0, stamp.top - stamp.bottom + 52.0
        for column in self.columns.columns:
            label = make_heading(self.axis, column)
            x = self.get_x(column.place) + (stamp.left + stamp.right) / 2
            if column.step is None:
                at = (x, stamp.bottom - 28.0)
                ground = Mark(("slice", column.place), "text", label, "plaintext", 50, 18, at, font=12)
            else:
                at = (x, (stamp.top + stamp.bottom) / 2 - 10.0)
                ground = Mark(
                    ("slice", column.place), "slice", label, "box", width, height, at, True, 12, step=column.step, foot=True
                )
            self.picture.marks.append(ground)

    def print_ghosts(self) -> None:
        """Print the rows before and after the sequence, with the values that they are set to."""
        crowd: dict[bool, list[float]] = {}
        for key, place, step in self._list_ghosts():
            item = self.items[key]
            at = self._place_ghost(key, place, step, crowd.setdefault(place < 0, []))
            index = format_integer(step)
            _, width, height, _ = measure_outline(make_ghost(item), self.widest)
            self.picture.marks.append(make_mark(make_ghost(item), index, at, (key, place), "ghost",
                                           self.widest, step))  # fmt: skip
            self.bodies[key, place] = Body(at, width, height)
            offset = step if step < 0 else step - (self.columns.length or 0)
            text = dict(item.starts).get(offset)
            if text is not None:
                shown = join_labels([make_text_label("= "), text], "")
                above = (at[0], at[1] + height / 2 + 10)
                self.picture.marks.append(Mark(("start", key, place), "text", shown, "plaintext", 40, 14, above, font=11))

    def _place_ghost(self, key: int, place: int, step: int, crowd: list[float]) -> Point:
        """Return the place of a ghost: beside the row of its item; with slices, beside the node that reads it."""
        dx, y = self.stamp.at[key]
        if not self.slices:
            return self.get_x(place) + dx, y
        ahead = -step if step < 0 else (self.columns.length or 0) - 1 - step
        readers = [arrow for arrow in self._list_recurrent() if arrow.tail == key]
        y = self.stamp.at[min(readers, key=lambda arrow: abs(self._get_shift(arrow) - ahead)).head][1]
        apart = max(48.0, *(self._measure_ghost(arrow.tail)[1] + 6.0 for arrow in self._list_recurrent()))
        while any(abs(y - other) < apart for other in crowd) or any(abs(y - wire) < 25.0 for wire in self.edge_layout.wires):
            y += 6.0
        crowd.append(y)
        last = len(self.columns.columns) - 1
        widest = max(self._measure_ghost(arrow.tail)[0] for arrow in self._list_recurrent())
        wide, further = self._beside + 27.0 + widest / 2, widest + 24.0  # paths lead down between them
        if place < 0:
            return self.left + self.stamp.left - wide + (place + 1) * further, y
        return self.get_x(last) + self.stamp.right + wide + (place - last - 1) * further, y

    def _list_ghosts(self) -> Iterator[tuple[int, int, int]]:
        length = self.columns.length
        seen: dict[tuple[int, int], int] = {}
        for arrow in self._list_recurrent():
            k = self._get_shift(arrow)
            for column in self.columns.columns:
                if column.step is None or length is None:
                    continue
                step = column.step - k
                if not 0 <= step < length:
                    seen[arrow.tail, self.columns.place(step)] = step
        for (key, place), step in sorted(seen.items(), key=lambda pair: (abs(pair[0][1]), pair[0])):
            yield key, place, step

    def print_headings(self, bottom: float | None = None) -> None:
        """Print `t = 0` under every column, or further below, under what reaches down to `bottom`."""
        y = (self.stamp.bottom if bottom is None else bottom) - 30.0
        for column in self.columns.columns:
            label = make_heading(self.axis, column)
            at = (self.get_x(column.place), y)
            self.picture.marks.append(
                Mark(("heading", column.place), "text", label, "plaintext", 50, 18, at, font=12, step=column.step)
            )

    def list_starts(self) -> dict[int, object]:
        """Return the items that start from something computed, each with the row outside of the sequence next to it."""
        starts = dict.fromkeys(arrow.head for arrow in self.scene.arrows if arrow.start)
        ends = {key: [(key, -1), (key, len(self.columns.columns))] for key in starts}
        return {
            key: next(end for end in both if end in self.bodies)
            for key, both in ends.items()
            if any(e in self.bodies for e in both)
        }

    # -- edges ----------------------------------------------------------------------------------------------------

    def _list_recurrent(self) -> list[Arrow]:
        """Return the arrows that lead from one step to another."""
        return [a for a in self.scene.arrows if self._get_shift(a) and a.tail in self.stamp.at and a.head in self.stamp.at]

    def _get_shift(self, arrow: Arrow) -> int:
        return dict(arrow.shifts).get(self.axis, 0) if not arrow.whole else 0

    def print_arrows(self) -> None:
        """Draw every dependence between items that both vary over the axis, at every step shown."""
        drawn: dict[tuple[End, End, tuple], Arrow] = {}
        for arrow in self.scene.arrows:
            if self._is_drawn(arrow):
                for tail, head in self._list_ends(arrow):
                    drawn.setdefault((tail, head, self._get_kind(arrow)), arrow)
        spans: dict[Span, Arrow] = {}
        for (tail, head, _), arrow in drawn.items():
            if not (self._make_gutter(arrow) and self._is_outside(tail[1])):  # such a path depends on where the ghost stands
                spans.setdefault(self._get_span(arrow, tail, head), arrow)
        self.edge_layout.choose_curves(spans, self._write_label)
        for (tail, head, _), arrow in drawn.items():
            self._draw(arrow, tail, head)
        shown = {column.place: self.get_x(column.place) for column in self.columns.columns if column.step is not None}
        for lane, arrow in enumerate(self._list_whole()):
            draw_whole_read(self.picture, self.stamp, shown, arrow, lane, closed=self.columns.length is not None)

    def _list_whole(self) -> list[Arrow]:
        """Return the arrows by which every step reads many steps."""
        return [a for a in self.scene.arrows if a.whole and a.tail in self.stamp.at and a.head in self.stamp.at]

    def _is_drawn(self, arrow: Arrow) -> bool:
        """Tell whether the arrow is drawn among the columns."""
        return arrow.tail in self.stamp.at and arrow.head in self.stamp.at and not arrow.start and not arrow.whole

    def _write_label(self, arrow: Arrow) -> Label:
        words = [label_params(arrow.params)] if self.labels and arrow.params else []
        words += [make_text_label(axis) for axis, _ in arrow.shifts if axis not in self.scene.axes]  # of an equilibrium: ∞
        return join_labels(words) if words else EMPTY

    def _list_ends(self, arrow: Arrow) -> Iterator[tuple[End, End]]:
        """Yield (tail, place) and (head, place) for every step at which at least one of the two is shown."""
        k, length = self._get_shift(arrow), self.columns.length
        for column in self.columns.columns:
            if column.step is None:
                continue
            tail = (arrow.tail, self.columns.place(column.step - k))
            yield tail, (arrow.head, column.place)
            ahead = column.step + k
            if k and (length is None or 0 <= ahead < length):
                yield (arrow.tail, column.place), (arrow.head, self.columns.place(ahead))

    def _get_span(self, arrow: Arrow, tail: End, head: End) -> Span:
        apart = (self.bodies[tail].at[0] - self.bodies[head].at[0]) / self.stamp.pitch
        # rounded as a number of columns, which is whole for most: so many points may lie halfway between two roundings
        return arrow.tail, arrow.head, round(apart, 3) * self.stamp.pitch, self._get_kind(arrow)

    def _get_kind(self, arrow: Arrow) -> tuple:
        """Return what tells apart arrows of the same ends: beside dots, how many steps they lead over."""
        return (self._get_shift(arrow),)

    def _make_gutter(self, arrow: Arrow) -> Gutter | None:
        stamp = self.stamp
        lane = self._lanes.get((arrow.tail, arrow.shifts)) if self._get_shift(arrow) else None
        return None if lane is None or self._is_level(arrow) else Gutter(stamp.left, stamp.right, stamp.bottom - 50.0, lane)

    def _is_level(self, arrow: Arrow) -> bool:
        """Tell whether an arrow leads along a row to the next step, from which the others of its gutter branch off."""
        return not self.slices and arrow.tail == arrow.head and abs(self._get_shift(arrow)) == 1

    def _is_outside(self, place: int) -> bool:
        return not 0 <= place < len(self.columns.columns)

    def _draw(self, arrow: Arrow, tail: End, head: End) -> None:
        dx = self.bodies[head].at[0] - self.stamp.at[arrow.head][0]
        span = self._get_span(arrow, tail, head)
        gutter = self._make_gutter(arrow)
        if gutter is not None and self._is_outside(tail[1]):
            bodies = list(self.stamp.bodies.values())
            near = tail[1] in (-1, len(self.columns.columns)) or self.slices
            first = near and head[1] == (0 if tail[1] < 0 else len(self.columns.columns) - 1)
            curve = make_ghost_path(self.bodies[tail], self.bodies[head], dx, bodies, gutter, first)
        else:
            curve = move_curve(self.edge_layout.curves[span], dx)
        dotted = self.columns.is_dotted(tail[1]) or self.columns.is_dotted(head[1])
        if dotted and gutter is None and all(abs(y - curve[0][1]) < 0.01 for _, y in curve):
            curve = route(self.bodies[tail], self.bodies[head], [])  # up to the dots, which are narrower
        elif dotted:
            if self.columns.is_dotted(head[1]):
                curve = _reach_dots(curve, self.bodies[head])
            if self.columns.is_dotted(tail[1]):
                curve = _reach_dots(curve[::-1], self.bodies[tail])[::-1]
        spot = self.edge_layout.spots.get(span)
        label = self._write_label(arrow) if spot else EMPTY
        at = (spot[0] + dx, spot[1]) if spot else None
        self.picture.lines.append(Line(tail, head, get_line_role(arrow, self.items[arrow.tail]), label, curve, at))


def _reach_dots(curve: Curve, dots: Body) -> Curve:
    """Return the curve with its last piece, if that is level, up to the dots, which are narrower than what they stand for."""
    (x, y), (a, b) = curve[-4], curve[-1]
    if abs(y - b) > 0.5 or abs(b - dots.at[1]) > dots.height / 2 or x == a:
        return curve
    return (*curve[:-4], *make_line((x, y), (dots.at[0] + (-1 if a > x else 1) * dots.width / 2, b)))


def make_ghost(item: Item) -> Item:
    """Return what stands for an item before or after the sequence: its name alone, or what it is if it has none."""
    return replace(item, boxed=not item.name, title=EMPTY if item.name else item.title, note=EMPTY)


def get_line_role(arrow: Arrow, tail: Item) -> str:
    """Return the role of a line: recurrent edges have a colour of their own, edges from labels stay in the background."""
    if arrow.start:
        return "start"
    if arrow.shifts:
        return "recur"
    if tail.role == "param":
        return "param"
    return "faint" if tail.role == "label" else "flow"


def make_heading(axis: str, column: Column) -> Label:
    """Return the label under a column: `t = 0`, or dots for the steps that are left out."""
    if column.step is None:
        return DOTS
    return join_labels([make_name_label(axis), make_text_label(column.index)], " = ")
