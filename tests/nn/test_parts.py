"""What cells and layers promise beside their equations: how parameters start, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import nn

t, u = ag.Axis("t"), ag.Axis("u")


def x(size: int = 4, over: Any = t) -> ag.Node:
    return ag.input("x", (size,), over=over)


def test_parameters_start_as_their_papers_have_it() -> None:
    np.testing.assert_array_equal(nn.init.params(nn.irnn(x(), 3, over=t))["W"], np.eye(3))
    start = nn.init.params(nn.lru(x(), 64, over=t, radius=(0.8, 0.9)))
    size = np.exp(-np.exp(start["nu"]))
    assert size.min() >= 0.8 and size.max() <= 0.9
    start = nn.init.params(nn.s4d(x(), 5, over=t))
    np.testing.assert_allclose(start["frequency"][2], np.pi * np.arange(5))
    np.testing.assert_allclose(-np.exp(start["log_decay"]), -0.5)
    start = nn.init.params(nn.selective_scan(x(), 5, over=t))
    np.testing.assert_allclose(np.exp(start["log_A"][1]), np.arange(1, 6))
    np.testing.assert_allclose(np.log1p(np.exp(start["bd"])), 0.01)
    assert (nn.init.params(nn.layer_norm(x(), name="n"))["n/gain"] == 1).all()


def test_a_rule_that_is_given_wins_over_one_that_is_declared() -> None:
    W = ag.param("W", (2, 2), init=nn.init.identity())
    assert nn.init.params([W])["W"].tolist() == [[1, 0], [0, 1]]
    assert nn.init.params([W], rules={"W": nn.init.zeros()})["W"].tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ag.OperationError, match="which is not an initialiser") as caught:
        ag.param("W", (2, 2), init=0.5)  # type: ignore[arg-type]
    assert caught.value.code == "N119"


def test_reservoirs_have_their_radius_and_learn_nothing() -> None:
    h = nn.echo_state(x(), 30, over=t, radius=0.7)
    weights = nn.init.params(h)
    assert abs(np.linalg.eigvals(weights["W"])).max() == pytest.approx(0.7)
    loss = ag.sum(ag.sum(h), over=t)
    _, grads = ag.value_and_grad(loss, backend="numpy")(x=np.ones((3, 4)), **weights)
    assert not any(g.any() for g in grads.values())


def test_rotary_products_depend_on_the_distance_alone() -> None:
    q, k = nn.rotary(ag.input("q", (6,), over=t), t), nn.rotary(ag.input("k", (6,), over=t), t)
    score = ag.dot(q, k.along(t, u))
    rng = np.random.default_rng(0)
    same = [np.tile(rng.normal(size=6), (5, 1)) for _ in range(2)]
    found = ag.Graph(score).evaluate(q=same[0], k=same[1])[0]
    found = found if score.axes == (t, u) else found.T
    for gap in range(-3, 4):
        np.testing.assert_allclose(np.diagonal(found, gap), np.diagonal(found, gap)[0], rtol=1e-12)


def test_an_exponential_gate_does_not_overflow() -> None:
    for cell in (nn.slstm, nn.mlstm):
        h = cell(x(), 3, over=t).h
        weights = nn.init.params(h, rules={"Ui": nn.init.constant(300.0)})
        found = ag.Graph(h).evaluate(x=np.random.default_rng(0).normal(size=(20, 4)), **weights)[0]
        assert np.isfinite(found).all() and np.abs(found).max() > 1e-3


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda: nn.multi_head_attention(x(6), 4, over=t), "N127", "heads=4 does not divide the 6 entries"),
        (lambda: nn.multi_head_attention(x(), 2, over=t, memory=x(4, u)), "N128", "memory_over="),
        (lambda: nn.rotary(x(3), t), "N123", "even number of entries, got 3"),
        (lambda: nn.sinusoidal(t, 5), "N123", "even number of entries, got 5"),
        (lambda: nn.dot_product_attention(x(4), x(4), x(4), over=t), "N126", "the query varies over it"),
        (lambda: nn.dot_product_attention(x(4, u), x(3), x(3), over=t), "N125", r"\(4,\) with keys of shape \(3,\)"),
        (lambda: nn.additive_attention(x(4, u), x(4, u), 3, over=t), "N101", "does not vary over it"),
        (lambda: nn.transformer_layer(x(), 2, 8, over=t, norm="post"), "N129", 'expected "before" or "after"'),
        (lambda: nn.transformer_encoder(x(), 2, 8, 0, over=t), "N103", "given 0 layers"),
        (lambda: nn.gru(x(), 3, over=t, reset="late"), "N122", "no reset='late'"),
        (lambda: nn.rnn(x(), 3, over=t, activation="sigmod"), "N120", "no activation='sigmod'"),
        (lambda: nn.stack(x(), [3, 4], 3, over=t), "N124", "2 widths and layers=3"),
        (lambda: nn.stack(x(), 3, over=t), "N103", "given None layers"),
        (lambda: nn.clockwork(x(), 6, over=t, periods=[1, 2, 4, 8]), "N121", "6 units into groups"),
        (lambda: nn.clockwork(x(), 6, over=t, periods=[2, 1]), "N121", "6 units into groups"),
        (lambda: nn.embedding(ag.input("w", over=t, dtype=int), 0, 3), "N103", "given 0 symbols"),
        (lambda: nn.slstm(x(), 3, over=t, init=ag.param("h0", (3,))), "N104", "a tuple of 4 rows"),
        (lambda: nn.init.spectral_radius()((2, 3)), "N118", "square matrix"),
        (lambda: nn.gru(nn.lstm(x(), 3, over=t), 3, over=t), "N144", r"gru reads one value, and is given 2(?s:.*)h, _ = "),
        (lambda: nn.dense(nn.slstm(x(), 3, over=t), 3), "N144", "dense reads one value, and is given 4"),
        (lambda: nn.lstm(x(), 3, over=t, clip=-1.0), "N145", "clip=-1.0(?s:.*)a positive number"),
        (lambda: nn.echo_state(x(), 3, over=t, leak=2.0), "N145", "leak=2.0(?s:.*)between 0 and 1"),
        (lambda: nn.layer_norm(x(), eps="small"), "N145", "eps='small'"),
        (lambda: nn.lru(x(), 3, over=t, radius=(0.9, 1.5)), "N146", r"lru is given radius=\(0.9, 1.5\)"),
        (lambda: nn.s4d(x(), 3, over=t, steps=0.1), "N146", "s4d is given steps=0.1"),
        (lambda: nn.dense(x(), 3, activation="relu"), "N147", "activation='relu'(?s:.*)activation=ag.relu"),
        (lambda: nn.stack(x(), 3, 2, over=t, cell="gru"), "N147", "cell='gru'(?s:.*)cell=ag.nn.gru"),
        (lambda: nn.gru(x(), 3, over=t, init=[None, None]), "N148", "init= of h is a list of 2"),
        (lambda: nn.bidirectional(x(), 3, over=t, init=ag.param("h0", (3,))), "N104", r"init=\(forward, backward\)"),
        (lambda: nn.bidirectional(x(), 3, over=t, cell=nn.gru, reverse=True), "N150", "takes no reverse="),
        (lambda: nn.rnn(x(), 3, over=t, activation=["tanh"]), "N120", "activation="),
        (lambda: nn.clockwork(x(), 6, over=t, periods=2), "N121", "periods 2"),
        (lambda: nn.multi_head_attention(x(), 2, over=t, mask=ag.input("m", over=(t, u))), "N151", "mask > 0.5"),
        (
            lambda: nn.multi_head_attention(x(), 2, over=t, mask=ag.input("m", over=t, dtype=bool)),
            "N152",
            r"mask\.along\(t, ag",
        ),
        (
            lambda: nn.dot_product_attention(x(4, u), x(4), x(4), over=t, mask=np.ones((5, 5), bool)),
            "N152",
            "over=t, dtype=bool",
        ),
        (lambda: nn.causal_mask(t, t), "N153", "two axes"),
        (lambda: nn.transformer_decoder(x(), None, 2, 8, 1, over=t, memory_over=u), "N128", "transformer_layer needs memory="),
        (lambda: nn.lstm(x(), 3, over=u), "N101", r"over=\(t, u\)"),
        (lambda: ag.compile(nn.dense(nn.dense(x(), 3), 3)), "G302", 'layers take name="…"'),
    ],
)
def test_refusals(make: Callable[[], Any], code: str, words: str) -> None:
    with pytest.raises(ag.AutogradSeqError, match=words) as caught:
        make()
    assert caught.value.code == code


def test_a_symbol_outside_of_the_vocabulary_is_named() -> None:
    y = nn.embedding(ag.input("word", over=t, dtype=int), 5, 3)
    with pytest.raises(ag.FeedError, match="word"):
        ag.compile(y, backend="numpy")(word=[0, 5], **nn.init.params(y))


def test_a_stream_of_a_bidirectional_net_is_refused() -> None:
    y = nn.bidirectional(x(), 3, over=t, cell=nn.gru, name="both")
    with pytest.raises(ag.CarryError, match="read at a later step"):
        ag.stream(y)
