"""The reasons for which a gradient is zero, each in a model where it holds; and the value where it is not."""

from __future__ import annotations

import re

import numpy as np
import pytest

import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")
X = [0.3, -0.2, 0.5, 0.1]


def rnn(gate: ag.Node | None = None, over: object = t) -> tuple[ag.Node, ag.Node]:
    x, s, w = ag.input("x", over=over), ag.state("s", over=over, init={t: ag.param("s0")}), ag.param("w")
    back = w * s[t - 1]
    s[t] = ag.tanh((back if gate is None else gate * back) + x[t])
    return ag.last(s, over=t).named("L"), s


def said(why: ag.Why) -> str:
    return re.sub(r" \(\S+:\d+\)", "", str(why))


def test_what_is_not_zero_has_its_size() -> None:
    L, s = rnn()
    why = ag.why_zero(L, s, 1, x=X, w=0.8, s0=0.0)
    want = ag.value_and_grad(L, s, backend="numpy")(x=X, w=0.8, s0=0.0)[1]["s"]
    assert (why.reason, why.places) == ("not zero", ())
    assert why.size == pytest.approx(want[1], rel=1e-12)
    assert str(why) == f"∂L/∂s at t = 1 is not 0: its largest entry is {want[1]:.4g}"


def test_a_parameter_is_asked_for_its_use_at_a_step() -> None:
    """w is used at every step, but at step 0 it multiplies a state of 0; as a whole its gradient is not 0."""
    L, s = rnn()
    w = ag.Graph(L)["w"]
    assert (
        said(ag.why_zero(L, w, 0, x=X, w=0.8, s0=0.0)) == "∂L/∂w at t = 0 is 0, masked: s[t - 1] is 0 in w * s[t - 1] at t = 0"
    )
    use, whole = ag.why_zero(L, w, 2, x=X, w=0.8, s0=0.0), ag.why_zero(L, w, x=X, w=0.8, s0=0.0)
    np.testing.assert_allclose(use.size, abs(ag.analyse.credit(s, w, over=t)(x=X, w=0.8, s0=0.0)[-1, 2]), rtol=1e-12)
    assert whole.reason == "not zero"
    s0 = ag.Graph(L)["s0"]
    assert ag.why_zero(L, s0, 0, x=X, w=0.8, s0=0.0).reason == "not zero"
    assert ag.why_zero(L, s0, 1, x=X, w=0.8, s0=0.0).reason == "masked"


def test_no_path() -> None:
    _, s = rnn()
    early = ag.at(s, t, 1).named("E")
    assert said(ag.why_zero(early, s, 2, x=X, w=1.0, s0=0.0)) == (
        "∂E/∂s at t = 2 is 0, no path: the loss depends on s at steps 0, 1 only")  # fmt: skip
    other = ag.input("y", over=t)
    assert said(ag.why_zero(early, other, 1, x=X, w=1.0, s0=0.0, y=X)).endswith("does not depend on it at any step")


def test_outside_of_the_history() -> None:
    L, s = rnn()
    before, after = (ag.why_zero(L, s, step, x=X, w=1.0, s0=0.0) for step in (-1, 4))
    assert (before.reason, after.reason) == ("outside", "outside")
    assert str(after) == "∂L/∂s at t = 4 is 0, outside: the last step is t = 3"
    assert "ask for the row that init= names" in str(before)


@pytest.mark.parametrize(("cut", "step"), [({"segment": 2}, 1), ({"window": 3}, 0), ({"every": 2, "window": 3}, 0)], ids=str)
def test_cut_by_truncation(cut: dict[str, int], step: int) -> None:
    L, s = rnn()
    why = ag.why_zero(L, s, step, **cut, x=X, w=0.8, s0=0.0)
    assert why.reason == "truncated"
    assert next(f"{k}={n}" for k, n in cut.items()) in str(why)
    assert ag.why_zero(L, s, step + 1, **cut, x=X, w=0.8, s0=0.0).reason == "not zero"


def test_masked_by_a_factor_and_by_a_choice() -> None:
    L, s = rnn(ag.input("m", over=t))
    why = ag.why_zero(L, s, 1, x=X, w=0.8, s0=0.0, m=[1.0, 1.0, 0.0, 1.0])
    assert said(why) == "∂L/∂s at t = 1 is 0, masked: m[t] is 0 in m[t] * (w * s[t - 1]) at t = 2"
    _, s = rnn()
    kept = ag.where(ag.input("real", over=t, dtype=bool), s, 0.0)
    why = ag.why_zero(ag.last(kept, over=t).named("K"), s, 3, x=X, w=0.8, s0=0.0, real=[True, True, True, False])
    assert (why.reason, "takes the other operand at t = 3" in str(why)) == ("masked", True)
    why = ag.why_zero(ag.max(s, over=t).named("M"), s, 1, x=X, w=0.0, s0=0.0)
    assert why.reason == "masked"
    assert "does not choose s" in why.places[0]


def test_saturated_says_the_value() -> None:
    L, s = rnn()
    assert said(ag.why_zero(L, s, 0, x=[0.1, 0.1, -50.0, 0.1], w=0.8, s0=0.0)) == (
        "∂L/∂s at t = 0 is 0, saturated: s = tanh((w * s[t - 1]) + x[t]) is -1 at t = 2")  # fmt: skip
    closed = ag.sigmoid(ag.input("a", over=t)).named("f")
    L, s = rnn(closed)
    why = ag.why_zero(L, s, 0, x=X, w=0.8, s0=0.0, a=[0.0, 0.0, -800.0, 0.0])
    assert said(why) == "∂L/∂s at t = 0 is 0, saturated: f[t] is 0 in f[t] * (w * s[t - 1]), f = sigmoid(a[t]) at t = 2"
    r = ag.relu(ag.input("a", over=t))
    why = ag.why_zero(ag.sum(r, over=t).named("R"), ag.Graph(r)["a"], 1, a=[1.0, -2.0])
    assert (why.reason, "relu(a[t]) is 0 at t = 1" in str(why)) == ("saturated", True)


def test_what_a_stable_form_bypasses() -> None:
    """−log softmax is computed without the softmax, which has a gradient nevertheless: −1/y of the label, else 0."""
    x = ag.input("x", (3,), over=t)
    y = ag.softmax(x).named("y")
    L = ag.sum(ag.nll(y, ag.input("l", over=t, dtype=int)), over=t).named("L")
    feeds = {"x": np.array([[0.0, 1.0, 2.0], [800.0, 0.0, 0.0]]), "l": [1, 0]}
    first = np.exp([0.0, 1.0, 2.0])
    np.testing.assert_allclose(ag.why_zero(L, y, 0, **feeds).size, first.sum() / first[1], rtol=1e-12)
    assert ag.why_zero(L, x, 1, **feeds).reason == "saturated"


def test_detached() -> None:
    _, s = rnn()
    L = ag.last(ag.stop_gradient(s) * 2.0, over=t).named("L")
    why = ag.why_zero(L, s, 3, x=X, w=0.8, s0=0.0)
    assert said(why) == "∂L/∂s at t = 3 is 0, detached: stop_gradient(s[t]) passes no gradient on at t = 3"
    counted = ag.sum(ag.where(s > 0, 1.0, 0.0), over=t).named("C")
    assert ag.why_zero(counted, s, 3, x=X, w=0.8, s0=0.0).reason == "detached"


def test_vanished_and_cancelled() -> None:
    x = ag.input("x", over=t)
    s = ag.state("s", over=t)
    s[t] = 1e-60 * s[t - 1] + x[t]
    why = ag.why_zero(ag.last(s, over=t).named("L"), s, 0, x=np.ones(8))
    assert (why.reason, "what reaches" in str(why)) == ("vanished", True)
    why = ag.why_zero((ag.last(s, over=t) * 3.0 - 3.0 * ag.last(s, over=t)).named("L"), s, 7, x=np.ones(8))
    assert why.reason == "cancelled"


def test_a_batch_is_one_step() -> None:
    L, s = rnn(over=(t, b))
    feeds = {"x": np.array([[0.1, 0.1], [0.2, 50.0], [0.1, 0.1]]), "w": 0.8, "s0": 0.0}
    assert ag.why_zero(L, s, 0, over=t, **feeds).reason == "not zero"
    assert ag.why_zero(L, s, 1, over=b, **feeds).reason == "not zero"
    feeds["x"][1] = 60.0
    assert ag.why_zero(L, s, 0, over=t, **feeds).reason == "saturated"


def test_the_size_is_that_of_the_gradient_at_each_step() -> None:
    """Operands that broadcast; a state that is the same for all points of an axis, and whose equation another node reads."""
    x, y = ag.input("x", (2,), over=t), ag.input("y", over=t)
    s, both = ag.state("s", over=(t, b)), ag.state("both", (2,), over=t)
    e = ag.tanh(y + 0.5)
    s[t] = e
    both[t] = ag.tanh(x * both[t - 1] + e + y)
    L = ag.sum(ag.sum(both), over=t) + ag.sum(s[t - 1] * e, over=(t, b)) + 0 * ag.sum(ag.input("z", over=b), over=b)
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(4, 2)), "y": rng.normal(size=4), "z": np.ones(3)}
    for node in (x, y, s, both):
        want = ag.compile([L, ag.grad(L, node)], backend="numpy")(**feeds)[1].reshape(4, -1)
        for step in range(4):
            why = ag.why_zero(L, node, step, over=t, **feeds)
            np.testing.assert_allclose(why.size, np.abs(want[step]).max(), rtol=1e-12, err_msg=f"{node.name} at {step}")


def test_through_an_equilibrium() -> None:
    """What comes back to an equilibrium goes round its equation until it settles, within the steps of a recurrence too."""
    W, x = ag.param("W", (2, 2)), ag.input("x", (2,), over=t)
    z, r = ag.equilibrium("z", (2,), over=t, damping=0.2, start=x), ag.state("r", (2,), over=t)
    z[t] = ag.tanh(W @ z[t] + x[t] + 0.5 * r[t - 1] - 0.3 * z[t - 2])
    r[t] = 0.5 * r[t - 1] + z[t]
    L = ag.last(ag.sum(r * r), over=t)
    feeds = {"W": [[0.4, -0.9], [0.7, 0.2]], "x": np.random.default_rng(0).normal(size=(4, 2))}
    for node in (z, r, x):
        want = ag.Graph(ag.grad(L, node)).evaluate(**feeds)[0]
        for step in range(4):
            np.testing.assert_allclose(ag.why_zero(L, node, step, **feeds).size, np.abs(want[step]).max(), rtol=1e-9)
    why = ag.why_zero(L, x, 1, **{**feeds, "x": np.where(np.arange(4)[:, None] < 3, feeds["x"], 60.0)})
    assert why.reason == "not zero"  # r passes on what z does not
    why = ag.why_zero(ag.sum(ag.last(z, over=t)), x, 3, **{**feeds, "x": np.full((4, 2), 60.0)})
    assert said(why).startswith("∂loss/∂x at t = 3 is 0, saturated: tanh(") and said(why).endswith("is 1 at t = 3")
    start, c = ag.param("start"), ag.param("c")
    y = ag.equilibrium("y", start=start)
    y[...] = ag.cos(c * y)
    assert "where the iteration of y = equilibrium(cos(c * y), start) starts does not change where it ends" in str(
        ag.why_zero(y, start, start=0.3, c=0.5)
    )
    with pytest.raises(ag.EquilibriumError, match="y has not settled within 1000 iterations"):
        ag.why_zero(y, c, start=0.5, c=4.0)


def test_nodes_without_a_name_are_called_what_they_compute() -> None:
    """The derivative is of the loss, and not of the operation that happens to be its last one."""
    L, s = rnn()
    loss = L * L
    assert str(ag.why_zero(loss, s[t - 1], 3, x=X, w=0.8, s0=0.0)).startswith("∂loss/∂(s[t - 1]) at t = 3 is not 0")


def test_what_only_looks_saturated_or_masked() -> None:
    """Products that underflow, a softmax whose entries are added up, NaN on the way, no steps, half a step."""
    x, h, y = ag.input("x", (2,), over=t), ag.state("h", (2,), over=t), ag.input("y", over=t)
    h[t] = 1e-200 * h[t - 1] + x[t]
    feeds = {"x": np.random.default_rng(0).normal(size=(4, 2))}
    last = ag.sum(ag.last(h, over=t))
    assert said(ag.why_zero(last, h, 1, **feeds)).endswith(
        "is 0, vanished: what 1e-200 * h[t - 1] passes on is less than the smallest number at t = 2")  # fmt: skip
    gone = ag.why_zero(ag.sum(ag.sum(ag.softmax(x)), over=t), x, 1, x=np.array([[1.0, 1.0], [2.0, 2.0]]))
    assert gone.reason == "cancelled" and "softmax(x[t]), which add up to 1 in any case" in str(gone)
    nan = ag.why_zero(ag.sum(ag.relu(y), over=t), y, 1, y=[1.0, np.nan])
    assert nan.reason == "not finite" and "relu(y[t]) is NaN: ag.find_nan says where" in str(nan)
    assert str(ag.why_zero(ag.sum(ag.relu(y), over=t), y, 0, y=[])).endswith("is 0, outside: there is no step of t")
    masked = ag.why_zero(ag.sum(ag.where(ag.equal(ag.index(t), 1), y, 0.0), over=t), y, 0, y=[1.0, 2.0])
    assert said(masked).endswith("masked: where(index(t) == 1, y[t], 0.0) takes the other operand at t = 0")
    with pytest.raises(ag.AxisError, match=r"Q132.*1\.5 is not a step"):
        ag.why_zero(last, h, 1.5, **feeds)  # type: ignore[arg-type]


def test_padding_is_outside_or_masked() -> None:
    """The second sequence ends after 2 of 4 steps: its padding reaches nothing, and after the longest there is no step."""
    L, s = rnn(over=(t, b))
    feeds = {"x": np.array([X, X]).T, "w": 0.8, "s0": 0.0, "lengths": {t: [3, 2]}}
    want = ag.compile([L, ag.grad(ag.sum(L, over=b), s)], backend="numpy")(**feeds)[1]
    for step in range(3):
        np.testing.assert_allclose(ag.why_zero(L, s, step, over=t, **feeds).size, np.abs(want[step]).max(), rtol=1e-12)
    assert str(ag.why_zero(L, s, 3, over=t, **feeds)) == "∂L/∂s at t = 3 is 0, outside: the last step is t = 2"
    x = ag.Graph(L)["x"]
    only_second = ag.sum(ag.where(ag.equal(ag.index(b), 1), L, 0.0), over=b).named("K")
    assert ag.why_zero(only_second, x, 2, over=t, **feeds).reason in ("masked", "no path")
    assert ag.why_zero(L, s, 0, over=t, segment=2, **feeds).reason == "not zero"


def test_what_is_refused() -> None:
    L, s = rnn(over=(t, b))
    with pytest.raises(ag.AxisError, match=r"Q122.*its step is not clear"):
        ag.why_zero(L, s, 0, x=np.ones((3, 2)), w=1.0, s0=0.0)
    with pytest.raises(ag.GradientError, match=r"E139.*is not a float node"):
        ag.why_zero(L, ag.index(t), 0)
