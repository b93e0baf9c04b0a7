"""The error about operands whose shapes do not fit an operation: the expression as it was written, with the shapes."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from autograd_seq.core.axes import Index
from autograd_seq.core.errors import AutogradSeqError, DTypeError, ShapeError
from autograd_seq.core.names import make_printable
from autograd_seq.core.sites import show_site, user_site

Node: TypeAlias = Any  # their files import this one
Op: TypeAlias = Any

_DEEPEST = 3


def write_expression(node: Node, depth: int = _DEEPEST) -> str:
    """Return a node as an expression of named nodes: ``tanh(W @ s[t - 1])``.

    Args:
        node: a node.
        depth: of operations within operations; ``…`` stands for deeper ones.
    """
    places = {a: a.name for a in node.axes}
    while node.op.name == "shift":
        places[node.attrs["axis"]] = repr(Index(node.attrs["axis"], -node.attrs["by"]))
        node = node.inputs[0]
    over = f"[{', '.join(places[a] for a in node.axes if a in places)}]" if node.axes else ""
    if node.name or not node.inputs:
        return make_printable(f"{node.name}{over}" if node.name else _write_number(node))
    if node.op.name == "slice":
        keys = [":" if isinstance(k, slice) else str(k) for k in node.attrs["key"]]
        while len(keys) > 1 and keys[-1] == ":":
            keys.pop()
        return f"{write_expression(node.inputs[0], depth).removesuffix(over)}[{', '.join(keys)}]"
    if node.op.name in ("broadcast_to", "spread", "rewritten", "cast", "state"):
        return write_expression(node.inputs[-1 if node.op.name == "rewritten" else 0], depth)
    return "…" if depth == 0 else write_call(node.op, node.inputs, node.attrs, depth - 1)


def label_of(node: Node) -> str:
    """Return a name for a node outside of any graph: its own, the step it reads, or its operation."""
    label = write_expression(node, depth=0) if node.op.name in ("shift", "slice") else "…"
    return label if node.name is None and "…" not in label else make_printable(node.name or node.op.get_word(node.attrs))


def write_call(op: Op, inputs: tuple[Node, ...], attrs: dict[str, Any], depth: int = _DEEPEST) -> str:
    """Return an operation on its operands as it was written."""
    words = [write_expression(x, depth) for x in inputs]
    word = _word(op, attrs)
    if word == "einsum":
        return f'einsum("{attrs["spec"]}", {", ".join(words)})'
    if op.name == "power_number":
        words.append(f"{attrs['n']:g}")
    inner = [f"({w})" if _needs_brackets(w) else w for w in words]
    if (sign := op.get_sign(attrs)) and len(words) == 2:
        return f" {sign} ".join(inner)
    return f"{op.prefix}{inner[0]}" if op.prefix else f"{word}({', '.join(words)})"


def _word(op: Op, attrs: dict[str, Any]) -> str:
    """Return the word that was written; a matrix product in Einstein's notation (lower-case labels) is an einsum."""
    word = op.get_word(attrs)
    return "einsum" if word == "matmul" and attrs["spec"].islower() else word


def _needs_brackets(text: str) -> bool:
    """Tell whether an expression needs brackets as an operand."""
    before = ""
    while text != before:
        before, text = text, re.sub(r"\[[^][()]*\]|\([^][()]*\)", "", text)
    return " " in text


def _write_number(node: Node) -> str:
    if node._value is None:
        axis, word = node.attrs.get("axis"), node.op.get_word(node.attrs)
        return word if axis is None else f"{word}({axis.name})"  # index(t), size(t)
    return str(node._value) if not node.shape else "array"


def make_misfit_error(op: Op, inputs: tuple[Node, ...], attrs: dict[str, Any], error: Exception) -> AutogradSeqError:
    """Return the error about operands that the shape rule of an operation refuses."""
    if isinstance(error, AutogradSeqError):
        return error
    written = write_call(op, inputs, attrs)
    said = ", ".join(f"{write_expression(x)} {x.shape}" for x in inputs)
    return ShapeError(
        "S101", f"{written} does not fit", node=op.name, where=show_site(user_site()),
        expected=_describe_expected(op, inputs, attrs, error), got=said, fix=_suggest_step(inputs) or
        ("a dimension over time belongs to over=, not to the shape" if any(x.axes for x in inputs) else None),
    )  # fmt: skip


def _describe_expected(op: Op, inputs: tuple[Node, ...], attrs: dict[str, Any], error: Exception) -> str:
    if op.name != "contract":
        return str(error)
    word = _word(op, attrs)
    if word == "outer":
        return "two vectors"
    a, b = inputs
    if word != "matmul":
        return str(error)
    if not a.shape or not b.shape:
        return "matrices or vectors; * multiplies by a number"
    left, right = "columns" if len(a.shape) > 1 else "entries", "rows" if len(b.shape) > 1 else "entries"
    return f"as many {left} on the left as {'' if left == right else right + ' '}on the right"


def _suggest_step(inputs: tuple[Node, ...]) -> str | None:
    """Return what to write if an entry of the value at each step was read, but a step was meant."""
    for node in inputs:
        if node.op.name == "slice" and node.axes and any(isinstance(k, int) for k in node.attrs["key"]):
            name, axis = write_expression(node.inputs[0]).partition("[")[0], node.axes[0]
            return (f"{write_expression(node)} is an entry of the value at each step; a step is {name}[{axis} - 1], "
                    f"ag.first({name}, over={axis}) or ag.last({name}, over={axis})")  # fmt: skip
    return None


def make_several_error(values: Any) -> DTypeError:
    """Return the error about several nodes where one value is needed."""
    return DTypeError(
        "D109", f"{len(values)} values are given where one is needed", where=show_site(user_site()), expected="one value",
        got=repr(values)[:80], fix="take one, as of h, c = ag.nn.lstm(…); ag.stack([…]) makes one of several",
    )  # fmt: skip


__all__ = ["label_of", "make_misfit_error", "make_several_error", "write_call", "write_expression"]
