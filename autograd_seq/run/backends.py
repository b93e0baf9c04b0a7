"""The languages a plan can be written in: NumPy calls, or native functions where numba is installed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
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
from autograd_seq.plan.pipeline import Plan, plan
from autograd_seq.plan.schedule import Loop, schedule
from autograd_seq.run.threads import crowded, repeated
from autograd_seq.sequences.step import make_one_step

BACKENDS = ("numpy", "numba", "plain", "auto")
"""What ``backend=`` may be."""

VARIABLE = "AUTOGRAD_SEQ_BACKEND"
"""The environment variable that says which it is where it is not given."""

_MOST_LINES = 8000
"""Native programs of more lines would take more than half a minute to compile."""

_MANY_NUMBERS = 100
"""From so many operations on single numbers on, NumPy's calls take longer than the numbers, loop or no loop."""

Layouts = Sequence[Sequence[Axis]]


class Made(NamedTuple):
    """A plan, the program that was written from it, and what its schedule says about the language.

    Of a native program ``slow_loops`` names what keeps loops in NumPy; ``native`` are the nodes that native functions compute.
    """

    backend: str
    plan: Plan
    emitted: Emitted
    notes: tuple[str, ...] = ()
    slow_loops: str = ""
    native: Set[Node] = frozenset()

    @property
    def silent(self) -> bool:
        """Tell whether it gives no warnings of overflows and divisions by zero, as wholly native programs do not."""
        return self.notes[:1] == (ALL_NATIVE,)


def chosen(backend: str | None) -> str:
    """Return the language that is asked for: where none is, what ``AUTOGRAD_SEQ_BACKEND`` says, or else ``"auto"``.

    Raises:
        OperationError: it is not in ``BACKENDS``.
    """
    name = backend if backend is not None else os.environ.get(VARIABLE) or "auto"
    if name not in BACKENDS:
        raise OperationError(
            "O306", f'there is no backend "{name}"', expected=", ".join(BACKENDS), fix=did_you_mean(str(name), BACKENDS),
            got=repr(name) if backend is not None else f"{VARIABLE}={name} in the environment",
        )  # fmt: skip
    return name


def written(graph: Graph, layouts: Layouts, passes: Iterable[str] | None, backend: str, into: bool = False,
            alone: Sequence[Axis] = ()) -> Made:  # fmt: skip
    """Return the program of a graph in a language; for ``"auto"`` see :func:`_found`.

    Args:
        graph: what is to be computed.
        layouts: the axes of each output, as its array is to be laid out.
        passes: names of passes, all by default.
        backend: out of ``BACKENDS``.
        into: let a program of NumPy calls write into arrays of the caller, after the feeds; native ones return their own.
        alone: axes that have one point each whenever the program runs; native programs do not depend on it.

    Raises:
        OperationError: there is no such pass, or numba is asked for and not installed.
    """
    if backend == "numpy":
        return _calls(graph, layouts, passes, into, alone)
    if backend == "plain":
        return _plain(graph, layouts)
    if backend == "auto":
        return _found(graph, layouts, passes, into, alone)
    if not numba.is_available():
        numba.refuse()
    return _native(graph, layouts, passes)


def _found(graph: Graph, layouts: Layouts, passes: Iterable[str] | None, into: bool,
           alone: Sequence[Axis]) -> Made:  # fmt: skip
    """Return the native program where that is worth compiling, else the NumPy one; the last note says why.

    It is where there are loops over steps, or very many operations on single numbers; where all loops have a native form, and
    compiling does not take minutes. NumPy pays for each of its calls, at each step of a loop; outside of loops there are a few
    for all steps together. Nothing is timed: the same equations and versions give the same program, and the same bits.
    """
    passes = None if passes is None else list(passes)

    def calls(why: str) -> Made:
        return _calls(graph, layouts, passes, into, alone)._replace(notes=(f"NumPy: {why}",))

    loops = any(isinstance(item, Loop) for item in schedule(graph.nodes))
    if not loops and sum(1 for n in graph.nodes if n.inputs and not n.shape) < _MANY_NUMBERS:
        return calls("no loop that native code would speed up")
    if not numba.is_available():
        return calls("numba is not installed")
    made = _native(graph, layouts, passes)
    if made.slow_loops:
        return calls(f"no native form of {made.slow_loops}, hence none of the loops around")
    if (lines := made.emitted.source.count("\n")) > _MOST_LINES:
        return calls(f"native code of {lines} lines, more than {_MOST_LINES}, would take minutes to compile")
    why = "all loops have a native form" if loops else "there are many operations on single numbers"
    return made._replace(notes=(*made.notes, f"taken since numba is installed, and {why}"))


def _calls(graph: Graph, layouts: Layouts, passes: Iterable[str] | None, into: bool = False,
           alone: Sequence[Axis] = ()) -> Made:  # fmt: skip
    outputs = make_one_step(graph, *alone) if alone else graph.outputs
    planned = plan(outputs, graph.axes, calls.writes, calls.in_place, "numpy", passes)
    writer = Writer(planned.graph, planned.storage, graph.axes, _title(graph, alone), graph.inputs)
    return Made("numpy", planned, writer.emit(layouts, into))


def _plain(graph: Graph, layouts: Layouts) -> Made:
    """Return the program by hand, and the plan without any pass, by which its schedule and cost are told."""
    planned = plan(graph.outputs, graph.axes, calls.writes, calls.in_place, "numpy", ())
    return Made("plain", planned, print_plain(graph, layouts), ("written out as by hand, a step at a time",))


def _by_hand(emitted: Emitted, graph: Graph) -> Any:
    """Return what makes a ``run`` of a plain program, which computes in double precision whatever the width of the feeds is."""
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


def _native(graph: Graph, layouts: Layouts, passes: Iterable[str] | None) -> Made:
    planned = plan(graph.outputs, graph.axes, native_ops.writes, calls.in_place, "numba", passes)
    writer = NativeWriter(planned.graph, planned.storage, graph.axes, _title(graph), graph.inputs)
    emitted = writer.emit(layouts)
    return Made("numba", planned, emitted, writer.notes(), writer.slow_loops(), writer.fusion.native)


def _title(graph: Graph, alone: Sequence[Axis] = ()) -> str:
    names = [graph.label(o) for o in graph.outputs]
    where = f", where {' and '.join(map(str, alone))} {'has' if len(alone) == 1 else 'have'} one point" if alone else ""
    return f"Compute {', '.join(names[:8])}{', …' if len(names) > 8 else ''}{where}."


def maker(made: Made, graph: Graph, layouts: Layouts, passes: Iterable[str] | None) -> Any:
    """Return what makes a workspace and its ``run``, from the sizes and the width of floats.

    Programs are executed, and native ones compiled once for each width, when they first run; that for a batch may never do.
    Native ones stand back where there is no such width.
    """
    if made.backend == "plain":
        return _by_hand(made.emitted, graph)
    programs: dict[str, Any] = {}
    emitted, native = made.emitted, made.backend != "numpy"
    some = repeated(made.plan, loops=not native)

    def make(*sizes: Any) -> Any:
        width = sizes[-1].name if native else ""
        if width not in programs:
            if not native:
                programs[width] = executed(emitted)
            else:
                wide = width in numba.WIDTHS
                programs[width] = (
                    numba.compile_program(emitted, width) if wide else _quiet(_calls(graph, layouts, passes).emitted)
                )
        run = programs[width](*sizes)
        return limit_to_one_thread(run, "numpy") if crowded(some, dict(zip(graph.axes, sizes, strict=False))) else run

    return make


def _quiet(emitted: Emitted) -> Any:
    """Return a NumPy program that does not warn of infinities and NaN, for it is called as a native one."""
    program = executed(emitted)

    def make(*sizes: Any) -> Any:
        run = program(*sizes)

        def quiet(*arrays: Any) -> Any:
            with np.errstate(all="ignore"):
                return run(*arrays)

        return quiet

    return make


def executed(emitted: Emitted) -> Any:
    """Run a source, and return its ``program``, as a function of the sizes and the width."""
    name = f"<autograd_seq program {hashlib.sha256(emitted.source.encode()).hexdigest()[:16]}>"
    program = sources.execute(emitted.source, name, dict(emitted.foreign))
    if emitted.constants:
        return lambda *sizes: program(*sizes, emitted.constants)
    return program
