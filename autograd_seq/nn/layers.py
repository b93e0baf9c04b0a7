"""Layers without a memory: affine maps, embeddings, norms over a step, encodings of position, convolutions that look back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn import init as initial
from autograd_seq.nn.frame import (
    check_count,
    check_function,
    check_input,
    check_number,
    check_varies,
    check_vector,
    open_scope,
)
from autograd_seq.ops.elementwise import cos, sin, sqrt
from autograd_seq.ops.gather import take
from autograd_seq.ops.leaf import param
from autograd_seq.ops.parts import concat, stack
from autograd_seq.ops.reduce import mean
from autograd_seq.ops.shape import reshape
from autograd_seq.ops.time import index, shift


def dense(
    x: Node, units: int, *, name: str | None = None, bias: bool = True, activation: Callable[[Node], Node] | None = None
) -> Node:
    """An affine map of each step, W x + b.

    Args:
        x: (D,), over any axes.
        units: N, the numbers of the result.
        name: the scope of its parameters.
        bias: whether there is a b.
        activation: a function from node to node that is applied to the result, ``ag.relu`` say.

    Returns:
        (N,) over the axes of ``x``. Parameters: W (N, D), b (N,).

    Raises:
        ShapeError: ``x`` is no vector, or ``units`` no positive integer.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> dense(ag.input("x", (3,), over=t), 2, name="readout").axes
        (t,)
    """
    x, units = check_vector(x, "dense"), check_count(units, "dense", "units")
    activation = None if activation is None else check_function(activation, "dense", "activation", "ag.relu")
    with open_scope(name):
        y = param("W", (units, x.shape[0])) @ x
        y = y + param("b", (units,)) if bias else y
    return y if activation is None else activation(y)


def embedding(i: Any, vocabulary: int, size: int, *, name: str | None = None) -> Node:
    """A learned vector for each of a number of symbols, row i of a matrix E.

    Args:
        i: the symbols, integers from 0 to V − 1.
        vocabulary: V, the number of symbols.
        size: D, the numbers of a vector.
        name: the scope of its parameter.

    Returns:
        (D,) over the axes of ``i``. Parameter: E (V, D); ``ag.nn.init.params`` starts it normal with deviation 1.

    Raises:
        FeedError: (when it runs) a symbol is V or more, or negative; the error names the input.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> embedding(ag.input("word", over=t, dtype=int), 1000, 16).shape
        (16,)

    Notes:
        Bengio, Ducharme, Vincent & Janvin 2003. The gradient of E is a sum into the rows that were read.
    """
    vocabulary, size = check_count(vocabulary, "embedding", "symbols"), check_count(size, "embedding", "numbers a symbol")
    with open_scope(name):
        return take(param("E", (vocabulary, size), init=initial.normal(1.0)), i)


def layer_norm(x: Node, *, name: str | None = None, gain: bool = True, bias: bool = True, eps: float = 1e-5) -> Node:
    """Normalise the numbers of each step to mean 0 and variance 1: gain (x - mean) / sqrt(variance + eps) + bias.

    Args:
        x: (D,), over any axes; the mean is over its numbers, not over steps or sequences.
        name: the scope of its parameters.
        gain, bias: whether there is one.
        eps: what is added to the variance.

    Returns:
        (D,). Parameters: gain (D,), which starts at 1, and bias (D,).

    Raises:
        ShapeError: ``x`` is no vector.

    Example:
        >>> import autograd_seq as ag
        >>> y = layer_norm(ag.input("x", (4,)), gain=False, bias=False, eps=0.0)
        >>> ag.Graph(y).evaluate(x=[1.0, 2.0, 3.0, 4.0])[0].round(3)
        array([-1.342, -0.447,  0.447,  1.342])

    Notes:
        Ba, Kiros & Hinton 2016.
    """
    x, eps = check_vector(x, "layer_norm"), check_number(eps, "layer_norm", "eps", "a number ≥ 0", 0.0)
    away = x - mean(x, axis=-1, keepdims=True)
    return _scale(away / sqrt(mean(away * away, axis=-1, keepdims=True) + eps), name, gain, bias)


def rms_norm(x: Node, *, name: str | None = None, gain: bool = True, eps: float = 1e-6) -> Node:
    """Divide the numbers of each step by their root mean square: gain x / sqrt(mean(x²) + eps).

    Args:
        x, name, gain, eps: as for :func:`layer_norm`.

    Returns:
        (D,). Parameter: gain (D,), which starts at 1.

    Raises:
        ShapeError: ``x`` is no vector.

    Example:
        >>> import autograd_seq as ag
        >>> y = rms_norm(ag.input("x", (2,)), gain=False, eps=0.0)
        >>> ag.Graph(y).evaluate(x=[3.0, -3.0])[0]
        array([ 1., -1.])

    Notes:
        Zhang & Sennrich 2019.
    """
    x, eps = check_vector(x, "rms_norm"), check_number(eps, "rms_norm", "eps", "a number ≥ 0", 0.0)
    return _scale(x / sqrt(mean(x * x, axis=-1, keepdims=True) + eps), name, gain, False)


def _scale(x: Node, name: str | None, gain: bool, bias: bool) -> Node:
    with open_scope(name):
        y = param("gain", x.shape, init=initial.constant(1.0)) * x if gain else x
        return y + param("bias", x.shape) if bias else y


def sinusoidal(over: Axis, size: int, *, base: float = 10_000.0) -> Node:
    """Sines and cosines of the step number, of wavelengths from 2π to 2π base: an encoding of position without parameters.

    Args:
        over: the axis whose steps are numbered.
        size: D, an even number; the sines come first in each pair: sin(t w₀), cos(t w₀), sin(t w₁), …, w_k = base^(−2k/D).
        base: the ratio of the longest and the shortest wavelength.

    Returns:
        (D,) over the axis; add it to an embedding.

    Raises:
        ShapeError: ``size`` is odd.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> ag.Graph(sinusoidal(t, 2)).unroll(t=2).evaluate()[0].round(3).tolist()
        [[0.0, 1.0], [0.841, 0.54]]

    Notes:
        Vaswani et al. 2017, section 3.5.
    """
    pairs = _check_even(size, "sinusoidal")
    angle = index(over) * _list_rates(pairs, base)
    return reshape(stack([sin(angle), cos(angle)], axis=-1), (2 * pairs,))


def learned_positions(over: Axis, length: int, size: int, *, name: str | None = None) -> Node:
    """A learned vector for each step number.

    Args:
        over: the axis whose steps are numbered.
        length: the most steps that there can be; more are refused when it runs.
        size: D, the numbers of a vector.
        name: the scope of its parameter.

    Returns:
        (D,) over the axis. Parameter: P (length, D).

    Raises:
        ShapeError: ``length`` or ``size`` is no positive integer.

    Example:
        >>> import autograd_seq as ag
        >>> learned_positions(ag.Axis("t"), 512, 16)
        take[t]: float[16]

    Notes:
        Gehring et al. 2017.
    """
    length, size = check_count(length, "learned_positions", "steps"), check_count(size, "learned_positions", "numbers a step")
    with open_scope(name):
        return take(param("P", (length, size), init=initial.normal(0.02)), index(over))


def rotary(x: Node, over: Axis, *, base: float = 10_000.0) -> Node:
    """Turn pairs of numbers by angles that grow with the step, so that products of two steps see their distance alone.

    Args:
        x: (…, D) queries or keys, D even; the pair k is the numbers k and k + D/2, turned by t base^(−2k/D).
        over: the axis whose steps are numbered; ``x`` varies over it.
        base: the ratio of the slowest and the fastest turn.

    Returns:
        A node like ``x``; apply it to queries and keys, and then ``.along``.

    Raises:
        ShapeError: D is odd.
        AxisError: ``x`` does not vary over the axis.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = rotary(ag.input("q", (2,), over=t), t)
        >>> ag.Graph(y).evaluate(q=[[1.0, 0.0]] * 2)[0].round(3).tolist()
        [[1.0, 0.0], [0.54, 0.841]]

    Notes:
        Su et al. 2021; pairs as in GPT-NeoX and LLaMA. In a batch or with heads the angles are the same.
    """
    x = check_varies(x, over, "rotary")
    if not x.shape:
        check_vector(x, "rotary")
    pairs = _check_even(x.shape[-1], "rotary")
    angle = index(over) * _list_rates(pairs, base)
    a, b = x[..., :pairs], x[..., pairs:]
    return concat([a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle)], axis=-1)


def _list_rates(pairs: int, base: float) -> np.ndarray:
    return base ** (-np.arange(pairs) / pairs)


def _check_even(size: Any, layer: str) -> int:
    size = check_count(size, layer, "numbers a step")
    if size % 2:
        raise ShapeError(
            "N123", f"{layer} needs an even number of entries, got {size}", where=show_site(user_site()),
            expected="pairs: one sine and one cosine each", got=str(size), fix=f"{size + 1} or {size - 1} entries",
        )  # fmt: skip
    return size // 2


def causal_conv(
    x: Node, filters: int, width: int, *, over: Axis, dilation: int = 1, name: str | None = None, bias: bool = True
) -> Node:
    """A convolution that reads the current step and earlier ones: y_t = Σ_k W_k x_{t - k·dilation} + b.

    Args:
        x: (D,), which varies over ``over``; steps before the first are zeros.
        filters: N, the numbers of the result.
        width: K, how many steps it reads.
        over: the axis along which it reads.
        dilation: the distance between the steps that it reads.
        name: the scope of its parameters.
        bias: whether there is a b.

    Returns:
        (N,). Parameters: W0 (the current step), W1, …, (N, D) each, b (N,).

    Raises:
        AxisError: ``x`` does not vary over ``over``.
        ShapeError: ``x`` is no vector, or a number is no positive integer.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = causal_conv(ag.input("x", (3,), over=t), 4, 2, over=t, dilation=8)
        >>> sorted(ag.Graph(y).inputs)
        ['W0', 'W1', 'b', 'x']

    Notes:
        van den Oord et al. 2016 (WaveNet). Layers with dilations 1, 2, 4, … reach back 2^layers steps. It is carried and
        streamed like any shift: the last (K − 1)·dilation rows.
    """
    x, filters = check_input(x, over, "causal_conv"), check_count(filters, "causal_conv", "filters")
    width, dilation = check_count(width, "causal_conv", "steps as width="), check_count(dilation, "causal_conv", "as dilation=")
    with open_scope(name):
        parts = [param(f"W{k}", (filters, x.shape[0]), init=initial.glorot_uniform(width**-0.5))
                 @ (shift(x, over, k * dilation) if k else x) for k in range(width)]  # fmt: skip
        y = parts[0]
        for part in parts[1:]:
            y = y + part
        return y + param("b", (filters,)) if bias else y


__all__ = [
    "causal_conv", "dense", "embedding", "layer_norm", "learned_positions", "rms_norm", "rotary", "sinusoidal",
]  # fmt: skip
explain_keywords(globals(), __all__)
