"""Hoisting out of a program what depends only on feeds that do not change: it is computed once, before the calls."""

from __future__ import annotations

from collections.abc import Container, Sequence

from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.random import SEED
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT


def hoist(outputs: Sequence[Node], known: Container[str]) -> tuple[list[Node], dict[str, Node]]:
    """Replace nodes that depend on known feeds alone by new feeds, and return the nodes to compute for these.

    Args:
        outputs: the outputs of a program, best after the other passes.
        known: the names of feeds that stay the same.

    Returns:
        The new outputs, and by name the nodes whose values are to be fed. Only static nodes are hoisted.

    Example:
        >>> import autograd_seq as ag
        >>> w, x = ag.param("w"), ag.input("x")
        >>> (y,), fixed = hoist([ag.exp(w) * x], {"w"})
        >>> list(fixed), [str(n.name) for n in ag.Graph(y).inputs.values()]
        (['exp_1'], ['exp_1', 'x'])

    Notes:
        Linear in the number of nodes.
    """
    graph = Graph(outputs)
    static: set[Node] = set()
    for n in graph.nodes:
        leaf = n.op in (INPUT, PARAM)
        fixed = graph.name(n) in known and n is not SEED if leaf else n._value is not None or bool(n.inputs)
        if fixed and not n.axes and n.op not in (STATE, SHIFT) and all(x in static for x in n.inputs):
            static.add(n)
    found: dict[str, Node] = {}

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node not in static or node._value is not None or node.op in (INPUT, PARAM):
            return None
        found[graph.name(node)] = node
        return Node(INPUT, (), {"made": True}, node.shape, node.dtype, (), name=graph.name(node))

    made = rebuild(graph.outputs, rule)
    read = Graph(made).inputs
    return made, {name: node for name, node in found.items() if name in read}
