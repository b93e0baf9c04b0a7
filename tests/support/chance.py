"""What random programs are written by: a generator, asked in few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


class Chance:
    """Choices that a seed decides.

    Attributes:
        rng: decides.
    """

    rng: np.random.Generator

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, options: Iterable[Any]) -> Any:
        options = list(options)
        return options[int(self.rng.integers(len(options)))]

    def count(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))
