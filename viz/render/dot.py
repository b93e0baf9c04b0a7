"""A picture as DOT text. Pure: the same picture gives the same bytes.

Graphviz only inks the picture (`layout=nop2`), so that it looks the same under every version.

Why (2026-11): `dot` keeps columns straight only under a list of conditions, draws no arc over a column, and on parameters
shared by all steps its time grows without bound (11 s at T = 20). A step laid out once and stamped T times costs T.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from viz.render.style import CODE_FONT, DPI, FONT, STROKES, Theme, get_line_color, get_line_ink
from viz.scene.label import quote
from viz.scene.picture import Line, Mark, Picture, Point, measure_curve, measure_picture, split_curve

# A png of more pixels a side than this is refused by the image libraries that Graphviz draws with.
_LARGEST_SIDE_INCHES = 90.0
_STRAY = 6.0  # points by which control points may stand off their curve


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
        >>> from viz.render.style import find_theme
        >>> from viz.scene.label import make_name_label
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
    for line in picture.lines:
        out.append(f"  {ids[line.tail]} -> {ids[line.head]} [{_format_attributes(_list_line_attributes(line, theme))}];")
    return "\n".join(out) + "\n}\n"


def _format_attributes(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in pairs)


def _list_graph_attributes(picture: Picture, theme: Theme) -> list[tuple[str, str]]:
    # Marks come in drawing order: grounds first, and lines end at the borders they touch.
    return [
        ("layout", "nop2"), ("outputorder", "nodesfirst"), ("splines", "line"), ("charset", '"UTF-8"'),
        ("bgcolor", f'"{theme.ground}"'), ("fontname", f'"{FONT}"'), ("pad", "0.15"),
        ("dpi", format_points(_choose_dpi(picture))),
    ]  # fmt: skip


def _choose_dpi(picture: Picture) -> float:
    """Return the dots per inch: fewer where the picture would be too large a bitmap."""
    left, bottom, right, top = measure_picture(picture)
    return min(float(DPI), DPI * _LARGEST_SIDE_INCHES * 72 / max(right - left, top - bottom, 1.0))


def _list_mark_attributes(mark: Mark, theme: Theme) -> list[tuple[str, str]]:
    look = theme.looks[mark.role]
    html = mark.label.format_html(mark.font)
    if mark.left:
        cell = f'<TD ALIGN="LEFT" WIDTH="{mark.width:.0f}">{html}</TD>'
        html = f'<TABLE BORDER="0" CELLPADDING="0" CELLSPACING="0"><TR>{cell}</TR></TABLE>'
    pairs = [("label", f"<{html}>" if mark.label.rows else '""'), ("shape", mark.shape)]
    pairs += [("width", format_inches(mark.width / 72)), ("height", format_inches(mark.height / 72))]
    style = ",".join(part for part in (look.style, "rounded" if mark.rounded else "") if part)
    pairs += [("style", f'"{style}"'), ("color", f'"{look.line}"'), ("fillcolor", f'"{mark.fill or look.fill}"')]
    pen = look.pen if mark.pen is None else mark.pen
    ink = theme.faint if mark.role in ("text", "slice") else look.ink
    pairs += [("fontcolor", f'"{ink}"'), ("fontsize", format_points(mark.font)), ("penwidth", format_points(pen))]
    if mark.code:
        pairs.append(("fontname", f'"{CODE_FONT}"'))
    if mark.foot:
        pairs.append(("labelloc", "b"))
    pairs.append(("pos", f'"{format_points(mark.at[0])},{format_points(mark.at[1])}"'))
    if mark.tip:
        pairs.append(("tooltip", quote(mark.tip)))
    return pairs


def format_inches(value: float) -> str:
    """Return a length in inches: three decimals, since points are 1/72 of it."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _list_line_attributes(line: Line, theme: Theme) -> list[tuple[str, str]]:
    stroke = STROKES[line.role]
    pen = stroke.pen if line.pen is None else line.pen
    pairs = [("color", f'"{line.color or get_line_color(line.role, theme)}"')]
    if (pen, stroke.head) != (1.3, 7.0):
        pairs += [("penwidth", format_points(pen)), ("arrowsize", format_points(stroke.head / 10))]
    if stroke.dashed if line.dashed is None else line.dashed:
        pairs.append(("style", "dashed"))
    if not line.arrow:
        pairs.append(("dir", "none"))
    if line.label.rows:
        pairs += [("label", f"<{line.label.format_html(13)}>"), ("fontcolor", f'"{get_line_ink(line.role, theme)}"')]
        if line.label_at is not None:
            pairs.append(("lp", f'"{format_points(line.label_at[0])},{format_points(line.label_at[1])}"'))
    return [*pairs, ("pos", f'"{_format_spline(line)}"')]


def _format_spline(line: Line) -> str:
    """Return Graphviz's form of a curve: with an arrow, its tip first and the curve ending where the arrow begins."""
    *points, tip = tighten_curve(line.curve)
    texts = [f"{format_points(x)},{format_points(y)}" for x, y in points]
    if not line.arrow:
        return " ".join([*texts, f"{format_points(tip[0])},{format_points(tip[1])}"])
    x, y = points[-1]
    length = ((tip[0] - x) ** 2 + (tip[1] - y) ** 2) ** 0.5
    back = min(STROKES[line.role].head / length, 1.0) if length else 0.0
    base = (tip[0] + (x - tip[0]) * back, tip[1] + (y - tip[1]) * back)
    return " ".join(
        [f"e,{format_points(tip[0])},{format_points(tip[1])}", *texts, f"{format_points(base[0])},{format_points(base[1])}"]
    )


def tighten_curve(curve: Sequence[Point]) -> Sequence[Point]:
    """Return the curve in pieces whose control points stand close to it: Graphviz makes the canvas as large as those."""
    for _ in range(4):
        box, reach = measure_curve(curve), [(min(values), max(values)) for values in zip(*curve, strict=True)]
        if all(box[i] - low < _STRAY and high - box[i + 2] < _STRAY for i, (low, high) in enumerate(reach)):
            break
        curve = split_curve(curve)
    return curve
