"""Scopes as labelled bands: the layers of a network, say, within which names need no prefix."""

from __future__ import annotations

from dataclasses import replace

from viz.layout.stamp import Stamp
from viz.layout.unrolled import Unrolling
from viz.scene.items import Item, Scene
from viz.scene.label import make_text_label
from viz.scene.picture import Mark, Picture, measure_picture

_RIM, _HEAD = 18.0, 20.0  # below and beside, and above, where the name stands
_ROOM = 8.0  # what is kept free for it between rows
_FONT = 12.0


def get_scope(name: str) -> str:
    """Return the scope of a name as it is shown, "" if it has none.

    Example:
        >>> get_scope("layer1/h"), get_scope("h")
        ('layer1', '')
    """
    return name.rpartition("/")[0]


def drop_scopes(scene: Scene) -> Scene:
    """Return the scene with names as they are written within their scopes; parameters too, where the same scope reads them."""
    scope = {item.key: get_scope(item.name) for item in scene.items}

    def shorten(name: str, inside: str) -> str:
        return name.rpartition("/")[2] if inside and get_scope(name) == inside else name

    items = [replace(item, name=shorten(item.name, scope[item.key])) for item in scene.items]
    arrows = [replace(a, params=tuple(shorten(name, scope[a.head]) for name in a.params)) for a in scene.arrows]
    return Scene(items, arrows, scene.axes)


def list_bands(items: list[Item], stamp: Stamp) -> dict[str, list[int]]:
    """Return the items of each scope; none if the band of one would overlap another or hold other items.

    Args:
        items: with the names that show their scopes.
        stamp: their places.
    """
    bands: dict[str, list[int]] = {}
    for item in items:
        if item.key in stamp.row:
            bands.setdefault(get_scope(item.name), []).append(item.key)
    alone = [[key] for key in bands.pop("", [])]
    rows = [(min(found), max(found)) for found in ([stamp.row[key] for key in keys] for keys in [*alone, *bands.values()])]
    meet = any(
        one[0] <= other[1] and other[0] <= one[1] for i, one in enumerate(rows) for other in rows[max(i + 1, len(alone)) :]
    )
    return {} if meet else bands


def make_room(bands: dict[str, list[int]], stamp: Stamp) -> dict[int, float]:
    """Return for each item in the lowest row of a band, and above it, the points to keep free below it."""
    lowest = {min(stamp.row[key] for key in keys) for keys in bands.values()}
    above = {1 + max(stamp.row[key] for key in keys) for keys in bands.values()}
    return {key: _ROOM * (row in lowest) + _ROOM * (row in above) for key, row in stamp.row.items()}


def print_bands(unrolling: Unrolling, bands: dict[str, list[int]]) -> None:
    """Draw the bands under everything, as wide as what is drawn so far."""
    picture: Picture = unrolling.picture
    left, _, right, _ = measure_picture(picture)
    grounds = []
    for scope, keys in bands.items():
        bodies = [unrolling.stamp.bodies[key] for key in keys]
        low, high = min(b.at[1] - b.height / 2 for b in bodies), max(b.at[1] + b.height / 2 for b in bodies)
        label = make_text_label(scope)
        width, height = right - left + 2 * _RIM, high - low + _RIM + _HEAD
        at = ((left + right) / 2, (low + high + _HEAD - _RIM) / 2)
        grounds.append(Mark(("band", scope), "slice", shape="box", width=width, height=height, at=at, rounded=True))
        corner = (left - _RIM + 8.0 + label.ems * _FONT / 2, high + _HEAD - 9.0)
        grounds.append(Mark(("scope", scope), "text", label, "plaintext", label.ems * _FONT, 14.0, corner, font=_FONT))
    picture.marks[:0] = grounds
