"""Lesson 4: backpropagation through time, written out line by line, is what the engine computes."""

from __future__ import annotations

import numpy as np

import autograd_seq as ag

D, H, K, T = 3, 5, 4, 9


def test_bptt_line_by_line_equals_the_engine() -> None:
    """The network is s_t = tanh(U x_t + W s_{t−1}), y_t = softmax(V s_t), L = Σ −log y_t[l_t].

    Forward, we keep all states. Backward, from the last step to the first, one line for each rule:

    - softmax followed by −log has the derivative dz = y − onehot(l);
    - V is used at this step, so dV grows by the outer product of dz and s_t;
    - s_t is used twice, by the output of this step and by the next state: dL/ds_t = Vᵀ dz + (what the next step sent);
    - tanh multiplies by 1 − s², and gives da;
    - U and W are used at this step: dU grows by da x_tᵀ, dW by da s_{t−1}ᵀ;
    - the step before is sent Wᵀ da.

    Both ways of the engine, reverse mode through the unrolled graph and the adjoint graph, give the same to 1e-12.
    """
    rng = np.random.default_rng(0)
    U, V = rng.normal(size=(H, D)), rng.normal(size=(K, H))
    W = np.linalg.qr(rng.normal(size=(H, H)))[0]
    x, l = rng.normal(size=(T, D)), rng.integers(0, K, T)

    # forward, by hand
    s = np.zeros((T + 1, H))  # s[-1], the last row, stands for s₋₁ = 0
    y = np.zeros((T, K))
    loss = 0.0
    for t in range(T):
        s[t] = np.tanh(U @ x[t] + W @ s[t - 1])
        z = V @ s[t]
        y[t] = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        loss -= np.log(y[t, l[t]])

    # backward through time, by hand
    dU, dW, dV = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V)
    back = np.zeros(H)
    for t in reversed(range(T)):
        dz = y[t].copy()
        dz[l[t]] -= 1
        dV += np.outer(dz, s[t])
        ds = V.T @ dz + back
        da = (1 - s[t] ** 2) * ds
        dU += np.outer(da, x[t])
        dW += np.outer(da, s[t - 1])
        back = W.T @ da

    # the engine
    L, params = _model()
    feeds = {"x": x, "l": l, "U": U, "W": W, "V": V}
    dag = ag.Graph(L).unroll(t=T)
    np.testing.assert_allclose(dag.evaluate(**feeds)[0], loss, rtol=1e-12)
    reverse = dag.grad(["U", "W", "V"]).evaluate(**feeds)
    adjoint = ag.Graph(*ag.grad(L, params)).unroll(t=T).evaluate(**feeds)
    for engine in (reverse, adjoint):
        for found, hand in zip(engine, (dU, dW, dV), strict=True):
            np.testing.assert_allclose(found, hand, rtol=0, atol=1e-12 * np.abs(hand).max())


def _model() -> tuple[ag.Node, list[ag.Node]]:
    t = ag.Axis("t")
    x, l = ag.input("x", (D,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (H, D)), ag.param("W", (H, H)), ag.param("V", (K, H))
    s = ag.state("s", (H,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    y = ag.softmax(V @ s[t])
    return ag.sum(ag.nll(y, l[t]), over=t).named("L"), [U, W, V]
