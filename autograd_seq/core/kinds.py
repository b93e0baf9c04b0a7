"""The kinds of numbers that a value may hold (floats, integers of 64 bits, truth values), and errors about others."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from autograd_seq.core.errors import DTypeError

ZERO: Mapping[type, float] = MappingProxyType({float: 0.0, int: 0, bool: False})
"""The zero of each kind."""

LEAST: Mapping[type, float] = MappingProxyType({float: -math.inf, int: int(np.iinfo(np.int64).min), bool: False})
"""The least number of each kind, which leaves a maximum as it is."""

_KINDS = {"f": float, "c": float, "i": int, "u": int, "b": bool}


def get_kind(array: Any) -> type:
    """Return float, int or bool for an array; complex counts as float (complex steps run through every float program).

    Raises:
        DTypeError: the array holds something else.
    """
    kind = _KINDS.get(array.dtype.kind)
    if kind is None:
        raise make_not_numeric_error(array, "a value", "floats, ints or bools")
    return kind


def get_dtype(kind: type, width: Any = np.float64) -> np.dtype:
    """Return the dtype of arrays of a kind of numbers: floats of some width, integers of 64 bits, or truth values."""
    return np.dtype({float: width, int: np.int64, bool: np.bool_}[kind])


def as_count(value: Any, least: int = 1) -> int | None:
    """Return an integer that is ``least`` or more as Python's own; ``None`` for anything else, truth values included.

    Example:
        >>> as_count(np.int64(3)), as_count(0), as_count(True), as_count(2.0)
        (3, None, None, None)
    """
    try:
        n = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
    return n if n >= least else None


def make_not_numeric_error(
    array: Any, label: str, expected: str, node: str | None = None, where: str | None = None
) -> DTypeError:
    """Return the error about an array that holds something else than numbers, or integers of more than 64 bits."""
    whole = array.dtype == np.uint64 or all(type(v) is int for v in array.flat)
    if whole and array.size and not -(2**63) <= max(array.flat, key=abs) < 2**63:
        return DTypeError(
            "D303", f"{label} is too large for an integer of 64 bits", node=node, where=where, expected="−2⁶³ … 2⁶³ − 1",
            got=str(max(array.flat, key=abs)), fix="as floats they are rounded: np.asarray(…, dtype=float)",
        )  # fmt: skip
    return DTypeError(
        "D101", f"{label} is not numeric", node=node, where=where, expected=expected, got=f"an array of {array.dtype}",
        fix=f"np.asarray({node or '…'}, dtype=float) shows which entry is not a number",
    )  # fmt: skip


def refuse_mask(value: Any, label: str = "a value", where: str | None = None) -> Any:
    """Return a value as it is.

    Raises:
        DTypeError: it is a masked array, whose mask would be lost.
    """
    mask = getattr(value, "mask", None) if isinstance(value, np.ndarray) else None
    if mask is not None:
        raise DTypeError(
            "D105", f"{label} is a masked array", where=where, expected="an array without holes",
            got=f"{int(np.sum(mask))} of {np.size(value)} entries masked",
            fix="x.filled(0) fills the holes; lengths= leaves padding out, ag.where(mask, …) chooses entries",
        )  # fmt: skip
    return value


def widen_integers(array: np.ndarray, label: str = "a value") -> np.ndarray:
    """Return integers of any width in 64 bits, so that sums of small ones do not overflow; other arrays as they are.

    Raises:
        DTypeError: one does not fit in 64 bits.
    """
    if array.dtype.kind not in "iu" or array.dtype == np.int64:
        return array
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise make_not_numeric_error(array, label, "integers of 64 bits")
    return array.astype(np.int64)
