"""The sizes of gradients at every step, to be drawn by `viz.heat`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.node import Node
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.graph import Graph
from autograd_seq.run.compile import compile
from viz.arguments import read_drawable
from viz.errors import DrawError
from viz.read.graph import read_graph


def gradients(g: Any, /, **feeds: Any) -> dict[str, np.ndarray]:
    """Return how large the derivative of a loss by each variable is at each step.

    Args:
        g: the loss, an `ag.Graph` of it, or a compiled program of it (of `ag.compile` or `ag.value_and_grad`).
        feeds: an array for each input and parameter, by name.

    Returns:
        For each named float variable over an axis of time, by its name, an array (T,); over two (U, T), in the order of the
        graph's axes. It is the norm over all other dimensions and axes.

    Raises:
        DrawError: there is no scalar loss.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, x, w = ag.state("s", over=t), ag.input("x", over=t), ag.param("w")
        >>> s[t] = w * s[t - 1] + x[t]
        >>> gradients(ag.last(s, over=t), w=0.5, x=[1.0, 1.0, 1.0])["s"].tolist()
        [0.25, 0.5, 1.0]

    Notes:
        One reverse pass for all of them.
    """
    program = getattr(g, "program", g)
    graph = getattr(program, "graph", program)
    outputs = (graph,) if isinstance(graph, Node) else tuple(getattr(graph, "outputs", ()))
    losses = [
        node for node in outputs if node.shape == () and not node.axes and node.dtype is float and node.adjoint_of is None
    ]
    if not losses:
        raise DrawError("P219", f"{g!r:.60} has no scalar loss", expected="a float without axes", got=f"{g!r:.60}",
                        fix="sum it, over its axes as well: ag.sum(y, over=t)")  # fmt: skip
    reading = read_graph(losses[:1])
    times = {axis for reads in reading.reads.values() for read in reads for axis, _ in read.shifts}
    wrt = [v for v in reading.vertices if v.name and v.dtype is float and v.axes and v is not losses[0]]
    # The loss is computed as well, so that everything that is fed has a reader.
    _, *found = run_in_order([losses[0], *grad(losses[0], wrt)], read_drawable(graph).axes, feeds)
    out = {}
    for node, (over, array) in zip(wrt, found, strict=True):
        kept = [name for name in over if name in times] or over[:1]
        gone = (*(i for i, name in enumerate(over) if name not in kept), *range(len(over), array.ndim))
        out[str(node.name)] = np.sqrt((np.asarray(array, float) ** 2).sum(axis=gone))
    return out


def run_in_order(outputs: Sequence[Node], axes: Sequence[str], feeds: Mapping[str, Any]) -> list[tuple[list[str], np.ndarray]]:
    """Return for each output the names of its axes, in a given order, and its values, whose first dimensions these are."""
    graph = Graph([*outputs])
    order = sorted(graph.axes, key=lambda axis: axes.index(axis.name) if axis.name in axes else len(axes))
    arrays = compile(graph, order=order, backend="numpy")(**feeds)
    names = ([axis.name for axis in order if axis in node.axes] for node in outputs)
    return list(zip(names, map(np.asarray, arrays), strict=True))
