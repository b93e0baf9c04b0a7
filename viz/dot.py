"""A small picture, as data, and its DOT text. Pure: the same picture gives the same bytes.

A picture is one of two kinds. A *placed* one knows where every node stands and along which curve every edge runs;
Graphviz only inks it (`layout=nop2`), so that it looks the same under every version. The other leaves both to `dot`.

Why placed pictures (2026-11): `dot` keeps columns straight only under a list of conditions, draws no arc over a
column, and on parameters shared by all steps its time grows without bound (11 s at T = 20). A step laid out once and
stamped T times costs T.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from viz.label import EMPTY, Label, quote
from viz.style import DPI, FONT, Theme

Point = tuple[float, float]

# A png of more pixels a side than this is refused by the image libraries that Graphviz draws with.
_LARGEST_SIDE_INCHES = 90.0


@dataclass(frozen=True)
class Mark:
    """A node of a picture.

    Attributes:
        key: any hashable value by which edges refer to it; not shown.
        role: one of `viz.style.ROLES`, which gives colours.
        label: its markup.
        shape: a Graphviz shape: circle, ellipse, box, square, point, plaintext.
        width, height: points.
        at: centre in points, y upwards; None leaves it to `dot`.
        rounded: whether a box has round corners.
        font: points.
        tip: plain text that an SVG shows when the pointer rests on it.
        group, row: for `dot`: same group, one vertical line; same row, one horizontal line.
    """

    key: object
    role: str
    label: Label = EMPTY
    shape: str = "circle"
    width: float = 42.0
    height: float = 42.0
    at: Point | None = None
    rounded: bool = False
    font: float = 14.0
    tip: str = ""
    group: str = ""
    row: str = ""


@dataclass(frozen=True)
class Line:
    """An edge of a picture.

    Attributes:
        tail, head: keys of marks.
        role: "flow" (ordinary), "recur", "faint", "param" and "shared" (from what stands once), "start" (initial rows).
        label, label_at: its markup and, in a placed picture, where its centre stands.
        curve: Bézier points 1 + 3n in a placed picture; the last is where the arrow's tip touches the head.
        arrow: whether there is an arrow head.
        options: further DOT attributes, for `dot`.
    """

    tail: object
    head: object
    role: str = "flow"
    label: Label = EMPTY
    curve: tuple[Point, ...] = ()
    label_at: Point | None = None
    arrow: bool = True
    options: tuple[tuple[str, str], ...] = ()


@dataclass
class Picture:
    """Marks and lines in drawing order, and how `dot` is to lay them out if they have no places."""

    marks: list[Mark] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    placed: bool = True
    options: tuple[tuple[str, str], ...] = ()


def format_points(value: float) -> str:
    """Return a length as DOT text: two decimals at most, no negative zero.

    Example:
        >>> format_points(12.0), format_points(-0.001), format_points(1 / 3)
        ('12', '0', '0.33')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def to_dot(picture: Picture, theme: Theme) -> str:
    """Return the picture as DOT text.

    Args:
        picture: marks with distinct keys; every line's ends are among them.
        theme: gives each role its colours.

    Returns:
        DOT text in UTF-8's repertoire, node ids n0, n1, … in the order of the marks.

    Example:
        >>> from viz.style import find_theme
        >>> from viz.label import make_name_label
        >>> text = to_dot(Picture([Mark("x", "input", make_name_label("x"), at=(0, 0))]), find_theme("white"))
        >>> "n0 [" in text, "layout=nop2" in text
        (True, True)

    Notes:
        Linear in the number of marks and lines.
    """
    ids = {mark.key: f"n{i}" for i, mark in enumerate(picture.marks)}
    out = ["digraph {"]
    out.append(f"  graph [{_format_attributes(_list_graph_attributes(picture, theme))}];")
    out.append(f'  node [style=filled, fixedsize=true, margin=0, fontname="{FONT}"];')
    out.append(f'  edge [fontname="{FONT}", fontsize=13, arrowsize=0.7, penwidth=1.3, color="{theme.edge}"];')
    out += [f"  {ids[mark.key]} [{_format_attributes(_list_mark_attributes(mark, theme))}];" for mark in picture.marks]
    for row in _group_rows(picture.marks):
        out.append("  {rank=same; " + " ".join(ids[key] + ";" for key in row) + "}")
    for line in picture.lines:
        out.append(f"  {ids[line.tail]} -> {ids[line.head]} [{_format_attributes(_list_line_attributes(line, theme))}];")
    return "\n".join(out) + "\n}\n"


def _group_rows(marks: Sequence[Mark]) -> list[list[object]]:
    rows: dict[str, list[object]] = {}
    for mark in marks:
        if mark.row:
            rows.setdefault(mark.row, []).append(mark.key)
    return [row for row in rows.values() if len(row) > 1]


def _format_attributes(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in pairs)


def _list_graph_attributes(picture: Picture, theme: Theme) -> list[tuple[str, str]]:
    pairs = [
        ("charset", '"UTF-8"'),
        ("bgcolor", f'"{theme.ground}"'),
        ("fontname", f'"{FONT}"'),
        ("pad", "0.15"),
        ("dpi", format_points(_choose_dpi(picture.marks))),
    ]
    if picture.placed:
        # Marks come in drawing order: grounds first, and lines end at the borders they touch.
        return [("layout", "nop2"), ("outputorder", "nodesfirst"), ("splines", "line"), *pairs]
    return [("rankdir", "BT"), ("newrank", "true"), ("outputorder", "edgesfirst"), *picture.options, *pairs]


def _choose_dpi(marks: Sequence[Mark]) -> float:
    """Return the dots per inch: fewer where the picture would be too large a bitmap."""
    spots = [(mark.at, mark.width, mark.height) for mark in marks if mark.at is not None]
    side = 1.0
    for axis in (0, 1):
        reach = [(at[axis], size[axis] / 2) for at, *size in spots]
        side = max(side, max((a + r for a, r in reach), default=0.0) - min((a - r for a, r in reach), default=0.0))
    return min(float(DPI), DPI * _LARGEST_SIDE_INCHES * 72 / side)


def _list_mark_attributes(mark: Mark, theme: Theme) -> list[tuple[str, str]]:
    look = theme.looks[mark.role]
    pairs = [("label", f"<{mark.label.html}>" if mark.label.html else '""'), ("shape", mark.shape)]
    pairs += [("width", format_inches(mark.width / 72)), ("height", format_inches(mark.height / 72))]
    style = ",".join(part for part in (look.style, "rounded" if mark.rounded else "") if part)
    pairs += [("style", f'"{style}"'), ("color", f'"{look.line}"'), ("fillcolor", f'"{look.fill}"')]
    ink = theme.faint if mark.role in ("text", "slice") else look.ink
    pairs += [("fontcolor", f'"{ink}"'), ("fontsize", format_points(mark.font)), ("penwidth", format_points(look.pen))]
    if mark.role == "slice":
        pairs.append(("labelloc", "b"))
    if mark.at is not None:
        pairs.append(("pos", f'"{format_points(mark.at[0])},{format_points(mark.at[1])}"'))
    if mark.group:
        pairs.append(("group", quote(mark.group)))
    if mark.tip:
        pairs.append(("tooltip", quote(mark.tip)))
    return pairs


def format_inches(value: float) -> str:
    """Return a length in inches: three decimals, since points are 1/72 of it."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


_LINE_LOOKS = {  # pen in points, size of the arrow head relative to Graphviz's 10 points, style
    "flow": (1.3, 0.7, ""),
    "recur": (2.0, 0.7, ""),
    "faint": (1.3, 0.7, ""),
    "param": (1.0, 0.5, "dashed"),
    "shared": (1.0, 0.5, "dashed"),
    "start": (1.0, 0.5, "dashed"),
}


def get_arrow_length(role: str) -> float:
    """Return how far the tip of an arrow stands before the end of its line, in points."""
    return 10.0 * _LINE_LOOKS[role][1]


def _list_line_attributes(line: Line, theme: Theme) -> list[tuple[str, str]]:
    pen, head, style = _LINE_LOOKS[line.role]
    color = theme.recur if line.role in ("recur", "param") else theme.edge if line.role == "flow" else theme.faint
    pairs = [("color", f'"{color}"')]
    if (pen, head) != (1.3, 0.7):
        pairs += [("penwidth", format_points(pen)), ("arrowsize", format_points(head))]
    if style:
        pairs.append(("style", style))
    if not line.arrow:
        pairs.append(("dir", "none"))
    if line.label.html:
        ink = theme.recur if line.role in ("recur", "param") else theme.ink
        pairs += [("label", f"<{line.label.html}>"), ("fontcolor", f'"{ink}"')]
        if line.label_at is not None:
            pairs.append(("lp", f'"{format_points(line.label_at[0])},{format_points(line.label_at[1])}"'))
    if line.curve:
        pairs.append(("pos", f'"{_format_spline(line)}"'))
    return [*pairs, *line.options]


def _format_spline(line: Line) -> str:
    """Return Graphviz's form of a curve: with an arrow, its tip first and the curve ending where the arrow begins."""
    *points, tip = line.curve
    texts = [f"{format_points(x)},{format_points(y)}" for x, y in points]
    if not line.arrow:
        return " ".join([*texts, f"{format_points(tip[0])},{format_points(tip[1])}"])
    x, y = points[-1]
    length = ((tip[0] - x) ** 2 + (tip[1] - y) ** 2) ** 0.5
    back = min(get_arrow_length(line.role) / length, 1.0) if length else 0.0
    base = (tip[0] + (x - tip[0]) * back, tip[1] + (y - tip[1]) * back)
    return " ".join(
        [f"e,{format_points(tip[0])},{format_points(tip[1])}", *texts, f"{format_points(base[0])},{format_points(base[1])}"]
    )
