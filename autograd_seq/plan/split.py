"""Weight gradients by parts: a sum over time is taken of each part, where joining the parts would copy them.

The cotangents of two of a GRU's gates lie in one array, that of the third in another. One product for all three would
first copy them side by side, for all steps; two products read them where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.node import Node, apply
from autograd_seq.op import OPS
from autograd_seq.ops.reduce import sum_over
from autograd_seq.plan.pack import part
from autograd_seq.plan.regroup import Places
from autograd_seq.plan.views import is_view, stretch_of

_CONTRACT, _SLICE = OPS["contract"], OPS["slice"]


class Piece(NamedTuple):
    """Rows of a sum of products that come from one part of a vector.

    Attributes:
        total: the sum.
        of: the part.
        side: which operand of the product it is a part of.
        start, stop: the rows, counted from the beginning of the part.
    """

    total: Node
    of: Node
    side: int
    start: int
    stop: int


def split(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with sums over time of products with joined vectors as sums for each of their parts."""
    where = Places(outputs)
    pieces: dict[Node, Piece] = {}
    for n in where.nodes:
        pieces |= _pieces(where, n)
    if not pieces:
        return list(outputs)
    image: dict[Node, Node] = {}
    sums: dict[tuple[Node, Node], Node] = {}

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node not in pieces:
            return None
        piece = pieces[node]
        product = piece.total.inputs[0]
        key = piece.total, piece.of
        if key not in sums:
            operands = [image[piece.of] if i == piece.side else image[x] for i, x in enumerate(product.inputs)]
            sums[key] = sum_over(apply(_CONTRACT, *operands, spec=product.attrs["spec"]), axes=piece.total.attrs["axes"])
        return copy_name(node, part(sums[key], _dimension(product, piece.side), piece.start, piece.stop))

    return rebuild(outputs, rule, image=image)


def _dimension(product: Node, side: int) -> int:
    """Return which dimension of an outer product, counted from the end, is that of one operand."""
    operands, out = product.attrs["spec"].split("->")
    return out.index(operands.split(",")[side]) - len(out)


def _pieces(where: Places, n: Node) -> dict[Node, Piece]:
    """Return what reads parts of a sum, and of which parts of the joined vector they are; nothing if others read it."""
    if n.op is not sum_over or len(n.inputs) != 1 or n in where.outputs:
        return {}
    (product,) = n.inputs
    if product.op is not _CONTRACT or not where.alone(product) or len(product.shape) != 2:
        return {}
    for side, joined in enumerate(product.inputs):
        found = _copied(where, joined) and {r: _piece(n, product, side, r) for r in where.readers[n]}
        if found and all(piece is not None for piece in found.values()):
            return {r: piece for r, piece in found.items() if piece is not None}
    return {}


def _copied(where: Places, joined: Node) -> bool:
    """Tell whether vectors are joined for all steps, some of which lie elsewhere already."""
    lifted = joined.op.name == "concat" and joined.axes and not where.path[joined] and len(joined.shape) == 1
    return bool(lifted) and any(is_view(x) or where.path[x] for x in joined.inputs) and joined not in where.outputs


def _piece(total: Node, product: Node, side: int, reader: Node) -> Piece | None:
    span = stretch_of(reader, _dimension(product, side))
    start = 0
    for x in product.inputs[side].inputs:
        stop = start + x.shape[-1]
        if span is not None and start <= span[0] and span[1] <= stop:
            return Piece(total, x, side, span[0] - start, span[1] - start)
        start = stop
    return None
