"""The equations of one step with what they read of earlier steps in its own inputs, so that derivatives stay within the step.

The values that steps hand on are the *sources* of the shifts. A derivative of a source with respect to such an input is a block
of the Jacobian of the step; one of the step's loss with respect to the sources is what the step itself has to say of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import GradientError
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.grad.sparsity import Locks, find_locks
from autograd_seq.graph.order import find_dependents, get_rows, postorder, step_order
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.ops.elementwise import cast
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.time import SHIFT, SIZE, spread

_COUNT = itertools.count()


def take_step_of_sum(loss: Node, axis: Axis) -> Node:
    """Return the part of a loss that belongs to one step; the loss is a sum over the steps, times numbers or parameters."""
    order = step_order([loss])
    sums = [n for n in order if (n.op.reduces_axes and axis in n.attrs["axes"]) or (n.op is SIZE and n.attrs["axis"] is axis)]

    def rule(n: Node, inputs: tuple[Node, ...]) -> Node | None:
        if n.op is SIZE and n.attrs["axis"] is axis:
            return constant(1)
        if n.op.reduces_axes and axis in n.attrs["axes"]:
            kept = tuple(a for a in n.attrs["axes"] if a is not axis)
            return n.op(*inputs, axes=kept) if kept or len(inputs) > 1 else cast(inputs[0], n.dtype)
        return None

    (step,) = rebuild([loss], rule, within=find_dependents(order, sums))
    return spread(step, axis)


class OneStep:
    """The equations of a step, cut where they read earlier steps of what depends on some leaves.

    Args:
        loss: a value over the axis.
        wrt: leaves.
        axis: of the steps.

    Attributes:
        sources: the values that the step reads at earlier steps.
        reads: by input of the cut equations, the shift in whose place it stands.
    """

    def __init__(self, loss: Node, wrt: Sequence[Node], axis: Axis) -> None:
        self.loss, self.axis = loss, axis
        self._order = step_order([loss])
        moved = find_dependents(self._order, wrt)
        self.shifts = [n for n in self._order if n.op is SHIFT and n.attrs["axis"] is axis and n.inputs[0] in moved
                       and n.dtype is float]  # fmt: skip
        self.sources = list(dict.fromkeys(n.inputs[0] for n in self.shifts))
        self.reads: dict[Node, Node] = {}
        self._inputs: dict[tuple[object, ...], Node] = {}
        self._locks: dict[Node, dict[Node, Locks]] = {}
        self._before: dict[Node, Node] = {}  # from nodes of the cut equations to those of the whole
        self._cut = self._copy(self.sources, lambda n: None)
        self.values = {x: self._cut[x] for x in self.sources}
        now = {x: self._make_input(x) for x in self.sources}
        self.now = {made: x for x, made in now.items()}
        self._before |= self.now
        self.cut_loss = self._copy([loss], now.get)[loss]

    def _make_input(self, like: Node) -> Node:
        return Node(INPUT, (), {"made": True}, like.shape, float, like.axes, name=f"cut {next(_COUNT)}")

    def _replace_shift(self, old: Node) -> Node:
        key = (old.inputs[0], old.attrs["by"], old.attrs["outside"])
        if key not in self._inputs:
            self._inputs[key] = made = self._make_input(old)
            self.reads[made] = old
            self._before[made] = old
        return self._inputs[key]

    def _copy(self, outputs: Sequence[Node], replaced: Callable[[Node], Node | None]) -> dict[Node, Node]:
        """Return a copy of the equations of outputs that reads inputs in the place of earlier steps."""
        cut, image = set(self.shifts), dict[Node, Node]()
        rebuild(outputs, image=image, replace=lambda n: self._replace_shift(n) if n in cut else replaced(n))
        self._before |= {new: old for old, new in image.items() if new not in self._before}
        return image

    def restore(self, nodes: Sequence[Node]) -> list[Node]:
        """Return nodes over the cut equations as nodes over the whole ones, which read earlier steps."""
        own = set(self._order)

        def find(n: Node) -> Node | None:
            return n if n in own else self._before.get(n)

        made = rebuild(nodes, replace=find)
        for n in postorder(made, lambda n: () if n in own else n.inputs):
            if n not in own:
                n.adjoint_of = None  # it is a part of a derivative, and not to be called the whole
        return made

    def list_rows(self, source: Node) -> tuple[bool, tuple[Node, ...]]:
        """Return whether one row stands for all before the first step, and the rows of a source."""
        bound, rows = get_rows(source, self.axis, "init")
        return bound is not None and bound.rows is None, rows

    def stand_for(self, node: Node) -> Node:
        """Return an input of the cut equations in the place of a node of the whole ones."""
        made = self._make_input(node)
        self._before[made] = node
        return made

    def cut_further(self, outputs: Sequence[Node], at: Sequence[Node]) -> tuple[dict[Node, Node], dict[Node, Node]]:
        """Return, by node, a copy of the cut equations that reads inputs in the place of some nodes; and these inputs."""
        made, image = {z: self.stand_for(self._before.get(z, z)) for z in at}, dict[Node, Node]()
        rebuild(outputs, image=image, replace=made.get)
        self._before |= {new: self._before.get(old, old) for old, new in image.items() if new not in self._before}
        return image, made

    def find_pairs(self, leaves: Sequence[Node]) -> dict[tuple[Node, Node], Locks]:
        """Return the pairs of a source and a leaf on which it depends within the step, and how it is locked to that.

        Raises:
            GradientError: as :meth:`check_apart`.
        """
        found: dict[tuple[Node, Node], Locks] = {}
        for leaf in leaves:
            locks = self.find_locks(leaf)
            found |= {(x, leaf): locks[value] for x, value in self.values.items() if value in locks}
        self.check_apart(found)
        return found

    def check_apart(self, found: Mapping[tuple[Node, Node], Locks]) -> None:
        """Refuse a source of which a point depends on several points of an axis of a leaf, if both vary over that axis."""
        for (x, leaf), locks in found.items():
            for a in leaf.axes:
                if a is not self.axis and a in x.axes and (a, a) not in locks:
                    read = self.reads.get(leaf, leaf)
                    raise GradientError(
                        "E151", f"{label_of(x)} reads {label_of(read)} at other points of {a}, and the influence of each point "
                        "on each would have to be kept", node=x.name, where=x.where,
                        expected=f"equations for each point of {a} by itself",
                        got=f"{label_of(x)} over {', '.join(a.name for a in x.axes)}",
                        fix="ag.value_and_grad, or ag.bptt(…, segment=…), on whole sequences",
                    )  # fmt: skip

    def list_reached(self) -> list[Node]:
        """Return all nodes on which the loss depends within the step."""
        return step_order([self.cut_loss])

    def find_locks(self, leaf: Node) -> dict[Node, Locks]:
        """Return how what the step computes, and the rows of its sources, are locked to a leaf; see :func:`find_locks`."""
        if leaf not in self._locks:
            self._locks[leaf] = find_locks(self.list_handed_on(), leaf)
        return self._locks[leaf]

    def list_handed_on(self) -> list[Node]:
        """Return all nodes on which sources and their rows depend within the step."""
        return step_order([*self.values.values(), *(row for x in self.sources for row in self.list_rows(x)[1])])


__all__ = ["OneStep", "take_step_of_sum"]
