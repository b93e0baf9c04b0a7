"""A fingerprint of equations: equal for equal equations, in any process, whatever their unnamed nodes are called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.state import STATE

_LEFT_OUT = {"reach", "init"}
"""Attributes that are no part of the equations: how far a state's readers look, what parameters are drawn from."""


def make_fingerprint(roots: Sequence[Node]) -> str:
    """Return a digest of the equations that some nodes depend on.

    Args:
        roots: the nodes, in order.

    Returns:
        64 hexadecimal digits. Operations, attributes, shapes, kinds, axes, constants, and the names of inputs, parameters,
        states and axes count; the names of other nodes, the lines where they were written and the order in which they were
        made do not.

    Notes:
        Nodes are numbered as a depth-first search from the roots meets them: linear in the nodes and their edges.
    """
    number: dict[Node, int] = {}
    stack = [*reversed(roots)]
    order = []
    while stack:
        node = stack.pop()
        if node not in number:
            number[node] = len(number)
            order.append(node)
            stack += reversed(_list_sources(node))
    digest = hashlib.sha256(repr([number[n] for n in roots]).encode())
    for node in order:
        digest.update(f"\n{_describe(node, number.__getitem__)}".encode())
    return digest.hexdigest()


def _list_sources(node: Node) -> tuple[Node, ...]:
    """Return the inputs of a node; of a value that is known they do not matter."""
    return () if node._value is not None else node.inputs


def _describe(node: Node, number: Callable[[Node], int]) -> str:
    named = node.op in (INPUT, PARAM, STATE) and not node.attrs.get("made")
    attrs = sorted((key, _write(value)) for key, value in node.attrs.items() if key not in _LEFT_OUT)
    value = "" if node._value is None else _write(np.asarray(node._value))
    word = "known" if value and node.inputs else node.op.name
    parts = (word, node.name if named else None, node.dtype.__name__, node.shape, _write(node.axes), attrs if not value else [],
             value, [*map(number, _list_sources(node))])  # fmt: skip
    return repr(parts)


def _write(value: Any) -> str:
    """Return a value as text that is the same in every process."""
    if isinstance(value, Axis):
        return f"axis {value.name!r} {value.size}"
    if isinstance(value, Node):
        return f"node {value.op.name} {value.name!r} {value.shape}"
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        data = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()
        return f"array {array.dtype.kind}{array.dtype.itemsize} {array.shape} {hashlib.sha256(data).hexdigest()}"
    if isinstance(value, slice):
        return f"slice {_write((value.start, value.stop, value.step))}"
    if isinstance(value, dict):
        return f"dict {sorted((_write(k), _write(v)) for k, v in value.items())}"
    if isinstance(value, (set, frozenset)):
        return f"set {sorted(map(_write, value))}"
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(_write, value))})"
    if callable(value):  # a function, a type
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return f"{type(value).__name__} {value!r}"


__all__ = ["make_fingerprint"]
