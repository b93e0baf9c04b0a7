"""BPTT by hand for a batch of one, where the time is that of NumPy's calls (0.25 µs each), not of their arithmetic.

So whatever saves a call is done, even if it multiplies more (2026-11):

- One row of memory holds what a product reads: [h_{t-1}, x_t] on the way forward, [δa_{t+1}, δlogits_t] on the way back, so
  that U x + W h, and Wᵀ δa + Vᵀ δlogits, are one product each and no sum. (With a batch the sum is cheaper.)
- σ(a) = ½ tanh(½ a) + ½, the inner ½ within the weights: one tanh runs over all gates.
- All gates' cotangents are multiples of the same vector; the multipliers do not depend on the carry and are computed for
  all steps beforehand, so a step back is a product and one broadcasting multiplication.
- The rows of the way back times the rows of the way forward, summed over time, are the gradients of all weights: one product.

An RNN has 2 + 2 calls a step, an LSTM 8 + 4, a GRU 9 + 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from autograd_seq.bench.by_hand_batch import CrossEntropy

add, multiply, subtract, tanh = np.add, np.multiply, np.subtract, np.tanh


class Single(ABC):
    """What the three cells share. Call it with x (T, 1, D), l (T, 1) and the parameters by name.

    Args:
        T, D, H, K: steps, inputs, hidden units, classes.
        dtype: of all floats.

    Returns:
        The loss, and a dict from name to gradient: arrays of the caller's own.
    """

    states: np.ndarray  # (T, H) a view: h_t
    inputs: np.ndarray  # (T, D) a view: x_t in the rows of the way forward
    cotangents: np.ndarray  # (T, K) a view: δlogits in the rows of the way back

    def __init__(self, T: int, D: int, H: int, K: int, dtype: Any) -> None:
        self.H = H
        self.one, self.half = np.ones((), dtype), np.full((), 0.5, dtype)
        self.logits = np.empty((K, T), dtype)
        self.loss = CrossEntropy(T, K, dtype)

    def __call__(self, x: np.ndarray, l: np.ndarray, **p: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Take one step."""
        self.pack(**p)
        self.inputs[:] = x[:, 0]
        self.forward()
        p["V"].dot(self.states.T, self.logits)
        loss = self.loss(self.logits, l)
        self.cotangents[:] = self.logits.T
        self.multipliers()
        self.backward()
        return loss, self.gradients(x[:, 0])

    @abstractmethod
    def pack(self, **p: np.ndarray) -> None:
        """Copy the parameters to where the two products read them."""

    @abstractmethod
    def forward(self) -> None:
        """Compute the states."""

    @abstractmethod
    def multipliers(self) -> None:
        """Compute for all steps what does not depend on the carry."""

    @abstractmethod
    def backward(self) -> None:
        """Compute the cotangents of the pre-activations."""

    @abstractmethod
    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return the sums over time."""


class RNN(Single):
    """s = tanh(U x + W s₋₁). Forward rows [s_{t-1}, x_t]; backward rows [δa_t, δlogits_{t-1}]."""

    def __init__(self, T: int, D: int, H: int, K: int, dtype: Any) -> None:
        super().__init__(T, D, H, K, dtype)
        self.there, self.back = np.zeros((T + 1, H + D), dtype), np.zeros((T + 1, H + K), dtype)
        self.states, self.inputs, self.cotangents = self.there[1:, :H], self.there[:-1, H:], self.back[1:, H:]
        self.WU, self.WV = np.empty((H + D, H), dtype), np.empty((H + K, H), dtype)
        self.slope, self.a = np.empty((T, H), dtype), np.empty(H, dtype)
        self.steps = [(self.there[t].dot, self.there[t + 1, :H]) for t in range(T)]
        self.steps_back = [(self.back[t + 1].dot, self.slope[t], self.back[t, :H]) for t in reversed(range(T))]

    def pack(self, U: np.ndarray, W: np.ndarray, V: np.ndarray) -> None:  # type: ignore[override]
        """See Single."""
        H = self.H
        self.WU[:H], self.WU[H:], self.WV[:H], self.WV[H:] = W.T, U.T, W, V

    def forward(self) -> None:
        """See Single."""
        WU, a = self.WU, self.a
        for dot, s in self.steps:
            dot(WU, a)
            tanh(a, s)

    def multipliers(self) -> None:
        """See Single."""
        multiply(self.states, self.states, self.slope)
        subtract(self.one, self.slope, self.slope)

    def backward(self) -> None:
        """See Single."""
        WV, ds = self.WV, self.a
        for dot, slope, da in self.steps_back:
            dot(WV, ds)
            multiply(ds, slope, da)

    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See Single."""
        H, d = self.H, self.back.T.dot(self.there)
        return {"U": d[:H, H:], "W": d[:H, :H], "V": d[H:, :H]}


class LSTM(Single):
    """Rows [h_{t-1}, x_t] and [carry, δi, δf, δg, δlogits_{t-1}, δo, c̄_h]_t; gates in memory [o, i, f, g, c_{t-1}]."""

    def __init__(self, T: int, D: int, H: int, K: int, dtype: Any) -> None:
        super().__init__(T, D, H, K, dtype)
        self.there, self.back = np.zeros((T + 1, H + D), dtype), np.zeros((T + 1, 6 * H + K), dtype)
        self.states, self.inputs = self.there[1:, :H], self.there[:-1, H:]
        self.cotangents = self.back[1:, 4 * H : 4 * H + K]
        self.WU, self.WV = np.empty((H + D, 4 * H), dtype), np.empty((4 * H + K, 2 * H), dtype)
        self.gates, self.tanh_c = np.zeros((T + 1, 5 * H), dtype), np.empty((T, H), dtype)
        self.factors = np.empty((T, 6, H), dtype)
        self.pair, self.dh, self.dc = np.empty(2 * H, dtype), np.empty(2 * H, dtype), np.empty(H, dtype)
        g, s, f, q = self.gates, self.there, self.factors, self.back
        self.steps = [
            (s[t].dot, g[t, : 4 * H], g[t, : 3 * H], g[t, H : 3 * H], g[t, 3 * H :], g[t + 1, 4 * H :], self.tanh_c[t],
             g[t, :H], s[t + 1, :H])
            for t in range(T)
        ]  # fmt: skip
        self.steps_back = [
            (q[t + 1, H : 5 * H + K].dot, f[t, 4:].reshape(-1), q[t, 4 * H + K :], q[t, 5 * H + K :], q[t + 1, :H], f[t, :4],
             q[t, : 4 * H].reshape(4, H))
            for t in reversed(range(T))
        ]  # fmt: skip

    def pack(self, V: np.ndarray, **p: np.ndarray) -> None:  # type: ignore[override]
        """See Single. The product back yields δh twice, to be multiplied by two things at once."""
        H, WU, WV, K = self.H, self.WU, self.WV, len(V)
        for k, gate in enumerate("oifg"):
            columns = slice(k * H, (k + 1) * H)
            WU[:H, columns], WU[H:, columns] = p["W" + gate].T, p["U" + gate].T
        multiply(WU[:, : 3 * H], self.half, WU[:, : 3 * H])
        for twin in (WV[:, :H], WV[:, H:]):
            twin[:H], twin[H : 2 * H], twin[2 * H : 3 * H] = p["Wi"], p["Wf"], p["Wg"]
            twin[3 * H : 3 * H + K], twin[3 * H + K :] = V, p["Wo"]

    def forward(self) -> None:
        """See Single."""
        WU, half, pair = self.WU, self.half, self.pair
        first, second = pair[: self.H], pair[self.H :]
        for dot, oifg, oif, i_f, g_c, c, tanh_c, o, h in self.steps:
            dot(WU, oifg)
            tanh(oifg, oifg)
            multiply(oif, half, oif)
            add(oif, half, oif)
            multiply(i_f, g_c, pair)
            add(first, second, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)

    def multipliers(self) -> None:
        """See Single: ∂c/∂c₋₁ = f, ∂c/∂i, ∂c/∂f, ∂c/∂g, ∂h/∂o, ∂h/∂c, the gates before their nonlinearity."""
        one, th = self.one, self.tanh_c
        o, i, f, g, c = self.gates[:-1].reshape(len(th), 5, self.H).swapaxes(0, 1)
        by_c, by_i, by_f, by_g, by_o, by_h = self.factors.swapaxes(0, 1)
        by_c[:] = f
        for out, gate, other in ((by_i, i, g), (by_f, f, c), (by_o, o, th)):
            subtract(one, gate, out)
            multiply(out, gate, out)
            multiply(out, other, out)
        for out, value, other in ((by_g, g, i), (by_h, th, o)):
            multiply(value, value, out)
            subtract(one, out, out)
            multiply(out, other, out)

    def backward(self) -> None:
        """See Single."""
        WV, dh, dc = self.WV, self.dh, self.dc
        for dot, by_h, do_dc, dc_h, carry, by_c, dgates in self.steps_back:
            dot(WV, dh)
            multiply(dh, by_h, do_dc)
            add(dc_h, carry, dc)
            multiply(by_c, dc, dgates)

    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See Single."""
        H, K = self.H, len(self.logits)
        d = self.back.T.dot(self.there)  # whole rows: to slice them costs more than to multiply what nobody reads
        out = {"V": d[4 * H : 4 * H + K, :H]}
        for gate, at in (("i", H), ("f", 2 * H), ("g", 3 * H), ("o", 4 * H + K)):
            out["U" + gate], out["W" + gate] = d[at : at + H, H:], d[at : at + H, :H]
        return out


class GRU(Single):
    """Rows [n_t, h_{t-1}, x_t] and [δr, δz, δq, z δh, δlogits_{t-1}]_t, q = Wn h; in memory [tanh(r/2), 1 − z, z, q/2, a_n]."""

    def __init__(self, T: int, D: int, H: int, K: int, dtype: Any) -> None:
        super().__init__(T, D, H, K, dtype)
        self.there, self.back = np.zeros((T + 1, 2 * H + D), dtype), np.zeros((T + 1, 4 * H + K), dtype)
        self.states, self.inputs = self.there[1:, H : 2 * H], self.there[:-1, 2 * H :]
        self.cotangents = self.back[1:, 4 * H :]
        self.WU, self.WV = np.zeros((H + D, 5 * H), dtype), np.zeros((4 * H + K, H), dtype)
        self.WV[3 * H : 4 * H] = np.eye(H)  # z δh joins the product
        self.gates, self.factors = np.empty((T, 5 * H), dtype), np.empty((T, 4, H), dtype)
        self.by_n, self.dh = np.empty((T, H), dtype), np.empty((T, H), dtype)
        self.a, self.pair = np.empty(H, dtype), np.empty(2 * H, dtype)
        g, s, q = self.gates, self.there, self.back
        self.steps = [
            (s[t, H:].dot, g[t], g[t, : 3 * H], g[t, :H], g[t, 3 * H : 4 * H], g[t, 4 * H :], s[t, :H], g[t, H : 3 * H],
             s[t, : 2 * H], s[t + 1, H : 2 * H])
            for t in range(T)
        ]  # fmt: skip
        self.steps_back = [(q[t + 1].dot, self.dh[t], self.factors[t], q[t, : 4 * H].reshape(4, H)) for t in reversed(range(T))]

    def pack(self, V: np.ndarray, **p: np.ndarray) -> None:  # type: ignore[override]
        """See Single. r (Wn h) = q + tanh(r/2) q with q = Wn h / 2: the product yields q, and Un x + q."""
        H, WU, WV = self.H, self.WU, self.WV
        for k, gate in ((0, "r"), (2, "z")):
            WU[:H, k * H : (k + 1) * H], WU[H:, k * H : (k + 1) * H] = p["W" + gate].T, p["U" + gate].T
        WU[:H, 3 * H : 4 * H] = p["Wn"].T
        multiply(WU[:, : 4 * H], self.half, WU[:, : 4 * H])
        np.negative(WU[:, 2 * H : 3 * H], WU[:, H : 2 * H])  # 1 − σ(a) = σ(−a)
        WU[:H, 4 * H :], WU[H:, 4 * H :] = WU[:H, 3 * H : 4 * H], p["Un"].T
        WV[:H], WV[H : 2 * H], WV[2 * H : 3 * H], WV[4 * H :] = p["Wr"], p["Wz"], p["Wn"], V

    def forward(self) -> None:
        """See Single."""
        WU, half, a, pair = self.WU, self.half, self.a, self.pair
        first, second = pair[: self.H], pair[self.H :]
        for dot, gates, rz, r, q, a_n, n, z, n_h, h in self.steps:
            dot(WU, gates)
            tanh(rz, rz)
            multiply(r, q, a)
            add(a, a_n, a)
            tanh(a, n)
            multiply(z, half, z)
            add(z, half, z)
            multiply(z, n_h, pair)
            add(first, second, h)

    def multipliers(self) -> None:
        """See Single: of δh for the gates before their nonlinearity, and for q."""
        one, half, H, by_n = self.one, self.half, self.H, self.by_n
        r, other, z, q, _ = self.gates.reshape(len(by_n), 5, H).swapaxes(0, 1)  # r is still tanh(a_r / 2)
        by_r, by_z, by_q, by_h = self.factors.swapaxes(0, 1)
        n, h = self.there[:-1, :H], self.there[:-1, H : 2 * H]
        multiply(n, n, by_n)
        subtract(one, by_n, by_n)
        multiply(by_n, other, by_n)
        multiply(r, r, by_r)
        subtract(one, by_r, by_r)
        multiply(by_r, half, by_r)
        multiply(by_r, q, by_r)
        multiply(by_r, by_n, by_r)
        add(r, one, by_q)
        multiply(by_q, half, by_q)
        multiply(by_q, by_n, by_q)
        subtract(h, n, by_z)
        multiply(by_z, z, by_z)
        multiply(by_z, other, by_z)
        by_h[:] = z

    def backward(self) -> None:
        """See Single."""
        WV = self.WV
        for dot, dh, factors, d in self.steps_back:
            dot(WV, dh)
            multiply(factors, dh, d)

    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See Single."""
        H, d = self.H, self.back.T.dot(self.there[:, self.H :])
        da_n = np.multiply(self.dh, self.by_n, self.by_n)
        return {
            "Ur": d[:H, H:], "Wr": d[:H, :H], "Uz": d[H : 2 * H, H:], "Wz": d[H : 2 * H, :H],
            "Un": da_n.T.dot(x), "Wn": d[2 * H : 3 * H, :H], "V": d[4 * H :, :H],
        }  # fmt: skip


__all__ = ["GRU", "LSTM", "RNN", "Single"]
