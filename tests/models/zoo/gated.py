"""Cells that ``ag.nn`` does not have, as equations: peepholes, projections, layer norm, coupled gates, minimal ones."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import Sketch, model
from zoo.plain import Fed, Functions
from zoo.recurrent import errors


@model()
def peephole_lstm(m: Sketch) -> ag.Node:
    """Gers & Schmidhuber 2000: gates see the memory, the output gate the new one."""
    t, x, h, c = m.t, m.input("x", m.D), m.state("h", m.H), m.state("c", m.H)

    def gate(k: str, memory: ag.Node) -> ag.Node:
        z = m.param(f"U{k}", m.H, m.D) @ x[t] + m.param(f"W{k}", m.H, m.H) @ h[t - 1] + m.param(f"b{k}", m.H)
        return ag.sigmoid(z + m.param(f"p{k}", m.H) * memory)

    g = ag.tanh(m.param("Ug", m.H, m.D) @ x[t] + m.param("Wg", m.H, m.H) @ h[t - 1])
    c[t] = gate("f", c[t - 1]) * c[t - 1] + gate("i", c[t - 1]) * g
    h[t] = gate("o", c[t]) * ag.tanh(c[t])
    return m.error(h)


@peephole_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    h = c = f.zeros(len(p.bi))
    out = []
    for x in p.x:

        def gate(k: str, memory: Any, x: Any = x, h: Any = h) -> Any:
            return f.sigmoid(p[f"U{k}"] @ x + p[f"W{k}"] @ h + p[f"b{k}"] + p[f"p{k}"] * memory)

        c = gate("f", c) * c + gate("i", c) * f.tanh(p.Ug @ x + p.Wg @ h)
        h = gate("o", c) * f.tanh(c)
        out.append(h)
    return errors(f, out, p.goal)


@model()
def projected_lstm(m: Sketch) -> ag.Node:
    """Sak et al. 2014: the recurrence goes through fewer numbers than the memory has."""
    t, x, few = m.t, m.input("x", m.D), m.H - 1
    r, c = m.state("r", few), m.state("c", m.H)

    def affine(k: str) -> ag.Node:
        return m.param(f"U{k}", m.H, m.D) @ x[t] + m.param(f"W{k}", m.H, few) @ r[t - 1] + m.param(f"b{k}", m.H)

    c[t] = ag.sigmoid(affine("f")) * c[t - 1] + ag.sigmoid(affine("i")) * ag.tanh(affine("g"))
    r[t] = m.param("P", few, m.H) @ (ag.sigmoid(affine("o")) * ag.tanh(c[t]))
    return m.error(r)


@projected_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    r, c, out = f.zeros(len(p.P)), f.zeros(len(p.bi)), []
    for x in p.x:
        i, k, g, o = (p[f"U{k}"] @ x + p[f"W{k}"] @ r + p[f"b{k}"] for k in "ifgo")
        c = f.sigmoid(k) * c + f.sigmoid(i) * f.tanh(g)
        r = p.P @ (f.sigmoid(o) * f.tanh(c))
        out.append(r)
    return errors(f, out, p.goal)


@model()
def layer_norm_lstm(m: Sketch) -> ag.Node:
    """Ba, Kiros & Hinton 2016: both products of each gate and the memory are normed."""
    t, x, h, c = m.t, m.input("x", m.D), m.state("h", m.H), m.state("c", m.H)

    def norm(name: str, z: ag.Node) -> ag.Node:
        z = z - ag.mean(z)
        return m.param(f"a{name}", m.H) * z / ag.sqrt(ag.mean(z * z) + 0.1) + m.param(f"b{name}", m.H)

    def gate(k: str) -> ag.Node:
        return norm(f"x{k}", m.param(f"U{k}", m.H, m.D) @ x[t]) + norm(f"h{k}", m.param(f"W{k}", m.H, m.H) @ h[t - 1])

    c[t] = ag.sigmoid(gate("f")) * c[t - 1] + ag.sigmoid(gate("i")) * ag.tanh(gate("g"))
    h[t] = ag.sigmoid(gate("o")) * ag.tanh(norm("c", c[t]))
    return m.error(h)


@layer_norm_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    def norm(name: str, z: Any) -> Any:
        z = z - f.mean(z)
        return p[f"a{name}"] * z / f.sqrt(f.mean(z * z) + 0.1) + p[f"b{name}"]

    h = c = f.zeros(len(p.ac))
    out = []
    for x in p.x:
        i, k, g, o = (norm(f"x{k}", p[f"U{k}"] @ x) + norm(f"h{k}", p[f"W{k}"] @ h) for k in "ifgo")
        c = f.sigmoid(k) * c + f.sigmoid(i) * f.tanh(g)
        h = f.sigmoid(o) * f.tanh(norm("c", c))
        out.append(h)
    return errors(f, out, p.goal)


@model()
def coupled_lstm(m: Sketch) -> ag.Node:
    """What is forgotten is what is written: i = 1 − f (Greff et al. 2017)."""
    t, x, h, c = m.t, m.input("x", m.D), m.state("h", m.H), m.state("c", m.H)
    k, o, g = (m.param(f"U{k}", m.H, m.D) @ x[t] + m.param(f"W{k}", m.H, m.H) @ h[t - 1] for k in "fog")
    keep = ag.sigmoid(k)
    c[t] = keep * c[t - 1] + (1 - keep) * ag.tanh(g)
    h[t] = ag.sigmoid(o) * ag.tanh(c[t])
    return m.error(h)


@coupled_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    h = c = f.zeros(len(p.Wf))
    out = []
    for x in p.x:
        k, o, g = (p[f"U{k}"] @ x + p[f"W{k}"] @ h for k in "fog")
        c = f.sigmoid(k) * c + (1 - f.sigmoid(k)) * f.tanh(g)
        h = f.sigmoid(o) * f.tanh(c)
        out.append(h)
    return errors(f, out, p.goal)


def min_gru_cell(m: Sketch, x: ag.Node, name: str) -> ag.Node:
    """Feng et al. 2024: gates read the input alone, so that the recurrence is linear."""
    t, h = m.t, m.state(f"h{name}", m.H)
    z = ag.sigmoid(m.param(f"Uz{name}", m.H, x.shape[0]) @ x[t])
    h[t] = (1 - z) * h[t - 1] + z * (m.param(f"Uh{name}", m.H, x.shape[0]) @ x[t])
    return h


def min_lstm_cell(m: Sketch, x: ag.Node, name: str) -> ag.Node:
    """The two gates add up to 1."""
    t, h, n = m.t, m.state(f"h{name}", m.H), x.shape[0]
    k, i = (ag.sigmoid(m.param(f"U{g}{name}", m.H, n) @ x[t] + m.param(f"b{g}{name}", m.H)) for g in "fi")
    h[t] = k / (k + i) * h[t - 1] + i / (k + i) * (m.param(f"Uh{name}", m.H, n) @ x[t])
    return h


def min_gru_run(f: Functions, p: Fed, xs: list[Any], name: str) -> list[Any]:
    h, out = f.zeros(len(p[f"Uh{name}"])), []
    for x in xs:
        z = f.sigmoid(p[f"Uz{name}"] @ x)
        h = (1 - z) * h + z * (p[f"Uh{name}"] @ x)
        out.append(h)
    return out


def min_lstm_run(f: Functions, p: Fed, xs: list[Any], name: str) -> list[Any]:
    h, out = f.zeros(len(p[f"Uh{name}"])), []
    for x in xs:
        k, i = (f.sigmoid(p[f"U{g}{name}"] @ x + p[f"b{g}{name}"]) for g in "fi")
        h = k / (k + i) * h + i / (k + i) * (p[f"Uh{name}"] @ x)
        out.append(h)
    return out


MINIMAL = {"min_gru": (min_gru_cell, min_gru_run), "min_lstm": (min_lstm_cell, min_lstm_run)}


def enter_minimal(kind: str) -> None:
    cell, loop = MINIMAL[kind]

    @model(kind)
    def alone(m: Sketch) -> ag.Node:
        return m.error(cell(m, m.input("x", m.D), ""))

    @alone.plainly
    def _(f: Functions, p: Fed) -> Any:
        return errors(f, loop(f, p, p.x, ""), p.goal)

    @model(f"{kind}_two_layers")
    def stacked(m: Sketch) -> ag.Node:
        return m.error(cell(m, cell(m, m.input("x", m.D), "1"), "2"))

    @stacked.plainly
    def _(f: Functions, p: Fed) -> Any:
        return errors(f, loop(f, p, loop(f, p, p.x, "1"), "2"), p.goal)


def enter_parallel(one: str, other: str) -> None:
    @model(f"parallel_{one}_{other}")
    def two(m: Sketch) -> ag.Node:
        """Two on one input, added up."""
        x = m.input("x", m.D)
        return m.error(MINIMAL[one][0](m, x, "1") + MINIMAL[other][0](m, x, "2"))

    @two.plainly
    def _(f: Functions, p: Fed) -> Any:
        pair = zip(MINIMAL[one][1](f, p, p.x, "1"), MINIMAL[other][1](f, p, p.x, "2"), strict=True)
        return errors(f, [a + b for a, b in pair], p.goal)


for name in MINIMAL:
    enter_minimal(name)
for first, second in (("min_gru", "min_gru"), ("min_lstm", "min_lstm"), ("min_gru", "min_lstm")):
    enter_parallel(first, second)


@model()
def gates_without_recurrence(m: Sketch) -> ag.Node:
    """Two packed gates, each read several times, no state at all: a highway layer twice on one input."""
    x = m.input("x", m.H)
    z, k = ag.sigmoid(m.param("Uz", m.H, m.H) @ x), ag.sigmoid(m.param("Uf", m.H, m.H) @ x)
    y = (1 - z) + z * (m.param("Uh", m.H, m.H) @ x) + (1 - k) + k * (m.param("Us", m.H, m.H) @ x)
    return m.total(y * y)


@gates_without_recurrence.plainly
def _(f: Functions, p: Fed) -> Any:
    total = f.zeros()
    for x in p.x:
        z, k = f.sigmoid(p.Uz @ x), f.sigmoid(p.Uf @ x)
        total = total + (((1 - z) + z * (p.Uh @ x) + (1 - k) + k * (p.Us @ x)) ** 2).sum()
    return total


@model()
def gru_as_published(m: Sketch) -> ag.Node:
    """Cho et al. 2014: r resets h before the product."""
    t, x, h = m.t, m.input("x", m.D), m.state("h", m.H)
    r, z = (ag.sigmoid(m.param(f"U{k}", m.H, m.D) @ x[t] + m.param(f"W{k}", m.H, m.H) @ h[t - 1]) for k in "rz")
    h[t] = z * h[t - 1] + (1 - z) * ag.tanh(m.param("Un", m.H, m.D) @ x[t] + m.param("Wn", m.H, m.H) @ (r * h[t - 1]))
    return m.error(h)


@gru_as_published.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = f.zeros(len(p.Wz)), []
    for x in p.x:
        r, z = (f.sigmoid(p[f"U{k}"] @ x + p[f"W{k}"] @ h) for k in "rz")
        h = z * h + (1 - z) * f.tanh(p.Un @ x + p.Wn @ (r * h))
        out.append(h)
    return errors(f, out, p.goal)


@model()
def multiplicative_lstm(m: Sketch) -> ag.Node:
    """Krause et al. 2016: the gates read m = (U x) ∘ (W h) in place of h."""
    t, x, h, c = m.t, m.input("x", m.D), m.state("h", m.H), m.state("c", m.H)
    q = (m.param("Um", m.H, m.D) @ x[t]) * (m.param("Wm", m.H, m.H) @ h[t - 1] + 1.0)
    i, k, o, g = (m.param(f"U{k}", m.H, m.D) @ x[t] + m.param(f"W{k}", m.H, m.H) @ q for k in "ifog")
    c[t] = ag.sigmoid(k) * c[t - 1] + ag.sigmoid(i) * ag.tanh(g)
    h[t] = ag.sigmoid(o) * ag.tanh(c[t])
    return m.error(h)


@multiplicative_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    h = c = f.zeros(len(p.Wm))
    out = []
    for x in p.x:
        q = (p.Um @ x) * (p.Wm @ h + 1.0)
        i, k, o, g = (p[f"U{k}"] @ x + p[f"W{k}"] @ q for k in "ifog")
        c = f.sigmoid(k) * c + f.sigmoid(i) * f.tanh(g)
        h = f.sigmoid(o) * f.tanh(c)
        out.append(h)
    return errors(f, out, p.goal)
