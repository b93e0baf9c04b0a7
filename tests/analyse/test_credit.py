"""Credit against loops in which every step has copies of its own, derived by complex steps; and against full gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

D, H, T = 2, 3, 6
t, b = ag.Axis("t"), ag.Axis("b")
NAMES = ("U", "W", "V", "r1", "r2")


def model(over: Any = t) -> dict[str, ag.Node]:
    """Delays of 1 and 2 with two learned rows; W is used at every step through its square, computed once; and by the loss."""
    x = ag.input("x", (D,), over=over)
    U, W, V = ag.param("U", (H, D)), ag.param("W", (H, H)), ag.param("V", (H, H))
    r1, r2 = ag.param("r1", (H,)), ag.param("r2", (H,))
    h = ag.state("h", (H,), over=over, init={t: [r2, W @ r1]})
    h[t] = ag.tanh((W @ W) @ h[t - 1] + V @ h[t - 2] + U @ x[t])
    return {"h": h, "U": U, "W": W, "V": V, "r1": r1, "r2": r2, "x": x, "l": ag.sum((W @ h[t]) ** 2)}


def losses(h_add: Any, x: Any, U: Any, W: Any, V: Any, r1: Any, r2: Any) -> Any:
    """The losses of all steps; U[k], … are the copies that step k uses, h_add[k] is added to its state."""
    h: list[Any] = []
    for k in range(len(x)):
        before = [r2[k], W[k] @ r1[k], *h]
        h.append(np.tanh(W[k] @ W[k] @ before[k + 1] + V[k] @ before[k] + U[k] @ x[k]) + h_add[k])
    return np.stack([np.sum((W[k] @ h[k]) ** 2) for k in range(len(x))])


def draw(steps: int = T, batch: int | None = None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = {"U": (H, D), "W": (H, H), "V": (H, H), "r1": (H,), "r2": (H,)}
    made = {name: rng.normal(0, 0.7, shape) for name, shape in shapes.items()}
    return {**made, "x": rng.normal(size=(steps, D) if batch is None else (steps, batch, D))}


def slopes(feeds: dict[str, np.ndarray], name: str) -> np.ndarray:
    """(T, T, *shape): the derivative of each loss by each copy of ``name``, by complex steps."""
    steps = len(feeds["x"])
    copies: dict[str, Any] = {n: np.stack([feeds[n]] * steps).astype(complex) for n in NAMES}
    copies["h_add"] = np.zeros((steps, H), complex)
    name = "h_add" if name == "h" else name
    shape = copies[name].shape
    found = np.zeros((steps, *shape))
    for place in np.ndindex(*shape):
        moved = {**copies, name: copies[name].copy()}
        moved[name][place] += 1e-100j
        found[(slice(None), *place)] = np.imag(losses(x=feeds["x"], **moved)) / 1e-100
    return found


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_each_loss_by_each_state_and_each_use(backend: str) -> None:
    """States, parameters that are used directly and through what is computed from them once, learned rows: all in one walk."""
    m, feeds = model(), draw()
    if backend == "numba":
        pytest.importorskip("numba")
    names = ["h", *NAMES]
    found = ag.analyse.credit(m["l"], [m[n] for n in names], over=t, backend=backend)(**feeds)
    for name, got in zip(names, found, strict=True):
        np.testing.assert_allclose(got, slopes(feeds, name), rtol=1e-11, atol=1e-13, err_msg=name)
        later = np.triu_indices(T, 1)
        assert not got[later].any(), f"{name}: a step has credit for an earlier loss"


def test_the_sum_is_the_full_gradient() -> None:
    """Over the losses for a state; over the losses and the uses for what is shared: also with a batch and with lengths."""
    m, feeds = model((t, b)), draw(batch=2)
    names = ["h", "x", *NAMES]
    credit = ag.analyse.credit(m["l"], [m[n] for n in names], over=t, backend="numpy")
    full = ag.value_and_grad(ag.sum(m["l"], over=(t, b)), [m[n] for n in names], backend="numpy")
    for more in ({}, {"lengths": {t: [4, T]}}):
        _, want = full(**feeds, **more)
        for name, got in zip(names, credit(**feeds, **more), strict=True):
            assert got.shape == (T, *((T,) if name in NAMES else ()), *want[name].shape)
            summed = got.sum((0, 1) if name in NAMES else 0)
            np.testing.assert_allclose(summed, want[name], rtol=1e-11, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("cut", [{"segment": 2}, {"segment": 4}, {"window": 3}, {"every": 2, "window": 3}], ids=str)
def test_truncation_cuts_blocks_or_a_band_out_of_it(cut: dict[str, int]) -> None:
    m, feeds = model(), draw()
    whole = ag.analyse.credit(m["l"], [m["h"], m["V"]], over=t, backend="numpy")(**feeds)
    left = ag.analyse.credit(m["l"], [m["h"], m["V"]], over=t, backend="numpy", **cut)(**feeds)
    i, j = np.indices((T, T))
    size = cut.get("segment") or cut.get("every") or 1
    end = T - 1 - (T - 1 - i) // size * size  # of the block of the loss
    counts = end - j < (cut.get("segment") or cut["window"])
    assert counts.any()
    assert not (counts | (j > i)).all()
    for full, part in zip(whole, left, strict=True):
        assert np.all(full[j <= i] != 0)
        np.testing.assert_allclose(part, np.where(counts.reshape(T, T, *[1] * (full.ndim - 2)), full, 0), rtol=1e-11)


def test_one_of_several_rows_of_a_state_over_several_axes() -> None:
    """Along which axis rows lie is known only when the state is read; what the others are keeps being read."""
    r1, r2, x = ag.param("r1"), ag.param("r2"), ag.input("x", over=(t, b))
    h = ag.state("h", over=(t, b), init=[r1, r2])
    h[t] = ag.tanh(0.5 * h[t - 1] - 0.7 * h[t - 2] + x[t])
    L, feeds = ag.sum(h * h, over=(t, b)), {"r1": 0.3, "r2": -0.4, "x": draw(batch=2)["x"][..., 0]}
    for wrt in ([r1], [h, r2], [r1, r2]):
        found = ag.analyse.credit(h * h, wrt, over=t)(**feeds)
        for node, each in zip(wrt, found, strict=True):
            want = ag.Graph(ag.grad(L, node)).evaluate(**feeds)[0]
            np.testing.assert_allclose(each.sum(0) if node is h else each.sum(), want, rtol=1e-12)
    assert ag.why_zero(L, r1, 0, over=t, **feeds).reason == "not zero"
    assert ag.why_zero(L, r1, 1, over=t, **feeds).size == 0


def test_final_rows_are_used_at_the_end() -> None:
    """A recurrence that goes backward: step T - 1 uses its final row, and later steps have the credit."""
    r, e = ag.param("r"), ag.param("e")
    back = ag.state("back", over=t, final=r * e)
    back[t] = 0.5 * back[t + 1] + ag.input("x", over=t)
    of_state, of_row = ag.analyse.credit(back, [back, r], over=t, backend="numpy")(r=3.0, e=2.0, x=np.ones(3))
    np.testing.assert_array_equal(of_state, [[1, 0.5, 0.25], [0, 1, 0.5], [0, 0, 1]])
    np.testing.assert_array_equal(of_row, [[0, 0, 0.25], [0, 0, 0.5], [0, 0, 1]])


def test_a_decoder_gives_credit_through_attention_to_a_parameter_of_both() -> None:
    """W is used by an encoder along u too, for every step of the decoder."""
    u = ag.Axis("u")
    W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=u)
    h, s = ag.state("h", (H,), over=u), ag.state("s", (H,), over=t)
    h[u] = ag.tanh(W @ h[u - 1] + x[u])
    e = ag.softmax(s[t - 1] @ h[u], over=u)
    s[t] = ag.tanh(W @ s[t - 1] + ag.sum(e * h[u], over=u) + ag.input("y", (H,), over=t))
    loss, rng = ag.sum(s[t] ** 2), np.random.default_rng(0)
    feeds = {"W": rng.normal(size=(H, H)), "x": rng.normal(size=(5, H)), "y": rng.normal(size=(4, H))}
    got = ag.analyse.credit(loss, W, over=t, backend="numpy")(**feeds)
    want = ag.value_and_grad(ag.sum(loss, over=t), W, backend="numpy")(**feeds)[1]["W"]
    np.testing.assert_allclose(got.sum((0, 1)), want, rtol=1e-11)
    assert got.shape == (4, 4, H, H)
    assert not got[np.triu_indices(4, 1)].any()


def test_layouts_are_those_of_the_nodes_and_feeds_that_only_the_losses_need_are_taken() -> None:
    u = ag.Axis("u")
    first, z = ag.input("first", over=(b, t)), ag.input("z", over=(t, u, b))
    s = ag.state("s", over=(t, u, b))
    s[t] = 0.5 * s[t - 1] + z + first
    rng = np.random.default_rng(0)
    feeds = {"first": rng.normal(size=(2, 4)), "z": rng.normal(size=(4, 3, 2))}
    of_z, of_first = ag.analyse.credit(s, [z, first], over=t, backend="numpy")(**feeds)
    assert (of_z.shape, of_first.shape) == ((4, 4, 3, 2), (4, 4, 2))
    np.testing.assert_allclose(of_z[:, :, 1, 1], [[0.5 ** (i - j) if j <= i else 0 for j in range(4)] for i in range(4)])
    np.testing.assert_allclose(of_first[..., 0], 3 * of_z[:, :, 0, 0])


def test_what_is_refused() -> None:
    m = model()
    with pytest.raises(ag.AxisError, match=r"Q120.*does not vary over t, and has no losses of its steps"):
        ag.analyse.credit(ag.sum(m["l"], over=t), m["h"], over=t)
    u = ag.Axis("u")
    h, s = ag.state("h", over=u), ag.state("s", over=t)
    h[u] = 0.5 * h[u - 1] + ag.input("x", over=u)
    s[t] = 0.5 * s[t - 1] + ag.last(h, over=u)
    with pytest.raises(ag.AxisError, match=r"Q121.*h is a state along u"):
        ag.analyse.credit(s, h, over=t)
