"""Folded pictures: one node a variable, loops for time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pygraphviz
import pytest

import autograd_seq as ag
import viz
from viz import arguments
from viz.errors import DrawError, TooLargeError
from viz.layout import compose
from viz.read.graph import read_graph
from viz.read.variables import make_variables_scene


def _edges(look: Any, dot: str) -> list[tuple[str, str, str]]:
    seen = look(dot)
    return [(*ends, attrs.get("label") or "") for ends, attrs in zip(seen.edges, seen.edge_attrs, strict=True)]


def test_the_lectures_picture(models: SimpleNamespace, look: Any, at: Any) -> None:
    edges = _edges(look, viz.folded(models.rnn()).dot)
    x, s, y, l, loss = (at(name, "<I>t</I>") for name in ("x", "s", "y", "l", "L"))
    total = "<I>L</I> = ∑<SUB><I>t</I></SUB> <I>L</I><SUB><I>t</I></SUB>"
    assert sorted(edges) == sorted([
        (x, s, "<I>U</I>"), (s, s, "<I>W</I>, <I>z</I><SUP>−1</SUP>"), (s, y, "<I>V</I>"), (y, loss, ""), (l, loss, ""),
        (loss, total, ""),
    ])  # fmt: skip


def test_rows_are_stacked_upwards_on_one_line(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.folded(models.rnn()).dot)
    spine = [seen.where(at(name, "<I>t</I>")) for name in ("x", "s", "y", "L")]
    assert len({round(x, 1) for x, _ in spine}) == 1
    assert [y for _, y in spine] == sorted(y for _, y in spine)


def test_the_loop_is_in_the_colour_of_recurrence(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.folded(models.rnn()).dot)
    (loop,) = [attrs for ends, attrs in zip(seen.edges, seen.edge_attrs, strict=True) if ends[0] == ends[1]]
    assert loop["color"] == "#C44E00"
    assert loop["penwidth"] == "2"


def test_delays_and_advances_are_powers_of_z(models: SimpleNamespace) -> None:
    assert "<SUP>−2</SUP>" in viz.folded(models.delay2()).dot
    assert "<SUP>+1</SUP>" in viz.folded(models.bidirectional()).dot
    assert "<I>z</I><SUB><I>i</I></SUB><SUP>−1</SUP>" in viz.folded(models.grid()).dot


def test_indices_name_the_axes(models: SimpleNamespace, look: Any, at: Any) -> None:
    assert look(viz.folded(models.grid()).dot).count(at("g", "<I>i</I>,<I>j</I>")) == 1
    assert look(viz.folded(models.many()).dot).count("<I>c</I>") == 1  # static: no index


def test_two_loops_of_one_state_stand_apart(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.folded(models.delay2()).dot)
    places = [tuple(map(float, a["lp"].split(","))) for ends, a in zip(seen.edges, seen.edge_attrs, strict=True)
              if ends[0] == ends[1]]  # fmt: skip
    assert len(places) == 2
    assert places[0][0] * places[1][0] < 0


def test_operations_have_squares_for_delays_and_parameters(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.folded(models.rnn(), level="ops").dot)
    shapes = {seen.labels[key]: attrs["shape"] for key, attrs in seen.attrs.items()}
    assert shapes["<I>z</I><SUP>−1</SUP>"] == "square"
    assert shapes["<I>U</I>"] == shapes["<I>W</I>"] == "box"
    assert shapes["tanh<BR/><I>s</I><SUB><I>t</I></SUB>"] == "box"
    assert shapes["×"] == "circle"


def test_a_shift_of_an_input_leads_upwards(look: Any) -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    dot = viz.folded((x[t - 1] + x).named("y"), level="ops").dot
    assert "dir=back" not in dot
    assert dot.count("<SUP>−1</SUP>") == 1


def test_initial_values_lead_in_with_a_dashed_line(models: SimpleNamespace) -> None:
    assert "style=dashed" in viz.folded(models.started(), level="ops").dot
    assert "style=dashed" in viz.folded(models.attention()).dot


def test_an_expression_shows_its_values(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.folded(models.eager(), level="ops").dot)
    assert seen.count("<I>a</I><BR/>2") == 1
    assert seen.count("×<BR/><I>e</I><BR/>−6") == 1


def test_nodes_can_be_drawn_without_a_graph() -> None:
    a, b = ag.tensor(2.0, name="a"), ag.tensor(3.0, name="b")
    product = (a * b).named("c")
    assert viz.folded(product, level="ops").dot == viz.folded([product], level="ops").dot
    assert viz.folded(product, level="ops").dot == viz.folded(ag.Graph(product), level="ops").dot


@pytest.mark.parametrize("level", ["variables", "ops"])
@pytest.mark.parametrize("theme", ["white", "dark"])
def test_every_graph_is_drawn_the_same_every_time(level: str, theme: str, models: SimpleNamespace, tmp_path: Path) -> None:
    for name, make in models.all.items():
        first, second = viz.folded(make(), level, theme), viz.folded(make(), level=level, theme=theme)
        assert first.dot == second.dot, name
        if theme == "white" and name in ("rnn", "grid", "eager"):
            assert first.save(tmp_path / f"{name}.png").stat().st_size > 2000


def test_delays_of_operations_stand_at_the_right_on_lines_that_lead_back(models: SimpleNamespace) -> None:
    picture = viz.folded(models.lstm(), level="ops").picture
    squares = [mark for mark in picture.marks if mark.role == "delay"]
    others = [mark.at[0] + mark.width / 2 for mark in picture.marks if mark.role != "delay"]
    assert len(squares) == 2 and min(mark.at[0] for mark in squares) > max(others)
    ends = [(line.tail, line.head) for line in picture.lines if line.role == "recur"]
    assert sorted(sum(tail == mark.key for tail, _ in ends) for mark in squares) == [1, 4]  # of c its product, of h four gates
    assert all(sum(head == mark.key for _, head in ends) == 1 for mark in squares)


def test_the_dark_theme_is_dark(models: SimpleNamespace) -> None:
    dot = viz.folded(models.rnn(), theme="dark").dot
    assert 'bgcolor="#15181D"' in dot
    assert "#FFFFFF" not in dot


@pytest.mark.parametrize("name", ['"', "<b>", "a\x00b", "}; x", "\\N", "n" * 5000, "🦊", "a\nb", "&lt;", "é_{ü}"])
def test_hostile_names_stay_names(name: str) -> None:
    t = ag.Axis("t")
    x, s = ag.input(name, over=t), ag.state("s" + name, over=t)
    s[t] = ag.tanh(ag.param("p" + name) * x + s[t - 1])
    for dot in (viz.folded(ag.Graph(s)).dot, viz.folded(ag.Graph(s), level="ops").dot, viz.unfolded(ag.Graph(s)).dot):
        graph = pygraphviz.AGraph(string=dot)
        assert all(str(node)[0] == "n" and str(node)[1:].isdigit() for node in graph.nodes())
    assert len(pygraphviz.AGraph(string=viz.folded(ag.Graph(s)).dot).nodes()) == 2


def test_a_hostile_axis_is_a_name_too(tmp_path: Path) -> None:
    t = ag.Axis('<t>"\n')
    s = ag.state("s", over=t)
    s[t] = ag.tanh(s[t - 1])
    assert viz.unfolded(ag.Graph(s), t=2).save(tmp_path / "a.svg").stat().st_size > 1000


# -- errors -----------------------------------------------------------------------------------------------------------


def test_unknown_options_say_what_there_is(models: SimpleNamespace) -> None:
    g = models.rnn()
    with pytest.raises(DrawError) as caught:
        viz.folded(g, level="nodes")
    assert str(caught.value) == "DrawError [P206]: unknown level: 'nodes'\n  expected one of variables, ops, got 'nodes'"
    with pytest.raises(DrawError) as caught:
        viz.folded(g, theme="sepia")
    assert str(caught.value) == "DrawError [P207]: unknown theme: 'sepia'\n  expected one of white, dark, got 'sepia'"


@pytest.mark.parametrize("thing", [None, "g", 3, [], [1], ag.Axis("t")])
def test_what_is_no_graph_is_refused(thing: object) -> None:
    with pytest.raises(DrawError) as caught:
        viz.folded(thing)
    assert "cannot be drawn" in str(caught.value)
    assert "expected an ag.Graph, or a node" in str(caught.value)
    assert str(caught.value).endswith(("viz.folded(ag.Graph(L))", "or name one: cell.s"))


def test_too_large_a_graph_says_so(models: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "MOST_ITEMS", 5)
    with pytest.raises(TooLargeError) as caught:
        viz.folded(models.rnn())
    assert "operations, more than can be drawn" in str(caught.value)
    assert "draw a part of it" in str(caught.value)
    monkeypatch.undo()
    monkeypatch.setattr(compose, "MOST_ITEMS", 3)
    with pytest.raises(TooLargeError, match="nodes, more than can be drawn"):
        viz.folded(models.rnn())


@pytest.mark.filterwarnings("ignore::viz.GlyphWarning")  # whether a fox is shown depends on the fonts of the machine
def test_all_hostile_names_in_one_picture_are_rendered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = [
        '"',
        "\\",
        "<",
        "]]>",
        "&amp;",
        "a\x00b",
        "}; x [",
        "\n",
        "🦊",
        "漢字",
        "x" * 5000,
        "\\N",
        "\u202e",
        " ",
        "\\sum",
    ]
    total = sum((ag.input(name) for name in names), start=ag.param("p"))
    for form in ("png", "svg"):
        for level in ("variables", "ops"):
            viz.folded(total.named("{}") if total.name is None else total, level=level).save(tmp_path / f"a.{form}")
    assert capfd.readouterr() == ("", "")
    assert "a�b" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def _calls(draw: Callable[[], object]) -> int:
    """Return how many functions are called to draw a picture."""
    count = 0

    def called(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        draw()
    finally:
        sys.setprofile(None)
    return count


def _split_and_joined(n: int) -> ag.Graph:
    t = ag.Axis("t")
    s = ag.state("s", over=t)
    y = s[t - 1]
    for _ in range(n):
        y = ag.tanh(y) + ag.sigmoid(y)
    s[t] = y
    return ag.Graph(s)


def _layers(n: int) -> ag.Graph:
    t = ag.Axis("t")
    x = ag.input("x", (2,), over=t)
    for k in range(n):
        with ag.scope(f"layer{k}"):
            x = ag.nn.gru(x, 2, over=t)
    return ag.Graph(x)


@pytest.mark.parametrize(("model", "n"), [(_split_and_joined, 30), (_layers, 6)])
def test_operations_are_drawn_in_linear_time(model: Callable[[int], ag.Graph], n: int) -> None:
    """Where paths split and join, each part is looked at once, not once for each path; curves look at what is near."""
    graphs = [model(n), model(2 * n)]
    viz.folded(graphs[0], level="ops")
    once, twice = (_calls(lambda g=g: viz.folded(g, level="ops")) for g in graphs)  # type: ignore[misc]
    assert twice < 3.5 * once


def test_a_state_that_is_summed_stays_a_state_and_its_input_an_input() -> None:
    t = ag.Axis("t")
    s, x = ag.state("s", over=t), ag.input("x", over=t)
    s[t] = ag.tanh(ag.param("w") * s[t - 1] + x[t])
    reading = read_graph([ag.sum(s[t], over=t).named("L")], ["t"])
    kinds = {item.name: item.role for item in make_variables_scene(reading).items}
    assert kinds == {"x": "input", "s": "state", "": "loss"}


@pytest.mark.parametrize(
    ("cell", "gates"), [("lstm", "ifog"), ("gru", "rzn"), ("mgu", "fn"), ("slstm", "ifoz"), ("min_gru", "zn")]
)
@pytest.mark.parametrize("name", [None, "cell"])
def test_gates_carry_their_letters_with_or_without_a_name(cell: str, gates: str, name: str | None) -> None:
    t = ag.Axis("t")
    out = getattr(ag.nn, cell)(ag.input("x", (3,), over=t), 4, over=t, name=name)
    h = getattr(out, "h", out)
    for level in ("variables", "ops"):
        words = [mark.label.text for mark in viz.folded(ag.Graph(h), level=level).picture.marks]
        for gate in gates:
            assert sum(f" {gate}_t " in f" {word} " for word in words) == 1, (gate, words)


def test_letters_of_gates_do_not_clash_with_names_of_the_model() -> None:
    t = ag.Axis("t")
    f, i = ag.param("f", (3,)), ag.input("i", (3,), over=t)
    g = ag.Graph(ag.nn.lstm(f * i, 4, over=t).h)
    assert {node.name for node in g.nodes if node.name} >= {"f", "i", "Uf", "Ui"}
    words = [mark.label.text.split()[0] for mark in viz.folded(g).picture.marks]
    assert words.count("i_t") == 2  # the input and the gate
