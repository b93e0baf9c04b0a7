"""Clipping: lengths, directions, widths."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn

GRADS = {"W": np.array([[3.0, 0.0], [0.0, -4.0]]), "b": np.array([12.0])}  # 3² + 4² + 12² = 13²


def test_the_norm_is_that_of_all_gradients_together() -> None:
    clipped, norm = learn.clip_by_norm(GRADS, 6.5)
    assert norm == learn.global_norm(GRADS) == pytest.approx(13.0)
    for name, g in GRADS.items():
        np.testing.assert_allclose(clipped[name], g / 2, rtol=1e-14)


def test_short_gradients_stay_and_are_copies() -> None:
    clipped, norm = learn.clip_by_norm(GRADS, 13.5)
    assert norm == pytest.approx(13.0)
    for name, g in GRADS.items():
        np.testing.assert_array_equal(clipped[name], g)
        assert not np.shares_memory(clipped[name], g)


def test_nothing_is_modified() -> None:
    before = {name: g.copy() for name, g in GRADS.items()}
    learn.clip_by_norm(GRADS, 1.0)
    learn.clip_by_value(GRADS, 1.0)
    for name, g in before.items():
        np.testing.assert_array_equal(GRADS[name], g)


def test_values() -> None:
    clipped = learn.clip_by_value(GRADS, 3.5)
    np.testing.assert_array_equal(clipped["W"], [[3.0, 0.0], [0.0, -3.5]])
    np.testing.assert_array_equal(clipped["b"], [3.5])


def test_float32_stays() -> None:
    grads = {name: g.astype(np.float32) for name, g in GRADS.items()} | {"c": np.float32(2.0)}
    for clipped in (learn.clip_by_norm(grads, 1.0)[0], learn.clip_by_value(grads, 1.0)):
        assert all(g.dtype == np.float32 for g in clipped.values())


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_squares_neither_overflow_nor_vanish(size: float) -> None:
    clipped, norm = learn.clip_by_norm({"a": np.array([3.0, 4.0]) * size}, size)
    assert norm == pytest.approx(5 * size, rel=1e-14)
    np.testing.assert_allclose(clipped["a"], np.array([0.6, 0.8]) * size, rtol=1e-14)


def test_no_gradients_and_zero_gradients_have_length_zero() -> None:
    assert learn.global_norm({}) == 0.0
    assert learn.global_norm({"a": np.zeros(3), "b": np.zeros((0, 2))}) == 0.0
    assert not learn.clip_by_norm({"a": np.ones(3)}, 0.0)[0]["a"].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_comes_back_as_it_is(bad: float) -> None:
    """Scaled by limit/∞ it would become zeros and NaN, and look like a gradient."""
    grads = {"a": np.array([1.0, 2.0]), "b": np.array([bad])}
    clipped, norm = learn.clip_by_norm(grads, 1.0)
    assert not np.isfinite(norm)
    np.testing.assert_array_equal(clipped["a"], grads["a"])


def test_a_negative_limit_is_refused() -> None:
    for clip in (learn.clip_by_norm, learn.clip_by_value):
        with pytest.raises(ag.OperationError) as caught:
            clip(GRADS, -1.0)
        assert caught.value.code == "L106"


def test_torch_clips_alike() -> None:
    torch = pytest.importorskip("torch")
    params = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for g in GRADS.values()]
    for p, g in zip(params, GRADS.values(), strict=True):
        p.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(params, 2.0)
    clipped, ours = learn.clip_by_norm(GRADS, 2.0)
    assert ours == pytest.approx(float(norm), rel=1e-14)
    for p, g in zip(params, clipped.values(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), g, rtol=1e-6)  # torch divides by norm + 1e-6
