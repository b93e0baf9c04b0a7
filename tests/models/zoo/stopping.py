"""Loops that stop by themselves."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import Sketch, model, normal, orthogonal
from zoo.plain import Fed, Functions

ONCE = {
    "carry": ("U133", "it is one loss for all steps"),
    "online": ("U131", "the steps that are fed are not those that are taken"),
    "stream": ("U133", "the loss is one value for all steps"),
    "lengths": ("U124", "it ends by itself"),
}


@model(refuses=ONCE)
def reads_until_sure(m: Sketch) -> ag.Node:
    """A recurrent net that reads no further once its state is large."""
    t, x, h = m.t, m.input("x", m.D), m.state("h", m.H)
    h[t] = ag.tanh(m.param("U", m.H, m.D) @ x[t] + m.param("W", m.H, m.H) @ h[t - 1])
    y = m.param("O", m.D, m.H) @ ag.last(h, over=t) + ag.mean(x, over=t) / ag.spread(ag.size(t), m.batch)
    return ag.until(m.error(y), over=t, when=ag.sum(h[t] * h[t]) > 1.7)


@reads_until_sure.plainly
def _(f: Functions, p: Fed) -> Any:
    h, read = f.zeros(len(p.W)), []
    for x in p.x:
        h = f.tanh(p.U @ x + p.W @ h)
        read.append(x)
        if f.real((h * h).sum()) > 1.7:
            break
    y = p.O @ h + sum(read) / len(read) ** 2
    return ((y - p.goal) ** 2).sum()


@model(steps="u", refuses=ONCE)
def adaptive_computation_time(m: Sketch) -> ag.Node:
    """Graves 2016: an input is thought about until the halting probabilities add up to 0.9; each further step costs."""
    u, x = m.u, m.input("x", m.H, over=m.batch)
    s, halted = m.state("s", m.H, over=(m.u, *m.batch), init={u: x}), m.state("halted", over=(m.u, *m.batch))
    s[u] = ag.tanh(m.param("W", m.H, m.H, draw=orthogonal(1.5)) @ s[u - 1])
    p = ag.sigmoid(ag.dot(m.param("v", m.H, draw=normal(4.0)), s[u]) - 0.7)
    halted[u] = halted[u - 1] + p
    over = halted > 0.9
    weight = ag.where(over, 1 - halted[u - 1], p)
    y = ag.sum(ag.expand_dims(weight, -1) * s, over=u)
    ponder = ag.spread(ag.size(u), m.batch) + 1 - ag.last(halted, over=u)
    return ag.until(m.error(m.param("O", m.D, m.H) @ y) + 0.1 * m.total(ponder), over=u, when=over, limit=9)


@adaptive_computation_time.plainly
def _(f: Functions, p: Fed) -> Any:
    s, halted, y, steps = p.x, f.array(0.0), 0.0, 0
    while True:
        s, steps, before = f.tanh(p.W @ s), steps + 1, halted
        chance = f.sigmoid(p.v @ s - 0.7)
        halted = halted + chance
        if f.real(halted) > 0.9:
            break
        y = y + chance * s
    y = y + (1 - before) * s
    return ((p.O @ y - p.goal) ** 2).sum() + 0.1 * (steps + 1 - halted)
