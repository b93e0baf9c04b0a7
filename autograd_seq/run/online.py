"""Online learning: the loss and its gradients at every step of a stream without end, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import FeedError, GradientError, did_you_mean
from autograd_seq.core.hints import explain_keywords, make_no_keyword_error
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.eligibility import stop_recurrent_products
from autograd_seq.grad.influence import Influence
from autograd_seq.grad.one_step import OneStep, take_step_of_sum
from autograd_seq.grad.rank_one import RankOne
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.targets import list_targets
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.random import SEED
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import ALONG
from autograd_seq.run.carry import Carry
from autograd_seq.run.compile import check_adds_up
from autograd_seq.run.online_pieces import OnlinePieces
from autograd_seq.run.stream import stream
from autograd_seq.sequences.cut import cut_along, find_carried_axis

MOST_NUMBERS = 4_000_000
"""A call of many steps keeps about so many numbers for each sequence; more steps run in several pieces."""
METHODS = ("rtrl", "snap1", "uoro", "eprop")
OPTIONS = ("dtype", "passes", "order", "backend")
"""What is passed on to the stream."""


class Online:
    """A loss with gradients, a step at a time. Made by :func:`online`; ``(loss, grads), carry = step(carry, x=x_t, W=W)``.

    Attributes:
        stream: the :class:`Stream` that runs the steps; ``step.stream.stepped.source`` is the program of one.
        wrt: the names of the gradients, in order.
        over: the axis of the steps.
        method: of :func:`online`.
        influence: by name, the shapes of what is carried of the past beside the states themselves.
    """

    def __init__(self, loss: Node, wrt: Sequence[Node], over: Axis, method: str, options: dict[str, Any]) -> None:
        self._made = loss, wrt, over, method, options
        self.wrt, self.over, self.method = tuple(str(p.name) for p in wrt), over, method
        step_loss = take_step_of_sum(spell_out_windows(Graph(loss)).outputs[0], over)
        step = OneStep(stop_recurrent_products(step_loss) if method == "eprop" else step_loss, wrt, over)
        names = [*map(Graph(step.loss).name, step.sources)]
        self._carried = (RankOne if method == "uoro" else Influence)(step, wrt, names, method != "snap1")
        self.influence = {str(s.name): s.shape for s in self._carried.states}
        self.stream = stream([step.loss, *self._carried.differentiate()], over=over, **options)
        graph = self.stream.program.graph
        self._fed = {name: (n.ndim + len(n.axes), graph.layout(n).index(over))
                     for name, n in graph.inputs.items() if over in n.axes}  # fmt: skip

    def __reduce__(self) -> Any:
        return Online, self._made

    @property
    def draws(self) -> bool:
        """Whether a step draws random numbers; see :attr:`ValueAndGrad.draws`."""
        return self.stream.program.graph.inputs.get("seed") is SEED

    @cached_property
    def pieces(self) -> OnlinePieces:
        """The program that runs several steps in a call; compiled when it is first needed."""
        _, wrt, _, method, options = self._made
        if isinstance(self._carried, RankOne) or method == "snap1":
            return OnlinePieces(self.stream.program, wrt, {}, options, exact=False)
        found = {pair: (locks, self._carried.influence[pair]) for pair, locks in self._carried.locks.items()}
        return OnlinePieces(self.stream.program, wrt, found, options, exact=True)

    def __call__(self, carry: Carry | None = None, /, **given: Any) -> tuple[tuple[Any, dict[str, Any]], Carry]:
        """Run one step, or several.

        Args:
            carry: what an earlier call returned; ``None`` to start.
            given: parameters; and one step of each input, as declared, without the axis of the steps. If inputs have that axis,
                all of these steps are run.

        Returns:
            ``(loss, gradients)`` of the step, the gradients by name, and the carry for the next call. Of several steps, the
            sums over them; they run as one program, and cost less: with ``rtrl`` about three times backpropagation where units
            are alone, n times otherwise (Schmidhuber 1992).

        Raises:
            FeedError, CarryError: as for a :class:`Stream`.
        """
        if carry is None and "carry" in given and "carry" not in self.stream.program.graph.inputs:
            carry = given.pop("carry")
        if "lengths" in given and "lengths" not in self.stream.program.graph.inputs:
            raise _make_lengths_error(self.over)
        whole = {name: place for name, (rank, place) in self._fed.items() if np.ndim(given.get(name, 0)) == rank}
        if not whole:
            (loss, *grads), carry = self.stream(carry, **given)
            return (loss, dict(zip(self.wrt, grads, strict=True))), carry
        arrays = {name: np.moveaxis(np.asarray(given[name]), place, 0) for name, place in whole.items()}
        rest = {name: value for name, value in given.items() if name not in whole}
        lengths = {name: len(array) for name, array in arrays.items()}
        steps = min(lengths.values())
        if steps < max(lengths.values()):
            raise _make_steps_error(self.over, lengths)
        total: list[Any] = []
        if steps == 0:
            return self._run_no_step(carry, given)
        if carry is None:  # the first step has rows of its own
            values, carry = self.stream(None, **rest, **{name: array[0] for name, array in arrays.items()})
            total = [np.array(v) for v in values]
        size = max(1, MOST_NUMBERS // self.pieces.numbers)
        for k in range(len(total) > 0, steps, size):
            piece = {name: np.moveaxis(array[k : k + size], 0, whole[name]) for name, array in arrays.items()}
            values, carry = self.pieces(carry, {**rest, **piece}, min(size, steps - k))
            total = [a + b for a, b in zip(total, values, strict=True)] if total else [*values]
        return (total[0], dict(zip(self.wrt, total[1:], strict=True))), carry

    def _run_no_step(self, carry: Carry | None, given: dict[str, Any]) -> tuple[tuple[Any, dict[str, Any]], Any]:
        """Return sums over no steps, and the carry as it was."""
        values, left = self.stream.program(carry=carry, **given)
        total = [np.sum(v, axis=len(place) - 1) for v, place in zip(values, self.stream.places, strict=True)]
        return (total[0], dict(zip(self.wrt, total[1:], strict=True))), left

    def __repr__(self) -> str:
        return f"<{self.method} along {self.over}: {', '.join(self.wrt)}>"


def online(
    loss: Node, wrt: Sequence[Node | str] | Node | str | None = None, *, over: Axis | None = None, method: str = "rtrl",
    **options: Any,
) -> Online:  # fmt: skip
    """Compile a loss that learns online: at every step of a stream its part of the loss, and the gradient of that part.

    What past steps contribute is carried forward by the influence of the parameters on the states, so no step is kept and the
    stream need not end. With n numbers in the states and p parameters:

    ==========  =============================================================  ===============  ====================
    method      what is carried                                                time of a step   gradient
    ==========  =============================================================  ===============  ====================
    ``rtrl``    the influence, np numbers; where each unit reads its own past  n²p; p where     exact
                alone, a trace for each parameter                              units are alone
    ``snap1``   what is not zero after one step: a trace for each parameter    n² + p           biased
                that enters one unit
    ``uoro``    two vectors whose product is the influence on average          n² + p           unbiased, with noise
    ``eprop``   the influence, as if what units read of one another through a  p                biased
                matrix on a cycle did not depend on parameters
    ==========  =============================================================  ===============  ====================

    Args:
        loss: a float scalar without axes, a sum over the steps; in place of a mean, which needs their number, a sum as well.
        wrt: parameters, or inputs that do not vary over the steps, or their names; all float parameters by default.
        over: the axis of the steps; the one along which the graph shifts by default.
        method: ``"rtrl"`` (Williams & Zipser 1989), ``"snap1"`` (Menick, Elsen, Evci, Osindero, Simonyan & Graves 2020),
            ``"uoro"`` (Tallec & Ollivier 2017; each stream takes a ``seed=`` of its own) or ``"eprop"`` (Bellec et al. 2020).
        options: as for :func:`ag.stream`: ``backend="numba"`` makes a native step.

    Returns:
        An :class:`Online`: ``(loss, grads), carry = step(carry, x=x_t, W=W)``, with ``carry=None`` at the start. The sum of its
        gradients over a sequence is the gradient of the sequence.

    Raises:
        GradientError: there is no such method; something in ``wrt`` varies over the steps; a state mixes the points of another
            axis, or reads all earlier steps.
        CarryError: the loss is not a sum over the steps (a mean, a last step), or something reads later steps.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> step, carry = ag.online(ag.sum(h**2, over=t)), None
        >>> for value in (1.0, 2.0, 3.0):
        ...     (loss, grads), carry = step(carry, x=value, w=0.5)
        ...     print(float(loss), float(grads["w"]))
        1.0 0.0
        6.25 5.0
        18.0625 25.5

    Notes:
        If parameters are changed between steps, as online learning does, states and influence keep what earlier values made:
        the gradient is that of the loss of the step with respect to a shift of all values used so far, each as it was. For
        small rates that is close to the gradient at the present values (Williams & Zipser 1989, section 3).

        Which entries depend on which is found from the equations: a dimension that a state and a parameter have in common is
        stored once. With a batch each sequence has an influence of its own, and the gradient is summed over the batch.
        A single step pays for its NumPy calls: with 64 units that read their own past alone, 28 µs, beside 17 µs for a call of
        backpropagation over one step; native, 15 µs. Many steps in one call take about 3 µs each, backpropagation 1.5 µs.

        Influences are rows of the carry, named ``∂h/∂W``. Marschall, Cho & Savin 2020 compare the methods.
    """
    if method not in METHODS:
        raise GradientError(
            "E152", f"there is no method {method!r:.60}", where=show_site(user_site()), expected=", ".join(METHODS),
            got=repr(method)[:80], fix=did_you_mean(method, METHODS) if isinstance(method, str) else None,
        )  # fmt: skip
    if strange := [name for name in options if name not in OPTIONS]:
        raise make_no_keyword_error("online", strange[0], ["wrt", "over", "method", *OPTIONS])
    graph = Graph(loss)
    axis = find_carried_axis(graph, True if over is None else over)
    cut_along(graph, axis)  # refuses what looks ahead
    _check_reads(graph, axis)
    check_adds_up(graph, loss, axis)
    chosen = _choose(graph, axis, wrt)
    return Online(loss, chosen, axis, method, options)


def _choose(graph: Graph, axis: Axis, wrt: Any) -> list[Node]:
    """Return the leaves whose gradients are wanted."""
    chosen = list_targets(graph.outputs, wrt)
    for x in chosen:
        if not isinstance(x, Node) or x.op not in (PARAM, INPUT) or x.dtype is not float or axis in x.axes:
            over = isinstance(x, Node) and axis in x.axes
            raise GradientError(
                "E153", f"{label_of(x) if isinstance(x, Node) else repr(x)[:60]} "
                + (f"varies over {axis}, and later steps would change the gradients of earlier ones" if over else
                   "is no float parameter or input"), where=show_site(user_site()),
                expected=f"parameters, or inputs that do not vary over {axis}", got=repr(x)[:80],
                fix="ag.grad and ag.bptt differentiate with respect to inputs at each step" if over else None,
            )  # fmt: skip
    return chosen


def _check_reads(graph: Graph, axis: Axis) -> None:
    """Refuse what reads all earlier steps: the influence on each of them would have to be kept."""
    for n in graph.nodes:
        if n.op in (ALONG, TAKE_STEP) and axis in (n.attrs["axis"], n.attrs.get("other")):
            raise GradientError(
                "E154", f"{graph.name(n)} reads all steps of {label_of(n.inputs[0])}, and the influence on each would have to "
                "be kept", node=graph.name(n), where=n.where, expected=f"reads of {axis.name} - 1, {axis.name} - 2, …",
                got=repr(n)[:80], fix="ag.value_and_grad, or ag.bptt(…, segment=…)",
            )  # fmt: skip


def _make_steps_error(axis: Axis, lengths: Mapping[str, int]) -> GradientError:
    return GradientError(
        "E155", f"the feeds differ in their number of steps of {axis}",
        expected=f"inputs with the same number of steps of {axis}, or one step each, without {axis}",
        got=", ".join(f"{name}: {n}" for name, n in lengths.items()),
    )  # fmt: skip


def _make_lengths_error(axis: Axis) -> FeedError:
    return FeedError(
        "F206", f"what learns online takes no lengths=: its influences go on with every step of {axis}", expected="no lengths",
        got="lengths=", fix=["a batch of sequences of one length", "ag.value_and_grad, whose calls take lengths="],
    )  # fmt: skip


__all__ = ["METHODS", "Online", "online"]
explain_keywords(globals(), ["online"])
