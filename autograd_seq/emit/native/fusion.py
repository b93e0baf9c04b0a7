"""Loop fusion: which nodes are computed where they are read, and which share one pass over memory.

A node whose entries are read once each is *inlined*: it is computed where it is read, and its array is never allocated, even
if it comes before a loop and is read within. The other elementwise statements are gathered into *passes*: one loop over the
lifted axes, which contains loops over the dimensions of a value, each with as many statements as the order of computation
allows. A value that is only read within the same inner loop is a local variable, and is not stored. Sums of numbers over all
points join the pass that computes the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from math import prod

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.contraction import is_contraction, read_contraction
from autograd_seq.emit.native.dims import INDEX, list_dims, list_operand_dims
from autograd_seq.emit.native.operations import is_native, is_pointwise
from autograd_seq.emit.native.units import Pass, PassStatement, StepLoop, Unit
from autograd_seq.emit.outline import Fill, Repeat, Step, list_nodes
from autograd_seq.emit.places import AffineIndex, At, Entry, find_entry
from autograd_seq.ops.gather import ONE_HOT, PICK, SCATTER_ADD, TAKE
from autograd_seq.ops.parts import CONCAT, PLACE
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.shape import RESHAPE
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.memory.reads import ArrayRead
from autograd_seq.plan.memory.storage import Storage
from autograd_seq.plan.memory.views import get_root

_ONCE = ("sum", "max", "level")
"""Reductions that read each entry of what they reduce once."""
_DEEPEST = 64
"""The deepest nesting of inlined operations: the writer recurses over them."""


class Fusion:
    """The decisions for one program.

    Args:
        storage: where values are stored, before arrays are shared.
        steps: the steps of the program, in order.
        size: the name of the length of each axis.
        var: the loop variable of each axis.
    """

    def __init__(self, storage: Storage, steps: Sequence[Step], size: Mapping[Axis, str], var: Mapping[Axis, str]) -> None:
        self.storage, self.size, self.var = storage, size, var
        self.native = {n for nodes in map(list_nodes, steps) if all(self.fits(n) for n in nodes) for n in nodes}
        self.inlined: set[Node] = set()
        depths: dict[Node, int] = {}
        for n in storage.homes:
            depth = 1 + max((depths.get(get_root(x), 0) for x in n.inputs), default=0)
            if depth < _DEEPEST and self._is_inlined(n):
                self.inlined.add(n)
                depths[n] = depth

    # -- what is native ---------------------------------------------------------------------------------------------------

    def fits(self, n: Node) -> bool:
        """Tell whether native code can compute a node; within a loop, the node must have an array."""
        home = self.storage.homes.get(n)
        if not self.storage.path[n] and _is_stack(self.storage, n):
            return False  # NumPy computes all of these products faster, in one call
        if n.op is not SCATTER_ADD and self.storage.get_inner(n).op is SCATTER_ADD:
            return False
        return is_native(n) and (home is None or home.buffer is not None or not self.storage.path[n])

    # -- what is computed where it is read ----------------------------------------------------------------------------------

    def _is_inlined(self, n: Node) -> bool:
        home, reads = self.storage.homes[n], self.storage.reads[n]
        if n not in self.native or not is_pointwise(n) or n.op in (CONCAT, PLACE, RESHAPE):
            return False
        if home.ring or home.halo or home.buffer is None or not reads:
            return False
        points = 0
        for r in reads:
            if not self._reads_in_place(n, r):
                return False
            assert r.by is not None
            points += prod(n.shape) if (r.by.op is CONCAT or r.by.op.reduces in _ONCE) else prod(r.by.shape)
        if points > prod(n.shape):
            return False
        late = any(r.path == self.storage.path[n] for r in reads)
        return not (late and any(self._is_carried(x) for x in n.inputs))

    def _reads_in_place(self, n: Node, r: ArrayRead) -> bool:
        """Tell whether a statement reads the entries of a node only at its own point, so that the node can be inlined there."""
        by = r.by
        if by is None or by.op is SHIFT or r.shifts or r.elsewhere or by not in self.native:
            return False
        if by.op in (PICK, TAKE, TAKE_STEP, ONE_HOT, PLACE, RESHAPE):
            return False
        path = self.storage.path[n]
        if r.path[: len(path)] != path:
            return False
        if is_pointwise(by):
            return set(by.axes) == set(n.axes)
        x = by.inputs[0]
        if by.op.reduces not in _ONCE or get_root(x) is not n:  # or it is an operand of a product that is summed
            return False
        return set(x.axes) == set(n.axes) and prod(x.shape) <= prod(n.shape)

    def _is_carried(self, x: Node) -> bool:
        """Tell whether a node shows a row that a loop keeps from an earlier step, and will overwrite."""
        home = self.storage.homes.get(get_root(x))
        return home is not None and bool(home.ring)

    # -- passes ---------------------------------------------------------------------------------------------------------------

    def make_units(self, steps: Sequence[Step]) -> list[Unit]:
        """Return the units of steps, in order."""
        out: list[Unit] = []
        for step in steps:
            if isinstance(step, Repeat):
                out += [*step.fills, StepLoop(step.loop, self.make_units(step.body))]
            elif isinstance(step, Fill):
                out.append(step)
            elif step not in self.inlined:
                some = self.make_statements(step)
                for s in some:
                    self._place_in_pass(s, out)
                if not some:
                    out.append(step)
        return out

    def put_numbers_first(self, steps: Sequence[Step]) -> list[Step]:
        """Return steps in an order in which scalars that depend only on scalars come first.

        What is computed at all points before and after such a number then fits into one pass.
        """
        late: set[Node] = set()
        first: list[Step] = []
        rest: list[Step] = []
        for step in steps:
            if isinstance(step, Node) and not (step.axes or step.shape) and is_pointwise(step) and not any(
                get_root(x) in late for x in step.inputs
            ):  # fmt: skip
                first.append(step)
            else:
                late.update(list_nodes(step))
                rest.append(step)
        return first + rest

    def _is_total(self, n: Node) -> bool:
        """Tell whether a node is the sum of a scalar over all its axes."""
        x = n.inputs[0] if n.inputs else n
        alone = not n.axes and not x.shape and x not in self.storage.absorbed
        return n.op is sum_over and alone and set(n.attrs["axes"]) == set(x.axes)

    def make_statements(self, node: Node) -> list[PassStatement]:
        """Return the statements that compute an elementwise node or a total; none if it is neither."""
        if not is_pointwise(node):
            x = node.inputs[0]
            total = not self.storage.path[node] and self._is_total(node)
            return [PassStatement(node, tuple(a for a in self.storage.order if a in x.axes), (), total=True)] if total else []
        axes = self.storage.lift(node.axes, node)
        if node.op is not CONCAT:
            return [PassStatement(node, axes, node.shape)]
        found, start = [], 0
        for k, x in enumerate(node.inputs):
            found.append(PassStatement(node, axes, x.shape, (k, start)))
            start += x.shape[node.attrs["axis"]]
        return found

    def _place_in_pass(self, s: PassStatement, out: list[Unit]) -> None:
        """Put a statement into the latest pass that it may join, or into a new one."""
        reads = self.list_reads(s)
        needed, own = {e.node for e in reads}, self.storage.homes[s.node]
        for unit in reversed(out):
            if isinstance(unit, Pass) and unit.axes == s.axes and self._join(s, reads, unit):
                return
            done, asked = self.list_touched(unit)
            if not done.isdisjoint(needed) or (own.ring and s.node in asked):
                break
        unit = Pass(s.axes)
        unit.add(s, reads, 0)
        out.append(unit)

    def _join(self, s: PassStatement, reads: Sequence[Entry], unit: Pass) -> bool:
        """Put a statement into a pass if what it reads or overwrites there is complete at its point; return whether it is."""
        here = {a: AffineIndex(self.var[a]) for a in s.axes}
        met = [(e, k, other, other.part is None and not e.moved)
               for e in reads for k, other in unit.writers.get(e.node, ())]  # fmt: skip
        if self.storage.homes[s.node].ring:
            met += [(e, k, other, s.part is None)
                    for k, (_, some) in enumerate(unit.inner) for other in some
                    for e in self.list_reads(other) if e.node is s.node]  # fmt: skip
        first = 0
        for e, k, other, whole in met:
            if other.total or not is_at_point(e, here):
                return False
            same = other.shape == s.shape and whole and e.dims == list_dims(s.shape)
            first = max(first, k if same else k + 1)
        unit.add(s, reads, first)
        return True

    def list_touched(self, unit: Unit | Step) -> tuple[Set[Node], Set[Node]]:
        """Return the nodes that a unit, or a step in NumPy, writes and those that it reads."""
        if isinstance(unit, Pass):
            return unit.writers.keys(), unit.asked
        if isinstance(unit, (StepLoop, Repeat)):
            both = [self.list_touched(u) for u in (*(unit.fills if isinstance(unit, Repeat) else ()), *unit.body)]
            return {n for w, _ in both for n in w}, {n for _, r in both for n in r}
        if isinstance(unit, Fill):
            return {get_root(unit.shift)}, {get_root(row) for _, row in unit.rows if row is not None}
        return {get_root(unit)}, {n for x in self.storage.operands(unit) for n in self.list_roots(x)}

    def list_roots(self, x: Node) -> set[Node]:
        """Return the nodes whose arrays are read for an operand: its own, or those that an inlined operand reads."""
        r = get_root(x)
        if r not in self.inlined:
            return {r}
        return {n for y in r.inputs for n in self.list_roots(y)}

    # -- what a statement reads ---------------------------------------------------------------------------------------------

    def list_reads(self, s: PassStatement) -> list[Entry]:
        """Return the entries that a statement reads at its point, directly or through inlined nodes."""
        at = {a: AffineIndex(self.var[a]) for a in (s.axes if s.total else s.node.axes)}
        return self._list_entries(s.node, s.inputs, at, list_dims(s.shape))

    def _list_entries(self, node: Node, inputs: Iterable[Node], at: At, dims: tuple[AffineIndex, ...]) -> list[Entry]:
        found: list[Entry] = []
        for x in inputs:
            named = {node.attrs["axis"]: INDEX} if node.op is TAKE_STEP and x is node.inputs[0] else {}
            e = find_entry(x, {**at, **named}, list_operand_dims(node, x, dims), self.size)
            e = replace(e, moved=(*e.moved, *named))
            if e.node in self.inlined:
                found += self._list_entries(e.node, e.node.inputs, e.at, e.dims)
            else:
                found.append(e)
        return found


def _is_stack(storage: Storage, n: Node) -> bool:
    """Tell whether a node is a product of many matrices with many, or one whose dimensions come out in another order."""
    if n.dtype is not float or not is_contraction(storage, n):
        return False
    found = read_contraction(storage, n).product
    return found is not None and bool(found.first.rows and found.second.columns) and bool(found.batch or not found.straight)


def is_at_point(e: Entry, here: At) -> bool:
    """Tell whether an entry lies at the current point of the lifted axes."""
    return all(e.at.get(a) == place for a, place in here.items())


__all__ = ["Fusion", "is_at_point"]
