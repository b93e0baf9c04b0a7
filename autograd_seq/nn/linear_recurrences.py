"""Recurrences that are linear in their state, with gates that read the input alone: they remember long and train in parallel.

Complex numbers are pairs of real ones: ``re`` and ``im``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.nn import init as initial
from autograd_seq.nn.draws import Initialiser
from autograd_seq.nn.frame import check_count, check_input, check_range, check_rows, make_state, multiply, name_gate, open_scope
from autograd_seq.ops.activations import sigmoid, softplus
from autograd_seq.ops.elementwise import cos, exp, sin, sqrt
from autograd_seq.ops.leaf import param
from autograd_seq.ops.reduce import sum as sum_of


def min_gru(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> Node:
    """The minimal GRU, whose gate and candidate read the input alone.

        z = sigmoid(Uz x_t + bz)      n = Un x_t + bn      h_t = (1 - z) h_{t-1} + z n

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`ag.nn.rnn`.

    Returns:
        The state h, (H,). Parameters: Uz, Un (H, D), bz, bn (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> sorted(ag.Graph(min_gru(ag.input("x", (3,), over=t), 4, over=t)).inputs)
        ['Un', 'Uz', 'bn', 'bz', 'x']

    Notes:
        Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, section 3.1. The products are lifted out of the loop, which is left
        with a multiplication and an addition an entry.
    """
    x, hidden = check_input(x, over, "min_gru"), check_count(hidden, "min_gru")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, init, reverse)
        z = name_gate("z", sigmoid(multiply("Uz", x, hidden, "bz" if bias else None)))
        n = name_gate("n", multiply("Un", x, hidden, "bn" if bias else None))
        h[over] = (1 - z) * h_before + z * n
    return h


def min_lstm(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> Node:
    """The minimal LSTM: two gates that read the input alone, and add up to 1.

        f, i = sigmoid(U x_t + b)      n = Un x_t + bn      h_t = (f h_{t-1} + i n) / (f + i)

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`ag.nn.rnn`.

    Returns:
        The state h, (H,). Parameters: Uf, Ui, Un (H, D), bf, bi, bn (H,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> min_lstm(ag.input("x", (3,), over=t), 4, over=t)
        h[t]: float[4]

    Notes:
        Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, section 3.2.
    """
    x, hidden = check_input(x, over, "min_lstm"), check_count(hidden, "min_lstm")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, init, reverse)
        f, i = (name_gate(k, sigmoid(multiply(f"U{k}", x, hidden, f"b{k}" if bias else None))) for k in "fi")
        n = name_gate("n", multiply("Un", x, hidden, "bn" if bias else None))
        h[over] = f / (f + i) * h_before + i / (f + i) * n
    return h


def lru(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, states: int | None = None, init: Any = None,
    reverse: bool = False, radius: tuple[float, float] = (0.9, 0.999), phase: float = 2 * np.pi,
) -> Node:  # fmt: skip
    """The linear recurrent unit: complex numbers that turn and shrink, each by itself.

        s_t = λ s_{t-1} + γ B x_t,   λ = exp(-exp(ν) + i θ),   γ = sqrt(1 - |λ|²)      y_t = Re(C s_t) + D x_t

    Args:
        x, over, name, reverse: as for :func:`ag.nn.rnn`.
        hidden: H, the numbers of the output.
        states: N, the complex numbers of the state; H by default.
        init: the pair (re, im) of rows of the state before the first step.
        radius: the sizes of λ between which ``ag.nn.init.params`` draws, uniform on the ring; near 1 it remembers long.
        phase: the largest angle θ that is drawn.

    Returns:
        The output y, (H,). Parameters: nu, theta (N,), Br, Bi (N, D), Cr, Ci (H, N), D (H, D).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = lru(ag.input("x", (3,), over=t), 4, over=t, states=16)
        >>> size = np.exp(-np.exp(ag.nn.init.params(y)["nu"]))
        >>> bool(np.all((0.9 <= size) & (size <= 0.999)))
        True

    Notes:
        Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu & De 2023.
    """
    x, hidden = check_input(x, over, "lru"), check_count(hidden, "lru")
    n, d = hidden if states is None else check_count(states, "lru", "states"), x.shape[0]
    rows = check_rows(init, "an lru", "re im")
    radius = check_range(radius, "lru", "radius", "a pair of growing numbers between 0 and 1", 1.0)
    with open_scope(name):
        (re, re_before), (im, im_before) = (
            make_state(k, x, n, over, r, reverse) for k, r in zip(("re", "im"), rows, strict=True)
        )
        size = exp(-exp(param("nu", (n,), init=Initialiser(draw_ring, *radius))))
        theta = param("theta", (n,), init=initial.uniform(0.0, phase))
        a, b, gain = size * cos(theta), size * sin(theta), sqrt(1 - size * size)
        Br, Bi = (param(k, (n, d), init=initial.normal((2 * d) ** -0.5)) for k in ("Br", "Bi"))
        Cr, Ci = (param(k, (hidden, n), init=initial.normal(n**-0.5)) for k in ("Cr", "Ci"))
        re[over] = a * re_before - b * im_before + gain * (Br @ x)
        im[over] = b * re_before + a * im_before + gain * (Bi @ x)
        return name_gate("y", Cr @ re[over] - Ci @ im[over] + param("D", (hidden, d)) @ x)


def draw_ring(random: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Return ν of numbers λ that are uniform on the ring between two radii: |λ| = exp(-exp(ν))."""
    size = np.sqrt(random.uniform(low**2, high**2, shape))
    return np.log(-np.log(size))


def s4d(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, init: Any = None, reverse: bool = False,
    steps: tuple[float, float] = (0.001, 0.1),
) -> Node:  # fmt: skip
    """A diagonal state space for each number of the input: N complex numbers that follow it in continuous time.

        s' = A s + x,  in steps of Δ:  s_t = exp(ΔA) s_{t-1} + (exp(ΔA) - 1)/A x_t      y_t = 2 Re(C s_t) + D x_t

    Args:
        x, over, name, reverse: as for :func:`ag.nn.rnn`.
        hidden: N, the complex numbers of each channel.
        init: the pair (re, im) of rows (D, N) of the state before the first step.
        steps: the sizes of Δ between which ``ag.nn.init.params`` draws, uniform in the logarithm.

    Returns:
        The output y, (D,); channels do not mix: put :func:`ag.nn.dense` after it. Parameters: log_step (D,), log_decay and
        frequency (D, N), which start at Re A = -1/2 and Im A = π n, Cr, Ci (D, N), D (D,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s4d(ag.input("x", (3,), over=t), 16, over=t, name="s4d")
        s4d/y[t]: float[3]

    Notes:
        Gu, Gupta, Goel & Ré 2022 (S4D-Lin, zero-order hold).
    """
    x, n = check_input(x, over, "s4d"), check_count(hidden, "s4d", "states")
    d, rows = x.shape[0], check_rows(init, "an s4d", "re im")
    steps = check_range(steps, "s4d", "steps", "a pair of growing positive numbers")
    with open_scope(name):
        (re, re_before), (im, im_before) = (
            make_state(k, x, (d, n), over, r, reverse) for k, r in zip(("re", "im"), rows, strict=True)
        )
        step = exp(param("log_step", (d,), init=initial.log_uniform(*steps)))[:, None]
        decay = exp(param("log_decay", (d, n), init=initial.constant(np.log(0.5))))  # -Re A
        turn = param("frequency", (d, n), init=Initialiser(draw_harmonics))  # Im A
        size = exp(-step * decay)
        a, b = size * cos(step * turn), size * sin(step * turn)
        # (exp(ΔA) - 1) / A, real and imaginary part
        square = decay * decay + turn * turn
        gain_re, gain_im = (b * turn - (a - 1) * decay) / square, -(b * decay + (a - 1) * turn) / square
        re[over] = a * re_before - b * im_before + gain_re * x[:, None]
        im[over] = b * re_before + a * im_before + gain_im * x[:, None]
        Cr, Ci = (param(k, (d, n), init=initial.normal(0.5**0.5)) for k in ("Cr", "Ci"))
        y = 2 * sum_of(Cr * re[over] - Ci * im[over], axis=-1)
        return name_gate("y", y + param("D", (d,), init=initial.constant(1.0)) * x)


def draw_harmonics(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return π n in each row."""
    return np.broadcast_to(np.pi * np.arange(shape[-1]), shape).copy()


def selective_scan(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, init: Any = None, reverse: bool = False
) -> Node:
    """A state space whose step and whose ways in and out depend on the input, so that it chooses what it remembers.

        Δ = softplus(Wd x_t + bd)      B = Wb x_t      C = Wc x_t      A = -exp(log_A)
        s_t = exp(Δ A) s_{t-1} + (Δ x_t) Bᵀ      y_t = s_t C + D x_t

    Args:
        x, over, name, reverse: as for :func:`ag.nn.rnn`.
        hidden: N, the numbers of the state of each channel.
        init: the row (D, N) of the state before the first step.

    Returns:
        The output y, (D,). Parameters: Wd (D, D), bd (D,), Wb, Wc (N, D), log_A (D, N), which starts at A = -(1 … N), D (D,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> selective_scan(ag.input("x", (3,), over=t), 16, over=t, name="selective_scan")
        selective_scan/y[t]: float[3]

    Notes:
        Gu & Dao 2023 (Mamba), the scan S6 with a full Wd instead of one of low rank; a Mamba block puts a causal convolution
        and silu before it, and multiplies its result with silu of a gate.
    """
    x, n = check_input(x, over, "selective_scan"), check_count(hidden, "selective_scan", "states")
    d = x.shape[0]
    with open_scope(name):
        s, s_before = make_state("s", x, (d, n), over, init, reverse)
        step = softplus(multiply("Wd", x, d, "bd", bias_init=initial.constant(np.log(np.expm1(0.01)))))
        B, C = multiply("Wb", x, n), multiply("Wc", x, n)
        A = -exp(param("log_A", (d, n), init=Initialiser(draw_log_counts)))
        s[over] = exp(step[:, None] * A) * s_before + (step * x)[:, None] * B
        return name_gate("y", s[over] @ C + param("D", (d,), init=initial.constant(1.0)) * x)


def draw_log_counts(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return the logarithms of 1, 2, …, N in each row."""
    return np.broadcast_to(np.log(np.arange(1, shape[-1] + 1)), shape).copy()


__all__ = ["lru", "min_gru", "min_lstm", "s4d", "selective_scan"]
explain_keywords(globals(), __all__)
