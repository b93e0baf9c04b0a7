"""Online learning: every method, a step at a time, against reverse mode through the unrolled graph and against plain loops.

RTRL must be the exact gradient; SnAp-1 and e-prop must have the bias that their papers give them, computed here in loops that
share nothing with the engine; UORO must be right on average, judged by the mean of many draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from night import NIGHT, one_in

import autograd_seq as ag
from autograd_seq import nn
from autograd_seq.run import online

T, B, D, H = 6, 2, 2, 3
t, b = ag.Axis("t"), ag.Axis("b")
Feeds = dict[str, Any]


def error(y: ag.Node, over: Any = t) -> ag.Node:
    return ag.sum(ag.sum((y - ag.input("goal", y.shape, over=y.axes)) ** 2), over=over)


def draw(loss: ag.Node, seed: int = 0, steps: int = T) -> Feeds:
    rng, feeds = np.random.default_rng(seed), {}
    for name, node in ag.Graph(loss).inputs.items():
        lead = [{"t": steps, "b": B}[a.name] for a in node.axes]
        feeds[name] = rng.normal(size=(*lead, *node.shape)) * (0.7 if node.op.name == "param" else 1.0)
    return feeds


def unrolled(loss: ag.Node, feeds: Feeds, wrt: list[str] | None = None) -> tuple[float, dict[str, np.ndarray]]:
    graph = ag.Graph(loss)
    names = [n for n, x in graph.inputs.items() if x.op.name == "param"] if wrt is None else wrt
    value, *grads = graph.unroll(**graph.sizes(feeds)).grad(names, with_outputs=True).evaluate(**feeds)
    return float(value), dict(zip(names, grads, strict=True))


def check(found: Any, want: tuple[float, dict[str, np.ndarray]], tolerance: float = 1e-11) -> None:
    (loss, grads), (value, truth) = found, want
    assert float(loss) == pytest.approx(value, rel=1e-11)
    assert set(grads) == set(truth)
    scale = max(np.max(np.abs(g)) for g in truth.values())
    assert 1e-3 < scale < 1e6
    for name, g in truth.items():
        assert grads[name].shape == g.shape
        np.testing.assert_allclose(grads[name], g, atol=tolerance * scale, rtol=0, err_msg=name)


def run_steps(step: Any, loss: ag.Node, feeds: Feeds) -> tuple[tuple[float, dict[str, np.ndarray]], ag.Carry]:
    """Run a step at a time, and add up what is returned."""
    inputs = {n: x.axes.index(t) for n, x in ag.Graph(loss).inputs.items() if t in x.axes}
    fixed = {n: v for n, v in feeds.items() if n not in inputs}
    value, total, carry = 0.0, {}, None
    for k in range(len(np.moveaxis(feeds[next(iter(inputs))], inputs[next(iter(inputs))], 0))):
        (part, grads), carry = step(carry, **{n: np.take(feeds[n], k, axis) for n, axis in inputs.items()}, **fixed)
        value, total = value + float(part), {n: total.get(n, 0.0) + g for n, g in grads.items()}
    assert carry is not None
    return (value, total), carry


# -- ten ordinary models ----------------------------------------------------------------------------------------------------


def x_of(*axes: ag.Axis) -> ag.Node:
    return ag.input("x", (D,), over=axes or t)


def leaky() -> ag.Node:
    """Integrators with time constants of their own, which read no other unit."""
    a, U, h = ag.param("a", (H,)), ag.param("U", (H, D)), ag.state("h", (H,), over=t, init=ag.param("h0", (H,)))
    h[t] = ag.sigmoid(a) * h[t - 1] + ag.tanh(U @ x_of())
    return error(h)


def delayed() -> ag.Node:
    """Delays 1, 2 and 3, rows of its own before the first step, and a shift of something that is no state."""
    U, W, V = ag.param("U", (H, D)), ag.param("W", (H, H)), ag.param("V", (H, H))
    rows = [ag.tanh(ag.param("r3", (H,))), V @ ag.param("r2", (H,)), [0.1, -0.2, 0.3]]
    h, x = ag.state("h", (H,), over=t, init=rows), x_of()
    h[t] = ag.tanh(U @ x[t] + W @ h[t - 1]) * ag.sigmoid(h[t - 3]) + 0.3 * h[t - 2] * ag.shift(ag.tanh(U @ x), t, 1)
    return error(V @ h[t] + h[t - 2])


def spiking() -> ag.Node:
    return error(nn.leaky_readout(nn.lif(x_of(), H, over=t, recurrent=True, slope=2.0, name="lif").s, 2, over=t, name="out"))


def two_layers() -> ag.Node:
    return error(nn.gru(nn.lru(x_of(), H, over=t, name="lower"), H, over=t, name="upper"))


def batched() -> ag.Node:
    h = ag.state("h", (H,), over=(t, b), init={t: ag.input("h0", (H,), over=b)})
    h[t, b] = ag.tanh(ag.param("U", (H, D)) @ x_of(t, b) + ag.param("W", (H, H)) @ h[t - 1])
    return error(h, (t, b))


MODELS: dict[str, Callable[[], ag.Node]] = {
    "rnn": lambda: error(nn.rnn(x_of(), H, over=t)), "lstm": lambda: error(nn.lstm(x_of(), H, over=t).h),
    "gru": lambda: error(nn.gru(x_of(), H, over=t)), "lru": lambda: error(nn.lru(x_of(), H, over=t)),
    "min_gru": lambda: error(nn.min_gru(x_of(), H, over=t)), "leaky": leaky, "spiking": spiking, "delayed": delayed,
    "two_layers": two_layers, "batched": batched,
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_rtrl_is_the_gradient(name: str) -> None:
    loss = MODELS[name]()
    wrt = ["U", "W", "h0"] if name == "batched" else None
    feeds = draw(loss)
    found, carry = run_steps(ag.online(loss, wrt), loss, feeds)
    check(found, unrolled(loss, feeds, wrt))
    assert carry.steps == T
    step = ag.online(loss, wrt)
    check(step(**feeds)[0], unrolled(loss, feeds, wrt))  # all steps in one call
    assert step.pieces.backpropagates


@pytest.mark.parametrize("name", ["leaky", "batched"])
def test_native_steps(name: str) -> None:
    loss = MODELS[name]()
    feeds = draw(loss)
    check(run_steps(ag.online(loss, backend="numba"), loss, feeds)[0], unrolled(loss, feeds), 1e-10)


@pytest.mark.parametrize("method", ["rtrl", "snap1", "uoro", "eprop"])
def test_several_steps_are_single_steps_added_up(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = MODELS["delayed"]()
    feeds, step = draw(loss), ag.online(loss, method=method)
    fixed = {n: v for n, v in feeds.items() if n not in ("x", "goal")}
    (value, total), carry = run_steps(step, loss, feeds)
    monkeypatch.setattr(online, "MOST_NUMBERS", 2 * step.pieces.numbers)  # pieces of two steps
    first, middle = step(x=feeds["x"][:2], goal=feeds["goal"][:2], **fixed)
    second, end = step(x=feeds["x"][2:], goal=feeds["goal"][2:], carry=middle, **fixed)
    assert first[0] + second[0] == pytest.approx(value)
    for n, g in total.items():
        np.testing.assert_allclose(first[1][n] + second[1][n], g, rtol=1e-12, atol=1e-14)
    for name in carry:
        np.testing.assert_allclose(carry[name], end[name], rtol=1e-12, atol=1e-14)


def test_no_steps() -> None:
    """Sums over no steps are 0, and what follows goes on from where it was."""
    loss = MODELS["delayed"]()
    feeds, step = draw(loss), ag.online(loss)
    none = {n: v[:0] if n in ("x", "goal") else v for n, v in feeds.items()}
    first, carry = step(**feeds)
    (value, grads), same = step(carry, **none)
    assert float(value) == 0 and all(not g.any() and g.shape == feeds[n].shape for n, g in grads.items()) and same is carry
    (value, grads), left = step(**none)
    assert float(value) == 0 and left is None
    check(step(left, **feeds)[0], (float(first[0]), first[1]))


def test_nothing_grows_and_nothing_is_forgotten() -> None:
    loss, sizes = MODELS["lstm"](), set()
    feeds = draw(loss, steps=80)
    step = ag.online(loss)

    def watch(carry: Any, **given: Any) -> Any:
        found, carry = step(carry, **given)
        sizes.add(sum(carry[name].nbytes for name in carry))
        return found, carry

    found, carry = run_steps(watch, loss, feeds)
    assert len(sizes) == 1 and carry.steps == 80
    value, grads = ag.value_and_grad(loss, backend="numpy")(**feeds)
    check(found, (float(value), grads))


def test_float32() -> None:
    loss = MODELS["rnn"]()
    feeds = draw(loss)
    narrow = {n: v.astype(np.float32) for n, v in feeds.items()}
    (_, grads), _ = ag.online(loss)(**narrow)
    assert all(g.dtype == np.float32 for g in grads.values())
    for n, g in unrolled(loss, feeds)[1].items():
        np.testing.assert_allclose(grads[n], g, rtol=1e-3, atol=1e-3)


# -- what is stored ---------------------------------------------------------------------------------------------------------


def test_units_that_read_themselves_alone_have_traces_of_the_shape_of_the_parameter() -> None:
    for name in ("leaky", "lru", "min_gru"):
        loss = MODELS[name]()
        found = ag.online(loss).influence
        shapes = {n: x.shape for n, x in ag.Graph(loss).inputs.items()}
        assert found and all(shape == shapes[n.split("/∂")[1]] for n, shape in found.items()), name
        feeds = draw(loss)  # e-prop cuts nothing off there; SnAp-1 cuts off what the two parts of a complex number exchange
        for method in ("eprop", "snap1") if name != "lru" else ("eprop",):
            check(ag.online(loss, method=method)(**feeds)[0], unrolled(loss, feeds))


def test_shared_dimensions_are_stored_once() -> None:
    """In a scan with states (D, N), Wb (N, D) enters all channels, and log_A (D, N) its own entry alone."""
    n = 4
    found = ag.online(error(nn.selective_scan(x_of(), n, over=t))).influence
    assert found == {"∂s/∂Wd": (n, D, D), "∂s/∂bd": (n, D), "∂s/∂log_A": (D, n), "∂s/∂Wb": (D, n, D)}
    rnn = MODELS["rnn"]()
    assert ag.online(rnn).influence == {"∂h/∂U": (H, H, D), "∂h/∂W": (H, H, H), "∂h/∂b": (H, H)}
    assert ag.online(rnn, method="snap1").influence == {"∂h/∂U": (H, D), "∂h/∂W": (H, H), "∂h/∂b": (H,)}
    assert ag.online(rnn, method="eprop").influence == {}  # its units pass nothing to themselves
    assert ag.online(rnn, method="uoro").influence == {"s of h": (H,), "θ of U": (H, D), "θ of W": (H, H), "θ of b": (H,)}


# -- bias and variance ------------------------------------------------------------------------------------------------------


def lagged() -> ag.Node:
    """h_t = a h_{t−2} + tanh(W h_{t−1} + U x_t): units that keep some of their own past, and read all others."""
    W, U, h, x = ag.param("W", (H, H)), ag.param("U", (H, D)), ag.state("h", (H,), over=t), x_of()
    h[t] = 0.6 * h[t - 2] + ag.tanh(W @ h[t - 1] + U @ x[t])
    return error(ag.param("V", (2, H)) @ h[t])


def follow(feeds: Feeds, keep: Callable[[np.ndarray], np.ndarray], recurrent: float) -> dict[str, np.ndarray]:
    """The gradients of :func:`lagged` with the influence as one matrix, of which ``keep`` keeps some entries each step."""
    W, U, V = (feeds[n] for n in "WUV")
    h, M = [np.zeros(H), np.zeros(H)], [np.zeros((H, H * (H + D)))] * 2
    total = {"W": np.zeros((H, H)), "U": np.zeros((H, D)), "V": np.zeros((2, H))}
    for x, goal in zip(feeds["x"], feeds["goal"], strict=True):
        z = np.tanh(W @ h[-1] + U @ x)
        slope = np.diag(1 - z * z)
        direct = slope @ np.hstack([np.kron(np.eye(H), h[-1]), np.kron(np.eye(H), x)])
        M.append(keep(0.6 * M[-2] + recurrent * slope @ W @ M[-1] + direct))
        h.append(0.6 * h[-2] + z)
        off = 2 * (V @ h[-1] - goal)
        credit = off @ V @ M[-1]
        total["W"] += credit[: H * H].reshape(H, H)
        total["U"] += credit[H * H :].reshape(H, D)
        total["V"] += np.outer(off, h[-1])
    return total


def test_snap1_keeps_the_entries_that_are_there_after_one_step() -> None:
    """Menick et al. 2020: M_t = P ⊙ (J M_{t−1} + I), P where I is not zero; both rows of h have the same P."""
    loss = lagged()
    feeds, pattern = draw(loss), np.hstack([np.kron(np.eye(H), np.ones(H)), np.kron(np.eye(H), np.ones(D))])
    value, exact = unrolled(loss, feeds)
    check((value, follow(feeds, lambda M: M, 1.0)), (value, exact))
    want = follow(feeds, lambda M: M * pattern, 1.0)
    check(ag.online(loss, method="snap1")(**feeds)[0], (value, want))
    assert np.max(np.abs(want["W"] - exact["W"])) > 0.05 * np.max(np.abs(exact["W"]))  # it is biased


def test_snap1_with_two_reads_of_one_state() -> None:
    """Units that read themselves alone lose nothing, a first row of one of the two reads neither; equilibria are the same."""
    w, first, x = ag.param("w", (H,)), ag.param("first", (H,)), ag.input("x", (H,), over=t)
    s, z = ag.state("s", (H,), over=t), ag.equilibrium("z", (H,), over=t, start=t - 1)
    s[t] = ag.tanh(w * ag.shift(s, t, 1, init=first) + 0.3 * s[t - 1] + x[t])
    z[t] = ag.tanh(0.3 * w * z[t] + 0.5 * ag.shift(z, t, 1, init=first) + x[t])
    for loss in (error(s), error(z)):
        feeds = draw(loss)
        check(ag.online(loss, method="snap1")(**feeds)[0], unrolled(loss, feeds))


def step_lstm(s: np.ndarray, p: Feeds, x: np.ndarray) -> np.ndarray:
    i, f, o = (1 / (1 + np.exp(-(p[f"U{k}"] @ x + p[f"W{k}"] @ s[:H] + p[f"b{k}"]))) for k in "ifo")
    c = f * s[H:] + i * np.tanh(p["Ug"] @ x + p["Wg"] @ s[:H] + p["bg"])
    return np.concatenate([o * np.tanh(c), c])


def step_gru(s: np.ndarray, p: Feeds, x: np.ndarray) -> np.ndarray:
    r, z = (1 / (1 + np.exp(-(p[f"U{k}"] @ x + p[f"W{k}"] @ s + p[f"b{k}"]))) for k in "rz")
    return (1 - z) * np.tanh(p["Un"] @ x + p["Wn"] @ (r * s) + p["bn"]) + z * s


@pytest.mark.parametrize("cell", [step_lstm, step_gru], ids=["lstm", "gru"])
def test_snap1_of_gated_cells(cell: Callable[..., np.ndarray]) -> None:
    """J and I by complex steps of a cell in plain NumPy; two states, and weights that enter one unit or, through r, all."""
    whole = nn.lstm(x_of(), H, over=t).h if cell is step_lstm else nn.gru(x_of(), H, over=t, reset="before")
    loss = error(whole)
    feeds = draw(loss)
    places = [(n, at) for n, v in feeds.items() if n not in ("x", "goal") for at in np.ndindex(v.shape)]
    s, parts = np.zeros(2 * H if cell is step_lstm else H), []
    for x in feeds["x"]:
        columns = []
        for n, at in places:
            moved = {**feeds, n: feeds[n].astype(complex)}
            moved[n][at] += 1e-100j
            columns.append(np.imag(cell(s, moved, x)) / 1e-100)
        J = np.stack([np.imag(cell(s + 1e-100j * e, feeds, x)) / 1e-100 for e in np.eye(len(s))], 1)
        s = cell(s, feeds, x)
        parts.append((J, np.stack(columns, 1), s))
    pattern = np.any([I != 0 for _, I, _ in parts], 0)
    want = {n: np.zeros_like(v) for n, v in feeds.items() if n not in ("x", "goal")}
    M = np.zeros_like(parts[0][1])
    for (J, I, s), goal in zip(parts, feeds["goal"], strict=True):
        M = pattern * (J @ M + I)
        for (n, at), g in zip(places, 2 * (s[:H] - goal) @ M[:H], strict=True):
            want[n][at] += g
    check(ag.online(loss, method="snap1")(**feeds)[0], (unrolled(loss, feeds)[0], want))


def test_eprop_follows_what_a_unit_passes_to_itself() -> None:
    """Bellec et al. 2020: the influence without what units read of others, which is also BPTT with stopped products."""
    loss = lagged()
    feeds = draw(loss)
    value, exact = unrolled(loss, feeds)
    want = follow(feeds, lambda M: M, 0.0)
    check(ag.online(loss, method="eprop")(**feeds)[0], (value, want))
    assert np.max(np.abs(want["W"] - exact["W"])) > 0.05 * np.max(np.abs(exact["W"]))
    x = x_of()
    U, W = ([ag.param(f"{n}{g}", shape) for g in "fig"] for n, shape in (("U", (H, D)), ("W", (H, H))))

    def stopped(stop: Callable[[ag.Node], ag.Node]) -> ag.Node:
        h, c = ag.state("h", (H,), over=t), ag.state("c", (H,), over=t)
        f, i, g = (u @ x[t] + w @ stop(h[t - 1]) for u, w in zip(U, W, strict=True))
        c[t] = ag.sigmoid(f) * c[t - 1] + ag.sigmoid(i) * ag.tanh(g)
        h[t] = ag.tanh(c[t])
        return error(h)

    feeds = draw(stopped(lambda s: s))
    check(ag.online(stopped(lambda s: s), method="eprop")(**feeds)[0], unrolled(stopped(ag.stop_gradient), feeds))


def test_uoro_is_right_on_average() -> None:
    """Tallec & Ollivier 2017: unbiased. The z-scores of the mean of 500 draws are those of chance."""
    a, W, row = ag.param("a", (2,)), ag.param("W", (2, 2)), ag.param("row", (2,))
    h, x = ag.state("h", (2,), over=(t, b), init={t: [ag.tanh(row), 0.5 * row]}), ag.input("x", (2,), over=(t, b))
    h[t, b] = ag.tanh(W @ h[t - 1] + x[t]) + ag.sigmoid(a) * h[t - 2]
    loss = ag.sum(ag.sum(h[t] * h[t]), over=(t, b))
    feeds = {"a": [0.3, -0.2], "W": [[0.2, -0.5], [0.6, 0.1]], "row": [0.5, -0.4],
             "x": np.random.default_rng(3).normal(size=(4, B, 2))}  # fmt: skip
    value, exact = unrolled(loss, feeds)
    step = ag.online(loss, method="uoro")
    draws = [step(seed=k, **feeds)[0] for k in range(500)]
    assert all(float(one[0]) == pytest.approx(value) for one in draws)
    z = []
    for n, want in exact.items():
        found = np.array([one[1][n] for one in draws])
        spread = found.std(0)
        assert np.all(spread > 0.02 * np.max(np.abs(want))), n  # one draw is noisy
        z += [*((found.mean(0) - want) / (spread / np.sqrt(len(draws)))).ravel()]
    assert np.max(np.abs(z)) < 4 and np.sqrt(np.mean(np.square(z))) < 1.8, z


def test_parameters_that_change_during_the_stream() -> None:
    """The gradient is that of a common shift of all values used so far, as in Williams & Zipser 1989."""
    loss = MODELS["rnn"]()
    feeds, rng = draw(loss), np.random.default_rng(8)
    params = [{n: feeds[n] + 0.1 * rng.normal(size=feeds[n].shape) for n in ("U", "W", "b")} for _ in range(T)]
    step, carry = ag.online(loss), None
    for k in range(T):
        (_, grads), carry = step(carry, x=feeds["x"][k], goal=feeds["goal"][k], **params[k])
    way = rng.normal(size=(H, H))
    h = np.zeros(H, complex)
    for k in range(T):
        U, W, bias = (params[k][n] for n in ("U", "W", "b"))
        h = np.tanh(U @ feeds["x"][k] + (W + 1e-100j * way) @ h + bias)
    want = np.imag(np.sum((h - feeds["goal"][-1]) ** 2)) / 1e-100
    assert np.sum(grads["W"] * way) == pytest.approx(want, rel=1e-11)


# -- random graphs ----------------------------------------------------------------------------------------------------------


class Draft:
    """Random recurrences: states of one or two shapes, delays up to 3, rows of all kinds, products, gates, slices, softmax."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 17])
        self.axes = (t, b) if seed % 3 == 0 else (t,)
        self.x = ag.input("x", (H,), over=self.axes)
        self.matrices = [ag.param(f"W{i}", (H, H)) for i in range(3)]
        self.vectors = [ag.param(f"v{i}", (H,)) for i in range(3)]
        self.rows = 0

    def pick(self, options: list[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def mix(self, s: ag.Node) -> ag.Node:
        W, v, k = self.pick(self.matrices), self.pick(self.vectors), int(self.rng.integers(9))
        ways: list[Callable[[], ag.Node]] = [
            lambda: W @ s, lambda: ag.tanh(v) * s, lambda: ag.sin(s), lambda: ag.softmax(s + v), lambda: ag.flip(s) * v,
            lambda: ag.concat([s[1:], v[:1]]), lambda: ag.sum(W * s[:, None], axis=0), lambda: s / (1 + ag.sum(s * s)),
            lambda: ag.sum(ag.outer(s, v) * W, axis=1),
        ]  # fmt: skip
        return ways[k]()

    def row(self) -> Any:
        self.rows += 1
        p = ag.param(f"row{self.rows}", (H,))
        return self.pick([p, ag.tanh(self.matrices[0] @ p), np.full(H, 0.3), p * self.vectors[0]])

    def loss(self) -> ag.Node:
        count, states = int(self.rng.integers(1, 4)), []
        delays = [int(self.rng.integers(1, 4)) for _ in range(count)]
        for i, k in enumerate(delays):
            kind = int(self.rng.integers(3))
            init = None if kind == 0 else {t: self.row() if kind == 1 else [self.row() for _ in range(k)]}
            states.append(ag.state(f"s{i}", (H,), over=self.axes, init=init))
        for i, s in enumerate(states):
            j = int(self.rng.integers(count))
            value = 0.5 * self.mix(s[t - delays[i]]) + 0.3 * self.mix(states[j][t - int(self.rng.integers(1, delays[j] + 1))])
            if i:
                value = value + 0.3 * self.mix(states[i - 1][t])
            s[self.axes] = ag.tanh(value + self.pick([self.x[t], self.matrices[2] @ self.x[t - 1], self.vectors[1]]))
        y = self.mix(self.pick(states)) + states[-1] * self.pick([1.0, self.vectors[2]]) + 0.1 * self.x
        if self.rng.integers(2):
            s = self.pick(states)
            y = y + ag.shift(ag.tanh(s * self.x), t, 2) + s[t - 1]
        return ag.sum(ag.sum(y * ag.cos(y)), over=self.axes)


@pytest.mark.parametrize("seed", one_in(10, range(200)))
def test_rtrl_is_forward_mode_is_reverse_mode_is_the_complex_step(seed: int) -> None:
    loss = Draft(seed).loss()
    feeds = draw(loss, seed)
    graph = ag.Graph(loss)
    names = [n for n, x in graph.inputs.items() if x.op.name == "param"]
    want = unrolled(loss, feeds)
    step = ag.online(loss)
    check(run_steps(step, loss, feeds)[0], want)
    if NIGHT or seed % 40 == 0:
        check(step(**feeds)[0], want)
    ways = {n: np.random.default_rng(5).normal(size=feeds[n].shape) for n in names}
    slope = sum(float(np.sum(want[1][n] * ways[n])) for n in names)
    moved = {n: v + 1e-100j * ways[n] if n in ways else v for n, v in feeds.items()}
    complex_step = float(np.imag(graph.unroll(**graph.sizes(feeds)).evaluate(**moved)[0])) / 1e-100
    scale = max(1.0, *(np.max(np.abs(g)) for g in want[1].values()))
    assert slope == pytest.approx(complex_step, abs=1e-10 * scale)
    forward = ag.jvp(loss, [graph[n] for n in names], [ways[n] for n in names])
    assert float(ag.Graph(forward).evaluate(**feeds)[0]) == pytest.approx(slope, abs=1e-10 * scale)


# -- refusals ---------------------------------------------------------------------------------------------------------------


def test_refusals() -> None:
    h, x, w, u = ag.state("h", over=t), ag.input("x", over=t), ag.param("w"), ag.Axis("u")
    h[t] = w * h[t - 1] + x[t]
    ahead, mixed = ag.state("ahead", over=t), ag.state("mixed", over=(t, b))
    ahead[t] = w * ahead[t + 1] + x[t]
    mixed[t, b] = ag.tanh(w * ag.sum(mixed[t - 1], over=b) + ag.input("y", over=(t, b)))
    wide, z = ag.state("wide", over=(t, b)), ag.input("z", over=t)
    wide[t, b] = ag.tanh(w * wide[t - 1] + h[t - 1] + ag.input("y", over=(t, b)))
    causal = ag.where(ag.index(u) <= ag.index(t), ag.tanh(w * x).along(t, u), 0.0)
    total = ag.sum(h, over=t)
    cases: list[tuple[Callable[[], Any], str, str]] = [
        (lambda: ag.online(total, memory="sqrt"), "O130", "online takes no memory="),
        (lambda: ag.online(total, method="bptt"), "E152", "no method 'bptt'"),
        (lambda: ag.online(total, "x"), "E153", "x varies over t"),
        (lambda: ag.online(total, h), "E153", "h varies over t"),
        (lambda: ag.online(ag.sum(ag.sum(causal, over=u) * h, over=t)), "E154", "reads all steps"),
        (lambda: ag.online(ag.sum(mixed, over=(t, b))), "E151", "mixed reads mixed.* at other points of b"),
        (lambda: ag.online(ag.mean(h, over=t)), "K115", "do not add up"),
        (lambda: ag.online(ag.last(h, over=t)), "K115", "do not add up"),
        (lambda: ag.online(total + w * w), "K115", "do not add up"),
        (lambda: ag.online(ag.sum(ahead, over=t)), "K104", "later step"),
        (lambda: ag.online(total + ag.sum(z * h, over=t))(x=[1.0, 2.0], z=[1.0], w=1.0), "E155", "differ in their number"),
        (lambda: ag.online(ag.sum(wide * h, over=(t, b)), method="uoro"), "E156", "h varies over other axes than wide"),
        (lambda: ag.online(total)(x=[1.0, 2.0], w=1.0, lengths={t: 1}), "F206", "takes no lengths="),
    ]  # fmt: skip
    for call, code, words in cases:
        with pytest.raises(ag.AutogradSeqError, match=words) as caught:
            call()
        assert caught.value.code == code
