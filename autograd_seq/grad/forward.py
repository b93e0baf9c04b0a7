"""Forward mode, as reverse mode applied twice: derivatives along a direction, of any order, and Jacobian matrices.

The gradient of an output is linear in its cotangent d. So the gradient of Σ ⟨gradient, tangent⟩ with respect to d is the
derivative of the output along the tangents, and no operation needs a second rule.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any, overload

import numpy as np

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import GradientError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.targets import is_one_target, list_targets
from autograd_seq.ops.elementwise import cast
from autograd_seq.ops.gather import one_hot, take
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import broadcast_to, reshape
from autograd_seq.ops.time import INDEX, spread

_COUNT = itertools.count()


@overload
def jvp(outputs: Node, wrt: Node | str | Sequence[Node | str], tangents: Any, *, keep: Axis | Sequence[Axis] = ...) -> Node: ...


@overload
def jvp(outputs: Sequence[Node], wrt: Node | str | Sequence[Node | str], tangents: Any, *,
        keep: Axis | Sequence[Axis] = ...) -> list[Node]: ...  # fmt: skip


def jvp(outputs: Node | Sequence[Node], wrt: Node | str | Sequence[Node | str], tangents: Any, *,
        keep: Axis | Sequence[Axis] = ()) -> Node | list[Node]:  # fmt: skip
    """Return the derivative of outputs along a direction: how they change when ``wrt`` moves by ``tangents``.

    Args:
        outputs: a float node, or several, over any axes.
        wrt: what moves: parameters, inputs, initial rows, anything in between; a node, several, or names.
        tangents: its velocity, one for each of ``wrt``: a node or an array of its shape; over the axes of ``wrt`` or fewer.
        keep: axes of the tangents along which there are several directions: results then vary over them too, one derivative
            for each direction. Along an axis of the tangents that is not kept, directions are added up. Such tangents are
            inputs or parameters ``over=d``.

    Returns:
        For each output a node of its shape and axes, and those of ``keep``.

    Raises:
        GradientError: an output or something in ``wrt`` is not a float; the numbers of ``wrt`` and ``tangents`` differ.
        ShapeError: a tangent has another shape than what moves.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> slope = ag.jvp(h, w, 1.0)
        >>> ag.Graph(slope).evaluate(w=0.5, x=[1.0, 1.0, 1.0])[0]
        array([0., 1., 2.])
        >>> d = ag.Axis("d")  # of directions
        >>> v = ag.param("v", (2,))
        >>> slopes = ag.jvp(ag.sum(v**2), v, ag.input("direction", (2,), over=d), keep=d)
        >>> ag.Graph(slopes).evaluate(v=[1.0, 3.0], direction=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])[0]
        array([2., 6., 8.])

    Notes:
        Reverse mode twice (Christianson 1992; as a transposition, Radul, Paszke, Frostig, Johnson & Maclaurin 2023). The result
        is a recurrence that goes forward with the states: it runs in a stream, and nothing is stored over time for it. It costs
        about twice the outputs.
    """
    several = [outputs] if isinstance(outputs, Node) else list(outputs)
    targets = list_targets(several, wrt)
    given = [tangents] if is_one_target(wrt) else tangents
    if not isinstance(given, (list, tuple)) or len(given) != len(targets):
        raise GradientError(
            "E136", f"jvp needs a tangent for each of {len(targets)} nodes", where=show_site(user_site()),
            expected=f"a list of {len(targets)}", got=repr(given)[:80],
        )  # fmt: skip
    moves, kept = [_lay_out(tangent, x) for x, tangent in zip(targets, given, strict=True)], as_axes(keep, "keep")
    duals, products = [], []
    for y in several:
        if not isinstance(y, Node) or y.dtype is not float:
            raise GradientError("E137", f"{y!r:.60} is not a float node, and has no derivative", expected="a float node",
                                got=repr(y)[:80])  # fmt: skip
        duals.append(Node(INPUT, (), {"made": True}, y.shape, float, y.axes, name=f"cotangent {next(_COUNT)}"))
        back = grad(y, targets, cotangent=duals[-1])
        products += [_sum_all(g * move, kept) for g, move in zip(back, moves, strict=True)]
    found = grad(reduce(add, products), duals, cotangent=spread(constant(1.0), kept), keep=kept) if duals else []
    return found[0] if isinstance(outputs, Node) else found


def hvp(loss: Node, wrt: Node | str | Sequence[Node | str], vectors: Any) -> Node | list[Node]:
    """Return the Hessian of a loss times a vector, without the Hessian: the change of the gradient along a direction.

    Args:
        loss: a float scalar without axes.
        wrt: a node, or several, or their names.
        vectors: one for each of ``wrt``, of its shape.

    Returns:
        A node (or a list of nodes) of the shape of each of ``wrt``.

    Raises:
        GradientError: as for :func:`jvp` and :func:`ag.grad`.

    Example:
        >>> import autograd_seq as ag
        >>> w = ag.param("w", (2,))
        >>> product = ag.hvp(ag.sum(w**3), w, [1.0, 0.0])
        >>> ag.Graph(product).evaluate(w=[2.0, 5.0])[0]
        array([12.,  0.])

    Notes:
        Pearlmutter 1994. The gradient is differentiated in reverse: memory as of a gradient, time about twice.
    """
    targets, given = list_targets([loss], wrt), [vectors] if is_one_target(wrt) else list(vectors)
    moves = [_lay_out(v, x) for x, v in zip(targets, given, strict=True)]
    products = [_sum_all(g * v) for g, v in zip(grad(loss, targets), moves, strict=True)]
    found = grad(reduce(add, products), targets)
    return found[0] if is_one_target(wrt) else found


def jacobian(output: Node, wrt: Node | str) -> Node:
    """Return the matrix of all derivatives of an output with respect to a node.

    Args:
        output: a float node (…Y) without axes: ``ag.last(s, over=t)``, say.
        wrt: a float node (…X), over any axes, or its name.

    Returns:
        (…Y, …X), over the axes of ``wrt``: with an input over time how the output depends on each step.

    Raises:
        GradientError: the output varies over an axis; something is not a float.

    Example:
        >>> import autograd_seq as ag
        >>> x = ag.param("x", (2,))
        >>> J = ag.jacobian(ag.stack([x[0] * x[1], x[0] ** 2, x[1]]), x)
        >>> ag.Graph(J).evaluate(x=[2.0, 3.0])[0].tolist()
        [[3.0, 2.0], [4.0, 0.0], [0.0, 1.0]]

    Notes:
        One reverse pass for all entries of the output, which are an axis of the adjoint graph; time and memory are those of a
        gradient times their number.
    """
    if not isinstance(output, Node) or output.dtype is not float or output.axes:
        raise GradientError(
            "E138", f"jacobian cannot be taken of {label_of(output) if isinstance(output, Node) else repr(output)[:60]}",
            where=show_site(user_site()), expected="a float node without axes: ag.last(s, over=t), ag.sum(s, over=t)",
            got=repr(output)[:80],
        )  # fmt: skip
    entry = Axis(f"entry {next(_COUNT)}", size=math.prod(output.shape))
    (target,) = list_targets([output], [wrt])
    rows = grad(output, target, cotangent=make_basis(entry, output.shape), keep=entry)
    return reshape(collect(rows, entry), (*output.shape, *target.shape))


def make_basis(entry: Axis, shape: Sequence[int]) -> Node:
    """Return, over an axis with a point for each entry of a shape, 1 at that entry and 0 elsewhere."""
    return reshape(take(constant(np.eye(entry.size or 0)), INDEX(axis=entry)), shape)


def collect(x: Node, entry: Axis) -> Node:
    """Return what a value is at each point of an axis, as its first dimension."""
    n = entry.size or 0
    marks = reshape(cast(one_hot(INDEX(axis=entry), n), float), (n, *(1,) * x.ndim))
    return sum_over(marks * x, axes=(entry,))


def _lay_out(tangent: Any, x: Node) -> Node:
    """Return a tangent with the shape of what moves."""
    v = constant(tangent)
    if v.ndim > x.ndim or any(n not in (1, m) for n, m in zip(v.shape[::-1], x.shape[::-1], strict=False)):
        raise ShapeError(
            "S125", f"a tangent of {label_of(x)} has shape {v.shape}", where=show_site(user_site()), expected=str(x.shape),
            got=str(v.shape),
            fix=f'several directions vary along an axis: ag.input("v", {x.shape}, over=ag.Axis("d")), kept by keep='
            if v.ndim > x.ndim else None,
        )  # fmt: skip
    return broadcast_to(v if v.dtype is float else cast(v, float), x.shape)


def _sum_all(x: Node, keep: Sequence[Axis] = ()) -> Node:
    total = sum_of(x) if x.ndim else x
    axes = tuple(a for a in total.axes if a not in keep)
    return spread(sum_over(total, axes=axes) if axes else total, keep)


__all__ = ["hvp", "jacobian", "jvp"]
explain_keywords(globals(), __all__)
