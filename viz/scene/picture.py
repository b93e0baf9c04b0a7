"""A picture as data: marks and lines that know where they stand. Every printer in `viz.render` reads this and nothing else.

An overlay (heat, a highlighted equation) is a function from picture to picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from viz.scene.label import EMPTY, Label

Point = tuple[float, float]
Step = int | tuple[int, ...] | None
"""Of an unfolded axis, or one of each, in the order of the graph's axes; None of what has no steps."""


@dataclass(frozen=True)
class Mark:
    """A node of a picture.

    Attributes:
        key: any hashable value by which lines refer to it; not shown.
        role: one of `viz.render.style.ROLES`, which gives colours.
        label: its text.
        shape: circle, ellipse, box, square, point, or plaintext for a label without an outline.
        width, height: points.
        at: centre in points, y upwards.
        rounded: whether a box has round corners.
        font: points.
        tip: plain text that is shown when the pointer rests on it.
        name, step: the full name of the variable that it shows, and at which step, or pair of steps; overlays go by these.
        fill, pen: a colour and the width of the border that an overlay chose; by default those of the role.
        foot: whether the label stands at the foot of the outline, and not in its middle.
        left: whether the label begins at the left end of the mark, and not in its middle.
        code: whether the label is a line of a program, set in letters of one width.
        scope: the scope that the variable belongs to; of a box, the scope that it stands for.
        folds: "closed" for a box that stands for a scope, "open" for the name of one whose variables are drawn.
    """

    key: object
    role: str
    label: Label = EMPTY
    shape: str = "circle"
    width: float = 42.0
    height: float = 42.0
    at: Point = (0.0, 0.0)
    rounded: bool = False
    font: float = 14.0
    tip: str = ""
    name: str = ""
    step: Step = None
    fill: str = ""
    pen: float | None = None
    foot: bool = False
    left: bool = False
    code: bool = False
    scope: str = ""
    folds: str = ""


@dataclass(frozen=True)
class Line:
    """An edge of a picture.

    Attributes:
        tail, head: keys of marks.
        role: "flow" (ordinary), "recur", "faint", "param" and "shared" (from what stands once), "start" (initial rows).
        label, label_at: its text, and where the centre of that stands.
        curve: Bézier points 1 + 3n; the last is where the arrow's tip touches the head.
        arrow: whether there is an arrow head.
        color, pen: a colour and a width in points that an overlay chose; by default those of the role.
        dashed: whether it is dashed; None for what its role says.
    """

    tail: object
    head: object
    role: str = "flow"
    label: Label = EMPTY
    curve: tuple[Point, ...] = ()
    label_at: Point | None = None
    arrow: bool = True
    color: str = ""
    pen: float | None = None
    dashed: bool | None = None


@dataclass
class Picture:
    """Marks and lines in drawing order."""

    marks: list[Mark] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


Box = tuple[float, float, float, float]
_LINE_FONT = 13.0


def measure_picture(picture: Picture) -> Box:
    """Return the smallest box around everything drawn, labels included: left, bottom, right, top.

    Example:
        >>> measure_picture(Picture([Mark("a", "op", width=20, height=10, at=(5, 5))]))
        (-5.0, 0.0, 15.0, 10.0)
    """
    boxes = [measure_mark(mark) for mark in picture.marks]
    for line in picture.lines:
        boxes.append(measure_curve(line.curve))
        if line.label_at is not None and line.label.rows:
            boxes.append(_measure_text(line.label, line.label_at, _LINE_FONT))
    boxes = [box for box in boxes if box]
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    return (
        float(min(box[0] for box in boxes)), float(min(box[1] for box in boxes)),
        float(max(box[2] for box in boxes)), float(max(box[3] for box in boxes)),
    )  # fmt: skip


def measure_mark(mark: Mark) -> Box:
    """Return the box around a mark; of one without an outline, the box around its text."""
    if mark.shape == "plaintext" and not mark.left:
        return _measure_text(mark.label, mark.at, mark.font)
    (x, y), a, b = mark.at, mark.width / 2, mark.height / 2
    return x - a, y - b, x + a, y + b


def _measure_text(label: Label, at: Point, font: float) -> Box:
    (x, y), a, b = at, label.ems * font / 2, max(label.lines, 1) * font * 0.62
    return x - a, y - b, x + a, y + b


def measure_curve(curve: Sequence[Point]) -> Box:
    """Return the box around a chain of Bézier pieces: that of the curve, which is smaller than that of its control points.

    Example:
        >>> measure_curve(((0, 0), (0, 40), (40, 40), (40, 0)))
        (0, 0, 40, 30.0)
    """
    xs = [value for i in range(0, len(curve) - 1, 3) for value in _list_extremes([x for x, _ in curve[i : i + 4]])]
    ys = [value for i in range(0, len(curve) - 1, 3) for value in _list_extremes([y for _, y in curve[i : i + 4]])]
    return min(xs), min(ys), max(xs), max(ys)


def _list_extremes(p: Sequence[float]) -> list[float]:
    """Return the ends of one Bézier piece along one axis, and where it turns in between."""
    a, b, c = p[3] - 3 * p[2] + 3 * p[1] - p[0], 2 * (p[2] - 2 * p[1] + p[0]), p[1] - p[0]
    if abs(a) < 1e-9:
        turns = [-c / b] if abs(b) > 1e-9 else []
    else:
        root = b * b - 4 * a * c
        turns = [(-b + sign * root**0.5) / (2 * a) for sign in (1, -1)] if root >= 0 else []
    inner = [u for u in turns if 0 < u < 1]
    return [p[0], p[3], *((1 - u) ** 3 * p[0] + 3 * u * (1 - u) ** 2 * p[1] + 3 * u * u * (1 - u) * p[2] + u**3 * p[3]
                          for u in inner)]  # fmt: skip


def split_curve(curve: Sequence[Point]) -> tuple[Point, ...]:
    """Return the same curve with each piece cut in the middle, so that its control points stand closer to it.

    Example:
        >>> split_curve(((0, 0), (0, 40), (40, 40), (40, 0)))[3]
        (20.0, 30.0)
    """
    out = [curve[0]]
    for i in range(0, len(curve) - 1, 3):
        p, q, r, s = curve[i : i + 4]
        pq, qr, rs = _halve(p, q), _halve(q, r), _halve(r, s)
        left, right = _halve(pq, qr), _halve(qr, rs)
        out += [pq, left, _halve(left, right), right, rs, s]
    return tuple(out)


def _halve(p: Point, q: Point) -> Point:
    return (p[0] + q[0]) / 2, (p[1] + q[1]) / 2


def write_step(step: Step) -> int | str | None:
    """Return a step as a page and a file name it: a number, or those of a pair.

    Example:
        >>> write_step(3), write_step((0, 2))
        (3, '0,2')
    """
    return ",".join(map(str, step)) if isinstance(step, tuple) else step
