"""The order in which pieces run, with few states kept: against brute force, and played through."""

from __future__ import annotations

from functools import cache

import pytest

from autograd_seq.plan.reversal import Course, count_repeats, count_runs, list_actions


@cache
def fewest(pieces: int, slots: int) -> int:
    """The least number of runs, over all places where the next state can be kept."""
    if pieces <= 1 or slots == 0:
        return pieces * (pieces - 1) // 2
    return min(k + fewest(pieces - k, slots - 1) + fewest(k, slots) for k in range(1, pieces))


THERE_AND_BACK = [Course(True, kept=True, ends=False), Course(False, reads=(0,))]
ORDERS = {
    "there and back": THERE_AND_BACK,
    "backward first": [Course(False, kept=True, ends=False), Course(True, reads=(0,))],
    "a total between": [THERE_AND_BACK[0], Course(True, reads=(0,)), THERE_AND_BACK[1]],
    "there, back, and there": [
        Course(True, kept=True), Course(False, (0,), (), kept=True), Course(True, (0, 1), (0,), kept=True),
        Course(False, (0, 1, 2)),
    ],
    "each reads all before": [Course(k % 2 == 0, tuple(range(k)), tuple(range(k)), kept=k < 3) for k in range(4)],
}  # fmt: skip


def count(pieces: int, slots: int) -> list[int]:
    """Return how often each piece of the first of two sweeps runs."""
    done = [a for a in list_actions(THERE_AND_BACK, pieces, slots) if a.sweep == 0 and a.what in ("run", "again")]
    return [sum(a.number == i for a in done) for i in range(pieces)]


def test_the_number_of_the_literature() -> None:
    """23 pieces, 4 slots beside the start: 41 pieces run forward, none more often than 3 times."""
    assert sum(count(23, 4)) == count_runs(23, 4) == 41
    assert max(count(23, 4)) == count_repeats(23, 4) == 3


@pytest.mark.parametrize("slots", range(9))
def test_no_order_runs_fewer_pieces(slots: int) -> None:
    for pieces in range(1, 45):
        assert sum(count(pieces, slots)) == count_runs(pieces, slots) == fewest(pieces, slots), (pieces, slots)


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("slots", [0, 1, 2, 4, 30])
def test_the_orders_can_be_played(slots: int, name: str) -> None:
    """Each piece finds the states that it reads, of its own sweep and of others; no state is in a slot that there is not."""
    sweeps = ORDERS[name]
    for pieces in range(1, 14):
        at, kept, done = [0 for _ in sweeps], [dict[int, int]() for _ in sweeps], [list[int]() for _ in sweeps]
        for what, k, number in list_actions(sweeps, pieces, slots):
            if what == "keep":
                assert number < slots
                kept[k][number] = at[k]
            elif what == "return":
                at[k] = kept[k][number]
            else:
                place = number if sweeps[k].forward else pieces - 1 - number  # a state is that after so many pieces
                assert place in (0, at[k])
                for j in sweeps[k].reads if what == "run" else sweeps[k].reads_again:
                    need = number if sweeps[j].forward else pieces - 1 - number
                    assert need in (0, at[j]), (pieces, what, k, number, j)
                at[k] = place + (place < pieces - 1)
                if what == "run":
                    assert not any(done[k + 1 :])
                    done[k].append(place)
        assert done == [[*range(pieces - (not sweep.ends))] for sweep in sweeps]
