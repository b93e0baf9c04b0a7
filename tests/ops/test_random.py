"""A draw depends on the seed, the node's name and the index point, and on nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag


def draws(name: str = "u", T: int = 4, shape: Any = (3,), kind: Any = ag.uniform, **feeds: Any) -> np.ndarray:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    return ag.Graph(kind(name, shape, over=t) + 0 * x[t]).evaluate(x=np.zeros(T), **feeds)[0]


@pytest.mark.parametrize("kind", [ag.uniform, ag.normal])
def test_the_same_draw_in_every_run(kind: Any) -> None:
    first = draws(kind=kind)
    assert first.shape == (4, 3)
    np.testing.assert_array_equal(first, draws(kind=kind))
    np.testing.assert_array_equal(first, draws(kind=kind, seed=0))  # 0 unless it is fed
    np.testing.assert_array_equal(first, draws(kind=kind, T=7)[:4])  # whatever the length


def test_it_differs_by_seed_name_and_step() -> None:
    base = draws()
    assert not np.any(base == draws(seed=1)) and not np.any(base == draws(name="v"))
    assert len(np.unique(base)) == base.size


def test_nodes_of_one_name_in_two_graphs_draw_the_same() -> None:
    """So that recomputing a graph, or unrolling it twice, changes nothing."""
    t = ag.Axis("t")
    values = [ag.Graph(ag.normal("n", over=t)).unroll(t=5).evaluate()[0] for _ in range(2)]
    np.testing.assert_array_equal(*values)
    dag = ag.Graph(ag.normal("n", over=t)).unroll(t=5)
    np.testing.assert_array_equal(dag.evaluate(seed=3)[0], dag.evaluate(seed=3)[0])


@pytest.mark.parametrize("kind", [ag.uniform, ag.normal, lambda name, over: ag.bernoulli(name, 0.5, over=over)])
def test_one_graph_has_no_two_random_nodes_of_one_name(kind: Any) -> None:
    t = ag.Axis("t")
    with pytest.raises(ag.NameClashError, match='two nodes are named "n"'):
        ag.Graph(kind("n", over=t) + kind("n", over=t))
    assert ag.uniform.__doc__ and "Names are unique within a graph" in ag.uniform.__doc__


def test_over_nothing_is_one_draw_for_the_sequence() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    mask = ag.bernoulli("mask", 0.5, (8,), over=())
    assert mask.axes == ()
    y = ag.Graph(x * mask).evaluate(x=np.ones(5))[0]
    assert y.shape == (5, 8) and (y == y[0]).all() and set(np.unique(y)) <= {0.0, 1.0}


def test_scopes_are_part_of_the_name() -> None:
    with ag.scope("a"):
        a = ag.uniform("u", (4,), over=())
    with ag.scope("b"):
        b = ag.uniform("u", (4,), over=())
    assert a.name == "a/u" and b.name == "b/u"
    first, second = ag.Graph(a, b).evaluate()
    assert not np.any(first == second)


def test_distributions() -> None:
    u = draws(shape=(1000,), kind=lambda *a, **k: ag.uniform(*a, low=-1.0, high=3.0, **k))
    assert u.min() >= -1 and u.max() < 3 and abs(u.mean() - 1) < 0.1 and abs(u.var() - 16 / 12) < 0.1
    n = draws(shape=(1000,), kind=lambda *a, **k: ag.normal(*a, mean=2.0, std=0.5, **k))
    assert abs(n.mean() - 2) < 0.05 and abs(n.std() - 0.5) < 0.05
    b = draws(shape=(1000,), kind=lambda name, shape, over: ag.bernoulli(name, 0.3, shape, over=over))
    assert set(np.unique(b)) == {0.0, 1.0} and abs(b.mean() - 0.3) < 0.05


def test_parameters_of_a_distribution_have_gradients() -> None:
    mean, std, p = ag.param("mean"), ag.param("std"), ag.param("p")
    feeds = {"mean": 0.5, "std": 1.5}
    ag.check_grad(ag.sum(ag.normal("n", (3,), over=(), mean=mean, std=std) ** 2), [mean, std], feeds)
    low, high = ag.param("low"), ag.param("high")
    loss = ag.sum(ag.uniform("u", (3,), over=(), low=low, high=high) ** 2)
    ag.check_grad(loss, [low, high], {"low": 0.1, "high": 2.0})
    loss = ag.sum(ag.bernoulli("b", p, (3,), over=()))
    assert ag.Graph(ag.grad(loss, p), p).evaluate(p=0.5)[0] == 0


def test_draws_are_floats_of_the_width_of_the_run() -> None:
    """Regression: the attribute kind="uniform" once passed for the kind of the result."""
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    for noise in (ag.uniform("u", over=t), ag.normal("n", over=t), ag.bernoulli("b", 0.5, over=t)):
        assert noise.dtype is float
        assert all(n.dtype in (float, int, bool) for n in ag.Graph(noise).nodes)
        assert ag.Graph(x * noise).evaluate(x=np.ones(3, np.float32))[0].dtype == np.float32


@pytest.mark.parametrize("p", [1.5, -0.1, float("nan"), [0.5, 2.0], ag.tensor(3.0)])
def test_a_probability_outside_of_0_and_1_is_refused(p: Any) -> None:
    with pytest.raises(ag.OperationError, match="of mask is not a probability") as caught:
        ag.bernoulli("mask", p, (2,), over=())
    assert caught.value.code == "O108"
