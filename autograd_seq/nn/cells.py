"""Recurrent cells as equations: ``rnn``, ``lstm`` and ``gru`` declare parameters and states, and define the states.

Input matrices are named U and have the shape (H, D), recurrent matrices W with (H, H), biases b with (H,), followed by the
letter of the gate. Each cell returns states, which a readout, the next layer or an attention reads like any other state. Within
a scope gates have the names of their equations, under which pictures show them.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import current_scope, scope, show_site, user_site
from autograd_seq.ops.activations import sigmoid, tanh
from autograd_seq.ops.leaf import param
from autograd_seq.ops.state import state


class LSTM(NamedTuple):
    """The states of an LSTM.

    Args:
        h: (H,) the output, between -1 and 1.
        c: (H,) the memory.
    """

    h: Node
    c: Node


def rnn(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> Node:
    """The simple recurrent network, h_t = tanh(U x_t + W h_{t-1} + b).

    Args:
        x: (D,) the input, which varies over ``over``, and possibly over further axes (a batch).
        hidden: H, the number of units.
        over: the axis of the recurrence.
        name: the scope of its names (``name/U``, ``name/h``); no scope by default, which is enough for a single cell.
        bias: whether there is a b.
        init: h₋₁, the row before the first step: (H,), not over ``over``; a parameter makes it learned. Zeros by default.
        reverse: read h_{t+1} instead; ``init`` is then the row after the last step.

    Returns:
        The state h, (H,), over all axes of ``x``. Parameters: U (H, D), W (H, H), b (H,).

    Raises:
        AxisError: ``x`` does not vary over ``over``.
        ShapeError: ``x`` is no vector, or ``hidden`` no positive integer.
        StateError: ``init`` varies over ``over``, or over an axis that ``x`` does not have.

    Example:
        >>> import autograd_seq as ag
        >>> t, b = ag.Axis("t"), ag.Axis("b")
        >>> h = rnn(ag.input("x", (3,), over=(t, b)), 8, over=t, name="encoder")
        >>> h
        encoder/h[t, b]: float[8]
        >>> sorted(ag.Graph(h).inputs)
        ['encoder/U', 'encoder/W', 'encoder/b', 'x']

    Notes:
        Elman 1990. Time and memory are linear in T.
    """
    x, hidden = _check_arguments(x, hidden, over, "rnn")
    with _open_scope(name):
        h, h_before = _make_state("h", x, hidden, over, init, reverse)
        h[over] = tanh(_make_affine("", x, h_before, bias))
    return h


def lstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> LSTM:
    """The long short-term memory: gates i, f, o control what is written to, kept in, and read from the memory c.

        i, f, o = sigmoid(U x_t + W h_{t-1} + b), each with its own U, W, b      g = tanh(Ug x_t + Wg h_{t-1} + bg)
        c_t = f c_{t-1} + i g      h_t = o tanh(c_t)

    Args:
        x, hidden, over, name, bias, reverse: as for :func:`rnn`.
        init: the pair (h₋₁, c₋₁), either of them ``None`` for zeros.

    Returns:
        The states h and c. Parameters: Ui, Uf, Uo, Ug (H, D), Wi, Wf, Wo, Wg (H, H), bi, bf, bo, bg (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`rnn`.
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
    x, hidden = _check_arguments(x, hidden, over, "lstm")
    h_row, c_row = _check_pair(init)
    with _open_scope(name):
        h, h_before = _make_state("h", x, hidden, over, h_row, reverse)
        c, c_before = _make_state("c", x, hidden, over, c_row, reverse)
        i, f, o = (_name_gate(k, sigmoid(_make_affine(k, x, h_before, bias))) for k in "ifo")
        g = _name_gate("g", tanh(_make_affine("g", x, h_before, bias)))
        c[over] = f * c_before + i * g
        h[over] = o * tanh(c[over])
    return LSTM(h, c)


def gru(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> Node:
    """The gated recurrent unit: z mixes the previous state with a candidate n, and r scales what n reads of that state.

        r, z = sigmoid(U x_t + W h_{t-1} + b), each with its own U, W, b
        n = tanh(Un x_t + bn + r (Wn h_{t-1} + cn))      h_t = (1 - z) n + z h_{t-1}

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`rnn`.

    Returns:
        The state h, (H,), over all axes of ``x``. Parameters: Ur, Uz, Un (H, D), Wr, Wz, Wn (H, H), br, bz, bn, cn (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h = gru(ag.input("x", (3,), over=t), 4, over=t, bias=False)
        >>> sorted(ag.Graph(h).inputs)
        ['Un', 'Ur', 'Uz', 'Wn', 'Wr', 'Wz', 'x']

    Notes:
        Cho et al. 2014 reset h_{t-1} before the product with Wn; here r scales the product, as in cuDNN and PyTorch, so
        that all products with h_{t-1} are one. The two differ in their values, and so do their weights.
    """
    x, hidden = _check_arguments(x, hidden, over, "gru")
    with _open_scope(name):
        h, h_before = _make_state("h", x, hidden, over, init, reverse)
        r, z = (_name_gate(k, sigmoid(_make_affine(k, x, h_before, bias))) for k in "rz")
        past = _multiply("Wn", h_before, hidden, "cn" if bias else None)
        n = _name_gate("n", tanh(_multiply("Un", x, hidden, "bn" if bias else None) + r * past))
        h[over] = (1 - z) * n + z * h_before
    return h


def _make_affine(gate: str, x: Node, h: Node, bias: bool) -> Node:
    """Return U x + W h + b with the parameters of a gate."""
    hidden = h.shape[0]
    z = _multiply(f"U{gate}", x, hidden) + _multiply(f"W{gate}", h, hidden)
    return z + param(f"b{gate}", (hidden,)) if bias else z


def _name_gate(letter: str, gate: Node) -> Node:
    """Name a gate within a scope, where the name cannot clash with one of the model."""
    return gate.named(letter) if current_scope() else gate


def _multiply(matrix: str, x: Node, hidden: int, bias: str | None = None) -> Node:
    y = param(matrix, (hidden, x.shape[0])) @ x
    return y if bias is None else y + param(bias, (hidden,))


def _make_state(name: str, x: Node, hidden: int, over: Axis, row: Any, reverse: bool) -> tuple[Node, Node]:
    """Return a state over the axes of ``x``, and itself at the step before (after, if reversed)."""
    rows = None if row is None else {over: row}
    if reverse:
        s = state(name, (hidden,), over=x.axes, final=rows)
        return s, s[over + 1]
    s = state(name, (hidden,), over=x.axes, init=rows)
    return s, s[over - 1]


@contextmanager
def _open_scope(name: str | None) -> Iterator[None]:
    if name is None:
        yield
        return
    with scope(name):
        yield


def _check_pair(init: Any) -> tuple[Any, Any]:
    if init is None:
        return None, None
    if isinstance(init, tuple) and len(init) == 2:
        return init
    raise OperationError(
        "N104", "init= of an lstm is not a pair of rows", where=show_site(user_site()), expected="init=(h, c), or None",
        got=repr(init)[:80], fix="init=(h, None) leaves the memory at zero",
    )  # fmt: skip


def _check_arguments(x: Any, hidden: Any, over: Any, cell: str) -> tuple[Node, int]:
    x, here = constant(x), show_site(user_site())
    label = label_of(x)
    if not isinstance(over, Axis) or over not in x.axes:
        raise AxisError(
            "N101", f"{cell} cannot recur along {over!r}: {label} does not vary over it", node=x.name, where=here,
            expected=f"one of {', '.join(a.name for a in x.axes)}" if x.axes else "an input that varies over an axis",
            got=f"over={over!r}", fix=f'ag.input("{x.name or "x"}", {x.shape}, over=t)',
        )  # fmt: skip
    if len(x.shape) != 1:
        raise ShapeError(
            "N102", f"{cell} reads a vector at each step, and {label} has shape {x.shape}", node=x.name, where=here,
            expected="an input of shape (D,)",
            got=f"{label} of shape {x.shape}", fix="ag.reshape(x, (-1,)) makes a vector; a batch is an axis: over=(t, b)",
        )  # fmt: skip
    try:
        units = 0 if isinstance(hidden, bool) else operator.index(hidden)
    except TypeError:
        units = 0
    if units < 1:
        raise ShapeError(
            "N103", f"{cell} is given {hidden!r:.60} hidden units", where=here, expected="a positive integer",
            got=repr(hidden),
        )  # fmt: skip
    return x, units


__all__ = ["LSTM", "gru", "lstm", "rnn"]
explain_keywords(globals(), __all__)
