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
    rewritten,
    sub,
    where,
)
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.softmax import level_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SPREAD

_NOT_KEPT = INPUT, STATE, SHIFT, AT, DRAW  # along the axis that is read they have values of their own
_NEUTRAL = {"sum": 0.0, "max": -np.inf, "logsumexp": -np.inf, "level": -np.inf}


def find_seen(graph: System, axis: Axis, read: Axis) -> Node | None:
    """Return a node through which steps of ``read`` after that of ``axis`` may reach an output, or ``None`` if masks hide them.

    Args:
        graph: the equations, in which values over ``axis`` are read along ``read``.
        axis, read: the two axes.

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
        elif _mentions(n, read) and not (n.op in (INDEX, SPREAD) or (n.op is ALONG and n.attrs["axis"] is axis)):
            return n
        else:
            later[n] = _find_later(n, [later.get(x) for x in n.inputs], axis, read)
    return next((n for n in graph.outputs if read in n.axes), None)


def _mentions(n: Node, axis: Axis) -> bool:
    return any(v is axis or (isinstance(v, (tuple, list)) and any(a is axis for a in v)) for v in n.attrs.values())


def _find_later(n: Node, known: Sequence[Any], axis: Axis, read: Axis) -> Any:
    """Return the number that a node is wherever ``read`` is later than ``axis``, or ``None`` if that is not known."""
    if n._value is not None:
        flat = np.asarray(n._value).ravel()
        return flat[0].item() if flat.size and (flat == flat[0]).all() else None
    if n.op in (SHIFT, STATE, AT, ALONG) or (n.op.reduces_axes and axis in n.attrs["axes"]):
        return None  # it has values of other steps
    if n.op is rewritten or n.op is SPREAD:
        return known[0]
    if n.op in (less, less_equal, equal, not_equal):
        return _compare(n, axis, read)
    if n.op is where:
        return None if known[0] is None else known[1 if known[0] else 2]
    if n.op in (logical_and, logical_or):
        absorbing = n.op is logical_or
        return absorbing if any(k is absorbing for k in known) else (None if None in known else not absorbing)
    if n.op is logical_not:
        return None if known[0] is None else not known[0]
    return _find_number(n, known)


def _compare(n: Node, axis: Axis, read: Axis) -> Any:
    """The same for a comparison."""
    difference = _get_range(n.inputs, axis, read)
    (a, b), (c, d) = (difference, (0, 0)) if difference else (_get_bounds(x, axis, read) for x in n.inputs)
    if n.op is less or n.op is less_equal:
        certain, never = (b < c, a >= d) if n.op is less else (b <= c, a > d)
        return True if certain else False if never else None
    return (n.op is not_equal) if b < c or a > d else None


def _get_bounds(x: Node, axis: Axis, read: Axis) -> tuple[float, float]:
    """Return the least and the largest value at later steps of a number, or of the distance of two steps."""
    if x._value is not None and x.ndim == 0 and not x.axes:
        return float(x._value), float(x._value)
    return (_get_range(x.inputs, axis, read) if x.op is sub else None) or (-np.inf, np.inf)


def _get_range(pair: Sequence[Node], axis: Axis, read: Axis) -> tuple[float, float] | None:
    """Return the bounds of the first less the second, if they are the two step numbers."""
    axes = [x.attrs["axis"] if x.op is INDEX and not x.attrs.get("here") else None for x in pair]
    return (1, np.inf) if axes == [read, axis] else (-np.inf, -1) if axes == [axis, read] else None


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
