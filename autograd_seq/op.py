"""One record per operation: its name, shape rule, forward and vjp side by side, and the registry of all of them.

Why ``forward`` is a generalised ufunc (2026-11): it works on the trailing dimensions of its operands and broadcasts
over any leading ones. That one rule *is* lifting over time, over a batch, over any axis: no operation needs a second
definition to run for all steps at once. ``autograd_seq.ops.lifting`` holds the convention, and a test runs it over
the whole registry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autograd_seq.errors import OperationError

if TYPE_CHECKING:
    from autograd_seq.node import Node

OPS: dict[str, Op] = {}
"""Every operation by name; operators look theirs up here."""

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Functions of higher floors that methods of Node stand for, by name (``x.sum`` is ``FUNCTIONS["sum"]``)."""

BUILT_IN: set[str] = set()
"""The names of the operations that the package defines."""


class Op:
    """What an operation is. Made by :func:`defop`; calling it builds a node.

    Attributes:
        name: unique in the registry.
        shape: ``shape(*shapes, **attrs)`` returns the shape of one point's value, or raises ValueError.
        forward: ``forward(*arrays, **attrs)`` on the trailing dimensions, broadcasting over leading ones; ``None`` for
            structural operations (a state, a shift), which the unroller resolves into edges.
        vjp: ``vjp(g, y, *xs, **attrs)`` returns one cotangent an input, ``None`` for no path; written with nodes and
            operators, so that it can be differentiated again.
        dtype: ``dtype(*dtypes, **attrs)`` returns float, int or bool.
        axes: ``axes(*axes, **attrs)`` returns the axes the result varies over; ``None`` is the union.
        broadcasts: operands broadcast against each other as in NumPy (elementwise operations).
        symbol: what pictures and printed graphs show for it.
    """

    def __init__(self, name: str, shape: Any, forward: Any, vjp: Any, dtype: Any, axes: Any, broadcasts: bool,
                 symbol: str, doc: str) -> None:  # fmt: skip
        self.name, self.shape, self.forward, self.vjp = name, shape, forward, vjp
        self.dtype, self.axes, self.broadcasts, self.symbol = dtype, axes, broadcasts, symbol
        self.__doc__ = doc or f"The operation {name}."

    def __call__(self, /, *inputs: Any, **attrs: Any) -> Node:
        return FUNCTIONS["apply"](self, *inputs, **attrs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def promote(*dtypes: type, **_: Any) -> type:
    """Return the widest kind among bool < int < float."""
    return float if float in dtypes else int if int in dtypes else bool


def first(*dtypes: type, **_: Any) -> type:
    """Return the kind of the first operand."""
    return dtypes[0]


def arithmetic(*dtypes: type, **_: Any) -> type:
    """Return the kind of a sum or product: as :func:`promote`, but bool counts as int."""
    return float if float in dtypes else int


def same_shape(x: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    """Return the shape of the only operand."""
    return x


def broadcast(*shapes: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    """Return the shape NumPy broadcasts the operands to.

    Raises:
        ValueError: the shapes do not broadcast.

    Example:
        >>> broadcast((3, 1), (4,))
        (3, 4)
    """
    first_shape = shapes[0]
    if all(s == first_shape for s in shapes):
        return first_shape
    rank = max(map(len, shapes))
    out = [1] * rank
    for shape in shapes:
        for i, n in enumerate(shape, rank - len(shape)):
            if n != 1:
                if out[i] not in (1, n):
                    raise ValueError("shapes that broadcast against each other")
                out[i] = n
    return tuple(out)


def defop(
    name: str,
    *,
    shape: Callable[..., tuple[int, ...]] = broadcast,
    forward: Callable[..., Any] | None,
    vjp: Callable[..., tuple[Any, ...]],
    dtype: Callable[..., type] | type = float,
    axes: Callable[..., tuple[Any, ...]] | None = None,
    broadcasts: bool | None = None,
    symbol: str | None = None,
    doc: str = "",
) -> Op:
    """Define an operation and enter it into the registry.

    Args:
        name: how it is called in printed graphs and pictures.
        shape: the shape rule, on the shapes of one point's values; the default broadcasts as NumPy does.
        forward: the values, on arrays; it must work on trailing dimensions and broadcast over leading ones.
        vjp: ``vjp(g, y, *xs, **attrs)``: the cotangent of each input from the cotangent ``g`` of the result ``y``,
            written with nodes and operators. Prefer ``y`` to the inputs: it saves memory over time. What broadcasting
            spread is summed back by the engine.
        dtype: the kind of the result, or a rule for it.
        axes: only for operations that change the axes.
        broadcasts: whether operands broadcast elementwise; by default, whether ``shape`` is the broadcasting rule.
        symbol: for pictures; the name by default.
        doc: the docstring of the resulting function.

    Returns:
        The operation, which is called like a function.

    Raises:
        OperationError: the name belongs to a built-in operation, or is not an identifier.

    Example:
        >>> import numpy as np, autograd_seq as ag
        >>> cube = ag.defop("cube", shape=ag.same_shape, forward=lambda x: x**3, vjp=lambda g, y, x: (g * 3 * x * x,))
        >>> a = ag.tensor(2.0)
        >>> y = cube(a)
        >>> y.backward()
        >>> float(y.value), float(a.grad)
        (8.0, 12.0)

    Notes:
        Check yours with :func:`autograd_seq.check_op`, as the suite checks the built-in ones.
    """
    if not name.isidentifier():
        raise OperationError("O101", "an operation needs a name", expected="an identifier", got=repr(name))
    if name in BUILT_IN:
        raise OperationError(
            "O102", f"{name} is a built-in operation", node=name, fix=f'choose another name, e.g. "my_{name}"'
        )
    rule = (lambda *_, **__: dtype) if isinstance(dtype, type) else dtype
    if broadcasts is None:
        broadcasts = shape is broadcast
    op = Op(name, shape, forward, vjp, rule, axes, broadcasts, symbol or name, doc)
    OPS[name] = op
    return op


def seal() -> None:
    """Protect the operations defined so far from being redefined (called once, when the package is imported)."""
    BUILT_IN.update(OPS)
