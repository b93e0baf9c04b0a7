"""Whether what reads all steps of a sequence, as attention does, uses only those that are not later, because of a mask.

Where t reads along u, this finds what each value is at u > t, wherever that follows from comparisons of ``ag.index(u)`` with
``ag.index(t)`` alone: a masked score is −inf there, and its weight 0. A sum over u of what is 0 there does not see later steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.order import names_axis
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import (
    add,
    equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
    sub,
    where,
)
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.softmax import level_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SPREAD

_NOT_KEPT = INPUT, STATE, SHIFT, AT, DRAW  # along the axis that is read they have values of their own
_NEUTRAL = {"sum": 0.0, "max": -np.inf, "logsumexp": -np.inf, "level": -np.inf}


LATER = (1, np.inf)
"""How much later a step is than another one, if it is later: at least so much, and at most."""


def find_seen(graph: System, axis: Axis, read: Axis, distance: tuple[float, float] = LATER) -> Node | None:
    """Return a node through which some steps of ``read`` may reach an output, or ``None`` if masks hide them.

    Args:
        graph: the equations, in which values over ``axis`` are read along ``read``.
        axis, read: the two axes.
        distance: which steps: the least and the largest difference of their number and that of ``axis``; the later ones by
            default.

    Example:
        >>> import autograd_seq as ag
        >>> t, u = ag.Axis("t"), ag.Axis("u")
        >>> x = ag.input("x", over=t)
        >>> y = ag.sum(ag.where(ag.index(u) <= ag.index(t), x.along(t, u), 0.0), over=u)
        >>> find_seen(ag.Graph(y), t, u), find_seen(ag.Graph(ag.sum(x * x.along(t, u), over=u)), t, u)
        (None, sum[t]: float)

    Notes:
        Linear in the number of nodes.
    """
    later: dict[Node, Any] = {}
    for n in graph.nodes:
        if read in n.axes and n.op in _NOT_KEPT:
            return n
        if n.op.reduces_axes and read in n.attrs["axes"]:
            neutral = _NEUTRAL.get(n.op.reduces or "")
            if neutral is None or len(n.inputs) != 1 or later.get(n.inputs[0]) != neutral:
                return n
        elif names_axis(n, read) and not (n.op in (INDEX, SPREAD) or (n.op is ALONG and n.attrs["axis"] is axis)):
            return n
        else:
            later[n] = _find_hidden(n, [later.get(x) for x in n.inputs], axis, read, distance)
    return next((n for n in graph.outputs if read in n.axes), None)


def find_window(graph: System, axis: Axis, read: Axis) -> int | None:
    """Return how many of the last steps masks let a step see, itself included; ``None`` if they hide no steps before these.

    The numbers that are tried are those in the comparisons.
    """
    compared = [n for n in graph.nodes if n.op in (less, less_equal) and {*n.axes} >= {axis, read}]
    numbers = [x._value for n in compared for y in n.inputs for x in (y, *y.inputs) if x._value is not None and x.ndim == 0]
    tried = sorted({abs(int(v)) + more for v in numbers for more in (0, 1)} - {0})
    return next((k for k in tried if find_seen(graph, axis, read, (-np.inf, -k)) is None), None)


def _find_hidden(n: Node, known: Sequence[Any], axis: Axis, read: Axis, distance: tuple[float, float]) -> Any:
    """Return the number that a node is wherever the steps have this distance, or ``None`` if that is not known."""
    if n._value is not None:
        flat = np.asarray(n._value).ravel()
        return flat[0].item() if flat.size and (flat == flat[0]).all() else None
    if n.op in (SHIFT, STATE, AT, ALONG) or (n.op.reduces_axes and axis in n.attrs["axes"]):
        return None  # it has values of other steps
    if n.op is rewritten or n.op is SPREAD:
        return known[0]
    if n.op in (less, less_equal, equal, not_equal):
        return _compare(n, axis, read, distance)
    if n.op is where:
        return None if known[0] is None else known[1 if known[0] else 2]
    if n.op in (logical_and, logical_or):
        absorbing = n.op is logical_or
        return absorbing if any(k is absorbing for k in known) else (None if None in known else not absorbing)
    if n.op is logical_not:
        return None if known[0] is None else not known[0]
    return _find_number(n, known)


def _compare(n: Node, axis: Axis, read: Axis, distance: tuple[float, float]) -> Any:
    """The same for a comparison."""
    low, high = _get_bounds(n.inputs, axis, read, distance)
    if n.op is less:
        return True if high < 0 else False if low >= 0 else None
    if n.op is less_equal:
        return True if high <= 0 else False if low > 0 else None
    return (n.op is not_equal) if low > 0 or high < 0 else None


def _get_bounds(pair: Sequence[Node], axis: Axis, read: Axis, distance: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the largest difference of two values, if it is that of the two step numbers and a number."""
    (a, b, c), (d, e, f) = (_count_steps(x, axis, read) for x in pair)
    times, plus = a - d, c - f
    if times != e - b or abs(times) > 1 or plus != plus:
        return -np.inf, np.inf
    ends = [plus + times * end if times else plus for end in distance]
    return min(ends), max(ends)


def _count_steps(x: Node, axis: Axis, read: Axis) -> tuple[float, float, float]:
    """Return how often a value counts the step of ``read`` and that of ``axis``, and what it adds; NaN if it is no such sum."""
    if x._value is not None and x.ndim == 0 and not x.axes:
        return 0, 0, float(x._value)
    if x.op is INDEX and not x.attrs.get("here"):
        return float(x.attrs["axis"] is read), float(x.attrs["axis"] is axis), 0 if x.attrs["axis"] in (axis, read) else np.nan
    if x.op in (add, sub) and x.ndim == 0:
        sign = 1 if x.op is add else -1
        first, second = (_count_steps(y, axis, read) for y in x.inputs)
        return first[0] + sign * second[0], first[1] + sign * second[1], first[2] + sign * second[2]
    return 0, 0, np.nan


def _find_number(n: Node, known: Sequence[Any]) -> Any:
    """The same for an operation on numbers, of which the unknown ones are taken to be finite."""
    if n.op is add and -np.inf in known and np.inf not in known:
        return -np.inf
    if n.op is sub and known[0] == -np.inf and (known[1] is None and n.inputs[1].op is level_over):
        return -np.inf
    zeros = [k is not None and k == 0 for k in known]
    if any(zeros) and (n.op is CONTRACT or n.op.linear_in(zeros)):
        return 0.0
    if n.op.pointwise and known and None not in known and not n.attrs:
        with np.errstate(all="ignore"):
            return np.asarray(n.op.forward(*map(np.asarray, known))).item()
    return None
