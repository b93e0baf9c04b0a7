"""All applications, one after the other: a table, and a page of pictures. `autograd-seq gallery` runs it."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from pathlib import Path

from autograd_seq.applications import (
    chorales,
    co2,
    digits,
    glucose,
    heart,
    names,
    pong,
    sea,
    shop,
    stocks,
    sunspots,
    unemployment,
    video,
    vowels,
)
from autograd_seq.applications.data_files import find_missing
from autograd_seq.applications.outcome import Application, Budget, Outcome, make_report, make_table

APPLICATIONS: dict[str, Application] = {
    "sunspots": sunspots.APPLICATION,
    "co2": co2.APPLICATION,
    "sea": sea.APPLICATION,
    "unemployment": unemployment.APPLICATION,
    "stocks": stocks.APPLICATION,
    "glucose": glucose.APPLICATION,
    "heart": heart.APPLICATION,
    "vowels": vowels.APPLICATION,
    "chorales": chorales.APPLICATION,
    "names": names.APPLICATION,
    "digits": digits.APPLICATION,
    "shop": shop.APPLICATION,
    "pong": pong.APPLICATION,
    "video": video.APPLICATION,
}
TABLE, PAGE = "results.md", "gallery.html"


def run_all(
    chosen: Sequence[str], folder: Path, budget: Budget, say: Callable[[str], None] = print
) -> list[tuple[Application, Outcome]]:
    """Run applications; write the picture of each, the table of all, and a page with both.

    Args:
        chosen: keys of ``APPLICATIONS``.
        folder: for the files; made if missing.
        budget: seeds and steps of each.
        say: is called with each line to be shown.

    Returns:
        The applications that ran, with their scores. One whose data is not installed is skipped, and the line says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results, pictures = [], []
    for name in chosen:
        application = APPLICATIONS[name]
        if missing := find_missing(application.needs):
            say(f"{name} skipped: {', '.join(missing)} not installed (pip install 'autograd-seq[data]')\n")
            continue
        outcome = application.run(budget)
        say(make_report(application, outcome) + "\n")
        results.append((application, outcome))
        pictures.append(outcome.picture.save(folder / f"{name}.png"))
    if results:
        table = make_table(results)
        (folder / TABLE).write_text(table + "\n", encoding="utf-8")
        (folder / PAGE).write_text(make_page(results, pictures), encoding="utf-8")
        say(f"{table}\n\nwritten: {folder / TABLE}, {folder / PAGE} with the pictures beside them")
    return results


def make_page(results: Sequence[tuple[Application, Outcome]], pictures: Sequence[Path]) -> str:
    """Return a page in HTML that holds scores and pictures, and needs no other file.

    Args:
        results: applications with their scores.
        pictures: a PNG for each.
    """
    parts = []
    for (application, outcome), picture in zip(results, pictures, strict=True):
        data = base64.b64encode(picture.read_bytes()).decode("ascii")
        title = html.escape(application.title)
        parts.append(
            f'<section><h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{data}">'
            f"<pre>{html.escape(make_report(application, outcome))}</pre>"
            f"<p>Data: {html.escape(application.source)}</p></section>"
        )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Recurrent networks on real data</title>'
        "<style>body{font:16px/1.4 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}img{width:100%}"
        "pre{background:#f5f5f5;padding:.8em;overflow:auto}section{margin-bottom:3em}</style></head><body>"
        f"<h1>Recurrent networks on real data</h1>{''.join(parts)}</body></html>\n"
    )
