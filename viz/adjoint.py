"""The gradient of a folded graph beside the graph: the same nodes in the same places, every arrow and every delay turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from viz.arguments import get_theme, make_scene, read_drawable
from viz.diagram import Diagram
from viz.errors import DrawError
from viz.layout.compose import drop_params, measure_extent, shift_picture
from viz.layout.folded_column import FoldedColumn
from viz.layout.gutter_choice import choose_channels
from viz.layout.param_stacks import make_stacked_stamp
from viz.scene.items import Item, Scene
from viz.scene.label import Label, Run, join_labels, make_name_label, make_text_label, stack_labels
from viz.scene.picture import Mark, Picture

_ARROW = stack_labels([make_text_label("reverse", 0.86), make_text_label("⇒", 1.86)])
_FAINT = {"flow": "shared", "recur": "shared", "param": "shared", "faint": "shared", "start": "shared", "shared": "shared"}


def adjoint(g: Any, wrt: Node | str | Sequence[Node | str] | None = None, theme: str = "white") -> Diagram:
    """Draw a graph folded, and beside it the graph of its gradient in the same places.

    Args:
        g: an `ag.Graph` of a loss, or the loss.
        wrt: the parameters (or inputs, states) whose gradients are drawn, or their names; by default all parameters.
        theme: "white" or "dark".

    Returns:
        A Diagram. At the right, s̄ is the derivative of the loss by s; arrows lead from what is known first, which is the loss,
        to the gradients; a delay z⁻¹ is z⁺¹, since an adjoint state reads the next step. What no gradient needs is dashed.

    Raises:
        DrawError: nothing of wrt is in the picture, or the theme is unknown.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, x, W = ag.state("s", over=t), ag.input("x", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1] + x[t])
        >>> drawn = adjoint(ag.sum(s, over=t).named("L"))
        >>> [mark.label.text for mark in drawn.picture.marks if mark.role == "param"]
        ['W', '∂L∕∂W']

    Notes:
        Reverse mode on the equations of a recurrence (Werbos 1990): the adjoint is a system of recurrences that runs backward.
    """
    colors = get_theme(theme)
    scene = make_scene(read_drawable(g), "variables")
    loss = next((item.name or "L" for item in scene.items if item.role == "loss"), "L")
    widest = ",".join(scene.axes) if len(scene.axes) > 1 else "t"
    channels = choose_channels(drop_params(scene), None)
    params = [name for arrow in scene.arrows for name in arrow.params]
    least = {name: _name_gradient(loss, make_name_label(name)).ems * 14.6 + 10.0 for name in params}
    scene, stamp = make_stacked_stamp(scene, widest, least)
    nodes = list(wrt) if isinstance(wrt, (list, tuple)) else [] if wrt is None else [wrt]
    names = {str(node.name) if isinstance(node, Node) else str(node) for node in nodes}
    wanted = {item.key for item in scene.items if (_is_named(item, names) if nodes else item.role == "param")}
    if not wanted:
        raise DrawError("P220", "there is nothing to differentiate by in the picture", expected="variables of the graph",
                        got=", ".join(sorted(names)) or "no parameter")  # fmt: skip
    column = FoldedColumn(scene, stamp, indexed=True, lanes=channels.number_lanes(scene, stamp))
    column.print_columns()
    column.print_arrows()
    primal = column.picture
    turned = turn_picture(primal, find_needed(scene, wanted), loss)
    middle = measure_extent(primal)[1] + 60.0
    picture = Picture([*primal.marks], [*primal.lines])
    picture.marks.append(Mark("reverse", "static", _ARROW, "plaintext", 64, 50, (middle, (stamp.top + stamp.bottom) / 2)))
    moved = shift_picture(turned, middle + 60.0 - measure_extent(turned)[0], "adjoint")
    return Diagram(Picture([*picture.marks, *moved.marks], [*picture.lines, *moved.lines]), colors)


def _is_named(item: Item, names: set[str]) -> bool:
    return item.full in names or (not item.full and any(name == item.name or name.endswith("/" + item.name) for name in names))


def find_needed(scene: Scene, wanted: set[int]) -> set[int]:
    """Return the keys of the items that lie on a way from one of the wanted items to an output: those with an adjoint."""
    found, grew = set(wanted), True
    while grew:
        heads = {arrow.head for arrow in scene.arrows if arrow.tail in found} - found
        found |= heads
        grew = bool(heads)
    return found


def turn_picture(picture: Picture, needed: set[int], loss: str) -> Picture:
    """Return the picture with every line reversed, and adjoints in the place of values; an overlay.

    Args:
        picture: a folded picture.
        needed: the keys of the items that have an adjoint.
        loss: the name of the loss.
    """
    marks = []
    for mark in picture.marks:
        here = isinstance(mark.key, tuple) and mark.key[0] in needed
        if not here:
            mark = replace(mark, role="ghost" if mark.role != "text" else "text")
        elif mark.role == "param":
            mark = replace(mark, label=_name_gradient(loss, mark.label))
        elif mark.role == "loss" and len(mark.label.rows) == 1 and len(mark.label.rows[0]) > 3:
            mark = replace(mark, label=join_labels([_bar(make_name_label(loss)), make_text_label("1")], " = "))
        else:
            mark = replace(mark, label=_bar(mark.label))
        marks.append(mark)
    lines = []
    for line in picture.lines:
        keep = all(isinstance(key, tuple) and key[0] in needed for key in (line.tail, line.head))
        role = line.role if keep else _FAINT[line.role]
        lines.append(replace(line, tail=line.head, head=line.tail, curve=line.curve[::-1], label=_turn(line.label), role=role))
    return Picture(marks, lines)


def _name_gradient(loss: str, label: Label) -> Label:
    return join_labels([make_text_label(f"∂{loss}∕∂"), label], "")


def _bar(label: Label) -> Label:
    """Return the label with a bar over its first letter."""
    if not label.rows or not label.rows[0]:
        return label
    first, *rest = label.rows[0]
    barred = replace(first, text=first.text[0] + "\u0304" + first.text[1:])
    return Label(((barred, *rest), *label.rows[1:]))


def _turn(label: Label) -> Label:
    """Return the label with its delays turned: z⁻¹ is z⁺¹."""

    def turn(run: Run) -> Run:
        signs = {"−": "+", "+": "−"}
        return replace(run, text=signs[run.text[0]] + run.text[1:]) if run.shift == 1 and run.text[:1] in signs else run

    return Label(tuple(tuple(turn(run) for run in row) for row in label.rows))


explain_keywords(globals(), ["adjoint"])
