"""Which inputs can reach a prediction: by the graph, by the gradient, and by trying.

A model of a sequence must not see what it is asked to predict. The graph tells what could be read (masks are data to it, so
that it suspects causal attention); the gradient and a changed input tell what is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.analyse.ranges import check_ranges
from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.graph import Graph
from autograd_seq.nn.frame import check_count
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.time import INDEX


class Audit(NamedTuple):
    """How predictions depend on an input: matrices (T, T), a row a prediction, a column a step of the input.

    Args:
        by_graph: whether the equations lead from the input's step to the prediction.
        by_value: the largest change of the prediction when the input changes there.
        by_gradient: the size of the gradient; ``None`` for an input of integers.
        lag: a prediction may depend on inputs at least so many steps old.
    """

    by_graph: np.ndarray
    by_value: np.ndarray
    by_gradient: np.ndarray | None
    lag: int

    @property
    def leaks(self) -> list[tuple[int, int]]:
        """The pairs (prediction, input step) that depend on each other and must not, by value or by gradient."""
        seen = self.by_value > 0 if self.by_gradient is None else (self.by_value > 0) | (self.by_gradient > 0)
        steps = np.arange(len(seen))
        return [(int(a), int(b)) for a, b in np.argwhere(seen & (steps[None, :] > steps[:, None] - self.lag))]

    @property
    def is_causal(self) -> bool:
        """Whether no prediction sees an input that it must not see."""
        return not self.leaks

    @property
    def is_surely_causal(self) -> bool:
        """Whether the graph alone shows it, whatever the values are."""
        steps = np.arange(len(self.by_graph))
        return not bool(np.any(self.by_graph & (steps[None, :] > steps[:, None] - self.lag)))

    def __repr__(self) -> str:
        if self.is_causal:
            how = "by the graph alone" if self.is_surely_causal else "for these values; the graph alone does not show it"
            return f"causal: no prediction sees inputs less than {self.lag} steps old ({how})"
        first, step = self.leaks[0]
        return f"not causal: the prediction at step {first} depends on the input at step {step} ({len(self.leaks)} such pairs)"


def audit(
    output: Node, symbol: str, weights: Mapping[str, Any], *, over: Axis, steps: int = 6, lag: int = 0, seed: int = 0,
    **feeds: Any,
) -> Audit:  # fmt: skip
    """Find out which steps of an input reach which predictions.

    Args:
        output: a float node over ``over``: predictions.
        symbol: the name of an input over ``over``.
        weights: the parameters, by name: any numbers that are not special, ``ag.nn.init.params(output)``.
        over: the axis of the steps.
        steps: T, how many are tried.
        lag: 0 if a prediction may depend on the input of its own step; 1 if it must not (scores of that very symbol).
        seed: of what is tried, where it is not in ``feeds``: normal numbers, and integers 0 and 1.
        feeds: other inputs, and values of this one, (T, …).

    Returns:
        An :class:`Audit`, which prints its verdict.

    Raises:
        AxisError: the output or the input does not vary over the axis alone; the output is not float.
        OperationError: a number is out of its range; a feed is no input.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x = ag.input("x", (2,), over=t)
        >>> print(audit(h := ag.nn.rnn(x, 3, over=t), "x", ag.nn.init.params(h), over=t))
        causal: no prediction sees inputs less than 0 steps old (by the graph alone)
        >>> print(audit(h := ag.nn.bidirectional(x, 3, over=t), "x", ag.nn.init.params(h), over=t))
        not causal: the prediction at step 0 depends on the input at step 1 (15 such pairs)

    Notes:
        T + 1 evaluations and T gradients of the unrolled graph: cost T times that of one gradient.
    """
    graph = Graph(output)
    source = graph.inputs.get(symbol)
    wrong = output.axes != (over,) or output.dtype is not float
    if source is None or wrong or source.axes != (over,):
        at, got = (output.name, output) if wrong else (symbol, source)
        raise AxisError(
            "Q111", f"an audit along {over} needs a float output and an input over {over} alone", node=at,
            where=show_site(user_site()), expected=f"one value at each step of {over}",
            got=label_of(got) if isinstance(got, Node) else f'no input "{symbol}"',
        )  # fmt: skip
    check_ranges(weights=weights, lag=lag, seed=seed)
    steps = check_count(steps, "audit", "steps")
    for name in feeds:
        if name not in graph.inputs:
            raise OperationError(
                "Q112", f"the output has no input {name}", node=name, where=show_site(user_site()),
                expected=", ".join(graph.inputs), got=f"{name}=…",
            )  # fmt: skip
    random, values = np.random.default_rng(seed), {**weights, **feeds}
    for name, node in graph.inputs.items():
        if name not in values and node.op is INPUT and set(node.axes) <= {over}:
            shape = (*(steps for _ in node.axes), *node.shape)
            values[name] = random.normal(size=shape) if node.dtype is float else random.integers(0, 2, shape)
    values = {name: np.asarray(values[name]) for name in graph.inputs if name in values}
    steps = len(values[symbol])
    before = graph.evaluate(**values)[0]
    if not np.isfinite(before).all():
        raise OperationError(
            "Q116", "an audit compares outputs, and these are not finite", node=output.name, where=show_site(user_site()),
            expected="finite numbers", got="NaN or infinity", fix="look for it in the weights and in what is fed",
        )  # fmt: skip
    by_value = np.zeros((steps, steps))
    for k in range(steps):
        other = values[symbol].copy()
        other[k] = other[k] + random.normal(size=source.shape) if source.dtype is float else 1 - np.minimum(other[k], 1)
        change = np.abs(graph.evaluate(**{**values, symbol: other})[0] - before)
        by_value[:, k] = change.reshape(steps, -1).max(-1)
    by_gradient = _differentiate(output, source, over, values, steps) if source.dtype is float else None
    return Audit(_follow(graph, source, over, steps), by_value, by_gradient, lag)


def _differentiate(output: Node, source: Node, over: Axis, values: Mapping[str, np.ndarray], steps: int) -> np.ndarray:
    """Return the size of the gradient of each prediction with respect to each step of the input."""
    which = Node(INPUT, (), {}, (), int, (), name="step of the audit")
    weigh = np.cos(np.arange(int(np.prod(output.shape)))).reshape(output.shape) + 2.0  # all entries count, differently
    chosen = sum_over(where(equal(INDEX(axis=over), which), sum_of(output * constant(weigh)), 0.0), axes=(over,))
    graph = Graph(grad(chosen, source))
    known: dict[str, Any] = {name: value for name, value in values.items() if name in graph.inputs}
    if over in graph.axes and not any(over in graph.inputs[name].axes for name in known):
        known[over.name] = steps  # a length, which nothing that is fed tells
    rows = [graph.evaluate(**known, **({"step of the audit": k} if "step of the audit" in graph.inputs else {}))
            for k in range(steps)]  # fmt: skip
    return np.stack([np.abs(row[0]).reshape(steps, -1).max(-1) for row in rows])


def _follow(graph: Graph, source: Node, over: Axis, steps: int) -> np.ndarray:
    """Return where the unrolled graph leads from a step of the input (column) to a prediction (row)."""
    dag = graph.unroll(**{a.name: steps for a in graph.axes})
    starts = {dag[graph.name(source), k]: k for k in range(steps)} if steps else {}
    reached: dict[Node, int] = {}  # as bits
    for node in dag.nodes:
        bits = 1 << starts[node] if node in starts else 0
        for x in node.inputs:
            bits |= reached.get(x, 0)
        reached[node] = bits
    name = graph.name(graph.outputs[0])
    rows = [reached.get(dag[name, k], 0) for k in range(steps)]
    return np.array([[bool(bits >> k & 1) for k in range(steps)] for bits in rows], bool).reshape(steps, steps)


__all__ = ["Audit", "audit"]
explain_keywords(globals(), ["audit"])
