"""Graphs that the tests of pictures draw, and how they read a picture back."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pygraphviz
import pytest

import autograd_seq as ag
from viz.render.files import render

H, D, K = 4, 3, 5


def _rnn() -> ag.Graph:
    t = ag.Axis("t")
    x, l = ag.input("x", (D,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (H, D)), ag.param("W", (H, H)), ag.param("V", (K, H))
    s = ag.state("s", (H,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    y = ag.softmax(V @ s[t]).named("y")
    return ag.Graph(ag.sum(ag.nll(y, l[t]), over=t).named("L"))


def _started() -> ag.Graph:
    t = ag.Axis("t")
    x, d = ag.input("x", (D,), over=t), ag.input("d", (K,), over=t)
    U, W, V = ag.param("U", (H, D)), ag.param("W_{hh}", (H, H)), ag.param("V", (K, H))
    b, c, start = ag.param("b", (H,)), ag.param("c", (K,)), ag.param("h_0", (H,))
    h = ag.state("h", (H,), over=t, init=start)
    h[t] = ag.tanh(U @ x[t] + W @ h[t - 1] + b)
    y = (V @ h[t] + c).named(r"\hat{y}")
    return ag.Graph(ag.mean(ag.mse(y, d[t]), over=t).named("L"))


def _lstm() -> ag.Graph:
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    c, h = ag.state("c", (H,), over=t), ag.state("h", (H,), over=t)

    def gate(name: str, squash: Callable[..., ag.Node]) -> ag.Node:
        return squash(ag.param(f"W_{name}", (H, D)) @ x[t] + ag.param(f"U_{name}", (H, H)) @ h[t - 1])

    c[t] = gate("f", ag.sigmoid) * c[t - 1] + gate("i", ag.sigmoid) * gate("g", ag.tanh)
    h[t] = gate("o", ag.sigmoid) * ag.tanh(c[t])
    return ag.Graph((ag.param("V", (K, H)) @ h[t]).named("y"))


def _named_lstm() -> ag.Graph:
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    c, h = ag.state("c", (H,), over=t), ag.state("h", (H,), over=t)

    def gate(name: str, squash: Callable[..., ag.Node]) -> ag.Node:
        return squash(ag.param(f"W_{name}", (H, D)) @ x[t] + ag.param(f"U_{name}", (H, H)) @ h[t - 1]).named(name)

    c[t] = gate("f", ag.sigmoid) * c[t - 1] + gate("i", ag.sigmoid) * gate("g", ag.tanh)
    h[t] = gate("o", ag.sigmoid) * ag.tanh(c[t])
    return ag.Graph(h)


def _delay2() -> ag.Graph:
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    s = ag.state("s", (H,), over=t)
    s[t] = ag.tanh(ag.param("U", (H, D)) @ x[t] + ag.param("W_1", (H, H)) @ s[t - 1] + ag.param("W_2", (H, H)) @ s[t - 2])
    return ag.Graph(s)


def _bidirectional() -> ag.Graph:
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    f, b = ag.state("f", (H,), over=t), ag.state("b", (H,), over=t)
    f[t] = ag.tanh(ag.param("U", (H, D)) @ x[t] + ag.param("W", (H, H)) @ f[t - 1])
    b[t] = ag.tanh(ag.param("A", (H, D)) @ x[t] + ag.param("B", (H, H)) @ b[t + 1])
    return ag.Graph((ag.param("V", (K, H)) @ f[t] + ag.param("C", (K, H)) @ b[t]).named("y"))


def _grid() -> ag.Graph:
    i, j = ag.Axis("i"), ag.Axis("j")
    z = ag.input("z", (H,), over=(i, j))
    g = ag.state("g", (H,), over=(i, j))
    g[i, j] = ag.tanh(ag.param("P", (H, H)) @ g[i - 1, j] + ag.param("Q", (H, H)) @ g[i, j - 1] + z[i, j])
    return ag.Graph(ag.sum(ag.sum(g * g), over=(i, j)).named("L"))


def _attention() -> ag.Graph:
    t, u = ag.Axis("t"), ag.Axis("u")
    x, l = ag.input("x", (D,), over=t), ag.input("l", over=u, dtype=int)
    h = ag.state("h", (H,), over=t)
    h[t] = ag.tanh(ag.param("U", (H, D)) @ x[t] + ag.param("R", (H, H)) @ h[t - 1])
    s = ag.state("s", (H,), over=u, init=ag.last(h, over=t))
    e = ag.param("v", (H,)) @ ag.tanh(ag.param("W_a", (H, H)) @ s[u - 1] + ag.param("U_a", (H, H)) @ h[t])
    c = ag.sum(ag.softmax(e, over=t).named(r"\alpha") * h[t], over=t).named("c")
    s[u] = ag.tanh(ag.param("W", (H, H)) @ s[u - 1] + ag.param("C", (H, H)) @ c)
    y = ag.softmax(ag.param("V", (K, H)) @ s[u]).named("y")
    return ag.Graph(ag.sum(ag.nll(y, l), over=u).named("L"))


def _many() -> ag.Graph:
    """Two inputs a step and a static one, two states on top of each other, two losses."""
    t = ag.Axis("t")
    x, z, l = ag.input("x", (D,), over=t), ag.input("z", (D,), over=t), ag.input("l", over=t, dtype=int)
    c = ag.input("c", (H,))
    s, r = ag.state("s", (H,), over=t), ag.state("r", (H,), over=t)
    fed = ag.param("U", (H, D)) @ x[t] + ag.param("Z", (H, D)) @ z[t] + ag.param("A", (H, H)) @ c
    s[t] = ag.tanh(fed + ag.param("W", (H, H)) @ s[t - 1])
    r[t] = ag.tanh(ag.param("B", (H, H)) @ s[t] + ag.param("Q", (H, H)) @ r[t - 1])
    y = ag.softmax(ag.param("V", (K, H)) @ r[t]).named("y")
    first = ag.sum(ag.nll(y, l), over=t).named("L_1")
    second = ag.mse(ag.param("O", (K, H)) @ ag.last(r, over=t), ag.param("m", (K,))).named("L_2")
    return ag.Graph((first + 0.5 * second).named("L"))


def _eager() -> ag.Graph:
    a, b, c = ag.tensor(2.0, name="a"), ag.tensor(-3.0, name="b"), ag.tensor([1.0, 2.0, 3.0, 4.0], name="c")
    return ag.Graph((ag.sum((a * b).named("e") * c) + 0.5).named("d"))


def _centred() -> ag.Graph:
    """Every step reads a sum over all steps."""
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    return ag.Graph(ag.tanh(x - ag.sum(x, over=t)).named("y"))


MODELS = {
    "rnn": _rnn, "started": _started, "lstm": _lstm, "named_lstm": _named_lstm,
    "delay2": _delay2, "bidirectional": _bidirectional, "grid": _grid,
    "attention": _attention, "many": _many, "eager": _eager, "centred": _centred,
}  # fmt: skip
ONE_AXIS = [name for name in MODELS if name not in ("grid", "attention", "eager")]


@pytest.fixture
def models() -> SimpleNamespace:
    """Makers of graphs, by name."""
    return SimpleNamespace(**MODELS, one_axis=ONE_AXIS, all=MODELS)


class Seen:
    """A picture read back by Graphviz: its nodes by label, where they stand, and its edges."""

    def __init__(self, dot: str) -> None:
        graph = pygraphviz.AGraph(string=dot)
        self.labels = {str(node): str(node.attr["label"]) for node in graph.nodes()}
        self.attrs = {str(node): dict(node.attr) for node in graph.nodes()}
        self.edges = [(self.labels[str(a)], self.labels[str(b)]) for a, b in graph.edges()]
        self.edge_attrs = [dict(edge.attr) for edge in graph.edges()]
        self.places: dict[str, tuple[float, float]] = {}
        for line in render(dot, "plain").decode().splitlines():
            if line.startswith("node "):
                _, key, x, y = line.split(" ")[:4]
                self.places[key] = (float(x) * 72, float(y) * 72)

    def where(self, label: str) -> tuple[float, float]:
        """The place of the only node with that label."""
        (key,) = (key for key, text in self.labels.items() if text == label)
        return self.places[key]

    def count(self, label: str) -> int:
        """How many nodes carry that label."""
        return sum(text == label for text in self.labels.values())


def indexed(name: str, index: str) -> str:
    """The label of a variable at an index, as pygraphviz gives it back."""
    return f"<I>{name}</I><SUB>{index}</SUB>"


@pytest.fixture
def look() -> type[Seen]:
    """Reads a picture back."""
    return Seen


@pytest.fixture
def at() -> Callable[[str, str], str]:
    """The label of a variable at an index."""
    return indexed
