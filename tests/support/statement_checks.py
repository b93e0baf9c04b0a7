"""A check that a procedure reads only what is computed already: it is walked step by step, for short sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.emit.statements import (
    ALL,
    BEFORE,
    END,
    START,
    STEP,
    Accumulate,
    Allocate,
    Assign,
    Expression,
    For,
    IfLonger,
    Place,
    Procedure,
    Read,
    Statement,
    StoredArray,
    list_expressions,
)

Point = tuple[int, ...]


def check_procedure(procedure: Procedure, length: int = 3) -> None:
    """Refuse a procedure that reads what is not computed yet, or never.

    Each point of an array must be written once (in an iteration, once in each), or added to before it is read; each array must
    be allocated once, before it is written; reads and writes must stay within its steps and the rows before and after them;
    values must have the shape of a point.

    Args:
        procedure: the procedure to check.
        length: the number of steps of each axis.

    Raises:
        ValueError: one of these rules is broken; the message names the statement.

    Example:
        >>> from autograd_seq.emit.statements import Number
        >>> a = StoredArray("a", (), (), float, "a")
        >>> check_procedure(Procedure({}, [Assign(Read((), float, a, ()), Number((3,), float, [1, 2, 3]))], [], ()))
        Traceback (most recent call last):
        ...
        ValueError: a = [1 2 3]: a point of a has shape (), the value has shape (3,)
    """
    walk = _Walk(procedure, length)
    walk.walk_body(procedure.body, {})
    for o in procedure.outputs:
        walk.check_reads(o, {}, o)


class _Walk:
    def __init__(self, procedure: Procedure, length: int) -> None:
        self.length = length
        self.sums: dict[StoredArray, dict[Point, int]] = {}  # how many additions to a point are still to come
        self.made: dict[StoredArray, Allocate] = {}
        self.written: dict[StoredArray, set[Point]] = {}
        self.iterates = {
            s.target.array for s in _list_assignments(procedure.body)
            if s.outside and all(p.base == STEP for _, p in s.target.indices)
        }  # fmt: skip

    def walk_body(self, body: Sequence[Statement], steps: Mapping[Axis, int]) -> None:
        for s in body:
            if isinstance(s, Assign) and not s.target.array.axes and s.target.array not in self.iterates:  # of this step
                self.written.pop(s.target.array, None)
        for s in body:
            if isinstance(s, For):
                for i in range(self.length)[:: s.direction]:
                    if isinstance(s.axis, Iteration):
                        self._begin_anew(s.body)
                    self.walk_body(s.body, {**steps, s.axis: i})
            elif isinstance(s, Allocate):
                self._allocate(s)
                self._count_additions(s.array, body, steps)
            else:
                self._write(s, steps)

    def _begin_anew(self, body: Sequence[Statement]) -> None:
        """Forget what an earlier iteration has written, but for the iterates and rows outside of the steps."""
        for array in {s.target.array for s in _list_assignments(body)} - self.iterates:
            found = self.written.get(array, set())
            found -= {p for p in found if all(0 <= i < self.length for i in p)}

    def _count_additions(self, array: StoredArray, body: Sequence[Statement], steps: Mapping[Axis, int]) -> None:
        """Count how often each point of an array is added to."""
        for s in body:
            if isinstance(s, For):
                for i in range(self.length):
                    self._count_additions(array, s.body, {**steps, s.axis: i})
            elif isinstance(s, Accumulate) and s.target.array is array:
                for p in self._list_points(s.target, steps):
                    self.sums[array][p] = self.sums[array].get(p, 0) + 1
                if s.index is not None:  # some rows may be named by no step
                    for p in product(range(self.length), repeat=len(array.axes)):
                        self.sums[array].setdefault(p, 0)

    def _allocate(self, s: Allocate) -> None:
        array = s.array
        if self.made.setdefault(array, s) is not s:
            raise ValueError(f"{array} is allocated twice")
        self.sums[array], self.written[array] = {}, set()  # at each step of the loops around, anew
        edge = [(a, array.halo.get(a, (0, 0))) for a in array.axes]
        for p in product(*[range(-lo, self.length + hi) for _, (lo, hi) in edge]):
            if any(not 0 <= i < self.length for i in p):
                self.written[array].add(p)

    def _write(self, s: Assign | Accumulate, steps: Mapping[Axis, int]) -> None:
        array = s.target.array
        several = s.index.shape if isinstance(s, Accumulate) and s.index is not None else ()
        if s.value.shape != (*several, *array.shape):
            raise ValueError(
                f"{s.target} = {s.value}: a point of {array.name} has shape {array.shape}, the value has shape {s.value.shape}"
            )
        for e in list_expressions(s):
            self.check_reads(e, steps, s)
        if array not in self.made and (array.axes or isinstance(s, Accumulate)):
            raise ValueError(f"{s.target} is written before {array} is allocated")
        written = self.written.setdefault(array, set())
        for p in self._list_points(s.target, steps):
            if isinstance(s, Accumulate):
                self.sums[array][p] -= 1
            elif p in written and array.axes and not s.outside and array not in self.iterates:
                raise ValueError(f"{s.target} is written twice, at {p}")
            written.add(p)

    def check_reads(self, e: Expression, steps: Mapping[Axis, int], where: object) -> None:
        """Check what an expression reads at a step."""
        for part in self._list_parts(e):
            if not isinstance(part, Read):
                continue
            sums, written = self.sums.get(part.array, {}), self.written.get(part.array, set())
            for p in self._list_points(part, steps):
                if sums.get(p):
                    raise ValueError(f"{part} is read before its sum is complete, in {where}")
                if not part.array.feed and p not in written and not (part.array in self.made and p in sums):
                    raise ValueError(f"{part} is read at {p} before it is written, in {where}")

    def _list_parts(self, e: Expression) -> Iterator[Expression]:
        if isinstance(e, IfLonger) and e.steps >= self.length:
            return
        yield e
        for part in e.parts:
            yield from self._list_parts(part)

    def _list_points(self, r: Read, steps: Mapping[Axis, int]) -> Iterator[Point]:
        ranges = []
        for a, p in r.indices:
            lo, hi = r.array.halo.get(a, (0, 0))
            at = self._list_indices(p, steps)
            if any(not -lo <= i < self.length + hi for i in at):
                raise ValueError(f"{r} is outside of {r.array}")
            ranges.append(at)
        yield from product(*ranges)

    def _list_indices(self, p: Place, steps: Mapping[Axis, int]) -> Sequence[int]:
        if p.base in (ALL, BEFORE):
            return range(self.length if p.base == ALL else steps[p.axis])
        base = 0 if p.base == START else self.length if p.base == END else steps[p.axis]
        return [base + p.by]


def _list_assignments(body: Sequence[Statement]) -> Iterator[Assign]:
    """Yield the assignments in some statements and the loops among them."""
    for s in body:
        if isinstance(s, For):
            yield from _list_assignments(s.body)
        elif isinstance(s, Assign):
            yield s


__all__ = ["check_procedure"]
