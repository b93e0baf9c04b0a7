"""Slow feature analysis: of all functions of a signal, those that change the slowest and are not constant.

A signal that is measured often repeats itself from step to step. Slow feature analysis makes use of that: what changes slowly
is what lasts, and noise is fast.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import DataError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import refuse_mask
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.frame import check_count, check_input, check_number, open_scope
from autograd_seq.ops.leaf import param
from autograd_seq.ops.linear import outer
from autograd_seq.ops.reduce import mean
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.time import index, shift

Array = np.ndarray


def delta_values(y: Any) -> Array:
    """Return how fast each column changes: the mean square of its steps, divided by its variance.

    Args:
        y: (T, K) values at T ≥ 2 steps.

    Returns:
        (K,): 0 for a straight line at infinity, 2 for white noise, 4 at most. A constant column is NaN.

    Raises:
        DataError: ``y`` is no matrix, or one of fewer than two steps.

    Example:
        >>> t = np.arange(1000)
        >>> delta_values(np.stack([np.sin(0.01 * t), np.sin(t)], axis=1)).round(4).tolist()
        [0.0001, 0.9203]

    Notes:
        Wiskott & Sejnowski 2002, Δ(y), for columns that are normalised here.
    """
    y = _as_floats(y)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or len(y) < 2:
        raise DataError(
            "S201", f"the speed of an array of shape {y.shape} is not defined", expected="(T, K), T ≥ 2", got=str(y.shape)
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.mean(np.diff(y, axis=0) ** 2, axis=0) / np.var(y, axis=0)


def expand_quadratic(x: Any) -> Array:
    """Return the columns of x, and all products of two of them.

    Args:
        x: (T, D).

    Returns:
        (T, D + D (D + 1) / 2): x₁ … x_D, x₁x₁, x₁x₂, …, x_Dx_D.

    Raises:
        DataError: ``x`` is no matrix of numbers.

    Example:
        >>> expand_quadratic([[2.0, 3.0]]).tolist()
        [[2.0, 3.0, 4.0, 6.0, 9.0]]

    Notes:
        T D² / 2 numbers. Wiskott & Sejnowski 2002.
    """
    x = _as_floats(x)
    _check_matrix(x, "expand_quadratic")
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([x, x[:, i] * x[:, j]], axis=1)


class SlowFeatures:
    """Slow feature analysis in closed form, with the ``fit`` and ``transform`` of scikit-learn.

    Args:
        n_components: K, the number of features, the slowest first; ``None`` for all.
        expansion: ``"linear"``, ``"quadratic"`` (of the columns and their products), or a function from (T, D) to (T, E).
        tolerance: directions whose variance is less than this fraction of the largest are left out, where every column has
            variance 1; 0 ≤ tolerance < 1.

    Attributes:
        mean_: (E,) of the expanded signal.
        components_: (K, E): features are (expanded - mean_) @ components_.T.
        delta_values_: (K,) the speed of each on what it was fitted to, growing: see :func:`delta_values`.
        n_features_in_: D.

    Raises:
        DataError: fewer than two steps, or other numbers of columns than before; a value that is not finite; used before
            ``fit``; more components than directions; another word as ``expansion``, or a function that does not return (T, E).

    Example:
        >>> t = np.linspace(0, 4 * np.pi, 2000)
        >>> x = np.stack([np.sin(t) + np.cos(11 * t) ** 2, np.cos(11 * t)], axis=1)
        >>> slow = SlowFeatures(1, expansion="quadratic").fit_transform(x)[:, 0]
        >>> bool(abs(np.corrcoef(slow, np.sin(t))[0, 1]) > 0.999)
        True

    Notes:
        Wiskott & Sejnowski 2002. The signal is whitened, and the steps of what is white are decorrelated: two eigenvalue
        problems. Time O(T E² + E³). The units of the columns do not matter. A feature has mean 0 and variance 1; its sign is
        that of its largest component, where every column has variance 1. Of fewer steps than columns the features follow from
        the number of steps alone, and tell nothing.
    """

    def __init__(self, n_components: int | None = None, *, expansion: Any = "linear", tolerance: float = 1e-10) -> None:
        self.n_components, self.expansion, self.tolerance = n_components, expansion, tolerance

    def fit(self, X: Any, y: Any = None) -> SlowFeatures:
        """Find the features of a signal X (T, D); steps are rows, and y is not used. Returns the object itself."""
        if not isinstance(self.tolerance, (int, float, np.number)) or not 0 <= self.tolerance < 1:
            raise DataError(
                "S214", f"SlowFeatures is given tolerance={self.tolerance!r:.60}", expected="a number, 0 ≤ tolerance < 1",
                got=repr(self.tolerance)[:80],
            )  # fmt: skip
        z = self._expand(self._check(X, first=True))
        self.mean_, scale = z.mean(0), z.std(0)
        scale[np.ptp(z, axis=0) <= 8 * np.finfo(float).eps * np.abs(z).max(0)] = np.inf  # but for rounding it is constant
        unit = (z - self.mean_) / scale
        size, axes = np.linalg.eigh(unit.T @ unit / len(unit))
        kept = size > self.tolerance * max(float(size[-1]), np.finfo(float).tiny)
        if not kept.any():
            raise DataError("S202", "the signal does not change, and has no slow features", expected="a column that varies")
        count = self._count(int(kept.sum()))
        whiten = axes[:, kept] / np.sqrt(size[kept])
        steps = np.diff(unit @ whiten, axis=0)
        speed, turn = np.linalg.eigh(steps.T @ steps / len(steps))
        components = (whiten @ turn[:, :count]).T
        largest = components[np.arange(count), np.abs(components).argmax(1)]
        self.components_ = components * np.sign(largest)[:, None] / scale
        self.delta_values_ = speed[:count]
        return self

    def _count(self, directions: int) -> int:
        """Return how many features there are to be, of so many."""
        n = self.n_components
        if n is None:
            return directions
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= directions:
            raise DataError(
                "S203", f"n_components={n!r:.60} of a signal with {directions} directions",
                expected=f"an integer from 1 to {directions}, or None", got=repr(n)[:80],
            )  # fmt: skip
        return int(n)

    def transform(self, X: Any) -> Array:
        """Return the features (N, K) of rows X (N, D)."""
        if not hasattr(self, "components_"):
            raise _make_not_fitted_error()
        z = self._expand(self._check(X))
        if z.shape[1] != len(self.mean_):
            raise DataError(
                "S215", f"this SlowFeatures was fitted to {len(self.mean_)} columns, and is given {z.shape[1]}",
                expected=f"(N, {len(self.mean_)}) after the expansion", got=str(z.shape), fix="fit again with this expansion",
            )  # fmt: skip
        return (z - self.mean_) @ self.components_.T

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Return ``fit(X).transform(X)``."""
        return self.fit(X).transform(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return what the object was made with, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> SlowFeatures:
        """Change what the object was made with; returns it."""
        for name, value in params.items():
            if name not in self.get_params():
                raise DataError(
                    "S204", f"SlowFeatures has no parameter {name}", expected=", ".join(self.get_params()), got=name
                )
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn, where it is used, what this transformer takes."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None, target_tags=TargetTags(required=False), transformer_tags=TransformerTags(),
            classifier_tags=None, regressor_tags=None, input_tags=InputTags(),
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"SlowFeatures({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"

    def _expand(self, x: Array) -> Array:
        if callable(self.expansion):
            z = _as_floats(self.expansion(x))
            if z.ndim != 2 or len(z) != len(x) or not z.shape[1] or not np.isfinite(z).all():
                raise DataError(
                    "S216", f"expansion= returns an array of shape {z.shape} for {x.shape}", got=str(z.shape),
                    expected=f"({len(x)}, E) finite numbers, a row a step",
                )  # fmt: skip
            return z
        if self.expansion not in ("linear", "quadratic"):
            raise DataError(
                "S205", f"SlowFeatures has no expansion={self.expansion!r:.60}",
                expected='"linear", "quadratic" or a function', got=repr(self.expansion)[:80],
            )  # fmt: skip
        return x if self.expansion == "linear" else expand_quadratic(x)

    def _check(self, X: Any, first: bool = False) -> Array:
        x = _as_floats(X)
        _check_matrix(x, "SlowFeatures")
        for size, least, what in ((len(x), 2 if first else 1, "sample(s)"), (x.shape[1], 1, "feature(s)")):
            if size < least:
                raise DataError(
                    "S207", f"{size} {what} (shape={x.shape}) while a minimum of {least} is required by SlowFeatures.",
                    expected="(T, D), T ≥ 2", got=str(x.shape),
                )  # fmt: skip
        if not np.isfinite(x).all():
            raise DataError("S208", "the signal contains NaN or infinity", expected="finite numbers", got="NaN or inf")
        if first:
            self.n_features_in_ = x.shape[1]
        elif x.shape[1] != self.n_features_in_:
            raise DataError(
                "S209", f"X has {x.shape[1]} features, but SlowFeatures is expecting {self.n_features_in_} features as input",
                expected=str(self.n_features_in_), got=str(x.shape[1]),
            )  # fmt: skip
        return x


def slowness(x: Node, features: int, *, over: Axis, weight: float = 10.0, name: str | None = None) -> tuple[Node, Node]:
    """Slow feature analysis as an objective to train: the mean square of steps, and a penalty that keeps features white.

        y_t = W x_t        L = mean_t |y_t - y_{t-1}|² + weight |mean_t y_t y_tᵀ - 1|²

    Args:
        x: (D,) over ``over``, of mean 0; any node: the output of a recurrent network too.
        features: K.
        over: the axis of time.
        weight: of the penalty, a positive number.
        name: the scope of the parameter.

    Returns:
        The features y (K,) and the loss L. Parameter: W (K, D).

    Raises:
        AxisError, ShapeError: as for ``ag.nn.rnn``; more features than columns.
        OperationError: the weight is not positive.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y, L = slowness(ag.input("x", (3,), over=t), 2, over=t)
        >>> y.shape, L.axes
        ((2,), ())

    Notes:
        At the minimum the rows of W span the K slowest features of :class:`SlowFeatures` (for a large weight; each is shrunk by
        1 - Δ/(4 weight) or so, which tells their order). The first step counts no change.
    """
    x, features = check_input(x, over, "slowness"), check_count(features, "slowness", "features")
    weight = check_number(weight, "slowness", "weight", "a positive number", 0.0, inside=True)
    if features > x.shape[0]:
        raise ShapeError(
            "S217", f"slowness is given {features} features of {x.shape[0]} columns", where=show_site(user_site()),
            expected=f"at most {x.shape[0]}, which can be white", got=str(features),
        )  # fmt: skip
    with open_scope(name):
        y = param("W", (features, x.shape[0])) @ x
        moved = y - shift(y, over, 1)
        change = sum_of(moved * moved)
        steps = mean(change * (index(over) > 0), over=over)
        spread = mean(outer(y, y), over=over) - np.eye(features)
        return y, (steps + weight * sum_of(spread * spread)).named("L")


def _as_floats(X: Any) -> Array:
    """Return an array of real numbers; in errors, the phrases by which scikit-learn's checks know them."""
    if hasattr(X, "toarray"):
        raise DataError("S213", "Sparse data is not supported", expected="an array", got=type(X).__name__, fix="X.toarray()")
    try:
        x = np.asarray(refuse_mask(X))
        if x.dtype.kind in "mM":
            raise TypeError("a time is not a number")
        real = None if x.dtype.kind == "c" else x.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(
            "S211", f"the signal is not made of numbers: {error}", expected="a regular array of real numbers", got=repr(X)[:80]
        ) from None
    if real is None:
        raise DataError("S210", "Complex data not supported", expected="real numbers", got=str(x.dtype))
    return real


def _check_matrix(x: Array, name: str) -> None:
    if x.ndim != 2:
        raise DataError(
            "S206", f"{name} reads steps × columns, and is given shape {x.shape}. Reshape your data",
            expected="(T, D)", got=str(x.shape), fix="x.reshape(-1, 1) for one column",
        )  # fmt: skip


def _make_not_fitted_error() -> Exception:
    return DataError("S212", "this SlowFeatures is not fitted yet", fix="call fit(X) first")


__all__ = ["SlowFeatures", "delta_values", "expand_quadratic", "slowness"]
explain_keywords(globals(), ["delta_values", "expand_quadratic", "slowness"])
