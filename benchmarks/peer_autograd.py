"""HIPS autograd: the loop written out in its NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_seq.bench.competitor import Competitor, Outcome, pack, unpack
from autograd_seq.bench.work import Arrays, Workload


def make_loop(work: Workload, feeds: Arrays) -> Competitor:
    """Return the loop, with packed gates and a loss at every step.

    Args:
        work: the workload.
        feeds: x (T, B, D), l (T, B) and the parameters.
    """
    import autograd
    import autograd.numpy as anp

    x, l, cell = feeds["x"], feeds["l"], _cells(work.H)[work.cell]
    start, entries = np.zeros((work.B, work.H), x.dtype), np.arange(work.B)

    def loss(params: Any) -> Any:
        U, W, V = params
        state: Any = (start, start) if work.cell == "lstm" else start
        h, total = start, 0.0
        for x_t, l_t in zip(x, l, strict=True):
            state, h = cell(state, anp.dot(x_t, U.T), anp.dot(h, W.T))
            z = anp.dot(h, V.T)
            z = z - anp.max(z, axis=1, keepdims=True)
            total = total + anp.sum(anp.log(anp.sum(anp.exp(z), axis=1)) - z[entries, l_t])
        return total

    f = autograd.value_and_grad(loss)
    params = (pack(work, feeds, "U"), pack(work, feeds, "W"), feeds["V"])

    def convert(out: Any) -> Outcome:
        value, (dU, dW, dV) = out
        return float(value), unpack(work, dU, "U") | unpack(work, dW, "W") | {"V": np.array(dV)}

    return Competitor("autograd", lambda: f(params), convert)


def _cells(H: int) -> dict[str, Callable[..., Any]]:
    """Return by name a function of (state, U x_t, W h_{t-1}) to (state, output)."""
    import autograd.numpy as anp

    def sigmoid(a: Any) -> Any:
        return 0.5 * anp.tanh(0.5 * a) + 0.5

    def rnn(state: Any, a: Any, b: Any) -> Any:
        s = anp.tanh(a + b)
        return s, s

    def lstm(state: Any, a: Any, b: Any) -> Any:
        _, c = state
        a = a + b
        ifo = sigmoid(a[:, : 3 * H])
        c = ifo[:, H : 2 * H] * c + ifo[:, :H] * anp.tanh(a[:, 3 * H :])
        h = ifo[:, 2 * H :] * anp.tanh(c)
        return (h, c), h

    def gru(h: Any, a: Any, b: Any) -> Any:
        rz = sigmoid(a[:, : 2 * H] + b[:, : 2 * H])
        n = anp.tanh(a[:, 2 * H :] + rz[:, :H] * b[:, 2 * H :])
        h = n + rz[:, H:] * (h - n)
        return h, h

    return {"rnn": rnn, "lstm": lstm, "gru": gru}


__all__ = ["make_loop"]
