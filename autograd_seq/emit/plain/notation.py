"""Statements as equations in mathematical notation: the comments above the lines of a textbook program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.emit.plain.code import ATOM, COMPARED, POWER, PRODUCT, SIGN, SUM, Code
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

MATRIX = POWER  # a product of matrices, which is written without a sign
_SIGNS = {"+": ("+", SUM), "-": ("−", SUM), "*": ("·", PRODUCT), "/": ("/", PRODUCT), "%": ("%", PRODUCT),
          "//": ("//", PRODUCT)}  # fmt: skip
_COMPARED = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "&": "∧", "|": "∨"}
_LONGEST = 8  # arrays of at most so many numbers are written out
_SILENT = (BROADCAST_TO, RESHAPE, COPY, CAST, straight_through, IN_RANGE)
_SUBSCRIPTS = dict(zip("aehijklmnoprstuvx0123456789", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ₀₁₂₃₄₅₆₇₈₉", strict=True))


def write_equation(s: Assign | Accumulate) -> str:
    """Return the equation of a statement on one line: ``dV = Σₜ dz[t] s[t]ᵀ``."""
    value = write_text(s.value)
    right = value.enclose(COMPARED + 1) if " = " in value.text else value.text
    if isinstance(s, Accumulate):
        signs = "".join(f"Σ{_write_subscript(a.name)}" for a in s.over)
        right = f"{signs} {Code(right, value.firm).enclose(SUM + 1)}"
    index = None if not isinstance(s, Accumulate) or s.index is None else write_text(s.index).text
    return f"{_write_read(s.target, index)} = {right}"


def _write_subscript(name: str) -> str:
    low = [_SUBSCRIPTS.get(c) for c in name]
    return "".join(c for c in low if c) if all(low) else f"_{name}"


def write_text(e: Expression) -> Code:
    """Return an expression as text, and its precedence."""
    if isinstance(e, Read):
        return Code(_write_read(e))
    if isinstance(e, Number):
        value = np.asarray(e.value)
        if e.name:
            return Code(e.name)
        if value.size and (value == value.flat[0]).all():
            value = value.flat[0]
        if np.ndim(value):
            shown = value.ndim == 1 and value.size <= _LONGEST
            return Code(f"({', '.join(map(_write_number, value))})" if shown else "(…)")
        written = _write_number(value)
        return Code(written, SIGN if written.startswith("−") else ATOM)
    if isinstance(e, StepNumber):
        place = _write_place(e.place)
        return Code(place, ATOM if len(place.split()) == 1 else SUM)
    if isinstance(e, Length):
        return Code(e.axis.name.upper())
    if isinstance(e, Form):
        return Code(_write_call(e.form, e.shown or (e.value,)))
    if isinstance(e, IfLonger):
        return write_text(e.value)
    assert isinstance(e, Apply)
    return _write_operation(e)


def _write_operation(e: Apply) -> Code:
    word = operation(e.node)
    if e.node.op in _SILENT:
        return write_text(e.args[0])
    xs = [write_text(x) for x in e.args]
    if e.node.op is CONTRACT:
        return _write_product(e, xs)
    if e.node.op is sum_over:
        text = " + ".join(x.enclose(SUM) for x in xs).replace(" + −", " − ")
        return Code(text, SUM if len(e.args) > 1 else xs[0].firm)
    written = mul.infix if e.node.op is zero_safe_mul else e.node.op.get_sign(e.node.attrs)  # as a number it is a product
    if isinstance(written, str) and len(e.args) == 2:
        sign, firm = _SIGNS.get(written, (_COMPARED.get(written, written), COMPARED))
        if sign == "·" and e.args[0].shape and e.args[1].shape:
            sign = "⊙"
        if sign in ("·", "⊙") and xs[0] == xs[1]:
            return Code(f"{xs[0].enclose(ATOM)}²")
        left, right = xs
        if sign == "+" and right.firm == SIGN and right.text.startswith("−"):
            sign, right = "−", Code(right.text[1:])
        return Code(f"{left.enclose(firm)} {sign} {right.enclose(firm + (sign in ('−', '/', '%', '//')))}", firm)
    if e.node.op.reduces_axes:
        below = "".join(_write_subscript(a.name) for a in e.node.attrs["axes"])
        symbol = "max" if e.node.op is level_over else e.node.op.symbol
        return Code(f"{symbol}{below} {xs[0].enclose(PRODUCT)}", SUM)
    if e.node.op is neg:
        return Code(f"−{xs[0].enclose(SIGN)}", SIGN)
    if e.node.op is POWER_NUMBER:
        n = e.node.attrs["n"]
        raised = {2: "²", 3: "³"}.get(n) or f"^{n}"
        return Code(f"{xs[0].enclose(ATOM)}{raised}")
    if e.node.op is TRANSPOSE and len(e.shape) == 2:
        return Code(f"{xs[0].enclose(ATOM)}ᵀ")
    if e.node.op is TAKE_STEP and isinstance(e.args[0], Read):
        return Code(_write_read(e.args[0], xs[1].text))
    if e.node.op is SLICE:
        keys = ", ".join(format_subscript(e.node.attrs["key"], e.args[0].shape))
        return Code(f"{xs[0].enclose(ATOM)}[{keys}]")
    if e.node.op in (TAKE, PICK) and len(e.args[0].shape) <= 1 + (e.node.op is TAKE):
        return Code(f"{xs[0].enclose(ATOM)}[{xs[1].text}]")
    if e.node.op is DRAW:
        return Code(f"draw of {e.node.attrs['name']}")
    return Code(_write_call("onehot" if word == "one_hot" else word, e.args))


def _write_number(value: Any) -> str:
    return (f"{value:.6g}" if value.dtype.kind == "f" else str(value)).replace("-", "−").replace("inf", "∞")


def _write_product(e: Apply, xs: Sequence[Code]) -> Code:
    kind, turned, *transposed = read_product(e.node.attrs["spec"])
    if kind == EINSUM:
        return Code(f"einsum({e.node.attrs['spec']}; {xs[0].text}, {xs[1].text})")
    x, y = xs[::-1] if turned else xs
    if kind == OUTER:
        return Code(f"{x.enclose(MATRIX)} {y.enclose(ATOM)}ᵀ", MATRIX)
    if kind == SCALED or not e.shape:
        return Code(f"{x.enclose(MATRIX)} · {y.enclose(MATRIX)}", PRODUCT)
    texts = [f"{z.enclose(ATOM)}ᵀ" if t else z.enclose(MATRIX) for z, t in zip((x, y), transposed, strict=True)]
    return Code(" ".join(texts), MATRIX)


def _write_call(word: str, args: Sequence[Expression]) -> str:
    return f"{word}({', '.join(write_text(x).text for x in args)})"


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
