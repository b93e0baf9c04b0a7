"""Python identifiers for the nodes of a graph: the user's names where these are possible."""

from __future__ import annotations

from autograd_seq.core.names import make_identifier
from autograd_seq.core.node import Node
from autograd_seq.ops.time import SHIFT

_STEPS = {1: "before", -1: "after"}


class Names:
    """Makes unique names.

    Example:
        >>> names = Names({"np"})
        >>> names.new("encoder/h"), names.new("encoder/h"), names.new("lambda")
        ('encoder_h', 'encoder_h_2', 'lambda_')
    """

    def __init__(self, reserved: set[str]) -> None:
        self.taken = set(reserved)

    def new(self, wanted: str) -> str:
        """Return ``wanted`` as an identifier, with a number if it is taken already."""
        name = unique = make_identifier(wanted)
        k = 2
        while unique in self.taken:
            unique, k = f"{name}_{k}", k + 1
        self.taken.add(unique)
        return unique


def suggest_name(node: Node, names: dict[Node, str]) -> str:
    """Return a name for a node; that of a shift of ``s`` is ``s_before`` or ``s_after``."""
    if node.op is SHIFT and node.name is None:
        by = node.attrs["by"]
        return f"{suggest_name(node.inputs[0], names)}_{_STEPS.get(by) or ('before' if by > 0 else 'after') + str(abs(by))}"
    return names[node]
