"""Pictures as one page: a self-contained HTML file that pans, zooms, searches, unfolds, and steps forward and backward.

A strict content-security policy allows the page's own script and style by their hashes, and nothing else: no request, no
handler in an attribute. Names reach the page as escaped text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from viz.render.style import Theme
from viz.render.svg import to_svg
from viz.scene.label import clean
from viz.scene.picture import Picture


@dataclass(frozen=True)
class View:
    """One picture of a page, and the name under which it is chosen."""

    name: str
    picture: Picture


@dataclass(frozen=True)
class Pane:
    """Text beside the pictures; a line is highlighted with the variables that it names."""

    title: str
    lines: tuple[str, ...]


def to_page(views: Sequence[View], theme: Theme, *, title: str, panes: Sequence[Pane] = (), first: int = 0) -> str:
    """Return pictures as one HTML page.

    Args:
        views: one or more.
        theme: the colours; the page switches between light and dark by itself.
        title: its heading.
        panes: texts at the left and the right of the picture.
        first: the view that is shown first.

    Returns:
        HTML.
    """
    style, script = (files("viz.render").joinpath("web", name).read_text("utf-8") for name in ("page.css", "page.js"))
    allowed = f"script-src 'sha256-{_hash(script)}'; style-src 'sha256-{_hash(style)}'"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    names = {mark.name for view in views for mark in view.picture.marks if mark.name}
    pictures = "\n".join(_write_view(view, theme, str(i)) for i, view in enumerate(views))
    options = "".join(f'<option value="{i}">{escape(view.name)}</option>' for i, view in enumerate(views))
    texts = [_write_pane(pane, names) for pane in panes]
    before, after = "".join(texts[:1]), "".join(texts[1:])
    dark = ' class="dark"' if theme.name == "dark" else ""
    return f"""<!DOCTYPE html>
<html lang="en"{dark}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(clean(title, 200))}</title>
<style>{style}</style>
</head>
<body data-first="{first}">
<header><h1>{escape(clean(title, 200))}</h1></header>
<nav>
<label>view <select id="view">{options}</select></label>
<label>steps <input id="steps" type="range" min="1" max="1" value="1"> <output id="count"></output></label>
<button id="back" type="button">step back</button><button id="next" type="button">step</button>
<label>search <input id="search" type="search" size="12"></label>
<button id="fit" type="button">whole picture</button><button id="theme" type="button">light or dark</button>
</nav>
<main{' class="panes"' if panes else ""}>{before}<div class="stage" id="stage" role="group" aria-label="picture">
<div class="layer" id="layer">
{pictures}
</div>
</div>{after}</main>
<div id="info" aria-live="polite"></div>
<footer><kbd>n</kbd> <kbd>p</kbd> step, forward and then backward · <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom · arrows move ·
<kbd>/</kbd> search · <kbd>Tab</kbd> from variable to variable · <kbd>d</kbd> dark</footer>
<script>{script}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _write_view(view: View, theme: Theme, prefix: str) -> str:
    svg = to_svg(view.picture, theme, widest=None, prefix=f"v{prefix}", interactive=True)
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None
    look = "light" if theme.name == "white" else "night"
    return svg.replace("<svg ", f'<svg class="{look}" data-box="{box[1]}" role="img" aria-label="{escape(view.name)}" ', 1)


def _write_pane(pane: Pane, names: set[str]) -> str:
    rows = []
    for line in pane.lines:
        words = sorted(name for name in names if " " not in name and _is_in(name, line))
        data = f' data-names="{escape(" ".join(words))}"' if words else ""
        rows.append(f"<li{data}>{escape(clean(line, 300))}</li>")
    return f'<ol class="pane" aria-label="{escape(pane.title)}" tabindex="0">{"".join(rows)}</ol>'


def _is_in(name: str, line: str) -> bool:
    """Tell whether a line names a variable, with its scopes or without."""
    own = name.rpartition("/")[2]
    return any(re.search(rf"(?<![\w/]){re.escape(word)}(?![\w/])", line) for word in {name, own})
