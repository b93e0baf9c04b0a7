"""Outputs: arrays of the caller's own, laid out as asked for; copied where the workspace holds them, else as they were made."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import arrange, write_tuple
from autograd_seq.emit.numpy.page import Page
from autograd_seq.plan.memory.views import get_root


def lay_out(w: Page, node: Node, declared: Sequence[Axis]) -> str:
    """Return the code of an output's values, its axes in the order in which they were asked for."""
    x = w.get_array(node)
    want: list[Axis | int | None] = [a if a in x.axes else None for a in declared]
    code = arrange(x, [*want, *range(len(x.shape))], ())
    if (declared or node.shape) and (None in want or x.shape != node.shape):
        return f"broadcast_to({code}, {write_tuple([*(w.size[a] for a in declared), *node.shape])})"
    return code


def return_output(w: Page, node: Node, declared: Sequence[Axis]) -> str:
    """Return the code of an array for the caller: a copy, unless the call made it for this output."""
    home = w.storage.homes.get(get_root(node))
    whole = home and home.node is node and home.buffer is None and w.owns(node) and tuple(declared) == home.axes
    if whole and node not in w.claimed:
        w.claimed.add(node)
        return w.get_array(node).code
    code = lay_out(w, node, declared)
    w.made.append((write_tuple([*(w.size[a] for a in declared), *node.shape]), w.get_width(node)))
    return f"array({code}, {w.get_width(node)})"
