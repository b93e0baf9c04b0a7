"""Tasks of long memory: the goals are those that their papers define, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.datasets.tasks import TASKS, draw_adding, draw_copying, draw_parity, draw_temporal_order


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_decides_everything(name: str) -> None:
    one, same, other = (TASKS[name](40, 7, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.x, same.x)
    np.testing.assert_array_equal(one.goal, same.goal)
    assert not np.array_equal(one.x, other.x)
    assert one.x.shape[:2] == one.goal.shape == (40, 7) and one.asked.shape == (40,)
    assert one.goal.max() < max(one.classes, 3) and one.asked[-1]


def test_adding_marks_one_number_in_each_half() -> None:
    task = draw_adding(11, 200)
    assert (task.x[:5, :, 1].sum(0) == 1).all() and (task.x[5:, :, 1].sum(0) == 1).all()
    assert np.mean((task.goal[-1] - 1) ** 2) == pytest.approx(1 / 6, rel=0.3)


def test_copying_says_when_to_begin() -> None:
    task = draw_copying(25, 5, symbols=4, length=3)
    codes = task.x.argmax(-1)
    assert (codes[-4] == 5).all() and (codes[3:-4] == 4).all() and (codes[-3:] == 4).all()
    np.testing.assert_array_equal(task.goal[task.asked], codes[:3])


def test_temporal_order_has_four_classes_as_frequent() -> None:
    task = draw_temporal_order(50, 2000)
    np.testing.assert_allclose(np.bincount(task.goal[-1]) / 2000, 0.25, atol=0.05)
    assert ((task.x[..., :2].sum((0, 2))) == 2).all()


def test_parity_is_the_sum_modulo_two() -> None:
    task = draw_parity(9, 4)
    np.testing.assert_array_equal(task.goal[-1], task.x[..., 0].sum(0) % 2)


def test_too_few_steps_are_refused() -> None:
    for draw, steps in ((draw_adding, 1), (draw_copying, 20), (draw_temporal_order, 9), (draw_parity, 0)):
        with pytest.raises(ag.DataError, match="cannot be drawn") as caught:
            draw(steps, 2)
        assert caught.value.code == "X101"
