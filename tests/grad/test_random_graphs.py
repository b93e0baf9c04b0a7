"""Random recurrent graphs: the adjoint folded graph equals reverse mode through the unrolled primal.

The oracle is the unrolled DAG with plain reverse mode, itself judged by complex steps. Dynamics neither contract nor
explode (weights are orthogonal, states enter with weight one), losses see every step, and T ≥ 2·k + 1 for delays up to
k = 3: a truncated or shifted gradient does not pass. Errors are relative to the largest entry.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from night import one_in

import autograd_seq as ag

COUNT = int(os.environ.get("AUTOGRAD_SEQ_RANDOM_GRAPHS", "240"))
H = 2


class Build:
    """Writes random equations over one or two axes, and remembers what must be fed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.feeds: dict[str, np.ndarray] = {}
        self.t, self.u = ag.Axis("t"), ag.Axis("u")
        self.two = seed % 3 == 0
        self.axes = (self.t, self.u) if self.two else (self.t,)
        self.sizes = {"t": 7, "u": 5} if self.two else {"t": int(self.rng.integers(7, 10))}
        self.directions = {a: int(self.rng.choice([-1, 1])) for a in self.axes}
        self.matrices = [self.param(f"W{i}", (H, H)) for i in range(2)]
        self.vectors = [self.param(f"b{i}", (H,)) for i in range(2)]
        self.x = self.input("x", (H,), self.axes)
        self.z = self.input("z", (), (self.t,))

    def param(self, name: str, shape: tuple[int, ...]) -> ag.Node:
        value = self.rng.normal(size=shape)
        self.feeds[name] = np.linalg.qr(value)[0] if len(shape) == 2 else value
        return ag.param(name, shape)

    def input(self, name: str, shape: tuple[int, ...], axes: tuple[ag.Axis, ...]) -> ag.Node:
        lead = tuple(self.sizes[a.name] for a in axes)
        self.feeds[name] = self.rng.normal(size=lead + shape)
        return ag.input(name, shape, over=axes)

    def pick(self, options: list) -> ag.Node:
        return options[int(self.rng.integers(len(options)))]

    def bounds(self, name: str, delays: dict[ag.Axis, int]) -> dict[str, dict]:
        """Rows for the sides that are read: zeros, one for all, or a list; parameters, or a function of one."""
        out: dict[str, dict] = {"init": {}, "final": {}}
        for axis, k in delays.items():
            side = "init" if k > 0 else "final"
            kind = self.rng.integers(3)
            if kind == 1:
                out[side][axis] = ag.tanh(self.param(f"{name}_{axis.name}", (H,)))
            elif kind == 2:
                out[side][axis] = [self.param(f"{name}_{axis.name}{j}", (H,)) for j in range(abs(k))]
        return out

    def component(self, name: str, sources: list[ag.Node], directions: dict[ag.Axis, int]) -> list[ag.Node]:
        """One to three states that read one another at earlier (or later) steps."""
        names = [f"{name}{i}" for i in range(int(self.rng.integers(1, 4)))]
        longest = {a: directions[a] * int(self.rng.integers(1, 4)) for a in self.axes}
        states = [ag.state(n, (H,), over=self.axes, **self.bounds(n, longest)) for n in names]
        for i, s in enumerate(states):
            value = self.pick(sources) + self.pick(self.vectors)
            for axis in self.axes:
                reach = longest[axis]
                value = value + 0.5 * (self.matrices[i % 2] @ s[axis - reach])  # every state has its longest delay
                other, k = self.pick(states), directions[axis] * int(self.rng.integers(1, abs(reach) + 1))
                value = value + 0.5 * ag.tanh(other[axis - k])
            if self.two and self.rng.integers(2):
                value = value + 0.2 * s[self.t - directions[self.t], self.u - directions[self.u]]
            s[self.axes] = ag.sin(value) if self.rng.integers(2) else value - 0.1 * ag.tanh(value)
        return states

    def loss(self) -> ag.Node:
        sources = [self.x, self.x * self.z, self.x + ag.tanh(self.matrices[0] @ self.vectors[1])]
        states = self.component("s", sources, self.directions)
        opposite = {a: -d for a, d in self.directions.items()}
        states += self.component("r", [*states, self.x], opposite if self.rng.integers(2) else self.directions)
        mixed = self.pick(states) * self.pick(states) + self.x[self.t - 1] * ag.tanh(self.pick(states))[self.t + 2]
        weights = ag.softmax(ag.sum(mixed), over=self.t)
        context = ag.sum(weights * self.pick(states), over=self.t)  # attention, over what axes are left
        terms = [ag.sum(ag.sum(s * ag.cos(s)), over=self.axes) for s in states]
        terms += [ag.mean(ag.mean(mixed), over=self.axes), ag.sum(ag.sum(context * context), over=self.axes[1:] or self.t)]
        terms.append(ag.sum(ag.last(self.pick(states), over=self.t) * self.vectors[0], over=self.axes[1:] or ()))
        terms = [ag.sum(x) for x in terms]
        return ag.sum(ag.stack(terms)).named("L")


def close(a: np.ndarray, b: np.ndarray, tolerance: float, scale: float) -> bool:
    return a.shape == b.shape and (a.size == 0 or float(np.max(np.abs(a - b))) <= tolerance * scale)


@pytest.mark.parametrize("seed", one_in(3, range(COUNT)))
def test_adjoint_folded_graph_equals_reverse_mode_through_the_unrolled_graph(seed):
    build = Build(seed)
    loss = build.loss()
    graph = ag.Graph(loss)
    wrt = list(graph.inputs.values())
    feeds = {n: build.feeds[n] for n in graph.inputs}
    dag = graph.unroll(**build.sizes)
    truth = dag.grad(wrt, with_outputs=True).evaluate(**feeds)
    adjoint = ag.Graph(loss, ag.grad(loss, wrt)).unroll(**build.sizes).evaluate(**feeds)
    scale = max(float(np.max(np.abs(g), initial=0.0)) for g in truth[1:])
    assert 1e-3 < scale < 1e6
    for node, a, b in zip([loss, *wrt], adjoint, truth, strict=True):
        assert close(a, b, 1e-12, max(scale, 1.0)), node.name


@pytest.mark.parametrize("seed", range(0, COUNT, 20))
def test_complex_steps_judge_the_oracle(seed):
    build = Build(seed)
    loss = build.loss()
    graph = ag.Graph(loss)
    wrt = [n for n in graph.inputs.values() if not n.axes]
    feeds = {n: build.feeds[n] for n in graph.inputs}
    steps = graph.sizes(feeds)
    dag = graph.unroll(**steps)
    grads = dag.grad(wrt).evaluate(**feeds)
    scale = max(float(np.max(np.abs(g))) for g in grads)
    for node, g in zip(wrt, grads, strict=True):
        for at in list(np.ndindex(*node.shape))[:2]:
            moved = {**feeds, node.name: feeds[node.name].astype(complex)}
            moved[node.name][at] += 1e-30j
            numeric = float(np.imag(dag.evaluate(**moved)[0])) / 1e-30
            assert abs(g[at] - numeric) <= 1e-11 * scale, (node.name, at)


def test_the_random_graphs_are_recurrent_in_both_directions_and_over_one_and_two_axes():
    delays, axes = set(), set()
    for seed in range(30):
        graph = ag.Graph(Build(seed).loss())
        assert graph.cycles(limit=1)
        axes.add(len(graph.axes))
        delays |= {k for _, _, k in graph.edges()}
    assert axes == {1, 2} and delays == {-3, -2, -1, 0, 1, 2, 3}


def test_a_gradient_cut_after_three_steps_is_caught():
    """The dynamics remember: the loss of the last step alone still has a gradient at the first."""
    build = Build(1)
    build.loss()
    s = ag.state("q", (H,), over=build.t)
    s[build.t] = build.matrices[0] @ s[build.t - 1] + build.x
    last = ag.sum(ag.last(s, over=build.t))
    dx = ag.Graph(ag.grad(last, build.x)).unroll(t=9).evaluate(W0=build.feeds["W0"])[0]
    assert np.linalg.norm(dx[0]) == pytest.approx(np.linalg.norm(dx[-1]), rel=1e-12)
