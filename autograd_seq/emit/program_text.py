"""Pieces of the text of a program: loops, literals, and imports from NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.op import OPS, Op
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.plan.schedule import Loop

NUMPY = {
    "arange", "array", "ascontiguousarray", "broadcast_to", "concatenate", "copyto", "einsum", "empty", "fromiter", "full",
    "logaddexp", "matmul", "negative", "reciprocal", "square", "zeros", *(op.ufunc.__name__ for op in OPS.values() if op.ufunc),
}  # fmt: skip
"""The names that programs may import from NumPy; operations of the user may add more."""
PROGRAM = "\ndef program("
"""The line with which the last function of a source, the program, begins. No other function has this name."""


@dataclass(eq=False)
class Frame:
    """A loop that is being written.

    Attributes:
        over: for the code of each array that is read step by step, the variable at a step, and what the loop takes it from.
        fixed: the sources in ``over`` that can be listed once for all calls.
        lines: the body.
        count: the number of steps, as source.
        steps: the name of the list of all variables of all steps, if there is one.
    """

    loop: Loop
    over: dict[str, tuple[str, str]] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    lines: list[Any] = field(default_factory=list)
    count: str = ""
    steps: str = ""


@dataclass(frozen=True)
class Emitted:
    """A program as text, and what is needed to run it.

    Attributes:
        source: the program.
        feeds: the names of the arguments of ``run``, by the name of what is fed.
        sizes: the arguments of ``program``, by axis.
        constants: arrays that are too long to be written out, by name.
        foreign: functions that are passed to the program because their source cannot be copied, by name.
        outputs: for each output, the axes of the array returned.
        buffers: the shape and dtype of each array of a workspace, as source; of lists of rows, their number and the bytes
            of each row.
        made: the same for each named array that a call allocates, and for each copy that it returns.
        asked: of a plain program, the axes whose lengths are arguments after the feeds, because no feed has these axes.
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


def get_operator(op: Op) -> str:
    """Return the operator of Python that an operation is, between operands or in front of one; empty if it is none."""
    sign = op.infix or op.prefix
    return sign if isinstance(sign, str) and getattr(op.forward, "__module__", None) == "_operator" else ""


def wrap_items(items: Sequence[str], width: int, indent: str) -> list[str]:
    """Return the lines of items that are separated by commas, the last one followed by a comma."""
    text = f"{', '.join(items)},"
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def write_imports(modules: Iterable[str], used: Sequence[str] = ()) -> list[str]:
    """Return the lines that import modules, NumPy, and names from NumPy."""
    others = [f"import {m}" for m in sorted(set(modules) - {"numpy"})]
    names = [f"from numpy import {', '.join(used)}"] if used else []
    return [*others, *([""] if others else []), "import numpy as np", *names]


def write_literal(value: np.ndarray) -> str:
    """Return an array's numbers as source."""
    text = repr(value.tolist())
    return text.replace("nan", "np.nan").replace("inf", "np.inf")


def name_number(value: np.ndarray) -> str:
    """Return a name for a number: ``half``, ``minus_one``, ``number_0_1``."""
    known = {0.0: "zero", 0.5: "half", 1.0: "one", 2.0: "two", -1.0: "minus_one"}
    number = value.item()
    if isinstance(number, bool):
        return "true" if number else "false"
    text = f"{number:.6g}".replace(".", "_").replace("-", "minus_").replace("+", "")
    return known.get(float(number), f"number_{text}")


def write_attribute(value: Any, held: Callable[[Any], str]) -> str:
    """Return an attribute of an operation as source: a literal if one gives exactly this value.

    Args:
        value: anything.
        held: called with an object that has no literal; returns its name in the program.
    """
    kind = type(value)
    if value is None or value is Ellipsis or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if np.isfinite(value) else f'float("{value}")'
    if kind is tuple:
        return write_tuple([write_attribute(v, held) for v in value])
    if kind is list:
        return f"[{', '.join([write_attribute(v, held) for v in value])}]"
    if kind is dict:
        return f"{{{', '.join([f'{write_attribute(k, held)}: {write_attribute(v, held)}' for k, v in value.items()])}}}"
    if kind is slice:
        return f"slice({', '.join([write_attribute(v, held) for v in (value.start, value.stop, value.step)])})"
    if any(value is plain for plain in (float, int, bool)):
        return str(value.__name__)
    if isinstance(value, np.generic) and value.dtype.name in ("float32", "float64", "int64", "bool"):
        return f"np.{kind.__name__}({write_attribute(value.item(), held)})"
    return held(value)
