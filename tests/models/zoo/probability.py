"""Sums over paths and densities: mixtures, hidden Markov models, CRF, CTC, alignments on a grid, Kalman's filter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import autograd_seq as ag
from zoo.model import Sketch, between, model
from zoo.plain import Fed, Functions
from zoo.recurrent import run

NEVER = float("-inf")


@model()
def mixture_density(m: Sketch) -> ag.Node:
    """Graves 2013: an RNN says the weights, means and widths of K Gaussians of the next number."""
    t, x, y, n = m.t, m.input("x", m.D), m.input("y"), m.K
    h = ag.nn.gru(x, m.H, over=t)
    z = m.param("O", 3 * n, m.H) @ h[t] + m.param("c", 3 * n)
    weight, mean, wide = ag.log_softmax(z[:n]), z[n : 2 * n], z[2 * n :]
    density = weight - 0.5 * ((y - mean) * ag.exp(-wide)) ** 2 - wide - 0.5 * math.log(2 * math.pi)
    return m.total(-ag.logsumexp(density))


@mixture_density.plainly
def _(f: Functions, p: Fed) -> Any:
    total, n = f.zeros(), len(p.c) // 3
    for h, y in zip(run("gru", f, p, list(p.x)), p.y, strict=True):
        z = p.O @ h + p.c
        soft, mean, wide = f.softmax(z[:n]), z[n : 2 * n], f.exp(z[2 * n :])
        total = total - f.log((soft * f.exp(-(((y - mean) / wide) ** 2) / 2) / (wide * math.sqrt(2 * math.pi))).sum())
    return total


@model()
def hmm_scaled(m: Sketch) -> ag.Node:
    """Rabiner 1989: the forward algorithm, its probabilities scaled to 1 at each step; symbols by a table."""
    t, o, a = m.t, m.labels("o", m.K), m.state("a", m.H, init={m.t: ag.softmax(m.param("pi", m.H))})
    A, B = ag.softmax(m.param("A", m.H, m.H)), ag.softmax(m.param("B", m.H, m.K))
    joint = (a[t - 1] @ A) * ag.take(B.T, o[t])
    a[t] = joint / ag.sum(joint)
    return m.total(-ag.log(ag.sum(joint)))


@hmm_scaled.plainly
def _(f: Functions, p: Fed) -> Any:
    A, B = (f.stack([f.softmax(row) for row in W]) for W in (p.A, p.B))
    a, total = f.softmax(p.pi), f.zeros()
    for o in p.o:
        joint = (a @ A) * B[:, int(o)]
        total, a = total - f.log(joint.sum()), joint / joint.sum()
    return total


@model(pieces="last")
def hmm_in_logs(m: Sketch) -> ag.Node:
    """The same in logarithms, with Gaussian emissions: α_t = logsumexp over what was, the likelihood at the end."""
    t, y, n = m.t, m.input("y"), m.H
    alpha = m.state("alpha", n, init={t: ag.log_softmax(m.param("pi", n))})
    emit = -0.5 * (y[t] - m.param("mu", n)) ** 2 - math.log(math.sqrt(2 * math.pi))
    alpha[t] = ag.logsumexp(alpha[t - 1][:, None] + ag.log_softmax(m.param("A", n, n)), axis=0) + emit
    return m.total(-ag.logsumexp(ag.last(alpha, over=t)))


@hmm_in_logs.plainly
def _(f: Functions, p: Fed) -> Any:
    A, a = f.stack([f.softmax(row) for row in p.A]), f.softmax(p.pi)
    for y in p.y:
        a = (a @ A) * f.exp(-0.5 * (y - p.mu) ** 2) / math.sqrt(2 * math.pi)
    return -f.log(a.sum())


@model(pieces="nothing")
def chain_crf(m: Sketch) -> ag.Node:
    """Lafferty et al. 2001: log Z of all paths from class 0, less the score of the one that was seen."""
    t, x, y, n = m.t, m.input("x", m.D), m.labels("y", m.K), m.K
    A, e = m.param("A", n, n), m.param("U", n, m.D) @ x
    start = [0.0] + [NEVER] * (n - 1)
    alpha = m.state("alpha", n, init={t: ag.constant(start)})
    alpha[t] = ag.logsumexp(alpha[t - 1][:, None] + A, axis=0) + e[t]
    score = ag.pick(ag.take(A, y[t - 1]), y[t]) + ag.pick(e[t], y[t])
    return m.total(ag.logsumexp(ag.last(alpha, over=t))) - m.total(score)


@chain_crf.plainly
def _(f: Functions, p: Fed) -> Any:
    paths, score, before = f.exp(p.A[0] + p.U @ p.x[0]), f.zeros(), 0
    for k, (x, y) in enumerate(zip(p.x, p.y, strict=True)):
        if k:
            paths = (paths @ f.exp(p.A)) * f.exp(p.U @ x)
        score, before = score + p.A[before][int(y)] + (p.U @ x)[int(y)], int(y)
    return f.log(paths.sum()) - score


def with_blanks(rng: Any, shape: Any) -> Any:
    """Labels 1 … 3 with 0 before, between and after them; two of the same in a row as well."""
    out = rng.integers(1, 4, shape)
    out[::2] = 0
    out[3] = out[1]
    return out


@model(pieces="nothing", lengths={"t": [7, 1, 4], "u": [5, 3, 3]})
def ctc(m: Sketch) -> ag.Node:
    """Graves et al. 2006 on a grid of steps and labels with blanks: stay, go on, or skip a blank between two labels."""
    t, u, x = m.t, m.u, m.input("x", m.D)
    m.draws["l"] = with_blanks
    label = ag.input("l", over=(u, *m.batch), dtype=int)
    h = ag.nn.rnn(x, m.H, over=t)
    said = ag.log_softmax(m.param("O", m.K, m.H) @ h)
    alpha = m.state("alpha", over=(t, u, *m.batch), init={t: ag.where(ag.equal(ag.index(u), 0), 0.0, NEVER), u: NEVER})
    skip = ag.logical_and(ag.not_equal(label[u], 0), ag.not_equal(label[u], label[u - 2]))
    ways = [alpha[t - 1, u], alpha[t - 1, u - 1], ag.where(skip, alpha[t - 1, u - 2], NEVER)]
    alpha[t, u] = ag.logsumexp(ag.stack(ways)) + ag.pick(said[t], label[u])
    ends = [ag.at(ag.last(alpha, over=t), u, k) for k in (-1, -2)]
    return m.total(-ag.logsumexp(ag.stack(ends)))


@ctc.plainly
def _(f: Functions, p: Fed) -> Any:
    labels, paths = [int(l) for l in p.l], None
    for h in run("rnn", f, p, list(p.x)):
        said, new = f.softmax(p.O @ h), []
        for u, label in enumerate(labels):
            before = [(1.0 if u == 0 else 0.0)] if paths is None else [paths[u]]
            before += [(1.0 if u == 1 else 0.0) if paths is None else paths[u - 1]] if u else []
            before += [paths[u - 2]] if u > 1 and paths is not None and label and label != labels[u - 2] else []
            new.append(sum(before) * said[label])
        paths = new
    return -f.log(paths[-1] + paths[-2])


def costs(m: Sketch) -> tuple[ag.Node, ag.Axis, ag.Axis]:
    """|a_t − b_u|² of two sequences, each mapped by a matrix."""
    t, u = m.t, m.u
    a, b = m.input("a", m.D, over=(t, *m.batch)), m.input("b", m.D, over=(u, *m.batch))
    off = m.param("A", m.H, m.D) @ a[t] - m.param("B", m.H, m.D) @ b[u]
    return ag.sum(off * off), t, u


@model(pieces="nothing", T=5, U=4, lengths={"t": [5, 1, 3], "u": [2, 4, 3]})
def soft_dtw(m: Sketch) -> ag.Node:
    """Cuturi & Blondel 2017: the soft least cost of an alignment, r = d + softmin of three neighbours."""
    d, t, u = costs(m)
    r = m.state("r", over=(t, u, *m.batch), init={t: math.inf, u: math.inf})
    least = -0.5 * ag.logsumexp(ag.stack([-r[t - 1, u], -r[t, u - 1], -r[t - 1, u - 1]]) / 0.5)
    corner = ag.logical_and(ag.equal(ag.index(t), 0), ag.equal(ag.index(u), 0))
    r[t, u] = d + ag.where(corner, 0.0, least)
    return m.total(ag.last(ag.last(r, over=t), over=u))


@soft_dtw.plainly
def _(f: Functions, p: Fed) -> Any:
    r: dict[tuple[int, int], Any] = {}
    for i, a in enumerate(p.a):
        for j, b in enumerate(p.b):
            d = ((p.A @ a - p.B @ b) ** 2).sum()
            near = [r[k] for k in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if k in r]
            r[i, j] = d - (0.5 * f.logsumexp(f.stack(near) / -0.5) if near else 0.0)
    return r[len(p.a) - 1, len(p.b) - 1]


@model(pieces="nothing", T=5, U=4, lengths={"t": [5, 1, 3], "u": [2, 4, 3]})
def edit_distance(m: Sketch) -> ag.Node:
    """Wagner & Fischer 1974 with learned costs of what is left out, put in or changed."""
    t, u = m.t, m.u
    a, b = m.input("a", over=(t, *m.batch)), m.input("b", over=(u, *m.batch))
    drop, put = m.param("drop", draw=between(0.3, 0.4)), m.param("put", draw=between(0.2, 0.3))
    D = m.state("D", over=(t, u, *m.batch), init={t: (ag.index(u) + 1) * put, u: (ag.index(t) + 1) * drop})
    change = ag.tanh((a[t] - b[u]) ** 2 * m.param("scale", draw=between(0.5, 1.0)))
    least = ag.minimum(ag.minimum(D[t - 1, u] + drop, D[t, u - 1] + put), D[t - 1, u - 1] + change)
    D[t, u] = least
    return m.total(ag.last(ag.last(D, over=t), over=u))


@edit_distance.plainly
def _(f: Functions, p: Fed) -> Any:
    D = {(-1, j): (j + 1) * p.put for j in range(-1, len(p.b))} | {(i, -1): (i + 1) * p.drop for i in range(len(p.a))}
    for i, a in enumerate(p.a):
        for j, b in enumerate(p.b):
            change = f.tanh((a - b) ** 2 * p.scale)
            D[i, j] = min((D[i - 1, j] + p.drop, D[i, j - 1] + p.put, D[i - 1, j - 1] + change), key=lambda c: float(f.real(c)))
    return D[len(p.a) - 1, len(p.b) - 1]


@model()
def kalman(m: Sketch) -> ag.Node:
    """Kalman 1960: a state of two numbers seen through one; the likelihood of what is seen (innovations)."""
    t, y, n = m.t, m.input("y"), 2
    A, c = m.param("A", n, n), m.param("c", n)
    G, r = m.param("G", n, n), ag.softplus(m.param("r"))
    mean, P = m.state("m", n), m.state("P", n, n, init={t: ag.constant([[1.0, 0.0], [0.0, 1.0]])})
    guess, spread = A @ mean[t - 1], A @ P[t - 1] @ A.T + G @ G.T
    off, size = y[t] - ag.dot(c, guess), ag.dot(c, spread @ c) + r
    gain = spread @ c / size
    mean[t] = guess + gain * off
    P[t] = spread - ag.outer(gain, c @ spread)
    return m.total(0.5 * (ag.log(2 * math.pi * size) + off * off / size))


@kalman.plainly
def _(f: Functions, p: Fed) -> Any:
    """By what it means: y is Gaussian with the covariance that the model implies, all steps at once."""
    steps, r = len(p.y), f.softplus(p.r)
    means = [f.array([1.0, 0.0]), f.array([0.0, 1.0])]
    noise = [*means, *(p.G.T[k] for k in range(2))]  # columns of the start, then of each step
    paths: list[list[Any]] = []  # by step, what each independent cause of norm 1 adds to y
    causes = [p.A @ k for k in noise[:2]]
    for _ in range(steps):
        causes = [*causes, *noise[2:]]
        paths.append([p.c @ k for k in causes])
        causes = [p.A @ k for k in causes]
    return gaussian(f, p.y, paths, r)


@model()
def kalman_of_two(m: Sketch) -> ag.Node:
    """The same seen through two numbers at once, which takes a matrix S: its solution and determinant at each step."""
    t, y, n = m.t, m.input("y", 2), 2
    A, C = m.param("A", n, n), m.param("C", 2, n)
    G, r = m.param("G", n, n), ag.softplus(m.param("r"))
    mean, P = m.state("m", n), m.state("P", n, n, init={t: ag.constant(np.eye(n))})
    guess, spread = A @ mean[t - 1], A @ P[t - 1] @ A.T + G @ G.T
    off, S = y[t] - C @ guess, C @ spread @ C.T + r * np.eye(2)
    gain = ag.linalg.solve(S, C @ spread).T
    mean[t] = guess + gain @ off
    P[t] = spread - gain @ C @ spread
    size = ag.linalg.slogdet(2 * math.pi * S)[1]
    return m.total(0.5 * (size + ag.dot(off, ag.linalg.solve(S, off))))


@kalman_of_two.plainly
def _(f: Functions, p: Fed) -> Any:
    """As above, the two numbers of a step one after the other: both depend on the same causes."""
    start = [f.array([1.0, 0.0]), f.array([0.0, 1.0])]
    causes, paths, seen = [p.A @ k for k in start], [], []
    for y in p.y:
        causes = [*causes, *(p.G.T[k] for k in range(2))]
        paths += [[c @ k for k in causes] for c in p.C]
        seen += [y[0], y[1]]
        causes = [p.A @ k for k in causes]
    return gaussian(f, seen, paths, f.softplus(p.r))


def gaussian(f: Functions, y: Any, paths: list[list[Any]], r: Any) -> Any:
    """−log density of y, whose covariance is that of the causes plus r, by Cholesky's elimination."""
    n = len(paths)
    S = [[sum(a * b for a, b in zip(paths[i], paths[j], strict=False)) + (r if i == j else 0.0) for j in range(n)]
         for i in range(n)]  # fmt: skip
    rest, total = list(y), f.zeros()
    for k in range(n):
        total = total + 0.5 * (f.log(2 * math.pi * S[k][k]) + rest[k] ** 2 / S[k][k])
        for i in range(k + 1, n):
            ratio = S[i][k] / S[k][k]
            rest[i] = rest[i] - ratio * rest[k]
            S[i] = [a - ratio * b for a, b in zip(S[i], S[k], strict=True)]
    return total
