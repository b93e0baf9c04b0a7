"""Leaves: values that are fed at run time (inputs, parameters), and values that are known already (tensors)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis, as_axes
from autograd_seq.core.errors import DTypeError, OperationError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import get_kind, refuse_mask, widen_integers
from autograd_seq.core.node import STRONG, Named, Node
from autograd_seq.core.op import defop
from autograd_seq.core.sites import add_scope, get_scope, show_site, user_site

INPUT = defop("input", shape=lambda: (), forward=None, vjp=lambda g, y: (), flops=0)
PARAM = defop("param", shape=lambda: (), forward=None, vjp=lambda g, y: (), flops=0)
TENSOR = defop("tensor", shape=lambda: (), forward=None, vjp=lambda g, y: (), flops=0)

_KINDS = {"float": float, "int": int, "bool": bool}


def as_kind(dtype: Any, name: str | None) -> type:
    """Return float, int or bool for a kind, its name or a NumPy dtype; the width is not part of a node's type."""
    if isinstance(dtype, type) and dtype in (float, int, bool):
        return dtype
    if isinstance(dtype, str) and dtype in _KINDS:
        return _KINDS[dtype]
    try:
        return get_kind(np.empty(0, dtype=dtype))
    except TypeError:
        raise DTypeError(
            "D104", f"{name or 'a value'} has dtype={dtype!r:.60}, which is not a kind of number", node=name,
            expected="float, int or bool",
            got=repr(dtype), fix="leave the width to the data, or give it as dtype= of ag.compile or evaluate",
        ) from None  # fmt: skip


def as_shape(shape: Any, name: str | None) -> tuple[int, ...]:
    """Return a shape as a tuple of non-negative integers."""
    try:
        dims = (operator.index(shape),) if not isinstance(shape, Sequence) else tuple(map(operator.index, shape))
        if min(dims, default=0) < 0:
            raise TypeError
    except TypeError:
        raise ShapeError(
            "S113", f"{name or 'a value'} is given {shape!r:.60}, which is not a shape", node=name,
            expected="a tuple of non-negative integers",
            got=repr(shape), fix="time is an axis, not a dimension: write over=t",
        ) from None  # fmt: skip
    return dims


def _leaf(op: Any, name: str, shape: Any, over: Any, dtype: Any) -> Named:
    full = add_scope(name)
    kind, axes = as_kind(dtype, full), as_axes(over)
    return Named(op, (), {}, as_shape(shape, full), kind, axes, name=full, site=user_site(), scope=get_scope())


def input(
    name: str, shape: int | Sequence[int] = (), *, over: Axis | Iterable[Axis] | None = None, dtype: Any = float,
    default: Any = None,
) -> Named:  # fmt: skip
    """Declare data that is fed at run time, one value at each point of its axes.

    Args:
        name: its name, the keyword by which it is fed.
        shape: of the value at one point; time is not part of it.
        over: the axes it varies over, in the order in which feeds lay them out, before the value's dimensions.
        dtype: float, int (class indices) or bool.
        default: the value of a call that does not feed it, for an input over no axes: a rate, or ``True`` for a switch.

    Returns:
        A node without a value.

    Raises:
        DTypeError, ShapeError: the default has another kind or shape, or the input varies over axes.

    Example:
        >>> t = Axis("t")
        >>> input("x", (3,), over=t)
        x[t]: float[3]
    """
    node = _leaf(INPUT, name, shape, over, dtype)
    if default is not None:
        value = np.asarray(default)
        if get_kind(value) is not node.dtype and not (node.dtype is float and get_kind(value) is int):
            raise DTypeError(
                "D107", f"the default of {node.name} is {default!r:.60}", node=node.name, where=show_site(user_site()),
                expected=node.dtype.__name__, got=str(value.dtype),
            )  # fmt: skip
        if node.axes or value.shape != node.shape:
            raise ShapeError(
                "S130", f"the default of {node.name} has shape {value.shape}", node=node.name, where=show_site(user_site()),
                expected=f"{node.shape}, of an input over no axes", got=f"{value.shape}, of {node!r:.60}",
            )  # fmt: skip
        node.attrs["default"] = value.astype(node.dtype)[()]
    return node


def param(
    name: str, shape: int | Sequence[int] = (), *, over: Axis | Iterable[Axis] | None = None, dtype: Any = float,
    init: Callable[..., Any] | None = None,
) -> Named:  # fmt: skip
    """Declare a parameter: one node however often it is read, fed by name, and the same at all steps.

    Args:
        name: its name, the keyword by which it is fed.
        shape: of the array; of the one at each point, where it varies over axes.
        over: axes along which it differs: heads, layers, experts. In feeds and gradients they come first, before ``shape``.
            ``ag.Axis("head", size=4)`` lets ``ag.nn.init.params`` know how many to draw.
        dtype: float, or int or bool for one without a gradient.
        init: the initialiser that ``ag.nn.init.params`` uses unless it is given another: ``ag.nn.init.constant(1.0)``, or any
            function of ``(shape, seed)``. The parameter itself stays without a value.

    Returns:
        A node without a value.

    Example:
        >>> param("W", (4, 4))
        W: float[4, 4]
        >>> param("V", (4, 4), over=Axis("expert", size=3))
        V[expert]: float[4, 4]
    """
    node = _leaf(PARAM, name, shape, over, dtype)
    if init is not None:
        if not callable(init):
            raise OperationError(
                "N119", f"init= of {node.name} is {init!r:.60}, which is not an initialiser", node=node.name,
                where=show_site(user_site()), expected="a function of shape and seed", got=repr(init)[:80],
                fix="init=ag.nn.init.constant(1.0); values themselves are fed when a program is called",
            )  # fmt: skip
        node.attrs["init"] = init
    return node


def tensor(value: Any, *, name: str | None = None, dtype: Any = None) -> Node:
    """Return a leaf that holds a value: expressions of it are computed at once (eager mode).

    Args:
        value: a number or array; it is copied. Python numbers and lists become float64, arrays keep their width.
        name: for graphs, pictures and errors.
        dtype: a NumPy dtype, if another width or kind is wanted.

    Returns:
        A node with a value; ``y.backward()`` of what is computed from it adds the gradient to its ``.grad``.

    Raises:
        DTypeError: the value is not numeric.

    Example:
        >>> a, b = tensor(2.0, name="a"), tensor([1.0, -3.0], name="b")
        >>> c = (a * b).sum()
        >>> c.backward()
        >>> float(c.value), b.grad
        (-4.0, array([2., 2.]))
    """
    if dtype is None and not isinstance(value, (np.ndarray, np.generic)):
        dtype = np.float64
    try:
        array = widen_integers(np.array(refuse_mask(value, name or "a value"), dtype=dtype), name or "a value")
    except DTypeError:
        raise
    except (TypeError, ValueError) as error:
        raise DTypeError(
            "D103",
            "the value given to ag.tensor is not a regular array of numbers",
            node=name,
            got=f"a value that NumPy refuses: {error}",
            fix="ag.tensor([1.0, 2.0])",
        ) from None
    full = add_scope(name) if name is not None else None
    return Node(TENSOR, (), {}, array.shape, get_kind(array), (), array[()], STRONG, name=full)


__all__ = ["input", "param", "tensor"]
explain_keywords(globals(), __all__)
