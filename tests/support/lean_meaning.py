"""What a list of equations means, without the engine: every value at every point by a plain loop, derivatives by complex steps.

An equation is plain data. Its value at a point is computed when it is first asked for, from the values that it reads there,
and kept. Whatever is differentiated by is moved by 10⁻³⁰·i, one entry at a time; the entries lie side by side in front of the
dimensions of the value: the imaginary parts of the loss are its derivatives, to the last digit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

STEP = 1e-100
Point = dict[str, int]
sys.setrecursionlimit(100_000)


@dataclass(frozen=True)
class Equation:
    """One equation: what is done to which others, the shape of its value at a point, and the axes that it varies over.

    Attributes:
        op: a name; what it means is written in this file, and once more for the engine.
        args: the numbers of the equations that it reads.
        attrs: what else the operation is told.
    """

    op: str
    args: tuple[int, ...]
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    attrs: dict[str, Any] = field(default_factory=dict)


def sigmoid(x: Any) -> Any:
    low = np.exp(np.where(x.real < 0, x, -x))
    return np.where(x.real < 0, low, 1.0) / (1 + low)


def softplus(x: Any) -> Any:
    return np.where(x.real > 0, x, 0) + np.log1p(np.exp(np.where(x.real > 0, -x, x)))


def softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - np.max(x.real, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def logsumexp(x: Any, axis: int = -1) -> Any:
    top = np.max(x.real, axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.sum(np.exp(x - top), axis=axis))


ENTRY: dict[str, Callable[..., Any]] = {  # the first dimension is that of the entries that are moved
    "tanh": np.tanh, "sigmoid": sigmoid, "sin": np.sin, "softplus": softplus, "neg": lambda x: -x, "square": lambda x: x * x,
    "exp": np.exp, "relu": lambda x: np.where(x.real > 0, x, 0), "less": lambda x: 1 - x, "twice": lambda x: 2.0 * x,
    "log": np.log, "root": lambda x: np.sqrt(1 + x * x), "add": lambda x, y: x + y, "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y, "div": lambda x, y: x / (1 + y * y), "softmax": softmax,
    "log_softmax": lambda x: x - logsumexp(x)[..., None], "matmul": lambda w, x: (w @ x[..., None])[..., 0],
    "matmul_left": lambda x, w: (x[..., None, :] @ w)[..., 0, :], "sum": lambda x: np.sum(x, axis=tuple(range(1, x.ndim))),
    "concat": lambda *xs: np.concatenate([np.broadcast_to(x, (max(map(len, xs)), *x.shape[1:])) for x in xs], -1),
    "dot": lambda x, y: np.sum(x * y, -1), "copy": lambda x: x, "scale": lambda a, x: a[:, *[None] * (x.ndim - 1)] * x,
    "heads": lambda x, y: np.sum(x * y, -1), "weigh": lambda w, v: w[..., None] * v,
}  # fmt: skip


class Meaning:
    """The values of equations.

    Args:
        equations: they.
        defined: for each state the equation that defines it.
        sizes: the length of each axis.
        feeds: for each leaf its array: axes first, as it declares them.
        moved: the equations by which is differentiated, in order.
    """

    def __init__(self, equations: Sequence[Equation], defined: Mapping[int, int], sizes: Mapping[str, int],
                 feeds: Mapping[int, np.ndarray], moved: Sequence[int]) -> None:  # fmt: skip
        self.equations, self.defined, self.sizes, self.feeds = equations, defined, sizes, feeds
        self.known: dict[Any, Any] = {}
        self.first: dict[int, int] = {}
        self.count = 1
        for k in moved:
            self.first[k] = self.count
            self.count += int(np.prod([*(sizes[a] for a in equations[k].axes), *equations[k].shape]))

    def gradients(self, loss: int) -> tuple[float, list[np.ndarray]]:
        """Return a loss, and its derivative by every entry of what is moved, laid out as that declares its axes."""
        value = np.broadcast_to(self.at(loss, {}), (self.count,))
        out = []
        for k, start in self.first.items():
            shape = (*(self.sizes[a] for a in self.equations[k].axes), *self.equations[k].shape)
            out.append(value[start : start + int(np.prod(shape))].imag.reshape(shape) / STEP)
        return float(value[0].real), out

    def over(self, k: int) -> np.ndarray:
        """Return the values at all points, laid out as the equation names its axes."""
        axes, shape = self.equations[k].axes, self.equations[k].shape
        out = np.empty((*(self.sizes[a] for a in axes), *shape))
        for where in product(*(range(self.sizes[a]) for a in axes)):
            out[where] = self.at(k, dict(zip(axes, where, strict=True)))[0].real
        return out

    def at(self, k: int, point: Point) -> Any:
        """Return the value at a point, the moved entries in front."""
        here = tuple(point[a] for a in self.equations[k].axes)
        if (k, here) not in self.known:
            value = self._value(k, self.equations[k], point)
            if k in self.first:
                value = self._moved(k, here, value)
            self.known[k, here] = value
        return self.known[k, here]

    def _moved(self, k: int, here: tuple[int, ...], value: Any) -> Any:
        e = self.equations[k]
        out = np.array(np.broadcast_to(value, (self.count, *value.shape[1:])))
        n = int(np.prod(e.shape))
        at = self.first[k] + n * int(np.ravel_multi_index(here, [self.sizes[a] for a in e.axes]) if here else 0)
        out.reshape(self.count, n)[range(at, at + n), range(n)] += STEP * 1j
        return out

    def _value(self, k: int, e: Equation, point: Point) -> Any:
        if k in self.feeds:
            value = self.feeds[k][tuple(point[a] for a in e.axes)]
            return value if e.op == "label" else np.asarray(value, complex)[None]
        if e.op == "state":
            return self.at(self.defined[k], point)
        if e.op in ENTRY:
            return ENTRY[e.op](*(self.at(x, point) for x in e.args))
        return getattr(self, f"_{e.op}")(e, point)

    # -- operations that read other points, or classes

    def _shift(self, e: Equation, point: Point) -> Any:
        (x,), axis = e.args, e.attrs["axis"]
        i, n = point[axis] - e.attrs["by"], self.sizes[axis]
        if 0 <= i < n:
            return self.at(x, {**point, axis: i})
        inner, of = {**point}, self.equations[x]
        while of.op == "shift":  # rows as they are seen through shifts along other axes
            inner[of.attrs["axis"]] -= of.attrs["by"]
            of = self.equations[of.args[0]]
        rows = of.attrs.get("init" if i < 0 else "final", {}).get(axis) if of.op == "state" else None
        if rows is not None:
            row = rows[(i + len(rows) if i < 0 else i - n) if len(rows) > 1 else 0]
            if all(0 <= inner[a] < self.sizes[a] for a in self.equations[row].axes):
                return self.at(row, inner)
        return 0 if of.op == "label" else np.zeros((1, *e.shape), complex)

    def _all(self, e: Equation, point: Point, axis: str) -> Any:
        values = [self.at(e.args[0], {**point, axis: i}) for i in range(self.sizes[axis])]
        wide = max([1, *map(len, values)])
        shape = self.equations[e.args[0]].shape
        return np.array([np.broadcast_to(v, (wide, *shape)) for v in values], complex).reshape(-1, wide, *shape)

    def _sum_over(self, e: Equation, point: Point) -> Any:
        return np.sum(self._all(e, point, e.attrs["axis"]), axis=0)

    def _mean_over(self, e: Equation, point: Point) -> Any:
        return np.mean(self._all(e, point, e.attrs["axis"]), axis=0)

    def _logsumexp_over(self, e: Equation, point: Point) -> Any:
        return logsumexp(self._all(e, point, e.attrs["axis"]), axis=0)

    def _softmax_over(self, e: Equation, point: Point) -> Any:
        axis = e.attrs["axis"]
        return softmax(self._all(e, point, axis), axis=0)[point[axis]]

    def _last(self, e: Equation, point: Point) -> Any:
        return self.at(e.args[0], {**point, e.attrs["axis"]: self.sizes[e.attrs["axis"]] - 1})

    def _along(self, e: Equation, point: Point) -> Any:
        return self.at(e.args[0], {**point, e.attrs["axis"]: point[e.attrs["other"]]})

    def _causal(self, e: Equation, point: Point) -> Any:
        seen = point[e.attrs["other"]] <= point[e.attrs["axis"]]
        return self.at(e.args[0], point) if seen else np.full((1, *e.shape), -np.inf, complex)

    def _reshape(self, e: Equation, point: Point) -> Any:
        value = self.at(e.args[0], point)
        return value.reshape(len(value), *e.shape)

    def _slice(self, e: Equation, point: Point) -> Any:
        return self.at(e.args[0], point)[..., e.attrs["start"] : e.attrs["stop"]]

    def _take(self, e: Equation, point: Point) -> Any:
        return self.at(e.args[0], point)[:, int(self.at(e.args[1], point))]

    def _cross_entropy(self, e: Equation, point: Point) -> Any:
        z = self.at(e.args[0], point)
        return logsumexp(z) - z[:, int(self.at(e.args[1], point))]

    def _nll(self, e: Equation, point: Point) -> Any:
        return -np.log(self.at(e.args[0], point)[:, int(self.at(e.args[1], point))])
