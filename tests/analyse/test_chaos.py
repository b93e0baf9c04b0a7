"""Jacobians and Lyapunov exponents: known maps and flows, products of Jacobians, and what theory says of their sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from night import NIGHT

import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")
BACKENDS = ["numpy", "numba"]


def need(backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba")


def logistic() -> ag.Node:
    x = ag.state("x", over=t, init=ag.param("x0"))
    x[t] = 4 * x[t - 1] * (1 - x[t - 1])
    return x


def henon_of_two() -> ag.Node:
    s = ag.state("s", (2,), over=t, init=ag.param("s0", (2,)))
    s[t] = ag.stack([1 - 1.4 * s[t - 1][0] ** 2 + s[t - 1][1], 0.3 * s[t - 1][0]])
    return s


def henon_of_delays() -> ag.Node:
    """The same map as one number that is read one and two steps back."""
    x = ag.state("x", over=t, init=0.1)
    x[t] = 1 - 1.4 * x[t - 1] ** 2 + 0.3 * x[t - 2]
    return x


def lorenz(step: float = 0.01) -> ag.Node:
    """Lorenz 1963 by the method of Runge and Kutta."""

    def flow(s: ag.Node) -> ag.Node:
        x, y, z = s[0], s[1], s[2]
        return ag.stack([10 * (y - x), x * (28 - z) - y, x * y - (8 / 3) * z])

    s = ag.state("s", (3,), over=t, init=ag.param("s0", (3,)))
    a = s[t - 1]
    k1 = flow(a)
    k2 = flow(a + step / 2 * k1)
    k3 = flow(a + step / 2 * k2)
    s[t] = a + step / 6 * (k1 + 2 * k2 + 2 * k3 + flow(a + step * k3))
    return s


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_logistic_map_doubles_every_error(backend: str) -> None:
    """At r = 4 it is the doubling of an angle: the exponent is ln 2."""
    need(backend)
    found = ag.analyse.lyapunov(logistic(), over=t, steps=10_000, discard=50, backend=backend)(x0=0.2)
    assert found.exponents[0] == pytest.approx(np.log(2), abs=2e-3)
    assert (found.steps, found.history.shape) == (10_000, (1_000, 1))
    assert found.horizon(1e3) == pytest.approx(np.log(1e3) / found.exponents[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_henon_in_two_forms(backend: str) -> None:
    """Its Jacobian has the determinant −0.3 everywhere, so the exponents add up to ln 0.3; the form does not matter."""
    need(backend)
    two = ag.analyse.lyapunov(henon_of_two(), over=t, steps=10_000, discard=100, backend=backend)(s0=[0.1, 0.03])
    assert two.exponents == pytest.approx([0.419, -1.623], abs=0.012)
    assert two.exponents.sum() == pytest.approx(np.log(0.3), abs=1e-8)
    assert two.dimension == pytest.approx(1.258, abs=0.01)
    delays = ag.analyse.lyapunov(henon_of_delays(), over=t, steps=10_000, discard=100, backend=backend)()
    assert delays.exponents == pytest.approx([0.419, -1.623], abs=0.012)
    assert delays.exponents.sum() == pytest.approx(np.log(0.3), abs=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lorenz(backend: str) -> None:
    """A flow: one exponent is 0, along the trajectory; the sum is the divergence −(10 + 1 + 8/3) everywhere."""
    need(backend)
    steps = 100_000 if backend != "numpy" or NIGHT else 8_000
    found = ag.analyse.lyapunov(lorenz(), over=t, steps=steps, discard=1_000, backend=backend)(s0=[1.0, 1.0, 20.0])
    first, middle, last = found.exponents / 0.01
    assert first == pytest.approx(0.906, rel=0.02 if steps > 8_000 else 0.05)
    assert abs(middle) < 0.01
    assert last == pytest.approx(-14.57, rel=0.02)
    assert first + middle + last == pytest.approx(-(10 + 1 + 8 / 3), rel=1e-3)
    assert found.dimension == pytest.approx(2.06, abs=0.01)


H, T = 3, 12


def network() -> tuple[list[ag.Node], Any]:
    """Two states that read each other, delays of 1, 2 and 3, an input, a batch."""
    x = ag.input("x", (H,), over=(t, b))
    h, c = ag.state("h", (H,), over=(t, b)), ag.state("c", over=(t, b))
    h[t] = ag.tanh(ag.param("W", (H, H)) @ h[t - 1] - h[t - 3] + x[t - 1] + c[t - 2])
    c[t] = ag.sigmoid(ag.sum(h[t])) * c[t - 1]
    rng = np.random.default_rng(1)
    return [h, c], {"W": rng.normal(0, 1, (H, H)), "x": rng.normal(size=(T, 2, H))}


def test_jacobians_are_those_of_the_step_by_complex_steps() -> None:
    outputs, feeds = network()
    program = ag.analyse.jacobian(outputs, over=t, backend="numpy")
    assert [(c.node.name, c.delay) for c in program.carried] == [("h", 3), ("c", 2)]
    found = program(**feeds)
    assert found.shape == (T, 2, 3 * H + 2, 3 * H + 2)

    def step(z: Any, x: Any) -> Any:
        h1, h2, h3, c1, c2 = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H], z[3 * H + 1]
        h = np.tanh(feeds["W"] @ h1 - h3 + x + c2)
        return np.concatenate([h, h1, h2, [c1 / (1 + np.exp(-h.sum()))], [c1]])

    for k in range(2):
        z = np.zeros(3 * H + 2)
        for i in range(T):
            x = feeds["x"][i - 1, k] if i else np.zeros(H)
            want = np.stack([np.imag(step(z + 1e-100j * e, x)) / 1e-100 for e in np.eye(len(z))], -1)
            np.testing.assert_allclose(found[i, k], want, rtol=1e-11, atol=1e-14)
            z = step(z, x)


def test_exponents_are_those_of_the_product_of_jacobians() -> None:
    """For a batch, an input and several delays, pieces of other lengths; the sum is ln |det| in the mean."""
    outputs, feeds = network()
    J = ag.analyse.jacobian(outputs, over=t, backend="numpy")(**feeds)[2:]
    found = ag.analyse.lyapunov(outputs, over=t, discard=2, every=4, exponents=2, backend="numpy")(**feeds)
    assert found.exponents.shape == (2, 2)
    assert found.steps == T - 2
    n = J.shape[-1]
    for k in range(2):
        ways = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))[0][:, :2]
        first = ag.analyse.jacobian(outputs, over=t, backend="numpy")(**feeds)[1, k]
        ways, logs = np.linalg.qr(first @ ways)[0], 0
        for matrix in J[:, k]:
            ways, r = np.linalg.qr(matrix @ ways)
            logs = logs + np.log(np.abs(np.diag(r)))
        np.testing.assert_allclose(found.exponents[k], np.sort(logs)[::-1] / (T - 2), rtol=1e-9)


def test_a_window_of_earlier_values_is_carried_whole() -> None:
    """x[t] = (x[t - 1] + 2 x[t - 2]) / 2 by ag.window: a companion matrix, whose eigenvalues are known."""
    x = ag.state("x", over=t, init=1.0)
    x[t] = ag.sum(ag.window(x[t - 1], t, 2) * np.array([1.0, 0.5]))
    want = np.sort(np.log(np.abs(np.roots([1.0, -0.5, -1.0]))))[::-1]
    found = ag.analyse.lyapunov(x, over=t, steps=60, discard=40, backend="numpy")()
    np.testing.assert_allclose(found.exponents, want, rtol=1e-6)
    np.testing.assert_allclose(ag.analyse.jacobian(x, over=t, backend="numpy")(t=1)[0], [[0.5, 1.0], [1.0, 0.0]])


def test_a_linear_step_needs_no_values_and_may_sum_over_an_axis_of_its_own() -> None:
    """The input is fed and not needed; the axis u ends within a step, and is no batch."""
    u = ag.Axis("u")
    s, k = ag.state("s", (2,), over=t), ag.input("k", over=u)
    s[t] = ag.sum(k, over=u) * (ag.param("A", (2, 2)) @ s[t - 1]) + ag.input("x", (2,), over=t)
    feeds = {"A": np.array([[0.0, 2.0], [0.5, 0.0]]), "x": np.zeros((5, 2)), "k": np.array([0.25, 0.5])}
    found = ag.analyse.jacobian(s, over=t, backend="numpy")(**feeds)
    np.testing.assert_array_equal(found, np.broadcast_to(0.75 * feeds["A"], (5, 2, 2)))
    exponents = ag.analyse.lyapunov(s, over=t, backend="numpy")(**feeds).exponents  # of A, 1 and −1
    np.testing.assert_allclose(exponents, np.log([0.75, 0.75]), rtol=1e-9)
    cell = ag.state("cell", over=t)
    cell[t] = 0.5 * cell[t - 1] + ag.input("y", over=t)
    np.testing.assert_array_equal(ag.analyse.jacobian(cell, over=t, backend="numpy")(y=np.ones(3)), np.full((3, 1, 1), 0.5))


def test_what_is_refused() -> None:
    x, i = ag.input("x", over=(t, b)), ag.Axis("i")
    with pytest.raises(ag.AxisError, match=r"Q124.*nothing depends on its own earlier steps"):
        ag.analyse.jacobian(x[t - 1] * 2.0, over=t)
    back = ag.state("back", over=t)
    back[t] = back[t + 1] * 0.5 + ag.input("y", over=t)
    tree = ag.state("tree", over=t)
    tree[t] = 0.5 * tree[t - 1] + ag.take(tree, ag.input("child", over=t, dtype=int), over=t, earlier=True)
    with pytest.raises(ag.AxisError, match=r"Q131.*tree is read at any earlier step of t"):
        ag.analyse.lyapunov(tree, over=t)
    with pytest.raises(ag.AxisError, match=r"Q123.*back is read at later steps"):
        ag.analyse.lyapunov(back, over=t)
    ring = ag.state("ring", over=(t, i), init=ag.input("r", over=i))
    ring[t, i] = ring[t - 1, i] * 0.5 + ag.mean(ring[t - 1, i], over=i)
    with pytest.raises(ag.AxisError, match=r"Q125.*mixes the points of i"):
        ag.analyse.lyapunov(ring, over=t)
    shared, each = ag.state("shared", over=t), ag.state("each", over=(t, b))
    shared[t], each[t] = 0.5 * shared[t - 1] + 1.0, each[t - 1] * shared[t] + x[t]
    with pytest.raises(ag.AxisError, match=r"Q128.*shared is one for all points"):
        ag.analyse.lyapunov(each, over=t)
    for ask in (ag.analyse.lyapunov, ag.analyse.jacobian):
        with pytest.raises(ag.FeedError, match=r"F207.*steps of t after the end of a sequence have no derivatives"):
            ask(logistic(), over=t, backend="numpy")(x0=0.2, lengths=[3])
    with pytest.raises(ag.OperationError, match=r"Q126.*exponents=2 is out of its range"):
        ag.analyse.lyapunov(logistic(), over=t, exponents=2)
    with pytest.raises(ag.OperationError, match=r"Q127.*it is not known how many steps"):
        ag.analyse.lyapunov(logistic(), over=t, backend="numpy")(x0=0.2)
    with pytest.raises(ag.OperationError, match=r"Q129.*does not stay finite"), np.errstate(all="ignore"):
        ag.analyse.lyapunov(logistic(), over=t, steps=50, backend="numpy")(x0=1.5)
