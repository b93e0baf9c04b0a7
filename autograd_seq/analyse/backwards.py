"""The way back through an unrolled graph and its values: what each operation passes to each operand, and equilibria solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.node import Node, constant
from autograd_seq.grad.eager import fit_array
from autograd_seq.grad.live import select_cotangents
from autograd_seq.graph.order import postorder, same_step, sort_components
from autograd_seq.ops.equilibrium import ROUNDING, make_unsettled_error, name_equilibrium
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.state import EQUILIBRIUM

Pull = Callable[[Node, Any], list[tuple[int, Any]]]
"""Returns what an operation passes to some of its operands, by their number; ``None`` where it never passes any."""


def pull(n: Node, g: Any, values: Mapping[Node, Any], within: set[Node]) -> list[tuple[int, Any]]:
    """Return what an operation passes to each of its float operands among some nodes; ``None`` if it never passes any.

    Args:
        n: the operation.
        g: its cotangent.
        values: of its operands.
        within: the nodes.
    """
    if n.op is EQUILIBRIUM:  # the cotangent of its equation; where the iteration started is forgotten
        return [(k, None if k else g) for k, x in enumerate(n.inputs) if x in within]
    inputs = [constant(values[x]) if x.dtype is float else constant(np.asarray(values[x])) for x in n.inputs]
    if not inputs:
        return []
    here = Node(n.op, tuple(inputs), n.attrs, n.shape, n.dtype, (), values[n])
    parts = select_cotangents(here, constant(g), constant(np.not_equal(g, 0)))
    shown = len(n.inputs) if n.op is not rewritten else 1  # the others are for readers
    return [(k, None if part is None else fit_array(part, x))
            for k, (x, part) in enumerate(zip(n.inputs[:shown], parts[:shown], strict=True))
            if x in within and x.dtype is float]  # fmt: skip


def list_rounds(order: Sequence[Node]) -> list[list[Node]]:
    """Return nodes in parts, each after those that it reads: one node, or what is cyclic through equilibria.

    Args:
        order: nodes of an unrolled graph.

    Returns:
        The parts; in one with equilibria these are the last, and the others stand in the order of their equations.
    """
    found = []
    for part in sort_components(order, lambda n: n.inputs):
        within = set(part)
        inner = postorder(part, lambda n, within=within: [x for x in same_step(n) if x in within])  # type: ignore[misc]
        found.append([*(n for n in inner if n.op is not EQUILIBRIUM), *(n for n in inner if n.op is EQUILIBRIUM)])
    return found


def settle(part: Sequence[Node], outside: Mapping[Node, Any], pull: Pull) -> dict[Node, Any]:
    """Return the cotangents of equilibria, with what their own equations pass back to them.

    Args:
        part: of :func:`list_rounds`.
        outside: by node, the cotangent that comes from readers outside of the part.
        pull: what an operation passes on.

    Raises:
        EquilibriumError: the iteration for them does not settle.
    """
    ends = [n for n in part if n.op is EQUILIBRIUM]
    found = {z: np.asarray(outside.get(z, 0.0), float) for z in ends}
    moved = [np.inf, np.inf]
    steps = max(z.attrs["max_steps"] for z in ends)
    for _ in range(steps):
        passed = {**{n: g for n, g in outside.items() if n not in found}, **found}
        after = {z: outside.get(z, 0.0) for z in ends}
        for n in reversed(part):
            for k, given in pull(n, passed[n]) if n in passed else ():
                if given is not None and (x := n.inputs[k]) in after:
                    after[x] = after[x] + given
                elif given is not None:
                    passed[x] = passed[x] + given if x in passed else given
        gap, size = (max(np.max(np.abs(v), initial=0) for v in some)
                     for some in ([after[z] - found[z] for z in ends], after.values()))  # fmt: skip
        moved = [moved[1], float(gap)]
        if gap <= max(max(z.attrs["gradient_tol"] for z in ends) * size, ROUNDING * np.spacing(size)):
            return after
        found = {z: (d := z.attrs["damping"]) * found[z] + (1 - d) * after[z] for z in ends}
    label = f"the gradient of {name_equilibrium(ends[0])}"
    raise make_unsettled_error(label, ends[0], steps, moved[1], moved[1] / moved[0] if moved[0] else np.inf, {})


__all__ = ["list_rounds", "pull", "settle"]
