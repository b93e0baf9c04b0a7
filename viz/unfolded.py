"""The unfolded picture: a column a step, and the folded and the unfolded one side by side."""

from __future__ import annotations

from typing import Any

from viz.assemble import side_by_side, stamped, with_bus, without_params
from viz.columns import all_steps
from viz.diagram import Diagram
from viz.dot import to_dot
from viz.errors import DrawError, one_of
from viz.source import only_axis, read, scene_of, theme_of

PARAMS = ("labels", "bus", "hide")


def unfolded(
    g: Any, t: int = 4, params: str | None = None, level: str | None = None, theme: str = "white", *,
    steps: tuple[int, int] | None = None, **other: Any,
) -> Diagram:  # fmt: skip
    """Draw a graph of one axis unfolded over its steps.

    Args:
        g: an `ag.Graph` of one axis, or a node or several.
        t: number of steps, 0 or more.
        params: where the parameters are: "labels" at the edges (for variables, the default), "bus" once at the left with a
            line to every use (for operations, the default), or "hide".
        level: "variables", or "ops" for every operation in a slice a step; by default "ops" for the bus alone.
        theme: "white" or "dark".
        steps: how many steps to show at the start and at the end; by default all of at most six, else (3, 2).
        other: nothing else; the number of steps is t=, whatever the axis is called.

    Returns:
        A Diagram: columns are steps, rows are variables; dashed are the rows before and after the sequence.

    Raises:
        DrawError: an option is unknown, t is no number of steps, or the graph has no axis or several.
        TooLargeError: more steps or nodes than can be drawn.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, W = ag.state("s", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1])
        >>> unfolded(ag.Graph(s), t=3).dot.count("<I>s</I>")
        4

    Notes:
        One step is laid out and printed t times: the cost grows with t by what is printed alone.
    """
    _refuse(other, "unfolded", "t=, params=, level=, theme= or steps=")
    level = level if level is not None else "ops" if params == "bus" else "variables"
    params = params if params is not None else "bus" if level == "ops" else "labels"
    if params not in PARAMS:
        raise one_of("P210", "params", params, PARAMS)
    colors = theme_of(theme)
    columns = all_steps(t, steps)
    scene = scene_of(read(g), level)
    axis = only_axis(scene)
    if level == "ops" and params == "labels":
        raise DrawError("P211", "operations have no edges to label with parameters", expected='params="bus" or "hide"',
                        got='params="labels"', fix='viz.unfolded(g, level="ops", params="bus")')  # fmt: skip
    if params == "bus" and level == "variables":
        scene = with_bus(scene)
    elif params == "hide":
        scene = without_params(scene)
    return Diagram(to_dot(stamped(scene, axis, columns, boxes=level == "ops"), colors))


def fold_unfold(g: Any, t: int = 3, theme: str = "white", **other: Any) -> Diagram:
    """Draw a graph of one axis folded at the left, and t steps of it unfolded at the right.

    Args:
        g: an `ag.Graph` of one axis, or a node or several.
        t: number of steps, out of the middle of a sequence.
        theme: "white" or "dark".
        other: nothing else; the number of steps is t=, whatever the axis is called.

    Returns:
        A Diagram; the rows of both sides are level.

    Raises:
        DrawError: an option or the theme is unknown, t is no number of steps, or the graph has no axis or several.
        TooLargeError: more steps or nodes than can be drawn.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, W = ag.state("s", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1])
        >>> "unroll" in fold_unfold(ag.Graph(s)).dot
        True
    """
    _refuse(other, "fold_unfold", "t= or theme=")
    colors = theme_of(theme)
    scene = scene_of(read(g), "variables")
    return Diagram(to_dot(side_by_side(scene, only_axis(scene), t), colors))


def _refuse(other: dict[str, Any], name: str, expected: str) -> None:
    for option, value in other.items():
        fix = f"viz.{name}(g, t={value})" if isinstance(value, int) else None
        raise DrawError("P212", f"{name} has no option {option}=", expected=expected, got=f"{option}={value!r:.40}", fix=fix)
