"""Statements on arrays with axes: the intermediate form between a schedule and a printed program.

Every value that a program stores is a :class:`StoredArray` over some axes, with rows before the first step and after the last
where shifts read them. A :class:`Procedure` is a tree of loops over steps whose leaves write one point of an array from an
:class:`Expression` of points of others. Nothing in it is text: printers (``autograd_seq.emit.plain``) write it, and
in tests a checker walks it, step by step, and sees that each read follows the write of what it reads. ``str(procedure)`` is a
stable text, one statement a line, for tests and for work on the lowering.

Why each point of an array is written once (2026-11): it can then be read anywhere after that, so that loops can be fused
whenever each read still follows its write, and a checker can verify this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.printing import operation

STEP, START, END, ALL, BEFORE = "step", "start", "end", "all", "before"


@dataclass(frozen=True)
class Place:
    """Where an array is read or written along one of its axes.

    Attributes:
        base: ``STEP``, the current step of the loop over ``axis``; ``START``, the first step; ``END``, the one after the last;
            ``ALL``, all steps; ``BEFORE``, all before the current one.
        axis: the axis whose steps are counted: mostly that of the array, another one in a read ``along`` that axis.
        by: added to the number of the step.
    """

    base: str
    axis: Axis
    by: int = 0

    def move(self, by: int) -> Place:
        """Return the place ``by`` steps later."""
        return Place(self.base, self.axis, self.by + by)

    def __str__(self) -> str:
        origin = {STEP: self.axis.name, ALL: "all", BEFORE: f"before {self.axis.name}"}.get(self.base)
        origin = origin or {START: "first", END: "end"}[self.base]
        return f"{origin} {'+' if self.by > 0 else '-'} {abs(self.by)}" if self.by else origin


@dataclass(eq=False)
class StoredArray:
    """An array that holds the values of a node.

    Attributes:
        name: its unique name in the program.
        axes: its first dimensions, outermost first, but for the axes of loops within which it is allocated; none if it is a
            variable that lives within one step of the enclosing loops.
        shape: of the value at one point.
        dtype: ``float``, ``int`` or ``bool``.
        label: its name in equations.
        over: the axes that the value varies over.
        halo: for an axis, the number of rows before the first step, and after the last.
        feed: whether the caller passes it.
    """

    name: str
    axes: tuple[Axis, ...]
    shape: tuple[int, ...]
    dtype: type
    label: str
    over: tuple[Axis, ...] = ()
    halo: dict[Axis, tuple[int, int]] = field(default_factory=dict)
    feed: bool = False

    def __str__(self) -> str:
        dims = [f"{lo} + {a.name} + {hi}" if (lo, hi) != (0, 0) else a.name for a in self.axes
                for lo, hi in [self.halo.get(a, (0, 0))]]  # fmt: skip
        lengths = [*dims, *map(str, self.shape)]
        return f"{self.name}[{', '.join(lengths)}]" if lengths else self.name


# -- expressions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Expression:
    """A value at one point.

    Attributes:
        shape, dtype: of the value.
    """

    shape: tuple[int, ...]
    dtype: type

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The operands: expressions that are computed for it."""
        return ()


@dataclass(frozen=True, eq=False)
class Read(Expression):
    """An array at one place along each of its axes; at all steps of the axes that a reduction runs over."""

    array: StoredArray
    places: tuple[Place, ...]

    @property
    def indices(self) -> list[tuple[Axis, Place]]:
        """The dimensions of the array and the places there: without the axes of loops within which it is allocated."""
        over = self.array.over or self.array.axes
        return [(a, p) for a, p in zip(over, self.places, strict=True) if a in self.array.axes]

    def __str__(self) -> str:
        return f"{self.array.name}[{', '.join(map(str, self.places))}]" if self.places else self.array.name


@dataclass(frozen=True, eq=False)
class Number(Expression):
    """A constant: a number or an array of numbers, which may have a name."""

    value: Any
    name: str | None = None

    def __str__(self) -> str:
        return np.array2string(np.asarray(self.value), threshold=4)


@dataclass(frozen=True, eq=False)
class StepNumber(Expression):
    """The number of a step."""

    place: Place

    def __str__(self) -> str:
        return f"step {self.place}"


@dataclass(frozen=True, eq=False)
class Length(Expression):
    """The number of steps of an axis."""

    axis: Axis

    def __str__(self) -> str:
        return f"length of {self.axis}"


@dataclass(frozen=True, eq=False)
class Apply(Expression):
    """An operation on values at one point.

    Attributes:
        node: the node that has the operation and its attributes.
        args: its operands.
        point: for random draws, the places whose step numbers identify the draw.
    """

    node: Node
    args: tuple[Expression, ...]
    point: tuple[Place, ...] = ()

    @property
    def parts(self) -> tuple[Expression, ...]:
        return self.args

    def __str__(self) -> str:
        return f"{operation(self.node)}({', '.join(map(str, [*self.args, *self.point]))})"


@dataclass(frozen=True, eq=False)
class Form(Expression):
    """An expression that equations show in another form than the one computed: ``nll(y, l)``, for example.

    Attributes:
        form: the name of the function shown.
        value: the expression computed.
        shown: the arguments of the function shown; they need not be computed anywhere.
    """

    form: str
    value: Expression
    shown: tuple[Expression, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        return (self.value,)

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, eq=False)
class IfLonger(Expression):
    """A value if an axis has more than ``steps`` steps, else zeros."""

    axis: Axis
    steps: int
    value: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        return (self.value,)

    def __str__(self) -> str:
        return f"({self.value} if {self.axis} > {self.steps} else 0)"


# -- statements -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Allocate:
    """Allocate an array of zeros, including the rows before and after its steps."""

    array: StoredArray


@dataclass(eq=False)
class Assign:
    """Write one point of an array; ``outside`` if it is a row before or after the steps."""

    target: Read
    value: Expression
    outside: bool = False


@dataclass(eq=False)
class Accumulate:
    """Add a value to one point of an array, at each step of the axes ``over`` which the sum runs.

    With ``index`` the point is the row that it names, among those that the target shows; if it has several entries, the value
    has a part for each. An entry of −1 names none.
    """

    target: Read
    value: Expression
    over: tuple[Axis, ...]
    index: Expression | None = None


@dataclass(eq=False)
class For:
    """Run the statements of a body at each step of an axis, forward (+1) or backward (−1).

    With ``goes_on``, a truth value, the loop is left after a step at which that is false everywhere.
    """

    axis: Axis
    direction: int
    body: list[Statement]
    goes_on: Read | None = None


Statement = Allocate | Assign | Accumulate | For


@dataclass(eq=False)
class Procedure:
    """A program as statements.

    Attributes:
        feeds: the arrays that the caller passes, by the name of the input or parameter.
        body: the statements.
        outputs: the values returned, in order.
        axes: all axes of the program.
    """

    feeds: Mapping[str, StoredArray]
    body: list[Statement]
    outputs: Sequence[Expression]
    axes: tuple[Axis, ...]

    def __str__(self) -> str:
        lines = [*(f"feed {a}" for a in self.feeds.values()), *_format_lines(self.body, 0)]
        return "\n".join([*lines, f"return {', '.join(map(str, self.outputs))}"])


def _format_lines(body: Sequence[Statement], depth: int) -> Iterator[str]:
    indent = "    " * depth
    for s in body:
        if isinstance(s, For):
            yield f"{indent}for {s.axis}{'' if s.direction > 0 else ' backward'}:"
            yield from _format_lines(s.body, depth + 1)
            if s.goes_on is not None:
                yield f"{indent}    leave unless {s.goes_on}"
        elif isinstance(s, Allocate):
            yield f"{indent}allocate {s.array}: {s.array.dtype.__name__}"
        else:
            at = f" at {s.index}" if isinstance(s, Accumulate) and s.index is not None else ""
            yield f"{indent}{s.target}{at} {'=' if isinstance(s, Assign) else '+='} {s.value}"


def list_expressions(s: Assign | Accumulate) -> list[Expression]:
    """Return the expressions that a statement computes: its value, and the index of the row that it is added to."""
    return [s.value, *([s.index] if isinstance(s, Accumulate) and s.index is not None else [])]


def walk_parts(*expressions: Expression) -> Iterator[Expression]:
    """Yield expressions, their operands, the operands of these, and so on."""
    stack = [*expressions][::-1]
    while stack:
        e = stack.pop()
        yield e
        stack += e.parts[::-1]
