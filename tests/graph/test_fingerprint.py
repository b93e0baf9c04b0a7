"""The fingerprint of a graph: what changes it, and what does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import autograd_seq as ag

RNN = """
import autograd_seq as ag
t = ag.Axis("t")
x, s = ag.input("x", (2,), over=t), ag.state("s", (3,), over=t, init=[[1.0, 2.0, 3.0]])
U, W = ag.param("U", (3, 2)), ag.param("W", (3, 3))
s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
L = ag.sum(ag.sum(s), over=t)
"""


def make(code: str = RNN) -> str:
    names: dict[str, ag.Node] = {}
    exec(code, names)
    return ag.Graph(names["L"]).fingerprint


def test_the_same_equations_have_the_same_one_in_every_process() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(ag.__file__).parents[1])}
    other = subprocess.run([sys.executable, "-c", RNN + "print(ag.Graph(L).fingerprint)"], env=environment,
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert other.stdout.strip() == make() == make(RNN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("U, W =", "unused = ag.param('z') * 2\nU, W ="),  # the order in which nodes are made
        ("W @ s[t - 1]", "(W @ s[t - 1]).named('back')"),  # a name of a temporary
        ("L = ag.sum(ag.sum(s)", "y = s[t]\ns[t - 1]\nL = ag.sum(ag.sum(y)"),
        ("ag.param('U', (3, 2))", "ag.param('U', (3, 2), init=ag.nn.init.zeros())"),
    ],
)  # fmt: skip
def test_what_is_no_part_of_the_equations_does_not_count(old: str, new: str) -> None:
    assert make(RNN.replace(old, new)) == make()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tanh", "sigmoid"), ("3.0]", "4.0]"), ('"x"', '"z"'), ('"U"', '"V"'), ('"t"', '"u"'), ("over=t)", "over=t) * 2"),
        ("U @ x[t] + W @ s[t - 1]", "W @ s[t - 1] + U @ x[t]"), ('"s"', '"h"'),
        ('ag.Axis("t")', 'ag.Axis("t", size=4)'), ("ag.sum(s)", "ag.max(s)"),
    ],
)  # fmt: skip
def test_equations_names_and_constants_count(old: str, new: str) -> None:
    assert make(RNN.replace(old, new)) != make()


def test_shapes_and_delays_count() -> None:
    assert make(RNN.replace("(2,)", "(1,)").replace("(3, 2)", "(3, 1)")) != make()
    row = RNN.replace("init=[[1.0, 2.0, 3.0]]", "init=1.0")
    assert make(row.replace("t - 1", "t - 2")) != make(row) != make()


def test_gradients_have_one_too() -> None:
    """Cotangents are unnamed, and tangents have internal names that count up within a process."""
    w, x = ag.param("w"), ag.input("x")
    loss: Callable[[], ag.Node] = lambda: ag.tanh(w * x) ** 2  # noqa: E731
    assert ag.Graph(ag.grad(loss(), w)).fingerprint == ag.Graph(ag.grad(loss(), w)).fingerprint
    forward = [ag.Graph(ag.jvp(loss(), [w], [ag.tensor(1.0)])).fingerprint for _ in range(2)]
    assert forward[0] == forward[1]


def test_known_values_count_not_how_they_were_computed() -> None:
    x = ag.input("x")
    one, other, third = (ag.Graph(x * v) for v in (ag.tensor(2.0) * 3.0, ag.tensor(3.0) * 2.0, ag.tensor(3.0) * 3.0))
    assert one.fingerprint == other.fingerprint != third.fingerprint
    wide, narrow = (ag.Graph(x * ag.tensor(np.ones(2, kind))) for kind in (np.float64, np.float32))
    assert wide.fingerprint != narrow.fingerprint
