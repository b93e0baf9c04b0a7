"""Lesson: temporal redundancy, curse or blessing?

A signal that is measured often says nearly the same thing at each step. For the memory of a recurrent network that is a curse:
what happened a second ago is a thousand steps away, and gradients have to come through all of them. For finding out what the
signal is about it is a blessing: what stays the same from step to step is the state of the world, and what does not is noise.

Here a hidden cause moves slowly. Two sensors see it, mixed with noise that is as strong. No label says what the cause is. At a
coarse sampling rate steps tell little about each other, and slow feature analysis does not quite find the cause; the more often
the same seconds are sampled, the better it finds it. The number: the correlation of what it finds with the cause.
"""

from __future__ import annotations

import numpy as np

from autograd_seq.analyse import SlowFeatures, delta_values


def record(samples_per_second: int, seconds: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two sensors that see a slow cause and fast noise of the same size, and the cause."""
    rng = np.random.default_rng(seed)
    times = np.arange(seconds * samples_per_second) / samples_per_second
    waves = rng.uniform(0.01, 0.4, 40), rng.uniform(0, 2 * np.pi, 40)  # cycles a second; phases
    cause = np.sin(2 * np.pi * np.outer(times, waves[0]) + waves[1]).sum(1)
    cause = (cause - cause.mean()) / cause.std()
    return np.stack([cause, rng.normal(size=times.size)], axis=1) @ [[0.8, -0.6], [0.6, 0.8]], cause


def find_cause(samples_per_second: int, seed: int) -> float:
    sensors, cause = record(samples_per_second, seed=seed)
    return abs(np.corrcoef(SlowFeatures(1).fit_transform(sensors)[:, 0], cause)[0, 1])


def test_redundancy_is_what_finds_the_cause() -> None:
    """Averages of ten recordings: 0.914 at one sample a second, 0.9999996 at five, 0.99999999999 at fifty."""
    found = {rate: np.mean([find_cause(rate, seed) for seed in range(10)]) for rate in (1, 5, 50)}
    assert found[1] < found[5] < found[50]
    assert found[1] < 0.95 and found[5] > 0.9999


def test_without_redundancy_no_direction_is_slow() -> None:
    """The same samples in any order have the same covariance, but nothing to find: all directions are as fast (Δ = 2)."""
    sensors, cause = record(50)
    mixed = np.random.default_rng(1).permutation(len(cause))
    slow = SlowFeatures().fit(sensors[mixed])
    np.testing.assert_allclose(slow.delta_values_, 2.0, atol=0.1)
    assert delta_values(cause)[0] < 0.01 < delta_values(sensors).min()


def test_redundancy_is_a_curse_for_credit() -> None:
    """The same second is 50 times as many steps: a leak that keeps 90 % a step keeps 0.9⁵⁰ = 0.5 % of a second."""
    keeps = 0.9
    assert keeps**1 > 0.89 and keeps**50 < 0.006
