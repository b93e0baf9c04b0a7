"""Facts about an operation, which passes and printers read instead of comparing names of operations.

They are given where the operation is defined, beside its forward and its vjp. A fact that is left out is unknown, and what
would use it does without. Built-in operations give all of them, or ``ABSENT``; a test compares these with what they compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

TOGETHER, EACH = "together", "each"
"""An operation is linear in all operands together, as a sum is, or in each if the others are as they are, as a product is."""

FINITE, KEPT, ANY = "finite", "kept", "any"
"""Results of finite operands: finite numbers; none of larger magnitude than the largest of an operand; or infinities too."""

ABSENT = False
"""The value of a fact where the operation has no such thing: no native expression, say."""

ONE, MINUS_ONE, SMALLEST = "ONE", "MINUS_ONE", "SMALLEST"
"""Numbers of the program's width in NumPy calls, made once: NumPy takes longer to convert a Python number than to add it."""

WHOLE, STEPS, POINTS, ENTRIES, ADJACENT = "whole", "steps", "points", "entries", "adjacent"
"""What a view shows: the array as it is; other steps of it; some of its points; entries elsewhere in the value; or the same
entries in another shape, where they lie next to each other."""

Calls = Sequence[str] | Callable[[Any], Sequence[str]]  # given the node
Native = str | bool | Callable[[Any], str | None]  # given the node


@dataclass(kw_only=True, eq=False)
class Facts:
    """What is known of an operation beyond its rules; keywords of :func:`defop`.

    Attributes:
        pointwise: whether each entry is computed from one entry of each operand, as NumPy broadcasts them; by default, if it
            broadcasts or has a native expression.
        ufunc: NumPy's universal function of the same values, by default the forward if it is one: programs let it write into
            arrays. Of a reduction, the one whose ``reduce`` it is.
        numpy: NumPy calls that do the same, one a line, with ``{0}``, ``{1}`` … for the operands and ``{out}`` for the array
            that is written to; or a function from the node to them.
        rereads: whether the calls read an operand after the first has written, so that no operand may be written over.
        native: the expression of one entry, as Python that Numba compiles: ``np.cosh({0})``, with ``real`` for the program's
            width, ``{zero}`` for a 0, and ``np`` and ``math``; operands come as floats where the result is one. Or a function
            from the node to it, which may return ``None``; ``True`` for what native code does otherwise than entry by entry;
            ``ABSENT`` if it cannot: the operation, and a loop that contains it, runs in NumPy.
        flops: floating-point operations for each entry read or written, whichever are more.
        scratch: how many arrays as large as the operand a call of the forward makes on its way.
        linear: the operands in which it is linear together, the others being as they are: ``(0,)`` for a quotient; ``TOGETHER``
            for all of them, ``EACH`` if it is linear in each alone; ``()`` in none.
        range: the least and the largest result that there can be, or ``FINITE``, ``KEPT`` or ``ANY`` for finite operands.
        zero_safe: whether the vjp makes zeros of a cotangent of 0 where operands are infinite or NaN; what is linear in all
            operands together does anyway.
        chooses: whether the vjp gives operands a cotangent of exactly 0 where they are not chosen.
        view: how it shows the array of its first operand, if it computes nothing.
        reduces: which reduction it is: sum, max, logsumexp, level, softmax, log_softmax.
        empty: the result of a reduction of no entries.
        infix: the operator that is written between two operands, or a function from attributes to it.
        prefix: the operator that is written in front of one.
    """

    pointwise: bool | None = None
    ufunc: Any = None
    numpy: Calls | None = None
    rereads: bool = False
    native: Native | None = None
    flops: int = 1
    scratch: int = 0
    linear: str | tuple[int, ...] | None = None
    range: str | tuple[float, float] | None = None
    zero_safe: bool = False
    chooses: bool = False
    view: str | None = None
    reduces: str | None = None
    empty: float | None = None
    infix: str | Callable[..., str | None] | None = None
    prefix: str | None = None

    def linear_in(self, chosen: Sequence[bool]) -> bool:
        """Tell whether it is linear in the chosen operands together, the others being as they are.

        Example:
            >>> from autograd_seq.ops.elementwise import add, div, mul
            >>> add.linear_in([True, True]), mul.linear_in([True, True]), mul.linear_in([True, False])
            (True, False, True)
            >>> add.linear_in([True, False]), add.affine_in([True, False]), div.affine_in([False, True])
            (False, True, False)
        """
        if self.linear == EACH:
            return sum(chosen) == 1
        return self.affine_in(chosen) and sum(chosen) == (len(chosen) if self.linear == TOGETHER else len(self.linear or ()))

    def affine_in(self, chosen: Sequence[bool]) -> bool:
        """Tell whether it is linear in the chosen operands but for a term that depends on the others."""
        if self.linear == EACH:
            return sum(chosen) == 1
        group = self.linear or ()
        return any(chosen) and (group == TOGETHER or all(i in group for i, c in enumerate(chosen) if c))

    @property
    def is_finite(self) -> bool:
        """Whether finite operands give finite results."""
        return self.range is not None and self.range != ANY

    @property
    def is_bounded(self) -> bool:
        """Whether results lie between two numbers, whatever the operands are."""
        return isinstance(self.range, tuple)

    @property
    def is_unit(self) -> bool:
        """Whether results lie between −1 and 1."""
        return isinstance(self.range, tuple) and self.range[0] >= -1 and self.range[1] <= 1


def is_universal(ufunc: Any) -> bool:
    """Tell whether programs can name a function as NumPy's own: a ufunc of floats with one result, of its main module."""
    known = isinstance(ufunc, np.ufunc) and ufunc.nout == 1 and getattr(np, ufunc.__name__, None) is ufunc
    return known and any(kinds.startswith("f" * ufunc.nin + "->") for kinds in ufunc.types)


__all__ = [
    "ABSENT", "ADJACENT", "ANY", "EACH", "ENTRIES", "FINITE", "KEPT", "MINUS_ONE", "ONE", "POINTS", "SMALLEST", "STEPS",
    "TOGETHER", "WHOLE", "Calls", "Facts", "Native", "is_universal",
]  # fmt: skip
