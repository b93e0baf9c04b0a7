"""Pictures as data for a page: what several of them share is stored once, without its place.

A model unfolded over one, two, … steps, with this scope closed or that one, consists of few different pieces: a stamp printed
again and again. Each piece is SVG around its own origin; a picture says which pieces stand where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from viz.render.style import Theme
from viz.render.svg import draw_line, draw_mark
from viz.scene.label import clean
from viz.scene.order import rank_marks
from viz.scene.picture import Line, Mark, Picture, measure_picture, write_step

_RIM = 8.0
_LONGEST_TIP = 500


@dataclass(frozen=True)
class State:
    """One way to fold a model: the scopes that are boxes, and the pictures of it, one for each stop of the page's slider."""

    closed: tuple[str, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class View:
    """What is chosen by one name on a page.

    Attributes:
        name: that name.
        states: one or more; the first is shown first.
        stops: the numbers of steps on the slider; 0 is the cycle.
        scopes: those that can be opened and closed, in the order in which they are listed.
    """

    name: str
    states: tuple[State, ...]
    stops: tuple[int, ...] = (0,)
    scopes: tuple[str, ...] = ()


@dataclass
class Pieces:
    """Pieces, each once, and where they stand.

    Args:
        theme: colours, by the names that the page's style sheet gives them.
        fixed: colours of what an overlay has painted, and of its ink.
    """

    theme: Theme
    fixed: Theme
    shapes: dict[str, int] = field(default_factory=dict)
    kinds: dict[tuple[str, ...], int] = field(default_factory=dict)
    marks: dict[tuple, int] = field(default_factory=dict)
    lines: dict[tuple, int] = field(default_factory=dict)

    def pack(self, views: Sequence[View]) -> dict[str, Any]:
        """Return views as plain data, to be written as JSON.

        Args:
            views: one or more.

        Returns:
            ``shapes`` (SVG), ``kinds`` (role, name, tip, scope, folds), ``marks`` (shape, kind, x, y, step), ``lines``
            (shape, role, x, y, tail, head) and ``views``, whose pictures list places in ``marks`` and ``lines`` as
            runs: first, count, first, count, …
        """
        shown = [
            {
                "name": clean(view.name, 80), "stops": view.stops, "scopes": view.scopes,
                "states": [
                    {"closed": state.closed, "pictures": [self._pack_picture(picture) for picture in state.pictures]}
                    for state in view.states
                ],
            }
            for view in views
        ]  # fmt: skip
        tables: dict[str, dict[Any, int]] = {
            "shapes": self.shapes,
            "kinds": self.kinds,
            "marks": self.marks,
            "lines": self.lines,
        }
        return {name: list(table) for name, table in tables.items()} | {"views": shown}

    def _pack_picture(self, picture: Picture) -> dict[str, object]:
        places = {mark.key: self._add_mark(mark) for mark in picture.marks}
        grounds = [places[mark.key] for mark in picture.marks if mark.role == "slice"]
        others = [places[mark.key] for mark in picture.marks if mark.role != "slice"]
        ranks = rank_marks(picture)
        order = sorted(ranks, key=ranks.__getitem__)
        left, bottom, right, top = measure_picture(picture)
        box = (left - _RIM, -top - _RIM, right - left + 2 * _RIM, top - bottom + 2 * _RIM)
        return {
            "box": [round(value, 1) for value in box],
            "grounds": find_runs(grounds),
            "marks": find_runs(others),
            "lines": find_runs([self._add_line(line, places) for line in picture.lines]),
            "order": [places[key] for key in order],
        }

    def _add_mark(self, mark: Mark) -> int:
        theme = self.fixed if mark.fill else self.theme
        shape = self.shapes.setdefault(draw_mark(replace(mark, at=(0.0, 0.0)), theme), len(self.shapes))
        kind = (
            mark.role,
            clean(mark.name, _LONGEST_TIP),
            clean(mark.tip, _LONGEST_TIP),
            clean(mark.scope, _LONGEST_TIP),
            mark.folds,
        )
        number = self.kinds.setdefault(kind, len(self.kinds))
        x, y = mark.at
        return self.marks.setdefault((shape, number, round(x, 1), round(-y, 1), write_step(mark.step)), len(self.marks))

    def _add_line(self, line: Line, places: dict[object, int]) -> int:
        x, y = (round(value, 1) for value in line.curve[0])
        spot = None if line.label_at is None else (round(line.label_at[0] - x, 1), round(line.label_at[1] - y, 1))
        moved = replace(line, curve=tuple((round(a - x, 1), round(b - y, 1)) for a, b in line.curve), label_at=spot)
        shape = self.shapes.setdefault(draw_line(moved, self.theme), len(self.shapes))
        return self.lines.setdefault((shape, line.role, x, -y, places[line.tail], places[line.head]), len(self.lines))


def find_runs(numbers: Sequence[int]) -> list[int]:
    """Return numbers as runs: the first of each and how many follow one another.

    Example:
        >>> find_runs([4, 5, 6, 2])
        [4, 3, 2, 1]
    """
    out: list[int] = []
    for number in numbers:
        if out and out[-2] + out[-1] == number:
            out[-1] += 1
        else:
            out += [number, 1]
    return out
