"""Names for values: the user's own, and for derivatives those of calculus (``dz``, ``ds``)."""

from __future__ import annotations

from autograd_seq.core.names import make_identifier, make_printable
from autograd_seq.core.node import Node
from autograd_seq.emit.lower import is_leaf
from autograd_seq.emit.names import Names
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_readers
from autograd_seq.graph.printing import name_arguments, name_equations, operation, put_before
from autograd_seq.ops.elementwise import CAST, add, neg, sub
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import ALONG, SHIFT
from autograd_seq.plan.memory.views import LEAVES
from autograd_seq.plan.passes.legal import COPY

_SILENT = (RESHAPE, BROADCAST_TO, CAST)
_SUMS = (add, sub, neg, sum_over)


class Labels:
    """Names for the values of a graph that was derived from the user's graph.

    ``ds`` is the cotangent of ``s``; ``z_s`` is the argument of the function whose value is ``s``, and ``dz_s`` its cotangent.

    Args:
        user: the graph as the user wrote it.
        graph: the graph derived from it.
        before: the nodes of ``graph`` that belong to the forward pass: none of them is named as a cotangent, even if the
            derivative rule of some operation returns it.
    """

    def __init__(self, user: Graph, graph: Graph, before: set[Node]) -> None:
        self.user, self.graph, self.before = user, graph, before
        self.argument = name_arguments(user.nodes, letters=True)
        self.own = name_equations(graph.nodes)
        for n in graph.nodes:
            if n.op is rewritten or (n.op is COPY and n.name):
                self.own.setdefault(n.inputs[0], graph.name(n))
        if any(o.adjoint_of is not None for o in graph.outputs):
            for o in graph.outputs[:1]:
                if not o.axes and o.name is None and o.adjoint_of is None:
                    self.own.setdefault(o, "loss")
        self.arguments = name_arguments(graph.nodes, letters=True)
        self.states = {n.inputs[0]: n for n in graph.nodes if n.op is STATE}
        self.readers = list_readers(graph.nodes)
        names = {*(n.name for n in user.nodes if n.name), *(a.name for a in user.axes)}
        bases = [name.rpartition("/")[2] for name in names]
        self.short = len(set(bases)) == len(bases)  # without their scopes all names are still different

    def choose_name(self, node: Node, names: Names) -> tuple[str, str]:
        """Return a unique identifier for a value, and its name in equations."""
        label = self.get_label(node)
        label = label.rpartition("/")[2] if self.short else label
        name = names.new(label)
        return name, make_printable(label) if name == make_identifier(label) and "/" not in label else name

    def get_label(self, node: Node) -> str:
        """Return the name of a value, which need not be unique."""
        if own := node.name or self.own.get(node) or node.letter:
            return own
        stands = self.states.get(node, node)
        origin = stands.adjoint_of if node.adjoint_of is None else node.adjoint_of
        if origin is not None and node not in self.before:
            return self._name_cotangent(origin)
        if node.op is COPY and (name := node.inputs[0].name):
            return f"{name}_copy" if is_leaf(node.inputs[0]) else name
        if name := self.arguments.get(node):
            return name
        if node.op in _SILENT and node.inputs[0].op not in LEAVES:
            return self.get_label(node.inputs[0])
        if node not in self.before and (whole := self._find_whole(node)) is not None:
            return f"{self.get_label(whole)}_part"
        return self.graph.name(stands)

    def _find_whole(self, node: Node) -> Node | None:
        """Return the cotangent that a node is a term of."""
        while len(found := self.readers[node]) == 1 and found[0].op in _SUMS and set(found[0].axes) == set(node.axes):
            (node,) = found
            if node.adjoint_of is not None or node in self.states:
                return node
        return None

    def _name_cotangent(self, origin: Node) -> str:
        return put_before("d", self._name_origin(origin))

    def _name_origin(self, node: Node) -> str:
        if name := node.name or node.letter:
            return name
        if node.adjoint_of is not None:
            return self._name_cotangent(node.adjoint_of)
        if node.op is SHIFT:
            return f"{self._name_origin(node.inputs[0])}_{'before' if node.attrs['by'] > 0 else 'after'}"
        if node in self.argument:
            return self.argument[node]
        if node.op in (*_SILENT, ALONG):
            return self._name_origin(node.inputs[0])
        return self.user._names.get(node, operation(node))


__all__ = ["Labels"]
