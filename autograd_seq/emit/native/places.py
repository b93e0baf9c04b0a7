"""Which entry of which array a node shows at a point of a loop, as index expressions.

An entry has an index for each axis and for each dimension of a value. Views only change indices: a shift subtracts from the
index of its axis, a slice adds to that of a dimension, a transpose permutes them. Below all views is an entry of an array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE
from autograd_seq.ops.time import ALONG, AT, SHIFT
from autograd_seq.plan.memory.views import is_view
from autograd_seq.plan.passes.dimensions import AS_AXIS, AS_DIMENSION


@dataclass(frozen=True)
class AffineIndex:
    """An index: ``scale * var + offset``; without a variable, ``offset`` alone.

    Example:
        >>> AffineIndex("t").move(-1).code, AffineIndex(None, 1, 3).code, AffineIndex("i", 2, 1).code
        ('t - 1', '3', '2 * i + 1')
    """

    var: str | None
    scale: int = 1
    offset: int = 0

    def move(self, by: int) -> AffineIndex:
        """Return the index ``by`` further on."""
        return replace(self, offset=self.offset + by)

    def scale_by(self, n: int) -> AffineIndex:
        """Return the index times ``n``."""
        return AffineIndex(self.var, self.scale * n, self.offset * n)

    @property
    def code(self) -> str:
        """The index, as source."""
        if self.var is None:
            return str(self.offset)
        head = self.var if self.scale == 1 else f"{self.scale} * {self.var}"
        return head + (f" + {self.offset}" if self.offset > 0 else f" - {-self.offset}" if self.offset else "")


ZERO = AffineIndex(None)
At = Mapping[Axis, AffineIndex]


@dataclass(frozen=True)
class Entry:
    """An entry of the array of a node.

    Attributes:
        node: the node whose array it is, not a view.
        at: the index on each axis.
        dims: the index in each dimension of the value.
        moved: the axes along which shifts moved it.
        unless: conditions, as source, under which 0 is read instead.
    """

    node: Node
    at: At
    dims: tuple[AffineIndex, ...]
    moved: tuple[Axis, ...] = ()
    unless: tuple[str, ...] = ()


def find_entry(node: Node, at: At, dims: Sequence[AffineIndex], size: Mapping[Axis, str]) -> Entry:
    """Return the entry that a node shows at an index, below all views.

    Args:
        node: the node that is read.
        at: the index on each axis.
        dims: the index in each dimension of its value.
        size: the name of the length of each axis.
    """
    at, dims = dict(at), tuple(dims)
    moved: list[Axis] = []
    unless: list[str] = []
    while is_view(node):
        op, attrs = node.op, node.attrs
        x = node.inputs[0]
        if op is SHIFT:
            at[attrs["axis"]] = at[attrs["axis"]].move(-attrs["by"])
            moved.append(attrs["axis"])
        elif op is AT:
            i, axis = attrs["index"], attrs["axis"]
            at[axis] = AffineIndex(None, 1, i) if i >= 0 else AffineIndex(size[axis], 1, i)
            if attrs["outside"] == "zero":
                unless.append(f"{size[axis]} <= {i if i >= 0 else -1 - i}")
        elif op is ALONG:
            at[attrs["axis"]] = at[attrs["other"]]
        elif op is AS_AXIS:
            dims = (*dims[: attrs["at"]], at.pop(attrs["axis"]), *dims[attrs["at"] :])
        elif op is AS_DIMENSION:
            at[attrs["axis"]] = dims[attrs["at"]]
            dims = (*dims[: attrs["at"]], *dims[attrs["at"] + 1 :])
        else:
            dims = _look_through(node, dims)
        node = x
    return Entry(node, {a: at[a] for a in node.axes}, dims, tuple(moved), tuple(unless))


def _look_through(node: Node, dims: tuple[AffineIndex, ...]) -> tuple[AffineIndex, ...]:
    """Return the indices in the operand of a view that changes the dimensions of a value."""
    x, attrs = node.inputs[0], node.attrs
    if node.op is SLICE:
        return _undo_slice(dims, x.shape, attrs["key"])
    if node.op is TRANSPOSE:
        rank = len(attrs["axes"])
        found = [ZERO] * rank
        for place, a in zip(dims, attrs["axes"], strict=True):
            found[a] = place
        return tuple(found)
    if node.op is BROADCAST_TO:
        return undo_broadcast(dims, x.shape)
    if node.op is RESHAPE:
        return undo_reshape(dims, node.shape, x.shape)
    return dims


def _undo_slice(dims: tuple[AffineIndex, ...], shape: tuple[int, ...], key: Sequence[object]) -> tuple[AffineIndex, ...]:
    left, lengths, found = iter(dims), iter(shape), []
    for part in key:
        if part is None:
            next(left)
        elif isinstance(part, slice):
            reach = range(*part.indices(next(lengths)))
            found.append(next(left).scale_by(reach.step).move(reach.start))
        else:
            next(lengths)
            found.append(AffineIndex(None, 1, int(str(part))))
    return tuple(found)


def undo_broadcast(dims: Sequence[AffineIndex], shape: tuple[int, ...]) -> tuple[AffineIndex, ...]:
    """Return the indices in an operand of ``shape`` that is broadcast to the dimensions of ``dims``.

    Example:
        >>> [p.code for p in undo_broadcast([AffineIndex("i"), AffineIndex("j")], (1,))]
        ['0']
        >>> [p.code for p in undo_broadcast([AffineIndex("i")], (5,))]
        ['i']
    """
    last = dims[len(dims) - len(shape) :]
    return tuple(ZERO if n == 1 else place for place, n in zip(last, shape, strict=True))


def undo_reshape(dims: Sequence[AffineIndex], new: tuple[int, ...], old: tuple[int, ...]) -> tuple[AffineIndex, ...]:
    """Return the indices in a value of shape ``old`` that is reshaped to ``new``.

    Example:
        >>> [p.code for p in undo_reshape([AffineIndex("i"), AffineIndex(None)], (4, 1), (4,))]
        ['i']
        >>> [p.code for p in undo_reshape([AffineIndex("i")], (6,), (2, 3))]
        ['((i) // 3)', '((i) % 3)']
    """
    wide = [p for p, n in zip(dims, new, strict=True) if n != 1]
    if [n for n in new if n != 1] == [n for n in old if n != 1]:
        rest = iter(wide)
        return tuple(ZERO if n == 1 else next(rest) for n in old)
    terms = [p.scale_by(prod(new[k + 1 :])).code for k, p in enumerate(dims) if new[k] != 1]
    flat = " + ".join(terms) or "0"
    found = []
    for k, n in enumerate(old):
        below = prod(old[k + 1 :])
        code = f"(({flat}) // {below})" if below != 1 else f"({flat})"
        first = prod(old[:k]) == 1  # the dimensions before it have one entry
        found.append(AffineIndex(code if first else f"({code} % {n})") if n != 1 else ZERO)
    return tuple(found)


__all__ = ["ZERO", "AffineIndex", "At", "Entry", "find_entry", "undo_broadcast", "undo_reshape"]
