"""The folded picture of operations, in which small squares are delays, as in a block diagram."""

from __future__ import annotations

from viz.layout.clearing import clear_picture
from viz.layout.folded_column import FoldedColumn
from viz.layout.stamp import make_stamp
from viz.scene.items import Arrow, Item, Scene
from viz.scene.label import make_delay_label
from viz.scene.picture import Picture


def compose_operations(scene: Scene) -> Picture:
    """Return the folded picture of operations.

    Args:
        scene: the scene to draw, over any number of axes.

    Returns:
        A placed Picture.
    """
    squared = add_squares(scene)
    stamp = make_stamp(squared, None, widest="t" if len(scene.axes) < 2 else ",".join(scene.axes), split=False, rise=26.0)
    column = FoldedColumn(squared, stamp, delays=False, indexed=True)
    column.print_columns()
    column.print_arrows()
    return clear_picture(column.picture)


def add_squares(scene: Scene) -> Scene:
    """Return the scene with a square for each delay of an item, through which all arrows with that delay lead."""
    upwards = [arrow for arrow in scene.arrows if not arrow.shifts and not arrow.start]
    heads: dict[int, list[int]] = {}
    for arrow in upwards:
        heads.setdefault(arrow.tail, []).append(arrow.head)
    first = 1 + max((item.key for item in scene.items), default=0)
    squares: dict[tuple[int, tuple], Item] = {}
    arrows = []
    for arrow in scene.arrows:
        if not arrow.shifts:
            arrows.append(arrow)
            continue
        # Reversed where time leads down, so that the layout stays acyclic.
        way = -1 if _leads(arrow.head, arrow.tail, heads) else 1
        if way > 0:
            heads.setdefault(arrow.tail, []).append(arrow.head)
        place = (arrow.tail, (*arrow.shifts, way))
        if place not in squares:
            label = make_delay_label(list(arrow.shifts), named=len(scene.axes) > 1)
            squares[place] = Item(first + len(squares), "", "delay", title=label, tip="delay")
            arrows.append(Arrow(arrow.tail, squares[place].key, square=way))
        arrows.append(Arrow(squares[place].key, arrow.head, square=1 if arrow.tail == arrow.head else way))
    return Scene([*scene.items, *squares.values()], arrows, scene.axes)


def _leads(start: int, end: int, heads: dict[int, list[int]]) -> bool:
    """Tell whether a path of upward arrows leads from one item to another, or both are the same."""
    seen, ahead = {start}, [start]
    while ahead:
        for head in heads.get(ahead.pop(), ()):
            if head not in seen:
                seen.add(head)
                ahead.append(head)
    return end in seen
