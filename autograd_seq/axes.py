"""Axes and the places on them: ``t = Axis("t")``, and ``t - 1`` is the step before."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from autograd_seq.errors import AxisError
from autograd_seq.names import shown


class Axis:
    """An axis that values can vary over: time, say. Its length comes with the data.

    Two axes are the same only if they are the same object; within a graph their names must differ.

    Example:
        >>> t = Axis("t")
        >>> t - 1, t, t + 2
        (t - 1, t, t + 2)
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise AxisError(
                "A101", "an axis needs a name", expected="a non-empty string", got=repr(name), fix='ag.Axis("t")'
            )
        self.name = name

    def __add__(self, steps: int) -> Index:
        return Index(self, _steps(self, steps))

    __radd__ = __add__

    def __sub__(self, steps: int) -> Index:
        return Index(self, -_steps(self, steps))

    def __repr__(self) -> str:
        return shown(self.name)


class Index:
    """A place on an axis relative to the current step: ``t - 1`` has axis ``t`` and offset ``-1``."""

    __slots__ = ("axis", "offset")

    def __init__(self, axis: Axis, offset: int = 0) -> None:
        self.axis, self.offset = axis, offset

    def __add__(self, steps: int) -> Index:
        return Index(self.axis, self.offset + _steps(self.axis, steps))

    __radd__ = __add__

    def __sub__(self, steps: int) -> Index:
        return Index(self.axis, self.offset - _steps(self.axis, steps))

    def __repr__(self) -> str:
        if self.offset == 0:
            return repr(self.axis)
        return f"{self.axis} {'-' if self.offset < 0 else '+'} {abs(self.offset)}"


def _steps(axis: Axis, steps: object) -> int:
    if not isinstance(steps, bool):
        try:
            return operator.index(steps)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise AxisError(
        "A102",
        f"{axis.name} can be shifted by whole steps only",
        expected="an integer",
        got=repr(steps),
        fix=f"write {axis.name} - 1, or gather with take(…) if the delay is a value",
    )


def as_axes(over: Axis | Iterable[Axis] | None) -> tuple[Axis, ...]:
    """Return ``over`` as a tuple of distinct axes; ``None`` and ``()`` mean no axis."""
    if over is None:
        return ()
    several: Any = over
    axes = tuple(several) if isinstance(several, Iterable) and not isinstance(several, str) else (several,)
    for axis in axes:
        if not isinstance(axis, Axis):
            raise AxisError(
                "A103", "over= takes axes", expected="an ag.Axis, or several", got=repr(axis), fix='t = ag.Axis("t")'
            )
    if len(set(axes)) != len(axes):
        raise AxisError("A104", "over= names an axis twice", got=repr(axes), fix="name each axis once")
    return axes
