"""Gated cells as equations: the long short-term memory and its variants, the gated recurrent unit, and the minimal one.

Input matrices are named U and have the shape (H, D), recurrent matrices W with (H, H), biases b with (H,); the letter of
the gate follows. Within a scope gates carry the names of their equations, under which pictures show them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.frame import (
    bound,
    check_count,
    check_input,
    check_rows,
    make_affine,
    make_state,
    multiply,
    name_gate,
    open_scope,
)
from autograd_seq.nn.layers import layer_norm
from autograd_seq.ops.activations import sigmoid, tanh
from autograd_seq.ops.leaf import param


class LSTM(NamedTuple):
    """The states of an LSTM.

    Args:
        h: (H,) the output, between -1 and 1.
        c: (H,) the memory.
    """

    h: Node
    c: Node


def lstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False,
    clip: float | None = None,
) -> LSTM:  # fmt: skip
    """The long short-term memory: gates i, f, o control what is written to, kept in, and read from the memory c.

        i, f, o = sigmoid(U x_t + W h_{t-1} + b), each with its own U, W, b      g = tanh(Ug x_t + Wg h_{t-1} + bg)
        c_t = f c_{t-1} + i g      h_t = o tanh(c_t)

    Args:
        x, hidden, over, name, bias, reverse, clip: as for :func:`ag.nn.rnn`.
        init: the pair (h₋₁, c₋₁), either of them ``None`` for zeros.

    Returns:
        The states h and c. Parameters: Ui, Uf, Uo, Ug (H, D), Wi, Wf, Wo, Wg (H, H), bi, bf, bo, bg (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.
        OperationError: ``init`` is no pair.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h, c = lstm(ag.input("x", (3,), over=t), 4, over=t)
        >>> h, c
        (h[t]: float[4], c[t]: float[4])
        >>> len(ag.Graph(h).cycles())
        5

    Notes:
        Hochreiter & Schmidhuber 1997; the forget gate f is that of Gers, Schmidhuber & Cummins 2000, without peepholes.
        A bias bf of 1 lets it remember from the start: ``init.params(…, rules={"bf": init.constant(1.0)})``.
    """
    x, hidden = check_input(x, over, "lstm"), check_count(hidden, "lstm")
    h_row, c_row = check_rows(init, "an lstm", "h c")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, h_row, reverse)
        c, c_before = make_state("c", x, hidden, over, c_row, reverse)
        i, f, o = (name_gate(k, sigmoid(make_affine(k, x, h_before, hidden, bias, clip=clip))) for k in "ifo")
        g = name_gate("g", tanh(make_affine("g", x, h_before, hidden, bias, clip=clip)))
        c[over] = f * c_before + i * g
        h[over] = o * tanh(c[over])
    return LSTM(h, c)


def peephole_lstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False,
) -> LSTM:  # fmt: skip
    """The LSTM whose gates see the memory: i and f the one before, o the new one.

        i, f = sigmoid(U x_t + W h_{t-1} + p c_{t-1} + b)      g = tanh(Ug x_t + Wg h_{t-1} + bg)
        c_t = f c_{t-1} + i g      o = sigmoid(Uo x_t + Wo h_{t-1} + po c_t + bo)      h_t = o tanh(c_t)

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`lstm`.

    Returns:
        The states h and c. Parameters: those of :func:`lstm`, and pi, pf, po (H,), one number a unit.

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h, c = peephole_lstm(ag.input("x", (3,), over=t), 4, over=t, bias=False)
        >>> [name for name in sorted(ag.Graph(h).inputs) if name.startswith("p")]
        ['pf', 'pi', 'po']

    Notes:
        Gers & Schmidhuber 2000; the default LSTM of ONNX with its input P.
    """
    x, hidden = check_input(x, over, "peephole_lstm"), check_count(hidden, "peephole_lstm")
    h_row, c_row = check_rows(init, "a peephole_lstm", "h c")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, h_row, reverse)
        c, c_before = make_state("c", x, hidden, over, c_row, reverse)

        def gate(k: str, memory: Node) -> Node:
            z = make_affine(k, x, h_before, hidden, bias) + param(f"p{k}", (hidden,)) * memory
            return name_gate(k, sigmoid(z))

        g = name_gate("g", tanh(make_affine("g", x, h_before, hidden, bias)))
        c[over] = gate("f", c_before) * c_before + gate("i", c_before) * g
        h[over] = gate("o", c[over]) * tanh(c[over])
    return LSTM(h, c)


def coupled_lstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False,
) -> LSTM:  # fmt: skip
    """The LSTM with coupled gates: what is forgotten makes room for what is written, i = 1 - f.

        f, o = sigmoid(U x_t + W h_{t-1} + b)      g = tanh(Ug x_t + Wg h_{t-1} + bg)
        c_t = f c_{t-1} + (1 - f) g      h_t = o tanh(c_t)

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`lstm`.

    Returns:
        The states h and c. Parameters: those of :func:`lstm` without Ui, Wi, bi.

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h, c = coupled_lstm(ag.input("x", (3,), over=t), 4, over=t)
        >>> "Ui" in ag.Graph(h).inputs
        False

    Notes:
        Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017 (CIFG). ONNX's ``input_forget`` keeps i and takes f = 1 - i.
    """
    x, hidden = check_input(x, over, "coupled_lstm"), check_count(hidden, "coupled_lstm")
    h_row, c_row = check_rows(init, "a coupled_lstm", "h c")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, h_row, reverse)
        c, c_before = make_state("c", x, hidden, over, c_row, reverse)
        f, o = (name_gate(k, sigmoid(make_affine(k, x, h_before, hidden, bias))) for k in "fo")
        g = name_gate("g", tanh(make_affine("g", x, h_before, hidden, bias)))
        c[over] = f * c_before + (1 - f) * g
        h[over] = o * tanh(c[over])
    return LSTM(h, c)


def projected_lstm(
    x: Node, hidden: int, *, over: Axis, projection: int, name: str | None = None, bias: bool = True, init: Any = None,
    reverse: bool = False,
) -> LSTM:  # fmt: skip
    """The LSTM with a projection: a large memory, of which the recurrence reads fewer numbers.

        i, f, o, g as for :func:`lstm`      c_t = f c_{t-1} + i g      h_t = P (o tanh(c_t))

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`lstm`; ``init`` is a pair of rows (P,) and (H,).
        projection: P, the numbers of the output h.

    Returns:
        The states h (P,) and c (H,). Parameters: those of :func:`lstm`, Wi … (H, P), and P (P, H).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> projected_lstm(ag.input("x", (3,), over=t), 8, over=t, projection=2)
        LSTM(h=h[t]: float[2], c=c[t]: float[8])

    Notes:
        Sak, Senior & Beaufays 2014; ``proj_size=`` of PyTorch.
    """
    x, hidden = check_input(x, over, "projected_lstm"), check_count(hidden, "projected_lstm")
    few = check_count(projection, "projected_lstm", "numbers as projection=")
    h_row, c_row = check_rows(init, "a projected_lstm", "h c")
    with open_scope(name):
        h, h_before = make_state("h", x, few, over, h_row, reverse)
        c, c_before = make_state("c", x, hidden, over, c_row, reverse)
        i, f, o = (name_gate(k, sigmoid(make_affine(k, x, h_before, hidden, bias))) for k in "ifo")
        g = name_gate("g", tanh(make_affine("g", x, h_before, hidden, bias)))
        c[over] = f * c_before + i * g
        h[over] = multiply("P", o * tanh(c[over]), few)
    return LSTM(h, c)


def layer_norm_lstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, init: Any = None, reverse: bool = False, eps: float = 1e-5,
) -> LSTM:  # fmt: skip
    """The LSTM whose products and memory are normalised over the units at each step.

        i, f, o = sigmoid(norm(U x_t) + norm(W h_{t-1}) + b)      g = tanh(norm(Ug x_t) + norm(Wg h_{t-1}) + bg)
        c_t = f c_{t-1} + i g      h_t = o tanh(norm(c_t))

    Args:
        x, hidden, over, name, init, reverse: as for :func:`lstm`.
        eps: what is added to the variances.

    Returns:
        The states h and c. Parameters: those of :func:`lstm`, and gains of each norm: ``Ui_norm/gain`` …, ``c_norm/gain``,
        ``c_norm/bias``.

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h, c = layer_norm_lstm(ag.input("x", (3,), over=t), 4, over=t, name="cell")
        >>> "cell/c_norm/gain" in ag.Graph(h).inputs
        True

    Notes:
        Ba, Kiros & Hinton 2016, appendix A, with one norm a gate and no second bias in a gate.
    """
    x, hidden = check_input(x, over, "layer_norm_lstm"), check_count(hidden, "layer_norm_lstm")
    h_row, c_row = check_rows(init, "a layer_norm_lstm", "h c")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, h_row, reverse)
        c, c_before = make_state("c", x, hidden, over, c_row, reverse)

        def affine(k: str) -> Node:
            ux = layer_norm(multiply(f"U{k}", x, hidden), name=f"U{k}_norm", bias=False, eps=eps)
            wh = layer_norm(multiply(f"W{k}", h_before, hidden), name=f"W{k}_norm", bias=False, eps=eps)
            return ux + wh + param(f"b{k}", (hidden,))

        i, f, o = (name_gate(k, sigmoid(affine(k))) for k in "ifo")
        g = name_gate("g", tanh(affine("g")))
        c[over] = f * c_before + i * g
        h[over] = o * tanh(layer_norm(c[over], name="c_norm", eps=eps))
    return LSTM(h, c)


def gru(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False,
    reset: str = "after", clip: float | None = None,
) -> Node:  # fmt: skip
    """The gated recurrent unit: z mixes the previous state with a candidate n, and r scales what n reads of that state.

        r, z = sigmoid(U x_t + W h_{t-1} + b), each with its own U, W, b      h_t = (1 - z) n + z h_{t-1}
        n = tanh(Un x_t + bn + r (Wn h_{t-1} + cn)), or with reset="before" n = tanh(Un x_t + Wn (r h_{t-1}) + bn)

    Args:
        x, hidden, over, name, bias, init, reverse, clip: as for :func:`ag.nn.rnn`.
        reset: ``"after"`` the product with Wn, or ``"before"`` it.

    Returns:
        The state h, (H,), over all axes of ``x``. Parameters: Ur, Uz, Un (H, D), Wr, Wz, Wn (H, H), br, bz, bn, and, if
        reset after, cn (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.
        OperationError: ``reset`` is another word.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h = gru(ag.input("x", (3,), over=t), 4, over=t, bias=False)
        >>> sorted(ag.Graph(h).inputs)
        ['Un', 'Ur', 'Uz', 'Wn', 'Wr', 'Wz', 'x']

    Notes:
        Cho et al. 2014 reset h_{t-1} before the product with Wn; by default r scales the product, as in cuDNN and PyTorch, so
        that all products with h_{t-1} are one (``linear_before_reset=1`` of ONNX). The two differ in their values, and so do
        their weights.
    """
    x, hidden = check_input(x, over, "gru"), check_count(hidden, "gru")
    if reset not in ("after", "before"):
        raise OperationError(
            "N122", f"gru has no reset={reset!r:.60}", where=show_site(user_site()), expected='"after" or "before"',
            got=repr(reset)[:80],
        )  # fmt: skip
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, init, reverse)
        r, z = (name_gate(k, sigmoid(make_affine(k, x, h_before, hidden, bias, clip=clip))) for k in "rz")
        if reset == "after":
            past = r * multiply("Wn", h_before, hidden, "cn" if bias else None)
        else:
            past = multiply("Wn", r * h_before, hidden)
        n = name_gate("n", tanh(bound(multiply("Un", x, hidden, "bn" if bias else None) + past, clip)))
        h[over] = (1 - z) * n + z * h_before
    return h


def mgu(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> Node:
    """The minimal gated unit: one gate both resets and mixes.

        f = sigmoid(Uf x_t + Wf h_{t-1} + bf)      n = tanh(Un x_t + Wn (f h_{t-1}) + bn)      h_t = (1 - f) h_{t-1} + f n

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`ag.nn.rnn`.

    Returns:
        The state h, (H,). Parameters: Uf, Un (H, D), Wf, Wn (H, H), bf, bn (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> sorted(ag.Graph(mgu(ag.input("x", (3,), over=t), 4, over=t)).inputs)
        ['Uf', 'Un', 'Wf', 'Wn', 'bf', 'bn', 'x']

    Notes:
        Zhou, Wu, Zhang & Zhou 2016.
    """
    x, hidden = check_input(x, over, "mgu"), check_count(hidden, "mgu")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, init, reverse)
        f = name_gate("f", sigmoid(make_affine("f", x, h_before, hidden, bias)))
        n = name_gate("n", tanh(make_affine("n", x, f * h_before, hidden, bias)))
        h[over] = (1 - f) * h_before + f * n
    return h


__all__ = ["LSTM", "coupled_lstm", "gru", "layer_norm_lstm", "lstm", "mgu", "peephole_lstm", "projected_lstm"]
explain_keywords(globals(), __all__)
