"""Values that are read along another axis behind a causal mask: their rows of all earlier steps are kept for later calls."""

from __future__ import annotations

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError
from autograd_seq.core.node import Node
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import cast, equal, less, where
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import ALONG, INDEX, along
from autograd_seq.sequences.causal import find_seen


def find_attended(graph: System, axis: Axis, batch: tuple[Axis, ...] | None) -> list[Node]:
    """Return one node for each value that is read along another axis than ``axis``, and each such axis.

    Args:
        graph: the equations.
        axis: that along which calls continue.
        batch: the axes that lengths along ``axis`` vary over, if it has lengths.

    Raises:
        CarryError: a mask does not hide later steps, or sequences have lengths.
    """
    for n in graph.nodes:
        if n.op is TAKE_STEP and n.attrs["axis"] is axis:
            raise CarryError(
                "K122", f"{graph.name(n)} reads all steps of {axis}, but a call has only its own", node=graph.name(n),
                where=n.where, expected=f"reads of {axis} - 1, {axis} - 2, …", got=repr(n)[:80],
                fix=f"ag.window(x, {axis}, n) has the last n steps; or leave carry= out, and run whole sequences",
            )  # fmt: skip
    reads = [n for n in graph.nodes if n.op is ALONG and axis in (n.attrs["axis"], n.attrs["other"])]
    for n in reads:
        other = n.attrs["other"]
        seen = n if other is axis else find_seen(graph, axis, other)
        if seen is not None:
            raise CarryError(
                "K114", f"{graph.name(n)} reads all steps of {axis}, but a call has only its own and earlier ones",
                node=graph.name(n), where=n.where, expected=f"a mask that hides steps of {other} after that of {axis}",
                got=f"{graph.name(seen)} sees them",
                fix=f"ag.softmax(ag.where(ag.index({other}) <= ag.index({axis}), scores, -np.inf), over={other}), or "
                f"ag.window(x, {axis}, n); or leave carry= out, and run whole sequences",
            )  # fmt: skip
        if batch is not None:
            raise CarryError(
                "K121", f"{graph.name(n)} reads all earlier steps of {axis}, and lengths= cannot continue from a carry there",
                node=graph.name(n), where=n.where, expected="sequences of one length", got=f"lengths= of {axis}",
                fix="run sequences of one length together in pieces, or leave carry= out",
            )  # fmt: skip
    return list({(n.inputs[0], n.attrs["other"]): n for n in reads}.values())


def join_rows(node: Node, x: Node, before: Node, kept: Node, newest: Axis) -> Node:
    """Return what a read along another axis is in a later call: kept rows, then those of this call, then zeros.

    Args:
        node: the read, in the equations of a whole sequence.
        x: what is read, in the equations of the later call.
        before: the number of earlier steps.
        kept: the rows of earlier steps, over the axis along which they are read.
        newest: an axis as long as the call has steps.
    """
    place = INDEX(axis=node.attrs["other"])
    nothing = {float: 0.0, int: 0, bool: False}[x.dtype]
    now = along(x, node.attrs["axis"], newest)
    new = sum_over(where(equal(place - before, INDEX(axis=newest)), now, nothing), axes=(newest,))
    return where(less(place, before), kept, cast(new, bool) if x.dtype is bool else new)
