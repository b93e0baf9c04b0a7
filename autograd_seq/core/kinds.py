"""What numbers a value may hold, and as what they are kept: floats, integers of 64 bits, truth values."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_seq.core.errors import DTypeError

_KINDS = {"f": float, "c": float, "i": int, "u": int, "b": bool}


def kind_of(array: Any) -> type:
    """Return float, int or bool for an array; complex counts as float (complex steps run through every float program).

    Raises:
        DTypeError: the array holds something else.
    """
    kind = _KINDS.get(array.dtype.kind)
    if kind is None:
        raise not_numeric(array, "a value", "floats, ints or bools")
    return kind


def not_numeric(array: Any, label: str, expected: str, node: str | None = None, where: str | None = None) -> DTypeError:
    """Return the error about an array that holds something else than numbers, or integers of more than 64 bits."""
    whole = array.dtype == np.uint64 or all(type(v) is int for v in array.flat)
    if whole and array.size and not -(2**63) <= max(array.flat, key=abs) < 2**63:
        return DTypeError(
            "D303", f"{label} is too large", node=node, where=where, expected="integers of 64 bits, −2⁶³ … 2⁶³ − 1",
            got=str(max(array.flat, key=abs)), fix="as floats they are rounded: np.asarray(…, dtype=float)",
        )  # fmt: skip
    return DTypeError(
        "D101", f"{label} must be numeric", node=node, where=where, expected=expected, got=f"an array of {array.dtype}",
        fix=f"np.asarray({node or '…'}, dtype=float) shows which entry is not a number",
    )  # fmt: skip


def unmasked(value: Any, label: str = "a value", where: str | None = None) -> Any:
    """Return a value as it is.

    Raises:
        DTypeError: it is a masked array, for a mask would be lost.
    """
    mask = getattr(value, "mask", None) if isinstance(value, np.ndarray) else None
    if mask is not None:
        raise DTypeError(
            "D105", f"{label} is a masked array", where=where, expected="an array without holes",
            got=f"{int(np.sum(mask))} of {np.size(value)} entries masked",
            fix="x.filled(0) fills the holes; lengths= leaves padding out, ag.where(mask, …) chooses entries",
        )  # fmt: skip
    return value


def whole_numbers(array: np.ndarray, label: str = "a value") -> np.ndarray:
    """Return integers in 64 bits, so that none wraps around that would not in Python's sense; other arrays as they are.

    Raises:
        DTypeError: one is larger.
    """
    if array.dtype.kind not in "iu" or array.dtype == np.int64:
        return array
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise not_numeric(array, label, "integers of 64 bits")
    return array.astype(np.int64)
