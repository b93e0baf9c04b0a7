"""Random recurrent programs over sequences, from a seed: what carries and lengths are tested on.

``python tests/support/random_sequences.py 17`` prints the program of seed 17. A *causal* program reads the past alone, so that
it can be cut anywhere; the others also look ahead, and read reductions over all steps. With a batch axis, what varies over it
is a sequence a point, and everything else adds up over sequences: each can be run alone.

Weights are orthogonal and nonlinearities bounded, every state enters the loss at every step: what is lost shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from chance import Chance

import autograd_seq as ag

SMOOTH: list[Callable[[ag.Node], ag.Node]] = [
    ag.tanh, ag.sin, ag.cos, ag.sigmoid, ag.softplus, ag.arctan, lambda v: v / (1 + v * v), lambda v: 1 / (2 + ag.cos(v)),
    lambda v: ag.log(0.5 + ag.sigmoid(v)), lambda v: ag.sqrt(1 + v * v), lambda v: ag.exp(-v * v), lambda v: ag.abs(v + 3.0),
    lambda v: ag.softmax(v) if v.ndim else ag.erf(v), lambda v: ag.where(v > 5.0, 0.0, v),
]  # fmt: skip


class Sequences(Chance):
    """The program of a seed.

    Attributes:
        t, b, u: the axis of the sequence, of the batch, and one more; ``None`` where there is none.
        sizes: the length of each axis, by name.
        loss: a scalar; with a batch axis the sum over it. With ``second=True`` it is :meth:`slope` of another one.
        wrt: what the loss is differentiated by.
        extras: further outputs, each over the batch axis if there is one.
        patterns: what the program is made of, in order.
    """

    def __init__(self, seed: int, causal: bool, second: bool = False, batch: bool = False) -> None:
        self.seed, self.causal, self.rng = seed, causal, np.random.default_rng([77, seed, causal])
        self.t = ag.Axis("t")
        self.b = ag.Axis("b") if self.chance(0.75) or batch else None
        self.u = ag.Axis("u") if self.chance(0.35) else None
        self.batch = (self.b,) if self.b else ()
        self.sizes = {"t": self.count(2, 6), "b": self.count(1, 3), "u": self.count(1, 3)}
        self.feeds: dict[str, tuple[tuple[ag.Axis, ...], Callable[[Any, tuple[int, ...]], Any]]] = {}
        self.params: list[ag.Node] = []
        self.inputs: list[ag.Node] = []
        self.states: list[ag.Node] = []
        self.pool: list[ag.Node] = []  # over t, and the batch axis
        self.ends: list[ag.Node] = []  # over the batch axis alone
        self.patterns: list[str] = []
        self.n = self.count(1, 3)
        self.write()
        self.first = self.loss
        if second and self.wrt:
            self.loss = self.slope(self.loss, self.wrt)

    # -- leaves -----------------------------------------------------------------------------------------------------

    def weight(self, *shape: int) -> ag.Node:
        same = [p for p in self.params if p.shape == shape]
        if same and self.chance(0.3):
            return self.pick(same)
        node = ag.param(f"w{len(self.params)}", shape)
        self.params.append(node)

        def value(rng: Any, shape: tuple[int, ...]) -> Any:
            whole = rng.normal(size=(max(shape),) * 2 if len(shape) == 2 else shape)
            return np.linalg.qr(whole)[0][: shape[0], : shape[1]] if len(shape) == 2 else whole

        self.feeds[node.name] = (), value
        return node

    def input(self, *shape: int, over: Sequence[ag.Axis] | None = None, dtype: type = float) -> ag.Node:
        over = (self.t, *self.batch) if over is None else tuple(over)
        over = tuple(over[i] for i in self.rng.permutation(len(over)))
        node = ag.input(f"x{len(self.feeds)}", shape, over=over, dtype=dtype)
        if dtype is float:
            self.inputs.append(node)
            self.feeds[node.name] = over, lambda rng, shape: rng.normal(size=shape)
        else:
            self.feeds[node.name] = over, lambda rng, shape: rng.integers(0, 2, size=shape).astype(dtype)
        return node

    def source(self) -> ag.Node:
        """A vector at each step: fed, computed before, or of another step."""
        same = [x for x in self.inputs if x.shape == (self.n,) and self.t in x.axes and self.u not in x.axes]
        kind = self.rng.random()
        if same and kind < 0.2:
            return self.pick(same)
        if self.pool and kind < 0.75:
            return self.pick(self.pool)
        return self.input(self.n)

    # -- rows and states ----------------------------------------------------------------------------------------------

    def row(self) -> Any:
        return self.pick([
            lambda: self.weight(self.n), lambda: 0.5, lambda: ag.tanh(self.weight(self.n)), lambda: self.input(self.n, over=()),
            lambda: self.input(self.n, over=self.batch),
            lambda: self.weight(self.n, self.n) @ self.input(self.n, over=self.batch),
            lambda: self.pick(self.ends) if self.ends else self.weight(self.n),
        ])()  # fmt: skip

    def rows(self, k: int, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
        kind = self.count(0, 2)
        if kind == 0 or (shape is not None and shape != (self.n,)):
            return {}
        given = self.row() if kind == 1 else [self.row() for _ in range(abs(k))]
        return {"init" if k > 0 else "final": {self.t: given}} if k else {}

    def delay(self, longest: int = 3) -> int:
        k = self.count(1, longest)
        return k if self.causal or self.chance(0.55) else -k

    def state(self, k: int, over: Sequence[ag.Axis] | None = None) -> ag.Node:
        over = (self.t, *self.batch) if over is None else tuple(over)
        node = ag.state(f"s{len(self.states)}", (self.n,), over=over, **self.rows(k))
        self.states.append(node)
        return node

    def squash(self, v: ag.Node) -> ag.Node:
        return self.pick([ag.tanh, ag.tanh, ag.sin, ag.arctan, lambda v: v - 0.1 * ag.tanh(v)])(v)

    def kept(self, past: ag.Node) -> ag.Node:
        return self.pick([lambda: 0.8 * (self.weight(self.n, self.n) @ past), lambda: 0.9 * past,
                          lambda: ag.sigmoid(self.source()) * past])()  # fmt: skip

    # -- recurrences --------------------------------------------------------------------------------------------------

    def one_loop(self) -> None:
        """Up to three states that read one another along the axis, some of them at the same step."""
        k = self.delay()
        states = [self.state(k) for _ in range(self.count(1, 3))]
        for i, s in enumerate(states):
            total = self.weight(self.n, self.n) @ self.source() + self.kept(s[self.t - k])
            j = self.count(1, abs(k)) * (1 if k > 0 else -1)
            total = total + 0.3 * ag.tanh(self.pick(states)[self.t - j])
            if i and self.chance(0.5):
                total = total + 0.3 * states[i - 1]
            if self.chance(0.3):
                total = total + self.weight(self.n)
            s[s.axes] = self.squash(total)
        self.pool += states

    def lstm(self) -> None:
        k, x = self.delay(1), self.source()
        h, c = self.state(k), self.state(k)
        i, f, o, g = (self.weight(self.n, self.n) @ x + self.weight(self.n, self.n) @ h[self.t - k] + self.weight(self.n)
                      for _ in range(4))  # fmt: skip
        c[c.axes] = ag.sigmoid(f) * c[self.t - k] + ag.sigmoid(i) * ag.tanh(g)
        h[h.axes] = ag.sigmoid(o) * ag.tanh(c[self.t])
        self.pool.append(h)

    def gru(self) -> None:
        k, x = self.delay(1), self.source()
        h = self.state(k)
        z, r = (ag.sigmoid(self.weight(self.n, self.n) @ x + self.weight(self.n, self.n) @ h[self.t - k]) for _ in range(2))
        new = ag.tanh(self.weight(self.n, self.n) @ x + self.weight(self.n, self.n) @ (r * h[self.t - k]))
        h[h.axes] = (1 - z) * h[self.t - k] + z * new
        self.pool.append(h)

    def growing(self) -> None:
        """A linear recurrence that grows: what it comes to in the padding is far from what it is."""
        k = self.delay(2)
        s = self.state(k)
        s[s.axes] = 1.3 * s[self.t - k] + self.source()
        self.pool.append(ag.sin(s))

    def counter(self) -> None:
        k = self.delay(2)
        c = ag.state(f"s{len(self.states)}", over=(self.t, *self.batch), dtype=int)
        self.states.append(c)
        c[c.axes] = c[self.t - k] + self.input(dtype=int)
        self.pool.append(self.source() * (1 + ag.cast(c, float)) * 0.3)

    def nested(self) -> None:
        """A loop over u inside of each step, and the state that reads what it comes to."""
        if self.u is None:
            return self.one_loop()
        k, j = self.delay(2), self.count(1, 2)
        h = self.state(k)
        a = self.state(0, over=(self.t, *self.batch, self.u))
        feed = self.input(self.n, over=(self.t, *self.batch, self.u))
        a[a.axes] = self.squash(0.7 * (self.weight(self.n, self.n) @ a[self.u - j]) + 0.5 * h[self.t - k] + feed)
        h[h.axes] = self.squash(self.kept(h[self.t - k]) + ag.sum(a, over=self.u))
        self.pool += [h, ag.sum(a * feed, over=self.u)]

    # -- values -------------------------------------------------------------------------------------------------------

    def shifted(self) -> None:
        """A value of another step, with rows outside or zeros; a shift of a shift."""
        v, k = self.pick([lambda: self.source(), lambda: ag.sin(self.source())])(), self.delay()
        bounded = v.op.name in ("state", "shift")
        if bounded:
            self.pool.append(ag.tanh(v[self.t - (1 if k > 0 else -1)]) if self.causal else ag.sin(v) * 0.9)
            return
        out = ag.shift(v, self.t, k, **{side: r[self.t] for side, r in self.rows(k).items()})
        self.pool.append(out * self.pick([1.0, ag.sin(v)]))

    def dressed(self) -> None:
        self.pool.append(self.pick(SMOOTH)(self.source()) * self.pick([1.0, self.weight(self.n), 0.5]))

    def counted(self) -> None:
        i = ag.index(self.t)
        self.pool.append(self.source() * self.pick([ag.sin(0.7 * i), ag.where(i < 2, 1.0, 0.3), 1 / (1 + i)]))

    def drawn(self) -> None:
        name, over = f"noise{len(self.pool)}", self.pick([(self.t,), (self.t,), ()])
        self.pool.append(self.source() * self.pick([
            lambda: ag.bernoulli(name, 0.7, (self.n,), over=over), lambda: ag.normal(name, (), over=over),
            lambda: ag.uniform(name, (self.n,), over=over, low=self.weight(), high=1.5)])())  # fmt: skip

    def embedded(self) -> None:
        label = self.input(dtype=int)
        self.pool.append(self.pick([lambda: ag.take(self.weight(2, self.n), label),
                                    lambda: self.weight(self.n, 2) @ ag.one_hot(label, 2),
                                    lambda: ag.where(label == 1, self.source(), 0.2)])())  # fmt: skip

    def paired(self) -> None:
        v, w = self.source(), self.source()
        self.pool.append(self.pick([lambda: v * ag.sin(w), lambda: ag.dot(v, ag.tanh(w)) * v, lambda: v - 0.5 * w,
                                    lambda: ag.tanh(ag.outer(v, w)) @ v, lambda: ag.maximum(v, w + self.weight()),
                                    lambda: ag.sum(ag.concat([v, w])) * ag.sin(w)])())  # fmt: skip

    def reduced(self) -> None:
        """All steps of a value: a sum, a mean, a maximum, one step; and a value at each step less that."""
        v = self.source()
        end = self.pick([
            lambda: 0.3 * ag.sum(v, over=self.t), lambda: ag.mean(v, over=self.t), lambda: ag.max(v, over=self.t),
            lambda: ag.min(v, over=self.t), lambda: ag.logsumexp(v, over=self.t), lambda: ag.last(v, over=self.t),
            lambda: ag.first(v, over=self.t), lambda: ag.at(v, self.t, self.count(-3, 3), outside="zero"),
            lambda: ag.prod(ag.cos(v), over=self.t), lambda: ag.mean(ag.mean(v, axis=0), over=self.t) * self.weight(self.n),
            lambda: ag.sum(ag.outer(v, ag.sin(self.source())), over=self.t) @ self.weight(self.n),
            lambda: ag.sum(v, over=self.t) / (1 + ag.size(self.t)),
        ])()  # fmt: skip
        self.ends.append(end)
        if self.chance(0.5):
            self.pool.append(self.source() - 0.5 * end)

    def normalised(self) -> None:
        v = self.source()
        self.pool.append(self.pick([lambda: ag.softmax(v, over=self.t), lambda: 0.3 * ag.log_softmax(v, over=self.t),
                                    lambda: v - ag.mean(v, over=self.t)])())  # fmt: skip

    def attended(self) -> None:
        """Every step reads every step, or every earlier one."""
        w = ag.Axis(f"w{len(self.pool)}")
        q, k, v = self.source(), ag.tanh(self.source()), self.source()
        score = ag.dot(ag.tanh(q), k.along(self.t, w))
        if self.chance(0.6):
            score = ag.where(ag.index(w) <= ag.index(self.t), score, -np.inf)
        self.pool.append(ag.sum(ag.softmax(score, over=w) * v.along(self.t, w), over=w))

    # -- the whole ----------------------------------------------------------------------------------------------------

    def write(self) -> None:
        self.pool.append(self.input(self.n))
        loops = ["one_loop", "one_loop", "one_loop", "lstm", "gru", "growing", "counter", "nested"]
        plain = ["shifted", "shifted", "dressed", "counted", "drawn", "embedded", "paired"]
        plain += [] if self.causal else ["reduced", "reduced", "reduced", "normalised", "attended"]
        for _ in range(self.count(1, 3)):
            for pattern in [self.pick(plain) for _ in range(self.count(0, 2))] + [self.pick(loops)]:
                self.patterns.append(pattern)
                getattr(self, pattern)()
        for pattern in [self.pick(plain) for _ in range(self.count(1, 3))]:
            self.patterns.append(pattern)
            getattr(self, pattern)()
        floats = [s for s in self.states if s.dtype is float and self.u not in s.axes]
        terms = [self.total(s * ag.cos(s)) for s in floats] + [self.total(ag.sin(self.pick(self.pool))) for _ in range(2)]
        terms += [ag.sum(ag.sin(e)) for e in self.ends]
        loss = terms[0]
        for term in terms[1:]:
            loss = loss + term
        self.loss = ag.sum(loss, over=self.b) if self.b in loss.axes else loss
        inside = set(ag.Graph(self.loss).nodes)
        self.wrt = [p for p in self.params if p in inside] + [x for x in self.inputs if x in inside and self.chance(0.5)]
        offered = [v for v in [*self.states, *self.pool, *self.ends] if set(self.batch) <= set(v.axes)]
        self.extras = [self.pick(offered) for _ in range(self.count(1, 4))]

    def total(self, v: ag.Node) -> ag.Node:
        """One number a sequence."""
        v = self.pick([ag.sum, ag.mean])(v)
        over = [a for a in v.axes if a is not self.b]
        if self.causal or self.t not in over:
            return ag.sum(v, over=over)
        return self.pick([ag.sum, ag.sum, ag.mean])(v, over=self.t)

    def slope(self, loss: ag.Node, wrt: Sequence[ag.Node]) -> ag.Node:
        """A scalar of a loss's gradients, which adds up over sequences as they do.

        What varies from sequence to sequence has a sine, all else is multiplied by numbers.
        """
        total = ag.constant(0.0)
        for x, g in zip(wrt, ag.grad(loss, wrt), strict=True):
            numbers = np.random.default_rng([self.seed, *str(x.name).encode()]).normal(size=x.shape)
            own = self.b is None or self.b in x.axes
            total = total + ag.sum(ag.sum(ag.sin(g) if own else g * numbers), over=x.axes)
        return total

    def tangent(self, value: ag.Node) -> ag.Node:
        """How a value moves along a direction in all it is made of: reverse mode, and its adjoint."""
        known = {*self.params, *self.inputs}
        wrt = [n for n in ag.Graph(value).inputs.values() if n in known]
        u = ag.input(f"u_{value.name or id(value)}", value.shape, over=value.axes)
        total = ag.constant(0.0) * value
        for x, g in zip(wrt, ag.grad(value, wrt, cotangent=u), strict=True):
            numbers = np.random.default_rng([self.seed, *str(x.name).encode()]).normal(size=x.shape)
            total = total + ag.grad(g, u, cotangent=ag.cos(x) if x.axes else numbers)
        return total

    @property
    def nodes(self) -> list[ag.Node]:
        """The loss, its gradients, the extras."""
        return [self.loss, *ag.grad(self.loss, self.wrt), *self.extras]

    def fed(self, graph: ag.Graph, sizes: dict[str, int] | None = None) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, node in graph.inputs.items():
            if name == "seed":
                out[name] = self.seed
                continue
            axes, make = self.feeds[name]
            rng = np.random.default_rng([self.seed, *name.encode()])
            out[name] = np.asarray(make(rng, tuple((sizes or self.sizes)[a.name] for a in axes) + node.shape))
        return out

    def __str__(self) -> str:
        return f"seed {self.seed}: {' '.join(self.patterns)}\nlengths: {self.sizes}\n{ag.Graph(self.nodes)}"


if __name__ == "__main__":
    print(Sequences(int(sys.argv[1]), "causal" in sys.argv))
