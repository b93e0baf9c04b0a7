"""The order in which pieces run, with few states kept: against brute force, and played through."""

from __future__ import annotations

from functools import cache

import pytest

from autograd_seq.plan.reversal import count_repeats, count_runs, list_actions


@cache
def fewest(pieces: int, slots: int) -> int:
    """The least number of runs, over all places where the next state can be kept."""
    if pieces <= 1 or slots == 0:
        return pieces * (pieces - 1) // 2
    return min(k + fewest(pieces - k, slots - 1) + fewest(k, slots) for k in range(1, pieces))


def test_the_number_of_the_literature() -> None:
    """23 pieces, 4 slots beside the start: 41 pieces run forward, none more often than 3 times."""
    actions = [*list_actions(23, 4)]
    assert sum(a.what == "run" for a in actions) == count_runs(23, 4) == 41
    runs = [sum(a == ("run", i) for a in actions) for i in range(23)]
    assert max(runs) == count_repeats(23, 4) == 3


@pytest.mark.parametrize("slots", range(9))
def test_no_order_runs_fewer_pieces(slots: int) -> None:
    for pieces in range(1, 45):
        ran = sum(a.what == "run" for a in list_actions(pieces, slots))
        assert ran == count_runs(pieces, slots) == fewest(pieces, slots), (pieces, slots)


@pytest.mark.parametrize("slots", [0, 1, 2, 4, 30])
def test_the_orders_can_be_played(slots: int) -> None:
    """A piece runs where we stand; a state is kept in a free slot; all pieces are reversed, from the last to the first."""
    for pieces in range(1, 30):
        at, kept, reversed_ = 0, [0], []
        for what, piece in list_actions(pieces, slots):
            if what == "run":
                assert piece == at
                at += 1
            elif what == "keep":
                assert piece == at
                kept.append(at)
                assert len(kept) <= slots + 1
            elif what == "return":
                assert piece == kept[-1]
                at = piece
            elif what == "free":
                assert kept.pop() == piece
            else:
                assert piece == at
                reversed_.append(piece)
                at += 1
        assert reversed_ == [*range(pieces)][::-1]
