"""Picking one step of an axis: the first, the last, or any other."""

from __future__ import annotations

import operator
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.ops.time import AT, check_axis


def at(x: Any, over: Axis, index: int, *, outside: str = "error") -> Node:
    """Pick step ``index`` of an axis; negative numbers count from the end, with ``lengths=`` from the end of each sequence.

    Args:
        x: a value; one that does not vary over the axis is returned as it is.
        over: the axis.
        index: 0 … T − 1, or −T … −1.
        outside: ``"error"``, or ``"zero"`` to read 0 where there is no such step.

    Returns:
        A node of the shape of ``x`` that does not vary over the axis.

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
        raise OperationError(
            "O104", f"ag.at has no mode outside={outside!r:.60}", expected='"error" or "zero"', got=repr(outside)
        )
    try:
        step = operator.index(index)
    except TypeError:
        raise AxisError(
            "A108", f"ag.at is given {index!r:.60}, which is not a fixed step", node=x.name, expected="an integer",
            got=repr(index),
            fix="to pick a computed step, write ag.sum(ag.where(ag.index(t) == …, x, 0), over=t)",
        ) from None  # fmt: skip
    return AT(x, axis=over, index=step, outside=outside) if check_axis(over, x.name) in x.axes else x


def last(x: Any, *, over: Axis) -> Node:
    """The last step of an axis, with ``lengths=`` that of each sequence; see :func:`at`.

    Args:
        x: a value that varies over the axis.
        over: the axis.

    Returns:
        A node of the shape of ``x`` that does not vary over the axis.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> ag.Graph(ag.last(ag.input("x", over=t), over=t)).evaluate(x=[1.0, 2.0, 3.0])[0].tolist()
        3.0
    """
    return at(x, over, -1)


def first_step(x: Any, *, over: Axis) -> Node:
    """The first step of an axis; see :func:`at`.

    Args:
        x: a value that varies over the axis.
        over: the axis.

    Returns:
        A node of the shape of ``x`` that does not vary over the axis.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> ag.Graph(ag.first(ag.input("x", over=t), over=t)).evaluate(x=[1.0, 2.0, 3.0])[0].tolist()
        1.0
    """
    return at(x, over, 0)


first_step.__name__ = "first"

__all__ = ["at", "last"]
explain_keywords(globals(), [*__all__, "first_step"])
