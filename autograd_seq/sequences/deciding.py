"""How many steps there are along an axis whose sequences end by themselves: the equations that decide it, and the count.

The condition depends on its own step and on earlier ones, so that its equations run forward in one loop. Each of their states
keeps its value after the end, which makes them depend on whether the sequence goes on: then all of them are in one cycle with
that truth value, hence in one loop, and the loop may be left as soon as no sequence goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, CarryError, FeedError
from autograd_seq.core.kinds import LEAST, ZERO
from autograd_seq.core.misfit import label_of
from autograd_seq.core.names import add_primes
from autograd_seq.core.node import Node, apply
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_components
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.graph.stops import Stop, find_tied
from autograd_seq.graph.system import System
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.elementwise import cast, equal, less_equal, logical_and, logical_not, logical_or, where
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE, state
from autograd_seq.ops.steps import get_delay
from autograd_seq.ops.time import AT, INDEX, SHIFT, SIZE, index

Run = Callable[[dict[str, Any], Any], np.ndarray]
"""Computes the output of the deciding equations for some feeds and ``lengths=``."""


class Decided(NamedTuple):
    """How a call goes on once the numbers of steps are known.

    Attributes:
        given: the feeds, up to the last step that is taken in any sequence.
        lengths: the lengths of all axes that have one, as ``lengths=`` takes them.
        axes: the axis that ends by itself, and those that are as long.
        rows: how many rows outputs over them have: as many as inputs over them, else as the longest sequence has steps.
    """

    given: dict[str, Any]
    lengths: dict[Any, Any]
    axes: set[Axis]
    rows: int


class Deciding:
    """The equations that decide how many steps there are along an axis.

    Args:
        graph: the equations.
        axis: one that ends by itself.

    Attributes:
        axis: the axis.
        stop: what ends it.
        tied: the axes that are as long as it, itself included.
        graph: the equations; their output is at which steps each sequence goes on after the step.

    Example:
        >>> import autograd_seq as ag
        >>> u, w = ag.Axis("u"), ag.param("w")
        >>> s = ag.state("s", over=u, init=1.0)
        >>> s[u] = w * s[u - 1]
        >>> deciding = Deciding(ag.Graph(ag.until(ag.last(s, over=u), over=u, when=s > 10)), u)
        >>> deciding.graph.evaluate(w=3.0, u=5)[0].tolist()
        [True, True, False, False, False]
    """

    def __init__(self, graph: System, axis: Axis) -> None:
        self.axis, self.stop = axis, graph.stops[axis]
        self.tied = find_tied(graph.nodes, [self.axis])
        self.graph = Graph(_stop_states(self.axis, self.stop, add_primes("goes_on", graph._by_name)))
        self.graph.stops.update({a: stop for a, stop in graph.stops.items() if a is not axis and a in self.graph.axes})

    def decide(self, graph: System, run: Run, given: Mapping[str, Any], lengths: Any) -> Decided:
        """Return how a call goes on: its feeds, up to the last step that is taken, and the lengths of all axes that have one.

        Args:
            graph: the equations that are asked for.
            run: computes the equations of this object: ``run(feeds, lengths)`` returns their output.
            given: the feeds of the call, and the lengths of axes, by name.
            lengths: what the call gives as ``lengths=``, or ``None``.

        Raises:
            FeedError, AxisError: a feed, a length or the limit is missing or does not fit; a sequence does not end, and that
                is to be an error.
        """
        found, data = feeds.split_sizes(graph, dict(given))
        said = {} if lengths is None else lengths
        if not isinstance(said, Mapping) or any(_name_axis(key) in {a.name for a in self.tied} for key in said):
            raise self._make_lengths_error(said)
        limit = self._find_limit(found)
        fed = self._cut(graph, data, limit)
        fed.update({name: n for name, n in found.items() if name in given and name not in data and name not in fed})
        axes = {a.name for a in self.graph.axes} - {*self.graph.inputs}
        width = _find_width(graph, data)
        read = {name: value for name, value in fed.items() if name in self.graph.inputs or name in axes}
        for name, node in self.graph.inputs.items():
            if name in read and node.dtype is float:
                read[name] = np.asarray(read[name], width)
        steps = self._count(run(read, {key: n for key, n in said.items() if _name_axis(key) in axes} or None))
        longest = int(np.max(steps, initial=0))
        known = {**said, (self.axis, *self.stop.over(self.axis)): steps}
        fed_over = {a for name in data for a in graph.inputs[name].axes}
        rows = next((found[a.name] for a in self.tied if a in fed_over), longest)
        return Decided(self._cut(graph, fed, longest), known, self.tied, rows)

    def _count(self, goes_on: np.ndarray) -> np.ndarray:
        """Return the number of steps of each sequence, given after which steps it goes on.

        Raises:
            FeedError: a sequence does not end, and that is to be an error.
        """
        position = self.graph.layout(self.graph.outputs[0]).index(self.axis)
        before: np.ndarray = np.sum(goes_on, axis=position)  # the steps before the last one
        steps = goes_on.shape[position]
        if self.stop.strict and np.any(before == steps):
            label = self.graph.name(self.stop.when) if self.stop.when.name else "the condition"
            place = np.argwhere(before == steps)[0]
            over = ", ".join(f"{a}={i}" for a, i in zip(self.stop.over(self.axis), place, strict=True))
            raise FeedError(
                "U122", f"{label} is true at none of {steps} steps of {self.axis}{f', at {over}' if over else ''}",
                node=self.stop.when.name, where=self.stop.when.where, expected=f"an end within {steps} steps", got="none",
                fix=f"a larger limit, {self.axis}={2 * steps}, or strict=False to take all steps",
            )  # fmt: skip
        return np.minimum(before + 1, steps)

    def _cut(self, graph: System, given: Mapping[str, Any], steps: int) -> dict[str, Any]:
        """Return the feeds of the first ``steps`` steps of the axis, and their number."""
        out = dict(given)
        for name, node in graph.inputs.items():
            if name in given and self.tied & set(node.axes):
                out[name] = np.asarray(given[name])[tuple([slice(steps if a in self.tied else None) for a in node.axes])]
        for axis in self.tied:
            if axis.name not in graph.inputs:
                out[axis.name] = steps
        return out

    def _find_limit(self, sizes: Mapping[str, int]) -> int:
        """Return the largest number of steps of a call, given the lengths of axes that its feeds and keywords have.

        Raises:
            AxisError: neither of them gives it.
        """
        found = [n for n in (*(sizes.get(a.name) for a in self.tied), self.stop.limit) if n is not None]
        if not found:
            raise AxisError(
                "U123", f"the largest number of steps of {self.axis} is not given", where=self.stop.when.where,
                expected=f"{self.axis}=…, or limit= of ag.until", got="neither", fix=f"{self.axis}=50",
            )  # fmt: skip
        return min(found)

    def _make_lengths_error(self, said: Any) -> FeedError:
        return FeedError(
            "U124", f"lengths= is given {said!r:.60}, but {self.axis} ends by itself", where=self.stop.when.where,
            expected=f"a dict of lengths of other axes; limits of all sequences by {self.axis}=50", got=repr(said)[:80],
            fix=f"or leave out the mark: ag.until(…, over={self.axis}, …)",
        )  # fmt: skip


def list_deciding(graph: System) -> list[Deciding]:
    """Return what decides the number of steps of each axis that ends by itself, each after those whose numbers it needs.

    Raises:
        AxisError: two of them need the numbers of one another.
    """
    left, found = [Deciding(graph, axis) for axis in graph.stops], list[Deciding]()
    while left:
        open_axes = {d.axis for d in left}
        ready = next((d for d in left if not open_axes & set(d.graph.stops)), None)
        if ready is None:
            names = " and ".join(d.axis.name for d in left)
            raise AxisError(
                "U121", f"{names} end by themselves, and each needs the number of steps of the other",
                where=left[0].stop.when.where, expected="an axis whose end can be decided before that of the other", got=names,
                fix="a fixed number of steps for one of them",
            )  # fmt: skip
        left.remove(ready)
        found.append(ready)
    return found


def end_steps(graph: System, over: Axis | None) -> Graph:
    """Return the graph of a stream, or of pieces, whose sequences end by themselves.

    Args:
        graph: the equations.
        over: the axis of the steps that the call gives, or ``None``.

    Returns:
        The outputs, which are 0 after the end of a sequence, and whether each sequence has ended with the step.

    Raises:
        CarryError: the steps are not those of the axis that ends by itself, or an output does not vary over it.
    """
    (decides, *more) = list_deciding(graph)
    axis, stop = decides.axis, decides.stop
    if more:
        names = [a.name for a in graph.stops]
        raise CarryError(
            "U134", f"{' and '.join(names)} end by themselves in one graph, and pieces follow the steps of one",
            where=more[0].stop.when.where, expected="one such axis", got=", ".join(names), fix="a stream of a graph of its own",
        )  # fmt: skip
    if over is not None and over is not axis:
        raise CarryError(
            "U132", f"the steps are those of {over}, but {axis} ends by itself", where=stop.when.where,
            expected=f"a stream over {axis}", got=f"over={over}", fix=f"ag.stream(…, over={axis})",
        )  # fmt: skip
    for o in graph.outputs:
        if axis not in o.axes:
            name = graph.name(o)
            raise CarryError(
                "U133", f"{name} is one value for all steps of {axis}, and pieces that end by themselves return those of each",
                node=name, where=o.where, expected=f"outputs that vary over {axis}", got=repr(o),
                fix=f"the running value of a state: total[{axis}] = total[{axis} - 1] + …",
            )  # fmt: skip
    condition = stop.when
    if stop.limit is not None:
        condition = logical_or(condition, less_equal(stop.limit - 1, index(axis)))
    ended = state(add_primes("ended", graph._by_name), over=condition.axes, dtype=bool, init={axis: False})
    before = ended[axis - 1]
    ended[condition.axes] = logical_or(before, condition)
    outputs = [where(_any_over(logical_not(before), o), o, ZERO[o.dtype]) for o in graph.outputs]
    return Graph(*outputs, ended)


def _any_over(going: Node, x: Node) -> Node:
    """Return whether any sequence goes on of those among which ``x`` does not differ."""
    missing = tuple(a for a in going.axes if a not in x.axes)
    return sum_over(cast(going, int), axes=missing) > 0 if missing else going


def _find_width(graph: System, data: Mapping[str, Any]) -> np.dtype:
    """Return the width of a whole call, in which it is decided how many steps there are, though only some feeds decide."""
    found = [np.asarray(value).dtype for name, value in data.items() if graph.inputs[name].dtype is float]
    return np.result_type(*[d if d.kind in "fc" else np.float64 for d in found]) if found else np.dtype(np.float64)


def _name_axis(key: Any) -> str:
    """Return the name of the axis that a key of ``lengths=`` names."""
    return str(key[0] if isinstance(key, tuple) and key else key)


def _stop_states(axis: Axis, stop: Stop, name: str) -> Node:
    """Return after which steps a sequence goes on, computed by equations whose states keep their values after the end."""
    (when,) = spell_out_windows(Graph(stop.when)).outputs
    nodes = Graph(when).nodes
    image: dict[Node, Node] = {}
    goes_on = state(name, over=when.axes, dtype=bool, init={axis: True})
    goes_on.attrs["ends"] = axis  # a loop that computes it may be left after a step at which it is false everywhere
    before = goes_on[axis - 1]
    (condition,) = rebuild([when], _Reductions(axis, goes_on, before), image=image)
    for old in _list_looped(nodes, axis):
        new = image[old]
        kept = SHIFT(new, axis=axis, by=1, outside="bounds")
        new.inputs = (where(_any_over(before, new), new.inputs[0], kept), *new.inputs[1:])
    goes_on[when.axes] = logical_and(before, logical_not(condition))
    return goes_on


class _Reductions:
    """A rule for reductions over the steps of an earlier step of another axis: they see the steps that were taken there.

    Args:
        axis: the axis that ends by itself.
        goes_on, before: whether a sequence goes on after a step, and whether it takes the step.
    """

    def __init__(self, axis: Axis, goes_on: Node, before: Node) -> None:
        self.axis, self.taken = axis, before
        end = equal(INDEX(axis=axis, here=True), SIZE(axis=axis) - 1)
        self.last = logical_and(before, logical_or(logical_not(goes_on), end))

    def __call__(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        attrs, mine = node.attrs, node.attrs.get("axis") is self.axis
        if node.op is SIZE and mine and attrs.get("among", (self.axis,)) == (self.axis,):
            return sum_over(cast(self.taken, int), axes=(self.axis,))
        if node.op is AT and mine and attrs["index"] == 0:
            return None
        if node.op is AT and mine and attrs["index"] == -1:
            picked = sum_over(where(self.last, inputs[0], ZERO[node.dtype]), axes=(self.axis,))
            return cast(picked, bool) if node.dtype is bool else picked
        if node.op.reduces_axes and self.axis in attrs["axes"] and self.axis in inputs[0].axes:
            fill = (ZERO if node.op is sum_over else LEAST)[inputs[0].dtype]
            return apply(node.op, where(self.taken, inputs[0], fill), *inputs[1:], **attrs)
        if (mine and node.op in (SIZE, AT)) or (node.op.reduces_axes and self.axis in attrs["axes"]):
            raise AxisError(
                "U126", f"{label_of(node)} decides how many steps of {self.axis} there are, and needs their number",
                node=node.name, where=node.where, expected=f"sums, maxima, means over {self.axis} alone, or the last step",
                got=repr(node),
            )  # fmt: skip
        return None


def _list_looped(nodes: Any, axis: Axis) -> list[Node]:
    """Return the states over the axis that are on a cycle through an earlier step of it."""
    part = {n: i for i, nodes_of_part in enumerate(list_components(nodes)) for n in nodes_of_part}
    back = [n for n in nodes if get_delay(n) and n.attrs["axis"] is axis and part[n] == part[n.inputs[0]]]
    loops = {part[n] for n in back}
    return [n for n in nodes if n.op is STATE and axis in n.axes and part[n] in loops]


__all__ = ["Decided", "Deciding", "end_steps"]
