"""Parameters as nodes of their own, stacked at the left of the variable that reads them."""

from __future__ import annotations

from dataclasses import replace

from viz.layout.compose import add_bus, drop_params
from viz.layout.routes import Body
from viz.layout.stamp import Stamp, make_stamp
from viz.scene.items import Scene, measure_outline

_AWAY = 34.0  # from a stack to its reader
_BETWEEN = 9.0  # from box to box


def make_stacked_stamp(scene: Scene, widest: str, least: dict[str, float]) -> tuple[Scene, Stamp]:
    """Lay out a folded picture in which every parameter is a node, beside the first of its readers.

    Args:
        scene: the scene to draw, with parameters at its arrows.
        widest: the longest index that will stand at a name.
        least: parameter → points that its box is width at least.

    Returns:
        The scene with parameters as items, and its stamp.

    Example:
        >>> from viz.scene.items import Arrow, Item
        >>> x, s = Item(0, "x", "input", ("t",)), Item(1, "s", "state", ("t",))
        >>> _, stamp = make_stacked_stamp(Scene([x, s], [Arrow(0, 1, params=("U", "b"))], ("t",)), "t", {})
        >>> [stamp.row[key] for key in stamp.row], stamp.at[2][0] == stamp.at[3][0] < stamp.at[1][0]
        ([0, 1, 1, 1], True)
    """
    full, bare = add_bus(scene), drop_params(scene)
    own = {item.key: item for item in full.items if item.role == "param"}
    width = max((max(measure_outline(item)[1], least.get(item.name, 0.0)) for item in own.values()), default=0.0)
    own = {key: replace(item, least=width) for key, item in own.items()}
    full = Scene([own.get(item.key, item) for item in full.items], full.arrows, full.axes)
    rows = make_stamp(bare, None, widest=widest).row
    stacks: dict[int, list[int]] = {}
    for key in own:
        readers = [arrow.head for arrow in full.arrows if arrow.tail == key]
        stacks.setdefault(min(readers, key=rows.__getitem__), []).append(key)
    sizes = {item.key: measure_outline(item, widest)[1:3] for item in full.items}
    highs = {head: sum(sizes[key][1] + _BETWEEN for key in keys) - _BETWEEN for head, keys in stacks.items()}
    # All items keep room at their left, so that those that stand one above the other stay so.
    room = {i.key: (sizes[i.key][0] + width + _AWAY, max(sizes[i.key][1], highs.get(i.key, 0.0))) for i in bare.items if own}
    stamp = make_stamp(bare, None, widest=widest, room=room)
    at, bodies, row = dict(stamp.at), dict(stamp.bodies), dict(stamp.row)
    for head, keys in stacks.items():
        x, y = at[head][0] - sizes[head][0] / 2 - _AWAY - width / 2, at[head][1] + highs[head] / 2
        for key in keys:
            high = sizes[key][1]
            at[key], row[key] = (x, y - high / 2), row[head]
            bodies[key] = Body(at[key], width, high, round=False)
            y -= high + _BETWEEN
    return full, replace(stamp, at=at, bodies=bodies, row=row)
