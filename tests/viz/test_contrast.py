"""Texts of pictures and of the page stand out from their grounds in both themes (WCAG 2.1, AA; on pale grounds 4.4 to 1)."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from viz.render.style import THEMES, find_theme


def _measure_light(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def measure_contrast(one: str, other: str) -> float:
    low, high = sorted((_measure_light(one), _measure_light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_labels_stand_out_from_what_they_are_on(name: str) -> None:
    theme = find_theme(name)
    assert theme is not None
    grounds = [theme.ground, theme.looks["slice"].fill]
    pairs = [(look.ink, look.fill) for look in theme.looks.values() if look.fill not in ("none", look.line)]
    pairs += [(ink, ground) for ink in (theme.ink, theme.faint, theme.recur, theme.looks["param"].line) for ground in grounds]
    assert [(a, b, measure_contrast(a, b)) for a, b in pairs if measure_contrast(a, b) < 4.4] == []


@pytest.mark.parametrize("name", THEMES)
def test_the_page_s_own_texts_stand_out(name: str) -> None:
    style = files("viz.render").joinpath("web", "page.css").read_text("utf-8")
    theme = find_theme(name)
    rule = re.search(r":root\.dark \{([^}]*)\}" if name == "dark" else r":root \{([^}]*)\}", style)
    assert theme is not None and rule is not None
    colors = dict(re.findall(r"--(\w+): (#\w+)", rule[1]))
    for ground in (theme.ground, colors["pane"]):
        assert measure_contrast(colors["soft"], ground) >= 4.5
        assert measure_contrast(colors["hit"], ground) >= 4.5
