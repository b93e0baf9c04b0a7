"""Copies of nodes, by ``copy.deepcopy`` and by ``pickle``: a node and all that it is computed from, as one flat list.

Why flat (2026-11): a node holds its inputs, so the usual way of copying recurses as deeply as the graph, and fails on an eager
expression of a few thousand steps. Here a node is copied as its position in the list of all nodes below it. The list is kept
until the copy is finished, and other nodes in it are copied as positions in the same list: a node that is referred to in many
places (in the attributes of a model, say) is one node in the copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.node import UNIQUE, Node

_FLATS: WeakValueDictionary[int, _Flat] = WeakValueDictionary()
"""By the id of a node, the list that contains it and keeps it alive."""
_FIELDS = [name for name in Node.__slots__ if name not in ("__weakref__", "inputs", "adjoint_of")]


class _Flat:
    """A list of nodes, and the position of each."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.place = {id(n): i for i, n in enumerate(nodes)}

    def __reduce__(self) -> Any:
        return _make_blank, (len(self.nodes),), [
            ([getattr(n, name) for name in _FIELDS], [self._as_place(x) for x in n.inputs],
             None if n.adjoint_of is None else self._as_place(n.adjoint_of)) for n in self.nodes]  # fmt: skip

    def _as_place(self, node: Node) -> int | Node:
        return self.place.get(id(node), node)

    def __setstate__(self, state: list[Any]) -> None:
        def get(x: int | Node) -> Node:
            return self.nodes[x] if isinstance(x, int) else x

        for node, (fields, inputs, origin) in zip(self.nodes, state, strict=True):
            for name, value in zip(_FIELDS, fields, strict=True):
                setattr(node, name, value)
            node.inputs = tuple(map(get, inputs))
            node.adjoint_of = None if origin is None else get(origin)


def _make_blank(count: int) -> _Flat:
    return _Flat([Node.__new__(Node) for _ in range(count)])


def reduce_node(node: Node) -> Any:
    """Return the function and arguments from which ``pickle`` and ``deepcopy`` rebuild a node."""
    for name, one in UNIQUE.items():
        if one is node:
            return _get_unique, (name,)
    flat = _FLATS.get(id(node))
    if flat is None:
        flat = _Flat(_list_sources(node))
        for n in flat.nodes:
            _FLATS[id(n)] = flat
    return _get_member, (flat, flat.place[id(node)])


def _get_unique(name: str) -> Node:
    return UNIQUE[name]


def _get_member(flat: _Flat, place: int) -> Node:
    return flat.nodes[place]


def _list_sources(node: Node) -> list[Node]:
    """Return a node and all that it is computed from, except nodes in a list already, and those unique in a process."""
    found, stack = {id(node): node}, [node]
    while stack:
        n = stack.pop()
        for x in (*n.inputs, *([] if n.adjoint_of is None else [n.adjoint_of])):
            if id(x) not in found and id(x) not in _FLATS and all(x is not one for one in UNIQUE.values()):
                found[id(x)] = x
                stack.append(x)
    return list(found.values())


FUNCTIONS.update(reduced=reduce_node)
