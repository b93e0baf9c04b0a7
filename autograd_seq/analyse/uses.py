"""A value that all steps share, given a copy for each step: which step used it can then be asked.

Initial and final rows are read by the steps at the edge: they become ordinary reads of these steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.graph.order import find_dependents, get_rows, get_shift_rows, step_order
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.elementwise import equal, less, where
from autograd_seq.ops.shape import BROADCAST_TO
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import ALONG, AT, INDEX, SIZE, SPREAD, spread
from autograd_seq.sequences.rows import drop_rows


def copy_for_each_step(outputs: Sequence[Node], shared: Node, over: Axis) -> tuple[list[Node], Node]:
    """Return equal outputs in which every step of an axis reads its own copy of a node, and these copies, as one node.

    Args:
        outputs: the outputs.
        shared: a node that does not vary over the axis: a parameter, an initial row, what is computed from them.
        over: the axis of the steps.

    Raises:
        AxisError: the node is a state along another axis, whose own steps would read it too.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> w, x = ag.param("w"), ag.input("x", over=t)
        >>> (L,), each = copy_for_each_step([ag.sum(w * x, over=t)], w, t)
        >>> ag.Graph(ag.grad(L, each)).evaluate(x=[1.0, 2.0, 3.0])[0].tolist()
        [1.0, 2.0, 3.0]

    Notes:
        What is computed from the node alone, once for all steps, is computed at each step. Linear in the number of nodes.
    """
    if shared.op is STATE:
        raise AxisError(
            "Q121", f"{label_of(shared)} is a state along {', '.join(a.name for a in shared.axes)}, and has no uses at steps "
            f"of {over} alone", node=shared.name, where=show_site(user_site()), expected=f"a state over {over}, or a parameter",
            got=repr(shared)[:80],
        )  # fmt: skip
    order = step_order(outputs)
    varying = find_dependents(order, [shared], lambda n: not _ends_axis(n, over))
    image: dict[Node, Node] = {}
    copies = BROADCAST_TO(SPREAD(shared, axes=(over,)), shape=shared.shape, rank=shared.ndim)  # a node, in unrolled graphs too

    def widen(node: Node) -> tuple[Axis, ...]:
        return (*node.axes, over) if node in varying and over not in node.axes else node.axes

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node is shared:
            return copies
        if node.op is SPREAD:  # its operand may vary over the axis now
            return copy_name(node, spread(inputs[0], node.attrs["axes"]))
        return None

    def read_rows(old: Node, new: Node) -> Node:
        if old.attrs["axis"] is not over or not any(row in varying for row in get_shift_rows(old)):
            return new
        new.attrs = {**new.attrs, "outside": "zero"}
        return _read_rows_at_steps(old, new, image)

    made = rebuild(outputs, rule, axes=widen, image=image, shifts=read_rows)
    for old, new in image.items():
        if old.op is STATE and new.op is STATE and new is not old:
            _remove_rows(old, new, over, varying)
    return made, copies


def copy_state(outputs: Sequence[Node], of: Node) -> tuple[list[Node], Node]:
    """Return equal outputs, and a node with the value of a state that is read wherever the state is read, and nowhere else.

    In an unrolled graph a state is the node of its equation, which others may read, and which may be one for many points.
    """
    image: dict[Node, Node] = {}
    made = rebuild([*outputs, of], image=image)
    state = made.pop()
    equation, *rows = state.inputs
    copy = BROADCAST_TO(spread(equation, state.axes), shape=state.shape, rank=state.ndim)
    state.inputs = (copy, *rows)
    return made, copy


def _ends_axis(node: Node, over: Axis) -> bool:
    """Tell whether the value of a node no longer varies over an axis over which its operands do."""
    return (node.op.reduces_axes and over in node.attrs["axes"]) or (
        node.op in (AT, ALONG) and node.attrs["axis"] is over)  # fmt: skip


def _read_rows_at_steps(old: Node, new: Node, image: dict[Node, Node]) -> Node:
    """Return a shift that reads zeros outside, with the rows put in at the steps that read them."""
    axis, by = old.attrs["axis"], old.attrs["by"]
    bound, rows = get_rows(old.inputs[0], axis, "init" if by > 0 else "final")
    assert bound is not None
    far = INDEX(axis=axis) if by > 0 else SIZE(axis=axis) - 1 - INDEX(axis=axis)  # from the edge
    if bound.rows is None:
        return where(less(far, abs(by)), image[rows[0]], new)
    out = new
    for k in range(abs(by)):  # rows of a list count from the edge: the newest before the first step, the first after the last
        row = rows[len(rows) - by + k] if by > 0 else rows[-by - 1 - k]
        out = where(equal(far, k), image[row], out)
    return out


def _remove_rows(old: Node, state: Node, over: Axis, varying: set[Node]) -> None:
    """Remove rows along an axis that have become reads of steps."""
    gone = [b for b in state.attrs["bounds"] if b.axis is over and any(x in varying for x in old.inputs[b.start : b.stop])]
    drop_rows(state, gone.__contains__)
    waiting = dict(state.attrs.get("waiting", {}))  # rows given before it was clear along which axis: they are gone too
    for b in gone:
        waiting.pop(b.side, None)
    state.attrs = {**state.attrs, "waiting": waiting}


__all__ = ["copy_for_each_step", "copy_state"]
