"""A drawn graph: a picture that can be looked at, saved, and shown in a notebook."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from viz.errors import GlyphWarning
from viz.render.dot import to_dot
from viz.render.files import SECONDS, get_format, render, show, write_file
from viz.render.glyphs import find_missing, list_unusual, write_notice
from viz.render.mermaid import to_mermaid
from viz.render.page import to_page
from viz.render.pieces import State, View
from viz.render.style import Theme
from viz.render.svg import to_svg
from viz.render.tikz import to_tikz
from viz.scene.picture import Picture

TEXTS = {"dot": "dot", "svg": "svg", "html": "html", "tex": "tex", "mmd": "mermaid"}
"""The formats that are text, and the attribute that holds it."""


class Diagram:
    """A picture in a theme, as the functions of `viz` return it; a file is made when it is saved or shown, not before.

    Attributes:
        picture: what stands where; see `viz.scene.picture`.
        theme: the colours.
        dot, svg, html, tex, mermaid: the texts of the formats that are text.

    Example:
        >>> import autograd_seq as ag, viz
        >>> x, w = ag.tensor(2.0, name="x"), ag.tensor(3.0, name="w")
        >>> drawn = viz.folded(ag.tanh(w * x))
        >>> drawn
        <Diagram of 3 marks and 2 lines; .save(path) draws it>
        >>> drawn.svg[:4]
        '<svg'
    """

    def __init__(self, picture: Picture, theme: Theme) -> None:
        self.picture, self.theme = picture, theme

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text, which Graphviz draws as it stands, without placing anything."""
        return to_dot(self.picture, self.theme)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG, made without Graphviz; at most as wide as a page where it is shown."""
        return to_svg(self.picture, self.theme)

    @cached_property
    def html(self) -> str:
        """The picture as a page of its own: pan, zoom, search, steps forward and backward; see `viz.page` for a whole model."""
        return to_page([View("picture", (State((), (self.picture,)),))], self.theme, title="picture")

    @cached_property
    def tex(self) -> str:
        """The picture as a TikZ picture in a document of its own."""
        return to_tikz(self.picture, self.theme)

    @cached_property
    def mermaid(self) -> str:
        """The picture's nodes and arrows as a Mermaid flow chart, which places them by itself."""
        return to_mermaid(self.picture)

    @property
    def digest(self) -> str:
        """A hash of what is drawn, the same on every machine; the lines of code that tips name do not count.

        Example:
            >>> from viz.render.style import find_theme
            >>> Diagram(Picture(), find_theme("white")).digest == Diagram(Picture(), find_theme("dark")).digest
            False
        """
        return hashlib.sha256(re.sub(r"<title>.*?</title>", "", self.svg, flags=re.DOTALL).encode("utf-8")).hexdigest()[:16]

    def overlay(self, change: Callable[[Picture], Picture]) -> Diagram:
        """Return the diagram of a changed picture.

        Args:
            change: a function from picture to picture.
        """
        return Diagram(change(self.picture), self.theme)

    def save(self, path: str | os.PathLike[str], *, seconds: float = SECONDS) -> Path:
        """Save the picture in the format that the suffix names: png, svg, pdf, dot, html, tex (TikZ) or mmd (Mermaid).

        Args:
            path: where; a file there is replaced once the new one is complete.
            seconds: how long rendering may take.

        Returns:
            The path.

        Raises:
            DrawError: the suffix is unknown, or the directory does not exist.
            TooLargeError: rendering takes longer than that.
            RenderError: nothing here can render a png or a pdf; the others always work.

        Warns:
            GlyphWarning: no font here has the letters of a name, which are boxes in a png or pdf.

        Example:
            >>> import pathlib, tempfile
            >>> import autograd_seq as ag, viz
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = viz.folded(ag.tanh(ag.param("w"))).save(pathlib.Path(folder) / "tanh.dot")
            ...     path.read_text()[:9]
            'digraph {'
        """
        form = get_format(path)
        if form in TEXTS:
            return write_file(path, str(getattr(self, TEXTS[form])).encode("utf-8"))
        data = render(self.dot, form, seconds)
        missing = find_missing(list_unusual(self.picture))
        if missing:
            warnings.warn(write_notice(missing, form), GlyphWarning, stacklevel=2)
        return write_file(path, data)

    def show(self) -> None:
        """Show the picture: in a notebook below the cell, elsewhere in the window of the program that opens SVG files.

        Notes:
            Elsewhere it is written to a file in the directory of temporary files, whose place is printed.
        """
        show(self.svg)

    def _repr_mimebundle_(self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, str]:
        """Return what a notebook shows: the picture as SVG."""
        wanted = ({"image/svg+xml", "text/plain"} if include is None else set(include)) - set(exclude or ())
        bundle = {"text/plain": repr(self), "image/svg+xml": self.svg}
        return {form: text for form, text in bundle.items() if form in wanted}

    def __repr__(self) -> str:
        return f"<Diagram of {len(self.picture.marks):,} marks and {len(self.picture.lines):,} lines; .save(path) draws it>"
