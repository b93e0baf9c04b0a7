"""Gates apart: the parts of a packed value that are read one by one lie one behind the other, not side by side.

One product yields all gates of a cell, row by row of the batch: i, f, o, g, i, f, o, g, …. NumPy takes twice as long over
every fourth run of numbers as over numbers in one piece. So whatever is read by parts lies in *blocks*, one part for
the whole batch and then the next: the first operation behind the product turns it, all others read what is in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import TYPE_CHECKING

from autograd_seq.axes import Axis
from autograd_seq.node import Node
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.views import root, shown

if TYPE_CHECKING:
    from autograd_seq.plan.storage import Storage


class Blocks(Axis):
    """The blocks of a value as an axis of the array that holds them: how many there are depends on the value.

    Attributes:
        width: how many entries of the value's last dimension a block has.
    """

    __slots__ = ("width",)

    def __init__(self, width: int) -> None:
        super().__init__("block")
        self.width = width


def blocks_of(axes: Sequence[Axis]) -> Blocks | None:
    """Return the axis of blocks among the axes of an array, if there is one."""
    return next((a for a in axes if isinstance(a, Blocks)), None)


def apart(storage: Storage) -> dict[Node, Blocks]:
    """Return the nodes of a storage whose values are to lie in blocks.

    Args:
        storage: one that knows who reads what, and what is computed within other arrays; homes are not needed.
    """
    found: dict[Node, Blocks] = {}
    known: dict[int, Blocks] = {}
    for n in storage.path:
        if _turnable(storage, n) and (width := _width(storage, n, found)):
            found[n] = known.setdefault(width, Blocks(width))
    return found


def _turnable(storage: Storage, n: Node) -> bool:
    """Tell whether what computes a node can write its blocks apart, and whether it lies beside others at all."""
    lifted = [a for a in n.axes if a not in storage.stepped]
    if not lifted or len(n.shape) != 1 or n in storage.lanes or n in storage.roots or n not in storage.writes:
        return False
    if n.op.name == "concat":  # of parts computed in their places; a product that fills an array takes that of its factors
        products = [r.by for r in storage.reads[n] if r.by is not None and r.by.op.name == "blocks"]
        return bool(products) and all(x in storage.lanes for x in (*products, *n.inputs))
    if n.op.name != "contract":
        return _by_entry(storage, n)
    matrix, vector = n.inputs  # of a matrix that is there before the loop, and a row of vectors
    given = not matrix.axes and matrix.dtype is vector.dtype is float and len(matrix.shape) == 2 and len(vector.shape) == 1
    at_once = set(n.axes) - {loop.axis for loop in storage.path[n]}
    return given and bool(storage.path[n]) and len(lifted) == 1 and at_once == {*lifted} and set(vector.axes) == set(n.axes)


def _width(storage: Storage, n: Node, found: dict[Node, Blocks]) -> int:
    """Return how wide the blocks of a node are, if whoever reads or writes several at once can; else 0."""
    lanes = {m: (lane.start, lane.stop) for m, lane in storage.lanes.items() if lane.whole is n}
    inside = {n: (0, n.shape[-1]), **lanes}
    pieces: list[tuple[Node, int, int]] = [(m, *span) for m, span in lanes.items()]
    for read in storage.reads[n]:
        if read.by is None or read.by.op is SHIFT:
            return 0
        for y in storage.operands(read.by):
            if root(y) in inside:
                if (part := shown(y)) is None:
                    return 0
                at = inside[part[0]][0]
                pieces.append((read.by, at + part[1], at + part[2]))
    if any(start == stop for _, start, stop in pieces):
        return 0  # nothing has no blocks
    width = gcd(n.shape[-1], *(p for _, start, stop in pieces for p in (start, stop)))
    given = next((b.width for x in n.inputs if x.shape == n.shape and (b := _blocks(storage, x, found))), 0)
    if given < n.shape[-1] and given and width % given == 0:
        width = given
    elif not any(stop - start == width < n.shape[-1] for _, start, stop in pieces):
        return 0
    several = [(m, stop - start) for m, start, stop in pieces if stop - start > width]
    return width if all(_takes(storage, m, size, width, found) for m, size in several) else 0


def _takes(storage: Storage, m: Node, size: int, width: int, found: dict[Node, Blocks]) -> bool:
    """Tell whether a statement that reads or writes several blocks does so entry by entry."""
    if m.op.name == "blocks":
        return m.inputs[1].shape == (width,)
    if not _by_entry(storage, m) or m.shape != (size,) or (m in storage.roots and not storage.path[m]):
        return False
    for x in m.inputs:
        if x.shape not in ((), (1,), (size,)):
            return False
        other = _blocks(storage, x, found)
        if x.shape == (size,) and other is not None and other.width != width:
            return False
    return True


def _blocks(storage: Storage, x: Node, found: dict[Node, Blocks]) -> Blocks | None:
    """Return the blocks of the array that a node shows."""
    r = root(x)
    return found.get(storage.lanes[r].whole if r in storage.lanes else r)


def _by_entry(storage: Storage, n: Node) -> bool:
    """Tell whether an operation writes to an array entry by entry."""
    if n not in storage.writes or (n.op.broadcasts and n.attrs.get("axes")):  # a reduction over axes
        return False
    return n.op.broadcasts or (n in storage.in_place and n.op.name not in ("add_at", "blocks"))
