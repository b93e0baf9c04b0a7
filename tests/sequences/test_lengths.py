"""Lengths: padded sequences with what is known of them are each sequence alone, without padding, forward and backward.

The oracle is reverse mode through the graph unrolled over a sequence's own length, one sequence after the other. Whatever
the padding holds, NaN and infinities too, no bit of any output changes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from compare import difference
from night import one_in
from padding import check, lengths_of, oracle, padded
from random_sequences import Sequences

import autograd_seq as ag
from autograd_seq.graph.finite import find_finite
from autograd_seq.ops.elementwise import less
from autograd_seq.ops.time import INDEX
from autograd_seq.sequences.masks import Masks
from autograd_seq.sequences.padding import Ragged
from autograd_seq.sequences.selections import Selections

COUNT = 300


@pytest.mark.parametrize("seed", one_in(4, range(COUNT)))
def test_padded_sequences_are_each_alone(seed):
    case, rng = Sequences(seed, causal=False), np.random.default_rng([5, seed])
    graph, lengths = ag.Graph(case.nodes), lengths_of(case, rng)
    clean = case.fed(graph)
    want = oracle(case, clean, lengths)
    program = ag.compile(case.nodes, passes=() if seed % 3 else None)  # most with none: quicker
    first, second = (program(lengths={case.t: lengths}, **padded(graph, clean, case.t, case.b, lengths, rng)) for _ in range(2))
    check(case, first, want, lengths, "compiled")
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"seed {seed}: the padding is seen"


@pytest.mark.parametrize("seed", one_in(2, range(0, COUNT, 5)))
def test_the_unrolled_graph_takes_lengths(seed):
    """Reverse mode through the unrolled graph with lengths, and the unrolled adjoint graph with lengths."""
    case, rng = Sequences(seed, causal=False), np.random.default_rng([5, seed])
    graph, lengths = ag.Graph(case.nodes), lengths_of(case, rng)
    feeds = case.fed(graph)
    want = oracle(case, feeds, lengths)
    dirty = padded(graph, feeds, case.t, case.b, lengths, rng)
    check(case, graph.evaluate(lengths={case.t: lengths}, **dirty), want, lengths, "the adjoint graph, unrolled")
    whole = ag.Graph(case.loss, case.extras, case.wrt)
    fed = {name: value for name, value in dirty.items() if name in whole.inputs}
    dag = whole.unroll(**{name: n for name, n in graph.sizes(dirty).items() if name in map(str, whole.axes)})
    values = dag.grad(case.wrt, with_outputs=True).evaluate(lengths={case.t: lengths}, **fed)
    kept = 1 + len(case.extras)
    got = [values[0], *values[kept + len(case.wrt) :], *values[1:kept]]
    laid = [whole.layout(n) for n in [case.loss, *case.wrt, *case.extras]]
    moved = [v.transpose(*[have.index(a) for a in graph.layout(o)], *range(len(have), v.ndim))
             for v, have, o in zip(got, laid, graph.outputs, strict=True)]  # fmt: skip
    check(case, moved, want, lengths, "reverse mode through the unrolled graph")


# -- by hand --------------------------------------------------------------------------------------------------------------

t, u, b, c = ag.Axis("t"), ag.Axis("u"), ag.Axis("b"), ag.Axis("c")
RNG = np.random.default_rng(3)
NAN = np.nan


def run(node: Any, lengths: Any, **feeds: Any) -> list[Any]:
    """Return the outputs by the compiled program, which are those of the unrolled graph."""
    nodes = node if isinstance(node, list) else [node]
    got = ag.compile(nodes)(lengths=lengths, **feeds)
    for a, w in zip(got, ag.Graph(nodes).evaluate(lengths=lengths, **feeds), strict=True):
        assert difference(a, w) <= 1e-13
    return [a.tolist() for a in got]


def test_reductions_see_real_steps_only():
    x = ag.input("x", over=(t, b))
    ways = [ag.sum, ag.mean, ag.max, ag.min, ag.prod, ag.logsumexp]
    feed = [[1.0, -4.0], [2.0, NAN], [np.inf, NAN]]
    assert run([way(x, over=t) for way in ways[:5]], {t: [2, 1]}, x=feed) == [
        [3.0, -4.0], [1.5, -4.0], [2.0, -4.0], [1.0, -4.0], [2.0, -4.0]]  # fmt: skip
    assert run([ag.last(x, over=t), ag.first(x, over=t), ag.at(x, t, -2, outside="zero"), ag.at(x, t, 1, outside="zero")],
               {t: [2, 1]}, x=feed) == [[2.0, -4.0], [1.0, -4.0], [1.0, 0.0], [2.0, 0.0]]  # fmt: skip
    assert np.allclose(run(ag.logsumexp(x, over=t), {t: [2, 1]}, x=feed)[0], [np.logaddexp(1.0, 2.0), -4.0])
    assert run([x * 1, ag.softmax(0.0 * x, over=t), ag.size(t) * ag.index(b)], {t: [2, 1]}, x=feed) == [
        [[1.0, -4.0], [2.0, 0.0], [0.0, 0.0]], [[0.5, 1.0], [0.5, 0.0], [0.0, 0.0]], [0, 1]]  # fmt: skip


def test_a_mean_over_steps_and_sequences_divides_by_the_real_points():
    x = ag.input("x", over=(t, b))
    feed = [[1.0, 5.0], [3.0, NAN]]
    mean = ag.mean(x, over=(t, b))
    assert run([mean, ag.grad(mean, x), ag.mean(x, over=b), ag.mean(ag.mean(x, over=t), over=b)], {t: [2, 1]}, x=feed) == [
        3.0, [[1 / 3, 1 / 3], [1 / 3, 0.0]], [3.0, 3.0], 3.5]  # fmt: skip


def test_what_varies_over_steps_times_what_varies_over_sequences():
    """No operand alone says which points are padding: the product of both is selected, or each of the two."""
    y, z = ag.input("y", (2,), over=t), ag.input("z", (2,), over=b)
    score = ag.dot(y, z)
    feeds = {"y": [[1.0, 2.0], [3.0, 4.0], [NAN, NAN]], "z": [[1.0, 0.0], [0.0, 10.0]]}
    total = ag.sum(score, over=(t, b))
    assert run([score, total, *ag.grad(total, [y, z])], {(t, b): [1, 2]}, **feeds) == [
        [[1.0, 20.0], [0.0, 40.0], [0.0, 0.0]], 61.0,
        [[1.0, 10.0], [0.0, 10.0], [0.0, 0.0]], [[1.0, 2.0], [4.0, 6.0]]]  # fmt: skip


def test_integers_and_truth_values():
    l, m = ag.input("l", over=(t, b), dtype=int), ag.input("m", over=(t, b), dtype=bool)
    feeds = {"l": [[1, 0], [1, -77]], "m": [[True, True], [False, True]], "E": [[1.0], [2.0]]}
    picked = ag.take(ag.param("E", (2, 1)), l)
    assert run([ag.sum(l, over=t), ag.max(l, over=t), ag.last(l, over=t), ag.sum(m, over=t), ag.last(m, over=t), m,
                ag.sum(picked, over=t)], {t: [2, 1]}, **feeds) == [
        [2, 0], [1, 0], [1, 0], [1, 1], [False, True], [[True, True], [False, False]], [[4.0], [1.0]]]  # fmt: skip


def test_reads_ahead_end_at_the_sequences_own_end():
    x = ag.input("x", over=(t, b))
    r = ag.state("r", over=(t, b), final={t: [10.0, 100.0]})
    r[t] = 0.5 * r[t + 2] + x[t]
    feed = [[1.0, 1.0], [2.0, NAN], [3.0, NAN]]
    assert run([r, x[t + 1] * 1, ag.shift(x, t, -1, final=7.0)], {t: [3, 1]}, x=feed) == [
        [[1 + 0.5 * 53, 51.0], [2 + 0.5 * 10, 0.0], [3 + 0.5 * 100, 0.0]], [[2.0, 0.0], [3.0, 0.0], [0.0, 0.0]],
        [[2.0, 7.0], [3.0, 0.0], [7.0, 0.0]]]  # fmt: skip


def test_log_sum_exp_of_integers():
    k = ag.input("k", over=(t, b), dtype=int)
    (got,) = run(ag.logsumexp(k, over=t), {t: [2, 1]}, k=[[1, 2], [3, 9]])
    assert np.allclose(got, [np.logaddexp(1, 3), 2.0])


def test_one_length_for_all_without_a_batch_and_with_one():
    x, y = ag.input("x", over=t), ag.input("y", over=(t, b))
    assert run([ag.sum(x, over=t), x[t - 1] + x], {t: 2}, x=[1.0, 2.0, NAN]) == [3.0, [1.0, 3.0, 0.0]]
    assert run(ag.sum(y, over=t), {"t": 1}, y=[[1.0, 2.0], [NAN, NAN]]) == [[1.0, 2.0]]
    assert run(ag.sum(x, over=t), {t: 0}, x=[NAN, NAN]) == [0.0]


def test_the_axis_of_the_batch_is_found_or_said():
    x, y = ag.input("x", over=(t, b, c)), ag.input("y", over=(t, b))
    feeds = {"x": np.ones((3, 2, 2)), "y": np.ones((3, 2))}
    total = ag.sum(x + y, over=t)
    assert run(total, {t: [1, 2]}, **feeds) == [[[2.0, 2.0], [4.0, 4.0]]], "the axis that all inputs over t share"
    assert run(ag.sum(x, over=t), {(t, c): [1, 2]}, x=feeds["x"]) == [[[1.0, 2.0], [1.0, 2.0]]]
    assert run(ag.sum(x, over=t), {t: [[0, 1], [2, 3]]}, x=feeds["x"]) == [[[0.0, 1.0], [2.0, 3.0]]]


def encoder_decoder() -> tuple[ag.Node, list[ag.Node], dict[str, Any]]:
    """Additive attention over a source of ragged length, for a target of ragged length."""
    n = 3
    x, y = ag.input("x", (2,), over=(b, t)), ag.input("y", (2,), over=(b, u))
    R, W, C, A, B = (ag.param(name, (n, n)) for name in "RWCAB")
    U, V, v = ag.param("U", (n, 2)), ag.param("V", (2, n)), ag.param("v", (n,))
    h, r = ag.state("h", (n,), over=(b, t)), ag.state("r", (n,), over=(b, t))
    h[t] = ag.tanh(U @ x[t] + R @ h[t - 1])
    r[t] = ag.tanh(U @ x[t] + B @ r[t + 1])
    s = ag.state("s", (n,), over=(b, u), init={u: ag.last(h, over=t)})
    e = v @ ag.tanh(A @ s[u - 1] + B @ r[t])
    context = ag.sum(ag.softmax(e, over=t) * h[t], over=t)
    s[u] = ag.tanh(W @ s[u - 1] + C @ context + 0.1 * ag.sum(y[u - 1]))
    loss = ag.sum(ag.mean(ag.mse(V @ s[u], y[u]), over=u), over=b)
    wrt = [U, R, W, C, V, A, B, v, x]
    feeds = {p.name: RNG.normal(size=p.shape) for p in wrt[:-1]}
    return loss, wrt, {**feeds, "x": RNG.normal(size=(3, 5, 2)), "y": RNG.normal(size=(3, 4, 2))}


def test_source_and_target_each_have_lengths():
    loss, wrt, feeds = encoder_decoder()
    program = ag.compile([loss, *ag.grad(loss, wrt)])
    source, target = [5, 2, 3], [1, 4, 3]
    parts = [program(**{**feeds, "x": feeds["x"][i : i + 1, :n], "y": feeds["y"][i : i + 1, :m]})
             for i, (n, m) in enumerate(zip(source, target, strict=True))]  # fmt: skip
    for i, (n, m) in enumerate(zip(source, target, strict=True)):
        feeds["x"][i, n:], feeds["y"][i, m:] = NAN, np.inf
    got = program(lengths={t: source, u: target}, **feeds)
    for k in range(len(wrt)):
        assert difference(got[k], sum(p[k] for p in parts)) <= 1e-12
    for i, n in enumerate(source):
        assert difference(got[-1][i, :n], parts[i][-1][0]) <= 1e-12 and not got[-1][i, n:].any()


def test_the_second_derivative_is_that_of_each_alone():
    x, w, h = ag.input("x", over=(t, b)), ag.param("w"), ag.state("h", over=(t, b))
    h[t] = ag.tanh(w * h[t - 1] + x[t] * h[t - 2] + x[t])
    loss = ag.sum(ag.mean(h * h, over=t), over=b)
    dw, dx = ag.grad(loss, [w, x])
    square = dw * dw
    outputs = [dw, *ag.grad(square, [w, x]), ag.grad(ag.sum(dx * dx, over=(t, b)), w)]
    values, lengths = RNG.normal(size=(5, 1)), [3]
    alone = ag.compile(outputs)(x=values[:3], w=0.7)
    values[3:] = NAN
    got = ag.compile(outputs)(x=values, w=0.7, lengths={t: lengths})
    for i in (0, 1, 3):
        assert difference(got[i], alone[i]) <= 1e-12
    assert difference(got[2][:3], alone[2]) <= 1e-12 and not got[2][3:].any()


def test_what_comes_to_infinity_in_the_padding_stays_there():
    """Weights that let a state grow without bound: beyond its end a short sequence overflows, and its gradient does not."""
    x, w, h = ag.input("x", over=(t, b)), ag.param("w"), ag.state("h", over=(t, b))
    h[t] = w * h[t - 1] * h[t - 1] + x[t]
    loss = ag.sum(h * ag.cos(h), over=(t, b))
    outputs = [loss, *ag.grad(loss, [w, x]), h]
    values = np.zeros((40, 2))
    values[:3, 0] = 9.0
    got = ag.compile(outputs)(x=values, w=2.0, lengths={t: [3, 40]})
    want = ag.compile(outputs)(x=values[:3, :1], w=2.0)
    assert difference(got[1], want[1]) <= 1e-12 and difference(got[2][:3, :1], want[2]) <= 1e-12
    assert np.isfinite(got[3]).all()


def test_the_width_and_the_interface_stay():
    x, w = ag.input("x", (2,), over=(t, b)), ag.param("w", (2,))
    step = ag.value_and_grad(ag.sum(ag.dot(w, x) ** 2, over=(t, b)))
    feed = np.full((3, 2, 2), NAN, np.float32)
    feed[0] = 1.0
    loss, grads = step(x=feed, w=np.ones(2, np.float32), lengths={t: [1, 1]})
    assert loss.dtype == grads["w"].dtype == np.float32 and float(loss) == 8.0 and grads["w"].tolist() == [8.0, 8.0]


def test_a_forward_recurrence_has_no_mask_in_its_loop():
    x, W, h = ag.input("x", (3,), over=(t, b)), ag.param("W", (3, 3)), ag.state("h", (3,), over=(t, b))
    h[t] = ag.tanh(W @ h[t - 1] + x[t])
    program = ag.compile(ag.sum(ag.sum(h * h), over=(t, b)))
    program(x=np.ones((2, 2, 3)), W=np.eye(3), lengths={t: [1, 2]})
    inner = program.padded[(t, (b,)),]
    loop = [line for line in str(inner.schedule).splitlines() if line.startswith("    ")]
    assert loop and not any("= where(" in line for line in loop)


def test_an_input_may_be_called_lengths():
    x = ag.input("lengths", over=t)
    total = ag.sum(x, over=t)
    assert ag.compile(total)(lengths=[1.0, 2.0])[0] == ag.Graph(total).evaluate(lengths=[1.0, 2.0])[0] == 3.0


# -- misuse ---------------------------------------------------------------------------------------------------------------

MISUSE: list[tuple[str, Any, list[str]]] = [
    ("F301", [2, 1], ["not a dict", "got [2, 1]"]),
    ("F302", {t: [2, -1]}, ["a length of t is -1, which is not a number of steps", "whole numbers ≥ 0, got -1"]),
    ("F302", {t: [2.0, 1.5]}, ["got [2.0, 1.5]"]),
    ("F302", {t: "all"}, ["got 'all'"]),
    ("F303", {t: [2, 1, 1]}, ["the 3 lengths of t are not one for each sequence", "one for each of b=2, got 3"]),
    ("F304", {t: [2, 9]}, ["a length of t is 9, but the padded axis has 3 steps", "at most 3, got 9", "pad the feeds"]),
    ("A303", {ag.Axis("time"): [2, 1]}, ["lengths= names time, over which nothing varies", "one of t, b, w"]),
    ("A303", {"tt": [2, 1]}, ['did you mean "t"?']),
    ("A304", {"w": 2}, ["no input varies over w", "w=…"]),
    ("A305", {(t, t): [2, 1]}, ["the length of t cannot vary over t", "one of b, w"]),
    ("A305", {(t, b, b): [[2], [1]]}, ["the length of t cannot vary over b", "each once"]),
    (
        "A306",
        {t: [[2, 1]]},
        ["cannot tell which axis the length of t varies over", "some of b", "shape (1, 2)", "{(t, b): …}"],
    ),
]


@pytest.mark.parametrize(("code", "lengths", "words"), MISUSE, ids=[f"{c}-{i}" for i, (c, _, _) in enumerate(MISUSE)])
def test_lengths_that_make_no_sense_are_refused(code: str, lengths: Any, words: list[str]):
    w = ag.Axis("w")
    graph = ag.Graph(ag.sum(ag.input("x", over=(t, b)), over=t) + ag.index(w))
    for call in (ag.compile(graph), graph.unroll(t=3, b=2, w=4).evaluate):
        with pytest.raises(ag.AutogradSeqError) as caught:
            call(x=np.ones((3, 2)), lengths=lengths, **({"w": 4} if call.__class__ is ag.Program else {}))
        assert caught.value.code == code, caught.value
        assert all(word in str(caught.value) for word in words), str(caught.value)


def test_lengths_that_may_be_of_two_axes_are_refused_with_the_one_that_fits():
    z = ag.input("z", over=(t, ag.Axis("u"), b))
    step = ag.compile(ag.sum(z, over=z.axes) + ag.sum(ag.input("x", over=t), over=t))
    with pytest.raises(ag.AxisError, match=r"\{\(t, b\): …\}"):
        step(z=np.ones((3, 4, 2)), x=np.ones(3), lengths={t: [2, 1]})


@pytest.mark.parametrize(("code", "make", "words"), [
    ("A207", lambda x: ag.last(x, over=t), ["x has no step -1 in the sequence b=0", "at least 1 steps of t", "got t=0"]),
    ("A207", lambda x: ag.at(x, t, 1), ["x has no step 1", "got t=0"]),
    ("A208", lambda x: ag.max(x, over=t), ["a maximum over no steps", "at least one step of t"]),
    ("A301", lambda x: x[b - 1] * 1, ["x[b - 1] reads x at another point of b, where t has another length"]),
    ("A302", lambda x: ag.size(t) * ag.param("w"), ["would vary over b, because a length does", "reduce over it"]),
])  # fmt: skip
def test_graphs_that_lengths_do_not_fit_are_refused(code: str, make: Any, words: list[str]):
    x = ag.input("x", over=(t, b))
    program = ag.compile([make(x), ag.sum(x, over=t)])
    feeds = {"x": np.ones((3, 2)), **({"w": 1.0} if code == "A302" else {})}
    with pytest.raises(ag.AxisError) as caught:
        program(lengths={t: [0, 2]}, **feeds)
    assert caught.value.code == code and all(word in str(caught.value) for word in words), str(caught.value)


def same_for_all(spread: Any) -> dict[str, ag.Node]:
    """Sums of what differs from sequence to sequence, weighed by something that does not."""
    x, clock = ag.input("x", over=(t, b)), spread(ag.cast(ag.index(t), float))
    decay, w = ag.exp(-0.5 * clock), ag.param("w")
    left = ag.state("left", over=clock.axes)
    left[t] = left[t + 1] * 0.5 + ag.cos(w * clock)
    return {
        "a mean": ag.sum(decay**w * x, over=t) / ag.sum(decay**w, over=t),
        "attention": ag.sum(ag.softmax(w * decay, over=t) * x, over=t), "last": ag.last(decay, over=t) * ag.sum(w * x, over=t),
        "backward": ag.sum(left * x, over=t), "ahead": ag.sum(w * clock[t + 1] * x, over=t),
    }  # fmt: skip


@pytest.mark.parametrize("name", same_for_all(lambda c: ag.spread(c, b)))
def test_what_is_the_same_for_all_sequences_ends_where_each_does(name: str):
    """Said by ``ag.spread``, and refused where it is not: one value cannot end at several steps."""
    loss = ag.sum(ag.sin(same_for_all(lambda c: ag.spread(c, b))[name]), over=b)
    w = ag.Graph(loss)["w"]
    first = ag.grad(loss, w)
    outputs = [loss, first, ag.grad(first, w)]
    values, lengths = RNG.normal(size=(4, 3)), [4, 1, 3]
    padded = np.where(np.arange(4)[:, None] < lengths, values, NAN)
    graph = ag.Graph(outputs)
    want = np.sum([graph.evaluate(x=values[:n, i : i + 1], w=0.7) for i, n in enumerate(lengths)], axis=0)
    for call in (ag.compile(outputs), graph.evaluate):
        np.testing.assert_allclose(call(x=padded, w=0.7, lengths={t: lengths}), want, rtol=1e-12)
    alone = ag.sum(same_for_all(lambda c: c)[name], over=b)
    with pytest.raises(ag.AxisError, match="A307"):
        ag.compile([alone, ag.grad(alone, ag.Graph(alone)["w"])])(x=padded, w=0.7, lengths={t: lengths})


def test_a_maximum_over_the_batch_needs_one_sequence_that_is_not_empty():
    x = ag.input("x", over=(t, b))
    top = ag.compile([ag.max(x, over=(t, b)), ag.grad(ag.max(x, over=(t, b)), x)])
    got = top(x=np.array([[1.0, NAN], [3.0, NAN]]), lengths={t: [2, 0]})
    np.testing.assert_array_equal(got[0], 3.0)
    np.testing.assert_array_equal(got[1], [[0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ag.AxisError, match="A208"):
        top(x=np.ones((2, 2)), lengths={t: [0, 0]})


def test_axes_go_by_name_in_all_keys():
    program = ag.compile(ag.input("x", over=(t, b)) * 1)
    for key in ("t", (t, b), ("t", "b")):
        np.testing.assert_array_equal(program(x=np.ones((2, 2)), lengths={key: [1, 2]})[0], [[1, 1], [0, 1]])


def test_a_derived_dag_takes_no_lengths():
    dag = ag.Graph(ag.sum(ag.input("x", over=t), over=t)).unroll(t=2)
    with pytest.raises(ag.FeedError, match="F305"):
        dag.derived(dag.outputs).evaluate(x=[1.0, 2.0], lengths={t: 1})


# -- what is not selected, and why that is safe -----------------------------------------------------------------------------


def kept(node: ag.Node) -> bool:
    return node in find_finite(ag.Graph(node).nodes)


def test_which_values_stay_finite():
    x, w, W, z = ag.input("x", (2,), over=t), ag.param("w"), ag.param("W", (2, 2)), ag.input("z", (2,), over=t)

    def loop(equation: Any) -> ag.Node:
        s = ag.state("s", (2,), over=t)
        s[t] = equation(s)
        return s

    assert kept(loop(lambda s: ag.tanh(W @ s[t - 1] + x)))
    assert kept(loop(lambda s: ag.sigmoid(z) * s[t - 1] + x)), "the cell of an LSTM"
    assert kept(loop(lambda s: (1 - ag.sigmoid(z)) * s[t - 1] + ag.sigmoid(z) * ag.tanh(W @ s[t - 1]))), "a GRU"
    assert kept(loop(lambda s: s[t - 1] - x)) and kept(loop(lambda s: 0.5 * s[t - 3] + x))
    for equation in (
        lambda s: W @ s[t - 1] + x, lambda s: 1.5 * s[t - 1] + x, lambda s: w * s[t - 1] + x, lambda s: s[t - 1] + s[t - 2],
        lambda s: s[t - 1] * s[t - 1], lambda s: z * s[t - 1] + x, lambda s: ag.relu(W @ s[t - 1] + x),
        lambda s: ag.exp(s[t - 1]), lambda s: ag.tanh(s[t - 1] / x),
    ):  # fmt: skip
        assert not kept(loop(equation))
    assert not kept(ag.log(x)) and not kept(ag.tanh(1 / x)) and kept(x * ag.tanh(x))


@pytest.mark.parametrize("equation", [
    lambda s, x, w: 1.5 * s[t - 1] + x, lambda s, x, w: w * s[t - 1] + x, lambda s, x, w: s[t - 1] + s[t - 2] + x,
    lambda s, x, w: ag.relu(w * s[t - 1] + x), lambda s, x, w: w * s[t - 1] + ag.log(x),
    lambda s, x, w: s[t - 1] * s[t - 1] + x, lambda s, x, w: w * s[t - 1] / x + x,
    lambda s, x, w: s[t - 1] * ag.exp(s[t - 1]) + x,
])  # fmt: skip
def test_gradients_behind_which_a_state_overflows(equation: Any):
    x, w, s = ag.input("x", over=(t, b)), ag.param("w"), ag.state("s", over=(t, b), init={t: ag.param("s0")})
    s[t] = equation(s, x, w)
    loss = ag.sum(ag.sin(s), over=(t, b))
    wrt = [w, ag.Graph(loss)["s0"], x] if w in set(ag.Graph(loss).nodes) else [ag.Graph(loss)["s0"], x]
    program = ag.compile([loss, *ag.grad(loss, wrt)])
    feeds = {name: value for name, value in {"w": 1.6, "s0": 0.9}.items() if name in program.graph.inputs}
    values = np.full((3000, 1), NAN)
    values[:3] = [[0.7], [1.1], [0.3]]
    got = program(x=values, lengths={t: [3]}, **feeds)
    want = program(x=values[:3], **feeds)
    assert all(difference(a, w) <= 1e-12 for a, w in zip(got[:-1], want[:-1], strict=True))
    assert difference(got[-1][:3], want[-1]) <= 1e-12 and not got[-1][3:].any()


def test_the_backward_loop_of_an_lstm_has_no_mask_either():
    n, x = 3, ag.input("x", (3,), over=(t, b))
    h, cell = ag.state("h", (n,), over=(t, b)), ag.state("c", (n,), over=(t, b))
    i, f, o, g = (ag.param(f"U{k}", (n, 3)) @ x[t] + ag.param(f"W{k}", (n, n)) @ h[t - 1] for k in "ifog")
    cell[t] = ag.sigmoid(f) * cell[t - 1] + ag.sigmoid(i) * ag.tanh(g)
    h[t] = ag.sigmoid(o) * ag.tanh(cell[t])
    step = ag.value_and_grad(ag.sum(ag.sum(h * h), over=(t, b)))
    weights = {name: np.eye(3) for name in step.wrt}
    step(x=np.ones((2, 2, 3)), lengths={t: [1, 2]}, **weights)
    inner = step.program.padded[(t, (b,)),]
    assert not any("= where(" in line for line in str(inner.schedule).splitlines() if line.startswith("    "))


# -- whether the tests would notice -----------------------------------------------------------------------------------------


def products(self: Selections, x: ag.Node, ragged: Any, fill: Any) -> ag.Node:
    mask = self.masks.mask_valid(x.axes, ragged)
    return x * ag.cast(mask, x.dtype) if x.dtype is not bool else x & mask


SABOTAGE: dict[str, dict[str, Any]] = {
    "reads ahead go on into the padding": {"replace_shift": lambda self, old, new: new},
    "steps are counted from the end of the padding": {"replace_at": lambda self, node, x: None},
    "states that are read ahead keep what the padding makes of them": {"empty": lambda self, x: x},
    "sums see the padding": {"zero": lambda self, x, ragged: x},
    "products instead of selections": {"select": products},
    "maxima and attention see the padding": {"select": lambda self, x, ragged, fill: x},
    "means divide by the padded number": {"replace_size": lambda self, node: None},
    "the last real step is padding": {"mask_inside": lambda self, r, axes, ahead=0: less(
        INDEX(axis=r, here=True), self.count_steps(r, axes) - 1 - ahead)},
    "the first padded step is real": {"mask_inside": lambda self, r, axes, ahead=0: less(
        INDEX(axis=r, here=True), self.count_steps(r, axes) + 1 - ahead)},
    "every read ahead finds zeros": {"is_zero_after_end": lambda self, old: True,
                                        "repair": lambda self, node, inputs: inputs},
    "what is fed is not selected": {"change": lambda self, node, inputs: node if node.op.name == "input" else CHANGED(
        self, node, inputs)},
}  # fmt: skip
CHANGED = Ragged.change


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_sabotaged_rule_is_noticed(name: str, monkeypatch):
    for attribute, wrong in SABOTAGE[name].items():
        owner = next(part for part in (Masks, Selections, Ragged) if hasattr(part, attribute))
        monkeypatch.setattr(owner, attribute, wrong)
    for seed in range(COUNT):
        try:
            test_padded_sequences_are_each_alone(seed)
        except AssertionError:
            return
    pytest.fail("no random program notices")


def test_what_the_programs_reach():
    """All patterns, delays in both directions, no batch, sequences of no steps, fewer steps than the delay."""
    seen: Counter[Any] = Counter()
    for seed in range(COUNT):
        case, rng = Sequences(seed, causal=False), np.random.default_rng([5, seed])
        lengths, graph = lengths_of(case, rng), ag.Graph(case.loss, case.extras)
        found = set(case.patterns) | {("batch", case.b is not None), ("empty", bool(np.min(lengths) == 0))}
        found |= {("full", bool(np.max(lengths) == case.sizes["t"])), ("axes", len(graph.axes))}
        for n in graph.nodes:
            if n.op.name == "shift" and n.attrs["axis"] is case.t:
                k = n.attrs["by"]
                found |= {("delay", k), ("shorter than the delay", bool(np.min(lengths) < abs(k)))}
            if n.op.name == "state":
                found |= {("rows", r.side, r.rows) for r in n.attrs["bounds"]}
        seen.update(found)
    patterns = {"one_loop", "lstm", "gru", "growing", "counter", "nested", "shifted", "dressed", "counted", "drawn", "embedded",
                "paired", "reduced", "normalised", "attended"}  # fmt: skip
    wanted = patterns | {("batch", x) for x in (True, False)} | {("shorter than the delay", True)}
    wanted |= {("empty", True), ("full", True)} | {("axes", k) for k in (1, 2, 3)}
    wanted |= {("delay", k) for k in (-3, -2, -1, 1, 2, 3)}
    wanted |= {("rows", side, k) for side in ("init", "final") for k in (None, 1, 2, 3)}
    assert not {x: seen[x] for x in wanted if seen[x] < 5}


def test_the_adjoint_of_a_net_that_looks_ahead_is_cut_at_the_end_of_each_sequence():
    """What multiplies it is 0 from there on, outside of the loop; each of its four gates stays one product."""
    n, x = 3, ag.input("x", (3,), over=(t, b))
    h, cell = ag.nn.lstm(x, n, over=t, reverse=True)
    step = ag.value_and_grad(ag.sum(ag.sum(h * h), over=(t, b)))
    assert cell.axes == h.axes
    weights = {p: np.zeros(step.program.graph.inputs[p].shape) for p in step.wrt}
    step(x=np.ones((2, 2, 3)), lengths={t: [1, 2]}, **weights)
    schedule = str(step.program.padded[(t, (b,)),].schedule)
    backward = schedule[schedule.rindex("for t = 0") :].splitlines()
    inside = [line for line in backward[1:] if line.startswith("    ")]
    assert inside and not any("= where(" in line for line in inside)
    assert sum(" @ " in line for line in inside) == 4


def test_a_net_that_looks_ahead_selects_once_a_state():
    """Where it is computed; who reads it at another step, or sums it, or differentiates it, finds zeros behind the end."""
    x = ag.input("x", (3,), over=(t, b))
    h, _ = ag.nn.lstm(x, 3, over=t, reverse=True)
    program = ag.compile([ag.sum(ag.sum(h * h), over=(t, b)), x[t + 1] * x[t + 2]], backend="numpy")
    weights = {name: np.zeros(n.shape) for name, n in program.graph.inputs.items() if n.op.name == "param"}
    program(x=np.ones((2, 2, 3)), lengths={t: [1, 2]}, **weights)
    lines = str(program.padded[(t, (b,)),].schedule).splitlines()
    assert sum("= where(" in line for line in lines if line.startswith("    ")) == 2, "h and c"
    assert [line.split("= ")[1].split()[0] for line in lines if "= where(" in line and not line.startswith("    ")] == [
        "where(less_1,"], "the feed"  # fmt: skip


def test_sequences_of_no_steps_divide_by_nothing_that_reaches_a_gradient():
    """The mean over no steps is NaN, as it is for that sequence alone; gradients through states that look ahead are 0."""
    x, w, r = ag.input("x", over=t), ag.param("w"), ag.state("r", over=t)
    r[t] = ag.tanh(w * r[t + 1] + x[t])
    loss = ag.mean(r, over=t)
    outputs = [loss, *ag.grad(loss, [w, x])]
    assert run(outputs, {t: 0}, x=[NAN, NAN], w=0.5)[1:] == [0.0, [0.0, 0.0]]
