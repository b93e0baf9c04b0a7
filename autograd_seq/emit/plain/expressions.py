"""Expressions at one point as NumPy source."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.emit.forwards import Bundle
from autograd_seq.emit.names import Names
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.plain.code import ATOM, CHOICE, COMPARED, POWER, PRODUCT, SIGN, SUM, Code
from autograd_seq.emit.plain.phrases import PHRASES
from autograd_seq.emit.program_text import get_operator, write_literal
from autograd_seq.emit.statements import (
    ALL,
    BEFORE,
    END,
    STEP,
    Apply,
    Expression,
    Form,
    IfLonger,
    Length,
    Number,
    Place,
    Read,
    StepNumber,
    StoredArray,
)
from autograd_seq.ops.elementwise import CAST
from autograd_seq.ops.random import DRAW

_FIRM = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "==": COMPARED, "!=": COMPARED, "<": COMPARED, "<=": COMPARED}
"""The precedence of Python's operators."""
_LONGEST = 64  # arrays of at most so many numbers are written out


class ExpressionWriter:
    """Writes expressions as NumPy source.

    Args:
        names: makes unique names.
        steps, lengths: the names of the current step and of the length of each axis.
    """

    def __init__(self, names: Names, steps: Mapping[Axis, str], lengths: Mapping[Axis, str]) -> None:
        self.names, self.steps, self.lengths = names, steps, lengths
        self.bundle = Bundle(names.new)
        self.constants: dict[str, np.ndarray] = {}
        self.sums: set[StoredArray] = set()  # accumulators that begin as Python numbers
        self.around: list[Axis] = []  # whose loops are around what is written
        self.labels: dict[tuple[str, int], None] = {}  # feeds that are indices, and the number of entries they may index

    def write(self, e: Expression) -> Code:
        """Return an expression as source."""
        if isinstance(e, Read):
            return Code(self.read(e), python=e.array in self.sums)
        if isinstance(e, Number):
            return self._write_number(e)
        if isinstance(e, StepNumber):
            text = self.write_place(e.place, e.place.axis)
            return Code(text, ATOM if text.isalnum() else SUM, python=True)
        if isinstance(e, Length):
            return Code(self.lengths[e.axis], python=True)
        if isinstance(e, Form):
            return self.write(e.value)
        if isinstance(e, IfLonger):
            other = f"np.zeros({write_tuple(e.shape)})" if e.shape else "False" if e.dtype is bool else "0"
            value = self.write(e.value)
            return Code(f"{value.enclose(COMPARED)} if {self.lengths[e.axis]} > {e.steps} else {other}", CHOICE, value.python)
        assert isinstance(e, Apply)
        return self._write_operation(e)

    def _is_positive(self, e: Expression) -> bool:
        """Tell whether an expression is the length of a loop around it, or a positive number."""
        if isinstance(e, Apply) and len(e.args) == 1 and e.node.op is CAST:
            return self._is_positive(e.args[0])
        return e.axis in self.around if isinstance(e, Length) else isinstance(e, Number) and bool((e.value > 0).all())

    def read(self, e: Read, more: Sequence[str] = ()) -> str:
        """Return a read of an array at one point, indexed further by ``more``."""
        places = [self.write_place(p, a, e.array.halo.get(a, (0, 0))) for a, p in e.indices]
        keys = [*places, *more]
        while keys and keys[-1] == ":":
            keys.pop()
        return f"{e.array.name}[{', '.join(keys)}]" if keys else e.array.name

    def write_place(self, p: Place, axis: Axis, halo: tuple[int, int] = (0, 0)) -> str:
        """Return an index: ``t - 1``, ``0``, ``T - 1``."""
        if p.base in (ALL, BEFORE):
            return ":" if halo == (0, 0) else f":{self.lengths[axis]}"
        if p.base not in (STEP, END):
            return str(p.by)
        origin = self.steps[p.axis] if p.base == STEP else self.lengths[p.axis]
        return f"{origin} {'-' if p.by < 0 else '+'} {abs(p.by)}" if p.by else origin

    def _write_number(self, e: Number) -> Code:
        value = np.asarray(e.value)
        if not value.shape:
            text = write_literal(value)
            return Code(text, SIGN if text.startswith("-") else ATOM, python=True)
        same = value.size > 1 and bool((value == value.flat[0]).all())
        if same or not value.size:
            number = write_literal(value.flat[0]) if value.size else "0"
            kind = "" if e.dtype is float and "." in number else f", {e.dtype.__name__}"
            return Code(f"np.full({write_tuple(value.shape)}, {number}{kind})")
        if value.size <= _LONGEST:
            return Code(f"np.array({write_literal(value)})")
        known = next((name for name, held in self.constants.items() if held is e.value), None)
        if known is None:
            known = self.names.new(e.name or "table")
            self.constants[known] = e.value
        return Code(known)

    def _write_operation(self, e: Apply) -> Code:
        op = e.node.op
        args = [self.write(x) for x in e.args]
        if len(args) == 2 and (sign := get_operator(op)) in _FIRM:
            firm = _FIRM[sign]
            divided = sign == "/" and not self._is_positive(e.args[1])  # NumPy divides by 0, Python does not
            if args[0].python and args[1].python and (divided or bool in {x.dtype for x in e.args}):
                args[0] = Code(f"np.float64({args[0].text})") if sign == "/" else args[0].as_numpy(e.args[0].dtype)
            if sign == "*" and args[0].text == args[1].text:
                return Code(f"{args[0].enclose(ATOM)} ** 2", POWER, args[0].python)
            if sign == "+" and args[1].firm == SIGN and args[1].text.startswith("-"):
                sign, args[1] = "-", Code(args[1].text[1:], ATOM, args[1].python)
            right = firm + (sign != "+")
            return Code(
                f"{args[0].enclose(firm + (firm == COMPARED))} {sign} {args[1].enclose(right)}",
                firm,
                all(a.python for a in args),
            )
        if op.forward is operator.neg:
            return Code(f"-{args[0].enclose(SIGN)}", SIGN, args[0].python)
        if isinstance(op.forward, np.ufunc):
            return Code(f"np.{op.forward.__name__}({', '.join(a.text for a in args)})")
        args = [a.as_numpy(x.dtype) if a.python and len(e.args) == 1 else a for a, x in zip(args, e.args, strict=True)]
        if (phrase := PHRASES.get(op)) and (found := phrase(self, e, args)):
            return found
        if getattr(op.forward, "__module__", "") == "numpy":
            return Code(f"np.{op.forward.__name__}({', '.join(a.text for a in args)})")
        return self.call(
            op.forward, op.name, [a.as_numpy(x.dtype) for a, x in zip(args, e.args, strict=True)], self.list_attributes(e)
        )

    def list_attributes(self, e: Apply) -> dict[str, Any]:
        """Return the attributes of an operation; for a random draw, those of a draw at one point."""
        attrs = dict(e.node.attrs)
        if e.node.op is DRAW:
            attrs["over"] = ()
            attrs["point"] = tuple(e.point)
        return attrs

    def call(self, function: Callable[..., Any], wanted: str, args: Sequence[Code], attrs: Mapping[str, Any]) -> Code:
        """Return the call of a function, which becomes part of the program."""
        name = self.bundle.add(function, wanted)
        known = _list_defaults(function)
        named = [f"{k}={self._write_attribute(k, v)}" for k, v in attrs.items() if not (k in known and known[k] == v)]
        return Code(f"{name}({', '.join([*(a.text for a in args), *named])})")

    def _write_attribute(self, name: str, value: Any) -> str:
        if isinstance(value, tuple) and any(isinstance(v, Place) for v in value):
            return write_tuple([self.write_place(v, v.axis) for v in value])
        return self.bundle.write_attribute(name, value)


def _list_defaults(function: Any) -> dict[str, Any]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}


__all__ = ["ExpressionWriter"]
