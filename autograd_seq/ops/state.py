"""States: values whose equation may be written after they are first read, and that have boundary rows.

A cycle arises when the equation of a state reads the state at another step. The rows are what a shift reads before the first
step or after the last one. Any node is given rows by making it the equation of an unnamed state, so that only states have rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis, Index, as_axes
from autograd_seq.core.errors import DTypeError, ShapeError, StateError
from autograd_seq.core.facts import ANY, KEPT, TOGETHER, WHOLE
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import ARRAY, CONSTANT, UNIQUE, Node, constant
from autograd_seq.core.op import defop
from autograd_seq.core.rules import broadcast as broadcast_shapes
from autograd_seq.core.rules import same_shape
from autograd_seq.core.sites import add_scope, get_scope, show_site, user_site
from autograd_seq.ops.elementwise import cast, where
from autograd_seq.ops.leaf import as_kind, as_shape
from autograd_seq.ops.shape import broadcast_to


class Bound(NamedTuple):
    """The rows of a state on one side of one axis: ``inputs[start:stop]`` of its node.

    ``rows`` is their number, ``None`` if one row stands for all. ``side`` is ``"init"`` or ``"final"``.
    """

    axis: Axis
    side: str
    start: int
    rows: int | None

    @property
    def stop(self) -> int:
        """Where the rows end among the state's inputs."""
        return self.start + (1 if self.rows is None else self.rows)


UNDEFINED = Node(CONSTANT, (), {}, (), float, (), np.float64(np.nan), ARRAY, name="undefined")
"""A placeholder for the equation of a state until it is written."""
UNIQUE["undefined"] = UNDEFINED

STATE = defop(
    "state", shape=same_shape, forward=None, vjp=lambda g, y, x, *rows, **_: (g, *[None] * len(rows)),
    view=WHOLE, pointwise=True, linear=TOGETHER, range=KEPT,
)  # fmt: skip
EQUILIBRIUM = defop(
    "equilibrium", shape=same_shape, forward=None, vjp=lambda g, y, x, *start, **_: (None, *[None] * len(start)),
    pointwise=True, linear=(), range=ANY, flops=0,
    doc="The value that its equation, the first operand, leaves as it is; the second operand is where the search starts. What "
    "flows back to the equation is an equilibrium of its own (autograd_seq.grad.reverse).",
)  # fmt: skip
CLOSED = (STATE, EQUILIBRIUM)
"""Operations whose equation is written after they are first read."""


def state(
    name: str | None,
    shape: Any = (),
    *,
    over: Axis | Iterable[Axis],
    init: Any = None,
    final: Any = None,
    dtype: Any = float,
    every: Any = None,
    inherits: bool = False,
) -> Node:
    """Declare a state, whose equation ``s[t] = …`` follows and may read ``s[t - 1]``.

    Args:
        name: its name in graphs, pictures and errors.
        shape: of one step's value.
        over: the axes it varies over.
        init: what ``s[t - k]`` reads before the first step: zeros by default; a value that does not vary over the
            axis, the same for all rows; or a list of exactly max k rows in time order, ``[s₋₂, s₋₁]``. If the state is
            read at earlier steps of several axes, a dict from axis to any of these.
        final: likewise what ``s[t + k]`` reads after the last step, ``[s_T, s_{T+1}]``. Rows that nothing reads are
            refused when the graph is made.
        dtype: float, int or bool.
        every: a slower clock (Koutník et al. 2014): with 3 the equation holds at steps 0, 3, 6, …, and the state keeps its
            value between them. With several axes a dict from axis to the number of steps.
        inherits: (internal) whether the rows are those of another state, seen through a shift.

    Returns:
        The state's node. Read it as ``s[t]``, ``s[t - 1]``, …

    Raises:
        StateError: a row varies over the axis it bounds, or over one that the state does not.
        ShapeError: a row has another shape.

    Example:
        >>> t = Axis("t")
        >>> y = state("y", over=t, init=[1.0, 10.0])
        >>> y[t] = 0.5 * y[t - 2] + 1

    Notes:
        A program keeps all T steps if a gradient or a sum reads them (but: ``memory=``), else as many as the longest delay.
    """
    full = add_scope(name) if name is not None else None
    axes, dims, kind = as_axes(over), as_shape(shape, full), as_kind(dtype, full)
    if not axes:
        raise StateError(
            "G201", f"state {full} varies over no axis", node=full, where=show_site(user_site()),
            expected="over=t", fix="for a value that does not vary over time use ag.param, ag.input or an expression",
        )  # fmt: skip
    node = Node(STATE, (UNDEFINED,), {}, dims, kind, axes, name=full, site=user_site(), scope=get_scope())
    node.attrs = {"bounds": (), "inherits": inherits, "reach": {}}
    for side, given in (("init", init), ("final", final)):
        if given is not None and len(axes) > 1 and not isinstance(given, dict):
            node.attrs["waiting"] = {**node.attrs.get("waiting", {}), side: given}
            continue
        for axis, value in _split_by_axis(given, node, side).items():
            _add_rows(node, axis, side, value)
    if every is not None:
        node.attrs["every"] = _check_clocks(every, node)
    return node


def _check_clocks(every: Any, node: Node) -> dict[Axis, int]:
    """Return the number of steps between two moves of a state, by axis.

    Raises:
        StateError: it is not a positive integer, or its axis is unknown.
    """
    clocks = _split_by_axis(every, node, "every")
    if strange := [k for k in clocks.values() if not isinstance(k, int) or isinstance(k, bool) or k < 1]:
        raise StateError(
            "G213", f"every= of {node.name} is {strange[0]!r:.60}, not a number of steps", node=node.name, where=node.where,
            expected="an integer ≥ 1",
            got=repr(strange[0]), fix="every=2 updates the state at steps 0, 2, 4, …",
        )  # fmt: skip
    return clocks


def _add_rows(node: Node, axis: Axis, side: str, value: Any) -> None:
    """Give a state its rows on one side of an axis."""
    several = isinstance(value, (list, tuple))
    new = [_make_row(v, node, axis, side) for v in (value if several else [value])]
    bound = Bound(axis, side, len(node.inputs), len(new) if several else None)
    node.inputs, node.attrs = (*node.inputs, *new), {**node.attrs, "bounds": (*node.attrs["bounds"], bound)}


def settle(node: Node, axis: Axis, side: str) -> None:
    """Give rows that were passed without an axis to ``axis``, along which the state is read, if no other axis needs rows.

    Raises:
        StateError: the state is also read outside of another axis on the same side, so that the axis is ambiguous.
    """
    waiting = node.attrs.get("waiting", {})
    if side not in waiting:
        return
    found = next((b.axis for b in node.attrs["bounds"] if b.side == side), None)
    if found is None:
        _add_rows(node, axis, side, waiting[side])
    elif found is not axis:
        steps = "earlier" if side == "init" else "later"
        raise StateError(
            "G202", f"{side}= of {node.name} does not name the axis of its rows", node=node.name, where=show_site(user_site()),
            expected=f"a dict from axis to rows, for {found}, {axis}",
            got=f"{repr(waiting[side])[:80]}, and {node.name} is read at {steps} steps of {found} and of {axis}",
            fix=f"{side}={{{found}: …, {axis}: …}}",
        )  # fmt: skip


def _split_by_axis(given: Any, node: Node, side: str) -> dict[Axis, Any]:
    if given is None:
        return {}
    over = ", ".join(a.name for a in node.axes)
    if not isinstance(given, dict):
        if len(node.axes) > 1:
            raise StateError(
                "G215", f"{side}= of {node.name} does not name the axis of the slower clock", node=node.name,
                where=node.where, expected=f"a dict from axis to the number of steps, for {over}", got=repr(given)[:80],
                fix=f"{side}={{{node.axes[0]}: …}}",
            )  # fmt: skip
        given = {node.axes[0]: given}
    for axis in given:
        if axis not in node.axes:
            raise StateError(
                "G203",
                f"{side}= of {node.name} names {axis!r}, over which the state does not vary",
                node=node.name, where=node.where, expected=f"one of {over}", got=repr(axis),
            )  # fmt: skip
    return given


def _make_row(value: Any, node: Node, axis: Axis, side: str) -> Node:
    row = constant(value)
    label = f"a row of {side}= of {node.name or 'a shift'}"
    if axis in row.axes:
        raise StateError(
            "G204", f"{label} varies over {axis}, the axis outside of which it is read", node=node.name, where=node.where,
            expected=f"a value without {axis}", got=repr(row), fix=f"pick a step: ag.last(…, over={axis})",
        )  # fmt: skip
    if strange := [a.name for a in row.axes if a not in node.axes]:
        raise StateError(
            "G205", f"{label} varies over {', '.join(strange)}, but the state does not", node=node.name,
            where=node.where,
            fix=[f"take one step: ag.last(…, over={strange[0]})",
                 f"or declare the state over=({', '.join([a.name for a in node.axes] + strange)})"],
        )  # fmt: skip
    if not _fits(row, node):
        raise ShapeError(
            "S114", f"{label} has shape {row.shape}, and the state {node.shape}", node=node.name, where=node.where,
            expected=str(node.shape),
            got=str(row.shape), fix="a list holds one row for each delay; write a single row as np.array(…)",
        )  # fmt: skip
    return _cast_like(broadcast_to(row, node.shape), node, label)


def _fits(value: Node, node: Node) -> bool:
    """Tell whether a value broadcasts to the shape of a state."""
    try:
        return broadcast_shapes(value.shape, node.shape) == node.shape
    except ValueError:
        return False


def _cast_like(value: Node, node: Node, label: str) -> Node:
    if value.dtype is node.dtype:
        return value
    if node.dtype is float:
        return cast(value, float)
    raise DTypeError(
        "D202", f"{label} is {value.dtype.__name__}, and the state is {node.dtype.__name__}", node=node.name,
        where=value.where or node.where,
        expected=node.dtype.__name__, got=value.dtype.__name__, fix=f"declare the state with dtype={value.dtype.__name__}",
    )  # fmt: skip


def define(node: Node, key: Any, definition: Any) -> None:
    """Write the equation of a state: ``s[t] = …`` calls this.

    Raises:
        StateError: the node is not a state, it is defined twice or at another step than the current one, or the equation
            varies over more axes than the state.
        ShapeError: the equation has another shape.
    """
    label, here = label_of(node), show_site(user_site())
    parts = key if isinstance(key, tuple) else (key,)
    if node.op not in CLOSED:
        raise StateError(
            "G206", f"{label} is not a state, so no equation can be written for it", node=node.name, where=here,
            expected="a state on the left of =", got=f"the result of {node.op.name}",
            fix=f's = ag.state("s", {node.shape}, over=…); s[t] = …',
        )  # fmt: skip
    if node.op is EQUILIBRIUM:  # z[...] = …, at all points, if it varies over no axis
        parts = tuple([p for p in parts if p is not ...])
    if not all(isinstance(p, Axis) or (isinstance(p, Index) and p.offset == 0) for p in parts) or not {
        p if isinstance(p, Axis) else p.axis for p in parts
    } <= set(node.axes):  # fmt: skip
        raise StateError(
            "G207", f"the equation of {label} is not for the current step", node=node.name, where=here,
            expected=f"{label}[{', '.join(a.name for a in node.axes)}] = …",
            got=f"{label}[{', '.join(map(repr, parts))}] = …", fix="move the shift to the right-hand side"
            if any(isinstance(p, (Axis, Index)) for p in parts) else
            f'rows before the first step are given in the declaration: ag.state("{label}", …, init=…)',
        )  # fmt: skip
    if node.inputs[0] is not UNDEFINED:
        raise StateError(
            "G208", f"{label} is defined twice", node=node.name, where=here,
            got=f"a first equation, {node.inputs[0].name or node.inputs[0].op.name}"
            + (f", in {node.inputs[0].where}" if node.inputs[0].where else ""),
            fix="a second quantity needs a state of its own",
        )  # fmt: skip
    value = constant(definition)
    for axis, k in node.attrs.get("every", {}).items():
        if k > 1:
            value = where(FUNCTIONS["ticks"](axis, k), value, node[axis - 1])
    if extra := [a.name for a in value.axes if a not in node.axes]:
        raise StateError(
            "G209", f"the equation of {label} varies over {', '.join(extra)}, but {label} does not", node=node.name,
            where=here, fix=f'ag.state("{label}", …, over=({", ".join([a.name for a in node.axes] + extra)})), or reduce '
            f"the equation with ag.sum(…, over={extra[0]})",
        )  # fmt: skip
    if not _fits(value, node):
        raise ShapeError(
            "S115", f"the equation of {label} has shape {value.shape}, and {label} has {node.shape}", node=node.name,
            where=here,
            expected=str(node.shape), got=str(value.shape), fix=f'ag.state("{label}", {value.shape}, over=…)',
        )  # fmt: skip
    node.inputs = (_cast_like(broadcast_to(value, node.shape), node, f"the equation of {label}"), *node.inputs[1:])


FUNCTIONS.update(define=define)
__all__ = ["state"]
explain_keywords(globals(), __all__)
