"""Lesson: ten seconds and ten minutes of one signal are read by the same weights.

The signal is a wave under noise, measured ten times a second. Its model is a point on a circle, which turns by an angle at
every step and is moved a little towards what is measured. Three numbers are learned, from 100 measurements; they serve 6,000.
"""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.core.errors import FeedError

RATE, SHORT, LONG, PERIOD, NOISE = 10, 100, 6000, 4.0, 0.3
SIGNAL = np.sin(2 * np.pi * np.arange(LONG) / RATE / PERIOD) + np.random.default_rng(0).normal(0, NOISE, LONG)


def _follow() -> tuple[ag.Node, ag.Node]:
    """Return L, the mean of e_t², and e_t = x_t − f_t, where the forecast f_t is the point before, turned by the angle w."""
    t = ag.Axis("t")
    x, w, k, m = ag.input("x", over=t), ag.param("w"), ag.param("k"), ag.param("m")
    p, q = ag.state("p", over=t), ag.state("q", over=t)
    forecast = ag.cos(w) * p[t - 1] - ag.sin(w) * q[t - 1]
    error = x[t] - forecast
    p[t] = forecast + k * error
    q[t] = ag.sin(w) * p[t - 1] + ag.cos(w) * q[t - 1] + m * error
    return ag.mean(ag.square(error), over=t), error


@pytest.fixture(scope="module")
def learned() -> dict[str, np.ndarray]:
    """The three numbers, from ten seconds."""
    step, start = ag.value_and_grad(_follow()[0], backend="numpy"), {"w": 0.1, "k": 0.1, "m": 0.0}
    return learn.train(step, start, {"x": SIGNAL[:SHORT]}, learn.adam(0.02), steps=200, progress=False).params


def test_three_numbers_from_ten_seconds_serve_ten_minutes(learned: dict[str, np.ndarray]) -> None:
    """What was learned is the wave itself: the angle of a step says how long its period is. It stays true for ten minutes."""
    assert 2 * np.pi / float(learned["w"]) / RATE == pytest.approx(PERIOD, rel=0.02)
    error = ag.compile(_follow()[1], backend="numpy")(x=SIGNAL, **learned)[0]
    settled, later = (float(np.sqrt(np.mean(part**2))) for part in (error[20:SHORT], error[SHORT:]))
    persistence = float(np.sqrt(np.mean(np.diff(SIGNAL) ** 2)))
    assert later == pytest.approx(settled, rel=0.15)
    assert NOISE < later < 0.85 * persistence


@pytest.mark.parametrize("steps", [SHORT, LONG])
def test_every_step_uses_the_same_number(learned: dict[str, np.ndarray], steps: int) -> None:
    """Of 100 uses or of 6,000, there is one angle, and one derivative by it: that of turning a little more at every step."""
    step = ag.value_and_grad(_follow()[0], backend="numpy")
    feeds, nudge = {"x": SIGNAL[:steps], **learned}, 1e-6
    more, less = (step(**feeds | {"w": learned["w"] + by})[0] for by in (nudge, -nudge))
    slope = step(**feeds)[1]["w"]
    assert np.shape(slope) == () and slope == pytest.approx((more - less) / (2 * nudge), rel=1e-4)


def test_a_weight_for_every_step_would_know_one_length_only() -> None:
    """A net without recurrence reads all measurements at once: 100 weights for ten seconds, of no use for ten minutes."""
    w, x = ag.param("w", (SHORT,)), ag.input("x", (SHORT,))
    program = ag.compile(w @ x, backend="numpy")
    assert program(x=SIGNAL[:SHORT], w=np.ones(SHORT))[0] == pytest.approx(SIGNAL[:SHORT].sum())
    with pytest.raises(FeedError, match="expected \\(100,\\) float, got \\(6000,\\)"):
        program(x=SIGNAL, w=np.ones(SHORT))
