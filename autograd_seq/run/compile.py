"""``compile`` and ``value_and_grad``: from nodes to a program that runs, in one call or in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError, GradientError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node
from autograd_seq.grad.reverse import grad
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.graph.targets import list_targets
from autograd_seq.ops.random import SEED
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import ALONG
from autograd_seq.run import backends
from autograd_seq.run.carried import CarriedProgram
from autograd_seq.run.limits import Limits, read_limits
from autograd_seq.run.program import Program
from autograd_seq.run.recomputed import Recomputation, RecomputedProgram, find_cut_axis
from autograd_seq.run.reports import ProgramReports
from autograd_seq.run.until import UntilProgram
from autograd_seq.sequences.cut import cut_along, find_carried_axis
from autograd_seq.sequences.deciding import end_steps
from autograd_seq.sequences.pieces import find_no_sum


@overload
def compile(outputs: Node | Sequence[Any] | Graph, *, dtype: Any = ..., passes: Iterable[str] | None = ...,
            carry: Literal[False] = ..., order: Iterable[Axis] | None = ..., backend: str | None = ..., memory: None = ...,
            slots: None = ..., piece: None = ..., over: None = ...) -> Program: ...  # fmt: skip


@overload
def compile(outputs: Node | Sequence[Any] | Graph, *, dtype: Any = ..., passes: Iterable[str] | None = ...,
            carry: Axis | Literal[True], order: Iterable[Axis] | None = ...,
            backend: str | None = ...) -> CarriedProgram: ...  # fmt: skip


@overload
def compile(outputs: Node | Sequence[Any] | Graph, *, dtype: Any = ..., passes: Iterable[str] | None = ...,
            carry: Literal[False] = ..., order: Iterable[Axis] | None = ..., backend: str | None = ...,
            memory: str | None = ..., slots: int | None = ..., piece: int | None = ...,
            over: Axis | None = ...) -> RecomputedProgram: ...  # fmt: skip


def compile(outputs: Node | Sequence[Any] | Graph, *, dtype: Any = None, passes: Iterable[str] | None = None,
            carry: Axis | bool = False, order: Iterable[Axis] | None = None, backend: str | None = None,
            memory: str | None = None, slots: int | None = None, piece: int | None = None,
            over: Axis | None = None) -> Program | CarriedProgram | UntilProgram | RecomputedProgram:  # fmt: skip
    """Compile nodes into a program that computes their values.

    Args:
        outputs: a node, several, or a :class:`Graph`.
        dtype: ``"float32"`` or ``"float64"``: the width of all floats inside; by default that of the feeds.
        passes: names of the passes to run (``autograd_seq.plan.pipeline.PASSES``); all by default.
        carry: ``True`` for sequences that come in pieces: ``outs, carry = program(carry, x=…)``, the first time with ``None``.
            The pieces follow one another along the axis of the shifts, the outermost if there are several; give an axis
            instead of ``True`` to choose another one.
        order: the axes of the outputs in the order in which they are to be laid out, ``(b, t)`` for batch first; by default
            the order in which the inputs declare them. Feeds are laid out as they are declared.
        backend: ``"numpy"``; ``"numba"``, native loops, compiled in a few seconds on the first call and kept on disk
            (``pip install 'autograd-seq[jit]'``); ``"plain"``, the loops over single steps that ``.textbook`` shows: slow, for
            reading and comparing, in double precision inside, and without passes; or ``"auto"``: numba if it is installed,
            there is a loop or there are many operations, all loops have a native form, and compiling does not take minutes,
            else NumPy. By default the value of the environment variable ``AUTOGRAD_SEQ_BACKEND``, or else ``"auto"``. The last
            line of ``print(program.schedule)`` names the backend that was chosen, and why.
        memory: for long sequences: ``"sqrt"``, or an amount such as ``"50MB"``, which includes the results and not
            the feeds. The program runs in pieces of an axis, keeps the states between them, and computes each piece
            again where its values are needed (checkpointing). Whatever can be computed in sweeps over the pieces can be
            compiled: recurrences that go one way along the axis, bidirectional networks, sums, means, maxima, softmax and
            picked steps.
        slots: how many states between pieces are kept at the same time, beside the first; with fewer than pieces some pieces
            run forward several times, in the order that needs the fewest.
        piece: the number of steps of a piece; √T by default, or what ``memory=`` or ``slots=`` allow.
        over: with ``memory=``, ``slots=`` or ``piece=`` the axis that is cut into pieces, if the graph shifts along several.

    Returns:
        A :class:`Program`: ``program(x=…, W=…)`` returns the values in the order of the outputs, a tuple also of one output:
        ``(y,) = program(…)``. With ``carry=`` a :class:`CarriedProgram`. With ``memory=``, ``slots=`` or ``piece=`` a
        :class:`RecomputedProgram`, which is called alike; its ``explain(t=…)`` predicts the pieces and the memory of a call.

    Raises:
        CycleError, StateError, NameClashError: as for :class:`Graph`.
        CarryError: a shift along the carried axis looks ahead, a carried value depends on later steps, or the carried axis is
            ambiguous. With ``memory=``, something reads all steps (``along``), or a recurrence looks both ways.
        OperationError: there is no such pass or backend, or numba is not installed.
        AxisError: ``order`` leaves an axis out, or names one that the graph does not have.

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
        The time to compile grows with the number of equations, not with the lengths of the axes. Method: Allen & Kennedy 1987.
        With ``memory="sqrt"`` a loss and its gradients take memory in √T, and the time of one more forward pass; with k slots
        for n pieces Griewank & Walther 2000 (revolve), see also Gruslys et al. 2016. Results equal those of the program that
        stores but for rounding, since sums are taken in other places.
    """
    graph = outputs if isinstance(outputs, Graph) else Graph(*flatten([outputs]))
    backend = backends.choose_backend(backend)
    if graph.stops and carry is not False and carry is not None:
        graph, carry = end_steps(graph, None if carry is True else carry), next(iter(graph.stops))
    limits = read_limits(memory, slots, piece)
    chosen = dtype, None if passes is None else tuple(passes), graph.layouts(order), backend
    return _compile(graph, None if carry is False else carry, limits, over, *chosen)


def _compile(graph: Graph, carry: Axis | Literal[True] | None, limits: Limits | None, over: Axis | None, dtype: Any,
             passes: tuple[str, ...] | None, layouts: Any,
             backend: str) -> Program | CarriedProgram | UntilProgram | RecomputedProgram:  # fmt: skip
    """Return the program of a graph, of the kind that is asked for."""

    def make(nodes: Sequence[Any], laid: Sequence[Sequence[Axis]]) -> Program:
        return Program(Graph(nodes), dtype, passes, laid, backend)

    made: CarriedProgram | UntilProgram | RecomputedProgram
    if limits is not None:
        _check_recomputable(graph, carry)
        made = RecomputedProgram(graph, find_cut_axis(graph, over), limits, dtype, passes, layouts, backend)
    elif graph.stops:
        made = UntilProgram(graph, layouts, make)
    elif carry is not None:
        made = CarriedProgram(cut_along(graph, carry), graph, layouts, make)
    else:
        return Program(graph, dtype, passes, layouts, backend)
    made.copied_from = _compile, (graph, carry, limits, over, dtype, passes, layouts, backend)
    return made


def _check_recomputable(graph: Graph, carry: Any) -> None:
    """Refuse ``memory=`` where it cannot be had."""
    if carry is not None:
        raise CarryError(
            "K133", "memory= and carry= exclude each other: a carry lets no gradient through, and recomputation lets all of it",
            expected="one of them", got=f"carry={carry}",
            fix="carry= for truncated gradients in constant memory, memory= for full ones",
        )  # fmt: skip
    for ending, stop in graph.stops.items():
        raise CarryError(
            "K134", f"{ending} ends by itself, and cannot be run in pieces", where=stop.when.where,
            expected="a graph without ag.until", got=f"ag.until(…, over={ending})", fix="leave memory= out",
        )  # fmt: skip


class ValueAndGrad(ProgramReports):
    """A compiled loss with its gradients. Made by :func:`value_and_grad`.

    Attributes:
        program: the :class:`Program` that computes them.
        wrt: the names of the gradients, in order.
    """

    def __init__(self, program: Program | CarriedProgram | RecomputedProgram, wrt: Sequence[str]) -> None:
        self.program, self.wrt = program, tuple(wrt)

    def __call__(self, /, *unnamed: Any, **given: Any) -> Any:
        """Return ``(loss, gradients)``: the loss and a dict from name to gradient; arguments as for :class:`Program`.

        Compiled with ``carry=`` it returns ``((loss, gradients), carry)``: truncated backpropagation, one piece at a time.
        """
        if isinstance(self.program, CarriedProgram):
            (loss, *grads), carry = self.program(*unnamed, **given)
            return (loss, dict(zip(self.wrt, grads, strict=True))), carry
        if unnamed:
            raise feeds.make_unnamed_error(self.program.graph, unnamed)
        out = self.program(**given) if "lengths" in given else self.program._compute(given)
        return out[0], dict(zip(self.wrt, out[1:]))  # noqa: B905 - as many as there are names; to say so costs 0.2 µs

    @property
    def draws(self) -> bool:
        """Whether the program draws random numbers; :func:`autograd_seq.learn.train` then feeds a new ``seed`` at each step."""
        return self.program.graph.inputs.get("seed") is SEED

    @property
    def reported(self) -> Any:
        return self.program

    @property
    def textbook(self) -> str:
        """The program as it is written by hand, backpropagation through time as in a lecture; see :attr:`Program.textbook`."""
        if isinstance(self.program, CarriedProgram):
            return super().textbook
        return self.program.as_textbook(self.wrt).source

    def explain(self, /, **lengths: int) -> Recomputation:
        """Predict how a call recomputes, and its memory; see :meth:`RecomputedProgram.explain`.

        Raises:
            OperationError: it was compiled without ``memory=``.
        """
        if isinstance(self.program, RecomputedProgram):
            return self.program.explain(**lengths)
        raise OperationError(
            "O173", "the program stores, and recomputes nothing", expected="a program with memory=, slots= or piece=",
            got=repr(self), fix="step.cost(t=…) predicts what it needs",
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<value and gradients ({make_printable(', '.join(self.wrt))}) of {self.program.graph!r}>"


def value_and_grad(loss: Node, wrt: Sequence[Node | str] | Node | None = None, **options: Any) -> ValueAndGrad:
    """Compile a loss together with its gradients.

    Args:
        loss: a float scalar without axes; with ``carry=`` a sum over the steps.
        wrt: parameters or inputs, or their names; all float parameters of the loss by default, in the order in
            which the equations read them.
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
        With ``carry=`` it is truncated backpropagation: the losses of the pieces add up to the loss of the whole sequence; in
        the sum of the gradients, each step's loss sees the steps of its own piece, and the initial rows (``init=``) that these
        read. A mean, a last step, or a function of a sum has another value in each piece, and a penalty on parameters would
        count once for each piece: these are refused. For the loss of each piece by itself use ``compile([loss, *grad(loss,
        nodes)], carry=True)``.
    """
    graph = Graph(loss)
    if isinstance(options.get("carry"), Axis) or options.get("carry") is True:
        check_adds_up(graph, loss, find_carried_axis(graph, options["carry"]))
    nodes = list_targets(graph.outputs, wrt)
    for n in nodes:
        if not isinstance(n, Node) or not n.name:
            raise GradientError(
                "E111", "gradients are returned by name, but a node has none", expected="named nodes", got=repr(n)[:80],
                fix="ag.compile([loss, *ag.grad(loss, nodes)]) returns gradients in order",
            )  # fmt: skip
    return ValueAndGrad(compile([loss, *grad(loss, nodes)], **options), [str(n.name) for n in nodes])


def check_adds_up(graph: Graph, loss: Node, axis: Axis) -> None:
    """Refuse a loss whose values on pieces of an axis do not add up to its value on all steps."""
    node = find_no_sum(loss, axis)
    if node is None:
        return
    name = graph.name(node)
    got, fixes = f"{name}, which has another value in each piece, or counts once in each", [
        f"in place of a mean: ag.sum(…, over={axis}) / n, with the n of the whole sequence, a number or an input",
        f"for each piece's own loss: ag.compile([loss, *ag.grad(loss, wrt)], carry={axis})",
    ]  # fmt: skip
    if node.op in (ALONG, TAKE_STEP):
        got = f"{name}, by which the loss of a piece reads all steps of others, as attention does"
        fixes = ["gradients of whole sequences: ag.value_and_grad(loss)", f"values alone: ag.compile(loss, carry={axis})"]
    raise CarryError(
        "K115", f"losses of pieces of {axis} do not add up, because of {name}", node=name, where=node.where or loss.where,
        expected=f"a sum over {axis}, times numbers or parameters", got=got, fix=fixes,
    )  # fmt: skip


__all__ = ["ValueAndGrad", "check_adds_up", "compile", "value_and_grad"]
explain_keywords(globals(), ["compile", "value_and_grad"])
