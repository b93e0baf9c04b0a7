"""Curves and labels of the edges of a stamp: chosen once for each dependence and distance, then used at every step.

The choice assumes that the stamp repeats periodically at both sides, so that the first and last step look like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from viz.layout.gutter_paths import Gutter, make_gutter_path, make_loop_path
from viz.layout.label_spots import LABEL_FONT, LABEL_HEIGHT, Specks, place_label
from viz.layout.routes import Body, Curve, Stroke, make_stroke, move_curve, route, sample_curve
from viz.layout.stamp import Stamp
from viz.scene.items import Arrow
from viz.scene.label import Label
from viz.scene.picture import Point

# tail, head, how far right of the head the tail is, and the number of steps, which tells apart spans with the same ends.
Span = tuple[int, int, float, tuple]


# Samples of a curve: fine for labels, which are small, and coarse for other curves.
_FINE, _COARSE = 60, 24
# With more curves than this, each one avoids nodes only.
_MOST_MINDED = 150
# Labels keep off lines from so many steps to either side.
_FARTHEST = 8


class EdgeLayout:
    """The curves and labels of one step and of those that join it to others.

    Args:
        stamp: the places of one step.
        periodic: whether steps repeat at both sides; a folded picture has one column alone.
        gutter: returns for an arrow between steps the gutter that it shall run in; None for the shortest way.
    """

    def __init__(
        self, stamp: Stamp, *, periodic: bool = True, gutter: Callable[[Arrow], Gutter | None] = lambda arrow: None
    ) -> None:
        self.stamp, self.periodic, self.gutter = stamp, periodic, gutter
        self.ghosts: dict[int, tuple[float, float, bool]] = {}  # sizes of items outside of the sequence
        self.wires: list[float] = []  # heights of the lines of a bus, which labels keep off
        self.curves: dict[Span, Curve] = {}
        self.spots: dict[Span, Point] = {}
        self._reach = 1
        self._copied: dict[int, list[Body]] = {}
        self._strokes: dict[tuple[Span, float, int], Stroke] = {}

    def choose_curves(self, spans: Mapping[Span, Arrow], words: Callable[[Arrow], Label]) -> None:
        """Choose a curve for each span, with the head in the column at 0, and a place for its label."""
        for span in sorted(spans, key=lambda span: _rank_plainness(span, spans[span])):
            self.curves[span] = self._choose(spans[span], span)
        bodies = self._list_bodies(2) + [Body((0.0, y), 1e5, 1.0, round=False) for y in self.wires]
        self._reach = min(1 + int(max((abs(span[2]) / self.stamp.pitch for span in spans), default=0.0)), _FARTHEST)
        placed: dict[bool, list[Body]] = {True: [], False: []}
        specks = self._make_specks()
        for span, arrow in spans.items():
            label = words(arrow)
            if not label.html:
                continue
            size = (label.ems * LABEL_FONT, LABEL_HEIGHT)
            whole = self.is_whole(span)
            near = [] if whole else self._list_near_curves(span, _FINE)
            off, points = [*bodies, *placed[whole]], specks if whole else None
            spot = self.spots[span] = place_label(self.curves[span], size, off, near, specks=points, owner=span)
            copies = self._list_offsets(self._reach) if whole else [0.0]
            placed[whole] += [Body((spot[0] + dx, spot[1]), *size, round=False) for dx in copies]

    def _make_specks(self) -> Specks:
        """Return the points of all curves between columns of steps, those of the steps to either side included."""
        specks = Specks()
        for span, curve in self.curves.items():
            if self.is_whole(span):
                for dx in self._list_offsets(self._reach):
                    specks.add(sample_curve(move_curve(curve, dx), _FINE), (span, dx) if dx else span)
        return specks

    def is_whole(self, span: Span) -> bool:
        """Tell whether the two ends stand in columns of steps, and none in a ghost's, which stands closer."""
        steps = (span[2] + self.stamp.at[span[1]][0] - self.stamp.at[span[0]][0]) / self.stamp.pitch
        return abs(steps - round(steps)) < 0.01

    def _list_offsets(self, reach: int) -> list[float]:
        return [j * self.stamp.pitch for j in range(-reach, reach + 1)] if self.periodic else [0.0]

    def _list_bodies(self, reach: int) -> list[Body]:
        """Return the nodes of the ``reach`` steps to either side and of the step at 0."""
        if reach not in self._copied:
            bodies = self.stamp.bodies.values()
            self._copied[reach] = [body.move(dx) if dx else body for dx in self._list_offsets(reach) for body in bodies]
        return self._copied[reach]

    def _choose(self, arrow: Arrow, span: Span) -> Curve:
        stamp = self.stamp
        head, tail = stamp.bodies[arrow.head], stamp.bodies[arrow.tail]
        gutter = self.gutter(arrow) if arrow.shifts and self.gutter is not None else None
        if gutter is not None:
            bodies = list(stamp.bodies.values())
            if not self.periodic:
                return make_loop_path(tail, head, bodies, gutter)
            column = head.at[0] + span[2] - tail.at[0]
            neighbours = abs(column) < 1.5 * stamp.pitch
            return make_gutter_path(tail.move(column), head, (column, 0.0), bodies, gutter, neighbours)
        sizes = (tail.width, tail.height, tail.round)
        if not self.is_whole(span) and arrow.tail in self.ghosts:
            sizes = self.ghosts[arrow.tail]
        tail = Body((head.at[0] + span[2], tail.at[1]), *sizes)
        others = [
            body for body in self._list_bodies(int(abs(span[2]) / stamp.pitch) + 2)
            if body is not head and abs(body.at[0] - tail.at[0]) + abs(body.at[1] - tail.at[1]) > 1
        ]  # fmt: skip
        ends = (arrow.tail, arrow.head)
        bends = () if arrow.shifts else stamp.bends.get(ends) or stamp.bends.get(ends[::-1], ())[::-1]
        taken = self._list_near_curves(span, _COARSE, shared=False) if len(self.curves) < _MOST_MINDED else []
        return route(tail, head, others, bends, taken)

    def _list_near_curves(self, span: Span, count: int, shared: bool = True) -> list[Stroke]:
        """Return the other curves; those to ghosts are at the rim, and near one another only.

        Args:
            span: the curve to draw.
            count: how many points of each.
            shared: whether curves from the same tail to other heads are among them; they may run together.
        """
        here = self.is_whole(span)
        out = []
        for other, curve in self.curves.items():
            there = self.is_whole(other)
            if other == span or (here and not there) or (other[:2] == span[:2] and here != there):
                continue
            if not shared and other[0] == span[0] and other[1] != span[1] and (other[2] == span[2] or not self.periodic):
                continue
            for dx in self._list_offsets(1) if there else [0.0]:
                key = (other, dx, count)
                if key not in self._strokes:
                    self._strokes[key] = make_stroke(move_curve(curve, dx), count)
                out.append(self._strokes[key])
        return out


def _rank_plainness(span: Span, arrow: Arrow) -> tuple:
    """Return a sort key: level edges to the next step are routed first, those within a step, then long ones, then loops."""
    level = span[0] == span[1]
    straight = level and bool(span[2]) and all(abs(steps) == 1 for steps in span[3])
    return not straight, bool(arrow.shifts), level and not span[2], not level, abs(span[2])
