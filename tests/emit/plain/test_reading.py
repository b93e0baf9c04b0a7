"""What programs by hand look like: golden texts, to be read aloud.

``AUTOGRAD_SEQ_WRITE_GOLDEN=1 python -m pytest tests/emit/plain/test_reading.py`` writes them anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import autograd_seq as ag

GOLDEN = Path(__file__).parent / "golden"
t = ag.Axis("t")


def rnn() -> ag.Node:
    x, l = ag.input("x", (3,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (8, 3)), ag.param("W", (8, 8)), ag.param("V", (5, 8))
    s = ag.state("s", (8,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    y = ag.softmax(V @ s[t]).named("y")
    return ag.sum(ag.nll(y, l[t]), over=t).named("L")


def lstm() -> ag.Node:
    x, target = ag.input("x", (3,), over=t), ag.input("target", (4,), over=t)
    h, c = ag.state("h", (4,), over=t), ag.state("c", (4,), over=t)

    def gate(name: str, function: Callable[[ag.Node], ag.Node]) -> ag.Node:
        W, U, b = ag.param(f"W{name}", (4, 3)), ag.param(f"U{name}", (4, 4)), ag.param(f"b{name}", (4,))
        return function(W @ x[t] + U @ h[t - 1] + b).named(name)

    i, f, o, g = gate("i", ag.sigmoid), gate("f", ag.sigmoid), gate("o", ag.sigmoid), gate("g", ag.tanh)
    c[t] = f * c[t - 1] + i * g
    h[t] = o * ag.tanh(c[t])
    return ag.sum(ag.mse(h[t], target[t]), over=t).named("L")


def bidirectional() -> ag.Node:
    x, target = ag.input("x", (3,), over=t), ag.input("target", (2,), over=t)
    A, B, C, D = (ag.param(name, (4, 4 if name in "BD" else 3)) for name in "ABCD")
    V, R = ag.param("V", (2, 4)), ag.param("R", (2, 4))
    h, r = ag.state("h", (4,), over=t), ag.state("r", (4,), over=t)
    h[t] = ag.tanh(A @ x[t] + B @ h[t - 1])
    r[t] = ag.tanh(C @ x[t] + D @ r[t + 1])
    p = (V @ h[t] + R @ r[t]).named("p")
    return ag.sum(ag.mse(p, target[t]), over=t).named("L")


def delays() -> ag.Node:
    x, w, y0 = ag.input("x", over=t), ag.param("w"), ag.param("y0")
    y = ag.state("y", over=t, init=[y0, 1.0, 2.0])
    y[t] = w * y[t - 3] + x[t]
    return ag.sum(y[t] ** 2, over=t).named("L")


@pytest.mark.parametrize("model", [rnn, lstm, bidirectional, delays], ids=lambda f: f.__name__)
def test_it_reads_as_it_did(model: Callable[[], ag.Node]) -> None:
    text = ag.value_and_grad(model(), backend="numpy").textbook
    path = GOLDEN / f"{model.__name__}.txt"
    if os.environ.get("AUTOGRAD_SEQ_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert max(map(len, text.split("\n"))) <= 120


def test_the_lecture_fits_on_the_board() -> None:
    """With its equations, which are every other line."""
    step = ag.value_and_grad(rnn(), backend="numpy").textbook.split("def step")[1].split("\n\n\n")[0]
    assert sum(not line.strip().startswith("#") for line in step.split("\n")) <= 25


def test_a_cell_without_a_name_reads_as_its_equations() -> None:
    t = ag.Axis("t")
    x = ag.input("x", (3,), over=t)
    h, _ = ag.nn.lstm(x, 4, over=t)
    text = ag.value_and_grad(ag.sum(ag.sum(h**2), over=t).named("L")).textbook
    for line in (
        "o[t] = sigmoid(Uo x[t] + Wo h[t − 1] + bo)",
        "g[t] = tanh(Ug x[t] + Wg h[t − 1] + bg)",
        "c[t] = f[t] ⊙ c[t − 1] + i[t] ⊙ g[t]",
        "dz_f[t] = dc[t] ⊙ c[t − 1] ⊙ f[t] ⊙ (1 − f[t])",
        "dWi = Σₜ dz_i[t] h[t − 1]ᵀ",
    ):
        assert f"# {line}\n" in text
    i = ag.input("i", (3,), over=t)  # a letter gives way to a name of the model
    assert "# i_2[t] = sigmoid(Ui i[t] + Wi h[t − 1] + bi)\n" in ag.compile(ag.nn.lstm(i, 4, over=t).h).textbook
