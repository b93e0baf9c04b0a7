"""The two cells of xLSTM: exponential gates, with a scalar memory that mixes, and with a matrix memory that does not.

Both keep the logarithm m of the largest gate, so that nothing overflows: memories are held divided by exp(m). What leaves the
cell does not depend on m, which therefore needs no gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.nn.frame import check_count, check_input, check_rows, make_affine, make_state, multiply, name_gate, open_scope
from autograd_seq.ops.activations import sigmoid, softplus, tanh
from autograd_seq.ops.elementwise import abs as size_of
from autograd_seq.ops.elementwise import exp, maximum
from autograd_seq.ops.linear import dot, outer
from autograd_seq.ops.loss import stop_gradient


class ScalarMemory(NamedTuple):
    """The states of an sLSTM, all (H,).

    Args:
        h: the output.
        c: the memory, divided by exp(m).
        n: what the memory is divided by, divided by exp(m).
        m: the logarithm of the largest gate so far.
    """

    h: Node
    c: Node
    n: Node
    m: Node


class MatrixMemory(NamedTuple):
    """The output and the states of an mLSTM.

    Args:
        h: (H,) the output.
        C: (H, H) the memory, divided by exp(m).
        n: (H,) the sum of keys that were written, divided by exp(m).
        m: () the logarithm of the largest gate so far.
    """

    h: Node
    C: Node
    n: Node
    m: Node


def slstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> ScalarMemory:
    """The LSTM with an exponential input gate and a normaliser.

        i = exp(Ui x_t + Wi h_{t-1} + bi)      f, o = sigmoid(U x_t + W h_{t-1} + b)      z = tanh(Uz x_t + Wz h_{t-1} + bz)
        c_t = f c_{t-1} + i z      n_t = f n_{t-1} + i      h_t = o c_t / n_t

    Args:
        x, hidden, over, name, bias, reverse: as for :func:`ag.nn.rnn`.
        init: rows (h, c, n, m) before the first step, each (H,) or ``None`` for zeros.

    Returns:
        The states h, c, n, m, (H,). Parameters: Ui, Uf, Uo, Uz (H, D), Wi … (H, H), bi … (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> slstm(ag.input("x", (3,), over=t), 4, over=t).h
        h[t]: float[4]

    Notes:
        Beck et al. 2024, section 2.2, with one head.
    """
    x, hidden = check_input(x, over, "slstm"), check_count(hidden, "slstm")
    rows = check_rows(init, "an slstm", "h c n m")
    with open_scope(name):
        (h, h_before), (c, c_before), (n, n_before), (m, m_before) = (
            make_state(k, x, hidden, over, r, reverse) for k, r in zip("hcnm", rows, strict=True)
        )
        i, f, o, z = (make_affine(k, x, h_before, hidden, bias) for k in "ifoz")
        kept = m_before - softplus(-f)  # the logarithm of f exp(m)
        m[over] = stop_gradient(maximum(kept, i))
        write, keep = name_gate("i", exp(i - m[over])), name_gate("f", exp(kept - m[over]))
        c[over] = keep * c_before + write * name_gate("z", tanh(z))
        n[over] = keep * n_before + write
        h[over] = name_gate("o", sigmoid(o)) * c[over] / n[over]
    return ScalarMemory(h, c, n, m)


def mlstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> MatrixMemory:
    """The LSTM with a matrix memory: values are written at keys and read by queries.

        q = Uq x_t + bq      k = (Uk x_t + bk) / sqrt(H)      v = Uv x_t + bv      o = sigmoid(Uo x_t + bo)
        i = exp(Ui x_t + bi)      f = sigmoid(Uf x_t + bf)      (numbers)
        C_t = f C_{t-1} + i v kᵀ      n_t = f n_{t-1} + i k      h_t = o (C_t q) / max(|n_t · q|, 1)

    Args:
        x, hidden, over, name, bias, reverse: as for :func:`ag.nn.rnn`.
        init: rows (C, n, m) before the first step, each of them ``None`` for zeros.

    Returns:
        The output h (H,) and the states C (H, H), n (H,), m (). Parameters: Uq, Uk, Uv, Uo (H, D), Ui, Uf (1, D), and biases.

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> mlstm(ag.input("x", (3,), over=t), 4, over=t).C
        C[t]: float[4, 4]

    Notes:
        Beck et al. 2024, section 2.3, with one head. No gate reads h: the recurrence is linear.
    """
    x, hidden = check_input(x, over, "mlstm"), check_count(hidden, "mlstm")
    rows = check_rows(init, "an mlstm", "C n m")
    shapes: tuple[tuple[int, ...], ...] = ((hidden, hidden), (hidden,), ())
    with open_scope(name):
        (C, C_before), (n, n_before), (m, m_before) = (
            make_state(k, x, shape, over, r, reverse) for k, shape, r in zip("Cnm", shapes, rows, strict=True)
        )

        def read(k: str, rows: int) -> Node:
            return multiply(f"U{k}", x, rows, f"b{k}" if bias else None)

        q, k, v = read("q", hidden), read("k", hidden) / hidden**0.5, read("v", hidden)
        i, f, o = read("i", 1)[0], read("f", 1)[0], sigmoid(read("o", hidden))
        kept = m_before - softplus(-f)
        m[over] = stop_gradient(maximum(kept, i))
        write, keep = name_gate("i", exp(i - m[over])), name_gate("f", exp(kept - m[over]))
        C[over] = keep * C_before + write * outer(v, k)
        n[over] = keep * n_before + write * k
        h = name_gate("h", o * (C[over] @ q) / maximum(size_of(dot(n[over], q)), exp(-m[over])))
    return MatrixMemory(h, C, n, m)


__all__ = ["MatrixMemory", "ScalarMemory", "mlstm", "slstm"]
explain_keywords(globals(), __all__)
