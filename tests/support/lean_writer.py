"""What writes equations: operations, leaves, sums of products, states with their rows, and the cells of models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from chance import Chance
from lean_meaning import Equation


class Writer(Chance):
    """Equations in a list, which habits add to.

    Attributes:
        equations, defined, feeds: what is written so far.
        base, sizes: the axes, and their lengths.
        size_of: about how large the values of an equation are.
        reach: the longest delay of a state, with its sign.
        streams: what there is over time, in order.
        width, classes: the length of a state, and how many classes labels have.
    """

    equations: list[Equation]
    defined: dict[int, int]
    feeds: dict[int, np.ndarray]
    base: tuple[str, ...]
    sizes: dict[str, int]
    size_of: dict[int, float]
    reach: dict[int, int]
    streams: list[int]
    width: int
    classes: int

    # -- equations ----------------------------------------------------------------------------------------------------

    def add(self, op: str, *args: int, shape: Sequence[int] | None = None, axes: Sequence[str] | None = None,
            **attrs: Any) -> int:  # fmt: skip
        """Write an equation, which has the shape of its last operand and the axes of all unless it is said."""
        of = [self.equations[x] for x in args]
        over = tuple(dict.fromkeys(a for e in of for a in e.axes)) if axes is None else tuple(axes)
        self.equations.append(Equation(op, args, of[-1].shape if shape is None else tuple(shape), over, attrs))
        self.size_of[len(self.equations) - 1] = 1.0
        return len(self.equations) - 1

    def shape(self, k: int) -> tuple[int, ...]:
        return self.equations[k].shape

    def axes(self, k: int) -> tuple[str, ...]:
        return self.equations[k].axes

    def order(self) -> tuple[str, ...]:
        """The axes in an order: each leaf and each state has its own."""
        return tuple(self.base[i] for i in self.rng.permutation(len(self.base))) if self.chance(0.5) else self.base

    def leaf(self, op: str, shape: Sequence[int], axes: Sequence[str], size: float = 1.0) -> int:
        k = self.add(op, shape=shape, axes=axes)
        whole = (*(self.sizes[a] for a in axes), *shape)
        drawn = self.rng.integers(0, self.classes, whole) if op == "label" else self.rng.normal(size=whole) * size
        self.feeds[k], self.size_of[k] = np.asarray(drawn), size
        return k

    def input(self, shape: Sequence[int], axes: Sequence[str] | None = None) -> int:
        size = 10.0 ** self.count(-6, 6) if self.chance(0.15) else 1.0
        return self.leaf("input", shape, self.order() if axes is None else axes, size)

    def param(self, *shape: int, size: float = 1.0) -> int:
        """A parameter: new, or one that is there."""
        same = [k for k, e in enumerate(self.equations) if e.op == "param" and e.shape == shape and self.size_of[k] == size]
        return self.pick(same) if same and self.chance(0.12) else self.leaf("param", shape, (), size)

    def product(self, n: int, x: int) -> int:
        """A vector of n entries of the order of 1, from a vector."""
        (m,) = self.shape(x)
        size = 1 / (self.size_of[x] * math.sqrt(m))
        if self.chance(0.15):
            return self.add("matmul_left", x, self.param(m, n, size=size), shape=(n,))
        return self.add("matmul", self.param(n, m, size=size), x, shape=(n,))

    def total(self, *terms: int) -> int:
        out = terms[0]
        for x in terms[1:]:
            out = self.add("sub" if self.chance(0.1) else "add", *((out, x) if self.chance(0.8) else (x, out)))
        return out

    def squashed(self, x: int) -> int:
        return self.add(self.pick(["tanh", "tanh", "tanh", "sigmoid", "sin", "softplus", "relu"]), x)

    def affine(self, n: int, *xs: int) -> int:
        """A sum of products, mostly with a bias."""
        bias = [self.param(n)] if self.chance(0.5) else []
        return self.total(*(self.product(n, x) for x in xs), *bias)

    def stream(self) -> int:
        """Something over time: mostly the last there is, else one that others read too."""
        return self.streams[-1] if self.chance(0.5) else self.pick(self.streams)

    # -- states -------------------------------------------------------------------------------------------------------

    def row(self, shape: Sequence[int], others: Sequence[str]) -> int:
        kind = self.rng.random()
        over = tuple(a for a in others if self.chance(0.8))
        row = self.leaf("param", shape, ()) if kind < 0.4 else self.leaf("input", shape, over)
        return self.add("tanh", row) if self.chance(0.2) else row

    def state(self, n: int, by: dict[str, int]) -> int:
        """A state with some longest delays, and rows outside, or zeros."""
        axes = self.order()
        sides: dict[str, dict[str, list[int]]] = {"init": {}, "final": {}}
        for axis, k in by.items():
            others = [a for a in axes if a != axis]
            if self.chance(0.35):
                count = 1 if self.chance(0.5) else abs(k)
                sides["init" if k > 0 else "final"][axis] = [self.row((n,), others) for _ in range(count)]
        s = self.add("state", shape=(n,), axes=axes, **{side: rows for side, rows in sides.items() if rows})
        self.reach[s] = by.get("t", 1)
        return s

    def define(self, s: int, equation: int) -> None:
        """Close a state; what varies over fewer axes is added to what varies over all."""
        missing = [a for a in self.axes(s) if a not in self.axes(equation)]
        if missing:
            equation = self.add("add", equation, self.leaf("input", self.shape(s), missing))
        self.defined[s] = equation
        self.streams.append(s)

    def past(self, x: int, by: int, axis: str = "t") -> int:
        return self.add("shift", x, axis=axis, by=by)

    def delay(self) -> int:
        return self.pick([1, 1, 1, 1, 2, 3, -1, -1, -2])

    # -- cells ---------------------------------------------------------------------------------------------------------

    def _rnn(self, x: int) -> None:
        k, n = self.delay(), self.width
        h = self.state(n, {"t": k})
        self.define(h, self.squashed(self.affine(n, self.past(h, k), x)))

    def _gru(self, x: int) -> None:
        k, n = self.delay(), self.width
        h = self.state(n, {"t": k})
        p = self.past(h, k)
        z, r = (self.add("sigmoid", self.affine(n, p, x)) for _ in range(2))
        if self.chance(0.5):
            new = self.add("tanh", self.affine(n, self.add("mul", r, p), x))
        else:
            new = self.add("tanh", self.total(self.add("mul", r, self.affine(n, p)), self.product(n, x)))
        self.define(h, self._mixed(z, new, p))

    def _mixed(self, z: int, a: int, b: int) -> int:
        """(1 − z)·a + z·b, in one of the ways that it is written."""
        rest = self.add("less", z)
        return self.pick([
            lambda: self.add("add", self.add("mul", rest, a), self.add("mul", z, b)),
            lambda: self.add("add", self.add("mul", b, z), self.add("mul", a, rest)),
            lambda: self.add("add", a, self.add("mul", z, self.add("sub", b, a))),
        ])()  # fmt: skip

    def _lstm(self, x: int) -> None:
        k, n = self.delay(), self.width
        h, c = self.state(n, {"t": k}), self.state(n, {"t": k})
        p, cell = self.past(h, k), self.past(c, k)
        if self.chance(0.2):  # packed by hand
            whole = self.affine(4 * n, p, x)
            i, f, o, g = (self.add("slice", whole, shape=(n,), start=j * n, stop=(j + 1) * n) for j in range(4))
        else:
            i, f, o, g = (self.affine(n, p, x) for _ in range(4))
        if self.chance(0.2):
            i = self.add("add", i, self.add("mul", self.param(n), cell))
        i, f, o, g = self.add("sigmoid", i), self.add("sigmoid", f), self.add("sigmoid", o), self.add("tanh", g)
        f = self.add("less", i) if self.chance(0.2) else f
        kept = self.add("mul", f, cell) if self.chance(0.8) else self.add("scale", self.param(), cell)
        new = self.total(kept, self.add("mul", i, g))
        self.define(c, new)
        out = self.add("tanh", c) if self.chance(0.8) else c
        self.define(h, self.add("mul", o, out) if self.chance(0.8) else self.add("copy", out))

    def _min_gru(self, x: int) -> None:
        k, n = self.delay(), self.width
        h = self.state(n, {"t": k})
        z = self.add("sigmoid", self.affine(n, x))
        self.define(h, self._mixed(z, self.affine(n, x), self.past(h, k)))

    def _leaky(self, x: int) -> None:
        k, n = self.delay(), self.width
        h = self.state(n, {"t": k})
        kept = self.add("scale", self.add("sigmoid", self.param()), self.past(h, k))
        self.define(h, self.total(kept, self.squashed(self.affine(n, x, self.past(h, k)))))

    def _linear(self, x: int) -> None:
        k, n = self.delay(), self.width
        h = self.state(n, {"t": k})
        self.define(h, self.total(self.product(n, self.past(h, k)), self.product(n, x)))
        self.streams.append(self.total(self.product(n, self.pick([h, self.past(h, k)])), self.product(n, x)))
