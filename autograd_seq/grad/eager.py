"""Reverse mode for eager expressions: vjp rules are written with operators only, so they run on arrays as well as on nodes."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from autograd_seq.core.errors import GradientError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import CONSTANT, Node, constant
from autograd_seq.grad.live import select_cotangents
from autograd_seq.grad.rules import check_cotangents, list_passed_by
from autograd_seq.graph.order import postorder
from autograd_seq.ops.forms import rewritten

_float64 = np.float64
_inputs = attrgetter("inputs")


def backward(output: Node, cotangent: Any = None) -> None:
    """Add the derivative of ``output`` to ``.grad`` of everything it was computed from; see :meth:`Node.backward`."""
    seed = _make_seed(output, cotangent)
    order = postorder([output], _inputs)
    careful = cotangent is not None or any([n.op.chooses for n in order])
    found: dict[Node, Any] = {output: seed}
    with np.errstate(all="ignore"):
        for node in reversed(order):
            g = found.pop(node, None)
            if g is None:
                continue
            width = node._value.dtype
            if g.dtype != width and g.dtype.kind == width.kind:  # a Python number has no width, but its value has
                g = g.astype(width)
            node._grad = g if node._grad is None else node._grad + g
            inputs = node.inputs
            if not inputs:
                continue
            if node.op is rewritten:
                for x, part in list_passed_by(g, node, lambda g, x: g, fit_array, attrgetter("_value")):
                    x._grad = part if x._grad is None else x._grad + part
            if careful and not _is_finite(node):
                parts = select_cotangents(node, constant(g), constant(np.not_equal(g, 0)))
            else:
                parts = node.op.vjp(g, node._value, *[x._value for x in inputs], **node.attrs)
            if node.op.own:
                check_cotangents(node, parts)
            for x, part in zip(inputs, parts):  # noqa: B905  (strict= costs a tenth of the loop)
                if part is None or x.op is CONSTANT or x.dtype is not float:
                    continue
                if type(part) is not _float64 or x.shape:  # scalars, the bulk of a scalar expression, fit as they are
                    if type(part) is Node:
                        part = part._value
                    elif type(part) in (float, int):
                        part = np.asarray(part, width)
                    if part.shape != x.shape:
                        part = fit_array(part, x)
                if x in found:
                    found[x] = found[x] + part  # never in place: rules may return one array twice
                else:
                    found[x] = part


def _make_seed(output: Node, cotangent: Any) -> Any:
    """Return the cotangent from which the walk starts: ones by default.

    Raises:
        GradientError: the output is no float with a value, or the cotangent has another shape.
    """
    value = output._value
    if value is None or output.dtype is not float or (cotangent is None and output.shape):
        raise GradientError(
            "E105", f"{label_of(output)} is not a float scalar with a value, so .backward() cannot start there",
            node=output.name, where=output.where,
            expected="a float scalar that carries its value", got=repr(output),
            fix="ag.sum(…) makes one number of many, or .backward(cotangent)" if value is not None and output.dtype is float
            else "of a graph that is fed: loss, grads = ag.value_and_grad(L)(x=…); ag.tensor(…) are values from the start",
        )  # fmt: skip
    seed = np.ones_like(value)[()] if cotangent is None else np.array(cotangent, dtype=value.dtype)[()]
    if seed.shape != output.shape:
        raise GradientError("E106", f"the cotangent has shape {seed.shape}, but the output {output.shape}", node=output.name,
                            expected=str(output.shape), got=str(seed.shape))  # fmt: skip
    return seed


def _is_finite(node: Node) -> bool:
    """Tell whether the values that a rule multiplies are finite, so that 0 times them is 0."""
    return all([np.all(np.isfinite(x._value)) for x in (node, *node.inputs)])


def fit_array(g: Any, like: Node) -> Any:
    """Return a contribution summed over the dimensions that its target lacks."""
    g = np.asarray(g._value if type(g) is Node else g)
    extra = g.ndim - len(like.shape)
    if extra > 0:
        g = g.sum(axis=tuple(range(extra)))
    dims = tuple(i for i, (n, m) in enumerate(zip(g.shape, like.shape[len(like.shape) - g.ndim :], strict=True)) if m == 1 != n)
    return np.broadcast_to(g.sum(axis=dims, keepdims=True) if dims else g, like.shape)


FUNCTIONS.update(backward=backward)
__all__ = ["backward", "fit_array"]
