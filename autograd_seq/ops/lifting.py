"""Lifting: running an operation at all points of some axes at once, the points being leading dimensions of its arrays.

Every ``forward`` works on trailing dimensions and broadcasts over leading ones, and most operations need nothing more.
Operations that broadcast their operands against each other as NumPy does need one more step: the operands must agree on
where the value begins, so a value of lower rank gets its missing dimensions *after* the leading ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.core.op import Op


def align(array: Any, shape: tuple[int, ...], rank: int) -> Any:
    """Return a lifted array with dimensions of length 1 between the leading ones and its value's ``shape``.

    Args:
        array: leading dimensions, then ``shape``.
        shape: of one point's value.
        rank: how many dimensions the value is to have.

    Example:
        >>> align(np.zeros((5, 3)), (3,), 2).shape
        (5, 1, 3)
    """
    array = np.asarray(array)
    leading = array.shape[: array.ndim - len(shape)]
    return array if not leading or rank == len(shape) else array.reshape(leading + (1,) * (rank - len(shape)) + shape)


def lift(op: Op, arrays: Sequence[Any], shapes: Sequence[tuple[int, ...]], attrs: dict[str, Any]) -> Any:
    """Return the values of ``op`` at all points: leading dimensions are points; operands without them are the same at each.

    Args:
        op: an operation with a ``forward``.
        arrays: its operands, leading dimensions first.
        shapes: the shape of one point's value of each operand.
        attrs: its attributes.

    Example:
        >>> from autograd_seq.core.op import OPS
        >>> lift(OPS["add"], [np.ones(5), np.ones(3)], [(), (3,)], {}).shape
        (5, 3)
    """
    if op.broadcasts:
        rank = max(map(len, shapes))
        arrays = [align(x, shape, rank) for x, shape in zip(arrays, shapes, strict=True)]
    return op.forward(*[np.asarray(x) for x in arrays], **attrs)


__all__ = ["align", "lift"]
