"""Windows, running sums and maxima, slower clocks, attention: reads across the steps, beside NumPy."""

from __future__ import annotations

import gc
import re
import tracemalloc
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
RNG = np.random.default_rng(8)


def both(outputs: Any, **feeds: Any) -> tuple[Any, ...]:
    """Return the outputs of the compiled program, which are those of the unrolled graph."""
    outputs = outputs if isinstance(outputs, list) else [outputs]
    got = ag.compile(outputs)(**feeds)
    for a, w in zip(got, ag.Graph(outputs).evaluate(**feeds), strict=True):
        assert a.shape == w.shape and a.dtype == w.dtype and np.allclose(a, w, rtol=1e-13, atol=1e-13)
    return got


# -- windows ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "every"), [(1, 1), (3, 1), (5, 1), (3, 2), (2, 4)])
@pytest.mark.parametrize("start", [0.0, 2.5])
def test_a_window_is_a_sliding_window(size: int, every: int, start: float):
    x = ag.input("x", (2,), over=(t, b))
    values, reach = RNG.normal(size=(6, 3, 2)), every * (size - 1)
    (got,) = both(ag.window(x, t, size, every=every, init=start or None), x=values)
    long = np.concatenate([np.full((reach, 3, 2), start), values])
    assert got.shape == (6, 3, size, 2)
    for i in range(6):
        assert np.array_equal(got[i], np.moveaxis(long[i : i + reach + 1 : every], 0, 1))


def test_a_window_may_start_with_rows():
    x, rows = ag.input("x", over=t), [1.0, 2.0, 3.0, 4.0]
    (got,) = both(ag.window(x, t, 3, every=2, init=rows), x=[5.0, 6.0])
    assert got.tolist() == [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]


def test_a_causal_convolution_and_its_gradient():
    x, w = ag.input("x", over=t), ag.param("w", (3,))
    y = ag.dot(w, ag.window(x, t, 3))
    loss = ag.sum(y * y, over=t)
    values, weights = RNG.normal(size=7), RNG.normal(size=3)
    got, dw, dx = both([y, *ag.grad(loss, [w, x])], x=values, w=weights)
    want = np.convolve(values, weights[::-1])[:7]
    assert np.allclose(got, want)
    padded = np.concatenate([np.zeros(2), values])
    assert np.allclose(dw, [2 * np.sum(want * padded[k : k + 7]) for k in range(3)])
    assert np.allclose(dx, 2 * np.convolve(want, weights)[2:9])
    assert "for t" not in str(ag.compile(ag.grad(loss, [w])).schedule), "no recurrence, no loop"


def weighted(kind: str, size: int, every: int, step: Any) -> tuple[list[ag.Node], dict[str, Any]]:
    """A model with windows, made by ``step(x, size, every)``: its output, loss, gradients and their gradients."""
    x, w, a = ag.input("x", (2,), over=(t, b)), ag.param("w", (size,)), ag.param("a", (2, 2))
    h = ag.state("h", (2,), over=(t, b))

    def mixed(value: ag.Node) -> ag.Node:
        return ag.einsum("k,ki->i", w, step(value, size, every))

    if kind == "no loop":
        y = mixed(ag.tanh(mixed(x) @ a))
    elif kind == "in a loop":
        h[t] = ag.tanh(mixed(h[t - 1]) @ a + x[t])
        y = h * 1.0
    else:
        h[t] = ag.tanh(h[t - 2] @ a + mixed(x[t - 1]))
        y = mixed(h)
    loss = ag.sum(ag.sum(y * y), over=(t, b))
    slopes = ag.grad(loss, [x, w, a])
    again = ag.grad(ag.sum(slopes[1] ** 2) + ag.sum(slopes[2] ** 2), [w, a])
    feeds = {"x": RNG.normal(size=(7, 2, 2)), "w": RNG.normal(size=size) / size, "a": RNG.normal(size=(2, 2)) / 2}
    return [y, loss, *slopes, *again], feeds


def shifts(x: ag.Node, size: int, every: int) -> ag.Node:
    return ag.stack([ag.shift(x, t, every * k) for k in range(size - 1, -1, -1)])


@pytest.mark.parametrize("kind", ["no loop", "in a loop", "of a state"])
@pytest.mark.parametrize(("size", "every"), [(3, 1), (5, 2), (11, 1)])
def test_a_window_is_its_shifts_in_every_runner(kind: str, size: int, every: int, in_python: None):
    """Values, gradients and their gradients; all at once, in pieces, a step at a time, with lengths, for one sequence."""
    (outputs, feeds), made = weighted(kind, size, every, lambda x, n, k: ag.window(x, t, n, every=k)), np.random.default_rng(3)
    spelled = ag.Graph(weighted(kind, size, every, shifts)[0])
    want, one = spelled.evaluate(**feeds), {**feeds, "x": feeds["x"][:, :1]}
    padded = {**feeds, "x": np.where(np.arange(7)[:, None, None] < np.array([7, 3])[:, None], feeds["x"], np.nan)}
    cases = [(feeds, want), *((given, spelled.evaluate(**given)) for given in (one, {**padded, "lengths": {t: [7, 3]}}))]
    for run in (ag.Graph(outputs).evaluate, *(ag.compile(outputs, backend=name) for name in ("numpy", "numba"))):
        for given, right in cases:
            for got, expected in zip(run(**given), right, strict=True):
                assert np.allclose(got, expected, rtol=1e-9, atol=1e-11), (kind, size, every)
    program, step, carry, left, parts, said = ag.compile(outputs[0], carry=t), ag.stream(outputs[0], over=t), None, None, [], []
    for piece in np.split(feeds["x"], sorted(made.choice(range(1, 7), 2, replace=False))):
        (part,), carry = program(carry=carry, **{**feeds, "x": piece})
        parts.append(part)
    for row in feeds["x"]:
        (value,), left = step(left, **{**feeds, "x": row})
        said.append(np.array(value))
    assert np.allclose(np.concatenate(parts), want[0], rtol=1e-12) and np.allclose(said, want[0], rtol=1e-12)
    assert np.allclose(ag.Graph(outputs[1]).unroll(t=7, b=2).grad(["w", "a"]).evaluate(**feeds)[0], want[3], rtol=1e-9)


def test_a_long_window_is_one_operation():
    x = ag.input("x", over=t)
    recent = ag.window(x, t, 256)
    assert len(ag.Graph(recent)) == 2
    loss = ag.sum(ag.dot(ag.param("w", (256,)), recent) ** 2, over=t)
    graph = ag.Graph(loss, ag.grad(loss, x))
    assert sum(n.op.name in ("window", "overlap") for n in graph.nodes) == 2 and len(graph) < 25
    program = ag.compile(graph, backend="numpy")
    assert len(program.plan.graph) < 120, "the program grows with the logarithm of the window"
    values, weights = RNG.normal(size=300), RNG.normal(size=256)
    want = np.convolve(values, weights[::-1])[:300]
    (total, slope) = program(x=values, w=weights)
    assert total == pytest.approx(np.sum(want**2)) and np.allclose(slope, 2 * np.convolve(want, weights)[255:555])
    b = ag.Axis("b")
    batched = ag.compile(ag.vmap(recent, over=b))(x=np.stack([values, -values]))[0]
    assert np.array_equal(batched[0], -batched[1]) and np.array_equal(batched[0], ag.compile(recent)(x=values)[0])


def test_windows_are_carried_on_and_padded():
    x = ag.input("x", over=(t, b))
    recent, values = ag.window(x, t, 3), RNG.normal(size=(6, 2))
    (whole,) = both(recent, x=values)
    program, carry, parts = ag.compile(recent, carry=True), None, []
    for piece in np.split(values, [1, 2, 5]):
        (part,), carry = program(x=piece, carry=carry)
        parts.append(part)
    assert np.array_equal(np.concatenate(parts), whole)
    (ragged,) = both(recent, x=np.where(np.arange(6)[:, None] < [6, 2], values, np.nan), lengths={t: [6, 2]})
    assert np.array_equal(ragged[:, 0], whole[:, 0]) and np.array_equal(ragged[:2, 1], whole[:2, 1]) and not ragged[2:, 1].any()


# -- running values ---------------------------------------------------------------------------------------------------------


def test_running_sums_and_maxima():
    x, k, m = ag.input("x", (2,), over=(t, b)), ag.input("k", over=t, dtype=int), ag.input("m", over=t, dtype=bool)
    values, whole, truth = RNG.normal(size=(6, 3, 2)), RNG.integers(-5, 5, 6), RNG.random(6) > 0.5
    outputs = [ag.cumsum(x, over=t), ag.cummax(x, over=t), ag.cumsum(k, over=t), ag.cummax(k, over=t), ag.cumsum(m, over=t),
               ag.cumsum(x, axis=0), ag.cumsum(x, over=b)]  # fmt: skip
    got = both(outputs, x=values, k=whole, m=truth)
    want = [np.cumsum(values, 0), np.maximum.accumulate(values, 0), np.cumsum(whole), np.maximum.accumulate(whole),
            np.cumsum(truth), np.cumsum(values, -1), np.cumsum(values, 1)]  # fmt: skip
    for a, w in zip(got, want, strict=True):
        assert a.shape == w.shape and np.allclose(a, w)


def test_gradients_of_running_values():
    x = ag.input("x", over=t)
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    w = ag.input("w", over=t)
    total, most = ag.sum(ag.cumsum(x, over=t) * w, over=t), ag.sum(ag.cummax(x, over=t) * w, over=t)
    assert both(ag.grad(total, x), w=weights)[0].tolist() == [1111.0, 1110.0, 1100.0, 1000.0]
    assert both(ag.grad(most, x), x=[1.0, 3.0, 2.0, 4.0], w=weights)[0].tolist() == [1.0, 110.0, 0.0, 1000.0]


def test_running_values_go_on_from_call_to_call():
    x = ag.input("x", over=t)
    outputs = [ag.cumsum(x, over=t).named("sum"), ag.cummax(x, over=t).named("max")]
    program, carry = ag.compile(outputs, carry=True), None
    parts = []
    for piece in ([1.0, 5.0], [2.0], [3.0, 7.0]):
        values, carry = program(x=piece, carry=carry)
        parts.append([v.tolist() for v in values])
    assert parts == [[[1, 6], [1, 5]], [[8], [5]], [[11, 18], [5, 7]]]


# -- clocks -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("every", "phase"), [(1, 0), (2, 1), (3, 0), (7, 5)])
def test_a_clock_ticks(every: int, phase: int, dtype: str):
    program = ag.compile(ag.ticks(t, every, phase=phase), dtype=dtype)
    n = 100_000
    assert np.array_equal(program(t=n)[0], np.arange(n) % every == phase)


def test_a_slower_clock_ticks_exactly_for_millions_of_steps():
    x = ag.input("x", over=t, dtype=int)
    steps = np.concatenate([np.arange(2**22 - 50, 2**22), [0, 1, 2, 3]])
    rest = x - 7 * ag.cast((2 * x + 1) / 14, int)
    assert np.array_equal(ag.compile(rest, dtype="float32")(x=steps)[0], steps % 7)


def test_a_clockwork_state_moves_at_its_own_steps():
    """Two modules of a clockwork network, the slow one moving every third step; gradient and pieces as for any state."""
    x, fast, slow = ag.input("x", over=t), ag.state("fast", over=t), ag.state("slow", over=t, every=3, init=0.5)
    w = ag.param("w")
    slow[t] = ag.tanh(w * slow[t - 1] + x[t])
    fast[t] = ag.tanh(0.5 * fast[t - 1] + slow[t] + x[t])
    loss = ag.sum(fast * fast, over=t)
    values = RNG.normal(size=8)
    f, s, dw = both([fast, slow, ag.grad(loss, w)], x=values, w=0.8)
    now, quick, want = 0.5, 0.0, []
    for i, v in enumerate(values):
        now = np.tanh(0.8 * now + v) if i % 3 == 0 else now
        quick = np.tanh(0.5 * quick + now + v)
        want.append((quick, now))
    assert np.allclose(np.stack([f, s], 1), want, rtol=1e-14)
    assert ag.check_grad(loss, w, {"x": values, "w": 0.8})
    assert np.isfinite(dw)
    program, carry, parts = ag.compile([fast, slow], carry=True), None, []
    for piece in np.split(values, [2, 3, 7]):
        got, carry = program(x=piece, w=0.8, carry=carry)
        parts.append(np.stack(got, 1))
    assert np.allclose(np.concatenate(parts), want, rtol=1e-14)


def test_a_clock_for_each_axis():
    g = ag.state("g", over=(t, u), every={u: 2})
    g[t, u] = g[t, u - 1] + 1.0 + ag.index(t)
    assert ag.compile(g)(t=2, u=5)[0].tolist() == [[1, 1, 2, 2, 3], [2, 2, 4, 4, 6]]


# -- attention --------------------------------------------------------------------------------------------------------------


def attention(width: int | None = None) -> ag.Node:
    """Causal self-attention, or with a window, in three lines."""
    q, k, v = (ag.input(name, (4,), over=(t, b)) for name in "qkv")
    seen = ag.index(u) <= ag.index(t)
    seen = seen if width is None else seen & (ag.index(t) - ag.index(u) < width)
    score = ag.where(seen, ag.dot(q[t], k.along(t, u)) / 2.0, -np.inf)
    return ag.sum(ag.softmax(score, over=u) * v.along(t, u), over=u)


@pytest.mark.parametrize("width", [None, 1, 3])
def test_causal_self_attention_is_scheduled_with_no_loop(width: int | None):
    y = attention(width)
    loss = ag.sum(ag.sum(y * y), over=(t, b))
    feeds = {name: RNG.normal(size=(6, 2, 4)) for name in "qkv"}
    got = both([y, *ag.grad(loss, [ag.Graph(loss)[name] for name in "qkv"])], **feeds)[0]
    for i in range(6):
        low = 0 if width is None else max(0, i - width + 1)
        score = np.einsum("bd,tbd->tb", feeds["q"][i], feeds["k"][low : i + 1]) / 2
        weights = np.exp(score - score.max(0))
        assert np.allclose(got[i], np.einsum("tb,tbd->bd", weights / weights.sum(0), feeds["v"][low : i + 1]))
    program = ag.value_and_grad(loss, list("qkv"))
    assert not re.search(r"^\s*for ", str(program.schedule), re.MULTILINE)


def test_the_cost_of_attention_tells_its_largest_temporary():
    """Values at each pair of steps: the bytes predicted grow with T², and are those that a first call takes."""
    program, feeds = ag.compile(attention()), {name: RNG.normal(size=(400, 2, 4)) for name in "qkv"}
    program(**{name: value[:3] for name, value in feeds.items()})
    small, large = (program.cost(t=n, u=n, b=2).bytes for n in (200, 400))
    assert large >= 8 * 400 * 400 * 2 and 3.5 < large / small <= 4.1
    gc.collect()
    tracemalloc.start()
    try:
        program(**feeds)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert large == pytest.approx(peak, rel=0.1)


def test_ragged_self_attention_sees_no_padding():
    y = attention()
    feeds = {name: RNG.normal(size=(5, 2, 4)) for name in "qkv"}
    alone = [ag.compile(y)(**{name: value[:n, i : i + 1] for name, value in feeds.items()})[0] for i, n in enumerate([5, 3])]
    for value in feeds.values():
        value[3:, 1] = np.nan
    (got,) = both(y, lengths={t: [5, 3]}, **feeds)
    assert np.allclose(got[:, :1], alone[0]) and np.allclose(got[:3, 1:], alone[1]) and not got[3:, 1].any()
