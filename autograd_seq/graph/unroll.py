"""Unrolling: the instances of folded nodes at index points, each made once, on demand.

States, shifts and picked steps become edges. All walks are iterative, so that a chain of a million steps does not exhaust
Python's stack.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.kinds import get_dtype
from autograd_seq.core.node import ARRAY, CONSTANT, NUMBER, STRONG, Node, compute
from autograd_seq.graph.checks import make_empty_maximum_error, make_too_short_error
from autograd_seq.graph.memory import check_fits
from autograd_seq.graph.order import get_rows, postorder
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.gather import SCATTER_ADD, take
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.parts import stack
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import EQUILIBRIUM, STATE, UNDEFINED
from autograd_seq.ops.steps import RECEIVE, SEND, TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE, SPREAD
from autograd_seq.ops.window import OVERLAP, WINDOW, list_distances

if TYPE_CHECKING:
    from autograd_seq.graph.system import System

Point = tuple[int, ...]
Place = tuple[int, Point]
"""A folded node, by its position in the graph, at an index point."""

_EDGES = {SHIFT, STATE, AT, ALONG, SPREAD, SEND}
_NODE, _EDGE, _READ = 250, 100, 8  # bytes of an instance, an alias, and a read; measurements gave slightly more


def _count_bytes(graph: System, sizes: dict[Axis, int]) -> int:
    """Return the bytes that the instances of all nodes take at least."""
    need = 0
    for n in graph.nodes:
        points = prod(sizes[a] for a in n.axes)
        need += points * (_EDGE if n.op in _EDGES else _NODE)
        if n.op is TAKE_STEP or n.op is RECEIVE:
            need += points * sizes[n.attrs["axis"]] * _READ
        if n.op.reduces_axes:
            need += points * prod(sizes[a] for a in n.attrs["axes"]) * _READ
    return need


class Unroller:
    """Builds the instance of every folded node at every point, on demand, each once."""

    def __init__(self, graph: System, sizes: dict[Axis, int]) -> None:
        self.graph, self.sizes = graph, sizes
        check_fits(_count_bytes(graph, sizes), sizes, "a compiled program needs far less: ag.compile(…)")
        self.folded = graph.nodes
        self.position = {n: i for i, n in enumerate(self.folded)}
        self.axes = [graph.layout(n) for n in self.folded]
        self.made: list[dict[Point, Node]] = [{} for _ in self.folded]
        self.created: list[Node] = []
        self.zeros: dict[int, Node] = {}
        self.closed = self._find_closed()
        self.special = [self._choose_rule(n) for n in graph.nodes]
        # By input, the positions of its axes among the reader's, for nodes that read their inputs at their own point.
        self.reads = [
            [(self.position[x], self._find_picks(self.axes[self.position[x]], axes)) for x in n.inputs]
            for n, axes in zip(self.folded, self.axes, strict=True)
        ]

    def _find_closed(self) -> list[bool]:
        """Return which nodes have no axis, and depend on none with axes: the DAG contains them as they are."""
        closed: dict[Node, bool] = {}
        for n in self.folded:
            static = not n.axes and n.op not in (SIZE, STATE, SHIFT)
            closed[n] = static and all(closed.get(x, False) for x in n.inputs)
        return [closed[n] for n in self.folded]

    @staticmethod
    def _find_picks(inner: tuple[Axis, ...], outer: tuple[Axis, ...]) -> tuple[int, ...] | None:
        return None if inner == outer else tuple(outer.index(a) if a in outer else -1 for a in inner)

    def run(self) -> tuple[Node, ...]:
        for i, axes in enumerate(self.axes):
            for point in itertools.product(*[range(self.sizes[a]) for a in axes]):
                if point not in self.made[i]:
                    self._build((i, point))
        for i, node in enumerate(self.folded):
            if node.op is EQUILIBRIUM:  # now that all instances are there, those of its equation
                j, picks = self.reads[i][0]
                for point, made in self.made[i].items():
                    equation = self.made[j][point if picks is None else tuple([point[p] for p in picks])]
                    made.inputs = (equation, *made.inputs[1:])
        return tuple(self.created)

    def at(self, node: Node, point: Point) -> Node:
        return self.made[self.position[node]][point]

    def find(self, node: Node, point: Point) -> Node | None:
        i = self.position[node]
        if point in self.made[i]:
            return self.made[i][point]
        outside = [(a, p) for a, p in zip(self.axes[i], point, strict=True) if not 0 <= p < self.sizes[a]]
        if not outside:
            return None
        axis, p = outside[0]
        delays = [n.attrs["by"] for n in self.folded if n.op is SHIFT and n.inputs[0] is node and n.attrs["axis"] is axis]
        back, ahead = max(delays, default=0), -min(delays, default=0)
        if len(outside) > 1 or not (-back <= p < 0 or self.sizes[axis] <= p < self.sizes[axis] + ahead):
            return None
        place = self._find_row(i, axis, point)
        return self.made[place[0]][place[1]] if place else self._make_zero(i)

    def _build(self, root: Place) -> None:
        stack = [root]
        while stack:
            i, point = stack[-1]
            if point in self.made[i]:
                stack.pop()
                continue
            places = self._find_places(i, point)
            missing = [p for p in places if p is not None and p[1] not in self.made[p[0]]]
            if missing:
                stack += missing[::-1]
                continue
            self.made[i][point] = self._make_instance(i, point, places)
            stack.pop()

    # -- which instances one instance reads -------------------------------------------------------------------------

    def _find_places(self, i: int, point: Point) -> list[Place | None]:
        """Return the places that the instance reads, in order; ``None`` for a zero outside of the sequence."""
        special = self.special[i]
        if special is not None:
            return special(self, i, point)
        return [(j, point if picks is None else tuple([point[p] for p in picks])) for j, picks in self.reads[i]]

    @staticmethod
    def _choose_rule(node: Node) -> Callable[[Unroller, int, Point], list[Place | None]] | None:
        """Return the function that finds what a node reads, or ``None`` if it reads its inputs at its own point.

        A plain function: a bound method on the object itself would be a reference cycle, and keep a dropped DAG alive.
        """
        if node.op.reduces_axes and node.attrs["axes"]:
            return Unroller._read_reduced
        rules = {SHIFT: Unroller._read_shifted, STATE: Unroller._read_equation,
                 AT: Unroller._read_picked, ALONG: Unroller._read_renamed,
                 WINDOW: Unroller._read_window, OVERLAP: Unroller._read_window,
                 TAKE_STEP: Unroller._read_named_step, RECEIVE: Unroller._read_sent,
                 EQUILIBRIUM: Unroller._read_start}  # fmt: skip
        return rules.get(node.op)

    def _read_equation(self, i: int, point: Point) -> list[Place | None]:
        j, picks = self.reads[i][0]  # the equation; rows are read by shifts
        return [(j, point if picks is None else tuple([point[p] for p in picks]))]

    def _read_start(self, i: int, point: Point) -> list[Place | None]:
        return [(j, point if picks is None else tuple([point[p] for p in picks])) for j, picks in self.reads[i][1:]]

    def _read_renamed(self, i: int, point: Point) -> list[Place | None]:
        node, outer = self.folded[i], dict(zip(self.axes[i], point, strict=True))
        j, a, b = self.reads[i][0][0], node.attrs["axis"], node.attrs["other"]
        return [(j, tuple(outer[b if axis is a else axis] for axis in self.axes[j]))]

    def _read_reduced(self, i: int, point: Point) -> list[Place | None]:
        return [p for k in range(len(self.folded[i].inputs)) for p in self._list_points(i, k, point)]

    def _list_points(self, i: int, k: int, point: Point) -> list[Place | None]:
        j = self.reads[i][k][0]
        outer = dict(zip(self.axes[i], point, strict=True))
        ranges = [[outer[a]] if a in outer else range(self.sizes[a]) for a in self.axes[j]]
        places: list[Place | None] = [(j, p) for p in itertools.product(*ranges)]
        missing = [self.sizes[a] for a in self.folded[i].attrs["axes"] if a not in self.axes[j]]
        return places * int(np.prod(missing)) if missing else places

    def _read_shifted(self, i: int, point: Point) -> list[Place | None]:
        node = self.folded[i]
        axis, by = node.attrs["axis"], node.attrs["by"]
        j = self.position[node.inputs[0]]
        outer = dict(zip(self.axes[i], point, strict=True))
        outer[axis] -= by
        source = tuple(outer[a] for a in self.axes[j])
        if 0 <= outer[axis] < self.sizes[axis]:
            return [(j, source)]
        return [self._find_row(j, axis, source) if node.attrs["outside"] == "bounds" else None]

    def _read_window(self, i: int, point: Point) -> list[Place | None]:
        """Return the steps of a window, or those whose windows overlap at a step."""
        node = self.folded[i]
        j, axis = self.position[node.inputs[0]], node.attrs["axis"]
        outer = dict(zip(self.axes[i], point, strict=True))
        at = [outer[axis] - by if node.op is WINDOW else outer[axis] + by for by in list_distances(node)]
        points = [tuple((outer | {axis: p})[a] for a in self.axes[j]) for p in at]
        return [(j, q) if 0 <= p < self.sizes[axis] else None for p, q in zip(at, points, strict=True)]

    def _read_named_step(self, i: int, point: Point) -> list[Place | None]:
        """Return the index, and the steps among which it chooses."""
        node, (j, _), (k, picks) = self.folded[i], *self.reads[i]
        axis, outer = node.attrs["axis"], dict(zip(self.axes[i], point, strict=True))
        steps = outer[axis] if node.attrs["earlier"] else self.sizes[axis]
        choices = [(j, tuple((outer | {axis: p})[a] for a in self.axes[j])) for p in range(steps)]
        return [(k, point if picks is None else tuple([point[p] for p in picks])), *choices]

    def _read_sent(self, i: int, point: Point) -> list[Place | None]:
        """Return what may have been sent to a step, each with the index that says where to."""
        node, send = self.folded[i], self.folded[i].inputs[0]
        axis, outer = node.attrs["axis"], dict(zip(self.axes[i], point, strict=True))
        j, k = self.position[send], self.position[send.inputs[1]]
        first = outer[axis] + 1 if node.attrs["earlier"] else 0
        summed = {a: range(first if a is axis else 0, self.sizes[a]) for a in (*node.attrs["axes"], axis) if a in send.axes}
        found: list[Place | None] = []
        for at in itertools.product(*summed.values()):
            here = outer | dict(zip(summed, at, strict=True))
            found += [(j, tuple(here[a] for a in self.axes[j])), (k, tuple(here[a] for a in self.axes[k]))]
        return found

    def _find_row(self, j: int, axis: Axis, point: Point) -> Place | None:
        """Return the boundary row that a read outside of an axis finds, or ``None`` for zero."""
        outer = dict(zip(self.axes[j], point, strict=True))
        step, n = outer[axis], self.sizes[axis]
        bound, given = get_rows(self.folded[j], axis, "init" if step < 0 else "final")
        if bound is None:
            return None
        row = given[0] if bound.rows is None else given[step if step < 0 else step - n]
        k = self.position[row]
        return k, tuple(outer[a] for a in self.axes[k])

    def _read_picked(self, i: int, point: Point) -> list[Place | None]:
        node = self.folded[i]
        axis, index = node.attrs["axis"], node.attrs["index"]
        j, n = self.position[node.inputs[0]], self.sizes[axis]
        step = index if index >= 0 else n + index
        if 0 <= step < n:
            outer = {**dict(zip(self.axes[i], point, strict=True)), axis: step}
            return [(j, tuple(outer[a] for a in self.axes[j]))]
        if node.attrs["outside"] == "zero":
            return [None]
        raise make_too_short_error(node, n, self.graph.name)

    # -- making one instance ----------------------------------------------------------------------------------------

    def _make_instance(self, i: int, point: Point, places: list[Place | None]) -> Node:
        node = self.folded[i]
        if self.closed[i]:
            self.created.append(node)
            return node
        op = node.op
        if op in _EDGES:
            place = places[0]
            made = self._make_zero(i) if place is None else self.made[place[0]][place[1]]
            if op is not STATE and node.name is not None:  # a variable of its own with the value of another
                made = Node(rewritten, (made, made), {"form": op.name}, node.shape, node.dtype, (), made._value, made.weak,
                            self._make_label(i, point), node.site, node.scope)  # fmt: skip
                return self._keep(made)
            if op is STATE and made.name is None and made not in self.graph._names:
                made.name = self._make_label(i, point)
            return made
        if op is SIZE or op is INDEX:
            value = self.sizes[node.attrs["axis"]] if op is SIZE else point[0]
            return self._keep(Node(CONSTANT, (), {}, (), int, (), np.int64(value), NUMBER, self._make_label(i, point)))
        attrs = node.attrs
        if op in (WINDOW, OVERLAP, TAKE_STEP, RECEIVE):
            return self._put_together(i, point, places) if places else self._make_zero(i)
        if op.reduces_axes and attrs["axes"]:
            if not places:
                return self._keep(self._make_empty(i))
            attrs = {**attrs, "axes": ()}
        elif op is DRAW:
            at = dict(zip(self.axes[i], point, strict=True))
            attrs = {**attrs, "over": (), "point": tuple(at[a] for a in node.attrs["over"])}
        inputs = tuple([self.made[p[0]][p[1]] for p in places if p is not None])
        if op is EQUILIBRIUM:
            inputs = (UNDEFINED, *inputs)
        made = Node(op, inputs, attrs, node.shape, node.dtype, (), None, STRONG, None, node.site, node.scope)
        if op in (INPUT, EQUILIBRIUM) or node.name is not None:
            made.name = self._make_label(i, point)
        if inputs and op.forward is not None and all([x._value is not None for x in inputs]):
            made._value, made.weak = compute(op, inputs, attrs, node.dtype), max(min([x.weak for x in inputs]), ARRAY)
            if any(x.weak == STRONG for x in inputs):
                made.weak = STRONG
        return self._keep(made)

    def _put_together(self, i: int, point: Point, places: list[Place | None]) -> Node:
        node, n = self.folded[i], len(self.created)
        if node.op is WINDOW:
            zero = self._make_zero(self.position[node.inputs[0]]) if None in places else None
            read: list[Any] = [zero if p is None else self.made[p[0]][p[1]] for p in places]
            made = stack(read, axis=0)
        else:
            read = [self.made[p[0]][p[1]] for p in places if p is not None]
            if node.op is TAKE_STEP:
                read.append(self._make_zero(self.position[node.inputs[0]]))
                made = take(stack([read[-1], *read[1:-1]], axis=0), read[0] + 1)
            elif node.op is RECEIVE:
                step = point[self.axes[i].index(node.attrs["axis"])]
                made = self._add_sent(read, step, self.sizes[node.attrs["axis"]])
            else:
                made = sum_over(*[x[k] for x, k in zip(read, (k for k, p in enumerate(places) if p), strict=True)], axes=())
        below = {*read, *self.created[n:]}
        self.created += postorder([made], lambda x: x.inputs, below)[:-1]
        if node.name is not None:
            made.name = self._make_label(i, point)
        return self._keep(made)

    @staticmethod
    def _add_sent(read: Sequence[Node], step: int, steps: int) -> Node:
        """Return the sum of what was sent to a step, from values and indices by turns."""
        rows, index = stack(read[::2], axis=0), stack(read[1::2], axis=0) + 1  # −1 stands for no step
        rank = rows.ndim - index.ndim + 1
        return SCATTER_ADD(rows, index, n=steps + 1, rank=rank, index_rank=index.ndim)[step + 1]

    def _keep(self, node: Node) -> Node:
        self.created.append(node)
        return node

    def _make_label(self, i: int, point: Point) -> str:
        name = self.graph.name(self.folded[i])
        return f"{name}[{','.join(map(str, point))}]" if point else name

    def _make_zero(self, i: int) -> Node:
        if i not in self.zeros:
            node = self.folded[i]
            zero: Any = np.zeros(node.shape, get_dtype(node.dtype))[()]
            self.zeros[i] = self._keep(Node(CONSTANT, (), {}, node.shape, node.dtype, (), zero, ARRAY))
        return self.zeros[i]

    def _make_empty(self, i: int) -> Node:
        """Return the value of a reduction over no points: 0 for a sum, −∞ for a logsumexp; a maximum is an error."""
        node = self.folded[i]
        if node.op.empty is None:
            raise make_empty_maximum_error(node, self.graph.name)
        value = np.full(node.shape, node.op.empty, np.float64 if node.dtype is float else np.int64)[()]
        return Node(CONSTANT, (), {}, node.shape, node.dtype, (), value, ARRAY)
