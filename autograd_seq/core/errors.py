"""The exceptions of autograd_seq: each holds its data, and builds its message from them.

Every message has one form: *what* is wrong · *where* (the node and the user's own line) · *expected / got* ·
*how to fix it*. The data stay on the exception (``.code``, ``.node``, ``.where``, ``.expected``, ``.got``, ``.fix``),
so that a program can act on an error without reading its words.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from autograd_seq.core.names import make_printable


class AutogradSeqError(Exception):
    """The base of all errors raised by autograd_seq and viz.

    Args:
        code: a short stable identifier, e.g. ``"G101"``.
        what: one sentence that states the fault.
        node: the name of the node concerned, if any.
        where: the user's own line, ``"model.py:12"``, if known.
        expected, got: what was required, and what was given.
        fix: how to correct it; several texts are several lines.
        detail: a line printed between the sentence and the rest (a cycle's path, say).

    Example:
        >>> print(AutogradSeqError("X1", "x is odd", where="m.py:3", expected="an even x", got="3", fix="add one"))
        AutogradSeqError [X1]: x is odd      (m.py:3)
          expected an even x, got 3
          add one
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        node: str | None = None,
        where: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        fix: str | Sequence[str] | None = None,
        detail: str | None = None,
    ) -> None:
        self.code, self.what, self.node, self.where = code, what, node, where
        ways = [fix] if isinstance(fix, str) else fix or []
        self.expected, self.got, self.fix, self.detail = expected, got, "\n".join(ways) or None, detail
        place = f"      ({where})" if where else ""
        lines = [f"{type(self).__name__} [{code}]: {what}{place}"]
        if detail:
            lines.append(detail)
        if expected is not None or got is not None:
            lines.append(", ".join(p for p in (expected and f"expected {expected}", got and f"got {got}") if p))
        # names and paths are data: a terminal must not obey them
        super().__init__("\n  ".join(map(make_printable, [*lines, *ways])))

    def __reduce__(self) -> Any:
        """Pickle an error with its message and its data, so that it reaches another process whole."""
        return _rebuild_error, (type(self), *self.args), self.__dict__


def _rebuild_error(kind: type[AutogradSeqError], *words: str) -> AutogradSeqError:
    error: AutogradSeqError = kind.__new__(kind, *words)
    return error


class GraphError(AutogradSeqError):
    """The equations do not define a graph that can be computed."""


class CycleError(GraphError):
    """A value depends on itself within one step, or on steps in both directions at once."""


class StateError(GraphError):
    """A state is defined twice or never, or its initial rows do not fit."""


class NameClashError(GraphError):
    """Two nodes, or two axes, of one graph carry the same name."""


class AxisError(AutogradSeqError, IndexError):
    """An axis is used where the value does not vary over it, or a step lies outside of it."""


class ShapeError(AutogradSeqError, ValueError):
    """The shapes of values do not fit the operation."""


class DTypeError(AutogradSeqError, TypeError):
    """The kind of a value (float, int or bool) does not fit."""


class ValueKnownError(AutogradSeqError, TypeError):
    """A node has no value yet, or is given one although it computes its own."""


class FeedError(AutogradSeqError, ValueError):
    """A feed is missing, unknown, or of the wrong shape, kind or length."""


class CarryError(AutogradSeqError, ValueError):
    """A graph cannot be continued from call to call, or a carry does not fit the call."""


class GradientError(AutogradSeqError, ValueError):
    """The derivative asked for does not exist."""


class GradientCheckError(GradientError, AssertionError):
    """A derivative differs from the numerical one."""


class MissingError(AutogradSeqError, AttributeError):
    """The package, or a value, has no attribute of that name."""


class OperationError(AutogradSeqError, ValueError):
    """An operation is defined or called wrongly."""


class PictureError(AutogradSeqError, ImportError):
    """The package that draws is missing, or hidden by another module of its name."""


class MemoryNeededError(AutogradSeqError, MemoryError):
    """A call needs more memory than there is; nothing has been allocated."""


class EquilibriumError(AutogradSeqError, ArithmeticError):
    """An equilibrium has not settled within the largest number of iterations.

    Attributes:
        residual: how far the last iteration still moved, |f(z) − z|.
        contraction: by what factor it moved less than the one before; 1 or more where the iteration does not converge.
        point: where, by the name of each axis.
    """

    residual: float
    contraction: float
    point: dict[str, int]


class DataError(AutogradSeqError, ValueError):
    """A data file is damaged, or data is not of the kind that a method needs."""


class LoadError(AutogradSeqError, ValueError):
    """A saved file is damaged, is no such file, or belongs to something else."""


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a suggestion: the known name closest to ``name``, or all known names.

    Example:
        >>> did_you_mean("lenght", ["length", "width"])
        'did you mean "length"?'
    """
    known = sorted(known)
    folded = {other.casefold(): other for other in reversed(known)}  # X is close to x
    close = difflib.get_close_matches(name, known, n=1)
    close = close or [folded[other] for other in difflib.get_close_matches(name.casefold(), folded, n=1)]
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known names: {', '.join(known)}" if known else None
