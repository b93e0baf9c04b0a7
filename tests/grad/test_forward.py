"""Forward mode, Hessian times vector, Jacobians and kept axes, against complex steps, central differences, and each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

T, D, H = 5, 2, 3
t = ag.Axis("t")


def model() -> tuple[ag.Node, ag.Node, dict[str, ag.Node]]:
    """A state with delays 1 and 2 and a learned row; a loss."""
    leaves = {
        "x": ag.input("x", (D,), over=t),
        "U": ag.param("U", (H, D)),
        "W": ag.param("W", (H, H)),
        "h0": ag.param("h0", (H,)),
    }
    h = ag.state("h", (H,), over=t, init={t: leaves["h0"]})
    h[t] = ag.tanh(leaves["W"] @ h[t - 1] + leaves["U"] @ leaves["x"][t]) * ag.sigmoid(h[t - 2])
    return h, ag.mean(ag.sum(h[t] * h[t]), over=t) + ag.sum(leaves["W"] ** 2), leaves


def feeds(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(T, D)), "U": rng.normal(size=(H, D)), "W": rng.normal(size=(H, H)), "h0": rng.normal(size=H)}


def run(node: Any, values: dict[str, Any]) -> Any:
    graph = ag.Graph(node) if isinstance(node, ag.Node) else ag.Graph(*node)
    out = graph.evaluate(**{n: values[n] for n in graph.inputs})
    return out[0] if isinstance(node, ag.Node) else out


def states(v: dict[str, Any]) -> np.ndarray:
    """The states in plain loops, complex numbers allowed."""
    h: list[Any] = []
    for k in range(T):
        one, two = (h[k - d] if k >= d else v["h0"] for d in (1, 2))
        h.append(np.tanh(v["W"] @ one + v["U"] @ v["x"][k]) / (1 + np.exp(-two)))
    return np.stack(h)


@pytest.mark.parametrize("names", [["x"], ["U"], ["W"], ["h0"], ["x", "U", "W", "h0"]], ids=str)
def test_jvp_is_the_complex_step(names: list[str]) -> None:
    h, _, leaves = model()
    v, way = feeds(), feeds(1)
    tangents = [ag.input(f"d{n}", leaves[n].shape, over=leaves[n].axes) for n in names]
    out = ag.jvp(h, [leaves[n] for n in names], tangents)
    assert out.shape == h.shape and out.axes == h.axes
    assert not [n for n in ag.Graph(out).inputs if "cotangent" in n]
    moved = {n: v[n] + 1j * 1e-100 * way[n] if n in names else v[n] for n in v}
    want = np.imag(states(moved)) / 1e-100
    given = v | {f"d{n}": way[n] for n in names}
    np.testing.assert_allclose(run(out, given), want, rtol=1e-12, atol=1e-14)
    program = ag.compile(out, backend="numpy")
    np.testing.assert_allclose(program(**{n: given[n] for n in ag.Graph(out).inputs})[0], want, rtol=1e-12, atol=1e-14)


def test_jvp_goes_forward_with_the_states_in_a_stream() -> None:
    """The derivative of a recurrence is a recurrence: it needs no stored steps, and streams."""
    h, _, leaves = model()
    v = feeds()
    out = ag.jvp(h, leaves["W"], np.ones((H, H)))
    step, carry, rows = ag.stream(out, backend="numpy"), None, []
    for k in range(T):
        (row,), carry = step(carry, x=v["x"][k], **{n: v[n] for n in ("U", "W", "h0")})
        rows.append(np.array(row))
    np.testing.assert_allclose(rows, run(out, v), rtol=1e-12)


def test_jvp_and_gradient_are_transposes() -> None:
    h, _, leaves = model()
    v, rng = feeds(), np.random.default_rng(5)
    way, g = rng.normal(size=(H, H)), rng.normal(size=(T, H))
    forward = run(ag.jvp(h, leaves["W"], way), v)
    backward = run(ag.grad(h, leaves["W"], cotangent=ag.input("g", (H,), over=t)), v | {"g": g})
    assert np.sum(forward * g) == pytest.approx(np.sum(backward * way), rel=1e-12)


def test_second_derivatives_along_a_direction() -> None:
    h, _, leaves = model()
    v, way = feeds(), np.random.default_rng(4).normal(size=(H, H))
    twice = run(ag.jvp(ag.jvp(h, leaves["W"], way), leaves["W"], way), v)
    plus, zero, minus = (states(v | {"W": v["W"] + e * way}) for e in (1e-4, 0.0, -1e-4))
    np.testing.assert_allclose(twice, (plus - 2 * zero + minus) / 1e-8, atol=1e-5)


def test_hvp_is_the_difference_of_gradients() -> None:
    _, loss, leaves = model()
    v, way = feeds(), feeds(3)
    wrt = [leaves[n] for n in ("W", "U", "h0")]
    got = run(ag.hvp(loss, wrt, [way[n] for n in ("W", "U", "h0")]), v)
    e = 1e-6
    ends = [run(ag.grad(loss, wrt), v | {n: v[n] + s * e * way[n] for n in ("W", "U", "h0")}) for s in (1, -1)]
    for found, one, two in zip(got, *ends, strict=True):
        np.testing.assert_allclose(found, (one - two) / (2 * e), rtol=1e-6, atol=1e-7)


def test_a_jacobian_has_a_gradient_in_each_row() -> None:
    h, _, leaves = model()
    v, last = feeds(), ag.last(h, over=t)
    for name in ("W", "x"):
        J = run(ag.jacobian(last, leaves[name]), v)
        rows = [run(ag.grad(last[k], leaves[name]), v) for k in range(H)]
        want = np.stack(rows, 1) if name == "x" else np.stack(rows)  # the axes of x come first
        np.testing.assert_allclose(J, want, rtol=1e-12, atol=1e-14)


def test_kept_axes_are_gradients_of_each_point() -> None:
    """One gradient for each sequence of a batch, which are summed otherwise."""
    b = ag.Axis("b")
    w, x = ag.param("w"), ag.input("x", over=(t, b))
    h = ag.state("h", over=(t, b))
    h[t, b] = ag.tanh(w * h[t - 1] + x[t])
    each = ag.sum(h, over=t)
    xs = np.random.default_rng(0).normal(size=(T, 4))
    kept = ag.grad(each, w, cotangent=ag.spread(ag.constant(1.0), b), keep=b)
    assert kept.axes == (b,)
    got, summed = run([kept, ag.grad(ag.sum(each, over=b), w)], {"x": xs, "w": 0.6})
    alone = [run(ag.grad(ag.sum(each, over=b), w), {"x": xs[:, k : k + 1], "w": 0.6}) for k in range(4)]
    np.testing.assert_allclose(got, alone, rtol=1e-12)
    assert np.sum(got) == pytest.approx(float(summed))


def test_an_axis_of_a_declared_size_needs_no_length() -> None:
    k = ag.Axis("k", size=3)
    node = ag.index(k) * ag.param("w")
    assert run(node, {"w": 2.0}).tolist() == [0, 2, 4]
    assert ag.compile(node, backend="numpy")(w=2.0)[0].tolist() == [0, 2, 4]
    with pytest.raises(ag.AxisError, match="k has 3 points, and 4 are given") as caught:
        ag.Graph(node + ag.input("x", over=k)).evaluate(w=1.0, x=np.ones(4))
    assert caught.value.code == "A218"
    with pytest.raises(ag.AxisError, match="cannot have size=-1"):
        ag.Axis("k", size=-1)


def test_refusals() -> None:
    h, loss, leaves = model()
    for call, code in (
        (lambda: ag.jvp(h, [leaves["W"], leaves["U"]], [1.0]), "E136"),
        (lambda: ag.jvp(ag.index(t), leaves["W"], 1.0), "E137"),
        (lambda: ag.jacobian(h, leaves["W"]), "E138"),
        (lambda: ag.jvp(loss, ag.input("i", dtype=int), 1.0), "E103"),
    ):
        with pytest.raises(ag.GradientError) as caught:
            call()
        assert caught.value.code == code
    with pytest.raises(ag.ShapeError, match="a tangent of W has shape") as wrong:
        ag.jvp(loss, leaves["W"], np.ones(leaves["W"].shape[0] + 1))
    assert wrong.value.code == "S125"


def test_jvp_along_an_axis_of_directions() -> None:
    """One derivative for each point of a kept axis: the same as one call for each."""
    h, _, leaves = model()
    d, v = ag.Axis("d", size=4), feeds()
    ways = np.random.default_rng(2).normal(size=(4, H, H))
    out = ag.jvp(h, leaves["W"], ag.input("ways", (H, H), over=d), keep=d)
    assert set(out.axes) == {d, t}
    program = ag.compile(out, order=(d, t), backend="numpy")
    (got,) = program(**{n: v[n] for n in program.graph.inputs if n != "ways"}, ways=ways)
    for way, found in zip(ways, got, strict=True):
        np.testing.assert_allclose(found, run(ag.jvp(h, leaves["W"], way), v), rtol=1e-12, atol=1e-14)
