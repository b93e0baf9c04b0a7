"""Equilibria as loops: the cycle of an equilibrium becomes a recurrence over the steps of an iteration.

What is cyclic through an equilibrium within one step gets an axis more, the iteration's; the equilibrium that it reads is that
of the iteration before, and the loop is left when all has settled. Of such an axis only the newest step is kept
(:class:`autograd_seq.core.axes.Iteration`), so that iterates take no memory. Everything else is as for any recurrence: what
does not depend on the iterate is computed outside of the loop, an iteration within the steps of a recurrence is a loop in a
loop, and every printer can write it.

A point that has settled keeps its value, so that no point is moved by another one that has not. Points that the equations
couple settle together. Where an iteration does not settle the value is NaN, and the program counts such points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.core.node import Node, constant
from autograd_seq.graph.checks import cut_shifts, find_loop_axis
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import list_components, step_order
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import abs as abs_
from autograd_seq.ops.elementwise import cast, less_equal, logical_not, maximum, mul, where
from autograd_seq.ops.equilibrium import ROUNDING, spacing
from autograd_seq.ops.parts import stack
from autograd_seq.ops.reduce import max as max_
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import EQUILIBRIUM, STATE, state
from autograd_seq.ops.time import AT, SHIFT, SPREAD


class Iterated(NamedTuple):
    """Equilibria that are iterated together.

    Attributes:
        nodes: the equilibria.
        going: how many (0 or 1) have not settled, at each point.
        moved: the last two residuals, if they were asked for.
    """

    nodes: tuple[Node, ...]
    going: Node
    moved: Node | None


class Lowered(NamedTuple):
    """A graph in which all equilibria are loops.

    Attributes:
        graph: the graph; if they are to be counted, its last output is the number of points that have not settled.
        iterated: what is iterated.
    """

    graph: Graph
    iterated: tuple[Iterated, ...]


def lower_equilibria(graph: System, count: bool = False, explain: bool = False) -> Lowered | None:
    """Return a graph whose equilibria are loops; ``None`` if it has none.

    Args:
        graph: the equations.
        count: whether the number of points that have not settled is a further output.
        explain: whether the residuals of the last two iterations are kept; it costs time at each.

    Example:
        >>> import autograd_seq as ag
        >>> z = ag.equilibrium("z")
        >>> z[...] = ag.cos(z)
        >>> found = lower_equilibria(ag.Graph(z))
        >>> [axis.name for axis in found.iterated[0].going.inputs[0].inputs[0].axes]
        ['k']

    Notes:
        Linear in the number of nodes.
    """
    if not any(n.op is EQUILIBRIUM for n in graph.nodes):
        return None
    image: dict[Node, Node] = {}
    outputs = rebuild(graph.outputs, lambda node, inputs: None, image=image)
    old = {new: n for n, new in image.items()}
    nodes = step_order(outputs)
    names = _Names(graph, old)
    done = tuple([_iterate(region, names, explain) for region in find_regions(nodes)])
    for z in nodes:
        if z.op is EQUILIBRIUM:  # whose equation does not read it
            _become(z, SPREAD, (z.inputs[0],), axes=z.axes)
    done = tuple([d._replace(going=_leave_out(d.going, nodes)) for d in done])
    left = [sum_over(d.going, axes=d.going.axes) if d.going.axes else d.going for d in done]
    if count:
        outputs.append(sum_over(*left, axes=()) if len(left) > 1 else left[0] if left else constant(0))
    made = Graph(outputs)
    made.axes = (*graph.axes, *(a for a in made.axes if a not in graph.axes))  # feeds and outputs are laid out as before
    return Lowered(made, done)


def find_regions(nodes: Sequence[Node]) -> list[list[Node]]:
    """Return the cyclic components that iteration computes: those that no axis steps through."""
    found = []
    pending = [part for part in list_components(nodes) if any(n.op is EQUILIBRIUM for n in part) and _is_cyclic(part)]
    while pending:
        part = pending.pop(0)
        loop = find_loop_axis(part)
        if loop is None:
            found.append(part)
        else:
            pending += [p for p in cut_shifts(part, loop[0]) if any(n.op is EQUILIBRIUM for n in p)]
    return found


def _is_cyclic(part: Sequence[Node]) -> bool:
    return len(part) > 1 or any(x is part[0] for x in part[0].inputs)


class _Names:
    """Names for what a loop is made of, after the equilibria that it computes.

    Args:
        graph: the equations.
        old: the node of the graph that a node is the copy of.
    """

    def __init__(self, graph: System, old: dict[Node, Node]) -> None:
        self.graph, self.old, self.taken = graph, old, {graph.name(n) for n in graph.nodes} | {a.name for a in graph.axes}

    def make(self, word: str, node: Node | None = None) -> str:
        """Return a word that no node has as its name, after the name of an equilibrium if there is one."""
        name = word if node is None else f"{self.graph.name(self.old[node])}_{word}"
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name


def _iterate(region: Sequence[Node], names: _Names, explain: bool) -> Iterated:
    """Make the equilibria of a region the last step of a loop; they are changed in place, as nobody else has them."""
    ends = [n for n in region if n.op is EQUILIBRIUM]
    axis = Iteration(names.make("k"), size=max(n.attrs["max_steps"] for n in ends))
    within, image = set(region), dict[Node, Node]()
    rebuild([n.inputs[0] for n in ends], lambda node, inputs: None, image=image, within=within,
            axes=lambda n: (*n.axes, axis) if n in within else n.axes)  # fmt: skip
    for n, copy in image.items():
        if copy is not n:
            copy.name = None  # that of the node, which is computed once more where all has settled
    free = _find_free(region, ends)
    settled: Node | None = None
    iterates, states = [image[n] for n in ends], []
    gaps = [_measure(image[n.inputs[0]] - z, free, axis) for n, z in zip(ends, iterates, strict=True)]
    sizes = [_measure(image[n.inputs[0]], free, axis) for n in ends]
    joint = _add_up(sizes)
    for n, gap, size in zip(ends, gaps, sizes, strict=True):
        size = maximum(size, n.attrs["floor"]) if n.attrs["floor"] else joint
        bound = maximum(mul(n.attrs["tol"], size), mul(float(ROUNDING), spacing(size)))
        fits = less_equal(gap, bound)
        settled = fits if settled is None else settled & fits
    assert settled is not None, "a region has an equilibrium"
    going = state(names.make("moves", ends[0]), over=(*free, axis), dtype=bool)
    going.attrs["ends"] = axis
    moved = _remember(_add_up(gaps), free, axis) if explain else None
    again = logical_not(settled)
    going[going.axes] = again if moved is None else again | (moved[0] < 0.0)  # which is in the cycle, hence in the loop
    for n, z in zip(ends, iterates, strict=True):
        equation, start = image[n.inputs[0]], n.inputs[1] if n.inputs[1:] else constant(np.zeros(n.shape))
        y = state(names.make("iterate", n), n.shape, over=(*n.axes, axis), init={axis: start})
        kept = n.attrs["damping"]
        y[y.axes] = where(going, equation if not kept else kept * z + (1 - kept) * equation, z)
        _become(z, SHIFT, (y,), axis=axis, by=1, outside="bounds")
        y.attrs["reach"][axis, "init"] = 1
        states.append(y)
    left = cast(AT(going, axis=axis, index=-1, outside="error"), int)
    for n, y in zip(ends, states, strict=True):
        last = AT(y, axis=axis, index=-1, outside="error")
        _become(n, where, (left > 0, constant(np.nan), last))
    if moved is not None:
        moved = where(left > 0, AT(moved, axis=axis, index=-1, outside="error"), 0.0)
    return Iterated(tuple(names.old[n] for n in ends), left, moved)


def _leave_out(going: Node, nodes: Sequence[Node]) -> Node:
    """Return how many have not settled at the steps that are taken: a loop around may have been left before the others."""
    for n in nodes:
        if n.op is STATE and n.attrs.get("ends") in going.axes:
            going = where(SHIFT(n, axis=n.attrs["ends"], by=1, outside="bounds"), going, 0)
    return going


def _become(node: Node, op: object, inputs: tuple[Node, ...], **attrs: object) -> None:
    """Change what a node is, for all who read it."""
    node.op, node.inputs, node.attrs = op, inputs, attrs  # type: ignore[assignment]


def _find_free(region: Sequence[Node], ends: Sequence[Node]) -> tuple[Axis, ...]:
    """Return the axes along which points are solved one by one: nothing in the region adds up, shifts or reads along them."""
    touched = {a for n in region if n.op is not SPREAD and n.op is not EQUILIBRIUM for a in _list_axes(n.attrs.values())}
    return tuple(a for a in ends[0].axes if a not in touched and all(a in n.axes for n in region))


def _list_axes(values: Iterable[object]) -> Iterable[Axis]:
    for v in values:
        if isinstance(v, Axis):
            yield v
        elif isinstance(v, tuple):
            yield from (a for a in v if isinstance(a, Axis))


def _measure(x: Node, free: tuple[Axis, ...], axis: Axis) -> Node:
    """Return the largest entry of a value, added up over points that are solved together."""
    size = max_(abs_(x)) if x.shape and x.size else abs_(x) if x.size else constant(0.0)
    return sum_over(size, axes=coupled) if (coupled := tuple(a for a in size.axes if a not in free and a is not axis)) else size


def _add_up(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else sum_over(*parts, axes=())


def _remember(gap: Node, free: tuple[Axis, ...], axis: Axis) -> Node:
    """Return the last two residuals."""
    moved = state(None, (2,), over=(*free, axis))
    moved[moved.axes] = stack([gap, moved[axis - 1][0]])
    return moved


__all__ = ["Iterated", "Lowered", "find_regions", "lower_equilibria"]
