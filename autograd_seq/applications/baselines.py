"""Baselines that a recurrent network has to beat: autoregression and logistic regression; and the usual scores."""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq import learn

Array = np.ndarray


def stack_lags(series: Array, lags: int) -> Array:
    """Return the values of the ``lags`` steps before each step, the nearest first; NaN before the first step.

    Args:
        series: (T,) or (T, D).
        lags: how many.

    Returns:
        (T, lags) or (T, lags · D).

    Example:
        >>> stack_lags(np.array([1.0, 2.0, 3.0]), 2).tolist()
        [[nan, nan], [1.0, nan], [2.0, 1.0]]
    """
    columns = np.asarray(series, float).reshape(len(series), -1)
    before = np.concatenate([np.full((lags, columns.shape[1]), np.nan), columns])
    return np.hstack([before[lags - k : len(before) - k] for k in range(1, lags + 1)])


def regress(rows: Array, target: Array, fit: Array) -> Array:
    """Return what least squares with an intercept predicts from each row; NaN for a row that holds a NaN.

    Args:
        rows: (N, D).
        target: (N,).
        fit: (N,) truth values: the rows from which the weights are found, less those that hold a NaN.

    Example:
        >>> regress(np.array([[0.0], [1.0], [5.0]]), np.array([1.0, 3.0, 0.0]), np.array([True, True, False])).round(6)
        array([ 1.,  3., 11.])
    """
    whole = np.isfinite(rows).all(axis=1)
    design = np.column_stack([np.ones(len(rows)), np.where(whole[:, None], rows, 0.0)])
    used = whole & fit & np.isfinite(target)
    weights = np.linalg.lstsq(design[used], target[used], rcond=None)[0]
    return np.where(whole, design @ weights, np.nan)


def autoregress(series: Array, lags: int, fit: Array) -> Array:
    """Return the forecasts of AR(``lags``) with intercept, one step ahead; NaN for the first ``lags`` steps.

    Args:
        series: (T,).
        lags: the order.
        fit: (T,) truth values: the steps whose values are fitted.

    Example:
        >>> autoregress(np.array([1.0, 2.0, 4.0, 8.0, 16.0]), 1, np.array([True] * 4 + [False])).round(6).tolist()
        [nan, 2.0, 4.0, 8.0, 16.0]
    """
    return regress(stack_lags(series, lags), np.asarray(series, float), fit)


def mse(guess: Array, truth: Array) -> float:
    """Return the mean squared error.

    Example:
        >>> mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        2.0
    """
    return float(np.mean((np.asarray(guess) - np.asarray(truth)) ** 2))


def rmse(guess: Array, truth: Array) -> float:
    """Return the root of the mean squared error, in the unit of the values.

    Example:
        >>> rmse(np.array([0.0, 2.0]), np.array([2.0, 4.0]))
        2.0
    """
    return mse(guess, truth) ** 0.5


class Scale:
    """The mean and the scale of training data, by which a network's inputs are standardised.

    Example:
        >>> scale = Scale(np.array([1.0, 3.0]))
        >>> scale.reduce(np.array([5.0])), scale.restore(np.array([3.0]))
        (array([3.]), array([5.]))
    """

    def __init__(self, training: Array) -> None:
        self.mean, self.deviation = training.mean(axis=0), training.std(axis=0)

    def reduce(self, values: Array) -> Array:
        """Return values less the mean, divided by the standard deviation."""
        return (values - self.mean) / self.deviation

    def restore(self, values: Array) -> Array:
        """Return values in the unit of the data."""
        return values * self.deviation + self.mean


def classify(rows: Array, labels: Array, fit: Array, penalty: float = 1.0, steps: int = 400) -> Array:
    """Return the classes that multinomial logistic regression predicts for all rows.

    Args:
        rows: (N, D).
        labels: (N,) integers from 0.
        fit: (N,) truth values: the rows from which the weights are found.
        penalty: half of it, times the squares of the weights, is added to the sum of the losses.
        steps: of Adam on all rows at once.

    Returns:
        (N,) integers.

    Example:
        >>> classify(np.array([[0.0], [1.0], [3.0]]), np.array([0, 1, 1]), np.array([True, True, False]))
        array([0, 1, 1])
    """
    scale = Scale(rows[fit])
    z = (rows - scale.mean) / np.where(scale.deviation > 0, scale.deviation, 1.0)
    classes, size = int(labels.max()) + 1, z.shape[1]
    n = ag.Axis("n")
    x, l = ag.input("x", (size,), over=n), ag.input("l", over=n, dtype=int)
    W, b = ag.param("W", (classes, size)), ag.param("b", (classes,))
    loss = (ag.sum(ag.cross_entropy(W @ x + b, l), over=n) + penalty / 2 * ag.sum(W * W)) / int(fit.sum())
    start = {"W": np.zeros((classes, size)), "b": np.zeros(classes)}
    feeds, optimizer = {"x": z[fit], "l": labels[fit]}, learn.adam(learn.cosine(0.1, steps))
    found = learn.train(ag.value_and_grad(loss), start, feeds, optimizer, steps=steps, progress=False).params
    return np.argmax(z @ found["W"].T + found["b"], axis=1)
