"""Programs by hand: the models of the lecture and of the literature, known numbers, lengths of 0, kinds, layouts, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from random_programs import WAYS

import autograd_seq as ag

RNG = np.random.default_rng(11)


class Model(NamedTuple):
    """A loss, further outputs, and what makes feeds of some lengths."""

    loss: ag.Node
    extras: list[ag.Node]
    feeds: Callable[..., dict[str, np.ndarray]]
    axes: tuple[str, ...]


def orthogonal(n: int, m: int) -> np.ndarray:
    return np.linalg.qr(RNG.normal(size=(max(n, m),) * 2))[0][:n, :m]


def feeds_of(*nodes: Any, classes: int = 2) -> Callable[..., dict[str, np.ndarray]]:
    """Return a function that makes random feeds of given lengths for everything the nodes read."""
    inputs = ag.Graph(*nodes).inputs

    def make(**sizes: int) -> dict[str, np.ndarray]:
        out = {}
        for name, node in inputs.items():
            shape = tuple(sizes[a.name] for a in node.axes) + node.shape
            square = not node.axes and len(shape) == 2
            value = RNG.integers(0, classes, size=shape) if node.dtype is int else RNG.normal(size=shape)
            out[name] = orthogonal(*shape) if square else value
        return out

    return make


def assert_close(got: Any, want: Any, what: str, tolerance: float = 1e-12) -> None:
    assert isinstance(got, np.ndarray) and got.shape == want.shape, f"{what}: shape {np.shape(got)} for {want.shape}"
    assert got.dtype == want.dtype, f"{what}: {got.dtype} for {want.dtype}"
    scale = max(1.0, np.max(np.abs(want), initial=0.0))
    error = np.max(np.abs(got - want), initial=0.0) / scale if want.dtype.kind == "f" else float(not np.array_equal(got, want))
    assert error <= tolerance, f"{what}: error {error:.2e}, {np.ravel(got)[:4]} for {np.ravel(want)[:4]}"


def agree(ways: Any, loss: ag.Node, extras: Any, feeds: dict[str, Any], **sizes: int) -> list[np.ndarray]:
    """Compare a program with the unrolled graph, for each choice of passes: the loss, all its gradients, the extras."""
    return Agree(ways, loss, extras)(feeds, **sizes)


class Agree:
    """The same, with feeds of several lengths for one program."""

    def __init__(self, ways: Any, loss: ag.Node, extras: Any) -> None:
        self.wrt = [x for x in ag.Graph(loss).inputs.values() if x.dtype is float]
        self.whole, self.nodes, self.n = ag.Graph(loss, extras, self.wrt), [loss, *extras, *self.wrt], 1 + len(extras)
        self.outputs = [loss, *extras, *ag.grad(loss, self.wrt)]
        made = [(passes, ag.compile(self.outputs, passes=passes)) for passes in ways]
        # many a pass finds nothing to do when it is alone
        self.programs = [*{program.source: (passes, program) for passes, program in reversed(made)}.values()]

    def __call__(self, feeds: dict[str, Any], **sizes: int) -> list[np.ndarray]:
        values = self.whole.unroll(**sizes).grad(self.wrt, with_outputs=True).evaluate(**feeds)
        program, want = ag.Graph(self.outputs), []
        found = [*values[: self.n], *values[self.n + len(self.wrt) :]]
        for node, out, value in zip(self.nodes, self.outputs, found, strict=True):
            laid = self.whole.layout(node)  # each graph lays axes out in the order in which it meets them
            lead = [laid.index(a) for a in program.layout(out)]
            want.append(value.transpose(*lead, *range(len(lead), value.ndim)))
        for passes, run in self.programs:
            got = run(**feeds)
            assert len(got) == len(want)
            for node, a, b in zip(self.nodes, got, want, strict=True):
                assert_close(a, b, f"{node!r}, {sizes}, passes={passes}")
        return want


# -- models -----------------------------------------------------------------------------------------------------------


def rnn(d: int = 3, h: int = 4, k: int = 5) -> Model:
    t = ag.Axis("t")
    x, l = ag.input("x", (d,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (h, d)), ag.param("W", (h, h)), ag.param("V", (k, h))
    b, c = ag.param("b", (h,)), ag.param("c", (k,))
    s = ag.state("s", (h,), over=t, init=ag.param("s0", (h,)))
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1] + b)
    y = ag.softmax(V @ s[t] + c).named("y")
    L = ag.sum(ag.nll(y, l[t]), over=t).named("L")
    return Model(L, [s, y], feeds_of(L, classes=k), ("t",))


def lstm(d: int = 3, h: int = 4, k: int = 2) -> Model:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, target = ag.input("x", (d,), over=(t, b)), ag.input("target", (k,), over=(t, b))
    s, c = ag.state("h", (h,), over=(t, b)), ag.state("c", (h,), over=(t, b))

    def gate(n: str) -> ag.Node:
        return ag.param(f"U{n}", (h, d)) @ x[t] + ag.param(f"W{n}", (h, h)) @ s[t - 1] + ag.param(f"b{n}", (h,))

    i, f, o, g = ag.sigmoid(gate("i")), ag.sigmoid(gate("f")), ag.sigmoid(gate("o")), ag.tanh(gate("g"))
    c[t] = f * c[t - 1] + i * g
    s[t] = o * ag.tanh(c[t])
    L = ag.sum(ag.mse(ag.param("V", (k, h)) @ s[t], target[t]), over=(t, b)).named("L")
    return Model(L, [s, c, i], feeds_of(L), ("t", "b"))


def gru(d: int = 3, h: int = 4, k: int = 2) -> Model:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, l = ag.input("x", (d,), over=(b, t)), ag.input("l", over=(b, t), dtype=int)
    s = ag.state("s", (h,), over=(b, t), init={t: ag.input("s0", (h,), over=b)})

    def gate(n: str, past: ag.Node) -> ag.Node:
        return ag.param(f"U{n}", (h, d)) @ x[t] + ag.param(f"W{n}", (h, h)) @ past + ag.param(f"b{n}", (h,))

    z, r = ag.sigmoid(gate("z", s[t - 1])), ag.sigmoid(gate("r", s[t - 1]))
    s[t] = (1 - z) * s[t - 1] + z * ag.tanh(gate("n", r * s[t - 1]))
    L = ag.sum(ag.cross_entropy(ag.param("V", (k, h)) @ s[t], l[t]), over=(t, b)).named("L")
    return Model(L, [s, z], feeds_of(L, classes=k), ("b", "t"))


def bidirectional(d: int = 3, h: int = 2, k: int = 3) -> Model:
    """Delays of 1, 2 and 3, in both directions, with lists of rows."""
    t = ag.Axis("t")
    x = ag.input("x", (d,), over=t)
    f = ag.state("f", (h,), over=t, init=[ag.param(f"f{j}", (h,)) for j in range(3)])
    r = ag.state("r", (k,), over=t, final=[ag.param(f"r{j}", (k,)) for j in range(3)])
    F, R = [ag.param(f"F{j}", (h, h)) for j in range(3)], [ag.param(f"R{j}", (k, k)) for j in range(3)]
    f[t] = ag.tanh(ag.param("U", (h, d)) @ x[t] + F[0] @ f[t - 1] + F[1] @ f[t - 2] + F[2] @ f[t - 3])
    r[t] = ag.tanh(ag.param("B", (k, d)) @ x[t] + R[0] @ r[t + 1] + R[1] @ r[t + 2] + R[2] @ r[t + 3])
    y = ag.param("V", (2, h + k)) @ ag.concat([f, r])
    L = ag.sum(ag.sum(y * ag.cos(y)), over=t).named("L")
    return Model(L, [f, r, y], feeds_of(L), ("t",))


def two_dimensional(d: int = 2, h: int = 3, k: int = 2) -> Model:
    i, j = ag.Axis("i"), ag.Axis("j")
    z = ag.input("z", (d,), over=(i, j))
    g = ag.state("g", (h,), over=(i, j), init={i: ag.input("top", (h,), over=j), j: ag.param("left", (h,))})
    P, Q, R, U = ag.param("P", (h, h)), ag.param("Q", (h, h)), ag.param("R", (h, h)), ag.param("U", (h, d))
    g[i, j] = ag.tanh(P @ g[i - 1, j] + Q @ g[i, j - 1] + 0.5 * (R @ g[i - 1, j - 1]) + U @ z[i, j])
    L = ag.sum(ag.sum((ag.param("V", (k, h)) @ g) ** 2), over=(i, j)).named("L")
    return Model(L, [g, ag.sum(g, over=i)], feeds_of(L), ("i", "j"))


def attention(d: int = 3, h: int = 4, k: int = 2) -> Model:
    """Encoder–decoder with additive attention; the decoder starts from what the encoder ends with."""
    t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
    x, target = ag.input("x", (d,), over=(t, b)), ag.input("target", (k,), over=(u, b))
    e = ag.state("e", (h,), over=(t, b))
    e[t] = ag.tanh(ag.param("U", (h, d)) @ x[t] + ag.param("R", (h, h)) @ e[t - 1])
    Wa, Ua, v = ag.param("Wa", (k, h)), ag.param("Ua", (k, h)), ag.param("v", (k,))
    s = ag.state("s", (h,), over=(u, b), init={u: ag.last(e, over=t)})
    weights = ag.softmax(v @ ag.tanh(Wa @ s[u - 1] + Ua @ e[t]), over=t).named("weights")
    context = ag.sum(weights * e[t], over=t)
    s[u] = ag.tanh(ag.param("W", (h, h)) @ s[u - 1] + ag.param("C", (h, h)) @ context + ag.param("Y", (h, k)) @ target[u - 1])
    L = ag.sum(ag.mse(ag.param("V", (k, h)) @ s[u], target[u]), over=(u, b)).named("L")
    return Model(L, [s, weights, context], feeds_of(L), ("t", "b", "u"))


MODELS = [rnn, lstm, gru, bidirectional, two_dimensional, attention]
every_model = pytest.mark.parametrize("make", MODELS, ids=lambda m: m.__name__)


@every_model
def test_lengths_that_equal_the_sizes_of_values_mix_nothing_up(make: Any) -> None:
    """Three steps, three sequences, three units of everything: what is lifted wrongly still has the right shape."""
    model = make(3, 3, 3)
    sizes = dict.fromkeys(model.axes, 3)
    agree(WAYS, model.loss, model.extras, model.feeds(**sizes), **sizes)


@every_model
def test_a_model_equals_its_unrolled_graph(make: Any) -> None:
    """Also with T < k, one step, no step, no sequence in the batch: sums are 0, rows still have gradients, shapes stay."""
    model = make()
    check = Agree(WAYS, model.loss, model.extras)
    sizes = dict(zip(model.axes, (7, 3, 5), strict=False))
    want = check(model.feeds(**sizes), **sizes)
    assert all(np.max(np.abs(g)) > 1e-4 for g in want), "a gradient that vanishes tests nothing"
    for lengths in [(1, 1, 1), (2, 1, 3), (0, 2, 2), (2, 0, 2), (2, 2, 0), (0, 0, 0)]:
        sizes = dict(zip(model.axes, lengths, strict=False))
        if sizes.get("t") != 0 or make is not attention:
            check(model.feeds(**sizes), **sizes)
        elif sizes["b"]:  # it starts from the last step of an encoder that has none
            with pytest.raises(ag.AxisError) as caught:
                ag.compile([model.loss])(**model.feeds(**sizes))
            assert caught.value.code == "A207"


@pytest.mark.parametrize("steps", [1, 2, 200])
def test_the_lecture_rnn_against_bptt_written_by_hand(steps: int) -> None:
    model = rnn()
    f = model.feeds(t=steps)
    s, y = np.zeros((steps + 1, 4)), np.zeros((steps, 5))
    s[-1] = f["s0"]
    for t in range(steps):
        s[t] = np.tanh(f["U"] @ f["x"][t] + f["W"] @ s[t - 1] + f["b"])
        e = np.exp(f["V"] @ s[t] + f["c"])
        y[t] = e / e.sum()
    d = {name: np.zeros(f[name].shape) for name in ("U", "W", "V", "b", "c", "x")}
    back = np.zeros(4)
    for t in reversed(range(steps)):
        dz = y[t] - np.eye(5)[f["l"][t]]
        da = (1 - s[t] ** 2) * (f["V"].T @ dz + back)
        d["x"][t], back = f["U"].T @ da, f["W"].T @ da
        d["U"] += np.outer(da, f["x"][t])
        d["W"] += np.outer(da, s[t - 1])
        d["V"] += np.outer(dz, s[t])
        d["b"] += da
        d["c"] += dz
    d["s0"] = back
    nodes = ag.Graph(model.loss).inputs
    for passes in WAYS:
        program = ag.compile([model.loss, *ag.grad(model.loss, [nodes[n] for n in d])], passes=passes)
        loss, *grads = program(**f)
        assert float(loss) == pytest.approx(-np.log(y[np.arange(steps), f["l"]]).sum(), rel=1e-12)
        for name, got in zip(d, grads, strict=True):
            assert_close(got, d[name], f"{name}, passes={passes}", 1e-11)


def test_a_hessian_vector_product_through_time() -> None:
    model = lstm(2, 2, 1)
    nodes = ag.Graph(model.loss).inputs
    slope = ag.sum(ag.grad(model.loss, nodes["Wf"]) * np.array([[0.3, -1.0], [0.5, 0.7]]))
    sizes = {"t": 5, "b": 2}
    agree(WAYS, slope, [], model.feeds(**sizes), **sizes)


# -- known numbers ------------------------------------------------------------------------------------------------------


def test_initial_rows() -> None:
    """y_t = 0.5·y_{t-2} + 1, init [1, 10], T = 5: y = [1.5, 6, 1.75, 4, 1.875] and dL/dinit = [0.875, 0.75]."""
    t = ag.Axis("t")
    a, b, x = ag.param("a"), ag.param("b"), ag.input("x", over=t)
    y = ag.state("y", over=t, init=[a, b])
    y[t] = 0.5 * y[t - 2] + x[t]
    L = ag.sum(y, over=t)
    for passes in WAYS:
        values, da, db = ag.compile([y, *ag.grad(L, [a, b])], passes=passes)(a=1.0, b=10.0, x=np.ones(5))
        assert values.tolist() == [1.5, 6.0, 1.75, 4.0, 1.875]
        assert (float(da), float(db)) == (0.875, 0.75)


def test_full_back_propagation_of_the_scalar_recurrence() -> None:
    """h_t = w·h_{t-1} + x_t, w = 0.5, h₋₁ = 2, x = 1…6, L = Σ h_t: dL/dw = 38.8125 and dL/dh₋₁ = 0.984375."""
    t = ag.Axis("t")
    w, h0, x = ag.param("w"), ag.param("h0"), ag.input("x", over=t)
    h = ag.state("h", over=t, init=h0)
    h[t] = w * h[t - 1] + x[t]
    outputs = ag.grad(ag.sum(h, over=t), [w, h0])
    for passes in WAYS:
        got = ag.compile(outputs, passes=passes)(w=0.5, h0=2.0, x=np.arange(1.0, 7.0))
        assert [float(g) for g in got] == [38.8125, 0.984375]


def test_one_program_runs_at_every_length() -> None:
    t = ag.Axis("t")
    x, w = ag.input("x", over=t), ag.param("w")
    h = ag.state("h", over=t)
    h[t] = w * h[t - 1] + x[t]
    program = ag.compile([h, ag.sum(h, over=t)])
    for steps in (3, 5, 0, 1, 4):
        h_, total = program(x=np.ones(steps), w=2.0)
        assert h_.tolist() == [2.0 ** (k + 1) - 1 for k in range(steps)] and float(total) == sum(h_.tolist())


def test_a_contribution_that_is_the_same_at_every_step_counts_at_every_step() -> None:
    """Regression: the derivative of Σ_b (w + z_b) by w is the number of b's, also where nothing else varies over b."""
    t, b = ag.Axis("t"), ag.Axis("b")
    w, row, z = ag.param("w"), ag.param("row"), ag.input("z", over=(t, b))
    s = ag.state("s", over=(t, b), init={t: row})
    s[t] = 0.5 * z[t]
    L = ag.sum(w + z, over=(t, b)) + ag.sum(w * 2.0 + z, over=b).sum(over=t) + ag.sum(s[t - 1], over=(t, b))
    for passes in WAYS:
        _, dw, drow, dz = ag.compile([L, *ag.grad(L, [w, row, z])], passes=passes)(w=1.0, row=1.0, z=np.ones((4, 3)))
        assert (float(dw), float(drow)) == (12.0 + 24.0, 3.0)
        assert dz.tolist() == [[2.5] * 3] * 3 + [[2.0] * 3]


# -- empty axes -----------------------------------------------------------------------------------------------------------


def test_what_reductions_of_nothing_are() -> None:
    t = ag.Axis("t")
    x, l = ag.input("x", (2,), over=t), ag.input("l", over=t, dtype=int)
    outputs = [ag.sum(x, over=t), ag.sum(l, over=t), ag.logsumexp(x, over=t), ag.prod(x, over=t), ag.size(t),
               ag.at(x, t, 0, outside="zero"), ag.sum(l == 1, over=t), ag.mean(x, over=t)]  # fmt: skip
    for passes in WAYS:
        got = ag.compile(outputs, passes=passes)(x=np.zeros((0, 2)), l=[])
        assert [g.tolist() for g in got[:-1]] == [[0.0, 0.0], 0, [-np.inf, -np.inf], [1.0, 1.0], 0, [0.0, 0.0], 0]
        assert np.isnan(got[-1]).all()  # 0 / 0, without a warning
        assert [g.dtype.kind for g in got] == list("fiffifif")


def test_the_slope_of_a_mean_of_nothing_is_0_in_every_way() -> None:
    """A mean divides by the number of steps, also along a direction, where the sum over no steps is 0 and 1 / T infinite."""
    t = ag.Axis("t")
    x, w, dw = ag.input("x", over=t), ag.param("w"), ag.input("dw")
    m = ag.mean(w * x, over=t)
    outputs, feeds = [m, *ag.jvp([m], [w], [dw])], {"w": 2.0, "dw": 1.0}
    for ways in (*({"passes": passes} for passes in WAYS), {"backend": "plain"}):
        assert ag.compile(outputs, **ways)(x=np.zeros(0), **feeds)[1] == 0.0
        assert ag.compile(outputs, **ways)(x=np.ones(3), **feeds) == (2.0, 1.0)


@pytest.mark.parametrize(
    ("pick", "code"),
    [(lambda x, t: ag.last(x, over=t), "A207"), (lambda x, t: ag.first(x, over=t), "A207"),
     (lambda x, t: ag.max(x, over=t), "A208"), (lambda x, t: ag.min(x, over=t), "A208")],
    ids=["last", "first", "max", "min"],
)  # fmt: skip
def test_a_step_or_a_maximum_of_nothing_is_a_named_error(pick: Any, code: str) -> None:
    t = ag.Axis("t")
    x, w = ag.input("x", (2,), over=t), ag.param("w", (2, 2))
    s = ag.state("s", (2,), over=t)
    s[t] = ag.tanh(w @ s[t - 1] + x[t])
    L = ag.sum(pick(s, t))
    for passes in WAYS:
        program = ag.compile([L, ag.grad(L, w)], passes=passes)
        with pytest.raises(ag.AxisError) as caught:
            program(x=np.zeros((0, 2)), w=np.eye(2))
        assert caught.value.code == code
        assert np.isfinite(program(x=np.ones((1, 2)), w=np.eye(2))[0])  # and the program lives on


def test_a_step_that_is_too_far_is_a_named_error() -> None:
    t = ag.Axis("t")
    program = ag.compile([ag.at(ag.input("x", over=t), t, 3), ag.at(ag.input("z", over=t), t, -2, outside="zero")])
    assert [float(v) for v in program(x=np.arange(4.0), z=np.arange(4.0))] == [3.0, 2.0]
    with pytest.raises(ag.AxisError, match="A207"):
        program(x=np.arange(3.0), z=np.arange(3.0))


# -- kinds and widths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_integers_and_truth_values_stay_what_they_are(steps: int) -> None:
    t = ag.Axis("t")
    x, l = ag.input("x", over=t), ag.input("l", over=t, dtype=int)
    n, seen = ag.state("n", over=t, dtype=int, init=3), ag.state("seen", over=t, dtype=bool)
    n[t] = n[t - 1] + l[t]
    seen[t] = seen[t - 1] | (x[t] > 0.5)
    outputs = [n, seen, x[t] > 0.5, ag.index(t), ag.sum(l, over=t), ag.cast(x, int), ag.one_hot(l, 3), n[t - 1], ~seen, l]
    X, labels = np.array([0.1, 0.9, -1.7, 0.2])[:steps], np.array([2, 0, 1, 1])[:steps]
    for passes in WAYS:
        got = ag.compile(outputs, passes=passes)(x=X, l=labels)
        assert [g.dtype for g in got] == [np.int64, bool, bool, *[np.int64] * 3, float, np.int64, bool, np.int64]
        assert [g.shape for g in got] == [(steps,)] * 4 + [()] + [(steps,), (steps, 3)] + [(steps,)] * 3
        assert got[0].tolist() == (3 + np.cumsum(labels)).tolist() and got[3].tolist() == [*range(steps)]
        assert got[1].tolist() == [False, True, True, True][:steps] and got[5].tolist() == [0, 0, -1, 0][:steps]


@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_the_width_is_that_of_the_feeds_unless_another_is_asked_for(width: Any) -> None:
    model = lstm()
    nodes = ag.Graph(model.loss).inputs
    outputs = [model.loss, *model.extras, *ag.grad(model.loss, [nodes["Wf"], nodes["bi"], nodes["x"]])]
    feeds = model.feeds(t=6, b=2)
    narrow = {n: v.astype(width) for n, v in feeds.items()}
    assert {g.dtype for g in ag.compile(outputs)(**narrow)} == {np.dtype(width)}
    asked = ag.compile(outputs, dtype=width)(**feeds)
    assert {g.dtype for g in asked} == {np.dtype(width)}
    for a, b in zip(asked, ag.compile(outputs)(**feeds), strict=True):
        assert np.max(np.abs(a - b)) <= (1e-4 if width is np.float32 else 0.0)


def test_lists_integers_and_strided_arrays_may_be_fed() -> None:
    t = ag.Axis("t")
    x, W = ag.input("x", (2,), over=t), ag.param("W", (2, 2))
    s = ag.state("s", (2,), over=t)
    s[t] = W @ s[t - 1] + x[t]
    program = ag.compile([s])
    wide = np.arange(24.0).reshape(6, 4)
    for X, M in [([[1, 2], [3, 4]], [[0, 1], [1, 0]]), (wide[::3, ::2], np.eye(2).T), (wide[:2, 3:1:-1], wide[:2, :2].T),
                 (np.asfortranarray(wide[:, :2]), np.asfortranarray(wide[:2, :2]))]:  # fmt: skip
        (got,) = program(x=X, W=M)
        want, last = [], np.zeros(2)
        for row in np.asarray(X, float):
            last = np.asarray(M, float) @ last + row
            want.append(last)
        assert_close(got, np.array(want), "s")


# -- outputs --------------------------------------------------------------------------------------------------------------


def test_an_eager_graph_of_constants() -> None:
    a = ag.tensor([1.0, 2.0], name="a")
    b = ag.sum(a * a).named("b")
    for passes in WAYS:
        got = ag.compile([b, ag.grad(b, a), a, ag.constant(3)], passes=passes)()
        assert [g.tolist() for g in got] == [5.0, [2.0, 4.0], [1.0, 2.0], 3]
        got[2][0] = 9.0
        assert a.value.tolist() == [1.0, 2.0]


def test_outputs_that_are_fed_and_one_that_is_asked_for_twice() -> None:
    t = ag.Axis("t")
    x, w = ag.input("x", (2,), over=t), ag.param("w", (2,))
    s = ag.state("s", (2,), over=t, init=w)
    s[t] = 0.5 * s[t - 1] + x[t]
    outputs = [x, w, s, s, x[t], s[t - 1], w, x[t + 1]]
    X, W = RNG.normal(size=(3, 2)), RNG.normal(size=2)
    kept = X.copy(), W.copy()
    want = ag.Graph(outputs).evaluate(x=X, w=W)
    for passes in WAYS:
        got = ag.compile(outputs, passes=passes)(x=X, w=W)
        for i, (a, b) in enumerate(zip(got, want, strict=True)):
            assert_close(a, b, f"output {i}")
            assert a.flags.writeable and not any(np.shares_memory(a, other) for other in [*got[:i], X, W])
            a[...] = 77.0
        assert np.array_equal(X, kept[0]) and np.array_equal(W, kept[1])


def test_outputs_that_depend_on_nothing_that_is_fed() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, w = ag.input("x", over=(b, t)), ag.param("w", (2,))
    n = ag.state("n", over=t)
    n[t] = n[t - 1] + 1.0
    dw = ag.grad(ag.sum(x * 2.0, over=(t, b)), w)
    for passes in WAYS:
        got = ag.compile([x, n, ag.index(t) * 2, ag.size(b), ag.constant([1.0, 2.0]), dw, ag.normal("e", (2,), over=t)],
                       passes=passes)(x=np.zeros((2, 3)))  # fmt: skip
        assert [g.tolist() for g in got[1:6]] == [[1.0, 2.0, 3.0], [0, 2, 4], 2, [1.0, 2.0], [0.0, 0.0]]
        assert got[6].shape == (3, 2) and len(np.unique(got[6])) == 6


def test_two_states_that_are_the_same_equation() -> None:
    """Common subexpressions may be merged; what is written twice is still returned, and differentiated, twice."""
    t = ag.Axis("t")
    x, w = ag.input("x", over=t), ag.param("w")
    a, b = ag.state("a", over=t), ag.state("b", over=t, init=0.0)
    c = ag.state("c", over=t, init=1.0)
    for s in (a, b, c):
        s[t] = ag.tanh(w * s[t - 1] + x[t])
    L = ag.sum(a + 2.0 * b + 3.0 * c, over=t)
    agree(WAYS, L, [a, b, c], {"x": RNG.normal(size=5), "w": np.float64(0.9)}, t=5)


# -- layouts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [4, 3])
def test_inputs_and_states_may_disagree_about_the_order_of_axes(steps: int) -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, y, w = ag.input("x", (2,), over=(t, b)), ag.input("y", over=(b, t)), ag.param("w", (2,))
    s, r = ag.state("s", (2,), over=(b, t)), ag.state("r", (2,), over=(t, b))
    s[t] = ag.tanh(w * s[t - 1] + x[t])
    r[t] = ag.tanh(r[t + 1] * y[t] + s[t])
    outputs = [x * y, s, r, s + r, ag.sum(s, over=t), y, x]
    X, Y = RNG.normal(size=(steps, 3, 2)), RNG.normal(size=(3, steps))
    want = ag.Graph(outputs).evaluate(x=X, y=Y, w=np.ones(2))
    assert [v.shape for v in want] == [(steps, 3, 2), (3, steps, 2), *[(steps, 3, 2)] * 2, (3, 2), (3, steps), (steps, 3, 2)]
    for passes in WAYS:
        for i, (a, b_) in enumerate(zip(ag.compile(outputs, passes=passes)(x=X, y=Y, w=np.ones(2)), want, strict=True)):
            assert_close(a, b_, f"output {i}")


def test_self_attention_has_a_second_index_that_no_feed_tells_the_length_of() -> None:
    t, w = ag.Axis("t"), ag.Axis("w")
    x, Q, K = ag.input("x", (2,), over=t), ag.param("Q", (3, 2)), ag.param("K", (3, 2))
    score = ag.dot(Q @ x, (K @ x).along(t, w))
    score = ag.where(ag.index(w) <= ag.index(t), score, -np.inf).named("score")
    weights = ag.softmax(score, over=w)
    y = ag.sum(weights * x.along(t, w), over=w)
    L = ag.sum(ag.sum(y * ag.sin(y)), over=t)
    want = agree(WAYS, L, [y, weights], feeds_of(L)(t=4), t=4)
    assert np.allclose(want[2].sum(axis=1), 1.0) and np.all(np.triu(want[2], 1) == 0)


@pytest.mark.parametrize("n", [3, 4])
def test_a_vector_divided_by_its_sum_is_normed_at_each_step(n: int) -> None:
    """As many steps as entries: lifted by plain broadcasting it has the right shape, and mixes the steps."""
    t = ag.Axis("t")
    x, a = ag.input("x", (n,), over=t), ag.input("a", over=t)
    X, A = RNG.uniform(0.5, 1.5, size=(n, n)), RNG.normal(size=n)
    for passes in WAYS:
        p, scaled, both = ag.compile([x / x.sum(), a * x, a + x * x.mean()], passes=passes)(x=X, a=A)
        assert np.allclose(p, X / X.sum(1, keepdims=True)) and np.allclose(scaled, A[:, None] * X)
        assert np.allclose(both, A[:, None] + X * X.mean(1, keepdims=True))


# -- randomness, not-a-numbers, errors --------------------------------------------------------------------------------------


def test_draws_are_those_of_the_unrolled_graph_bit_for_bit() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, w = ag.input("x", (2,), over=(t, b)), ag.param("w", (2,))
    mask, noise = ag.bernoulli("mask", 0.6, (2,), over=b), ag.normal("noise", (2,), over=(t, b))
    step, whole = ag.uniform("step", over=t), ag.uniform("whole", (2,), over=())
    s = ag.state("s", (2,), over=(t, b))
    s[t] = ag.tanh(w * s[t - 1] * mask + noise * step) + x[t] * whole
    draws, X = [mask, noise, step, whole], RNG.normal(size=(4, 3, 2))
    for seed in (None, 0, 5):
        fed = {} if seed is None else {"seed": seed}
        want = ag.Graph([*draws, s]).evaluate(x=X, w=np.ones(2), **fed)
        for passes in WAYS:
            got = ag.compile([*draws, s], passes=passes)(x=X, w=np.ones(2), **fed)
            assert all(np.array_equal(a, b_) for a, b_ in zip(got[:-1], want, strict=False))
            assert_close(got[-1], want[-1], "s")


def test_a_draw_does_not_depend_on_what_else_is_returned() -> None:
    """Regression: the index point is that of the draw's own axes, whichever order a graph lays its axes out in."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, y = ag.input("x", over=(t, b)), ag.input("y", over=(b, t))
    noise = ag.normal("noise", over=(t, b)) + 0.0 * x
    alone, other = ag.compile([noise]), ag.compile([y, noise])
    assert np.array_equal(alone(x=np.zeros((2, 3)))[0], other(x=np.zeros((2, 3)), y=np.zeros((3, 2)))[1].T)


def test_a_branch_that_is_not_taken_leaves_no_trace() -> None:
    t = ag.Axis("t")
    x, w = ag.input("x", over=t), ag.param("w")
    s = ag.state("s", over=t)
    s[t] = ag.where(x[t] > 0, ag.sqrt(w * x[t]), ag.tanh(s[t - 1]))
    L = ag.sum(s, over=t) + ag.sum(ag.where(x[t] > 0, ag.log(w * x[t]), 0.0), over=t)
    want = agree(WAYS, L, [s], {"x": np.array([0.5, -1.0, 0.0, 2.0, -3.0]), "w": np.float64(0.7)}, t=5)
    assert all(np.isfinite(v).all() for v in want)


def test_overflow_gives_infinities_without_a_warning() -> None:
    t = ag.Axis("t")
    x, w = ag.input("x", over=t), ag.param("w")
    s = ag.state("s", over=t, init=1.0)
    s[t] = ag.exp(x[t]) * s[t - 1] / w
    for passes in WAYS:
        got = ag.compile([s], passes=passes)(x=[1.0, 1000.0, 1000.0], w=0.0)[0]
        assert got.tolist() == [np.inf] * 3


@pytest.mark.parametrize(
    ("change", "code"),
    [({"x": np.ones((5, 3))}, "F106"), ({"x": np.ones((4, 2))}, "F105"), ({"z": 1.0}, "F102"), ({"U": None}, "F103"),
     ({"l": [0.0, 1.0, 2.0, 3.0]}, "D301"), ({"l": [0, 1, 2, 9]}, "F201"), ({"U": "abc"}, "D101")],
)  # fmt: skip
def test_feeds_that_do_not_fit_are_refused_as_by_the_unrolled_graph(change: Any, code: str) -> None:
    model = rnn()
    feeds = {n: v for n, v in {**model.feeds(t=4), **change}.items() if v is not None}
    for run in (ag.compile([model.loss]), ag.Graph(model.loss).evaluate):
        with pytest.raises(ag.AutogradSeqError) as caught:
            run(**feeds)
        assert caught.value.code == code


def test_names_are_data() -> None:
    """Names that are words of Python, of NumPy or of emitted code, or no identifiers at all."""
    t = ag.Axis("for")
    names = ["lambda", "np", "T", "t", "a b", 'x"', "x'", "a\\n", "σ", "0", "out", "range", "#", "s[t - 1]", "feeds", "run"]
    x = ag.input("x", over=t)
    weights = [ag.param(name) for name in names]
    s = ag.state("def", over=t, init=weights[0])
    s[t] = ag.tanh(ag.sum(ag.stack([w * x[t] for w in weights])) + s[t - 1]).named("class")
    L = ag.sum(s, over=t).named("return")
    feeds = {name: RNG.normal() * 0.2 for name in names} | {"x": RNG.normal(size=4)}
    agree(WAYS, L, [s], {n: np.asarray(v) for n, v in feeds.items()}, **{"for": 4})


def test_a_matrix_that_a_loop_writes_is_read_anew_at_each_step():
    """Additive attention without a batch: the scores of a step are a product with what that step has just computed."""
    t, u = ag.Axis("t"), ag.Axis("u")
    x, y, s = ag.input("x", (2,), over=t), ag.input("y", (2,), over=u), ag.state("s", (2,), over=u)
    A, v = ag.param("A", (2, 2)), ag.param("v", (2,))
    score = v @ ag.tanh(A @ s[u - 1] + x[t])
    s[u] = ag.tanh(ag.sum(score * x[t], over=t) + y[u])
    loss = ag.sum(ag.sum(s * s), over=u)
    agree(WAYS, loss, [s], feeds_of(loss)(t=3, u=4), t=3, u=4)


def test_products_with_one_vector_are_summed_over_axes_of_their_own():
    t, b = ag.Axis("t"), ag.Axis("b")
    x = ag.input("x", (2,), over=(t, b))
    over_t = ag.sum(ag.param("U", (3, 2)) @ x[t], over=t)
    over_b = ag.sum(ag.param("V", (3, 2)) @ x[t], over=b)
    loss = ag.sum(ag.sum(over_t * over_t, over=b)) + ag.sum(ag.sum(over_b * over_b * over_b, over=t))
    agree(WAYS, loss, [over_t, over_b], feeds_of(loss)(t=4, b=3), t=4, b=3)


def test_parts_of_what_a_loop_keeps_for_a_few_steps():
    t = ag.Axis("t")
    x, s, r = ag.input("x", (2,), over=t), ag.state("s", (2,), over=t), ag.state("r", (2,), over=t)
    late = s[t - 2]
    s[t] = ag.tanh(ag.sum(late[:, None] * ag.param("A", (2, 3)), axis=1) + late[::-1] * late[0:1] + s[t - 1] + r[t - 1])
    r[t] = ag.tanh(s[t] + x[t])
    loss = ag.sum(ag.last(r, over=t))
    feeds = feeds_of(loss)(t=5)
    (want,) = ag.Graph(loss).unroll(t=5).evaluate(**feeds)
    for passes in WAYS:
        assert_close(ag.compile([loss], passes=passes)(**feeds)[0], want, f"passes={passes}")


def test_products_with_what_a_loop_keeps_for_a_few_steps():
    """The rows lie over two further axes, which a product sees as one."""
    t, b, c = ag.Axis("t"), ag.Axis("b"), ag.Axis("c")
    over = (t, b, c)
    x, s, r = ag.input("x", (2,), over=over), ag.state("s", (2,), over=over), ag.state("r", (2,), over=over)
    s[t] = ag.tanh(ag.param("A", (2, 2)) @ s[t - 2] + s[t - 1] + r[t - 1])
    r[t] = ag.tanh(s[t] + x[t])
    loss = ag.sum(ag.sum(ag.last(r, over=t), over=(b, c)))
    feeds = feeds_of(loss)(t=5, b=2, c=3)
    (want,) = ag.Graph(loss).unroll(t=5, b=2, c=3).evaluate(**feeds)
    for passes in WAYS:
        assert_close(ag.compile([loss], passes=passes)(**feeds)[0], want, f"passes={passes}")


@pytest.mark.parametrize("widths", [(2, 2, 2), (2, 4, 2), (4, 2, 6)])
@pytest.mark.parametrize("over", ["tb", "bt", "tbc"])
@pytest.mark.parametrize("nothing", [False, True])
def test_parts_of_one_product(widths: tuple[int, ...], over: str, nothing: bool) -> None:
    """Gates of equal or different widths, over a batch or two, one of them read a step late as well, with a row of its own."""
    by_name = {name: ag.Axis(name) for name in over}
    t, axes = by_name["t"], tuple(by_name.values())
    x, h = ag.input("x", (3,), over=axes), ag.state("h", (2,), over=axes)
    gates = ag.state("gates", (sum(widths),), over=axes, init={t: ag.param("row", (sum(widths),))})
    U, W = ag.param("U", (sum(widths), 3)), ag.param("W", (sum(widths), 2))
    gates[t] = ag.tanh(U @ x[t] + W @ h[t - 1])
    a, b = widths[0], widths[0] + widths[1]
    i, f, late = gates[t][:a], gates[t][a:b], gates[t - 1][b:]
    f = ag.concat([f, ag.pad(gates[t][a:a], [(0, 1)], value=0.5)]) if nothing else f
    h[t] = ag.sigmoid(i[:2]) * f[:2] + 0.5 * f[-2:] * late[:2] + 0.1 * h[t - 1]
    loss = ag.sum(ag.sum(h * h), over=axes)
    sizes = dict(zip(over, (3, 4, 2), strict=False))
    agree([None] if nothing else WAYS, loss, [h], feeds_of(loss)(**sizes), **sizes)


def test_the_gates_of_a_batch_are_products_of_their_own() -> None:
    """A batch's rows of packed gates would be read in pieces; of one sequence, all gates are one product."""
    t, b = ag.Axis("t"), ag.Axis("b")
    for over, count in (((t, b), 4), ((t,), 1)):
        x, h = ag.input("x", (3,), over=over), ag.state("h", (4,), over=over)
        r, z = (ag.sigmoid(ag.param(f"U{g}", (4, 3)) @ x[t] + ag.param(f"W{g}", (4, 4)) @ h[t - 1]) for g in "rz")
        h[t] = z * ag.tanh(r + h[t - 1])
        graph = ag.compile(h, backend="numpy").plan.graph
        assert sum(n.op.name == "contract" and bool(n.axes) for n in graph.nodes) == count


def test_outputs_that_are_parts_of_one_array_belong_to_the_caller() -> None:
    """Gradients of gates are parts of one product: what is done to one changes no other, and no later call."""
    t = ag.Axis("t")
    x, h = ag.input("x", (3,), over=t), ag.state("h", (2,), over=t)
    h[t] = ag.sigmoid(ag.param("U", (2, 3)) @ x[t] + ag.param("W", (2, 2)) @ h[t - 1]) * ag.tanh(ag.param("V", (2, 3)) @ x[t])
    loss = ag.sum(ag.sum(h * h), over=t)
    wrt = [ag.Graph(loss).inputs[name] for name in ("U", "W", "V")]
    grads = ag.grad(loss, wrt)
    step, feeds = ag.compile([*grads, grads[0]]), feeds_of(loss)(t=5)
    first = step(**feeds)
    want = [g.copy() for g in first]
    for i, g in enumerate(first):
        g[...] = np.nan
        for other, kept in zip(first[i + 1 :], want[i + 1 :], strict=True):
            np.testing.assert_array_equal(other, kept)
    for got, kept in zip(step(**feeds), want, strict=True):
        np.testing.assert_array_equal(got, kept)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_gates_beside_an_axis_that_another_loop_runs_over(size: int) -> None:
    """Three gates and three sequences are not the same three."""
    t, b, u = ag.Axis("t"), ag.Axis("b"), ag.Axis("u")
    h, _ = ag.nn.lstm(ag.input("x", (2,), over=(t, b, u)), 4, over=t)
    s = ag.state("s", (4,), over=(b, u))
    s[b] = ag.tanh(0.5 * s[b - 1] + ag.last(h, over=t))
    loss = ag.sum(ag.sum(s * s), over=(b, u))
    wrt = list(ag.Graph(loss).inputs.values())
    program, rng = ag.compile([loss, *ag.grad(loss, wrt)]), np.random.default_rng(1)
    sizes = {"t": 3, "b": size, "u": 5}
    feeds = {n.name: rng.normal(size=tuple(sizes[a.name] for a in n.axes) + n.shape) for n in wrt}
    want = ag.Graph(loss).unroll(**sizes).grad(wrt, with_outputs=True).evaluate(**feeds)
    for got, expected in zip(program(**feeds), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("over", ["t", "tb"])
def test_a_parameter_of_three_dimensions_in_a_loop(over: str) -> None:
    """A product reads it as a matrix whose rows or columns are two of its dimensions."""
    axes = tuple(ag.Axis(a) for a in over)
    x, h, t = ag.input("x", (2, 3), over=axes), ag.state("h", (2, 3), over=axes), axes[0]
    W, V = ag.param("W", (4, 2, 3)), ag.param("V", (2, 3, 4))
    h[t] = ag.tanh(x + ag.einsum("jki,i->jk", V, ag.einsum("ijk,jk->i", W, h[t - 1])))
    loss, rng = ag.sum(ag.sum(h), over=axes), np.random.default_rng(0)
    feeds = {n.name: rng.normal(size=(3,) * len(n.axes) + n.shape) for n in (W, V, x)}
    want = ag.Graph(loss).unroll(**dict.fromkeys(over, 3)).grad([W, V, x], with_outputs=True).evaluate(**feeds)
    for got, expected in zip(ag.compile([loss, *ag.grad(loss, [W, V, x])])(**feeds), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


# -- sums of products ---------------------------------------------------------------------------------------------------------


def causal_attention(d: int = 5) -> tuple[ag.Node, list[ag.Node]]:
    """As it is written: a number times a vector, summed over what is read."""
    t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
    q, k, v = (ag.input(name, (d,), over=(b, t)) for name in "qkv")
    score = ag.where(ag.index(u) <= ag.index(t), ag.dot(q, k.along(t, u)) / d**0.5, -np.inf)
    y = ag.sum(ag.softmax(score, over=u) * v.along(t, u), over=u).named("y")
    return ag.sum(ag.sum(ag.sin(y)), over=(b, t)), [y]


def test_attention_forms_no_product_of_weights_and_values() -> None:
    """Neither on the way there nor back: its largest arrays are as large as the weights."""
    loss, (y,) = causal_attention()
    agree(WAYS, loss, [y], {name: RNG.normal(size=(2, 6, 5)) for name in "qkv"}, b=2, t=6, u=6)
    loss, (y,) = causal_attention(64)
    program = ag.compile([loss, *ag.grad(loss, [*ag.Graph(loss).inputs.values()])])
    weights = 8 * 3 * 200 * 200
    assert program.cost(b=3, t=200, u=200).bytes < 8 * weights < 8 * 3 * 200 * 200 * 64 // 4


t, u = ag.Axis("t"), ag.Axis("u")
w, v = ag.input("w", over=(t, u)), ag.input("v", (3,), over=u)
m, c = ag.input("m", (2, 3), over=t), ag.param("c", (3,))
LARGER: dict[str, ag.Node] = {
    "weights": ag.sum(w * v, over=u), "on either side": ag.sum(v * w, over=u), "a matrix": ag.sum(w * m, over=t),
    "dimensions of one entry": ag.sum(w[..., None] * v[None, :], over=u), "both axes": ag.sum(m * v * w, over=(t, u)),
    "the same numbers at many points": ag.sum(v * c, axis=0), "a dimension kept": ag.sum(m * v, axis=-1, keepdims=True),
    "a vector times a matrix": ag.sum(v * ag.sum(w, over=t), over=u), "no entries": ag.sum(w * v[:0], over=u),
}  # fmt: skip
NO_LARGER: dict[str, ag.Node] = {
    "a square": ag.sum(v * v, axis=0), "numbers": ag.sum(w * w, over=u), "a dimension of each": ag.sum(v * c, over=u),
    "a sum of other dimensions": ag.sum(m * c, axis=0), "integers": ag.sum(ag.cast(w > 0, int) * 2, over=u),
}  # fmt: skip


@pytest.mark.parametrize("name", [*LARGER, *NO_LARGER])
def test_sums_of_products_larger_than_their_factors_are_contractions(name: str) -> None:
    out, sizes = (LARGER | NO_LARGER)[name], {"t": 4, "u": 5}
    feeds = {n: RNG.normal(size=tuple(sizes[a.name] for a in x.axes) + x.shape) for n, x in ag.Graph(out).inputs.items()}
    found = []
    for passes in (("contract",), (), None):
        program = ag.compile(out, passes=passes)
        assert_close(program(**feeds)[0], ag.Graph(out).evaluate(**feeds)[0], str(passes))
        found.append(any(n.op.name == "contract" for n in program.plan.graph.nodes))
    assert found[:2] == [name in LARGER, False]


def test_a_ring_of_rows_of_a_state_of_any_name() -> None:
    """What is read three steps late only, under the names that its rows are found by."""
    for name in ("i", "step", "point"):
        x, s, h = ag.input("x", over=t), ag.state(name, over=t), ag.state("h", over=t)
        s[t] = ag.tanh(h[t - 1] + x)
        h[t] = ag.tanh(0.5 * s[t - 3] + s[t - 2] - 0.2 * x)
        feed = RNG.normal(size=6)
        assert_close(ag.compile(h)(x=feed)[0], ag.Graph(h).evaluate(x=feed)[0], name)


def test_what_is_read_in_another_shape_is_no_part_of_a_packed_array():
    """The gradient of y would lie where the columns of the concatenation were, which no view shows in the shape of x."""
    t = ag.Axis("t")
    x = ag.input("x", (2, 3), over=t)
    y = ag.reshape(ag.tanh(x), (3, 2))
    both = ag.concat([y, y * 2.0], axis=-1)
    g = ag.grad(ag.sum(ag.sum(both * both), over=t), x)
    X = np.linspace(-1, 1, 24).reshape(4, 2, 3)
    want = 10 * np.tanh(X) * (1 - np.tanh(X) ** 2)
    np.testing.assert_allclose(ag.compile([g], backend="numpy")(x=X)[0], want, rtol=1e-13, atol=1e-15)


def test_cotangents_have_the_names_of_calculus_in_emitted_source():
    t, b = ag.Axis("t"), ag.Axis("b")
    U, W, x = ag.param("U", (3, 2)), ag.param("W", (3, 3)), ag.input("x", (2,), over=(t, b))
    h = ag.state("h", (3,), over=(t, b))
    h[t] = ag.tanh(U @ x[t] + W @ h[t - 1])
    step = ag.value_and_grad(ag.sum(ag.sum(h * h), over=(t, b)))
    for text in (step.source, str(step.program.schedule)):
        assert "dz_h" in text and "dW = sum(outer(dz_h, h[t - 1])" in text.replace("outer_2", "outer(dz_h, h[t - 1])")
    assert "dz_h" in str(step.program.graph) and "dh" in str(step.program.graph)


def test_a_state_that_only_passes_its_own_past_on_compiles():
    t = ag.Axis("t")
    s, x = ag.state("s", (2,), over=t, init=ag.param("a", (2,))), ag.input("x", (2,), over=t)
    s[t] = s[t - 1]
    step = ag.compile(ag.sum(ag.sum(s[t] * x), over=t), backend="numpy")
    assert float(step(x=np.ones((3, 2)), a=[1.0, 2.0])[0]) == 9.0
