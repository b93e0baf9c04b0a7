"""What takes part in the benchmark: something that takes a training step, and how to read what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.bench.work import GATES, Arrays, Workload

Outcome = tuple[float, Arrays]
"""The loss, and the gradients by our names, in our layout."""


@dataclass(frozen=True)
class Competitor:
    """A way to take one training step on fixed data.

    Attributes:
        name: for tables.
        step: takes the step and returns when it is finished; this is what is timed.
        convert: from what ``step`` returned to an :data:`Outcome`; not timed.
    """

    name: str
    step: Callable[[], Any]
    convert: Callable[[Any], Outcome]


class Peer(NamedTuple):
    """A competitor that may take part.

    Attributes:
        package: what must be installed for it; empty if nothing.
        make: from a workload and its feeds to a :class:`Competitor`; ``None`` if it does not take part in this one.
        slow: whether it compiles for a minute or more: it takes part only where it is named.
    """

    package: str
    make: Callable[[Workload, Arrays], Competitor | None]
    slow: bool = False


def pack(work: Workload, feeds: Arrays, letter: str, order: str = "") -> np.ndarray:
    """Return the U or W of all gates one below the other, as libraries want them.

    Args:
        work: the workload.
        feeds: with parameters by our names.
        letter: ``"U"`` or ``"W"``.
        order: of the gates, ``"ifgo"``; ours if empty.

    Returns:
        (G·H, D) or (G·H, H) for G gates.

    Example:
        >>> from autograd_seq.bench.work import make
        >>> work = Workload.of("lstm", "tiny")
        >>> pack(work, make(work), "U", "ifgo").shape
        (64, 8)
    """
    return np.concatenate([feeds[letter + gate] for gate in order or GATES[work.cell]])


def unpack(work: Workload, stacked: Any, letter: str, order: str = "") -> Arrays:
    """Return by our names what :func:`pack` has put together.

    Example:
        >>> work = Workload.of("gru", "tiny")
        >>> list(unpack(work, np.zeros((48, 16)), "W"))
        ['Wr', 'Wz', 'Wn']
    """
    gates = order or GATES[work.cell]
    parts = np.split(np.array(stacked), len(gates))
    return {letter + gate: part for gate, part in zip(gates, parts, strict=True)}


__all__ = ["Competitor", "Outcome", "Peer", "pack", "unpack"]
