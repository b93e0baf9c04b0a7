"""What holds of every picture: nodes apart, labels in or off them, lines that end at nodes and cross none, columns in order.

And of the picture of a graph: every parameter is named, every row before the first step or after the last is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import hypot

import autograd_seq as ag
from viz.layout.routes import Body, sample_curve
from viz.scene.label import make_name_label
from viz.scene.picture import Mark, Picture, measure_picture

_SILENT = ("slice", "joint", "point", "sharedpoint")
_FONT = 13.0


def list_outlines(picture: Picture) -> list[Mark]:
    """Return the marks that have an outline and are no ground."""
    return [m for m in picture.marks if m.shape not in ("plaintext", "point") and m.role not in _SILENT]


def list_faults(picture: Picture) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a picture."""
    marks = list_outlines(picture)
    yield from _find_overlaps(marks)
    yield from _find_crossings(picture, marks)
    yield from _find_covered_labels(picture, marks)
    yield from _find_disorder(marks)
    yield from _find_long_labels(marks)
    left, bottom, right, top = measure_picture(picture)
    for mark in marks:
        (x, y), a, b = mark.at, mark.width / 2, mark.height / 2
        if not (left <= x - a + 0.01 and x + a - 0.01 <= right and bottom <= y - b + 0.01 and y + b - 0.01 <= top):
            yield f"{mark.label.text} is outside of the canvas"


def list_missing(g: ag.Graph, picture: Picture, axis: str | None = None, steps: int = 0) -> Iterator[str]:
    """Yield a sentence for each parameter that a picture does not name, and each row outside of the sequence that it lacks.

    Args:
        g: what is drawn, without scopes that are one box.
        picture: its picture.
        axis, steps: the axis that is unfolded, and its length; without them no rows are asked for.
    """
    words = " ".join(part.label.text for part in [*picture.marks, *picture.lines])
    there = {(mark.name, mark.step) for mark in picture.marks if mark.role == "ghost"}
    for node in g.nodes:
        name = str(node.name)
        forms = [make_name_label(form).text for form in (name, name.rpartition("/")[2])]
        if node.op.name == "param" and not any(form in words for form in forms):
            yield f"the parameter {name} is not named"
        state = node.inputs[0] if node.inputs else node
        if axis is None or node.op.name != "shift" or state.op.name != "state" or node.attrs["axis"].name != axis:
            continue
        by = node.attrs["by"]
        for step in range(steps):
            if not 0 <= step - by < steps and (str(state.name), step - by) not in there:
                yield f"the row {step - by} of {state.name} is not there"


def _find_long_labels(marks: list[Mark]) -> Iterator[str]:
    """Yield the labels that do not fit into their outlines."""
    for mark in marks:
        rows = max(mark.label.lines, 1)
        wide, high = mark.label.ems * mark.font / 2, rows * mark.font * 0.3
        corners = [(mark.at[0] + i * wide, mark.at[1] + j * high) for i in (-1, 1) for j in (-1, 1)]
        inside = all(_is_inside(mark, x, y, 0.0) for x, y in corners)
        if mark.label.rows and not (inside if rows == 1 else wide < mark.width / 2):
            yield f"the label {mark.label.text} is longer than its outline"


def _find_overlaps(marks: list[Mark]) -> Iterator[str]:
    ordered = sorted(marks, key=lambda m: m.at[0] - m.width / 2)
    for i, one in enumerate(ordered):
        for other in ordered[i + 1 :]:
            if other.at[0] - other.width / 2 > one.at[0] + one.width / 2:
                break
            dx, dy = abs(one.at[0] - other.at[0]), abs(one.at[1] - other.at[1])
            if dx < (one.width + other.width) / 2 - 1 and dy < (one.height + other.height) / 2 - 1:
                if one.shape == other.shape == "circle" and hypot(dx, dy) > (one.width + other.width) / 2 - 1:
                    continue
                yield f"{one.label.text} overlaps {other.label.text}"


def _is_inside(mark: Mark, x: float, y: float, rim: float) -> bool:
    a, b = mark.width / 2 - rim, mark.height / 2 - rim
    if a <= 0 or b <= 0:
        return False
    dx, dy = abs(x - mark.at[0]) / a, abs(y - mark.at[1]) / b
    return (hypot(dx, dy) if mark.shape in ("circle", "ellipse") else max(dx, dy)) < 1


def _find_crossings(picture: Picture, marks: list[Mark]) -> Iterator[str]:
    of = {mark.key: mark for mark in picture.marks}
    for line in picture.lines:
        points = sample_curve(line.curve, 40)
        xs, ys = [x for x, _ in points], [y for _, y in points]
        for mark in marks:
            if mark.key in (line.tail, line.head):
                continue
            if mark.at[0] + mark.width / 2 < min(xs) or mark.at[0] - mark.width / 2 > max(xs):
                continue
            if mark.at[1] + mark.height / 2 < min(ys) or mark.at[1] - mark.height / 2 > max(ys):
                continue
            if any(_is_inside(mark, x, y, 2.5) for x, y in points):
                yield f"the line {of[line.tail].label.text} – {of[line.head].label.text} crosses {mark.label.text}"
        for end, (x, y) in ((of[line.tail], points[0]), (of[line.head], points[-1])):
            body = Body(end.at, end.width, end.height, end.shape in ("circle", "ellipse"))
            off = max(abs(x - body.at[0]) - body.width / 2, abs(y - body.at[1]) - body.height / 2)
            if off > (30.0 if end.label.text == "⋯" else 3.0):
                ends = f"{of[line.tail].label.text} – {of[line.head].label.text}"
                yield f"the line {ends} ends {off:.0f} points off {end.label.text}"


def _find_covered_labels(picture: Picture, marks: list[Mark]) -> Iterator[str]:
    boxes = []
    for line in picture.lines:
        if line.label_at is None or not line.label.rows:
            continue
        (x, y), a, b = line.label_at, line.label.ems * _FONT / 2 * 0.9, _FONT * 0.45
        for mark in marks:
            if abs(x - mark.at[0]) < a + mark.width / 2 - 2 and abs(y - mark.at[1]) < b + mark.height / 2 - 2:
                corners = [(x + i * a, y + j * b) for i in (-1, 0, 1) for j in (-1, 0, 1)]
                if any(_is_inside(mark, u, v, 1.0) for u, v in corners):
                    yield f"the label {line.label.text} lies on {mark.label.text}"
        for u, v, c, d, other in boxes:
            if abs(x - u) < a + c - 1 and abs(y - v) < b + d - 1:
                yield f"the label {line.label.text} lies on the label {other}"
        boxes.append((x, y, a, b, line.label.text))


def _find_disorder(marks: list[Mark]) -> Iterator[str]:
    """Yield names whose steps do not stand in the order of time, from left to right or upwards."""
    rows: dict[tuple, list[tuple[int, tuple[float, float]]]] = {}
    for mark in marks:
        if mark.name and mark.step is not None and mark.role != "ghost":
            steps = mark.step if isinstance(mark.step, tuple) else (mark.step,)
            for i, step in enumerate(steps):  # along each axis, for each step of the other
                rows.setdefault((mark.name, i, steps[:i], steps[i + 1 :]), []).append((step, mark.at))
    for (name, *_), places in rows.items():
        places.sort()
        for axis in (0, 1):
            values = [at[axis] for _, at in places]
            if all(a < b for a, b in pairwise(values)):
                break
        else:
            yield f"the steps of {name} are not in order"
