"""What all cells share: checks of their arguments, scopes, and the affine maps and states that their equations are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, DTypeError, OperationError, ShapeError
from autograd_seq.core.kinds import as_count
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import get_scope, scope, show_site, user_site
from autograd_seq.ops.composed import clip as clip_node
from autograd_seq.ops.leaf import param
from autograd_seq.ops.state import state


@contextmanager
def open_scope(name: str | None) -> Iterator[None]:
    """Open the scope ``name``, or none."""
    if name is None:
        yield
        return
    with scope(name):
        yield


def name_gate(letter: str, gate: Node) -> Node:
    """Name a gate within a scope, where the name cannot clash with one of the model; without a scope it gets a letter only."""
    gate.letter = letter
    return gate.named(letter) if get_scope() else gate


def multiply(matrix: str, x: Node, rows: int, bias: str | None = None, init: Any = None, bias_init: Any = None) -> Node:
    """Return M x, or M x + b, with the parameters ``matrix`` and ``bias``."""
    y = param(matrix, (rows, x.shape[0]), init=init) @ x
    return y if bias is None else y + param(bias, (rows,), init=bias_init)


def make_affine(
    gate: str, x: Node, h: Node, hidden: int, bias: bool, *, init: Any = None, bias_init: Any = None, clip: float | None = None
) -> Node:
    """Return U x + W h + b with the parameters of a gate, bounded by ±clip."""
    z = multiply(f"U{gate}", x, hidden) + multiply(f"W{gate}", h, hidden, init=init)
    return bound(z + param(f"b{gate}", (hidden,), init=bias_init) if bias else z, clip)


def bound(z: Node, clip: float | None) -> Node:
    """Return z, bounded by ±clip unless that is ``None``."""
    if clip is None:
        return z
    clip = check_number(clip, "a cell", "clip", "a positive number, or None", 0.0, inside=True)
    return clip_node(z, -clip, clip)


def make_state(
    name: str, x: Node, shape: int | tuple[int, ...], over: Axis, row: Any, reverse: bool = False
) -> tuple[Node, Node]:
    """Return a state over the axes of ``x``, and itself at the step before (after, if reversed)."""
    if isinstance(row, (tuple, list)) and any(r is None or isinstance(r, Node) for r in row):
        raise OperationError(
            "N148", f"init= of {name} is a {type(row).__name__} of {len(row)}, and one row stands before the first step",
            where=show_site(user_site()), expected=f"a row of shape {shape}, or None", got=repr(row)[:80],
        )  # fmt: skip
    rows, shape = None if row is None else {over: row}, shape if isinstance(shape, tuple) else (shape,)
    if reverse:
        s = state(name, shape, over=x.axes, final=rows)
        return s, s[over + 1]
    s = state(name, shape, over=x.axes, init=rows)
    return s, s[over - 1]


def check_rows(init: Any, cell: str, names: str) -> tuple[Any, ...]:
    """Return the initial rows of a cell with several states, ``None`` for zeros."""
    parts = names.split()
    if init is None:
        return (None,) * len(parts)
    if isinstance(init, tuple) and len(init) == len(parts):
        return init
    what = "a pair" if len(parts) == 2 else f"a tuple of {len(parts)} rows"
    raise OperationError(
        "N104", f"init= of {cell} is not {what}", where=show_site(user_site()),
        expected=f"init=({', '.join(parts)}), or None", got=repr(init)[:80],
        fix=f"init=({', '.join([parts[0]] + ['None'] * (len(parts) - 1))}) leaves the others at zero",
    )  # fmt: skip


def check_input(x: Any, over: Any, cell: str) -> Node:
    """Return ``x`` as a node; refuse what is not a vector at each step of ``over``."""
    return check_vector(check_varies(x, over, cell), cell)


def check_varies(x: Any, over: Any, cell: str) -> Node:
    """Return ``x`` as a node; refuse what does not vary over ``over``."""
    x = _check_one(x, cell)
    if not isinstance(over, Axis) or over not in x.axes:
        axes = ", ".join(a.name for a in (*x.axes, over) if isinstance(a, Axis)) if isinstance(over, Axis) else "t"
        raise AxisError(
            "N101", f"{cell} cannot run along {over!r}: {label_of(x)} does not vary over it", node=x.name,
            where=show_site(user_site()),
            expected=f"one of {', '.join(a.name for a in x.axes)}" if x.axes else "an input that varies over an axis",
            got=f"over={over!r}", fix=f'ag.input("{x.name or "x"}", {x.shape}, over={f"({axes})" if "," in axes else axes})',
        )  # fmt: skip
    return x


def _check_one(x: Any, cell: str) -> Node:
    """Return ``x`` as a node; refuse the pair of an LSTM, which is two values."""
    if isinstance(x, tuple) and any(isinstance(v, Node) for v in x):
        raise DTypeError(
            "N144", f"{cell} reads one value, and is given {len(x)}", where=show_site(user_site()), expected="a node",
            got=repr(x)[:80], fix=f"h, {', '.join('_' * (len(x) - 1))} = ag.nn.lstm(…), and h is read",
        )  # fmt: skip
    return constant(x)


def check_vector(x: Any, layer: str) -> Node:
    """Return ``x`` as a node; refuse what is not a vector at each point."""
    x = _check_one(x, layer)
    if len(x.shape) != 1:
        label = label_of(x)
        raise ShapeError(
            "N102", f"{layer} reads a vector at each step, and {label} has shape {x.shape}", node=x.name,
            where=show_site(user_site()), expected="an input of shape (D,)", got=f"{label} of shape {x.shape}",
            fix="ag.reshape(x, (-1,)) makes a vector; a batch is an axis: over=(t, b)",
        )  # fmt: skip
    return x


def check_count(n: Any, cell: str, what: str = "hidden units") -> int:
    """Return a positive integer."""
    units = as_count(n)
    if units is None:
        raise ShapeError(
            "N103", f"{cell} is given {n!r:.60} {what}", where=show_site(user_site()), expected="a positive integer",
            got=repr(n)[:80],
        )  # fmt: skip
    return units


def check_number(
    value: Any, cell: str, argument: str, expected: str, low: float, high: float = math.inf, *, inside: bool = False,
    each: bool = False,
) -> Any:  # fmt: skip
    """Return a number between two others (or, if ``inside``, strictly between them); a node is returned as it is.

    With ``each`` it may be an array or a list: a number for each unit.
    """
    if isinstance(value, Node):
        return value
    x = as_numbers(value)
    right = x is not None and (each or not x.ndim) and bool(np.isfinite(x).all())
    if x is None or not right or not bool(np.all((low < x) & (x < high) if inside else (low <= x) & (x <= high))):
        raise OperationError(
            "N145", f"{cell} is given {argument}={value!r:.60}", where=show_site(user_site()), expected=expected,
            got=repr(value)[:80],
        )  # fmt: skip
    return value


def as_numbers(values: Any) -> np.ndarray | None:
    """Return an array of numbers; ``None`` where the values are none (True and False are none), or not a regular array."""
    try:
        array = np.asarray(values)
    except ValueError:
        return None
    return array if array.dtype.kind in "iuf" else None


def as_integers(values: Any) -> np.ndarray | None:
    """Return an array of integers; ``None`` where the values are not integers, or not a regular array."""
    array = as_numbers(values)
    return None if array is None or (array.size and array.dtype.kind == "f") else array.astype(np.int64)


def check_range(value: Any, cell: str, argument: str, expected: str, high: float = math.inf) -> tuple[float, float]:
    """Return a pair of growing numbers between 0 and another one."""
    pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else (0.0, 0.0)
    right = all(isinstance(v, (int, float, np.number)) for v in pair)
    if not right or not 0 < pair[0] <= pair[1] < high:
        raise OperationError(
            "N146", f"{cell} is given {argument}={value!r:.60}", where=show_site(user_site()), expected=expected,
            got=repr(value)[:80],
        )  # fmt: skip
    return pair[0], pair[1]


def check_function(value: Any, cell: str, argument: str, example: str) -> Any:
    """Return a function from node to node, or a cell."""
    if not callable(value):
        raise OperationError(
            "N147", f"{cell} is given {argument}={value!r:.60}, which is no function", where=show_site(user_site()),
            expected="a function", got=repr(value)[:80], fix=f"{argument}={example}",
        )  # fmt: skip
    return value


def check_choice(value: Any, allowed: dict[str, Any], argument: str, cell: str) -> Any:
    """Return the entry of a table that an argument names; a function is returned as it is."""
    if callable(value):
        return value
    if not isinstance(value, str) or value not in allowed:
        raise OperationError(
            "N120", f"{cell} has no {argument}={value!r:.60}", where=show_site(user_site()),
            expected=" or ".join(f'"{k}"' for k in allowed), got=repr(value)[:80],
        )  # fmt: skip
    return allowed[value]


Cell = Callable[..., Any]
"""``cell(x, hidden, *, over, name=None, …)``: a node, or a tuple whose first entry is the output."""


def get_output(made: Any) -> Node:
    """Return the output of what a cell returned: the node, or the first of several."""
    return made[0] if isinstance(made, tuple) else made
