"""Nodes, graphs, programs and errors survive copies, and the way to another process."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.core import axes
from autograd_seq.core.op import OPS

t = ag.Axis("t")
FEEDS = {"x": np.ones((3, 2)), "W": np.array([[0.5, -0.2], [0.3, 0.1]]), "s0": np.ones(2)}


class Model:
    """A state between two steps, with an initial row and a mask: what a user's own class would hold."""

    def __init__(self) -> None:
        self.x, self.W = ag.input("x", (2,), over=t), ag.param("W", (2, 2))
        self.s = ag.state("s", (2,), over=t, init=ag.param("s0", (2,)))
        self.s[t] = ag.tanh(self.W @ self.s[t - 1] + self.x[t]) * ag.bernoulli("m", 0.5, (2,), over=t)
        self.loss = ag.sum(ag.sum(self.s, over=t)).named("L")


def through_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


both = pytest.mark.parametrize("again", [copy.deepcopy, through_pickle], ids=["deepcopy", "pickle"])


def values(outputs: Any) -> list[Any]:
    return [np.asarray(v).tolist() for v in outputs]


@both
def test_what_is_one_node_in_many_places_is_one_in_the_copy(again: Callable[[Any], Any]) -> None:
    old = Model()
    new = again(old)
    assert new.loss is not old.loss and new.W is not old.W and new.W in ag.Graph(new.loss).nodes
    assert new.s.axes == (t,) and new.s[t - 1].axes == (t,)  # over the same axis: it can be written on
    want = ag.Graph(old.loss, ag.grad(old.loss, old.W)).evaluate(**FEEDS, seed=3)
    assert values(ag.Graph(new.loss, ag.grad(new.loss, new.W)).evaluate(**FEEDS, seed=3)) == values(want)
    more = ag.sum(ag.tanh(new.s) * old.x[t], over=t)
    with pytest.raises(ag.NameClashError):  # parameters of both
        ag.Graph(more, old.loss)


@both
def test_graphs_and_what_runs_them(again: Callable[[Any], Any]) -> None:
    old = Model()
    graph = ag.Graph(old.loss, ag.grad(old.loss, old.W))
    new = again(graph)
    assert str(new) == str(graph) and not set(new.nodes) & {n for n in graph.nodes if n is not graph.inputs["seed"]}
    dag = ag.Graph(old.loss).unroll(t=3)
    dag.evaluate(**FEEDS)
    pairs: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
        (graph.evaluate, new.evaluate), (dag.evaluate, again(dag).evaluate), (dag.grad().evaluate, again(dag.grad()).evaluate),
        (p := ag.compile(graph), again(p)), (lambda **f: list(p(**f)), again(again(p))),
        (lambda **f: [ag.value_and_grad(old.loss)(**f)[0]], lambda **f: [again(ag.value_and_grad(old.loss))(**f)[0]]),
    ]  # fmt: skip
    for one, other in pairs:
        assert values(one(**FEEDS)) == values(other(**FEEDS))
    first, second = ag.compile(old.s, carry=True), again(ag.compile(old.s, carry=True))
    _, carry = first(**FEEDS)
    assert values(second(**FEEDS, carry=again(carry))[0]) == values(first(**FEEDS, carry=carry)[0])
    step = ag.stream(old.s).bind(W=FEEDS["W"])
    for _ in range(2):
        ((a,), c), ((b,), d) = step(x=np.ones(2), s0=np.ones(2)), again(step)(x=np.ones(2), s0=np.ones(2))
        assert a.tolist() == b.tolist()
        assert step(c, x=np.ones(2))[0][0].tolist() == step(again(d), x=np.ones(2))[0][0].tolist()


@both
def test_graphs_of_any_depth(again: Callable[[Any], Any]) -> None:
    a = ag.tensor(1.0, name="a")
    y = a
    for _ in range(20_000):
        y = y * 1.0
    new, leaf = again((y, a))
    new.backward()
    assert float(leaf.grad) == 1.0 and a.grad is None


def test_copies_of_one_node() -> None:
    a = ag.tensor([1.0, 2.0], name="a")
    b = copy.copy(a)
    b.value = [3.0, 4.0]
    assert a.value.tolist() == [1.0, 2.0] and b.name == "a"
    y = copy.copy(a * 2)
    assert y.inputs[0] is a
    assert copy.copy(t) is copy.deepcopy(t) is through_pickle(t) is t and through_pickle(t - 1).axis is t
    assert through_pickle(ag.tanh) is copy.deepcopy(ag.tanh) is ag.tanh


def test_an_axis_of_two_pickles_is_one_axis_elsewhere_too() -> None:
    one, other = pickle.dumps(ag.input("x", over=t)), pickle.dumps(ag.input("y", over=t))
    axes.MARKED.clear()  # as in a process that has never seen it
    x, y = pickle.loads(one), pickle.loads(other)
    assert x.axes == y.axes and x.axes[0] is not t and x.axes[0].name == "t"


def test_an_operation_of_ones_own_must_be_defined_where_its_nodes_are_read() -> None:
    before = dict(OPS)
    op = ag.defop("own_of_copies", shape=ag.same_shape, forward=np.tanh, vjp=lambda g, y, x: (g,))
    data = pickle.dumps(op(ag.param("w")))
    assert pickle.loads(data).op is op
    OPS.clear()
    OPS.update(before)
    with pytest.raises(ag.OperationError, match="own_of_copies is not defined here"):
        pickle.loads(data)


@both
def test_errors_keep_their_words_and_their_data(again: Callable[[Any], Any]) -> None:
    calls = (lambda: ag.tanh(1.0, over=t), lambda: ag.param("w")[t], lambda: ag.Axis(""),
             lambda: ag.Graph(ag.param("w")).evaluate())  # fmt: skip
    for call in calls:
        with pytest.raises(ag.AutogradSeqError) as caught:
            call()
        old = caught.value
        new = again(old)
        assert type(new) is type(old) and str(new) == str(old) and new.__dict__ == old.__dict__ and new.code


def test_a_workers_mistake_and_a_workers_nodes_come_back() -> None:
    """An error that cannot be pickled would let the pool wait for ever."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        y = pool.apply_async(ag.tanh, (ag.tensor(1.0),)).get(timeout=120)
        assert float(y.value) == np.tanh(1.0)
        with pytest.raises(ag.OperationError, match="tanh is given 2 values"):
            pool.apply_async(ag.tanh, (1.0, 2.0)).get(timeout=120)
