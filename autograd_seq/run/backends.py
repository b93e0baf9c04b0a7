"""The languages a plan can be written in: NumPy calls, or native functions where numba is installed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.core.errors import OperationError, did_you_mean
from autograd_seq.core.node import Node
from autograd_seq.emit import execution as sources
from autograd_seq.emit.blas import limit_to_one_thread
from autograd_seq.emit.native import numba
from autograd_seq.emit.native import operations as native_ops
from autograd_seq.emit.native.writer import ALL_NATIVE, NativeWriter
from autograd_seq.emit.numpy import operations as calls
from autograd_seq.emit.numpy.writer import Writer
from autograd_seq.emit.plain.printer import print_plain
from autograd_seq.emit.program_text import Emitted
from autograd_seq.graph.graph import Graph
from autograd_seq.plan.equilibria import lower_equilibria
from autograd_seq.plan.memory.views import is_view
from autograd_seq.plan.passes.eliminate import is_eliminated
from autograd_seq.plan.pipeline import Plan, plan
from autograd_seq.plan.schedule import Loop, schedule
from autograd_seq.run.settled import check_settled
from autograd_seq.run.threads import find_repeated, is_better_on_one_thread
from autograd_seq.sequences.step import make_one_step

PRINTERS: Mapping[str, Callable[[Graph, Sequence[Sequence[Axis]]], Emitted]] = {"plain": print_plain}
"""Printers of procedures by the name of their backend: from a graph and the axes of each output to a program whose function
``step`` takes the feeds in double precision, and the lengths in ``Emitted.asked``."""

BACKENDS = ("numpy", "numba", *PRINTERS, "auto")
"""What ``backend=`` may be."""

VARIABLE = "AUTOGRAD_SEQ_BACKEND"
"""The environment variable that names the backend where ``backend=`` is not given."""

MOST_LINES = 8000
"""Native programs of more lines than this would take more than half a minute to compile."""

_MANY_OPERATIONS = 25
"""From this many operations on, native code is worth compiling without a loop too: it needs fewer passes over the arrays."""

Layouts = Sequence[Sequence[Axis]]


class WrittenProgram(NamedTuple):
    """A plan, the program written from it, and the notes of its schedule on the backend.

    For a native program, ``slow_loops`` names what keeps loops in NumPy, and ``native`` holds the nodes that native functions
    compute. If it ``counts``, its last output is the number of points at which an equilibrium has not settled; ``into``
    says whether outputs are written into arrays that the caller passes.
    """

    backend: str
    plan: Plan
    emitted: Emitted
    notes: tuple[str, ...] = ()
    slow_loops: str = ""
    native: Set[Node] = frozenset()
    counts: bool = False
    into: bool = False

    @property
    def silent(self) -> bool:
        """Whether the program never warns of overflow or division by zero, as a fully native one does not."""
        return self.notes[:1] == (ALL_NATIVE,)


def choose_backend(backend: str | None) -> str:
    """Return the name of the backend: the one given, else the value of ``AUTOGRAD_SEQ_BACKEND``, else ``"auto"``.

    Raises:
        OperationError: the name is not in ``BACKENDS``.
    """
    name = backend if backend is not None else os.environ.get(VARIABLE) or "auto"
    if name not in BACKENDS:
        raise OperationError(
            "O306", f'there is no backend "{name}"', expected=", ".join(BACKENDS), fix=did_you_mean(str(name), BACKENDS),
            got=repr(name) if backend is not None else f"{VARIABLE}={name} in the environment",
        )  # fmt: skip
    return name


def write_program(graph: Graph, layouts: Layouts, passes: Iterable[str] | None, backend: str, into: bool = False,
            alone: Sequence[Axis] = ()) -> WrittenProgram:  # fmt: skip
    """Return the program of a graph for a backend; for ``"auto"`` see :func:`_choose_program`.

    Args:
        graph: the graph to compute.
        layouts: the axes of each output, in the order in which its array is laid out.
        passes: names of passes, all by default.
        backend: one of ``BACKENDS``.
        into: let a program of NumPy calls write its outputs into arrays that the caller passes after the feeds; native programs
            ignore it and return arrays of their own.
        alone: axes whose length is 1 whenever the program runs; native programs ignore it.

    Raises:
        OperationError: there is no such pass, or numba is asked for and not installed.
    """
    lowered = lower_equilibria(graph, count=True)
    if lowered is not None:
        made = write_program(lowered.graph, [*layouts, ()], passes, backend, into, alone)
        return made._replace(counts=True, into=into and made.backend == "numpy")
    if backend == "numpy":
        return _write_calls(graph, layouts, passes, into, alone)
    if backend in PRINTERS:
        return _write_procedure(graph, layouts, backend)
    if backend == "auto":
        return _choose_program(graph, layouts, passes, into, alone)
    if not numba.is_available():
        numba.refuse()
    return _write_native(graph, layouts, passes)


def _choose_program(graph: Graph, layouts: Layouts, passes: Iterable[str] | None, into: bool,
           alone: Sequence[Axis]) -> WrittenProgram:  # fmt: skip
    """Return the native program where it is worth compiling, else the NumPy one; the last note gives the reason.

    A native program is worth compiling if there are loops over steps, or many operations; if all loops have a native form; and
    if compiling does not take minutes. Inside a loop NumPy pays the overhead of its calls at every step; outside of loops a few
    calls compute all steps, each of which passes over whole arrays. Nothing is timed, so the same equations and versions always
    give the same program and the same bits.
    """
    passes = None if passes is None else list(passes)

    def stay_with_calls(why: str) -> WrittenProgram:
        return _write_calls(graph, layouts, passes, into, alone)._replace(notes=(f"NumPy: {why}",))

    loops = any(isinstance(item, Loop) for item in schedule(graph.nodes))
    if not loops and sum(1 for n in graph.nodes if n.inputs and not is_view(n)) < _MANY_OPERATIONS:
        return stay_with_calls("no loop, and too few operations for native code to pay")
    if not numba.is_available():
        return stay_with_calls("numba is not installed")
    made = _write_native(graph, layouts, passes)
    if made.slow_loops:
        return stay_with_calls(f"no native form of {made.slow_loops}, hence none of the loops around")
    if (lines := made.emitted.source.count("\n")) > MOST_LINES:
        return stay_with_calls(f"native code of {lines} lines, more than {MOST_LINES}, would take minutes to compile")
    why = "all loops have a native form" if loops else "there are many operations"
    return made._replace(notes=(*made.notes, f"taken since numba is installed, and {why}"))


def _write_calls(graph: Graph, layouts: Layouts, passes: Iterable[str] | None, into: bool = False,
           alone: Sequence[Axis] = ()) -> WrittenProgram:  # fmt: skip
    outputs = make_one_step(graph, *alone) if alone else graph.outputs
    planned = plan(outputs, _list_given(graph), calls.can_write, calls.can_overwrite, "numpy", passes)
    writer = Writer(planned.graph, planned.storage, _list_given(graph), _write_title(graph, alone), graph.inputs)
    return WrittenProgram("numpy", planned, writer.emit(layouts, into))


def _write_procedure(graph: Graph, layouts: Layouts, backend: str) -> WrittenProgram:
    """Return a program that a procedure is printed as, with a plan without passes, for its schedule and cost."""
    planned = plan(graph.outputs, _list_given(graph), calls.can_write, calls.can_overwrite, "numpy", ())
    return WrittenProgram(backend, planned, PRINTERS[backend](graph, layouts), ("written out as by hand, a step at a time",))


def _make_step_factory(emitted: Emitted, graph: Graph) -> Any:
    """Return the factory of ``run`` for a printed procedure, which computes in double precision whatever the feeds' width."""
    name = f"<autograd_seq program {hashlib.sha256(emitted.source.encode()).hexdigest()[:16]}>"
    step = sources.execute(emitted.source, name, {**emitted.foreign, **emitted.constants}, "step")

    def make(*sizes: Any) -> Any:
        known, width = dict(zip(graph.axes, sizes, strict=False)), sizes[-1]
        asked = [known[a] for a in emitted.asked]
        kinds = {float: width, int: np.int64, bool: np.bool_}

        def run(*arrays: Any) -> Any:
            out = step(*[a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays], *asked)
            several = out if len(graph.outputs) != 1 else (out,)
            return tuple([np.array(o, kinds[n.dtype]) for o, n in zip(several, graph.outputs, strict=True)])

        return run

    return make


def _write_native(graph: Graph, layouts: Layouts, passes: Iterable[str] | None) -> WrittenProgram:
    planned = plan(graph.outputs, _list_given(graph), native_ops.is_native, calls.can_overwrite, "numba", passes)
    writer = NativeWriter(planned.graph, planned.storage, _list_given(graph), _write_title(graph), graph.inputs)
    emitted = writer.emit(layouts)
    return WrittenProgram("numba", planned, emitted, writer.notes(), writer.name_slow_loops(), writer.fusion.native)


def _list_given(graph: Graph) -> list[Axis]:
    """Return the axes whose lengths a call gives."""
    return [a for a in graph.axes if not isinstance(a, Iteration)]


def _write_title(graph: Graph, alone: Sequence[Axis] = ()) -> str:
    names = [graph.label(o) for o in graph.outputs]
    where = f", where {' and '.join(map(str, alone))} {'has' if len(alone) == 1 else 'have'} one point" if alone else ""
    return f"Compute {', '.join(names[:8])}{', …' if len(names) > 8 else ''}{where}."


def make_factory(made: WrittenProgram, graph: Graph, layouts: Layouts, passes: Iterable[str] | None) -> Any:
    """Return the factory of a program: a function from the sizes and the width of floats to a ``run`` with a workspace.

    The source is executed, and a native one compiled for the width, when the factory is first called, since a program for a
    batch may never run. For a width that native code does not have (float16, …) NumPy calls are used instead.
    """
    if made.counts:
        lowered = lower_equilibria(graph, count=True)
        assert lowered is not None, "it has equilibria to count"
        factory = make_factory(made._replace(counts=False), lowered.graph, [*layouts, ()], passes)
        return lambda *sizes: check_settled(factory(*sizes), len(layouts), made.into)
    if made.backend in PRINTERS:
        return _make_step_factory(made.emitted, graph)
    programs: dict[str, Any] = {}
    emitted, native = made.emitted, made.backend != "numpy"
    some = find_repeated(made.plan, loops=not native)
    again = native and any(map(is_eliminated, graph.nodes))
    computed = native and any(map(native_ops.has_computed_index, made.plan.graph.nodes))

    def make(*sizes: Any) -> Any:
        width = sizes[-1].name if native else ""
        if width not in programs:
            if not native:
                programs[width] = load_program(emitted)
            else:
                wide = width in numba.WIDTHS
                calls = None if wide else _write_calls(graph, layouts, passes).emitted
                programs[width] = numba.compile_program(emitted, width) if calls is None else _silence(calls)
        run = programs[width](*sizes)
        if again or computed:
            run = _raise_errors(run, lambda: _silence(_write_calls(graph, layouts, passes).emitted)(*sizes), again)
        return (
            limit_to_one_thread(run, "numpy")
            if is_better_on_one_thread(some, dict(zip(graph.axes, sizes, strict=False)))
            else run
        )

    return make


def _raise_errors(run: Callable[..., Any], make: Callable[[], Any], again: bool) -> Callable[..., Any]:
    """Return a native program that raises what NumPy raises: of a singular matrix it makes NaN, and of an index it knows less.

    Args:
        run: the program.
        make: makes the same of NumPy calls, which runs where an index is out of range.
        again: whether it runs where outputs contain NaN, too.
    """

    def run_again(*arrays: Any) -> Any:
        try:
            out = run(*arrays)
        except IndexError:
            make()(*arrays)
            raise
        if again and any(a.dtype.kind == "f" and np.isnan(a).any() for a in out):
            make()(*arrays)
        return out

    return run_again


def _silence(emitted: Emitted) -> Any:
    """Return a NumPy program that does not warn of infinities and NaN: it stands in for a native one, which cannot."""
    program = load_program(emitted)

    def make(*sizes: Any) -> Any:
        run = program(*sizes)

        def run_quietly(*arrays: Any) -> Any:
            with np.errstate(all="ignore"):
                return run(*arrays)

        return run_quietly

    return make


def load_program(emitted: Emitted) -> Any:
    """Execute the source of a program, and return its ``program`` as a function of the sizes and the width."""
    name = f"<autograd_seq program {hashlib.sha256(emitted.source.encode()).hexdigest()[:16]}>"
    program = sources.execute(emitted.source, name, dict(emitted.foreign))
    if emitted.constants:
        return lambda *sizes: program(*sizes, emitted.constants)
    return program
