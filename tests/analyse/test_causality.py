"""The audit: which inputs reach a prediction, for models whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.analyse import audit

t = ag.Axis("t")
x = ag.input("x", (4,), over=t)


def weights(node: ag.Node) -> dict[str, np.ndarray]:
    return ag.nn.init.params(node, seed=1, rules={"*": ag.nn.init.normal(0.6)})


def test_a_recurrent_network_is_causal_by_the_graph_alone() -> None:
    h = ag.nn.gru(x, 3, over=t)
    found = audit(h, "x", weights(h), over=t)
    assert found.is_causal and found.is_surely_causal and "by the graph alone" in str(found)
    lower = np.tril(np.ones((6, 6), bool))
    np.testing.assert_array_equal(found.by_graph, lower)
    np.testing.assert_array_equal(found.by_value > 0, lower)
    np.testing.assert_array_equal(found.by_gradient > 0, lower)


def test_a_causal_transformer_is_causal_for_its_values_only() -> None:
    """The mask is data to the graph, which leads from every step to every prediction."""
    y = ag.nn.transformer_encoder(x, 2, 8, 2, over=t, causal=True)
    found = audit(y, "x", weights(y), over=t)
    assert found.is_causal and not found.is_surely_causal and found.by_graph.all()
    assert not np.triu(found.by_value, 1).any() and not np.triu(found.by_gradient, 1).any()
    assert (np.tril(found.by_value)[np.tril_indices(6)] > 0).all()


def test_a_transformer_without_a_mask_and_a_bidirectional_net_are_convicted() -> None:
    for y in (ag.nn.transformer_encoder(x, 2, 8, 1, over=t), ag.nn.bidirectional(x, 3, over=t, cell=ag.nn.gru)):
        found = audit(y, "x", weights(y), over=t)
        assert not found.is_causal and len(found.leaks) == 15
        assert "the prediction at step 0 depends on the input at step 1" in str(found)


def test_scores_must_not_see_the_symbol_that_they_predict() -> None:
    """With lag 1 the step itself is forbidden: a language model that forgot to shift its input is convicted."""
    s = ag.input("y", over=t, dtype=int)
    for shifted in (True, False):
        read = ag.shift(s, t, 1) if shifted else s
        z = ag.nn.dense(ag.nn.gru(ag.nn.embedding(read, 3, 4), 5, over=t), 3, name="out")
        found = audit(z, "y", weights(z), over=t, lag=1)
        assert found.by_gradient is None and found.is_causal is shifted
        assert found.leaks == ([] if shifted else [(k, k) for k in range(6)])


def test_a_reach_that_is_short() -> None:
    y = ag.nn.causal_conv(x, 2, 2, over=t, dilation=3)
    found = audit(y, "x", weights(y), over=t, steps=8)
    steps = np.arange(8)
    back = steps[:, None] - steps[None, :]
    np.testing.assert_array_equal(found.by_value > 0, (back == 0) | (back == 3))


def test_refusals() -> None:
    h = ag.nn.gru(x, 3, over=t)
    for call in (lambda: audit(ag.last(h, over=t), "x", {}, over=t), lambda: audit(h, "z", {}, over=t)):
        with pytest.raises(ag.AxisError, match="an audit along t needs") as caught:
            call()
        assert caught.value.code == "Q111"
