"""Magnitudes, adjoints and schedules as pictures."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import autograd_seq as ag
import viz
from viz.animation import make_frames
from viz.errors import DrawError
from viz.page_values import list_values
from viz.render.style import find_theme
from viz.scene.order import rank_marks


def _line() -> tuple[ag.Node, list[ag.Node]]:
    t = ag.Axis("t")
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    w, v = ag.param("w"), ag.param("v")
    s[t] = w * s[t - 1] + v * x[t]
    return ag.last(s, over=t).named("L"), [w, v]


def test_gradients_are_the_sizes_of_derivatives_at_every_step() -> None:
    loss, _ = _line()
    found = viz.gradients(loss, w=0.5, v=2.0, x=[1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(found["s"], [0.125, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(found["x"], [0.25, 0.5, 1.0, 2.0])


def test_gradients_of_a_batch_are_norms_over_the_sequences() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, s = ag.input("x", (2,), over=(t, b)), ag.state("s", (2,), over=(t, b))
    s[t] = 0.5 * s[t - 1] + x[t]
    loss = ag.sum(ag.sum(ag.last(s, over=t)), over=b)
    found = viz.gradients(ag.value_and_grad(loss, [x]), x=np.zeros((3, 5, 2)))
    np.testing.assert_allclose(found["s"], np.array([0.25, 0.5, 1.0]) * np.sqrt(10))


def test_heat_writes_the_number_and_colours_by_its_power_of_ten() -> None:
    loss, _ = _line()
    marks = [m for m in viz.heat(loss, {"s": [1e-4, 1e-2, 0.0, 1.0]}).picture.marks if m.name == "s" and m.role == "state"]
    assert ["".join(run.text for run in m.label.rows[-1]) for m in marks] == ["1·10−4", "0.01", "0", "1"]
    blues = [int(m.fill[5:], 16) for m in marks]
    assert blues[3] < blues[1] < blues[0] < blues[2] == 255
    powers = [m.label.text for m in viz.heat(loss, {"s": [1e-4, 1e-2, 0.0, 1.0]}).picture.marks if m.key[0] == "power"]
    assert powers == ["10^−4", "10^−3", "10^−2", "10^−1", "1"]


def test_heat_shows_where_truncation_cuts_and_what_is_padding() -> None:
    loss, _ = _line()
    picture = viz.heat(loss, {"s": np.ones(6)}, segment=4, length=5).picture
    cut = [line for line in picture.lines if line.dashed]
    assert [(line.tail[1], line.head[1]) for line in cut] == [(1, 2)]  # blocks end at the last step: 0 1 | 2 3 4 5
    assert sum(mark.label.text == "✂" for mark in picture.marks) == 1
    assert {mark.step for mark in picture.marks if "padding" in mark.tip} == {5}


def test_wrong_uses_tell_what_to_write() -> None:
    loss, _ = _line()
    many = (ag.param("a"), None)
    for use, words in [
        (lambda: viz.heat(loss, {"z": [1.0]}), "P217.*no variable 'z'"),
        (lambda: viz.heat(loss, [1.0]), "P230.*names no variables"),
        (lambda: viz.heat(loss, {"s": [[1.0]]}), r"P218.*s are \(1, 1\)"),
        (lambda: viz.heat(loss, {"s": 1.0}), r"P218.*s are \(\)"),
        (lambda: viz.heat(loss, {"s": "a"}), "P231.*no numbers"),
        (lambda: viz.heat(loss, {"s": [1.0]}, segment=0), "P201.*segment=0"),
        (lambda: viz.folded(many), "P229.*None among 2"), (lambda: viz.folded(ag.compile(loss)), "(?s)P205.*program.graph"),
        (lambda: viz.adjoint(loss, 3), "P220"), (lambda: viz.animate(loss, 2, seconds=0), "P228.*seconds=0"),
        (lambda: viz.unfolded(loss, legnd=True), "(?s)P212.*legend"),
    ]:  # fmt: skip
        with pytest.raises(DrawError, match=words):
            use()


def test_gradients_need_a_loss(models: SimpleNamespace) -> None:
    with pytest.raises(DrawError, match=r"P219\]: .* has no scalar loss"):
        viz.gradients(models.bidirectional())


def test_the_adjoint_has_the_same_places_and_every_arrow_turned(models: SimpleNamespace) -> None:
    picture = viz.adjoint(models.rnn()).picture
    half = len(picture.marks) // 2
    primal, turned = picture.marks[:half], picture.marks[half + 1 :]
    shift = {round(b.at[0] - a.at[0], 6) for a, b in zip(primal, turned, strict=True)}
    assert len(shift) == 1
    assert [a.at[1] for a in primal] == [b.at[1] for b in turned]
    assert {m.label.text for m in turned if m.role == "param"} == {"∂L∕∂U", "∂L∕∂W", "∂L∕∂V"}
    assert {m.label.text for m in turned if m.role == "state"} == {"s̄_t"}
    first, second = picture.lines[: len(picture.lines) // 2], picture.lines[len(picture.lines) // 2 :]
    assert all(b.curve[0][1] == a.curve[-1][1] for a, b in zip(first, second, strict=True))
    assert [line.label.text for line in second if line.role == "recur"] == ["z^+1"]


def test_what_no_gradient_needs_is_faint_in_the_adjoint() -> None:
    loss, (w, _) = _line()
    picture = viz.adjoint(loss, w).picture
    assert {m.label.text for m in picture.marks if m.role == "ghost"} == {"x_t", "v"}
    with pytest.raises(DrawError, match="P220"):
        viz.adjoint(loss, ag.param("other"))


def test_adjoint_graphs_name_gradients_and_adjoint_states() -> None:
    loss, params = _line()
    text = viz.folded(ag.Graph(ag.grad(loss, params))).dot
    assert "∂L∕∂w" in text
    assert "s̄" in text


def test_a_schedule_shows_bars_for_what_is_lifted_and_cells_for_loops() -> None:
    loss, params = _line()
    picture = viz.schedule(ag.value_and_grad(loss, params)).picture
    loops = [m.label.text for m in picture.marks if m.key[0] == "row" and m.label.text.startswith("for t")]
    assert [text.split(",")[0].rstrip(":") for text in loops] == ["for t = 0 … T−1", "for t = T−1 … 0"]
    assert any(m.key[0] == "bar" and m.role == "input" for m in picture.marks)
    lines = {line.tail[1]: line.curve[-1][0] - line.curve[0][0] > 0 for line in picture.lines}
    assert set(lines.values()) == {True, False}
    with pytest.raises(DrawError, match="P216"):
        viz.schedule(loss)


def test_a_legend_names_the_roles_that_are_there(models: SimpleNamespace) -> None:
    def words(**options: bool) -> set[str]:
        return {m.label.text for m in viz.unfolded(models.rnn(), 2, **options).picture.marks if m.key[0] == "word"}

    assert words() == set()
    assert words(legend=True) == {
        "input",
        "state",
        "output",
        "loss",
        "target",
        "outside of the sequence",
        "read of another step",
    }
    assert "parameter" in viz.folded(models.rnn(), level="ops", legend=True).svg
    assert "legend" not in viz.fold_unfold(models.rnn(), legend=True).dot


def test_an_equilibrium_is_a_state_that_reads_itself_without_end() -> None:
    t = ag.Axis("t")
    z = ag.equilibrium("z", (4,), over=t)
    z[t] = ag.tanh(ag.param("W", (4, 4)) @ z[t] + ag.input("x", (4,), over=t))
    for diagram in (viz.folded(ag.Graph(z)), viz.unfolded(ag.Graph(z), 3)):
        loops = [line for line in diagram.picture.lines if line.tail == line.head]
        assert {line.label.text for line in loops} == {"W, ∞"}
    operations = viz.folded(ag.Graph(z), level="ops").picture
    assert [mark.label.text for mark in operations.marks if mark.role == "delay"] == ["∞"]
    assert {mark.role for mark in operations.marks if mark.name == "z"} == {"state"}


def test_a_card_has_equations_shapes_and_the_number_of_parameters() -> None:
    t = ag.Axis("t")
    drawn = viz.card(ag.compile(ag.nn.lstm(ag.input("x", (3,), over=t), 4, over=t, name="cell").h), "LSTM")
    texts = {mark.key: mark.label.text for mark in drawn.picture.marks}
    assert texts["title"] == "LSTM"
    assert texts["total"] == "128 numbers"
    assert "c_t = f_t ⊙ c_t−1 + i_t ⊙ g_t" in texts.values()
    assert "U_o, U_f, U_i, U_g:  4×3" in texts.values()
    slide = next(mark for mark in drawn.picture.marks if mark.key == "slide")
    assert slide.width / slide.height == pytest.approx(16 / 9)
    with pytest.raises(DrawError, match="P223"):
        viz.card(3)


def test_an_animation_goes_forward_and_then_backward_through_time(tmp_path: Path) -> None:
    loss, _ = _line()
    film = viz.animate(loss, 3)
    words = [next(m.label.text for m in frame.marks if m.key == "caption") for frame in film.frames]
    half = len(words) // 2
    assert words[: half + 1] == ["forward"] * (half + 1)
    assert words[-1].split("    ")[1:] == ["∂L∕∂v: t=2 + t=1 + t=0", "∂L∕∂w: t=2 + t=1 + t=0"]
    shown = [sum(m.role == "state" for m in frame.marks) for frame in film.frames]
    assert shown[0] == 0
    assert shown[half:] == [3] * (half + 1)
    assert film.save(tmp_path / "a.svg").read_text(encoding="utf-8").count("<animate ") == len(words)
    with pytest.raises(DrawError, match="P224"):
        film.save(tmp_path / "a.png")
    with pytest.raises(DrawError, match="P226"):
        viz.animate(loss, 40)


def _make_lattice() -> tuple[ag.Node, dict[str, np.ndarray]]:
    i, j = ag.Axis("i"), ag.Axis("j")
    h = ag.state("h", over=(i, j))
    h[i, j] = ag.param("a") * h[i - 1, j] + ag.param("b") * h[i, j - 1] + ag.input("x", over=(j, i))
    loss = ag.last(ag.last(h, over=i), over=j) ** 2
    return loss.named("L"), {"a": np.array(0.5), "b": np.array(0.25), "x": np.ones((3, 2))}


def test_magnitudes_over_two_axes_stand_at_their_steps() -> None:
    loss, feeds = _make_lattice()
    sizes = viz.gradients(loss, **feeds)
    picture = viz.heat(loss, sizes).picture
    over = [
        mark.label.text.partition("_")[2].split(" ")[0] for mark in picture.marks if mark.name == "h" and mark.step == (2, 0)
    ]
    assert over == ["2,0"]  # j, i: the order of the input that comes first
    assert sizes["h"].shape == (3, 2)
    assert sizes["h"][1, 1] == pytest.approx(0.25 * sizes["h"][2, 1])  # one step along j: b
    assert sizes["h"][2, 0] == pytest.approx(0.5 * sizes["h"][2, 1])
    numbers = {
        m.step: "".join(run.text for run in m.label.rows[-1]) for m in picture.marks if m.name == "h" and m.role == "state"
    }
    assert numbers[2, 1] == f"{sizes['h'][2, 1]:.2g}" and len(numbers) == 6
    assert not any(line.color for line in picture.lines if line.role == "start")  # wavefronts carry nothing
    with pytest.raises(DrawError, match=r"P218.*h are \(2,\)"):
        viz.heat(loss, {"h": [1.0, 2.0]})
    with pytest.raises(DrawError, match="P227"):
        viz.heat(loss, sizes, segment=2)
    values = list_values(loss, feeds, ["j", "i"])
    assert values["h"]["2,1"][1] == f"{sizes['h'][2, 1]:.3g}"


def test_an_animation_over_two_axes_goes_in_the_order_of_computing(models: SimpleNamespace) -> None:
    film = viz.animate(_make_lattice()[0], i=2, j=2)
    assert film.frames[-1].marks[-1].label.text.split("    ")[1] == "∂L∕∂a: h_1,1 + h_0,1 + h_1,0 + h_0,0"
    picture = viz.unfolded(models.attention(), t=2, u=2).picture
    order = rank_marks(picture)
    by_name = {mark.label.text: order.get(mark.key, -1) for mark in picture.marks}
    assert by_name["h_1"] < by_name["s_0"] < by_name["α_0,1"] < by_name["c_1"] < by_name["s_1"]
    joints = [
        sum(mark.role == "joint" for mark in drawn.marks) for drawn in (make_frames(picture, find_theme("white"))[0], picture)
    ]
    assert joints == [3, 18]  # only those of the line out of the row that is there from the start


def test_an_animation_is_saved_as_a_gif(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    path = viz.animate(_line()[0], 1).save(tmp_path / "a.gif")
    assert path.read_bytes()[:6] == b"GIF89a"


def test_a_learned_initial_row_is_named_in_the_folded_picture(models: SimpleNamespace) -> None:
    (loop,) = [line for line in viz.folded(models.started()).picture.lines if line.role == "recur"]
    assert loop.label.text == "W_hh, z^−1 from h_0"


def _make_last_loss() -> ag.Node:
    t = ag.Axis("t")
    x, target = ag.input("x", (3,), over=t), ag.input("target", (2,), over=t)
    y = ag.nn.dense(ag.nn.rnn(x, 4, over=t), 2, name="out").named("y")
    return ag.last(ag.mse(y, target), over=t).named("L")


def test_lines_from_step_to_step_are_alike_at_all_steps() -> None:
    for t in (2, 5, 13):
        lines = viz.unfolded(_make_last_loss(), t=t, steps=(t, 0)).picture.lines
        paths = [line.curve for line in lines if line.role == "recur"]
        assert len(paths) >= t - 1
        assert len({round(y, 6) for path in paths for _, y in path}) == 1


def test_no_gradient_comes_back_from_where_it_is_0() -> None:
    sizes = {"h": [0.1, 0.2, 0.4], "y": [0.0, 0.0, 0.3]}
    lines = viz.heat(_make_last_loss(), sizes, 3).picture.lines
    plain = viz.unfolded(_make_last_loss(), t=3, params="hide").picture
    names = {mark.key: (mark.name, mark.step) for mark in plain.marks}
    painted = {(names.get(line.tail), names.get(line.head)): line.pen for line in lines}
    assert painted[("h", 2), ("y", 2)] and painted[("h", 0), ("h", 1)]
    assert painted[("h", 0), ("y", 0)] is None


def test_an_animation_colours_nothing_that_the_loss_does_not_read() -> None:
    film = viz.animate(_make_last_loss(), 3)
    heat = find_theme("white").heat
    lit = {(mark.name, mark.step) for mark in film.frames[-1].marks if mark.fill == heat}
    assert {("y", 2), ("h", 0), ("x", 0), ("target", 2)} <= lit
    assert not {("y", 0), ("y", 1), ("target", 0), ("target", 1)} & lit


def test_a_block_keeps_its_parameters_when_its_result_is_named() -> None:
    t = ag.Axis("t")
    y = ag.nn.transformer_layer(ag.input("x", (8,), over=t), 2, 16, over=t, name="block").named("y")
    for depth, words in ((1, "block: "), (2, "block/norm2: 1 operation, 16 parameters")):
        picture = viz.folded(y, depth=depth).picture
        assert any(mark.tip.startswith(words) for mark in picture.marks)
        assert all(not line.label.rows or "all" in line.label.text for line in picture.lines)
    assert "600 parameters" in next(mark.tip for mark in viz.folded(y, depth=1).picture.marks if mark.name == "block")
