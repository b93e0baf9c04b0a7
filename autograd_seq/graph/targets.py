"""Which nodes a derivative is taken with respect to: nodes, names of nodes, or all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_by_use
from autograd_seq.ops.leaf import PARAM


def list_targets(outputs: Sequence[Node], wrt: Any) -> list[Any]:
    """Return what ``wrt=`` names, in its order.

    Args:
        outputs: the nodes that are differentiated, in whose graph names are looked up.
        wrt: a node or its name, several of both, or ``None`` for all float parameters, in the order in which they are read.

    Returns:
        Nodes; what is neither a node nor a name is left as it is, for the caller to refuse.

    Raises:
        FeedError: no node has that name.

    Example:
        >>> import autograd_seq as ag
        >>> w, b = ag.param("w"), ag.param("b")
        >>> list_targets([w * 2 + b], None), list_targets([w * 2 + b], "b")
        ([w: float, b: float], [b: float])
    """
    if wrt is None:
        return [n for n in list_by_use(Graph(*outputs).outputs) if n.op is PARAM and n.dtype is float]
    chosen = [wrt] if is_one_target(wrt) else list(wrt)
    if any(isinstance(x, str) for x in chosen):
        graph = Graph(*outputs)
        chosen = [graph[x] if isinstance(x, str) else x for x in chosen]
    return chosen


def is_one_target(wrt: Any) -> bool:
    """Return whether ``wrt=`` is a single node or name, so that a single derivative is returned."""
    return isinstance(wrt, (Node, str))


__all__ = ["is_one_target", "list_targets"]
