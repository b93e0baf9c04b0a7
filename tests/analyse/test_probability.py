"""The chain rule of probability: scores, samples, search. Small vocabularies, so that all strings can be listed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.analyse import SequenceModel, bits_per_symbol, chain_rule, perplexity

K = 3
t = ag.Axis("t")


def language_model(cell: Any = ag.nn.gru, direct: bool = False) -> tuple[SequenceModel, dict[str, Any]]:
    """Symbols y, each given those before; ``direct`` reads the previous symbol as an input of the same step."""
    y = ag.input("y", over=t, dtype=int)
    h = cell(ag.nn.embedding(y[t] if direct else ag.shift(y, t, 1), K, 4), 6, over=t)
    h = h[0] if isinstance(h, tuple) else h
    model = SequenceModel(ag.nn.dense(h, K, name="out"))
    rules = {"out/b": ag.nn.init.normal(0.5), "*": ag.nn.init.normal(1.0)}
    return model, ag.nn.init.params(model.scores, seed=3, rules=rules)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("cell", [ag.nn.rnn, ag.nn.gru, ag.nn.lstm])
def test_the_probabilities_of_all_strings_add_up_to_one(cell: Any, direct: bool) -> None:
    model, weights = language_model(cell, direct)
    for n in (1, 2, 4):
        total = sum(np.exp(model.score(weights, s).sum()) for s in itertools.product(range(K), repeat=n))
        assert total == pytest.approx(1.0, rel=1e-12)


def test_the_ledger_is_the_joint() -> None:
    model, weights = language_model()
    y = ag.Graph(model.scores)["y"]
    ledger = chain_rule(model.scores, y, over=t)
    symbols = [0, 2, 1, 1]
    steps, joint = ag.Graph(*ledger).evaluate(y=symbols, **weights)
    np.testing.assert_allclose(steps, model.score(weights, symbols), rtol=1e-12)
    assert float(joint) == pytest.approx(steps.sum())
    assert perplexity(steps) == pytest.approx(2 ** bits_per_symbol(steps))
    # p(y₃ | y₀ y₁ y₂) by its definition, the ratio of two joints
    p3, p4 = (np.exp(model.score(weights, symbols[:n]).sum()) for n in (3, 4))
    assert p4 / p3 == pytest.approx(np.exp(steps[3]))


@pytest.mark.parametrize("direct", [False, True])
def test_samples_have_the_probabilities_of_the_model(direct: bool) -> None:
    model, weights = language_model(direct=direct)
    made = model.sample(weights, 2, count=20_000, seed=0)
    counts = np.bincount(made.symbols[:, 0] * K + made.symbols[:, 1], minlength=K * K) / 20_000
    want = [np.exp(model.score(weights, s).sum()) for s in itertools.product(range(K), repeat=2)]
    np.testing.assert_allclose(counts, want, atol=0.012)
    for k in range(5):
        assert made.log_probs[k] == pytest.approx(model.score(weights, made.symbols[k]).sum(), rel=1e-10)


def test_a_seed_decides_the_samples() -> None:
    model, weights = language_model()
    one, same, other = (model.sample(weights, 9, count=3, seed=s).symbols for s in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_temperature_top_k_and_top_p() -> None:
    model, weights = language_model()
    first = np.exp(model.score(weights, [0])[0]), np.exp(model.score(weights, [1])[0]), np.exp(model.score(weights, [2])[0])
    order = np.argsort(first)[::-1]

    def draw(**options: Any) -> np.ndarray:
        symbols = model.sample(weights, 1, count=20_000, seed=4, **options).symbols[:, 0]
        return np.bincount(symbols, minlength=K) / 20_000

    hot = np.array(first) ** 2
    np.testing.assert_allclose(draw(temperature=0.5), hot / hot.sum(), atol=0.012)
    assert (draw(top_k=1) == np.eye(K)[order[0]]).all()
    two = np.where(np.arange(K) == order[2], 0, first)
    np.testing.assert_allclose(draw(top_k=2), two / two.sum(), atol=0.012)
    np.testing.assert_allclose(draw(top_p=first[order[0]] + 1e-9), two / two.sum(), atol=0.012)
    assert (draw(top_p=1e-9) == np.eye(K)[order[0]]).all()
    assert (draw(temperature=1e-3) == np.eye(K)[order[0]]).all()


def test_greedy_takes_the_most_probable_symbol_of_each_step() -> None:
    model, weights = language_model()
    found = model.greedy(weights, 5).symbols[0]
    for n in range(5):
        scores = [model.score(weights, [*found[:n], k])[n] for k in range(K)]
        assert found[n] == np.argmax(scores)
    assert (model.sample(weights, 5, temperature=0).symbols[0] == found).all()


@pytest.mark.parametrize("steps", [1, 3, 4])
def test_a_wide_beam_finds_the_most_probable_strings(steps: int) -> None:
    model, weights = language_model(ag.nn.lstm)
    strings = [*itertools.product(range(K), repeat=steps)]
    truth = sorted(strings, key=lambda s: -model.score(weights, s).sum())
    found = model.beam(weights, steps, width=K**steps)
    assert [tuple(s) for s in found.symbols] == truth
    for s, p in zip(found.symbols, found.log_probs, strict=True):
        assert p == pytest.approx(model.score(weights, s).sum(), rel=1e-10)
    assert (model.beam(weights, steps, width=1).symbols == model.greedy(weights, steps).symbols).all()


def test_beams_are_nested_searches() -> None:
    model, weights = language_model()
    best = [model.beam(weights, 6, width=w).log_probs[0] for w in (1, 4, 30)]
    assert best[0] <= best[1] + 1e-12 and best[1] <= best[2] + 1e-12


def test_an_end_symbol_ends_sequences() -> None:
    model, weights = language_model()
    made = model.sample(weights, 12, count=200, seed=0, stop=2)
    for symbols, n, p in zip(made.symbols, made.lengths, made.log_probs, strict=True):
        assert (symbols[n - 1 :] == 2).all() or n == 12
        assert not (symbols[: n - 1] == 2).any()
        assert p == pytest.approx(model.score(weights, symbols[:n]).sum(), rel=1e-9)
    found = model.beam(weights, 4, width=81, stop=2)
    ended = {tuple(s[:n]) for s, n in zip(found.symbols, found.lengths, strict=True)}
    assert len(ended) == len(found.symbols) and sum(np.exp(found.log_probs)) == pytest.approx(1.0)


def test_a_prompt_is_read_first() -> None:
    model, weights = language_model()
    found = model.greedy(weights, 3, prompt=[2, 0])
    whole = [2, 0, *found.symbols[0]]
    assert found.log_probs[0] == pytest.approx(model.score(weights, whole)[2:].sum())


def test_other_inputs_condition_the_sequence() -> None:
    y, c, x = ag.input("y", over=t, dtype=int), ag.input("c", (4,)), ag.input("x", (4,), over=t)
    h = ag.nn.gru(ag.nn.embedding(ag.shift(y, t, 1), K, 4) + c + x[t], 6, over=t)
    model = SequenceModel(ag.nn.dense(h, K, name="out"))
    weights = ag.nn.init.params(model.scores, seed=0)
    feeds = {"c": np.ones(4), "x": np.random.default_rng(0).normal(size=(5, 4))}
    made = model.sample(weights, 5, count=3, seed=0, **feeds)
    for symbols, p in zip(made.symbols, made.log_probs, strict=True):
        assert p == pytest.approx(model.score(weights, symbols, **feeds).sum(), rel=1e-9)


@pytest.mark.parametrize("direct", [False, True])
def test_a_padded_batch_is_scored_as_each_sequence_by_itself(direct: bool) -> None:
    model, weights = language_model(direct=direct)
    symbols, lengths = np.random.default_rng(0).integers(0, K, (3, 5)), [5, 1, 3]
    whole, padded = model.score(weights, symbols), model.score(weights, symbols, lengths=lengths)
    for k, n in enumerate(lengths):
        np.testing.assert_allclose(whole[k], model.score(weights, symbols[k]), rtol=1e-12)
        np.testing.assert_allclose(padded[k], np.where(np.arange(5) < n, whole[k], 0.0), rtol=1e-12)


def test_several_problems_at_once_are_each_by_itself() -> None:
    y, c, x = ag.input("y", over=t, dtype=int), ag.input("context", (4,)), ag.input("x", (4,), over=t)
    h = ag.nn.lstm(ag.nn.embedding(ag.shift(y, t, 1), K, 4) + c + x[t], 6, over=t)[0]
    model = SequenceModel(ag.nn.dense(h, K, name="out"))
    weights = ag.nn.init.params(model.scores, seed=0, rules={"*": ag.nn.init.normal(1.0)})
    rng = np.random.default_rng(0)
    cs, xs, prompts = rng.normal(size=(3, 4)), rng.normal(size=(6, 4)), np.array([[0, 1], [2, 2], [1, 0]])
    for run in (
        lambda **feeds: model.beam(weights, 4, 5, stop=1, **feeds), lambda **feeds: model.greedy(weights, 4, **feeds),
        lambda **feeds: model.sample(weights, 4, count=2, temperature=1e-4, **feeds),
    ):  # fmt: skip
        together = run(context=cs, x=xs, prompt=prompts)
        for k in range(3):
            for all_of_it, alone in zip(together, run(context=cs[k], x=xs, prompt=prompts[k]), strict=True):
                np.testing.assert_allclose(all_of_it[k], alone, rtol=1e-12)
    strings = rng.integers(0, K, (3, 6))
    scores = model.score(weights, strings, context=cs, x=xs)
    for k in range(3):
        np.testing.assert_allclose(scores[k], model.score(weights, strings[k], context=cs[k], x=xs), rtol=1e-12)
    for code, steps, feeds in (
        ("Q106", 2, {"context": cs[:2], "x": xs, "prompt": prompts}), ("Q106", 2, {"context": cs[:0], "x": xs}),
        ("Q110", 9, {"context": cs, "x": xs}), ("Q114", 2, {"context": cs[0, :2], "x": xs}),
    ):  # fmt: skip
        with pytest.raises(ag.OperationError) as caught:
            model.greedy(weights, steps, **feeds)
        assert caught.value.code == code


def test_the_symbol_before_the_first_is_the_row_of_the_shift() -> None:
    """For what is scored as for what is drawn; the probabilities of all strings sum to 1."""
    y = ag.input("y", over=t, dtype=int)
    scores = ag.nn.dense(ag.nn.gru(ag.nn.embedding(ag.shift(y, t, 1, init=K), K + 1, 4), 3, over=t), K, name="out")
    model, weights = SequenceModel(scores), ag.nn.init.params(scores, seed=0)
    strings = np.array(list(itertools.product(range(K), repeat=3)))
    logs = ag.Graph(ag.log_softmax(scores)).evaluate(**weights, y=strings[5])[0]
    np.testing.assert_allclose(model.score(weights, strings)[5], logs[np.arange(3), strings[5]], rtol=1e-12)
    assert model.start == K and np.exp(model.score(weights, strings).sum(1)).sum() == pytest.approx(1.0)
    made = model.sample(weights, 3, count=4)
    np.testing.assert_allclose(made.log_probs, model.score(weights, made.symbols).sum(1), rtol=1e-12)
    for wrong in (scores, ag.nn.dense(ag.nn.embedding(ag.shift(y, t, 1, init=ag.input("s", dtype=int)), K, 4), K, name="o")):
        with pytest.raises(ag.OperationError, match="before the first y is the row of its shift"):
            SequenceModel(wrong, start=1)


def test_carries_of_a_batch_can_be_reordered() -> None:
    b = ag.Axis("b")
    x, s = ag.input("x", over=(t, b)), ag.state("s", over=(t, b))
    s[t] = 0.5 * s[t - 2] + x[t]
    f = ag.compile(s, carry=True, backend="numpy")
    xs = np.random.default_rng(0).normal(size=(6, 3))
    _, carry = f(x=xs[:4])
    got, _ = f(x=xs[4:, [2, 0, 2, 1]], carry=carry.take(b, [2, 0, 2, 1]))
    whole, _ = f(x=xs)
    np.testing.assert_allclose(got[0], whole[0][4:, [2, 0, 2, 1]])
    for parents in ([3], [-1]):
        with pytest.raises(ag.CarryError, match="3 sequences along b"):
            carry.take(b, parents)
    with pytest.raises(ag.CarryError, match="cannot be taken"):
        carry.take(ag.Axis("c"), [0])


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda m, w: SequenceModel(m.scores, "z"), "Q101"),
        (lambda m, w: SequenceModel(ag.sum(m.scores)), "Q102"),
        (lambda m, w: SequenceModel(m.scores + ag.cast(ag.Graph(m.scores)["y"], float)), "Q103"),
        (lambda m, w: m.sample(w, 3, temperature=-1.0), "Q104"),
        (lambda m, w: m.sample(w, 3, top_k=0), "Q104"),
        (lambda m, w: m.sample(w, 3, top_p=1.5), "Q104"),
        (lambda m, w: m.sample(w, 3, count=0), "Q104"),
        (lambda m, w: m.beam(w, 3, width=0), "Q104"),
        (lambda m, w: m.greedy(w, -1), "Q104"),
        (lambda m, w: m.score(w, [0, K]), "Q105"),
        (lambda m, w: m.score(w, [0.5]), "Q105"),
        (lambda m, w: m.score(w, [0, 1], lengths=[2]), "Q108"),
        (lambda m, w: m.greedy(w, 2, stop=K), "Q105"),
        (lambda m, w: m.beam(w, 2, 2, prompt=[-1]), "Q105"),
        (lambda m, w: m.greedy(w, 2, x=[1.0]), "Q107"),
        (lambda m, w: m.sample(w, 3, temperature="hot"), "Q104"),
        (lambda m, w: m.sample(w, 3, top_p="0.9"), "Q104"),
        (lambda m, w: m.sample(w, 3, seed="a"), "Q104"),
        (lambda m, w: m.sample([*w.values()], 3), "Q104"),
        (lambda m, w: m.score(w, [[0, 1], [1]]), "Q105"),
        (lambda m, w: SequenceModel(m.scores, start="a"), "Q104"),
        (lambda m, w: SequenceModel(m.scores, start=1), "Q109"),
        (lambda m, w: SequenceModel(ag.softmax(m.scores)), "Q115"),
        (lambda m, w: ag.analyse.chain_rule(ag.softmax(m.scores), ag.Graph(m.scores)["y"], over=t), "Q115"),
        (lambda m, w: m.greedy({**w, "out/b": np.full(K, np.nan)}, 2), "Q113"),
        (lambda m, w: ag.analyse.audit(m.scores, "y", {**w, "out/b": np.full(K, np.nan)}, over=t), "Q116"),
        (lambda m, w: ag.analyse.perplexity([0.5, 0.25]), "S221"),
        (lambda m, w: ag.analyse.bits_per_symbol([]), "S221"),
        (lambda m, w: ag.analyse.perplexity(m.score(w, [0, 1]), lengths=[2]), "S222"),
        (lambda m, w: ag.analyse.chain_rule(ag.Graph(m.scores)["y"], m.scores, over=t), "N102"),
        (lambda m, w: ag.analyse.chain_rule(m.scores, ag.input("z", over=t), over=t), "N157"),
        (lambda m, w: ag.analyse.chain_rule(m.scores, ag.Graph(m.scores)["y"], over=ag.Axis("u")), "N101"),
        (lambda m, w: ag.analyse.audit(m.scores, "y", w, over=t, steps=0), "N103"),
        (lambda m, w: ag.analyse.audit(m.scores, "y", w, over=t, lag="1"), "Q104"),
        (lambda m, w: ag.analyse.audit(m.scores, "y", w, over=t, foo=1), "Q112"),
        (lambda m, w: ag.analyse.audit(ag.argmax(m.scores), "y", w, over=t), "Q111"),
    ],
)
def test_refusals(make: Any, code: str) -> None:
    with pytest.raises(ag.AutogradSeqError) as caught:
        make(*language_model())
    assert caught.value.code == code


def test_a_model_that_looks_ahead_is_refused() -> None:
    y = ag.input("y", over=t, dtype=int)
    h = ag.nn.bidirectional(ag.nn.embedding(ag.shift(y, t, 1), K, 4), 3, over=t, cell=ag.nn.gru)
    model = SequenceModel(ag.nn.dense(h, K, name="out"))
    weights = ag.nn.init.params(model.scores)
    for call in (lambda: model.greedy(weights, 3), lambda: model.score(weights, [0, 1])):
        with pytest.raises(ag.CarryError, match="read at a later step"):
            call()


def test_a_causal_transformer_is_sampled_and_searched_by_a_stream() -> None:
    """Its keys and values are kept in an array that grows; reordered for beams; the numbers are those of whole sequences."""
    y = ag.input("y", over=t, dtype=int)
    x = ag.nn.embedding(ag.shift(y, t, 1), K, 4) + ag.nn.sinusoidal(t, 4)
    h = ag.nn.transformer_encoder(x, 2, 6, 1, over=t, causal=True, norm="before")
    model = SequenceModel(ag.nn.dense(h, K, name="out"))
    weights = ag.nn.init.params(model.scores, seed=0)
    made = model.sample(weights, 5, count=2, seed=1)
    for symbols, p in zip(made.symbols, made.log_probs, strict=True):
        assert p == pytest.approx(model.score(weights, symbols).sum(), rel=1e-10)
    assert np.exp(model.beam(weights, 3, width=K**3).log_probs).sum() == pytest.approx(1.0)


def test_a_model_of_a_batch_is_one_of_each_sequence() -> None:
    """What was trained over a batch is sampled, searched and scored as the same equations without it."""
    b = ag.Axis("b")
    alone, batched = (
        ag.nn.dense(ag.nn.gru(ag.nn.embedding(y, K, 4), 6, over=t), K, name="out")
        for y in (ag.input("y", over=t, dtype=int), ag.input("y", over=(t, b), dtype=int))
    )
    models = [SequenceModel(scores) for scores in (alone, batched)]
    weights = ag.nn.init.params(alone, seed=1)
    for call in (lambda m: m.sample(weights, 6, count=4, seed=2), lambda m: m.beam(weights, 5, 3)):
        one, other = map(call, models)
        np.testing.assert_array_equal(one.symbols, other.symbols)
        np.testing.assert_allclose(one.log_probs, other.log_probs, rtol=1e-12)
    np.testing.assert_array_equal(models[1].score(weights, [[0, 1], [2, 0]]), models[0].score(weights, [[0, 1], [2, 0]]))
