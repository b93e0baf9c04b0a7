"""Cells of ``ag.nn`` that have no family of their own, stacks of cells, and layers without a memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import autograd_seq as ag
from zoo.model import AHEAD, Sketch, model
from zoo.plain import Fed, Functions
from zoo.recurrent import errors, run


@model()
def relu_rnn(m: Sketch) -> ag.Node:
    """Le et al. 2015: relu, a recurrence that starts as the identity; what is read is bounded."""
    x = m.input("x", m.D)
    return m.error(ag.nn.irnn(x, m.H, over=m.t, name="a") + ag.nn.rnn(x, m.H, over=m.t, name="b", clip=0.5))


@relu_rnn.plainly
def _(f: Functions, p: Fed) -> Any:
    a, b, out = f.zeros(len(p["a/b"])), f.zeros(len(p["a/b"])), []
    for x in p.x:
        a = f.relu(p["a/U"] @ x + p["a/W"] @ a + p["a/b"])
        z = p["b/U"] @ x + p["b/W"] @ b + p["b/b"]
        b = f.tanh(f.where(f.real(z) > 0.5, 0 * z + 0.5, f.where(f.real(z) < -0.5, 0 * z - 0.5, z)))
        out.append(a + b)
    return errors(f, out, p.goal)


@model()
def jordan(m: Sketch) -> ag.Node:
    """Jordan 1986: what is shown is what is read at the next step."""
    return m.error(ag.nn.jordan(m.input("x", m.D), m.H, m.K, over=m.t, activation=ag.softmax).y)


@jordan.plainly
def _(f: Functions, p: Fed) -> Any:
    y, out = f.zeros(len(p.c)), []
    for x in p.x:
        y = f.softmax(p.V @ f.tanh(p.U @ x + p.W @ y + p.b) + p.c)
        out.append(y)
    return errors(f, out, p.goal)


@model()
def clockwork_cell(m: Sketch) -> ag.Node:
    """Koutník et al. 2014 as one state: groups of units of periods 1, 2 and 3, from fast to slow."""
    return m.error(ag.nn.clockwork(m.input("x", m.D), 6, over=m.t, periods=(1, 2, 3)))


@clockwork_cell.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = f.zeros(6), []
    for t, x in enumerate(p.x):
        z = p.U @ x + p.b + f.concat([p.W1 @ h, p.W2 @ h[2:], p.W3 @ h[4:]])
        h = f.concat([f.tanh(z[2 * k : 2 * k + 2]) if t % (k + 1) == 0 else h[2 * k : 2 * k + 2] for k in range(3)])
        out.append(h)
    return errors(f, out, p.goal)


@model(dead=("U", "W", "b"))
def echo_state_readout(m: Sketch) -> ag.Node:
    """Jaeger 2001: only what reads the reservoir learns."""
    h = ag.nn.echo_state(m.input("x", m.D), m.H, over=m.t, leak=0.3)
    return m.error(ag.nn.dense(h, m.K, name="readout"))


@echo_state_readout.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = f.zeros(len(p.b)), []
    for x in p.x:
        h = 0.7 * h + 0.3 * f.tanh(f.real(p.U) @ x + f.real(p.W) @ h + f.real(p.b))
        out.append(p["readout/W"] @ h + p["readout/b"])
    return errors(f, out, p.goal)


@model(refuses=AHEAD)
def stacked_both_ways(m: Sketch) -> ag.Node:
    """Three layers of GRUs in both directions, each added to what it reads where it fits."""
    both = partial(ag.nn.bidirectional, cell=ag.nn.gru)
    return m.error(ag.nn.stack(m.input("x", m.D), [2, 2, 2], over=m.t, cell=both, residual=True, name="s"))


@stacked_both_ways.plainly
def _(f: Functions, p: Fed) -> Any:
    h: list[Any] = list(p.x)
    for k in range(3):
        ways = [run("gru", f, p.under(f"s/{k}/{way}/"), h, ahead=way == "backward") for way in ("forward", "backward")]
        y = [f.concat([a, b]) for a, b in zip(*ways, strict=True)]
        h = [a + b for a, b in zip(h, y, strict=True)] if len(h[0]) == len(y[0]) else y
    return errors(f, h, p.goal)


@model()
def dilated_stack(m: Sketch) -> ag.Node:
    """Three causal convolutions that reach back 1, 2 and 4 steps, normalised by their root mean square."""
    h = m.input("x", m.D)
    for k in range(3):
        h = ag.tanh(ag.nn.causal_conv(ag.nn.rms_norm(h, name=f"n{k}", eps=0.1), m.H, 2, over=m.t, dilation=2**k, name=f"c{k}"))
    return m.error(h)


@dilated_stack.plainly
def _(f: Functions, p: Fed) -> Any:
    h: list[Any] = list(p.x)
    for k in range(3):
        h = [p[f"n{k}/gain"] * z / f.sqrt(f.mean(z * z) + 0.1) for z in h]
        old = [0 * p[f"n{k}/gain"]] * 2**k + h
        h = [f.tanh(p[f"c{k}/W0"] @ z + p[f"c{k}/W1"] @ b + p[f"c{k}/b"]) for z, b in zip(h, old, strict=False)]
    return errors(f, h, p.goal)


@model()
def word_embedding(m: Sketch) -> ag.Node:
    """A table of words and one of positions, and sines of the step, under a dense layer."""
    y = ag.nn.embedding(m.labels("y", m.K), m.K, 4) + ag.nn.learned_positions(m.t, m.T, 4) + ag.nn.sinusoidal(m.t, 4)
    return m.error(ag.nn.dense(y, m.H, name="out", activation=ag.tanh))


@word_embedding.plainly
def _(f: Functions, p: Fed) -> Any:
    out = []
    for t, l in enumerate(p.y):
        wave = f.array([f.sin(f.array(t * 1.0)), f.cos(f.array(t * 1.0)), f.sin(f.array(t * 0.01)), f.cos(f.array(t * 0.01))])
        out.append(f.tanh(p["out/W"] @ (p.E[int(l)] + p.P[t] + wave) + p["out/b"]))
    return errors(f, out, p.goal)
