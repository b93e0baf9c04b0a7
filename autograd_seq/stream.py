"""Streams: a compiled graph that is run one step at a time, on live data or on what it has said itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.carry import CarriedProgram, Carry
from autograd_seq.errors import FeedError
from autograd_seq.graph.graph import Graph
from autograd_seq.node import Node
from autograd_seq.program import compile


class Stream:
    """A stepper. Made by :func:`stream`; ``y, carry = stream(carry, x=x_t)``.

    Attributes:
        program: the carried program that runs, one step a call.
    """

    def __init__(self, program: CarriedProgram, single: bool) -> None:
        self.program, self._single = program, single
        graph, axis = program.graph, program.cut.axis
        self._fed = {name: (graph.layout(n).index(axis), n) for name, n in graph.inputs.items() if axis in n.axes}
        self._step = {} if self._fed else {axis.name: 1}  # no feed tells that it is one
        self._at = [(graph.layout(o).index(axis) if axis in o.axes else None) for o in graph.outputs]
        self._index = [(slice(None),) * at + (0,) if at is not None else () for at in self._at]

    def __call__(self, carry: Carry | None = None, /, **given: Any) -> tuple[Any, Carry]:
        """Run one step.

        Args:
            carry: what the step before returned; ``None`` starts.
            given: parameters, and one step of each input: as declared, without the axis of the steps.

        Returns:
            The outputs at this step, a tuple if several were asked for, and the carry for the next step. Both are new
            arrays, which later steps leave alone.

        Raises:
            FeedError: an input is fed with all steps, or does not fit.
            CarryError: the carry is another program's.
        """
        fed = {**given, **self._step}
        for name, (position, node) in self._fed.items():
            if name in given:
                value = np.asarray(given[name])
                if value.ndim != len(node.axes) + node.ndim - 1:
                    raise self._misfit(name, node, value)
                fed[name] = value[(slice(None),) * position + (None,)]
        values, left = self.program(carry=carry, **fed)
        assert left is not None, "there was a step"
        steps = tuple([value[index] if index else value for value, index in zip(values, self._index, strict=True)])
        return (steps[0] if self._single else steps), left

    def _misfit(self, name: str, node: Node, value: np.ndarray) -> FeedError:
        axis = self.program.cut.axis
        dims = [a.name for a in node.axes if a is not axis] + [str(n) for n in node.shape]
        return FeedError(
            "F202", f"a stream takes one step of {name} at a time", node=name, where=node.where,
            expected=f"({', '.join(dims)}{',' if len(dims) == 1 else ''}) {node.dtype.__name__}, without {axis}",
            got=str(value.shape), fix=f"for step in {name}: y, carry = stream(carry, {name}=step)",
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Stream of {self.program.graph!r}, a step of {self.program.cut.axis} at a time>"


def stream(outputs: Node | Sequence[Any] | Graph, *, over: Axis | None = None, **options: Any) -> Stream:
    """Compile nodes into a stepper, for data that come a step at a time, and for sampling.

    Args:
        outputs: a node, or several; nothing they depend on looks ahead.
        over: the axis of the steps; by default that of the shifts, of several the outermost.
        options: as for :func:`compile`: ``dtype=``, ``order=``, ``passes=``.

    Returns:
        A :class:`Stream`: ``y, carry = stream(carry, x=x_t)``, with ``carry=None`` at the start.

    Raises:
        CarryError: as for :func:`compile` with ``carry=``.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, mean = ag.input("x", over=t), ag.state("mean", over=t)
        >>> mean[t] = 0.5 * mean[t - 1] + 0.5 * x[t]
        >>> step, carry = ag.stream(mean), None
        >>> for value in (4.0, 2.0, 8.0):
        ...     y, carry = step(carry, x=value)
        ...     print(float(y))
        2.0
        2.0
        5.0

    Notes:
        A step costs what a call of a program costs, some tens of microseconds, and its equations once; memory does not grow
        with the number of steps.
    """
    program = compile(outputs, carry=True if over is None else over, **options)
    return Stream(program, isinstance(outputs, Node))
