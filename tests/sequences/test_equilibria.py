"""Sequences of equilibria: lifted, padded, in pieces and streams, ending by themselves, learned online."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from equilibria import FEEDS, RUNNERS, B, H, Model, T, attention, b, deep, make_feeds, pair, recurrent, settle, shooting, t

import autograd_seq as ag

every_runner = pytest.mark.parametrize("runner", [*RUNNERS])
RNG = np.random.default_rng(3)


# -- lifting, padding, pieces ---------------------------------------------------------------------------------------------


@every_runner
def test_lifting_changes_nothing(runner: str) -> None:
    """Each point stops by itself: a loose tolerance leaves the same iterate, whatever else is in the batch."""
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=b)
    z = ag.equilibrium("z", (H,), over=b, tol=1e-2, gradient_tol=1e-2)
    z[b] = ag.tanh(W @ z + x)
    run = RUNNERS[runner]([z, ag.grad(ag.sum(ag.sum(z), over=b), x)])
    feeds = {"W": 2 * FEEDS["W"], "x": np.logspace(-2, 1, 12).reshape(4, 3)}
    together = run(**feeds)
    apart = [run(W=feeds["W"], x=row[None]) for row in feeds["x"]]
    for k, whole in enumerate(together):
        np.testing.assert_allclose(whole, np.concatenate([a[k] for a in apart]), rtol=1e-13)
    np.testing.assert_allclose(together[0], RUNNERS["unrolled"](z)(**feeds)[0], rtol=1e-13)
    exact = settle(lambda z: np.tanh(z @ feeds["W"].T + feeds["x"]), np.zeros((4, H)))
    assert 1e-6 < np.max(np.abs(together[0] - exact)) < 1e-1, "the tolerance is loose"


@pytest.mark.parametrize("model", [recurrent, deep, attention], ids=lambda m: m.__name__)
@every_runner
def test_padding_reaches_nothing_and_settles_at_once(model: Callable[[], Model], runner: str) -> None:
    loss, wrt, _ = model()
    nodes, feeds = [loss, *ag.grad(loss, wrt)], make_feeds(loss)
    lengths, want = [3, 0, 5, 1], [0.0, 0.0, 0.0]
    first = model is attention
    x = feeds["x"].copy() if first else feeds["x"].swapaxes(0, 1).copy()
    for k, n in enumerate(lengths):
        piece = x[k : k + 1, :n] if first else x[k : k + 1, :n].swapaxes(0, 1)
        value, *grads = RUNNERS["numpy"](nodes)(**{**feeds, "x": piece})
        want = [w + g for w, g in zip(want, [value, *grads[:-1]], strict=False)]
        x[k, n:] = np.nan
    fed = {**feeds, "x": x if first else x.swapaxes(0, 1)}
    got = RUNNERS[runner](nodes)(lengths={t: lengths}, **fed)
    for g, w in zip(got[:-1], want, strict=False):
        np.testing.assert_allclose(g, w, rtol=1e-8)
    assert np.all(np.isfinite(got[-1]))


@pytest.mark.parametrize("start", [None, t - 1])
def test_pieces_and_streams_continue(start: Any) -> None:
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=(t, b))
    z = ag.equilibrium("z", (H,), over=(t, b), start=start)
    z[t] = ag.tanh(W @ z + x + 0.5 * z[t - 1])
    feeds = {"W": FEEDS["W"], "x": RNG.normal(size=(T, B, H))}
    (whole,) = RUNNERS["unrolled"](z)(**feeds)
    step, carry, rows = ag.stream(z), None, []
    for row in feeds["x"]:
        (y,), carry = step(carry, W=feeds["W"], x=row)
        rows.append(y.copy())
    np.testing.assert_allclose(rows, whole, rtol=1e-12)
    pieces = ag.compile(z, carry=True, backend="numpy")
    (first,), carry = pieces(W=feeds["W"], x=feeds["x"][:2])
    (rest,), carry = pieces(W=feeds["W"], x=feeds["x"][2:], carry=carry)
    np.testing.assert_allclose([*first, *rest], whole, rtol=1e-12)
    with pytest.raises(ag.EquilibriumError, match="z has not settled at b="):
        step(carry, W=20 * feeds["W"], x=feeds["x"][0])


@every_runner
def test_no_steps_and_no_batch(runner: str) -> None:
    for model in (deep, recurrent, attention):
        loss, wrt, _ = model()
        run, feeds = RUNNERS[runner]([loss, *ag.grad(loss, wrt)]), make_feeds(loss)
        for x in (feeds["x"][:0], feeds["x"][:, :0]):
            value, *grads = run(**{**feeds, "x": x})
            assert value == 0
            assert all(np.all(g == 0) for g in grads)


@pytest.mark.parametrize("model", [pair, shooting, attention], ids=lambda m: m.__name__)
def test_a_batch_of_one(model: Callable[[], Model]) -> None:
    """Programs for one sequence have no axis for it; what then no longer depends on the iterate is computed once."""
    loss, wrt, _ = model()
    nodes, feeds = [loss, *ag.grad(loss, wrt)], make_feeds(loss)
    feeds["x"] = feeds["x"][:1] if model is attention else feeds["x"][:, :1]
    for got, want in zip(RUNNERS["numpy"](nodes)(**feeds), RUNNERS["unrolled"](nodes)(**feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("runner", ["numpy", "plain"])
def test_recomputed_in_pieces(runner: str) -> None:
    loss, wrt, _ = recurrent()
    feeds, names = make_feeds(loss), [str(w.name) for w in wrt]
    value, *grads = RUNNERS["unrolled"]([loss, *ag.grad(loss, wrt)])(**feeds)
    got, found = ag.value_and_grad(loss, wrt, slots=1, piece=2, backend=runner)(**feeds)
    np.testing.assert_allclose(got, value, rtol=1e-10)
    for name, want in zip(names, grads, strict=True):
        np.testing.assert_allclose(found[name], want, rtol=1e-9, atol=1e-11)


def test_vmap() -> None:
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=t)
    z = ag.equilibrium("z", (H,), over=t)
    z[t] = ag.tanh(W @ z + x)
    loss = ag.sum(ag.vmap(ag.sum(ag.sum(z * z), over=t), over=b), over=b)
    xs = RNG.normal(size=(B, T, H))
    got = ag.compile([loss, ag.grad(loss, W)])(W=FEEDS["W"], x=xs)
    each = [
        ag.compile([ag.sum(ag.sum(z * z), over=t), ag.grad(ag.sum(ag.sum(z * z), over=t), W)])(W=FEEDS["W"], x=x) for x in xs
    ]
    for k, g in enumerate(got):
        np.testing.assert_allclose(g, sum(e[k] for e in each), rtol=1e-9)


def test_a_sequence_that_ends_by_itself_is_made_of_equilibria() -> None:
    u, W, x = ag.Axis("u"), ag.param("W", (H, H)), ag.param("x", (H,))
    z = ag.equilibrium("z", (H,), over=u)
    s = ag.state("s", (H,), over=u, init=x)
    z[u] = 0.5 * ag.tanh(W @ z[u] + s[u - 1])
    s[u] = z[u]
    small = ag.sum(s * s) < 1e-3
    last, steps = ag.until([ag.sum(ag.last(s, over=u)), ag.size(u)], over=u, when=small, limit=30)
    nodes, feeds = [last, steps, ag.grad(last, W)], {"W": FEEDS["W"], "x": np.array([1.0, -2.0, 0.5])}
    value, count, dW = RUNNERS["numpy"](nodes)(**feeds)
    z, n = feeds["x"], 0
    while n == 0 or np.sum(z * z) >= 1e-3:
        z, n = settle(lambda y, z=z: 0.5 * np.tanh(feeds["W"] @ y + z), np.zeros(H)), n + 1
    assert count == n > 3
    np.testing.assert_allclose(value, np.sum(z), rtol=1e-6)
    for got, want in zip(RUNNERS["unrolled"](nodes)(**feeds), (value, count, dW), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_checkpoints_run_it_again() -> None:
    loss, wrt, _ = recurrent()
    feeds = make_feeds(loss)
    value, grads = ag.value_and_grad(loss, memory="sqrt")(**feeds)
    want, stored = ag.value_and_grad(loss)(**feeds)
    np.testing.assert_allclose(value, want, rtol=1e-12)
    for x in wrt[:2]:
        np.testing.assert_allclose(grads[str(x.name)], stored[str(x.name)], rtol=1e-10, atol=1e-12)


def test_real_time_recurrent_learning_goes_through_it() -> None:
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=t)
    s, z = ag.state("s", (H,), over=t), ag.equilibrium("z", (H,), over=t)
    z[t] = ag.tanh(W @ z + x + 0.5 * s[t - 1])
    s[t] = 0.5 * s[t - 1] + z[t]
    loss = ag.sum(ag.sum(s * s), over=t)
    xs, total, carry, step = RNG.normal(size=(T, H)), np.zeros((H, H)), None, ag.online(loss, method="rtrl")
    for row in xs:
        (_, grads), carry = step(carry, x=row, W=FEEDS["W"])
        total += grads["W"]
    _, whole = ag.value_and_grad(loss)(x=xs, W=FEEDS["W"])
    np.testing.assert_allclose(total, whole["W"], rtol=1e-9)
