"""What is fed: checked against what was declared, before anything is computed."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd_seq.axes import Axis
from autograd_seq.errors import DTypeError, FeedError, did_you_mean
from autograd_seq.node import Node, kind_of
from autograd_seq.ops.random import SEED

if TYPE_CHECKING:
    from autograd_seq.graph.graph import Graph

_RANK = {bool: 0, int: 1, float: 2}

sort_of = attrgetter("__class__", "shape", "dtype")
"""What an array must have in common with one that has been checked, so as not to be checked again."""


def check(graph: Graph, given: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the feeds as arrays of the declared kinds, a missing seed being 0.

    Raises:
        FeedError: a name is unknown or missing, or a shape does not end in the declared one.
        DTypeError: floats for ints, or no numbers at all.
    """
    for name in given:
        if name not in graph.inputs:
            raise FeedError("F102", f'nothing called "{name}" is fed', got=name, fix=did_you_mean(name, graph.inputs))
    if missing := [n for n, node in graph.inputs.items() if n not in given and node is not SEED]:
        shapes = ", ".join(f"{n}: {declared(graph.inputs[n])}" for n in missing)
        raise FeedError(
            "F103", f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not fed", expected=shapes,
            got=", ".join(given) or "nothing", fix=f"evaluate({missing[0]}=…)",
        )  # fmt: skip
    return {name: _array(name, node, given.get(name, 0)) for name, node in graph.inputs.items()}


def declared(node: Node) -> str:
    """Return the declared layout of an input: ``(t, 3) float``."""
    dims = [a.name for a in node.axes] + [str(n) for n in node.shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''}) {node.dtype.__name__}"


def _array(name: str, node: Node, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise FeedError("F104", f"{name} is no regular array", node=name, expected=declared(node), got=str(error)) from None
    if array.size == 0 and array.dtype == np.float64:
        array = array.astype({float: np.float64, int: np.int64, bool: np.bool_}[node.dtype])
    try:
        kind = kind_of(array)
    except DTypeError as error:
        raise _not_numeric(name, node, array) from error
    if kind is int and array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise _not_numeric(name, node, array)
    if _RANK[kind] > _RANK[node.dtype]:
        raise DTypeError(
            "D301", f"{name} has another kind", node=name, where=node.where, expected=declared(node),
            got=f"an array of {array.dtype}", fix=f"{name}=np.asarray({name}, dtype={node.dtype.__name__})",
        )  # fmt: skip
    core = array.shape[len(node.axes) :]
    if array.ndim != len(node.axes) + len(node.shape) or core != node.shape:
        raise FeedError(
            "F105", f"{name} has another shape", node=name, where=node.where, expected=declared(node),
            got=str(array.shape), fix=_hint(node, array.shape),
        )  # fmt: skip
    wide = array.dtype == np.int64 or node.dtype is not int  # integers count in 64 bits, or their products wrap around
    return array if kind is node.dtype and wide else array.astype({float: np.float64, int: np.int64, bool: bool}[node.dtype])


def _not_numeric(name: str, node: Node, array: np.ndarray) -> DTypeError:
    whole = array.dtype == np.uint64 or all(isinstance(v, int) and not isinstance(v, bool) for v in array.flat)
    if node.dtype is int and array.size and whole:
        return DTypeError(
            "D303", f"{name} is too large", node=name, where=node.where, expected="integers of 64 bits, −2⁶³ … 2⁶³ − 1",
            got=str(max(array.flat, key=abs)),
        )  # fmt: skip
    return DTypeError(
        "D101", f"{name} must be numeric", node=name, where=node.where, expected=declared(node),
        got=f"an array of {array.dtype}", fix=f"np.asarray({name}, dtype=float) shows which entry is not a number",
    )  # fmt: skip


def _hint(node: Node, shape: tuple[int, ...]) -> str | None:
    if not node.axes and len(shape) > len(node.shape):
        return f'if it varies over time, declare it so: ag.input("{node.name}", {node.shape}, over=t)'
    return None


def sizes(graph: Graph, given: dict[str, Any]) -> dict[str, int]:
    """Return the length of every axis that the feeds tell, by name; see :meth:`Graph.sizes`."""
    found: dict[Axis, tuple[int, str]] = {}
    for name, array in check(graph, given).items():
        for axis, n in zip(graph.inputs[name].axes, array.shape, strict=False):
            known, by = found.setdefault(axis, (n, name))
            if known != n:
                raise FeedError(
                    "F106", f"{by} and {name} disagree about {axis}", node=name, expected=f"{known} steps, as {by} has",
                    got=f"{n} steps of {name}", fix="feeds of one axis have one length",
                )  # fmt: skip
    return {axis.name: n for axis, (n, _) in found.items()}


def told(graph: Graph, given: dict[str, Any]) -> tuple[dict[str, int], dict[str, Any]]:
    """Return the lengths of axes, from the feeds or given by an axis's name, and the feeds without those names.

    Raises:
        FeedError: as for :func:`sizes`, or a length is given that the feeds disagree with.
    """
    lengths = {a.name: given[a.name] for a in graph.axes if a.name in given and a.name not in graph.inputs}
    data = {name: value for name, value in given.items() if name not in lengths}
    found = sizes(graph, data)
    for name, n in lengths.items():
        if found.setdefault(name, n) != n:
            raise FeedError("F106", f"the feeds disagree with {name}={n}", expected=f"{name}={found[name]}", got=f"{n}")
    return found, data
