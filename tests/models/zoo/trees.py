"""Steps that are read by value: recursion over trees, pointers, strided convolution and pooling, paths followed back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import autograd_seq as ag
from zoo.model import AHEAD, NAMED, SENT, Sketch, model
from zoo.plain import Fed, Functions
from zoo.recurrent import errors


def earlier(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of earlier steps, −1 for none."""
    steps = np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1))
    return (np.floor(rng.uniform(size=shape) * (steps + 1)) - 1).astype(int)


@model(refuses=SENT)
def tree_lstm(m: Sketch) -> ag.Node:
    """A binary Tree-LSTM (Tai, Socher & Manning 2015); nodes are steps, children before their parents."""
    x, H = m.input("x", m.D), m.H
    m.draws["child"] = earlier
    child = ag.input("child", (2,), over=m.over, dtype=int)
    h, c = m.state("h", H), m.state("c", H)
    (left, right), (c_left, c_right) = (ag.take(s, child, over=m.t, earlier=True) for s in (h, c))
    a = m.param("W", 5 * H, m.D) @ x + m.param("L", 5 * H, H) @ left + m.param("R", 5 * H, H) @ right + m.param("b", 5 * H)
    i, o, f, e, g = (a[k * H : (k + 1) * H] for k in range(5))
    c[m.over] = ag.sigmoid(i) * ag.tanh(g) + ag.sigmoid(f) * c_left + ag.sigmoid(e) * c_right
    h[m.over] = ag.sigmoid(o) * ag.tanh(c)
    return m.error(h)


@tree_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    H, hs, cs = p.L.shape[1], [], []
    for x, child in zip(p.x, p.child, strict=True):
        (left, right), (c_left, c_right) = ([s[int(k)] if k >= 0 else f.zeros(H) for k in child] for s in (hs, cs))
        a = p.W @ x + p.L @ left + p.R @ right + p.b
        i, o, forget, e, g = (a[k * H : (k + 1) * H] for k in range(5))
        cs.append(f.sigmoid(i) * f.tanh(g) + f.sigmoid(forget) * c_left + f.sigmoid(e) * c_right)
        hs.append(f.sigmoid(o) * f.tanh(cs[-1]))
    return errors(f, hs, p.goal)


@model(refuses=NAMED)
def pointers(m: Sketch) -> ag.Node:
    """Each step reads the step that a pointer names (Vinyals, Fortunato & Jaitly 2015), beside the one halfway to it."""
    h = ag.tanh(m.param("W", m.H, m.D) @ m.input("x", m.D))
    pointed = ag.minimum(m.labels("pointer", m.T), ag.size(m.t) - 1)
    return m.error(m.param("V", m.H, m.H) @ ag.take(h, pointed, over=m.t) + ag.take(h, pointed // 2, over=m.t))


@pointers.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = [f.tanh(p.W @ x) for x in p.x]
    at = [min(int(i), len(hs) - 1) for i in p.pointer]
    return errors(f, [p.V @ hs[i] + hs[i // 2] for i in at], p.goal)


@model(refuses=NAMED)
def upsampled(m: Sketch) -> ag.Node:
    """Twice as many steps, two for each of the first half, and the sequence in reverse."""
    h = ag.tanh(m.param("W", m.H, m.D) @ m.input("x", m.D))
    t, end = m.t, ag.size(m.t) - 1
    low = h.along(t, t // 2)
    return m.error(0.5 * low + 0.5 * ag.take(h, end - ag.index(t), over=t))


@upsampled.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = [f.tanh(p.W @ x) for x in p.x]
    return errors(f, [0.5 * hs[i // 2] + 0.5 * hs[len(hs) - 1 - i] for i in range(len(hs))], p.goal)


@model(refuses=NAMED, U=3, lengths={"t": [7, 6, 3], "u": [3, 2, 1]})
def strided_convolution(m: Sketch) -> ag.Node:
    """A convolution over three steps with stride 2, beside the larger of two neighbours (LeCun et al. 1998)."""
    x, t, u = m.input("x", m.D), m.t, m.u
    taps = [m.param(f"W{k}", m.H, m.D) @ x.along(t, 2 * u + k) for k in range(3)]
    h = m.param("V", m.H, m.D) @ x
    return m.error(ag.tanh(taps[0] + taps[1] + taps[2]) + ag.maximum(h.along(t, 2 * u), h.along(t, 2 * u + 1)))


@strided_convolution.plainly
def _(f: Functions, p: Fed) -> Any:
    out, hs = [], [p.V @ x for x in p.x]
    for k in range((len(p.x) - 1) // 2):
        taps = p.W0 @ p.x[2 * k] + p.W1 @ p.x[2 * k + 1] + p.W2 @ p.x[2 * k + 2]
        out.append(f.tanh(taps) + f.maximum(hs[2 * k], hs[2 * k + 1]))
    return errors(f, out, p.goal)


@model(refuses=AHEAD)
def viterbi(m: Sketch) -> ag.Node:
    """The best path through scores of an affine layer, found forward, and followed back by pointers; its score."""
    t, x, K = m.t, m.input("x", m.D), m.K
    scores, A = m.param("W", K, m.D) @ x, m.param("A", K, K)
    best, path = m.state("best", K), ag.state("path", over=m.over, dtype=int)
    before = best[t - 1][:, None] + A
    best[m.over] = scores + ag.where(ag.index(t) > 0, ag.max(before, axis=0), 0.0)
    pointers = ag.argmax(before, axis=0)
    ending = ag.equal(ag.index(t), ag.size(t) - 1)
    path[m.over] = ag.where(ending, ag.argmax(best), ag.pick(pointers[t + 1], path[t + 1]))
    moved = ag.where(ag.index(t) > 0, ag.pick(ag.take(A, path[t - 1]), path[t]), 0.0)
    return m.total(ag.pick(scores, path[t]) + moved)


@viterbi.plainly
def _(f: Functions, p: Fed) -> Any:
    if not len(p.x):
        return f.zeros()
    scores, pointers = [p.W @ x for x in p.x], []
    best = f.real(scores[0])
    for e in scores[1:]:
        pointers.append([int((best + f.real(p.A[:, k])).argmax()) for k in range(len(e))])
        best = f.real(e) + f.stack([(best + f.real(p.A[:, k])).max() for k in range(len(e))])
    path = [int(best.argmax())]
    for step in pointers[::-1]:
        path.insert(0, step[path[0]])
    total = sum(e[k] for e, k in zip(scores, path, strict=True))
    return total + sum(p.A[i, j] for i, j in pairwise(path))
