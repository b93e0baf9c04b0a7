"""Copies where two nodes cannot share one array, so that every shift is a view of what it reads.

The steps of a node and its boundary rows lie in one array, rows before and after the steps. That array can have one node only:
the equation of two states, a feed, or a node that one shift reads with rows and another with zeros outside, is copied first. So
is a value spread over an axis, if an operation needs it at all points; and the equation of an iterate, which is computed from
the one before and takes its place. What is sent to steps that values name is added to an array of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograd_seq.core.axes import Iteration, union
from autograd_seq.core.facts import KEPT, TOGETHER
from autograd_seq.core.node import Node, apply, constant
from autograd_seq.core.op import Op
from autograd_seq.core.rules import first
from autograd_seq.graph.order import get_rows, step_order
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import ADD_ROWS, RECEIVE, SEND, TAKE_STEP
from autograd_seq.ops.time import SHIFT, SPREAD
from autograd_seq.plan.memory.views import LEAVES, is_view

COPY = Op("copy", lambda x, **_: x, lambda x, axes: np.array(x), lambda g, y, x, axes: (g,), first,
          lambda x, *, axes: axes, False, "copy", "The value in an array of its own.",
          numpy=("copyto({out}, {0})",), native="{0}", flops=0, linear=TOGETHER, range=KEPT)  # fmt: skip


def make_legal(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with copies, so that all sources of shifts have arrays of their own with the right rows."""
    out = rebuild(outputs, _make_statement)
    order = step_order(out)
    owned: set[Node] = set()
    iterated = {n.inputs[0] for n in order if n.op is SHIFT and isinstance(n.attrs["axis"], Iteration)}
    for n in order:
        if n.op is STATE:
            equation = n.inputs[0]
            if n in iterated or not _own(equation) or equation in owned or set(equation.axes) != set(n.axes):
                equation = apply(COPY, equation, axes=n.axes)
                n.inputs = (equation, *n.inputs[1:])
            owned.add(equation)
    copies: dict[tuple[Node, bool], Node] = {}
    for n in order:
        if n.op is not SHIFT:
            continue
        x, zero = n.inputs[0], n.attrs["outside"] == "zero"
        if x.op is STATE and zero and get_rows(x, n.attrs["axis"], "init" if n.attrs["by"] > 0 else "final")[0] is None:
            zero = False  # a state without rows on this side shows zeros anyway
        fits = not zero if x.op is STATE else _own(x) and x not in owned
        if not fits:
            key = x, zero
            if key not in copies:
                copies[key] = apply(COPY, x, axes=x.axes)
            n.inputs = (copies[key],)
    return out


def _make_statement(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Return a node that has a statement of its own, in place of one that is to be read at all points, or is sent somewhere."""
    if node.op is SPREAD:
        return apply(COPY, *inputs, axes=node.axes)
    if node.op is TAKE_STEP and node.attrs["axis"] not in inputs[0].axes:  # the same at all steps
        x, axis = inputs[0], node.attrs["axis"]
        return apply(TAKE_STEP, apply(COPY, x, axes=(axis, *x.axes)), inputs[1], **node.attrs)
    if node.op is SEND:
        (g, i), attrs = inputs, node.attrs
        rows = (attrs["axis"], *(a for a in union(g.axes, i.axes) if a not in (attrs["axis"], *attrs["axes"])))
        zeros = apply(COPY, constant(np.zeros(g.shape[i.ndim :])), axes=rows)
        return apply(ADD_ROWS, zeros, g, i, axis=attrs["axis"], earlier=attrs["earlier"])
    if node.op is RECEIVE and inputs[0].op is ADD_ROWS:  # whose value is a row
        return copy_name(node, apply(RECEIVE, *inputs, **{**node.attrs, "index_rank": 0}))
    return None


def _own(node: Node) -> bool:
    """Tell whether a node is computed into an array of its own."""
    return node.op not in LEAVES and node._value is None and not is_view(node)
