"""The memory of a call that recomputes: what it holds at the same time, beside the feeds."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from autograd_seq.core.node import Node
from autograd_seq.run.sweeping import Between, CallLengths, Stage
from autograd_seq.run.workspaces import count_array_bytes
from autograd_seq.sequences.sweeps import Sweeps

BUFFER = 8192
"""The most entries of an array that NumPy copies at a time when arrays of different layouts are added up."""

ARRAY = 300
"""Bytes beside the numbers of an array: up to a cache line before it, and the objects that are views of it."""

OBJECTS = 20_000
"""Bytes of a call's own objects, as measured: dictionaries, names, the order of the pieces."""


def count_call_bytes(sweeps: Sweeps, stages: Sequence[Stage], after: Between | None, lengths: CallLengths) -> int:
    """Return the most bytes that a call holds: rows that are kept, totals, outputs, and the arrays of each program of a piece.

    Args:
        sweeps: the equations as sweeps.
        stages: their programs.
        after: what is computed after them.
        lengths: of the axes, and of the pieces.
    """
    sizes, pieces = lengths.sizes, lengths.pieces

    def measure(n: Node, wide: bool = False) -> int:
        return prod(sizes[a] for a in n.axes) * prod(n.shape) * (8 if wide else lengths.get_dtype(n).itemsize)

    slots = min(lengths.slots, pieces - 1)
    rows = sum(s.rows * prod(sizes[a] for a in s.axes) * prod(s.source.shape) * lengths.get_dtype(s.source).itemsize
               for stage in stages for s in stage.kept)  # fmt: skip
    series = dict.fromkeys(n for stage in stages for n in stage.sweep.series)
    ties = dict.fromkeys(sweeps.ties.values())
    totals = [measure(n, wide=True) for n in sweeps.totals]
    held = rows * slots + sum(totals) + sum(map(measure, series)) + sum(measure(n) * pieces for n in ties)
    held += OBJECTS + min(max(totals, default=0), 8 * BUFFER)
    held += sum(measure(n) for part in [after, *(s.between for s in stages)] if part for n in part.wanted)
    again = [s.get_program(again=True) for s in stages if s.kept and slots < pieces - 1]
    most = 0
    for made in dict.fromkeys([*(s.program for s in stages), *again]):
        inside = {a: lengths.piece if a is lengths.axis else sizes[a] for a in made.graph.axes}
        program = made._choose_for([*inside.values()])
        arrays = count_array_bytes(program.emitted.buffers, program.emitted, inside, lengths.width.itemsize)
        most = max(most, program._count_bytes(inside, lengths.width.itemsize) - arrays)
        held += arrays + ARRAY * len(program.emitted.buffers)
    return held + most


__all__ = ["count_call_bytes"]
