"""The functions that models in plain loops are written with: one set for NumPy, complex numbers included, one for PyTorch.

In NumPy a loss is evaluated, and differentiated by complex steps; in PyTorch it is differentiated by PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

STEP = 1e-30
"""Of the imaginary part: its square is nothing beside 1, so that the derivative is exact."""


class Fed(dict[str, Any]):
    """What is fed, by name: ``p.x`` is ``p["x"]``, and ``p.under("layer/")`` what is in a scope."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def under(self, scope: str) -> Fed:
        return Fed({name.removeprefix(scope): value for name, value in self.items() if name.startswith(scope)})


class Functions:
    """The functions of one library. Choices look at real parts alone."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib
        self.exp, self.log, self.tanh, self.sin, self.cos = lib.exp, lib.log, lib.tanh, lib.sin, lib.cos
        self.sqrt, self.where, self.stack, self.concat = lib.sqrt, lib.where, lib.stack, lib.concatenate

    def zeros(self, *shape: int) -> Any:
        return np.zeros(shape) if self.lib is np else self.lib.zeros(shape, dtype=self.lib.float64)

    def array(self, value: Any) -> Any:
        """A constant of the library."""
        return np.asarray(value) if self.lib is np else self.lib.tensor(np.asarray(value))

    def real(self, x: Any) -> Any:
        """What decides: the real part, without a gradient."""
        return np.real(x) if self.lib is np else x.detach()

    def sum(self, x: Any, axis: int | None = None) -> Any:
        return x.sum() if axis is None else x.sum(axis)

    def mean(self, x: Any) -> Any:
        return x.sum() / len(x)

    def sigmoid(self, x: Any) -> Any:
        return 1 / (1 + self.exp(-x))

    def softplus(self, x: Any) -> Any:
        return self.log(1 + self.exp(x))

    def relu(self, x: Any) -> Any:
        return self.where(self.real(x) > 0, x, 0 * x)

    def maximum(self, a: Any, b: Any) -> Any:
        return self.where(self.real(a) >= self.real(b), a, b)

    def abs(self, x: Any) -> Any:
        return self.where(self.real(x) >= 0, x, -x)

    def logsumexp(self, x: Any) -> Any:
        """Of all entries."""
        top = self.real(x).max()
        return top if math.isinf(top) else top + self.log(self.exp(x - top).sum())

    def softmax(self, x: Any) -> Any:
        """Of a vector."""
        e = self.exp(x - self.real(x).max())
        return e / e.sum()

    def outer(self, a: Any, b: Any) -> Any:
        return a[:, None] * b[None, :]

    def cross_entropy(self, z: Any, label: Any) -> Any:
        return self.logsumexp(z) - z[int(label)]


NUMPY = Functions(np)


def slopes(loss: Any, feeds: Mapping[str, Any], ways: Mapping[str, Any]) -> dict[str, float]:
    """Return by name the slope of a loss along a direction of what is fed, by complex steps."""
    found = {}
    for name, way in ways.items():
        moved = {**feeds, name: feeds[name] + 1j * STEP * way}
        found[name] = float(np.imag(loss(NUMPY, Fed(moved)))) / STEP
    return found
