"""The equations of one step: a graph without some of its axes, whose shifts read the rows outside of that step.

The unroller treats all axes at every point; here some axes are treated at their only point, and the result is a folded graph
over the other axes, with the loops along them. A stream runs it, and so does a program for a batch of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.kinds import ZERO
from autograd_seq.core.node import Node, apply, constant
from autograd_seq.graph.checks import make_too_short_error
from autograd_seq.graph.order import get_rows
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.graph.stops import find_tied
from autograd_seq.graph.system import System
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.elementwise import cast, less_equal, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import DRAW, number_draws
from autograd_seq.ops.reduce import sum as sum_
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import broadcast_to, reshape
from autograd_seq.ops.softmax import level_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.steps import RECEIVE, SEND, TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE, SPREAD, spread
from autograd_seq.sequences.rows import drop_rows


def make_one_step(graph: System, *over: Axis) -> list[Node]:
    """Return the outputs of a graph on a sequence of one step, as equations that do not vary over its axis.

    Args:
        graph: the equations.
        over: the axis of the steps, or several with one step each; axes that ``along`` makes equally long are included.

    Returns:
        The outputs. Inputs that varied over the axes keep their names, and are fed one step, without the axes.

    Raises:
        AxisError: a step is picked that a sequence of one does not have.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, s = ag.input("x", over=t), ag.state("s", over=t, init=ag.input("row"))
        >>> s[t] = 0.5 * s[t - 1] + x[t]
        >>> (now,) = make_one_step(ag.Graph(s), t)
        >>> now.axes, ag.Graph(now).evaluate(x=3.0, row=2.0)
        ((), (array(4.),))

    Notes:
        Linear in the number of nodes.
    """
    return _AtOneStep(spell_out_windows(graph), over).outputs


class _AtOneStep:
    def __init__(self, graph: System, over: Sequence[Axis]) -> None:
        self.graph, self.gone = graph, find_tied(graph.nodes, over)
        # States that loops along other axes read; of other states only the equation remains.
        self.looped = {n.inputs[0] for n in graph.nodes if n.op is SHIFT and n.attrs["axis"] not in self.gone}
        self.theirs = set(graph.nodes)
        self.image: dict[Node, Node] = {}
        self.outputs = rebuild(
            graph.outputs, self._rule, self._replace_state, axes=lambda node: self._drop_axes(node.axes), image=self.image,
            shifts=self._replace_shift,
        )  # fmt: skip
        for old, new in self.image.items():
            if old.op is STATE and new.op is STATE:
                drop_rows(new, lambda b: b.axis in self.gone)

    def _drop_axes(self, axes: Sequence[Axis]) -> tuple[Axis, ...]:
        return tuple(a for a in axes if a not in self.gone)

    def _replace_shift(self, old: Node, new: Node) -> Node:
        """Return what replaces a shift: at the only step it always reads a row."""
        axis, by = old.attrs["axis"], old.attrs["by"]
        if axis not in self.gone:
            return new
        bound, given = (None, ()) if old.attrs["outside"] == "zero" else get_rows(
            old.inputs[0], axis, "init" if by > 0 else "final")  # fmt: skip
        if bound is None:
            return self._make_number(old, 0)
        row = given[0 if bound.rows is None else -by if by > 0 else -by - 1]
        return spread(self.image[row], self._drop_axes(old.axes))

    def _replace_state(self, old: Node, new: Node, equation: Node) -> Node:
        if old in self.looped:
            return new
        if equation not in self.theirs:
            copy_name(old, equation)
        return spread(equation, self._drop_axes(old.axes))

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        made = self._change(node, inputs)
        if made is not None and not any(made is x for x in inputs) and made.name is None and made._value is None:
            made.name, made.site, made.scope, made.adjoint_of = node.name, node.site, node.scope, node.adjoint_of
        return made

    def _change(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        attrs, mine = node.attrs, node.attrs.get("axis") in self.gone
        if node.op is INPUT and self.gone & set(node.axes):
            return Node(INPUT, (), attrs, node.shape, node.dtype, self._drop_axes(node.axes), name=node.name, site=node.site,
                        scope=node.scope)  # fmt: skip
        if node.op is SPREAD:
            return spread(inputs[0], self._drop_axes(attrs["axes"]))
        if node.op in (INDEX, SIZE) and mine:
            return self._make_number(node, int(node.op is SIZE))
        if "of" in attrs:
            return apply(node.op, **{**attrs, "of": self._drop_axes(attrs["of"]), "among": self._drop_axes(attrs["among"])})
        if node.op is AT and mine:
            return self._replace_at(node, inputs[0])
        if node.op is ALONG and mine:
            return inputs[0]
        if node.op in (TAKE_STEP, SEND, RECEIVE) and self.gone & {attrs["axis"], *attrs.get("axes", ())}:
            return self._replace_named(node, inputs)
        if node.op.reduces_axes and self.gone & set(attrs["axes"]):
            kept = self._drop_axes(attrs["axes"])
            several = kept or len(inputs) > 1 or node.op is level_over  # level_over is 0 where its operand is infinite
            return apply(node.op, *inputs, **{**attrs, "axes": kept}) if several else cast(inputs[0], node.dtype)
        if node.op is DRAW and self.gone & set(attrs["over"]):
            for axis in [a for a in attrs["over"] if a in self.gone]:
                node = number_draws(node, axis, constant(0), inputs)
                inputs = node.inputs
            return node
        return None

    def _replace_named(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """Return a read of the only step, or what is sent to it; there is no earlier one."""
        x, attrs = inputs[0], node.attrs
        axes = self._drop_axes(attrs.get("axes", ()))
        if attrs["axis"] not in self.gone:
            return apply(node.op, *inputs, **{**attrs, "axes": axes})
        if attrs["earlier"]:
            return self._make_number(node, 0)
        if node.op is RECEIVE:
            first = tuple(range(-x.ndim, attrs["index_rank"] - x.ndim))
            x = sum_(x, first) if first else x
            return sum_over(x, axes=axes) if axes else x
        named = less_equal(0, reshape(inputs[1], (*inputs[1].shape, *(1,) * (node.ndim - inputs[1].ndim))))
        return where(named, broadcast_to(x, node.shape), ZERO[x.dtype])

    def _replace_at(self, node: Node, x: Node) -> Node:
        if node.attrs["index"] in (0, -1):
            return x
        if node.attrs["outside"] == "error":
            raise make_too_short_error(node, 1, self.graph.name)
        return self._make_number(node, 0)

    def _make_number(self, node: Node, value: int) -> Node:
        return spread(constant(np.full(node.shape, value, node.dtype)), self._drop_axes(node.axes))
