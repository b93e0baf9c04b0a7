"""A model as one interactive page: folded, unfolded step by step, its equations and its program beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from viz.arguments import choose_lengths, find_times, get_theme, make_scene, read_drawable
from viz.errors import DrawError
from viz.layout.compose import compose_folded, compose_unfolded
from viz.layout.folded_operations import compose_operations
from viz.layout.pair import compose_pair
from viz.read.scopes import get_scope
from viz.render.files import get_format, write_file
from viz.render.page import Pane, View, to_page
from viz.scene.columns import show_all_steps
from viz.scene.items import keep_axes
from viz.scene.picture import Picture

_MOST_OPERATIONS = 400


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


def page(g: Any, t: int = 6, *, program: Any = None, title: str | None = None, theme: str = "white", **lengths: int) -> Page:
    """Return a model as one page: pan, zoom, search, unfold it step by step, go through its steps forward and backward.

    Args:
        g: an `ag.Graph`, or a node or several.
        t: the most steps to unfold.
        program: a compiled program of it; its textbook form then stands at the right, one line highlighted with the picture.
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
    """
    colors = get_theme(theme)
    reading = read_drawable(g)
    scene = make_scene(reading, "variables")
    views = []
    if find_times(scene) and scene.axes:
        views.append(View("unfolded", _unfold(scene, choose_lengths(scene, t, lengths, "page"))))
    views.append(View("folded", compose_folded(scene)))
    depth = max((get_scope(vertex).count("/") + 1 for vertex in reading.vertices if get_scope(vertex)), default=0)
    for level in range(1, depth + 1):
        views += _collapse(g, level, t, lengths)
    if len(reading.vertices) <= _MOST_OPERATIONS:
        views.append(View("operations, folded", compose_operations(make_scene(reading, "ops"))))
    panes = [Pane("equations", tuple(str(g).splitlines()))]
    if program is not None:
        text = getattr(program, "textbook", None)
        if not isinstance(text, str):
            raise DrawError(
                "P222", f"{program!r:.60} is no program", expected="what ag.compile returns", got=f"{program!r:.60}"
            )
        panes.append(Pane("program", tuple(text.splitlines())))
    return Page(to_page(views, colors, title=title or "model", panes=panes))


def _unfold(scene: Any, shown: dict[str, int]) -> Picture:
    scene = keep_axes(scene, shown)
    columns = {axis: show_all_steps(count, (count, 0), axis) for axis, count in shown.items()}
    if len(shown) == 2:
        return compose_pair(scene, columns)
    ((axis, steps),) = columns.items()
    return compose_unfolded(scene, axis, steps, boxes=False)


def _collapse(g: Any, depth: int, t: int, lengths: dict[str, int]) -> list[View]:
    """Return the picture with scopes as boxes; none where a scope is no box."""
    try:
        scene = make_scene(read_drawable(g, depth), "variables")
    except DrawError:
        return []
    return [View(f"scopes of depth {depth}", _unfold(scene, choose_lengths(scene, t, lengths, "page")))] if scene.axes else []
