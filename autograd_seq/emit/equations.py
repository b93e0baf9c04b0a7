"""The equations that programs contain as comments, above the lines that compute them."""

from __future__ import annotations

import numpy as np

from autograd_seq.core.axes import Index
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_readers
from autograd_seq.graph.printing import format_equation, format_subscript, operation
from autograd_seq.graph.system import System
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import get_delay
from autograd_seq.ops.time import SHIFT, SIZE, SPREAD
from autograd_seq.plan.passes.legal import COPY
from autograd_seq.plan.schedule import Loop, list_paths

_SILENT = (BROADCAST_TO, RESHAPE, SPREAD, rewritten, stop_gradient, COPY)
_LONGEST = 100
_DEEPEST = 12  # operations within operations of one equation


class Equations:
    """Writes nodes as expressions of the nodes that have a name or several readers, as in an equation."""

    def __init__(self, graph: Graph, labels: dict[Node, str]) -> None:
        self.graph, self.labels = graph, {n: make_printable(name) for n, name in labels.items()}
        readers = list_readers(graph.nodes)
        named = {n for n in graph.nodes if n.name or (n.op is STATE)} | {n.inputs[0] for n in graph.nodes if n.op is STATE}
        named |= {n.inputs[0] for n in graph.nodes if n.op is not SHIFT and get_delay(n)}
        self.top = {n for n in graph.nodes if n in named or len(readers[n]) != 1}
        self.of: dict[Node, Node] = {}
        ends: dict[Node, tuple[Node, int]] = {}  # the node whose equation contains a node, and the depth within it
        for n in reversed(graph.nodes):
            end, depth = n, 0
            if n not in self.top and n.op is not SHIFT:
                (r,) = readers[n]
                end, depth = (r, 1) if r in self.top or r.op is SHIFT else (ends[r][0], ends[r][1] + 1)
                if depth == _DEEPEST:  # a sum of hundreds of terms is several equations
                    self.top.add(n)
                    end, depth = n, 0
            ends[n] = end, depth
            self.of[n] = n if end.op is SHIFT else end

    def list_heads(self, loop: Loop) -> list[Node]:
        """Return the nodes whose equations describe a loop: those of its states, and those read at other steps."""
        inside = {n for n, _ in list_paths(loop.body)}
        read = {n.inputs[0] for n in inside if n.op is SHIFT}
        found = [n.inputs[0] if n.op is STATE else n for n in self.graph.nodes if n in read or (n.op is STATE and n in inside)]
        return [n for n in dict.fromkeys(found) if n in inside]

    def write_equation(self, node: Node) -> str:
        """Return the equation of a node: ``s[t, b] = tanh(…)``."""
        over = f"[{', '.join(map(str, self.graph.layout(node)))}]" if node.axes else ""
        right = self.write_right_side(node)
        shown = right if len(right) <= _LONGEST else f"{right[: _LONGEST - 1]}…"
        return f"{self.labels[node]}{over} = {shown}"

    def write_term(self, node: Node, inside: bool = True) -> str:
        """Return a node as a term on the right-hand side of an equation, in brackets if ``inside`` another operation."""
        if node.op is SHIFT:
            base = self.labels[node.inputs[0]]
            place = Index(node.attrs["axis"], -node.attrs["by"])
            return f"{base}[{place}]"
        if node._value is not None or node.op is CONSTANT:
            value = np.asarray(node._value)
            return (
                f"{value:.6g}"
                if not value.shape and value.dtype.kind == "f"
                else (np.array2string(value, threshold=4) if value.size == 1 else f"array of {value.shape}")
            )
        if node.op is SIZE:
            return f"size({node.attrs['axis']})"
        if node.op is SLICE and not node.name:
            return f"{self.write_term(node.inputs[0])}[{', '.join(format_subscript(node.attrs['key'], node.inputs[0].shape))}]"
        if node in self.top or not node.inputs:
            return self.labels[node]
        text = self.write_right_side(node)
        simple = not node.op.get_sign(node.attrs) or text.isidentifier()
        return text if simple or not inside else f"({text})"

    def write_right_side(self, node: Node) -> str:
        """Return the right-hand side of a node's equation."""
        if node.op in _SILENT or node.op is STATE:
            return self.write_term(node.inputs[0], inside=False)
        if node.op is sum_over and not node.attrs["axes"]:
            return " + ".join(self.write_term(x) for x in node.inputs)
        is_sum = operation(node) == "add"  # whose terms need no brackets

        def write(graph: System, x: Node) -> str:
            bare = is_sum and operation(x) in ("add", "mul", "matmul")
            return self.write_term(x, inside=bool(node.op.get_sign(node.attrs) or node.op.prefix) and not bare)

        return format_equation(self.graph, node, write)
