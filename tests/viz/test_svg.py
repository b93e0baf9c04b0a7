"""Pictures as SVG: well-formed whatever names hold, tight around what is drawn, the same bytes twice."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_seq as ag
import viz
from viz.render.style import find_theme
from viz.render.svg import to_svg
from viz.scene.label import make_name_label
from viz.scene.picture import Line, Mark, Picture, measure_curve, measure_picture, split_curve

_NAME = "{http://www.w3.org/2000/svg}"


def _read(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode("utf-8", "surrogatepass"))


def _draw(name: str) -> ElementTree.Element:
    marks = [
        Mark("a", "input", make_name_label(name), tip=name),
        Mark("b", "state", make_name_label("s"), at=(0, 90), name=name),
    ]
    line = Line("a", "b", "recur", make_name_label(name), ((0, 21), (0, 30), (0, 60), (0, 69)), (9, 45))
    theme = find_theme("white")
    assert theme is not None
    return _read(to_svg(Picture(marks, [line]), theme))


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"', "]]>", "&amp;", "a\x00b", "--", "\ud800", "", "\u202e", "'"]
)
def test_a_hostile_name_is_text_and_nothing_else(name: str) -> None:
    tags = {element.tag.removeprefix(_NAME) for element in _draw(name).iter()}
    assert tags <= {"svg", "rect", "g", "title", "circle", "path", "polygon", "text", "tspan"}


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_any_name_gives_well_formed_xml(name: str) -> None:
    groups = [g.get("id") for g in _draw(name).iter(_NAME + "g")]
    assert groups == ["e0", "n0", "n1"]


@pytest.mark.parametrize("name", ["rnn", "lstm", "many", "bidirectional", "delay2"])
def test_the_canvas_is_as_large_as_what_is_drawn(models: SimpleNamespace, name: str) -> None:
    for diagram in (viz.folded(models.all[name]()), viz.unfolded(models.all[name](), t=3)):
        left, bottom, right, top = measure_picture(diagram.picture)
        x, y, width, height = map(float, _read(diagram.svg).get("viewBox", "").split())
        assert (round(left - x), round(x + width - right), round(-top - y), round(y + height + bottom)) == (8, 8, 8, 8)


def test_ids_and_steps_stand_at_every_mark(models: SimpleNamespace) -> None:
    svg = viz.unfolded(models.rnn(), t=3).svg
    assert svg == viz.unfolded(models.rnn(), t=3).svg
    assert re.findall(r'data-name="s" data-step="(-?\d+)"', svg) == ["0", "1", "2", "-1"]
    assert "<title>s[t]: float[4]" in svg


def test_a_title_gives_the_line_of_the_user(models: SimpleNamespace) -> None:
    assert "conftest.py:" in viz.folded(models.rnn()).svg


def test_a_wide_picture_is_as_wide_as_a_page_where_it_is_shown(models: SimpleNamespace) -> None:
    wide = viz.unfolded(models.rnn(), t=30, steps=(30, 0))
    assert _read(wide.svg).get("width") == "980pt"
    assert float(str(_read(viz.folded(models.rnn()).svg).get("height")).removesuffix("pt")) < 400


def test_a_notebook_shows_it_without_graphviz(models: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> bytes:
        raise AssertionError("Graphviz was asked")

    monkeypatch.setattr("viz.diagram.render", fail)
    bundle = viz.folded(models.rnn())._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg ")
    assert set(viz.folded(ag.Graph(ag.tensor(1.0)))._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}


def test_a_curve_is_measured_and_not_its_control_points() -> None:
    curve = ((0.0, 0.0), (0.0, 40.0), (40.0, 40.0), (40.0, 0.0))
    assert measure_curve(curve) == measure_curve(split_curve(split_curve(curve))) == (0.0, 0.0, 40.0, 30.0)
