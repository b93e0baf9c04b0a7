"""Three panes as a still: the equations, their picture and the plain program, with one line highlighted in all three."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from autograd_seq.core.errors import did_you_mean
from viz.arguments import choose_lengths, get_program, get_theme, make_scene, read_drawable
from viz.diagram import Diagram
from viz.errors import DrawError
from viz.layout.compose import compose_folded, shift_picture
from viz.layout.pair import compose_steps
from viz.render.style import Theme, mix_heat
from viz.scene.columns import show_all_steps
from viz.scene.equations import find_defined, group_equations, join_comments, make_identifier
from viz.scene.items import keep_axes
from viz.scene.label import Label, Run, clean, make_text_label
from viz.scene.picture import Mark, Picture, measure_picture

_FONT, _CODE, _LINE, _RIM = 14.0, 11.0, 21.0, 16.0
_ADVANCE = 0.63  # width of a letter of a program, of its font
_MOST = 30  # lines of a pane
_LONGEST = 110  # letters of a line
_LEFT = re.compile(r"(.*?)(?:\[[^\]]*\])?(?: = |$)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A line of a pane.

    Attributes:
        label: how it is set.
        defines: what it computes, as the program writes it; "" for other lines.
        name: of an equation, what it computes, as the equation writes it.
    """

    label: Label
    defines: str = ""
    name: str = ""


def panes(program: Any, highlight: str | None = None, t: int | None = None, theme: str = "white", title: str = "") -> Diagram:
    """Draw equations, picture and plain program of a model side by side, what computes one variable highlighted in all three.

    Args:
        program: what `ag.compile` returned, or `ag.value_and_grad`: its gradients stand in the program.
        highlight: the name of a variable, or None.
        t: the number of steps to unfold; by default the picture is folded.
        theme: "white" or "dark".
        title: a heading.

    Returns:
        A Diagram. Of a long program the lines around the highlighted one are shown.

    Raises:
        DrawError: it is no program, no equation computes such a variable, the theme is unknown, or t is no number of steps.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, W = ag.state("s", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1] + ag.input("x", over=t)[t])
        >>> drawn = panes(ag.compile(s), highlight="s")
        >>> lines = [mark.label.text.replace("\xa0", " ") for mark in drawn.picture.marks if mark.code]
        >>> [line.strip() for line in lines if "s[t] =" in line]
        ['s[t] = np.tanh(W * s[t - 1] + x[t])']

    Notes:
        The same lines are highlighted live on `viz.page`.
    """
    colors = get_theme(theme)
    graph, text = get_program(program, "panes", gradients=True)
    reading = read_drawable(graph)
    names = {str(vertex.name): reading.names[vertex] for vertex in reading.vertices if vertex.name}
    equations, code = read_textbook(text, [*names])
    name, word = (None, None) if highlight is None else _find_name(highlight, names, equations)
    scene = make_scene(reading, "variables")
    if t is None:
        middle = compose_folded(scene)
    else:
        shown = choose_lengths(scene, t, {}, "panes")
        columns = {axis: show_all_steps(count, None, axis) for axis, count in shown.items()}
        middle = compose_steps(keep_axes(scene, shown), columns)
    if name is not None:
        middle = _highlight(middle, name, mix_heat(colors, 0.5))
    return Diagram(_arrange(_cut(equations, word), middle, _cut(code, word), word, colors, title), colors)


def read_textbook(text: str, names: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """Return the equations of a textbook program, and the lines of its function without them.

    Args:
        text: the program.
        names: the full names of the variables.

    Example:
        >>> text = "def step(W):\\n    for t in range(T):\\n        # s[t] = W s[t − 1]\\n        s[t] = W * s[t - 1]\\n"
        >>> equations, code = read_textbook(text, ["s", "W"])
        >>> [(row.label.text, row.defines) for row in equations], [row.defines for row in code]
        ([('s_t = W s_t−1', 's')], ['', '', 's'])
    """
    start = text.index("def ") + 4
    lines = text[start:].partition("\n\n\n")[0]
    found: list[tuple[str, str]] = []  # an equation, and what the line of code after it calls what it computes
    code: list[Row] = []
    waits = False
    for line in join_comments(["def " + lines.split("\n", 1)[0], *lines.splitlines()[1:]]):
        bare = line.strip()
        if bare.startswith("# ") and " = " in bare:
            waits = True
            found.append((bare[2:], ""))
        else:
            defined = find_defined(line) if waits else ""
            if defined:
                found[-1] = (found[-1][0], defined)
            code.append(Row(_set_code(line), defined))
            waits = False
    labels = [label for _, _, label in group_equations([equation for equation, _ in found], names)]
    rows = zip(labels, found, strict=True)
    return [Row(label, defines, _LEFT.match(text)[1]) for label, (text, defines) in rows], _strip(code)  # type: ignore[index]


def _strip(rows: list[Row]) -> list[Row]:
    while rows and not rows[-1].label.text.strip("\u00a0 "):
        rows.pop()
    return rows


def _set_code(line: str) -> Label:
    return Label(((Run(clean(line, _LONGEST).replace(" ", "\u00a0") or "\u00a0"),),))


def _find_name(highlight: str, names: dict[str, str], equations: list[Row]) -> tuple[str, str]:
    """Return the full name of a variable that an equation computes, and what the program calls it."""
    computed = {row.name: row.defines for row in equations if row.defines} | {row.defines: row.defines for row in equations}
    known = {}
    for full, short in names.items():
        words = [form for word in (full, short, full.rpartition("/")[2]) for form in (word, make_identifier(word))]
        word = next((computed[word] for word in words if computed.get(word)), None)
        if word is None:  # the program counts what would have the same name
            counted = re.compile(rf"{re.escape(make_identifier(full))}_\d+")
            word = next((row.defines for row in equations if counted.fullmatch(row.defines)), None)
        if word is not None:
            known[full] = (short, word)
    found = [(full, word) for full, (short, word) in known.items() if highlight in (full, short)]
    if found:
        return found[0]
    shorts = [short for short, _ in known.values()]
    raise DrawError("P243", f"no equation of this program computes {highlight!r:.60}",
                    expected=f"one of {', '.join(shorts) or 'none'}", got=f"{highlight!r:.60}",
                    fix=did_you_mean(str(highlight), shorts))  # fmt: skip


def _cut(rows: list[Row], word: str | None) -> list[Row]:
    """Return the rows, of very many those around the one that computes a variable."""
    if len(rows) <= _MOST:
        return rows
    here = next((i for i, row in enumerate(rows) if row.defines == word and word), 0)
    start = min(max(here - _MOST // 2, 0), len(rows) - _MOST)
    dots = Row(make_text_label("⋯"))
    shown = rows[start : start + _MOST]
    return [*([dots] if start else []), *shown, *([dots] if start + _MOST < len(rows) else [])]


def _highlight(picture: Picture, name: str, fill: str) -> Picture:
    """Return the picture with a halo behind each mark of a variable, and the lines that lead to it wider."""
    found = {mark.key: mark for mark in picture.marks if mark.name == name and mark.role != "ghost"}
    halos = []
    for mark in found.values():
        halo = Mark(("halo", mark.key), "slice", shape=mark.shape, at=mark.at, fill=fill, pen=0.0, rounded=mark.rounded)
        halos.append(replace(halo, width=mark.width + 14.0, height=mark.height + 14.0))
    lines = [replace(line, pen=2.6) if line.head in found else line for line in picture.lines]
    return Picture([*halos, *picture.marks], lines)


def _arrange(equations: list[Row], middle: Picture, code: list[Row], word: str | None, theme: Theme, title: str) -> Picture:
    left, low, right, high = measure_picture(middle)
    widths = (
        max((row.label.ems * _FONT * 1.06 for row in equations), default=0.0),
        right - left,
        max((len(row.label.text) * _CODE * _ADVANCE for row in code), default=0.0),
    )
    tall = max(high - low, _LINE * max(len(equations), len(code), 1))
    out, x = Picture(), 0.0
    for n, (heading, wide) in enumerate(zip(("equations", "picture", "program"), widths, strict=True)):
        wide = max(wide, 90.0)
        size, at = (wide + 2 * _RIM, tall + 2 * _RIM), (x + wide / 2 + _RIM, 0.0)
        out.marks.append(Mark(("pane", n), "slice", shape="box", width=size[0], height=size[1], at=at, rounded=True))
        spot = (at[0], tall / 2 + _RIM + 14.0)
        out.marks.append(Mark(("heading", n), "text", make_text_label(heading), "plaintext", wide, 18.0, spot, font=12.0))
        if n == 1:
            moved = shift_picture(middle, at[0] - (left + right) / 2, "picture", -(low + high) / 2)
            out.marks += moved.marks
            out.lines += moved.lines
        else:
            rows = equations if n == 0 else code
            out.marks += _print_rows(rows, n == 2, x + _RIM, wide, tall, word, mix_heat(theme, 0.35))
        x += size[0] + 12.0
    if title:
        label = make_text_label(title, longest=60)
        spot = (label.ems * 11.0, tall / 2 + _RIM + 46.0)
        out.marks.append(Mark("title", "words", label, "plaintext", label.ems * 22.0, 30.0, spot, font=22.0, left=True))
    return out


def _print_rows(rows: list[Row], code: bool, x: float, wide: float, tall: float, word: str | None, fill: str) -> list[Mark]:
    """Return the lines of a pane from its top, the highlighted ones on a ground of their own."""
    out, kind = [], "code" if code else "equation"
    font = _CODE if code else _FONT
    for i, row in enumerate(rows):
        at = (x + wide / 2, tall / 2 - _LINE * (i + 0.5))
        if word and row.defines == word:
            band = Mark((kind, "band", i), "slice", shape="box", width=wide + 14, height=_LINE, at=at, fill=fill, pen=0.0)
            out.append(band)
        out.append(Mark((kind, i), "words", row.label, "plaintext", wide, _LINE, at, font=font, left=True, code=code))
    return out
