"""What notebooks show of graphs, schedules and programs; and the one place that imports ``viz``, when a picture is wanted.

Why by name, and not by an import (2026-11): nothing of the engine needs pictures, and ``viz`` reads the engine. There is
another package of that name on PyPI, and users may have a file ``viz.py``: the error shows which of them was found.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Iterable, Sequence
from typing import Any

from autograd_seq.core.errors import AutogradSeqError, PictureError

_OURS = ("folded", "unfolded", "fold_unfold")


def import_viz() -> Any:
    """Return the package that draws.

    Raises:
        PictureError: another module of its name is found first, or it cannot be imported.

    Example:
        >>> import_viz().__name__
        'viz'
    """
    try:
        found = importlib.import_module("viz")
    except Exception as error:  # another package of that name may raise anything when it is imported
        raise PictureError(
            "P311", "viz, which draws, cannot be imported", expected="the package viz that comes with autograd_seq",
            got=f"{type(error).__name__}: {error}", fix=_FIX,
        ) from error  # fmt: skip
    if not all(hasattr(found, name) for name in _OURS):
        place = getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", ["nowhere"])))
        raise PictureError(
            "P312", "import viz finds another module, and not the one that draws", got=f"{place}",
            expected="the package viz that comes with autograd_seq", fix=_FIX,
        )  # fmt: skip
    return found


_FIX = ["rename a file viz.py of your own; or, if it is the package viz of PyPI:",
         "pip uninstall viz, then pip install --force-reinstall --no-deps autograd_seq"]  # fmt: skip


def show_folded(graph: Any, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, str]:
    """Return what a notebook shows of a graph: its folded picture and its text; without Graphviz, the text and the reason."""
    try:
        shown = import_viz().folded(graph)._repr_mimebundle_(include, exclude)
    except AutogradSeqError as error:
        return {"text/plain": f"{graph}\n\n{error}"}
    return {**shown, "text/plain": str(graph) if "image/svg+xml" in shown else f"{graph}\n\n{shown['text/plain']}"}


def make_html_table(head: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """Return rows of text as a table in HTML, the indentation of its first column kept, and notes below.

    Example:
        >>> make_html_table(["line", "flop"], [["a < b", "1"]])
        '<table><tr><th>line</th><th>flop</th></tr><tr><td><pre>a &lt; b</pre></td><td>1</td></tr></table>'
    """
    lines = ["".join(f"<th>{html.escape(h)}</th>" for h in head)]
    for first, *others in rows:
        lines.append(f"<td>{make_code_block(first)}</td>" + "".join(f"<td>{html.escape(o)}</td>" for o in others))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table>{body}</table>" + "".join(f"<p>{html.escape(note)}</p>" for note in notes)


def make_code_block(source: str) -> str:
    """Return a source as HTML.

    Example:
        >>> make_code_block("x < y")
        '<pre>x &lt; y</pre>'
    """
    return f"<pre>{html.escape(source)}</pre>"
