"""A compiled graph: it is called with feeds, keeps workspaces, and reports its source, schedule and cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, FeedError, OperationError
from autograd_seq.core.notebook import make_code_block
from autograd_seq.emit.blas import limit_to_one_thread
from autograd_seq.emit.native import numba
from autograd_seq.emit.plain.printer import print_plain
from autograd_seq.emit.program_text import Emitted
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph
from autograd_seq.plan.cost import Cost, count_flops, find_peak_bytes
from autograd_seq.plan.equilibria import lower_equilibria
from autograd_seq.plan.pipeline import Plan
from autograd_seq.plan.report import Schedule
from autograd_seq.run import backends
from autograd_seq.run.feeding import Feeding
from autograd_seq.run.padded import LengthsCall
from autograd_seq.run.profile import Profile, time_blocks
from autograd_seq.run.settled import NotSettled, explain_unsettled
from autograd_seq.run.sharing import Sharing
from autograd_seq.run.standalone import write, write_standalone, write_textbook
from autograd_seq.run.workspaces import Workspaces, count_array_bytes
from autograd_seq.sequences.lengths import Over
from autograd_seq.sequences.padding import Ragged
from autograd_seq.sequences.shares import find_shares

WORTH_SHARING = 1e8
"""Calls of this many operations or more, which take about a millisecond, are split between threads; for shorter calls
waking the threads takes too long."""


class Program(LengthsCall):
    """A compiled graph. Made by :func:`compile`; called with an array for each input and parameter, by name.

    Attributes:
        graph: the folded graph that was compiled.
        source: the text of the program, exactly what runs, except for a batch of one: see ``single``.
        beside: if there are loops of NumPy calls, the axes that none of them runs over, such as the batch.
        single: the program that runs when all axes in ``beside`` have the length 1: the same equations without these axes.
            There the overhead of NumPy's calls dominates, and a program with fewer calls is faster, though it computes more.
        schedule: what is lifted and what loops; it prints.
        backend: the backend, ``"numpy"``, ``"numba"`` or ``"plain"``.
        padded: the programs that have run in place of this one in calls with ``lengths=``, by the axes with lengths and the
            axes over which the lengths vary: ``padded[(t, (b,)),].source``.

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
        self.dtype = None if dtype is None else feeds.as_float_width(dtype)
        passes = None if passes is None else tuple(passes)
        self._made_of = graph, dtype, passes, layouts, backend, into, alone
        self._like: Any = lambda nodes: Program(Graph(nodes), dtype, passes, layouts, backend)
        self.padded: dict[Over, Program] = {}
        made = backends.write_program(graph, layouts, passes, backend, into, alone)
        self.backend, _, self.emitted, self._notes = made[:4]
        self._silent, self._native, self._counts = made.silent, made.native, made.counts
        self._planned: Any = lambda: backends.write_program(graph, layouts, passes, self.backend, into, alone).plan
        if self.backend == "numba":
            self.plan = made.plan  # needed at each new batch size, to find the cost and whether threads share it
        self.source = self.emitted.source
        self._make = backends.make_factory(made, graph, layouts, passes)
        stepped = made.plan.storage.stepped
        one = stepped and self.backend == "numpy" and not alone
        self.beside = tuple(a for a in graph.axes if one and a not in stepped)
        self._beside = [graph.axes.index(a) for a in self.beside]
        self._for_one: Any = lambda: Program(graph, dtype, passes, layouts, backend, into, self.beside)
        self._in_numpy: Any = lambda: backends.write_program(_lower(graph), layouts, passes, "numpy")
        self._order, self._layouts = list(self.emitted.feeds), layouts
        self.feeding = Feeding(graph, self._order, self.dtype, self.backend == "numba", self._weigh, alone)
        self.workspaces = Workspaces(lambda workspace: self._choose_for(workspace)._make_run(workspace))

    def __repr__(self) -> str:
        return f"<Program of {self.graph!r}>"

    def __reduce__(self) -> Any:
        """Pickle the program as the arguments it was made from; unpickling or copying compiles it again."""
        return Program, self._made_of

    def _repr_html_(self) -> str:
        return make_code_block(self.source)

    def _compute(self, given: dict[str, Any]) -> tuple[Any, ...]:
        """Return the values of the outputs for feeds without ``lengths=``."""
        arrays, workspace = self.feeding(given)
        out: tuple[Any, ...] = self._run(arrays, workspace)
        return out

    def _run(self, arrays: Sequence[Any], workspace: Any) -> Any:
        """Run on arrays that have been checked, in order, in a workspace that no other call uses meanwhile."""
        try:
            return self.workspaces(workspace, arrays)
        except NotSettled:
            raise explain_unsettled(self.graph, self._write, dict(zip(self._order, arrays, strict=False)), workspace) from None
        except (IndexError, np.linalg.LinAlgError) as error:
            found = feeds.explain_failure(self.graph, dict(zip(self._order, arrays, strict=False)), error)
            raise found from (None if isinstance(found, FeedError) else error)

    @staticmethod
    def _write(graph: Graph, layouts: Sequence[Sequence[Axis]]) -> tuple[Any, Sequence[str]]:
        """Write another graph of the same feeds as a program of NumPy calls; return its factory and the names of its feeds."""
        made = backends.write_program(graph, layouts, None, "numpy")
        return backends.make_factory(made, graph, layouts, None), [*made.emitted.feeds]

    def _make_run(self, workspace: Any) -> Callable[..., Any]:
        """Return a function of the feeds with a workspace of its own, on several threads where that pays."""
        if self.backend == "numba" and self.sharing is not None:
            sizes = dict(zip(self.graph.axes, workspace, strict=False))
            cuts = self.sharing.find_cuts(sizes, numba.count_threads())
            if cuts is not None and count_flops(self.plan, sizes) >= WORTH_SHARING:
                return limit_to_one_thread(self.sharing.make_run(workspace, cuts, self.make_quiet_run), "scipy")
        return self.make_quiet_run(workspace)

    @cached_property
    def sharing(self) -> Sharing | None:
        found = find_shares(self.graph) if self.plan.storage.stepped else None
        return None if found is None else Sharing(found, self.graph, self._order, self._layouts)

    def make_quiet_run(self, workspace: Any) -> Callable[..., Any]:
        """Return a function with a workspace of its own; in a silent program it gives no floating-point warnings."""
        run: Callable[..., Any] = self._make(*workspace)
        if self._silent:
            return run
        if self.emitted.foreign:  # a user's operation may read the context variables of its caller
            return np.errstate(all="ignore")(run)
        quiet = Context()  # entering it takes a tenth of the time of errstate
        quiet.run(np.seterr, all="ignore")
        return partial(quiet.run, run)

    def _make_padded(self, made: Ragged) -> Program:
        program: Program = self._like(made.outputs)
        return program

    @cached_property
    def single(self) -> Program:
        """The program for one sequence at a time, compiled when it is first needed."""
        if not self._beside:
            return self
        try:
            made: Program = self._for_one()
        except AxisError:  # the equations read a step that an axis of length 1 does not have
            return self
        return made if made._order == self._order else self

    def _choose_for(self, sizes: Sequence[Any]) -> Program:
        """Return the program that runs at the given lengths of the graph's axes."""
        return self.single if self._beside and all(sizes[i] == 1 for i in self._beside) else self

    @cached_property
    def plan(self) -> Plan:
        """The plan from which the source was written, made again at the first access: most programs need not keep it."""
        made: Plan = self._planned()
        return made

    @property
    def schedule(self) -> Schedule:
        """What is lifted over which axes, and what loops, with the operations and bytes of each line; it prints."""
        notes = self._notes
        if self.backend == "numba" and self.sharing is not None:
            notes = (self.sharing.note, *notes)
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
        program = self._choose_for([sizes[a] for a in self.graph.axes])
        return Cost(
            count_flops(program.plan, sizes), program._count_bytes(sizes, (self.dtype or np.dtype(np.float64)).itemsize)
        )

    def _count_bytes(self, sizes: Mapping[Axis, int], itemsize: int) -> int:
        """Return the most bytes that a call holds at once, without the feeds."""
        emitted = self.emitted
        held, returned = (count_array_bytes(noted, emitted, sizes, itemsize) for noted in (emitted.buffers, emitted.made))
        return held + find_peak_bytes(self.plan, sizes, itemsize, returned, self._native)

    @property
    def textbook(self) -> str:
        """The program as written by hand: loops over steps, an equation above each line; ``backend="plain"`` runs it.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> x, w, h = ag.input("x", over=t), ag.param("w"), ag.state("h", over=t)
            >>> h[t] = w * h[t - 1] + x[t]
            >>> print(ag.compile(ag.last(h, over=t).named("y")).textbook)
            import numpy as np
            <BLANKLINE>
            <BLANKLINE>
            def step(x, w):
                \"""Compute y.\"""
                T = len(x)
                h = np.zeros(T + 1)  # h[-1] = 0
                for t in range(T):
                    # h[t] = w · h[t − 1] + x[t]
                    h[t] = w * h[t - 1] + x[t]
            <BLANKLINE>
                # y = h[T − 1]
                y = h[T - 1]
                return y
            <BLANKLINE>
        """
        return self.as_textbook().source

    def as_textbook(self, gradients: Sequence[str] = ()) -> Emitted:
        """Return the program as one would write it by hand, with what it needs to run; see :attr:`textbook`.

        Args:
            gradients: if the last outputs are gradients, the names of the variables, by which they are returned in a dict.
        """
        return print_plain(_lower(self.graph), self._layouts, gradients)

    def save_source(self, path: str | os.PathLike[str], *, textbook: bool | None = None) -> Path:
        """Write the program to a file that needs NumPy alone; its docstring tells how to call it.

        Args:
            path: of the file, in a folder that exists. It is written whole or not at all.
            textbook: whether to write :attr:`textbook` instead of :attr:`source`; by default only for ``backend="plain"``.

        Raises:
            OperationError: the program calls functions whose source cannot be copied into the file.
            OSError: the file cannot be written; a file that was there before is unharmed.

        Notes:
            In a file there is no error about an equilibrium that does not settle: it is NaN.

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
        if textbook or (textbook is None and self.backend == "plain"):
            return write(path, write_textbook(self.as_textbook(), self.graph))
        emitted = self.emitted if self.backend == "numpy" and not self._counts else self._in_numpy().emitted
        return write(path, write_standalone(emitted, self.graph, self.dtype))

    def profile(self, /, **given: Any) -> Profile:
        """Run the program several times, and return the time of each block beside its equation.

        Args:
            given: the feeds, as for a call.

        Returns:
            A :class:`Profile`, which prints as a table. A loop is one block. Making the workspace, checking the feeds and
            copying the outputs are not included.

        Raises:
            OperationError: the backend is not ``"numpy"``.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> step = ag.compile(ag.sum(ag.tanh(ag.input("x", over=t)), over=t))
            >>> [equation for _, equation in step.profile(x=np.ones(1000)).rows]
            ['sum_1 = sum(tanh(x), over=t)']
        """
        if self.backend != "numpy":
            raise OperationError(
                "O307", "only a program of NumPy calls can be timed equation by equation", got=f'backend="{self.backend}"',
                fix='compile it with backend="numpy", and profile that',
            )  # fmt: skip
        self(**given)  # raises the errors about the feeds
        arrays, workspace = self.feeding.check(given)
        return time_blocks(self._choose_for(workspace).emitted, workspace, arrays)

    def _weigh(self, workspace: Any, sizes: Mapping[Axis, int]) -> int:
        return self._choose_for(workspace)._count_bytes(sizes, workspace[-1].itemsize)


def _lower(graph: Graph) -> Graph:
    """Return the graph with its equilibria as loops, as a file has it: without the count of those that have not settled."""
    lowered = lower_equilibria(graph)
    return graph if lowered is None else lowered.graph


__all__ = ["Program"]
