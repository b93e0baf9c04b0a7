"""Backpropagation through time by hand, in pure NumPy: what the compiler is measured against.

Everything is allocated, and every row sliced, once; a call writes into the same memory and returns gradients that belong to
the caller. There are two ways, because a batch of one and a batch of many are slow for different reasons: see
:mod:`autograd_seq.bench.by_hand_single` and :mod:`autograd_seq.bench.by_hand_batch`. Layouts, orders of summation and what is
computed beforehand were chosen by measuring the alternatives.

Example:
    >>> from autograd_seq.bench.work import Workload, make
    >>> work = Workload("lstm", "odd", 7, 3, 4, 5, 6)
    >>> step = lstm(*work.sizes)
    >>> loss, grads = step(**make(work))
    >>> grads["Wf"].shape, grads["Wf"].dtype
    ((5, 5), dtype('float32'))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_seq.bench import by_hand_batch, by_hand_single

Step = Callable[..., tuple[float, dict[str, np.ndarray]]]
"""``step(x=…, l=…, U=…, …)`` returns the loss and the gradient of each parameter by name."""


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
    return by_hand_single.RNN(T, D, H, K, dtype) if B == 1 else by_hand_batch.RNN(T, B, D, H, K, dtype)


def lstm(T: int, B: int, D: int, H: int, K: int, dtype: Any = np.float32) -> Step:
    """Return a training step of an LSTM with input, forget and output gates i, f, o and candidate g.

    Args:
        T, B, D, H, K, dtype: as for :func:`rnn`.

    Returns:
        A function of x (T, B, D), l (T, B), Ui, Uf, Uo, Ug (H, D), Wi, Wf, Wo, Wg (H, H), V (K, H), by name.
    """
    return by_hand_single.LSTM(T, D, H, K, dtype) if B == 1 else by_hand_batch.LSTM(T, B, D, H, K, dtype)


def gru(T: int, B: int, D: int, H: int, K: int, dtype: Any = np.float32) -> Step:
    """Return a training step of a GRU with reset and update gates r, z, and n = tanh(Un x + r (Wn h)).

    Args:
        T, B, D, H, K, dtype: as for :func:`rnn`.

    Returns:
        A function of x (T, B, D), l (T, B), Ur, Uz, Un (H, D), Wr, Wz, Wn (H, H), V (K, H), by name.
    """
    return by_hand_single.GRU(T, D, H, K, dtype) if B == 1 else by_hand_batch.GRU(T, B, D, H, K, dtype)


FACTORIES: dict[str, Callable[..., Step]] = {"rnn": rnn, "lstm": lstm, "gru": gru}
"""By cell."""

__all__ = ["FACTORIES", "Step", "gru", "lstm", "rnn"]
