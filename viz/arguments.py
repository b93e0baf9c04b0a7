"""The arguments that all pictures share, checked: a graph or nodes, a level, a theme."""

from __future__ import annotations

from typing import Any

from autograd_seq.core.errors import did_you_mean
from autograd_seq.core.node import Node
from viz.errors import DrawError, make_option_error
from viz.layout.compose import MOST_ITEMS, check_size
from viz.read.graph import Reading, read_graph
from viz.read.operations import make_operations_scene
from viz.read.scopes import choose_scopes, collapse_scopes
from viz.read.variables import make_variables_scene
from viz.render.style import THEMES, Theme, find_theme
from viz.scene.items import Scene

LEVELS = ("variables", "ops")
_OPTIONS = ("params", "level", "theme", "steps", "legend", "depth", "collapse")


def read_drawable(g: Any, depth: int | None = None, collapse: Any = None) -> Reading:
    """Return the Reading of a graph, a node or several nodes, with scopes collapsed.

    Args:
        g: what to draw.
        depth, collapse: which scopes to collapse; see `viz.read.scopes.choose_scopes`.

    Raises:
        DrawError: it is none of these, or a scope cannot be collapsed.
    """
    outputs = get_outputs(g)
    axes = None if isinstance(g, Node) else getattr(g, "axes", None)  # those of a graph, not of its last value
    reading = read_graph(outputs, None if axes is None else [axis.name for axis in axes])
    if depth is not None or collapse is not None:
        reading = collapse_scopes(reading, choose_scopes(reading, depth, collapse))
    check_size(len(reading.vertices), MOST_ITEMS, "operations",
               "draw a part of it: viz.folded(node) of a node inside")  # fmt: skip
    return reading


def get_outputs(g: Any) -> tuple[Node, ...]:
    """Return the nodes to draw: the outputs of a graph, a node, or several.

    Raises:
        DrawError: it is none of these.
    """
    outputs = getattr(g, "outputs", g)
    if isinstance(outputs, Node):
        outputs = (outputs,)
    if not isinstance(outputs, (list, tuple)) or not outputs or not all(isinstance(node, Node) for node in outputs):
        if isinstance(outputs, (list, tuple)) and outputs:  # such as the values of a cell, of which it may not have all
            odd = next(node for node in outputs if not isinstance(node, Node))
            raise DrawError("P229", f"{odd!r:.60} among {len(outputs)} values cannot be drawn", got=f"{odd!r:.60}",
                            expected="an ag.Graph, or a node or several", fix="leave it out, or name one: cell.s")  # fmt: skip
        is_program = hasattr(g, "graph") or hasattr(g, "program")
        raise DrawError("P205", f"{g!r:.60} cannot be drawn", expected="an ag.Graph, or a node or several", got=f"{g!r:.60}",
                        fix="draw its graph: program.graph" if is_program else "viz.folded(ag.Graph(L))")  # fmt: skip
    return tuple(outputs)


def make_scene(reading: Reading, level: str) -> Scene:
    """Return the scene of a graph at a level of detail.

    Raises:
        DrawError: the level is unknown.
    """
    if level not in LEVELS:
        raise make_option_error("P206", "level", level, LEVELS)
    return make_variables_scene(reading) if level == "variables" else make_operations_scene(reading)


def get_program(program: Any, function: str, gradients: bool = False) -> tuple[Any, str]:
    """Return the graph of a compiled program, and its textbook form; of a loss and its gradients the graph of the loss.

    Args:
        program: what to draw.
        function: the name of what draws it.
        gradients: whether it may be what `ag.value_and_grad` returns.

    Raises:
        DrawError: it is none.
    """
    graph, text = getattr(program, "graph", None), getattr(program, "textbook", None)
    if gradients and graph is None and hasattr(program, "wrt"):
        graph = program.program.graph.outputs[0]
    if graph is None or not isinstance(text, str):
        makers = "ag.compile or ag.value_and_grad" if gradients else "ag.compile"
        raise DrawError("P223", f"{program!r:.60} is no compiled program", expected=f"what {makers} returns",
                        got=f"{program!r:.60}", fix=f"viz.{function}(ag.compile(g))")  # fmt: skip
    return graph, text


def get_theme(name: str) -> Theme:
    """Return the theme of that name.

    Raises:
        DrawError: there is none.
    """
    found = find_theme(name)
    if found is None:
        raise make_option_error("P207", "theme", name, THEMES)
    return found


def find_times(scene: Scene) -> list[str]:
    """Return the axes that a picture unfolds: those with delays, and those whose steps are read one by one by such an axis.

    All others are like a batch: they stand at the names.

    Example:
        >>> from viz.scene.items import Arrow, Item
        >>> s = Item(0, "s", "state", ("t", "b"))
        >>> find_times(Scene([s], [Arrow(0, 0, (("t", 1),))], ("t", "b")))
        ['t']
    """
    items = {item.key: item for item in scene.items}
    times = {axis for arrow in scene.arrows for axis, _ in arrow.shifts if axis in scene.axes}
    for arrow in scene.arrows:
        tail, head = items[arrow.tail], items[arrow.head]
        for read in set(tail.over) - set(head.over):
            # A sequence that another one reads as a whole, or starts from; what is over all of the other is like a batch.
            others = {axis for axis in head.over if head.role != "loss"}
            readers = {axis for axis in others if any(read in i.over and axis not in i.over for i in scene.items)}
            times |= {read, *readers} if readers else set()
    times = times or set(scene.axes[:1])
    return [axis for axis in scene.axes if axis in times]


def choose_lengths(
    scene: Scene, t: int, lengths: dict[str, Any], function: str, variables: Scene | None = None
) -> dict[str, int]:
    """Return how many steps of which axes to show.

    Args:
        scene: the scene to draw.
        t: the number of steps of axes for which none is given.
        lengths: numbers of steps by the names of axes.
        function: the name of the caller, for errors.
        variables: the scene of the same graph's variables, by which axes are chosen; by default the scene itself.

    Raises:
        DrawError: nothing varies over an axis, or a name is that of no axis.
    """
    if not scene.axes:
        raise DrawError("P208", "nothing in this graph varies over time", expected="one axis", got="none",
                        fix='viz.folded(g, level="ops") draws an expression')  # fmt: skip
    for name, value in lengths.items():
        if name not in scene.axes:
            near = did_you_mean(name, [*_OPTIONS, *scene.axes])
            fix = f"viz.{function}(g, {scene.axes[0]}={value})" if type(value) is int else None
            raise DrawError("P212", f"{function} has no option {name}=, and the graph no axis of that name",
                            expected=f"an option, or an axis: {', '.join(scene.axes)}", got=f"{name}={value!r:.40}",
                            fix=near if near and near.startswith("did you mean") else fix)  # fmt: skip
    times = find_times(variables or scene)
    times = [axis for axis in scene.axes if axis in times or axis in lengths]
    return {axis: lengths.get(axis, t) for axis in times}
