"""How native code writes an operation: as an expression for one entry, which is part of the record of the operation.

Operations without one run as NumPy statements between the native functions; a loop that contains such an operation runs in
NumPy as a whole.
"""

from __future__ import annotations

import numpy as np

from autograd_seq.core.node import Node
from autograd_seq.core.rules import promote
from autograd_seq.ops.elementwise import where
from autograd_seq.ops.gather import IN_RANGE, ONE_HOT, PICK, TAKE
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.linear import contract
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.steps import ADD_ROWS
from autograd_seq.plan.memory.views import get_root


def write_zero(node: Node) -> str:
    """Return a zero of a node's dtype, as source."""
    return {float: "real(0)", int: "np.int64(0)", bool: "False"}[node.dtype]


def get_template(node: Node) -> str | None:
    """Return the native expression of a node's operation, with placeholders for operands; ``None`` if it has none."""
    native = node.op.native
    code = native(node) if callable(native) else native
    return code if isinstance(code, str) else None


def write_entry(node: Node, xs: list[str]) -> str:
    """Return the expression of a node's operation on the expressions of its operands."""
    if node.dtype is float:
        first = 1 if node.op is where else 0  # a condition stays a truth value
        rest = zip(xs[first:], node.inputs[first:], strict=True)
        xs = [*xs[:first], *(x if n.dtype is float else f"real({x})" for x, n in rest)]
    code = get_template(node)
    assert code is not None, node
    code = code.format(*xs, zero=write_zero(node))
    return f"({code} != 0)" if node.dtype is bool and node.op.dtype is promote else code


def is_pointwise(node: Node) -> bool:
    """Tell whether a node is computed entry by entry."""
    if node.op is sum_over:
        return not node.attrs["axes"]
    return bool(node.op.native) and not node.op.reduces and node.op not in (contract, ADD_ROWS)


def is_native(node: Node) -> bool:
    """Tell whether native code can compute a node's operation."""
    return bool(node.op.native(node) if callable(node.op.native) else node.op.native)


def has_computed_index(node: Node) -> bool:
    """Tell whether a node reads by an index that is only known where it is read: neither fed nor a constant within bounds."""
    if node.op is IN_RANGE:
        return True
    if node.op not in (PICK, TAKE, ONE_HOT) or get_root(node.inputs[-1]).op is INPUT:
        return False
    index = node.inputs[-1]._value
    if index is None:
        return True
    n = node.attrs["n"] if node.op is ONE_HOT else node.inputs[0].shape[-1 if node.op is PICK else 0]
    return bool(np.size(index) and (np.min(index) < 0 or np.max(index) >= n))


__all__ = ["get_template", "has_computed_index", "is_native", "is_pointwise", "write_entry", "write_zero"]
