"""PyTensor: one compiled function, a ``scan`` and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_seq.bench.competitor import Competitor, Outcome, pack, unpack
from autograd_seq.bench.work import Arrays, Workload


def make_scan(work: Workload, feeds: Arrays) -> Competitor:
    """Return the scan, with the inputs of all steps in one product and the gates packed; compiled for minutes.

    Args:
        work: the workload.
        feeds: x (T, B, D), l (T, B) and the parameters.
    """
    import pytensor
    import pytensor.tensor as pt

    width = feeds["x"].dtype.name
    x, l = pt.tensor("x", shape=(None, None, work.D), dtype=width), pt.tensor("l", shape=(None, None), dtype="int64")
    values = [feeds["x"], feeds["l"], pack(work, feeds, "U"), pack(work, feeds, "W"), feeds["V"]]
    U, W, V = params = [pt.tensor(name, shape=a.shape, dtype=width) for name, a in zip("UWV", values[2:], strict=True)]
    zeros = pt.zeros((x.shape[1], work.H), dtype=width)
    cell, starts = _cell(pt, work.cell), [zeros, zeros] if work.cell == "lstm" else [zeros]
    found = pytensor.scan(cell, sequences=[x @ U.T], outputs_info=starts, non_sequences=[W], strict=True, return_updates=False)
    logits = (found[0] if work.cell == "lstm" else found) @ V.T
    logp = pt.special.log_softmax(logits.reshape((-1, work.K)), axis=-1)
    labels = l.reshape((-1,))
    loss = -logp[pt.arange(labels.shape[0]), labels].sum()
    f = pytensor.function([x, l, *params], [loss, *pt.grad(loss, params)])

    def convert(out: Any) -> Outcome:
        value, dU, dW, dV = out
        return float(value), unpack(work, dU, "U") | unpack(work, dW, "W") | {"V": np.array(dV)}

    return Competitor("pytensor", lambda: f(*values), convert)


def _cell(pt: Any, name: str) -> Any:
    """Return a function of (U x_t, states, W) to the next states."""
    sigmoid = pt.sigmoid

    def rnn(a: Any, s: Any, W: Any) -> Any:
        return pt.tanh(a + s @ W.T)

    def lstm(a: Any, h: Any, c: Any, W: Any) -> Any:
        z, n = a + h @ W.T, a.shape[-1] // 4
        i, f, o, g = (z[:, k * n : (k + 1) * n] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * pt.tanh(g)
        return sigmoid(o) * pt.tanh(c), c

    def gru(a: Any, h: Any, W: Any) -> Any:
        p, n = h @ W.T, a.shape[-1] // 3
        r, z = (sigmoid(a[:, k * n : (k + 1) * n] + p[:, k * n : (k + 1) * n]) for k in range(2))
        new = pt.tanh(a[:, 2 * n :] + r * p[:, 2 * n :])
        return new + z * (h - new)

    return {"rnn": rnn, "lstm": lstm, "gru": gru}[name]


__all__ = ["make_scan"]
