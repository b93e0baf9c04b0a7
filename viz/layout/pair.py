"""Unfolded pictures of one axis or two: of two, a lattice of a recurrence over both, grids of what varies, or two sequences."""

from __future__ import annotations

from math import prod

from viz.errors import DrawError
from viz.layout.clearing import clear_picture
from viz.layout.compose import MOST_MARKS, check_size, compose_unfolded
from viz.layout.grids import compose_grids
from viz.layout.gutter_choice import note_params
from viz.layout.lattice import compose_lattice
from viz.layout.sequences import compose_sequences, find_order
from viz.scene.columns import Columns
from viz.scene.items import Scene
from viz.scene.picture import Picture


def compose_steps(scene: Scene, columns: dict[str, Columns], *, boxes: bool = False, bus: bool = False) -> Picture:
    """Return the unfolded picture of a scene of one or two axes.

    Args:
        scene: the scene to draw.
        columns: for each axis, the steps to show.
        boxes: True for operations in slices with level and upright paths between them, False for variables.
        bus: whether parameters are items of their own.

    Returns:
        A placed Picture.

    Raises:
        DrawError: there are more axes.
        TooLargeError: more nodes than can be drawn.
    """
    if len(columns) > 2:
        raise DrawError("P209", f"this graph varies over {' and '.join(columns)}, but this picture shows at most two axes",
                        expected="at most two axes", got=f"{len(columns)}", fix="viz.folded(g) draws it")  # fmt: skip
    if len(columns) == 2:
        return compose_pair(scene, columns, boxes=boxes or bus)
    ((axis, shown),) = columns.items()
    return compose_unfolded(scene, axis, shown, boxes=boxes)


def compose_pair(scene: Scene, columns: dict[str, Columns], *, boxes: bool = False) -> Picture:
    """Return the unfolded picture of a scene of two axes.

    Args:
        scene: the scene to draw.
        columns: for each axis, the steps to show.
        boxes: True for slices with level and upright paths between them, as for operations; False for variables.

    Returns:
        A placed Picture.

    Raises:
        TooLargeError: more nodes than can be drawn.
    """
    counts = {axis: max(len(shown.columns), 1) for axis, shown in columns.items()}
    check_size(sum(prod(counts[axis] for axis in item.over) for item in scene.items), MOST_MARKS, "nodes", "fewer steps")
    over = {item.key: set(item.over) for item in scene.items}
    both = any(a.shifts and len(over[a.tail]) == 2 and len(over[a.head]) == 2 for a in scene.arrows)
    if boxes or (both and any(len(axes) == 1 for axes in over.values())):
        first, second = scene.axes[::-1] if both else find_order(scene)
        return clear_picture(compose_grids(scene if boxes else note_params(scene, every=True), columns, first, second))
    scene = note_params(scene)
    return clear_picture(compose_lattice(scene, columns) if both else compose_sequences(scene, columns))
