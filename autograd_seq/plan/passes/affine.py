"""Linear recurrences: loops whose states depend on their past as a·s + b does, entry by entry.

Examples are leaky integrators, minGRU, LRU, diagonal state spaces, and the adjoint of every recurrence without a matrix on its
cycle. a and b may be any expressions that do not depend on the state: each step is then an affine map of each entry, and the
maps of many steps can be composed before the initial state is known (an associative scan; Blelloch 1990).
"""

from __future__ import annotations

from autograd_seq.core.axes import Axis
from autograd_seq.core.facts import WHOLE
from autograd_seq.core.node import Node
from autograd_seq.graph.order import find_components
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.schedule import Loop, list_needs


def find_linear_shifts(loop: Loop, outside: tuple[Axis, ...] = ()) -> tuple[Node, ...]:
    """Return the shifts in which a loop is linear, entry by entry, in the order of its nodes; an empty tuple if it is not.

    Args:
        loop: a loop of a schedule.
        outside: the axes that the loops around it run over.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, a, h = ag.input("x", over=t), ag.param("a"), ag.state("h", over=t)
        >>> h[t] = ag.sigmoid(a * x[t]) * h[t - 1] + h[t - 3] + x[t]
        >>> plan = ag.compile(h).plan
        >>> [plan.graph.name(n) for n in find_linear_shifts(plan.items[-1])]
        ['h[t - 1]', 'h[t - 3]']

    Notes:
        A product with a matrix is linear too, but not entry by entry: the composition of two steps would be a product of
        matrices. Linear in the number of nodes, whatever the lengths of the axes are.
    """
    nodes = [n for n in loop.body if isinstance(n, Node)]
    if len(nodes) < len(loop.body):
        return ()  # a loop within it carries values along another axis, so entries are not independent
    at = {n: i for i, n in enumerate(nodes)}
    edges = [(at[x], i) for i, n in enumerate(nodes) for x in list_needs(n, outside) if x in at]
    itself = {a for a, b in edges if a == b}
    found: set[Node] = set()
    for part in find_components(len(nodes), edges):
        if len(part) == 1 and part[0] not in itself:
            continue
        cycle = {nodes[i] for i in part}
        if len({n.shape for n in cycle}) > 1 or not all(_is_affine(n, cycle) for n in cycle):
            return ()
        found |= {n for n in cycle if n.op is SHIFT}
    return tuple(n for n in nodes if n in found)


def _is_affine(n: Node, cycle: set[Node]) -> bool:
    if n.op in (STATE, SHIFT):
        return True
    by_entry = n.op.pointwise or n.op.view == WHOLE or (n.op is sum_over and not n.attrs["axes"])
    return by_entry and n.dtype is float and n.op.affine_in([x in cycle for x in n.inputs])


__all__ = ["find_linear_shifts"]
