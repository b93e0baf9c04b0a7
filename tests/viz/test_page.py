"""Pages, TikZ and Mermaid: self-contained, safe for every name, the same bytes twice; and the page in a browser."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
import viz
from viz.errors import DrawError
from viz.layout.frames import add_frames
from viz.read.foldings import list_foldings
from viz.scene.picture import Mark, Picture

HOSTILE = [
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "'",
    "</svg>",
    "]]>",
    "&amp;",
    "\\end{document}",
    "${x}",
    "a\nb",
    "%",
]


def _named(name: str) -> ag.Graph:
    t = ag.Axis("t")
    s = ag.state(name, over=t)
    s[t] = ag.tanh(ag.param("w") * s[t - 1])
    return ag.Graph(s)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_markup(name: str) -> None:
    page = _Tags()
    page.feed(viz.page(_named(name), title=name).html)
    assert page.tags.count("script") == 1
    assert not {a for a in page.attributes if a.startswith("on") or a in ("href", "src")}


def test_the_policy_allows_the_script_and_style_of_the_page_alone(models: SimpleNamespace) -> None:
    text = viz.page(models.rnn()).html
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert body is not None
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_bytes_are_the_same_every_time(models: SimpleNamespace) -> None:
    for text in ("html", "tex", "mermaid", "svg", "dot"):
        assert getattr(viz.unfolded(models.named_lstm()), text) == getattr(viz.unfolded(models.named_lstm()), text)
    assert viz.page(models.attention()).html == viz.page(models.attention()).html


def test_a_two_layer_lstm_of_eight_steps_is_small() -> None:
    g = make_two_layers()
    assert len(viz.page(g, 8, program=ag.compile(g)).html) < 500_000


def test_every_text_format_is_saved(models: SimpleNamespace, tmp_path: Path) -> None:
    for suffix, start in (("html", "<!DOCTYPE html>"), ("tex", "\\documentclass"), ("mmd", "flowchart BT"), ("svg", "<svg ")):
        path = viz.folded(models.rnn()).save(tmp_path / f"a.{suffix}")
        assert path.read_text(encoding="utf-8").startswith(start)
    assert viz.page(models.rnn()).save(tmp_path / "model.html").stat().st_size > 10_000
    with pytest.raises(DrawError, match="P221"):
        viz.page(models.rnn()).save(tmp_path / "model.png")
    with pytest.raises(DrawError, match="P222"):
        viz.page(models.rnn(), program=3)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_mermaid_and_tikz(name: str) -> None:
    mermaid = viz.folded(_named(name)).mermaid
    assert re.fullmatch(r'(  n\d+(\(\(|\[|\(\[)"[^"]*"(\)\)|\]|\]\))\n|  n\d+ (-->|==>|-\.->)(\|"[^"]*"\|)? n\d+\n)+',
                        mermaid.split("\n", 1)[1])  # fmt: skip
    tex = viz.folded(_named(name)).tex
    assert tex.count("\\end{document}") == 1
    assert tex.count("{") == tex.count("}") + tex.count("\\{") - tex.count("\\}")


def read_data(page: Any) -> Any:
    """Return what the script of a page reads."""
    found = re.search(r'<div id="data" hidden>(.*?)</div>', page.html, re.DOTALL)
    assert found is not None
    return json.loads(html.unescape(found[1]))


def test_the_order_of_computing_goes_from_step_to_step(models: SimpleNamespace) -> None:
    data = read_data(viz.page(models.rnn(), 3))
    marks = [data["marks"][i] for i in data["views"][0]["states"][0]["pictures"][3]["order"]]
    order = [f"{data['kinds'][kind][1]}{step}" for _, kind, _, _, step in marks]
    assert [name for name in order if name in ("x0", "s0", "y0", "s1", "y1", "s2")] == ["x0", "s0", "y0", "s1", "y1", "s2"]


def test_every_number_of_steps_is_a_picture_of_its_own(models: SimpleNamespace) -> None:
    view = read_data(viz.page(models.bidirectional(), 4))["views"][0]
    assert view["stops"] == [0, 1, 2, 3, 4]
    counts = [sum(picture["marks"][1::2]) for picture in view["states"][0]["pictures"]]
    assert counts == sorted(set(counts))
    assert read_data(viz.page(models.rnn(), 30))["views"][0]["stops"] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 30]
    assert read_data(viz.page(models.grid(), 3))["views"][0]["stops"] == [0, 1, 2, 3]
    assert read_data(viz.page(models.eager()))["views"][0]["stops"] == [0]


def test_values_and_gradients_are_shown(models: SimpleNamespace) -> None:
    feeds = {"x": [[1.0, 0, 0]] * 2, "l": [0, 1], "U": np.ones((4, 3)), "W": np.zeros((4, 4)), "V": np.zeros((5, 4))}
    data = read_data(viz.page(models.rnn(), 2, feeds=feeds))["values"]
    assert data["s"]["1"][0] == "[0.762, 0.762, 0.762, 0.762]"
    assert data["s"]["1"][1] == "[0, 0, 0, 0]" and data["y"]["0"][0].startswith("[0.2, 0.2, 0.2, 0.2, …] 5")
    assert data["l"]["0"] == ["0", ""] and data["L"]["0"][0] == "3.22"


def make_two_layers() -> ag.Graph:
    t = ag.Axis("t")
    below = ag.nn.lstm(ag.input("x", (3,), over=t), 4, over=t, name="lower").h
    return ag.Graph(ag.nn.lstm(below, 4, over=t, name="upper").h)


def test_scopes_open_and_close_in_every_way() -> None:
    data = read_data(viz.page(make_two_layers(), 2))
    view = data["views"][0]
    assert sorted(state["closed"] for state in view["states"]) == [[], ["lower"], ["lower", "upper"], ["upper"]]
    tips = [text for _, _, text, _, folds in data["kinds"] if folds == "closed"]
    assert any("128 parameters" in tip for tip in tips) and any("144 parameters" in tip for tip in tips)
    assert {scope for *_, scope, folds in data["kinds"] if folds == "open"} == {"lower", "upper"}


def test_an_equilibrium_is_a_page() -> None:
    t = ag.Axis("t")
    z = ag.equilibrium("z", (3,), over=t)
    z[t] = ag.tanh(0.3 * ag.param("W", (3, 3)) @ z[t] + ag.input("x", (3,), over=t)[t])
    g = ag.Graph(z)
    assert [view["name"] for view in read_data(viz.page(g, 2))["views"]] == ["variables", "operations"]
    assert [mark.name for mark in viz.unfolded(g, 2, level="ops").picture.marks].count("z") == 2


def test_equations_are_set_as_they_are_written(models: SimpleNamespace) -> None:
    text = viz.page(models.started(), 2).html
    row = re.search(r"<li([^>]*)><i>ŷ</i><sub><i>t</i></sub> = (.*?)</li>", text)
    assert row is not None and "<i>V</i> <i>h</i><sub><i>t</i></sub>" in row[2] and r"\hat{y}" in html.unescape(row[1])
    assert "∑" not in text.split("sum_2")[0] and "<sub><i>t</i></sub> mse(" in text.replace("Σ", "")


def test_of_many_scopes_those_pictures_are_there_that_are_asked_for_first() -> None:
    scopes = [f"s{i}" for i in range(8)]
    found = list_foldings(scopes, 32)
    assert found[0] == () and found[1] == tuple(scopes) and len(found) == 18
    nested = ["a", "a/b", "a/c", "d"]
    every = list_foldings(nested, 99)
    assert len(every) == (1 + 2 * 2) * 2 and len(set(every)) == len(every)
    assert not any("a" in closed and "a/b" in closed for closed in every)


def test_frames_hold_the_variables_of_a_scope_and_nothing_else() -> None:
    def mark(key: str, scope: str, x: float, y: float, step: int = 0) -> Mark:
        return Mark(key, "state", at=(x, y), scope=scope, step=step)

    apart = Picture([mark("a", "one", 0, 0), mark("b", "one", 100, 0, 1), mark("c", "two", 0, 200)])
    frames = [m.key for m in add_frames(apart, ["one", "two"]).marks if m.role == "slice"]
    assert frames == [("frame", "one", 0), ("frame", "two", 0)]
    between = Picture([*apart.marks, mark("d", "", 50, 0)])
    frames = [m.key for m in add_frames(between, ["one"]).marks if m.role == "slice"]
    assert frames == [("frame", "one", 0), ("frame", "one", 1)]  # one a step
    among = Picture([*apart.marks, mark("d", "", 0, 10)])
    assert [m.role for m in add_frames(among, ["one"]).marks] == ["state"] * 4


def test_latex_sets_it(models: SimpleNamespace, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    viz.unfolded(models.named_lstm(), 2).save(tmp_path / "a.tex")
    subprocess.run(["pdflatex", "-interaction=batchmode", "a.tex"], cwd=tmp_path, check=True)


def test_names_with_accents_and_subscripts_are_defined_by_their_lines() -> None:
    """In equations, where they are as the user wrote them; in the program they are plain words."""
    t = ag.Axis("t")
    x, h = ag.input("x", over=t), ag.state(r"\bar{h}_{1}", over=t)
    h[t] = ag.tanh(ag.param("W_{hh}") * h[t - 1] + x[t])
    y = (2.0 * h[t]).named(r"\hat{y}")
    page = viz.page(ag.Graph(y)).html
    found = re.findall(r'data-defines="([^"]*)"', page)
    assert [json.loads(html.unescape(text)) for text in found][:2] == [[r"\bar{h}_{1}"], [r"\hat{y}"]]
