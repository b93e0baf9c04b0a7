"""Gradients through time: rows, states, inputs, orders, cotangents; on graphs and on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

RNG = np.random.default_rng(7)


def central(f: Any, x: Any, step: float = 1e-5) -> np.ndarray:
    """Return the derivative of a scalar function by central differences, extrapolated: not the package's own."""
    x = np.asarray(x, float)
    out = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):

        def slope(h: float, at: tuple[int, ...] = at) -> float:
            hi, lo = x.copy(), x.copy()
            hi[at] += h
            lo[at] -= h
            return float((f(hi) - f(lo)) / (2 * h))

        out[at] = (4 * slope(step) - slope(2 * step)) / 3
    return out


Feeds = dict[str, Any]


def agree(loss: ag.Node, wrt: list[ag.Node], feeds: Feeds, tol: float = 1e-8, **sizes: int) -> list[np.ndarray]:
    """Compare the folded adjoint, the DAG's reverse mode and central differences; return the gradients."""
    dag = ag.Graph(loss, wrt).unroll(**sizes)
    named = {n.name: feeds[n.name] for n in wrt}
    folded = ag.Graph(ag.grad(loss, wrt), loss, wrt).unroll(**sizes).evaluate(**feeds)[: len(wrt)]
    plain = dag.grad([n.name for n in wrt]).evaluate(**feeds)
    for name, a, b in zip(named, folded, plain, strict=True):
        numeric = central(lambda v, name=name: dag.evaluate(**{**feeds, name: v})[0], named[name])
        scale = max(np.max(np.abs(numeric), initial=0.0), 1e-12)
        assert a.shape == b.shape == numeric.shape
        assert np.max(np.abs(a - b), initial=0.0) <= 1e-12 * scale
        assert np.max(np.abs(a - numeric), initial=0.0) <= tol * scale
    return list(folded)


# -- the numbers of the design ----------------------------------------------------------------------------------------


def test_full_back_propagation_of_the_scalar_recurrence() -> None:
    """h_t = w·h_{t-1} + x_t, w = 0.5, h₋₁ = 2, x = 1…6, L = Σ h_t: dL/dw = 38.8125 and dL/dh₋₁ = 0.984375."""
    t = ag.Axis("t")
    w, h0, x = ag.param("w"), ag.param("h0"), ag.input("x", over=t)
    h = ag.state("h", over=t, init=h0)
    h[t] = w * h[t - 1] + x[t]
    L = ag.sum(h, over=t)
    dw, dh0 = agree(L, [w, h0], {"w": 0.5, "h0": 2.0, "x": np.arange(1.0, 7.0)}, t=6)
    assert (float(dw), float(dh0)) == (38.8125, 0.984375)


def test_two_initial_rows() -> None:
    """y_t = 0.5·y_{t-2} + 1, init [1, 10], T = 5: y = [1.5, 6, 1.75, 4, 1.875] and dL/dinit = [0.875, 0.75]."""
    t = ag.Axis("t")
    a, b = ag.param("a"), ag.param("b")
    y = ag.state("y", over=t, init=[a, b])
    y[t] = 0.5 * y[t - 2] + 1
    L = ag.sum(y, over=t)
    (values,) = ag.Graph(y).unroll(t=5).evaluate(a=1.0, b=10.0)
    da, db = agree(L, [a, b], {"a": 1.0, "b": 10.0}, t=5)
    assert values.tolist() == [1.5, 6.0, 1.75, 4.0, 1.875]
    assert (float(da), float(db)) == (0.875, 0.75)


# -- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("side", ["init", "final"])
def test_gradients_of_rows_in_a_list_also_when_the_sequence_is_shorter(side: str, steps: int) -> None:
    t = ag.Axis("t")
    rows, w, x = [ag.param(f"r{i}", (2,)) for i in range(3)], ag.param("w", (2,)), ag.input("x", (2,), over=t)
    s = ag.state("s", (2,), over=t, **{side: rows})
    sign = 1 if side == "init" else -1
    s[t] = ag.tanh(w * s[t - 3 * sign] + 0.5 * s[t - sign] * x[t])
    L = ag.sum(ag.sum(s[t] * s[t] + s[t], over=t))
    feeds = {f"r{i}": RNG.normal(size=2) for i in range(3)}
    feeds |= {"w": RNG.normal(size=2), "x": RNG.normal(size=(steps, 2))}
    agree(L, [*rows, w, x], feeds, t=steps)


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
@pytest.mark.parametrize("side", ["init", "final"])
def test_one_row_for_all_collects_every_read(side: str, steps: int) -> None:
    t = ag.Axis("t")
    row, x = ag.param("row"), ag.input("x", over=t)
    sign = 1 if side == "init" else -1
    s = ag.state("s", over=t, **{side: row})
    s[t] = ag.sin(s[t - sign]) + x[t] * s[t - 2 * sign]
    agree(ag.sum(s * s, over=t), [row, x], {"row": 0.7, "x": RNG.normal(size=steps)}, t=steps)


def test_one_parameter_as_two_rows_of_a_list_and_as_a_row_of_both_sides() -> None:
    t = ag.Axis("t")
    p = ag.param("p")
    s, r = ag.state("s", over=t, init=[p, p * p]), ag.state("r", over=t, final=p)
    s[t] = ag.tanh(s[t - 2] + 0.3 * s[t - 1])
    r[t] = ag.tanh(r[t + 1] * s[t])
    agree(ag.sum(s * r, over=t), [p], {"p": 0.4}, t=4)


def test_rows_with_an_axis_of_their_own_and_an_input_as_row() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    h0, w = ag.input("h0", (2,), over=b), ag.param("w", (2,))
    h = ag.state("h", (2,), over=(t, b), init={t: h0})
    h[t, b] = ag.tanh(w * h[t - 1, b])
    L = ag.sum(ag.sum(h * h, over=(t, b)))
    agree(L, [h0, w], {"h0": RNG.normal(size=(3, 2)), "w": RNG.normal(size=2)}, t=4, b=3)


def test_rows_of_a_shift_and_of_a_grid() -> None:
    i, j = ag.Axis("i"), ag.Axis("j")
    p, q, z = ag.param("p"), ag.param("q"), ag.input("z", over=(i, j))
    g = ag.state("g", over=(i, j), init={i: p, j: q})
    g[i, j] = ag.tanh(0.6 * g[i - 1, j] + 0.5 * g[i, j - 1] + 0.4 * g[i - 1, j - 1] + z[i, j])
    L = ag.sum(g * ag.shift(z, i, -1, final=p * q), over=(i, j))
    agree(L, [p, q, z], {"p": 0.3, "q": -0.8, "z": RNG.normal(size=(3, 4))}, i=3, j=4)


# -- with respect to anything -----------------------------------------------------------------------------------------


def rnn() -> tuple[dict[str, ag.Node], dict[str, Any]]:
    t = ag.Axis("t")
    x, l = ag.input("x", (3,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (4, 3)), ag.param("W", (4, 4)), ag.param("V", (5, 4))
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    L = ag.sum(ag.nll(ag.softmax(V @ s[t]), l[t]), over=t).named("L")
    orthogonal = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    feeds = {"x": RNG.normal(size=(6, 3)), "l": [0, 4, 2, 1, 3, 0], "U": RNG.normal(size=(4, 3)), "W": orthogonal,
             "V": RNG.normal(size=(5, 4))}  # fmt: skip
    return {"x": x, "l": l, "U": U, "W": W, "V": V, "s": s, "L": L, "t": t}, feeds  # type: ignore[dict-item]


def test_the_lecture_rnn_against_central_differences() -> None:
    n, feeds = rnn()
    agree(n["L"], [n["U"], n["W"], n["V"], n["x"]], feeds, t=6)


def test_the_gradient_with_respect_to_a_state_is_the_adjoint_state() -> None:
    """dL/ds_t counts what happens later, too: it is what BPTT carries back, and what perturbing s_t does."""
    n, feeds = rnn()
    ds = ag.grad(n["L"], n["s"])
    assert ds.axes == n["s"].axes and ds.shape == (4,)
    (value,) = ag.Graph(ds).evaluate(**feeds)
    t = n["t"]
    e, q = ag.input("e", (4,), over=t), ag.state("q", (4,), over=t)
    q[t] = ag.tanh(n["U"] @ n["x"][t] + n["W"] @ q[t - 1]) + e[t]
    moved = ag.Graph(ag.sum(ag.nll(ag.softmax(n["V"] @ q[t]), n["l"][t]), over=t))
    numeric = central(lambda v: moved.evaluate(**feeds, e=v)[0], np.zeros((6, 4)))
    assert np.max(np.abs(value - numeric)) < 1e-8 * np.max(np.abs(numeric))


def test_the_gradient_with_respect_to_what_lies_between() -> None:
    t = ag.Axis("t")
    w, x = ag.param("w"), ag.input("x", over=t)
    a = (w * x[t]).named("a")
    L = ag.sum(ag.exp(a), over=t)
    da, dx = ag.grad(L, [a, x])
    a_, x_ = ag.Graph(da, dx).evaluate(w=0.5, x=[1.0, 2.0])
    assert np.allclose(a_, np.exp([0.5, 1.0])) and np.allclose(x_, 0.5 * np.exp([0.5, 1.0]))


def test_the_gradient_with_respect_to_one_read_counts_that_read_alone() -> None:
    t = ag.Axis("t")
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    s[t] = x[t] + 0.5 * s[t - 1]
    read = s[t - 1]
    assert ag.Graph(ag.grad(ag.sum(2.0 * read, over=t), read)).unroll(t=3).evaluate()[0].tolist() == [2.0, 2.0, 2.0]


def test_one_node_gives_a_node_and_several_a_list() -> None:
    w, v = ag.param("w"), ag.param("v")
    assert isinstance(ag.grad(w * v, w), ag.Node)
    assert [type(g) for g in ag.grad(w * v, [w, v])] == [ag.Node, ag.Node]
    assert ag.grad(w * v, []) == []
    assert [float(g) for g in ag.Graph(ag.grad(w * v, (w, w))).evaluate(v=3.0)] == [3.0, 3.0]


def test_the_gradient_of_a_node_with_respect_to_itself_is_one() -> None:
    w = ag.param("w")
    assert float(ag.grad(w, w)) == 1.0


def test_what_is_not_reached_has_zeros_of_its_own_layout() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    w, x, y, s = ag.param("w", (2, 3)), ag.input("x", over=t), ag.input("y", (4,), over=(b, t)), ag.state("s", over=t)
    s[t] = s[t - 1] + x[t]
    L = ag.sum(x[t] * 2.0, over=t)
    outs = ag.Graph(ag.grad(L, [w, y, s, ag.param("k")]), y).unroll(t=3, b=2).evaluate(y=np.ones((2, 3, 4)))
    assert [o.shape for o in outs[:4]] == [(2, 3), (2, 3, 4), (3,), ()]
    assert all(not o.any() for o in outs[:4])


def test_no_gradient_goes_through_what_is_no_float() -> None:
    t = ag.Axis("t")
    w, x = ag.param("w"), ag.input("x", over=t)
    L = ag.sum(ag.where(x[t] > w, x[t] * x[t], 0.0), over=t)
    dw, dx = ag.Graph(ag.grad(L, [w, x])).evaluate(w=1.0, x=[0.5, 2.0])
    assert float(dw) == 0.0 and dx.tolist() == [0.0, 4.0]


# -- higher orders ----------------------------------------------------------------------------------------------------


def test_second_order_through_time() -> None:
    t = ag.Axis("t")
    w, h0, x = ag.param("w"), ag.param("h0"), ag.input("x", over=t)
    h = ag.state("h", over=t, init=h0)
    h[t] = ag.tanh(w * h[t - 1] + x[t])
    L = ag.sum(h * h, over=t)
    dw, dh = ag.grad(L, [w, h0])
    hessian = [ag.grad(g, [w, h0]) for g in (dw, dh)]
    feeds = {"w": 0.9, "h0": 0.4, "x": RNG.normal(size=6)}
    (ww, wh), (hw, hh) = (ag.Graph(row).evaluate(**feeds) for row in hessian)
    first = ag.Graph(dw, dh).unroll(t=6)
    for value, k, name in ((ww, 0, "w"), (wh, 0, "h0"), (hw, 1, "w"), (hh, 1, "h0")):
        numeric = central(lambda v, k=k, name=name: first.evaluate(**{**feeds, name: v})[k], feeds[name])
        assert float(value) == pytest.approx(float(numeric), rel=1e-7)
    assert float(wh) == pytest.approx(float(hw), rel=1e-12)


def test_a_hessian_vector_product_with_matrices_and_delays_of_two() -> None:
    t = ag.Axis("t")
    W, x = ag.param("W", (3, 3)), ag.input("x", (3,), over=t)
    rows = [ag.param("a", (3,)), ag.param("b", (3,))]
    s = ag.state("s", (3,), over=t, init=rows)
    s[t] = ag.tanh(W @ s[t - 2] + s[t - 1] * x[t])
    L = ag.sum(ag.sum(s * s, over=t))
    direction = RNG.normal(size=(3, 3))
    slope = ag.sum(ag.grad(L, W) * direction)
    W0 = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    feeds = {"W": W0, "a": RNG.normal(size=3), "b": RNG.normal(size=3), "x": RNG.normal(size=(5, 3))}
    agree(slope, [W, *rows, x], feeds, tol=1e-7, t=5)


def test_third_derivative() -> None:
    w = ag.param("w")
    g = ag.sin(w)
    for _ in range(3):
        g = ag.grad(g, w)
    assert float(ag.Graph(g).evaluate(w=0.3)[0]) == pytest.approx(-np.cos(0.3), rel=1e-14)


# -- cotangents -------------------------------------------------------------------------------------------------------


def test_a_cotangent_weighs_the_entries_of_the_output() -> None:
    w = ag.param("w", (3,))
    g = ag.grad(ag.exp(w), w, cotangent=[1.0, 0.0, -2.0])
    assert np.allclose(ag.Graph(g).evaluate(w=np.ones(3))[0], np.e * np.array([1.0, 0.0, -2.0]))


def test_a_cotangent_that_is_a_state_does_not_bring_its_rows() -> None:
    """The adjoint of x[t - 1] at the last step is 0, whatever the cotangent would show behind the sequence."""
    t = ag.Axis("t")
    x, c = ag.input("x", over=t), ag.state("c", over=t, final=100.0)
    c[t] = ag.index(t) + 1.0
    g = ag.grad(x[t - 1] * 1.0, x, cotangent=c), ag.grad(x[t - 1], x, cotangent=c)
    for value in ag.Graph(g, x, c[t + 1]).evaluate(x=np.zeros(3))[:2]:
        assert value.tolist() == [2.0, 3.0, 0.0]


def test_a_cotangent_of_integers_makes_floats_and_one_of_another_shape_is_refused() -> None:
    w = ag.param("w", (2,))
    assert ag.grad(w, w, cotangent=[1, 2]).dtype is float
    with pytest.raises(ag.ShapeError):
        ag.grad(ag.exp(w), w, cotangent=np.ones(3))


def test_a_cotangent_of_an_output_over_time_may_vary_over_time() -> None:
    t = ag.Axis("t")
    w, c = ag.param("w"), ag.input("c", over=t)
    h = ag.state("h", over=t, init=1.0)
    h[t] = w * h[t - 1]
    one, weighed = ag.Graph(ag.grad(h, w, cotangent=1.0), ag.grad(h, w, cotangent=c)).evaluate(w=2.0, c=[1.0, 0.0, 2.0])
    assert float(one) == 1 + 4 + 12 and float(weighed) == 1 + 0 + 24


# -- on arrays --------------------------------------------------------------------------------------------------------


def test_backward_adds_up_and_none_starts_anew() -> None:
    a = ag.tensor([1.0, 2.0], name="a")
    ag.sum(a * a).backward()
    assert a.grad.tolist() == [2.0, 4.0]
    ag.sum(a * a).backward()
    assert a.grad.tolist() == [4.0, 8.0]
    a.grad = None
    (3 * a).backward(np.array([1.0, -1.0]))
    assert a.grad.tolist() == [3.0, -3.0]


def test_backward_through_shared_nodes_and_broadcasting() -> None:
    a, b = ag.tensor(np.ones((3, 1))), ag.tensor([1.0, 2.0])
    c = a * b
    loss = ag.sum(c * c + c)
    loss.backward()
    assert a.grad.shape == (3, 1) and b.grad.shape == (2,)
    assert np.allclose(a.grad, 13.0) and np.allclose(b.grad, [9.0, 15.0])
    assert float(loss.grad) == 1.0 and np.allclose(c.grad, 2 * c.value + 1)


def test_backward_agrees_with_grad_and_keeps_the_width() -> None:
    a = ag.tensor(np.array([0.3, -0.7], np.float32), name="a")
    loss = ag.sum(ag.tanh(a) * 2.0)
    loss.backward()
    node = ag.grad(loss, a)
    assert a.grad.dtype == np.float32 and np.allclose(node.value, a.grad, rtol=1e-6)


def test_gradients_are_not_the_callers_array() -> None:
    a, b, c = ag.tensor([1.0, 2.0]), ag.tensor([3.0, 4.0]), np.ones(2)
    (a + b).backward(c)
    c[0] = 99.0
    assert a.grad.tolist() == b.grad.tolist() == [1.0, 1.0]


def test_constants_collect_nothing() -> None:
    a = ag.tensor(2.0)
    k = ag.constant(3.0)
    (a * k).backward()
    assert k.grad is None and float(a.grad) == 3.0


# -- the numerical check ----------------------------------------------------------------------------------------------


def test_check_grad_says_how_far_and_by_what() -> None:
    n, feeds = rnn()
    report = ag.check_grad(n["L"], [n["W"], n["x"]], feeds)
    assert report.worst < 1e-10
    assert report.method == {"W": "complex step", "x": "complex step"}
    assert str(report).splitlines()[0].startswith("W: ")


def test_check_grad_falls_back_where_the_program_is_not_analytic() -> None:
    w = ag.param("w", (2,))
    report = ag.check_grad(ag.sum(ag.abs(w)), w, {"w": [0.5, -1.5]})
    assert report.method == {"w": "central differences"} and report.worst < 1e-6


@pytest.mark.parametrize(
    ("name", "vjp"),
    [
        ("wrong_sign", lambda g, y, x: (-g * ag.cos(x),)),
        ("wrong_factor", lambda g, y, x: (g * ag.cos(x) * (1 + 1e-5),)),
        ("wrong_function", lambda g, y, x: (g * y,)),
        ("no_path", lambda g, y, x: (None,)),
    ],
)
def test_check_grad_catches_a_wrong_rule_also_through_time(name: str, vjp: Any) -> None:
    op = ag.defop(f"reverse_{name}", shape=ag.same_shape, forward=np.sin, vjp=vjp)
    t = ag.Axis("t")
    w, x = ag.param("w"), ag.input("x", over=t)
    s = ag.state("s", over=t)
    s[t] = op(w * s[t - 1] + x[t])
    L = ag.sum(s, over=t)
    with pytest.raises(ag.GradientCheckError, match=r"E108.*the gradient with respect to w is wrong"):
        ag.check_grad(L, w, {"w": 0.8, "x": [1.0, 0.5, -0.3]})
    with pytest.raises(ag.GradientCheckError):
        ag.check_op(op, [0.3, 0.8])


def test_a_complex_step_sees_an_error_of_a_ten_millionth() -> None:
    op = ag.defop("reverse_nearly", shape=ag.same_shape, forward=np.sin,
                  vjp=lambda g, y, x: (g * ag.cos(x) * (1 + 1e-7),))  # fmt: skip
    with pytest.raises(ag.GradientCheckError, match="by complex step"):
        ag.check_op(op, [0.3, 0.8], method="complex step")


@pytest.mark.parametrize("forward", [np.sum, lambda x: x[..., :1], lambda x: np.stack([x, x]), lambda x: x > 0])
def test_check_op_catches_a_wrong_shape_or_kind(forward: Any) -> None:
    op = ag.defop(f"reverse_shape_{id(forward)}", shape=ag.same_shape, forward=forward, vjp=lambda g, y, x: (g,))
    with pytest.raises(ag.GradientCheckError, match="does not return what it declares"):
        ag.check_op(op, [0.3, 0.8])


def test_check_op_looks_at_the_second_order() -> None:
    """A rule whose number is right but whose own derivative is cut off passes order=1 and fails order=2."""
    op = ag.defop("reverse_flat", shape=ag.same_shape, forward=np.sin,
                  vjp=lambda g, y, x: (g * ag.stop_gradient(ag.cos(x)),))  # fmt: skip
    assert ag.check_op(op, [0.3, 0.8], order=1).worst < 1e-10
    with pytest.raises(ag.GradientCheckError):
        ag.check_op(op, [0.3, 0.8])


def test_the_adjoint_is_as_large_as_the_equations_not_as_the_sequence() -> None:
    n, feeds = rnn()
    g = ag.Graph(ag.grad(n["L"], [n["U"], n["W"], n["V"]]))
    assert len(g) < 50
    for steps in (1, 9):
        f = {**feeds, "x": np.ones((steps, 3)), "l": np.zeros(steps, int)}
        assert [v.shape for v in g.evaluate(**f)] == [(4, 3), (4, 4), (5, 4)]


def test_gradients_at_no_steps_are_zeros() -> None:
    n, feeds = rnn()
    g = ag.Graph(ag.grad(n["L"], [n["U"], n["W"], n["V"], n["x"]]))
    f = {**feeds, "x": np.ones((0, 3)), "l": []}
    outs = g.unroll(t=0).evaluate(**f)
    assert [o.shape for o in outs] == [(4, 3), (4, 4), (5, 4), (0, 3)] and not any(o.any() for o in outs)


def test_a_cotangent_that_is_the_same_at_all_points_counts_at_each_of_them():
    """Σ_b (w + z_b) has dw = B: the cotangent of the sum is 1 everywhere, and w is read at B points."""
    b, t = ag.Axis("b"), ag.Axis("t")
    w, z = ag.param("w"), ag.input("z", over=b)
    assert ag.Graph(ag.grad(ag.sum(w + z, over=b), w), z).evaluate(z=[1.0, 2.0, 3.0])[0] == 3.0
    x, row = ag.input("x", over=(t, b)), ag.param("row")
    s = ag.state("s", over=(t, b), init={t: row})
    s[t] = x
    graph = ag.Graph(ag.grad(ag.sum(s[t - 1], over=(t, b)), row), x)
    assert graph.evaluate(x=np.zeros((2, 4)))[0] == 4.0
