"""The signs of operations, with the numbers among their operands."""

from __future__ import annotations

from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.ops.elementwise import POWER_NUMBER
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.time import AT, SHIFT
from viz.read.graph import get_equation, is_leaf, is_state
from viz.read.names import is_named

_LOSSES = {"nll": "NLL", "cross_entropy": "CE", "mse": "MSE", "bce": "BCE"}


def get_symbol(vertex: Node) -> str:
    """Return the symbol of a vertex's operation: ×, tanh, NLL; "" for leaves, and for states without an operation."""
    node = get_equation(vertex)
    if is_leaf(node) or node.op is SHIFT or (node is vertex and is_state(vertex)):
        return ""
    if node.op is rewritten:
        form = str(node.attrs["form"])
        return _LOSSES.get(form, form)
    return _add_numbers(node)


def _add_numbers(node: Node) -> str:
    """Return an operation's symbol with the numbers among its operands, which get no nodes of their own: `2 ⊙`, `+ 1`."""
    sign = node.op.symbol
    if sign == "⊙" and all(x.shape == () for x in node.inputs):
        sign = "×"  # of single numbers there is only one product
    if node.op is POWER_NUMBER:
        return f"^{node.attrs['n']:g}"
    if node.op is AT:
        return f"[{node.attrs['index']}]".replace("-", "−")
    numbers = [None if number is None else f"{number:.4g}".replace("-", "−") for number in map(get_number, node.inputs)]
    if len(node.inputs) != 2 or numbers == [None, None] or None not in numbers:
        return sign
    return f"{numbers[0]} {sign}" if numbers[0] is not None else f"{sign} {numbers[1]}"


def get_number(node: Node) -> float | None:
    """Return the number that an unnamed constant is; None of what is none."""
    return float(node.value) if node.op is CONSTANT and not is_named(node) and node.shape == () else None


def is_loss_form(vertex: Node) -> bool:
    """Tell whether a vertex compares a prediction with a target."""
    node = get_equation(vertex)
    return node.op is rewritten and node.attrs["form"] in _LOSSES
