"""A picture as SVG, without Graphviz. Pure: the same picture gives the same bytes.

The canvas is as large as what is drawn. Every mark is a group with a stable id, its role as class, and a title with what it
shows, so that a page or a style sheet can address it. Names only ever become text.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as escape_html

from viz.render.style import CODE_FONT, FONT, STROKES, Theme, get_line_color, get_line_ink
from viz.scene.label import Label, Run, clean
from viz.scene.picture import Line, Mark, Picture, Point, measure_picture, write_step

_RIM = 8.0
_WIDEST = 980.0  # points: a page of a notebook; a wider picture is scaled down to it
_LINE_FONT = 13.0
_LONGEST_TIP = 500
_RISE = 1.18  # from one line of a label to the next, in ems
_SCRIPT = 0.72  # size of a script, of its label's font
_FALLBACKS = ", Noto Sans CJK SC, Noto Sans, sans-serif"


def to_svg(picture: Picture, theme: Theme, *, widest: float | None = _WIDEST, prefix: str = "") -> str:
    """Return the picture as SVG.

    Args:
        picture: marks with distinct keys; every line's ends are among them.
        theme: gives each role its colours.
        widest: the width in points above which the picture is scaled down where it is shown; None for no limit.
        prefix: what ids begin with, where several pictures stand in one document.

    Returns:
        SVG; ids are n0, n1, … of marks and e0, e1, … of lines, in their order.

    Example:
        >>> from viz.render.style import find_theme
        >>> from viz.scene.label import make_name_label
        >>> text = to_svg(Picture([Mark("x", "input", make_name_label("x"))]), find_theme("white"))
        >>> text.startswith("<svg "), text.count("<circle ")
        (True, 1)

    Notes:
        Linear in the number of marks and lines.
    """
    left, bottom, right, top = measure_picture(picture)
    left, bottom, right, top = left - _RIM, bottom - _RIM, right + _RIM, top + _RIM
    width, height = right - left, top - bottom
    scale = 1.0 if widest is None else min(1.0, widest / width)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_format(width * scale)}pt" height="{_format(height * scale)}pt" '
        f'viewBox="{_format(left)} {_format(-top)} {_format(width)} {_format(height)}" '
        f'font-family="{FONT}{_FALLBACKS}" text-anchor="middle">',
        f'<rect class="ground" x="{_format(left)}" y="{_format(-top)}" width="{_format(width)}" height="{_format(height)}" '
        f'fill="{theme.ground}"/>',
    ]
    ids = {mark.key: f"{prefix}n{i}" for i, mark in enumerate(picture.marks)}
    grounds = [mark for mark in picture.marks if mark.role == "slice"]
    others = [mark for mark in picture.marks if mark.role != "slice"]
    out += [_write_mark(mark, ids[mark.key], theme) for mark in grounds]
    out += [_write_line(line, f"{prefix}e{i}", ids, theme) for i, line in enumerate(picture.lines)]
    out += [_write_mark(mark, ids[mark.key], theme) for mark in others]
    return "\n".join([*out, "</svg>"]) + "\n"


def _format(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def escape_text(text: str) -> str:
    """Return text that is safe within SVG and HTML, of at most 500 characters, without control characters."""
    return escape_html(clean(text, _LONGEST_TIP))


def _write_mark(mark: Mark, name: str, theme: Theme) -> str:
    title = f"<title>{escape_text(mark.tip)}</title>" if mark.tip else ""
    shown = f' data-name="{escape_text(mark.name)}"' if mark.name else ""
    shown += f' data-step="{write_step(mark.step)}"' if mark.step is not None else ""
    return f'<g id="{name}" class="mark {mark.role}"{shown}>{title}{draw_mark(mark, theme)}</g>'


def draw_mark(mark: Mark, theme: Theme) -> str:
    """Return the outline of a mark and its label as SVG elements, y downwards."""
    look = theme.looks[mark.role]
    (x, y), a, b = mark.at, mark.width / 2, mark.height / 2
    y = -y
    pen = look.pen if mark.pen is None else mark.pen
    paint = f'fill="{mark.fill or look.fill}" stroke="{look.line}" stroke-width="{_format(pen)}"'
    if "dashed" in look.style:
        paint += ' stroke-dasharray="5 3"'
    shape = ""
    if mark.shape in ("circle", "ellipse", "point"):
        size = f'r="{_format(a)}"' if mark.shape != "ellipse" else f'rx="{_format(a)}" ry="{_format(b)}"'
        tag = "ellipse" if mark.shape == "ellipse" else "circle"
        shape = f'<{tag} cx="{_format(x)}" cy="{_format(y)}" {size} {paint}/>'
    elif mark.shape != "plaintext":
        corner = f' rx="{_format(min(8.0, b))}"' if mark.rounded else ""
        shape = (f'<rect x="{_format(x - a)}" y="{_format(y - b)}" width="{_format(2 * a)}" height="{_format(2 * b)}"'
                 f"{corner} {paint}/>")  # fmt: skip
    ink = theme.faint if mark.role in ("text", "slice") else look.ink
    baseline = y + b - 0.62 * mark.font * max(mark.label.lines, 1) - 2.0 if mark.foot else y
    start = x - a if mark.left else None
    return shape + ("" if mark.shape == "point" else write_label(mark.label, (x, baseline), mark.font, ink, start, mark.code))


def _write_line(line: Line, name: str, ids: dict[object, str], theme: Theme) -> str:
    ends = f'data-tail="{ids[line.tail]}" data-head="{ids[line.head]}"'
    return f'<g id="{name}" class="line {line.role}" {ends}>{draw_line(line, theme)}</g>'


def draw_line(line: Line, theme: Theme) -> str:
    """Return a line, its arrow head and its label as SVG elements, y downwards."""
    stroke = STROKES[line.role]
    color = line.color or get_line_color(line.role, theme)
    pen = stroke.pen if line.pen is None else line.pen
    points: list[Point] = [(x, -y) for x, y in line.curve]
    head = ""
    if line.arrow:
        length = 1.2 * stroke.head + 1.2 * max(pen - stroke.pen, 0.0)
        points[-1], head = _shorten(points, length, color)
    path = f"M{_pair(points[0])}" + "".join(_write_piece(points[i : i + 4]) for i in range(0, len(points) - 1, 3))
    dash = ' stroke-dasharray="5 3"' if (stroke.dashed if line.dashed is None else line.dashed) else ""
    drawn = f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{_format(pen)}"{dash}/>{head}'
    if line.label.rows and line.label_at is not None:
        at = (line.label_at[0], -line.label_at[1])
        drawn += write_label(line.label, at, _LINE_FONT, get_line_ink(line.role, theme))
    return drawn


def _write_piece(points: Sequence[Point]) -> str:
    """Return one Bézier piece of a path; a line where its control points stand between its ends."""
    (x, y), *inner, (u, v) = points
    straight = all(
        abs((u - x) * (b - y) - (v - y) * (a - x)) < 0.02 * (abs(u - x) + abs(v - y))
        and min(x, u) - 0.01 <= a <= max(x, u) + 0.01 and min(y, v) - 0.01 <= b <= max(y, v) + 0.01
        for a, b in inner
    )  # fmt: skip
    return f"L{_pair(points[3])}" if straight else f"C{' '.join(_pair(point) for point in points[1:])}"


def _shorten(points: Sequence[Point], length: float, color: str) -> tuple[Point, str]:
    """Return where the line ends, which is where its arrow head begins, and the arrow head."""
    (a, b), (x, y) = points[-2], points[-1]
    far = ((x - a) ** 2 + (y - b) ** 2) ** 0.5
    if not far:
        return (x, y), ""
    dx, dy = (x - a) / far, (y - b) / far
    base = (x - dx * length, y - dy * length)
    wing = 0.4 * length
    corners = [(x, y), (base[0] - dy * wing, base[1] + dx * wing), (base[0] + dy * wing, base[1] - dx * wing)]
    return (x - dx * length * 0.9, y - dy * length * 0.9), (
        f'<polygon points="{" ".join(_pair(corner) for corner in corners)}" fill="{color}"/>'
    )


def _pair(point: Point) -> str:
    return f"{_format(point[0])},{_format(point[1])}"


def write_label(label: Label, at: Point, font: float, ink: str, start: float | None = None, code: bool = False) -> str:
    """Return a label as SVG text with its centre at a point, y downwards; or with its left end at an x, or as code.

    Example:
        >>> from viz.scene.label import make_text_label
        >>> write_label(make_text_label("<"), (0, 0), 10, "#000")
        '<text x="0" y="2.6" font-size="10" fill="#000">&lt;</text>'
    """
    out = []
    anchor = "" if start is None else ' text-anchor="start"'
    anchor += f' font-family="{CODE_FONT}"' if code else ""
    sizes = [max((run.scale for run in row), default=1.0) * font for row in label.rows]
    y = at[1] - _RISE * sum(sizes) / 2
    for row, size in zip(label.rows, sizes, strict=True):
        y += _RISE * size
        base = y - (_RISE - 1) / 2 * size - 0.24 * size
        out.append(
            f'<text x="{_format(at[0] if start is None else start)}"{anchor} y="{_format(base)}" '
            f'font-size="{_format(font)}" fill="{ink}">'
            f"{_write_row(row, font)}</text>"
        )
    return "".join(out)


def _write_row(row: Sequence[Run], font: float) -> str:
    out, raised = "", 0.0
    for run in row:
        size = run.scale * font * (_SCRIPT if run.shift else 1.0)
        target = {0: 0.0, 1: -0.36, -1: 0.24}[run.shift] * font
        look = ' font-style="italic"' if run.slanted else ""
        if size != font:
            look += f' font-size="{_format(size)}"'
        if target != raised:
            look += f' dy="{_format(target - raised)}"'
            raised = target
        text = escape_html(run.text, quote=False)
        out += f"<tspan{look}>{text}</tspan>" if look else text
    return out
