"""Random nodes. A draw depends on the seed, the node's name and the index point alone.

That is why unrolled, compiled, batched and recomputed runs agree bit for bit: nothing depends on the order of evaluation.
The generator is Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), keyed by a hash of the three.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import OperationError, ShapeError
from autograd_seq.core.facts import ABSENT, FINITE
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import UNIQUE, Node, constant
from autograd_seq.core.op import defop
from autograd_seq.core.sites import add_scope, show_site, user_site
from autograd_seq.ops.elementwise import less, log, where
from autograd_seq.ops.leaf import INPUT, as_shape
from autograd_seq.ops.statistics import argmax

SEED = Node(INPUT, (), {"default": 0}, (), int, (), name="seed")
"""The seed of all draws of a run: ``evaluate(seed=3, …)``; 0 if it is not fed."""
TRAIN = Node(INPUT, (), {"default": True}, (), bool, (), name="train")
"""Whether dropout and zoneout draw: ``step(train=False, …)`` evaluates; true if it is not fed."""
UNIQUE["seed"], UNIQUE["train"] = SEED, TRAIN


def _draw(seed: Any, *steps: Any, name: str, kind: str, shape: Any, over: Any, point: Any = (), places: Any = ()) -> Any:
    for step, place in zip(steps, places, strict=True):  # step numbers that a carry counts on take their places in the point
        point = (*point[:place], int(step), *point[place:])
    digest = hashlib.blake2b(repr((int(seed), name, tuple(point))).encode(), digest_size=16).digest()
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    return generator.random(shape) if kind == "uniform" else generator.standard_normal(shape)


DRAW = defop(
    "draw", shape=lambda *seeds, shape, **_: shape, forward=_draw, symbol="rand",
    axes=lambda seed, *steps, over, **_: tuple(dict.fromkeys([*over, *(a for s in steps for a in s)])),
    vjp=lambda g, y, *seeds, **_: (None,) * len(seeds),
    native=ABSENT, linear=(), range=FINITE, zero_safe=True,
)  # fmt: skip


def number_draws(node: Node, axis: Axis, step: Node, inputs: Sequence[Node]) -> Node:
    """Return the draws of a node, with the step number on an axis read from ``step`` instead of the position in the call."""
    over, place = node.attrs["over"], node.attrs["over"].index(axis)
    attrs = {"over": tuple(a for a in over if a is not axis), "places": (place, *node.attrs.get("places", ()))}
    return DRAW(inputs[0], step, *inputs[1:], **{**node.attrs, **attrs})


def _make_source(name: str, kind: str, shape: Any, over: Any) -> Node:
    full = add_scope(name)
    return DRAW(SEED, name=full, kind=kind, shape=as_shape(shape, full), over=as_axes(over))


def uniform(
    name: str, shape: int | Sequence[int] = (), *, over: Axis | Iterable[Axis], low: Any = 0.0, high: Any = 1.0
) -> Node:
    """Uniform draws between ``low`` and ``high``, which have gradients (by reparameterisation).

    Args:
        name: draws depend on it: a node of the same name, distribution and shape in another graph draws the same numbers from
            the same seed. Names are unique within a graph.
        shape: of one point's value.
        over: the axes that the draws vary over, a required argument; ``over=()`` is one draw for the whole sequence.
        low, high: numbers or nodes.

    Returns:
        A node of the shape, over ``over``.

    Example:
        >>> t = Axis("t")
        >>> uniform("u", (3,), over=t).axes
        (t,)

    Notes:
        The numbers of a point depend on the seed of the call, the name and the point alone (Philox; Salmon, Moraes, Dror & Shaw
        2011). A generator for each point takes about 20 µs, a number 20 ns.
    """
    return (low + (high - low) * _make_source(name, "uniform", shape, over)).named(name)


def normal(name: str, shape: int | Sequence[int] = (), *, over: Axis | Iterable[Axis], mean: Any = 0.0, std: Any = 1.0) -> Node:
    """Normal draws, with gradients for ``mean`` and ``std`` (by reparameterisation).

    Args:
        name, shape, over: as for :func:`uniform`.
        mean, std: numbers or nodes.

    Returns:
        A node of the shape, over ``over``.

    Example:
        >>> normal("noise", (3,), over=()).axes
        ()
    """
    return (mean + std * _make_source(name, "normal", shape, over)).named(name)


def categorical(name: str, logits: Any, *, over: Axis | Iterable[Axis]) -> Node:
    """A class drawn with the probabilities softmax(logits); no gradient for ``logits``.

    Args:
        name, over: as for :func:`uniform`.
        logits: (K,) scores; divided by a temperature below 1, likely classes become likelier.

    Returns:
        An integer from 0 to K − 1, over ``over`` and the axes of the logits.

    Raises:
        ShapeError: ``logits`` is no vector.

    Example:
        >>> t = Axis("t")
        >>> categorical("symbol", [0.0, 0.0, 1.0], over=t)
        symbol[t]: int

    Notes:
        The largest of logits plus Gumbel noise (Gumbel 1954; Maddison, Tarlow & Minka 2014). With
        ``ag.straight_through(ag.one_hot(i, K), ag.softmax(logits))`` the class has the gradient of the probabilities.
    """
    logits = constant(logits)
    if len(logits.shape) != 1:
        raise ShapeError("S131", f"the logits of {name} have shape {logits.shape}", node=logits.name,
                         where=show_site(user_site()), expected="(K,)", got=str(logits.shape))  # fmt: skip
    noise = -log(-log(_make_source(name, "uniform", logits.shape, over)))
    return argmax(logits + noise, axis=-1).named(name)


def bernoulli(name: str, p: Any, shape: int | Sequence[int] = (), *, over: Axis | Iterable[Axis]) -> Node:
    """1 with probability ``p``, else 0; no gradient for ``p``.

    Args:
        name, shape, over: as for :func:`uniform`: ``over=()`` is one mask for the whole sequence.
        p: the probability of a 1, a number or node.

    Returns:
        A node of 0 and 1 of the shape, over ``over``.

    Raises:
        OperationError: the value of ``p`` is known, and not a probability.

    Example:
        >>> t = Axis("t")
        >>> mask = bernoulli("mask", 0.5, (4,), over=t)
    """
    known = p._value if isinstance(p, Node) else p
    if known is not None and not np.all((np.asarray(known) >= 0) & (np.asarray(known) <= 1)):
        raise OperationError("O108", f"p={known} of {name} is not a probability", expected="0 ≤ p ≤ 1", got=str(known))
    return where(less(_make_source(name, "uniform", shape, over), p), 1.0, 0.0).named(name)


__all__ = ["bernoulli", "categorical", "normal", "uniform"]
explain_keywords(globals(), __all__)
