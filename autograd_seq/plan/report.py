"""The printed form of a schedule: what is lifted over which axes, and what loops, in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.core.notebook import make_html_table
from autograd_seq.graph import printing as text
from autograd_seq.graph.system import System
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.shape import BROADCAST_TO
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT, SPREAD
from autograd_seq.plan.cost import WIDTHS, count_operations
from autograd_seq.plan.memory.views import LEAVES, has_statement, is_view
from autograd_seq.plan.passes.affine import find_linear_shifts
from autograd_seq.plan.pipeline import Plan
from autograd_seq.plan.schedule import Item, Loop

_SILENT = (STATE, SPREAD, BROADCAST_TO, rewritten, stop_gradient)  # views that equations need not mention
_LONGEST = 110


@dataclass(frozen=True)
class Row:
    """One line of a schedule.

    Attributes:
        line: the text, indented within loops.
        equation: the same without what it is lifted over.
        node: what is computed; None where a loop begins.
        loops: the (axis, direction) of the loops around it, and of the one that begins.
        lifted: the axes for all of whose points it is computed at once.
        flops, kept: floating-point operations and bytes, as text.
    """

    line: str
    equation: str
    node: Node | None = None
    loops: tuple[tuple[Axis, int], ...] = ()
    lifted: tuple[Axis, ...] = ()
    flops: str = ""
    kept: str = ""


@dataclass(frozen=True, repr=False)
class Schedule:
    """A schedule that prints.

    Attributes:
        plan: the plan: the graph after all passes, its schedule, and where values are kept.
        itemsize: bytes of a float.
        notes: further lines, printed at the end.

    Each line ends in the floating-point operations of all its points, and in the bytes of its values: of all steps, or only of
    those that a loop still needs. Lines may share an array. A loop whose states depend linearly on their past, entry by entry,
    is marked as linear (:mod:`autograd_seq.plan.passes.affine`).

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x, h = ag.param("w"), ag.input("x", over=t), ag.state("h", over=t)
        >>> h[t] = ag.tanh(w * x[t]) + h[t - 1]
        >>> print(ag.compile(ag.sum(h, over=t)).schedule)
        lifted over t: mul_1 = w * x          T flop     8·T bytes
        lifted over t: tanh_1 = tanh(mul_1)   10·T flop  8·T bytes
        for t = 0 … T−1, linear in h[t - 1]:
            h = tanh_1 + h[t - 1]             T flop     8·T bytes
        sum_1 = sum(h, over=t)                T flop     8 bytes
    """

    plan: Plan
    itemsize: int = 8
    notes: tuple[str, ...] = ()

    def list_rows(self) -> list[Row]:
        """Return the lines as data."""
        rows = _list_lines(self.plan.graph, self.plan.items)
        numbers = [("", "") if row.node is None else self._format_numbers(row.node) for row in rows]
        return [replace(row, flops=flops, kept=kept) for row, (flops, kept) in zip(rows, numbers, strict=True)]

    def _make_rows(self) -> list[tuple[str, str, str]]:
        return [(row.line, row.flops, row.kept) for row in self.list_rows()]

    def _repr_html_(self) -> str:
        return make_html_table(["what is computed", "operations", "kept"], self._make_rows(), self.notes)

    def __repr__(self) -> str:
        rows = self._make_rows()
        first, second = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
        return "\n".join([*(f"{a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in rows), *self.notes])

    def _format_numbers(self, node: Node) -> tuple[str, str]:
        each, axes = count_operations(node)
        storage = self.plan.storage
        if storage.get_inner(node) is not node:
            each = 0  # the sum is part of the product
        flops = f"{_format_product(each, axes)} flop" if each else ""
        home = storage.homes.get(node)
        if home is None:
            return flops, ""
        kept = prod(node.shape) * WIDTHS.get(node.dtype, self.itemsize) * max(home.ring, 1)
        own = storage.homes[home.lane.whole].axes if home.lane else home.axes
        return flops, f"{_format_product(kept, own)} bytes"


def show(graph: System, items: Sequence[Item]) -> str:
    """Return a schedule as text, without the counts of operations; the same for the same equations in every run.

    Args:
        graph: the graph that is scheduled.
        items: its schedule.

    Example:
        >>> import autograd_seq as ag
        >>> t, b = ag.Axis("t"), ag.Axis("b")
        >>> w, x, h = ag.param("w"), ag.input("x", over=(t, b)), ag.state("h", over=(t, b))
        >>> h[t] = w * h[t + 1] + x[t]
        >>> program = ag.compile(h)
        >>> print(show(program.plan.graph, program.plan.items))
        for t = T−1 … 0, linear in h[t + 1]:
            lifted over b: mul_1 = w * h[t + 1]
            lifted over b: h = x + mul_1
    """
    return "\n".join(row.line for row in _list_lines(graph, items))


def _list_lines(graph: System, items: Sequence[Item]) -> list[Row]:
    out: list[Row] = []
    _list_items(graph, items, text.name_states(graph.nodes, {n: graph.label(n) for n in graph.nodes}), (), out)
    return out


def _list_items(graph: System, items: Sequence[Item], labels: dict[Node, str],
                loops: tuple[tuple[Axis, int], ...], out: list[Row]) -> None:  # fmt: skip
    def term(graph: System, node: Node) -> str:
        if node._value is not None or node.op in LEAVES or not is_view(node):
            return labels[node] if node._value is None and node in labels else text.format_operand(graph, node)
        if node.op in (STATE, SHIFT) or _is_named_part(node):
            return labels[node]
        return term(graph, node.inputs[0]) if node.op in _SILENT else text.format_equation(graph, node, term)

    around = tuple(axis for axis, _ in loops)
    indent = "    " * len(around)
    for item in items:
        if isinstance(item, Loop):
            last = f"{name_length(item.axis)}−1"
            steps = f"0 … {last}" if item.direction > 0 else f"{last} … 0"
            past = ", ".join(labels[n] for n in find_linear_shifts(item, around))
            line = f"{indent}for {item.axis} = {steps}{f', linear in {past}' if past else ''}"
            inner = (*loops, (item.axis, item.direction))
            out.append(Row(f"{line if len(line) < _LONGEST else f'{line[: _LONGEST - 2]}…'}:", line.strip(), loops=inner))
            _list_items(graph, item.body, labels, inner, out)
        elif has_statement(item) or (item._value is None and _is_named_part(item)):
            lifted = tuple(a for a in graph.layout(item) if a not in around)
            over = f"lifted over {', '.join(map(str, lifted))}: " if lifted else ""
            equation = f"{labels[item]} = {text.format_equation(graph, item, term)}"
            line = f"{indent}{over}{equation}"
            out.append(Row(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…", equation, item, loops, lifted))


def _is_named_part(node: Node) -> bool:
    """Tell whether a node is a part of a packed value that the user gave a name, such as a gate."""
    return node.op is SLICE and bool(node.name)


def name_length(axis: Axis) -> str:
    """Return the name of the length of an axis: T for t.

    Example:
        >>> name_length(Axis("t")), name_length(Axis("word"))
        ('T', 'size(word)')
    """
    return str(axis).upper() if len(axis.name) <= 2 else f"size({axis})"


def _format_product(number: int, axes: Sequence[Axis]) -> str:
    return "·".join([*([str(number)] if number != 1 or not axes else []), *(name_length(a) for a in axes)])
