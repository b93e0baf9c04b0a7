"""Streams: one step at a time is all steps at once."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")


def steps(value: np.ndarray, axes: tuple[ag.Axis, ...], axis: ag.Axis, i: int) -> np.ndarray:
    return value[(slice(None),) * axes.index(axis) + (i,)] if axis in axes else value


@pytest.mark.parametrize("seed", range(0, 120, 3))
def test_a_step_at_a_time_is_all_at_once(seed, sequences):
    case = sequences(seed, causal=True)
    outputs = [v for v in [*case.states, *case.pool] if case.t in v.axes]
    graph = ag.Graph(outputs)
    feeds = case.fed(graph)
    want = graph.evaluate(**feeds)
    step, carry, found = ag.stream(outputs, over=case.t), None, []
    axes = {name: node.axes for name, node in graph.inputs.items()}
    for i in range(case.sizes["t"]):
        values, carry = step(carry, **{name: steps(value, axes[name], case.t, i) for name, value in feeds.items()})
        found.append(values)
    for k, (node, whole) in enumerate(zip(graph.outputs, want, strict=True)):
        got = np.stack([values[k] for values in found], graph.layout(node).index(case.t))
        assert got.dtype == whole.dtype and np.allclose(got, whole, rtol=1e-12, atol=1e-12), (seed, node)


def test_a_model_reads_what_it_has_said():
    """Sampling: the output of a step is the input of the next, for a batch of two."""
    x, W, h = ag.input("x", (2,), over=(t, b)), ag.param("W", (2, 2)), ag.state("h", (2,), over=(t, b))
    h[t] = ag.tanh(W @ h[t - 1] + x[t])
    step, carry = ag.stream(h * 2.0), None
    feed, W0, said = np.ones((2, 2)), np.array([[0.5, -0.3], [0.2, 0.7]]), []
    for _ in range(5):
        feed, carry = step(carry, x=feed, W=W0)
        said.append(feed)
    state, feed = np.zeros((2, 2)), np.ones((2, 2))
    for value in said:
        state = np.tanh(state @ W0.T + feed)
        feed = 2.0 * state
        assert np.allclose(value, feed, rtol=1e-14)
    assert carry.steps == 5 and repr(step).startswith("<Stream of")


def test_a_stream_without_feeds_counts():
    s = ag.state("s", over=t)
    s[t] = s[t - 1] + ag.index(t)
    step, carry, got = ag.stream([s, ag.sum(s, over=t)]), None, []
    for _ in range(4):
        (value, total), carry = step(carry)
        got.append((float(value), float(total)))
    assert got == [(0, 0), (1, 1), (3, 3), (6, 6)]


def test_what_a_step_returns_later_steps_leave_alone():
    x, s = ag.input("x", (2,), over=t), ag.state("s", (2,), over=t)
    s[t] = s[t - 1] + x[t]
    step = ag.stream(s)
    first, carry = step(None, x=np.ones(2))
    kept = carry["s"].copy()
    second, _ = step(carry, x=np.ones(2))
    assert first.tolist() == [1, 1] and second.tolist() == [2, 2] and np.array_equal(carry["s"], kept)


def test_misuse_is_refused():
    x, s = ag.input("x", (2,), over=(t, b)), ag.state("s", (2,), over=(t, b))
    s[t] = s[t - 1] + x[t]
    step = ag.stream(s)
    with pytest.raises(ag.FeedError) as caught:
        step(None, x=np.zeros((5, 3, 2)))
    assert caught.value.code == "F202"
    for word in ("one step of x at a time", "(b, 2) float, without t", "got (5, 3, 2)", "for step in x"):
        assert word in str(caught.value)
    with pytest.raises(ag.CarryError, match="K107"):
        step(np.zeros(2), x=np.zeros((3, 2)))
    with pytest.raises(ag.CarryError, match="K104"):
        ag.stream(s[t + 1] * 1)
    with pytest.raises(ag.FeedError, match="F103"):
        step(None)


def test_a_step_allocates_no_arrays_once_it_runs():
    """Each array here has 256 kB; what a step allocates is views and a few Python objects."""
    x, W, s = ag.input("x", (512,), over=(t, b)), ag.param("W", (512, 512)), ag.state("s", (512,), over=(t, b), init=None)
    s[t] = ag.tanh(W @ s[t - 1] + 0.5 * s[t - 3] + x[t])
    step, carry = ag.stream([s, 2.0 * s]), None
    feeds = {"x": np.ones((64, 512)), "W": np.zeros((512, 512))}
    for _ in range(4):
        y, carry = step(carry, **feeds)
    tracemalloc.start()
    for _ in range(5):
        y, carry = step(carry, **feeds)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 512 * 8 / 10, peak
    assert np.array_equal(y[1], 2 * y[0])


def test_what_is_held_is_never_written_to():
    """All values and carries of many steps, views of them alone, and steps from an old carry on."""
    x, s = ag.input("x", (2,), over=t), ag.state("s", (2,), over=t)
    s[t] = s[t - 2] + x[t]
    step, carry = ag.stream([s, s * s]), None
    held, carries = [], []
    for i in range(30):
        (y, z), carry = step(carry, x=np.full(2, float(i)))
        held.append((y[:1], z) if i % 3 else (y, z[1:]))
        carries.append(carry)
    whole = ag.compile([s, s * s])(x=np.repeat(np.arange(30.0)[:, None], 2, 1))
    for i, (y, z) in enumerate(held):
        assert set(y) == set(whole[0][i]) and set(z) == set(whole[1][i]), i
        assert np.array_equal(carries[i]["s"][-1], whole[0][i])
    (again, _), _ = step(carries[10], x=np.full(2, 11.0))
    assert np.array_equal(again, whole[0][11]) and np.array_equal(carries[10]["s"][-1], whole[0][10])


def test_several_threads_step_one_stream():
    x, s = ag.input("x", (3,), over=t), ag.state("s", (3,), over=t)
    s[t] = 0.5 * s[t - 1] + x[t]
    step = ag.stream(s)

    def run(start):
        carry, feed = None, np.full(3, start)
        for _ in range(300):
            y, carry = step(carry, x=feed)
        return y

    with ThreadPoolExecutor(8) as pool:
        for start, y in zip(range(16), pool.map(run, np.arange(16.0)), strict=True):
            assert np.allclose(y, 2.0 * start, rtol=1e-12), start
