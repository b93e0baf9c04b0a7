"""Attention in index notation: of a sequence to itself and to another, with heads as a dimension, rotary, and Transformers."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import ALONG, CAUSAL, Sketch, model
from zoo.plain import Fed, Functions
from zoo.recurrent import errors

NEVER = float("-inf")


def norm(f: Functions, x: Any, p: Fed) -> Any:
    """Layer norm."""
    x = x - f.mean(x)
    return p.gain * x / f.sqrt(f.mean(x * x) + 0.1) + p.bias


def heads_of(m: Sketch, x: ag.Node, name: str, heads: int, d: int) -> ag.Node:
    """(heads, d) from a vector."""
    return ag.reshape(m.param(name, heads * d, x.shape[0]) @ x, (heads, d))


def attended(f: Functions, p: Fed, xs: Any, ys: Any, causal: bool = False, heads: int = 2) -> list[Any]:
    """Each step of x attends to the steps of y, by several heads, in loops."""
    d, out = len(p.bq) // heads, []
    qs = [(p.Wq @ x + p.bq).reshape(heads, d) for x in xs]
    ks, vs = ([(p[f"W{c}"] @ y + p[f"b{c}"]).reshape(heads, d) for y in ys] for c in "kv")
    for t, q in enumerate(qs):
        seen, read = range(t + 1) if causal else range(len(ys)), []
        for h in range(heads):
            weights = f.softmax(f.stack([q[h] @ ks[u][h] for u in seen]) / d**0.5)
            read.append(sum(w * vs[u][h] for w, u in zip(weights, seen, strict=True)))
        out.append(p.Wo @ f.concat(read) + p.bo)
    return out


@model(refuses=CAUSAL)
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


@model(refuses=ALONG, dead=("self/bk",))
def multi_head_attention(m: Sketch) -> ag.Node:
    """Heads as a dimension, no mask. A bias of keys adds the same to all scores of a query: it has no gradient."""
    x = ag.nn.dense(m.input("x", m.D), 4, name="in")
    return m.error(ag.nn.multi_head_attention(x, 2, over=m.t, name="self"))


@multi_head_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    xs = [p["in/W"] @ x + p["in/b"] for x in p.x]
    return errors(f, attended(f, p.under("self/"), xs, xs), p.goal)


@model(refuses=CAUSAL)
def heads_as_an_axis(m: Sketch) -> ag.Node:
    """Causal attention of two heads along an axis of their own, with weights that vary over it."""
    t, s, x, d = m.t, m.s, m.input("x", m.D), 2
    head = ag.Axis("head", size=2)
    m.sizes["head"] = 2
    q, k, v = (ag.param(f"W{name}", (d, m.D), over=head) @ x for name in "qkv")
    score = ag.where(ag.index(s) <= ag.index(t), ag.dot(q, k.along(t, s)) / d**0.5, NEVER)
    read = ag.sum(ag.softmax(score, over=s) * v.along(t, s), over=s)
    return m.error(ag.sum(ag.param("Wo", (m.H, d), over=head) @ read, over=head))


@heads_as_an_axis.plainly
def _(f: Functions, p: Fed) -> Any:
    out = []
    for t in range(len(p.x)):
        total: Any = 0.0
        for Wq, Wk, Wv, Wo in zip(p.Wq, p.Wk, p.Wv, p.Wo, strict=True):
            weights = f.softmax(f.stack([(Wq @ p.x[t]) @ (Wk @ x) for x in p.x[: t + 1]]) / len(Wq) ** 0.5)
            total = total + Wo @ sum(w * (Wv @ x) for w, x in zip(weights, p.x, strict=False))
        out.append(total)
    return errors(f, out, p.goal)


@model(refuses=CAUSAL)
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


@model(refuses=CAUSAL)
def rotary_attention(m: Sketch) -> ag.Node:
    """Su et al. 2021: queries and keys are turned by angles that grow with the step, so that scores see distances alone."""
    t, s, x = m.t, m.s, m.input("x", m.D)
    q, k, v = (m.param(f"W{name}", 4, m.D) @ x[t] for name in "qkv")
    q, k = (ag.nn.rotary(z, t, base=100.0).along(t, s) if z is k else ag.nn.rotary(z, t, base=100.0) for z in (q, k))
    return m.error(ag.nn.dot_product_attention(q, k, v.along(t, s), over=s, mask=ag.nn.causal_mask(t, s), scale=1.0))


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


def layer(f: Functions, p: Fed, xs: list[Any], causal: bool = False, memory: Any = None, before: bool = True) -> list[Any]:
    """A layer of a Transformer, normalised before or after each part."""
    count = 0

    def add(xs: list[Any], part: Any) -> list[Any]:
        nonlocal count
        count += 1
        q = p.under(f"norm{count}/")
        ys = part([norm(f, x, q) for x in xs] if before else xs)
        xs = [x + y for x, y in zip(xs, ys, strict=True)]
        return xs if before else [norm(f, x, q) for x in xs]

    def feed(xs: list[Any]) -> list[Any]:
        return [p["outer/W"] @ f.relu(p["inner/W"] @ x + p["inner/b"]) + p["outer/b"] for x in xs]

    xs = add(xs, lambda ys: attended(f, p.under("self/"), ys, ys, causal))
    xs = xs if memory is None else add(xs, lambda ys: attended(f, p.under("cross/"), ys, memory))
    return add(xs, feed)


@model(refuses=ALONG, dead=("encoder/0/self/bk", "encoder/1/self/bk"))
def transformer_encoder(m: Sketch) -> ag.Node:
    """Two layers, normalised after each part, on a dense layer with sines of the step."""
    x = ag.nn.dense(m.input("x", m.D), 4, name="in") + ag.nn.sinusoidal(m.t, 4)
    return m.error(ag.nn.transformer_encoder(x, 2, 6, 2, over=m.t, eps=0.1))


@transformer_encoder.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = []
    for t, x in enumerate(p.x):
        angles = [f.array(t * 1.0), f.array(t * 0.01)]
        hs.append(p["in/W"] @ x + p["in/b"] + f.stack([g(a) for a in angles for g in (f.sin, f.cos)]))
    for k in range(2):
        hs = layer(f, p.under(f"encoder/{k}/"), hs, before=False)
    return errors(f, hs, p.goal)


@model(refuses=CAUSAL, dead=("d/0/self/bk", "d/1/self/bk"))
def transformer_decoder(m: Sketch) -> ag.Node:
    """A language model of two causal layers, which reads y[t − 1], its table used again for the scores of y[t]."""
    t, y = m.t, m.labels("y", m.K)
    E = m.param("E", m.K, 4)
    h = ag.take(E, ag.shift(y, t, 1)) + ag.cos(ag.index(t) * m.param("rate", 4))
    h = ag.nn.transformer_encoder(h, 2, 6, 2, over=t, causal=True, norm="before", eps=0.1, name="d")
    return m.total(ag.cross_entropy(E @ h, y))


@transformer_decoder.plainly
def _(f: Functions, p: Fed) -> Any:
    before = [0, *p.y[:-1]]
    hs = [p.E[int(l)] + f.cos(t * p.rate) for t, l in enumerate(before[: len(p.y)])]
    for k in range(2):
        hs = layer(f, p.under(f"d/{k}/"), hs, causal=True)
    hs = [norm(f, h, p.under("d/norm/")) for h in hs]
    return sum((f.cross_entropy(p.E @ h, l) for h, l in zip(hs, p.y, strict=True)), f.zeros())


@model(
    refuses=CAUSAL, T=5, U=4, lengths={"t": [5, 1, 3], "u": [2, 4, 3]},
    dead=("decoder/0/self/bk", "encoder/0/self/bk", "decoder/0/cross/bk"),
)  # fmt: skip
def transformer(m: Sketch) -> ag.Node:
    """Encoder and decoder: a layer on x over u, a causal one on y over t that also attends to the first."""
    t, u = m.t, m.u
    x, y = m.input("x", m.D, over=(u, *m.batch)), m.labels("y", m.K)
    memory = ag.nn.transformer_encoder(ag.nn.dense(x, 4, name="in"), 2, 6, 1, over=u, eps=0.1)
    h = ag.take(m.param("Ey", m.K, 4), ag.shift(y, t, 1)) + ag.cos(ag.index(t) * m.param("rate", 4))
    h = ag.nn.transformer_decoder(h, memory, 2, 6, 1, over=t, memory_over=u, eps=0.1)
    return m.total(ag.cross_entropy(m.param("O", m.K, 4) @ h, y))


@transformer.plainly
def _(f: Functions, p: Fed) -> Any:
    memory = layer(f, p.under("encoder/0/"), [p["in/W"] @ x + p["in/b"] for x in p.x], before=False)
    before = [0, *p.y[:-1]][: len(p.y)]
    hs = [p.Ey[int(l)] + f.cos(t * p.rate) for t, l in enumerate(before)]
    hs = layer(f, p.under("decoder/0/"), hs, causal=True, memory=memory, before=False)
    return sum((f.cross_entropy(p.O @ h, l) for h, l in zip(hs, p.y, strict=True)), f.zeros())
