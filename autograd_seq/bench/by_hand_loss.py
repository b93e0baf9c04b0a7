"""Softmax cross-entropy and its cotangent for all steps and batch entries at once, written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np


class CrossEntropy:
    """Sum of −log softmax(z)[label] over N columns of logits; turns the logits into their cotangents.

    Why columns (2026-11): classes are few, and NumPy reduces a short last axis a row at a time; the maximum over
    1600 rows of 32 took 122 µs, over 32 rows of 1600 it takes 5. The product that makes the logits costs the same.

    Args:
        N: number of columns, steps times batch.
        K: number of classes.
        dtype: of the logits.

    Example:
        >>> z = np.zeros((2, 3))
        >>> round(CrossEntropy(3, 2, z.dtype)(z, np.array([0, 1, 1])), 6)
        2.079442
        >>> z
        array([[-0.5,  0.5,  0.5],
               [ 0.5, -0.5, -0.5]])
    """

    def __init__(self, N: int, K: int, dtype: Any) -> None:
        self.N = N
        self.row = np.empty(N, dtype)
        self.log = np.empty(N, dtype)
        self.ones = np.ones(K, dtype)
        self.column = np.arange(N)

    def __call__(self, z: np.ndarray, labels: np.ndarray) -> float:
        """Return the loss; ``z`` (K, N) becomes softmax(z) − one_hot(labels)."""
        row = self.row
        np.maximum.reduce(z, 0, out=row)
        np.subtract(z, row, z)
        at = labels.reshape(-1) * self.N
        at += self.column
        flat = z.reshape(-1)
        chosen = flat.take(at)
        np.exp(z, z)
        self.ones.dot(z, row)
        loss = np.add.reduce(np.log(row, self.log)) - np.add.reduce(chosen)
        np.divide(1, row, row)
        np.multiply(z, row, z)
        flat[at] -= 1
        return float(loss)


__all__ = ["CrossEntropy"]
