"""Streams: a compiled graph that is run one step at a time, on live data or on what it has said itself."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.carry import CarriedProgram, Carry
from autograd_seq.errors import FeedError
from autograd_seq.graph.carry import cut_along
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.node import Node
from autograd_seq.program import Program

PASSES = ("canonical", "identities", "expand", "merge", "gather", "order", "regroup", "tidy", "share")
"""The passes of a program for one step: none that copies parameters to save calls, for it would copy them at each step."""
_KEPT = 8  # sets of arrays that a stream holds on to; whoever keeps more than these gets new ones


class Pool:
    """Sets of arrays that are written to again when nobody else holds any of them.

    Example:
        >>> pool, made = Pool(), []
        >>> def make():
        ...     made.append(1)
        ...     return (np.zeros(2),)
        >>> a, = pool.take(make)
        >>> b, = pool.take(make)  # a is held
        >>> del a
        >>> c, = pool.take(make)  # where a was
        >>> len(made)
        2
    """

    def __init__(self) -> None:
        self._sets: list[tuple[tuple[np.ndarray, ...], list[int]]] = []
        self._lock = Lock()

    def take(self, make: Any) -> tuple[np.ndarray, ...]:
        """Return a set of arrays: one that is free, else what ``make`` returns."""
        with self._lock:
            for k, (arrays, alone) in enumerate(self._sets):
                if _holders(arrays) == alone:
                    self._sets.append(self._sets.pop(k))
                    return arrays
            arrays = make()
            self._sets.append((arrays, _holders(arrays)))
            del self._sets[:-_KEPT]
            return arrays


def _holders(arrays: tuple[np.ndarray, ...]) -> list[int]:
    """Return how many references each array has; views of it hold one each."""
    return [sys.getrefcount(a) for a in arrays]


class Stream:
    """A stepper. Made by :func:`stream`; ``y, carry = stream(carry, x=x_t)``.

    Attributes:
        program: the carried program that runs, one step a call.
    """

    def __init__(self, program: CarriedProgram, single: bool) -> None:
        self.program, self._single = program, single
        graph, axis = program.graph, program.cut.axis
        self._fed = [(name, (slice(None),) * graph.layout(n).index(axis) + (None,), len(n.axes) + n.ndim - 1, n)
                     for name, n in graph.inputs.items() if axis in n.axes]  # fmt: skip
        self._step = {} if self._fed else {axis.name: 1}  # no feed tells that it is one
        at = [(graph.layout(o).index(axis) if axis in o.axes else None) for o in graph.outputs]
        self._index = [(slice(None),) * k + (0,) if k is not None else () for k in at]
        self._pools: dict[Any, Pool] = {}

    def __call__(self, carry: Carry | None = None, /, **given: Any) -> tuple[Any, Carry]:
        """Run one step.

        Args:
            carry: what the step before returned; ``None`` starts.
            given: parameters, and one step of each input: as declared, without the axis of the steps.

        Returns:
            The outputs at this step, a tuple if several were asked for, and the carry for the next step. They are yours
            for as long as you hold them, or any view of them; arrays that nobody holds any more are written to again.

        Raises:
            FeedError: an input is fed with all steps, or does not fit.
            CarryError: the carry is another program's.

        Notes:
            Several threads may step one stream, each with carries of its own. No array is allocated where what was
            returned is let go before the step after the next, and feeds are arrays of the right width.
        """
        for name, index, rank, node in self._fed:
            if name in given:
                value = np.asarray(given[name])
                if value.ndim != rank:
                    raise self._misfit(name, node, value)
                given[name] = value[index]
        given.update(self._step)
        values, left = self._run(carry, given)
        steps = tuple([value[index] if index else value for value, index in zip(values, self._index, strict=True)])
        return (steps[0] if self._single else steps), left

    def _run(self, carry: Carry | None, given: dict[str, Any]) -> tuple[tuple[Any, ...], Carry]:
        program = self.program
        runs = program.first if carry is None else program.later
        if not isinstance(runs, Program) or not runs.writes or "lengths" in given or not (
            carry is None or isinstance(getattr(carry, "steps", 0), int)
        ):
            values, left = program(carry=carry, **given)
            assert left is not None, "there was a step"
            return values, left
        arrays, workspace = runs._ready(given if carry is None else program.fed(carry, given))
        key = carry is None, workspace
        if key not in self._pools:
            self._pools[key] = Pool()
        held = self._pools[key].take(lambda: self._arrays(runs, workspace))
        runs._ran(arrays, workspace, self._targets(held))
        kept = len(self._index)
        rows = {slot.name: array for slot, array in zip(program.cut.slots, held[kept:], strict=True)}
        return held[:kept], program.left(carry, rows, 1)

    def _arrays(self, runs: Program, workspace: Any) -> tuple[np.ndarray, ...]:
        """Return arrays for the outputs of a step, and one for all rows of each value that is carried."""
        single = list(runs._targets(workspace))
        kept = len(self._index)
        arrays, at = single[:kept], kept
        for slot in self.program.cut.slots:
            arrays.append(np.empty((slot.rows, *single[at].shape), single[at].dtype))
            at += slot.rows
        return tuple(arrays)

    def _targets(self, held: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return what a step writes to: the outputs, and the rows one by one."""
        kept = len(self._index)
        return (*held[:kept], *(row for rows in held[kept:] for row in _each(rows)))

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


def _each(rows: np.ndarray) -> Iterable[np.ndarray]:
    return (rows[i, ...] for i in range(len(rows)))


def stream(
    outputs: Node | Sequence[Any] | Graph, *, over: Axis | None = None, dtype: Any = None,
    order: Iterable[Axis] | None = None, passes: Iterable[str] | None = PASSES, backend: str = "numpy",
) -> Stream:  # fmt: skip
    """Compile nodes into a stepper, for data that come a step at a time, and for sampling.

    Args:
        outputs: a node, or several; nothing they depend on looks ahead.
        over: the axis of the steps; by default that of the shifts, of several the outermost.
        dtype, order, backend: as for :func:`compile`.
        passes: as for :func:`compile`; by default those that leave parameters where they are.

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
        A step costs what a call of a program costs, some ten microseconds, and its equations once; memory does not grow
        with the number of steps. In native code (``backend="numba"``) each step makes new arrays.
    """
    graph = outputs if isinstance(outputs, Graph) else Graph(*flatten([outputs]))
    cut, layouts = cut_along(graph, True if over is None else over), graph.layouts(order)
    rows = [slot.axes for slot in cut.slots for _ in range(slot.rows)]

    def make(nodes: list[Any]) -> Program:
        return Program(Graph(nodes), dtype, passes, [*layouts, *rows], backend, rows=1, stream=True)

    return Stream(CarriedProgram(cut, graph, make), isinstance(outputs, Node))
