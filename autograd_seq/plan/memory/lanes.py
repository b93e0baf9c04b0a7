"""Lanes: values computed within other arrays, as parts of a concatenation, at this step or at a later one."""

from __future__ import annotations

from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.ops.parts import CONCAT
from autograd_seq.ops.shape import RESHAPE
from autograd_seq.plan.memory.reads import Reading
from autograd_seq.plan.memory.views import find_shown, get_root, is_view, list_shifts
from autograd_seq.plan.passes.legal import COPY


class Lane(NamedTuple):
    """Adjacent entries of another node's array.

    Attributes:
        whole: the node whose array it is.
        dimension: the dimension along which the entries are adjacent, counted from the end.
        start, stop: the range of the entries.
        axis, by: the lane lies ``by`` steps later along ``axis``: a step computes it where a later step reads it.
    """

    whole: Node
    dimension: int
    start: int
    stop: int
    axis: Axis | None = None
    by: int = 0


class Lanes:
    """Finds the nodes of a schedule that can be computed in lanes.

    Args:
        reading: the statements of the schedule, and what they read.
    """

    def __init__(self, reading: Reading) -> None:
        self.path, self.reads, self.roots, self.computed = reading.path, reading.reads, reading.roots, reading.computed
        reshaped = {get_root(n) for n in self.path if n.op is RESHAPE and is_view(n)}  # their entries have to be adjacent
        self.in_place = reading.in_place - {n for n in reshaped if len(n.shape) > 1}
        self.found: dict[Node, Lane] = {}

    def find_all(self) -> dict[Node, Lane]:
        """Return the nodes that are computed within other arrays, and their lanes."""
        for n in self.path:
            if n.op is CONCAT and self._worth_placing(n):
                self.found.update(self._find_wanted(n))
        for n in self.path:
            if n.op is CONCAT and self.path[n] and n not in self.found and n.attrs["axis"] == -1:
                self.found.update(self._find_left_for(n))
        return self.found

    def _worth_placing(self, n: Node) -> bool:
        """Tell whether the parts of a concatenation are worth computing in place: parts of columns only inside of a loop."""
        if not n.axes:
            return n.attrs["axis"] != -1
        return n.attrs["axis"] == -1 and (bool(self.path[n]) or any(r.by is not None and r.path for r in self.reads[n]))

    def _find_wanted(self, whole: Node) -> dict[Node, Lane]:
        """Return the parts of a concatenation that can be computed in their places.

        These are parts of one step, and stacked matrices: for all steps at once, writing to some columns of an array is slow.
        """
        places, start, path, axis = {}, 0, self.path[whole], whole.attrs["axis"]
        for x in whole.inputs:
            stop = start + x.shape[axis]
            alone = x not in self.roots and x not in self.found and x not in places
            alone = alone and not any(r.shifts for r in self.reads[get_root(x)])
            fits = self.computed(x) and x in self.in_place and self.path[x] == path and x.dtype is whole.dtype
            shape = list(whole.shape)
            shape[axis] = stop - start
            if alone and fits and set(x.axes) == set(whole.axes) and x.shape == tuple(shape):
                places[x] = Lane(whole, axis, start, stop)
            start = stop
        return places

    def _find_left_for(self, whole: Node) -> dict[Node, Lane]:
        """Return the parts of a row of a loop that are computed at another step, or before the loop, with their lanes in it."""
        places: dict[Node, Lane] = {}
        path, stop = self.path[whole], 0
        axis = path[-1].axis
        for x in whole.inputs:
            start, stop = stop, stop + x.shape[-1]
            r = get_root(x)
            fits = self.computed(r) and r not in self.found and r not in places and set(r.axes) == set(whole.axes)
            if not fits or r.shape != x.shape or r.dtype is not whole.dtype or len(x.shape) != 1:
                continue
            if x is r and x.op is COPY and self.path[x] == path[: len(self.path[x])] != path:
                if all(read.by is whole and not read.shifts for read in self.reads[x]):
                    places[x] = Lane(whole, -1, start, stop)
            elif (
                len(list_shifts(x)) == 1
                and list_shifts(x)[0][0] is axis
                and find_shown(x) == (r, 0, x.shape[-1])
                and self.path[r] == path
            ):
                along = all(a is axis for read in self.reads[r] for a, _ in read.shifts)
                if along and (r in self.in_place or r.op is CONCAT):
                    places[r] = lane = Lane(whole, -1, start, stop, *list_shifts(x)[0])
                    inside = [(m, q) for m, q in self.found.items() if q.whole is r]
                    places |= {m: lane._replace(start=start + q.start, stop=start + q.stop) for m, q in inside}
        return places
