"""``lengths=`` of a call: checked against the feeds before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, FeedError, did_you_mean
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.graph import feeds
from autograd_seq.graph.checks import make_empty_maximum_error, make_too_short_error
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.system import System, order_axes
from autograd_seq.graph.windows import spell_out_windows
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.reduce import max_over
from autograd_seq.sequences.padding import Ragged

Over = tuple[tuple[Axis, tuple[Axis, ...]], ...]
"""For each axis that has lengths, the axes that they vary over."""


class Lengths(NamedTuple):
    """The lengths of a call, checked.

    Attributes:
        over: the axes that each varies over.
        arrays: by axis, the lengths; 0 at points that are padding along an axis that they vary over.
        real: by axis, where those points are not padding; no entry if none of the axes it varies over has lengths.
    """

    over: Over
    arrays: dict[Axis, np.ndarray]
    real: dict[Axis, np.ndarray]


def read_lengths(graph: System, lengths: Any, given: Mapping[str, Any]) -> Lengths:
    """Return the lengths that a call gives, checked.

    Args:
        graph: the graph that is run.
        lengths: a dict from an axis, its name, or an axis with what its length varies over, ``(t, b)``, to whole numbers:
            one for all, or one a sequence.
        given: the feeds, from which the lengths of the padded axes are read.

    Raises:
        FeedError: a length is negative, fractional, or longer than the padded axis; or there are not as many as sequences.
        AxisError: an axis is none of the graph's, or which axis is that of the batch is not given.
    """
    if not isinstance(lengths, Mapping):
        raise FeedError(
            "F301", f"lengths= is given a value of {type(lengths).__name__}, not a dict", expected="{t: [5, 3, 7]}",
            got=repr(lengths)[:80],
            fix="lengths={t: …}",
        )  # fmt: skip
    sizes = _read_padded_sizes(graph, given)
    over, arrays = [], {}
    known = {a.name: a for a in graph.axes}

    def axis_of(key: Any) -> Any:
        return known.get(key, key) if isinstance(key, str) else key

    keys: list[tuple[Any, Any]] = [
        (k[0], tuple([axis_of(b) for b in k[1:]])) if isinstance(k, tuple) and k else (k, None) for k in lengths
    ]
    named: list[Any] = [axis_of(axis) for axis, _ in keys]
    if twice := [a for i, a in enumerate(named) if any(a is other for other in named[:i])]:
        raise FeedError(
            "F306", f"the lengths of {twice[0]} are given twice", expected="one entry for each axis",
            got=", ".join(map(str, lengths)), fix=f"lengths={{{twice[0]}: …}}",
        )  # fmt: skip
    for axis, (_, batch), value in zip(named, keys, lengths.values(), strict=True):
        _check_axis(graph, axis, known)
        arrays[axis] = _as_whole_numbers(axis, value)
        over.append((axis, _find_batch(graph, axis, arrays[axis], named, batch, sizes)))
    real: dict[Axis, np.ndarray] = {}
    for axis in _sort_outermost_first(dict(over)):
        batch = dict(over)[axis]
        _check_sequences(axis, arrays[axis], batch, sizes)
        for b in batch:
            if b in arrays:
                real[axis] = real.get(axis, True) & _find_begun(arrays[axis].shape, batch, b, dict(over)[b], arrays[b])
        if axis in real:
            arrays[axis] = np.where(real[axis], arrays[axis], 0)
        _check_fit(axis, arrays[axis], sizes)
    return Lengths(tuple(over), arrays, real)


def _sort_outermost_first(over: Mapping[Axis, tuple[Axis, ...]]) -> list[Axis]:
    """Return the axes that have lengths, each after those that its lengths vary over.

    Raises:
        AxisError: the lengths of two axes vary over each other.
    """
    out: list[Axis] = []
    while left := [a for a in over if a not in out]:
        ready = [a for a in left if not any(b in left for b in over[a])]
        if not ready:
            a, b = next((a, b) for a in left for b in over[a] if b in left)
            raise AxisError(
                "A311", f"the length of {a} cannot vary over {b}", expected=f"the length of {b} does not vary over {a}",
                got=f"lengths of {' and of '.join(x.name for x in left)} that vary over one another", fix=f"lengths={{{b}: 5}}",
            )  # fmt: skip
        out += ready
    return out


def _find_begun(shape: tuple[int, ...], batch: tuple[Axis, ...], b: Axis, over: tuple[Axis, ...], lengths: np.ndarray) -> Any:
    """Return which entries of an array over ``batch`` are real points of ``b``: in any sequence, along axes it lacks."""
    lengths = np.max(lengths, axis=tuple(i for i, a in enumerate(over) if a not in batch), initial=0)
    left = [a for a in over if a in batch]
    lengths = lengths.transpose([left.index(a) for a in batch if a in left])
    place = [1] * len(batch)
    place[batch.index(b)] = -1
    return np.arange(shape[batch.index(b)]).reshape(place) < np.expand_dims(
        lengths, tuple(i for i, a in enumerate(batch) if a not in left))  # fmt: skip


class PaddedCall(NamedTuple):
    """A call with lengths.

    Attributes:
        lengths: its lengths, checked.
        made: the graph with lengths.
        feeds: its feeds.
    """

    lengths: Lengths
    made: Ragged
    feeds: dict[str, Any]


def read_padded_call(
    graph: System, lengths: Any, given: Mapping[str, Any], sizes: Mapping[str, int] = MappingProxyType({})
) -> PaddedCall:
    """Return the graph with lengths that a call runs, and its feeds; sequences that are too short are refused.

    Args:
        graph, lengths, given: as for :func:`read_lengths`.
        sizes: by name, lengths of axes that are known and not fed.
    """
    said = read_lengths(graph, lengths, {**sizes, **given})
    made = get_ragged(graph, said.over)
    _check_needs(graph, made, said)
    return PaddedCall(said, made, _select_feeds(graph, made, said, given))


def get_ragged(graph: System, over: Over) -> Ragged:
    """Return the graph with lengths on some axes, made once for each choice of axes."""
    if over not in graph.ragged:
        graph.ragged[over] = Ragged(spell_out_windows(graph), dict(over))
    return graph.ragged[over]


def _select_feeds(graph: System, made: Ragged, checked: Lengths, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the feeds of the graph with lengths: those of the graph that it still reads, and the lengths."""
    read = {*made.whole.inputs, *(a.name for a in made.whole.axes)}
    out = {name: value for name, value in given.items() if name in read or not _is_of_graph(graph, name)}
    for axis, array in checked.arrays.items():
        if (name := str(made.lengths[axis].name)) in made.whole.inputs:
            out[name] = array
    return out


def evaluate_ragged(dag: DAG, lengths: Any, dtype: Any, given: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values of a DAG's outputs for padded sequences; see :meth:`DAG.evaluate`."""
    graph = dag.graph
    feeds.check_feeds(graph, given)
    said, made, fed = read_padded_call(graph, lengths, given, dag.lengths)
    if said.over not in dag.ragged:
        dag.ragged[said.over] = _unroll_ragged(dag, made)
    other = dag.ragged[said.over]
    values = other.evaluate(dtype=dtype, **fed)
    laid = zip(values, other.folded, dag.folded, strict=True)  # each graph has its own order of axes
    return tuple([order_axes(v, made.whole.layout(new), graph.layout(old)) for v, new, old in laid])


def _unroll_ragged(dag: DAG, made: Ragged) -> DAG:
    """Return the DAG of the graph with lengths that corresponds to one of the graph without: differentiated if that is."""
    if dag.origin is None:
        known = {a.name for a in made.whole.axes}
        return made.whole.unroll(**{a.name: n for a, n in dag.sizes.items() if a.name in known})
    base, targets, with_outputs = dag.origin
    if base is None:
        raise FeedError(
            "F305", "a DAG of other outputs cannot take lengths=", expected="the DAG of a graph, or of its gradients",
            got=repr(dag), fix="give lengths= to graph.unroll(…).evaluate(…)",
        )  # fmt: skip
    wrt = [x if x in made.whole._names else made.image[x] for x in targets]
    return _unroll_ragged(base, made).grad(wrt, with_outputs=with_outputs)


def _is_of_graph(graph: System, name: str) -> bool:
    return name in graph.inputs or name in {a.name for a in graph.axes}


def _check_needs(graph: System, made: Ragged, checked: Lengths) -> None:
    """Refuse sequences that are too short for a step that is picked, or a maximum that is taken.

    Raises:
        AxisError: naming the node.
    """
    by_length = {made.lengths[a]: a for a in checked.arrays}
    for need in made.needs:
        axis = by_length[made.lengths[need.axis]]
        together = tuple(i for i, b in enumerate(made.over[need.axis]) if b in need.among)
        longest = np.max(checked.arrays[axis], axis=together, initial=0)
        there = np.any(checked.real[axis], axis=together) if axis in checked.real else True
        steps = np.where(there, longest, 2**62)
        if np.any(steps < need.steps):
            place = np.unravel_index(np.argmin(steps), steps.shape)
            own = [b for b in made.over[need.axis] if b not in need.among]
            where = ", ".join(f"{b.name}={i}" for b, i in zip(own, place, strict=True))
            raise make_empty_maximum_error(need.node, graph.name, where) if need.node.op is max_over else make_too_short_error(
                need.node, int(steps[place]), graph.name, where)  # fmt: skip


def _read_padded_sizes(graph: System, given: Mapping[str, Any]) -> dict[Axis, int]:
    """Return the lengths of the padded axes that the feeds have; errors of feeds are raised elsewhere."""
    known = graph.pick_lengths(given)
    found: dict[Axis, int] = {a: known[a.name] for a in graph.axes if a.name in known}
    for name, node in graph.inputs.items():
        if name in given and node.axes:
            for axis, n in zip(node.axes, getattr(given[name], "shape", None) or np.shape(given[name]), strict=False):
                found.setdefault(axis, n)
    return found


def _check_axis(graph: System, axis: Any, known: Mapping[str, Axis]) -> None:
    if not isinstance(axis, Axis) or axis not in graph.axes:
        name = axis.name if isinstance(axis, Axis) else str(axis)
        raise AxisError(
            "A303", f"lengths= names {name}, over which nothing varies", expected=f"one of {', '.join(known) or 'no axis'}",
            got=repr(axis), fix=did_you_mean(name, known),
        )  # fmt: skip
    if axis not in graph.stops and not any(axis in n.axes for n in graph.nodes if n.op is INPUT):
        raise AxisError(
            "A304", f"no input varies over {axis}, so it has no padding", expected="an axis of an input", got=repr(axis),
            fix=f"give its length as it is: {axis}=…",
        )  # fmt: skip


def _as_whole_numbers(axis: Axis, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray("?")
    if array.size == 0 and array.dtype == np.float64:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        wrong = array[array < 0].flat[0] if array.dtype.kind in "iu" else repr(value)[:60]
        raise FeedError(
            "F302", f"a length of {axis} is {wrong}, which is not a number of steps", expected="whole numbers ≥ 0",
            got=str(wrong),
            fix=f"lengths={{{axis}: [5, 3, 7]}}",
        )  # fmt: skip
    return array.astype(np.int64)


def _find_batch(
    graph: System, axis: Axis, array: np.ndarray, ragged: list[Any], said: Any, sizes: Mapping[Axis, int]
) -> tuple[Axis, ...]:
    """Return the axes that a length varies over: those given; none, for one number; else the axes of the batch."""
    if said is not None:
        for i, b in enumerate(said):
            if b not in graph.axes or b is axis or b in said[:i]:
                raise AxisError(
                    "A305", f"the length of {axis} cannot vary over {b}", got=repr(b),
                    expected=f"one of {', '.join(a.name for a in graph.axes if a is not axis) or 'no axis'}",
                    fix="another axis of the graph, each once",
                )  # fmt: skip
        return tuple(said)
    inputs = [n for n in graph.nodes if n.op is INPUT and axis in n.axes]
    around = [a for a in graph.axes if a is not axis and any(a in n.axes for n in inputs)]
    others = [a for a in around if a not in ragged]
    shared = [a for a in others if all(a in n.axes for n in inputs)]
    for batch in ([], others, shared, around):
        if len(batch) == array.ndim:
            return tuple(batch)
    some = f", or one for each point of some of {', '.join(a.name for a in around)}" if around else ""
    fitting = [a for a in around if array.shape[:1] == (sizes.get(a),)] or around
    raise AxisError(
        "A306", f"cannot tell which axis the length of {axis} varies over", expected=f"one number{some}",
        got=f"an array of shape {array.shape}",
        fix=f"lengths={{({axis}, {fitting[0]}): …}}" if fitting else f"lengths={{{axis}: 5}}",
    )  # fmt: skip


def _check_sequences(axis: Axis, array: np.ndarray, batch: tuple[Axis, ...], sizes: Mapping[Axis, int]) -> None:
    want = tuple(sizes.get(b, n) for b, n in zip(batch, array.shape, strict=False))
    if array.ndim != len(batch) or array.shape != want:
        over = ", ".join(f"{b}={sizes.get(b, '?')}" for b in batch)
        raise FeedError(
            "F303", f"the {array.size} lengths of {axis} are not one for each sequence", expected=f"one for each of {over}",
            got=f"{array.size}" if array.ndim == 1 else f"an array of shape {array.shape}",
        )  # fmt: skip


def _check_fit(axis: Axis, array: np.ndarray, sizes: Mapping[Axis, int]) -> None:
    steps = sizes.get(axis)
    if steps is not None and array.size and array.max() > steps:
        raise FeedError(
            "F304", f"a length of {axis} is {array.max()}, but the padded axis has {steps} steps", expected=f"at most {steps}",
            got=str(array.max()),
            fix=f"pad the feeds over {axis} to the longest",
        )  # fmt: skip


FUNCTIONS.update(evaluate_ragged=evaluate_ragged)
