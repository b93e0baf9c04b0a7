"""Which steps a sequence reads of its own: all of them, or only those that a mask lets through."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_seq.core.node import Node
from autograd_seq.ops.elementwise import add, less, less_equal, logical_and, where
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.time import ALONG, INDEX
from viz.read.graph import Reading, get_equation, get_operands, skip_carriers
from viz.read.symbols import get_number

_CLOSED = -1e4  # what is added to a score, or put in its place, so that its weight is 0

_Mask = tuple[str, str]
"""Of a value for each pair of steps: that it is "true" within a mask, or "low" or "zero" outside of it, and the mask."""


def find_reaches(reading: Reading) -> dict[Node, str]:
    """Return for each read of a sequence along its own axis which steps are read: "all", "past" ones, or those "before".

    Example:
        >>> import autograd_seq as ag
        >>> from viz.read.graph import read_graph
        >>> t = ag.Axis("t")
        >>> y = ag.nn.multi_head_attention(ag.input("x", (4,), over=t), 2, over=t, causal=True)
        >>> set(find_reaches(read_graph([y])).values())
        {'past'}

    Notes:
        A mask is found where it is written as one: positions compared, which choose between scores and −∞, or values and 0.
    """
    masks: dict[Node, _Mask] = {}
    for vertex in reading.vertices:
        if reading.aliases.intersection(vertex.axes) and (mask := _find_mask(vertex, reading, masks)):
            masks[vertex] = mask
    out = {}
    for vertex in reading.vertices:
        if vertex.op is ALONG and vertex.attrs["other"] in reading.aliases:
            kinds = set(_list_sums(vertex, reading, masks))
            out[vertex] = kinds.pop() if len(kinds) == 1 else "all" if not kinds or "all" in kinds else "past"
    return out


def _find_mask(vertex: Node, reading: Reading, masks: dict[Node, _Mask]) -> _Mask | None:
    """Return what is known of a vertex, from what is known of its operands."""
    op, operands = get_equation(vertex).op, [skip_carriers(node) for node in get_operands(vertex)]
    if op in (less, less_equal) and all(node.op is INDEX for node in operands):
        read, own = (node.attrs["axis"].name for node in operands)
        return ("true", "past" if op is less_equal else "before") if reading.bases.get(read) == own else None
    known = [masks.get(node, ("", "")) for node in operands]
    zeros = [sort == "zero" for sort, _ in known]
    if op is logical_and:
        wanted, sort = "true", "true"
    elif op is where and known[0][0] == "true" and (value := get_number(operands[2])) is not None:
        wanted, sort = "true", "zero" if value == 0 else "low" if value <= _CLOSED else ""
    elif op is add and any(sort == "low" for sort, _ in known):
        wanted, sort = "low", "low"
    elif op is rewritten and vertex.attrs["form"] == "softmax":
        wanted, sort = "low", "zero"
    else:
        wanted, sort = "zero", "zero" if any(zeros) and op.linear_in(zeros) else ""
    mask = next((mask for sort, mask in known if sort == wanted), "")
    return (sort, mask) if sort and mask else None


def _list_sums(vertex: Node, reading: Reading, masks: dict[Node, _Mask]) -> Iterator[str]:
    """Yield the masks of what is summed over the other axis of a read, "all" where there is none."""
    other, ahead, seen = vertex.attrs["other"], [vertex], {vertex}
    while ahead:
        node = ahead.pop()
        for reader in reading.readers[node]:
            if other not in reader.axes:
                sort, mask = masks.get(node, ("", ""))
                yield mask if sort == "zero" and reader.op.linear_in([True] * len(reader.inputs)) else "all"
            elif reader not in seen:
                seen.add(reader)
                ahead.append(reader)
