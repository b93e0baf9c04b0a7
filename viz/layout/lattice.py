"""A recurrence over two axes, unfolded: a lattice of steps, and the wavefronts along which it can be computed."""

from __future__ import annotations

from viz.layout.board import Board
from viz.layout.routes import Body, join_bodies
from viz.layout.stamp import make_stamp
from viz.scene.columns import Column, Columns, format_integer
from viz.scene.items import Arrow, Scene
from viz.scene.label import join_labels, make_name_label, make_text_label, measure_ems
from viz.scene.picture import Line, Mark, Picture, Point

Cell = tuple[int, int]

# Rows of a step lean to the right, so that lines from the step below, and wavefronts, pass beside what the state reads.
_LEAN = 0.5
_GAP = 64.0
_NARROWER = 0.45


class Lattice(Board):
    """The steps of two axes: the second axis leads to the right, the first one upwards.

    Args:
        scene: a scene over two axes.
        columns: for each axis, the steps to show.
    """

    def __init__(self, scene: Scene, columns: dict[str, Columns]) -> None:
        self.up, self.right = scene.axes
        self.columns = columns
        longest = [max([c.index for c in columns[axis].columns] + ["−1"], key=measure_ems) for axis in scene.axes]
        super().__init__(scene, ",".join(longest))
        self.items = {item.key: item for item in scene.items}
        self.inner = {item.key for item in scene.items if set(item.over) == set(scene.axes)}
        within = [a for a in scene.arrows if a.tail in self.inner and a.head in self.inner]
        part = Scene([item for item in scene.items if item.key in self.inner], within, scene.axes)
        stamp = make_stamp(part, None, widest=self.widest)
        self.at = {key: (x + _LEAN * y, 0.9 * y) for key, (x, y) in stamp.at.items()}
        xs, ys = zip(*self.at.values(), strict=True)
        widest = max(body.width for body in stamp.bodies.values())
        self.pitch = (max(xs) - min(xs) + widest + _GAP, max(ys) - min(ys) + 42.0 + _GAP)

    def get_place(self, cell: Cell) -> Point:
        """Return where a cell stands: (place along the first axis, place along the second)."""
        return self._get_offset(self.right, cell[1]) * self.pitch[0], self._get_offset(self.up, cell[0]) * self.pitch[1]

    def _get_offset(self, axis: str, place: int) -> float:
        """Return how many steps a place stands from the first one; dots take less than a step."""
        dots = [column.place for column in self.columns[axis].columns if column.step is None]
        return place - _NARROWER * sum(place > dot for dot in dots) - _NARROWER / 2 * (place in dots)

    def print_cells(self) -> None:
        """Print the items of every step; dots where steps are left out."""
        for row in self.columns[self.up].columns:
            for column in self.columns[self.right].columns:
                x, y = self.get_place((row.place, column.place))
                for key, (dx, dy) in self.at.items():
                    at = (x + dx, y + dy)
                    if row.step is None or column.step is None:
                        if self.items[key].role == "state":
                            sign = "⋯" if column.step is None else "⋮"
                            self.add_text((key, (row.place, column.place)), make_text_label(sign), at, 18.0)
                    else:
                        index, step = f"{row.index},{column.index}", (row.step, column.step)
                        self.add(self.items[key], (key, (row.place, column.place)), at, index, step=step)

    def print_arrows(self) -> None:
        """Draw every dependence between the steps shown, and what stands for the steps outside."""
        for arrow in self.scene.arrows:
            if arrow.tail not in self.inner or arrow.head not in self.inner or arrow.start:
                continue
            shifts = dict(arrow.shifts)
            for row in self.columns[self.up].columns:
                for column in self.columns[self.right].columns:
                    if row.step is not None and column.step is not None:
                        self._draw(arrow, row, column, shifts.get(self.up, 0), shifts.get(self.right, 0))

    def _draw(self, arrow: Arrow, row: Column, column: Column, up: int, right: int) -> None:
        assert row.step is not None
        assert column.step is not None
        cell = (self.columns[self.up].place(row.step - up), self.columns[self.right].place(column.step - right))
        tail, head = (arrow.tail, cell), (arrow.head, (row.place, column.place))
        if tail not in self.bodies:
            x, y = self.get_place(cell)
            dx, dy = self.at[arrow.tail]
            index = f"{format_integer(row.step - up)},{format_integer(column.step - right)}"
            self.add(self.items[arrow.tail], tail, (x + dx, y + dy), index, ghost=True)
        ahead = (self.columns[self.up].place(row.step + up), self.columns[self.right].place(column.step + right))
        ends = [(tail, head)]
        if any(self.columns[a].is_dotted(place) for a, place in zip((self.up, self.right), ahead, strict=True)):
            ends.append(((arrow.tail, head[1]), (arrow.head, ahead)))  # the dots stand for what is handed on to them
        near = [self.bodies[key] for key in self.bodies if isinstance(key, tuple) and key[0] in self.inner]
        for one, other in ends:
            if other in self.bodies:
                others = [b for b in near if _is_near(b, self.bodies[other], self.pitch)]
                self.join(one, other, "recur" if arrow.shifts else "flow", arrow.params, others)

    def print_wavefronts(self) -> None:
        """Draw the lines along which the steps do not depend on each other, if the recurrence leads along both axes."""
        states = [arrow.head for arrow in self.scene.arrows if arrow.shifts and arrow.head in self.inner]
        axes = {axis for arrow in self.scene.arrows for axis, by in arrow.shifts if by == 1}
        if not states or axes != {self.up, self.right}:
            return
        key = states[0]
        shown = {row.place for row in self.columns[self.up].columns if row.step is not None}
        across = {column.place for column in self.columns[self.right].columns if column.step is not None}
        for row in sorted(shown):
            for column in self.columns[self.right].columns:
                ends = ((key, (row, column.place)), (key, (row + 1, column.place - 1)))
                if all(end in self.bodies for end in ends) and row + 1 in shown and {column.place, column.place - 1} <= across:
                    start, end = (self.bodies[end] for end in ends)
                    curve = join_bodies(start, end)
                    self.picture.lines.insert(0, Line(*ends, "start", curve=curve, arrow=False))

    def print_headings(self) -> None:
        """Write the steps of both axes at the rims."""
        low = min(body.at[1] - body.height / 2 for body in self.bodies.values()) - 20.0
        left = min(body.at[0] - body.width / 2 for body in self.bodies.values()) - 32.0
        for axis, places in ((self.right, [(c, (self.get_place((0, c.place))[0] + self.at_state()[0], low))
                                           for c in self.columns[self.right].columns]),
                             (self.up, [(c, (left, self.get_place((c.place, 0))[1] + self.at_state()[1]))
                                        for c in self.columns[self.up].columns])):  # fmt: skip
            for column, at in places:
                text = make_text_label("⋯" if axis == self.right else "⋮") if column.step is None else join_labels(
                    [make_name_label(axis), make_text_label(column.index)], " = ")  # fmt: skip
                self.add_text(("heading", axis, column.place), text, at)

    def at_state(self) -> Point:
        """Return where the first state of a cell stands within it."""
        return next((self.at[key] for key in self.at if self.items[key].role == "state"), (0.0, 0.0))

    def print_results(self) -> None:
        """Draw what is computed from all steps above."""
        results = [i for i in self.scene.items if not i.over and any(
            a.head == i.key and a.tail in self.inner for a in self.scene.arrows)]  # fmt: skip
        if not results:
            return
        left, low, right, high = self._measure()
        ground = Mark("lattice", "slice", shape="box", width=right - left + 24, height=high - low + 24,
                      at=((left + right) / 2, (low + high) / 2), rounded=True)  # fmt: skip
        self.picture.marks.insert(0, ground)
        self.bodies["lattice"] = Body(ground.at, ground.width, ground.height, round=False)
        inner = {item.key for item in self.scene.items if item.over}
        self.print_later(inner, lambda arrow: ["lattice"] if arrow.tail in inner else [(arrow.tail, None)])

    def _measure(self) -> tuple[float, float, float, float]:
        bodies = [body for key, body in self.bodies.items() if isinstance(key, tuple) and key[0] in self.inner]
        return (min(b.at[0] - b.width / 2 for b in bodies), min(b.at[1] - b.height / 2 for b in bodies),
                max(b.at[0] + b.width / 2 for b in bodies), max(b.at[1] + b.height / 2 for b in bodies))  # fmt: skip


def _is_near(body: Body, other: Body, pitch: tuple[float, float]) -> bool:
    return abs(body.at[0] - other.at[0]) < 1.6 * pitch[0] and abs(body.at[1] - other.at[1]) < 1.6 * pitch[1]


def compose_lattice(scene: Scene, columns: dict[str, Columns]) -> Picture:
    """Return the unfolded picture of a scene with items over both of its two axes and a recurrence over them.

    Args:
        scene: the scene to draw.
        columns: for each axis, the steps to show.
    """
    lattice = Lattice(scene, columns)
    if not all(columns[axis].columns for axis in scene.axes):
        return lattice.picture
    lattice.print_cells()
    lattice.print_arrows()
    lattice.print_wavefronts()
    lattice.print_results()
    lattice.print_headings()
    return lattice.picture
