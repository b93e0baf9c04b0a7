"""Sequences in pieces: what is fed call by call, and runners that go on from a carry."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import autograd_seq as ag


def pieces(graph: ag.Graph, feeds: dict[str, Any], cuts: list[int], axis: ag.Axis) -> list[dict[str, Any]]:
    """Return the feeds of each piece of the steps."""
    out = []
    for start, stop in zip([0, *cuts[:-1]], cuts, strict=True):
        piece = dict(feeds)
        for name, value in feeds.items():
            if name in graph.inputs and axis in graph.inputs[name].axes:
                position = graph.layout(graph.inputs[name]).index(axis)
                piece[name] = np.moveaxis(np.moveaxis(value, position, 0)[start:stop], 0, position)
        out.append(piece)
    return out


def run(program: Any, parts: list[dict[str, Any]]) -> tuple[list[tuple[Any, ...]], Any]:
    carry, found = None, []
    for feeds in parts:
        values, carry = program(carry=carry, **feeds)
        found.append(values)
    return found, carry


def joined(program: Any, found: list[tuple[Any, ...]], i: int, axis: ag.Axis) -> Any:
    position = program.graph.layout(program.graph.outputs[i]).index(axis)
    return np.concatenate([values[i] for values in found], position)


def unrolled(graph: ag.Graph, axis: ag.Axis) -> Any:
    """Return the unrolled graph as a function like a carried program."""
    return lambda carry, **feeds: graph.evaluate(carry=axis if carry is None else carry, **feeds)


def ragged_pieces(case: Any, graph: ag.Graph, feeds: dict[str, Any], rng: Any) -> list[tuple[Any, Any, dict[str, Any]]]:
    """Return for each call how many steps each sequence had before, how many it has, and the feeds, padded with garbage."""
    size, t, b = case.sizes, case.t, case.b
    taken = [np.zeros(size["b"], int)]
    while np.any(taken[-1] < size["t"]):
        taken.append(np.minimum(taken[-1] + rng.integers(0, 4, size=size["b"]), size["t"]))
    out = []
    for start, stop in pairwise(taken):
        piece = dict(feeds)
        for name, value in feeds.items():
            axes = graph.inputs[name].axes if name in graph.inputs else ()
            if t in axes:
                front = np.moveaxis(value, [axes.index(t), axes.index(b)], [0, 1])
                part = np.full((4, *front.shape[1:]), 7 if front.dtype.kind == "i" else np.nan).astype(front.dtype)
                for i, (first, last) in enumerate(zip(start, stop, strict=True)):
                    part[: last - first, i] = front[first:last, i]
                piece[name] = np.moveaxis(part, [0, 1], [axes.index(t), axes.index(b)])
        out.append((start, stop - start, piece))
    return out
