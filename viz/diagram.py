"""A drawn graph: DOT text that can be looked at, saved, and shown in a notebook."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from viz.errors import RenderError
from viz.render import SECONDS, get_format, render, write_file


class Diagram:
    """A picture as DOT text; rendering happens when it is saved or shown, not before.

    Attributes:
        dot: the DOT text.

    Example:
        >>> Diagram("digraph {a -> b}").dot
        'digraph {a -> b}'
    """

    __slots__ = ("dot",)

    def __init__(self, dot: str) -> None:
        self.dot = dot

    def save(self, path: str | os.PathLike[str], *, seconds: float = SECONDS) -> Path:
        """Save the picture in the format that the suffix names: png, svg, pdf or dot.

        Args:
            path: where; a file there is replaced once the new one is complete.
            seconds: how long rendering may take.

        Returns:
            The path.

        Raises:
            DrawError: the suffix is unknown, or the directory does not exist.
            TooLargeError: rendering takes longer than that.
            RenderError: nothing here can render; .dot always works.

        Example:
            >>> import pathlib, tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Diagram("digraph {a -> b}").save(pathlib.Path(folder) / "ab.dot")
            ...     path.read_text()
            'digraph {a -> b}'
        """
        return write_file(path, render(self.dot, get_format(path), seconds))

    def _repr_mimebundle_(self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, str]:
        """Return what a notebook shows: the picture as SVG, and its text where nothing can render it."""
        wanted = {"image/svg+xml", "text/plain"} if include is None else set(include)
        bundle = {"text/plain": repr(self)}
        if "image/svg+xml" in wanted - set(exclude or ()):
            try:
                bundle["image/svg+xml"] = render(self.dot, "svg").decode("utf-8")
            except RenderError as error:
                bundle["text/plain"] = f"{error}\n\n{self.dot}"
        return bundle

    def __repr__(self) -> str:
        return f"<Diagram of {len(self.dot):,} characters; .save(path) draws it>"
