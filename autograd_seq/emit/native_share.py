"""Which values of native code go to an array, and which arrays hold several values one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autograd_seq.emit.native_fuse import Fill, Fusion, Pass, Statement, Steps, Unit, at_point, dims_of, nodes_of
from autograd_seq.emit.native_places import Place
from autograd_seq.node import Node
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.storage import Home
from autograd_seq.plan.views import root


def stored(fusion: Fusion, units: Sequence[Unit], outputs: Sequence[Node]) -> list[Statement]:
    """Return the statements whose values somebody reads from an array; all others are told not to store.

    Args:
        fusion: the decisions.
        units: all native units of a program.
        outputs: the nodes whose arrays are returned.
    """
    read = {root(o) for o in outputs}
    for n, reads in fusion.storage.reads.items():
        if any(r.by is None or r.by not in fusion.native for r in reads):
            read.add(n)
    statements: list[Statement] = []
    for unit in _flat(units):
        if not isinstance(unit, Pass):
            read |= fusion.touched(unit)[1]
            continue
        for shape, some in unit.inner:
            for k, s in enumerate(some):
                statements.append(s)
                here = {a: Place(fusion.var[a]) for a in s.axes}
                for e in fusion.reads(s):
                    near = any(o.node is e.node and o.part is None for o in some[:k])
                    if not (near and not e.moved and at_point(e, here) and e.dims == dims_of(shape) and not e.unless):
                        read.add(e.node)
    for s in statements:
        s.store = s.part is not None or s.node in read
    return [s for s in statements if s.store]


def _flat(units: Sequence[Unit]) -> Iterator[Unit]:
    for unit in units:
        if isinstance(unit, Steps):
            yield from _flat(unit.body)
        else:
            yield unit


def share(fusion: Fusion, segments: Sequence[tuple[bool, Any]]) -> None:
    """Give one array to values of one layout whose lives do not overlap.

    Args:
        fusion: the decisions.
        segments: (True, units) and (False, items), in order; each unit or item of the outermost level is a moment.
    """
    storage = fusion.storage
    moments = [x for _, part in segments for x in part]
    first: dict[Node, int] = {}
    last: dict[Node, int] = {}
    for now, moment in enumerate(moments):
        written, asked = _lives(fusion, moment)
        for n in written:
            first.setdefault(n, now)
        for n in written | asked:
            last[n] = now
    for o in storage.outputs:
        last[root(o)] = len(moments)
    free: dict[Any, list[Home]] = {}
    busy: list[Home] = []
    homes = sorted((first[n], storage.at[n], n) for n in first if n in storage.homes)
    for start, _, n in homes:
        home = storage.homes[n]
        if home.buffer is None or home.halo or home.ring:
            continue
        for other in [b for b in busy if last[b.node] < start]:
            busy.remove(other)
            free.setdefault(other.key, []).append(other)
        if free.get(home.key):
            home.buffer = free[home.key].pop().buffer
        busy.append(home)


def _lives(fusion: Fusion, moment: Any) -> tuple[set[Node], set[Node]]:
    """Return the nodes that a unit or an item writes and reads."""
    if isinstance(moment, (Pass, Steps, Fill)) or hasattr(moment, "node"):
        return fusion.touched(moment)
    nodes = nodes_of(moment)
    read = {root(x) for n in nodes for x in fusion.storage.operands(n)}
    read |= {root(y) for n in nodes if n.op is SHIFT for x in n.inputs for y in x.inputs}  # rows outside of the steps
    return {n for n in nodes if n in fusion.storage.homes}, read


__all__ = ["share", "stored"]
