"""The feeds of a call: checked once for each combination of shapes and dtypes, and recognised from then on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import DTypeError, FeedError
from autograd_seq.core.kinds import get_dtype
from autograd_seq.core.node import STRONG
from autograd_seq.graph import feeds
from autograd_seq.graph.checks import check_lengths
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.memory import SURE, check_fits, get_memory_limit
from autograd_seq.ops.leaf import TENSOR
from autograd_seq.ops.state import EQUILIBRIUM
from autograd_seq.plan.cost import bound_bytes

_PIECES = 'pieces of the sequence need less: memory="sqrt", or carry=True where each piece is to be learned by itself'
_MOST_SORTS = 256  # how many combinations of shapes and dtypes are remembered


class FeedReader:
    """Checks the feeds of a call, and finds the lengths of axes and the width of floats from them.

    Args:
        graph: the graph that is fed.
        dtype: the width of all floats inside; ``None`` for that of the feeds.
    """

    def __init__(self, graph: Graph, dtype: np.dtype | None) -> None:
        self.graph, self.dtype = graph, dtype
        self._strong = [n._value.dtype for n in graph.nodes if n.op is TENSOR and n.weak == STRONG and n.dtype is float]
        self._ends = [n for n in graph.nodes if n.op is EQUILIBRIUM]

    def read(self, given: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[Axis, int], np.dtype]:
        """Return the feeds as arrays by name, the length of every axis, and the width of floats."""
        found, data = feeds.split_sizes(self.graph, given)
        arrays = feeds.check_feeds(self.graph, data)
        sizes = self.graph._sizes(found)
        check_lengths(self.graph, sizes)
        floats = [*(a.dtype for n, a in arrays.items() if self.graph.inputs[n].dtype is float), *self._strong]
        width = self.dtype or (np.result_type(*floats) if floats else np.dtype(np.float64))
        if width.kind == "c" and self._ends:
            name, where = self.graph.name(self._ends[0]), self._ends[0].where
            raise DTypeError("D305", f"the equilibrium {name} is computed with complex numbers", node=name, where=where,
                             expected="floats: when complex numbers have settled is not defined", got=f"feeds of {width}",
                             fix="for a derivative by complex steps: ag.Graph(…).unroll().evaluate(…)")  # fmt: skip
        return arrays, sizes, width


class Feeding(FeedReader):
    """Turns the feeds of a call into arrays in the order of a program, and finds the sizes of its workspace.

    Args:
        graph: the graph that is fed.
        order: the names of the feeds, in the order in which the program takes them.
        dtype: the width of all floats inside; ``None`` for that of the feeds.
        contiguous: whether the program needs contiguous arrays.
        weigh: returns the bytes that a call holds, given its workspace and the length of each axis.
        alone: axes that must have the length 1.
    """

    def __init__(self, graph: Graph, order: Sequence[str], dtype: Any, contiguous: bool, weigh: Callable[[Any, Any], int],
                 alone: Sequence[Axis] = ()) -> None:  # fmt: skip
        super().__init__(graph, dtype)
        self.order, self.contiguous, self.alone = list(order), contiguous, tuple(alone)
        self._weigh, self._pick = weigh, _make_picker(order)
        self.known: dict[Any, Any] = {}  # from shapes and dtypes that have passed the checks to their workspace
        self.fits: set[Any] = set()  # workspaces that fit into memory
        self._last: tuple[Any, Any] = None, None

    def __call__(self, given: dict[str, Any]) -> tuple[Sequence[np.ndarray], Any]:
        """Return the arrays to run on, and the sizes and width of the workspace; what passed before is not checked again."""
        before, workspace = self._last  # comparing with the previous call takes half the time of a lookup
        try:
            arrays = self._pick(given)
            if (sorts := [*map(feeds.get_sort, arrays)]) != before or len(given) != len(sorts):
                workspace = self.known[tuple(sorts)] if len(given) == len(sorts) else None
                self._last = (sorts, workspace) if workspace else self._last
        except (KeyError, AttributeError):
            workspace = None
        return self.check(given) if workspace is None else (arrays, workspace)

    def check(self, given: dict[str, Any]) -> tuple[list[np.ndarray], Any]:
        """Return the arrays to run on, and the sizes and width of the workspace."""
        arrays, sizes, width = self.read(given)
        if many := [a for a in self.alone if sizes[a] != 1]:
            raise FeedError(
                "F203", f"this is the program for one point of {many[0]}", expected=f"1 of {many[0]}", got=f"{sizes[many[0]]}",
                fix="call the program that this one is the .single of: it takes any length",
            )  # fmt: skip
        workspace = (*(sizes[a] for a in self.graph.axes), width)
        if workspace not in self.fits:
            self._check_fits(sizes, workspace)
        kinds = {name: get_dtype(n.dtype, width) for name, n in self.graph.inputs.items()}
        whole = self.contiguous  # native functions need contiguous arrays
        copies = sum(a.size * width.itemsize for n, a in arrays.items()
                     if a.dtype != kinds[n] or (whole and not a.flags.c_contiguous))  # fmt: skip
        check_fits(copies, sizes, _PIECES)
        ready = [np.asarray(arrays[n], kinds[n]) for n in self.order]
        if len(given) == len(self.order) and all(type(given.get(n)) is np.ndarray and given[n] is r
                                                  for n, r in zip(self.order, ready, strict=True)):  # fmt: skip
            if len(self.known) >= _MOST_SORTS:  # feeds that vary this much are checked again after each clearing
                self.known.clear()
            self.known[tuple(map(feeds.get_sort, ready))] = workspace
        return ready, workspace

    def _check_fits(self, sizes: dict[Axis, int], workspace: tuple[Any, ...]) -> None:
        """Refuse lengths that need more memory than there is; this may make the plan again, to compute the bytes from it."""
        width = workspace[-1].itemsize
        rough = bound_bytes(self.graph, sizes, width)
        if rough > SURE and rough > get_memory_limit():
            check_fits(self._weigh(workspace, sizes), sizes, _PIECES)
        if len(self.fits) >= _MOST_SORTS:
            self.fits.clear()
        self.fits.add(workspace)


def _make_picker(names: Sequence[str]) -> Callable[[dict[str, Any]], Sequence[Any]]:
    """Return a function from a dict to the values of some names, in order."""
    return itemgetter(*names) if len(names) > 1 else lambda given: [given[name] for name in names]


__all__ = ["FeedReader", "Feeding"]
