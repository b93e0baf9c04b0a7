"""Carry: steps T1 and then T2 with what the first call left are steps T1 + T2, bit for bit where the steps are the same."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from night import one_in
from pieces import joined, pieces, ragged_pieces, run, unrolled
from random_sequences import Sequences

import autograd_seq as ag

t, b, u = ag.Axis("t"), ag.Axis("b"), ag.Axis("u")


@pytest.mark.parametrize("seed", one_in(3, range(300)))
def test_pieces_are_the_whole(seed):
    """By the program, in pieces that may be empty; each tenth by the unrolled graph too, whose carries are the same."""
    case = Sequences(seed, causal=True)
    outputs = [v for v in [*case.states, *case.pool] if case.t in v.axes]
    graph = ag.Graph(outputs)
    feeds = case.fed(graph)
    want = graph.evaluate(**feeds)
    program = ag.compile(outputs, carry=case.t, passes=() if seed % 5 else None)  # most with none: quicker
    whole, last = program(**feeds)
    n, rng = case.sizes["t"], np.random.default_rng(seed)
    for _ in range(2):
        cuts = [*sorted(int(i) for i in rng.integers(0, n + 1, size=rng.integers(1, 4))), n]
        parts = pieces(graph, feeds, cuts, case.t)
        runs = [run(program, parts), *([run(unrolled(graph, case.t), parts)] if seed % 10 == 3 else [])]
        for found, carry in runs:
            for i, expected in enumerate(want):
                for got in (whole[i], joined(program, found, i, case.t)):
                    assert got.shape == expected.shape and got.dtype == expected.dtype
                    assert np.allclose(got, expected, rtol=1e-12, atol=1e-12), (seed, cuts, outputs[i])
            assert carry.steps == last.steps == n and carry.equations == last.equations
            assert [*carry] == [*last]
            assert all(np.allclose(carry[name], last[name], rtol=1e-12, atol=1e-12) for name in carry), (seed, cuts)


def test_programs_and_unrolled_graphs_go_on_from_one_another():
    _, s = line(init=[1.0, 2.0, 3.0])
    program, graph = ag.compile(s, carry=True), ag.Graph(s)
    want = graph.evaluate(x=np.arange(7.0))[0]
    (a,), carry = graph.unroll(t=2).evaluate(x=[0.0, 1.0], carry=None)
    (b,), carry = program(x=[2.0, 3.0], carry=carry)
    (c,), carry = graph.evaluate(x=[4.0, 5.0, 6.0], carry=ag.Carry(dict(carry), carry.steps))
    assert [*a, *b, *c] == [*want] and carry.steps == 7
    (d,), none = graph.evaluate(x=np.zeros(0), carry=None)
    assert d.shape == (0,) and none is None, "no steps, no carry"
    (d,), carry = graph.unroll(t=1).evaluate(x=np.ones(1, np.float32), carry=None, dtype=np.float32)
    assert d.dtype == carry["s"].dtype == np.float32


def test_the_length_of_an_axis_that_no_feed_tells():
    s = ag.state("s", over=t)
    s[t] = s[t - 1] + ag.index(t)
    graph = ag.Graph(s)
    (first,), carry = graph.evaluate(t=3, carry=None)
    (rest,), _ = graph.evaluate(t=2, carry=carry)
    assert [*first, *rest] == [*graph.evaluate(t=5)[0]] == [0, 1, 3, 6, 10]
    with pytest.raises(ag.FeedError, match="F111"):
        ag.Graph(ag.input("x", over=t) + s).evaluate(x=[1.0], t=2)


# -- what is carried ------------------------------------------------------------------------------------------------------


def line(init: Any = None) -> tuple[ag.Node, ag.Node]:
    x, s = ag.input("x", over=t), ag.state("s", over=t, init=init)
    s[t] = 0.5 * s[t - 3] + x[t] + x[t - 2]
    return x, s


def test_a_carry_shows_what_it_holds():
    _, s = line(init=[1.0, 2.0, 3.0])
    program = ag.compile(s, carry=True)
    (values,), carry = program(x=[1.0, 1.0])
    assert isinstance(carry, ag.Carry) and carry.steps == 2 and [*carry] == ["s", "x"]
    assert values.tolist() == [1.5, 2.0]
    assert carry["s"].tolist() == [3.0, 1.5, 2.0], "where there are fewer steps than rows, the rows in front move up"
    assert carry["x"].tolist() == [1.0, 1.0]
    assert repr(carry) == "<Carry after 2 steps: s float64[3], x float64[2]>"
    again = pickle.loads(pickle.dumps(carry))
    assert program(x=[1.0], carry=again)[0][0].tolist() == program(x=[1.0], carry=carry)[0][0].tolist()
    assert program(x=[1.0], carry=ag.Carry({"s": [3.0, 1.5, 2.0], "x": [1.0, 1.0]}, steps=2))[0][0].tolist() == [3.5]


def test_no_steps_leave_the_carry_as_it_is():
    _, s = line()
    program = ag.compile(s, carry=True)
    (values,), carry = program(x=np.zeros(0))
    assert values.shape == (0,) and carry is None, "None starts"
    _, carry = program(x=[1.0], carry=carry)
    assert program(x=np.zeros(0), carry=carry)[1] is carry


def test_calls_do_not_change_a_carry():
    _, s = line()
    program = ag.compile(s, carry=True)
    _, carry = program(x=[1.0, 2.0])
    kept = {name: np.array(value) for name, value in carry.items()}
    for _ in range(2):
        _, other = program(x=[5.0, 6.0, 7.0], carry=carry)
        assert all(np.array_equal(carry[name], kept[name]) for name in kept)
        assert not any(np.shares_memory(carry[a], other[c]) for a in carry for c in other)


def test_a_carry_fits_any_program_of_the_same_states():
    x, s = line()
    train, use = ag.compile([ag.sum(s, over=t), s], carry=True), ag.compile(s * 2, carry=True)
    _, carry = train(x=[1.0, 2.0, 3.0])
    assert use(x=[1.0], carry=carry)[0][0].tolist() == (2 * ag.Graph(s).evaluate(x=[1.0, 2.0, 3.0, 1.0])[0][3:]).tolist()
    assert x.name == "x"


def test_the_width_is_that_of_the_feeds():
    _, s = line()
    _, carry = ag.compile(s, carry=True)(x=np.ones(4, np.float32))
    assert {value.dtype for value in carry.values()} == {np.dtype(np.float32)}
    (values,), _ = ag.compile(s, carry=True)(x=np.ones(4, np.float32), carry=carry)
    assert values.dtype == np.float32


def test_the_loop_inside_of_a_step_starts_anew():
    """h over t reads what a loop over u comes to; the outermost axis goes on, the inner state starts at 0 at each step."""
    x, h, a = ag.input("x", over=(t, u)), ag.state("h", over=t), ag.state("a", over=(t, u))
    a[t, u] = 0.5 * a[t, u - 1] + x[t, u] + h[t - 1]
    h[t] = ag.tanh(ag.last(a, over=u))
    program = ag.compile([h, a], carry=True)
    assert program.cut.axis is t and [slot.name for slot in program.cut.slots] == ["h"]
    values = np.random.default_rng(1).normal(size=(6, 3))
    whole, _ = program(x=values)
    found, _ = run(program, [{"x": values[:2]}, {"x": values[2:]}])
    for i in (0, 1):
        assert np.allclose(joined(program, found, i, t), whole[i], rtol=1e-14, atol=1e-14)
    assert np.array_equal(whole[1][:, 0], values[:, 0] + np.concatenate([[0.0], whole[0][:-1]]))


def test_a_grid_is_carried_along_the_axis_that_is_named():
    x, g = ag.input("x", over=(t, u)), ag.state("g", over=(t, u))
    g[t, u] = ag.tanh(x[t, u] + 0.5 * g[t - 1, u] + 0.4 * g[t, u - 1] + 0.3 * g[t - 1, u - 1])
    values = np.random.default_rng(2).normal(size=(5, 4))
    want = ag.Graph(g).evaluate(x=values)[0]
    for axis, position in ((t, 0), (u, 1)):
        program = ag.compile(g, carry=axis)
        one, two = np.split(values, [2], position)
        found, _ = run(program, [{"x": one}, {"x": two}])
        assert np.allclose(np.concatenate([v[0] for v in found], position), want, rtol=1e-14, atol=1e-14)


def test_steps_and_draws_count_on():
    x = ag.input("x", over=(t, b))
    noise = ag.normal("noise", (2,), over=(b, t)) + ag.cast(ag.index(t), float)
    program = ag.compile([noise * x[t], ag.index(t)], carry=t)
    values = np.ones((7, 2))
    whole, _ = program(x=values, seed=5)
    found, carry = run(program, [{"x": values[:3], "seed": 5}, {"x": values[3:4], "seed": 5}, {"x": values[4:], "seed": 5}])
    assert all(np.array_equal(joined(program, found, i, t), whole[i]) for i in (0, 1))
    assert carry.steps == 7 and len(carry) == 0


# -- gradients ------------------------------------------------------------------------------------------------------------


def linear() -> tuple[ag.Node, ag.Node, ag.Node]:
    w, h0, x = ag.param("w"), ag.param("h0"), ag.input("x", over=t)
    h = ag.state("h", over=t, init=h0)
    h[t] = w * h[t - 1] + x[t]
    return ag.sum(h, over=t), w, h0


def test_no_gradient_flows_through_a_carry():
    """h[t] = w·h[t − 1] + x[t] with w = 0.5, h[−1] = 2, x = 1 … 6, in segments of 3: the known truncated gradients."""
    loss, w, h0 = linear()
    step = ag.value_and_grad(loss, [w, h0], carry=True)
    totals, carry = np.zeros(2), None
    for xs in ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]):
        (_, grads), carry = step(x=xs, w=0.5, h0=2.0, carry=carry)
        totals += [grads["w"], grads["h0"]]
    assert totals.tolist() == [34.875, 0.875]


def test_a_later_call_has_no_gradient_of_the_first_row_even_when_it_is_differentiated_again():
    loss, w, h0 = linear()
    dh0 = ag.grad(loss, h0)
    outputs = [loss, dh0, ag.grad(dh0 * dh0, w), ag.grad(dh0 * loss, h0)]
    program = ag.compile(outputs, carry=True)
    (_, *first), carry = program(x=[1.0, 2.0], w=0.5, h0=2.0)
    assert [float(v) for v in first] == [0.75, 2 * 0.75 * (1 + 2 * 0.5), 0.75**2]
    assert [float(v) for v in program(x=[1.0, 2.0], w=0.5, carry=carry)[0][1:]] == [0.0, 0.0, 0.0]


def test_rows_that_a_later_call_does_not_read():
    """In a first call the gradient of h0 reads h two steps late; in a later one it is 0, and only h[t - 1] is read."""
    h0, x = ag.param("h0"), ag.input("x", over=t)
    h = ag.state("h", over=t, init=h0)
    h[t] = ag.tanh(0.5 * h[t - 1] + x[t])
    program = ag.compile([h, ag.grad(ag.sum(h * ag.sin(h[t - 2]), over=t), h0)], carry=True)
    (whole, _), last = program(x=[1.0, 2.0, 3.0, 4.0], h0=0.5)
    (_, slope), carry = program(x=[1.0, 2.0], h0=0.5)
    (rest, none), carry = program(x=[3.0, 4.0], carry=carry)
    assert slope != 0 and none == 0 and np.array_equal(rest, whole[2:]) and np.array_equal(carry["h"], last["h"])


def test_picked_steps_have_their_gradient_in_every_call():
    loss, w, _ = linear()
    h = ag.Graph(loss)["h"]
    program = ag.compile(ag.grad(ag.at(h, t, 0) + ag.last(h, over=t), w), carry=True)
    _, carry = program(x=[1.0, 2.0], w=0.5, h0=2.0)
    (got,), _ = program(x=[1.0, 2.0], w=0.5, carry=carry)
    before = 0.5 * (0.5 * 2 + 1) + 2
    assert float(got) == pytest.approx(before + (0.5 * before + 1) + 0.5 * before)


# -- misuse ---------------------------------------------------------------------------------------------------------------


def refused(code: str, words: list[str], run: Any) -> None:
    with pytest.raises(ag.CarryError) as caught:
        run()
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in\n{caught.value}"


def test_what_looks_ahead_is_refused():
    x, r = ag.input("x", over=t), ag.state("r", over=t)
    r[t] = 0.5 * r[t + 1] + x[t]
    refused("K104", ["r is read at a later step", "got r[t + 1]", "test_carry.py:"], lambda: ag.compile(r, carry=True))
    refused("K104", ["x is read at a later step", "x[t + 2]"], lambda: ag.compile(x[t + 2] * x[t], carry=True))


def test_what_depends_on_all_steps_is_not_carried():
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    s[t] = 0.5 * s[t - 1] + x[t] - ag.mean(x, over=t)
    words = ["s depends on all steps of t", "through sum_1", "leave carry= out"]
    refused("K105", words, lambda: ag.compile(s, carry=True))
    y = ag.state("y", over=t)
    y[t] = y[t - 1] + ag.size(t)
    refused("K105", ["y depends on all steps of t"], lambda: ag.compile(y * x[t], carry=True))


def test_the_axis_must_be_told():
    x = ag.input("x", over=(t, u))
    g = ag.state("g", over=(t, u))
    g[t, u] = g[t - 1, u] + g[t, u - 1] + x[t, u]
    refused("K103", ["which axis", "got t, u", "carry=t"], lambda: ag.compile(g, carry=True))
    refused("K101", ["does not vary over b", "one of t, u", "carry=b"], lambda: ag.compile(g, carry=b))
    refused("K102", ["True or an ag.Axis", "got 'yes'"], lambda: ag.compile(g, carry="yes"))
    refused("K103", ["a graph without axes"], lambda: ag.compile(ag.param("w") * 2, carry=True))


@pytest.mark.parametrize("unroll", [False, True])
def test_a_carry_that_does_not_fit_is_refused(unroll: bool):
    x, s = ag.input("x", (2,), over=(t, b)), ag.state("s", (2,), over=(t, b))
    s[t] = ag.tanh(s[t - 2] + x[t])
    program: Any = ag.compile(s, carry=True)
    if unroll:
        program = lambda carry=None, **feeds: ag.Graph(s).evaluate(carry=carry, **feeds)  # noqa: E731
    feed = np.zeros((3, 4, 2))
    _, carry = program(x=feed)
    _, other = ag.compile(line()[1], carry=True)(x=[1.0])
    refused("K107", ["not what an earlier call returned", "got array"], lambda: program(x=feed, carry=np.zeros(2)))
    refused("K108", ["another program", "rows of s", "got rows of s, x"], lambda: program(x=feed, carry=other))
    wrong = ag.Carry({"s": carry["s"][1:]}, 3)
    refused(
        "K109",
        ["carried rows of s are float64 of shape", "(2, b, 2) float", "got (1, 4, 2) float64"],
        lambda: program(x=feed, carry=wrong),
    )
    ints = ag.Carry({"s": carry["s"].astype(int)}, 3)
    refused("K109", ["(2, b, 2) float", "int64"], lambda: program(x=feed, carry=ints))
    words = ["the carry has b=4, and the feeds have b=3", "b=3, as x has", "got b=4 in", "s float64[2, 4, 2]"]
    refused("K110", words, lambda: program(x=feed[:, :3], carry=carry))
    with pytest.raises(ag.FeedError, match="F102"):
        program(x=feed, carry=carry, y=1)


def test_wrong_feeds_are_refused_as_without_a_carry():
    _, s = line()
    program = ag.compile(s, carry=True)
    for given, code in (({}, "F103"), ({"x": 1.0}, "F105"), ({"x": [1.0], "y": 2}, "F102")):
        with pytest.raises(ag.FeedError, match=code):
            program(**given)


def test_a_length_may_be_given_where_the_seed_is_not():
    noise = ag.normal("noise", over=t) * 1.0
    assert np.array_equal(ag.compile(noise)(t=4)[0], ag.compile(noise)(t=4, seed=0)[0])


def test_a_dag_of_gradients_takes_no_carry():
    x, w, s = ag.input("x", over=t), ag.param("w"), ag.state("s", over=t)
    s[t] = w * s[t - 1] + x[t]
    dag = ag.Graph(ag.sum(s, over=t)).unroll(t=2).grad()
    refused("K113", ["the DAG of a graph", "ag.grad(L, …)"], lambda: dag.evaluate(x=[1.0, 2.0], w=0.5, carry=None))


def test_carry_is_no_name_for_an_input():
    x = ag.input("carry", over=t)
    assert ag.Graph(x[t - 1] + x[t]).evaluate(carry=[1.0, 2.0])[0].tolist() == [1.0, 3.0]
    refused("K106", ["give the input another name"], lambda: ag.compile(x[t - 1] + x[t], carry=True))


# -- with lengths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", one_in(2, range(0, 300, 5)))
def test_each_sequence_goes_on_from_its_own_end(seed):
    """Pieces that end at steps of their own, some of them empty: what each sequence says and leaves is what it does alone.

    What is the same for all sequences, noise and clocks and the number of the step, is each one's own then.
    """
    case = Sequences(seed, causal=True, batch=True)
    clock = ag.state("clock", over=case.t, init=ag.param("clock0"))
    clock[case.t] = 0.5 * clock[case.t - 1] + ag.index(case.t) + ag.normal("tick", over=case.t)
    case.feeds["clock0"] = (), lambda rng, shape: rng.normal(size=shape)
    outputs = [clock, *(v for v in [*case.states, *case.pool] if case.t in v.axes)]
    graph = ag.Graph(outputs)
    feeds, size = case.fed(graph), case.sizes
    program = ag.compile(outputs, carry=case.t, passes=() if seed % 3 else None)  # most with none: quicker
    whole, want = program(**feeds)
    carry, rng = None, np.random.default_rng(seed)
    for before, steps, piece in ragged_pieces(case, graph, feeds, rng):
        given = {"b": size["b"]} if not any(case.b in n.axes for n in graph.inputs.values()) else {}
        values, carry = program(carry=carry, lengths={(case.t, case.b): steps}, **piece, **given)
        for node, value, full in zip(graph.outputs, values, whole, strict=True):
            axes = [*graph.layout(node), *([] if case.b in node.axes else [case.b])]
            if case.b not in node.axes:
                full = np.moveaxis(np.broadcast_to(full, (size["b"], *full.shape)), 0, len(axes) - 1)
            mine, all_ = (np.moveaxis(v, [axes.index(case.t), axes.index(case.b)], [0, 1]) for v in (value, full))
            for i, (first, n) in enumerate(zip(before, steps, strict=True)):
                assert np.allclose(mine[:n, i], all_[first : first + n, i], rtol=1e-12, atol=1e-12), (seed, node)
    assert np.array_equal(np.broadcast_to(carry.steps, size["b"]), np.full(size["b"], size["t"]))
    slots = {slot.name: slot for slot in program.cut.slots}
    for name, value in want.items():
        if case.b not in slots[name].axes:
            left = [a for a in graph.axes if a is case.b or a in slots[name].axes]
            value = np.expand_dims(value, 1 + left.index(case.b))
        assert np.allclose(carry[name], value, rtol=1e-12, atol=1e-12), (seed, name)


@pytest.mark.parametrize(
    ("order", "seed"), one_in(3, [*((1, s) for s in range(1, 161, 10)), *((2, s) for s in range(6, 161, 20))])
)
def test_gradients_of_ragged_pieces_are_those_of_each_sequence(order, seed):
    """Each sequence carried on alone, in a batch of one without padding: its gradients add up to those of all together."""
    case = Sequences(seed, causal=True, second=order == 2, batch=True)
    outputs = [case.loss, *ag.grad(case.loss, [p for p in case.wrt if p.op.name == "param"])]
    program, graph = ag.compile(outputs, carry=case.t, passes=()), ag.Graph(outputs)
    feeds, rng = case.fed(graph), np.random.default_rng(seed)
    carry, alone = None, [None] * case.sizes["b"]
    for _, steps, piece in ragged_pieces(case, graph, feeds, rng):
        values, carry = program(carry=carry, lengths={(case.t, case.b): steps}, **piece)
        total = [np.zeros_like(v) for v in values]
        begun = all(c is None for c in alone) or all(c is not None for c in alone)
        for i, n in enumerate(steps):
            mine = dict(piece)
            for name, node in graph.inputs.items():
                for axis, part in ((case.t, slice(0, n)), (case.b, slice(i, i + 1))):
                    if axis in node.axes:
                        mine[name] = mine[name][(slice(None),) * node.axes.index(axis) + (part,)]
            if n == 0:
                continue
            own, alone[i] = program(carry=alone[i], **mine)
            total = [a + v for a, v in zip(total, own, strict=True)]
        if np.all(steps) and begun:  # rows in front have a gradient in a first call: let it be one for all, or for none
            for node, a, w in zip(graph.outputs, values, total, strict=True):
                assert np.allclose(a, w, rtol=1e-9, atol=1e-9), (seed, node)


def test_steps_count_on_for_each_sequence():
    x = ag.input("x", over=(t, b))
    program = ag.compile(x[t - 1] + 10.0 * ag.index(t), carry=t)
    _, carry = program(x=[[1.0, 2.0], [3.0, np.nan]], lengths={t: [2, 1]})
    assert carry.steps.tolist() == [2, 1] and carry["x"].tolist() == [[3.0, 2.0]]
    (values,), carry = program(x=[[5.0, 6.0]], carry=carry)
    assert values.tolist() == [[23.0, 12.0]] and carry.steps.tolist() == [3, 2]


def test_noise_and_step_numbers_that_all_sequences_share_are_each_ones_own():
    """Of shape (t,) without lengths, (t, b) with them: the axis of the batch comes last."""
    x = ag.input("x", over=(t, b))
    program = ag.compile([x[t - 1] + x[t], ag.index(t), ag.normal("noise", over=t) * 1.0], carry=True)
    whole = program(x=np.zeros((3, 2)), seed=4)[0]
    (_, one, noise), carry = program(x=np.zeros((2, 2)), lengths={t: [1, 2]}, seed=4)
    assert one.tolist() == [[0, 0], [0, 1]]
    (_, two, more), carry = program(x=np.zeros((2, 2)), lengths={t: [2, 1]}, carry=carry, seed=4)
    assert two.tolist() == [[1, 2], [2, 0]] and carry.steps.tolist() == [3, 3]
    assert [noise[0, 0], *more[:, 0]] == [*noise[:, 1], more[0, 1]] == [*whole[2]]


def test_the_gradient_of_a_scale_of_shared_noise():
    """d(noise) is a sum over the batch at each step; with steps of their own the noise is multiplied inside of that sum."""
    x, w = ag.input("x", over=(t, b)), ag.param("w")
    loss = ag.sum(ag.normal("noise", over=t, std=w) * x[t - 1], over=(t, b))
    program = ag.compile([loss, ag.grad(loss, w)], carry=True)
    values = np.arange(1.0, 9.0).reshape(4, 2)
    (_, want), _ = program(x=values, w=0.5)
    total, carry, at = 0.0, None, np.zeros(2, int)
    for steps in ([1, 3], [2, 0], [1, 1]):
        part = np.full((3, 2), np.nan)
        for i, n in enumerate(steps):
            part[:n, i] = values[at[i] : at[i] + n, i]
        at += steps
        (_, got), carry = program(x=part, w=0.5, lengths={t: steps}, carry=carry)
        total += got
    assert total == pytest.approx(want, rel=1e-12)


def test_sums_over_sequences_that_are_at_different_steps_are_refused_where_they_meet():
    x, w = ag.input("x", over=(t, b)), ag.param("w")
    s = ag.state("s", over=t)
    s[t] = ag.tanh(w * s[t - 1] + 1.0)
    loss = ag.sum(s[t] * x[t], over=(t, b))
    feed = {"x": np.zeros((2, 2)), "lengths": {t: [1, 2]}, "w": 1.0}
    crowd = ag.state("crowd", over=t)
    crowd[t] = 0.5 * crowd[t - 1] + ag.tanh(ag.sum(x, over=b))
    for value, words in (
        (ag.grad(loss, w), ["ds reads sums over b at each step of t", "the sequences are at different steps"]),
        (crowd * x[t], ["let what is carried or drawn vary over b"]),
    ):
        program = ag.compile([value, x[t - 1] * w], carry=t)
        refused("K111", words, lambda p=program: p(**feed))
