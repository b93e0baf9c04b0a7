"""Attention in index notation: of a sequence to itself and to another, with heads as a dimension, rotary, and Transformers."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import ALONG, Sketch, model
from zoo.plain import Fed, Functions
from zoo.recurrent import errors

NEVER = float("-inf")


def norm(f: Any, x: Any, gain: Any, bias: Any) -> Any:
    """Layer norm, in ``ag`` or in plain functions."""
    x = x - f.sum(x) / x.shape[0]
    return gain * x / f.sqrt(f.sum(x * x) / x.shape[0] + 0.1) + bias


def heads_of(m: Sketch, x: ag.Node, name: str, heads: int, d: int) -> ag.Node:
    """(heads, d) from a vector."""
    return ag.reshape(m.param(name, heads * d, x.shape[0]) @ x, (heads, d))


def attend(m: Sketch, x: ag.Node, y: ag.Node, t: ag.Axis, u: ag.Axis, name: str, causal: bool = False,
           heads: int = 2, d: int = 2) -> ag.Node:  # fmt: skip
    """Each step of x on t attends to the steps of y on u, by several heads."""
    q, k, v = heads_of(m, x, f"{name}q", heads, d), heads_of(m, y, f"{name}k", heads, d), heads_of(m, y, f"{name}v", heads, d)
    score = ag.einsum("hi,hi->h", q, k) / d**0.5
    if causal:
        score = ag.where(ag.index(u) <= ag.index(t), score, NEVER)
    read = ag.sum(ag.softmax(score, over=u)[:, None] * v, over=u)
    return m.param(f"{name}o", x.shape[0], heads * d) @ ag.reshape(read, (heads * d,))


def attended(f: Functions, p: Fed, xs: Any, ys: Any, name: str, causal: bool = False, heads: int = 2) -> list[Any]:
    """The same in loops."""
    d, out = len(p[f"{name}q"]) // heads, []
    qs = [(p[f"{name}q"] @ x).reshape(heads, d) for x in xs]
    ks, vs = ([(p[f"{name}{c}"] @ y).reshape(heads, d) for y in ys] for c in "kv")
    for t, q in enumerate(qs):
        seen, read = range(t + 1) if causal else range(len(ys)), []
        for h in range(heads):
            weights = f.softmax(f.stack([q[h] @ ks[u][h] for u in seen]) / d**0.5)
            read.append(sum(w * vs[u][h] for w, u in zip(weights, seen, strict=True)))
        out.append(p[f"{name}o"] @ f.concat(read))
    return out


@model(refuses=ALONG)
def self_attention(m: Sketch) -> ag.Node:
    """One head, causal."""
    t, s, x = m.t, m.s, m.input("x", m.D)
    q, k, v = (m.param(f"W{name}", m.H, m.D) @ x for name in "qkv")
    score = ag.where(ag.index(s) <= ag.index(t), ag.dot(q, k.along(t, s)) / m.H**0.5, NEVER)
    return m.error(ag.sum(ag.softmax(score, over=s) * v.along(t, s), over=s))


@self_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    qs, ks, vs = ([W @ x for x in p.x] for W in (p.Wq, p.Wk, p.Wv))
    out = []
    for t, q in enumerate(qs):
        weights = f.softmax(f.stack([q @ k for k in ks[: t + 1]]) / len(q) ** 0.5)
        out.append(sum(w * v for w, v in zip(weights, vs, strict=False)))
    return errors(f, out, p.goal)


@model(refuses=ALONG)
def multi_head_attention(m: Sketch) -> ag.Node:
    """Heads as a dimension, no mask."""
    x = m.input("x", m.D)
    return m.error(attend(m, x, x.along(m.t, m.s), m.t, m.s, "W"))


@multi_head_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    return errors(f, attended(f, p, p.x, p.x, "W"), p.goal)


@model(refuses=ALONG)
def local_attention(m: Sketch) -> ag.Node:
    """The last three steps only, with a penalty that grows with the distance, learned (as ALiBi has it)."""
    t, s, x = m.t, m.s, m.input("x", m.D)
    q, k, v = (m.param(f"W{name}", m.H, m.D) @ x for name in "qkv")
    far = ag.index(t) - ag.index(s)
    score = ag.dot(q, k.along(t, s)) - ag.softplus(m.param("slope")) * far
    score = ag.where(ag.logical_and(far >= 0, far < 3), score, NEVER)
    return m.error(ag.sum(ag.softmax(score, over=s) * v.along(t, s), over=s))


@local_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    qs, ks, vs = ([W @ x for x in p.x] for W in (p.Wq, p.Wk, p.Wv))
    out = []
    for t, q in enumerate(qs):
        seen = range(max(0, t - 2), t + 1)
        weights = f.softmax(f.stack([q @ ks[s] - f.softplus(p.slope) * (t - s) for s in seen]))
        out.append(sum(w * vs[s] for w, s in zip(weights, seen, strict=True)))
    return errors(f, out, p.goal)


@model()
def windowed_attention(m: Sketch) -> ag.Node:
    """The same reach by a window, which goes on from piece to piece; steps before the first are zeros, and count."""
    t, x = m.t, m.input("x", m.D)
    q, k, v = (m.param(f"W{name}", m.H, m.D) @ x for name in "qkv")
    weights = ag.softmax(ag.window(k, t, 3) @ q)
    return m.error(weights @ ag.window(v, t, 3))


@windowed_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    nothing = [f.zeros(len(p.Wq))] * 2
    ks, vs = (nothing + [W @ x for x in p.x] for W in (p.Wk, p.Wv))
    out = []
    for t, x in enumerate(p.x):
        weights = f.softmax(f.stack([k @ (p.Wq @ x) for k in ks[t : t + 3]]))
        out.append(sum(w * v for w, v in zip(weights, vs[t : t + 3], strict=True)))
    return errors(f, out, p.goal)


@model(refuses=ALONG)
def rotary_attention(m: Sketch) -> ag.Node:
    """Su et al. 2021: queries and keys are turned by angles that grow with the step, so that scores see distances alone."""
    t, s, x, pairs = m.t, m.s, m.input("x", m.D), 2
    rates = ag.constant([1.0, 0.1])

    def turned(z: ag.Node) -> ag.Node:
        angle = ag.index(t) * rates
        a, b = z[:pairs], z[pairs:]
        return ag.concat([a * ag.cos(angle) - b * ag.sin(angle), a * ag.sin(angle) + b * ag.cos(angle)])

    q, k, v = (m.param(f"W{name}", 2 * pairs, m.D) @ x[t] for name in "qkv")
    score = ag.where(ag.index(s) <= ag.index(t), ag.dot(turned(q), turned(k).along(t, s)), NEVER)
    return m.error(ag.sum(ag.softmax(score, over=s) * v.along(t, s), over=s))


@rotary_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    def turned(z: Any, t: int) -> Any:
        c, s = f.cos(f.array([t * 1.0, t * 0.1])), f.sin(f.array([t * 1.0, t * 0.1]))
        return f.concat([z[:2] * c - z[2:] * s, z[:2] * s + z[2:] * c])

    qs, ks = ([turned(W @ x, t) for t, x in enumerate(p.x)] for W in (p.Wq, p.Wk))
    out = []
    for t, q in enumerate(qs):
        weights = f.softmax(f.stack([q @ k for k in ks[: t + 1]]))
        out.append(sum(w * (p.Wv @ x) for w, x in zip(weights, p.x, strict=False)))
    return errors(f, out, p.goal)


def fed_forward(m: Sketch, x: ag.Node, name: str) -> ag.Node:
    n = x.shape[0]
    inner = ag.relu(m.param(f"{name}1", 2 * n, n) @ x + m.param(f"{name}b1", 2 * n))
    return m.param(f"{name}2", n, 2 * n) @ inner + m.param(f"{name}b2", n)


def normed(m: Sketch, x: ag.Node, name: str) -> ag.Node:
    return norm(ag, x, m.param(f"{name}a", x.shape[0]), m.param(f"{name}b", x.shape[0]))


def encoder(m: Sketch, x: ag.Node, t: ag.Axis, s: ag.Axis, name: str, causal: bool = False) -> ag.Node:
    """A block: attention to itself, then a net, each added to what came in, normed before (Xiong et al. 2020)."""
    y = normed(m, x, f"{name}n")
    x = x + attend(m, y, y.along(t, s), t, s, f"{name}s", causal)
    return x + fed_forward(m, normed(m, x, f"{name}m"), f"{name}f")


def encoded(f: Functions, p: Fed, xs: list[Any], name: str, causal: bool = False) -> list[Any]:
    ys = [norm(f, x, p[f"{name}na"], p[f"{name}nb"]) for x in xs]
    xs = [x + y for x, y in zip(xs, attended(f, p, ys, ys, f"{name}s", causal), strict=True)]
    return [x + plain_fed_forward(f, p, norm(f, x, p[f"{name}ma"], p[f"{name}mb"]), f"{name}f") for x in xs]


def plain_fed_forward(f: Functions, p: Fed, x: Any, name: str) -> Any:
    return p[f"{name}2"] @ f.relu(p[f"{name}1"] @ x + p[f"{name}b1"]) + p[f"{name}b2"]


@model(refuses=ALONG)
def transformer_encoder(m: Sketch) -> ag.Node:
    """Two blocks on an embedding with learned rates of position."""
    t, x = m.t, m.input("x", m.D)
    h = m.param("E", m.H, m.D) @ x + ag.sin(ag.index(t) * m.param("rate", m.H))
    for k in range(2):
        h = encoder(m, h, t, m.s, str(k))
    return m.error(h)


@transformer_encoder.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = [p.E @ x + f.sin(t * p.rate) for t, x in enumerate(p.x)]
    for k in range(2):
        hs = encoded(f, p, hs, str(k))
    return errors(f, hs, p.goal)


@model(refuses=ALONG)
def transformer_decoder(m: Sketch) -> ag.Node:
    """A language model of two causal blocks, which reads y[t − 1], its table used again to say y[t]."""
    t, y = m.t, m.labels("y", m.K)
    E = m.param("E", m.K, m.H)
    h = ag.take(E, ag.shift(y, t, 1)) + ag.cos(ag.index(t) * m.param("rate", m.H))
    for k in range(2):
        h = encoder(m, h, t, m.s, str(k), causal=True)
    return m.total(ag.cross_entropy(E @ h, y))


@transformer_decoder.plainly
def _(f: Functions, p: Fed) -> Any:
    before = [0, *p.y[:-1]]
    hs = [p.E[int(l)] + f.cos(t * p.rate) for t, l in enumerate(before[: len(p.y)])]
    for k in range(2):
        hs = encoded(f, p, hs, str(k), causal=True)
    return sum((f.cross_entropy(p.E @ h, l) for h, l in zip(hs, p.y, strict=True)), f.zeros())


@model(refuses=ALONG, T=5, U=4, lengths={"t": [5, 1, 3], "u": [2, 4, 3]})
def transformer(m: Sketch) -> ag.Node:
    """Encoder and decoder: a block on x over u, a causal one on y over t that also attends to the first."""
    t, s, u, r = m.t, m.s, m.u, ag.Axis("r")
    x, y = m.input("x", m.D, over=(u, *m.batch)), m.labels("y", m.K)
    memory = encoder(m, m.param("Ex", m.H, m.D) @ x, u, r, "e")
    h = ag.take(m.param("Ey", m.K, m.H), ag.shift(y, t, 1)) + ag.cos(ag.index(t) * m.param("rate", m.H))
    h = encoder(m, h, t, s, "d", causal=True)
    h = h + attend(m, normed(m, h, "c"), memory, t, u, "x")
    return m.total(ag.cross_entropy(m.param("O", m.K, m.H) @ h, y))


@transformer.plainly
def _(f: Functions, p: Fed) -> Any:
    memory = encoded(f, p, [p.Ex @ x for x in p.x], "e")
    before = [0, *p.y[:-1]][: len(p.y)]
    hs = encoded(f, p, [p.Ey[int(l)] + f.cos(t * p.rate) for t, l in enumerate(before)], "d", causal=True)
    read = attended(f, p, [norm(f, h, p.ca, p.cb) for h in hs], memory, "x")
    return sum((f.cross_entropy(p.O @ (h + r), l) for h, r, l in zip(hs, read, p.y, strict=True)), f.zeros())
