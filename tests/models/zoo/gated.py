"""Gated cells: peepholes, projections, layer norm, coupled gates, minimal ones."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import Sketch, model
from zoo.plain import Fed, Functions
from zoo.recurrent import errors


@model()
def peephole_lstm(m: Sketch) -> ag.Node:
    """Gers & Schmidhuber 2000: gates see the memory, the output gate the new one."""
    return m.error(ag.nn.peephole_lstm(m.input("x", m.D), m.H, over=m.t).h)


@peephole_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    h = c = f.zeros(len(p.bi))
    out = []
    for x in p.x:

        def gate(k: str, memory: Any, x: Any = x, h: Any = h) -> Any:
            return f.sigmoid(p[f"U{k}"] @ x + p[f"W{k}"] @ h + p[f"b{k}"] + p[f"p{k}"] * memory)

        c = gate("f", c) * c + gate("i", c) * f.tanh(p.Ug @ x + p.Wg @ h + p.bg)
        h = gate("o", c) * f.tanh(c)
        out.append(h)
    return errors(f, out, p.goal)


@model()
def projected_lstm(m: Sketch) -> ag.Node:
    """Sak et al. 2014: the recurrence goes through fewer numbers than the memory has."""
    return m.error(ag.nn.projected_lstm(m.input("x", m.D), m.H, over=m.t, projection=m.H - 1).h)


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
    """Ba, Kiros & Hinton 2016: both products of each gate and the memory are normalised."""
    return m.error(ag.nn.layer_norm_lstm(m.input("x", m.D), m.H, over=m.t, eps=0.1).h)


@layer_norm_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    def norm(name: str, z: Any, bias: Any = 0.0) -> Any:
        z = z - f.mean(z)
        return p[f"{name}_norm/gain"] * z / f.sqrt(f.mean(z * z) + 0.1) + bias

    h = c = f.zeros(len(p.bi))
    out = []
    for x in p.x:
        i, k, g, o = (norm(f"U{k}", p[f"U{k}"] @ x) + norm(f"W{k}", p[f"W{k}"] @ h) + p[f"b{k}"] for k in "ifgo")
        c = f.sigmoid(k) * c + f.sigmoid(i) * f.tanh(g)
        h = f.sigmoid(o) * f.tanh(norm("c", c, p["c_norm/bias"]))
        out.append(h)
    return errors(f, out, p.goal)


@model()
def coupled_lstm(m: Sketch) -> ag.Node:
    """What is forgotten is what is written: i = 1 − f (Greff et al. 2017)."""
    return m.error(ag.nn.coupled_lstm(m.input("x", m.D), m.H, over=m.t).h)


@coupled_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    h = c = f.zeros(len(p.Wf))
    out = []
    for x in p.x:
        k, o, g = (p[f"U{k}"] @ x + p[f"W{k}"] @ h + p[f"b{k}"] for k in "fog")
        c = f.sigmoid(k) * c + (1 - f.sigmoid(k)) * f.tanh(g)
        h = f.sigmoid(o) * f.tanh(c)
        out.append(h)
    return errors(f, out, p.goal)


def min_gru_cell(m: Sketch, x: ag.Node, name: str) -> ag.Node:
    """Feng et al. 2024: gates read the input alone, so that the recurrence is linear."""
    return ag.nn.min_gru(x, m.H, over=m.t, name=name)


def min_lstm_cell(m: Sketch, x: ag.Node, name: str) -> ag.Node:
    """The two gates add up to 1."""
    return ag.nn.min_lstm(x, m.H, over=m.t, name=name)


def min_gru_run(f: Functions, p: Fed, xs: list[Any]) -> list[Any]:
    h, out = f.zeros(len(p.bz)), []
    for x in xs:
        z = f.sigmoid(p.Uz @ x + p.bz)
        h = (1 - z) * h + z * (p.Un @ x + p.bn)
        out.append(h)
    return out


def min_lstm_run(f: Functions, p: Fed, xs: list[Any]) -> list[Any]:
    h, out = f.zeros(len(p.bi)), []
    for x in xs:
        k, i = (f.sigmoid(p[f"U{g}"] @ x + p[f"b{g}"]) for g in "fi")
        h = k / (k + i) * h + i / (k + i) * (p.Un @ x + p.bn)
        out.append(h)
    return out


MINIMAL = {"min_gru": (min_gru_cell, min_gru_run), "min_lstm": (min_lstm_cell, min_lstm_run)}


def enter_minimal(kind: str) -> None:
    cell, loop = MINIMAL[kind]

    @model(kind)
    def alone(m: Sketch) -> ag.Node:
        return m.error(cell(m, m.input("x", m.D), "l1"))

    @alone.plainly
    def _(f: Functions, p: Fed) -> Any:
        return errors(f, loop(f, p.under("l1/"), p.x), p.goal)

    @model(f"{kind}_two_layers")
    def stacked(m: Sketch) -> ag.Node:
        return m.error(cell(m, cell(m, m.input("x", m.D), "l1"), "l2"))

    @stacked.plainly
    def _(f: Functions, p: Fed) -> Any:
        return errors(f, loop(f, p.under("l2/"), loop(f, p.under("l1/"), p.x)), p.goal)


def enter_parallel(one: str, other: str) -> None:
    @model(f"parallel_{one}_{other}")
    def two(m: Sketch) -> ag.Node:
        """Two on one input, added up."""
        x = m.input("x", m.D)
        return m.error(MINIMAL[one][0](m, x, "l1") + MINIMAL[other][0](m, x, "l2"))

    @two.plainly
    def _(f: Functions, p: Fed) -> Any:
        pair = zip(MINIMAL[one][1](f, p.under("l1/"), p.x), MINIMAL[other][1](f, p.under("l2/"), p.x), strict=True)
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
    return m.error(ag.nn.gru(m.input("x", m.D), m.H, over=m.t, reset="before"))


@gru_as_published.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = f.zeros(len(p.Wz)), []
    for x in p.x:
        r, z = (f.sigmoid(p[f"U{k}"] @ x + p[f"W{k}"] @ h + p[f"b{k}"]) for k in "rz")
        h = z * h + (1 - z) * f.tanh(p.Un @ x + p.Wn @ (r * h) + p.bn)
        out.append(h)
    return errors(f, out, p.goal)


@model()
def mgu(m: Sketch) -> ag.Node:
    """Zhou et al. 2016: one gate resets and mixes."""
    return m.error(ag.nn.mgu(m.input("x", m.D), m.H, over=m.t))


@mgu.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = f.zeros(len(p.bf)), []
    for x in p.x:
        k = f.sigmoid(p.Uf @ x + p.Wf @ h + p.bf)
        h = (1 - k) * h + k * f.tanh(p.Un @ x + p.Wn @ (k * h) + p.bn)
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
