"""e-prop: the gradient of equations whose recurrent products read values as given, so that each unit has traces of its own.

Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein & Maass 2020, "A solution to the learning dilemma for recurrent networks of
spiking neurons". What a unit passes to itself is followed through all steps, what it passes to others through a matrix is not.
"""

from __future__ import annotations

from autograd_seq.core.node import Node
from autograd_seq.graph.order import list_components, step_order
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.loss import stop_gradient


def stop_recurrent_products(output: Node) -> Node:
    """Return equations of the same values in which products on a cycle read what lies on that cycle without gradient.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> W, x, h = ag.param("W", (2, 2)), ag.input("x", (2,), over=t), ag.state("h", (2,), over=t)
        >>> h[t] = 0.5 * h[t - 1] + W @ h[t - 1] + x[t]
        >>> last = ag.last(stop_recurrent_products(h)[0], over=t)
        >>> ag.Graph(ag.grad(last, W)).evaluate(W=[[0.0, 1.0], [1.0, 0.0]], x=[[1.0, 0.0]] * 3)[0].tolist()
        [[2.0, 1.0], [0.0, 0.0]]
    """
    order = step_order([output])
    cycle = {n: k for k, part in enumerate(list_components(order)) if len(part) > 1 for n in part}

    def rule(n: Node, inputs: tuple[Node, ...]) -> Node | None:
        if n.op is not CONTRACT or n not in cycle:
            return None
        read = [stop_gradient(new) if cycle.get(x) == cycle[n] else new for x, new in zip(n.inputs, inputs, strict=True)]
        made = n.op(*read, **n.attrs)
        made.name, made.site, made.scope = n.name, n.site, n.scope
        return made

    return rebuild([output], rule)[0]


__all__ = ["stop_recurrent_products"]
