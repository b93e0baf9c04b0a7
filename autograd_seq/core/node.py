"""Nodes: operations on the values of other nodes at one index point; and ``apply``, which makes them.

A node whose inputs all carry values carries its own at once. That is all that eager mode is; in a folded graph the same
rule is constant folding. Nodes hold their inputs and never their readers, so no reference cycle arises unless the
user's equations have one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from autograd_seq.core.axes import Axis, Index, union
from autograd_seq.core.errors import DTypeError, ShapeError, ValueKnownError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.kinds import get_dtype, get_kind, refuse_mask, widen_integers
from autograd_seq.core.misfit import label_of, make_misfit_error, make_several_error
from autograd_seq.core.op import OPS, Op, defop
from autograd_seq.core.operators import Operators
from autograd_seq.core.sites import Site, add_scope, get_scope, show_site, user_site

# How firmly a value keeps its width when it meets another: an array that the user made a tensor of keeps it, an array
# that only appears in an expression adopts the tensor's, and a Python number adopts that of either (NEP 50, one rank more).
STRONG, ARRAY, NUMBER = 0, 1, 2

_NO_ATTRS: dict[str, Any] = {}
_float64 = np.float64


class Node(Operators["Node"]):
    """An operation on the values of other nodes at one index point. Nodes are made by operations, not by hand.

    Attributes:
        op: the operation (:class:`Op`).
        inputs: the nodes it reads.
        attrs: its keyword arguments.
        shape: the shape of one point's value.
        dtype: ``float``, ``int`` or ``bool``; never a width, which is that of the feeds.
        axes: the axes it varies over; none for a static node.
        name: given by the user, or ``None``.
        site: the user's own line, ``(file, line)``.
        scope: the prefix of names that was in force where it was made.
        adjoint_of: the node whose cotangent it is; a node without a name is shown as ``ds`` or ``dW`` after it.
        letter: what a cell calls it, such as a gate; pictures show it under this letter if it has no name.
    """

    __slots__ = (
        "__weakref__", "_grad", "_value", "adjoint_of", "attrs", "axes", "dtype", "inputs", "letter", "name", "op", "scope",
        "shape", "site", "weak",
    )  # fmt: skip

    def __init__(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        attrs: dict[str, Any],
        shape: tuple[int, ...],
        dtype: type,
        axes: tuple[Axis, ...],
        value: Any = None,
        weak: int = STRONG,
        name: str | None = None,
        site: Site | None = None,
        scope: str = "",
    ) -> None:
        self.op, self.inputs, self.attrs = op, inputs, attrs
        self.shape, self.dtype, self.axes = shape, dtype, axes
        self._value, self.weak = value, weak
        self._grad: Any = None
        self.name, self.site, self.scope = name, site, scope
        self.adjoint_of: Node | None = None
        self.letter = ""

    # -- values ---------------------------------------------------------------------------------------------------

    @property
    def value(self) -> Any:
        """The value as a read-only array, or ``None`` if the node has none until it is fed.

        Assigning is allowed on leaves (``w.value = w.value - 0.1 * w.grad``); nodes computed before keep theirs.
        """
        return None if self._value is None else _read_only(self._value)

    @value.setter
    def value(self, new: Any) -> None:
        if self.inputs or self._value is None:
            raise ValueKnownError(
                "V101", f"{self} takes no value", node=self.name, expected="a tensor",
                got=f"the result of {self.op.get_word(self.attrs)}" if self.inputs else f"an {self.op.name}, which is fed",
                fix="assign to the tensors it is computed from, and build the expression again",
            )  # fmt: skip
        array = np.asarray(refuse_mask(new, str(self)))
        if array.shape != self.shape:
            raise ShapeError(
                "S102", f"{self} has shape {self.shape}, but is given a value of shape {array.shape}", node=self.name,
                expected=str(self.shape), got=str(array.shape),
            )  # fmt: skip
        self._value = np.array(array, dtype=self._value.dtype)[()]

    @property
    def grad(self) -> Any:
        """The gradient that ``backward`` has added up, as a read-only array, or ``None``."""
        return None if self._grad is None else _read_only(self._grad)

    @grad.setter
    def grad(self, new: Any) -> None:
        self._grad = None if new is None else np.array(new, dtype=np.asarray(self._value).dtype)[()]

    def named(self, name: str) -> Named:
        """Give the node a name, under which graphs, pictures and errors show it; returns the node.

        Raises:
            ValueKnownError: it has another name already.
        """
        full = add_scope(name)
        if self.name not in (None, full):
            raise ValueKnownError(
                "V103", f"{self.name} already has a name", node=self.name, got=repr(name), where=self.where,
                fix="name the result of an operation, once",
            )  # fmt: skip
        self.name = full
        return cast("Named", self)

    @property
    def where(self) -> str | None:
        """The user's own line as ``"model.py:12"``, if it is known."""
        return show_site(self.site)

    def __repr__(self) -> str:
        label = label_of(self)
        over = f"[{', '.join(map(str, self.axes))}]" if self.axes and not label.endswith("]") else ""
        known = "" if self._value is None else f" = {np.array2string(np.asarray(self._value), threshold=8)}"
        return f"{label}{over}: {self.dtype.__name__}{list(self.shape) if self.shape else ''}{known}"

    # -- known values as arrays and numbers -------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._known("an array"), dtype=dtype)

    def __float__(self) -> float:
        return float(self._known("a number"))

    def __int__(self) -> int:
        return int(self._known("a number"))

    def __bool__(self) -> bool:
        return bool(self._known("true or false"))

    def _known(self, what: str) -> Any:
        if self._value is None:
            raise ValueKnownError(
                "V102", f"{self} is not {what}: its value is not known until it is fed", node=self.name, where=self.where,
                fix="write functions of ag, and ag.where(…) to choose; values come with feeds: ag.compile(y)(x=…)",
            )  # fmt: skip
        return self._value

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError(
                "S103", f"{self} has no length: its value is a scalar", node=self.name, where=self.where,
                fix="steps are not entries: ag.sum(…, over=t) adds them, ag.stream reads one by one" if self.axes else None,
            )  # fmt: skip
        return self.shape[0]

    def __iter__(self) -> Iterator[Node]:
        return (self[i] for i in range(len(self)))

    @property
    def ndim(self) -> int:
        """The number of dimensions of one point's value."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries of one point's value."""
        return math.prod(self.shape)

    def item(self) -> Any:
        """Return the only entry of a known value as a Python number.

        Raises:
            ValueKnownError: the value is not known until it is fed.
            ShapeError: there are several entries, or none.

        Example:
            >>> import autograd_seq as ag
            >>> ag.tensor([2.0]).item()
            2.0
        """
        if self.size != 1:
            raise ShapeError(
                "S123", f"{self} is not a scalar", node=self.name, where=self.where, expected="one entry",
                got=f"{self.size} entries", fix="x.value.tolist() lists them",
            )  # fmt: skip
        return np.asarray(self._known("a number")).item()

    # -- copies ---------------------------------------------------------------------------------------------------

    def __copy__(self) -> Node:
        """Return another node that reads the same inputs."""
        if any(self is one for one in UNIQUE.values()):
            return self
        made = Node.__new__(Node)
        for name in Node.__slots__:
            if name != "__weakref__":
                setattr(made, name, getattr(self, name))
        return made

    def __reduce__(self) -> Any:
        return FUNCTIONS["reduced"](self)


UNIQUE: dict[str, Node] = {}
"""Nodes that are the same wherever they are, copies included: the seed of a run, say."""


if TYPE_CHECKING:

    class Named(Node):
        """A node that has a name: an input, a parameter, or what :meth:`Node.named` returns. To type checkers alone."""

        name: str
else:
    Named = Node


CONSTANT = defop("constant", shape=lambda: (), forward=None, vjp=lambda g, y: (), symbol="const", flops=0)


def _read_only(value: Any) -> np.ndarray:
    array = np.asarray(value).view()
    array.flags.writeable = False
    return array


def constant(value: Any) -> Node:
    """Return ``value`` as a node: nodes as they are, numbers and arrays as constants that adopt their partner's width.

    Args:
        value: a number, an array, a list, or a node.

    Returns:
        A node; nodes are returned as they are.

    Example:
        >>> constant([1.0, 2.0])
        constant: float[2] = [1. 2.]
    """
    if isinstance(value, Node):
        return value
    kind = type(value)
    if kind is float:
        return Node(CONSTANT, (), _NO_ATTRS, (), float, (), _float64(value), NUMBER)
    if isinstance(value, (Axis, Index)):
        raise DTypeError(
            "D102", f"{value} is a place, not a number", expected="a value", got=f"the index {value}",
            fix=f"ag.index({value.name if isinstance(value, Axis) else value.axis.name}) is the step number as a value",
        )  # fmt: skip
    try:
        array = widen_integers(np.array(refuse_mask(value)))
    except ValueError as error:
        raise ShapeError("S104", "a value is not a regular array", got=f"NumPy refuses it: {error}") from None
    except ValueKnownError:
        if not isinstance(value, (tuple, list)):
            raise
        raise make_several_error(value) from None
    weak = NUMBER if kind is int or kind is bool else ARRAY
    return Node(CONSTANT, (), _NO_ATTRS, array.shape, get_kind(array), (), array[()], weak)


def apply_arithmetic(op: Op, a: Any, b: Any) -> Node:
    """Make the node of ``op`` as :func:`apply` does; two float64 scalars, the bulk of a scalar expression, skip all checks."""
    if type(a) is not Node:
        a = constant(a)
    if type(b) is not Node:
        b = constant(b)
    x, y = a._value, b._value
    if type(x) is _float64 and type(y) is _float64:
        return Node(op, (a, b), _NO_ATTRS, (), float, (), op.forward(x, y), a.weak and b.weak)
    return apply(op, a, b)


def apply(op: Op, /, *inputs: Any, **attrs: Any) -> Node:
    """Make the node of ``op`` on ``inputs``, with its value at once if all of theirs are known.

    Raises:
        OperationError: it does not declare such attributes, or so many operands; or it is a user's own, and its forward does
            something else than it promises.
        ShapeError: the operation's shape rule refuses the inputs.
    """
    xs = tuple([x if isinstance(x, Node) else constant(x) for x in inputs])
    if (len(xs), *attrs) not in op.calls:  # which takes a tenth of a microsecond
        op.check_call(len(xs), attrs)
    if op.least is not None:
        for x in xs:
            if x.dtype is not float and x.dtype is not op.least:
                xs = tuple([_cast_up(x, op.least) for x in xs])
                break
    try:
        shape = op.shape(*[x.shape for x in xs], **attrs)
        dtype = op.dtype(*[x.dtype for x in xs], **attrs)
    except (ValueError, IndexError) as error:
        raise make_misfit_error(op, xs, attrs, error) from None
    if op.axes is not None:
        axes = op.axes(*[x.axes for x in xs], **attrs)
    else:
        axes = union(*[x.axes for x in xs])
    if op.own and op.forward is not None and op.axes is None:
        FUNCTIONS["try_forward"](op, xs, attrs, shape, dtype)
    if op.forward is not None and not axes and all([x._value is not None for x in xs]):
        weak = min([x.weak for x in xs], default=ARRAY)
        if weak == STRONG and dtype is float:  # only floats give it a width
            weak = min([x.weak for x in xs if x.dtype is float], default=ARRAY)
        return Node(op, xs, attrs, shape, dtype, axes, compute(op, xs, attrs, dtype), weak)
    return Node(op, xs, attrs, shape, dtype, axes, site=user_site(), scope=get_scope())


FUNCTIONS.update(apply=apply)


def _cast_up(x: Node, kind: type) -> Node:
    """Return a value as a kind, if its own is a lower one; a constant at once, so that it is still one."""
    if x.dtype is float or x.dtype is kind:
        return x
    if x.op is not CONSTANT or x._value is None:
        return apply(OPS["cast"], x, to=kind)
    return Node(CONSTANT, (), _NO_ATTRS, x.shape, kind, (), np.asarray(x._value).astype(kind)[()], x.weak, x.name)


def compute(op: Op, inputs: tuple[Node, ...], attrs: dict[str, Any], kind: type) -> Any:
    """Return the value of ``op``, of a kind, on inputs that carry values, of the width that their firmest float has."""
    values = [x._value for x in inputs]
    if any([v.dtype != _float64 for v in values]):  # all float64 is the common case, and needs no thought
        firmest = min([x.weak for x in inputs if x.dtype is float], default=STRONG)
        widths = [v.dtype for x, v in zip(inputs, values, strict=True) if x.weak == firmest and x.dtype is float]
        if widths:
            width = np.result_type(*widths)
            values = [
                v.astype(width) if x.dtype is float and x.weak > firmest else v for x, v in zip(inputs, values, strict=True)
            ]
            out = np.asarray(op.forward(*values, **attrs))[()]
            return out.astype(width) if kind is float and width.kind == "f" else out
    out = np.asarray(op.forward(*values, **attrs))[()]
    return out.astype(get_dtype(kind)) if op.own and get_kind(out) is not kind else out
