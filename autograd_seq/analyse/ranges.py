"""Refusals of what sequence models are asked to do: symbols outside of the vocabulary, counts and limits out of their range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.core.sites import show_site, user_site


def check_symbols(symbols: Any, size: int, name: str, ranks: tuple[int, ...]) -> np.ndarray:
    """Return symbols of a vocabulary as integers."""
    given = np.asarray(symbols)
    if (given.size and (given.dtype.kind not in "iu" or not 0 <= given.min() <= given.max() < size)) or given.ndim not in ranks:
        raise OperationError(
            "Q105", f"{name}={symbols!r:.60} is not of the {size} symbols of the model", where=show_site(user_site()),
            expected=f"integers of 0 … {size - 1}, of {' or '.join(map(str, ranks))} dimensions",
            got=f"{given.dtype} of shape {given.shape}",
        )  # fmt: skip
    return given.astype(np.int64)


_RANGES: dict[str, tuple[Any, str]] = {
    "count": (lambda n: _is_int(n) and n >= 1, "an integer ≥ 1"),
    "steps": (lambda n: _is_int(n) and n >= 0, "an integer ≥ 0"),
    "width": (lambda n: _is_int(n) and n >= 1, "an integer ≥ 1"),
    "top_k": (lambda n: n is None or (_is_int(n) and n >= 1), "an integer ≥ 1, or None"),
    "top_p": (lambda p: p is None or 0 < p <= 1, "a number, 0 < top_p ≤ 1, or None"),
    "temperature": (lambda x: x > 0 and math.isfinite(x), "a number ≥ 0"),
}


def _is_int(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and not isinstance(n, bool)


def check_ranges(**given: Any) -> None:
    """Refuse an argument of sampling or search that is out of its range; the names are those of the arguments."""
    for name, value in given.items():
        right, expected = _RANGES[name]
        if not right(value):
            raise OperationError(
                "Q104", f"{name}={value!r:.60} is out of its range", where=show_site(user_site()), expected=expected,
                got=repr(value)[:80],
            )  # fmt: skip


__all__ = ["check_ranges", "check_symbols"]
