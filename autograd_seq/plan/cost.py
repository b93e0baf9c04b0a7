"""What a program will need, from its plan and the lengths of the axes alone: its operations, and what its calls make.

What the source makes by name, the workspace above all, is not in the plan: the writer chooses it, and notes the shapes.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from math import prod
from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.ops.gather import ONE_HOT
from autograd_seq.ops.linear import CONTRACT, split_spec
from autograd_seq.ops.reduce import sum_over
from autograd_seq.plan.memory.views import LEAVES, find_adjacent, is_view
from autograd_seq.plan.passes.dimensions import get_fixed_lengths
from autograd_seq.plan.pipeline import Plan

WIDTHS = {int: 8, bool: 1}
ROW = 104
"""Bytes of a view of one step with its place in a list, as measured; the lengths and strides of its dimensions come on top."""


class Cost(NamedTuple):
    """What one call needs.

    Attributes:
        flops: floating-point operations, those of a product being counted as a multiplication and an addition each.
        bytes: what is held at once: workspace, what ``run`` makes, and the lists of rows; without the feeds, and copies of
            those that native code takes as they lie in memory.

    Example:
        >>> print(Cost(2.5e9, 3_000_000))
        2.50 Gflop, 3.00 MB
    """

    flops: float
    bytes: int

    def __str__(self) -> str:
        return f"{_shorten(self.flops)}flop, {_shorten(self.bytes)}B"


def _shorten(x: float) -> str:
    for unit in ("", "k", "M", "G", "T"):
        if x < 1000:
            return f"{x:.3g} {unit}" if not unit else f"{x:.2f} {unit}"
        x /= 1000
    return f"{x:.2f} P"


def count_operations(node: Node) -> tuple[int, tuple[Axis, ...]]:
    """Return the floating-point operations of a node at one point, and the axes whose points are to be multiplied with.

    Example:
        >>> from autograd_seq.ops.leaf import input, param
        >>> t = Axis("t")
        >>> count_operations(param("W", (3, 4)) @ input("x", (4,), over=t))
        (24, (t,))
    """
    axes = _unite_axes(node, *node.inputs)
    if node.op in LEAVES or node._value is not None or is_view(node):
        return 0, axes
    if node.op is CONTRACT:
        *labels, out = split_spec(node.attrs["spec"])
        sizes = {s: n for x, own in zip(node.inputs, labels, strict=True) for s, n in zip(own, x.shape, strict=True)}
        return (2 if set(sizes) - set(out) else 1) * prod(sizes.values()), axes
    each = len(node.inputs) - 1 if node.op is sum_over and len(node.inputs) > 1 else node.op.flops
    return each * max(prod(node.shape), *(prod(x.shape) for x in node.inputs), 0), axes


def _unite_axes(*nodes: Node) -> tuple[Axis, ...]:
    """Return the axes that any of the nodes varies over, in order."""
    return tuple(dict.fromkeys(a for n in nodes for a in n.axes))


def count_flops(plan: Plan, sizes: Mapping[Axis, int]) -> float:
    """Return the floating-point operations of a call of the program of a plan.

    Args:
        plan: see :func:`autograd_seq.plan.pipeline.plan`.
        sizes: the length of every axis.

    Notes:
        The time is that of the equations, whatever the lengths are. A sum over time of outer products, which is one matrix
        product, is counted as such.
    """
    sizes = {**sizes, **get_fixed_lengths(plan.graph.axes)}
    storage, total = plan.storage, 0.0
    for n in storage.path:
        if n in storage.homes or n in storage.absorbed:
            each, axes = count_operations(n)
            if n in storage.absorbed:
                each = each if _sums_a_label(n) else 2 * each
            elif any(x in storage.absorbed for x in n.inputs):
                each = 0
            total += float(each) * prod(sizes[a] for a in axes)
    return total


def find_peak_bytes(plan: Plan, sizes: Mapping[Axis, int], itemsize: int, returned: int, native: Container[Node] = ()) -> int:
    """Return the most bytes that are alive at once of what a call makes: local arrays, those beside them, and outputs.

    Args:
        plan: see :func:`autograd_seq.plan.pipeline.plan`.
        sizes: the length of every axis.
        itemsize: bytes of a float.
        returned: bytes of what is made for the caller.
        native: the nodes that native functions compute, which make nothing.
    """
    sizes = {**sizes, **get_fixed_lengths(plan.graph.axes)}
    storage, alive, peak = plan.storage, 0, 0
    for n, path in storage.path.items():
        home = storage.homes.get(n)
        if home is None or n in native:
            continue
        source = n.inputs[0] if n.inputs and n.inputs[0] in storage.absorbed else n
        own = _count_bytes(n, home.axes, sizes, itemsize) if home.buffer is None else 0
        work = max((_count_bytes(x, x.axes, sizes, itemsize) for x in n.inputs), default=0) if not path else 0
        first = 8 * _count_bytes(n, n.axes, sizes, 1) if n.op is ONE_HOT and itemsize < 8 else 0  # made as float64
        if source.op is CONTRACT and not path:  # NumPy copies what is a part of an array before it multiplies
            parts = [x for x in source.inputs if x.axes and find_adjacent(x) is not None]
            first += sum(_count_bytes(x, x.axes, sizes, itemsize) for x in parts)
        peak = max(peak, alive + own + first + n.op.scratch * work)
        alive += own
    return max(peak, alive + returned)


def bound_bytes(graph: Graph, sizes: Mapping[Axis, int], itemsize: int) -> int:
    """Return bytes that no call exceeds, without a plan: two arrays for each node, and lists of their rows."""
    lists = 4 * ROW * len(graph.nodes) * max([1, *(sizes[a] for a in graph.axes)])
    return lists + sum(2 * prod(sizes[a] for a in n.axes) * prod(n.shape) * max(itemsize, 8) for n in graph.nodes)


def _sums_a_label(node: Node) -> bool:
    """Tell whether a contraction sums over a label of the values."""
    a, b, out = split_spec(node.attrs["spec"])
    return bool(set(a + b) - set(out))


def _get_width(node: Node, itemsize: int) -> int:
    return WIDTHS.get(node.dtype, itemsize)


def _count_bytes(node: Node, axes: tuple[Axis, ...], sizes: Mapping[Axis, int], itemsize: int) -> int:
    return prod(sizes[a] for a in axes) * prod(node.shape) * _get_width(node, itemsize)
