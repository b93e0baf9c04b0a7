"""Arrays as they are named in emitted source: which axes are their dimensions, and how views of them are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autograd_seq.core.axes import Axis

WORK, RUN, STEP = 0, 1, 2
"""When an array exists: in the workspace, always; in a run, from some line on; within one step of a loop."""


@dataclass(frozen=True)
class Array:
    """An expression and what its dimensions mean: axes first, then those of one point's value.

    Attributes:
        code: the expression.
        axes: the axes that are dimensions, outermost first.
        shape: of one point's value.
        stage: ``WORK``, ``RUN`` or ``STEP``.
        whole: its entries are contiguous in memory, in order, but for rows before and after the first axis.
    """

    code: str
    axes: tuple[Axis, ...]
    shape: tuple[int, ...]
    stage: int
    whole: bool = True

    def as_view(self, code: str, **changes: object) -> Array:
        """Return a view of this array, written as ``code``."""
        return replace(self, code=code, **changes)  # type: ignore[arg-type]

    def write_index(self, parts: dict[int, str], rest: Sequence[str] = ()) -> str:
        """Return the code that indexes some dimensions by position; ``rest`` indexes those of the value.

        Example:
            >>> t, b = Axis("t"), Axis("b")
            >>> Array("x", (t, b), (3,), RUN).write_index({1: "0"})
            'x[:, 0]'
        """
        keys = [parts.get(i, ":") for i in range(len(self.axes))] + list(rest)
        while keys and keys[-1] == ":":
            keys.pop()
        if not keys:
            return self.code
        gone = sum(":" not in k and k != "None" and k != "..." for k in keys)
        if gone == len(self.axes) + len(self.shape):
            keys.append("...")  # an array, not a number, so that it can be written to
        return f"{self.code}[{', '.join(keys)}]"


def write_tuple(parts: Sequence[object]) -> str:
    """Return the source of a tuple of the given items.

    Example:
        >>> write_tuple(["T", 3])
        '(T, 3)'
    """
    return f"({', '.join(map(str, parts))}{',' if len(parts) == 1 else ''})"


def arrange(array: Array, want: Sequence[Axis | int | None], keep: Sequence[Axis]) -> str:
    """Return code for ``array`` with its dimensions in another order: axes, positions in the value, or None for a new one.

    The axes of loops in ``keep`` come first, in that order.
    """
    front = [a for a in keep if a in array.axes]
    k = len(array.axes)
    order = [array.axes.index(a) for a in front]
    order += [array.axes.index(x) if isinstance(x, Axis) else k + x for x in want if x is not None]
    code = array.code
    if order != sorted(order):
        code = f"{code}.T" if order == [1, 0] else f"{code}.transpose({', '.join(map(str, order))})"
    keys = [":"] * len(front) + ["None" if x is None else ":" for x in want]
    while keys and keys[-1] == ":":
        keys.pop()
    return f"{code}[{', '.join(keys)}]" if keys else code
