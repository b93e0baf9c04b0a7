"""Lean programs for the engine: the same equations as nodes, run in every way, and what is wrong with what they give.

``python tests/support/lean_runs.py 17`` prints the program of seed 17, and what is wrong with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from interpreted import interpreted
from lean_programs import Lean

import autograd_seq as ag
from autograd_seq.run.backends import write_program

NODES: dict[str, Callable[..., ag.Node]] = {
    "tanh": ag.tanh, "sigmoid": ag.sigmoid, "sin": ag.sin, "softplus": ag.softplus, "neg": lambda x: -x,
    "square": lambda x: x * x,
    "exp": ag.exp, "relu": ag.relu, "less": lambda x: 1 - x, "twice": lambda x: 2.0 * x, "log": ag.log,
    "root": lambda x: ag.sqrt(1 + x * x), "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
    "div": lambda x, y: x / (1 + y * y), "softmax": ag.softmax, "log_softmax": ag.log_softmax, "matmul": lambda w, x: w @ x,
    "matmul_left": lambda x, w: x @ w, "sum": ag.sum, "concat": lambda *xs: ag.concat(xs), "dot": ag.dot,
    "copy": lambda x: x * 1.0,
    "scale": lambda a, x: a * x, "heads": lambda x, y: ag.sum(x * y, axis=-1), "weigh": lambda w, v: w[:, None] * v,
    "take": ag.take, "cross_entropy": ag.cross_entropy, "nll": ag.nll,
}  # fmt: skip
OVER = {"sum_over": ag.sum, "mean_over": ag.mean, "logsumexp_over": ag.logsumexp, "softmax_over": ag.softmax, "last": ag.last}


class Case:
    """A lean program as nodes, and what it must give.

    Args:
        seed: of the program.
    """

    def __init__(self, seed: int) -> None:
        self.lean = Lean(seed)
        self.by_name: dict[str, ag.Axis] = {}
        self.nodes: list[ag.Node] = []
        for k in range(len(self.lean.equations)):
            self.nodes.append(self._node(k))
        for s, equation in self.lean.defined.items():
            self.nodes[s][self._over(s)] = self.nodes[equation]
        self.loss, self.wrt = self.nodes[self.lean.loss], [self.nodes[k] for k in self.lean.wrt]
        self.graph = ag.Graph(self.loss)

    def axis(self, name: str) -> ag.Axis:
        return self.by_name.setdefault(name, ag.Axis(name))

    def _over(self, k: int) -> tuple[ag.Axis, ...]:
        return tuple(self.axis(a) for a in self.lean.axes(k))

    def _node(self, k: int) -> ag.Node:
        e, name = self.lean.equations[k], f"{self.lean.equations[k].op[0]}{k}"
        args, axis = [self.nodes[x] for x in e.args], self.axis(e.attrs["axis"]) if "axis" in e.attrs else None
        if e.op == "param":
            return ag.param(name, e.shape)
        if e.op in ("input", "label"):
            return ag.input(name, e.shape, over=self._over(k), dtype=int if e.op == "label" else float)
        if e.op == "state":
            sides = {side: {self.axis(a): [self.nodes[r] for r in rows] for a, rows in e.attrs[side].items()}
                     for side in ("init", "final") if e.attrs.get(side)}  # fmt: skip
            one = {side: {a: r[0] if len(r) == 1 else r for a, r in rows.items()} for side, rows in sides.items()}
            return ag.state(name, e.shape, over=self._over(k), **one)
        if e.op == "shift":
            return args[0][axis - e.attrs["by"]] if axis in args[0].axes else ag.shift(args[0], axis, e.attrs["by"])
        if e.op == "along":
            return args[0].along(axis, self.axis(e.attrs["other"]))
        if e.op == "causal":
            return ag.where(ag.index(self.axis(e.attrs["other"])) <= ag.index(axis), args[0], -np.inf)
        if e.op == "slice":
            return args[0][e.attrs["start"] : e.attrs["stop"]]
        if e.op == "reshape":
            return ag.reshape(args[0], e.shape)
        if e.op in OVER:
            return OVER[e.op](args[0], over=axis)
        made = NODES[e.op](*args)
        return made.named(name) if k in self.lean.named else made

    @cached_property
    def feeds(self) -> dict[str, Any]:
        out = {self.nodes[k].name: v for k, v in self.lean.feeds.items() if self.nodes[k].name in self.graph.inputs}
        told = {a for node in self.graph.inputs.values() for a in node.axes}
        return out | {a.name: self.lean.sizes[a.name] for a in self.graph.axes if a not in told and a.name in self.lean.base}

    @cached_property
    def want(self) -> list[np.ndarray]:
        """The loss and its gradients, by complex steps."""
        loss, gradients = self.lean.meaning().gradients(self.lean.loss)
        return [np.asarray(loss), *gradients]

    @cached_property
    def outputs(self) -> list[ag.Node]:
        return [self.loss, *ag.grad(self.loss, self.wrt)]

    # -- ways to run it -----------------------------------------------------------------------------------------------

    def unrolled(self) -> list[np.ndarray]:
        sizes = {a.name: self.lean.sizes[a.name] for a in self.graph.axes if a.name in self.lean.sizes}
        dag = self.graph.unroll(**{a: n for a, n in sizes.items() if a in self.lean.base})
        feeds = {name: v for name, v in self.feeds.items() if name in self.graph.inputs}
        return list((dag.grad(self.wrt, with_outputs=True) if self.wrt else dag).evaluate(**feeds))

    def program(self, passes: Any = None, backend: str = "numpy") -> list[np.ndarray]:
        return list(ag.compile(self.outputs, passes=passes, backend=backend)(**self.feeds))

    def values(self) -> list[np.ndarray]:
        """The loss alone: what no gradient reads is laid out otherwise."""
        return list(ag.compile([self.loss], backend="numpy")(**self.feeds))

    def native(self) -> list[np.ndarray]:
        """The native program as plain Python."""
        graph = ag.Graph(self.outputs)
        made = write_program(graph, [graph.layout(o) for o in graph.outputs], None, "numba")
        sizes = [self.lean.sizes[a.name] for a in graph.axes]
        kinds = {float: np.float64, int: np.int64}
        arrays = [np.array(self.feeds[n], kinds[graph.inputs[n].dtype]) for n in made.emitted.feeds]
        with np.errstate(all="ignore"):
            return list(interpreted(made.emitted, "float64")(*sizes, np.dtype(np.float64))(*arrays))

    # -- what is wrong ------------------------------------------------------------------------------------------------

    def wrong(self, got: list[np.ndarray], tolerance: float = 1e-9) -> list[str]:
        """Return what differs: by more than a part of the largest entry, and of what the whole gradient moves."""
        if not np.isfinite(self.want[0]):
            return []  # a probability that is 0 in plain loops: the engine's logarithms are of logits, and finite
        largest = max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for x in self.lean.feeds.values())])
        out, moved = [], max(1e-3 * largest, abs(float(self.want[0])))  # what is left of values that cancel is rounding
        sizes = [1.0, *(self.lean.size_of[k] for k in self.lean.wrt)]
        moved = max([moved, *(np.max(np.abs(w), initial=0.0) * s for w, s in zip(self.want, sizes, strict=True))])
        for name, a, w, s in zip(["loss", *(n.name for n in self.wrt)], got, self.want, sizes, strict=False):
            if np.shape(a) != w.shape:
                out.append(f"{name}: shape {np.shape(a)} for {w.shape}")
                continue
            off = np.max(np.abs(np.asarray(a) - w), initial=0.0)
            if not off <= tolerance * np.max(np.abs(w), initial=0.0) + 1e-3 * tolerance * moved / s:
                out.append(f"{name}: off by {off:.3g} of {np.max(np.abs(w), initial=0.0):.3g}")
        return out

    def __str__(self) -> str:
        lines = [f"seed {self.lean.seed}: {' '.join(self.lean.habits)}, {self.lean.sizes}"]
        for k, e in enumerate(self.lean.equations):
            if k in self.lean.list_used():
                attrs = "".join(f", {a}={v}" for a, v in e.attrs.items())
                closed = f" := {self.lean.defined[k]}" if k in self.lean.defined else ""
                lines.append(f"  {k}: {list(e.shape)} over {e.axes} = {e.op}({', '.join(map(str, e.args))}{attrs}){closed}")
        return "\n".join([*lines, f"  loss {self.lean.loss}, by {self.lean.wrt}"])


WAYS: dict[str, Callable[[Case], list[np.ndarray]]] = {
    "unrolled": Case.unrolled, "program": Case.program, "no passes": lambda case: case.program(()), "values": Case.values,
    "plain": lambda case: case.program(backend="plain"), "native": Case.native,
    "compiled": lambda case: case.program(backend="numba"),
}  # fmt: skip


def faults(seed: int, ways: Any = WAYS) -> list[str]:
    """Return what is wrong with a seed's program, run in each way."""
    case, out = Case(seed), []
    for way in ways:
        try:
            out += [f"seed {seed}, {way}: {w}" for w in case.wrong(WAYS[way](case))]
        except Exception as error:
            out.append(f"seed {seed}, {way}: {type(error).__name__}: {str(error)[:160]}")
    return out


if __name__ == "__main__":
    print(Case(int(sys.argv[1])))
    print("\n".join(faults(int(sys.argv[1]), sys.argv[2:] or [way for way in WAYS if way != "compiled"])))
