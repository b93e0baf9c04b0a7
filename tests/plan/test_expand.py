"""Softmax written out in programs: as exact as the function where rows are far apart, masked or not numbers at all."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.core.errors import FeedError

b = ag.Axis("b")


def loss_and_gradient(k: int, width: str) -> ag.Program:
    x, l = ag.input("x", (k,), over=b), ag.input("l", over=b, dtype=int)
    loss = ag.sum(ag.cross_entropy(x, l), over=b)
    return ag.compile([ag.softmax(x), ag.log_softmax(x), loss, ag.grad(loss, x)], dtype=width)


def by_hand(x: np.ndarray, l: np.ndarray) -> list[np.ndarray]:
    x = x.astype(np.longdouble)
    with np.errstate(invalid="ignore"):
        low = x - np.where(np.isfinite(top := x.max(-1, keepdims=True)), top, 0)
        total = np.exp(low).sum(-1, keepdims=True)
        p, logp = np.exp(low) / np.where(total == 0, 1, total), low - np.log(np.where(total == 0, 1, total))
    return [p, logp, -logp[np.arange(len(l)), l].sum(), p - np.eye(x.shape[1])[l]]


@pytest.mark.parametrize("width, tolerance", [("float32", 3e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0, 1e3, 1e6])
def test_rows_near_to_each_other_and_far_apart(width: str, tolerance: float, spread: float) -> None:
    """One number is taken off all rows where that loses nothing, each row's own maximum elsewhere."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(40, 5)) + spread * rng.normal(size=(40, 1))).astype(width)
    l = rng.integers(0, 5, 40)
    got, want = loss_and_gradient(5, width)(x=x, l=l), by_hand(x, l)
    for a, w in zip(got, want, strict=True):
        assert np.abs(a - w).max() <= tolerance * max(1.0, float(np.abs(w).max()))


def test_masked_rows() -> None:
    x = np.array([[0.0, -np.inf, 1.0], [-np.inf, -np.inf, -np.inf], [2.0, 2.0, 2.0]])
    p, logp, loss, _ = loss_and_gradient(3, "float64")(x=x, l=np.array([0, 1, 2]))
    assert np.allclose(p.sum(-1), [1, 0, 1]) and p[0, 1] == 0
    assert np.all(logp[1] == -np.inf) and loss == np.inf


def test_what_is_not_a_number_stays_in_its_row() -> None:
    x = np.array([[0.0, np.nan], [0.0, 0.0]])
    p, logp, loss, dx = loss_and_gradient(2, "float64")(x=x, l=np.array([0, 1]))
    assert np.isnan(p[0]).all() and np.array_equal(p[1], [0.5, 0.5])
    assert np.isnan(logp[0]).all() and np.isnan(loss) and np.array_equal(dx[1], [0.5, -0.5])


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range_are_refused(label: int) -> None:
    step = loss_and_gradient(3, "float64")
    with pytest.raises(FeedError, match="F201"):
        step(x=np.zeros((2, 3)), l=np.array([0, label]))
    x, l = ag.input("x", (3,), over=b), ag.input("l", over=b, dtype=int)
    alone = ag.compile(x - 2.0 * ag.one_hot(l, 3))  # where nothing else looks at the labels
    assert np.array_equal(alone(x=np.zeros((1, 3)), l=[2]), [[[0, 0, -2.0]]])
    with pytest.raises(FeedError, match="F201"):
        alone(x=np.zeros((1, 3)), l=[label])


def test_no_rows_and_many_classes() -> None:
    p, _, loss, dx = loss_and_gradient(3, "float64")(x=np.zeros((0, 3)), l=np.zeros(0, int))
    assert p.shape == dx.shape == (0, 3) and loss == 0
    rng = np.random.default_rng(1)
    x, l = rng.normal(size=(3, 2000)), rng.integers(0, 2000, 3)
    for a, w in zip(loss_and_gradient(2000, "float64")(x=x, l=l), by_hand(x, l), strict=True):
        assert np.abs(a - w).max() <= 1e-13 * max(1.0, float(np.abs(w).max()))
