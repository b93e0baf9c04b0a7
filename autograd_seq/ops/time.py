"""Operations along axes: shifts (z⁻¹), step numbers, picking a step, reading at another index.

They have no ``forward``: the unroller resolves them into edges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograd_seq.core.axes import Affine, Axis, Index, Iteration, as_axes
from autograd_seq.core.errors import AxisError, StateError
from autograd_seq.core.facts import FINITE, KEPT, POINTS, STEPS, TOGETHER
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import first, same_shape
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.state import STATE, settle, state

# -- reading other steps --------------------------------------------------------------------------------------------

SHIFT: Op = defop(
    "shift", shape=same_shape, dtype=first, forward=None,
    vjp=lambda g, y, x, axis, by, outside: (SHIFT(spread(g, axis), axis=axis, by=-by, outside="zero"),),
    view=STEPS, pointwise=True, linear=TOGETHER, range=KEPT,
    doc="x ``by`` steps earlier; outside the sequence the boundary rows of the source, or zero.",
)  # fmt: skip


def shift(x: Any, axis: Axis, by: int, *, init: Any = None, final: Any = None) -> Node:
    """Read ``x`` at step ``t - by``: ``s[t - 1]`` is ``shift(s, t, 1)``.

    Args:
        x: a value that varies over the axis.
        axis: the axis.
        by: how many steps back; a negative number looks ahead.
        init, final: rows before the first step and after the last one, as for :func:`state`; zeros by default. A shift to
            earlier steps reads ``init``, one to later steps ``final``, one by 0 neither.

    Returns:
        A node of the shape and the axes of ``x``.

    Raises:
        AxisError: ``x`` does not vary over the axis.
        StateError: rows are given only on the side that is not read.

    Example:
        >>> t = Axis("t")
        >>> from autograd_seq.ops.leaf import input
        >>> shift(input("x", over=t), t, 2, init=[1.0, 2.0]).axes
        (t,)
    """
    x = constant(x)
    check_varies(x, axis)
    by = -(axis - by).offset if by else 0
    if by == 0:
        return x
    if init is not None or final is not None:
        before, behind = (r if r is None or isinstance(r, dict) else {axis: r} for r in (init, final))
        read, other = ("init", "final") if by > 0 else ("final", "init")
        given = {"init": axis in (before or {}), "final": axis in (behind or {})}
        if given[other] and not given[read]:
            raise StateError(
                "G216", f"nothing reads {other}= of a shift to {'an earlier' if by > 0 else 'a later'} step", node=x.name,
                where=show_site(user_site()), expected=f"{read}=", got=f"{other}= and {axis} - {by}".replace("- -", "+ "),
                fix=f"give {read}=, the rows {'before the first step' if by > 0 else 'after the last step'}",
            )  # fmt: skip
        x = _give_rows(x, before, behind)
        for side in ("init", "final"):  # of two, one is read by this shift
            x.attrs["reach"].update({(a, side): 0 for a in (before if side == "init" else behind) or {}})
    settle(_strip_shifts(x), axis, "init" if by > 0 else "final")
    if x.op is SHIFT and x.attrs["outside"] == "bounds":
        if x.attrs["axis"] is axis and (x.attrs["by"] > 0) == (by > 0):
            return shift(x.inputs[0], axis, x.attrs["by"] + by)
        if rows := _find_rows_through_shifts(x, axis):
            x = _give_rows(x, *rows, inherits=True)
    if (owner := find_row_owner(x)).op is STATE:  # note the longest read, in whichever graph it will be
        key = axis, "init" if by > 0 else "final"
        owner.attrs["reach"][key] = max(abs(by), owner.attrs["reach"].get(key, 0))
    return SHIFT(x, axis=axis, by=by, outside="bounds")


def find_row_owner(x: Node) -> Node:
    """Return the state whose rows a shift of ``x`` reads: ``x`` itself, or what it reads through shifts along other axes."""
    while x.op is STATE and x.attrs["inherits"]:
        x = _strip_shifts(x.inputs[0])
    return x


def _strip_shifts(x: Node) -> Node:
    """Return the node beneath the shifts of ``x``, also through states that were inserted to give a shift its rows."""
    while x.op is SHIFT or (x.op is STATE and x.attrs["inherits"]):
        x = x.inputs[0]
    return x


def _give_rows(x: Node, init: Any, final: Any, inherits: bool = False) -> Node:
    node = state(None, x.shape, over=x.axes, init=init, final=final, dtype=x.dtype, inherits=inherits)
    node[x.axes] = x
    return node


def _find_rows_through_shifts(x: Node, axis: Axis) -> tuple[dict[Axis, Any], dict[Axis, Any]] | None:
    """Return the (init, final) rows along ``axis`` of the state that ``x`` reads through shifts along other axes."""
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


def check_axis(axis: Any, name: str | None = None) -> Axis:
    """Return an axis; refuse anything else, with the name of the value that was to vary over it."""
    if not isinstance(axis, Axis):
        raise AxisError("A105", f"{axis!r:.60} is not an axis", node=name, expected="an ag.Axis", got=repr(axis))
    return axis


def check_varies(x: Node, axis: Any) -> None:
    """Refuse an axis over which a value does not vary."""
    label = label_of(x)
    check_axis(axis, x.name)
    if axis not in x.axes:
        over = f"varies over {', '.join(a.name for a in x.axes)} only" if x.axes else "is static"
        same = axis.name in [a.name for a in x.axes]
        raise AxisError(
            "A106", f"{label} does not vary over {axis}", node=x.name, where=show_site(user_site()),
            got=f"{label}, which {over}" + (f": another axis, also called {axis}" if same else ""),
            fix="make the axis once, and use it in every equation" if same
            else f"declare it with over={axis}, or read it without [{axis}]",
        )  # fmt: skip


def read(x: Node, key: Any) -> Node:
    """Return what the index notation reads: ``x[t - 1]``, ``g[i - 1, j]``, ``x[t, 0]``, ``x[0]``.

    Index terms with an axis shift along it, in whatever order they are written; all others index the dimensions of the value.
    """
    parts = key if isinstance(key, tuple) else (key,)
    for part in parts:
        if isinstance(part, Affine):
            part._refuse_arithmetic(part)
    places = [p if isinstance(p, Index) else p + 0 for p in parts if isinstance(p, (Axis, Index))]
    if len({p.axis for p in places}) != len(places):
        raise AxisError(
            "A107", f"{label_of(x)} is indexed twice along one axis", node=x.name, where=show_site(user_site()),
            got=repr(key), fix="to compare two steps, read one of them along a second axis: x.along(t, u)",
        )  # fmt: skip
    for place in places:
        check_varies(x, place.axis)
    for place in sorted(places, key=lambda p: x.axes.index(p.axis)):
        x = shift(x, place.axis, -place.offset)
    rest = tuple(p for p in parts if not isinstance(p, (Axis, Index)))
    if not rest and parts:
        return x
    return FUNCTIONS["getitem"](x, rest if isinstance(key, tuple) else key)


# -- step numbers, single steps, other axes -------------------------------------------------------------------------

SIZE = defop(
    "size", shape=lambda **_: (), dtype=int, forward=None, vjp=lambda g, y, *, axis, among=(), of=(): (),
    flops=0, linear=(), range=FINITE,
    doc="The number of steps. With ``among`` it is the factor of one axis in the number of points that a value over ``of`` has "
    "on the axes ``among``: with lengths, the product of these factors is the number of points outside of the padding.",
)  # fmt: skip
INDEX = defop(
    "index",
    shape=lambda **_: (),
    dtype=int,
    forward=None,
    axes=lambda *, axis, **_: (axis,),
    vjp=lambda g, y, *, axis, here=False: (),
    flops=0,
    linear=(),
    range=FINITE,
    doc="The step number. With ``here=True`` it starts from 0 in each call, also in one that continues from a carry.",
)
AT = defop(
    "at", shape=lambda x, **_: x, dtype=first, forward=None, axes=lambda x, *, axis, **_: tuple(a for a in x if a is not axis),
    vjp=lambda g, y, x, axis, index, outside, row=False: (
        where(equal(INDEX(axis=axis, **({} if row else {"here": True})), _count_from_start(index, axis, x)), g, 0.0),),
    view=POINTS, linear=TOGETHER, range=KEPT,
    doc="The value at one step. ``row=True`` marks a cotangent of an initial row, whose step is counted from the start of the "
    "whole sequence, not of the piece.",
)  # fmt: skip
ALONG: Op = defop(
    "along", shape=lambda x, **_: x, dtype=first, forward=None,
    axes=lambda x, *, axis, other: tuple(other if a is axis else a for a in x),
    vjp=lambda g, y, x, axis, other: (ALONG(g, axis=other, other=axis) if other in g.axes else g,),
    view=POINTS, linear=TOGETHER, range=KEPT,
)  # fmt: skip
SPREAD = defop(
    "spread", shape=lambda x, **_: x, dtype=first, forward=None,
    axes=lambda x, *, axes: (*x, *(a for a in axes if a not in x)),
    vjp=lambda g, y, x, axes: (g,),  # the engine sums over the axes that were added
    view=STEPS, linear=TOGETHER, range=KEPT,
)  # fmt: skip


def _count_from_start(index: int, axis: Axis, x: Node) -> Any:
    return index if index >= 0 else count(x, (axis,), axis) + index


def count(x: Node, among: tuple[Axis, ...], axis: Axis) -> Node:
    """Return the factor of ``axis`` in the number of points that ``x`` has on the axes ``among``."""
    return SIZE(axis=axis, among=among, of=x.axes)


def size(axis: Axis) -> Node:
    """The number of steps on an axis, as an integer value; with ``lengths=`` that of each sequence.

    Args:
        axis: the axis.

    Returns:
        A node, an integer; with ``lengths=`` over the axes of the sequences.

    Example:
        >>> size(Axis("t"))
        size: int
    """
    return SIZE(axis=check_axis(axis))


def index(axis: Axis) -> Node:
    """The step number 0, 1, …, T − 1, as an integer value that varies over the axis.

    Args:
        axis: the axis.

    Returns:
        A node of integers over the axis.

    Example:
        >>> t, u = Axis("t"), Axis("u")
        >>> causal = index(u) <= index(t)
        >>> causal.axes
        (u, t)
    """
    return INDEX(axis=check_axis(axis))


def along(x: Any, axis: Axis, other: Axis | Index | Affine) -> Node:
    """Read ``x`` at index ``other`` instead of ``axis``: with ``k.along(t, u)``, scores q[t]·k[u] vary over (t, u).

    Args:
        x: a value that varies over ``axis``.
        axis: the axis.
        other: another axis; both then have the same length. Or a place that is computed from axes: ``2 * u + 1``, ``u // 2``,
            ``2 * u + k``; they have lengths of their own, and each place must be a step of ``axis``.

    Returns:
        A node of the shape of ``x`` that varies over the axes of the place instead of ``axis``.

    Raises:
        AxisError: ``x`` does not vary over ``axis``, or varies over ``other`` already.
        FeedError: a place is no step of ``axis`` (when the value is computed).

    Example:
        >>> t, u = Axis("t"), Axis("u")
        >>> from autograd_seq.ops.leaf import input
        >>> along(input("k", (3,), over=t), t, u).axes
        (u,)
        >>> import autograd_seq as ag
        >>> x = input("x", over=t)
        >>> pooled = ag.maximum(x.along(t, 2 * u), x.along(t, 2 * u + 1))
        >>> ag.Graph(pooled).evaluate(x=[1.0, 5.0, 4.0, 2.0, 3.0])[0].tolist()
        [5.0, 4.0]

    Notes:
        A place in terms of a single axis whose length nothing else gives, as 2·u + 1, makes it as long as fits all such reads;
        with ``lengths=`` of ``axis``, an input must vary over the other axis, whose lengths are given too. It costs as
        :func:`take` with ``over=``.
    """
    x = constant(x)
    check_varies(x, axis)
    if isinstance(other, (Index, Affine)):
        return FUNCTIONS["read_place"](x, axis, other if isinstance(other, Affine) else Affine(other))
    check_axis(other, x.name)
    if other in x.axes:
        raise AxisError(
            "A109", f"{label_of(x)} already varies over {other}", node=x.name, where=show_site(user_site()),
            fix="choose an axis over which it does not vary",
        )  # fmt: skip
    return ALONG(x, axis=axis, other=other)


def spread(x: Any, axes: Axis | Iterable[Axis]) -> Node:
    """Let ``x`` vary over more axes, with the same value at every point of them.

    Args:
        x: a value.
        axes: one or several; axes over which it already varies are ignored.

    Returns:
        A node of the shape of ``x``, over its axes and ``axes``.

    Example:
        >>> t, b = Axis("t"), Axis("b")
        >>> from autograd_seq.ops.reduce import sum
        >>> weights = spread(index(t), b)  # with lengths, each sequence sums its own
        >>> sum(weights, over=t).axes
        (b,)
    """
    x = constant(x)
    # what does not depend on the iterate is the same in every iteration, and is computed before them
    missing = tuple(a for a in as_axes(axes) if a not in x.axes and not isinstance(a, Iteration))
    return SPREAD(x, axes=missing) if missing else x


FUNCTIONS.update(read=read, along=along)
__all__ = ["along", "index", "shift", "size", "spread"]
explain_keywords(globals(), __all__)
