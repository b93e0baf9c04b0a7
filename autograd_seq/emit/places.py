"""Which entry of which array a node shows at a point of a loop, as index expressions.

An entry has an index for each axis and for each dimension of a value. Views only change indices: a shift subtracts from the
index of its axis, a slice adds to that of a dimension, a transpose permutes them. Below all views is an entry of an array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeVar

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.statements import Place
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
    moved: list[Axis] = []
    unless: list[str] = []
    while is_view(node):
        if node.op is SHIFT:
            moved.append(node.attrs["axis"])
        elif node.op is AT and node.attrs["outside"] == "zero":
            unless.append(f"{size[node.attrs['axis']]} <= {get_least(node)}")
        at, dims = look_through(node, at, dims, lambda axis, k: AffineIndex(None if k >= 0 else size[axis], 1, k))
        node = node.inputs[0]
    return Entry(node, {a: at[a] for a in node.axes}, tuple(dims), tuple(moved), tuple(unless))


def look_through(node: Node, at: At, dims: Sequence[AffineIndex],
                 pick: Callable[[Axis, int], AffineIndex]) -> tuple[At, Sequence[AffineIndex]]:  # fmt: skip
    """Return the index on each axis and in each dimension at which a view shows its operand.

    Args:
        node: the view.
        at, dims: the same of the view itself.
        pick: returns the index of a step that is counted from the first, or from the last if it is negative.
    """
    x, op, attrs = node.inputs[0], node.op, node.attrs
    if op is AS_AXIS:
        k = attrs["at"]
        dims = (*dims[:k], at[attrs["axis"]], *dims[k:])
    elif op is AS_DIMENSION:
        k = attrs["at"]
        at, dims = {**at, attrs["axis"]: dims[k]}, (*dims[:k], *dims[k + 1 :])
    elif op is SLICE:
        dims = _undo_slice(dims, x.shape, attrs["key"])
    elif op is TRANSPOSE:
        dims = [dims[attrs["axes"].index(d)] for d in range(-len(dims), 0)]
    elif op is BROADCAST_TO:
        dims = undo_broadcast(dims, x.shape)
    elif op is RESHAPE:
        dims = undo_reshape(dims, node.shape, x.shape)
    return find_steps(node, at, pick), dims


P = TypeVar("P", AffineIndex, Place)


def find_steps(node: Node, at: Mapping[Axis, P], pick: Callable[[Axis, int], P]) -> Mapping[Axis, P]:
    """Return the place on each axis at which a view shows its operand; arguments as for :func:`look_through`."""
    axis: Any = node.attrs.get("axis")
    if node.op is SHIFT:
        return {**at, axis: at[axis].move(-node.attrs["by"])}
    if node.op is AT:
        return {**at, axis: pick(axis, node.attrs["index"])}
    return {**at, axis: at[node.attrs["other"]]} if node.op is ALONG else at


def get_least(at: Node) -> int:
    """Return of how many steps an axis must have more for a step to be there that is read by its number."""
    index: int = at.attrs["index"]
    return index if index >= 0 else -1 - index


def _undo_slice(dims: Sequence[AffineIndex], shape: Sequence[int], key: Sequence[object]) -> tuple[AffineIndex, ...]:
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


__all__ = [
    "ZERO", "AffineIndex", "At", "Entry", "find_entry", "find_steps", "get_least", "look_through", "undo_broadcast",
    "undo_reshape",
]  # fmt: skip
