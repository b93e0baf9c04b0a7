"""What a picture shows, before anything has a place: items and arrows, made in `viz.read`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from viz.scene.label import EMPTY, Label, join_labels, make_name_label, make_text_label, stack_labels
from viz.scene.picture import Mark, Point, Step

# A circle keeps 10 % slack around its text, since fonts differ from machine to machine.
_SLACK = 1.12
_LARGEST_CIRCLE = 62.0


@dataclass(frozen=True)
class Item:
    """One node of the picture, from the folded graph.

    Attributes:
        key: its place in the graph's order.
        name: as the user wrote it; "" for an unnamed operation.
        role: one of `viz.render.style.ROLES`.
        over: names of the axes it varies over; none if static.
        brackets: of these, axes that the picture does not unfold, such as a batch: they stand at every name.
        title: an operation's symbol, or the whole text of a box that has one.
        boxed: whether it is an operation with a name or a long symbol (a rounded box), not a circle.
        starts: what shifts read before and after the sequence: (offset, text), such as (−1, h₀).
        note: a last line, such as the value that a node carries.
        tip: plain text for the pointer.
        full: the whole name, scopes included.
        least: the least width of a parameter's box, points.
        scope: the scope that it belongs to; of a collapsed scope, its name.
        folded: whether it is a collapsed scope.
    """

    key: int
    name: str
    role: str
    over: tuple[str, ...] = ()
    title: Label = EMPTY
    boxed: bool = False
    starts: tuple[tuple[int, Label], ...] = ()
    note: Label = EMPTY
    tip: str = ""
    full: str = ""
    brackets: tuple[str, ...] = ()
    least: float = 30.0
    scope: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Arrow:
    """One dependence of the folded graph.

    Attributes:
        tail, head: keys of items.
        shifts: (axis, steps) for every axis along which the head reads another step; positive reads the past.
        params: names of the parameters passed on the way.
        pick: where the tail varies over an axis and the head does not: the one step that is read, or None for all.
        start: the tail only supplies rows outside the sequence.
        whole: which steps of the tail a step of the head reads, if they are many: "all", those "before" or "after" it, or
            "past" ones, its own among them.
    """

    tail: int
    head: int
    shifts: tuple[tuple[str, int], ...] = ()
    params: tuple[str, ...] = ()
    pick: int | None = None
    start: bool = False
    whole: str = ""


@dataclass
class Scene:
    """Items in drawing order, arrows, and the names of the axes in the graph's order."""

    items: list[Item] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    axes: tuple[str, ...] = ()


def merge_whole(arrows: Sequence[Arrow]) -> list[Arrow]:
    """Return the arrows without those that read one step of what another one of the same ends reads as a whole."""
    whole = {(a.tail, a.head, a.shifts): a for a in arrows if a.whole in ("all", "past")}
    out = []
    for arrow in arrows:
        other = whole.get((arrow.tail, arrow.head, arrow.shifts))
        if other is None or arrow.start:
            out.append(arrow)
        elif arrow is other:
            same = [a.params for a in arrows if (a.tail, a.head, a.shifts) == (arrow.tail, arrow.head, arrow.shifts)]
            out.append(replace(arrow, params=tuple(dict.fromkeys(name for names in same for name in names))))
    return out


def find_later(scene: Scene, steps: set[int]) -> set[int]:
    """Return the keys of the static items that depend on some item of the steps."""
    reached = set(steps)
    grew = True
    while grew:
        heads = {arrow.head for arrow in scene.arrows if arrow.tail in reached and not arrow.start} - reached
        reached |= heads
        grew = bool(heads)
    return reached - steps


def keep_axes(scene: Scene, axes: Collection[str]) -> Scene:
    """Return the scene over some of its axes; the others become brackets at the names.

    Example:
        >>> scene = keep_axes(Scene([Item(0, "x", "input", ("t", "b"))], axes=("t", "b")), ["t"])
        >>> scene.items[0].over, scene.items[0].brackets, scene.axes
        (('t',), ('b',), ('t',))
    """
    items = [
        replace(item, over=tuple(a for a in item.over if a in axes), brackets=tuple(a for a in item.over if a not in axes))
        for item in scene.items
    ]
    arrows = [
        replace(arrow, shifts=tuple((a, k) for a, k in arrow.shifts if a in axes or a not in scene.axes))
        for arrow in scene.arrows
    ]
    return Scene(items, arrows, tuple(axis for axis in scene.axes if axis in axes))


def get_index(item: Item, scene: Scene) -> str:
    """Return the subscript of an item in the folded picture: its axes, in the graph's order.

    Example:
        >>> get_index(Item(0, "g", "state", ("j", "i")), Scene(axes=("i", "j")))
        'i,j'
    """
    return ",".join(axis for axis in scene.axes if axis in item.over)


def make_label(item: Item, index: str) -> Label:
    """Return an item's label at an index: its symbol above its name."""
    places = [*([index] if item.over and index else []), *item.brackets]
    name = make_name_label(item.name, ",".join(places)) if item.name else EMPTY
    return stack_labels([item.title, name, item.note])


def measure_outline(item: Item, index: str = "t−1") -> tuple[str, float, float, float]:
    """Return (shape, width, height, font) of an outline that holds an item's label, in points.

    Example:
        >>> measure_outline(Item(0, "x", "input", ("t",)))
        ('circle', 42.0, 42.0, 14.0)
        >>> measure_outline(Item(0, "", "op", (), make_text_label("+")))
        ('circle', 24.5, 24.5, 14.0)
    """
    label = make_label(item, index)
    if item.role == "param":
        return "box", max(item.least, label.ems * 13 * _SLACK + 10), 24.0 + 15.0 * max(label.lines - 1, 0), 13.0
    if item.boxed:
        return "box", max(52.0, label.ems * 12 * _SLACK + 16), 22.0 + 15.0 * max(label.lines - 1, 0), 12.0
    if item.role in ("op", "delay"):
        side = max(24.5, label.ems * 13 * _SLACK + 6)
        if item.role == "delay":
            wide = label.ems * 11
            return ("square", 26.0, 26.0, 11.0) if wide <= 24.0 else ("box", wide * _SLACK + 6, 26.0, 11.0)
        return "circle", side, side, 14.0
    font, least = (12.0, 30.0) if item.role == "label" else (14.0, 42.0)
    need = label.ems * font * _SLACK + 6
    if need > _LARGEST_CIRCLE:
        return "ellipse", round(need * 1.22, 1), least, font
    return "circle", max(least, round(need, 1)), max(least, round(need, 1)), font


def make_mark(item: Item, index: str, at: Point, key: object, role: str = "", widest: str = "t−1", step: Step = None) -> Mark:
    """Return the item as a node of a picture, sized for its widest index so that all its steps look alike."""
    shape, width, height, font = measure_outline(item, widest)
    return Mark(
        key, role or item.role, make_label(item, index), shape, width, height, at, rounded=item.boxed, font=font,
        tip=item.tip, name=item.full, step=step, scope=item.scope,
        folds="closed" if item.folded and role != "ghost" else "",
    )  # fmt: skip


def label_params(params: Sequence[str], longest: int = 4) -> Label:
    """Return the parameters an edge passes, as its label; of very many, the first ones and how many more.

    Example:
        >>> label_params(["U", "b"]).html
        '<I>U</I>, <I>b</I>'
        >>> label_params(list("abcdef")).html
        '<I>a</I>, <I>b</I>, <I>c</I>, +3'
        >>> label_params(["out/W", "out/b", "c"]).text
        'out: W, b, c'
    """
    shown = params if len(params) <= longest else params[: longest - 1]
    words = [make_name_label(name) for name in shown]
    for i, (one, other) in enumerate(pairwise([name.rpartition("/") for name in ["", *shown]])):
        alike = [name for name in shown if name.rpartition("/")[0] == other[0]]
        if other[0] and len(alike) > 1:  # the scope stands before the first of them
            head = [make_text_label(f"{other[0]}: ")] if one[0] != other[0] else []
            words[i] = join_labels([*head, make_name_label(other[2])], "")
    return join_labels(words if shown is params else [*words, make_text_label(f"+{len(params) - len(shown)}")])
