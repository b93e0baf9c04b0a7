"""Figures in the colours of the graphs. The only file that imports matplotlib.

Figures are made without pyplot: no global state, no window, no backend to choose.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from viz.errors import make_option_error
from viz.render.files import get_format, write_file
from viz.render.style import Theme

_FORMATS = ("png", "svg", "pdf")
INCHES = (8.0, 3.6)


class Plot:
    """A figure that can be saved, and shown in a notebook.

    Attributes:
        figure: the matplotlib Figure, to which more can be added.
    """

    __slots__ = ("figure",)

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"<Plot of {width:g} × {height:g} inches; .save(path) writes it as png, svg or pdf>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save as png, svg or pdf by the suffix; the file is written whole or not at all.

        Args:
            path: where; a file there is replaced once the new one is complete.

        Returns:
            The path.

        Raises:
            DrawError: the suffix is none of these, or the directory does not exist.
        """
        form = get_format(path)
        if form not in _FORMATS:
            raise make_option_error("P121", "format of a plot", form, _FORMATS)
        return write_file(path, self._bytes(form))

    def _bytes(self, form: str) -> bytes:
        buffer = io.BytesIO()
        # A date or a random id in the file would make the same plot differ from run to run.
        stamp = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
        self.figure.savefig(buffer, format=form, metadata=stamp, facecolor=self.figure.get_facecolor())
        return buffer.getvalue()

    def _repr_png_(self) -> bytes:
        return self._bytes("png")


def make_empty_figure(colors: Theme, inches: tuple[float, float] = INCHES) -> Figure:
    """Return a figure without axes."""
    figure = Figure(figsize=inches, dpi=150, layout="constrained", facecolor=colors.ground)
    FigureCanvasAgg(figure)
    return figure


def make_figure(colors: Theme, title: str, inches: tuple[float, float] = INCHES) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes: no box, a faint grid."""
    figure = make_empty_figure(colors, inches)
    axes = figure.add_subplot()
    axes.set_facecolor(colors.ground)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(colors.faint)
    axes.tick_params(colors=colors.ink, labelsize=9)
    axes.grid(axis="y", color=colors.faint, alpha=0.25, linewidth=0.6)
    if title:
        # A $ in a title is a dollar, not the start of a formula.
        axes.set_title(title, color=colors.ink, fontsize=11, loc="left", parse_math=False)
    return figure, axes
