"""Pictures as data and their DOT text: ids, escapes, places, and bytes that do not change."""

from __future__ import annotations

import pygraphviz
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st

from viz.render.dot import format_points, to_dot
from viz.render.style import ROLES, THEMES, Theme, find_theme
from viz.scene.label import make_name_label
from viz.scene.picture import Line, Mark, Picture


def _theme(name: str = "white") -> Theme:
    found = find_theme(name)
    assert found is not None
    return found


def _pair(name: str) -> Picture:
    marks = [
        Mark("a", "input", make_name_label(name), at=(0, 0), tip=name),
        Mark("b", "state", make_name_label("s"), at=(0, 90)),
    ]
    line = Line("a", "b", "recur", make_name_label(name), ((0, 21), (0, 30), (0, 60), (0, 69)), (9, 45))
    return Picture(marks, [line])


def test_ids_are_numbers_and_names_only_labels() -> None:
    graph = pygraphviz.AGraph(string=to_dot(_pair("n7 -> x"), _theme()))
    assert [str(node) for node in graph.nodes()] == ["n0", "n1"]
    assert graph.get_node("n0").attr["label"] == "<I>n7 -&gt; x</I>"


HOSTILE = [
    '"', "\\", '\\"', "<", "]]>", "&amp;", "a\x00b", "}; x [label=evil]; {", 'x"];evil[label="y', "<<TABLE>", "\n\r\t",
    "🦊" * 9,    "x" * 5000, "\\N", "\\G", "--", "<!-- ", "\u202e", "\ud800", "", " ", "%s", "$(rm)", "</I>", "#", "\\",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_changes_nothing_but_a_label(name: str) -> None:
    graph = pygraphviz.AGraph(string=to_dot(_pair(name), _theme()))
    assert [str(node) for node in graph.nodes()] == ["n0", "n1"]
    assert [tuple(map(str, edge)) for edge in graph.edges()] == [("n0", "n1")]
    assert graph.get_node("n1").attr["label"] == "<I>s</I>"


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_any_name_survives_graphviz(name: str) -> None:
    graph = pygraphviz.AGraph(string=to_dot(_pair(name), _theme()))
    assert sorted(map(str, graph.nodes())) == ["n0", "n1"]
    assert len(graph.edges()) == 1


def test_a_placed_picture_is_only_inked() -> None:
    text = to_dot(_pair("x"), _theme())
    assert "layout=nop2" in text
    assert 'pos="0,90"' in text
    assert 'pos="e,0,69 0,21 0,30 0,60 0,62"' in text
    assert 'lp="9,45"' in text


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert to_dot(_pair("x"), _theme()) == to_dot(_pair("x"), _theme())


def test_a_line_without_an_arrow_ends_at_its_last_point() -> None:
    line = Line("a", "b", "param", curve=((0, 0), (1, 0), (2, 0), (3, 0)), arrow=False)
    text = to_dot(Picture([Mark("a", "point", at=(0, 0)), Mark("b", "point", at=(3, 0))], [line]), _theme())
    assert 'pos="0,0 1,0 2,0 3,0"' in text
    assert "dir=none" in text


def test_an_arrow_of_no_length_is_no_division_by_zero() -> None:
    line = Line("a", "a", curve=((1, 1), (1, 1), (1, 1), (1, 1)))
    assert 'pos="e,1,1 1,1 1,1 1,1 1,1"' in to_dot(Picture([Mark("a", "op", at=(1, 1))], [line]), _theme())


def test_a_very_wide_picture_gets_fewer_dots_per_inch() -> None:
    far = [Mark("a", "input", at=(0, 0)), Mark("b", "input", at=(60_000, 0))]
    assert "dpi=150" in to_dot(_pair("x"), _theme())
    assert "dpi=16.19" in to_dot(Picture(far), _theme())


@each("name", THEMES)
@each("role", ROLES)
def test_every_role_has_a_look_in_every_theme(name: str, role: str) -> None:
    look = _theme(name).looks[role]
    assert look.line
    assert look.fill


def test_the_same_role_has_the_same_colour_everywhere() -> None:
    white = _theme("white")
    assert (white.looks["input"].line, white.looks["input"].fill) == ("#0072B2", "#D6EAF8")
    assert (white.looks["state"].line, white.looks["state"].fill) == ("#009E73", "#D4F1E6")
    assert (white.looks["param"].line, white.recur) == ("#6A4C93", "#C44E00")
    assert "dashed" in white.looks["ghost"].style


def test_numbers_are_short() -> None:
    assert [format_points(v) for v in (1.0, -0.0, 0.004, 2.5, -3.14159)] == ["1", "0", "0", "2.5", "-3.14"]
