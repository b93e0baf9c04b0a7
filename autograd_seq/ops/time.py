"""Operations along axes: states, shifts (z⁻¹), step numbers, picking a step, reading at another index.

A *state* is a value with boundary rows: what a shift reads before the first or behind the last step. Its equation may
be written later than its first read, which is what closes a cycle. ``shift(x, t, 1, init=r)`` of any node is a read of
an unnamed state whose equation is ``x``: boundaries exist in one place only.

These operations have no ``forward``: the unroller resolves them into edges.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.axes import Axis, Index, as_axes
from autograd_seq.errors import AxisError, DTypeError, OperationError, ShapeError, StateError
from autograd_seq.node import ARRAY, CONSTANT, Node, constant
from autograd_seq.op import FUNCTIONS, Op, defop, first, same_shape
from autograd_seq.op import broadcast as broadcast_shapes
from autograd_seq.ops.elementwise import cast, equal, where
from autograd_seq.ops.leaf import as_kind, as_shape, check_name
from autograd_seq.ops.shape import broadcast_to
from autograd_seq.site import current_scope, show_site, user_site


class Bound(NamedTuple):
    """The rows that a state shows on one side of one axis: ``inputs[start:stop]`` of its node.

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
"""Stands for the equation of a state until it is written."""

STATE = defop("state", shape=same_shape, forward=None, vjp=lambda g, y, x, *rows, **_: (g, *[None] * len(rows)))


def state(
    name: str | None,
    shape: Any = (),
    *,
    over: Axis | Iterable[Axis],
    init: Any = None,
    final: Any = None,
    dtype: Any = float,
    inherits: bool = False,
) -> Node:
    """Declare a state, whose equation ``s[t] = …`` follows and may read ``s[t - 1]``.

    Args:
        name: its name in graphs, pictures and errors.
        shape: of one step's value.
        over: the axes it varies over.
        init: what ``s[t - k]`` reads before the first step: zeros by default; a value that does not vary over the
            axis, the same for all rows; or a list of exactly max k rows in time order, ``[s₋₂, s₋₁]``. With several
            axes a dict from axis to any of these.
        final: likewise what ``s[t + k]`` reads behind the last step, ``[s_T, s_{T+1}]``.
        dtype: float, int or bool.
        inherits: (for the engine) the rows are another state's, as seen through a shift.

    Returns:
        The state's node. Read it as ``s[t]``, ``s[t - 1]``, …

    Raises:
        StateError: a row varies over the axis it bounds, or over one that the state does not.
        ShapeError: a row has another shape.

    Example:
        >>> t = Axis("t")
        >>> y = state("y", over=t, init=[1.0, 10.0])
        >>> y[t] = 0.5 * y[t - 2] + 1
    """
    full = check_name(name) if name is not None else None
    axes, dims, kind = as_axes(over), as_shape(shape, full), as_kind(dtype, full)
    if not axes:
        raise StateError(
            "G201", f"state {full} varies over no axis", node=full, where=show_site(user_site()),
            expected="over=t", fix="a value without time is a param, an input or an expression",
        )  # fmt: skip
    node = Node(STATE, (UNDEFINED,), {}, dims, kind, axes, name=full, site=user_site(), scope=current_scope())
    bounds: list[Bound] = []
    rows: list[Node] = [UNDEFINED]
    for side, given in (("init", init), ("final", final)):
        for axis, value in _by_axis(given, node, side).items():
            several = isinstance(value, (list, tuple))
            new = [_row(v, node, axis, side) for v in (value if several else [value])]
            bounds.append(Bound(axis, side, len(rows), len(new) if several else None))
            rows += new
    node.inputs = tuple(rows)
    node.attrs = {"bounds": tuple(bounds), "inherits": inherits, "reach": {}}
    return node


def _by_axis(given: Any, node: Node, side: str) -> dict[Axis, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        if len(node.axes) > 1:
            raise StateError(
                "G202", f"{side}= of {node.name} does not say which axis it bounds", node=node.name, where=node.where,
                expected=f"a dict from axis to rows, for {', '.join(a.name for a in node.axes)}", got=repr(given)[:80],
                fix=f"{side}={{{node.axes[0]}: …}}",
            )  # fmt: skip
        given = {node.axes[0]: given}
    for axis in given:
        if axis not in node.axes:
            raise StateError(
                "G203", f"{side}= of {node.name} bounds {axis!r}, over which it does not vary", node=node.name,
                where=node.where, expected=f"one of {', '.join(a.name for a in node.axes)}", got=repr(axis),
            )  # fmt: skip
    return given


def _row(value: Any, node: Node, axis: Axis, side: str) -> Node:
    row = constant(value)
    label = f"a row of {side}= of {node.name or 'a shift'}"
    if axis in row.axes:
        raise StateError(
            "G204", f"{label} varies over {axis}, which it bounds", node=node.name, where=node.where,
            expected=f"a value without {axis}", got=repr(row), fix=f"pick a step: ag.last(…, over={axis})",
        )  # fmt: skip
    if strange := [a.name for a in row.axes if a not in node.axes]:
        raise StateError(
            "G205", f"{label} varies over {', '.join(strange)}, but the state does not", node=node.name,
            where=node.where, fix=f"declare the state over=({', '.join([a.name for a in node.axes] + strange)})",
        )  # fmt: skip
    try:
        fits = broadcast_shapes(row.shape, node.shape) == node.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            "S114", f"{label} has another shape", node=node.name, where=node.where, expected=str(node.shape),
            got=str(row.shape), fix="a list means one row for each delay; wrap a single row in np.array(…)",
        )  # fmt: skip
    return _as_kind_of(broadcast_to(row, node.shape), node, label)


def _as_kind_of(value: Node, node: Node, label: str) -> Node:
    if value.dtype is node.dtype:
        return value
    if node.dtype is float:
        return cast(value, float)
    raise DTypeError(
        "D202", f"{label} has another kind", node=node.name, where=value.where or node.where,
        expected=node.dtype.__name__, got=value.dtype.__name__, fix=f"declare the state with dtype={value.dtype.__name__}",
    )  # fmt: skip


def define(node: Node, key: Any, definition: Any) -> None:
    """Write the equation of a state: ``s[t] = …`` calls this.

    Raises:
        StateError: not a state, defined twice, at another step than the current one, or the equation varies over more
            axes than the state.
        ShapeError: the equation has another shape.
    """
    label, here = node.name or node.op.name, show_site(user_site())
    parts = key if isinstance(key, tuple) else (key,)
    if node.op is not STATE:
        raise StateError(
            "G206", f"{label} is no state", node=node.name, where=here, expected="a state on the left of =",
            got=f"the result of {node.op.name}", fix=f's = ag.state("s", {node.shape}, over=…); s[t] = …',
        )  # fmt: skip
    if not all(isinstance(p, Axis) or (isinstance(p, Index) and p.offset == 0) for p in parts) or not {
        p if isinstance(p, Axis) else p.axis for p in parts
    } <= set(node.axes):  # fmt: skip
        raise StateError(
            "G207", f"the equation of {label} is for the current step", node=node.name, where=here,
            expected=f"{label}[{', '.join(a.name for a in node.axes)}] = …",
            got=f"{label}[{', '.join(map(repr, parts))}] = …", fix="move the shift to the right-hand side",
        )  # fmt: skip
    if node.inputs[0] is not UNDEFINED:
        raise StateError(
            "G208", f"{label} is defined twice", node=node.name, where=here,
            got=f"first defined {'as ' + (node.inputs[0].name or node.inputs[0].op.name)}"
            + (f" in {node.inputs[0].where}" if node.inputs[0].where else ""),
            fix="a second quantity needs a state of its own",
        )  # fmt: skip
    value = constant(definition)
    if extra := [a.name for a in value.axes if a not in node.axes]:
        raise StateError(
            "G209", f"the equation of {label} varies over {', '.join(extra)}, but {label} does not", node=node.name,
            where=here, fix=f'ag.state("{label}", …, over=({", ".join([a.name for a in node.axes] + extra)})), or reduce '
            f"the equation with ag.sum(…, over={extra[0]})",
        )  # fmt: skip
    try:
        fits = broadcast_shapes(value.shape, node.shape) == node.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            "S115", f"the equation of {label} has another shape", node=node.name, where=here,
            expected=str(node.shape), got=str(value.shape), fix=f'ag.state("{label}", {value.shape}, over=…)',
        )  # fmt: skip
    node.inputs = (_as_kind_of(broadcast_to(value, node.shape), node, f"the equation of {label}"), *node.inputs[1:])


# -- reading other steps --------------------------------------------------------------------------------------------

SHIFT: Op = defop(
    "shift", shape=same_shape, dtype=first, forward=None,
    vjp=lambda g, y, x, axis, by, outside: (SHIFT(spread(g, axis), axis=axis, by=-by, outside="zero"),),
    doc="x at the step ``by`` earlier; outside the sequence the source's boundary rows, or zero.",
)  # fmt: skip


def shift(x: Any, axis: Axis, by: int, *, init: Any = None, final: Any = None) -> Node:
    """Read ``x`` at step ``t - by``: ``s[t - 1]`` is ``shift(s, t, 1)``.

    Args:
        x: a value that varies over the axis.
        axis: the axis.
        by: how many steps back; negative looks ahead.
        init, final: rows outside the sequence, as for :func:`state`; zeros by default.

    Raises:
        AxisError: ``x`` does not vary over the axis.

    Example:
        >>> t = Axis("t")
        >>> from autograd_seq.ops.leaf import input
        >>> shift(input("x", over=t), t, 2, init=[1.0, 2.0]).axes
        (t,)
    """
    x = constant(x)
    _check_varies(x, axis)
    by = -(axis - by).offset if by else 0
    if init is not None or final is not None:
        before, behind = (r if r is None or isinstance(r, dict) else {axis: r} for r in (init, final))
        x = _bounded(x, before, behind)
    if by == 0:
        return x
    if x.op is SHIFT and x.attrs["outside"] == "bounds":
        if x.attrs["axis"] is axis and (x.attrs["by"] > 0) == (by > 0):
            return shift(x.inputs[0], axis, x.attrs["by"] + by)
        if rows := _seen_through(x, axis):
            x = _bounded(x, *rows, inherits=True)
    if (owner := owner_of_rows(x)).op is STATE:  # the longest read, whichever graph it will be in
        key = axis, "init" if by > 0 else "final"
        owner.attrs["reach"][key] = max(abs(by), owner.attrs["reach"].get(key, 0))
    return SHIFT(x, axis=axis, by=by, outside="bounds")


def owner_of_rows(x: Node) -> Node:
    """Return the state whose rows a shift of ``x`` shows, seen through shifts along other axes."""
    while x.op is STATE and x.attrs["inherits"]:
        x = x.inputs[0]
        while x.op is SHIFT:
            x = x.inputs[0]
    return x


def _bounded(x: Node, init: Any, final: Any, inherits: bool = False) -> Node:
    node = state(None, x.shape, over=x.axes, init=init, final=final, dtype=x.dtype, inherits=inherits)
    node[x.axes] = x
    return node


def _seen_through(x: Node, axis: Axis) -> tuple[dict[Axis, Any], dict[Axis, Any]] | None:
    """Return (init, final) rows on ``axis`` of the state that ``x`` reads through shifts along other axes."""
    shifts = []
    while x.op is SHIFT:
        shifts.append(x.attrs)
        x = x.inputs[0]
    found: dict[str, dict[Axis, Any]] = {"init": {}, "final": {}}
    for bound in x.attrs["bounds"] if x.op is STATE else ():
        if bound.axis is axis:
            rows = list(x.inputs[bound.start : bound.stop])
            for s in reversed(shifts):
                rows = [shift(r, s["axis"], s["by"]) if s["axis"] in r.axes else r for r in rows]
            found[bound.side][axis] = rows[0] if bound.rows is None else rows
    return (found["init"], found["final"]) if found["init"] or found["final"] else None


def _one_axis(axis: Any, name: str | None = None) -> Axis:
    if not isinstance(axis, Axis):
        raise AxisError("A105", "an axis is expected", node=name, expected="an ag.Axis", got=repr(axis))
    return axis


def _check_varies(x: Node, axis: Any) -> None:
    label = x.name or x.op.name
    _one_axis(axis, x.name)
    if axis not in x.axes:
        over = f"varies over {', '.join(a.name for a in x.axes)} only" if x.axes else "is static"
        raise AxisError(
            "A106", f"{label} does not vary over {axis}", node=x.name, where=show_site(user_site()),
            got=f"{label}, which {over}", fix=f"declare it with over={axis}, or read it without [{axis}]",
        )  # fmt: skip


def read(x: Node, key: Any) -> Node:
    """Read with the index notation: ``x[t - 1]``, ``g[i - 1, j]``, ``x[t, 0]``, ``x[0]``.

    Places on axes shift, in the order of the node's axes; everything else indexes the value's dimensions.
    """
    parts = key if isinstance(key, tuple) else (key,)
    places = [p if isinstance(p, Index) else p + 0 for p in parts if isinstance(p, (Axis, Index))]
    if len({p.axis for p in places}) != len(places):
        raise AxisError(
            "A107", f"{x.name or x.op.name} is read at two places of one axis", node=x.name,
            where=show_site(user_site()), got=repr(key), fix="ag.index, ag.along and axes of their own compare two places",
        )  # fmt: skip
    for place in places:
        _check_varies(x, place.axis)
    for place in sorted(places, key=lambda p: x.axes.index(p.axis)):
        x = shift(x, place.axis, -place.offset)
    rest = tuple(p for p in parts if not isinstance(p, (Axis, Index)))
    if not rest and parts:
        return x
    return FUNCTIONS["getitem"](x, rest if isinstance(key, tuple) else key)


# -- step numbers, single steps, other axes -------------------------------------------------------------------------

SIZE = defop("size", shape=lambda *, axis: (), dtype=int, forward=None, vjp=lambda g, y, axis: ())
INDEX = defop(
    "index", shape=lambda *, axis: (), dtype=int, forward=None, vjp=lambda g, y, axis: (), axes=lambda *, axis: (axis,)
)
AT = defop(
    "at", shape=lambda x, **_: x, dtype=first, forward=None, axes=lambda x, *, axis, **_: tuple(a for a in x if a is not axis),
    vjp=lambda g, y, x, axis, index, outside: (where(equal(INDEX(axis=axis), _from_start(index, axis)), g, 0.0),),
)  # fmt: skip
ALONG: Op = defop(
    "along", shape=lambda x, **_: x, dtype=first, forward=None,
    axes=lambda x, *, axis, other: tuple(other if a is axis else a for a in x),
    vjp=lambda g, y, x, axis, other: (ALONG(g, axis=other, other=axis) if other in g.axes else g,),
)  # fmt: skip
SPREAD = defop(
    "spread", shape=lambda x, **_: x, dtype=first, forward=None,
    axes=lambda x, *, axes: (*x, *(a for a in axes if a not in x)),
    vjp=lambda g, y, x, axes: (g,),  # the engine sums over the axes that were added
)  # fmt: skip


def _from_start(index: int, axis: Axis) -> Any:
    return index if index >= 0 else SIZE(axis=axis) + index


def size(axis: Axis) -> Node:
    """The number of steps on an axis, as an integer value.

    Example:
        >>> size(Axis("t"))
        size: int
    """
    return SIZE(axis=_one_axis(axis))


def index(axis: Axis) -> Node:
    """The step number 0, 1, …, T − 1, as an integer value that varies over the axis.

    Example:
        >>> t, u = Axis("t"), Axis("u")
        >>> causal = index(u) <= index(t)
        >>> causal.axes
        (u, t)
    """
    return INDEX(axis=_one_axis(axis))


def at(x: Any, over: Axis, index: int, *, outside: str = "error") -> Node:
    """Pick step ``index`` of an axis; negative numbers count from the end.

    Args:
        x: a value; one that does not vary over the axis is returned as it is.
        over: the axis.
        index: 0 … T − 1, or −T … −1.
        outside: ``"error"``, or ``"zero"`` to read 0 where there is no such step.

    Raises:
        AxisError: when the graph is unrolled over too few steps.

    Example:
        >>> t = Axis("t")
        >>> from autograd_seq.ops.leaf import input
        >>> at(input("x", (3,), over=t), t, -1).axes
        ()
    """
    x = constant(x)
    if outside not in ("error", "zero"):
        raise OperationError("O104", "at knows two ways outside", expected='"error" or "zero"', got=repr(outside))
    try:
        step = operator.index(index)
    except TypeError:
        raise AxisError(
            "A108", "at picks a fixed step", node=x.name, expected="an integer", got=repr(index),
            fix="choose a computed step with ag.sum(ag.where(ag.index(t) == …, x, 0), over=t)",
        ) from None  # fmt: skip
    return AT(x, axis=over, index=step, outside=outside) if _one_axis(over, x.name) in x.axes else x


def last(x: Any, *, over: Axis) -> Node:
    """The last step of an axis; see :func:`at`."""
    return at(x, over, -1)


def first_step(x: Any, *, over: Axis) -> Node:
    """The first step of an axis; see :func:`at`."""
    return at(x, over, 0)


def along(x: Any, axis: Axis, other: Axis) -> Node:
    """Read ``x`` at index ``other`` instead of ``axis``: with ``k.along(t, u)``, scores q[t]·k[u] vary over (t, u).

    Both axes then have the same length.

    Raises:
        AxisError: ``x`` does not vary over ``axis``, or varies over ``other`` already.

    Example:
        >>> t, u = Axis("t"), Axis("u")
        >>> from autograd_seq.ops.leaf import input
        >>> along(input("k", (3,), over=t), t, u).axes
        (u,)
    """
    x = constant(x)
    _check_varies(x, axis)
    _one_axis(other, x.name)
    if other in x.axes:
        raise AxisError(
            "A109", f"{x.name or x.op.name} varies over {other} already", node=x.name, where=show_site(user_site()),
            fix="rename to an axis that it does not have",
        )  # fmt: skip
    return ALONG(x, axis=axis, other=other)


def spread(x: Any, axes: Axis | Iterable[Axis]) -> Node:
    """Let ``x`` vary, by name only, over more axes: every point has the same value."""
    x = constant(x)
    missing = tuple(a for a in as_axes(axes) if a not in x.axes)
    return SPREAD(x, axes=missing) if missing else x


FUNCTIONS.update(read=read, define=define, along=along)
first_step.__name__ = "first"
__all__ = ["along", "at", "index", "last", "shift", "size", "state"]
