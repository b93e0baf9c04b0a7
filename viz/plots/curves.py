"""Curves of numbers: forecasts, losses, curves with bands, and matrices as pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from autograd_seq.core.hints import explain_keywords
from viz.arguments import get_theme
from viz.errors import DrawError
from viz.plots.figure import INCHES, Plot, make_empty_figure, make_figure

_DASHES = (0, (5, 2))


def forecast(
    years: ArrayLike, actual: ArrayLike, predicted: ArrayLike, *, split: float | None = None, title: str = "",
    ylabel: str = "", theme: str = "white",
) -> Plot:  # fmt: skip
    """Draw what happened and what was forecast, over time.

    Args:
        years: (T,) increasing, unit of the reader's choice.
        actual: (T,) what was observed.
        predicted: (T,) what was forecast; NaN where there is no forecast.
        split: the first year not used for training; a line marks it.
        title, ylabel: text at the top and at the left.
        theme: "white" or "dark".

    Returns:
        A Plot.

    Raises:
        DrawError: the three are not of one length, or the theme is unknown.

    Example:
        >>> plot = forecast([2000, 2001, 2002], [1.0, 2.0, 1.5], [float("nan"), 1.8, 1.6], split=2002)
        >>> len(plot.figure.axes[0].lines)
        3
    """
    colors = get_theme(theme)
    x, seen, guess = (np.asarray(values, dtype=float) for values in (years, actual, predicted))
    if not (x.ndim == 1 and x.shape == seen.shape == guess.shape):
        raise DrawError(
            "P301", "years, actual and predicted differ in length", expected="three rows of one length",
            got=f"{x.shape}, {seen.shape} and {guess.shape}",
        )  # fmt: skip
    figure, axes = make_figure(colors, title)
    axes.plot(x, seen, color=colors.looks["state"].line, linewidth=1.6, label="observed")
    axes.plot(x, guess, color=colors.recur, linewidth=1.6, linestyle=_DASHES, label="forecast")
    if split is not None:
        axes.axvline(split, color=colors.faint, linewidth=1.0, linestyle=":")
        # The words stand on the side of the line where there is more room.
        text, side = ("not seen in training → ", "right") if 2 * split > x[0] + x[-1] else (" not seen in training", "left")
        axes.annotate(text, (split, 1.0), xycoords=("data", "axes fraction"), ha=side, va="top", fontsize=9, color=colors.faint)
    axes.set_ylabel(ylabel, color=colors.ink)
    axes.margins(x=0.01)
    axes.legend(frameon=False, labelcolor=colors.ink, loc="upper left")
    return Plot(figure)


def loss_curve(
    losses: Sequence[float] | ArrayLike, *, title: str = "", xlabel: str = "step", ylabel: str = "loss",
    log: bool = False, theme: str = "white",
) -> Plot:  # fmt: skip
    """Draw how a loss went down.

    Args:
        losses: (N,) one number a step; NaN leaves a gap.
        title, xlabel, ylabel: text.
        log: whether the loss is drawn on a logarithmic scale.
        theme: "white" or "dark".

    Returns:
        A Plot.

    Raises:
        DrawError: losses is not one row of numbers, or the theme is unknown.

    Example:
        >>> loss_curve([3.0, 2.0, 1.5]).figure.axes[0].get_ylabel()
        'loss'
    """
    colors = get_theme(theme)
    values = np.asarray(losses, dtype=float)
    if values.ndim != 1:
        raise DrawError(
            "P302",
            f"losses has shape {values.shape}, and is not one row of numbers",
            expected="shape (N,)",
            got=str(values.shape),
        )
    figure, axes = make_figure(colors, title)
    mark = "o" if len(values) < 3 else ""
    axes.plot(np.arange(len(values)), values, color=colors.looks["loss"].line, linewidth=1.6, marker=mark)
    if log and np.nanmax(values, initial=0.0) > 0:
        axes.set_yscale("log")
    axes.set_xlabel(xlabel, color=colors.ink)
    axes.set_ylabel(ylabel, color=colors.ink)
    return Plot(figure)


def curves(
    x: ArrayLike, values: Mapping[str, ArrayLike], *, band: tuple[ArrayLike, ArrayLike] | None = None, band_label: str = "",
    points: str | None = None, dashed: Collection[str] = (), title: str = "", xlabel: str = "", ylabel: str = "",
    theme: str = "white",
) -> Plot:  # fmt: skip
    """Draw several rows of numbers over a common axis.

    Args:
        x: (N,) increasing; or texts, which are written below the places 0 … N − 1.
        values: (N,) each, by the name that the legend shows; NaN leaves a gap. At most six.
        band: (N,) each, the lower and the upper edge of an area behind the curves.
        band_label: its name in the legend.
        points: the name of the row that is drawn as points, not as a line.
        dashed: the names of the rows that are drawn as dashed lines, such as those of baselines.
        title, xlabel, ylabel: text.
        theme: "white" or "dark".

    Returns:
        A Plot.

    Raises:
        DrawError: a row is not as long as ``x``, there are too many or none; ``points`` or ``dashed`` names none of them; the
            theme is unknown.

    Example:
        >>> len(curves([0, 1, 2], {"ball": [1.0, 2.0, 3.0], "paddle": [3.0, 3.0, 2.0]}).figure.axes[0].lines)
        2
    """
    colors = get_theme(theme)
    looks = [colors.looks[role].line for role in ("state", "param", "input", "loss", "output", "label")]
    axis, rows, texts = np.asarray(x), {name: np.asarray(row, dtype=float) for name, row in values.items()}, None
    if axis.dtype.kind == "U":
        axis, texts = np.arange(len(axis)), axis
    edges = [np.asarray(edge, dtype=float) for edge in band or ()]
    if not 0 < len(rows) <= len(looks) or any(row.shape != axis.shape for row in [*rows.values(), *edges]):
        raise DrawError(
            "P303", f"{len(rows)} curves cannot be drawn over x of shape {axis.shape}", expected="one to six rows as long as x",
            got=", ".join(str(row.shape) for row in [*rows.values(), *edges]),
        )  # fmt: skip
    if strange := [name for name in (*dashed, *([] if points is None else [points])) if name not in rows]:
        raise DrawError(
            "P310", f"there is no curve {strange[0]!r:.60} to be drawn as dashes or points", expected=", ".join(rows),
            got=repr(strange[0])[:80],
        )  # fmt: skip
    figure, axes = make_figure(colors, title)
    if edges:
        axes.fill_between(axis, edges[0], edges[1], color=colors.looks["input"].line, alpha=0.2, linewidth=0, label=band_label)
    for (name, row), color in zip(rows.items(), looks, strict=False):
        if name == points:
            axes.plot(axis, row, ".", color=color, markersize=4, label=name)
        else:
            axes.plot(axis, row, color=color, linewidth=1.4, linestyle=_DASHES if name in dashed else "-", label=name)
    if texts is not None:
        axes.set_xticks(axis, texts)
    axes.set_xlabel(xlabel, color=colors.ink)
    axes.set_ylabel(ylabel, color=colors.ink)
    axes.margins(x=0.01)
    axes.legend(frameon=False, labelcolor=colors.ink, loc="best", fontsize=9, ncols=2 if len(rows) > 3 else 1)
    return Plot(figure)


def images(
    pictures: Mapping[str, ArrayLike], *, low: float | None = None, high: float | None = None, title: str = "",
    xlabel: str = "", ylabel: str = "", columns: int = 4, theme: str = "white",
) -> Plot:  # fmt: skip
    """Draw matrices as grey pictures in a grid: black is ``low``, white is ``high``.

    Args:
        pictures: (rows, columns) each, by the text above it; the first row is drawn at the top. All are drawn to one scale;
            where one is smaller than others, or NaN, nothing is drawn.
        low, high: values of black and white; the least and the greatest of all by default.
        title: text at the top.
        xlabel, ylabel: text below and at the left of the first.
        columns: pictures of a row.
        theme: "white" or "dark".

    Returns:
        A Plot.

    Raises:
        DrawError: one is not a matrix, there is none, or the theme is unknown.

    Example:
        >>> len(images({"frame 1": [[0.0, 1.0]], "frame 2": [[1.0, 0.0]]}).figure.axes)
        2
    """
    colors = get_theme(theme)
    matrices = {name: np.asarray(picture, dtype=float) for name, picture in pictures.items()}
    if not matrices or any(matrix.ndim != 2 for matrix in matrices.values()):
        raise DrawError(
            "P304", "pictures are not matrices of numbers", expected="at least one, each (rows, columns)",
            got=", ".join(str(matrix.shape) for matrix in matrices.values()) or "none",
        )  # fmt: skip
    size = tuple(np.max([m.shape for m in matrices.values()], axis=0))
    for name, matrix in matrices.items():
        matrices[name] = np.full(size, np.nan)
        matrices[name][: matrix.shape[0], : matrix.shape[1]] = matrix
    least, most = (float(pick([pick(m) for m in matrices.values()])) for pick in (np.nanmin, np.nanmax))
    rows, wide = -(-len(matrices) // columns), min(columns, len(matrices))
    height = min(INCHES[0] / wide * size[0] / size[1], 3.0) + 0.35
    figure = make_empty_figure(colors, (INCHES[0], rows * height + 0.5))
    for place, (name, matrix) in enumerate(matrices.items(), 1):
        axes = figure.add_subplot(rows, wide, place)
        axes.imshow(matrix, cmap="gray", vmin=least if low is None else low, vmax=most if high is None else high,
                    aspect="auto" if size[1] > 3 * size[0] else "equal", interpolation="nearest")  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(name, color=colors.ink, fontsize=9, parse_math=False)
        if place == 1:
            axes.set_xlabel(xlabel, color=colors.ink, fontsize=9)
            axes.set_ylabel(ylabel, color=colors.ink, fontsize=9)
    if title:
        figure.suptitle(title, color=colors.ink, fontsize=11, x=0.01, ha="left", parse_math=False)
    return Plot(figure)


explain_keywords(globals(), ["curves", "forecast", "images", "loss_curve"])
