"""Truncated backpropagation through time, as a rule for cotangents: which pairs of a loss and a use of a parameter count.

A cotangent comes into being where a loss reads a step, and moves from there to earlier steps, through shifts. The steps are
cut into blocks, counted from the end. A cotangent has an *age*: the number of blocks between the step of the loss and the step
where it is. With ``segment`` all ages are 0, and a shift that crosses the edge of a block passes nothing on. With ``window``
and ``every`` cotangents vary over an axis of ages, along which such a shift moves them; what is too old drops out at its end.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import GradientError
from autograd_seq.core.kinds import as_count
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.elementwise import equal, less, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.rounding import floor_divide
from autograd_seq.ops.steps import RECEIVE, TAKE_STEP
from autograd_seq.ops.time import ALONG, INDEX, SHIFT, SIZE, spread
from autograd_seq.ops.window import OVERLAP, WINDOW

_AGES: WeakValueDictionary[tuple[Axis, int, int], Axis] = WeakValueDictionary()


def _find_age(over: Axis, block: int, window: int, ages: int) -> Axis:
    """Return the axis of ages: one for all gradients that are cut alike, so that a graph can hold several of them."""
    axis = _AGES.get((over, block, window))
    if axis is None:
        _AGES[over, block, window] = axis = Axis(f"age of {over.name}, window={window}, every={block}", size=ages)
    return axis


class Truncation:
    """Which losses reach which steps.

    Args:
        over: the axis of the steps.
        block: the steps of a block: the losses of a block are propagated together.
        window: the newest steps, counted back from the end of the block of the loss, that count.

    Attributes:
        age: the axis of ages; ``None`` if there is one age.
    """

    def __init__(self, over: Axis, block: int, window: int) -> None:
        self.over, self.block, self.window = over, block, window
        ages = -(-window // block)
        self.age = _find_age(over, block, window, ages) if ages > 1 else None
        self._from_end = SIZE(axis=over) - 1 - INDEX(axis=over)

    def check(self, node: Node) -> None:
        """Refuse a node that reads other steps than earlier ones."""
        if self.over not in (node.attrs.get("axis"), node.attrs.get("other")):
            return
        ahead = node.op is SHIFT and node.attrs["by"] < 0
        if ahead or node.op in (ALONG, WINDOW, OVERLAP, TAKE_STEP, RECEIVE):
            what, x = ("a later step" if ahead else "other steps"), node.inputs[0].name or "a value"
            reader = node.name or node.op.name
            raise GradientError(
                "E130", f"the gradient cannot be truncated along {self.over}: {reader} reads {what} of {x}",
                node=node.name, where=node.where,
                expected=f"reads of {self.over} - 1, {self.over} - 2, …", got=repr(node)[:80],
                fix="leave segment=, window= and every= out for the full gradient",
            )  # fmt: skip

    def enter(self, part: Node) -> Node:
        """Return a cotangent that comes from outside of the steps (a loss) with the age 0."""
        if self.age is None or self.age in part.axes:
            return part
        return where(equal(INDEX(axis=self.age), 0), spread(part, self.age), 0.0)

    def leave(self, g: Node) -> Node:
        """Return a cotangent of a node that does not vary over the steps, or of a target: the sum over all ages."""
        return sum_over(g, axes=(self.age,)) if self.age is not None and self.age in g.axes else g

    def move(self, shift: Node, g: Node) -> list[Node]:
        """Return the cotangent of a shift at the earlier steps which it reads, in parts by the blocks that it crosses."""
        far = shift.attrs["by"]

        def back(x: Node) -> Node:
            return SHIFT(x, axis=self.over, by=-far, outside="zero")

        least, rest = divmod(far, self.block)
        crossed = floor_divide(self._from_end + far, self.block) - floor_divide(self._from_end, self.block)
        parts = []
        for blocks in (least, least + 1) if rest else (least,):
            if self.age is None and blocks:
                continue
            moved = where(equal(crossed, blocks), g, 0.0) if rest else g
            moved = SHIFT(moved, axis=self.age, by=blocks, outside="zero") if blocks else moved
            parts.append(self._drop_old(back(moved)))
        return parts

    def _drop_old(self, g: Node) -> Node:
        """Return a cotangent that is 0 at steps outside of the window, where that does not end with a block."""
        if self.window % self.block == 0 or self.age is None:
            return g
        end = (floor_divide(self._from_end, self.block) - INDEX(axis=self.age)) * self.block  # of the block of the loss
        return where(less(self._from_end - end, self.window), g, 0.0)


def make_truncation(
    order: list[Node], over: Axis | None, segment: Any = None, window: Any = None, every: Any = None
) -> Truncation | None:
    """Return the truncation that keywords of ``ag.grad`` ask for; ``None`` without any."""
    if segment is None and window is None and every is None:
        if over is not None:
            raise GradientError(
                "E131", "over= says along which axis the gradient is truncated, and no truncation is given",
                where=show_site(user_site()), expected="segment=, window=, or every= and window=", got=f"over={over}",
            )  # fmt: skip
        return None
    counts = {name: _check_count(name, n) for name, n in (("segment", segment), ("window", window), ("every", every))}
    block, reach = counts["segment"] or counts["every"] or 1, counts["segment"] or counts["window"]
    if (segment is not None) == (window is not None) or (segment is not None and every is not None) or reach is None:
        given = ", ".join(f"{name}={n}" for name, n in counts.items() if n is not None)
        raise GradientError(
            "E132", f"{given} is not a truncation", where=show_site(user_site()),
            expected="segment=k, window=k, or every=k1, window=k2", got=given,
            fix="segment= cuts the steps into blocks; window= lets each loss look back equally far",
        )  # fmt: skip
    if reach < block:
        raise GradientError(
            "E133", f"window={reach} is less than every={block}: the uses of some losses' own steps would not count",
            where=show_site(user_site()), expected=f"window={block} or more", got=f"window={reach}",
        )  # fmt: skip
    return Truncation(_find_axis(order, over), block, reach)


def _check_count(name: str, n: Any) -> int | None:
    count = as_count(n)
    if count is None and n is not None:
        raise GradientError(
            "E134", f"{name}={n!r:.60} is not a number of steps", where=show_site(user_site()), expected="an integer ≥ 1",
            got=repr(n)[:80],
        )  # fmt: skip
    return count


def _find_axis(order: list[Node], over: Axis | None) -> Axis:
    axes = list(dict.fromkeys(n.attrs["axis"] for n in order if n.op is SHIFT))
    known = axes or list(dict.fromkeys(a for n in order if n.op is INPUT for a in n.axes))
    if over is not None and any(over in n.axes for n in order):
        return over
    if over is None and len(axes) == 1:
        return axes[0]
    names = ", ".join(a.name for a in known) or "no axis"
    raise GradientError(
        "E135", f"the output does not vary over {over}" if over is not None else "cannot tell along which axis to truncate",
        where=show_site(user_site()), expected="one axis along which the graph shifts" if over is None else f"one of {names}",
        got=names if over is None else f"over={over}", fix=f"over={known[0].name}" if known else None,
    )  # fmt: skip
