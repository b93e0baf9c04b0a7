"""Lesson: the chain rule of probability turns a model of one symbol into a model of all strings.

A language model answers one question: given the symbols so far, how probable is each next symbol? The chain rule makes of it
the probability of a whole string, p(abc) = p(a) p(b|a) p(c|ab). Nothing is lost: every distribution over strings can be written
so, in any order of the symbols. And nothing has to be normalised: the probabilities of all strings of one length add up to 1,
because those of each next symbol do. Sampling symbol after symbol draws strings with just that probability.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.analyse import SequenceModel, perplexity

K = 2


def coin_with_memory() -> tuple[SequenceModel, dict[str, np.ndarray]]:
    """A symbol is the one before with probability 0.9 (the first comes after a 0): scores from a table."""
    t = ag.Axis("t")
    y = ag.input("y", over=t, dtype=int)
    return SequenceModel(ag.take(ag.param("table", (K, K)), ag.shift(y, t, 1))), {"table": np.log([[0.9, 0.1], [0.1, 0.9]])}


def test_a_string_is_a_product_of_conditionals() -> None:
    model, weights = coin_with_memory()
    steps = np.exp(model.score(weights, [0, 0, 1, 1]))
    np.testing.assert_allclose(steps, [0.9, 0.9, 0.1, 0.9])
    assert np.prod(steps) == pytest.approx(0.0729)


def test_all_strings_together_have_probability_one() -> None:
    model, weights = coin_with_memory()
    strings = itertools.product(range(K), repeat=6)
    assert sum(np.exp(model.score(weights, s).sum()) for s in strings) == pytest.approx(1.0)


def test_samples_repeat_as_often_as_the_model_says() -> None:
    model, weights = coin_with_memory()
    symbols = model.sample(weights, 50, count=200, seed=0).symbols
    assert np.mean(symbols[:, 1:] == symbols[:, :-1]) == pytest.approx(0.9, abs=0.01)


def test_the_best_string_is_not_made_of_the_best_symbols() -> None:
    """After an A (0.6) nothing is sure; after a B (0.4) all is. Greedy search takes the A, and is wrong."""
    t = ag.Axis("t")
    y = ag.input("y", over=t, dtype=int)
    table = ag.constant(np.log([[0.6, 0.4, 1e-9, 1e-9], [1e-9, 1e-9, 0.5, 0.5], [1e-9, 1e-9, 1.0, 1e-9], [0.25] * 4]))
    before = ag.where(ag.equal(ag.index(t), 0), 0, ag.shift(y, t, 1) + 1)  # rows: the beginning, after A, after B, later
    model = SequenceModel(ag.take(table, ag.minimum(before, 3)))
    greedy, best = model.greedy({}, 2), model.beam({}, 2, width=2)
    assert greedy.symbols[0].tolist()[0] == 0 and best.symbols[0].tolist() == [1, 2]
    assert np.exp(greedy.log_probs[0]) == pytest.approx(0.3, abs=1e-6)
    assert np.exp(best.log_probs[0]) == pytest.approx(0.4, abs=1e-6)


def test_perplexity_is_a_number_of_choices() -> None:
    """A die: six choices at each step. A coin that remembers is easier to predict than a fair one."""
    assert perplexity(np.full(10, np.log(1 / 6))) == pytest.approx(6)
    model, weights = coin_with_memory()
    symbols = model.sample(weights, 4000, seed=1).symbols[0]
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert perplexity(model.score(weights, symbols)) == pytest.approx(np.exp(entropy), rel=0.03)
