"""Differential equations, filters, control, returns, spikes, slower clocks: what engineers write as recurrences."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.model import AHEAD, Sketch, between, model, normal
from zoo.plain import Fed, Functions
from zoo.recurrent import errors


def rk4(slope: Any, z: Any, dt: float) -> Any:
    """One step of the classical Runge–Kutta method."""
    k1 = slope(z)
    k2 = slope(z + dt / 2 * k1)
    k3 = slope(z + dt / 2 * k2)
    k4 = slope(z + dt * k3)
    return z + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@model()
def neural_ode(m: Sketch) -> ag.Node:
    """Chen et al. 2018: dz/dt is a small net, its steps are Runge–Kutta's; the start is learned."""
    t, z = m.t, m.state("z", m.H, init={m.t: m.param("z0", m.H)})
    W, V, c = m.param("W", m.K, m.H), m.param("V", m.H, m.K), m.param("c", m.K)
    z[t] = rk4(lambda y: V @ ag.tanh(W @ y + c), z[t - 1], 0.3)
    return m.error(z + m.input("shift", m.H))


@neural_ode.plainly
def _(f: Functions, p: Fed) -> Any:
    z, out = p.z0, []
    for k in range(len(p.goal)):
        z = rk4(lambda y: p.V @ f.tanh(p.W @ y + p.c), z, 0.3)
        out.append(z + p.shift[k])
    return errors(f, out, p.goal)


@model()
def forced_oscillator(m: Sketch) -> ag.Node:
    """Van der Pol's, driven: two scalar states by semi-implicit Euler steps."""
    t, x, q, v = m.t, m.input("x"), m.state("q", init={m.t: m.param("q0")}), m.state("v")
    mu, w = m.param("mu", draw=between(0.5, 1.0)), m.param("w", draw=between(0.8, 1.2))
    v[t] = v[t - 1] + 0.2 * (mu * (1 - q[t - 1] ** 2) * v[t - 1] - w * w * q[t - 1] + x[t])
    q[t] = q[t - 1] + 0.2 * v[t]
    return m.error(q)


@forced_oscillator.plainly
def _(f: Functions, p: Fed) -> Any:
    q, v, out = p.q0, 0.0, f.zeros()
    for x, goal in zip(p.x, p.goal, strict=True):
        v = v + 0.2 * (p.mu * (1 - q**2) * v - p.w * p.w * q + x)
        q = q + 0.2 * v
        out = out + (q - goal) ** 2
    return out


@model()
def biquad(m: Sketch) -> ag.Node:
    """A second-order filter of each channel, y_t = b0 x_t + b1 x_{t-1} + b2 x_{t-2} − a1 y_{t-1} − a2 y_{t-2}."""
    t, x, y = m.t, m.input("x", m.D), m.state("y", m.D)
    a1, a2 = m.param("a1", m.D, draw=between(-0.9, 0.9)), m.param("a2", m.D, draw=between(-0.6, 0.6))
    moving = sum((m.param(f"b{k}", m.D) * x[t - k] for k in range(1, 3)), m.param("b0", m.D) * x[t])
    y[t] = moving - a1 * y[t - 1] - a2 * y[t - 2]
    return m.error(y)


@biquad.plainly
def _(f: Functions, p: Fed) -> Any:
    x, y = [f.zeros(len(p.a1))] * 2, [f.zeros(len(p.a1))] * 2
    for now in p.x:
        x.append(now)
        y.append(p.b0 * x[-1] + p.b1 * x[-2] + p.b2 * x[-3] - p.a1 * y[-1] - p.a2 * y[-2])
    return errors(f, y[2:], p.goal)


@model()
def filter_cascade(m: Sketch) -> ag.Node:
    """Two filters of one number after one another, each in direct form II, whose state is shared by both taps."""
    t, y = m.t, m.input("x")
    for k in (1, 2):
        w = m.state(f"w{k}")
        w[t] = y - m.param(f"a{k}", draw=between(-0.8, 0.8)) * w[t - 1] - 0.3 * w[t - 2]
        y = m.param(f"b{k}") * w[t] + m.param(f"c{k}") * w[t - 1] + w[t - 2]
    return m.error(y)


@filter_cascade.plainly
def _(f: Functions, p: Fed) -> Any:
    ys = list(p.x)
    for k in (1, 2):
        w, out = [0.0, 0.0], []
        for y in ys:
            w.append(y - p[f"a{k}"] * w[-1] - 0.3 * w[-2])
            out.append(p[f"b{k}"] * w[-1] + p[f"c{k}"] * w[-2] + w[-3])
        ys = out
    return sum((y - g) ** 2 for y, g in zip(ys, p.goal, strict=True))


@model(refuses=AHEAD)
def returns(m: Sketch) -> ag.Node:
    """Discounted returns as targets of a value function, G_t = r_t + γ G_{t+1}, and a learned value after the end."""
    t, x, r, G = m.t, m.input("x", m.D), m.input("r"), m.state("G", final={m.t: m.param("end")})
    G[t] = r[t] + ag.sigmoid(m.param("gamma")) * G[t + 1]
    off = m.param("v", m.D) @ x[t] - G[t]
    return m.total(off * off)


@returns.plainly
def _(f: Functions, p: Fed) -> Any:
    G, total = p.end, f.zeros()
    for x, r in zip(list(p.x)[::-1], list(p.r)[::-1], strict=True):
        G = r + f.sigmoid(p.gamma) * G
        total = total + (p.v @ x - G) ** 2
    return total


@model(refuses=AHEAD, dead=("r",))
def actor_critic(m: Sketch) -> ag.Node:
    """Generalised advantage estimation (Schulman et al. 2016), A_t = δ_t + γλ A_{t+1}, on a recurrent policy."""
    t, x, act, r = m.t, m.input("x", m.D), m.labels("act", m.K), m.input("r")
    h = ag.nn.gru(x, m.H, over=t, bias=False)
    V, A = (m.param("v", m.H) @ h[t]).named("V"), m.state("A")
    A[t] = r[t] + 0.9 * V[t + 1] - V + 0.9 * 0.8 * A[t + 1]
    policy = m.param("P", m.K, m.H) @ h[t]
    aim = ag.stop_gradient(A[t] + V)
    return m.total(ag.stop_gradient(A[t]) * ag.cross_entropy(policy, act[t]) + (V - aim) ** 2
                   - 0.1 * ag.sum(-ag.softmax(policy) * ag.log_softmax(policy)))  # fmt: skip


@actor_critic.plainly
def _(f: Functions, p: Fed) -> Any:
    h, hs, total = f.zeros(len(p.v)), [], f.zeros()
    for x in p.x:
        r, z = f.sigmoid(p.Ur @ x + p.Wr @ h), f.sigmoid(p.Uz @ x + p.Wz @ h)
        h = (1 - z) * f.tanh(p.Un @ x + r * (p.Wn @ h)) + z * h
        hs.append(h)
    A = after = 0.0
    for h, act, r in list(zip(hs, p.act, p.r, strict=True))[::-1]:
        V, policy = p.v @ h, p.P @ h
        A = f.real(r + 0.9 * after - V + 0.9 * 0.8 * A)
        after = f.real(V)
        soft = f.softmax(policy)
        total = total + A * f.cross_entropy(policy, act) + (V - (A + f.real(V))) ** 2
        total = total - 0.1 * (-(soft * f.log(soft)).sum())
    return total


@model()
def pid(m: Sketch) -> ag.Node:
    """A PID controller of a plant of first order, its gains learned; what it commands is limited."""
    t, aim, y = m.t, m.input("aim"), m.state("y")
    e = aim[t] - y[t - 1]
    total, last = m.state("I"), m.state("e")
    last[t] = e
    total[t] = total[t - 1] + 0.5 * e
    u = m.param("Kp") * e + m.param("Ki") * total[t] + m.param("Kd") * (e - last[t - 1])
    y[t] = ag.sigmoid(m.param("a")) * y[t - 1] + m.param("b", draw=between(0.5, 1.0)) * ag.tanh(u)
    return m.total((y[t] - aim[t]) ** 2 + 0.1 * u * u)


@pid.plainly
def _(f: Functions, p: Fed) -> Any:
    y = total = last = 0.0
    loss = f.zeros()
    for aim in p.aim:
        e = aim - y
        total = total + 0.5 * e
        u = p.Kp * e + p.Ki * total + p.Kd * (e - last)
        last = e
        y = f.sigmoid(p.a) * y + p.b * f.tanh(u)
        loss = loss + (y - aim) ** 2 + 0.1 * u * u
    return loss


def spiked(f: Functions, v: Any, slope: float) -> Any:
    """1 where v > 0, with the slope of v / (1 + slope |v|)."""
    real = f.real(v)
    hard, rate = 1.0 * (real > 0), 1 / (1 + slope * abs(real)) ** 2
    return hard + rate * (v - real)


@model()
def leaky_integrate_and_fire(m: Sketch) -> ag.Node:
    """Two layers of spiking neurons (Neftci et al. 2019): surrogate gradients, reset by subtraction, read by a leaky sum."""
    t, s = m.t, m.input("x", m.D, draw=normal(1.5))
    for k in (1, 2):
        n = s.shape[0]
        v, fired = m.state(f"v{k}", m.H), m.state(f"s{k}", m.H)
        drive = m.param(f"W{k}", m.H, n) @ s[t] + m.param(f"R{k}", m.H, m.H) @ fired[t - 1]
        v[t] = 0.8 * v[t - 1] + drive - fired[t - 1]
        fired[t] = ag.spike(v[t] - 0.5, slope=2.0)
        s = fired
    y = m.state("y", m.K)
    y[t] = 0.9 * y[t - 1] + m.param("V", m.K, m.H) @ s[t]
    return m.error(y)


@leaky_integrate_and_fire.plainly
def _(f: Functions, p: Fed) -> Any:
    xs = list(p.x)
    for k in (1, 2):
        v = s = f.zeros(len(p[f"R{k}"]))
        out = []
        for x in xs:
            v = 0.8 * v + p[f"W{k}"] @ x + p[f"R{k}"] @ s - s
            s = spiked(f, v - 0.5, 2.0)
            out.append(s)
        xs = out
    y, ys = f.zeros(len(p.V)), []
    for x in xs:
        y = 0.9 * y + p.V @ x
        ys.append(y)
    return errors(f, ys, p.goal)


@model()
def adaptive_neurons(m: Sketch) -> ag.Node:
    """Bellec et al. 2018: currents through synapses, a threshold that each spike raises, reset to zero, two steps of rest."""
    m.draws["l1/U"] = normal(1.5)
    x = m.input("x", m.D, draw=normal(1.0, 0.5))
    s, v, *_ = ag.nn.lif(x, m.H, over=m.t, decay=0.8, synapse=0.6, threshold=0.5, reset="zero", refractory=2, recurrent=True,
                         adaptation=0.3, adapt_decay=0.9, surrogate="arctan", slope=2.0, name="l1", bias=True)  # fmt: skip
    y = ag.nn.leaky_readout(s, m.K, over=m.t, decay=0.7, name="out")
    return m.error(y) + 0.1 * m.total(v * v)


@adaptive_neurons.plainly
def _(f: Functions, p: Fed) -> Any:
    q = p.under("l1/")
    i = v = a = f.zeros(len(q.b))
    spikes, y, ys, total = [f.zeros(len(q.b))] * 2, f.zeros(len(p["out/U"])), [], f.zeros()
    for x in p.x:
        s = spikes[-1]
        i = 0.6 * i + q.U @ x + q.b + q.W @ s
        v = 0.8 * v * (1 - s) + i
        a = 0.9 * a + s
        above = v - 0.5 - 0.3 * a
        real = f.real(above)
        fires = 1.0 * (real > 0) + 2.0 / (1 + (2.0 * real) ** 2) * (above - real)
        spikes.append(f.where(f.real(s + spikes[-2]) > 0.5, 0 * fires, fires))
        y = 0.7 * y + p["out/U"] @ spikes[-1]
        ys.append(y)
        total = total + (v * v).sum()
    return errors(f, ys, p.goal) + 0.1 * total


@model()
def clockwork(m: Sketch) -> ag.Node:
    """Koutník et al. 2014: modules with clocks of 1, 2 and 3 steps; the faster ones hear the slower ones."""
    t, x, n = m.t, m.input("x", m.D), m.H
    h = [m.state(f"h{k}", n, every={t: k}) for k in (1, 2, 3)]
    for i, state in enumerate(h):
        drive = m.param(f"U{i}", n, m.D) @ x[t]
        state[t] = ag.tanh(sum((m.param(f"W{i}{j}", n, n, draw=normal(0.5)) @ h[j][t - 1] for j in range(i, 3)), drive))
    return m.error(ag.concat([s[t] for s in h]))


@clockwork.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = [f.zeros(len(p.U0))] * 3, []
    for k, x in enumerate(p.x):
        h = [f.tanh(sum((p[f"W{i}{j}"] @ h[j] for j in range(i, 3)), p[f"U{i}"] @ x)) if k % (i + 1) == 0 else h[i]
             for i in range(3)]  # fmt: skip
        out.append(f.concat(h))
    return errors(f, out, p.goal)


@model()
def reservoir(m: Sketch) -> ag.Node:
    """An echo state net of leaky units with feedback: its matrices are given, its readout is learned."""
    t, x, h = m.t, m.input("x", m.D), m.state("h", m.H)
    W, U = m.input("W", m.H, m.H, over=(), draw=normal(0.6)), m.input("U", m.H, m.D, over=())
    V, back = m.param("V", m.D, m.H), m.input("back", m.H, m.D, over=())
    h[t] = 0.7 * h[t - 1] + 0.3 * ag.tanh(U @ x[t] + W @ h[t - 1] + back @ (V @ h[t - 1]))
    return m.error(V @ h[t])


@reservoir.plainly
def _(f: Functions, p: Fed) -> Any:
    h, out = f.zeros(len(p.W)), []
    for x in p.x:
        h = 0.7 * h + 0.3 * f.tanh(p.U @ x + p.W @ h + p.back @ (p.V @ h))
        out.append(p.V @ h)
    return errors(f, out, p.goal)


@model()
def seasonal_smoothing(m: Sketch) -> ag.Node:
    """Holt & Winters: level, trend and a season of three steps, whose first values are learned."""
    t, y = m.t, m.input("y")
    a, b, g = (ag.sigmoid(m.param(name)) for name in ("alpha", "beta", "gamma"))
    level, trend = m.state("level", init={t: m.param("l0")}), m.state("trend")
    season = m.state("season", init={t: [m.param(f"s{k}") for k in range(3)]})
    forecast = level[t - 1] + trend[t - 1] + season[t - 3]
    level[t] = a * (y[t] - season[t - 3]) + (1 - a) * (level[t - 1] + trend[t - 1])
    trend[t] = b * (level[t] - level[t - 1]) + (1 - b) * trend[t - 1]
    season[t] = g * (y[t] - level[t]) + (1 - g) * season[t - 3]
    return m.total((y[t] - forecast) ** 2)


@seasonal_smoothing.plainly
def _(f: Functions, p: Fed) -> Any:
    a, b, g = f.sigmoid(p.alpha), f.sigmoid(p.beta), f.sigmoid(p.gamma)
    level, trend, season, total = p.l0, 0.0, [p.s0, p.s1, p.s2], f.zeros()
    for y in p.y:
        total = total + (y - (level + trend + season[-3])) ** 2
        new = a * (y - season[-3]) + (1 - a) * (level + trend)
        trend = b * (new - level) + (1 - b) * trend
        level = new
        season.append(g * (y - level) + (1 - g) * season[-3])
    return total


@model()
def garch(m: Sketch) -> ag.Node:
    """Bollerslev 1986: the variance of tomorrow from the square and the variance of today."""
    t, r, v = m.t, m.input("r"), m.state("v", init={m.t: 1.0})
    w, a, b = (ag.softplus(m.param(name)) for name in ("w", "a", "b"))
    v[t] = w + a * r[t - 1] ** 2 + b * v[t - 1]
    return m.total(0.5 * (ag.log(v[t]) + r[t] ** 2 / v[t]))


@garch.plainly
def _(f: Functions, p: Fed) -> Any:
    w, a, b = (f.softplus(p[name]) for name in ("w", "a", "b"))
    v, before, total = 1.0, 0.0, f.zeros()
    for r in p.r:
        v = w + a * before**2 + b * v
        total = total + 0.5 * (f.log(v) + r**2 / v)
        before = r
    return total
