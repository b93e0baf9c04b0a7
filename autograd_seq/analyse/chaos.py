"""Lyapunov exponents: how fast small changes of the past grow.

The gradient of a loss k steps later is a product of k Jacobians. In the long run its length is multiplied by exp(λ) in each
step, where λ is the largest Lyapunov exponent: below 0 gradients vanish, above 0 they explode and the future cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd_seq.analyse.recurrences import list_carried, refuse_lengths
from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import as_count
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.forward import jvp
from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.time import spread
from autograd_seq.run.compile import compile
from autograd_seq.run.program import Program
from autograd_seq.sequences.cut import cut_along
from autograd_seq.sequences.pieces import list_read_back


@dataclass(frozen=True)
class Lyapunov:
    """Lyapunov exponents. Returned by what :func:`lyapunov` makes.

    Attributes:
        exponents: (…, k) in nats a step, the largest first.
        history: (pieces, …, k): what they were after each piece, to see whether they have settled.
        steps: how many steps were counted.
    """

    exponents: np.ndarray
    history: np.ndarray = field(repr=False)
    steps: int

    def horizon(self, factor: float = 1e3) -> Any:
        """Return over how many steps a gradient grows or shrinks by a factor in the long run: ln(factor) / |λ₁|."""
        with np.errstate(divide="ignore"):
            return np.log(factor) / np.abs(self.exponents[..., 0])

    @property
    def dimension(self) -> Any:
        """The dimension of the attractor after Kaplan and Yorke 1979, from all exponents."""
        sums = np.cumsum(self.exponents, -1)
        k = np.sum(np.cumprod(sums >= 0, -1), -1)  # the longest sum that is not negative
        n = self.exponents.shape[-1]
        before = np.take_along_axis(np.concatenate([0 * sums[..., :1], sums], -1), k[..., None], -1)[..., 0]
        following = np.take_along_axis(self.exponents, np.minimum(k, n - 1)[..., None], -1)[..., 0]
        return np.where(k < n, k + before / np.abs(following), n)[()]


class LyapunovProgram:
    """A function of the feeds that returns Lyapunov exponents. Made by :func:`lyapunov`.

    Attributes:
        carried: the values that a step hands on to the next, with their delays.
        first: the program of the first step.
        piece: the program of a piece: from rows and their tangents, what both are at its end.
    """

    def __init__(self, outputs: Any, over: Axis, steps: int | None, discard: int, every: int, exponents: int | None,
                 options: dict[str, Any]) -> None:  # fmt: skip
        self._graph, self.over = Graph(*flatten([outputs])), over
        self.carried = list_carried(spell_out_windows(self._graph), over)
        size = sum(c.size * c.delay for c in self.carried)
        count = size if exponents is None else exponents
        _check_counts(steps, discard, every, count, size)
        self._steps, self._discard, self._every = steps, discard, every
        only = Graph(*[c.node for c in self.carried])
        cut, n = cut_along(only, over), len(only.outputs)
        if growing := [slot for slot in cut.slots if slot.grows]:
            raise AxisError(
                "Q130", f"the recurrence reads all earlier steps of {growing[0].name}, and hands on more with every step",
                where=show_site(user_site()), expected=f"reads of {over} - 1, {over} - 2, …", got=growing[0].name,
            )  # fmt: skip
        first, later = cut.first[n:], cut.later[n:]
        inputs = Graph(*later).inputs
        sources = dict(zip([x for x, _ in list_read_back(only, over)], cut.slots, strict=False))
        self._rows = [feed for slot in cut.slots for feed in slot.feeds]
        self._moving = [feed for c in self.carried for feed in sources[c.node].feeds[::-1]]  # as in `jacobian`
        left = dict(zip(self._rows, later, strict=True))
        self._way, self._counter = Axis("direction", size=count), cut.steps
        self._others = tuple(a for a in only.axes if a in self.carried[0].node.axes and a is not over)
        fed = [feed for feed in self._moving if feed in inputs]
        self._tangents = {feed: f"tangent of {feed}" for feed in fed}
        tangents = [Node(INPUT, (), {"made": True}, left[feed].shape, float, (self._way, *self._others), name=name)
                    for feed, name in self._tangents.items()]  # fmt: skip
        moved = jvp([left[feed] for feed in self._moving], [inputs[feed] for feed in fed], tangents, keep=self._way)
        whole = Graph(*later, *[spread(m, (self._way, *self._others)) for m in moved])
        self.first = compile(first, order=[a for a in only.axes if a is not over], backend="numpy")
        rest = [a for a in whole.axes if a not in (self._way, *self._others)]
        self.piece = compile(whole, order=(self._way, *self._others, *rest), **options)

    def __call__(self, /, *unnamed: Any, **given: Any) -> Lyapunov:
        """Return the exponents along the trajectory of these feeds; arguments as for a program."""
        if unnamed:
            raise feeds.make_unnamed_error(self._graph, unnamed)
        refuse_lengths(given, self._graph, self.over)
        sizes, data = feeds.split_sizes(self._graph, given)
        total = self._count_steps(sizes.get(self.over.name))
        lead = tuple(sizes[a.name] for a in self._others)
        rows = dict(zip(self._rows, self.first(**self._cut_out(self.first, data, sizes, 0, 1)), strict=True))
        widths = [c.size for c in self.carried for _ in range(c.delay)]
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(sum(widths), sum(widths))))[0][:, : self._way.size]
        ways = np.broadcast_to(turn, (*lead, *turn.shape))
        logs, counted, history = np.zeros((*lead, ways.shape[-1])), 0, []
        shapes = [c.node.shape for c in self.carried for _ in range(c.delay)]
        for k, n in self._list_pieces(total):
            parts = np.split(np.moveaxis(ways, -1, 0), np.cumsum(widths)[:-1], axis=-1)
            tangents = {f: part.reshape(*part.shape[:-1], *shape) for f, part, shape in
                        zip(self._moving, parts, shapes, strict=True)}  # fmt: skip
            fed = {name: tangents[feed] for feed, name in self._tangents.items()}
            found = self.piece(**self._cut_out(self.piece, data, sizes, k, n), **rows, **fed)
            rows = dict(zip(self._rows, found, strict=False))
            moved = [v.reshape(ways.shape[-1], *lead, -1) for v in found[len(self._rows) :]]
            reached = np.moveaxis(np.concatenate(moved, -1), 0, -1)
            if not np.isfinite(reached).all():
                raise _make_divergence_error(self.over, k, n)
            ways, growth = np.linalg.qr(reached)
            with np.errstate(divide="ignore"):
                grown = np.log(np.abs(np.diagonal(growth, axis1=-2, axis2=-1)))
            if k >= self._discard:
                logs, counted = logs + grown, counted + n
                history.append(logs / counted)
        return Lyapunov(-np.sort(-logs / counted, axis=-1), np.array(history), counted)

    def _count_steps(self, fed: int | None) -> int:
        """Return how many steps there are, those at the start that are not counted included."""
        total = fed if self._steps is None else self._steps + self._discard
        need = max(total or 0, self._discard + 1)
        if total is None or total < need or (fed is not None and fed < need):
            known = "it is not known how many steps there are" if total is None else f"there are {fed} steps, of {need}"
            raise OperationError(
                "Q127", known, where=show_site(user_site()), expected=f"steps=…, or {need} steps that are fed",
                got=f"steps={self._steps}, discard={self._discard}",
            )  # fmt: skip
        return total

    def _list_pieces(self, total: int) -> Iterator[tuple[int, int]]:
        """Yield the first step and the number of steps of each piece; a piece ends where counting begins."""
        k = 1
        while k < total:
            n = min(self._every, (self._discard if k < self._discard else total) - k)
            yield k, n
            k += n

    def _cut_out(
        self, program: Program, data: Mapping[str, Any], sizes: Mapping[str, int], start: int, steps: int
    ) -> dict[str, Any]:
        """Return the feeds of some steps, for a program."""
        fed: dict[str, Any] = {}
        for name, value in data.items():
            if (node := program.graph.inputs.get(name)) is not None:
                at = program.graph.layout(node).index(self.over) if self.over in node.axes else None
                cut = (slice(None),) * (at or 0) + (slice(start, start + steps),)
                fed[name] = value if at is None else np.asarray(value)[cut]
        fed |= program.graph.pick_lengths({**sizes, self.over.name: steps})
        if self._counter in program.graph.inputs:
            fed[str(self._counter)] = start
        return fed

    def __repr__(self) -> str:
        return f"<Lyapunov exponents along {self.over}, by {self.piece!r}>"


def lyapunov(outputs: Node | Sequence[Node], *, over: Axis, steps: int | None = None, discard: int = 1, every: int = 10,
             exponents: int | None = None, **options: Any) -> LyapunovProgram:  # fmt: skip
    """Compile the Lyapunov exponents of a recurrence: by how much small changes grow in each step, in the long run.

    Args:
        outputs: a node, or several: the recurrences on which they depend are meant, with any delays.
        over: the axis of the steps.
        steps: how many are counted; by default all that are fed.
        discard: steps at the start that are not counted, while the trajectory finds its attractor, and the directions settle.
        every: the directions are made orthonormal again after so many steps.
        exponents: how many, the largest; by default as many as the recurrence carries numbers.
        options: as for :func:`ag.compile`.

    Returns:
        A function of the feeds that returns :class:`Lyapunov`. With a batch, each sequence has exponents of its own.

    Raises:
        AxisError: no recurrence along the axis, or one that reads later steps, or mixes the points of another axis.
        OperationError: a count is out of its range; the trajectory is not finite.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x = ag.state("x", over=t, init=ag.param("x0"))
        >>> x[t] = 4 * x[t - 1] * (1 - x[t - 1])
        >>> found = ag.analyse.lyapunov(x, over=t, steps=5000, discard=100, backend="numpy")(x0=0.3)
        >>> print(f"{found.exponents[0]:.2f}, and ln 2 = {np.log(2):.2f}; a thousandfold after {found.horizon():.0f} steps")
        0.69, and ln 2 = 0.69; a thousandfold after 10 steps

    Notes:
        Tangents go along with the states, compiled, ``every`` steps a call, and a QR decomposition after each (Benettin,
        Galgani, Giorgilli & Strelcyn 1980). The first step makes rows, and is never counted. The largest exponent is the rate
        at which gradients grow with the number of steps between loss and state; the sum of all is that of volumes.
    """
    return LyapunovProgram(outputs, over, steps, discard, every, exponents, options)


def _check_counts(steps: int | None, discard: int, every: int, exponents: int, size: int) -> None:
    for name, n in {"steps": steps, "discard": discard, "every": every, "exponents": exponents}.items():
        high = size if name == "exponents" else None
        if n is not None and (as_count(n) is None or n > (high or n)):
            raise OperationError(
                "Q126", f"{name}={n!r:.60} is out of its range", where=show_site(user_site()),
                expected="an integer ≥ 1" + (f" and ≤ {high}, the numbers that the recurrence carries" if high else ""),
                got=repr(n)[:80],
            )  # fmt: skip


def _make_divergence_error(over: Axis, start: int, steps: int) -> OperationError:
    return OperationError(
        "Q129", f"the trajectory does not stay finite: {over} = {start} … {start + steps - 1}", where=show_site(user_site()),
        expected="a trajectory that stays bounded", got="NaN or infinity", fix="ag.find_nan names the node",
    )  # fmt: skip


__all__ = ["Lyapunov", "LyapunovProgram", "lyapunov"]
explain_keywords(globals(), ["lyapunov"])
