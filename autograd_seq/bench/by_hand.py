"""Backpropagation through time by hand, in pure NumPy: the textbook's equations, with good calls.

This is what somebody writes who knows the equations and NumPy, and what the compiler is measured against. Arrays are allocated,
and their rows sliced, once; a call writes into the same memory and returns gradients that belong to the caller. One form serves
one sequence and many. Choices that matter for the time, measured on two cores with 2 MB of second-level cache each (2026-11):

- Each gate has a contiguous block, (G, B, H): NumPy takes twice as long on a slice of (B, G·H). ``np.matmul`` with (G, H, H)
  writes them so at the price of one packed product. Cotangents lie packed, (B, G·H), for the product back.
- σ(a) = ½ tanh(½ a) + ½, the inner ½ within the weights: one call of tanh for all gates.
- What does not depend on the carry is still computed within the backward loop, where its operands are in the cache.
- The gradient of a weight is one product over steps and batch.

An RNN has 3 + 5 calls a step, an LSTM 9 + 16, a GRU 11 + 15. For one sequence, whose time is that of the calls, fewer calls are
possible: a compiled program makes them (``autograd_seq.emit``), a textbook does not.

Example:
    >>> from autograd_seq.bench.work import Workload, make
    >>> work = Workload("lstm", "odd", 7, 3, 4, 5, 6)
    >>> step = lstm(*work.sizes)
    >>> loss, grads = step(**make(work))
    >>> grads["Wf"].shape, grads["Wf"].dtype
    ((5, 5), dtype('float32'))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

add, matmul, multiply, subtract, tanh = np.add, np.matmul, np.multiply, np.subtract, np.tanh


Step = Callable[..., tuple[float, dict[str, np.ndarray]]]
"""``step(x=…, l=…, U=…, …)`` returns the loss and the gradient of each parameter by name."""


class CrossEntropy:
    """Sum of −log softmax(z)[label] over N columns of logits; turns the logits into their cotangents.

    Why columns (2026-11): classes are few, and NumPy reduces a short last axis a row at a time; the maximum over
    1600 rows of 32 took 122 µs, over 32 rows of 1600 it takes 5. The product that makes the logits costs the same.

    Args:
        N: number of columns, steps times batch.
        K: number of classes.
        dtype: of the logits.

    Example:
        >>> z = np.zeros((2, 3))
        >>> round(CrossEntropy(3, 2, z.dtype)(z, np.array([0, 1, 1])), 6)
        2.079442
        >>> z
        array([[-0.5,  0.5,  0.5],
               [ 0.5, -0.5, -0.5]])
    """

    def __init__(self, N: int, K: int, dtype: Any) -> None:
        self.N = N
        self.row = np.empty(N, dtype)
        self.log = np.empty(N, dtype)
        self.ones = np.ones(K, dtype)
        self.column = np.arange(N)

    def __call__(self, z: np.ndarray, labels: np.ndarray) -> float:
        """Return the loss; ``z`` (K, N) becomes softmax(z) − one_hot(labels)."""
        row = self.row
        np.maximum.reduce(z, 0, out=row)
        np.subtract(z, row, z)
        at = labels.reshape(-1) * self.N
        at += self.column
        flat = z.reshape(-1)
        chosen = flat.take(at)
        np.exp(z, z)
        self.ones.dot(z, row)
        loss = np.add.reduce(np.log(row, self.log)) - np.add.reduce(chosen)
        np.divide(1, row, row)
        np.multiply(z, row, z)
        flat[at] -= 1
        return float(loss)


class Cell(ABC):
    """What the three cells share. Call it with x (T, B, D), l (T, B) and the parameters by name.

    Args:
        T, B, D, H, K: steps, batch, inputs, hidden units, classes.
        dtype: of all floats.

    Returns:
        The loss, and a dict from name to gradient: arrays of the caller's own.
    """

    gates: tuple[str, ...]  # in the order of memory
    sigmoids: tuple[str, ...] = ()  # those that are σ(a) = ½ tanh(½ a) + ½, the inner ½ within the weights

    def __init__(self, T: int, B: int, D: int, H: int, K: int, dtype: Any) -> None:
        G = len(self.gates)
        self.T, self.N, self.H = T, T * B, H
        self.one, self.half = np.ones((), dtype), np.full((), 0.5, dtype)
        self.WT, self.UT, self.W = np.empty((G, H, H), dtype), np.empty((D, H), dtype), np.empty((G * H, H), dtype)
        self.a = np.empty((G, T, B, H), dtype)  # U x of each gate
        self.h = np.zeros((T + 1, B, H), dtype)  # the row in front is the initial state
        self.dh = np.empty((T, B, H), dtype)  # Vᵀ δlogits
        self.da = self.dh if G == 1 else np.empty((T, B, G * H), dtype)  # in place if it is as large
        self.da_by_gate = self.da.reshape(T, B, G, H).transpose(0, 2, 1, 3)
        self.back, self.carry, self.u = (np.empty((B, H), dtype) for _ in range(3))
        self.logits = np.empty((K, self.N), dtype)
        self.loss = CrossEntropy(self.N, K, dtype)

    def __call__(self, x: np.ndarray, l: np.ndarray, **p: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Take one step."""
        N, H, V = self.N, self.H, p["V"]
        flat = x.reshape(N, -1)
        for k, gate in enumerate(self.gates):
            scale = self.half if gate in self.sigmoids else self.one
            multiply(p["W" + gate].T, scale, self.WT[k])
            multiply(p["U" + gate].T, scale, self.UT)
            flat.dot(self.UT, self.a[k].reshape(N, H))
            self.W[k * H : (k + 1) * H] = p["W" + gate]
        self.forward()
        h, h_before = self.h[1:].reshape(N, H), self.h[:-1].reshape(N, H)
        V.dot(h.T, self.logits)
        loss = self.loss(self.logits, l)
        grads = {"V": self.logits.dot(h)}
        self.logits.T.dot(V, self.dh.reshape(N, H))
        self.back.fill(0)
        self.carry.fill(0)
        self.backward()
        da = self.da.reshape(N, -1)
        dW = da.T.dot(h_before)
        self.turn_to_inputs()
        dU = da.T.dot(flat)
        for k, gate in enumerate(self.gates):
            grads["U" + gate], grads["W" + gate] = dU[k * H : (k + 1) * H], dW[k * H : (k + 1) * H]
        return loss, grads

    @abstractmethod
    def forward(self) -> None:
        """Compute the states."""

    @abstractmethod
    def backward(self) -> None:
        """Compute the cotangents of the recurrent products."""

    def turn_to_inputs(self) -> None:  # noqa: B027  (nothing to do but for a GRU)
        """Turn them into those of the input products, where they differ."""


class RNN(Cell):
    """s = tanh(U x + W s₋₁)."""

    gates = ("",)

    def __init__(self, T: int, B: int, D: int, H: int, K: int, dtype: Any) -> None:
        super().__init__(T, B, D, H, K, dtype)
        self.steps = [(self.h[t].dot, self.a[0, t], self.h[t + 1]) for t in range(T)]
        self.steps_back = [(self.dh[t], self.h[t + 1], self.dh[t].dot) for t in reversed(range(T))]

    def forward(self) -> None:
        """See Cell."""
        WT, u = self.WT[0], self.u
        for dot, a, s in self.steps:
            dot(WT, u)
            add(u, a, u)
            tanh(u, s)

    def backward(self) -> None:
        """See Cell."""
        one, W, u, back = self.one, self.W, self.u, self.back
        for d, s, dot in self.steps_back:
            add(d, back, d)
            multiply(s, s, u)
            subtract(one, u, u)
            multiply(d, u, d)
            dot(W, back)


class LSTM(Cell):
    """Gates in memory [o, i, f, g, c_{t-1}]: what is multiplied and added in pairs, i g + f c, lies in pairs."""

    gates, sigmoids = ("o", "i", "f", "g"), ("o", "i", "f")

    def __init__(self, T: int, B: int, D: int, H: int, K: int, dtype: Any) -> None:
        super().__init__(T, B, D, H, K, dtype)
        self.values, self.tanh_c = np.zeros((T + 1, 5, B, H), dtype), np.empty((T, B, H), dtype)
        self.pair, self.slopes, self.dc = np.empty((2, B, H), dtype), np.empty((4, B, H), dtype), np.empty((B, H), dtype)
        v, th = self.values, self.tanh_c
        self.steps = [
            (self.h[t], self.a[:, t], v[t, :4], v[t, :3], v[t, 1:3], v[t, 3:], v[t + 1, 4], th[t], v[t, 0], self.h[t + 1])
            for t in range(T)
        ]
        self.steps_back = [
            (self.dh[t], v[t, :4], v[t, :3], v[t, 0], v[t, 1], v[t, 2], v[t, 3:], th[t], self.da_by_gate[t, 0],
             self.da_by_gate[t, 1:], self.da[t].dot)
            for t in reversed(range(T))
        ]  # fmt: skip

    def forward(self) -> None:
        """See Cell."""
        WT, half, pair, (first, second) = self.WT, self.half, self.pair, self.pair
        for h0, a, oifg, oif, i_f, g_c, c, tanh_c, o, h in self.steps:
            matmul(h0, WT, oifg)
            add(oifg, a, oifg)
            tanh(oifg, oifg)
            multiply(oif, half, oif)
            add(oif, half, oif)
            multiply(i_f, g_c, pair)
            add(first, second, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)

    def backward(self) -> None:
        """See Cell."""
        one, W, u, back, carry, dc, slopes = self.one, self.W, self.u, self.back, self.carry, self.dc, self.slopes
        of_oif, of_o, of_if, of_g, of_ifg = slopes[:3], slopes[0], slopes[1:3], slopes[3], slopes[1:]
        for dh, oifg, oif, o, i, f, g_c, tanh_c, do, difg, dot in self.steps_back:
            add(dh, back, back)
            multiply(oifg, oifg, slopes)
            subtract(oif, of_oif, of_oif)
            subtract(one, of_g, of_g)
            multiply(of_o, tanh_c, of_o)
            multiply(of_o, back, do)
            multiply(of_if, g_c, of_if)
            multiply(of_g, i, of_g)
            multiply(tanh_c, tanh_c, u)
            subtract(one, u, u)
            multiply(u, o, u)
            multiply(u, back, u)
            add(u, carry, dc)
            multiply(of_ifg, dc, difg)
            multiply(dc, f, carry)
            dot(W, back)


class GRU(Cell):
    """Gates in memory [r, z, r (Wn h)]; the cotangents of Wn h and of Un x differ, the latter stand in for Un x."""

    gates, sigmoids = ("r", "z", "n"), ("r", "z")

    def __init__(self, T: int, B: int, D: int, H: int, K: int, dtype: Any) -> None:
        super().__init__(T, B, D, H, K, dtype)
        self.values, self.n = np.empty((T, 3, B, H), dtype), np.empty((T, B, H), dtype)
        self.opposite = np.empty((2, B, H), dtype)
        v, a, n, h = self.values, self.a, self.n, self.h
        self.steps = [(h[t], v[t], a[:2, t], v[t, :2], v[t, 0], v[t, 1], v[t, 2], a[2, t], n[t], h[t + 1]) for t in range(T)]
        self.steps_back = [
            (self.dh[t], v[t, :2], v[t, 0], v[t, 1], v[t, 2], n[t], h[t], a[2, t], *self.da_by_gate[t], self.da[t].dot)
            for t in reversed(range(T))
        ]

    def forward(self) -> None:
        """See Cell."""
        WT, half, u = self.WT, self.half, self.u
        for h0, products, a, rz, r, z, q, a_n, n, h in self.steps:
            matmul(h0, WT, products)
            add(rz, a, rz)
            tanh(rz, rz)
            multiply(rz, half, rz)
            add(rz, half, rz)
            multiply(r, q, q)
            add(q, a_n, n)
            tanh(n, n)
            subtract(h0, n, u)
            multiply(u, z, u)
            add(u, n, h)

    def backward(self) -> None:
        """See Cell."""
        one, W, u, back, carry, opposite = self.one, self.W, self.u, self.back, self.carry, self.opposite
        not_r, not_z = opposite
        for dh, rz, r, z, rq, n, h0, dn, dr, dz, dq, dot in self.steps_back:
            add(dh, back, dh)
            add(dh, carry, dh)
            subtract(one, rz, opposite)
            multiply(n, n, u)
            subtract(one, u, u)
            multiply(u, not_z, u)
            multiply(u, dh, dn)
            multiply(dn, r, dq)
            multiply(dn, rq, u)
            multiply(u, not_r, dr)
            multiply(dh, z, carry)
            subtract(h0, n, u)
            multiply(u, not_z, u)
            multiply(u, carry, dz)
            dot(W, back)

    def turn_to_inputs(self) -> None:
        """See Cell."""
        self.da[:, :, 2 * self.H :] = self.a[2]


def rnn(T: int, B: int, D: int, H: int, K: int, dtype: Any = np.float32) -> Step:
    """Return a training step of s_t = tanh(U x_t + W s_{t-1}), for one thread at a time.

    Args:
        T, B, D, H, K: steps, batch, inputs, hidden units, classes.
        dtype: of all floats; x and the parameters must have it.

    Returns:
        A function of x (T, B, D), l (T, B), U (H, D), W (H, H), V (K, H).

    Example:
        >>> step = rnn(T=2, B=1, D=1, H=1, K=2, dtype=np.float64)
        >>> one = np.ones((1, 1))
        >>> loss, grads = step(np.ones((2, 1, 1)), np.array([[0], [1]]), U=one, W=one, V=np.array([[1.0], [0.0]]))
        >>> round(loss, 6), round(float(grads["W"][0, 0]), 6)
        (1.65485, 0.06103)
    """
    return RNN(T, B, D, H, K, dtype)


def lstm(T: int, B: int, D: int, H: int, K: int, dtype: Any = np.float32) -> Step:
    """Return a training step of an LSTM with input, forget and output gates i, f, o and candidate g.

    Args:
        T, B, D, H, K, dtype: as for :func:`rnn`.

    Returns:
        A function of x (T, B, D), l (T, B), Ui, Uf, Uo, Ug (H, D), Wi, Wf, Wo, Wg (H, H), V (K, H), by name.
    """
    return LSTM(T, B, D, H, K, dtype)


def gru(T: int, B: int, D: int, H: int, K: int, dtype: Any = np.float32) -> Step:
    """Return a training step of a GRU with reset and update gates r, z, and n = tanh(Un x + r (Wn h)).

    Args:
        T, B, D, H, K, dtype: as for :func:`rnn`.

    Returns:
        A function of x (T, B, D), l (T, B), Ur, Uz, Un (H, D), Wr, Wz, Wn (H, H), V (K, H), by name.
    """
    return GRU(T, B, D, H, K, dtype)


FACTORIES: dict[str, Callable[..., Step]] = {"rnn": rnn, "lstm": lstm, "gru": gru}
"""By cell."""

__all__ = ["FACTORIES", "GRU", "LSTM", "RNN", "Cell", "CrossEntropy", "Step", "gru", "lstm", "rnn"]
