"""Initial values of parameters. Each array depends only on a seed and the parameter's name.

So adding a parameter, or declaring parameters in another order, does not change other arrays (as with ``ops.random``). Matrices
have the shape (out, in): ``W @ x`` reads ``in`` numbers, its fan-in.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd_seq.core.errors import AxisError, DTypeError, OperationError, ShapeError, did_you_mean
from autograd_seq.core.hints import explain_keywords, refuse_unknown_names
from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.nn.draws import Initialiser, fans
from autograd_seq.nn.initialisers import (
    constant,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    identity,
    lecun_normal,
    log_uniform,
    normal,
    orthogonal,
    spectral_radius,
    uniform,
    zeros,
)
from autograd_seq.ops.leaf import PARAM


def params(
    model: Graph | Node | Iterable[Node], seed: int = 0, rules: Mapping[str, Initialiser] | None = None,
    dtype: Any = np.float64,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return a value for every parameter of a graph.

    A rule decides, else the ``init=`` that the parameter was declared with; else square matrices are orthogonal, other matrices
    ``glorot_uniform``, vectors and numbers zero.

    Args:
        model: a graph; or nodes, whose parameters are found.
        seed: a number; an array depends only on it and on the parameter's name.
        rules: initialisers by pattern (``*``, ``?``, ``[…]``), matched against the name and against its part after the last
            ``/``; the first match wins. ``{"bf": constant(1.0), "decoder/W*": identity()}``
        dtype: the width of the arrays; drawn in float64, then rounded.

    Returns:
        Arrays by name, of the declared shapes; one that varies over axes is drawn at each of their points by itself.

    Raises:
        AxisError: a parameter varies over an axis whose length is not declared.
        OperationError: a rule matches no parameter, or is not an initialiser; the seed is not an integer.
        ShapeError: an initialiser does not give the declared shape.
        DTypeError: a parameter is not a float, or ``dtype`` is not a float dtype.

    Example:
        >>> import autograd_seq as ag
        >>> W, b = ag.param("W", (2, 2)), ag.param("b", (2,))
        >>> {name: a.tolist() for name, a in params([W, b], rules={"W": identity()}).items()}
        {'W': [[1.0, 0.0], [0.0, 1.0]], 'b': [0.0, 0.0]}
    """
    graph = model if isinstance(model, Graph) else Graph(model if isinstance(model, Node) else [*model])
    nodes = {name: node for name, node in graph.inputs.items() if node.op is PARAM}
    try:
        width = np.dtype(dtype)
    except TypeError:
        width = np.dtype(object)
    if width.kind != "f":
        raise DTypeError("N112", f"dtype={dtype!r:.60} is not a float type", expected="np.float32, say", got=repr(dtype)[:80])
    if not isinstance(rules or {}, Mapping):
        raise OperationError(
            "N161", f"rules={rules!r:.60} are no table of initialisers", expected='{"W*": init.identity(), …}',
            got=repr(rules)[:80],
        )  # fmt: skip
    chosen = _choose_rules(nodes, dict(rules or {}))
    return {name: _draw_value(name, node, _check_seed(seed), chosen[name]).astype(width) for name, node in nodes.items()}


def _choose_rules(nodes: dict[str, Node], rules: dict[str, Initialiser]) -> dict[str, Initialiser]:
    """Return the initialiser of every parameter; a rule that matches none is refused, as a likely typing error."""
    for pattern, rule in rules.items():
        if not callable(rule):
            raise OperationError(
                "N113", f'the rule "{pattern}" is not an initialiser', expected="a function of shape and seed",
                got=repr(rule)[:80],
                fix=f'{{"{pattern}": init.constant(…)}}',
            )  # fmt: skip
        if not any(_is_match(name, pattern) for name in nodes):
            raise OperationError(
                "N114", f'the rule "{pattern}" matches no parameter', got=f'"{pattern}"', fix=did_you_mean(pattern, nodes)
            )
    return {
        name: next((rule for pattern, rule in rules.items() if _is_match(name, pattern)), _choose_default(node))
        for name, node in nodes.items()
    }


def _is_match(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[2], pattern)


def _choose_default(node: Node) -> Initialiser:
    """Return the rule that a parameter was declared with, else one by its shape."""
    if "init" in node.attrs:
        return node.attrs["init"]
    if len(node.shape) < 2:
        return zeros()
    return orthogonal() if len(node.shape) == 2 and node.shape[0] == node.shape[1] else glorot_uniform()


def _check_seed(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise OperationError(
            "N115", f"seed={seed!r:.60} is not an integer", expected="an integer", got=repr(seed)[:80]
        ) from None


def _draw_value(name: str, node: Node, seed: int, initialise: Initialiser) -> np.ndarray:
    if node.dtype is not float:
        raise DTypeError(
            "N116", f"{name} is not a float parameter, and no value can be drawn for it", node=name, where=node.where,
            got=node.dtype.__name__,
            expected="float", fix=f"feed {name} yourself, and give the other parameters as a list",
        )  # fmt: skip
    digest = hashlib.blake2b(repr((seed, name)).encode(), digest_size=16).digest()
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    unknown = [axis for axis in node.axes if axis.size is None]
    if unknown:
        raise AxisError(
            "N143", f"{name} varies over {unknown[0]}, whose length is not known", node=name, where=node.where,
            expected="axes of a declared size", got=f'ag.Axis("{unknown[0].name}")',
            fix=f'ag.Axis("{unknown[0].name}", size=4), or feed {name} yourself',
        )  # fmt: skip
    counts = tuple(axis.size or 0 for axis in node.axes)
    values = [np.asarray(initialise(node.shape, generator)) for _ in range(math.prod(counts))]
    if wrong := [value for value in values if value.shape != node.shape]:
        raise ShapeError(
            "N117", f"the initialiser of {name} gives shape {wrong[0].shape}, but {name} has {node.shape}", node=name,
            where=node.where,
            expected=str(node.shape), got=str(wrong[0].shape),
        )  # fmt: skip
    return np.reshape(np.array(values, float), (*counts, *node.shape))


__all__ = [
    "Initialiser", "constant", "fans", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
    "lecun_normal", "log_uniform", "normal", "orthogonal", "params", "spectral_radius", "uniform", "zeros",
]  # fmt: skip
explain_keywords(globals(), ["params"])

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag.nn.init", __all__)
