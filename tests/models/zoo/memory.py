"""External memory, convolutions by shifts, energies, and states over two axes."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import ROWS, Sketch, model, normal
from zoo.plain import Fed, Functions
from zoo.recurrent import errors


@model(T=5, lengths={"t": [5, 1, 3]})
def turing_machine(m: Sketch) -> ag.Node:
    """Graves, Wayne & Danihelka 2014: one head that reads and writes, addressed by content, then by a shift, then sharpened."""
    t, x, places, wide = m.t, m.input("x", m.D), m.K, m.H
    h, w, r = m.state("h", m.H), m.state("w", places, init={m.t: ag.softmax(m.param("w0", places))}), m.state("r", wide)
    M = m.state("M", places, wide, init={m.t: m.param("M0", places, wide, draw=normal(0.5))})
    h[t] = ag.tanh(m.param("U", m.H, m.D) @ x[t] + m.param("W", m.H, m.H) @ h[t - 1] + m.param("R", m.H, wide) @ r[t - 1])

    def said(name: str, *shape: int) -> ag.Node:
        return m.param(name, *shape, m.H) @ h[t]

    key, strength = said("k", wide), 1 + ag.softplus(said("beta"))
    size = ag.sqrt(0.1 + ag.sum(M[t - 1] * M[t - 1], axis=1)) * ag.sqrt(0.1 + ag.dot(key, key))
    content = ag.softmax(strength * (M[t - 1] @ key) / size)
    gate = ag.sigmoid(said("g"))
    mixed = gate * content + (1 - gate) * w[t - 1]
    turn = ag.softmax(said("s", 3))
    turned = sum(turn[k] * ag.concat([mixed[1 - k :], mixed[: 1 - k]]) for k in range(3))
    sharp = turned ** (1 + ag.softplus(said("gamma")))
    w[t] = sharp / ag.sum(sharp)
    M[t] = M[t - 1] * (1 - ag.outer(w[t], ag.sigmoid(said("e", wide)))) + ag.outer(w[t], ag.tanh(said("a", wide)))
    r[t] = w[t] @ M[t]
    return m.error(m.param("O", m.D, wide) @ r[t] + m.param("V", m.D, m.H) @ h[t])


@turing_machine.plainly
def _(f: Functions, p: Fed) -> Any:
    h, w, r, M, out = f.zeros(len(p.W)), f.softmax(p.w0), f.zeros(len(p.k)), p.M0, []
    n = len(p.w0)
    for x in p.x:
        h = f.tanh(p.U @ x + p.W @ h + p.R @ r)
        key, strength, gate = p.k @ h, 1 + f.softplus(p.beta @ h), f.sigmoid(p.g @ h)
        sizes = f.sqrt(0.1 + (M * M).sum(1)) * f.sqrt(0.1 + key @ key)
        mixed = gate * f.softmax(strength * (M @ key) / sizes) + (1 - gate) * w
        turn = f.softmax(p.s @ h)
        turned = f.stack([sum(turn[k] * mixed[(i + 1 - k) % n] for k in range(3)) for i in range(n)])
        sharp = turned ** (1 + f.softplus(p.gamma @ h))
        w = sharp / sharp.sum()
        M = M * (1 - f.outer(w, f.sigmoid(p.e @ h))) + f.outer(w, f.tanh(p.a @ h))
        r = w @ M
        out.append(p.O @ r + p.V @ h)
    return errors(f, out, p.goal)


@model()
def neural_stack(m: Sketch) -> ag.Node:
    """Joulin & Mikolov 2015: a stack of K places, pushed, popped or left alone by the weights that a state says."""
    t, x, deep = m.t, m.input("x", m.D), m.K
    h, s = m.state("h", m.H), m.state("s", deep)
    h[t] = ag.tanh(m.param("U", m.H, m.D) @ x[t] + m.param("W", m.H, m.H) @ h[t - 1] + m.param("P", m.H) * s[t - 1][0])
    act = ag.softmax(m.param("A", 3, m.H) @ h[t])
    new = ag.reshape(ag.sigmoid(m.param("d", m.H) @ h[t]), (1,))
    pushed, popped = ag.concat([new, s[t - 1][:-1]]), ag.pad(s[t - 1][1:], [(0, 1)])
    s[t] = act[0] * pushed + act[1] * popped + act[2] * s[t - 1]
    return m.error(s)


@neural_stack.plainly
def _(f: Functions, p: Fed) -> Any:
    h, s, out = f.zeros(len(p.W)), f.zeros(4), []
    for x in p.x:
        h = f.tanh(p.U @ x + p.W @ h + p.P * s[0])
        act, new = f.softmax(p.A @ h), f.sigmoid(p.d @ h)
        pushed = f.concat([f.stack([new]), s[:-1]])
        popped = f.concat([s[1:], f.zeros(1)])
        s = act[0] * pushed + act[1] * popped + act[2] * s
        out.append(s)
    return errors(f, out, p.goal)


@model(T=9)
def wavenet(m: Sketch) -> ag.Node:
    """van den Oord et al. 2016: causal convolutions of 1, 2 and 4 steps by shifts, gated, residual, with skips."""
    t, x = m.t, m.input("x", m.D)
    h, skips = m.param("E", m.H, m.D) @ x[t], []
    for k, far in enumerate((1, 2, 4)):
        f, g = (m.param(f"{c}{k}", m.H, m.H) @ h + m.param(f"{c}b{k}", m.H, m.H) @ ag.shift(h, t, far) for c in "fg")
        z = ag.tanh(f) * ag.sigmoid(g)
        skips.append(m.param(f"S{k}", m.K, m.H) @ z)
        h = h + m.param(f"R{k}", m.H, m.H) @ z
    return m.error(m.param("O", m.K, m.K) @ ag.relu(sum(skips[1:], skips[0])) + m.param("P", m.K, m.H) @ h)


@wavenet.plainly
def _(f: Functions, p: Fed) -> Any:
    hs, skips = [p.E @ x for x in p.x], [f.zeros(len(p.O))] * len(p.x)
    for k, far in enumerate((1, 2, 4)):
        old = [f.zeros(len(p.E))] * far + hs
        zs = [f.tanh(p[f"f{k}"] @ h + p[f"fb{k}"] @ b) * f.sigmoid(p[f"g{k}"] @ h + p[f"gb{k}"] @ b)
              for h, b in zip(hs, old, strict=False)]  # fmt: skip
        skips = [s + p[f"S{k}"] @ z for s, z in zip(skips, zs, strict=True)]
        hs = [h + p[f"R{k}"] @ z for h, z in zip(hs, zs, strict=True)]
    return errors(f, [p.O @ f.relu(s) + p.P @ h for s, h in zip(skips, hs, strict=True)], p.goal)


@model()
def temporal_convolution(m: Sketch) -> ag.Node:
    """Two layers of causal convolutions over windows, the second dilated, batch of channels by one contraction."""
    t, x = m.t, m.input("x", m.D)
    h = ag.tanh(ag.einsum("kd,khd->h", ag.window(x, t, 3), m.param("A", 3, m.H, m.D)) + m.param("a", m.H))
    h = ag.tanh(ag.einsum("kd,khd->h", ag.window(h, t, 2, every=2), m.param("B", 2, m.K, m.H)))
    return m.error(h)


@temporal_convolution.plainly
def _(f: Functions, p: Fed) -> Any:
    xs = [f.zeros(p.A.shape[2])] * 2 + list(p.x)
    hs = [f.tanh(sum((p.A[k] @ xs[t + k] for k in range(3)), p.a)) for t in range(len(p.x))]
    old = [f.zeros(len(p.a))] * 2 + hs
    return errors(f, [f.tanh(p.B[0] @ old[t] + p.B[1] @ hs[t]) for t in range(len(hs))], p.goal)


@model()
def hopfield_unrolled(m: Sketch) -> ag.Node:
    """Three updates of a symmetric net for each input, written out in Python."""
    x, W, z = m.input("x", m.D), m.param("W", m.H, m.H, draw=normal(0.5)), None
    drive = m.param("U", m.H, m.D) @ x + m.param("b", m.H)
    z = ag.tanh(drive)
    for _ in range(3):
        z = ag.tanh((W + W.T) @ z + drive)
    return m.error(z)


@hopfield_unrolled.plainly
def _(f: Functions, p: Fed) -> Any:
    out = []
    for x in p.x:
        drive = p.U @ x + p.b
        z = f.tanh(drive)
        for _ in range(3):
            z = f.tanh((p.W + p.W.T) @ z + drive)
        out.append(z)
    return errors(f, out, p.goal)


@model(steps="u")
def modern_hopfield(m: Sketch) -> ag.Node:
    """Ramsauer et al. 2021: patterns over t are stored; a query is updated along u, z_u = Σ softmax(β z·x) x."""
    t, u, x = m.t, m.u, m.input("x", m.H)
    z = m.state("z", m.H, over=(u, *m.batch), init={u: m.param("Q", m.H, m.D) @ m.input("q", m.D, over=m.batch)})
    weights = ag.softmax(ag.exp(m.param("beta")) * ag.dot(z[u - 1], x[t]), over=t)
    z[u] = ag.sum(weights * x[t], over=t)
    return m.error(z)


@modern_hopfield.plainly
def _(f: Functions, p: Fed) -> Any:
    z, out = p.Q @ p.q, []
    for _ in p.goal:
        weights = f.softmax(f.stack([f.exp(p.beta) * (z @ x) for x in p.x]))
        z = sum(w * x for w, x in zip(weights, p.x, strict=True))
        out.append(z)
    return errors(f, out, p.goal)


def neighbours(m: Sketch, h: ag.Node) -> ag.Node:
    """What a point of (t, u) reads of the points before it."""
    t, u = m.t, m.u
    A, B, C = (m.param(name, m.H, m.H, draw=normal(0.4)) for name in "ABC")
    return A @ h[t - 1, u] + B @ h[t, u - 1] + C @ h[t - 1, u - 1]


@model(T=5, U=4, lengths={"t": [5, 1, 3], "u": [2, 4, 3]}, refuses=ROWS)
def grid_rnn(m: Sketch) -> ag.Node:
    """A state over (t, u) that reads both neighbours and the one between them."""
    t, u, both = m.t, m.u, (m.t, m.u, *m.batch)
    x, h = m.input("x", m.D, over=both), m.state("h", m.H, over=(m.t, m.u, *m.batch))
    h[t, u] = ag.tanh(neighbours(m, h) + m.param("U", m.H, m.D) @ x[t, u])
    return m.error(h)


def grid(f: Functions, p: Fed, first: Any, column: Any) -> list[list[Any]]:
    h: list[list[Any]] = []
    for i, row in enumerate(p.x):
        line = []
        for j, x in enumerate(row):
            above = h[i - 1][j] if i else first(j)
            left = line[j - 1] if j else column(i)
            between = (h[i - 1][j - 1] if j else column(i - 1)) if i else first(j - 1)
            line.append(f.tanh(p.A @ above + p.B @ left + p.C @ between + p.U @ x))
        h.append(line)
    return h


@grid_rnn.plainly
def _(f: Functions, p: Fed) -> Any:
    zero = f.zeros(len(p.A))
    h = grid(f, p, lambda j: zero, lambda i: zero)
    return sum((errors(f, line, goal) for line, goal in zip(h, p.goal, strict=True)), f.zeros())


@model(T=5, U=4, lengths={"t": [5, 1, 3], "u": [2, 4, 3]}, refuses=ROWS)
def grid_with_rows(m: Sketch) -> ag.Node:
    """The same that starts on u from an input over t, read through both delays."""
    t, u = m.t, m.u
    x, z = m.input("x", m.D, over=(t, u, *m.batch)), m.input("z", m.H, over=(t, *m.batch))
    h = m.state("h", m.H, over=(t, u, *m.batch), init={u: z})
    h[t, u] = ag.tanh(neighbours(m, h) + m.param("U", m.H, m.D) @ x[t, u])
    return m.error(h)


@grid_with_rows.plainly
def _(f: Functions, p: Fed) -> Any:
    zero = f.zeros(len(p.A))
    h = grid(f, p, lambda j: zero, lambda i: p.z[i] if i >= 0 else zero)
    return sum((errors(f, line, goal) for line, goal in zip(h, p.goal, strict=True)), f.zeros())


@model(T=5, U=4, lengths={"t": [5, 1, 3], "u": [2, 4, 3]})
def words_in_sentences(m: Sketch) -> ag.Node:
    """A loop in a loop: an RNN over the letters u of each word, and one over the words t that reads where the first ended."""
    t, u, x = m.t, m.u, m.input("x", m.D, over=(m.t, m.u, *m.batch))
    word, said = m.state("word", m.H, over=(t, u, *m.batch)), m.state("said", m.K)
    word[t, u] = ag.tanh(m.param("A", m.H, m.H) @ word[t, u - 1] + m.param("U", m.H, m.D) @ x[t, u])
    said[t] = ag.tanh(m.param("B", m.K, m.K) @ said[t - 1] + m.param("V", m.K, m.H) @ ag.last(word, over=u))
    return m.error(said)


@words_in_sentences.plainly
def _(f: Functions, p: Fed) -> Any:
    said, out = f.zeros(len(p.B)), []
    for letters in p.x:
        word = f.zeros(len(p.A))
        for x in letters:
            word = f.tanh(p.A @ word + p.U @ x)
        said = f.tanh(p.B @ said + p.V @ word)
        out.append(said)
    return errors(f, out, p.goal)
