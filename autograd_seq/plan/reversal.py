"""In which order sweeps go through pieces if only some of the states between them are kept.

A piece can be differentiated once the state at its start is known. With a slot for each of them every piece but the last runs
forward once before; with fewer slots some run forward several times, from the last state that is kept. The order here runs the
fewest: Griewank & Walther 2000 ("Algorithm 799: revolve"), by the binomial numbers of Griewank 1992. What takes more sweeps (a
bidirectional network, a softmax over time) reads several of them, each by the same rule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import comb
from typing import Literal, NamedTuple


class Course(NamedTuple):
    """A sweep over the pieces, as far as the order of its runs goes.

    Attributes:
        forward: whether it goes from the first piece to the last.
        reads: the numbers of the earlier sweeps whose states its pieces read.
        reads_again: those that they read when they are run again, for the states alone.
        kept: whether later sweeps read the states that it leaves between pieces.
        ends: whether the last piece is run although no piece reads its state.
    """

    forward: bool
    reads: tuple[int, ...] = ()
    reads_again: tuple[int, ...] = ()
    kept: bool = False
    ends: bool = True


class Action(NamedTuple):
    """One thing to do.

    Attributes:
        what: ``"run"`` a piece of a sweep, or run it ``"again"`` for its state alone; it reads the states where its sweep and
            earlier ones stand. ``"keep"`` the state where a sweep stands in a slot, or ``"return"`` to the one in a slot.
        sweep: its number.
        number: that of the piece, or of the slot.
    """

    what: Literal["run", "again", "keep", "return"]
    sweep: int
    number: int


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


def list_actions(sweeps: Sequence[Course], pieces: int, slots: int) -> Iterator[Action]:
    """Yield what to do, in order, to run sweeps over pieces one after the other, with so many slots for each.

    Example:
        >>> there, back = Course(True, kept=True, ends=False), Course(False, reads=(0,))
        >>> [f"{a.what} {a.sweep}:{a.number}" for a in list_actions([there, back], 3, 1)]
        ['run 0:0', 'keep 0:0', 'run 0:1', 'run 1:2', 'return 0:0', 'run 1:1', 'run 1:0']

    Notes:
        A sweep that goes the other way than the one that it reads costs the fewest runs. One that reads two sweeps, of which
        one reads the other, runs parts of these again for each other.
    """
    order = _Order(sweeps, pieces, slots)
    for k, sweep in enumerate(sweeps):
        yield from order.reach(k, pieces - 1, sweep.kept, "run")
        if sweep.ends:
            yield from order.run(k, pieces - 1, "run")


class _Order:
    """Where each sweep stands, and its states that are kept.

    Attributes:
        at: by sweep, after how many pieces it stands, in its own direction.
        kept: by sweep, after how many pieces the states in its slots are, in ascending order.
    """

    def __init__(self, sweeps: Sequence[Course], pieces: int, slots: int) -> None:
        self.sweeps, self.pieces, self.slots = sweeps, pieces, slots
        self.at, self.kept = [0 for _ in sweeps], [list[int]() for _ in sweeps]

    def run(self, k: int, at: int, what: Literal["run", "again"]) -> Iterator[Action]:
        """Run the piece of a sweep that comes after so many others, all that it reads being there."""
        sweep = self.sweeps[k]
        for j in sorted(sweep.reads if what == "run" else sweep.reads_again, reverse=True):
            same = self.sweeps[j].forward == sweep.forward
            yield from self.reach(j, at if same else self.pieces - 1 - at, not same, "again")
        yield Action(what, k, at if sweep.forward else self.pieces - 1 - at)

    def reach(self, k: int, to: int, back: bool, what: Literal["run", "again"]) -> Iterator[Action]:
        """Go to where a sweep stands after some pieces; ``back`` if the places before are next, one by one."""
        kept = self.kept[k]
        place = bisect_right(kept, to)
        start = kept[place - 1] if place else 0
        if not start <= self.at[k] <= to:
            self.at[k] = start
            if place:
                yield Action("return", k, place - 1)
        if back and self.at[k] < to:
            del kept[place:]
        while self.at[k] < to:
            free, left = self.slots - len(kept) if back else 0, to - self.at[k]
            for _ in range(find_split(left + 1, free) if free else left):
                yield from self.run(k, self.at[k], what)
                self.at[k] += 1
            if free:
                kept.append(self.at[k])
                yield Action("keep", k, len(kept) - 1)


__all__ = ["Action", "Course", "count_repeats", "count_runs", "find_split", "list_actions"]
