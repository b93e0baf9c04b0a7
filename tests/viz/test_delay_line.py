"""Delay lines: boxes, taps and the rows that they start from."""

from __future__ import annotations

import pytest
from night import NIGHT
from picture_checks import list_faults

import autograd_seq as ag
import viz
from viz.errors import DrawError
from viz.scene.picture import Picture


def _words(picture: Picture, role: str) -> list[str]:
    return [mark.label.text for mark in picture.marks if mark.role == role]


def _recurrent() -> ag.Graph:
    t = ag.Axis("t")
    s = ag.state("s", (4,), over=t, init=[ag.param("p", (4,)), 0.5, 0.0])
    s[t] = ag.tanh(ag.param("U", (4, 3)) @ ag.input("x", (3,), over=t) + ag.param("A", (4, 4)) @ s[t - 1] + s[t - 3])
    return ag.Graph((ag.param("V", (2, 4)) @ s[t] + ag.param("Q", (2, 4)) @ s[t - 2]).named("y"))


def test_a_state_is_a_chain_with_a_tap_for_each_delay_and_the_rows_that_it_starts_from() -> None:
    picture = viz.delay_line(_recurrent()).picture
    assert _words(picture, "delay") == ["z^−1"] * 3
    texts = _words(picture, "text")
    assert [text for text in texts if "=" in text] == ["s_−1 = 0", "s_−2 = 0.5", "s_−3 = p"]
    assert [text for text in texts if "=" not in text] == ["s_t−1", "s_t−2", "s_t−3"]
    keys = {mark.key: mark for mark in picture.marks}
    taps = {
        (line.tail[1][1], line.head[1][1:], line.label.text)
        for line in picture.lines  # type: ignore[index]
        if keys[line.head].role == "joint" and line.head[1][0] == "gather" and line.tail[1][0] == "stop"
    }  # type: ignore[index]
    names = {mark.key[1]: mark.name for mark in picture.marks if mark.name}  # type: ignore[index]
    assert {(delay, names[key], text) for delay, (key, _), text in taps} == {
        (1, "s", "A"), (3, "s", ""), (0, "y", "V"), (2, "y", "Q")
    }  # fmt: skip
    assert list(list_faults(picture)) == []


def test_an_input_read_at_several_steps_is_a_filter() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    y = (ag.param("b_0") * x[t] + ag.param("b_1") * x[t - 1] + ag.param("b_2") * x[t - 2]).named("y")
    picture = viz.delay_line(y).picture
    assert _words(picture, "delay") == ["z^−1"] * 2
    assert [line.label.text for line in picture.lines if line.label.text] == ["b_2", "b_1", "b_0"]


@pytest.mark.parametrize("steps", [1, 2, 4, 20])
def test_a_long_way_without_a_tap_is_one_box(steps: int) -> None:
    t = ag.Axis("t")
    s = ag.state("s", over=t)
    s[t] = s[t - 1] + ag.param("a") * s[t - 1 - steps]
    picture = viz.delay_line(ag.Graph(s)).picture
    assert _words(picture, "delay") == ["z^−1", *(["z^−1"] * steps if steps < 4 else [f"z^−{steps}"])]
    assert steps < 4 or f"s_−2 … s_−{steps + 1} = 0" in _words(picture, "text")
    assert list(list_faults(picture)) == []


def test_later_steps_are_a_line_of_their_own_and_axes_have_one_each() -> None:
    t, i, j = ag.Axis("t"), ag.Axis("i"), ag.Axis("j")
    b = ag.state("b", over=t, final=1.0)
    b[t] = ag.tanh(ag.input("x", over=t) + ag.param("B") * b[t + 1])
    picture = viz.delay_line(ag.Graph(b)).picture
    assert _words(picture, "delay") == ["z^+1"]
    assert "b_T = 1" in _words(picture, "text")
    h = ag.state("h", over=(i, j))
    h[i, j] = ag.tanh(ag.input("z", over=(i, j)) + ag.param("A") * h[i - 1, j] + ag.param("C") * h[i, j - 1])
    picture = viz.delay_line(ag.Graph(h)).picture
    assert _words(picture, "delay") == ["z_i^−1", "z_j^−1"]
    assert sorted(_words(picture, "ghost")) == ["h_i,j−1", "h_i−1,j"]  # what the state reads beside the line


def test_names_choose_lines_and_wrong_ones_are_answered() -> None:
    t = ag.Axis("t")
    g = ag.Graph(ag.nn.lstm(ag.input("x", (3,), over=t), 4, over=t, name="cell").h)
    assert len(_words(viz.delay_line(g).picture, "delay")) == 2
    assert len(_words(viz.delay_line(g, "c").picture, "delay")) == 1
    with pytest.raises(DrawError, match=r"P240\]: 'q' is read at no other step"):
        viz.delay_line(g, ["q"])
    with pytest.raises(DrawError, match=r"P241\]: nothing in this graph is read at another step"):
        viz.delay_line(ag.input("x", over=t) * 2.0)


@pytest.mark.skipif(not NIGHT, reason="all models of the zoo at night")
def test_few_delay_lines_of_the_zoo_have_a_fault() -> None:
    from zoo import MODELS as ZOO

    faulty = set()
    for name, entry in ZOO.items():
        try:
            picture = viz.delay_line(entry.made(T=4, B=2, D=3, H=4).graph).picture
        except DrawError as error:
            assert error.code == "P241", error
            continue
        faulty |= {name} if list(list_faults(picture)) else set()
    assert faulty <= {"transformer"}


def test_the_bytes_are_the_same_each_time() -> None:
    drawn = [viz.delay_line(_recurrent(), legend=True) for _ in range(2)]
    assert drawn[0].svg == drawn[1].svg
    assert drawn[0].dot == drawn[1].dot
