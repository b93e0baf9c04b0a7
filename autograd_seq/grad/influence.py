"""Real-time recurrent learning: the influence of parameters on states is carried forward, as further states of the equations.

The influence of a parameter p on a state s is M_t = ds_t/dp, with M_t = Σ J M_{t-k} + I: J is the Jacobian of the step with
respect to what it reads k steps earlier, I the derivative with respect to the parameter within the step. So the gradient of the
loss of a step, (dL_t/ds_t) M_t, is there at that step, and nothing of the past is stored (Williams & Zipser 1989).

Dimensions of s that are locked to dimensions of p (:mod:`autograd_seq.grad.sparsity`) are not stored twice: where each unit
reads its own past alone, the influence has the shape of the parameter. SnAp-1 keeps what is not zero after one step, and drops
the rest (Menick, Elsen, Evci, Osindero, Simonyan & Graves 2020).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import reduce
from operator import add

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node, constant
from autograd_seq.grad.jacobian import StepJacobian, derive, list_free
from autograd_seq.grad.labelled import Labelled, lay_out, multiply
from autograd_seq.grad.one_step import OneStep
from autograd_seq.grad.reverse import grad
from autograd_seq.grad.sparsity import Locks, compose, list_dimensions
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import broadcast_to
from autograd_seq.ops.state import STATE, state
from autograd_seq.ops.time import SHIFT, shift, spread

Pair = tuple[Node, Node]
"""A source and a parameter; or a source and an input of the cut equations."""
Dimensions = dict[int, int]
"""Locked dimensions of a value, and to which of a leaf each is locked."""


class Influence:
    """The influence of parameters on what steps hand on, as states.

    Args:
        step: the equations of a step.
        wrt: the parameters.
        names: what the sources are called.
        exact: whether all of the influence is carried, or only what is there after one step (SnAp-1).

    Attributes:
        states: what is carried.
        influence: that of each pair (source, parameter) between which there is one: the dimensions of the source that are
            not locked, then those of the parameter, over the axes of both.
    """

    def __init__(self, step: OneStep, wrt: Sequence[Node], names: Sequence[str], exact: bool) -> None:
        self.step, self.wrt = step, list(wrt)
        self.names = dict(zip(step.sources, names, strict=True))
        self.direct = step.find_pairs(self.wrt)
        self.jacobian = step.find_pairs([*step.reads])
        self.rows = {
            (row, p): locks[row]
            for p in self.wrt
            for locks in [step.find_locks(p)]
            for x in step.sources
            for row in step.list_rows(x)[1]
            if row in locks
        }
        self.locks = self._find_influence(exact)
        step.check_apart(self.locks)
        self.blocks = StepJacobian(step, list(dict.fromkeys(leaf for _, leaf in self.direct | self.jacobian)))
        used = {read for _, read in self.jacobian} | {*step.list_reached()}
        self.read = [n for read, n in step.reads.items() if read in used]  # the reads of earlier steps that have a gradient
        self.influence = {pair: self._declare(*pair) for pair in self.locks}
        for (x, p), influence in self.influence.items():
            influence[influence.axes] = self._write_equation(x, p)
        self.states = [s for (x, _), s in self.influence.items() if any(n.inputs[0] is x for n in self.read)]

    def _find_influence(self, exact: bool) -> dict[Pair, Locks]:
        """Return the pairs between which there is an influence, and how the source is locked to the parameter in it."""
        found: dict[Pair, Locks] = dict(self.direct)

        def meet(pair: Pair, locks: Locks) -> bool:
            before = found.get(pair)
            found[pair] = locks if before is None else before & locks
            return found[pair] != before

        for x in self.step.sources:
            for row in self.step.list_rows(x)[1]:
                for p in self.wrt:
                    if (row, p) in self.rows:
                        for same in self._list_same(x):
                            meet((same, p), self.rows[row, p])
        changed = exact
        while changed:
            changed = False
            for (x, read), outer in self.jacobian.items():
                source = self.step.reads[read].inputs[0]
                for p in self.wrt:
                    if (source, p) in found:
                        changed |= meet((x, p), compose(outer, found[source, p]))
        return found

    def _list_same(self, x: Node) -> list[Node]:
        """Return the sources of the same value as one of them: shifts with rows of their own read it as a state of theirs."""
        return [other for other in self.step.sources if _find_equation(other) is _find_equation(x)]

    def _declare(self, x: Node, p: Node) -> Node:
        one, rows = self.step.list_rows(x)
        reach = max((n.attrs["by"] for n in self.read if n.inputs[0] is x and n.attrs["outside"] == "bounds"), default=0)
        shape = self.get_shape(x, p)
        init = None
        if reach and any((row, p) in self.rows for row in rows):
            made = [self._expand(row, x, p) for row in rows]
            init = {self.step.axis: made[0] if one else made[len(made) - reach :]}
        return state(f"∂{self.names[x]}/∂{p.name}", shape, over=join(x.axes, p.axes), init=init)

    def get_shape(self, x: Node, p: Node) -> tuple[int, ...]:
        """Return the shape of the influence of a parameter on a source."""
        return (*(x.shape[d] for d in list_free(x, list_dimensions(self.locks[x, p]))), *p.shape)

    def _write_equation(self, x: Node, p: Node) -> Node:
        locked = list_dimensions(self.locks[x, p])
        parts = [self.blocks.get(self.step.values[x], p, locked)] if (x, p) in self.direct else []
        for read, n in self.step.reads.items():
            if (x, read) in self.jacobian and (n.inputs[0], p) in self.influence:
                parts.append(sum_to(self._push(x, read, p), join(x.axes, p.axes)))
        return add_up(parts, self.get_shape(x, p))

    def _expand(self, row: Node, x: Node, p: Node) -> Node:
        """Return the derivative of a row with the dimensions of the influence on its source ``x``."""
        if (row, p) not in self.rows:
            return constant(np.zeros(self.get_shape(x, p)))
        own = list_dimensions(self.rows[row, p])
        return expand(derive(row, [p], list_free(row, own))[0], own, list_dimensions(self.locks[x, p]), x, p)

    def _push(self, x: Node, read: Node, p: Node) -> Node:
        """Return what the influence on an earlier step adds to that on ``x``, through the Jacobian of the step."""
        source = self.step.reads[read].inputs[0]
        own, target = list_dimensions(self.jacobian[x, read]), list_dimensions(self.locks[x, p])
        to = {k: d for d, k in list_dimensions(self.locks[source, p]).items()}
        own |= {d: to[k] for d, k in target.items() if d not in own and k in to and to[k] not in own.values()}
        block = self.blocks.get(self.step.values[x], read, own)  # of which the diagonal alone is kept
        return self._multiply(block, own, target, x, self.step.reads[read], p)

    def _pull(self, cotangent: Node, read: Node, p: Node) -> Node:
        """Return what the cotangent of a source, or of an earlier step of one, says of a parameter."""
        return self._multiply(cotangent, {}, {}, constant(0.0), read, p)

    def differentiate(self) -> list[Node]:
        """Return the gradient of the loss of each step, over the axis of the steps."""
        cotangents, direct = list_cotangents(self.step, self.wrt)
        found = []
        for p, g in zip(self.wrt, direct, strict=True):
            parts = [g]
            for read, cotangent in cotangents:
                source = read if read in self.names else read.inputs[0]
                if (source, p) in self.influence:
                    parts.append(sum_to(self._pull(cotangent, read, p), (self.step.axis, *p.axes)))
            found.append(mark(spread(add_up(parts, p.shape), self.step.axis), p))
        return found

    def _multiply(self, J: Node, own: Dimensions, target: Dimensions, x: Node, read: Node, p: Node) -> Node:
        source = read.inputs[0] if read.op is SHIFT and read not in self.names else read
        influence = self.influence[source, p] if read is source else read_earlier(self.influence[source, p], read)
        return push(J, own, target, x, influence, list_dimensions(self.locks[source, p]), source, p)


def _find_equation(x: Node) -> Node:
    while x.op is STATE:
        x = x.inputs[0]
    return x


def expand(derivative: Node, own: Dimensions, target: Dimensions, x: Node, p: Node) -> Node:
    """Return the derivative of ``x`` by a parameter with the dimensions that ``target`` leaves, instead of those of ``own``."""
    of_x: list[Hashable] = [("p", own[d]) if d in own else ("x", d) for d in range(x.ndim)]
    of_p: list[Hashable] = [("p", k) for k in range(p.ndim)]
    block = Labelled(derivative, (*(of_x[d] for d in list_free(x, own)), *of_p))
    free = list_free(x, target)
    return broadcast_to(lay_out(block, [*(of_x[d] for d in free), *of_p]), (*(x.shape[d] for d in free), *p.shape))


def push(J: Node, own: Dimensions, target: Dimensions, x: Node, influence: Node, inner: Dimensions, source: Node,
         p: Node) -> Node:  # fmt: skip
    """Return what the influence of a parameter on a source adds to that on ``x``.

    Args:
        J: the derivative of ``x`` by the source, with the dimensions that ``own`` leaves, then those of the source.
        own: dimensions of ``x`` that are locked to some of the source.
        target: those that are locked to some of the parameter in the result; what is off that diagonal is dropped.
        x: the value, of which the shape is read.
        influence: that on the source, with the dimensions that ``inner`` leaves, then those of the parameter.
        inner: dimensions of the source that are locked to some of the parameter.
        source, p: nodes of which the shapes are read.
    """
    of_source = [("p", inner[d]) if d in inner else ("source", d) for d in range(source.ndim)]
    of_x = [of_source[own[d]] if d in own else ("x", d) for d in range(x.ndim)]
    of_p = [("p", k) for k in range(p.ndim)]
    left = Labelled(J, (*(of_x[d] for d in list_free(x, own)), *of_source))
    right = Labelled(influence, (*(of_source[d] for d in list_free(source, inner)), *of_p))
    for d, k in target.items():
        old, new = of_x[d], of_p[k]
        left, right = left.rename(old, new), right.rename(old, new)
        of_x, of_p = ([new if label == old else label for label in some] for some in (of_x, of_p))
    free = list_free(x, target)
    wanted = [*(of_x[d] for d in free), *of_p]
    return broadcast_to(lay_out(multiply(left, right, wanted), wanted), (*(x.shape[d] for d in free), *p.shape))


def read_earlier(x: Node, like: Node) -> Node:
    """Return a value at the step at which a shift reads another one, with its own rows before the first step."""
    axis, by = like.attrs["axis"], like.attrs["by"]
    return SHIFT(x, axis=axis, by=by, outside="zero") if like.attrs["outside"] == "zero" else shift(x, axis, by)


def add_up(parts: list[Node], shape: tuple[int, ...]) -> Node:
    """Return the sum of parts; zeros of a shape if there are none."""
    return reduce(add, parts) if parts else constant(np.zeros(shape))


def list_cotangents(step: OneStep, wrt: Sequence[Node]) -> tuple[list[tuple[Node, Node]], list[Node]]:
    """Return how the loss of a step depends, within the step, on what it reads and on parameters.

    Returns:
        Pairs of a source, or a shift of one, and its cotangent; and for each parameter its gradient within the step.
    """
    reached = set(step.list_reached())
    leaves = [x for x in (*step.now, *step.reads) if x in reached]
    found = grad(step.cut_loss, [*leaves, *wrt], cotangent=constant(1.0), keep=step.axis)
    restored = step.restore(found)
    sources = [step.now[x] if x in step.now else step.reads[x] for x in leaves]
    return [*zip(sources, restored[: len(leaves)], strict=True)], restored[len(leaves) :]


def join(axes: Sequence[Axis], more: Sequence[Axis]) -> tuple[Axis, ...]:
    """Return the axes of both."""
    return tuple(dict.fromkeys((*axes, *more)))


def mark(g: Node, p: Node) -> Node:
    """Return a node that is called the gradient of a parameter, unless it has a name of its own."""
    if g.inputs and g.adjoint_of is None and g.name is None:
        g.adjoint_of = p
    return g


def sum_to(x: Node, axes: Sequence[Axis]) -> Node:
    """Return the sum over all axes but some."""
    gone = tuple(a for a in x.axes if a not in axes)
    return sum_over(x, axes=gone) if gone else x


__all__ = ["Influence", "add_up", "expand", "join", "list_cotangents", "mark", "push", "read_earlier", "sum_to"]
