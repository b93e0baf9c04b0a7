"""Linear algebra: values as NumPy has them, derivatives by differences, in loops, over batches, and twice."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import linalg
from autograd_seq.core.op import OPS

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 4)) + 2 * np.eye(4)
S = A @ A.T
B = RNG.normal(size=4)
t, b = ag.Axis("t"), ag.Axis("b")


def symmetric(a: ag.Node) -> ag.Node:
    return 0.5 * (a + a.T)


CASES: dict[str, tuple[Callable[[ag.Node], ag.Node], np.ndarray, Any]] = {
    "inv": (linalg.inv, A, np.linalg.inv),
    "det": (linalg.det, A, np.linalg.det),
    "logdet": (lambda a: linalg.slogdet(a)[1], A, lambda a: np.linalg.slogdet(a)[1]),
    "solve": (lambda a: linalg.solve(a, B), A, lambda a: np.linalg.solve(a, B)),
    "solve columns": (lambda a: linalg.solve(a, a @ a + 1.0), A, lambda a: np.linalg.solve(a, a @ a + 1.0)),
    "lower": (lambda a: linalg.solve_triangular(a, B), A, lambda a: np.linalg.solve(np.tril(a), B)),
    "upper": (lambda a: linalg.solve_triangular(a, B, lower=False), A, lambda a: np.linalg.solve(np.triu(a), B)),
    "cholesky": (lambda a: linalg.cholesky(symmetric(a)), S, np.linalg.cholesky),
    "eigenvalues": (lambda a: linalg.eigh(symmetric(a))[0], S, np.linalg.eigvalsh),
    "eigenvectors": (lambda a: linalg.eigh(symmetric(a))[1] ** 2, S, lambda a: np.linalg.eigh(a)[1] ** 2),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    call, value, numpy = CASES[name]
    a = ag.param("a", (4, 4))
    y = call(a)
    np.testing.assert_allclose(ag.Graph(y).evaluate(a=value)[0], numpy(value), rtol=1e-10, atol=1e-12)
    weights = np.random.default_rng(1).normal(size=y.shape)
    loss = ag.sum(y * weights) if y.shape else y
    ag.check_grad(loss, [a], {"a": value}, tol=1e-6)
    slope = ag.sum(ag.grad(loss, a) * np.random.default_rng(2).normal(size=(4, 4)))
    ag.check_grad(slope, [a], {"a": value}, tol=1e-5)  # the second order


@pytest.mark.parametrize("backend", ["numpy", "plain", "numba"])
def test_in_a_recurrence_over_a_batch(backend: str) -> None:
    """P_t = (P_{t-1}⁻¹ + x_t x_tᵀ)⁻¹, the covariance of recursive least squares: equal to the inverse of the sum."""
    x = ag.input("x", (3,), over=(t, b))
    P = ag.state("P", (3, 3), over=(t, b), init={t: ag.constant(np.eye(3))})
    P[t] = linalg.inv(linalg.inv(P[t - 1]) + ag.outer(x[t], x[t]))
    loss = ag.sum(linalg.slogdet(P[t])[1], over=(t, b))
    xs = np.random.default_rng(3).normal(size=(5, 2, 3))
    value, dx = ag.compile([loss, ag.grad(loss, x)], backend=backend)(x=xs)
    sums = np.eye(3) + np.cumsum(xs[..., :, None] * xs[..., None, :], axis=0)
    assert float(value) == pytest.approx(-np.linalg.slogdet(sums)[1].sum(), rel=1e-10)
    inverse = np.cumsum(np.linalg.inv(sums)[::-1], axis=0)[::-1]
    np.testing.assert_allclose(dx, -2 * (inverse @ xs[..., None])[..., 0], rtol=1e-9)


def test_a_gaussian_by_its_cholesky_factor() -> None:
    """log N(y; 0, S), and the gradient that books have: (S⁻¹ y yᵀ S⁻¹ - S⁻¹) / 2."""
    s = ag.param("s", (4, 4))
    L = linalg.cholesky(symmetric(s))
    z = linalg.solve_triangular(L, B)
    logp = -0.5 * ag.dot(z, z) - ag.sum(ag.log(ag.diag(L))) - 2 * np.log(2 * np.pi)
    value, grad = ag.Graph(logp, ag.grad(logp, s)).evaluate(s=S)
    inverse = np.linalg.inv(S)
    assert float(value) == pytest.approx(-0.5 * B @ inverse @ B - 0.5 * np.linalg.slogdet(S)[1] - 2 * np.log(2 * np.pi))
    np.testing.assert_allclose(grad, 0.5 * (inverse @ np.outer(B, B) @ inverse - inverse), rtol=1e-9)


def test_equal_eigenvalues_make_no_nan() -> None:
    a = ag.param("a", (3, 3))
    values, vectors = linalg.eigh(a)
    g = ag.grad(ag.sum(values**2) + ag.sum(vectors), a)
    assert np.isfinite(ag.Graph(g).evaluate(a=np.eye(3))[0]).all()


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: linalg.inv(np.ones((2, 3))), "S132"),
        (lambda: linalg.solve(np.ones(3), np.ones(3)), "S132"),
        (lambda: linalg.solve(np.eye(3), np.ones(2)), "S101"),
    ],
)
def test_refusals(call: Callable[[], Any], code: str) -> None:
    with pytest.raises(ag.AutogradSeqError) as caught:
        call()
    assert caught.value.code == code


def test_matrices_that_cannot_be_factored() -> None:
    """NumPy's own error; what is not finite gives NaN, and the rest of a batch its numbers."""
    for call in (lambda: linalg.inv(np.zeros((2, 2))), lambda: linalg.solve(np.zeros((2, 2)), np.ones(2)),
                 lambda: linalg.cholesky(-np.eye(2))):  # fmt: skip
        with pytest.raises(np.linalg.LinAlgError):
            call()
    for name in ("cholesky", "eigenvalues", "eigenvectors"):
        found = OPS[name].forward(np.stack([np.eye(2), np.full((2, 2), np.nan)]))
        assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()


def test_a_program_with_them_stands_alone(tmp_path: Path) -> None:
    a = ag.input("a", (3, 3), over=t)
    y = ag.sum(linalg.slogdet(a)[1] + ag.sum(linalg.inv(a) + linalg.cholesky(a @ a.T)), over=t)
    program = ag.compile(y, backend="numpy")
    path = program.save_source(tmp_path / "alone.py")
    values = np.random.default_rng(0).normal(size=(4, 3, 3))
    spec = importlib.util.spec_from_file_location("alone", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (got,) = module.program(T=4, real=np.float64)(values)
    assert float(got) == pytest.approx(float(program(a=values)[0]))


def test_a_matrix_that_cannot_be_taken_names_the_operation() -> None:
    a = ag.input("a", (2, 2), over=t)
    y = linalg.inv(a).named("P")
    for call in (ag.compile(y, backend="numpy"), ag.compile(y, backend="plain"), ag.Graph(y).evaluate):
        with pytest.raises(ag.OperationError, match=r"O149(.|\n)*P met a matrix that it cannot take: Singular matrix"):
            call(a=[np.eye(2), np.zeros((2, 2))])


def test_native_loops_raise_what_numpy_raises(in_python: None) -> None:
    """Of a singular matrix, of one that is not positive definite; NaN that is fed stays NaN."""
    a = ag.input("a", (2, 2), over=t)
    for factor, wrong in ((linalg.inv, np.zeros((2, 2))), (linalg.cholesky, -np.eye(2))):
        p = ag.state("p", (2, 2), over=t)
        p[t] = factor(a[t] + 0.0 * p[t - 1])
        for backend in ("numpy", "numba"):
            program = ag.compile(ag.sum(ag.sum(p), over=t), backend=backend)
            assert "everything" in str(program.schedule) or backend == "numpy"
            assert program(a=[np.eye(2), 4 * np.eye(2)])[0] in (2.5, 6.0)
            assert np.isnan(program(a=[np.eye(2), np.full((2, 2), np.nan)])[0])
            with np.errstate(all="ignore"), pytest.raises(ag.OperationError, match=r"O149(.|\n)*met a matrix that it cannot"):
                program(a=[np.eye(2), wrong])
