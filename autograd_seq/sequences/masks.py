"""Masks of the real points of padded sequences (those outside of the padding), each made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.names import add_primes
from autograd_seq.core.node import Node
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import cast, less, logical_and, logical_not
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.time import ALONG, INDEX


class Masks:
    """Lengths as nodes, and masks that compare step numbers with them.

    Args:
        graph: the equations over whole sequences.
        over: for each axis that has lengths, what its length varies over (the batch).

    Attributes:
        lengths: by axis, the input that holds its lengths; axes that ``along`` makes equally long share one.
        over: the axes that each of them varies over.

    Example:
        >>> import autograd_seq as ag
        >>> t, b = ag.Axis("t"), ag.Axis("b")
        >>> masks = Masks(ag.Graph(ag.input("x", over=(t, b))), {t: (b,)})
        >>> masks.mask_valid((t, b), [t]).axes, masks.mask_valid((t,), [t]).axes  # of any sequence
        ((t, b), (t,))
    """

    def __init__(self, graph: System, over: dict[Axis, tuple[Axis, ...]]) -> None:
        self.over = dict(over)
        self.lengths: dict[Axis, Node] = {}
        self._memo: dict[object, Node] = {}
        taken = {graph.name(n) for n in graph.nodes}
        for axis, batch in over.items():
            name = add_primes(f"length of {axis.name}", taken)
            self.lengths[axis] = Node(INPUT, (), {"made": True}, (), int, batch, name=name)
        self._let_along_share(graph)

    def _let_along_share(self, graph: System) -> None:
        pairs = [(n.attrs["axis"], n.attrs["other"]) for n in graph.nodes if n.op is ALONG]
        for a, b in [*pairs, *(p[::-1] for p in pairs)] * len(pairs):
            if a in self.lengths and b not in self.lengths:
                self.lengths[b], self.over[b] = self.lengths[a], self.over[a]

    def _make_once(self, key: object, make: Callable[[], Node]) -> Node:
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    def count_steps(self, r: Axis, axes: Sequence[Axis]) -> Node:
        """Return the length of ``r`` for a value over ``axes``: for sequences along axes that it lacks, the longest length."""
        missing = tuple(a for a in self.over[r] if a not in axes)
        if not missing:
            return self.lengths[r]

        def longest() -> Node:  # by counting: a maximum over no sequences would be an error
            here = sum_over(cast(less(INDEX(axis=r, here=True), self.lengths[r]), int), axes=missing) > 0
            return sum_over(cast(here, int), axes=(r,))

        return self._make_once((r, missing), longest)

    def mask_inside(self, r: Axis, axes: Sequence[Axis], ahead: int = 0) -> Node:
        """Return where the step ``ahead`` steps after the current one is real."""
        steps = self.count_steps(r, axes)
        return self._make_once((r, steps, ahead), lambda: less(INDEX(axis=r, here=True), steps - ahead if ahead else steps))

    def mask_valid(self, axes: Sequence[Axis], ragged: Sequence[Axis]) -> Node:
        """Return where the points of a value over ``axes`` are real along the axes ``ragged``."""
        masks = [self.mask_inside(r, axes) for r in ragged]
        out = masks[0]
        for mask in masks[1:]:
            a = out
            out = self._make_once((a, mask), lambda a=a, mask=mask: logical_and(a, mask))  # type: ignore[misc]
        return out

    def mask_outside(self, axes: Sequence[Axis]) -> Node:
        """Return where the points of a value over ``axes`` are padding."""
        return self._make_once(("outside", tuple(axes)), lambda: logical_not(self.mask_valid(axes, self.list_ragged(axes))))

    def list_ragged(self, axes: Sequence[Axis]) -> list[Axis]:
        """Return those of the given axes that have lengths."""
        return [a for a in axes if a in self.lengths]

    def list_deciding(self, axes: Sequence[Axis], among: Sequence[Axis]) -> list[Axis]:
        """Return the axes with lengths that decide which points a reduction over ``among`` reads."""
        return [r for r in self.list_ragged(axes) if r in among or any(b in among for b in self.over[r])]
