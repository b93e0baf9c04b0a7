"""Unfolded pictures of two sequences, of attention between them, of lattices; and scopes as boxes."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

import autograd_seq as ag
import viz
from viz.errors import DrawError
from viz.scene.picture import Picture


def _count(picture: Picture, pattern: str) -> int:
    return sum(bool(re.fullmatch(pattern, mark.label.text)) for mark in picture.marks)


def test_a_recurrence_over_two_axes_is_a_lattice_with_its_wavefronts(models: SimpleNamespace) -> None:
    picture = viz.unfolded(models.grid(), i=3, j=2).picture
    assert _count(picture, r"g_\d,\d") == 6
    assert _count(picture, r"g_−1,\d") == 2
    assert _count(picture, r"g_\d,−1") == 3
    assert sum(line.label.text == "P" for line in picture.lines) == 6
    fronts = [line for line in picture.lines if line.role == "start"]
    assert len(fronts) == 2  # i + j = 1 and i + j = 2, between two steps each
    at = {mark.label.text: mark.at for mark in picture.marks}
    assert at["g_0,0"][0] == at["g_1,0"][0] < at["g_0,1"][0]
    assert at["g_0,0"][1] == at["g_0,1"][1] < at["g_1,0"][1]


def test_attention_is_a_grid_between_two_sequences(models: SimpleNamespace) -> None:
    picture = viz.unfolded(models.attention(), t=4, u=3).picture
    assert (_count(picture, r"h_\d"), _count(picture, r"s_\d"), _count(picture, r"α_\d,\d")) == (4, 3, 12)
    at = {mark.label.text: mark.at for mark in picture.marks}
    assert at["α_1,2"][0] == at["h_1"][0]
    assert abs(at["α_1,2"][1] - at["s_2"][1]) < 1
    assert at["s_0"][1] < at["s_1"][1] < at["s_2"][1]
    labels = [line.label.text for line in picture.lines]
    assert (labels.count("U_a, v"), labels.count("W_a, v")) == (4, 3)  # once at each line into the weights


def test_a_decoder_stands_beside_the_encoder_that_it_starts_from() -> None:
    u, t = ag.Axis("u"), ag.Axis("t")
    h = ag.state("h", over=u)
    h[u] = ag.tanh(ag.param("W") * h[u - 1] + ag.input("x", over=u))
    s = ag.state("s", over=t, init=ag.last(h, over=u))
    s[t] = ag.tanh(ag.param("R") * s[t - 1])
    diagram = viz.unfolded(ag.Graph(s), u=3, t=2)
    at = {mark.label.text: mark.at for mark in diagram.picture.marks}
    assert at["h_2"][0] < at["s_−1"][0] < at["s_0"][0] < at["s_1"][0]
    assert at["h_2"][1] == at["s_−1"][1]
    keys = {mark.key: mark.label.text for mark in diagram.picture.marks}
    assert ("h_2", "s_−1", "start") in [(keys[line.tail], keys[line.head], line.role) for line in diagram.picture.lines]


def test_operations_of_a_lattice_stand_in_one_grid_of_labelled_steps(models: SimpleNamespace) -> None:
    picture = viz.unfolded(models.grid(), i=3, j=2, level="ops").picture
    steps = {mark.label.text: mark.at for mark in picture.marks if mark.role == "slice"}
    assert set(steps) == {f"i = {i}, j = {j}" for i in range(3) for j in range(2)}
    assert steps["i = 0, j = 0"][1] == steps["i = 0, j = 1"][1] < steps["i = 1, j = 0"][1]
    assert steps["i = 0, j = 0"][0] == steps["i = 1, j = 0"][0] < steps["i = 0, j = 1"][0]
    assert _count(picture, "P") == _count(picture, "Q") == 1
    keys = {mark.key: mark.label.text for mark in picture.marks}
    uses = [keys[line.head] for line in picture.lines if keys[line.tail] == "P"]
    assert uses == ["×"] * 6
    ends = {(keys[line.tail], line.head[1:]) for line in picture.lines if line.role == "recur"}
    assert {("tanh g_0,0", (1, 0)), ("tanh g_0,0", (0, 1)), ("g_−1,0", (0, 0)), ("g_2,−1", (0, 2))} <= ends


def test_operations_of_attention_stand_in_a_grid_for_each_sequence_and_one_for_their_pairs(models: SimpleNamespace) -> None:
    picture = viz.unfolded(models.attention(), t=4, u=3, level="ops").picture
    steps = {mark.label.text for mark in picture.marks if mark.role == "slice"}
    pairs = {f"t = {t}, u = {u}" for t in range(4) for u in range(3)}
    assert steps == pairs | {f"t = {t}" for t in range(4)} | {f"u = {u}" for u in range(3)}
    keys = {mark.key: mark.label.text for mark in picture.marks}
    reads = [line for line in picture.lines if keys[line.head].startswith("Σ c_1")]
    assert len(reads) == 4  # one of each encoder step
    assert _count(picture, r"s_−1") == 1
    assert any(line.role == "start" for line in picture.lines if keys[line.head] == "s_−1")


def test_operations_by_which_a_sequence_reads_all_of_its_steps() -> None:
    picture = viz.unfolded(_transformer(), 3, level="ops").picture
    keys = {mark.key: mark.label.text for mark in picture.marks}
    assert not any(text.startswith("along") for text in keys.values())
    heads: dict[object, set[object]] = {}
    for line in picture.lines:
        if line.tail[1] != line.head[1] and line.tail[1] is not None and line.head[1] is not None:  # type: ignore[index]
            heads.setdefault(line.head, set()).add(line.tail)
    assert len(heads) == 2 * 2 * 3  # keys and values, in each layer, at each step
    assert all(len(tails) == 2 for tails in heads.values())  # the other two steps


def test_both_sides_of_a_lattice_and_of_attention(models: SimpleNamespace) -> None:
    for g, states in ((models.grid(), r"g_\d,\d"), (models.attention(), r"s_\d")):
        picture = viz.fold_unfold(g, 2).picture
        assert _count(picture, "unroll ⇒") == 1
        assert _count(picture, states) in (4, 2)
        assert _count(picture, r"g_i,j|s_u") == 1


def test_three_axes_of_time_are_refused() -> None:
    axes = a, b, c = [ag.Axis(name) for name in "abc"]
    s = ag.state("s", over=axes)
    s[a, b, c] = ag.tanh(s[a - 1, b, c] + s[a, b - 1, c] + s[a, b, c - 1])
    for draw in (viz.fold_unfold, viz.unfolded):
        with pytest.raises(DrawError) as caught:
            draw(ag.Graph(s), 2)
        assert str(caught.value) == (
            "DrawError [P209]: this graph varies over a and b and c, but this picture shows at most two axes\n"
            "  expected at most two axes, got 3\n  viz.folded(g) draws it"
        )


def _transformer() -> ag.Graph:
    t = ag.Axis("t")
    return ag.Graph(ag.nn.transformer_encoder(ag.input("x", (8,), over=t), 2, 16, 2, over=t))


def test_every_step_of_a_transformer_reads_all_steps_by_one_line() -> None:
    picture = viz.unfolded(_transformer(), 4, depth=3).picture
    boxes = [mark for mark in picture.marks if "288 parameters" in mark.label.text]
    assert len(boxes) == 2 * 4
    assert sum(mark.role == "joint" for mark in picture.marks) == 2 * 4
    assert viz.folded(_transformer(), depth=3).dot.count("all <I>t</I>") == 2


def test_scopes_collapse_by_depth_by_name_and_by_a_function() -> None:
    g = _transformer()
    total = sum(array.size for array in ag.nn.init.params(g, seed=0).values())
    whole = viz.folded(g, depth=1).picture
    assert any(mark.label.text.endswith(f" [8], {total:,} parameters") for mark in whole.marks)
    by_name = viz.folded(g, collapse=["encoder/0", "encoder/1"]).dot
    assert by_name == viz.folded(g, depth=2).dot == viz.folded(g, collapse=lambda scope: scope.count("/") == 1).dot
    with pytest.raises(DrawError, match=r"P214\]: there is no scope 'encoder/7'"):
        viz.folded(g, collapse=["encoder/7"])
    with pytest.raises(DrawError, match=r"P213\]: depth=0 is no depth of scopes"):
        viz.folded(g, depth=0)


def test_a_collapsed_layer_keeps_its_delay() -> None:
    t = ag.Axis("t")
    g = ag.Graph(ag.nn.lstm(ag.input("x", (3,), over=t), 4, over=t, name="cell"))
    picture = viz.unfolded(g, 3, collapse=["cell"]).picture
    assert sum(line.role == "recur" for line in picture.lines) == 3
    assert any("128 parameters" in mark.label.text for mark in picture.marks)


def test_a_scope_that_is_left_and_entered_again_is_no_box() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    with ag.scope("a"):
        first = ag.tanh(x).named("y")
    between = ag.exp(first).named("z")
    with ag.scope("a"):
        last = ag.tanh(between + first).named("w")
    with pytest.raises(DrawError, match=r"P215\]: scope 'a' is no box"):
        viz.folded(ag.Graph(last), collapse=["a"])
