"""Lesson 2: a parameter that is used in several places has the sum of its gradients there."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_seq as ag

X = np.array([0.3, -1.0, 0.8, 0.5, -0.2])


def test_a_parameter_used_twice_sums_its_gradients() -> None:
    """L = a·b·a uses a twice. Give each use a name of its own: L = p·b·q with p = a and q = a.

    Then dL/da = ∂L/∂p + ∂L/∂q = b·q + p·b, which is 2ab: the rule of the total derivative.
    """
    a, b = ag.tensor(3.0), ag.tensor(5.0)
    (a * b * a).backward()

    p, c, q = ag.tensor(3.0), ag.tensor(5.0), ag.tensor(3.0)
    (p * c * q).backward()
    assert float(p.grad) == 15.0 and float(q.grad) == 15.0
    assert float(a.grad) == 30.0 == float(p.grad) + float(q.grad)


def test_weights_shared_through_time_are_a_parameter_used_t_times() -> None:
    """A recurrent network uses the same w at every step, so dL/dw is a sum over time, by that rule alone.

    To see it, untie the weights: let w_t be an input that may differ from step to step, feed the same number at every
    step, and compare. The gradient of the shared w is the sum of the gradients of the untied w_t.
    """
    t = ag.Axis("t")
    x = ag.input("x", over=t)

    w, h = ag.param("w"), ag.state("h", over=t)
    h[t] = ag.tanh(w * h[t - 1] + x[t])
    (shared,) = ag.Graph(ag.sum(h, over=t)).unroll(t=5).grad(["w"]).evaluate(x=X, w=0.9)

    v, k = ag.input("v", over=t), ag.state("k", over=t)
    k[t] = ag.tanh(v[t] * k[t - 1] + x[t])
    (dv,) = ag.grad(ag.sum(k, over=t), [v])
    (untied,) = ag.Graph(dv).unroll(t=5).evaluate(x=X, v=np.full(5, 0.9))

    assert untied.shape == (5,)
    assert untied[0] == 0  # the first step multiplies w by h₋₁ = 0
    assert np.ptp(untied[1:]) > 0.1  # the steps do not agree which way w should go
    assert float(shared) == pytest.approx(untied.sum(), rel=1e-13)


def test_in_the_unrolled_graph_it_is_one_node_with_many_readers() -> None:
    """Unrolling copies the state for every step, but not the weight: all five products read one and the same node."""
    t = ag.Axis("t")
    w, h = ag.param("w"), ag.state("h", over=t)
    h[t] = w * h[t - 1] + ag.input("x", over=t)[t]
    dag = ag.Graph(ag.sum(h, over=t)).unroll(t=5)
    assert sum(any(i is dag["w"] for i in node.inputs) for node in dag.nodes) == 5
    assert len({id(dag["h", i]) for i in range(5)}) == 5
