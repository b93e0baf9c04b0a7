"""A step of a training: the loss of a batch and its gradients, whether a function, a program or equations are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.analyse.fewer import find_nan_in_part
from autograd_seq.analyse.nonfinite import Finding
from autograd_seq.core.errors import AutogradSeqError, DTypeError, FeedError, OperationError, ShapeError
from autograd_seq.core.hints import make_no_keyword_error
from autograd_seq.core.node import Node
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.graph import Graph
from autograd_seq.learn.optim import Arrays
from autograd_seq.ops.random import TRAIN
from autograd_seq.run.carried import CarriedProgram
from autograd_seq.run.carry import Carry
from autograd_seq.run.compile import ValueAndGrad, compile, value_and_grad
from autograd_seq.run.online import Online
from autograd_seq.run.truncated import bptt

Step = Callable[..., tuple[Any, Mapping[str, Any]]]
"""``step(**feeds, **params)`` returns the loss, a number, and the gradients by the parameter's name."""

_TRUNCATIONS = ("segment", "window", "every")
OPTIONS = (*[*inspect.signature(compile).parameters][1:], *_TRUNCATIONS, "over")
"""The keywords with which a training compiles the equations that it is given."""


class Stepper:
    """Calls what computes a loss and its gradients.

    Args:
        step: a function, what ``ag.value_and_grad``, ``ag.bptt`` or ``ag.online`` returned, or a loss, which is compiled.
        params: their names are those of the gradients.
        options: of the compilation.

    Attributes:
        draws: whether it wants a seed.
        carries: whether it returns a carry, which the next call reads.
        loss: the equations, where they are known.
    """

    def __init__(
        self, step: Step | Node | Graph, params: Iterable[str], options: Mapping[str, Any], train: Callable[..., Any]
    ) -> None:
        if isinstance(step, Graph) and len(step.outputs) == 1:
            (step,) = step.outputs
        if not isinstance(step, Node) and not callable(step):
            raise OperationError("L128", f"step= is {step!r:.60}, which computes no loss", expected="a loss, or a function",
                                 got=type(step).__name__, fix="train(loss, …)")  # fmt: skip
        known = [*inspect.signature(train).parameters, *(OPTIONS if isinstance(step, Node) else ())]
        if strange := [name for name in options if name not in known]:
            if strange[0] in OPTIONS:
                raise OperationError(
                    "L117", f"{strange[0]}= compiles a loss, and a function is given that computes one", fix="train(loss, …)",
                    expected="a node", got=f"{strange[0]}=…, and {step!r:.60}",
                )  # fmt: skip
            raise make_no_keyword_error("train", strange[0], [*known, *OPTIONS])
        self.call: Any = _compile(step, [*params], dict(options)) if isinstance(step, Node) else step
        self.loss = step if isinstance(step, Node) else _find_loss(step)
        self.draws = bool(getattr(self.call, "draws", False))
        self.carries = isinstance(self.call, Online) or isinstance(getattr(self.call, "program", None), CarriedProgram)
        less = ("memory", "slots", "piece", "over") if {"memory", "slots", "piece"} & set(options) else ()
        self._options = {k: options[k] for k in ("dtype", "backend", *less) if k in options}
        self._judge: Any = None

    def __call__(self, batch: Any, params: Arrays, number: int, carry: Carry | None) -> tuple[float, Mapping[str, Any], Any]:
        """Return the loss of a batch, its gradients, and the carry after it.

        Raises:
            OperationError: the batch is no mapping, or the function returns something else.
            FeedError: a name is both fed and trained.
            ShapeError: the loss is not a number.
        """
        if not isinstance(batch, Mapping):
            raise OperationError(
                "L121", f"batch {number} is not a dict of feeds", expected='{"x": …, …}', got=repr(batch)[:80],
                fix="one dict of feeds for each step",
            )  # fmt: skip
        if both := [name for name in batch if name in params]:
            raise FeedError(
                "L113", f"{both[0]} is both fed and trained", node=both[0], got=f"{both[0]} in batch {number} and in params",
                fix="leave it out of one of them",
            )  # fmt: skip
        if self.carries:
            out, carry = self.call(**{"carry": carry, **batch}, **params)
        else:
            out = self.call(**batch, **params)
        if not isinstance(out, (tuple, list)) or len(out) != 2 or not isinstance(out[1], Mapping):
            raise OperationError(
                "L114", "step does not return a loss and its gradients", expected="(loss, {name: gradient})",
                got=repr(out)[:80], fix="step = ag.value_and_grad(loss)",
            )  # fmt: skip
        return check_loss(out[0]), out[1], carry

    def judge(self, feeds: Sequence[Any], params: Arrays) -> float:
        """Return the mean loss of some batches, without gradients where the equations are known; nothing is dropped out."""
        carry, losses = None, []
        for number, batch in enumerate(feeds):
            loss: Any
            if self.loss is None:
                loss, _, carry = self(batch, params, number, carry)
            else:
                self._judge = self._judge or self._make_judge(self.loss)
                found = self._judge(**({"carry": carry, **batch} if self.carries else batch), **params)
                (loss,), carry = found if self.carries else (found, None)
            losses.append(check_loss(loss))
        return float(np.mean(losses))

    def _make_judge(self, loss: Node) -> Callable[..., Any]:
        carry: Any = self.call.program.cut.axis if self.carries else False
        program: Any = compile(loss, carry=carry, **self._options)
        known = program.graph.inputs
        fixed = {"train": False} if known.get("train") is TRAIN else {}
        return lambda **given: program(**{**fixed, **given})

    def explain(self, batch: Mapping[str, Any], params: Arrays, carry: Carry | None) -> Finding | None:
        """Return the node and the step that made the first number that is not finite, if that can be found."""
        if self.loss is None:
            return None
        program: Any = getattr(self.call, "full", self.call)
        feeds = {**batch, **params}
        try:
            if self.carries:
                whole: Any = program.program
                carry = feeds.pop("carry", carry)
                if carry is not None:
                    return find_nan_in_part(whole.later, whole.make_feeds(carry, feeds))
                return find_nan_in_part(whole.first, feeds)
            return find_nan_in_part(program, feeds)
        except AutogradSeqError:  # it explains an error: that one is raised
            return None


def _compile(loss: Node, wrt: list[str], options: dict[str, Any]) -> Any:
    if any(name in options for name in _TRUNCATIONS):
        return bptt(loss, wrt, **options)
    if options.get("carry"):
        nodes = [Graph(loss)[name] for name in wrt]
        return ValueAndGrad(compile([loss, *grad(loss, nodes)], **options), wrt)
    return value_and_grad(loss, wrt, **options)


def _find_loss(step: Any) -> Node | None:
    program = getattr(getattr(step, "truncated", step), "program", None)
    graph = getattr(program, "graph", None)
    return graph.outputs[0] if isinstance(graph, Graph) else None


def check_loss(loss: Any) -> float:
    """Return a loss as a number.

    Raises:
        ShapeError, DTypeError: it is not one.
    """
    array = np.asarray(loss)
    if array.dtype.kind == "c":
        raise DTypeError("L148", "the loss is a complex number, of complex feeds or parameters", expected="a float",
                         got=f"an array of {array.dtype}", fix="feed real numbers: x.real, or two inputs")  # fmt: skip
    if array.shape or array.dtype.kind not in "fiub":
        raise ShapeError(
            "L116", "the loss is not a number", expected="a float without dimensions",
            got=f"an array of {array.dtype}, shape {array.shape}", fix="ag.mean(…, over=…) makes one number of them",
        )  # fmt: skip
    return float(array)


__all__ = ["OPTIONS", "Step", "Stepper", "check_loss"]
