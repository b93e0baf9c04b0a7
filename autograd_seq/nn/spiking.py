"""Spiking neurons as equations in discrete time, trained through their spikes by surrogate gradients; and codes of spikes.

A neuron spikes where its potential passes a threshold: a step, whose derivative is 0. Backpropagation through time uses the
derivative of a smooth function in its place (``ag.spike``); values stay those of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.frame import check_count, check_input, check_number, check_rows, make_state, multiply, open_scope
from autograd_seq.ops.elementwise import cast, equal, less, log, where
from autograd_seq.ops.leaf import param
from autograd_seq.ops.loss import spike, stop_gradient
from autograd_seq.ops.random import bernoulli
from autograd_seq.ops.rounding import round as rounded
from autograd_seq.ops.time import index, spread

Surrogate = str | Callable[[Node, Any], Node]


class Neurons(NamedTuple):
    """The states of leaky neurons, (H,) each.

    Args:
        s: 1 where a neuron spikes, else 0.
        v: the potential, before the reset.
        i: the synaptic current; ``None`` without synapses.
        a: the adaptation of the threshold; ``None`` without one.
    """

    s: Node
    v: Node
    i: Node | None
    a: Node | None


def lif(
    x: Node, hidden: int, *, over: Axis, decay: Any = 0.9, synapse: Any = None, threshold: Any = 1.0, reset: str = "subtract",
    detach_reset: bool = False, refractory: int = 0, recurrent: bool = False, adaptation: Any = 0.0, adapt_decay: Any = 0.97,
    surrogate: Surrogate = "fast_sigmoid", slope: float = 25.0, name: str | None = None, bias: bool = False, init: Any = None,
) -> Neurons:  # fmt: skip
    """Leaky integrate-and-fire neurons, with a current through synapses and an adaptive threshold if wanted.

        i_t = synapse i_{t-1} + U x_t + W s_{t-1} + b        (without synapses i_t = U x_t + W s_{t-1} + b)
        v_t = decay v_{t-1} + i_t - threshold s_{t-1}        (reset="zero": v_t = decay v_{t-1} (1 - s_{t-1}) + i_t)
        a_t = adapt_decay a_{t-1} + s_{t-1}                  s_t = 1 where v_t > threshold + adaptation a_t, else 0

    Args:
        x, hidden, over: spikes or currents (D,) over ``over``; H, the number of neurons; the axis of time steps.
        decay, synapse: of the potential and of the current in a step, exp(−Δt/τ): numbers, or nodes (H,) such as
            ``ag.sigmoid(ag.param("beta", (H,)))``, between 0 and 1. With ``synapse=None`` there are no synapses.
        threshold, reset: where a neuron spikes, above 0; ``"subtract"`` it, or reset to ``"zero"``, in the step after a spike.
        detach_reset: no gradient flows through the reset.
        refractory: the steps after a spike in which a neuron cannot spike again.
        recurrent: whether neurons read one another's spikes, by W.
        adaptation, adapt_decay: how far a spike raises the threshold, 0 for a fixed one; the decay of this rise in a step.
        surrogate, slope: of the gradient, as for ``ag.spike``.
        name, bias: the scope of its names; whether there is a b.
        init: rows (s, v, i, a) before the first step, each ``None`` for zeros.

    Returns:
        The states. Parameters: U (H, D), W (H, H) if recurrent, b (H,).

    Raises:
        OperationError, AxisError, ShapeError: another word as ``reset``, no such surrogate, a number out of its range, a row
            of a state that there is not; else as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, v, *_ = lif(ag.input("x", (1,), over=t), 1, over=t, decay=0.5)
        >>> spikes, potential = ag.Graph(s, v).evaluate(x=[[0.8]] * 5, U=[[1.0]])
        >>> spikes[:, 0].tolist(), potential[:, 0].round(3).tolist()
        ([0.0, 1.0, 0.0, 0.0, 1.0], [0.8, 1.2, 0.4, 1.0, 1.3])

    Notes:
        Neftci, Mostafa & Zenke 2019; adaptive thresholds, Bellec et al. 2018. Cost as of :func:`ag.nn.rnn`.
    """
    x, hidden = check_input(x, over, "lif"), check_count(hidden, "lif")
    _check_reset(reset)
    for argument, value in (
        ("decay", decay),
        ("adapt_decay", adapt_decay),
        *([] if synapse is None else [("synapse", synapse)]),
    ):
        _check_decay(value, "lif", argument)
    check_number(threshold, "lif", "threshold", "numbers above 0", 0.0, inside=True, each=True)
    check_number(adaptation, "lif", "adaptation", "numbers of 0 and more", 0.0, each=True)
    adapts = isinstance(adaptation, Node) or bool(np.any(adaptation))
    steps = refractory if refractory == 0 else check_count(refractory, "lif", "refractory steps")
    rows = check_rows(init, "a lif", "s v i a")
    for row, letter, there, fix in ((rows[2], "i", synapse is not None, "synapse="), (rows[3], "a", adapts, "adaptation=")):
        if row is not None and not there:
            raise OperationError(
                "N158", f"init= of lif gives a row of {letter}, and these neurons have none", where=show_site(user_site()),
                expected="None for it", got=repr(row)[:80], fix=f"{fix} makes them have it",
            )  # fmt: skip
    with open_scope(name):
        s, s_before = make_state("s", x, hidden, over, rows[0])
        v, v_before = make_state("v", x, hidden, over, rows[1])
        current = multiply("U", x, hidden, "b" if bias else None)
        current = current + param("W", (hidden, hidden)) @ s_before if recurrent else current
        i = None if synapse is None else _make_leaky("i", synapse, current, x, hidden, over, rows[2])
        current = current if i is None else i[over]
        fell = stop_gradient(s_before) if detach_reset else s_before
        kept = decay * v_before
        v[over] = kept * (1 - fell) + current if reset == "zero" else kept + current - threshold * fell
        above = v[over] - threshold
        a = _make_leaky("a", adapt_decay, s_before, x, hidden, over, rows[3]) if adapts else None
        fires = spike(above if a is None else above - adaptation * a[over], surrogate, slope)
        s[over] = _silence(fires, s, over, steps) if steps else fires
    return Neurons(s, v, i, a)


def _make_leaky(name: str, decay: Any, added: Node, x: Node, hidden: int, over: Axis, row: Any) -> Node:
    """Return a state y over the axes of ``x`` that decays and adds up: y_t = decay y_{t-1} + added_t."""
    y, y_before = make_state(name, x, hidden, over, row)
    y[over] = decay * y_before + added
    return y


def _silence(fires: Node, s: Node, over: Axis, steps: int) -> Node:
    """Return the spikes of neurons that have not spiked in the last ``steps`` steps."""
    lately = sum((s[over - k] for k in range(2, steps + 1)), s[over - 1])
    return where(less(0.5, lately), 0.0, fires)


def _check_decay(value: Any, cell: str, argument: str) -> None:
    check_number(value, cell, argument, "numbers of 0 … 1, exp(−Δt/τ) for a time constant τ", 0.0, 1.0, each=True)


def _check_reset(reset: Any) -> None:
    if reset not in ("subtract", "zero"):
        raise OperationError(
            "N130", f"lif has no reset={reset!r:.60}", where=show_site(user_site()), expected='"subtract" or "zero"',
            got=repr(reset)[:80],
        )  # fmt: skip


def leaky_readout(
    x: Node, outputs: int, *, over: Axis, decay: Any = 0.9, name: str | None = None, bias: bool = False, init: Any = None
) -> Node:
    """Neurons that do not spike: a leaky sum of the spikes that they read, y_t = decay y_{t-1} + U x_t + b.

    Args:
        x, over, decay, name, bias: as for :func:`lif`.
        outputs: K.
        init: y₋₁, (K,).

    Returns:
        The state y, (K,). Parameters: U (K, D), b (K,).

    Raises:
        AxisError, ShapeError, StateError: as for :func:`ag.nn.rnn`.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = leaky_readout(ag.input("s", (1,), over=t), 1, over=t, decay=0.5)
        >>> ag.Graph(y).evaluate(s=[[1.0], [0.0], [1.0]], U=[[1.0]])[0][:, 0].tolist()
        [1.0, 0.5, 1.25]

    Notes:
        The readout of Bellec et al. 2020. K (D + 1) multiplications a step.
    """
    x, outputs = check_input(x, over, "leaky_readout"), check_count(outputs, "leaky_readout", "outputs")
    _check_decay(decay, "leaky_readout", "decay")
    with open_scope(name):
        return _make_leaky("y", decay, multiply("U", x, outputs, "b" if bias else None), x, outputs, over, init)


def encode_rate(name: str, x: Any, *, over: Axis | Iterable[Axis]) -> Node:
    """Spikes drawn at each step with the probability x: more spikes for larger values.

    Args:
        name: of the draw; it depends on the seed of the call, the name and the point.
        x: (…,) values between 0 and 1; fed values beyond are taken as 0 or 1.
        over: the axes of the spikes: time, and those of a batch.

    Returns:
        (…,) zeros and ones.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> spikes = encode_rate("s", ag.input("x", (2,)), over=t)
        >>> ag.Graph(spikes).unroll(t=1000).evaluate(x=[0.1, 0.9], seed=0)[0].mean(0).round(1).tolist()
        [0.1, 0.9]
    """
    x = constant(x)
    return bernoulli(name, x, x.shape, over=over)


def encode_latency(x: Any, *, over: Axis, tau: float = 5.0, threshold: float = 0.2) -> Node:
    """One spike for each value, sooner for larger ones: at the step tau log(x / (x - threshold)), rounded.

    Args:
        x: (…,) values, not over ``over``; those up to the threshold never spike.
        over: the axis of time steps.
        tau: the time constant of the neuron, in steps.
        threshold: of the potential of a neuron into which x flows.

    Returns:
        (…,) zeros and ones over ``over``.

    Raises:
        OperationError: ``tau`` or the threshold is not above 0.
        AxisError: ``over`` is several axes; the values vary over it already.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> spikes = encode_latency(ag.input("x", (3,)), over=t)
        >>> ag.Graph(spikes).unroll(t=5).evaluate(x=[1.0, 0.3, 0.1])[0].T.tolist()
        [[0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]

    Notes:
        The time to the first spike of a leaky neuron with a constant current, as Zenke & Vogels 2021 have it.
    """
    x, axes = constant(x), as_axes(over)
    check_number(tau, "encode_latency", "tau", "numbers above 0", 0.0, inside=True, each=True)
    check_number(threshold, "encode_latency", "threshold", "numbers above 0", 0.0, inside=True, each=True)
    if len(axes) != 1 or axes[0] in x.axes:
        raise AxisError(
            "N159", "encode_latency spreads values over one axis, over which they do not vary", node=x.name,
            where=show_site(user_site()), expected="over=t, and values that are constant or vary over a batch",
            got=f"over={over!r:.60}, values over {', '.join(a.name for a in x.axes) or 'no axis'}",
        )  # fmt: skip
    axis = axes[0]
    reaches = less(threshold, x)
    safe = where(reaches, x, 2 * threshold)
    step = where(reaches, rounded(tau * log(safe / (safe - threshold))), -1.0)
    return cast(equal(index(axis), spread(step, axis)), float)


__all__ = ["Neurons", "encode_latency", "encode_rate", "leaky_readout", "lif"]
explain_keywords(globals(), __all__)
