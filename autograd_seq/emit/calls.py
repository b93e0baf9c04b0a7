"""How each operation is said in NumPy: a ufunc that writes into an array, a few calls, or a function of its own.

An operation that is not in these tables is called as its own ``forward``, whose source is copied into the program.
"""

from __future__ import annotations

from collections.abc import Callable

from autograd_seq.node import Node
from autograd_seq.ops.random import DRAW

UFUNCS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative", "abs": "absolute", "sign": "sign",
    "minimum": "minimum", "maximum": "maximum", "power": "power", "exp": "exp", "expm1": "expm1", "log": "log",
    "log1p": "log1p", "sqrt": "sqrt", "sin": "sin", "cos": "cos", "arctan": "arctan", "tanh": "tanh", "equal": "equal",
    "not_equal": "not_equal", "less": "less", "less_equal": "less_equal", "logical_and": "logical_and",
    "logical_or": "logical_or", "logical_not": "logical_not", "tan": "tan", "sinh": "sinh", "cosh": "cosh",
    "arcsin": "arcsin", "arccos": "arccos", "arctan2": "arctan2", "floor": "floor", "ceil": "ceil", "round": "rint",
    "mod": "remainder", "floor_divide": "floor_divide",
}  # fmt: skip
"""Operations that are one ufunc: ``add(a, b, out)``."""

OPERATORS = {"add": " + ", "sub": " - ", "mul": " * ", "div": " / ", "neg": "-"}
"""Those that are said so of single numbers, which takes a fifth of the time."""

ONE, MINUS_ONE, SMALLEST = "ONE", "MINUS_ONE", "SMALLEST"
"""Stand for numbers of the program's width, which are made once: NumPy takes longer to read a Python number than to add it."""
NUMBERS = {ONE: ("one", "1.0"), MINUS_ONE: ("minus_one", "-1.0"), SMALLEST: ("smallest", "np.finfo(real).tiny")}

Say = Callable[[Node, str, list[str]], list[str]]
"""From (node, where to write, operands) to lines."""


def _relu(node: Node, out: str, xs: list[str]) -> list[str]:
    return [f"maximum({xs[0]}, 0, out={out})"]


def _neg(node: Node, out: str, xs: list[str]) -> list[str]:
    """NumPy's own ``negative`` is wrong from strided memory to strided memory (2.4, with AVX-512: every fourth float)."""
    return [f"multiply({xs[0]}, {MINUS_ONE if node.dtype is float else -1}, {out})"]


def _softplus(node: Node, out: str, xs: list[str]) -> list[str]:
    return [f"logaddexp({xs[0]}, 0, {out})"]


def _sigmoid(node: Node, out: str, xs: list[str]) -> list[str]:
    return [f"multiply({xs[0]}, {MINUS_ONE}, {out})", f"exp({out}, {out})", f"add({out}, {ONE}, {out})",
            f"reciprocal({out}, {out})"]  # fmt: skip


def _where(node: Node, out: str, xs: list[str]) -> list[str]:
    other = [] if xs[2] == out else [f"copyto({out}, {xs[2]})"]
    chosen = xs[0] if node.inputs[0].dtype is bool else f"not_equal({xs[0]}, 0)"
    return [*other, f"copyto({out}, {xs[1]}, where={chosen})"]


def _zero_safe_mul(node: Node, out: str, xs: list[str]) -> list[str]:
    return [f"multiply({xs[0]}, {xs[1]}, {out})", f"copyto({out}, 0, where=equal({xs[0]}, 0))"]


def _power_number(node: Node, out: str, xs: list[str]) -> list[str]:
    n = node.attrs["n"]
    own = {2: "square", 0.5: "sqrt"}.get(n)
    return [f"{own}({xs[0]}, {out})" if own else f"power({xs[0]}, {n!r}, {out})"]


def _copy(node: Node, out: str, xs: list[str]) -> list[str]:
    casting = ', casting="unsafe"' if node.op.name == "cast" else ""
    return [f"copyto({out}, {xs[0]}{casting})"]


def _concat(node: Node, out: str, xs: list[str]) -> list[str]:
    return [f"concatenate(({', '.join(xs)}), {node.attrs['axis']}, {out})"]


def _add_at(node: Node, out: str, xs: list[str]) -> list[str]:
    copy = [] if xs[0] == out else [f"copyto({out}, {xs[0]})"]
    return [*copy, f"add_at({out}, {xs[1]}, {xs[2]}{', check=True' if node.attrs['check'] else ''})"]


def _nonzero(node: Node, out: str, xs: list[str]) -> list[str]:
    """A sum of exp less its level is 0 only where all entries are minus infinity; then any other number will do."""
    return [f"maximum({xs[0]}, {SMALLEST}, out={out})"]


def _sum_over(node: Node, out: str, xs: list[str]) -> list[str]:
    return [f"add({xs[0]}, {xs[1]}, {out})", *(f"add({out}, {x}, {out})" for x in xs[2:])]


def _trailing(node: Node) -> bool:
    """Tell whether a reduction is one over the last dimensions: along contiguous memory, where NumPy's sum is pairwise."""
    return node.attrs["axis"] == tuple(range(-len(node.attrs["axis"]), 0))


def reduction(node: Node, xs: list[str]) -> str | None:
    """Return the call that reduces dimensions, without its closing bracket; ``None`` if it takes more than one."""
    if node.op.name not in REDUCTIONS or node.dtype is not node.inputs[0].dtype or not _trailing(node):
        return None
    axis = node.attrs["axis"]
    kept = ", keepdims=True" if node.attrs["keepdims"] else ""
    return f"{REDUCTIONS[node.op.name]}.reduce({xs[0]}, axis={axis[0] if len(axis) == 1 else axis}{kept}"


def _take(node: Node, out: str, xs: list[str]) -> list[str]:
    return [f"look_up({xs[0]}, {xs[1]}, {out})"]


REDUCTIONS = {"sum": "add", "max": "maximum"}
"""Reductions over dimensions that are a method of a ufunc."""

PHRASES: dict[str, Say] = {
    "neg": _neg, "relu": _relu, "softplus": _softplus, "sigmoid": _sigmoid, "where": _where, "zero_safe_mul": _zero_safe_mul,
    "power_number": _power_number, "cast": _copy, "copy": _copy, "straight_through": _copy, "add_at": _add_at,
    "nonzero": _nonzero, "concat": _concat, "take": _take,
}  # fmt: skip
"""Operations that are a few calls on the place to write to."""

_OVER_AXES = {"sum_over", "max_over", "logsumexp_over", "level_over"}
_READS_ALL = {"contract", "concat", "take", "pick", *_OVER_AXES, *REDUCTIONS}  # an entry that is written is not the one read
_OVERWRITES_EARLY = {"where", "zero_safe_mul"}  # these read an operand again after the first write


def writes(node: Node) -> bool:
    """Tell whether the operation of a node can write into an array that is there already."""
    if node.op.name == "contract":
        return True
    if node.op.name in _OVER_AXES:
        whole = node.op.name == "sum_over" and node.inputs[0].op.name == "contract"  # parts of which are outputs, often
        return len(node.inputs) > 1 or not whole or bool(node.axes)
    if node.op.name in REDUCTIONS:
        return reduction(node, [""]) is not None
    if node.op.name == "take":
        return not node.inputs[0].axes  # of a table that is the same at all points
    if node.op.name == "concat":  # NumPy's own broadcasts nothing
        return all(set(x.axes) == set(node.axes) and len(x.shape) == len(node.shape) and x.dtype is node.dtype
                   and all(n == m or i == node.attrs["axis"] for i, n, m in zip(
                       range(-len(node.shape), 0), x.shape, node.shape, strict=True)) for x in node.inputs)  # fmt: skip
    return node.op.name in UFUNCS or node.op.name in PHRASES or node.op.name == "pick" or node.op is DRAW


def in_place(node: Node) -> bool:
    """Tell whether a node's operation may write over an operand of its own shape and kind."""
    if node.op.name in _READS_ALL or node.op is DRAW or not writes(node):
        return False
    if node.op.name == "where" and node.inputs[1]._value is not None and not node.inputs[1].shape:
        return True  # what is chosen is no array: the other may stand where the result is to be
    return node.op.name not in _OVERWRITES_EARLY


def phrase(node: Node, out: str, xs: list[str]) -> list[str] | None:
    """Return the lines that compute a node into ``out``; ``None`` if it can only be called."""
    if node.op.name in UFUNCS and node.op.name not in PHRASES:
        last = f"out={out}" if node.op.name in ("maximum", "minimum") else out  # NumPy wants it by name for these
        return [f"{UFUNCS[node.op.name]}({', '.join([*xs, last])})"]
    if node.op.name == "sum_over" and not node.attrs["axes"] and len(xs) > 1:
        return _sum_over(node, out, xs)
    if call := reduction(node, xs):
        return [f"{call}, out={out})"]
    if node.op.name in ("concat", "take") and not writes(node):
        return None
    return PHRASES[node.op.name](node, out, xs) if node.op.name in PHRASES else None
