"""Rules for the shapes and kinds of results, which most operations share."""

from __future__ import annotations

from typing import Any


def promote(*dtypes: type, **_: Any) -> type:
    """Return the widest kind among bool < int < float.

    Args:
        dtypes: of the operands: bool, int or float.

    Returns:
        The kind of the result.

    Example:
        >>> promote(bool, int).__name__
        'int'
    """
    return float if float in dtypes else int if int in dtypes else bool


def first(*dtypes: type, **_: Any) -> type:
    """Return the kind of the first operand."""
    return dtypes[0]


def arithmetic(*dtypes: type, **_: Any) -> type:
    """Return the kind of a sum or product: as :func:`promote`, but bool counts as int.

    Args:
        dtypes: of the operands: bool, int or float.

    Returns:
        The kind of the result.

    Example:
        >>> arithmetic(bool, bool).__name__
        'int'
    """
    return float if float in dtypes else int


def same_shape(x: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    """Return the shape of the only operand.

    Args:
        x: the shape of the operand.

    Returns:
        The same.

    Example:
        >>> same_shape((2, 3))
        (2, 3)
    """
    return x


def broadcast(*shapes: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    """Return the shape NumPy broadcasts the operands to.

    Args:
        shapes: of the operands.

    Returns:
        The shape of the result.

    Raises:
        ValueError: the shapes do not broadcast.

    Example:
        >>> broadcast((3, 1), (4,))
        (3, 4)
    """
    first_shape = shapes[0]
    if all(s == first_shape for s in shapes):
        return first_shape
    rank = max(map(len, shapes))
    out = [1] * rank
    for shape in shapes:
        for i, n in enumerate(shape, rank - len(shape)):
            if n != 1:
                if out[i] not in (1, n):
                    raise ValueError("shapes that broadcast against each other")
                out[i] = n
    return tuple(out)


__all__ = ["arithmetic", "broadcast", "first", "promote", "same_shape"]
