"""The unrolled graph: a DAG in which every parameter is one node with many readers, evaluated and differentiated.

It defines what a folded graph means: every faster way of running the graph is tested against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, EquilibriumError, FeedError, GradientError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.kinds import get_dtype
from autograd_seq.core.node import STRONG, Node
from autograd_seq.graph import feeds, printing
from autograd_seq.graph.order import postorder, step_order
from autograd_seq.graph.settling import UnsettledError, list_calls
from autograd_seq.graph.system import System
from autograd_seq.graph.unroll import Unroller
from autograd_seq.ops.equilibrium import make_unsettled_error, name_equilibrium
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.state import EQUILIBRIUM
from autograd_seq.ops.time import ALONG, AT, SHIFT, SPREAD

_MOST_LINES = 200  # that a DAG is written in


class Values(NamedTuple):
    """The nodes of one output of a DAG, one for each point, and the array that their values form: leading shape, then shape."""

    nodes: tuple[Node, ...]
    leading: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: type


class DAG:
    """A graph unrolled over fixed lengths. Made by :meth:`Graph.unroll`.

    Attributes:
        graph: the folded graph.
        sizes: the length of each axis.
        outputs: the nodes of each output.
        nodes: the unrolled nodes, each after its inputs.
        folded: by output, the folded node whose layout it has.
        origin: for a DAG of gradients, the DAG that is differentiated, the targets, and whether its outputs come first.
        ragged: DAGs of the same equations for padded sequences, by the axes that have lengths.
        carried: runners of the same equations for sequences in pieces, by the axis of the pieces.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s = ag.state("s", over=t, init=ag.param("s0"))
        >>> s[t] = ag.tanh(s[t - 1])
        >>> dag = ag.Graph(s).unroll(t=3)
        >>> dag["s", -1].name, dag["s", 2].inputs[0] is dag["s", 1]
        ('s0', True)
    """

    def __init__(self, graph: System, sizes: dict[Axis, int]) -> None:
        self.graph, self.sizes = graph, sizes
        self._unrolled = Unroller(graph, sizes)
        with np.errstate(all="ignore"):  # constants are computed here, without warnings, as all other values
            self.nodes: tuple[Node, ...] = self._unrolled.run()
        self.outputs: tuple[Values, ...] = tuple(self.values(o) for o in graph.outputs)
        self._plan: _Calls | None = None
        self.folded: tuple[Node, ...] = graph.outputs
        self.origin: tuple[DAG | None, Sequence[Node], bool] | None = None
        self.ragged: dict[Any, DAG] = {}
        self.carried: dict[Any, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plan": None, "ragged": {}, "carried": {}}  # made again when they are needed

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        steps = ", ".join(f"{a}={n}" for a, n in self.sizes.items())
        return f"<DAG of {len(self)} nodes, unrolled over {steps or 'no axis'}>"

    def __str__(self) -> str:
        """Write every node with its operation, as a graph is written; of very many the first ones."""
        outputs = [node for values in self.outputs for node in values.nodes]
        _, *lines = printing.format_graph(System(outputs, self.nodes, (), printing.name_nodes(self.nodes))).split("\n")
        if len(lines) > _MOST_LINES:
            lines[_MOST_LINES:-1] = [f"  … and {len(lines) - _MOST_LINES - 1:,} more"]
        return "\n".join([f"{repr(self)[1:-1]}:", *lines])

    def __getitem__(self, key: Any) -> Node:
        """Return the unrolled node of a name at a step: ``dag["s", 3]``, ``dag["g", 1, 2]``, ``dag["W"]``.

        ``dag["s", -1]`` is s₋₁, the initial row, and ``dag["s", T]`` the row after the last step.

        Raises:
            FeedError: there is no node of that name.
            AxisError: the steps do not fit the node's axes.
        """
        name, *point = key if isinstance(key, tuple) else (key,)
        node = self.graph[name]
        axes = self.graph.layout(node)
        if len(point) != len(axes):
            raise AxisError(
                "A205", f"{name} varies over {', '.join(a.name for a in axes) or 'no axis'}, and {len(point)} steps are given",
                node=name, expected=f"{len(axes)} steps", got=str(len(point)),
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
        return Values(tuple(self._unrolled.at(node, p) for p in np.ndindex(*leading)), leading, node.shape, node.dtype)

    def evaluate(self, /, *unnamed: Any, dtype: Any = None, lengths: Any = None, carry: Any = False,
                 **given: Any) -> tuple[Any, ...]:  # fmt: skip
        """Return the values of the outputs, in order.

        Args:
            dtype: the width of all floats; by default that of the feeds, as NumPy promotes them.
            lengths: for padded sequences, a dict from an axis to the real number of steps, or one for each sequence. They may
                vary over an axis with lengths: ``{w: [[3, 1], [2, 0]], s: [2, 1]}``, words in sentences in documents.
            carry: for sequences in pieces, the carry that the previous call returned; to start, ``None`` (along the axis of the
                shifts) or an axis. See :class:`CarriedProgram`.
            given: an array for each input and parameter, by name: axes first in their declared order, then the value's
                dimensions. ``seed`` is 0 by default. An input whose name is a keyword of the call, such as ``dtype``, is fed
                by that keyword.

        Returns:
            A tuple of arrays; an output that varies over axes has them in front, and is 0 in the padding. With ``carry=``
            such a tuple, and the carry for the next piece.

        Raises:
            FeedError, DTypeError: a feed is missing, unknown, or does not fit.
            CarryError: a value reads steps of a later piece, or the carry is that of another graph.

        Example:
            >>> import autograd_seq as ag
            >>> t = ag.Axis("t")
            >>> x, s = ag.input("x", over=t), ag.state("s", over=t)
            >>> s[t] = 0.5 * s[t - 1] + x[t]
            >>> (first,), carry = ag.Graph(s).unroll(t=2).evaluate(x=[1.0, 2.0], carry=None)
            >>> (rest,), carry = ag.Graph(s).unroll(t=1).evaluate(x=[3.0], carry=carry)
            >>> [*first, *rest] == [*ag.Graph(s).evaluate(x=[1.0, 2.0, 3.0])[0]]
            True

        Notes:
            Time and memory are linear in the number of nodes. Overflows and divisions by zero give inf and NaN without
            a warning, as in compiled programs.
        """
        if dtype is not None and "dtype" in self.graph.inputs:  # an input may be named like a keyword of this call
            given["dtype"], dtype = dtype, None
        if unnamed:
            raise feeds.make_unnamed_error(self.graph, unnamed)
        if lengths is not None and "lengths" in self.graph.inputs:
            given["lengths"], lengths = lengths, None
        if carry is not False and "carry" in self.graph.inputs:
            given["carry"], carry = carry, False
        if carry is not False:
            return FUNCTIONS["evaluate_carried"](self, carry, {"lengths": lengths, "dtype": dtype, **given})
        if self.graph.stops:
            return FUNCTIONS["evaluate_until"](self, lengths, dtype, given)
        if lengths is not None:
            return FUNCTIONS["evaluate_ragged"](self, lengths, dtype, given)
        return self._compute(given, dtype)

    def _compute(self, given: dict[str, Any], dtype: Any) -> tuple[Any, ...]:
        """Return the values of the outputs for feeds of whole sequences."""
        arrays = feeds.check_feeds(self.graph, given)
        if self._plan is None:
            self._plan = _Calls(self.outputs)
        firm = [a.dtype for name, a in arrays.items() if self.graph.inputs[name].dtype is float]
        try:
            return self._plan.run(self._spread_feeds(arrays), dtype, firm)
        except UnsettledError as error:
            raise self._explain_unsettled(*error.args) from None
        except (IndexError, np.linalg.LinAlgError) as error:
            raise feeds.explain_failure(self.graph, arrays, error) from error
        except FeedError as error:
            raise (feeds.explain_failure(self.graph, arrays, error) if error.code == "F201" else error) from None

    def every(self, given: dict[str, Any], dtype: Any = None, *, strict: bool = False) -> dict[Node, Any]:
        """Return the values of all nodes that the outputs depend on, constants included, each after those that it reads.

        Args:
            given, dtype: as for :meth:`evaluate`.
            strict: whether equilibria that do not settle are an error; else their values are the last iterates.

        Raises:
            EquilibriumError: one does not settle, and that is to be an error.
        """
        arrays = feeds.check_feeds(self.graph, given)
        plan = _Calls(self.outputs)
        firm = [a.dtype for name, a in arrays.items() if self.graph.inputs[name].dtype is float]
        try:
            values = plan.values(self._spread_feeds(arrays), dtype, plan.choose_width(firm, dtype), strict=strict)
        except UnsettledError as error:
            raise self._explain_unsettled(*error.args) from None
        found = dict(zip(plan.slot, values, strict=True))
        order = postorder([n for o in self.outputs for n in o.nodes], lambda n: n.inputs)
        return {n: found.get(n, n._value) for n in order}

    def _explain_unsettled(self, node: Node, steps: int, residual: float, contraction: float) -> EquilibriumError:
        """Return the error about an equilibrium that has not settled: where it is, or that of which it is the gradient."""
        folded = [n for n in self.graph.nodes if n.op is EQUILIBRIUM]
        places = {made: (n, point) for n in folded for point, made in self.points(n)}
        words = ""
        while node not in places and node.adjoint_of is not None:
            node, words = node.adjoint_of, f"the gradient of {words}"
        found, point = places[node]
        at = {a.name: i for a, i in zip(self.graph.layout(found), point, strict=True)}
        return make_unsettled_error(f"{words}{name_equilibrium(found)}", node, steps, residual, contraction, at)

    @property
    def lengths(self) -> dict[str, int]:
        """By name, the lengths of axes as keywords of a call give them."""
        return self.graph.pick_lengths({a.name: n for a, n in self.sizes.items()})

    def points(self, folded: Node) -> Iterator[tuple[tuple[int, ...], Node]]:
        """Yield the points of a folded node, with the node there."""
        yield from self._unrolled.made[self._unrolled.position[folded]].items()

    def _spread_feeds(self, arrays: dict[str, np.ndarray]) -> dict[Node, Any]:
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
            with_outputs: whether the new DAG has the outputs of this one before the gradients.

        Returns:
            A DAG with the same feeds, whose outputs are the gradients, each laid out as its target.

        Raises:
            GradientError: the first output is not a float scalar, or a node in ``wrt`` is not a float.

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
        targets = [self.graph[x] if isinstance(x, str) else x for x in ([wrt] if isinstance(wrt, (Node, str)) else wrt)]
        for x in targets:
            if x not in self.graph._names:
                raise GradientError(
                    "E110", f"{x!r:.60} is not in this DAG, which has gradients with respect to its own nodes",
                    expected=f"a node of {self.graph!r}", got=repr(x)[:80],
                    fix="ag.Graph(L, x) adds a node that L does not depend on",
                )  # fmt: skip
            if x.op in (SHIFT, AT, ALONG, SPREAD) and x.name is None:
                raise GradientError(
                    "E123", f"{self.graph.name(x)} has no node of its own in a DAG", node=self.graph.name(x), where=x.where,
                    expected="a node of its own", got=repr(x)[:80], fix='.named("…") makes a read a variable',
                )  # fmt: skip
        parts = [self.values(x) for x in targets]
        flat = [n for p in parts for n in p.nodes]
        if len(self.outputs[0].nodes) != 1:
            raise GradientError(
                "E104", "the first output is not a scalar, and has no gradient", node=self.graph.name(self.graph.outputs[0]),
                expected="one float scalar as the first output", got=f"an output of shape {self.outputs[0].leading}",
                fix="ag.sum(…, over=…) makes one number of them",
            )  # fmt: skip
        made = iter(FUNCTIONS["grad"](self.outputs[0].nodes[0], flat))
        grads = [Values(tuple(next(made) for _ in p.nodes), p.leading, p.shape, float) for p in parts]
        other = self.derived([*self.outputs, *grads] if with_outputs else grads)
        other.folded = (*self.folded, *targets) if with_outputs else tuple(targets)
        other.origin = self, targets, with_outputs
        return other

    def derived(self, outputs: Sequence[Values]) -> DAG:
        """Return a DAG with the same feeds and other outputs, which may be new nodes that depend on this one's (gradients)."""
        other = DAG.__new__(DAG)
        other.graph, other.sizes, other._unrolled, other._plan = self.graph, self.sizes, self._unrolled, None
        other.outputs, other.folded = tuple(outputs), ()
        other.origin, other.ragged, other.carried = (None, (), False), {}, {}
        other.nodes = tuple(step_order([n for o in other.outputs for n in o.nodes]))
        return other


class _Calls:
    """The function calls that evaluate some nodes in order, on a list of slots: made once, run often."""

    def __init__(self, outputs: Sequence[Values]) -> None:
        self.outputs = outputs
        order = postorder([n for o in outputs for n in o.nodes], lambda n: () if n._value is not None else n.inputs)
        self.slot = {n: i for i, n in enumerate(order)}
        self.valued = [(i, n) for i, n in enumerate(order) if n._value is not None]
        self.fed = [(i, n) for i, n in enumerate(order) if n._value is None and n.op in (INPUT, PARAM)]
        self.calls = list_calls(order, self.slot, [n for n in order if n._value is not None or n.op in (INPUT, PARAM)])

    def choose_width(self, fed: Sequence[np.dtype], dtype: Any) -> np.dtype:
        """Return the float width of a run: as asked for, or that of the feeds and tensors, or float64."""
        if dtype is not None:
            return feeds.as_float_width(dtype)
        firm = [*fed, *(n._value.dtype for _, n in self.valued if n.weak == STRONG and n.dtype is float)]
        return np.result_type(*firm) if firm else np.dtype(np.float64)

    def run(self, fed: dict[Node, Any], dtype: Any, firm: Sequence[np.dtype]) -> tuple[Any, ...]:
        width = self.choose_width(firm, dtype)
        values = self.values(fed, dtype, width)
        return tuple(self._gather(o, values, width) for o in self.outputs)

    def values(self, fed: dict[Node, Any], dtype: Any, width: np.dtype, strict: bool = True) -> list[Any]:
        kinds: dict[type, Any] = {kind: get_dtype(kind, width) for kind in (float, int, bool)}
        values: list[Any] = [None] * len(self.slot)
        for i, node in self.valued:
            v = node._value
            weak = node.dtype is float and (dtype is not None or node.weak != STRONG) and v.dtype != width
            values[i] = v.astype(width) if weak else v
        for i, node in self.fed:
            v = fed[node]
            values[i] = v.astype(width) if dtype is not None and node.dtype is float else v
        with np.errstate(all="ignore"):
            for call in self.calls:
                call.run(values, kinds, strict)
        return values

    def _gather(self, out: Values, values: list[Any], width: np.dtype) -> np.ndarray:
        if not out.nodes:
            return np.zeros(out.leading + out.shape, get_dtype(out.dtype, width))
        shaped = [np.broadcast_to(values[self.slot[n]], out.shape) for n in out.nodes]
        return np.array(np.stack(shaped).reshape(out.leading + out.shape))
