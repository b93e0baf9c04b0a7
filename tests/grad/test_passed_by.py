"""What the user wrote is a variable, also where a stable form passes it by: log softmax, log sigmoid, log Σ exp and losses.

The oracle is the same model in which the variable has a number added to it: with ``y + d`` in place of ``y`` nothing is
rewritten, and the gradient with respect to ``d`` at 0 is that with respect to ``y``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.native import numba

t = ag.Axis("t")
RNG = np.random.default_rng(3)
GIVEN = {"x": RNG.normal(size=(4, 3)), "l": np.array([2, 0, 1, 1]), "q": RNG.random(size=(4, 3)), "W": RNG.normal(size=(3, 3))}
Mark = Callable[[ag.Node], ag.Node]


def leaves() -> tuple[ag.Node, ag.Node, ag.Node, ag.Node]:
    return ag.input("x", (3,), over=t), ag.input("l", over=t, dtype=int), ag.input("q", (3,), over=t), ag.param("W", (3, 3))


def classifier(v: Mark) -> ag.Node:
    x, l, _, W = leaves()
    return ag.sum(ag.nll(v(ag.softmax(W @ x)), l), over=t)


def fed_back(v: Mark) -> ag.Node:
    """The prediction is read at the next step, and by a penalty."""
    x, l, _, W = leaves()
    y = ag.state("y", (3,), over=t)
    p = v(ag.softmax(ag.tanh(x[t] + W @ y[t - 1])))
    y[t] = p
    return ag.sum(ag.nll(p, l) + ag.sum(p * p), over=t)


def parts(v: Mark) -> ag.Node:
    x, l, _, W = leaves()
    p = v(ag.softmax(W @ x))
    several = ag.log(v(p[1:])) * ag.log(ag.reshape(v(p[:, None].T), (3,)))[1:]
    return ag.sum(ag.sum(several) + ag.log(v(ag.pick(p, l))) + ag.log(p[0]), over=t)


def divergence(v: Mark) -> ag.Node:
    x, _, q, W = leaves()
    return -ag.sum(ag.sum(q * ag.log(v(ag.softmax(W @ x)))), over=t)


def logistic(v: Mark) -> ag.Node:
    x, _, q, W = leaves()
    p = v(ag.sigmoid(W @ x))
    return ag.sum(ag.bce(p, q) - ag.sum(ag.log(p)), over=t)


def of_exponentials(v: Mark) -> ag.Node:
    x, _, q, W = leaves()
    e = v(ag.exp(W @ x))
    over_time = ag.log(v(ag.sum(v(ag.exp(x)), over=t)))
    return ag.sum(ag.log(v(ag.sum(e))) + ag.log(e[0]) + q[0] * over_time[1], over=t)


MODELS = [classifier, fed_back, parts, divergence, logistic, of_exponentials]


def written(model: Callable[[Mark], ag.Node]) -> tuple[ag.Node, list[ag.Node]]:
    found: list[ag.Node] = []

    def mark(y: ag.Node) -> ag.Node:
        found.append(y.named(f"v{len(found)}"))
        return y

    return model(mark), found


def disturbed(model: Callable[[Mark], ag.Node]) -> tuple[ag.Node, list[ag.Node]]:
    found: list[ag.Node] = []

    def mark(y: ag.Node) -> ag.Node:
        found.append(ag.input(f"d{len(found)}", y.shape, over=y.axes) if y.axes else ag.param(f"d{len(found)}", y.shape))
        return y + found[-1]

    return model(mark), found


def zeros(nodes: list[ag.Node]) -> dict[str, Any]:
    return {str(n.name): np.zeros((4,) * len(n.axes) + n.shape) for n in nodes}


def squares(nodes: list[ag.Node]) -> ag.Node:
    return sum((ag.sum(ag.sum(n * n), over=n.axes) for n in nodes), ag.constant(0.0))


@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_of_a_variable_is_that_of_what_the_user_wrote(model):
    loss, variables = written(model)
    plain, places = disturbed(model)
    given = {k: v for k, v in GIVEN.items() if k in ag.Graph(loss).inputs}
    wrt = [*variables, *[n for n in ag.Graph(loss).inputs.values() if n.dtype is float]]
    names = [str(n.name) for n in wrt[len(variables) :]]
    graph = ag.Graph(plain)
    want = graph.unroll(t=4).grad([*places, *names]).evaluate(**given, **zeros(places))
    assert all(np.any(w) for w in want)
    grads = ag.grad(loss, wrt)
    runs = {"adjoint graph": ag.Graph(grads).evaluate(**given), "program": ag.compile(grads, backend="numpy")(**given),
            "unrolled": ag.Graph(loss).unroll(t=4).grad(wrt).evaluate(**given)}  # fmt: skip
    if model is fed_back and numba.is_available():
        runs["native"] = ag.compile(grads, backend="numba")(**given)
    for name, got in runs.items():
        for g, w in zip(got, want, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-11, atol=1e-12, err_msg=name)
    both = (loss, variables), (plain, places)
    second, truth = (ag.grad(squares(ag.grad(of, nodes)), ag.Graph(of)["x"]) for of, nodes in both)
    want = ag.Graph(truth).evaluate(**given, **zeros(places))[0]
    for got in (ag.Graph(second).evaluate(**given)[0], ag.compile(second, backend="numpy")(**given)[0]):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * np.abs(want).max())


@pytest.mark.parametrize("model", MODELS)
def test_lengths_leave_the_gradients_of_real_steps(model):
    loss, variables = written(model)
    grads = ag.grad(loss, variables)
    given = {k: v for k, v in GIVEN.items() if k in ag.Graph(loss).inputs}
    short = {k: v if k == "W" else v[:3] for k, v in given.items()}
    padded = {k: np.where(np.arange(4).reshape(4, *[1] * (v.ndim - 1)) < 3, v, np.nan) if v.dtype == float and k != "W" else v
              for k, v in given.items()}  # fmt: skip
    want = ag.Graph(grads).evaluate(**short)
    for got in (ag.Graph(grads).evaluate(**padded, lengths={t: 3}), ag.compile(grads)(**padded, lengths={t: 3}),
                ag.Graph(loss).unroll(t=4).grad(variables).evaluate(**padded, lengths={t: 3})):  # fmt: skip
        for g, w, n in zip(got, want, variables, strict=True):
            np.testing.assert_allclose(g[:3] if n.axes else g, w, rtol=1e-12, atol=1e-14)
            assert not n.axes or not np.any(g[3])


def test_values_get_their_gradients_at_once():
    """The numbers of the issue by hand: dL/dy = −1/y[l], and the like; the logits get theirs by the stable form."""
    z = ag.tensor([1.0, 2.0, 3.0])
    y = ag.softmax(z).named("y")
    ag.nll(y, 0).backward()
    np.testing.assert_allclose(y.grad, [-np.exp([1, 2, 3]).sum() / np.e, 0, 0])
    np.testing.assert_allclose(z.grad, y.value - [1, 0, 0])

    a = ag.tensor([-1000.0, 0.5])
    s = ag.sigmoid(a)
    ag.sum(ag.log(s)).backward()
    np.testing.assert_allclose(a.grad, [1.0, 1 / (1 + np.exp(0.5))])
    np.testing.assert_allclose(s.grad, [np.inf, 1 + np.exp(-0.5)])

    x = ag.tensor([700.0, 1.0])
    e = ag.exp(x)
    total = ag.sum(e)
    (2.0 * ag.log(total) + total * 1e-300).backward()
    want = 2 / total.value + 1e-300
    np.testing.assert_allclose(total.grad, want)
    np.testing.assert_allclose(e.grad, [want, want])
    np.testing.assert_allclose(x.grad, [2 + 1e-300 * np.exp(700), want * np.e])

    a = ag.tensor([0.3, -2.0])
    p = ag.sigmoid(a)
    ag.bce(p, [1.0, 0.25]).backward()
    want = p.value - [1.0, 0.25]
    np.testing.assert_allclose(a.grad, want / 2)
    np.testing.assert_allclose(p.grad, want / 2 / (p.value * (1 - p.value)))


@pytest.mark.parametrize("size", [1000.0, -1000.0])
def test_losses_and_logits_stay_stable(size):
    z, l = ag.input("z", (3,), over=t), ag.input("l", over=t, dtype=int)
    y = ag.softmax(z).named("y")
    loss = ag.sum(ag.nll(y, l) - ag.sum(ag.log(ag.sigmoid(z))), over=t)
    feed = {"z": np.array([[size, 0.0, -size], [0.0, 1.0, size]]), "l": np.array([2 if size > 0 else 0, 1])}
    torch_like = np.logaddexp.reduce(feed["z"], axis=1)[:, None] - feed["z"]
    dz = np.exp(-torch_like) - np.eye(3)[feed["l"]] - (1 - 1 / (1 + np.exp(-np.clip(feed["z"], -700, 700))))
    nodes = [loss, *ag.grad(loss, [z, y])]
    for got in (ag.compile(nodes, backend="numpy")(**feed), ag.Graph(nodes).evaluate(**feed)):
        np.testing.assert_allclose(got[0], torch_like[[0, 1], feed["l"]].sum() + np.logaddexp(0, -feed["z"]).sum())
        np.testing.assert_allclose(got[1], dz, atol=1e-12)
        assert np.all(got[2][[0, 1], feed["l"]] <= -1)


def test_a_read_of_another_step_is_a_variable_too():
    """s[t − 1], a last step, a state along another axis, a parameter at each step: not all that is done with what they read."""
    u = ag.Axis("u")
    x, w, s = ag.input("x", over=t), ag.param("w"), ag.state("s", over=t)
    s[t] = w * s[t - 1] + x[t]
    reads = [s[t - 1], ag.last(s, over=t), s.along(t, u), ag.spread(w, t)]
    before, end, other, each = (n.named(name) for n, name in zip(reads, ("before", "end", "other", "each"), strict=True))
    loss = end**2 + ag.sum(s**2 + before**3 + each * each * x, over=t) + ag.sum(other**3, over=u)
    feed = {"x": np.array([1.0, 2.0, 3.0]), "w": 0.5}
    values = np.array([1.0, 2.5, 4.25])
    want = [3 * np.array([0.0, 1.0, 2.5]) ** 2, 8.5, 3 * values**2, feed["x"]]
    grads = ag.grad(loss, reads)
    runs = {"adjoint graph": ag.Graph(grads).evaluate(**feed), "program": ag.compile(grads, backend="numpy")(**feed),
            "unrolled": ag.Graph(loss).unroll(t=3, u=3).grad(reads).evaluate(**feed),
            "by name": ag.Graph(loss).unroll(t=3, u=3).grad(["before", "end", "other", "each"]).evaluate(**feed)}  # fmt: skip
    for name, got in runs.items():
        for g, n in zip(got, want, strict=True):
            np.testing.assert_allclose(g, n, rtol=1e-14, err_msg=name)
    nameless = s[t - 2]
    with pytest.raises(ag.GradientError) as error:
        ag.Graph(loss + ag.sum(nameless, over=t)).unroll(t=3, u=3).grad([nameless])
    assert error.value.code == "E123" and "named" in str(error.value)
