"""Slow feature analysis: of all functions of a signal, those that change the slowest and are not constant.

A signal that is measured often repeats itself from step to step. Slow feature analysis makes use of that: what changes slowly
is what lasts, and noise is fast.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import DataError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.nn.frame import check_input
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
        DataError: ``y`` has fewer than two steps.

    Example:
        >>> t = np.arange(1000)
        >>> delta_values(np.stack([np.sin(0.01 * t), np.sin(t)], axis=1)).round(4).tolist()
        [0.0001, 0.9203]

    Notes:
        Wiskott & Sejnowski 2002, Δ(y), for columns that are normalised here.
    """
    y = np.asarray(y, float)
    y = y[:, None] if y.ndim == 1 else y
    if len(y) < 2:
        raise DataError("S201", f"the speed of {len(y)} steps is not defined", expected="two steps or more", got=str(y.shape))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.mean(np.diff(y, axis=0) ** 2, axis=0) / np.var(y, axis=0)


def expand_quadratic(x: Any) -> Array:
    """Return the columns of x, and all products of two of them.

    Args:
        x: (T, D).

    Returns:
        (T, D + D (D + 1) / 2): x₁ … x_D, x₁x₁, x₁x₂, …, x_Dx_D.

    Example:
        >>> expand_quadratic([[2.0, 3.0]]).tolist()
        [[2.0, 3.0, 4.0, 6.0, 9.0]]
    """
    x = np.asarray(x, float)
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([x, x[:, i] * x[:, j]], axis=1)


class SlowFeatures:
    """Slow feature analysis in closed form, with the ``fit`` and ``transform`` of scikit-learn.

    Args:
        n_components: K, the number of features, the slowest first; ``None`` for all.
        expansion: ``"linear"``, ``"quadratic"`` (of the columns and their products), or a function from (T, D) to (T, E).
        tolerance: directions whose variance is less than this fraction of the largest are left out.

    Attributes:
        mean_: (E,) of the expanded signal.
        components_: (K, E): features are (expanded - mean_) @ components_.T.
        delta_values_: (K,) the speed of each on what it was fitted to, growing: see :func:`delta_values`.
        n_features_in_: D.

    Raises:
        DataError: fewer than two steps, or other numbers of columns than before; a value that is not finite; used before
            ``fit``; more components than directions; another word as ``expansion``.

    Example:
        >>> t = np.linspace(0, 4 * np.pi, 2000)
        >>> x = np.stack([np.sin(t) + np.cos(11 * t) ** 2, np.cos(11 * t)], axis=1)
        >>> slow = SlowFeatures(1, expansion="quadratic").fit_transform(x)[:, 0]
        >>> bool(abs(np.corrcoef(slow, np.sin(t))[0, 1]) > 0.999)
        True

    Notes:
        Wiskott & Sejnowski 2002. The signal is whitened, and the steps of what is white are decorrelated: two eigenvalue
        problems. Time O(T E² + E³). A feature has mean 0 and variance 1; its sign is that of its largest component.
    """

    def __init__(self, n_components: int | None = None, *, expansion: Any = "linear", tolerance: float = 1e-10) -> None:
        self.n_components, self.expansion, self.tolerance = n_components, expansion, tolerance

    def fit(self, X: Any, y: Any = None) -> SlowFeatures:
        """Find the features of a signal X (T, D); steps are rows, and y is not used. Returns the object itself."""
        x = self._check(X, first=True)
        z = self._expand(x)
        self.mean_ = z.mean(0)
        size, axes = np.linalg.eigh(np.atleast_2d(np.cov(z.T, bias=True)))
        kept = size > self.tolerance * max(float(size[-1]), np.finfo(float).tiny)
        if not kept.any():
            raise DataError("S202", "the signal does not change, and has no slow features", expected="a column that varies")
        count = int(kept.sum()) if self.n_components is None else self.n_components
        if not 1 <= count <= kept.sum():
            raise DataError(
                "S203", f"n_components={count} of a signal with {int(kept.sum())} directions",
                expected=f"a number from 1 to {int(kept.sum())}", got=str(count),
            )  # fmt: skip
        whiten = axes[:, kept] / np.sqrt(size[kept])
        steps = np.diff((z - self.mean_) @ whiten, axis=0)
        speed, turn = np.linalg.eigh(steps.T @ steps / len(steps))
        components = (whiten @ turn[:, :count]).T
        largest = components[np.arange(count), np.abs(components).argmax(1)]
        self.components_ = components * np.sign(largest)[:, None]
        self.delta_values_ = speed[:count]
        return self

    def transform(self, X: Any) -> Array:
        """Return the features (N, K) of rows X (N, D)."""
        if not hasattr(self, "components_"):
            raise _make_not_fitted_error()
        return (self._expand(self._check(X)) - self.mean_) @ self.components_.T

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
            return np.asarray(self.expansion(x), float)
        if self.expansion not in ("linear", "quadratic"):
            raise DataError(
                "S205", f"SlowFeatures has no expansion={self.expansion!r:.60}",
                expected='"linear", "quadratic" or a function', got=repr(self.expansion)[:80],
            )  # fmt: skip
        return x if self.expansion == "linear" else expand_quadratic(x)

    def _check(self, X: Any, first: bool = False) -> Array:
        x = _as_floats(X)
        if x.ndim != 2:
            raise DataError(
                "S206", f"SlowFeatures reads steps × columns, and is given shape {x.shape}. Reshape your data",
                expected="(T, D)", got=str(x.shape), fix="x.reshape(-1, 1) for one column",
            )  # fmt: skip
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
        weight: of the penalty.
        name: the scope of the parameter.

    Returns:
        The features y (K,) and the loss L. Parameter: W (K, D).

    Raises:
        AxisError, ShapeError: as for ``ag.nn.rnn``.

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
    x = check_input(x, over, "slowness")
    y = param("W" if name is None else f"{name}/W", (features, x.shape[0])) @ x
    moved = y - shift(y, over, 1)
    change = sum_of(moved * moved)
    steps = mean(change * (index(over) > 0), over=over)
    spread = mean(outer(y, y), over=over) - np.eye(features)
    return y, (steps + weight * sum_of(spread * spread)).named("L" if name is None else f"{name}/L")


def _as_floats(X: Any) -> Array:
    """Return an array of real numbers; in errors, the phrases by which scikit-learn's checks know them."""
    if hasattr(X, "toarray"):
        raise DataError("S213", "Sparse data is not supported", expected="an array", got=type(X).__name__, fix="X.toarray()")
    x = np.asarray(X)
    if x.dtype.kind == "c":
        raise DataError("S210", "Complex data not supported", expected="real numbers", got=str(x.dtype))
    try:
        return x.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(
            "S211", f"the signal is not made of numbers: {error}",
            expected="real numbers", got=str(x.dtype),
        ) from None  # fmt: skip


def _make_not_fitted_error() -> Exception:
    return DataError("S212", "this SlowFeatures is not fitted yet", fix="call fit(X) first")


__all__ = ["SlowFeatures", "delta_values", "expand_quadratic", "slowness"]
explain_keywords(globals(), ["delta_values", "expand_quadratic", "slowness"])
