"""Scopes as labelled bands: the layers of a network, say, within which names need no prefix."""

from __future__ import annotations

from dataclasses import replace

from viz.layout.unrolled import Unrolling
from viz.scene.items import Item, Scene
from viz.scene.label import make_text_label
from viz.scene.picture import Mark, Picture, measure_picture

_RIM, _HEAD = 12.0, 20.0  # below and beside, and above, where the name stands
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


def list_bands(items: list[Item], rows: dict[int, tuple[float, float]]) -> dict[str, tuple[float, float]] | None:
    """Return the lower and upper end of the band of each scope; None if one would overlap another or hold other items.

    Args:
        items: with the names that show their scopes.
        rows: lower and upper end of the items that stand in rows.
    """
    bands: dict[str, tuple[float, float]] = {}
    outside = []
    for item in items:
        if item.key not in rows:
            continue
        low, high = rows[item.key]
        scope = get_scope(item.name)
        if not scope:
            outside.append((low, high))
            continue
        before = bands.get(scope, (low, high))
        bands[scope] = (min(low, before[0]), max(high, before[1]))
    others = [*outside, *bands.values()]
    for band in bands.values():
        if any(other is not band and other[0] < band[1] and band[0] < other[1] for other in others):
            return None
    return bands


def print_bands(unrolling: Unrolling, bands: dict[str, tuple[float, float]]) -> None:
    """Draw the bands under everything, as wide as what is drawn so far."""
    picture: Picture = unrolling.picture
    left, _, right, _ = measure_picture(picture)
    grounds = []
    for scope, (low, high) in bands.items():
        label = make_text_label(scope)
        width, height = right - left + 2 * _RIM, high - low + _RIM + _HEAD
        at = ((left + right) / 2, (low + high + _HEAD - _RIM) / 2)
        grounds.append(Mark(("band", scope), "slice", shape="box", width=width, height=height, at=at, rounded=True))
        corner = (left - _RIM + 8.0 + label.ems * _FONT / 2, high + _HEAD - 9.0)
        grounds.append(Mark(("scope", scope), "text", label, "plaintext", label.ems * _FONT, 14.0, corner, font=_FONT))
    picture.marks[:0] = grounds
