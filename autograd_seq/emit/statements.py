"""Statements on arrays with axes: what a schedule becomes before a printer writes it in a language.

Every value that a program keeps is an :class:`Array` over some axes, with rows before the first step and behind the last one
where shifts read them. A :class:`Procedure` is a tree of loops over steps whose leaves write one point of an array from an
:class:`Expression` of points of others. Nothing in it is text: printers (``autograd_seq.emit.plain``) write it, and
``autograd_seq.emit.statement_checks`` tells whether each read follows the write of what it reads. ``str(procedure)`` is a
stable text, one statement a line, for tests and for whoever changes the lowering.

Why arrays are written once (2026-11): a point that is written once can be read from anywhere behind, so that a loop may hold
any statements whose reads it does not break, and a checker can say that it holds them rightly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.printing import operation

STEP, START, END, ALL = "step", "start", "end", "all"


@dataclass(frozen=True)
class Place:
    """Where an array is read or written along one of its axes.

    Attributes:
        base: ``STEP``, the step at which the loop over ``axis`` is; ``START``, the first one; ``END``, the one behind the last;
            ``ALL``, all of them.
        axis: the axis whose steps are meant: mostly that of the array, another one where it is read along that.
        by: so many steps later.
    """

    base: str
    axis: Axis
    by: int = 0

    def move_later(self, by: int) -> Place:
        """Return the place so many steps later."""
        return Place(self.base, self.axis, self.by + by)

    def __str__(self) -> str:
        origin = {STEP: self.axis.name, START: "first", END: "end", ALL: "all"}[self.base]
        return f"{origin} {'+' if self.by > 0 else '-'} {abs(self.by)}" if self.by else origin


@dataclass(eq=False)
class StoredArray:
    """What holds the values of a node.

    Attributes:
        name: in the program, unique.
        axes: its first dimensions, outermost first; none of a variable that lives within one step of the loops around.
        shape: of the value at one point.
        dtype: ``float``, ``int`` or ``bool``.
        label: how equations call it.
        over: the axes that the value varies over, in equations; ``axes``, but for such a variable.
        halo: how many rows lie before the first step of an axis, and behind the last.
        feed: whether the caller gives it.
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
        """The expressions that are computed for it."""
        return ()


@dataclass(frozen=True, eq=False)
class Read(Expression):
    """An array at a place of each of its axes; at all steps of those that a reduction goes over."""

    array: StoredArray
    places: tuple[Place, ...]

    def __str__(self) -> str:
        return f"{self.array.name}[{', '.join(map(str, self.places))}]" if self.places else self.array.name


@dataclass(frozen=True, eq=False)
class Number(Expression):
    """A value that is known: a number, or an array of them, which may have a name."""

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
        node: whose operation it is, with its attributes.
        args: its operands.
        point: of draws, the places that number them.
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
    """What equations show in another form than it is computed in: ``nll(y, l)``, say.

    Attributes:
        form: what it is called.
        value: what is computed.
        shown: what the form is of; it may be computed nowhere.
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
    """Make an array of zeros, rows before and behind the steps included."""

    array: StoredArray


@dataclass(eq=False)
class Assign:
    """Write one point of an array; ``outside`` says that it is a row before or behind the steps."""

    target: Read
    value: Expression
    outside: bool = False


@dataclass(eq=False)
class Accumulate:
    """Add a value to one point of an array, at each step of the axes ``over`` which is summed."""

    target: Read
    value: Expression
    over: tuple[Axis, ...]


@dataclass(eq=False)
class For:
    """Do the statements of a body at each step of an axis, forward (+1) or backward (−1)."""

    axis: Axis
    direction: int
    body: list[Statement]


Statement = Allocate | Assign | Accumulate | For


@dataclass(eq=False)
class Procedure:
    """A program as statements.

    Attributes:
        feeds: the arrays that the caller gives, by the name of what is fed.
        body: what is done.
        outputs: what is returned, in order.
        axes: all axes.
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
        elif isinstance(s, Allocate):
            yield f"{indent}allocate {s.array}: {s.array.dtype.__name__}"
        else:
            yield f"{indent}{s.target} {'=' if isinstance(s, Assign) else '+='} {s.value}"


def walk_parts(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all that are computed for it."""
    stack = [expression]
    while stack:
        e = stack.pop()
        yield e
        stack += e.parts[::-1]
