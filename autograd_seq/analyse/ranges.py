"""Refusals of what sequence models are asked: symbols outside of the vocabulary, counts and limits out of their range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.frame import as_integers
from autograd_seq.ops.softmax import SOFTMAX

_SHAPES = ("one alone", "a row", "several rows of one length")


def check_symbols(symbols: Any, size: int, name: str, ranks: tuple[int, ...]) -> np.ndarray:
    """Return symbols of a vocabulary as integers."""
    given = as_integers(symbols)
    if given is None or given.ndim not in ranks or (given.size and not 0 <= given.min() <= given.max() < size):
        raise OperationError(
            "Q105", f"{name}={symbols!r:.60} is not of the {size} symbols of the model", where=show_site(user_site()),
            expected=f"integers of 0 … {size - 1}, " + " or ".join(_SHAPES[rank] for rank in ranks),
            got=f"{symbols!r:.60}" if given is None else f"integers of shape {given.shape}, the largest {given.max(initial=0)}",
            fix="ag.learn.pad makes one array of sequences of different lengths" if max(ranks) > 1 else None,
        )  # fmt: skip
    return given


_RANGES: dict[str, tuple[Any, str]] = {
    "count": (lambda n: _is_int(n) and n >= 1, "an integer ≥ 1"),
    "steps": (lambda n: _is_int(n) and n >= 0, "an integer ≥ 0"),
    "width": (lambda n: _is_int(n) and n >= 1, "an integer ≥ 1"),
    "top_k": (lambda n: n is None or (_is_int(n) and n >= 1), "an integer ≥ 1, or None"),
    "top_p": (lambda p: p is None or (_is_real(p) and 0 < p <= 1), "a number, 0 < top_p ≤ 1, or None"),
    "temperature": (lambda x: _is_real(x) and 0 <= x < math.inf, "a number ≥ 0"),
    "lag": (lambda n: _is_int(n), "an integer"),
    "seed": (lambda n: _is_int(n) and n >= 0, "an integer ≥ 0"),
    "start": (lambda n: n is None or (_is_int(n) and n >= 0), "an integer ≥ 0"),
    "weights": (lambda w: isinstance(w, Mapping), "the parameters, arrays by name"),
}


def _is_int(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and not isinstance(n, bool)


def _is_real(x: Any) -> bool:
    return isinstance(x, (int, float, np.number)) and not isinstance(x, bool)


def check_ranges(**given: Any) -> None:
    """Refuse an argument of sampling, search or an audit that is out of its range; the names are those of the arguments."""
    for name, value in given.items():
        right, expected = _RANGES[name]
        if not right(value):
            raise OperationError(
                "Q104", f"{name}={value!r:.60} is out of its range", where=show_site(user_site()), expected=expected,
                got=repr(value)[:80],
            )  # fmt: skip


def refuse_probabilities(scores: Node, what: str) -> None:
    """Refuse a softmax as scores: another one would be taken of it."""
    if scores.op is SOFTMAX:
        raise OperationError(
            "Q115", f"the {what} are probabilities already: a softmax", node=scores.name, where=show_site(user_site()),
            expected="what the softmax is taken of", got=repr(scores)[:80], fix="leave ag.softmax out",
        )  # fmt: skip


__all__ = ["check_ranges", "check_symbols", "refuse_probabilities"]
