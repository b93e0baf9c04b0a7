"""Unfolded pictures: columns are steps from left to right, rows are variables, level and upright."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import autograd_seq as ag
import viz
from viz.errors import DrawError, TooLargeError
from viz.layout import compose
from viz.scene.columns import show_all_steps, show_middle_steps


def _rows_are_straight(seen: Any, at: Any, names: str, steps: list[str]) -> None:
    for name in names:
        places = [seen.where(at(name, step)) for step in steps]
        assert [x for x, _ in places] == sorted(x for x, _ in places), name
        assert max(y for _, y in places) - min(y for _, y in places) < 0.5, name
        gaps = [b[0] - a[0] for a, b in itertools.pairwise(places)]
        assert all(gap > 60 for gap in gaps), name


def test_columns_are_steps_and_rows_are_variables(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.rnn(), t=4).dot)
    _rows_are_straight(seen, at, "xsylL", ["0", "1", "2", "3"])
    for step in "0123":
        xs = {round(seen.where(at(name, step))[0], 1) for name in "xsyL"}
        assert len(xs) == 1
        ys = [seen.where(at(name, step))[1] for name in "xsyL"]
        assert ys == sorted(ys)


@pytest.mark.parametrize("name", ["lstm", "delay2", "bidirectional", "started"])
def test_any_cell_is_level(name: str, models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.all[name](), t=5).dot)
    states = {"lstm": "ch", "delay2": "s", "bidirectional": "fb", "started": "h"}[name]
    _rows_are_straight(seen, at, "x" + states, ["0", "1", "2", "3", "4"])


def test_no_two_nodes_overlap(models: SimpleNamespace, look: Any) -> None:
    for name in models.one_axis:
        for options in ({}, {"params": "bus"}, {"params": "bus", "level": "variables"}):
            seen = look(viz.unfolded(models.all[name](), t=3, **options).dot)
            solid = [key for key, attrs in seen.attrs.items() if attrs["shape"] not in ("point", "plaintext")
                     and "<I>t</I> =" not in seen.labels[key]]  # fmt: skip
            for i, one in enumerate(solid):
                for two in solid[:i]:
                    (ax, ay), (bx, by) = seen.places[one], seen.places[two]
                    wide = (float(seen.attrs[one]["width"]) + float(seen.attrs[two]["width"])) * 36
                    high = (float(seen.attrs[one]["height"]) + float(seen.attrs[two]["height"])) * 36
                    apart = abs(ax - bx) >= wide - 1 or abs(ay - by) >= high - 1
                    assert apart, (name, options, seen.labels[one], seen.labels[two])


def test_every_step_has_the_same_edges(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.rnn(), t=4).dot)
    for a, b in [("0", "1"), ("1", "2"), ("2", "3")]:
        assert seen.edges.count((at("s", a), at("s", b))) == 1
    for step in "0123":
        assert seen.edges.count((at("x", step), at("s", step))) == 1
        assert seen.edges.count((at("L", step), "<I>L</I> = ∑<SUB><I>t</I></SUB> <I>L</I><SUB><I>t</I></SUB>")) == 1
    labels = [attrs.get("label") or "" for attrs in seen.edge_attrs]
    assert [labels.count(f"<I>{name}</I>") for name in "UWV"] == [4, 4, 4]


def test_the_row_before_the_sequence_is_a_dashed_ghost(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.rnn(), t=3).dot)
    ghosts = [seen.labels[key] for key, attrs in seen.attrs.items() if "dashed" in attrs.get("style", "")]
    assert ghosts == [at("s", "−1")]
    assert seen.edges.count((at("s", "−1"), at("s", "0"))) == 1
    assert seen.where(at("s", "−1"))[0] < seen.where(at("s", "0"))[0]


def test_a_delay_of_two_has_two_ghosts(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.delay2(), t=4).dot)
    xs = [seen.where(at("s", index))[0] for index in ("−2", "−1", "0", "1", "2", "3")]
    assert xs == sorted(xs)
    assert seen.edges.count((at("s", "−2"), at("s", "0"))) == 1
    assert seen.edges.count((at("s", "−1"), at("s", "1"))) == 1
    assert seen.edges.count((at("s", "0"), at("s", "2"))) == 1


def test_an_arc_over_a_step_does_not_touch_its_circle(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.delay2(), t=4).dot)
    (arc,) = [attrs["pos"] for ends, attrs in zip(seen.edges, seen.edge_attrs, strict=True)
              if ends == (at("s", "0"), at("s", "2"))]  # fmt: skip
    from viz.layout.routes import sample_curve

    first, *rest = arc.split(" ")
    curve = [tuple(map(float, point.split(","))) for point in rest]
    stands = [attrs["pos"].rstrip("!") for key, attrs in seen.attrs.items() if seen.labels[key] == at("s", "1")]
    x, y = map(float, stands[0].split(","))
    assert first.startswith("e,")
    assert min(((px - x) ** 2 + (py - y) ** 2) ** 0.5 for px, py in sample_curve(curve, 60)) > 24


def test_looking_ahead_has_its_ghost_at_the_right(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.bidirectional(), t=3).dot)
    assert seen.where(at("b", "3"))[0] > seen.where(at("b", "2"))[0]
    assert seen.edges.count((at("b", "3"), at("b", "2"))) == 1
    assert seen.edges.count((at("b", "1"), at("b", "0"))) == 1
    assert seen.edges.count((at("f", "0"), at("f", "1"))) == 1


def test_initial_rows_are_named_beside_their_ghost(models: SimpleNamespace, look: Any) -> None:
    assert look(viz.unfolded(models.started(), t=2).dot).count("= <I>h</I><SUB>0</SUB>") == 1


def test_long_sequences_show_their_ends(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.rnn(), t=1_000_000).dot)
    _rows_are_straight(seen, at, "xsyL", ["0", "1", "2", "999998", "999999"])
    assert seen.count(at("s", "3")) == 0
    assert seen.count("⋯") == 5  # x, s, y, L and the heading
    assert seen.edges.count((at("s", "2"), "⋯")) == 1
    assert seen.edges.count(("⋯", at("s", "999998"))) == 1


def test_steps_say_how_many_to_show(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.delay2(), t=9, steps=(1, 1)).dot)
    assert [seen.count(at("s", str(step))) for step in range(9)] == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    every = look(viz.unfolded(models.delay2(), t=9, steps=(9, 0)).dot)
    assert [every.count(at("s", str(step))) for step in range(9)] == [1] * 9


@pytest.mark.parametrize("t", [0, 1, 2])
@pytest.mark.parametrize("params", ["labels", "bus", "hide"])
def test_short_sequences_are_drawn(t: int, params: str, models: SimpleNamespace, look: Any, at: Any, tmp_path: Path) -> None:
    for name in models.one_axis:
        viz.unfolded(models.all[name](), t=t, params=params).save(tmp_path / "a.svg")
    seen = look(viz.unfolded(models.rnn(), t=t, params="labels").dot)
    assert sum(seen.count(at("x", str(step))) for step in range(3)) == t


def test_parameters_can_be_hidden(models: SimpleNamespace) -> None:
    assert "<I>W</I>" not in viz.unfolded(models.rnn(), params="hide").dot
    ops = viz.unfolded(models.rnn(), params="hide", level="ops").dot
    assert "<I>W</I>" not in ops
    assert "tanh" in ops


# -- the bus and the stamp --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [None, "variables"])
def test_the_bus_draws_each_parameter_once(level: str | None, models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.unfolded(models.lstm(), t=3, params="bus", level=level).dot)
    for name in ("W_f", "W_i", "W_g", "W_o", "U_f", "U_i", "U_g", "U_o"):
        base, below = name.split("_")
        assert seen.count(f"<I>{base}</I><SUB>{below}</SUB>") == 1
    assert seen.count("<I>V</I>") == 1
    taps = [key for key, attrs in seen.attrs.items() if attrs["shape"] == "point"]
    assert len(taps) == 3 * 9


def test_a_bus_runs_level_from_the_left_to_every_use(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.unfolded(models.rnn(), t=4, params="bus").dot)
    (source,) = [place for key, place in seen.places.items() if seen.labels[key] == "<I>V</I>"]
    xs = [seen.places[key][0] for key, attrs in seen.attrs.items() if attrs["shape"] == "point"]
    assert source[0] < min(xs)


def test_a_tied_parameter_is_drawn_once_with_a_wire_a_row(look: Any) -> None:
    import autograd_seq as ag

    t = ag.Axis("t")
    W, s = ag.param("W", (3, 3)), ag.state("s", (3,), over=t)
    s[t] = ag.tanh(W @ s[t - 1])
    y = (W @ ag.tanh(W @ s[t])).named("y")
    seen = look(viz.unfolded(ag.Graph(y), t=2, params="bus").dot)
    assert seen.count("<I>W</I>") == 1
    assert sum(attrs["shape"] == "point" for attrs in seen.attrs.values()) == 6


def test_operations_stand_in_slices(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.unfolded(models.rnn(), t=3, params="bus").dot)
    for step in range(3):
        assert seen.count(f"<I>t</I> = {step}") == 1
        assert seen.count(f"tanh<BR/><I>s</I><SUB>{step}</SUB>") == 1
        assert seen.count(f"NLL<BR/><I>L</I><SUB>{step}</SUB>") == 1
    slices = sorted(seen.places[key] for key, label in seen.labels.items() if label.startswith("<I>t</I> ="))
    assert len({round(b[0] - a[0], 1) for a, b in itertools.pairwise(slices)}) == 1


def test_slices_of_left_out_steps_are_dots(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.unfolded(models.rnn(), t=50, params="bus").dot)
    assert seen.count("⋯") == 3  # where the state comes from, where it goes, the heading


def test_the_cost_grows_with_what_is_printed(models: SimpleNamespace) -> None:
    short, long = (len(viz.unfolded(models.lstm(), t=t, params="bus", steps=(t, 0)).dot) for t in (10, 20))
    assert long < 2.2 * short


def test_what_is_static_and_shared_stands_at_the_left(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.unfolded(models.many(), t=3).dot)
    assert seen.where("<I>c</I>")[0] < min(seen.places[key][0] for key, label in seen.labels.items() if "<SUB>0" in label)
    ops = look(viz.unfolded(models.many(), t=3, params="bus").dot)
    assert ops.where("<I>A</I>")[0] < ops.where("<I>W</I>")[0]


def test_what_is_computed_once_stands_on_top(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.many(), t=3).dot)
    top = max(seen.where(at("L", f"1,{step}"))[1] for step in range(3))
    assert seen.where("<I>L</I><SUB>2</SUB>")[1] > top
    assert seen.edges.count((at("r", "2"), "<I>L</I><SUB>2</SUB>")) == 1  # the last step alone
    assert seen.edges.count((at("r", "1"), "<I>L</I><SUB>2</SUB>")) == 0
    assert seen.where("<I>L</I>")[1] > seen.where("<I>L</I><SUB>2</SUB>")[1]


def test_what_every_step_reads_of_all_steps_is_handed_back(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.unfolded(models.centred(), t=2).dot)
    for step in "01":
        assert seen.edges.count((at("x", step), "Σ")) == 1
        assert seen.edges.count(("Σ", at("y", step))) == 1


def test_bytes_are_the_same_every_time(models: SimpleNamespace) -> None:
    for name in models.one_axis:
        for options in ({"params": "bus"}, {"params": "hide", "theme": "dark"}):
            assert viz.unfolded(models.all[name](), **options).dot == viz.unfolded(models.all[name](), **options).dot


def _place(picture: Any, name: str, step: int) -> tuple[float, float]:
    return next(mark.at for mark in picture.marks if mark.name == name and mark.step == step)


def test_lines_from_several_steps_before_are_straight_and_parallel() -> None:
    t = ag.Axis("t")
    h, y = ag.input("x", over=t), ag.state("y", over=t)
    for delay in (1, 2, 4):
        h = ag.tanh(ag.param(f"A_{delay}") * h + ag.param(f"B_{delay}") * h[t - delay]).named(f"h_{delay}")
    lines = [line for line in viz.unfolded(ag.Graph(h), 6).picture.lines if line.role == "recur"]
    assert len(lines) == 18 and all(len(line.curve) == 4 for line in lines)
    ways = {(round(line.curve[3][0] - line.curve[0][0], 1), round(line.curve[3][1] - line.curve[0][1], 1)) for line in lines}
    assert len(ways) == 3  # rows before the first step stand a whole step apart
    y[t] = ag.tanh(ag.param("a") * y[t - 1] + ag.param("c") * ag.input("u", over=t)[t - 1])
    picture = viz.unfolded(ag.Graph(y), 3).picture
    assert _place(picture, "u", 1)[0] == _place(picture, "y", 1)[0]  # an input that later steps read stands below its own


def test_what_is_fed_back_stands_below_and_layers_share_the_gutter() -> None:
    t = ag.Axis("t")
    d, s, x = ag.input("d", over=t), ag.state("s", over=t), ag.input("x", (2,), over=t)
    s[t] = ag.tanh(ag.param("W") * s[t - 1] + ag.param("U") * d[t - 1])
    picture = viz.unfolded(ag.Graph(ag.sum((s[t] - d[t]) ** 2, over=t).named("L")), 3).picture
    assert _place(picture, "d", 1)[1] < _place(picture, "s", 1)[1]

    def get_pitch(layers: int) -> float:
        h = x
        for n in range(layers):
            h = ag.nn.lstm(h, 2, over=t, name=f"layer{n}").h
        marks = [m for m in viz.unfolded(h, 2).picture.marks if m.name == "layer0/h" and m.role == "state"]
        return marks[1].at[0] - marks[0].at[0]

    assert get_pitch(1) == get_pitch(3)


# -- side by side -----------------------------------------------------------------------------------------------------


def test_folded_and_unfolded_stand_side_by_side(models: SimpleNamespace, look: Any, at: Any) -> None:
    seen = look(viz.fold_unfold(models.rnn(), t=3).dot)
    steps = ["<I>t</I>−1", "<I>t</I>", "<I>t</I>+1"]
    _rows_are_straight(seen, at, "xsy", steps)
    for name in "xsy":
        folded, first = seen.where(f"<I>{name}</I>"), seen.where(at(name, steps[0]))
        assert folded[0] < first[0]
        assert abs(folded[1] - first[1]) < 0.5
    (arrow,) = [place for key, place in seen.places.items() if "unroll" in seen.labels[key]]
    assert seen.where("<I>s</I>")[0] < arrow[0] < seen.where(at("s", steps[0]))[0]
    assert seen.count("⋯") == 2
    assert seen.edges.count(("⋯", at("s", steps[0]))) == seen.edges.count((at("s", steps[2]), "⋯")) == 1


@pytest.mark.parametrize("t", [0, 1, 2, 5])
def test_every_graph_of_one_axis_is_drawn_side_by_side(t: int, models: SimpleNamespace, tmp_path: Path) -> None:
    for name in models.one_axis:
        diagram = viz.fold_unfold(models.all[name](), t=t, theme="dark")
        assert diagram.dot == viz.fold_unfold(models.all[name](), t=t, theme="dark").dot
    assert diagram.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")


def test_the_last_step_lies_behind_the_dots(models: SimpleNamespace, look: Any) -> None:
    seen = look(viz.fold_unfold(models.many(), t=2).dot)
    assert seen.edges.count(("⋯", "<I>L</I><SUB>2</SUB>")) == 1


# -- columns ----------------------------------------------------------------------------------------------------------


def test_steps_find_their_columns() -> None:
    columns = show_all_steps(100)
    assert [columns.place(step) for step in (-2, -1, 0, 2, 50, 98, 99, 100)] == [-2, -1, 0, 2, 3, 4, 5, 6]
    middle = show_middle_steps(3, "t")
    assert [middle.place(step) for step in (-5, -1, 0, 2, 3, 9)] == [0, 0, 1, 3, 4, 4]
    assert [column.index for column in show_middle_steps(4, "u").columns] == ["⋯", "u−1", "u", "u+1", "u+2", "⋯"]
    assert show_all_steps(0).columns == ()


def test_a_node_is_drawn_as_its_graph_is(models: SimpleNamespace) -> None:
    """A loss too, which itself varies over nothing."""
    g = models.rnn()
    (loss,) = g.outputs
    assert loss.axes == ()
    for draw in (viz.unfolded, viz.fold_unfold, viz.folded):
        assert draw(loss).dot == draw([loss]).dot == draw(g).dot


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [-1, 2.5, "3", None, True])
def test_t_is_a_number_of_steps(t: Any, models: SimpleNamespace) -> None:
    for draw in (viz.unfolded, viz.fold_unfold):
        with pytest.raises(DrawError) as caught:
            draw(models.rnn(), t=t)
        assert str(caught.value) == (
            f"DrawError [P201]: t={t!r} is not a number of steps\n  expected an integer, 0 or more, got {t!r}"
        )


@pytest.mark.parametrize("steps", [3, (1,), (1, 2, 3), [1, 2], "ab"])
def test_steps_is_a_pair(steps: Any, models: SimpleNamespace) -> None:
    with pytest.raises(DrawError, match=r"\[P202\]: steps=.* is not a pair of counts, of steps at the start and at the end"):
        viz.unfolded(models.rnn(), t=9, steps=steps)
    with pytest.raises(DrawError, match=r"\[P201\]: steps=.* is not a number of steps"):
        viz.unfolded(models.rnn(), t=9, steps=(1, -1))


def test_too_many_columns_say_what_makes_fewer(models: SimpleNamespace) -> None:
    with pytest.raises(TooLargeError) as caught:
        viz.unfolded(models.rnn(), t=100, steps=(60, 0))
    assert str(caught.value) == (
        "TooLargeError [P203]: 60 columns are too many for one picture\n  expected at most 40 columns, got 60\n"
        "  a smaller t=, or steps=(3, 2)"
    )
    with pytest.raises(TooLargeError, match=r"\[P203\]"):
        viz.fold_unfold(models.rnn(), t=41)


def test_too_many_nodes_say_what_makes_fewer(models: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "MOST_MARKS", 20)
    with pytest.raises(TooLargeError) as caught:
        viz.unfolded(models.rnn(), t=4, params="bus")
    assert "nodes, more than can be drawn" in str(caught.value)
    assert 'level="variables", or a smaller t= or steps=(…)' in str(caught.value)
    with pytest.raises(TooLargeError, match="a smaller t="):
        viz.fold_unfold(models.rnn(), t=4)


@pytest.mark.parametrize("draw", [viz.unfolded, viz.fold_unfold])
def test_without_an_axis_there_is_nothing_to_unfold(draw: Any, models: SimpleNamespace) -> None:
    with pytest.raises(DrawError) as caught:
        draw(models.eager())
    assert "[P208]: nothing in this graph varies over time" in str(caught.value)
    assert 'viz.folded(g, level="ops") draws an expression' in str(caught.value)


@pytest.mark.parametrize("draw", [viz.unfolded, viz.fold_unfold])
def test_a_batch_stands_at_the_names_and_is_not_unfolded(draw: Any) -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    s, x = ag.state("s", over=(t, b)), ag.input("x", over=(t, b))
    s[t] = ag.tanh(ag.param("w") * s[t - 1] + x[t])
    loss = ag.mean(ag.sum(s[t], over=t).named("l"), over=b).named("L")
    texts = [mark.label.text for mark in draw(ag.Graph([s, loss]), t=2).picture.marks]
    assert texts.count("s_0,b") == (1 if draw is viz.unfolded else 0)
    assert texts.count("s_t,b") == (0 if draw is viz.unfolded else 1)


def test_unknown_options_say_what_there_is(models: SimpleNamespace) -> None:
    g = models.rnn()
    with pytest.raises(DrawError) as caught:
        viz.unfolded(g, params="none")
    assert str(caught.value) == ("DrawError [P210]: unknown params: 'none'\n  expected one of labels, bus, hide, got 'none'")
    with pytest.raises(DrawError, match=r"\[P206\]: unknown level: 'all'"):
        viz.unfolded(g, level="all")
    with pytest.raises(DrawError, match=r"\[P207\]: unknown theme: 'sepia'"):
        viz.fold_unfold(g, theme="sepia")
    with pytest.raises(DrawError) as caught:
        viz.unfolded(g, level="ops", params="labels")
    assert "[P211]: operations have no edges to label with parameters" in str(caught.value)


def test_an_axis_is_named_by_its_own_name() -> None:
    k = ag.Axis("k")
    s = ag.state("s", over=k)
    s[k] = 0.5 * s[k - 1]
    for draw in (viz.unfolded, viz.fold_unfold):
        assert draw(ag.Graph(s), k=3).dot == draw(ag.Graph(s), t=3).dot
        with pytest.raises(DrawError) as caught:
            draw(ag.Graph(s), j=3)
        assert str(caught.value).splitlines()[0].endswith("has no option j=, and the graph no axis of that name")
        assert str(caught.value).endswith("(g, k=3)")
    with pytest.raises(DrawError, match='did you mean "level"'):
        viz.unfolded(ag.Graph(s), levl="ops")  # type: ignore[arg-type]


def test_the_readers_of_one_state_share_a_trunk_and_name_their_parameters(models: SimpleNamespace) -> None:
    picture = viz.unfolded(models.named_lstm(), t=3).picture
    texts = [mark.label.text for mark in picture.marks]
    assert sum("W_f, U_f" in text for text in texts) == 3
    trunks = [line for line in picture.lines if line.role == "recur" and len(line.curve) > 10]
    assert len(trunks) == 3 * 4  # from the ghost and two steps to four gates
    assert not any(line.label.rows for line in picture.lines)


def test_scopes_in_rows_of_their_own_are_bands_within_which_names_are_short() -> None:
    t = ag.Axis("t")
    x = ag.input("x", (3,), over=t)
    g = ag.Graph(ag.nn.rnn(ag.nn.rnn(x, 4, over=t, name="lower"), 4, over=t, name="upper"))
    for diagram in (viz.unfolded(g, t=2), viz.folded(g)):
        texts = [mark.label.text for mark in diagram.picture.marks]
        assert {"lower", "upper"} <= set(texts)
        assert not any("/" in text for text in texts)


def test_a_longer_delay_beside_dots_keeps_its_arc(models: SimpleNamespace) -> None:
    lines = viz.unfolded(models.delay2(), t=20).picture.lines
    arcs = [line for line in lines if line.label.text == "W_2"]
    assert arcs
    assert all(len({round(y) for _, y in line.curve}) > 1 for line in arcs)
