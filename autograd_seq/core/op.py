"""One record per operation: its name, shape rule, forward and vjp side by side, and the registry of all of them.

Why ``forward`` is a generalised ufunc (2026-11): it works on the trailing dimensions of its operands and broadcasts
over any leading ones. That one rule *is* lifting over time, over a batch, over any axis: no operation needs a second
definition to run for all steps at once. ``autograd_seq.ops.lifting`` holds the convention, and a test runs it over
the whole registry.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd_seq.core.errors import OperationError, did_you_mean
from autograd_seq.core.facts import TOGETHER, WHOLE, Facts, is_universal
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.native_text import check_native
from autograd_seq.core.rules import broadcast, same_shape
from autograd_seq.core.sites import show_site, user_site

if TYPE_CHECKING:
    from autograd_seq.core.node import Node

OPS: dict[str, Op] = {}
"""Every operation by name."""

BUILT_IN: set[str] = set()
"""The names of the operations that the package defines."""

_FACTS = [f.name for f in fields(Facts)]


class Op(Facts):
    """The record of an operation. Made by :func:`defop`; calling it makes a node.

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
        least: the kind that operands have at least: those of a lower one are cast before the operation; ``None``: any.
        own: whether it is a user's, and not built in.
        word: the word that the user wrote, if it is not the name: a text, or a function of the attributes.
        stable_log: from a node to its logarithm in a stable form, where it has one; ``None``: not in this case.
        calls: the calls that have been found to fit, each the number of its operands and the names of its attributes.
    """

    def __init__(self, name: str, shape: Any, forward: Any, vjp: Any, dtype: Any, axes: Any, broadcasts: bool, symbol: str,
                 doc: str, least: type | None = None, own: bool = False, word: Any = None, **facts: Any) -> None:  # fmt: skip
        super().__init__(**facts)
        self.name, self.shape, self.forward, self.vjp = name, shape, forward, vjp
        self.dtype, self.axes, self.broadcasts, self.symbol = dtype, axes, broadcasts, symbol
        self.least, self.own, self.word = least, own, word
        if self.ufunc is None and is_universal(forward):
            self.ufunc = forward
        if self.pointwise is None:
            by_entry = isinstance(self.native, str) or callable(self.native)
            self.pointwise = axes is None and (broadcasts or by_entry)
        self.stable_log: Callable[[Node], Node | None] | None = None
        self.calls: set[tuple[Any, ...]] = set()
        operands = _signature(vjp, 2)
        if operands.ordered:
            self.__signature__ = operands.make_signature()
        self.__doc__ = (doc or f"The operation {name}.") + _describe_call(operands, broadcasts, shape is same_shape)

    def __call__(self, /, *inputs: Any, **attrs: Any) -> Node:
        return FUNCTIONS["apply"](self, *inputs, **attrs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def get_word(self, attrs: dict[str, Any]) -> str:
        """Return the word that a call with some attributes was written with: of a contraction matmul, outer or einsum."""
        return str(self.word(**attrs)) if callable(self.word) else self.word or self.name

    @property
    def reduces_axes(self) -> bool:
        """Whether it reduces over axes, all of whose points it reads."""
        return self.reduces is not None and self.axes is not None

    @property
    def adds(self) -> bool:
        """Whether it adds, moves or negates entries of the operands at its own point, and does no more."""
        return self.linear == TOGETHER and self.forward is not None and self.axes is None

    @property
    def keeps_zeros(self) -> bool:
        """Whether the vjp makes zeros of a cotangent of 0, whatever the operands are."""
        return self.zero_safe or self.linear == TOGETHER or self.moves

    @property
    def moves(self) -> bool:
        """Whether it moves entries of its first operand within the value, and may add them up."""
        linear = self.linear == TOGETHER or self.linear == (0,)
        return linear and self.forward is not None and self.axes is None and not self.pointwise and self.view != WHOLE

    def get_sign(self, attrs: dict[str, Any]) -> str | None:
        """Return the operator that a call with some attributes was written with, between two operands."""
        return self.infix(**attrs) if callable(self.infix) else self.infix

    def __copy__(self) -> Op:
        return self

    def __deepcopy__(self, memo: Any) -> Op:
        return self

    def __reduce__(self) -> Any:
        """Pickle the name alone: the process that reads it has the functions, which cannot be pickled."""
        return known_op, (self.name,)

    def check_call(self, count: int, names: Iterable[str]) -> None:
        """Check that the rules take so many operands and these attributes, and remember the call as one that fits.

        Raises:
            OperationError: there are too many operands or too few, or an attribute is unknown.
        """
        names = tuple(names)
        rules = [
            _signature(rule, skipped)
            for rule, skipped in ((self.vjp, 2), (self.forward, 0), (self.shape, 0), (self.dtype, 0), (self.axes, 0))
        ]
        known = {name for rule in rules for name in rule.attributes(count)}
        called = f"{self.name}({', '.join([*rules[0].ordered, *(f'{name}=…' for name in rules[0].keywords)])})"
        for name in names:
            if name not in known or not all(rule.takes(name, count) for rule in rules):
                meant = "values are given by position" if name in known else did_you_mean(name, known)
                raise OperationError(
                    "O121", f"{self.name} has no attribute {name}=", node=self.name, where=show_site(user_site()),
                    expected=called, got=f"{name}=…", fix=meant or _ELSEWHERE.get(name),
                )  # fmt: skip
        lacking = [name for rule in rules for name in rule.needed(count) if name not in names]
        if lacking or not all(rule.several or count <= len(rule.ordered) for rule in rules) or (rules[0].ordered and not count):
            raise OperationError(
                "O122", f"{self.name} is given {count or 'no'} value{'s' if count != 1 else ''}", node=self.name,
                where=show_site(user_site()), expected=called, got=f"no {lacking[0]}" if lacking else f"{count} values",
                fix=f"{self.name}({self.name}(a, b), c)" if self.broadcasts and count == 3 and not lacking else None,
            )  # fmt: skip
        self.calls.add((count, *names))


def known_op(name: str) -> Op:
    """Return the operation of a name, as a node that comes from elsewhere needs it.

    Raises:
        OperationError: it is a user's own, and is not defined here.
    """
    if name not in OPS:
        raise OperationError(
            "O123", f"the operation {name} is not defined here", expected=f'ag.defop("{name}", …) before its nodes are read',
            got="a node that was made where it is", fix="import the module that defines it first",
        )  # fmt: skip
    return OPS[name]


_ELSEWHERE = {
    "axis": "each entry is computed by itself; ag.sum, ag.max, ag.softmax and others reduce dimensions, axis=",
    "keepdims": "each entry is computed by itself; ag.sum, ag.max, ag.softmax and others reduce dimensions, axis=",
    "over": "each point is computed by itself; ag.sum, ag.max, ag.softmax and others reduce axes, over=",
    "out": "values are never written to: y = … gives the result a name",
    "where": "ag.where(condition, a, b) chooses",
    "dtype": "ag.cast(x, float) changes the kind; dtype= where it is compiled or evaluated sets the width",
}
"""What to write for keywords that NumPy's functions of the same name take."""


@dataclass(frozen=True)
class _Signature:
    """What a rule can be called with, its operands and attributes.

    Attributes:
        ordered: parameters by position, of which those after the operands are attributes.
        keywords: parameters by name alone.
        optional: those of both that have a default.
        several: whether it takes any number of operands.
        anything: whether it takes any attribute.
    """

    ordered: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    several: bool = True
    anything: bool = True

    def attributes(self, count: int) -> tuple[str, ...]:
        return (*self.ordered[count:], *self.keywords)

    def takes(self, name: str, count: int) -> bool:
        return self.anything or name in self.attributes(count)

    def needed(self, count: int) -> list[str]:
        return [name for name in self.attributes(count) if name not in self.optional]

    def make_signature(self) -> inspect.Signature:
        """Return it as Python shows it: the operands by position, the attributes by name."""
        by_place = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in self.ordered]
        by_name = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in self.keywords]
        return inspect.Signature([*by_place, *by_name])


def _describe_call(operands: _Signature, broadcasts: bool, keeps_shape: bool) -> str:
    """Return the part of a docstring about operands and result, of an operation on each entry."""
    names, several = ", ".join(operands.ordered), len(operands.ordered) > 1
    if operands.keywords or not names or not (broadcasts or (keeps_shape and not several)):
        return ""
    what = "nodes, arrays or numbers that broadcast against each other" if several else "a node, an array or a number"
    result = "of the shape to which they broadcast, over the axes of all" if several else "of the same shape, over its axes"
    return f"\n\nArgs:\n    {names}: (…), {what}.\n\nReturns:\n    A node {result}.\n"


def _signature(rule: Any, skipped: int) -> _Signature:
    """Return the signature of a rule without its first parameters; one that takes anything if it cannot be found."""
    if isinstance(rule, np.ufunc):
        return _Signature(tuple(f"x{i}" for i in range(rule.nin)), several=False, anything=False)
    try:
        parameters = [*inspect.signature(rule).parameters.values()]
    except (TypeError, ValueError):
        return _Signature()
    ordered = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][skipped:]
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    return _Signature(
        tuple(p.name for p in ordered), tuple(p.name for p in keywords),
        frozenset(p.name for p in (*ordered, *keywords) if p.default is not p.empty),
        any(p.kind is p.VAR_POSITIONAL for p in parameters), any(p.kind is p.VAR_KEYWORD for p in parameters),
    )  # fmt: skip


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
    least: type | None = None,
    word: Callable[..., str] | str | None = None,
    doc: str = "",
    **facts: Any,
) -> Op:
    """Define an operation and enter it into the registry.

    Args:
        name: the name in printed graphs and pictures.
        shape: the shape rule, on the shapes of one point's values; the default broadcasts as NumPy does.
        forward: the values, on arrays; it must work on trailing dimensions and broadcast over leading ones.
        vjp: ``vjp(g, y, *xs, **attrs)``: the cotangent of each input from the cotangent ``g`` of the result ``y``,
            written with nodes and operators. Prefer ``y`` to the inputs: it saves memory over time. What broadcasting
            spread is summed back by the engine.
        dtype: the kind of the result, or a rule for it.
        axes: only for operations that change the axes.
        broadcasts: whether operands broadcast elementwise; by default, whether ``shape`` is the broadcasting rule.
        symbol: for pictures; the name by default.
        least: the kind that operands have at least: with ``float`` integers and truth values come as floats of the
            program's width, with ``int`` truth values come as 0 and 1; by default they come as they are.
        word: what printed graphs and errors call it, or a function of the attributes; the name by default.
        doc: the docstring of the operation.
        facts: further properties (:class:`autograd_seq.core.facts.Facts`), all optional. With ``native=`` it runs in native
            code; from ``linear=`` and ``range=`` the engine knows where it may move it in loops and masks.

    Returns:
        The operation, which is called like a function.

    Raises:
        OperationError: the name belongs to a built-in operation, or is not an identifier; there is no such fact.

    Example:
        >>> import numpy as np, autograd_seq as ag
        >>> cube = ag.defop("cube", shape=ag.same_shape, forward=lambda x: x**3, vjp=lambda g, y, x: (g * 3 * x * x,))
        >>> a = ag.tensor(2.0)
        >>> y = cube(a)
        >>> y.backward()
        >>> float(y.value), float(a.grad)
        (8.0, 12.0)
        >>> cosh = ag.defop("cosh_", shape=ag.same_shape, forward=np.cosh, native="np.cosh({0})", flops=10, range="any",
        ...                 vjp=lambda g, y, x: (g * (ag.exp(x) - ag.exp(-x)) / 2,))

    Notes:
        Check yours with :func:`autograd_seq.check_op`, as the suite checks the built-in ones.
    """
    _check_definition(name, vjp, facts)
    rule = (lambda *_, **__: dtype) if isinstance(dtype, type) else dtype
    broadcasts = shape is broadcast if broadcasts is None else broadcasts
    OPS[name] = Op(name, shape, forward, vjp, rule, axes, broadcasts, symbol or name, doc, least, bool(BUILT_IN), word, **facts)
    return OPS[name]


def _check_definition(name: str, vjp: Callable[..., Any], facts: dict[str, Any]) -> None:
    """Refuse a name that an operation cannot have, facts that do not exist, and a native expression that cannot be compiled."""
    if not name.isidentifier():
        raise OperationError("O101", f"an operation cannot be named {name!r:.60}", expected="an identifier", got=repr(name))
    if name in BUILT_IN:
        raise OperationError("O102", f"{name} is a built-in operation", node=name, fix=f'choose another name, e.g. "my_{name}"')
    for fact in facts:
        if fact not in _FACTS:
            raise OperationError(
                "O133", f"defop has no argument {fact}=", node=name, expected=", ".join(_FACTS), got=f"{fact}=…",
                fix=did_you_mean(fact, _FACTS),
            )  # fmt: skip
    if BUILT_IN and isinstance(facts.get("native"), str):
        operands = _signature(vjp, 2)
        check_native(name, facts["native"], None if operands.several else len(operands.ordered))


def seal() -> None:
    """Protect the operations defined so far from being redefined (called once, when the package is imported)."""
    BUILT_IN.update(OPS)
