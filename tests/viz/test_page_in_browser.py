"""The page in a browser, where playwright and Chromium are installed: what a reader does, and what stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
import viz

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    sync = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    with sync.sync_playwright() as play:
        found = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open a page; in the end, nothing must have been logged or asked for."""
    said: list[str] = []
    asked: list[str] = []

    def open_page(page: viz.page, **options: Any) -> Any:
        tab = browser.new_page(**({"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"} | options))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.save(tmp_path / "model.html").as_uri())
        tab.wait_for_selector("#layer .mark")
        return tab

    yield open_page
    assert said == []
    assert set(asked) == {(tmp_path / "model.html").as_uri()}


def make_layers(loss: bool = False) -> ag.Graph:
    """Two layers of a scope each."""
    t = ag.Axis("t")
    below = ag.nn.gru(ag.input("x", (3,), over=t), 4, over=t, name="lower")
    above = ag.nn.gru(below, 4, over=t, name="upper")
    return ag.Graph(ag.sum(above @ above, over=t).named("L") if loss else above)


def count(tab: Any, selector: str) -> int:
    return len(tab.query_selector_all("#layer " + selector))


def test_it_unfolds_from_the_cycle_and_steps_forward_and_backward(show: Open, models: SimpleNamespace) -> None:
    g = models.rnn()
    tab = show(viz.page(g, 4, program=ag.compile(g), title='<b>"x"'))
    assert tab.inner_text("h1") == '<b>"x"'
    assert count(tab, ".mark.state") == 4
    tab.fill("#steps", "2")
    assert count(tab, ".mark.state") == 2 and tab.inner_text("#count") == "2 steps"
    tab.fill("#steps", "0")
    assert count(tab, ".mark.state") == 1 and tab.inner_text("#count") == "cycle"
    tab.fill("#steps", "2")
    tab.focus("#stage")
    tab.keyboard.press("n")
    assert tab.inner_text("#info").startswith("forward 1 of 11: x[t]")
    tab.click("#next")
    assert "s[t]" in tab.inner_text("#info") and tab.inner_text("#pane-equations li.on") == "st = tanh(U xt + W st−1)"
    assert tab.query_selector_all("#pane-program li.on")
    for _ in range(30):
        tab.click("#next")
    assert tab.inner_text("#info").startswith("backward 11 of 11: the derivative by x[t]")
    for _ in range(30):
        tab.keyboard.press("p")
    assert tab.inner_text("#info") == ""
    assert len(tab.pdf()) > 5000


def test_boxes_open_and_close_in_place_and_all_else_stays(show: Open) -> None:
    g = make_layers(loss=True)
    tab = show(viz.page(g, 3, feeds={name: np.full((2 if node.axes else 1, *node.shape)[not node.axes:], 0.5)
                                     for name, node in g.inputs.items()}))  # fmt: skip
    inside = count(tab, '.mark[data-scope="lower"]')
    tab.click('#layer .folds.open[data-name="lower"]')
    boxes = tab.query_selector_all('#layer .folds.closed[data-name="lower"]')
    assert len(boxes) == 3 and count(tab, '.mark[data-scope="lower"]') < inside
    assert "100 parameters" in boxes[0].text_content()
    assert tab.get_attribute('#scopes [data-scope="lower"]', "aria-expanded") == "false"
    tab.fill("#steps", "2")
    assert count(tab, '.folds.closed[data-name="lower"]') == 2  # still closed
    tab.select_option("#view", "1")
    assert count(tab, '.folds.closed[data-name="lower"]') == 2  # and among operations
    tab.select_option("#view", "0")
    tab.click("#in")
    tab.wait_for_timeout(300)
    box = tab.query_selector('#layer .folds.closed[data-name="lower"]').bounding_box()
    tab.focus('#layer .folds.closed[data-name="lower"]')
    tab.keyboard.press("Enter")
    assert count(tab, ".folds.closed") == 0
    assert "lower is open" in tab.inner_text("#info")
    around = [one.bounding_box() for one in tab.query_selector_all('#layer .mark.state[data-scope="lower"]')]
    assert min(abs(one["y"] - box["y"]) for one in around) < 150  # where the box was
    tab.keyboard.press("c")
    assert count(tab, '.folds.closed[data-name="lower"]') == 2
    tab.keyboard.press("o")
    assert count(tab, ".folds.closed") == 0
    tab.click('#scopes [data-scope="upper"]')
    assert count(tab, '.folds.closed[data-name="upper"]') == 2


def test_a_step_is_found_again_within_a_box_and_after_unfolding(show: Open) -> None:
    tab = show(viz.page(make_layers(), 3))
    tab.focus("#stage")
    for _ in range(40):
        tab.keyboard.press("n")
        hit = tab.query_selector("#layer .mark.hit")
        if hit.get_attribute("data-name").startswith("lower/") and hit.get_attribute("data-step") == "1":
            break
    name = hit.get_attribute("data-name")
    tab.keyboard.press("[")
    hit = tab.query_selector("#layer .mark.hit")
    assert (hit.get_attribute("data-name"), hit.get_attribute("data-step")) == (name, "1")
    tab.click('#scopes [data-scope="lower"]')
    hit = tab.query_selector("#layer .mark.hit")
    assert (hit.get_attribute("data-name"), hit.get_attribute("data-step")) == ("lower", "1")
    tab.click('#scopes [data-scope="lower"]')
    hit = tab.query_selector("#layer .mark.hit")
    assert hit.get_attribute("data-name").startswith("lower/") and hit.get_attribute("data-step") == "1"


def test_it_is_searched_and_read(show: Open, models: SimpleNamespace) -> None:
    feeds = {"x": np.ones((2, 3)), "l": [0, 1], "U": np.ones((4, 3)), "W": np.zeros((4, 4)), "V": np.zeros((5, 4))}
    tab = show(viz.page(models.rnn(), 2, feeds=feeds))
    tab.keyboard.press("/")
    tab.keyboard.type("softmax")
    assert tab.inner_text("#info").startswith("2 found") and count(tab, ".mark.dim") == 10
    tab.keyboard.press("Enter")
    assert "y[t]" in tab.inner_text("#info")
    tab.keyboard.press("Escape")
    assert count(tab, ".dim") == 0
    tab.hover('#layer .mark.state[data-step="0"]')
    text = tab.inner_text("#tip")
    assert "s[t]: float[4]" in text and "value [0.995" in text and "gradient" in text and "conftest.py:" in text
    tab.mouse.move(5, 5)
    assert not tab.is_visible("#tip")


def test_it_is_used_by_keyboard_alone(show: Open, models: SimpleNamespace) -> None:
    tab = show(viz.page(models.rnn(), 3))
    box = tab.get_attribute("#layer svg", "viewBox")
    tab.focus("#stage")
    tab.keyboard.press("+")
    tab.wait_for_timeout(300)  # it is drawn anew once it is at rest
    assert tab.get_attribute("#layer svg", "viewBox") != box
    tab.keyboard.press("0")
    assert tab.get_attribute("#layer svg", "viewBox") == box
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowUp")
    first = tab.evaluate("document.activeElement.dataset.name")
    tab.keyboard.press("ArrowDown")
    assert first and tab.evaluate("document.activeElement.dataset.name") and tab.inner_text("#info")
    tab.keyboard.press("?")
    assert tab.is_visible("#keys") and tab.query_selector_all("#legend li")
    tab.keyboard.press("d")
    assert "dark" in str(tab.get_attribute("html", "class"))
    reached = set()
    tab.focus("#search")
    for _ in range(20):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"view", "steps", "next", "fit", "stage", "theme", "help"} <= reached


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="alert(1)', "</div>", "&amp;", "{{data}}", "__proto__", "a/b c"]
)
def test_hostile_names_are_text(show: Open, name: str) -> None:
    t = ag.Axis("t")
    s = ag.state(name, over=t)
    s[t] = ag.tanh(ag.param("w") * s[t - 1])
    tab = show(viz.page(ag.Graph(s), 2, title=name, feeds=None))
    assert tab.inner_text("h1") == name and tab.title() == name
    assert count(tab, ".mark.state") == 2
    tab.click("#next")
    assert tab.inner_text("#info").startswith("forward 1 of 2")


def test_it_fits_a_phone_and_a_large_screen(show: Open) -> None:
    for width, height in ((390, 844), (1920, 1080)):
        tab = show(viz.page(make_layers(), 3, program=ag.compile(make_layers())), viewport={"width": width, "height": height})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        stage = tab.query_selector("#stage").bounding_box()
        assert stage["width"] >= min(width, 600) and stage["height"] >= 400
        marks = [one.bounding_box() for one in tab.query_selector_all("#layer .mark.state")]
        assert all(stage["x"] <= one["x"] and one["x"] + one["width"] <= stage["x"] + stage["width"] for one in marks)


def test_a_single_picture_is_a_page_too(show: Open, models: SimpleNamespace) -> None:
    class Saved:
        def save(self, path: Path) -> Path:
            return viz.unfolded(models.rnn(), 2, theme="dark").save(path)

    tab = show(Saved())
    assert count(tab, ".mark.state") == 2 and not tab.is_visible("#steps") and "dark" in str(tab.get_attribute("html", "class"))
