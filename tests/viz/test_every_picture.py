"""Every kind of picture of ordinary models, at several lengths, has no fault; and each fault is seen when it is made."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from picture_checks import list_faults, list_missing, list_outlines

import autograd_seq as ag
import viz
from viz.scene.label import EMPTY, make_text_label
from viz.scene.picture import Picture, measure_picture

NIGHT = bool(os.environ.get("AUTOGRAD_SEQ_NIGHT"))


def _input(t: ag.Axis) -> ag.Node:
    return ag.input("x", (3,), over=t)


def _rnn(t: ag.Axis) -> ag.Graph:
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(ag.param("U", (4, 3)) @ _input(t) + ag.param("W", (4, 4)) @ s[t - 1])
    y = (ag.param("V", (2, 4)) @ s[t]).named("y")
    return ag.Graph(ag.mean(ag.mse(y, ag.input("d", (2,), over=t)), over=t).named("L"))


def _both_ways(t: ag.Axis) -> ag.Graph:
    x, f, b = _input(t), ag.state("f", (4,), over=t), ag.state("b", (4,), over=t)
    f[t] = ag.tanh(ag.param("U", (4, 3)) @ x + ag.param("W", (4, 4)) @ f[t - 1])
    b[t] = ag.tanh(ag.param("A", (4, 3)) @ x + ag.param("B", (4, 4)) @ b[t + 1])
    return ag.Graph((ag.param("V", (2, 4)) @ (f[t] + b[t])).named("y"))


def _two_layers(t: ag.Axis) -> ag.Graph:
    below = ag.nn.lstm(_input(t), 4, over=t, name="lower").h
    return ag.Graph(ag.nn.lstm(below, 4, over=t, name="upper").h)


def _attention(t: ag.Axis) -> ag.Graph:
    u = ag.Axis("u")
    h, s = ag.state("h", (4,), over=u), ag.state("s", (4,), over=t)
    h[u] = ag.tanh(ag.param("U", (4, 3)) @ _input(u) + ag.param("R", (4, 4)) @ h[u - 1])
    weight = ag.softmax(ag.sum(s[t - 1] * h[u]), over=u).named(r"\alpha")
    s[t] = ag.tanh(ag.param("W", (4, 4)) @ s[t - 1] + ag.sum(weight * h[u], over=u).named("c"))
    return ag.Graph(s)


def _lattice(t: ag.Axis) -> ag.Graph:
    i, j = ag.Axis("i"), ag.Axis("j")
    h = ag.state("h", over=(i, j))
    h[i, j] = ag.tanh(ag.input("x", over=(i, j)) + ag.param("a") * h[i - 1, j] + ag.param("b") * h[i, j - 1])
    return ag.Graph(h)


def _logistic(t: ag.Axis) -> ag.Graph:
    s = ag.state("s", over=t, init=ag.param("s_0"))
    s[t] = ag.param("r") * s[t - 1] * (1 - s[t - 1])
    return ag.Graph(s)


def _delays(t: ag.Axis) -> ag.Graph:
    s = ag.state("s", over=t)
    s[t] = ag.tanh(ag.input("x", over=t) + ag.param("a") * s[t - 1] + ag.param("b") * s[t - 3])
    return ag.Graph(s)


def _batch(t: ag.Axis) -> ag.Graph:
    x = ag.input("x", (3,), over=(t, ag.Axis("b")))
    return ag.Graph(ag.nn.gru(x, 4, over=t, name="cell"))


MODELS: dict[str, Callable[[ag.Axis], ag.Graph]] = {
    "rnn": _rnn, "both ways": _both_ways, "two layers": _two_layers, "attention": _attention, "lattice": _lattice,
    "logistic map": _logistic, "delays": _delays, "batch": _batch,
    "lstm": lambda t: ag.Graph(ag.nn.lstm(_input(t), 4, over=t, name="lstm").h),
    "gru": lambda t: ag.Graph(ag.nn.gru(_input(t), 4, over=t, name="gru")),
    "spiking": lambda t: ag.Graph(ag.nn.lif(_input(t), 4, over=t, name="lif")[0]),
    "transformer": lambda t: ag.Graph(ag.nn.transformer_layer(ag.input("x", (8,), over=t), 2, 16, over=t, name="layer")),
}  # fmt: skip
DEEP = {"transformer": {"depth": 2}}
SEVERAL = ("attention", "lattice")  # axes


def _draw_all(name: str) -> dict[str, viz.Diagram]:
    g, deep = MODELS[name](ag.Axis("t")), DEEP.get(name, {})
    out = {f"unfolded {n}": viz.unfolded(g, n, **deep) for n in (1, 2, 4, 20)}
    out["folded"] = viz.folded(g, **deep)
    out["adjoint"] = viz.adjoint(g)
    out["both"] = viz.fold_unfold(g, 2, **deep)
    out |= {f"operations {n}": viz.unfolded(g, n, level="ops") for n in (1, 2, 4, 20)}
    out["folded operations"] = viz.folded(g, level="ops")
    out["operations, both"] = viz.fold_unfold(g, 2, level="ops")
    return out


@pytest.mark.parametrize("name", MODELS)
def test_no_picture_of_an_ordinary_model_has_a_fault(name: str) -> None:
    drawn = _draw_all(name)
    faults = {kind: found for kind, diagram in drawn.items() if (found := list(list_faults(diagram.picture)))}
    assert faults == {}
    for kind, diagram in drawn.items():  # the canvas is what is drawn, and the same rim on all sides
        left, bottom, right, top = measure_picture(diagram.picture)
        x, y, wide, high = map(float, re.search(r'viewBox="([^"]*)"', diagram.svg)[1].split())  # type: ignore[index]
        rims = (left - x, -top - y, x + wide - right, y + high + bottom)
        assert max(rims) - min(rims) < 0.1, kind
        assert 0 <= min(rims) < 20, kind


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_and_every_row_outside_of_the_sequence_is_there_and_the_same_bytes_twice(name: str) -> None:
    drawn, again = _draw_all(name), _draw_all(name)
    assert {kind: diagram.svg for kind, diagram in drawn.items()} == {kind: diagram.svg for kind, diagram in again.items()}
    g = MODELS[name](ag.Axis("t"))
    for kind, diagram in drawn.items():
        if name in DEEP and not kind.endswith("operations") and not kind.startswith("operations"):
            continue  # scopes are boxes
        if (name, kind) == ("logistic map", "both"):
            continue  # steps out of the middle: the parameter of the first row is not among them
        steps = kind.removeprefix("unfolded ")
        rows = {"axis": "t", "steps": int(steps)} if steps.isdigit() and name not in SEVERAL else {}
        assert list(list_missing(g, diagram.picture, **rows)) == [], kind  # type: ignore[arg-type]


@pytest.mark.skipif(not NIGHT, reason="all models of the zoo at night")
def test_no_picture_of_the_zoo_has_a_fault() -> None:
    from zoo import MODELS as ZOO

    faulty = []
    for name, entry in ZOO.items():
        g = entry.made(T=4, B=2, D=3, H=4).graph
        for level, counts in (("variables", (1, 2, 4, 20)), ("ops", (2, 4))):
            drawn = {
                "folded": viz.folded(g, level),
                "both": viz.fold_unfold(g, 2, level=level),
                **{f"t={n}": viz.unfolded(g, n, level=level) for n in counts},
            }
            faulty += [(name, level, view) for view, diagram in drawn.items() if list(list_faults(diagram.picture))]
    assert faulty == []


# -- sabotage ---------------------------------------------------------------------------------------------------------


def _sound() -> Picture:
    return viz.unfolded(_rnn(ag.Axis("t")), 3).picture


def test_every_fault_is_seen() -> None:
    picture = _sound()
    assert list(list_faults(picture)) == []
    first, second = [m for m in list_outlines(picture) if m.name == "s" and m.role == "state"][:2]

    def change(key: object, **what: object) -> list[str]:
        marks = [replace(m, **what) if m.key == key else m for m in picture.marks]  # type: ignore[arg-type]
        return list(list_faults(Picture(marks, picture.lines)))

    assert any("overlaps" in fault for fault in change(first.key, at=second.at))
    assert any("not in order" in fault for fault in change(first.key, at=(second.at[0] + 60.0, first.at[1] + 400.0)))
    assert any("points off" in fault for fault in change(first.key, at=(first.at[0], first.at[1] + 7.0)))
    assert any("longer than" in fault for fault in change(first.key, label=make_text_label("a long label")))
    g = _rnn(ag.Axis("t"))
    assert list(list_missing(g, picture, "t", 3)) == []
    bare = Picture([m for m in picture.marks if m.role != "ghost"], [replace(ln, label=EMPTY) for ln in picture.lines])
    assert sorted(fault.split()[1] for fault in list_missing(g, bare, "t", 3)) == ["parameter", "parameter", "parameter", "row"]
    labelled = next(line for line in picture.lines if line.label.rows)
    covered = [replace(line, label_at=first.at) if line is labelled else line for line in picture.lines]
    assert any("lies on" in fault for fault in list_faults(Picture(picture.marks, covered)))
    far = next(line for line in picture.lines if line.role == "flow")
    far_off = [2 * c - 0.5 * (a + b) for a, b, c in zip(far.curve[0], far.curve[-1], second.at, strict=True)]
    through = (far.curve[0], tuple(far_off), tuple(far_off), far.curve[-1])
    crossed = [replace(line, curve=through) if line is far else line for line in picture.lines]
    assert any("crosses" in fault for fault in list_faults(Picture(picture.marks, crossed)))
