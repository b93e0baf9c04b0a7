"""Copying a graph while changing it: a rule returns the new node for each node, given its new inputs.

Cycles pass through reads of other steps, and equilibria, only. So states, shifts and equilibria are created first, without
inputs, for their readers to refer to, and get their inputs at the end. Equal shifts of one node become one. What reads other
steps by value gets a stand-in for them as its first input, which is replaced at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from operator import is_

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, apply
from autograd_seq.graph.order import READ_OTHER_STEPS, find_dependents, step_order
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.state import CLOSED, STATE, UNDEFINED
from autograd_seq.ops.steps import get_delay
from autograd_seq.ops.time import SHIFT, SPREAD, spread

Rule = Callable[[Node, tuple[Node, ...]], Node | None]
"""``rule(node, new inputs)`` returns the node of the copy, or ``None`` for the same operation on the new inputs."""


def rebuild(
    outputs: Sequence[Node], rule: Rule = lambda node, inputs: None, states: Callable[[Node, Node, Node], Node] | None = None,
    axes: Callable[[Node], tuple[Axis, ...]] = lambda node: node.axes, image: dict[Node, Node] | None = None,
    shifts: Callable[[Node, Node], Node] = lambda old, new: new, after: Mapping[Node, Iterable[Node]] | None = None,
    within: Set[Node] | None = None, replace: Callable[[Node], Node | None] | None = None,
) -> list[Node]:  # fmt: skip
    """Return the copies of ``outputs``; nodes that no change reaches are kept as they are.

    Args:
        outputs: the outputs of the graph.
        rule: returns the copy of a node that is neither a state nor a shift; by default the same operation.
        states: ``states(old state, new state, its equation)`` returns what readers at the same step read; by default the new
            state.
        axes: returns the axes of the copy of a state or shift; by default those of the old one.
        image: a dict that is filled with the copy of each node as it is made: rules may look up earlier ones.
        shifts: ``shifts(old shift, new shift)`` returns what readers of the shift read; by default the new shift.
        after: by node, further nodes to copy before it, because the rule looks them up in ``image``.
        replace: returns what stands for a node of any kind, whatever that reads, or ``None``: its copy; by default that of all.
        within: the nodes that may be copied, and whatever depends on one of them; by default all. Others are kept as they are.

    Notes:
        Linear in the number of nodes.
    """
    order = step_order(outputs, after)
    new: dict[Node, Node] = {} if image is None else image
    new.update({n: n for n in order if within is not None and n not in within})
    copied = order if within is None else [n for n in order if n in within]
    source = _make_open_copies(copied, axes)  # before `states` and `shifts` replace them
    holes: dict[Node, Node] = {}  # stand-ins for what is read at other steps by value, and who has got one
    waiting: list[tuple[Node, Node]] = []
    for n in copied:
        if replace is not None and (other := replace(n)) is not None:
            new[n] = other
        elif n.op is SHIFT:
            new[n] = shifts(n, source[n])
        elif n.op in CLOSED:
            new[n] = states(n, source[n], new[n.inputs[0]]) if states and n.op is STATE else source[n]
        else:
            hole = None
            if n.op in READ_OTHER_STEPS and get_delay(n):
                x = n.inputs[0]
                if x not in holes:
                    holes[x] = Node(UNDEFINED.op, (), {}, x.shape, x.dtype, axes(x))
                hole = holes[x]
                inputs = (hole, *[new[x] for x in n.inputs[1:]])
            else:
                inputs = tuple([new[x] for x in n.inputs])
            made = rule(n, inputs)
            new[n] = remake(n, inputs) if made is None else made
            if hole is not None:
                waiting += [(m, n.inputs[0]) for m in (new[n], *new[n].inputs) if m.inputs and m.inputs[0] is hole]
    for n in copied:
        if n.op is SHIFT:
            x = new[n.inputs[0]] if n.inputs[0].op is SHIFT else source.get(n.inputs[0], new[n.inputs[0]])
            source[n].inputs = (spread(x, source[n].axes),)
        elif n.op in CLOSED:
            source[n].inputs = tuple([new[x] if x is not UNDEFINED else x for x in n.inputs])
    for made, x in waiting:
        made.inputs = (new[x], *made.inputs[1:])
    return [new[o] for o in outputs]


def _make_open_copies(nodes: Iterable[Node], axes: Callable[[Node], tuple[Axis, ...]]) -> dict[Node, Node]:
    """Return the copies of states, shifts and equilibria, whose inputs are still to come."""
    source: dict[Node, Node] = {}
    equal: dict[tuple[object, ...], Node] = {}
    for n in nodes:
        twin = equal.setdefault((n.inputs[0], *n.attrs.values()), n) if n.op is SHIFT else n
        if twin is not n:
            source[n] = source[twin]
        elif n.op is SHIFT or n.op in CLOSED:
            source[n] = Node(n.op, (UNDEFINED,), n.attrs, n.shape, n.dtype, axes(n), None, n.weak, n.name, n.site, n.scope)
            source[n].adjoint_of = n.adjoint_of
    return source


def remake(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return the operation of ``node`` on new inputs, under its name; ``node`` itself if the inputs are the same."""
    if all(map(is_, inputs, node.inputs)):
        return node
    if node._value is None and _is_alike(inputs, node.inputs):
        made = Node(node.op, inputs, node.attrs, node.shape, node.dtype, node.axes, None, node.weak)
    else:
        made = apply(node.op, *inputs, **node.attrs)
    made.name, made.site, made.scope = node.name, node.site, node.scope
    made.adjoint_of, made.letter = node.adjoint_of, node.letter
    return made


def _is_alike(inputs: tuple[Node, ...], old: tuple[Node, ...]) -> bool:
    """Tell whether new inputs agree with the old ones in shape, kind and axes, and none has a value."""
    for a, b in zip(inputs, old, strict=True):
        if a.shape != b.shape or a.dtype is not b.dtype or a.axes != b.axes:
            return False
    return not all([x._value is not None for x in inputs])


def copy_name(node: Node, stands: Node) -> Node:
    """Give the name of a node to the node that replaces it, unless that has a value or a name already."""
    if stands._value is None and stands.name is None:
        stands.name, stands.letter = node.name, stands.letter or node.letter
        stands.adjoint_of = node.adjoint_of if stands.adjoint_of is None else stands.adjoint_of
    return stands


def vmap(outputs: Node | Sequence[Node], *, over: Axis) -> Node | list[Node]:
    """Return the same equations with every input and state varying also over ``over``; parameters stay as they are.

    Args:
        outputs: a node, or several.
        over: a new axis, e.g. the batch. It becomes the first axis of feeds: ``(b, t, …)``; for another layout declare inputs
            ``over=(t, b)``.

    Returns:
        A node, or a list of nodes, which now have one value at each point of the axis.

    Raises:
        AxisError: an input varies over the axis already.

    Example:
        >>> import autograd_seq as ag
        >>> t, b = ag.Axis("t"), ag.Axis("b")
        >>> x, w = ag.input("x", over=t), ag.param("w")
        >>> batched = ag.vmap(ag.sum(w * x[t], over=t), over=b)
        >>> [v.tolist() for v in ag.Graph(batched).evaluate(w=2.0, x=[[1.0, 2.0], [3.0, 4.0]])]
        [[6.0, 14.0]]

    Notes:
        Random nodes vary over their ``over=`` only: they draw the same numbers for the whole batch unless it has the axis.
        Values of parameters and step numbers alone are also the same for the whole batch; with ``lengths=``, write ``spread(…,
        over)`` in the equations to let each sequence read them to its own end. Differentiate the result (a sum over the batch)
        to get gradients of the parameters summed over it.
    """
    (axis,) = as_axes(over)
    several = [outputs] if isinstance(outputs, Node) else list(outputs)
    order = _order_without(several, axis)
    varying = find_dependents(order, [n for n in order if n.op is INPUT and "default" not in n.attrs])

    def widen(node: Node) -> tuple[Axis, ...]:
        return (axis, *node.axes) if node in varying and axis not in node.axes else node.axes

    def batch(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op is SPREAD and node.attrs["axes"]:  # its operand may vary over the axis now
            return copy_name(node, spread(inputs[0], node.attrs["axes"]))
        if "of" in node.attrs and axis not in node.attrs["of"]:  # the points it counts have one more axis
            return apply(node.op, **{**node.attrs, "of": (axis, *node.attrs["of"])})
        if node.op is not INPUT or node not in varying:
            return None
        return Node(INPUT, (), {}, node.shape, node.dtype, widen(node), name=node.name, site=node.site, scope=node.scope)

    image: dict[Node, Node] = {}
    made = rebuild(several, batch, axes=widen, image=image)
    for g in {*image.values()} - {*image}:  # a gradient is one of what its node has become
        g.adjoint_of = image.get(g.adjoint_of, g.adjoint_of) if g.adjoint_of is not None else None
    return made[0] if isinstance(outputs, Node) else made


def _order_without(nodes: Sequence[Node], axis: Axis) -> list[Node]:
    """Return all that some nodes depend on, in step order.

    Raises:
        OperationError: one is no node.
        AxisError: an input varies over the axis already.
    """
    for n in nodes:
        if not isinstance(n, Node):
            raise OperationError(
                "O302", f"ag.vmap is given {n!r:.60}, which is not a node", expected="a node, or several", got=repr(n)[:80]
            )
    order = step_order(nodes)
    for n in order:
        if axis in n.axes and n.op is INPUT:
            raise AxisError(
                "A110", f"{label_of(n)} already varies over {axis}", node=n.name, where=n.where,
                expected="an axis that is new to the graph", got=repr(n), fix='b = ag.Axis("b")',
            )  # fmt: skip
    return order


explain_keywords(globals(), ["vmap"])
