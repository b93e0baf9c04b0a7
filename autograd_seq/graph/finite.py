"""Which values stay finite however long a sequence is run, so that 0 times them is 0.

The recurrence of a sequence shorter than the padded axis goes on after its end, over zeros. Cotangents are 0 there, and 0 times
a state is 0 unless the state has grown to infinity. A value stays finite for any number of steps if it is computed by
operations that keep finite numbers finite, and every cycle it is on passes a saturating operation, or only adds bounded terms
to a value that is multiplied by factors of at most 1 (as in an LSTM's cell). Overflow within a single step is not considered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograd_seq.core.facts import KEPT
from autograd_seq.core.node import Node
from autograd_seq.graph.order import get_sources, list_components
from autograd_seq.ops.activations import sigmoid
from autograd_seq.ops.elementwise import add, exp, mul, sub
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.softmax import LOG_SOFTMAX, SOFTMAX


def find_finite(nodes: Sequence[Node]) -> set[Node]:
    """Return the nodes of a graph whose values stay finite for any number of steps, if parameters and feeds are finite.

    Args:
        nodes: of a graph, each after what it needs at its own step.

    Notes:
        Linear in the number of nodes.
    """
    found: set[Node] = set()
    pending = list_components(nodes)
    while pending:  # a component is judged after the components that it reads
        waiting = []
        left = {n for part in pending for n in part}
        for part in pending:
            within = set(part)
            outside = [x for n in part for x in get_sources(n) if x not in within]
            if any(x in left for x in outside):
                waiting.append(part)
                continue
            if all(x in found for x in outside) and all(keeps_finite(n) for n in part) and _is_bounded(part):
                found |= within
        if len(waiting) == len(pending):
            break
        pending = waiting
    return found


def keeps_finite(n: Node) -> bool:
    """Tell whether an operation maps finite numbers to finite numbers."""
    if n._value is not None:
        return bool(np.all(np.isfinite(n._value)))
    if n.op is exp:  # if its operand is at most 0
        return n.inputs[0].op is LOG_SOFTMAX
    return n.op in (INPUT, PARAM) or n.op.is_finite


def _is_bounded(part: Sequence[Node]) -> bool:
    """Tell whether every value of a component is bounded, or grows by bounded terms only."""
    if len(part) == 1:
        return True
    for inner in list_components(part, lambda n: [x for x in get_sources(n) if not x.op.is_bounded]):
        within = set(inner)
        if len(inner) > 1 and not all(_makes_nothing_larger(n, within) for n in inner):
            return False
    return True


def _makes_nothing_larger(n: Node, within: set[Node]) -> bool:
    inside = [x for x in n.inputs if x in within]
    if n.op.range == KEPT:
        return True
    if n.op in (add, sub) or (n.op is sum_over and not n.attrs["axes"]):
        return len(inside) == 1
    if n.op is mul:
        return len(inside) == 1 and all(_is_unit(x) for x in n.inputs if x not in within)
    return False


def _is_unit(x: Node) -> bool:
    """Tell whether a value lies between −1 and 1."""
    if x._value is not None:
        return bool(np.all(np.abs(x._value) <= 1))
    if x.op is sub and x.inputs[1].op in (sigmoid, SOFTMAX):  # 1 − z
        one = x.inputs[0]._value
        return one is not None and bool(np.all(one == 1))
    return x.op.is_unit
