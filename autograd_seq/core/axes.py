"""Axes and the places on them: ``t = Axis("t")``, and ``t - 1`` is the step before."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, NoReturn, cast
from uuid import uuid4
from weakref import WeakValueDictionary

from autograd_seq.core.errors import AxisError
from autograd_seq.core.kinds import as_count
from autograd_seq.core.names import make_printable


class _Place:
    """The arithmetic that an axis and a step relative to it share: it makes places that are computed from axes."""

    __slots__ = ()

    def __mul__(self, times: int) -> Affine:
        return Affine(cast(Axis, self)) * times

    def __floordiv__(self, by: int) -> Affine:
        return Affine(cast(Axis, self)) // by

    def __radd__(self, steps: Any) -> Any:
        return self + steps

    def __rsub__(self, steps: int) -> Affine:
        return self * -1 + steps

    __rmul__ = __mul__


class Axis(_Place):
    """An axis that values can vary over: time, say. Its length comes with the data, unless it is declared.

    Args:
        name: of the axis, by which lengths are given.
        size: its length, if that belongs to the model and not to the data: of heads, layers, experts.

    Two axes are the same only if they are the same object; within a graph their names must differ. A copied or unpickled value
    varies over the same axis as the original, also when it comes back from another process.

    Example:
        >>> t = Axis("t")
        >>> t - 1, t, t + 2
        (t - 1, t, t + 2)
    """

    __slots__ = ("__weakref__", "_mark", "name", "size")

    def __init__(self, name: str, *, size: int | None = None) -> None:
        self._mark: str | None = None
        if not isinstance(name, str) or not name:
            raise AxisError(
                "A101", f"an axis cannot be named {name!r}", expected="a non-empty string", got=repr(name), fix='ag.Axis("t")'
            )
        self.name, self.size = name, as_count(size, 0)
        if self.size is None and size is not None:
            raise AxisError("A114", f"the axis {name} cannot have size={size!r:.60}", expected="an integer ≥ 0, or None",
                            got=repr(size)[:80])  # fmt: skip

    def __add__(self, steps: Any) -> Any:
        return Index(self) + steps

    def __sub__(self, steps: Any) -> Any:
        return Index(self) - steps

    def _refuse_arithmetic(self, other: object) -> NoReturn:
        """Refuse arithmetic that makes no place on an axis."""
        raise _make_arithmetic_error(self, other)

    __truediv__ = __mod__ = __pow__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse_arithmetic

    def __neg__(self) -> NoReturn:
        self._refuse_arithmetic("-")

    def __copy__(self) -> Axis:
        return self

    def __deepcopy__(self, memo: Any) -> Axis:
        return self

    def __reduce__(self) -> Any:
        if self._mark is None:
            self._mark = uuid4().hex
        MARKED[self._mark] = self
        return _get_marked, (self.name, self._mark, self.size)

    def __repr__(self) -> str:
        return make_printable(self.name)


class Iteration(Axis):
    """The steps of an iteration, of which only the newest is ever read: what varies over them is kept for one step."""

    __slots__ = ()


MARKED: WeakValueDictionary[str, Axis] = WeakValueDictionary()


def _get_marked(name: str, mark: str, size: int | None = None) -> Axis:
    """Return the axis of a mark: the same object for every copy in this process."""
    axis = MARKED.get(mark)
    if axis is None:
        axis = Axis(name, size=size)
        axis._mark, MARKED[mark] = mark, axis
    return axis


class Index(_Place):
    """A place on an axis relative to the current step: ``t - 1`` has axis ``t`` and offset ``-1``.

    Attributes:
        axis: the axis.
        offset: the steps after the current one; negative before it.

    Example:
        >>> (Axis("t") - 1).offset
        -1
    """

    __slots__ = ("axis", "offset")

    def __init__(self, axis: Axis, offset: int = 0) -> None:
        self.axis, self.offset = axis, offset

    def __add__(self, steps: Any) -> Any:
        if isinstance(steps, (Axis, Index, Affine)):
            return Affine(self) + steps
        return Index(self.axis, self.offset + _check_whole_steps(self.axis, steps))

    def __sub__(self, steps: Any) -> Any:
        if isinstance(steps, (Axis, Index, Affine)):
            return Affine(self) - steps
        return Index(self.axis, self.offset - _check_whole_steps(self.axis, steps))

    def _refuse_arithmetic(self, other: object) -> NoReturn:
        raise _make_arithmetic_error(self.axis, other)

    __truediv__ = __mod__ = __pow__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse_arithmetic

    def __neg__(self) -> NoReturn:
        self._refuse_arithmetic("-")

    def __repr__(self) -> str:
        if self.offset == 0:
            return repr(self.axis)
        return f"{self.axis} {'-' if self.offset < 0 else '+'} {abs(self.offset)}"


class Affine:
    """A place on an axis that is computed from places on others: ``2 * u + 1``, ``u // 2``, ``2 * u + k``.

    Attributes:
        terms: axes and what they are multiplied by.
        plus: what is added to them.
        by: what the sum is divided by; the quotient is rounded down.
    """

    __slots__ = ("by", "plus", "terms")

    def __init__(self, place: Axis | Index) -> None:
        place = place if isinstance(place, Index) else Index(place)
        self.terms: dict[Axis, int] = {place.axis: 1}
        self.plus, self.by = place.offset, 1

    def _make(self, terms: dict[Axis, int], plus: int, by: int) -> Affine:
        made = Affine.__new__(Affine)
        made.terms, made.plus, made.by = terms, plus, by
        return made

    def _check_whole(self, other: object) -> int:
        return _check_whole_steps(next(iter(self.terms)), other)

    def __add__(self, other: Any) -> Affine:
        if not isinstance(other, (Axis, Index, Affine)):
            return self._make(self.terms, self.plus + self.by * self._check_whole(other), self.by)
        other = other if isinstance(other, Affine) else Affine(other)
        if other.by != 1 and self.by != 1:
            self._refuse_arithmetic(other)
        quotient, whole = (self, other) if self.by != 1 else (other, self)
        terms = {
            a: quotient.terms.get(a, 0) + quotient.by * whole.terms.get(a, 0)
            for a in dict.fromkeys([*self.terms, *other.terms])
        }
        return self._make(terms, quotient.plus + quotient.by * whole.plus, quotient.by)

    def __sub__(self, other: Any) -> Affine:
        if not isinstance(other, (Axis, Index, Affine)):
            return self + -self._check_whole(other)
        return self + (other if isinstance(other, Affine) else Affine(other)) * -1

    def __mul__(self, times: int) -> Affine:
        if self.by != 1:
            self._refuse_arithmetic(times)
        times = self._check_whole(times)
        return self._make({a: n * times for a, n in self.terms.items()}, self.plus * times, 1)

    def __floordiv__(self, by: int) -> Affine:
        by = self._check_whole(by)
        if by < 1:
            self._refuse_arithmetic(by)
        return self._make(self.terms, self.plus, self.by * by)

    def __rsub__(self, steps: int) -> Affine:
        return self * -1 + steps

    __radd__, __rmul__ = __add__, __mul__

    def _refuse_arithmetic(self, other: object) -> NoReturn:
        raise _make_arithmetic_error(next(iter(self.terms)), other)

    __truediv__ = __mod__ = __pow__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse_arithmetic

    def count_fitting(self, n: int) -> tuple[Axis, int] | None:
        """Return the only axis, and how many of its steps name one of n steps, if places grow with it from 0 on or later."""
        if len(self.terms) != 1 or self.plus < 0:
            return None
        ((axis, times),) = self.terms.items()
        # the first step out of range: times·u + plus ≥ n·by
        return (axis, max(0, -((self.plus - n * self.by) // times))) if times > 0 else None

    def __repr__(self) -> str:
        parts = [(n, str(a) if abs(n) == 1 else f"{abs(n)} * {a}") for a, n in self.terms.items()]
        parts += [(self.plus, str(abs(self.plus)))] if self.plus else []
        text = "".join(f" {'-' if n < 0 else '+'} {part}" for n, part in parts).removeprefix(" + ").lstrip()
        return text if self.by == 1 else f"({text}) // {self.by}" if len(parts) > 1 or " " in text else f"{text} // {self.by}"


def _make_arithmetic_error(axis: Axis, other: object) -> AxisError:
    return AxisError(
        "A111", f"{axis.name} is an axis, not a number: only an integer can be added or subtracted",
        expected=f"{axis.name} - 1, {axis.name} + 2",
        got=f"arithmetic with {other!r}",
        fix=f"ag.index({axis.name}) is the step number as a value; x.along(t, 2 * {axis.name} + 1) reads every other step of "
        "t; ag.state(…, every=2) is a slower clock",
    )  # fmt: skip


def _check_whole_steps(axis: Axis, steps: object) -> int:
    if not isinstance(steps, bool):
        try:
            return operator.index(steps)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise AxisError(
        "A102", f"{axis.name} is shifted by {steps!r:.60}, which is not an integer", expected="an integer", got=repr(steps),
        fix=f"write {axis.name} - 1, or gather with take(…) if the delay is a value",
    )  # fmt: skip


def as_axes(over: Axis | Iterable[Axis] | None, keyword: str = "over") -> tuple[Axis, ...]:
    """Return the argument of ``keyword`` as a tuple of distinct axes; ``None`` and ``()`` are no axis."""
    if over is None:
        return ()
    several: Any = over
    axes = tuple(several) if isinstance(several, Iterable) and not isinstance(several, str) else (several,)
    for axis in axes:
        if not isinstance(axis, Axis):
            raise AxisError(
                "A103", f"{keyword}= is given {axis!r:.60}, which is not an axis", expected="an ag.Axis, or several",
                got=repr(axis), fix='t = ag.Axis("t")',
            )  # fmt: skip
    if len(set(axes)) != len(axes):
        twice = max(axes, key=axes.count)
        raise AxisError("A104", f"{keyword}= names {twice} twice", got=repr(axes), fix="name each axis once")
    return axes


def union(*axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Return all axes in the order in which they first appear."""
    first = axes[0] if axes else ()
    if all([other is first or other == first or not other for other in axes]):
        return first
    return tuple(dict.fromkeys(a for some in axes for a in some))
