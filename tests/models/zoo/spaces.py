"""State spaces and linear attention: what is linear in its state, a matrix for each step in many of them."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import Sketch, between, model, normal
from zoo.plain import Fed, Functions
from zoo.recurrent import errors


@model()
def linear_space(m: Sketch) -> ag.Node:
    """s_t = A s_{t-1} + B x_t, y_t = C s_t + D x_t."""
    t, x, s = m.t, m.input("x", m.D), m.state("s", m.H, init={m.t: m.param("s0", m.H)})
    s[t] = m.param("A", m.H, m.H) @ s[t - 1] + m.param("B", m.H, m.D) @ x[t]
    return m.error(m.param("C", m.K, m.H) @ s[t] + m.param("D", m.K, m.D) @ x[t])


@linear_space.plainly
def _(f: Functions, p: Fed) -> Any:
    s, out = p.s0, []
    for x in p.x:
        s = p.A @ s + p.B @ x
        out.append(p.C @ s + p.D @ x)
    return errors(f, out, p.goal)


@model()
def lru(m: Sketch) -> ag.Node:
    """Orvieto et al. 2023: a complex diagonal recurrence λ = exp(−exp ν + i θ), as pairs of real numbers."""
    m.draws["nu"] = normal(0.3, -1.5)
    return m.error(ag.nn.lru(m.input("x", m.D), m.K, over=m.t, states=m.H))


@lru.plainly
def _(f: Functions, p: Fed) -> Any:
    size = f.exp(-f.exp(p.nu))
    a, b, gain = size * f.cos(p.theta), size * f.sin(p.theta), f.sqrt(1 - size * size)
    re, im, out = f.zeros(len(p.nu)), f.zeros(len(p.nu)), []
    for x in p.x:
        re, im = a * re - b * im + gain * (p.Br @ x), b * re + a * im + gain * (p.Bi @ x)
        out.append(p.Cr @ re - p.Ci @ im + p.D @ x)
    return errors(f, out, p.goal)


@model()
def s4d(m: Sketch) -> ag.Node:
    """Gu et al. 2022: N complex numbers for each of D channels, discretised by zero-order hold, mixed after it."""
    m.draws |= {"log_step": normal(0.3, -1.0), "frequency": normal(0.5, 2.0)}
    y = ag.nn.s4d(m.input("x", m.D), m.H, over=m.t)
    return m.error(m.param("Wo", m.H, m.D) @ ag.tanh(y))


@s4d.plainly
def _(f: Functions, p: Fed) -> Any:
    step, decay, turn = f.exp(p.log_step)[:, None], f.exp(p.log_decay), p.frequency
    size = f.exp(-step * decay)
    a, b = size * f.cos(step * turn), size * f.sin(step * turn)
    norm = decay * decay + turn * turn  # (a + ib − 1) / (−decay + i turn)
    gain, skew = ((1 - a) * decay + b * turn) / norm, ((1 - a) * turn - b * decay) / norm
    re, im, out = 0 * a, 0 * a, []
    for x in p.x:
        re, im = a * re - b * im + gain * x[:, None], b * re + a * im + skew * x[:, None]
        out.append(p.Wo @ f.tanh(2 * (p.Cr * re - p.Ci * im).sum(1) + p.D * x))
    return errors(f, out, p.goal)


@model()
def selective_scan(m: Sketch) -> ag.Node:
    """Gu & Dao 2023, the core of Mamba: step size, what is written and what is read depend on the input."""
    return m.error(ag.nn.selective_scan(m.input("x", m.D), m.H, over=m.t))


@selective_scan.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = 0 * p.log_A, []
    for x in p.x:
        dt = f.softplus(p.Wd @ x + p.bd)
        h = f.exp(-dt[:, None] * f.exp(p.log_A)) * h + f.outer(dt * x, p.Wb @ x)
        out.append(h @ (p.Wc @ x) + p.D * x)
    return errors(f, out, p.goal)


def silu(f: Any, x: Any) -> Any:
    return x * f.sigmoid(x)


@model(T=9)
def mamba_block(m: Sketch) -> ag.Node:
    """The block around it: a short causal convolution, a gate, a projection back, added to what came in."""
    t, x, n, inner = m.t, m.input("x", m.D), m.K, m.H
    u, z = m.param("Wu", inner, m.D) @ x[t], m.param("Wz", inner, m.D) @ x[t]
    u = silu(ag, ag.sum(ag.window(u, t, 3) * m.param("k", 3, inner), axis=0) + m.param("bk", inner))
    dt = ag.softplus(m.param("Wd", inner, inner) @ u + m.param("bd", inner))
    h = m.state("h", inner, n)
    h[t] = ag.exp(-dt[:, None] * ag.exp(m.param("log_A", inner, n))) * h[t - 1] + ag.outer(dt * u, m.param("WB", n, inner) @ u)
    y = (h[t] @ (m.param("WC", n, inner) @ u) + m.param("D", inner) * u) * silu(ag, z)
    return m.error(x[t] + m.param("Wo", m.D, inner) @ y)


@mamba_block.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = 0 * p.log_A, []
    past = [f.zeros(len(p.bk))] * 2
    for x in p.x:
        past.append(p.Wu @ x)
        u = silu(f, sum((past[-3 + k] * p.k[k] for k in range(3)), p.bk))
        dt = f.softplus(p.Wd @ u + p.bd)
        h = f.exp(-dt[:, None] * f.exp(p.log_A)) * h + f.outer(dt * u, p.WB @ u)
        out.append(x + p.Wo @ ((h @ (p.WC @ u) + p.D * u) * silu(f, p.Wz @ x)))
    return errors(f, out, p.goal)


@model()
def linear_attention(m: Sketch) -> ag.Node:
    """Katharopoulos et al. 2020: a matrix of what was seen, and its norm."""
    t, x, n = m.t, m.input("x", m.D), m.H
    q, k = (ag.exp(0.5 * ag.tanh(m.param(f"W{name}", n, m.D) @ x[t])) for name in "qk")
    v = m.param("Wv", m.K, m.D) @ x[t]
    S, z = m.state("S", m.K, n), m.state("z", n)
    S[t] = S[t - 1] + ag.outer(v, k)
    z[t] = z[t - 1] + k
    return m.error((S[t] @ q) / ag.dot(z[t], q))


@linear_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    S, z, out = f.zeros(len(p.Wv), len(p.Wq)), f.zeros(len(p.Wq)), []
    for x in p.x:
        q, k = f.exp(0.5 * f.tanh(p.Wq @ x)), f.exp(0.5 * f.tanh(p.Wk @ x))
        S, z = S + f.outer(p.Wv @ x, k), z + k
        out.append((S @ q) / (z @ q))
    return errors(f, out, p.goal)


@model()
def delta_net(m: Sketch) -> ag.Node:
    """Fast weights by the delta rule (Schlag et al. 2021): what a key had stored is overwritten."""
    t, x, n, S = m.t, m.input("x", m.D), m.H, m.state("S", m.K, m.H)
    q, k = (ag.softmax(m.param(f"W{name}", n, m.D) @ x[t]) for name in "qk")
    v, beta = m.param("Wv", m.K, m.D) @ x[t], ag.sigmoid(m.param("wb", m.D) @ x[t])
    S[t] = S[t - 1] + beta * ag.outer(v - S[t - 1] @ k, k)
    return m.error(S[t] @ q)


@delta_net.plainly
def _(f: Functions, p: Fed) -> Any:
    S, out = f.zeros(len(p.Wv), len(p.Wq)), []
    for x in p.x:
        q, k = f.softmax(p.Wq @ x), f.softmax(p.Wk @ x)
        S = S + f.sigmoid(p.wb @ x) * f.outer(p.Wv @ x - S @ k, k)
        out.append(S @ q)
    return errors(f, out, p.goal)


@model()
def gated_retention(m: Sketch) -> ag.Node:
    """Sun et al. 2023, heads as a dimension: S_h = γ_h S_h + k_h v_hᵀ, each head with its own decay, and a gate."""
    t, x, heads, d = m.t, m.input("x", m.D), 2, m.H
    q, k, v = (ag.reshape(m.param(f"W{name}", heads * d, m.D) @ x[t], (heads, d)) for name in "qkv")
    g = ag.sigmoid(m.param("gamma", heads, draw=normal(0.3, 1.5)))[:, None, None]
    S = m.state("S", heads, d, d)
    S[t] = g * S[t - 1] + ag.einsum("hi,hj->hij", k, v)
    y = ag.reshape(ag.einsum("hi,hij->hj", q, S[t]), (heads * d,))
    return m.error(m.param("Wo", m.K, heads * d) @ (y * silu(ag, m.param("Wg", heads * d, m.D) @ x[t])))


@gated_retention.plainly
def _(f: Functions, p: Fed) -> Any:
    heads, out = len(p.gamma), []
    d = len(p.Wq) // heads
    S, g = [f.zeros(d, d)] * heads, f.sigmoid(p.gamma)
    for x in p.x:
        q, k, v = ((W @ x).reshape(heads, d) for W in (p.Wq, p.Wk, p.Wv))
        S = [g[h] * S[h] + f.outer(k[h], v[h]) for h in range(heads)]
        out.append(p.Wo @ (f.concat([q[h] @ S[h] for h in range(heads)]) * silu(f, p.Wg @ x)))
    return errors(f, out, p.goal)


@model()
def rwkv(m: Sketch) -> ag.Node:
    """Peng et al. 2023: token shift, and a weighted mean of what came before, kept small by the largest exponent so far."""
    t, x, n = m.t, m.input("x", m.D), m.H
    mix = [ag.sigmoid(m.param(f"mu{k}", m.D)) for k in "rkv"]
    r, k, v = (m.param(f"W{c}", n, m.D) @ (mu * x[t] + (1 - mu) * x[t - 1]) for c, mu in zip("rkv", mix, strict=True))
    w, bonus = ag.exp(m.param("w", n)), m.param("u", n)
    a, b, o = m.state("a", n), m.state("b", n), m.state("o", n, init={t: -30.0})
    top = ag.maximum(o[t - 1], bonus + k)
    now = ag.exp(bonus + k - top)
    y = (ag.exp(o[t - 1] - top) * a[t - 1] + now * v) / (ag.exp(o[t - 1] - top) * b[t - 1] + now)
    o[t] = ag.maximum(o[t - 1] - w, k)
    old, new = ag.exp(o[t - 1] - w - o[t]), ag.exp(k - o[t])
    a[t] = old * a[t - 1] + new * v
    b[t] = old * b[t - 1] + new
    return m.error(m.param("Wo", m.K, n) @ (ag.sigmoid(r) * y))


@rwkv.plainly
def _(f: Functions, p: Fed) -> Any:
    a, b, before, out = f.zeros(len(p.w)), f.zeros(len(p.w)), f.zeros(len(p.mur)), []
    for x in p.x:
        r, k, v = (W @ (f.sigmoid(mu) * x + (1 - f.sigmoid(mu)) * before)
                   for W, mu in ((p.Wr, p.mur), (p.Wk, p.muk), (p.Wv, p.muv)))  # fmt: skip
        y = (a + f.exp(p.u + k) * v) / (b + f.exp(p.u + k))
        decay = f.exp(-f.exp(p.w))
        a, b, before = decay * a + f.exp(k) * v, decay * b + f.exp(k), x
        out.append(p.Wo @ (f.sigmoid(r) * y))
    return errors(f, out, p.goal)


@model()
def s_lstm(m: Sketch) -> ag.Node:
    """xLSTM's sLSTM (Beck et al. 2024): exponential gates, kept small by the largest exponent so far."""
    return m.error(ag.nn.slstm(m.input("x", m.D), m.H, over=m.t, bias=False).h)


@s_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    h = c = n = f.zeros(len(p.Wf))
    out = []
    for x in p.x:
        i, k, o, z = (p[f"U{g}"] @ x + p[f"W{g}"] @ h for g in "ifoz")
        c, n = f.sigmoid(k) * c + f.exp(i) * f.tanh(z), f.sigmoid(k) * n + f.exp(i)
        h = f.sigmoid(o) * c / n
        out.append(h)
    return errors(f, out, p.goal)


@model()
def m_lstm(m: Sketch) -> ag.Node:
    """xLSTM's mLSTM: values are written at keys of a matrix, and read by queries."""
    return m.error(ag.nn.mlstm(m.input("x", m.D), m.H, over=m.t).h)


@m_lstm.plainly
def _(f: Functions, p: Fed) -> Any:
    size = len(p.bq)
    C, n, out = f.zeros(size, size), f.zeros(size), []
    for x in p.x:
        q, k, v, o, i, g = (p[f"U{c}"] @ x + p[f"b{c}"] for c in "qkvoif")
        k, write, keep = k / size**0.5, f.exp(i[0]), f.sigmoid(g[0])
        C, n = keep * C + write * f.outer(v, k), keep * n + write * k
        near = f.abs(n @ q)
        out.append(f.sigmoid(o) * (C @ q) / f.maximum(near, 1 + 0 * near))
    return errors(f, out, p.goal)


@model()
def hippo_memory(m: Sketch) -> ag.Node:
    """A Legendre memory unit (Voelker et al. 2019), with matrices that are given, under a nonlinear layer."""
    t, x, n, h, z = m.t, m.input("x", m.D), m.K, m.state("h", m.H), m.state("m", m.K)
    u = m.param("ex", m.D) @ x[t] + m.param("eh", m.H) @ h[t - 1] + m.param("em", n) @ z[t - 1]
    z[t] = m.input("A", n, n, over=(), draw=between(-0.3, 0.3)) @ z[t - 1] + m.input("B", n, over=()) * u
    h[t] = ag.tanh(m.param("Wx", m.H, m.D) @ x[t] + m.param("Wh", m.H, m.H) @ h[t - 1] + m.param("Wm", m.H, n) @ z[t])
    return m.error(h)


@hippo_memory.plainly
def _(f: Functions, p: Fed) -> Any:
    h, z, out = f.zeros(len(p.eh)), f.zeros(len(p.em)), []
    for x in p.x:
        z = p.A @ z + p.B * (p.ex @ x + p.eh @ h + p.em @ z)
        h = f.tanh(p.Wx @ x + p.Wh @ h + p.Wm @ z)
        out.append(h)
    return errors(f, out, p.goal)


@model()
def mixture_of_experts(m: Sketch) -> ag.Node:
    """Jacobs et al. 1991, with a state in each expert: their weights and gates differ along an axis of experts."""
    k = ag.Axis("k", size=3)
    m.sizes["k"] = 3
    t, x = m.t, m.input("x", m.D)
    W, U, gate = (ag.param(name, shape, over=k) for name, shape in (("W", (m.H, m.H)), ("U", (m.H, m.D)), ("gate", m.D)))
    h = m.state("h", m.H, over=(*m.over, k))
    h[t] = ag.tanh(W @ h[t - 1] + U @ x[t])
    share = ag.softmax(ag.dot(gate, x[t]), axis=(), over=k)
    return m.error(m.param("V", m.K, m.H) @ ag.sum(share * h[t], over=k))


@mixture_of_experts.plainly
def _(f: Functions, p: Fed) -> Any:
    states, out = [f.zeros(p.V.shape[1])] * len(p.W), []
    for x in p.x:
        states = [f.tanh(W @ h + U @ x) for W, U, h in zip(p.W, p.U, states, strict=True)]
        share = f.softmax(p.gate @ x)
        out.append(p.V @ sum(share[i] * h for i, h in enumerate(states)))
    return errors(f, out, p.goal)
