"""Lesson 1: the derivative of a composed function is a sum over paths of products along them."""

from __future__ import annotations

import math

import networkx as nx
import pytest

import autograd_seq as ag


def test_along_a_chain_the_factors_multiply() -> None:
    """On a chain x → u → v → L there is one path, and dL/dx is the product of the derivatives of its steps.

    Here u = 3x, v = sin u, L = v², so dL/dx = 2v · cos u · 3.
    """
    x = ag.tensor(0.4, name="x")
    u = 3 * x
    v = ag.sin(u)
    L = v * v
    L.backward()
    assert float(x.grad) == pytest.approx(2 * math.sin(1.2) * math.cos(1.2) * 3, rel=1e-14)


def test_over_several_paths_the_products_add_up() -> None:
    """Where paths fork and join again, dL/dx is the sum over all paths from x to L of the products along each.

    Below, x reaches L in three ways: over u and v, over u and w, and over w directly. We write the derivative of every
    edge next to it, list all paths, multiply along each, add the products up, and get what ``backward`` computes.
    Listing paths takes exponential time in general (n diamonds in a row have 2ⁿ paths). Reverse mode visits each edge
    once, because it first adds up what arrives at a node, and only then passes it on.
    """
    x0 = 0.7
    x = ag.tensor(x0, name="x")
    u = ag.tanh(x)
    v = ag.exp(u)
    w = u * x
    L = v * w
    L.backward()

    u0 = math.tanh(x0)
    v0, w0 = math.exp(u0), u0 * x0
    slope = {("x", "u"): 1 - u0**2, ("u", "v"): v0, ("u", "w"): x0, ("x", "w"): u0, ("v", "L"): w0, ("w", "L"): v0}
    paths = list(nx.all_simple_edge_paths(nx.DiGraph(list(slope)), "x", "L"))
    assert len(paths) == 3
    assert float(x.grad) == pytest.approx(sum(math.prod(slope[edge] for edge in path) for path in paths), rel=1e-14)


def test_reverse_mode_does_not_list_the_paths() -> None:
    """A value doubled 60 times by y = y + y has 2⁶⁰ paths to its origin; reverse mode finds their sum in 60 steps."""
    x = ag.tensor(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert float(x.grad) == 2.0**60
