"""A graph as pictures see it: vertices, delays, roles, and the arrows between variables."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from random_programs import Program

import autograd_seq as ag
import viz
from viz.arguments import make_scene, read_drawable
from viz.layout.rows import assign_rows
from viz.read.graph import read_graph
from viz.read.names import shorten_names
from viz.read.operations import make_operations_scene
from viz.read.variables import make_variables_scene
from viz.scene.items import Arrow, Item, Scene


def _arrows(scene: Scene) -> set[tuple]:
    names = {item.key: item.name or item.title.html for item in scene.items}
    return {(names[a.tail], names[a.head], a.shifts, a.params) for a in scene.arrows if not a.start}


def _roles(scene: Scene) -> dict[str, str]:
    return {item.name or item.title.html: item.role for item in scene.items}


TOTAL = "<I>L</I> = ∑<SUB><I>t</I></SUB> <I>L</I><SUB><I>t</I></SUB>"
PAST, FUTURE = (("t", 1),), (("t", -1),)


def test_an_rnn_is_three_edges_with_parameters_and_a_loss(models: SimpleNamespace) -> None:
    scene = make_variables_scene(read_drawable(models.rnn()))
    assert _arrows(scene) == {
        ("x", "s", (), ("U",)), ("s", "s", PAST, ("W",)), ("s", "y", (), ("V",)), ("y", "L", (), ()),
        ("l", "L", (), ()), ("L", TOTAL, (), ()),
    }  # fmt: skip
    assert _roles(scene) == {"x": "input", "l": "label", "s": "state", "y": "output", "L": "loss", TOTAL: "loss"}


def test_what_is_added_stands_at_the_first_edge_alone(models: SimpleNamespace) -> None:
    arrows = _arrows(make_variables_scene(read_drawable(models.started())))
    assert ("x", "h", (), ("U", "b")) in arrows
    assert ("h", "h", PAST, ("W_{hh}",)) in arrows
    assert ("h", r"\hat{y}", (), ("V", "c")) in arrows


def test_targets_of_any_kind_are_labels_and_means_are_named(models: SimpleNamespace) -> None:
    scene = make_variables_scene(read_drawable(models.started()))
    assert _roles(scene)["d"] == "label"
    (total,) = [item for item in scene.items if "mean" in item.title.html]
    assert total.title.html == "<I>L</I> = mean<SUB><I>t</I></SUB> <I>L</I><SUB><I>t</I></SUB>"


def test_integers_that_a_state_reads_are_inputs() -> None:
    t = ag.Axis("t")
    word, s = ag.input("w", over=t, dtype=int), ag.state("s", over=t)
    s[t] = ag.tanh(s[t - 1] + word)
    assert _roles(make_variables_scene(read_drawable([s]))) == {"w": "input", "s": "state"}


def test_initial_rows_are_named(models: SimpleNamespace) -> None:
    (state,) = [item for item in make_variables_scene(read_drawable(models.started())).items if item.role == "state"]
    assert [(offset, label.html) for offset, label in state.starts] == [(-1, "<I>h</I><SUB>0</SUB>")]


def test_rows_of_both_ends_have_offsets() -> None:
    t = ag.Axis("t")
    a, b, c = (ag.param(name) for name in "abc")
    s, r = ag.state("s", over=t, init=[a, b]), ag.state("r", over=t, final=c)
    s[t] = 0.5 * s[t - 2]
    r[t] = 0.5 * r[t + 1] + s[t]
    items = {item.name: item.starts for item in make_variables_scene(read_drawable([r])).items}
    assert [offset for offset, _ in items["s"]] == [-2, -1]
    assert [offset for offset, _ in items["r"]] == [0]


def test_two_states_read_each_other(models: SimpleNamespace) -> None:
    arrows = _arrows(make_variables_scene(read_drawable(models.lstm())))
    assert ("c", "h", (), ()) in arrows
    assert ("c", "c", PAST, ()) in arrows
    assert ("h", "h", PAST, ("U_o",)) in arrows
    assert ("h", "c", PAST, ("U_f", "U_i", "U_g")) in arrows


def test_both_directions_of_time(models: SimpleNamespace) -> None:
    arrows = _arrows(make_variables_scene(read_drawable(models.bidirectional())))
    assert ("f", "f", PAST, ("W",)) in arrows
    assert ("b", "b", FUTURE, ("B",)) in arrows


def test_several_axes(models: SimpleNamespace) -> None:
    scene = make_variables_scene(read_drawable(models.attention()))
    arrows = _arrows(scene)
    assert ("s", r"\alpha", (("u", 1),), ("W_a", "v")) in arrows
    assert ("h", "c", (), ()) in arrows
    assert {item.name: item.over for item in scene.items}[r"\alpha"] == ("t", "u")
    (start,) = [arrow for arrow in scene.arrows if arrow.start]
    assert start.pick == -1


def test_a_softmax_over_an_axis_is_one_operation(models: SimpleNamespace) -> None:
    titles = [item.title.html for item in make_operations_scene(read_drawable(models.attention())).items]
    assert titles.count("softmax") == 2
    assert "log Σ exp" not in titles


def test_operations_show_every_sign_and_numbers_as_part_of_it(models: SimpleNamespace) -> None:
    scene = make_operations_scene(read_drawable(models.many()))
    titles = [item.title.html for item in scene.items]
    assert "0.5 ×" in titles
    assert "[−1]" in titles
    assert titles.count("tanh") == 2
    assert {item.name for item in scene.items if item.role == "param"} == set("UZAWBQVOm")


def test_powers_and_numbers_on_either_side() -> None:
    x = ag.input("x")
    titles = [item.title.html for item in make_operations_scene(read_drawable([2 * x**3 - 1])).items]
    assert titles == ["", "^3", "2 ×", "− 1"]


def test_values_of_an_expression_are_shown(models: SimpleNamespace) -> None:
    notes = {item.name: item.note.html for item in make_operations_scene(read_drawable(models.eager())).items if item.name}
    assert notes == {"a": "2", "b": "−3", "c": "4", "e": "−6", "d": "−59.5"}
    three = make_operations_scene(read_drawable([ag.tensor([1.0, 2.5], name="v") * 1.0])).items[0]
    assert three.note.html == "[1, 2.5]"


def test_what_is_computed_from_parameters_alone_is_one_parameter() -> None:
    t = ag.Axis("t")
    W, V, x = ag.param("W", (3, 3)), ag.param("V", (3, 3)), ag.input("x", (3,), over=t)
    y = (ag.tanh(W * V) @ x).named("y")
    params = [item.name for item in make_operations_scene(read_drawable([y])).items if item.role == "param"]
    assert params == ["tanh(…)"]
    assert _arrows(make_variables_scene(read_drawable([y]))) == {("x", "y", (), ("W", "V"))}
    tied = (ag.tanh(W).named("T") @ x).named("y")
    assert _arrows(make_variables_scene(read_drawable([tied]))) == {("x", "y", (), ("T",))}


def test_the_equation_of_a_state_is_the_state() -> None:
    t = ag.Axis("t")
    s, q = ag.state("s", over=t), ag.state("q", over=t)
    step = ag.tanh(s[t - 1])
    s[t] = step
    q[t] = (step * 2).named("a")
    assert _arrows(make_variables_scene(read_drawable([q]))) == {("s", "s", PAST, ()), ("s", "a", (), ()), ("a", "q", (), ())}
    assert [item.title.html for item in make_operations_scene(read_drawable([q])).items] == ["tanh", "× 2", ""]


def test_boundaries_of_a_shift_are_not_drawn_but_recurrences_without_a_name_are() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    late = ag.shift(x, t, 1, init=ag.param("p")).named("late")
    assert _arrows(make_variables_scene(read_drawable([late * 1.0]))) >= {("x", "late", PAST, ())}
    product = ag.prod(x, over=t)
    assert "state" in _roles(make_operations_scene(read_drawable([product]))).values()


def test_a_sum_that_every_step_reads_is_drawn(models: SimpleNamespace) -> None:
    scene = make_variables_scene(read_drawable(models.centred()))
    assert _arrows(scene) == {("x", "Σ", (), ()), ("Σ", "y", (), ()), ("x", "y", (), ())}


def test_losses_without_a_name_are_called_l() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    assert [item.title.html for item in make_variables_scene(read_drawable([ag.sum(x * x, over=t)])).items][-1] == TOTAL
    assert [item.name for item in make_variables_scene(read_drawable([ag.sum(x * x, over=t) + 1.0])).items] == ["x", "L"]
    plain = make_variables_scene(read_drawable([ag.tanh(x)])).items[-1]
    assert (plain.role, plain.title.html) == ("output", "tanh")


def test_a_sum_of_a_named_value_says_its_name() -> None:
    t = ag.Axis("t")
    e = ag.tanh(ag.input("x", over=t)).named("e")
    items = make_variables_scene(read_drawable([ag.sum(e, over=t).named("E")])).items
    assert items[-1].title.html == "<I>E</I> = ∑<SUB><I>t</I></SUB> <I>e</I><SUB><I>t</I></SUB>"


def test_names_lose_the_scopes_that_tell_nothing() -> None:
    assert shorten_names({1: "net/h", 2: "net/x", 3: "a/W", 4: "b/W", 5: ""}) == {
        1: "h",
        2: "x",
        3: "a/W",
        4: "b/W",
        5: "",
    }


def test_parameters_of_a_scope_are_written_alike_and_outputs_have_the_name_of_theirs() -> None:
    t = ag.Axis("t")
    h = ag.nn.rnn(ag.input("x", (3,), over=t), 4, over=t, name="cell")
    scene = make_variables_scene(read_graph([ag.nn.dense(h, 2, name="out")]))
    assert [item.name for item in scene.items] == ["x", "h", "out"]
    assert {name for arrow in scene.arrows for name in arrow.params} == {"cell/U", "cell/W", "cell/b", "out/W", "out/b"}


def test_a_chain_of_ten_thousand_operations_is_read() -> None:
    x = ag.input("x")
    for _ in range(10_000):
        x = ag.tanh(x)
    assert len(read_graph([x]).vertices) == 10_001


def test_the_scene_of_a_level_is_checked(models: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"\[P206\]: unknown level: 'all'"):
        make_scene(read_drawable(models.rnn()), "all")


def test_items_and_arrows_are_plain_data() -> None:
    scene = Scene([Item(3, "x", "input")], [Arrow(3, 3)])
    assert scene.items[0].key == scene.arrows[0].tail


def test_a_window_reads_the_steps_that_are_in_it() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    for size, every, delays in ((1, 1, [0]), (3, 2, [0, 2, 4]), (256, 1, [0, 1, 255])):
        y = ag.window(x, t, size, every=every).named("y")
        reads = read_graph([y]).reads[y]
        assert [dict(read.shifts).get("t", 0) for read in reads] == delays


def test_masks_and_steps_that_values_name_tell_which_steps_are_read() -> None:
    t = ag.Axis("t")
    u, x, s = ag.nn.get_read_axis(t), ag.input("x", (4,), over=t), ag.state("s", over=t)
    scores, mask = ag.dot(x, x.along(t, u)), ag.nn.causal_mask(t, u)
    weights = {
        "all": ag.softmax(scores, over=u), "past": ag.softmax(ag.where(mask, scores, -1e9), over=u),
        "before": ag.where(ag.index(u) < ag.index(t), scores, 0.0),
    }  # fmt: skip
    for kind, weight in weights.items():
        y = ag.sum(weight * x.along(t, u), over=u).named("y")
        kinds = {a.whole for a in make_variables_scene(read_graph([y])).arrows}
        assert kinds == ({kind} if kind != "before" else {kind, ""})  # of which the own step is none
    s[t] = ag.tanh(ag.take(s, ag.input("parent", over=t, dtype=int), over=t, earlier=True))
    assert [(a.whole, a.shifts) for a in make_variables_scene(read_graph([s])).arrows] == [("", ()), ("before", (("t", 1),))]
    picture = viz.unfolded(ag.Graph(s), 3).picture
    joints = {mark.key for mark in picture.marks if mark.role == "joint"}
    ends = [(line.tail[3], line.head[3]) for line in picture.lines if line.arrow and {line.tail, line.head} <= joints]
    assert ends == [(0, 1), (1, 2)]  # what is read comes from the left
    assert not [mark for mark in picture.marks if mark.role == "ghost"]


def test_what_a_state_starts_from_is_drawn_beside_its_first_row() -> None:
    t = ag.Axis("t")
    s = ag.state("s", (4,), over=t, init=ag.param("U", (4, 3)) @ ag.input("x", (3,)))
    s[t] = ag.tanh(ag.param("W", (4, 4)) @ s[t - 1])
    for options in ({}, {"params": "bus", "level": "variables"}):
        picture = viz.unfolded(ag.Graph(s), 2, **options).picture
        start = next(line for line in picture.lines if line.role == "start")
        marks = {mark.key: mark for mark in picture.marks}
        assert (marks[start.tail].role, marks[start.head].role) == ("input", "ghost")
        assert "U" in {start.label.text, *(mark.label.text for mark in picture.marks)}


def _is_acyclic(scene: Scene) -> bool:
    edges = [(a.tail, a.head) for a in scene.arrows if not a.shifts and not a.start]
    try:
        assign_rows([item.key for item in scene.items], edges)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("seed", [5, 9, 10, 121, 387])
def test_nothing_reads_itself_within_one_step(seed: int) -> None:
    """Reads of earlier steps that values name, what later steps sent, and windows of steps are delays."""
    case = Program(seed)
    for outputs in (case.outputs, [case.loss]):
        reading = read_graph(outputs)
        assert _is_acyclic(make_variables_scene(reading))
        assert _is_acyclic(make_operations_scene(reading))
