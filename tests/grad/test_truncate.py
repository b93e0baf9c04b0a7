"""Truncated gradients against loops in which every step has a parameter of its own: which pairs of loss and use count.

The oracle shares nothing with the engine: a network in plain loops whose parameters are copies, one a step; the derivative of
each step's loss by each step's copy, by complex steps; and a rule in one line that says which of these pairs are added up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

D, H = 2, 3
t, b = ag.Axis("t"), ag.Axis("b")
POLICIES: list[dict[str, int]] = [
    {"segment": 1}, {"segment": 3}, {"segment": 4}, {"segment": 7}, {"window": 1}, {"window": 2}, {"window": 5},
    {"every": 1, "window": 3}, {"every": 2, "window": 2}, {"every": 2, "window": 4}, {"every": 2, "window": 5},
    {"every": 3, "window": 4}, {"every": 3, "window": 9}, {"every": 9, "window": 10},
]  # fmt: skip


def counts(
    loss: int, use: int, steps: int, segment: int | None = None, window: int | None = None, every: int | None = None
) -> bool:
    """Tell whether the loss at one step reaches the use at another."""
    size = segment or every or 1
    end = steps - 1 - (steps - 1 - loss) // size * size  # of the block of the loss
    return end - use < (segment or window)


def model() -> tuple[ag.Node, list[str]]:
    """Delays of 1 and 2, a gate, an initial row that is learned, a parameter used twice, and once outside of the loop."""
    x, r = ag.input("x", (D,), over=t), ag.input("r", (H,), over=t)
    U, W, V, h0 = ag.param("U", (H, D)), ag.param("W", (H, H)), ag.param("V", (H, H)), ag.param("h0", (H,))
    h = ag.state("h", (H,), over=t, init={t: h0})
    gate = ag.sigmoid(W @ h[t - 1] + U @ x[t])
    h[t] = gate * h[t - 1] + (1 - gate) * ag.tanh(V @ h[t - 2] + U @ x[t])
    return ag.sum(r[t] @ (W @ h[t]), over=t), ["U", "W", "V", "h0"]


def losses(x: Any, r: Any, U: Any, W: Any, V: Any, h0: Any) -> list[Any]:
    """The same in loops; U[k], W[k], V[k], h0[k] are the copies that step k uses."""
    h: list[Any] = []

    def before(k: int, back: int) -> Any:
        return h[k - back] if k >= back else h0[k]

    out = []
    for k in range(len(x)):
        gate = 1 / (1 + np.exp(-(W[k] @ before(k, 1) + U[k] @ x[k])))
        h.append(gate * before(k, 1) + (1 - gate) * np.tanh(V[k] @ before(k, 2) + U[k] @ x[k]))
        out.append(r[k] @ (W[k] @ h[k]))
    return out


def draw(steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"x": (steps, D), "r": (steps, H), "U": (H, D), "W": (H, H), "V": (H, H), "h0": (H,)}
    return {name: rng.normal(0, 0.8, shape) for name, shape in shapes.items()}


def slope(feeds: dict[str, np.ndarray], name: str, way: np.ndarray, kept: Callable[[int, int], bool]) -> float:
    """The derivative of the sum of all losses along a direction of a parameter, over the pairs that count."""
    steps = len(feeds["x"])
    copies = {n: np.stack([feeds[n]] * steps).astype(complex) for n in ("U", "W", "V", "h0")}
    total = 0.0
    for use in range(steps):
        moved = {n: c.copy() for n, c in copies.items()}
        moved[name][use] += 1j * 1e-100 * way
        found = np.imag(losses(feeds["x"], feeds["r"], **moved)) / 1e-100
        total += sum(found[loss] for loss in range(steps) if kept(loss, use))
    return float(total)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("steps", [7, 8])
def test_the_pairs_that_count(policy: dict[str, int], steps: int) -> None:
    loss, names = model()
    feeds, graph = draw(steps), ag.Graph(loss)
    grads = ag.grad(loss, [graph[n] for n in names], **policy)
    rng = np.random.default_rng(1)
    dag, numpy = ag.Graph(*grads).evaluate(**feeds), ag.compile(grads, backend="numpy")(**feeds)
    for name, one, two in zip(names, dag, numpy, strict=True):
        way = rng.normal(size=one.shape)
        want = slope(feeds, name, way, lambda s, u: u <= s and counts(s, u, steps, **policy))
        np.testing.assert_allclose(np.sum(one * way), want, rtol=1e-11, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(two, one, rtol=1e-11, atol=1e-13, err_msg=name)


def test_the_numbers_of_the_contract() -> None:
    """h_t = w h_{t-1} + x_t, w = 0.5, h₋₁ = 2, x = 1 … 6, L = Σ h_t."""
    w, x, h0 = ag.param("w"), ag.input("x", over=t), ag.param("h0")
    h = ag.state("h", over=t, init={t: h0})
    h[t] = w * h[t - 1] + x[t]
    loss = ag.sum(h, over=t)
    want = {"segment=3": (34.875, 0.875), "window=3": (37.625, 0.875), "every=2,window=4": (38.25, 0.9375),
            "segment=4": (36.0, 0.75), "every=4,window=4": (36.0, 0.75), "window=6": (38.8125, 0.984375)}  # fmt: skip
    for text, values in want.items():
        keywords = {k: int(v) for k, v in (part.split("=") for part in text.split(","))}
        value, grads = ag.bptt(loss, [w, h0], **keywords, backend="numpy")(w=0.5, h0=2.0, x=np.arange(1.0, 7.0))
        assert (float(grads["w"]), float(grads["h0"])) == values, text
        assert float(value) == 33.9375  # the loss is whole


def test_a_long_window_runs_the_full_program() -> None:
    loss, _ = model()
    feeds = draw(6)
    full = ag.value_and_grad(loss, backend="numpy")(**feeds)[1]
    for policy in ({"window": 6}, {"segment": 6}, {"every": 2, "window": 100}):
        got = ag.bptt(loss, **policy, backend="numpy")(**feeds)[1]
        assert all(np.array_equal(full[n], got[n]) for n in full)


def test_gradients_of_several_calls_stand_in_one_graph() -> None:
    """Those that are cut alike share the axis of ages; those that are not have axes of other names."""
    w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t, init=ag.param("h0"))
    h[t] = w * h[t - 1] + x[t]
    L = ag.sum(h, over=t)
    cuts: list[dict[str, int]] = [{"window": 3}, {"every": 2, "window": 4}, {"window": 2}]
    nodes = [ag.grad(L, n, over=t, **cut) for cut in cuts for n in (w, ag.Graph(L)["h0"])]
    feeds: dict[str, Any] = {"w": 0.5, "h0": 2.0, "x": np.arange(1.0, 7.0)}
    for found in (ag.Graph(nodes).evaluate(**feeds), ag.compile(nodes, backend="numpy")(**feeds)):
        np.testing.assert_allclose(found[:4], [37.625, 0.875, 38.25, 0.9375], rtol=1e-14)


def test_segments_are_pieces_with_a_carry() -> None:
    """The truncation that is run in practice: pieces one after the other, the state carried on and the gradient not."""
    loss, names = model()
    feeds = draw(9)
    params = {n: feeds[n] for n in names}
    step, carry = ag.value_and_grad(loss, carry=True, backend="numpy"), None
    total = {n: np.zeros_like(feeds[n]) for n in names}
    for k in range(0, 9, 3):
        (_, grads), carry = step(x=feeds["x"][k : k + 3], r=feeds["r"][k : k + 3], carry=carry, **params)
        total = {n: total[n] + grads[n] for n in names}
    got = ag.bptt(loss, segment=3, backend="numpy")(**feeds)[1]
    for name in ("U", "W", "V"):
        np.testing.assert_allclose(got[name], total[name], rtol=1e-11)


@pytest.mark.parametrize("policy", [{"segment": 2}, {"window": 3}, {"every": 2, "window": 3}], ids=str)
def test_blocks_end_with_each_sequence_of_a_padded_batch(policy: dict[str, int]) -> None:
    loss, names = model()
    batched = ag.sum(ag.vmap(loss, over=b), over=b)
    graph, lengths = ag.Graph(batched), [7, 0, 4]
    parts = [draw(n, seed=k) for k, n in enumerate(lengths)]
    params = {n: parts[0][n] for n in names}
    x, r = np.full((7, 3, D), np.nan), np.full((7, 3, H), np.nan)
    for k, n in enumerate(lengths):
        x[:n, k], r[:n, k] = parts[k]["x"], parts[k]["r"]
    first = graph.inputs["x"].axes[0] is t
    program = ag.compile(ag.grad(batched, [graph[n] for n in names], over=t, **policy), backend="numpy")
    got = program(x=x if first else x.swapaxes(0, 1), r=r if first else r.swapaxes(0, 1), lengths={t: lengths}, **params)
    alone = ag.compile(ag.grad(loss, [ag.Graph(loss)[n] for n in names], **policy), backend="numpy")
    want = [alone(x=p["x"], r=p["r"], **params) for p in parts]
    for k, name in enumerate(names):
        np.testing.assert_allclose(got[k], sum(w[k] for w in want), rtol=1e-11, atol=1e-13, err_msg=name)


def test_the_bias_of_truncation() -> None:
    loss, _ = model()
    feeds = draw(8)
    bias = ag.truncation_bias(loss, window=2, backend="numpy")(**feeds)
    full, part = ag.value_and_grad(loss, backend="numpy")(**feeds)[1], ag.bptt(loss, window=2, backend="numpy")(**feeds)[1]
    for name, found in bias.items():
        np.testing.assert_allclose(found.cut, full[name] - part[name], atol=1e-13)
        assert found.relative == pytest.approx(np.linalg.norm(found.cut) / np.linalg.norm(full[name]))
        assert -1 <= found.cosine <= 1
    assert max(x.relative for x in ag.truncation_bias(loss, window=8, backend="numpy")(**feeds).values()) == 0


def test_a_loss_that_goes_through_the_steps_twice() -> None:
    """What comes back from a number that all steps made (a mean, used at each step) is a new loss, of age 0."""
    w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
    h[t] = w * h[t - 1] + x[t]
    loss = ag.sum((h[t] - ag.mean(h, over=t)) ** 2, over=t)
    feeds = {"x": [1.0, -2.0, 0.5, 3.0], "w": 0.7}
    g = ag.grad(loss, w, window=2)
    hs = [0.0]
    for value in feeds["x"]:  # type: ignore[union-attr]
        hs.append(0.7 * hs[-1] + value)
    centred = 2 * (np.array(hs[1:]) - np.mean(hs[1:]))
    want = sum(c * (hs[k] + (0.7 * hs[k - 1] if k else 0.0)) for k, c in enumerate(centred))
    assert float(ag.Graph(g).evaluate(**feeds)[0]) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("policy", [{"segment": 3}, {"window": 3}, {"every": 2, "window": 5}, {"segment": 9}], ids=str)
def test_gradient_checks_refuse_truncated_gradients_unless_asked_for_masked_ones(policy: dict[str, int]) -> None:
    w, x, h0 = ag.param("w"), ag.input("x", over=t), ag.param("h0")
    h = ag.state("h", over=t, init={t: h0})
    h[t] = w * ag.sin(h[t - 1]) + 0.5 * h[t - 2] + x[t]
    loss, wrt = ag.sum(w * h**2, over=t), [w, h0]
    feeds = {"w": 0.7, "h0": 0.4, "x": draw(7)["x"][:, 0]}
    with pytest.raises(ag.GradientError, match="differs from the derivative on purpose") as caught:
        ag.check_grad(loss, wrt, feeds, **policy)
    assert caught.value.code == "E140"
    report = ag.check_grad(loss, wrt, feeds, masked=True, **policy)
    assert report.worst < 1e-10 and set(report.method.values()) == {"complex step"}
    full = ag.value_and_grad(loss, wrt, backend="numpy")(**feeds)[1]
    cut = ag.bptt(loss, wrt, **policy, backend="numpy")(**feeds)[1]
    assert (abs(full["w"] - cut["w"]) > 1e-3) == (policy != {"segment": 9})


def test_a_masked_check_needs_a_sum_over_the_steps() -> None:
    loss, _ = model()
    with pytest.raises(ag.GradientError, match="no sum over t") as caught:
        ag.check_grad(loss**2, ag.Graph(loss)["W"], draw(7), segment=3, masked=True)
    assert caught.value.code == "E141"


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({}, "E157"), ({"segment": 0}, "E134"), ({"window": 2.5}, "E134"), ({"segment": True}, "E134"),
        ({"every": 2}, "E132"), ({"segment": 2, "window": 3}, "E132"), ({"segment": 2, "every": 2}, "E132"),
        ({"every": 3, "window": 2}, "E133"), ({"segment": 2, "over": ag.Axis("u")}, "E135"),
    ],
)  # fmt: skip
def test_refusals(keywords: dict[str, Any], code: str) -> None:
    loss, _ = model()
    with pytest.raises(ag.GradientError) as caught:
        ag.bptt(loss, **keywords)
    assert caught.value.code == code


def test_what_looks_ahead_or_everywhere_cannot_be_truncated() -> None:
    x, w, h = ag.input("x", over=t), ag.param("w"), ag.state("h", over=t)
    h[t] = w * h[t + 1] + x[t]
    u = ag.Axis("u")
    y = w * x[t]
    everywhere = ag.sum(y.along(t, u) * y[t], over=(t, u))
    for loss, words in ((ag.sum(h, over=t), "a later step of h"), (everywhere, "other steps")):
        with pytest.raises(ag.GradientError, match=words) as caught:
            ag.grad(loss, w, over=t, segment=2)
        assert caught.value.code == "E130"
    with pytest.raises(ag.GradientError, match="no truncation is given"):
        ag.grad(everywhere, w, over=t)


def test_a_sequence_that_ends_by_itself() -> None:
    """Blocks are counted back from the last step that was taken, 4 of them here: aᵏ is summed until it is less than 0.1."""
    a, s = ag.param("a"), ag.state("s", over=t, init=1.0)
    s[t] = a * s[t - 1]
    loss = ag.until(ag.sum(s, over=t), over=t, when=s < 0.1, limit=100)
    for policy, slope in (({"segment": 2}, 2.5), ({"window": 1}, 1.875), ({"window": 50}, 3.25)):
        value, grads = ag.bptt(loss, backend="numpy", **policy)(a=0.5)
        assert float(value) == 0.9375 and float(grads["a"]) == slope
