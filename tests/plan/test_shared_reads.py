"""What several equations read: passes that move a term, or write over an array, know every reader of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compare import difference

import autograd_seq as ag

H = 3
t = ag.Axis("t")


def params(names: str, shape: tuple[int, ...] = (H, H)) -> list[ag.Node]:
    return [ag.param(n, shape) for n in names]


def states(names: str) -> list[ag.Node]:
    return [ag.state(n, (H,), over=t) for n in names]


def squared(y: ag.Node) -> ag.Node:
    return ag.sum(ag.sum(y * y), over=t)


def parallel_gates(x: ag.Node) -> ag.Node:
    U, V, W, R = params("UVWR")
    z, f = ag.sigmoid(U @ x[t]), ag.sigmoid(V @ x[t])
    return squared((1 - z) + z * (W @ x[t]) + (1 - f) + f * (R @ x[t]))


def parallel_cells(x: ag.Node) -> ag.Node:
    U, V, W, R = params("UVWR")
    h, k = states("hk")
    for s, gate, value in ((h, U, V), (k, W, R)):
        z = ag.sigmoid(gate @ x[t])
        s[t] = (1 - z) * s[t - 1] + z * (value @ x[t])
    return squared(h[t] + k[t])


def product_of_two_steps(x: ag.Node) -> ag.Node:
    A, W = params("AW")
    q, a = states("qa")
    y = W @ a[t]
    q[t], a[t] = ag.tanh(y + y[t - 1] + x[t]), ag.tanh(A @ q[t - 1])
    return squared(q)


def sum_of_products_of_two_steps(x: ag.Node) -> ag.Node:
    A, W = params("AW")
    q, a = states("qa")
    q[t], a[t] = ag.tanh(W @ a[t] + W @ a[t - 1]), ag.tanh(A @ q[t - 1] + x[t])
    return squared(q) + ag.sum(ag.sum(ag.sin(a)), over=t)


def stacked_without_output_gate(x: ag.Node) -> ag.Node:
    A, U, W, V, R = params("AUWVR")
    a, h, c = states("ahc")
    a[t] = ag.tanh(A @ a[t - 1] + x[t])
    i, g = ag.sigmoid(U @ a[t] + W @ h[t - 1]), ag.tanh(V @ a[t] + R @ h[t - 1])
    c[t] = 0.5 * c[t - 1] + i * g
    h[t] = c[t] * 1.0
    return ag.sum(ag.last(h, over=t))


def two_states(x: ag.Node) -> ag.Node:
    A, B, C = params("ABC")
    p, q = states("pq")
    p[t], q[t] = ag.tanh(A @ p[t - 1] + B @ q[t - 1]), ag.tanh(C @ p[t - 1] + x[t])
    return squared(q)


def state_space(x: ag.Node) -> ag.Node:
    A, B, C, D = params("ABCD")
    (s,) = states("s")
    s[t] = A @ s[t - 1] + B @ x[t]
    return squared(C @ s[t - 1] + D @ x[t] - x[t + 1])


def feedback(x: ag.Node) -> ag.Node:
    A, B, C, D = params("ABCD")
    p, q = states("pq")
    p[t] = ag.tanh(A @ p[t - 1] + B @ q[t - 1] + x[t])
    q[t] = 0.9 * q[t - 1] + 0.1 * ag.tanh(C @ p[t] + D @ q[t - 1])
    return squared(p) + ag.sum(ag.last(q, over=t))


def leaky_second(x: ag.Node) -> ag.Node:
    A, B, C = params("ABC")
    p, q = states("pq")
    p[t], q[t] = ag.tanh(A @ p[t - 1] + B @ q[t - 1]), 0.5 * q[t - 1] + 0.5 * ag.tanh(C @ p[t - 1] + x[t])
    return squared(q)


def two_lstms(x: ag.Node) -> ag.Node:
    for layer in "12":
        h, c = ag.state("h" + layer, (H,), over=t), ag.state("c" + layer, (H,), over=t)
        W, U = ([ag.param(n + g + layer, (H, H)) for g in "ifog"] for n in "WU")
        i, f, o, g = (W[k] @ h[t - 1] + U[k] @ x[t] for k in range(4))
        c[t] = ag.sigmoid(f) * c[t - 1] + ag.sigmoid(i) * ag.tanh(g)
        h[t] = ag.sigmoid(o) * ag.tanh(c[t])
        x = h
    return ag.sum(ag.last(x, over=t))


MODELS: list[Callable[[ag.Node], ag.Node]] = [
    parallel_gates, parallel_cells, product_of_two_steps, sum_of_products_of_two_steps, stacked_without_output_gate, two_states,
    state_space, feedback, leaky_second, two_lstms,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("batch", [None, 1, 2])
def test_values_and_gradients(model, batch):
    b = ag.Axis("b")
    loss = model(ag.input("x", (H,), over=t))
    loss = loss if batch is None else ag.sum(ag.vmap(loss, over=b), over=b)
    graph, rng = ag.Graph(loss), np.random.default_rng(3)
    wrt, sizes = list(graph.inputs.values()), {t: 4, b: batch}
    feeds: dict[str, Any] = {n.name: rng.normal(size=(*(sizes[a] for a in n.axes), *n.shape)) for n in wrt}
    got = ag.compile([loss, *ag.grad(loss, wrt)], backend="numpy")(**feeds)
    dag = graph.unroll(**{a.name: sizes[a] for a in graph.axes})
    want = [*dag.evaluate(**feeds), *dag.grad(wrt).evaluate(**feeds)]
    assert max(difference(a, w) for a, w in zip(got, want, strict=True)) < 1e-12
    way = {name: rng.normal(size=v.shape) for name, v in feeds.items()}

    def along(h: float) -> float:
        return float(dag.evaluate(**{name: v + h * way[name] for name, v in feeds.items()})[0])

    slope = (8 * (along(2e-4) - along(-2e-4)) - (along(4e-4) - along(-4e-4))) / 24e-4
    assert abs(slope - sum(np.sum(g * way[n.name]) for g, n in zip(got[1:], wrt, strict=True))) < 1e-8 * max(1.0, abs(slope))


def test_what_a_shift_reads_too_stays_what_it_is():
    """q = tanh(y[t] + y[t − 1] + 1), a = tanh(q[t − 1]), y = a, by hand."""
    A, W, x = ag.param("A", (1, 1)), ag.param("W", (1, 1)), ag.input("x", (1,), over=t)
    q, a = (ag.state(n, (1,), over=t) for n in "qa")
    y = W @ a[t]
    q[t], a[t] = ag.tanh(y + y[t - 1] + x[t]), ag.tanh(A @ q[t - 1])
    (got,) = ag.compile([q], backend="numpy")(A=np.ones((1, 1)), W=np.ones((1, 1)), x=np.ones((3, 1)))
    assert got.ravel() == pytest.approx([0.761594, 0.927754, 0.982728], abs=1e-6)


def test_multiples_of_one_vector_with_a_loop_between_them():
    """y·d needs a loop within the step, which needs x·d of the same step: the two are not one product."""
    u, rng = ag.Axis("u"), np.random.default_rng(0)
    s, y = ag.state("s", (H,), over=(t, u)), ag.state("y", (H,), over=(t, u))
    x, W = ag.input("x", (H,), over=(t, u)), ag.param("W", (H, 2 * H))
    d = ag.tanh(s[t - 1, u] + x)
    y[t, u] = ag.tanh(y[t, u - 1] + x * d)
    s[t, u] = ag.tanh(W @ ag.concat([x * d, y * d]))
    feeds = {"x": rng.normal(size=(3, 4, H)), "W": rng.normal(size=(H, 2 * H))}
    (got,), (want,) = ag.compile([s], backend="numpy")(**feeds), ag.Graph(s).unroll(t=3, u=4).evaluate(**feeds)
    assert difference(got, want) < 1e-14


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_nothing_has_a_shape(backend):
    """No hidden units, and constants without entries."""
    if backend == "numba":
        pytest.importorskip("numba")
    x = ag.input("x", (2,), over=t)
    h, c = ag.state("h", (0,), over=t), ag.state("c", (0,), over=t)
    W, U = ([ag.param(n + g, (0, m)) for g in "ifog"] for n, m in (("W", 0), ("U", 2)))
    i, f, o, g = (W[k] @ h[t - 1] + U[k] @ x[t] for k in range(4))
    c[t] = ag.sigmoid(f) * c[t - 1] + ag.sigmoid(i) * ag.tanh(g)
    h[t] = ag.sigmoid(o) * ag.tanh(c[t])
    V, k, none = ag.param("V", (2, 0)), ag.param("k", (2,)), ag.constant(np.zeros((0, 2)))
    y = V @ h[t] + k
    loss = ag.sum(ag.sum(y * y) + ag.sum(none * x[t]), over=t)
    wrt = list(ag.Graph(loss).inputs.values())
    feeds = {n.name: np.ones((*(4,) * len(n.axes), *n.shape)) for n in wrt}
    got, *grads = ag.compile([loss, *ag.grad(loss, wrt)], backend=backend)(**feeds)
    assert got == 8.0
    for n, dn in zip(wrt, grads, strict=True):
        assert dn.shape == feeds[n.name].shape and np.array_equal(dn, np.full(dn.shape, 8.0 if n is k else 0.0))
