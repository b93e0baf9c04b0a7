"""How far a result is from what it must be."""

from __future__ import annotations

from typing import Any

import numpy as np


def difference(got: Any, want: np.ndarray) -> float:
    """Return the largest error relative to the largest entry, or to 1: infinite where anything else differs."""
    if not isinstance(got, np.ndarray) or got.shape != want.shape or got.dtype != want.dtype:
        return np.inf
    if want.dtype.kind != "f":
        return float(not np.array_equal(got, want))
    finite = np.isfinite(want)
    if not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return np.inf
    off = np.abs(np.where(finite, got, 0.0) - np.where(finite, want, 0.0))
    return float(np.max(off, initial=0.0) / max(1.0, np.max(np.abs(want[finite]), initial=0.0)))
