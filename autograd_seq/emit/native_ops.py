"""How each operation is said in native code: as an expression of numbers, one entry at a time.

Operations that are not in these tables run as NumPy statements between the native functions; a loop that contains one
runs in NumPy as a whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograd_seq.node import Node
from autograd_seq.ops.leaf import INPUT
from autograd_seq.plan.views import root

Say = Callable[[Node, list[str]], str]
"""From (node, operands) to an expression."""


def _infix(symbol: str) -> Say:
    return lambda node, xs: f"({xs[0]} {symbol} {xs[1]})"


def _call(function: str) -> Say:
    return lambda node, xs: f"{function}({', '.join(xs)})"


def _power_number(node: Node, xs: list[str]) -> str:
    n, x = node.attrs["n"], xs[0]
    if node.dtype is not float:
        return f"whole_power({x}, {n})"
    if n in (2, 3):
        return f"({' * '.join([x] * int(n))})"
    if n in (-1, 0.5):
        return f"(real(1) / {x})" if n == -1 else f"np.sqrt({x})"
    return f"({x} ** real({n!r}))"  # by the C library: an integer would be a product, which rounds more often


def _cast(node: Node, xs: list[str]) -> str:
    return {float: f"real({xs[0]})", int: f"np.int64({xs[0]})", bool: f"({xs[0]} != 0)"}[node.attrs["to"]]


def _mod(node: Node, xs: list[str]) -> str:
    if node.dtype is float:
        return f"float_mod({', '.join(xs)})"
    return f"(np.int64(0) if {xs[1]} == 0 or {xs[1]} == -1 else {xs[0]} % {xs[1]})"


def _floor_divide(node: Node, xs: list[str]) -> str:
    """Of integers as NumPy: 0 where the divisor is; and the processor refuses to divide the least integer by −1."""
    if node.dtype is float:
        return f"float_floor_divide({', '.join(xs)})"
    return f"(np.int64(0) if {xs[1]} == 0 else -{xs[0]} if {xs[1]} == -1 else {xs[0]} // {xs[1]})"


EXPRESSIONS: dict[str, Say] = {
    "add": _infix("+"), "sub": _infix("-"), "mul": _infix("*"), "div": _infix("/"), "power": _infix("**"),
    "power_number": _power_number, "neg": lambda node, xs: f"(-{xs[0]})", "abs": _call("abs"), "sign": _call("np.sign"),
    # as NumPy, either operand being NaN gives NaN
    "minimum": lambda node, xs: f"({xs[0]} if {xs[0]} < {xs[1]} or {xs[0]} != {xs[0]} else {xs[1]})",
    "maximum": lambda node, xs: f"({xs[0]} if {xs[0]} > {xs[1]} or {xs[0]} != {xs[0]} else {xs[1]})",
    "zero_safe_mul": lambda node, xs: f"({xs[0]} * {xs[1]} if {xs[0]} != 0 else {zero(node)})",
    "exp": _call("fast_exp"), "tanh": _call("fast_tanh"), "sigmoid": _call("fast_sigmoid"),
    "softplus": _call("fast_softplus"), "expm1": _call("np.expm1"), "log": _call("np.log"), "log1p": _call("np.log1p"),
    "sqrt": _call("np.sqrt"), "sin": _call("np.sin"), "cos": _call("np.cos"), "arctan": _call("np.arctan"),
    "tan": _call("np.tan"), "sinh": _call("np.sinh"), "cosh": _call("np.cosh"), "arcsin": _call("np.arcsin"),
    "arccos": _call("np.arccos"), "arctan2": _call("np.arctan2"), "floor": _call("np.floor"), "ceil": _call("np.ceil"),
    "round": _call("np.rint"), "mod": _mod, "floor_divide": _floor_divide,
    "erf": _call("fast_erf"), "relu": lambda node, xs: f"({zero(node)} if {xs[0]} <= 0 else {xs[0]})",  # which NaN is not
    "equal": _infix("=="), "not_equal": _infix("!="), "less": _infix("<"), "less_equal": _infix("<="),
    "logical_and": lambda node, xs: f"({xs[0]} != 0 and {xs[1]} != 0)",
    "logical_or": lambda node, xs: f"({xs[0]} != 0 or {xs[1]} != 0)", "logical_not": lambda node, xs: f"({xs[0]} == 0)",
    "where": lambda node, xs: f"({xs[1]} if {xs[0]} else {xs[2]})", "cast": _cast, "copy": lambda node, xs: xs[0],
    "straight_through": lambda node, xs: xs[0], "sum_over": lambda node, xs: f"({' + '.join(xs)})",
    # 32 bits wide, as the floats beside it are at most twice
    "one_hot": lambda node, xs: f"real(np.int32({xs[0]}) == np.int32({xs[1]}))",
}  # fmt: skip
"""Operations on each entry; the second operand of ``one_hot`` is the number of the entry."""

REDUCTIONS = {"sum", "max", "logsumexp", "softmax", "log_softmax", "sum_over", "max_over", "logsumexp_over", "level_over"}
"""Operations that need all entries of some dimensions, or all points of some axes."""

GATHERS = {"pick", "take"}
"""Operations that read where an index says."""

_FLOATING = {"add", "sub", "mul", "div", "power", "minimum", "maximum", "zero_safe_mul", "sum_over", "where", "copy",
             "straight_through", "relu", "exp", "tanh", "sigmoid", "softplus", "expm1", "log", "log1p", "sqrt", "sin", "cos",
             "arctan", "tan", "sinh", "cosh", "arcsin", "arccos", "arctan2", "floor", "ceil", "round", "mod", "floor_divide",
             "erf", "neg", "abs", "sign", "power_number", "concat"}  # fmt: skip


def zero(node: Node) -> str:
    """Return a 0 of a node's kind, as source."""
    return {float: "real(0)", int: "np.int64(0)", bool: "False"}[node.dtype]


def expression(node: Node, xs: list[str]) -> str:
    """Return the expression of a node's operation on the expressions of its operands."""
    name = node.op.name
    if name in _FLOATING and node.dtype is float:
        first = 1 if name == "where" else 0  # a condition stays one
        rest = zip(xs[first:], node.inputs[first:], strict=True)
        xs = [*xs[:first], *(x if n.dtype is float else f"real({x})" for x, n in rest)]
    elif name in ("power_number", "power") and node.dtype is int:
        xs = [f"np.int64({x})" for x in xs]
    code = EXPRESSIONS[name](node, xs)
    return f"({code} != 0)" if node.dtype is bool and name in ("add", "mul", "sum_over", "abs") else code


def is_pointwise(node: Node) -> bool:
    """Tell whether a node is computed entry by entry."""
    if node.op.name == "sum_over":
        return not node.attrs["axes"]
    return node.op.name in EXPRESSIONS or node.op.name in GATHERS or node.op.name in ("concat", "reshape", "place")


def is_native(node: Node) -> bool:
    """Tell whether native code can compute a node's operation."""
    name = node.op.name
    if name in GATHERS or name == "one_hot":  # an index that is computed is checked where NumPy reads it
        return root(node.inputs[-1]).op is INPUT or _is_known(node)
    if name in ("power", "power_number") and node.dtype is not float:
        return name == "power_number" and isinstance(node.attrs["n"], int) and node.attrs["n"] >= 0
    if name in ("sub", "neg") and node.dtype is bool:
        return False  # NumPy refuses it
    return is_pointwise(node) or name in REDUCTIONS or name == "contract"


def _is_known(node: Node) -> bool:
    """Tell whether a node looks up places that are constants, and are there."""
    index = node.inputs[-1]._value
    if index is None:
        return False
    n = node.attrs["n"] if node.op.name == "one_hot" else node.inputs[0].shape[-1 if node.op.name == "pick" else 0]
    return not np.size(index) or bool(np.min(index) >= 0 and np.max(index) < n)


def writes(node: Node) -> bool:
    """Tell whether a node's values are written into an array that is there already."""
    return is_native(node)


__all__ = ["EXPRESSIONS", "GATHERS", "REDUCTIONS", "expression", "is_native", "is_pointwise", "writes", "zero"]
