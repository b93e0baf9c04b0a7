"""Simple recurrent cells as equations: the networks of Elman and Jordan, clocks of several speeds, and reservoirs.

Input matrices are named U and have the shape (H, D), recurrent matrices W with (H, H), biases b with (H,). Each cell returns
states, so that what reads them (a readout, the next layer, an attention) is written as for any other state. Within a scope
(``name=``) parameters and states carry it: ``encoder/U``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn import init as initial
from autograd_seq.nn.frame import (
    check_choice,
    check_count,
    check_function,
    check_input,
    check_number,
    make_affine,
    make_state,
    multiply,
    open_scope,
)
from autograd_seq.ops.activations import relu, tanh
from autograd_seq.ops.elementwise import equal, where
from autograd_seq.ops.leaf import param
from autograd_seq.ops.loss import stop_gradient
from autograd_seq.ops.parts import concat
from autograd_seq.ops.rounding import mod
from autograd_seq.ops.time import index

_ACTIVATIONS = {"tanh": tanh, "relu": relu}


class Jordan(NamedTuple):
    """The states of a Jordan network.

    Args:
        y: (K,) the output, which the next step reads.
        h: (H,) the hidden layer.
    """

    y: Node
    h: Node


def rnn(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False,
    activation: str | Callable[[Node], Node] = "tanh", clip: float | None = None,
) -> Node:  # fmt: skip
    """The simple recurrent network, h_t = tanh(U x_t + W h_{t-1} + b).

    Args:
        x: (D,) the input, which varies over ``over``, and possibly over further axes (a batch).
        hidden: H, the number of units.
        over: the axis of the recurrence.
        name: the scope of its names (``name/U``, ``name/h``); no scope by default, which is enough for a single cell.
        bias: whether there is a b.
        init: h₋₁, the row before the first step: (H,), not over ``over``; a parameter makes it learned. Zeros by default.
        reverse: read h_{t+1} instead; ``init`` is then the row after the last step.
        activation: ``"tanh"``, ``"relu"``, or a function from node to node.
        clip: what the activation reads is bounded by ±clip (as in ONNX).

    Returns:
        The state h, (H,), over all axes of ``x``. Parameters: U (H, D), W (H, H), b (H,).

    Raises:
        AxisError: ``x`` does not vary over ``over``.
        ShapeError: ``x`` is no vector, or ``hidden`` no positive integer.
        StateError: ``init`` varies over ``over``, or over an axis that ``x`` does not have.
        OperationError: ``activation`` is another word.

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
    return _run_simple(x, hidden, over, name, bias, init, reverse, check_choice(activation, _ACTIVATIONS, "activation", "rnn"),
                       None, clip)  # fmt: skip


def irnn(
    x: Node, hidden: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None, reverse: bool = False
) -> Node:
    """The identity-initialised network, h_t = relu(U x_t + W h_{t-1} + b), whose W starts as the identity.

    At the start it adds up what it reads and forgets nothing.

    Args:
        x, hidden, over, name, bias, init, reverse: as for :func:`rnn`.

    Returns:
        The state h, (H,). Parameters as of :func:`rnn`; ``ag.nn.init.params`` starts U with small normal numbers.

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h = irnn(ag.input("x", (1,), over=t), 2, over=t)
        >>> ag.nn.init.params(h)["W"]
        array([[1., 0.],
               [0., 1.]])

    Notes:
        Le, Jaitly & Hinton 2015.
    """
    return _run_simple(x, hidden, over, name, bias, init, reverse, relu, initial.identity(), None)


def _run_simple(x: Any, hidden: Any, over: Axis, name: str | None, bias: bool, init: Any, reverse: bool,
                activation: Callable[[Node], Node], start: Any, clip: float | None) -> Node:  # fmt: skip
    x, hidden = check_input(x, over, "rnn"), check_count(hidden, "rnn")
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, init, reverse)
        h[over] = activation(make_affine("", x, h_before, hidden, bias, init=start, clip=clip))
    return h


def jordan(
    x: Node, hidden: int, outputs: int, *, over: Axis, name: str | None = None, bias: bool = True, init: Any = None,
    activation: Callable[[Node], Node] = tanh,
) -> Jordan:  # fmt: skip
    """The Jordan network, whose hidden layer reads the output of the step before.

        h_t = tanh(U x_t + W y_{t-1} + b)      y_t = activation(V h_t + c)

    Args:
        x, hidden, over, name, bias: as for :func:`rnn`.
        outputs: K, the number of outputs.
        init: y₋₁, (K,).
        activation: of the output, a function from node to node (``ag.softmax``, ``ag.sigmoid``).

    Returns:
        The states y and h. Parameters: U (H, D), W (H, K), V (K, H), b (H,), c (K,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y, h = jordan(ag.input("x", (3,), over=t), 8, 2, over=t)
        >>> y, h
        (y[t]: float[2], h[t]: float[8])

    Notes:
        Jordan 1986.
    """
    x, hidden = check_input(x, over, "jordan"), check_count(hidden, "jordan")
    outputs = check_count(outputs, "jordan", "outputs")
    activation = check_function(activation, "jordan", "activation", "ag.softmax")
    with open_scope(name):
        y, y_before = make_state("y", x, outputs, over, init)
        h = tanh(make_affine("", x, y_before, hidden, bias)).named("h")
        y[over] = activation(multiply("V", h, outputs, "c" if bias else None))
    return Jordan(y, h)


def clockwork(
    x: Node, hidden: int, *, over: Axis, periods: Sequence[int] = (1, 2, 4, 8), name: str | None = None, bias: bool = True,
    init: Any = None,
) -> Node:  # fmt: skip
    """The clockwork network: groups of units that are updated every 1, 2, 4, 8 steps, and read slower groups only.

        h_t = tanh(U x_t + W h_{t-1} + b) in the groups whose period divides t, h_{t-1} in the others

    Args:
        x, over, name, bias, init: as for :func:`rnn`.
        hidden: H, a multiple of the number of periods; each group has as many units.
        periods: of the groups, in steps, growing.

    Returns:
        The state h, (H,). Parameters: U (H, D), b (H,), and W1, W2, … with a row block each: the group k, of H/G rows, reads
        itself and the slower groups.

    Raises:
        ShapeError: the periods do not divide ``hidden`` into groups of one size, or are no growing positive integers.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h = clockwork(ag.input("x", (3,), over=t), 8, over=t, periods=[1, 4])
        >>> {name: n.shape for name, n in ag.Graph(h).inputs.items() if name.startswith("W")}
        {'W1': (4, 8), 'W2': (4, 4)}

    Notes:
        Koutník, Greff, Gomez & Schmidhuber 2014. All groups are computed at each step, and those that stand still are not used;
        ``ag.state(…, every=k)`` is a group that is computed only when it moves.
    """
    x, hidden = check_input(x, over, "clockwork"), check_count(hidden, "clockwork")
    counts = (
        [check_count(p, "clockwork", "as a period") for p in periods] if isinstance(periods, (Sequence, np.ndarray)) else []
    )
    groups = len(counts)
    if not groups or hidden % groups or counts != sorted(set(counts)):
        raise ShapeError(
            "N121", f"clockwork cannot split {hidden} units into groups of the periods {periods!r:.60}",
            where=show_site(user_site()), expected="growing periods whose number divides hidden", got=f"hidden={hidden}",
        )  # fmt: skip
    size = hidden // groups
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, init)
        past = concat([param(f"W{k + 1}", (size, hidden - k * size)) @ h_before[k * size :] for k in range(groups)])
        new = tanh(multiply("U", x, hidden, "b" if bias else None) + past)
        h[over] = where(equal(mod(index(over), np.repeat(counts, size)), 0), new, h_before)
    return h


def echo_state(
    x: Node, hidden: int, *, over: Axis, leak: float = 1.0, radius: float = 0.9, name: str | None = None, bias: bool = True,
    init: Any = None,
) -> Node:  # fmt: skip
    """The echo state network: a random reservoir that is not trained; only what reads it is.

        h_t = (1 - leak) h_{t-1} + leak tanh(U x_t + W h_{t-1} + b)

    Args:
        x, hidden, over, name, bias, init: as for :func:`rnn`.
        leak: between 0 and 1; small numbers make slow units.
        radius: the spectral radius at which ``ag.nn.init.params`` starts W; below 1, old inputs fade in most cases.

    Returns:
        The state h, (H,). Its parameters U, W, b get a gradient of zero; ``ag.nn.init.params`` draws U and b uniformly.

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h = echo_state(ag.input("x", (1,), over=t), 50, over=t, leak=0.3)
        >>> W = ag.nn.init.params(h)["W"]
        >>> round(float(abs(np.linalg.eigvals(W)).max()), 3)
        0.9

    Notes:
        Jaeger 2001; leaky units, Jaeger, Lukoševičius, Popovici & Siewert 2007.
    """
    x, hidden = check_input(x, over, "echo_state"), check_count(hidden, "echo_state")
    leak = check_number(leak, "echo_state", "leak", "a number between 0 and 1", 0.0, 1.0)
    radius = check_number(radius, "echo_state", "radius", "a number ≥ 0", 0.0)
    with open_scope(name):
        h, h_before = make_state("h", x, hidden, over, init)
        U = param("U", (hidden, x.shape[0]), init=initial.uniform(-1.0, 1.0))
        W = param("W", (hidden, hidden), init=initial.spectral_radius(radius))
        z = stop_gradient(U) @ x + stop_gradient(W) @ h_before
        z = z + stop_gradient(param("b", (hidden,), init=initial.uniform(-0.2, 0.2))) if bias else z
        h[over] = (1 - leak) * h_before + leak * tanh(z)
    return h


__all__ = ["Jordan", "clockwork", "echo_state", "irnn", "jordan", "rnn"]
explain_keywords(globals(), __all__)
