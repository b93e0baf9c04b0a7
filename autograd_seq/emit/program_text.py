"""Pieces of the text of a program: its loops and literals, and what it imports from NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.op import OPS
from autograd_seq.emit.numpy.arrays import tuple_code
from autograd_seq.plan.schedule import Loop

NUMPY = {
    "arange", "array", "ascontiguousarray", "broadcast_to", "concatenate", "copyto", "einsum", "empty", "fromiter", "full",
    "logaddexp", "matmul", "negative", "reciprocal", "square", "zeros", *(op.ufunc.__name__ for op in OPS.values() if op.ufunc),
}  # fmt: skip
"""What programs import from NumPy by name, beside what the calls of a user's own operations name."""
PROGRAM = "\ndef program("
"""What the last function of a source begins with: the program. Nothing that is a name stands at the beginning of a line."""


@dataclass(eq=False)
class Frame:
    """A loop that is being written: what it runs over, a name for all of that together if it has one, and its lines.

    Attributes:
        over: the name at a step, and what it is taken from, by the code of the array.
        fixed: what of that can be listed once for all calls.
    """

    loop: Loop
    over: dict[str, tuple[str, str]] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    lines: list[Any] = field(default_factory=list)
    count: str = ""
    steps: str = ""


@dataclass(frozen=True)
class Emitted:
    """What was written.

    Attributes:
        source: the program.
        feeds: the names of the arguments of ``run``, by the name of what is fed.
        sizes: the arguments of ``program``, by axis.
        constants: arrays that are too long to be written out, by name.
        foreign: functions that the source cannot contain, by name.
        outputs: for each output, the axes of the array returned.
        buffers: the shape and the width of each array that a workspace holds, as they are written in the source; of lists of
            rows, how many there are, and the bytes of each.
        made: the same of each array that a call makes by name, and of each copy that it returns.
        asked: of a plain program, the axes whose lengths it takes behind the feeds, which do not tell them.
    """

    source: str
    feeds: dict[str, str]
    sizes: dict[Axis, str]
    constants: dict[str, np.ndarray]
    foreign: dict[str, Any]
    outputs: tuple[tuple[Axis, ...], ...]
    buffers: tuple[tuple[str, str], ...] = ()
    made: tuple[tuple[str, str], ...] = ()
    asked: tuple[Axis, ...] = ()


def literal(value: np.ndarray) -> str:
    """Return an array's numbers as source."""
    text = repr(value.tolist())
    return text.replace("nan", "np.nan").replace("inf", "np.inf")


def number_name(value: np.ndarray) -> str:
    """Return what a number is to be called."""
    known = {0.0: "zero", 0.5: "half", 1.0: "one", 2.0: "two", -1.0: "minus_one"}
    number = value.item()
    if isinstance(number, bool):
        return "true" if number else "false"
    text = f"{number:.6g}".replace(".", "_").replace("-", "minus_").replace("+", "")
    return known.get(float(number), f"number_{text}")


def attribute(value: Any, held: Callable[[Any], str]) -> str:
    """Return an attribute of an operation as source: a literal where there is one for exactly this value.

    Args:
        value: anything.
        held: takes an object that has no literal, and returns the name by which the program has it.
    """
    kind = type(value)
    if value is None or value is Ellipsis or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if np.isfinite(value) else f'float("{value}")'
    if kind is tuple:
        return tuple_code([attribute(v, held) for v in value])
    if kind is list:
        return f"[{', '.join([attribute(v, held) for v in value])}]"
    if kind is dict:
        return f"{{{', '.join([f'{attribute(k, held)}: {attribute(v, held)}' for k, v in value.items()])}}}"
    if kind is slice:
        return f"slice({', '.join([attribute(v, held) for v in (value.start, value.stop, value.step)])})"
    if any(value is plain for plain in (float, int, bool)):
        return str(value.__name__)
    if isinstance(value, np.generic) and value.dtype.name in ("float32", "float64", "int64", "bool"):
        return f"np.{kind.__name__}({attribute(value.item(), held)})"
    return held(value)
