"""Optimisers as pure functions on dicts of arrays: arguments are not modified, and the new state is returned.

    state = optimizer.init(params)
    params, state = optimizer.update(params, grads, state)

Every parameter keeps its dtype, to which its gradient is rounded. All formulas are those of ``torch.optim``, with
which the tests compare them step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.errors import DTypeError, GradientError, OperationError, ShapeError, did_you_mean
from autograd_seq.core.hints import explain_keywords
from autograd_seq.learn.schedule import Schedule, check_number, get_rate

Arrays = dict[str, np.ndarray]


class State(NamedTuple):
    """What an optimiser remembers: plain data, which can be saved.

    Args:
        step: the number of updates made.
        slots: by the name of a quantity (``"velocity"``, ``"square"``), an array for each parameter.
    """

    step: int
    slots: dict[str, Arrays]


class Stride(NamedTuple):
    """A step of an optimiser that computes the loss itself.

    Args:
        params, state: after it.
        loss, grads: before it.
    """

    params: Arrays
    state: State
    loss: float
    grads: Arrays


Evaluate = Callable[[Arrays], tuple[float, Mapping[str, Any]]]
"""Parameters -> the loss, and its gradients by name."""


class Optimizer(NamedTuple):
    """Two functions; made by :func:`sgd`, :func:`adam` and others.

    Args:
        init: parameters -> the state before the first update.
        update: parameters, gradients, state -> new parameters and state. Raises GradientError, ShapeError or DTypeError
            where a gradient does not belong to its parameter, OperationError where the state does not.
        minimize: of optimisers that compute the loss as often as they like: what computes it and its gradients, parameters and
            state -> one :class:`Stride` after another, until the loss does not get less.
    """

    init: Callable[[Mapping[str, Any]], State]
    update: Callable[[Mapping[str, Any], Mapping[str, Any], State], tuple[Arrays, State]]
    minimize: Callable[[Evaluate, Arrays, State], Iterator[Stride]] | None = None


_Rule = Callable[[Any, Any, float, int, dict[str, Any]], tuple[Any, dict[str, Any]]]
"""(parameter, gradient, rate, number of the update from 1, slots) -> (parameter, slots), of one parameter."""


def _make_optimizer(rate: float | Schedule, slots: tuple[str, ...], rule: _Rule) -> Optimizer:
    """Return the optimiser that applies a rule to each parameter."""
    if not callable(rate):
        get_rate(rate, 0)

    def init(params: Mapping[str, Any]) -> State:
        arrays = check_floats(params)
        return State(0, {slot: {name: np.zeros_like(p) for name, p in arrays.items()} for slot in slots})

    def update(params: Mapping[str, Any], grads: Mapping[str, Any], state: State) -> tuple[Arrays, State]:
        arrays = check_floats(params)
        _check_gradients(arrays, grads, state, slots)
        eta, n = get_rate(rate, state.step), state.step + 1
        new: Arrays = {}
        kept: dict[str, Arrays] = {slot: {} for slot in slots}
        with np.errstate(all="ignore"):  # overflow gives inf, as in compiled programs
            for name, p in arrays.items():
                g = np.asarray(grads[name]).astype(p.dtype)
                moved, after = rule(p, g, eta, n, {slot: state.slots[slot][name] for slot in slots})
                new[name] = np.asarray(moved, dtype=p.dtype)
                for slot in slots:
                    kept[slot][name] = np.asarray(after[slot], dtype=p.dtype)
        return new, State(n, kept)

    return Optimizer(init, update)


def check_floats(params: Mapping[str, Any]) -> Arrays:
    """Return parameters as arrays.

    Raises:
        DTypeError: one does not hold floats.
    """
    arrays = {name: np.asarray(p) for name, p in params.items()}
    for name, p in arrays.items():
        if p.dtype.kind != "f":
            raise DTypeError(
                "L101", f"{name} cannot be trained: it is not an array of floats", node=name, expected="an array of floats",
                got=f"an array of {p.dtype}", fix=f"np.asarray({name}, dtype=float), or feed it with the data",
            )  # fmt: skip
    return arrays


def _check_gradients(params: Arrays, grads: Mapping[str, Any], state: State, slots: tuple[str, ...]) -> None:
    """Refuse gradients and states that belong to other parameters."""
    for name, p in params.items():
        if name not in grads:
            raise GradientError(
                "L102", f"{name} has no gradient", node=name, expected=f"gradients of {', '.join(params)}",
                got=", ".join(grads) or "none", fix=f"differentiate with respect to {name}, or feed it with the data",
            )  # fmt: skip
        g = np.asarray(grads[name])
        if g.dtype.kind not in "fiub":
            raise DTypeError(
                "L103", f"the gradient of {name} is not an array of numbers", node=name, got=repr(grads[name])[:80]
            )
        if g.shape != p.shape:
            raise ShapeError(
                "L104", f"the gradient of {name} has shape {g.shape}, but {name} has {p.shape}", node=name,
                expected=str(p.shape), got=str(g.shape),
            )  # fmt: skip
    if unknown := [name for name in grads if name not in params]:
        raise GradientError(
            "L105", f'there is no parameter "{unknown[0]}"', node=unknown[0], got=f"a gradient of {unknown[0]}",
            fix=did_you_mean(unknown[0], params),
        )  # fmt: skip
    shapes = {name: p.shape for name, p in params.items()}
    if set(state.slots) != set(slots) or any({k: v.shape for k, v in s.items()} != shapes for s in state.slots.values()):
        raise make_state_error(params, state, slots)


def make_state_error(params: Mapping[str, Any], state: State, slots: tuple[str, ...]) -> OperationError:
    """Return the error about a state that does not hold these slots for these parameters."""
    return OperationError(
        "L107", "the state belongs to another optimizer, or to other parameters", fix="state = optimizer.init(params)",
        expected=f"{', '.join(slots) or 'nothing'} for {', '.join(params)}",
        got="; ".join(f"{slot} for {', '.join(s)}" for slot, s in state.slots.items()) or "nothing",
    )  # fmt: skip


def sgd(rate: float | Schedule, weight_decay: float = 0.0) -> Optimizer:
    """Gradient descent: p ← p - rate (g + weight_decay p).

    Args:
        rate: a number, or a function of the step.
        weight_decay: of the penalty weight_decay/2 |p|².

    Returns:
        An :class:`Optimizer`.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> descent = sgd(0.1)
        >>> params, state = descent.update({"w": 1.0}, {"w": 2.0}, descent.init({"w": 1.0}))
        >>> float(params["w"]), state.step
        (0.8, 1)

    Notes:
        Robbins & Monro 1951.
    """
    decay = check_number("weight_decay", weight_decay)
    return _make_optimizer(rate, (), lambda p, g, eta, n, s: (p - eta * (g + decay * p), {}))


def momentum(rate: float | Schedule, beta: float = 0.9, nesterov: bool = False) -> Optimizer:
    """Descent with a velocity: v ← beta v + g, p ← p - rate v.

    Args:
        rate: as for :func:`sgd`.
        beta: what remains of the velocity, 0 ≤ beta < 1.
        nesterov: look ahead: p ← p - rate (g + beta v).

    Returns:
        An :class:`Optimizer`.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> heavy = momentum(0.1)
        >>> params, state = heavy.update({"w": 1.0}, {"w": 2.0}, heavy.init({"w": 1.0}))
        >>> float(heavy.update(params, {"w": 2.0}, state)[0]["w"].round(12))
        0.42

    Notes:
        Polyak 1964; Nesterov 1983 in the form of Sutskever, Martens, Dahl & Hinton 2013.
    """
    beta = check_number("beta", beta, below=1)

    def rule(p: Any, g: Any, eta: float, n: int, s: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        v = beta * s["velocity"] + g
        return p - eta * (g + beta * v if nesterov else v), {"velocity": v}

    return _make_optimizer(rate, ("velocity",), rule)


def adam(rate: float | Schedule = 1e-3, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """Adaptive moments: running means m of g and v of g², corrected for their start at zero; p ← p - rate m/(√v + eps).

    Args:
        rate: as for :func:`sgd`; about the length of a step of every entry.
        b1, b2: the decay rates of the means, 0 ≤ b < 1.
        eps: keeps the quotient finite.

    Returns:
        An :class:`Optimizer`.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> adaptive = adam(0.1)
        >>> params, state = adaptive.update({"w": 1.0}, {"w": 2.0}, adaptive.init({"w": 1.0}))
        >>> round(float(params["w"]), 6)
        0.9

    Notes:
        Kingma & Ba 2015.
    """
    return adamw(rate, b1, b2, eps, weight_decay=0.0)


def adamw(
    rate: float | Schedule = 1e-3, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.01
) -> Optimizer:
    """Adam with decoupled weight decay: p ← (1 - rate weight_decay) p before each step, not scaled by Adam's quotient.

    Args:
        rate, b1, b2, eps: as for :func:`adam`.
        weight_decay: every step subtracts rate · weight_decay · p.

    Returns:
        An :class:`Optimizer`.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> decayed = adamw(0.1, weight_decay=0.5)
        >>> params, state = decayed.update({"w": 1.0}, {"w": 2.0}, decayed.init({"w": 1.0}))
        >>> round(float(params["w"]), 6)
        0.85

    Notes:
        Loshchilov & Hutter 2019.
    """
    b1, b2 = check_number("b1", b1, below=1), check_number("b2", b2, below=1)
    eps, decay = check_number("eps", eps), check_number("weight_decay", weight_decay)

    def rule(p: Any, g: Any, eta: float, n: int, s: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        m = b1 * s["mean"] + (1 - b1) * g
        v = b2 * s["square"] + (1 - b2) * g * g
        step = m / (1 - b1**n) / (np.sqrt(v / (1 - b2**n)) + eps)
        return (1 - eta * decay) * p - eta * step, {"mean": m, "square": v}

    return _make_optimizer(rate, ("mean", "square"), rule)


def rmsprop(
    rate: float | Schedule = 1e-2, decay: float = 0.99, eps: float = 1e-8, *, momentum: float = 0.0, centered: bool = False
) -> Optimizer:
    """Divide by the running size of the gradient: v ← decay v + (1 - decay) g², p ← p - rate g/(√v + eps).

    Args:
        rate: as for :func:`sgd`.
        decay: what remains of v at each step, 0 ≤ decay < 1.
        eps: keeps the quotient finite.
        momentum: what remains of the velocity, which adds up the quotients; 0 is none.
        centered: divide by the variance of g: v minus the square of a running mean of g.

    Returns:
        An :class:`Optimizer`.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> scaled = rmsprop(0.1, decay=0.75)
        >>> params, state = scaled.update({"w": 1.0}, {"w": 2.0}, scaled.init({"w": 1.0}))
        >>> round(float(params["w"]), 6)
        0.8

    Notes:
        Tieleman & Hinton 2012; centred, Graves 2013.
    """
    decay, beta = check_number("decay", decay, below=1), check_number("momentum", momentum, below=1)
    eps = check_number("eps", eps)

    def rule(p: Any, g: Any, eta: float, n: int, s: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        after = {"square": decay * s["square"] + (1 - decay) * g * g}
        size = after["square"]
        if centered:
            after["mean"] = decay * s["mean"] + (1 - decay) * g
            size = np.maximum(size - after["mean"] ** 2, 0)  # rounding makes a variance of nothing negative
        step = g / (np.sqrt(size) + eps)
        if beta:
            after["velocity"] = step = beta * s["velocity"] + step
        return p - eta * step, after

    return _make_optimizer(rate, ("square", *(["mean"] if centered else []), *(["velocity"] if beta else [])), rule)


__all__ = ["Arrays", "Optimizer", "State", "adam", "adamw", "momentum", "rmsprop", "sgd"]
explain_keywords(globals(), __all__)
