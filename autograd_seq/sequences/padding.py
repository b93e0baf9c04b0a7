"""``lengths=``: the graph for padded sequences, made from the graph for whole sequences by rewriting it.

A graph is *ragged* if its sequences have lengths of their own along a padded axis: the steps after a sequence's end are its
padding. The contents of the padding, NaN included, must not reach a real step, an output or a gradient. So a reduction over
steps, or over the sequences of a batch, first replaces the padding by a neutral value (a *selection*: ``where``, not a product,
since 0 · NaN is NaN); a contraction that is summed selects both of its operands; a read of a later step ends at the end of each
sequence, where its final rows begin; a step counted from the end is counted from the end of each sequence. The equations of a
gradient are treated in the same way. Feeds are selected first, and outputs last.

A read of an earlier step needs no selection, since it never leads from the padding into a sequence: a forward recurrence runs
without a mask in its loop. A state that is read at later steps, and has zeros after its last step, is set to 0 in the padding
as it is computed; then none of its readers needs a selection: other steps, sums, or gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError
from autograd_seq.core.kinds import LEAST, ZERO
from autograd_seq.core.node import Node, apply, constant
from autograd_seq.graph.finite import find_finite, keeps_finite
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import find_dependents, get_rows, list_components
from autograd_seq.graph.rebuild import rebuild, remake
from autograd_seq.graph.system import System
from autograd_seq.ops.elementwise import cast, equal, less, maximum, where
from autograd_seq.ops.gather import IN_RANGE
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.random import SEED
from autograd_seq.ops.reduce import max_over, sum_over
from autograd_seq.ops.state import EQUILIBRIUM, STATE
from autograd_seq.ops.steps import RECEIVE, SEND, TAKE_STEP
from autograd_seq.ops.time import ALONG, AT, INDEX, SHIFT, SIZE, SPREAD, spread
from autograd_seq.sequences.masks import Masks
from autograd_seq.sequences.selections import PRODUCTS, Selections, adds_up, is_zero


class Need(NamedTuple):
    """The number of ``steps`` that ``node`` needs along ``axis``.

    If the node reduces over the axes ``among``, one of the sequences along them with so many steps is enough.
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
        outputs: the outputs of the new graph, which are 0 in the padding.
        lengths: by axis, the input that holds its lengths; axes that ``along`` makes equally long share one.
        needs: the least lengths with which every node has something to read.
        image: by node of the given graph, the node of the new one.

    Raises:
        AxisError: a value would vary over the batch only because a length does; or another sequence is read at a step that it
            may not have; or a value without the batch axis is read up to the end of each sequence.

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
        # Shifts to later steps that are assumed to find zeros after a sequence's end, as most do in a graph of gradients.
        self._assumed = {n for n in graph.nodes if n.op is SHIFT and self._reads_later(n) and n.attrs["outside"] == "zero"}
        self._assumed |= {
            n for n in graph.nodes if n.op is STATE and n.adjoint_of is not None and self.masks.list_ragged(n.axes)
        }
        self._closing = {self._part[n] for n in self._assumed}
        # States that are read at later steps, with zeros after the end: selected once, as they are computed.
        ahead = {n for n in graph.nodes if n.op is SHIFT and self._reads_later(n) and self._finds_zeros(n)}
        self._selected = {n.inputs[0] for n in ahead if n.inputs[0].op is STATE} - self._assumed
        self._assumed |= {n for n in ahead if n.inputs[0].op is INPUT or n.inputs[0] in self._selected}
        # Adjoints of reads of later steps read earlier ones, from the padding into a sequence: assumed to find zeros there.
        self._assumed_back = {n for n in graph.nodes if n.op is SHIFT and n.attrs["outside"] == "zero" and n.attrs["by"] > 0
                      and n.attrs["axis"] in self.lengths}  # fmt: skip
        self._cut = {self._part[n] for n in self._assumed_back}
        self._assumed_back |= {n for n in graph.nodes if n.op is STATE and self._part[n] in self._cut}
        made = self._rebuild()
        # Where an assumption fails, the padding is selected after all.
        while wrong := {n for n in self._assumed | self._assumed_back if not self.is_zero_after_end(n)}:
            failed = wrong - self._assumed
            self._assumed -= wrong
            self._assumed_back -= failed
            self._cut -= {self._part[n] for n in failed}
            made = self._rebuild()
        self._check_axes(made)
        self.outputs: list[Node] = [
            self.zeros.zero_padding(spread(new, old.axes)) for old, new in zip(graph.outputs, made, strict=True)
        ]
        for old, new in zip(graph.outputs, self.outputs, strict=True):
            new.adjoint_of = old.adjoint_of if new.adjoint_of is None else new.adjoint_of

    def _rebuild(self) -> list[Node]:
        """Rebuild the graph under the present assumptions."""
        self.needs: list[Need] = []
        self.image: dict[Node, Node] = {}
        self.zeros = Selections(self.masks)
        made = rebuild(self.graph.outputs, self._rule, self._note_state, image=self.image, shifts=self.replace_shift)
        for old in self._selected:
            state = self.image[old]
            state.inputs = (self.zeros.empty(spread(state.inputs[0], state.axes)), *state.inputs[1:])
        for old in self.graph.nodes:
            if old.op is EQUILIBRIUM and (ragged := self.masks.list_ragged(old.axes)):  # it settles at once in the padding
                z = self.image[old]
                z.inputs = (where(self.masks.mask_valid(old.axes, ragged), z.inputs[0], z), *z.inputs[1:])
        return made

    def is_zero_after_end(self, old: Node) -> bool:
        """Tell whether what a node reads is 0 after the end, as was assumed."""
        x = self.image[old.inputs[0]]
        clean = self.zeros.is_clean(x, old) or is_zero(x)
        if old.op is STATE and old not in self._assumed:
            return clean or self.zeros.is_harmless(x)
        return clean

    def _reads_later(self, n: Node) -> bool:
        """Tell whether a shift reads later steps along an axis that has lengths."""
        return n.attrs["axis"] in self.lengths and n.attrs["by"] < 0

    def _finds_zeros(self, n: Node) -> bool:
        """Tell whether a shift to later steps finds zeros after the sequence, and not final rows."""
        return n.attrs["outside"] == "bounds" and get_rows(n.inputs[0], n.attrs["axis"], "final")[0] is None

    def _check_batch(self) -> None:
        """Refuse to read another sequence of the batch at a step that it may not have.

        A value that does not vary over the steps may be read: the sum over the words of the sentence before, say.
        """
        for n in self.graph.nodes:
            if n.op not in (SHIFT, AT, ALONG, TAKE_STEP):
                continue
            x, axis = n.inputs[0], n.attrs["axis"]
            if found := next((r for r in self.masks.list_ragged(x.axes) if axis in self.over[r]), None):
                name = self.graph.name(n)
                raise AxisError(
                    "A301", f"{name} reads {self.graph.name(x)} at another point of {axis}, where {found} has another length",
                    node=name, where=n.where or x.where, expected=f"a value that does not vary over {found}, a sum or the last "
                    f"step, say; or one length of {found} for all {axis}", got=repr(x), fix=f"lengths={{{found}: 5}}",
                )  # fmt: skip

    def _check_own(self, node: Node, r: Axis) -> None:
        """Refuse to read a value without the batch axis up to the end of each sequence: it has only one end.

        Sums over the batch are allowed, cotangents among them: their terms were selected before.
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
        pairs = [(old, x) for old in self.image if old.op in (STATE, SHIFT) for x in self._list_reads(old)]
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

    def _list_reads(self, old: Node) -> list[Node]:
        return [self.image[x] for x in old.inputs if x in self.image]

    # -- cycles that are to hold zeros ---------------------------------------------------------------------------------

    def repair(self, node: Node, inputs: tuple[Node, ...]) -> tuple[Node, ...]:
        """Return the operands of a node on a cycle that is to hold zeros: those from outside of the cycle are selected."""
        lifted = [self._part[x] != self._part[node] for x in node.inputs]
        clean = [self.zeros.is_clean(x, node) or is_zero(x) for x in inputs]
        if adds_up(node) and any(clean):
            return tuple([self._select_operand(x, node) if out and not c else x
                          for x, out, c in zip(inputs, lifted, clean, strict=True)])  # fmt: skip
        if node.op in PRODUCTS and any(clean):
            return tuple([self.zeros.zero_padding(x) if out and not c and not self.zeros.is_harmless(x) else x
                          for x, out, c in zip(inputs, lifted, clean, strict=True)])  # fmt: skip
        if node.op in PRODUCTS and self._part[node] in self._cut:  # one factor that is 0 from the end on is enough
            mine = self.masks.list_ragged(node.axes)
            whole = [out and all(self.zeros.covers(x, r, node) for r in mine) for x, out in zip(inputs, lifted, strict=True)]
            if sum(whole) == 1 and all(w or self.zeros.is_harmless(x) for w, x in zip(whole, inputs, strict=True)):
                return tuple([self.zeros.zero_padding(x) if w else x for x, w in zip(inputs, whole, strict=True)])
        return inputs

    def _select_operand(self, x: Node, node: Node) -> Node:
        """Return an operand with zeros wherever the node that reads it is padding."""
        more = [a for a in node.axes if a in self.lengths or any(a in self.over[r] for r in self.over)]
        return self.zeros.zero_padding(spread(x, more))

    # -- what becomes of each operation: rules that tests break, as those of Masks and Selections ----------------------

    def _rule(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        made = self.change(node, inputs)
        if made is not None and made is not node and made.name is None and INPUT not in (made.op, node.op):
            made.name, made.site, made.scope = node.name, node.site, node.scope
            made.adjoint_of = node.adjoint_of if made.adjoint_of is None else made.adjoint_of
        if made is not None:
            if node in self._finite:
                self.zeros.finite.add(made)
            if not made.axes and (node.op is SIZE or any(x in self.zeros.counts for x in inputs)):
                self.zeros.counts.add(made)
        return made

    def change(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op is INPUT:
            return self.zeros.zero_padding(node) if node is not SEED and self.masks.list_ragged(node.axes) else node
        if node.op in (TAKE_STEP, SEND, RECEIVE):
            return self.zeros.make_named(node, inputs)
        made: Node | None = None
        if node.op is SIZE:
            made = self.replace_size(node)
        elif node.op is IN_RANGE:
            made = self.replace_check(node, *inputs)
        elif node.op is AT and node.attrs["axis"] in self.lengths:
            made = self.replace_at(node, *inputs)
        elif node.op.reduces_axes and node.attrs["axes"]:
            made = self.replace_reduction(node, *inputs)
        elif node.op is SPREAD and any(a in self.lengths and a not in inputs[0].axes for a in node.axes):
            made = self.zeros.zero_padding(remake(node, inputs))  # before the cotangent varies over steps, where it is smallest
        if made is not None:
            return made
        if self._part[node] in self._closing or self._part[node] in self._cut:
            inputs = self.repair(node, inputs)
        made = self.zeros.note(remake(node, inputs), inputs)
        if keeps_finite(node) and all(self.zeros.is_harmless(x) for x in inputs):
            self.zeros.finite.add(made)
        return made

    def _note_state(self, old: Node, new: Node, equation: Node) -> Node:
        """Note what is known of a state; those who read it at its own step read the state itself."""
        if old in self._finite or old in self._assumed_back:
            self.zeros.finite.add(new)
        if old in self._assumed or old in self._selected:
            self.zeros.clean.add(new)
        return new

    def replace_size(self, node: Node) -> Node | None:
        axis, among, of = node.attrs["axis"], node.attrs.get("among"), node.attrs.get("of", ())
        if among is None:
            return self.lengths.get(axis)
        ragged = self.masks.list_deciding(of, among)
        touched = [a for a in among if a in ragged or any(a in self.over[r] for r in ragged)]
        if axis not in touched:
            return None
        if axis is not touched[0]:  # the first stands for all
            return constant(1)
        if touched == ragged and len(ragged) == 1:
            return self.masks.count_steps(axis, of)
        total = sum_over(cast(self.masks.mask_valid(of, ragged), int), axes=tuple(touched))
        return total if all(r in among for r in ragged) else maximum(total, 1)  # all sequences may be shorter than a delay

    def replace_check(self, node: Node, i: Node, n: Node) -> Node | None:
        """Return the check of an index that looks at no padding."""
        axes = tuple(dict.fromkeys((*node.axes, *n.axes)))  # each sequence has a range of its own, also of an index for all
        if not (ragged := self.masks.list_ragged(axes)):
            return None
        valid = self.masks.mask_valid(axes, ragged)
        return apply(node.op, where(valid, i, 0), where(valid, n, 1), **node.attrs)

    def replace_at(self, node: Node, x: Node) -> Node | None:
        axis, i, must = node.attrs["axis"], node.attrs["index"], node.attrs["outside"] == "error"
        if i < 0:
            self._check_own(node, axis)
        if must:
            self.needs.append(Need(axis, i + 1 if i >= 0 else -i, node, tuple(b for b in self.over[axis] if b not in x.axes)))
        steps, fill = self.masks.count_steps(axis, x.axes), constant(ZERO[x.dtype])
        if i >= 0:
            picked = remake(node, (x,))
            return picked if must else where(less(i, steps), picked, fill)
        picked = sum_over(where(equal(INDEX(axis=axis, here=True), steps + i), x, fill), axes=(axis,))
        return cast(picked, bool) if x.dtype is bool else picked

    def replace_reduction(self, node: Node, x: Node) -> Node | None:
        among = node.attrs["axes"]
        for r in self.masks.list_ragged(among):
            self._check_own(node, r)
        x = spread(x, [a for a in among if a in self.lengths])
        ragged = self.masks.list_deciding(x.axes, among)
        if not ragged:
            return None
        if node.op is sum_over:
            return apply(node.op, self.zeros.zero(x, ragged), **node.attrs)
        if node.op is max_over:
            self.needs += [Need(r, 1, node, among) for r in ragged if r in among]
        return apply(node.op, self.zeros.select(x, ragged, LEAST[x.dtype]), **node.attrs)

    def replace_shift(self, old: Node, new: Node) -> Node:
        """Return what stands for a shift: after the end of each sequence, its final rows."""
        if old in self._finite or old in self._assumed_back:
            self.zeros.finite.add(new)
        if old in self._assumed:
            self.zeros.clean.add(new)
        if self._reads_later(old):
            self._check_own(old, old.attrs["axis"])
        if not self._reads_later(old) or old in self._assumed:
            return new
        axis, ahead = new.attrs["axis"], -new.attrs["by"]
        fill: Node = constant(ZERO[new.dtype])
        bound, given = (None, ()) if new.attrs["outside"] == "zero" else get_rows(old.inputs[0], axis, "final")
        if bound is not None and bound.rows is None:
            fill = self.image[given[0]]
        elif bound is not None:
            past = INDEX(axis=axis, here=True) + ahead - self.masks.count_steps(axis, new.axes)
            fill = self.image[given[ahead - 1]]
            for j in range(ahead - 2, -1, -1):
                fill = where(equal(past, j), self.image[given[j]], fill)
        made = where(self.masks.mask_inside(axis, new.axes, ahead), new, fill)
        if old in self._finite:
            self.zeros.finite.add(made)
        if is_zero(fill):
            self.zeros.clean.add(made)
        return made
