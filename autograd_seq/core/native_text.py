"""What a native expression of an operation may contain, checked where the operation is defined."""

from __future__ import annotations

import ast
import math
from string import Formatter
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.core.sites import show_site, user_site

_MODULES: dict[str, Any] = {"np": np, "math": math}
_NAMES = {*_MODULES, "real", "int", "abs", "min", "max", "_operand"}
_NODES = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Attribute, ast.Call, ast.IfExp, ast.UnaryOp, ast.USub, ast.Not,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.LShift, ast.RShift,
    ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip
"""The syntax that native code can write."""


def check_native(name: str, text: str, operands: int | None) -> None:
    """Refuse a native expression that cannot be compiled, whatever the values are.

    Args:
        name: of the operation.
        text: the expression with its placeholders.
        operands: how many there are; ``None`` for any number.

    Raises:
        OperationError: it is no Python expression, or has unknown names, placeholders or syntax.
    """
    if fault := _find_fault(text, operands):
        raise OperationError(
            "O134", f"native= of {name} {fault}", node=name, where=show_site(user_site()), got=repr(text)[:120],
            expected="a Python expression of one entry: operands {0}, {1} …, {zero}, numbers, operators, real, int, abs, min, "
            "max, and functions of np and math", fix='native="np.cosh({0})"',
        )  # fmt: skip


def _find_fault(text: str, operands: int | None) -> str | None:
    """Return what is wrong with an expression, in words that follow its name; ``None`` if nothing is."""
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as error:
        return f"has a wrong placeholder ({error})"
    code = ""
    for words, field, _, _ in pieces:
        code += words if field is None else f"{words}_operand"
        if field is None or field == "zero":
            continue
        if not field.isdecimal():
            return f"has an unknown placeholder {{{field}}}"
        if operands is not None and int(field) >= operands:
            return f"reads {{{field}}}, but the operation has {operands} operand{'s' if operands != 1 else ''}"
    try:
        tree = ast.parse(code, mode="eval")
    except SyntaxError as error:
        return f"is not a Python expression ({error.msg})"
    return next((fault for node in ast.walk(tree) if (fault := _find_fault_of_part(node))), None)


def _find_fault_of_part(node: ast.AST) -> str | None:
    """Return what is wrong with one part of an expression."""
    if not isinstance(node, _NODES) or (isinstance(node, ast.Call) and node.keywords):
        return f"contains {ast.unparse(node) or type(node).__name__}, which native code cannot write".replace("_operand", "…")
    if isinstance(node, ast.Name) and node.id not in _NAMES and not node.id.startswith("fast_"):
        return f"contains the unknown name {node.id}"
    if isinstance(node, ast.Attribute):
        if not isinstance(node.value, ast.Name) or node.value.id not in _MODULES:
            return f"contains {ast.unparse(node)}, which is not of np or math".replace("_operand", "…")
        if not hasattr(_MODULES[node.value.id], node.attr):
            return f"contains {node.value.id}.{node.attr}, which does not exist"
    return None


__all__ = ["check_native"]
