"""Fewer feeds that still make a NaN: of a large batch one sequence, of a long sequence its beginning."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd_seq.analyse.nonfinite import Finding, find_nan
from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.system import System
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.time import ALONG, SHIFT
from autograd_seq.run.compile import compile
from autograd_seq.sequences.cut import find_carried_axis

MOST_POINTS = 300_000
"""Values of the unrolled graph that are computed at most, in some seconds."""


def find_nan_in_part(program: Any, feeds: Mapping[str, Any]) -> Finding | None:
    """Find the first node that makes a NaN or an infinity, as :func:`ag.find_nan` does, in as few feeds as still make one.

    Args:
        program: what ``ag.compile`` or ``ag.value_and_grad`` returned; it runs a few dozen times.
        feeds: by name, ``lengths`` among them where sequences are padded.

    Returns:
        The finding, its steps those of all the feeds; ``None`` if nothing is found, or too many feeds are needed to make it.
        In a sequence that is too long to be unrolled only values are searched, not gradients.

    Example:
        >>> import autograd_seq as ag
        >>> t, b = ag.Axis("t"), ag.Axis("b")
        >>> loss = ag.sum(ag.log(ag.input("x", over=(t, b))), over=(t, b))
        >>> x = np.ones((50, 20))
        >>> x[30, 7] = 0.0
        >>> find_nan_in_part(ag.compile(loss), {"x": x}).step
        {'t': 30, 'b': 7}

    Notes:
        log₂ of the length of each axis runs, then the unrolled graph of what is left.
    """
    graph: Graph = getattr(program, "program", program).graph
    part, first = dict(feeds), {}
    for axis in [a for a in graph.axes if a.size is None]:
        part, first[axis.name] = _cut(program, graph, axis, part)
    if _count_points(graph, part) > MOST_POINTS:
        return _find_at_end(graph, part, first)
    with np.errstate(all="ignore"):
        found = find_nan(program, **part)
    return _count_on(found, first)


def _count_on(found: Finding | None, first: Mapping[str, int]) -> Finding | None:
    """Return a finding whose steps are counted from the first ones of all feeds."""
    return found and dataclasses.replace(found, step={a: n + first.get(a, 0) for a, n in found.step.items()})


def _find_at_end(graph: Graph, feeds: dict[str, Any], first: dict[str, int]) -> Finding | None:
    """Find what makes a NaN in the last steps of a sequence too long to be unrolled: a program runs the steps before them.

    It is searched in the values alone, not in gradients.
    """
    outputs = [o for o in graph.outputs if o.adjoint_of is None]
    try:
        axis = find_carried_axis(graph, True)
        size, program = _find_size(graph, axis, feeds), compile(outputs, carry=axis)
    except CarryError:
        return None
    last = int(MOST_POINTS // max(_count_points(program.later.graph, _take(graph, axis, feeds, 0, 1)), 1))
    if size is None or "lengths" in feeds or not 0 < last < size:
        return None
    with np.errstate(all="ignore"):
        _, carry = program(**_take(graph, axis, feeds, 0, size - last))
        assert carry is not None, "there were steps"
        later = program.make_feeds(carry, _take(graph, axis, feeds, size - last, size))
        return _count_on(find_nan(program.later, **later), {**first, axis.name: first.get(axis.name, 0) + size - last})


def _cut(program: Any, graph: Graph, axis: Axis, feeds: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the feeds of the fewest first steps of an axis that still make a NaN; where no step reads another, of one step."""
    size = _find_size(graph, axis, feeds)
    lengths = feeds.get("lengths")
    if size is None or size < 2 or (isinstance(lengths, Mapping) and any(axis in _as_tuple(key) for key in lengths)):
        return feeds, 0
    low, high = 0, size  # the first `high` steps make one, the first `low` do not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _makes_nan(program, _take(graph, axis, feeds, 0, middle)) else (middle, high)
    apart = all(n.op not in (SHIFT, ALONG) or axis not in (n.attrs["axis"], n.attrs.get("other")) for n in graph.nodes)
    alone = _take(graph, axis, feeds, high - 1, high)
    if apart and high > 1 and _makes_nan(program, alone):
        return alone, high - 1
    return _take(graph, axis, feeds, 0, high), 0


def _as_tuple(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _find_size(graph: System, axis: Axis, feeds: Mapping[str, Any]) -> int | None:
    for name, node in graph.inputs.items():
        if axis in node.axes and name in feeds:
            return int(np.shape(feeds[name])[graph.layout(node).index(axis)])
    return None


def _take(graph: Graph, axis: Axis, feeds: Mapping[str, Any], start: int, stop: int) -> dict[str, Any]:
    """Return the feeds of some steps of an axis."""
    size, made = _find_size(graph, axis, feeds), dict(feeds)
    for name, node in graph.inputs.items():
        if axis in node.axes and name in feeds and node.op is INPUT:
            at = (slice(None),) * graph.layout(node).index(axis)
            made[name] = np.asarray(feeds[name])[(*at, slice(start, stop))]
    if axis.name in feeds and axis.name not in graph.inputs:
        made[axis.name] = stop - start
    if isinstance(lengths := feeds.get("lengths"), Mapping):
        made["lengths"] = {key: n[start:stop] if np.shape(n) == (size,) else n for key, n in lengths.items()}
    return made


def _makes_nan(program: Any, feeds: Mapping[str, Any]) -> bool:
    with np.errstate(all="ignore"):
        out = program(**feeds)
    values = [out[0], *out[1].values()] if len(out) == 2 and isinstance(out[1], Mapping) else out
    return not all(np.isfinite(v).all() for v in values)


def _count_points(graph: System, feeds: Mapping[str, Any]) -> float:
    sizes = {a: a.size if a.size is not None else _find_size(graph, a, feeds) or 1 for a in graph.axes}
    return float(sum(np.prod([sizes[a] for a in n.axes], initial=1.0) for n in graph.nodes))


__all__ = ["find_nan_in_part"]
