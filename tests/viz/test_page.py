"""Pages, TikZ and Mermaid: self-contained, safe for every name, the same bytes twice; and the page in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import autograd_seq as ag
import viz
from viz.errors import DrawError

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
    page.feed(viz.page(_named(name)).html)
    assert page.tags.count("script") == 1
    assert not {a for a in page.attributes if a.startswith("on") or a in ("href", "src")}


def test_the_policy_allows_the_script_and_style_of_the_page_alone(models: SimpleNamespace) -> None:
    html = viz.page(models.rnn()).html
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert body is not None
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in html
    assert "default-src 'none'" in html
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)


def test_bytes_are_the_same_every_time(models: SimpleNamespace) -> None:
    for text in ("html", "tex", "mermaid", "svg", "dot"):
        assert getattr(viz.unfolded(models.named_lstm()), text) == getattr(viz.unfolded(models.named_lstm()), text)
    assert viz.page(models.attention()).html == viz.page(models.attention()).html


def test_a_two_layer_lstm_of_eight_steps_is_small() -> None:
    t = ag.Axis("t")
    below = ag.nn.lstm(ag.input("x", (3,), over=t), 4, over=t, name="lower").h
    g = ag.Graph(ag.nn.lstm(below, 4, over=t, name="upper").h)
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


def test_the_order_of_computing_goes_from_step_to_step(models: SimpleNamespace) -> None:
    page = viz.page(models.rnn(), 3).html
    ranks = {
        m[1] + m[2]: int(m[3])
        for m in re.finditer(r'id="v0n\d+"[^>]*data-name="(\w+)" data-step="(\d)" data-rank="(\d+)"', page)
    }
    assert ranks["x0"] < ranks["s0"] < ranks["y0"] < ranks["s1"] < ranks["y1"] < ranks["s2"]


def test_latex_sets_it(models: SimpleNamespace, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    viz.unfolded(models.named_lstm(), 2).save(tmp_path / "a.tex")
    subprocess.run(["pdflatex", "-interaction=batchmode", "a.tex"], cwd=tmp_path, check=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window, where playwright and Chromium are installed."""
    sync = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    with sync.sync_playwright() as play:
        found = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


def test_the_page_works_in_a_browser(browser: Any, models: SimpleNamespace, tmp_path: Path) -> None:
    g = models.rnn()
    path = viz.page(g, 4, program=ag.compile(g), title='<b>"x"').save(tmp_path / "model.html")
    page, said, asked = browser.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("svg")
    assert page.inner_text("h1") == '<b>"x"'
    seen = "#stage svg:not(.hidden) .mark.state:not(.hidden)"
    assert len(page.query_selector_all(seen)) == 4
    page.fill("#steps", "2")
    assert len(page.query_selector_all(seen)) == 2
    page.select_option("#view", "1")
    assert len(page.query_selector_all(seen)) == 1
    page.select_option("#view", "0")
    page.keyboard.press("n")
    assert page.inner_text("#info").startswith("forward: ")
    for _ in range(30):
        page.click("#next")
    assert page.inner_text("#info").startswith("backward: ")
    page.fill("#search", "y")
    assert page.query_selector_all(".mark.dim")
    page.fill("#search", "")
    box = page.get_attribute("#stage svg:not(.hidden)", "viewBox")
    page.click("h1")
    page.keyboard.press("+")
    page.wait_for_timeout(400)  # it is drawn anew once it is at rest
    assert page.get_attribute("#stage svg:not(.hidden)", "viewBox") != box
    page.keyboard.press("0")
    assert page.get_attribute("#stage svg:not(.hidden)", "viewBox") == box
    page.focus("#stage svg:not(.hidden) .mark.state:not(.hidden)")
    assert "s[t]" in page.inner_text("#info")
    assert page.query_selector_all(".pane li.on")
    page.click("#theme")
    assert "dark" in str(page.get_attribute("html", "class"))
    assert said == []
    assert asked == [path.as_uri()]
    assert len(page.pdf()) > 5000
