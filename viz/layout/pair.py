"""Two axes of time: a lattice where a recurrence leads along both, else two sequences of which one reads the other."""

from __future__ import annotations

from viz.layout.compose import MOST_MARKS, check_size
from viz.layout.gutter_choice import note_params
from viz.layout.lattice import compose_lattice
from viz.layout.sequences import compose_sequences
from viz.scene.columns import Columns
from viz.scene.items import Scene
from viz.scene.picture import Picture


def compose_pair(scene: Scene, columns: dict[str, Columns]) -> Picture:
    """Return the unfolded picture of a scene of two axes.

    Args:
        scene: the scene to draw.
        columns: for each axis, the steps to show.

    Returns:
        A placed Picture.

    Raises:
        TooLargeError: more nodes than can be drawn.
    """
    counts = [max(len(shown.columns), 1) for shown in columns.values()]
    check_size(len(scene.items) * counts[0] * counts[1], MOST_MARKS, "nodes", "fewer steps")
    scene = note_params(scene, [])
    over = {item.key: set(item.over) for item in scene.items}
    both = {arrow.head for arrow in scene.arrows if arrow.shifts and len(over[arrow.tail]) == 2 and len(over[arrow.head]) == 2}
    return compose_lattice(scene, columns) if both else compose_sequences(scene, columns)
