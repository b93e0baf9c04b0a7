"""Streams: a compiled graph that is run one step at a time, on live data or on its own outputs.

The step is compiled from equations without the axis of the steps, hence without a loop over it. It writes into arrays that the
stream reuses only after the caller has dropped all references to them: results that a caller keeps do not change.

How the stream knows this is described in :mod:`autograd_seq.run.stream_arrays`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import FeedError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.ops.gather import TAKE
from autograd_seq.plan.passes.hoist import hoist
from autograd_seq.plan.pipeline import STREAMS, simplify
from autograd_seq.run.carried import CarriedProgram
from autograd_seq.run.carry import Carry
from autograd_seq.run.compile import compile
from autograd_seq.run.program import Program
from autograd_seq.run.stream_arrays import Pool, PooledCarry
from autograd_seq.sequences.deciding import end_steps
from autograd_seq.sequences.step import make_one_step

_MOST_SPACES = 32  # a stream keeps arrays for this many batch sizes, those used last


class Stream:
    """A stepper. Made by :func:`stream`; ``(y,), carry = stream(carry, x=x_t)``.

    Attributes:
        program: the carried program that the stream runs step by step; it runs the first step itself.
        stepped: the program of a step that continues from a carry, with its ``source``; ``None`` where a step reads all earlier
            ones, as attention does: then the carried program runs it.
        bound: the feeds that every step gets; see :meth:`bind`.
        places: by output, the index of a step among the values of a sequence of length 1.
    """

    def __init__(self, program: CarriedProgram, layouts: Sequence[Sequence[Axis]],
                 options: dict[str, Any]) -> None:  # fmt: skip
        self.program, self._made = program, (program, layouts, options)
        self._grows = any(slot.grows for slot in program.cut.slots)  # then a step is a sequence of length 1 that has more rows
        self.stepped: Any = None if self._grows else _CompiledStep(*self._made)
        self.bound: dict[str, np.ndarray] = {}
        axis = program.cut.axis
        self._fed = {name: (program.graph.layout(n).index(axis), n)
                     for name, n in program.graph.inputs.items() if axis in n.axes}  # fmt: skip
        self.places = [(slice(None),) * tuple(axes).index(axis) + (0,) if axis in axes else () for axes in layouts]
        self._defaults = {
            name: np.asarray(n.attrs["default"]) for name, n in program.graph.inputs.items() if "default" in n.attrs
        }
        self._known: dict[Any, list[np.ndarray]] = {}  # from shapes and dtypes that have passed the checks to the bound feeds

    def __reduce__(self) -> Any:
        program, layouts, options = self._made
        return _restore_stream, (program, layouts, options, self.bound)

    def bind(self, /, **given: Any) -> Stream:
        """Return this stream with feeds that every step gets: they are checked once, and values that depend on them alone are
        computed once.

        Args:
            given: parameters, or other feeds that stay the same. They are copied; bind them again after a change.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
            >>> h[t] = w * h[t - 1] + x[t]
            >>> step = ag.stream(h).bind(w=0.5)
            >>> (y,), carry = step(x=2.0)
            >>> (y,), carry = step(carry, x=2.0)
            >>> float(y)
            3.0
        """
        other = Stream.__new__(Stream)
        other.__dict__.update(self.__dict__)
        other.bound = {**self.bound, **{name: np.array(value) for name, value in given.items()}}
        other.stepped, other._known = None if self._grows else _CompiledStep(*self._made, bound=other.bound), {}
        other._defaults = {name: value for name, value in self._defaults.items() if name not in given}
        other.__dict__.pop("_order", None)
        return other

    @cached_property
    def _order(self) -> tuple[list[str], list[str], Any]:
        """The names of the feeds of each step, the names of bound feeds, and a function that puts arrays and rows in order."""
        made = self.stepped
        free = [name for name in made.free if name not in self.bound and name not in made.fixed]
        bound = [name for name in made.free if name not in free]
        places = [[*free, *bound, *made.carried].index(name) for name in made.program._order]
        return free, bound, itemgetter(*places) if len(places) > 1 else list

    def __call__(self, carry: Carry | None = None, /, **given: Any) -> tuple[tuple[np.ndarray, ...], Carry]:
        """Run one step.

        Args:
            carry: what an earlier step returned; ``None`` to start.
            given: parameters, and one step of each input: as declared, without the axis of the steps.

        Returns:
            The outputs at this step, a tuple as every program returns, and the carry for the next step. Later steps do not
            change either of them as long as there is a reference to it or to a view of it; afterwards its memory is reused.

        Raises:
            FeedError: an input is fed with all steps, is bound already, or does not fit.
            CarryError: the carry is another program's.
        """
        if self._defaults:
            given = {**self._defaults, **given}
        if type(carry) is PooledCarry:
            free, _, in_order = self._order
            try:
                fed = [given[name] for name in free]
                bound = self._known.get((carry._space, *given, *map(feeds.get_sort, fed)))
            except (KeyError, AttributeError):
                bound = None
            if bound is not None:
                outs, left = carry._space.run(in_order((*fed, *bound, *carry._frame.read)), carry)
                return tuple(outs), left
        return self._check_and_run(carry, given)

    def _check_and_run(self, carry: Any, given: dict[str, Any]) -> tuple[tuple[np.ndarray, ...], Carry]:
        """Run a step on feeds and a carry that have not been checked yet."""
        if "carry" in given and carry is None and "carry" not in self.program.graph.inputs:
            return self(given.pop("carry"), **given)  # a keyword, as programs take it
        if "lengths" in given and "lengths" not in self.program.graph.inputs:
            raise FeedError(
                "F204", "a stream cannot take lengths=", expected="no lengths", got="lengths=",
                fix="f = ag.compile(…, carry=True) takes lengths=, and a stream can continue from the carry that f returns",
            )  # fmt: skip
        for name in self.bound.keys() & given.keys():
            raise FeedError(
                "F205", f"{name} is bound to the stream, and fed again", node=name, expected=f"no {name}=", got=f"{name}=…",
                fix=f"stream = stream.bind({name}=…) binds another value",
            )  # fmt: skip
        every = {**self.bound, **given}
        for name, (_, node) in self._fed.items():
            if name in every and np.ndim(every[name]) != len(node.axes) + node.ndim - 1:
                raise self._make_step_error(name, node, np.shape(every[name]))
        if carry is None or self._grows or (isinstance(carry, Carry) and np.ndim(carry.steps)):
            return self._run_as_sequence(carry, every)
        made = self.stepped
        fed = self.program.make_feeds(carry, every, graph=made.graph)
        arrays, space = self.program.continue_from(carry, every, lambda: made.check(fed), made.graph)
        free, bound, _ = self._order
        named = any(a.name in every for a in made.graph.axes if a.name not in made.graph.inputs)
        if not named and all(isinstance(given[name], np.ndarray) and given[name] is arrays[name] for name in free):
            key = (space, *given, *[feeds.get_sort(arrays[name]) for name in free])
            if len(self._known) >= _MOST_SPACES:
                self._known.clear()
            self._known[key] = [np.array(arrays[name], order="C" if name in made.tables else "F") for name in bound]
        outs, left = space.run([*arrays.values()], carry)
        return tuple(outs), left

    def _run_as_sequence(self, carry: Carry | None, given: dict[str, Any]) -> tuple[tuple[np.ndarray, ...], Carry]:
        """Run a step as a sequence of length 1: the first step, or a step after a carry whose sequences differ in length."""
        fed = {**given, **({} if self._fed else {self.program.cut.axis.name: 1})}  # without inputs no feed has that length
        for name, (position, _) in self._fed.items():
            if name in given:
                fed[name] = np.expand_dims(np.asarray(given[name]), position)
        values, left = self.program(carry=carry, **fed)
        assert left is not None, "there was a step"
        outs = tuple([value[(*index, ...)] for value, index in zip(values, self.places, strict=True)])
        return outs, left

    def _make_step_error(self, name: str, node: Node, shape: tuple[int, ...]) -> FeedError:
        axis = self.program.cut.axis
        dims = [a.name for a in node.axes if a is not axis] + [str(n) for n in node.shape]
        return FeedError(
            "F202", f"{name} of shape {shape} is not one step", node=name, where=node.where,
            expected=f"({', '.join(dims)}{',' if len(dims) == 1 else ''}) {node.dtype.__name__}, without {axis}",
            got=str(shape), fix=f"for step in {name}: outs, carry = stream(carry, {name}=step)",
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Stream of {self.program.graph!r}, a step of {self.program.cut.axis} at a time>"


def _restore_stream(program: CarriedProgram, layouts: Any, options: dict[str, Any], bound: dict[str, Any]) -> Stream:
    made = Stream(program, layouts, options)
    return made.bind(**bound) if bound else made


class _CompiledStep:
    """The compiled equations of one step that continues from a carry.

    Attributes:
        graph: the equations.
        source: the program, as text.
        tables: the names of feeds whose rows are looked up, stored in C order; products read other matrices by columns.
        free, carried: the names of feeds, and those of the carried rows and of the number of earlier steps.
        fixed: by name, the values that depend on bound feeds alone; they are computed once, then fed.
    """

    def __init__(self, program: CarriedProgram, layouts: Sequence[Sequence[Axis]], options: dict[str, Any],
                 bound: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:  # fmt: skip
        self.cut = cut = program.cut
        self.equations, self._bound = program.equations, bound
        passes = STREAMS if options["passes"] is None and not bound else options["passes"]
        nodes = make_one_step(Graph(cut.later), cut.axis)
        self.fixed: dict[str, Node] = {}
        if bound:
            nodes, self.fixed = hoist(simplify(nodes, options["backend"], passes), bound)
        self.graph = Graph(nodes)
        rows = [slot.axes for slot in cut.slots for _ in range(slot.rows)]
        self.layouts = [tuple(a for a in axes if a in self.graph.axes) for axes in layouts]
        self.program = Program(self.graph, options["dtype"], passes, [*self.layouts, *rows],
                               options["backend"], into=True)  # fmt: skip
        self.source = self.program.source
        order, carried = self.program._order, {feed for slot in cut.slots for feed in slot.feeds} | {cut.steps}
        self.free = [name for name in order if name not in carried]
        self.tables = {n.inputs[0].name for n in self.graph.nodes if n.op is TAKE}
        self.carried = [name for name in order if name in carried]
        self.spaces: dict[Any, Pool] = {}

    def check(self, fed: dict[str, Any]) -> tuple[dict[str, np.ndarray], Pool]:
        """Return the feeds and carried rows as the program takes them, and the pool of arrays for feeds of these sizes."""
        fixed = Graph([*self.fixed.values()])
        if self.fixed:
            floats = [np.asarray(value).dtype for value in [*fed.values(), *self._bound.values()]]
            width = self.program.dtype or np.result_type(*[d for d in floats if d.kind in "fc"])
            known = {name: value for name, value in self._bound.items() if name in fixed.inputs}
            fed = {**fed, **dict(zip(self.fixed, fixed.unroll().evaluate(dtype=width, **known), strict=True))}
        arrays, workspace = self.program.feeding.check(fed)
        if workspace not in self.spaces:
            for old in [*self.spaces][: len(self.spaces) + 1 - _MOST_SPACES]:
                self.spaces.pop(old, None)
            self.spaces[workspace] = Pool(self, workspace)
        return dict(zip(self.program._order, arrays, strict=True)), self.spaces[workspace]


def stream(outputs: Node | Sequence[Any] | Graph, *, over: Axis | None = None, dtype: Any = None,
           passes: Iterable[str] | None = None, order: Iterable[Axis] | None = None,
           backend: str = "numpy") -> Stream:  # fmt: skip
    """Compile nodes into a stream, for data that arrive one step at a time, and for sampling.

    Args:
        outputs: a node, or several; nothing they depend on looks ahead.
        over: the axis of the steps; by default that of the shifts, the outermost if there are several.
        dtype, order: as for :func:`compile`.
        backend: ``"numpy"`` by default, since one step has few calls to save. With ``"numba"`` the step is a native program,
            which takes some seconds to compile at the first step, and allocates what it returns.
        passes: as for :func:`compile`; by default those that do not pack parameters together, unless these are bound.

    Returns:
        A :class:`Stream`: ``(y,), carry = stream(carry, x=x_t)``, with ``carry=None`` at the start. Of outputs of
        :func:`until` it returns one more, whether each sequence has ended: ``(y, ended), carry = stream(carry)``; what a
        sequence returns after its end is 0.

    Raises:
        CarryError: as for :func:`compile` with ``carry=``.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, mean = ag.input("x", over=t), ag.state("mean", over=t)
        >>> mean[t] = 0.5 * mean[t - 1] + 0.5 * x[t]
        >>> step, carry = ag.stream(mean), None
        >>> for value in (4.0, 2.0, 8.0):
        ...     (y,), carry = step(carry, x=value)
        ...     print(float(y))
        2.0
        2.0
        5.0

    Notes:
        A step computes its equations once, with an overhead of a few microseconds; memory does not grow with the number of
        steps. From the third step on, a loop that keeps neither outputs nor carries allocates no array for them, nor for what
        NumPy can write into an existing array: products, sums, gates, nonlinearities, look-ups, reductions along the last
        dimensions. A random draw makes one array for each point, and softmax along an axis a few small ones. Arrays of the
        program's width are used as they are; numbers, lists and arrays of another width are converted at each step, which takes
        about ten microseconds.

        Where attention reads all earlier steps behind a causal mask, their rows are kept in an array that doubles, and a step
        takes time in proportion to their number; it runs as a sequence of length 1 (about 0.1 ms more), and allocates. If the
        mask hides all but the last w steps, as ``(ag.index(u) <= ag.index(t)) & (ag.index(u) > ag.index(t) - w)`` does, about w
        rows are kept. Rows that ``ag.take(…, earlier=True)`` reads are kept likewise.
    """
    graph = outputs if isinstance(outputs, Graph) else Graph(*flatten([outputs]))
    if graph.stops:
        graph, over = end_steps(graph, over), next(iter(graph.stops))
    axes = None if order is None else tuple(order)
    options = {"dtype": dtype, "passes": None if passes is None else tuple(passes), "backend": backend}
    program = compile(graph, carry=True if over is None else over, order=axes, **options)
    return Stream(program, graph.layouts(axes), options)


__all__ = ["Stream", "stream"]
explain_keywords(globals(), __all__)
