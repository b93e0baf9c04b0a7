"""What runs by day and what at night only: ``AUTOGRAD_SEQ_NIGHT=1 pytest`` runs all there is.

By day a test runs on a sample of its random programs: more of them find rare faults, not others. A night runs them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

NIGHT = os.environ.get("AUTOGRAD_SEQ_NIGHT", "") not in ("", "0")


def late(*values: Any, unless: bool = False) -> Any:
    """Return a case for ``parametrize``: one for the night, unless something holds."""
    return pytest.param(*values, marks=() if unless else pytest.mark.night)


def one_in(n: int, values: Iterable[Any]) -> list[Any]:
    """Return cases for ``parametrize``, all but the first of every ``n`` for the night."""
    return [late(*(v if isinstance(v, tuple) else (v,)), unless=i % n == 0) for i, v in enumerate(values)]
