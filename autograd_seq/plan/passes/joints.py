"""Which sums can be joined: the vectors that their products read can lie in one row, and nothing else reads the products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from autograd_seq.core.node import Node
from autograd_seq.graph.order import postorder, same_step
from autograd_seq.ops.activations import relu, sigmoid, tanh
from autograd_seq.ops.elementwise import add, div, exp, mul, neg, sub
from autograd_seq.ops.parts import CONCAT
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.passes.linear import Term, is_late, split_terms
from autograd_seq.plan.passes.regroup import Places, is_inner, is_sum

_PLACED = (add, sub, mul, div, neg, tanh, sigmoid, relu, exp, CONCAT)
WORTH = 4096
"""How many multiplications may be moved into a step to save it a call (about 20 are a nanosecond, and a call is 200)."""


@dataclass(eq=False)
class Joint:
    """A sum in a loop that becomes one product.

    Attributes:
        node: the sum.
        terms: its terms that are products, those of vectors computed before the loop first.
        rest: the sign and the node of each term that stays outside of the product.
    """

    node: Node
    terms: list[Term]
    rest: list[tuple[int, Node]]

    @property
    def needs(self) -> list[Node]:
        """The nodes that must be computed before it."""
        return [x for t in self.terms for x in (t.seen, t.matrix) if x is not None]


class Order:
    """Additional constraints on the order of nodes, so that one product can replace several sums.

    Attributes:
        after: by node, the nodes that it must follow besides its inputs.
    """

    def __init__(self, where: Places) -> None:
        self.where = where
        self.after: dict[Node, list[Node]] = {}

    def follows(self, nodes: Sequence[Node], needed: Sequence[Node]) -> bool:
        """Make ``nodes`` follow ``needed``, and return whether they can: no needed node may depend on them at the same step."""
        path = self.where.path[nodes[0]]

        def list_sources(x: Node) -> list[Node]:
            found = (*same_step(x), *self.after.get(x, ()))
            return [y for y in found if self.where.path[y][: len(path)] == path]

        if not {*postorder(needed, list_sources)}.isdisjoint(nodes):
            return False
        for n in nodes:
            self.after.setdefault(n, []).extend(needed)
        return True


@dataclass(eq=False)
class Left:
    """Adjacent vectors that one step of the backward pass stores for another step.

    Attributes:
        joint: the joint whose product reads them.
        by: how many steps earlier it does.
        sources: the vectors.
        whole: all of them as one vector, once it is made.
        shift: the read of ``whole`` at the other step.
    """

    joint: Joint
    by: int
    sources: list[Node]
    whole: Node | None = None
    shift: Node | None = None

    @property
    def parts(self) -> list[Node]:
        """The vectors, with vectors that are joined already as their parts."""
        return [p for x in self.sources for p in (x.inputs if x.op is CONCAT else (x,))]

    @property
    def joined(self) -> list[Node]:
        """The vectors that are joined already."""
        return [x for x in self.sources if x.op is CONCAT]

    @property
    def alone(self) -> bool:
        """Whether it is a single vector."""
        return len(self.sources) == 1


def list_lefts(joint: Joint) -> list[Left]:
    """Return the vectors of later steps that a joint reads, grouped by step."""
    late = [(x.by, x.source) for x in joint.terms if x.seen is None and x.source is not None]
    return [Left(joint, by, [x for _, x in xs]) for by, xs in groupby(late, key=lambda item: item[0])]


def find_joints(where: Places, order: Order) -> list[Joint]:
    """Return the joints of a graph: sums with a product, read by nothing else, with a vector that their own loop computes."""
    taken: set[Node] = set()  # vectors that lie in a row already
    found: list[Joint] = []
    for n in where.nodes:
        if not _is_single_row(where, n) or is_inner(where, n):
            continue
        linear, rest = split_terms(where, n)
        anchor = next((x for x in linear if x.matrix is not None and is_late(where, n, x)), None)
        others = [x for x in linear if x is not anchor and is_late(where, n, x) and _read_elsewhere(where, x)]
        linear = [x for x in linear if not any(x is y for y in others)]
        rest += [(1, x.node) for x in others]
        if anchor is None or len(linear) < 2 or any(where.path[x] != where.path[n] for _, x in rest):
            continue
        if anchor.seen is None or anchor.product is None or where.alone(anchor.product):
            _accept(where, order, Joint(n, linear, rest), found, taken)
    return found


def _is_single_row(where: Places, n: Node) -> bool:
    """Tell whether a node is a sum of vectors of a loop, one of them a step."""
    path = where.path[n]
    if not path or not is_sum(n) or len(n.shape) != 1:
        return False
    return not set(n.axes) - {loop.axis for loop in path}


def _read_elsewhere(where: Places, x: Term) -> bool:
    """Tell whether other nodes read the product of a term at the same step."""
    return x.seen is not None and x.product is not None and not (where.alone(x.product) and where.alone(x.node))


def _accept(where: Places, order: Order, joint: Joint, found: list[Joint], taken: set[Node]) -> None:
    """Add a joint if all vectors that it reads can lie in one row, and it needs few additional multiplications."""
    n = joint.node
    carried = [x for x in joint.terms if is_late(where, n, x)]
    early = [x for x in joint.terms if not is_late(where, n, x)]
    moved = [*early, *(x for x in carried if x.matrix is None)]
    more = sum((1 if x.source is None else x.source.shape[-1]) * n.shape[-1] for x in moved)
    sources = {x.source for x in carried if x.source is not None}
    if more > WORTH or len(sources) < len(carried) or sources & taken or not all(_can_lie_in_row(where, n, x) for x in carried):
        return
    if any(_depends_on(where, a, b) for a in sources for b in sources if a is not b):
        return
    carried.sort(key=lambda x: (x.seen is None, x.by if x.seen is None else 0))  # what one step leaves lies together
    joint.terms = [*early, *carried]
    whole = all(order.follows([x], left.parts) for left in list_lefts(joint) if not left.alone for x in left.joined)
    if whole and order.follows([n], joint.needs):
        taken |= sources
        found.append(joint)


def _can_lie_in_row(where: Places, n: Node, x: Term) -> bool:
    """Tell whether a vector can be computed in the row where the product will read it."""
    source, axis = x.source, where.path[n][-1].axis
    assert source is not None
    if source.op not in _PLACED or set(source.axes) != set(n.axes) or source.dtype is not float or len(source.shape) != 1:
        return False
    readers = [q for r in where.readers[source] for q in (where.readers[r] if r.op is STATE else [r])]
    states = [r for r in where.readers[source] if r.op is STATE]
    shifts = [r for r in readers if r.op is SHIFT]
    if x.by == 0 or x.seen is None:
        return not shifts or (x.by != 0 and len(where.readers[source]) == 1)
    return len(states) <= 1 and all(r.attrs["axis"] is axis for r in shifts)


def _depends_on(where: Places, a: Node, b: Node) -> bool:
    """Tell whether a node depends on another one of its loop at the same step."""

    def list_sources(x: Node) -> list[Node]:
        return [y for y in same_step(x) if where.path.get(y) == where.path[a]]

    return b in {*postorder(list_sources(a), list_sources)}
