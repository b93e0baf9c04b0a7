"""Attention with several heads, in every way to write it: right, and no array over both steps, heads and entries of a head."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.plan.passes.dimensions import get_fixed_lengths

H, P, B, T = 3, 4, 2, 5
RNG = np.random.default_rng(0)
Model = tuple[ag.Node, list[ag.Node]]
t, u, b, h = (ag.Axis(name) for name in ("t", "u", "b", "h"))


def three(*shape: int, over: tuple[ag.Axis, ...]) -> list[ag.Node]:
    return [ag.input(name, shape, over=over) for name in "qkv"]


def loss(y: ag.Node) -> ag.Node:
    return ag.sum(ag.sum(ag.sin(y)), over=y.axes)


def scores(q: ag.Node, k: ag.Node) -> ag.Node:
    return ag.where(ag.index(u) <= ag.index(t), ag.sum(q * k.along(t, u), axis=-1) / P**0.5, -np.inf)


def a_dimension(*over: ag.Axis) -> Model:
    q, k, v = three(H, P, over=over)
    return loss(ag.sum(ag.softmax(scores(q, k), over=u)[..., None] * v.along(t, u), over=u)), [q, k, v]


def an_axis(*over: ag.Axis) -> Model:
    q, k, v = three(P, over=over)
    return loss(ag.sum(ag.softmax(scores(q, k), over=u) * v.along(t, u), over=u)), [q, k, v]


def by_letters(*over: ag.Axis) -> Model:
    q, k, v = three(H, P, over=over)
    weights = ag.softmax(ag.einsum("hp,hp->h", q, k.along(t, u)), over=u)
    return loss(ag.sum(ag.einsum("h,hp->hp", weights, v.along(t, u)), over=u)), [q, k, v]


def one_key_for_all_heads(*over: ag.Axis) -> Model:
    q = ag.input("q", (H, P), over=over)
    k, v = (ag.input(name, (P,), over=over) for name in "kv")
    weights = ag.softmax(ag.sum(q * k.along(t, u), axis=-1), over=u)
    return loss(ag.sum(weights[..., None] * v.along(t, u), over=u)), [q, k, v]


def a_factor_more(*over: ag.Axis) -> Model:
    q, k, v = three(H, P, over=over)
    m = ag.input("m", over=(t, u))
    return loss(ag.sum(ag.softmax(scores(q, k), over=u)[..., None] * v.along(t, u) * m, over=u)), [q, k, v, m]


def two_dimensions_of_heads(*over: ag.Axis) -> Model:
    q, k, v = three(2, 2, P, over=over)
    return loss(ag.sum(ag.softmax(scores(q, k), over=u)[..., None] * v.along(t, u), over=u)), [q, k, v]


def projected(*over: ag.Axis) -> Model:
    x = ag.input("x", (H * P,), over=over)
    names = ("Wq", "Wk", "Wv", "Wo")
    params = [ag.param(name, (H * P, H * P)) for name in names]
    q, k, v = (ag.reshape(w @ x, (H, P)) for w in params[:3])
    y = ag.sum(ag.softmax(scores(q, k), over=u)[..., None] * v.along(t, u), over=u)
    return loss(x + params[3] @ ag.reshape(y, (H * P,))), [x, *params]


MODELS: dict[str, tuple[Callable[..., Model], tuple[ag.Axis, ...]]] = {
    "a dimension": (a_dimension, (b, t)), "a dimension, time first": (a_dimension, (t, b)),
    "an axis": (an_axis, (b, h, t)), "an axis, time first": (an_axis, (t, b, h)), "an axis, last": (an_axis, (b, t, h)),
    "by letters": (by_letters, (b, t)), "one key for all heads": (one_key_for_all_heads, (b, t)),
    "one key for all heads, time first": (one_key_for_all_heads, (t, b)), "a factor more": (a_factor_more, (b, t)),
    "two dimensions of heads": (two_dimensions_of_heads, (t, b)), "projected": (projected, (b, t)),
}  # fmt: skip
NATIVE = ["a dimension, time first"]
SIZES = {"t": T, "u": T, "b": B, "h": H}


def fed(nodes: list[ag.Node]) -> dict[str, np.ndarray]:
    return {n.name or "": RNG.normal(size=tuple(SIZES[a.name] for a in n.axes) + n.shape) for n in nodes}


@pytest.mark.parametrize("name, backend", [*((n, "numpy") for n in MODELS), *((n, "numba") for n in NATIVE)])
def test_attention_with_heads(name: str, backend: str) -> None:
    """Right, and neither there nor back is there an array larger than the weights, though a head has several entries a step."""
    if backend == "numba":
        pytest.importorskip("numba")
    make, over = MODELS[name]
    out, wrt = make(*over)
    graph = ag.Graph(out, *ag.grad(out, wrt))
    program, feeds = ag.compile(list(graph.outputs), backend=backend), fed(wrt)
    for lengths in ({}, {t: [3, 5]}) if name == "a dimension" else ({},):
        said = {"lengths": lengths} if lengths else {a.name: SIZES[a.name] for a in graph.axes if a is u}
        want = graph.evaluate(**feeds, **said)
        for got, expected in zip(program(**feeds, **said), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    axes = program.plan.graph.axes
    sizes = {a: 200 if a in (t, u) else 2 if a is b else H for a in axes} | get_fixed_lengths(axes)
    weights = 200 * 200 * 2 * (4 if "two" in name else H)
    for node, home in program.plan.storage.homes.items():
        assert prod(sizes[a] for a in home.axes) * prod(node.shape) <= weights, node


def test_what_a_mask_leaves_out_may_be_no_number() -> None:
    """It is left out of the sum, as where the product is formed; where it counts the sum is no number either."""
    a, k = ag.input("a", (H,), over=(b, t, u)), ag.input("k", (H, P), over=(b, u))
    product = ag.where(ag.index(u) <= ag.index(t), a[..., None] * k, 0.0)
    y = ag.sum(product, over=u)
    program = ag.compile(y, backend="numpy")
    assert all(prod(n.shape) <= H or len(home.axes) < 3 for n, home in program.plan.storage.homes.items())
    for odd in (np.nan, np.inf, -np.inf):
        feeds = {"a": RNG.normal(size=(B, T, T, H)), "k": RNG.normal(size=(B, T, H, P))}
        feeds["k"][1, 3, 2, 1] = odd
        feeds["a"][0, 1, 2] = odd  # of a later step
        with np.errstate(invalid="ignore"):
            got, want = program(**feeds)[0], ag.Graph(y).evaluate(**feeds)[0]
        assert np.isfinite(want[:, :3]).all() and not np.isfinite(want[1, 3:, 2, 1]).any()
        counts = np.isfinite(want)
        counts[1, 3:, 2] = False  # entries beside one that is no number
        np.testing.assert_allclose(got[counts], want[counts], rtol=1e-12)
        assert np.isnan(got[1, 3:, 2, 1]).all()


def test_a_gradient_through_many_layers_is_compiled_in_time_that_is_linear_in_them():
    """Its product has a factor for each layer, and is read at each: all pairs of them would be n⁴."""
    x, w = ag.input("x", over=t), ag.param("w")
    y = x
    for _ in range(300):
        y = ag.tanh(w * y)
    outputs = [ag.sum(y, over=t)]
    outputs += ag.grad(outputs[0], [w])
    feeds = {"x": np.array([0.3, -0.5]), "w": np.array(0.99)}
    for got, want in zip(ag.compile(outputs)(**feeds), ag.Graph(outputs).evaluate(**feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
