"""Sums and products regrouped so that parts that do not depend on a loop are computed outside of it.

In ds[t] = (y[t] + m[t + 1])·o[t]·(1 − c[t]²) only ds and m are on the cycle: o·(1 − c²) is computed for all steps at once, and
one multiplication per step is left. Sums are flattened, and terms that are known before the loop are added up first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autograd_seq.core.axes import union
from autograd_seq.core.node import Node
from autograd_seq.core.rules import broadcast
from autograd_seq.graph.order import list_readers, step_order
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.elementwise import add, mul, neg, sub
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT, SIZE
from autograd_seq.plan.passes.simplify import get_number
from autograd_seq.plan.schedule import Loop, list_paths, schedule


class Places:
    """The places of nodes in the schedule of a graph, and their readers."""

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.nodes = step_order(outputs)
        self.path: dict[Node, tuple[Loop, ...]] = dict(list_paths(schedule(self.nodes)))
        self.at = {n: i for i, n in enumerate(self.path)}
        self.stepped = {loop.axis for path in self.path.values() for loop in path}
        self.readers = list_readers(self.nodes)
        self.outputs = set(outputs)
        self.given: set[Node] = set()  # nodes that depend on parameters and constants alone, computed first
        for n in self.path:
            static = not n.axes and n.op is not STATE and n.op not in (SIZE, DRAW)
            if static and all(x in self.given for x in n.inputs):
                self.given.add(n)

    def ready(self, x: Node) -> int:
        """Return when a node is computed: its place in the schedule, or −1 if it depends on parameters alone."""
        return -1 if x in self.given else self.at[x]

    def depth(self, x: Node, of: Node) -> int:
        """Return how many of the loops around ``of`` are around ``x`` as well."""
        pairs = zip(self.path[x], self.path[of], strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a is not b), min(len(self.path[x]), len(self.path[of])))

    def alone(self, x: Node) -> bool:
        """Tell whether just one node reads ``x``, at its own step."""
        return len(self.readers[x]) == 1 and x not in self.outputs and self.readers[x][0].op not in (SHIFT, STATE)


def is_sum(node: Node) -> bool:
    """Tell whether a node adds up floats of its own shape."""
    return node.dtype is float and (node.op in (add, sub) or (node.op is sum_over and not node.attrs["axes"]))


def regroup(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with the sums and products inside of loops regrouped by the loops that their parts need."""
    out, changed = _regroup_once(outputs)
    return _regroup_once(out)[0] if changed else out  # sums that have become products are factors now


def _regroup_once(outputs: Sequence[Node]) -> tuple[list[Node], bool]:
    where = Places(outputs)
    image: dict[Node, Node] = {}
    changed = False

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        nonlocal changed
        made = None
        if where.path[node] and is_sum(node) and not is_inner(where, node):
            made = _regroup_sum(where, node, image)
        elif where.path[node] and node.op is mul and node.dtype is float:
            made = _regroup_product(where, node, image)
        changed = changed or made is not None
        return made

    return rebuild(outputs, rule, image=image), changed


def is_inner(where: Places, node: Node) -> bool:
    """Tell whether the sum that reads a sum will take it apart anyway."""
    if not where.alone(node):
        return False
    reader = where.readers[node][0]
    return is_sum(reader) and where.path[reader] == where.path[node]


def list_terms(where: Places, node: Node) -> list[tuple[int, Node]]:
    """Return the (sign, term) pairs of a sum, flattening inner sums that have no other reader."""
    found: list[tuple[int, Node]] = []
    stack = [(1, node)]
    while stack:
        sign, x = stack.pop()
        inside = x is node or (where.path[x] == where.path[node] and where.alone(x))
        if inside and x.op is neg:
            stack.append((-sign, x.inputs[0]))
        elif inside and is_sum(x):
            signs = (1, -1) if x.op is sub else (1,) * len(x.inputs)
            stack += [(sign * s, y) for s, y in zip(signs, x.inputs, strict=True)][::-1]
        else:
            found.append((sign, x))
    return found


def _regroup_sum(where: Places, node: Node, image: dict[Node, Node]) -> Node | None:
    if (mixed := _interpolate(where, node, image)) is not None:
        return _take_name(node, mixed)
    terms = list_terms(where, node)
    depths = {where.depth(x, node) for _, x in terms}
    terms, before = _factor_out(where, node, terms, image), len(terms)
    if before == len(terms) < 3 and len(depths) < 2:
        return None
    return _add_by_depth(where, node, terms, image)


def _add_by_depth(where: Places, node: Node, terms: list[tuple[int, Node]], image: dict[Node, Node]) -> Node | None:
    """Return the sum of terms, added in the order in which they are computed; ``None`` if the node is that already."""
    ordered = sorted(terms, key=lambda term: where.depth(term[1], node))
    if all(a is b for (_, a), b in zip(ordered, node.inputs, strict=False)) and len(ordered) == len(node.inputs) == 2:
        return None
    total: Node | None = None
    for sign, x in ordered:
        y = image[x]
        if total is None:
            total = y if sign > 0 else neg(y)
        elif total.op is neg and sign > 0:
            total = sub(y, total.inputs[0])
        else:
            total = add(total, y) if sign > 0 else sub(total, y)
    return _take_name(node, total)


def _interpolate(where: Places, node: Node, image: dict[Node, Node]) -> Node | None:
    """Return (1 − z)·a + z·b as a + z·(b − a), if z is computed in the loop: two operations less."""
    if node.op is not add:
        return None
    for first, second in (node.inputs, node.inputs[::-1]):
        if not (first.op is second.op is mul and where.alone(first) and where.alone(second)):
            continue
        for rest, a in (first.inputs, first.inputs[::-1]):
            for z, b in (second.inputs, second.inputs[::-1]):
                fits = rest.op is sub and rest.inputs[1] is z and get_number(rest.inputs[0]) == 1
                if (
                    fits
                    and a.shape == b.shape == z.shape
                    and where.path[z] == where.path[node]
                    and set(a.axes) == set(b.axes) == set(z.axes)
                ):
                    return add(image[a], mul(image[z], sub(image[b], image[a])))
    return None


def _factor_out(where: Places, node: Node, terms: list[tuple[int, Node]], image: dict[Node, Node]) -> list[tuple[int, Node]]:
    """Return the terms with d·x − d·y as d·(x − y), where d is on the cycle and x and y are computed before.

    New nodes are added to ``where`` and ``image``, as if the graph had had them from the start.
    """
    groups: dict[Node, list[tuple[int, Node, Node]]] = {}
    for sign, x in terms:
        if x.op is mul and where.path[x] == where.path[node] and where.alone(x) and x.dtype is float:
            late = [y for y in x.inputs if where.path[y] == where.path[node]]
            early = [y for y in x.inputs if where.path[y] != where.path[node]]
            if len(late) == len(early) == 1 and late[0].shape == early[0].shape == x.shape:
                groups.setdefault(late[0], []).append((sign, early[0], x))
    out = list(terms)
    for d, group in groups.items():
        if len(group) < 2 or len({frozenset(y.axes) for _, y, _ in group}) > 1:
            continue
        total: Node | None = None
        for sign, y, _ in sorted(group, key=lambda g: -g[0]):
            y = image[y]
            total = (y if sign > 0 else neg(y)) if total is None else add(total, y) if sign > 0 else sub(total, y)
        made = mul(image[d], total)
        where.path[made], image[made] = where.path[node], made
        gone = {x for _, _, x in group}
        out = [(s, x) for s, x in out if x not in gone] + [(1, made)]
    return out


def _take_name(node: Node, made: Node | None) -> Node | None:
    if made is None or made.shape != node.shape or set(made.axes) != set(node.axes):
        return None
    return copy_name(node, made)


def _list_loop_factors(where: Places, node: Node) -> list[Node]:
    """Return the factors of a product, through products that are themselves a step's value times others."""
    found, stack = [], [node]
    while stack:
        x = stack.pop()
        inside = x is node or where.path[x] == where.path[node]
        if inside and x.op is mul and x.dtype is float and (x is node or where.alone(x) or _is_scaled(where, x)):
            stack += x.inputs[::-1]
        else:
            found.append(x)
    return found


def _is_scaled(where: Places, x: Node) -> bool:
    """Tell whether a product has one factor on the cycle, and others that are computed before."""
    return sum(where.path[y] == where.path[x] for y in x.inputs) == 1 and all(y.shape == x.shape for y in x.inputs)


def _regroup_product(where: Places, node: Node, image: dict[Node, Node]) -> Node | None:
    factors = _list_loop_factors(where, node)
    early = sorted((x for x in factors if where.path[x] != where.path[node]), key=lambda x: where.depth(x, node))
    late = [x for x in factors if where.path[x] == where.path[node]]
    if len(early) < 2 or not late:
        return None
    before = _multiply_alike([image[x] for x in early])
    now = _multiply_alike([image[x] for x in late])
    total = now[0]
    for x in [*now[1:], *before]:
        total = mul(total, x)
    return _take_name(node, total)


def _multiply_alike(factors: Iterable[Node]) -> list[Node]:
    """Multiply factors that vary over the same points, so that no product is larger than its largest factor."""
    out: list[Node] = []
    for x in factors:
        for i, y in enumerate(out):
            shape, axes = broadcast(x.shape, y.shape), set(union(x.axes, y.axes))
            if any(shape == z.shape and axes == set(z.axes) for z in (x, y)):
                out[i] = mul(y, x)
                break
        else:
            out.append(x)
    return out
