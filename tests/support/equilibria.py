"""Models with equilibria: each a loss in nodes, what it is differentiated by, and the loss in plain NumPy.

The plain loops iterate until nothing moves any more, and share nothing with the engine; complex feeds go through them, so that
their slopes are complex steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import autograd_seq as ag

t, b, i = ag.Axis("t"), ag.Axis("b"), ag.Axis("i")
RUNNERS: dict[str, Callable[..., Any]] = {
    "unrolled": lambda nodes: ag.Graph(nodes).evaluate,
    "numpy": lambda nodes: ag.compile(nodes, backend="numpy"),
    "no passes": lambda nodes: ag.compile(nodes, backend="numpy", passes=()),
    "by hand": lambda nodes: ag.compile(nodes, backend="plain"),
}
Model = tuple[ag.Node, list[ag.Node], Callable[..., Any]]
RNG = np.random.default_rng(3)
H, D, B, T, ROUNDS = 3, 2, 4, 5, 400


def settle(f: Callable[[Any], Any], z: Any) -> Any:
    for _ in range(ROUNDS):
        z = f(z)
    return z


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x.real, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


# -- models: the loss, what it is differentiated by, and the loss in plain NumPy -----------------------------------------


def linear() -> Model:
    """z = A z + b, which is (I − A)⁻¹ b."""
    A, c = ag.param("A", (H, H)), ag.param("c", (H,))
    z = ag.equilibrium("z", (H,))
    z[...] = A @ z + c
    return ag.sum(z * z), [A, c], lambda A, c: np.sum(np.linalg.solve(np.eye(H) - A, c) ** 2)


def kepler() -> Model:
    """Kepler's equation E = M + e sin E, for every body and time by itself."""
    M, e = ag.input("M", over=(t, b)), ag.input("e", over=b)
    E = ag.equilibrium("E", over=(t, b))
    E[t] = M + e * ag.sin(E)

    def truth(M: Any, e: Any) -> Any:
        return np.sum(np.sin(settle(lambda E: M + e * np.sin(E), M) / 2) ** 2)

    return ag.sum(ag.sin(E / 2) ** 2, over=(t, b)), [M, e], truth


def root() -> Model:
    """Newton's iteration for the square root: near its end nothing depends on where it was before."""
    a = ag.input("a", over=b)
    z = ag.equilibrium("z", over=b, start=1.0)
    z[b] = 0.5 * (z + a / z)
    return ag.sum(z * ag.exp(-z), over=b), [a], lambda a: np.sum(np.sqrt(a) * np.exp(-np.sqrt(a)))


def deep() -> Model:
    """A deep equilibrium layer (Bai et al. 2019): infinitely many layers that share their weights."""
    W, U, x = ag.param("W", (H, H)), ag.param("U", (H, D)), ag.input("x", (D,), over=(t, b))
    z = ag.equilibrium("z", (H,), over=(t, b))
    z[t] = ag.tanh(W @ z[t] + U @ x[t])

    def truth(W: Any, U: Any, x: Any) -> Any:
        return np.sum(settle(lambda z: np.tanh(z @ W.T + x @ U.T), np.zeros((T, B, H))) ** 2)

    return ag.sum(ag.sum(z * z), over=(t, b)), [W, U, x], truth


def recurrent() -> Model:
    """A recurrent net whose every step is an equilibrium: it reads the step before, and the next one reads it."""
    W, U, x = ag.param("W", (H, H)), ag.param("U", (H, D)), ag.input("x", (D,), over=(t, b))
    s, z = ag.state("s", (H,), over=(t, b)), ag.equilibrium("z", (H,), over=(t, b))
    inside = (W @ z[t] + U @ x[t] + 0.5 * s[t - 1] - 0.2 * z[t - 1]).named("inside")
    z[t] = ag.tanh(inside)
    s[t] = 0.5 * s[t - 1] + z[t]

    def truth(W: Any, U: Any, x: Any) -> Any:
        s, z, total = np.zeros((B, H)), np.zeros((B, H)), 0.0
        for row in x:
            outside = row @ U.T + 0.5 * s - 0.2 * z
            z = settle(lambda z, outside=outside: np.tanh(z @ W.T + outside), np.zeros((B, H)))
            s = 0.5 * s + z
            total = total + np.sum(s * s) + np.sum(np.arctanh(z))
        return total

    return ag.sum(ag.sum(s * s + inside), over=(t, b)), [W, U, x], truth


def backwards() -> Model:
    """The same from the last step to the first, started warm: from what the later step has settled at."""
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=t)
    z = ag.equilibrium("z", (H,), over=t, start=t + 1, tol=1e-12)
    z[t] = ag.tanh(W @ z[t] + x[t] + 0.5 * z[t + 1])

    def truth(W: Any, x: Any) -> Any:
        z, total = np.zeros(H), 0.0
        for row in x[::-1]:
            z = settle(lambda z, outside=row + 0.5 * z: np.tanh(W @ z + outside), np.zeros(H))
            total = total + np.sum(z**3)
        return total

    return ag.sum(ag.sum(z**3), over=t), [W, x], truth


def memory() -> Model:
    """A modern Hopfield network: from a damaged pattern to the stored one that attracts it."""
    X, q = ag.param("X", (4, H)), ag.input("q", (H,), over=b)
    z = ag.equilibrium("z", (H,), over=b, start=q)
    z[b] = ag.transpose(X) @ ag.softmax(4.0 * (X @ z))

    def truth(X: Any, q: Any) -> Any:
        return np.sum(settle(lambda z: softmax(4.0 * z @ X.T) @ X, q) ** 3)

    return ag.sum(ag.sum(z**3), over=b), [X], truth


def pagerank() -> Model:
    """Where a walker is who follows links, and now and then begins anew."""
    A = ag.param("A", (H, H))
    r = ag.equilibrium("r", (H,))
    r[...] = 0.85 * (ag.transpose(ag.softmax(A)) @ r) + 0.15 / H
    weights = np.arange(1.0, H + 1)

    def truth(A: Any) -> Any:
        return np.sum(weights * settle(lambda r: 0.85 * softmax(A).T @ r + 0.15 / H, np.zeros(H)))

    return ag.sum(weights * r), [A], truth


def leaky() -> Model:
    """The steady state of a leaky network, reached in small steps of time: dv/dt = −v + W σ(v) + x = 0."""
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=b)
    v = ag.equilibrium("v", (H,), over=b, damping=0.3)
    v[b] = W @ ag.sigmoid(v) + x

    def truth(W: Any, x: Any) -> Any:
        return np.sum(np.cos(settle(lambda v: (1 / (1 + np.exp(-v))) @ W.T + x, x)))

    return ag.sum(ag.sum(ag.cos(v)), over=b), [W, x], truth


def bilevel() -> Model:
    """An equilibrium of an equilibrium: neither can be had before the other."""
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=b)
    inner, outer = ag.equilibrium("inner", (H,), over=b), ag.equilibrium("outer", (H,), over=b)
    inner[b] = 0.5 * ag.tanh(W @ inner + outer + x)
    outer[b] = ag.sin(0.5 * inner) + 0.3 * outer * ag.cos(x)

    def truth(W: Any, x: Any) -> Any:
        def both(z: Any) -> Any:
            return np.stack([0.5 * np.tanh(z[0] @ W.T + z[1] + x), np.sin(0.5 * z[0]) + 0.3 * z[1] * np.cos(x)])

        z = settle(both, np.ones((2, *x.shape)))
        return np.sum(z[0] * z[1] + z[1])

    return ag.sum(ag.sum(inner * outer + outer), over=b), [W, x], truth


def attention() -> Model:
    """Attention that settles: every position reads all others, so that they are solved together."""
    W, x, u = ag.param("W", (H, H)), ag.input("x", (H,), over=(b, t)), ag.Axis("u")
    z = ag.equilibrium("z", (H,), over=(b, t))
    other = z.along(t, u)
    read = ag.sum(ag.softmax(ag.dot(z, other), over=u) * other, over=u)
    z[t] = ag.tanh(W @ read + x)

    def truth(W: Any, x: Any) -> Any:
        return np.sum(settle(lambda z: np.tanh(softmax(z @ z.swapaxes(-1, -2)) @ z @ W.T + x), np.zeros(x.shape)) ** 2)

    return ag.sum(ag.sum(z * z), over=(b, t)), [W, x], truth


def rod() -> Model:
    """The heat of a rod between two cold ends: each point reads both neighbours."""
    q, k = ag.input("q", over=i), ag.param("k")
    h = ag.equilibrium("h", over=i)
    h[i] = k * (h[i - 1] + h[i + 1]) + q

    def truth(q: Any, k: Any) -> Any:
        n = len(q)
        return np.sum(np.linalg.solve(np.eye(n) - k * (np.eye(n, k=1) + np.eye(n, k=-1)), q) ** 3)

    return ag.sum(h**3, over=i), [q, k], truth


def pair() -> Model:
    """Two equilibria of each other within the steps of a recurrence, which only one of them carries on."""
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=(t, b))
    own, shared = ag.equilibrium("own", (H,), over=(b, t)), ag.equilibrium("shared", (H,), over=t, damping=0.2)
    own[t] = 0.5 * ag.tanh(W @ own + shared + x)
    shared[t] = 0.4 * ag.tanh(ag.mean(own, over=b)) + 0.3 * ag.sin(shared[t - 1])

    def truth(W: Any, x: Any) -> Any:
        shared, total = np.zeros(H), 0.0
        for row in x:
            own, before = np.zeros(row.shape), shared
            for _ in range(ROUNDS):
                own, shared = 0.5 * np.tanh(own @ W.T + shared + row), 0.4 * np.tanh(np.mean(own, 0)) + 0.3 * np.sin(before)
            total = total + np.sum(own**2) + np.sum(shared)
        return total

    return ag.sum(ag.sum(own * own), over=(t, b)) + ag.sum(ag.sum(shared), over=t), [W, x], truth


def shooting() -> Model:
    """A periodic orbit: the sequence begins where it ends. The iteration runs through the whole recurrence each time."""
    w, x = ag.param("w"), ag.input("x", over=(t, b))
    end = ag.equilibrium("end", over=b)
    s = ag.state("s", over=(t, b))
    s[t] = ag.tanh(w * ag.where(ag.equal(ag.index(t), 0), end, s[t - 1]) + x)
    end[b] = ag.last(s, over=t)

    def run(w: Any, x: Any, s: Any) -> Any:
        path = []
        for row in x:
            s = np.tanh(w * s + row)
            path.append(s)
        return np.stack(path)

    def truth(w: Any, x: Any) -> Any:
        return np.sum(run(w, x, settle(lambda s: run(w, x, s)[-1], np.zeros(B))) ** 2)

    return ag.sum(s**2, over=(t, b)), [w, x], truth


MODELS = [linear, kepler, root, deep, recurrent, backwards, memory, pagerank, leaky, bilevel, attention, rod, pair, shooting]
FEEDS: dict[str, Any] = {
    "A": 0.3 * RNG.normal(size=(H, H)), "c": RNG.normal(size=H), "W": 0.3 * RNG.normal(size=(H, H)),
    "U": RNG.normal(size=(H, D)), "X": 1.5 * RNG.normal(size=(4, H)), "M": RNG.normal(size=(T, B)),
    "e": RNG.uniform(0.1, 0.7, size=B), "a": RNG.uniform(0.5, 9.0, size=B), "q": RNG.normal(size=(B, H)), "k": 0.45,
    "w": 0.8,
}  # fmt: skip


def make_feeds(loss: ag.Node) -> dict[str, Any]:
    sizes = {"t": T, "b": B, "i": 4}
    feeds = {}
    for name, node in ag.Graph(loss).inputs.items():
        shape = tuple(sizes[a.name] for a in node.axes) + node.shape
        feeds[name] = FEEDS[name] if np.shape(FEEDS.get(name, ())) == shape else np.random.default_rng(5).normal(size=shape)
    return feeds
