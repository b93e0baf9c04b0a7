"""Pictures as one page: a self-contained HTML file that pans, zooms, searches, unfolds, and steps forward and backward.

A strict content-security policy allows the page's own script and style by their hashes, and nothing else: no request, no
handler in an attribute. Names reach the page as escaped text, and as data that a script reads.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from viz.render.css_colors import make_css_theme, write_css_colors
from viz.render.pieces import Pieces, View
from viz.render.style import THEMES, Theme, find_theme
from viz.scene.equations import find_defined, group_equations, list_equations, make_identifier
from viz.scene.label import Label, clean, make_text_label

_SCRIPTS = ("picture.js", "view.js", "page.js")

Texts = Mapping[str, Mapping[int | str, tuple[str, str]]]
"""For each variable, by its name, its value and its gradient at each step, as short texts."""


@dataclass(frozen=True)
class Pane:
    """Text beside the pictures; a line is highlighted with the variables that it names.

    Attributes:
        title: its heading.
        lines: its text; "" for the heading of a scope among equations.
        labels: the same lines set as mathematics, where they are equations.
    """

    title: str
    lines: tuple[str, ...]
    labels: tuple[Label, ...] = ()


def make_equations(textbook: str, names: Collection[str]) -> Pane:
    """Return the pane of the equations that a textbook program computes.

    Args:
        textbook: the program.
        names: the full names of the variables and parameters.
    """
    lines, labels, before = [], [], ""
    for scope, text, label in group_equations(list_equations(textbook), names):
        if scope != before:
            lines.append("")
            labels.append(make_text_label(scope, longest=80))
        lines.append(text)
        labels.append(label)
        before = scope
    return Pane("equations", tuple(lines), tuple(labels))


def to_page(views: Sequence[View], theme: Theme, *, title: str, panes: Sequence[Pane] = (), values: Texts | None = None) -> str:
    """Return pictures as one HTML page.

    Args:
        views: one or more.
        theme: the colours to begin with; the page switches between light and dark by itself.
        title: its heading.
        panes: texts at the left and the right of the picture.
        values: what the variables are at each step.

    Returns:
        HTML.
    """
    folder = files("viz.render").joinpath("web")
    style = _write_colors() + folder.joinpath("page.css").read_text("utf-8")
    script = '"use strict";\n' + "\n".join(folder.joinpath(name).read_text("utf-8") for name in _SCRIPTS)
    allowed = f"script-src 'sha256-{_hash(script)}'; style-src 'sha256-{_hash(style)}'"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    data = {**Pieces(make_css_theme(theme), theme).pack(views), "values": values or {}}
    names = {kind[1] for kind in data["kinds"] if kind[1]}
    texts = [_write_pane(pane, names) for pane in panes]
    shown = "".join(_write_switch(pane.title) for pane in panes)
    options = "".join(f'<option value="{i}">{escape(clean(view.name, 80))}</option>' for i, view in enumerate(views))
    dark = ' class="dark"' if theme.name == "dark" else ""
    page = folder.joinpath("page.html").read_text("utf-8")
    parts = {
        "dark": dark, "policy": policy, "title": escape(clean(title, 200)), "style": style, "options": options,
        "switches": shown, "before": "".join(texts[:1]), "after": "".join(texts[1:]), "count": str(len(panes)),
        "data": escape(json.dumps(data, ensure_ascii=False, separators=(",", ":")), quote=False), "script": script,
    }  # fmt: skip
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _write_colors() -> str:
    """Return the colours of both themes as declarations; a printed page is light."""
    white, dark = (write_css_colors(found) for found in map(find_theme, THEMES) if found is not None)
    return f":root {{ {white} }}\n:root.dark {{ {dark} }}\n@media print {{ :root.dark {{ {white} }} }}\n"


def _write_switch(title: str) -> str:
    return f'<button class="switch" type="button" data-pane="{escape(title)}" aria-pressed="true">{escape(title)}</button>'


def _write_pane(pane: Pane, names: set[str]) -> str:
    words = {name: {name, make_identifier(name)} for name in sorted(names)}
    rows = []
    for i, line in enumerate(pane.lines):
        left = find_defined(line)
        reads = [name for name, forms in words.items() if any(_is_in(form, line) for form in forms)]
        defines = [name for name in reads if left in words[name]]
        data = _write_data("reads", reads) + _write_data("defines", defines)
        text = _set_label(pane.labels[i]) if pane.labels else escape(clean(line, 300))
        heading = ' class="scope"' if pane.labels and not line else ""
        rows.append(f"<li{heading}{data}>{text}</li>")
    kind = "set" if pane.labels else "code"
    title = escape(pane.title)
    return (f'<section class="pane {kind}" id="pane-{title}" aria-label="{title}"><h2>{title}</h2>'
            f'<ol tabindex="0" aria-label="{title}">{"".join(rows)}</ol></section>')  # fmt: skip


def _write_data(name: str, found: list[str]) -> str:
    return f' data-{name}="{escape(json.dumps(found, ensure_ascii=False))}"' if found else ""


def _is_in(word: str, line: str) -> bool:
    return word in line and re.search(rf"(?<![\w/]){re.escape(word)}(?![\w/])", line) is not None


def _set_label(label: Label) -> str:
    """Return a label as HTML."""
    out = ""
    for run in (run for row in label.rows for run in row):
        text = escape(run.text)
        text = f"<i>{text}</i>" if run.slanted else text
        out += {0: text, 1: f"<sup>{text}</sup>", -1: f"<sub>{text}</sub>"}[run.shift]
    return out
