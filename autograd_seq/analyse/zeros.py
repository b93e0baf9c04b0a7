"""Why a gradient is zero: the first operations, on the way back from the loss, that pass nothing on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd_seq.analyse.backwards import list_rounds, pull, settle
from autograd_seq.analyse.nonfinite import find_origins
from autograd_seq.analyse.uses import copy_for_each_step, copy_state
from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, GradientError
from autograd_seq.core.facts import EACH, TOGETHER
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of, write_call, write_expression
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.eager import fit_array
from autograd_seq.grad.reverse import grad
from autograd_seq.grad.rules import list_passed_by
from autograd_seq.graph import feeds
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import find_dependents, postorder
from autograd_seq.ops.elementwise import where
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import BROADCAST_TO
from autograd_seq.ops.softmax import SOFTMAX
from autograd_seq.ops.state import EQUILIBRIUM, STATE
from autograd_seq.ops.time import SPREAD
from autograd_seq.sequences.lengths import read_padded_call

_SHOWN = 3
"""How many places the sentence names."""


@dataclass(frozen=True, repr=False)
class Why:
    """Why a gradient is zero. Returned by :func:`why_zero`; it prints as a sentence.

    Attributes:
        reason: ``"outside"`` (no such step), ``"no path"``, ``"detached"`` (``ag.stop_gradient``, integers), ``"truncated"``,
            ``"masked"`` (a factor of 0, or the branch of a ``where`` that is not taken), ``"saturated"`` (an operation whose
            slope is 0 there), ``"vanished"`` (too small for the width of the numbers), ``"cancelled"``,
            ``"not finite"`` (NaN on the way); or ``"not zero"``.
        of: what is derived, by what, in words.
        size: the largest entry of the gradient, without sign.
        places: where it ends, those nearest to the loss first: what happens there, with values, steps and lines.
    """

    reason: str
    of: str
    size: float
    places: tuple[str, ...]

    def __repr__(self) -> str:
        if self.reason == "not zero":
            return f"{self.of} is not 0: its largest entry is {self.size:.4g}"
        shown = [f"{self.of} is 0, {self.reason}: {'; '.join(self.places[:_SHOWN])}"]
        if len(self.places) > _SHOWN:
            more = len(self.places) - _SHOWN
            shown.append(f"and {more} other place{'s' if more > 1 else ''}")
        return make_printable(", ".join(shown))


def why_zero(loss: Node, node: Node, step: int | None = None, /, *, over: Axis | None = None, segment: int | None = None,
             window: int | None = None, every: int | None = None, lengths: Any = None, **given: Any) -> Why:  # fmt: skip
    """Say why a loss does not change with a node at a step.

    Args:
        loss: a float node; what it varies over, and its entries, are added up.
        node: a state, an input, or anything in between that varies over the steps; or what all steps share (a parameter, an
            initial row), whose use at the step is meant.
        step: the step; ``None`` for a node without steps as a whole.
        over: the axis of the steps, if the node varies over several.
        segment, window, every: truncation, as for :func:`ag.bptt`.
        lengths: of padded sequences, as for :class:`Program`.
        given: the feeds.

    Returns:
        A :class:`Why`, which prints as a sentence.

    Raises:
        GradientError: the loss or the node is not a float.
        AxisError: it is not clear along which axis the step is.
        EquilibriumError: an equilibrium does not settle.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, s = ag.input("x", over=t), ag.state("s", over=t)
        >>> s[t] = ag.tanh(s[t - 1] + x[t])
        >>> L = ag.last(s, over=t).named("L")
        >>> print(ag.why_zero(L, s, 0, x=[0.1, 40.0, 0.1]))  # doctest: +ELLIPSIS
        ∂L/∂s at t = 0 is 0, saturated: s = tanh(s[t - 1] + x[t]) is 1 at t = 1 (...:1)
        >>> print(ag.why_zero(L, s, 0, segment=2, x=[0.1, 0.1, 0.1]))
        ∂L/∂s at t = 0 is 0, truncated: cut by segment=2; in full its largest entry is 0.8811
        >>> print(ag.why_zero(L, s, 0, x=[0.1, 0.1, 0.1]))
        ∂L/∂s at t = 0 is not 0: its largest entry is 0.8811

    Notes:
        It runs the unrolled graph, slowly, and keeps all values and cotangents.
    """
    _check_floats(loss, node)
    over = _find_axis(loss, node, step, over)
    total = sum_of(loss) if loss.ndim else loss
    total = sum_over(total, axes=total.axes) if total.axes else total
    place = "" if step is None or over is None else f" at {over} = {step}"
    of = f"∂{loss.name or 'loss'}/∂{_describe(node)}{place}"
    target = node
    if over is not None and over not in node.axes:
        (total,), target = copy_for_each_step([total], node, over)
    elif node.op is STATE:
        (total,), target = copy_state([total], node)
    graph, fed, known = Graph(total, target), given, dict[Axis, np.ndarray]()
    if lengths is not None:
        said, made, fed = read_padded_call(graph, lengths, given)
        graph, known = Graph(made.outputs[0], made.image[target]), said.arrays
    sizes, data = feeds.split_sizes(graph, fed)
    if over is not None and step is not None:
        steps = int(np.max(known.get(over, sizes[over.name]), initial=0))
        if not 0 <= step < steps:
            return Why("outside", of, 0.0, (_describe_outside(over, step, steps),))
    found = _Zero(graph, graph.unroll(**sizes), data, over, step).explain(of, _describe(node))
    cut: dict[str, Any] = {name: n for name, n in (("segment", segment), ("window", window), ("every", every)) if n is not None}
    if found.reason != "not zero" or not cut:
        return found
    part = Graph(total, grad(total, target, over=over, **cut)).evaluate(lengths=lengths, **given)[1]
    if over is not None and step is not None:
        part = np.take(part, step, Graph(total, target).layout(target).index(over))
    return _compare_truncated(found, part, cut)


def _compare_truncated(full: Why, part: np.ndarray, cut: dict[str, int]) -> Why:
    """Return the verdict on a truncated gradient, given that on the full one, which is not 0."""
    if np.any(part):
        return Why("not zero", full.of, float(np.max(np.abs(part))), ())
    said = ", ".join(f"{name}={n}" for name, n in cut.items())
    return Why("truncated", full.of, 0.0, (f"cut by {said}; in full its largest entry is {full.size:.4g}",))


def _describe(node: Node) -> str:
    """Return the name of a node; of one without a name what it computes."""
    text = node.name or write_expression(node)
    return f"({text})" if node.name is None and not text.isidentifier() else text


def _check_floats(loss: Any, node: Any) -> None:
    for x in (loss, node):
        if not isinstance(x, Node) or x.dtype is not float:
            raise GradientError(
                "E139", f"{repr(x)[:60]} is not a float node, and has no gradient", where=show_site(user_site()),
                expected="a float node", got=repr(x)[:80],
            )  # fmt: skip


def _find_axis(loss: Node, node: Node, step: int | None, over: Axis | None) -> Axis | None:
    """Return the axis along which a step is meant; ``None`` for a node as a whole."""
    axes = node.axes or tuple(dict.fromkeys(a for n in postorder([loss], lambda n: n.inputs) for a in n.axes))
    if over is None and step is None and not node.axes:
        return None
    if step is not None and not hasattr(step, "__index__"):
        raise AxisError("Q132", f"{step!r:.60} is not a step", node=node.name, where=show_site(user_site()),
                        expected="an integer, counted from 0", got=repr(step)[:80])  # fmt: skip
    if over is None and step is not None and len(axes) == 1:
        return axes[0]
    if over is not None and step is not None and (over in axes or not node.axes):
        return over
    raise AxisError(
        "Q122", f"{label_of(node)} varies over {', '.join(a.name for a in node.axes) or 'no axis'}, and its step is not clear",
        node=node.name, where=show_site(user_site()), expected="a step, and along which axis", got=f"{step}, over={over}",
        fix=f"ag.why_zero(loss, {node.name or 'node'}, 0, over={axes[0] if axes else 't'}, …)",
    )  # fmt: skip


def _describe_outside(over: Axis, step: int, steps: int) -> str:
    if not steps:
        return f"there is no step of {over}"
    if step < 0:
        return f"before the first step {over} = 0 there are initial rows; ask for the row that init= names"
    return f"the last step is {over} = {steps - 1}"


class _Zero:
    """A walk back through an unrolled graph and its values, which keeps what each operation passes to each operand."""

    def __init__(self, graph: Graph, dag: DAG, data: dict[str, Any], over: Axis | None, step: int | None) -> None:
        self.graph, self.values = graph, dag.every(data, strict=True)
        self.origin, self.loss = find_origins(graph, dag), dag.outputs[0].nodes[0]
        target = graph.outputs[1]
        at = None if over is None else graph.layout(target).index(over)
        points = dict(dag.points(target))
        self.others = {p[at]: n for p, n in points.items()} if at is not None else {}
        self.targets = {n for p, n in points.items() if at is None or p[at] == step}
        order = postorder([self.loss], lambda n: n.inputs)
        self.reached = set(order)
        self.on_path = find_dependents(order, [n for n in self.targets if n in self.reached])
        self.order = [n for n in order if n in self.on_path]
        self.rounds, self.settled = list_rounds(self.order), set[Node]()
        self.names = {_get_equation(n): n.name for n in graph.nodes if n.op is STATE and n.name}

    def explain(self, of: str, name: str) -> Why:
        if not any(n in self.reached for n in self.targets):
            return Why("no path", of, 0.0, (self._describe_reach(name),))
        cotangents, ends = self._walk()
        size = max(float(np.max(np.abs(cotangents.get(n, 0.0)), initial=0)) for n in self.targets)
        if size or np.isnan(size):
            return Why("not zero", of, size, ())
        ends = ends or [("detached", f"{self._show(n)} is not a float", n) for n in self.order[::-1] if n.dtype is not float]
        texts: dict[tuple[str, str], list[Node]] = {}
        for reason, text, n in ends:
            texts.setdefault((reason, text), []).append(n)
        places = [(reason, text + self._say_where(nodes)) for (reason, text), nodes in texts.items()]
        reasons = dict.fromkeys(reason for reason, _ in places)
        first = next(iter(reasons))
        return Why(first, of, 0.0, tuple(text if reason == first else f"{reason}: {text}" for reason, text in places))

    def _walk(self) -> tuple[dict[Node, Any], list[tuple[str, str, Node]]]:
        """Return the cotangents, and for each operation that ends the way what happens there."""
        found: dict[Node, Any] = {self.loss: np.ones_like(self.values[self.loss])}
        arrived: dict[Node, bool] = {}
        ends: list[tuple[str, str, Node]] = []
        starts: list[tuple[str, str, Node]] = []  # of iterations, which are the reason where there is no other one
        passed: list[tuple[Node, Any]] = []  # what the stable form of a logarithm bypasses
        with np.errstate(all="ignore"):
            for n in self._list_backwards(found):
                g = found.get(n)
                if g is None or not np.any(g):
                    if arrived.get(n):
                        ends.append(("cancelled", f"what reaches {self._show(n)} adds up to 0", n))
                    continue
                if n.op is rewritten:
                    passed += list_passed_by(g, n, lambda g, x: g, fit_array, self.values.get)
                for k, part in self._pull(n, g):
                    x = n.inputs[k]
                    if x in self.settled:  # whose cotangent is complete: this is its own share
                        continue
                    if part is not None and np.any(part):
                        arrived[x] = True
                        found[x] = found[x] + part if x in found else part
                    else:
                        (starts if part is None and n.op is EQUILIBRIUM else ends).append((*self._judge(n, k, g, part), n))
        for x, part in passed:
            if x in self.targets:
                found[x] = found.get(x, 0.0) + part
        return found, ends or starts

    def _list_backwards(self, found: dict[Node, Any]) -> Iterator[Node]:
        """Yield the nodes, each after its readers; when equilibria come, their cotangents are in ``found``, complete."""
        for part in reversed(self.rounds):
            if len(part) > 1 and any(n in found for n in part):
                found.update(settle(part, {n: found[n] for n in part if n in found}, self._pull))
                self.settled.update(n for n in part if n.op is EQUILIBRIUM)
            yield from reversed(part)

    def _pull(self, n: Node, g: Any) -> list[tuple[int, Any]]:
        return pull(n, g, self.values, self.on_path)

    def _judge(self, n: Node, k: int, g: Any, part: Any) -> tuple[str, str]:
        """Return why an operation passes nothing on to an operand, and in words what happens there."""
        shown = self._show(n)
        if part is None and n.op is EQUILIBRIUM:
            return "detached", f"where the iteration of {shown} starts does not change where it ends"
        if part is None:
            return "detached", f"{shown} passes no gradient on"
        width = np.finfo(np.asarray(g).dtype)
        if np.max(np.abs(g)) < width.tiny / width.eps:
            return "vanished", f"what reaches {shown} is {np.max(np.abs(g)):.2g}"
        if n.op is where:
            return "masked", f"{shown} takes the other operand"
        if n.op.chooses:
            return "masked", f"{shown} does not choose {self._show_operand(n, k)}"
        y = np.asarray(self.values[n])
        y = y[np.broadcast_to(np.asarray(g) != 0, y.shape)] if np.shape(g) == y.shape else y
        if y.dtype.kind == "f" and np.isnan(y).any():
            return "not finite", f"{shown} is NaN: ag.find_nan says where that comes from"
        others = [i for i, x in enumerate(n.inputs) if i != k]
        if n.op.linear in (EACH, TOGETHER) and others:
            reach = np.max(np.abs(g)) * max(
                np.max(np.abs(np.asarray(self.values[n.inputs[i]], float)), initial=0) for i in others
            )
            if 0 < reach < width.tiny / width.eps or (reach == 0 and all(np.all(self.values[n.inputs[i]]) for i in others)):
                return "vanished", f"what {shown} passes on is less than the smallest number"
        if n.op.linear == EACH and others:
            factor = n.inputs[others[0]]
            text = f"{self._show_operand(n, others[0])} is 0 in {shown}"
            at_bound = (
                isinstance(factor.op.range, tuple) and 0 in factor.op.range and factor.dtype is float
            )  # a gate that is closed
            defined = self._show(factor)
            return "saturated" if at_bound else "masked", text + (f", {defined}" if " = " in defined else "")
        if n.op.linear == TOGETHER:
            return "masked", f"{shown} does not read it"
        if n.op is SOFTMAX and np.all((y > 0) & (y < 1)):
            return "cancelled", f"what reaches the entries of {shown}, which add up to 1 in any case, is the same for each"
        low, high = float(np.min(y)), float(np.max(y))
        return "saturated", f"{shown} is {low:.6g}" + ("" if low == high else f" … {high:.6g}")

    def _show(self, n: Node) -> str:
        """Return an operation as it was written, with the name of the state or node that it defines."""
        folded, _ = self.origin.get(n, (n, ()))
        if not folded.inputs:
            return write_expression(folded)
        name = folded.name or self.names.get(folded)
        return f"{name} = {write_call(folded.op, folded.inputs, folded.attrs)}" if name else write_expression(folded)

    def _show_operand(self, n: Node, k: int) -> str:
        folded, _ = self.origin.get(n, (n, ()))
        return write_expression(folded.inputs[k] if len(folded.inputs) == len(n.inputs) else n.inputs[k])

    def _say_where(self, nodes: Sequence[Node]) -> str:
        """Return at which steps, and in which line."""
        known = [self.origin[n] for n in nodes if n in self.origin]
        steps = []
        for i, axis in enumerate(self.graph.layout(known[0][0]) if known else ()):
            at = sorted({point[i] for _, point in known})
            steps.append(f"{axis} = {_write_steps(at)}")
        line = next((folded.where for folded, _ in known if folded.where), None)
        return (f" at {', '.join(steps)}" if steps else "") + (f" ({line})" if line else "")

    def _describe_reach(self, name: str) -> str:
        reach = sorted(p for p, n in self.others.items() if n in self.reached)
        if not reach:
            return "the loss does not depend on it at any step" if self.others else "the loss does not depend on it"
        return f"the loss depends on {name} at steps {_write_steps(reach)} only"


def _get_equation(state: Node) -> Node:
    """Return the operation that a state is, beneath what gives it its layout."""
    node = state.inputs[0]
    while node.op in (SPREAD, BROADCAST_TO):
        node = node.inputs[0]
    return node


def _write_steps(steps: Sequence[int]) -> str:
    if len(steps) > 2 and steps[-1] - steps[0] == len(steps) - 1:
        return f"{steps[0]} … {steps[-1]}"
    return ", ".join(map(str, steps[:6])) + (", …" if len(steps) > 6 else "")


__all__ = ["Why", "why_zero"]
explain_keywords(globals(), ["why_zero"])
