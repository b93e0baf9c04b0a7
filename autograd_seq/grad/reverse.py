"""Reverse mode: the gradient of a folded graph is another folded graph.

The walk goes backwards through the step order, in which shift edges are cut. A node that some shift reads gets an adjoint
*state*, whose equation is written at the end: the sum of its contributions of the same step and, for every shift that reads it,
of the shift's adjoint, shifted the other way. That is backpropagation through time, as equations (Werbos 1990). A contribution
that varies over more axes than its target is summed over the extra ones: that is why a parameter's gradient is a sum over
time. The cotangent of an equilibrium's equation is an equilibrium too, closed with all contributions of those who read the
equilibrium, its own equation among them (Almeida 1987, Pineda 1987). On a graph without shifts (an eager expression, an
unrolled DAG) the same walk is plain reverse mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import GradientError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import stand_for
from autograd_seq.grad.live import Live
from autograd_seq.grad.rules import fit_cotangent, list_passed_by, pull_back
from autograd_seq.grad.truncate import Truncation, make_truncation
from autograd_seq.graph.order import get_rows, same_step, step_order
from autograd_seq.graph.targets import is_one_target, list_targets
from autograd_seq.ops.elementwise import cast, not_equal
from autograd_seq.ops.equilibrium import make_adjoint
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import broadcast_to
from autograd_seq.ops.state import EQUILIBRIUM, state
from autograd_seq.ops.steps import get_delay
from autograd_seq.ops.time import AT, SHIFT, SPREAD, spread


@overload
def grad(  # type: ignore[overload-overlap] # a name is a sequence of letters
    output: Node, wrt: Node | str, *, cotangent: Any = ..., keep: Axis | Sequence[Axis] = ..., over: Axis | None = ...,
    segment: int | None = ..., window: int | None = ..., every: int | None = ...,
) -> Node: ...  # fmt: skip


@overload
def grad(output: Node, wrt: Sequence[Node | str], *, cotangent: Any = ..., keep: Axis | Sequence[Axis] = ...,
         over: Axis | None = ..., segment: int | None = ..., window: int | None = ...,
         every: int | None = ...) -> list[Node]: ...  # fmt: skip


def grad(output: Node, wrt: Node | str | Sequence[Node | str], *, cotangent: Any = None, keep: Axis | Sequence[Axis] = (),
         over: Axis | None = None, segment: int | None = None, window: int | None = None,
         every: int | None = None) -> Node | list[Node]:  # fmt: skip
    """Return the gradient of ``output`` with respect to ``wrt``, as nodes of the adjoint graph.

    Args:
        output: a float scalar without axes; any float node if a cotangent is given.
        wrt: a node, or several, or their names: parameters, inputs, states, tensors, initial rows, or anything in between.
        cotangent: a value of the output's shape, if the output is not a scalar.
        keep: axes of the cotangent over which gradients are to vary, instead of being summed over them: one gradient for each
            point (of directions, of losses).
        over, segment, window, every: truncated backpropagation through time, as for :func:`autograd_seq.bptt`.

    Returns:
        A node (or a list of nodes, in the order of ``wrt``) with the shape and the axes of its target, and those of ``keep``;
        zeros if the output does not depend on the target. Gradients can be unrolled, drawn, and differentiated again.

    Raises:
        GradientError: the output is not a float scalar, or a node in ``wrt`` is not a float; something is no truncation, or
            the recurrence looks ahead along the truncated axis.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
        >>> h[t] = w * h[t - 1] + x[t]
        >>> dw = ag.grad(ag.sum(h, over=t), w)
        >>> [float(v) for v in ag.Graph(dw).evaluate(w=0.5, x=[1.0, 2.0, 3.0])]
        [4.0]

    Notes:
        The size of the result grows with the number of equations, not of steps. Method: adjoint of a system of recurrence
        equations, i.e. transposition of the signal-flow graph; Werbos 1990.
    """
    targets = list_targets([output], wrt)
    seed = _make_seed(output, cotangent)
    for x in targets:
        if not isinstance(x, Node) or x.dtype is not float:
            raise GradientError(
                "E103", f"{x!r:.60} is not a float node, and has no gradient", node=getattr(x, "name", None),
                expected="a float node", got=repr(x)[:80],
            )  # fmt: skip
    walk = _Adjoint(output, targets, as_axes(keep, "keep"))
    walk.truncation = make_truncation(walk.order, over, segment, window, every)
    _check_not_replaced(targets, walk.order)
    found = walk.run(seed)
    out = [_attach_gradient(found.get(x), x) for x in targets]
    return out[0] if is_one_target(wrt) else out


def _make_seed(output: Node, cotangent: Any) -> Node:
    if not isinstance(output, Node) or output.dtype is not float:
        raise GradientError(
            "E101", f"{output!r:.60} is not a float node, and has no gradient", expected="a float node", got=repr(output)[:80]
        )
    if cotangent is not None:
        g = constant(cotangent)
        return _lay_out(g if g.dtype is float else cast(g, float), output)
    if output.shape or output.axes:
        over = f"ag.sum(…, over={output.axes[0]})" if output.axes else "ag.sum(…)"
        raise GradientError(
            "E102", f"{label_of(output)} is not a scalar", node=output.name, where=output.where,
            expected="a scalar without axes", got=repr(output), fix=f"{over} makes one of it, or give cotangent=",
        )  # fmt: skip
    return constant(1.0)


def _check_not_replaced(targets: Sequence[Node], order: Sequence[Node]) -> None:
    """Refuse a target that ``ag.vmap`` has replaced, in the output's equations, by a node of the same name over more axes."""
    reached = set(order)
    strangers = [x for x in targets if x not in reached]
    named = {n.name: n for n in order if n.name} if strangers else {}
    for x in (*strangers, *step_order(strangers)):  # ag.vmap also replaces all nodes that depend on such a node
        other = named.get(x.name) if x.name and x not in reached else None
        if other is not None and other.op is x.op and set(x.axes) < set(other.axes):
            more = ", ".join(a.name for a in other.axes if a not in x.axes)
            raise GradientError(
                "E113", f"the output depends on {x.name} over {more}, not on this {x.name}", node=x.name, where=x.where,
                expected=repr(other), got=repr(x),
                fix="ag.vmap made another of it: differentiate before ag.vmap, or with respect to the new one, "
                f'ag.Graph(…).inputs["{x.name}"]' if other.op is INPUT
                else f"ag.vmap([…, {x.name}], over={more}) returns the new one too",
            )  # fmt: skip


def _lay_out(g: Node | None, like: Node) -> Node:
    """Return a cotangent with exactly the shape and axes of its target ``like``; zeros if there is none."""
    g = constant(0.0) if g is None else g
    return spread(broadcast_to(g, like.shape), like.axes)


def _attach_gradient(found: Node | None, x: Node) -> Node:
    """Return the gradient of ``x`` as a node with the layout of ``x``, even if it is the gradient of another node as well."""
    g = _lay_out(found, x)
    if g is not found:
        _mark_adjoint(g, x)
    if g.adjoint_of is not x and len(x.axes) > 1:
        g = SPREAD(g, axes=())
        g.adjoint_of = x
    return g


def _mark_adjoint(g: Node, node: Node) -> None:
    """Record of which node ``g`` is the cotangent, unless that is recorded already."""
    if g.adjoint_of is None and g.inputs:
        g.adjoint_of = node


def _add_up(parts: list[Node]) -> Node:
    """Add up contributions: two by an addition, more by one n-ary sum."""
    if len(parts) <= 2:
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]
    return sum_over(*parts, axes=())


class _Adjoint:
    """One backward walk: the contributions to each node, and the adjoint states whose equations are still to be written."""

    def __init__(self, output: Node, targets: Sequence[Node], keep: tuple[Axis, ...]) -> None:
        self.order, self.keep = step_order([output]), keep
        self.truncation: Truncation | None = None
        self.output = output
        self.needed = self._find_reached(targets)
        self.parts: dict[Node, list[Node]] = {}
        self.passed = {x for x in targets if x.op.stable_log}  # targets that the stable form of a logarithm may bypass
        self.aside: dict[Node, list[Node]] = {}
        self.states: dict[Node, Node] = {}
        self.readers: dict[Node, list[Node]] = {}  # at other steps
        for n in self.order:
            if get_delay(n) and n in self.needed and n.inputs[0] in self.needed:
                self.readers.setdefault(n.inputs[0], []).append(n)
        self.settled = [n for n in self.order if n.op is EQUILIBRIUM and n in self.needed]
        self.live = Live(always={*self.readers, *self.settled})

    def _find_reached(self, targets: Sequence[Node]) -> set[Node]:
        """Return the float nodes that depend on a target: the others need no cotangent."""
        readers: dict[Node, list[Node]] = {}
        for n in self.order:
            for x in (*n.inputs, *same_step(n)):
                readers.setdefault(x, []).append(n)
        needed, stack = set(targets), list(targets)
        while stack:
            for n in readers.get(stack.pop(), ()):
                if n not in needed and n.dtype is float:
                    needed.add(n)
                    stack.append(n)
        return needed

    def run(self, seed: Node) -> dict[Node, Node]:
        cut = self.truncation
        if cut is not None:
            for n in self.order:
                if n in self.needed:
                    cut.check(n)
        if self.output in self.needed:
            self.parts[self.output] = [self._fit(seed, self.output)]
            if seed._value is not None and not np.all(seed._value):
                self.live.meet(self.output, not_equal(seed, 0.0))
        for node in self.settled:
            self.states[node] = g = make_adjoint(node, (*node.axes, *self._list_more_axes(node)))
            g.adjoint_of = node
            self._add(node.inputs[0], g)
        found: dict[Node, Node] = {}
        for node in reversed(self.order):
            parts = self.parts.get(node, [])
            if node in self.states:
                g = self.states[node]
            elif node in self.readers:
                self.states[node] = g = state(None, node.shape, over=(*node.axes, *self._list_more_axes(node)))
                g.adjoint_of = node
            elif parts and node in self.needed:
                g = _add_up(parts)
            else:
                continue
            found[node] = g
            with stand_for(node.site):
                self._pull(node, g)
        wanted = found | {x: _add_up([*([found[x]] if x in found else []), *parts]) for x, parts in self.aside.items()}
        for node, adjoint in self.states.items():
            back = [node_back for h in self.readers.get(node, ()) if h in found
                    for node_back in self._pull_from_step(h, found[h])]  # fmt: skip
            closing = [self._fit(p, node) for p in (*self.parts.get(node, []), *back)]
            adjoint[adjoint.axes] = _add_up(closing) if closing else constant(0.0)
        if cut is not None:
            wanted = {x: cut.leave(g) for x, g in wanted.items()}
        before = set(self.order)
        for node, g in sorted(wanted.items(), key=lambda item: not item[0].name):  # those of what has a name come first
            if g not in before:
                _mark_adjoint(g, node)
        return wanted

    def _list_more_axes(self, node: Node) -> tuple[Axis, ...]:
        """Return the axes over which the cotangent of a node varies and the node does not."""
        cut = self.truncation
        aged = cut is not None and cut.age is not None and cut.over in node.axes
        return (*(a for a in self.keep if a not in node.axes), *((cut.age,) if aged and cut and cut.age else ()))

    def _fit(self, part: Any, x: Node) -> Node:
        """Return a contribution with the layout of its target; a truncated one that comes from a loss has the age 0."""
        part = fit_cotangent(part, x, self._list_more_axes(x))
        return self.truncation.enter(part) if self.truncation is not None and self.truncation.over in x.axes else part

    def _pull_from_step(self, reader: Node, g: Node) -> Sequence[Any]:
        """Return what the cotangent of a read of another step adds to that of the value which is read."""
        cut = self.truncation
        return pull_back(reader, g)[:1] if cut is None or reader.attrs["axis"] is not cut.over else cut.move(reader, g)

    def _pull(self, node: Node, g: Node) -> None:
        if self.truncation is not None and self.truncation.over not in node.axes:
            g = self.truncation.leave(g)
        g = _spread_over_points(g, node)
        if node.op is rewritten and self.passed:
            for x, part in list_passed_by(g, node, _spread_over_points, fit_cotangent, lambda x: x):
                if x in self.passed:
                    self.aside.setdefault(x, []).append(part)
        if get_delay(node):  # the step that it reads is closed at the end
            for row, part in _list_row_cotangents(node, g) if node.op is SHIFT else ():
                self._add(row, part)
            return
        if not node.inputs:
            return
        for x, part in zip(node.inputs, self.live.pull(node, g), strict=True):
            if part is not None:
                self._add(x, part)

    def _add(self, x: Node, part: Any) -> None:
        if x in self.needed and x.dtype is float:
            self.parts.setdefault(x, []).append(self._fit(part, x))


def _spread_over_points(g: Node, node: Node) -> Node:
    """Return a cotangent spread over all axes of its node, so operands without some of them get a term for each point."""
    read = same_step(node) if node.op is SHIFT else node.inputs
    return spread(g, [a for a in node.axes if any(a not in x.axes for x in read)])


def _list_row_cotangents(node: Node, g: Node) -> list[tuple[Node, Node]]:
    """Return (row, cotangent) for each row that a shift reads: the shift's cotangent at the steps that read the row."""
    axis, by = node.attrs["axis"], node.attrs["by"]
    if node.attrs["outside"] == "zero":
        return []
    bound, given = get_rows(node.inputs[0], axis, "init" if by > 0 else "final")
    if bound is None:
        return []
    g, k = spread(g, axis), abs(by)

    def read(step: int) -> Node:
        return AT(g, axis=axis, index=step, outside="zero", **({"row": True} if by > 0 else {}))

    # a row for all: s₋ₖ … s₋₁ are read at steps 0 … k−1, s_T … at steps −k … −1; rows of a list count from the near end
    if bound.rows is None:
        return [(given[0], read(i if by > 0 else -1 - i)) for i in range(k)]
    if by > 0:
        return [(given[len(given) - j], read(k - j)) for j in range(1, k + 1)]
    return [(given[r], read(r - k)) for r in range(k)]


FUNCTIONS.update(grad=grad)


explain_keywords(globals(), ["grad"])
