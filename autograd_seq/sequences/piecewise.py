"""The equations of one piece of the steps, for a sweep; and those of what does not vary over the steps, between the sweeps.

A piece is an ordinary graph, so that every backend can run it: the rows that its shifts read outside of it are fed, as are the
totals that its steps read, the number of steps before it and that of all. Draws and step numbers are those of the whole
sequence.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.names import add_primes
from autograd_seq.core.node import Node, apply, constant
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.elementwise import cast, equal, logical_and, where
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.random import DRAW, number_draws
from autograd_seq.ops.reduce import max_over, sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import AT, INDEX, SHIFT, SIZE, spread
from autograd_seq.sequences.rows import hold_rows
from autograd_seq.sequences.sweeps import Border, Sweep, Sweeps, Total


class Piece(NamedTuple):
    """The graph of a piece in a sweep.

    Attributes:
        outputs: the rows that the sweep leaves, in time order, border by border; then its totals, then its series.
        rows: the names of the rows that are fed, by border.
        fixed: the names of the values that are fed alike in all pieces, and do not vary over the steps.
        held: by maximum, the name of whether the piece has it.
        before, steps: the names of the numbers of earlier steps, and of all.
    """

    outputs: list[Node]
    rows: dict[Border, tuple[str, ...]]
    fixed: dict[Node, str]
    held: dict[Node, str]
    before: str
    steps: str


class PieceWriter:
    """Writes the graphs of pieces, and of what lies between sweeps.

    Args:
        sweeps: see :class:`Sweeps`.
    """

    def __init__(self, sweeps: Sweeps) -> None:
        self.sweeps, self.graph, self.axis = sweeps, sweeps.graph, sweeps.axis
        self.taken = {*map(self.graph.name, self.graph.nodes), *(a.name for a in self.graph.axes)}
        self._feeds: dict[object, Node] = {}
        self.before = self._make_feed("before", f"{self.axis.name}_before", (), int, ())
        self.steps = self._make_feed("steps", f"{self.axis.name}_all", (), int, ())

    def _make_feed(self, key: object, name: str, shape: tuple[int, ...], dtype: type, axes: Sequence[Axis]) -> Node:
        """Return the input for a value of the engine's own."""
        if key not in self._feeds:
            name = add_primes(name, self.taken)
            self.taken.add(name)
            self._feeds[key] = Node(INPUT, (), {"made": True}, shape, dtype, tuple(axes), name=name)
        return self._feeds[key]

    def feed(self, n: Node) -> Node:
        """Return the input that stands for a value that does not vary over the steps."""
        name = self.graph.name(n) if n in self.graph._names else "row"
        return self._make_feed(n, f"{name} of all", n.shape, n.dtype, self.graph.layout(n))

    # -- a piece ------------------------------------------------------------------------------------------------------

    def write(self, sweep: Sweep) -> Piece:
        """Return the graph of a piece in a sweep."""
        roots = sweep.roots
        fixed: dict[Node, str] = {}
        held: dict[Node, str] = {}
        image: dict[Node, Node] = {}

        def replace(old: Node) -> Node | None:
            """Return the fed value in place of one that does not vary over the steps, unless it is fed or known anyway."""
            if self.axis in old.axes or old._value is not None or old.op in (INPUT, PARAM):
                return None
            if old.op is SIZE:
                return self.steps if old.attrs["axis"] is self.axis else None
            if old.op.view and old.op.axes is None and old.op not in (STATE, SHIFT):
                return None
            fixed[old] = str(self.feed(old).name)
            return self.feed(old)

        def rule(old: Node, inputs: tuple[Node, ...]) -> Node | None:
            if old.op is INDEX and old.attrs["axis"] is self.axis:
                return copy_name(old, INDEX(axis=self.axis, here=True) + self.before)
            if old.op is DRAW and self.axis in old.attrs["over"]:
                return copy_name(old, number_draws(old, self.axis, INDEX(axis=self.axis, here=True) + self.before, inputs))
            if old in self.sweeps.ties:
                r = self.sweeps.ties[old]
                x = image[r.inputs[0]]
                name = f"{self.graph.name(r)} in piece"
                has = self._make_feed(("held", r), name, r.shape, bool, self.graph.layout(r))
                held[r] = str(has.name)
                tied = logical_and(equal(x, apply(max_over, x, axes=r.attrs["axes"])), has)
                if not any(r.inputs[0] is y for y in old.inputs):  # the maximum is one under a mask
                    tied = where(x.inputs[0], tied, equal(*inputs))
                return copy_name(old, tied)
            return None

        made = rebuild(roots, rule, image=image, replace=replace)
        rows = self._hold_rows(roots, image)
        new = iter(made)
        outputs = [row for border, x in zip(sweep.borders, new, strict=False) for row in self._read_rows(border, x)]
        outputs += [self._reduce(total, x) for total, x in zip(sweep.totals, new, strict=False)]
        outputs += [spread(x, (self.axis,)) for x in new]
        return self._finish(outputs, rows, fixed, held)

    def _finish(self, outputs: list[Node], rows: dict[Border, tuple[str, ...]], fixed: dict[Node, str],
                held: dict[Node, str]) -> Piece:  # fmt: skip
        read = Graph(outputs).inputs  # the copy of what the rows outside of the sequence depend on is read no more
        return Piece(
            outputs, rows, {n: name for n, name in fixed.items() if name in read}, held, str(self.before.name),
            str(self.steps.name),
        )  # fmt: skip

    def _hold_rows(self, roots: Iterable[Node], image: dict[Node, Node]) -> dict[Border, tuple[str, ...]]:
        """Let the shifts of a copy read fed rows outside of the piece; return the names of the rows by border."""
        shifts = [n for n in self.sweeps.walk(roots) if n in self.sweeps.borders]
        names: dict[Border, tuple[str, ...]] = {}
        sources: dict[tuple[Node, bool], list[Border]] = {}
        for n in shifts:
            border = self.sweeps.borders[n]
            if border not in names:
                feeds = [self._feed_row(border, i) for i in range(border.rows)]
                names[border] = tuple(str(f.name) for f in feeds)
                sources.setdefault((border.source, border.zeros), []).append(border)
        for n in self.sweeps.walk(roots):  # a state that no shift reads, or only with zeros outside, has no rows
            if n.op is STATE and (n, False) not in sources:
                self._hold(n, False, image[n], [])
        held = {key: self._hold(*key, image[key[0]], borders) for key, borders in sources.items()}
        for n in shifts:
            border = self.sweeps.borders[n]
            image[n].inputs = (held[border.source, border.zeros],)
            image[n].attrs = {**image[n].attrs, "outside": "bounds"}
        return names

    def _feed_row(self, border: Border, i: int) -> Node:
        x = border.source
        place = i - border.rows if border.side == "init" else i + 1
        return self._make_feed((border, i), f"{self.graph.name(x)}[{place:+}]", x.shape, x.dtype, border.axes)

    def _hold(self, x: Node, zeros: bool, new: Node, borders: Sequence[Border]) -> Node:
        """Return a state whose rows along the axis are fed."""
        rows = {border.side: [self._feed_row(border, i) for i in range(border.rows)] for border in borders}
        return hold_rows(x, new, self.axis, rows, zeros)

    def _read_rows(self, border: Border, x: Node) -> list[Node]:
        """Return the rows at the end of a piece that the next one reads, or at its start for the one before."""
        x = spread(x, border.source.axes)
        places = range(-border.rows, 0) if border.side == "init" else range(border.rows)
        return [AT(x, axis=self.axis, index=i, outside="zero") for i in places]

    def _reduce(self, total: Total, x: Node) -> Node:
        """Return a total over the steps of a piece."""
        n = total.node
        if total.how in ("first", "last"):
            return AT(x, axis=self.axis, index=n.attrs["index"], outside="zero")
        if n.op is AT:
            i = n.attrs["index"]
            here = equal(INDEX(axis=self.axis, here=True) + self.before, i if i >= 0 else self.steps + i)
            kept = sum_over(where(here, x, constant(np.zeros((), x.dtype))), axes=(self.axis,))
            return cast(kept, bool) if x.dtype is bool else kept
        axes = n.attrs["axes"]
        if total.how == "ties":
            return sum_over(where(equal(x, apply(max_over, x, axes=axes)), 1.0, 0.0), axes=axes)
        return apply(max_over if total.how == "level" else n.op, x, axes=axes)

    # -- between sweeps -----------------------------------------------------------------------------------------------

    def write_between(self, wanted: Sequence[Node], known: Container[Node]) -> list[Node]:
        """Return values that do not vary over the steps, as equations that read those that are known as inputs."""

        def replace(old: Node) -> Node | None:
            if old in known and old.op not in (INPUT, PARAM):
                return self.feed(old)
            return self.steps if old.op is SIZE and old.attrs["axis"] is self.axis else None

        return rebuild(wanted, replace=replace)


__all__ = ["Piece", "PieceWriter"]
