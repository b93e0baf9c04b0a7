"""What all cells share: checks of their arguments, scopes, and the affine maps and states that their equations are made of."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError, ShapeError
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import get_scope, scope, show_site, user_site
from autograd_seq.ops.elementwise import clip as clip_node
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
    """Name a gate within a scope, where the name cannot clash with one of the model."""
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
    return z if clip is None else clip_node(z, -clip, clip)


def make_state(
    name: str, x: Node, shape: int | tuple[int, ...], over: Axis, row: Any, reverse: bool = False
) -> tuple[Node, Node]:
    """Return a state over the axes of ``x``, and itself at the step before (after, if reversed)."""
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
    x, here = constant(x), show_site(user_site())
    label = label_of(x)
    if not isinstance(over, Axis) or over not in x.axes:
        raise AxisError(
            "N101", f"{cell} cannot recur along {over!r}: {label} does not vary over it", node=x.name, where=here,
            expected=f"one of {', '.join(a.name for a in x.axes)}" if x.axes else "an input that varies over an axis",
            got=f"over={over!r}", fix=f'ag.input("{x.name or "x"}", {x.shape}, over=t)',
        )  # fmt: skip
    return check_vector(x, cell)


def check_vector(x: Any, layer: str) -> Node:
    """Return ``x`` as a node; refuse what is not a vector at each point."""
    x = constant(x)
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
    try:
        units = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        units = 0
    if units < 1:
        raise ShapeError(
            "N103", f"{cell} is given {n!r:.60} {what}", where=show_site(user_site()), expected="a positive integer",
            got=repr(n)[:80],
        )  # fmt: skip
    return units


def check_choice(value: Any, allowed: dict[str, Any], argument: str, cell: str) -> Any:
    """Return the entry of a table that an argument names; a function is returned as it is."""
    if callable(value):
        return value
    if value not in allowed:
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
