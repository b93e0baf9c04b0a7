"""A contraction over labels and axes as one matrix product, where it is one."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.ops.linear import CONTRACT, split_spec
from autograd_seq.plan.memory.storage import Storage

Label = str | Axis
"""A dimension: of the value, by its letter in the specification, or an axis."""


@dataclass(frozen=True)
class Matrix:
    """How an operand becomes a matrix: its dimensions in the order rows, columns; each a group that is merged."""

    operand: int
    rows: tuple[Label, ...]
    columns: tuple[Label, ...]

    def transpose(self) -> Matrix:
        """Return the operand with rows and columns exchanged."""
        return Matrix(self.operand, self.columns, self.rows)


@dataclass(frozen=True)
class Product:
    """``first @ second``: (rows, summed) @ (summed, columns), for each point of ``batch``.

    The result has batch, rows and columns in this order if it is ``straight``.
    """

    batch: tuple[Label, ...]
    first: Matrix
    second: Matrix
    straight: bool = True


@dataclass(frozen=True)
class Contraction:
    """How a node is computed as a contraction of two operands, over the axes of a sum as well if it is a sum of one.

    Attributes:
        node: the contraction.
        labels: of the values of both operands, and of the result.
        dims: the dimensions of the three: axes that no loop around runs over, then labels.
        lengths: of what each label stands for.
        product: the matrix product that it is; ``None`` if it is none, or of operands of several kinds.
    """

    node: Node
    labels: tuple[str, str, str]
    dims: tuple[list[Label], ...]
    lengths: dict[str, int]
    product: Product | None


def is_contraction(storage: Storage, node: Node) -> bool:
    """Tell whether a node is computed as a contraction, a sum of one included."""
    return storage.get_inner(node).op is CONTRACT


def read_contraction(storage: Storage, node: Node) -> Contraction:
    """Return how a node is computed, which is a contraction or a sum of one that only it reads.

    Args:
        storage: of the plan, which knows the loops around.
        node: what is computed.
    """
    inner = storage.get_inner(node)
    labels = split_spec(inner.attrs["spec"])
    lengths = dict(zip(labels[0] + labels[1], (n for x in inner.inputs for n in x.shape), strict=True))
    dims = tuple([*storage.lift(x.axes, node), *own] for x, own in zip((*inner.inputs, node), labels, strict=True))
    alike = all(x.dtype is node.dtype for x in inner.inputs)
    return Contraction(inner, labels, dims, lengths, find_product(*dims) if alike else None)


def find_product(left: Sequence[Label], right: Sequence[Label], out: Sequence[Label]) -> Product | None:
    """Return how operands with these dimensions multiply to ``out``; ``None`` if no matrix product does it.

    Example:
        >>> t = Axis("t")
        >>> found = find_product("IJ", [t, "J"], [t, "I"])
        >>> found.first.operand, found.first.rows, found.second.columns
        (1, (t,), ('I',))
    """
    ls, rs, outs = set(left), set(right), set(out)
    if any(x not in rs and x not in outs for x in left) or any(x not in ls and x not in outs for x in right):
        return None  # something is summed in one operand alone
    batch = tuple(x for x in out if x in ls and x in rs)
    summed = [x for x in left if x in rs and x not in outs]
    if not summed:
        return None
    of_left, of_right = (tuple(x for x in out if x in own and x not in other) for own, other in ((ls, rs), (rs, ls)))
    for first, second, order in ((0, 1, (*batch, *of_left, *of_right)), (1, 0, (*batch, *of_right, *of_left))):
        if tuple(out) == order:
            rows, columns = (of_left, of_right) if first == 0 else (of_right, of_left)
            return Product(batch, Matrix(first, rows, tuple(summed)), Matrix(second, tuple(summed), columns))
    flip = bool(out) and out[-1] in of_left  # what varies fastest in the result is better a column
    rows, columns = (of_right, of_left) if flip else (of_left, of_right)
    return Product(batch, Matrix(int(flip), rows, tuple(summed)), Matrix(int(not flip), tuple(summed), columns), False)


def letters(*dims: Sequence[Label]) -> str:
    """Return the notation of ``np.einsum`` for operands and result, the last.

    Example:
        >>> letters("IJ", "J", "I")
        'ab,b->a'
    """
    found: dict[Label, str] = {}
    terms = ["".join(found.setdefault(x, string.ascii_lowercase[len(found) % 26]) for x in part) for part in dims]
    return f"{','.join(terms[:-1])}->{terms[-1]}"
