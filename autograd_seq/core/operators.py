"""What can be written with a node: operators, NumPy's functions for them, the index notation, and methods named like functions.

Each calls the function of its name (:mod:`autograd_seq.core.functions`), which is defined on a higher floor: nothing is
computed here, and no operation is known. What a node is stands in :mod:`autograd_seq.core.node`.
"""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import METHODS, make_no_attribute_error, make_not_for_nodes_error
from autograd_seq.core.misfit import label_of
from autograd_seq.core.sites import show_site, user_site

N = TypeVar("N")  # Node, which is defined with this class as its base


class Operators(Generic[N]):
    """The operators and methods of nodes, each of which makes a node."""

    __slots__ = ()

    # -- arithmetic -----------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> N:
        return FUNCTIONS["add"](self, other)

    def __radd__(self, other: Any) -> N:
        return FUNCTIONS["add"](other, self)

    def __sub__(self, other: Any) -> N:
        return FUNCTIONS["sub"](self, other)

    def __rsub__(self, other: Any) -> N:
        return FUNCTIONS["sub"](other, self)

    def __mul__(self, other: Any) -> N:
        return FUNCTIONS["mul"](self, other)

    def __rmul__(self, other: Any) -> N:
        return FUNCTIONS["mul"](other, self)

    def __truediv__(self, other: Any) -> N:
        return FUNCTIONS["div"](self, other)

    def __rtruediv__(self, other: Any) -> N:
        return FUNCTIONS["div"](other, self)

    def __mod__(self, other: Any) -> N:
        return FUNCTIONS["mod"](self, other)

    def __rmod__(self, other: Any) -> N:
        return FUNCTIONS["mod"](other, self)

    def __floordiv__(self, other: Any) -> N:
        return FUNCTIONS["floor_divide"](self, other)

    def __rfloordiv__(self, other: Any) -> N:
        return FUNCTIONS["floor_divide"](other, self)

    def __pow__(self, exponent: Any) -> N:
        return FUNCTIONS["power"](self, exponent)

    def __rpow__(self, base: Any) -> N:
        return FUNCTIONS["power"](base, self)

    def __matmul__(self, other: Any) -> N:
        return FUNCTIONS["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> N:
        return FUNCTIONS["matmul"](other, self)

    def __neg__(self) -> N:
        return FUNCTIONS["neg"](self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> N:
        return FUNCTIONS["abs"](self)

    def __round__(self, decimals: int = 0) -> N:
        return FUNCTIONS["round"](self, decimals)

    # -- comparisons and logic ------------------------------------------------------------------------------------

    __hash__ = object.__hash__

    def __eq__(self, other: Any) -> N:  # type: ignore[override]
        return FUNCTIONS["equal"](self, other)

    def __ne__(self, other: Any) -> N:  # type: ignore[override]
        return FUNCTIONS["not_equal"](self, other)

    def __lt__(self, other: Any) -> N:
        return FUNCTIONS["less"](self, other)

    def __le__(self, other: Any) -> N:
        return FUNCTIONS["less_equal"](self, other)

    def __gt__(self, other: Any) -> N:
        return FUNCTIONS["less"](other, self)

    def __ge__(self, other: Any) -> N:
        return FUNCTIONS["less_equal"](other, self)

    def __invert__(self) -> N:
        return FUNCTIONS["logical_not"](self)

    def __and__(self, other: Any) -> N:
        return FUNCTIONS["logical_and"](self, other)

    def __rand__(self, other: Any) -> N:
        return FUNCTIONS["logical_and"](other, self)

    def __or__(self, other: Any) -> N:
        return FUNCTIONS["logical_or"](self, other)

    def __ror__(self, other: Any) -> N:
        return FUNCTIONS["logical_or"](other, self)

    # -- NumPy's functions ----------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> N:
        """Make a node of array + node, np.float64(2) * node, …; refuse other functions of NumPy, and name the one to call."""
        function = _OPERATORS.get(ufunc.__name__) if method == "__call__" and not options else None
        if function is None:
            raise make_not_for_nodes_error(ufunc.__name__, show_site(user_site()))
        return FUNCTIONS[function](*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function.__name__ not in _READERS:
            module = function.__module__.removeprefix("numpy").removeprefix(".")
            raise make_not_for_nodes_error(f"{module}.{function.__name__}".removeprefix("."), show_site(user_site()))
        return function(*[np.asarray(x) if isinstance(x, Operators) else x for x in args], **options)

    # -- the index notation ---------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> N:
        return FUNCTIONS["read"](self, key)

    def __setitem__(self, key: Any, definition: Any) -> None:
        FUNCTIONS["define"](self, key, definition)

    # -- methods named like functions -----------------------------------------------------------------------------

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in METHODS]

    def backward(self, cotangent: Any = None) -> None:
        """Add the derivative of this node to ``.grad`` of every node it was computed from.

        Args:
            cotangent: array of this node's shape; 1 for a scalar by default.

        Raises:
            GradientError: the node has no value, is no scalar, or is no float.

        Example:
            >>> import autograd_seq as ag
            >>> a, b = ag.tensor(2.0), ag.tensor(-3.0)
            >>> (a * b).backward()
            >>> float(a.grad), float(b.grad)
            (-3.0, 2.0)
        """
        FUNCTIONS["backward"](self, cotangent)

    @property
    def T(self) -> N:
        """The value with its dimensions reversed."""
        return FUNCTIONS["transpose"](self)

    def reshape(self, *shape: Any) -> N:
        """See :func:`autograd_seq.reshape`."""
        return FUNCTIONS["reshape"](self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def squeeze(self, axis: Any = None) -> N:
        """See :func:`autograd_seq.squeeze`."""
        return FUNCTIONS["squeeze"](self, axis)

    def astype(self, dtype: Any) -> N:
        """Return the value as ``float``, ``int`` or ``bool``: see :func:`autograd_seq.cast`. A width is given where it runs."""
        return FUNCTIONS["astype"](self, dtype)

    def sum(self, axis: Any = None, *, over: Any = None, keepdims: bool = False) -> N:
        """See :func:`autograd_seq.sum`."""
        return FUNCTIONS["sum"](self, axis, over=over, keepdims=keepdims)

    def mean(self, axis: Any = None, *, over: Any = None, keepdims: bool = False) -> N:
        """See :func:`autograd_seq.mean`."""
        return FUNCTIONS["mean"](self, axis, over=over, keepdims=keepdims)

    def max(self, axis: Any = None, *, over: Any = None, keepdims: bool = False) -> N:
        """See :func:`autograd_seq.max`."""
        return FUNCTIONS["max"](self, axis, over=over, keepdims=keepdims)

    def min(self, axis: Any = None, *, over: Any = None, keepdims: bool = False) -> N:
        """See :func:`autograd_seq.min`."""
        return FUNCTIONS["min"](self, axis, over=over, keepdims=keepdims)

    def along(self, axis: Axis, other: Axis) -> N:
        """See :func:`autograd_seq.along`."""
        return FUNCTIONS["along"](self, axis, other)


for _name in METHODS:  # not by __getattr__, with which a class finds its own attributes more slowly

    def _refuse_attribute(node: Any, name: str = _name) -> Any:
        raise make_no_attribute_error(name, label_of(node), node.where)

    setattr(Operators, _name, property(_refuse_attribute))


_OPERATORS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "remainder": "mod", "floor_divide": "floor_divide",
    "power": "power", "matmul": "matmul",
    "equal": "equal", "not_equal": "not_equal", "less": "less", "less_equal": "less_equal", "greater": "greater",
    "greater_equal": "greater_equal", "bitwise_and": "logical_and", "bitwise_or": "logical_or",
}  # fmt: skip
"""The function for each ufunc that NumPy calls for an operator, one of whose operands is an array."""

_READERS = {
    "allclose", "array2string", "array_equal", "array_repr", "array_str", "isclose", "ndim", "save", "savetxt", "shape", "size",
}  # fmt: skip
"""Functions of NumPy that read a known value and compute no other."""

__all__ = ["Operators"]
