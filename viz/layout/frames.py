"""Frames around the variables of each scope, with its name, where nothing else stands among them; an overlay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from viz.scene.label import make_text_label
from viz.scene.picture import Box, Mark, Picture, measure_mark

_RIM, _HEAD, _FONT = 9.0, 19.0, 12.0


def add_frames(picture: Picture, scopes: Iterable[str]) -> Picture:
    """Return the picture with a frame for each scope: one around all of its steps, else one a step, else none.

    Args:
        picture: with marks that know their scopes.
        scopes: the names of those whose variables are drawn, the outer ones first.

    Returns:
        A Picture. The name at the corner of a frame is a mark that folds "open".

    Notes:
        Linear in the number of marks times that of scopes.
    """
    scopes = list(scopes)
    drawn = {mark.key: mark for mark in picture.marks if isinstance(mark.key, tuple) and mark.key[0] in ("band", "scope")}
    bands = {scope: drawn["band", scope] for scope in scopes if ("band", scope) in drawn}
    kept = [mark for mark in picture.marks if mark.key not in drawn or mark.key[1] not in bands]
    boxes = [(mark, measure_mark(mark)) for mark in kept if mark.role not in ("slice", "text", "words")]
    frames: list[Mark] = []
    for scope in scopes:
        inside = [(mark, box) for mark, box in boxes if is_within(mark.scope, scope)]
        steps: dict[int | None, list[Box]] = {}
        for mark, box in inside:
            steps.setdefault(mark.step if mark.role != "ghost" and isinstance(mark.step, int) else None, []).append(box)
        outside = [box for mark, box in boxes if not is_within(mark.scope, scope)]
        depth = max(other.count("/") for other in scopes if is_within(other, scope)) - scope.count("/")
        if scope in bands:
            frames += _write_name(replace(bands[scope], scope=scope), scope, 0)
            continue
        whole = _surround([box for _, box in inside])
        parts = [_surround(found) for step, found in sorted(steps.items(), key=lambda pair: str(pair[0])) if step is not None]
        for hulls in ([whole] if whole else [], [part for part in parts if part is not None]):
            if hulls and not any(_meet(hull, box) for hull in hulls for box in outside):
                frames += [mark for i, hull in enumerate(hulls) for mark in _make_frame(hull, scope, i, depth)]
                break
    return Picture([*frames, *kept], picture.lines)


def is_within(scope: str, other: str) -> bool:
    """Tell whether a scope is another one, or inside it.

    Example:
        >>> is_within("encoder/0", "encoder"), is_within("encoder2", "encoder")
        (True, False)
    """
    return scope == other or scope.startswith(other + "/")


def _surround(boxes: list[Box]) -> Box | None:
    if not boxes:
        return None
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _meet(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def _make_frame(hull: Box, scope: str, number: int, depth: int) -> list[Mark]:
    """Return the ground of a frame and its name; frames around others are wider by a rim for each."""
    left, bottom, right, top = hull
    rim, head = _RIM + 6.0 * depth, _HEAD * (depth + 1)
    at = ((left + right) / 2, (bottom + top + head - rim) / 2)
    width, height = right - left + 2 * rim, top - bottom + rim + head
    ground = Mark(("frame", scope, number), "slice", shape="box", width=width, height=height, at=at, rounded=True, scope=scope)
    return _write_name(ground, scope, number)


def _write_name(ground: Mark, scope: str, number: int) -> list[Mark]:
    """Return a ground and the name at its upper left corner."""
    label = make_text_label(f"▾ {scope.rpartition('/')[2]}")
    width = label.ems * _FONT
    corner = (ground.at[0] - ground.width / 2 + 8.0 + width / 2, ground.at[1] + ground.height / 2 - 10.0)
    name = Mark(("name", scope, number), "text", label, "plaintext", width, 14.0, corner, font=_FONT, scope=scope, folds="open",
                name=scope, tip=f"{scope}: click closes it")  # fmt: skip
    return [ground, name]
