"""What the page shows of a model that has to be computed: its equations, and the values and gradients at each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd_seq.grad.reverse import grad
from autograd_seq.graph.graph import Graph
from autograd_seq.run.compile import compile
from viz.arguments import get_outputs
from viz.gradient_norms import run_in_order
from viz.read.graph import read_graph
from viz.scene.columns import MOST_COLUMNS
from viz.scene.picture import write_step

_NUMBERS_SHOWN = 4

Texts = dict[str, dict[int | str, tuple[str, str]]]


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
        For each variable, by its name, (value, gradient) by step, or by pair of steps as `write_step` names it; of what is
        static, once, as that of step 0. Gradients are those of the first scalar output, and "" without one.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, w = ag.state("s", over=t, init=ag.param("h")), ag.param("w")
        >>> s[t] = w * s[t - 1] + ag.input("x", over=t)[t]
        >>> list_values(ag.last(s, over=t), {"h": 1.0, "w": 0.5, "x": [0.0, 0.0]}, ["t"])["s"]
        {0: ('0.5', '0.5'), 1: ('0.25', '1')}

    Notes:
        One run forward and one back.
    """
    outputs = get_outputs(g)
    named = [v for v in read_graph(outputs).vertices if v.name]
    losses = [o for o in outputs if o.shape == () and not o.axes and o.dtype is float]
    wrt = [v for v in named if losses and v.dtype is float and v is not losses[0]]
    derivatives = grad(losses[0], wrt) if wrt else []
    found = run_in_order([*outputs, *named, *derivatives], times, feeds)[len(outputs) :]
    gradients = dict(zip(wrt, found[len(named) :], strict=True))
    return {
        str(v.name): {
            step: (write_array(row), write_array(rows[step]) if rows else "")
            for rows in [_cut(*gradients[v], times) if v in gradients else {}]
            for step, row in _cut(over, value, times).items()
        }
        for v, (over, value) in zip(named, found, strict=False)
    }


def _cut(over: list[str], array: np.ndarray, times: list[str]) -> dict[int | str, np.ndarray]:
    """Return the rows of an array over some axes by step of the unfolded ones; a single one where it is static."""
    along = [i for i, axis in enumerate(over) if axis in times]
    array = np.moveaxis(array, along, range(len(along)))[(slice(MOST_COLUMNS),) * len(along)]
    steps = np.ndindex(array.shape[: len(along)]) if along else [()]
    return {step[0] if len(step) == 1 else write_step(step) or 0: array[step] for step in steps}


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
