"""Sigmoid gates inside of loops as tanh: sigmoid(z) = ½ tanh(z/2) + ½, with the inner ½ multiplied into the weights.

Then one tanh computes all gates of a cell, and a step has two calls less. Outside of loops sigmoid is kept, since it is exact
to the last digit also where it is nearly 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_seq.core.node import Node, apply, constant
from autograd_seq.graph.order import step_order
from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.ops.activations import sigmoid, tanh
from autograd_seq.ops.elementwise import add, mul
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.plan.passes.regroup import Places, is_sum


def halve_sigmoids(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with the sigmoids of loops as tanh, where that costs the loop nothing."""
    if all(n.op is not sigmoid for n in step_order(outputs)):
        return list(outputs)
    where, image, half = Places(outputs), dict[Node, Node](), constant(0.5)

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node.op is not sigmoid or not where.path[node] or not _is_free(where, node.inputs[0], node):
            return None
        return copy_name(node, add(mul(tanh(_scale(where, node.inputs[0], node, image, half)), half), half))

    return rebuild(outputs, rule, image=image)


def _is_free(where: Places, z: Node, gate: Node) -> bool:
    """Tell whether half of ``z`` can be computed without a further operation at each step."""
    if where.path[z] != where.path[gate] or _find_weight(where, z) is not None:
        return True
    return where.alone(z) and is_sum(z) and all(_is_free(where, x, gate) for x in z.inputs)


def _find_weight(where: Places, z: Node) -> int | None:
    """Return which operand of a product depends on parameters alone, if nobody else reads the product."""
    if z.op is not CONTRACT or not where.alone(z):
        return None
    return next((i for i, x in enumerate(z.inputs) if x in where.given), None)


def _scale(where: Places, z: Node, gate: Node, image: dict[Node, Node], half: Node) -> Node:
    if (side := _find_weight(where, z)) is not None:
        xs = [mul(image[x], half) if i == side else image[x] for i, x in enumerate(z.inputs)]
        return apply(CONTRACT, *xs, **z.attrs)
    if where.path[z] != where.path[gate]:
        return mul(image[z], half)
    return apply(z.op, *(_scale(where, x, gate, image, half) for x in z.inputs), **z.attrs)
