"""Four tasks that need a long memory, drawn from a seed: what a network has to remember, and for how long, is known exactly.

All return arrays with the steps first and the sequences second. Each task has one question a sequence, at its end, but for
copying, which asks ten.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_seq.core.errors import DataError


class Task(NamedTuple):
    """Sequences, and what is asked about them.

    Args:
        x: (T, B, D) float64, the input.
        goal: (T, B): what is right at each step that is asked about; classes (int64), or numbers (float64).
        asked: (T,) bool, the steps that count.
        classes: the number of classes; 0 if the goal is a number.
    """

    x: NDArray[np.float64]
    goal: NDArray[np.int64] | NDArray[np.float64]
    asked: NDArray[np.bool_]
    classes: int


def draw_adding(steps: int, sequences: int, seed: int = 0) -> Task:
    """The adding problem: the sum of the two marked numbers, one in each half of the sequence.

    Args:
        steps: T ≥ 2.
        sequences: B.
        seed: of the numbers.

    Returns:
        x (T, B, 2): numbers between 0 and 1, and marks; the goal is asked at the last step. Always 1 as the answer has a mean
        squared error of 1/6.

    Example:
        >>> task = draw_adding(50, 3)
        >>> bool(np.allclose((task.x[..., 0] * task.x[..., 1]).sum(0), task.goal[-1]))
        True

    Notes:
        Hochreiter & Schmidhuber 1997, experiment 4, with marks 0 and 1, as Le, Jaitly & Hinton 2015 have it.
    """
    steps, sequences, random = _check(steps, sequences, 2, seed)
    x = np.zeros((steps, sequences, 2))
    x[..., 0] = random.random((steps, sequences))
    half, which = steps // 2, np.arange(sequences)
    x[random.integers(0, half, sequences), which, 1] = 1.0
    x[random.integers(half, steps, sequences), which, 1] = 1.0
    goal = np.zeros((steps, sequences))
    goal[-1] = (x[..., 0] * x[..., 1]).sum(0)
    return Task(x, goal, _ask_last(steps), 0)


def draw_copying(steps: int, sequences: int, seed: int = 0, symbols: int = 8, length: int = 10) -> Task:
    """Copy memory: symbols at the start, blanks, then a signal, after which the symbols are to be repeated in their order.

    Args:
        steps: T ≥ 2 length + 1; the symbols have to be kept for T − length steps.
        sequences: B.
        seed: of the symbols.
        symbols: K, of which each is drawn.
        length: how many are to be copied.

    Returns:
        x (T, B, K + 2): one of the symbols, the blank (K) or the signal (K + 1), as one-hot vectors. The goal is asked at the
        last ``length`` steps.

    Example:
        >>> task = draw_copying(30, 2)
        >>> bool(np.all(task.x[:10].argmax(-1) == task.goal[-10:]))
        True

    Notes:
        Hochreiter & Schmidhuber 1997; in this form Arjovsky, Shah & Bengio 2016.
    """
    steps, sequences, random = _check(steps, sequences, 2 * length + 1, seed)
    code = np.full((steps, sequences), symbols)
    code[:length] = random.integers(0, symbols, (length, sequences))
    code[-length - 1] = symbols + 1
    goal = np.zeros((steps, sequences), np.int64)
    goal[-length:] = code[:length]
    return Task(np.eye(symbols + 2)[code], goal, np.arange(steps) >= steps - length, symbols)


def draw_temporal_order(steps: int, sequences: int, seed: int = 0) -> Task:
    """Temporal order: which of X and Y came at two places of a sequence of distractors, in which order.

    Args:
        steps: T ≥ 10; the first symbol comes in the second tenth of the sequence, the second one in the sixth.
        sequences: B.
        seed: of the symbols.

    Returns:
        x (T, B, 6): one of X, Y and four distractors, as one-hot vectors. The goal, asked at the last step, is one of four
        classes: XX, XY, YX, YY.

    Example:
        >>> task = draw_temporal_order(100, 4)
        >>> found = [row[row < 2] for row in task.x.argmax(-1).T]
        >>> [int(2 * a + b) for a, b in found] == task.goal[-1].tolist()
        True

    Notes:
        Hochreiter & Schmidhuber 1997, experiment 6a.
    """
    steps, sequences, random = _check(steps, sequences, 10, seed)
    code, which = random.integers(2, 6, (steps, sequences)), np.arange(sequences)
    first, second = random.integers(0, 2, (2, sequences))
    code[random.integers(steps // 10, steps // 5, sequences), which] = first
    code[random.integers(steps // 2, steps * 3 // 5, sequences), which] = second
    goal = np.zeros((steps, sequences), np.int64)
    goal[-1] = 2 * first + second
    return Task(np.eye(6)[code], goal, _ask_last(steps), 4)


def draw_parity(steps: int, sequences: int, seed: int = 0) -> Task:
    """Parity: whether the number of ones so far is odd, asked at every step. One bit of memory that every input can turn.

    Args:
        steps: T ≥ 1.
        sequences: B.
        seed: of the bits.

    Returns:
        x (T, B, 1): bits as 0 and 1. The goal is the parity of the bits so far.

    Example:
        >>> draw_parity(4, 1, seed=1).goal[:, 0].tolist(), draw_parity(4, 1, seed=1).x[:, 0, 0].tolist()
        ([0, 1, 0, 1], [0.0, 1.0, 1.0, 1.0])
    """
    steps, sequences, random = _check(steps, sequences, 1, seed)
    bits = random.integers(0, 2, (steps, sequences))
    return Task(bits[..., None].astype(float), np.cumsum(bits, axis=0) % 2, np.ones(steps, bool), 2)


TASKS = {"adding": draw_adding, "copying": draw_copying, "order": draw_temporal_order, "parity": draw_parity}


def _ask_last(steps: int) -> NDArray[np.bool_]:
    return np.arange(steps) == steps - 1


def _check(steps: int, sequences: int, least: int, seed: int) -> tuple[int, int, np.random.Generator]:
    steps, sequences = operator.index(steps), operator.index(sequences)
    if steps < least or sequences < 0:
        raise DataError(
            "X101", f"a task of {steps} steps and {sequences} sequences cannot be drawn", expected=f"{least} steps or more",
            got=f"steps={steps}, sequences={sequences}",
        )  # fmt: skip
    return steps, sequences, np.random.default_rng(seed)
