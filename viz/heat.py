"""Magnitudes over an unfolded picture, as colour, width and number: gradients that vanish, explode or are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, floor, isfinite, log10
from typing import Any

import numpy as np

from autograd_seq.core.errors import did_you_mean
from viz.arguments import choose_lengths, get_theme, make_scene, read_drawable
from viz.diagram import Diagram
from viz.errors import DrawError
from viz.layout.compose import drop_params
from viz.layout.pair import compose_steps
from viz.layout.routes import sample_curve
from viz.render.style import Theme, mix_heat
from viz.scene.columns import check_steps, show_all_steps
from viz.scene.items import keep_axes
from viz.scene.label import Label, Run, make_text_label, scale_label, stack_labels
from viz.scene.order import find_sources
from viz.scene.picture import Mark, Picture, measure_picture

_WIDEST, _THINNEST = 4.5, 0.7
_MOST_DECADES = 12
_GAP = make_text_label("\u00a0", 0.3)


def heat(
    g: Any, values: Mapping[str, Any], t: int | None = None, *, segment: int | None = None, length: int | None = None,
    theme: str = "white", steps: tuple[int, int] | None = None, **lengths: int,
) -> Diagram:  # fmt: skip
    """Draw a graph unfolded, with a magnitude at every step of its variables.

    Args:
        g: an `ag.Graph` over one axis of time or two, or a node or several.
        values: an array (T,) for each variable by its name, as `viz.gradients` returns it: sizes, ≥ 0; (U, T) for one over two
            axes, such as the weights of attention, in the order of its indices in the picture.
        t: the number of steps, which is T; by default those of the longest array.
        segment: draws the cuts of truncated backpropagation over one axis: blocks of that many steps which end at T.
        length: the number of steps of a shorter sequence over one axis; the steps after it are padding, and faint.
        theme: "white" or "dark".
        steps: how many steps to show at the start and at the end; by default all of at most six, else (3, 2).
        lengths: numbers of steps by the names of axes.

    Returns:
        A Diagram: colour, border and number of each variable, and the width of the lines out of it, on which its derivative
        comes back, are on a logarithmic scale, which stands below. What is 0 is white, and lines into it are faint.

    Raises:
        DrawError: a name is that of no variable, an array is of another shape, or the graph has more than two axes of time.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, x, W = ag.state("s", over=t), ag.input("x", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1] + x[t])
        >>> drawn = heat(ag.Graph(s), {"s": [0.01, 0.1, 1.0]})
        >>> [mark.label.text for mark in drawn.picture.marks if mark.name == "s" and mark.role == "state"]
        ['s_0   0.01', 's_1   0.1', 's_2   1']
    """
    colors = get_theme(theme)
    for option, value in (("segment", segment), ("length", length)):
        check_steps(option, 1 if value is None else value, 1)
    if not isinstance(values, Mapping):
        raise DrawError("P230", f"values={values!r:.60} names no variables", expected="a dict of arrays by name",
                        got=f"{values!r:.60}", fix='viz.heat(g, {"s": [0.1, 1.0]})')  # fmt: skip
    scene = make_scene(read_drawable(g), "variables")
    shown = choose_lengths(scene, 4 if t is None else t, lengths, "heat")
    named = {item.full: [axis for axis in item.over if axis in shown] for item in scene.items if item.full}
    named = {name: over for name, over in named.items() if over}
    arrays = {name: _check_array(name, value, named) for name, value in values.items()}
    for axis in [axis for axis in shown if axis not in lengths and t is None]:
        found = [array.shape[named[name].index(axis)] for name, array in arrays.items() if axis in named[name]]
        shown[axis] = max(found, default=shown[axis])
    for name, array in arrays.items():
        wanted = tuple(shown[axis] for axis in named[name])
        if array.shape != wanted:
            raise _make_shape_error(name, array, str(wanted)[1:-1])
    if len(shown) > 1 and (segment is not None or length is not None):
        raise DrawError("P227", f"segment= and length= are steps of one axis, but this graph varies over {' and '.join(shown)}",
                        expected="one axis of time", got=f"{len(shown)}", fix="viz.heat(g, values) without them")  # fmt: skip
    scene = drop_params(keep_axes(scene, shown))
    picture = compose_steps(scene, {axis: show_all_steps(count, steps, axis) for axis, count in shown.items()})
    return Diagram(paint_heat(picture, arrays, colors, segment=segment, length=length, steps=max(shown.values())), colors)


def _check_array(name: str, value: Any, named: Mapping[str, list[str]]) -> np.ndarray:
    if name not in named:
        raise DrawError("P217", f"there is no variable {name!r:.60} over time", got=f"{name!r:.60}",
                        expected=f"one of {', '.join(sorted(named))}", fix=did_you_mean(name, sorted(named)))  # fmt: skip
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError):
        raise DrawError("P231", f"the values of {name:.60} are no numbers", expected="an array", got=f"{value!r:.60}") from None
    if array.ndim != len(named[name]):
        raise _make_shape_error(name, array, ", ".join(axis.upper() for axis in named[name]))
    return array


def _make_shape_error(name: str, array: np.ndarray, wanted: str) -> DrawError:
    return DrawError("P218", f"the values of {name:.60} are {array.shape}", got=f"{array.shape}",
                     expected=f"({wanted}), a number for each step",
                     fix="take a norm over all other dimensions; arrays of one axis are of one length")  # fmt: skip


def paint_heat(
    picture: Picture, arrays: Mapping[str, np.ndarray], theme: Theme, *, segment: int | None = None, length: int | None = None,
    steps: int = 0,
) -> Picture:  # fmt: skip
    """Return the picture with magnitudes painted over it; an overlay."""
    sizes = [float(v) for array in arrays.values() for v in np.abs(array).flat if isfinite(v) and v > 0]
    high = ceil(log10(max(sizes)) - 1e-9) if sizes else 0
    low = max(floor(log10(min(sizes)) + 1e-9), high - _MOST_DECADES) if sizes else -1
    low = min(low, high - 1)

    def find_level(value: float) -> float:
        if value == 0:
            return 0.0
        return min(max((log10(value) - low) / (high - low), 0.0), 1.0) if isfinite(value) else 1.0

    value_of: dict[object, float] = {}
    marks = []
    for mark in picture.marks:
        array = arrays.get(mark.name)
        step = (mark.step,) if isinstance(mark.step, int) else mark.step or ()
        inside = (
            array is not None and len(step) == array.ndim and all(0 <= i < n for i, n in zip(step, array.shape, strict=True))
        )
        if array is not None and inside and mark.role != "ghost":
            value = float(array[step])
            value_of[mark.key] = value
            mark = _paint(mark, value, find_level(abs(value)), theme)
        if length is not None and isinstance(mark.step, int) and mark.step >= length:
            mark = replace(mark, role="ghost", fill="", tip=f"{mark.tip}; padding")
        marks.append(mark)
    ends = {mark.key: mark for mark in picture.marks}
    # A line with branches that leads out of one variable alone is that variable's as a whole.
    sources = find_sources(picture)
    lone = {joint: next(iter(found)) for joint, found in sources.items() if len(found) == 1}
    value_of |= {joint: value_of[source] for joint, source in lone.items() if source in value_of}
    lines, cuts = [], []
    pale = theme.looks["slice"].line
    for line in picture.lines:
        tail, head = ends[line.tail], ends[line.head]
        look = replace(line, color=pale) if line.role in ("flow", "recur", "faint") else line
        shared = line.tail in sources and line.head in sources and line.head not in lone
        # Nothing comes back from where the derivative is 0.
        if line.tail in value_of and value_of.get(line.head) != 0 and not shared and (line.arrow or line.role != "start"):
            level = find_level(abs(value_of[line.tail]))
            look = replace(look, color=mix_heat(theme, 0.25 + 0.75 * level), pen=_THINNEST + (_WIDEST - _THINNEST) * level)
        if segment is not None and line.role == "recur" and _is_cut(tail, head, segment, steps):
            look = replace(look, dashed=True, color=theme.faint, pen=1.0)
            cuts.append(line)
        lines.append(look)
    inks = {end: line.color or pale for line in lines for end in (line.tail, line.head)}
    out = Picture([replace(m, fill=inks[m.key], pen=0.0) if m.role == "joint" else m for m in marks], lines)
    for i, line in enumerate(cuts):
        points = sample_curve(line.curve)
        out.marks.append(
            Mark(("cut", i), "words", make_text_label("✂"), "plaintext", 16.0, 16.0, points[len(points) // 2], font=16.0)
        )
    _add_scale(out, low, high, theme)
    return out


def _paint(mark: Mark, value: float, level: float, theme: Theme) -> Mark:
    base, sign, power = format_magnitude(value).partition("e")
    number = scale_label(_label_power(f"{base}·", int(power.replace("−", "-"))) if sign else make_text_label(base), 0.66)
    tip = f"{mark.tip}; {value:.6g}"
    label = stack_labels([mark.label, _GAP, number])
    if value == 0:
        return replace(mark, label=label, fill=theme.ground, pen=0.8, tip=tip)
    return replace(mark, label=label, fill=mix_heat(theme, level), pen=1.0 + 2.5 * level, tip=tip)


def format_magnitude(value: float) -> str:
    """Return a size in few characters.

    Example:
        >>> [format_magnitude(v) for v in (0.0, 1.0, 0.0123, 3.2e-7, 41000.0)]
        ['0', '1', '0.012', '3e−7', '4e4']
    """
    if not isfinite(value):
        return "NaN" if value != value else "∞"
    if value == 0 or 1e-3 <= abs(value) < 1000:
        return f"{value:.2g}".replace("-", "−") if abs(value) < 10 else f"{value:.0f}".replace("-", "−")
    base, power = f"{value:.0e}".split("e")
    return f"{base}e{int(power)}".replace("-", "−")


def _label_power(before: str, power: int) -> Label:
    """Return a power of ten, after what it multiplies."""
    if power in (0, 1):
        return make_text_label(f"{before}{10**power}")
    return Label(((Run(f"{before}10"), Run(str(power).replace("-", "−"), shift=1)),))


def _is_cut(tail: Mark, head: Mark, segment: int, steps: int) -> bool:
    """Tell whether a line leads from one block into the next; blocks end at the last step."""
    if not isinstance(tail.step, int) or not isinstance(head.step, int) or tail.step < 0:
        return False
    return (steps - 1 - tail.step) // segment != (steps - 1 - head.step) // segment


def _add_scale(picture: Picture, low: int, high: int, theme: Theme) -> None:
    """Add the scale: a box for each power of ten."""
    left, bottom, right, _ = measure_picture(picture)
    count = high - low + 1
    every = max(1, ceil(count / 8))
    powers = list(range(low, high + 1, every))
    width = min(44.0, max(28.0, (right - left) / max(len(powers), 1)))
    x = (left + right) / 2 - width * (len(powers) - 1) / 2
    for i, power in enumerate(powers):
        at = (x + i * width, bottom - 24.0)
        fill = mix_heat(theme, (power - low) / (high - low))
        text = _label_power("", power)
        picture.marks.append(Mark(("scale", i), "static", shape="box", width=width, height=12.0, at=at, fill=fill, pen=0.5))
        picture.marks.append(Mark(("power", i), "text", text, "plaintext", width, 12.0, (at[0], at[1] - 14.0), font=10.0))
