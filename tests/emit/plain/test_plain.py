"""Programs as they are written by hand: what they compute, that they hold what they need, and that they read like a lecture."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")


def rnn() -> tuple[ag.Node, dict[str, np.ndarray]]:
    x, l = ag.input("x", (3,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (4, 3)), ag.param("W", (4, 4)), ag.param("V", (5, 4))
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    y = ag.softmax(V @ s[t]).named("y")
    rng = np.random.default_rng(0)
    feeds = {n.name: rng.normal(size=n.shape) for n in (U, W, V)}
    return ag.sum(ag.nll(y, l[t]), over=t).named("L"), {"x": np.eye(4, 3), "l": np.array([0, 1, 2, 4]), **feeds}


def test_the_textbook_is_what_runs():
    loss, feeds = rnn()
    step = ag.value_and_grad(loss, backend="plain")
    assert step.program.backend == "plain" and step.source == step.program.textbook
    names: dict[str, object] = {}
    exec(step.textbook, names)
    value, grads = names["step"](**feeds)  # by the names that were declared
    want, others = ag.value_and_grad(loss, backend="numpy")(**feeds)
    assert abs(value - want) < 1e-12 and list(grads) == list(others)
    assert all(np.allclose(grads[name], others[name], rtol=0, atol=1e-12) for name in grads)


def test_parameters_stand_in_the_order_of_the_equations_and_a_mean_is_divided_by_lengths():
    b, t = ag.Axis("b"), ag.Axis("t")
    x, U, V = ag.input("x", (3,), over=(b, t)), ag.param("U", (2, 3)), ag.param("V", (2,))
    loss = ag.mean(ag.dot(V, ag.tanh(U @ x)) ** 2, over=(b, t))
    step = ag.value_and_grad(loss, backend="plain")
    assert "def step(x, U, V):" in step.textbook and "zero_safe_mul" not in step.textbook and "/ T / B" in step.textbook
    feeds = {"x": np.ones((2, 4, 3)), "U": np.full((2, 3), 0.1), "V": np.array([1.0, 2.0])}
    outs = ag.Graph([loss, *ag.grad(loss, [U, V])]).unroll(b=2, t=4).evaluate(**feeds)
    value, grads = step(**feeds)
    assert list(grads) == ["U", "V"] and list(ag.value_and_grad(loss, [V, U], backend="plain")(**feeds)[1]) == ["V", "U"]
    assert all(np.allclose(a, o, rtol=1e-13, atol=0) for a, o in zip((value, *grads.values()), outs, strict=True))


def test_widths_are_those_of_the_feeds():
    loss, feeds = rnn()
    narrow = {k: v.astype(np.float32) if v.dtype == float else v for k, v in feeds.items()}
    value, grads = ag.value_and_grad(loss, backend="plain")(**narrow)
    assert value.dtype == np.float32 and all(g.dtype == np.float32 for g in grads.values())


@pytest.mark.parametrize("label", [5, -1])
def test_a_label_out_of_range_is_refused(label):
    loss, feeds = rnn()
    with pytest.raises(ag.FeedError, match="l"):
        ag.value_and_grad(loss, backend="plain")(**{**feeds, "l": np.array([0, label, 2, 4])})


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_boundary_rows(steps):
    """In front and behind, from a list, from one row for all, of a parameter, and of what another loop leaves."""
    x, p = ag.input("x", (2,), over=t), ag.param("p", (2,))
    early, late = ag.state("early", (2,), over=t, init=[p, 2 * p, p + 1]), ag.state("late", (2,), over=t, final=p)
    early[t] = ag.sin(early[t - 3] + 0.5 * early[t - 1] + x[t])
    late[t] = ag.cos(late[t + 2] - early[t] + ag.shift(x, t, 1) + ag.shift(x, t, -1, final=p))
    loss = ag.sum(ag.sum(early * late, over=t))
    outputs = [loss, *ag.grad(loss, [p, x])]
    feeds = {"x": np.random.default_rng(1).normal(size=(steps, 2)), "p": np.array([0.3, -0.7])}
    got, want = ag.compile(outputs, backend="plain")(**feeds), ag.Graph(outputs).evaluate(**feeds)
    assert all(np.allclose(g, w, rtol=0, atol=1e-12) and g.shape == w.shape for g, w in zip(got, want, strict=True))


def test_lengths_pieces_streams_and_layouts():
    x, w = ag.input("x", over=(t, b)), ag.param("w")
    h = ag.state("h", over=(t, b))
    h[t, b] = ag.tanh(w * h[t - 1, b] + x[t, b])
    data, rng = {"w": np.array(0.7)}, np.random.default_rng(2)
    data["x"] = rng.normal(size=(5, 3))
    plain, numpy = (ag.compile([h, ag.sum(h, over=(t, b))], backend=name, order=(b, t)) for name in ("plain", "numpy"))
    for more in ({}, {"lengths": {t: [5, 2, 0]}}):
        for got, want in zip(plain(**data, **more), numpy(**data, **more), strict=True):
            assert got.shape == want.shape and np.allclose(got, want, rtol=0, atol=1e-12)
    pieces, carry, parts = ag.compile(h, backend="plain", carry=t), None, []
    for at in (slice(0, 2), slice(2, 5)):
        (part,), carry = pieces(x=data["x"][at], w=data["w"], carry=carry)
        parts.append(part)
    assert np.allclose(np.concatenate(parts), numpy(**data)[0].T, rtol=0, atol=1e-12)


def test_operations_of_the_user_draws_and_hostile_names():
    cube = ag.defop("plain_cube", forward=lambda x: x**3, shape=ag.same_shape, vjp=lambda g, y, x: (3 * g * x * x,))
    x = ag.input('class\n""" ∂ np', (2,), over=t)
    loss = ag.sum(ag.sum(cube(x[t]) * ag.normal("for", (2,), over=t) + cube(x[t]), over=t)).named("T")
    outputs = [loss, ag.grad(loss, x)]
    feeds = {x.name: np.random.default_rng(3).normal(size=(4, 2)), "seed": 5}
    program = ag.compile(outputs, backend="plain")
    for got, want in zip(program(**feeds), ag.Graph(outputs).evaluate(**feeds), strict=True):
        assert np.allclose(got, want, rtol=0, atol=1e-12)
    with pytest.raises(ag.OperationError, match="plain_cube"):
        program.save_source("never.py")


def test_axes_that_no_feed_tells_and_numbers_of_python():
    """A quotient of Python's numbers would raise where NumPy's is infinite."""
    i = ag.index(t)
    outputs = [1 / i, (2 * i + 1) / i, ag.sum(i, over=t) / ag.sum(0 * i, over=t), ag.where(i < 2, 1, 0) * (i < 3)]
    for n in (0, 3):
        got, want = ag.compile(outputs, backend="plain")(t=n), ag.Graph(outputs).evaluate(t=n)
        assert all(np.array_equal(g, w, equal_nan=True) and g.dtype == w.dtype for g, w in zip(got, want, strict=True))


def test_a_saved_textbook_runs_alone(tmp_path):
    loss, feeds = rnn()
    table = np.linspace(0, 1, 100).reshape(5, 20)
    step = ag.compile([loss, ag.sum(ag.constant(table) @ np.ones(20)) * loss], backend="numpy")
    path = step.save_source(tmp_path / "step.py", textbook=True)
    names: dict[str, object] = {}
    exec(path.read_text(encoding="utf-8"), names)
    assert np.allclose(names["step"](**feeds), step(**feeds), rtol=1e-12)
    assert "by hand" in names["__doc__"]


def test_only_numpy_calls_are_profiled():
    loss, feeds = rnn()
    with pytest.raises(ag.OperationError, match="plain"):
        ag.compile(loss, backend="plain").profile(**feeds)


BATCH = '''\
def step(x, w):
    """Compute the loss, and its gradients by cell/w."""
    T, B = x.shape
    loss, dw = 0.0, 0.0
    for b in range(B):
        h = np.zeros(T + 1)  # h[-1] = 0
        for t in range(T):
            # h[t, b] = tanh(w · h[t − 1, b] + x[t, b])
            h[t] = np.tanh(w * h[t - 1] + x[t, b])
            # loss = ΣₜΣ_b (h[t, b] − 1)²
            loss += (h[t] - 1.0) ** 2
        dz_h = np.zeros(T + 1)  # dz_h[T] = 0
        for t in reversed(range(T)):
            # dh[t, b] = 2 · (h[t, b] − 1) + dz_h[t + 1, b] · w
            dh = 2.0 * (h[t] - 1.0) + dz_h[t + 1] * w
            # dz_h[t, b] = dh[t, b] · (1 − h[t, b]²)
            dz_h[t] = dh * (1 - h[t] ** 2)
            # dw = ΣₜΣ_b dz_h[t, b] · h[t − 1, b]
            dw += dz_h[t] * h[t - 1]

    return loss, {"cell/w": dw}
'''


def test_a_batch_is_a_loop_around_the_program_of_one_sequence():
    """The loss has a name, a scope is left out where no name needs it, and equal terms are added up."""
    x = ag.input("x", over=(t, b))
    with ag.scope("cell"):
        w, h = ag.param("w"), ag.state("h", over=(t, b))
        h[t] = ag.tanh(w * h[t - 1] + x[t])
    step = ag.value_and_grad(ag.sum((h - 1.0) * (h - 1.0), over=(t, b)))
    assert step.textbook.partition("\n\n\n")[2] == BATCH


def test_sequences_that_read_each_other_have_no_loop_of_their_own():
    x, h = ag.input("x", over=(t, b)), ag.state("h", over=(t, b))
    h[t] = ag.tanh(h[t - 1] + x[t] - ag.mean(h[t - 1], over=b))
    for output in (ag.sum(h, over=(t, b)), ag.sum(x / ag.sum(x, over=b), over=(t, b))):
        program = ag.compile(output, backend="plain")
        assert program.source.index("for t in") < program.source.index("for b in")
        feed = np.arange(1.0, 7.0).reshape(2, 3)
        assert np.allclose(program(x=feed), ag.Graph(output).evaluate(x=feed), rtol=1e-12)
