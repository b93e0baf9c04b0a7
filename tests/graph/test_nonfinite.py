"""``ag.find_nan`` names the node, the step and the line that make the first NaN or infinity, in gradients too."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")
y, w = ag.input("y", over=t), ag.param("w")


def line() -> int:
    """The line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def found(target: Any, **feeds: Any) -> ag.Finding:
    finding = ag.find_nan(target, **feeds)
    assert finding is not None
    return finding


def squaring() -> tuple[ag.Node, int]:
    s = ag.state("s", (2,), over=t)
    W, x = ag.param("W", (2, 2)), ag.input("x", (2,), over=t)
    at = line() + 1
    s[t] = (W @ s[t - 1]) * s[t - 1] + x[t]
    return ag.sum(ag.sum(s, over=t)), at


@pytest.mark.parametrize(("width", "step"), [("float64", 10), ("float32", 7)])
def test_a_recurrent_net_that_overflows(width: str, step: int) -> None:
    loss, at = squaring()
    feeds = {"W": 3 * np.eye(2, dtype=width), "x": np.ones((14, 2), width)}
    values, k = feeds["x"][0], 0
    with np.errstate(over="ignore"):
        while np.isfinite(values).all():
            values, k = 3 * values * values + feeds["x"][0], k + 1
    for target in (loss, ag.Graph(loss), ag.compile(loss), ag.value_and_grad(loss)):
        finding = found(target, **feeds)
        assert finding.step == {"t": step} == {"t": k} and finding.makes == "infinity" and not finding.in_gradient
        assert finding.expression == "(W @ s[t - 1]) * s[t - 1]" and str(finding.where).endswith(f"test_nonfinite.py:{at}")
    assert found(ag.compile(loss, dtype="float32"), W=3 * np.eye(2), x=np.ones((14, 2))).step == {"t": 7}
    assert ag.find_nan(loss, W=np.eye(2) * 0.1, x=np.ones((14, 2))) is None


def test_log_of_nothing() -> None:
    finding = found(ag.sum(ag.log(y[t]), over=t), y=[1.0, 0.0, 2.0])
    assert (finding.name, finding.step, finding.makes) == ("log_1", {"t": 1}, "infinity")
    assert finding.operands == (("y[t]", 0.0, 0.0),)
    assert str(finding).startswith("log_1 = log(y[t]) makes infinity at t = 1      (") and "\n  of y[t] = 0" in str(finding)


def test_nothing_by_nothing() -> None:
    finding = found(ag.mean(y / (y - 1), over=t), y=[2.0, 1.0])
    assert (finding.makes, finding.step, finding.expression) == ("infinity", {"t": 1}, "y[t] / (y[t] - 1)")
    finding = found([y * 2, (y / y).named("ratio")], y=[1.0, 3.0, 0.0, 0.0])
    assert (finding.name, finding.makes, finding.step, finding.others) == ("ratio", "NaN", {"t": 2}, 1)


def test_in_the_gradient_alone() -> None:
    at = line() + 1
    r = ag.sum(ag.sqrt(w * y[t]), over=t)
    feeds = {"y": [1.0, 2.0], "w": 0.0}
    assert ag.find_nan(r, **feeds) is None
    for target in (ag.value_and_grad(r), [r, ag.grad(r, w)], ag.compile([r, ag.grad(r, w)])):
        finding = found(target, **feeds)
        assert finding.in_gradient and finding.makes == "infinity" and str(finding.where).endswith(f"test_nonfinite.py:{at}")
        assert "in the gradient of that line" in str(finding) and "sqrt(w * y[t])" in finding.expression


def test_a_gradient_that_overflows_on_its_way_back() -> None:
    """All values are 0; the cotangents grow from the last step to the first."""
    s = ag.state("s", over=t, init=w)
    at = line() + 1
    s[t] = 1e80 * s[t - 1] + y[t]
    finding = found(ag.value_and_grad(ag.last(s, over=t)), y=np.zeros(6), w=0.0)
    assert finding.in_gradient and finding.makes == "infinity" and finding.step == {"t": 2}
    assert str(finding.where).endswith(f"test_nonfinite.py:{at}")
    assert any(high == pytest.approx(1e240) for _, _, high in finding.operands)


def test_what_is_fed_comes_first_and_masks_are_let_be() -> None:
    finding = found(ag.log(y[t]) * w, y=[1.0, np.nan, 0.0], w=1.0)
    assert (finding.name, finding.makes, finding.step) == ("y", "NaN", {"t": 1})
    masked = ag.where(y > 1, y, -np.inf)
    assert ag.find_nan(ag.softmax(masked, over=t), y=[1.0, 2.0, 3.0]) is None
    difference = found(masked - masked, y=[0.0, 2.0])
    assert (difference.makes, difference.step) == ("NaN", {"t": 0}) and "sub" in difference.name


def test_padding_is_not_looked_at() -> None:
    x = ag.input("x", over=(b, t))
    L = ag.sum(ag.sum(ag.log(x[t]), over=t), over=b)
    feeds = {"x": np.array([[1.0, 0.0], [2.0, 3.0]])}
    assert ag.find_nan(L, **feeds, lengths={t: [1, 2]}) is None
    assert found(L, **feeds).step == {"b": 0, "t": 1}
    assert found(L, **feeds, lengths={t: [2, 2]}).step == {"b": 0, "t": 1}


def test_an_equilibrium_that_grows_beyond_all_numbers() -> None:
    """It makes the NaN itself: all that its equation reads of others is finite."""
    x, a, z = ag.input("x", over=t), ag.param("a"), ag.equilibrium("z", over=t)
    z[t] = a * z[t] * z[t] + x[t]
    finding = found(ag.sum(z * z, over=t), x=[0.0, 3.0, 0.1], a=1.0)
    assert (finding.name, finding.step, finding.others) == ("z", {"t": 1}, 0)
    assert finding.operands == (("a", 1.0, 1.0), ("x[t]", 3.0, 3.0))
    assert str(found(ag.sum(z, over=t), x=[0.0, np.nan, 0.1], a=1.0)).startswith("x is fed NaN at t = 1")
