"""Two sequences of which one reads the other: an encoder and a decoder, with what attention computes for each pair of steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from viz.layout.board import Board
from viz.layout.compose import lay_out_step
from viz.layout.gutter_choice import choose_channels, note_params
from viz.layout.routes import make_polyline
from viz.layout.stamp import make_stamp
from viz.layout.unrolled import Unrolling
from viz.scene.columns import Columns
from viz.scene.items import Arrow, Scene, measure_outline
from viz.scene.label import join_labels, make_name_label, make_text_label
from viz.scene.picture import Line, Picture, measure_picture

_GAP = 90.0


class Sequences(Board):
    """The steps of the sequence that is read, from left to right; beside or above them those of the one that reads.

    Args:
        scene: a scene over two axes.
        columns: for each axis, the steps to show.
    """

    def __init__(self, scene: Scene, columns: dict[str, Columns]) -> None:
        super().__init__(scene, "t−1")
        self.items = {item.key: item for item in scene.items}
        self.first, self.second = find_order(scene)
        self.columns = columns
        self.pairs = [item for item in scene.items if len(item.over) == 2]
        self.turned = bool(self.pairs)
        self.parts: dict[str, Unrolling] = {}
        self.cells: dict[tuple[int, int, int], object] = {}

    def list_steps(self, axis: str) -> list[tuple[int, str, int]]:
        """Return (place, index, step) of the steps of an axis that are shown."""
        return [(c.place, c.index, c.step) for c in self.columns[axis].columns if c.step is not None]

    def print_sequences(self) -> None:
        """Draw each sequence by itself; with attention the second one leads upwards, at the right of the pairs."""
        part = Scene(
            self.pairs, [a for a in self.scene.arrows if {a.tail, a.head} <= {i.key for i in self.pairs}], self.scene.axes
        )
        self.cell = make_stamp(part, None, widest="0,0")
        wide, high = self.cell.right - self.cell.left + 54.0, self.cell.top - self.cell.bottom + 66.0
        lower = self._unroll(self.first, wide if self.turned else 0.0, 30.0)
        # Turned, rows stand side by side: as far apart as their items are wide.
        widths = [measure_outline(item, self.widest)[1] for item in self.scene.items if item.over == (self.second,)]
        upper = self._unroll(
            self.second, high if self.turned else 0.0, max(52.0, max(widths, default=0.0)) if self.turned else 30.0
        )
        dy = self._level_start(lower, upper)
        bottom = lower.stamp.bottom if self.turned else min(lower.stamp.bottom, upper.stamp.bottom + dy)
        lower.print_headings(bottom)
        if not self.turned:
            upper.print_headings(bottom - dy)
        self.add_picture(lower.picture, lower.bodies, self.first)
        _, _, right, top = measure_picture(lower.picture)
        left, low, _, _ = measure_picture(upper.picture)
        if self.turned:
            self.row = top + 74.0
            dy -= self.row
            self.row += dy if abs(dy) < 16.0 else 0.0
            self.add_picture(upper.picture, upper.bodies, self.second, dx=right + _GAP - low, dy=self.row, turned=True)
        else:
            self.add_picture(upper.picture, upper.bodies, self.second, dx=right + _GAP - left, dy=dy)

    def _level_start(self, lower: Unrolling, upper: Unrolling) -> float:
        """Return how far to move the second sequence up, so that its first row is level with what that starts from."""
        for arrow in self.scene.arrows:
            ghost = upper.bodies.get((arrow.head, -1))
            tail = lower.bodies.get((arrow.tail, 0))
            if arrow.start and ghost and tail:
                return tail.at[1] - ghost.at[0 if self.turned else 1]
        return 0.0

    def _unroll(self, axis: str, pitch: float, rise: float) -> Unrolling:
        items = [item for item in self.scene.items if item.over == (axis,)]
        keys = {item.key for item in items}
        scene = Scene(items, [a for a in self.scene.arrows if {a.tail, a.head} <= keys], (axis,))
        channels = choose_channels(scene, axis)
        scene = note_params(scene, channels.groups)
        step = lay_out_step(scene, axis, channels, self.columns[axis], rise=rise)
        stamp = replace(step.stamp, pitch=max(step.stamp.pitch, pitch))
        part = Unrolling(scene, axis, stamp, self.columns[axis], lanes=step.lanes)
        part.print_columns()
        part.print_ghosts()
        part.print_arrows()
        self.parts[axis] = part
        return part

    def print_pairs(self) -> None:
        """Draw what is computed for each pair of steps, in a row for each step of the second sequence."""
        for place, *second in self.list_steps(self.second):
            y = self.row + self.parts[self.second].get_x(place)
            for across, *first in self.list_steps(self.first):
                x = self.parts[self.first].get_x(across)
                for item in self.pairs:
                    dx, dy = self.cell.at[item.key]
                    key = (item.key, across, place)
                    steps = {self.first: first, self.second: second}
                    index, step = zip(*(steps[axis] for axis in item.over), strict=True)
                    self.add(item, key, (x + dx, y + dy), ",".join(index), step=step)
                    self.cells[item.key, across, place] = key
                for arrow in self.scene.arrows:
                    ends = ((arrow.tail, across, place), (arrow.head, across, place))
                    if all(end in self.bodies for end in ends) and not arrow.shifts:
                        self.join(*ends, "flow", arrow.params, [self.bodies[i.key, across, place] for i in self.pairs])

    def print_reads(self) -> None:
        """Draw what leads from one sequence to the other, and through the pairs."""
        kind = {item.key: item.over for item in self.scene.items}
        lanes: dict[str, int] = {}
        for arrow in self._list_reads():
            tail, head = kind[arrow.tail], kind[arrow.head]
            if (len(tail) == 2 and len(head) == 2) or tail == head:
                continue
            lane = lanes.setdefault(f"{tail}{head}", 0)
            lanes[f"{tail}{head}"] += 1
            if len(head) == 2 and tail == (self.first,):
                self._feed_columns(arrow, lane)
            elif len(head) == 2 and tail == (self.second,):
                self._feed_rows(arrow, lane)
            elif len(tail) == 2 and head == (self.second,):
                self._read_rows(arrow, lane)
            elif len(tail) == 1 and len(head) == 1:
                self._lead_over(arrow, tail[0], head[0], lane)

    def _list_reads(self) -> list[Arrow]:
        """Return the arrows; what is weighted by a value for each pair of steps leads into that value."""
        kind = {item.key: item.over for item in self.scene.items}
        out: dict[Arrow, None] = {}
        for arrow in self.scene.arrows:
            weights = [a.tail for a in self.scene.arrows if a.head == arrow.head and len(kind[a.tail]) == 2]
            if kind[arrow.tail] == (self.first,) and kind[arrow.head] == (self.second,) and weights and arrow.pick is None:
                if not any(len(kind[a.head]) == 2 for a in self.scene.arrows if a.tail == arrow.tail):
                    out[Arrow(arrow.tail, weights[0])] = None
            else:
                out[arrow] = None
        return list(out)

    def _feed_columns(self, arrow: Arrow, lane: int) -> None:
        for across, _, _ in self.list_steps(self.first):
            heads = [(arrow.head, across, place) for place, _, _ in self.list_steps(self.second)]
            body = self.bodies[heads[0]]
            level = body.at[0] - max(body.width / 2, self._get_half(arrow.tail)) - 12.0 - 7.0 * lane
            tail = (self.first, (arrow.tail, across))
            # Above the middle, where the arrow from the step before ends.
            self.print_bus(
                [tail], heads, level, "flow", upright=True, lift=0.35 * self.bodies[tail].height, params=arrow.params
            )

    def _get_half(self, key: int) -> float:
        return self.parts[self.first].stamp.bodies[key].width / 2

    def _feed_rows(self, arrow: Arrow, lane: int) -> None:
        shift = dict(arrow.shifts).get(self.second, 0)
        for place, _, step in self.list_steps(self.second):
            tail = (self.second, (arrow.tail, self.columns[self.second].place(step - shift)))
            heads = [(arrow.head, across, place) for across, _, _ in self.list_steps(self.first)]
            if tail in self.bodies:
                body = self.bodies[heads[0]]
                level = body.at[1] - body.height / 2 - 13.0 - 7.0 * lane
                self.print_bus([tail], heads, level, "recur" if shift else "flow", shift=9.0, params=arrow.params)

    def _read_rows(self, arrow: Arrow, lane: int) -> None:
        for place, _, _ in self.list_steps(self.second):
            tails = [(arrow.tail, across, place) for across, _, _ in self.list_steps(self.first)]
            body = self.bodies[tails[0]]
            level = body.at[1] + body.height / 2 + 13.0 + 7.0 * lane
            self.print_bus(tails, [(self.second, (arrow.head, place))], level, "flow", params=arrow.params)

    def _lead_over(self, arrow: Arrow, source: str, target: str, lane: int) -> None:
        """Draw what leads from one sequence into the other: from the step that is picked, or from all of them."""
        steps = self.list_steps(source)
        if arrow.pick is not None and steps:
            length = self.columns[source].length or 0
            steps = [s for s in steps if s[2] == arrow.pick % length] if -length <= arrow.pick < length else []
        tails = [(source, (arrow.tail, place)) for place, _, _ in steps]
        heads = [(target, (arrow.head, place)) for place, _, _ in self.list_steps(target)]
        if arrow.start:
            ghosts = [key for key in self.bodies if isinstance(key, tuple) and key[0] == target and key[1][0] == arrow.head
                      and isinstance(key[1][1], int) and key[1][1] == -1]  # fmt: skip
            heads = ghosts or heads[:1]
        if not tails or not heads:
            return
        role = "start" if arrow.start else "flow"
        if len(tails) == 1 and len(heads) == 1:
            near = [body for key, body in self.bodies.items() if isinstance(key, tuple) and key[0] in self.parts]
            self.join(tails[0], heads[0], role, arrow.params, near)
            return
        start = max(self.bodies[key].at[1] + self.bodies[key].height / 2 for key in tails)
        top = max(
            body.at[1] + body.height / 2 for key, body in self.bodies.items() if isinstance(key, tuple) and key[0] == source
        )
        level = (start if len(tails) == 1 else top) + 15.0 + 8.0 * lane
        foot = self.bodies[heads[0]]
        below = foot.at[1] - foot.height / 2 - 14.0 - 7.0 * lane
        out = self.print_bus(tails, [], level, role, params=arrow.params)
        into = self.print_bus([], heads, below, role, shift=-9.0)
        (x, y), (a, b) = self.bodies[out[-1]].at, self.bodies[into[0]].at
        turn = max(
            body.at[0] + body.width / 2 for key, body in self.bodies.items() if isinstance(key, tuple) and key[0] == source
        )
        turn += 18.0 + 7.0 * lane
        curve = make_polyline([(x, y), (turn, y), (turn, b), (a, b)])
        self.picture.lines.append(Line(out[-1], into[0], role, curve=curve, arrow=False))

    def print_headings(self) -> None:
        """Write the steps of the second sequence at the right of its rows."""
        if not self.turned:
            return
        _, _, right, _ = measure_picture(self.picture)
        for place, index, _ in self.list_steps(self.second):
            text = join_labels([make_name_label(self.second), make_text_label(index)], " = ")
            self.add_text(("heading", place), text, (right + 34.0, self.row + self.parts[self.second].get_x(place)))

    def print_results(self) -> None:
        """Draw what is computed from whole sequences: above them, or at the right of rows."""
        self.print_later({item.key for item in self.scene.items if item.over}, self._list_ends, rightwards=self.turned)

    def _list_ends(self, arrow: Arrow) -> Iterable[object]:
        over = self.items[arrow.tail].over
        if not over:
            return [(arrow.tail, None)] if (arrow.tail, None) in self.bodies else []
        if len(over) == 2:
            return [key for (item, *_), key in self.cells.items() if item == arrow.tail]
        steps = self.list_steps(over[0])
        if arrow.pick is not None:
            length = self.columns[over[0]].length or 0
            steps = [step for step in steps if length and step[2] == arrow.pick % length]
        return [(over[0], (arrow.tail, place)) for place, _, _ in steps]


def find_order(scene: Scene) -> tuple[str, str]:
    """Return the axis of the sequence that is read, and that of the one that reads it.

    Example:
        >>> from viz.scene.items import Arrow, Item
        >>> h, c = Item(0, "h", "state", ("u",)), Item(1, "c", "output", ("t",))
        >>> find_order(Scene([h, c], [Arrow(0, 1)], ("t", "u")))
        ('u', 't')
    """
    over = {item.key: item.over for item in scene.items}
    first, second = scene.axes
    for read, reader in ((first, second), (second, first)):
        if any(read in over[a.tail] and read not in over[a.head] and reader in over[a.head] for a in scene.arrows):
            return read, reader
    return first, second


def compose_sequences(scene: Scene, columns: dict[str, Columns]) -> Picture:
    """Return the unfolded picture of two sequences.

    Args:
        scene: a scene over two axes.
        columns: for each axis, the steps to show.
    """
    board = Sequences(scene, columns)
    board.print_sequences()
    if board.turned:
        board.print_pairs()
    board.print_reads()
    board.print_headings()
    board.print_results()
    return board.picture
