"""UORO: the influence of all parameters on all states as one product of two vectors, right on average.

Tallec & Ollivier 2017, "Unbiased online recurrent optimization". A sum of products is replaced by one product with random signs
ν: Σᵢ aᵢ bᵢᵀ is the mean of (Σᵢ νᵢ aᵢ)(Σᵢ νᵢ bᵢ)ᵀ. With J the Jacobian of a step and I the derivative within it,

    s ← ρ₀ J s + ρ₁ ν        θ ← θ / ρ₀ + νᵀ I / ρ₁        so that the mean of s θᵀ is the influence, M ← J M + I

The factors ρ make the two vectors equally long, which makes the variance small; they do not change the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import GradientError
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.grad.forward import jvp
from autograd_seq.grad.influence import add_up, join, list_cotangents, mark, sum_to
from autograd_seq.grad.one_step import OneStep
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.order import find_dependents, step_order
from autograd_seq.ops.elementwise import less, logical_and, sqrt, where
from autograd_seq.ops.random import bernoulli
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.state import state
from autograd_seq.ops.time import INDEX, shift, spread


class RankOne:
    """The two vectors, as states.

    Args:
        step: the equations of a step.
        wrt: the parameters.
        names: what the sources are called.

    Attributes:
        states: what is carried.
        vectors: ``s`` by source: that of the step itself, then those of the earlier steps that are read.
        parameters: ``θ`` by parameter.
    """

    def __init__(self, step: OneStep, wrt: Sequence[Node], names: Sequence[str], exact: bool = True) -> None:
        self.step, self.wrt, self.axis = step, list(wrt), step.axis
        self.names = dict(zip(step.sources, names, strict=True))
        self._check_axes()
        over = step.sources[0].axes if step.sources else (self.axis,)
        pairs = step.find_pairs(self.wrt)
        signs = {x: _draw_signs(f"signs of {self.names[x]}", x.shape, x.axes) for x in step.sources
                 if any(y is x for y, _ in pairs)}  # fmt: skip
        self.rows = [(x, *self._draw_rows(x)) for x in step.sources]
        handed_on = {*step.list_handed_on()}
        self.moving = [p for p in wrt if p in handed_on]
        self.parameters = {p: state(f"θ of {p.name}", p.shape, over=join(over, p.axes), init=self._start(p))
                           for p in self.moving}  # fmt: skip
        self.vectors = {x: self._declare(x, starts) for x, starts, _ in self.rows}
        before = {p: shift(theta, self.axis, 1) for p, theta in self.parameters.items()}
        pushed, pulled = self._push(), self._pull(signs)
        self.kept = _balance([*before.values()], [*pushed.values()], over)
        new = _balance([*pulled.values()], [*signs.values()], over)
        self.states = [*(v for vectors in self.vectors.values() for v in vectors), *self.parameters.values()]
        for x, vectors in self.vectors.items():
            for k, v in enumerate(vectors):
                moving = self.kept * (self.read(x, k) if k else pushed[x])
                v[v.axes] = moving + new * signs[x] if not k and x in signs else moving
        shrink, enter = 1 / self.kept, 1 / new
        for p, theta in self.parameters.items():
            theta[theta.axes] = shrink * before[p] + enter * pulled[p] if p in pulled else shrink * before[p]

    def _check_axes(self) -> None:
        """Refuse sources over different axes: each sequence of a batch has two vectors of its own."""
        for x in self.step.sources[1:]:
            first = self.step.sources[0]
            if set(x.axes) != set(first.axes):
                raise GradientError(
                    "E156", f"{label_of(x)} varies over other axes than {label_of(first)}, and one product of two vectors "
                    "cannot stand for the influence on both", node=x.name, where=x.where,
                    expected=f"over {', '.join(a.name for a in first.axes)}", got=f"over {', '.join(a.name for a in x.axes)}",
                    fix='method="rtrl"',
                )  # fmt: skip
        self.step.find_pairs([*self.step.reads])

    def _draw_rows(self, x: Node) -> tuple[list[Node | None], list[tuple[Node, Node]]]:
        """Return ``s`` of the rows of a source, the newest first, and with which row each sign goes into ``θ``."""
        reach = max(n.attrs["by"] for n in self.step.reads.values() if n.inputs[0] is x)
        one, rows = self.step.list_rows(x)
        depend = set(find_dependents(step_order(rows), self.wrt))
        drawn: dict[Node, Node] = {}
        for k, row in enumerate(rows):
            if row in depend and row not in drawn:
                over = tuple(a for a in x.axes if a is not self.axis)
                drawn[row] = _draw_signs(f"signs of row {k} of {self.names[x]}", x.shape, over)
        newest_first = rows[::-1] if not one else rows * reach
        return [drawn.get(newest_first[k]) if rows else None for k in range(reach)], [*drawn.items()]

    def _start(self, p: Node) -> dict[Axis, Node] | None:
        """Return ``θ`` of a parameter before the first step: what the signs say of the rows."""
        parts = [sum_of(signs * row) for _, _, drawn in self.rows for row, signs in drawn]
        if not parts:
            return None
        total = add_up(parts, ())
        return {self.axis: grad(total, p, cotangent=constant(1.0), keep=total.axes)}

    def _declare(self, x: Node, starts: list[Node | None]) -> list[Node]:
        return [state(f"s of {self.names[x]}" + (f", {k} back" if k else ""), x.shape, over=x.axes,
                      init=None if row is None else {self.axis: row}) for k, row in enumerate(starts)]  # fmt: skip

    def read(self, x: Node, by: int, outside: str = "bounds") -> Node:
        """Return ``s`` of a source so many steps earlier, as it is after the step before."""
        v = shift(self.vectors[x][by - 1], self.axis, 1)
        return where(less(INDEX(axis=self.axis), by), 0.0, v) if outside == "zero" else v

    def _push(self) -> dict[Node, Node]:
        """Return J s for each source: how it moves if what it reads moves along ``s``."""
        reads = [*self.step.reads.items()]
        moves = [self.step.stand_for(self.read(n.inputs[0], n.attrs["by"], n.attrs["outside"])) for _, n in reads]
        values = [self.step.values[x] for x in self.step.sources]
        found = jvp(values, [read for read, _ in reads], moves) if reads else []
        return dict(zip(self.step.sources, self.step.restore(found), strict=True))

    def _pull(self, signs: dict[Node, Node]) -> dict[Node, Node]:
        """Return νᵀ I for each parameter."""
        if not signs:
            return {}
        total = add_up([sum_of(v * self.step.values[x]) for x, v in signs.items()], ())
        found = grad(total, self.moving, cotangent=constant(1.0), keep=total.axes)
        return dict(zip(self.moving, self.step.restore(found), strict=True))

    def differentiate(self) -> list[Node]:
        """Return the estimate of the gradient of the loss of each step, over the axis of the steps."""
        cotangents, direct = list_cotangents(self.step, self.wrt)
        parts = []
        for read, cotangent in cotangents:
            x = read if read in self.names else read.inputs[0]
            v = self.vectors[x][0] if read is x else self.kept * self.read(x, read.attrs["by"], read.attrs["outside"])
            parts.append(sum_of(cotangent * v))
        weight, found = add_up(parts, ()), []
        for p, g in zip(self.wrt, direct, strict=True):
            parts = [g, sum_to(weight * self.parameters[p], (self.axis, *p.axes))] if p in self.parameters else [g]
            found.append(mark(spread(add_up(parts, p.shape), self.axis), p))
        return found


def _draw_signs(name: str, shape: tuple[int, ...], over: tuple[Axis, ...]) -> Node:
    return 2 * bernoulli(name, 0.5, shape, over=over) - 1


def _balance(long: Sequence[Node], short: Sequence[Node], over: Sequence[Axis]) -> Node:
    """Return the factor that makes two vectors equally long if it multiplies one and divides the other; 1 if one is zero.

    Args:
        long, short: the parts of the vectors.
        over: the axes at each point of which there are two.
    """
    a, b = (add_up([sum_to(sum_of(x * x), over) for x in some], ()) for some in (long, short))
    both = logical_and(less(0.0, a), less(0.0, b))
    return sqrt(sqrt(where(both, a, 1.0) / where(both, b, 1.0)))


__all__ = ["RankOne"]
