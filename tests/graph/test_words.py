"""What texts call an operation: the word that was written, wherever a user reads it."""

from __future__ import annotations

import pytest

import autograd_seq as ag
import viz

t = ag.Axis("t")
x, b = ag.input("x", (3,), over=t), ag.param("b", (3,))
W, M = ag.param("W", (3, 3)), ag.param("M", (2, 3, 3))

WORDS = [
    (lambda: W @ x, "matmul[t]: float[3]", "W @ x"),
    (lambda: x @ W, "matmul[t]: float[3]", "x @ W"),
    (lambda: M @ x, "matmul[t]: float[2, 3]", "M @ x"),
    (lambda: M @ W, "matmul: float[2, 3, 3]", "M @ broadcast_to_1"),
    (lambda: x @ b, "matmul[t]: float", "x @ b"),
    (lambda: ag.outer(x, b), "outer[t]: float[3, 3]", "outer(x, b)"),
    (lambda: ag.einsum("ij,ij->ji", W, W + 1), "einsum: float[3, 3]", "einsum('ij,ij->ji', W, add_1)"),
    (lambda: x**2, "power[t]: float[3]", "x ** 2"),
    (lambda: x**b, "power[t]: float[3]", "x ** b"),
    (lambda: x + b, "add[t]: float[3]", "x + b"),
    (lambda: x % 2, "mod[t]: float[3]", "x % 2"),
    (lambda: x // b, "floor_divide[t]: float[3]", "x // b"),
    (lambda: -x, "neg[t]: float[3]", "-x"),
    (lambda: x <= b, "less_equal[t]: bool[3]", "x <= b"),
    (lambda: ~(x < b), "logical_not[t]: bool[3]", "~less_1"),
    (lambda: ag.sum(x), "sum[t]: float", "sum(x, axis=-1)"),
    (lambda: ag.sum(W, 0, keepdims=True), "sum: float[1, 3]", "sum(W, axis=-2, keepdims=True)"),
    (lambda: ag.sum(x, over=t), "sum: float[3]", "sum(x, over=t)"),
    (lambda: ag.max(x, over=t), "max: float[3]", "max(x, over=t)"),
    (lambda: ag.logsumexp(x, over=t), "logsumexp: float[3]", "logsumexp(x, over=t)"),
    (lambda: ag.softmax(x), "softmax[t]: float[3]", "softmax(x, axis=-1)"),
    (lambda: x[t - 1], "x[t - 1]: float[3]", "x at t - 1"),
    (lambda: x[0], "x[0]: float", "x[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "short", "line"), WORDS, ids=[w[2] for w in WORDS])
def test_what_a_node_is_called_is_what_was_written(make, short, line):
    node = make()
    assert repr(node) == short
    assert f"= {line}\n" in str(ag.Graph(node)).replace("= state", "")
    tips = viz.folded(ag.Graph(node), level="ops").dot
    assert not any(hidden in tips for hidden in ("contract", "power_number", "sum_over", "max_over"))


def test_errors_and_programs_use_the_same_words():
    with pytest.raises(ag.GradientError, match="sum is not a scalar"):
        ag.grad(ag.sum(x, over=t), W)
    with pytest.raises(ag.AxisError, match=r"matmul does not vary over t"):
        (W @ b)[t - 1]
    step = ag.compile(ag.sum(ag.sum(x**2, over=t) @ W), backend="numpy")
    assert "x ** 2" in step.source and "power_number" not in str(step.schedule)
    assert not any(hidden in step.source for hidden in ("power_number", "contract_"))


def test_learn_and_extend_are_reached_by_name():
    assert {"learn", "extend"} <= set(dir(ag)) & set(ag.__all__)
    assert ag.extend.defop is ag.defop and ag.extend.check_op is ag.check_op
    assert all(getattr(ag, name) is getattr(ag.extend, name) for name in ("Op", "broadcast", "promote", "same_shape"))
    assert ag.learn.__name__ == "autograd_seq.learn"
