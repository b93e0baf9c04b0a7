"""Random recurrent programs with equilibria among their equations, from a seed.

``python tests/support/random_equilibria.py 17`` prints the program of seed 17. Every equation contracts: weights are
orthogonal, times less than a half, and slopes are at most 1.
"""

from __future__ import annotations

import sys
from typing import Any

from random_programs import Axes, Program, Shape

import autograd_seq as ag


class Settling(Program):
    """A random program, after whose recurrences equilibria come; what they settle at enters the loss."""

    def write(self) -> None:
        super().write()
        for pattern in [self.pick(["layer", "recurrent_layer", "couple", "line", "orbit"]) for _ in range(self.count(1, 2))]:
            self.add(pattern)
        self.add(self.pick(["dressed", "paired", "shifted", "normalised"]))

    def settling(self, shape: Shape, axes: Axes, **more: Any) -> ag.Node:
        """An equilibrium over axes, with a start, kept in part from iteration to iteration, or neither."""
        axes = self.shuffled(axes)
        starts = {0: self.value(shape, axes), 1: 0.5}
        more = {"start": starts.get(self.count(0, 4)), **more}
        z = ag.equilibrium(self.name("z"), shape, over=axes, tol=0.0, damping=self.pick([0.0, 0.0, 0.2]), **more)
        self.states.append(z)
        return z

    def contract(self, v: ag.Node, factor: float = 0.45) -> ag.Node:
        """At most that much of a value: as it is, gated, turned."""
        ways = [lambda: factor * v, lambda: factor * ag.sigmoid(self.value(v.shape, v.axes)) * v]
        if v.ndim:
            ways += [lambda: factor * (self.param((v.shape[0],) * 2) @ v)] * 2
            ways += [lambda: factor * ag.softmax(self.value(v.shape, v.axes), axis=0) * ag.sin(v)]
        return self.pick(ways)()

    def layer(self) -> list[ag.Node]:
        """A deep equilibrium layer, at each point by itself."""
        axes = self.subset(self.axes, 0.8)
        z = self.settling(self.shape(), axes)
        z[axes or ...] = self.squash(self.sum([self.value(z.shape, axes), self.contract(z)]))
        return [z]

    def recurrent_layer(self) -> list[ag.Node]:
        """An equilibrium within the steps of a recurrence, which reads its earlier values and those of a state."""
        axes, k, shape = self.over(self.t), self.delay(self.t), self.shape()
        s = self.state(shape, axes, {self.t: k})
        z = self.settling(shape, axes, **({"start": self.t - k} if self.chance(0.3) else {}))
        terms = [self.value(shape, axes), self.contract(z[axes], 0.4), 0.4 * s[self.t - k]]
        if self.chance(0.5):
            rows = self.rows(shape, z.axes, {self.t: k})
            given = {side: r.get(self.t) if isinstance(r, dict) else r for side, r in rows.items()}
            terms.append(0.3 * ag.shift(z, self.t, k, **given))
        z[axes] = self.squash(self.sum(terms))
        s[axes] = self.squash(self.carried(s[self.t - k]) + z[axes])
        return [s, z]

    def couple(self) -> list[ag.Node]:
        """Two equilibria of each other; the second may vary over fewer axes."""
        axes = self.over(self.t)
        fewer = self.subset(axes, 0.6)
        z, y = self.settling(self.shape(), axes), self.settling(self.shape(), fewer)
        z[axes] = self.squash(self.sum([self.value(z.shape, axes), self.contract(z, 0.3), 0.2 * ag.tanh(self.fit(y, z.shape))]))
        read = z
        for axis in [a for a in z.axes if a not in y.axes]:
            read = ag.sum(read, over=axis) / 8
        y[fewer or ...] = self.squash(self.sum([self.value(y.shape, fewer), 0.1 * ag.tanh(self.fit(read, y.shape))]))
        return [z, y]

    def line(self) -> list[ag.Node]:
        """Points that read both neighbours, and so settle together."""
        axes, n = self.over(self.t), self.pick([(), (self.pick(self.dims),)])
        along = self.pick([a for a in axes if a is not self.b])
        z = self.settling(n, axes)
        z[axes] = self.squash(self.value(n, axes) + 0.3 * z[along - 1] - 0.25 * z[along + 1])
        return [z]

    def orbit(self) -> list[ag.Node]:
        """A recurrence within an iteration: the end of a sequence acts on all of its steps."""
        axes, k, n = self.over(self.t), self.delay(self.t, longest=2), self.pick(self.dims)
        others = tuple(a for a in axes if a is not self.t)
        s, end = self.state((n,), axes, {self.t: k}), self.settling((n,), others)
        s[axes] = self.squash(0.3 * s[self.t - k] + self.contract(end, 0.2) + self.value((n,), axes))
        end[others or ...] = 0.5 * ag.tanh(ag.last(s, over=self.t) if self.some(self.t) else ag.sum(s, over=self.t))
        return [s, end]


if __name__ == "__main__":
    print(Settling(int(sys.argv[1])))
