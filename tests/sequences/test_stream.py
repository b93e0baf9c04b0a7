"""Streams: one step at a time is all steps at once."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from random_sequences import Sequences

import autograd_seq as ag
from autograd_seq.sequences.step import make_one_step

_Frame = import_module("autograd_seq.run.stream_arrays").StepArrays

t, b, u = ag.Axis("t"), ag.Axis("b"), ag.Axis("u")


def steps(value: np.ndarray, axes: tuple[ag.Axis, ...], axis: ag.Axis, i: int) -> np.ndarray:
    return value[(slice(None),) * axes.index(axis) + (i,)] if axis in axes else value


@pytest.mark.parametrize("seed", range(0, 120, 3))
def test_a_step_at_a_time_is_all_at_once(seed):
    case = Sequences(seed, causal=True)
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
        (feed,), carry = step(carry, x=feed, W=W0)
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
    (first,), carry = step(None, x=np.ones(2))
    kept = carry["s"].copy()
    (second,), _ = step(carry, x=np.ones(2))
    assert first.tolist() == [1, 1] and second.tolist() == [2, 2] and np.array_equal(carry["s"], kept)


@pytest.mark.parametrize("seed", range(1, 240, 4))
def test_the_graph_of_one_step_is_a_sequence_of_one(seed):
    """Gradients, reductions over steps and reads ahead too: the graph without the axis, and the unrolled graph over it."""
    case = Sequences(seed, causal=seed % 2 == 0)
    graph = ag.Graph(case.nodes)
    try:
        step = ag.Graph(make_one_step(graph, case.t))
    except ag.AxisError as error:
        assert error.code == "A207"  # it picks a step that one does not have
        return
    sizes = {**case.sizes, "t": 1}
    feeds = case.fed(graph, sizes)
    fed = {name: steps(value, graph.inputs[name].axes, case.t, 0) for name, value in feeds.items() if name in step.inputs}
    others = {name: n for name, n in graph.sizes(feeds).items() if name in map(str, step.axes)}
    for old, new, want, got in zip(graph.outputs, step.outputs, graph.evaluate(**feeds),
                                   step.unroll(**others).evaluate(**fed), strict=True):  # fmt: skip
        left = [a for a in graph.layout(old) if a in new.axes]
        have = step.layout(new)
        got = got.transpose(*[have.index(a) for a in left], *range(len(have), got.ndim))
        gone = tuple(i for i, a in enumerate(graph.layout(old)) if a not in new.axes)
        assert case.t not in new.axes and np.allclose(got, want.squeeze(gone), rtol=1e-12, atol=1e-12), (seed, old)


# -- what is used again ------------------------------------------------------------------------------------------------------


def cell(n: int, kind: str) -> tuple[Any, dict[str, Any]]:
    """A net with its parameters; the state of the first kind is read two steps late as well."""
    x = ag.input("x", (n,), over=(t, b))
    if kind == "rnn":
        h = ag.state("h", (n,), over=(t, b))
        h[t] = ag.tanh(ag.param("W", (n, n)) @ h[t - 1] + 0.5 * h[t - 2] + x[t])
    else:
        h = ag.nn.lstm(x, n, over=t)[0] if kind == "lstm" else ag.nn.gru(x, n, over=t)
    y = ag.param("V", (3, n)) @ h[t]
    rng = np.random.default_rng(n)
    return y, {name: rng.normal(size=p.shape) / np.sqrt(n) for name, p in ag.Graph(y).inputs.items() if name != "x"}


def language_model(n: int) -> tuple[list[ag.Node], dict[str, Any]]:
    """Rows of a table, a layer that is normed, dropout, probabilities, and the surprise at what is said."""
    word = ag.input("word", over=(t, b), dtype=int)
    h = ag.state("h", (n,), over=(t, b))
    a = ag.take(ag.param("E", (7, n)), word[t]) + ag.param("W", (n, n)) @ h[t - 1]
    a = a - ag.mean(a, axis=-1, keepdims=True)
    kept = ag.bernoulli("kept", 0.9, (n,), over=t)
    h[t] = ag.tanh(kept * a / ag.sqrt(0.1 + ag.mean(a * a, axis=-1, keepdims=True)))
    y = ag.softmax(ag.param("V", (n, n)) @ h[t])
    return [ag.max(y, axis=-1), ag.nll(y, word[t] + 1)], {name: (7 if name == "E" else n, n) for name in "EWV"}


def attention(n: int) -> tuple[list[ag.Node], dict[str, Any]]:
    """Weights over what is kept, by products, and what they add up to; all sequences add up to one more."""
    kept, h = ag.input("kept", (n,), over=(u, b)), ag.state("h", (n,), over=(t, b))
    weights = ag.softmax(ag.dot(kept, ag.param("W", (n, n)) @ h[t - 1]), over=u)
    h[t] = ag.tanh(ag.sum(weights * kept, over=u) + ag.input("x", (n,), over=(t, b)) + ag.max(h[t - 1], over=b))
    return [h, ag.sum(h[t], over=b)], {"W": (n, n)}


STEADY = ["rnn", "lstm", "gru", language_model, attention]


@pytest.mark.parametrize("kind", STEADY, ids=lambda k: getattr(k, "__name__", k))
def test_the_steady_state_allocates_no_array(kind):
    """No block of NumPy's is new after many steps, and none is even for the time of a step: a row has 1 MB."""
    n, size, rng = 32, 4096, np.random.default_rng(0)
    feeds: dict[str, Any] = {"x": np.ones((size, n))}
    if isinstance(kind, str):
        y, weights = cell(n, kind)
    else:
        y, shapes = kind(n)
        weights = {name: rng.normal(size=shape) / 6 for name, shape in shapes.items()}
        feeds = {"word": rng.integers(0, 7, size)} if kind is language_model else feeds
        weights |= {"kept": rng.normal(size=(2, size, n))} if kind is attention else {}
    step = ag.stream(y, over=t).bind(**weights)
    y, carry = step(**feeds)

    def run(count: int) -> None:
        nonlocal y, carry
        for _ in range(count):
            y, carry = step(carry, **feeds)

    run(4)
    gc.collect()
    tracemalloc.start()
    try:
        run(10)
        before, (held, _) = tracemalloc.take_snapshot(), tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        run(50)
        peak = tracemalloc.get_traced_memory()[1] - held
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    arrays = [tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)]
    new = [d for d in after.filter_traces(arrays).compare_to(before.filter_traces(arrays), "lineno") if d.count_diff > 0]
    assert not new and peak < 4 * size * n, (new, peak)


def test_a_feed_of_another_sort_is_converted_even_if_its_shape_is_known():
    x, s = ag.input("x", (2,), over=t), ag.state("s", over=t)
    s[t] = s[t - 1] + ag.sum(x[t])
    step, carry, said = ag.stream(s), None, []
    feed = np.array([1.0, 2.0])
    for x_t in (feed, feed, feed.astype(">f8"), feed):
        (value,), carry = step(carry, x=x_t)
        said.append(float(value))
    assert said == [3, 6, 9, 12]
    with pytest.raises(ag.DTypeError, match="D105"):
        step(carry, x=np.ma.masked_array(feed, mask=[True, False]))


def test_streams_may_be_interleaved_and_branch():
    """Several carries in flight through one stepper, as in a search: each goes on from what it is, not from the last step."""
    y, weights = cell(3, "rnn")
    step, rng = ag.stream(y).bind(**weights), np.random.default_rng(0)
    tree: list[tuple[list[Any], Any]] = [([], None)]
    for _ in range(120):
        path, carry = tree[rng.integers(len(tree))]
        x = rng.normal(size=(2, 3))
        _, after = step(carry, x=x)
        tree.append(([*path, x], after))
        if len(tree) > 12:
            tree.pop(int(rng.integers(1, len(tree))))
    assert max(len(path) for path, _ in tree) > 6
    for path, carry in tree[1:]:
        (got,), _ = step(carry, x=np.ones((2, 3)))
        want = ag.compile(y)(x=np.array([*path, np.ones((2, 3))]), **weights)[0][-1]
        assert np.allclose(got, want, rtol=1e-12, atol=1e-12)


def test_what_is_held_stays_outputs_rows_and_views_of_them():
    y, weights = cell(3, "rnn")
    step, xs = ag.stream([y, y * 2.0]).bind(**weights), np.random.default_rng(1).normal(size=(30, 2, 3))
    kept, copies, carry = [], [], None
    for i, x in enumerate(xs):
        outs, carry = step(carry, x=x)
        held = [outs, outs[1][0], carry["h"], carry["h"][1, :, 0], memoryview(outs[0])][i % 5]
        kept.append(held)
        copies.append(copy.deepcopy(np.asarray(held)))
    assert all(np.array_equal(a, c) for a, c in zip(kept, copies, strict=True))


def test_the_tests_above_notice_what_is_used_again_too_early(monkeypatch):
    monkeypatch.setattr(_Frame, "is_free", lambda self: True)
    with pytest.raises(AssertionError):
        test_what_is_held_stays_outputs_rows_and_views_of_them()


def test_the_rows_of_two_steps_are_used_in_turn():
    y, weights = cell(3, "gru")
    step, x = ag.stream(y).bind(**weights), np.ones((2, 3))
    y, carry = step(x=x)
    places = []
    for _ in range(8):
        (y,), carry = step(carry, x=x)
        places.append((y.ctypes.data, carry["h"].ctypes.data))
    assert len(set(places[2:])) == 2 and places[2::2] == places[2:3] * 3


def test_a_carry_may_come_from_elsewhere_and_go_anywhere():
    y, weights = cell(3, "rnn")
    xs = np.random.default_rng(2).normal(size=(6, 2, 3))
    want = ag.compile(y)(x=xs, **weights)[0]
    program, step = ag.compile(y, carry=True), ag.stream(y).bind(**weights)
    _, carry = program(x=xs[:2], **weights)
    (got,), carry = step(carry, x=xs[2])
    assert np.allclose(got, want[2], rtol=1e-13)
    for changed in (pickle.loads(pickle.dumps(carry)), copy.copy(carry), copy.deepcopy(carry), carry):
        (got,), after = step(changed, x=xs[3])
        assert np.allclose(got, want[3], rtol=1e-13) and after.steps == 4
        assert type(changed) is not type(after) or changed is carry
    (rest,), carry = program(x=xs[4:], carry=after, **weights)
    assert np.allclose(rest, want[4:], rtol=1e-13) and carry.steps == 6


def test_feeds_may_change_their_width_their_batch_and_their_names():
    """A step that was found to fit says nothing about the next one."""
    y, weights = cell(3, "rnn")
    step, rng = ag.stream(y), np.random.default_rng(3)
    singles = {name: value.astype(np.float32) for name, value in weights.items()}
    carries: dict[Any, Any] = {}
    for _ in range(40):
        size, width = int(rng.integers(1, 4)), [np.float32, np.float64][rng.integers(2)]
        xs, carry = carries.get((size, width), ([], None))
        xs = [*xs, rng.normal(size=(size, 3)).astype(width)]
        fed = {"x": xs[-1] if rng.random() < 0.7 else xs[-1].tolist(), **(singles if width is np.float32 else weights)}
        listed = type(fed["x"]) is list
        (got,), after = step(carry, **{name: fed[name] for name in rng.permutation([*fed])})
        want = ag.compile(y)(x=np.array(xs), **weights)[0][-1]
        assert got.dtype == (np.float64 if listed else width) and np.allclose(got, want, rtol=1e-4, atol=1e-4)
        carries[size, width] = xs, (None if listed and width is np.float32 else after)
        if carries[size, width][1] is None:
            del carries[size, width]
    _, carry = step(None, x=np.ones((2, 3)), **weights)
    for _ in range(3):
        _, carry = step(carry, x=np.ones((2, 3)), **weights)
    with pytest.raises(ag.FeedError, match="F102"):
        step(carry, x=np.ones((2, 3)), **weights, z=1)
    with pytest.raises(ag.FeedError, match="F103"):
        step(carry, x=np.ones((2, 3)), V=weights["V"])
    with pytest.raises(ag.CarryError, match=r"K110(.|\n)*b=4, as x has, got b=2"):
        step(carry, x=np.ones((4, 3)), **weights)
    with pytest.raises(ag.FeedError, match="F105"):
        step(carry, x=np.ones((2, 4)), **weights)


def test_an_index_out_of_range_is_refused_at_every_step():
    label, s = ag.input("label", over=t, dtype=int), ag.state("s", (2,), over=t)
    s[t] = 0.5 * s[t - 1] + ag.take(ag.tensor([[1.0, 0.0], [0.0, 1.0]]), label)
    step, carry = ag.stream(s), None
    for _ in range(4):
        _, carry = step(carry, label=np.array(1))
    with pytest.raises(ag.FeedError, match="F201"):
        step(carry, label=np.array(2))
    assert step(carry, label=np.array(0))[0][0].tolist() == [1.0, 0.9375]


def test_several_threads_step_one_stream():
    x, s = ag.input("x", (3,), over=t), ag.state("s", (3,), over=t)
    s[t] = 0.5 * s[t - 1] + x[t]
    step = ag.stream(s)

    def run(start: float) -> np.ndarray:
        carry, feed = None, np.full(3, start)
        for _ in range(300):
            (y,), carry = step(carry, x=feed)
        return y

    with ThreadPoolExecutor(8) as pool:
        for start, y in zip(range(16), pool.map(run, np.arange(16.0)), strict=True):
            assert np.allclose(y, 2.0 * start, rtol=1e-12), start


def test_what_depends_on_bound_feeds_alone_is_computed_once():
    """A function of a parameter is computed when that is bound, and changed by nobody after that."""
    y, weights = cell(4, "lstm")
    y, weights["scale"] = ag.sin(ag.param("scale")) * y, np.array(0.3)
    plain, step = ag.stream(y), ag.stream(y).bind(**weights)
    assert not any("concatenate(" in s.stepped.source for s in (plain, step)), "no step copies parameters"
    assert "sin(" in plain.stepped.source and "sin(" not in step.stepped.source
    xs = np.random.default_rng(4).normal(size=(5, 2, 4))
    want = ag.compile(y)(x=xs, **weights)[0]
    for value in weights.values():
        value += 1.0  # bound feeds are copies
    carry = None
    for i, x in enumerate(xs):
        (got,), carry = step(carry, x=x)
        assert np.allclose(got, want[i], rtol=1e-12, atol=1e-12)
    doubled = step.bind(V=2.0 * (weights["V"] - 1.0))
    assert np.allclose(doubled(carry, x=x)[0][0], 2.0 * step(carry, x=x)[0][0], rtol=1e-12)


@pytest.mark.parametrize("seed", range(0, 120, 8))
def test_bound_feeds_change_nothing(seed):
    """Some of what random programs are fed is bound, in either width."""
    case = Sequences(seed, causal=True)
    outputs = [v for v in [*case.states, *case.pool] if case.t in v.axes]
    graph, rng = ag.Graph(outputs), np.random.default_rng(seed)
    feeds = case.fed(graph)
    same = {name: value for name, value in feeds.items() if case.t not in graph.inputs[name].axes and rng.random() < 0.7}
    want, carry = graph.evaluate(**feeds), None
    step = ag.stream(outputs, over=case.t).bind(**same)
    for i in range(case.sizes["t"]):
        rest = {name: steps(v, graph.inputs[name].axes, case.t, i) for name, v in feeds.items() if name not in same}
        values, carry = step(carry, **rest)
        for node, whole, got in zip(graph.outputs, want, values, strict=True):
            assert np.allclose(got, steps(whole, graph.layout(node), case.t, i), rtol=1e-12, atol=1e-12), (seed, node)


def test_rows_of_a_loop_within_a_step_that_a_gradient_does_not_read():
    x, w, v = ag.input("x", over=(t, u)), ag.param("w"), ag.state("v", over=(t, u), init={u: [3.0, 5.0]})
    v[t, u] = x[t, u]
    loss = ag.sum(w * v[t, u - 1] + 2.0 * v[t, u - 2], over=(t, u))
    assert ag.stream(ag.grad(loss, w), over=t)(x=np.array([7.0, 9.0]))[0][0] == 5.0 + 7.0


@pytest.mark.parametrize("width", [np.float32, np.float64, np.longdouble])
def test_a_native_step(width: Any, numba_cache):
    """Compiled; there is no native code for long doubles, and NumPy stands in."""
    x, h = ag.input("x", (3,), over=t), ag.state("h", (3,), over=t)
    h[t] = ag.tanh(0.5 * h[t - 1] + 0.25 * h[t - 2] + x[t])
    xs = np.linspace(-1, 1, 15).reshape(5, 3).astype(width)
    step, carry, got = ag.stream([h, 2.0 * h], backend="numba"), None, []
    for row in xs:
        outs, carry = step(carry, x=row)
        got.append(outs)
    assert step.stepped.program.backend == "numba" and got[0][0].dtype == width
    want = ag.Graph(h).evaluate(x=xs)[0]
    assert np.allclose(np.stack([a for a, _ in got]), want, rtol=1e-6) and np.array_equal(got[2][1], 2 * got[2][0])


def test_misuse_is_refused():
    x, s = ag.input("x", (2,), over=(t, b)), ag.state("s", (2,), over=(t, b))
    s[t] = s[t - 1] + x[t]
    step = ag.stream(s)
    with pytest.raises(ag.FeedError) as caught:
        step(None, x=np.zeros((5, 3, 2)))
    assert caught.value.code == "F202"
    for word in ("x of shape (5, 3, 2) is not one step", "(b, 2) float, without t", "got (5, 3, 2)", "for step in x"):
        assert word in str(caught.value)
    with pytest.raises(ag.CarryError, match="K107"):
        step(np.zeros(2), x=np.zeros((3, 2)))
    _, carry = step(carry=None, x=np.zeros((3, 2)))  # the keyword that programs take
    step(carry=carry, x=np.zeros((3, 2)))
    for before in (None, carry):
        with pytest.raises(ag.FeedError, match="F204"):
            step(before, x=np.zeros((3, 2)), lengths={t: [1, 1, 0]})
    with pytest.raises(ag.CarryError, match="K104"):
        ag.stream(s[t + 1] * 1)
    with pytest.raises(ag.FeedError, match="F103"):
        step(None)


def test_a_seed_that_is_not_fed_is_0_at_every_step():
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    s[t] = s[t - 1] + x[t] * ag.uniform("u", over=t)
    feed = [1.0, 2.0, 3.0, 4.0]
    for seed in ({}, {"seed": 0}, {"seed": 5}):
        step, carry, said = ag.stream(s), None, []
        for x_t in feed:
            (value,), carry = step(carry, x=np.array(x_t), **seed)
            said.append(float(value))
        assert said == ag.Graph(s).evaluate(x=feed, **seed)[0].tolist()


def test_what_is_bound_is_not_fed_again():
    w, x, s = ag.param("w"), ag.input("x", over=t), ag.state("s", over=t)
    s[t] = w * s[t - 1] + x[t] * ag.uniform("u", over=t)
    step = ag.stream(s).bind(w=0.5, seed=1)
    _, carry = step(x=np.array(1.0))
    _, carry = step(carry, x=np.array(1.0))
    for name in ("w", "seed"):
        with pytest.raises(ag.FeedError, match=f"{name} is bound to the stream, and fed again") as caught:
            step(carry, x=np.array(1.0), **{name: np.array(9)})
        assert caught.value.code == "F205"
    (other,), _ = step.bind(w=9.0)(carry, x=np.array(0.0))
    assert float(other) == 9.0 * float(carry["s"][0])


@pytest.mark.parametrize("passes", [None, ("expand", "merge")])
def test_a_native_step_with_bound_weights_and_probabilities(passes: Any, in_python: None) -> None:
    """Of many sequences: what makes fewer NumPy calls of a softmax is not for native code."""
    x, s = ag.input("x", (3,), over=(t, b)), ag.state("s", (3,), over=(t, b))
    s[t] = ag.tanh(ag.param("W", (3, 3)) @ s[t - 1] + x)
    y, rng = ag.softmax(ag.param("V", (5, 3)) @ s), np.random.default_rng(0)
    weights, feed = {"W": rng.normal(size=(3, 3)), "V": rng.normal(size=(5, 3))}, rng.normal(size=(4, 40, 3))
    want, carry = ag.compile(y)(x=feed, **weights)[0], None
    step = ag.stream(y, backend="numba", passes=passes).bind(**weights)
    for i in range(4):
        (got,), carry = step(carry, x=feed[i])
        assert np.allclose(got, want[i], rtol=1e-13)


def test_one_output_is_a_tuple_of_one_however_it_is_run():
    """``(y,) = program(…)``: nothing that runs equations returns another kind of thing for one output than for two."""
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    s[t] = s[t - 1] + x[t]
    step = ag.stream(s)
    (first,), carry = step(x=1.0)
    (second,), _ = step(carry, x=2.0)
    (pieces,), _ = ag.compile(s, carry=True)(x=[1.0, 2.0])
    (whole,), (unrolled,) = ag.compile(s)(x=[1.0, 2.0]), ag.Graph(s).evaluate(x=[1.0, 2.0])
    assert [first, second] == pieces.tolist() == whole.tolist() == unrolled.tolist() == [1.0, 3.0]
