"""Random recurrent programs, from a seed: what a compiler is compared with the unrolled graph on.

``python tests/support/random_programs.py 17`` prints the program of seed 17: its patterns, lengths, feeds and equations.

Values stay of the order of 1 and gradients neither vanish nor explode (weights are orthogonal, nonlinearities bounded), and
every state enters the loss at every step: a row, a step or a contribution that is lost shows. Where a derivative jumps
(max, relu, a comparison) a random offset keeps values away from the jump, so that rounding cannot decide it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from chance import Chance
from compare import difference

import autograd_seq as ag
from autograd_seq.plan.pipeline import PASSES

Shape = tuple[int, ...]
Axes = tuple[ag.Axis, ...]
Way = Callable[[ag.Node], ag.Node]

LAYOUTS = ["t", "t", "t", "tu", "tu", "tb", "tb", "tub"]
LENGTHS = {
    "t": {"t": (5, 9)}, "tb": {"t": (5, 8), "b": (1, 4)}, "tu": {"t": (3, 6), "u": (2, 5)},
    "tub": {"t": (3, 5), "u": (3, 4), "b": (1, 3)},
}  # fmt: skip
ODD_LENGTHS = [(0.05, "t", 0), (0.11, "t", 1), (0.17, "t", 2), (0.21, "b", 0), (0.25, "u", 1), (0.31, "u", 0)]
AWKWARD = ["lambda", "np", "class", "T", "t", "x.y", "s[t - 1]", "a b", "σ", "out", "0", "None", "range", "net/x", "x'", '"',
           "i", "j", "k", "n", "rows", "steps", "product"]  # fmt: skip

gaussian = ag.defop("gaussian_of_random_programs", shape=ag.same_shape, forward=lambda x: np.exp(-x * x),
                    vjp=lambda g, y, x: (g * (-2.0 * x * y),))  # fmt: skip


def flat(v: ag.Node) -> ag.Node:
    return ag.reshape(v, (math.prod(v.shape),))


def angles(v: ag.Node) -> ag.Node:
    u = 0.8 * ag.sin(v)
    return 0.3 * (ag.arcsin(u) - ag.arccos(0.5 * u) + ag.tan(u) + ag.arctan2(u, 1.5 + ag.cos(v)))


def steps(v: ag.Node) -> ag.Node:
    return 0.1 * (ag.floor(3 * v) + ag.ceil(1.7 * v) - ag.round(2.3 * v) + v % 0.7 + v // 0.9)


SMOOTH: dict[str, Way] = {
    "tanh": ag.tanh, "sin": ag.sin, "cos": ag.cos, "sigmoid": ag.sigmoid, "softplus": ag.softplus, "arctan": ag.arctan,
    "erf": ag.erf, "gelu": ag.gelu, "neg": lambda v: -v, "an operation of one's own": gaussian,
    "exp": lambda v: ag.exp(-(v**2)), "expm1": lambda v: ag.expm1(ag.sin(v)),
    "log": lambda v: ag.log(0.5 + ag.sigmoid(v)), "log of sigmoid": lambda v: 0.3 * ag.log(ag.sigmoid(v)),
    "log1p": lambda v: ag.log1p(v * v), "sqrt": lambda v: ag.sqrt(1.0 + v * v), "quotient": lambda v: v / (1 + v * v),
    "reciprocal": lambda v: 1 / (2 + ag.cos(v)), "power": lambda v: (0.5 + ag.sigmoid(v)) ** ag.sin(v),
    "base": lambda v: 2.0 ** ag.sin(v) + 0.2 * ag.sinh(ag.tanh(v)) * ag.cosh(ag.sin(v)),
    "cube": lambda v: ag.tanh(v) ** 3 + angles(v), "inverse root": lambda v: v * (1 + v * v) ** -0.5,
    "stopped": lambda v: ag.stop_gradient(ag.tanh(v)) * ag.sin(v),
    "broadcast": lambda v: ag.broadcast_to(ag.tanh(v), (2, *v.shape))[1],
}  # fmt: skip
KINKED: dict[str, Way] = {  # applied where no value is near a kink
    "relu": ag.relu, "abs": ag.abs, "clip": lambda v: ag.clip(v, -0.7, 0.9), "maximum": lambda v: ag.maximum(v, -0.3 * v),
    "minimum": lambda v: ag.minimum(v, 0.1), "sign": lambda v: ag.sin(v) * ag.sign(v) + 0.5 * v,
    "spike": lambda v: ag.spike(v, slope=2.0), "straight_through": lambda v: ag.straight_through(v > 0, ag.sigmoid(v)),
    "where": lambda v: ag.where(v > 0, ag.sin(v), 0.5 * v), "cast": lambda v: 0.3 * ag.cast(2.0 * v, int) + v + steps(v),
    "counted": lambda v: v * ag.cast(v > 0.2, float), "where, NaN not taken": lambda v: ag.where(v > 0.1, ag.sqrt(v), 0.0),
    "where, infinite not taken": lambda v: ag.where(v > 0.2, ag.log(ag.relu(v)), -1.5),
}  # fmt: skip
JOINED: dict[str, Way] = {  # along dimensions of a value that has some
    "softmax": ag.softmax, "log_softmax": lambda v: 0.5 * ag.log_softmax(v), "logsumexp": ag.logsumexp,
    "softmax of columns": lambda v: ag.softmax(v, axis=0), "less its mean": lambda v: v - ag.mean(v, axis=-1, keepdims=True),
    "deviation": lambda v: ag.sqrt(1 + ag.sum((v - ag.mean(v)) ** 2)), "sum": lambda v: ag.tanh(ag.sum(v, axis=0)),
    "normed": lambda v: v / ag.sqrt(1 + ag.sum(v * v, axis=-1, keepdims=True)), "flip": ag.flip, "reversed": lambda v: v[::-1],
    "cumsum": lambda v: ag.tanh(ag.cumsum(v, axis=0)), "tail": lambda v: v[-1:], "entry": lambda v: v[0],
    "transpose": lambda v: v.T, "every other": lambda v: v[..., ::2], "prod": lambda v: ag.prod(ag.cos(v)), "flat": flat,
    "pad": lambda v: ag.pad(v, [(0, 0)] * (v.ndim - 1) + [(1, 0)], value=0.5), "nothing": lambda v: ag.concat([v, v[:0]]),
    "stack": lambda v: ag.stack([flat(v), ag.tanh(flat(v))], axis=-1), "concat": lambda v: ag.concat([v, ag.sin(v)], axis=-1),
    "new dimension": lambda v: ag.squeeze(ag.expand_dims(v, 0) * 0.7, 0), "dot": lambda v: ag.dot(flat(v), ag.sin(flat(v))),
    "einsum": lambda v: ag.einsum("...i,...i->...", v, ag.tanh(v)), "gathered": lambda v: ag.take(v, [v.shape[0] - 1, 0]),
    "log of sum of exp": lambda v: ag.log(ag.sum(ag.exp(ag.sin(v)), axis=-1)),
}  # fmt: skip


WAYS: list[tuple[str, ...] | None] = [None, (), *[(name,) for name in PASSES]]
"""The choices of passes that programs are compiled with: all, none, and each alone."""


class Program(Chance):
    """The program of a seed: its equations, its feeds, and what its outputs must be.

    Attributes:
        sizes: the length of each axis, by name.
        loss, wrt, extras: a scalar, what it is differentiated by, and further outputs.
        outputs: what is compiled: mostly the loss, its gradients and the extras, in some order.
        labels: what each output is called in messages.
        patterns: what the program is made of, in order.
        second: whether the loss is the square of a gradient.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, np.random.default_rng([2026, seed])
        self.feeds: dict[str, tuple[Axes, Callable[[np.random.Generator, Shape], Any]]] = {}
        self.params: list[ag.Node] = []
        self.inputs: list[ag.Node] = []
        self.pool: list[ag.Node] = []
        self.states: list[ag.Node] = []
        self.extras: list[ag.Node] = []
        self.patterns: list[str] = []
        self.names = {"seed"}
        self.second = self.chance(0.08)
        layout = self.pick(["t", "t", "tb", "tu"] if self.second else LAYOUTS)
        by_name = {name: ag.Axis(name) for name in layout}
        self.t, self.u, self.b = by_name["t"], by_name.get("u"), by_name.get("b")
        self.axes: Axes = tuple(by_name.values())
        self.lengths(layout)
        self.dims = [int(n) + 1 for n in self.rng.permutation(4)[:2]]
        self.write()
        self.close()

    # -- chance -----------------------------------------------------------------------------------------------------

    def shuffled(self, axes: Iterable[ag.Axis]) -> Axes:
        axes = list(axes)
        return tuple(axes[i] for i in self.rng.permutation(len(axes)))

    def subset(self, axes: Iterable[ag.Axis], p: float = 0.6) -> Axes:
        return tuple(a for a in self.shuffled(axes) if self.chance(p))

    def lengths(self, layout: str) -> None:
        """Choose the lengths, and the longest delays: mostly T ≥ 2k + 1, sometimes one step, T < k, or no step at all."""
        self.sizes = {a: self.count(*LENGTHS[layout][a]) for a in layout}
        self.reach = {a: min(3, (n - 1) // 2) for a, n in self.sizes.items()}
        odd = self.rng.random()
        _, axis, length = next((x for x in ODD_LENGTHS if odd < x[0]), (1.0, "", 0))
        if axis in self.sizes:
            self.sizes[axis], self.reach[axis] = length, 3

    def some(self, axis: ag.Axis) -> bool:
        """Tell whether the axis has a step to pick."""
        return self.sizes[axis.name] > 0

    # -- leaves -----------------------------------------------------------------------------------------------------

    def name(self, base: str) -> str:
        base = self.pick(AWKWARD) if self.chance(0.04) else base
        name, k = base, 1
        while name in self.names:
            name, k = f"{base}{k}", k + 1
        self.names.add(name)
        return name

    def param(self, shape: Shape) -> ag.Node:
        node = ag.param(self.name("wbWT"[len(shape)]), shape)
        self.params.append(node)

        def value(rng: np.random.Generator, shape: Shape) -> np.ndarray:  # matrices have orthogonal rows or columns
            whole = rng.normal(size=(max(shape),) * 2 if len(shape) == 2 else shape)
            return np.linalg.qr(whole)[0][: shape[0], : shape[1]] if len(shape) == 2 else whole

        self.feeds[node.name] = (), value
        return node

    def weight(self, shape: Shape) -> ag.Node:
        """A static value of a shape: a parameter, new, used before or transposed; a function of some; a constant."""
        same = [p for p in self.params if p.shape == shape]
        turned = [p for p in self.params if p.shape == shape[::-1] and p.ndim == 2]
        kind = self.rng.random()
        if same and kind < 0.35:
            return self.pick(same)
        if turned and kind < 0.5:
            return self.pick(turned).T
        if kind < 0.85:
            return self.param(shape)
        if kind < 0.88:
            return ag.tanh(self.param(shape))
        if kind < 0.91:
            return self.param(shape) * (self.param(()) + 0.5)
        if kind < 0.94 and len(shape) == 2:
            return self.param((shape[0], 2)) @ self.param((2, shape[1]))
        if kind < 0.97:
            return ag.tensor(self.rng.normal(size=shape), name=self.name("k") if self.chance(0.5) else None)
        return ag.constant(np.round(self.rng.normal(size=shape), 2))

    def input(self, shape: Shape, over: Axes, dtype: type = float, classes: int = 2) -> ag.Node:
        node = ag.input(self.name({float: "x", int: "l", bool: "m"}[dtype]), shape, over=over, dtype=dtype)
        if dtype is float:
            self.inputs.append(node)
            self.feeds[node.name] = over, lambda rng, shape: rng.normal(size=shape)
        else:
            self.feeds[node.name] = over, lambda rng, shape: rng.integers(0, classes, size=shape).astype(dtype)
        return node

    def data(self, shape: Shape, over: Axes) -> ag.Node:
        """A float input over exactly these axes, in any order, used before or new."""
        same = [x for x in self.inputs if x.shape == shape and set(x.axes) == set(over)]
        return self.pick(same) if same and self.chance(0.5) else self.input(shape, self.shuffled(over))

    def draw(self, shape: Shape, over: Axes) -> ag.Node:
        """Noise, or a mask, over some of the axes."""
        name, over = self.name("noise"), self.subset(over)
        return self.pick([
            lambda: ag.bernoulli(name, 0.7, shape, over=over) * 1.2, lambda: ag.normal(name, shape, over=over, std=0.3),
            lambda: ag.bernoulli(name, ag.sigmoid(1 + self.weight(())), shape, over=over),
            lambda: ag.uniform(name, shape, over=over, low=self.weight(()), high=1.5),
        ])()  # fmt: skip

    def shape(self) -> Shape:
        kind, n, k = self.rng.random(), self.pick(self.dims), self.pick(self.dims)
        return () if kind < 0.2 else (n,) if kind < 0.85 else (n, k)

    # -- values that fit --------------------------------------------------------------------------------------------

    def product(self, n: int, v: ag.Node) -> ag.Node:
        """A vector of n entries from a vector, by a matrix on either side, as it is or transposed."""
        m = v.shape[0]
        return self.pick([
            lambda: self.weight((n, m)) @ v, lambda: self.weight((n, m)) @ v, lambda: v @ self.weight((m, n)),
            lambda: self.weight((m, n)).T @ v, lambda: ag.einsum("ji,j->i", self.weight((m, n)), v),
        ])()  # fmt: skip

    def fit(self, v: ag.Node, shape: Shape) -> ag.Node:
        """A value of another shape, made from ``v`` by weights or reductions."""
        if v.shape == shape:
            return v
        if len(shape) == 2:
            return self.matrix(v, *shape)
        if v.ndim == 2:
            m, k = v.shape
            v = self.pick([
                lambda: v @ self.weight((k,)), lambda: self.weight((m,)) @ v, lambda: ag.mean(v, axis=0), lambda: v[:, -1],
                lambda: ag.einsum("ij,i->j", v, self.weight((m,))),
            ])()  # fmt: skip
            return self.fit(v, shape)
        if shape:
            return v * self.weight(shape) if not v.ndim else self.product(shape[0], v)
        return self.pick([
            lambda: ag.dot(self.weight(v.shape), v), lambda: ag.mean(v), lambda: v[0], lambda: ag.sum(v) * 0.5,
            lambda: ag.logsumexp(v), lambda: ag.max(self.apart(v)),
        ])()  # fmt: skip

    def matrix(self, v: ag.Node, n: int, k: int) -> ag.Node:
        if v.ndim == 0:
            return v * self.weight((n, k))
        if v.ndim == 1:
            return self.pick([
                lambda: ag.outer(self.product(n, v), self.weight((k,))), lambda: self.weight((n, 1)) * self.product(k, v),
                lambda: self.product(n, v)[:, None] + self.weight((k,)),
                lambda: ag.einsum("i,j->ij", self.weight((n,)), self.product(k, v)),
            ])()  # fmt: skip
        if v.shape == (k, n) and self.chance(0.5):
            return v.T
        if math.prod(v.shape) == n * k and self.chance(0.5):
            return v.reshape((n, k))
        return self.weight((n, v.shape[0])) @ v @ self.weight((v.shape[1], k))

    def apart(self, v: ag.Node, over: Axes = ()) -> ag.Node:
        """``v`` with a random offset, which keeps its entries (and its steps) from being equal, and from zero."""
        return v + (self.data(v.shape, over) if over else self.param(v.shape))

    def without(self, v: ag.Node, axis: ag.Axis) -> ag.Node:
        """``v`` without an axis: a sum, a mean, a maximum, one step, attention …"""
        ways: list[Callable[[], ag.Node]] = [
            lambda: ag.sum(v, over=axis) * 0.4, lambda: ag.sum(v * self.data((), (axis,)), over=axis),
            lambda: ag.at(v, axis, self.count(-2, 2), outside="zero"),
            lambda: ag.sum(ag.softmax(self.fit(v, ()), over=axis) * v, over=axis),
        ]  # fmt: skip
        if self.some(axis):
            ways += [
                lambda: ag.last(v, over=axis), lambda: ag.last(v, over=axis), lambda: ag.first(v, over=axis),
                lambda: ag.max(self.apart(v, (axis,)), over=axis), lambda: -ag.min(self.apart(v, (axis,)), over=axis),
                lambda: ag.logsumexp(v, over=axis), lambda: ag.prod(ag.cos(v), over=axis), lambda: ag.mean(v, over=axis),
            ]  # fmt: skip
        return self.pick(ways)()

    def within(self, v: ag.Node, axes: Axes) -> ag.Node:
        """``v`` over no other axes than these."""
        for axis in self.shuffled(a for a in v.axes if a not in axes):
            v = self.without(v, axis)
        return v

    def value(self, shape: Shape, axes: Axes) -> ag.Node:
        """A value of a shape over (some of) these axes, made from what there is."""
        near = [v for v in self.pool if set(v.axes) <= set(axes)]
        return self.fit(self.within(self.pick(near if near and self.chance(0.7) else self.pool), axes), shape)

    def over_all(self, shape: Shape, axes: Axes) -> ag.Node:
        """A value that varies over all of these axes."""
        v = self.value(shape, axes)
        rest = tuple(a for a in axes if a not in v.axes)
        return v + self.data(shape, rest) if rest else v

    def sum(self, terms: Sequence[ag.Node]) -> ag.Node:
        total = terms[0]
        for term in terms[1:]:
            total = self.pick([total + term, total + term, term + total, total - term])
        return total

    def squash(self, v: ag.Node) -> ag.Node:
        return self.pick([ag.sin, ag.sin, lambda v: v - 0.1 * ag.tanh(v), ag.tanh, ag.arctan])(v)

    # -- boundary rows and states -------------------------------------------------------------------------------------

    def row(self, shape: Shape, others: Axes) -> Any:
        """One boundary row, which may vary over the other axes."""
        kind = self.rng.random()
        if kind < 0.3:
            return self.param(shape)
        if kind < 0.38:
            return ag.tanh(self.fit(self.param((2,)), shape))
        if kind < 0.45:
            return self.param(shape[1:])  # spread over the first dimension
        if kind < 0.5:
            return self.pick([0.5, ag.constant(np.full(shape, -0.5)), 1])
        if kind < 0.57:
            return self.input(shape, ())
        if kind < 0.75:
            return self.input(shape, self.subset(others, 0.8))
        if kind < 0.88 and self.some(self.t) and self.t not in others:
            ends = [v for v in self.pool if self.t in v.axes and set(v.axes) <= {self.t, *others}]
            if ends:  # what another component ends with, as in an encoder–decoder
                return self.fit(ag.last(self.pick(ends), over=self.t), shape)
        return ag.tanh(self.value(shape, others))

    def rows(self, shape: Shape, axes: Axes, delays: dict[ag.Axis, int]) -> dict[str, Any]:
        """Boundary rows for the sides that are read: zeros, one for all, or a list as long as the longest delay."""
        out: dict[str, dict[ag.Axis, Any]] = {"init": {}, "final": {}}
        for axis, k in delays.items():
            others = tuple(a for a in axes if a is not axis)
            kind = self.count(0, 3)
            if kind == 1:
                out["init" if k > 0 else "final"][axis] = self.row(shape, others)
            elif kind > 1:
                rows = [self.row(shape, others) for _ in range(abs(k))]
                out["init" if k > 0 else "final"][axis] = rows if self.chance(0.85) else [rows[0]] * abs(k)
        return {side: given.get(axes[0]) for side, given in out.items()} if len(axes) == 1 else out

    def delay(self, axis: ag.Axis, direction: int = 0, longest: int = 3) -> int:
        """A delay, negative if it looks ahead."""
        return self.count(1, max(1, min(longest, self.reach[axis.name]))) * (direction or self.pick([-1, 1]))

    def state(self, shape: Shape, axes: Axes, delays: dict[ag.Axis, int], base: str = "s") -> ag.Node:
        axes = self.shuffled(axes)
        node = ag.state(self.name(base), shape, over=axes, **self.rows(shape, axes, delays))
        self.states.append(node)
        return node

    def over(self, *must: ag.Axis, p: float = 0.75) -> Axes:
        """The axes of a component: those it needs, and some of the others."""
        return (*must, *self.subset([a for a in self.axes if a not in must], p))

    # -- recurrences ------------------------------------------------------------------------------------------------

    def component(self, loops: Axes, axes: Axes) -> list[ag.Node]:
        """One to four states that read one another's past (or future) along ``loops``, the other axes lifted."""
        shapes = [self.shape() for _ in range(self.count(1, 4 if len(axes) == 1 else 3))]
        longest = {a: self.delay(a) for a in loops}
        states = [self.state(shape, axes, longest) for shape in shapes]
        for i, (s, shape) in enumerate(zip(states, shapes, strict=True)):
            terms = [self.value(shape, axes)]
            for axis, reach in longest.items():
                k = self.count(1, abs(reach)) * (1 if reach > 0 else -1)
                other = states[i - 1] if self.chance(0.8) else self.pick(states)  # mostly a ring
                past = self.dress(other[axis - k]) if self.chance(0.5) else other[axis - k]
                terms.append(self.carried(s[axis - reach]))  # every state has its longest delay
                terms.append(0.4 * ag.tanh(self.fit(past, shape)))
            if i and self.chance(0.5):
                terms.append(0.3 * self.fit(self.pick(states[:i]), shape))  # of the same step
            if len(loops) > 1 and self.chance(0.6):
                terms.append(0.3 * s[tuple(a - k for a, k in longest.items())])  # a diagonal
            if len(loops) == 1 and self.chance(0.5):
                terms += self.coupling(s, loops[0], longest[loops[0]])
            if self.chance(0.2):
                terms[0] = terms[0] * self.draw(self.pick([(), shape]), axes)
            s[axes] = self.squash(self.sum(terms))
        return states

    def carried(self, v: ag.Node) -> ag.Node:
        """What a state keeps of itself: as it is, gated, rotated, by a matrix that varies, or by several."""
        kind, n = self.rng.random(), v.shape[0] if v.ndim else 1
        if kind < 0.3 or not v.ndim:
            return v * self.pick([0.9, 0.7, ag.sigmoid(1 + self.value((), v.axes)), self.weight(())])
        if kind < 0.4:
            return 0.5 * ag.tanh(self.value((n, n), v.axes)) @ v
        if kind < 0.46:  # several matrices at once
            rest = "m" * (v.ndim - 1)
            return 0.3 * ag.sum(ag.einsum(f"kij,j{rest}->ki{rest}", self.param((2, n, n)), v), axis=0)
        return 0.8 * (self.weight((n, n)) @ v)

    def coupling(self, s: ag.Node, axis: ag.Axis, k: int) -> list[ag.Node]:
        """Terms that read other points of a lifted axis, one step of the loop earlier."""
        lifted = [a for a in s.axes if a is not axis]
        if not lifted:
            return []
        other, past = self.pick(lifted), s[axis - k]
        if other is self.b or self.chance(0.3):
            return [0.3 * ag.tanh(self.without(past, other))]
        if self.chance(0.6):  # both neighbours of the step before: a stencil; and with the third a loop within
            terms = [0.3 * s[axis - k, other - 1], 0.2 * s[axis - k, other + 1]]
            return terms + ([0.2 * s[other - 1]] if self.chance(0.5) else [])
        w = ag.Axis(f"{self.name('w')}'")  # attention among the points
        there = past.along(other, w)
        score = ag.sum(past * there) if s.shape else past * there
        return [0.4 * ag.sum(ag.softmax(score, over=w) * there, over=w)]

    def one_loop(self) -> list[ag.Node]:
        return self.component((self.t,), self.over(self.t))

    def grid(self) -> list[ag.Node]:
        return self.component(self.shuffled((self.t, self.u)), self.over(self.t, self.u))

    def inner_axis(self) -> list[ag.Node]:
        """States over (t, u) that recur over u alone; then one over t that reads a reduction of them."""
        inner = self.component((self.u,), self.over(self.t, self.u))
        axes, k = tuple(a for a in inner[0].axes if a is not self.u), self.delay(self.t)
        h = self.state(self.shape(), axes, {self.t: k})
        h[axes] = self.squash(self.carried(h[self.t - k]) + self.fit(self.without(inner[-1], self.u), h.shape))
        return [*inner, h]

    def nested(self) -> list[ag.Node]:
        """h over one axis reads what a loop over another comes to, and feeds it its own past: a loop in a loop."""
        outer, inner = self.shuffled((self.t, self.u))
        shared = (outer, *self.subset(a for a in self.axes if a is self.b))
        n, k, j = self.pick(self.dims), self.delay(outer), self.delay(inner)
        h, a = self.state((n,), shared, {outer: k}), self.state((n,), (*shared, inner), {inner: j})
        a[a.axes] = self.squash(self.carried(a[inner - j]) + 0.5 * h[outer - k] + self.value((n,), a.axes))
        h[h.axes] = self.squash(self.carried(h[outer - k]) + self.without(a, inner) + 0.3 * self.value((n,), shared))
        return [a, h]

    def gate(self, h: ag.Node, xs: Sequence[ag.Node], n: int, label: str, make: Callable[[Shape], ag.Node]) -> ag.Node:
        """A pre-activation: products of the state and of most inputs, and mostly a bias; gates need not share them all."""
        terms = [make((n, h.shape[0])) @ h] if self.chance(0.8) else [self.product(n, h)]
        terms += [make((n, x.shape[0])) @ x for x in xs if self.chance(0.85)]
        terms += [make((n,))] if self.chance(0.75) else []
        v = self.sum(terms)
        return v.named(self.name(label)) if self.chance(0.3) else v

    def cell(self, *names: str, longest: int = 1) -> tuple[Axes, int, int, list[ag.Node], list[ag.Node]]:
        """The axes, size and delay of a cell, its inputs, and its states."""
        axes, n, k = self.over(self.t), self.pick(self.dims), self.delay(self.t, longest=longest)
        xs = [self.over_all((self.pick(self.dims),), axes)]
        xs += [self.value((self.pick(self.dims),), axes)] if self.chance(0.3) else []
        xs[0] = xs[0] * self.draw(xs[0].shape, axes) if self.chance(0.15) else xs[0]
        return axes, n, k, xs, [self.state((n,), axes, {self.t: k}, name) for name in names]

    def rnn(self) -> list[ag.Node]:
        axes, n, k, xs, (h,) = self.cell("h", longest=2)
        h[axes] = self.pick([ag.tanh, ag.tanh, ag.sin])(self.gate(h[self.t - k], xs, n, "a", self.param))
        return [h]

    def lstm(self) -> list[ag.Node]:
        axes, n, k, xs, (h, c) = self.cell("h", "c")
        past, cell = h[self.t - k], c[self.t - k]
        past = past * self.draw((n,), axes) if self.chance(0.2) else past
        if self.chance(0.2):  # packed by hand
            whole = self.gate(past, xs, 4 * n, "a", self.param)
            i, f, o, g = (whole[j * n : (j + 1) * n] for j in range(4))
        else:
            make = self.param if self.chance(0.7) else self.weight
            i, f, o, g = (self.gate(past, xs, n, label, make) for label in "ifog")
        if self.chance(0.2):
            i = i + self.param((n,)) * cell  # a peephole
        f = f + 1.0 if self.seed % 2 else f
        i, f, o, g = ag.sigmoid(i), ag.sigmoid(f), ag.sigmoid(o), self.pick([ag.tanh, ag.tanh, ag.sin])(g)
        c[axes] = (1 - i if self.chance(0.2) else f) * cell + i * g
        h[axes] = o * ag.tanh(c[self.t])
        return [h, c]

    def gru(self) -> list[ag.Node]:
        axes, n, k, xs, (h,) = self.cell("h")
        past, make = h[self.t - k], self.param if self.chance(0.7) else self.weight
        z, r = (ag.sigmoid(self.gate(past, xs, n, label, make)) for label in "zr")
        if self.chance(0.5):
            new = ag.tanh(self.gate(r * past, xs, n, "n", make))
        else:
            new = ag.tanh(r * (self.param((n, n)) @ past + self.param((n,))) + self.product(n, xs[0]))
        h[axes] = self.pick([(1 - z) * past + z * new, z * past + (1 - z) * new, past + z * (new - past)])
        return [h]

    def bidirectional(self) -> list[ag.Node]:
        """Two nets in opposite directions that read the same inputs; or one reads the other as well."""
        axes, k, j = self.over(self.t), self.delay(self.t, 1), self.delay(self.t, -1)
        n, m = self.pick([self.dims, self.dims[::-1]])
        x = self.over_all((self.pick(self.dims),), axes)
        f, r = self.state((n,), axes, {self.t: k}, "f"), self.state((m,), axes, {self.t: j}, "r")
        f[axes] = self.squash(self.carried(f[self.t - k]) + self.product(n, x))
        below = self.product(m, x) + (self.product(m, f) if self.chance(0.5) else 0.0)
        r[axes] = self.squash(self.carried(r[self.t - j]) + below)
        self.pool.append(ag.concat([f, r]) if self.chance(0.7) else self.product(n, r) * f[self.t - 1])
        return [f, r]

    def fast_weights(self) -> list[ag.Node]:
        """A matrix that learns within the sequence: A_t = 0.9·A_{t−1} + v kᵀ, or by the delta rule; y = A q."""
        axes, j = self.over(self.t), self.delay(self.t, longest=1)
        n, m = self.pick([self.dims, self.dims[::-1]])
        A = self.state((n, m), axes, {self.t: j}, "A")
        v, k, q = ag.tanh(self.over_all((n,), axes)), ag.sin(self.value((m,), axes)), self.value((m,), axes)
        past = A[self.t - j]
        if self.chance(0.5):
            A[axes] = 0.9 * past + 0.5 * ag.outer(v, k)
        else:
            k = k / ag.sqrt(1 + ag.dot(k, k))
            A[axes] = past + ag.outer(v - past @ k, k) * ag.sigmoid(self.value((), axes))
        self.pool.append(self.pick([A @ q, past @ q, v @ A, ag.einsum("ij,ij->j", A, past)]))
        return [A]

    def decoder(self) -> list[ag.Node]:
        """A state over u that attends, by additive scores over (u, t), to something over t."""
        batch, k = self.subset(a for a in self.axes if a is self.b), self.delay(self.u)
        n, m = self.pick([self.dims, self.dims[::-1]])
        h, s = self.over_all((m,), (self.t, *batch)), self.state((n,), (self.u, *batch), {self.u: k})
        past = s[self.u - k]
        score = self.weight((2,)) @ ag.tanh(self.product(2, past) + self.product(2, h))
        if self.chance(0.4):
            score = ag.where(self.input((), (self.t,), bool) | (ag.index(self.t) < 1), score, -math.inf)
        weights = ag.softmax(score, over=self.t)
        context = self.product(n, ag.sum(weights * h, over=self.t))
        s[s.axes] = self.squash(self.carried(past) + context + 0.3 * self.value((n,), (self.u, *batch)))
        self.extras.append(weights)
        return [s]

    def self_attention(self) -> list[ag.Node]:
        """Every step reads every (earlier) step: no recurrence, but two indices on one axis."""
        axes, w = self.over(self.t), ag.Axis(f"{self.name('w')}'")
        n, m = self.pick([self.dims, self.dims[::-1]])
        q, k, v = self.over_all((n,), axes), self.over_all((n,), axes), self.over_all((m,), axes)
        score = ag.dot(ag.tanh(q), ag.tanh(k).along(self.t, w)) / math.sqrt(n)
        self.extras.append(score)
        here, there = ag.index(self.t), ag.index(w)
        mask = self.pick([there <= here, there <= here, there < here, ag.abs(here - there) <= 1, None])
        score = score if mask is None else ag.where(mask, score, -math.inf)
        self.pool.append(ag.sum(ag.softmax(score, over=w) * v.along(self.t, w), over=w))
        return []

    def chain(self) -> list[ag.Node]:
        """The forward algorithm of a hidden Markov chain (logsumexp), or the Viterbi recursion (max)."""
        axes, n, k = self.over(self.t), max(self.dims), self.delay(self.t, longest=2)
        a = self.state((n,), axes, {self.t: k}, "alpha")
        best, moves = self.pick([ag.logsumexp, ag.logsumexp, ag.max]), ag.log_softmax(self.param((n, n)))
        a[axes] = best(a[self.t - k][:, None] + moves, axis=0) + 0.5 * ag.tanh(self.over_all((n,), axes))
        return [a]

    def spiking(self) -> list[ag.Node]:
        """Leaky units that fire above a threshold and start anew, with a surrogate gradient."""
        axes, n, k, _, (v, z) = self.cell("v", "z")
        v[axes] = 0.7 * v[self.t - k] * (1 - z[self.t - k]) + self.apart(ag.sin(self.over_all((n,), axes)))
        z[axes] = ag.spike(v[self.t] - 0.4, self.pick(["fast_sigmoid", "sigmoid", "arctan"]), slope=1.0)
        return [v, z]

    def counters(self) -> list[ag.Node]:
        """States that are integers and truth values, and values that they scale."""
        axes, k = self.over(self.t), self.delay(self.t, longest=2)
        start = self.pick([None, 2, self.input((), (), int, 4)])
        side = {} if start is None else {"init" if k > 0 else "final": {self.t: start}}
        n = ag.state(self.name("n"), over=self.shuffled(axes), dtype=int, **side)
        seen = ag.state(self.name("seen"), over=self.shuffled(axes), dtype=bool)
        above = self.apart(self.over_all((), axes)) > 0.3
        n[axes] = n[self.t - k] + ag.cast(above, int)
        seen[axes] = seen[self.t - k] | (above & ~self.input((), (self.t,), bool))
        self.extras += [n, seen, n[self.t - k], ag.sum(n, over=self.t), ag.sum(seen, over=axes)]
        self.pool += [ag.where(seen, 0.3 * n, self.value((), axes)), ag.one_hot(ag.cast(seen, int), 2) * self.value((), axes)]
        return []

    def by_value(self) -> list[ag.Node]:
        """A state that reads itself at earlier steps which values name, as in recursion over trees."""
        axes, n, t = self.over(self.t), self.pick(self.dims), self.t
        s = self.state((n,), axes, {})
        i = ag.minimum(self.input(self.pick([(), (2,)]), self.pick([axes, (t,)]), int, 5), ag.index(t)) - 1
        read = ag.take(self.pick([s, ag.sin(s[t])]), i, over=t, earlier=True)
        terms = [self.carried(ag.mean(read, axis=0) if read.ndim == 2 else read), self.value((n,), axes)]
        s[axes] = self.squash(self.sum([*terms, 0.3 * s[t - 1]] if self.chance(0.4) else terms))
        return [s]

    def odd_states(self) -> list[ag.Node]:
        """States that are no recurrence: a delay line, a copy of an earlier step, a constant, one that nothing reads."""
        axes, n, k = self.over(self.t), self.pick(self.dims), self.delay(self.t)
        line, copy = self.state((n,), axes, {self.t: k}), self.state((n,), axes, {self.t: k})
        line[axes] = self.pick([lambda: self.value((n,), axes), lambda: self.weight((n,)), lambda: 0.5])()
        copy[axes] = copy[self.t - k]
        self.pool.append(line[self.t - k] + self.value((n,), axes))
        return [line, copy]

    # -- values without recurrence ----------------------------------------------------------------------------------

    def embedding(self) -> ag.Node:
        """Rows of a table by class, one-hot vectors, an entry that moves."""
        axes, n, k = self.subset(self.axes, 0.8) or (self.t,), self.pick(self.dims), self.count(2, 4)
        label, many = self.input((), axes, int, k), self.input((2,), axes, int, k)
        self.extras += [label, label == many[0]]
        return self.pick([
            lambda: ag.take(self.weight((k, n)), label), lambda: self.weight((k, n))[label],
            lambda: ag.take(self.weight((n, k)), label, axis=1), lambda: ag.mean(ag.take(self.weight((k, n)), many), axis=0),
            lambda: self.weight((n, k)) @ ag.one_hot(label, k), lambda: ag.take(self.value((k,), self.axes), label),
            lambda: ag.pick(self.value((n, k), self.axes), ag.take(many, [0] * n)),
            lambda: ag.where(label == 1, self.value((n,), self.axes), 0.1) + 0.2 * ag.cast(label != many[0], float),
            self.pointed,
        ])()  # fmt: skip

    def pointed(self) -> ag.Node:
        """The step of a value that an index names: one that is fed, or computed."""
        v, axes, end = self.over_all((self.pick(self.dims),), self.over(self.t)), self.over(self.t), ag.size(self.t) - 1
        i = self.pick([lambda: ag.minimum(self.input((), axes, int, 5), end), lambda: end - ag.index(self.t),
                       lambda: ag.minimum(self.input((2,), axes, int, 5), end), lambda: ag.index(self.t) // 2])()  # fmt: skip
        read = ag.take(ag.sin(v), i, over=self.t)
        return ag.mean(read, axis=0) if read.ndim == 2 else read

    def strided(self) -> ag.Node:
        """Steps at places that are computed from another axis, which is as long as fits: of a strided convolution, say."""
        v, w, k = self.over_all((self.pick(self.dims),), self.over(self.t)), ag.Axis(f"{self.name('w')}'"), self.count(0, 1)
        read = ag.tanh(v.along(self.t, 2 * w + k)) * self.pick([ag.sin(v.along(self.t, 2 * w)), 0.5])
        return ag.sum(self.pick([read, read * ag.take(ag.cos(v), ag.index(w), over=self.t)]), over=w)

    def solved(self) -> ag.Node:
        """Linear algebra of a matrix that is far from singular."""
        n, axes = self.count(1, 3), self.over(self.t)
        a = 0.4 * ag.sin(self.over_all((n, n), axes)) + np.diag(np.arange(n) + 2.0)
        v, spd = self.value((n,), axes), a @ a.T
        return self.pick([
            lambda: ag.linalg.solve(a, v), lambda: ag.sin(ag.linalg.inv(a)) @ v, lambda: ag.linalg.cholesky(spd) @ ag.sin(v),
            lambda: ag.linalg.slogdet(a)[1] * ag.sin(v), lambda: 0.1 * ag.linalg.det(a) * ag.sin(v),
            lambda: ag.sin(ag.linalg.eigh(a + a.T)[0]) * v, lambda: ag.tanh(ag.linalg.eigh(a + a.T)[1] ** 2) @ v,
            lambda: ag.linalg.solve_triangular(a, v, lower=self.chance(0.5)),
        ])()  # fmt: skip

    def ranked(self) -> ag.Node:
        """Entries in the order of their sizes."""
        n = self.count(2, 4)
        v = self.apart(self.over_all((n,), self.over(self.t)))
        places = ag.argsort(v, descending=self.chance(0.5))
        self.extras.append(places)
        return self.pick([
            lambda: ag.sort(v) * self.weight((n,)), lambda: ag.topk(v, 2)[0], lambda: ag.take(self.weight((n,)), places) * v,
            lambda: ag.sort(ag.sin(v), descending=True)[0] * v,
        ])()  # fmt: skip

    def shifted(self) -> ag.Node:
        """A value of another step, with rows or zeros outside: of an input, an expression, a state; a shift of a shift."""
        v = self.pick([lambda: ag.sin(self.pick(self.pool)), lambda: self.pick(self.inputs), lambda: self.pick(self.pool)])()
        axes = [a for a in v.axes if a is not self.b]
        if not axes:
            return ag.sin(v)
        axis = self.pick(axes)
        k, bounded = self.delay(axis), v.op.name in ("state", "shift")
        if not bounded and self.chance(0.5):
            rows = self.rows(v.shape, v.axes, {axis: k})
            out = ag.shift(v, axis, k, **{side: r.get(axis) if isinstance(r, dict) else r for side, r in rows.items()})
        else:
            by = self.pick([-1, 1])
            if v.op.name == "shift" and v.attrs["axis"] is axis:  # no further than its rows go
                by = -1 if v.attrs["by"] > 0 else 1
            out = v[axis - (k if not bounded else by)]
            if not bounded and self.chance(0.4):
                out = out[self.pick(axes) - self.pick([-1, 1, 2])]
        return self.pick([out, out, out * ag.sin(v), ag.sin(out + v)])

    def windowed(self) -> ag.Node:
        """The last steps of a value as a dimension, dilated or not, weighted: a causal convolution, or attention."""
        v = self.fit(self.pick([v for v in self.pool if v.axes]), self.pick([(), (self.pick(self.dims),)]))
        axis, size = self.pick(v.axes), self.count(1, 4)
        recent = ag.window(v, axis, size, every=self.count(1, 2), init=self.pick([None, None, 0.5, self.param(())]))
        return self.pick([
            lambda: self.weight((size,)) @ ag.tanh(recent), lambda: ag.sin(ag.sum(recent * recent, axis=0)),
            lambda: ag.sum(ag.softmax(recent, axis=0) * recent, axis=0), lambda: recent[0] - ag.tanh(recent[-1]),
        ])()  # fmt: skip

    def counted(self) -> ag.Node:
        """A function of the step number and the number of steps."""
        axis = self.pick(self.axes)
        self.extras += [ag.index(axis), ag.size(axis), ag.index(axis) < ag.size(axis) - 1]
        return self.pick(self.pool) * self.pick([
            (ag.index(axis) + 1) / (ag.size(axis) + 1), ag.sin(0.7 * ag.index(axis)),
            ag.where(ag.index(axis) < ag.size(axis) - 1, 1.0, 0.3),
        ])  # fmt: skip

    def masked(self) -> ag.Node:
        v = self.pick(self.pool)
        mask = self.apart(v) > self.value((), v.axes)
        mask = self.pick([lambda: mask & self.input((), self.subset(self.axes), bool), lambda: mask | (ag.index(self.t) <= 1),
                          lambda: ~mask, lambda: mask])()  # fmt: skip
        self.extras += [mask, ag.cast(mask, int)]
        return self.pick([ag.where(mask, v, 0.0), ag.where(mask, ag.sin(v), 0.3 * v), ag.sin(v) * ag.cast(mask, float),
                          ag.sin(v) * mask])  # fmt: skip

    def normalised(self) -> ag.Node:
        """A softmax or a centring over an axis that stays."""
        v = self.pick([v for v in self.pool if v.axes] or [self.input((), (self.t,))])
        axis = self.pick(v.axes)
        ways = [lambda: ag.softmax(v, over=axis), lambda: 0.3 * ag.log_softmax(v, over=axis), lambda: v - self.without(v, axis),
                lambda: ag.softmax(v, axis=tuple(range(v.ndim)), over=self.subset(v.axes) or axis)]  # fmt: skip
        return self.pick(ways)()

    def paired(self) -> ag.Node:
        """Two values with one another: sums and products of any shapes, contractions, choices."""
        v, w, n = self.pick(self.pool), self.pick(self.pool), self.pick(self.dims)
        a, b = self.fit(v, (n,)), self.fit(w, (n,))
        return self.pick([
            lambda: a * ag.sin(b), lambda: a - 0.5 * b, lambda: a / (1 + b * b), lambda: ag.maximum(self.apart(a), b),
            lambda: ag.minimum(a, self.apart(b)), lambda: ag.dot(a, ag.tanh(b)), lambda: ag.tanh(ag.outer(a, b)),
            lambda: ag.concat([a, b]), lambda: ag.stack([a, b]), lambda: ag.tanh(self.fit(v, (n, 2)) + self.fit(w, (2,))),
            lambda: ag.tanh(self.fit(v, ())) * b, lambda: ag.where(self.apart(a) < b, a, b), lambda: ag.softmax(a) * b,
            lambda: ag.tanh(self.fit(v, (2, n)) @ b), lambda: ag.tanh(self.fit(v, (2, n)) @ self.fit(w, (n, 3))),
            lambda: ag.einsum("ij,jk->ki", ag.sin(self.fit(v, (2, n))), ag.sin(self.fit(w, (n, 2)))),
            lambda: ag.zero_safe_mul(a, ag.sin(b)), lambda: (0.5 + ag.sigmoid(a)) ** ag.tanh(b),
        ])()  # fmt: skip

    def dressed(self) -> ag.Node:
        return self.dress(self.pick(self.pool))

    def dress(self, v: ag.Node) -> ag.Node:
        """A function of one value, of any kind."""
        kind = self.rng.random()
        if kind < 0.35:
            return self.pick(SMOOTH.values())(v)
        if kind < 0.6:
            return self.pick(KINKED.values())(self.apart(v))
        out = self.pick(JOINED.values())(v if v.ndim else self.fit(v, (self.pick(self.dims),)))
        return out if math.prod(out.shape) <= 8 else ag.mean(out, axis=-1)

    def extreme(self) -> ag.Node:
        v = self.fit(self.pick(self.pool), (self.pick(self.dims),))
        return self.pick([ag.max, ag.min])(self.apart(v), axis=-1, keepdims=self.chance(0.5))

    # -- the whole ----------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write one to three recurrences, and values before, between and behind them."""
        self.pool += [self.input(self.shape(), self.shuffled(self.axes)) for _ in range(self.count(1, 2))]
        self.pool.append(self.input(self.shape(), self.subset(self.axes) or self.axes))
        recurrences = ["one_loop", "one_loop", "rnn", "lstm", "lstm", "gru", "bidirectional", "fast_weights", "self_attention",
                       "chain", "spiking", "counters", "by_value", "by_value", "odd_states"]  # fmt: skip
        recurrences += ["inner_axis", "grid", "nested", "decoder"] * (2 if self.u else 0)
        plain = ["embedding", "shifted", "shifted", "windowed", "counted", "masked", "normalised", "paired", "dressed",
                 "dressed", "dressed", "extreme", "strided", "solved", "ranked"]  # fmt: skip
        for _ in range(1 if self.second or len(self.axes) > 2 else self.count(1, 3)):
            for pattern in [self.pick(plain) for _ in range(self.count(0, 3))]:
                self.add(pattern)
            self.add(self.pick(recurrences))
        for pattern in [self.pick(plain) for _ in range(self.count(1, 2 if self.second else 5))]:
            self.add(pattern)

    def add(self, pattern: str) -> None:
        self.patterns.append(pattern)
        made = getattr(self, pattern)()
        self.pool += made if isinstance(made, list) else [made]

    def total(self, v: ag.Node) -> ag.Node:
        """One number of a value: its entries and steps added up, or averaged, in one of many orders."""
        way, axes = self.count(0, 5), self.shuffled(v.axes)
        if way == 0:
            return ag.sum(ag.sum(v), over=axes)
        if way == 1:
            return ag.sum(ag.sum(v, over=axes))
        if way == 2:
            v = v * self.data(self.pick([v.shape, ()]), self.subset(v.axes, 0.7))
        v = ag.mean(v) if way == 3 else ag.dot(self.weight(v.shape), v) if v.ndim == 1 and way == 4 else ag.sum(v)
        for axis in axes:
            v = ag.mean(v, over=axis) if self.some(axis) and self.chance(0.3) else ag.sum(v, over=axis)
        return v if self.chance(0.9) else 0.2 * ag.sum(v, over=self.t)  # which it no longer varies over

    def labelled(self) -> ag.Node:
        """A loss against labels or targets, at each step of some axes."""
        axes, k = self.over(self.t), self.count(2, 4)
        label, target, v = self.input((), self.subset(axes, 0.9), int, k), self.data((k,), axes), self.over_all((k,), axes)
        loss = self.pick([
            lambda: ag.nll(ag.softmax(v), label), lambda: ag.cross_entropy(v, label), lambda: ag.mse(v, target),
            lambda: ag.cross_entropy(v, ag.softmax(target)), lambda: ag.bce(ag.sigmoid(v), ag.sigmoid(target)),
            lambda: ag.bce(0.2 + 0.6 * ag.sigmoid(v), ag.sigmoid(target)), lambda: -ag.log(ag.softmax(v)[0]),
            lambda: ag.cross_entropy(v, ag.one_hot(label, k)), lambda: ag.sum((v - target) ** 2 * self.data((), axes) ** 2),
        ])()  # fmt: skip
        return ag.where(self.input((), (self.t,), bool), loss, 0.0) if self.chance(0.2) else loss

    def close(self) -> None:
        """Write the loss, choose what to differentiate by and what else to return, and differentiate."""
        terms = [self.total(s * ag.cos(s)) for s in self.states]
        terms += [self.total(ag.sin(self.pick(self.pool))) for _ in range(self.count(1, 3))]
        terms += [self.total(self.labelled())] if self.chance(0.6) else []
        self.loss = (self.sum(terms) if self.chance(0.5) else ag.sum(ag.stack(terms))) * 1.0
        inside = set(ag.Graph(self.loss).nodes)
        self.wrt = [p for p in self.params if p in inside]
        if self.second and self.wrt:
            self.loss = ag.sum(ag.stack([self.total(g * g) for g in ag.grad(self.loss, self.wrt)]))
            inside = set(ag.Graph(self.loss).nodes)
        self.wrt += [x for x in self.inputs if x in inside and self.chance(0.4)]
        if not self.second and "odd_states" not in self.patterns:  # unrolled, a state is its equation, a copy the original
            self.wrt += [s for s in self.states if s in inside and self.chance(0.1)]
        self.wrt += [self.param((2,))] if self.chance(0.05) else []  # which nothing depends on
        self.wrt = [] if self.chance(0.08) else self.wrt  # nothing but values: states need not be kept
        offered = [*self.states, *self.pool, *self.extras, *self.params[:1], *self.inputs[:1]]
        self.extras = [self.pick(offered) for _ in range(self.count(1, 4))]
        nodes = [self.loss, *ag.grad(self.loss, self.wrt), *self.extras]
        whole = ag.Graph(nodes)
        told = {a for x in whole.inputs.values() for a in x.axes}
        for axis in self.axes:  # lengths come with the feeds
            if axis in whole.axes and axis not in told:
                self.extras.append(self.input((), (axis,)))
                nodes.append(self.extras[-1])
        names = ["loss", *[f"gradient of {x.name}" for x in self.wrt], *[repr(x) for x in self.extras]]
        order = [int(i) for i in self.rng.permutation(len(nodes))] if self.chance(0.5) else [*range(len(nodes))]
        order = [i for i in order if i] if self.wrt and self.chance(0.15) else order  # gradients without the loss
        self.order, self.outputs, self.labels = order, [nodes[i] for i in order], [names[i] for i in order]

    # -- what it must be ----------------------------------------------------------------------------------------------

    def other_sizes(self) -> dict[str, int]:
        """Other lengths, legal too: an axis with steps keeps some."""
        return {name: n - 1 if n > 3 else n + 1 for name, n in self.sizes.items()}

    def fed(self, graph: ag.Graph, sizes: dict[str, int] | None = None, salt: int = 0) -> dict[str, Any]:
        """The feeds of a graph, at some lengths; another salt gives other numbers."""
        out: dict[str, Any] = {}
        for name, node in graph.inputs.items():
            if name == "seed":
                out[name] = self.seed + salt
                continue
            axes, make = self.feeds[name]
            rng = np.random.default_rng([self.seed, salt, *name.encode()])
            out[name] = np.asarray(make(rng, tuple((sizes or self.sizes)[a.name] for a in axes) + node.shape))
        told = {a for node in graph.inputs.values() for a in node.axes}
        return out | {a.name: (sizes or self.sizes)[a.name] for a in graph.axes if a not in told and a.name in self.sizes}

    def expected(self, sizes: dict[str, int] | None = None, salt: int = 0) -> list[np.ndarray]:
        """The values of the outputs, in order, by reverse mode through the unrolled graph."""
        nodes, program = [self.loss, *self.extras, *self.wrt], ag.Graph(self.outputs)
        whole = ag.Graph(nodes)
        steps = {name: n for name, n in (sizes or self.sizes).items() if name in {a.name for a in whole.axes}}
        dag = whole.unroll(**steps)
        dag = dag.grad(self.wrt, with_outputs=True) if self.wrt else dag
        values = dag.evaluate(**self.fed(whole, sizes, salt))
        gradients, extras = range(len(nodes), len(values)), range(1, 1 + len(self.extras))
        found = []
        for i, node in zip(self.order, self.outputs, strict=True):
            at = [0, *gradients, *extras][i]
            laid = whole.layout(nodes[at] if at < len(nodes) else self.wrt[at - len(nodes)])
            lead = [laid.index(a) for a in program.layout(node)]  # each graph has its own order of axes
            found.append(values[at].transpose(*lead, *range(len(lead), values[at].ndim)))
        return found

    def __str__(self) -> str:
        graph = ag.Graph(self.outputs)
        lines = [f"seed {self.seed}: {' '.join(self.patterns)}{', second order' if self.second else ''}"]
        lines.append(f"lengths: {', '.join(f'{a}={n}' for a, n in self.sizes.items())}")
        lines += [f"fed: {name} {np.asarray(v).dtype}{list(np.shape(v))}" for name, v in self.fed(graph).items()]
        return "\n".join([*lines, str(graph)])


def check(case: Program, got: Any, want: list[np.ndarray], how: str, tolerance: float = 1e-12) -> None:
    assert len(got) == len(want)
    errors = [difference(a, b) for a, b in zip(got, want, strict=True)]
    outputs = zip(case.labels, errors, got, want, strict=True)
    wrong = [f"  {label}: {error:.2e}{describe(a, b)}" for label, error, a, b in outputs if not error <= tolerance]
    assert not wrong, (
        f"seed {case.seed} ({how}; {' '.join(case.patterns)}; {case.sizes}): {len(wrong)} of {len(got)} outputs are wrong\n"
        + "\n".join(wrong) + f"\n  python tests/support/random_programs.py {case.seed} prints the program"
    )  # fmt: skip


def describe(got: Any, want: np.ndarray) -> str:
    if np.shape(got) != want.shape:
        return f", shape {np.shape(got)} for {want.shape}"
    return "" if not want.size else f", {np.ravel(got)[:3]} … for {want.ravel()[:3]} …"


if __name__ == "__main__":
    print(Program(int(sys.argv[1])))
