"""The cost of a program, from its plan and the lengths of the axes: floating-point operations, and memory of temporary arrays.

Arrays that the source makes by name, such as the workspace, are not in the plan: the printer chooses them and notes their
shapes.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from math import prod
from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.ops.gather import ONE_HOT, SCATTER_ADD
from autograd_seq.ops.linear import CONTRACT, split_spec
from autograd_seq.ops.reduce import sum_over
from autograd_seq.plan.memory.views import LEAVES, find_shown, is_view, is_whole, list_shifts
from autograd_seq.plan.passes.dimensions import get_fixed_lengths
from autograd_seq.plan.pipeline import Plan

WIDTHS = {int: 8, bool: 1}
ROW = 104
"""Bytes of a NumPy view of one step and its pointer in a list, as measured, without the shape and strides of its dimensions."""


class Cost(NamedTuple):
    """What one call needs.

    Attributes:
        flops: floating-point operations; each term of a matrix product counts as two, a multiplication and an addition.
        bytes: the most that is held at once: the workspace, arrays made in ``run``, and the lists of rows; not the feeds, nor
            the contiguous copies of feeds that native code needs.

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
    """Return the floating-point operations of a node at one point, and the axes by whose lengths to multiply them.

    Example:
        >>> from autograd_seq.ops.leaf import input, param
        >>> t = Axis("t")
        >>> count_operations(param("W", (3, 4)) @ input("x", (4,), over=t))
        (24, (t,))
    """
    axes = tuple(dict.fromkeys(a for n in (node, *node.inputs) for a in n.axes))
    if node.op in LEAVES or node._value is not None or is_view(node):
        return 0, axes
    if node.op is CONTRACT:
        sizes = _list_sizes(node)
        return (2 if sizes.keys() - set(split_spec(node.attrs["spec"])[2]) else 1) * prod(sizes.values()), axes
    each = len(node.inputs) - 1 if node.op is sum_over and len(node.inputs) > 1 else node.op.flops
    return each * max(prod(node.shape), *(prod(x.shape) for x in node.inputs), 0), axes


def _list_sizes(node: Node) -> dict[str, int]:
    """Return the length that each label of a contraction stands for."""
    a, b, _ = split_spec(node.attrs["spec"])
    return dict(zip(a + b, (n for x in node.inputs for n in x.shape), strict=True))


def count_flops(plan: Plan, sizes: Mapping[Axis, int]) -> float:
    """Return the floating-point operations of a call of the program of a plan.

    Args:
        plan: see :func:`autograd_seq.plan.pipeline.plan`.
        sizes: the length of every axis.

    Notes:
        The time does not depend on the lengths. A sum over time of outer products is counted as the matrix product that it is.
    """
    sizes = {**sizes, **get_fixed_lengths(plan.graph.axes)}
    storage, total = plan.storage, 0.0
    for n in storage.path:
        if n in storage.homes or n in storage.absorbed:
            each, axes = count_operations(n)
            if n in storage.absorbed:
                each = prod(n.inputs[0].shape) if n.op is SCATTER_ADD else 2 * prod(_list_sizes(n).values())
            elif storage.get_inner(n) is not n:
                each = 0
            total += float(each) * prod(sizes[a] for a in axes)
    return total


def find_peak_bytes(plan: Plan, sizes: Mapping[Axis, int], itemsize: int, returned: int, native: Container[Node] = ()) -> int:
    """Return the most bytes that a call has allocated at one time: local arrays, temporary ones, and outputs.

    Args:
        plan: see :func:`autograd_seq.plan.pipeline.plan`.
        sizes: the length of every axis.
        itemsize: bytes of a float.
        returned: bytes of the arrays that are returned to the caller.
        native: the nodes that native functions compute, which allocate nothing.
    """
    sizes = {**sizes, **get_fixed_lengths(plan.graph.axes)}
    storage, alive, peak = plan.storage, 0, 0
    for n, path in storage.path.items():
        home = storage.homes.get(n)
        if home is None or n in native:
            continue
        source = storage.get_inner(n)
        own = _count_bytes(n, home.axes, sizes, itemsize) if home.buffer is None else 0
        work = max((_count_bytes(x, x.axes, sizes, itemsize) for x in n.inputs), default=0) if not path else 0
        first = 8 * _count_bytes(n, n.axes, sizes, 1) if n.op is ONE_HOT and itemsize < 8 else 0  # made as float64
        if source.op is CONTRACT and not path:  # NumPy copies an operand that is a part of an array before it multiplies
            parts = [x for x in source.inputs if x.axes and find_shown(x) and not is_whole(x) and not list_shifts(x)]
            first += sum(_count_bytes(x, x.axes, sizes, itemsize) for x in parts)
        peak = max(peak, alive + own + first + n.op.scratch * work)
        alive += own
    return max(peak, alive + returned)


def bound_bytes(graph: Graph, sizes: Mapping[Axis, int], itemsize: int) -> int:
    """Return an upper bound on the bytes of a call, without a plan: two arrays for each node, and lists of their rows."""
    lists = 4 * ROW * len(graph.nodes) * max([1, *(sizes[a] for a in graph.axes)])
    return lists + sum(2 * prod(sizes[a] for a in n.axes) * prod(n.shape) * max(itemsize, 8) for n in graph.nodes)


def _count_bytes(node: Node, axes: tuple[Axis, ...], sizes: Mapping[Axis, int], itemsize: int) -> int:
    return prod(sizes[a] for a in axes) * prod(node.shape) * WIDTHS.get(node.dtype, itemsize)
