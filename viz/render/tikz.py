"""A picture as TikZ, in a document of its own that `pdflatex` sets. Pure: the same picture gives the same bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from viz.render.style import STROKES, Theme, get_line_color, get_line_ink
from viz.scene.label import Label, Run
from viz.scene.picture import Line, Mark, Picture

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\textasciicircum{}",
    "_": r"\_", "%": r"\%", "~": r"\textasciitilde{}", "<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "|": r"\ensuremath{|}",
}  # fmt: skip
_SYMBOLS = {
    "−": "{-}", "-": "{-}", "=": "{=}", "∂": r"\partial ", "∕": "/", "⊙": r"{\odot}", "×": r"{\times}", "÷": r"{\div}",
    "∑": r"\sum ", "Σ": r"\Sigma ", "⋯": r"\cdots ", "⋮": r"\vdots ", "⇒": r"\Rightarrow ", "·": r"{\cdot}", "∞": r"\infty ",
    "…": r"\ldots ", "²": "^2", "\u0304": "",
}  # fmt: skip
_NAMES = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau upsilon "
    "varphi chi psi omega"
)
_GREEK = {chr(0x3B1 + i): name for i, name in enumerate(_NAMES.split())}

Paint = Callable[[str], str]


def to_tikz(picture: Picture, theme: Theme) -> str:
    r"""Return the picture as a LaTeX document with one TikZ picture.

    Example:
        >>> from viz.render.style import find_theme
        >>> from viz.scene.label import make_name_label
        >>> text = to_tikz(Picture([Mark("s", "state", make_name_label("s", "t"))]), find_theme("white"))
        >>> r"$\mathit{s}_{\mathit{t}}$" in text, text.count(r"\node")
        (True, 1)
    """
    names: dict[str, str] = {}

    def color(value: str) -> str:
        return names.setdefault(value.upper(), f"c{len(names)}") if value.startswith("#") else value

    body = [_write_mark(mark, theme, color) for mark in picture.marks if mark.role == "slice"]
    body += [_write_line(line, theme, color) for line in picture.lines]
    body += [_write_mark(mark, theme, color) for mark in picture.marks if mark.role != "slice"]
    ground = color(theme.ground)
    colors = [f"\\definecolor{{{name}}}{{HTML}}{{{value[1:]}}}" for value, name in names.items()]
    return "\n".join([
        r"\documentclass[tikz,border=0pt]{standalone}", r"\usepackage[utf8]{inputenc}", r"\usepackage[T1]{fontenc}",
        r"\usepackage{amsmath,amssymb}", r"\usetikzlibrary{arrows.meta,backgrounds,shapes.geometric}",
        "% A letter that the fonts of pdflatex lack stands as ?.", *colors, r"\begin{document}",
        r"\begin{tikzpicture}[x=1bp,y=1bp,>={Stealth[length=6pt]},show background rectangle,inner frame sep=4bp,",
        rf"background rectangle/.style={{fill={ground}}}]",
        *body, r"\end{tikzpicture}", r"\end{document}", "",
    ])  # fmt: skip


def _write_mark(mark: Mark, theme: Theme, color: Paint) -> str:
    look = theme.looks[mark.role]
    shape = {"circle": "circle", "ellipse": "ellipse", "point": "circle"}.get(mark.shape, "rectangle")
    options = [shape, f"minimum width={mark.width:.4g}bp", f"minimum height={mark.height:.4g}bp", "inner sep=0pt"]
    options.append(f"align=left, text width={mark.width:.4g}bp" if mark.left else "align=center")
    if mark.shape != "plaintext":
        pen = look.pen if mark.pen is None else mark.pen
        options += [f"fill={color(mark.fill or look.fill)}", f"draw={color(look.line)}", f"line width={pen:.3g}bp"]
        options += ["rounded corners=6bp"] if mark.rounded else []
        options += ["dashed"] if "dashed" in look.style else []
    options.append(f"text={color(theme.faint if mark.role in ('text', 'slice') else look.ink)}")
    words = "" if mark.shape == "point" else _write_label(mark.label, mark.code)
    words = f"\\fontsize{{{mark.font:g}}}{{{1.2 * mark.font:g}}}\\selectfont {words}" if words else ""
    (x, y), inside = mark.at, "" if mark.foot else words
    out = f"\\node[{', '.join(options)}] at ({x:.2f},{y:.2f}) {{{inside}}};"
    if mark.foot and words:
        out += f"\n\\node[anchor=south,{options[-1]}] at ({x:.2f},{y - mark.height / 2:.2f}) {{{words}}};"
    return out


def _write_line(line: Line, theme: Theme, color: Paint) -> str:
    stroke = STROKES[line.role]
    pen = stroke.pen if line.pen is None else line.pen
    options = [f"draw={color(line.color or get_line_color(line.role, theme))}", f"line width={pen:.3g}bp"]
    options += ["->"] if line.arrow else []
    options += ["dashed"] if (stroke.dashed if line.dashed is None else line.dashed) else []
    points = [f"({x:.2f},{y:.2f})" for x, y in line.curve]
    path = points[0] + "".join(
        f" .. controls {points[i]} and {points[i + 1]} .. {points[i + 2]}" for i in range(1, len(points) - 1, 3)
    )
    out = f"\\draw[{', '.join(options)}] {path};"
    if line.label.rows and line.label_at is not None:
        (x, y), ink = line.label_at, color(get_line_ink(line.role, theme))
        out += f"\n\\node[text={ink}, inner sep=0pt] at ({x:.2f},{y:.2f}) {{{_write_label(line.label)}}};"
    return out


def _write_label(label: Label, code: bool = False) -> str:
    return r"\\".join(_write_code(row) if code else _write_row(row) for row in label.rows)


def _write_code(row: tuple[Run, ...]) -> str:
    """Return a line of a program: letters as they are, other characters by their number, which TeX does not interpret."""
    out = ""
    for c in "".join(run.text for run in row):
        if c in " \u00a0":
            out += "~"
        elif c.isascii():
            out += c if c.isalnum() else rf"\symbol{{{ord(c)}}}"
        else:
            out += f"${_SYMBOLS[c]}$" if c in _SYMBOLS else "?"
    return rf"\texttt{{{out}}}"


def _write_row(row: tuple[Run, ...]) -> str:
    out, script = "", 0
    for run in row:
        if run.shift != script:
            out += "}" if script else ""
            out += {1: "^{", -1: "_{", 0: ""}[run.shift]
            script = run.shift
        out += _write_text(run)
    return f"${out}{'}' if script else ''}$" if out.strip() else ""


def _write_text(run: Run) -> str:
    font = r"\mathit" if run.slanted else r"\mathrm"
    if run.slanted and len(run.text) == 2 and run.text[1] == "\u0304":
        return rf"\bar{{{_write_text(Run(run.text[0], True))}}}"
    if run.text in _GREEK:
        return f"\\{_GREEK[run.text]} "
    shown = (c for c in unicodedata.normalize("NFC", run.text) if c != "\u00a0")
    out = "".join(_SYMBOLS.get(c) or _SPECIAL.get(c) or (c if c.isascii() else _write_letter(c)) for c in shown)
    return f"{font}{{{out.replace(' ', '~')}}}" if out else ""


def _write_letter(letter: str) -> str:
    """Return a letter that is not ASCII: a European one as text, which has glyphs for it."""
    return rf"\text{{{letter}}}" if letter.isalpha() and "À" <= letter <= "ž" else "?"
