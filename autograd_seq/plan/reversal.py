"""In which order a sequence of pieces is gone through backwards if only some of the states between them are kept.

A piece can be differentiated once the state at its start is known. With a slot for each of them every piece but the last runs
forward once before; with fewer slots some run forward several times, from the last state that is kept. The order here runs the
fewest: Griewank & Walther 2000 ("Algorithm 799: revolve"), by the binomial numbers of Griewank 1992.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import Literal, NamedTuple


class Action(NamedTuple):
    """One thing to do.

    Attributes:
        what: ``"run"`` a piece forward, and stand at the start of the next; ``"keep"`` the state at the start of a piece, in
            the next free slot; ``"return"`` to the state kept last, that at the start of a piece; ``"reverse"`` a piece, at
            the start of which we stand; ``"free"`` the slot filled last.
        piece: its number.
    """

    what: Literal["run", "keep", "return", "reverse", "free"]
    piece: int


def count_repeats(pieces: int, slots: int) -> int:
    """Return how often some piece has to run forward before it is reversed, the last run included.

    Example:
        >>> count_repeats(23, 4), count_repeats(21, 4), count_repeats(1, 0)
        (3, 2, 0)
    """
    if slots == 0:
        return max(pieces - 1, 0)
    repeats = 0
    while comb(slots + 1 + repeats, repeats) < pieces:
        repeats += 1
    return repeats


def count_runs(pieces: int, slots: int) -> int:
    """Return the least number of pieces run forward to reverse ``pieces``, given the start and slots for so many more states.

    Example:
        >>> count_runs(23, 4), count_runs(23, 22), count_runs(4, 0)
        (41, 22, 6)

    Notes:
        r·n − C(s + 1 + r, r − 1), where r is the number of repeats and s that of all kept states, the start included.
    """
    if pieces <= 1:
        return 0
    if slots == 0:
        return pieces * (pieces - 1) // 2
    repeats = count_repeats(pieces, slots)
    return repeats * pieces - comb(slots + 1 + repeats, repeats - 1)


def find_split(pieces: int, slots: int) -> int:
    """Return after how many of ``pieces`` to keep the next state, in one of ``slots`` free slots, so that the fewest run.

    Example:
        >>> find_split(23, 4), find_split(6, 1), find_split(4, 3)
        (6, 3, 1)

    Notes:
        The part before the kept state may be run once less often than the whole, with all slots; the part after it as often,
        with a slot less.
    """
    if slots >= pieces - 1:
        return 1
    repeats = count_repeats(pieces, slots)
    after = comb(slots + repeats, repeats)  # the most pieces that a slot less can reverse with as many repeats
    least = comb(slots + repeats - 1, repeats - 2) if repeats > 1 else 1
    return max(1, pieces - after, min(least, pieces - 1))


def list_actions(pieces: int, slots: int) -> Iterator[Action]:
    """Yield what to do, in order, to reverse ``pieces`` from the last to the first, standing at the start of the first.

    Example:
        >>> [f"{a.what} {a.piece}" for a in list_actions(3, 1)]
        ['run 0', 'keep 1', 'run 1', 'reverse 2', 'return 1', 'reverse 1', 'free 1', 'return 0', 'reverse 0']
    """
    kept, at = [0], 0
    for last in range(pieces - 1, -1, -1):
        if at != kept[-1]:
            at = kept[-1]
            yield Action("return", at)
        while (free := slots + 1 - len(kept)) > 0 and last - at > 0:
            for _ in range(find_split(last + 1 - at, free)):
                yield Action("run", at)
                at += 1
            kept.append(at)
            yield Action("keep", at)
        while at < last:
            yield Action("run", at)
            at += 1
        yield Action("reverse", last)
        at = last + 1
        if kept[-1] == last and last:
            kept.pop()
            yield Action("free", last)


__all__ = ["Action", "count_repeats", "count_runs", "find_split", "list_actions"]
