"""What a program will need, from its plan and the lengths of the axes alone: floating-point operations and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from autograd_seq.axes import Axis
from autograd_seq.graph.graph import Graph
from autograd_seq.node import Node
from autograd_seq.ops.leaf import INPUT, PARAM, TENSOR
from autograd_seq.plan.dimensions import fixed
from autograd_seq.plan.passes import Plan
from autograd_seq.plan.schedule import Loop
from autograd_seq.plan.storage import Home
from autograd_seq.plan.views import LEAVES, adjacent, is_view, root, shifts

FUNCTION = 10
"""Operations that one tanh, exp, log, … is counted as: a polynomial of about this degree."""

PER_ENTRY: dict[str, int] = {
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "sin", "cos", "arctan", "tanh", "power"), FUNCTION),
    "sigmoid": FUNCTION + 3, "softplus": 2 * FUNCTION, "softmax": FUNCTION + 3, "log_softmax": FUNCTION + 3,
    "logsumexp": FUNCTION + 2, "logsumexp_over": FUNCTION + 2, "zero_safe_mul": 2,
    **dict.fromkeys(("copy", "cast", "pick", "one_hot", "reshape", "straight_through", "take", "concat", "stack"), 0),
}  # fmt: skip
"""Operations for each entry read or written, whichever are more; 1 for all that are not listed."""

WIDTHS = {int: 8, bool: 1}
ROW = 104
"""Bytes of a view of one step with its place in a list, as measured; the lengths and strides of its dimensions come on top."""

_TEMPORARIES = {"log_softmax": 2, "softmax": 2, "logsumexp": 2, "logsumexp_over": 1}  # arrays as long as the operand


class Cost(NamedTuple):
    """What one call needs.

    Attributes:
        flops: floating-point operations, those of a product being counted as a multiplication and an addition each.
        bytes: what is held at once: workspace, what ``run`` makes, and the lists of rows; without the feeds.

    Example:
        >>> print(Cost(2.5e9, 3_000_000))
        2.50 Gflop, 3.00 MB
    """

    flops: float
    bytes: int

    def __str__(self) -> str:
        return f"{_short(self.flops)}flop, {_short(self.bytes)}B"


def _short(x: float) -> str:
    for unit in ("", "k", "M", "G", "T"):
        if x < 1000:
            return f"{x:.3g} {unit}" if not unit else f"{x:.2f} {unit}"
        x /= 1000
    return f"{x:.2f} P"


def operations(node: Node) -> tuple[int, tuple[Axis, ...]]:
    """Return the floating-point operations of a node at one point, and the axes whose points are to be multiplied with.

    Example:
        >>> from autograd_seq.ops.leaf import input, param
        >>> t = Axis("t")
        >>> operations(param("W", (3, 4)) @ input("x", (4,), over=t))
        (24, (t,))
    """
    axes = _union(node, *node.inputs)
    if node.op in LEAVES or node._value is not None or is_view(node):
        return 0, axes
    if node.op.name == "contract":
        operands, out = node.attrs["spec"].split("->")
        labels = operands.split(",")
        sizes = {s: n for x, own in zip(node.inputs, labels, strict=True) for s, n in zip(own, x.shape, strict=True)}
        return (2 if set(sizes) - set(out) else 1) * prod(sizes.values()), axes
    each = PER_ENTRY.get(node.op.name, 1)
    if node.op.name == "sum_over" and len(node.inputs) > 1:
        each = len(node.inputs) - 1
    return each * max(prod(node.shape), *(prod(x.shape) for x in node.inputs), 0), axes


def _union(*nodes: Node) -> tuple[Axis, ...]:
    """Return the axes that any of the nodes varies over, in order."""
    return tuple(dict.fromkeys(a for n in nodes for a in n.axes))


def cost(plan: Plan, sizes: Mapping[Axis, int], itemsize: int) -> Cost:
    """Return what a call of the program of a plan needs.

    Args:
        plan: see :func:`autograd_seq.plan.passes.plan`.
        sizes: the length of every axis.
        itemsize: bytes of a float.

    Notes:
        The time is that of the equations, whatever the lengths are. A sum over time of outer products, which is one matrix
        product, is counted as such.
    """
    sizes = {**sizes, **fixed(plan.graph.axes)}
    storage, flops = plan.storage, 0.0
    for n in storage.path:
        if n in storage.homes or n in storage.absorbed:
            each, axes = operations(n)
            if n in storage.absorbed:
                each = each if _summed(n) else 2 * each
            elif any(x in storage.absorbed for x in n.inputs):
                each = 0
            flops += float(each) * prod(sizes[a] for a in axes)
    return Cost(flops, _workspace(plan, sizes, itemsize) + _rows(plan, sizes) + _made(plan, sizes, itemsize))


def roughly(graph: Graph, sizes: Mapping[Axis, int], itemsize: int) -> int:
    """Return bytes that no call exceeds, without a plan: two arrays for each node, and lists of their rows."""
    lists = 4 * ROW * len(graph.nodes) * max([1, *(sizes[a] for a in graph.axes)])
    return lists + sum(2 * prod(sizes[a] for a in n.axes) * prod(n.shape) * max(itemsize, 8) for n in graph.nodes)


def _summed(node: Node) -> bool:
    """Tell whether a contraction sums over a label of the values."""
    operands, out = node.attrs["spec"].split("->")
    return bool(set(operands) - set(out) - {","})


def _width(node: Node, itemsize: int) -> int:
    return WIDTHS.get(node.dtype, itemsize)


def _array(node: Node, axes: tuple[Axis, ...], sizes: Mapping[Axis, int], itemsize: int) -> int:
    return prod(sizes[a] for a in axes) * prod(node.shape) * _width(node, itemsize)


def _workspace(plan: Plan, sizes: Mapping[Axis, int], itemsize: int) -> int:
    """Return the bytes of the arrays that are allocated once."""
    total = 0
    for home in plan.storage.buffers:
        lengths = [sizes[a] + sum(home.halo.get(a, (0, 0))) for a in home.axes]
        rows = home.ring if home.ring > 1 else 1
        total += rows * prod(lengths) * prod(home.node.shape) * _width(home.node, itemsize)
    return total


def _rows(plan: Plan, sizes: Mapping[Axis, int]) -> int:
    """Return the bytes of the lists of rows that loops run over: one view a step of each array read or written there."""
    storage = plan.storage
    lists: dict[tuple[object, ...], int] = {}  # arrays that share a buffer share its views

    def enter(home: Home | None, loop: Loop, moved: object) -> None:
        if home is not None and home.lane:  # views of a part of another array
            whole, *part = home.lane
            home, moved = storage.homes[whole], (moved, *part)
        if home is None or home.buffer is None or (loop.axis not in home.axes and home.ring <= 1):
            return
        rank = max(len(home.axes) - 1, 0) + len(home.node.shape)
        lists[home.buffer, loop.axis, loop.direction, moved] = sizes[loop.axis] * (ROW + 16 * rank)

    for n, path in storage.path.items():
        if n in storage.homes and path:
            enter(storage.homes[n], path[-1], ())
            for x in storage.operands(n):
                enter(storage.homes.get(root(x)), path[-1], shifts(x))
    return sum(lists.values())


def _made(plan: Plan, sizes: Mapping[Axis, int], itemsize: int) -> int:
    """Return the most bytes that are alive at once of what a call makes: local arrays, copies of matrices, and outputs."""
    storage, alive, peak = plan.storage, 0, 0
    copied: set[tuple[Node, str]] = set()
    for n, path in storage.path.items():
        home = storage.homes.get(n)
        if home is None:
            continue
        source = n.inputs[0] if n.inputs and n.inputs[0] in storage.absorbed else n
        if source.op.name == "contract" and path:
            operands, out = source.attrs["spec"].split("->")
            for x, labels in zip(source.inputs, operands.split(","), strict=True):
                turned = len(labels) == 2 and labels[1] not in out and not x.axes
                turned = turned and (root(x).op in (PARAM, INPUT, TENSOR) or n in storage.blocks)
                if turned and (x, labels) not in copied:  # a matrix that is transposed for all steps
                    copied.add((x, labels))
                    alive += _array(x, (), sizes, itemsize)
        own = _array(n, home.axes, sizes, itemsize) if home.buffer is None else 0
        work = max((_array(x, x.axes, sizes, itemsize) for x in n.inputs), default=0) if not path else 0
        first = 8 * _array(n, n.axes, sizes, 1) if n.op.name == "one_hot" and itemsize < 8 else 0  # made as float64
        if source.op.name == "contract" and not path:  # NumPy copies what is a part of an array before it multiplies
            first += sum(_array(x, x.axes, sizes, itemsize) for x in source.inputs if x.axes and adjacent(x) is not None)
        peak = max(peak, alive + own + first + _TEMPORARIES.get(n.op.name, 0) * work)
        alive += own
    returned = 0
    for o in plan.graph.outputs:
        home = storage.homes.get(root(o))
        if home is None or home.buffer is not None or is_view(o):
            returned += _array(o, o.axes, sizes, itemsize)
    return max(peak, alive + returned)
