"""The schedule of a program as a picture: what is computed for all steps at once, what loops, in which direction."""

from __future__ import annotations

from typing import Any

from autograd_seq.plan.report import Row, Schedule
from viz.arguments import get_theme
from viz.diagram import Diagram
from viz.errors import DrawError
from viz.layout.routes import make_line
from viz.scene.label import join_labels, make_name_label, make_text_label, measure_ems
from viz.scene.picture import Line, Mark, Picture

_STEPS = ("0", "1", "2", "⋯", "T−1")
_CELL, _ROW, _FONT = 46.0, 30.0, 12.0
_MOST_ROWS = 200


def schedule(program: Any, theme: str = "white") -> Diagram:
    """Draw the schedule of a compiled program: a row for each operation, in the order in which they are computed.

    Args:
        program: what `ag.compile` or `ag.value_and_grad` returned.
        theme: "white" or "dark".

    Returns:
        A Diagram. A bar stands for one call for all steps, cells with arrows for a loop, forward or backward; beside them are
        the floating-point operations and the bytes that are kept.

    Raises:
        DrawError: it is no program, or the theme is unknown.
        TooLargeError: it has very many operations.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, x, W = ag.state("s", over=t), ag.input("x", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1] + x[t])
        >>> [mark.label.text for mark in schedule(ag.compile(s)).picture.marks if mark.left][2:4]
        ['for t = 0 … T−1', 'mul_1 = W * s[t - 1]']
    """
    colors = get_theme(theme)
    found = getattr(program, "schedule", None)
    if not isinstance(found, Schedule):
        raise DrawError("P216", f"{program!r:.60} has no schedule", expected="a compiled program", got=f"{program!r:.60}",
                        fix="viz.schedule(ag.compile(g))")  # fmt: skip
    return Diagram(compose_schedule(found.list_rows()), colors)


def compose_schedule(rows: list[Row]) -> Picture:
    """Return the picture of the rows of a schedule."""
    rows, left_out = rows[:_MOST_ROWS], len(rows) - _MOST_ROWS
    picture = Picture()
    wide = max([120.0, *(measure_ems(_shorten(row.equation)) * _FONT + 18.0 * len(row.loops) for row in rows)]) + 16.0
    flops = wide + _CELL * len(_STEPS) + 24.0
    kept = flops + max([60.0, *(measure_ems(row.flops) * _FONT for row in rows)]) + 20.0
    for i, step in enumerate(_STEPS):
        label = join_labels([make_name_label("t"), make_text_label(step)], " = ") if i == 0 else make_text_label(step)
        picture.marks.append(
            Mark(("step", i), "text", label, "plaintext", 40.0, 16.0, (wide + (i + 0.5) * _CELL, _ROW), font=11.0)
        )
    _add_text(picture, "operations", "operations", flops, _ROW)
    _add_text(picture, "kept", "kept", kept, _ROW)
    _add_grounds(picture, rows, wide)
    for i, row in enumerate(rows):
        y = -_ROW * i
        indent = 18.0 * (len(row.loops) - (row.node is None))
        label = make_text_label(_shorten(row.equation), longest=60)
        role = "words" if row.node is not None else "text"
        picture.marks.append(Mark(("row", i), role, label, "plaintext", wide - indent, 18.0, (indent + (wide - indent) / 2, y),
                                  font=_FONT, left=True, tip=row.line.strip()))  # fmt: skip
        if row.node is not None:
            _add_cells(picture, row, i, wide, y)
            _add_text(picture, ("flops", i), row.flops, flops, y)
            _add_text(picture, ("kept", i), row.kept, kept, y)
    if left_out > 0:
        _add_text(picture, "more", f"… and {left_out:,} more", 0.0, -_ROW * len(rows))
    return picture


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _add_text(picture: Picture, key: object, text: str, left: float, y: float) -> None:
    width = measure_ems(text) * 11.0 + 4.0
    if text:
        picture.marks.append(Mark(key, "text", make_text_label(text.replace("*", "·")), "plaintext", width, 16.0,
                                  (left + width / 2, y), font=11.0, left=True))  # fmt: skip


def _add_grounds(picture: Picture, rows: list[Row], wide: float) -> None:
    """Add a ground under the rows of each loop, inner ones above outer ones."""
    grounds = []
    for i, row in enumerate(rows):
        if row.node is None:
            depth = len(row.loops)
            end = next((j for j in range(i + 1, len(rows)) if rows[j].loops[:depth] != row.loops), len(rows))
            top, bottom = -_ROW * i + _ROW / 2 - 1.0, -_ROW * (end - 1) - _ROW / 2 + 1.0
            left, right = 18.0 * (depth - 1) - 8.0, wide + _CELL * len(_STEPS) + 8.0 - 4.0 * (depth - 1)
            grounds.append(Mark(("loop", i), "slice", shape="box", width=right - left, height=top - bottom,
                                at=((left + right) / 2, (top + bottom) / 2), rounded=True))  # fmt: skip
    picture.marks[:0] = grounds


def _add_cells(picture: Picture, row: Row, i: int, wide: float, y: float) -> None:
    """Add a bar for what is computed for all steps at once, or cells for the steps of the innermost loop."""
    if not row.loops:
        width = _CELL * len(_STEPS) - 10.0 if row.lifted else 18.0
        x = wide + _CELL * len(_STEPS) / 2 if row.lifted else wide + _CELL * (len(_STEPS) - 0.5)
        picture.marks.append(Mark(("bar", i), "input" if row.lifted else "inner", shape="box", width=width, height=16.0,
                                  at=(x, y), rounded=True, tip=row.line.strip()))  # fmt: skip
        return
    for j, step in enumerate(_STEPS):
        at = (wide + (j + 0.5) * _CELL, y)
        if step == "⋯":
            picture.marks.append(Mark(("cell", i, j), "text", make_text_label("⋯"), "plaintext", 18.0, 14.0, at, font=13.0))
        else:
            picture.marks.append(Mark(("cell", i, j), "state", shape="box", width=20.0, height=16.0, at=at, rounded=True))
    way = row.loops[-1][1]
    for j in range(len(_STEPS) - 1):
        left, right = wide + (j + 0.5) * _CELL + 10.0, wide + (j + 1.5) * _CELL - 10.0
        ends = [(("cell", i, j), left), (("cell", i, j + 1), right)][:: 1 if way > 0 else -1]
        curve = make_line((ends[0][1], y), (ends[1][1], y))
        picture.lines.append(Line(ends[0][0], ends[1][0], "recur", curve=curve))
