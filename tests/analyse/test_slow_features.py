"""Slow feature analysis: signals with known answers, the objective trained by gradient, scikit-learn's own checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.analyse import SlowFeatures, delta_values, expand_quadratic, slowness

STEPS = np.linspace(0, 2 * np.pi, 1500, endpoint=False)


def mixed(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four sources from slow to fast, and a random mixture of them."""
    sources = np.stack([np.sin(STEPS), np.sin(3 * STEPS + 1), np.sin(7 * STEPS), np.cos(19 * STEPS)], axis=1)
    return sources, sources @ np.random.default_rng(seed).normal(size=(4, 4)) + [3.0, -1.0, 0.0, 2.0]


def test_sources_are_found_in_the_order_of_their_speed() -> None:
    """Sines of other frequencies are uncorrelated, and so are their steps: the sources are the slow features."""
    sources, x = mixed()
    slow = SlowFeatures()
    y = slow.fit_transform(x)
    np.testing.assert_allclose(np.abs(np.corrcoef(y.T, sources.T)[:4, 4:]), np.eye(4), atol=1e-2)
    assert (np.diff(slow.delta_values_) > 0).all()
    np.testing.assert_allclose(delta_values(y), slow.delta_values_, rtol=1e-9)


def test_units_and_constant_columns_do_not_matter() -> None:
    """Columns in units ten million times as large or small, one that is constant, one that is a sum of others."""
    _, x = mixed()
    want = SlowFeatures().fit(x).delta_values_
    odd = np.concatenate([x * [1, 1e-7, 1e7, 1], np.full((len(x), 1), 0.1), x.sum(1, keepdims=True)], axis=1)
    slow = SlowFeatures().fit(odd)
    np.testing.assert_allclose(slow.delta_values_, want, rtol=1e-7)
    np.testing.assert_allclose(delta_values(slow.transform(odd)), want, rtol=1e-7)


def test_the_closed_form_is_the_generalised_eigenvalue_problem() -> None:
    """SciPy's answer; and of fewer steps than columns the speeds of all directions that there are."""
    linalg = pytest.importorskip("scipy.linalg")
    _, x = mixed()
    d = np.diff(x, axis=0)
    speeds, ways = linalg.eigh(d.T @ d / len(d), np.cov(x.T, bias=True))
    slow = SlowFeatures().fit(x)
    np.testing.assert_allclose(slow.delta_values_, speeds, rtol=1e-9)
    np.testing.assert_allclose(np.abs(slow.components_), np.abs(ways.T), rtol=1e-6)
    assert SlowFeatures().fit(np.random.default_rng(0).normal(size=(4, 9))).delta_values_.shape == (3,)


def test_features_are_white_and_no_other_direction_is_slower() -> None:
    _, x = mixed()
    slow = SlowFeatures(3)
    y = slow.fit_transform(x)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(3), atol=1e-9)
    others = x @ np.random.default_rng(1).normal(size=(4, 500))
    assert delta_values(others).min() >= slow.delta_values_[0] - 1e-12


def test_a_quadratic_expansion_finds_what_no_line_does() -> None:
    """x₁ = slow + fast², x₂ = fast (Wiskott & Sejnowski 2002, section 4.1)."""
    fast = np.cos(11 * STEPS)
    x = np.stack([np.sin(STEPS) + fast**2, fast], axis=1)
    linear, square = (SlowFeatures(1, expansion=e).fit(x) for e in ("linear", "quadratic"))
    assert square.delta_values_[0] < 0.1 * linear.delta_values_[0]
    assert abs(np.corrcoef(square.transform(x)[:, 0], np.sin(STEPS))[0, 1]) > 0.9999


def test_an_expansion_is_all_products() -> None:
    x = np.random.default_rng(0).normal(size=(7, 3))
    z = expand_quadratic(x)
    assert z.shape == (7, 3 + 6)
    np.testing.assert_allclose(z[:, 3:], [[a * b for i, a in enumerate(r) for b in r[i:]] for r in x])


def test_the_objective_trained_by_gradient_has_the_same_answer() -> None:
    """A folded graph, Newton's method by differences of its compiled gradient: the features of the closed form."""
    _, x = mixed()
    x = (x - x.mean(0)) / x.std(0)
    closed = SlowFeatures(2).fit(x)
    t = ag.Axis("t")
    _, loss = slowness(ag.input("x", (4,), over=t), 2, over=t, weight=10.0)
    step = ag.value_and_grad(loss, backend="numpy")
    W = np.random.default_rng(2).normal(0, 0.3, (2, 4))
    damping, value, grads = 1.0, *step(x=x, W=W)
    for _ in range(200):
        g = grads["W"].ravel()
        ways = 1e-6 * np.eye(8).reshape(8, 2, 4)
        hessian = np.stack([(step(x=x, W=W + e)[1]["W"].ravel() - g) / 1e-6 for e in ways])
        move = np.linalg.solve((hessian + hessian.T) / 2 + damping * np.eye(8), -g).reshape(2, 4)
        tried, slopes = step(x=x, W=W + move)
        if tried < value:
            W, value, grads, damping = W + move, tried, slopes, max(damping / 4, 1e-9)
        else:
            damping *= 4
    assert np.abs(grads["W"]).max() < 1e-4
    ours, theirs = (np.linalg.qr(x @ w.T)[0] for w in (W, closed.components_))
    angles = np.linalg.svd(ours.T @ theirs)[1]
    assert angles.min() > 0.9999  # the same two dimensional space of signals
    y = x @ W.T
    speeds = np.linalg.eigvals(np.linalg.solve(y.T @ y, np.diff(y, axis=0).T @ np.diff(y, axis=0)))
    np.testing.assert_allclose(np.sort(speeds), closed.delta_values_, rtol=0.01)


def test_the_gradient_of_the_objective() -> None:
    t = ag.Axis("t")
    _, loss = slowness(ag.input("x", (3,), over=t), 2, over=t, name="sfa")
    rng = np.random.default_rng(0)
    ag.check_grad(loss, [ag.Graph(loss)["sfa/W"]], {"x": rng.normal(size=(6, 3)), "sfa/W": rng.normal(size=(2, 3))}, tol=1e-8)


class Sparse:
    """What SciPy's sparse arrays have."""

    def toarray(self) -> np.ndarray:
        return np.ones((3, 2))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: delta_values([1.0]), "S201"),
        (lambda: SlowFeatures().fit(np.ones((5, 2))), "S202"),
        (lambda: SlowFeatures(3).fit(mixed()[1][:, :2]), "S203"),
        (lambda: SlowFeatures().set_params(k=3), "S204"),
        (lambda: SlowFeatures(expansion="cubic").fit(mixed()[1]), "S205"),
        (lambda: SlowFeatures().fit(np.ones(5)), "S206"),
        (lambda: SlowFeatures().fit(np.ones((1, 5))), "S207"),
        (lambda: SlowFeatures().fit([[1.0], [np.nan]]), "S208"),
        (lambda: SlowFeatures().fit(mixed()[1]).transform(np.ones((3, 2))), "S209"),
        (lambda: SlowFeatures().fit(np.ones((3, 2)) * 1j), "S210"),
        (lambda: SlowFeatures().fit([["a"], ["b"]]), "S211"),
        (lambda: SlowFeatures().transform(np.ones((3, 2))), "S212"),
        (lambda: SlowFeatures().fit(Sparse()), "S213"),
        (lambda: delta_values("abc"), "S211"),
        (lambda: expand_quadratic([1.0, 2.0]), "S206"),
        (lambda: SlowFeatures().fit([[1.0, 2.0], [3.0]]), "S211"),
        (lambda: SlowFeatures("2").fit(mixed()[1]), "S203"),
        (lambda: SlowFeatures(tolerance="x").fit(mixed()[1]), "S214"),
        (lambda: SlowFeatures().fit(mixed()[1]).set_params(expansion="quadratic").transform(mixed()[1]), "S215"),
        (lambda: SlowFeatures(expansion=lambda x: x[:, 0]).fit(mixed()[1]), "S216"),
        (lambda: slowness(ag.input("x", (2,), over=(t := ag.Axis("t"))), 3, over=t), "S217"),
        (lambda: slowness(ag.input("x", (2,), over=(t := ag.Axis("t"))), 2, over=t, weight=-1), "N145"),
    ],
)
def test_refusals(call: Any, code: str) -> None:
    with pytest.raises(ag.AutogradSeqError) as caught:
        call()
    assert caught.value.code == code


@pytest.mark.filterwarnings("ignore:Estimator SlowFeatures does not inherit:UserWarning")
@pytest.mark.filterwarnings("ignore:Skipping check:UserWarning")
def test_scikit_learn_accepts_it() -> None:
    """Its estimator checks, but those that ask for errors of other classes than ours."""
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    why = "raises ag.DataError, a ValueError"
    failed = {"check_estimators_unfitted": why, "check_dtype_object": why}
    checks.check_estimator(SlowFeatures(), expected_failed_checks=failed)
