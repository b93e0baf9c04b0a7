"""Backpropagation through time by hand, in numba: what the native backend is measured against.

Written as an expert in numba would write it (2026-11). What the loops need is allocated once; the weights of all gates are
packed and transposed once a call; products are ``np.dot`` into contiguous blocks, with one loop over entries for everything
between two of them. The products within a step of a batch of one are plain loops, which cost less than a call of BLAS. tanh
is a rational function that becomes vector code.

Each cell is a forward and a backward loop over the steps; :func:`_compile_step` puts around them what all cells share.
Compiled functions call one another through closures, since numba is imported only when a step is made.

Example:
    >>> from autograd_seq.bench.work import Workload, make
    >>> work = Workload("gru", "odd", 7, 3, 4, 5, 6)
    >>> step = make_step(work.cell, *work.sizes)  # doctest: +SKIP
    >>> loss, grads = step(**make(work))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_seq.bench.by_hand import Step
from autograd_seq.bench.work import GATES

_COMPILED: dict[str, Any] = {}


def make_step(cell: str, T: int, B: int, D: int, H: int, K: int, dtype: Any = np.float32) -> Step:
    """Return a training step of ``"rnn"``, ``"lstm"`` or ``"gru"``, to be called like those of ``autograd_seq.bench.by_hand``.

    Args:
        cell: which of the three.
        T, B, D, H, K: steps, batch, inputs, hidden units, classes.
        dtype: of all floats; tanh is as exact as float32.
    """
    if not _COMPILED:
        _COMPILED.update(_compile())
    run, gates, N = _COMPILED[cell], GATES[cell], T * B
    G = len(gates)
    U_names, W_names = ["U" + g for g in gates], ["W" + g for g in gates]
    parts = [(slice(k * H, (k + 1) * H), "U" + g, "W" + g) for k, g in enumerate(gates)]
    states = [np.zeros((T + 1, B, H), dtype) for _ in "hc"]
    saved = [np.empty((T, B, H), dtype) for _ in range(3)]  # what the way back reads again
    a, z, dh = np.empty((T, B, G * H), dtype), np.empty((N, K), dtype), np.empty((N, H), dtype)
    u, back, carry = np.empty((B, G * H), dtype), np.empty((B, H), dtype), np.empty((B, H), dtype)
    W, WT, UT = np.empty((G * H, H), dtype), np.empty((H, G * H), dtype), np.empty((D, G * H), dtype)
    VT = np.empty((H, K), dtype)

    def step(x: np.ndarray, l: np.ndarray, **p: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        Us, Ws = tuple([p[name] for name in U_names]), tuple([p[name] for name in W_names])
        dU, dW, dV = np.empty((G * H, D), dtype), np.empty((G * H, H), dtype), np.empty((K, H), dtype)
        loss = run(x, l, Us, Ws, UT, W, WT, p["V"], VT, a, *states, *saved, z, dh, u, back, carry, dU, dW, dV)
        grads = {"V": dV}
        for rows, u_name, w_name in parts:
            grads[u_name], grads[w_name] = dU[rows], dW[rows]
        return loss, grads

    return step


def _compile() -> dict[str, Any]:
    """Return the compiled steps by cell."""
    import numba

    fast = numba.njit(error_model="numpy", fastmath=True)
    tanh, sigmoid = _compile_gates(fast)
    tools = _compile_pack(fast), _compile_product(fast), _compile_loss(fast)
    cells = {"rnn": _compile_rnn, "lstm": _compile_lstm, "gru": _compile_gru}
    return {cell: _compile_step(fast, tools, make(fast, tools[1], tanh, sigmoid)) for cell, make in cells.items()}


def _compile_step(fast: Any, tools: tuple[Any, Any, Any], cell: tuple[Any, Any, Any]) -> Any:
    """Return a training step: products over all steps, the loss, and the loops of a cell."""
    pack, _, loss_of = tools
    forward, backward, turn_to_inputs = cell

    @fast
    def run(x, l, Us, Ws, UT, W, WT, V, VT, a, h, c, th, q, dn, z, dh, u, back, carry, dU, dW, dV):
        T, B, H = h.shape[0] - 1, h.shape[1], h.shape[2]
        N, flat = T * B, x.reshape(T * B, x.shape[2])
        gates = a.reshape(N, a.shape[2])
        pack(Us, Ws, V, UT, W, WT, VT)
        np.dot(flat, UT, gates)
        forward(a, h, c, th, q, u, WT)
        states, before = h[1:].reshape(N, H), h[:-1].reshape(N, H)
        np.dot(states, VT, z)
        loss = loss_of(z, l)
        np.dot(z.T, states, dV)
        np.dot(z, V, dh)
        back[:] = 0
        carry[:] = 0
        backward(a, h, c, th, q, dn, dh.reshape(T, B, H), back, carry, W)  # a now holds the gates' cotangents
        np.dot(gates.T, before, dW)
        turn_to_inputs(a, dn)
        np.dot(gates.T, flat, dU)
        return loss

    return run


def _compile_gates(fast: Any) -> tuple[Any, Any]:
    f = np.float32
    p0, p1, p2, p3 = (f(c) for c in (1.6392918e-8, 2.266425e-5, 0.0036162394, 0.13481556))
    q0, q1, q2, q3 = (f(c) for c in (8.975924e-7, 0.00034856546, 0.02633256, 0.4681489))
    one, half, most = f(1), f(0.5), f(7.9)

    @fast
    def tanh(x: Any) -> Any:
        """x P(x²) / Q(x²), to a few units in the last place of float32."""
        x = min(max(x, -most), most)
        s = x * x
        return x * ((((p0 * s + p1) * s + p2) * s + p3) * s + one) / ((((q0 * s + q1) * s + q2) * s + q3) * s + one)

    @fast
    def sigmoid(x: Any) -> Any:
        return half * tanh(half * x) + half

    return tanh, sigmoid


def _compile_pack(fast: Any) -> Any:
    @fast
    def pack(Us: Any, Ws: Any, V: Any, UT: Any, W: Any, WT: Any, VT: Any) -> None:
        """Put the weights of all gates side by side, transposed for the way forward."""
        H, D = Us[0].shape
        for k in range(len(Us)):
            U_k, W_k = Us[k], Ws[k]
            for i in range(H):
                for j in range(D):
                    UT[j, k * H + i] = U_k[i, j]
                for j in range(H):
                    WT[j, k * H + i] = W_k[i, j]
                    W[k * H + i, j] = W_k[i, j]
        for i in range(V.shape[0]):
            for j in range(H):
                VT[j, i] = V[i, j]

    return pack


def _compile_product(fast: Any) -> Any:
    @fast
    def times(x: Any, W: Any, out: Any) -> None:
        """out = x @ W."""
        if x.shape[0] == 1:
            for j in range(W.shape[1]):
                out[0, j] = 0
            for i in range(W.shape[0]):
                s = x[0, i]
                for j in range(W.shape[1]):
                    out[0, j] += s * W[i, j]
        else:
            np.dot(x, W, out)

    return times


def _compile_loss(fast: Any) -> Any:
    @fast
    def loss_of(z: Any, l: Any) -> float:
        """Return the loss, and turn the logits into their cotangents."""
        N, K = z.shape
        labels, loss = l.reshape(N), 0.0
        for n in range(N):
            row = z[n]
            top = row[0]
            for k in range(K):
                top = max(top, row[k])
            chosen, total = row[labels[n]] - top, np.float32(0)
            for k in range(K):
                row[k] = np.exp(row[k] - top)
            for k in range(K):
                total += row[k]
            loss += np.log(total) - chosen
            scale = np.float32(1) / total
            for k in range(K):
                row[k] *= scale
            row[labels[n]] -= np.float32(1)
        return loss

    return loss_of


def _compile_rnn(fast: Any, times: Any, tanh: Any, sigmoid: Any) -> tuple[Any, Any, Any]:
    @fast
    def forward(a, h, c, th, q, u, WT):
        T, B, H = h.shape[0] - 1, h.shape[1], h.shape[2]
        for t in range(T):
            times(h[t], WT, u)
            for b in range(B):
                for i in range(H):
                    h[t + 1, b, i] = tanh(a[t, b, i] + u[b, i])

    @fast
    def backward(a, h, c, th, q, dn, d, back, carry, W):
        T, B, H = d.shape
        for t in range(T - 1, -1, -1):
            for b in range(B):
                for i in range(H):
                    s = h[t + 1, b, i]
                    a[t, b, i] = (d[t, b, i] + back[b, i]) * (1 - s * s)
            times(a[t], W, back)

    @fast
    def turn_to_inputs(a, dn):
        pass

    return forward, backward, turn_to_inputs


def _compile_lstm(fast: Any, times: Any, tanh: Any, sigmoid: Any) -> tuple[Any, Any, Any]:
    @fast
    def forward(a, h, c, th, q, u, WT):
        T, B, H = h.shape[0] - 1, h.shape[1], h.shape[2]
        for t in range(T):
            times(h[t], WT, u)
            for b in range(B):
                for i in range(3 * H):
                    a[t, b, i] = sigmoid(a[t, b, i] + u[b, i])
                for i in range(H):
                    g = tanh(a[t, b, 3 * H + i] + u[b, 3 * H + i])
                    a[t, b, 3 * H + i] = g
                    new = a[t, b, H + i] * c[t, b, i] + a[t, b, i] * g
                    c[t + 1, b, i] = new
                    th[t, b, i] = tanh(new)
                    h[t + 1, b, i] = a[t, b, 2 * H + i] * th[t, b, i]

    @fast
    def backward(a, h, c, th, q, dn, d, back, carry, W):
        T, B, H = d.shape
        for t in range(T - 1, -1, -1):
            for b in range(B):
                for k in range(H):
                    i, f, o, g = a[t, b, k], a[t, b, H + k], a[t, b, 2 * H + k], a[t, b, 3 * H + k]
                    dhk, y = d[t, b, k] + back[b, k], th[t, b, k]
                    dc = carry[b, k] + dhk * o * (1 - y * y)
                    a[t, b, k] = dc * g * i * (1 - i)
                    a[t, b, H + k] = dc * c[t, b, k] * f * (1 - f)
                    a[t, b, 2 * H + k] = dhk * y * o * (1 - o)
                    a[t, b, 3 * H + k] = dc * i * (1 - g * g)
                    carry[b, k] = dc * f
            times(a[t], W, back)

    @fast
    def turn_to_inputs(a, dn):
        pass

    return forward, backward, turn_to_inputs


def _compile_gru(fast: Any, times: Any, tanh: Any, sigmoid: Any) -> tuple[Any, Any, Any]:
    @fast
    def forward(a, h, c, th, q, u, WT):
        T, B, H = h.shape[0] - 1, h.shape[1], h.shape[2]
        for t in range(T):
            times(h[t], WT, u)
            for b in range(B):
                for i in range(2 * H):
                    a[t, b, i] = sigmoid(a[t, b, i] + u[b, i])
                for i in range(H):
                    q[t, b, i] = u[b, 2 * H + i]
                    n = tanh(a[t, b, 2 * H + i] + a[t, b, i] * u[b, 2 * H + i])
                    a[t, b, 2 * H + i] = n
                    h[t + 1, b, i] = n + a[t, b, H + i] * (h[t, b, i] - n)

    @fast
    def backward(a, h, c, th, q, dn, d, back, carry, W):
        T, B, H = d.shape
        for t in range(T - 1, -1, -1):
            for b in range(B):
                for i in range(H):
                    r, y, n = a[t, b, i], a[t, b, H + i], a[t, b, 2 * H + i]
                    g = d[t, b, i] + back[b, i] + carry[b, i]
                    slope = g * (1 - y) * (1 - n * n)
                    dn[t, b, i] = slope
                    a[t, b, i] = slope * q[t, b, i] * r * (1 - r)
                    a[t, b, H + i] = g * (h[t, b, i] - n) * y * (1 - y)
                    a[t, b, 2 * H + i] = slope * r
                    carry[b, i] = g * y
            times(a[t], W, back)

    @fast
    def turn_to_inputs(a, dn):
        """Put the cotangents of Un x in place of those of Wn h."""
        T, B, H = dn.shape
        for t in range(T):
            for b in range(B):
                for i in range(H):
                    a[t, b, 2 * H + i] = dn[t, b, i]

    return forward, backward, turn_to_inputs


__all__ = ["make_step"]
