"""Matrix products that share an operand become one product, and equal elementwise operations on its parts one on the whole.

The four gates of an LSTM read W_i h, W_f h, W_o h, W_g h: one product with the matrices stacked. Elementwise
operations on adjacent parts of one array become one operation on the array (Larsen & Amarasinghe 2000 call it superword
parallelism).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

from autograd_seq.core.node import Node, apply
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.activations import relu, sigmoid, tanh
from autograd_seq.ops.elementwise import add, cos, exp, mul, neg, sin, sub
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.parts import CONCAT, SLICE, concat
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.memory.views import find_stretch
from autograd_seq.plan.passes.regroup import Places, is_sum
from autograd_seq.plan.passes.simplify import freeze

_ALIKE = (add, sub, mul, tanh, sigmoid, exp, relu, sin, cos, neg)


def pack(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with products that share an operand packed, and the elementwise operations after them.

    Only products with a single row at each step are: with many rows (a batch) the parts of a packed product are not contiguous,
    and it takes longer to read them than to compute the products one by one.
    """
    given = list(outputs)
    where = Places(given)
    out = _pack_shared(where, given)
    for _ in range(8):  # along the chain of operations that follow a packed product
        where = where if out is given else Places(out)
        out, changed = _merge_alike(where, out)
        if not changed:
            break
    return out


def _has_single_rows(where: Places, n: Node) -> bool:
    return where.stepped.issuperset(n.axes)


def take_part(x: Node, dimension: int, start: int, stop: int) -> Node:
    """Return the entries ``start:stop`` of a value along a dimension counted from the end."""
    key = [slice(0, n, 1) for n in x.shape]
    key[dimension] = slice(start, stop, 1)
    return apply(SLICE, x, key=tuple(key))


def take_own_part(x: Node, dimension: int, node: Node, nodes: Sequence[Node]) -> Node:
    """Return the entries of a value that are those of one of several nodes, which lie one after the other in it."""
    start = sum(n.shape[dimension] for n in takewhile(lambda n: n is not node, nodes))
    return take_part(x, dimension, start, start + node.shape[dimension])


# -- products that share an operand ---------------------------------------------------------------------------------------


def _find_own_label(spec: str, side: int) -> str | None:
    """Return a label of one operand that only it and the result have."""
    operands, out = spec.split("->")
    both = operands.split(",")
    return next((c for c in both[side] if c in out and c not in both[1 - side]), None)


def _pack_shared(where: Places, outputs: list[Node]) -> list[Node]:
    groups: dict[Any, list[tuple[Node, int]]] = {}
    for n in where.nodes:
        if n.op is CONTRACT and n.dtype is float and _has_single_rows(where, n):
            for side in (0, 1):
                if (key := _get_pack_key(where, n, side)) is not None:
                    groups.setdefault(key, []).append((n, side))
    taken: set[Node] = set()
    plans: dict[Node, tuple[list[Node], int]] = {}
    for members in groups.values():
        free = [(n, side) for n, side in members if n not in taken]
        if len(free) < 2 or not _are_ready(where, [n.inputs[s] for n, s in free], [n for n, _ in free]):
            continue
        side = free[0][1]
        lanes = sorted((n for n, _ in free), key=lambda n: (*_rank_fate(where, n), where.at[n]))
        taken |= set(lanes)
        for n in lanes:
            plans[n] = lanes, side
    return _replace(outputs, plans) if plans else outputs


def _get_pack_key(where: Places, n: Node, side: int) -> Any:
    """Return what products must have in common to be packed along ``side``; ``None`` if this one cannot be."""
    spec, a, v = n.attrs["spec"], n.inputs[side], n.inputs[1 - side]
    label = _find_own_label(spec, side)
    if label is None or n in where.outputs:
        return None
    summed: Any = ()
    if a.axes:  # one that is summed over time: the gradient of a weight
        if not where.alone(n):
            return None
        total = where.readers[n][0]
        if total.op is not sum_over or len(total.inputs) != 1 or not total.attrs["axes"] or where.path[n]:
            return None
        summed = total.attrs["axes"]
    elif not v.axes:
        return None
    at = spec.split("->")[0].split(",")[side].index(label)
    shape = a.shape[:at] + a.shape[at + 1 :]
    of_part = tuple(map(id, where.path[a])) if a.axes else ()
    return id(v), spec, side, shape, frozenset(a.axes), summed, tuple(map(id, where.path[n])), of_part


def _are_ready(where: Places, parts: Sequence[Node], nodes: Sequence[Node]) -> bool:
    """Tell whether all parts are computed before the first of some nodes, so that these can be packed without a cycle."""
    return max(where.ready(x) for x in parts) < min(where.at[n] for n in nodes)


def _rank_fate(where: Places, n: Node) -> tuple[int, int]:
    """Return a sort key that puts products together to which the same function is applied."""
    while where.alone(n) and (n.op is CONTRACT or is_sum(n)):
        n = where.readers[n][0]
    rank = {sigmoid: 0, tanh: 1}.get(n.op, 2)
    if n.op is tanh and where.alone(n) and where.readers[n][0].op is mul:  # a sigmoid as tanh
        rank = 0
    return rank, where.at[n]


def _replace(outputs: list[Node], plans: dict[Node, tuple[list[Node], int]]) -> list[Node]:
    image: dict[Node, Node] = {}
    whole: dict[Node, Node] = {}
    sums: dict[Any, Node] = {}

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node in plans:
            lanes, side = plans[node]
            return _make_lane(node, lanes, side, image, whole)
        if node.op is sum_over and len(node.inputs) == 1 and node.inputs[0] in plans and inputs[0].op is SLICE:
            big = inputs[0].inputs[0]
            key = big, node.attrs["axes"]  # parts of one product may be summed over different axes
            if key not in sums:
                sums[key] = sum_over(big, axes=node.attrs["axes"])
            return copy_name(node, apply(SLICE, sums[key], key=inputs[0].attrs["key"]))
        return None

    after = {n: [m.inputs[side] for m in lanes] for n, (lanes, side) in plans.items()}
    return rebuild(outputs, rule, image=image, after=after)


def _make_lane(node: Node, lanes: list[Node], side: int, image: dict[Node, Node], whole: dict[Node, Node]) -> Node:
    spec = node.attrs["spec"]
    label = _find_own_label(spec, side)
    assert label is not None
    operands, out = spec.split("->")
    own = operands.split(",")[side]
    dimension, at = own.index(label) - len(own), out.index(label) - len(out)
    if lanes[0] not in whole:
        stack = concat([image[n.inputs[side]] for n in lanes], dimension)
        v = image[node.inputs[1 - side]]
        whole[lanes[0]] = apply(CONTRACT, *((stack, v) if side == 0 else (v, stack)), spec=spec)
    return copy_name(node, take_own_part(whole[lanes[0]], at, node, lanes))


# -- elementwise operations on parts ----------------------------------------------------------------------------------------


def _merge_alike(where: Places, outputs: list[Node]) -> tuple[list[Node], bool]:
    """Replace an operation on several adjacent parts of arrays by one on the whole of them."""
    groups: dict[Any, list[tuple[int, Node]]] = {}
    for n in where.nodes:
        free = n.op in _ALIKE and n.dtype is float and n not in where.outputs and n.shape != () and _has_single_rows(where, n)
        free = free and not any(r.op in (STATE, SHIFT) or r.op is CONCAT for r in where.readers[n])
        if free and (found := _get_part_key(where, n)) is not None:
            groups.setdefault(found[0], []).append((found[1], n))
    runs: dict[Node, list[Node]] = {}
    for members in groups.values():
        for run in _find_runs(members):
            sources = [x.inputs[0] if x.op is SLICE else x for n in run for x in n.inputs]
            if len(run) > 1 and _are_ready(where, sources, run):
                for n in run:
                    runs[n] = run
    if not runs:
        return outputs, False
    image: dict[Node, Node] = {}
    whole: dict[Node, Node] = {}

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node not in runs:
            return None
        run = runs[node]
        first = run[0]
        if first not in whole:
            operands = [_join_parts([n.inputs[i] for n in run], image) for i in range(len(first.inputs))]
            whole[first] = apply(first.op, *operands, **first.attrs)
        return copy_name(node, take_own_part(whole[first], -1, node, run))

    after = {n: [x for m in run for x in m.inputs] for n, run in runs.items()}
    return rebuild(outputs, rule, image=image, after=after), True


def _get_part_key(where: Places, n: Node) -> tuple[Any, int] | None:
    """Return what operations on adjacent parts have in common, and where this one's part begins."""
    keys: list[Any] = []
    start: int | None = None
    for x in n.inputs:
        if x.op is SLICE and x.axes and find_stretch(x) is not None:
            begin = x.attrs["key"][-1].start
            if start not in (None, begin) or x.shape != n.shape:
                return None
            start = begin
            keys.append(("part", id(x.inputs[0])))
        elif x._value is not None and not x.shape:
            keys.append(("number", id(x)))
        elif x in where.given and x.shape == n.shape[-1:]:
            keys.append(("given",))
        else:
            return None
    if start is None:
        return None
    return (n.op, freeze(n.attrs), tuple(keys), n.shape[:-1], tuple(map(id, where.path[n]))), start


def _find_runs(members: Iterable[tuple[int, Node]]) -> list[list[Node]]:
    """Return runs of parts that follow each other."""
    runs: list[list[Node]] = []
    end = None
    for start, n in sorted(members, key=lambda m: m[0]):
        if end == start:
            runs[-1].append(n)
        else:
            runs.append([n])
        end = start + n.shape[-1]
    return runs


def _join_parts(parts: Sequence[Node], image: dict[Node, Node]) -> Node:
    """Return a run of adjacent parts as one part of their array, or the array itself if the run is all of it."""
    first, last = parts[0], parts[-1]
    if first.op is not SLICE or not first.axes:
        return image[first] if not first.shape else concat([image[x] for x in parts], -1)
    source = image[first].inputs[0]
    start, stop = first.attrs["key"][-1].start, last.attrs["key"][-1].stop
    return source if (start, stop) == (0, source.shape[-1]) else take_part(source, -1, start, stop)
