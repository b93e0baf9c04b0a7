"""How much memory a program that recomputes may use, and which pieces follow from that."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import comb, isqrt
from typing import Any, NamedTuple

from autograd_seq.core.errors import MemoryNeededError, OperationError
from autograd_seq.core.kinds import as_count
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.graph.memory import format_short
from autograd_seq.plan.reversal import count_runs

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]i?)?b\s*", re.IGNORECASE)

Weigh = Callable[[int, int], int]
"""Returns the bytes that a call holds, given the steps of a piece and the number of slots."""


class Limits(NamedTuple):
    """What ``memory=``, ``slots=`` and ``piece=`` ask for.

    Attributes:
        bytes: the most that a call may hold; ``None`` for no such limit.
        slots: how many states between pieces are kept at the same time, beside the start; ``None`` for all.
        piece: steps of a piece; ``None`` for √T, or what the others allow.
    """

    bytes: int | None = None
    slots: int | None = None
    piece: int | None = None

    def choose(self, steps: int, least: int, reverses: bool, weigh: Weigh) -> tuple[int, int]:
        """Return the steps of a piece and the number of slots.

        Args:
            steps: all steps, more than ``least``.
            least: the fewest steps of a piece, the longest delay.
            reverses: whether some states are kept, so that there may be fewer slots than pieces.
            weigh: returns the bytes.

        Raises:
            MemoryNeededError: the bytes are not enough.
        """
        if self.bytes is not None:
            return _fit(self.bytes, steps, least, reverses, weigh)
        piece = self.piece
        if piece is None and self.slots is not None:  # as many pieces as need no more than two runs forward each
            piece = -(-steps // comb(self.slots + 3, 2))
        if piece is None:
            piece = -(-steps // max(1, isqrt(steps)))
        piece = min(max(piece, least, 1), steps)
        return piece, -(-steps // piece) - 1 if self.slots is None else self.slots


def _fit(room: int, steps: int, least: int, reverses: bool, weigh: Weigh) -> tuple[int, int]:
    """Return the pieces that need the fewest bytes less than ``room`` to be run forward twice, or else the least often."""
    if weigh(steps, 0) <= room:
        return steps, 0
    most = -(-steps // least)  # pieces
    few, many = 1, 2
    best = weigh(-(-steps // 2), 1)
    while best > room and many < most:
        after = min(2 * many, most)
        found = weigh(-(-steps // after), after - 1)
        if found >= best:
            break
        few, many, best = many, after, found
    if best <= room:
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if weigh(-(-steps // middle), middle - 1) <= room else (middle, many)
        piece = -(-steps // many)
        return piece, -(-steps // piece) - 1
    options: list[tuple[float, int, int]] = []
    piece = -(-steps // 2)
    smallest = min(best, weigh(least, 1))
    while reverses:
        empty, slot = weigh(piece, 0), max(1, weigh(piece, 2) - weigh(piece, 1))
        pieces, slots = -(-steps // piece), (room - empty) // slot
        if slots >= 1:
            options.append((count_runs(pieces, min(slots, pieces - 1)) / pieces, -piece, min(slots, pieces - 1)))
        if piece == least:
            break
        piece = max(least, piece * 4 // 5)
    if options:
        _, less, slots = min(options)
        return -less, slots
    raise MemoryNeededError(
        "M110", f"{format_short(room)}B are not enough for {steps} steps, in whatever pieces", where=show_site(user_site()),
        expected=f"at least {format_short(smallest)}B", got=f"memory={room}",
        fix=f'memory="{-(-smallest // 10**6) + 1}MB"',
    )  # fmt: skip


def read_limits(memory: Any, slots: Any, piece: Any) -> Limits | None:
    """Return what the keywords ask for; ``None`` if none is given.

    Raises:
        OperationError: one is no limit, or two exclude each other.

    Example:
        >>> read_limits("1.5 GB", None, None), read_limits("sqrt", None, None)
        (Limits(bytes=1500000000, slots=None, piece=None), Limits(bytes=None, slots=None, piece=None))
    """
    if memory is None and slots is None and piece is None:
        return None
    for name, n in (("slots", slots), ("piece", piece)):
        if n is not None and as_count(n) is None:
            raise OperationError(
                "O170", f"{name}={n!r:.60} is not a number of {'states' if name == 'slots' else 'steps'}",
                where=show_site(user_site()), expected="an integer ≥ 1", got=repr(n)[:80],
            )  # fmt: skip
    found = None
    if isinstance(memory, str) and (match := _SIZE.fullmatch(memory)):
        found = int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    elif memory is not None and memory != "sqrt":
        raise OperationError(
            "O171", f"memory={memory!r:.60} is not an amount of memory", where=show_site(user_site()),
            expected='"sqrt", or an amount: "50MB", "1.5 GB"', got=repr(memory)[:80],
            fix='memory="sqrt", or memory="50MB": what a call may hold beside its feeds',
        )  # fmt: skip
    if found is not None and (slots is not None or piece is not None):
        raise OperationError(
            "O172", f'memory="{memory}" chooses pieces and slots itself', where=show_site(user_site()),
            expected="memory= an amount, or slots= and piece=",
            got=", ".join(f"{name}={n}" for name, n in (("slots", slots), ("piece", piece)) if n is not None),
            fix="leave one of them out",
        )  # fmt: skip
    return Limits(found, as_count(slots), as_count(piece))


__all__ = ["Limits", "read_limits"]
