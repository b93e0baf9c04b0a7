"""Pictures of random graphs and of hostile names: no exception but a picture's own, well-formed text, the same bytes twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.dom import minidom

import pytest
from night import NIGHT
from random_programs import Program

import autograd_seq as ag
import viz
from viz.arguments import read_drawable
from viz.errors import DrawError

SEEDS = range(300) if NIGHT else (0, 3, 5, 6)  # each draws a fourth of the kinds
KINDS: list[Callable[[Any], viz.Diagram]] = [
    lambda g: viz.folded(g),
    lambda g: viz.folded(g, level="ops", legend=True),
    lambda g: viz.unfolded(g, 1),
    lambda g: viz.unfolded(g, 3),
    lambda g: viz.unfolded(g, 1, level="ops"),
    lambda g: viz.unfolded(g, 3, level="ops"),
    lambda g: viz.unfolded(g, 9, params="hide", steps=(1, 1)),
    lambda g: viz.unfolded(g, 2, params="bus"),
    lambda g: viz.fold_unfold(g, 2),
    lambda g: viz.delay_line(g),
    lambda g: viz.adjoint(g),
]
REFUSED = {"P203", "P204", "P208", "P209", "P241"}  # too large, without an axis, three of them, without a delay
NAMES = [
    '"]-->n0', "<b>&amp;</b>", "</svg><script>", "\\input{x}$_^%", "a\nb\x00\u202e", "x" * 300, "שלום🙂", "{|}<B>;", "[t-1]",
]  # fmt: skip


def _check_text(draw: Callable[[Any], viz.Diagram], g: Any) -> None:
    try:
        first = draw(g)
    except DrawError as error:
        assert error.code in REFUSED, error
        return
    tags = {element.tagName for element in minidom.parseString(first.svg.encode()).getElementsByTagName("*")}
    assert tags <= {"svg", "rect", "g", "title", "circle", "ellipse", "text", "tspan", "path", "polygon"}
    again = draw(g)
    assert (first.svg, first.dot, first.tex, first.mermaid) == (again.svg, again.dot, again.tex, again.mermaid)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_graph_is_drawn_or_refused_in_words(seed: int) -> None:
    case = Program(seed)
    g = ag.Graph(case.outputs)
    if len(read_drawable(g).vertices) > 130:  # with its gradients it is dense, and slow to draw
        g = ag.Graph([case.loss])
    for draw in KINDS[seed % 4 :: 4]:
        _check_text(draw, ag.Graph([case.loss]) if draw is KINDS[-1] else g)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_ever_text(name: str) -> None:
    t = ag.Axis("t")
    x, s = ag.input(f"{name}x", over=t), ag.state(f"{name}s", over=t, init=ag.param(f"{name}h"))
    s[t] = ag.tanh(ag.param(f"{name}W") * s[t - 1] + x[t])
    L = ag.sum(s, over=t).named(f"{name}L")
    for draw in KINDS:
        _check_text(draw, L)
    program = ag.compile(L)
    _check_text(lambda p: viz.panes(p, title=name), program)
    _check_text(lambda p: viz.card(p, name), program)
