"""A model as one interactive page: a cycle that unfolds step by step, boxes that open and close, its equations and program."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from viz.arguments import choose_lengths, find_times, get_theme, make_scene, read_drawable
from viz.errors import DrawError
from viz.layout.compose import compose_folded
from viz.layout.folded_operations import compose_operations
from viz.layout.frames import add_frames, is_within
from viz.layout.pair import compose_steps
from viz.page_values import list_values, write_textbook
from viz.read.foldings import list_foldings, list_scopes
from viz.read.graph import Reading
from viz.render.files import get_format, write_file
from viz.render.page import Pane, Texts, make_equations, to_page
from viz.render.pieces import State, View
from viz.scene.columns import show_all_steps
from viz.scene.items import Scene, keep_axes
from viz.scene.picture import Picture

_MOST_FOLDINGS = 32
_MOST_MARKS = {"variables": 3500, "operations": 2000}  # of all pictures of a view together
_MOST_OF_LARGE = 800  # of operations where they are not unfolded: each takes long to lay out
_MOST_OPERATIONS, _MOST_UNFOLDED, _MOST_COLUMNS = 400, 120, 3  # operations that are drawn, and unfolded over so many steps
_EVERY_STEP = 8  # stops of the slider up to there, then about one in four


class Page:
    """An HTML page.

    Attributes:
        html: the whole page; it makes no request.

    Example:
        >>> Page("<p>hello</p>")
        <Page of 12 characters; .save(path) writes it>
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file whose name ends in .html.

        Raises:
            DrawError: it ends otherwise, or there is no such directory.
        """
        if get_format(path) != "html":
            raise DrawError(
                "P221", "a page is an html file", expected="a path that ends in .html", got=f"{os.fspath(path)!r:.80}"
            )
        return write_file(path, self.html.encode("utf-8"))

    def __repr__(self) -> str:
        return f"<Page of {len(self.html):,} characters; .save(path) writes it>"


def page(
    g: Any, t: int = 6, *, program: Any = None, feeds: Mapping[str, Any] | None = None, title: str | None = None,
    theme: str = "white", **lengths: int,
) -> Page:  # fmt: skip
    """Return a model as one page: unfold it, open and close its scopes, go through its steps forward and backward.

    Args:
        g: an `ag.Graph`, or a node or several.
        t: the most steps to unfold.
        program: a compiled program of it; its textbook form then stands at the right, one line highlighted with the picture.
        feeds: an array for each input and parameter, by name; the page then shows values, and the gradients of a scalar output.
        title: a heading.
        theme: "white" or "dark", to begin with.
        lengths: the most steps by the names of axes.

    Returns:
        A Page: one file that needs nothing else, works without a mouse, and makes no request.

    Raises:
        DrawError: g cannot be drawn, or an option is unknown.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, W = ag.state("s", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1])
        >>> "default-src 'none'" in page(ag.Graph(s)).html
        True

    Notes:
        Every number of steps and every way to open and close scopes is a picture of its own, laid out here, where there are not
        too many; what these share is stored once. Of a model with very many scopes, those pictures are there in which one scope
        is open, or one is closed.
    """
    colors = get_theme(theme)
    reading = read_drawable(g)
    scene = make_scene(reading, "variables")
    shown = choose_lengths(scene, t, lengths, "page") if scene.axes else {}
    views = [_make_view("variables", g, reading, shown)]
    if len(reading.vertices) <= _MOST_OPERATIONS:
        views.append(_make_view("operations", g, reading, shown))
    if program is not None and not isinstance(getattr(program, "textbook", None), str):
        raise DrawError("P222", f"{program!r:.60} is no program", expected="what ag.compile returns", got=f"{program!r:.60}")
    text = program.textbook if program is not None else write_textbook(g)
    panes = [make_equations(text, [str(vertex.name) for vertex in reading.vertices if vertex.name])]
    panes += [Pane("program", tuple(text.splitlines()))] if program is not None else []
    values: Texts = list_values(g, feeds, find_times(scene)) if feeds is not None else {}
    return Page(to_page(views, colors, title=title or "model", panes=panes, values=values))


def _make_view(level: str, g: Any, reading: Reading, shown: dict[str, int]) -> View:
    """Return the pictures of a level of detail, folded and unfolded, in every way to open and close scopes."""
    stops, most = (0, *_list_stops(max(shown.values(), default=0))), _MOST_MARKS[level]
    if level == "operations":
        few = len(shown) == 1 and len(reading.vertices) <= _MOST_UNFOLDED
        stops, most = (stops[: 1 + _MOST_COLUMNS], most) if few else ((0,), _MOST_OF_LARGE)
    scopes = list_scopes(reading)
    states: list[State] = []
    marks = 0
    for closed in list_foldings(scopes, _MOST_FOLDINGS):
        try:
            folded = read_drawable(g, None, closed) if closed else reading
        except DrawError:  # a scope that is no box: P215 tells that what leaves it comes back
            continue
        opened = [scope for scope in scopes if not any(is_within(scope, other) for other in closed)]
        pictures = [add_frames(picture, opened) for picture in _draw(make_scene(folded, _LEVELS[level]), level, stops, shown)]
        marks += sum(len(picture.marks) for picture in pictures)
        if states and marks > most:
            break
        states.append(State(closed, tuple(pictures)))
    boxes = {scope for state in states for scope in state.closed}
    return View(level, tuple(states), stops, tuple(scope for scope in scopes if scope in boxes))


_LEVELS = {"variables": "variables", "operations": "ops"}


def _list_stops(most: int) -> Iterator[int]:
    """Yield the numbers of steps on the slider: one by one, then in larger strides."""
    step = 1
    while step < most:
        yield step
        step += 1 if step < _EVERY_STEP else step // 4
    if most > 0:
        yield most


def _draw(scene: Scene, level: str, stops: tuple[int, ...], shown: dict[str, int]) -> Iterator[Picture]:
    for stop in stops:
        if stop == 0:
            yield compose_folded(scene) if level == "variables" else compose_operations(scene)
            continue
        kept = keep_axes(scene, shown)
        columns = {axis: show_all_steps(min(count, stop), (count, 0), axis) for axis, count in shown.items()}
        yield compose_steps(kept, columns, boxes=level == "operations")
