"""What is measured: one training step (loss, and gradient of every parameter) of three cells in five sizes.

    RNN   s_t = tanh(U x_t + W s_{t-1})
    LSTM  i, f, o = σ(U x_t + W h_{t-1}) each with its own matrices, g = tanh(…);  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)
    GRU   r, z = σ(…);  n = tanh(Un x_t + r (Wn h_{t-1}));  h_t = (1 - z) n + z h_{t-1}

No biases, initial state 0, logits V h_t at every step, L = Σ over steps and batch of the cross-entropy, float32. Data lie time
first: x (T, B, D), labels (T, B). The names of the parameters are those of the equations: U, W, V; Ui, Wi, Uf, …

Example:
    >>> from autograd_seq.run.compile import value_and_grad
    >>> work = Workload.of("lstm", "tiny")
    >>> f = value_and_grad(*ours(work))
    >>> loss, grads = f(**make(work))
    >>> list(grads), grads["Wf"].shape
    (['Ui', 'Wi', 'Uf', 'Wf', 'Uo', 'Wo', 'Ug', 'Wg', 'V'], (16, 16))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError, did_you_mean
from autograd_seq.core.node import Node
from autograd_seq.ops.activations import sigmoid, tanh
from autograd_seq.ops.leaf import input, param
from autograd_seq.ops.loss import cross_entropy
from autograd_seq.ops.reduce import sum
from autograd_seq.ops.state import state

Arrays = dict[str, np.ndarray]

SIZES: dict[str, tuple[int, int, int, int, int]] = {
    "tiny": (50, 1, 8, 16, 8),
    "small": (100, 16, 32, 64, 32),
    "medium": (100, 32, 128, 256, 64),
    "large": (64, 64, 256, 1024, 256),
    "long": (2000, 1, 16, 32, 16),
}
"""By name (T, B, D, H, K): steps, batch, inputs, hidden units, classes."""

GATES: dict[str, tuple[str, ...]] = {"rnn": ("",), "lstm": ("i", "f", "o", "g"), "gru": ("r", "z", "n")}
"""By cell the names of its gates, in the order in which their parameters are listed."""


@dataclass(frozen=True)
class Workload:
    """A cell and its sizes.

    Attributes:
        cell: ``"rnn"``, ``"lstm"`` or ``"gru"``.
        size: the name of the sizes, for tables.
        T, B, D, H, K: steps, batch, inputs, hidden units, classes.
    """

    cell: str
    size: str
    T: int
    B: int
    D: int
    H: int
    K: int

    @classmethod
    def of(cls, cell: str, size: str) -> Workload:
        """Return the workload of a cell in one of the named sizes.

        Raises:
            OperationError: there is no such cell or size.

        Example:
            >>> Workload.of("gru", "small")
            Workload(cell='gru', size='small', T=100, B=16, D=32, H=64, K=32)
        """
        for what, name, known in (("cell", cell, list(GATES)), ("size", size, list(SIZES))):
            if name not in known:
                raise OperationError(
                    "B101", f"no workload has the {what} {name!r:.60}", expected=" or ".join(known), got=repr(name),
                    fix=did_you_mean(name, known),
                )  # fmt: skip
        return cls(cell, size, *SIZES[size])

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """(T, B, D, H, K)."""
        return self.T, self.B, self.D, self.H, self.K

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """The shape of each parameter, by name, in the order in which functions take them."""
        each = [{f"U{g}": (self.H, self.D), f"W{g}": (self.H, self.H)} for g in GATES[self.cell]]
        return {name: shape for gate in each for name, shape in gate.items()} | {"V": (self.K, self.H)}

    def __str__(self) -> str:
        return f"{self.cell} {self.size}"


WORKLOADS = [Workload.of(cell, size) for cell in GATES for size in SIZES]
"""All of them: three cells, five sizes each."""


def make(work: Workload, seed: int = 0, dtype: Any = np.float32) -> Arrays:
    """Return random data and parameters on which nothing explodes or dies out in any number of steps.

    Recurrent matrices are orthogonal; the others keep the variance of what they multiply.

    Args:
        work: sizes (T, B, D, H, K).
        seed: of the generator.
        dtype: of all floats.

    Returns:
        By name: x (T, B, D), l (T, B) int64 in 0 … K − 1, and the parameters.

    Example:
        >>> {name: a.shape for name, a in make(Workload("rnn", "odd", 7, 3, 4, 5, 6)).items()}
        {'x': (7, 3, 4), 'l': (7, 3), 'U': (5, 4), 'W': (5, 5), 'V': (6, 5)}
    """
    rng = np.random.default_rng(seed)
    T, B, D, _, K = work.sizes
    feeds = {"x": rng.normal(size=(T, B, D)).astype(dtype), "l": rng.integers(0, K, size=(T, B), dtype=np.int64)}
    for name, (rows, columns) in work.shapes.items():
        matrix = rng.normal(size=(rows, columns))
        matrix = np.linalg.qr(matrix)[0] if name.startswith("W") else matrix / np.sqrt(columns)
        feeds[name] = np.ascontiguousarray(matrix, dtype)
    return feeds


def ours(work: Workload) -> tuple[Node, list[Node]]:
    """Return the model in index notation, as a user writes it: every gate its own equation.

    Returns:
        ``(loss, params)`` for ``ag.value_and_grad(loss, params)``.

    Example:
        >>> loss, params = ours(Workload.of("rnn", "tiny"))
        >>> loss, [p.name for p in params]
        (L: float, ['U', 'W', 'V'])
    """
    t, b = Axis("t"), Axis("b")
    x, l = input("x", (work.D,), over=(t, b)), input("l", over=(t, b), dtype=int)
    p = {name: param(name, shape) for name, shape in work.shapes.items()}
    h = state("h", (work.H,), over=(t, b))
    if work.cell == "rnn":
        h[t] = tanh(p["U"] @ x[t] + p["W"] @ h[t - 1])
    elif work.cell == "lstm":
        c = state("c", (work.H,), over=(t, b))
        i = sigmoid(p["Ui"] @ x[t] + p["Wi"] @ h[t - 1])
        f = sigmoid(p["Uf"] @ x[t] + p["Wf"] @ h[t - 1])
        o = sigmoid(p["Uo"] @ x[t] + p["Wo"] @ h[t - 1])
        g = tanh(p["Ug"] @ x[t] + p["Wg"] @ h[t - 1])
        c[t] = f * c[t - 1] + i * g
        h[t] = o * tanh(c[t])
    else:
        r = sigmoid(p["Ur"] @ x[t] + p["Wr"] @ h[t - 1])
        z = sigmoid(p["Uz"] @ x[t] + p["Wz"] @ h[t - 1])
        n = tanh(p["Un"] @ x[t] + r * (p["Wn"] @ h[t - 1]))
        h[t] = (1 - z) * n + z * h[t - 1]
    loss = sum(cross_entropy(p["V"] @ h[t], l[t]), over=(t, b)).named("L")
    return loss, list(p.values())


__all__ = ["GATES", "SIZES", "WORKLOADS", "Workload", "make", "ours"]
