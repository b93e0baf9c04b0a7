"""The arguments that all pictures share, checked: a graph or nodes, a level, a theme."""

from __future__ import annotations

from typing import Any

from autograd_seq.core.node import Node
from viz.errors import DrawError, make_option_error
from viz.layout.compose import MOST_ITEMS, check_size
from viz.read.graph import Reading, read_graph
from viz.read.operations import make_operations_scene
from viz.read.variables import make_variables_scene
from viz.render.style import THEMES, Theme, find_theme
from viz.scene.items import Scene

LEVELS = ("variables", "ops")


def read_drawable(g: Any) -> Reading:
    """Return the Reading of a graph, a node or several nodes.

    Raises:
        DrawError: it is none of these.
    """
    outputs = getattr(g, "outputs", g)
    if isinstance(outputs, Node):
        outputs = (outputs,)
    if not isinstance(outputs, (list, tuple)) or not outputs or not all(isinstance(node, Node) for node in outputs):
        raise DrawError("P205", f"{g!r:.60} cannot be drawn", expected="an ag.Graph, or a node", got=f"{g!r:.60}",
                        fix="viz.folded(ag.Graph(L))")  # fmt: skip
    axes = None if isinstance(g, Node) else getattr(g, "axes", None)  # those of a graph, not of its last value
    reading = read_graph(outputs, None if axes is None else [axis.name for axis in axes])
    check_size(len(reading.vertices), MOST_ITEMS, "operations",
               "draw a part of it: viz.folded(node) of a node inside")  # fmt: skip
    return reading


def make_scene(reading: Reading, level: str) -> Scene:
    """Return the scene of a graph at a level of detail.

    Raises:
        DrawError: the level is unknown.
    """
    if level not in LEVELS:
        raise make_option_error("P206", "level", level, LEVELS)
    return make_variables_scene(reading) if level == "variables" else make_operations_scene(reading)


def get_theme(name: str) -> Theme:
    """Return the theme of that name.

    Raises:
        DrawError: there is none.
    """
    found = find_theme(name)
    if found is None:
        raise make_option_error("P207", "theme", name, THEMES)
    return found


def get_only_axis(scene: Scene) -> str:
    """Return the name of the one axis to unfold.

    Raises:
        DrawError: there is none, or there are several.
    """
    if len(scene.axes) == 1:
        return scene.axes[0]
    if not scene.axes:
        raise DrawError("P208", "nothing in this graph varies over time", expected="one axis", got="none",
                        fix='viz.folded(g, level="ops") draws an expression')  # fmt: skip
    raise DrawError("P209", f"this graph varies over {' and '.join(scene.axes)}, but an unfolded picture shows one axis",
                    expected="one axis", got=f"{len(scene.axes)}", fix="viz.folded(g) draws it")  # fmt: skip
