"""Unfolding: a folded graph over T steps is a DAG, in which every parameter is one node with many readers.

This is the meaning of a folded graph; every faster way of running it is tested against this one. States, shifts and
picks disappear: they become edges. Iterative throughout, so that a chain of a million steps needs no stack.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.errors import AxisError, FeedError, GradientError
from autograd_seq.graph import feeds
from autograd_seq.graph.order import postorder, rows, step_order
from autograd_seq.node import ARRAY, CONSTANT, NUMBER, STRONG, Node, compute
from autograd_seq.op import FUNCTIONS
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE, SPREAD, STATE

if TYPE_CHECKING:
    from autograd_seq.graph.graph import Graph

Point = tuple[int, ...]
Place = tuple[int, Point]  # a folded node by its position in the graph, and an index point

_EMPTY = {"sum_over": 0.0, "logsumexp_over": -np.inf}


class Values(NamedTuple):
    """How an output of a DAG is put together: its nodes, point by point, fill an array of the leading shape."""

    nodes: tuple[Node, ...]
    leading: tuple[int, ...]
    shape: tuple[int, ...]


class DAG:
    """A graph unrolled over fixed lengths. Made by :meth:`Graph.unroll`.

    Attributes:
        graph: the folded graph.
        sizes: the length of each axis.
        outputs: how each output is put together.
        nodes: the unrolled nodes, each after its inputs.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s = ag.state("s", over=t, init=ag.param("s0"))
        >>> s[t] = ag.tanh(s[t - 1])
        >>> dag = ag.Graph(s).unroll(t=3)
        >>> dag["s", -1].name, dag["s", 2].inputs[0] is dag["s", 1]
        ('s0', True)
    """

    def __init__(self, graph: Graph, sizes: dict[Axis, int]) -> None:
        self.graph, self.sizes = graph, sizes
        self._unrolled = _Unroller(graph, sizes)
        self.nodes: tuple[Node, ...] = self._unrolled.run()
        self.outputs: tuple[Values, ...] = tuple(self.values(o) for o in graph.outputs)
        self._plan: _Plan | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        steps = ", ".join(f"{a.name}={n}" for a, n in self.sizes.items())
        return f"<DAG of {len(self)} nodes, unrolled over {steps or 'no axis'}>"

    def __getitem__(self, key: Any) -> Node:
        """Return the unrolled node of a name at a step: ``dag["s", 3]``, ``dag["g", 1, 2]``, ``dag["W"]``.

        ``dag["s", -1]`` is s₋₁, the initial row, and ``dag["s", T]`` the row behind the last step.

        Raises:
            FeedError: there is no node of that name.
            AxisError: the steps do not fit the node's axes.
        """
        name, *point = key if isinstance(key, tuple) else (key,)
        node = self.graph[name]
        axes = self.graph.layout(node)
        if len(point) != len(axes):
            raise AxisError(
                "A205", f"{name} varies over {', '.join(a.name for a in axes) or 'no axis'}", node=name,
                expected=f"{len(axes)} steps", got=str(len(point)),
                fix=f'dag["{name}"{"".join(f", {a.name}" for a in axes)}]',
            )  # fmt: skip
        found = self._unrolled.find(node, tuple(point))
        if found is None:
            raise AxisError(
                "A206", f"{name} has no step {', '.join(map(str, point))}", node=name,
                expected=", ".join(f"0 ≤ {a.name} < {self.sizes[a]}" for a in axes), got=str(tuple(point)),
                fix="steps outside of the sequence exist where a shift reads them",
            )  # fmt: skip
        return found

    def values(self, node: Node) -> Values:
        """Return the unrolled nodes of a folded node at all of its points, in layout order."""
        leading = tuple(self.sizes[a] for a in self.graph.layout(node))
        return Values(tuple(self._unrolled.at(node, p) for p in np.ndindex(*leading)), leading, node.shape)

    def evaluate(self, *, dtype: Any = None, **given: Any) -> tuple[Any, ...]:
        """Return the values of the outputs, in order.

        Args:
            dtype: a float width for everything; by default that of the feeds, as NumPy promotes them.
            given: an array for each input and parameter, by name: axes first in their declared order, then the value's
                dimensions. ``seed`` is 0 unless it is given.

        Returns:
            A tuple of arrays; an output that varies over axes has them in front.

        Raises:
            FeedError, DTypeError: a feed is missing, unknown, or does not fit.

        Notes:
            Time and memory are linear in the number of nodes. Overflows and divisions by zero give inf and NaN without
            a warning, as in compiled programs.
        """
        arrays = feeds.check(self.graph, given)
        if self._plan is None:
            self._plan = _Plan(self.outputs)
        return self._plan.run(self._fed(arrays), dtype)

    def _fed(self, arrays: dict[str, np.ndarray]) -> dict[Node, Any]:
        fed: dict[Node, Any] = {}
        for name, array in arrays.items():
            node = self.graph.inputs[name]
            for axis, n in zip(node.axes, array.shape, strict=False):
                if n != self.sizes[axis]:
                    raise FeedError(
                        "F107", f"{name} has {n} steps over {axis}", node=name, expected=f"{self.sizes[axis]} steps, for "
                        f"which the graph was unrolled", got=str(n), fix=f"unroll({axis}={n})",
                    )  # fmt: skip
            for point in np.ndindex(*array.shape[: len(node.axes)]):
                fed[self._unrolled.at(node, point)] = array[point]
        return fed

    def grad(self, wrt: Sequence[Any] | None = None, *, with_outputs: bool = False) -> DAG:
        """Return the DAG of the gradients of the first output, by reverse mode through this DAG.

        Args:
            wrt: folded nodes or their names; all parameters by default.
            with_outputs: let the new DAG give this one's outputs first, then the gradients.

        Returns:
            A DAG fed like this one, whose outputs are the gradients, laid out like what they belong to.

        Raises:
            GradientError: the first output is no float scalar, or something in ``wrt`` is no float.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> w, x = ag.param("w"), ag.input("x", over=t)
            >>> dag = ag.Graph(ag.sum(w * x[t], over=t)).unroll(t=3)
            >>> [float(g) for g in dag.grad(["w"]).evaluate(w=1.0, x=[1.0, 2.0, 3.0])]
            [6.0]
        """
        if wrt is None:
            wrt = [n for n in self.graph.inputs.values() if n.op is PARAM]
        parts = [self.values(self.graph[x] if isinstance(x, str) else x) for x in wrt]
        flat = [n for p in parts for n in p.nodes]
        if len(self.outputs[0].nodes) != 1:
            raise GradientError(
                "E104", "the gradient of many values is asked for", node=self.graph.name(self.graph.outputs[0]),
                expected="one float scalar as the first output", got=f"an output of shape {self.outputs[0].leading}",
                fix="ag.sum(…, over=…) makes one number of them",
            )  # fmt: skip
        made = iter(FUNCTIONS["grad"](self.outputs[0].nodes[0], flat))
        grads = [Values(tuple(next(made) for _ in p.nodes), p.leading, p.shape) for p in parts]
        return self.derived([*self.outputs, *grads] if with_outputs else grads)

    def derived(self, outputs: Sequence[Values]) -> DAG:
        """Return a DAG with the same feeds and other outputs, which may be nodes made from this one's (gradients)."""
        other = DAG.__new__(DAG)
        other.graph, other.sizes, other._unrolled, other._plan = self.graph, self.sizes, self._unrolled, None
        other.outputs = tuple(outputs)
        other.nodes = tuple(step_order([n for o in other.outputs for n in o.nodes]))
        return other


class _Unroller:
    """Builds the instance of every folded node at every point, on demand, each once."""

    def __init__(self, graph: Graph, sizes: dict[Axis, int]) -> None:
        self.graph, self.sizes = graph, sizes
        self.folded = graph.nodes
        self.position = {n: i for i, n in enumerate(self.folded)}
        self.axes = [graph.layout(n) for n in self.folded]
        self.made: list[dict[Point, Node]] = [{} for _ in self.folded]
        self.created: list[Node] = []
        self.zeros: dict[int, Node] = {}
        self.closed = self._closed()
        # positions of each input's axes among the reader's, where that is all there is to reading it
        self.reads = [
            [(self.position[x], self._picks(self.axes[self.position[x]], axes)) for x in n.inputs]
            for n, axes in zip(self.folded, self.axes, strict=True)
        ]

    def _closed(self) -> list[bool]:
        """Tell which nodes have no axis and read nothing that has one: they are the same node in the DAG."""
        closed: dict[Node, bool] = {}
        for n in self.folded:
            static = not n.axes and n.op not in (SIZE, STATE, SHIFT)
            closed[n] = static and all(closed.get(x, False) for x in n.inputs)
        return [closed[n] for n in self.folded]

    @staticmethod
    def _picks(inner: tuple[Axis, ...], outer: tuple[Axis, ...]) -> tuple[int, ...] | None:
        return None if inner == outer else tuple(outer.index(a) if a in outer else -1 for a in inner)

    def run(self) -> tuple[Node, ...]:
        for i, axes in enumerate(self.axes):
            for point in itertools.product(*[range(self.sizes[a]) for a in axes]):
                if point not in self.made[i]:
                    self._build((i, point))
        return tuple(self.created)

    def at(self, node: Node, point: Point) -> Node:
        return self.made[self.position[node]][point]

    def find(self, node: Node, point: Point) -> Node | None:
        i = self.position[node]
        if point in self.made[i]:
            return self.made[i][point]
        outside = [(a, p) for a, p in zip(self.axes[i], point, strict=True) if not 0 <= p < self.sizes[a]]
        reach = max((abs(n.attrs["by"]) for n in self.folded if n.op is SHIFT and n.inputs[0] is node
                     and n.attrs["axis"] is outside[0][0]), default=0)  # fmt: skip
        axis, p = outside[0]
        if len(outside) > 1 or not (-reach <= p < 0 or self.sizes[axis] <= p < self.sizes[axis] + reach):
            return None
        place = self._boundary(i, axis, point)
        return self.made[place[0]][place[1]] if place else self._zero(i)

    def _build(self, root: Place) -> None:
        stack = [root]
        while stack:
            i, point = stack[-1]
            if point in self.made[i]:
                stack.pop()
                continue
            places = self._places(i, point)
            missing = [p for p in places if p is not None and p[1] not in self.made[p[0]]]
            if missing:
                stack += missing[::-1]
                continue
            self.made[i][point] = self._instance(i, point, places)
            stack.pop()

    # -- which instances one instance reads -------------------------------------------------------------------------

    def _places(self, i: int, point: Point) -> list[Place | None]:
        """Return what the instance reads, in order; ``None`` is a zero outside of the sequence."""
        node = self.folded[i]
        op = node.op
        if op is SHIFT:
            return [self._shifted(i, point)]
        if op is STATE:
            return [self._project(i, 0, point)]
        if op is AT:
            return [self._picked(i, point)]
        if op is ALONG:
            outer = dict(zip(self.axes[i], point, strict=True))
            j = self.position[node.inputs[0]]
            a, b = node.attrs["axis"], node.attrs["other"]
            return [(j, tuple(outer[b if axis is a else axis] for axis in self.axes[j]))]
        if node.attrs.get("axes") and op.name in ("sum_over", "max_over", "logsumexp_over"):
            return [p for k in range(len(node.inputs)) for p in self._all_points(i, k, point)]
        return [self._project(i, k, point) for k in range(len(node.inputs))]

    def _project(self, i: int, k: int, point: Point) -> Place:
        j, picks = self.reads[i][k]
        return j, point if picks is None else tuple([point[p] for p in picks])

    def _all_points(self, i: int, k: int, point: Point) -> list[Place | None]:
        j = self.reads[i][k][0]
        outer = dict(zip(self.axes[i], point, strict=True))
        ranges = [[outer[a]] if a in outer else range(self.sizes[a]) for a in self.axes[j]]
        places: list[Place | None] = [(j, p) for p in itertools.product(*ranges)]
        missing = [self.sizes[a] for a in self.folded[i].attrs["axes"] if a not in self.axes[j]]
        return places * int(np.prod(missing)) if missing else places

    def _shifted(self, i: int, point: Point) -> Place | None:
        node = self.folded[i]
        axis, by = node.attrs["axis"], node.attrs["by"]
        j = self.position[node.inputs[0]]
        outer = dict(zip(self.axes[i], point, strict=True))
        outer[axis] -= by
        source = tuple(outer[a] for a in self.axes[j])
        if 0 <= outer[axis] < self.sizes[axis]:
            return j, source
        return self._boundary(j, axis, source) if node.attrs["outside"] == "bounds" else None

    def _boundary(self, j: int, axis: Axis, point: Point) -> Place | None:
        """Return where a node is read outside of an axis: one of its rows, or ``None`` for zero."""
        outer = dict(zip(self.axes[j], point, strict=True))
        step, n = outer[axis], self.sizes[axis]
        bound, given = rows(self.folded[j], axis, "init" if step < 0 else "final")
        if bound is None:
            return None
        row = given[0] if bound.count is None else given[step if step < 0 else step - n]
        k = self.position[row]
        return k, tuple(outer[a] for a in self.axes[k])

    def _picked(self, i: int, point: Point) -> Place | None:
        node = self.folded[i]
        axis, index = node.attrs["axis"], node.attrs["index"]
        j, n = self.position[node.inputs[0]], self.sizes[axis]
        step = index if index >= 0 else n + index
        if 0 <= step < n:
            outer = {**dict(zip(self.axes[i], point, strict=True)), axis: step}
            return j, tuple(outer[a] for a in self.axes[j])
        if node.attrs["outside"] == "zero":
            return None
        raise AxisError(
            "A207", f"{self.graph.name(node.inputs[0])} has no step {index}", node=self.graph.name(node), where=node.where,
            expected=f"at least {index + 1 if index >= 0 else -index} steps of {axis}", got=f"{axis}={n}",
            fix='ag.at(…, outside="zero") reads 0 there',
        )  # fmt: skip

    # -- making one instance ----------------------------------------------------------------------------------------

    def _instance(self, i: int, point: Point, places: list[Place | None]) -> Node:
        node = self.folded[i]
        if self.closed[i]:
            self.created.append(node)
            return node
        op = node.op
        if op in (SHIFT, STATE, AT, ALONG, SPREAD):  # edges, not nodes
            place = places[0]
            made = self._zero(i) if place is None else self.made[place[0]][place[1]]
            if op is STATE and made.name is None and made not in self.graph._names:
                made.name = self._label(i, point)
            return made
        if op is SIZE or op is INDEX:
            value = self.sizes[node.attrs["axis"]] if op is SIZE else point[0]
            return self._keep(Node(CONSTANT, (), {}, (), int, (), np.int64(value), NUMBER, self._label(i, point)))
        attrs = node.attrs
        if op.name in ("sum_over", "max_over", "logsumexp_over") and attrs["axes"]:
            if not places:
                return self._keep(self._empty(i))
            attrs = {**attrs, "axes": ()}
        elif op.name == "draw":
            attrs = {**attrs, "over": (), "point": point}
        inputs = tuple([self.made[p[0]][p[1]] for p in places if p is not None])
        made = Node(op, inputs, attrs, node.shape, node.dtype, (), None, STRONG, None, node.site, node.scope)
        if op is INPUT or node.name is not None:
            made.name = self._label(i, point)
        if inputs and op.forward is not None and all([x._value is not None for x in inputs]):
            made._value, made.weak = compute(op, inputs, attrs), max(min([x.weak for x in inputs]), ARRAY)
            if any(x.weak == STRONG for x in inputs):
                made.weak = STRONG
        return self._keep(made)

    def _keep(self, node: Node) -> Node:
        self.created.append(node)
        return node

    def _label(self, i: int, point: Point) -> str:
        name = self.graph.name(self.folded[i])
        return f"{name}[{','.join(map(str, point))}]" if point else name

    def _zero(self, i: int) -> Node:
        if i not in self.zeros:
            node = self.folded[i]
            zero = np.zeros(node.shape, {float: np.float64, int: np.int64, bool: np.bool_}[node.dtype])[()]
            self.zeros[i] = self._keep(Node(CONSTANT, (), {}, node.shape, node.dtype, (), zero, ARRAY))
        return self.zeros[i]

    def _empty(self, i: int) -> Node:
        """Return what a reduction of no points is: 0 for a sum, −∞ for a logsumexp, an error for a maximum."""
        node = self.folded[i]
        if node.op.name not in _EMPTY:
            over = ", ".join(a.name for a in node.attrs["axes"])
            raise AxisError(
                "A208", f"{self.graph.name(node)} is the maximum of nothing", node=self.graph.name(node), where=node.where,
                expected=f"at least one step of {over}", got=f"{over}=0",
            )  # fmt: skip
        value = np.full(node.shape, _EMPTY[node.op.name], np.float64 if node.dtype is float else np.int64)[()]
        return Node(CONSTANT, (), {}, node.shape, node.dtype, (), value, ARRAY)


class _Plan:
    """The calls that evaluate some nodes, in order, on a list of slots: found once, run often."""

    def __init__(self, outputs: Sequence[Values]) -> None:
        self.outputs = outputs
        order = postorder([n for o in outputs for n in o.nodes], lambda n: () if n._value is not None else n.inputs)
        self.slot = {n: i for i, n in enumerate(order)}
        self.valued = [(i, n) for i, n in enumerate(order) if n._value is not None]
        self.fed = [(i, n) for i, n in enumerate(order) if n._value is None and n.op in (INPUT, PARAM)]
        self.calls = [
            (i, n.op.forward, [self.slot[x] for x in n.inputs], n.attrs,
             n.dtype is float and any(x.dtype is not float for x in n.inputs))
            for i, n in enumerate(order) if n._value is None and n.op not in (INPUT, PARAM)
        ]  # fmt: skip

    def width(self, fed: dict[Node, Any], dtype: Any) -> np.dtype:
        """Return the float width of a run: as asked for, or that of the feeds and tensors, or float64."""
        if dtype is not None:
            return np.dtype(dtype)
        firm = [np.asarray(v).dtype for n, v in fed.items() if n.dtype is float]
        firm += [n._value.dtype for _, n in self.valued if n.weak == STRONG and n.dtype is float]
        return np.result_type(*firm) if firm else np.dtype(np.float64)

    def run(self, fed: dict[Node, Any], dtype: Any) -> tuple[Any, ...]:
        width = self.width(fed, dtype)
        values: list[Any] = [None] * len(self.slot)
        for i, node in self.valued:
            v = node._value
            weak = node.dtype is float and (dtype is not None or node.weak != STRONG) and v.dtype != width
            values[i] = v.astype(width) if weak else v
        for i, node in self.fed:
            v = fed[node]
            values[i] = v.astype(width) if dtype is not None and node.dtype is float else v
        with np.errstate(all="ignore"):
            for i, forward, slots, attrs, mixed in self.calls:
                out = forward(*[values[k] for k in slots], **attrs)
                values[i] = out.astype(width, copy=False) if mixed else out
        return tuple(self._gather(o, values, width) for o in self.outputs)

    def _gather(self, out: Values, values: list[Any], width: np.dtype) -> np.ndarray:
        if not out.nodes:
            return np.zeros(out.leading + out.shape, width)
        shaped = [np.broadcast_to(values[self.slot[n]], out.shape) for n in out.nodes]
        return np.array(np.stack(shaped).reshape(out.leading + out.shape))


__all__ = ["DAG", "Values"]
