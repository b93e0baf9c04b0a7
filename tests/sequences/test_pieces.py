"""What pieces of a sequence come to together: tangents go on as states do, gradients of rows and losses add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pieces import joined, pieces, run, unrolled
from random_sequences import Sequences

import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")

# -- tangents -------------------------------------------------------------------------------------------------------------


def tangent(value: ag.Node, along: dict[ag.Node, Any]) -> ag.Node:
    """How a value moves where what it depends on moves: reverse mode, and its adjoint."""
    u = ag.input("u", value.shape, over=value.axes)
    total = ag.constant(0.0)
    for g, d in zip(ag.grad(value, [*along], cotangent=u), along.values(), strict=True):
        total = total + ag.grad(g, u, cotangent=d)
    return total


def delayed(*delays: int) -> tuple[ag.Node, list[ag.Node]]:
    """A network that reads itself so many steps late; its rows are parameters."""
    W, x = ag.param("W", (2, 2)), ag.input("x", (2,), over=t)
    rows = [ag.param(f"row{k}", (2,)) for k in range(max(delays), 0, -1)]
    h = ag.state("h", (2,), over=t, init=rows)
    total = x[t] + 0.3 * ag.sin(x[t - 1])
    for k in delays:
        total = total + W @ h[t - k]
    h[t] = ag.tanh(total)
    return h * h[t - 1], [W, *rows]


def lstm() -> tuple[ag.Node, list[ag.Node]]:
    x = ag.input("x", (2,), over=t)
    U, W = ([ag.param(f"{name}{k}", (2, 2)) for k in range(4)] for name in "UW")
    h0, c0 = ag.param("h0", (2,)), ag.param("c0", (2,))
    h, c = ag.state("h", (2,), over=t, init=h0), ag.state("c", (2,), over=t, init=c0)
    i, f, o, z = (u @ x[t] + w @ h[t - 1] for u, w in zip(U, W, strict=True))
    c[t] = ag.sigmoid(f) * c[t - 1] + ag.sigmoid(i) * ag.tanh(z)
    h[t] = ag.sigmoid(o) * ag.tanh(c[t])
    return h * 1.0, [*U, *W, h0, c0]


MODELS: dict[str, Any] = {
    "delay 1": lambda: delayed(1), "delay 2": lambda: delayed(2), "delay 3": lambda: delayed(3),
    "delays 1, 2 and 3": lambda: delayed(1, 2, 3), "LSTM": lstm,
}  # fmt: skip


def steps_of(values: np.ndarray, size: int) -> list[np.ndarray]:
    return [values[i : i + size] for i in range(0, len(values), size)]


@pytest.mark.parametrize("name", MODELS)
def test_tangents_go_on_from_piece_to_piece(name: str, in_python):
    """The oracle is the unrolled graph, itself judged by central differences; pieces may be shorter than the delay."""
    value, wrt = MODELS[name]()
    rng = np.random.default_rng(3)
    fed = {p.name: rng.normal(size=p.shape) for p in wrt}
    along = {p: rng.normal(size=p.shape) for p in wrt}
    x, e = rng.normal(size=(7, 2)), 1e-6
    outputs = [value, tangent(value, along), ag.sum(tangent(value, along), over=t)]
    whole = ag.Graph(outputs).evaluate(x=x, **fed)
    a, c = (ag.Graph(value).evaluate(x=x, **{p.name: fed[p.name] + s * along[p] for p in wrt})[0] for s in (e, -e))
    assert np.allclose(whole[1], (a - c) / (2 * e), atol=1e-8)
    for backend in ["numpy", "numba"] if name == "delays 1, 2 and 3" else ["numpy"]:
        program = ag.compile(outputs, carry=True, backend=backend)
        for size in (1, 2, 3):
            found, _ = run(program, [{"x": part, **fed} for part in steps_of(x, size)])
            assert np.allclose(np.concatenate([v[1] for v in found]), whole[1], rtol=1e-12, atol=1e-12), size
            assert sum(v[2] for v in found) == pytest.approx(whole[2], rel=1e-12), "its sum adds up"
    step, carry, said = ag.stream(outputs), None, []
    for row in x:
        values, carry = step(carry, x=row, **fed)
        said.append(values[1])
    assert np.allclose(said, whole[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(2, 400, 40))
def test_tangents_of_random_programs_are_those_of_the_whole(seed: int):
    case = Sequences(seed, causal=True)
    values = [v for v in [*case.states, *case.pool] if case.t in v.axes and v.dtype is float]
    rng = np.random.default_rng(seed)
    chosen = [values[i] for i in rng.permutation(len(values))[:2]]
    outputs = [n for v in chosen if case.t in (n := case.tangent(v)).axes]
    graph = ag.Graph(outputs)
    feeds, n = case.fed(graph), case.sizes["t"]
    want = graph.evaluate(**feeds)
    program = ag.compile(outputs, carry=case.t, passes=() if seed % 80 > 2 else None, backend="numpy")
    cuts = [*sorted(int(i) for i in rng.integers(0, n + 1, size=2)), n]
    parts = pieces(graph, feeds, cuts, case.t)
    for found, _ in (run(program, parts), *([run(unrolled(graph, case.t), parts)] if seed % 80 == 2 else [])):
        for i, expected in enumerate(want):
            assert np.allclose(joined(program, found, i, case.t), expected, rtol=1e-9, atol=1e-10), (seed, cuts)


def test_a_zero_in_front_of_what_has_rows_too():
    """The adjoint of an adjoint may be a state that has rows of its own, which other reads see."""
    h0, x, w = ag.param("h0"), ag.input("x", over=t), ag.param("w")
    h = ag.state("h", over=t, init=h0)
    h[t] = 0.5 * h[t - 2] + x[t]
    y = ag.shift(w * x[t], t, 2)
    u = ag.input("u", over=t)
    past = ag.grad(ag.grad(y, w, cotangent=u), u, cotangent=1.0) * h[t - 1]
    beside = ag.grad(ag.grad(ag.shift(x, t, 2), x, cotangent=u), u, cotangent=h)  # h[t − 2], with zeros in front
    outputs, given = [past, beside, h], {"h0": 3.0}
    values = np.arange(1.0, 8.0)
    whole = ag.Graph(outputs).evaluate(x=values, **given)
    assert whole[1][:2].tolist() == [0.0, 0.0] and np.array_equal(whole[1][2:], whole[2][:-2])
    for size in (1, 3):
        found, _ = run(ag.compile(outputs, carry=True, backend="numpy"), [{"x": v, **given} for v in steps_of(values, size)])
        for i in range(3):
            assert np.array_equal(np.concatenate([v[i] for v in found]), whole[i]), (size, i)


def test_a_second_derivative_is_that_of_the_piece_whatever_is_computed_with_it():
    """Reverse mode twice makes a tangent too. What reads no later step is that of the whole, all else that of the piece."""
    w, c, x, h = ag.param("w"), ag.param("c"), ag.input("x", over=t), ag.state("h", over=t)
    h[t] = ag.tanh(w * h[t - 1] + x[t])
    slope = ag.grad(ag.sum(c * h * h, over=t), w)
    second, mixed = ag.grad(slope, [w, c])
    given, values = {"w": 0.7, "c": 1.3}, np.array([0.5, -1.0, 2.0, 0.3])
    alone, both = (ag.compile(nodes, carry=True, backend="numpy") for nodes in ([second], [second, mixed]))
    _, carry = alone(x=values[:2], **given)
    _, also = both(x=values[:2], **given)
    (got,), _ = alone(x=values[2:], carry=carry, **given)
    (again, rest), _ = both(x=values[2:], carry=also, **given)
    row = ag.param("row")
    own = ag.state("own", over=t, init=row)
    own[t] = ag.tanh(w * own[t - 1] + x[t])
    piece = ag.grad(ag.grad(ag.sum(c * own * own, over=t), w), w)
    (want,) = ag.Graph(piece).evaluate(x=values[2:], row=carry["h"][0], **given)
    assert got == pytest.approx(want, rel=1e-12) and again == pytest.approx(want, rel=1e-12)
    graph = ag.Graph(mixed)
    whole, first = (graph.evaluate(x=v, **{n: given[n] for n in given if n in graph.inputs})[0] for v in (values, values[:2]))
    assert rest == pytest.approx(whole - first, rel=1e-12)


def test_windows_in_pieces_are_the_shifts_that_they_stand_for():
    """Values, gradients alone and beside values, tangents; also of a state whose rows were given for no axis."""
    W, V, row, x = ag.param("W", (3, 2)), ag.param("V", (2, 2)), ag.param("row", (2,)), ag.input("x", (2,), over=(t, b))
    rng, fed = np.random.default_rng(2), {}
    for rows in ({}, {"init": row}):
        h = ag.state("h", (2,), over=(t, b), **rows)
        h[t, b] = ag.tanh(V @ h[t - 1] + x[t])
        y = h if rows else ag.sin(h)
        losses, wrt = [], [W, V, *rows.values()]
        for recent in (ag.window(y, t, 3), ag.stack([y[t - 2], y[t - 1], y[t]], axis=0)):
            losses.append(ag.sum(ag.tanh(ag.sum(ag.sum(W * recent, axis=0) * y)), over=(t, b)))
        fed = {p.name: rng.normal(size=p.shape) for p in wrt}
        values = rng.normal(size=(7, 2, 2))
        slopes = [ag.grad(loss, wrt) for loss in losses]
        second = [ag.grad(ag.sum(s[1] * 0.3), V) for s in slopes]
        pairs = [[losses[i], *slopes[i], second[i]] for i in (0, 1)]
        for chosen in ([0], [1, 2], [2], [-1], [0, 1, 2, -1]):
            window, shifts = (ag.compile([nodes[k] for k in chosen], carry=t, backend="numpy") for nodes in pairs)
            parts = [{"x": part, **{n: v for n, v in fed.items() if n in window.graph.inputs}} for part in steps_of(values, 2)]
            for a, c in zip(run(window, parts)[0], run(shifts, parts)[0], strict=True):
                assert all(np.allclose(p, q, rtol=1e-10, atol=1e-12) for p, q in zip(a, c, strict=True)), (rows, chosen)


# -- gradients of rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "unrolled"])
def test_rows_have_a_gradient_in_the_piece_that_reads_them(backend: str):
    """h[t] = a·h[t − 1] + c·h[t − 3] + x[t], L = Σ h: in pieces of one step each row counts where it is read, once a read."""
    a, c, x = ag.param("a"), ag.param("c"), ag.input("x", over=t)
    rows = [ag.param(f"row{k}") for k in (3, 2, 1)]
    h = ag.state("h", over=t, init=rows)
    h[t] = a * h[t - 1] + c * h[t - 3] + x[t]
    loss = ag.sum(h, over=t)
    outputs = [loss, *ag.grad(loss, rows)]
    program: Any = ag.compile(outputs, carry=True, backend="numpy") if backend == "numpy" else unrolled(ag.Graph(outputs), t)
    given = {"a": 0.5, "c": 0.25, "row3": 1.0, "row2": -2.0, "row1": 3.0}
    for size, want in ((1, [0.25, 0.25, 0.75]), (2, [0.25 * 1.5, 0.25, (0.5 + 0.25) * 1.5])):
        found, _ = run(program, [{"x": part, **given} for part in steps_of(np.arange(6.0), size)])
        assert sum(np.array(v[1:]) for v in found).tolist() == want, size
    step, carry, total = ag.stream(outputs), None, np.zeros(3)
    for value in range(6):
        values, carry = step(carry, x=float(value), **given)
        total += values[1:]
    assert total.tolist() == [0.25, 0.25, 0.75]


def test_rows_of_padded_sequences_have_theirs_at_each_ones_own_step():
    x, row = ag.input("x", over=(t, b)), ag.param("row")
    h = ag.state("h", over=(t, b), init={t: row})
    h[t] = 0.5 * h[t - 2] + x[t]
    loss = ag.sum(h, over=(t, b))
    program = ag.compile([loss, ag.grad(loss, row)], carry=True, backend="numpy")
    carry, total = None, 0.0
    for steps in ([1, 0], [1, 1], [2, 3]):  # the second begins a call later; both read the row at two steps
        (_, got), carry = program(x=np.zeros((3, 2)), lengths={t: steps}, row=1.0, carry=carry)
        total += got
    assert total == 4 * 0.5 + 0.25  # two reads each, of which one leads to another step of its piece


# -- losses that add up ---------------------------------------------------------------------------------------------------


def network() -> tuple[ag.Node, ag.Node, ag.Node]:
    W, x, h = ag.param("W", (2, 2)), ag.input("x", (2,), over=(t, b)), ag.state("h", (2,), over=(t, b))
    h[t] = ag.tanh(W @ h[t - 1] + x[t])
    return ag.dot(h, h), x, W


SUMS: dict[str, Any] = {
    "a sum": lambda e, x, W: ag.sum(e, over=(t, b)),
    "a mean over the batch": lambda e, x, W: ag.sum(ag.mean(e, over=b), over=t) - ag.mean(ag.sum(e * e, over=t), over=b),
    "times numbers": lambda e, x, W: -ag.sum(e, over=(t, b)) / 7 * ag.exp(ag.sum(W)) + ag.sum(ag.sum(x, over=(b, t)) * 2.0),
    "divided by what is fed": lambda e, x, W: ag.sum(e, over=(t, b)) / ag.input("n"),
    "a number a step": lambda e, x, W: ag.sum(ag.sum(W * W), over=t) + ag.sum(e, over=(t, b)),
}
OTHERS: dict[str, Any] = {
    "a mean": lambda e, x, W: ag.mean(e, over=(t, b)), "a last step": lambda e, x, W: ag.sum(ag.last(e, over=t), over=b),
    "a function of a sum": lambda e, x, W: ag.log(ag.sum(e, over=(t, b))),
    "a square": lambda e, x, W: ag.sum(e, over=(t, b)) ** 2,
    "a maximum": lambda e, x, W: ag.sum(ag.max(e, over=t), over=b),
    "a penalty": lambda e, x, W: ag.sum(e, over=(t, b)) + ag.sum(W * W),
    "what reads all steps": lambda e, x, W: ag.sum(e * ag.mean(e, over=t), over=(t, b)),
    "a sum times its steps": lambda e, x, W: ag.sum(e, over=(t, b)) * ag.size(t),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_losses_of_pieces_add_up(name: str):
    loss = SUMS[name](*network())
    f, values = ag.value_and_grad(loss, carry=t, backend="numpy"), np.random.default_rng(1).normal(size=(5, 3, 2))
    given = {"W": np.array([[0.5, -0.3], [0.2, 0.7]]), **({"n": 15.0} if "n" in f.program.graph.inputs else {})}
    (want,) = ag.Graph(loss).evaluate(x=values, **given)
    found, _ = run(f, [{"x": part, **given} for part in steps_of(values, 2)])
    assert sum(v[0] for v in found) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("name", OTHERS)
def test_losses_that_do_not_add_up_are_refused(name: str):
    loss = OTHERS[name](*network())
    with pytest.raises(ag.CarryError, match=r"K115.*losses of pieces of t do not add up, because of"):
        ag.value_and_grad(loss, carry=True)
    ag.value_and_grad(loss, backend="numpy")
    program = ag.compile([loss, ag.grad(loss, ag.Graph(loss)["W"])], carry=t, backend="numpy")  # of each piece's own
    values, W = np.random.default_rng(1).normal(size=(4, 3, 2)), np.eye(2) * 0.5
    (first, _), _ = program(x=values, W=W)
    assert first == pytest.approx(ag.Graph(loss).evaluate(x=values, W=W)[0], rel=1e-12)
