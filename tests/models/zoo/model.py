"""How models of the zoo are written down, and what is fed to them.

A builder gets a :class:`Sketch` (axes, sizes, leaves that know what they are fed) and returns a loss. The same model in plain
loops over one sequence, with the functions of :mod:`zoo.plain`, is its oracle: ``@entry.plainly``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograd_seq as ag
from zoo.plain import NUMPY, Fed, Functions

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
MODELS: dict[str, Entry] = {}


def normal(scale: float = 1.0, mean: float = 0.0) -> Draw:
    return lambda rng, shape: rng.normal(mean, scale, shape)


def between(low: float, high: float) -> Draw:
    return lambda rng, shape: rng.uniform(low, high, shape)


def orthogonal(scale: float = 1.0) -> Draw:
    """Orthonormal rows or columns, of the last two dimensions, so that nothing explodes or dies out."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        whole = np.linalg.qr(rng.normal(size=(*shape[:-2], max(shape[-2:]), max(shape[-2:]))))[0]
        return np.ascontiguousarray(scale * whole[..., : shape[-2], : shape[-1]])

    return draw


def _usual(node: ag.Node) -> Draw:
    if node.op.name == "param":
        return orthogonal(1.2) if node.ndim >= 2 else normal(0.5)
    return normal()


class Sketch:
    """What a builder writes with.

    Attributes:
        t, u, b, s: axes: time, another one, that of the batch, and time by another name (for ``along``).
        over: what inputs vary over: (t, b), or t alone where there is no batch.
        batch: (b,), or nothing.
        T, U, B, D, H, K: sizes: steps on t and on u, sequences (or ``None``), inputs, hidden units, classes.
    """

    def __init__(self, T: int = 7, U: int = 5, B: int | None = None, D: int = 2, H: int = 3, K: int = 4) -> None:
        self.T, self.U, self.B, self.D, self.H, self.K = T, U, B, D, H, K
        self.t, self.u, self.b, self.s = (ag.Axis(name) for name in "tubs")
        self.batch = () if B is None else (self.b,)
        self.over = (self.t, *self.batch)
        self.sizes = {"t": T, "u": U, "b": B}
        self.draws: dict[str, Draw] = {}

    def input(self, name: str, *shape: int, over: Any = None, draw: Draw | None = None) -> ag.Node:
        self.draws |= {name: draw} if draw else {}
        return ag.input(name, shape, over=self.over if over is None else over)

    def labels(self, name: str, classes: int, *, over: Any = None) -> ag.Node:
        self.draws[name] = lambda rng, shape: rng.integers(0, classes, shape)
        return ag.input(name, over=self.over if over is None else over, dtype=int)

    def param(self, name: str, *shape: int, draw: Draw | None = None) -> ag.Node:
        self.draws |= {name: draw} if draw else {}
        return ag.param(name, shape)

    def state(self, name: str, *shape: int, over: Any = None, **rows: Any) -> ag.Node:
        return ag.state(name, shape, over=self.over if over is None else over, **rows)

    def error(self, y: ag.Node, goal: str = "goal") -> ag.Node:
        """Σ over all points of (y − goal)², the goal being fed."""
        off = y - self.input(goal, *y.shape, over=y.axes)
        return self.total(off * off)

    def total(self, x: ag.Node) -> ag.Node:
        """The sum of everything."""
        return ag.sum(ag.sum(x) if x.ndim else x, over=x.axes)

    def feeds(self, graph: ag.Graph, salt: int = 0) -> dict[str, np.ndarray]:
        """Return what is fed; each array depends on its name and the salt alone."""
        out = {}
        for name, node in graph.inputs.items():
            rng = np.random.default_rng([salt, *hashlib.sha256(name.encode()).digest()[:8]])
            shape = (*(self.sizes[a.name] for a in node.axes), *node.shape)
            out[name] = np.asarray(self.draws.get(name, _usual(node))(rng, shape))
        return out


@dataclass(frozen=True)
class Entry:
    """A model of the zoo.

    Attributes:
        name: of the builder.
        build: from a sketch to a loss.
        refuses: by runner (``carry``, ``stream``, ``lengths`` …) the code of the error with which it refuses, and why.
        pieces: what losses of pieces come to: their ``"sum"`` is that of the whole, or the ``"last"`` one is, or ``"nothing"``.
        steps: the name of the axis that pieces follow one another on.
        dead: the names of what has no gradient, as it is meant.
        lengths: by axis those of three sequences, where they are not just any.
        sizes: those that the model needs, if not the usual ones.
    """

    name: str
    build: Callable[[Sketch], ag.Node]
    refuses: dict[str, tuple[str, str]]
    pieces: str
    steps: str
    dead: tuple[str, ...]
    lengths: dict[str, list[int]]
    sizes: dict[str, int]
    loops: list[Callable[[Functions, Fed], Any]] = field(default_factory=list)

    def plainly(self, loss: Callable[[Functions, Fed], Any]) -> Callable[[Functions, Fed], Any]:
        """Take the same model in plain loops over one sequence."""
        self.loops.append(loss)
        return loss

    def made(self, **sizes: Any) -> Case:
        """Build it, in other sizes than the usual ones if they are given."""
        sketch = Sketch(**{**self.sizes, **sizes})
        return Case(self, sketch, self.build(sketch))


class Case:
    """A model that has been built.

    Attributes:
        loss, wrt: a scalar, and all floats that are fed.
        axis: that of the steps.
        feeds: an array for each input and parameter.
    """

    def __init__(self, entry: Entry, sketch: Sketch, loss: ag.Node) -> None:
        self.entry, self.sketch, self.loss = entry, sketch, loss
        self.graph, self.axis = ag.Graph(loss), {"t": sketch.t, "u": sketch.u}[entry.steps]
        self.wrt = [n for n in self.graph.inputs.values() if n.dtype is float]
        self.params = [n for n in self.wrt if n.op.name == "param"]
        self.feeds = sketch.feeds(self.graph)

    def gradients(self, wrt: Sequence[ag.Node] | None = None) -> list[ag.Node]:
        """The loss and its gradients, as nodes."""
        wrt = self.wrt if wrt is None else wrt
        return [self.loss, *ag.grad(self.loss, list(wrt))]

    def alone(self, feeds: dict[str, Any], cut: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the feeds of each sequence, cut at its own lengths; what has no batch stays as it is."""
        for i in range(1 if self.sketch.B is None else self.sketch.B):
            one = {}
            for name, value in feeds.items():
                for axis in self.graph.inputs[name].axes[::-1]:
                    place = self.graph.inputs[name].axes.index(axis)
                    if axis is self.sketch.b:
                        value = np.take(value, i, place)
                    elif cut and axis.name in cut:
                        value = value[(slice(None),) * place + (slice(0, int(np.atleast_1d(cut[axis.name])[i])),)]
                one[name] = value
            yield one

    def plain(self, feeds: dict[str, Any], cut: dict[str, Any] | None = None, f: Functions = NUMPY) -> Any:
        """Return the loss by plain loops, sequence after sequence."""
        return sum(self.entry.loops[0](f, Fed(one)) for one in self.alone(feeds, cut))


def model(
    name: str | None = None, *, pieces: str = "sum", steps: str = "t", dead: tuple[str, ...] = (),
    lengths: dict[str, list[int]] | None = None, refuses: dict[str, tuple[str, str]] | None = None, **sizes: int,
) -> Callable[[Callable[[Sketch], ag.Node]], Entry]:  # fmt: skip
    """Enter a builder into the zoo."""

    def enter(build: Callable[[Sketch], ag.Node]) -> Entry:
        label = name or build.__name__
        assert label not in MODELS, label
        MODELS[label] = Entry(label, build, refuses or {}, pieces, steps, dead, lengths or {}, sizes)
        return MODELS[label]

    return enter


def _pieces(code: str, why: str) -> dict[str, tuple[str, str]]:
    return {"carry": (code, why), "stream": (code, why)}


AHEAD = _pieces("K104", "it reads steps that are not there yet")
ALONG = _pieces("K114", "each step reads all steps")
NAMED = _pieces("K122", "a step may read any other")
SENT = {
    "carry": ("K123", "gradients are sent to earlier steps, which may belong to earlier calls"),
    "online": ("E154", "the influence on each earlier step would have to be kept"),
}
CAUSAL = {"carry": ("K114", "gradients of what is read along an axis add up over later steps")}
ROWS = {"online": ("E151", "each point of a row of the grid has an influence on all later ones")}
WHOLE = _pieces("K105", "what is carried depends on all steps")
