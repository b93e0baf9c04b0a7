"""Functions of several earlier steps: windows, running sums and maxima, slower clocks.

All of them are composed of shifts, states and comparisons of step numbers, so they are scheduled, differentiated, carried and
padded like any other equation.
"""

from __future__ import annotations

from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import LEAST, as_count
from autograd_seq.core.node import Node, constant
from autograd_seq.ops.arrange import cumprod_along
from autograd_seq.ops.elementwise import cast, equal, maximum
from autograd_seq.ops.parts import cumsum_along, stack
from autograd_seq.ops.state import STATE, settle, state
from autograd_seq.ops.time import INDEX, SHIFT, check_varies, shift
from autograd_seq.ops.window import WINDOW


def _check_count(value: Any, what: str, least: int) -> int:
    n = as_count(value, least)
    if n is None:
        raise OperationError(
            "O106", f"{what}{value!r:.60} is not a number of steps", expected=f"an integer ≥ {least}", got=repr(value)
        )
    return n


def window(x: Any, axis: Axis, size: int, *, every: int = 1, init: Any = None) -> Node:
    """The last ``size`` steps of a value as its first dimension, the current one last.

    Args:
        x: ``(…)``, a value that varies over the axis.
        axis: the axis, e.g. time.
        size: how many steps, 1 or more.
        every: the stride between them: with 2, the steps t − 2·(size − 1), …, t − 2, t (a dilated window).
        init: the rows before the first step, as for :func:`state`: zeros by default, one row for all, or a list of
            ``every·(size − 1)`` rows.

    Returns:
        A node of shape ``(size, …)`` over the axes of ``x``: entry k is x at t − every·(size − 1 − k).

    Raises:
        AxisError: ``x`` does not vary over the axis.
        OperationError: ``size`` or ``every`` is no positive integer.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> recent = ag.window(ag.input("x", over=t), t, 3)
        >>> ag.Graph(recent).evaluate(x=[1.0, 2.0, 3.0])[0].tolist()
        [[0.0, 0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]

    Notes:
        T·size entries, one operation whatever the size; a weighted sum over the window is a causal convolution. For a value
        with initial rows (``init=`` here, or of a state) it becomes ``size`` separate reads.
    """
    x = constant(x)
    check_varies(x, axis)
    size, every = _check_count(size, "size=", 1), _check_count(every, "every=", 1)
    owner = x
    while owner.op is SHIFT:
        owner = owner.inputs[0]
    if owner.op is STATE and size > 1:
        settle(owner, axis, "init")
    bounds = owner.attrs["bounds"] if owner.op is STATE else ()
    if size == 1 or (init is None and not any(b.axis is axis and b.side == "init" for b in bounds)):
        return WINDOW(x, axis=axis, size=size, every=every)
    if init is not None:
        whole = state(None, x.shape, over=x.axes, init={axis: init}, dtype=x.dtype)
        whole[x.axes] = x
        x = whole
    return stack([shift(x, axis, every * k) for k in range(size - 1, -1, -1)], axis=0)


def cumsum(x: Any, axis: int = -1, *, over: Axis | None = None) -> Node:
    """Running sum along a dimension of the value, or along an axis: y[t] = x[0] + … + x[t].

    Args:
        x: any value.
        axis: the dimension, if ``over`` is not given.
        over: an axis that ``x`` varies over.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> cumsum([1.0, 2.0, 3.0]).value
        array([1., 3., 6.])

    Notes:
        Along an axis it is the recurrence y[t] = y[t − 1] + x[t]: T steps of a loop.
    """
    if over is None:
        return cumsum_along(x, axis)
    x = constant(x)
    check_varies(x, over)
    x = cast(x, int) if x.dtype is bool else x
    y = state(None, x.shape, over=x.axes, dtype=x.dtype)
    y[x.axes] = y[over - 1] + x
    return y


def cumprod(x: Any, axis: int = -1, *, over: Axis | None = None) -> Node:
    """Running product along a dimension of the value, or along an axis, with exact derivatives where factors are 0.

    Args:
        x: any value.
        axis: the dimension, if ``over`` is not given.
        over: an axis that ``x`` varies over.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> cumprod([1.0, 2.0, 3.0]).value
        array([1., 2., 6.])

    Notes:
        Along a dimension of n entries it takes log₂ n rounds of products, along an axis the recurrence y[t] = y[t − 1]·x[t].
    """
    if over is None:
        return cumprod_along(x, axis)
    x = constant(x)
    check_varies(x, over)
    x = cast(x, int) if x.dtype is bool else x
    y = state(None, x.shape, over=x.axes, dtype=x.dtype, init={over: constant(1)})
    y[x.axes] = y[over - 1] * x
    return y


def cummax(x: Any, *, over: Axis) -> Node:
    """Running maximum along an axis: y[t] = max(x[0], …, x[t]); where steps tie, they share the gradient.

    Args:
        x: a float or integer value that varies over the axis.
        over: the axis.

    Returns:
        A node of the shape of ``x``, over its axes.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> highest = ag.cummax(ag.input("x", over=t), over=t)
        >>> ag.Graph(highest).evaluate(x=[1.0, 3.0, 2.0])[0].tolist()
        [1.0, 3.0, 3.0]

    Notes:
        Along the axis it is the recurrence y[t] = max(y[t − 1], x[t]): T steps of a loop.
    """
    x = constant(x)
    check_varies(x, over)
    x = cast(x, int) if x.dtype is bool else x
    y = state(None, x.shape, over=x.axes, dtype=x.dtype, init={over: LEAST[x.dtype]})
    y[x.axes] = maximum(y[over - 1], x)
    return y


def ticks(axis: Axis, every: int, *, phase: int = 0) -> Node:
    """Return where a slower clock ticks: at ``phase``, and every so many steps after it.

    Args:
        axis: the axis whose steps are counted.
        every: the steps from one tick to the next.
        phase: the step of the first tick, 0 … every − 1.

    Returns:
        A truth value over the axis. ``ag.state(…, every=k)`` holds a state between the ticks of such a clock.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> ag.Graph(ag.ticks(t, 3)).unroll(t=5).evaluate()[0].tolist()
        [True, False, False, True, False]

    Notes:
        Exact for the first four million steps in float32, and for any number in float64.
    """
    k, first = _check_count(every, "every=", 1), _check_count(phase, "phase=", 0)
    if first >= k:
        raise OperationError("O107", f"phase={first} is not below every={k}", expected=f"0 ≤ phase < {k}", got=f"phase={first}")
    return equal(_reduce_modulo(INDEX(axis=axis), k), first)


def _reduce_modulo(i: Node, k: int) -> Node:
    """Return i modulo k for whole numbers i ≥ 0; half a step is added, so that float32 rounding cannot change the result."""
    return i - k * cast((2 * i + 1) / (2 * k), int)


FUNCTIONS.update(ticks=ticks)
__all__ = ["cummax", "cumprod", "cumsum", "ticks", "window"]
explain_keywords(globals(), __all__)
