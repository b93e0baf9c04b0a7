"""Attention as equations: a weighted mean of the values at all steps of another axis, with weights that queries choose.

A query varies over t, keys and values over u, and so do scores over (t, u): nothing is copied for it, and the program never
makes an array of scores times dimensions. Where a sequence attends to itself, ``k.along(t, u)`` is k read along u.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, DTypeError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.frame import (
    check_count,
    check_input,
    check_varies,
    check_vector,
    multiply,
    name_gate,
    open_scope,
)
from autograd_seq.ops.activations import tanh
from autograd_seq.ops.composed import greater_equal
from autograd_seq.ops.elementwise import logical_and, where
from autograd_seq.ops.leaf import param
from autograd_seq.ops.linear import dot, einsum
from autograd_seq.ops.reduce import sum as sum_of
from autograd_seq.ops.shape import reshape
from autograd_seq.ops.softmax import softmax
from autograd_seq.ops.time import index

_READ: WeakKeyDictionary[Axis, Axis] = WeakKeyDictionary()


def get_read_axis(axis: Axis) -> Axis:
    """Return the axis that sequences over ``axis`` attend along, when they attend to themselves: always the same.

    Args:
        axis: the axis of the sequence.

    Returns:
        An axis of the same length; its name has a prime.

    Example:
        >>> t = Axis("t")
        >>> get_read_axis(t) is get_read_axis(t), get_read_axis(t).name
        (True, "t'")
    """
    return _READ.setdefault(axis, Axis(f"{axis.name}'"))


def causal_mask(over: Axis, reads: Axis) -> Node:
    """True where a step of ``reads`` is not later than the step of ``over``.

    Args:
        over: the axis of the steps that attend.
        reads: the axis of the steps that are attended to.

    Returns:
        A truth value over both axes: a ``mask=`` for attention.

    Example:
        >>> import autograd_seq as ag
        >>> t, u = ag.Axis("t"), ag.Axis("u")
        >>> causal_mask(t, u).axes
        (u, t)
    """
    if over is reads:
        raise AxisError(
            "N153", f"a step of {over} is compared with itself", where=show_site(user_site()), expected="two axes",
            got=f"causal_mask({over}, {reads})", fix=f"causal_mask({over}, ag.nn.get_read_axis({over}))",
        )  # fmt: skip
    return greater_equal(index(over), index(reads))


def additive_attention(
    query: Node, keys: Node, hidden: int, *, over: Axis, values: Node | None = None, mask: Any = None, name: str | None = None
) -> Node:
    """Attention by a small network: the score of a step is v · tanh(Wq query + Wk key).

    Args:
        query: (D,), not over ``over``.
        keys: (E,), over ``over``.
        hidden: H, the units of the network.
        over: the axis that is attended along.
        values: (F,), over ``over``; the keys by default.
        mask: a truth value over ``over`` and others: only where it is true can be attended to.
        name: the scope of its parameters.

    Returns:
        (F,): Σ softmax(scores) values, over the axes of the query. Parameters: Wq (H, D), Wk (H, E), v (H,).

    Raises:
        AxisError: keys or values do not vary over ``over``, or the query does.

    Example:
        >>> import autograd_seq as ag
        >>> t, u = ag.Axis("t"), ag.Axis("u")
        >>> s = ag.state("s", (4,), over=u)
        >>> c = additive_attention(s[u - 1], ag.input("h", (3,), over=t), 8, over=t)
        >>> c.shape, c.axes
        ((3,), (u,))

    Notes:
        Bahdanau, Cho & Bengio 2015. Cost: T·U·H; products with keys are lifted out of the loop over u.
    """
    query, keys = check_vector(query, "additive_attention"), check_input(keys, over, "additive_attention")
    _check_query(query, over, "additive_attention")
    hidden = check_count(hidden, "additive_attention")
    with open_scope(name):
        unit = tanh(multiply("Wq", query, hidden) + multiply("Wk", keys, hidden))
        score = dot(param("v", (hidden,)), unit)
        return _read(score, keys if values is None else check_input(values, over, "additive_attention"), over, mask)


def dot_product_attention(
    query: Node, keys: Node, values: Node, *, over: Axis, mask: Any = None, scale: float | None = None
) -> Node:
    """Scaled dot product attention: Σ softmax(query · keys / sqrt(D)) values.

    Args:
        query: (…, D), not over ``over``.
        keys: (…, D), over ``over``; leading dimensions are heads.
        values: (…, E), over ``over``.
        over: the axis that is attended along.
        mask: a truth value over ``over`` and others: only where it is true can be attended to. Where it is true nowhere the
            result is NaN, as in PyTorch.
        scale: what the products are multiplied by; 1 / sqrt(D) by default.

    Returns:
        (…, E) over the axes of query, keys and values but ``over``.

    Raises:
        ShapeError: query and keys have different dimensions.
        AxisError: keys or values do not vary over ``over``, or the query does.

    Example:
        >>> import autograd_seq as ag
        >>> t, u = ag.Axis("t"), ag.Axis("u")
        >>> q, k, v = ag.input("q", (4,), over=t), ag.input("k", (4,), over=u), ag.input("v", (2,), over=u)
        >>> dot_product_attention(q, k, v, over=u).axes
        (t,)

    Notes:
        Vaswani et al. 2017. No array over both axes and D is made; with lengths along ``over`` padding has no weight.
    """
    query = constant(query)
    _check_query(query, over, "dot_product_attention")
    keys, values = (check_varies(x, over, "dot_product_attention") for x in (keys, values))
    if not values.shape:
        check_vector(values, "dot_product_attention")
    if query.shape != keys.shape or not query.shape:
        raise ShapeError(
            "N125", f"dot_product_attention compares queries of shape {query.shape} with keys of shape {keys.shape}",
            where=show_site(user_site()), expected="the same shape", got=f"{query.shape} and {keys.shape}",
        )  # fmt: skip
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return _read(einsum("...i,...i->...", query, keys) * scale, values, over, mask)


def _read(score: Node, values: Node, over: Axis, mask: Any) -> Node:
    """Return Σ softmax(score) values over an axis, of what the mask lets through."""
    score = score if mask is None else where(_check_mask(mask, score, over), score, float("-inf"))
    weight = softmax(score, over=over)
    return sum_of(weight[..., None] * values, over=over)


def _check_mask(mask: Any, score: Node, over: Axis) -> Node:
    """Return the mask as a node; refuse numbers, and what is the same at all steps that are attended to."""
    mask = constant(mask)
    if mask.dtype is float:
        raise DTypeError(
            "N151", "mask= holds floats, and truth values say what can be attended to", node=mask.name,
            where=show_site(user_site()), expected="bool: True where attention is allowed", got=repr(mask)[:80],
            fix="mask > 0.5; where a mask of PyTorch is added to scores, mask == 0",
        )  # fmt: skip
    fits = mask.ndim <= score.ndim and all(m in (1, s) for m, s in zip(mask.shape[::-1], score.shape[::-1], strict=False))
    if over not in mask.axes or not fits:
        itself = next((a for a, read in _READ.items() if read is over), None)
        raise AxisError(
            "N152", f"mask= is the same at all steps of {over}, the axis that is attended along" if over not in mask.axes else
            f"mask= has shape {mask.shape} at each step, and scores have {score.shape}", node=mask.name,
            where=show_site(user_site()), expected=f"a truth value over {over} and others", got=repr(mask)[:80],
            fix=f'ag.input("mask", over={over}, dtype=bool)' if itself is None else
            f"mask.along({itself}, ag.nn.get_read_axis({itself})) hides steps that are attended to",
        )  # fmt: skip
    return mask


def _check_query(query: Node, over: Axis, name: str) -> None:
    if over in query.axes:
        raise AxisError(
            "N126", f"{name} attends along {over}, and the query varies over it", node=query.name,
            where=show_site(user_site()), expected="a query over other axes",
            got=repr(query), fix=f"k.along({over}, u) and v.along({over}, u), with over=u, for self-attention",
        )  # fmt: skip


def multi_head_attention(
    x: Node, heads: int, *, over: Axis, memory: Node | None = None, memory_over: Axis | None = None, causal: bool = False,
    mask: Any = None, rotate: Any = None, name: str | None = None, bias: bool = True,
) -> Node:  # fmt: skip
    """Attention by several heads: of a sequence to itself, or to the steps of another.

        q, k, v = W x + b, cut into heads      head = Σ softmax(q · k / sqrt(D / heads)) v      y = Wo [heads] + bo

    Args:
        x: (D,) over ``over``: the queries, and, without ``memory``, the keys and values.
        heads: a number that divides D.
        over: the axis of the queries.
        memory: (E,) over ``memory_over``: what is attended to instead.
        memory_over: the axis of the memory.
        causal: only steps that are not later can be attended to.
        mask: a truth value over (``over``, ``memory_over`` or ``get_read_axis(over)``): where attention is allowed.
        rotate: a function of (node, axis) that queries and keys go through, ``ag.nn.rotary``.
        name: the scope of its parameters.
        bias: whether there are biases.

    Returns:
        (D,) over the axes of ``x``. Parameters: Wq, Wo (D, D), Wk, Wv (D, E), bq, bk, bv, bo (D,).

    Raises:
        ShapeError: ``heads`` does not divide D.
        AxisError: ``x`` or ``memory`` does not vary over its axis.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> multi_head_attention(ag.input("x", (8,), over=t), 2, over=t, causal=True).axes
        (t,)

    Notes:
        Vaswani et al. 2017. Time is quadratic in T; scores, (heads,) over both axes, are the largest array.
    """
    x = check_input(x, over, "multi_head_attention")
    d, heads = x.shape[0], _check_heads(x, heads)
    check_memory(memory, memory_over, "multi_head_attention")
    read = get_read_axis(over) if memory_over is None else memory_over
    if causal:
        mask = causal_mask(over, read) if mask is None else logical_and(causal_mask(over, read), mask)

    def cut(letter: str, y: Node) -> Node:
        return reshape(multiply(f"W{letter}", y, d, f"b{letter}" if bias else None), (heads, d // heads))

    with open_scope(name):
        y = x if memory is None else check_input(memory, read, "multi_head_attention")
        at = over if memory is None else read
        q, k, v = cut("q", x), cut("k", y), cut("v", y)
        if rotate is not None:
            q, k = rotate(q, over), rotate(k, at)
        if memory is None:
            k, v = k.along(over, read), v.along(over, read)
        seen = dot_product_attention(q, k, v, over=read, mask=mask)
        return name_gate("y", multiply("Wo", reshape(seen, (d,)), d, "bo" if bias else None))


def check_memory(memory: Any, memory_over: Any, name: str) -> None:
    """Refuse a memory without its axis, and an axis without a memory."""
    if (memory is None) != (memory_over is None):
        raise AxisError(
            "N128", f"{name} needs memory= and memory_over= together", where=show_site(user_site()),
            expected="both, or neither", got=f"memory={memory!r:.60}, memory_over={memory_over}",
        )  # fmt: skip


def _check_heads(x: Node, heads: Any) -> int:
    heads = check_count(heads, "multi_head_attention", "heads")
    if x.shape[0] % heads:
        raise ShapeError(
            "N127", f"heads={heads} does not divide the {x.shape[0]} entries of a step", node=x.name,
            where=show_site(user_site()), expected=f"a divisor of {x.shape[0]}", got=f"heads={heads}",
        )  # fmt: skip
    return heads


__all__ = [
    "additive_attention", "causal_mask", "check_memory", "dot_product_attention", "get_read_axis", "multi_head_attention",
]  # fmt: skip
explain_keywords(globals(), __all__)
