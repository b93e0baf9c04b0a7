"""Equations, picture and program side by side, with one line highlighted in all three."""

from __future__ import annotations

from itertools import pairwise

import pytest

import autograd_seq as ag
import viz
from viz.errors import DrawError
from viz.scene.picture import Mark, Picture


def _compile(cell: str = "rnn") -> ag.run.program.Program:  # type: ignore[name-defined]
    t = ag.Axis("t")
    x = ag.input("x", (3,), over=t)
    if cell == "lstm":
        return ag.compile(ag.nn.lstm(x, 4, over=t, name="cell").h)
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(ag.param("U", (4, 3)) @ x[t] + ag.param("W", (4, 4)) @ s[t - 1])
    return ag.compile((ag.param("V", (2, 4)) @ s[t]).named("y"))


def _find_bands(picture: Picture) -> dict[str, str]:
    """Return the text that each highlighted line has, by its pane."""
    bands = {mark.key[0]: mark for mark in picture.marks if isinstance(mark.key, tuple) and "band" in mark.key}
    texts: dict[str, Mark] = {
        pane: next(m for m in picture.marks if m.key == (pane, band.key[2])) for pane, band in bands.items()
    }
    assert all(texts[pane].at == band.at for pane, band in bands.items())
    return {pane: mark.label.text.replace("\u00a0", " ").strip() for pane, mark in texts.items()}


@pytest.mark.parametrize(("cell", "name", "equation", "code"), [
    ("rnn", "s", "s_t = tanh(U x_t + W s_t−1)", "s[t] = np.tanh(U @ x[t] + W @ s[t - 1])"),
    ("rnn", "y", "y_t = V s_t", "y[t] = V @ s[t]"),
    ("lstm", "c", "c_t = f_t ⊙ c_t−1 + i_t ⊙ g_t", "c[t] = f * c[t - 1] + i * g"),
    ("lstm", "cell/f", "f_t = σ(U_f x_t + W_f h_t−1 + b_f)", "f = sigmoid(Uf @ x[t] + Wf @ h[t - 1] + bf)"),
])  # fmt: skip
def test_one_line_is_highlighted_in_all_three(cell: str, name: str, equation: str, code: str) -> None:
    picture = viz.panes(_compile(cell), name).picture
    assert _find_bands(picture) == {"equation": equation, "code": code}
    halos = [mark for mark in picture.marks if isinstance(mark.key, tuple) and mark.key[-1] and "halo" in str(mark.key)]
    assert len(halos) == 1
    shown = [mark for mark in picture.marks if mark.at == halos[0].at and mark.name.endswith(name)]
    assert len(shown) == 1


@pytest.mark.parametrize("t", [1, 2, 4, 20])
def test_the_picture_may_be_unfolded(t: int) -> None:
    picture = viz.panes(_compile(), "s", t=t, theme="dark", title="An RNN").picture
    halos = [mark for mark in picture.marks if "halo" in str(mark.key)]
    assert len(halos) == min(t, 5 if t > 6 else t)
    assert [mark.label.text for mark in picture.marks if mark.key == "title"] == ["An RNN"]


def test_lines_of_a_program_stand_in_its_pane_in_their_order() -> None:
    picture = viz.panes(_compile()).picture
    pane = next(mark for mark in picture.marks if mark.key == ("pane", 2))
    lines = [mark for mark in picture.marks if mark.code]
    assert lines[0].label.text.startswith("def\u00a0step(")
    assert all(a.at[1] > b.at[1] for a, b in pairwise(lines))
    for mark in lines:
        assert pane.at[0] - pane.width / 2 < mark.at[0] - mark.width / 2
        assert mark.at[0] + mark.width / 2 < pane.at[0] + pane.width / 2
        assert abs(mark.at[1] - pane.at[1]) + mark.height / 2 < pane.height / 2
    assert not _find_bands(picture)


def test_of_a_long_program_the_lines_around_the_highlighted_one_are_shown() -> None:
    t = ag.Axis("t")
    h = ag.input("x", (4,), over=t)
    for i in range(4):
        h = ag.nn.lstm(h, 4, over=t, name=f"l{i}").h
    picture = viz.panes(ag.compile(h), "l3/c").picture
    assert _find_bands(picture)["code"].startswith("l3_c[t] = ")
    assert sum(mark.code for mark in picture.marks) <= 32  # and dots


@pytest.mark.parametrize("name", [r"\hat{y}", "W_{hh}", "lambda", 'a"b', "<b>", "s, t", "=", "n" * 300, "}; x"])
def test_names_of_any_letters_can_be_highlighted(name: str) -> None:
    t = ag.Axis("t")
    s = ag.state(name, over=t)
    s[t] = ag.tanh(s[t - 1] + ag.input("x", over=t))
    assert _find_bands(viz.panes(ag.compile(s), name).picture)["code"].endswith(("[t - 1] + x[t])", "n…"))


def test_errors_name_what_there_is() -> None:
    with pytest.raises(DrawError, match=r"P243\]: no equation of this program computes 'q'"):
        viz.panes(_compile(), "q")
    with pytest.raises(DrawError, match=r"P223\]: 3 is no compiled program"):
        viz.panes(3)


def test_a_line_of_a_program_is_set_in_letters_of_one_width_in_every_format() -> None:
    drawn = viz.panes(_compile(), "s")
    assert drawn.svg.count('font-family="DejaVu Sans Mono') == drawn.dot.count('fontname="DejaVu Sans Mono') > 5
    assert r"\texttt{def~step\symbol{40}x\symbol{44}~U" in drawn.tex
    assert drawn.svg == viz.panes(_compile(), "s").svg
