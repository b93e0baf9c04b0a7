"""Parameters that differ along a named axis: heads, layers, experts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

t, b, k = ag.Axis("t"), ag.Axis("b"), ag.Axis("expert", size=3)
RNG = np.random.default_rng(0)
W, G, X = RNG.normal(size=(3, 2, 2)), RNG.normal(size=(3, 2)), RNG.normal(size=(5, 2))


def make_mixture() -> tuple[ag.Node, ag.Node]:
    """Experts that each keep a state, mixed by gates: their parameters vary over the axis of experts."""
    x, w, gate = ag.input("x", (2,), over=t), ag.param("w", (2, 2), over=k), ag.param("gate", (2,), over=k)
    h = ag.state("h", (2,), over=(t, k))
    h[t] = ag.tanh(w @ h[t - 1] + x[t])
    y = ag.sum(ag.softmax(ag.dot(gate, x[t]), axis=(), over=k) * h[t], over=k)
    return y, ag.sum(ag.sum(y * y), over=t)


def run_by_hand(w: Any, gate: Any, xs: Any = X) -> Any:
    h, rows = np.zeros((3, 2), np.result_type(w, gate)), []
    for x in xs:
        h = np.tanh((w @ h[..., None])[..., 0] + x)
        p = np.exp(gate @ x)
        rows.append((p / p.sum()) @ h)
    return np.array(rows)


def take_complex_steps(w: Any, gate: Any) -> list[Any]:
    out = []
    for at, values in enumerate((w, gate)):
        slope = np.zeros(values.shape)
        for place in np.ndindex(values.shape):
            moved = [np.array(v, complex) for v in (w, gate)]
            moved[at][place] += 1e-30j
            slope[place] = np.sum(run_by_hand(*moved) ** 2).imag / 1e-30
        out.append(slope)
    return out


@pytest.mark.parametrize("backend", ["numpy", "numba", "plain"])
def test_parameters_of_experts(backend: str, in_python: None):
    y, loss = make_mixture()
    program = ag.compile([y, *ag.grad(loss, [ag.Graph(loss)["w"], ag.Graph(loss)["gate"]])], backend=backend)
    found = program(x=X, w=W, gate=G)
    for value, want in zip(found, (run_by_hand(W, G), *take_complex_steps(W, G)), strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-12)


def test_the_unrolled_graph_and_all_float_parameters_by_default():
    y, loss = make_mixture()
    value, grads = ag.value_and_grad(loss, backend="numpy")(x=X, w=W, gate=G)
    assert {name: g.shape for name, g in grads.items()} == {"w": (3, 2, 2), "gate": (3, 2)}
    unrolled = ag.Graph(y, loss).unroll(t=5, expert=3).evaluate(x=X, w=W, gate=G)
    np.testing.assert_allclose(unrolled[0], run_by_hand(W, G), rtol=1e-12)
    assert float(unrolled[1]) == pytest.approx(float(value), rel=1e-12)
    assert ag.check_grad(loss, [ag.Graph(loss)["w"]], {"x": X, "w": W, "gate": G})


def test_a_batch_leaves_parameters_as_they_are_and_lengths_mask_its_steps():
    y, loss = make_mixture()
    wide, total = ag.vmap([y, loss], over=b)
    assert ag.Graph(wide)["w"].axes == (k,)
    xs, lengths = RNG.normal(size=(2, 5, 2)), [5, 3]
    step = ag.value_and_grad(ag.sum(total, over=b), backend="numpy")
    value, grads = step(x=xs, w=W, gate=G, lengths={"t": lengths})
    one = ag.value_and_grad(loss, backend="numpy")
    parts = [one(x=x[:n], w=W, gate=G) for x, n in zip(xs, lengths, strict=True)]
    assert float(value) == pytest.approx(sum(float(v) for v, _ in parts), rel=1e-12)
    for name, g in grads.items():
        np.testing.assert_allclose(g, sum(part[name] for _, part in parts), rtol=1e-10, atol=1e-13)


def test_in_pieces_and_in_a_stream():
    y, loss = make_mixture()
    program, carry, rows = ag.compile(y, carry=t, backend="numpy"), None, []
    for piece in (X[:2], X[2:]):
        (out,), carry = program(x=piece, w=W, gate=G, **({} if carry is None else {"carry": carry}))
        rows.append(out)
    np.testing.assert_allclose(np.concatenate(rows), run_by_hand(W, G), rtol=1e-12)
    stream, state, found = ag.stream(y, backend="numpy"), None, []
    for x in X:
        (out,), state = stream(state, x=x, w=W, gate=G)
        found.append(np.array(out))
    np.testing.assert_allclose(found, run_by_hand(W, G), rtol=1e-12)
    step = ag.value_and_grad(loss, backend="numpy", carry=t)
    (_, grads), _ = step(x=X, w=W, gate=G)
    np.testing.assert_allclose(grads["w"], take_complex_steps(W, G)[0], rtol=1e-9)


def test_initial_values_are_drawn_for_each_expert():
    values = ag.nn.init.params(make_mixture()[0], seed=1)
    assert {name: a.shape for name, a in values.items()} == {"w": (3, 2, 2), "gate": (3, 2)}
    for w in values["w"]:
        np.testing.assert_allclose(w @ w.T, np.eye(2), atol=1e-12)
    assert len({w.tobytes() for w in values["w"]}) == 3
    with pytest.raises(ag.AxisError, match=r"N143(.|\n)*w varies over head, whose length is not known"):
        ag.nn.init.params(ag.param("w", (2,), over=ag.Axis("head")))


def test_a_penalty_on_parameters_of_experts_counts_once_in_each_piece_and_is_refused():
    _, loss = make_mixture()
    w = ag.Graph(loss)["w"]
    with pytest.raises(ag.CarryError, match="K115"):
        ag.value_and_grad(loss + ag.sum(ag.sum(w * w), over=k), carry=t)
