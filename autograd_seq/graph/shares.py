"""A batch in shares: along which axis a graph can be computed a part at a time, and how the parts are put together.

Sequences of a batch know nothing of one another until something is summed over them. So threads may take a share of them
each, from the first step to the last gradient, without waiting for one another at any step; sums over the batch are the sums
of the shares' sums. A number of points that a mean divides by is each share's own, which a power of it mends: the *degree*
of a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.graph.order import find_dependents
from autograd_seq.graph.selections import adds_up, is_zero
from autograd_seq.graph.system import System
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.node import CONSTANT, Node
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.state import STATE, UNDEFINED
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE

_LINEAR = {"neg", "reshape", "transpose", "slice", "place", "sum", "sum_over", "broadcast_to", "spread", "stop_gradient",
           "rewritten", "pick", "take", "scatter_add", "cumsum"}  # fmt: skip
"""Operations that are linear in their first operand; the others choose."""
_PRODUCTS = {"mul", "zero_safe_mul", "contract"}
_LEAVES = {INPUT, PARAM, TENSOR, CONSTANT}


class Part(NamedTuple):
    """How an output of all is made of those of the shares.

    Attributes:
        kind: ``"each"`` is laid side by side, ``"sum"`` added up, ``"same"`` in every share.
        degree: the power of the number of points that it is proportional to.
    """

    kind: str
    degree: int


class Shares(NamedTuple):
    """The axis whose points are shared out, and what becomes of each output."""

    axis: Axis
    outputs: tuple[Part, ...]


def find_shares(graph: System) -> Shares | None:
    """Return along which axis a graph can be computed in shares, if there is one over which all its recurrences vary.

    Example:
        >>> import autograd_seq as ag
        >>> t, b = ag.Axis("t"), ag.Axis("b")
        >>> x, h, w = ag.input("x", over=(t, b)), ag.state("h", over=(t, b)), ag.param("w")
        >>> h[t] = ag.tanh(w * h[t - 1] + x[t])
        >>> loss = ag.mean(h, over=(t, b))
        >>> axis, parts = find_shares(ag.Graph(h, loss, ag.grad(loss, w)))
        >>> axis, [tuple(p) for p in parts]
        (b, [('each', 0), ('sum', -1), ('sum', -1)])

    Notes:
        Linear in the number of nodes, but for a few rounds until the degrees of states are known. A graph that is not known to
        be sharable is not shared: one with a maximum or a softmax over the batch, with draws or step numbers along it, or in
        which a sequence reads a sum over all.
    """
    graph = spell_out_windows(graph)
    states = [n for n in graph.nodes if n.op is STATE]
    for axis in graph.axes:
        if states and all(axis in s.axes for s in states) and (found := _share_along(graph, axis)) is not None:
            return found
    return None


class _Refused(Exception):
    """The graph cannot be shared out along an axis."""


def _share_along(graph: System, axis: Axis) -> Shares | None:
    nodes = graph.nodes
    sums = find_dependents(nodes, [n for n in nodes if n.op.name == "sum_over" and axis in n.attrs["axes"]])
    degrees: dict[Node, int | None] = {}
    try:
        changed = True
        while changed:
            changed = False
            for n in nodes:
                degree = _get_degree(n, axis, sums, degrees)
                changed |= degree != degrees.get(n)
                degrees[n] = degree
    except _Refused:
        return None
    parts = [Part("each" if axis in o.axes else "sum" if o in sums else "same", degrees[o] or 0) for o in graph.outputs]
    return Shares(axis, tuple(parts)) if all(p.kind != "same" or not p.degree for p in parts) else None


def _get_degree(n: Node, axis: Axis, sums: set[Node], degrees: dict[Node, int | None]) -> int | None:
    """Return the degree of a node, ``None`` for what may have any: zero, or what is not known yet."""
    if n.op in _LEAVES or n._value is not None:
        return None if n._value is not None and not np.any(n._value) else 0
    named = {n.attrs.get("axis"), n.attrs.get("other"), *(n.attrs.get("over", ()) if n.op is DRAW else ())}
    if n.op is SIZE:
        return int(n.attrs["axis"] is axis)
    if axis in named and n.op in (INDEX, DRAW, AT, ALONG, SHIFT):
        raise _Refused
    own = [degrees.get(x) for x in n.inputs if x is not UNDEFINED]
    if n in sums:
        _check_sum(n, axis, sums)
    if n.op is STATE or adds_up(n):
        return _unify_degrees(own)
    if n.op.name in _LINEAR or n.op is SHIFT or n.op.name in ("at", "along"):
        _unify_degrees(own[1:], 0)
        return own[0]
    if n.op.name in _PRODUCTS:
        return None if None in own else sum(d for d in own if d is not None)
    if n.op.name == "div":
        return None if own[0] is None or own[1] is None else own[0] - own[1]
    if n.op.name == "where":
        _unify_degrees(own[:1], 0)
        return _unify_degrees(own[1:])
    if axis in n.attrs.get("axes", ()) and n.op.name.endswith("_over"):
        raise _Refused  # a maximum over the batch, say
    if n.op.name == "cast" and n.dtype is float:
        return own[0]
    _unify_degrees(own, 0)
    return 0


def _unify_degrees(degrees: Iterable[int | None], must: int | None = None) -> int | None:
    """Return the degree that all have which have one."""
    known = {d for d in degrees if d is not None} | ({must} if must is not None else set())
    if len(known) > 1:
        raise _Refused
    return next(iter(known), None)


def _check_sum(n: Node, axis: Axis, sums: set[Node]) -> None:
    """Refuse what is not linear in sums over the batch, or makes a sequence of the batch read one."""
    if axis in n.axes or n.op is STATE:
        raise _Refused
    inside = [x in sums for x in n.inputs]
    if not any(inside):  # the sum over the batch itself
        return
    linear = n.op.name in _LINEAR or (n.op.name == "cast" and n.dtype is float)
    adding = adds_up(n) and all(i or is_zero(x) for i, x in zip(inside, n.inputs, strict=True))
    scaled = (n.op.name in _PRODUCTS and inside.count(True) == 1) or (n.op.name == "div" and not inside[1])
    if not (adding or scaled or (linear and inside[0] and not any(inside[1:]))):
        raise _Refused
