"""What recurrences do: credit of past steps, spectra, spikes, phase portraits, how far gradients reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autograd_seq.core.hints import explain_keywords
from viz.arguments import get_theme
from viz.errors import DrawError
from viz.plots.figure import Plot, make_empty_figure, make_figure


def credit(
    matrix: ArrayLike, *, policies: Mapping[str, ArrayLike] | None = None, title: str = "", theme: str = "white"
) -> Plot:  # fmt: skip
    """Draw which past step is responsible for which loss, on a logarithmic scale.

    Args:
        matrix: (T, T, …) what `ag.analyse.credit` returns: the derivative of the loss of step i (row) by the state of step j
            (column), of which the norm over all further dimensions is drawn. What is 0 is left white.
        policies: further matrices by name, drawn beside it: what truncation leaves of it.
        title: text at the top.
        theme: "white" or "dark".

    Returns:
        A Plot: below each matrix are its sums over the losses, which is how the whole gradient depends on each step.

    Raises:
        DrawError: one is not (T, T, …), or the theme is unknown.

    Example:
        >>> plot = credit([[1.0, 0.0], [0.5, 1.0]], policies={"segment=1": [[1.0, 0.0], [0.0, 1.0]]})
        >>> len(plot.figure.axes)
        5
    """
    colors = get_theme(theme)
    found = {name: _take_norms(np.asarray(m, float)) for name, m in {"all": matrix, **(policies or {})}.items()}
    for name, m in found.items():
        if m.ndim != 2 or m.shape != found["all"].shape or m.shape[0] != m.shape[1]:
            raise DrawError("P305", f"the credit of {name} is {m.shape}, and no square matrix like the others",
                            expected="(T, T, …), losses first", got=f"{m.shape}")  # fmt: skip
    positive = np.concatenate([m[m > 0] for m in found.values()])
    low, high = (np.log10(positive.min()), np.log10(positive.max())) if positive.size else (-1.0, 0.0)
    low = max(low, high - 12.0) - 1e-9
    figure = make_empty_figure(colors, (3.1 * len(found) + 0.8, 4.2))
    grid = figure.add_gridspec(2, len(found), height_ratios=(4, 1))
    shown: Any = None
    for place, (name, m) in enumerate(found.items()):
        axes, below = figure.add_subplot(grid[0, place]), figure.add_subplot(grid[1, place])
        logs = np.where(m > 0, np.log10(np.where(m > 0, m, 1.0)), np.nan)
        shown = axes.imshow(logs, cmap="Oranges", vmin=low, vmax=high, interpolation="nearest", aspect="auto")
        below.bar(np.arange(m.shape[1]), m.sum(axis=0), color=colors.heat, width=0.9)
        for one in (axes, below):
            one.set_facecolor(colors.ground)
            one.tick_params(colors=colors.ink, labelsize=8)
            one.spines[:].set_color(colors.faint)
        axes.set_title(name if policies else "", color=colors.ink, fontsize=9, parse_math=False)
        below.set_xlim(-0.5, m.shape[1] - 0.5)
        below.set_xlabel("step of the state", color=colors.ink, fontsize=9)
        if not place:
            axes.set_ylabel("step of the loss", color=colors.ink, fontsize=9)
            below.set_ylabel("sum", color=colors.ink, fontsize=9)
    bar = figure.colorbar(shown, ax=figure.axes[::2], location="right", shrink=0.8)
    bar.set_label("powers of ten", color=colors.ink, fontsize=9)
    bar.ax.tick_params(colors=colors.ink, labelsize=8)
    if title:
        figure.suptitle(title, color=colors.ink, fontsize=11, x=0.01, ha="left", parse_math=False)
    return Plot(figure)


def _take_norms(matrix: np.ndarray) -> np.ndarray:
    """Return the norm over all dimensions but the first two."""
    further = tuple(range(2, matrix.ndim))
    return np.sqrt(np.sum(matrix**2, axis=further)) if further else np.abs(matrix)


def spectrum(matrix: ArrayLike, *, title: str = "", theme: str = "white") -> Plot:
    """Draw the eigenvalues of a recurrent matrix in the complex plane, and the unit circle.

    Args:
        matrix: (H, H).
        title: text at the top.
        theme: "white" or "dark".

    Returns:
        A Plot. Inside of the circle a linear recurrence forgets, outside it explodes.

    Raises:
        DrawError: it is not square, or the theme is unknown.

    Example:
        >>> spectrum([[0.0, 1.0], [-1.0, 0.0]]).figure.axes[0].get_title(loc="left")
        'largest modulus 1'
    """
    colors = get_theme(theme)
    m = np.asarray(matrix, float)
    if m.ndim != 2 or m.shape[0] != m.shape[1]:
        raise DrawError("P306", f"a matrix of shape {m.shape} has no eigenvalues", expected="(H, H)", got=f"{m.shape}")
    values = np.linalg.eigvals(m)
    radius = float(np.abs(values).max(initial=0.0))
    figure, axes = make_figure(colors, title or f"largest modulus {radius:.3g}", (4.4, 4.4))
    angle = np.linspace(0.0, 2 * np.pi, 200)
    axes.plot(np.cos(angle), np.sin(angle), color=colors.faint, linewidth=1.0, linestyle=":")
    axes.scatter(values.real, values.imag, s=22, color=colors.recur, zorder=3)
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)  # so that the numbers below keep apart
    axes.set_xlabel("real part", color=colors.ink)
    axes.set_ylabel("imaginary part", color=colors.ink)
    return Plot(figure)


def raster(spikes: ArrayLike, *, title: str = "", dt: float = 1.0, unit: str = "step", theme: str = "white") -> Plot:
    """Draw which neuron fires when.

    Args:
        spikes: (T, N), not 0 where a neuron fires.
        title: text at the top.
        dt: the length of a step.
        unit: of time.
        theme: "white" or "dark".

    Returns:
        A Plot: a row for each neuron, time to the right.

    Raises:
        DrawError: it is not (T, N), or the theme is unknown.

    Example:
        >>> [collection.get_offsets().shape for collection in raster([[1, 0], [0, 1], [1, 1]]).figure.axes[0].collections]
        [(4, 2)]
    """
    colors = get_theme(theme)
    fired = np.asarray(spikes)
    if fired.ndim != 2:
        raise DrawError("P307", f"spikes have shape {fired.shape}", expected="(T, N), a column a neuron", got=f"{fired.shape}")
    figure, axes = make_figure(colors, title)
    step, neuron = np.nonzero(fired)
    axes.scatter(step * dt, neuron, s=12, marker="|", color=colors.looks["state"].line)
    axes.set_xlim(-0.5 * dt, (len(fired) - 0.5) * dt)
    axes.set_ylim(-0.5, fired.shape[1] - 0.5)
    axes.set_xlabel(unit, color=colors.ink)
    axes.set_ylabel("neuron", color=colors.ink)
    return Plot(figure)


def phase(x: ArrayLike, y: ArrayLike, *, points: bool = False, title: str = "", xlabel: str = "", ylabel: str = "",
          theme: str = "white") -> Plot:  # fmt: skip
    """Draw the trajectory of two variables, one against the other.

    Args:
        x, y: (T,) each.
        points: whether only points are drawn, without the line from step to step: a return map, z[t] against z[t - 1].
        title, xlabel, ylabel: text.
        theme: "white" or "dark".

    Returns:
        A Plot.

    Raises:
        DrawError: they are not two rows of one length, or the theme is unknown.

    Example:
        >>> len(phase([0.0, 1.0, 0.0], [1.0, 0.0, -1.0]).figure.axes[0].lines)
        1
    """
    colors = get_theme(theme)
    a, b = np.asarray(x, float), np.asarray(y, float)
    if a.ndim != 1 or a.shape != b.shape:
        raise DrawError("P308", f"the two variables are {a.shape} and {b.shape}", expected="two rows of one length",
                        got=f"{a.shape} and {b.shape}")  # fmt: skip
    figure, axes = make_figure(colors, title, (4.8, 4.2))
    dense = len(a) > 400
    width, marker = (0.0, ".") if points else (0.4, "") if dense else (1.2, ".")
    axes.plot(a, b, color=colors.looks["state"].line, linewidth=width, marker=marker, markersize=2 if points and dense else 6)
    axes.set_xlabel(xlabel, color=colors.ink)
    axes.set_ylabel(ylabel, color=colors.ink)
    return Plot(figure)


def horizon(sizes: Mapping[str, ArrayLike], *, title: str = "", theme: str = "white") -> Plot:
    """Draw how large the derivative by a state is, against how many steps ago it was.

    Args:
        sizes: (T,) for each model by its name, the last entry being that of the last step: what `viz.gradients` returns.
        title: text at the top.
        theme: "white" or "dark".

    Returns:
        A Plot on a logarithmic scale: what falls vanishes, what rises explodes; the slope is the Lyapunov exponent.

    Raises:
        DrawError: one is not a row of numbers, or the theme is unknown.

    Example:
        >>> len(horizon({"RNN": [0.01, 0.1, 1.0], "LSTM": [0.5, 0.8, 1.0]}).figure.axes[0].lines)
        2
    """
    colors = get_theme(theme)
    rows = {name: np.abs(np.asarray(row, float)) for name, row in sizes.items()}
    for name, row in rows.items():
        if row.ndim != 1:
            raise DrawError("P309", f"the sizes of {name} are {row.shape}", expected="(T,)", got=f"{row.shape}")
    figure, axes = make_figure(colors, title)
    inks = [colors.recur, colors.looks["state"].line, colors.looks["input"].line, colors.looks["loss"].line, colors.faint]
    for i, (name, row) in enumerate(rows.items()):
        ago = np.arange(len(row))[::-1]
        axes.plot(ago, np.where(row > 0, row, np.nan), color=inks[i % len(inks)], linewidth=1.6, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("steps before the loss", color=colors.ink)
    axes.set_ylabel("size of the derivative", color=colors.ink)
    axes.legend(frameon=False, labelcolor=colors.ink, fontsize=9)
    return Plot(figure)


explain_keywords(globals(), ["credit", "horizon", "phase", "raster", "spectrum"])
