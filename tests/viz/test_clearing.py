"""The last look at a picture: what runs through a node is led around it, what covers something moves, all else stays."""

from __future__ import annotations

from itertools import pairwise

from picture_checks import list_faults

from viz.layout.clearing import clear_picture
from viz.layout.free_paths import find_free_path
from viz.layout.routes import Body, is_clear, make_line
from viz.scene.label import make_name_label, make_text_label
from viz.scene.picture import Line, Mark, Picture, Point


def _put(name: str, at: Point, role: str = "state") -> Mark:
    return Mark(name, role, make_name_label(name), width=40.0, height=40.0, at=at)


def _join(tail: Mark, head: Mark, label: str = "", spot: Point | None = None) -> Line:
    (a, b), (c, d) = tail.at, head.at
    part = 20.0 / ((c - a) ** 2 + (d - b) ** 2) ** 0.5
    ends = (a + (c - a) * part, b + (d - b) * part), (c - (c - a) * part, d - (d - b) * part)
    return Line(tail.key, head.key, curve=make_line(*ends), label=make_name_label(label), label_at=spot)


A, B, C = (_put(name, (x, 0.0)) for name, x in (("a", 0.0), ("b", 100.0), ("c", 200.0)))


def test_a_line_through_a_node_is_led_around_it() -> None:
    through, beside = _join(A, C), _join(A, B)
    picture = Picture([A, B, C], [beside, through])
    assert any("crosses" in fault for fault in list_faults(picture))
    mended = clear_picture(picture)
    assert list(list_faults(mended)) == []
    assert mended.lines[0] == beside
    assert picture.lines[1] == through  # a new picture


def test_where_curves_do_not_fit_the_way_is_level_and_upright() -> None:
    wall = [_put(f"w{i}", (100.0, y)) for i, y in enumerate(range(-164, 165, 41))]
    ends = _put("a", (30.0, 0.0)), _put("c", (170.0, 0.0))
    mended = clear_picture(Picture([*ends, *wall], [_join(*ends)]))
    assert list(list_faults(mended)) == []
    stops = mended.lines[0].curve[::3]
    long = [(a, b) for a, b in pairwise(stops) if abs(a[0] - b[0]) + abs(a[1] - b[1]) > 20.0]
    assert len(long) >= 3
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in long)


def test_a_label_leaves_a_node_and_another_label() -> None:
    up = _put("d", (50.0, 100.0))
    lines = [_join(A, up, "W", A.at), _join(B, up, "V", (160.0, 30.0)), _join(C, up, "U", (160.0, 30.0))]
    picture = Picture([A, B, C, up], lines)
    assert len(list(list_faults(picture))) == 2
    mended = clear_picture(picture)
    assert list(list_faults(mended)) == []
    assert mended.lines[1] == lines[1]  # was free


def test_a_line_that_ends_far_off_dots_reaches_them() -> None:
    dots = Mark("dots", "text", make_text_label("⋯"), "plaintext", 22.0, 16.0, (200.0, 0.0), font=20.0)
    short = Line("a", "dots", curve=make_line((20.0, 0.0), (130.0, 0.0)))
    (line,) = clear_picture(Picture([A, dots], [short])).lines
    assert line.curve[-1][0] > 180.0


def test_a_sound_picture_stays_as_it_is() -> None:
    picture = Picture([A, B, C], [_join(A, B, "W", (50.0, -12.0)), _join(B, C)])
    assert clear_picture(picture) == picture


def test_paths_keep_off_other_lines_where_that_is_short() -> None:
    ends = Body((0.0, 0.0), 40.0, 40.0), Body((200.0, 0.0), 40.0, 40.0)
    block = Body((100.0, 0.0), 40.0, 40.0)
    first = find_free_path(*ends, [block])
    assert first is not None
    level = max(first, key=lambda p: abs(p[1]))[1]
    second = find_free_path(*ends, [block], lambda at, along: along and abs(at[1] - level) < 4.0)
    assert second is not None
    assert is_clear(first, [Body(block.at, 26.0, 26.0)])
    assert all(abs(y - level) > 4.0 for x, y in second if 60.0 < x < 140.0)


def test_what_is_enclosed_has_no_path() -> None:
    ring = [Body((x, y), 50.0, 50.0, round=False) for x in (-50, 0, 50) for y in (-50, 0, 50) if x or y]
    assert find_free_path(Body((0.0, 0.0), 10.0, 10.0), Body((300.0, 0.0), 10.0, 10.0), ring) is None
