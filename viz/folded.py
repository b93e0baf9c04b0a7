"""The folded picture: a system of recurrence equations as a graph, with a loop for each delay."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from autograd_seq.core.hints import explain_keywords
from viz.arguments import get_theme, make_scene, read_drawable
from viz.diagram import Diagram
from viz.layout.compose import compose_folded
from viz.layout.folded_operations import compose_operations
from viz.layout.legend import add_legend


def folded(
    g: Any, level: str = "variables", theme: str = "white", *, depth: int | None = None,
    collapse: Collection[str] | Callable[[str], bool] | None = None, legend: bool = False,
) -> Diagram:  # fmt: skip
    """Draw a graph folded, every equation once.

    Args:
        g: an `ag.Graph`, or a node (an expression whose nodes carry values, say) or several.
        level: "variables" for the lecture's picture: named variables as circles, one edge for all operations between two of
            them, labelled with the parameters they read, delays z⁻ᵏ at edges; "ops" for every operation, delays as small
            squares.
        theme: "white" or "dark".
        depth: draws each scope at this depth as one box, with its shape and the number of its parameters.
        collapse: names of scopes to draw as one box, or a function that tells for a name whether to.
        legend: whether the roles that colours and shapes stand for are written below.

    Returns:
        A Diagram.

    Raises:
        DrawError: there is no such level or theme, or g is no graph.
        TooLargeError: more nodes than can be drawn.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, W = ag.state("s", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1])
        >>> print(folded(ag.Graph(s)).dot.splitlines()[0])
        digraph {

    Notes:
        Placed here, without Graphviz, in about quadratic time.
    """
    colors = get_theme(theme)
    scene = make_scene(read_drawable(g, depth, collapse), level)
    picture = compose_folded(scene) if level == "variables" else compose_operations(scene)
    return Diagram(add_legend(picture) if legend else picture, colors)


explain_keywords(globals(), ["folded"])
