"""Learning rates that change with the step: functions from the step, counted from 0, to a number.

An optimiser takes a number or such a function as its rate. Schedules hold no state: the optimiser counts the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from autograd_seq.core.errors import OperationError
from autograd_seq.core.hints import explain_keywords

Schedule = Callable[[int], float]


def get_rate(rate: float | Schedule, step: int) -> float:
    """Return the rate of a step, as a plain float.

    Args:
        rate: a number, or a function of the step.
        step: counted from 0.

    Raises:
        OperationError: it is no number, negative, or not finite.

    Example:
        >>> get_rate(0.1, 5), get_rate(lambda step: 1 / (1 + step), 3)
        (0.1, 0.25)
    """
    return check_number(f"the rate of step {step}", rate(step)) if callable(rate) else check_number("the rate", rate)


def check_number(what: str, value: Any, *, below: float = math.inf, positive: bool = False) -> float:
    """Return a number between 0 and ``below`` as a plain float, which leaves the dtype of arrays as it is.

    Args:
        what: the name of the number, for the error.
        below: the number must be less than this.
        positive: whether 0 is refused.

    Raises:
        OperationError: it is no such number.

    Example:
        >>> check_number("b1", 0.9, below=1)
        0.9
    """
    try:
        number = math.nan if isinstance(value, (str, bytes, bool)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number > 0 if positive else number >= 0) or not number < below:
        low = "0 <" if positive else "0 ≤"
        raise OperationError(
            "L106", f"{what} is out of range: {value!r:.60}", got=repr(value)[:80],
            expected=f"a number, {low} {what} < {below:g}" if below < math.inf else f"a finite number, {low} {what}",
        )  # fmt: skip
    return number


def constant(rate: float) -> Schedule:
    """The same rate at every step.

    Args:
        rate: ≥ 0.

    Returns:
        A function from the number of the step, from 0, to its rate.

    Raises:
        OperationError: a rate is negative, or not finite.

    Example:
        >>> constant(0.1)(1000)
        0.1
    """
    rate = check_number("rate", rate)
    return lambda step: rate


def exponential(rate: float, decay: float, every: float = 1) -> Schedule:
    """rate · decay^(step/every): smoothly ``decay`` times as large after ``every`` steps.

    Args:
        rate: at step 0.
        decay: the factor.
        every: steps, > 0.

    Returns:
        A function from the number of the step, from 0, to its rate.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> f = exponential(1.0, 0.25, every=10)
        >>> f(0), f(5), f(10)
        (1.0, 0.5, 0.25)
    """
    rate, decay, every = check_number("rate", rate), check_number("decay", decay), check_number("every", every, positive=True)
    return lambda step: rate * decay ** (step / every)


def step_decay(rate: float, decay: float, every: int) -> Schedule:
    """rate · decay^⌊step/every⌋: as :func:`exponential`, in stairs of ``every`` steps.

    Args:
        rate, decay, every: as for :func:`exponential`.

    Returns:
        A function from the number of the step, from 0, to its rate.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> f = step_decay(1.0, 0.5, every=10)
        >>> f(9), f(10), f(20)
        (1.0, 0.5, 0.25)
    """
    stair = int(check_number("every", every))
    smooth = exponential(rate, decay, stair)
    return lambda step: smooth(step // stair * stair)


def cosine(rate: float, steps: int, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Half a cosine from ``rate`` down to ``floor``, where it stays after ``steps``; before it, a linear rise.

    Args:
        rate: the largest.
        steps: at this step the floor is reached; > ``warmup``.
        warmup: steps of the rise: rate/warmup at step 0, the full rate at step ``warmup - 1`` and at ``warmup``.
        floor: the rate at the end.

    Returns:
        A function from the number of the step, from 0, to its rate.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> f = cosine(1.0, 10, warmup=2)
        >>> f(0), f(1), f(2), round(f(6), 3), f(10), f(99)
        (0.5, 1.0, 1.0, 0.5, 0.0, 0.0)

    Notes:
        Loshchilov & Hutter 2017, without restarts; the warm-up, Goyal et al. 2017.
    """
    rate, floor, warmup = check_number("rate", rate), check_number("floor", floor), int(check_number("warmup", warmup))
    falling = int(check_number("steps", steps)) - warmup
    check_number("steps - warmup", falling, positive=True)

    def at(step: int) -> float:
        if step < warmup:
            return rate * (step + 1) / warmup
        done = min((step - warmup) / falling, 1.0)
        return floor + (rate - floor) * (1 + math.cos(math.pi * done)) / 2

    return at


def linear_warmup(rate: float | Schedule, steps: int) -> Schedule:
    """A rate, or a schedule, times (step + 1)/steps during the first ``steps`` steps.

    Args:
        rate: a number or a function of the step, which sees the true step.
        steps: of the rise; 0 is none.

    Returns:
        A function from the number of the step, from 0, to its rate.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> f = linear_warmup(exponential(1.0, 0.5), 2)
        >>> f(0), f(1), f(2)
        (0.5, 0.5, 0.25)

    Notes:
        Goyal et al. 2017.
    """
    steps = int(check_number("steps", steps))
    if not callable(rate):
        rate = constant(rate)
    return lambda step: get_rate(rate, step) * min((step + 1) / max(steps, 1), 1.0)


__all__ = ["Schedule", "constant", "cosine", "exponential", "linear_warmup", "step_decay"]
explain_keywords(globals(), __all__)
