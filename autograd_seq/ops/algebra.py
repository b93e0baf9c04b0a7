"""Linear algebra over the last two dimensions: inverses, solutions, determinants, Cholesky factors, eigenvalues.

Derivatives as in Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation",
that of the Cholesky factor as in Murray 2016. They are written with these operations again, so they have derivatives too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_seq.core.errors import ShapeError
from autograd_seq.core.facts import ABSENT, ANY, FINITE
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.elementwise import cast, equal, exp, where
from autograd_seq.ops.linear import outer
from autograd_seq.ops.shape import transpose

# Forwards are plain functions, which programs can copy. Matrices that are not finite give NaN instead of an error of LAPACK.


def _solve_forward(a: Any, b: Any, columns: bool) -> Any:
    a, b = np.asarray(a), np.asarray(b)
    return np.linalg.solve(a, b) if columns else np.linalg.solve(a, b[..., None])[..., 0]


def _inv_forward(a: Any) -> Any:
    return np.linalg.inv(a)


def _log_abs_det_forward(a: Any) -> Any:
    return np.linalg.slogdet(a)[1]


def _det_sign_forward(a: Any) -> Any:
    return np.linalg.slogdet(a)[0]


def _cholesky_forward(a: Any) -> Any:
    good = np.isfinite(a).all((-2, -1))[..., None, None]
    return np.where(good, np.linalg.cholesky(np.where(good, a, np.eye(np.shape(a)[-1]))), np.nan)


def _eigenvalues_forward(a: Any) -> Any:
    good = np.isfinite(a).all((-2, -1))[..., None, None]
    return np.where(good[..., 0], np.linalg.eigvalsh(np.where(good, a, 0.0)), np.nan)


def _eigenvectors_forward(a: Any) -> Any:
    good = np.isfinite(a).all((-2, -1))[..., None, None]
    return np.where(good, np.linalg.eigh(np.where(good, a, 0.0))[1], np.nan)


def _square(a: tuple[int, ...]) -> tuple[int, ...]:
    if len(a) != 2 or a[0] != a[1]:
        raise ValueError("a square matrix")
    return a


def _solve_shape(a: tuple[int, ...], b: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    if not b or b[0] != _square(a)[0]:
        raise ValueError(f"{a[0]} rows on the right")
    return b


def _solve_vjp(g: Any, y: Any, a: Any, b: Any, *, columns: bool) -> tuple[Node, Node]:
    back = SOLVE(transpose(a), g, columns=columns)
    return -(back @ transpose(y)) if columns else -outer(back, y), back


SOLVE: Op = defop(
    "solve", shape=_solve_shape, forward=_solve_forward, vjp=_solve_vjp, native=ABSENT, linear=(1,), range=FINITE,
)  # fmt: skip

INV: Op = defop(
    "inv", shape=_square, forward=_inv_forward,
    vjp=lambda g, y, a: (-(transpose(y) @ g @ transpose(y)),), native=ABSENT, linear=(), range=FINITE,
)  # fmt: skip

LOG_ABS_DET: Op = defop(
    "log_abs_det", shape=lambda a: _square(a)[:0], forward=_log_abs_det_forward,
    vjp=lambda g, y, a: (g * transpose(INV(a)),), native=ABSENT, linear=(), range=ANY,
)  # fmt: skip

DET_SIGN: Op = defop(
    "det_sign", shape=lambda a: _square(a)[:0], forward=_det_sign_forward, vjp=lambda g, y, a: (None,),
    native=ABSENT, linear=(), range=(-1, 1), zero_safe=True,
)  # fmt: skip


def _cholesky_vjp(g: Any, y: Any, a: Any) -> tuple[Node]:
    n = y.shape[0]
    half = np.tril(np.ones((n, n))) - 0.5 * np.eye(n)
    inverse = INV(y)
    whole = transpose(inverse) @ (half * (transpose(y) @ g)) @ inverse
    return (0.5 * (whole + transpose(whole)),)


CHOLESKY: Op = defop(
    "cholesky", shape=_square, forward=_cholesky_forward,
    vjp=_cholesky_vjp, native=ABSENT, linear=(), range=FINITE,
)  # fmt: skip


def _values_vjp(g: Any, y: Any, a: Any) -> tuple[Node]:
    vectors = EIGENVECTORS(a)
    return ((vectors * g[None, :]) @ transpose(vectors),)


def _vectors_vjp(g: Any, y: Any, a: Any) -> tuple[Node]:
    values = EIGENVALUES(a)
    gaps = values[None, :] - values[:, None]  # 0 for the same value: such vectors are not determined
    factor = where(equal(gaps, 0), 0.0, 1 / where(equal(gaps, 0), 1.0, gaps))
    whole = y @ (factor * (transpose(y) @ g)) @ transpose(y)
    return (0.5 * (whole + transpose(whole)),)


EIGENVALUES: Op = defop(
    "eigenvalues", shape=lambda a: _square(a)[:1], forward=_eigenvalues_forward,
    vjp=_values_vjp, native=ABSENT, linear=(), range=FINITE,
)  # fmt: skip
EIGENVECTORS: Op = defop(
    "eigenvectors", shape=_square, forward=_eigenvectors_forward,
    vjp=_vectors_vjp, native=ABSENT, linear=(), range=(-1, 1),
)  # fmt: skip


def _as_matrix(a: Any, name: str) -> Node:
    a = constant(a)
    if len(a.shape) != 2 or a.shape[0] != a.shape[1]:
        raise ShapeError(
            "S132", f"{name} needs a square matrix, and {label_of(a)} has shape {a.shape}", node=a.name,
            where=show_site(user_site()), expected="(n, n)", got=str(a.shape),
        )  # fmt: skip
    return a if a.dtype is float else cast(a, float)


def solve(a: Any, b: Any) -> Node:
    """Return the solution x of a x = b.

    Args:
        a: (n, n).
        b: (n,), or (n, k): k right-hand sides.

    Returns:
        Of the shape of ``b``.

    Raises:
        ShapeError: the shapes do not fit.
        numpy.linalg.LinAlgError: the matrix is singular, and its values are known; a program raises OperationError instead.

    Example:
        >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).value
        array([1. , 0.5])

    Notes:
        By LU factors, O(n³). In a native loop matrices of at most 6 rows are eliminated in place; a call whose outputs contain
        NaN is then run again in NumPy, which raises the error if a matrix is singular. With larger ones the loop runs in NumPy.
    """
    a, b = _as_matrix(a, "solve"), constant(b)
    return SOLVE(a, b if b.dtype is float else cast(b, float), columns=len(b.shape) > 1)


def solve_triangular(a: Any, b: Any, *, lower: bool = True) -> Node:
    """Return the solution x of a x = b for the triangle of a matrix; what lies outside of it is not read.

    Args:
        a: (n, n).
        b: (n,), or (n, k).
        lower: the lower triangle, else the upper one.

    Returns:
        A node of the shape of ``b``.

    Example:
        >>> solve_triangular([[2.0, 9.0], [2.0, 4.0]], [2.0, 6.0]).value
        array([1., 1.])

    Notes:
        A :func:`solve` of the triangle, O(n³), which makes no use of its zeros.
    """
    a = _as_matrix(a, "solve_triangular")
    mask = np.ones(a.shape)
    return solve(where((np.tril if lower else np.triu)(mask) > 0, a, 0.0), b)


def inv(a: Any) -> Node:
    """Return the inverse of a matrix (n, n); :func:`solve` is faster and more exact where one is multiplied by it.

    Args:
        a: (…, n, n).

    Returns:
        A node (…, n, n).

    Example:
        >>> inv([[2.0, 0.0], [0.0, 4.0]]).value.tolist()
        [[0.5, 0.0], [0.0, 0.25]]

    Notes:
        By LU factors, O(n³). The derivative is that of Giles 2008.
    """
    return INV(_as_matrix(a, "inv"))


def cholesky(a: Any) -> Node:
    """Return the lower triangular L with L Lᵀ = a, for a symmetric positive definite matrix; only its lower triangle is read.

    Args:
        a: (…, n, n).

    Returns:
        A node (…, n, n).

    Example:
        >>> cholesky([[4.0, 2.0], [2.0, 2.0]]).value.tolist()
        [[2.0, 0.0], [1.0, 1.0]]

    Notes:
        The gradient is that of symmetric changes of the matrix.
    """
    return CHOLESKY(_as_matrix(a, "cholesky"))


def slogdet(a: Any) -> tuple[Node, Node]:
    """Return the sign of the determinant, which has no gradient, and the logarithm of its absolute value.

    Args:
        a: (…, n, n).

    Returns:
        Two nodes (…), the sign and the logarithm.

    Example:
        >>> sign, logarithm = slogdet([[0.0, 2.0], [1.0, 0.0]])
        >>> float(sign.value), round(float(logarithm.value), 6)
        (-1.0, 0.693147)

    Notes:
        By LU factors, O(n³). The derivative of the logarithm is the inverse, transposed (Giles 2008).
    """
    a = _as_matrix(a, "slogdet")
    return DET_SIGN(a), LOG_ABS_DET(a)


def det(a: Any) -> Node:
    """Return the determinant of a matrix. The gradient is that of a regular one; :func:`slogdet` does not overflow.

    Args:
        a: (…, n, n).

    Returns:
        A node (…).

    Example:
        >>> round(float(det([[1.0, 2.0], [3.0, 4.0]]).value), 6)
        -2.0

    Notes:
        By :func:`slogdet`, O(n³).
    """
    sign, logarithm = slogdet(a)
    return sign * exp(logarithm)


def eigh(a: Any) -> tuple[Node, Node]:
    """Return eigenvalues (n,), ascending, and eigenvectors (n, n), in columns, of a symmetric matrix.

    Only the lower triangle is read. Eigenvectors of equal eigenvalues are not determined, and get no gradient from each
    other; the sign of an eigenvector is that of LAPACK.

    Args:
        a: (…, n, n).

    Returns:
        Two nodes, the eigenvalues and the eigenvectors.

    Example:
        >>> values, vectors = eigh([[2.0, 1.0], [1.0, 2.0]])
        >>> values.value.round(6).tolist()
        [1.0, 3.0]

    Notes:
        O(n³), by LAPACK, also within loops. Derivatives as in Giles 2008.
    """
    a = _as_matrix(a, "eigh")
    return EIGENVALUES(a), EIGENVECTORS(a)


__all__ = ["cholesky", "det", "eigh", "inv", "slogdet", "solve", "solve_triangular"]
explain_keywords(globals(), __all__)
