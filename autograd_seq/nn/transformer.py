"""Transformers: layers of attention and of a network at each step, each added to what it reads, normalised before or after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.attention import check_memory, multi_head_attention
from autograd_seq.nn.frame import check_count, check_function, check_input, open_scope
from autograd_seq.nn.layers import dense, layer_norm
from autograd_seq.nn.noise import dropout as drop
from autograd_seq.ops.activations import relu


def transformer_layer(
    x: Node, heads: int, inner: int, *, over: Axis, memory: Node | None = None, memory_over: Axis | None = None,
    causal: bool = False, mask: Any = None, memory_mask: Any = None, rotate: Any = None, norm: str = "after",
    activation: Callable[[Node], Node] = relu, dropout: Any = 0.0, eps: float = 1e-5, name: str | None = None,
) -> Node:  # fmt: skip
    """One layer: attention of a sequence to itself, then to a memory if there is one, then a network at each step.

        norm="after":   x = norm(x + part(x)) for each part      norm="before":   x = x + part(norm(x))

    Args:
        x: (D,) over ``over``.
        heads: a number that divides D.
        inner: the hidden units of the network W2 activation(W1 x + b1) + b2.
        over: the axis of the sequence.
        memory, memory_over: what is attended to as well, (E,) over its axis: the output of an encoder.
        causal: a step attends to itself and earlier steps only.
        mask, memory_mask: where attention is allowed, as for :func:`ag.nn.multi_head_attention`.
        rotate: ``ag.nn.rotary`` turns queries and keys of the attention of the sequence to itself.
        norm: ``"after"`` (Vaswani et al.) or ``"before"`` each part (Xiong et al. 2020).
        activation: a function from node to node.
        dropout: the probability with which numbers of each part's result are set to 0.
        eps: what norms add to variances.
        name: the scope of its parameters: ``self``, ``cross``, ``inner``, ``outer``, ``norm1``, ….

    Returns:
        (D,) over the axes of ``x``.

    Raises:
        ShapeError, AxisError: as :func:`ag.nn.multi_head_attention` does.
        OperationError: ``norm`` is another word.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> transformer_layer(ag.input("x", (8,), over=t), 2, 16, over=t, causal=True, norm="before").shape
        (8,)

    Notes:
        Vaswani et al. 2017. Equal to PyTorch's ``TransformerEncoderLayer`` without, ``TransformerDecoderLayer`` with a memory.
    """
    x, inner = check_input(x, over, "transformer_layer"), check_count(inner, "transformer_layer", "inner units")
    _check_norm(norm)
    check_memory(memory, memory_over, "transformer_layer")
    activation = check_function(activation, "transformer_layer", "activation", "ag.gelu")

    def attend(y: Node) -> Node:
        return multi_head_attention(y, heads, over=over, causal=causal, mask=mask, rotate=rotate, name="self")

    def attend_to_memory(y: Node) -> Node:
        return multi_head_attention(y, heads, over=over, memory=memory, memory_over=memory_over, mask=memory_mask, name="cross")

    def feed(y: Node) -> Node:
        return dense(dense(y, inner, name="inner", activation=activation), x.shape[0], name="outer")

    parts = [attend, feed] if memory is None else [attend, attend_to_memory, feed]
    with open_scope(name):
        for k, part in enumerate(parts, 1):
            x = _add_part(x, part, k, norm, dropout, eps)
    return x


def _add_part(x: Node, part: Callable[[Node], Node], k: int, norm: str, dropout: Any, eps: float) -> Node:
    """Return ``x`` plus the ``k``-th part of a layer, normalised before the part or after the sum."""
    y = part(x if norm == "after" else layer_norm(x, name=f"norm{k}", eps=eps))
    total = x + drop(f"dropout{k}", y, dropout, over=y.axes)
    return layer_norm(total, name=f"norm{k}", eps=eps) if norm == "after" else total


def transformer_encoder(
    x: Node, heads: int, inner: int, layers: int, *, over: Axis, norm: str = "after", name: str = "encoder", **options: Any
) -> Node:
    """Several layers, each of which reads the one below it; normalised once more at the end if norms come before the parts.

    Args:
        x, heads, inner, over, norm: as for :func:`transformer_layer`.
        layers: how many.
        name: the scope; layers are named ``name/0``, ``name/1``, …, the last norm ``name/norm``.
        options: given to each layer: ``causal=True`` makes it a language model's.

    Returns:
        (D,) over the axes of ``x``.

    Raises:
        ShapeError, AxisError, OperationError: as for :func:`transformer_layer`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = transformer_encoder(ag.input("x", (8,), over=t), 2, 16, 3, over=t, norm="before")
        >>> y.axes, "encoder/norm/gain" in ag.Graph(y).inputs
        ((t,), True)

    Notes:
        Vaswani et al. 2017. Each layer costs what a :func:`transformer_layer` does, in which attention takes time in T².
    """
    layers = check_count(layers, "transformer_encoder", "layers")
    _check_norm(norm)
    with open_scope(name):
        for k in range(layers):
            x = transformer_layer(x, heads, inner, over=over, norm=norm, name=str(k), **options)
        return layer_norm(x, name="norm", eps=options.get("eps", 1e-5)) if norm == "before" else x


def transformer_decoder(
    x: Node, memory: Node, heads: int, inner: int, layers: int, *, over: Axis, memory_over: Axis, norm: str = "after",
    name: str = "decoder", **options: Any,
) -> Node:  # fmt: skip
    """Causal layers that also attend to a memory, the output of an encoder.

    Args:
        x, memory, heads, inner, over, memory_over, norm: as for :func:`transformer_layer`.
        layers, name, options: as for :func:`transformer_encoder`.

    Returns:
        (D,) over the axes of ``x``: at each step what it makes of the steps so far, and of the whole memory.

    Raises:
        ShapeError, AxisError, OperationError: as for :func:`transformer_layer`.

    Example:
        >>> import autograd_seq as ag
        >>> t, u = ag.Axis("t"), ag.Axis("u")
        >>> source = transformer_encoder(ag.input("x", (8,), over=t), 2, 16, 1, over=t)
        >>> transformer_decoder(ag.input("y", (8,), over=u), source, 2, 16, 1, over=u, memory_over=t).axes
        (u,)

    Notes:
        Encoder and decoder together are the Transformer of Vaswani et al. 2017.
    """
    options.setdefault("causal", True)
    return transformer_encoder(
        x, heads, inner, layers, over=over, norm=norm, name=name, memory=memory, memory_over=memory_over, **options
    )


def _check_norm(norm: Any) -> None:
    if norm not in ("before", "after"):
        raise OperationError(
            "N129", f"a transformer has no norm={norm!r:.60}", where=show_site(user_site()), expected='"before" or "after"',
            got=repr(norm)[:80],
        )  # fmt: skip


__all__ = ["transformer_decoder", "transformer_encoder", "transformer_layer"]
explain_keywords(globals(), __all__)
