"""The printed form of a graph, and names for nodes that the user did not name; both are the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd_seq.core.axes import Index
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.ops.elementwise import POWER_NUMBER
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import ADD_ROWS, RECEIVE, SEND, TAKE_STEP
from autograd_seq.ops.time import SHIFT, SPREAD

if TYPE_CHECKING:
    from autograd_seq.graph.system import System

_AROUND = (rewritten, stop_gradient, SPREAD)
"""Operations that pass a value on."""


def name_nodes(nodes: Sequence[Node]) -> dict[Node, str]:
    """Return a unique name for every node: its own; ``s[t - 1]`` for a shift; ``ds`` for the cotangent of s; ``add_2``."""
    taken = {n.name for n in nodes if n.name}
    found: dict[Node, str] = {n: n.name for n in nodes if n.name}
    counts: dict[str, int] = {}
    shifts = [n for n in nodes if n.op is SHIFT and not n.name]
    called = name_arguments(nodes) | name_equations(nodes) if any(n.adjoint_of is not None for n in nodes) else {}
    for node in nodes:
        if node in found or node.op is SHIFT:
            continue
        label = operation(node)
        origin = node.adjoint_of
        if origin is not None and (base := _name_origin(origin, found, called)):
            found[node] = _make_unique(put_before("d", base), taken)
            continue
        label = f"{node.scope}/{label}" if node.scope else label
        while True:
            counts[label] = counts.get(label, 0) + 1
            if f"{label}_{counts[label]}" not in taken:
                break
        found[node] = f"{label}_{counts[label]}"
        taken.add(found[node])
    while shifts:  # the name of a shift of a shift needs that of the inner one
        waiting = []
        for node in shifts:
            source = node.inputs[0]
            if source in found:
                place = Index(node.attrs["axis"], -node.attrs["by"])
                found[node] = _make_unique(f"{found[source]}[{place}]", taken)
            else:
                waiting.append(node)
        shifts = waiting
    return found


def name_cotangents(nodes: Sequence[Node]) -> dict[Node, str]:
    """Return the names of unnamed cotangents of what has a name; of a state that no other step reads for its equation."""
    names, called = name_nodes(nodes), name_arguments(nodes) | name_equations(nodes)
    shifted = {n.inputs[0] for n in nodes if n.op is SHIFT}
    equations = {n.inputs[0] for n in nodes if n.op is STATE}
    found = {}
    for n in nodes:
        if n.adjoint_of is None or n.name or n.op is SHIFT or n in equations:
            continue
        if _name_origin(n.adjoint_of, names, called):
            found[n.inputs[0] if n.op is STATE and n not in shifted and not n.inputs[0].name else n] = names[n]
    return found


def _name_origin(origin: Node, found: Mapping[Node, str], called: Mapping[Node, str]) -> str:
    """Return the name of a node after which its cotangent is called; empty if it has none but that of its operation."""
    if name := origin.name or called.get(origin):
        return name
    inner = origin.adjoint_of
    return found[origin] if inner is not None and origin in found and _name_origin(inner, found, called) else ""


def name_equations(nodes: Sequence[Node]) -> dict[Node, str]:
    """Return the names of states for the nodes that define them, and of what only passes them on."""
    found: dict[Node, str] = {}
    for n in nodes:
        if n.name and (n.op is STATE or n.op in _AROUND) and not n.inputs[0].name:
            found.setdefault(n.inputs[0], n.name)
    return found


def name_states(nodes: Sequence[Node], names: Mapping[Node, str]) -> dict[Node, str]:
    """Return the names, in which the node that defines a state has the name of the state."""
    found = dict(names)
    for n in nodes:
        if n.op is STATE and n.inputs[0].name is None:
            found[n.inputs[0]] = names[n]
    return found


def name_arguments(nodes: Sequence[Node], letters: bool = False) -> dict[Node, str]:
    """Return names ``z_s`` for the arguments of unary functions whose value is named ``s``, or with letters is a gate ``s``."""
    called = {n: n.name or n.letter for n in nodes if (n.name or (letters and n.letter)) and n.op is not SHIFT}
    called |= {n: name for n, name in name_equations(nodes).items() if n not in called}
    found: dict[Node, set[str]] = {}
    for n, name in called.items():
        if len(n.inputs) == 1 and n.op is not STATE and n.op not in _AROUND and not n.inputs[0].name:
            found.setdefault(n.inputs[0], set()).add(name)
    return {n: put_before("z_", min(names)) for n, names in found.items() if len(names) == 1 and n.inputs and n not in called}


def put_before(sign: str, name: str) -> str:
    """Return a name with a sign before its last part, after its scope.

    Example:
        >>> put_before("d", "encoder/h")
        'encoder/dh'
    """
    scope, slash, own = name.rpartition("/")
    return f"{scope}{slash}{sign}{own}"


_INTERNAL = {"rank", "index_rank", "among", "of", "here", "row", "made", "derived", "floor"}  # not shown in equations


def operation(node: Node) -> str:
    """Return the word for an operation in names and text, as the user wrote it: ``matmul`` for a matrix product."""
    return node.op.get_word(node.attrs)


def _make_unique(name: str, taken: set[str]) -> str:
    unique, k = name, 2
    while unique in taken:
        unique, k = f"{name}_{k}", k + 1
    taken.add(unique)
    return unique


def format_graph(graph: System) -> str:
    """Return the graph as text, one line per node: ``name: kind[shape] over axes = operation``."""
    lines = []
    for node in graph.nodes:
        if node.op is CONSTANT and not node.shape:
            continue
        over = f" over {', '.join(map(str, graph.layout(node)))}" if node.axes else ""
        shape = f"[{', '.join(map(str, node.shape))}]" if node.shape else ""
        lines.append((graph.label(node), f"{node.dtype.__name__}{shape}{over}", format_equation(graph, node)))
    widths = [max((len(line[i]) for line in lines), default=0) for i in (0, 1)]
    body = [f"  {a:<{widths[0]}} : {b:<{widths[1]}} = {c}" for a, b, c in lines]
    outs = ", ".join(graph.label(o) for o in graph.outputs)
    over = ", ".join(map(str, graph.axes))
    ends = [f"  until {graph.label(s.when)}{'' if s.limit is None else f', at most {s.limit} steps of {a}'}"
            for a, s in graph.stops.items()]  # fmt: skip
    return "\n".join([f"graph{' over ' + over if over else ''}:", *body, *ends, f"  return {outs}"])


def format_equation(graph: System, node: Node, term: Callable[[System, Node], str] | None = None) -> str:
    """Return the operation of a node on its inputs, each written by ``term``: by default its name, or its number.

    Example:
        >>> import autograd_seq as ag
        >>> y = ag.tanh(ag.param("w") * 2)
        >>> format_equation(ag.Graph(y), y), format_equation(ag.Graph(y), y.inputs[0])
        ('tanh(mul_1)', 'w * 2')
    """
    args = [(term or format_operand)(graph, x) for x in node.inputs]
    if node.op is STATE:
        rows = [
            f", {b.side}[{b.axis}]=({', '.join(args[b.start : b.stop])}{', …' if b.rows is None else ''})"
            for b in node.attrs["bounds"]
        ]
        return f"state {args[0]}{''.join(rows)}"
    if node.op is SHIFT:
        return f"{args[0]} at {Index(node.attrs['axis'], -node.attrs['by'])}" + (
            ", 0 outside" if node.attrs["outside"] == "zero" else ""
        )
    if node.op is rewritten:
        return f"{node.attrs['form']}({', '.join(args[1:])}), computed as {args[0]}"
    if node.op is SLICE:
        inner = args[0] if args[0].isidentifier() else f"({args[0]})"
        return f"{inner}[{', '.join(format_subscript(node.attrs['key'], node.inputs[0].shape))}]"
    word = operation(node)
    if node.op is POWER_NUMBER:
        args.append(_format_attribute(node.attrs["n"]))
    if sign := node.op.get_sign(node.attrs):
        left = f"({args[0]})" if word == "power" and args[0].startswith("-") else args[0]
        return f"{left} {sign} {args[1]}"
    if node.op.prefix:
        return f"{node.op.prefix}{args[0]}"
    if word == "einsum":
        args.insert(0, _format_attribute(node.attrs["spec"]))
    attrs = _write_attributes(node)
    if not args and not attrs:
        return word if node._value is None else f"{word} {_format_value(node)}"
    return f"{word}({', '.join(args + attrs)})"


def _write_attributes(node: Node) -> list[str]:
    """Return the attributes of a node as keywords of its function; defaults are left out."""
    if node.op in (TAKE_STEP, SEND, RECEIVE, ADD_ROWS):
        earlier = ", earlier=True" if node.attrs.get("earlier") else ""
        return [f"over={_format_attribute(node.attrs['axis'])}{earlier}"]
    attrs = {k: v for k, v in node.attrs.items() if k not in _INTERNAL and not (k == "keepdims" and v is False)}
    attrs.pop("spec", None)  # of einsum it comes first
    if node.op.reduces_axes:
        axes = attrs.pop("axes")
        attrs |= {"over": axes if len(axes) > 1 else axes[0]} if axes else {}
    if isinstance(axis := attrs.get("axis"), tuple) and len(axis) == 1:
        attrs["axis"] = axis[0]
    return [f"{make_printable(k)}={_format_attribute(v)}" for k, v in attrs.items()]


def format_subscript(key: Sequence[Any], shape: Sequence[int]) -> list[str]:
    """Return the terms between the brackets of an index expression, for a value of the given shape.

    Example:
        >>> format_subscript((slice(0, 3, 1), None, 2, slice(5, None, -2), slice(0, 2, 1)), (4, 4, 6, 2))
        ['0:3', 'None', '2', '5::-2', ':']
    """
    parts, lengths = [], iter(shape)
    for k in key:
        n = 1 if k is None else next(lengths)
        if isinstance(k, slice) and (k.start, k.stop, k.step) == (0, n, 1):
            parts.append(":")
        elif isinstance(k, slice):
            start = k.start or 0
            step = 1 if k.step is None else k.step
            ends = f"{start}:{'' if k.stop is None else k.stop}"
            parts.append(ends if step == 1 else f"{ends}:{step}")
        else:
            parts.append(str(k))
    return parts


def _format_attribute(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_format_attribute, value))}{',' if len(value) == 1 else ''})"
    if type(value).__repr__ is object.__repr__:  # which shows an address, another one in each run
        return type(value).__name__
    return make_printable(repr(value) if isinstance(value, str) else str(getattr(value, "__name__", value)))


def format_operand(graph: System, node: Node) -> str:
    """Return a node as an operand in text: its name, or the number if it is a constant."""
    return _format_value(node) if node.op is CONSTANT and not node.shape else graph.label(node)


def _format_value(node: Node) -> str:
    return np.array2string(np.asarray(node._value), threshold=4, precision=6)
