"""A search along a line for a point at which a loss is less, and its slope flatter: the strong conditions of Wolfe 1969."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DECREASE, FLATTER = 1e-4, 0.9
"""The share of the decrease that the first slope promises, and of that slope, which are asked for."""
_LONGEST, _TRIES = 1e10, 30


class Point(NamedTuple):
    """A point, its loss, and its gradient, as vectors."""

    x: np.ndarray
    loss: float
    slope: np.ndarray


class _Try(NamedTuple):
    """A step along the line, the loss there, and its derivative along the line."""

    step: float
    loss: float
    rise: float
    point: Point

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.loss) and np.isfinite(self.rise))


def search(measure: Callable[[np.ndarray], Point], here: Point, direction: np.ndarray, first: float) -> Point | None:
    """Return a point along a line at which the loss is less and its slope flatter; ``None`` if none is found.

    Args:
        measure: computes loss and gradient at a point; where they are not finite the step is too long.
        here: where the line begins.
        direction: of the line.
        first: the step that is tried first, in units of the direction.

    Example:
        >>> found = search(lambda x: Point(x, x @ x, 2 * x), Point(np.ones(1), 1.0, np.full(1, 2.0)), np.full(1, -2.0), 1.0)
        >>> found.x.tolist()
        [0.0]

    Notes:
        Nocedal & Wright 2006, algorithms 3.5 and 3.6: the step grows until points that are good enough lie between two tries,
        which then move together, by the least of the cubic through them. A point that is less, but no flatter, is returned
        where nothing better is found.
    """
    start = _Try(0.0, here.loss, float(here.slope @ direction), here)
    if not start.rise < 0:
        return None

    def attempt(step: float) -> _Try:
        point = measure(here.x + step * direction)
        return _Try(step, point.loss, float(point.slope @ direction), point)

    def is_less(at: _Try) -> bool:
        return at.is_finite and at.loss <= start.loss + DECREASE * at.step * start.rise and at.loss < start.loss

    before, step = start, first
    for _ in range(_TRIES):
        now = attempt(step)
        if not is_less(now) or (before is not start and now.loss >= before.loss):
            return _narrow(attempt, is_less, start, before, now)
        if abs(now.rise) <= -FLATTER * start.rise:
            return now.point
        if now.rise >= 0:
            return _narrow(attempt, is_less, start, now, before)
        if step >= _LONGEST:
            break
        longer = _find_least(before, now)
        step = min(max(longer, 1.1 * step), 10 * step) if np.isfinite(longer) and longer > step else 4 * step
        before = now
    return before.point if is_less(before) else None


def _narrow(
    attempt: Callable[[float], _Try], is_less: Callable[[_Try], bool], start: _Try, low: _Try, high: _Try
) -> Point | None:
    """Return a point between two tries, of which ``low`` is the lesser and slopes down towards the other."""
    for _ in range(_TRIES):
        width = high.step - low.step
        step = _find_least(low, high) if high.is_finite else np.nan
        if not np.isfinite(step) or not 0.05 <= (step - low.step) / width <= 0.95:
            step = low.step + 0.5 * width
        if step in (low.step, high.step):
            break
        now = attempt(step)
        if np.array_equal(now.point.x, low.point.x):  # nearer than the numbers of a parameter can be
            break
        if not is_less(now) or now.loss >= low.loss:
            high = now
            continue
        if abs(now.rise) <= -FLATTER * start.rise:
            return now.point
        if now.rise * width >= 0:
            high = low
        low = now
    return low.point if low is not start else None


def _find_least(a: _Try, b: _Try) -> float:
    """Return the step at which the cubic through two tries is least; NaN if it has no least one."""
    with np.errstate(all="ignore"):
        chord = a.rise + b.rise - 3 * (a.loss - b.loss) / (a.step - b.step)
        root = np.sign(b.step - a.step) * np.sqrt(np.float64(chord * chord - a.rise * b.rise))
        return float(b.step - (b.step - a.step) * (b.rise + root - chord) / (b.rise - a.rise + 2 * root))


__all__ = ["DECREASE", "FLATTER", "Point", "search"]
