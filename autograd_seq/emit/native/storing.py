"""Which values native code stores in arrays, and which values share an array, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

from autograd_seq.core.node import Node
from autograd_seq.emit.contraction import is_contraction
from autograd_seq.emit.native.dims import list_dims
from autograd_seq.emit.native.fusion import Fusion, is_at_point
from autograd_seq.emit.native.units import Pass, PassStatement, StepLoop, Unit
from autograd_seq.emit.places import AffineIndex
from autograd_seq.plan.memory.views import get_root


def choose_stored(fusion: Fusion, functions: Sequence[Sequence[Unit]], outputs: Sequence[Node]) -> set[Node]:
    """Set ``store`` of all statements, and return the nodes whose values stay in variables.

    Args:
        fusion: the decisions.
        functions: the units of each native function; numbers stay in its variables.
        outputs: the nodes whose arrays are returned.
    """
    read = {get_root(o) for o in outputs}
    for n, reads in fusion.storage.reads.items():
        if any(r.by is None or r.by not in fusion.native for r in reads):
            read.add(n)
    statements: list[PassStatement] = []
    for units in functions:
        numbers = {s.node for unit in units if isinstance(unit, Pass) for s in unit.statements() if is_number(s)}
        for unit in _flatten(units):
            if isinstance(unit, Pass):
                statements += unit.statements()
                read |= _list_read_elsewhere(fusion, unit) - numbers
            elif isinstance(unit, Node) and not is_contraction(fusion.storage, unit):
                read |= fusion.list_touched(unit)[1] - numbers
            else:
                read |= fusion.list_touched(unit)[1]
    for s in statements:
        s.store = s.part is not None or s.node in read
    return {s.node for s in statements if not s.store}


def is_number(s: PassStatement) -> bool:
    """Tell whether a statement computes a scalar, which is a variable of the function."""
    return not s.node.axes and not s.node.shape and s.part is None


def _list_read_elsewhere(fusion: Fusion, unit: Pass) -> set[Node]:
    """Return the nodes that a pass reads from arrays: not computed before, at the same point of the same inner loop."""
    read: set[Node] = set()
    here = {a: AffineIndex(fusion.var[a]) for a in unit.axes}
    for shape, some in unit.inner:
        dims, near = list_dims(shape), set[Node]()
        for s in some:
            for e in fusion.list_reads(s):
                if e.node not in near or e.moved or e.unless or not is_at_point(e, here) or e.dims != dims:
                    read.add(e.node)
            if s.part is None and not s.total:
                near.add(s.node)
    return read


def _flatten(units: Sequence[Unit]) -> Iterator[Unit]:
    for unit in units:
        if isinstance(unit, StepLoop):
            yield from _flatten(unit.body)
        else:
            yield unit


def share_arrays(fusion: Fusion, segments: Sequence[tuple[bool, Any]], unstored: Set[Node]) -> None:
    """Let values of the same layout whose lifetimes do not overlap share an array.

    Args:
        fusion: the decisions.
        segments: (True, units) and (False, steps), in order; each unit or step of the outermost level is a moment.
        unstored: the nodes whose values stay in variables.
    """
    storage = fusion.storage
    moments = [x for _, part in segments for x in part]
    first: dict[Node, int] = {}
    last: dict[Node, int] = {}
    for now, moment in enumerate(moments):
        written, asked = fusion.list_touched(moment)
        for n in written:
            first.setdefault(n, now)
        for n in written | asked:
            last[n] = now
    for o in storage.outputs:
        last[get_root(o)] = len(moments)
    storage.share_buffers({n: (first[n], last[n]) for n in first.keys() & storage.homes.keys() - unstored})


__all__ = ["choose_stored", "is_number", "share_arrays"]
