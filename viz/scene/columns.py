"""Which steps an unfolded picture shows, in which columns and under which names."""

from __future__ import annotations

from dataclasses import dataclass

from viz.errors import DrawError, TooLargeError

# Nobody reads more columns than MOST_COLUMNS; sequences of up to SHOWN_WHOLE steps are drawn whole.
SHOWN_WHOLE = 6
MOST_COLUMNS = 40
_FIRST, _LAST = 3, 2


@dataclass(frozen=True)
class Column:
    """One column: its place from left to right, its step (None for the steps left out), and its index as text."""

    place: int
    step: int | None
    index: str


@dataclass(frozen=True)
class Columns:
    """The columns of a picture, and the places of steps that have no column of their own.

    Attributes:
        columns: from left to right; places count from 0.
        length: number of steps; None if the sequence goes on at both ends.
    """

    columns: tuple[Column, ...]
    length: int | None

    def is_dotted(self, place: int) -> bool:
        """Tell whether a place is that of the dots, which stand for the steps left out."""
        return 0 <= place < len(self.columns) and self.columns[place].step is None

    def place(self, step: int) -> int:
        """Return the place of a step: its column, that of the dots, or one outside for steps before or after the sequence."""
        shown = [(column.step, column.place) for column in self.columns if column.step is not None]
        for known, place in shown:
            if known == step:
                return place
        if self.length is None:
            return self.columns[0].place if not shown or step < shown[0][0] else self.columns[-1].place
        if step < 0:
            return step
        if step >= self.length:
            return len(self.columns) + step - self.length
        return next(column.place for column in self.columns if column.step is None)


def format_integer(value: int) -> str:
    """Return an integer with a true minus sign.

    Example:
        >>> format_integer(-1)
        '−1'
    """
    return str(value).replace("-", "−")


def show_all_steps(t: int, steps: tuple[int, int] | None = None, axis: str = "t") -> Columns:
    """Return the columns of a sequence of t steps: all of a short one, the first and the last of a long one.

    Args:
        t: number of steps.
        steps: how many to show at the start and at the end; by default three and two of more than six.
        axis: its name, for errors.

    Raises:
        DrawError: t or steps is no count.
        TooLargeError: more columns than fit into a picture.

    Example:
        >>> [column.index for column in show_all_steps(9).columns]
        ['0', '1', '2', '⋯', '7', '8']
        >>> show_all_steps(9).place(5), show_all_steps(9).place(-1), show_all_steps(9).place(9)
        (3, -1, 6)
    """
    check_steps(axis, t)
    if steps is None:
        first, last = (t, 0) if t <= SHOWN_WHOLE else (_FIRST, _LAST)
    else:
        if not (isinstance(steps, tuple) and len(steps) == 2):
            raise DrawError("P202", f"steps={steps!r:.60} is not a pair of counts, of steps at the start and at the end",
                            expected="a pair of counts, such as (3, 2)", got=f"{steps!r:.60}")  # fmt: skip
        first, last = (check_steps("steps", count) for count in steps)
    if first + last >= t:
        first, last = t, 0
    if first + last > MOST_COLUMNS:
        raise _make_too_many_error(first + last, "a smaller t=, or steps=(3, 2)")
    shown: list[tuple[int | None, str]] = [(step, str(step)) for step in range(first)]
    if first + last < t:
        shown.append((None, "⋯"))
    shown += [(step, str(step)) for step in range(t - last, t)]
    return Columns(tuple(Column(place, step, index) for place, (step, index) in enumerate(shown)), t)


def show_middle_steps(t: int, axis: str) -> Columns:
    """Return t steps out of the middle of a sequence, named after the axis, with dots at both ends.

    Example:
        >>> [column.index for column in show_middle_steps(3, "t").columns]
        ['⋯', 't−1', 't', 't+1', '⋯']
    """
    check_steps("t", t)
    if t > MOST_COLUMNS:
        raise _make_too_many_error(t, "a smaller t=")
    here = (t - 1) // 2
    names = [axis + (f"{'+' if step > here else '−'}{abs(step - here)}" if step != here else "") for step in range(t)]
    inner = tuple(Column(step + 1, step, name) for step, name in enumerate(names))
    return Columns((Column(0, None, "⋯"), *inner, Column(t + 1, None, "⋯")), None)


def _make_too_many_error(columns: int, fix: str) -> TooLargeError:
    return TooLargeError(
        "P203",
        f"{columns} columns are too many for one picture",
        expected=f"at most {MOST_COLUMNS} columns",
        got=f"{columns}",
        fix=fix,
    )


def check_steps(option: str, value: object, least: int = 0) -> int:
    """Return the value, if it is a number of steps.

    Raises:
        DrawError: it is less than the least, or no integer.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise DrawError("P201", f"{option}={value!r:.60} is not a number of steps", expected=f"an integer, {least} or more",
                        got=f"{value!r:.60}")  # fmt: skip
    return value.__index__()
