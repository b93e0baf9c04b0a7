"""Functions of higher floors that methods of nodes, and a few lower files, call by name: the one way in which calls go upwards.

Whoever defines such a function enters it here, beside its definition; reading the table is all that the lower floor imports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""By name: ``x.sum()`` calls ``FUNCTIONS["sum"]``, and ``a + b`` calls ``FUNCTIONS["add"]``."""

__all__ = ["FUNCTIONS"]
