"""Random programs in a lean style: few operations, as models have them, from a seed; judged by what is not the engine.

A seed makes a list of equations, as plain data. ``lean_meaning`` says what they mean, by loops and complex steps;
``lean_runs`` writes them for the engine. The habits are those of models: several states that read each other, packed gates
whose parts are read again, several cells on one input and one above the other, embeddings of shifted labels, attention with
heads, axes declared in different orders, rows that are inputs, values from 1e-6 to 1e6, no batch and a batch of one.
"""

from __future__ import annotations

import numpy as np
from lean_meaning import Equation, Meaning
from lean_writer import Writer


class Lean(Writer):
    """The lean program of a seed.

    Attributes:
        equations, defined: what it computes; see :class:`Meaning`.
        sizes: the length of each axis, by name.
        feeds: for each leaf its array.
        loss: the number of the equation that is the loss.
        wrt: the numbers of those by which it is differentiated: leaves, states, values of softmax.
        habits: what it is made of, in order.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, np.random.default_rng([14, seed])
        self.equations: list[Equation] = []
        self.defined: dict[int, int] = {}
        self.feeds: dict[int, np.ndarray] = {}
        self.size_of: dict[int, float] = {}
        self.reach: dict[int, int] = {}
        self.habits: list[str] = []
        self.named: list[int] = []
        kind = self.rng.random()
        self.base = ("t",) if kind < 0.5 else ("t", "b") if kind < 0.9 else ("t", "u")
        self.sizes = {"t": self.pick([1, 2, 3, 4, 5, 6]), "b": self.pick([1, 1, 2, 3]), "u": self.pick([1, 2, 3])}
        self.sizes = {a: n for a, n in self.sizes.items() if a in self.base}
        self.width, self.classes = self.pick([1, 2, 3, 4]), self.pick([2, 3, 5])
        self.streams = [self.input((self.pick([self.width, self.width, 2]),)) for _ in range(self.count(1, 2))]
        self.labels = [self.leaf("label", (), self.order())] if self.chance(0.5) else []
        habits = [*[self.cell] * 4, *[self.system] * 3, *[self.gates] * 2, self.parallel, self.attention, self.residual,
                  self.embedding, self.chosen, self.decoder]  # fmt: skip
        for _ in range(self.pick([1, 1, 2, 2, 2, 3])):
            habit = self.grid if "u" in self.base and self.chance(0.6) else self.pick(habits)
            self.habits.append(habit.__name__)
            habit()
        self.close()

    # -- recurrences ---------------------------------------------------------------------------------------------------

    def cell(self) -> None:
        """A cell that reads a stream."""
        self.pick([self._rnn, self._gru, self._lstm, self._lstm, self._min_gru, self._leaky, self._linear])(self.stream())

    def parallel(self) -> None:
        """Two cells of one kind on one input, and their sum."""
        kind, x = self.pick([self._rnn, self._gru, self._lstm, self._min_gru, self._min_gru]), self.stream()
        for _ in range(2):
            kind(x)
        self.streams.append(self.total(*self.streams[-2:]))

    def system(self) -> None:
        """States that read each other's past, and those of the same step that stand before; products that two steps read."""
        sign, n = self.pick([1, 1, -1]), self.width
        states = [self.state(n, {"t": sign}) for _ in range(self.count(2, 3))]
        for i, s in enumerate(states):
            past = [r for r in states if self.chance(0.6)] or [states[i - 1]]
            terms = [self.product(n, self.past(r, sign)) for r in past]
            terms += [self.product(n, r) for r in states[:i] if self.chance(0.35)]
            if self.chance(0.25) and (seen := [x for x in terms if "t" in self.axes(x)]):
                terms.append(self.past(self.pick(seen), sign))  # a product, at a step before too
            terms += [self.product(n, self.stream())] if self.chance(0.5) else []
            terms += [x for x in self.streams if self.shape(x) == (n,) and self.size_of[x] == 1 and self.chance(0.3)]
            value = self.squashed(self.total(*terms))
            if self.chance(0.3):
                value = self.total(self.add("scale", self.param(), self.past(s, sign)), value)
            self.define(s, value)

    def grid(self) -> None:
        """A state over two axes that reads both ways."""
        n, k = self.width, self.pick([1, 1, 2, -1])
        s = self.state(n, {"t": k, "u": 1})
        terms = [self.product(n, self.past(s, k)), self.product(n, self.past(s, 1, "u")), self.product(n, self.stream())]
        terms += [self.past(self.past(s, k), 1, "u")] if self.chance(0.4) else []
        self.define(s, self.squashed(self.total(*terms)))

    def decoder(self) -> None:
        """A cell that begins where another stream ends."""
        x, n, k = self.stream(), self.width, self.pick([1, 1, -1])
        row = self.add("tanh", self.product(n, self.add("last", x, axis="t", axes=[a for a in self.axes(x) if a != "t"])))
        side = "init" if k > 0 else "final"
        h = self.add("state", shape=(n,), axes=self.order(), **{side: {"t": [row]}})
        self.reach[h] = k
        self.define(h, self.squashed(self.affine(n, self.past(h, k), self.pick([x, self.past(x, k)]))))

    # -- what is on no cycle ------------------------------------------------------------------------------------------

    def gates(self) -> None:
        """Gates in parallel on one input, whose parts are read several times."""
        n, x = self.width, self.stream()
        kind, terms = self.pick(["sigmoid", "sigmoid", "tanh"]), []
        read = self.pick([
            lambda z: [self.add("less", z), self.add("mul", z, self.affine(n, x))],
            lambda z: [self.add("mul", z, self.add("less", z))],
            lambda z: [self.add("mul", self.add("mul", z, self.affine(n, x)), z)],
            lambda z: [z, self.add("mul", z, self.past(z, 1))],
        ])  # fmt: skip
        for _ in range(self.count(2, 3)):
            terms += read(self.add(kind, self.affine(n, x)))
        self.streams.append(self.total(*terms))

    def residual(self) -> None:
        x = self.stream()
        n = self.shape(x)[0]
        inner = self.product(n, self.squashed(self.affine(self.width, x)))
        self.streams.append(self.total(self.product(n, x) if self.size_of[x] != 1 else x, inner))

    def embedding(self) -> None:
        """A table's rows by label, or by the label before."""
        label = self.pick(self.labels) if self.labels else self.leaf("label", (), self.order())
        self.labels = self.labels or [label]
        read = self.past(label, self.pick([1, 1, 2])) if self.chance(0.7) else label
        self.streams.append(self.add("take", self.param(self.classes, self.width), read, shape=(self.width,)))

    def chosen(self) -> None:
        """A mixture by a softmax, which has a name."""
        n, x = self.width, self.stream()
        w = self.add("softmax", self.affine(n, x))
        self.named += [w] if len(self.axes(w)) == 1 else []
        self.streams.append(self.add("mul", w, self.pick([self.affine(n, x), self.add("log", w), self.past(w, 1)])))

    def attention(self) -> None:
        """Every step reads every step, or those before it, by one head or two."""
        heads, d, x = self.count(1, 2), self.count(1, 2), self.stream()
        other = f"t{len(self.equations)}"
        self.sizes[other] = self.sizes["t"]
        q, k, v = (self.add("reshape", self.product(heads * d, x), shape=(heads, d)) for _ in range(3))
        there = [other if a == "t" else a for a in self.axes(k)]
        k, v = (self.add("along", y, axis="t", other=other, axes=there) for y in (k, v))
        score = self.add("heads", q, k, shape=(heads,))
        score = self.add("causal", score, axis="t", other=other) if self.chance(0.5) else score
        score = self.add("softmax_over", score, axis=other)
        read = self.add("weigh", score, v, shape=(heads, d))
        read = self.add("sum_over", read, axis=other, axes=[a for a in self.axes(read) if a != other])
        self.streams.append(self.add("reshape", read, shape=(heads * d,)))

    # -- the loss -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write the loss, and choose what it is differentiated by."""
        ends = [self.streams[-1], *(x for x in self.streams[:-1] if self.chance(0.3))]
        terms = [self._reduced(self._judged(x)) for x in ends]
        for i, term in enumerate(terms):
            if self.chance(0.1):
                terms[i] = self.add("scale", self.leaf("param", (), (), 10.0 ** self.count(-6, 6)), term)
        self.loss = self.total(*terms)
        self._without_idle_rows()
        used = self.list_used()
        leaves = [k for k, e in enumerate(self.equations) if e.op in ("param", "input") and k in used]
        self.wrt = leaves if self.chance(0.7) else [k for k in leaves if self.chance(0.5)]
        self.wrt += [k for k in self.defined if k in used and self.chance(0.15)]
        self.wrt += [k for k in self.named if k in used and self.chance(0.5)]

    def _judged(self, x: int) -> int:
        """A number at each point."""
        x = self.product(self.width, x) if self.size_of[x] != 1 else x
        kind = self.rng.random()
        if kind < 0.35 and self.labels:
            z = self.product(self.classes, x)
            label = self.pick(self.labels)
            if self.chance(0.6):
                return self.add("cross_entropy", z, label, shape=())
            y = self.add("softmax", z)
            self.named += [y] if len(self.axes(y)) == 1 else []
            return self.add("nll", y, label, shape=())
        if kind < 0.6:
            return self.add("sum", self.add("square", x), shape=())
        if kind < 0.75:
            return self.add("dot", x, self.past(x, self.pick([1, -1])) if "t" in self.axes(x) else x, shape=())
        return self.add("sum", self.add(self.pick(["sin", "tanh", "copy", "root"]), x), shape=())

    def _reduced(self, x: int) -> int:
        """One number of all points."""
        for axis in [self.axes(x)[i] for i in self.rng.permutation(len(self.axes(x)))]:
            rest = [a for a in self.axes(x) if a != axis]
            kind = self.pick(["sum_over", "sum_over", "sum_over", "mean_over", "last", "logsumexp_over"])
            x = self.add(kind, x, axis=axis, axes=rest)
        return x

    def _without_idle_rows(self) -> None:
        """Take away the rows that nothing reads: they are refused."""
        read = set()
        for e in [self.equations[k] for k in self.list_used()]:
            if e.op == "shift":
                x, side = e.args[0], "init" if e.attrs["by"] > 0 else "final"
                while self.equations[x].op == "shift":
                    (x,) = self.equations[x].args
                read.add((x, side, e.attrs["axis"]))
        for k in self.defined:
            for side in ("init", "final"):
                rows = self.equations[k].attrs.get(side, {})
                for axis in [a for a in rows if (k, side, a) not in read]:
                    del rows[axis]

    def list_used(self) -> set[int]:
        found, stack = set[int](), [self.loss]
        while stack:
            k = stack.pop()
            if k in found:
                continue
            found.add(k)
            e = self.equations[k]
            stack += [*e.args, *([self.defined[k]] if k in self.defined else [])]
            stack += [r for side in ("init", "final") for rows in e.attrs.get(side, {}).values() for r in rows]
        return found

    # -- both of its readings -----------------------------------------------------------------------------------------

    def meaning(self) -> Meaning:
        """What it means, by loops."""
        return Meaning(self.equations, self.defined, self.sizes, self.feeds, self.wrt)
