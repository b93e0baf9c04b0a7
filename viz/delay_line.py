"""Delay lines: what is read at several steps, as a chain of unit delays with taps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from autograd_seq.core.errors import did_you_mean
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.ops.elementwise import CAST
from autograd_seq.ops.shape import BROADCAST_TO
from autograd_seq.ops.time import SPREAD
from viz.arguments import find_times, get_theme, make_scene, read_drawable
from viz.diagram import Diagram
from viz.errors import DrawError
from viz.layout.delay_chains import Chain, compose_chains, find_chains
from viz.layout.legend import add_legend
from viz.read.graph import Reading, is_state
from viz.scene.items import keep_axes
from viz.scene.label import Label, make_name_label, make_text_label


def delay_line(g: Any, names: str | Collection[str] | None = None, theme: str = "white", *, legend: bool = False) -> Diagram:
    """Draw delay lines: a chain of z⁻¹ for everything that is read at another step, with a tap for each delay that is read.

    Args:
        g: an `ag.Graph`, or a node or several.
        names: which variables to draw; by default all that are read at other steps.
        theme: "white" or "dark".
        legend: whether the roles that colours and shapes stand for are written below.

    Returns:
        A Diagram: below each box stands the row that it holds at the first step, at each tap the parameters it passes, and at
        the left what its reader reads besides. A long way without a tap is one box, z⁻ᵏ.

    Raises:
        DrawError: nothing is read at another step, or no variable of such a name; the theme is unknown, or g is no graph.
        TooLargeError: more nodes than can be drawn.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, a, b = ag.input("x", over=t), ag.param("a"), ag.param("b")
        >>> drawn = delay_line((a * x[t] + b * x[t - 2]).named("y"))
        >>> [mark.label.text for mark in drawn.picture.marks if mark.role == "delay"]
        ['z^−1', 'z^−1']

    Notes:
        Linear in the number of taps.
    """
    colors = get_theme(theme)
    reading = read_drawable(g)
    scene = make_scene(reading, "variables")
    scene = keep_axes(scene, find_times(scene))
    found = find_chains(scene)
    known = list(dict.fromkeys(item.name for item, _, _ in found if item.name))
    wanted = [names] if isinstance(names, str) else known if names is None else list(names)
    for name in wanted:
        if name not in known:
            raise DrawError("P240", f"{name!r:.60} is read at no other step", expected=f"one of {', '.join(known) or 'none'}",
                            got=f"{name!r:.60}", fix=did_you_mean(str(name), known))  # fmt: skip
    if not found:
        raise DrawError("P241", "nothing in this graph is read at another step", expected="a delay, such as s[t - 1]",
                        got="none", fix="viz.folded(g) draws it")  # fmt: skip
    nodes = {vertex.name: vertex for vertex in reading.vertices if vertex.name}
    chains = [
        Chain(item, axis, way, list_rows(nodes.get(item.full), axis, reading))
        for item, axis, way in found if names is None or item.name in wanted
    ]  # fmt: skip
    picture = compose_chains(scene, chains)
    return Diagram(add_legend(picture) if legend else picture, colors)


def list_rows(node: Node | None, axis: str, reading: Reading) -> dict[int | None, Label]:
    """Return what the rows outside of a state's sequence are set to, by `Chain.rows`."""
    if node is None or not is_state(node):
        return {}
    out: dict[int | None, Label] = {}
    named = {(where, offset): reading.names[vertex] for where, offset, vertex in reading.starts[node]}
    for bound in node.attrs["bounds"]:
        if bound.axis.name != axis:
            continue
        rows = node.inputs[bound.start : bound.stop]
        for i, row in enumerate(rows):
            offset = i - len(rows) if bound.side == "init" else i
            place = None if bound.rows is None else offset
            out[place] = _write_row(row, named.get((axis, offset), ""))
    return out


def _write_row(row: Node, name: str) -> Label:
    if name:
        return make_name_label(name)
    while row.op in (BROADCAST_TO, CAST, SPREAD):
        row = row.inputs[0]
    if row.op is CONSTANT and row.value is not None:
        numbers = np.unique(np.asarray(row.value))
        if numbers.size == 1:
            return make_text_label(f"{float(numbers[0]):.4g}".replace("-", "−"))
    return make_text_label("…")


explain_keywords(globals(), ["delay_line"])
