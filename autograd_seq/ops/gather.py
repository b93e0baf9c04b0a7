"""Operations that look up by integer values: embedding rows, class probabilities, one-hot vectors, steps of an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_seq.core.axes import Affine, Axis
from autograd_seq.core.errors import DTypeError, FeedError
from autograd_seq.core.facts import ABSENT, FINITE, KEPT
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import first
from autograd_seq.ops.elementwise import log
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.shape import RESHAPE, TRANSPOSE, expand_dims, lead, negative_axis, transpose
from autograd_seq.ops.steps import TAKE_STEP
from autograd_seq.ops.time import check_varies, index, size


def _checked(index: Any, n: int) -> Any:
    """Return ``index`` if all its entries lie in 0 … n − 1: a label of −1 must not silently mean the last class."""
    if index.size and (index.min() < 0 or index.max() >= n):
        raise make_range_error("an index", f"0 … {n - 1}", f"{index.min()} … {index.max()}")
    return index


def make_range_error(label: str, expected: str, got: str, node: Node | None = None) -> FeedError:
    """Return the error about an index outside of the expected range."""
    return FeedError(
        "F201", f"{label} is out of range", node=getattr(node, "name", None), where=getattr(node, "where", None),
        expected=expected, got=got,
        fix="count classes and steps from 0; mask missing ones with lengths=, not with a negative label",
    )  # fmt: skip


def find_lookup(node: Node) -> tuple[Node, int] | None:
    """Return the index by which a node looks up, and the number of entries to choose from; ``None`` for other operations."""
    if node.op in (TAKE, PICK):
        return node.inputs[1], node.inputs[0].shape[0 if node.op is TAKE else -1]
    if node.op in (SCATTER_ADD, ONE_HOT):
        return node.inputs[-1], node.attrs["n"]
    return None


def _check_integers(index: Any, what: str, n: int | None) -> Node:
    """Return the index as a node of integers; if its values are known already, they must lie in 0 … n − 1, n being known."""
    index = constant(index)
    if index.dtype is not int:
        raise DTypeError(
            "D201", f"{what} is given {index.dtype.__name__}, not integers", node=index.name, where=index.where, expected="int",
            got=index.dtype.__name__, fix='declare the input with dtype=int: ag.input("l", over=t, dtype=int)',
        )  # fmt: skip
    if n is not None and index.name and index._value is not None and np.size(index._value):
        low, high = np.min(index._value), np.max(index._value)
        if low < 0 or high >= n:
            raise make_range_error(index.name, f"0 … {n - 1}", f"{low} … {high}", index)
    return index


def _rows(x: Any, index: Any, rank: int, index_rank: int) -> tuple[tuple[int, ...], Any, Any, Any]:
    """Reshape operand and index to (points, rows, …) and (points, indices), the points being the leading dimensions."""
    leading = np.broadcast_shapes(lead(x, rank), lead(index, index_rank))
    core, index_core = x.shape[x.ndim - rank :], index.shape[index.ndim - index_rank :]
    flat = np.broadcast_to(x, leading + core).reshape((-1, *core)) if 0 not in leading else np.zeros((0, *core), x.dtype)
    ids = np.broadcast_to(index, leading + index_core).reshape(len(flat), int(np.prod(index_core)))
    return leading + index_core, np.arange(len(flat))[:, None], flat, ids


def _take_forward(x: Any, index: Any, rank: int, index_rank: int) -> Any:
    x, index = np.asarray(x), np.asarray(index)
    index = _checked(index, x.shape[x.ndim - rank])
    if x.ndim == rank:
        return x[index]
    out, points, flat, ids = _rows(x, index, rank, index_rank)
    return flat[points, ids].reshape(out + flat.shape[2:])


def _scatter_forward(g: Any, index: Any, n: int, rank: int, index_rank: int) -> Any:
    index, width = _checked(np.asarray(index), n), rank - 1
    rest = g.shape[g.ndim - width :] if width else ()
    leading = np.broadcast_shapes(lead(g, index_rank + width), lead(index, index_rank))
    index_core = index.shape[index.ndim - index_rank :]
    points, many = int(np.prod(leading)), int(np.prod(index_core))
    out = np.zeros((points, n, *rest), dtype=g.dtype)
    rows = np.broadcast_to(g, leading + index_core + rest).reshape((points, many, *rest))
    ids = np.broadcast_to(index, leading + index_core).reshape((points, many))
    np.add.at(out, (np.arange(points)[:, None], ids), rows)
    return out.reshape((*leading, n, *rest))


def sum_scattered(g: Any, index: Any, over: tuple[int, ...], n: int, rank: int, index_rank: int) -> Any:
    """Return the sum of ``scatter_add`` over some of the leading dimensions: rows that go to one place are added there."""
    index, width = _checked(np.asarray(index), n), rank - 1
    rest, core = g.shape[g.ndim - width :] if width else (), index.shape[index.ndim - index_rank :]
    leading = np.broadcast_shapes(lead(g, index_rank + width), lead(index, index_rank))
    kept = [i for i in range(len(leading)) if i not in over]
    order = [*kept, *over]
    points, ends = int(np.prod([leading[i] for i in kept])), [*range(len(leading), len(leading) + len(core))]
    ids = np.broadcast_to(index, leading + core).transpose([*order, *ends]).reshape((points, -1 if index.size else 0))
    ends = [*ends, *range(len(leading) + len(core), len(leading) + len(core) + len(rest))]
    rows = np.broadcast_to(g, leading + core + rest).transpose([*order, *ends]).reshape((ids.size, *rest))
    place = (ids + n * np.arange(points)[:, None]).reshape(-1)
    out = np.zeros((points * n, *rest), g.dtype)
    if place.size:
        by_place = place.argsort(kind="stable")
        place = place[by_place]
        starts = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
        out[place[starts]] = np.add.reduceat(rows[by_place], starts, axis=0)
    return out.reshape([leading[i] for i in kept] + [n, *rest])


TAKE = defop(
    "take", shape=lambda x, i, **_: i + x[1:], dtype=first, forward=_take_forward,
    vjp=lambda g, y, x, i, rank, index_rank: (
        SCATTER_ADD(g, i, n=x.shape[0], rank=rank, index_rank=index_rank), None),
    numpy=("look_up({0}, {1}, {out})",), native=True, flops=0, linear=(0,), range=KEPT,
)  # fmt: skip
SCATTER_ADD: Op = defop(
    "scatter_add", shape=lambda g, i, *, n, rank, index_rank: (n, *g[index_rank:]), dtype=first, forward=_scatter_forward,
    vjp=lambda h, y, g, i, n, rank, index_rank: (TAKE(h, i, rank=rank, index_rank=index_rank), None),
    native=ABSENT, linear=(0,), range=FINITE,
)  # fmt: skip


def _in_range_forward(i: Any, n: Any, what: str, axis: str, least: int = 0, fits: Any = None) -> Any:
    i = np.asarray(i)
    wrong = np.argwhere((i < least) | (i >= n))
    if len(wrong):
        place = tuple(map(int, wrong[0]))
        value, steps = (int(a[place]) for a in np.broadcast_arrays(i, n))
        entry = f"{what}[{', '.join(map(str, place))}]" if place else what
        why = f"as {axis} has {steps} steps" if least == 0 else f"as it is read at step {steps} of {axis}"
        raise make_range_error(entry, f"{least} … {steps - 1}, {why}", f"{entry} = {value}")
    return i


def _in_range_calls(node: Node) -> tuple[str]:
    attrs = [node.attrs["what"], node.attrs["axis"], node.attrs.get("least", 0)]
    names = ", ".join(map(repr, attrs)).replace("{", "{{").replace("}", "}}")
    return (f"check_steps({{0}}, {{1}}, {names}, {{out}})",)


IN_RANGE = defop(
    "in_range", shape=lambda i, n, **_: i, dtype=int, forward=_in_range_forward, broadcasts=True,
    vjp=lambda g, y, i, n, what, axis, least=0, fits=None: (None, None),
    numpy=_in_range_calls, native=True, pointwise=False, flops=0, linear=(), range=KEPT,
    doc="The index, if it names one of n steps; an error otherwise. ``fits`` is an axis, and the place in terms of it by which "
    "its length is found from that of the axis that is read.",
)  # fmt: skip


def _read_place(x: Node, axis: Axis, place: Affine) -> Node:
    """Return x at a place on an axis that is computed from others."""
    i: Node = constant(place.plus)
    for a, times in place.terms.items():
        i = i + times * index(a)
    return _take_step(x, i // place.by if place.by != 1 else i, axis, place=place)


def _take_step(x: Node, i: Any, axis: Axis, earlier: bool = False, place: Affine | None = None) -> Node:
    """Return x at step ``i``, which is checked when it is known."""
    check_varies(x, axis)
    i = _check_integers(i, "take", None)
    what = i.name or label_of(i) if place is None else repr(place)
    fits = {} if place is None else {"fits": (axis, place)}
    least = {"least": -1} if earlier else {}
    i = IN_RANGE(i, index(axis) if earlier else size(axis), what=what, axis=axis.name, **least, **fits)
    return TAKE_STEP(x, i, axis=axis, earlier=earlier)


def take(x: Any, index: Any, axis: int = 0, *, over: Axis | None = None, earlier: bool = False) -> Node:
    """Gather entries along a dimension, or steps of an axis: ``take(E, l)`` is the embedding row of class ``l``.

    Args:
        x: the table, e.g. ``(V, D)``; with ``over=`` a value that varies over that axis.
        index: integers in 0 … n − 1, any shape; may vary over axes, with ``over=`` also over that axis.
        axis: the dimension along which to gather, if ``over`` is not given.
        over: an axis of ``x``, e.g. time: ``take(x, i, over=t)`` is x at step i.
        earlier: with ``over=``, read only steps before the current one, −1 … t − 1, where −1 reads zeros. A recurrence may read
            itself so: ``take(s, l[t], over=t, earlier=True)`` is a recursion over trees, children before parents.

    Returns:
        A node of shape ``x.shape[:axis] + index.shape + x.shape[axis + 1:]``; with ``over=`` one of shape
        ``index.shape + x.shape``, over the other axes of ``x`` and those of the index.

    Raises:
        DTypeError: the index is not integer.
        AxisError: ``x`` does not vary over the axis.
        FeedError: an index is out of range (when the value is computed); with ``lengths=`` that of each sequence counts.

    Example:
        >>> import autograd_seq as ag
        >>> take([[1.0, 2.0], [3.0, 4.0]], 1).value
        array([3., 4.])
        >>> t = ag.Axis("t")
        >>> x, parent = ag.input("x", over=t), ag.input("parent", over=t, dtype=int)
        >>> ag.Graph(ag.take(x, parent, over=t)).evaluate(x=[5.0, 6.0, 7.0], parent=[2, 0, 0])[0].tolist()
        [7.0, 5.0, 5.0]
        >>> s = ag.state("s", over=t)  # sums over the subtrees: the last step is the root
        >>> child = ag.input("child", (2,), over=t, dtype=int)
        >>> s[t] = x[t] + ag.sum(ag.take(s, child, over=t, earlier=True))
        >>> ag.Graph(s).evaluate(x=[1.0, 2.0, 3.0], child=[[-1, -1], [-1, -1], [0, 1]])[0].tolist()
        [1.0, 2.0, 6.0]

    Notes:
        With ``over=`` each index costs as much as the row that it names, and so does the gradient, which is added to that row.
        It reads steps that may come later: streams and carries refuse it, and ``x`` must not depend on the result. With
        ``earlier=True`` a recurrence keeps all of its steps; streams and carries keep them too, in an array that doubles.
    """
    x = constant(x)
    if over is not None:
        return _take_step(x, index, over, earlier)
    at = negative_axis(axis, x.ndim, x) + x.ndim
    index = _check_integers(index, "take", x.shape[at])
    if at == 0:
        return TAKE(x, index, rank=x.ndim, index_rank=index.ndim)
    rows = transpose(x, (at, *(a for a in range(x.ndim) if a != at)))
    out = TAKE(rows, index, rank=x.ndim, index_rank=index.ndim)
    k = index.ndim
    return transpose(out, (*range(k, k + at), *range(k), *range(k + at, out.ndim)))


def _one_hot_forward(i: Any, n: int) -> Any:
    return (_checked(np.asarray(i), n)[..., None] == np.arange(n)).astype(float)


ONE_HOT = defop(
    "one_hot", shape=lambda i, *, n: (*i, n),
    forward=_one_hot_forward,
    vjp=lambda g, y, i, n: (None,), symbol="1-hot",
    # compared as 32-bit integers, which vectorise with floats of 32 and 64 bits; {1} is the number of the entry
    native="real(np.int32({0}) == np.int32({1}))", pointwise=False, flops=0, linear=(), range=(0, 1),
)  # fmt: skip


def one_hot(index: Any, n: int) -> Node:
    """Return vectors of ``n`` entries that are 1 at the index and 0 elsewhere, along a new last dimension.

    Args:
        index: (…), integers in 0 … n − 1.
        n: the number of classes.

    Returns:
        A node (…, n) of 0 and 1.

    Example:
        >>> one_hot([0, 2], 3).value
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    return ONE_HOT(_check_integers(index, "one_hot", n), n=n)


def _pick_forward(x: Any, index: Any) -> Any:
    x, index = np.asarray(x), _checked(np.asarray(index), x.shape[-1])
    if x.shape[:-1] == index.shape and x.size:
        return x.reshape(-1).take(np.arange(0, x.size, x.shape[-1]) + index.reshape(-1)).reshape(index.shape)
    rank = max(x.ndim, index.ndim + 1)
    x = x.reshape((1,) * (rank - x.ndim) + x.shape)
    index = index.reshape((1,) * (rank - 1 - index.ndim) + index.shape)
    return np.take_along_axis(x, index[..., None], axis=-1)[..., 0]


def _pick_shape(x: tuple[int, ...], i: tuple[int, ...]) -> tuple[int, ...]:
    if x[:-1] != i or not x:
        raise ValueError("one index for each row of the last dimension")
    return i


PICK = defop(
    "pick", shape=_pick_shape, dtype=first, forward=_pick_forward, symbol="[·]",
    vjp=lambda g, y, x, i: (expand_dims(g, -1) * ONE_HOT(i, n=x.shape[-1]), None),
    native=True, flops=0, linear=(0,), range=KEPT,
)  # fmt: skip


def pick(x: Any, index: Any) -> Node:
    """Return the entry of the last dimension at each index: ``pick(y, l)`` is the probability of class ``l``.

    Args:
        x: ``(…, K)``.
        index: integers ``(…)`` in 0 … K − 1.

    Returns:
        A node (…), over the axes of both.

    Example:
        >>> pick([[0.25, 0.75], [0.5, 0.5]], [1, 0]).value
        array([0.75, 0.5 ])
    """
    x = constant(x)
    return PICK(x, _check_integers(index, "pick", x.shape[-1] if x.shape else 1))


def _find_log_of_part(y: Node) -> Node | None:
    """Return the log of an entry as the entry of the log, if that has a stable form."""
    inside = log(y.inputs[0])
    return y.op(inside.inputs[0], *y.inputs[1:], **y.attrs) if inside.op is rewritten else None


for _op in (TAKE, PICK, SLICE, RESHAPE, TRANSPOSE):
    _op.stable_log = _find_log_of_part
FUNCTIONS.update(take=take, read_place=_read_place)
__all__ = ["one_hot", "pick", "take"]
explain_keywords(globals(), __all__)
