"""Derivatives: the adjoint of a graph as a graph, and the numerical check of it."""
