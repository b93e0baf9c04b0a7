"""Where axes stand in arrays: feeds as they are declared, outputs in the same order or in the one asked for, ``ag.vmap``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.native import numba

RNG = np.random.default_rng(5)
t, b, c = ag.Axis("t"), ag.Axis("b"), ag.Axis("c")


def rnn(over: tuple[ag.Axis, ...]) -> tuple[ag.Node, list[ag.Node]]:
    """A net over the axes; its outputs: states, one a sequence, the loss, the gradients of parameters and of the input."""
    x, U, W = ag.input("x", (3,), over=over), ag.param("U", (2, 3)), ag.param("W", (2, 2))
    s = ag.state("s", (2,), over=over)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    end = ag.last(s, over=t)
    loss = ag.sum(ag.sum(s * s), over=over)
    return s, [s, end, loss, *ag.grad(loss, [U, W, x])]


def feeds(*sizes: int) -> dict[str, Any]:
    return {"x": RNG.normal(size=(*sizes, 3)), "U": RNG.normal(size=(2, 3)), "W": np.linalg.qr(RNG.normal(size=(2, 2)))[0]}


@pytest.mark.parametrize("declared", [(t, b), (b, t)])
@pytest.mark.parametrize("order", [None, (t, b), (b, t), (c, b, t)])
def test_outputs_are_laid_out_in_the_order_asked_for(declared, order):
    _, outputs = rnn(declared)
    if order and c in order:
        outputs = [*outputs, ag.index(c) * outputs[2]]
    given = {**feeds(*(4 if a is t else 2 for a in declared)), **({"c": 3} if order and c in order else {})}
    plain, program = ag.compile(outputs)(**given), ag.compile(outputs, order=order)
    for node, got, want in zip(outputs, program(**given), plain, strict=True):
        have = program.graph.layout(node)
        wanted = have if order is None else [a for a in order if a in node.axes]
        moved = want.transpose(*[have.index(a) for a in wanted], *range(len(have), want.ndim))
        assert got.shape == moved.shape and np.array_equal(got, moved)
    if order is None:
        assert program(**given)[0].shape[:2] == tuple(4 if a is t else 2 for a in declared)


def test_the_order_holds_with_a_carry():
    s, _ = rnn((t, b))
    given = feeds(6, 2)
    whole = ag.compile(s)(**given)[0]
    program, carry, parts = ag.compile(s, order=(b, t), carry=True), None, []
    for piece in np.split(given["x"], [1, 4]):
        (values,), carry = program(carry=carry, **{**given, "x": piece})
        parts.append(values)
    assert np.allclose(np.concatenate(parts, 1), whole.swapaxes(0, 1), rtol=1e-14)


@pytest.mark.parametrize(("order", "code", "words"), [
    ((t,), "A210", ["leaves out b, over which s varies", "got order=(t)", "order=(t, b)", "test_layout.py:"]),
    ((t, b, c), "A209", ["names c, over which nothing varies", "axes of the graph: t, b"]),
    ((t, b, t), "A104", ["order= names t twice"]), (("t", "b"), "A103", ["order= is given 't', which is not an axis"]),
])  # fmt: skip
def test_an_order_that_does_not_fit_is_refused(order: Any, code: str, words: list[str]):
    with pytest.raises(ag.AxisError) as caught:
        ag.compile(rnn((t, b))[0] * 1.0 if code != "A210" else rnn((t, b))[0], order=order)
    assert caught.value.code == code
    assert all(word in str(caught.value) for word in words), str(caught.value)


# -- vmap -----------------------------------------------------------------------------------------------------------------


def compiled(outputs: list[ag.Node], **given: Any) -> tuple[Any, ...]:
    return ag.compile(outputs)(**given)


def unrolled(outputs: list[ag.Node], **given: Any) -> tuple[Any, ...]:
    return ag.Graph(outputs).evaluate(**given)


RUNNERS = [compiled, unrolled]


@pytest.mark.parametrize("run", RUNNERS)
def test_vmap_is_a_loop_over_examples(run: Callable[..., Any]):
    """Batch first: the new axis stands in front of every feed that is an input, and of what depends on it."""
    s, _ = rnn((t,))
    outputs = [s, ag.last(s, over=t), ag.sum(ag.sum(s * s), over=t), ag.sum(ag.param("W2", (2, 2)))]
    given = {**feeds(5, 4), "W2": np.eye(2)}
    got = run(ag.vmap(outputs, over=b), **given)
    each = [run(outputs, **{**given, "x": one}) for one in given["x"]]
    for i in range(3):
        assert np.allclose(got[i], np.stack([values[i] for values in each]), rtol=1e-13, atol=1e-13)
    assert got[3].shape == (), "what no input reaches stays one value"


@pytest.mark.parametrize("run", RUNNERS)
def test_the_gradient_of_a_vmapped_loss_is_the_sum_over_examples(run: Callable[..., Any]):
    s, _ = rnn((t,))
    loss = ag.sum(ag.sum(s * s), over=t)
    wrt = [ag.Graph(loss)[name] for name in ("U", "W")]
    total = ag.sum(ag.vmap(loss, over=b), over=b)
    given = feeds(5, 4)
    got = run(ag.grad(total, wrt), **given)
    each = [run(ag.grad(loss, wrt), **{**given, "x": one}) for one in given["x"]]
    for i in range(2):
        assert np.allclose(got[i], sum(values[i] for values in each), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("run", RUNNERS)
def test_vmap_of_a_gradient_gives_one_gradient_an_example(run: Callable[..., Any]):
    s, _ = rnn((t,))
    loss = ag.sum(ag.sum(s * s), over=t)
    dW, dx = ag.grad(loss, [ag.Graph(loss)["W"], ag.Graph(loss)["x"]])
    given = feeds(5, 4)
    got = run(ag.vmap([dW, dx], over=b), **given)
    each = [run([dW, dx], **{**given, "x": one}) for one in given["x"]]
    for i in range(2):
        assert np.allclose(got[i], np.stack([values[i] for values in each]), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("run", RUNNERS)
def test_vmap_takes_a_length_for_each_example(run: Callable[..., Any]):
    """Losses, states that look both ways and gradients of each example are what they are without its padding."""
    s, _ = rnn((t,))
    W, r = ag.Graph(s)["W"], ag.state("r", (2,), over=t)
    r[t] = ag.tanh(W @ r[t + 1] + s[t])
    loss = ag.mean(ag.sum(r * r), over=t) + ag.sum(ag.last(s, over=t))
    outputs, given, lengths = [loss, r, ag.grad(loss, W)], feeds(3, 5), [5, 2, 3]
    for row, n in zip(given["x"], lengths, strict=True):
        row[n:] = np.nan
    got = run(ag.vmap(outputs, over=b), lengths={t: lengths}, **given)
    for i, n in enumerate(lengths):
        want = run(outputs, **{**given, "x": given["x"][i, :n]})
        for value, alone in zip((got[0][i], got[1][i, :n], got[2][i]), want, strict=True):
            assert np.allclose(value, alone, rtol=1e-13, atol=1e-13)
        assert not got[1][i, n:].any()


@pytest.mark.parametrize("run", RUNNERS)
def test_vmap_within_vmap(run: Callable[..., Any]):
    s, _ = rnn((t,))
    twice = ag.vmap(ag.vmap([s, ag.last(s, over=t)], over=b), over=c)
    given = feeds(3, 4, 5)
    got = run(twice, **given)
    assert got[0].shape == (3, 4, 5, 2) and got[1].shape == (3, 4, 2)
    for i in range(3):
        for j in range(4):
            one = run([s, ag.last(s, over=t)], **{**given, "x": given["x"][i, j]})
            assert all(np.allclose(a[i, j], w, rtol=1e-13, atol=1e-13) for a, w in zip(got, one, strict=True))


def test_vmap_puts_time_first_where_asked():
    s, _ = rnn((t,))
    given = feeds(5, 4)
    (first,), (second,) = (ag.compile(ag.vmap(s, over=b), order=order)(**given) for order in (None, (t, b)))
    assert first.shape == (5, 4, 2) and np.array_equal(first.swapaxes(0, 1), second)


def test_vmap_of_rows_labels_and_other_axes():
    """Initial rows that are fed, class indices, a lifted axis and a loop over it: all of them one an example."""
    u = ag.Axis("u")
    h0, l, x = ag.input("h0", (2,)), ag.input("l", over=t, dtype=int), ag.input("x", (2,), over=(u, t))
    E, h = ag.param("E", (3, 2)), ag.state("h", (2,), over=t, init=h0)
    a = ag.state("a", (2,), over=(t, u))
    a[t, u] = ag.tanh(0.5 * a[t, u - 1] + x[u, t] + 0.3 * h[t - 1])
    h[t] = ag.tanh(E[l[t]] + ag.last(a, over=u))
    loss = ag.sum(ag.dot(h, h), over=t)
    outputs = [h, a, loss, *ag.grad(loss, [h0, E])]
    given = {"h0": RNG.normal(size=(4, 2)), "l": RNG.integers(0, 3, size=(4, 3)), "x": RNG.normal(size=(4, 2, 3, 2)),
             "E": RNG.normal(size=(3, 2))}  # fmt: skip
    got = ag.compile(ag.vmap(outputs, over=b))(**given)
    for i in range(4):
        one = ag.compile(outputs)(**{**{k: v[i] for k, v in given.items() if k != "E"}, "E": given["E"]})
        for k, (whole, want) in enumerate(zip(got, one, strict=True)):
            assert np.allclose(whole[i], want, rtol=1e-13, atol=1e-13), k


@pytest.mark.parametrize("run", RUNNERS)
def test_what_is_mapped_may_name_the_axis(run: Callable[..., Any]):
    """Weights that are the same for all, read to each one's own end; draws of each example's own; its number."""
    x = ag.input("x", over=t)
    weights = ag.softmax(ag.spread(0.5 * ag.cast(ag.index(t), float) + ag.param("w"), b), over=t)
    s = ag.state("s", over=(t, b))
    s[t] = 0.5 * s[t - 1] + ag.normal("n", over=(t, b)) * x[t] + ag.index(b)
    loss = ag.vmap(ag.sum(weights * ag.sin(x) * s, over=t), over=b)
    mapped = [loss, ag.grad(ag.sum(loss, over=b), ag.Graph(loss)["x"])]
    given, lengths = feeds(3, 5)["x"][..., 0].copy(), [5, 2, 3]
    for row, n in zip(given, lengths, strict=True):
        row[n:] = np.nan
    got = run(mapped, x=given, w=0.3, lengths={t: lengths}, seed=2)
    assert got[0].shape == (3,) and got[1].shape == (3, 5)
    (noise,) = run([1.0 * ag.normal("n", over=(t, b))], t=5, b=3, seed=2)

    def alone(i: int, x: np.ndarray) -> Any:
        e, past, total = np.exp(0.5 * np.arange(len(x))), 0.0, 0.0
        for j, x_j in enumerate(x):
            past = 0.5 * past + noise[j, i] * x_j + i
            total += e[j] / e.sum() * np.sin(x_j) * past
        return total

    for i, n in enumerate(lengths):
        real = given[i, :n].astype(complex)
        assert np.isclose(got[0][i], alone(i, real).real, rtol=1e-12) and not got[1][i, n:].any()
        slopes = [alone(i, real + 1e-30j * (np.arange(n) == j)).imag / 1e-30 for j in range(n)]
        assert np.allclose(got[1][i, :n], slopes, rtol=1e-12)


def test_an_input_over_the_mapped_axis_is_refused():
    with pytest.raises(ag.AxisError, match="x already varies over b"):
        ag.vmap(ag.input("x", over=(b, t)) + ag.input("y", over=t), over=b)


def test_draws_in_a_vmap_are_those_that_their_axes_say():
    x = ag.input("x", over=t)
    shared = ag.vmap(ag.normal("n", over=t) * x[t], over=b)
    own = ag.normal("n", over=(b, t)) * ag.input("x", over=(b, t))[t]
    values = ag.compile([shared])(x=np.ones((3, 4)), seed=1)[0]
    assert np.array_equal(values[0], values[2])
    other = ag.compile([own])(x=np.ones((3, 4)), seed=1)[0]
    assert not np.array_equal(other[0], other[2])


def of_opposite_orders() -> tuple[ag.Node, list[ag.Node], dict[str, Any], list[Any]]:
    """A loss of inputs and a state that declare their axes in opposite orders; its leaves, feeds, and gradients by hand."""
    x, y, z, s = ag.input("x", over=(t, b)), ag.input("y", over=(b, t)), ag.input("z", over=(t, b)), ag.state("s", over=(b, t))
    s[b, t] = 0.5 * s[b, t - 1] + z[t, b]
    loss = ag.sum(ag.sin(x + y), over=(t, b)) + ag.sum(s * s, over=(t, b))
    given = {name: RNG.normal(size=(3, 3)) for name in "xyz"}  # of equal lengths: nothing but the values tells
    slope, states, back = np.cos(given["x"] + given["y"].T), [], []
    for row in given["z"]:
        states.append((0.5 * states[-1] if states else 0.0) + row)
    for value in reversed(states):
        back.append(2 * value + (0.5 * back[-1] if back else 0.0))
    dz = np.array(back[::-1])
    return loss, [x, y, z, s], given, [slope, slope.T, dz, dz.T]


def runs_of(loss: ag.Node, wrt: list[ag.Node]) -> dict[str, Callable[..., Any]]:
    grads, named = ag.grad(loss, wrt), ag.value_and_grad(loss, wrt)
    runs: dict[str, Callable[..., Any]] = {
        "adjoint graph": ag.Graph(grads).evaluate,
        "unrolled": ag.Graph(loss).unroll(t=3, b=3).grad(wrt).evaluate,
        "program": lambda **fed: ag.compile([loss, *grads], backend="numpy")(**fed)[1:],
        "value_and_grad": lambda **fed: list(named(**fed)[1].values()),
    }
    if numba.is_available():
        runs["native"] = lambda **fed: ag.compile(grads, backend="numba")(**fed)
    return runs


@pytest.mark.parametrize("turned", [False, True])
def test_a_gradient_is_laid_out_as_what_it_is_the_gradient_of(turned):
    loss, wrt, given, want = of_opposite_orders()
    if turned:
        wrt, want = wrt[::-1], want[::-1]
    for name, run in runs_of(loss, wrt).items():
        for got, w in zip(run(**given), want, strict=True):
            np.testing.assert_allclose(got, w, rtol=1e-12, err_msg=name)


def test_a_gradient_keeps_its_layout_with_lengths_in_pieces_and_mapped():
    loss, wrt, given, _ = of_opposite_orders()
    grads = ag.grad(loss, wrt)
    lengths = {(t, b): [3, 2, 1]}
    real = np.arange(3)[:, None] < np.array(lengths[t, b])
    alone = [[ag.compile([loss, *grads])(**{k: v[:n, [i]] if k != "y" else v[[i], :n] for k, v in given.items()})[1:]
              for i, n in enumerate(lengths[t, b])]][0]  # fmt: skip
    for got in (ag.compile([loss, *grads])(**given, lengths=lengths)[1:], ag.Graph(grads).evaluate(**given, lengths=lengths),
                ag.Graph(loss).unroll(t=3, b=3).grad(wrt).evaluate(**given, lengths=lengths)):  # fmt: skip
        for k, (value, node) in enumerate(zip(got, wrt, strict=True)):
            value = value if node.axes == (t, b) else value.T
            assert np.all(value[~real] == 0)
            for i, n in enumerate(lengths[t, b]):
                np.testing.assert_allclose(value[:n, i], alone[i][k].reshape(-1), rtol=1e-12)
    whole = ag.compile([loss, *grads])(**given)[1:]
    got, _ = ag.compile([loss, *grads], carry=t)(**given, carry=None)
    mapped = ag.compile(ag.vmap(grads, over=c))(**{k: v[None] for k, v in given.items()})
    for one, piece, several in zip(whole, got[1:], mapped, strict=True):
        np.testing.assert_allclose(piece, one, rtol=1e-12)
        np.testing.assert_allclose(several[0], one, rtol=1e-12)


def test_the_gradient_of_a_gradient_is_laid_out_as_what_it_belongs_to():
    loss, wrt, given, _ = of_opposite_orders()
    first = ag.grad(loss, wrt[:2])
    second = ag.grad(ag.sum(first[0] * first[1], over=(t, b)), wrt[:2])  # of cos²: −2 sin cos
    given = {name: given[name] for name in "xy"}
    angle = given["x"] + given["y"].T
    want = -np.sin(2 * angle)
    for got in (ag.compile(second, backend="numpy")(**given), ag.Graph(second).evaluate(**given)):
        np.testing.assert_allclose(got[0], want, rtol=1e-12)
        np.testing.assert_allclose(got[1], want.T, rtol=1e-12)
