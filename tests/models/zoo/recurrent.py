"""Stacks of cells: two and three of every kind in every order, bidirectional, residual, with learned rows."""

from __future__ import annotations

from itertools import product
from typing import Any

import autograd_seq as ag
from zoo.model import AHEAD, Sketch, model
from zoo.plain import Fed, Functions

CELLS = ("rnn", "lstm", "gru")


def layer(cell: str, x: ag.Node, hidden: int, t: ag.Axis, **options: Any) -> ag.Node:
    """Return what a layer of cells shows."""
    h = getattr(ag.nn, cell)(x, hidden, over=t, **options)
    return h.h if cell == "lstm" else h


def run(cell: str, f: Functions, p: Fed, xs: list[Any], h: Any = None, c: Any = None, ahead: bool = False) -> list[Any]:
    """The same in a loop; ``ahead`` from the last step to the first."""
    hidden = len(p["W" if cell == "rnn" else "Wi" if cell == "lstm" else "Wz"])
    h, c = f.zeros(hidden) if h is None else h, f.zeros(hidden) if c is None else c
    out = []
    for x in xs[::-1] if ahead else xs:
        if cell == "rnn":
            h = f.tanh(p.U @ x + p.W @ h + p.b)
        elif cell == "lstm":
            i, o, k = (f.sigmoid(p[f"U{g}"] @ x + p[f"W{g}"] @ h + p[f"b{g}"]) for g in "iof")
            c = k * c + i * f.tanh(p.Ug @ x + p.Wg @ h + p.bg)
            h = o * f.tanh(c)
        else:
            r, z = (f.sigmoid(p[f"U{g}"] @ x + p[f"W{g}"] @ h + p[f"b{g}"]) for g in "rz")
            h = (1 - z) * f.tanh(p.Un @ x + p.bn + r * (p.Wn @ h + p.cn)) + z * h
        out.append(h)
    return out[::-1] if ahead else out


def errors(f: Functions, ys: list[Any], goal: Any) -> Any:
    """Σ (y − goal)² over steps."""
    return sum((((y - g) ** 2).sum() for y, g in zip(ys, goal, strict=True)), f.zeros())


def enter_stack(cells: tuple[str, ...]) -> None:
    @model("_".join(cells))
    def stack(m: Sketch) -> ag.Node:
        h = m.input("x", m.D)
        for k, cell in enumerate(cells):
            h = layer(cell, h, m.H, m.t, name=f"l{k}")
        return m.error(h)

    @stack.plainly
    def _(f: Functions, p: Fed) -> Any:
        h = list(p.x)
        for k, cell in enumerate(cells):
            h = run(cell, f, p.under(f"l{k}/"), h)
        return errors(f, h, p.goal)


def enter_bidirectional(cell: str) -> None:
    @model(f"bidirectional_{cell}", refuses=AHEAD)
    def both(m: Sketch) -> ag.Node:
        h = m.input("x", m.D)
        for k in range(2):
            h = ag.concat([layer(cell, h, m.H, m.t, name=f"l{k}", reverse=False),
                           layer(cell, h, m.H, m.t, name=f"l{k}r", reverse=True)])  # fmt: skip
        return m.error(h)

    @both.plainly
    def _(f: Functions, p: Fed) -> Any:
        h = list(p.x)
        for k in range(2):
            there, back = run(cell, f, p.under(f"l{k}/"), h), run(cell, f, p.under(f"l{k}r/"), h, ahead=True)
            h = [f.concat([a, b]) for a, b in zip(there, back, strict=True)]
        return errors(f, h, p.goal)


def enter_residual(cell: str) -> None:
    @model(f"residual_{cell}")
    def residual(m: Sketch) -> ag.Node:
        """h := h + layer(h), what Graves 2013 and all deep ones after it do."""
        h = m.param("E", m.H, m.D) @ m.input("x", m.D)
        for k in range(2):
            h = h + layer(cell, h, m.H, m.t, name=f"l{k}")
        return m.error(h)

    @residual.plainly
    def _(f: Functions, p: Fed) -> Any:
        h = [p.E @ x for x in p.x]
        for k in range(2):
            h = [a + b for a, b in zip(h, run(cell, f, p.under(f"l{k}/"), h), strict=True)]
        return errors(f, h, p.goal)


for depth in (1, 2, 3):
    for order in product(CELLS, repeat=depth):
        enter_stack(order)
for kind in CELLS:
    enter_bidirectional(kind)
    enter_residual(kind)


@model()
def learned_rows(m: Sketch) -> ag.Node:
    """An LSTM under a GRU, which start from learned rows; the loss reads both memories."""
    x = m.input("x", m.D)
    h, c = ag.nn.lstm(x, m.H, over=m.t, name="l0", init=(m.param("h0", m.H), m.param("c0", m.H)))
    g = ag.nn.gru(h, m.H, over=m.t, name="l1", init=ag.tanh(m.param("g0", m.H)))
    return m.error(g) + m.total(c * h)


@learned_rows.plainly
def _(f: Functions, p: Fed) -> Any:
    q, h, c, total, hs = p.under("l0/"), p.h0, p.c0, f.zeros(), []
    for x in p.x:
        i, o, k = (f.sigmoid(q[f"U{g}"] @ x + q[f"W{g}"] @ h + q[f"b{g}"]) for g in "iof")
        c = k * c + i * f.tanh(q.Ug @ x + q.Wg @ h + q.bg)
        h = o * f.tanh(c)
        total = total + (c * h).sum()
        hs.append(h)
    return total + errors(f, run("gru", f, p.under("l1/"), hs, h=f.tanh(p.g0)), p.goal)


@model()
def feedback(m: Sketch) -> ag.Node:
    """Two layers that read each other: the lower one hears what the upper one said a step ago (top-down feedback)."""
    t, x = m.t, m.input("x", m.D)
    p, q = m.state("p", m.H), m.state("q", m.H)
    p[t] = ag.tanh(m.param("A", m.H, m.H) @ p[t - 1] + m.param("B", m.H, m.H) @ q[t - 1] + m.param("U", m.H, m.D) @ x[t])
    q[t] = ag.tanh(m.param("C", m.H, m.H) @ p[t] + m.param("E", m.H, m.H) @ q[t - 1])
    return m.error(q)


@feedback.plainly
def _(f: Functions, s: Fed) -> Any:
    p = q = f.zeros(len(s.A))
    out = []
    for x in s.x:
        p = f.tanh(s.A @ p + s.B @ q + s.U @ x)
        q = f.tanh(s.C @ p + s.E @ q)
        out.append(q)
    return errors(f, out, s.goal)


@model()
def each_other(m: Sketch) -> ag.Node:
    """The smallest of two states that read each other a step late; the input enters one of them."""
    t, x = m.t, m.input("x", m.H)
    p, q = m.state("p", m.H), m.state("q", m.H)
    p[t] = ag.tanh(m.param("A", m.H, m.H) @ p[t - 1] + m.param("B", m.H, m.H) @ q[t - 1])
    q[t] = ag.tanh(m.param("C", m.H, m.H) @ p[t - 1] + x[t])
    return m.error(p) + m.total(q * q)


@each_other.plainly
def _(f: Functions, s: Fed) -> Any:
    p = q = f.zeros(len(s.A))
    total = f.zeros()
    for x, goal in zip(s.x, s.goal, strict=True):
        p, q = f.tanh(s.A @ p + s.B @ q), f.tanh(s.C @ p + x)
        total = total + ((p - goal) ** 2).sum() + (q * q).sum()
    return total


@model()
def leaky_second(m: Sketch) -> ag.Node:
    """A leaky second state: what a unit does is smoothed, and the smooth trace acts back on it."""
    t, x, a = m.t, m.input("x", m.D), m.param("a", m.H, draw=lambda rng, shape: rng.uniform(0.1, 0.3, shape))
    h, z = m.state("h", m.H), m.state("z", m.H)
    h[t] = ag.tanh(m.param("W", m.H, m.H) @ h[t - 1] + m.param("U", m.H, m.D) @ x[t] - z[t - 1])
    z[t] = (1 - a) * z[t - 1] + a * h[t]
    return m.error(z) + m.error(h, "aim")


@leaky_second.plainly
def _(f: Functions, p: Fed) -> Any:
    h = z = f.zeros(len(p.W))
    hs, zs = [], []
    for x in p.x:
        h = f.tanh(p.W @ h + p.U @ x - z)
        z = (1 - p.a) * z + p.a * h
        hs.append(h)
        zs.append(z)
    return errors(f, zs, p.goal) + errors(f, hs, p.aim)


@model()
def product_below(m: Sketch) -> ag.Node:
    """y = W a[t] is read at its own step and a step later, and the input enters beside it (no product may count twice)."""
    t, x = m.t, m.input("x", m.H)
    a, q = m.state("a", m.H), m.state("q", m.H)
    a[t] = ag.tanh(m.param("A", m.H, m.H) @ q[t - 1])
    y = m.param("W", m.H, m.H) @ a[t]
    q[t] = ag.tanh(y + ag.shift(y, t, 1) + x[t])
    return m.error(q) + m.total(a * a)


@product_below.plainly
def _(f: Functions, p: Fed) -> Any:
    q = y = f.zeros(len(p.A))
    total = f.zeros()
    for x, goal in zip(p.x, p.goal, strict=True):
        a, before = f.tanh(p.A @ q), y
        y = p.W @ a
        q = f.tanh(y + before + x)
        total = total + ((q - goal) ** 2).sum() + (a * a).sum()
    return total


@model()
def delays(m: Sketch) -> ag.Node:
    """A recurrence with delays 1, 2 and 3, as NARX has, from three learned rows."""
    t, x = m.t, m.input("x", m.D)
    h = m.state("h", m.H, init={m.t: [m.param(f"h{k}", m.H) for k in range(3)]})
    past = sum((m.param(f"W{k}", m.H, m.H) @ h[t - k] for k in (1, 2, 3)), m.param("U", m.H, m.D) @ x[t])
    h[t] = ag.tanh(past)
    return m.error(h)


@delays.plainly
def _(f: Functions, p: Fed) -> Any:
    h = [p.h0, p.h1, p.h2]
    for x in p.x:
        h.append(f.tanh(p.W1 @ h[-1] + p.W2 @ h[-2] + p.W3 @ h[-3] + p.U @ x))
    return errors(f, h[3:], p.goal)
