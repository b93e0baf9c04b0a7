"""A cell on one slide: its graph, its equations, and how many numbers its parameters are."""

from __future__ import annotations

from math import prod
from typing import Any

from autograd_seq.core.hints import explain_keywords
from autograd_seq.ops.leaf import PARAM
from viz.arguments import get_program, get_theme, make_scene, read_drawable
from viz.diagram import Diagram
from viz.layout.compose import compose_folded, shift_picture
from viz.read.names import shorten_names
from viz.scene.equations import list_equations, typeset_equation
from viz.scene.label import Label, join_labels, make_name_label, make_text_label
from viz.scene.picture import Mark, Picture, measure_picture

_FONT, _LINE, _GAP = 15.0, 25.0, 48.0
_MOST = 24  # lines of equations, and of parameters


def card(program: Any, title: str = "", theme: str = "white") -> Diagram:
    """Draw a model on a slide of 16:9: its folded graph, its equations, and its parameters with their shapes and number.

    Args:
        program: what `ag.compile` returned.
        title: a heading.
        theme: "white" or "dark".

    Returns:
        A Diagram.

    Raises:
        DrawError: it is no program, or the theme is unknown.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x = ag.input("x", (3,), over=t)
        >>> drawn = card(ag.compile(ag.nn.gru(x, 4, over=t, name="gru")), "GRU")
        >>> [mark.label.text for mark in drawn.picture.marks if mark.key == "total"]
        ['100 numbers']
    """
    colors = get_theme(theme)
    graph, text = get_program(program, "card")
    left = compose_folded(make_scene(read_drawable(graph), "variables"))
    x0, low, x1, high = measure_picture(left)
    picture = shift_picture(left, -x0, "graph")
    equations = list_equations(text)
    shown = [(("equation", i), typeset_equation(line), _FONT) for i, line in enumerate(equations[:_MOST])]
    rows: list[tuple[object, Label, float]] = [*shown]
    rows += [("more", make_text_label("…"), _FONT)] if len(equations) > _MOST else []
    rows += [("gap", make_text_label("\u00a0"), _FONT)] + _list_parameters(graph)
    right = max(label.ems * font for _, label, font in rows)
    top = (high + low) / 2 + _LINE * (len(rows) - 1) / 2
    start = x1 - x0 + _GAP
    for i, (key, label, font) in enumerate(rows):
        at = (start + right / 2, top - _LINE * i)
        picture.marks.append(Mark(key, "words", label, "plaintext", right, _LINE, at, font=font, left=True))
    if title:
        heading = make_text_label(title, longest=60)
        width, y = heading.ems * 22.0, max(high, top) + 42.0
        picture.marks.append(Mark("title", "words", heading, "plaintext", width, 30.0, (width / 2, y), font=22.0, left=True))
    return Diagram(_frame(picture), colors)


def _list_parameters(graph: Any) -> list[tuple[object, Label, float]]:
    found = [node for node in graph.inputs.values() if node.op is PARAM]
    names = shorten_names({node: str(node.name).rpartition("/")[2] for node in found})
    groups: dict[tuple[int, ...], list[Label]] = {}
    for node in found:
        groups.setdefault(tuple(node.shape), []).append(make_name_label(names[node]))
    out: list[tuple[object, Label, float]] = []
    for i, (shape, labels) in enumerate(list(groups.items())[:_MOST]):
        shown = labels if len(labels) <= 8 else [*labels[:7], make_text_label(f"… ({len(labels)})")]
        size = "×".join(map(str, shape)) or "a number"
        out.append((("parameter", i), join_labels([join_labels(shown), make_text_label(f":  {size}", longest=60)], ""), 13.0))
    total = sum(prod(node.shape) for node in found)
    out.append(("total", make_text_label(f"{total:,} number{'' if total == 1 else 's'}"), 13.0))
    return out


def _frame(picture: Picture) -> Picture:
    """Return the picture in the middle of a ground of 16:9."""
    left, low, right, high = measure_picture(picture)
    width, height = right - left + 80.0, high - low + 64.0
    width, height = max(width, height * 16 / 9), max(height, width * 9 / 16)
    ground = Mark("slide", "slice", shape="box", width=width, height=height, at=((left + right) / 2, (low + high) / 2), pen=0.0)
    return Picture([ground, *picture.marks], picture.lines)


explain_keywords(globals(), ["card"])
