"""Sequences that end by themselves: outputs are marked with the condition that ends an axis, ``ag.until(L, over=u, when=…)``.

Why a mark on the outputs (2026-11): the steps after the end do not exist, which changes every sum, mean and last step that an
output depends on, and those of its gradient. The mark passes to the gradient with the first cotangent, so that both end at
the same step; a graph takes the marks off, and remembers the condition (:mod:`autograd_seq.graph.stops`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, DTypeError, OperationError, ShapeError
from autograd_seq.core.facts import KEPT
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import as_count
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import first
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.time import check_varies

UNTIL: Op = defop(
    "until", shape=lambda x, when, **_: x, dtype=first, forward=None, axes=lambda x, when, **_: x,
    vjp=lambda g, y, x, when, axis, limit, strict: (UNTIL(g, when, axis=axis, limit=limit, strict=strict), None),
    linear=(0,), range=KEPT, flops=0,
    doc="x, where the sequences along an axis end with the first step at which ``when`` is true.",
)  # fmt: skip


def until(outputs: Node | Sequence[Node], *, over: Axis, when: Node, limit: int | None = None, strict: bool = False) -> Any:
    """Let the sequences along an axis end by themselves: with the first step at which a condition is true.

    Steps after that one do not exist: sums, means, last steps, ``ag.size(over)`` and gradients see the steps that were taken,
    as with ``lengths=``, and outputs that vary over the axis are 0 afterwards. Each sequence of a batch ends at a step of its
    own if the condition varies over the batch.

    Args:
        outputs: a node, or several. All outputs of one graph that depend on steps of the axis must be marked by one condition.
        over: the axis.
        when: a truth value that varies over the axis. It may depend on its own step and on earlier ones, and on what earlier
            steps of other axes made of all steps that were taken there.
        limit: the largest number of steps. If it is left out, a call gives it by the name of the axis, ``u=50``, or an input
            that varies over the axis is fed, whose length it is. Of several limits the smallest counts.
        strict: whether a sequence in which the condition is true at no step is an error; by default it takes all steps.

    Returns:
        The outputs, marked: a node for a node, a list for several.

    Raises:
        AxisError: ``when`` does not vary over the axis.
        DTypeError, ShapeError: ``when`` is no truth value, or not one number for each step.
        OperationError: ``limit`` is not a number of steps.

    Example:
        >>> import autograd_seq as ag
        >>> u = ag.Axis("u")
        >>> a, root = ag.param("a"), ag.state("root", over=u, init=1.0)  # Newton's iteration for the square root
        >>> root[u] = 0.5 * (root[u - 1] + a / root[u - 1])
        >>> close = ag.abs(root[u] - root[u - 1]) < 1e-9
        >>> y, steps = ag.until([ag.last(root, over=u), ag.size(u)], over=u, when=close, limit=50)
        >>> value, count, slope = ag.compile([y, steps, ag.grad(y, a)])(a=9.0)
        >>> float(value), int(count), round(float(slope), 6)
        (3.0, 7, 0.166667)

    Notes:
        A call first runs the equations that the condition depends on, and leaves their loop when all sequences have ended; then
        it runs all equations, forward and backward, over the steps of the longest sequence. So time and memory follow the
        number of steps taken, and the steps that decide are computed twice. The number of steps has no gradient: it is
        constant between the places where it jumps. Outputs over the axis have as many rows as the inputs over it; if there are
        none, as the longest sequence has steps.
    """
    several = [outputs] if isinstance(outputs, Node) else list(outputs)
    condition = _check_condition(when, over)
    attrs = {"axis": over, "limit": _as_limit(limit), "strict": bool(strict)}
    for x in several:
        if not isinstance(x, Node):
            raise OperationError(
                "U103", f"ag.until is given {x!r:.60}, which is not a node", expected="a node, or several", got=repr(x)[:80]
            )
    marked = [UNTIL(x, condition, **attrs) for x in several]
    return marked[0] if isinstance(outputs, Node) else marked


def _check_condition(when: Any, over: Axis) -> Node:
    """Return the condition as a node; refuse what is not one truth value at each step of an axis that can end."""
    condition = constant(when)
    check_varies(condition, over)
    label = label_of(condition)
    if over.size is not None:
        raise AxisError(
            "U105", f"{over} has {over.size} points in every sequence, and cannot end by itself", where=show_site(user_site()),
            expected="an axis whose length comes with the data", got=repr(over),
            fix=f'ag.Axis("{over}"), with limit={over.size}',
        )  # fmt: skip
    if condition.dtype is not bool:
        raise DTypeError(
            "U101", f"when= of ag.until is {label}, which is {condition.dtype.__name__} and no truth value",
            node=condition.name, where=condition.where, expected="bool",
            got=repr(condition), fix=f"a comparison: {label} < 1e-6",
        )  # fmt: skip
    if condition.shape:
        raise ShapeError(
            "U102", f"when= of ag.until is {label}, which has shape {condition.shape} at each step", node=condition.name,
            where=condition.where, expected="one truth value a step", got=repr(condition),
            fix=f"ag.all({label}), or ag.any({label})",
        )  # fmt: skip
    return condition


def _as_limit(limit: Any) -> int | None:
    count = as_count(limit)
    if count is None and limit is not None:
        raise AxisError(
            "U104", f"limit= of ag.until is {limit!r:.60}, which is not a number of steps", expected="an integer ≥ 1",
            got=repr(limit), fix="limit=50",
        )  # fmt: skip
    return count


__all__ = ["until"]
explain_keywords(globals(), __all__)
