"""What the page shows of a model that has to be computed: its equations, and the values and gradients at each step."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd_seq.core.node import Node
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.graph import Graph
from autograd_seq.run.compile import compile
from viz.arguments import get_outputs
from viz.read.graph import read_graph

_NUMBERS_SHOWN = 4

Texts = dict[str, list[tuple[str, str]]]


def write_textbook(g: Any) -> str:
    """Return the textbook program of a graph, or of a node or several."""
    return compile(Graph([*get_outputs(g)]), backend="numpy").textbook


def list_values(g: Any, feeds: Mapping[str, Any], times: list[str]) -> Texts:
    """Return what each named variable is at each step.

    Args:
        g: an `ag.Graph`, or a node or several.
        feeds: an array for each input and parameter, by name.
        times: the names of the axes that are unfolded.

    Returns:
        For each variable over at most one of these, by its name, (value, gradient) at each step; of what is static, once.
        Gradients are those of the first scalar output, and "" without one.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, w = ag.state("s", over=t, init=ag.param("h")), ag.param("w")
        >>> s[t] = w * s[t - 1] + ag.input("x", over=t)[t]
        >>> list_values(ag.last(s, over=t), {"h": 1.0, "w": 0.5, "x": [0.0, 0.0]}, ["t"])["s"]
        [('0.5', '0.5'), ('0.25', '1')]

    Notes:
        One run forward and one back.
    """
    outputs = get_outputs(g)
    named = [v for v in read_graph(outputs).vertices if v.name]
    named = [v for v in named if sum(axis.name in times for axis in v.axes) <= 1]
    losses = [o for o in outputs if o.shape == () and not o.axes and o.dtype is float]
    wrt = [v for v in named if losses and v.dtype is float and v is not losses[0]]
    derivatives = grad(losses[0], wrt) if wrt else []
    found = compile(Graph([*outputs, *named, *derivatives]), backend="numpy")(**feeds)
    arrays: list[Any] = list(found) if isinstance(found, (tuple, list)) else [found]
    values = arrays[len(outputs) : len(outputs) + len(named)]
    gradients = dict(zip(wrt, arrays[len(outputs) + len(named) :], strict=True))
    return {
        str(v.name): [
            (text, by)
            for text, by in itertools.zip_longest(
                _write(v, value, times), _write(v, gradients[v], times) if v in gradients else [], fillvalue=""
            )
        ]
        for v, value in zip(named, values, strict=True)
    }


def _write(node: Node, array: Any, times: list[str]) -> list[str]:
    """Return an array as one text a step of the unfolded axis; as one text where the node is static."""
    along = [i for i, axis in enumerate(node.axes) if axis.name in times]
    array = np.asarray(array)
    return [write_array(row) for row in np.moveaxis(array, along[0], 0)] if along else [write_array(array)]


def write_array(array: np.ndarray) -> str:
    """Return an array as a short text: its numbers if they are few, else the first ones and its norm.

    Example:
        >>> write_array(np.array([0.5, -1.25])), write_array(np.ones((3, 4)))
        ('[0.5, −1.25]', '[1, 1, 1, 1, …] 3×4, norm 3.46')
    """
    flat = array.ravel()
    shown = ", ".join(f"{number:.3g}" for number in flat[:_NUMBERS_SHOWN].tolist()).replace("-", "−")
    if not array.ndim:
        return shown
    if flat.size <= _NUMBERS_SHOWN:
        return f"[{shown}]"
    size = "×".join(map(str, array.shape))
    return f"[{shown}, …] {size}, norm {float(np.linalg.norm(flat.astype(float))):.3g}"
