"""Fewer feeds that still make a NaN: the place found is that of all the feeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.analyse.fewer import find_nan_in_part

T, B, U = ag.Axis("t"), ag.Axis("b"), ag.Axis("u")


@pytest.mark.parametrize("place", [(0, 0), (8, 3), (4, 1)])
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_place_is_that_of_all_feeds(place: tuple[int, int], recurrent: bool) -> None:
    x, s = ag.input("x", over=(T, B)), ag.state("s", over=(T, B))
    s[T] = 0.5 * s[T - 1] + ag.log(x[T]) if recurrent else ag.log(x[T])
    data = np.ones((9, 4))
    data[place] = 0.0
    for program in (ag.compile(ag.mean(s, over=(T, B))), ag.value_and_grad(ag.mean(s * ag.param("w"), over=(T, B)))):
        feeds: dict[str, Any] = {"x": data, **({"w": 1.0} if hasattr(program, "wrt") else {})}
        found = find_nan_in_part(program, feeds)
        assert found is not None and found.step == {"t": place[0], "b": place[1]}
    assert find_nan_in_part(ag.compile(s), {"x": np.ones((9, 4))}) is None


def test_nan_that_needs_several_sequences_is_found() -> None:
    """Their sum is 0: no sequence alone makes it."""
    x = ag.input("x", over=(T, B))
    loss = ag.sum(ag.log(ag.sum(x[T], over=B)), over=T)
    data = np.ones((5, 2))
    data[3] = 1.0, -1.0
    found = find_nan_in_part(ag.compile(loss), {"x": data})
    assert found is not None and found.step == {"t": 3}


def test_attention_and_reads_ahead_are_cut_too() -> None:
    x, s = ag.input("x", over=T), ag.state("s", over=T)
    s[T] = 0.5 * s[T + 1] + ag.sqrt(x[T])
    seen = ag.softmax(ag.log(x[T]) * x.along(T, U), over=U)
    data = np.ones(7)
    data[5] = -1.0
    for out in (ag.sum(s, over=T), ag.sum(ag.sum(seen * x.along(T, U), over=U), over=T)):
        found = find_nan_in_part(ag.compile(out), {"x": data})
        assert found is not None and found.step["t"] == 5
