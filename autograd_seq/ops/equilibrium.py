"""Equilibria: values that their own equation leaves as they are, ``z = f(z, …)``, found by iteration.

Why the equation reads the node itself (2026-11): a cycle without a delay says what is wanted, whatever finds it. The gradient
is another such cycle (Almeida 1987, Pineda 1987), and every runner may iterate in its own way.

Why plain iteration (2026-11): extrapolation from 1 to 8 earlier iterates (Anderson 1965) took two to four times fewer
iterations of tanh(W z + x), but each at two to four times the time: 0.65 of the whole at best (a positive spectrum, 512 units),
3 times as much for rotations; with two earlier iterates it did not settle for a random W that plain iteration solves.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from math import isfinite, isnan
from numbers import Real
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis, Index, as_axes
from autograd_seq.core.errors import EquilibriumError, OperationError, ShapeError
from autograd_seq.core.facts import ANY
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import defop
from autograd_seq.core.rules import broadcast, same_shape
from autograd_seq.core.sites import add_scope, get_scope, show_site, user_site
from autograd_seq.ops.elementwise import cast
from autograd_seq.ops.leaf import as_shape
from autograd_seq.ops.shape import broadcast_to
from autograd_seq.ops.state import EQUILIBRIUM, UNDEFINED
from autograd_seq.ops.time import spread

ROUNDING = 16
"""By how many units in the last place of the largest entry an iteration may still move when it has settled."""

spacing = defop(
    "spacing", shape=same_shape, forward=np.spacing, least=float, vjp=lambda g, y, x: (None,),
    native="np.spacing({0})", flops=4, linear=(), range=ANY, zero_safe=True,
    doc="The distance from x to the next larger number of its width.",
)  # fmt: skip


def equilibrium(name: str | None, shape: Any = (), *, over: Axis | Iterable[Axis] = (), start: Any = None,
                tol: float = 1e-12, max_steps: int = 1000, damping: float = 0.0,
                gradient_tol: float | None = None) -> Node:  # fmt: skip
    """Declare an equilibrium, whose equation ``z[t] = f(z[t], …)`` follows: the value that the equation leaves as it is.

    Args:
        name: its name in graphs, pictures and errors.
        shape: of the value at one point.
        over: the axes it varies over; none by default. The equation of one without axes is written ``z[...] = f(z)``.
        start: where the iteration starts: zeros by default; a value; or the point before, ``start=t - 1``: a warm start, with
            which the steps of ``t`` are computed one after the other.
        tol: when it has settled: the largest entry of f(z) − z is at most ``tol`` times that of f(z), or ``tol`` where f(z) is
            smaller than 1. A few units in the last place are always allowed, so that the same ``tol`` does for float32.
        max_steps: the largest number of iterations.
        damping: how much of the last iterate is kept, 0 ≤ damping < 1: of an iteration that oscillates, 0.5, say.
        gradient_tol: when the iteration for the gradient has settled, relative to the gradient; ``tol`` by default.

    Returns:
        The node. Write its equation once; read it as ``z`` or ``z[t]``, at other steps as ``z[t - 1]``.

    Raises:
        ShapeError: ``start`` has another shape.
        OperationError: ``tol``, ``max_steps`` or ``damping`` is out of range.
        EquilibriumError: when it is run, an iteration does not settle.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x = ag.param("w"), ag.input("x", over=t)
        >>> z = ag.equilibrium("z", over=t)
        >>> z[t] = 0.5 * ag.tanh(w * z[t]) + x[t]
        >>> L = ag.sum(z, over=t)
        >>> value, slope = ag.compile([L, ag.grad(L, w)])(w=1.0, x=[0.0, 1.0])
        >>> round(float(value), 6), round(float(slope), 6)
        (1.44761, 0.15958)

    Notes:
        Plain iteration z ← f(z), damped if asked for: it converges where f contracts, at the rate of ∂f/∂z. Each point of the
        axes settles by itself and is not moved any more, so that lifting over time or a batch changes nothing; points that f
        couples, by a sum over an axis or by attention, settle together.

        The gradient is an equilibrium as well, v = z̄ + (∂f/∂z)ᵀ v, at the solution alone: no iterate is stored, and memory does
        not depend on their number. It can be differentiated again. Almeida 1987; Pineda 1987; deep equilibrium models:
        Bai, Kolter & Koltun 2019.
    """
    full = add_scope(name) if name is not None else None
    axes, dims = as_axes(over), as_shape(shape, full)
    _check_numbers(full, tol, max_steps, damping, gradient_tol)
    attrs = {"tol": float(tol), "gradient_tol": float(tol if gradient_tol is None else gradient_tol),
             "max_steps": operator.index(max_steps), "damping": float(damping), "floor": 1.0}  # fmt: skip
    node = Node(EQUILIBRIUM, (UNDEFINED,), attrs, dims, float, axes, name=full, site=user_site(), scope=get_scope())
    if start is not None:
        node.inputs = (UNDEFINED, _read_start(start, node))
    return node


def make_adjoint(z: Node, axes: tuple[Axis, ...]) -> Node:
    """Return the equilibrium that the cotangent of an equilibrium's equation is: linear, and as accurate as its size allows."""
    attrs = {**z.attrs, "tol": z.attrs["gradient_tol"], "floor": 0.0}
    return Node(EQUILIBRIUM, (UNDEFINED,), attrs, z.shape, float, axes, site=z.site, scope=z.scope)


def _check_numbers(name: str | None, tol: Any, max_steps: Any, damping: Any, gradient_tol: Any) -> None:
    """Refuse numbers with which an iteration could never settle."""
    for word, value, fits, expected in (
        ("tol", tol, lambda v: 0 <= v < 1, "0 ≤ tol < 1"),
        ("gradient_tol", 0 if gradient_tol is None else gradient_tol, lambda v: 0 <= v < 1, "0 ≤ gradient_tol < 1"),
        ("damping", damping, lambda v: 0 <= v < 1, "0 ≤ damping < 1"),
        ("max_steps", max_steps, lambda v: v >= 1 and hasattr(v, "__index__"), "an integer ≥ 1"),
    ):
        if not isinstance(value, Real) or value is True or not isfinite(value) or not fits(value):
            raise OperationError(
                "Z101", f"{word}= of {name or 'an equilibrium'} is {value!r:.60}", node=name, where=show_site(user_site()),
                expected=expected, got=repr(value)[:80],
            )  # fmt: skip


def _read_start(given: Any, node: Node) -> Node:
    """Return the start of an iteration, a value or another point, with the shape and axes of the equilibrium."""
    start = node[given] if isinstance(given, (Axis, Index)) else constant(given)
    if start is node:
        raise OperationError(
            "Z102", f"{node.name} starts from itself", node=node.name, where=node.where, expected="start=t - 1, or a value",
            got="the same step",
        )  # fmt: skip
    try:
        fits = broadcast(start.shape, node.shape) == node.shape
    except ValueError:
        fits = False
    if not fits or set(start.axes) - set(node.axes):
        raise ShapeError(
            "Z103", f"start= of {label_of(node)} does not fit", node=node.name, where=node.where,
            expected=f"a value of shape {node.shape} over {', '.join(a.name for a in node.axes) or 'no axis'}", got=repr(start),
        )  # fmt: skip
    return spread(broadcast_to(start if start.dtype is float else cast(start, float), node.shape), node.axes)


def name_equilibrium(node: Node) -> str:
    """Return what an equilibrium is called in errors: its name; of the one for a gradient, what it is the gradient of."""
    words = ""
    while node.name is None and node.adjoint_of is not None:
        node, words = node.adjoint_of, f"the gradient of {words}"
    return f"{words}{node.name or 'an equilibrium'}"


def make_unsettled_error(label: str, node: Node, steps: int, residual: float, contraction: float,
                         point: dict[str, int]) -> EquilibriumError:  # fmt: skip
    """Return the error about an iteration that has not settled.

    Args:
        label: the name of the equilibrium.
        node: its node.
        steps: how often it was iterated.
        residual: how far the last iteration moved.
        contraction: by what factor it moved less than the one before.
        point: where it is, by the name of each axis.
    """
    at = f" at {', '.join(f'{a}={i}' for a, i in point.items())}" if point else ""
    rate = f", {contraction:.3g} times that of the iteration before" if isfinite(contraction) else ""
    if isnan(residual):
        fix = ["ag.find_nan(…) finds NaN that is fed, or made by the equation",
               "if nothing else makes any, the iteration has grown beyond all numbers: weights of a smaller norm"]  # fmt: skip
    elif residual == 0:
        fix = ["a larger tol=, or gradient_tol=: it moves to and fro by what numbers are rounded to"]
    elif contraction < 1:
        fix = [f"a larger max_steps={10 * steps}, or a larger tol: the iteration converges, slowly"]
    else:
        fix = ["damping=0.5 if it oscillates; else the equation does not contract: weights of a smaller norm, or another form"]
    error = EquilibriumError(
        "Z111", f"{label} has not settled{at} within {steps} iteration{'s' * (steps != 1)}", node=label, where=node.where,
        expected=f"f(z) − z within tol={node.attrs['tol']:g}", got=f"{residual:.3g}{rate}", fix=fix,
    )  # fmt: skip
    error.residual, error.contraction, error.point = residual, contraction, point
    return error


__all__ = ["equilibrium"]
explain_keywords(globals(), __all__)
