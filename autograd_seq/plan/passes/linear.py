"""Sums of products as linear maps: which vectors, at which steps, are multiplied by which matrices."""

from __future__ import annotations

from typing import NamedTuple

from autograd_seq.core.node import Node
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.memory.views import find_stretch
from autograd_seq.plan.passes.regroup import Places, is_sum, list_terms


class Term(NamedTuple):
    """One term of a sum: rows of a matrix times a vector.

    Attributes:
        matrix: ``None`` for the identity; a vector if the source is 1.
        rows_first: whether the rows are the first dimension of the matrix.
        span: the range of rows.
        node: the node of the term.
        product: the product of which the term is some rows.
        source: the vector; ``None`` for the number 1.
        by: how many steps earlier the vector is read.
        seen: the node that is read: the source or its shift, if the graph has one.
    """

    matrix: Node | None
    rows_first: bool
    span: tuple[int, int]
    node: Node
    product: Node | None
    source: Node | None
    by: int
    seen: Node | None

    @property
    def key(self) -> tuple[int, int]:
        """Equal for terms with the same vector at the same step."""
        return id(self.source), self.by


def is_late(where: Places, n: Node, x: Term) -> bool:
    """Tell whether a vector is computed in the loop."""
    return x.source is not None and where.path[x.source] == where.path[n]


def split_terms(where: Places, n: Node) -> tuple[list[Term], list[tuple[int, Node]]]:
    """Return the terms of a sum that are products, each vector once, and all others."""
    linear: list[Term] = []
    rest: list[tuple[int, Node]] = []
    for sign, x in list_terms(where, n):
        found = _expand(where, n, x) if sign > 0 else None
        keys = [t.key for t in found or []]
        if found and len(set(keys)) == len(keys) and not {t.key for t in linear} & set(keys):
            linear += found
        else:
            rest.append((sign, x))
    return linear, rest


def _expand(where: Places, n: Node, x: Node) -> list[Term] | None:
    """Return a term as products: those of a sum computed before the loop, or of one that a later step has stored."""
    loop = where.path[n][-1]
    if x.op is SHIFT and where.path[x] == where.path[n] and x.attrs["axis"] is loop.axis and x.attrs["outside"] == "zero":
        y, by = x.inputs[0], x.attrs["by"]
        if y.op is STATE or not where.alone(x) or where.readers[y] != [x] or y in where.outputs or y.shape != n.shape:
            return None
        inside = list_terms(where, y) if is_sum(y) else [(1, y)]
        if any(sign < 0 for sign, _ in inside):
            return None
        found = [_match_product(where, n, z, by) or _match_itself(where, n, z, by) for _, z in inside]
        return [t for t in found if t is not None] if all(found) else None
    if where.path[x] != where.path[n] and is_sum(x) and where.alone(x):
        found = [_match_product(where, n, z, 0) or _match_bias(where, n, z) for sign, z in list_terms(where, x) if sign > 0]
        whole = all(found) and len(found) == len(list_terms(where, x))
        if whole and len({t.key for t in found if t is not None}) == len(found):
            return [t for t in found if t is not None]
    one = _match_product(where, n, x, 0) or _match_bias(where, n, x) or _match_given(where, n, x)
    return None if one is None else [one]


def _match_bias(where: Places, n: Node, x: Node) -> Term | None:
    """Return a vector of parameters as a product with 1."""
    fits = x in where.given and x.shape == n.shape and x.dtype is float
    return Term(x, False, (0, n.shape[-1]), x, None, None, 0, None) if fits else None


def _match_given(where: Places, n: Node, x: Node) -> Term | None:
    """Return a vector computed before the loop as a product with the identity."""
    fits = where.path[x] != where.path[n] and x.shape == n.shape and set(x.axes) == set(n.axes) and x.dtype is float
    return Term(None, False, (0, n.shape[-1]), x, None, x, 0, x) if fits else None


def _match_itself(where: Places, n: Node, x: Node, by: int) -> Term | None:
    """Return a vector of the loop as a product with the identity."""
    fits = where.path[x] == where.path[n] and x.shape == n.shape and len(where.readers[x]) == 1
    return Term(None, False, (0, n.shape[-1]), x, None, x, by, None) if fits else None


def _match_product(where: Places, n: Node, x: Node, by: int) -> Term | None:
    """Return rows of a matrix computed before the loop, times a vector read ``by`` steps earlier."""
    span, p = (0, n.shape[-1]), x
    if p.op is SLICE and (taken := find_stretch(p)) is not None:
        span, p = taken, p.inputs[0]
    if p.op is not CONTRACT or p.dtype is not float or x.shape != n.shape:
        return None
    side = next((s for s in (0, 1) if p.inputs[s] in where.given and len(p.inputs[s].shape) == 2), None)
    if side is None:
        return None
    matrix, v = p.inputs[side], p.inputs[1 - side]
    if len(v.shape) != 1 or len(p.shape) != 1 or set(v.axes) != set(n.axes) or not matrix.dtype is v.dtype is float:
        return None
    operands, out = p.attrs["spec"].split("->")
    rows_first = operands.split(",")[side][0] == out
    source, seen = v, v
    if v.op is SHIFT and v.attrs["axis"] is where.path[n][-1].axis:
        behind = v.inputs[0].inputs[0] if v.inputs[0].op is STATE else v.inputs[0]
        if where.path.get(behind) == where.path[n]:
            source, by_seen = behind, v.attrs["by"]
            return None if by else Term(matrix, rows_first, span, x, p, source, by_seen, seen)
    late = where.path[v] == where.path[n]
    if by:
        alone = x is p and len(where.readers[x]) == 1
        return Term(matrix, rows_first, span, x, p, source, by, None) if late and alone else None
    return Term(matrix, rows_first, span, x, p, source, 0, seen)
