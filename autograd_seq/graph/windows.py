"""Windows written out as shifts, for analyses that need each read of a step as a node."""

from __future__ import annotations

from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.graph.system import System
from autograd_seq.ops.window import OVERLAP, WINDOW, build_from_shifts


def spell_out_windows(graph: System) -> System:
    """Return the same equations with a shift for each step of a window; the graph itself if it has no windows.

    Example:
        >>> import autograd_seq as ag
        >>> from autograd_seq.ops.time import SHIFT
        >>> t = ag.Axis("t")
        >>> g = ag.Graph(ag.window(ag.input("x", over=t), t, 3))
        >>> len(g), sum(n.op is SHIFT for n in spell_out_windows(g).nodes)
        (2, 2)
    """
    if not any(n.op in (WINDOW, OVERLAP) for n in graph.nodes):
        return graph
    return Graph(rebuild(graph.outputs, _spell_out))


def _spell_out(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return copy_name(node, build_from_shifts(node, inputs[0])) if node.op in (WINDOW, OVERLAP) else None
