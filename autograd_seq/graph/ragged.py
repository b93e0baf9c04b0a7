"""Lengths: a graph over padded sequences, made of one over whole ones, by a change of the graph alone.

What a padded point holds is nobody's business, and there are few ways from it to a real one; each is closed. A reduction
over steps, or over the sequences of a batch, selects (``where``, not a product: 0 · NaN is NaN); a contraction that is
summed selects both of its operands; a read of a later step ends at the sequence's own end, where the rows behind it begin;
a step counted from the end is counted from that one. The same holds in the equations of a gradient, which are equations
like others. What is fed is selected first of all, and what is returned last, so that nothing in the padding is ever seen.

A read of an earlier step needs no care, for it never leads from the padding into a sequence. That is why a forward
recurrence runs without a mask in its loop. A state that is read ahead, and shows zeros behind the sequence, is made 0 in the
padding as it is computed: then nobody who reads it selects, be it at another step, in a sum, or in a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.errors import AxisError
from autograd_seq.graph.finite import find_finite, keeps_finite, list_components
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.masks import Masks
from autograd_seq.graph.order import find_dependents, get_rows
from autograd_seq.graph.rebuild import rebuild, remake
from autograd_seq.graph.system import System
from autograd_seq.graph.unroll import REDUCTIONS
from autograd_seq.node import Node, apply, constant
from autograd_seq.op import OPS
from autograd_seq.ops.elementwise import cast, equal, less, maximum, where
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import SEED
from autograd_seq.ops.reduce import max_over, sum_over
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE, SPREAD, spread

_CONTRACT, _MUL, _ZERO_SAFE, _WHERE = (OPS[n] for n in ("contract", "mul", "zero_safe_mul", "where"))
_LINEAR = {"neg", "reshape", "transpose", "slice", "place", "sum", "broadcast_to", "spread", "stop_gradient"}
"""Operations on one operand that make zeros of zeros; they may as well be done behind a selection."""
_ADDING = {"add", "sub", "concat"}


class Need(NamedTuple):
    """A length that some node cannot do without: ``axis`` has at least ``steps``, for ``node``.

    Of the sequences along ``among`` it is enough if one has.
    """

    axis: Axis
    steps: int
    node: Node
    among: tuple[Axis, ...] = ()


class Ragged:
    """The graph of given nodes with lengths on some axes.

    Args:
        graph: the equations over whole sequences.
        over: for each axis that has lengths, what its length varies over (the batch).

    Attributes:
        outputs: what stands for the outputs: 0 in the padding.
        lengths: the axes that have lengths, with the inputs that tell them; those that ``along`` makes equal included.
        needs: lengths below which there is nothing to choose from.
        image: what became of each node.

    Raises:
        AxisError: something would come to vary over the batch because a length does; or steps of another sequence are read,
            or what is the same for all sequences up to the end of each.

    Notes:
        Linear in the number of nodes. A selection costs a pass over what it selects from, outside of loops where that is
        possible; a state that is read ahead is selected at each step, in place.
    """

    def __init__(self, graph: System, over: dict[Axis, tuple[Axis, ...]]) -> None:
        self.graph, self.masks = graph, Masks(graph, over)
        self.over, self.lengths = self.masks.over, self.masks.lengths
        self._check_batch()
        batch = {b for some in self.over.values() for b in some}
        self._of_batch = {b: find_dependents(graph.nodes, [n for n in graph.nodes if b in n.axes]) for b in batch}
        self._finite = find_finite(graph.nodes)
        self._part = {n: i for i, part in enumerate(list_components(graph.nodes)) for n in part}
        # reads ahead that are taken to find zeros behind a sequence's end; in a graph of gradients most do
        self._trusted = {n for n in graph.nodes if n.op is SHIFT and self._ends(n) and n.attrs["outside"] == "zero"}
        self._trusted |= {n for n in graph.nodes if n.op is STATE and n.adjoint_of is not None and self.masks.ragged(n.axes)}
        self._closing = {self._part[n] for n in self._trusted}
        # states that are read ahead, zeros behind the end: selected once as they are computed, and all who read them need not
        ahead = {n for n in graph.nodes if n.op is SHIFT and self._ends(n) and self._shows_zeros(n)}
        self._emptied = {n.inputs[0] for n in ahead if n.inputs[0].op is STATE} - self._trusted
        self._trusted |= {n for n in ahead if n.inputs[0].op is INPUT or n.inputs[0] in self._emptied}
        # the adjoints of reads ahead look back, out of a sequence into its padding; they are taken to end there at once
        self._calm = {n for n in graph.nodes if n.op is SHIFT and n.attrs["outside"] == "zero" and n.attrs["by"] > 0
                      and n.attrs["axis"] in self.lengths}  # fmt: skip
        self._cut = {self._part[n] for n in self._calm}
        self._calm |= {n for n in graph.nodes if n.op is STATE and self._part[n] in self._cut}
        made = self._made()
        while wrong := {n for n in self._trusted | self._calm if not self._holds(n)}:  # not so: select at each step, or in sums
            failed = wrong - self._trusted
            self._trusted -= wrong
            self._calm -= failed
            self._cut -= {self._part[n] for n in failed}
            made = self._made()
        self._check_axes(made)
        self.outputs: list[Node] = [self._real(spread(new, old.axes)) for old, new in zip(graph.outputs, made, strict=True)]

    def _made(self) -> list[Node]:
        """Rebuild the graph, trusting some reads ahead."""
        self.needs: list[Need] = []
        self.image: dict[Node, Node] = {}
        self._clean: set[Node] = set()
        self._tame: set[Node] = set()
        self._counts: set[Node] = set()  # static values that depend on a length
        self._memo: dict[object, Node] = {}
        made = rebuild(self.graph.outputs, self._rule, self._defined, image=self.image, shifts=self._shifted)
        for old in self._emptied:
            state = self.image[old]
            state.inputs = (self._emptying(spread(state.inputs[0], state.axes)), *state.inputs[1:])
        return made

    def _holds(self, old: Node) -> bool:
        """Tell whether what a trusted node reads is 0 behind the end."""
        x = self.image[old.inputs[0]]
        clean = self._is_clean(x, old) or _is_zero(x)
        if old.op is STATE and old not in self._trusted:
            return clean or self._harmless(x)
        return clean

    def _ends(self, n: Node) -> bool:
        """Tell whether a shift reads ahead along an axis that has lengths."""
        return n.attrs["axis"] in self.lengths and n.attrs["by"] < 0

    def _shows_zeros(self, n: Node) -> bool:
        """Tell whether a shift that reads ahead finds zeros behind the sequence."""
        return n.attrs["outside"] == "bounds" and get_rows(n.inputs[0], n.attrs["axis"], "final")[0] is None

    def _check_batch(self) -> None:
        """Refuse to read another sequence of the batch at a step that this one has, and that one may not have.

        What does not vary over the steps may be read: sentences follow one another, and each has words of its own.
        """
        for n in self.graph.nodes:
            if n.op not in (SHIFT, AT, ALONG):
                continue
            x, axis = n.inputs[0], n.attrs["axis"]
            if found := next((r for r in self.masks.ragged(x.axes) if axis in self.over[r]), None):
                name = self.graph.name(n)
                raise AxisError(
                    "A301", f"{name} reads {self.graph.name(x)} at another point of {axis}, where {found} has another length",
                    node=name, where=n.where or x.where, expected=f"a value that does not vary over {found}, a sum or the last "
                    f"step, say; or one length of {found} for all {axis}", got=repr(x), fix=f"lengths={{{found}: 5}}",
                )  # fmt: skip

    def _check_own(self, node: Node, r: Axis) -> None:
        """Refuse to read to the end of each sequence what is the same for all, and so has one end only.

        What was summed over the batch has its padding behind it, and cotangents are such sums.
        """
        x = node.inputs[0]
        alone = [b for b in self.over[r] if b not in x.axes and x not in self._of_batch[b]]
        if alone and r in x.axes and x.adjoint_of is None:
            name, over = self.graph.name(x), ", ".join(b.name for b in alone)
            axes = ", ".join([*(a.name for a in x.axes), over])
            raise AxisError(
                "A307", f"{self.graph.name(node)} reads {name} to the end of {r}, which differs along {over}",
                node=name, where=node.where or x.where, expected=f"a value that varies over {over}, as the length of {r} does",
                got=repr(x), fix=f"declare it over ({axes})" if x.op in (STATE, INPUT) else
                f"ag.spread({name}, {over}) is the same along {over}, and read to each one's own end",
            )  # fmt: skip

    def _check_axes(self, made: Sequence[Node]) -> None:
        pairs = [(old, x) for old in self.image if old.op in (STATE, SHIFT) for x in self._read(old)]
        for old, x in [*pairs, *zip(self.graph.outputs, made, strict=True)]:
            if extra := [a.name for a in x.axes if a not in old.axes]:
                name = self.graph.name(old)
                raise AxisError(
                    "A302", f"{name} would vary over {', '.join(extra)}, because a length does", node=name, where=old.where,
                    expected=f"a value that varies over {', '.join(a.name for a in old.axes) or 'no axis'}", got=repr(x),
                    fix=f"let what the number of steps is multiplied or compared with vary over {extra[0]}, by "
                    f"ag.spread(…, {extra[0]}), or reduce over it",
                )  # fmt: skip

    @cached_property
    def whole(self) -> Graph:
        """The graph with lengths: an ordinary one."""
        return Graph(*self.outputs)

    def _read(self, old: Node) -> list[Node]:
        return [self.image[x] for x in old.inputs if x in self.image]

    def _once(self, key: object, make: Callable[[], Node]) -> Node:
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    # -- selections ---------------------------------------------------------------------------------------------------

    def _real(self, x: Node) -> Node:
        """Return ``x`` with zeros in the padding."""
        ragged = self.masks.ragged(x.axes)
        return self._zeroed(x, ragged) if ragged else x

    def _zeroed(self, x: Node, ragged: Sequence[Axis]) -> Node:
        """Return ``x`` with zeros where it is not real, as far as some axes are concerned; what is linear, behind that."""
        if x in self._clean or not ragged:
            return x
        return self._once(("zeroed", x, tuple(ragged)), lambda: self._zero(x, ragged))

    def _zero(self, x: Node, ragged: Sequence[Axis]) -> Node:
        linear = x.op is _CONTRACT or _larger(x) or (x.op.name in _LINEAR and len(x.inputs) == 1)
        if linear and all(any(self._tells(y, r, x) for y in x.inputs) for r in ragged):
            chosen = self._chosen(x, ragged)
            parts = [self._zeroed(y, [r for r in ragged if r in y.axes]) if y in chosen else y for y in x.inputs]
            return self._noted(apply(x.op, *parts, **x.attrs), parts)
        return self._selected(x, ragged, {float: 0.0, int: 0, bool: False}[x.dtype])

    def _tells(self, y: Node, r: Axis, x: Node) -> bool:
        """Tell whether an operand varies over all that says which points of a result are padding."""
        return r in y.axes and all(b in y.axes for b in self.over[r] if b in x.axes)

    def _chosen(self, x: Node, ragged: Sequence[Axis]) -> set[Node]:
        """Return the operands of a linear operation that must be selected for it to be: all that 0 times may not be 0."""
        wild = {y for y in x.inputs if not self._harmless(y)}
        whole = [y for y in x.inputs if all(self._tells(y, r, x) for r in ragged)]
        if not whole:  # each of two operands is padded along an axis of its own
            return set(x.inputs)
        if any(y in wild for y in whole) or any(y in self._clean for y in whole):
            return wild
        return wild | {min(whole, key=lambda y: math.prod(y.shape))}

    def _selected(self, x: Node, ragged: Sequence[Axis], fill: float | int | bool) -> Node:
        made = where(self.masks.valid(x.axes, ragged), x, fill)
        if not fill and set(ragged) >= set(self.masks.ragged(x.axes)):
            self._clean.add(made)
        if x in self._tame and math.isfinite(fill):
            self._tame.add(made)
        return made

    def _emptying(self, x: Node) -> Node:
        """Return the equation of a state that is 0 in the padding: the zeros are written over what has been computed there."""
        if x in self._clean:
            return x
        return where(self.masks.outside(x.axes), {float: 0.0, int: 0, bool: False}[x.dtype], x)

    def _noted(self, made: Node, inputs: Sequence[Node]) -> Node:
        """Note whether a node holds zeros in the padding because its operands do."""
        if self._vanishes(made, inputs):
            self._clean.add(made)
        return made

    def _is_clean(self, x: Node, as_: Node) -> bool:
        """Tell whether an operand holds zeros wherever what reads it is padding."""
        return x in self._clean and all(self._tells(x, r, as_) for r in self.masks.ragged(as_.axes))

    def _harmless(self, x: Node) -> bool:
        """Tell whether 0 times the value is 0."""
        static = not x.axes and x not in self._counts  # 1 / length is infinite for a sequence of no steps
        return static or x.dtype is not float or x in self._tame or x in self._clean

    def _vanishes(self, made: Node, inputs: Sequence[Node]) -> bool:
        if not self.masks.ragged(made.axes):
            return False
        clean = [self._is_clean(x, made) or _is_zero(x) for x in inputs]
        if made.op.name in _LINEAR or _adds(made):
            return all(clean)
        if made.op in (_CONTRACT, _MUL):
            return any(clean) and all(c or self._harmless(x) for c, x in zip(clean, inputs, strict=True))
        if made.op is _WHERE:
            return all(clean[1:])
        return made.op is _ZERO_SAFE and clean[0]

    def _repaired(self, node: Node, inputs: tuple[Node, ...]) -> tuple[Node, ...]:
        """Return the operands of a node on a cycle that is to hold zeros, those selected that come from outside of it."""
        lifted = [self._part[x] != self._part[node] for x in node.inputs]
        clean = [self._is_clean(x, node) or _is_zero(x) for x in inputs]
        if _adds(node) and any(clean):
            return tuple([self._as_real(x, node) if out and not c else x
                          for x, out, c in zip(inputs, lifted, clean, strict=True)])  # fmt: skip
        if node.op in (_CONTRACT, _MUL) and any(clean):
            return tuple([self._real(x) if out and not c and not self._harmless(x) else x
                          for x, out, c in zip(inputs, lifted, clean, strict=True)])  # fmt: skip
        if node.op in (_CONTRACT, _MUL) and self._part[node] in self._cut:  # 0 from the end on, by the factor that is there
            mine = self.masks.ragged(node.axes)
            whole = [out and all(self._tells(x, r, node) for r in mine) for x, out in zip(inputs, lifted, strict=True)]
            if sum(whole) == 1 and all(w or self._harmless(x) for w, x in zip(whole, inputs, strict=True)):
                return tuple([self._real(x) if w else x for x, w in zip(inputs, whole, strict=True)])
        return inputs

    def _as_real(self, x: Node, node: Node) -> Node:
        """Return an operand with zeros wherever the node that reads it is padding."""
        return self._real(spread(x, [a for a in node.axes if a in self.lengths or any(a in self.over[r] for r in self.over)]))

    # -- what becomes of each operation ---------------------------------------------------------------------------------

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        made = self._changed(node, inputs)
        if made is not None and made is not node and made.name is None and INPUT not in (made.op, node.op):
            made.name, made.site, made.scope = node.name, node.site, node.scope
        if made is not None:
            if node in self._finite:
                self._tame.add(made)
            if not made.axes and (node.op is SIZE or any(x in self._counts for x in inputs)):
                self._counts.add(made)
        return made

    def _changed(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op is INPUT:
            return self._real(node) if node is not SEED and self.masks.ragged(node.axes) else node
        made: Node | None = None
        if node.op is SIZE:
            made = self._size(node)
        elif node.op is AT and node.attrs["axis"] in self.lengths:
            made = self._at(node, *inputs)
        elif node.op.name in REDUCTIONS and node.attrs["axes"]:
            made = self._reduced(node, *inputs)
        elif node.op is SPREAD and any(a in self.lengths and a not in inputs[0].axes for a in node.axes):
            made = self._real(remake(node, inputs))  # a cotangent that begins to vary over steps, where it is still small
        if made is not None:
            return made
        if self._part[node] in self._closing or self._part[node] in self._cut:
            inputs = self._repaired(node, inputs)
        made = self._noted(remake(node, inputs), inputs)
        if keeps_finite(node) and all(self._harmless(x) for x in inputs):
            self._tame.add(made)
        return made

    def _defined(self, old: Node, new: Node, equation: Node) -> Node:
        """Return what readers of a state at its own step see: the state, of which something is known."""
        if old in self._finite or old in self._calm:
            self._tame.add(new)
        if old in self._trusted or old in self._emptied:
            self._clean.add(new)
        return new

    def _size(self, node: Node) -> Node | None:
        axis, among, of = node.attrs["axis"], node.attrs.get("among"), node.attrs.get("of", ())
        if among is None:
            return self.lengths.get(axis)
        ragged = self.masks.counted(of, among)
        touched = [a for a in among if a in ragged or any(a in self.over[r] for r in ragged)]
        if axis not in touched:
            return None
        if axis is not touched[0]:  # the first stands for all
            return constant(1)
        if touched == ragged and len(ragged) == 1:
            return self.masks.steps(axis, of)
        total = sum_over(cast(self.masks.valid(of, ragged), int), axes=tuple(touched))
        return total if all(r in among for r in ragged) else maximum(total, 1)  # no sequence may be as long as a step is late

    def _at(self, node: Node, x: Node) -> Node | None:
        axis, i, must = node.attrs["axis"], node.attrs["index"], node.attrs["outside"] == "error"
        if i < 0:
            self._check_own(node, axis)
        if must:
            self.needs.append(Need(axis, i + 1 if i >= 0 else -i, node, tuple(b for b in self.over[axis] if b not in x.axes)))
        steps, fill = self.masks.steps(axis, x.axes), constant({float: 0.0, int: 0, bool: False}[x.dtype])
        if i >= 0:
            picked = remake(node, (x,))
            return picked if must else where(less(i, steps), picked, fill)
        picked = sum_over(where(equal(INDEX(axis=axis, here=True), steps + i), x, fill), axes=(axis,))
        return cast(picked, bool) if x.dtype is bool else picked

    def _reduced(self, node: Node, x: Node) -> Node | None:
        among = node.attrs["axes"]
        for r in self.masks.ragged(among):
            self._check_own(node, r)
        x = spread(x, [a for a in among if a in self.lengths])
        ragged = self.masks.counted(x.axes, among)
        if not ragged:
            return None
        if node.op is sum_over:
            return apply(node.op, self._zeroed(x, ragged), **node.attrs)
        if node.op is max_over:
            self.needs += [Need(r, 1, node, among) for r in ragged if r in among]
        lowest = {float: -math.inf, int: int(np.iinfo(np.int64).min), bool: False}[x.dtype]
        return apply(node.op, self._selected(x, ragged, lowest), **node.attrs)

    def _shifted(self, old: Node, new: Node) -> Node:
        """Return what readers of a shift see: behind a sequence's own end, the rows that lie there."""
        if old in self._finite or old in self._calm:
            self._tame.add(new)
        if old in self._trusted:
            self._clean.add(new)
        if self._ends(old):
            self._check_own(old, old.attrs["axis"])
        if not self._ends(old) or old in self._trusted:
            return new
        axis, ahead = new.attrs["axis"], -new.attrs["by"]
        fill: Node = constant({float: 0.0, int: 0, bool: False}[new.dtype])
        bound, given = (None, ()) if new.attrs["outside"] == "zero" else get_rows(old.inputs[0], axis, "final")
        if bound is not None and bound.rows is None:
            fill = self.image[given[0]]
        elif bound is not None:
            behind = INDEX(axis=axis, here=True) + ahead - self.masks.steps(axis, new.axes)
            fill = self.image[given[ahead - 1]]
            for j in range(ahead - 2, -1, -1):
                fill = where(equal(behind, j), self.image[given[j]], fill)
        made = where(self.masks.inside(axis, new.axes, ahead), new, fill)
        if old in self._finite:
            self._tame.add(made)
        if _is_zero(fill):
            self._clean.add(made)
        return made


def _larger(node: Node) -> bool:
    """Tell whether a node is a product with more entries than each of its factors."""
    size = math.prod(node.shape)
    return node.op is _MUL and all(len(x.axes) < len(node.axes) or math.prod(x.shape) < size for x in node.inputs)


def _adds(node: Node) -> bool:
    return node.op.name in _ADDING or (node.op is sum_over and not node.attrs["axes"])


def _is_zero(x: Node) -> bool:
    return x._value is not None and not np.any(x._value)
