"""Statements as equations in mathematical notation: the comments above the lines of a textbook program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.emit.plain.products import EINSUM, OUTER, SCALED, read_product
from autograd_seq.emit.statements import (
    ALL,
    BEFORE,
    END,
    START,
    Accumulate,
    Apply,
    Assign,
    Expression,
    Form,
    IfLonger,
    Length,
    Number,
    Place,
    Read,
    StepNumber,
)
from autograd_seq.graph.printing import format_subscript, operation
from autograd_seq.ops.elementwise import CAST, POWER_NUMBER, mul, neg, zero_safe_mul
from autograd_seq.ops.gather import IN_RANGE, PICK, TAKE
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.loss import straight_through
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE
from autograd_seq.ops.softmax import level_over
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.plan.passes.legal import COPY

ATOM, MATRIX, SIGN, PRODUCT, SUM, COMPARED = 6, 5, 4, 3, 2, 1
_SIGNS = {"+": ("+", SUM), "-": ("−", SUM), "*": ("·", PRODUCT), "/": ("/", PRODUCT), "%": ("%", PRODUCT),
          "//": ("//", PRODUCT)}  # fmt: skip
_COMPARED = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "&": "∧", "|": "∨"}
_LONGEST = 8  # arrays of at most so many numbers are written out
_SILENT = (BROADCAST_TO, RESHAPE, COPY, CAST, straight_through, IN_RANGE)
_SUBSCRIPTS = dict(zip("aehijklmnoprstuvx0123456789", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ₀₁₂₃₄₅₆₇₈₉", strict=True))

Text = tuple[str, int]


def write_equation(s: Assign | Accumulate) -> str:
    """Return the equation of a statement on one line: ``dV = Σₜ dz[t] s[t]ᵀ``."""
    right, firm = write_text(s.value)
    right = _enclose((right, firm), COMPARED + 1) if " = " in right else right
    if isinstance(s, Accumulate):
        signs = "".join(f"Σ{_write_subscript(a.name)}" for a in s.over)
        right = f"{signs} {_enclose((right, firm), SUM + 1)}"
    index = None if not isinstance(s, Accumulate) or s.index is None else write_text(s.index)[0]
    return f"{_write_read(s.target, index)} = {right}"


def _write_subscript(name: str) -> str:
    low = [_SUBSCRIPTS.get(c) for c in name]
    return "".join(c for c in low if c) if all(low) else f"_{name}"


def write_text(e: Expression) -> Text:
    """Return an expression as text, and its precedence."""
    if isinstance(e, Read):
        return _write_read(e), ATOM
    if isinstance(e, Number):
        value = np.asarray(e.value)
        if e.name:
            return e.name, ATOM
        if value.size and (value == value.flat[0]).all():
            value = value.flat[0]
        if np.ndim(value):
            return f"({', '.join(map(_write_number, value))})" if value.ndim == 1 and value.size <= _LONGEST else "(…)", ATOM
        written = _write_number(value)
        return written, SIGN if written.startswith("−") else ATOM
    if isinstance(e, StepNumber):
        shown = _write_place(e.place)
        return shown, ATOM if len(shown.split()) == 1 else SUM
    if isinstance(e, Length):
        return e.axis.name.upper(), ATOM
    if isinstance(e, Form):
        if e.form == "log" or not e.shown:
            return _write_call(e.form, e.shown or (e.value,)), ATOM
        return _write_call(e.form, e.shown), ATOM
    if isinstance(e, IfLonger):
        return write_text(e.value)
    assert isinstance(e, Apply)
    return _write_operation(e)


def _write_operation(e: Apply) -> Text:
    word = operation(e.node)
    if e.node.op in _SILENT:
        return write_text(e.args[0])
    if e.node.op is CONTRACT:
        return _write_product(e)
    if e.node.op is sum_over:
        text = " + ".join(_enclose(write_text(x), SUM) for x in e.args).replace(" + −", " − ")
        return text, SUM if len(e.args) > 1 else write_text(e.args[0])[1]
    written = mul.infix if e.node.op is zero_safe_mul else e.node.op.get_sign(e.node.attrs)  # as a number it is a product
    if isinstance(written, str) and len(e.args) == 2:
        sign, firm = _SIGNS.get(written, (_COMPARED.get(written, written), COMPARED))
        if sign == "·" and e.args[0].shape and e.args[1].shape:
            sign = "⊙"
        if sign in ("·", "⊙") and write_text(e.args[0]) == write_text(e.args[1]):
            return f"{_enclose(write_text(e.args[0]), ATOM)}²", ATOM
        second = write_text(e.args[1])
        if sign == "+" and second[1] == SIGN and second[0].startswith("−"):
            sign, second = "−", (second[0][1:], ATOM)
        right = _enclose(second, firm + (sign in ("−", "/", "%", "//")))
        return f"{_enclose(write_text(e.args[0]), firm)} {sign} {right}", firm
    if e.node.op.reduces_axes:
        below = "".join(_write_subscript(a.name) for a in e.node.attrs["axes"])
        return (
            f"{'max' if e.node.op is level_over else e.node.op.symbol}{below} {_enclose(write_text(e.args[0]), PRODUCT)}",
            SUM,
        )
    if e.node.op is neg:
        return f"−{_enclose(write_text(e.args[0]), SIGN)}", SIGN
    if e.node.op is POWER_NUMBER:
        n = e.node.attrs["n"]
        raised = {2: "²", 3: "³"}.get(n) or f"^{n}"
        return f"{_enclose(write_text(e.args[0]), ATOM)}{raised}", ATOM
    if e.node.op is TRANSPOSE and len(e.shape) == 2:
        return f"{_enclose(write_text(e.args[0]), ATOM)}ᵀ", ATOM
    if e.node.op is TAKE_STEP and isinstance(e.args[0], Read):
        return _write_read(e.args[0], write_text(e.args[1])[0]), ATOM
    if e.node.op is SLICE:
        keys = ", ".join(format_subscript(e.node.attrs["key"], e.args[0].shape))
        return f"{_enclose(write_text(e.args[0]), ATOM)}[{keys}]", ATOM
    if e.node.op in (TAKE, PICK) and len(e.args[0].shape) <= 1 + (e.node.op is TAKE):
        return f"{_enclose(write_text(e.args[0]), ATOM)}[{write_text(e.args[1])[0]}]", ATOM
    if e.node.op is DRAW:
        return f"draw of {e.node.attrs['name']}", ATOM
    return _write_call("onehot" if word == "one_hot" else word, e.args), ATOM


def _write_number(value: Any) -> str:
    return (f"{value:.6g}" if value.dtype.kind == "f" else str(value)).replace("-", "−").replace("inf", "∞")


def _write_product(e: Apply) -> Text:
    kind, turned, *transposed = read_product(e.node.attrs["spec"])
    if kind == EINSUM:
        return f"einsum({e.node.attrs['spec']}; {write_text(e.args[0])[0]}, {write_text(e.args[1])[0]})", ATOM
    x, y = [write_text(z) for z in (e.args[::-1] if turned else e.args)]
    if kind == OUTER:
        return f"{_enclose(x, MATRIX)} {_enclose(y, ATOM)}ᵀ", MATRIX
    if kind == SCALED or not e.shape:
        return f"{_enclose(x, MATRIX)} · {_enclose(y, MATRIX)}", PRODUCT
    return " ".join(
        f"{_enclose(z, ATOM)}ᵀ" if t else _enclose(z, MATRIX) for z, t in zip((x, y), transposed, strict=True)
    ), MATRIX


def _write_call(word: str, args: Sequence[Expression]) -> str:
    return f"{word}({', '.join(write_text(x)[0] for x in args)})"


def _enclose(t: Text, firm: int) -> str:
    return f"({t[0]})" if t[1] < firm else t[0]


def _write_read(e: Read, named: str | None = None) -> str:
    """Return a read as text; ``named`` stands for the steps among which an index chooses."""
    keys = ", ".join(named if named and p.base in (ALL, BEFORE) else _write_place(p) for p in e.places)
    return f"{e.array.label}[{keys}]" if keys else e.array.label


def _write_place(p: Place) -> str:
    if p.base == START:
        return str(p.by).replace("-", "−")
    origin = p.axis.name.upper() if p.base == END else p.axis.name
    return origin if p.base == ALL or not p.by else f"{origin} {'−' if p.by < 0 else '+'} {abs(p.by)}"


__all__ = ["write_equation"]
