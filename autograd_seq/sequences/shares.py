"""Shares of a batch: the axis along which threads can each compute a part, and how the parts are joined.

Sequences of a batch are independent until something is summed over them. So each thread can take a share of them from the
first step to the last gradient without waiting for another; a sum over the batch is the sum of the shares' sums. The number of
points that a mean divides by is smaller in a share. A value proportional to a power of that number is corrected by that power,
which is called the *degree* of the value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.facts import EACH, TOGETHER
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.graph.order import find_dependents
from autograd_seq.graph.system import System
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.elementwise import CAST, div, where
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import CLOSED, UNDEFINED
from autograd_seq.ops.steps import RECEIVE, TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE
from autograd_seq.sequences.selections import adds_up, is_zero

_LEAVES = {INPUT, PARAM, TENSOR, CONSTANT}


class OutputPart(NamedTuple):
    """How an output of the whole batch is made of the outputs of the shares.

    Attributes:
        kind: ``"each"``: concatenated along the axis; ``"sum"``: added up; ``"same"``: equal in every share.
        degree: the power of the number of points to which it is proportional.
    """

    kind: str
    degree: int


class Shares(NamedTuple):
    """The axis that is split between threads, and how each output is joined."""

    axis: Axis
    outputs: tuple[OutputPart, ...]


def find_shares(graph: System) -> Shares | None:
    """Return the axis along which a graph can be computed in shares, if all of its recurrences vary over one.

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
    states = [n for n in graph.nodes if n.op in CLOSED]
    for axis in graph.axes:
        if states and all(axis in s.axes for s in states) and (found := _share_along(graph, axis)) is not None:
            return found
    return None


class _Refused(Exception):
    """The graph cannot be split along the axis."""


def _share_along(graph: System, axis: Axis) -> Shares | None:
    nodes = graph.nodes
    sums = find_dependents(nodes, [n for n in nodes if n.op is sum_over and axis in n.attrs["axes"]])
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
    parts = [OutputPart("each" if axis in o.axes else "sum" if o in sums else "same", degrees[o] or 0) for o in graph.outputs]
    return Shares(axis, tuple(parts)) if all(p.kind != "same" or not p.degree for p in parts) else None


def _get_degree(n: Node, axis: Axis, sums: set[Node], degrees: dict[Node, int | None]) -> int | None:
    """Return the degree of a node; ``None`` if it is not known yet, or the value is zero and fits any."""
    if n.op in _LEAVES or n._value is not None:
        return None if n._value is not None and not np.any(n._value) else 0
    named = {n.attrs.get("axis"), n.attrs.get("other"), *(n.attrs.get("over", ()) if n.op is DRAW else ())}
    if n.op is SIZE:
        return int(n.attrs["axis"] is axis)
    named |= set(n.attrs["axes"]) if n.op is RECEIVE else set()
    if axis in named and n.op in (INDEX, DRAW, AT, ALONG, SHIFT, TAKE_STEP, RECEIVE):
        raise _Refused
    own = [degrees.get(x) for x in n.inputs if x is not UNDEFINED]
    if n in sums:
        _check_sum(n, axis, sums)
    if n.op in CLOSED or adds_up(n):
        return _unify_degrees(own)
    if n.op.linear == EACH:
        return None if None in own else sum(d for d in own if d is not None)
    if n.op is div:
        return None if own[0] is None or own[1] is None else own[0] - own[1]
    if n.op is where:
        _unify_degrees(own[:1], 0)
        return _unify_degrees(own[1:])
    if n.op.linear in (TOGETHER, (0,)):
        _unify_degrees(own[1:], 0)
        return own[0]
    if n.op.reduces_axes and axis in n.attrs["axes"]:
        raise _Refused  # for example a maximum over the batch
    if n.op is CAST and n.dtype is float:
        return own[0]
    _unify_degrees(own, 0)
    return 0


def _unify_degrees(degrees: Iterable[int | None], must: int | None = None) -> int | None:
    """Return the one degree of all that have one."""
    known = {d for d in degrees if d is not None} | ({must} if must is not None else set())
    if len(known) > 1:
        raise _Refused
    return next(iter(known), None)


def _check_sum(n: Node, axis: Axis, sums: set[Node]) -> None:
    """Refuse a node that is not linear in sums over the batch, or through which a sequence of the batch reads such a sum."""
    if axis in n.axes or n.op in CLOSED:
        raise _Refused
    inside = [x in sums for x in n.inputs]
    if not any(inside):  # the sum over the batch itself
        return
    linear = n.op is sum_over or n.op.linear == (0,) or (n.op is CAST and n.dtype is float)
    adding = adds_up(n) and all(i or is_zero(x) for i, x in zip(inside, n.inputs, strict=True))
    scaled = n.op.linear == EACH and inside.count(True) == 1
    if not (adding or scaled or (linear and inside[0] and not any(inside[1:]))):
        raise _Refused
