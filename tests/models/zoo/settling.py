"""Values that their own equation leaves as they are: deep equilibrium layers, implicit steps of time, memories that settle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd_seq as ag
from zoo.model import Sketch, model, normal, orthogonal
from zoo.plain import Fed, Functions
from zoo.recurrent import errors

_ROUNDS = 60


def settle(equation: Callable[[Any], Any], z: Any) -> Any:
    """Iterate far beyond what the numbers can tell."""
    for _ in range(_ROUNDS):
        z = equation(z)
    return z


@model()
def deep_equilibrium(m: Sketch) -> ag.Node:
    """Bai et al. 2019: infinitely many layers that share their weights, at every step by itself."""
    t, z = m.t, ag.equilibrium("z", (m.H,), over=m.over, tol=0.0)
    W, U = m.param("W", m.H, m.H, draw=orthogonal(0.5)), m.param("U", m.H, m.D)
    z[t] = ag.tanh(W @ z[t] + U @ m.input("x", m.D)[t])
    return m.error(z)


@deep_equilibrium.plainly
def _(f: Functions, p: Fed) -> Any:
    rows = [p.U @ x for x in p.x]
    return errors(f, [settle(lambda z, row=row: f.tanh(p.W @ z + row), row) for row in rows], p.goal)


@model()
def implicit_euler(m: Sketch) -> ag.Node:
    """A stiff net whose steps of time are implicit, started from the step before; a memory with a delay of two reads it."""
    t, s = m.t, ag.equilibrium("s", (m.H,), over=m.over, start=m.t - 1, tol=0.0, damping=0.1)
    W, c, s0 = m.param("W", m.H, m.H, draw=orthogonal(0.9)), m.param("c", m.H), m.param("s0", m.H)
    r = m.state("r", m.H, init={t: [m.param("r1", m.H), m.param("r0", m.H)]})
    before = ag.shift(s, t, 1, init=s0)
    s[t] = before + 0.4 * (ag.tanh(W @ s[t] + m.input("x", m.H)[t] + c) - 0.5 * s[t] * r[t - 2])
    r[t] = 0.6 * r[t - 1] + 0.3 * s[t] * s[t]
    return m.error(s + r)


@implicit_euler.plainly
def _(f: Functions, p: Fed) -> Any:
    s, r, out = p.s0, [p.r1, p.r0], []
    for x in p.x:
        step = lambda z, s=s, x=x, old=r[-2]: s + 0.4 * (f.tanh(p.W @ z + x + p.c) - 0.5 * z * old)  # noqa: E731
        s = settle(step, s)
        r.append(0.6 * r[-1] + 0.3 * s * s)
        out.append(s + r[-1])
    return errors(f, out, p.goal)


@model()
def associative_memory(m: Sketch) -> ag.Node:
    """A modern Hopfield net with a cue: two equilibria of each other, what is recalled and how sure it is, then an RNN."""
    t, h = m.t, m.state("h", m.H)
    z, sure = ag.equilibrium("z", (m.H,), over=m.over, tol=0.0), ag.equilibrium("sure", over=m.over, tol=0.0)
    X, W = m.param("X", m.K, m.H, draw=normal(0.6)), m.param("W", m.H, m.H, draw=orthogonal(0.8))
    cue = m.input("x", m.H)[t] + 0.3 * h[t - 1]
    z[t] = 0.5 * ag.transpose(X) @ ag.softmax(sure[t] * (X @ z[t])) + 0.5 * cue
    sure[t] = 1.0 + 0.2 * ag.sum(ag.tanh(z[t] * cue))
    h[t] = ag.tanh(W @ z[t] + h[t - 1])
    return m.error(h)


@associative_memory.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = 0 * p.x[0], []
    for x in p.x:
        cue = x + 0.3 * h

        def both(pair: Any, cue: Any = cue) -> Any:
            z, sure = pair
            return (0.5 * p.X.T @ f.softmax(sure * (p.X @ z)) + 0.5 * cue, 1.0 + 0.2 * f.sum(f.tanh(z * cue)))

        z, _sure = settle(both, (0 * cue, 1.0))
        h = f.tanh(p.W @ z + h)
        out.append(h)
    return errors(f, out, p.goal)
