"""Products with one and the same vector as one product: d·a, d·b, d·c, side by side, are [a, b, c] times d in each block.

The cotangents of a cell's gates are multiples of the cotangent of its state; the multipliers do not depend on the loop. They
are computed for all steps where the product wants them, and a step multiplies once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_seq.graph.rebuild import copy_name, rebuild
from autograd_seq.node import Node, apply
from autograd_seq.op import OPS, Op, promote
from autograd_seq.ops.parts import concat
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT
from autograd_seq.plan.pack import part
from autograd_seq.plan.regroup import Places

_MUL, _SLICE = OPS["mul"], OPS["slice"]


def _forward(x: Any, d: Any) -> Any:
    n = d.shape[-1]
    wide = x.reshape((*x.shape[:-1], x.shape[-1] // n, n)) * d[..., None, :]
    return wide.reshape((*wide.shape[:-2], x.shape[-1]))


BLOCKS = Op("blocks", lambda x, d: x, _forward, None, promote, None, False, "blocks", "")
"""``blocks([a, b, …], d)`` is ``[a·d, b·d, …]``."""


def blocked(outputs: Sequence[Node]) -> list[Node]:
    """Return the graph with neighbours in a concatenation that are multiples of one vector as one product."""
    where = Places(outputs)
    image: dict[Node, Node] = {}
    runs: dict[Node, list[Node]] = {}
    for n in where.nodes:
        if n.op.name == "concat" and where.path[n] and len(n.shape) == 1:
            for run in _runs(where, n):
                if len(run) > 1 and not any(m in runs for m in run):
                    runs.update(dict.fromkeys(run, run))
    if not runs:
        return list(outputs)
    whole: dict[Node, Node] = {}

    def rule(node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node in runs:
            run = runs[node]
            if run[0] not in whole:
                factors = [_factors(where, m) for m in run]
                whole[run[0]] = apply(BLOCKS, concat([image[early] for early, _ in factors], -1), image[factors[0][1]])
            at = next(i for i, m in enumerate(run) if m is node) * node.shape[-1]
            return copy_name(node, part(whole[run[0]], -1, at, at + node.shape[-1]))
        if node.op.name == "concat" and any(x in runs for x in node.inputs):
            return copy_name(node, _joined(inputs))
        return None

    after = {m: [x for other in run for x in _factors(where, other)] for m, run in runs.items()}
    return rebuild(outputs, rule, image=image, after=after)


def _joined(parts: Sequence[Node]) -> Node:
    """Return a concatenation in which neighbours that are adjacent parts of one array are one part."""
    out: list[Node] = []
    for x in parts:
        last = out[-1] if out else None
        if last is not None and last.op is x.op is _SLICE and last.inputs[0] is x.inputs[0]:
            (*_, a), (*_, b) = last.attrs["key"], x.attrs["key"]
            if a.stop == b.start:
                out[-1] = part(x.inputs[0], -1, a.start, b.stop)
                continue
        out.append(x)
    out = [x.inputs[0] if x.op is _SLICE and x.shape == x.inputs[0].shape else x for x in out]
    return out[0] if len(out) == 1 else concat(out, -1)


def _runs(where: Places, n: Node) -> list[list[Node]]:
    """Return the parts of a concatenation, those together that have a late factor in common."""
    out: list[list[Node]] = []
    last: Node | None = None
    for x in n.inputs:
        fits = where.path[x] == where.path[n] and set(x.axes) == set(n.axes) and _is_multiple(where, x)
        late = _factors(where, x)[1] if fits else None
        if late is not None and late is last:
            out[-1].append(x)
        else:
            out.append([x])
        last = late
    return out


def _is_multiple(where: Places, x: Node) -> bool:
    """Tell whether a node is the product of something that is there before the loop with something that is not."""
    if x.op is not _MUL or x.dtype is not float or x.shape[-1:] == (0,) or x in where.outputs:
        return False
    if any(r.op in (STATE, SHIFT) for r in where.readers[x]):
        return False
    path = where.path[x]
    late = sum(where.path[y][: len(path)] == path for y in x.inputs)  # what a loop within leaves is there late too
    return late == 1 and all(y.shape == x.shape and set(y.axes) == set(x.axes) and y.dtype is float for y in x.inputs)


def _factors(where: Places, x: Node) -> tuple[Node, Node]:
    """Return what is there before the loop, and what is not."""
    a, b = x.inputs
    return (b, a) if where.path[a] == where.path[x] else (a, b)
