"""The unfolded picture: a column a step, and the folded and the unfolded one side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from autograd_seq.core.hints import explain_keywords
from viz.arguments import choose_lengths, get_theme, make_scene, read_drawable
from viz.diagram import Diagram
from viz.errors import DrawError, make_option_error
from viz.layout.compose import add_bus, compose_both, compose_folded, drop_params, join_pictures
from viz.layout.folded_operations import compose_operations
from viz.layout.legend import add_legend
from viz.layout.pair import compose_steps
from viz.scene.columns import show_all_steps
from viz.scene.items import keep_axes

PARAMS = ("labels", "bus", "hide")


def unfolded(
    g: Any, t: int = 4, params: str | None = None, level: str | None = None, theme: str = "white", *,
    steps: tuple[int, int] | None = None, depth: int | None = None,
    collapse: Collection[str] | Callable[[str], bool] | None = None, legend: bool = False, **lengths: int,
) -> Diagram:  # fmt: skip
    """Draw a graph unfolded over its steps.

    Args:
        g: an `ag.Graph`, or a node or several.
        t: number of steps, 0 or more.
        params: where the parameters are: "labels" at the edges (for variables, the default), "bus" once at the left with a
            line to every use (for operations, the default), or "hide".
        level: "variables", or "ops" for every operation in a slice a step; by default "ops" for the bus alone.
        theme: "white" or "dark".
        depth: draws each scope at this depth as one box, with its shape and the number of its parameters.
        collapse: names of scopes to draw as one box, or a function that tells for a name whether to.
        legend: whether the roles that colours and shapes stand for are written below.
        steps: how many steps to show at the start and at the end; by default all of at most six, else (3, 2).
        lengths: numbers of steps by the names of axes: ``u=6``. Axes without delays, such as a batch, stand at the names.

    Returns:
        A Diagram: columns are steps, rows are variables; dashed are the rows before and after the sequence.

    Raises:
        DrawError: an option is unknown, t is no number of steps, or the graph has no axis.
        TooLargeError: more steps or nodes than can be drawn.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, W = ag.state("s", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1])
        >>> unfolded(ag.Graph(s), t=3).dot.count("<I>s</I>")
        4

    Notes:
        One step is laid out and printed t times: with larger t, only the printing takes longer.
    """
    level = level if level is not None else "ops" if params == "bus" else "variables"
    params = params if params is not None else "bus" if level == "ops" else "labels"
    if params not in PARAMS:
        raise make_option_error("P210", "params", params, PARAMS)
    colors = get_theme(theme)
    reading = read_drawable(g, depth, collapse)
    scene = make_scene(reading, level)
    shown = choose_lengths(scene, t, lengths, "unfolded", make_scene(reading, "variables"))
    scene = keep_axes(scene, shown)
    columns = {axis: show_all_steps(count, steps, axis) for axis, count in shown.items()}
    if level == "ops" and params == "labels":
        raise DrawError("P211", "operations have no edges to label with parameters", expected='params="bus" or "hide"',
                        got='params="labels"', fix='viz.unfolded(g, level="ops", params="bus")')  # fmt: skip
    if params == "bus" and level == "variables":
        scene = add_bus(scene)
    elif params == "hide":
        scene = drop_params(scene)
    picture = compose_steps(scene, columns, boxes=level == "ops", bus=params == "bus")
    return Diagram(add_legend(picture) if legend else picture, colors)


def fold_unfold(
    g: Any, t: int = 3, theme: str = "white", *, level: str = "variables", depth: int | None = None,
    collapse: Collection[str] | Callable[[str], bool] | None = None, legend: bool = False, **lengths: int,
) -> Diagram:  # fmt: skip
    """Draw a graph folded at the left, and t steps of it unfolded at the right.

    Args:
        g: an `ag.Graph`, or a node or several.
        t: number of steps, out of the middle of a sequence; of operations, or of a graph of two axes, the number of all steps.
        theme: "white" or "dark".
        level: "variables", or "ops" for every operation.
        depth: draws each scope at this depth as one box, with its shape and the number of its parameters.
        collapse: names of scopes to draw as one box, or a function that tells for a name whether to.
        legend: whether the roles that colours and shapes stand for are written below.
        lengths: numbers of steps by the names of axes.

    Returns:
        A Diagram; of variables over one axis, the rows of both sides are level.

    Raises:
        DrawError: an option or the theme is unknown, t is no number of steps, or the graph has no axis or more than two.
        TooLargeError: more steps or nodes than can be drawn.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, W = ag.state("s", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1])
        >>> "unroll" in fold_unfold(ag.Graph(s)).dot
        True
    """
    colors = get_theme(theme)
    reading = read_drawable(g, depth, collapse)
    scene = make_scene(reading, level)
    shown = choose_lengths(scene, t, lengths, "fold_unfold", make_scene(reading, "variables"))
    if len(shown) == 1 and level == "variables":
        picture = compose_both(keep_axes(scene, shown), *next(iter(shown.items())))
    else:
        left = compose_folded(scene) if level == "variables" else compose_operations(scene)
        columns = {name: show_all_steps(count, None, name) for name, count in shown.items()}
        picture = join_pictures(left, compose_steps(keep_axes(scene, shown), columns, boxes=level == "ops"))
    return Diagram(add_legend(picture) if legend else picture, colors)


explain_keywords(globals(), ["fold_unfold", "unfolded"])
