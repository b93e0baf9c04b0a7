"""Streams: one step at a time is all steps at once."""

from __future__ import annotations

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
