"""Names as pictures show them: without scopes that are not needed, and those of gradients and adjoint states."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_seq.core.node import Node


def is_named(node: Node) -> bool:
    """Tell whether pictures show a node under a name: the user's, or the letter that a cell has for it."""
    return node.name is not None or bool(node.letter)


def name_adjoint(vertex: Node, is_output: bool) -> str:
    """Return the name of a gradient, ∂L∕∂W, or of an adjoint state, s̄; "" for that of something without a name.

    The slash is a division slash, since a plain one separates scopes.

    Example:
        >>> import autograd_seq as ag
        >>> w = ag.param("w")
        >>> name_adjoint(ag.grad(w * w, w), True)
        '∂L∕∂w'
    """
    order, node = 0, vertex
    while node.adjoint_of is not None:
        node, order = node.adjoint_of, order + 1
    own = (node.name or node.letter).rpartition("/")[2]
    if not own:
        return ""
    power = "²" if order == 2 else "" if order == 1 else f"^{order}"
    return f"∂{power}L∕∂{own}{power}" if is_output else own[0] + "\u0304" * order + own[1:]


def shorten_names(full: Mapping[Node, str]) -> dict[Node, str]:
    """Return names without unneeded scopes: the shortest ends, cut at `/`, that are still different.

    Example:
        >>> shorten_names({1: "net/h", 2: "net/x", 3: "a/W", 4: "b/W"})
        {1: 'h', 2: 'x', 3: 'a/W', 4: 'b/W'}
    """
    count: dict[str, set[str]] = {}
    for name in full.values():
        parts = name.split("/")
        for i in range(len(parts)):
            count.setdefault("/".join(parts[i:]), set()).add(name)
    out = {}
    for vertex, name in full.items():
        parts = name.split("/")
        ends = ["/".join(parts[i:]) for i in range(len(parts) - 1, -1, -1)]
        out[vertex] = next((end for end in ends if len(count[end]) == 1), name)
    return out
