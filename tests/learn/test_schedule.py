"""Rates as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.learn.schedule import get_rate


def test_constant() -> None:
    assert {learn.constant(0.3)(s) for s in (0, 1, 10**9)} == {0.3}


def test_exponential_and_stairs_meet_at_the_stairs() -> None:
    smooth, stairs = learn.exponential(0.8, 0.5, every=4), learn.step_decay(0.8, 0.5, every=4)
    for step in range(0, 40, 4):
        assert smooth(step) == pytest.approx(stairs(step), rel=1e-14)
        assert stairs(step) == stairs(step + 3) > stairs(step + 4)
    assert smooth(1) / smooth(0) == pytest.approx(0.5**0.25)


def test_cosine_from_rate_to_floor_and_no_further() -> None:
    f = learn.cosine(1.0, 100, floor=0.2)
    assert f(0) == 1.0 and f(50) == pytest.approx(0.6) and f(100) == f(1000) == pytest.approx(0.2)
    assert f(25) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2)
    assert all(f(s) > f(s + 1) for s in range(100))


def test_cosine_rises_first() -> None:
    f = learn.cosine(1.0, 100, warmup=10)
    assert [f(s) for s in range(10)] == pytest.approx([k / 10 for k in range(1, 11)])
    assert f(10) == 1.0 > f(11) and f(55) == pytest.approx(0.5) and f(100) == pytest.approx(0.0)


def test_warmup_scales_a_number_or_a_schedule_at_its_own_step() -> None:
    assert [learn.linear_warmup(0.4, 4)(s) for s in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    stairs = learn.step_decay(1.0, 0.1, every=3)
    assert [learn.linear_warmup(stairs, 2)(s) for s in range(4)] == pytest.approx([0.5, 1.0, 1.0, 0.1])
    assert learn.linear_warmup(0.4, 0)(0) == 0.4


def test_rates_are_plain_floats() -> None:
    """A NumPy number would widen float32 arrays."""
    assert type(get_rate(np.float64(0.1), 0)) is float
    assert type(get_rate(lambda step: np.float64(0.1) / (1 + step), 0)) is float


@pytest.mark.parametrize(
    "call",
    [
        lambda: learn.constant(-1.0),
        lambda: learn.constant(math.nan),
        lambda: learn.exponential(0.1, 0.9, every=0),
        lambda: learn.exponential(0.1, -0.9),
        lambda: learn.step_decay(0.1, 0.9, every=0.5),  # type: ignore[arg-type]
        lambda: learn.cosine(0.1, 10, warmup=10),
        lambda: learn.cosine(0.1, 10, floor=-1.0),
        lambda: learn.linear_warmup(0.1, -1),
        lambda: learn.cosine("0.1", 10),  # type: ignore[arg-type]
        lambda: learn.adam(0.1, True),
        lambda: learn.linear_warmup("fast", 1),  # type: ignore[arg-type]
        lambda: get_rate(lambda step: -0.1, 3),
        lambda: get_rate(math.inf, 3),
    ],
)
def test_refusals(call: Callable[[], Any]) -> None:
    with pytest.raises(ag.OperationError) as caught:
        call()
    assert caught.value.code == "L106" and caught.value.expected and caught.value.got


def test_a_bad_rate_names_its_step() -> None:
    with pytest.raises(ag.OperationError, match="the rate of step 3 is out of range"):
        get_rate(lambda step: math.nan, 3)
