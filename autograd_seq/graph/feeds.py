"""Feeds: checked against the declared inputs and parameters before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AutogradSeqError, DTypeError, FeedError, OperationError, did_you_mean
from autograd_seq.core.kinds import get_dtype, get_kind, make_not_numeric_error, refuse_mask, widen_integers
from autograd_seq.core.node import Node
from autograd_seq.graph.memory import check_fits
from autograd_seq.ops.gather import TAKE, find_lookup, make_range_error
from autograd_seq.ops.leaf import INPUT, PARAM

if TYPE_CHECKING:
    from autograd_seq.graph.system import System

_RANK = {bool: 0, int: 1, float: 2}

get_sort = attrgetter("__class__", "shape", "dtype")
"""Returns the type, shape and dtype of an array: if they equal those of a checked array, it need not be checked again."""


def check_feeds(graph: System, given: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the feeds as arrays of the declared kinds; what is missing has its default.

    Raises:
        FeedError: a name is unknown or missing, or a shape does not end in the declared one.
        DTypeError: floats for ints, or no numbers at all.
    """
    for name in given:
        if name not in graph.inputs:
            meant = str(did_you_mean(name, graph.inputs) or "it reads nothing")
            alone = [] if meant.startswith("did") else ["feed only what the outputs read: ag.Graph(outputs).inputs"]
            raise FeedError("F102", f'no input or parameter is named "{name}"', got=name, fix=[meant, *alone])
    if missing := [n for n, node in graph.inputs.items() if n not in given and "default" not in node.attrs]:
        shapes = ", ".join(f"{n}: {describe_declared(graph.inputs[n])}" for n in missing)
        keyword = f"{missing[0]}=…" if missing[0].isidentifier() else f'**{{"{missing[0]}": …}}'
        draw = ["**ag.nn.init.params(L) draws all parameters"] if all(graph.inputs[n].op is PARAM for n in missing) else []
        raise FeedError(
            "F103", f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not fed", expected=shapes,
            got=", ".join(given) or "nothing", fix=[f"feed {keyword}", *draw],
        )  # fmt: skip
    return {name: _as_array(name, node, given.get(name, node.attrs.get("default"))) for name, node in graph.inputs.items()}


def make_unnamed_error(graph: System, unnamed: Sequence[Any]) -> FeedError:
    """Return the error about values that are fed without a name."""
    names = ", ".join(f"{name}=…" for name in graph.inputs)
    table = isinstance(unnamed[0], Mapping)
    return FeedError(
        "F112", "a dict is fed without stars" if table else "a value is fed without a name", expected=names,
        got="a dict" if table else f"{len(unnamed)} without a name",
        fix="two stars make names of its keys: (**feeds)" if table else None,
    )  # fmt: skip


def as_float_width(dtype: Any) -> np.dtype:
    """Return the width that ``dtype=`` names.

    Raises:
        DTypeError: it names none.
    """
    try:
        width = np.dtype(dtype)
    except TypeError:
        width = np.dtype(object)
    if width.kind not in "fc":
        raise DTypeError("D302", f"dtype={dtype!r:.60} is not a float type", expected='"float32" or "float64"', got=repr(dtype))
    if width.itemsize < np.dtype(np.float32).itemsize:
        raise DTypeError(
            "D304", f"{width} is too narrow to compute in", expected='"float32" or "float64"', got=f"dtype={dtype!r:.60}",
            fix="feeds may be of any width: they are widened to dtype=",
        )  # fmt: skip
    return width


def describe_declared(node: Node) -> str:
    """Return the declared layout of an input: ``(t, 3) float``."""
    dims = [a.name for a in node.axes] + [str(n) for n in node.shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''}) {node.dtype.__name__}"


def _as_array(name: str, node: Node, value: Any) -> np.ndarray:
    try:
        array = np.asarray(refuse_mask(value, name, node.where))
    except ValueError as error:
        raise FeedError(
            "F104", f"{name} is fed a value that is not a regular array", node=name, expected=describe_declared(node),
            got=f"what NumPy refuses: {error}",
            fix="sequences of unequal lengths: array, lengths = ag.learn.pad(sequences), and lengths={t: lengths} at the call",
        ) from None  # fmt: skip
    if array.size == 0 and array.dtype == np.float64:
        array = array.astype(get_dtype(node.dtype))
    try:
        kind = get_kind(array)
        array = widen_integers(array)
    except DTypeError:
        raise make_not_numeric_error(array, name, describe_declared(node), name, node.where) from None
    if _RANK[kind] > _RANK[node.dtype]:
        raise DTypeError(
            "D301", f"{name} takes {node.dtype.__name__}, but is fed {array.dtype}", node=name, where=node.where,
            expected=describe_declared(node),
            got=f"an array of {array.dtype}", fix=f"{name}=np.asarray({name}, dtype={node.dtype.__name__})",
        )  # fmt: skip
    core = array.shape[len(node.axes) :]
    if array.ndim != len(node.axes) + len(node.shape) or core != node.shape:
        raise FeedError(
            "F105", f"{name} is fed an array of shape {array.shape}", node=name, where=node.where,
            expected=describe_declared(node), got=str(array.shape), fix=_suggest_axis(node, array.shape),
        )  # fmt: skip
    if kind is not node.dtype:
        check_fits(8 * array.size, dict(zip(node.axes, array.shape, strict=False)), f"feed {name} as {node.dtype.__name__}")
    return array if kind is node.dtype else array.astype(get_dtype(node.dtype))


def explain_failure(graph: System, arrays: Mapping[str, Any], error: Exception) -> AutogradSeqError:
    """Return the error about a failed run; it names the input and entry whose index is out of range, or the failed operation.

    Args:
        graph: the graph that ran.
        arrays: its feeds, by name.
        error: what it raised.
    """
    for node in graph.nodes:
        index, n = find_lookup(node) or (None, 0)
        while index is not None and index.op is not INPUT:
            index = index.inputs[0] if index.op.view else None
        if index is None or (array := arrays.get(graph.name(index))) is None:
            continue
        wrong = np.argwhere((array < 0) | (array >= n))
        if len(wrong):
            place, name = tuple(map(int, wrong[0])), graph.name(index)
            entry = f"{name}[{', '.join(map(str, place))}]" if place else name
            table = f", for {graph.name(node.inputs[0])}" if node.op is TAKE and node.inputs[0].name else ""
            return make_range_error(name, f"0 … {n - 1}{table}", f"{entry} = {array[place]}", index)
    if isinstance(error, AutogradSeqError):
        return error
    if str(error).startswith(("expected 0 … ", "expected -1 … ")):
        expected, _, got = str(error).removeprefix("expected ").partition(", got ")
        label, named, _ = got.partition(" = ")
        return make_range_error(label if named else "an index", expected, got)
    if isinstance(error, np.linalg.LinAlgError):
        return _explain_matrix(graph, error)
    own = [n for n in graph.nodes if n.op.own]
    said = [n for n in own if n.op.name in _list_functions(error)] or own
    return OperationError(
        "O128", f"the forward of {said[0].op.name if said else 'an operation'} failed", node=said[0].op.name if said else None,
        where=said[0].where if said else None, got=f"{type(error).__name__}: {error}",
    )  # fmt: skip


def _explain_matrix(graph: System, error: Exception) -> OperationError:
    """Return the error about a matrix that has no inverse or no factor; it names the operations that may have met it."""
    named = _list_functions(error)
    met = [n for n in graph.nodes if n.op.name in named]
    labels = ", ".join(graph.label(n) for n in met[:4])
    return OperationError(
        "O149", f"{labels or 'an operation'} met a matrix that it cannot take: {error}", node=met[0].name if met else None,
        where=next((n.where for n in met if n.where), None), expected="a regular matrix, positive definite for cholesky",
        got=str(error), fix="add a small multiple of the identity: a + 1e-6 * np.eye(n)",
    )  # fmt: skip


def _list_functions(error: Exception) -> set[str]:
    """Return the names of the functions in which an error was raised."""
    return {frame.name for frame in extract_tb(error.__traceback__)}


def _suggest_axis(node: Node, shape: tuple[int, ...]) -> str | None:
    if not node.axes and len(shape) > len(node.shape):
        return f'if it varies over time, declare it so: ag.input("{node.name}", {node.shape}, over=t)'
    core = shape[len(shape) - len(node.shape) :]
    if node.op is INPUT and len(shape) == len(node.axes) + len(node.shape) + 1 and core == node.shape:
        over = ", ".join([*map(str, node.axes), "b"])
        return f"a batch is an axis as well: over=({over}) in the declaration, or ag.vmap(outputs, over=b)"
    return None


def read_sizes(graph: System, given: dict[str, Any]) -> dict[str, int]:
    """Return by name the length of every axis that the feeds have; see :meth:`Graph.sizes`."""
    found: dict[Axis, tuple[int, str]] = {}
    for name, array in check_feeds(graph, given).items():
        for axis, n in zip(graph.inputs[name].axes, array.shape, strict=False):
            known, by = found.setdefault(axis, (n, name))
            if known != n:
                raise FeedError(
                    "F106", f"{by} has {known} steps of {axis}, and {name} has {n}", node=name,
                    expected=f"{known} steps, as {by} has",
                    got=f"{n} steps of {name}", fix="feeds of one axis have one length",
                )  # fmt: skip
    return {axis.name: n for axis, (n, _) in found.items()}


def split_sizes(graph: System, given: dict[str, Any]) -> tuple[dict[str, int], dict[str, Any]]:
    """Split the keywords of a call into the lengths of axes (read from the feeds, or given by name) and the feeds.

    Raises:
        FeedError: as for :func:`read_sizes`, or a length is given that the feeds disagree with.
    """
    lengths = graph.pick_lengths(given)
    data = {name: value for name, value in given.items() if name not in lengths}
    found = read_sizes(graph, data)
    for name, n in lengths.items():
        if found.setdefault(name, n) != n:
            raise FeedError("F111", f"the feeds disagree with {name}={n}", expected=f"{name}={found[name]}", got=f"{n}")
    return found, data
