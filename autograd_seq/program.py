"""``compile``: from nodes to a program that runs: passes, schedule, source, and what is checked at every call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Literal, overload

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.carry import CarriedProgram
from autograd_seq.emit import backends, numba
from autograd_seq.emit.blas import on_one_thread
from autograd_seq.emit.profile import MARK, Profile, marked
from autograd_seq.emit.sharing import Sharing
from autograd_seq.emit.standalone import standalone, write
from autograd_seq.emit.workspaces import Workspaces, arrays
from autograd_seq.errors import AxisError, CarryError, FeedError, GradientError, OperationError
from autograd_seq.grad.reverse import grad
from autograd_seq.graph import feeds
from autograd_seq.graph.carry import carried_axis, cut_along
from autograd_seq.graph.check import check_lengths
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.graph.lengths import Over, check_needs, fed, ragged, told
from autograd_seq.graph.memory import SURE, at_most, check_fits
from autograd_seq.graph.pieces import not_a_sum
from autograd_seq.graph.shares import shares
from autograd_seq.names import shown
from autograd_seq.node import STRONG, Node
from autograd_seq.ops.leaf import PARAM, TENSOR
from autograd_seq.ops.random import SEED
from autograd_seq.pictures import code
from autograd_seq.plan.cost import Cost, flops, in_call, roughly
from autograd_seq.plan.passes import Plan
from autograd_seq.plan.text import Schedule

WORTH_SHARING = 1e8
"""Operations from which a call is shared out among threads: those of a millisecond or so, or threads wake up too late."""
_PIECES = "pieces of the sequence need less: ag.compile(…, carry=True)"
_MOST_SORTS = 256  # of feeds, that are remembered
_PROFILE_SECONDS = 2.0  # a profile stops after these, or 50 runs, but not before 3 runs


class Program:
    """A compiled graph. Made by :func:`compile`; called with an array for each input and parameter, by name.

    Attributes:
        graph: the folded graph that was compiled.
        source: the program, as text: exactly what runs, but for a batch of one: see ``single``.
        beside: the axes that no loop runs over, such as that of a batch, where there are loops of NumPy calls.
        single: the program that runs where all of those have the length 1: the same equations without these axes. There the
            time is that of NumPy's calls, and a program with fewer of them is faster, though it computes more.
        schedule: what is lifted and what loops; it prints.
        backend: the language it is written in, ``"numpy"`` or ``"numba"``.
        padded: the programs that have run with lengths instead of this one, by the axes that have some and what those
            vary over: ``padded[(t, (b,)),].source``.

    Example:
        >>> import autograd_seq as ag
        >>> b = ag.Axis("b")
        >>> step = ag.compile(ag.tanh(ag.param("W", (3, 4)) @ ag.input("x", (4,), over=b)))
        >>> print(step.schedule)
        lifted over b: matmul_1 = W @ x         24·B flop  24·B bytes
        lifted over b: tanh_1 = tanh(matmul_1)  30·B flop  24·B bytes
        >>> step.cost(b=1000).flops
        54000.0
    """

    def __init__(self, graph: Graph, dtype: Any, passes: Iterable[str] | None,
                 layouts: Sequence[Sequence[Axis]], backend: str = "numpy", into: bool = False,
                 alone: Sequence[Axis] = ()) -> None:  # fmt: skip
        self.graph = graph
        self.dtype = None if dtype is None else feeds.float_width(dtype)
        passes = None if passes is None else tuple(passes)
        self._made_of = graph, dtype, passes, layouts, backend, into, alone
        self._like: Any = lambda nodes: Program(Graph(nodes), dtype, passes, layouts, backend)
        self.padded: dict[Over, Program] = {}
        made = backends.written(graph, layouts, passes, backend, into, alone)
        self.backend, _, self._emitted, self._notes = made[:4]
        self._silent, self._native = made.silent, made.native
        self._planned: Any = lambda: backends.written(graph, layouts, passes, self.backend, into, alone).plan
        if self.backend == "numba":
            self.plan = made.plan  # which says for each new batch what it costs, and whether threads share it
        self.source = self._emitted.source
        self._make = backends.maker(made, graph, layouts, passes)
        stepped = made.plan.storage.stepped
        one = stepped and self.backend == "numpy" and not alone
        self._alone = tuple(alone)
        self.beside = tuple(a for a in graph.axes if one and a not in stepped)
        self._beside = [graph.axes.index(a) for a in self.beside]
        self._for_one: Any = lambda: Program(graph, dtype, passes, layouts, backend, into, self.beside)
        self._in_numpy: Any = lambda: backends.written(graph, layouts, passes, "numpy")
        self._order, self._layouts = list(self._emitted.feeds), layouts
        self._picked = _picker(self._order)
        self._strong = [n._value.dtype for n in graph.nodes if n.op is TENSOR and n.weak == STRONG and n.dtype is float]
        self._workspaces = Workspaces(lambda workspace: self._at(workspace)._new_run(workspace))
        self._known: dict[Any, Any] = {}  # the workspaces of feeds that have been found to fit
        self._fits: set[Any] = set()  # workspaces that there is memory for
        self._last: tuple[Any, Any] = None, None

    def __repr__(self) -> str:
        return f"<Program of {self.graph!r}>"

    def __reduce__(self) -> Any:
        """Let a program be copied, and reach other processes, as what it was made of: there it is compiled again."""
        return Program, self._made_of

    def _repr_html_(self) -> str:
        return code(self.source)

    def __call__(self, /, *unnamed: Any, lengths: Any = None, **given: Any) -> tuple[Any, ...]:
        """Return the values of the outputs, in order.

        Args:
            lengths: for padded sequences, a dict from an axis to the real number of steps: one number, or one a sequence,
                ``{t: [5, 3, 7]}``. Which axis is that of the batch is found from the inputs, or said: ``{(t, b): …}``. A
                length may vary over an axis that has lengths itself: words in sentences, ``{w: [[3, 1], [2, 0]], s: [2, 1]}``.
            given: an array for each input and parameter, by name: axes first in their declared order, then the value's
                dimensions. They are never changed. ``seed`` is 0 unless it is given. The length of an axis that no
                feed tells is given by the axis's name. An input called ``lengths`` is fed by that keyword.

        Returns:
            A tuple of arrays that the caller owns; an output that varies over axes has them in front, and is 0 in the
            padding.

        Raises:
            FeedError, DTypeError: a feed is missing, unknown, or does not fit; a length is no whole number, or too long.
            AxisError: an axis, or a sequence, is too short for what is read; it is not told what a length varies over.
            MemoryNeededError: the call would need more memory than there is.

        Notes:
            With lengths a program of its own runs, compiled when it is first needed: the same equations, in which what the
            padding holds reaches no output and no gradient. It costs a pass over what is summed over time; a read of a
            later step (``s[t + 1]``) costs a selection at each step of the loop of ``s``.
        """
        if unnamed:
            raise feeds.by_name(self.graph, unnamed)
        if lengths is not None:
            if "lengths" not in self.graph.inputs:
                return self._padded(lengths, given)
            given["lengths"] = lengths
        return self._outputs(given)

    def _outputs(self, given: dict[str, Any]) -> tuple[Any, ...]:
        """Run on feeds; the graph has no other lengths than theirs."""
        before, workspace = self._last  # comparing with the call before takes half the time of looking up
        try:
            arrays = self._picked(given)
            if (sorts := [*map(feeds.sort_of, arrays)]) != before or len(given) != len(sorts):
                workspace = self._known[tuple(sorts)] if len(given) == len(sorts) else None
                self._last = (sorts, workspace) if workspace else self._last
        except (KeyError, AttributeError):
            workspace = None
        if workspace is None:
            arrays, workspace = self._checked(given)
        out: tuple[Any, ...] = self._ran(arrays, workspace)
        return out

    def _ran(self, arrays: Sequence[Any], workspace: Any) -> Any:
        """Run on arrays that have been checked, in order, in a workspace of this call's own."""
        try:
            return self._workspaces(workspace, arrays)
        except IndexError as error:
            found = feeds.blamed(self.graph, dict(zip(self._order, arrays, strict=False)), error)
            raise found from (None if isinstance(found, FeedError) else error)

    def _new_run(self, workspace: Any) -> Callable[..., Any]:
        """Return a function of the feeds with a workspace of its own, on as many threads as pay."""
        if self.backend == "numba" and self._sharing is not None:
            sizes = dict(zip(self.graph.axes, workspace, strict=False))
            cuts = self._sharing.cuts(sizes, numba.threads())
            if cuts is not None and flops(self.plan, sizes) >= WORTH_SHARING:
                return on_one_thread(self._sharing.run(workspace, cuts, self._on_one_thread), "scipy")
        return self._on_one_thread(workspace)

    @cached_property
    def _sharing(self) -> Sharing | None:
        found = shares(self.graph) if self.plan.storage.stepped else None
        return None if found is None else Sharing(found, self.graph, self._order, self._layouts)

    def _on_one_thread(self, workspace: Any) -> Callable[..., Any]:
        """Return a function with a workspace of its own, which gives no warnings of overflow and the like."""
        run: Callable[..., Any] = self._make(*workspace)
        if self._silent:
            return run
        if self._emitted.foreign:  # a user's operation may look at the context that it is called in
            return np.errstate(all="ignore")(run)
        quiet = Context()  # which is entered ten times as fast as errstate
        quiet.run(np.seterr, all="ignore")
        return partial(quiet.run, run)

    def _padded(self, lengths: Any, given: dict[str, Any]) -> tuple[Any, ...]:
        said = told(self.graph, lengths, given)
        made = ragged(self.graph, said.over)
        check_needs(self.graph, made, said)
        if said.over not in self.padded:
            self.padded[said.over] = self._like(made.outputs)
        return self.padded[said.over](**fed(self.graph, made, said, given))

    @cached_property
    def single(self) -> Program:
        """The program for one sequence at a time, compiled when it is first asked for, or needed."""
        if not self._beside:
            return self
        try:
            made: Program = self._for_one()
        except AxisError:  # the equations read a step that a single one does not have
            return self
        return made if made._order == self._order else self

    def _at(self, sizes: Sequence[Any]) -> Program:
        """Return the program that runs at the given lengths of the graph's axes."""
        return self.single if self._beside and all(sizes[i] == 1 for i in self._beside) else self

    @cached_property
    def plan(self) -> Plan:
        """What it was written from, as data. It is made again when it is asked for: it takes the memory of a small model."""
        made: Plan = self._planned()
        return made

    @property
    def schedule(self) -> Schedule:
        """What is lifted over which axes, and what loops, with the operations and bytes of each line; it prints."""
        notes = self._notes
        if self.backend == "numba" and self._sharing is not None:
            notes = (self._sharing.note, *notes)
        return Schedule(self.plan, (self.dtype or np.dtype(np.float64)).itemsize, notes)

    def cost(self, /, **lengths: int) -> Cost:
        """Predict the floating-point operations and the bytes of a call, without making it.

        Args:
            lengths: the length of each axis, by name.

        Raises:
            AxisError: an axis is missing or unknown, or its length is no whole number ≥ 0.

        Notes:
            Floats are counted at the width that ``dtype=`` fixed, else that of float64.
        """
        sizes = self.graph._sizes(lengths)
        program = self._at([sizes[a] for a in self.graph.axes])
        return Cost(flops(program.plan, sizes), program._bytes(sizes, (self.dtype or np.dtype(np.float64)).itemsize))

    def _bytes(self, sizes: Mapping[Axis, int], itemsize: int) -> int:
        """Return what a call holds at once, without the feeds."""
        emitted = self._emitted
        held, returned = (arrays(noted, emitted, sizes, itemsize) for noted in (emitted.buffers, emitted.made))
        return held + in_call(self.plan, sizes, itemsize, returned, self._native)

    def save_source(self, path: str | os.PathLike[str]) -> Path:
        """Write the program as a file that runs with NumPy alone, and says how; the file is written whole or not at all.

        Args:
            path: of a file in a folder that is there.

        Raises:
            OperationError: the program calls functions whose source it does not hold.
            OSError: the file cannot be written; one that stood there before is unharmed.

        Example:
            >>> import autograd_seq as ag, tempfile
            >>> folder = tempfile.TemporaryDirectory()
            >>> path = ag.compile(ag.param("w") * 2).save_source(f"{folder.name}/twice.py")
            >>> namespace = {}
            >>> exec(path.read_text(encoding="utf-8"), namespace)
            >>> float(namespace["program"](real=np.float64)(np.array(1.5))[0])
            3.0
            >>> folder.cleanup()
        """
        emitted = self._emitted if self.backend == "numpy" else self._in_numpy().emitted
        return write(path, standalone(emitted, self.graph, self.dtype))

    def profile(self, /, **given: Any) -> Profile:
        """Run the program several times, and return the time of each block beside its equation.

        Args:
            given: the feeds, as for a call.

        Returns:
            A :class:`Profile`, which prints as a table. A loop is one block. Making the workspace, the checks of a call
            and the copies of what is returned are not in it.

        Raises:
            OperationError: the program is native.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> step = ag.compile(ag.sum(ag.tanh(ag.input("x", over=t)), over=t))
            >>> [equation for _, equation in step.profile(x=np.ones(1000)).rows]
            ['sum_over_1 = sum(tanh(x), over=(t))']
        """
        if self.backend != "numpy":
            raise OperationError(
                "O307", "a native program cannot be taken apart into equations", got="a program compiled by numba",
                fix='compile it with backend="numpy", and profile that',
            )  # fmt: skip
        self(**given)  # what is wrong with the feeds is said here
        arrays, workspace = self._checked(given)
        emitted = self._at(workspace)._emitted
        source, equations = marked(emitted.source)
        times: list[float] = []
        foreign = {**emitted.foreign, MARK: lambda: times.append(perf_counter())}
        run = backends.executed(replace(emitted, source=source, foreign=foreign))(*workspace)
        spent: list[list[float]] = [[] for _ in equations]
        end = perf_counter() + _PROFILE_SECONDS
        with np.errstate(all="ignore"):
            run(*arrays)  # the first call touches memory for the first time
            runs = 0
            while runs < 3 or (runs < 50 and perf_counter() < end):
                times.clear()
                run(*arrays)
                runs += 1
                for each, (a, b) in zip(spent, pairwise(times), strict=True):
                    each.append(b - a)
        return Profile(tuple((median(s), e) for s, e in zip(spent, equations, strict=True)), runs)

    def _checked(self, given: dict[str, Any]) -> tuple[list[np.ndarray], Any]:
        """Return the arrays to run on, and the sizes and width of the workspace."""
        found, data = feeds.told(self.graph, given)
        arrays = feeds.check(self.graph, data)
        sizes = self.graph._sizes(found)
        check_lengths(self.graph, sizes)
        if many := [a for a in self._alone if sizes[a] != 1]:
            raise FeedError(
                "F203", f"this is the program for one point of {many[0]}", expected=f"1 of {many[0]}", got=f"{sizes[many[0]]}",
                fix="the program whose .single this is runs on any number",
            )  # fmt: skip
        width = self.dtype
        if width is None:
            floats = [a.dtype for n, a in arrays.items() if self.graph.inputs[n].dtype is float]
            width = np.result_type(*floats, *self._strong) if floats or self._strong else np.dtype(np.float64)
        workspace = (*(sizes[a] for a in self.graph.axes), width)
        if workspace not in self._fits:
            self._check_fits(sizes, workspace)
        kinds = {float: width, int: np.dtype(np.int64), bool: np.dtype(np.bool_)}
        whole = self.backend == "numba"  # native functions read arrays as they lie in memory
        copies = sum(a.size * width.itemsize for n, a in arrays.items()
                     if a.dtype != kinds[self.graph.inputs[n].dtype] or (whole and not a.flags.c_contiguous))  # fmt: skip
        check_fits(copies, sizes, _PIECES)
        ready = [np.asarray(arrays[n], kinds[self.graph.inputs[n].dtype]) for n in self._order]
        if len(given) == len(self._order) and all(type(given.get(n)) is np.ndarray and given[n] is r
                                                  for n, r in zip(self._order, ready, strict=True)):  # fmt: skip
            if len(self._known) >= _MOST_SORTS:  # what comes in so many sorts is checked as often as it is not remembered
                self._known.clear()
            self._known[tuple(map(feeds.sort_of, ready))] = workspace
        return ready, workspace

    def _check_fits(self, sizes: dict[Axis, int], workspace: tuple[Any, ...]) -> None:
        """Refuse lengths that need more memory than there is; the plan, which may have to be made for it, tells whether."""
        width = workspace[-1].itemsize
        rough = roughly(self.graph, sizes, width)
        if rough > SURE and rough > at_most():
            check_fits(self._at(workspace)._bytes(sizes, width), sizes, _PIECES)
        if len(self._fits) >= _MOST_SORTS:
            self._fits.clear()
        self._fits.add(workspace)


def _picker(names: Sequence[str]) -> Callable[[dict[str, Any]], Sequence[Any]]:
    """Return a function that takes the values of names out of a dict, in order."""
    return itemgetter(*names) if len(names) > 1 else lambda given: [given[name] for name in names]


@overload
def compile(outputs: Node | Sequence[Any] | Graph, *, dtype: Any = ..., passes: Iterable[str] | None = ...,
            carry: Literal[False] = ..., order: Iterable[Axis] | None = ...,
            backend: str | None = ...) -> Program: ...  # fmt: skip


@overload
def compile(outputs: Node | Sequence[Any] | Graph, *, dtype: Any = ..., passes: Iterable[str] | None = ...,
            carry: Axis | Literal[True], order: Iterable[Axis] | None = ...,
            backend: str | None = ...) -> CarriedProgram: ...  # fmt: skip


def compile(outputs: Node | Sequence[Any] | Graph, *, dtype: Any = None, passes: Iterable[str] | None = None,
            carry: Axis | bool = False, order: Iterable[Axis] | None = None,
            backend: str | None = None) -> Program | CarriedProgram:  # fmt: skip
    """Compile nodes into a program that computes their values.

    Args:
        outputs: a node, several, or a :class:`Graph`.
        dtype: ``"float32"`` or ``"float64"``: the width of all floats inside; by default that of the feeds.
        passes: names of the passes to run (``autograd_seq.plan.passes.PASSES``); all by default.
        carry: ``True`` for sequences that come in pieces: calls return ``(outs, carry)``, and the next one goes on from
            ``carry=carry``. The pieces follow one another along the axis of the shifts, of several along the outermost;
            an axis says which.
        order: the axes of the outputs in the order in which they are to be laid out, ``(b, t)`` for batch first; by default
            that in which the inputs declare them. Feeds are laid out as they are declared.
        backend: ``"numpy"``; ``"numba"``, native loops, compiled in a few seconds on the first call and kept on disk
            (``pip install 'autograd-seq[jit]'``); or ``"auto"``: numba where it is installed, there is a loop, all loops have
            a native form, and compiling does not take minutes. By default what the environment variable
            ``AUTOGRAD_SEQ_BACKEND`` says, or else ``"auto"``. ``print(program.schedule)`` ends in what was taken and why.

    Returns:
        A :class:`Program`: ``program(x=…, W=…)`` returns the values in the order of the outputs. With ``carry=`` a
        :class:`CarriedProgram`.

    Raises:
        CycleError, StateError, NameClashError: as for :class:`Graph`.
        CarryError: a shift along the carried axis looks ahead, what is carried depends on later steps, or which axis is
            carried is not told.
        OperationError: there is no such pass or backend, or numba is not installed.
        AxisError: ``order`` leaves an axis out, or names one that is none of the graph's.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> L = ag.sum(h, over=t)
        >>> step = ag.compile([L, ag.grad(L, w)])
        >>> [float(v) for v in step(w=0.5, x=[1.0, 2.0, 3.0])]
        [7.75, 4.0]

    Notes:
        The time to compile is that of the equations, whatever the lengths of the axes. Method: Allen & Kennedy 1987.
    """
    graph = outputs if isinstance(outputs, Graph) else Graph(*flatten([outputs]))
    backend = backends.chosen(backend)
    layouts = graph.layouts(order)
    if carry is False or carry is None:
        return Program(graph, dtype, passes, layouts, backend)
    return _carried(graph, carry, dtype, None if passes is None else tuple(passes), layouts, backend)


def _carried(graph: Graph, carry: Axis | Literal[True], dtype: Any, passes: Iterable[str] | None, layouts: Any,
             backend: str) -> CarriedProgram:  # fmt: skip
    made = CarriedProgram(cut_along(graph, carry), graph, layouts,
                          lambda nodes, laid: Program(Graph(nodes), dtype, passes, laid, backend))  # fmt: skip
    made.again = _carried, (graph, carry, dtype, passes, layouts, backend)
    return made


class ValueAndGrad:
    """A compiled loss with its gradients. Made by :func:`value_and_grad`.

    Attributes:
        program: the :class:`Program` that computes them.
        wrt: the names of the gradients, in order.
    """

    def __init__(self, program: Program | CarriedProgram, wrt: Sequence[str]) -> None:
        self.program, self.wrt = program, tuple(wrt)

    def __call__(self, /, *unnamed: Any, **given: Any) -> Any:
        """Return ``(loss, gradients)``: the loss and a dict from name to gradient; arguments as for :class:`Program`.

        Compiled with ``carry=`` it returns ``((loss, gradients), carry)``: truncated backpropagation, a piece at a time.
        """
        if unnamed:
            raise feeds.by_name(self.program.graph, unnamed)
        if isinstance(self.program, CarriedProgram):
            (loss, *grads), carry = self.program(**given)
            return (loss, dict(zip(self.wrt, grads, strict=True))), carry
        out = self.program(**given) if "lengths" in given else self.program._outputs(given)
        return out[0], dict(zip(self.wrt, out[1:]))  # noqa: B905 - as many as there are names; to say so costs 0.2 µs

    @property
    def draws(self) -> bool:
        """Whether something is drawn: :func:`autograd_seq.learn.train` feeds a new ``seed`` at each step then."""
        return self.program.graph.inputs.get("seed") is SEED

    @property
    def source(self) -> str:
        """The program, as text."""
        return self.program.source

    @property
    def schedule(self) -> Schedule:
        """What is lifted over which axes, and what loops; see :attr:`Program.schedule`."""
        return self.program.schedule

    def cost(self, /, **lengths: int) -> Cost:
        """Predict the floating-point operations and bytes of a call; see :meth:`Program.cost`."""
        return self.program.cost(**lengths)

    def save_source(self, path: str | os.PathLike[str]) -> Path:
        """Write the program as a file that runs with NumPy alone; see :meth:`Program.save_source`."""
        return self.program.save_source(path)

    def profile(self, /, **given: Any) -> Profile:
        """Return the time of each block beside its equation; see :meth:`Program.profile`."""
        return self.program.profile(**given)

    def _repr_html_(self) -> str:
        return code(self.source)

    def __repr__(self) -> str:
        return f"<value and gradients ({shown(', '.join(self.wrt))}) of {self.program.graph!r}>"


def value_and_grad(loss: Node, wrt: Sequence[Node | str] | Node | None = None, **options: Any) -> ValueAndGrad:
    """Compile a loss together with its gradients.

    Args:
        loss: a float scalar without axes; with ``carry=`` a sum over the steps.
        wrt: parameters or inputs, or their names; all float parameters of the loss by default.
        options: as for :func:`compile`.

    Returns:
        A function of the feeds that returns ``(loss, {name: gradient})``; with ``carry=`` one that returns
        ``((loss, gradients), carry)``.

    Raises:
        GradientError: the loss is no float scalar, or something in ``wrt`` has no gradient.
        CarryError: with ``carry=``, losses of pieces do not add up to that of the whole.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x = ag.param("w"), ag.input("x", over=t)
        >>> step = ag.value_and_grad(ag.sum((w * x[t]) ** 2, over=t))
        >>> loss, grads = step(w=0.5, x=[1.0, 2.0])
        >>> float(loss), float(grads["w"])
        (1.25, 5.0)

    Notes:
        With ``carry=`` it is truncated backpropagation: losses of pieces, added up, are the loss of the whole; gradients, added
        up, are those in which each step's loss sees the steps of its own piece, and the rows in front (``init=``) that these
        read. A mean, a last step, or a function of a sum is of another value in each piece, and a penalty on parameters would
        count once a piece: these are refused. Where a piece's own is what is wanted, ``compile([loss, *grad(loss, nodes)],
        carry=True)`` computes it.
    """
    graph = Graph(loss)
    if isinstance(options.get("carry"), Axis) or options.get("carry") is True:
        _check_adds_up(graph, loss, carried_axis(graph, options["carry"]))
    chosen: Sequence[Node | str]
    if wrt is None:
        chosen = [n for n in graph.inputs.values() if n.op is PARAM and n.dtype is float]
    else:
        chosen = [wrt] if isinstance(wrt, (Node, str)) else list(wrt)
    nodes = [graph[x] if isinstance(x, str) else x for x in chosen]
    for n in nodes:
        if not isinstance(n, Node) or not n.name:
            raise GradientError(
                "E111", "gradients are returned by name, and this node has none", expected="named nodes", got=repr(n)[:80],
                fix="ag.compile([loss, *ag.grad(loss, nodes)]) returns gradients in order",
            )  # fmt: skip
    return ValueAndGrad(compile([loss, *grad(loss, nodes)], **options), [str(n.name) for n in nodes])


def _check_adds_up(graph: Graph, loss: Node, axis: Axis) -> None:
    """Refuse a loss whose values on pieces of an axis do not add up to its value on all steps."""
    node = not_a_sum(loss, axis)
    if node is None:
        return
    name = graph.name(node)
    raise CarryError(
        "K115", f"losses of pieces of {axis} do not add up, because of {name}", node=name, where=node.where or loss.where,
        expected=f"a sum over {axis}, times numbers or parameters",
        got=f"{name}, which is of another value in each piece, or counts once in each",
        fix=f"in place of a mean: ag.sum(…, over={axis}) / n, with the n of the whole, a number or an input; "
        "for each piece's own loss: ag.compile([loss, *ag.grad(loss, wrt)], carry=True)",
    )  # fmt: skip


__all__ = ["Program", "ValueAndGrad", "compile", "value_and_grad"]
