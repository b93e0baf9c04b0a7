"""Lesson 3: a recurrent network is a graph with a cycle; unfolding in time opens it."""

from __future__ import annotations

import networkx as nx
import pytest

import autograd_seq as ag


def _rnn() -> ag.Graph:
    t = ag.Axis("t")
    x = ag.input("x", (3,), over=t)
    U, W, v = ag.param("U", (4, 3)), ag.param("W", (4, 4)), ag.param("v", (4,))
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    return ag.Graph(ag.sum(v @ s[t], over=t).named("L"))


def _unrolled(dag: ag.DAG) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(dag.nodes)))
    number = {id(node): i for i, node in enumerate(dag.nodes)}
    graph.add_edges_from((number[id(x)], number[id(node)]) for node in dag.nodes for x in node.inputs)
    return graph


def test_a_cycle_has_no_topological_order() -> None:
    """A topological order puts every node behind all that it reads. On a cycle, each would have to be behind itself.

    The backward pass walks such an order in reverse, so it cannot even start on the folded graph.
    """
    folded = _rnn().to_networkx()
    assert not nx.is_directed_acyclic_graph(folded)
    with pytest.raises(nx.NetworkXUnfeasible):
        list(nx.topological_sort(folded))


def test_every_cycle_takes_time() -> None:
    """The equations make sense nevertheless, because each cycle passes a delay: s needs s, but that of the step before.

    The delays add up to at least 1 along every cycle. With the delayed edges cut, an order exists: that of one step.
    """
    g = _rnn()
    folded = g.to_networkx()
    for cycle in g.cycles():
        around = zip(cycle, cycle[1:] + cycle[:1], strict=True)
        assert sum(folded.edges[a, b, 0]["delay"] for a, b in around) == 1
    within = nx.DiGraph([(a, b) for a, b, delay in folded.edges(data="delay") if delay == 0])
    assert nx.is_directed_acyclic_graph(within)


def test_without_a_delay_the_cycle_is_refused() -> None:
    """s_t = tanh(W s_t) does not say how s_t is computed: it is an equation to be solved, and no recipe."""
    t = ag.Axis("t")
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(ag.param("W", (4, 4)) @ s[t])
    with pytest.raises(ag.CycleError, match="s depends on itself within one step"):
        ag.Graph(s)


@pytest.mark.parametrize("steps", [1, 4, 25])
def test_unfolding_restores_the_order(steps: int) -> None:
    """Copy the equations for every step, and let s_t read the copy of s_{t−1}: no path leads back in time."""
    dag = _rnn().unroll(t=steps)
    graph = _unrolled(dag)
    assert nx.is_directed_acyclic_graph(graph)
    place = {id(dag.nodes[i]): k for k, i in enumerate(nx.topological_sort(graph))}
    states = [place[id(dag["s", i])] for i in range(steps)]
    assert states == sorted(states)
    # The longest path runs through all steps: three operations each (product, sum, tanh), however wide the network is.
    assert nx.dag_longest_path_length(graph) >= 3 * (steps - 1)
