"""Gradient clipping: one step on a steep slope must not throw the parameters far away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd_seq.core.hints import explain_keywords
from autograd_seq.learn.optim import Arrays
from autograd_seq.learn.schedule import check_number


def global_norm(grads: Mapping[str, Any]) -> float:
    """Return the Euclidean norm of all gradients as one vector; the squares do not overflow, whatever their width.

    Args:
        grads: arrays by name.

    Returns:
        A number.

    Example:
        >>> global_norm({"a": [3.0, 0.0], "b": 4.0})
        5.0

    Notes:
        Two passes over all gradients: the largest entry first.
    """
    arrays = [np.asarray(g, dtype=np.float64) for g in grads.values()]
    peak = float(np.max([np.max(np.abs(g), initial=0.0) for g in arrays], initial=0.0))
    if peak == 0.0 or not np.isfinite(peak):
        return peak
    return peak * float(np.sqrt(sum(float(np.sum((g / peak) ** 2)) for g in arrays)))


def clip_by_norm(grads: Mapping[str, Any], limit: float) -> tuple[Arrays, float]:
    """Scale all gradients together so that their global norm is at most ``limit``; their direction does not change.

    Args:
        grads: arrays by name.
        limit: the largest norm, ≥ 0.

    Returns:
        New arrays, and the norm before clipping. Gradients whose norm is not finite are returned unchanged.

    Raises:
        OperationError: the limit is negative, or not a number.

    Example:
        >>> clipped, norm = clip_by_norm({"a": [3.0, 0.0], "b": 4.0}, 1.0)
        >>> norm, clipped["a"].round(12), float(clipped["b"].round(12))
        (5.0, array([0.6, 0. ]), 0.8)

    Notes:
        Pascanu, Mikolov & Bengio 2013: at a wall of the error surface the gradient gives the direction, but not a step size.
    """
    limit, norm = check_number("limit", limit), global_norm(grads)
    scale = limit / norm if limit < norm < np.inf else 1.0
    return {name: np.asarray(np.asarray(g) * scale) for name, g in grads.items()}, norm


def clip_by_value(grads: Mapping[str, Any], limit: float) -> Arrays:
    """Clip every entry of the gradients to between ``-limit`` and ``limit``; their direction may change.

    Args:
        grads: arrays by name.
        limit: ≥ 0.

    Returns:
        New arrays by name.

    Raises:
        OperationError: the limit is negative, or no number.

    Example:
        >>> clip_by_value({"w": [3.0, -0.5]}, 1.0)["w"]
        array([ 1. , -0.5])

    Notes:
        Graves 2013.
    """
    limit = check_number("limit", limit)
    return {name: np.clip(np.asarray(g), -limit, limit) for name, g in grads.items()}


__all__ = ["clip_by_norm", "clip_by_value", "global_norm"]
explain_keywords(globals(), __all__)
