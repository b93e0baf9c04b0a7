"""JAX: one compiled function, ``jit(value_and_grad)`` of a ``lax.scan``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_seq.bench.competitor import Competitor, Outcome, pack, unpack
from autograd_seq.bench.work import Arrays, Workload


def make_scan(work: Workload, feeds: Arrays) -> Competitor:
    """Return the scan, with the inputs of all steps in one product and the gates packed.

    Args:
        work: the workload.
        feeds: x (T, B, D), l (T, B) and the parameters.

    Notes:
        JAX computes in float32 unless its ``jax_enable_x64`` is set.
    """
    import jax
    import jax.numpy as jnp

    cell, zeros = _cells()[work.cell], jnp.zeros((work.B, work.H), feeds["x"].dtype)
    start = (zeros, zeros) if work.cell == "lstm" else zeros

    def loss(params: Any, x: Any, l: Any) -> Any:
        U, W, V = params
        _, states = jax.lax.scan(lambda state, a: cell(W, state, a), start, x @ U.T)
        logp = jax.nn.log_softmax(states @ V.T)
        return -jnp.take_along_axis(logp, l[..., None], axis=-1).sum()

    f = jax.jit(jax.value_and_grad(loss))
    params = tuple(jnp.asarray(a) for a in (pack(work, feeds, "U"), pack(work, feeds, "W"), feeds["V"]))
    x, l = jnp.asarray(feeds["x"]), jnp.asarray(feeds["l"].astype("int32"))

    def convert(out: Any) -> Outcome:
        value, (dU, dW, dV) = out
        return float(value), unpack(work, dU, "U") | unpack(work, dW, "W") | {"V": np.array(dV)}

    return Competitor("jax", lambda: jax.block_until_ready(f(params, x, l)), convert)


def _cells() -> dict[str, Callable[..., Any]]:
    """Return by name a function of (W, state, U x_t) to (state, output)."""
    import jax
    import jax.numpy as jnp

    sigmoid = jax.nn.sigmoid

    def rnn(W: Any, s: Any, a: Any) -> Any:
        s = jnp.tanh(a + s @ W.T)
        return s, s

    def lstm(W: Any, state: Any, a: Any) -> Any:
        h, c = state
        i, f, o, g = jnp.split(a + h @ W.T, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(W: Any, h: Any, a: Any) -> Any:
        a_r, a_z, a_n = jnp.split(a, 3, axis=1)
        r, z, n = jnp.split(h @ W.T, 3, axis=1)
        z = sigmoid(a_z + z)
        n = jnp.tanh(a_n + sigmoid(a_r + r) * n)
        h = n + z * (h - n)
        return h, h

    return {"rnn": rnn, "lstm": lstm, "gru": gru}


__all__ = ["make_scan"]
