"""The gradient of a table is a sum of rows into the places that were read: no array over steps and table is made for it."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")


def make_loss(kind: str) -> ag.Node:
    """Return a loss that reads two rows of a table, or of one for each sequence, at every step."""
    table = ag.param("E", (5, 3), over=b if kind == "table of a sequence" else None)
    i = ag.input("i", (2,), over=t if kind == "index of a step" else (t, b), dtype=int)
    rows = ag.take(table, i[t - 1] if kind == "index of an earlier step" else i)
    return ag.sum(ag.sum(ag.sin(rows * ag.input("g", (2, 3), over=(t, b)))), over=(t, b))


@pytest.mark.parametrize("kind", ["index", "index of a step", "index of an earlier step", "table of a sequence"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_rows_are_added_where_they_were_read(kind: str, backend: str, in_python: None) -> None:
    loss, rng = make_loss(kind), np.random.default_rng(0)
    step, whole = ag.value_and_grad(loss, ["E"], backend=backend), ag.Graph(ag.grad(loss, ag.Graph(loss)["E"]))
    assert "sum_scattered(" in step.program.source
    for T, B in [(4, 3), (1, 1), (0, 2), (3, 0)]:
        index = rng.integers(0, 5, (T, 2) if kind == "index of a step" else (T, B, 2))
        feeds = {"E": rng.normal(size=(*([B] if kind == "table of a sequence" else []), 5, 3)), "i": index}
        feeds["g"] = rng.normal(size=(T, B, 2, 3))
        np.testing.assert_allclose(step(**feeds)[1]["E"], whole.evaluate(**feeds)[0], rtol=1e-12, atol=1e-13)


def test_an_embedding_of_many_words_takes_little_memory() -> None:
    y = ag.input("y", over=(t, b), dtype=int)
    loss = ag.sum(ag.dot(ag.nn.embedding(y[t - 1], 10_000, 32), ag.input("g", (32,), over=(t, b))), over=(t, b))
    cost = ag.value_and_grad(loss, ["E"]).cost(t=100, b=8)
    assert cost.bytes < 5e6 and cost.flops < 1e6  # the table has 2.56 MB in double precision
