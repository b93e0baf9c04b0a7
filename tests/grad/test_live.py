"""A branch that is not taken has a gradient of exactly 0, whatever NaN or infinity is in it, and the other one its own.

The oracle is the same model with harmless numbers in the places that are not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.core.op import OPS
from autograd_seq.emit.native import numba
from tests.ops.test_special_values import BINARY, LINE, UNARY

t, b = ag.Axis("t"), ag.Axis("b")
RNG = np.random.default_rng(2)
OK = np.array([True, False, True, False, False, True])


def issue() -> ag.Node:
    w, x, ok, h = ag.param("w"), ag.input("x", over=t), ag.input("ok", over=t, dtype=bool), ag.state("h", over=t)
    h[t] = ag.where(ok, ag.tanh(w * h[t - 1] + x[t]), h[t - 1])
    return ag.sum(h * h, over=t)


def masked_lstm() -> ag.Node:
    """Two gates of each step that has a measurement; h and c are held at the others."""
    x, ok = ag.input("x", (3,), over=(t, b)), ag.input("ok", over=(t, b), dtype=bool)
    h, c = ag.state("h", (2,), over=(t, b)), ag.state("c", (2,), over=(t, b))
    U, W, V, R = (ag.param(n, (2, k)) for n, k in (("U", 3), ("W", 2), ("V", 3), ("R", 2)))
    gate, new = ag.sigmoid(U @ x[t] + W @ h[t - 1]), ag.tanh(V @ x[t] + R @ h[t - 1])
    now = gate * c[t - 1] + (1 - gate) * new
    c[t] = ag.where(ok, now, c[t - 1])
    h[t] = ag.where(ok, gate * ag.tanh(now), h[t - 1])
    return ag.sum(ag.sum(h * h), over=(t, b))


def nested() -> ag.Node:
    """A value in both branches of one choice, inside of another; powers, softmaxes, parts, and a user's products."""
    x, ok, w = ag.input("x", (3,), over=t), ag.input("ok", over=t, dtype=bool), ag.param("w", (3,))
    up = ag.index(t) > 2
    p = ag.softmax(w * x)
    y = ag.where(ok, ag.where(up, ag.sum(p * ag.sin(x[::-1])), ag.max(p * x) + ag.logsumexp(x)), 0.25)
    return ag.sum(y * y, over=t) + ag.sum(ag.where(ok & up, ag.dot(p, x * x), 0.0), over=t)


def each_entry() -> ag.Node:
    """A mask of entries, and one of rows where the rows are a dimension of the value."""
    x, ok = ag.input("x", (3,), over=t), ag.input("ok", over=t, dtype=bool)
    rows = ag.stack([x, 2 * x, -x])
    W, m = ag.param("W", (3, 3)), ag.stack([ok, ok, ok])
    z = ag.tanh(ag.reshape(ag.where(m, ag.sin(x), 0.0), (3, 1)) * W)
    return ag.sum(ag.sum(z) + ag.sum(ag.where(ag.reshape(m, (3, 1)), ag.tanh(rows @ W), 0.5)), over=t)


CUBE = ag.defop("cube_in_a_branch", shape=ag.same_shape, forward=lambda x: x**3, vjp=lambda g, y, x: (g * 3 * x * x,))


def numbers_as_a_mask() -> ag.Node:
    """A condition that is a number, smaller than 1; an operation of the user's own in the branch."""
    x, ok, w = ag.input("x", (3,), over=t), ag.input("ok", over=t, dtype=bool), ag.param("w", (3,))
    return ag.sum(ag.sum(ag.where(0.5 * ag.cast(ok, float), CUBE(w * x) * ag.softmax(ag.reshape(w * x, (1, 3)))[0], w)), over=t)


MODELS: list[Callable[[], ag.Node]] = [issue, masked_lstm, nested, each_entry, numbers_as_a_mask]


def feeds(loss: ag.Node, bad: float) -> dict[str, Any]:
    given: dict[str, Any] = {}
    rng = np.random.default_rng(7)
    for name, node in ag.Graph(loss).inputs.items():
        shape = tuple({t: 6, b: 2}[a] for a in node.axes) + node.shape
        value = rng.normal(size=shape)
        hole = ~OK.reshape(6, *[1] * (len(shape) - 1)) if node.axes else False
        given[name] = np.broadcast_to(~hole, shape) if node.dtype is bool else np.where(hole, bad, value)
    return given


@pytest.mark.parametrize("model", MODELS)
def test_what_is_not_read_reaches_no_gradient(model):
    loss = model()
    wrt = [n for n in ag.Graph(loss).inputs.values() if n.dtype is float]
    first = ag.grad(loss, wrt)
    second = ag.grad(sum((ag.sum(ag.sum(g * g), over=n.axes) if n.axes else ag.sum(g * g) for g, n in zip(
        first, wrt, strict=True)), ag.constant(0.0)), wrt)  # fmt: skip
    nodes = [loss, *first, *second]
    runs = {"adjoint graph": ag.Graph(nodes).evaluate, "numpy": ag.compile(nodes, backend="numpy")}
    if model is masked_lstm and numba.is_available():
        runs["native"] = ag.compile(nodes[: len(wrt) + 1], backend="numba")
    want = ag.Graph(nodes).evaluate(**feeds(loss, 0.5))
    for bad in (np.nan, np.inf):
        for name, run in runs.items():
            for got, w in zip(run(**feeds(loss, bad)), want, strict=False):
                np.testing.assert_allclose(got, w, rtol=1e-9, atol=1e-12, err_msg=name)
    sizes = {a.name: {t: 6, b: 2}[a] for a in ag.Graph(loss).axes}
    for got, w in zip(ag.Graph(loss).unroll(**sizes).grad(wrt).evaluate(**feeds(loss, np.nan)), want[1:], strict=False):
        np.testing.assert_allclose(got, w, rtol=1e-9, atol=1e-12)
    assert all(np.any(w) for w in want[1 : 1 + len(wrt)])


def test_every_operation_keeps_0_where_it_is_not_read_and_its_own_gradient_elsewhere():
    """Over special values, in one graph: each operation in a branch that half of the points take, beside itself alone."""
    x, y, ok = ag.input("x", over=t), ag.input("y", over=t), ag.input("ok", over=t, dtype=bool)
    made = [OPS[n](x) for n in UNARY] + [OPS[n](x, y) for n in BINARY]
    made += [x**n for n in (2, 3, -1, 0.5)] + [ag.gelu(x), ag.clip(x, -1, 1), ag.log(ag.sigmoid(x))]
    made = [n for n in made if n.dtype is float]
    chosen = [g for n in made for g in ag.grad(ag.sum(ag.where(ok, n, 0.0), over=t), [x, y])]
    alone = [g for n in made for g in ag.grad(ag.sum(n, over=t), [x, y])]
    a, c = (m.ravel() for m in np.meshgrid(LINE, LINE[[0, 1, 3, 11, 13, 23, 24]]))
    given = {"x": a, "y": c, "ok": RNG.random(a.shape) < 0.5}
    want = ag.compile(alone, backend="numpy")(**{k: given[k] for k in "xy"})
    for run in (ag.compile(chosen, backend="numpy"), ag.Graph(chosen).evaluate):
        for got, w in zip(run(**given), want, strict=True):
            assert not np.any(got[~given["ok"]])
            np.testing.assert_allclose(got[given["ok"]], w[given["ok"]], rtol=1e-13, atol=1e-300)


def test_values_know_at_once():
    w, x = ag.tensor([0.5, 2.0]), ag.tensor([np.nan, 1.0])
    h = ag.where([False, True], ag.tanh(w * x) * x, w)
    ag.sum(h).backward()
    slope = 1 - np.tanh(2.0) ** 2
    np.testing.assert_allclose(w.grad, [1.0, slope])
    np.testing.assert_allclose(x.grad, [0.0, 2 * slope + np.tanh(2.0)])
    W, rows = ag.tensor(np.eye(2)), ag.tensor([[np.inf, 1.0], [1.0, 2.0]])
    with np.errstate(all="ignore"):
        ag.sum(ag.where([[False], [True]], rows @ W, 0.0)).backward()
    np.testing.assert_array_equal(W.grad, [[1, 1], [2, 2]])
    np.testing.assert_array_equal(rows.grad, [[0, 0], [1, 1]])


def test_a_model_without_a_choice_pays_nothing():
    """Nor does attention, whose scores are masked: what it contracts varies over fewer axes than the mask."""
    u = ag.Axis("u")
    q, k, v = (ag.input(n, (2,), over=t) for n in "qkv")
    score = ag.where(ag.index(u) <= ag.index(t), ag.dot(q, k.along(t, u)) / 1.5, -np.inf)
    out = ag.sum(ag.softmax(score, over=u) * v.along(t, u), over=u)
    grads = ag.grad(ag.sum(ag.dot(out, out), over=t), [q, k, v])
    forward = {n for n in ag.Graph(out).nodes if n.op.name == "where"}
    extra = [n for n in ag.Graph(grads).nodes if n.op.name == "where" and n not in forward]
    conditions = {n.inputs[0] for n in forward}
    assert len([n for n in extra if n.inputs[0] in conditions]) == len(forward)  # each choice's own rule, and no more


def test_what_is_spread_over_a_choice_may_have_a_dimension_of_one():
    """Where ``where`` chooses among copies, a value counts if any of its copies does."""
    x, ok = ag.input("x", (3,), over=t), ag.input("ok", (3, 2), over=t, dtype=bool)
    out = ag.where(ok, ag.broadcast_to(ag.reshape(x, (3, 1)), (3, 2)), 0.0)
    g = ag.grad(ag.sum(ag.sum(out * out), over=t), x)
    fed = {"x": np.array([[1.0, np.nan, 3.0]]), "ok": np.array([[[True, False], [False, False], [True, True]]])}
    for run in (ag.Graph(g).evaluate, ag.compile([g])):
        np.testing.assert_array_equal(run(**fed)[0], [[2, 0, 12]])


def test_what_later_steps_read_through_a_window_is_live_where_they_are():
    """The condition is that of the steps that read, not of the one that is read; a NaN that none of them reads stays out."""
    t = ag.Axis("t")
    w, x, ok = ag.param("w"), ag.input("x", over=t), ag.input("ok", over=t, dtype=bool)
    recent = ag.window(ag.tanh(w * x), t, 2)
    loss = ag.sum(ag.where(ok, ag.sin(ag.sum(recent, axis=0)), 0.0), over=t)
    data = np.array([np.nan, 0.3, 0.5, np.nan, 0.7, 0.1])
    feeds = {"w": 0.6, "x": data, "ok": [False, False, True, False, False, True]}

    def by_hand(a: float) -> float:
        y = np.tanh(a * data)
        return float(np.sin(y[1] + y[2]) + np.sin(y[4] + y[5]))

    want = (by_hand(0.6 + 1e-6) - by_hand(0.6 - 1e-6)) / 2e-6
    got = [ag.Graph(ag.grad(loss, w)).evaluate(**feeds)[0], ag.value_and_grad(loss)(**feeds)[1]["w"],
           *ag.Graph(loss).unroll(t=6).grad(["w"]).evaluate(**feeds)]  # fmt: skip
    np.testing.assert_allclose(got, want, rtol=1e-8)
    slope = ag.grad(loss, w)
    ag.check_grad(slope * slope, [w], {**feeds, "x": np.nan_to_num(data)})  # the rule of its rule
