"""Sequences in pieces, for programs and for unrolled graphs: each call continues where the one before ended.

A carry is a set of rows that are fed. A first call and a later one are two ordinary graphs (:mod:`autograd_seq.sequences.cut`);
:class:`Carried` passes the rows from one call to the next, whatever runs the graphs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError, FeedError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.node import Node
from autograd_seq.graph import feeds
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.fingerprint import make_fingerprint
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.system import System, order_axes
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import ALONG
from autograd_seq.run.carry import Buffer, Carry, add_rows, check_carry, find_batch_misfit
from autograd_seq.run.reports import CompiledAgain, ProgramReports
from autograd_seq.sequences.cut import Cut, cut_along
from autograd_seq.sequences.deciding import end_steps
from autograd_seq.sequences.lengths import read_lengths
from autograd_seq.sequences.pieces import list_read_back


class Runner(Protocol):
    """Anything that runs a graph: a program, or the unrolled graph."""

    @property
    def graph(self) -> System: ...

    def __call__(self, /, **given: Any) -> tuple[Any, ...]: ...


class Carried:
    """A graph whose calls continue one another, run by programs or unrolled.

    Args:
        cut: the graph of the first call, and the graph of later ones.
        graph: the equations before they were cut.
        layouts: the axes of each output, in the order in which its values are laid out.
        make: returns what runs some nodes, given the nodes and the layouts of their values.
    """

    def __init__(self, cut: Cut, graph: System, layouts: Sequence[Sequence[Axis]],
                 make: Callable[[list[Any], list[Sequence[Axis]]], Runner]) -> None:  # fmt: skip
        self.cut, self.graph, self._layouts, self._make = cut, graph, layouts, make
        self._padded: dict[tuple[Axis, ...], Carried] = {}
        if "carry" in graph.inputs:
            raise CarryError(
                "K106", 'an input is named "carry", as is the keyword for what an earlier call returned', node="carry",
                where=graph.inputs["carry"].where,
                fix="give the input another name",
            )  # fmt: skip
        rows: list[Sequence[Axis]] = [slot.axes for slot in cut.slots for _ in range(slot.rows)]
        rows += [(cut.axis, *slot.axes) for slot in cut.slots if slot.grows]
        self._all_layouts: list[Sequence[Axis]] = [
            *((*axes, *more) for axes, more in zip(layouts, cut.wider, strict=True)),
            *rows,
        ]
        self.first = make(cut.first, self._all_layouts)
        self._later: Runner | None = None
        self._time_places = [(name, graph.layout(n).index(cut.axis)) for name, n in graph.inputs.items() if cut.axis in n.axes]

    @cached_property
    def equations(self) -> str:
        """A digest of the equations of the carried values, the same in every process.

        It does not depend on what else a program computes: one program can train, and another one continue from its carry.
        """
        return _digest_equations(self.graph, self.cut.axis)

    @property
    def later(self) -> Runner:
        """The program of a call that continues from a carry."""
        if self._later is None:
            self._later = self._make(self.cut.later, self._all_layouts)
        return self._later

    def __call__(
        self, /, *unnamed: Any, carry: Carry | None = None, lengths: Any = None, **given: Any
    ) -> tuple[tuple[Any, ...], Carry | None]:
        """Return the values of the outputs, and the carry for the next call; a call of no steps returns the carry it was given.

        Args:
            carry: what the previous call returned; ``None`` to start. Given by name, or first: ``f(carry, x=…)``.
            lengths: the lengths of padded sequences, as for :class:`Program`. The carry holds the rows at the end of each
                sequence, and a sequence without a step in this call keeps its rows. Each sequence counts its own steps, so that
                draws, step numbers and carried values vary over the batch; so do outputs that depend on them, with the axis of
                the batch last if they did not have it.
            given: the feeds, as for :class:`Program`.

        Raises:
            CarryError: the carry is another program's, or its shapes do not fit.
            FeedError, DTypeError, AxisError: as for :class:`Program`.
        """
        if unnamed and carry is None and (unnamed[0] is None or isinstance(unnamed[0], Carry)):
            carry, unnamed = unnamed[0], unnamed[1:]  # as streams take it
        if unnamed:
            raise feeds.make_unnamed_error(self.graph, unnamed)
        if lengths is not None and "lengths" in self.graph.inputs:
            given["lengths"], lengths = lengths, None
        steps: Any = self._find_steps(given)
        if isinstance(carry, Carry) and np.ndim(carry.steps) and lengths is None and self.cut.steps is not None:
            lengths = {self.cut.axis: np.full(carry.steps.shape, steps)}
        program: Carried = self
        batch: tuple[Axis, ...] = ()
        if lengths is not None:
            said = read_lengths(self.graph, lengths, given)
            given["lengths"] = {(axis, *over): said.arrays[axis] for axis, over in said.over}
            if self.cut.axis in said.arrays:
                batch, steps = dict(said.over)[self.cut.axis], said.arrays[self.cut.axis]
                program = self._make_padded(batch)
        dims = {slot.name: tuple(1 + slot.axes.index(b) for b in batch) for slot in program.cut.slots if slot.grows}
        values = program.first(**given) if carry is None else program._go_on(carry, given, np.shape(steps), dims)
        kept = len(self.graph.outputs)
        if not np.any(steps):
            return values[:kept], carry
        rows, at = {}, kept
        buffers: dict[str, Buffer] = {}
        for slot in program.cut.slots:
            if slot.grows:
                old = None if carry is None else carry.buffers[slot.name]
                buffers[slot.name], rows[slot.name] = add_rows(old, values[at], steps, slot.window, dims[slot.name])
                at += 1
                continue
            rows[slot.name] = np.stack(values[at : at + slot.rows]) if slot.rows > 1 else values[at][None]
            at += slot.rows
        left = program.make_carry(carry, rows, steps)
        left.buffers = buffers
        return values[:kept], left

    def make_carry(self, carry: Carry | None, rows: Mapping[str, np.ndarray], steps: Any) -> Carry:
        """Return the carry after this call, made of the new rows and the number of its steps."""
        axes = {slot.name: slot.axes for slot in self.cut.slots}
        return Carry(rows, steps + (carry.steps if carry is not None else 0), self.equations, axes)

    def _make_padded(self, batch: tuple[Axis, ...]) -> Carried:
        """Return the program for sequences of different lengths, made at the first call that needs it."""
        if batch not in self._padded:
            cut = cut_along(self.graph, self.cut.axis, batch)
            self._padded[batch] = Carried(cut, self.graph, self._layouts, self._make)
        return self._padded[batch]

    def _find_steps(self, given: dict[str, Any]) -> int:
        for name, position in self._time_places:
            if name in given:
                shape = getattr(given[name], "shape", None) or np.shape(given[name])
                return int(shape[position]) if position < len(shape) else 1  # the program will refuse it with the reason
        return int(given.get(self.cut.axis.name, 1))

    def _go_on(
        self, carry: Carry, given: dict[str, Any], batch: tuple[int, ...], dims: Mapping[str, tuple[int, ...]]
    ) -> tuple[Any, ...]:
        check_carry(carry, self.equations, self.cut.axis, self.cut.slots)
        carry.reserve(dims, self._find_steps(given))
        return self.continue_from(carry, given, lambda: self.later(**self.make_feeds(carry, given, batch)))

    def make_feeds(self, carry: Carry, given: dict[str, Any], batch: tuple[int, ...] = (),
            graph: System | None = None) -> dict[str, Any]:  # fmt: skip
        """Return the feeds of a call that continues from a carry: those given, the carried rows, the number of steps.

        Args:
            carry, given: as for a call.
            batch: the lengths of the axes over which the number of steps varies.
            graph: the equations that run, by default those of a later call; feeds that they do not read are left out.

        Raises:
            CarryError: the carry is another program's.
        """
        check_carry(carry, self.equations, self.cut.axis, self.cut.slots)
        known = (self.later.graph if graph is None else graph).inputs
        fed = {name: value for name, value in given.items() if name in known or name not in self.graph.inputs}
        carried = [(name, carry[slot.name][i, ...]) for slot in self.cut.slots if not slot.grows
                   for i, name in enumerate(slot.feeds)]  # fmt: skip
        for slot in self.cut.slots:
            if slot.grows and (node := known.get(slot.feeds[0])) is not None:
                axes = (slot.grows, *slot.axes)
                array = carry.buffers[slot.name].array
                carried.append((slot.feeds[0], order_axes(array, axes, self.later.graph.layout(node))))
                carried += [(name, np.array(carry.buffers[slot.name].first)) for name in slot.feeds[1:]]
        if self.cut.steps is not None:
            carried.append((self.cut.steps, np.array(np.broadcast_to(carry.steps, batch), np.int64)))
        return fed | {name: value for name, value in carried if name in known}

    def continue_from(self, carry: Carry, given: Mapping[str, Any], run: Callable[[], Any], graph: System | None = None) -> Any:
        """Return the result of ``run``; if it fails because the carry is of another batch, raise the error that says so.

        Args:
            carry, given: as for a call.
            run: runs the program.
            graph: the equations that give the layout of the feeds; by default those before the cut.
        """
        try:
            return run()
        except FeedError as error:
            misfit = error.code in ("F106", "F107") and find_batch_misfit(
                carry, given, graph or self.graph, self.cut.axis, self.cut.slots
            )
            raise misfit or error from None


class CarriedProgram(Carried, CompiledAgain, ProgramReports):
    """A compiled graph whose calls continue one another. Made by :func:`compile` with ``carry=``.

    ``outs, carry = program(carry, …)``: the first call gets ``None``, or no carry. Running T1 steps and then
    T2 with the carry equals running T1 + T2 steps: states and shifted inputs continue, ``ag.index`` goes on counting, and
    random draws are those of the later steps. A loop over another axis within a step is not carried: it starts from its own
    initial rows at each step. Sums, means, picked steps and gradients cover the steps of the call alone. No gradient flows
    through a carry; an initial row (``init=``) has a gradient in the calls whose steps read it. Forward-mode tangents
    (gradients of gradients that read no later step) continue as states do.

    Attributes:
        first: the program of the first call.
        cut: the carried values and their axis.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, s = ag.input("x", over=t), ag.state("s", over=t)
        >>> s[t] = 0.5 * s[t - 1] + x[t]
        >>> program = ag.compile(s, carry=True)
        >>> (whole,), _ = program(x=[1.0, 2.0, 3.0, 4.0])
        >>> (one,), carry = program(x=[1.0, 2.0])
        >>> (two,), carry = program(carry, x=[3.0, 4.0])
        >>> [*one, *two] == [*whole]
        True

    Notes:
        Later calls run a program of their own, compiled when it is first needed. A carry holds k rows of each value that is
        read k steps back, whatever the number of steps.
    """

    first: Any

    @property
    def reported(self) -> Any:
        """The program of the first call; the program of the others is ``later``."""
        return self.first

    def __repr__(self) -> str:
        return f"<Program of {self.graph!r}, carried along {self.cut.axis}>"


def _digest_equations(graph: System, axis: Axis) -> str:
    """Return a digest of an axis and of the equations of all values that are read at its earlier steps."""
    graph = spell_out_windows(graph)
    read = [n.inputs[0] for n in graph.nodes if n.op in (ALONG, TAKE_STEP) and n.attrs["axis"] is axis]
    sources = list(dict.fromkeys([*(x for x, _ in list_read_back(graph, axis)), *read]))
    return hashlib.sha256(f"{axis}\n{make_fingerprint(sources)}".encode()).hexdigest()


def evaluate_carried(dag: DAG, carry: Any, given: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values of a DAG's outputs on a piece of the steps, and the carry; see :meth:`DAG.evaluate`."""
    graph = dag.graph
    if dag.origin is not None:
        raise CarryError(
            "K113", "a DAG of gradients cannot take carry=", expected="the DAG of a graph", got=repr(dag),
            fix="ag.Graph(ag.grad(L, …)).evaluate(carry=…): gradients as equations",
        )  # fmt: skip
    if graph.stops:
        if None not in dag.carried:
            dag.carried[None] = end_steps(graph, carry if isinstance(carry, Axis) else None)
        graph, carry = dag.carried[None], next(iter(graph.stops)) if not isinstance(carry, Carry) else carry
    asked = True if carry is None else carry
    if isinstance(carry, Carry):  # the axis is the one whose equations made the carry
        asked = next((a for a in graph.axes if _digest_equations(graph, a) == carry.equations), True)
    elif not isinstance(asked, Axis):
        asked = True
    if asked not in dag.carried:
        cut = cut_along(graph, asked)
        grows = {slot.grows.name for slot in cut.slots if slot.grows}
        made = Carried(cut, graph, graph.layouts(), lambda nodes, laid: _Unrolled(nodes, laid, dag.sizes, grows))
        dag.carried[asked] = made
    run: Carried = dag.carried[asked]
    return run(carry=None if carry is True or isinstance(carry, Axis) else carry, **{**dag.lengths, **given})


class _Unrolled:
    """Runs nodes unrolled over given numbers of steps; anew at each call where the length of an axis in ``grows`` changes."""

    def __init__(
        self, nodes: Sequence[Node], laid: Sequence[Sequence[Axis]], sizes: Mapping[Axis, int], grows: Collection[str] = ()
    ) -> None:
        self.graph, self._grows = Graph(nodes), grows
        self._dag = None if grows else self.graph.unroll(**{a.name: n for a, n in sizes.items() if a in self.graph.axes})
        self._given = {a.name for a in sizes} - set(self.graph.inputs)
        self._laid = laid

    def __call__(self, /, **given: Any) -> tuple[Any, ...]:
        dag = self._dag
        if dag is None:
            known = {*self.graph.inputs, *(a.name for a in self.graph.axes)} - set(self._grows)
            sizes, _ = feeds.split_sizes(self.graph, {name: value for name, value in given.items() if name in known})
            dag = self.graph.unroll(**sizes)
        values = dag.evaluate(**{name: value for name, value in given.items() if name not in self._given})
        laid = zip(values, self.graph.outputs, self._laid, strict=True)
        return tuple([order_axes(v, self.graph.layout(n), wanted) for v, n, wanted in laid])


FUNCTIONS.update(evaluate_carried=evaluate_carried)
